//! The moments apart from what they copy: what a driver says of itself, what a moment leaves when the run ends there, and the
//! point in time.

use super::super::Contents;
use super::super::bench::{self, describe};
use super::faults::Over;
use super::{Broken, Stop, Suite, expect, look, put, same, tidy};
use crate::cancel::Cancel;
use crate::drivers::{Ended, Finding, FindingKind, RestoreOptions, Worth};
use crate::name::EntryName;

/// What a driver says before it is connected to anything: complete, the same each time, and without a trace.
pub(super) fn description(suite: &Suite<'_>) -> Result<(), Stop> {
    let items = suite.few();
    let place = suite.filled(&items)?;
    let mut run = suite.run(place.as_ref(), &Cancel::new(), RestoreOptions::default())?;
    let said = |result: crate::error::Result<_>| result.map_err(|error: crate::error::Error| describe(&error));
    let first = said(run.moment("describe", |driver, _| Ok(driver.describe()))?)?;
    let second = said(run.moment("describe", |driver, _| Ok(driver.describe()))?)?;
    let empty = [("name", first.name.is_empty()), ("version", first.version.is_empty()), ("formats", first.formats.is_empty())];
    if let Some((what, _)) = empty.iter().find(|(_, empty)| *empty) {
        return Err(Stop::Broken(format!("`describe` leaves its {what} empty")));
    }
    if format!("{first:?}") != format!("{second:?}") {
        return Err(Stop::Broken("`describe` says something else when it is asked again".into()));
    }
    let survey = run.moment("survey", |driver, _| Ok(driver.survey()))?.map_err(|error| describe(&error))?;
    if survey.target.is_empty() {
        return Err(Stop::Broken("`survey` does not say where the set points".into()));
    }
    Ok(expect(place.as_ref(), &items)?)
}

/// Another set's check failed: `after_dump` is called without a `dump`.
pub(super) fn only_before_dump(suite: &Suite<'_>) -> Result<(), Stop> {
    let items = suite.few();
    let source = suite.filled(&items)?;
    let mut run = suite.run(source.as_ref(), &Cancel::new(), RestoreOptions::default())?;
    run.moment("before_dump", |driver, context| driver.before_dump(context))?.map_err(|error| describe(&error))?;
    let ended = Ended::Failed("another set failed".into());
    run.moment("after_dump", move |driver, context| driver.after_dump(context, &ended))?.map_err(|error| describe(&error))?;
    tidy(source.as_ref())?;
    expect(source.as_ref(), &items)?;
    suite.dump(source.as_ref())?;
    Ok(())
}

/// Another set's check failed: `after_restore` is called without a `restore`, and nothing has been written.
pub(super) fn only_before_restore(suite: &Suite<'_>) -> Result<(), Stop> {
    let over = Over::new(suite)?;
    let target = suite.filled(&over.old)?;
    let mut run = suite.run(target.as_ref(), &Cancel::new(), super::overwrite())?;
    let reader = over.archive.reader();
    run.moment("before_restore", move |driver, context| driver.before_restore(context, &reader))?.map_err(|error| describe(&error))?;
    let ended = Ended::Failed("another set failed".into());
    run.moment("after_restore", move |driver, context| driver.after_restore(context, &ended))?.map_err(|error| describe(&error))?;
    tidy(target.as_ref())?;
    Ok(same(&over.old, &look(target.as_ref())?).map_err(|how| format!("`before_restore` changed the target: {how}"))?)
}

/// The application adds, overwrites and removes between `before_dump` and `dump`: the dump holds what its worth promises.
pub(super) fn point_in_time(suite: &Suite<'_>) -> Result<(), Stop> {
    if !suite.subject.changes_while_dumped() {
        return Err(Stop::LeftOut("the application cannot write while a dump runs".into()));
    }
    let before = suite.few();
    let source = suite.filled(&before)?;
    let change = suite.items([(&b"a.txt"[..], b"overwritten, and longer\n".to_vec()), (b"added", b"new".to_vec())]);
    let removed = EntryName::from("sub/b.bin");
    let mut after = before.clone();
    after.extend(change.clone());
    after.remove(&removed);

    let mut run = suite.run(source.as_ref(), &Cancel::new(), RestoreOptions::default())?;
    let disturb = || {
        put(source.as_ref(), &change)?;
        source.remove(&removed).map_err(|error| format!("the application could not write: {}", describe(&error)))
    };
    let dumped = bench::dump(&mut run, disturb, |writer| writer)?;
    dumped.result.map_err(|error| format!("the dump failed: {}", describe(&error)))?;
    same(&after, &look(source.as_ref())?).map_err(|how| format!("the dump undid what the application did: {how}"))?;

    let target = suite.place()?;
    suite.restore(target.as_ref(), &dumped.archive, RestoreOptions::default())?;
    let found = look(target.as_ref())?;
    match dumped.point.map(|point| point.worth) {
        Some(Worth::Exact) => same(&before, &found).map_err(|how| format!("the point in time is said to be exact; restored, {how}"))?,
        Some(Worth::Interval) => within_interval(&found, &before, &after, &dumped.findings)?,
        Some(Worth::None) | None => {}
    }
    Ok(())
}

/// Every item as it was at some time of the interval; what is gone was either not there all the time, or is reported.
fn within_interval(found: &Contents, before: &Contents, after: &Contents, findings: &[Finding]) -> Result<(), Broken> {
    if let Some(name) = found.iter().find(|(name, content)| before.get(*name) != Some(content) && after.get(*name) != Some(content)) {
        return Err(format!("`{}` is restored as it never was", name.0));
    }
    for name in before.keys().filter(|name| !found.contains_key(*name)) {
        let vanished = |finding: &&Finding| finding.kind == FindingKind::Vanished && finding.name == name.to_string();
        if after.contains_key(name) {
            return Err(format!("`{name}` was there all the time, and is not in the dump"));
        }
        if !findings.iter().any(|finding| vanished(&finding)) {
            return Err(format!("`{name}` vanished between the point in time and its copy, and no finding says so"));
        }
    }
    Ok(())
}
