//! The thread of one call into a guest, and what it asks of the thread that made the call.
//!
//! A guest runs on a thread of its own, so that files and the archive may block it in place, without a hand-over for each of
//! its calls. The caller looks at the clock meanwhile: a guest that is stuck inside the host, where nothing can stop it, is left
//! there, and the moment ends on time. The caller keeps what it has only borrowed, and serves it on request.

use std::panic;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crossbeam_channel::{Sender, bounded, select, unbounded};

use super::call::over;
use super::clock::{Clock, LOOK};
use super::instance::Lost;
use crate::archive::Reader;
use crate::archive::entry::{Entries, EntryReader};
use crate::error::{IoContext as _, Result};
use crate::name::EntryName;

/// How long a guest whose time is over may take to end by itself, before it is left where it is.
const STUCK: Duration = Duration::from_millis(200);

/// What the caller of a guest has borrowed for one call, and serves meanwhile.
pub(super) enum Service<'s> {
    /// Nothing.
    None,
    /// The entries of the set.
    Reader(&'s dyn Reader),
    /// What takes the values of a link.
    Values(&'s mut dyn FnMut(&str) -> Result<()>),
}

/// Something that a guest's thread asks for, and where the answer goes.
enum Request {
    Open(EntryName, Sender<Result<Box<dyn EntryReader>>>),
    Entries(Sender<Result<Box<dyn Entries>>>),
    Take(Vec<String>, Sender<Result<()>>),
}

/// The guest's end: asks, and waits for the answer.
#[derive(Clone)]
pub(super) struct Caller(Sender<Request>);

impl Caller {
    /// Opens an entry of the set.
    pub(super) fn open(&self, name: EntryName) -> Result<Box<dyn EntryReader>> {
        self.ask(|answer| Request::Open(name, answer))
    }

    /// Begins a walk through the entries of the set.
    pub(super) fn entries(&self) -> Result<Box<dyn Entries>> {
        self.ask(Request::Entries)
    }

    /// Gives away values of a link.
    pub(super) fn take(&self, values: Vec<String>) -> Result<()> {
        self.ask(|answer| Request::Take(values, answer))
    }

    fn ask<T>(&self, request: impl FnOnce(Sender<Result<T>>) -> Request) -> Result<T> {
        let (answer, coming) = bounded(1);
        // Nobody listens, or answers, once the caller has left the guest behind.
        self.0.send(request(answer)).map_err(|_| over())?;
        coming.recv().map_err(|_| over())?
    }
}

impl Service<'_> {
    /// Nobody waits for the answer where the guest has ended meanwhile.
    fn answer(&mut self, request: Request) {
        match (request, self) {
            (Request::Open(name, answer), Self::Reader(reader)) => drop(answer.send(reader.open(&name))),
            (Request::Entries(answer), Self::Reader(reader)) => drop(answer.send(reader.entries())),
            (Request::Take(values, answer), Self::Values(each)) => drop(answer.send(values.iter().try_for_each(|value| each(value)))),
            // Dropped without an answer: the call has no right to it.
            _ => {}
        }
    }
}

/// Runs a call on a thread of its own, and serves it until it is over.
///
/// # Errors
/// No thread could be started; the guest's time is over, and it did not end: its thread is left to itself, with all that it holds.
pub(super) fn run<T: Send + 'static>(
    clock: &Clock,
    mut service: Service<'_>,
    call: impl FnOnce(Caller) -> T + Send + 'static,
) -> Result<T, Lost> {
    let (asking, requests) = unbounded();
    let (done, ended) = bounded(1);
    // The one in here keeps the channel open until the call has ended.
    let caller = Caller(asking.clone());
    let work = move || drop(done.send(call(caller)));
    let started = thread::Builder::new().name("guest".into()).spawn(work).while_doing(|| "cannot start a thread");
    let guest = started.map_err(Lost::Failed)?;
    let mut overdue: Option<Instant> = None;
    loop {
        select! {
            recv(ended) -> answer => return answer.map_err(|_| panicked(guest)),
            recv(requests) -> request => request.into_iter().for_each(|request| service.answer(request)),
            default(LOOK) => {
                if let Some(why) = clock.overdue()
                    && overdue.get_or_insert_with(Instant::now).elapsed() >= STUCK
                {
                    return Err(Lost::Forced(why));
                }
            }
        }
    }
}

/// Goes on with the panic of a thread that ended without an answer.
fn panicked(guest: JoinHandle<()>) -> ! {
    panic::resume_unwind(guest.join().err().unwrap_or_else(|| Box::new("a guest's thread gave no answer")))
}
