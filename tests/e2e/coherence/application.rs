//! The application: a shop whose rows name files. It keeps its own order, as a careful one does: a file before its row, a row's
//! deletion before its file's.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use rusqlite::Connection;

/// A running shop below one directory: `shop.db`, and the files of `media/`.
pub(crate) struct Application {
    media: PathBuf,
    database: Connection,
}

impl Application {
    /// Opens a new shop: a database with a write-ahead log, which stays open, and no files.
    pub(crate) fn open(directory: &Path) -> Self {
        let media = directory.join("media");
        fs::create_dir(&media).expect("the media directory can be made");
        let database = Connection::open(directory.join("shop.db")).expect("the database can be made");
        database.pragma_update(None, "journal_mode", "WAL").expect("it takes a write-ahead log");
        database.pragma_update(None, "synchronous", "OFF").expect("it need not survive the machine");
        database.busy_timeout(std::time::Duration::from_secs(10)).expect("it waits for locks");
        database.execute_batch("CREATE TABLE photo (id INTEGER PRIMARY KEY, image TEXT NOT NULL UNIQUE)").expect("the table can be made");
        Self { media, database }
    }

    /// Adds a photo: its file, then its row.
    pub(crate) fn insert(&self, name: &str, size: usize) {
        fs::write(self.media.join(name), content(name, 0, size)).expect("a file can be written");
        self.database.execute("INSERT INTO photo (image) VALUES (?1)", [name]).expect("a row can be inserted");
    }

    /// Deletes a photo: its row, then its file.
    pub(crate) fn delete(&self, name: &str) {
        let deleted = self.database.execute("DELETE FROM photo WHERE image = ?1", [name]).expect("a row can be deleted");
        assert_eq!(deleted, 1, "`{name}` has a row");
        fs::remove_file(self.media.join(name)).expect("a file can be deleted");
    }

    /// Writes another version over a photo's file, in place.
    pub(crate) fn overwrite(&self, name: &str, version: u32, size: usize) {
        fs::write(self.media.join(name), content(name, version, size)).expect("a file can be overwritten");
    }

    /// Renames a photo: its file gets a second name, its row the new one, then the old name goes.
    pub(crate) fn rename(&self, name: &str, new: &str) {
        fs::hard_link(self.media.join(name), self.media.join(new)).expect("a file can have two names");
        self.database.execute("UPDATE photo SET image = ?2 WHERE image = ?1", [name, new]).expect("a row can be updated");
        fs::remove_file(self.media.join(name)).expect("a name can go");
    }
}

/// The files that the rows of a database name.
pub(crate) fn named(database: &Path) -> BTreeSet<String> {
    let database = Connection::open(database).expect("the database opens");
    let mut rows = database.prepare("SELECT image FROM photo").expect("the table is there");
    let names = rows.query_map([], |row| row.get(0)).expect("the rows can be read");
    names.map(|name| name.expect("a name is text")).collect()
}

/// The content of one version of a file: it says in every line what it is and how long, so that a part or a mixture shows.
fn content(name: &str, version: u32, size: usize) -> Vec<u8> {
    let line = format!("{name} {version} {size}\n");
    let mut content = line.repeat(size / line.len() + 1).into_bytes();
    content.truncate(size);
    content
}

/// Which version of a file this is the whole of; none if it is a part or a mixture.
pub(crate) fn version(found: &[u8]) -> Option<u32> {
    let line = std::str::from_utf8(found.split(|byte| *byte == b'\n').next()?).ok()?;
    let mut words = line.split_whitespace();
    let (name, version, size) = (words.next()?, words.next()?.parse().ok()?, words.next()?.parse().ok()?);
    (found == content(name, version, size)).then_some(version)
}
