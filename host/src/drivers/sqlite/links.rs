//! The distinct values of a link's column: the query that a configuration's words come to, and what it finds.

use rusqlite::Connection;
use rusqlite::types::ValueRef;

use super::database::{fault, quoted};
use super::json_path::expression;
use crate::drivers::LinkColumn;
use crate::error::{Error, ErrorKind, Result};
use crate::json_path;

/// Gives the distinct values, as text and without NULLs, to `each`.
///
/// A BLOB must hold UTF-8. The condition is the user's own SQL; the connection is one that cannot write.
pub(super) fn values(connection: &Connection, column: &LinkColumn, each: &mut dyn FnMut(&str) -> Result<()>) -> Result<()> {
    let table = find_table(connection, &column.table)?;
    let name = find_column(connection, &table, &column.column)?;
    let shown = format!("{}.{}", column.table, column.column);
    let query = Query::new(&table, &name, column)?;
    if let Some(check) = &query.malformed {
        refuse_malformed(connection, check, &shown)?;
    }
    let broken = |error: rusqlite::Error| refused(&error, &shown, column.condition.as_deref());
    let mut statement = connection.prepare(&query.values).map_err(broken)?;
    let mut rows = statement.query([]).map_err(broken)?;
    while let Some(row) = rows.next().map_err(broken)? {
        match row.get_ref(0).map_err(broken)? {
            ValueRef::Null => {}
            ValueRef::Text(bytes) | ValueRef::Blob(bytes) => {
                let text = std::str::from_utf8(bytes).map_err(|_| not_text(&shown, bytes))?;
                each(text)?;
            }
            ValueRef::Integer(number) => each(&number.to_string())?,
            ValueRef::Real(number) => each(&number.to_string())?,
        }
    }
    Ok(())
}

/// What is asked of the database.
struct Query {
    /// For the values.
    values: String,
    /// For the number of rows whose JSON is none; of a column without a JSON path, nothing.
    malformed: Option<String>,
}

impl Query {
    fn new(table: &str, name: &str, column: &LinkColumn) -> Result<Self> {
        // In a query of its own, so that the condition sees the table's names and no other.
        let condition = column.condition.as_ref().map_or(String::new(), |condition| format!(" AND ({condition}\n)"));
        let (table, name) = (quoted(table), quoted(name));
        let rows = format!("FROM (SELECT {name} AS field FROM main.{table} WHERE {name} IS NOT NULL{condition}) AS link_row");
        let Some(path) = &column.json_path else {
            return Ok(Self { values: format!("{} {rows}", distinct("field")), malformed: None });
        };
        // What is no JSON would end the query wherever the planner happens to meet it; so it is counted first, then passed over.
        let document = "CASE WHEN json_valid(link_row.field, 6) THEN link_row.field END";
        let (value, joins) = expression(&json_path::parse(path)?, document);
        Ok(Self {
            values: format!("{} {rows}{joins}", distinct(&value)),
            malformed: Some(format!("SELECT count(*) {rows} WHERE field <> '' AND NOT json_valid(field, 6)")),
        })
    }
}

/// Compares byte by byte, whatever the column's collation: names of files differ by case.
fn distinct(value: &str) -> String {
    format!("SELECT DISTINCT CASE typeof({value}) WHEN 'blob' THEN {value} ELSE CAST({value} AS TEXT) END COLLATE BINARY")
}

/// The table's name as the database spells it; `main` is the only schema that a dumped database has.
fn find_table(connection: &Connection, wanted: &str) -> Result<String> {
    let candidates = std::iter::once(wanted)
        .chain(wanted.split_once('.').filter(|(schema, _)| schema.eq_ignore_ascii_case("main")).map(|(_, table)| table));
    let tables = names(connection, "SELECT name FROM sqlite_schema WHERE type IN ('table', 'view') ORDER BY name", None)?;
    candidates
        .filter_map(|candidate| tables.iter().find(|table| table.eq_ignore_ascii_case(candidate)))
        .next()
        .cloned()
        .ok_or_else(|| unknown(&format!("the database has no table `{wanted}`"), wanted, &tables, "its tables"))
}

fn find_column(connection: &Connection, table: &str, wanted: &str) -> Result<String> {
    let columns = names(connection, "SELECT name FROM pragma_table_xinfo(?1, 'main') ORDER BY cid", Some(table))?;
    columns
        .iter()
        .find(|column| column.eq_ignore_ascii_case(wanted))
        .cloned()
        .ok_or_else(|| unknown(&format!("table `{table}` has no column `{wanted}`"), wanted, &columns, "its columns"))
}

fn names(connection: &Connection, sql: &str, about: Option<&str>) -> Result<Vec<String>> {
    let read = || -> rusqlite::Result<Vec<String>> {
        let mut statement = connection.prepare(sql)?;
        statement.query_map(rusqlite::params_from_iter(about), |row| row.get(0))?.collect()
    };
    read().map_err(|error| fault(std::path::Path::new(connection.path().unwrap_or_default()), &error))
}

/// How unlike the nearest name may be to be taken for what was meant.
const LIKENESS: f64 = 0.75;

/// The most names that a hint lists.
const LISTED: usize = 12;

fn unknown(message: &str, wanted: &str, known: &[String], what: &str) -> Error {
    let error = Error::new(ErrorKind::NotFound, message);
    let like = |name: &str| strsim::jaro_winkler(&name.to_lowercase(), &wanted.to_lowercase());
    let nearest = known.iter().max_by(|a, b| like(a).total_cmp(&like(b)));
    match nearest {
        Some(nearest) if like(nearest) >= LIKENESS => error.hint(format!("did you mean `{nearest}`?")),
        Some(_) => {
            let listed: Vec<String> = known.iter().take(LISTED).map(|name| format!("`{name}`")).collect();
            let more = if known.len() > LISTED { " …" } else { "" };
            error.hint(format!("{what} are {}{more}", listed.join(", ")))
        }
        None => error,
    }
}

fn refuse_malformed(connection: &Connection, check: &str, shown: &str) -> Result<()> {
    let count: i64 = connection.query_row(check, [], |row| row.get(0)).map_err(|error| refused(&error, shown, None))?;
    match count {
        0 => Ok(()),
        count => Err(Error::corrupt(format!("{count} rows of `{shown}` hold something that is not JSON"))
            .hint("correct the rows, or leave them out with `where = \"json_valid(…)\"`")),
    }
}

fn refused(error: &rusqlite::Error, shown: &str, condition: Option<&str>) -> Error {
    if error.sqlite_error_code() == Some(rusqlite::ErrorCode::OperationInterrupted) {
        return Error::cancelled();
    }
    let why = match error {
        rusqlite::Error::SqliteFailure(_, Some(message)) => message.clone(),
        rusqlite::Error::SqlInputError { msg, .. } => msg.clone(),
        other => other.to_string(),
    };
    let error = Error::new(ErrorKind::InvalidConfig, format!("cannot read the values of `{shown}`: {why}"));
    match condition {
        Some(condition) => error.hint(format!("check the link's `where`: {condition}")),
        None => error,
    }
}

fn not_text(shown: &str, bytes: &[u8]) -> Error {
    let beginning: String = bytes.iter().take(16).flat_map(|byte| std::ascii::escape_default(*byte)).map(char::from).collect();
    Error::new(
        ErrorKind::Unsupported,
        format!("`{shown}` holds a value that is not UTF-8 text and so names nothing: it begins `{beginning}`"),
    )
    .hint("leave such rows out with `where`")
}

#[cfg(test)]
#[path = "links/tests.rs"]
mod tests;
