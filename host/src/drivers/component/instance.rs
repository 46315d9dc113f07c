//! An instance of a component, and one call into it: under its clock, with the archive beside.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crossbeam_channel::Receiver;
use wasmtime::Store;
use wasmtime_wasi::WasiCtxBuilder;

use super::bindings::{Exports, Prepared};
use super::call::{Archive, Call, Pushed};
use super::clock::{Allowance, Clock, Overdue, Total};
use super::describe::Described;
use super::ended;
use super::engine::Running;
use super::grants::Matched;
use super::guest::{Guest, World};
use super::limits::{CALL, DESCRIBE, Limits};
use super::log::{Log, Printed, Stream};
use crate::cancel::Cancel;
use crate::drivers::Context;
use crate::error::{Error, Result};
use crate::runtime;

/// How often the clock is looked at.
const LOOK: Duration = Duration::from_millis(50);

/// An instance.
pub(super) struct Instance {
    pub(super) store: Store<Guest>,
    pub(super) exports: Exports,
}

/// How a call into a guest ended, if not with an answer.
pub(super) enum Lost {
    /// It trapped.
    Trapped(wasmtime::Error),
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
    let mut store = store(prepared, world, &limits, &log);
    let clock = Clock::start(Allowance { idle: DESCRIBE * 2, total: Some(Total::fixed(DESCRIBE)) }, Cancel::new());
    let answered = drive(&clock, None, async {
        let exports = prepared.instantiate(&mut store).await?;
        exports.describe(&mut store).await
    });
    let lines = log.end();
    let error = match answered {
        Ok(described) => return Ok(described),
        Err(Lost::Trapped(trap)) => ended::trapped(&trap, store.data().bounds.refused()),
        Err(Lost::Forced(why)) => ended::overdue(why),
        Err(Lost::Failed(error)) => return Err(error),
    };
    Err(ended::with_last_lines(error.while_("`describe`"), lines))
}

/// Makes the call that a guest is about to get.
pub(super) fn call(context: &Context, clock: &Arc<Clock>, archive: Archive) -> Call {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    Call::new(NUMBER.fetch_add(1, Ordering::Relaxed), context.clone(), clock.clone(), archive)
}

/// Collects the values of a link.
pub(super) struct Collecting<'c> {
    pub(super) pushed: Receiver<Pushed>,
    pub(super) each: &'c mut dyn FnMut(&str) -> Result<()>,
}

impl Collecting<'_> {
    fn collect(&mut self) {
        while let Ok((values, answer)) = self.pushed.try_recv() {
            // Nobody listens where the guest was ended meanwhile.
            let _ = answer.send(values.iter().try_for_each(|value| (self.each)(value)));
        }
    }
}

/// Drives a guest from this thread until it answers, traps, or its time is over.
pub(super) fn drive<T>(
    clock: &Clock,
    mut collecting: Option<Collecting<'_>>,
    guest: impl Future<Output = wasmtime::Result<T>>,
) -> Result<T, Lost> {
    let running = Running::begin().map_err(Lost::Failed)?;
    let driven = runtime::block_on(async {
        let mut guest = pin!(guest);
        let mut polled = std::future::poll_fn(|context| {
            let polled = guest.as_mut().poll(context);
            collecting.as_mut().filter(|_| polled.is_pending()).into_iter().for_each(Collecting::collect);
            polled
        });
        loop {
            match tokio::time::timeout(LOOK, &mut polled).await {
                Ok(answer) => return answer.map_err(Lost::Trapped),
                Err(_not_yet) => clock.overdue().map_or(Ok(()), |why| Err(Lost::Forced(why)))?,
            }
        }
    });
    drop(running);
    driven.map_err(Lost::Failed)?
}
