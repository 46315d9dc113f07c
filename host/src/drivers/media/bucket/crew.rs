//! Several threads that share one list of work: enough of them that a bucket's latency is not what a run waits for.

use std::sync::{Mutex, PoisonError};

use crate::cancel::Cancel;
use crate::error::{Error, Result};

/// Gives each piece of work to one of `hands` threads, each of which holds a value that `begin` made. The first that fails
/// stops the others.
///
/// # Errors
/// The first failure; that the run is cancelled.
pub(super) fn share<T: Send, W: Send>(
    cancel: &Cancel,
    hands: usize,
    work: impl Iterator<Item = Result<W>> + Send,
    begin: impl Fn() -> Result<T>,
    each: impl Fn(&Cancel, &mut T, W) -> Result<()> + Sync,
) -> Result<()> {
    let stop = cancel.child();
    let (work, failure) = (Mutex::new(work), Mutex::new(None));
    let next = || work.lock().unwrap_or_else(PoisonError::into_inner).next();
    let fail = |error: Error| {
        // Once it is told to stop, a thread fails for no reason of its own.
        failure.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
        stop.cancel();
    };
    let tools: Vec<T> = (0..hands).map(|_| begin()).collect::<Result<_>>()?;
    std::thread::scope(|scope| {
        for mut tool in tools {
            let (next, fail, each, stop) = (&next, &fail, &each, &stop);
            scope.spawn(move || {
                while let Some(piece) = next() {
                    if let Err(error) = stop.check().and(piece).and_then(|piece| each(stop, &mut tool, piece)) {
                        return fail(error);
                    }
                }
            });
        }
    });
    cancel.check()?;
    failure.into_inner().unwrap_or_else(PoisonError::into_inner).map_or(Ok(()), Err)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;
    use crate::error::ErrorKind;

    #[test]
    fn all_work_is_done_once() {
        let sum = AtomicU32::new(0);
        let each = |_: &Cancel, _: &mut (), number: u32| {
            sum.fetch_add(number, Ordering::Relaxed);
            Ok(())
        };
        share(&Cancel::new(), 4, (1..=100).map(Ok), || Ok(()), each).expect("no failure");
        assert_eq!(sum.into_inner(), 5050);
    }

    #[test]
    fn the_first_failure_stops_the_others_and_is_told() {
        let done = AtomicU32::new(0);
        let each = |_: &Cancel, _: &mut (), number: u32| {
            done.fetch_add(1, Ordering::Relaxed);
            if number == 3 { Err(Error::new(ErrorKind::Unavailable, "three")) } else { Ok(()) }
        };
        let error = share(&Cancel::new(), 2, (1..=1_000_000).map(Ok), || Ok(()), each).expect_err("three");
        assert_eq!(error.message(), "three");
        assert!(done.into_inner() < 1_000_000);
    }

    #[test]
    fn a_cancelled_run_says_so() {
        let cancel = Cancel::new();
        let each = |_: &Cancel, _: &mut (), _: u32| {
            cancel.cancel();
            Ok(())
        };
        assert!(share(&cancel, 2, (1..=10).map(Ok), || Ok(()), each).expect_err("cancelled").is_cancelled());
    }
}
