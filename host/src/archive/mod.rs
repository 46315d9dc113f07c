//! The archive as the other rooms see it: entries in, entries out, and what the manifest says of them.
//!
//! A driver meets only the traits of [`entry`]: a [`Writer`] for the entries of *its* set during a dump, a [`Reader`] of
//! them during a restore. It learns nothing of zip, compression or stores. The engine opens archives through
//! [`ArchiveWriter`] and [`ArchiveReader`].

pub mod entry;
pub mod manifest;

pub use entry::{Entries, Entry, EntryInfo, EntryReader, EntryWriter, Reader, Totals, Writer};
pub use manifest::Manifest;
