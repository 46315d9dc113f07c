//! Configuration, arguments and environment → the plan: a value that `plan` prints and `dump` and `restore` execute.
//!
//! Every check that needs no connection lives here and nowhere else: drivers and their settings, the order of links, sets that
//! lie inside each other, what `--only` and `--skip` leave, whether an archive and a configuration belong together. All
//! problems are found before any is reported; each ends a command with exit code 2.

mod arm;
mod compare;
mod default_set;
mod init;
mod items;
mod links;
mod overlap;
mod select;
mod view;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

pub use compare::records;
pub use init::{Draft, init};
pub use select::Selection;
pub use view::{LinkView, PlanView, SetView, Warning};

use crate::archive::Manifest;
use crate::config::{self, ArchiveSettings, Config, Environment, Problem, Problems};
use crate::drivers::Kind;
use crate::engine::Tree;
use crate::name::SetPath;
use crate::redact::{Redactor, SHORTEST};
use arm::ArmedSet;

/// The kinds of driver that a configuration may name: `registry::kinds()`, or a test's own.
pub type Kinds<'k> = &'k [&'k dyn Kind];

/// What will run, and how it is described.
pub struct Plan {
    /// The sets with their drivers, and the links between them.
    pub tree: Tree,
    /// Of a restore, the items to which it is limited, by set.
    pub items: BTreeMap<SetPath, Vec<String>>,
    /// How the archive is written.
    pub archive: ArchiveSettings,
    /// The same for people and for `--json`.
    pub view: PlanView,
    /// Strikes the configuration's secrets out of everything that is written or shown.
    pub redactor: Redactor,
}

/// The configuration that applies: the file at `path` (`-c`), else `dumprestore.toml` in `directory`, else the default set of
/// what `environment` names.
///
/// # Errors
/// The file does not exist or cannot be read. What is wrong *in* it is reported with the plan.
pub fn load(path: Option<&Path>, directory: &Path, environment: &Environment, kinds: Kinds<'_>) -> Result<Config, Problems> {
    match path {
        Some(path) => Config::read(path, directory, environment),
        None if directory.join(config::FILE).symlink_metadata().is_ok() => Config::read(Path::new(config::FILE), directory, environment),
        None => Ok(default_set::config(directory, environment, kinds)),
    }
}

/// The plan of a dump; `archive` is what the archive occupies on this machine's disks, final and partial name.
///
/// # Errors
/// Everything that is wrong with configuration and arguments.
pub fn for_dump(config: &Config, kinds: Kinds<'_>, selection: &Selection, archive: &[PathBuf]) -> Result<Plan, Problems> {
    Planning::new(config, kinds, selection, &[]).finish(archive)
}

/// The plan that `dr-host plan` shows: a dump's, to nowhere.
///
/// # Errors
/// As [`for_dump`].
pub fn for_show(config: &Config, kinds: Kinds<'_>, selection: &Selection) -> Result<Plan, Problems> {
    for_dump(config, kinds, selection, &[])
}

/// The plan of a restore from the archive of this manifest; `archive` is what the archive occupies on this machine's disks.
///
/// # Errors
/// As [`for_dump`]; a set that the archive has and the configuration lacks, or the reverse; entries of a format that the
/// configured driver does not read.
pub fn for_restore(
    config: &Config,
    kinds: Kinds<'_>,
    selection: &Selection,
    manifest: &Manifest,
    archive: &[PathBuf],
) -> Result<Plan, Problems> {
    let in_archive: Vec<SetPath> = manifest.sets.iter().map(|record| record.path.clone()).collect();
    let sets = selection.whole_sets();
    let mut planning = Planning { restores: true, ..Planning::new(config, kinds, &sets, &in_archive) };
    if !config.is_partial {
        compare::archive_and_configuration(&mut planning, manifest);
    }
    let items = items::resolve(&mut planning, selection);
    planning.finish(archive).map(|plan| Plan { items, ..plan })
}

/// A plan while it is made.
struct Planning<'c> {
    config: &'c Config,
    selection: &'c Selection,
    restores: bool,
    sets: Vec<ArmedSet>,
    problems: Vec<Problem>,
    warnings: Vec<Warning>,
}

impl<'c> Planning<'c> {
    /// Arms the drivers, and checks what concerns single sets. `in_archive` are paths that `--only` and `--skip` may name too.
    fn new(config: &'c Config, kinds: Kinds<'_>, selection: &'c Selection, in_archive: &[SetPath]) -> Self {
        let mut planning = Self { config, selection, restores: false, sets: Vec::new(), problems: Vec::new(), warnings: Vec::new() };
        let named = config.all_sets().into_iter().filter(|set| set.is_named).map(|set| &set.path);
        let lacking = config.problems.iter().filter_map(|problem| problem.unset_for.as_ref());
        let known: Vec<&SetPath> = named.chain(in_archive).chain(lacking).collect();
        if !config.is_partial {
            planning.problems.extend(selection.check(&known));
        }
        for problem in &config.problems {
            if problem.unset_for.as_ref().is_none_or(|set| selection.keeps(set)) {
                planning.problems.push(problem.clone());
            }
        }
        planning.sets = config.sets.iter().map(|set| arm::arm(&mut planning, kinds, set, 0)).collect();
        planning
    }

    /// Checks what concerns several sets, and makes the plan if nothing at all is wrong.
    fn finish(mut self, archive: &[PathBuf]) -> Result<Plan, Problems> {
        self.warn_of_short_secrets();
        if self.problems.is_empty() && !self.sets.iter().any(ArmedSet::runs) {
            self.problems.push(self.nothing_left());
        }
        let links = links::resolve(&mut self);
        overlap::resolve(&mut self, archive);
        let redactor = self.config.redactor();
        Problems::check(std::mem::take(&mut self.problems).into_iter().map(|problem| problem.struck(&redactor)).collect())?;
        let view = view::describe(&self, &links);
        let left_out = arm::left_out(&self.sets);
        let sets = self.sets.into_iter().filter_map(ArmedSet::into_set).collect();
        Ok(Plan { tree: Tree { sets, links, left_out }, items: BTreeMap::new(), archive: self.config.archive, view, redactor })
    }

    fn nothing_left(&self) -> Problem {
        if arm::left_out(&self.sets).is_empty() {
            default_set::no_sets(self.config)
        } else {
            Problem::new("`--only` and `--skip` leave no set to work on")
        }
    }

    fn warn(&mut self, set: Option<&SetPath>, message: impl Into<String>) {
        self.warnings.push(Warning { set: set.cloned(), message: message.into() });
    }

    fn warn_of_short_secrets(&mut self) {
        if self.config.secrets.too_short() > 0 {
            self.warn(
                None,
                format!("a secret of less than {SHORTEST} characters cannot be told from ordinary text, and is not struck out of it"),
            );
        }
    }
}

#[cfg(test)]
mod tests;
