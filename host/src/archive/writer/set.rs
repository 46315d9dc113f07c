//! One set of an archive that is being written: its names, its index, its totals, and the end of all its writers.

use std::collections::HashSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sha2::{Digest as _, Sha256};

use super::super::codec::Digest;
use super::super::entry::{Entry, EntryInfo, Totals, Writer};
use super::super::index;
use super::super::spool::Spool;
use super::Core;
use super::handle::WriterHandle;
use crate::cancel::Cancel;
use crate::error::{Error, ErrorKind, Result};
use crate::name::{EntryName, SetPath};

/// A set that is open for writing.
pub struct SetWriter {
    set: Arc<OpenSet>,
}

/// What a set's writers share.
pub(super) struct OpenSet {
    pub(super) core: Arc<Core>,
    path: SetPath,
    pub(super) prefix: String,
    cancel: Cancel,
    entries: AtomicU64,
    bytes: AtomicU64,
    stored: AtomicU64,
    state: Mutex<State>,
}

struct State {
    /// The first 16 bytes of the SHA-256 of each name: duplicates are found without keeping the names.
    names: HashSet<[u8; 16]>,
    /// `None` once the set is closed.
    index: Option<Spool>,
    open_entries: u64,
    /// The first failure; it fails the set.
    failed: Option<Error>,
}

impl SetWriter {
    pub(super) fn new(core: Arc<Core>, path: SetPath, prefix: String, cancel: Cancel) -> Result<Self> {
        let state = State { names: HashSet::new(), index: Some(Spool::new()?), open_entries: 0, failed: None };
        let (entries, bytes, stored) = Default::default();
        core.open_sets.fetch_add(1, Ordering::AcqRel);
        Ok(Self { set: Arc::new(OpenSet { core, path, prefix, cancel, entries, bytes, stored, state: Mutex::new(state) }) })
    }

    /// A writer into this set.
    ///
    /// # Errors
    /// None as yet.
    pub fn writer(&self) -> Result<Box<dyn Writer>> {
        Ok(Box::new(WriterHandle::new(self.set.clone())))
    }

    /// What has gone into the set so far.
    pub fn so_far(&self) -> Totals {
        self.set.totals()
    }

    /// Waits for what is still on its way, and ends the set: no writer of it is of any use afterwards.
    ///
    /// # Errors
    /// An entry was not finished; whatever failed in a worker; the run was cancelled.
    pub fn close(self) -> Result<ClosedSet> {
        let (index, failed, open) = self.set.end();
        if let Some(why) = failed {
            return Err(why);
        }
        self.set.cancel.check()?;
        if open > 0 {
            return Err(Error::new(ErrorKind::Other, format!("the driver left {open} of its entries unfinished")));
        }
        let index = index.ok_or_else(moment_is_over)?;
        let (totals, stored) = (self.set.totals(), self.set.stored.load(Ordering::Relaxed));
        Ok(ClosedSet { path: self.set.path.clone(), totals, stored, index })
    }
}

impl Drop for SetWriter {
    fn drop(&mut self) {
        self.set.end();
    }
}

impl OpenSet {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn end(&self) -> (Option<Spool>, Option<Error>, u64) {
        let mut state = self.state();
        state.names = HashSet::new();
        if state.index.is_some() {
            self.core.open_sets.fetch_sub(1, Ordering::AcqRel);
        }
        (state.index.take(), state.failed.clone(), state.open_entries)
    }

    fn totals(&self) -> Totals {
        Totals { entries: self.entries.load(Ordering::Relaxed), bytes: self.bytes.load(Ordering::Relaxed) }
    }

    /// Whether anything can still be written.
    pub(super) fn check(&self) -> Result<()> {
        self.cancel.check()?;
        let state = self.state();
        match &state.failed {
            Some(why) => Err(why.clone()),
            None if state.index.is_none() => Err(moment_is_over()),
            None => Ok(()),
        }
    }

    /// Takes a name, and counts an open entry.
    pub(super) fn begin(&self, name: &EntryName) -> Result<()> {
        let digest = Sha256::digest(name.as_bytes());
        let mut state = self.state();
        if !state.names.insert(digest[..16].try_into().expect("a digest has 32 bytes")) {
            return Err(Error::new(ErrorKind::Other, format!("the set has an entry `{name}` already")));
        }
        state.open_entries += 1;
        Ok(())
    }

    /// Says that a begun entry was finished.
    pub(super) fn finished(&self) {
        self.state().open_entries -= 1;
    }

    /// Says that a begun entry will never be finished.
    pub(super) fn abandoned(&self, name: &EntryName) {
        let mut state = self.state();
        state.open_entries -= 1;
        state.failed.get_or_insert_with(|| Error::new(ErrorKind::Other, format!("the driver left its entry `{name}` unfinished")));
    }

    /// Makes the set fail, unless it has failed already.
    pub(super) fn fail(&self, why: &Error) {
        self.state().failed.get_or_insert_with(|| why.clone());
    }

    /// Counts content as it comes in.
    pub(super) fn count(&self, bytes: u64) {
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Records an entry that stands in the archive.
    pub(super) fn record(&self, entry: Entry, digest: Digest, stored: u64) -> Result<()> {
        let info = EntryInfo { entry, size: digest.size, sha256: digest.sha256 };
        let line = index::line(&info)?;
        self.state().index.as_mut().ok_or_else(moment_is_over)?.push(&line)?;
        self.entries.fetch_add(1, Ordering::Relaxed);
        self.stored.fetch_add(stored, Ordering::Relaxed);
        Ok(())
    }
}

pub(super) fn moment_is_over() -> Error {
    Error::new(ErrorKind::Other, "the moment in which the driver may write is over")
}

/// A set that is whole: all its entries stand in the archive, and its index is about to.
pub struct ClosedSet {
    path: SetPath,
    totals: Totals,
    stored: u64,
    index: Spool,
}

impl ClosedSet {
    pub(super) fn path(&self) -> &SetPath {
        &self.path
    }

    pub(super) fn index(&self) -> &Spool {
        &self.index
    }

    /// How much it holds.
    pub fn totals(&self) -> Totals {
        self.totals
    }

    /// The bytes that its entries take in the archive, compressed, headers left out.
    pub fn stored_bytes(&self) -> u64 {
        self.stored
    }

    /// The exact names of its entries but its directories: what a link may name.
    ///
    /// # Errors
    /// The temporary file cannot be read.
    pub fn names(&self) -> Result<impl Iterator<Item = Result<EntryName>>> {
        Ok(self.index.lines().map(|line| index::linkable_name(&line?)).filter_map(Result::transpose))
    }
}
