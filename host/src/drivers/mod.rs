//! Drivers: what knows how to dump and restore one kind of state, and the registry of those that live in the host.
//!
//! A driver knows no other driver, no zip and no store: it gets a [`Writer`] for *its* entries, a [`Reader`] of them, and a
//! [`Context`] for everything else. The WIT contract mirrors [`Driver`] word for word.
//!
//! To add a native driver: one file (or folder) here with a [`Kind`], and one line in [`registry`]. Nothing else names it.

pub mod component;
mod context;
mod filesystem;
mod media;
mod postgres;
#[cfg(feature = "probe")]
mod probe;
pub mod registry;
mod sqlite;
mod tree;

pub use context::{Context, Extra, Finding, FindingKind, Level, Reporter, RestoreOptions, Skipped, Unit};

use std::collections::BTreeMap;
use std::path::PathBuf;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::archive::{Reader, Writer};
use crate::error::{Error, ErrorKind, Result};

/// One set's driver, configured, for one run.
///
/// The six moments run in this order, each over the whole tree before the next begins: `before_dump`, `dump`, `after_dump`;
/// `before_restore`, `restore`, `after_restore`. One value lives through the moments of one run, so it may keep a connection.
pub trait Driver: Send {
    /// What the driver is and what it reads and writes. Pure.
    fn describe(&self) -> Description;

    /// What can be said of the set without connecting to anything or writing anything: where it points, what its point in
    /// time will be worth, its size where that is cheap to know.
    fn survey(&self) -> Survey;

    /// What one calls the parts of the set to which a restore can be limited (`--only SET:ITEM`), for people: `table`. None where
    /// the set is restored as a whole only. Pure.
    fn items(&self) -> Option<&'static str> {
        None
    }

    /// Checks that the dump can succeed, and fixes the point in time: opens the transaction, lists the inventory.
    ///
    /// # Errors
    /// Whatever would make the dump fail, found early. All sets are asked, and all errors reported, before a byte is written.
    fn before_dump(&mut self, context: &Context) -> Result<PointInTime>;

    /// Gives the distinct values of a link's column, as they stand at the point in time, to `each`, in any order, NULLs left
    /// out. Called between `before_dump` and `dump`, once per link.
    ///
    /// # Errors
    /// The column cannot be read; `each` failed; by default [`ErrorKind::Unsupported`].
    fn link_values(&mut self, context: &Context, column: &LinkColumn, each: &mut dyn FnMut(&str) -> Result<()>) -> Result<()> {
        let _ = (context, column, each);
        Err(Error::new(ErrorKind::Unsupported, "this driver has no columns for a link to come from"))
    }

    /// Writes the set's entries. The point in time may be released as soon as everything is read.
    ///
    /// # Errors
    /// The source cannot be read, the archive cannot be written, or the run is cancelled.
    fn dump(&mut self, context: &Context, into: Box<dyn Writer>) -> Result<Outcome>;

    /// Releases what `before_dump` took. Called whenever `before_dump` was called, also where it failed.
    ///
    /// # Errors
    /// Something could not be released: the archive stays, and the run ends with a finding.
    fn after_dump(&mut self, context: &Context, ended: &Ended) -> Result<()>;

    /// Checks that the restore can succeed, without writing anything: the target's state, room, permissions, names it cannot
    /// hold.
    ///
    /// # Errors
    /// As `before_dump`.
    fn before_restore(&mut self, context: &Context, source: &dyn Reader) -> Result<()>;

    /// Puts the set's entries back.
    ///
    /// # Errors
    /// The target cannot be written, the archive is damaged, or the run is cancelled.
    fn restore(&mut self, context: &Context, source: &dyn Reader) -> Result<Outcome>;

    /// Releases what `before_restore` and `restore` took. Called whenever `before_restore` was called.
    ///
    /// # Errors
    /// Something could not be released.
    fn after_restore(&mut self, context: &Context, ended: &Ended) -> Result<()>;
}

/// A kind of driver: what the registry lists.
pub trait Kind: Sync {
    /// Its name in a configuration: `driver = "sqlite"`.
    fn name(&self) -> &'static str;

    /// One line for people.
    fn summary(&self) -> &'static str;

    /// The JSON Schema of its settings: an object, whose properties are the keys of a `[[set]]` but `name`, `driver`,
    /// `children` and `parallel`. The configuration is checked against it before [`Kind::configure`].
    fn settings(&self) -> serde_json::Value;

    /// The URL schemes whose state it dumps from a `url` setting: `DATABASE_URL=sqlite:///…` chooses a driver by it.
    fn url_schemes(&self) -> &'static [&'static str] {
        &[]
    }

    /// Makes a driver for one set. The settings have passed the schema.
    ///
    /// # Errors
    /// Every setting that is wrong in a way that the schema cannot say; nothing is connected to or opened yet.
    fn configure(&self, settings: &Settings) -> Result<Box<dyn Driver>, Vec<SettingError>>;
}

/// The key of [`Description::details`] under which a driver whose code is not the host's has the SHA-256 of its file: a restore
/// by another build than the one that dumped says so.
pub const SHA256: &str = "sha256";

/// What a driver says of itself.
#[derive(Clone, Debug)]
pub struct Description {
    /// Its name: for a native driver, its kind's.
    pub name: String,
    /// Its version.
    pub version: String,
    /// The formats of entries that it restores; the first is the one that it writes.
    pub formats: Vec<String>,
    /// Whether a link may start here: whether [`Driver::link_values`] works.
    pub has_columns: bool,
    /// Whether a link may end here: whether entries are named as an application names them.
    pub has_names: bool,
    /// What else the manifest should record of the driver (its grants, its limits); [`SHA256`] has a meaning for all.
    pub details: BTreeMap<String, String>,
}

/// What a set's table in the configuration says to its driver, variables already expanded.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The keys that are the driver's own.
    pub values: serde_json::Map<String, serde_json::Value>,
    /// The directory from which relative paths start: the configuration file's.
    pub base: PathBuf,
}

impl Settings {
    /// Reads the values into the driver's own type.
    ///
    /// # Errors
    /// One error at the root, if the type does not fit: the schema and the type disagree, then.
    pub fn read<T: serde::de::DeserializeOwned>(&self) -> Result<T, Vec<SettingError>> {
        serde_json::from_value(serde_json::Value::Object(self.values.clone())).map_err(|why| vec![SettingError::new("", why.to_string())])
    }

    /// A path of the configuration, from [`Settings::base`] where it is relative; without its `.` segments, as people read it.
    pub fn path(&self, path: impl AsRef<std::path::Path>) -> PathBuf {
        self.base.join(path).components().collect()
    }
}

/// One setting that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettingError {
    /// Where it stands: a JSON pointer (RFC 6901) into the settings, empty for the set itself.
    pub pointer: String,
    /// What is wrong with it.
    pub message: String,
    /// What to write instead, where that is clear.
    pub hint: Option<String>,
}

impl SettingError {
    /// An error at `pointer`.
    pub fn new(pointer: impl Into<String>, message: impl Into<String>) -> Self {
        Self { pointer: pointer.into(), message: message.into(), hint: None }
    }

    /// Adds what to write instead.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

/// What can be said of a set without touching it.
#[derive(Clone, Debug)]
pub struct Survey {
    /// Where it points, for people, without secrets: `/srv/shop/media`, `postgres://db.internal/shop`.
    pub target: String,
    /// What its point in time will be worth.
    pub worth: Worth,
    /// Its size in bytes, where that is cheap to know.
    pub size: Option<u64>,
    /// What it occupies on this machine's disks or in object stores, so that sets which lie inside each other are noticed.
    pub occupies: Vec<Occupied>,
    /// Directories that it reads and does not occupy, and of which it can leave nothing out.
    pub reads: Vec<PathBuf>,
    /// More lines for `plan`: a name and a value (grants, limits, what is missing).
    pub details: Vec<(String, String)>,
    /// What `plan` should warn of.
    pub warnings: Vec<String>,
}

impl Survey {
    /// A survey that knows where the set points and what its point in time will be worth.
    pub fn new(target: impl Into<String>, worth: Worth) -> Self {
        let (occupies, reads, details, warnings) = Default::default();
        Self { target: target.into(), worth, size: None, occupies, reads, details, warnings }
    }
}

/// A place that a set occupies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Occupied {
    /// A file: of another set's tree it is left out.
    File(PathBuf),
    /// A directory with all that is below it; the driver leaves out what [`Context::leave_out`] lists.
    Tree(PathBuf),
    /// A directory with all that is below it, of which the driver can leave nothing out: where [`Context::leave_out`] lists
    /// something, it fails.
    Whole(PathBuf),
    /// The objects whose URLs begin with this one and a slash (`s3://bucket/prefix`, `https://minio:9000/bucket`); the driver
    /// leaves out what [`Context::leave_out`] lists. The same server must always be written in the same way.
    Objects(String),
}

/// The moment to which a set's content belongs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PointInTime {
    /// What it is worth.
    pub worth: Worth,
    /// When it was taken; of an interval, its beginning.
    #[schemars(with = "String")]
    pub at: Timestamp,
    /// What else identifies it: `lsn`, `snapshot`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub details: BTreeMap<String, String>,
}

impl PointInTime {
    /// Taken now.
    pub fn now(worth: Worth) -> Self {
        Self { worth, at: Timestamp::now(), details: BTreeMap::new() }
    }

    /// Adds what else identifies it.
    #[must_use]
    pub fn with(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.details.insert(key.into(), value.into());
        self
    }
}

/// What a point in time is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Worth {
    /// All content is of one instant: a database snapshot, a versioned bucket.
    Exact,
    /// Content is of some instant between the beginning and the end: a listing that is then copied.
    Interval,
    /// Nothing can be said.
    None,
}

impl std::fmt::Display for Worth {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::Exact => "exact",
            Self::Interval => "interval",
            Self::None => "none",
        })
    }
}

/// What a driver says when a moment went well.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// The format of the entries that were written: one of [`Description::formats`]. Ignored after a restore.
    pub format: String,
    /// What should be remembered: for people, in manifest and summary.
    pub notes: BTreeMap<String, String>,
}

impl Outcome {
    /// An outcome with nothing to remember.
    pub fn new(format: impl Into<String>) -> Self {
        Self { format: format.into(), notes: BTreeMap::new() }
    }

    /// Adds something to remember.
    #[must_use]
    pub fn note(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.notes.insert(key.into(), value.into());
        self
    }
}

/// How the run went, as `after_dump` and `after_restore` are told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended {
    /// All went well: the archive is whole, or the restore complete.
    Ok,
    /// This set or another failed; the message says which and why.
    Failed(String),
    /// The user interrupted the run.
    Cancelled,
    /// This set's component trapped or was ended by force; its state is lost.
    Trapped(String),
}

/// From where a link's values come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkColumn {
    /// The table, with its schema where one is given (`gallery_photo`, `public.gallery_photo`).
    pub table: String,
    /// The column.
    pub column: String,
    /// The way to the value inside a JSON column (`$.image.path`; `[*]` takes every element).
    pub json_path: Option<String>,
    /// An SQL condition that a row must meet.
    pub condition: Option<String>,
}

/// As people and the manifest name it: `gallery_photo.image`, with a JSON path `gallery_photo.meta $.image`.
impl std::fmt::Display for LinkColumn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.table, self.column)?;
        self.json_path.iter().try_for_each(|path| write!(f, " {path}"))
    }
}
