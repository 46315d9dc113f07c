//! A driver that notes what is asked of it and does what a test tells it, and the place in which such drivers run.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use crate::archive::entry::attribute;
use crate::archive::manifest::Manifest;
use crate::archive::reader::ArchiveReader;
use crate::archive::writer::Options;
use crate::archive::{Entry, Reader, Writer};
use crate::cancel::Cancel;
use crate::drivers::{Context, Description, Driver, Ended, LinkColumn, Outcome, PointInTime, RestoreOptions, Survey, Worth};
use crate::engine::event::{Event, Events, Failure};
use crate::engine::{Link, Report, Session, Set, Tree, dump, restore, verify};
use crate::error::{Error, ErrorKind, Result};
use crate::name::{EntryName, SetPath};
use crate::redact::{Redactor, Secrets};
use crate::store::{open_source, open_target};

/// What a test has a driver do in one of its moments, before what it does anyway.
type Hook = Arc<dyn Fn(&Context) -> Result<()> + Send + Sync>;

/// What was asked of the drivers of one place, in order: `media dump`, and for `after_*` how it ended.
pub(super) type Journal = Arc<Mutex<Vec<String>>>;

/// A driver whose entries are a few texts.
#[derive(Clone)]
pub(super) struct Fake {
    journal: Journal,
    set: SetPath,
    entries: Vec<(&'static str, &'static str)>,
    directories: Vec<&'static str>,
    values: Vec<&'static str>,
    hooks: BTreeMap<&'static str, Hook>,
}

impl Fake {
    /// These entries, name and content, instead of one that bears the set's name.
    pub(super) fn entries(mut self, entries: &[(&'static str, &'static str)]) -> Self {
        self.entries = entries.to_vec();
        self
    }

    /// These directories besides.
    pub(super) fn directories(mut self, names: &[&'static str]) -> Self {
        self.directories = names.to_vec();
        self
    }

    /// These values in each of its columns.
    pub(super) fn values(mut self, values: &[&'static str]) -> Self {
        self.values = values.to_vec();
        self
    }

    /// Does this in a moment, named as the method is.
    pub(super) fn on(mut self, moment: &'static str, hook: impl Fn(&Context) -> Result<()> + Send + Sync + 'static) -> Self {
        self.hooks.insert(moment, Arc::new(hook));
        self
    }

    /// Fails in a moment.
    pub(super) fn failing(self, moment: &'static str, why: &'static str) -> Self {
        self.on(moment, move |_| Err(Error::new(ErrorKind::Unavailable, why)))
    }

    /// Panics in a moment.
    pub(super) fn panicking(self, moment: &'static str) -> Self {
        self.on(moment, |_| panic!("out of wits"))
    }

    /// Waits in a moment until it is cancelled, for a minute at most.
    pub(super) fn waiting(self, moment: &'static str) -> Self {
        self.on(moment, |context| {
            for _ in 0..6_000 {
                context.check()?;
                std::thread::sleep(std::time::Duration::from_millis(10));
            }
            panic!("nobody cancelled it")
        })
    }

    /// The set that it is the driver of.
    pub(super) fn set(self) -> Set {
        let path = self.set.clone();
        Set { path, parallel: false, driver: Some(Box::new(self)), leave_out: Vec::new(), children: Vec::new() }
    }

    fn asked(&self, moment: &'static str, context: &Context, ended: Option<&Ended>) -> Result<()> {
        assert_eq!(context.set, self.set);
        let how = match ended {
            None => "",
            Some(Ended::Ok) => " ok",
            Some(Ended::Failed(_)) => " failed",
            Some(Ended::Cancelled) => " cancelled",
            Some(Ended::Trapped(_)) => " trapped",
        };
        self.journal.lock().unwrap().push(format!("{} {moment}{how}", self.set));
        self.hooks.get(moment).map_or(Ok(()), |hook| hook(context))
    }
}

impl Driver for Fake {
    fn describe(&self) -> Description {
        Description {
            name: "fake".into(),
            version: "1".into(),
            formats: vec!["fake/1".into()],
            has_columns: true,
            has_names: true,
            details: BTreeMap::new(),
        }
    }

    fn survey(&self) -> Survey {
        Survey::new("nowhere", Worth::Exact)
    }

    fn before_dump(&mut self, context: &Context) -> Result<PointInTime> {
        self.asked("before_dump", context, None)?;
        Ok(PointInTime::now(Worth::Exact))
    }

    fn link_values(&mut self, context: &Context, _: &LinkColumn, each: &mut dyn FnMut(&str) -> Result<()>) -> Result<()> {
        self.asked("link_values", context, None)?;
        self.values.iter().try_for_each(|value| each(value))
    }

    fn dump(&mut self, context: &Context, mut into: Box<dyn Writer>) -> Result<Outcome> {
        self.asked("dump", context, None)?;
        for name in &self.directories {
            into.create(Entry::new(*name).attribute(attribute::TYPE, attribute::DIRECTORY))?.finish()?;
        }
        for (name, content) in &self.entries {
            let mut entry = into.create(Entry::new(*name))?;
            entry.write(content.as_bytes())?;
            entry.finish()?;
        }
        Ok(Outcome::new("fake/1"))
    }

    fn after_dump(&mut self, context: &Context, ended: &Ended) -> Result<()> {
        assert!(!context.cancel.is_cancelled(), "what cleans up is not cancelled");
        self.asked("after_dump", context, Some(ended))
    }

    fn before_restore(&mut self, context: &Context, _: &dyn Reader) -> Result<()> {
        self.asked("before_restore", context, None)
    }

    fn restore(&mut self, context: &Context, source: &dyn Reader) -> Result<Outcome> {
        self.asked("restore", context, None)?;
        for (name, content) in &self.entries {
            let mut found = [0; 100];
            let mut entry = source.open(&EntryName::from(*name))?;
            let read = entry.read(&mut found)?;
            assert_eq!(&found[..read], content.as_bytes());
        }
        Ok(Outcome::new("fake/1").note("seen", "all"))
    }

    fn after_restore(&mut self, context: &Context, ended: &Ended) -> Result<()> {
        assert!(!context.cancel.is_cancelled(), "what cleans up is not cancelled");
        self.asked("after_restore", context, Some(ended))
    }
}

/// A group: no driver of its own.
pub(super) fn group(path: &str, parallel: bool, children: Vec<Set>) -> Set {
    Set { path: SetPath::parse(path).unwrap(), parallel, driver: None, leave_out: Vec::new(), children }
}

/// A set with children of its own.
pub(super) fn parent(set: Set, children: Vec<Set>) -> Set {
    Set { children, ..set }
}

/// A tree without links.
pub(super) fn tree(sets: Vec<Set>) -> Tree {
    Tree { sets, ..Tree::default() }
}

/// A link from a column of one set to the entries of another.
pub(super) fn link(from: &str, to: &str) -> Link {
    let column = LinkColumn { table: "photo".into(), column: "image".into(), json_path: None, condition: None };
    let (from, to) = (SetPath::parse(from).unwrap(), SetPath::parse(to).unwrap());
    Link { from, column, to, strip_prefix: String::new(), prefix: String::new() }
}

/// A directory with at most one archive in it, and everything that is said and asked there.
pub(super) struct Place {
    dir: tempfile::TempDir,
    pub(super) journal: Journal,
    pub(super) cancel: Cancel,
    events: Arc<Recorded>,
}

#[derive(Default)]
struct Recorded(Mutex<Vec<Event>>);

impl Events for Recorded {
    fn emit(&self, event: Event) {
        self.0.lock().unwrap().push(event);
    }
}

impl Place {
    pub(super) fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap(), journal: Journal::default(), cancel: Cancel::new(), events: Arc::default() }
    }

    /// A driver for the set of this path, with one entry.
    pub(super) fn fake(&self, set: &'static str) -> Fake {
        let set_path = SetPath::parse(set).unwrap();
        let (entries, values, hooks) = (vec![(set, set)], Vec::new(), BTreeMap::new());
        Fake { journal: self.journal.clone(), set: set_path, entries, directories: Vec::new(), values, hooks }
    }

    pub(super) fn archive(&self) -> PathBuf {
        self.dir.path().join("out.zip")
    }

    fn session(&self) -> Session {
        self.journal.lock().unwrap().clear();
        self.events.0.lock().unwrap().clear();
        let mut secrets = Secrets::default();
        secrets.add("hunter2");
        Session { events: self.events.clone(), cancel: self.cancel.clone(), redactor: Redactor::new(&secrets) }
    }

    /// Dumps, then asserts what is true of every dump: an archive is there exactly if the report says so, and nothing else.
    pub(super) fn dump(&self, tree: &mut Tree) -> Report {
        let target = open_target(self.archive().to_str().unwrap(), true).unwrap();
        let report = dump(tree, target, &Options::default(), &self.session());
        let left: Vec<_> = self.dir.path().read_dir().unwrap().map(|file| file.unwrap().path()).collect();
        assert_eq!(left, if matches!(report.exit_code, 0 | 3) { vec![self.archive()] } else { vec![] });
        self.finished(report)
    }

    pub(super) fn restore(&self, tree: &mut Tree, options: &RestoreOptions) -> Report {
        self.finished(restore(tree, &self.reader(), options, &self.session()))
    }

    pub(super) fn verify(&self) -> Report {
        self.verify_only(|_| true)
    }

    /// Verifies the sets whose path is wanted.
    pub(super) fn verify_only(&self, wanted: impl Fn(&str) -> bool) -> Report {
        let archive = self.reader();
        let sets: Vec<_> = archive.manifest().sets.iter().filter(|record| wanted(record.path.as_str())).collect();
        self.finished(verify(&archive, &sets, &self.session()))
    }

    pub(super) fn reader(&self) -> ArchiveReader {
        ArchiveReader::open(open_source(self.archive().to_str().unwrap()).unwrap()).unwrap()
    }

    pub(super) fn manifest(&self) -> Manifest {
        self.reader().manifest().clone()
    }

    pub(super) fn events(&self) -> Vec<Event> {
        self.events.0.lock().unwrap().clone()
    }

    /// The failures of a report as people read them.
    pub(super) fn told(report: &Report) -> Vec<String> {
        report.failures.iter().map(Failure::to_string).collect()
    }

    /// What was asked of the drivers since the run began.
    pub(super) fn asked(&self) -> Vec<String> {
        self.journal.lock().unwrap().clone()
    }

    /// Asserts what is true of every run: the last event says what the report says, and every failure was an event.
    fn finished(&self, report: Report) -> Report {
        let events = self.events();
        let failures: Vec<_> =
            events.iter().filter_map(|event| if let Event::Error { failure } = event { Some(failure) } else { None }).collect();
        assert_eq!(failures, report.failures.iter().collect::<Vec<_>>());
        assert!(matches!(events.first(), Some(Event::Started { .. })));
        let Some(Event::Finished { outcome, exit_code, findings, archive, sets, .. }) = events.last() else {
            panic!("the last event is {:?}", events.last())
        };
        let said = (outcome, exit_code, findings, archive, sets);
        assert_eq!(said, (&report.outcome, &report.exit_code, &report.findings, &report.archive, &report.sets));
        report
    }
}
