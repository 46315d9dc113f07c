//! Gives files, directories and links the metadata that their entries ask for, as far as the system permits.

use std::collections::HashMap;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::fd::{AsFd, BorrowedFd};
use rustix::fs::{AtFlags, Gid, Mode, Timespec, Timestamps, Uid};
use rustix::io::Errno;

use super::attributes::{Owner, Wanted};
use super::stat::{Meta, Time};
use super::xattrs::Xattrs;
use crate::drivers::Context;

/// What the system did not permit, said once for the whole restore.
#[derive(Default)]
pub(super) struct Said {
    owner: AtomicBool,
    xattrs: AtomicBool,
}

/// Applies metadata; remembers the numbers of users and groups.
pub(super) struct Metadata<'a> {
    context: &'a Context,
    said: &'a Said,
    is_root: bool,
    users: HashMap<Owner, Option<u32>>,
    groups: HashMap<Owner, Option<u32>>,
    xattrs: Xattrs,
}

/// Set-user-ID and set-group-ID: not given to a file that belongs to somebody else than recorded.
const SET_ID: u32 = 0o6000;

impl<'a> Metadata<'a> {
    pub(super) fn new(context: &'a Context, said: &'a Said) -> Self {
        let is_root = rustix::process::geteuid().is_root();
        Self { context, said, is_root, users: HashMap::new(), groups: HashMap::new(), xattrs: Xattrs::default() }
    }

    /// The user and group that an entry asks for; `fallback` where it asks for none and this user may choose.
    fn owner(&mut self, wanted: &Wanted, fallback: Option<(u32, u32)>) -> (Option<u32>, Option<u32>) {
        let fallback = fallback.filter(|_| self.is_root);
        let user = resolve(&mut self.users, &wanted.user, |name| Some(uzers::get_user_by_name(name)?.uid()));
        let group = resolve(&mut self.groups, &wanted.group, |name| Some(uzers::get_group_by_name(name)?.gid()));
        (user.or(fallback.map(|(uid, _)| uid)), group.or(fallback.map(|(_, gid)| gid)))
    }

    /// Whether an existing file or directory has the metadata that an entry asks for.
    pub(super) fn agrees(&mut self, file: impl AsFd, there: &Meta, wanted: &Wanted) -> io::Result<bool> {
        let (user, group) = self.owner(wanted, None);
        let same = user.is_none_or(|user| user == there.uid)
            && group.is_none_or(|group| group == there.gid)
            && wanted.mode.is_none_or(|mode| mode == there.mode)
            && wanted.modified.is_none_or(|modified| modified == there.stamp.modified);
        match &wanted.xattrs {
            Some(xattrs) if same => self.xattrs.agree(file, xattrs),
            _ => Ok(same),
        }
    }

    /// Applies an entry's metadata to an open file or directory. The times come last, since all else may change them.
    pub(super) fn apply(&mut self, file: BorrowedFd<'_>, there: &Meta, wanted: &Wanted, fallback: Option<(u32, u32)>) -> io::Result<()> {
        let (user, group) = self.owner(wanted, fallback);
        let change = |uid: Option<u32>, gid: Option<u32>| rustix::fs::fchown(file, uid.map(Uid::from_raw), gid.map(Gid::from_raw));
        let owned = self.chown(there, user, group, change)?;
        if let Some(mode) = wanted.mode.map(|mode| if owned { mode } else { mode & !SET_ID }) {
            // A change of owner clears the set-ID bits, so the mode is written again after one.
            if mode != there.mode || user.is_some_and(|user| user != there.uid) || group.is_some_and(|group| group != there.gid) {
                rustix::fs::fchmod(file, Mode::from_raw_mode(mode))?;
            }
        }
        if let Some(xattrs) = &wanted.xattrs
            && let Err(why) = self.xattrs.write(file, xattrs)
        {
            self.tolerate(&self.said.xattrs, why, "some extended attributes cannot be restored")?;
        }
        match wanted.modified {
            Some(modified) => Ok(rustix::fs::futimens(file, &times(modified))?),
            None => Ok(()),
        }
    }

    /// Applies an entry's metadata to a symbolic link.
    pub(super) fn apply_to_link(&mut self, directory: BorrowedFd<'_>, leaf: &[u8], there: &Meta, wanted: &Wanted) -> io::Result<()> {
        let (user, group) = self.owner(wanted, None);
        self.chown(there, user, group, |uid, gid| {
            rustix::fs::chownat(directory, leaf, uid.map(Uid::from_raw), gid.map(Gid::from_raw), AtFlags::SYMLINK_NOFOLLOW)
        })?;
        match wanted.modified {
            Some(modified) if modified != there.stamp.modified => {
                Ok(rustix::fs::utimensat(directory, leaf, &times(modified), AtFlags::SYMLINK_NOFOLLOW)?)
            }
            _ => Ok(()),
        }
    }

    /// Changes user and group where they differ, as far as this user may. Says whether they are as wanted afterwards.
    fn chown(
        &self,
        there: &Meta,
        user: Option<u32>,
        group: Option<u32>,
        change: impl Fn(Option<u32>, Option<u32>) -> rustix::io::Result<()>,
    ) -> io::Result<bool> {
        let user = user.filter(|user| *user != there.uid);
        let group = group.filter(|group| *group != there.gid);
        if user.is_none() && group.is_none() {
            return Ok(true);
        }
        let Err(why) = change(user, group) else { return Ok(true) };
        if user.is_some() && group.is_some() {
            // Who may not give files away may still choose among their own groups.
            let _tried = change(None, group);
        }
        self.tolerate(&self.said.owner, why.into(), "some owners or groups cannot be restored").map(|()| false)
    }

    /// Lets pass, and says once, what this user or this file system may not do.
    fn tolerate(&self, said: &AtomicBool, why: io::Error, what: &str) -> io::Result<()> {
        let permitted = !matches!(Errno::from_io_error(&why), Some(Errno::PERM | Errno::ACCESS | Errno::NOTSUP | Errno::INVAL));
        if permitted {
            return Err(why);
        }
        if !said.swap(true, Ordering::Relaxed) {
            let who = if self.is_root { "the file system does not permit it" } else { "only root may set them" };
            self.context.warn(format!("{what}: {who}"));
        }
        Ok(())
    }
}

fn resolve(known: &mut HashMap<Owner, Option<u32>>, owner: &Owner, find: impl Fn(&str) -> Option<u32>) -> Option<u32> {
    if let Some(number) = known.get(owner) {
        return *number;
    }
    let number = owner.name.as_deref().and_then(find).or(owner.number);
    known.insert(owner.clone(), number);
    number
}

/// This modification time; the access time stays.
fn times(modified: Time) -> Timestamps {
    let omitted = Timespec { tv_sec: 0, tv_nsec: rustix::fs::UTIME_OMIT };
    Timestamps { last_access: omitted, last_modification: modified.into() }
}
