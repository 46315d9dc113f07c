//! How far the running sets are: on a terminal one line for each, drawn in place; elsewhere a plain line now and then.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use super::rate::Rate;
use super::text::{Line, Look};
use super::units::{count, left, size, things};
use crate::drivers::Unit;
use crate::engine::event::{Event, Moment};
use crate::name::SetPath;

/// How often a long-running set says a plain line.
const PLAIN_EVERY: Duration = Duration::from_secs(10);

/// How often the sign of life of a set whose total is unknown moves.
const TICK: Duration = Duration::from_millis(120);

/// How many columns the bar takes.
const BAR: usize = 20;

/// How many columns the words behind the bar should have: where that leaves no room for a bar, there is none.
const WORDS: usize = 45;

/// The sets that run now, and how far each is.
pub(super) struct Progress {
    drawn: Option<MultiProgress>,
    name_width: usize,
    /// `None` stands for the archive as a whole.
    running: BTreeMap<Option<SetPath>, Running>,
}

struct Running {
    bar: ProgressBar,
    begun: Instant,
    said: Instant,
    rate: Rate,
    /// In a moment before or after the work itself, of which only one runs at a time.
    aside: bool,
}

impl Progress {
    /// Draws on `drawn`; else says plain lines.
    pub(super) fn new(drawn: Option<MultiProgress>) -> Self {
        Self { drawn, name_width: "archive".len(), running: BTreeMap::new() }
    }

    /// Follows the run; gives a plain line where one is due.
    pub(super) fn follow(&mut self, event: &Event) -> Option<Line> {
        match event {
            Event::Started { sets, .. } => {
                let longest = sets.iter().map(|set| console::measure_text_width(set.as_str())).max();
                self.name_width = longest.unwrap_or_default().max(self.name_width);
            }
            Event::Moment { set, moment, .. } => self.enter(set, *moment),
            Event::Progress { set, done, total, unit, bytes, entries } => {
                return self.advance(set.as_ref(), &Far { done: *done, total: *total, unit: *unit, bytes: *bytes, entries: *entries });
            }
            Event::SetFinished { summary } => self.leave(&Some(summary.set.clone())),
            Event::Finished { .. } => self.clear(),
            _ => {}
        }
        None
    }

    fn enter(&mut self, set: &SetPath, moment: Moment) {
        let asides: Vec<_> = self.running.iter().filter(|(_, running)| running.aside).map(|(key, _)| key.clone()).collect();
        asides.iter().for_each(|key| self.leave(key));
        let words = match moment {
            Moment::BeforeDump | Moment::BeforeRestore => Some("checking"),
            Moment::AfterDump | Moment::AfterRestore => Some("closing"),
            Moment::Dump | Moment::Restore => None,
        };
        let running = self.begin(Some(set), words.is_some());
        running.bar.set_message(words.unwrap_or_default());
    }

    fn begin(&mut self, set: Option<&SetPath>, aside: bool) -> &mut Running {
        let name = set.map_or("archive", SetPath::as_str);
        let fill = self.name_width.saturating_sub(console::measure_text_width(name));
        let bar = ProgressBar::no_length().with_style(self.spinner()).with_prefix(format!("{name}{}", " ".repeat(fill)));
        let bar = match &self.drawn {
            Some(multi) => {
                let bar = multi.add(bar);
                bar.enable_steady_tick(TICK);
                bar
            }
            None => ProgressBar::hidden(),
        };
        let now = Instant::now();
        let running = Running { bar, begun: now, said: now, rate: Rate::default(), aside };
        self.running.entry(set.cloned()).insert_entry(running).into_mut()
    }

    fn advance(&mut self, set: Option<&SetPath>, far: &Far) -> Option<Line> {
        let is_drawn = self.drawn.is_some();
        let style = self.bar();
        let key = set.cloned();
        if !self.running.contains_key(&key) {
            self.begin(set, false);
        }
        let running = self.running.get_mut(&key)?;
        running.rate.note(running.begun.elapsed(), far.bytes, far.done);
        let words = far.words(&running.rate);
        if is_drawn {
            if let Some(total) = far.total.filter(|total| *total > 0) {
                if running.bar.length().is_none() {
                    running.bar.disable_steady_tick();
                    running.bar.set_style(style);
                }
                running.bar.set_length(total);
                running.bar.set_position(far.done.min(total));
            }
            running.bar.set_message(words);
            return None;
        }
        if running.said.elapsed() < PLAIN_EVERY {
            return None;
        }
        running.said = Instant::now();
        Some(Line::looking(Look::Strong, set.map_or("archive", SetPath::as_str)).then(format!(": {words}")))
    }

    fn leave(&mut self, key: &Option<SetPath>) {
        if let Some(running) = self.running.remove(key) {
            running.bar.finish_and_clear();
        }
    }

    fn clear(&mut self) {
        let all: Vec<_> = self.running.keys().cloned().collect();
        all.iter().for_each(|key| self.leave(key));
    }

    /// The line of a set whose total is known.
    fn bar(&self) -> ProgressStyle {
        self.style(&format!("{{bar:{BAR}.cyan/dim}}  ")).progress_chars("━╸─")
    }

    /// The line of a set whose total is unknown: a short bar runs to and fro.
    fn spinner(&self) -> ProgressStyle {
        const SHORT: usize = 3;
        let there = 0..=BAR - SHORT;
        let frames: Vec<String> = there
            .clone()
            .chain(there.rev())
            .map(|at| format!("{}{}{}", "─".repeat(at), "━".repeat(SHORT), "─".repeat(BAR - SHORT - at)))
            .collect();
        let frames: Vec<&str> = frames.iter().map(String::as_str).collect();
        self.style("{spinner:.dim}  ").tick_strings(&frames)
    }

    /// A line with this bar, where the terminal has room for one.
    fn style(&self, bar: &str) -> ProgressStyle {
        let columns = usize::from(console::Term::stderr().size().1);
        let bar = if columns < self.name_width + BAR + WORDS { "" } else { bar };
        ProgressStyle::with_template(&format!("  {{prefix:.bold}}  {bar}{{wide_msg}}")).expect("the template is right")
    }
}

/// How far a set is.
struct Far {
    done: u64,
    total: Option<u64>,
    unit: Unit,
    bytes: u64,
    entries: u64,
}

impl Far {
    /// `41.2 MiB of 118.0 MiB, 87.3 MiB/s, 1 s left`, as much of it as is known.
    fn words(&self, rate: &Rate) -> String {
        let total = self.total.filter(|total| *total > 0);
        let mut words = match (self.unit, total) {
            (Unit::Bytes, Some(total)) => vec![format!("{} of {}", size(self.done), size(total))],
            (Unit::Entries, Some(total)) => {
                vec![format!("{} of {}", count(self.done), things(total, "entry", "entries")), size(self.bytes)]
            }
            (_, None) => vec![things(self.entries, "entry", "entries"), size(self.bytes)],
        };
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates")]
        words.extend(rate.bytes_per_second().map(|rate| format!("{}/s", size(rate as u64))));
        words.extend(
            total
                .filter(|total| *total > self.done)
                .and_then(|total| rate.seconds_left(total))
                .map(|seconds| format!("{} left", left(seconds))),
        );
        words.join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(unit: Unit, done: u64, total: Option<u64>) -> String {
        let mut rate = Rate::default();
        rate.note(Duration::ZERO, 0, 0);
        rate.note(Duration::from_secs(2), 4 << 20, done);
        Far { done, total, unit, bytes: 4 << 20, entries: 3 }.words(&rate)
    }

    #[test]
    fn says_as_much_as_is_known() {
        assert_eq!(words(Unit::Bytes, 4 << 20, Some(16 << 20)), "4.0 MiB of 16.0 MiB, 2.0 MiB/s, 6 s left");
        assert_eq!(words(Unit::Entries, 3, Some(1000)), "3 of 1,000 entries, 4.0 MiB, 2.0 MiB/s, 11 min 05 s left");
        assert_eq!(words(Unit::Bytes, 4 << 20, None), "3 entries, 4.0 MiB, 2.0 MiB/s");
    }
}
