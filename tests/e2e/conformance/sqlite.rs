//! An SQLite database as a place: an item is a row.

use std::fs;
use std::path::PathBuf;

use dr_host::conformance::{Atomicity, Contents, Place, Subject};
use dr_host::drivers::{Driver, LinkColumn};
use dr_host::error::{Error, ErrorKind, IoContext, Result};
use dr_host::name::EntryName;
use rusqlite::types::Value;
use rusqlite::{Connection, params};
use serde_json::json;
use tempfile::TempDir;

/// How the databases keep their journal.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Journal {
    Wal,
    Delete,
}

pub(crate) struct SqliteSubject {
    pub(crate) journal: Journal,
}

impl Subject for SqliteSubject {
    fn name(&self) -> String {
        format!("sqlite, journal {:?}", self.journal)
    }

    fn place(&self) -> Result<Box<dyn Place>> {
        let around = tempfile::tempdir().while_doing(|| "cannot make a directory")?;
        Ok(Box::new(Database { journal: self.journal, around }))
    }

    fn atomicity(&self) -> Atomicity {
        Atomicity::Whole
    }

    fn column_of_names(&self) -> Option<LinkColumn> {
        Some(LinkColumn { table: "item".into(), column: "name".into(), json_path: None, condition: None })
    }
}

struct Database {
    journal: Journal,
    /// Holds the database, and nothing else once nobody has it open.
    around: TempDir,
}

const FILE: &str = "items.db";

/// A name as its row has it: text, as an application's would be, where it is text.
fn key(name: &EntryName) -> Value {
    match name.as_str() {
        Some(text) => Value::Text(text.to_owned()),
        None => Value::Blob(name.as_bytes().to_owned()),
    }
}

fn failed(error: rusqlite::Error) -> Error {
    Error::new(ErrorKind::Other, format!("SQLite: {error}"))
}

impl Database {
    fn path(&self) -> PathBuf {
        self.around.path().join(FILE)
    }

    fn open(&self) -> Result<Connection> {
        let database = Connection::open(self.path()).map_err(failed)?;
        let journal = match self.journal {
            Journal::Wal => "WAL",
            Journal::Delete => "DELETE",
        };
        database.pragma_update(None, "journal_mode", journal).map_err(failed)?;
        // The places are thrown away: what a power cut would do to them is nobody's concern.
        database.pragma_update(None, "synchronous", "OFF").map_err(failed)?;
        database
            .execute_batch("CREATE TABLE IF NOT EXISTS item (name BLOB PRIMARY KEY, content BLOB NOT NULL) WITHOUT ROWID")
            .map_err(failed)?;
        Ok(database)
    }
}

impl Place for Database {
    fn driver(&self) -> Result<Box<dyn Driver>> {
        super::configured("sqlite", self.around.path(), json!({ "path": FILE }))
    }

    fn put(&self, items: &Contents) -> Result<()> {
        let mut database = self.open()?;
        let transaction = database.transaction().map_err(failed)?;
        for (name, content) in items {
            let row = params![key(name), content];
            transaction.execute("INSERT OR REPLACE INTO item VALUES (?1, ?2)", row).map_err(failed)?;
        }
        transaction.commit().map_err(failed)
    }

    fn remove(&self, name: &EntryName) -> Result<()> {
        self.open()?.execute("DELETE FROM item WHERE name = ?1", [key(name)]).map_err(failed)?;
        Ok(())
    }

    fn look(&self) -> Result<Contents> {
        if !self.path().exists() {
            return Ok(Contents::new());
        }
        let database = Connection::open(self.path()).map_err(failed)?;
        let mut rows = database.prepare("SELECT name, content FROM item").map_err(failed)?;
        let pairs = rows
            .query_map([], |row| {
                let name = row.get_ref(0)?.as_bytes().map_err(|_| rusqlite::Error::InvalidQuery)?;
                Ok((EntryName::from_bytes(name), row.get(1)?))
            })
            .map_err(failed)?;
        pairs.map(|pair| pair.map_err(failed)).collect()
    }

    fn litter(&self) -> Result<Vec<String>> {
        let mut litter = Vec::new();
        for item in fs::read_dir(self.around.path()).while_doing(|| "cannot list the directory around")? {
            let name = item.while_doing(|| "cannot list the directory around")?.file_name();
            if name != FILE {
                litter.push(name.to_string_lossy().into_owned());
            }
        }
        Ok(litter)
    }
}
