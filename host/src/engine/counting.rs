//! A reader that counts what a restore takes from it, for the progress.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::archive::{Entries, EntryInfo, EntryReader, Reader, Totals};
use crate::error::Result;
use crate::name::EntryName;

/// Hands everything on to another reader, and counts.
pub(super) struct Counting<'a> {
    inner: Box<dyn Reader + 'a>,
    through: Arc<Through>,
}

#[derive(Default)]
struct Through {
    entries: AtomicU64,
    bytes: AtomicU64,
}

impl<'a> Counting<'a> {
    pub(super) fn new(inner: Box<dyn Reader + 'a>) -> Self {
        Self { inner, through: Arc::default() }
    }

    /// The entries that were opened and the bytes that were read so far.
    pub(super) fn so_far(&self) -> Totals {
        Totals { entries: self.through.entries.load(Ordering::Relaxed), bytes: self.through.bytes.load(Ordering::Relaxed) }
    }
}

impl Reader for Counting<'_> {
    fn totals(&self) -> Totals {
        self.inner.totals()
    }

    fn entries(&self) -> Result<Box<dyn Entries>> {
        self.inner.entries()
    }

    fn open(&self, name: &EntryName) -> Result<Box<dyn EntryReader>> {
        let inner = self.inner.open(name)?;
        self.through.entries.fetch_add(1, Ordering::Relaxed);
        Ok(Box::new(CountingEntry { inner, through: self.through.clone() }))
    }
}

struct CountingEntry {
    inner: Box<dyn EntryReader>,
    through: Arc<Through>,
}

impl EntryReader for CountingEntry {
    fn info(&self) -> &EntryInfo {
        self.inner.info()
    }

    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        let read = self.inner.read(buffer)?;
        self.through.bytes.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}
