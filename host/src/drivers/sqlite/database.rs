//! Opening SQLite databases: as a careful guest beside an application, or as files that nobody else touches; waiting for
//! locks; and SQLite's errors in this project's words.

use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags};

use crate::cancel::Cancel;
use crate::error::{Error, ErrorKind, Result};

/// How long to sleep between two attempts at a lock: short beside the time for which writers hold one.
const NAP: Duration = Duration::from_millis(10);

/// How many instructions of SQLite's virtual machine run between two looks at the request to stop.
const INSTRUCTIONS: i32 = 10_000;

/// What may stand in the path of a `file:` URI as it is.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'/').remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// Opens the database of an application that may be running. Nothing is written through the connection; it is opened for
/// writing all the same, since a hot journal can be rolled back, and a WAL's index be made, only so.
pub(super) fn open_live(path: &Path, cancel: &Cancel) -> Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(|error| fault(path, &error))?;
    prepare(connection, path, cancel)
}

/// Opens a database that nobody writes to, without locks and without a look at its `-wal` and `-journal`, and leaves no such
/// file beside it.
pub(super) fn open_immutable(path: &Path, cancel: &Cancel) -> Result<Connection> {
    let uri = format!("file:{}?immutable=1", percent_encode(path.as_os_str().as_bytes(), PLAIN));
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_URI;
    let connection = Connection::open_with_flags(uri, flags).map_err(|error| fault(path, &error))?;
    prepare(connection, path, cancel)
}

fn prepare(mut connection: Connection, path: &Path, cancel: &Cancel) -> Result<Connection> {
    let cancel = cancel.clone();
    let set_up = || {
        // Waiting is ours to do: SQLite's own does not end when the run is cancelled.
        connection.busy_timeout(Duration::ZERO)?;
        // The schema may come from an archive: what it calls must be harmless.
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
        connection.pragma_update(None, "query_only", true)?;
        connection.progress_handler(INSTRUCTIONS, Some(move || cancel.is_cancelled()))
    };
    set_up().map_err(|error| fault(path, &error))?;
    Ok(connection)
}

/// Closes a connection of [`open_live`] and leaves the application's `-wal` as it is, however long: checkpointing it would
/// lock out whoever opens the database meanwhile. Only an empty one, which our own opening made, goes.
pub(super) fn close_live(connection: Connection, path: &Path) -> Result<()> {
    let wal = std::fs::metadata(beside(path, "-wal")).map_or(0, |found| found.len());
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, wal > 0).map_err(|error| fault(path, &error))?;
    connection.close().map_err(|(_, error)| fault(path, &error))
}

/// Does what may find the database locked, again and again until it succeeds, fails otherwise, or `patience` is at its end.
pub(super) fn patiently<T>(
    path: &Path,
    cancel: &Cancel,
    patience: Duration,
    mut attempt: impl FnMut() -> rusqlite::Result<T>,
) -> Result<T> {
    let deadline = Instant::now() + patience;
    loop {
        cancel.check()?;
        match attempt() {
            Err(error) if is_busy(&error) && Instant::now() < deadline => std::thread::sleep(NAP),
            result => return result.map_err(|error| fault(path, &error)),
        }
    }
}

/// Whether somebody else's lock is in the way.
pub(super) fn is_busy(error: &rusqlite::Error) -> bool {
    let busy = [ErrorCode::DatabaseBusy, ErrorCode::DatabaseLocked, ErrorCode::FileLockingProtocolFailed];
    error.sqlite_error_code().is_some_and(|code| busy.contains(&code))
}

/// The name of one of a database's side files: `-wal`, `-shm`, `-journal`.
pub(super) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// An identifier as SQL writes it.
pub(super) fn quoted(identifier: &str) -> String {
    format!("\"{}\"", identifier.replace('"', "\"\""))
}

/// SQLite's error about the database at `path`, in this project's words.
pub(super) fn fault(path: &Path, error: &rusqlite::Error) -> Error {
    let why = match error {
        rusqlite::Error::SqliteFailure(_, Some(message)) => message.clone(),
        other => other.to_string(),
    };
    let shown = path.display();
    match error.sqlite_error_code() {
        Some(ErrorCode::OperationInterrupted) => Error::cancelled(),
        Some(ErrorCode::NotADatabase) => Error::corrupt(format!("`{shown}` is not an SQLite database, or it is encrypted"))
            .hint("name the database's own file; one that is encrypted (SQLCipher, SEE) cannot be read"),
        Some(ErrorCode::DatabaseCorrupt) => Error::corrupt(format!("`{shown}` is damaged: {why}"))
            .hint("`PRAGMA integrity_check` tells more; `.recover` of the `sqlite3` shell saves what can still be read"),
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked | ErrorCode::FileLockingProtocolFailed) => {
            Error::new(ErrorKind::Unavailable, format!("`{shown}` is locked by another process"))
                .hint("wait until its long transaction is over, or raise `lock_timeout`")
                .retryable()
        }
        Some(ErrorCode::CannotOpen | ErrorCode::PermissionDenied | ErrorCode::ReadOnly) => {
            Error::new(ErrorKind::PermissionDenied, format!("`{shown}` cannot be opened: {why}"))
                .hint("run as a user who may read and write the file and its directory, as the application does: SQLite itself needs that for its `-wal`, `-shm` and `-journal`")
        }
        Some(ErrorCode::DiskFull) => Error::new(ErrorKind::Unavailable, format!("no space is left for `{shown}`")).hint("free some space"),
        Some(ErrorCode::SystemIoFailure) => Error::new(ErrorKind::Unavailable, format!("`{shown}` cannot be read: {why}")),
        _ => Error::new(ErrorKind::Other, format!("`{shown}`: {why}")),
    }
}
