//! What a run says while it goes on. `--json` prints these, one a line; their JSON Schema is `docs/events.schema.json`.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::archive::Totals;
use crate::archive::manifest::{LinkCheck, LinkRecord};
use crate::drivers::{Finding, Level, PointInTime, Unit, Worth};
use crate::error::ErrorKind;
use crate::name::SetPath;

/// Takes events, from several threads at once.
pub trait Events: Send + Sync {
    /// Takes one.
    fn emit(&self, event: Event);
}

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Event {
    /// A run begins.
    Started {
        /// What runs.
        command: Command,
        /// `dr-host 0.1.0`.
        version: String,
        /// The sets that have a driver, in the order in which they will run.
        sets: Vec<SetPath>,
        /// When.
        #[schemars(with = "String")]
        at: Timestamp,
    },
    /// A set enters a moment.
    Moment {
        /// Which set.
        set: SetPath,
        /// Its driver.
        driver: String,
        /// Which moment.
        moment: Moment,
    },
    /// A set has fixed its point in time.
    PointInTime {
        /// Which set.
        set: SetPath,
        /// The point in time.
        point_in_time: PointInTime,
    },
    /// How far a running set is; a few times a second.
    Progress {
        /// Which set; none where the archive as a whole is verified.
        set: Option<SetPath>,
        /// How much is done, in `unit`.
        done: u64,
        /// How much there is, where that is known.
        total: Option<u64>,
        /// In what `done` and `total` are counted.
        unit: Unit,
        /// Bytes of content so far.
        bytes: u64,
        /// Entries so far.
        entries: u64,
    },
    /// Something for the log.
    Log {
        /// Whose.
        set: Option<SetPath>,
        /// How loud.
        level: Level,
        /// What.
        message: String,
    },
    /// Something was found wrong; the run goes on, and ends with exit code 3.
    Finding {
        /// What.
        finding: Finding,
    },
    /// A set is through with its `dump` or `restore`.
    SetFinished {
        /// How it went.
        summary: SetSummary,
    },
    /// A link was checked.
    Link {
        /// The link, and what the check found.
        link: LinkRecord,
    },
    /// Something failed.
    Error {
        /// What.
        failure: Failure,
    },
    /// The run is over: the last event.
    Finished {
        /// What ran.
        command: Command,
        /// How it ended.
        outcome: RunOutcome,
        /// The exit code of the process.
        exit_code: u8,
        /// How long it took, in seconds.
        seconds: f64,
        /// How many findings there were.
        findings: u64,
        /// The archive that was written, read or verified.
        archive: Option<ArchiveSummary>,
        /// The sets, in the order of the run. Of a restore that failed: what became of each.
        sets: Vec<SetSummary>,
    },
}

/// What runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Command {
    /// `dr-host dump`.
    Dump,
    /// `dr-host restore`.
    Restore,
    /// `dr-host verify`.
    Verify,
}

/// The six moments of a driver.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "named as the methods of `Driver`, and documented there")]
pub enum Moment {
    BeforeDump,
    Dump,
    AfterDump,
    BeforeRestore,
    Restore,
    AfterRestore,
}

impl std::fmt::Display for Moment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::BeforeDump => "before_dump",
            Self::Dump => "dump",
            Self::AfterDump => "after_dump",
            Self::BeforeRestore => "before_restore",
            Self::Restore => "restore",
            Self::AfterRestore => "after_restore",
        })
    }
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RunOutcome {
    /// All done.
    Ok,
    /// Done, with findings.
    Findings,
    /// Failed.
    Failed,
    /// Interrupted.
    Interrupted,
}

/// One set of a finished run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SetSummary {
    /// Which set.
    pub set: SetPath,
    /// Its driver.
    pub driver: String,
    /// What became of it.
    pub state: SetState,
    /// What went through it.
    pub totals: Totals,
    /// The bytes that its entries take in the archive; of a dump.
    pub stored_bytes: Option<u64>,
    /// How long its `dump` or `restore` took, in seconds.
    pub seconds: f64,
    /// What its point in time is worth.
    pub worth: Option<Worth>,
}

/// What became of a set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum SetState {
    /// Whole.
    Done,
    /// Not begun: its source or target is as it was.
    Untouched,
    /// Begun and not finished: after a restore, its target is neither what it was nor what the archive holds.
    HalfDone,
}

/// An archive, as a summary shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ArchiveSummary {
    /// Where it is.
    pub location: String,
    /// Its size in bytes.
    pub size: u64,
    /// The SHA-256 of its manifest, in hexadecimal: it proves the whole, and `--expect` checks it.
    pub sha256: String,
}

/// Something that failed: what (set, driver, moment), why, what to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Failure {
    /// In which set; none where the archive itself or the links failed.
    pub set: Option<SetPath>,
    /// Its driver.
    pub driver: Option<String>,
    /// In which moment.
    pub moment: Option<Moment>,
    /// Which kind of failure.
    pub kind: ErrorKind,
    /// Why.
    pub message: String,
    /// What to do.
    pub hint: Option<String>,
    /// Named details.
    pub context: Vec<(String, String)>,
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if let Some(set) = &self.set {
            write!(f, "{set}")?;
            match (&self.driver, &self.moment) {
                (Some(driver), Some(moment)) => write!(f, " ({driver}, {moment})")?,
                (Some(driver), None) => write!(f, " ({driver})")?,
                _ => {}
            }
            f.write_str(": ")?;
        }
        f.write_str(&self.message)
    }
}

/// What a link's check found, without the names: for one line of a summary.
impl std::fmt::Display for LinkCheck {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} checked, {} dangling, {} orphaned", self.checked, self.dangling, self.orphaned)
    }
}
