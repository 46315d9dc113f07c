//! Reads a file's content into an entry: straight into the archive's buffers, past its holes.

use std::io;

use rustix::fd::OwnedFd;
use rustix::fs::SeekFrom;
use rustix::io::Errno;

use super::stat::Meta;
use crate::archive::EntryWriter;
use crate::error::{Error, Result};

/// Why a file's content did not get into its entry.
pub(super) enum CopyError {
    /// The file cannot be read.
    Source(io::Error),
    /// The archive cannot be written, or the run is cancelled.
    Archive(Error),
}

impl From<Error> for CopyError {
    fn from(error: Error) -> Self {
        Self::Archive(error)
    }
}

/// Copies up to the size that the file had when it was opened: of a log that grows meanwhile, what it held then. Says after
/// each piece, through `step`, how many bytes it had; returns how many there were.
pub(super) fn copy(
    file: &OwnedFd,
    meta: &Meta,
    into: &mut dyn EntryWriter,
    step: &mut dyn FnMut(u64) -> Result<()>,
) -> Result<u64, CopyError> {
    let size = meta.stamp.size;
    let mut data = Data { file, size, end: if meta.allocated < size { 0 } else { size }, begin: 0 };
    let mut at = 0;
    while at < size {
        if at >= data.end {
            data.find(at);
        }
        let space = into.space()?;
        let taken = if at < data.begin {
            let hole = room(space, data.begin - at);
            hole.fill(0);
            hole.len()
        } else {
            let room = room(space, data.end - at);
            loop {
                match rustix::io::pread(file, &mut *room, at) {
                    Err(Errno::INTR) => {}
                    other => break other.map_err(|why| CopyError::Source(why.into()))?,
                }
            }
        };
        if taken == 0 {
            break;
        }
        into.advance(taken)?;
        at += taken as u64;
        step(taken as u64)?;
    }
    Ok(at)
}

fn room(space: &mut [u8], most: u64) -> &mut [u8] {
    let length = usize::try_from(most).map_or(space.len(), |most| most.min(space.len()));
    &mut space[..length]
}

/// Where the next data lies in a file that may have holes.
struct Data<'a> {
    file: &'a OwnedFd,
    size: u64,
    begin: u64,
    end: u64,
}

impl Data<'_> {
    /// Finds the first data at or after `at`. A file system that cannot tell has data everywhere.
    fn find(&mut self, at: u64) {
        (self.begin, self.end) = match rustix::fs::seek(self.file, SeekFrom::Data(at)) {
            Ok(begin) => (begin.clamp(at, self.size), rustix::fs::seek(self.file, SeekFrom::Hole(begin)).unwrap_or(self.size)),
            Err(Errno::NXIO) => (self.size, self.size),
            Err(_) => (at, self.size),
        };
        self.end = self.end.clamp(self.begin, self.size);
    }
}
