//! The content of one entry: found behind its local header, decompressed, counted and hashed. It never gives more than what
//! was declared, and says that it is at its end only when everything agrees.

use std::io::{self, BufRead, Read};

use super::super::codec::{Decoder, Digest, Hasher};
use super::super::index::MAX_LINE;
use super::super::zip::Central;
use super::locate;
use crate::error::{Error, ErrorKind, Result};
use crate::store::{ReadAt, Source};

/// How much compressed data is read at a time, at most.
const CHUNK: usize = 256 << 10;

/// A part of the file, as a stream.
pub(super) struct Range {
    source: Source,
    position: u64,
    end: u64,
    buffer: Vec<u8>,
    consumed: usize,
}

impl Range {
    fn new(source: &Source, position: u64, end: u64) -> Self {
        Self { source: source.clone(), position, end, buffer: Vec::new(), consumed: 0 }
    }

    fn is_at_end(&self) -> bool {
        self.position == self.end && self.consumed == self.buffer.len()
    }
}

impl Read for Range {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let from = self.fill_buf()?;
        let count = from.len().min(into.len());
        into[..count].copy_from_slice(&from[..count]);
        self.consume(count);
        Ok(count)
    }
}

impl BufRead for Range {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.consumed == self.buffer.len() && self.position < self.end {
            let count = usize::try_from(self.end - self.position).unwrap_or(CHUNK).min(CHUNK);
            self.buffer.resize(count, 0);
            self.consumed = 0;
            if self.source.read_at(&mut self.buffer, self.position)? < count {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            self.position += count as u64;
        }
        Ok(&self.buffer[self.consumed..])
    }

    fn consume(&mut self, count: usize) {
        self.consumed += count;
    }
}

/// An entry's content as it is read.
pub(super) struct Content {
    name: String,
    declared: super::super::zip::Content,
    decoder: Option<Decoder<Range>>,
    hasher: Hasher,
    digest: Option<Digest>,
}

impl Content {
    /// Begins to read an entry; its local header must be the one that its record in the directory asks for.
    pub(super) fn open(source: &Source, record: &Central) -> Result<Self> {
        let name = &record.header.name;
        let damaged = |what: &str| Error::corrupt(format!("`{name}`: {what}"));
        let local = record.local();
        let begin = record.place.offset + local.len() as u64;
        let end = begin.checked_add(record.content.stored).ok_or_else(|| damaged("its size is beyond any file's"))?;
        let behind = end + record.trailer().len() as u64;
        if behind > source.size() {
            return Err(damaged("its data would lie behind the end of the archive"));
        }
        if locate::read(source, record.place.offset, begin)? != local {
            return Err(damaged("its local header is not what the directory says"));
        }
        if locate::read(source, end, behind)? != record.trailer() {
            return Err(damaged("its data descriptor is not what the directory says"));
        }
        let decoder =
            Decoder::new(record.header.method, Range::new(source, begin, end)).map_err(|cause| Error::io("cannot decompress", &cause))?;
        Ok(Self { name: name.clone(), declared: record.content, decoder: Some(decoder), hasher: Hasher::default(), digest: None })
    }

    /// The next bytes; 0 at the end, after size, CRC-32 and the end of the compressed data were found to agree.
    pub(super) fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        let Some(decoder) = &mut self.decoder else { return Ok(0) };
        if buffer.is_empty() {
            return Ok(0);
        }
        let count = decoder.read(buffer).map_err(|cause| self.cannot(&cause))?;
        if self.hasher.size() + count as u64 > self.declared.size {
            self.decoder = None;
            return Err(self.damaged("it holds more than the size that was declared"));
        }
        self.hasher.update(&buffer[..count]);
        if count == 0 {
            self.end()?;
        }
        Ok(count)
    }

    /// What was read, once all of it was.
    pub(super) fn digest(&self) -> Digest {
        self.digest.unwrap_or(Digest { crc: 0, size: 0, sha256: [0; 32] })
    }

    fn end(&mut self) -> Result<()> {
        let decoder = self.decoder.take().expect("the end comes once");
        let digest = std::mem::take(&mut self.hasher).finish();
        if digest.size != self.declared.size {
            return Err(self.damaged("it holds less than the size that was declared"));
        }
        if digest.crc != self.declared.crc {
            return Err(self.damaged("its CRC-32 is not the one that was declared"));
        }
        if !decoder.into_inner().is_at_end() {
            return Err(self.damaged("more compressed data follow its end"));
        }
        self.digest = Some(digest);
        Ok(())
    }

    fn damaged(&self, what: &str) -> Error {
        Error::corrupt(format!("`{}`: {what}", self.name))
    }

    fn cannot(&self, cause: &io::Error) -> Error {
        match cause.raw_os_error() {
            Some(_) => Error::io(format!("cannot read `{}`", self.name), cause),
            None => Error::new(ErrorKind::Corrupt, format!("`{}`: its compressed data are damaged", self.name)),
        }
    }
}

/// The lines of an entry of the archive's own.
pub(super) struct Lines {
    content: Content,
    name: String,
    expected_sha256: Option<String>,
    buffer: Vec<u8>,
    begin: usize,
    filled: usize,
    ended: bool,
}

impl Lines {
    pub(super) fn open(source: &Source, record: &Central, expected_sha256: Option<&str>) -> Result<Self> {
        Ok(Self {
            content: Content::open(source, record)?,
            name: record.header.name.clone(),
            expected_sha256: expected_sha256.map(str::to_owned),
            buffer: vec![0; CHUNK],
            begin: 0,
            filled: 0,
            ended: false,
        })
    }

    /// The next line, without its `\n`; `None` at the end, after hash and size were found to agree.
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
                return if rest.is_empty() { Ok(None) } else { Err(Error::corrupt(format!("`{}`: its last line has no end", self.name))) };
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
                return Err(Error::corrupt(format!("`{}`: a line takes more than {} MiB", self.name, MAX_LINE >> 20)));
            }
            self.buffer.resize(self.filled * 2, 0);
        }
        let count = self.content.read(&mut self.buffer[self.filled..])?;
        self.filled += count;
        if count == 0 {
            self.ended = true;
            let sha256 = hex::encode(self.content.digest().sha256);
            if self.expected_sha256.as_ref().is_some_and(|expected| *expected != sha256) {
                return Err(Error::corrupt(format!("`{}`: its SHA-256 is not the one that the manifest has", self.name)));
            }
        }
        Ok(())
    }
}

impl Iterator for Lines {
    type Item = Result<Vec<u8>>;

    fn next(&mut self) -> Option<Self::Item> {
        self.next_line().map(|line| line.map(<[u8]>::to_vec)).transpose()
    }
}
