//! A verification: every byte of the archive or of some sets, and its links from its own values and indexes. Needs no driver
//! and no database.

use std::collections::BTreeMap;
use std::sync::Mutex;

use super::event::{ArchiveSummary, Command, Event, SetState, SetSummary};
use super::link;
use super::run::{Run, Stopped, lock};
use super::session::{Report, Session};
use super::ticker::ticking;
use crate::archive::manifest::{LinkCheck, LinkRecord, SetRecord};
use crate::archive::reader::ArchiveReader;
use crate::archive::{Reader, Totals};
use crate::cancel::Cancel;
use crate::drivers::{Level, Unit};
use crate::error::{Error, ErrorKind, Result};
use crate::links::Targets;
use crate::name::{EntryName, SetPath};

/// Verifies an archive, or of it only these sets of its manifest: every damage is a failure, every name that dangles a
/// finding.
///
/// If all sets are asked for, every byte is read, also of what stands between the entries. A link is checked if both its ends
/// are asked for.
pub fn verify(archive: &ArchiveReader, sets: &[&SetRecord], session: &Session) -> Report {
    let run = Run::begin(Command::Verify, session, sets.iter().map(|record| record.path.clone()).collect());
    let all = archive.manifest().sets.len() == sets.len();
    let undamaged = if all { undamaged(&run, archive) } else { entries(&run, archive, sets) };
    let whole = undamaged.and_then(|()| links(&run, archive, sets));
    run.finish(whole.is_ok(), Some(summary(archive)), sets.iter().copied().map(set_summary).collect())
}

/// Reads every byte; every damage is a failure.
pub(super) fn undamaged(run: &Run, archive: &ArchiveReader) -> Result<(), Stopped> {
    let so_far = Mutex::new((0, 0));
    let tick = || {
        let (done, total) = *lock(&so_far);
        run.emit(Event::Progress { set: None, done, total: Some(total), unit: Unit::Bytes, bytes: done, entries: 0 });
    };
    let damages = ticking(&tick, || archive.verify(run.interrupt(), &|done, total| *lock(&so_far) = (done, total)));
    let damages = damages.map_err(|error| run.fail_alone(&error))?;
    tell(run, None, damages.iter().map(|damage| Error::corrupt(damage.to_string())).collect())
}

/// Tells of all damage, of a set or of the archive; what can be done about it, once.
fn tell(run: &Run, set: Option<(&SetPath, &str)>, mut damages: Vec<Error>) -> Result<(), Stopped> {
    let Some(last) = damages.pop() else { return Ok(()) };
    damages.push(last.hint("take another copy of the archive"));
    for damage in damages {
        run.fail(run.failure(set, None, &damage));
    }
    Err(Stopped)
}

/// Reads the entries of some sets; every one that is damaged is a failure.
fn entries(run: &Run, archive: &ArchiveReader, sets: &[&SetRecord]) -> Result<(), Stopped> {
    archive.examine(run.interrupt()).map_err(|error| run.fail_alone(&error))?;
    let mut whole = Ok(());
    for record in sets {
        let through = Mutex::new(Totals::default());
        let tick = || {
            let Totals { entries, bytes } = *lock(&through);
            let (set, total) = (Some(record.path.clone()), Some(record.totals.bytes));
            run.emit(Event::Progress { set, done: bytes, total, unit: Unit::Bytes, bytes, entries });
        };
        let damages = ticking(&tick, || damages(archive, record, run.interrupt(), &through)).map_err(|error| run.fail_alone(&error))?;
        whole = tell(run, Some((&record.path, &record.driver)), damages).and(whole);
    }
    whole
}

fn damages(archive: &ArchiveReader, record: &SetRecord, cancel: &Cancel, through: &Mutex<Totals>) -> Result<Vec<Error>> {
    const PAGE: usize = 1_000;
    let source = archive.set(record, cancel)?;
    let mut pages = source.entries()?;
    let (mut damages, mut buffer) = (Vec::new(), vec![0; 256 << 10]);
    loop {
        let page = pages.next(PAGE)?;
        if page.is_empty() {
            return Ok(damages);
        }
        for info in page {
            match read_through(&*source, &info.entry.name, &mut buffer) {
                Err(damage) if damage.kind() == ErrorKind::Corrupt => damages.push(damage),
                read => {
                    let mut through = lock(through);
                    through.bytes += read?;
                    through.entries += 1;
                }
            }
        }
    }
}

/// Reads an entry to its end, where its size and hash are compared; says its size.
fn read_through(source: &dyn Reader, name: &EntryName, buffer: &mut [u8]) -> Result<u64> {
    let mut entry = source.open(name)?;
    let mut size = 0;
    loop {
        match entry.read(buffer)? {
            0 => return Ok(size),
            read => size += read as u64,
        }
    }
}

/// Compares every link's values with its target's index, and the result with what the manifest says.
fn links(run: &Run, archive: &ArchiveReader, sets: &[&SetRecord]) -> Result<(), Stopped> {
    let asked = |path: &SetPath| sets.iter().any(|record| record.path == *path);
    let mut targets = BTreeMap::new();
    let mut whole = Ok(());
    for link in &archive.manifest().links {
        if !(asked(&link.from) && asked(&link.to)) {
            let LinkRecord { from, column, to, .. } = link;
            run.log(Level::Info, &format!("the link from `{column}` of `{from}` to `{to}` is not checked: one of the sets is left out"));
            continue;
        }
        let check = check(archive, link, &mut targets, run.interrupt()).map_err(|error| run.fail_alone(&error))?;
        if !link.check.tells_of(&check) {
            let LinkRecord { from, column, to, check: said, .. } = link;
            let message = format!(
                "the manifest says of the link from `{column}` of `{from}` to `{to}`: {said}; its values and the index say: {check}"
            );
            whole = Err(run.fail_alone(&Error::corrupt(message)));
        }
        link::tell(run, &LinkRecord { check, ..link.clone() });
    }
    whole
}

fn check<'a>(
    archive: &ArchiveReader,
    link: &'a LinkRecord,
    targets: &mut BTreeMap<&'a SetPath, Targets>,
    cancel: &Cancel,
) -> Result<LinkCheck> {
    let entries = link::targets(targets, &link.to, || {
        let record = archive.manifest().sets.iter().find(|record| record.path == link.to);
        let record = record.ok_or_else(|| Error::corrupt(format!("the manifest has a link to `{}`, and no such set", link.to)))?;
        Targets::collect(record.totals.entries, archive.names(record, cancel)?)
    })?;
    entries.check(link::naming(&link.strip_prefix, &link.prefix), archive.values(link, cancel)?)
}

/// An archive that was read.
pub(super) fn summary(archive: &ArchiveReader) -> ArchiveSummary {
    ArchiveSummary { location: archive.location().to_owned(), size: archive.size(), sha256: archive.manifest_sha256().to_owned() }
}

fn set_summary(record: &SetRecord) -> SetSummary {
    SetSummary {
        set: record.path.clone(),
        driver: record.driver.clone(),
        state: SetState::Done,
        totals: record.totals,
        stored_bytes: Some(record.stored_bytes),
        seconds: record.seconds,
        worth: Some(record.point_in_time.worth),
    }
}
