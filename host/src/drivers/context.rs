//! What a driver is given in every moment beside its archive: how to report, when to stop, and what the user chose.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::cancel::Cancel;
use crate::error::Result;
use crate::name::SetPath;

/// One set's view of the run, in one moment.
#[derive(Clone)]
pub struct Context {
    /// The set.
    pub set: SetPath,
    /// Asks to stop.
    pub cancel: Cancel,
    /// Where reports go.
    pub reporter: Arc<dyn Reporter>,
    /// What a set's walk or listing leaves out: absolute paths of the archive itself and of other sets that lie inside; or, of objects,
    /// the URLs of such sets, as [`Occupied::Objects`](super::Occupied::Objects) has them.
    pub leave_out: Vec<PathBuf>,
    /// At a restore, what the archive lacks of the set since its dump left it out as told.
    pub skipped: Arc<Skipped>,
    /// What the user chose for this restore.
    pub restore: RestoreOptions,
}

impl Context {
    /// Ends the caller's work with `?` once the run is cancelled.
    ///
    /// # Errors
    /// [`ErrorKind::Cancelled`](crate::error::ErrorKind::Cancelled).
    pub fn check(&self) -> Result<()> {
        self.cancel.check()
    }

    /// The items to which the user limits the restore of this set; none where all of it is meant.
    pub fn items(&self) -> Option<&[String]> {
        self.restore.items.get(&self.set).map(Vec::as_slice)
    }

    /// Says how far the set is. Cheap: call it as often as there is news.
    pub fn progress(&self, done: u64, total: Option<u64>, unit: Unit) {
        self.reporter.progress(done, total, unit);
    }

    /// Says something for the log.
    pub fn log(&self, level: Level, message: impl Into<String>) {
        self.reporter.log(level, message.into());
    }

    /// Warns: shown to the user and kept in the manifest, without a change of the exit code.
    pub fn warn(&self, message: impl Into<String>) {
        self.reporter.log(Level::Warn, message.into());
    }

    /// Records a finding: shown to the user, kept in the manifest, exit code 3.
    pub fn finding(&self, kind: FindingKind, name: impl ToString, message: impl Into<String>) {
        self.reporter.finding(Finding { set: self.set.clone(), kind, name: name.to_string(), message: message.into() });
    }
}

/// Takes what drivers report. The engine's; tests have their own.
pub trait Reporter: Send + Sync {
    /// Something for the log; [`Level::Warn`] also for the manifest.
    fn log(&self, level: Level, message: String);
    /// How far the set is.
    fn progress(&self, done: u64, total: Option<u64>, unit: Unit);
    /// Something for the manifest and for exit code 3.
    fn finding(&self, finding: Finding);
}

/// How loud a log line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    /// For who debugs a driver.
    Trace,
    /// For who wants to know what happens (`-v`).
    Debug,
    /// For everybody.
    Info,
    /// Something that the user should look at.
    Warn,
    /// Something that went wrong.
    Error,
}

/// In what progress is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Unit {
    /// Bytes of content.
    Bytes,
    /// Entries: files, objects, keys.
    Entries,
}

/// Something that was found wrong while a run went on to its end: it ends with exit code 3.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Finding {
    /// In which set.
    pub set: SetPath,
    /// What sort of thing.
    pub kind: FindingKind,
    /// The entry, value or moment that it is about.
    pub name: String,
    /// What happened, and what it means.
    pub message: String,
}

/// The sorts of finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum FindingKind {
    /// It was listed, and gone when it was to be copied.
    Vanished,
    /// It changed while it was copied.
    Changed,
    /// It was left out, as the configuration says.
    Skipped,
    /// A row names an entry that is not there.
    Dangling,
    /// A set's `after_*` failed.
    AfterFailed,
}

/// What a dump left out of one set as the configuration said: its findings of kind [`FindingKind::Skipped`], as far as the manifest
/// names them. A restore cannot bring such things back, so it must not delete them either.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Skipped {
    /// Their names, for people, as the findings have them.
    pub names: BTreeSet<String>,
    /// Whether there may be more than these.
    pub more: bool,
}

/// What the user chose for a restore.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RestoreOptions {
    /// `--recreate`: throw away what stands in the target (a database, say), and make it anew. Never together with `items`.
    pub recreate: bool,
    /// `--extra`: what becomes of things in the target that the archive lacks; `None` is to refuse.
    pub extra: Option<Extra>,
    /// `--force`: what is in use is thrown away all the same (sessions at a database are ended).
    pub force: bool,
    /// `--truncate`: what `items` name is emptied before it is filled.
    pub truncate: bool,
    /// `--only SET:ITEM`: of these sets only these items. Only for drivers whose [`Driver::items`](super::Driver::items) says
    /// what they are.
    pub items: BTreeMap<SetPath, Vec<String>>,
}

impl RestoreOptions {
    /// Whether something in a target is thrown away.
    pub fn destroys(&self) -> bool {
        self.recreate || self.truncate || self.extra == Some(Extra::Delete)
    }
}

/// What becomes of things in the target that the archive lacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extra {
    /// They stay.
    Keep,
    /// They are deleted.
    Delete,
}
