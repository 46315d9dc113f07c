//! Writes `docs/benchmarks.md`.

use std::fmt::Write as _;

use crate::component::NO_GOAL;
use crate::jobs::Outcome;
use crate::measure::Measured;
use crate::results::Results;

/// The page.
pub(crate) fn page(all: &[Results]) -> String {
    let outcomes = || all.iter().flat_map(|results| &results.outcomes);
    let mut page = HEAD.to_owned();
    page.push_str("## Time\n\n");
    page.push_str("| job | dr-host: wall, CPU | against | it takes: wall, CPU | ratio | at most | reached |\n| --- | ---: | --- | ---: | ---: | ---: | --- |\n");
    outcomes().filter(|outcome| !outcome.memory_only).for_each(|outcome| times(&mut page, outcome));
    page.push_str(TIME_NOTES);
    page.push_str("## Memory\n\nThe largest resident size of any run, of dr-host's process alone.\n\n");
    page.push_str("| job | peak | at most | wall | reached |\n| --- | ---: | ---: | ---: | --- |\n");
    outcomes().for_each(|outcome| memory(&mut page, outcome));
    page.push_str(MEMORY_NOTES);
    page.push_str("\n## When and with what\n\n");
    for results in all {
        let _ = writeln!(page, "- `{}`: {}", results.job, results.circumstances);
    }
    page
}

const HEAD: &str = "# Benchmarks

Written by `tests/bench/run`; do not edit. Medians of rounds in which all contestants take turns, so that a noisy minute hits them
alike (`zip` and restic, which take long: two rounds). The page cache is warm. Ratios mean something elsewhere, seconds do not.

";

fn times(page: &mut String, outcome: &Outcome) {
    let (job, ours) = (&outcome.job, outcome.ours.wall().as_secs_f64());
    if let (Some((times, most)), Some((peer, _))) = (outcome.each, outcome.peers.first()) {
        let each = (ours - peer.wall().as_secs_f64()) / f64::from(times);
        let (goal, reached) = goal(most, each <= most, |most| format!("{:.0} ms", most * 1e3));
        let _ = writeln!(
            page,
            "| {job}, {times} times | {} | {} | {} | {:.1} ms more each | {goal} | {reached} |",
            took(&outcome.ours),
            peer.name,
            took(peer),
            each * 1e3
        );
        return;
    }
    for (peer, most) in &outcome.peers {
        let ratio = ours / peer.wall().as_secs_f64();
        let (goal, reached) = goal(*most, ratio <= *most, |most| format!("{most:.2}"));
        let _ = writeln!(page, "| {job} | {} | {} | {} | {ratio:.2} | {goal} | {reached} |", took(&outcome.ours), peer.name, took(peer));
    }
    if let Some((bytes, least)) = outcome.rate {
        let rate = bytes as f64 / 1e9 / ours;
        let (goal, reached) = if least > 0.0 { (format!("at least {least:.0} GB/s"), yes(rate >= least)) } else { ("–".into(), "–") };
        let _ = writeln!(page, "| {job} | {} | – | – | {rate:.2} GB/s | {goal} | {reached} |", took(&outcome.ours));
    }
}

/// What is to be reached, and whether it is; where nothing is, neither.
fn goal(most: f64, reached: bool, shown: impl Fn(f64) -> String) -> (String, &'static str) {
    if most < NO_GOAL { (shown(most), yes(reached)) } else { ("–".into(), "–") }
}

fn took(measured: &Measured) -> String {
    format!("{:.2} s, {:.2} s", measured.wall().as_secs_f64(), measured.cpu().as_secs_f64())
}

fn memory(page: &mut String, outcome: &Outcome) {
    let (peak, goal) = (outcome.ours.peak().div_ceil(1 << 20), outcome.memory_goal);
    let wall = outcome.ours.wall().as_secs_f64();
    let (most, reached) = if goal > 0 { (format!("{goal} MiB"), yes(peak < goal)) } else { ("–".into(), "–") };
    let _ = writeln!(page, "| {} | {peak} MiB | {most} | {wall:.2} s | {reached} |", outcome.job);
}

fn yes(reached: bool) -> &'static str {
    if reached { "yes" } else { "**no**" }
}

const TIME_NOTES: &str = "
Media: 20,000 files of 4 to 64 KiB, of which 70 in 100 are incompressible and the rest is text, and 20 files of 50 to 100 MiB,
of which 4 in 5 are incompressible. SQLite: one table with an index, rows of some 500 bytes (text, JSON, numbers). All contestants
read the same input. dr-host hashes every entry, syncs its archive before it bears its name, and syncs what it restores; `tar`,
`zip`, `zstd` and `.backup` do none of this.

Components: the files are those of the media; either driver's restore is synced once, at its end. A guest is one thread, and WASI checks
every path: some 18 system calls for a file where the native driver makes 9, and one more copy of its bytes. With zstd that hides behind
the compression; with `store` it is what the dump waits for. A guest's restore is one thread too, where the native driver has several.
Chunks travel from a guest in C to the archive, which hashes and stores them, and back, where the guest compares every byte. A start is
`dr-host plan` for one set, less what it takes for a set without a component. The loop of SCAN, PTTL and DUMP is a client's in Rust,
which throws away what it gets; dr-host hashes, compresses and writes it.

PostgreSQL: one server, tuned as for a small machine (`shared_buffers` 512 MB, `max_wal_size` 4 GB, no autovacuum); every contestant reads
the same database through the same socket. Wide rows: 1.1 GB of COPY text (uuid, timestamps, jsonb, text) with two indexes. Narrow rows:
10,000,000 of three integers. Small tables: ten rows and a sequence each. Before a restore the database is made anew and a checkpoint
taken; `analyze = false`, since `pg_restore` gathers no statistics. The server's own time counts in all of them, and is most of it.

After a database's restore dr-host runs `PRAGMA integrity_check`, which looks every row up in every index. It takes longer than all the
rest, in one thread, and cannot begin before the last page is there: so a restore that checks cannot come near one that only
decompresses. `check = \"quick\"` goes through the pages alone; the hash is compared either way.

";

const MEMORY_NOTES: &str = "
Ten times the data, dump: every file of the media bears ten names (hard links, which the media driver reads as files), and the
archive goes to standard output, which is thrown away; so the disk need not hold ten times the data twice. Ten times the entries,
verify and restore: ten times as many files, a tenth as large. A million entries: files of some hundred bytes.
";
