//! The archive as the other rooms see it: entries in, entries out, and what the manifest says of them.
//!
//! A driver meets only the traits of [`entry`]: a [`Writer`] for the entries of *its* set during a dump, a [`Reader`] of
//! them during a restore. It learns nothing of zip, compression or stores. The engine opens archives through
//! [`ArchiveWriter`] and [`ArchiveReader`].

mod codec;
mod comment;
mod compression;
pub mod entry;
mod escape;
mod index;
pub mod manifest;
pub mod reader;
pub mod spool;
#[cfg(test)]
mod test_support;
pub mod writer;
mod zip;

pub use compression::Compression;
pub use entry::{Entries, Entry, EntryInfo, EntryReader, EntryWriter, Reader, Totals, Writer};
pub use escape::{escape, unescape};
pub use manifest::Manifest;
pub use reader::{ArchiveReader, Damage};
pub use spool::Spool;
pub use writer::{ArchiveWriter, ClosedSet, Options, SetWriter, Stored, Written};
