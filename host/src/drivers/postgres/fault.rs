//! PostgreSQL's errors in this project's words, by their SQLSTATE (PostgreSQL's documentation, appendix A).

use tokio_postgres::error::{DbError, SqlState};

use crate::error::{Error, ErrorKind};

/// What went wrong while `what` was done (`cannot read table public.orders`, say).
pub(super) fn fault(what: impl std::fmt::Display, error: &tokio_postgres::Error) -> Error {
    match error.as_db_error() {
        Some(db) => told(what, db),
        None => lost(what, error),
    }
}

/// Whether the server has no such thing (any more): a table, a column, a schema.
pub(super) fn is_missing(error: &tokio_postgres::Error) -> bool {
    let missing = [SqlState::UNDEFINED_TABLE, SqlState::UNDEFINED_OBJECT, SqlState::INVALID_SCHEMA_NAME];
    error.code().is_some_and(|code| missing.contains(code))
}

/// What the server said.
fn told(what: impl std::fmt::Display, db: &DbError) -> Error {
    let mut message = format!("{what}: {}", db.message());
    if let Some(detail) = db.detail() {
        message = format!("{message} ({detail})");
    }
    let (kind, hint) = judge(db.code());
    let mut error = Error::new(kind, message);
    if let Some(hint) = hint.or_else(|| db.hint()) {
        error = error.hint(hint);
    }
    if matches!(kind, ErrorKind::Unavailable) { error.retryable() } else { error }
}

/// The kind of a condition, and what to do about it where the server does not know better.
fn judge(code: &SqlState) -> (ErrorKind, Option<&'static str>) {
    let text = code.code();
    match text {
        "42501" => (ErrorKind::PermissionDenied, None),
        "42P01" | "42703" | "42704" | "3D000" | "3F000" => (ErrorKind::NotFound, None),
        "55P03" | "40P01" => (ErrorKind::Unavailable, Some("wait until the other session's transaction is over, or raise `lock_timeout`")),
        "53100" => (ErrorKind::Unavailable, Some("free some space on the server's disk")),
        "53300" => (ErrorKind::Unavailable, Some("lower `jobs`, or raise `max_connections` on the server")),
        "53200" => {
            (ErrorKind::Unavailable, Some("the server is short of memory or of locks: raise `max_locks_per_transaction` if it says so"))
        }
        "54000" => (
            ErrorKind::Unsupported,
            Some("PostgreSQL itself cannot send a row of more than 1 GB: leave the table's rows out with `exclude_data`"),
        ),
        "0A000" => (ErrorKind::Unsupported, None),
        "57014" => (ErrorKind::Unavailable, Some("somebody cancelled the query on the server")),
        "XX001" | "XX002" => (ErrorKind::Corrupt, None),
        _ => match &text[..2] {
            "08" | "53" | "57" | "58" | "25" => (ErrorKind::Unavailable, None),
            "28" => (ErrorKind::PermissionDenied, None),
            _ => (ErrorKind::Other, None),
        },
    }
}

/// No answer came: the connection is gone, or the answer made no sense.
fn lost(what: impl std::fmt::Display, error: &tokio_postgres::Error) -> Error {
    let cause = std::error::Error::source(error).map(ToString::to_string);
    let why = match (error.is_closed(), cause) {
        (true, _) => "the server closed the connection".to_owned(),
        (false, Some(cause)) => format!("the connection to the server was lost: {cause}"),
        (false, None) => error.to_string(),
    };
    Error::new(ErrorKind::Unavailable, format!("{what}: {why}")).hint("the server's log says why").retryable()
}
