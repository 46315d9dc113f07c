//! `dumprestore.toml` → a checked tree of sets and links, each value with its place in the file.
//!
//! What can be said without knowing a driver is said here, all of it at once: TOML, keys, types, names, variables, the ends of
//! links. A set's own settings are passed on as JSON with the places of their values; `plan` checks them by the driver's
//! schema. Problems are collected in [`Config`] rather than returned, so that `plan` can add its own and show all together.

mod environment;
mod expand;
mod link;
mod nearest;
mod problem;
mod reading;
mod set;
mod source;
mod value;

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Serialize;

pub use environment::{Environment, NoValue};
pub use nearest::nearest;
pub use problem::{Place, Problem, Problems};
pub use source::Source;
pub use value::Values;
pub(crate) use {reading::list, value::join as pointer_join};

pub use crate::archive::Compression;
use crate::name::SetPath;
use crate::redact::{Redactor, Secrets};

/// The name under which the configuration is looked for.
pub const FILE: &str = "dumprestore.toml";

/// The version of the configuration that this host reads.
pub const VERSION: i64 = 1;

/// What a configuration says: of a file, or what the environment shows.
#[derive(Clone)]
pub struct Config {
    /// The text it was read from.
    pub source: Arc<Source>,
    /// The directory from which relative paths start.
    pub base: PathBuf,
    /// How archives are written.
    pub archive: ArchiveSettings,
    /// The roots of the tree, in the order of the file.
    pub sets: Vec<SetConfig>,
    /// The links, in the order of the file.
    pub links: Vec<LinkConfig>,
    /// The secrets that were found in it.
    pub secrets: Secrets,
    /// What is wrong with it. A plan made from it fails with these and with what it finds itself.
    pub problems: Vec<Problem>,
    /// Whether sets may be missing from it, since parts of the text could not be read: a problem says which.
    pub is_partial: bool,
    /// Whether it comes from the environment alone, so that nothing of it has a place in a file.
    pub is_default: bool,
}

/// `[archive]`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct ArchiveSettings {
    /// How entries are compressed.
    pub compression: Compression,
    /// How hard; none: the method's default.
    pub level: Option<i32>,
}

/// `[[set]]` or `[[set.children]]`.
#[derive(Clone)]
pub struct SetConfig {
    /// Where it stands in the tree.
    pub path: SetPath,
    /// Whether that is its own name: where that is wrong, a problem says so, and a placeholder stands here.
    pub is_named: bool,
    /// Which driver it names; a mere group names none.
    pub driver: Option<DriverChoice>,
    /// Whether its children run side by side.
    pub parallel: bool,
    /// The keys that are its driver's own.
    pub settings: Values,
    /// Its children, in the order of the file.
    pub children: Vec<SetConfig>,
    /// Where it begins in the text: its name.
    pub at: Range<usize>,
}

/// How a set chooses its driver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DriverChoice {
    /// By name, which stands there in the text.
    Named(String, Range<usize>),
    /// By name, which could not be read: a problem says why.
    Unread,
    /// By the scheme of its `url` setting: a database of the default set.
    ByScheme(String),
}

/// `[[link]]`.
#[derive(Clone)]
pub struct LinkConfig {
    /// The set whose column refers.
    pub from: SetPath,
    /// The table, with its schema where one is given.
    pub table: String,
    /// The column.
    pub column: String,
    /// The way to the value inside a JSON column.
    pub json_path: Option<String>,
    /// An SQL condition that a row must meet.
    pub condition: Option<String>,
    /// The set whose entries are referred to.
    pub to: SetPath,
    /// What is taken from the front of each value that begins with it.
    pub strip_prefix: String,
    /// What is then put before each value to make the name of an entry.
    pub prefix: String,
    /// Whether its target may run before the set that refers to it.
    pub unsafe_order: bool,
    /// Where `from` stands in the text.
    pub from_at: Range<usize>,
    /// Where `to` stands in the text.
    pub to_at: Range<usize>,
}

impl Config {
    /// Reads a file, relative to the current `directory`. What is wrong with its content stands in [`Config::problems`].
    ///
    /// # Errors
    /// It cannot be read, or is no UTF-8.
    pub fn read(path: &Path, directory: &Path, environment: &Environment) -> Result<Self, Problems> {
        let name = path.display().to_string();
        let path = directory.join(path);
        let bytes = std::fs::read(&path).map_err(|why| match why.kind() {
            std::io::ErrorKind::NotFound => Problem::new(format!("there is no configuration `{name}`"))
                .hint("write one with `dr-host init`, or leave out `-c` to back up what the environment names"),
            _ => Problem::new(crate::error::Error::io(format!("cannot read the configuration `{name}`"), &why).message()),
        })?;
        let text = String::from_utf8(bytes).map_err(|why| {
            let line = why.as_bytes()[..why.utf8_error().valid_up_to()].split(|byte| *byte == b'\n').count();
            Problem::new(format!("`{name}` is not UTF-8: see line {line}")).hint("save it as UTF-8")
        })?;
        let base = path.parent().unwrap_or(directory).to_owned();
        Ok(Self::parse(&name, text, base, environment))
    }

    /// Reads a text; `name` is what messages call it, `base` the directory from which its relative paths start.
    pub fn parse(name: &str, text: String, base: PathBuf, environment: &Environment) -> Self {
        reading::read(Arc::new(Source::new(name, text)), base, environment)
    }

    /// The beginning of a default set: no file, and no sets yet.
    pub fn without_file(base: PathBuf) -> Self {
        Self {
            source: Arc::new(Source::new("the environment", "")),
            base,
            archive: ArchiveSettings::default(),
            sets: Vec::new(),
            links: Vec::new(),
            secrets: Secrets::default(),
            problems: Vec::new(),
            is_partial: false,
            is_default: true,
        }
    }

    /// All sets, parents before their children, in the order of the file.
    pub fn all_sets(&self) -> Vec<&SetConfig> {
        fn walk<'a>(sets: &'a [SetConfig], into: &mut Vec<&'a SetConfig>) {
            for set in sets {
                into.push(set);
                walk(&set.children, into);
            }
        }
        let mut all = Vec::new();
        walk(&self.sets, &mut all);
        all
    }

    /// What strikes the secrets of this configuration out of everything that is written or shown.
    pub fn redactor(&self) -> Redactor {
        Redactor::new(&self.secrets)
    }
}

#[cfg(test)]
mod tests;
