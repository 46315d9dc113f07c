//! The thread beside a guest: what may wait for a disk or for the archive's other writers happens here, while the guest's
//! future is polled elsewhere and its wall clock goes on.
//!
//! One thread serves one call, in order, as long as the [`Beside`] lives.

use std::thread;

use crossbeam_channel::{Receiver, Sender, unbounded};
use tokio::sync::oneshot;

use crate::archive::Reader;
use crate::error::{Error, ErrorKind, IoContext as _, Result};

/// Work for the thread; it is given the set's entries, where the moment has any to read.
type Work = Box<dyn FnOnce(Option<&dyn Reader>) + Send>;

/// Hands work to the thread.
#[derive(Clone)]
pub(super) struct Beside(Sender<Work>);

/// What the thread does with its work.
pub(super) struct Serving(Receiver<Work>);

/// A result that is on its way.
pub(super) type Coming<T> = oneshot::Receiver<T>;

impl Beside {
    /// The two ends: what hands out work, and what does it.
    pub(super) fn new() -> (Self, Serving) {
        let (work, queue) = unbounded();
        (Self(work), Serving(queue))
    }

    /// Starts some work, without waiting for it. What comes is an error only where the thread is gone.
    pub(super) fn start<T: Send + 'static>(&self, work: impl FnOnce(Option<&dyn Reader>) -> T + Send + 'static) -> Coming<T> {
        let (done, coming) = oneshot::channel();
        let work: Work = Box::new(move |reader| {
            // Nobody listens where the guest was ended meanwhile.
            let _ = done.send(work(reader));
        });
        // Where the thread is gone the work is dropped, and what comes says so.
        let _ = self.0.send(work);
        coming
    }

    /// Does some work, and waits for it.
    pub(super) async fn run<T: Send + 'static>(&self, work: impl FnOnce(Option<&dyn Reader>) -> Result<T> + Send + 'static) -> Result<T> {
        come(self.start(work)).await?
    }
}

/// Waits for what is on its way.
pub(super) async fn come<T>(coming: Coming<T>) -> Result<T> {
    coming.await.map_err(|_| Error::new(ErrorKind::Other, "the thread that works on the archive is gone"))
}

impl Serving {
    /// Works until nobody can hand out work any more.
    fn serve(self, reader: Option<&dyn Reader>) {
        self.0.into_iter().for_each(|work| work(reader));
    }

    /// Serves while `main` runs, from a thread of its own, and gives it the entries of the set.
    pub(super) fn while_running<T>(self, reader: &dyn Reader, main: impl FnOnce() -> T) -> Result<T> {
        thread::scope(|scope| {
            let serving = thread::Builder::new().name("guest-archive".into()).spawn_scoped(scope, || self.serve(Some(reader)));
            serving.while_doing(|| "cannot start a thread")?;
            Ok(main())
        })
    }

    /// Serves from a thread of its own, which nobody waits for: a writer that is stuck must not hold up the end of a moment.
    pub(super) fn detached(self) -> Result<()> {
        let serving = thread::Builder::new().name("guest-archive".into()).spawn(|| self.serve(None));
        serving.map(drop).while_doing(|| "cannot start a thread")
    }
}
