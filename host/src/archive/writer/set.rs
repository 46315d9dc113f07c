//! One set of an archive that is being written: its names, its index, its totals, and the end of all its writers.

use std::collections::HashSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

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
    /// Woken when nothing is pending any more.
    settled: Condvar,
}

struct State {
    /// The first 16 bytes of the SHA-256 of each name: duplicates are found without keeping the names.
    names: HashSet<[u8; 16]>,
    index: Spool,
    /// No more entries are taken.
    closed: bool,
    /// Entries that have been created and not yet finished.
    open: u64,
    /// Entries on their way into the archive.
    pending: u64,
    /// The first failure; it fails the set.
    failed: Option<Error>,
}

impl SetWriter {
    pub(super) fn new(core: Arc<Core>, path: SetPath, prefix: String, cancel: Cancel) -> Result<Self> {
        let state = State { names: HashSet::new(), index: Spool::new()?, closed: false, open: 0, pending: 0, failed: None };
        let (entries, bytes, stored) = Default::default();
        core.open_sets.fetch_add(1, Ordering::AcqRel);
        let (state, settled) = (Mutex::new(state), Condvar::new());
        Ok(Self { set: Arc::new(OpenSet { core, path, prefix, cancel, entries, bytes, stored, state, settled }) })
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
        self.set.close()?;
        let index = std::mem::replace(&mut self.set.state().index, Spool::new()?);
        let (totals, stored) = (self.set.totals(), self.set.stored.load(Ordering::Relaxed));
        Ok(ClosedSet { path: self.set.path.clone(), totals, stored, index })
    }
}

impl Drop for SetWriter {
    fn drop(&mut self) {
        // Whatever it says: a set that is dropped rather than closed has failed.
        let _ = self.set.close();
    }
}

impl OpenSet {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes no more entries, and waits for those on their way.
    fn close(&self) -> Result<()> {
        let mut state = self.state();
        if !std::mem::replace(&mut state.closed, true) {
            self.core.open_sets.fetch_sub(1, Ordering::AcqRel);
        }
        let left_open = state.open;
        if left_open > 0 {
            let why = format!("the driver left {left_open} of its entries unfinished");
            state.failed.get_or_insert_with(|| Error::new(ErrorKind::Other, why));
        }
        while state.pending > 0 {
            state = self.settled.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.names = HashSet::new();
        match &state.failed {
            _ if self.cancel.is_cancelled() => Err(Error::cancelled()),
            Some(why) => Err(why.clone()),
            None => Ok(()),
        }
    }

    fn totals(&self) -> Totals {
        Totals { entries: self.entries.load(Ordering::Relaxed), bytes: self.bytes.load(Ordering::Relaxed) }
    }

    /// Whether anything can still be written.
    pub(super) fn check(&self) -> Result<()> {
        self.check_running()?;
        if self.state().closed || self.core.closed.load(Ordering::Acquire) {
            return Err(Error::new(ErrorKind::Other, "the moment in which the driver may write is over"));
        }
        Ok(())
    }

    /// Whether what is on its way should still arrive.
    pub(super) fn check_running(&self) -> Result<()> {
        self.cancel.check()?;
        self.state().failed.clone().map_or(Ok(()), Err)
    }

    /// Takes a name, and counts an open entry.
    pub(super) fn begin(&self, name: &EntryName) -> Result<()> {
        let digest = Sha256::digest(name.as_bytes());
        let mut state = self.state();
        if state.closed {
            drop(state);
            return self.check();
        }
        if !state.names.insert(digest[..16].try_into().expect("a digest has 32 bytes")) {
            return Err(Error::new(ErrorKind::Other, format!("the set has an entry `{name}` already")));
        }
        state.open += 1;
        Ok(())
    }

    /// Says that a created entry was finished, or never will be.
    pub(super) fn ended(&self) {
        self.state().open -= 1;
    }

    /// Fails the set because of an entry that never will be finished.
    pub(super) fn abandoned(&self, name: &EntryName) -> Error {
        let why = Error::new(ErrorKind::Other, format!("the driver left its entry `{name}` unfinished"));
        self.fail(&why);
        why
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
        self.state().index.push(&line)?;
        self.entries.fetch_add(1, Ordering::Relaxed);
        self.stored.fetch_add(stored, Ordering::Relaxed);
        Ok(())
    }
}

/// An entry on its way into the archive: its set waits for it.
pub(super) struct Pending(Arc<OpenSet>);

impl Pending {
    pub(super) fn new(set: &Arc<OpenSet>) -> Self {
        set.state().pending += 1;
        Self(set.clone())
    }

    pub(super) fn set(&self) -> &Arc<OpenSet> {
        &self.0
    }

    /// Says how it went.
    pub(super) fn end_with(self, result: Result<()>) {
        if let Err(why) = result {
            self.0.fail(&why);
        }
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.fail(&Error::new(ErrorKind::Other, "a thread of the archive's failed"));
        }
        let mut state = self.0.state();
        state.pending -= 1;
        if state.pending == 0 {
            self.0.settled.notify_all();
        }
    }
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
