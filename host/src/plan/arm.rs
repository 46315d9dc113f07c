//! A set of the configuration → a set with its driver: the kind is found, the settings are checked, the driver is made and
//! asked what can be said without touching anything.

use serde_json::Value;

use super::{Kinds, Planning, default_set};
use crate::config::{DriverChoice, Problem, SetConfig, list, nearest};
use crate::drivers::{Description, Driver, Kind, SettingError, Settings, Survey};
use crate::engine;
use crate::name::SetPath;
use crate::schema;
use std::path::PathBuf;

/// A set of the tree while the plan is made.
pub(super) struct ArmedSet {
    /// Where it stands in the tree.
    pub(super) path: SetPath,
    /// How many sets are above it.
    pub(super) depth: usize,
    /// Whether its children run side by side.
    pub(super) parallel: bool,
    /// Whether the configuration gives it a driver.
    pub(super) has_driver: bool,
    /// Whether the user's selection keeps it.
    pub(super) kept: bool,
    /// Its driver; none for a group, and where settings are wrong.
    pub(super) armed: Option<Armed>,
    /// What its walk leaves out.
    pub(super) leave_out: Vec<PathBuf>,
    /// Its children.
    pub(super) children: Vec<ArmedSet>,
}

/// A driver, and what it says of itself and of its set.
pub(super) struct Armed {
    pub(super) driver: Box<dyn Driver>,
    pub(super) description: Description,
    pub(super) survey: Survey,
}

impl ArmedSet {
    /// Whether anything of it or below it runs.
    pub(super) fn runs(&self) -> bool {
        (self.kept && self.has_driver) || self.children.iter().any(Self::runs)
    }

    /// The engine's set; none where nothing of it runs.
    pub(super) fn into_set(self) -> Option<engine::Set> {
        if !self.runs() {
            return None;
        }
        let driver = self.armed.filter(|_| self.kept).map(|armed| armed.driver);
        let children = self.children.into_iter().filter_map(Self::into_set).collect();
        Some(engine::Set { path: self.path, parallel: self.parallel, driver, leave_out: self.leave_out, children })
    }
}

/// All sets with a driver, in the order of a dump: children in their order, each before its parent.
pub(super) fn in_order(sets: &[ArmedSet]) -> Vec<&ArmedSet> {
    sets.iter().flat_map(|set| in_order(&set.children).into_iter().chain(set.has_driver.then_some(set))).collect()
}

/// The sets with a driver that the user's selection leaves out.
pub(super) fn left_out(sets: &[ArmedSet]) -> Vec<SetPath> {
    in_order(sets).into_iter().filter(|set| !set.kept).map(|set| set.path.clone()).collect()
}

/// Arms a set and its children. Sets that are left out are armed too, where that can be done: what they occupy is left out of
/// others all the same.
pub(super) fn arm(planning: &mut Planning<'_>, kinds: Kinds<'_>, set: &SetConfig, depth: usize) -> ArmedSet {
    let kept = planning.selection.keeps(&set.path);
    let children = set.children.iter().map(|child| arm(planning, kinds, child, depth + 1)).collect();
    let kind = set.driver.as_ref().and_then(|choice| find(planning, kinds, set, choice, kept));
    let armed = kind.and_then(|kind| configure(planning, kind, set));
    if kept && let Some(armed) = &armed {
        for warning in &armed.survey.warnings {
            planning.warn(Some(&set.path), warning.clone());
        }
    }
    let has_driver = set.driver.is_some();
    ArmedSet { path: set.path.clone(), depth, parallel: set.parallel, has_driver, kept, armed, leave_out: Vec::new(), children }
}

/// The kind that a set chooses; none, and a problem, where there is no such kind.
fn find<'k>(planning: &mut Planning<'_>, kinds: Kinds<'k>, set: &SetConfig, choice: &DriverChoice, kept: bool) -> Option<&'k dyn Kind> {
    match choice {
        DriverChoice::Named(name, at) => {
            let found = kinds.iter().copied().find(|kind| kind.name() == name);
            if found.is_none() {
                let names = kinds.iter().map(|kind| kind.name());
                let hint = match nearest(name, names.clone()) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("this version of dr-host has {}", list(names)),
                };
                let problem = Problem::new(format!("unknown driver `{}`", name.escape_debug())).hint(hint);
                let place = Some(planning.config.source.place(at)).filter(|_| !planning.config.is_default);
                planning.problems.push(Problem { place, ..problem });
            }
            found
        }
        DriverChoice::Unread => None,
        DriverChoice::ByScheme(scheme) => {
            let found = default_set::database(kinds, scheme);
            if found.is_none() && kept {
                planning.problems.push(default_set::unknown_scheme(set, scheme, kinds));
            }
            found
        }
    }
}

/// Checks the settings, and makes the driver if they are right.
fn configure(planning: &mut Planning<'_>, kind: &dyn Kind, set: &SetConfig) -> Option<Armed> {
    let schema = kind.settings();
    let instance = Value::Object(set.settings.map.clone());
    let mistakes = schema::check(kind.name(), &schema, &instance);
    let is_right = mistakes.is_empty();
    for mistake in mistakes {
        let at = match &mistake.key {
            Some(pointer) => set.settings.key_at(pointer),
            None => set.settings.nearest_at(&mistake.pointer),
        };
        if !set.settings.is_unread(&mistake.pointer) || mistake.key.is_some() || mistake.is_missing {
            report(planning, set, at, mistake.message, mistake.hint);
        }
    }
    if !is_right || !set.settings.is_complete() {
        return None;
    }
    let settings = Settings { values: set.settings.map.clone(), base: planning.config.base.clone() };
    match kind.configure(&settings) {
        Ok(driver) => {
            let (description, survey) = (driver.describe(), driver.survey());
            Some(Armed { driver, description, survey })
        }
        Err(errors) => {
            for SettingError { pointer, message, hint } in errors {
                report(planning, set, set.settings.nearest_at(&pointer), message, hint);
            }
            None
        }
    }
}

/// Records what is wrong with a setting; of a set that stands in no file, by its path.
fn report(planning: &mut Planning<'_>, set: &SetConfig, at: Option<std::ops::Range<usize>>, message: String, hint: Option<String>) {
    let problem = if planning.config.is_default {
        Problem::new(format!("`{}`: {message}", set.path))
    } else {
        Problem::new(message).at(planning.config.source.place(&at.unwrap_or_else(|| set.at.clone())))
    };
    planning.problems.push(problem.maybe_hint(hint));
}
