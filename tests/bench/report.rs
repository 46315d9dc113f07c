//! Writes `docs/benchmarks.md`.

use std::fmt::Write as _;

use crate::jobs::Outcome;
use crate::measure::{Measured, first_line};

/// The peak memory that no job may exceed, in bytes.
const MEMORY_GOAL: u64 = 100 << 20;

/// The page.
pub(crate) fn page(outcomes: &[Outcome], host: &str, rounds: usize) -> String {
    let mut page = head(host, rounds);
    page.push_str("## Time\n\n");
    page.push_str("| job | dr-host: wall, CPU | against | it takes: wall, CPU | ratio | at most | reached |\n| --- | ---: | --- | ---: | ---: | ---: | --- |\n");
    outcomes.iter().filter(|outcome| !outcome.memory_only).for_each(|outcome| times(&mut page, outcome));
    page.push_str(TIME_NOTES);
    page.push_str("## Memory\n\nThe largest resident size of any run; to reach: less than 100 MiB.\n\n");
    page.push_str("| job | peak | wall | reached |\n| --- | ---: | ---: | --- |\n");
    outcomes.iter().for_each(|outcome| memory(&mut page, outcome));
    page.push_str(MEMORY_NOTES);
    page
}

fn head(host: &str, rounds: usize) -> String {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let mut head = format!(
        "# Benchmarks\n\nWritten by `tests/bench/run`; do not edit. {}, {cores} cores, warm page cache, medians of {rounds} rounds \
         in which all contestants take turns (`zip` and restic: at most 2 rounds).\n\n",
        first_line("date -u +%F")
    );
    for version in [
        format!("{host} --version"),
        "tar --version".into(),
        "zstd --version | tr -d '*'".into(),
        "zip -v | sed -n 2p".into(),
        "restic version".into(),
        "sqlite3 --version | cut -d' ' -f1,2 | sed 's/^/sqlite3 /'".into(),
    ] {
        let _ = writeln!(head, "- {}", first_line(&version).trim());
    }
    head.push('\n');
    head
}

fn times(page: &mut String, outcome: &Outcome) {
    let (job, ours) = (&outcome.job, outcome.ours.wall().as_secs_f64());
    for (peer, goal) in &outcome.peers {
        let ratio = ours / peer.wall().as_secs_f64();
        let reached = yes(ratio <= *goal);
        let _ = writeln!(page, "| {job} | {} | {} | {} | {ratio:.2} | {goal:.2} | {reached} |", took(&outcome.ours), peer.name, took(peer));
    }
    if let Some((bytes, goal)) = outcome.rate {
        let rate = bytes as f64 / 1e9 / ours;
        let reached = yes(rate >= goal);
        let _ = writeln!(page, "| {job} | {} | – | – | {rate:.2} GB/s | at least {goal:.0} GB/s | {reached} |", took(&outcome.ours));
    }
}

fn took(measured: &Measured) -> String {
    format!("{:.2} s, {:.2} s", measured.wall().as_secs_f64(), measured.cpu().as_secs_f64())
}

fn memory(page: &mut String, outcome: &Outcome) {
    let peak = outcome.ours.peak();
    let _ = writeln!(
        page,
        "| {} | {} MiB | {:.2} s | {} |",
        outcome.job,
        peak.div_ceil(1 << 20),
        outcome.ours.wall().as_secs_f64(),
        yes(peak < MEMORY_GOAL)
    );
}

fn yes(reached: bool) -> &'static str {
    if reached { "yes" } else { "**no**" }
}

const TIME_NOTES: &str = "
Media: 20,000 files of 4 to 64 KiB, of which 70 in 100 are incompressible and the rest is text, and 20 files of 50 to 100 MiB,
of which 4 in 5 are incompressible. SQLite: one table with an index, rows of some 500 bytes (text, JSON, numbers). All contestants
read the same input. dr-host hashes every entry, syncs its archive before it bears its name, and syncs what it restores; after a
database's restore it runs `PRAGMA integrity_check`. `tar`, `zip`, `zstd` and `.backup` do none of this.

";

const MEMORY_NOTES: &str = "
Ten times the data, dump: every file of the media bears ten names (hard links, which the media driver reads as files), and the
archive goes to standard output, which is thrown away; so the disk need not hold ten times the data twice. Ten times the entries,
verify and restore: ten times as many files, a tenth as large. A million entries: files of some hundred bytes.
";
