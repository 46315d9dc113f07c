//! Runs a driver's moments as the engine would, each in a thread of its own, so that neither a panic nor a hang of the driver
//! ends the suite.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::memory::MemoryArchive;
use super::subject::Place;
use crate::archive::{Reader, Writer};
use crate::cancel::Cancel;
use crate::drivers::{Context, Driver, Ended, Finding, Level, Outcome, PointInTime, Reporter, RestoreOptions, Unit};
use crate::error::{Error, Result};
use crate::name::SetPath;

/// How a case ends early: the driver broke the contract, as the text says.
pub(super) type Broken = String;

/// Keeps what a driver reports.
#[derive(Default)]
pub struct Recorder {
    lines: Mutex<Vec<(Level, String)>>,
    findings: Mutex<Vec<Finding>>,
}

impl Recorder {
    /// What was logged so far.
    pub fn lines(&self) -> Vec<(Level, String)> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What was found so far.
    pub fn findings(&self) -> Vec<Finding> {
        self.findings.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Reporter for Recorder {
    fn log(&self, level: Level, message: String) {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).push((level, message));
    }

    fn progress(&self, _done: u64, _total: Option<u64>, _unit: Unit) {}

    fn finding(&self, finding: Finding) {
        self.findings.lock().unwrap_or_else(PoisonError::into_inner).push(finding);
    }
}

/// A context for a driver that is tested alone: a set called `conformance`, reports kept in `recorder`.
///
/// # Errors
/// None in practice: the set's name is a valid one.
pub fn context(cancel: &Cancel, recorder: &Arc<Recorder>, restore: RestoreOptions) -> Result<Context> {
    let reporter: Arc<dyn Reporter> = Arc::<Recorder>::clone(recorder);
    Ok(Context {
        set: SetPath::parse("conformance")?,
        cancel: cancel.clone(),
        reporter,
        leave_out: Vec::new(),
        skipped: Arc::default(),
        restore,
    })
}

/// One run of one driver.
pub(super) struct Run {
    driver: Option<Box<dyn Driver>>,
    context: Context,
    pub(super) recorder: Arc<Recorder>,
    limit: Duration,
}

impl Run {
    /// A run with a fresh driver; a moment that takes longer than `limit` counts as hung.
    pub(super) fn new(place: &dyn Place, cancel: &Cancel, restore: RestoreOptions, limit: Duration) -> Result<Self, Broken> {
        let recorder = Arc::new(Recorder::default());
        let context = context(cancel, &recorder, restore).map_err(|error| describe(&error))?;
        let driver = place.driver().map_err(|error| format!("the driver cannot be configured: {}", describe(&error)))?;
        Ok(Self { driver: Some(driver), context, recorder, limit })
    }

    /// Runs one moment.
    pub(super) fn moment<T: Send + 'static>(
        &mut self,
        name: &str,
        work: impl FnOnce(&mut dyn Driver, &Context) -> Result<T> + Send + 'static,
    ) -> Result<Result<T>, Broken> {
        let mut driver = self.driver.take().ok_or("a driver that hung or panicked is not called again")?;
        let context = self.context.clone();
        let (sender, receiver) = mpsc::channel();
        std::thread::spawn(move || {
            let result = catch_unwind(AssertUnwindSafe(|| work(driver.as_mut(), &context)));
            // Nobody listens any more once the limit has passed; the driver is then dropped here.
            let _ = sender.send((result, driver));
        });
        match receiver.recv_timeout(self.limit) {
            Ok((Ok(result), driver)) => {
                self.driver = Some(driver);
                Ok(result)
            }
            Ok((Err(panic), _)) => Err(format!("`{name}` panicked: {}", panic_text(panic.as_ref()))),
            Err(RecvTimeoutError::Timeout) => Err(format!("`{name}` did not end within {} s", self.limit.as_secs_f64())),
            Err(RecvTimeoutError::Disconnected) => Err(format!("`{name}` took its thread down")),
        }
    }
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> &str {
    match (panic.downcast_ref::<&str>(), panic.downcast_ref::<String>()) {
        (Some(text), _) => text,
        (_, Some(text)) => text,
        _ => "no message",
    }
}

/// An error with its details, for a report.
pub(super) fn describe(error: &Error) -> String {
    let details: String = error.context().iter().map(|(key, value)| format!("; {key} `{value}`")).collect();
    format!("{error} ({:?}{details})", error.kind())
}

/// What came of the moments of a dump.
pub(super) struct Dumped {
    pub(super) archive: MemoryArchive,
    /// Of `before_dump`, where it succeeded.
    pub(super) point: Option<PointInTime>,
    /// Of `dump`, or of `before_dump` where that failed.
    pub(super) result: Result<Outcome>,
    pub(super) findings: Vec<Finding>,
    pub(super) ended_at: Instant,
}

/// The three moments of a dump. `between` happens after `before_dump`; `wrap` puts faults before the archive.
pub(super) fn dump(
    run: &mut Run,
    between: impl FnOnce() -> Result<(), Broken>,
    wrap: impl FnOnce(Box<dyn Writer>) -> Box<dyn Writer>,
) -> Result<Dumped, Broken> {
    let archive = MemoryArchive::cancelled_by(&run.context.cancel);
    let (mut point, mut abandoned) = (None, None);
    let result = match run.moment("before_dump", |driver, context| driver.before_dump(context))? {
        Ok(at) => {
            point = Some(at);
            between()?;
            let writer = wrap(archive.writer());
            let result = run.moment("dump", |driver, context| driver.dump(context, writer))?;
            abandoned = archive.close().err();
            result
        }
        Err(error) => Err(error),
    };
    let ended_at = Instant::now();
    if let (Ok(_), Some(error)) = (&result, abandoned) {
        return Err(format!("`dump` succeeded, but {error}"));
    }
    let ended = ended(&result);
    run.moment("after_dump", move |driver, context| driver.after_dump(context, &ended))?
        .map_err(|error| format!("`after_dump` failed: {}", describe(&error)))?;
    if let Some(violation) = archive.violations().first() {
        return Err(violation.clone());
    }
    Ok(Dumped { archive, point, result, findings: run.recorder.findings(), ended_at })
}

/// What came of the moments of a restore.
pub(super) struct Restored {
    /// Of `restore`, or of `before_restore` where that failed.
    pub(super) result: Result<()>,
    /// Whether it was `before_restore` that failed: nothing may have been written, then.
    pub(super) refused: bool,
    pub(super) ended_at: Instant,
}

/// The three moments of a restore.
pub(super) fn restore(run: &mut Run, reader: &Arc<dyn Reader>) -> Result<Restored, Broken> {
    let (checked, read) = (Arc::clone(reader), Arc::clone(reader));
    let before = run.moment("before_restore", move |driver, context| driver.before_restore(context, checked.as_ref()))?;
    let refused = before.is_err();
    let result = match before {
        Ok(()) => run.moment("restore", move |driver, context| driver.restore(context, read.as_ref()).map(|_| ()))?,
        Err(error) => Err(error),
    };
    let ended_at = Instant::now();
    let ended = ended(&result);
    run.moment("after_restore", move |driver, context| driver.after_restore(context, &ended))?
        .map_err(|error| format!("`after_restore` failed: {}", describe(&error)))?;
    Ok(Restored { result, refused, ended_at })
}

fn ended<T>(result: &Result<T>) -> Ended {
    match result {
        Ok(_) => Ended::Ok,
        Err(error) if error.is_cancelled() => Ended::Cancelled,
        Err(error) => Ended::Failed(error.to_string()),
    }
}
