//! The one temporary copy that a dump may make: of a database with a rollback journal, whose writers would else wait.
//!
//! It has no name while it exists, so that nothing is left of it however the process ends; where the file system knows no
//! nameless files it has one, and is removed when it is dropped.

use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use rusqlite::Connection;
use rustix::fs::{AtFlags, CWD, Mode, OFlags};
use tempfile::TempPath;

use super::database::open_immutable;
use crate::archive::EntryWriter;
use crate::cancel::Cancel;
use crate::error::{Error, ErrorKind, IoContext, Result};

/// How many bytes are copied between two looks at the request to stop.
const STRETCH: u64 = 64 << 20;

/// A copy of a database's file.
pub(super) struct Copy {
    file: File,
    name: Option<TempPath>,
    directory: PathBuf,
    reflink: bool,
    connection: Option<Connection>,
}

impl Copy {
    /// Copies the first `size` bytes of `source`, the file at `path`: beside it, where a file system that can will share
    /// the blocks, else into the directory for temporary files.
    pub(super) fn of(source: &File, path: &Path, size: u64, cancel: &Cancel) -> Result<Self> {
        let beside = path.parent().unwrap_or(Path::new("/")).to_owned();
        let mut refusals = Vec::new();
        for directory in [beside, std::env::temp_dir()] {
            match Self::within(&directory, source, size, cancel) {
                Err(error) if error.is_cancelled() => return Err(error),
                Err(error) => refusals.push((directory, error)),
                copy => return copy,
            }
        }
        let error = Error::new(
            ErrorKind::Unavailable,
            format!("`{}` is not in WAL mode, so that a copy of its {size} bytes is needed, and no place takes one", path.display()),
        );
        let error = refusals.iter().fold(error, |error, (directory, why)| error.with(directory.display().to_string(), why.message()));
        Err(error.hint("make room, point TMPDIR to a directory that has it, or switch the database to WAL: `PRAGMA journal_mode = wal`"))
    }

    fn within(directory: &Path, source: &File, size: u64, cancel: &Cancel) -> Result<Self> {
        let (file, name) = nameless(directory).while_doing(|| "cannot make a temporary file".to_owned())?;
        let mut copy = Self { file, name, directory: directory.to_owned(), reflink: false, connection: None };
        copy.reflink = rustix::fs::ioctl_ficlone(&copy.file, source).is_ok();
        if !copy.reflink {
            require_room(directory, size)?;
            copy.fill(source, size, cancel)?;
        }
        Ok(copy)
    }

    fn fill(&self, source: &File, size: u64, cancel: &Cancel) -> Result<()> {
        let (mut from, mut into) = (0, 0);
        while from < size {
            cancel.check()?;
            let stretch = usize::try_from(STRETCH.min(size - from)).unwrap_or(usize::MAX);
            let (at, copied) = (from, rustix::fs::copy_file_range(source, Some(&mut from), &self.file, Some(&mut into), stretch));
            match copied {
                Ok(0) => return Err(Error::corrupt(format!("the file ends after {at} of its {size} bytes"))),
                Ok(_) => {}
                Err(_) if at == 0 => return self.fill_through_memory(source, size, cancel),
                Err(cause) => return Err(Error::io("cannot copy the file", &cause.into())),
            }
        }
        Ok(())
    }

    /// For file systems between which, or in which, the kernel does not copy.
    fn fill_through_memory(&self, source: &File, size: u64, cancel: &Cancel) -> Result<()> {
        let mut buffer = vec![0; 1 << 20];
        let mut at = 0;
        while at < size {
            cancel.check()?;
            let count = read_some(source, &mut buffer, at, size)?;
            self.file.write_all_at(&buffer[..count], at).while_doing(|| "cannot write the copy".to_owned())?;
            at += count as u64;
        }
        Ok(())
    }

    /// Whether the copy shares its blocks with the original.
    pub(super) fn is_reflink(&self) -> bool {
        self.reflink
    }

    /// Gives the first `size` bytes to `into`, and each count to `each`.
    pub(super) fn read_all(&self, size: u64, into: &mut dyn EntryWriter, each: &mut dyn FnMut(usize) -> Result<()>) -> Result<()> {
        let mut at = 0;
        while at < size {
            let count = read_some(&self.file, into.space()?, at, size)?;
            into.advance(count)?;
            at += count as u64;
            each(count)?;
        }
        Ok(())
    }

    /// A connection to the copy.
    pub(super) fn connection(&mut self, cancel: &Cancel) -> Result<&Connection> {
        let connection = match self.connection.take() {
            Some(connection) => connection,
            None => self.connect(cancel)?,
        };
        Ok(self.connection.insert(connection))
    }

    /// SQLite opens only what has a name: the copy gets one for that instant.
    fn connect(&self, cancel: &Cancel) -> Result<Connection> {
        if let Some(name) = &self.name {
            return open_immutable(name, cancel);
        }
        let name = tempfile::Builder::new()
            .prefix(PREFIX)
            .make_in(&self.directory, |name| {
                let own = format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&self.file.as_fd()));
                Ok(rustix::fs::linkat(CWD, own, CWD, name, AtFlags::SYMLINK_FOLLOW)?)
            })
            .while_doing(|| format!("cannot name the temporary copy in `{}`", self.directory.display()))?
            .into_temp_path();
        open_immutable(&name, cancel)
    }
}

/// How the name of a temporary copy begins, for as long as it has one.
const PREFIX: &str = ".dr-host-copy-";

/// A file for this process alone, without a name where the file system allows.
fn nameless(directory: &Path) -> io::Result<(File, Option<TempPath>)> {
    let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
    match rustix::fs::open(directory, flags, Mode::RUSR | Mode::WUSR) {
        Ok(file) => Ok((file.into(), None)),
        Err(_) => {
            let (file, name) = tempfile::Builder::new().prefix(PREFIX).tempfile_in(directory)?.into_parts();
            Ok((file, Some(name)))
        }
    }
}

/// Refuses before the disk of a running application is filled to its brim.
fn require_room(directory: &Path, size: u64) -> Result<()> {
    let disk = rustix::fs::statvfs(directory).map_err(|cause| Error::io("cannot tell the free space", &cause.into()))?;
    let free = disk.f_bavail.saturating_mul(disk.f_frsize);
    if free > size { Ok(()) } else { Err(Error::new(ErrorKind::Unavailable, format!("{free} bytes are free and {size} are needed"))) }
}

fn read_some(file: &File, buffer: &mut [u8], at: u64, size: u64) -> Result<usize> {
    let wanted = buffer.len().min(usize::try_from(size - at).unwrap_or(usize::MAX));
    match file.read_at(&mut buffer[..wanted], at) {
        Ok(0) => Err(Error::corrupt(format!("the file ends after {at} of its {size} bytes"))),
        result => result.while_doing(|| "cannot read the file".to_owned()),
    }
}
