//! The lines of an entry of the archive's own: an index, a list of values.

use std::sync::Arc;

use super::super::index::MAX_LINE;
use super::super::zip::Central;
use super::File;
use super::content::Content;
use crate::error::{Error, Result};

/// What is read at a time.
const CHUNK: usize = 128 << 10;

pub(super) struct Lines {
    content: Content,
    name: String,
    expected_sha256: String,
    buffer: Vec<u8>,
    begin: usize,
    filled: usize,
    ended: bool,
}

impl Lines {
    /// The lines of an entry whose SHA-256 the manifest has.
    pub(super) fn open(file: &Arc<File>, record: &Central, expected_sha256: &str) -> Result<Self> {
        let name = record.header.name.clone();
        Ok(Self {
            content: Content::open(file, record).map_err(|why| why.while_(format_args!("`{name}`")))?,
            name,
            expected_sha256: expected_sha256.to_owned(),
            buffer: vec![0; CHUNK],
            begin: 0,
            filled: 0,
            ended: false,
        })
    }

    /// The next line, without its `\n`; `None` at the end, after size and hashes were found to agree.
    pub(super) fn next_line(&mut self) -> Result<Option<&[u8]>> {
        let mut searched = 0;
        loop {
            let rest = &self.buffer[self.begin..self.filled];
            if let Some(at) = rest[searched..].iter().position(|&byte| byte == b'\n') {
                let line = self.begin..self.begin + searched + at;
                self.begin = line.end + 1;
                return Ok(Some(&self.buffer[line]));
            }
            if self.ended {
                return if rest.is_empty() { Ok(None) } else { Err(self.damaged("its last line has no end")) };
            }
            searched = rest.len();
            self.fill()?;
        }
    }

    fn fill(&mut self) -> Result<()> {
        self.buffer.copy_within(self.begin..self.filled, 0);
        self.filled -= self.begin;
        self.begin = 0;
        if self.filled == self.buffer.len() {
            if self.filled > MAX_LINE {
                return Err(self.damaged(&format!("a line takes more than {} MiB", MAX_LINE >> 20)));
            }
            self.buffer.resize(self.filled * 2, 0);
        }
        let count = self.content.read(&mut self.buffer[self.filled..]).map_err(|why| why.while_(format_args!("`{}`", self.name)))?;
        self.filled += count;
        if count == 0 {
            self.ended = true;
            if hex::encode(self.content.sha256()) != self.expected_sha256 {
                return Err(self.damaged("its SHA-256 is not the one that the manifest has"));
            }
        }
        Ok(())
    }

    fn damaged(&self, why: &str) -> Error {
        Error::corrupt(format!("`{}`: {why}", self.name))
    }
}

impl Iterator for Lines {
    type Item = Result<Vec<u8>>;

    fn next(&mut self) -> Option<Self::Item> {
        self.next_line().map(|line| line.map(<[u8]>::to_vec)).transpose()
    }
}
