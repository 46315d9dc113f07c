//! The format `redis/1`: how keys stand in an entry. All numbers are little-endian.
//!
//! ```text
//! entry  = "redis/1\n" record* end
//! record = 0x01  length of the key: u32  length of the payload: u32  expiry: i64  key  payload
//! end    = 0x00  number of the records: u64
//! ```
//!
//! The expiry is in milliseconds since 1970-01-01T00:00:00Z, -1 where there is none. The payload is what DUMP returned, and what
//! RESTORE takes: it carries its own version and CRC-64. After `end` nothing may come.

use driver_guest::{CHUNK, EntryReader, EntryWriter, Error, ErrorKind, Result, error};

use crate::client::too_large;

const MAGIC: &[u8; 8] = b"redis/1\n";
const RECORD: u8 = 1;
const END: u8 = 0;

/// What stands before a record's key.
const HEAD: usize = 17;

/// What stands at the end of an entry.
const TAIL: usize = 9;

/// The smallest entry: one without records.
pub(crate) const SMALLEST: u64 = (MAGIC.len() + TAIL) as u64;

/// The smallest payload: a byte, and the footer.
const SMALLEST_PAYLOAD: usize = 1 + FOOTER;

/// A write carries at most this much.
const MOST: usize = 1 << 20;

/// There is no expiry.
pub(crate) const NEVER: i64 = -1;

/// What stands at the end of a payload: two bytes of version, eight of checksum.
const FOOTER: usize = 10;

/// The version of the format in which a payload is written.
pub(crate) fn payload_format(payload: &[u8]) -> Option<u16> {
    let footer = payload.last_chunk::<FOOTER>()?;
    Some(u16::from_le_bytes([footer[0], footer[1]]))
}

/// Writes records into one entry.
pub(crate) struct RecordWriter {
    entry: EntryWriter,
    buffer: Vec<u8>,
    records: u64,
    /// The bytes of the entry so far.
    pub(crate) size: u64,
}

impl RecordWriter {
    /// Begins an entry.
    pub(crate) fn new(entry: EntryWriter, mut buffer: Vec<u8>) -> Self {
        buffer.clear();
        buffer.extend_from_slice(MAGIC);
        Self { entry, buffer, records: 0, size: MAGIC.len() as u64 }
    }

    /// Adds a record.
    ///
    /// # Errors
    /// The archive cannot be written.
    pub(crate) fn push(&mut self, key: &[u8], expiry: i64, payload: &[u8]) -> Result<()> {
        let length = |bytes: &[u8]| u32::try_from(bytes.len()).map_err(|_| too_large(bytes.len()));
        let (key_length, payload_length) = (length(key)?, length(payload)?);
        if self.buffer.len() + HEAD + key.len() + payload.len() > CHUNK {
            self.flush()?;
        }
        self.buffer.push(RECORD);
        self.buffer.extend_from_slice(&key_length.to_le_bytes());
        self.buffer.extend_from_slice(&payload_length.to_le_bytes());
        self.buffer.extend_from_slice(&expiry.to_le_bytes());
        self.records += 1;
        self.size += (HEAD + key.len() + payload.len()) as u64;
        self.bytes(key)?;
        self.bytes(payload)
    }

    /// Adds bytes: what is large goes straight from where it lies.
    fn bytes(&mut self, bytes: &[u8]) -> Result<()> {
        if self.buffer.len() + bytes.len() <= CHUNK {
            self.buffer.extend_from_slice(bytes);
            return Ok(());
        }
        self.flush()?;
        bytes.chunks(MOST).try_for_each(|chunk| self.entry.write(chunk))
    }

    fn flush(&mut self) -> Result<()> {
        if !self.buffer.is_empty() {
            self.entry.write(&self.buffer)?;
            self.buffer.clear();
        }
        Ok(())
    }

    /// Commits the entry. Gives its buffer back.
    ///
    /// # Errors
    /// The archive cannot be written.
    pub(crate) fn finish(mut self) -> Result<Vec<u8>> {
        self.buffer.push(END);
        self.buffer.extend_from_slice(&self.records.to_le_bytes());
        self.flush()?;
        self.entry.finish()?;
        Ok(self.buffer)
    }
}

/// A record of an entry.
pub(crate) struct Record<'a> {
    pub(crate) key: &'a [u8],
    pub(crate) expiry: i64,
    pub(crate) payload: &'a [u8],
}

/// Reads the records of one entry, and refuses everything that [`RecordWriter`] does not write.
pub(crate) struct RecordReader<'a> {
    name: &'a str,
    entry: EntryReader,
    /// Bytes that were read; those before `at` are done with.
    buffer: Vec<u8>,
    at: usize,
    records: u64,
    /// The size of the entry.
    size: u64,
}

impl<'a> RecordReader<'a> {
    /// Begins to read an entry. `buffer` is one to use again.
    ///
    /// # Errors
    /// The entry cannot be read, or does not begin as one must.
    pub(crate) fn new(name: &'a str, entry: EntryReader, mut buffer: Vec<u8>) -> Result<Self> {
        buffer.clear();
        let size = entry.info().size;
        let mut reader = Self { name, entry, buffer, at: 0, records: 0, size };
        if reader.take(MAGIC.len())? != MAGIC {
            return Err(reader.corrupt("it does not begin as entries of `redis/1` do"));
        }
        Ok(reader)
    }

    /// The next record; none at the end, which is checked.
    ///
    /// # Errors
    /// The entry cannot be read; it is not as it must be; a record does not fit into the guest's memory.
    pub(crate) fn next(&mut self) -> Result<Option<Record<'_>>> {
        match self.take(1)?[0] {
            RECORD => {}
            END => return self.end().map(|()| None),
            _ => return Err(self.corrupt("a record begins with a byte that means nothing")),
        }
        let head = self.take(HEAD - 1)?;
        let number = |at: usize| u32::from_le_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]) as usize;
        let (key_length, payload_length) = (number(0), number(4));
        let expiry = i64::from_le_bytes([head[8], head[9], head[10], head[11], head[12], head[13], head[14], head[15]]);
        if payload_length < SMALLEST_PAYLOAD {
            return Err(self.corrupt("a payload is shorter than any can be"));
        }
        if expiry < NEVER {
            return Err(self.corrupt("an expiry lies before all time"));
        }
        self.records += 1;
        let length = key_length.saturating_add(payload_length);
        // A length that lies asks for no memory.
        if length as u64 > self.size {
            return Err(self.corrupt("a record says that it is longer than the entry"));
        }
        let (key, payload) = self.take(length)?.split_at(key_length);
        Ok(Some(Record { key, expiry, payload }))
    }

    fn end(&mut self) -> Result<()> {
        let counted = self.take(TAIL - 1)?.try_into().map(u64::from_le_bytes).ok();
        if counted != Some(self.records) {
            return Err(self.corrupt("it does not hold as many records as it says"));
        }
        if self.at < self.buffer.len() || self.entry.read(CHUNK as u32)?.is_some() {
            return Err(self.corrupt("something comes after its end"));
        }
        Ok(())
    }

    /// The next `length` bytes.
    fn take(&mut self, length: usize) -> Result<&[u8]> {
        while self.buffer.len() - self.at < length {
            self.more(length)?;
        }
        self.at += length;
        Ok(&self.buffer[self.at - length..self.at])
    }

    fn more(&mut self, wanted: usize) -> Result<()> {
        let chunk = self.entry.read(CHUNK as u32)?.ok_or_else(|| self.corrupt("it ends in the middle of a record"))?;
        self.buffer.drain(..self.at);
        self.at = 0;
        let room = wanted.max(self.buffer.len() + chunk.len());
        if room > self.buffer.capacity() && self.buffer.try_reserve_exact(room - self.buffer.len()).is_err() {
            return Err(too_large(wanted));
        }
        self.buffer.extend_from_slice(&chunk);
        Ok(())
    }

    /// Reads what is left of the entry, whatever it is.
    ///
    /// # Errors
    /// The entry is not as it was dumped.
    pub(crate) fn look_for_damage(&self) -> Result<()> {
        loop {
            match self.entry.read(CHUNK as u32) {
                Ok(Some(_)) => {}
                Err(why) if why.kind == ErrorKind::Corrupt => return Err(why),
                // Once damage was found, there is nothing to read any more.
                Ok(None) | Err(_) => return Ok(()),
            }
        }
    }

    /// Gives the buffer back.
    pub(crate) fn into_buffer(self) -> Vec<u8> {
        self.buffer
    }

    fn corrupt(&self, why: &str) -> Error {
        error(ErrorKind::Corrupt, format!("the entry `{}` is damaged: {why}", self.name))
    }
}
