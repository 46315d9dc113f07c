//! The cases, and the steps that they share. Each case is one function: it makes its places, runs moments, and says how the
//! driver broke the contract.

mod cancel;
mod faults;
mod links;
mod moments;
mod round_trip;
mod stranger;
mod target;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;

use super::bench::{self, Broken, Dumped, Restored, Run, describe};
use super::fault::{Call, FaultyReader, FaultyWriter, Trigger};
use super::{Atomicity, Contents, MemoryArchive, Options, Place, Subject};
use crate::archive::{Reader, Writer};
use crate::cancel::Cancel;
use crate::drivers::{Extra, RestoreOptions};
use crate::error::Result as DriverResult;
use crate::name::EntryName;

/// One case.
pub(super) type CaseFn = fn(&Suite<'_>) -> Result<(), Stop>;

/// All cases, in the order in which they run: what is simple first, so that the first failure says most.
pub(super) const ALL: &[(&str, CaseFn)] = &[
    ("description and survey", moments::description),
    ("round trip: nothing", round_trip::nothing),
    ("round trip: a few items", round_trip::few),
    ("round trip: odd names", round_trip::odd_names),
    ("round trip: odd contents", round_trip::odd_contents),
    ("round trip: many items", round_trip::many),
    ("round trip: a large item", round_trip::large),
    ("round trip: written and read in tiny pieces", round_trip::tiny_pieces),
    ("round trip: read in another order", round_trip::another_order),
    ("point in time", moments::point_in_time),
    ("values of a link", links::values),
    ("link that cannot be read", links::unreadable),
    ("dump ends after its check", moments::only_before_dump),
    ("restore ends after its check", moments::only_before_restore),
    ("restore over something else, not told to", target::not_told),
    ("restore over something else, told to", target::told),
    ("restore twice", target::twice),
    ("restore of an archive with nothing in it", target::empty_archive),
    ("restore of names that the target cannot hold", target::names_not_held),
    ("restore of an archive that a stranger made", stranger::wrong_in_one_way),
    ("writer fails at every call", faults::writer_fails),
    ("reader fails at every call", faults::reader_fails),
    ("entry turns out damaged at its end", faults::damaged_entry),
    ("entry is listed and missing", faults::missing_entry),
    ("cancelled before it begins", cancel::before_it_begins),
    ("dump cancelled at every call", cancel::dump_at_every_call),
    ("restore cancelled at every call", cancel::restore_at_every_call),
    ("cancelled at any time", cancel::at_any_time),
];

/// The cases that say something of a driver also where it holds nothing that the suite makes up.
pub(super) const NEED_NO_ITEMS: [&str; 2] = ["description and survey", "round trip: nothing"];

/// Why a case ended early.
pub(super) enum Stop {
    /// The driver broke the contract: how.
    Broken(Broken),
    /// The case makes no sense for this driver: why.
    LeftOut(String),
}

impl From<Broken> for Stop {
    fn from(how: Broken) -> Self {
        Self::Broken(how)
    }
}

/// What all cases work with.
pub(super) struct Suite<'a> {
    pub(super) subject: &'a dyn Subject,
    pub(super) options: &'a Options,
    tried: RefCell<String>,
}

/// What the user says who wants the target to become what the archive holds, whatever stands there.
fn overwrite() -> RestoreOptions {
    RestoreOptions { recreate: true, extra: Some(Extra::Delete), ..RestoreOptions::default() }
}

/// Bytes that neither repeat nor compress, the same for the same seed.
fn noise(seed: u64, size: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    };
    let mut bytes: Vec<u8> = std::iter::repeat_with(&mut next).take(size.div_ceil(8)).flatten().collect();
    bytes.truncate(size);
    bytes
}

impl<'a> Suite<'a> {
    /// For one case.
    pub(super) fn new(subject: &'a dyn Subject, options: &'a Options) -> Self {
        Self { subject, options, tried: RefCell::default() }
    }

    /// Notes what was tried, where the case's name does not say it all.
    fn tried(&self, what: String) {
        self.tried.replace(what);
    }

    /// What was tried.
    pub(super) fn into_tried(self) -> String {
        self.tried.into_inner()
    }

    /// The numbers of the calls to try, one after another, until a run gets by without the chosen one.
    fn every_call(&self, mut one: impl FnMut(u64) -> Result<Option<Call>, Broken>) -> Result<(), Broken> {
        let mut seen: BTreeMap<String, u64> = BTreeMap::new();
        for at in 1..=self.options.calls {
            match one(at)? {
                Some(call) => *seen.entry(format!("{call:?}").to_lowercase()).or_default() += 1,
                None => {
                    let counts: Vec<_> = seen.iter().map(|(call, times)| format!("{times} {call}")).collect();
                    self.tried(counts.join(", "));
                    return Ok(());
                }
            }
        }
        Err(format!("the run needs more than {} calls for a few items: too many to try them all", self.options.calls))
    }

    /// Items of these names and contents, without those that the subject cannot hold.
    fn items<'n>(&self, items: impl IntoIterator<Item = (&'n [u8], Vec<u8>)>) -> Contents {
        let named = items.into_iter().map(|(name, content)| (EntryName::from_bytes(name), content));
        named.filter(|(name, content)| self.subject.holds(name, content)).collect()
    }

    /// Whether there is anything to work with.
    pub(super) fn has_items(&self) -> bool {
        !self.few().is_empty()
    }

    /// A few items of several sizes.
    fn few(&self) -> Contents {
        self.items([
            (&b"a.txt"[..], b"the first one\n".to_vec()),
            (b"nought", Vec::new()),
            (b"sub/b.bin", noise(1, 3000)),
            (b"sub/deep/c", noise(2, 150_000)),
            (b"z", b"z".to_vec()),
        ])
    }

    /// What stands in a target before [`Suite::few`] is restored over it: one item of the same size, one of another, one more.
    fn other(&self) -> Contents {
        self.items([
            (&b"a.txt"[..], b"THE FIRST ONE\n".to_vec()),
            (b"sub/deep/c", noise(3, 1000)),
            (b"only here", b"nobody's orphan".to_vec()),
            (b"sub/b.bin", noise(1, 3000)),
        ])
    }

    fn place(&self) -> Result<Box<dyn Place>, Broken> {
        self.subject.place().map_err(|error| format!("no place to work in: {}", describe(&error)))
    }

    /// A place with these items.
    fn filled(&self, items: &Contents) -> Result<Box<dyn Place>, Broken> {
        let place = self.place()?;
        put(place.as_ref(), items)?;
        Ok(place)
    }

    fn run(&self, place: &dyn Place, cancel: &Cancel, restore: RestoreOptions) -> Result<Run, Broken> {
        Run::new(place, cancel, restore, self.options.hung)
    }

    /// A dump with faults.
    fn dump_with(&self, place: &dyn Place, cancel: &Cancel, trigger: &Arc<Trigger>) -> Result<Dumped, Broken> {
        let mut run = self.run(place, cancel, RestoreOptions::default())?;
        let trigger = Arc::clone(trigger);
        bench::dump(&mut run, || Ok(()), |writer| Box::new(FaultyWriter::new(writer, trigger)))
    }

    /// A dump that nothing disturbs, which must succeed and leave its source as it was.
    fn dump(&self, place: &dyn Place) -> Result<MemoryArchive, Broken> {
        self.dump_through(place, |writer| writer)
    }

    fn dump_through(&self, place: &dyn Place, wrap: impl FnOnce(Box<dyn Writer>) -> Box<dyn Writer>) -> Result<MemoryArchive, Broken> {
        let before = look(place)?;
        let mut run = self.run(place, &Cancel::new(), RestoreOptions::default())?;
        let formats = run.moment("describe", |driver, _| Ok(driver.describe().formats))?.map_err(|error| describe(&error))?;
        let dumped = bench::dump(&mut run, || Ok(()), wrap)?;
        let outcome = dumped.result.map_err(|error| format!("the dump failed: {}", describe(&error)))?;
        if !formats.contains(&outcome.format) {
            return Err(format!("the dump says that its format is `{}`, which `describe` does not list", outcome.format));
        }
        if let Some(finding) = dumped.findings.first() {
            return Err(format!("a dump that nothing disturbed reports a finding: `{}`: {}", finding.name, finding.message));
        }
        same(&before, &look(place)?).map_err(|how| format!("the dump changed its source: {how}"))?;
        tidy(place)?;
        Ok(dumped.archive)
    }

    /// A restore with faults: `faults` decorates the archive's reader.
    fn restore_with(
        &self,
        place: &dyn Place,
        archive: &MemoryArchive,
        options: RestoreOptions,
        faults: impl FnOnce(FaultyReader) -> FaultyReader,
    ) -> Result<Restored, Broken> {
        self.restore_cancelled_by(place, archive, &Cancel::new(), options, |reader| faults(FaultyReader::new(reader, Trigger::never())))
    }

    fn restore_cancelled_by(
        &self,
        place: &dyn Place,
        archive: &MemoryArchive,
        cancel: &Cancel,
        options: RestoreOptions,
        wrap: impl FnOnce(Arc<dyn Reader>) -> FaultyReader,
    ) -> Result<Restored, Broken> {
        let mut run = self.run(place, cancel, options)?;
        let memory = Arc::new(archive.reader_cancelled_by(cancel));
        let reader: Arc<dyn Reader> = Arc::new(wrap(Arc::<super::MemoryReader>::clone(&memory)));
        let restored = bench::restore(&mut run, &reader)?;
        memory.end();
        drop(run);
        match archive.violations().first() {
            Some(violation) => Err(violation.clone()),
            None => Ok(restored),
        }
    }

    /// A restore that nothing disturbs, which must succeed.
    fn restore(&self, place: &dyn Place, archive: &MemoryArchive, options: RestoreOptions) -> Result<(), Broken> {
        let restored = self.restore_with(place, archive, options, |reader| reader)?;
        restored.result.map_err(|error| format!("the restore failed: {}", describe(&error)))?;
        tidy(place)
    }

    /// Checks what a restore of `new` over `old` that did not succeed has left.
    fn check_left(&self, place: &dyn Place, restored: &Restored, old: &Contents, new: &Contents) -> Result<(), Broken> {
        tidy(place)?;
        let atomicity = if restored.refused { Atomicity::Whole } else { self.subject.atomicity() };
        match atomicity {
            Atomicity::None => Ok(()),
            Atomicity::Whole => same(old, &look(place)?).map_err(|how| {
                let who = if restored.refused { "`before_restore`" } else { "a failed restore" };
                format!("{who} changed the target: {how}")
            }),
            Atomicity::Item => whole_items(&look(place)?, old, new),
        }
    }
}

/// Checks that every item is the old one or the new one, and that none which both have is lost.
fn whole_items(found: &Contents, old: &Contents, new: &Contents) -> Result<(), Broken> {
    let odd = found.iter().find(|(name, content)| old.get(*name) != Some(content) && new.get(*name) != Some(content));
    if let Some((name, content)) = odd {
        return Err(format!("a failed restore left `{name}` with {} bytes that are neither the old nor the archive's", content.len()));
    }
    match old.keys().find(|name| new.contains_key(*name) && !found.contains_key(*name)) {
        Some(name) => Err(format!("a failed restore lost `{name}`, which stood there and is in the archive")),
        None => Ok(()),
    }
}

fn put(place: &dyn Place, items: &Contents) -> Result<(), Broken> {
    subject_did(place.put(items), "cannot be filled")
}

fn look(place: &dyn Place) -> Result<Contents, Broken> {
    subject_did(place.look(), "cannot be read")
}

fn subject_did<T>(result: DriverResult<T>, what: &str) -> Result<T, Broken> {
    result.map_err(|error| format!("the place {what}: {}", describe(&error)))
}

/// Checks that nothing lies about after a run.
fn tidy(place: &dyn Place) -> Result<(), Broken> {
    match subject_did(place.litter(), "cannot be read")?.first() {
        Some(litter) => Err(format!("`{litter}` is left lying about after the run")),
        None => Ok(()),
    }
}

/// Checks that both hold the same; says what differs first.
fn same(expected: &Contents, found: &Contents) -> Result<(), Broken> {
    for (name, content) in expected {
        match found.get(name) {
            None => return Err(format!("`{name}` is missing")),
            Some(other) if other != content => {
                return Err(format!("`{name}` has other content ({} bytes, expected {})", other.len(), content.len()));
            }
            Some(_) => {}
        }
    }
    match found.keys().find(|name| !expected.contains_key(*name)) {
        Some(name) => Err(format!("`{name}` is there and should not be")),
        None => Ok(()),
    }
}

/// Checks that a place holds exactly this.
fn expect(place: &dyn Place, items: &Contents) -> Result<(), Broken> {
    same(items, &look(place)?).map_err(|how| format!("after the restore, {how}"))
}
