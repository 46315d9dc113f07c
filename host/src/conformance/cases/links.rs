//! The values of links, for drivers that have columns.

use std::collections::BTreeSet;

use super::super::bench::{Run, describe};
use super::super::fault::{Call, failure, is_injected};
use super::super::{Contents, Place};
use super::{Broken, Stop, Suite, put};
use crate::cancel::Cancel;
use crate::drivers::{Ended, LinkColumn, RestoreOptions};
use crate::error::Result as DriverResult;
use crate::name::EntryName;

/// Each name once, as they stood at the point in time.
pub(super) fn values(suite: &Suite<'_>) -> Result<(), Stop> {
    let column = column(suite)?;
    let items = suite.few();
    let source = suite.filled(&items)?;
    let expected: BTreeSet<String> = items.keys().filter_map(EntryName::as_str).map(str::to_owned).collect();
    let later = suite.items([(&b"added later"[..], b"new".to_vec())]);
    let later = if suite.subject.changes_while_dumped() { later } else { Contents::new() };
    let found = read(suite, source.as_ref(), &column, &later, None)?.map_err(|error| describe(&error))?;
    let distinct: BTreeSet<String> = found.iter().cloned().collect();
    if distinct.len() != found.len() {
        return Err(Stop::Broken("a value is given twice".into()));
    }
    match distinct.symmetric_difference(&expected).next() {
        Some(value) => Err(Stop::Broken(format!("the values of `{column}` are other ones: `{value}`"))),
        None => Ok(()),
    }
}

/// A column that is not there, a condition that makes no sense, and a listener that fails at each value: all are told.
pub(super) fn unreadable(suite: &Suite<'_>) -> Result<(), Stop> {
    let column = column(suite)?;
    let items = suite.few();
    let source = suite.filled(&items)?;
    let wrong = [
        LinkColumn { table: "no such table".into(), ..column.clone() },
        LinkColumn { column: "no such column".into(), ..column.clone() },
        LinkColumn { condition: Some("this makes no sense".into()), ..column.clone() },
    ];
    for wrong in wrong {
        if let Ok(found) = read(suite, source.as_ref(), &wrong, &Contents::new(), None)? {
            return Err(Stop::Broken(format!("`{wrong}` cannot be read, and the driver gives {} values", found.len())));
        }
    }
    for at in 1..=items.len() {
        match read(suite, source.as_ref(), &column, &Contents::new(), Some(at))? {
            Err(error) if is_injected(&error) => {}
            Err(error) => return Err(Stop::Broken(format!("value {at} was refused, and the driver says: {}", describe(&error)))),
            Ok(_) => return Err(Stop::Broken(format!("value {at} was refused, and the driver says that all went well"))),
        }
    }
    Ok(())
}

fn column(suite: &Suite<'_>) -> Result<LinkColumn, Stop> {
    if let Some(column) = suite.subject.column_of_names() {
        return Ok(column);
    }
    let driver = suite.place()?.driver().map_err(|error| describe(&error))?;
    let why = if driver.describe().has_columns { "the suite does not know the driver's columns" } else { "the driver has no columns" };
    Err(Stop::LeftOut(why.into()))
}

/// Fixes the point in time, lets the application add `later`, and reads the values; the value at `fail_at`, from 1, is refused.
fn read(
    suite: &Suite<'_>,
    source: &dyn Place,
    column: &LinkColumn,
    later: &Contents,
    fail_at: Option<usize>,
) -> Result<DriverResult<Vec<String>>, Broken> {
    let mut run = suite.run(source, &Cancel::new(), RestoreOptions::default())?;
    run.moment("before_dump", |driver, context| driver.before_dump(context))?.map_err(|error| describe(&error))?;
    put(source, later)?;
    let found = link_values(&mut run, column.clone(), fail_at)?;
    let ended = Ended::Failed("the case is over".into());
    run.moment("after_dump", move |driver, context| driver.after_dump(context, &ended))?.map_err(|error| describe(&error))?;
    Ok(found)
}

fn link_values(run: &mut Run, column: LinkColumn, fail_at: Option<usize>) -> Result<DriverResult<Vec<String>>, Broken> {
    run.moment("link_values", move |driver, context| {
        let mut found = Vec::new();
        driver.link_values(context, &column, &mut |value| {
            found.push(value.to_owned());
            if fail_at == Some(found.len()) { Err(failure(Call::Create)) } else { Ok(()) }
        })?;
        Ok(found)
    })
}
