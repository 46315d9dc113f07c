//! What a run is given by whoever starts it, and what it hands back.

use std::sync::Arc;

use super::event::{ArchiveSummary, Events, Failure, RunOutcome, SetSummary};
use crate::cancel::Cancel;
use crate::redact::Redactor;

/// What every run needs beside its tree and its archive.
#[derive(Clone)]
pub struct Session {
    /// Takes the run's events. [`Event::Finished`](super::Event::Finished) is always the last.
    pub events: Arc<dyn Events>,
    /// Asks the run to stop. Cancelled by a signal, it also says with which exit code.
    pub cancel: Cancel,
    /// Strikes the configuration's secrets out of everything that drivers say, before it becomes an event or part of a
    /// manifest. Names of entries and values of links are data, and stay as they are.
    pub redactor: Redactor,
}

/// How a run went, as its last event says it too.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// How it ended.
    pub outcome: RunOutcome,
    /// The exit code of the process: see [`exit_code`].
    pub exit_code: u8,
    /// What failed: the cause first.
    pub failures: Vec<Failure>,
    /// How many findings there were.
    pub findings: u64,
    /// The archive that was written, read or verified.
    pub archive: Option<ArchiveSummary>,
    /// The sets, in the order of the run, and what became of each.
    pub sets: Vec<SetSummary>,
}

/// The exit code of a run: 0 all done, 3 done with findings, 1 failed, 128 and the signal's number (129 after SIGHUP, 130 after
/// Ctrl-C, 143 after SIGTERM) interrupted.
pub fn exit_code(outcome: RunOutcome, signal: Option<i32>) -> u8 {
    const SIGINT: i32 = 2;
    match outcome {
        RunOutcome::Ok => 0,
        RunOutcome::Findings => 3,
        RunOutcome::Failed => 1,
        RunOutcome::Interrupted => u8::try_from(signal.unwrap_or(SIGINT) + 128).unwrap_or(u8::MAX),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exit_codes_are_those_that_the_help_promises() {
        assert_eq!(exit_code(RunOutcome::Ok, None), 0);
        assert_eq!(exit_code(RunOutcome::Failed, Some(2)), 1);
        assert_eq!(exit_code(RunOutcome::Findings, None), 3);
        assert_eq!(exit_code(RunOutcome::Interrupted, Some(1)), 129);
        assert_eq!(exit_code(RunOutcome::Interrupted, Some(2)), 130);
        assert_eq!(exit_code(RunOutcome::Interrupted, Some(15)), 143);
    }
}
