//! The wall clock of one call into a guest: time without progress, time in total, and the end after a request to stop.
//!
//! An epoch alone ends no guest that waits inside the host. So whoever drives the guest's future looks here a few times a
//! second, and drops it when its time is over.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::cancel::Cancel;

/// A call that the host answers sooner is the guest's own time: else who calls without end would hardly age.
const QUICK: Duration = Duration::from_millis(10);

/// How often those who wait for a guest look at its clock.
pub(super) const LOOK: Duration = Duration::from_millis(50);

/// How long a guest may go on after a request to stop, to clean up.
const GRACE: Duration = Duration::from_millis(500);

/// How long a call may take.
#[derive(Clone, Copy, Debug)]
pub(super) struct Allowance {
    /// Without progress.
    pub(super) idle: Duration,
    /// In total.
    pub(super) total: Option<Total>,
}

/// A time in total.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Total {
    /// What is left of it for this call.
    pub(super) left: Duration,
    /// All of it, as people know it.
    pub(super) of: Duration,
    /// Whether a setting can change it.
    pub(super) is_set: bool,
}

impl Total {
    /// One that no setting changes, for one call.
    pub(super) fn fixed(of: Duration) -> Self {
        Self { left: of, of, is_set: false }
    }
}

/// Why a guest is ended by force.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Overdue {
    /// It showed no progress for this long.
    Idle(Duration),
    /// It took longer than this in total.
    Total(Total),
    /// It did not end after a request to stop.
    Cancelled,
}

/// The clock of one call.
pub(super) struct Clock {
    begun: Instant,
    allowance: Allowance,
    /// Milliseconds after `begun` at which there was progress.
    progress: AtomicU64,
    /// Milliseconds after `begun` since which the host works for the guest, plus one; 0: it does not.
    at_work: AtomicU64,
    /// Milliseconds after `begun` at which the request to stop was seen, plus one; 0: it was not.
    stop: AtomicU64,
    cancel: Cancel,
}

impl Clock {
    /// Starts.
    pub(super) fn start(allowance: Allowance, cancel: Cancel) -> Self {
        let (progress, at_work, stop) = Default::default();
        Self { begun: Instant::now(), allowance, progress, at_work, stop, cancel }
    }

    /// There was progress.
    pub(super) fn progress(&self) {
        self.progress.store(self.now(), Ordering::Relaxed);
    }

    /// The host works for the guest, or lets it wait for others, until what this returns is dropped.
    pub(super) fn host_at_work(&self) -> AtWork<'_> {
        let since = self.now();
        self.at_work.store(since + 1, Ordering::Relaxed);
        AtWork { clock: self, since }
    }

    /// How long the call took so far.
    pub(super) fn elapsed(&self) -> Duration {
        self.begun.elapsed()
    }

    /// Whether the guest's time is over, and why.
    pub(super) fn overdue(&self) -> Option<Overdue> {
        let now = self.now();
        if self.cancel.is_cancelled() {
            let seen = match self.stop.compare_exchange(0, now + 1, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => now,
                Err(seen) => seen - 1,
            };
            if now - seen >= millis(GRACE) {
                return Some(Overdue::Cancelled);
            }
        }
        let idle = now.saturating_sub(self.progress.load(Ordering::Relaxed));
        let at_work = match self.at_work.load(Ordering::Relaxed) {
            0 => 0,
            since => now.saturating_sub(since - 1),
        };
        if idle >= millis(self.allowance.idle) && at_work < millis(QUICK) {
            return Some(Overdue::Idle(self.allowance.idle));
        }
        self.allowance.total.filter(|total| self.begun.elapsed() >= total.left).map(Overdue::Total)
    }

    fn now(&self) -> u64 {
        millis(self.begun.elapsed())
    }
}

/// The time that the host takes, where that is long: no time without progress, and no progress either.
pub(super) struct AtWork<'c> {
    clock: &'c Clock,
    since: u64,
}

impl Drop for AtWork<'_> {
    fn drop(&mut self) {
        let now = self.clock.now();
        let took = now - self.since;
        if took >= millis(QUICK) {
            let progress = self.clock.progress.load(Ordering::Relaxed).saturating_add(took);
            self.clock.progress.store(progress.min(now), Ordering::Relaxed);
        }
        self.clock.at_work.store(0, Ordering::Relaxed);
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHORT: Duration = Duration::from_millis(40);
    const LONG: Duration = Duration::from_secs(3600);

    fn clock(idle: Duration, total: Option<Duration>) -> Clock {
        Clock::start(Allowance { idle, total: total.map(Total::fixed) }, Cancel::new())
    }

    #[test]
    fn time_without_progress_is_counted_from_the_last_progress() {
        let clock = clock(SHORT, None);
        assert_eq!(clock.overdue(), None);
        std::thread::sleep(SHORT);
        clock.progress();
        assert_eq!(clock.overdue(), None);
        std::thread::sleep(SHORT);
        assert_eq!(clock.overdue(), Some(Overdue::Idle(SHORT)));
    }

    #[test]
    fn what_the_host_takes_is_not_the_guests_fault_but_counts_in_total() {
        let clock = clock(SHORT, Some(SHORT * 3));
        let working = clock.host_at_work();
        std::thread::sleep(SHORT * 2);
        assert_eq!(clock.overdue(), None);
        std::thread::sleep(SHORT * 2);
        assert_eq!(clock.overdue(), Some(Overdue::Total(Total::fixed(SHORT * 3))));
        drop(working);
    }

    #[test]
    fn who_is_always_in_a_quick_call_is_idle_all_the_same() {
        let clock = clock(SHORT, None);
        std::thread::sleep(SHORT);
        let working = clock.host_at_work();
        assert_eq!(clock.overdue(), Some(Overdue::Idle(SHORT)));
        drop(working);
    }

    #[test]
    fn calls_without_end_are_no_progress() {
        let clock = clock(SHORT, None);
        let begun = Instant::now();
        while clock.overdue().is_none() {
            drop(clock.host_at_work());
            assert!(begun.elapsed() < SHORT * 50, "it never ends");
        }
    }

    #[test]
    fn a_request_to_stop_leaves_some_time() {
        let cancel = Cancel::new();
        let clock = Clock::start(Allowance { idle: LONG, total: None }, cancel.clone());
        cancel.cancel();
        assert_eq!(clock.overdue(), None);
        std::thread::sleep(GRACE);
        assert_eq!(clock.overdue(), Some(Overdue::Cancelled));
    }
}
