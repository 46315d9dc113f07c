//! The [`Driver`] that calls a component: its moments are the contract's, one for one.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::bindings::{Exports, Told};
use super::call::{Archive, Call};
use super::clock::{Allowance, Clock, Overdue, Total};
use super::ended;
use super::grants::{Denials, Made, Matched};
use super::guest::World;
use super::instance::{self, Answered, Instance, Lost};
use super::limits::{BRIEF, Limits};
use super::load::Loaded;
use super::log::Log;
use super::settings::Configured;
use super::thread::Service;
use crate::archive::{Reader, Writer};
use crate::drivers::{Context, Description, Driver, Ended, LinkColumn, Outcome, PointInTime, SHA256, Survey};
use crate::error::{Error, ErrorKind, Result};

/// The most details of an error, a point in time or an outcome that are taken from a component.
const DETAILS: usize = 100;

/// One set's component.
pub(super) struct Adapter {
    settings: Configured,
    loaded: Arc<Loaded>,
    limits: Arc<Limits>,
    log: Arc<Log>,
    /// What it may touch.
    matched: Matched,
    /// What was denied to it.
    denials: Denials,
    /// The directories that were made for it in this run.
    made: Made,
    /// The configuration as the component gets it.
    config: Arc<str>,
    /// Lives through the moments of a run; made by the first.
    instance: Option<Instance>,
    /// Whether there was an instance in this run: where none could be made, nothing needs to be released.
    had_instance: bool,
    /// Why the instance was lost.
    lost: Option<String>,
    /// The time that the moments took so far.
    spent: Duration,
}

impl Adapter {
    /// For a component that is loaded.
    pub(super) fn new(settings: Configured, loaded: Arc<Loaded>, matched: Matched) -> Self {
        let limits = Arc::new(settings.limits.clone());
        let log = Log::new(limits.log, matched.redactor());
        let config = settings.config.to_string().into();
        let denials = Denials::default();
        Self {
            settings,
            loaded,
            limits,
            log,
            matched,
            denials,
            made: Made::default(),
            config,
            instance: None,
            had_instance: false,
            lost: None,
            spent: Duration::ZERO,
        }
    }

    /// Calls a moment under its clock: in the instance that there is, or a first one.
    fn moment<T: Send + 'static>(&mut self, context: &Context, archive: Archive, service: Service<'_>, call: impl Moment<T>) -> Result<T> {
        let allowance = self.limits.allowance(self.spent);
        self.call(context, allowance, archive, service, call)
    }

    fn call<T: Send + 'static>(
        &mut self,
        context: &Context,
        allowance: Allowance,
        archive: Archive,
        service: Service<'_>,
        call: impl Moment<T>,
    ) -> Result<T> {
        self.log.begin(context.reporter.clone());
        let clock = Arc::new(Clock::start(allowance, context.cancel.clone()));
        let instance = match self.instance.take() {
            Some(instance) => instance,
            None => self.instantiate(context, &clock)?,
        };
        self.had_instance = true;
        let (told, config, watched) = (context.clone(), self.config.clone(), clock.clone());
        let called = instance.call(&clock, service, async move |exports, store, caller| {
            store.data_mut().call = Some(Call::new(told.clone(), watched, archive, caller));
            call(exports, Told { store, context: &told, config: &config }).await
        });
        self.spent += clock.elapsed();
        let denied = self.tell_denials(context);
        let error = match called {
            Ok(Answered { instance, left, answer }) => {
                self.instance = Some(instance);
                match answer.and_then(|answer| left.map_or(Ok(()), |call| call.left()).map(|()| answer)) {
                    Ok(answer) => {
                        self.log.end();
                        return Ok(answer);
                    }
                    Err(error) => self.without_secrets(error),
                }
            }
            Err(lost) => self.lose(context, lost),
        };
        let lines = self.log.end();
        Err(if error.is_cancelled() { error } else { ended::with_last_lines(ended::with_denial(error, denied), lines) })
    }

    /// Makes an instance.
    fn instantiate(&mut self, context: &Context, clock: &Arc<Clock>) -> Result<Instance> {
        let rights = self.matched.rights(&self.denials);
        let mut wasi = instance::wasi(&self.log);
        rights.enter(&mut wasi)?;
        let world = World { wasi: wasi.build(), rights };
        let store = instance::store(&self.loaded.prepared, world, &self.limits, &self.log);
        Instance::make(&self.loaded.prepared, store, clock).map_err(|lost| {
            let error = self.lose(context, lost);
            let lines = self.log.end();
            ended::with_last_lines(error, lines)
        })
    }

    /// The instance is of no use any more: why, as an error.
    fn lose(&mut self, context: &Context, lost: Lost) -> Error {
        let error = match lost {
            Lost::Trapped { trap, refused, over } => {
                ended::tell_backtrace(context, &trap);
                over.unwrap_or_else(|| self.without_secrets(ended::trapped(&trap, refused.as_deref())))
            }
            Lost::Forced(why) => {
                if why == Overdue::Cancelled {
                    self.lost = Some("the run was interrupted, and the driver did not end in time".into());
                }
                ended::overdue(why)
            }
            Lost::Failed(error) => error,
        };
        self.lost.get_or_insert_with(|| error.message().to_owned());
        error
    }

    /// Calls `after_*`: in the instance that there is, or, where that was lost, briefly in a fresh one, which is told so.
    fn after(
        &mut self,
        context: &Context,
        ended: &Ended,
        call: impl AsyncFnOnce(&Exports, Told<'_>, &Ended) -> wasmtime::Result<Result<()>> + Send + 'static,
    ) -> Result<()> {
        let lost = self.lost.take().map(|why| Ended::Trapped(self.log.clean(&why)));
        if !std::mem::take(&mut self.had_instance) {
            return Ok(());
        }
        let at_least = self.limits.idle.max(BRIEF);
        let (idle, total) = if lost.is_some() { (BRIEF * 2, BRIEF) } else { (at_least, at_least) };
        let allowance = Allowance { idle, total: Some(Total::fixed(total)) };
        let ended = lost.unwrap_or_else(|| ended.clone());
        let called =
            self.call(context, allowance, Archive::None, Service::None, async move |exports, told| call(exports, told, &ended).await);
        self.instance = None;
        self.spent = Duration::ZERO;
        self.log.end_run();
        called
    }

    /// Calls a moment that reads entries.
    fn reading<T: Send + 'static>(&mut self, context: &Context, source: &dyn Reader, call: impl Moment<T>) -> Result<T> {
        self.moment(context, Archive::Read(source.totals()), Service::Reader(source), call)
    }

    /// What a guest returned, without secrets and not too long.
    fn clean(&self, said: BTreeMap<String, String>) -> BTreeMap<String, String> {
        said.into_iter().take(DETAILS).map(|(key, value)| (self.log.short(&key), self.log.short(&value))).collect()
    }

    /// Tells the person what was denied in this moment; gives the first.
    fn tell_denials(&self, context: &Context) -> Option<String> {
        let denied: Vec<String> = self.denials.take().iter().map(|what| self.log.clean(what)).collect();
        denied.iter().for_each(|what| context.warn(what));
        denied.into_iter().next()
    }

    /// A component lists its directories by itself: nothing can be left out of them.
    fn leave_nothing_out(&self, context: &Context) -> Result<()> {
        let Some(path) = context.leave_out.first() else { return Ok(()) };
        let message = format!("`{}` lies in a directory that the driver may write, and a component cannot leave it out", path.display());
        Err(Error::new(ErrorKind::InvalidConfig, message).hint("put it elsewhere, or grant a directory that does not hold it"))
    }

    /// Lines of its message but the first are set in, so that none can be taken for one of the host's.
    fn without_secrets(&self, error: Error) -> Error {
        error.map_texts(DETAILS, |text| self.log.short(text).replace('\n', "\n  "))
    }
}

/// A call of one moment, made on the guest's thread: the outer error is a trap.
trait Moment<T>: AsyncFnOnce(&Exports, Told<'_>) -> wasmtime::Result<Result<T>> + Send + 'static {}

impl<T, F: AsyncFnOnce(&Exports, Told<'_>) -> wasmtime::Result<Result<T>> + Send + 'static> Moment<T> for F {}

impl Driver for Adapter {
    fn describe(&self) -> Description {
        let described = &self.loaded.described;
        let mut details = BTreeMap::from([
            ("component".to_owned(), self.settings.spelt.clone()),
            (SHA256.to_owned(), self.loaded.sha256.clone()),
            ("contract".to_owned(), self.loaded.contract.version().to_owned()),
        ]);
        details.extend(self.limits.lines());
        details.extend(self.matched.details());
        Description {
            name: described.name.clone(),
            version: described.version.clone(),
            formats: described.formats.clone(),
            has_columns: described.has_columns,
            has_names: described.has_names,
            details,
        }
    }

    fn survey(&self) -> Survey {
        let described = &self.loaded.described;
        let target = format!("{} ({} {})", self.settings.spelt, described.name, described.version);
        let mut survey = Survey::new(target, described.worth);
        survey.details.push(("summary".into(), described.summary.clone()));
        survey.details.push((SHA256.into(), self.loaded.sha256.clone()));
        survey.details.push(("contract".into(), self.loaded.contract.version().into()));
        survey.details.extend(self.matched.lines());
        survey.details.extend(self.limits.lines());
        survey.warnings = self.matched.warnings();
        survey.occupies = self.matched.occupies();
        survey.reads = self.matched.reads();
        survey
    }

    fn before_dump(&mut self, context: &Context) -> Result<PointInTime> {
        self.leave_nothing_out(context)?;
        self.moment(context, Archive::None, Service::None, async |exports, told| exports.before_dump(told).await)
            .map(|point| PointInTime { details: self.clean(point.details), ..point })
    }

    fn link_values(&mut self, context: &Context, column: &LinkColumn, each: &mut dyn FnMut(&str) -> Result<()>) -> Result<()> {
        let column = column.clone();
        self.moment(context, Archive::Collect, Service::Values(each), async move |exports, told| exports.link_values(told, &column).await)
    }

    fn dump(&mut self, context: &Context, into: Box<dyn Writer>) -> Result<Outcome> {
        self.moment(context, Archive::Write(into), Service::None, async |exports, told| exports.dump(told).await)
            .map(|outcome| Outcome { notes: self.clean(outcome.notes), ..outcome })
    }

    fn after_dump(&mut self, context: &Context, ended: &Ended) -> Result<()> {
        self.after(context, ended, async |exports, told, ended| exports.after_dump(told, ended).await)
    }

    fn before_restore(&mut self, context: &Context, source: &dyn Reader) -> Result<()> {
        self.leave_nothing_out(context)?;
        // Before there is an instance, which gets its directories when it is made.
        self.made.make(&self.matched)?;
        self.reading(context, source, async |exports, told| exports.before_restore(told).await)
    }

    fn restore(&mut self, context: &Context, source: &dyn Reader) -> Result<Outcome> {
        let outcome = self.reading(context, source, async |exports, told| exports.restore(told).await)?;
        self.matched.sync()?;
        Ok(Outcome { notes: self.clean(outcome.notes), ..outcome })
    }

    fn after_restore(&mut self, context: &Context, ended: &Ended) -> Result<()> {
        let told = self.after(context, ended, async |exports, told, ended| exports.after_restore(told, ended).await);
        let mut made = std::mem::take(&mut self.made);
        if *ended != Ended::Ok {
            made.remove();
        }
        told
    }
}
