//! One run as all its threads share it: where events go, what failed, what was found, and how it ended.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use jiff::Timestamp;

use super::event::{ArchiveSummary, Command, Event, Failure, Moment, RunOutcome, SetSummary};
use super::session::{Report, Session, exit_code};
use crate::archive::manifest::MAX_FINDINGS;
use crate::drivers::{Ended, Finding, Level};
use crate::error::{Error, ErrorKind};
use crate::name::SetPath;

/// Who wrote an archive, and who says an event: `dr-host 0.1.0`.
pub(super) const VERSION: &str = concat!("dr-host ", env!("CARGO_PKG_VERSION"));

/// The run has failed or was interrupted; why is already in the [`Run`].
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Stopped;

/// One run.
pub(super) struct Run {
    command: Command,
    session: Session,
    begun: Instant,
    failed: Mutex<Failed>,
    found: Mutex<Found>,
}

/// What failed so far.
#[derive(Default)]
struct Failed {
    failures: Vec<Failure>,
    /// The first that was merely cancelled: shown only if no cause turns up.
    cancelled: Option<Failure>,
    /// Whether something failed before anybody interrupted the run.
    uninterrupted: bool,
}

/// What was found so far: as much as a manifest lists, and a count of the rest.
#[derive(Clone, Default)]
pub(super) struct Found {
    /// The first [`MAX_FINDINGS`].
    pub(super) listed: Vec<Finding>,
    /// How many more.
    pub(super) more: u64,
}

impl Run {
    /// Begins a run, and says so.
    pub(super) fn begin(command: Command, session: &Session, sets: Vec<SetPath>) -> Arc<Self> {
        let run = Self { command, session: session.clone(), begun: Instant::now(), failed: Mutex::default(), found: Mutex::default() };
        run.emit(Event::Started { command, version: VERSION.into(), sets, at: Timestamp::now() });
        Arc::new(run)
    }

    pub(super) fn emit(&self, event: Event) {
        self.session.events.emit(event);
    }

    pub(super) fn clean(&self, text: &str) -> String {
        self.session.redactor.strike(text).into_owned()
    }

    /// The user's request to stop.
    pub(super) fn interrupt(&self) -> &crate::cancel::Cancel {
        &self.session.cancel
    }

    /// Something for the log that is no set's.
    pub(super) fn log(&self, level: Level, message: &str) {
        self.emit(Event::Log { set: None, level, message: self.clean(message) });
    }

    /// Takes note of something found, and says it.
    pub(super) fn find(&self, finding: Finding) {
        let mut found = lock(&self.found);
        if found.listed.len() < MAX_FINDINGS {
            found.listed.push(finding.clone())
        } else {
            found.more += 1
        }
        drop(found);
        self.emit(Event::Finding { finding });
    }

    /// Takes note of `more` things found whose names are not kept.
    pub(super) fn find_unnamed(&self, more: u64) {
        lock(&self.found).more += more;
    }

    /// What was found so far.
    pub(super) fn found(&self) -> Found {
        lock(&self.found).clone()
    }

    /// Turns an error into a failure, without secrets.
    pub(super) fn failure(&self, set: Option<(&SetPath, &str)>, moment: Option<Moment>, error: &Error) -> Failure {
        Failure {
            set: set.map(|(path, _)| path.clone()),
            driver: set.map(|(_, driver)| driver.to_owned()),
            moment,
            kind: error.kind(),
            message: self.clean(error.message()),
            hint: error.advice().map(|hint| self.clean(hint)),
            context: error.context().iter().map(|(key, value)| (self.clean(key), self.clean(value))).collect(),
        }
    }

    /// Takes note of a failure, and says it. What was only cancelled is no cause, and is kept back.
    pub(super) fn fail(&self, failure: Failure) -> Stopped {
        self.fail_unless(failure, |_| false)
    }

    /// As [`Run::fail`], for a set that others may run beside: of what stops all of them (a full disk), one tells.
    pub(super) fn fail_beside(&self, failure: Failure) -> Stopped {
        let (kind, message) = (failure.kind, failure.message.clone());
        self.fail_unless(failure, |told| (told.kind, &told.message) == (kind, &message))
    }

    fn fail_unless(&self, failure: Failure, told: impl Fn(&Failure) -> bool) -> Stopped {
        let mut failed = lock(&self.failed);
        if failure.kind == ErrorKind::Cancelled {
            failed.cancelled.get_or_insert(failure);
            return Stopped;
        }
        if failed.failures.iter().any(told) {
            return Stopped;
        }
        failed.uninterrupted |= failed.failures.is_empty() && !self.session.cancel.is_cancelled();
        failed.failures.push(failure.clone());
        drop(failed);
        self.emit(Event::Error { failure });
        Stopped
    }

    /// As [`Run::fail`], for what belongs to no set.
    pub(super) fn fail_alone(&self, error: &Error) -> Stopped {
        self.fail(self.failure(None, None, error))
    }

    /// Tells of what was kept back as merely cancelled, where no cause turned up: a driver said `cancelled` although nobody asked it to
    /// stop. Then this is all that is known.
    pub(super) fn tell_cancelled(&self) {
        let mut failed = lock(&self.failed);
        if failed.failures.is_empty()
            && !self.interrupted(&failed)
            && let Some(failure) = failed.cancelled.take()
        {
            failed.failures.push(failure.clone());
            drop(failed);
            self.emit(Event::Error { failure });
        }
    }

    /// Whether something failed in this way.
    pub(super) fn failed_of(&self, kind: ErrorKind) -> bool {
        lock(&self.failed).failures.iter().any(|failure| failure.kind == kind)
    }

    /// How the run stands, as `after_*` is told.
    pub(super) fn ended(&self, whole: bool) -> Ended {
        if whole {
            return Ended::Ok;
        }
        let failed = lock(&self.failed);
        match failed.failures.first().or(failed.cancelled.as_ref()) {
            Some(cause) if !self.interrupted(&failed) => Ended::Failed(cause.to_string()),
            _ => Ended::Cancelled,
        }
    }

    /// Ends the run and says so.
    pub(super) fn finish(&self, whole: bool, archive: Option<ArchiveSummary>, sets: Vec<SetSummary>) -> Report {
        if !whole {
            self.tell_cancelled();
        }
        let failed = std::mem::take(&mut *lock(&self.failed));
        let found = lock(&self.found);
        let findings = found.listed.len() as u64 + found.more;
        drop(found);
        let outcome = match whole {
            true if findings > 0 => RunOutcome::Findings,
            true => RunOutcome::Ok,
            false if self.interrupted(&failed) => RunOutcome::Interrupted,
            false => RunOutcome::Failed,
        };
        let exit_code = exit_code(outcome, self.session.cancel.signal());
        let report = Report { outcome, exit_code, failures: failed.failures, findings, archive, sets };
        self.emit(Event::Finished {
            command: self.command,
            outcome,
            exit_code,
            seconds: self.begun.elapsed().as_secs_f64(),
            findings,
            archive: report.archive.clone(),
            sets: report.sets.clone(),
        });
        report
    }

    /// Whether the run stopped because the user asked, rather than by a failure before that.
    fn interrupted(&self, failed: &Failed) -> bool {
        self.session.cancel.is_cancelled() && !failed.uninterrupted
    }
}

/// Locks, also after a panic elsewhere: what these locks guard is whole between any two statements.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
