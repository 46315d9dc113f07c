//! A local file as the place of an archive: written beside its name as `.NAME.partial`, synced, then renamed, so that the
//! name never shows anything but a whole archive. Readable by its owner only.
//!
//! The partial file is locked while it is written: a second dump to the same name sees the lock and refuses; the partial of
//! a killed dump has none, and is replaced.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, FlockOperation, OFlags, RenameFlags};

use super::writeback::Writeback;
use super::{Target, Upload};
use crate::error::{Error, ErrorKind, IoContext, Result};

/// The permissions of an archive: it holds everything that the application holds.
const MODE: u32 = 0o600;

/// How often a partial file may vanish under us before we give up.
const ATTEMPTS: usize = 100;

struct FileTarget {
    /// As the user wrote it.
    shown: String,
    path: PathBuf,
    partial: PathBuf,
    overwrite: bool,
}

/// The file of this path.
pub(super) fn target(shown: &str, overwrite: bool) -> Result<Box<dyn Target>> {
    let path = resolve(shown)?;
    match fs::symlink_metadata(&path) {
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => {}
        Err(cause) => return Err(Error::io(format!("cannot write `{shown}`"), &cause)),
        Ok(meta) if meta.is_dir() => {
            return Err(Error::new(ErrorKind::InvalidConfig, format!("`{shown}` is a directory")).hint("give the name of a file in it"));
        }
        Ok(meta) if !meta.is_file() => {
            return Err(Error::new(ErrorKind::InvalidConfig, format!("`{shown}` is not a regular file"))
                .hint("give the name of a file, or `-` for standard output"));
        }
        Ok(_) if overwrite => {}
        Ok(_) => return Err(exists(shown)),
    }
    let partial = path.with_file_name(partial_name(&path));
    Ok(Box::new(FileTarget { shown: shown.to_owned(), path, partial, overwrite }))
}

/// The absolute path to write: in the real directory, and behind a symbolic link what that points to.
fn resolve(shown: &str) -> Result<PathBuf> {
    let path = std::path::absolute(shown).while_doing(|| format!("cannot write `{shown}`"))?;
    if shown.ends_with('/') || path.file_name().is_none() {
        return Err(Error::new(ErrorKind::InvalidConfig, format!("`{shown}` is a directory")).hint("give the name of a file in it"));
    }
    if let Ok(real) = fs::canonicalize(&path) {
        return Ok(real);
    }
    let (parent, name) = (path.parent().unwrap_or(Path::new("/")), path.file_name().unwrap_or_default());
    match fs::canonicalize(parent) {
        Ok(parent) => Ok(parent.join(name)),
        Err(cause) => Err(Error::io(format!("cannot write `{shown}`: its directory cannot be used"), &cause)
            .hint(format!("make the directory `{}` first, or name another", parent.display()))),
    }
}

fn partial_name(path: &Path) -> OsString {
    let mut name = OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(".partial");
    name
}

fn exists(shown: &str) -> Error {
    Error::new(ErrorKind::InvalidConfig, format!("`{shown}` exists already")).hint("give another name, or `--overwrite` to replace it")
}

impl Target for FileTarget {
    fn location(&self) -> String {
        self.shown.clone()
    }

    fn occupies(&self) -> Vec<PathBuf> {
        vec![self.path.clone(), self.partial.clone()]
    }

    fn begin(self: Box<Self>) -> Result<Box<dyn Upload>> {
        for _ in 0..ATTEMPTS {
            if let Some(file) = self.try_create()? {
                return Ok(Box::new(FileUpload { target: *self, file, writeback: Writeback::default(), committed: false }));
            }
        }
        Err(Error::new(ErrorKind::Unavailable, format!("cannot write `{}`: `{}` comes and goes", self.shown, self.partial.display())))
    }
}

impl FileTarget {
    /// Creates and locks the partial file; `None` where another process was at it in between.
    fn try_create(&self) -> Result<Option<File>> {
        let cannot = || format!("cannot write `{}`", self.shown);
        let created = OpenOptions::new().write(true).create_new(true).mode(MODE).open(&self.partial);
        match created {
            Ok(file) => {
                self.lock(&file)?;
                Ok(self.is_at_partial(&file).then_some(file))
            }
            Err(cause) if cause.kind() == io::ErrorKind::AlreadyExists => {
                self.remove_stale()?;
                Ok(None)
            }
            Err(cause) => Err(Error::io(cannot(), &cause)),
        }
    }

    /// Removes the partial file of a dump that was killed.
    fn remove_stale(&self) -> Result<()> {
        let cannot = || format!("cannot replace `{}`, which an earlier dump left behind", self.partial.display());
        let flags = i32::try_from(OFlags::NOFOLLOW.bits() | OFlags::NONBLOCK.bits()).unwrap_or_default();
        let stale = match OpenOptions::new().read(true).custom_flags(flags).open(&self.partial) {
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(()),
            opened => opened.while_doing(cannot)?,
        };
        self.lock(&stale)?;
        if self.is_at_partial(&stale) {
            fs::remove_file(&self.partial).while_doing(cannot)?;
        }
        Ok(())
    }

    fn lock(&self, file: &File) -> Result<()> {
        match rustix::fs::flock(file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(()),
            Err(rustix::io::Errno::WOULDBLOCK) => {
                Err(Error::new(ErrorKind::Unavailable, format!("another dump is writing `{}`", self.shown))
                    .hint("wait for it, or give another name")
                    .retryable())
            }
            Err(cause) => Err(Error::io(format!("cannot lock `{}`", self.partial.display()), &cause.into())),
        }
    }

    fn is_at_partial(&self, file: &File) -> bool {
        match (file.metadata(), fs::symlink_metadata(&self.partial)) {
            (Ok(ours), Ok(there)) => (ours.dev(), ours.ino()) == (there.dev(), there.ino()),
            _ => false,
        }
    }
}

struct FileUpload {
    target: FileTarget,
    file: File,
    writeback: Writeback,
    committed: bool,
}

impl Write for FileUpload {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.writeback.wrote(&self.file, written)?;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Upload for FileUpload {
    fn location(&self) -> String {
        self.target.shown.clone()
    }

    fn commit(mut self: Box<Self>) -> Result<()> {
        let FileTarget { shown, path, partial, overwrite } = &self.target;
        let cannot = || format!("cannot write `{shown}`");
        self.writeback.finish().and_then(|()| self.file.sync_all()).while_doing(cannot)?;
        if *overwrite {
            fs::rename(partial, path).while_doing(cannot)?;
        } else {
            rename_to_new(partial, path, shown)?;
        }
        self.committed = true;
        let parent = path.parent().unwrap_or(Path::new("/"));
        File::open(parent).and_then(|directory| directory.sync_all()).while_doing(|| format!("cannot sync the directory of `{shown}`"))
    }
}

/// Renames, unless something took the name since the dump began.
fn rename_to_new(partial: &Path, path: &Path, shown: &str) -> Result<()> {
    match rustix::fs::renameat_with(CWD, partial, CWD, path, RenameFlags::NOREPLACE) {
        Ok(()) => Ok(()),
        Err(rustix::io::Errno::EXIST) => Err(exists(shown)),
        // Some file systems have no such rename.
        Err(rustix::io::Errno::INVAL | rustix::io::Errno::NOSYS) => {
            if fs::symlink_metadata(path).is_ok() {
                return Err(exists(shown));
            }
            fs::rename(partial, path).while_doing(|| format!("cannot write `{shown}`"))
        }
        Err(cause) => Err(Error::io(format!("cannot write `{shown}`"), &cause.into())),
    }
}

impl Drop for FileUpload {
    fn drop(&mut self) {
        if !self.committed && self.target.is_at_partial(&self.file) {
            // What cannot be removed is stale from now on: the next dump replaces it.
            let _ = fs::remove_file(&self.target.partial);
        }
    }
}
