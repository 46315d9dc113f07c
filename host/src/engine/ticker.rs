//! Says a few times a second how far something is, while it goes on.

use std::thread;
use std::time::Duration;

use crossbeam_channel::RecvTimeoutError;

/// The time between two ticks.
const INTERVAL: Duration = Duration::from_millis(250);

/// Does `work` in this thread and calls `tick` from another, every [`INTERVAL`], until it is done.
pub(super) fn ticking<T>(tick: &(dyn Fn() + Sync), work: impl FnOnce() -> T) -> T {
    let (working, over) = crossbeam_channel::bounded::<()>(0);
    thread::scope(|scope| {
        scope.spawn(move || {
            while over.recv_timeout(INTERVAL) == Err(RecvTimeoutError::Timeout) {
                tick();
            }
        });
        let done = work();
        drop(working);
        done
    })
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn ticks_until_the_work_is_done_and_no_longer() {
        let (ticked, seen) = crossbeam_channel::unbounded();
        let count = AtomicUsize::new(0);
        let tick = || {
            count.fetch_add(1, Ordering::SeqCst);
            let _nobody_waits_after_the_first = ticked.send(());
        };
        let answer = ticking(&tick, || seen.recv().map(|()| 42));
        assert_eq!(answer, Ok(42));
        let at_the_end = count.load(Ordering::SeqCst);
        thread::sleep(INTERVAL * 2);
        assert_eq!(count.load(Ordering::SeqCst), at_the_end);
    }
}
