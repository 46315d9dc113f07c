//! An existing archive, read at any position from several threads at once.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::sync::Arc;

use rustix::fs::OFlags;

use crate::error::{Error, ErrorKind, IoContext, Result};

/// Bytes that can be read at any position, from several threads at once.
pub trait ReadAt: Send + Sync {
    /// Reads up to `buffer.len()` bytes from `offset` on; fewer, or none, only at the end.
    ///
    /// # Errors
    /// The bytes cannot be had.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize>;
}

impl ReadAt for File {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut filled = 0;
        while filled < buffer.len() {
            match FileExt::read_at(self, &mut buffer[filled..], offset + filled as u64) {
                Ok(0) => break,
                Ok(more) => filled += more,
                Err(cause) if cause.kind() == io::ErrorKind::Interrupted => {}
                Err(cause) => return Err(cause),
            }
        }
        Ok(filled)
    }
}

impl ReadAt for Vec<u8> {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let rest = usize::try_from(offset).ok().and_then(|offset| self.get(offset..)).unwrap_or_default();
        let count = rest.len().min(buffer.len());
        buffer[..count].copy_from_slice(&rest[..count]);
        Ok(count)
    }
}

/// An existing archive.
#[derive(Clone)]
pub struct Source {
    location: String,
    size: u64,
    bytes: Arc<dyn ReadAt>,
}

impl Source {
    /// The archive in this file.
    pub(super) fn open(path: &str) -> Result<Self> {
        let cannot = || format!("cannot read `{path}`");
        // A pipe that nobody writes to would else be waited for; to a regular file the flag is nothing.
        let nonblocking = i32::try_from(OFlags::NONBLOCK.bits()).unwrap_or(0);
        let file = OpenOptions::new().read(true).custom_flags(nonblocking).open(path).while_doing(cannot)?;
        let meta = file.metadata().while_doing(cannot)?;
        if !meta.is_file() {
            return Err(Error::new(
                ErrorKind::Unsupported,
                format!("`{path}` is not a regular file, and an archive cannot be read without one"),
            )
            .hint("save it to a file first, and name that"));
        }
        Ok(Self { location: path.to_owned(), size: meta.len(), bytes: Arc::new(file) })
    }

    /// An archive of `size` bytes that lives somewhere else; `location` is how people name that place.
    pub fn new(location: impl Into<String>, size: u64, bytes: Arc<dyn ReadAt>) -> Self {
        Self { location: location.into(), size, bytes }
    }

    /// An archive in memory.
    pub fn from_bytes(bytes: Vec<u8>) -> Self {
        Self { location: "memory".into(), size: bytes.len() as u64, bytes: Arc::new(bytes) }
    }

    /// The place as people write it.
    pub fn location(&self) -> &str {
        &self.location
    }

    /// The size in bytes.
    pub fn size(&self) -> u64 {
        self.size
    }
}

impl ReadAt for Source {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.bytes.read_at(buffer, offset)
    }
}
