//! Small entries, read and checked as a whole before a byte of them is given to anybody.

use std::sync::{Mutex, PoisonError};

use flate2::{Decompress, FlushDecompress, Status};
use zstd::zstd_safe::find_frame_compressed_size;

use super::super::compression::Method;
use super::super::zip::Central;
use super::range;
use crate::error::{Error, IoContext, Result};
use crate::store::Source;

/// What takes no more than this, packed and unpacked, is small.
const SMALL: u64 = 1 << 20;

/// Whether an entry is read as a whole. It is never believed beyond this size.
pub(super) fn is_small(record: &Central) -> bool {
    record.content.size <= SMALL && record.content.stored <= SMALL
}

/// The bytes of an entry in the file, checked and unpacked.
pub(super) struct Unpacker {
    zstd: zstd::bulk::Decompressor<'static>,
    deflate: Decompress,
    raw: Vec<u8>,
    content: Vec<u8>,
}

impl Unpacker {
    pub(super) fn new() -> Result<Self> {
        let zstd = zstd::bulk::Decompressor::new().while_doing(|| "cannot decompress")?;
        Ok(Self { zstd, deflate: Decompress::new(false), raw: Vec::new(), content: Vec::new() })
    }

    /// Reads an entry that [`is_small`].
    pub(super) fn read(&mut self, source: &Source, record: &Central) -> Result<()> {
        let end = record.end().filter(|&end| end <= source.size());
        let end = end.ok_or_else(|| Error::corrupt("its data would lie behind the end of the archive"))?;
        let mut raw = std::mem::take(&mut self.raw);
        let read = range::read_into(source, record.place.offset, end, &mut raw);
        let unpacked = read.and_then(|()| self.unpack(record, &raw));
        self.raw = raw;
        unpacked
    }

    /// Unpacks an entry that [`is_small`] from all its bytes in the file, headers included.
    pub(super) fn unpack(&mut self, record: &Central, raw: &[u8]) -> Result<()> {
        let packed = packed(record, raw)?;
        let size = usize::try_from(record.content.size).unwrap_or(usize::MAX);
        self.content.clear();
        match record.header.method {
            Method::Store => self.content.extend_from_slice(packed),
            Method::Deflate => self.inflate(packed, size)?,
            Method::Zstd => self.unzstd(packed, size)?,
        }
        if self.content.len() != size {
            let relation = if self.content.len() > size { "more" } else { "less" };
            return Err(Error::corrupt(format!("it holds {relation} than the size that was declared")));
        }
        if crc32fast::hash(&self.content) != record.content.crc {
            return Err(Error::corrupt("its content is damaged: its CRC-32 is not the one that was declared"));
        }
        Ok(())
    }

    pub(super) fn content(&self) -> &[u8] {
        &self.content
    }

    fn inflate(&mut self, packed: &[u8], size: usize) -> Result<()> {
        // One byte more, so that an entry that holds more than it should is told from one that ends as it should.
        self.content.reserve(size + 1);
        self.deflate.reset(false);
        let status = self.deflate.decompress_vec(packed, &mut self.content, FlushDecompress::Finish);
        match status {
            Ok(Status::StreamEnd) if self.deflate.total_in() == packed.len() as u64 => Ok(()),
            Ok(_) if self.content.len() > size => Ok(()),
            _ => Err(Error::corrupt("its compressed data are damaged")),
        }
    }

    fn unzstd(&mut self, packed: &[u8], size: usize) -> Result<()> {
        if find_frame_compressed_size(packed) != Ok(packed.len()) {
            return Err(Error::corrupt("its compressed data are not exactly one frame"));
        }
        self.content.reserve(size);
        self.zstd
            .decompress_to_buffer(packed, &mut self.content)
            .map(drop)
            .map_err(|_| Error::corrupt("its compressed data are damaged, or hold more than the size that was declared"))
    }
}

/// What lies between an entry's local header and its descriptor, which must be what the directory asks for.
fn packed<'a>(record: &Central, raw: &'a [u8]) -> Result<&'a [u8]> {
    let rest = raw.strip_prefix(&record.local()[..]).ok_or_else(|| Error::corrupt("its local header is not what the directory says"))?;
    rest.strip_suffix(&record.trailer()[..]).ok_or_else(|| Error::corrupt("its data descriptor is not what the directory says"))
}

/// So many unpackers are kept for the next entries.
const MOST_IDLE: usize = 8;

/// Unpackers between two entries.
#[derive(Default)]
pub(super) struct Unpackers(Mutex<Vec<Unpacker>>);

impl Unpackers {
    pub(super) fn take(&self) -> Result<Unpacker> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).pop().map_or_else(Unpacker::new, Ok)
    }

    pub(super) fn give_back(&self, unpacker: Unpacker) {
        let mut idle = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < MOST_IDLE {
            idle.push(unpacker);
        }
    }
}
