//! What a component may use: the `limit` of its settings, the defaults, and the limiter that the engine asks when memory
//! or tables grow.

use std::time::Duration;

use jiff::SignedDuration;
use schemars::JsonSchema;
use serde::Deserialize;

use super::clock::{Allowance, Total};
use crate::drivers::SettingError;

/// The most bytes in one chunk, both ways: part of the contract.
pub(super) const CHUNK: usize = 1 << 20;

/// The most bytes that one call moves from the guest to the host, all arguments together: well above a chunk.
pub(super) const CALL: usize = 8 << 20;

/// The most instances of modules in one component, the most tables and the most memories.
const INSTANCES: usize = 256;

/// The most handles that a guest holds at one time, WASI's among them: each takes memory of the host's, headers of HTTP up to
/// [`HEADERS`].
pub(super) const HANDLES: usize = 1_000;

/// The most bytes in the headers of one HTTP message.
pub(super) const HEADERS: usize = 64 << 10;

/// The most entries that a guest reads, and the most walks that it makes, at one time: each takes memory of the host's.
pub(super) const READERS: usize = 64;

/// How long `describe` may take.
pub(super) const DESCRIBE: Duration = Duration::from_secs(5);

/// How long `after_*` may take in a fresh instance, and at least in one that went through the moments.
pub(super) const BRIEF: Duration = Duration::from_secs(5);

/// The `limit` of a `component` set.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct LimitOptions {
    /// Memory, all of the component's together: `256MiB` (the default).
    memory: Option<String>,
    /// Elements in tables, all of the component's together; 200,000 unless told.
    table_elements: Option<u64>,
    /// The time that a moment may go on without progress: `5m` (the default).
    idle: Option<String>,
    /// The time that all moments of a run may take together, `after_*` left out; unlimited unless told.
    time: Option<String>,
    /// Bytes written in a dump, before compression, names and attributes of entries included: `64GiB` (the default).
    bytes: Option<String>,
    /// Entries written in a dump; 2,000,000 unless told.
    entries: Option<u64>,
    /// The log of a run, standard output, standard error and findings included: `1MiB` (the default). More is counted and left out.
    log: Option<String>,
}

/// What a component may use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Limits {
    /// Bytes of memory.
    pub(super) memory: u64,
    /// Elements in tables.
    pub(super) table_elements: u64,
    /// Time without progress.
    pub(super) idle: Duration,
    /// Time of all moments together.
    pub(super) time: Option<Duration>,
    /// Bytes written.
    pub(super) bytes: u64,
    /// Entries written.
    pub(super) entries: u64,
    /// Bytes of log.
    pub(super) log: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            memory: 256 << 20,
            table_elements: 200_000,
            idle: Duration::from_secs(300),
            time: None,
            bytes: 64 << 30,
            entries: 2_000_000,
            log: 1 << 20,
        }
    }
}

impl Limits {
    /// Reads the settings.
    ///
    /// # Errors
    /// Every size and every time that is none.
    pub(super) fn read(options: &LimitOptions) -> Result<Self, Vec<SettingError>> {
        let mut errors = Vec::new();
        let default = Self::default();
        let mut bytes = |key: &str, text: &Option<String>, default| read(text, default, |text| size(key, text), &mut errors);
        let (memory, written, log) = (
            bytes("memory", &options.memory, default.memory),
            bytes("bytes", &options.bytes, default.bytes),
            bytes("log", &options.log, default.log),
        );
        let idle = read(&options.idle, default.idle, |text| time("idle", text), &mut errors);
        let total = read(&options.time.clone(), Duration::ZERO, |text| time("time", text), &mut errors);
        let limits = Self {
            memory,
            table_elements: options.table_elements.unwrap_or(default.table_elements),
            idle,
            time: options.time.as_ref().map(|_| total),
            bytes: written,
            entries: options.entries.unwrap_or(default.entries),
            log,
        };
        if errors.is_empty() { Ok(limits) } else { Err(errors) }
    }

    /// The allowance of a moment, after `spent` in earlier ones.
    pub(super) fn allowance(&self, spent: Duration) -> Allowance {
        Allowance { idle: self.idle, total: self.time.map(|of| Total { left: of.saturating_sub(spent), of, is_set: true }) }
    }

    /// As `plan` and the manifest show them: the keys of the settings, and what is fixed.
    pub(super) fn lines(&self) -> Vec<(String, String)> {
        let line = |key: &str, value: String| (format!("limit.{key}"), value);
        vec![
            line("memory", show_size(self.memory)),
            line("table_elements", self.table_elements.to_string()),
            line("instances", INSTANCES.to_string()),
            line("idle", show_time(self.idle)),
            line("time", self.time.map_or("none".into(), show_time)),
            line("bytes", show_size(self.bytes)),
            line("entries", self.entries.to_string()),
            line("log", show_size(self.log)),
            line("chunk", show_size(CHUNK as u64)),
        ]
    }
}

fn read<T>(text: &Option<String>, default: T, read: impl Fn(&str) -> Result<T, SettingError>, errors: &mut Vec<SettingError>) -> T {
    match text.as_deref().map(read) {
        None => default,
        Some(Ok(value)) => value,
        Some(Err(error)) => {
            errors.push(error);
            default
        }
    }
}

/// The units of sizes, the largest first.
const UNITS: [(&str, u64); 8] = [
    ("TiB", 1 << 40),
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("TB", 1_000_000_000_000),
    ("GB", 1_000_000_000),
    ("MB", 1_000_000),
    ("kB", 1_000),
];

fn size(key: &str, text: &str) -> Result<u64, SettingError> {
    let (number, unit) =
        UNITS.iter().find_map(|(unit, factor)| text.strip_suffix(unit).map(|number| (number.trim_end(), *factor))).unwrap_or((text, 1));
    number.parse::<u64>().ok().and_then(|number| number.checked_mul(unit)).filter(|bytes| *bytes > 0).ok_or_else(|| {
        SettingError::new(format!("/limit/{key}"), format!("`{}` is no size", text.escape_debug()))
            .hint("write it as in `64MiB`, `2GiB` or `500kB`")
    })
}

fn time(key: &str, text: &str) -> Result<Duration, SettingError> {
    let parsed = text.parse::<SignedDuration>().ok().and_then(|duration| Duration::try_from(duration).ok());
    parsed.filter(|duration| !duration.is_zero()).ok_or_else(|| {
        SettingError::new(format!("/limit/{key}"), format!("`{}` is no length of time", text.escape_debug()))
            .hint("write it as in `30s`, `10m` or `500ms`")
    })
}

/// A size as the settings spell it.
pub(super) fn show_size(bytes: u64) -> String {
    let fitting = UNITS.iter().filter(|(_, factor)| bytes >= *factor && bytes.is_multiple_of(*factor));
    match fitting.min_by_key(|(_, factor)| bytes / factor) {
        Some((unit, factor)) => format!("{}{unit}", bytes / factor),
        None => bytes.to_string(),
    }
}

/// A time as the settings spell it.
pub(super) fn show_time(time: Duration) -> String {
    SignedDuration::try_from(time).map_or_else(|_| format!("{time:?}"), |time| format!("{time:#}"))
}

/// What the engine asks when a guest's memory or table is to grow.
#[derive(Debug)]
pub(super) struct Bounds {
    memory: u64,
    table_elements: u64,
    used_memory: u64,
    used_elements: u64,
    /// The limit that stopped the guest last, in words.
    refused: Option<String>,
}

impl Bounds {
    /// For a fresh store.
    pub(super) fn new(limits: &Limits) -> Self {
        Self { memory: limits.memory, table_elements: limits.table_elements, used_memory: 0, used_elements: 0, refused: None }
    }

    /// The limit that the guest met, in words; a trap that follows is most likely its consequence.
    pub(super) fn refused(&self) -> Option<&str> {
        self.refused.as_deref()
    }
}

impl wasmtime::ResourceLimiter for Bounds {
    fn memory_growing(&mut self, current: usize, desired: usize, _maximum: Option<usize>) -> wasmtime::Result<bool> {
        let wanted = self.used_memory.saturating_add(desired.saturating_sub(current) as u64);
        if wanted > self.memory {
            self.refused = Some(format!("its memory reached the limit of {}, `limit.memory`", show_size(self.memory)));
            return Ok(false);
        }
        self.used_memory = wanted;
        Ok(true)
    }

    fn table_growing(&mut self, current: usize, desired: usize, _maximum: Option<usize>) -> wasmtime::Result<bool> {
        let wanted = self.used_elements.saturating_add(desired.saturating_sub(current) as u64);
        if wanted > self.table_elements {
            self.refused = Some(format!("its tables reached the limit of {} elements, `limit.table_elements`", self.table_elements));
            return Ok(false);
        }
        self.used_elements = wanted;
        Ok(true)
    }

    fn instances(&self) -> usize {
        INSTANCES
    }

    fn tables(&self) -> usize {
        INSTANCES
    }

    fn memories(&self) -> usize {
        INSTANCES
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(toml: &str) -> Result<Limits, Vec<SettingError>> {
        Limits::read(&toml::from_str(toml).expect("settings"))
    }

    #[test]
    fn limits_are_read_and_shown_as_they_are_written() {
        let read = limits("memory = '64MiB'\ntime = '10m'\nidle = '30s'\nbytes = '2 GB'\nentries = 7\nlog = '64KiB'").expect("good limits");
        assert_eq!((read.memory, read.bytes, read.entries), (64 << 20, 2_000_000_000, 7));
        let lines: Vec<String> = read.lines().into_iter().map(|(key, value)| format!("{key} {value}")).collect();
        assert_eq!(
            lines,
            [
                "limit.memory 64MiB",
                "limit.table_elements 200000",
                "limit.instances 256",
                "limit.idle 30s",
                "limit.time 10m",
                "limit.bytes 2GB",
                "limit.entries 7",
                "limit.log 64KiB",
                "limit.chunk 1MiB"
            ]
        );
    }

    #[test]
    fn the_defaults_are_shown_too() {
        let lines: Vec<String> = Limits::default().lines().into_iter().map(|(key, value)| format!("{key} {value}")).collect();
        assert_eq!(lines[0], "limit.memory 256MiB");
        assert_eq!(lines[3..6], ["limit.idle 5m", "limit.time none", "limit.bytes 64GiB"]);
    }

    #[test]
    fn everything_that_is_no_limit_is_told_at_once() {
        let errors = limits("memory = 'much'\ntime = '0s'\nidle = '-1s'\nbytes = '0'").expect_err("four of them");
        let pointers: Vec<_> = errors.iter().map(|error| error.pointer.as_str()).collect();
        assert_eq!(pointers, ["/limit/memory", "/limit/bytes", "/limit/idle", "/limit/time"]);
    }

    #[test]
    fn memories_are_counted_together() {
        use wasmtime::ResourceLimiter as _;
        let mut bounds = Bounds::new(&Limits { memory: 100, ..Limits::default() });
        assert!(bounds.memory_growing(0, 60, None).expect("an answer"));
        assert!(!bounds.memory_growing(0, 60, None).expect("an answer"));
        assert!(bounds.refused().expect("refused").contains("limit of 100"));
        assert!(bounds.memory_growing(60, 100, None).expect("an answer"));
    }
}
