//! The driver against real databases, with an archive in memory. Other processes, which these tests must not be, meet it in
//! the end-to-end tests.

mod dump;
mod restore;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rusqlite::Connection;
use serde_json::json;
use tempfile::TempDir;

use super::Sqlite;
use crate::archive::EntryInfo;
use crate::cancel::Cancel;
use crate::conformance::{MemoryArchive, Recorder, context};
use crate::drivers::{Context, Driver, Ended, Kind, Level, Outcome, PointInTime, RestoreOptions, Settings};
use crate::error::Result;

/// A directory with a database in it, perhaps.
struct Here {
    directory: TempDir,
    recorder: Arc<Recorder>,
    cancel: Cancel,
}

impl Here {
    fn new() -> Self {
        Self { directory: tempfile::tempdir().expect("a directory"), recorder: Arc::default(), cancel: Cancel::new() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// A new database, made by this SQL, then closed.
    fn database(&self, name: &str, sql: &str) -> PathBuf {
        let path = self.path(name);
        let connection = Connection::open(&path).expect("a database");
        connection.execute_batch(sql).expect("good SQL");
        connection.close().expect("closed");
        path
    }

    fn driver(&self, path: &Path) -> Box<dyn Driver> {
        configure(path)
    }

    fn context(&self, recreate: bool) -> Context {
        context(&self.cancel, &self.recorder, RestoreOptions { recreate, ..RestoreOptions::default() }).expect("a context")
    }

    /// All moments of a dump.
    fn dump(&self, path: &Path) -> Result<(MemoryArchive, PointInTime, Outcome)> {
        let context = self.context(false);
        let mut driver = self.driver(path);
        let archive = MemoryArchive::new();
        let point = driver.before_dump(&context);
        let result = point.and_then(|point| driver.dump(&context, archive.writer()).map(|outcome| (point, outcome)));
        driver.after_dump(&context, &Ended::Ok)?;
        let (point, outcome) = result?;
        archive.close()?;
        Ok((archive, point, outcome))
    }

    /// All moments of a restore.
    fn restore(&self, archive: &MemoryArchive, path: &Path, recreate: bool) -> Result<Outcome> {
        let context = self.context(recreate);
        let mut driver = self.driver(path);
        let reader = archive.reader();
        let result = driver.before_restore(&context, &reader).and_then(|()| driver.restore(&context, &reader));
        driver.after_restore(&context, &Ended::Ok)?;
        result
    }

    fn warnings(&self) -> Vec<String> {
        self.recorder.lines().into_iter().filter(|(level, _)| *level == Level::Warn).map(|(_, line)| line).collect()
    }

    /// The names of all that lies in the directory.
    fn listing(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.directory.path()).expect("a directory");
        let mut names: Vec<String> = entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }
}

fn configure(path: &Path) -> Box<dyn Driver> {
    let serde_json::Value::Object(values) = json!({ "path": path, "lock_timeout": "500ms" }) else { unreachable!("an object") };
    let settings = Settings { values, base: PathBuf::from("/") };
    Sqlite.configure(&settings).expect("good settings")
}

fn only(archive: &MemoryArchive) -> EntryInfo {
    let entries = archive.entries();
    assert_eq!(entries.len(), 1);
    entries.into_iter().next().expect("one entry")
}

/// The answer to a query of one value.
fn ask<T: rusqlite::types::FromSql>(path: &Path, sql: &str) -> T {
    let connection = Connection::open(path).expect("a database");
    connection.query_row(sql, [], |row| row.get(0)).expect("an answer")
}
