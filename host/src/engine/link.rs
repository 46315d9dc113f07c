//! The links of a run: reading their values while their set dumps, and what a check's result becomes.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use super::event::Event;
use super::run::Run;
use super::tree::Link;
use crate::archive::manifest::{LinkCheck, LinkRecord};
use crate::archive::spool::Spool;
use crate::archive::writer::Stored;
use crate::drivers::{Context, Driver, Finding, FindingKind};
use crate::error::{Error, ErrorKind, Result};
use crate::links::{Naming, Targets};
use crate::name::SetPath;

/// Reads the values of all links of a set, each with its number. Links that name what is not there are all told.
pub(super) fn read_all<'l>(
    driver: &mut dyn Driver,
    context: &Context,
    links: impl Iterator<Item = (usize, &'l Link)>,
) -> Result<Vec<(usize, Spool)>> {
    let (mut values, mut wrong) = (Vec::new(), Vec::new());
    for (number, link) in links {
        match read_values(driver, context, link) {
            Ok(read) => values.push((number, read)),
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::InvalidConfig) => wrong.push(error),
            Err(error) => return Err(error),
        }
    }
    if wrong.len() > 1 {
        let error = Error::new(ErrorKind::InvalidConfig, "several links cannot be read").hint("see beside each what is wrong with it");
        let told = |error: &Error| error.advice().map_or_else(|| error.to_string(), |hint| format!("{error} ({hint})"));
        return Err(wrong.iter().fold(error, |all, one| all.with("link", told(one))));
    }
    wrong.pop().map_or(Ok(values), Err)
}

/// Reads the distinct values of a link into a spool, one JSON string a line, as the archive keeps them.
fn read_values(driver: &mut dyn Driver, context: &Context, link: &Link) -> Result<Spool> {
    let mut values = Spool::new()?;
    let mut keep = |value: &str| {
        context.check()?;
        if value.is_empty() { Ok(()) } else { values.push(serde_json::Value::from(value).to_string().as_bytes()) }
    };
    let read = driver.link_values(context, &link.column, &mut keep);
    read.map_err(|error| error.while_(format!("cannot read `{}` for the link to `{}`", link.column, link.to)))?;
    Ok(values)
}

/// The values as [`read_values`] spooled them.
pub(super) fn values_of(spool: &Spool) -> impl Iterator<Item = Result<String>> {
    let mut lines = spool.lines();
    std::iter::from_fn(move || {
        let line = lines.next_line().transpose()?;
        Some(line.and_then(|line| {
            serde_json::from_slice(line).map_err(|why| Error::corrupt(format!("a spooled value is no JSON string: {why}")))
        }))
    })
}

/// How this link's values become names.
pub(super) fn naming<'a>(strip_prefix: &'a str, prefix: &'a str) -> Naming<'a> {
    Naming { strip_prefix, prefix }
}

/// The names of a link's target, collected the first time that a link ends there.
pub(super) fn targets<'t, 'p>(
    all: &'t mut BTreeMap<&'p SetPath, Targets>,
    to: &'p SetPath,
    collect: impl FnOnce() -> Result<Targets>,
) -> Result<&'t mut Targets> {
    match all.entry(to) {
        Entry::Occupied(known) => Ok(known.into_mut()),
        Entry::Vacant(place) => Ok(place.insert(collect()?)),
    }
}

/// The manifest's record of a link.
pub(super) fn record(link: &Link, values: Stored, check: LinkCheck) -> LinkRecord {
    LinkRecord {
        from: link.from.clone(),
        column: link.column.to_string(),
        to: link.to.clone(),
        strip_prefix: link.strip_prefix.clone(),
        prefix: link.prefix.clone(),
        values: values.name,
        values_sha256: values.sha256,
        check,
    }
}

/// Says what the check of a link found; every name that dangles is a finding.
pub(super) fn tell(run: &Run, link: &LinkRecord) {
    let LinkRecord { from, column, to, check, .. } = link;
    for name in &check.dangling_names {
        let message = format!("`{column}` names it, and `{to}` has no such entry");
        run.find(Finding { set: from.clone(), kind: FindingKind::Dangling, name: name.clone(), message });
    }
    let unnamed = check.dangling - check.dangling_names.len() as u64;
    if unnamed > 0 {
        run.find_unnamed(unnamed);
    }
    run.emit(Event::Link { link: link.clone() });
}
