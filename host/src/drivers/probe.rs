//! A driver for tests (cargo feature `probe`): its entries are made up, and it fails, waits or panics where it is told to.
//!
//! It shows what the engine does around a driver: the order of the moments, what runs side by side, who is told what. Real
//! drivers show the rest. No release contains it.

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    Context, Description, Driver, Ended, FindingKind, Kind, Level, LinkColumn, Outcome, PointInTime, SettingError, Settings, Survey, Unit,
    Worth,
};
use crate::archive::{Entry, Reader, Writer};
use crate::error::{Error, ErrorKind, IoContext as _, Result};

/// The kind of the probe.
pub(super) struct Probe;

impl Kind for Probe {
    fn name(&self) -> &'static str {
        "probe"
    }

    fn summary(&self) -> &'static str {
        "made-up entries, and faults where told, for tests"
    }

    fn settings(&self) -> serde_json::Value {
        schemars::schema_for!(Script).to_value()
    }

    fn configure(&self, settings: &Settings) -> Result<Box<dyn Driver>, Vec<SettingError>> {
        let mut script: Script = settings.read()?;
        script.journal = script.journal.map(|path| settings.path(path));
        script.wait.values_mut().for_each(|path| *path = settings.path(&*path));
        Ok(Box::new(ProbeDriver { script }))
    }
}

/// What a probe does. Moments go by the names of [`Driver`]'s methods.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Script {
    /// A file that gets one line as each moment begins (`<set> <moment>`) and ends (`<set> <moment> done`); for `after_*` with
    /// what it was told: `<set> after_dump: Ok`.
    journal: Option<PathBuf>,
    /// The names of the entries.
    names: Vec<String>,
    /// The size of each entry's content in bytes.
    size: usize,
    /// What its point in time is said to be worth; `exact` unless told.
    worth: Option<Worth>,
    /// The distinct values of every link that starts here.
    values: Vec<String>,
    /// The moments that fail.
    fail: Vec<String>,
    /// The moments that panic.
    panic: Vec<String>,
    /// The moments that wait until this file exists, or the run is cancelled.
    wait: BTreeMap<String, PathBuf>,
    /// Whether waiting goes on after the run is cancelled.
    deaf: bool,
    /// What `dump` reports as findings of this kind, by name.
    findings: BTreeMap<String, FindingKind>,
    /// Words for everything that a driver can say: failures, log, warnings, findings, notes, descriptions.
    say: String,
}

impl Script {
    /// What it is told to say, as a detail of something; none where nothing is to be said.
    fn detail(&self) -> Option<(String, String)> {
        Some(("said".to_owned(), self.say.clone())).filter(|(_, words)| !words.is_empty())
    }
}

struct ProbeDriver {
    script: Script,
}

/// The format of a probe's entries.
const FORMAT: &str = "probe-1";

impl Driver for ProbeDriver {
    fn describe(&self) -> Description {
        Description {
            name: "probe".into(),
            version: env!("CARGO_PKG_VERSION").into(),
            formats: vec![FORMAT.into()],
            has_columns: true,
            has_names: true,
            details: self.script.detail().into_iter().collect(),
        }
    }

    fn survey(&self) -> Survey {
        let mut survey = Survey::new(format!("nowhere {}", self.script.say).trim(), self.worth());
        survey.details.extend(self.script.detail());
        survey.warnings.extend(self.script.detail().map(|(_, words)| words));
        survey.size = Some((self.script.names.len() * self.script.size) as u64);
        survey
    }

    fn before_dump(&mut self, context: &Context) -> Result<PointInTime> {
        self.moment(context, "before_dump", || {
            let mut point = PointInTime::now(self.worth());
            point.details.extend(self.script.detail());
            Ok(point)
        })
    }

    fn link_values(&mut self, _context: &Context, _column: &LinkColumn, each: &mut dyn FnMut(&str) -> Result<()>) -> Result<()> {
        self.script.values.iter().try_for_each(|value| each(value))
    }

    fn dump(&mut self, context: &Context, mut into: Box<dyn Writer>) -> Result<Outcome> {
        self.moment(context, "dump", || {
            for (name, kind) in &self.script.findings {
                context.finding(*kind, name, format!("as the test wants it {}", self.script.say));
            }
            for (number, name) in self.script.names.iter().enumerate() {
                let mut entry = into.create(Entry::new(name.as_str()))?;
                entry.write(&content(name, self.script.size))?;
                entry.finish()?;
                context.progress(number as u64 + 1, Some(self.script.names.len() as u64), Unit::Entries);
            }
            let mut outcome = Outcome::new(FORMAT);
            outcome.notes.extend(self.script.detail());
            Ok(outcome)
        })
    }

    fn after_dump(&mut self, context: &Context, ended: &Ended) -> Result<()> {
        self.note(context, &format!("after_dump: {ended:?}"))?;
        self.moment(context, "after_dump", || Ok(()))
    }

    fn before_restore(&mut self, context: &Context, _source: &dyn Reader) -> Result<()> {
        self.moment(context, "before_restore", || Ok(()))
    }

    fn restore(&mut self, context: &Context, source: &dyn Reader) -> Result<Outcome> {
        self.moment(context, "restore", || {
            let mut entries = source.entries()?;
            loop {
                let page = entries.next(100)?;
                if page.is_empty() {
                    return Ok(Outcome::default());
                }
                for info in page {
                    context.check()?;
                    check_content(source, &info.entry)?;
                }
            }
        })
    }

    fn after_restore(&mut self, context: &Context, ended: &Ended) -> Result<()> {
        self.note(context, &format!("after_restore: {ended:?}"))?;
        self.moment(context, "after_restore", || Ok(()))
    }
}

/// The name, over and over.
fn content(name: &str, size: usize) -> Vec<u8> {
    format!("{name}\n").bytes().cycle().take(size).collect()
}

fn check_content(source: &dyn Reader, entry: &Entry) -> Result<()> {
    let mut reader = source.open(&entry.name)?;
    let (mut found, mut buffer) = (Vec::new(), [0; 8192]);
    loop {
        match reader.read(&mut buffer)? {
            0 => break,
            read => found.extend_from_slice(&buffer[..read]),
        }
    }
    let expected = content(&entry.name.to_string(), found.len());
    if found == expected { Ok(()) } else { Err(Error::corrupt(format!("`{}` is not what a probe writes", entry.name))) }
}

impl ProbeDriver {
    fn worth(&self) -> Worth {
        self.script.worth.unwrap_or(Worth::Exact)
    }

    /// What every moment does: it tells the journal, waits, panics and fails as told, and else does its work.
    fn moment<T>(&self, context: &Context, name: &str, work: impl FnOnce() -> Result<T>) -> Result<T> {
        self.note(context, name)?;
        if let Some(path) = self.script.wait.get(name) {
            while !path.exists() {
                if !self.script.deaf {
                    context.check()?;
                }
                std::thread::sleep(Duration::from_millis(5));
            }
        }
        let words = &self.script.say;
        if !words.is_empty() {
            [Level::Debug, Level::Info, Level::Warn].into_iter().for_each(|level| context.log(level, words));
        }
        let told = |moments: &[String]| moments.iter().any(|moment| moment == name);
        assert!(!told(&self.script.panic), "told to panic {words}");
        if told(&self.script.fail) {
            let failed = Error::new(ErrorKind::Other, format!("told to fail {words}")).hint(format!("tell it otherwise {words}"));
            return Err(failed.with("said", words.as_str()));
        }
        let result = work()?;
        self.note(context, &format!("{name} done"))?;
        Ok(result)
    }

    fn note(&self, context: &Context, what: &str) -> Result<()> {
        let Some(path) = &self.script.journal else { return Ok(()) };
        let mut file = OpenOptions::new().create(true).append(true).open(path).while_doing(|| "cannot open the journal")?;
        file.write_all(format!("{} {what}\n", context.set).as_bytes()).while_doing(|| "cannot write the journal")
    }
}
