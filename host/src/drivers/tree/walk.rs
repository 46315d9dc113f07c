//! The one walk through a directory: flat memory, no file opened, nothing followed that the scope does not follow.
//!
//! Files come as the directory lists them, then its subdirectories, each before what is below it. Of one directory the names
//! of its subdirectories are kept, nothing else.

use std::io;
use std::sync::Arc;

use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::{Access, AtFlags, RawDir};
use rustix::io::Errno;

use super::descent::{Descent, Links, is_escape};
use super::scope::{Passed, Scope};
use super::select::Verdict;
use super::stat::{Meta, Sort};
use super::temporary;
use crate::cancel::Cancel;
use crate::error::Result;

/// Takes what a walk finds. Names are relative to the root, which itself has the empty one.
pub(super) trait Visitor {
    /// A directory of the set, before what is below it; the answer says whether to look into it.
    fn directory(&mut self, name: &[u8], meta: &Meta) -> Result<Look>;

    /// A file of the set, or a link where links are not followed.
    fn file(&mut self, place: &Place<'_>) -> Result<()>;

    /// Something that cannot be looked at, or into.
    fn unreadable(&mut self, name: &[u8], why: &io::Error) -> Result<()>;

    /// Something that the walk passes by.
    fn passed(&mut self, name: &[u8], why: Passed) -> Result<()>;

    /// A directory that the visitor knows and let the walk look into is through.
    fn left(&mut self, name: &[u8]) -> Result<()> {
        let _ = name;
        Ok(())
    }
}

/// Whether a walk goes on below a directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Look {
    Into,
    Past,
}

/// A file or link, where it stands.
pub(super) struct Place<'a> {
    pub(super) name: &'a [u8],
    /// The directory that it stands in.
    pub(super) directory: BorrowedFd<'a>,
    /// Its name there.
    pub(super) leaf: &'a [u8],
    pub(super) meta: Meta,
}

impl Place<'_> {
    /// Whether it is mounted there, from another file system than the one that the set stays on, if it stays on one.
    pub(super) fn is_mounted(&self, device: Option<u64>) -> bool {
        device.is_some_and(|device| self.meta.is_mounted(self.directory, self.leaf, device))
    }

    /// Whether this process may read it.
    ///
    /// # Errors
    /// It may not, or it is gone.
    pub(super) fn check_readable(&self) -> rustix::io::Result<()> {
        rustix::fs::accessat(self.directory, self.leaf, Access::READ_OK, AtFlags::EACCESS)
    }
}

/// Room for the system's lists of names.
const LISTING: usize = 64 * 1024;

/// Walks through everything below `start`, a directory's name below `root` (or the root's own, the empty one).
///
/// # Errors
/// The visitor's; the run is cancelled.
pub(super) fn walk(root: &Arc<OwnedFd>, start: &[u8], scope: &Scope, cancel: &Cancel, visitor: &mut dyn Visitor) -> Result<()> {
    let mut walk = Walk {
        scope,
        cancel,
        visitor,
        descent: Descent::new(root, scope.links),
        name: start.to_vec(),
        frames: Vec::new(),
        listing: Vec::with_capacity(LISTING),
        device: scope.device(root),
    };
    walk.descend(true)?;
    while let Some(frame) = walk.frames.last_mut() {
        walk.name.truncate(frame.end);
        if let Some(leaf) = frame.next_subdirectory() {
            append(&mut walk.name, leaf);
            walk.descend(false)?;
        } else {
            let announced = walk.frames.pop().is_some_and(|frame| frame.announced);
            if announced {
                walk.visitor.left(&walk.name)?;
            }
        }
    }
    Ok(())
}

struct Walk<'a> {
    scope: &'a Scope,
    cancel: &'a Cancel,
    visitor: &'a mut dyn Visitor,
    descent: Descent,
    /// The name of what is looked at now.
    name: Vec<u8>,
    /// The directories above it.
    frames: Vec<Frame>,
    listing: Vec<u8>,
    /// The file system that the walk stays on.
    device: Option<u64>,
}

/// A directory that the walk is in.
struct Frame {
    /// The length of its name.
    end: usize,
    meta: Meta,
    /// Whether it, or something above it, was included by name.
    within: bool,
    /// Whether the visitor knows of it.
    announced: bool,
    /// The names of its subdirectories, each followed by a NUL.
    subdirectories: Vec<u8>,
    next: usize,
}

impl Frame {
    fn next_subdirectory(&mut self) -> Option<&[u8]> {
        let rest = &self.subdirectories[self.next..];
        let length = rest.iter().position(|&byte| byte == 0)?;
        self.next += length + 1;
        Some(&rest[..length])
    }
}

impl Walk<'_> {
    /// Goes into the directory of the current name.
    fn descend(&mut self, is_start: bool) -> Result<()> {
        self.cancel.check()?;
        let Some(meta) = self.meta_of_directory(is_start)? else { return Ok(()) };
        if self.frames.iter().any(|frame| frame.meta.stamp.id == meta.stamp.id) {
            return self.visitor.passed(&self.name, Passed::Loop);
        }
        let above = self.frames.last().map_or_else(|| self.scope.selection.includes_above(&self.name), |frame| frame.within);
        let verdict = self.scope.selection.judge(&self.name, true, above);
        let mut frame =
            Frame { end: self.name.len(), meta, within: verdict == Verdict::In, announced: false, subdirectories: Vec::new(), next: 0 };
        if verdict == Verdict::In && self.announce(&mut frame)? == Look::Past {
            return Ok(());
        }
        if self.device.is_some_and(|device| device != meta.stamp.id.device) {
            return self.visitor.passed(&self.name, Passed::OtherFileSystem);
        }
        self.list(frame)
    }

    /// What stands at the current name, if it still is a directory.
    fn meta_of_directory(&mut self, is_start: bool) -> Result<Option<Meta>> {
        let looked = if is_start {
            self.descent.at(&self.name).and_then(Meta::of)
        } else {
            let links = self.scope.links;
            self.descent.parent_of(&self.name).and_then(|(parent, leaf)| look(parent, leaf, links))
        };
        match looked {
            Ok(meta) if meta.sort == Sort::Directory => Ok(Some(meta)),
            Ok(_) => Ok(None),
            Err(why) => self.failed(&why).map(|()| None),
        }
    }

    /// Tells the visitor of a directory, after those above it that it does not know of yet.
    fn announce(&mut self, last: &mut Frame) -> Result<Look> {
        for frame in self.frames.iter_mut().chain([last]).filter(|frame| !frame.announced) {
            frame.announced = true;
            if self.visitor.directory(&self.name[..frame.end], &frame.meta)? == Look::Past {
                return Ok(Look::Past);
            }
        }
        Ok(Look::Into)
    }

    /// Lists the directory of the current name: tells of its files at once, keeps its subdirectories for later.
    fn list(&mut self, frame: Frame) -> Result<()> {
        let root = self.name.len();
        self.frames.push(frame);
        let mut listing = std::mem::take(&mut self.listing);
        // A descriptor of its own, since the names are looked at while the list goes on.
        let directory = match self.descent.at(&self.name).and_then(|directory| directory.try_clone_to_owned()) {
            Ok(directory) => directory,
            Err(why) => {
                self.listing = listing;
                return self.failed(&why);
            }
        };
        let mut entries = RawDir::new(&directory, listing.spare_capacity_mut());
        while let Some(entry) = entries.next() {
            self.name.truncate(root);
            match entry {
                Ok(entry) => self.entry(&directory, entry.file_name().to_bytes())?,
                Err(why) => {
                    self.failed(&why.into())?;
                    break;
                }
            }
        }
        self.listing = listing;
        Ok(())
    }

    /// Looks at one name of the directory in the last frame.
    fn entry(&mut self, directory: &OwnedFd, leaf: &[u8]) -> Result<()> {
        if matches!(leaf, b"." | b"..") {
            return Ok(());
        }
        append(&mut self.name, leaf);
        let Some((id, within)) = self.frames.last().map(|frame| (frame.meta.stamp.id, frame.within)) else { return Ok(()) };
        if temporary::is_one(leaf) {
            return self.visitor.passed(&self.name, Passed::Leftover);
        }
        if self.scope.left_out.holds(id, leaf) {
            return self.visitor.passed(&self.name, Passed::LeftOut);
        }
        let meta = match look(directory, leaf, self.scope.links) {
            Ok(meta) => meta,
            Err(why) => return self.failed(&why),
        };
        let is_directory = meta.sort == Sort::Directory;
        if self.scope.selection.judge(&self.name, is_directory, within) == Verdict::Out {
            return Ok(());
        }
        match passed(meta.sort, self.scope.links) {
            Some(why) => self.visitor.passed(&self.name, why),
            None if is_directory => {
                if let Some(frame) = self.frames.last_mut() {
                    frame.subdirectories.extend_from_slice(leaf);
                    frame.subdirectories.push(0);
                }
                Ok(())
            }
            None => self.file(directory, leaf, meta),
        }
    }

    fn file(&mut self, directory: &OwnedFd, leaf: &[u8], meta: Meta) -> Result<()> {
        for frame in self.frames.iter_mut().filter(|frame| !frame.announced) {
            frame.announced = true;
            self.visitor.directory(&self.name[..frame.end], &frame.meta)?;
        }
        self.visitor.file(&Place { name: &self.name, directory: directory.as_fd(), leaf, meta })
    }

    /// Sorts a failure at the current name: what is gone by now was never there.
    fn failed(&mut self, why: &io::Error) -> Result<()> {
        match why.raw_os_error().map(Errno::from_raw_os_error) {
            Some(Errno::LOOP) if self.scope.links != Links::Refuse => self.visitor.passed(&self.name, Passed::Loop),
            Some(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => Ok(()),
            None if is_escape(why) => self.visitor.passed(&self.name, Passed::Outside),
            _ => self.visitor.unreadable(&self.name, why),
        }
    }
}

/// What stands at a name, or behind it where links are followed; of a link that leads nowhere, the link itself.
fn look(directory: impl AsFd, leaf: &[u8], links: Links) -> io::Result<Meta> {
    let meta = Meta::at(&directory, leaf)?;
    if meta.sort != Sort::Symlink || links == Links::Refuse {
        return Ok(meta);
    }
    match Meta::through(&directory, leaf) {
        Err(why) if why.kind() == io::ErrorKind::NotFound => Ok(meta),
        other => other,
    }
}

fn passed(sort: Sort, links: Links) -> Option<Passed> {
    match sort {
        Sort::Symlink if links != Links::Refuse => Some(Passed::DanglingLink),
        Sort::File | Sort::Directory | Sort::Symlink => None,
        Sort::Socket => Some(Passed::Socket),
        Sort::Pipe => Some(Passed::Pipe),
        Sort::Device => Some(Passed::Device),
    }
}

fn append(name: &mut Vec<u8>, leaf: &[u8]) {
    if !name.is_empty() {
        name.push(b'/');
    }
    name.extend_from_slice(leaf);
}
