//! A dump: all checks, then all sets in their order, then indexes, links and the manifest. An archive appears only if nothing
//! failed. What a moment does is the driver's affair, how entries become a zip the archive's.

use std::sync::{Arc, Mutex, OnceLock};
use std::time::Instant;

use jiff::Timestamp;

use super::event::{ArchiveSummary, Command, Event, Moment, SetState, SetSummary};
use super::job::{Job, jobs, paths};
use super::link;
use super::order::Order;
use super::record::{self, Content, Dumped};
use super::run::{Run, Stopped, lock};
use super::session::{Report, Session};
use super::tree::{Link, Tree};
use crate::archive::writer::{ArchiveWriter, Options, SetWriter};
use crate::cancel::Cancel;
use crate::drivers::{PointInTime, RestoreOptions};
use crate::error::{Error, ErrorKind, Result};
use crate::name::SetPath;
use crate::store::Target;

/// Dumps a tree into an archive at `target`, which is not touched before every check has passed.
///
/// The archive is there, and whole, exactly if the report says `Ok` or `Findings`; else nothing is left of it. Whatever
/// happens, `after_dump` is called for every set whose `before_dump` was.
pub fn dump(tree: &mut Tree, target: Box<dyn Target>, options: &Options, session: &Session) -> Report {
    let run = Run::begin(Command::Dump, session, paths(tree));
    let order = Order::of(tree);
    let jobs = jobs(&mut tree.sets, &run, &RestoreOptions::default());
    let summaries = jobs.iter().map(|job| Mutex::new(job.summary(SetState::Untouched))).collect();
    let jobs = jobs.into_iter().map(Mutex::new).collect();
    let dump = Dump { run, order, jobs, links: &tree.links, summaries, location: target.location(), began: Timestamp::now() };
    let content = dump.before().and_then(|points| dump.content(points, target, options));
    dump.after(content.is_ok());
    let archive = content.and_then(|content| dump.seal(content, &tree.left_out));
    dump.run.finish(archive.is_ok(), archive.ok(), dump.summaries.iter().map(|summary| lock(summary).clone()).collect())
}

struct Dump<'a> {
    run: Arc<Run>,
    order: Order,
    jobs: Vec<Mutex<Job<'a>>>,
    links: &'a [Link],
    summaries: Vec<Mutex<SetSummary>>,
    location: String,
    began: Timestamp,
}

impl Dump<'_> {
    /// Calls every `before_dump`, in turn, also after one failed.
    fn before(&self) -> Result<Vec<PointInTime>, Stopped> {
        let mut points = Vec::new();
        for (job, summary) in self.jobs.iter().zip(&self.summaries) {
            if self.run.interrupt().is_cancelled() {
                return Err(Stopped);
            }
            let mut job = lock(job);
            match job.before(Moment::BeforeDump, |driver, context| driver.before_dump(context)) {
                Ok(point_in_time) => {
                    let point_in_time = record::clean_point(&self.run, point_in_time);
                    self.run.emit(Event::PointInTime { set: job.path.clone(), point_in_time: point_in_time.clone() });
                    lock(summary).worth = Some(point_in_time.worth);
                    points.push(point_in_time);
                }
                Err(error) => {
                    self.run.fail(job.failure(Moment::BeforeDump, &error));
                }
            }
        }
        if points.len() == self.jobs.len() { Ok(points) } else { Err(Stopped) }
    }

    /// Writes everything but the manifest.
    fn content(&self, points: Vec<PointInTime>, target: Box<dyn Target>, options: &Options) -> Result<Content, Stopped> {
        let halt = self.run.interrupt().child();
        let archive =
            target.begin().and_then(|upload| ArchiveWriter::create(upload, options, &halt)).map_err(|e| self.archive_failed(e))?;
        let dumped: Vec<OnceLock<Dumped>> = self.jobs.iter().map(|_| OnceLock::new()).collect();
        let whole = self.order.execute(&halt, &|set| match self.set(set, &archive, &halt) {
            Ok(done) => dumped[set].set(done).is_ok(),
            Err(Stopped) => false,
        });
        if !whole {
            return Err(Stopped);
        }
        let dumped = dumped.into_iter().filter_map(OnceLock::into_inner).collect();
        let jobs: Vec<_> = self.jobs.iter().map(lock).collect();
        record::conclude(&self.run, archive, &jobs, points, dumped, self.links).map_err(|error| self.archive_failed(error))
    }

    /// Dumps one set: the values of the links that start there, then its entries.
    fn set(&self, set: usize, archive: &ArchiveWriter, halt: &Cancel) -> Result<Dumped, Stopped> {
        let mut job = lock(&self.jobs[set]);
        lock(&self.summaries[set]).state = SetState::HalfDone;
        let begun = Instant::now();
        let dumped = archive.set(job.path, &job.prefix, halt).and_then(|into| self.entries(&mut job, into, halt));
        let seconds = begun.elapsed().as_secs_f64();
        let mut summary = lock(&self.summaries[set]);
        summary.seconds = seconds;
        if let Ok(dumped) = &dumped {
            summary.state = SetState::Done;
            summary.totals = dumped.closed.totals();
            summary.stored_bytes = Some(dumped.closed.stored_bytes());
        }
        self.run.emit(Event::SetFinished { summary: summary.clone() });
        match dumped {
            Ok(dumped) => Ok(Dumped { seconds, ..dumped }),
            Err(error) => Err(self.run.fail_beside(job.failure(Moment::Dump, &error))),
        }
    }

    fn entries(&self, job: &mut Job<'_>, into: SetWriter, halt: &Cancel) -> Result<Dumped> {
        let from = job.path;
        let mut values = Vec::new();
        let outcome = job.call(Moment::Dump, halt, &|| Some(into.so_far()), |driver, context| {
            let links = self.links.iter().enumerate().filter(|(_, link)| link.from == *from);
            values = link::read_all(driver, context, links)?;
            driver.dump(context, into.writer()?)
        })?;
        if !job.description.formats.contains(&outcome.format) {
            let message = format!("the driver wrote the format `{}`, which it does not restore", outcome.format);
            return Err(Error::new(ErrorKind::Other, message).hint("this is a bug of the driver: report it"));
        }
        Ok(Dumped { closed: into.close()?, outcome, values, seconds: 0.0 })
    }

    /// Calls every `after_dump` whose `before_dump` was called, the last first.
    fn after(&self, whole: bool) {
        let ended = self.run.ended(whole);
        self.jobs.iter().rev().for_each(|job| lock(job).after(Moment::AfterDump, &ended));
    }

    /// Writes the manifest and lets the archive appear.
    fn seal(&self, content: Content, left_out: &[SetPath]) -> Result<ArchiveSummary, Stopped> {
        let Content { archive, sets, links } = content;
        let manifest = record::manifest(&self.run, self.began, sets, links, left_out);
        let sealed = self.run.interrupt().check().and_then(|()| archive.finish(&manifest));
        let sealed = sealed.map_err(|error| self.archive_failed(error))?;
        Ok(ArchiveSummary { location: self.location.clone(), size: sealed.size, sha256: sealed.sha256 })
    }

    fn archive_failed(&self, error: Error) -> Stopped {
        self.run.fail_alone(&error.while_(format!("cannot write the archive `{}`", self.location)))
    }
}
