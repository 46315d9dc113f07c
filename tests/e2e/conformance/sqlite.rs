//! An SQLite database as a place: an item is a row.

use std::fs;
use std::path::PathBuf;

use dr_host::conformance::{Atomicity, Contents, Place, Subject};
use dr_host::drivers::Driver;
use dr_host::error::{Error, ErrorKind, IoContext, Result};
use dr_host::name::EntryName;
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
}

struct Database {
    journal: Journal,
    /// Holds the database, and nothing else once nobody has it open.
    around: TempDir,
}

const FILE: &str = "items.db";

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
            let row = params![name.as_bytes(), content];
            transaction.execute("INSERT OR REPLACE INTO item VALUES (?1, ?2)", row).map_err(failed)?;
        }
        transaction.commit().map_err(failed)
    }

    fn remove(&self, name: &EntryName) -> Result<()> {
        self.open()?.execute("DELETE FROM item WHERE name = ?1", [name.as_bytes()]).map_err(failed)?;
        Ok(())
    }

    fn look(&self) -> Result<Contents> {
        if !self.path().exists() {
            return Ok(Contents::new());
        }
        let database = Connection::open(self.path()).map_err(failed)?;
        let mut rows = database.prepare("SELECT name, content FROM item").map_err(failed)?;
        let pairs = rows.query_map([], |row| Ok((row.get::<_, Vec<u8>>(0)?, row.get(1)?))).map_err(failed)?;
        pairs.map(|pair| pair.map(|(name, content)| (EntryName::from_bytes(name), content)).map_err(failed)).collect()
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
