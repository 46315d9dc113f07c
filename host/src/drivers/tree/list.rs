//! `before_dump`: lists what a set holds, and makes sure that all of it can be read.

use std::io;
use std::sync::Arc;

use rustix::fd::OwnedFd;
use rustix::io::Errno;

use super::inventory::{Inventory, Listed, ListedSort};
use super::scope::{Passed, Scope};
use super::select::Unmatched;
use super::stat::{Meta, Sort};
use super::walk::{Look, Place, Visitor, walk};
use super::{Unreadable, View};
use crate::drivers::{Context, FindingKind, Level};
use crate::error::{Error, ErrorKind, Result};
use crate::name::EntryName;

/// Lists a directory.
///
/// # Errors
/// One that names everything which cannot be read, unless `unreadable` says that it is to be left out, as a finding each; the run
/// is cancelled.
pub(super) fn list(context: &Context, root: &Arc<OwnedFd>, view: View, scope: &Scope, unreadable: Unreadable) -> Result<Inventory> {
    let unmatched = scope.selection.unmatched();
    let mut lister = Lister { context, view, choice: unreadable, unmatched, inventory: Inventory::new()?, unreadable: Vec::new() };
    walk(root, b"", scope, &context.cancel, &mut lister)?;
    lister.unmatched.texts().for_each(|glob| context.warn(format!("the glob `{glob}` of `include` matches nothing")));
    match lister.unreadable.len() {
        0 => Ok(lister.inventory),
        number => {
            let what = if number == 1 { "1 file or directory".into() } else { format!("{number} files or directories") };
            let exclude = if view == View::Files { "leave them out with `exclude`, " } else { "" };
            let error = Error::new(ErrorKind::PermissionDenied, format!("{what} cannot be read"))
                .hint(format!("run as a user who may read them, {exclude}or set `unreadable = \"skip\"`"));
            Err(lister.unreadable.into_iter().fold(error, |error, (name, why)| error.with("unreadable", format!("{name}: {why}"))))
        }
    }
}

struct Lister<'a> {
    context: &'a Context,
    view: View,
    choice: Unreadable,
    unmatched: Unmatched<'a>,
    inventory: Inventory,
    /// Names and reasons.
    unreadable: Vec<(String, String)>,
}

impl Lister<'_> {
    fn push(&mut self, name: &[u8], sort: ListedSort, meta: &Meta) -> Result<()> {
        self.inventory.push(&Listed { name: EntryName::from_bytes(name), sort, stamp: meta.stamp })
    }
}

impl Visitor for Lister<'_> {
    fn directory(&mut self, name: &[u8], meta: &Meta) -> Result<Look> {
        self.unmatched.meet(name);
        if self.view == View::Files {
            self.push(name, ListedSort::Directory, meta)?;
        }
        Ok(Look::Into)
    }

    fn file(&mut self, place: &Place<'_>) -> Result<()> {
        self.unmatched.meet(place.name);
        if place.meta.sort == Sort::Symlink {
            return self.push(place.name, ListedSort::Symlink, &place.meta);
        }
        match place.check_readable() {
            Err(Errno::NOENT) => return Ok(()),
            Err(why) => return self.unreadable(place.name, &why.into()),
            Ok(()) => {}
        }
        let sort = if self.view == View::Files && place.meta.links > 1 {
            self.inventory.first_names.meet(place.meta.stamp.id, place.name)?
        } else {
            ListedSort::File
        };
        self.push(place.name, sort, &place.meta)
    }

    fn unreadable(&mut self, name: &[u8], why: &io::Error) -> Result<()> {
        self.unmatched.meet(name);
        let name = super::shown(name);
        let why = Error::io("", why).message().trim_start_matches(": ").to_owned();
        if self.choice == Unreadable::Skip {
            self.context.finding(FindingKind::Skipped, &name, format!("left out, as `unreadable = \"skip\"` says: {why}"));
        } else {
            self.unreadable.push((name, why));
        }
        Ok(())
    }

    fn passed(&mut self, name: &[u8], why: Passed) -> Result<()> {
        self.unmatched.meet(name);
        let (level, why) = match why {
            Passed::LeftOut => (Level::Info, "is left out: it is the archive itself, or belongs to another set"),
            Passed::OtherFileSystem => (Level::Info, "is left empty: another file system is mounted there"),
            Passed::Leftover => (Level::Warn, "is left out: a restore that was interrupted left it behind"),
            Passed::Socket => (Level::Warn, "is left out: it is a socket"),
            Passed::Pipe => (Level::Warn, "is left out: it is a pipe"),
            Passed::Device => (Level::Warn, "is left out: it is a device"),
            Passed::DanglingLink => (Level::Warn, "is left out: it is a symbolic link that leads nowhere"),
            Passed::Loop => (Level::Warn, "is left out: it is a symbolic link that leads in a circle"),
            Passed::Outside => (Level::Warn, "is left out: it is a symbolic link that leads out of the directory"),
        };
        self.context.log(level, format!("`{}` {why}", super::shown(name)));
        Ok(())
    }
}
