//! Parts of the file: read at once, or as a stream that keeps the CRC-32 of what went by.

use std::io::{self, BufRead, Read};

use crate::error::{Error, IoContext, Result};
use crate::store::{ReadAt, Source};

/// How much of a stream is read at a time, at most.
const CHUNK: usize = 256 << 10;

/// Reads the bytes between two positions; `into` then holds them and nothing else.
pub(super) fn read_into(source: &Source, from: u64, to: u64, into: &mut Vec<u8>) -> Result<()> {
    let cannot = || format!("cannot read `{}`", source.location());
    into.resize(usize::try_from(to - from).unwrap_or(usize::MAX), 0);
    if source.read_at(into, from).while_doing(cannot)? < into.len() {
        return Err(Error::io(cannot(), &io::ErrorKind::UnexpectedEof.into()));
    }
    Ok(())
}

/// The bytes between two positions.
pub(super) fn read(source: &Source, from: u64, to: u64) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    read_into(source, from, to, &mut bytes)?;
    Ok(bytes)
}

/// A part of the file, as a stream.
pub(super) struct Range {
    source: Source,
    position: u64,
    end: u64,
    buffer: Vec<u8>,
    consumed: usize,
    crc: crc32fast::Hasher,
}

impl Range {
    /// The bytes between two positions. The checksum goes on from what stood before them.
    pub(super) fn new(source: &Source, position: u64, end: u64, crc: crc32fast::Hasher) -> Self {
        Self { source: source.clone(), position, end, buffer: Vec::new(), consumed: 0, crc }
    }

    pub(super) fn is_at_end(&self) -> bool {
        self.position == self.end && self.consumed == self.buffer.len()
    }

    /// The checksum over all that was read from the file.
    pub(super) fn into_crc(self) -> crc32fast::Hasher {
        self.crc
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
            self.crc.update(&self.buffer);
            self.position += count as u64;
        }
        Ok(&self.buffer[self.consumed..])
    }

    fn consume(&mut self, count: usize) {
        self.consumed += count;
    }
}
