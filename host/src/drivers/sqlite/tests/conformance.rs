//! The contract suite, once with a WAL and once with a rollback journal.

use std::path::PathBuf;

use rusqlite::Connection;
use tempfile::TempDir;

use super::super::holders::FILES;
use crate::conformance::{Atomicity, Contents, Options, Place, Subject, run};
use crate::drivers::Driver;
use crate::error::{Error, ErrorKind, Result};
use crate::name::EntryName;

/// A table of items in a database with this journal mode.
struct Items(&'static str);

impl Subject for Items {
    fn name(&self) -> String {
        format!("sqlite, journal_mode = {}", self.0)
    }

    fn place(&self) -> Result<Box<dyn Place>> {
        let place = Database { directory: tempfile::tempdir().expect("a directory"), journal_mode: self.0 };
        place.open()?;
        Ok(Box::new(place))
    }

    fn atomicity(&self) -> Atomicity {
        Atomicity::Whole
    }
}

struct Database {
    directory: TempDir,
    journal_mode: &'static str,
}

impl Database {
    fn path(&self) -> PathBuf {
        self.directory.path().join("items.db")
    }

    /// Makes no table: a database without one is what a restore takes for empty.
    fn open(&self) -> Result<Connection> {
        let connection = Connection::open(self.path()).map_err(told)?;
        connection.pragma_update(None, "journal_mode", self.journal_mode).map_err(told)?;
        Ok(connection)
    }
}

fn told(error: rusqlite::Error) -> Error {
    Error::new(ErrorKind::Other, error.to_string())
}

impl Place for Database {
    fn driver(&self) -> Result<Box<dyn Driver>> {
        Ok(super::configure(&self.path()))
    }

    fn put(&self, items: &Contents) -> Result<()> {
        let mut connection = self.open()?;
        let transaction = connection.transaction().map_err(told)?;
        transaction.execute_batch("CREATE TABLE IF NOT EXISTS item (name BLOB PRIMARY KEY, content BLOB NOT NULL)").map_err(told)?;
        for (name, content) in items {
            transaction.execute("INSERT OR REPLACE INTO item VALUES (?1, ?2)", (name.as_bytes(), content)).map_err(told)?;
        }
        transaction.commit().map_err(told)
    }

    fn remove(&self, name: &EntryName) -> Result<()> {
        self.open()?.execute("DELETE FROM item WHERE name = ?1", [name.as_bytes()]).map(|_| ()).map_err(told)
    }

    fn look(&self) -> Result<Contents> {
        let connection = self.open()?;
        if !connection.table_exists(None, "item").map_err(told)? {
            return Ok(Contents::new());
        }
        let mut statement = connection.prepare("SELECT name, content FROM item").map_err(told)?;
        let rows = statement.query_map([], |row| Ok((EntryName::from_bytes(row.get::<_, Vec<u8>>(0)?), row.get(1)?))).map_err(told)?;
        rows.collect::<rusqlite::Result<_>>().map_err(told)
    }

    fn litter(&self) -> Result<Vec<String>> {
        let expected: Vec<String> = FILES.iter().map(|suffix| format!("items.db{suffix}")).collect();
        let names = std::fs::read_dir(self.directory.path()).map_err(|cause| Error::io("cannot list", &cause))?;
        let names = names.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned());
        Ok(names.filter(|name| !expected.contains(name)).collect())
    }
}

fn green(journal_mode: &'static str) {
    let report = run(&Items(journal_mode), &Options::default());
    assert!(report.passed(), "{report}");
}

#[test]
fn the_contract_is_kept_with_a_wal() {
    green("wal");
}

#[test]
fn the_contract_is_kept_with_a_rollback_journal() {
    green("delete");
}
