//! `restore --recreate`: the rollback that people do by hand, with every check before the first step, and what stands where
//! when it fails half way.

use dr_host_tests::postgres::{Options, SUPERUSER, Server};

use super::{configuration, host};

const SHOP: &str = "CREATE TABLE orders (id int PRIMARY KEY, note text); INSERT INTO orders SELECT g, 'old' FROM generate_series(1, 500) g";

/// A server with a database `shop` that was dumped, and then changed.
fn changed(server: &Server, directory: &std::path::Path) -> dr_host_tests::host::Host {
    server.create("shop", "CONNECTION LIMIT 33");
    server.sql("shop", SHOP);
    let host = host(directory, server, "shop", "shop", "");
    host.run(["dump", "out.zip"]).expect(0);
    server.sql("shop", "UPDATE orders SET note = 'new'; CREATE TABLE migrated (a int)");
    host
}

#[test]
fn a_database_goes_back_to_what_it_was() {
    let (server, place) = (Server::start(), tempfile::tempdir().expect("a directory"));
    let host = changed(&server, place.path());
    let refused = host.run(["restore", "out.zip"]).expect(1);
    for part in ["the database `shop` is not empty", "holds: table public.migrated", "holds: table public.orders", "--recreate"] {
        assert!(refused.stderr.contains(part), "{refused}");
    }
    let unanswered = host.run(["restore", "--recreate", "out.zip"]).expect(2);
    assert!(unanswered.stderr.contains("there is nobody to ask") && unanswered.stderr.contains("--yes"), "{unanswered}");
    assert_eq!(server.ask("shop", "SELECT min(note) FROM orders").as_deref(), Some("new"), "nothing was changed");
    host.run(["restore", "--recreate", "--yes", "out.zip"]).expect(0);
    assert_eq!(server.ask("shop", "SELECT count(*) || min(note) || max(note) FROM orders").as_deref(), Some("500oldold"));
    assert_eq!(server.ask("shop", "SELECT to_regclass('migrated')"), None);
    assert_eq!(server.ask("shop", "SELECT datconnlimit::text FROM pg_database WHERE datname = 'shop'").as_deref(), Some("33"));
}

#[test]
fn a_database_that_is_not_there_is_made() {
    let (server, place) = (Server::start(), tempfile::tempdir().expect("a directory"));
    let host = changed(&server, place.path());
    server.sql(SUPERUSER, "DROP DATABASE shop");
    let missing = host.run(["restore", "out.zip"]).expect(1);
    assert!(missing.stderr.contains("database \"shop\" does not exist") && missing.stderr.contains("createdb shop"), "{missing}");
    host.run(["restore", "--recreate", "--yes", "out.zip"]).expect(0);
    assert_eq!(server.ask("shop", "SELECT count(*)::text FROM orders").as_deref(), Some("500"));
}

#[test]
fn sessions_are_named_and_ended_only_when_told() {
    let (server, place) = (Server::start(), tempfile::tempdir().expect("a directory"));
    let host = changed(&server, place.path());
    let mut application = server.client("shop");
    application.batch_execute("SET application_name = 'checkout'; BEGIN; SELECT FROM orders").expect("a transaction");
    let refused = host.run(["restore", "--recreate", "--yes", "out.zip"]).expect(1);
    for part in ["the database `shop` is in use", "`checkout` as `postgres` by a socket, idle in transaction", "--force"] {
        assert!(refused.stderr.contains(part), "{refused}");
    }
    application.batch_execute("COMMIT").expect("it was left in peace");
    assert_eq!(server.ask("shop", "SELECT min(note) FROM orders").as_deref(), Some("new"));
    host.run(["restore", "--recreate", "--force", "--yes", "out.zip"]).expect(0);
    assert!(application.batch_execute("SELECT 1").is_err(), "its session was ended");
    assert_eq!(server.ask("shop", "SELECT min(note) FROM orders").as_deref(), Some("old"));
}

#[test]
fn sessions_of_other_roles_are_named_to_an_owner_too_and_ended_only_where_that_is_allowed() {
    let (server, place) = (Server::start(), tempfile::tempdir().expect("a directory"));
    server.sql(SUPERUSER, "CREATE ROLE keeper LOGIN CREATEDB; CREATE ROLE web LOGIN");
    server.create("shop", "OWNER keeper");
    server.sql("shop", SHOP);
    server.sql("shop", "ALTER TABLE orders OWNER TO keeper");
    std::fs::write(place.path().join("dumprestore.toml"), configuration(&server.url_as("keeper", "shop"), "")).expect("a configuration");
    let host = dr_host_tests::host::Host::new(place.path());
    host.run(["dump", "out.zip"]).expect(0);
    let restore = |force: bool| {
        let mut arguments = vec!["restore", "--recreate", "--yes", "out.zip"];
        arguments.extend(force.then_some("--force"));
        host.run(arguments)
    };
    let refused = |force: bool, parts: [&str; 3]| {
        let ended = restore(force).expect(1);
        assert!(parts.iter().all(|part| ended.stderr.contains(part)), "{ended}");
        assert!(ended.stderr.contains("before_restore"), "found before anything is written: {ended}");
    };
    let mut application = ::postgres::Client::connect(&server.url_as("web", "shop"), ::postgres::NoTls).expect("a connection");
    application.batch_execute("SELECT 1").expect("a session");
    refused(false, ["the database `shop` is in use", "as `web` by a socket", "--force"]);
    refused(true, ["in use by sessions that `keeper` may not end", "role: web", "GRANT pg_signal_backend TO \"keeper\""]);
    let superuser = server.client("shop");
    refused(true, ["in use by sessions that `keeper` may not end", &format!("role: {SUPERUSER}"), "stop what is connected as a superuser"]);
    superuser.close().expect("it ends");
    application.batch_execute("SELECT 1").expect("it was left in peace");
    server.sql(SUPERUSER, "GRANT pg_signal_backend TO keeper");
    restore(true).expect(0);
    assert!(application.batch_execute("SELECT 1").is_err(), "its session was ended");
}

#[test]
fn a_role_that_cannot_give_objects_to_their_owners_is_told_before_anything_is_written() {
    let (server, place) = (Server::start(), tempfile::tempdir().expect("a directory"));
    server.sql(SUPERUSER, "CREATE ROLE keeper LOGIN; CREATE ROLE other LOGIN CREATEDB");
    server.create("shop", "");
    server.sql("shop", SHOP);
    server.sql("shop", "ALTER TABLE orders OWNER TO keeper");
    host(place.path(), &server, "shop", "shop", "").run(["dump", "out.zip"]).expect(0);
    server.create("copy", "OWNER other");
    let restore = |more: &str| {
        std::fs::write(place.path().join("as.toml"), configuration(&server.url_as("other", "copy"), more)).expect("a configuration");
        dr_host_tests::host::Host::new(place.path()).run(["restore", "-c", "as.toml", "out.zip"])
    };
    let refused = restore("").expect(1);
    for part in ["membership in the role `keeper`", "GRANT \"keeper\" TO \"other\"", "owner = \"skip\"", "before_restore"] {
        assert!(refused.stderr.contains(part), "{refused}");
    }
    let refused = restore("owner = \"keeper\"").expect(1);
    assert!(refused.stderr.contains("membership in the role `keeper`") && refused.stderr.contains("or name another"), "{refused}");
    restore("owner = \"skip\"").expect(0);
    assert_eq!(server.ask("copy", "SELECT tableowner::text FROM pg_tables WHERE tablename = 'orders'").as_deref(), Some("other"));
}

#[test]
fn what_the_role_may_not_do_is_told_before_anything_is_dropped() {
    let (server, place) = (Server::start(), tempfile::tempdir().expect("a directory"));
    changed(&server, place.path());
    server.sql(SUPERUSER, "CREATE ROLE weak LOGIN; CREATE ROLE strange LOGIN CREATEDB; GRANT CONNECT ON DATABASE shop TO weak");
    let try_as = |role: &str| {
        std::fs::write(place.path().join("as.toml"), configuration(&server.url_as(role, "shop"), "")).expect("a configuration");
        let host = dr_host_tests::host::Host::new(place.path());
        let ended = host.run(["restore", "--recreate", "--yes", "-c", "as.toml", "out.zip"]).expect(1);
        assert_eq!(server.ask("shop", "SELECT min(note) FROM orders").as_deref(), Some("new"), "{ended}");
        ended.stderr
    };
    assert!(try_as("strange").contains("belongs to `postgres`, so that `strange` may not drop it"));
    server.sql(SUPERUSER, "ALTER DATABASE shop OWNER TO weak");
    let said = try_as("weak");
    assert!(said.contains("`weak` may not make databases") && said.contains("ALTER ROLE \"weak\" CREATEDB"), "{said}");
    server.sql(SUPERUSER, "ALTER ROLE weak CREATEDB");
    let said = try_as("weak");
    assert!(said.contains("is to belong to `postgres`, of which `weak` is no member"), "{said}");
    server.sql(SUPERUSER, "ALTER DATABASE shop IS_TEMPLATE true");
    assert!(try_as(SUPERUSER).contains("is a template"));
    server.sql(SUPERUSER, "ALTER DATABASE shop IS_TEMPLATE false");
}

#[test]
fn a_damaged_archive_destroys_nothing() {
    let (server, place) = (Server::start(), tempfile::tempdir().expect("a directory"));
    let host = changed(&server, place.path());
    let archive = place.path().join("out.zip");
    let mut bytes = std::fs::read(&archive).expect("an archive");
    let middle = bytes.len() / 3;
    bytes[middle] ^= 0x40;
    std::fs::write(&archive, bytes).expect("an archive");
    let ended = host.run(["restore", "--recreate", "--yes", "out.zip"]);
    assert_ne!(ended.code, Some(0), "{ended}");
    assert_eq!(server.ask("shop", "SELECT min(note) FROM orders").as_deref(), Some("new"), "{ended}");
}

#[test]
fn a_restore_that_fails_half_way_says_what_stands_where() {
    let (server, place) = (Server::start(), tempfile::tempdir().expect("a directory"));
    server.create("shop", "");
    server.sql("shop", SHOP);
    // A function that works for who dumped it, and fails when an index calls it at the restore.
    server.sql(
        "shop",
        "CREATE FUNCTION f(int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS $$ BEGIN RETURN (SELECT $1 FROM public.missing); END $$;
        CREATE TABLE public.missing (a int); INSERT INTO missing VALUES (1); CREATE INDEX odd ON orders (f(id)); DROP TABLE missing",
    );
    let host = host(place.path(), &server, "shop", "shop", "");
    host.run(["dump", "out.zip"]).expect(0);
    let ended = host.run(["restore", "--recreate", "--yes", "out.zip"]).expect(1);
    for part in ["CREATE INDEX odd", "`shop` was dropped and made anew, and holds a part of the archive now", "half done: `database`"] {
        assert!(ended.stderr.contains(part), "{ended}");
    }
}

#[test]
fn all_that_the_server_lacks_is_told_at_once() {
    let server = Server::start();
    let place = tempfile::tempdir().expect("a directory");
    server.sql(SUPERUSER, "CREATE ROLE seller; CREATE ROLE reader; CREATE ROLE guarded");
    server.make_tablespace("fast");
    server.create("shop", "OWNER seller");
    server.sql(
        "shop",
        "CREATE TABLE t (a int) TABLESPACE fast; ALTER TABLE t OWNER TO seller; GRANT SELECT ON t TO reader;
        ALTER TABLE t ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON t TO guarded USING (true)",
    );
    host(place.path(), &server, "shop", "shop", "").run(["dump", "out.zip"]).expect(0);
    let other = Server::with(&Options::default());
    other.create("shop", "");
    let restore = |more: &str| {
        let host = host(place.path(), &other, "shop", "shop", more);
        host.run(["restore", "out.zip"])
    };
    let ended = restore("").expect(1);
    for part in [
        "role `seller`",
        "CREATE ROLE \"seller\"",
        "role `reader`",
        "role `guarded`",
        "tablespace `fast`",
        "CREATE TABLESPACE \"fast\"",
        "tablespaces = \"skip\"",
    ] {
        assert!(ended.stderr.contains(part), "`{part}`: {ended}");
    }
    assert_eq!(other.ask("shop", "SELECT count(*)::text FROM pg_class WHERE relname = 't'").as_deref(), Some("0"));
    let ended = restore("owner = \"skip\"\nprivileges = \"skip\"\ntablespaces = \"skip\"\n").expect(1);
    assert!(ended.stderr.contains("role `guarded`") && !ended.stderr.contains("role `seller`"), "{ended}");
    other.sql(SUPERUSER, "CREATE ROLE guarded; CREATE ROLE heir");
    other.sql("shop", "GRANT CREATE ON SCHEMA public TO heir");
    restore("owner = \"heir\"\nprivileges = \"skip\"\ntablespaces = \"skip\"\n").expect(0);
    let facts = "SELECT pg_get_userbyid(relowner) || reltablespace || coalesce(relacl::text, '') FROM pg_class WHERE relname = 't'";
    assert_eq!(other.ask("shop", facts).as_deref(), Some("heir0"));
}

#[test]
fn roles_that_only_the_database_itself_names_are_missed_before_it_is_dropped() {
    let server = Server::start();
    let place = tempfile::tempdir().expect("a directory");
    server.sql(SUPERUSER, "CREATE ROLE reporter; CREATE ROLE visitor");
    server.create("shop", "");
    server.sql("shop", "ALTER ROLE reporter IN DATABASE shop SET work_mem TO '8MB'; GRANT CONNECT ON DATABASE shop TO visitor");
    host(place.path(), &server, "shop", "shop", "").run(["dump", "out.zip"]).expect(0);
    let other = Server::start();
    other.create("shop", "");
    other.sql("shop", "CREATE TABLE mine (a int)");
    let restore = |more: &str| host(place.path(), &other, "shop", "shop", more).run(["restore", "--recreate", "--yes", "out.zip"]);
    let ended = restore("").expect(1);
    assert!(ended.stderr.contains("role `reporter`") && ended.stderr.contains("role `visitor`"), "{ended}");
    assert!(other.ask("shop", "SELECT to_regclass('mine')::text").is_some(), "it still stands there");
    other.sql(SUPERUSER, "CREATE ROLE reporter");
    restore("privileges = \"skip\"\n").expect(0);
    let setting = "SELECT setconfig[1] FROM pg_db_role_setting WHERE setrole = 'reporter'::regrole";
    assert_eq!(other.ask("shop", setting).as_deref(), Some("work_mem=8MB"));
}

/// What the server would refuse at `DROP DATABASE` is told before any set is touched.
#[test]
fn subscriptions_and_slots_that_are_in_the_way_are_named() {
    let server = Server::with(&Options { settings: "wal_level = logical\n".to_owned(), ..Options::default() });
    let place = tempfile::tempdir().expect("a directory");
    let host = changed(&server, place.path());
    server.sql("shop", "CREATE SUBSCRIPTION feed CONNECTION 'dbname=nowhere' PUBLICATION p WITH (connect = false, slot_name = NONE)");
    let refused = host.run(["restore", "--recreate", "--yes", "out.zip"]).expect(1);
    assert!(refused.stderr.contains("has subscriptions, and cannot be dropped: feed"), "{refused}");
    server.sql("shop", "DROP SUBSCRIPTION feed");
    server.sql("shop", "SELECT pg_create_logical_replication_slot('idle', 'test_decoding')");
    let ended = host.run(["restore", "--recreate", "--yes", "out.zip"]).expect(0);
    assert!(ended.stderr.contains("replication slots of the database `shop` go with it: idle"), "{ended}");
}

/// An owner's restore ends with all that it may set, and says what it may not.
#[test]
fn settings_that_the_role_may_not_make_do_not_hinder_the_others() {
    let (server, place) = (Server::start(), tempfile::tempdir().expect("a directory"));
    server.sql(SUPERUSER, "CREATE ROLE keeper LOGIN CREATEDB");
    server.create("shop", "OWNER keeper CONNECTION LIMIT 5");
    server.sql(SUPERUSER, "ALTER DATABASE shop SET session_replication_role = 'origin'; ALTER DATABASE shop SET work_mem = '9MB'; COMMENT ON DATABASE shop IS 'hello'");
    let host = dr_host_tests::host::Host::configured(place.path(), &configuration(&server.url_as("keeper", "shop"), ""));
    host.run(["dump", "out.zip"]).expect(0);
    let ended = host.run(["restore", "--recreate", "--yes", "out.zip"]).expect(0);
    assert!(ended.stderr.contains("SET \"session_replication_role\" TO 'origin'"), "{ended}");
    let database = "SELECT datconnlimit || ' ' || shobj_description(oid, 'pg_database') || ' ' || current_setting('work_mem') FROM pg_database WHERE datname = 'shop'";
    assert_eq!(server.ask("shop", database).as_deref(), Some("5 hello 9MB"));
}
