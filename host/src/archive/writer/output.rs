//! The archive as it grows: one entry after the other, then the central directory. Owns the only way to the store.

use std::io::{self, Write};

use super::super::comment::{COMMENT_LENGTH, comment};
use super::super::spool::Blocks;
use super::super::zip::{self, Content, Header, Place};
use crate::error::{Error, ErrorKind, IoContext, Result};
use crate::store::Upload;

/// Takes entries, each as a whole and one at a time.
pub(super) struct Output {
    /// `None` once the archive is finished.
    upload: Option<Box<dyn Upload>>,
    location: String,
    /// What is to be written next: small pieces go together.
    buffer: Vec<u8>,
    offset: u64,
    /// Over every byte so far; ends in the comment.
    crc: crc32fast::Hasher,
    /// The central directory's records.
    directory: Blocks,
    directory_size: u64,
    entries: u64,
    /// Why the archive cannot be finished any more.
    failed: Option<Error>,
}

impl Output {
    pub(super) fn new(upload: Box<dyn Upload>) -> Result<Self> {
        let location = upload.location();
        let (directory, crc) = (Blocks::new()?, crc32fast::Hasher::new());
        Ok(Self {
            upload: Some(upload),
            location,
            buffer: Vec::with_capacity(BUFFER),
            offset: 0,
            crc,
            directory,
            directory_size: 0,
            entries: 0,
            failed: None,
        })
    }

    /// Appends an entry whose data are all there.
    pub(super) fn append<'a>(
        &mut self,
        header: &Header,
        mode: u32,
        content: &Content,
        data: impl IntoIterator<Item = &'a [u8]>,
    ) -> Result<()> {
        let place = Place { offset: self.offset, streamed: false };
        self.put(&header.local(Some(content)))?;
        data.into_iter().try_for_each(|bytes| self.put(bytes))?;
        self.record(&header.central(content, place, mode))
    }

    /// Begins an entry whose data come piece by piece. Unless it is finished, the archive cannot be.
    pub(super) fn stream(&mut self, header: Header, mode: u32) -> Result<Streaming<'_>> {
        let place = Place { offset: self.offset, streamed: true };
        self.put(&header.local(None))?;
        Ok(Streaming { begin: self.offset, output: self, header, mode, place, finished: false })
    }

    /// Writes the central directory and makes the archive appear; its size.
    pub(super) fn finish(&mut self) -> Result<u64> {
        let offset = self.offset;
        for number in 0..self.directory.count() {
            let block = self.directory.block(number)?;
            self.put(&block)?;
        }
        let directory = zip::Directory { entries: self.entries, offset, size: self.directory_size };
        self.put(&zip::end(&directory, COMMENT_LENGTH))?;
        let comment = comment(self.crc.clone().finalize());
        self.put(comment.as_bytes())?;
        self.flush()?;
        self.write(|upload| upload.flush())?;
        if let Some(upload) = self.upload.take() {
            upload.commit()?;
        }
        Ok(self.offset)
    }

    /// Breaks the archive off: nothing of it is left.
    pub(super) fn abort(&mut self) {
        self.upload = None;
    }

    fn record(&mut self, record: &[u8]) -> Result<()> {
        self.entries += 1;
        self.directory_size += record.len() as u64;
        let pushed = self.directory.push(&[record]).map(drop);
        pushed.inspect_err(|why| self.failed = Some(why.clone()))
    }

    fn put(&mut self, bytes: &[u8]) -> Result<()> {
        if let Some(why) = &self.failed {
            return Err(why.clone());
        }
        self.crc.update(bytes);
        self.offset += bytes.len() as u64;
        let large = bytes.len() > BUFFER / 4;
        if large || self.buffer.len() + bytes.len() > BUFFER {
            self.flush()?;
        }
        if large {
            return self.write(|upload| upload.write_all(bytes));
        }
        self.buffer.extend_from_slice(bytes);
        Ok(())
    }

    fn flush(&mut self) -> Result<()> {
        let mut buffer = std::mem::take(&mut self.buffer);
        let written = self.write(|upload| upload.write_all(&buffer));
        buffer.clear();
        self.buffer = buffer;
        written
    }

    /// After a failure nothing more is written: what is in the file cannot be told.
    fn write(&mut self, write: impl FnOnce(&mut dyn Upload) -> io::Result<()>) -> Result<()> {
        let Some(upload) = &mut self.upload else {
            return Err(Error::new(ErrorKind::Other, "the archive is finished already"));
        };
        let written = write(&mut **upload).while_doing(|| format!("cannot write `{}`", self.location));
        written.inspect_err(|why| self.failed = Some(why.clone()))
    }
}

/// So many bytes are written together where the pieces are small.
const BUFFER: usize = 256 << 10;

/// An entry that is being streamed.
pub(super) struct Streaming<'a> {
    output: &'a mut Output,
    header: Header,
    mode: u32,
    place: Place,
    /// Where its data begin.
    begin: u64,
    finished: bool,
}

impl Streaming<'_> {
    pub(super) fn put(&mut self, bytes: &[u8]) -> Result<()> {
        self.output.put(bytes)
    }

    /// Ends the entry; the number of bytes that it takes in the archive.
    pub(super) fn finish(mut self, crc: u32, size: u64) -> Result<u64> {
        let content = Content { crc, size, stored: self.output.offset - self.begin };
        self.output.put(&zip::descriptor(&content))?;
        self.output.record(&self.header.central(&content, self.place, self.mode))?;
        self.finished = true;
        Ok(content.stored)
    }
}

impl Write for Streaming<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.put(bytes).map_err(io::Error::other)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Streaming<'_> {
    fn drop(&mut self) {
        if !self.finished && self.output.failed.is_none() {
            self.output.failed =
                Some(Error::new(ErrorKind::Other, format!("`{}` was broken off half way, and the archive with it", self.header.name)));
        }
    }
}
