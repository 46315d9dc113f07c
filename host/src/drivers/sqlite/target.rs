//! What stands where a database is to be restored, and whether a restore may replace it.

use std::fs::{File, Metadata, OpenOptions};
use std::io::Read;
use std::path::{Path, PathBuf};

use rusqlite::Connection;
use rustix::fs::Access;

use super::database::{beside, close_live, fault, open_live, quoted};
use super::header::{HEADER, MAGIC};
use super::holders::{FILES, holders, in_use, somebody};
use crate::cancel::Cancel;
use crate::drivers::Context;
use crate::error::{Error, ErrorKind, IoContext, Result};

/// The most rows of a table that are counted for a message.
const COUNTED: i64 = 100_000;

/// The most tables that a message names.
const NAMED: usize = 3;

/// Where a database is to be restored.
pub(super) struct Target {
    /// The file itself, behind symbolic links.
    pub(super) path: PathBuf,
    /// What stands there.
    pub(super) present: Present,
}

/// What stands at a target.
pub(super) enum Present {
    /// Nothing; side files of a database that is gone may be left.
    Nothing,
    /// A database that SQLite can open, and what it holds, in words.
    Database { file: Metadata, holds: String },
    /// The remains of a database that SQLite cannot open any more.
    Wreck(Metadata),
}

impl Target {
    /// Looks at the target, and refuses what a restore must not touch.
    ///
    /// Nothing is written, except that SQLite itself rolls a hot journal back when it looks into the database.
    pub(super) fn examine(path: &Path, size: u64, context: &Context) -> Result<Self> {
        let path = behind_links(path)?;
        let directory = path.parent().unwrap_or(Path::new("/"));
        require_directory(directory, size)?;
        let present = match std::fs::metadata(&path) {
            Ok(file) => look_into(&path, file, context)?,
            Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => Present::Nothing,
            Err(cause) => return Err(Error::io(format!("cannot look at `{}`", path.display()), &cause)),
        };
        if matches!(present, Present::Nothing) && FILES[1..].iter().any(|suffix| beside(&path, suffix).exists()) {
            context.warn(format!("`{}` is gone, but its `-wal` or `-journal` is still there; it will be removed", path.display()));
        }
        Ok(Self { path, present })
    }

    /// The file that stands there now, as the file system describes it.
    pub(super) fn file(&self) -> Option<&Metadata> {
        match &self.present {
            Present::Nothing => None,
            Present::Database { file, .. } | Present::Wreck(file) => Some(file),
        }
    }

    /// What a restore replaces, in words.
    pub(super) fn holds(&self) -> &str {
        match &self.present {
            Present::Nothing => "nothing",
            Present::Database { holds, .. } => holds,
            Present::Wreck(_) => "a damaged database",
        }
    }
}

fn behind_links(path: &Path) -> Result<PathBuf> {
    if path.symlink_metadata().is_ok_and(|found| found.is_symlink()) {
        return path.canonicalize().map_err(|cause| {
            Error::io(format!("`{}` is a symbolic link that leads nowhere", path.display()), &cause)
                .hint("remove it, or name the file that it should lead to")
        });
    }
    Ok(path.to_owned())
}

/// Checks the nearest directory that exists: the others are made by the restore.
fn require_directory(wanted: &Path, size: u64) -> Result<()> {
    let directory = wanted.ancestors().find(|directory| directory.exists()).unwrap_or(Path::new("/"));
    let shown = directory.display();
    if !directory.is_dir() {
        return Err(Error::new(ErrorKind::InvalidConfig, format!("`{shown}` is no directory")).hint("correct `path` or `url`"));
    }
    rustix::fs::access(directory, Access::WRITE_OK | Access::EXEC_OK).map_err(|cause| {
        Error::io(format!("cannot write in `{shown}`"), &cause.into()).hint("run as a user who may, since a restore replaces the file")
    })?;
    let disk =
        rustix::fs::statvfs(directory).map_err(|cause| Error::io(format!("cannot tell the free space of `{shown}`"), &cause.into()))?;
    let free = disk.f_bavail.saturating_mul(disk.f_frsize);
    if free < size {
        return Err(Error::new(ErrorKind::Unavailable, format!("`{shown}` has {free} bytes free, and the database takes {size}"))
            .hint("free some space: the old file stays until the new one is whole"));
    }
    Ok(())
}

fn look_into(path: &Path, file: Metadata, context: &Context) -> Result<Present> {
    let shown = path.display();
    if !file.is_file() {
        return Err(Error::new(ErrorKind::InvalidConfig, format!("`{shown}` is no regular file")).hint("correct `path` or `url`"));
    }
    let open_in = holders(path);
    if !open_in.is_empty() {
        return Err(in_use(path, &open_in));
    }
    if file.len() > 0 && !begins_as_database(path)? {
        return Err(Error::new(ErrorKind::Other, format!("`{shown}` is not an SQLite database, or it is encrypted; it is not replaced"))
            .hint("correct `path` or `url`, or move the file away"));
    }
    match contents(path, &context.cancel) {
        Ok(tables) => {
            let holds = in_words(&tables);
            if tables.is_empty() || context.restore.recreate { Ok(Present::Database { file, holds }) } else { Err(refuse(path, &holds)) }
        }
        Err(error) if error.kind() == ErrorKind::Unavailable && error.is_retryable() => Err(in_use(path, &somebody(path))),
        Err(error) if error.kind() != ErrorKind::Corrupt => Err(error),
        Err(_) if context.restore.recreate => Ok(Present::Wreck(file)),
        Err(_) => Err(refuse(path, "a damaged database")),
    }
}

fn refuse(path: &Path, holds: &str) -> Error {
    Error::new(ErrorKind::Other, format!("`{}` holds {holds}", path.display()))
        .hint("pass `--recreate` to replace it: what it holds now is then lost")
}

fn begins_as_database(path: &Path) -> Result<bool> {
    let mut file: File =
        OpenOptions::new().read(true).write(true).open(path).while_doing(|| format!("cannot open `{}`", path.display()))?;
    let mut start = [0; HEADER];
    let count = file.read(&mut start).while_doing(|| format!("cannot read `{}`", path.display()))?;
    Ok(start[..count].starts_with(MAGIC))
}

/// A table and how many rows it has, at most one more than [`COUNTED`].
struct Table {
    name: String,
    rows: i64,
}

/// The tables and other things that somebody made.
fn contents(path: &Path, cancel: &Cancel) -> Result<Vec<Table>> {
    let connection = open_live(path, cancel)?;
    let tables = list(&connection).map_err(|error| fault(path, &error));
    close_live(connection, path)?;
    tables
}

fn list(connection: &Connection) -> rusqlite::Result<Vec<Table>> {
    let sql = "SELECT name, type = 'table' FROM sqlite_schema WHERE name NOT LIKE 'sqlite\\_%' ESCAPE '\\' AND type IN ('table', 'view')";
    let mut statement = connection.prepare(sql)?;
    let found: Vec<(String, bool)> = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<rusqlite::Result<_>>()?;
    Ok(found
        .into_iter()
        .map(|(name, is_table)| {
            // What cannot be counted, a virtual table of an unknown module say, is there all the same.
            let rows = if is_table { count(connection, &name).unwrap_or(0) } else { 0 };
            Table { name, rows }
        })
        .collect())
}

fn count(connection: &Connection, table: &str) -> rusqlite::Result<i64> {
    let sql = format!("SELECT count(*) FROM (SELECT 1 FROM main.{} LIMIT {})", quoted(table), COUNTED + 1);
    connection.query_row(&sql, [], |row| row.get(0))
}

fn in_words(tables: &[Table]) -> String {
    if tables.is_empty() {
        return "an empty database".to_owned();
    }
    let mut largest: Vec<&Table> = tables.iter().collect();
    largest.sort_by(|a, b| b.rows.cmp(&a.rows).then_with(|| a.name.cmp(&b.name)));
    let named: Vec<String> = largest
        .iter()
        .take(NAMED)
        .map(|table| match table.rows {
            1 => format!("`{}` with 1 row", table.name),
            rows if rows > COUNTED => format!("`{}` with more than {COUNTED} rows", table.name),
            rows => format!("`{}` with {rows} rows", table.name),
        })
        .collect();
    let more = if tables.len() > NAMED { ", …" } else { "" };
    format!("a database of {} table{}: {}{more}", tables.len(), if tables.len() == 1 { "" } else { "s" }, named.join(", "))
}
