//! A small shop: a database, the media files that its rows name, and a directory of other state.

use std::fs;
use std::path::Path;

use dr_host_tests::host::Host;
use rusqlite::Connection;
use tempfile::TempDir;

/// Where the shop stands is a variable, so that the same configuration restores elsewhere. Nothing is compressed: what is
/// stored is then the same whatever compresses.
const CONFIGURATION: &str = r#"version = 1

[archive]
compression = "store"

[[set]]
name = "database"
driver = "sqlite"
path = "${SHOP:-.}/shop.db"

[[set]]
name = "media"
driver = "media"
url = "${SHOP:-.}/media"

[[set]]
name = "state"

[[set.children]]
name = "keys"
driver = "filesystem"
path = "${SHOP:-.}/keys"

[[link]]
from = "database"
column = "photo.file"
to = "media"
"#;

/// The shop in a directory of its own.
pub(super) struct Shop {
    directory: TempDir,
    /// Runs commands there.
    pub(super) host: Host,
}

impl Shop {
    /// A shop whose rows name two of three media files.
    pub(super) fn new() -> Self {
        Self::with_rows(&["a b.jpg", "c/d.jpg"])
    }

    /// A shop whose rows name these media files; there are `a b.jpg`, `c/d.jpg` and `orphan.jpg`.
    pub(super) fn with_rows(rows: &[&str]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let host = Host::configured(directory.path(), CONFIGURATION);
        let at = |name: &str| directory.path().join(name);
        let database = Connection::open(at("shop.db")).unwrap();
        database.execute_batch("CREATE TABLE photo (file TEXT)").unwrap();
        for row in rows {
            database.execute("INSERT INTO photo VALUES (?1)", [row]).unwrap();
        }
        fs::create_dir_all(at("media/c")).unwrap();
        for (name, content) in [("a b.jpg", "one"), ("c/d.jpg", "two"), ("orphan.jpg", "three")] {
            fs::write(at("media").join(name), content).unwrap();
        }
        fs::create_dir(at("keys")).unwrap();
        fs::write(at("keys/signing.key"), "0123456789").unwrap();
        Self { directory, host }
    }

    /// Where it stands.
    pub(super) fn path(&self) -> &Path {
        self.directory.path()
    }

    /// The shop with its archive `shop.zip`.
    pub(super) fn dumped() -> Self {
        let shop = Self::new();
        shop.host.run(["dump", "shop.zip"]).expect(0);
        shop
    }

    /// Another place for the same shop, empty: its configuration points there through `SHOP`.
    pub(super) fn elsewhere(&self, name: &str) -> Host {
        fs::create_dir(self.path().join(name)).unwrap();
        self.host.clone().env("SHOP", name)
    }
}
