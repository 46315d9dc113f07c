//! The handles that a driver holds: a writer, and the one entry that it has open.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::super::entry::{Entry, EntryWriter, Writer};
use super::block::Block;
use super::describe::Described;
use super::large::Large;
use super::set::{OpenSet, Pending};
use super::workers::Job;
use crate::error::{Error, ErrorKind, Result};

pub(super) struct WriterHandle {
    set: Arc<OpenSet>,
    entry_open: Arc<AtomicBool>,
}

impl WriterHandle {
    pub(super) fn new(set: Arc<OpenSet>) -> Self {
        Self { set, entry_open: Arc::default() }
    }
}

impl Writer for WriterHandle {
    fn create(&mut self, entry: Entry) -> Result<Box<dyn EntryWriter>> {
        self.set.check()?;
        if self.entry_open.load(Ordering::Acquire) {
            return Err(Error::new(ErrorKind::Other, "this writer has an entry open; finish it before the next"));
        }
        let described = Described::new(&self.set, entry)?;
        self.set.begin(&described.entry.name)?;
        self.entry_open.store(true, Ordering::Release);
        let open = OpenEntry { content: self.set.core.blocks.take(), on_its_way: OnItsWay::Not(described) };
        Ok(Box::new(EntryHandle { set: self.set.clone(), entry_open: self.entry_open.clone(), open: Some(open) }))
    }

    fn another(&self) -> Result<Box<dyn Writer>> {
        self.set.check()?;
        Ok(Box::new(Self::new(self.set.clone())))
    }
}

struct EntryHandle {
    set: Arc<OpenSet>,
    entry_open: Arc<AtomicBool>,
    /// `None` once it is finished.
    open: Option<OpenEntry>,
}

struct OpenEntry {
    /// The block that is being filled.
    content: Block,
    on_its_way: OnItsWay,
}

enum OnItsWay {
    /// All that there is so far is the first block.
    Not(Described),
    Large(Large),
}

impl EntryHandle {
    fn with_open<T>(&mut self, then: impl FnOnce(&Arc<OpenSet>, &mut OpenEntry) -> Result<T>) -> Result<T> {
        let open = self.open.as_mut().ok_or_else(finished)?;
        let done = self.set.check().and_then(|()| then(&self.set, open));
        done.inspect_err(|why| self.set.fail(why))
    }
}

impl EntryWriter for EntryHandle {
    fn space(&mut self) -> Result<&mut [u8]> {
        self.with_open(|set, open| if open.content.is_full() { open.push(set) } else { Ok(()) })?;
        Ok(self.open.as_mut().ok_or_else(finished)?.content.space())
    }

    fn advance(&mut self, filled: usize) -> Result<()> {
        self.with_open(|set, open| {
            if filled > open.content.space().len() {
                return Err(Error::new(ErrorKind::Other, "more bytes were filled than there was space for"));
            }
            if let OnItsWay::Not(described) = &open.on_its_way
                && filled > 0
                && !described.may_have_content()
            {
                return Err(Error::new(ErrorKind::Other, format!("`{}` is of a type that has no content", described.entry.name)));
            }
            open.content.advance(filled);
            set.count(filled as u64);
            Ok(())
        })
    }

    fn finish(&mut self) -> Result<()> {
        self.with_open(|_, _| Ok(()))?;
        let open = self.open.take().ok_or_else(finished)?;
        let done = open.finish(&self.set).inspect_err(|why| self.set.fail(why));
        self.entry_open.store(false, Ordering::Release);
        self.set.ended();
        done
    }
}

impl OpenEntry {
    /// Sends the full block on its way; the entry outgrows one block.
    fn push(&mut self, set: &Arc<OpenSet>) -> Result<()> {
        let full = std::mem::replace(&mut self.content, set.core.blocks.take());
        if let OnItsWay::Not(described) = &self.on_its_way {
            let large = Large::start(&set.core, described.clone(), &full, Pending::new(set))?;
            self.on_its_way = OnItsWay::Large(large);
        }
        match &self.on_its_way {
            OnItsWay::Large(large) => large.push(full, set),
            OnItsWay::Not(_) => Ok(()),
        }
    }

    fn finish(self, set: &Arc<OpenSet>) -> Result<()> {
        match self.on_its_way {
            OnItsWay::Not(described) => set.core.workers.submit(Job { described, content: self.content, pending: Pending::new(set) }),
            OnItsWay::Large(large) => {
                large.push(self.content, set)?;
                large.finish(set)
            }
        }
    }
}

fn finished() -> Error {
    Error::new(ErrorKind::Other, "the entry is finished already")
}

impl Drop for EntryHandle {
    fn drop(&mut self) {
        if let Some(open) = self.open.take() {
            if let OnItsWay::Not(described) = &open.on_its_way {
                self.set.abandoned(&described.entry.name);
            }
            self.entry_open.store(false, Ordering::Release);
            self.set.ended();
        }
    }
}
