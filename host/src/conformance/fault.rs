//! Faults, injected between a driver and its archive: a call that fails, a run that is cancelled, damage, tiny pieces.
//!
//! Decorators of [`Writer`] and [`Reader`]; they wrap a [`MemoryArchive`](super::MemoryArchive)'s or the real archive's alike.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use crate::archive::{Entries, Entry, EntryInfo, EntryReader, EntryWriter, Reader, Totals, Writer};
use crate::cancel::Cancel;
use crate::error::{Error, ErrorKind, Result};
use crate::name::EntryName;

/// What every injected error says, so that it is known again when the driver returns it.
pub const MARK: &str = "injected failure";

/// The calls at which a fault can happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "named as the methods of the archive's traits, and documented there")]
pub enum Call {
    Create,
    Another,
    Space,
    Advance,
    Finish,
    Entries,
    Next,
    Open,
    Read,
}

/// What happens at the chosen call.
enum Action {
    Nothing,
    Fail,
    Cancel(Cancel),
}

/// Counts the calls of one run, and does something at the one that was chosen.
pub struct Trigger {
    /// The number of the chosen call, from 1; calls that [`Trigger::only`] leaves out are not counted.
    at: u64,
    action: Action,
    only: Option<Call>,
    calls: AtomicU64,
    fired: OnceLock<(Call, Instant)>,
}

impl Trigger {
    fn new(at: u64, action: Action) -> Self {
        Self { at, action, only: None, calls: AtomicU64::new(0), fired: OnceLock::new() }
    }

    /// Does nothing.
    pub fn never() -> Arc<Self> {
        Arc::new(Self::new(0, Action::Nothing))
    }

    /// Makes the `at`-th call fail, once.
    pub fn fail(at: u64) -> Arc<Self> {
        Arc::new(Self::new(at, Action::Fail))
    }

    /// Makes the `at`-th of these calls fail, once.
    pub fn fail_only(call: Call, at: u64) -> Arc<Self> {
        Arc::new(Self { only: Some(call), ..Self::new(at, Action::Fail) })
    }

    /// Cancels the run in the `at`-th call, which itself goes on.
    pub fn cancel(at: u64, cancel: &Cancel) -> Arc<Self> {
        Arc::new(Self::new(at, Action::Cancel(cancel.clone())))
    }

    /// At which call it fired, and when.
    pub fn fired(&self) -> Option<(Call, Instant)> {
        self.fired.get().copied()
    }

    fn pass(&self, call: Call) -> Result<()> {
        if self.only.is_some_and(|only| only != call) {
            return Ok(());
        }
        if self.calls.fetch_add(1, Ordering::SeqCst) + 1 != self.at {
            return Ok(());
        }
        self.fired.get_or_init(|| (call, Instant::now()));
        match &self.action {
            Action::Nothing => Ok(()),
            Action::Fail => Err(failure(call)),
            Action::Cancel(cancel) => {
                cancel.cancel();
                Ok(())
            }
        }
    }
}

/// The error that an injected failure of this call raises: what a full disk, a lost entry or a damaged one would raise there.
pub fn failure(call: Call) -> Error {
    let kind = match call {
        Call::Create | Call::Another | Call::Space | Call::Advance | Call::Finish => ErrorKind::Unavailable,
        Call::Open => ErrorKind::NotFound,
        Call::Entries | Call::Next | Call::Read => ErrorKind::Corrupt,
    };
    Error::new(kind, format!("{MARK} of `{call:?}`"))
}

/// Whether `error` is an injected one, or says that it came from one.
pub fn is_injected(error: &Error) -> bool {
    error.message().contains(MARK) || error.context().iter().any(|(_, value)| value.contains(MARK))
}

/// A writer with faults.
pub struct FaultyWriter {
    inner: Box<dyn Writer>,
    trigger: Arc<Trigger>,
    room: usize,
}

impl FaultyWriter {
    /// Wraps a writer; `trigger` sees every call.
    pub fn new(inner: Box<dyn Writer>, trigger: Arc<Trigger>) -> Self {
        Self { inner, trigger, room: usize::MAX }
    }

    /// Gives at most `room` bytes of space at a time; at least 1.
    #[must_use]
    pub fn room(mut self, room: usize) -> Self {
        self.room = room.max(1);
        self
    }
}

impl Writer for FaultyWriter {
    fn create(&mut self, entry: Entry) -> Result<Box<dyn EntryWriter>> {
        self.trigger.pass(Call::Create)?;
        let inner = self.inner.create(entry)?;
        Ok(Box::new(FaultyEntryWriter { inner, trigger: Arc::clone(&self.trigger), room: self.room }))
    }

    fn another(&self) -> Result<Box<dyn Writer>> {
        self.trigger.pass(Call::Another)?;
        let inner = self.inner.another()?;
        Ok(Box::new(Self { inner, trigger: Arc::clone(&self.trigger), room: self.room }))
    }
}

struct FaultyEntryWriter {
    inner: Box<dyn EntryWriter>,
    trigger: Arc<Trigger>,
    room: usize,
}

impl EntryWriter for FaultyEntryWriter {
    fn space(&mut self) -> Result<&mut [u8]> {
        self.trigger.pass(Call::Space)?;
        let space = self.inner.space()?;
        let room = space.len().min(self.room);
        Ok(&mut space[..room])
    }

    fn advance(&mut self, filled: usize) -> Result<()> {
        self.trigger.pass(Call::Advance)?;
        self.inner.advance(filled)
    }

    fn finish(&mut self) -> Result<()> {
        self.trigger.pass(Call::Finish)?;
        self.inner.finish()
    }
}

/// A reader with faults.
pub struct FaultyReader {
    inner: Arc<dyn Reader>,
    trigger: Arc<Trigger>,
    piece: usize,
    damaged: Option<EntryName>,
    hidden: Option<EntryName>,
    reversed: bool,
    touched: Arc<OnceLock<()>>,
}

impl FaultyReader {
    /// Wraps a reader; `trigger` sees every call.
    pub fn new(inner: Arc<dyn Reader>, trigger: Arc<Trigger>) -> Self {
        Self { inner, trigger, piece: usize::MAX, damaged: None, hidden: None, reversed: false, touched: Arc::default() }
    }

    /// Gives at most `piece` bytes of an entry at a time; at least 1.
    #[must_use]
    pub fn piece(mut self, piece: usize) -> Self {
        self.piece = piece.max(1);
        self
    }

    /// Gives all bytes of this entry, and then says that its hash is wrong.
    #[must_use]
    pub fn damaged(mut self, name: EntryName) -> Self {
        self.damaged = Some(name);
        self
    }

    /// Lists this entry, and cannot open it.
    #[must_use]
    pub fn hidden(mut self, name: EntryName) -> Self {
        self.hidden = Some(name);
        self
    }

    /// Lists the entries backwards, a few a page.
    #[must_use]
    pub fn reversed(mut self) -> Self {
        self.reversed = true;
        self
    }

    /// Is set once somebody opened the damaged or the hidden entry.
    pub fn touched(&self) -> Arc<OnceLock<()>> {
        Arc::clone(&self.touched)
    }
}

impl Reader for FaultyReader {
    fn totals(&self) -> Totals {
        self.inner.totals()
    }

    fn entries(&self) -> Result<Box<dyn Entries>> {
        self.trigger.pass(Call::Entries)?;
        let mut inner = self.inner.entries()?;
        if self.reversed {
            inner = Box::new(Backwards(all(inner.as_mut())?));
        }
        Ok(Box::new(FaultyEntries { inner, trigger: Arc::clone(&self.trigger) }))
    }

    fn open(&self, name: &EntryName) -> Result<Box<dyn EntryReader>> {
        self.trigger.pass(Call::Open)?;
        if self.hidden.as_ref() == Some(name) {
            self.touched.get_or_init(|| ());
            return Err(failure(Call::Open));
        }
        let damaged = self.damaged.as_ref() == Some(name);
        if damaged {
            self.touched.get_or_init(|| ());
        }
        Ok(Box::new(FaultyEntryReader { inner: self.inner.open(name)?, trigger: Arc::clone(&self.trigger), piece: self.piece, damaged }))
    }
}

/// Reads a listing to its end.
fn all(entries: &mut dyn Entries) -> Result<Vec<EntryInfo>> {
    let mut all = Vec::new();
    loop {
        let page = entries.next(1000)?;
        if page.is_empty() {
            return Ok(all);
        }
        all.extend(page);
    }
}

/// Gives what it holds from the end, at most three a page.
struct Backwards(Vec<EntryInfo>);

impl Entries for Backwards {
    fn next(&mut self, max: usize) -> Result<Vec<EntryInfo>> {
        let rest = self.0.len().saturating_sub(max.min(3));
        Ok(self.0.drain(rest..).rev().collect())
    }
}

struct FaultyEntries {
    inner: Box<dyn Entries>,
    trigger: Arc<Trigger>,
}

impl Entries for FaultyEntries {
    fn next(&mut self, max: usize) -> Result<Vec<EntryInfo>> {
        self.trigger.pass(Call::Next)?;
        self.inner.next(max)
    }
}

struct FaultyEntryReader {
    inner: Box<dyn EntryReader>,
    trigger: Arc<Trigger>,
    piece: usize,
    damaged: bool,
}

impl EntryReader for FaultyEntryReader {
    fn info(&self) -> &EntryInfo {
        self.inner.info()
    }

    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        self.trigger.pass(Call::Read)?;
        let room = buffer.len().min(self.piece);
        let read = self.inner.read(&mut buffer[..room])?;
        if read == 0 && self.damaged { Err(failure(Call::Read)) } else { Ok(read) }
    }
}
