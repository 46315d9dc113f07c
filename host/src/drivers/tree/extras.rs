//! What stands in a target and the archive lacks: found before a restore, and deleted where the user says so.

use std::io;
use std::sync::Arc;

use rustix::fd::OwnedFd;
use rustix::fs::AtFlags;
use rustix::io::Errno;

use super::descent::{Descent, split};
use super::names::NameSet;
use super::problems::Problems;
use super::scope::{Passed, Scope};
use super::stat::{Meta, Sort};
use super::walk::{Look, Place, Visitor, walk};
use super::{Options, Unreadable, View};
use crate::archive::Spool;
use crate::archive::{escape, unescape};
use crate::drivers::{Context, Extra, Level};
use crate::error::{Error, ErrorKind, Result};
use crate::name::EntryName;

/// What goes before a restore writes anything.
pub(super) struct Extras {
    /// Things that the archive lacks, and things in the way of what it has; of a directory, only its own name.
    doomed: Spool,
    /// Files that a killed restore left behind.
    leftovers: Spool,
    /// What the things to be deleted take on the disk.
    pub(super) bytes: u64,
    /// Whether nothing else stands in the target.
    pub(super) target_is_empty: bool,
}

impl Extras {
    /// Of a target that does not exist.
    pub(super) fn none() -> Result<Self> {
        Ok(Self { doomed: Spool::new()?, leftovers: Spool::new()?, bytes: 0, target_is_empty: true })
    }
}

/// Goes through the target, which holds `names` after the restore. What the user did not allow to stay or go is a problem.
///
/// # Errors
/// Something in the target cannot be looked into; the run is cancelled.
pub(super) fn find(
    context: &Context,
    options: &Options,
    root: &Arc<OwnedFd>,
    scope: &Scope,
    names: &NameSet,
    problems: &mut Problems,
) -> Result<Extras> {
    let mut finder = Finder {
        context,
        view: options.view,
        skip_unreadable: options.unreadable == Unreadable::Skip,
        device: scope.device(root),
        names,
        problems,
        extras: Extras::none()?,
        inside: None,
        blocked: None,
    };
    walk(root, b"", scope, &context.cancel, &mut finder)?;
    Ok(finder.extras)
}

struct Finder<'a> {
    context: &'a Context,
    view: View,
    /// Whether the set leaves out what cannot be read: then that is not extra either, since no dump could hold it.
    skip_unreadable: bool,
    /// The file system that the set stays on: what is mounted below is none of its things.
    device: Option<u64>,
    names: &'a NameSet,
    problems: &'a mut Problems,
    extras: Extras,
    /// A directory that was found to be extra: nothing below it is told.
    inside: Option<Vec<u8>>,
    /// A directory where an object must go: a problem only if something is below it.
    blocked: Option<Vec<u8>>,
}

impl Finder<'_> {
    /// Something that the archive lacks.
    fn extra(&mut self, name: &[u8]) -> Result<()> {
        let choice = self.context.restore.extra;
        if choice.is_none() {
            let hint = "`--extra keep` leaves such things where they are, `--extra delete` deletes them";
            self.problems.name(ErrorKind::Other, "the target holds things that the archive lacks", Some(hint), ("extra", name));
        }
        if choice == Some(Extra::Delete) { self.doom(name) } else { Ok(()) }
    }

    /// Something at whose name the archive has a directory, or a directory where it has none.
    fn in_the_way(&mut self, name: &[u8]) -> Result<()> {
        if self.context.restore.extra == Some(Extra::Delete) {
            return self.doom(name);
        }
        let message = "the target holds things in the way of what the archive holds: a directory where a file or link must go, or the \
                       reverse";
        self.problems.name(ErrorKind::Other, message, Some("move them away, or let `--extra delete` delete them"), ("in the way", name));
        Ok(())
    }

    fn doom(&mut self, name: &[u8]) -> Result<()> {
        self.extras.doomed.push(escape(&EntryName::from_bytes(name)).as_bytes())
    }

    /// Whether the archive lacks this since its dump left it out as told.
    fn was_skipped(&self, name: &[u8]) -> bool {
        let skipped = &self.context.skipped.names;
        !skipped.is_empty() && skipped.contains(&super::shown(name))
    }

    /// Whether something that was left out as told stands below this directory.
    fn holds_skipped(&self, name: &[u8]) -> bool {
        let below = super::shown(name) + "/";
        self.context.skipped.names.range(below.clone()..).next().is_some_and(|first| first.starts_with(&below))
    }

    /// Something that the dump left out as told.
    fn spare(&self, name: &[u8]) {
        self.context.log(Level::Info, format!("`{}` stays as it is: the dump left it out, as it was told", super::shown(name)));
    }

    /// Something that no dump of this set could hold.
    fn keep(&mut self, name: &[u8]) {
        self.extras.target_is_empty = false;
        let name = super::shown(name);
        self.context.warn(format!("`{name}` stays as it is: it cannot be read, and `unreadable = \"skip\"` leaves it out"));
    }

    fn is_inside(&self, name: &[u8]) -> bool {
        self.inside.as_ref().is_some_and(|inside| is_below(name, inside))
    }
}

impl Visitor for Finder<'_> {
    fn directory(&mut self, name: &[u8], meta: &Meta) -> Result<Look> {
        if self.device.is_some_and(|device| device != meta.stamp.id.device) {
            self.extras.target_is_empty = false;
            return Ok(Look::Past);
        }
        if name.is_empty() || self.is_inside(name) {
            return Ok(Look::Into);
        }
        self.extras.target_is_empty = false;
        if self.was_skipped(name) {
            self.spare(name);
            return Ok(Look::Past);
        }
        match (self.names.is_directory(name), self.view) {
            (Some(true), _) | (None, View::Objects) => {}
            (Some(false), View::Objects) => self.blocked = Some(name.to_vec()),
            (Some(false), View::Files) => {
                self.inside = Some(name.to_vec());
                self.in_the_way(name)?;
            }
            (None, View::Files) if self.holds_skipped(name) => {}
            (None, View::Files) => {
                self.inside = Some(name.to_vec());
                self.extra(name)?;
            }
        }
        Ok(Look::Into)
    }

    fn file(&mut self, place: &Place<'_>) -> Result<()> {
        self.extras.target_is_empty = false;
        if place.is_mounted(self.device) {
            return Ok(());
        }
        if self.is_inside(place.name) {
            self.extras.bytes += place.meta.allocated;
            return Ok(());
        }
        let blocks = self.blocked.as_ref().is_some_and(|blocked| is_below(place.name, blocked));
        match self.names.is_directory(place.name) {
            Some(false) => return Ok(()),
            Some(true) => self.in_the_way(place.name)?,
            None if blocks => self.in_the_way(place.name)?,
            None if self.was_skipped(place.name) => {
                self.spare(place.name);
                return Ok(());
            }
            None if self.skip_unreadable && place.check_readable() == Err(Errno::ACCESS) => {
                self.keep(place.name);
                return Ok(());
            }
            None => self.extra(place.name)?,
        }
        self.extras.bytes += place.meta.allocated;
        Ok(())
    }

    fn unreadable(&mut self, name: &[u8], why: &io::Error) -> Result<()> {
        if self.was_skipped(name) {
            self.extras.target_is_empty = false;
            self.spare(name);
            return Ok(());
        }
        if self.skip_unreadable && self.names.is_directory(name) != Some(false) {
            self.keep(name);
            return Ok(());
        }
        let error = Error::io(format!("cannot look into `{}` of the target", super::shown(name)), why);
        self.problems.check(Err(error.hint("run as a user who may, or change its mode")));
        Ok(())
    }

    fn passed(&mut self, name: &[u8], why: Passed) -> Result<()> {
        if why == Passed::Leftover {
            return self.extras.leftovers.push(escape(&EntryName::from_bytes(name)).as_bytes());
        }
        self.extras.target_is_empty = false;
        let must_be_directory = self.names.is_directory(name) == Some(true);
        match why {
            Passed::Socket | Passed::Pipe | Passed::Device | Passed::DanglingLink | Passed::Loop if must_be_directory => {
                self.in_the_way(name)
            }
            Passed::Outside if must_be_directory => {
                let message = "the target has symbolic links that lead out of it, and nothing is written through them";
                let hint = "make the link's target a set of its own, or mount it there";
                self.problems.name(ErrorKind::Unsupported, message, Some(hint), ("link", name));
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

fn is_below(name: &[u8], directory: &[u8]) -> bool {
    name.strip_prefix(directory).is_some_and(|rest| rest.first() == Some(&b'/'))
}

/// Deletes what [`find`] found. Says how many things it was.
///
/// # Errors
/// Something cannot be deleted; the run is cancelled.
pub(super) fn delete(context: &Context, view: View, root: &Arc<OwnedFd>, scope: &Scope, extras: &Extras) -> Result<u64> {
    let mut deleter = Deleter { context, view, device: scope.device(root), descent: Descent::new(root, scope.links), deleted: 0 };
    for name in names(&extras.leftovers) {
        deleter.file(&name?)?;
    }
    deleter.deleted = 0;
    for name in names(&extras.doomed) {
        let name = name?;
        context.check()?;
        let meta = deleter.descent.parent_of(&name).and_then(|(directory, leaf)| Meta::at(directory, leaf));
        match meta {
            Ok(meta) if meta.sort == Sort::Directory => walk(root, &name, scope, &context.cancel, &mut deleter)?,
            Ok(_) => {
                deleter.file(&name)?;
                deleter.emptied(split(&name).0);
            }
            Err(why) if why.kind() == io::ErrorKind::NotFound => {}
            Err(why) => return Err(cannot_delete(&name, &why)),
        }
    }
    Ok(deleter.deleted)
}

fn names(spool: &Spool) -> impl Iterator<Item = Result<Vec<u8>>> {
    spool.lines().map(|line| {
        let line = line?;
        let name = std::str::from_utf8(&line).ok().and_then(unescape);
        name.map(|name| name.as_bytes().to_vec()).ok_or_else(|| Error::corrupt("a list of names changed in its temporary file"))
    })
}

fn cannot_delete(name: &[u8], why: &io::Error) -> Error {
    Error::io(format!("cannot delete `{}`", super::shown(name)), why)
}

struct Deleter<'a> {
    context: &'a Context,
    view: View,
    /// The file system that the set stays on.
    device: Option<u64>,
    descent: Descent,
    deleted: u64,
}

impl Deleter<'_> {
    fn file(&mut self, name: &[u8]) -> Result<()> {
        let removed =
            self.descent.parent_of(name).and_then(|(directory, leaf)| Ok(rustix::fs::unlinkat(directory, leaf, AtFlags::empty())?));
        match removed {
            Err(why) if why.kind() != io::ErrorKind::NotFound => Err(cannot_delete(name, &why)),
            _ => {
                self.deleted(name);
                Ok(())
            }
        }
    }

    fn kept(&self, name: &[u8], why: &str) {
        self.context.log(Level::Info, format!("`{}` is kept: {why}", super::shown(name)));
    }

    fn deleted(&mut self, name: &[u8]) {
        self.deleted += 1;
        self.context.log(Level::Debug, format!("deleted `{}`", super::shown(name)));
    }

    /// Removes directories that hold no object any more; to objects they are nothing.
    fn emptied(&mut self, mut directory: &[u8]) {
        while self.view == View::Objects && !directory.is_empty() {
            let (above, leaf) = split(directory);
            let gone = self.descent.at(above).is_ok_and(|above| rustix::fs::unlinkat(above, leaf, AtFlags::REMOVEDIR).is_ok());
            if !gone {
                break;
            }
            directory = above;
        }
    }
}

impl Visitor for Deleter<'_> {
    fn directory(&mut self, _: &[u8], _: &Meta) -> Result<Look> {
        Ok(Look::Into)
    }

    fn file(&mut self, place: &Place<'_>) -> Result<()> {
        if place.is_mounted(self.device) {
            return Ok(());
        }
        Deleter::file(self, place.name)
    }

    fn unreadable(&mut self, name: &[u8], why: &io::Error) -> Result<()> {
        Err(cannot_delete(name, why))
    }

    fn passed(&mut self, name: &[u8], why: Passed) -> Result<()> {
        match why {
            Passed::LeftOut | Passed::OtherFileSystem => Ok(()),
            _ => Deleter::file(self, name),
        }
    }

    fn left(&mut self, name: &[u8]) -> Result<()> {
        let removed =
            self.descent.parent_of(name).and_then(|(directory, leaf)| Ok(rustix::fs::unlinkat(directory, leaf, AtFlags::REMOVEDIR)?));
        match removed {
            Ok(()) => {
                self.deleted(name);
                Ok(())
            }
            Err(why) if why.raw_os_error() == Some(Errno::NOTEMPTY.raw_os_error()) => {
                self.kept(name, "it holds what the set leaves out");
                Ok(())
            }
            Err(why) if why.raw_os_error() == Some(Errno::BUSY.raw_os_error()) => {
                self.kept(name, "a file system is mounted there");
                Ok(())
            }
            Err(why) if why.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(why) => Err(cannot_delete(name, &why)),
        }
    }
}
