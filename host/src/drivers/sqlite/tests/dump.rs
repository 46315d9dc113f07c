//! Dumps: what an image holds, and what cannot be dumped.

use std::fs;

use rusqlite::Connection;

use super::{Here, ask, only};
use crate::drivers::Worth;
use crate::error::ErrorKind;

#[test]
fn a_dump_is_the_image_and_what_the_database_says_of_itself() {
    let here = Here::new();
    let path = here.database(
        "shop.db",
        "PRAGMA page_size = 1024; PRAGMA application_id = 77; PRAGMA user_version = -5; CREATE TABLE t (a); INSERT INTO t VALUES (1)",
    );
    let (archive, point, outcome) = here.dump(&path).expect("a dump");
    let info = only(&archive);
    assert_eq!(info.entry.name.as_str(), Some("database.sqlite3"));
    assert_eq!(archive.content(&info.entry.name).expect("content")[..], fs::read(&path).expect("a file")[..]);
    for (key, value) in [
        ("page_size", "1024"),
        ("application_id", "77"),
        ("user_version", "-5"),
        ("encoding", "UTF-8"),
        ("journal_mode", "delete"),
        ("mode", "0644"),
    ] {
        assert_eq!(info.entry.get(key), Some(value), "{key}");
    }
    assert_eq!(point.worth, Worth::Exact);
    assert_eq!(outcome.format, "sqlite/1");
    assert_eq!(here.listing(), ["shop.db"], "nothing is left beside it");
}

#[test]
fn a_snapshot_is_of_the_moment_before_dump_whatever_is_written_later() {
    for journal_mode in ["wal", "delete"] {
        let here = Here::new();
        let path =
            here.database("shop.db", &format!("PRAGMA journal_mode = {journal_mode}; CREATE TABLE t (a); INSERT INTO t VALUES ('before')"));
        let context = here.context(false);
        let mut driver = here.driver(&path);
        driver.before_dump(&context).expect("a point in time");
        let writer = Connection::open(&path).expect("a database");
        writer.execute_batch("INSERT INTO t VALUES ('after'); CREATE TABLE later (b)").expect("nobody is locked out");
        if journal_mode == "wal" {
            let frames: i64 = writer.query_row("PRAGMA wal_checkpoint(passive)", [], |row| row.get(2)).expect("a checkpoint");
            assert!(frames >= 0);
        }
        let archive = crate::conformance::MemoryArchive::new();
        let mut values = Vec::new();
        let column = crate::drivers::LinkColumn { table: "t".into(), column: "a".into(), json_path: None, condition: None };
        driver
            .link_values(&context, &column, &mut |value| {
                values.push(value.to_owned());
                Ok(())
            })
            .expect("values");
        driver.dump(&context, archive.writer()).expect("a dump");
        driver.after_dump(&context, &crate::drivers::Ended::Ok).expect("released");
        assert_eq!(values, ["before"], "{journal_mode}");
        let copy = here.path("copy.db");
        here.restore(&archive, &copy, false).expect("a restore");
        assert_eq!(ask::<String>(&copy, "SELECT group_concat(a) FROM t"), "before", "{journal_mode}");
        assert_eq!(ask::<i64>(&path, "SELECT count(*) FROM t"), 2, "{journal_mode}");
        drop(writer);
        assert_eq!(here.listing(), ["copy.db", "shop.db"], "{journal_mode}");
    }
}

#[test]
fn an_empty_file_is_an_empty_database() {
    let here = Here::new();
    let path = here.path("empty.db");
    fs::write(&path, "").expect("a file");
    let (archive, ..) = here.dump(&path).expect("a dump");
    assert_eq!(only(&archive).size, 0);
    here.restore(&archive, &here.path("copy.db"), false).expect("a restore");
    assert_eq!(fs::read(here.path("copy.db")).expect("a file"), b"");
}

#[test]
fn what_is_no_readable_database_is_told() {
    let here = Here::new();
    fs::write(here.path("text.db"), "x".repeat(5000)).expect("a file");
    let cut = here.database("cut.db", "CREATE TABLE t (a); INSERT INTO t SELECT randomblob(9000) FROM json_each('[1,2,3,4]')");
    let size = fs::metadata(&cut).expect("a file").len();
    fs::File::options().write(true).open(&cut).and_then(|file| file.set_len(size / 2)).expect("cut");
    let cases = [
        ("missing.db", ErrorKind::NotFound, "cannot find the database"),
        ("text.db", ErrorKind::Corrupt, "not an SQLite database, or it is encrypted"),
        (".", ErrorKind::InvalidConfig, "no regular file"),
        ("cut.db", ErrorKind::Corrupt, "damaged"),
    ];
    for (name, kind, part) in cases {
        let error = here.dump(&here.path(name)).map(|_| ()).expect_err(name);
        assert_eq!(error.kind(), kind, "{name}: {error}");
        assert!(error.message().contains(part), "{name}: {error}");
        assert!(error.message().contains(name.trim_start_matches('.')), "{name}: {error}");
    }
    assert_eq!(here.listing(), ["cut.db", "text.db"]);
}

#[test]
fn a_dump_leaves_an_applications_wal_alone() {
    let here = Here::new();
    let path = here.path("shop.db");
    let application = Connection::open(&path).expect("a database");
    application.execute_batch("PRAGMA journal_mode = wal; CREATE TABLE t (a); INSERT INTO t VALUES (1)").expect("good SQL");
    let copied = here.path("killed.db");
    for suffix in ["", "-wal"] {
        fs::copy(here.path(&format!("shop.db{suffix}")), here.path(&format!("killed.db{suffix}"))).expect("a copy");
    }
    drop(application);
    let wal = fs::read(here.path("killed.db-wal")).expect("a wal");
    assert!(!wal.is_empty());
    let (archive, ..) = here.dump(&copied).expect("a dump");
    assert_eq!(fs::read(here.path("killed.db-wal")).expect("a wal"), wal, "what a killed application left is for the next one");
    here.restore(&archive, &here.path("copy.db"), false).expect("a restore");
    assert_eq!(ask::<i64>(&here.path("copy.db"), "SELECT a FROM t"), 1, "and the dump has it");
}
