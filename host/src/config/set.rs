//! `[[set]]` and `[[set.children]]`: the tree.

use std::ops::Range;

use toml::de::DeTable;

use super::reading::{Field, Reading};
use super::{DriverChoice, SetConfig, Values, nearest};
use crate::name::SetPath;

/// The keys of a set that are not its driver's.
const OWN: [&str; 4] = ["name", "driver", "children", "parallel"];

/// Reads the sets of one level: the roots, or the children of `parent`.
pub(super) fn read(reading: &mut Reading<'_>, field: Field<'_, '_>, parent: Option<&SetPath>) -> Vec<SetConfig> {
    let mut sets: Vec<SetConfig> = Vec::new();
    let header = if parent.is_some() { "set.children" } else { "set" };
    for (table, at) in reading.tables_of(field, header) {
        let set = one(reading, table, &at, parent);
        if let Some(first) = sets.iter().find(|first| first.path == set.path && set.is_named) {
            let line = reading.source.line(first.at.start);
            let message = format!("there is a set `{}` already, in line {line}", set.path);
            reading.problem(&set.at, message, Some("give each its own name".into()));
        }
        sets.push(set);
    }
    sets
}

/// Reads one set. One without a usable name is read too, so that its other mistakes are found at the same time.
fn one(reading: &mut Reading<'_>, table: &DeTable<'_>, at: &Range<usize>, parent: Option<&SetPath>) -> SetConfig {
    let named = name(reading, table, at, parent);
    let at = table.get("name").map_or(at.clone(), toml::Spanned::span);
    let is_named = named.is_some();
    reading.unnamed |= !is_named;
    let path = named.unwrap_or_else(|| placeholder(parent));
    let outer = reading.set.replace(path.clone());
    let driver = table.get("driver").map(|value| (reading.text_of(value, false), value.span()));
    let mut settings = Values::default();
    for (key, value) in table.iter().filter(|(key, _)| !OWN.contains(&key.get_ref().as_ref())) {
        settings.read(reading, key, value);
    }
    let parallel = table.get("parallel").and_then(|value| reading.bool_of(value)).unwrap_or(false);
    let children = table.get_key_value("children").map(|field| read(reading, field, Some(&path))).unwrap_or_default();
    reading.set = outer;
    if driver.is_none() {
        group(reading, table, is_named.then_some(&path), &at);
    }
    let driver = driver.map(|(name, at)| name.map_or(DriverChoice::Unread, |name| DriverChoice::Named(name, at)));
    SetConfig { path, is_named, driver, parallel, settings, children, at }
}

/// The path that a set's name gives it.
fn name(reading: &mut Reading<'_>, table: &DeTable<'_>, at: &Range<usize>, parent: Option<&SetPath>) -> Option<SetPath> {
    let Some(value) = table.get("name") else {
        reading.missing(at, "this set has no `name`", Some("give it one: archive and messages use it".into()));
        return None;
    };
    let name = reading.text_of(value, false)?;
    if let Err(why) = SetPath::check_segment(&name) {
        reading.problem(&value.span(), why, None);
        return None;
    }
    match parent {
        Some(parent) => Some(parent.join(&name)),
        None => SetPath::parse(&name).ok(),
    }
}

/// The path under which a set without a usable name is read on.
fn placeholder(parent: Option<&SetPath>) -> SetPath {
    parent.map_or_else(|| SetPath::parse("unnamed").expect("a name"), |parent| parent.join("unnamed"))
}

/// Checks a set without a driver: it has children and nothing else.
fn group(reading: &mut Reading<'_>, table: &DeTable<'_>, path: Option<&SetPath>, at: &Range<usize>) {
    let has_children = table.get("children").is_some();
    let mut misspelt = false;
    for key in table.keys().filter(|key| !OWN.contains(&key.get_ref().as_ref())) {
        let near = nearest(key.get_ref(), OWN);
        misspelt |= near.is_some();
        let hint = match near {
            Some(near) => format!("did you mean `{near}`?"),
            None => "add `driver`, or remove this".into(),
        };
        if near.is_some() || has_children {
            let message = format!("unknown key `{}` of a set without a driver", key.get_ref().escape_debug());
            reading.problem(&key.span(), message, Some(hint));
        }
    }
    if !has_children && !misspelt {
        let set = path.map_or_else(|| "this set".to_owned(), |path| format!("`{path}`"));
        let hint = "add `driver`, or `[[set.children]]` below it";
        reading.missing(at, format!("{set} has neither a driver nor children"), Some(hint.into()));
    }
}
