//! Whether a target's file system takes what a restore will write: room, names, permission.

use std::path::{Path, PathBuf};

use rustix::fs::{Access, AtFlags, CWD, StatVfs};

use crate::error::{Error, ErrorKind, IoContext, Result};

/// The target, or the nearest directory above it that exists.
pub(super) struct Ground {
    path: PathBuf,
    system: StatVfs,
}

impl Ground {
    /// Looks at the target `root`, which need not exist yet.
    ///
    /// # Errors
    /// Something on the way to it is no directory, leads nowhere, or cannot be looked at.
    pub(super) fn of(root: &Path) -> Result<Self> {
        let mut path = root;
        loop {
            match rustix::fs::statvfs(path) {
                Ok(system) => return Ok(Self { path: path.to_owned(), system }),
                Err(rustix::io::Errno::NOENT) if path.is_symlink() => {
                    let message = format!("`{}` is a symbolic link that leads nowhere", path.display());
                    return Err(Error::new(ErrorKind::NotFound, message)
                        .untouched()
                        .hint("make the directory that it leads to, or remove the link"));
                }
                Err(rustix::io::Errno::NOENT) => {
                    path = path.parent().filter(|above| !above.as_os_str().is_empty()).unwrap_or(Path::new("/"))
                }
                Err(why) => return Err(Error::io(format!("cannot look at `{}`", path.display()), &why.into())),
            }
        }
    }

    /// The longest segment of a name, in bytes.
    pub(super) fn longest_segment(&self) -> u64 {
        self.system.f_namemax
    }

    /// Whether files can be made there.
    ///
    /// # Errors
    /// They cannot.
    pub(super) fn check_writable(&self) -> Result<()> {
        rustix::fs::accessat(CWD, &self.path, Access::WRITE_OK | Access::EXEC_OK, AtFlags::EACCESS)
            .map_err(std::io::Error::from)
            .while_doing(|| format!("cannot write into `{}`", self.path.display()))
    }

    /// Whether so many more bytes and files have room.
    ///
    /// # Errors
    /// They have not.
    pub(super) fn check_room(&self, bytes: u64, files: u64) -> Result<()> {
        let free = self.system.f_bavail.saturating_mul(self.system.f_frsize);
        let full = |message: String| Err(Error::new(ErrorKind::Unavailable, message).hint("free some space, or restore to another disk"));
        if bytes > free {
            return full(format!("the restore needs {bytes} bytes in `{}`, and {free} are free", self.path.display()));
        }
        // Some file systems make inodes as they need them, and say that they have none.
        if self.system.f_files > 0 && files > self.system.f_favail {
            let (path, free) = (self.path.display(), self.system.f_favail);
            return full(format!("the restore makes {files} files in `{path}`, and its file system has room for {free}"));
        }
        Ok(())
    }
}
