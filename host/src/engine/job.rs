//! One set of a run: its driver, and how its moments are called, so that neither an error nor a panic escapes.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;

use super::event::{Event, Failure, Moment, SetState, SetSummary};
use super::reporter::SetReporter;
use super::run::Run;
use super::ticker::ticking;
use super::tree::{Set, Tree};
use crate::archive::Totals;
use crate::cancel::Cancel;
use crate::drivers::{Context, Description, Driver, Ended, Finding, FindingKind, RestoreOptions, Skipped};
use crate::error::{Error, ErrorKind, Result};
use crate::name::SetPath;

/// One set of a run.
pub(super) struct Job<'a> {
    pub(super) path: &'a SetPath,
    pub(super) description: Description,
    pub(super) reporter: Arc<SetReporter>,
    /// Below which prefix of the zip its entries stand in an archive that is written.
    pub(super) prefix: String,
    /// Whether `before_*` was called, so that `after_*` must be.
    asked: bool,
    /// The words of the panic that ended one of its moments.
    panicked: Option<String>,
    driver: &'a mut dyn Driver,
    leave_out: Vec<PathBuf>,
    /// What the archive lacks of the set since its dump left it out as told.
    pub(super) skipped: Arc<Skipped>,
    restore: RestoreOptions,
    run: Arc<Run>,
}

/// How many entries and bytes went through a set so far.
pub(super) type Through<'t> = &'t (dyn Fn() -> Option<Totals> + Sync);

/// Of a moment in which nothing goes through a set.
pub(super) const NOTHING: Through<'static> = &|| None;

/// The jobs of all sets that have a driver, in the order of [`Tree::in_order`].
pub(super) fn jobs<'a>(sets: &'a mut [Set], run: &Arc<Run>, restore: &RestoreOptions) -> Vec<Job<'a>> {
    let mut all = Vec::new();
    for set in sets {
        let prefix = if set.children.is_empty() { format!("{}/", set.path) } else { format!("{}/self/", set.path) };
        all.extend(jobs(&mut set.children, run, restore));
        all.extend(set.driver.as_deref_mut().map(|driver| Job {
            path: &set.path,
            description: driver.describe(),
            reporter: SetReporter::new(run, &set.path),
            prefix,
            asked: false,
            panicked: None,
            driver,
            leave_out: set.leave_out.clone(),
            skipped: Arc::default(),
            restore: restore.clone(),
            run: run.clone(),
        }));
    }
    all
}

/// The paths of all sets that have a driver, in the order of a dump.
pub(super) fn paths(tree: &Tree) -> Vec<SetPath> {
    tree.in_order().into_iter().map(|set| set.path.clone()).collect()
}

impl Job<'_> {
    /// Calls `before_dump` or `before_restore`.
    pub(super) fn before<T>(&mut self, moment: Moment, call: impl FnOnce(&mut dyn Driver, &Context) -> Result<T>) -> Result<T> {
        self.asked = true;
        let cancel = self.run.interrupt().clone();
        self.call(moment, &cancel, NOTHING, call)
    }

    /// Calls `after_dump` or `after_restore` if its `before_*` was called. It is not told of a request to stop that came before, since
    /// it is what cleans up after that; one that comes now is for it. A failure is a finding where all else went well.
    pub(super) fn after(&mut self, moment: Moment, ended: &Ended) {
        if !self.asked {
            return;
        }
        let ended = self.panicked.clone().map_or_else(|| ended.clone(), Ended::Trapped);
        let interrupt = self.run.interrupt();
        let cancel = if interrupt.is_cancelled() { Cancel::new() } else { interrupt.clone() };
        let called = self.call(moment, &cancel, NOTHING, |driver, context| match moment {
            Moment::AfterRestore => driver.after_restore(context, &ended),
            _ => driver.after_dump(context, &ended),
        });
        let Err(error) = called else { return };
        let failure = self.failure(moment, &error);
        if ended == Ended::Ok {
            let (set, name) = (self.path.clone(), moment.to_string());
            let details = failure.context.iter().map(|(key, value)| format!("; {key}: {value}")).collect::<String>();
            let hint = failure.hint.map(|hint| format!(" ({hint})")).unwrap_or_default();
            let message = format!("{}{details}{hint}", failure.message);
            self.run.find(Finding { set, kind: FindingKind::AfterFailed, name, message });
        } else {
            self.run.fail(failure);
        }
    }

    /// An error of this set as a failure.
    pub(super) fn failure(&self, moment: Moment, error: &Error) -> Failure {
        self.run.failure(Some((self.path, &self.description.name)), Some(moment), error)
    }

    /// Whether only some items of the set are restored.
    pub(super) fn is_limited(&self) -> bool {
        self.restore.items.contains_key(self.path)
    }

    /// How this set stands, as long as nothing went through it.
    pub(super) fn summary(&self, state: SetState) -> SetSummary {
        SetSummary {
            set: self.path.clone(),
            driver: self.description.name.clone(),
            state,
            totals: Totals::default(),
            stored_bytes: None,
            seconds: 0.0,
            worth: None,
        }
    }

    /// Calls one moment of the driver; `through` is asked now and then, for the progress.
    pub(super) fn call<T>(
        &mut self,
        moment: Moment,
        cancel: &Cancel,
        through: Through<'_>,
        call: impl FnOnce(&mut dyn Driver, &Context) -> Result<T>,
    ) -> Result<T> {
        self.run.emit(Event::Moment { set: self.path.clone(), driver: self.description.name.clone(), moment });
        self.reporter.enter_moment();
        let context = Context {
            set: self.path.clone(),
            cancel: cancel.clone(),
            reporter: self.reporter.clone(),
            leave_out: self.leave_out.clone(),
            skipped: self.skipped.clone(),
            restore: self.restore.clone(),
        };
        let (driver, reporter) = (&mut *self.driver, &self.reporter);
        let tick = || reporter.tick(through());
        let called = ticking(&tick, || catch_unwind(AssertUnwindSafe(|| call(driver, &context))));
        called.unwrap_or_else(|panic| {
            let words = words(panic.as_ref());
            let error = Error::new(ErrorKind::Other, format!("the driver panicked: {words}"));
            self.panicked = Some(words);
            Err(error.hint("this is a bug of the driver: report it, with the output of the same command with `-v`"))
        })
    }
}

fn words(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(ToString::to_string);
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "without a word".into())
}
