//! Puts one entry of an archive into its place: beside its name first, under it when it is whole.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::{AtFlags, Mode, OFlags};
use rustix::io::Errno;
use sha2::{Digest, Sha256};

use super::View;
use super::attributes::{Wanted, WantedSort};
use super::descent::{Descent, Links};
use super::metadata::{Metadata, Said};
use super::names::NameSet;
use super::sparse;
use super::stat::{Meta, Sort};
use super::temporary::Temporary;
use crate::archive::{EntryInfo, EntryReader, Reader};
use crate::drivers::Context;
use crate::error::{Error, IoContext, Result};
use crate::name::EntryName;

/// Bytes that are read and written at once.
const PIECE: usize = 256 * 1024;

/// What became of one entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Put {
    /// It was missing or another, and was written.
    Written,
    /// Its content was the same; its metadata was put right.
    Repaired,
    /// Nothing had to be done.
    Unchanged,
}

/// What all hands of a restore share.
pub(super) struct Job<'a> {
    pub(super) context: &'a Context,
    pub(super) view: View,
    pub(super) root: Arc<OwnedFd>,
    pub(super) source: &'a dyn Reader,
    /// Nothing stood in the target: nothing needs to be compared.
    pub(super) fresh: bool,
    /// The first names of files that have several.
    pub(super) first_names: &'a NameSet,
    pub(super) said: Said,
    pub(super) disks: Disks,
}

/// The file systems below a target, so that each can be synced once instead of every file.
#[derive(Default)]
pub(super) struct Disks(Mutex<HashMap<u64, OwnedFd>>);

impl Disks {
    /// Notes the file system of something that was written.
    fn note(&self, device: u64, there: BorrowedFd<'_>) -> io::Result<()> {
        let mut disks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Entry::Vacant(vacant) = disks.entry(device) {
            vacant.insert(there.try_clone_to_owned()?);
        }
        Ok(())
    }

    /// Waits until everything written is on its disk; also on that of `root`.
    pub(super) fn sync(&self, root: &OwnedFd) -> io::Result<()> {
        self.note(Meta::of(root)?.stamp.id.device, root.as_fd())?;
        let disks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        disks.values().try_for_each(|disk| Ok(rustix::fs::syncfs(disk)?))
    }
}

/// Puts entries into their places, in one thread.
pub(super) struct Hand<'a> {
    job: &'a Job<'a>,
    descent: Descent,
    tools: Tools<'a>,
}

/// What a hand needs beside its place in the tree.
struct Tools<'a> {
    job: &'a Job<'a>,
    metadata: Metadata<'a>,
    buffer: Vec<u8>,
    /// The file system that was noted last.
    device: Option<u64>,
}

impl<'a> Hand<'a> {
    pub(super) fn new(job: &'a Job<'a>) -> Self {
        let descent = match job.view {
            View::Files => Descent::new(&job.root, Links::Refuse).making(Mode::RWXU),
            View::Objects => Descent::new(&job.root, Links::Within).making(Mode::RWXU | Mode::RWXG | Mode::RWXO),
        };
        Self { job, descent, tools: Tools { job, metadata: Metadata::new(job.context, &job.said), buffer: vec![0; PIECE], device: None } }
    }

    /// Puts a file or a symbolic link into its place. `step` is told of bytes that are done.
    ///
    /// # Errors
    /// The target cannot be written; the entry is damaged; the run is cancelled. What stood there before still does.
    pub(super) fn content(&mut self, info: &EntryInfo, wanted: &Wanted, step: &mut dyn FnMut(u64) -> Result<()>) -> Result<Put> {
        let name = info.entry.name.as_bytes();
        let (directory, leaf) = self.descent.parent_of(name).while_doing(|| "cannot reach its directory")?;
        let there = if self.job.fresh { None } else { existing(directory, leaf)? };
        let place = Place { name, directory, leaf, there };
        match wanted.sort {
            WantedSort::Symlink => self.tools.symlink(&place, info, wanted),
            _ => self.tools.file(&place, info, wanted, step),
        }
    }

    /// Makes a directory, or lets this user write into the one that is there.
    ///
    /// # Errors
    /// It cannot be made or reached.
    pub(super) fn make_directory(&mut self, name: &[u8]) -> io::Result<()> {
        let mode = match self.descent.at(name).and_then(Meta::of) {
            Err(why) if why.raw_os_error() == Some(Errno::ACCESS.raw_os_error()) => 0,
            other => other?.mode,
        };
        if mode & 0o700 != 0o700 && !rustix::process::geteuid().is_root() && !name.is_empty() {
            let (parent, leaf) = self.descent.parent_of(name)?;
            rustix::fs::chmodat(parent, leaf, Mode::from_raw_mode(mode | 0o700), AtFlags::empty())?;
            self.descent.at(name)?;
        }
        Ok(())
    }

    /// Gives a directory its metadata.
    ///
    /// # Errors
    /// It cannot be reached or changed.
    pub(super) fn finish_directory(&mut self, name: &[u8], wanted: &Wanted) -> io::Result<()> {
        let directory = self.descent.at(name)?;
        let there = Meta::of(directory)?;
        let metadata = &mut self.tools.metadata;
        if metadata.agrees(directory, &there, wanted)? { Ok(()) } else { metadata.apply(directory, &there, wanted, None) }
    }

    /// Makes one more name for the file `first`, which `other` leads to.
    ///
    /// # Errors
    /// There is no such file, or the name cannot be made.
    pub(super) fn hard_link(&mut self, name: &[u8], first: &EntryName, other: &mut Descent) -> io::Result<Put> {
        let (first_directory, first_leaf) = other.parent_of(first.as_bytes())?;
        let first = Meta::at(first_directory, first_leaf)?;
        if first.sort != Sort::File {
            return Err(io::Error::other("its first name is no file"));
        }
        let (directory, leaf) = self.descent.parent_of(name)?;
        match Meta::at(directory, leaf) {
            Ok(there) if there.stamp.id == first.stamp.id => return Ok(Put::Unchanged),
            _ => {}
        }
        let temporary = Temporary::make(directory, |directory, name| {
            Ok(rustix::fs::linkat(first_directory, first_leaf, directory, name, AtFlags::empty())?)
        })?;
        temporary.rename(leaf)?;
        Ok(Put::Written)
    }
}

/// Where an entry goes.
struct Place<'a> {
    name: &'a [u8],
    directory: BorrowedFd<'a>,
    leaf: &'a [u8],
    /// What stands there now.
    there: Option<Meta>,
}

fn existing(directory: BorrowedFd<'_>, leaf: &[u8]) -> Result<Option<Meta>> {
    match Meta::at(directory, leaf) {
        Ok(meta) => Ok(Some(meta)),
        Err(why) if why.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(why) => Err(Error::io("cannot look at what stands there", &why)),
    }
}

impl Tools<'_> {
    fn file(&mut self, place: &Place<'_>, info: &EntryInfo, wanted: &Wanted, step: &mut dyn FnMut(u64) -> Result<()>) -> Result<Put> {
        if let Some(there) = &place.there {
            if let Some(put) = self.keep(place, there, info, wanted)? {
                step(info.size)?;
                return Ok(put);
            }
            self.make_way(place, there)?;
        }
        let mut from = self.job.source.open(&info.entry.name)?;
        let mode = Mode::from_raw_mode(wanted.mode.unwrap_or(0o666) & 0o777);
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mut file = None;
        let temporary = Temporary::make(place.directory, |directory, name| {
            file = Some(rustix::fs::openat(directory, name, flags, mode)?);
            Ok(())
        });
        let cannot = || "cannot write";
        let (temporary, file) = temporary.map(|temporary| (temporary, file)).while_doing(cannot)?;
        let Some(file) = file else { return Err(Error::corrupt("a file was made and not opened")) };
        sparse::write(from.as_mut(), &file, &mut self.buffer, step)?;
        let made = Meta::of(&file).while_doing(cannot)?;
        if self.device.replace(made.stamp.id.device) != Some(made.stamp.id.device) {
            self.job.disks.note(made.stamp.id.device, place.directory).while_doing(cannot)?;
        }
        let fallback = self.inherited(place).while_doing(cannot)?;
        self.metadata.apply(file.as_fd(), &made, wanted, fallback).while_doing(|| "cannot set its metadata")?;
        temporary.rename(place.leaf).while_doing(cannot)?;
        Ok(Put::Written)
    }

    /// Leaves a file in place whose content is that of the entry already.
    fn keep(&mut self, place: &Place<'_>, there: &Meta, info: &EntryInfo, wanted: &Wanted) -> Result<Option<Put>> {
        let is_link = there.sort == Sort::Symlink;
        if is_link && self.job.view == View::Files || !is_link && (there.sort != Sort::File || there.stamp.size != info.size) {
            return Ok(None);
        }
        let Ok(file) = open(place, is_link) else { return Ok(None) };
        let same = Meta::of(&file).is_ok_and(|meta| meta.sort == Sort::File && meta.stamp.size == info.size)
            && self.hash(&file)?.is_some_and(|hash| hash == info.sha256);
        if !same {
            return Ok(None);
        }
        // What a link leads to may lie anywhere: it is read through, and never changed.
        let agrees = is_link || self.metadata.agrees(&file, there, wanted).while_doing(|| "cannot read its metadata")?;
        if agrees {
            return Ok(Some(Put::Unchanged));
        }
        // Another name of the file, if it is none that the archive knows, must not change with this one.
        if there.links > 1 && self.job.first_names.is_directory(place.name) != Some(false) {
            return Ok(None);
        }
        self.metadata.apply(file.as_fd(), there, wanted, None).while_doing(|| "cannot set its metadata")?;
        Ok(Some(Put::Repaired))
    }

    fn hash(&mut self, file: &OwnedFd) -> Result<Option<[u8; 32]>> {
        let mut hash = Sha256::new();
        loop {
            self.job.context.check()?;
            match rustix::io::read(file, &mut self.buffer[..]) {
                Ok(0) => return Ok(Some(hash.finalize().into())),
                Ok(length) => hash.update(&self.buffer[..length]),
                Err(Errno::INTR) => {}
                // What cannot be read is replaced.
                Err(_) => return Ok(None),
            }
        }
    }

    /// Removes an empty directory that stands where an object must go; to objects it is nothing.
    fn make_way(&self, place: &Place<'_>, there: &Meta) -> Result<()> {
        if there.sort != Sort::Directory {
            return Ok(());
        }
        let removed = rustix::fs::unlinkat(place.directory, place.leaf, AtFlags::REMOVEDIR);
        removed.map_err(io::Error::from).while_doing(|| "a directory stands in its place, and cannot be removed")
    }

    /// To whom an object belongs that says nothing of it: as the file that it replaces, or as its directory.
    fn inherited(&self, place: &Place<'_>) -> io::Result<Option<(u32, u32)>> {
        if self.job.view == View::Files {
            return Ok(None);
        }
        let like = match &place.there {
            Some(there) if there.sort == Sort::File => *there,
            _ => Meta::of(place.directory)?,
        };
        Ok(Some((like.uid, like.gid)))
    }

    fn symlink(&mut self, place: &Place<'_>, info: &EntryInfo, wanted: &Wanted) -> Result<Put> {
        let mut from = self.job.source.open(&info.entry.name)?;
        let target = link_target(from.as_mut(), &mut self.buffer)?.to_vec();
        let set = || "cannot set its metadata";
        if let Some(there) = place.there.filter(|there| there.sort == Sort::Symlink)
            && rustix::fs::readlinkat(place.directory, place.leaf, Vec::new()).is_ok_and(|now| now.as_bytes() == target)
        {
            let agrees = wanted.modified.is_none_or(|modified| modified == there.stamp.modified);
            self.metadata.apply_to_link(place.directory, place.leaf, &there, wanted).while_doing(set)?;
            return Ok(if agrees { Put::Unchanged } else { Put::Repaired });
        }
        let temporary = Temporary::make(place.directory, |directory, name| Ok(rustix::fs::symlinkat(&target[..], directory, name)?));
        let temporary = temporary.while_doing(|| "cannot make the link")?;
        let made = Meta::at(place.directory, temporary.name()).while_doing(set)?;
        self.metadata.apply_to_link(place.directory, temporary.name(), &made, wanted).while_doing(set)?;
        temporary.rename(place.leaf).while_doing(|| "cannot make the link")?;
        Ok(Put::Written)
    }
}

/// Where a symbolic link of the archive leads, which fits into `buffer`.
///
/// # Errors
/// It leads where no link can; the entry is damaged; the run is cancelled.
pub(super) fn link_target<'b>(from: &mut dyn EntryReader, buffer: &'b mut [u8]) -> Result<&'b [u8]> {
    let length = from.fill(buffer)?;
    match &buffer[..length] {
        [] => Err(Error::corrupt("it is a symbolic link without a target")),
        target if target.contains(&0) => Err(Error::corrupt("it is a symbolic link whose target holds a NUL")),
        target => Ok(target),
    }
}

fn open(place: &Place<'_>, through_link: bool) -> io::Result<OwnedFd> {
    let follow = if through_link { OFlags::empty() } else { OFlags::NOFOLLOW };
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY | follow;
    match rustix::fs::openat(place.directory, place.leaf, flags | OFlags::NOATIME, Mode::empty()) {
        Err(Errno::PERM) => Ok(rustix::fs::openat(place.directory, place.leaf, flags, Mode::empty())?),
        other => Ok(other?),
    }
}
