//! What a dump writes after the entries: indexes, the values of links and their check, and the manifest's records.

use std::collections::BTreeMap;
use std::ops::Deref;

use jiff::Timestamp;

use super::job::Job;
use super::link;
use super::run::{Run, VERSION};
use super::tree::Link;
use crate::archive::manifest::{FORMAT, LinkRecord, Manifest, SetRecord};
use crate::archive::spool::Spool;
use crate::archive::writer::{ArchiveWriter, ClosedSet};
use crate::drivers::{Outcome, PointInTime};
use crate::error::{Error, ErrorKind, Result};
use crate::links::Targets;
use crate::name::SetPath;

/// A set whose entries are all in the archive.
pub(super) struct Dumped {
    pub(super) closed: ClosedSet,
    pub(super) outcome: Outcome,
    /// The values of the links that start here, by the link's position.
    pub(super) values: Vec<(usize, Spool)>,
    pub(super) seconds: f64,
}

/// An archive that lacks nothing but its manifest.
pub(super) struct Content {
    pub(super) archive: ArchiveWriter,
    pub(super) sets: Vec<SetRecord>,
    pub(super) links: Vec<LinkRecord>,
}

/// Writes the indexes and the values of the links, and checks the links.
pub(super) fn conclude<'j, J: Deref<Target = Job<'j>>>(
    run: &Run,
    archive: ArchiveWriter,
    jobs: &[J],
    points: Vec<PointInTime>,
    mut dumped: Vec<Dumped>,
    links: &[Link],
) -> Result<Content> {
    let mut sets = Vec::new();
    for ((job, dumped), point) in jobs.iter().zip(&dumped).zip(points) {
        sets.push(set(run, &archive, job, dumped, point)?);
    }
    let values: BTreeMap<usize, Spool> = dumped.iter_mut().flat_map(|dumped| dumped.values.drain(..)).collect();
    let mut targets = BTreeMap::new();
    let mut records = Vec::new();
    for (number, values) in values {
        let link = &links[number];
        let stored = archive.append_values(number, &values)?;
        let closed = jobs.iter().zip(&dumped).find_map(|(job, dumped)| (*job.path == link.to).then_some(&dumped.closed));
        let entries = link::targets(&mut targets, &link.to, || {
            let closed =
                closed.ok_or_else(|| Error::new(ErrorKind::NotFound, format!("a link names `{}`, which does not run", link.to)))?;
            Targets::collect(closed.totals().entries, closed.names()?)
        })?;
        let mut check = entries.check(link::naming(&link.strip_prefix, &link.prefix), link::values_of(&values))?;
        check.dangling_names.iter_mut().for_each(|name| *name = run.clean(name));
        let record = link::record(link, stored, check);
        link::tell(run, &record);
        records.push(record);
    }
    Ok(Content { archive, sets, links: records })
}

fn set(run: &Run, archive: &ArchiveWriter, job: &Job<'_>, dumped: &Dumped, point_in_time: PointInTime) -> Result<SetRecord> {
    let index = archive.append_index(&dumped.closed)?;
    Ok(SetRecord {
        path: job.path.clone(),
        driver: job.description.name.clone(),
        driver_version: job.description.version.clone(),
        driver_details: clean_map(run, &job.description.details),
        format: dumped.outcome.format.clone(),
        point_in_time,
        totals: dumped.closed.totals(),
        stored_bytes: dumped.closed.stored_bytes(),
        seconds: dumped.seconds,
        prefix: job.prefix.clone(),
        index: index.name,
        index_sha256: index.sha256,
        notes: clean_map(run, &dumped.outcome.notes),
        warnings: job.reporter.warnings(),
    })
}

/// The manifest of a dump that ends now.
pub(super) fn manifest(run: &Run, began: Timestamp, sets: Vec<SetRecord>, links: Vec<LinkRecord>, left_out: &[SetPath]) -> Manifest {
    let found = run.found();
    Manifest {
        format: FORMAT,
        created_by: VERSION.into(),
        started_at: began,
        finished_at: Timestamp::now(),
        sets,
        left_out: left_out.to_vec(),
        links,
        findings: found.listed,
        more_findings: found.more,
    }
}

/// A point in time without secrets.
pub(super) fn clean_point(run: &Run, point: PointInTime) -> PointInTime {
    PointInTime { details: clean_map(run, &point.details), ..point }
}

fn clean_map(run: &Run, map: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    map.iter().map(|(key, value)| (run.clean(key), run.clean(value))).collect()
}
