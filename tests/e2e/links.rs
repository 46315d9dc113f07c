//! Links from a database's columns to files: what counts as a value, how it becomes a name, and that what dangles is told by
//! the dump and by `verify` alike.

use std::fs;
use std::path::Path;

use dr_host_tests::host::{Ended, Host};
use rusqlite::Connection;
use serde_json::{Value, json};
use tempfile::TempDir;

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
name = "invoices"
driver = "filesystem"
path = "invoices"

[[link]]
from = "database"
column = "photo.image"
strip_prefix = "/media/"
to = "media"

[[link]]
from = "database"
column = "product.meta"
json = "$.gallery[*].file"
where = "deleted = 0"
prefix = "gallery/"
to = "media"

[[link]]
from = "database"
column = "invoice.file"
to = "invoices"
"#;

/// A shop in which nothing dangles, with one orphan in each of its directories.
fn shop() -> (TempDir, Host) {
    let place = tempfile::tempdir().unwrap();
    let host = Host::configured(place.path(), CONFIGURATION);
    let files = ["media/a.jpg", "media/b c.jpg", "media/gallery/1.jpg", "media/gallery/2.jpg", "media/orphan.jpg"];
    for file in files.into_iter().chain(["invoices/2025/1.pdf", "invoices/2025/2.pdf"]) {
        let path = place.path().join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, file).unwrap();
    }
    fs::create_dir(place.path().join("invoices/2026")).unwrap();
    database(place.path())
        .execute_batch(
            r#"
            PRAGMA journal_mode = wal;
            CREATE TABLE photo (image TEXT);
            INSERT INTO photo VALUES ('/media/a.jpg'), ('b c.jpg'), ('/media/a.jpg'), (''), (NULL);
            CREATE TABLE product (meta TEXT, deleted INTEGER);
            INSERT INTO product VALUES
                ('{"gallery": [{"file": "1.jpg"}, {"file": "2.jpg"}]}', 0),
                ('{"gallery": []}', 0), ('{}', 0), (NULL, 0),
                ('{"gallery": [{"file": "gone with its product.jpg"}]}', 1);
            CREATE TABLE invoice (file TEXT);
            INSERT INTO invoice VALUES ('2025/1.pdf');
            "#,
        )
        .unwrap();
    (place, host)
}

fn database(place: &Path) -> Connection {
    Connection::open(place.join("shop.db")).unwrap()
}

fn checks(ended: &Ended) -> Vec<Value> {
    ended.events_of("link").into_iter().map(|event| event["link"]["check"].clone()).collect()
}

/// What nobody names is told all the same, also to who wants to hear of nothing but findings.
#[test]
fn that_more_dangles_than_is_named_is_told_quietly_too() {
    let (place, host) = shop();
    let long = format!("'{}'", "x".repeat(2_000));
    database(place.path()).execute_batch(&format!("INSERT INTO invoice VALUES ({long})")).unwrap();
    let said = host.run(["dump", "-q", "out.zip"]).expect(3).stderr;
    assert!(said.starts_with("finding: database: dangling `xxx") && said.contains("xxx… (2000 bytes)`: "), "{said}");

    let many = "WITH RECURSIVE n (i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 10002) INSERT INTO invoice SELECT i FROM n";
    database(place.path()).execute_batch(many).unwrap();
    let last = |ended: &Ended| ended.stderr.lines().last().unwrap_or_default().to_owned();
    let ended = host.run(["dump", "-q", "--overwrite", "out.zip"]).expect(3);
    assert_eq!(last(&ended), "finding: database: dangling: `invoice.file` names 3 more entries that `invoices` does not have");
    let ended = host.run(["verify", "-q", "out.zip"]).expect(3);
    assert_eq!(last(&ended), "finding: database: dangling: `invoice.file` names 3 more entries that `invoices` does not have");
    let ended = host.run(["restore", "-q", "--skip", "database", "out.zip"]).expect(0);
    assert_eq!(last(&ended), "warning: the archive was made with 3 more findings, which it does not name");
}

fn check(checked: u64, dangling: &[&str], orphaned: u64) -> Value {
    let mut check = json!({ "checked": checked, "dangling": dangling.len(), "orphaned": orphaned });
    if !dangling.is_empty() {
        check["dangling_names"] = json!(dangling);
    }
    check
}

#[test]
fn a_shop_in_which_nothing_dangles_is_dumped_without_findings() {
    let (_place, host) = shop();
    let ended = host.run(["dump", "out.zip", "--json"]).expect(0);
    // Directories, also empty ones, are no orphans; of the other link's files each link says that it does not name them.
    let expected = [check(2, &[], 3), check(2, &[], 3), check(1, &[], 1)];
    assert_eq!(checks(&ended), expected);
    assert_eq!(checks(&host.run(["verify", "out.zip", "--json"]).expect(0)), expected);
}

#[test]
fn every_row_that_names_nothing_is_told_by_the_dump_and_by_verify() {
    let (place, host) = shop();
    database(place.path())
        .execute_batch(
            r#"
            INSERT INTO photo VALUES ('/media/gone.jpg'), ('b%20c.jpg'), ('A.jpg'), ('media/a.jpg');
            INSERT INTO product VALUES ('{"gallery": [{"file": "3.jpg"}, {"file": "../a.jpg"}]}', 0);
            INSERT INTO invoice VALUES ('2026'), ('2025/3.pdf');
            "#,
        )
        .unwrap();
    let dangling = ["gone.jpg", "b%20c.jpg", "A.jpg", "media/a.jpg", "gallery/3.jpg", "gallery/../a.jpg", "2026", "2025/3.pdf"];
    for arguments in [["dump", "out.zip", "--json"], ["verify", "out.zip", "--json"]] {
        let ended = host.run(arguments).expect(3);
        let mut names: Vec<_> = checks(&ended).iter().flat_map(|check| check["dangling_names"].as_array().unwrap().clone()).collect();
        let mut expected = dangling.map(Value::from).to_vec();
        names.sort_by_key(Value::to_string);
        expected.sort_by_key(Value::to_string);
        assert_eq!(names, expected);
        assert_eq!(ended.events().last().unwrap()["findings"], dangling.len());
    }
    let told = host.run(["verify", "out.zip"]).expect(3);
    for name in dangling {
        assert!(told.stderr.contains(name), "`{name}` is not in {told}");
    }
    host.run(["list", "out.zip"]).expect(0);
}

#[test]
fn a_link_to_a_set_that_is_left_out_is_not_checked_and_that_is_said() {
    let (_place, host) = shop();
    let ended = host.run(["dump", "out.zip", "--skip", "invoices"]).expect(0);
    assert!(ended.stderr.contains("invoice.file") && ended.stderr.contains("not checked"), "{ended}");
    let verified = host.run(["verify", "out.zip", "--json"]).expect(0);
    assert_eq!(checks(&verified).len(), 2);
}

#[test]
fn a_column_that_does_not_exist_fails_the_dump() {
    let (place, host) = shop();
    database(place.path()).execute_batch("DROP TABLE invoice").unwrap();
    let ended = host.run(["dump", "out.zip"]).expect(1);
    assert!(ended.stderr.contains("invoice"), "{ended}");
    assert!(!place.path().join("out.zip").exists());
}
