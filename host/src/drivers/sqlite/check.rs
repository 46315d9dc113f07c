//! Whether a restored image is a sound database: `PRAGMA integrity_check`, before it takes its place.

use std::path::Path;

use rusqlite::{Connection, ErrorCode};

use super::database::{fault, open_immutable, quoted};
use super::settings::Check;
use crate::cancel::Cancel;
use crate::error::{Error, Result};

/// The most complaints that are repeated.
const REPEATED: usize = 20;

/// How much of the database is kept in memory, in KiB: a full check looks every row up in every index.
const CACHE: u32 = 64 << 10;

/// The check of everything.
const FULL: &str = "integrity_check";

/// CHECK constraints are the application's, and may call functions that only it has.
const WITHOUT_CONSTRAINTS: &str = "PRAGMA ignore_check_constraints = on";

/// What a check found that does not make the database unsound.
#[derive(Default)]
pub(super) struct Remarks {
    /// Rows that break a rule of the application's schema, as they did when they were dumped.
    pub(super) rows: Vec<String>,
    /// Tables that could not be checked, and why: they need a function, collation or module of the application's.
    pub(super) unchecked: Vec<String>,
}

/// Checks the database at `path`, which nobody else uses.
///
/// # Errors
/// [`ErrorKind::Corrupt`](crate::error::ErrorKind::Corrupt) where it is unsound.
pub(super) fn check(path: &Path, how: Check, cancel: &Cancel) -> Result<Remarks> {
    let connection = open_immutable(path, cancel)?;
    let pragma = match how {
        Check::Full => FULL,
        Check::Quick => "quick_check",
    };
    let mut findings = Findings::new(pragma);
    let broken = |error: &rusqlite::Error| fault(path, error);
    let set_up = format!("{WITHOUT_CONSTRAINTS}; PRAGMA cell_size_check = on; PRAGMA cache_size = -{CACHE}");
    connection.execute_batch(&set_up).map_err(|error| broken(&error))?;
    let mut gathered = findings.gather(&connection, &i32::MAX.to_string());
    if gathered.as_ref().is_err_and(needs_the_application) {
        findings = Findings::new(pragma);
        gathered = findings.gather_each(&connection);
    }
    match gathered {
        Err(error) if matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase)) => {
            findings.unsound.push(error.to_string());
        }
        gathered => gathered.map_err(|error| broken(&error))?,
    }
    findings.judge()
}

/// The tables that a restore will not be able to check, and why. Reads the schema alone: a check that is only prepared reads no row.
pub(super) fn uncheckable(connection: &Connection) -> rusqlite::Result<Vec<String>> {
    connection.execute_batch(WITHOUT_CONSTRAINTS)?;
    let prepare = |argument: &str| connection.prepare(&format!("PRAGMA {FULL}({argument})")).map(drop);
    if !prepare(&i32::MAX.to_string()).is_err_and(|error| needs_the_application(&error)) {
        return Ok(Vec::new());
    }
    let refusal = |table: String| {
        let refused = prepare(&quoted(&table)).err().filter(needs_the_application);
        refused.map(|error| format!("`{table}`: {}", reason(&error)))
    };
    Ok(tables(connection)?.into_iter().filter_map(refusal).collect())
}

fn tables(connection: &Connection) -> rusqlite::Result<Vec<String>> {
    let mut statement = connection.prepare("SELECT name FROM sqlite_schema WHERE type = 'table' UNION ALL SELECT 'sqlite_schema'")?;
    statement.query_map([], |row| row.get(0))?.collect()
}

struct Findings {
    pragma: &'static str,
    unsound: Vec<String>,
    remarks: Remarks,
}

impl Findings {
    fn new(pragma: &'static str) -> Self {
        Self { pragma, unsound: Vec::new(), remarks: Remarks::default() }
    }

    fn gather(&mut self, connection: &Connection, argument: &str) -> rusqlite::Result<()> {
        let mut statement = connection.prepare(&format!("PRAGMA {}({argument})", self.pragma))?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let line: String = row.get(0)?;
            let list = match line.as_str() {
                "ok" => continue,
                line if is_about_rows(line) => &mut self.remarks.rows,
                _ => &mut self.unsound,
            };
            if list.len() < REPEATED {
                list.push(line);
            }
        }
        Ok(())
    }

    /// Table by table, for a schema that needs what only the application has: all that can be checked is.
    fn gather_each(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        for table in tables(connection)? {
            match self.gather(connection, &quoted(&table)) {
                Err(error) if needs_the_application(&error) => {
                    self.remarks.unchecked.push(format!("`{table}`: {}", reason(&error)));
                }
                result => result?,
            }
        }
        Ok(())
    }

    fn judge(self) -> Result<Remarks> {
        if self.unsound.is_empty() {
            return Ok(self.remarks);
        }
        let error = Error::corrupt(format!("the archive's database is unsound: {}", self.unsound[0]))
            .hint("it was so when it was dumped; unpack the archive with a zip tool, and save what can be read with `.recover` of the `sqlite3` shell");
        Err(self
            .unsound
            .into_iter()
            .enumerate()
            .fold(error, |error, (number, line)| error.with(format!("{} {}", self.pragma, number + 1), line)))
    }
}

/// Whether a statement could not be prepared: a function, collation or module is missing.
fn needs_the_application(error: &rusqlite::Error) -> bool {
    match error {
        rusqlite::Error::SqlInputError { error, .. } => error.code == ErrorCode::Unknown,
        other => other.sqlite_error_code() == Some(ErrorCode::Unknown),
    }
}

/// What SQLite says, without the statement in which it says so.
fn reason(error: &rusqlite::Error) -> String {
    match error {
        rusqlite::Error::SqlInputError { msg, .. } => msg.clone(),
        other => other.to_string(),
    }
}

/// Whether a line of the check tells of a value that breaks a rule of the schema; the pages are sound then.
fn is_about_rows(line: &str) -> bool {
    let typed = ["NULL value in ", "TEXT value in ", "NUMERIC value in "].iter().any(|start| line.starts_with(start));
    let strict = line.starts_with("non-") && !line.starts_with("non-unique ") && line.contains(" value in ");
    typed || strict || line.contains(" stores an imprecise floating-point value for row ")
}
