//! An instance of a component, and one call into it, under its clock.

use std::pin::pin;
use std::sync::Arc;

use wasmtime::Store;
use wasmtime_wasi::WasiCtxBuilder;

use super::bindings::{Exports, Prepared};
use super::call::Call;
use super::clock::{Allowance, Clock, LOOK, Overdue, Total};
use super::describe::Described;
use super::ended;
use super::engine::Running;
use super::grants::Matched;
use super::guest::{Guest, World};
use super::limits::{CALL, DESCRIBE, Limits};
use super::log::{Log, Printed, Stream};
use super::thread::{self, Caller, Service};
use crate::cancel::Cancel;
use crate::error::{Error, Result};
use crate::runtime::OneThread;

/// An instance, and what drives it: its connections live on the runtime on which they were made.
pub(super) struct Instance {
    store: Store<Guest>,
    exports: Exports,
    runtime: OneThread,
}

/// How a call into a guest ended, if not with an answer.
pub(super) enum Lost {
    /// It trapped; after it met a limit of its memory, or of what it may write, if it did.
    Trapped { trap: wasmtime::Error, refused: Option<String>, over: Option<Error> },
    /// It was ended by force.
    Forced(Overdue),
    /// It never began.
    Failed(Error),
}

/// A store in which an instance can be made.
pub(super) fn store(prepared: &Prepared, world: World, limits: &Arc<Limits>, log: &Arc<Log>) -> Store<Guest> {
    let mut store = Store::new(prepared.engine(), Guest::new(world, limits, log));
    store.limiter(|guest| &mut guest.bounds);
    store.set_hostcall_fuel(CALL);
    store.set_epoch_deadline(1);
    store.epoch_deadline_async_yield_and_update(1);
    store
}

/// A context of WASI in which nothing is granted: clocks, randomness, and streams that end in the log.
pub(super) fn wasi(log: &Arc<Log>) -> WasiCtxBuilder {
    let mut wasi = WasiCtxBuilder::new();
    // Calls have threads of their own, which may block.
    wasi.allow_blocking_current_thread(true);
    wasi.stdout(Printed::new(log, Stream::Output)).stderr(Printed::new(log, Stream::Error));
    wasi
}

/// Asks a component what it is, with nothing granted.
///
/// # Errors
/// It traps, or does not answer in time.
pub(super) fn describe(prepared: &Prepared) -> Result<Described> {
    let limits = Arc::new(Limits::default());
    let log = Log::new(0, crate::redact::Redactor::default());
    let world = World { wasi: wasi(&log).build(), rights: Matched::nothing() };
    let store = store(prepared, world, &limits, &log);
    let clock = Arc::new(Clock::start(Allowance { idle: DESCRIBE * 2, total: Some(Total::fixed(DESCRIBE)) }, Cancel::new()));
    let described = Instance::make(prepared, store, &clock)
        .and_then(|instance| instance.call(&clock, Service::None, async |exports, store, _| exports.describe(store).await));
    let lines = log.end();
    let error = match described {
        Ok(Answered { answer, .. }) => return Ok(answer),
        Err(Lost::Trapped { trap, refused, .. }) => ended::trapped(&trap, refused.as_deref()),
        Err(Lost::Forced(why)) => ended::overdue(why),
        Err(Lost::Failed(error)) => return Err(error),
    };
    Err(ended::with_last_lines(error.while_("`describe`"), lines))
}

/// What became of a call.
pub(super) struct Answered<T> {
    /// The instance, for the next one.
    pub(super) instance: Instance,
    /// What the call left behind, if it was a moment.
    pub(super) left: Option<Call>,
    pub(super) answer: T,
}

impl Instance {
    /// Makes one, which runs what the component does at its start.
    pub(super) fn make(prepared: &Prepared, mut store: Store<Guest>, clock: &Arc<Clock>) -> Result<Self, Lost> {
        let (prepared, watched) = (prepared.clone(), clock.clone());
        thread::run(clock, Service::None, move |_| {
            let runtime = OneThread::new().map_err(Lost::Failed)?;
            match drive(&watched, &runtime, prepared.instantiate(&mut store))? {
                Ok(exports) => Ok(Self { store, exports, runtime }),
                Err(trap) => Err(trapped(trap, &mut store)),
            }
        })?
    }

    /// Calls it, on a thread of its own.
    pub(super) fn call<T: Send + 'static>(
        mut self,
        clock: &Arc<Clock>,
        service: Service<'_>,
        call: impl AsyncFnOnce(&Exports, &mut Store<Guest>, Caller) -> wasmtime::Result<T> + Send + 'static,
    ) -> Result<Answered<T>, Lost> {
        let watched = clock.clone();
        thread::run(clock, service, move |caller| {
            let answer = drive(&watched, &self.runtime, call(&self.exports, &mut self.store, caller))?;
            let answer = answer.map_err(|trap| trapped(trap, &mut self.store))?;
            Ok(Answered { left: self.store.data_mut().call.take(), instance: self, answer })
        })?
    }
}

fn trapped(trap: wasmtime::Error, store: &mut Store<Guest>) -> Lost {
    let guest = store.data_mut();
    let over = guest.call.take().and_then(Call::left_over);
    Lost::Trapped { trap, refused: guest.bounds.refused().map(str::to_owned), over }
}

/// Drives a guest from this thread until it answers, traps, or its time is over.
fn drive<T>(clock: &Clock, runtime: &OneThread, guest: impl Future<Output = wasmtime::Result<T>>) -> Result<wasmtime::Result<T>, Lost> {
    let _running = Running::begin().map_err(Lost::Failed)?;
    runtime.block_on(async {
        let mut guest = pin!(guest);
        loop {
            match tokio::time::timeout(LOOK, guest.as_mut()).await {
                Ok(answer) => return Ok(answer),
                Err(_not_yet) => clock.overdue().map_or(Ok(()), |why| Err(Lost::Forced(why)))?,
            }
        }
    })
}
