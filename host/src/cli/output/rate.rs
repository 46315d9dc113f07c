//! How quick something goes, over the last seconds, and how long it will still take.

use std::collections::VecDeque;
use std::time::Duration;

/// Over how long a rate is taken: long enough to be calm, short enough to follow.
const WINDOW: Duration = Duration::from_secs(5);

/// The last samples of one set's progress.
#[derive(Debug, Default)]
pub(super) struct Rate {
    samples: VecDeque<Sample>,
}

#[derive(Clone, Copy, Debug)]
struct Sample {
    at: Duration,
    bytes: u64,
    done: u64,
}

impl Rate {
    /// Takes note of how far it is `at` this time since the beginning.
    pub(super) fn note(&mut self, at: Duration, bytes: u64, done: u64) {
        self.samples.push_back(Sample { at, bytes, done });
        while self.samples.len() > 2 && at - self.samples[1].at >= WINDOW {
            self.samples.pop_front();
        }
    }

    /// Bytes per second, as soon as that can be said.
    pub(super) fn bytes_per_second(&self) -> Option<f64> {
        self.per_second(|sample| sample.bytes)
    }

    /// The seconds until `done` reaches `total`, as soon as that can be said.
    pub(super) fn seconds_left(&self, total: u64) -> Option<f64> {
        let rest = total.saturating_sub(self.samples.back()?.done);
        self.per_second(|sample| sample.done).filter(|rate| *rate > 0.0).map(|rate| rest as f64 / rate)
    }

    fn per_second(&self, of: impl Fn(&Sample) -> u64) -> Option<f64> {
        let (first, last) = (self.samples.front()?, self.samples.back()?);
        let seconds = (last.at - first.at).as_secs_f64();
        (seconds >= 0.2).then(|| of(last).saturating_sub(of(first)) as f64 / seconds)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_said_before_it_can_be_known() {
        let mut rate = Rate::default();
        assert_eq!(rate.bytes_per_second(), None);
        rate.note(Duration::ZERO, 0, 0);
        rate.note(Duration::from_millis(100), 1000, 1000);
        assert_eq!(rate.bytes_per_second(), None);
    }

    #[test]
    fn the_rate_follows_the_last_seconds_only() {
        let mut rate = Rate::default();
        for second in 0..20 {
            let bytes = if second < 10 { second * 100 } else { 900 + (second - 9) * 10 };
            rate.note(Duration::from_secs(second), bytes, second);
        }
        assert_eq!(rate.bytes_per_second(), Some(10.0));
        assert_eq!(rate.seconds_left(25), Some(6.0));
    }

    #[test]
    fn what_stands_still_has_no_end_in_sight() {
        let mut rate = Rate::default();
        rate.note(Duration::ZERO, 5, 5);
        rate.note(Duration::from_secs(1), 5, 5);
        assert_eq!((rate.bytes_per_second(), rate.seconds_left(10)), (Some(0.0), None));
    }
}
