//! A verification: every byte of the archive, and its links from its own values and indexes. Needs no driver and no database.

use std::collections::BTreeMap;
use std::sync::Mutex;

use super::event::{ArchiveSummary, Command, Event, SetState, SetSummary};
use super::link;
use super::run::{Run, Stopped, lock};
use super::session::{Report, Session};
use super::ticker::ticking;
use crate::archive::manifest::{LinkCheck, LinkRecord, SetRecord};
use crate::archive::reader::ArchiveReader;
use crate::drivers::Unit;
use crate::error::{Error, Result};
use crate::links::Targets;
use crate::name::SetPath;

/// Verifies an archive: every damage is a failure, every name that dangles a finding.
pub fn verify(archive: &ArchiveReader, session: &Session) -> Report {
    let records = &archive.manifest().sets;
    let run = Run::begin(Command::Verify, session, records.iter().map(|record| record.path.clone()).collect());
    let whole = undamaged(&run, archive).and_then(|()| links(&run, archive));
    run.finish(whole.is_ok(), Some(summary(archive)), records.iter().map(set_summary).collect())
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
    damages.iter().map(|damage| run.fail_alone(&Error::corrupt(format!("{}: {}", damage.what, damage.why)))).last().map_or(Ok(()), Err)
}

/// Compares every link's values with its target's index, and the result with what the manifest says.
fn links(run: &Run, archive: &ArchiveReader) -> Result<(), Stopped> {
    let mut targets = BTreeMap::new();
    let mut whole = Ok(());
    for link in &archive.manifest().links {
        let check = check(archive, link, &mut targets).map_err(|error| run.fail_alone(&error))?;
        if check != link.check {
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

fn check<'a>(archive: &ArchiveReader, link: &'a LinkRecord, targets: &mut BTreeMap<&'a SetPath, Targets>) -> Result<LinkCheck> {
    let entries = link::targets(targets, &link.to, || {
        let record = archive.manifest().sets.iter().find(|record| record.path == link.to);
        let record = record.ok_or_else(|| Error::corrupt(format!("the manifest has a link to `{}`, and no such set", link.to)))?;
        Targets::collect(record.totals.entries, archive.names(record)?)
    })?;
    entries.check(link::naming(&link.strip_prefix, &link.prefix), archive.values(link)?)
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
