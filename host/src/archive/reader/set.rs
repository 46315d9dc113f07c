//! One set of an archive, as its driver reads it.

use std::sync::Arc;

use super::super::entry::{Entries, EntryInfo, EntryReader, Reader, Totals};
use super::super::index;
use super::super::manifest::SetRecord;
use super::super::spool::Cursor;
use super::File;
use super::catalog::Catalog;
use super::content::Content;
use crate::cancel::Cancel;
use crate::error::{Error, ErrorKind, Result};
use crate::name::EntryName;

pub(super) struct SetReader {
    file: Arc<File>,
    catalog: Arc<Catalog>,
    record: SetRecord,
    /// Which of the manifest's sets it is.
    number: usize,
    cancel: Cancel,
}

impl SetReader {
    pub(super) fn new(file: Arc<File>, catalog: Arc<Catalog>, record: &SetRecord, number: usize, cancel: Cancel) -> Self {
        Self { file, catalog, record: record.clone(), number, cancel }
    }
}

impl Reader for SetReader {
    fn totals(&self) -> Totals {
        self.record.totals
    }

    fn entries(&self) -> Result<Box<dyn Entries>> {
        let cursor = self.catalog.cursor(self.number);
        Ok(Box::new(SetEntries { catalog: self.catalog.clone(), cursor, cancel: self.cancel.clone() }))
    }

    fn open(&self, name: &EntryName) -> Result<Box<dyn EntryReader>> {
        self.cancel.check()?;
        let (info, record) = self
            .catalog
            .entry(&self.record, name)?
            .ok_or_else(|| Error::new(ErrorKind::NotFound, format!("the set `{}` has no entry `{name}`", self.record.path)))?;
        let content = Content::open(&self.file, &record).map_err(|why| why.while_(format_args!("`{name}`")))?;
        Ok(Box::new(ContentReader { info, content, cancel: self.cancel.clone() }))
    }
}

struct SetEntries {
    catalog: Arc<Catalog>,
    cursor: Cursor,
    cancel: Cancel,
}

impl Entries for SetEntries {
    fn next(&mut self, max: usize) -> Result<Vec<EntryInfo>> {
        self.cancel.check()?;
        let mut page = Vec::new();
        while page.len() < max {
            match self.catalog.next_line(&mut self.cursor)? {
                Some(line) => page.push(index::parse(line)?),
                None => break,
            }
        }
        Ok(page)
    }
}

struct ContentReader {
    info: EntryInfo,
    content: Content,
    cancel: Cancel,
}

impl EntryReader for ContentReader {
    fn info(&self) -> &EntryInfo {
        &self.info
    }

    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        self.cancel.check()?;
        let name = &self.info.entry.name;
        let count = self.content.read(buffer).map_err(|why| why.while_(format_args!("`{name}`")))?;
        if count == 0 && !buffer.is_empty() && self.content.sha256() != self.info.sha256 {
            return Err(Error::corrupt(format!("`{name}`: its SHA-256 is not the one that the index has")));
        }
        Ok(count)
    }
}
