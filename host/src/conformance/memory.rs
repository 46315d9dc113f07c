//! An archive of one set in memory, as strict as the contract: what a driver does wrong is refused and remembered.
//!
//! It stands in for the real archive wherever a driver is tested alone. Faults are injected by [`super::fault`], not here.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sha2::{Digest, Sha256};

use crate::archive::entry::attribute;
use crate::archive::{Entries, Entry, EntryInfo, EntryReader, EntryWriter, Reader, Totals, Writer};
use crate::cancel::Cancel;
use crate::error::{Error, ErrorKind, Result};
use crate::name::EntryName;

/// How much room [`EntryWriter::space`] gives here.
const SPACE: usize = 64 * 1024;

/// The entries of one set, in memory. Clones share them.
///
/// Fill it through [`MemoryArchive::writer`] and [`MemoryArchive::close`] it as the engine would, or by hand with
/// [`MemoryArchive::put`]; read it through [`MemoryArchive::reader`].
#[derive(Clone, Default)]
pub struct MemoryArchive {
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    cancel: Cancel,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    stored: Vec<Stored>,
    /// Where each name stands in `stored`; none while its entry is still open.
    names: HashMap<EntryName, Option<usize>>,
    abandoned: Vec<EntryName>,
    closed: bool,
    violations: Vec<String>,
}

#[derive(Clone)]
struct Stored {
    info: EntryInfo,
    content: Arc<[u8]>,
}

impl MemoryArchive {
    /// An empty one.
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty one, whose writers refuse to go on once `cancel` is cancelled, as the real archive's do.
    pub fn cancelled_by(cancel: &Cancel) -> Self {
        Self { shared: Arc::new(Shared { cancel: cancel.clone(), state: Mutex::default() }) }
    }

    /// A writer into it.
    pub fn writer(&self) -> Box<dyn Writer> {
        Box::new(MemoryWriter { shared: Arc::clone(&self.shared), open: Arc::default() })
    }

    /// Ends the dump, as the engine does when the driver's `dump` has returned: writers are of no use any more.
    ///
    /// # Errors
    /// An entry was abandoned or is still open.
    pub fn close(&self) -> Result<()> {
        let mut state = self.shared.lock();
        state.closed = true;
        let open = state.names.iter().find(|(_, place)| place.is_none()).map(|(name, _)| name.clone());
        match open {
            Some(name) => Err(Error::new(ErrorKind::Other, format!("entry `{name}` was not finished"))),
            None => Ok(()),
        }
    }

    /// Adds an entry by hand.
    pub fn put(&self, entry: Entry, content: impl Into<Arc<[u8]>>) {
        let content = content.into();
        self.shared.lock().store(entry, content);
    }

    /// A reader of it.
    pub fn reader(&self) -> MemoryReader {
        self.reader_cancelled_by(&Cancel::new())
    }

    /// A reader of it that refuses to go on once `cancel` is cancelled, as the real archive's does.
    pub fn reader_cancelled_by(&self, cancel: &Cancel) -> MemoryReader {
        MemoryReader { session: Session { shared: Arc::clone(&self.shared), over: Arc::default(), cancel: cancel.clone() } }
    }

    /// The entries, in the order in which they were finished.
    pub fn entries(&self) -> Vec<EntryInfo> {
        self.shared.lock().stored.iter().map(|stored| stored.info.clone()).collect()
    }

    /// The content of an entry.
    pub fn content(&self, name: &EntryName) -> Option<Arc<[u8]>> {
        self.shared.lock().find(name).map(|stored| Arc::clone(&stored.content))
    }

    /// What was done against the contract so far, whatever the driver made of the error.
    pub fn violations(&self) -> Vec<String> {
        self.shared.lock().violations.clone()
    }

    /// The entries that were dropped without [`EntryWriter::finish`].
    pub fn abandoned(&self) -> Vec<EntryName> {
        self.shared.lock().abandoned.clone()
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Remembers what was done against the contract, and makes the error that refuses it.
    fn refuse(&self, what: String) -> Error {
        self.lock().violations.push(what.clone());
        Error::new(ErrorKind::Other, what)
    }

    /// Every use of a writer begins here.
    fn check_open(&self, call: &str) -> Result<()> {
        if self.lock().closed {
            return Err(self.refuse(format!("`{call}` after `dump` returned")));
        }
        self.cancel.check()
    }
}

impl State {
    fn store(&mut self, entry: Entry, content: Arc<[u8]>) {
        self.names.insert(entry.name.clone(), Some(self.stored.len()));
        let info = EntryInfo { entry, size: content.len() as u64, sha256: Sha256::digest(&content).into() };
        self.stored.push(Stored { info, content });
    }

    fn find(&self, name: &EntryName) -> Option<&Stored> {
        self.names.get(name).copied().flatten().and_then(|at| self.stored.get(at))
    }
}

struct MemoryWriter {
    shared: Arc<Shared>,
    /// Whether this writer has an entry open.
    open: Arc<AtomicBool>,
}

impl Writer for MemoryWriter {
    fn create(&mut self, entry: Entry) -> Result<Box<dyn EntryWriter>> {
        self.shared.check_open("create")?;
        if self.open.load(Ordering::SeqCst) {
            return Err(self.shared.refuse(format!("`create` of `{}` while another entry of this writer is open", entry.name)));
        }
        if let Some(why) = malformed(&entry) {
            return Err(self.shared.refuse(format!("entry `{}` {why}", entry.name)));
        }
        if self.shared.lock().names.contains_key(&entry.name) {
            return Err(self.shared.refuse(format!("two entries are called `{}`", entry.name)));
        }
        self.shared.lock().names.insert(entry.name.clone(), None);
        self.open.store(true, Ordering::SeqCst);
        Ok(Box::new(MemoryEntry {
            shared: Arc::clone(&self.shared),
            open: Arc::clone(&self.open),
            entry,
            content: Vec::new(),
            space: Vec::new(),
            offered: 0,
            finished: false,
        }))
    }

    fn another(&self) -> Result<Box<dyn Writer>> {
        self.shared.check_open("another")?;
        Ok(Box::new(Self { shared: Arc::clone(&self.shared), open: Arc::default() }))
    }
}

/// What is wrong with an entry as it is described.
fn malformed(entry: &Entry) -> Option<&'static str> {
    let directory = entry.get(attribute::TYPE) == Some(attribute::DIRECTORY);
    if entry.name.as_bytes().is_empty() && !directory {
        return Some("has an empty name, which only a directory may have");
    }
    let mut keys: Vec<_> = entry.attributes.iter().map(|(key, _)| key).collect();
    keys.sort_unstable();
    keys.windows(2).any(|pair| pair[0] == pair[1]).then_some("has an attribute twice")
}

struct MemoryEntry {
    shared: Arc<Shared>,
    open: Arc<AtomicBool>,
    entry: Entry,
    content: Vec<u8>,
    /// What `space` gives: nothing before it is first asked.
    space: Vec<u8>,
    /// How much of it `advance` may take: nothing until the next `space`.
    offered: usize,
    finished: bool,
}

impl MemoryEntry {
    fn check(&self, call: &str) -> Result<()> {
        if self.finished {
            return Err(self.shared.refuse(format!("`{call}` after `finish` of `{}`", self.entry.name)));
        }
        self.shared.check_open(call)
    }
}

impl EntryWriter for MemoryEntry {
    fn space(&mut self) -> Result<&mut [u8]> {
        self.check("space")?;
        self.space.resize(SPACE, 0);
        self.offered = SPACE;
        Ok(&mut self.space)
    }

    fn advance(&mut self, filled: usize) -> Result<()> {
        self.check("advance")?;
        if filled > self.offered {
            return Err(self.shared.refuse(format!("`advance({filled})` of `{}` beyond its space", self.entry.name)));
        }
        self.content.extend_from_slice(&self.space[..filled]);
        self.offered = 0;
        Ok(())
    }

    fn finish(&mut self) -> Result<()> {
        self.check("finish")?;
        let bare = matches!(self.entry.get(attribute::TYPE), Some(attribute::DIRECTORY | attribute::HARDLINK));
        if bare && !self.content.is_empty() {
            return Err(self.shared.refuse(format!("`{}` has content, and its type has none", self.entry.name)));
        }
        self.finished = true;
        self.open.store(false, Ordering::SeqCst);
        self.shared.lock().store(self.entry.clone(), std::mem::take(&mut self.content).into());
        Ok(())
    }
}

impl Drop for MemoryEntry {
    fn drop(&mut self) {
        if !self.finished {
            self.shared.lock().abandoned.push(self.entry.name.clone());
            self.open.store(false, Ordering::SeqCst);
        }
    }
}

/// Reads a [`MemoryArchive`].
pub struct MemoryReader {
    session: Session,
}

/// What a reader and everything made from it share.
#[derive(Clone)]
struct Session {
    shared: Arc<Shared>,
    over: Arc<AtomicBool>,
    cancel: Cancel,
}

impl MemoryReader {
    /// Ends the restore, as the engine does: the reader, and what was made from it, is of no use any more.
    pub fn end(&self) {
        self.session.over.store(true, Ordering::SeqCst);
    }
}

impl Session {
    /// Every use of a reader begins here.
    fn check(&self, call: &str) -> Result<()> {
        if self.over.load(Ordering::SeqCst) {
            return Err(self.shared.refuse(format!("`{call}` after the moment was over")));
        }
        self.cancel.check()
    }
}

impl Reader for MemoryReader {
    fn totals(&self) -> Totals {
        let state = self.session.shared.lock();
        Totals { entries: state.stored.len() as u64, bytes: state.stored.iter().map(|stored| stored.info.size).sum() }
    }

    fn entries(&self) -> Result<Box<dyn Entries>> {
        self.session.check("entries")?;
        Ok(Box::new(MemoryEntries { session: self.session.clone(), at: 0 }))
    }

    fn open(&self, name: &EntryName) -> Result<Box<dyn EntryReader>> {
        self.session.check("open")?;
        let Some(stored) = self.session.shared.lock().find(name).cloned() else {
            return Err(Error::new(ErrorKind::NotFound, format!("the archive has no entry `{name}` in this set")));
        };
        Ok(Box::new(MemoryEntryReader { session: self.session.clone(), stored, at: 0 }))
    }
}

struct MemoryEntries {
    session: Session,
    at: usize,
}

impl Entries for MemoryEntries {
    fn next(&mut self, max: usize) -> Result<Vec<EntryInfo>> {
        self.session.check("next")?;
        let page: Vec<_> = self.session.shared.lock().stored.iter().skip(self.at).take(max).map(|stored| stored.info.clone()).collect();
        self.at += page.len();
        Ok(page)
    }
}

struct MemoryEntryReader {
    session: Session,
    stored: Stored,
    at: usize,
}

impl EntryReader for MemoryEntryReader {
    fn info(&self) -> &EntryInfo {
        &self.stored.info
    }

    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        self.session.check("read")?;
        if buffer.is_empty() {
            let name = &self.stored.info.entry.name;
            return Err(self.session.shared.refuse(format!("`read` of `{name}` into no room: its end could not be told")));
        }
        let rest = &self.stored.content[self.at..];
        let now = rest.len().min(buffer.len());
        buffer[..now].copy_from_slice(&rest[..now]);
        self.at += now;
        Ok(now)
    }
}
