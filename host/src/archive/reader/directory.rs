//! The zip's directory, record by record, in little memory.

use super::super::zip::{BadRecord, Central, Directory};
use super::range;
use crate::error::{Error, Result};
use crate::store::Source;

/// How much of the directory is read at a time; a record takes at most a third of it.
const CHUNK: u64 = 256 << 10;

/// The records of the directory, in its order.
pub(super) struct Records<'a> {
    source: &'a Source,
    /// Where the next chunk begins, and where the directory ends.
    position: u64,
    end: u64,
    chunk: Vec<u8>,
    at: usize,
    /// The name of the record before, so that damage can be placed.
    before: Option<String>,
}

impl<'a> Records<'a> {
    pub(super) fn new(source: &'a Source, directory: &Directory) -> Self {
        let (position, end) = (directory.offset, directory.offset + directory.size);
        Self { source, position, end, chunk: Vec::new(), at: 0, before: None }
    }

    /// The next record.
    ///
    /// # Errors
    /// It is not as this host writes records: none behind it can be found then.
    pub(super) fn next(&mut self) -> Result<Option<Central>> {
        loop {
            let rest = &self.chunk[self.at..];
            if rest.is_empty() && self.position == self.end {
                return Ok(None);
            }
            match Central::parse(rest) {
                Ok((record, length)) => {
                    self.at += length;
                    self.before = Some(record.header.name.clone());
                    return Ok(Some(record));
                }
                Err(BadRecord::Cut) if self.position < self.end => self.refill()?,
                Err(_) => return Err(self.damaged()),
            }
        }
    }

    fn refill(&mut self) -> Result<()> {
        let end = self.end.min(self.position + CHUNK);
        self.chunk.drain(..self.at);
        self.chunk.extend(range::read(self.source, self.position, end)?);
        self.at = 0;
        self.position = end;
        Ok(())
    }

    fn damaged(&self) -> Error {
        Error::corrupt(match &self.before {
            Some(name) => format!("the record behind that of `{}` is damaged", name.escape_debug()),
            None => "its first record is damaged".into(),
        })
    }
}
