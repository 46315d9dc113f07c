//! Restores: what survives, what is refused, and what is left beside the new database.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

use rusqlite::Connection;

use super::{Here, ask, only};
use crate::archive::Entry;
use crate::conformance::MemoryArchive;
use crate::error::ErrorKind;

const SHOP: &str =
    "CREATE TABLE product (id INTEGER PRIMARY KEY, name TEXT); INSERT INTO product (name) VALUES ('cup'), ('bowl'), ('plate')";

#[test]
fn page_size_ids_and_journal_mode_survive() {
    for page_size in [512, 1024, 4096, 8192, 65536] {
        for journal_mode in ["wal", "delete"] {
            let here = Here::new();
            let sql = format!(
                "PRAGMA page_size = {page_size}; PRAGMA auto_vacuum = incremental; PRAGMA application_id = 1179; PRAGMA user_version = 42; PRAGMA journal_mode = {journal_mode}; {SHOP}"
            );
            let (archive, ..) = here.dump(&here.database("shop.db", &sql)).expect("a dump");
            let copy = here.path("copy.db");
            here.restore(&archive, &copy, false).expect("a restore");
            assert_eq!(ask::<i64>(&copy, "PRAGMA page_size"), page_size);
            assert_eq!(ask::<i64>(&copy, "PRAGMA application_id"), 1179);
            assert_eq!(ask::<i64>(&copy, "PRAGMA user_version"), 42);
            assert_eq!(ask::<i64>(&copy, "PRAGMA auto_vacuum"), 2);
            assert_eq!(ask::<String>(&copy, "PRAGMA journal_mode"), journal_mode);
            assert_eq!(ask::<i64>(&copy, "SELECT count(*) FROM product"), 3);
        }
    }
}

#[test]
fn tables_of_every_make_survive() {
    let here = Here::new();
    let sql = "PRAGMA encoding = 'UTF-16le'; CREATE TABLE w (a PRIMARY KEY, b) WITHOUT ROWID; INSERT INTO w VALUES ('x', 'ä');
        CREATE VIRTUAL TABLE search USING fts5 (body); INSERT INTO search VALUES ('a blue cup'), ('a red bowl');
        CREATE VIRTUAL TABLE box USING rtree (id, x0, x1); INSERT INTO box VALUES (1, 2, 3);
        CREATE TABLE s (n INTEGER CHECK (n > 0), g INTEGER GENERATED ALWAYS AS (n * 2) STORED) STRICT; INSERT INTO s (n) VALUES (4);
        CREATE INDEX s_g ON s (g) WHERE n > 1; CREATE VIEW v AS SELECT g FROM s; CREATE TRIGGER tr AFTER INSERT ON w BEGIN SELECT 1; END";
    let (archive, ..) = here.dump(&here.database("odd.db", sql)).expect("a dump");
    let copy = here.path("copy.db");
    here.restore(&archive, &copy, false).expect("a restore");
    assert_eq!(ask::<String>(&copy, "SELECT b FROM w"), "ä");
    assert_eq!(ask::<String>(&copy, "SELECT body FROM search WHERE search MATCH 'blue'"), "a blue cup");
    assert_eq!(ask::<i64>(&copy, "SELECT g FROM v"), 8);
    assert_eq!(ask::<i64>(&copy, "SELECT count(*) FROM box"), 1);
    assert_eq!(here.warnings(), Vec::<String>::new());
}

#[test]
fn a_restored_wal_database_has_no_side_files_beside_it() {
    let here = Here::new();
    let (archive, ..) = here.dump(&here.database("shop.db", &format!("PRAGMA journal_mode = wal; {SHOP}"))).expect("a dump");
    here.restore(&archive, &here.path("copy.db"), false).expect("a restore");
    assert_eq!(here.listing(), ["copy.db", "shop.db"]);
}

#[test]
fn a_database_that_holds_something_is_kept_unless_told() {
    let here = Here::new();
    let path = here.database("shop.db", SHOP);
    let (archive, ..) = here.dump(&path).expect("a dump");
    let other = here.database("other.db", "CREATE TABLE customer (a); INSERT INTO customer VALUES (1), (2); CREATE TABLE void (b)");
    let before = fs::read(&other).expect("a file");
    let error = here.restore(&archive, &other, false).expect_err("refused");
    assert!(error.message().contains("2 tables: `customer` with 2 rows, `void` with 0 rows"), "{error}");
    assert!(error.advice().is_some_and(|hint| hint.contains("--recreate")), "{:?}", error.advice());
    assert_eq!(fs::read(&other).expect("a file"), before);
    let outcome = here.restore(&archive, &other, true).expect("told to");
    assert!(outcome.notes["replaced"].contains("customer"));
    assert_eq!(fs::read(&other).expect("a file"), fs::read(&path).expect("a file"));
    let void = here.database("void.db", "CREATE TABLE t (a); DROP TABLE t");
    here.restore(&archive, &void, false).expect("what is empty need not be told");
}

#[test]
fn what_is_no_database_is_never_replaced() {
    let here = Here::new();
    let (archive, ..) = here.dump(&here.database("shop.db", SHOP)).expect("a dump");
    let notes = here.path("notes.txt");
    fs::write(&notes, "dear diary").expect("a file");
    for recreate in [false, true] {
        let error = here.restore(&archive, &notes, recreate).expect_err("refused");
        assert!(error.message().contains("not an SQLite database"), "{error}");
    }
    assert_eq!(fs::read(&notes).expect("a file"), b"dear diary");
}

#[test]
fn a_damaged_database_is_replaced_when_told() {
    let here = Here::new();
    let path = here.database("shop.db", SHOP);
    let (archive, ..) = here.dump(&path).expect("a dump");
    let wreck = here.path("wreck.db");
    let mut bytes = fs::read(&path).expect("a file");
    bytes[100..200].fill(0xff);
    fs::write(&wreck, &bytes).expect("a file");
    fs::write(here.path("wreck.db-journal"), "what an old transaction left").expect("a file");
    let error = here.restore(&archive, &wreck, false).expect_err("refused");
    assert!(error.message().contains("damaged"), "{error}");
    here.restore(&archive, &wreck, true).expect("told to");
    assert_eq!(ask::<i64>(&wreck, "SELECT count(*) FROM product"), 3);
    assert_eq!(here.listing(), ["shop.db", "wreck.db"]);
}

#[test]
fn an_old_wal_is_not_played_into_the_new_database() {
    for leave_database in [true, false] {
        let here = Here::new();
        let (archive, ..) = here.dump(&here.database("shop.db", SHOP)).expect("a dump");
        let old = Connection::open(here.path("old.db")).expect("a database");
        old.execute_batch("PRAGMA journal_mode = wal; CREATE TABLE product (b); INSERT INTO product SELECT randomblob(3000)")
            .expect("good SQL");
        let suffixes = if leave_database { &["", "-wal"][..] } else { &["-wal"] };
        for suffix in suffixes {
            fs::copy(here.path(&format!("old.db{suffix}")), here.path(&format!("killed.db{suffix}"))).expect("a copy");
        }
        drop(old);
        here.restore(&archive, &here.path("killed.db"), leave_database).expect("a restore");
        assert_eq!(here.listing(), ["killed.db", "old.db", "shop.db"]);
        assert_eq!(ask::<i64>(&here.path("killed.db"), "SELECT count(*) FROM product WHERE name = 'cup'"), 1);
        assert_eq!(here.warnings().is_empty(), leave_database, "a WAL without a database is told of");
    }
}

#[test]
fn an_unsound_image_is_refused_and_the_target_stays() {
    let here = Here::new();
    let path = here.database(
        "shop.db",
        "CREATE TABLE t (a); CREATE INDEX i ON t (a); INSERT INTO t SELECT value FROM generate_series(1, 1000)"
            .replace("generate_series(1, 1000)", "json_each('[1,2,3,4,5,6,7,8]')")
            .as_str(),
    );
    let mut image = fs::read(&path).expect("a file");
    let last = image.len() - 4096;
    image[last..].fill(0);
    let archive = MemoryArchive::new();
    archive.put(Entry::new("database.sqlite3").attribute("page_size", "4096"), image);
    let target = here.database("target.db", "CREATE TABLE mine (a)");
    let before = fs::read(&target).expect("a file");
    let error = here.restore(&archive, &target, true).expect_err("refused");
    assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
    assert!(error.message().contains("unsound") && error.is_untouched(), "{error}");
    assert_eq!(fs::read(&target).expect("a file"), before);
    assert_eq!(here.listing(), ["shop.db", "target.db"]);
}

#[test]
fn images_that_lie_are_refused_before_anything_is_written() {
    let here = Here::new();
    let image = fs::read(here.database("shop.db", SHOP)).expect("a file");
    let cases = [
        ("database.sqlite3", "4096", b"hello".repeat(1000), "not an SQLite database"),
        ("database.sqlite3", "512", image.clone(), "the archive recorded 512"),
        ("database.sqlite3", "4096", image[..image.len() - 1].to_vec(), "no whole number of pages"),
        ("database.sqlite3", "4096", image[..4096].to_vec(), "the header tells of 2 pages"),
        ("other", "4096", image, "has one entry"),
    ];
    for (name, page_size, bytes, part) in cases {
        let archive = MemoryArchive::new();
        archive.put(Entry::new(name).attribute("page_size", page_size), bytes);
        let context = here.context(false);
        let error = here.driver(&here.path("new.db")).before_restore(&context, &archive.reader()).expect_err(part);
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
        assert!(error.message().contains(part), "{error}");
    }
    assert_eq!(here.listing(), ["shop.db"]);
}

#[test]
fn rows_that_break_rules_of_the_schema_are_told_and_restored() {
    let here = Here::new();
    let sql = "CREATE TABLE t (a TEXT NOT NULL, n INTEGER CHECK (n > 0)); PRAGMA ignore_check_constraints = on; INSERT INTO t VALUES ('x', -1);
        CREATE TABLE u (a); INSERT INTO u VALUES (NULL); PRAGMA writable_schema = on; UPDATE sqlite_schema SET sql = 'CREATE TABLE u (a NOT NULL)' WHERE name = 'u'";
    let (archive, ..) = here.dump(&here.database("old.db", sql)).expect("a dump");
    here.restore(&archive, &here.path("copy.db"), false).expect("a restore");
    let warnings = here.warnings();
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(warnings[0].contains("NULL value in u.a"), "{warnings:?}");
}

#[test]
fn a_schema_that_needs_the_applications_own_functions_is_checked_as_far_as_it_can_be() {
    let here = Here::new();
    let sql = "CREATE TABLE plain (a); CREATE TABLE own (a TEXT); CREATE INDEX own_a ON own (a); INSERT INTO own VALUES ('x'); PRAGMA writable_schema = on;
        UPDATE sqlite_schema SET sql = 'CREATE TABLE own (a TEXT COLLATE german)' WHERE name = 'own'";
    let (archive, ..) = here.dump(&here.database("old.db", sql)).expect("a dump");
    here.restore(&archive, &here.path("copy.db"), false).expect("a restore");
    assert_eq!(here.warnings(), own_table("no such collation sequence: german"));
}

/// What is warned of the table `own`: at the dump, then at the restore.
fn own_table(why: &str) -> [String; 2] {
    ["a restore cannot check a table", "a table could not be checked"]
        .map(|what| format!("{what}, since it needs something of the application's: `own`: {why}"))
}

#[test]
fn a_table_whose_index_or_column_calls_the_applications_own_function_is_restored() {
    for wal in ["PRAGMA journal_mode = wal;", ""] {
        for own in [
            "CREATE TABLE own (a); CREATE INDEX i ON own (abs(a))",
            "CREATE TABLE own (a); CREATE INDEX i ON own (a) WHERE abs(a) > 2",
            "CREATE TABLE own (a, b AS (abs(a)) VIRTUAL); CREATE INDEX i ON own (b)",
        ] {
            let here = Here::new();
            let sql = format!(
                "{wal} {SHOP}; CREATE INDEX n ON product (name); {own}; INSERT INTO own (a) VALUES (1), (2);
                PRAGMA writable_schema = on; UPDATE sqlite_schema SET sql = replace(sql, 'abs(', 'twice(')"
            );
            let path = here.database("shop.db", &sql);
            let (archive, ..) = here.dump(&path).expect("a dump");
            let copy = here.path("copy.db");
            here.restore(&archive, &copy, false).expect("a restore");
            assert_eq!(fs::read(&copy).expect("a file"), fs::read(&path).expect("a file"), "{own}");
            assert_eq!(here.warnings(), own_table("unknown function: twice()"), "{own}");
        }
    }
}

/// What does not need the application is checked all the same.
#[test]
fn damage_beside_a_table_that_cannot_be_checked_is_found() {
    let here = Here::new();
    let sql = "CREATE TABLE own (a TEXT); CREATE INDEX own_a ON own (a); CREATE TABLE plain (a); CREATE INDEX plain_a ON plain (a);
        INSERT INTO plain VALUES (1), (2); PRAGMA writable_schema = on;
        UPDATE sqlite_schema SET sql = 'CREATE TABLE own (a TEXT COLLATE german)' WHERE name = 'own';
        UPDATE sqlite_schema SET rootpage = (SELECT rootpage FROM sqlite_schema WHERE name = 'own_a') WHERE name = 'plain_a'";
    let (archive, ..) = here.dump(&here.database("old.db", sql)).expect("a dump");
    let error = here.restore(&archive, &here.path("copy.db"), false).expect_err("it is unsound");
    assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
}

#[test]
fn mode_and_place_are_those_of_the_file_that_is_replaced() {
    let here = Here::new();
    let path = here.database("shop.db", SHOP);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).expect("a mode");
    let (archive, ..) = here.dump(&path).expect("a dump");
    here.restore(&archive, &here.path("new.db"), false).expect("a restore");
    assert_eq!(fs::metadata(here.path("new.db")).expect("a file").mode() & 0o7777, 0o640, "as it was dumped");
    let real = here.database("real.db", "");
    fs::set_permissions(&real, fs::Permissions::from_mode(0o664)).expect("a mode");
    symlink(&real, here.path("link.db")).expect("a link");
    here.restore(&archive, &here.path("link.db"), false).expect("a restore");
    assert_eq!(fs::metadata(&real).expect("a file").mode() & 0o7777, 0o664, "as it was there");
    assert!(here.path("link.db").symlink_metadata().expect("a link").is_symlink());
    assert_eq!(ask::<i64>(&real, "SELECT count(*) FROM product"), 3);
}

#[test]
fn directories_that_are_missing_are_made() {
    let here = Here::new();
    let (archive, ..) = here.dump(&here.database("shop.db", SHOP)).expect("a dump");
    let deep = here.path("a/b/c.db");
    here.restore(&archive, &deep, false).expect("a restore");
    assert_eq!(ask::<i64>(&deep, "SELECT count(*) FROM product"), 3);
    let error = here.restore(&archive, &here.path("shop.db/x.db"), false).expect_err("a file is no directory");
    assert_eq!(error.kind(), ErrorKind::InvalidConfig, "{error}");
}

#[test]
fn what_a_killed_restore_left_is_taken_away() {
    let here = Here::new();
    let (archive, ..) = here.dump(&here.database("shop.db", SHOP)).expect("a dump");
    fs::write(here.path(".new.db.restoring"), "half a database").expect("a file");
    here.restore(&archive, &here.path("new.db"), false).expect("a restore");
    assert_eq!(here.listing(), ["new.db", "shop.db"]);
    assert_eq!(only(&archive).size, fs::metadata(here.path("new.db")).expect("a file").len());
}
