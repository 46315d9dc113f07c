//! What a guest may use within one call: the set's entries, written or read, and the values of a link. Everything in here ends
//! with the call, whatever handles the guest keeps.
//!
//! What is in here may block the guest's [`thread`](super::thread): a full archive, a slow disk.

mod reading;
mod writing;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

pub(super) use self::reading::{EntryReading, Walk};
pub(super) use self::writing::{EntryWriting, attributes_size, check_attributes, check_chunk, check_name};
use super::clock::Clock;
use super::handle::Ticket;
use super::limits::{Limits, READERS};
use super::thread::Caller;
use crate::archive::{Totals, Writer};
use crate::drivers::Context;
use crate::error::{Error, ErrorKind, Result};

/// The most entries that an error about unfinished ones names.
const NAMED: usize = 20;

/// One call into a guest.
pub(super) struct Call {
    /// Its number: handles bear it.
    pub(super) number: u64,
    pub(super) context: Context,
    pub(super) clock: Arc<Clock>,
    /// What the call may use of the archive.
    pub(super) archive: Archive,
    /// Who made it.
    pub(super) caller: Caller,
    pub(super) written: Written,
    pub(super) entry_writers: Slots<EntryWriting>,
    pub(super) walks: Slots<Walk>,
    pub(super) entry_readers: Slots<EntryReading>,
    /// The names of entries that were given up before they were finished, as far as they are told.
    abandoned: Vec<String>,
    /// Damage that was found. It fails the moment, whatever the guest makes of the error that it got.
    damage: Option<Error>,
    /// The largest number that `progress` was called with.
    pub(super) progress: u64,
}

/// What a call may use of the archive.
pub(super) enum Archive {
    /// Nothing.
    None,
    /// Its entries are written.
    Write(Box<dyn Writer>),
    /// Its entries are read: so much.
    Read(Totals),
    /// The values of a link are collected.
    Collect,
}

/// How much was written, and how much may be.
#[derive(Default)]
pub(super) struct Written {
    pub(super) bytes: u64,
    pub(super) entries: u64,
    /// The limit that was reached. It fails the moment, whatever the guest makes of the error that it got.
    over: Option<Error>,
}

impl Call {
    /// One that begins.
    pub(super) fn new(context: Context, clock: Arc<Clock>, archive: Archive, caller: Caller) -> Self {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let (written, entry_writers, walks, entry_readers) = Default::default();
        let (abandoned, damage) = Default::default();
        Self { number, context, clock, archive, caller, written, entry_writers, walks, entry_readers, abandoned, damage, progress: 0 }
    }

    /// The limit that was reached, if one was.
    pub(super) fn left_over(self) -> Option<Error> {
        self.written.over
    }

    /// What is wrong with how the guest left it, although it says that all went well.
    pub(super) fn left(&self) -> Result<()> {
        if let Some(why) = self.written.over.as_ref().or(self.damage.as_ref()) {
            return Err(why.clone());
        }
        let unfinished = self.abandoned.iter().chain(self.entry_writers.iter().map(|entry| &entry.name));
        let names: Vec<&String> = unfinished.take(NAMED).collect();
        if names.is_empty() {
            return Ok(());
        }
        let error = Error::new(ErrorKind::Other, "the driver left entries unfinished: only `finish` makes one part of the archive");
        Err(names.into_iter().fold(error, |error, name| error.with("entry", name)))
    }

    /// Gives up an entry that cannot become whole.
    pub(super) fn abandon(&mut self, slot: u32) {
        if let Some(entry) = self.entry_writers.take(slot)
            && self.abandoned.len() < NAMED
        {
            self.abandoned.push(entry.name);
        }
    }

    /// Looks at what a read came to, on its way to the guest.
    pub(super) fn look_at<T>(&mut self, read: Result<T>) -> Result<T> {
        if let Err(error) = &read
            && error.kind() == ErrorKind::Corrupt
        {
            self.damage.get_or_insert_with(|| error.clone());
        }
        read
    }

    /// The thing behind a handle; a typed error where its call is over.
    pub(super) fn check(&self, ticket: Ticket) -> Result<()> {
        if ticket.call == self.number { Ok(()) } else { Err(over()) }
    }

    /// How much the set holds.
    pub(super) fn totals(&self) -> Result<Totals> {
        match self.archive {
            Archive::Read(totals) => Ok(totals),
            _ => Err(over()),
        }
    }

    /// Counts an entry.
    ///
    /// # Errors
    /// It is one too many.
    pub(super) fn count_entry(&mut self, limits: &Limits) -> Result<()> {
        self.written.entries += 1;
        if self.written.entries <= limits.entries {
            return Ok(());
        }
        Err(self.written.stop(format!("the driver reached the limit of {} entries, `limit.entries`", limits.entries)))
    }

    /// Counts bytes.
    ///
    /// # Errors
    /// They are too many.
    pub(super) fn count_bytes(&mut self, bytes: usize, limits: &Limits) -> Result<()> {
        self.written.bytes = self.written.bytes.saturating_add(bytes as u64);
        if self.written.bytes <= limits.bytes {
            return Ok(());
        }
        let limit = super::limits::show_size(limits.bytes);
        Err(self.written.stop(format!("the driver reached the limit of {limit} written, `limit.bytes`")))
    }

    /// Room for one more reader or walk.
    pub(super) fn check_room(&self) -> Result<()> {
        if self.walks.len() + self.entry_readers.len() < READERS {
            return Ok(());
        }
        Err(Error::new(ErrorKind::Other, format!("the driver has {READERS} entries and walks open; close some before the next")))
    }
}

impl Written {
    /// The limit that was reached, if one was.
    pub(super) fn over(&self) -> Option<&Error> {
        self.over.as_ref()
    }

    fn stop(&mut self, message: String) -> Error {
        let error = Error::new(ErrorKind::Other, message).hint("raise the limit if the driver is to write so much");
        self.over.get_or_insert(error).clone()
    }
}

/// What a handle is told whose call is over.
pub(super) fn over() -> Error {
    Error::new(ErrorKind::Other, "the call for which this handle was good is over")
}

/// Things of one kind, by number. A number is never given twice.
pub(super) struct Slots<T> {
    next: u32,
    things: HashMap<u32, T>,
}

impl<T> Default for Slots<T> {
    fn default() -> Self {
        Self { next: 0, things: HashMap::new() }
    }
}

impl<T> Slots<T> {
    /// Adds one; its number.
    pub(super) fn add(&mut self, thing: T) -> u32 {
        let slot = self.next;
        self.next += 1;
        self.things.insert(slot, thing);
        slot
    }

    /// One of them.
    pub(super) fn get_mut(&mut self, slot: u32) -> Option<&mut T> {
        self.things.get_mut(&slot)
    }

    /// Takes one out.
    pub(super) fn take(&mut self, slot: u32) -> Option<T> {
        self.things.remove(&slot)
    }

    /// Puts one back.
    pub(super) fn put(&mut self, slot: u32, thing: T) {
        self.things.insert(slot, thing);
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.things.len()
    }

    /// All that there are.
    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        self.things.values()
    }
}
