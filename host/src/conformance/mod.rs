//! The contract suite of the [`Driver`](crate::drivers::Driver) trait: what every driver must do, native or component, run
//! against it through a [`Subject`].
//!
//! [`run`] takes a driver through its moments on places that the subject makes, with an archive in memory that is as strict as
//! the contract ([`MemoryArchive`]) and with faults between the two ([`fault`]). It returns a [`Report`]; it neither panics nor
//! hangs, whatever the driver does. How a driver does its work (its format, its speed, its own settings) is the business of
//! the driver's own tests.

mod bench;
mod cases;
pub mod fault;
mod memory;
mod report;
mod subject;

#[cfg(test)]
mod tests;

pub use bench::{Recorder, context};
pub use memory::{MemoryArchive, MemoryReader};
pub use report::{Case, Report, Verdict};
pub use subject::{Atomicity, Contents, Place, Subject};

use std::time::{Duration, Instant};

/// How hard the suite tries, and how long it waits.
#[derive(Clone, Debug)]
pub struct Options {
    /// How many items "many" are.
    pub many: usize,
    /// How many bytes the large item has.
    pub large: usize,
    /// At how many calls of a run a fault is injected, at most; a driver that needs more fails the case.
    pub calls: u64,
    /// Within what time a driver ends once it is cancelled.
    pub patience: Duration,
    /// After what time a moment that nobody cancelled counts as hung.
    pub hung: Duration,
    /// Only cases whose name contains this.
    pub only: Option<String>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            many: 2000,
            large: 32 * 1024 * 1024,
            calls: 2000,
            patience: Duration::from_secs(5),
            hung: Duration::from_secs(120),
            only: None,
        }
    }
}

/// Why most cases make no sense for a driver whose entries are of a kind of its own; or for one that fails at all of them.
fn no_items(subject: &dyn Subject) -> String {
    let why = subject.first_refusal().map_or_else(String::new, |error| format!(": {}", bench::describe(&error)));
    format!("the driver takes none of the items that the suite makes up{why}")
}

/// The names of all cases, in the order in which they run.
pub fn cases() -> impl Iterator<Item = &'static str> {
    cases::ALL.iter().map(|(name, _)| *name)
}

/// Runs the suite against one driver.
pub fn run(subject: &dyn Subject, options: &Options) -> Report {
    let chosen = |name: &str| options.only.as_ref().is_none_or(|only| name.contains(only.as_str()));
    let run_one = |(name, case): &(&'static str, cases::CaseFn)| {
        let begun = Instant::now();
        let suite = cases::Suite::new(subject, options);
        let tried = if suite.has_items() || cases::NEED_NO_ITEMS.contains(name) {
            case(&suite)
        } else {
            Err(cases::Stop::LeftOut(no_items(subject)))
        };
        let verdict = match tried {
            Ok(()) => Verdict::Passed(suite.into_tried()),
            Err(cases::Stop::Broken(how)) => Verdict::Failed(how),
            Err(cases::Stop::LeftOut(why)) => Verdict::LeftOut(why),
        };
        Case { name, verdict, took: begun.elapsed() }
    };
    let cases = cases::ALL.iter().filter(|(name, _)| chosen(name)).map(run_one).collect();
    Report { subject: subject.name(), cases }
}
