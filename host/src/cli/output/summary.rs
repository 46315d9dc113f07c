//! What a run says at its end, to be read at a glance.

use super::Look;
use super::table::{Table, numbers, words};
use super::text::Line;
use super::units::{count, duration, size, things};
use crate::archive::Totals;
use crate::archive::manifest::LinkRecord;
use crate::drivers::Worth;
use crate::engine::event::{ArchiveSummary, Command, RunOutcome, SetState, SetSummary};

/// A run that is over.
pub(in crate::cli) struct Ended<'a> {
    /// What ran.
    pub(in crate::cli) command: Command,
    /// How it ended.
    pub(in crate::cli) outcome: RunOutcome,
    /// How long it took, in seconds.
    pub(in crate::cli) seconds: f64,
    /// How many findings there were.
    pub(in crate::cli) findings: u64,
    /// The archive that was written, read or verified.
    pub(in crate::cli) archive: Option<&'a ArchiveSummary>,
    /// The sets.
    pub(in crate::cli) sets: &'a [SetSummary],
    /// The links that were checked.
    pub(in crate::cli) links: &'a [LinkRecord],
}

impl Ended<'_> {
    /// The summary of a run that came to its end.
    pub(in crate::cli) fn summary(&self, width: Option<usize>) -> Vec<Line> {
        let mut lines = vec![self.headline(), Line::new()];
        if !self.sets.is_empty() {
            lines.extend(self.table().lines(width));
            lines.push(Line::new());
        }
        if !self.links.is_empty() {
            lines.extend(links(self.links));
            lines.push(Line::new());
        }
        lines.extend(self.archive.iter().flat_map(|found| archive(found)));
        while lines.last() == Some(&Line::new()) {
            lines.pop();
        }
        lines
    }

    fn headline(&self) -> Line {
        let done = match self.command {
            Command::Dump => "dumped",
            Command::Restore => "restored",
            Command::Verify => "verified",
        };
        let what = format!("{done} {} in {}", things(self.sets.len() as u64, "set", "sets"), duration(self.seconds));
        if self.findings == 0 {
            return Line::looking(Look::Good, what);
        }
        let named = format!(", with {}", things(self.findings, "finding", "findings"));
        Line::looking(Look::Warning, what + &named)
    }

    fn table(&self) -> Table {
        let bytes = match self.command {
            Command::Dump => "bytes in",
            Command::Restore => "bytes out",
            Command::Verify => "bytes",
        };
        let is_dump = self.command == Command::Dump;
        let mut columns = vec![words("set"), words("driver").spare(3), numbers("entries"), numbers(bytes)];
        if is_dump {
            columns.push(numbers("stored").spare(1));
        }
        // The archive is verified as a whole, not set by set.
        if self.command != Command::Verify {
            columns.push(numbers("time").spare(2));
        }
        if is_dump {
            columns.push(words("point in time"));
        }
        let mut table = Table::new(columns);
        self.sets.iter().for_each(|set| table.row(self.row(set, is_dump)));
        if self.sets.len() > 1 {
            table.row(self.total(is_dump));
        }
        table
    }

    fn row(&self, set: &SetSummary, is_dump: bool) -> Vec<Line> {
        let name = Line::looking(Look::Strong, set.set.as_str());
        let mut cells = vec![name, Line::plain(&set.driver)];
        cells.extend(amounts(set.totals, set.stored_bytes.filter(|_| is_dump)));
        cells.extend(self.time(set.seconds));
        if is_dump {
            cells.push(worth(set.worth));
        }
        cells
    }

    fn total(&self, is_dump: bool) -> Vec<Line> {
        let totals = self
            .sets
            .iter()
            .fold(Totals::default(), |sum, set| Totals { entries: sum.entries + set.totals.entries, bytes: sum.bytes + set.totals.bytes });
        let stored = self.sets.iter().filter_map(|set| set.stored_bytes).sum();
        let mut cells = vec![Line::looking(Look::Faint, "total"), Line::new()];
        cells.extend(amounts(totals, Some(stored).filter(|_| is_dump)));
        cells.extend(self.time(self.seconds));
        if is_dump {
            cells.push(Line::new());
        }
        cells
    }

    fn time(&self, seconds: f64) -> Option<Line> {
        (self.command != Command::Verify).then(|| Line::plain(duration(seconds)))
    }

    /// What a run that did not come to its end leaves behind: for standard error.
    pub(in crate::cli) fn remains(&self) -> Vec<Line> {
        let how = if self.outcome == RunOutcome::Interrupted { "interrupted" } else { "failed" };
        match self.command {
            Command::Dump => vec![Line::looking(Look::Bad, format!("dump {how}")).then(": no archive was written")],
            Command::Verify => vec![Line::looking(Look::Bad, format!("verify {how}"))],
            // What became of each set has been said as an error.
            Command::Restore if self.sets.iter().any(|set| set.state != SetState::Untouched) => Vec::new(),
            Command::Restore => vec![Line::looking(Look::Bad, format!("restore {how}")).then(": nothing was changed")],
        }
    }
}

fn amounts(totals: Totals, stored: Option<u64>) -> Vec<Line> {
    let mut cells = vec![Line::plain(count(totals.entries)), Line::plain(size(totals.bytes))];
    cells.extend(stored.map(|stored| Line::plain(size(stored))));
    cells
}

/// What a point in time is worth.
pub(in crate::cli) fn worth(worth: Option<Worth>) -> Line {
    match worth {
        Some(Worth::Exact) => Line::looking(Look::Good, "exact"),
        Some(Worth::None) => Line::looking(Look::Warning, "none"),
        Some(Worth::Interval) => Line::plain("interval"),
        None => Line::new(),
    }
}

/// One line for each link, with what its check found.
pub(in crate::cli) fn links(links: &[LinkRecord]) -> Vec<Line> {
    let mut table = Table::new([words("link"), words("to"), numbers("checked"), numbers("dangling"), numbers("orphaned")]);
    for link in links {
        let look = if link.check.dangling == 0 { Look::Good } else { Look::Bad };
        table.row([
            Line::looking(Look::Strong, link.from.as_str()).then(format!(" {}", link.column)),
            Line::looking(Look::Strong, link.to.as_str()),
            Line::plain(count(link.check.checked)),
            Line::looking(look, count(link.check.dangling)),
            Line::plain(count(link.check.orphaned)),
        ]);
    }
    table.lines(None)
}

/// Where an archive is, its size, and the hash that proves it.
pub(in crate::cli) fn archive(archive: &ArchiveSummary) -> Vec<Line> {
    let line = |name: &str, value: Line| Line::new().look(Look::Faint, format!("  {name:<9}")).join(value);
    vec![
        line("archive", Line::looking(Look::Strong, &archive.location)),
        line("size", Line::plain(size(archive.size))),
        line("hash", Line::plain(&archive.sha256)),
    ]
}
