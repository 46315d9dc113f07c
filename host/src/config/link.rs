//! `[[link]]`: from a column of one set to the entries of another.

use std::ops::Range;

use toml::de::DeTable;

use super::reading::{Field, Reading};
use super::{LinkConfig, SetConfig, nearest};
use crate::json_path;
use crate::name::SetPath;

/// All keys of a link.
const KEYS: [&str; 8] = ["from", "column", "json", "where", "strip_prefix", "prefix", "to", "unsafe_order"];

/// Reads the links; `unsafe_order` is what the file says for all of them.
pub(super) fn read(reading: &mut Reading<'_>, field: Field<'_, '_>, sets: &[SetConfig], unsafe_order: bool) -> Vec<LinkConfig> {
    let tables = reading.tables_of(field, "link");
    tables.into_iter().filter_map(|(table, at)| one(reading, table, &at, sets, unsafe_order)).collect()
}

fn one(reading: &mut Reading<'_>, table: &DeTable<'_>, at: &Range<usize>, sets: &[SetConfig], unsafe_order: bool) -> Option<LinkConfig> {
    reading.unknown_keys(table, &KEYS, "a link");
    let from = end(reading, table, "from", at, sets);
    let column = column(reading, table, at);
    let to = end(reading, table, "to", at, sets);
    let json_path = text(reading, table, "json").filter(|path| is_json_path(reading, table, path));
    let condition = text(reading, table, "where");
    let strip_prefix = text(reading, table, "strip_prefix").unwrap_or_default();
    let prefix = text(reading, table, "prefix").unwrap_or_default();
    let own_order = table.get("unsafe_order").and_then(|value| reading.bool_of(value));
    let ((from, from_at), (table, column), (to, to_at)) = (from?, column?, to?);
    let unsafe_order = own_order.unwrap_or(unsafe_order);
    Some(LinkConfig { from, table, column, json_path, condition, to, strip_prefix, prefix, unsafe_order, from_at, to_at })
}

/// The text of a key that may be absent.
fn text(reading: &mut Reading<'_>, table: &DeTable<'_>, key: &str) -> Option<String> {
    table.get(key).and_then(|value| reading.text_of(value, false))
}

/// One end of a link: a set of the tree that has a driver.
fn end(
    reading: &mut Reading<'_>,
    table: &DeTable<'_>,
    key: &str,
    at: &Range<usize>,
    sets: &[SetConfig],
) -> Option<(SetPath, Range<usize>)> {
    let Some(value) = table.get(key) else {
        let role = if key == "from" { "the set whose column refers" } else { "the set whose entries are referred to" };
        reading.missing(at, format!("this link has no `{key}`"), Some(format!("name {role}")));
        return None;
    };
    let name = reading.text_of(value, false)?;
    let mut paths = Vec::new();
    let found = find(sets, &name, &mut paths);
    let near = nearest(&name, paths.iter().map(String::as_str));
    match (found, near) {
        (Some(set), _) if set.driver.is_some() => return Some((set.path.clone(), value.span())),
        (Some(_), _) => {
            let message = format!("`{name}` is a group without a driver: it has no entries of its own");
            reading.missing(&value.span(), message, Some("name one of its sets".into()));
        }
        (None, None) if reading.unnamed => {}
        (None, near) => {
            let hint = near.map_or_else(|| "name a set by its path: `state/sessions`".into(), |near| format!("did you mean `{near}`?"));
            reading.missing(&value.span(), format!("there is no set `{}`", name.escape_debug()), Some(hint));
        }
    }
    None
}

/// The set of this path; `paths` takes those of all that were looked at.
fn find<'a>(sets: &'a [SetConfig], path: &str, paths: &mut Vec<String>) -> Option<&'a SetConfig> {
    sets.iter().find_map(|set| {
        paths.extend(set.is_named.then(|| set.path.to_string()));
        if set.path.as_str() == path { Some(set) } else { find(&set.children, path, paths) }
    })
}

/// The table and the column of `table.column` or `schema.table.column`.
fn column(reading: &mut Reading<'_>, table: &DeTable<'_>, at: &Range<usize>) -> Option<(String, String)> {
    let hint = || Some("write `table.column`, or `schema.table.column`".to_owned());
    let Some(value) = table.get("column") else {
        reading.missing(at, "this link has no `column`", hint());
        return None;
    };
    let text = reading.text_of(value, false)?;
    let parts: Vec<&str> = text.split('.').collect();
    if !(2..=3).contains(&parts.len()) || parts.iter().any(|part| part.trim() != *part || part.is_empty()) {
        reading.problem(&value.span(), format!("`{}` is no column of a table", text.escape_debug()), hint());
        return None;
    }
    let (table, column) = text.rsplit_once('.')?;
    Some((table.to_owned(), column.to_owned()))
}

/// Whether a JSON path is one.
fn is_json_path(reading: &mut Reading<'_>, table: &DeTable<'_>, path: &str) -> bool {
    let Err(error) = json_path::parse(path) else { return true };
    if let Some(value) = table.get("json") {
        reading.problem(&value.span(), error.message(), error.advice().map(str::to_owned));
    }
    false
}
