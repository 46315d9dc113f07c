//! A restore: everything that can be found wrong with the archive and the targets first, then all sets in the reverse of the
//! dump's order; and what became of each when it does not reach its end.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use super::counting::Counting;
use super::event::{Command, Event, Moment, SetState, SetSummary};
use super::job::{Job, jobs};
use super::order::Order;
use super::run::{Run, Stopped, lock};
use super::session::{Report, Session};
use super::tree::Tree;
use super::verify::{summary, undamaged};
use crate::archive::manifest::{Manifest, SetRecord};
use crate::archive::reader::ArchiveReader;
use crate::cancel::Cancel;
use crate::drivers::{FindingKind, Level, Reporter, RestoreOptions, Skipped};
use crate::error::{Error, ErrorKind, Result};
use crate::name::SetPath;
use crate::redact::STRUCK;

/// Restores the sets of a tree from an archive. Nothing is written before the archive's directory, its indexes and every
/// set's own checks have passed; if something is to be destroyed ([`RestoreOptions::destroys`]), before every byte of it has.
///
/// The report's sets say what became of each. Whatever happens, `after_restore` is called for every set whose
/// `before_restore` was.
pub fn restore(tree: &mut Tree, archive: &ArchiveReader, options: &RestoreOptions, session: &Session) -> Report {
    let order = Order::of(tree).reversed();
    let sequence = order.sequence();
    let in_order = tree.in_order();
    let run = Run::begin(Command::Restore, session, sequence.iter().map(|set| in_order[*set].path.clone()).collect());
    let mut jobs = jobs(&mut tree.sets, &run, options);
    jobs.iter_mut().for_each(|job| job.skipped = Arc::new(skipped(archive.manifest(), job.path)));
    let summaries = jobs.iter().map(|job| Mutex::new(job.summary(SetState::Untouched))).collect();
    let jobs = jobs.into_iter().map(Mutex::new).collect();
    let restore = Restore { run, order, sequence, jobs, summaries, archive };
    let whole = restore.before(options).and_then(|records| restore.sets(&records));
    restore.after(whole.is_ok());
    let summaries = restore.sequence.iter().map(|set| lock(&restore.summaries[*set]).clone()).collect();
    restore.run.finish(whole.is_ok(), Some(summary(archive)), summaries)
}

/// What a set's dump left out as told. Findings are named in the order in which they are made, those of links last: where one of
/// these is named, so is everything that was left out.
fn skipped(manifest: &Manifest, set: &SetPath) -> Skipped {
    let of_links: u64 = manifest.links.iter().map(|link| link.check.dangling.saturating_sub(link.check.dangling_names.len() as u64)).sum();
    let names_a_link = manifest.findings.iter().any(|finding| finding.kind == FindingKind::Dangling);
    let named = manifest.findings.iter().filter(|finding| finding.kind == FindingKind::Skipped && finding.set == *set);
    let names: BTreeSet<String> = named.map(|finding| finding.name.clone()).collect();
    // A name that a secret was struck out of names nothing.
    let more = names.iter().any(|name| name.contains(STRUCK)) || manifest.more_findings > of_links && !names_a_link;
    Skipped { names, more }
}

struct Restore<'a> {
    run: Arc<Run>,
    order: Order,
    /// The positions of the sets in the order of this restore.
    sequence: Vec<usize>,
    jobs: Vec<Mutex<Job<'a>>>,
    summaries: Vec<Mutex<SetSummary>>,
    archive: &'a ArchiveReader,
}

impl<'a> Restore<'a> {
    /// Checks the archive, then calls every `before_restore`, in turn, also after one failed. The archive's records, by
    /// position.
    fn before(&self, options: &RestoreOptions) -> Result<Vec<&'a SetRecord>, Stopped> {
        self.archive.examine(self.run.interrupt()).map_err(|error| self.run.fail_alone(&error))?;
        if options.destroys() {
            self.run.log(Level::Info, "the whole archive is verified first, since something will be thrown away for it");
            undamaged(&self.run, self.archive)?;
        }
        let records = self.records()?;
        let mut whole = Ok(());
        for set in &self.sequence {
            self.run.interrupt().check().map_err(|_| Stopped)?;
            let mut job = lock(&self.jobs[*set]);
            let source = self.archive.set(records[*set], self.run.interrupt());
            let checked =
                source.and_then(|source| job.before(Moment::BeforeRestore, |driver, context| driver.before_restore(context, &*source)));
            if let Err(error) = checked {
                whole = Err(self.run.fail(job.failure(Moment::BeforeRestore, &error)));
            }
        }
        whole.map(|()| records)
    }

    /// The archive's record of every set of the tree.
    fn records(&self) -> Result<Vec<&'a SetRecord>, Stopped> {
        let mut records = Vec::new();
        for job in &self.jobs {
            let job = lock(job);
            match self.record(&job) {
                Ok(record) => records.push(record),
                Err(error) => {
                    self.run.fail(job.failure(Moment::BeforeRestore, &error));
                }
            }
        }
        if records.len() == self.jobs.len() { Ok(records) } else { Err(Stopped) }
    }

    fn record(&self, job: &Job<'_>) -> Result<&'a SetRecord> {
        let record = self.archive.manifest().sets.iter().find(|record| record.path == *job.path);
        record.ok_or_else(|| {
            Error::new(ErrorKind::NotFound, "the archive has no such set").hint(format!("leave it out with `--skip {}`", job.path))
        })
    }

    /// Restores every set.
    fn sets(&self, records: &[&SetRecord]) -> Result<(), Stopped> {
        let halt = self.run.interrupt().child();
        if self.order.execute(&halt, &|set| self.set(set, records[set], &halt).is_ok()) {
            return Ok(());
        }
        self.tell_states();
        Err(Stopped)
    }

    fn set(&self, set: usize, record: &SetRecord, halt: &Cancel) -> Result<(), Stopped> {
        let mut job = lock(&self.jobs[set]);
        let begun = Instant::now();
        lock(&self.summaries[set]).state = SetState::HalfDone;
        let restored = match self.archive.set(record, halt) {
            Ok(source) => {
                let source = Counting::new(source);
                let call = job.call(Moment::Restore, halt, &|| Some(source.so_far()), |driver, context| driver.restore(context, &source));
                lock(&self.summaries[set]).totals = source.so_far();
                call
            }
            Err(error) => Err(error.untouched()),
        };
        let mut summary = lock(&self.summaries[set]);
        summary.seconds = begun.elapsed().as_secs_f64();
        match &restored {
            Ok(_) => {
                summary.state = SetState::Done;
                // A driver need not read what stands in its target already: the set is there all the same.
                if !job.is_limited() {
                    summary.totals = record.totals;
                }
            }
            Err(error) if error.is_untouched() => summary.state = SetState::Untouched,
            Err(_) => {}
        }
        self.run.emit(Event::SetFinished { summary: summary.clone() });
        drop(summary);
        match restored {
            Ok(outcome) => {
                outcome.notes.iter().for_each(|(key, value)| job.reporter.log(Level::Info, format!("{key}: {value}")));
                Ok(())
            }
            Err(error) => Err(self.run.fail_beside(job.failure(Moment::Restore, &error))),
        }
    }

    /// Says which sets are restored, which half done and which untouched.
    fn tell_states(&self) {
        self.run.tell_cancelled();
        let mut parts = Vec::new();
        for (state, words) in [(SetState::Done, "restored"), (SetState::HalfDone, "half done"), (SetState::Untouched, "untouched")] {
            let summaries = self.sequence.iter().map(|set| lock(&self.summaries[*set]));
            let sets: Vec<_> = summaries.filter(|summary| summary.state == state).map(|summary| format!("`{}`", summary.set)).collect();
            if !sets.is_empty() {
                parts.push(format!("{words}: {}", sets.join(", ")));
            }
        }
        let error = Error::new(ErrorKind::Other, format!("the restore did not reach its end; {}", parts.join("; ")));
        let mut advice = match self.run.failed_of(ErrorKind::Corrupt) {
            true => "restore from another copy of the archive: `dr-host verify` lists all the damage of this one".to_owned(),
            false => "remove the cause and restore again".to_owned(),
        };
        if self.summaries.iter().any(|summary| lock(summary).state == SetState::HalfDone) {
            advice.push_str("; a half done set is neither what it was nor what the archive holds");
        }
        self.run.fail_alone(&error.hint(advice));
    }

    /// Calls every `after_restore` whose `before_restore` was called, the last first.
    fn after(&self, whole: bool) {
        let ended = self.run.ended(whole);
        self.sequence.iter().rev().for_each(|set| lock(&self.jobs[*set]).after(Moment::AfterRestore, &ended));
    }
}
