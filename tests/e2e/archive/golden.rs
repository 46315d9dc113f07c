//! One archive of every format that was ever released stands in `tests/golden/` and is restored here, to the last byte.
//!
//! When the format changes, the archive of the new one is made by
//! `cargo nextest run -p dr-host-tests --run-ignored only golden` and committed; the old ones stay as they are.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use dr_host::archive::manifest::FORMAT;
use dr_host_tests::host::Host;

const CONFIGURATION: &str = r#"
version = 1

[[set]]
name = "database"
driver = "sqlite"
path = "shop.db"

[[set]]
name = "media"
driver = "media"
path = "media"

[[set]]
name = "state"

[[set.children]]
name = "keys"
driver = "filesystem"
path = "keys"

[[link]]
from = "database"
column = "product.image"
to = "media"
"#;

fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("golden")
}

/// The state that all golden archives hold.
fn state(directory: &Path) -> Host {
    let database = rusqlite::Connection::open(directory.join("shop.db")).unwrap();
    database.execute_batch("PRAGMA application_id = 17; CREATE TABLE product (name TEXT, image TEXT);").unwrap();
    for (name, image) in [("mug", "mug #2.png"), ("tea", "tea/茶.png")] {
        database.execute("INSERT INTO product VALUES (?1, ?2)", [name, image]).unwrap();
    }
    let file = |name: &str, content: &[u8], mode: u32| {
        let path = directory.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        File::open(&path).unwrap().set_modified(SystemTime::UNIX_EPOCH + Duration::new(1_700_000_000, 123_456_789)).unwrap();
    };
    file("media/mug #2.png", b"a picture of a mug", 0o644);
    file("media/tea/茶.png", &b"a picture of tea ".repeat(100), 0o644);
    file("media/100%\\.txt", b"", 0o644);
    file("keys/signing/current.key", b"not a secret", 0o600);
    file("keys/run", b"#!/bin/sh\n", 0o755);
    fs::create_dir(directory.join("keys/empty")).unwrap();
    fs::hard_link(directory.join("keys/run"), directory.join("keys/also-run")).unwrap();
    symlink("signing/current.key", directory.join("keys/key")).unwrap();
    Host::configured(directory, CONFIGURATION)
}

/// Everything that must come back: types, content, modes, times, targets of links.
fn seen(directory: &Path) -> BTreeMap<String, String> {
    fn walk(root: &Path, at: &Path, into: &mut BTreeMap<String, String>) {
        let meta = fs::symlink_metadata(at).unwrap();
        let name = at.strip_prefix(root).unwrap().display().to_string();
        let what = if meta.is_symlink() {
            format!("a link to {}", fs::read_link(at).unwrap().display())
        } else if meta.is_dir() {
            for entry in fs::read_dir(at).unwrap() {
                walk(root, &entry.unwrap().path(), into);
            }
            "a directory".to_owned()
        } else {
            let content = fs::read(at).unwrap();
            format!("mode {:o}, {} names, modified {}.{}, {content:?}", meta.mode(), meta.nlink(), meta.mtime(), meta.mtime_nsec())
        };
        into.insert(name, what);
    }
    let mut all = BTreeMap::new();
    for set in ["media", "keys"] {
        walk(directory, &directory.join(set), &mut all);
    }
    let database = rusqlite::Connection::open(directory.join("shop.db")).unwrap();
    let rows: String = database.query_row("SELECT group_concat(name || ':' || image) FROM product", [], |row| row.get(0)).unwrap();
    let id: i64 = database.query_row("PRAGMA application_id", [], |row| row.get(0)).unwrap();
    all.insert("shop.db".into(), format!("{rows}, application {id}"));
    all
}

#[test]
fn archives_of_every_format_are_restored() {
    let original = tempfile::tempdir().unwrap();
    state(original.path());
    for format in 1..=FORMAT {
        let archive = golden().join(format!("format-{format}.zip"));
        let archive = archive.to_str().unwrap();
        let target = tempfile::tempdir().unwrap();
        let host = Host::configured(target.path(), CONFIGURATION);
        host.run(["verify", archive]).expect(0);
        host.run(["restore", archive]).expect(0);
        assert_eq!(seen(target.path()), seen(original.path()), "format {format}");
    }
}

#[test]
#[ignore = "makes the golden archive of the format that is written now; see the head of this file"]
fn make_the_golden_archive_of_this_format() {
    let directory = tempfile::tempdir().unwrap();
    let out = golden().join(format!("format-{FORMAT}.zip"));
    fs::create_dir_all(golden()).unwrap();
    state(directory.path()).run(["dump", out.to_str().unwrap(), "--overwrite"]).expect(0);
}
