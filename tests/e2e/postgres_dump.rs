//! PostgreSQL through the command line: how tables become entries, what is left out, what links find, and what comes back.

use std::thread;
use std::time::Duration;

use dr_host_tests::host::{Ended, Host};
use dr_host_tests::postgres::{Options, Server};
use serde_json::Value;
use tempfile::TempDir;

/// A directory with a configuration of one set, `database`, that points to the database which `DB` names.
fn shop(server: &Server, more: &str) -> (TempDir, Host) {
    let directory = tempfile::tempdir().expect("a directory");
    let host = configured(&directory, server, more);
    (directory, host)
}

fn configured(directory: &TempDir, server: &Server, more: &str) -> Host {
    let url = server.url("DATABASE").replace("DATABASE", "${DB}");
    let set = format!("version = 1\n[[set]]\nname = \"database\"\ndriver = \"postgres\"\nurl = \"{url}\"\n{more}");
    Host::configured(directory.path(), &set)
}

fn run(host: &Host, database: &str, arguments: &[&str]) -> Ended {
    host.clone().env("DB", database).run(arguments)
}

/// The names of the entries of an archive.
fn entries(host: &Host, archive: &str) -> Vec<String> {
    let listed = run(host, "-", &["list", "--entries", "--json", archive]).expect(0);
    let events = listed.stdout.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    events.filter_map(|event| event["entry"]["name"].as_str().or_else(|| event["name"].as_str()).map(str::to_owned)).collect()
}

/// Both databases as `pg_dump` writes them, with the rows in one order; a line that differs each time is left out.
fn same(server: &Server, one: &str, other: &str) {
    let dump = |database: &str| {
        let output = server.program("pg_dump").arg(database).output().expect("pg_dump can be started");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let mut lines: Vec<String> =
            text.lines().filter(|line| !line.starts_with("\\restrict") && !line.starts_with("\\unrestrict")).map(str::to_owned).collect();
        lines.sort();
        lines
    };
    let (one, other) = (dump(one), dump(other));
    let missing: Vec<_> = one.iter().filter(|line| other.binary_search(line).is_err()).take(5).collect();
    let more: Vec<_> = other.iter().filter(|line| one.binary_search(line).is_err()).take(5).collect();
    assert!(one == other, "missing: {missing:?}\nmore: {more:?}");
}

const ORDERS: &str = "
    CREATE TABLE customer (id int PRIMARY KEY, name text NOT NULL);
    CREATE TABLE orders (id bigserial PRIMARY KEY, customer int NOT NULL REFERENCES customer, note text, twice int GENERATED ALWAYS AS (customer * 2) STORED);
    INSERT INTO customer SELECT g, 'customer ' || g FROM generate_series(1, 100) g;
    INSERT INTO orders (customer, note) SELECT 1 + g % 100, repeat('note ' || g || ' ', 20) FROM generate_series(1, 20000) g;
    CREATE MATERIALIZED VIEW sums AS SELECT customer, count(*) FROM orders GROUP BY 1;
    CREATE INDEX ON orders (customer);
    SELECT lo_from_bytea(4711, 'a large object');";

#[test]
fn a_table_is_cut_into_entries_and_comes_back_whole() {
    let server = Server::start();
    server.create("shop", "");
    server.sql("shop", ORDERS);
    server.create("back", "TEMPLATE template0");
    let (_directory, host) = shop(&server, "part_size = \"256kB\"\njobs = 3\n");

    run(&host, "shop", &["dump", "shop.zip"]).expect(0);
    let names = entries(&host, "shop.zip");
    let parts = names.iter().filter(|name| name.starts_with("rows/public/orders/")).count();
    assert!(parts >= 4, "one table's rows stand in several entries: {names:?}");
    assert!(names.contains(&"rows/public/customer/00001.copy".to_owned()), "{names:?}");

    run(&host, "back", &["restore", "shop.zip"]).expect(0);
    same(&server, "shop", "back");
    assert_eq!(server.ask("back", "SELECT nextval('orders_id_seq')").as_deref(), Some("20001"));
    assert_eq!(server.ask("back", "SELECT sum(count) FROM sums").as_deref(), Some("20000"), "the materialized view is refreshed");
    assert_eq!(server.ask("back", "SELECT convert_from(lo_get(4711), 'UTF8')").as_deref(), Some("a large object"));
    assert_eq!(server.ask("back", "SELECT count(*) > 0 FROM pg_stats WHERE tablename = 'orders'").as_deref(), Some("t"), "analyzed");
}

#[test]
fn two_connections_copy_at_once() {
    let server = Server::start();
    server.create("shop", "");
    server.sql("shop", "CREATE TABLE big AS SELECT g AS id, repeat(md5(g::text), 30) AS text FROM generate_series(1, 60000) g");
    let (_directory, host) = shop(&server, "part_size = \"4MiB\"\njobs = 2\n");
    let watched = thread::scope(|scope| {
        let dump = scope.spawn(|| run(&host, "shop", &["dump", "shop.zip"]).expect(0));
        let mut client = server.client("shop");
        let mut most = 0;
        while !dump.is_finished() {
            let copying =
                "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'dr-host' AND state = 'active' AND query LIKE 'COPY%'";
            most = most.max(client.query_one(copying, &[]).expect("an answer").get::<_, i64>(0));
            thread::sleep(Duration::from_millis(1));
        }
        most
    });
    assert_eq!(watched, 2);
}

#[test]
fn rows_in_binary_come_back_too() {
    let server = Server::start();
    server.create("shop", "");
    server.sql("shop", ORDERS);
    server.create("back", "TEMPLATE template0");
    let (_directory, host) = shop(&server, "copy_format = \"binary\"\npart_size = \"256kB\"\nanalyze = false\n");
    run(&host, "shop", &["dump", "shop.zip"]).expect(0);
    run(&host, "back", &["restore", "shop.zip"]).expect(0);
    same(&server, "shop", "back");
    assert_eq!(server.ask("back", "SELECT count(*) FROM pg_stats WHERE tablename = 'orders'").as_deref(), Some("0"), "not analyzed");
}

#[test]
fn what_is_left_out_is_left_out_and_a_foreign_key_that_breaks_is_told() {
    let server = Server::start();
    server.create("shop", "");
    server.sql("shop", ORDERS);
    server.sql("shop", "CREATE SCHEMA audit; CREATE TABLE audit.log (what text); INSERT INTO audit.log VALUES ('secret'); CREATE TABLE \"Odd \"\"one|\" (a int); INSERT INTO \"Odd \"\"one|\" VALUES (1)");
    let (directory, _) = shop(&server, "");

    let host = configured(&directory, &server, "exclude = [\"audit\", \"public.customer\"]\n");
    let ended = run(&host, "shop", &["dump", "without.zip"]).expect(0);
    assert!(
        ended.stderr.contains("public.orders") && ended.stderr.contains("orders_customer_fkey") && ended.stderr.contains("public.customer"),
        "{ended}"
    );
    server.create("without", "TEMPLATE template0");
    run(&host, "without", &["restore", "without.zip"]).expect(0);
    let tables = "SELECT string_agg(c.oid::regclass::text, ' ' ORDER BY 1) FROM pg_class c WHERE relkind = 'r' AND oid >= 16384";
    assert_eq!(server.ask("without", tables).as_deref(), Some("\"Odd \"\"one|\" orders"));
    assert_eq!(server.ask("without", "SELECT count(*) FROM orders").as_deref(), Some("20000"));

    let host = configured(&directory, &server, "include = [\"audit\"]\n");
    run(&host, "shop", &["dump", "only.zip"]).expect(0);
    server.create("only", "TEMPLATE template0");
    run(&host, "only", &["restore", "only.zip"]).expect(0);
    assert_eq!(server.ask("only", tables).as_deref(), Some("audit.log"));

    let host = configured(&directory, &server, "include = [\"audit.*\", \"public.Odd*\"]\n");
    run(&host, "shop", &["dump", "tables.zip"]).expect(0);
    server.create("tables", "TEMPLATE template0");
    run(&host, "tables", &["restore", "tables.zip"]).expect(0);
    assert_eq!(server.ask("tables", tables).as_deref(), Some("audit.log \"Odd \"\"one|\""));

    let host = configured(&directory, &server, "exclude_data = [\"audit.log\"]\n");
    run(&host, "shop", &["dump", "definition.zip"]).expect(0);
    server.create("definition", "TEMPLATE template0");
    run(&host, "definition", &["restore", "definition.zip"]).expect(0);
    assert_eq!(server.ask("definition", "SELECT count(*) FROM audit.log").as_deref(), Some("0"));
    assert_eq!(server.ask("definition", "SELECT count(*) FROM orders").as_deref(), Some("20000"));

    let host = configured(&directory, &server, "exclude = [\"audti\"]\n");
    let ended = run(&host, "shop", &["dump", "typo.zip"]).expect(1);
    assert!(ended.stderr.contains("audti"), "{ended}");
}

#[test]
fn views_of_what_is_left_out_are_left_out_too_and_told() {
    let server = Server::start();
    server.create("shop", "");
    server.sql("shop", ORDERS);
    server.sql(
        "shop",
        "CREATE VIEW names AS SELECT name FROM customer; CREATE VIEW initials AS SELECT left(name, 1) FROM names;
         CREATE MATERIALIZED VIEW counted AS SELECT count(*) FROM initials; CREATE VIEW notes AS SELECT note FROM orders;
         CREATE SCHEMA audit; CREATE TABLE audit.log (what text); CREATE VIEW logged AS SELECT what FROM audit.log;
         CREATE SCHEMA reports; CREATE VIEW reports.logged AS SELECT what FROM audit.log; CREATE VIEW reports.one AS SELECT 1",
    );
    let (directory, _) = shop(&server, "");
    let views = "SELECT string_agg(c.oid::regclass::text, ' ' ORDER BY 1) FROM pg_class c WHERE relkind IN ('v', 'm') AND oid >= 16384";

    let host = configured(&directory, &server, "exclude = [\"audit\", \"public.customer\"]\n");
    let ended = run(&host, "shop", &["dump", "without.zip"]).expect(0);
    for words in [
        "the view `public.names` is left out, since it needs `public.customer`, which is left out",
        "the view `public.initials` is left out, since it needs `public.names`, which is left out",
        "the materialized view `public.counted` is left out, since it needs `public.initials`, which is left out",
        "the view `public.logged` is left out, since it needs `audit.log`, which is left out",
        "the view `reports.logged` is left out, since it needs `audit.log`, which is left out",
    ] {
        assert!(ended.stderr.contains(words), "`{words}` is missing: {ended}");
    }
    server.create("without", "TEMPLATE template0");
    run(&host, "without", &["restore", "without.zip"]).expect(0);
    assert_eq!(server.ask("without", views).as_deref(), Some("notes reports.one sums"));

    let host = configured(&directory, &server, "include = [\"reports\"]\n");
    run(&host, "shop", &["dump", "reports.zip"]).expect(0);
    server.create("reports", "TEMPLATE template0");
    run(&host, "reports", &["restore", "reports.zip"]).expect(0);
    assert_eq!(server.ask("reports", views).as_deref(), Some("reports.one"));

    let host = configured(&directory, &server, "include = [\"public.names\", \"public.orders\", \"public.notes\"]\n");
    run(&host, "shop", &["dump", "tables.zip"]).expect(0);
    server.create("tables", "TEMPLATE template0");
    run(&host, "tables", &["restore", "tables.zip"]).expect(0);
    assert_eq!(server.ask("tables", views).as_deref(), Some("notes"));
}

#[test]
fn tables_that_inherit_from_what_is_left_out_are_refused_at_the_dump() {
    let server = Server::start();
    server.create("shop", "");
    server.sql(
        "shop",
        "CREATE TABLE parent (a int); CREATE TABLE child () INHERITS (parent);
         CREATE TABLE log (at date) PARTITION BY RANGE (at); CREATE TABLE log_all PARTITION OF log DEFAULT",
    );
    let (directory, host) = shop(&server, "exclude = [\"public.parent\"]\n");
    let ended = run(&host, "shop", &["dump", "out.zip"]).expect(1);
    for words in ["table: public.child needs `public.parent`", "exclude_data"] {
        assert!(ended.stderr.contains(words), "`{words}` is missing: {ended}");
    }
    let host = configured(&directory, &server, "exclude = [\"public.child\", \"public.log_all\"]\n");
    run(&host, "shop", &["dump", "out.zip"]).expect(0);
}

/// A pattern that names a partitioned table names what it is made of.
#[test]
fn partitions_go_the_way_of_their_table() {
    let server = Server::start();
    server.create("shop", "");
    server.sql(
        "shop",
        "CREATE TABLE log (at int PRIMARY KEY) PARTITION BY RANGE (at); CREATE TABLE log_1 PARTITION OF log FOR VALUES FROM (0) TO (10);
         CREATE TABLE log_2 PARTITION OF log FOR VALUES FROM (10) TO (20) PARTITION BY RANGE (at);
         CREATE TABLE log_2_1 PARTITION OF log_2 DEFAULT; INSERT INTO log SELECT generate_series(1, 19); CREATE TABLE other (a int);
         CREATE TABLE note (at int CONSTRAINT note_log REFERENCES log); INSERT INTO note VALUES (5); COMMENT ON CONSTRAINT note_log ON note IS 'x';
         CREATE MATERIALIZED VIEW counted AS SELECT count(*) FROM log",
    );
    let (directory, _) = shop(&server, "");
    let restored = |name: &str, more: &str| {
        let (host, archive) = (configured(&directory, &server, more), format!("{name}.zip"));
        let told = run(&host, "shop", &["dump", &archive]).expect(0).stderr;
        server.create(name, "TEMPLATE template0");
        run(&host, name, &["restore", &archive]).expect(0);
        let tables = "SELECT string_agg(relname, ' ' ORDER BY relname) FROM pg_class WHERE relkind IN ('r', 'p', 'm') AND oid >= 16384";
        (told, server.ask(name, tables).unwrap_or_default())
    };
    assert_eq!(restored("without", "exclude = [\"public.log\"]\n").1, "note other");
    assert_eq!(restored("only", "include = [\"public.log\"]\n").1, "log log_1 log_2 log_2_1");
    assert_eq!(server.ask("only", "SELECT count(*) FROM log").as_deref(), Some("19"));
    let (told, tables) = restored("bare", "exclude_data = [\"public.log\", \"public.counted\"]\n");
    assert_eq!(tables, "counted log log_1 log_2 log_2_1 note other");
    assert!(told.contains("the foreign key `note_log` of `public.note` refers to `public.log`"), "{told}");
    let bare = "SELECT (SELECT count(*) FROM log) || ' ' || (SELECT count(*) FROM note) || ' ' || relispopulated FROM pg_class WHERE relname = 'counted'";
    assert_eq!(server.ask("bare", bare).as_deref(), Some("0 1 false"));
}

#[test]
fn patterns_that_leave_nothing_are_refused() {
    let server = Server::start();
    server.create("shop", "");
    server.sql("shop", "CREATE TABLE orders (a int); CREATE VIEW shown AS SELECT * FROM orders");
    for more in ["include = [\"public.shown\"]\n", "include = [\"public.orders\"]\nexclude = [\"public.orders\"]\n"] {
        let (_directory, host) = shop(&server, more);
        let ended = run(&host, "shop", &["dump", "out.zip"]).expect(1);
        assert!(ended.stderr.contains("`include` and `exclude` leave nothing to dump"), "{ended}");
    }
}

/// Names stand in patterns and lists in the database's encoding, whatever clients are told to speak.
#[test]
fn the_encoding_of_clients_changes_nothing() {
    let server = Server::start();
    server.create("shop", "");
    server.sql("shop", "CREATE TABLE \"größe\" (a text); INSERT INTO \"größe\" VALUES ('ö'), ('x'); CREATE SEQUENCE \"zähler\"; CREATE TABLE \"außen\" (a int)");
    server.sql("shop", "ALTER DATABASE shop SET client_encoding = 'LATIN1'");
    server.create("back", "TEMPLATE template0");
    let (_directory, host) = shop(&server, "exclude = [\"public.auß*\"]\n");
    run(&host, "shop", &["dump", "out.zip"]).expect(0);
    run(&host, "back", &["restore", "out.zip"]).expect(0);
    assert_eq!(server.ask("back", "SELECT string_agg(a, ' ' ORDER BY a) FROM \"größe\"").as_deref(), Some("x ö"));
    assert_eq!(server.ask("back", "SELECT to_regclass('\"außen\"')"), None);
}

/// In another database the same names have other OIDs, and binary rows would hold the old ones.
#[test]
fn rows_that_hold_oids_never_go_in_binary() {
    let server = Server::start();
    server.create("shop", "");
    server.sql(
        "shop",
        "CREATE TYPE mood AS ENUM ('good', 'bad'); CREATE TYPE pair AS (m mood, n int); CREATE DOMAIN moods AS mood[]; CREATE TABLE orders (id int);
         CREATE FUNCTION f(int) RETURNS int LANGUAGE sql AS 'SELECT 1';
         CREATE TABLE named (c regclass, p regprocedure[], m moods, o pair, r mood); CREATE TABLE plain (id int, m mood, t text[]);
         INSERT INTO named VALUES ('orders', ARRAY['f(int)'::regprocedure], ARRAY['good'::mood], ROW('bad', 1), 'bad');
         INSERT INTO plain VALUES (1, 'bad', ARRAY['a', NULL])",
    );
    server.create("back", "TEMPLATE template0");
    server.sql("back", "CREATE TABLE gone (a int); DROP TABLE gone");
    let (_directory, host) = shop(&server, "copy_format = \"binary\"\n");
    run(&host, "shop", &["dump", "out.zip"]).expect(0);
    run(&host, "back", &["restore", "out.zip"]).expect(0);
    same(&server, "shop", "back");
}

/// Version after version, `pg_restore --jobs` makes the triggers of partitions before those of their tables.
#[test]
fn triggers_and_indexes_of_partitions_come_in_their_turn() {
    let server = Server::start();
    server.create("shop", "");
    server.sql(
        "shop",
        "CREATE FUNCTION ok() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
         CREATE TABLE pt (id int, k text, d date, PRIMARY KEY (d, k, id)) PARTITION BY RANGE (d);
         CREATE TABLE pt_1 PARTITION OF pt FOR VALUES FROM ('2020-01-01') TO ('2021-01-01') PARTITION BY LIST (k);
         CREATE TABLE pt_1_a PARTITION OF pt_1 FOR VALUES IN ('a'); CREATE TABLE pt_1_d PARTITION OF pt_1 DEFAULT;
         CREATE TABLE pt_def PARTITION OF pt DEFAULT; CREATE TRIGGER ptt BEFORE INSERT ON pt FOR EACH ROW EXECUTE FUNCTION ok();
         ALTER TABLE pt_1_a ENABLE ALWAYS TRIGGER ptt; CREATE INDEX ON pt (k); COMMENT ON INDEX pt_pkey IS 'the key';
         CREATE TABLE refers (d date, k text, id int, FOREIGN KEY (d, k, id) REFERENCES pt)",
    );
    let (_directory, host) = shop(&server, "jobs = 4\n");
    run(&host, "shop", &["dump", "out.zip"]).expect(0);
    for back in ["one", "two", "three"] {
        server.create(back, "TEMPLATE template0");
        run(&host, back, &["restore", "out.zip"]).expect(0);
        same(&server, "shop", back);
    }
}

/// An owner restores into a database in which the superuser has installed the extension already, as providers do.
#[test]
fn an_extension_of_another_role_stays_as_it_is() {
    let server = Server::start();
    server.sql("postgres", "CREATE ROLE keeper LOGIN");
    for database in ["shop", "back"] {
        server.create(database, "OWNER keeper TEMPLATE template0");
        server.sql(database, "CREATE EXTENSION citext");
    }
    server.sql("shop", "SET ROLE keeper; CREATE TABLE t (c citext); INSERT INTO t VALUES ('A')");
    let directory = tempfile::tempdir().expect("a directory");
    let url = server.url_as("keeper", "DATABASE").replace("DATABASE", "${DB}");
    let set = format!("version = 1\n[[set]]\nname = \"database\"\ndriver = \"postgres\"\nurl = \"{url}\"\n");
    let host = Host::configured(directory.path(), &set);
    run(&host, "shop", &["dump", "out.zip"]).expect(0);
    run(&host, "back", &["restore", "out.zip"]).expect(0);
    assert_eq!(server.ask("back", "SELECT count(*) FROM t WHERE c = 'a'").as_deref(), Some("1"));
}

/// Since version 15 the schema `public` is its database's owner's.
#[test]
fn an_owner_that_may_make_nothing_is_told_before_anything_is_written() {
    let server = Server::start();
    server.sql("postgres", "CREATE ROLE keeper");
    server.create("shop", "");
    server.sql("shop", "CREATE TABLE orders (id int)");
    server.create("back", "TEMPLATE template0");
    let (_directory, host) = shop(&server, "owner = \"keeper\"\n");
    run(&host, "shop", &["dump", "out.zip"]).expect(0);
    let ended = run(&host, "back", &["restore", "out.zip"]).expect(1);
    assert!(ended.stderr.contains("right of the role `keeper` to make tables in `public`: `owner` names it: `GRANT CREATE"), "{ended}");
    server.sql("back", "GRANT CREATE ON SCHEMA public TO keeper");
    run(&host, "back", &["restore", "out.zip"]).expect(0);
    assert_eq!(server.ask("back", "SELECT tableowner::text FROM pg_tables WHERE tablename = 'orders'").as_deref(), Some("keeper"));
}

/// The condition is read as in the application's own sessions.
#[test]
fn the_condition_of_a_link_sees_the_search_path() {
    let server = Server::start();
    server.create("shop", "");
    server.sql(
        "shop",
        "CREATE EXTENSION citext; CREATE FUNCTION is_mine(int) RETURNS bool LANGUAGE sql AS 'SELECT true';
         CREATE TABLE photo (file text, kind citext); INSERT INTO photo VALUES ('a.png', 'Photo'), ('b.png', 'photo'), ('c.png', 'other')",
    );
    let link = "[[set]]\nname = \"media\"\ndriver = \"media\"\npath = \"media\"\n
        [[link]]\nfrom = \"database\"\ncolumn = \"photo.file\"\nwhere = \"kind = 'photo' AND is_mine(1)\"\nto = \"media\"\n";
    let (directory, host) = shop(&server, link);
    std::fs::create_dir(directory.path().join("media")).expect("a directory");
    let ended = run(&host, "shop", &["dump", "out.zip"]).expect(3);
    assert!(ended.stderr.contains("a.png") && ended.stderr.contains("b.png") && !ended.stderr.contains("c.png"), "{ended}");
}

/// What tables are made with comes along, whatever is chosen; what could not be made without what is left out does not, and is
/// told; and nothing that is dumped cannot be restored.
#[test]
fn what_is_chosen_comes_with_all_that_it_needs() {
    let server = Server::start();
    server.create("shop", "");
    server.sql(
        "shop",
        "CREATE TYPE mood AS ENUM ('good', 'bad'); CREATE SCHEMA ext; CREATE EXTENSION hstore SCHEMA ext;
         CREATE FUNCTION next_id() RETURNS int LANGUAGE sql VOLATILE AS 'SELECT 7'; CREATE SCHEMA audit; CREATE SEQUENCE audit.shared;
         CREATE TABLE other (id serial PRIMARY KEY, m mood);
         CREATE TABLE orders (id int PRIMARY KEY DEFAULT next_id(), number serial, m mood, h ext.hstore, other int REFERENCES other,
             twice int GENERATED ALWAYS AS IDENTITY);
         CREATE FUNCTION others() RETURNS SETOF other LANGUAGE sql AS 'SELECT * FROM other';
         COMMENT ON FUNCTION others() IS 'all of them'; GRANT EXECUTE ON FUNCTION others() TO pg_monitor;
         CREATE FUNCTION count_others() RETURNS bigint LANGUAGE sql BEGIN ATOMIC SELECT count(*) FROM other; END;
         CREATE FUNCTION twice_others() RETURNS bigint LANGUAGE sql BEGIN ATOMIC SELECT 2 * count_others(); END;
         CREATE DOMAIN few AS int CHECK (VALUE < 10); CREATE VIEW counted AS SELECT count_others() FROM orders;
         CREATE FUNCTION kept() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
         CREATE TRIGGER kept BEFORE INSERT ON orders FOR EACH ROW EXECUTE FUNCTION kept();
         CREATE TRIGGER lost BEFORE INSERT ON orders FOR EACH ROW WHEN (count_others() > 5) EXECUTE FUNCTION kept();
         CREATE RULE lost AS ON DELETE TO orders DO ALSO DELETE FROM other;
         INSERT INTO other (m) VALUES ('good'); INSERT INTO orders (m, h, other) VALUES ('bad', 'k=>v', 1);
         SELECT lo_from_bytea(4711, 'a large object')",
    );
    let (directory, _) = shop(&server, "");
    let restored = |name: &str, more: &str| {
        let host = configured(&directory, &server, more);
        let archive = format!("{name}.zip");
        let ended = run(&host, "shop", &["dump", &archive]).expect(0);
        server.create(name, "TEMPLATE template0");
        run(&host, name, &["restore", &archive]).expect(0);
        ended.stderr
    };
    let all = "SELECT string_agg(c.oid::regclass::text, ' ' ORDER BY c.oid::regclass::text) FROM pg_class c
        WHERE relkind IN ('r', 'v', 'S') AND oid >= 16384";

    for (name, more) in [("by_table", "include = [\"public.orders\"]\n"), ("by_pattern", "include = [\"public.ord*\"]\n")] {
        let told = restored(name, more);
        assert_eq!(server.ask(name, all).as_deref(), Some("orders orders_number_seq orders_twice_seq"));
        assert_eq!(server.ask(name, "SELECT m || ' ' || h::text || ' ' || number FROM orders").as_deref(), Some("bad \"k\"=>\"v\" 1"));
        for words in [
            "the function public.others() is left out, since it needs `public.other`, which is left out",
            "the function public.count_others() is left out, since it needs `public.other`, which is left out",
            "the function public.twice_others() is left out, since it needs `function public.count_others()`, which is left out",
            "the trigger lost on table public.orders is left out, since it needs `function public.count_others()`, which is left out",
            "the rule lost on table public.orders is left out, since it needs `public.other`, which is left out",
            "the foreign key `orders_other_fkey`",
        ] {
            assert!(told.contains(words), "`{words}` is missing: {told}");
        }
        assert_eq!(told.matches("warning: ").count(), 6, "nothing else is told: {told}");
        let triggers = "SELECT string_agg(tgname::text, ' ') FROM pg_trigger WHERE NOT tgisinternal";
        assert_eq!(server.ask(name, triggers).as_deref(), Some("kept"));
        assert_eq!(server.ask(name, "SELECT count(*) FROM pg_largeobject_metadata").as_deref(), Some("0"), "it is no table");
    }

    let told = restored("without", "exclude = [\"public.other\"]\n");
    assert!(
        told.contains("the view `public.counted` is left out, since it needs `function public.count_others()`, which is left out"),
        "{told}"
    );
    assert_eq!(server.ask("without", all).as_deref(), Some("audit.shared orders orders_number_seq orders_twice_seq"));
    assert_eq!(server.ask("without", "SELECT count(*) FROM pg_largeobject_metadata").as_deref(), Some("1"));

    restored("by_schema", "include = [\"public\"]\n");
    let expected = "counted orders orders_number_seq orders_twice_seq other other_id_seq";
    assert_eq!(server.ask("by_schema", all).as_deref(), Some(expected));
    restored("without_schema", "exclude = [\"audit\"]\n");
    assert_eq!(server.ask("without_schema", all).as_deref(), Some(expected));
    assert_eq!(server.ask("without_schema", "SELECT count(*) FROM pg_namespace WHERE nspname = 'audit'").as_deref(), Some("0"));
}

/// What cannot be left out of a table without making it another is refused.
#[test]
fn tables_that_need_what_is_left_out_are_refused_at_the_dump() {
    let server = Server::start();
    server.create("shop", "");
    server.sql(
        "shop",
        "CREATE SCHEMA ext; CREATE EXTENSION hstore SCHEMA ext; CREATE TYPE ext.mood AS ENUM ('good');
         CREATE FUNCTION ext.is_good(int) RETURNS bool LANGUAGE sql AS 'SELECT true'; CREATE SCHEMA tools;
         CREATE TABLE a_mood (m ext.mood[]); CREATE TABLE an_hstore (h ext.hstore); CREATE TABLE a_default (b bool DEFAULT ext.is_good(1));
         CREATE TABLE a_check (a int CHECK (ext.is_good(a))); CREATE TABLE other (a int); CREATE TABLE a_row (o other);
         CREATE TABLE a_policy (a int); CREATE POLICY p ON a_policy USING (EXISTS (SELECT FROM other WHERE other.a = a_policy.a));
         CREATE SEQUENCE numbers; CREATE TABLE a_number (a int DEFAULT nextval('numbers')); CREATE TABLE free (a int)",
    );
    for (more, needs) in [
        (
            "exclude = [\"ext\"]\n",
            &[
                "public.a_mood needs `type ext.mood`",
                "public.an_hstore needs `type ext.hstore`",
                "public.a_default needs `function ext.is_good(integer)`",
                "public.a_check needs `function ext.is_good(integer)`",
            ][..],
        ),
        ("exclude = [\"public.other\"]\n", &["public.a_row needs `public.other`", "public.a_policy needs `public.other`"]),
        ("include = [\"public.a_number\"]\n", &["public.a_number needs `public.numbers`"]),
    ] {
        let (_directory, host) = shop(&server, more);
        let ended = run(&host, "shop", &["dump", "out.zip"]).expect(1);
        for words in needs {
            assert!(ended.stderr.contains(&format!("table: {words}\n")), "`{words}` is missing: {ended}");
        }
        assert_eq!(ended.stderr.matches("table: ").count(), needs.len(), "{ended}");
    }
    let (_directory, host) = shop(&server, "include = [\"public.free\"]\nexclude = [\"ext\", \"tools\"]\n");
    let ended = run(&host, "shop", &["dump", "out.zip"]).expect(0);
    assert!(ended.stderr.contains("the extension hstore is left out, since it needs `schema ext`, which is left out"), "{ended}");
    server.create("back", "TEMPLATE template0");
    run(&host, "back", &["restore", "out.zip"]).expect(0);
    assert_eq!(server.ask("back", "SELECT string_agg(extname::text, ' ') FROM pg_extension").as_deref(), Some("plpgsql"));
}

/// As `pg_restore` does it, privileges come when the rows are there: an owner may have taken from itself what it takes to fill
/// its own tables.
#[test]
fn an_owner_without_the_right_to_write_restores_its_own_tables() {
    let server = Server::start();
    server.sql("postgres", "CREATE ROLE keeper LOGIN; CREATE ROLE reader");
    for database in ["shop", "back", "theirs"] {
        server.create(database, "OWNER keeper TEMPLATE template0");
    }
    server.sql(
        "shop",
        "SET ROLE keeper; CREATE TABLE ledger (id serial PRIMARY KEY, what text); INSERT INTO ledger (what) VALUES ('a'), ('b');
         CREATE TABLE entry (ledger int REFERENCES ledger); INSERT INTO entry VALUES (1);
         CREATE MATERIALIZED VIEW sums AS SELECT count(*) FROM ledger; GRANT SELECT ON sums TO reader;
         SELECT lo_from_bytea(4711, 'a large object'); REVOKE UPDATE ON LARGE OBJECT 4711 FROM keeper;
         REVOKE INSERT, UPDATE, DELETE, TRUNCATE ON ledger, entry FROM keeper; REVOKE UPDATE, USAGE ON SEQUENCE ledger_id_seq FROM keeper;
         GRANT SELECT ON ledger TO reader; GRANT SELECT (ledger) ON entry TO reader;
         ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO reader",
    );
    let (directory, dumping) = shop(&server, "");
    run(&dumping, "shop", &["dump", "shop.zip"]).expect(0);

    let custom = directory.path().join("theirs.dump");
    let dumped = server.program("pg_dump").args(["-Fc", "-f"]).arg(&custom).arg("shop").output().expect("pg_dump can be started");
    assert!(dumped.status.success(), "{dumped:?}");
    let theirs = server.program("pg_restore").args(["--exit-on-error", "-U", "keeper", "-d", "theirs"]).arg(&custom).output();
    let theirs = theirs.expect("pg_restore can be started");
    assert!(theirs.status.success(), "pg_restore itself can: {}", String::from_utf8_lossy(&theirs.stderr));

    let url = server.url_as("keeper", "back");
    let set = format!("version = 1\n[[set]]\nname = \"database\"\ndriver = \"postgres\"\nurl = \"{url}\"\n");
    Host::configured(directory.path(), &set).run(["restore", "shop.zip"]).expect(0);
    same(&server, "theirs", "back");
}

#[test]
fn links_read_columns_and_json_in_the_snapshot() {
    let server = Server::start();
    server.create("shop", "");
    server.sql(
        "shop",
        "CREATE TABLE photo (id int, file text, meta jsonb, body text);
         INSERT INTO photo VALUES (1, 'a.jpg', '{\"thumbs\": [{\"src\": \"t1.jpg\"}, {\"other\": 1}, {\"src\": \"t2.jpg\"}]}', '{\"last\": [\"x.jpg\", \"y.jpg\"]}'),
                                  (2, 'gone.jpg', '{\"thumbs\": \"none\"}', NULL), (3, NULL, NULL, ''), (4, 'draft.jpg', '[]', '{}')",
    );
    let (directory, _) = shop(&server, "");
    std::fs::create_dir(directory.path().join("media")).expect("a directory");
    for name in ["a.jpg", "t1.jpg", "y.jpg"] {
        std::fs::write(directory.path().join("media").join(name), name).expect("a file");
    }
    let links = "[[set]]\nname = \"media\"\ndriver = \"media\"\npath = \"media\"\n
        [[link]]\nfrom = \"database\"\ncolumn = \"photo.file\"\nwhere = \"id <> 4\"\nto = \"media\"\n
        [[link]]\nfrom = \"database\"\ncolumn = \"public.photo.meta\"\njson = \"$.thumbs[*].src\"\nto = \"media\"\n
        [[link]]\nfrom = \"database\"\ncolumn = \"photo.body\"\njson = \"$.last[#-1]\"\nto = \"media\"\n";
    let host = configured(&directory, &server, links);
    let ended = run(&host, "shop", &["dump", "--json", "shop.zip"]).expect(3);
    let dangling: Vec<String> =
        ended.events_of("finding").iter().filter_map(|event| event["finding"]["name"].as_str().map(str::to_owned)).collect();
    assert_eq!(dangling, ["gone.jpg", "t2.jpg"], "{ended}");
}

/// A dump needs hardly more of the server's room for locks than `pg_dump` and the session that holds the snapshot.
#[test]
fn many_tables_fit_the_servers_room_for_locks() {
    let server = Server::with(&Options { settings: "max_connections = 20".into(), ..Options::default() });
    server.create("shop", "");
    server.sql(
        "shop",
        "DO $$ BEGIN FOR i IN 1..3000 LOOP
            EXECUTE format('CREATE TABLE t%s AS SELECT 1 AS a', i);
            IF i % 500 = 0 THEN COMMIT; END IF;
         END LOOP; END $$",
    );
    let (_directory, host) = shop(&server, "");
    run(&host, "shop", &["dump", "shop.zip"]).expect(0);
    assert_eq!(entries(&host, "shop.zip").iter().filter(|name| name.starts_with("rows/")).count(), 3000);
}

/// A link may start at a table whose rows are left out: they are checked all the same, and that is told.
#[test]
fn a_link_from_a_table_that_is_left_out_is_told() {
    let server = Server::start();
    server.create("shop", "");
    server.sql("shop", "CREATE TABLE photo (file text); INSERT INTO photo VALUES ('a.jpg'); CREATE TABLE other (a int)");
    for left_out in ["exclude", "exclude_data"] {
        let more = format!(
            "{left_out} = [\"public.photo\"]\n[[set]]\nname = \"media\"\ndriver = \"media\"\npath = \"media\"\n
             [[link]]\nfrom = \"database\"\ncolumn = \"photo.file\"\nto = \"media\"\n"
        );
        let (directory, host) = shop(&server, &more);
        std::fs::create_dir(directory.path().join("media")).expect("a directory");
        std::fs::write(directory.path().join("media/a.jpg"), "a").expect("a file");
        let ended = run(&host, "shop", &["dump", "shop.zip"]).expect(0);
        assert!(ended.stderr.contains("although the rows of `public.photo` are left out of the dump"), "{ended}");
    }
}

/// An extension's table that the user fills: only the user's rows are dumped, and tables that refer to each other are filled in
/// order. The extension is the same on both sides, as if its script had made the tables.
#[test]
fn configuration_tables_of_extensions_keep_what_the_user_put_there() {
    const EXTENSION: &str = "
        CREATE EXTENSION hstore;
        CREATE TABLE a_detail (id int PRIMARY KEY, kind int NOT NULL);
        CREATE TABLE z_kind (id int PRIMARY KEY, is_builtin bool NOT NULL);
        ALTER TABLE a_detail ADD FOREIGN KEY (kind) REFERENCES z_kind;
        INSERT INTO z_kind VALUES (1, true);
        ALTER EXTENSION hstore ADD TABLE a_detail;
        ALTER EXTENSION hstore ADD TABLE z_kind;
        SET allow_system_table_mods = on;
        UPDATE pg_extension SET extconfig = ARRAY['a_detail'::regclass, 'z_kind'::regclass], extcondition = ARRAY['', 'WHERE NOT is_builtin']
            WHERE extname = 'hstore'";
    let server = Server::start();
    for database in ["shop", "back"] {
        server.create(database, "TEMPLATE template0");
        server.sql(database, EXTENSION);
    }
    server.sql("shop", "INSERT INTO z_kind VALUES (2, false); INSERT INTO a_detail VALUES (1, 2), (2, 1)");
    let (_directory, host) = shop(&server, "part_size = \"8kB\"\n");
    run(&host, "shop", &["dump", "shop.zip"]).expect(0);
    run(&host, "back", &["restore", "shop.zip"]).expect(0);
    same(&server, "shop", "back");
    assert_eq!(server.ask("back", "SELECT string_agg(id::text, ' ' ORDER BY id) FROM z_kind").as_deref(), Some("1 2"));
    assert_eq!(server.ask("back", "SELECT count(*) FROM a_detail").as_deref(), Some("2"));
}

/// A value of 400 MB, and a row that PostgreSQL itself cannot send.
#[test]
fn the_largest_rows_survive_and_larger_ones_are_told() {
    let server = Server::start();
    server.create("shop", "");
    server.sql("shop", "CREATE TABLE film (id int, data text); INSERT INTO film SELECT 1, repeat('0123456789abcdef', 25 * 1024 * 1024)");
    server.create("back", "TEMPLATE template0");
    let (_directory, host) = shop(&server, "");
    run(&host, "shop", &["dump", "shop.zip"]).expect(0);
    run(&host, "back", &["restore", "shop.zip"]).expect(0);
    let sum = "SELECT length(data) || ' ' || md5(data) FROM film";
    assert_eq!(server.ask("shop", sum), server.ask("back", sum));

    server.sql(
        "shop",
        "ALTER TABLE film ADD COLUMN more text; ALTER TABLE film ADD COLUMN third text; UPDATE film SET more = data, third = data",
    );
    let ended = run(&host, "shop", &["dump", "too-large.zip"]).expect(1);
    assert!(ended.stderr.contains("`public.film`"), "{ended}");
}

/// What a dump warns of stands in the manifest too.
#[test]
fn passwords_that_come_along_and_subscriptions_are_warned_of() {
    let server = Server::start();
    server.create("shop", "");
    server.sql(
        "shop",
        "CREATE EXTENSION postgres_fdw; CREATE SERVER elsewhere FOREIGN DATA WRAPPER postgres_fdw;
         CREATE USER MAPPING FOR postgres SERVER elsewhere OPTIONS (user 'shop', password 'zebra-1');",
    );
    server.sql("shop", "CREATE SUBSCRIPTION news CONNECTION 'host=nowhere password=zebra-2' PUBLICATION all_news WITH (connect = false)");
    let (_directory, host) = shop(&server, "");
    let dumped = run(&host, "shop", &["dump", "shop.zip"]).expect(0);
    for words in [
        "user mapping of `postgres` for the foreign server `elsewhere`",
        "the subscription `news` is restored disabled",
        "the subscription `news` holds a password",
    ] {
        assert!(dumped.stderr.contains(words), "`{words}` is missing: {dumped}");
    }
    assert!(!dumped.stderr.contains("zebra"), "{dumped}");
    let listed = run(&host, "-", &["list", "--json", "shop.zip"]).expect(0);
    assert!(listed.stdout.contains("holds a password"), "the manifest has it: {listed}");
}
