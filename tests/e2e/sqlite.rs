//! SQLite beside an application that goes on, and beside processes that are in the way: the binary is one process, the test
//! plays the others.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use dr_host_tests::host::{Ended, Host};
use rusqlite::{Connection, TransactionBehavior};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

/// A directory whose configuration dumps `live.db`, and another whose configuration restores to `copy.db`.
struct Shop {
    directory: TempDir,
}

impl Shop {
    fn new() -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let shop = Self { directory };
        shop.configure("dumprestore.toml", "live.db", "");
        shop.configure("copy.toml", "copy.db", "");
        shop
    }

    fn configure(&self, file: &str, path: &str, more: &str) {
        let text = format!("version = 1\n\n[[set]]\nname = \"database\"\ndriver = \"sqlite\"\npath = \"{path}\"\n{more}");
        fs::write(self.path(file), text).expect("a configuration");
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn host(&self) -> Host {
        Host::new(self.directory.path())
    }

    fn run(&self, arguments: &str) -> Ended {
        self.host().run(arguments.split(' '))
    }

    fn database(&self, name: &str, sql: &str) -> PathBuf {
        let path = self.path(name);
        let connection = Connection::open(&path).expect("a database");
        connection.execute_batch(sql).expect("good SQL");
        path
    }
}

fn ask<T: rusqlite::types::FromSql>(path: &Path, sql: &str) -> T {
    Connection::open(path).and_then(|connection| connection.query_row(sql, [], |row| row.get(0))).expect("an answer")
}

/// A bank: the sum of all balances is zero, and each transfer has a row of its own. `ballast` makes a dump take a while.
const BANK: &str = "CREATE TABLE account (id INTEGER PRIMARY KEY, balance INTEGER NOT NULL);
    INSERT INTO account WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 500) SELECT i, 0 FROM n;
    CREATE TABLE transfer (id INTEGER PRIMARY KEY, source INTEGER, target INTEGER, amount INTEGER);
    CREATE TABLE ballast (data BLOB);
    INSERT INTO ballast WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 600) SELECT randomblob(50000) FROM n;";

/// Transfers until told to stop; says how often. Each transfer waits at most `patience` for a lock.
fn transfer(path: &Path, patience: Duration, stop: &AtomicBool, done: &AtomicI64) {
    let mut connection = Connection::open(path).expect("a database");
    connection.busy_timeout(patience).expect("set");
    while !stop.load(Ordering::Relaxed) {
        let (number, amount) = (done.load(Ordering::Relaxed), 7);
        let (source, target) = (number % 500 + 1, number * 31 % 500 + 1);
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).expect("the writer is not locked out");
        transaction.execute("UPDATE account SET balance = balance - ?1 WHERE id = ?2", (amount, source)).expect("a debit");
        transaction.execute("UPDATE account SET balance = balance + ?1 WHERE id = ?2", (amount, target)).expect("a credit");
        transaction.execute("INSERT INTO transfer (source, target, amount) VALUES (?1, ?2, ?3)", (source, target, amount)).expect("a row");
        transaction.commit().expect("the writer is not locked out");
        done.fetch_add(1, Ordering::Relaxed);
    }
}

/// Dumps a bank again and again while another connection transfers, and restores what was dumped.
fn dump_while_transferring(journal_mode: &str, patience: Duration) {
    let shop = Shop::new();
    let live = shop.database("live.db", &format!("PRAGMA journal_mode = {journal_mode}; {BANK}"));
    let (stop, done) = (AtomicBool::new(false), AtomicI64::new(0));
    thread::scope(|scope| {
        let writer = scope.spawn(|| transfer(&live, patience, &stop, &done));
        for round in 0..3 {
            let before = done.load(Ordering::Relaxed);
            shop.run(&format!("dump {round}.zip")).expect(0);
            assert!(done.load(Ordering::Relaxed) > before, "the writer went on during dump {round}");
        }
        stop.store(true, Ordering::Relaxed);
        writer.join().expect("the writer met no lock");
    });
    for round in 0..3 {
        shop.run(&format!("restore --recreate --yes -c copy.toml {round}.zip")).expect(0);
        let copy = shop.path("copy.db");
        assert_eq!(ask::<i64>(&copy, "SELECT sum(balance) FROM account"), 0, "no transfer is half in it");
        let apart =
            "SELECT count(*) FROM account WHERE balance <> (SELECT coalesce(sum(CASE WHEN target = account.id THEN amount ELSE 0 END)
            - sum(CASE WHEN source = account.id THEN amount ELSE 0 END), 0) FROM transfer WHERE account.id IN (source, target))";
        assert_eq!(ask::<i64>(&copy, apart), 0, "each balance is that of the transfers");
        assert_eq!(ask::<String>(&copy, "PRAGMA integrity_check"), "ok");
        assert_eq!(ask::<String>(&copy, "PRAGMA journal_mode"), journal_mode);
    }
}

#[test]
fn a_writer_with_a_wal_never_waits_and_the_dump_is_one_instant() {
    dump_while_transferring("wal", Duration::ZERO);
}

#[test]
fn a_writer_with_a_rollback_journal_waits_for_a_copy_at_most_and_the_dump_is_one_instant() {
    dump_while_transferring("delete", Duration::from_secs(5));
}

#[test]
fn a_database_that_another_process_has_open_is_not_replaced_whatever_is_said() {
    for journal_mode in ["wal", "delete"] {
        let shop = Shop::new();
        shop.database("live.db", "CREATE TABLE t (a)");
        shop.run("dump out.zip").expect(0);
        let copy = shop.database("copy.db", &format!("PRAGMA journal_mode = {journal_mode}; CREATE TABLE mine (a)"));
        let application = Connection::open(&copy).expect("a database");
        application.execute_batch("INSERT INTO mine VALUES (1)").expect("good SQL");
        let ended = shop.run("restore --recreate --yes -c copy.toml out.zip").expect(1);
        let me = format!("(process {})", std::process::id());
        assert!(ended.stderr.contains("is open in `") && ended.stderr.contains(&me), "{ended}");
        assert!(ended.stderr.contains("stop the application first"), "{ended}");
        assert_eq!(application.query_row("SELECT count(*) FROM mine", [], |row| row.get::<_, i64>(0)).expect("an answer"), 1);
        drop(application);
        shop.run("restore --recreate --yes -c copy.toml out.zip").expect(0);
        assert_eq!(ask::<i64>(&copy, "SELECT count(*) FROM t"), 0);
    }
}

#[test]
fn a_database_with_something_in_it_is_replaced_only_when_told() {
    let shop = Shop::new();
    shop.database("live.db", "CREATE TABLE t (a)");
    shop.run("dump out.zip").expect(0);
    let copy = shop.database("copy.db", "CREATE TABLE customer (a); INSERT INTO customer VALUES (1), (2)");
    let before = fs::read(&copy).expect("a file");
    let ended = shop.run("restore -c copy.toml out.zip").expect(1);
    assert!(ended.stderr.contains("holds a database of 1 table: `customer` with 2 rows"), "{ended}");
    assert!(ended.stderr.contains("--recreate"), "{ended}");
    assert_eq!(fs::read(&copy).expect("a file"), before);
    shop.run("restore --recreate --yes -c copy.toml out.zip").expect(0);
    assert_eq!(ask::<i64>(&copy, "SELECT count(*) FROM t"), 0);
}

#[test]
fn a_lock_is_waited_for_as_long_as_told_and_no_longer_than_wanted() {
    let shop = Shop::new();
    shop.configure("impatient.toml", "live.db", "lock_timeout = \"200ms\"\n");
    let live = shop.database("live.db", "CREATE TABLE t (a)");
    let application = Connection::open(live).expect("a database");
    application.execute_batch("BEGIN EXCLUSIVE").expect("a lock");
    let ended = shop.run("dump -c impatient.toml out.zip").expect(1);
    assert!(ended.stderr.contains("is locked by another process") && ended.stderr.contains("lock_timeout"), "{ended}");
    let waiting = shop.host().start(["dump", "--json", "out.zip"]);
    thread::sleep(Duration::from_millis(500));
    kill_process(Pid::from_raw(waiting.id().cast_signed()).expect("a process"), Signal::TERM).expect("a signal");
    assert_eq!(waiting.wait().code, Some(143), "long before the thirty seconds that it would wait");
    let waiting = shop.host().start(["dump", "--json", "out.zip"]);
    thread::sleep(Duration::from_millis(500));
    application.execute_batch("INSERT INTO t VALUES (1); COMMIT").expect("a commit");
    let ended = waiting.wait().expect(0);
    assert_eq!(ended.events_of("finished").len(), 1);
    shop.run("restore -c copy.toml out.zip").expect(0);
    assert_eq!(ask::<i64>(&shop.path("copy.db"), "SELECT count(*) FROM t"), 1, "what it waited for is in it");
}

#[test]
fn a_transaction_that_was_killed_is_rolled_back_before_the_dump() {
    let shop = Shop::new();
    let sql = "PRAGMA cache_size = 5; CREATE TABLE t (a, b); INSERT INTO t WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000) SELECT 'old', randomblob(500) FROM n";
    let path = shop.database("application.db", sql);
    let application = Connection::open(&path).expect("a database");
    application.execute_batch("PRAGMA cache_size = 5; BEGIN; UPDATE t SET a = 'new'").expect("good SQL");
    for suffix in ["", "-journal"] {
        fs::copy(shop.path(&format!("application.db{suffix}")), shop.path(&format!("live.db{suffix}"))).expect("a copy");
    }
    assert!(fs::metadata(shop.path("live.db-journal")).expect("a hot journal").len() > 0);
    shop.run("dump out.zip").expect(0);
    shop.run("restore -c copy.toml out.zip").expect(0);
    assert_eq!(ask::<i64>(&shop.path("copy.db"), "SELECT count(*) FROM t WHERE a = 'old'"), 2000);
}

#[test]
fn an_unsound_database_is_not_put_in_the_place_of_a_sound_one() {
    let shop = Shop::new();
    let live = shop.database("live.db", "CREATE TABLE t (a); CREATE INDEX i ON t (a); INSERT INTO t WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000) SELECT i FROM n");
    let mut bytes = fs::read(&live).expect("a file");
    let last = bytes.len() - 2000;
    bytes[last..].iter_mut().for_each(|byte| *byte ^= 0x55);
    fs::write(&live, bytes).expect("a file");
    shop.run("dump out.zip").expect(0);
    let copy = shop.database("copy.db", "CREATE TABLE mine (a)");
    let before = fs::read(&copy).expect("a file");
    let ended = shop.run("restore --recreate --yes -c copy.toml out.zip").expect(1);
    assert!(ended.stderr.contains("unsound"), "{ended}");
    assert_eq!(fs::read(&copy).expect("a file"), before);
    let beside: Vec<_> = fs::read_dir(shop.directory.path()).expect("a directory").flatten().map(|entry| entry.file_name()).collect();
    assert!(!beside.iter().any(|name| name.to_string_lossy().contains("restoring")), "{beside:?}");
}

/// What stands at a target whose restore was killed must be one of two.
const OLD: &str = "CREATE TABLE age (a); INSERT INTO age VALUES ('old'); CREATE TABLE t (a);
    INSERT INTO t WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300) SELECT randomblob(3000) FROM n;";

#[test]
fn a_restore_that_is_killed_leaves_the_old_database_or_the_new() {
    let shop = Shop::new();
    let live =
        shop.database("live.db", &format!("PRAGMA journal_mode = wal; {}", OLD.replace("'old'", "'new'").replace("< 300", "< 3000")));
    shop.run("dump out.zip").expect(0);
    drop(live);
    shop.database("old.db", &format!("PRAGMA journal_mode = wal; {OLD}"));
    let old = Connection::open(shop.path("old.db")).expect("a database");
    old.execute_batch("PRAGMA wal_autocheckpoint = 0; UPDATE t SET a = zeroblob(3000); UPDATE age SET a = 'older'").expect("good SQL");
    let copy = shop.path("copy.db");
    let restore = ["restore", "--recreate", "--yes", "-q", "-c", "copy.toml", "out.zip"];
    let put_old = || {
        for suffix in ["", "-wal", "-shm"] {
            let _ = fs::remove_file(shop.path(&format!("copy.db{suffix}")));
        }
        for suffix in ["", "-wal"] {
            fs::copy(shop.path(&format!("old.db{suffix}")), shop.path(&format!("copy.db{suffix}"))).expect("a copy");
        }
    };
    put_old();
    let begun = Instant::now();
    shop.host().run(restore).expect(0);
    let takes = begun.elapsed();
    let mut ages = [0, 0];
    for step in 0..400 {
        // The time that a whole restore took has passed; a busy machine may need longer now than it did then.
        if step >= 40 && ages[1] > 0 {
            break;
        }
        put_old();
        let mut killed = shop.host().command(restore).spawn().expect("started");
        thread::sleep(takes * step / 36);
        killed.kill().expect("killed");
        killed.wait().expect("gone");
        assert_eq!(ask::<String>(&copy, "PRAGMA integrity_check"), "ok", "killed at step {step}");
        match ask::<String>(
            &copy,
            "SELECT a || ' ' || (SELECT count(*) FROM t) || ' ' || (SELECT count(*) FROM t WHERE a = zeroblob(3000)) FROM age",
        )
        .as_str()
        {
            "older 300 300" => ages[0] += 1,
            "new 3000 0" => ages[1] += 1,
            other => panic!("killed at step {step}, it is neither: {other}"),
        }
    }
    assert!(ages[0] > 0 && ages[1] > 0, "both ages were met: {ages:?}");
    put_old();
    shop.host().run(restore).expect(0);
    let names: Vec<String> = fs::read_dir(shop.directory.path())
        .expect("a directory")
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    assert!(!names.iter().any(|name| name.contains("restoring")), "the next restore takes away what the killed ones left: {names:?}");
}

#[test]
fn a_dump_that_is_killed_leaves_nothing_beside_the_database() {
    let shop = Shop::new();
    let live = shop.database("live.db", BANK);
    let begun = Instant::now();
    shop.run("dump first.zip").expect(0);
    let takes = begun.elapsed();
    for step in 0..20 {
        let mut killed = shop.host().command(["dump", "-q", "second.zip"]).spawn().expect("started");
        thread::sleep(takes * step / 18);
        killed.kill().expect("killed");
        killed.wait().expect("gone");
        let names: Vec<String> = fs::read_dir(shop.directory.path())
            .expect("a directory")
            .flatten()
            .map(|entry| entry.file_name().to_string_lossy().into_owned())
            .collect();
        assert!(!names.iter().any(|name| name.contains("copy-") || name.starts_with("live.db-")), "killed at step {step}: {names:?}");
        let _ = fs::remove_file(shop.path("second.zip"));
    }
    assert_eq!(ask::<String>(&live, "PRAGMA integrity_check"), "ok");
}

/// SQLite keeps no data in the page at 1 GiB, where its locks are, and `sqlite_dbpage` has to make that page up.
#[test]
fn a_database_beyond_a_gibibyte_keeps_its_pages_in_their_places() {
    let shop = Shop::new();
    let live = shop.database(
        "live.db",
        "PRAGMA page_size = 65536; PRAGMA journal_mode = off; PRAGMA synchronous = off; CREATE TABLE t (a);
         INSERT INTO t VALUES (zeroblob(600000000)); INSERT INTO t VALUES (zeroblob(480000000)); INSERT INTO t VALUES ('behind the locks');
         PRAGMA journal_mode = wal",
    );
    assert!(fs::metadata(&live).expect("a file").len() > 1 << 30);
    shop.run("dump -q out.zip").expect(0);
    fs::remove_file(live).expect("room");
    shop.run("restore -q -c copy.toml out.zip").expect(0);
    assert_eq!(ask::<String>(&shop.path("copy.db"), "SELECT a FROM t WHERE typeof(a) = 'text'"), "behind the locks");
}
