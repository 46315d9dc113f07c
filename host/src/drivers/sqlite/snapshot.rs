//! A database at one instant, while its application goes on: a read transaction where there is a WAL, else a copy.
//!
//! In WAL mode a reader keeps its snapshot for as long as its transaction lives, and no writer ever waits for it; other
//! connections go on checkpointing, only the `-wal` cannot be reset before the dump is through. With a rollback journal a
//! reader's shared lock keeps every writer from committing, so it is held only as long as it takes to copy the file.

use std::fs::{File, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use rusqlite::Connection;

use super::check::uncheckable;
use super::copy::Copy;
use super::database::{close_live, fault, open_live, patiently};
use crate::archive::EntryWriter;
use crate::drivers::{Context, Unit};
use crate::error::{Error, ErrorKind, IoContext, Result};

/// How many bytes go by between two reports of progress.
const REPORT: u64 = 1 << 20;

/// A database at one instant.
pub(super) struct Snapshot {
    /// What the database says of itself.
    pub(super) facts: Facts,
    /// The instant.
    pub(super) at: Timestamp,
    /// The file, as the file system described it.
    pub(super) file: Metadata,
    path: PathBuf,
    content: Content,
}

enum Content {
    /// A connection inside a read transaction.
    Transaction(Connection),
    /// What the file was while no writer could commit.
    Copy(Copy),
}

/// What a database says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Facts {
    pub(super) page_size: u32,
    pub(super) pages: u32,
    pub(super) application_id: i32,
    pub(super) user_version: i32,
    pub(super) encoding: String,
    pub(super) journal_mode: String,
}

impl Facts {
    /// Reads them inside the connection's transaction.
    fn read(connection: &Connection) -> rusqlite::Result<Self> {
        Ok(Self {
            page_size: pragma(connection, "page_size")?,
            pages: pragma(connection, "page_count")?,
            application_id: pragma(connection, "application_id")?,
            user_version: pragma(connection, "user_version")?,
            encoding: pragma(connection, "encoding")?,
            journal_mode: pragma(connection, "journal_mode")?,
        })
    }

    /// The size of the whole image in bytes.
    pub(super) fn size(&self) -> u64 {
        u64::from(self.page_size) * u64::from(self.pages)
    }
}

fn pragma<T: rusqlite::types::FromSql>(connection: &Connection, name: &str) -> rusqlite::Result<T> {
    connection.query_row(&format!("PRAGMA {name}"), [], |row| row.get(0))
}

impl Snapshot {
    /// Takes one now, waiting at most `patience` for a writer that is just committing.
    pub(super) fn take(path: &Path, context: &Context, patience: Duration) -> Result<Self> {
        let file = look(path)?;
        let connection = open_live(path, &context.cancel)?;
        let facts = begin(&connection, path, context, patience)?;
        let at = Timestamp::now();
        for line in uncheckable(&connection).map_err(|error| fault(path, &error))? {
            context.warn(format!("a restore cannot check a table, since it needs something of the application's: {line}"));
        }
        let content = if facts.journal_mode == "wal" {
            require_dbpage(&connection)?;
            Content::Transaction(connection)
        } else {
            Content::Copy(copy_locked(connection, path, &file, &facts, context)?)
        };
        Ok(Self { facts, at, file, path: path.to_owned(), content })
    }

    /// How the instant is kept, for the manifest.
    pub(super) fn kept_by(&self) -> &'static str {
        match &self.content {
            Content::Transaction(_) => "read transaction",
            Content::Copy(copy) if copy.is_reflink() => "reflinked copy",
            Content::Copy(_) => "copy",
        }
    }

    /// A connection that sees the database as it was at the instant.
    pub(super) fn connection(&mut self, context: &Context) -> Result<&Connection> {
        match &mut self.content {
            Content::Transaction(connection) => Ok(connection),
            Content::Copy(copy) => copy.connection(&context.cancel),
        }
    }

    /// Writes all pages, in their order.
    pub(super) fn write_to(&self, context: &Context, into: &mut dyn EntryWriter) -> Result<()> {
        let mut gauge = Gauge { context, done: 0, reported: 0, total: self.facts.size() };
        gauge.report();
        match &self.content {
            Content::Transaction(connection) => self.stream_pages(connection, &mut gauge, into)?,
            Content::Copy(copy) => copy.read_all(self.facts.size(), into, &mut |count| gauge.add(count))?,
        }
        gauge.report();
        Ok(())
    }

    fn stream_pages(&self, connection: &Connection, gauge: &mut Gauge, into: &mut dyn EntryWriter) -> Result<()> {
        let broken = |error: &rusqlite::Error| fault(&self.path, error);
        let mut statement = connection.prepare("SELECT data FROM sqlite_dbpage('main') ORDER BY pgno").map_err(|error| broken(&error))?;
        let mut rows = statement.query([]).map_err(|error| broken(&error))?;
        let mut pages = 0_u32;
        while let Some(row) = rows.next().map_err(|error| broken(&error))? {
            let page = row.get_ref(0).map_err(|error| broken(&error))?.as_blob().map_err(|error| broken(&error.into()))?;
            if page.len() != self.facts.page_size as usize {
                return Err(Error::corrupt(format!("page {} of `{}` has {} bytes", pages + 1, self.path.display(), page.len())));
            }
            into.write(page)?;
            pages += 1;
            gauge.add(page.len())?;
        }
        if pages != self.facts.pages {
            return Err(Error::corrupt(format!("`{}` has {} pages, and {pages} could be read", self.path.display(), self.facts.pages)));
        }
        Ok(())
    }

    /// Ends the transaction, or throws the copy away.
    pub(super) fn release(self) -> Result<()> {
        match self.content {
            Content::Transaction(connection) => close_live(connection, &self.path),
            Content::Copy(_) => Ok(()),
        }
    }
}

/// Counts what went by, for the user and for the request to stop.
struct Gauge<'a> {
    context: &'a Context,
    done: u64,
    reported: u64,
    total: u64,
}

impl Gauge<'_> {
    fn add(&mut self, count: usize) -> Result<()> {
        self.done += count as u64;
        if self.done - self.reported >= REPORT {
            self.report();
            self.context.check()?;
        }
        Ok(())
    }

    fn report(&mut self) {
        self.reported = self.done;
        self.context.progress(self.done, Some(self.total), Unit::Bytes);
    }
}

/// Looks at the file without opening it: to close a file is to lose this process's locks on it (`fcntl(2)`).
fn look(path: &Path) -> Result<Metadata> {
    let found = std::fs::metadata(path).map_err(|cause| {
        let error = Error::io(format!("cannot find the database `{}`", path.display()), &cause);
        match error.kind() {
            ErrorKind::NotFound => error.hint("check `path` or `url`: relative ones start from the configuration file's directory"),
            _ => error,
        }
    })?;
    if !found.is_file() {
        return Err(Error::new(ErrorKind::InvalidConfig, format!("`{}` is no regular file", path.display())).hint("name a database's file"));
    }
    Ok(found)
}

/// Begins the transaction and fixes its snapshot, which only a first read does; a hot journal is rolled back by it.
fn begin(connection: &Connection, path: &Path, context: &Context, patience: Duration) -> Result<Facts> {
    connection.execute_batch("BEGIN").map_err(|error| fault(path, &error))?;
    patiently(path, &context.cancel, patience, || connection.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(())))?;
    let facts = Facts::read(connection).map_err(|error| fault(path, &error))?;
    context.check()?;
    Ok(facts)
}

fn require_dbpage(connection: &Connection) -> Result<()> {
    let found = connection.query_row("SELECT sqlite_compileoption_used('ENABLE_DBPAGE_VTAB')", [], |row| row.get(0));
    if found.is_ok_and(|found: bool| found) {
        return Ok(());
    }
    Err(Error::new(ErrorKind::Unsupported, "this dr-host was built with an SQLite that has no `sqlite_dbpage` table")
        .hint("build it with LIBSQLITE3_FLAGS=-DSQLITE_ENABLE_DBPAGE_VTAB=1 in the environment"))
}

/// Copies the file under the shared lock that the connection's transaction holds, and gives up the lock.
fn copy_locked(connection: Connection, path: &Path, looked: &Metadata, facts: &Facts, context: &Context) -> Result<Copy> {
    let source = File::open(path).while_doing(|| format!("cannot read `{}`", path.display()))?;
    let opened = source.metadata().while_doing(|| format!("cannot read `{}`", path.display()))?;
    if (opened.dev(), opened.ino()) != (looked.dev(), looked.ino()) {
        return Err(Error::new(ErrorKind::Unavailable, format!("`{}` was replaced while it was opened", path.display())).retryable());
    }
    let copy = Copy::of(&source, path, facts.size(), &context.cancel);
    let closed = connection.close().map_err(|(_, error)| fault(path, &error));
    // Only now, since closing it gives up the connection's lock: POSIX locks belong to the process, not to the descriptor.
    drop(source);
    closed?;
    copy
}
