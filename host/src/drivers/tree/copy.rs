//! `dump`: copies what was listed into the archive, and notices what is no longer as it was listed.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;

use rustix::fd::OwnedFd;
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

use super::attributes::{Describer, hard_link};
use super::content::{self, CopyError};
use super::descent::Descent;
use super::inventory::{Inventory, Listed, ListedSort};
use super::stat::{Meta, Sort};
use super::xattrs::{Xattr, Xattrs};
use super::{Unreadable, View};
use crate::archive::Writer;
use crate::drivers::{Context, FindingKind, Unit};
use crate::error::{Error, ErrorKind, Result};
use crate::name::EntryName;

/// Copies an inventory.
///
/// # Errors
/// A file cannot be read (unless `unreadable` lets it be left out), the archive cannot be written, the run is cancelled.
pub(super) fn copy(
    context: &Context,
    root: &Arc<OwnedFd>,
    view: View,
    unreadable: Unreadable,
    inventory: &Inventory,
    into: Box<dyn Writer>,
) -> Result<()> {
    let mut copier = Copier {
        context,
        view,
        unreadable,
        inventory,
        descent: Descent::new(root, view.links_of_source()),
        follow: if view == View::Files { OFlags::NOFOLLOW } else { OFlags::empty() },
        describer: Describer::default(),
        xattrs: Xattrs::default(),
        lost: HashMap::new(),
        into,
        done: 0,
    };
    for listed in inventory.read() {
        context.check()?;
        copier.item(&listed?)?;
    }
    Ok(())
}

struct Copier<'a> {
    context: &'a Context,
    view: View,
    unreadable: Unreadable,
    inventory: &'a Inventory,
    descent: Descent,
    /// What keeps an open from following a link, where that is not wanted.
    follow: OFlags,
    describer: Describer,
    xattrs: Xattrs,
    /// Files whose first name did not bring their content into the archive, by its place; and the name that then did.
    lost: HashMap<u64, Option<EntryName>>,
    into: Box<dyn Writer>,
    /// Bytes of content so far.
    done: u64,
}

/// What became of one listed thing.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Copied {
    AsListed,
    /// It is in the archive, and is another file than the one listed.
    Another,
    No,
}

impl Copier<'_> {
    fn item(&mut self, listed: &Listed) -> Result<()> {
        match listed.sort {
            ListedSort::Directory => self.directory(listed),
            ListedSort::Symlink => self.symlink(listed),
            ListedSort::File => self.file(listed).map(drop),
            ListedSort::First(place) => {
                if self.file(listed)? != Copied::AsListed {
                    self.lost.insert(place, None);
                }
                Ok(())
            }
            ListedSort::More(place) => self.further_name(listed, place),
        }
    }

    fn directory(&mut self, listed: &Listed) -> Result<()> {
        let name = listed.name.as_bytes();
        let looked = self.descent.at(name).and_then(|directory| Ok((Meta::of(directory)?, self.xattrs.read(directory)?)));
        let looked = match looked {
            // The list told of it: it comes without its content, and as what can be seen from above.
            Err(why) if why.kind() == io::ErrorKind::PermissionDenied && self.unreadable == Unreadable::Skip => {
                self.descent.parent_of(name).and_then(|(parent, leaf)| Ok((Meta::at(parent, leaf)?, Vec::new())))
            }
            other => other,
        };
        match looked {
            Ok((meta, xattrs)) => self.without_content(listed, &meta, xattrs, b""),
            Err(why) => self.cannot_read(listed, &why),
        }
    }

    fn symlink(&mut self, listed: &Listed) -> Result<()> {
        let looked = self.descent.parent_of(listed.name.as_bytes()).and_then(|(directory, leaf)| {
            let meta = Meta::at(directory, leaf)?;
            Ok((rustix::fs::readlinkat(directory, leaf, Vec::new())?, meta))
        });
        match looked {
            Ok((target, meta)) => {
                self.without_content(listed, &meta, Vec::new(), target.as_bytes())?;
                if meta.stamp != listed.stamp {
                    self.changed(listed, "it was replaced after it was listed");
                }
                Ok(())
            }
            // It is no link any more.
            Err(why) if why.raw_os_error() == Some(Errno::INVAL.raw_os_error()) => self.cannot_read(listed, &Errno::NOENT.into()),
            Err(why) => self.cannot_read(listed, &why),
        }
    }

    fn without_content(&mut self, listed: &Listed, meta: &Meta, xattrs: Vec<Xattr>, content: &[u8]) -> Result<()> {
        let mut into = self.into.create(self.describer.entry(self.view, &listed.name, meta, xattrs))?;
        into.write(content)?;
        into.finish()
    }

    fn file(&mut self, listed: &Listed) -> Result<Copied> {
        let opened = self.open(listed.name.as_bytes()).and_then(|file| {
            let xattrs = if self.view == View::Files { self.xattrs.read(&file)? } else { Vec::new() };
            Ok((Meta::of(&file)?, xattrs, file))
        });
        let (meta, xattrs, file) = match opened {
            Ok((meta, ..)) if meta.sort != Sort::File => return self.cannot_read(listed, &Errno::NOENT.into()).map(|()| Copied::No),
            Ok(opened) => opened,
            Err(why) => return self.cannot_read(listed, &why).map(|()| Copied::No),
        };
        let mut into = self.into.create(self.describer.entry(self.view, &listed.name, &meta, xattrs))?;
        let (context, done, total) = (self.context, &mut self.done, self.inventory.bytes);
        let copied = content::copy(&file, &meta, into.as_mut(), &mut |bytes| {
            *done += bytes;
            context.progress(*done, Some(total), Unit::Bytes);
            context.check()
        });
        let copied = copied.map_err(|why| match why {
            CopyError::Source(why) => Error::io(format!("cannot read `{}`", listed.name), &why),
            CopyError::Archive(error) => error,
        })?;
        into.finish()?;
        self.compare(listed, &meta, copied, &file);
        Ok(if meta.stamp.id == listed.stamp.id { Copied::AsListed } else { Copied::Another })
    }

    /// Reports a file that is not what was listed, or did not stay what it was when it was opened.
    fn compare(&self, listed: &Listed, opened: &Meta, copied: u64, file: &OwnedFd) {
        let at_end = Meta::of(file).map(|meta| meta.stamp).ok();
        if at_end != Some(opened.stamp) || copied != opened.stamp.size {
            self.changed(listed, "it changed while it was read: the archive may hold a mixture of old and new content");
        } else if opened.stamp != listed.stamp {
            self.changed(listed, "it changed after it was listed: the archive holds the newer content");
        }
    }

    /// A further name of a file that is in the archive already; if it is not, or this is another file by now, the file itself.
    fn further_name(&mut self, listed: &Listed, place: u64) -> Result<()> {
        let looked = self.descent.parent_of(listed.name.as_bytes()).and_then(|(directory, leaf)| Meta::at(directory, leaf));
        let meta = match looked {
            Ok(meta) => meta,
            Err(why) => return self.cannot_read(listed, &why),
        };
        if meta.stamp.id != listed.stamp.id {
            return self.file(listed).map(drop);
        }
        let first = match self.lost.get(&place) {
            None => self.inventory.first_names.get(place)?,
            Some(Some(other)) => other.clone(),
            Some(None) => {
                if self.file(listed)? == Copied::AsListed {
                    self.lost.insert(place, Some(listed.name.clone()));
                }
                return Ok(());
            }
        };
        self.into.create(hard_link(&listed.name, &meta, &first))?.finish()
    }

    /// Opens a file for reading, if possible without a trace in its access time; never waits for a pipe's other end.
    fn open(&mut self, name: &[u8]) -> io::Result<OwnedFd> {
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY | self.follow;
        let (directory, leaf) = self.descent.parent_of(name)?;
        match rustix::fs::openat(directory, leaf, flags | OFlags::NOATIME, Mode::empty()) {
            Err(Errno::PERM) => Ok(rustix::fs::openat(directory, leaf, flags, Mode::empty())?),
            other => Ok(other?),
        }
    }

    /// Something that was listed cannot be read: gone, left out as told, or an error.
    fn cannot_read(&self, listed: &Listed, why: &io::Error) -> Result<()> {
        if matches!(why.raw_os_error().map(Errno::from_raw_os_error), Some(Errno::NOENT | Errno::NOTDIR | Errno::LOOP | Errno::STALE)) {
            let name = super::shown(listed.name.as_bytes());
            self.context.finding(FindingKind::Vanished, name, "it was listed, and gone when it was to be copied");
            return Ok(());
        }
        let error = Error::io(format!("cannot read `{}`", super::shown(listed.name.as_bytes())), why);
        if self.unreadable == Unreadable::Skip && error.kind() == ErrorKind::PermissionDenied {
            let message = format!("left out, as `unreadable = \"skip\"` says: {}", error.message());
            self.context.finding(FindingKind::Skipped, super::shown(listed.name.as_bytes()), message);
            return Ok(());
        }
        Err(error)
    }

    fn changed(&self, listed: &Listed, message: &str) {
        self.context.finding(FindingKind::Changed, super::shown(listed.name.as_bytes()), message);
    }
}
