//! `before_restore`: whether the target can take what the archive holds, and what stands in it that the archive lacks.
//! Writes nothing.

use std::sync::Arc;

use rustix::fd::OwnedFd;

use super::attributes::{Wanted, WantedSort};
use super::choice::Choice;
use super::descent::{Descent, split};
use super::extras::{self, Extras};
use super::names::{Clashes, NameSet, refusal};
use super::problems::Problems;
use super::put::link_target;
use super::room::Ground;
use super::scope::Scope;
use super::select::above;
use super::stat::{Meta, Sort};
use super::{Options, View};
use crate::archive::{EntryInfo, Reader};
use crate::drivers::{Context, Extra};
use crate::error::{Error, ErrorKind, Result};

/// What `before_restore` leaves to `restore`.
pub(super) struct Plan {
    pub(super) choice: Choice,
    /// What stands in the target and goes before anything is written.
    pub(super) extras: Extras,
    /// What the entries are.
    pub(super) tally: Tally,
    /// The first names of files that have several.
    pub(super) shared: NameSet,
}

/// What a restore puts back.
#[derive(Default)]
pub(super) struct Tally {
    pub(super) bytes: u64,
    pub(super) directories: u64,
    pub(super) hard_links: u64,
    /// Entries that stay in the archive, since the globs, other sets or file systems leave them out.
    pub(super) left_out: u64,
}

/// So many entries are asked of the index at once.
const PAGE: usize = 512;

/// Gives every entry of the set to `each`.
pub(super) fn each_entry(context: &Context, source: &dyn Reader, mut each: impl FnMut(EntryInfo) -> Result<()>) -> Result<()> {
    let mut entries = source.entries()?;
    loop {
        context.check()?;
        let page = entries.next(PAGE)?;
        if page.is_empty() {
            return Ok(());
        }
        page.into_iter().try_for_each(&mut each)?;
    }
}

/// Runs all checks. `root` is the target, where it exists.
///
/// # Errors
/// One that tells everything which stands against the restore; the archive's index cannot be read; the run is cancelled.
pub(super) fn inspect(
    context: &Context,
    options: &Options,
    root: Option<&Arc<OwnedFd>>,
    scope: &Scope,
    source: &dyn Reader,
) -> Result<Plan> {
    let ground = Ground::of(&options.root)?;
    let mut survey = Survey {
        view: options.view,
        choice: Choice::new(&options.root, &options.selection, &context.leave_out),
        longest_segment: ground.longest_segment(),
        target: root.map(|root| Descent::new(root, scope.links)),
        device: root.and_then(|root| scope.device(root)),
        without_mounts: None,
        names: NameSet::default(),
        shared: NameSet::default(),
        links: NameSet::default(),
        tally: Tally::default(),
        more_bytes: 0,
        most_replaced: 0,
        more_files: 0,
        problems: Problems::default(),
    };
    each_entry(context, source, |info| {
        survey.entry(&info, source);
        Ok(())
    })?;
    let clashes = survey.names.seal();
    survey.shared.seal();
    survey.links.seal();
    if !clashes.is_empty() || !survey.names.has_files(&survey.shared) || survey.links.meets(&survey.shared) {
        each_entry(context, source, |info| {
            survey.clash(&clashes, &info);
            Ok(())
        })?;
    }
    survey.problems.check(knows_what_was_skipped(context));
    let extras = match root {
        Some(root) => extras::find(context, options, root, scope, &survey.names, &mut survey.problems)?,
        None => Extras::none()?,
    };
    let freed = if context.restore.extra == Some(Extra::Delete) { extras.bytes } else { 0 };
    let more_bytes = (survey.more_bytes + survey.most_replaced).saturating_sub(freed);
    survey.problems.check(ground.check_writable());
    survey.problems.check(ground.check_room(more_bytes, survey.more_files));
    survey.problems.into_result()?;
    Ok(Plan { choice: survey.choice, extras, tally: survey.tally, shared: survey.shared })
}

/// Whether what a dump left out as told can be told from what the archive lacks for other reasons.
fn knows_what_was_skipped(context: &Context) -> Result<()> {
    if context.skipped.more && context.restore.extra == Some(Extra::Delete) {
        let message = "`--extra delete` could delete what the dump left out as told: the archive does not name all of that";
        return Err(Error::new(ErrorKind::Unsupported, message).hint("pass `--extra keep`, and delete by hand what must go"));
    }
    Ok(())
}

/// What the entries say, and what stands against them.
struct Survey {
    view: View,
    choice: Choice,
    longest_segment: u64,
    /// The target, where there is one.
    target: Option<Descent>,
    /// The file system that the set stays on, where it stays on one.
    device: Option<u64>,
    /// The directory of the target that was looked at last and lies on it.
    without_mounts: Option<Vec<u8>>,
    names: NameSet,
    shared: NameSet,
    /// The names of symbolic and hard links: none of them is a file that can have further names.
    links: NameSet,
    tally: Tally,
    /// How many bytes more the target will take up.
    more_bytes: u64,
    /// The largest file that is perhaps replaced: old and new stand beside each other for a moment.
    most_replaced: u64,
    more_files: u64,
    problems: Problems,
}

impl Survey {
    fn entry(&mut self, info: &EntryInfo, source: &dyn Reader) {
        let name = info.entry.name.as_bytes();
        let wanted = match Wanted::of(self.view, &info.entry) {
            Ok(wanted) => wanted,
            Err(error) => return self.problems.check(Err(error)),
        };
        let is_directory = wanted.sort == WantedSort::Directory;
        if let Some(why) = refusal(self.view, name, &wanted.sort, self.longest_segment) {
            let message = format!("the archive holds names that a directory cannot hold: {why}");
            return self.problems.name(ErrorKind::Unsupported, &message, None, ("name", name));
        }
        self.look_for_mount(name);
        if !self.choice.takes(name, is_directory) {
            self.tally.left_out += u64::from(!(is_directory && self.choice.is_mount(name)));
            return;
        }
        self.names.add_with_directories(name, is_directory);
        if matches!(wanted.sort, WantedSort::Symlink | WantedSort::HardLink(_)) {
            self.links.add(name, false);
        }
        match &wanted.sort {
            WantedSort::Directory => self.tally.directories += 1,
            WantedSort::HardLink(first) => {
                self.tally.hard_links += 1;
                self.shared.add(first.as_bytes(), false);
            }
            WantedSort::Symlink if info.size == 0 || info.size > LONGEST_LINK => {
                let message = "the archive holds symbolic links that no file system can hold: their targets are empty or too long";
                self.problems.name(ErrorKind::Corrupt, message, None, ("link", name));
            }
            WantedSort::Symlink => {
                self.tally.bytes += info.size;
                self.symlink(info, source);
            }
            WantedSort::File => self.tally.bytes += info.size,
        }
        self.compare(name, info, &wanted);
    }

    /// Reads where a symbolic link leads: what no link can hold is found before anything is written.
    fn symlink(&mut self, info: &EntryInfo, source: &dyn Reader) {
        let mut buffer = [0; LONGEST_LINK as usize];
        let target = source.open(&info.entry.name).and_then(|mut from| link_target(from.as_mut(), &mut buffer));
        let name = info.entry.name.as_bytes();
        self.problems.check(target.map(drop).map_err(|error| error.while_(format!("cannot restore `{}`", super::shown(name)))));
    }

    /// Leaves out of the restore what another file system stands in the place of, where the set stays on one.
    fn look_for_mount(&mut self, name: &[u8]) {
        let (Some(device), Some(target)) = (self.device, &mut self.target) else { return };
        let directory = split(name).0;
        let mut is_mount = |name: &[u8]| {
            let Ok((parent, leaf)) = target.parent_of(name) else { return false };
            Meta::at(parent, leaf).is_ok_and(|meta| meta.is_mounted(parent, leaf, device))
        };
        if self.without_mounts.as_deref() != Some(directory) {
            if let Some(mount) = above(name).find(|above| is_mount(above)) {
                return self.choice.leave_out_mount(mount);
            }
            self.without_mounts = Some(directory.to_vec());
        }
        if !name.is_empty() && is_mount(name) {
            self.choice.leave_out_mount(name);
        }
    }

    /// Counts what the target will need for an entry.
    fn compare(&mut self, name: &[u8], info: &EntryInfo, wanted: &Wanted) {
        let there = self.target.as_mut().and_then(|target| {
            let (directory, leaf) = target.parent_of(name).ok()?;
            Meta::at(directory, if leaf.is_empty() { b"." } else { leaf }).ok()
        });
        let size = wanted.allocated.map_or(info.size, |allocated| allocated.min(info.size));
        match there {
            Some(there) if there.sort == Sort::File => {
                self.more_bytes += size.saturating_sub(there.allocated.max(there.stamp.size.min(size)));
                self.most_replaced = self.most_replaced.max(size);
            }
            Some(_) => self.more_bytes += size,
            None => {
                self.more_bytes += size;
                self.more_files += 1;
            }
        }
    }

    /// Names an entry that cannot stand beside another, or as what it is.
    fn clash(&mut self, clashes: &Clashes, info: &EntryInfo) {
        let name = info.entry.name.as_bytes();
        let Ok(wanted) = Wanted::of(self.view, &info.entry) else { return };
        if wanted.sort != WantedSort::Directory && clashes.has(name) && self.names.is_directory(name).is_some() {
            let message = "the archive holds names that a directory cannot hold beside others: there twice, or as a file \
                           (or link) and with more below it";
            self.problems.name(ErrorKind::Unsupported, message, None, ("name", name));
        }
        if let WantedSort::HardLink(first) = &wanted.sort
            && self.choice.takes(name, false)
            && (self.names.is_directory(first.as_bytes()) != Some(false) || self.links.is_directory(first.as_bytes()).is_some())
        {
            let message = "the archive holds hard links whose file is not restored with them";
            self.problems.name(ErrorKind::Corrupt, message, None, ("link", name));
        }
    }
}

/// The longest target of a symbolic link, in bytes (`PATH_MAX`, its closing NUL left out).
const LONGEST_LINK: u64 = 4095;
