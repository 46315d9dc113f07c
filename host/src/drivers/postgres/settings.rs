//! The settings of a `postgres` set. Those that say where the database is are the connection's.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use jiff::SignedDuration;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::connection::{Address, Keys, Variables};
use super::pattern::Pattern;
use crate::drivers::{SettingError, Settings};

/// How long a lock that another session holds is waited for, unless `lock_timeout` says otherwise.
const LOCK_TIMEOUT: Duration = Duration::from_secs(30);

/// How much COPY text a part of a table has, about, unless `part_size` says otherwise: compressed it fits the archive's buffer.
const PART_SIZE: u64 = 32 << 20;

/// The least `part_size`: a block of a table.
const LEAST_PART_SIZE: u64 = 8 << 10;

/// The keys of a `postgres` set.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(extend("additionalProperties" = false))]
pub(super) struct Options {
    #[serde(flatten)]
    connection: Keys,
    /// How many connections copy rows at a time, and how many `pg_restore` builds indexes with. By default half the cores, at
    /// least 2.
    jobs: Option<NonZeroUsize>,
    /// How rows are written.
    #[serde(default)]
    copy_format: CopyFormat,
    /// About how much of a table's rows makes one entry, as COPY text: `32MiB` (the default).
    part_size: Option<String>,
    /// How long to wait for a lock that another session holds: `30s` (the default), `2m`.
    lock_timeout: Option<String>,
    /// The directory of `pg_dump` and `pg_restore`, where those on the `PATH` or below `/usr/lib/postgresql` will not do.
    pg_bin: Option<String>,
    /// Of all tables, views and sequences only these (`public.orders`, `*.log_*`), and those in these schemas (`audit`).
    #[serde(default)]
    include: Vec<String>,
    /// Not these tables, and nothing in these schemas. Stronger than `include`.
    #[serde(default)]
    exclude: Vec<String>,
    /// Of these tables only the definition.
    #[serde(default)]
    exclude_data: Vec<String>,
    /// Whether a restore gathers statistics for the planner at its end (`ANALYZE`).
    #[serde(default = "yes")]
    analyze: bool,
    /// Whom restored objects belong to: `keep` (the default) their recorded owners, `skip` whoever restores, else this role.
    owner: Option<String>,
    /// Whether privileges (GRANT) are restored.
    #[serde(default)]
    privileges: Keep,
    /// Whether recorded tablespaces are used.
    #[serde(default)]
    tablespaces: Keep,
}

/// How COPY writes rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum CopyFormat {
    /// As text, which every version and every tool reads.
    #[default]
    Text,
    /// As PostgreSQL has them in memory: loads faster, into a server of the same major version only.
    Binary,
}

/// Whether something that was recorded is restored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum Keep {
    /// It is.
    #[default]
    Keep,
    /// It is not.
    Skip,
}

/// Whom restored objects belong to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Owner {
    /// Their recorded owners.
    Recorded,
    /// Whoever restores.
    Whoever,
    /// This role.
    Role(String),
}

/// What the settings come to.
pub(super) struct Configured {
    pub(super) address: Address,
    pub(super) jobs: usize,
    pub(super) copy_format: CopyFormat,
    pub(super) part_size: u64,
    pub(super) lock_timeout: Duration,
    pub(super) pg_bin: Option<PathBuf>,
    pub(super) choice: Choice,
    pub(super) analyze: bool,
    pub(super) owner: Owner,
    pub(super) privileges: Keep,
    pub(super) tablespaces: Keep,
}

/// Which tables and schemas are dumped.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Choice {
    pub(super) include: Vec<Pattern>,
    pub(super) exclude: Vec<Pattern>,
    pub(super) exclude_data: Vec<Pattern>,
}

impl Choice {
    /// Whether `exclude` names this schema, with all that is in it.
    pub(super) fn excludes_schema(&self, schema: &str) -> bool {
        self.exclude.iter().any(|pattern| pattern.matches_schema(schema))
    }
}

fn yes() -> bool {
    true
}

impl Configured {
    /// Reads the settings of a set; all that is wrong is told.
    pub(super) fn read(settings: &Settings) -> Result<Self, Vec<SettingError>> {
        let options: Options = settings.read()?;
        let mut errors = Vec::new();
        let variables: Variables = std::env::vars_os().collect();
        let address = Address::resolve(&options.connection, &settings.base, &variables).map_err(|more| errors.extend(more)).ok();
        let lock_timeout = lock_timeout(options.lock_timeout.as_deref()).map_err(|error| errors.push(error)).ok();
        let part_size = part_size(options.part_size.as_deref()).map_err(|error| errors.push(error)).ok();
        if options.owner.as_deref() == Some("") {
            errors.push(SettingError::new("/owner", "the role has no name").hint("write `keep`, `skip` or a role's name"));
        }
        let mut patterns = |key: &str, texts: &[String]| -> Vec<Pattern> {
            let read = |(at, text): (usize, &String)| {
                Pattern::parse(text).map_err(|why| errors.push(SettingError::new(format!("/{key}/{at}"), why))).ok()
            };
            texts.iter().enumerate().filter_map(read).collect()
        };
        let choice = Choice {
            include: patterns("include", &options.include),
            exclude: patterns("exclude", &options.exclude),
            exclude_data: patterns("exclude_data", &options.exclude_data),
        };
        let (Some(address), Some(lock_timeout), Some(part_size), true) = (address, lock_timeout, part_size, errors.is_empty()) else {
            return Err(errors);
        };
        Ok(Self {
            address,
            jobs: options.jobs.map_or_else(default_jobs, NonZeroUsize::get),
            copy_format: options.copy_format,
            part_size,
            lock_timeout,
            pg_bin: options.pg_bin.map(|directory| settings.path(directory)),
            choice,
            analyze: options.analyze,
            owner: match options.owner.as_deref() {
                None | Some("keep") => Owner::Recorded,
                Some("skip") => Owner::Whoever,
                Some(role) => Owner::Role(role.to_owned()),
            },
            privileges: options.privileges,
            tablespaces: options.tablespaces,
        })
    }
}

/// Half the cores, since the server works as hard as we do; at least 2.
fn default_jobs() -> usize {
    std::thread::available_parallelism().map_or(2, |cores| (cores.get() / 2).max(2))
}

fn lock_timeout(text: Option<&str>) -> Result<Duration, SettingError> {
    let Some(text) = text else { return Ok(LOCK_TIMEOUT) };
    let duration = text.parse::<SignedDuration>().ok().and_then(|duration| Duration::try_from(duration).ok());
    duration.filter(|duration| duration.as_millis() > 0).ok_or_else(|| {
        SettingError::new("/lock_timeout", format!("`{text}` is no length of time")).hint("write it as in `30s`, `2m` or `500ms`")
    })
}

fn part_size(text: Option<&str>) -> Result<u64, SettingError> {
    let Some(text) = text else { return Ok(PART_SIZE) };
    let wrong = |why: &str| SettingError::new("/part_size", format!("`{text}` {why}")).hint("write it as in `32MiB` or `8kB`");
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let unit = match text[digits..].trim() {
        "" | "B" => 1,
        "kB" | "KiB" => 1 << 10,
        "MB" | "MiB" => 1 << 20,
        "GB" | "GiB" => 1 << 30,
        _ => return Err(wrong("is no size")),
    };
    let size = text[..digits].parse::<u64>().ok().and_then(|number| number.checked_mul(unit)).ok_or_else(|| wrong("is no size"))?;
    if size < LEAST_PART_SIZE { Err(wrong("is less than a block of a table, which has 8 kB")) } else { Ok(size) }
}
