//! What goes wrong with PostgreSQL: each is one clear error that names the set, the table and the cause, and nothing is left
//! that looks like an archive.

use std::os::unix::fs::PermissionsExt;
use std::thread;
use std::time::{Duration, Instant};

use dr_host_tests::host::{Ended, Host};
use dr_host_tests::postgres::{Options, Server};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

fn host(server: &Server, role: &str, more: &str) -> (TempDir, Host) {
    let directory = tempfile::tempdir().expect("a directory");
    let url = server.url_as(role, "shop");
    let set = format!("version = 1\n[[set]]\nname = \"database\"\ndriver = \"postgres\"\nurl = \"{url}\"\n{more}");
    let host = Host::configured(directory.path(), &set);
    (directory, host)
}

/// A server with a database `shop` that holds this.
fn shop(sql: &str) -> Server {
    let server = Server::start();
    server.create("shop", "");
    server.sql("shop", sql);
    server
}

/// A table that takes a while to copy.
const LARGE: &str = "CREATE TABLE big AS SELECT g AS id, repeat(md5(g::text), 60) AS text FROM generate_series(1, 60000) g";

/// The run failed with exit code 1, said all of this, and left no archive.
#[track_caller]
fn failed(directory: &TempDir, ended: Ended, words: &[&str]) {
    let ended = ended.expect(1);
    for word in words {
        assert!(ended.stderr.contains(word), "`{word}` is missing: {ended}");
    }
    assert_eq!(ended.stderr.matches("error").count(), 1, "one error: {ended}");
    nothing_left(directory);
}

#[track_caller]
fn nothing_left(directory: &TempDir) {
    let left: Vec<_> = std::fs::read_dir(directory.path()).expect("a directory").flatten().map(|entry| entry.file_name()).collect();
    assert_eq!(left, ["dumprestore.toml"]);
}

/// Waits until a dump copies, then does something to the server.
fn while_copying(server: &Server, host: &Host, deed: impl FnOnce()) -> Ended {
    while_copying_in(server, host, "dump", deed)
}

/// The same for a dump or a restore.
fn while_copying_in(server: &Server, host: &Host, command: &str, deed: impl FnOnce()) -> Ended {
    thread::scope(|scope| {
        let dump = scope.spawn(|| host.run([command, "out.zip"]));
        let mut client = server.client("postgres");
        let begun = Instant::now();
        let copying =
            "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'dr-host' AND query LIKE 'COPY%' AND state = 'active'";
        while client.query_one(copying, &[]).expect("an answer").get::<_, i64>(0) == 0 {
            assert!(begun.elapsed() < Duration::from_secs(30), "the {command} never copies");
            thread::sleep(Duration::from_millis(2));
        }
        drop(client);
        deed();
        dump.join().expect("it ends")
    })
}

#[test]
fn a_locked_table_is_named_with_who_holds_it() {
    let server = shop("CREATE TABLE orders (id int); CREATE TABLE other (id int)");
    let mut migration = server.client("shop");
    migration.batch_execute("BEGIN; ALTER TABLE orders ADD COLUMN note text").expect("an open migration");
    let (directory, host) = host(&server, "postgres", "lock_timeout = \"300ms\"\n");
    failed(
        &directory,
        host.run(["dump", "out.zip"]),
        &["database", "locked: public.orders by process", "ALTER TABLE orders", "lock_timeout"],
    );
}

#[test]
fn a_table_that_is_dropped_while_its_lock_is_waited_for_is_no_error() {
    let server = shop("CREATE TABLE orders (id int); CREATE TABLE other (id int)");
    let mut migration = server.client("shop");
    migration.batch_execute("BEGIN; DROP TABLE orders").expect("an open migration");
    let (_directory, host) = host(&server, "postgres", "");
    thread::scope(|scope| {
        let dump = scope.spawn(|| host.run(["dump", "out.zip"]));
        thread::sleep(Duration::from_millis(700));
        migration.batch_execute("COMMIT").expect("it commits");
        dump.join().expect("the dump ends").expect(0);
    });
    let listed = host.run(["list", "--entries", "out.zip"]).expect(0);
    assert!(!listed.stdout.contains("orders"), "{listed}");
}

/// Tables change their names while the dump waits for their locks: what it then reads is what they are called in its snapshot.
#[test]
fn tables_that_change_places_while_their_locks_are_waited_for_are_read_as_one_state() {
    let server = shop(
        "CREATE TABLE orders (what text); CREATE TABLE orders_new (what text); CREATE TABLE meta (v text);
        INSERT INTO orders VALUES ('old'); INSERT INTO orders_new VALUES ('new'); INSERT INTO meta VALUES ('before')",
    );
    let (_directory, host) = host(&server, "postgres", "");
    let mut application = server.client("shop");
    application
        .batch_execute(
            "BEGIN; UPDATE meta SET v = 'after'; ALTER TABLE orders RENAME TO orders_old; ALTER TABLE orders_new RENAME TO orders",
        )
        .expect("it may");
    thread::scope(|scope| {
        let dump = scope.spawn(|| host.run(["dump", "out.zip"]));
        let begun = Instant::now();
        while server.ask("postgres", "SELECT count(*) FROM pg_locks WHERE NOT granted").as_deref() == Some("0") {
            assert!(begun.elapsed() < Duration::from_secs(30), "the dump does not wait");
        }
        application.batch_execute("COMMIT").expect("it may");
        dump.join().expect("the dump ends").expect(0);
    });
    server.sql("postgres", "DROP DATABASE shop WITH (FORCE)");
    server.create("shop", "TEMPLATE template0");
    host.run(["restore", "out.zip"]).expect(0);
    assert_eq!(server.ask("shop", "SELECT orders.what || ' ' || v FROM orders, meta").as_deref(), Some("new after"));
}

#[test]
fn a_prepared_transaction_that_holds_a_lock_is_named() {
    let server = Server::with(&Options { settings: "max_prepared_transactions = 2\n".to_owned(), ..Options::default() });
    server.create("shop", "");
    server.sql("shop", "CREATE TABLE orders (a int)");
    server.sql("shop", "BEGIN; ALTER TABLE orders ADD COLUMN b int; PREPARE TRANSACTION 'half'");
    let (directory, host) = host(&server, "postgres", "lock_timeout = \"300ms\"\n");
    failed(&directory, host.run(["dump", "out.zip"]), &["locked: public.orders by a prepared transaction", "pg_prepared_xacts"]);
}

/// Runs a statement in a session of its own, and returns when it waits for a lock.
fn waits_for_a_lock(server: &Server, statement: &'static str) -> thread::JoinHandle<()> {
    let (mut client, mut watcher) = (server.client("shop"), server.client("postgres"));
    let process: i32 = client.query_one("SELECT pg_backend_pid()", &[]).expect("an answer").get(0);
    let waiting = thread::spawn(move || client.batch_execute(statement).expect("it goes through in the end"));
    let begun = Instant::now();
    let waits = "SELECT FROM pg_locks WHERE pid = $1 AND NOT granted";
    while watcher.query(waits, &[&process]).expect("an answer").is_empty() {
        assert!(!waiting.is_finished(), "`{statement}` does not wait");
        assert!(begun.elapsed() < Duration::from_secs(30), "`{statement}` does not wait");
        thread::sleep(Duration::from_millis(2));
    }
    waiting
}

/// What would empty, rewrite or drop a table waits until the dump is over, whether the table is being read or its turn is still to
/// come.
#[test]
fn who_alters_tables_in_the_middle_of_a_dump_waits_and_the_dump_is_whole() {
    let server = shop(LARGE);
    server.sql("shop", "CREATE TABLE small AS SELECT g AS id FROM generate_series(1, 1000) g; CREATE TABLE empty (id int)");
    let (_directory, host) = host(&server, "postgres", "jobs = 1\n");
    let mut waiting = Vec::new();
    while_copying(&server, &host, || {
        let begun = Instant::now();
        let sessions = "SELECT count(DISTINCT pid) FROM pg_locks WHERE relation = 'small'::regclass AND granted";
        while server.ask("shop", sessions).as_deref() < Some("2") {
            assert!(begun.elapsed() < Duration::from_secs(30), "`pg_dump` never locks the tables");
        }
        waiting.extend(["VACUUM FULL big", "DROP TABLE small", "TRUNCATE empty"].map(|statement| waits_for_a_lock(&server, statement)));
    })
    .expect(0);
    waiting.into_iter().for_each(|waiting| waiting.join().expect("it goes through when the dump is over"));
    assert_eq!(server.ask("shop", "SELECT to_regclass('small')"), None);
    server.sql("postgres", "DROP DATABASE shop");
    server.create("shop", "TEMPLATE template0");
    host.run(["restore", "out.zip"]).expect(0);
    let rows = "SELECT (SELECT count(*) FROM big) || ' ' || (SELECT count(*) FROM small) || ' ' || (SELECT count(*) FROM empty)";
    assert_eq!(server.ask("shop", rows).as_deref(), Some("60000 1000 0"));
}

/// `pg_dump` locks the tables itself, and may come too late.
#[test]
fn who_waits_to_alter_a_table_before_pg_dump_has_locked_it_is_named() {
    let server = shop(LARGE);
    let slow = tempfile::tempdir().expect("a directory");
    let pg_dump = server.installation().bin().join("pg_dump");
    let script = format!("#!/bin/sh\n[ \"$1\" = --version ] || sleep 2\nexec '{}' \"$@\"\n", pg_dump.display());
    std::fs::write(slow.path().join("pg_dump"), script).expect("a script");
    std::fs::set_permissions(slow.path().join("pg_dump"), std::fs::Permissions::from_mode(0o755)).expect("set");
    let more = format!("lock_timeout = \"1s\"\npg_bin = \"{}\"\n", slow.path().display());
    let (directory, host) = host(&server, "postgres", &more);
    let mut waiting = None;
    let ended = while_copying(&server, &host, || waiting = Some(waits_for_a_lock(&server, "DROP TABLE big")));
    failed(
        &directory,
        ended,
        &["database (postgres, dump): `pg_dump` failed", "public.big", "DROP TABLE big", "when no migration is running"],
    );
    waiting.expect("it was begun").join().expect("it goes through when the dump is over");
}

#[test]
fn what_the_role_may_not_read_is_named_all_of_it() {
    let server = shop(
        "CREATE ROLE clerk LOGIN; CREATE TABLE open (id int); GRANT SELECT ON open TO clerk;
         CREATE TABLE one (id int); CREATE TABLE two (id serial)",
    );
    let (directory, host) = host(&server, "clerk", "");
    failed(&directory, host.run(["dump", "out.zip"]), &["public.one", "public.two", "public.two_id_seq", "pg_read_all_data"]);
}

/// A database of no encoding may have names that no text of ours can hold.
#[test]
fn names_that_are_not_utf_8_are_told_before_anything_is_written() {
    let server = Server::start();
    server.create("shop", "ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0");
    let named = "CREATE TABLE fine (id int); CREATE TABLE \"Größe\" (id int); CREATE TABLE article (id int);
        DO $$ BEGIN EXECUTE format('CREATE TABLE %I (id int)', 'gr' || chr(246) || chr(223) || 'e');
                    EXECUTE format('ALTER TABLE article ADD %I int', 'pr' || chr(228) || 'is'); END $$";
    server.sql("shop", named);
    let (directory, host) = host(&server, "postgres", "");
    failed(
        &directory,
        host.run(["dump", "out.zip"]),
        &["database", "table: public.gr\\xf6\\xdfe", "column: public.article.pr\\xe4is", "not UTF-8", "ALTER TABLE"],
    );
}

/// Roles belong to the whole server, and their names are bytes of the encoding in whose database they were made.
#[test]
fn a_role_that_was_named_in_another_encoding_is_told() {
    let server = shop("CREATE TABLE orders (id int)");
    server.create("latin", "ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0");
    server.sql("latin", "CREATE ROLE \"Verkäufer\"");
    server.sql(
        "shop",
        "DO $$ BEGIN EXECUTE (SELECT format('ALTER TABLE orders OWNER TO %I', rolname) FROM pg_roles WHERE rolname LIKE 'Verk%'); END $$",
    );
    let (directory, host) = host(&server, "postgres", "");
    failed(&directory, host.run(["dump", "out.zip"]), &["not UTF-8", "text: Verk\\xe4ufer", "rename"]);
}

#[test]
fn row_security_that_hides_rows_is_an_error() {
    let server = shop(
        "CREATE ROLE clerk LOGIN; CREATE TABLE orders (id int, who text); ALTER TABLE orders ENABLE ROW LEVEL SECURITY;
         CREATE POLICY own ON orders USING (who = current_user); GRANT SELECT ON orders TO clerk",
    );
    let (directory, as_clerk) = host(&server, "clerk", "");
    failed(&directory, as_clerk.run(["dump", "out.zip"]), &["row security", "public.orders", "BYPASSRLS"]);
    let (_directory, as_owner) = host(&server, "postgres", "");
    as_owner.run(["dump", "out.zip"]).expect(0);
}

#[test]
fn a_pg_dump_that_is_missing_is_told_with_what_is_needed() {
    let server = shop("CREATE TABLE orders (id int)");
    let (directory, host) = host(&server, "postgres", "pg_bin = \"/no/such/directory\"\n");
    let ended = host.run(["dump", "out.zip"]);
    failed(&directory, ended, &["`pg_dump` 1", "or newer is needed", "/no/such/directory", "pg_bin"]);
}

#[test]
fn a_killed_backend_is_one_error_that_names_the_table() {
    let server = shop(LARGE);
    let (directory, host) = host(&server, "postgres", "");
    let ended = while_copying(&server, &host, || {
        server.sql(
            "postgres",
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'dr-host' AND query LIKE 'COPY%'",
        );
    });
    // The server's own words are lost where the connection breaks before they were read.
    let told = ["terminating connection", "the server closed the connection"];
    assert!(told.iter().any(|cause| ended.stderr.contains(cause)), "{ended}");
    failed(&directory, ended, &["database", "public.big"]);
}

#[test]
fn a_backend_that_is_killed_in_a_restore_is_one_error_that_says_what_stands_where() {
    let server = shop(LARGE);
    let (_directory, host) = host(&server, "postgres", "");
    host.run(["dump", "out.zip"]).expect(0);
    server.sql("postgres", "DROP DATABASE shop");
    server.create("shop", "TEMPLATE template0");
    let ended = while_copying_in(&server, &host, "restore", || {
        server.sql(
            "postgres",
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'dr-host' AND query LIKE 'COPY%'",
        );
    })
    .expect(1);
    for word in [
        "error: database (postgres, restore): cannot load the rows of `public.big`: ",
        "`shop` was empty before, and holds a part of the archive now",
        "half done: `database`",
    ] {
        assert!(ended.stderr.contains(word), "`{word}` is missing: {ended}");
    }
}

/// The one that exported the snapshot waits while others copy: without it they cannot go on.
#[test]
fn a_killed_session_of_the_snapshot_is_told_with_the_table() {
    let server = shop(LARGE);
    let (directory, host) = host(&server, "postgres", "jobs = 1\npart_size = \"64kB\"\n");
    let first = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'dr-host' ORDER BY backend_start LIMIT 1";
    let ended = while_copying(&server, &host, || server.sql("postgres", first));
    failed(&directory, ended, &["cannot read the rows of `public.big`", "snapshot", "the server's log says why"]);
}

#[test]
fn a_server_that_is_shut_down_is_one_error() {
    let mut server = shop(LARGE);
    let (directory, host) = host(&server, "postgres", "");
    let ended = while_copying(&server, &host, || server.signal(Signal::INT));
    failed(&directory, ended, &["database"]);
    server.restart();
}

#[test]
fn timeouts_of_idle_transactions_do_not_end_a_snapshot() {
    let server = shop(LARGE);
    server.sql(
        "shop",
        "ALTER DATABASE shop SET idle_in_transaction_session_timeout = '50ms'; ALTER DATABASE shop SET statement_timeout = '40ms'",
    );
    let (_directory, host) = host(&server, "postgres", "");
    host.run(["dump", "out.zip"]).expect(0);
}

#[test]
fn an_interrupted_dump_leaves_no_archive_and_no_session() {
    let server = shop(LARGE);
    let (directory, host) = host(&server, "postgres", "");
    let running = host.start(["dump", "--json", "out.zip"]);
    let begun = Instant::now();
    let sessions = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'dr-host'";
    while server.ask("postgres", sessions).as_deref() < Some("3") && begun.elapsed() < Duration::from_secs(20) {}
    let process = Pid::from_raw(i32::try_from(running.id()).expect("a process id")).expect("a process id");
    kill_process(process, Signal::TERM).expect("it can be signalled");
    running.wait().expect(143);
    nothing_left(&directory);
    let begun = Instant::now();
    while server.ask("postgres", sessions).as_deref() != Some("0") {
        assert!(begun.elapsed() < Duration::from_secs(5), "sessions are left");
    }
}

#[test]
fn a_database_that_holds_something_is_not_restored_into() {
    let server = shop("CREATE TABLE orders (id int)");
    let (_directory, host) = host(&server, "postgres", "");
    host.run(["dump", "out.zip"]).expect(0);
    server.sql("shop", "CREATE VIEW latest AS SELECT 1; CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'");
    let ended = host.run(["restore", "out.zip"]).expect(1);
    for word in ["is not empty", "table public.orders", "view public.latest", "function public.f()", "--recreate"] {
        assert!(ended.stderr.contains(word), "`{word}` is missing: {ended}");
    }
}

/// Each of these alone makes a database one that a user has worked on.
#[test]
fn whatever_a_user_made_is_found() {
    let server = shop("CREATE TABLE orders (id int)");
    let (_directory, host) = host(&server, "postgres", "");
    host.run(["dump", "out.zip"]).expect(0);
    for (made, word) in [
        ("CREATE TYPE shell", "type public.shell"),
        ("CREATE CONVERSION c FOR 'LATIN1' TO 'UTF8' FROM iso8859_1_to_utf8", "conversion public.c"),
        (
            "CREATE TEXT SEARCH PARSER p (START = prsd_start, GETTOKEN = prsd_nexttoken, END = prsd_end, LEXTYPES = prsd_lextype)",
            "parser public.p",
        ),
        ("CREATE ACCESS METHOD m TYPE TABLE HANDLER heap_tableam_handler", "access method m"),
        ("CREATE SUBSCRIPTION s CONNECTION 'dbname=nowhere' PUBLICATION p WITH (connect = false, slot_name = NONE)", "subscription s"),
    ] {
        if server.ask("shop", "SELECT count(*) FROM pg_subscription").as_deref() == Some("1") {
            server.sql("shop", "DROP SUBSCRIPTION s");
        }
        server.sql("postgres", "DROP DATABASE shop");
        server.create("shop", "TEMPLATE template0");
        server.sql("shop", made);
        let ended = host.run(["restore", "out.zip"]).expect(1);
        assert!(ended.stderr.contains("is not empty") && ended.stderr.contains(word), "`{word}` is missing: {ended}");
    }
    server.sql("shop", "DROP SUBSCRIPTION s; ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO PUBLIC");
    let ended = host.run(["restore", "out.zip"]).expect(0);
    assert!(ended.stderr.contains("default privileges are set for what `postgres` makes"), "{ended}");
}

#[test]
fn what_pg_restore_fails_at_is_the_error_and_never_a_success() {
    let server = shop("CREATE TABLE orders (id int); CREATE ROLE shopkeeper; CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'");
    server.sql("shop", "CREATE TABLE bad (id int); ALTER TABLE bad OWNER TO shopkeeper");
    let (_directory, host) = host(&server, "postgres", "");
    host.run(["dump", "out.zip"]).expect(0);
    server.sql("postgres", "DROP DATABASE shop");
    server.create("shop", "TEMPLATE template0");
    server.sql("shop", "DROP ROLE shopkeeper");
    let ended = host.run(["restore", "out.zip"]).expect(1);
    assert!(ended.stderr.contains("shopkeeper"), "{ended}");
}

/// The database that is restored into stands in a tablespace on a disk of its own, which its rows do not fit.
#[test]
fn a_disk_of_the_server_that_is_full_is_one_error_that_says_what_stands_where() {
    let Some(server) = Server::with_disk("24m") else { return };
    server.create("shop", "");
    server.sql("shop", "CREATE TABLE big AS SELECT g AS id, repeat(md5(g::text), 60) AS text FROM generate_series(1, 15000) g");
    let (_directory, host) = host(&server, "postgres", "");
    host.run(["dump", "out.zip"]).expect(0);
    server.sql("postgres", "DROP DATABASE shop");
    server.sql("postgres", &format!("CREATE TABLESPACE small LOCATION '{}'", server.disk().display()));
    server.create("shop", "TABLESPACE small TEMPLATE template0");
    let ended = host.run(["restore", "out.zip"]).expect(1);
    for word in [
        "error: database (postgres, restore): cannot load the rows of `public.big`: ",
        "free some space on the server's disk",
        "`shop` was empty before, and holds a part of the archive now",
        "half done: `database`",
    ] {
        assert!(ended.stderr.contains(word), "`{word}` is missing: {ended}");
    }
    // The last page that a full disk takes may be half a page, which the server tells in other words.
    let told = ["No space left on device", "wrote only 4096 of 8192 bytes"];
    assert!(told.iter().any(|cause| ended.stderr.contains(cause)), "{ended}");
    assert_eq!(ended.stderr.matches("error: database").count(), 1, "one error of the set: {ended}");
    assert!(!ended.stdout.contains("restored") && !ended.stderr.contains("restored"), "no claim of success: {ended}");
}
