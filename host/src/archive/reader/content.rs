//! The content of one entry, whatever its size, with its SHA-256.

use std::sync::Arc;

use sha2::{Digest as _, Sha256};

use super::super::compression::Method;
use super::super::zip::Central;
use super::File;
use super::stream::{Ahead, Stream};
use super::whole::{self, Unpacker};
use crate::error::Result;

/// Entries of at least this size are unpacked ahead of their reader.
const WORTH_A_THREAD: u64 = 4 << 20;

/// The content of an entry, as it is read.
pub(super) struct Content {
    file: Arc<File>,
    bytes: Bytes,
    sha256: Sha256,
}

enum Bytes {
    Whole { unpacker: Option<Unpacker>, at: usize },
    Stream(Box<Stream>),
    Ahead(Ahead),
}

impl Content {
    /// Begins to read an entry.
    ///
    /// # Errors
    /// It is damaged; the message does not name it.
    pub(super) fn open(file: &Arc<File>, record: &Central) -> Result<Self> {
        Ok(Self { file: file.clone(), bytes: open(file, record, true)?, sha256: Sha256::new() })
    }

    /// As [`Content::open`], for who reads several entries side by side anyway: what is only copied gets no thread.
    pub(super) fn open_beside_others(file: &Arc<File>, record: &Central) -> Result<Self> {
        let ahead = record.header.method != Method::Store;
        Ok(Self { file: file.clone(), bytes: open(file, record, ahead)?, sha256: Sha256::new() })
    }

    /// The next bytes; 0 at the end, after everything that the zip says of them was found to agree.
    pub(super) fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        let count = match &mut self.bytes {
            Bytes::Whole { unpacker, at } => {
                let rest = unpacker.as_ref().map_or(&[][..], |unpacker| &unpacker.content()[*at..]);
                let count = rest.len().min(buffer.len());
                buffer[..count].copy_from_slice(&rest[..count]);
                *at += count;
                count
            }
            Bytes::Stream(stream) => stream.read(buffer)?,
            Bytes::Ahead(ahead) => ahead.read(buffer)?,
        };
        self.sha256.update(&buffer[..count]);
        Ok(count)
    }

    /// The SHA-256 of what was read.
    pub(super) fn sha256(&self) -> [u8; 32] {
        self.sha256.clone().finalize().into()
    }

    /// The CRC-32 of all that a large entry takes in the file, headers included; known at its end.
    pub(super) fn raw_crc(&self) -> Option<crc32fast::Hasher> {
        match &self.bytes {
            Bytes::Whole { .. } => None,
            Bytes::Stream(stream) => stream.raw_crc(),
            Bytes::Ahead(ahead) => ahead.raw_crc(),
        }
    }
}

fn open(file: &File, record: &Central, ahead: bool) -> Result<Bytes> {
    if whole::is_small(record) {
        let mut unpacker = file.unpackers.take()?;
        unpacker.read(&file.source, record)?;
        return Ok(Bytes::Whole { unpacker: Some(unpacker), at: 0 });
    }
    let stream = Stream::open(&file.source, record)?;
    Ok(if ahead && record.content.size >= WORTH_A_THREAD { Bytes::Ahead(Ahead::start(stream)?) } else { Bytes::Stream(Box::new(stream)) })
}

impl Drop for Content {
    fn drop(&mut self) {
        if let Bytes::Whole { unpacker, .. } = &mut self.bytes
            && let Some(unpacker) = unpacker.take()
        {
            self.file.unpackers.give_back(unpacker);
        }
    }
}
