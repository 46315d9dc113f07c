//! The order in which tables must be filled that have foreign keys already: those of extensions.

use std::collections::{BTreeMap, HashMap};

use super::contents::Rows;
use super::session::Session;
use crate::drivers::Context;
use crate::error::{Error, ErrorKind, Result};

/// The tables, as places in `tables`, that take part in a foreign key which holds already, in an order in which each comes after
/// those that it refers to.
pub(super) fn of_foreign_keys(session: &mut Session, context: &Context, tables: &[Rows]) -> Result<Vec<usize>> {
    const KEYS: &str = "
        SELECT n.nspname::text, c.relname::text, fn.nspname::text, f.relname::text
        FROM pg_constraint k
        JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace
        JOIN pg_class f ON f.oid = k.confrelid JOIN pg_namespace fn ON fn.oid = f.relnamespace
        WHERE k.contype = 'f' AND k.conrelid <> k.confrelid";
    let rows = session.rows(context, || "cannot list the foreign keys", KEYS, &[])?;
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let places: HashMap<(&str, &str), usize> =
        tables.iter().enumerate().map(|(at, table)| ((table.schema.as_str(), table.name.as_str()), at)).collect();
    let mut needs: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for row in &rows {
        let place = |schema, name| places.get(&(row.get(schema), row.get(name))).copied();
        if let (Some(from), Some(to)) = (place(0, 1), place(2, 3)) {
            needs.entry(from).or_default().push(to);
            needs.entry(to).or_default();
        }
    }
    sort(needs, tables)
}

/// Takes what needs nothing that is left, again and again.
fn sort(mut needs: BTreeMap<usize, Vec<usize>>, tables: &[Rows]) -> Result<Vec<usize>> {
    let mut order = Vec::new();
    while !needs.is_empty() {
        let ready: Vec<usize> =
            needs.iter().filter(|(_, needed)| needed.iter().all(|one| !needs.contains_key(one))).map(|(at, _)| *at).collect();
        if ready.is_empty() {
            let error =
                Error::new(ErrorKind::Unsupported, "tables of an extension refer to each other in a circle, so none can be filled first");
            return Err(needs.keys().fold(error, |error, at| error.with("table", tables[*at].shown())));
        }
        for at in ready {
            needs.remove(&at);
            order.push(at);
        }
    }
    Ok(order)
}
