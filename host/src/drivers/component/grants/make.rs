//! Makes the directories that a component may write and that are not there yet, before a restore; and takes them away again.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use cap_std::ambient_authority;
use cap_std::fs::Dir;
use rustix::fs::{AtFlags, Gid, Uid};

use super::Matched;
use crate::error::{IoContext as _, Result};

/// Directories that were made, the outer ones first.
#[derive(Default)]
pub(in crate::drivers::component) struct Made(Vec<PathBuf>);

impl Made {
    /// Makes what is missing of the directories that may be written: a granted one with all above it, and what is needed below
    /// it, where no symbolic link leads out of it.
    ///
    /// # Errors
    /// One cannot be made.
    pub(in crate::drivers::component) fn make(&mut self, matched: &Matched) -> Result<()> {
        for (root, rest) in matched.written() {
            let shown = root.join(rest);
            self.granted(root)
                .and_then(|()| self.below(root, rest))
                .while_doing(|| format!("cannot make the directory `{}`", shown.display()))?;
        }
        Ok(())
    }

    /// Removes those that are still empty.
    pub(in crate::drivers::component) fn remove(&mut self) {
        for path in self.0.drain(..).rev() {
            // One that holds something stays.
            let _ = fs::remove_dir(path);
        }
    }

    fn granted(&mut self, root: &Path) -> io::Result<()> {
        let missing: Vec<_> = root.ancestors().take_while(|path| !path.as_os_str().is_empty() && !path.exists()).collect();
        missing.into_iter().rev().try_for_each(|path| self.note(path.to_owned(), fs::create_dir(path)))
    }

    fn below(&mut self, root: &Path, rest: &str) -> io::Result<()> {
        let granted = Dir::open_ambient_dir(root, ambient_authority())?;
        let mut path = PathBuf::new();
        for name in Path::new(rest) {
            path.push(name);
            self.note(root.join(&path), granted.create_dir(&path))?;
        }
        Ok(())
    }

    /// One that root makes belongs to who owns the directory around it.
    fn note(&mut self, path: PathBuf, made: io::Result<()>) -> io::Result<()> {
        match made {
            Err(why) if why.kind() == io::ErrorKind::AlreadyExists => return Ok(()),
            made => made?,
        }
        if rustix::process::geteuid().is_root() {
            let around = fs::metadata(path.parent().unwrap_or(Path::new("/")))?;
            let (user, group) = (Uid::from_raw(around.uid()), Gid::from_raw(around.gid()));
            rustix::fs::chownat(rustix::fs::CWD, &path, Some(user), Some(group), AtFlags::SYMLINK_NOFOLLOW)?;
        }
        self.0.push(path);
        Ok(())
    }
}
