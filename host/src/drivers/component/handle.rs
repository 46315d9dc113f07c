//! The handles that a guest holds: which call they belong to, and what they stand for there.
//!
//! The things themselves live in the [`Call`](super::call::Call), and end with it; a handle that outlives its call is
//! recognised by its number, and gives a typed error rather than a trap.

#![allow(unreachable_pub, reason = "the bindings re-export them in modules that nobody else sees")]

use crate::archive::{EntryInfo, Totals};

/// What a handle knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ticket {
    /// The number of the call for which it was made.
    pub(super) call: u64,
    /// Which of the things of its kind it stands for.
    pub(super) slot: u32,
}

/// The entries of the set, taken.
#[derive(Debug)]
pub struct Writer(pub(super) Ticket);

/// One entry that is written.
#[derive(Debug)]
pub struct EntryWriter(pub(super) Ticket);

/// The entries of the set, given back; how much they are stays true after the call.
#[derive(Debug)]
pub struct Reader(pub(super) Ticket, pub(super) Totals);

/// A walk through the entries.
#[derive(Debug)]
pub struct Entries(pub(super) Ticket);

/// One entry that is read; what the archive says of it stays true after the call.
#[derive(Debug)]
pub struct EntryReader(pub(super) Ticket, pub(super) Box<EntryInfo>);

/// Takes the values of a link.
#[derive(Debug)]
pub struct LinkSink(pub(super) Ticket);
