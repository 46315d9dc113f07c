//! What dr-host is for, from beginning to end: a shop is dumped, changes, and is rolled back; and its state moves elsewhere.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use dr_host_tests::host::Host;
use rusqlite::Connection;

const SETS: &str = r#"
version = 1

[[set]]
name = "database"
driver = "sqlite"
path = "BASE/shop.db"

[[set]]
name = "media"
driver = "media"
path = "BASE/media"

[[set]]
name = "state"

[[set.children]]
name = "keys"
driver = "filesystem"
path = "BASE/keys"

[[link]]
from = "database"
column = "photo.image"
to = "media"
"#;

/// The shop as its release left it.
fn open_shop(base: &Path) {
    for directory in ["media/albums", "keys/empty"] {
        fs::create_dir_all(base.join(directory)).unwrap();
    }
    for (file, content) in [("media/albums/a.jpg", "a"), ("media/.hidden", "h"), ("media2.txt", "not media"), ("keys/private", "k")] {
        fs::write(base.join(file), content).unwrap();
    }
    let database = Connection::open(base.join("shop.db")).unwrap();
    let rows = "PRAGMA journal_mode = wal; CREATE TABLE photo (image TEXT); INSERT INTO photo VALUES ('albums/a.jpg'), ('.hidden')";
    database.execute_batch(rows).unwrap();
}

/// What a failed release does to it.
fn spoil(base: &Path) {
    Connection::open(base.join("shop.db")).unwrap().execute_batch("DELETE FROM photo; CREATE TABLE junk (x)").unwrap();
    fs::write(base.join("media/albums/a.jpg"), "b").unwrap();
    fs::remove_file(base.join("media/.hidden")).unwrap();
    fs::write(base.join("media/new.jpg"), "n").unwrap();
    fs::remove_dir_all(base.join("keys")).unwrap();
}

/// All that the configuration names: rows, files with their contents, directories of the file system set.
fn state(base: &Path) -> BTreeMap<String, String> {
    fn walk(base: &Path, directory: &Path, into: &mut BTreeMap<String, String>) {
        for file in directory.read_dir().unwrap().map(|file| file.unwrap().path()) {
            let name = file.strip_prefix(base).unwrap().display().to_string();
            if file.is_dir() {
                walk(base, &file, into);
                if name.starts_with("keys") {
                    into.insert(name, "directory".into());
                }
            } else {
                into.insert(name, fs::read_to_string(file).unwrap());
            }
        }
    }
    let mut all = BTreeMap::new();
    walk(base, &base.join("media"), &mut all);
    walk(base, &base.join("keys"), &mut all);
    let database = Connection::open(base.join("shop.db")).unwrap();
    let rows = "SELECT group_concat(sql) || (SELECT group_concat(image) FROM photo) FROM sqlite_schema";
    all.insert("rows".into(), database.query_row(rows, [], |row| row.get(0)).unwrap());
    all
}

#[test]
fn a_failed_release_is_rolled_back() {
    let place = tempfile::tempdir().unwrap();
    let base = place.path();
    open_shop(base);
    let host = Host::configured(base, &SETS.replace("BASE/", ""));
    let before = state(base);

    let dumped = host.run(["dump", "before.zip"]).expect(0);
    let listed = host.run(["list", "before.zip"]).expect(0);
    for set in ["database", "media", "state/keys"] {
        assert!(dumped.stderr.contains(set) || dumped.stdout.contains(set), "{dumped}");
        assert!(listed.stdout.contains(set), "{listed}");
    }
    host.run(["verify", "before.zip"]).expect(0);

    spoil(base);
    let refused = host.run(["restore", "before.zip"]).expect(1);
    assert!(refused.stderr.contains("--recreate") && refused.stderr.contains("--extra"), "{refused}");
    assert!(base.join("media/new.jpg").exists() && !base.join("keys").exists(), "nothing was touched");

    host.run(["restore", "before.zip", "--recreate", "--extra", "delete", "--yes"]).expect(0);
    assert_eq!(state(base), before);
    assert_eq!(fs::read_to_string(base.join("media2.txt")).unwrap(), "not media");
}

#[test]
fn the_same_sets_in_another_file_receive_the_state_elsewhere() {
    let place = tempfile::tempdir().unwrap();
    let (production, staging) = (place.path().join("production"), place.path().join("staging"));
    fs::create_dir(&production).unwrap();
    fs::create_dir(&staging).unwrap();
    open_shop(&production);
    let host = Host::configured(place.path(), &SETS.replace("BASE", "production"));
    host.run(["dump", "shop.zip"]).expect(0);

    fs::write(place.path().join("staging.toml"), SETS.replace("BASE", "staging")).unwrap();
    host.run(["restore", "shop.zip", "-c", "staging.toml", "--skip", "state"]).expect(0);
    assert!(staging.join("shop.db").exists() && !staging.join("keys").exists(), "what is skipped stays away");
    host.run(["restore", "shop.zip", "-c", "staging.toml", "--only", "state/keys"]).expect(0);
    assert_eq!(state(&staging), state(&production));
}
