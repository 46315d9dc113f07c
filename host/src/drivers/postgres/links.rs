//! The distinct values of a link's column, in the snapshot: the query that a configuration's words come to, and what it finds.

use postgres::fallible_iterator::FallibleIterator;

use super::catalogue::{Fate, Kind};
use super::fault::fault;
use super::json_path::expression;
use super::session::{Session, quoted};
use super::settings::Choice;
use super::snapshot::Snapshot;
use crate::drivers::{Context, LinkColumn};
use crate::error::{Error, ErrorKind, Result};
use crate::json_path;

/// How unlike the nearest name may be to be taken for what was meant.
const LIKENESS: f64 = 0.75;

/// The most names that a hint lists.
const LISTED: usize = 12;

/// Gives the distinct values, as text and without NULLs, to `each`. Values of type `bytea` must hold UTF-8.
///
/// The condition is the user's own SQL, in a transaction that cannot write.
pub(super) fn values(
    snapshot: &mut Snapshot,
    choice: &Choice,
    context: &Context,
    link: &LinkColumn,
    each: &mut dyn FnMut(&str) -> Result<()>,
) -> Result<()> {
    let table = find_table(snapshot, choice, &link.table)?;
    if table.is_left_out {
        let shown = format!("{}.{}", table.schema, table.name);
        context.warn(format!("the link `{link}` is checked although the rows of `{shown}` are left out of the dump"));
    }
    let path = snapshot.search_path.iter().map(|schema| quoted(schema)).collect::<Vec<_>>().join(", ");
    let path = if path.is_empty() { "''".to_owned() } else { path };
    let session = &mut snapshot.session;
    let column = find_column(session, context, &table, &link.column)?;
    let sql = query(&table, &column, link)?;
    // A query that fails must leave the snapshot's transaction as it was.
    // The condition's operators and functions are found where its author finds them; that ends with the savepoint.
    session.execute(context, || "cannot set a savepoint", &format!("SAVEPOINT link; SET LOCAL search_path = {path}"))?;
    let mut stopped = None;
    let read = session.try_run(context, |client| {
        let mut rows = client.query_raw(&sql, std::iter::empty::<&str>())?;
        while let Some(row) = rows.next()? {
            if let Err(error) = each(row.try_get(0)?) {
                stopped = Some(error);
                break;
            }
        }
        Ok(())
    })?;
    if let Some(error) = stopped {
        return Err(error);
    }
    session.execute(context, || "cannot go back to the savepoint", "ROLLBACK TO SAVEPOINT link")?;
    read.map_err(|error| {
        let shown = format!("cannot read the values of `{}.{}`", link.table, link.column);
        let error = fault(shown, &error);
        match &link.condition {
            Some(condition) => error.hint(format!("check the link's `where`: {condition}")),
            None => error,
        }
    })
}

/// A relation and its oid.
struct Found {
    oid: u32,
    schema: String,
    name: String,
    /// Whether its rows are none of the dump's.
    is_left_out: bool,
}

struct Column {
    name: String,
    kind: String,
}

fn query(table: &Found, column: &Column, link: &LinkColumn) -> Result<String> {
    let name = quoted(&column.name);
    // In a query of its own, so that the condition sees the table's names and no other.
    let condition = link.condition.as_ref().map_or(String::new(), |condition| format!(" AND ({condition}\n)"));
    let table = format!("{}.{}", quoted(&table.schema), quoted(&table.name));
    let rows = format!("FROM (SELECT {name} AS field FROM {table} WHERE {name} IS NOT NULL{condition}) AS link_row");
    let (value, joins) = match (&link.json_path, column.kind.as_str()) {
        (Some(path), "json" | "jsonb") => expression(&json_path::parse(path)?, "link_row.field::jsonb"),
        (Some(path), _) => expression(&json_path::parse(path)?, "nullif(link_row.field::text, '')::jsonb"),
        (None, "bytea") => ("convert_from(link_row.field, 'UTF8')".to_owned(), String::new()),
        (None, _) => ("link_row.field::text".to_owned(), String::new()),
    };
    // Compared byte by byte, whatever the column's collation: names of files differ by case.
    Ok(format!("SELECT value FROM (SELECT DISTINCT ({value}) COLLATE \"C\" AS value {rows}{joins}) AS link_value WHERE value IS NOT NULL"))
}

/// The table or view that is meant: as it is spelled, else whatever the case of its letters; with its schema, or in the schemas
/// of the search path, or in whichever schema has it alone.
fn find_table(snapshot: &Snapshot, choice: &Choice, wanted: &str) -> Result<Found> {
    let relations = || snapshot.relations.iter();
    let same = |one: &str, other: &str, loose: bool| one == other || loose && one.to_lowercase() == other.to_lowercase();
    for loose in [false, true] {
        let mut with_schema = wanted.match_indices('.').map(|(at, _)| (&wanted[..at], &wanted[at + 1..]));
        let found = with_schema.find_map(|(schema, name)| {
            relations().find(|relation| same(&relation.schema, schema, loose) && same(&relation.name, name, loose))
        });
        let named: Vec<_> = relations().filter(|relation| same(&relation.name, wanted, loose)).collect();
        let on_path = snapshot.search_path.iter().find_map(|schema| named.iter().find(|relation| relation.schema == *schema));
        let only = if named.len() == 1 { named.first() } else { None };
        if let Some(relation) = found.or(on_path.copied()).or(only.copied()) {
            let fate = relation.fate(choice);
            let is_left_out = fate == Fate::Out || relation.kind == Kind::Table && fate != Fate::Whole;
            return Ok(Found { oid: relation.oid, schema: relation.schema.clone(), name: relation.name.clone(), is_left_out });
        }
        if named.len() > 1 {
            let error =
                Error::new(ErrorKind::InvalidConfig, format!("several schemas have a table `{wanted}`")).hint("name the schema, too");
            return Err(super::catalogue::naming(error, named));
        }
    }
    let tables: Vec<String> = relations().map(super::catalogue::Relation::shown).collect();
    Err(unknown(&format!("the database has no table `{wanted}`"), wanted, &tables, "its tables"))
}

fn find_column(session: &mut Session, context: &Context, table: &Found, wanted: &str) -> Result<Column> {
    const COLUMNS: &str = "
        SELECT attname::text, format_type(atttypid, NULL) FROM pg_attribute
        WHERE attrelid = $1 AND NOT attisdropped ORDER BY attnum < 0, attnum";
    let rows = session.rows(context, || "cannot list the columns", COLUMNS, &[&table.oid])?;
    let columns: Vec<Column> = rows.iter().map(|row| Column { name: row.get(0), kind: row.get(1) }).collect();
    let names: Vec<String> = columns.iter().map(|column| column.name.clone()).collect();
    let at =
        names.iter().position(|name| name == wanted).or_else(|| names.iter().position(|name| name.to_lowercase() == wanted.to_lowercase()));
    let shown = format!("{}.{}", table.schema, table.name);
    at.and_then(|at| columns.into_iter().nth(at))
        .ok_or_else(|| unknown(&format!("table `{shown}` has no column `{wanted}`"), wanted, &names, "its columns"))
}

fn unknown(message: &str, wanted: &str, known: &[String], what: &str) -> Error {
    let error = Error::new(ErrorKind::NotFound, message);
    let bare = |name: &str| name.rsplit('.').next().unwrap_or_default().to_lowercase();
    let like = |name: &str| strsim::jaro_winkler(&bare(name), &bare(wanted));
    match known.iter().max_by(|a, b| like(a).total_cmp(&like(b))) {
        Some(nearest) if like(nearest) >= LIKENESS => error.hint(format!("did you mean `{nearest}`?")),
        Some(_) => {
            let listed: Vec<String> = known.iter().take(LISTED).map(|name| format!("`{name}`")).collect();
            error.hint(format!("{what} are {}{}", listed.join(", "), if known.len() > LISTED { " …" } else { "" }))
        }
        None => error,
    }
}
