//! The asynchronous runtimes, behind a blocking face: a shared one for libraries that know nothing else, and [`OneThread`] where a
//! thread has connections of its own, through which much goes.

use std::pin::pin;
use std::sync::OnceLock;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};

use crate::cancel::Cancel;
use crate::error::{IoContext, Result};

/// How many threads serve it: they move bytes and wait, and compute little.
const THREADS: usize = 2;

/// How long a wait may go on before the request to stop is looked at again.
const LOOK: Duration = Duration::from_millis(100);

/// Waits for a future, from a thread that is none of the runtime's.
///
/// # Errors
/// The run is cancelled, and the future dropped where it stood; the runtime cannot be started.
pub fn wait<F: Future>(cancel: &Cancel, future: F) -> Result<F::Output> {
    cancel.check()?;
    runtime()?.block_on(unless_cancelled(cancel, future))
}

async fn unless_cancelled<F: Future>(cancel: &Cancel, future: F) -> Result<F::Output> {
    let mut future = pin!(future);
    loop {
        match tokio::time::timeout(LOOK, future.as_mut()).await {
            Ok(output) => return Ok(output),
            Err(_not_yet) => cancel.check()?,
        }
    }
}

fn runtime() -> Result<&'static Runtime> {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    if let Some(runtime) = RUNTIME.get() {
        return Ok(runtime);
    }
    let started = Builder::new_multi_thread().worker_threads(THREADS).enable_all().thread_name("runtime").build();
    let started = started.while_doing(|| "cannot start the threads for network connections")?;
    // Where two threads came at once, one of the two is dropped here, unused.
    Ok(RUNTIME.get_or_init(|| started))
}

/// A runtime without threads: its connections and timers are served by the thread that waits in it, and only while it does, so
/// that no thread has to wake another. Dropped, it waits for nothing.
pub struct OneThread(Option<Runtime>);

impl OneThread {
    /// Starts one.
    ///
    /// # Errors
    /// The process has too many files open.
    pub fn new() -> Result<Self> {
        let started = Builder::new_current_thread().enable_all().build().while_doing(|| "cannot prepare network connections")?;
        Ok(Self(Some(started)))
    }

    /// Waits for a future that knows by itself when to stop, from a thread that is none of a runtime's.
    ///
    /// # Panics
    /// Never: it is there until it is dropped.
    pub fn block_on<F: Future>(&self, future: F) -> F::Output {
        self.0.as_ref().expect("taken only when it is dropped").block_on(future)
    }

    /// Waits for a future, as [`wait`] does.
    ///
    /// # Errors
    /// The run is cancelled, and the future dropped where it stood.
    pub fn wait<F: Future>(&self, cancel: &Cancel, future: F) -> Result<F::Output> {
        cancel.check()?;
        self.block_on(unless_cancelled(cancel, future))
    }
}

impl Drop for OneThread {
    fn drop(&mut self) {
        // A plain drop would wait for name look-ups, which nothing can end.
        self.0.take().into_iter().for_each(Runtime::shutdown_background);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_future_is_waited_for() {
        let answer = wait(&Cancel::new(), async {
            tokio::time::sleep(LOOK * 2).await;
            42
        });
        assert_eq!(answer.expect("nobody cancelled"), 42);
    }

    #[test]
    fn a_wait_ends_when_it_is_cancelled() {
        let cancel = Cancel::new();
        let later = cancel.clone();
        let thread = std::thread::spawn(move || {
            std::thread::sleep(LOOK);
            later.cancel();
        });
        let answer = wait(&cancel, std::future::pending::<()>());
        assert!(answer.expect_err("it would never come").is_cancelled());
        thread.join().expect("it ended");
        assert!(wait(&cancel, async {}).expect_err("cancelled before").is_cancelled());
    }
}
