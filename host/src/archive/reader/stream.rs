//! Large entries, unpacked piece by piece. They never give more than what was declared, and end only when everything agrees.

use std::io::{self, BufRead as _, Read as _};

use crossbeam_channel::{Receiver, Sender, bounded};

use super::super::codec::Decoder;
use super::super::zip::{Central, Content};
use super::range::{self, Range};
use crate::error::{Error, IoContext, Result};
use crate::store::Source;

/// An entry's content as it comes.
pub(super) struct Stream {
    declared: Content,
    /// `None` once it has ended, well or not.
    decoder: Option<Decoder<Range>>,
    trailer: Vec<u8>,
    crc: crc32fast::Hasher,
    size: u64,
    raw_crc: Option<crc32fast::Hasher>,
}

impl Stream {
    /// Begins an entry; its local header must be the one that its record in the directory asks for.
    pub(super) fn open(source: &Source, record: &Central) -> Result<Self> {
        let (local, trailer) = (record.local(), record.trailer());
        let begin = record.place.offset + local.len() as u64;
        let end = record.end().filter(|&end| end <= source.size());
        let end = end.ok_or_else(|| Error::corrupt("its data would lie behind the end of the archive"))?;
        let data_end = end - trailer.len() as u64;
        if range::read(source, record.place.offset, begin)? != local {
            return Err(Error::corrupt("its local header is not what the directory says"));
        }
        if range::read(source, data_end, end)? != trailer {
            return Err(Error::corrupt("its data descriptor is not what the directory says"));
        }
        let mut raw_crc = crc32fast::Hasher::new();
        raw_crc.update(&local);
        let data = Range::new(source, begin, data_end, raw_crc);
        let decoder = Some(Decoder::new(record.header.method, data).while_doing(|| "cannot decompress")?);
        Ok(Self { declared: record.content, decoder, trailer, crc: crc32fast::Hasher::new(), size: 0, raw_crc: None })
    }

    /// The next bytes; 0 at the end, after size, CRC-32 and the end of the packed data were found to agree.
    pub(super) fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        let Some(decoder) = &mut self.decoder else { return Ok(0) };
        let count = match decoder.read(buffer) {
            Ok(count) => count,
            Err(cause) => return Err(self.cannot(&cause)),
        };
        self.size += count as u64;
        if self.size > self.declared.size {
            self.decoder = None;
            return Err(Error::corrupt("it holds more than the size that was declared"));
        }
        self.crc.update(&buffer[..count]);
        if count == 0 && !buffer.is_empty() {
            self.end()?;
        }
        Ok(count)
    }

    /// The CRC-32 of all that the entry takes in the file, headers included; known at its end.
    pub(super) fn raw_crc(&self) -> Option<crc32fast::Hasher> {
        self.raw_crc.clone()
    }

    fn end(&mut self) -> Result<()> {
        let Some(decoder) = self.decoder.take() else { return Ok(()) };
        let crc = std::mem::take(&mut self.crc).finalize();
        if self.size != self.declared.size {
            return Err(Error::corrupt("it holds less than the size that was declared"));
        }
        if crc != self.declared.crc {
            return Err(Error::corrupt("its content is damaged: its CRC-32 is not the one that was declared"));
        }
        let mut data = decoder.into_inner();
        // An empty entry, or one whose packed end lies in the next chunk, has bytes left that were not asked for.
        data.fill_buf().while_doing(|| "cannot read the archive")?;
        if !data.is_at_end() {
            return Err(Error::corrupt("more packed data follow its end"));
        }
        let mut raw_crc = data.into_crc();
        raw_crc.update(&self.trailer);
        self.raw_crc = Some(raw_crc);
        Ok(())
    }

    fn cannot(&mut self, cause: &io::Error) -> Error {
        self.decoder = None;
        match cause.raw_os_error() {
            Some(_) => Error::io("cannot read the archive", cause),
            None => Error::corrupt("its compressed data are damaged"),
        }
    }
}

/// How many pieces are unpacked ahead of the reader, and of what size.
const AHEAD: usize = 3;
const PIECE: usize = 512 << 10;

/// A stream that is unpacked in a thread of its own, beside whoever reads it.
pub(super) struct Ahead {
    pieces: Receiver<Result<Piece>>,
    used: Sender<Vec<u8>>,
    current: Piece,
    at: usize,
}

struct Piece {
    bytes: Vec<u8>,
    filled: usize,
    /// Of the last piece, which is empty: the CRC-32 of all that the entry takes in the file.
    raw_crc: Option<crc32fast::Hasher>,
}

impl Ahead {
    pub(super) fn start(mut stream: Stream) -> Result<Self> {
        let ((to_reader, pieces), (used, recycled)) = (bounded(AHEAD), bounded(AHEAD + 1));
        let unpack = move || {
            loop {
                let mut bytes: Vec<u8> = recycled.try_recv().unwrap_or_else(|_| vec![0; PIECE]);
                let piece = fill(&mut stream, &mut bytes).map(|filled| Piece { bytes, filled, raw_crc: stream.raw_crc() });
                let ended = piece.as_ref().map_or(true, |piece| piece.filled == 0);
                if to_reader.send(piece).is_err() || ended {
                    return;
                }
            }
        };
        std::thread::Builder::new().name("unpack".into()).spawn(unpack).while_doing(|| "cannot start a thread")?;
        let current = Piece { bytes: Vec::new(), filled: 0, raw_crc: None };
        Ok(Self { pieces, used, current, at: 0 })
    }

    pub(super) fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        if self.at == self.current.filled && self.current.raw_crc.is_none() {
            let next = self.pieces.recv().unwrap_or_else(|_| Err(Error::corrupt("it could not be read before either")))?;
            let used = std::mem::replace(&mut self.current, next);
            if !used.bytes.is_empty() {
                // The thread may have ended already.
                let _ = self.used.try_send(used.bytes);
            }
            self.at = 0;
        }
        let from = &self.current.bytes[self.at..self.current.filled];
        let count = from.len().min(buffer.len());
        buffer[..count].copy_from_slice(&from[..count]);
        self.at += count;
        Ok(count)
    }

    pub(super) fn raw_crc(&self) -> Option<crc32fast::Hasher> {
        self.current.raw_crc.clone()
    }
}

/// Fills the buffer as far as the stream goes; 0 only at its end.
fn fill(stream: &mut Stream, buffer: &mut [u8]) -> Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match stream.read(&mut buffer[filled..])? {
            0 => break,
            count => filled += count,
        }
    }
    Ok(filled)
}
