//! Opens directories below a root, one component at a time, so that no component is followed out of it unnoticed, and keeps
//! those on the current path open: a neighbour costs nothing, however long the path.

use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;

use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

use super::stat::Meta;

/// What happens where a component is a symbolic link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Links {
    /// It is not followed: [`Errno::LOOP`] or [`Errno::NOTDIR`].
    Refuse,
    /// It is followed, wherever it leads. For reading only.
    Follow,
    /// It is followed as long as it stays below the root; [`is_escape`] tells the error where it does not.
    Within,
}

const READ_DIRECTORY: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

/// How many directories of one path are held open at most; the deepest ones.
const HELD: usize = 48;

/// The directories below one root, seen from one thread.
pub(super) struct Descent {
    root: Arc<OwnedFd>,
    links: Links,
    make: Option<Mode>,
    path: Vec<u8>,
    levels: Vec<Level>,
}

/// One directory on the current path.
struct Level {
    /// The length of its name in [`Descent::path`].
    end: usize,
    /// None where it was closed since the path went on much deeper.
    directory: Option<OwnedFd>,
}

impl Descent {
    /// A view of what is below `root`.
    pub(super) fn new(root: &Arc<OwnedFd>, links: Links) -> Self {
        Self { root: Arc::clone(root), links, make: None, path: Vec::new(), levels: Vec::new() }
    }

    /// Makes directories that are missing, with `mode` as far as the umask lets it. One that root makes belongs to who owns
    /// the directory that it stands in.
    #[must_use]
    pub(super) fn making(mut self, mode: Mode) -> Self {
        self.make = Some(mode);
        self
    }

    /// The directory of this name, relative to the root, which itself is the empty name.
    ///
    /// # Errors
    /// A component does not exist, is no directory, or is a link that [`Links`] does not let through.
    pub(super) fn at(&mut self, name: &[u8]) -> io::Result<BorrowedFd<'_>> {
        self.back_to_common(name);
        while self.path.len() < name.len() {
            let start = if self.path.is_empty() { 0 } else { self.path.len() + 1 };
            let end = name[start..].iter().position(|&byte| byte == b'/').map_or(name.len(), |length| start + length);
            let directory = self.open(&name[start..end], &name[..end])?;
            self.path.clear();
            self.path.extend_from_slice(&name[..end]);
            self.levels.push(Level { end, directory: Some(directory) });
            if let Some(distant) = self.levels.len().checked_sub(HELD + 1) {
                self.levels[distant].directory = None;
            }
        }
        Ok(self.current())
    }

    /// The directory that `name` stands in, and its last component.
    ///
    /// # Errors
    /// As [`Descent::at`].
    pub(super) fn parent_of<'n>(&mut self, name: &'n [u8]) -> io::Result<(BorrowedFd<'_>, &'n [u8])> {
        let (parent, leaf) = split(name);
        Ok((self.at(parent)?, leaf))
    }

    fn current(&self) -> BorrowedFd<'_> {
        self.levels.last().and_then(|level| level.directory.as_ref()).map_or_else(|| self.root.as_fd(), AsFd::as_fd)
    }

    /// Leaves all directories that are not on the way to `name`, and those that were closed meanwhile.
    fn back_to_common(&mut self, name: &[u8]) {
        let on_the_way = |path: &[u8]| name.strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest[0] == b'/');
        while let Some(last) = self.levels.last() {
            if last.directory.is_some() && on_the_way(&self.path[..last.end]) {
                break;
            }
            self.levels.pop();
        }
        self.path.truncate(self.levels.last().map_or(0, |level| level.end));
    }

    fn open(&self, component: &[u8], name: &[u8]) -> io::Result<OwnedFd> {
        if matches!(component, b"" | b"." | b"..") {
            return Err(Errno::INVAL.into());
        }
        match (self.open_existing(component, name), self.make) {
            (Err(error), Some(mode)) if error.kind() == io::ErrorKind::NotFound => {
                self.create(component, mode)?;
                self.open_existing(component, name)
            }
            (other, _) => other,
        }
    }

    fn open_existing(&self, component: &[u8], name: &[u8]) -> io::Result<OwnedFd> {
        let follow = if self.links == Links::Follow { OFlags::empty() } else { OFlags::NOFOLLOW };
        match rustix::fs::openat(self.current(), component, READ_DIRECTORY | follow, Mode::empty()) {
            Err(Errno::LOOP | Errno::NOTDIR) if self.links == Links::Within => self.open_within(name),
            other => Ok(other?),
        }
    }

    fn open_within(&self, name: &[u8]) -> io::Result<OwnedFd> {
        let root = cap_std::fs::Dir::from_std_file(self.root.try_clone()?.into());
        let found = root.open_dir(Path::new(OsStr::from_bytes(name)))?;
        // What cap-std opens marks a place (`O_PATH`); this is to be read, too.
        Ok(rustix::fs::openat(&found, ".", READ_DIRECTORY, Mode::empty())?)
    }

    fn create(&self, component: &[u8], mode: Mode) -> io::Result<()> {
        let parent = self.current();
        match rustix::fs::mkdirat(parent, component, mode) {
            Err(Errno::EXIST) => return Ok(()),
            other => other?,
        }
        if rustix::process::geteuid().is_root() {
            let owner = Meta::of(parent)?;
            let (uid, gid) = (rustix::fs::Uid::from_raw(owner.uid), rustix::fs::Gid::from_raw(owner.gid));
            rustix::fs::chownat(parent, component, Some(uid), Some(gid), rustix::fs::AtFlags::SYMLINK_NOFOLLOW)?;
        }
        Ok(())
    }
}

/// Whether a path was not followed since it leads out of the root.
pub(super) fn is_escape(error: &io::Error) -> bool {
    // cap-std's own refusal bears no number of the system's.
    error.kind() == io::ErrorKind::PermissionDenied && error.raw_os_error().is_none()
}

/// A name's directory (empty at the top) and its last component.
pub(super) fn split(name: &[u8]) -> (&[u8], &[u8]) {
    match name.iter().rposition(|&byte| byte == b'/') {
        Some(at) => (&name[..at], &name[at + 1..]),
        None => (&[], name),
    }
}
