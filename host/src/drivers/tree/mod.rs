//! Directories, for the drivers that dump and restore them: one walker, one copier, one placer, and what differs between a
//! tree of files (`filesystem`) and a directory of objects (`media`).
//!
//! `walk` goes through a directory within a `scope`, `select` knows its globs, `descent` opens what lies below without
//! being led out. A dump: `list` fills an `inventory`, `copy` reads it through `content` into entries, whose metadata `attributes`
//! and `xattrs` describe. A restore: `inspect` checks, with `names`, `choice`, `room` and `extras`, and gathers `problems`; `place`
//! deals out the entries, `put` puts each into its place, `sparse` and `temporary` and `metadata` are its tools.

mod attributes;
mod choice;
mod content;
mod copy;
mod descent;
mod extras;
mod inspect;
mod inventory;
mod list;
mod metadata;
mod names;
mod place;
mod problems;
mod put;
mod room;
mod scope;
mod select;
mod sparse;
mod stat;
mod temporary;
mod walk;
mod xattrs;

#[cfg(test)]
mod tests;

pub(super) use select::Selection;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use rustix::fd::OwnedFd;
use rustix::fs::{Mode, OFlags};
use schemars::JsonSchema;
use serde::Deserialize;

use self::descent::Links;
use self::inspect::Plan;
use self::inventory::Inventory;
use self::scope::{LeftOut, Scope};
use super::{Context, Description, Driver, Ended, Occupied, Outcome, PointInTime, Survey, Worth};
use crate::archive::{Reader, Writer};
use crate::error::{Error, ErrorKind, Result};
use crate::name::EntryName;

/// What a set sees in its directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum View {
    /// Everything that a file system has: directories, links, owners, extended attributes.
    Files,
    /// Objects: files by their names, read through links.
    Objects,
}

impl View {
    /// What happens to links where the directory is read.
    fn links_of_source(self) -> Links {
        if self == Self::Files { Links::Refuse } else { Links::Follow }
    }

    /// What happens to links where the directory is written.
    fn links_of_target(self) -> Links {
        if self == Self::Files { Links::Refuse } else { Links::Within }
    }
}

/// What happens to files and directories that cannot be read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Unreadable {
    /// The dump fails before it begins, and names them all.
    #[default]
    Fail,
    /// They are left out; each is told, and the dump ends with exit code 3.
    Skip,
}

/// What a set's settings say of its directory.
#[derive(Clone, Debug)]
pub(super) struct Options {
    /// The driver's name.
    pub(super) driver: &'static str,
    /// The format of its entries.
    pub(super) format: &'static str,
    pub(super) root: PathBuf,
    pub(super) view: View,
    pub(super) selection: Selection,
    pub(super) one_file_system: bool,
    pub(super) unreadable: Unreadable,
}

/// A driver for a set's directory.
pub(super) fn driver(options: Options) -> Box<dyn Driver> {
    Box::new(Directory { options, listed: None, plan: None })
}

/// A set's directory, through the moments of one run.
struct Directory {
    options: Options,
    listed: Option<Listing>,
    plan: Option<Plan>,
}

/// What `before_dump` leaves to `dump`.
struct Listing {
    root: Arc<OwnedFd>,
    inventory: Inventory,
}

impl Driver for Directory {
    fn describe(&self) -> Description {
        Description {
            name: self.options.driver.into(),
            version: env!("CARGO_PKG_VERSION").into(),
            formats: vec![self.options.format.into()],
            has_columns: false,
            has_names: true,
            details: BTreeMap::new(),
        }
    }

    fn survey(&self) -> Survey {
        let root = &self.options.root;
        let mut survey = Survey::new(root.display().to_string(), Worth::Interval);
        survey.occupies.push(Occupied::Tree(root.canonicalize().unwrap_or_else(|_| root.clone())));
        survey
    }

    fn before_dump(&mut self, context: &Context) -> Result<PointInTime> {
        let root = Arc::new(self.open()?);
        let scope = self.scope(context, self.options.view.links_of_source());
        let point = PointInTime::now(Worth::Interval);
        let inventory = list::list(context, &root, self.options.view, &scope, self.options.unreadable)?;
        self.listed = Some(Listing { root, inventory });
        Ok(point)
    }

    fn dump(&mut self, context: &Context, into: Box<dyn Writer>) -> Result<Outcome> {
        let Listing { root, inventory } = self.listed.take().ok_or_else(|| out_of_order("dump"))?;
        copy::copy(context, &root, self.options.view, self.options.unreadable, &inventory, into)?;
        Ok(Outcome::new(self.options.format))
    }

    fn after_dump(&mut self, _: &Context, _: &Ended) -> Result<()> {
        self.listed = None;
        Ok(())
    }

    fn before_restore(&mut self, context: &Context, source: &dyn Reader) -> Result<()> {
        let options = &self.options;
        let root = if options.root.try_exists().unwrap_or(true) { Some(Arc::new(self.open()?)) } else { None };
        let scope = self.scope(context, options.view.links_of_target());
        self.plan = Some(inspect::inspect(context, options, root.as_ref(), &scope, source)?);
        Ok(())
    }

    fn restore(&mut self, context: &Context, source: &dyn Reader) -> Result<Outcome> {
        let plan = self.plan.take().ok_or_else(|| out_of_order("restore"))?;
        if plan.tally.left_out > 0 {
            let number = plan.tally.left_out;
            let why = "`include`, `exclude`, another set or a mounted file system leave them out";
            context.warn(format!("{number} entries stay in the archive: {why}"));
        }
        let root = place::make_root(&self.options.root)?;
        let scope = self.scope(context, self.options.view.links_of_target());
        let done = place::place(context, self.options.view, root, &scope, &plan, source)?;
        let notes = [("written", done.written), ("repaired", done.repaired), ("unchanged", done.unchanged), ("deleted", done.deleted)];
        let told = notes.into_iter().filter(|(_, number)| *number > 0);
        Ok(told.fold(Outcome::default(), |outcome, (what, number)| outcome.note(what, number.to_string())))
    }

    fn after_restore(&mut self, _: &Context, _: &Ended) -> Result<()> {
        self.plan = None;
        Ok(())
    }
}

fn out_of_order(moment: &str) -> Error {
    Error::new(ErrorKind::Other, format!("`{moment}` was called without the moment before it")).untouched()
}

impl Directory {
    fn scope(&self, context: &Context, links: Links) -> Scope {
        Scope {
            links,
            selection: self.options.selection.clone(),
            left_out: LeftOut::new(&context.leave_out),
            one_file_system: self.options.one_file_system,
        }
    }

    fn open(&self) -> Result<OwnedFd> {
        let root = &self.options.root;
        rustix::fs::open(root, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty()).map_err(|why| {
            let error = Error::io(format!("cannot open the directory `{}`", root.display()), &why.into());
            if why == rustix::io::Errno::NOENT { error.hint("make it, or correct the configuration") } else { error }
        })
    }
}

/// A name for people; the root's empty one as `.`.
fn shown(name: &[u8]) -> String {
    if name.is_empty() { ".".into() } else { EntryName::from_bytes(name).to_string() }
}
