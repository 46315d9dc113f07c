//! The plan as people and programs see it: what `plan` prints, and `plan --json` in the same words.

use schemars::JsonSchema;
use serde::Serialize;

use super::Planning;
use super::arm::{self, ArmedSet};
use crate::config::ArchiveSettings;
use crate::drivers::{Occupied, Worth};
use crate::engine::Link;
use crate::name::SetPath;

/// A plan, described. Its texts hold no secret.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct PlanView {
    /// The configuration that it comes from: the file's name, or `the environment`.
    pub configuration: String,
    /// How the archive is written.
    pub archive: ArchiveSettings,
    /// The sets in the order of the file, parents before their children.
    pub sets: Vec<SetView>,
    /// The links that are checked.
    pub links: Vec<LinkView>,
    /// The sets that `--only` or `--skip` left out.
    pub left_out: Vec<SetPath>,
    /// What the user should look at.
    pub warnings: Vec<Warning>,
}

/// One set of a plan.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct SetView {
    /// Where it stands in the tree.
    pub path: SetPath,
    /// How many sets are above it.
    pub depth: usize,
    /// When it runs in a dump, from 1; a restore goes the other way. None for a mere group.
    pub order: Option<usize>,
    /// Whether its children run side by side.
    pub parallel: bool,
    /// Its driver; none for a mere group.
    pub driver: Option<String>,
    /// Its driver's version.
    pub driver_version: Option<String>,
    /// Where it points.
    pub target: Option<String>,
    /// What its point in time will be worth.
    pub worth: Option<Worth>,
    /// Its size in bytes, where that is cheap to know.
    pub size: Option<u64>,
    /// The files and directories that it occupies.
    pub occupies: Vec<String>,
    /// What its walk leaves out.
    pub leaves_out: Vec<String>,
    /// What else its driver says: a name and a value.
    pub details: Vec<(String, String)>,
}

/// One link of a plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct LinkView {
    /// The set whose column refers.
    pub from: SetPath,
    /// The column, `table.column`, with its JSON path where it has one.
    pub column: String,
    /// The condition that a row must meet.
    pub condition: Option<String>,
    /// The set whose entries are referred to.
    pub to: SetPath,
    /// What is taken from the front of each value that begins with it.
    pub strip_prefix: String,
    /// What is then put before each value to make the name of an entry.
    pub prefix: String,
    /// Whether the target takes its point in time after the set that refers to it, as it should.
    pub safe_order: bool,
}

/// Something that the user should look at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Warning {
    /// The set that it is about.
    pub set: Option<SetPath>,
    /// What it is.
    pub message: String,
}

impl std::fmt::Display for Warning {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.set {
            Some(set) => write!(f, "{set}: {}", self.message),
            None => f.write_str(&self.message),
        }
    }
}

/// Describes a plan, its secrets struck out.
pub(super) fn describe(planning: &Planning<'_>, links: &[Link]) -> PlanView {
    let redactor = planning.config.redactor();
    let strike = |text: &str| redactor.strike(text).into_owned();
    let order: Vec<SetPath> = arm::in_order(&planning.sets).into_iter().filter(|set| set.kept).map(|set| set.path.clone()).collect();
    let mut sets = Vec::new();
    describe_sets(&planning.sets, &order, &strike, &mut sets);
    let warnings = planning.warnings.iter().map(|warning| Warning { set: warning.set.clone(), message: strike(&warning.message) });
    PlanView {
        configuration: planning.config.source.name().to_owned(),
        archive: planning.config.archive,
        sets,
        links: links.iter().map(|link| describe_link(link, &order, &strike)).collect(),
        left_out: arm::left_out(&planning.sets),
        warnings: warnings.collect(),
    }
}

fn describe_sets(sets: &[ArmedSet], order: &[SetPath], strike: &impl Fn(&str) -> String, into: &mut Vec<SetView>) {
    for set in sets.iter().filter(|set| set.runs()) {
        let armed = set.armed.as_ref().filter(|_| set.kept);
        let survey = armed.map(|armed| &armed.survey);
        into.push(SetView {
            path: set.path.clone(),
            depth: set.depth,
            order: order.iter().position(|path| *path == set.path).map(|position| position + 1),
            parallel: set.parallel,
            driver: armed.map(|armed| armed.description.name.clone()),
            driver_version: armed.map(|armed| armed.description.version.clone()),
            target: survey.map(|survey| strike(&survey.target)),
            worth: survey.map(|survey| survey.worth),
            size: survey.and_then(|survey| survey.size),
            occupies: survey.iter().flat_map(|survey| &survey.occupies).map(|occupied| strike(&path_of(occupied))).collect(),
            leaves_out: set.leave_out.iter().map(|path| strike(&path.to_string_lossy())).collect(),
            details: survey.iter().flat_map(|survey| &survey.details).map(|(name, value)| (name.clone(), strike(value))).collect(),
        });
        describe_sets(&set.children, order, strike, into);
    }
}

fn describe_link(link: &Link, order: &[SetPath], strike: &impl Fn(&str) -> String) -> LinkView {
    let position = |path: &SetPath| order.iter().position(|set| set == path);
    let json_path = link.column.json_path.as_deref().map(|path| format!(" {path}")).unwrap_or_default();
    LinkView {
        from: link.from.clone(),
        column: strike(&format!("{}.{}{json_path}", link.column.table, link.column.column)),
        condition: link.column.condition.as_deref().map(strike),
        to: link.to.clone(),
        strip_prefix: strike(&link.strip_prefix),
        prefix: strike(&link.prefix),
        safe_order: position(&link.from) <= position(&link.to),
    }
}

fn path_of(occupied: &Occupied) -> String {
    match occupied {
        Occupied::File(path) => path.to_string_lossy().into_owned(),
        Occupied::Tree(path) | Occupied::Whole(path) => format!("{}/", path.to_string_lossy().trim_end_matches('/')),
        Occupied::Objects(url) => format!("{url}/"),
    }
}
