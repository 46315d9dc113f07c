//! `restore --only database:public.orders`: rows of single tables, into tables that are there and empty, or absent.

use dr_host_tests::host::{Ended, Host};
use dr_host_tests::postgres::Server;

use super::host;

/// A shop that was dumped, and damaged by a careless statement.
struct Shop {
    server: Server,
    place: tempfile::TempDir,
}

impl Shop {
    fn new() -> Self {
        let (server, place) = (Server::start(), tempfile::tempdir().expect("a directory"));
        server.create("shop", "");
        server.sql("shop", "
            CREATE TABLE customer (id int PRIMARY KEY, name text);
            CREATE TABLE orders (id int PRIMARY KEY, customer int REFERENCES customer, total int, twice int GENERATED ALWAYS AS (2 * total) STORED);
            CREATE TABLE other (a int);
            CREATE TABLE log (at date, what text) PARTITION BY RANGE (at);
            CREATE TABLE log_old PARTITION OF log FOR VALUES FROM (MINVALUE) TO ('2020-01-01');
            CREATE TABLE log_new PARTITION OF log FOR VALUES FROM ('2020-01-01') TO (MAXVALUE);
            INSERT INTO customer SELECT g, 'c' || g FROM generate_series(1, 100) g;
            INSERT INTO orders (id, customer, total) SELECT g, g % 100 + 1, g FROM generate_series(1, 3000) g;
            INSERT INTO other VALUES (1);
            INSERT INTO log SELECT date '2019-01-01' + g, 'w' FROM generate_series(1, 900) g;
            CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'a trigger ran'; END $$;
            CREATE TRIGGER refuse BEFORE INSERT ON orders FOR EACH ROW EXECUTE FUNCTION refuse();
            CREATE TRIGGER asleep BEFORE INSERT ON orders FOR EACH ROW EXECUTE FUNCTION refuse();
            ALTER TABLE orders DISABLE TRIGGER asleep, ENABLE ALWAYS TRIGGER refuse");
        let shop = Self { server, place };
        shop.host().run(["dump", "out.zip"]).expect(0);
        shop
    }

    fn host(&self) -> Host {
        host(self.place.path(), &self.server, "shop", "shop", "part_size = \"8kB\"\n")
    }

    fn restore(&self, arguments: &str) -> Ended {
        self.host().run(format!("restore {arguments} out.zip").split(' '))
    }

    fn ask(&self, sql: &str) -> String {
        self.server.ask("shop", sql).unwrap_or_else(|| "NULL".to_owned())
    }
}

#[test]
fn an_emptied_table_gets_its_rows_back_and_nothing_else_changes() {
    let shop = Shop::new();
    shop.server.sql("shop", "TRUNCATE orders; UPDATE other SET a = 2");
    shop.restore("--only database:public.orders").expect(0);
    assert_eq!(shop.ask("SELECT count(*) || ' ' || sum(total) || ' ' || sum(twice) FROM orders"), "3000 4501500 9003000");
    assert_eq!(shop.ask("SELECT a::text FROM other"), "2");
    shop.server.sql("shop", "TRUNCATE other");
    let told = shop.restore("--json --only database:public.other").expect(0).stdout;
    let last: serde_json::Value = serde_json::from_str(told.lines().last().unwrap_or_default()).expect("an event");
    assert_eq!(last["sets"][0]["totals"], serde_json::json!({ "entries": 1, "bytes": 2 }), "no more than the one row: {last}");
    let triggers = "SELECT string_agg(tgname || tgenabled::text, ' ' ORDER BY tgname) FROM pg_trigger WHERE NOT tgisinternal";
    assert_eq!(shop.ask(triggers), "asleepD refuseA", "triggers are as they were");
}

#[test]
fn a_table_with_rows_is_refused_or_emptied_first() {
    let shop = Shop::new();
    shop.server.sql("shop", "UPDATE orders SET total = 0; UPDATE customer SET name = 'x'");
    let refused = shop.restore("--only database:public.orders --only database:public.customer").expect(1);
    for part in ["public.orders: it has rows", "public.customer: it has rows", "--truncate"] {
        assert!(refused.stderr.contains(part), "{refused}");
    }
    let unanswered = shop.restore("--only database:public.orders --truncate").expect(2);
    assert!(unanswered.stderr.contains("nobody to ask"), "{unanswered}");
    let referred = shop.restore("--only database:public.customer --truncate --yes").expect(1);
    assert!(referred.stderr.contains("cannot empty the tables") && referred.stderr.contains("untouched: `database`"), "{referred}");
    shop.restore("--only database:public.orders --only database:public.customer --truncate --yes").expect(0);
    assert_eq!(shop.ask("SELECT sum(total)::text FROM orders"), "4501500");
    assert_eq!(shop.ask("SELECT count(*)::text FROM customer WHERE name = 'x'"), "0");
}

#[test]
fn rows_that_do_not_fit_leave_everything_as_it_was() {
    let shop = Shop::new();
    shop.server.sql("shop", "DELETE FROM orders WHERE customer = 5; DELETE FROM customer WHERE id = 5; UPDATE orders SET total = 7");
    let failed = shop.restore("--only database:public.orders --truncate --yes").expect(1);
    assert!(failed.stderr.contains("violates foreign key constraint") && failed.stderr.contains("untouched: `database`"), "{failed}");
    assert_eq!(shop.ask("SELECT count(*) || ' ' || sum(total) FROM orders"), "2970 20790");
}

#[test]
fn patterns_and_partitioned_tables_name_several_tables() {
    let shop = Shop::new();
    shop.server.sql("shop", "TRUNCATE log");
    shop.restore("--only database:public.log").expect(0);
    assert_eq!(shop.ask("SELECT count(*)::text FROM log"), "900");
    shop.server.sql("shop", "TRUNCATE log");
    shop.restore("--only database:public.log_*").expect(0);
    assert_eq!(shop.ask("SELECT count(*)::text FROM log"), "900");
}

#[test]
fn an_absent_table_is_made_with_its_columns() {
    let shop = Shop::new();
    shop.server.sql("shop", "DROP TABLE orders");
    let ended = shop.restore("--only database:public.orders").expect(0);
    assert!(ended.stderr.contains("`public.orders` was made with its columns and rows alone"), "{ended}");
    assert_eq!(shop.ask("SELECT count(*) || ' ' || sum(twice) FROM orders"), "3000 9003000");
}

#[test]
fn what_cannot_be_chosen_is_told() {
    let shop = Shop::new();
    let told = [
        ("--only database:public.none", 1, "the archive has no rows of these tables"),
        ("--only database:public.orders --recreate --yes", 2, "`--recreate` makes whole sets anew"),
        ("--truncate --only database --yes", 2, "no item is named"),
        ("--only database:public.orders --only database", 2, "takes the whole set"),
    ];
    for (arguments, code, part) in told {
        let ended = shop.restore(arguments).expect(code);
        assert!(ended.stderr.contains(part), "{ended}");
    }
    shop.server.sql("shop", "TRUNCATE orders; ALTER TABLE orders DROP COLUMN total CASCADE");
    let ended = shop.restore("--only database:public.orders").expect(1);
    assert!(ended.stderr.contains("public.orders: it lacks `total`"), "{ended}");
}

#[test]
fn a_partitioned_table_is_what_it_was_whatever_became_of_its_partitions() {
    let shop = Shop::new();
    let new = "CREATE TABLE log_newest PARTITION OF log FOR VALUES FROM ('2030-01-01') TO (MAXVALUE); INSERT INTO log VALUES ('2031-01-01', 'new')";
    shop.server.sql(
        "shop",
        "DELETE FROM log; DROP TABLE log_new; CREATE TABLE log_new PARTITION OF log FOR VALUES FROM ('2020-01-01') TO ('2030-01-01')",
    );
    shop.server.sql("shop", new);
    let refused = shop.restore("--only database:public.log").expect(1);
    assert!(refused.stderr.contains("public.log_newest: it has rows, and the archive has no such partition"), "{refused}");
    shop.restore("--only database:public.log --truncate --yes").expect(0);
    assert_eq!(shop.ask("SELECT count(*) || ' ' || max(at) FROM log"), "900 2021-06-19");
    shop.server.sql("shop", "DROP TABLE log_old");
    let ended = shop.restore("--only database:public.log --truncate --yes").expect(0);
    assert!(ended.stderr.contains("`public.log_old` was made with its columns and rows alone"), "{ended}");
    assert_eq!(shop.ask("SELECT (SELECT count(*) FROM log) + (SELECT count(*) FROM log_old)"), "900");
}

/// Rows may refer to others that come later: of their own table, of another, in a circle.
#[test]
fn foreign_keys_hold_in_the_end_and_are_then_what_they_were() {
    let (server, place) = (Server::start(), tempfile::tempdir().expect("a directory"));
    server.create("shop", "");
    server.sql(
        "shop",
        "CREATE TABLE tree (id int PRIMARY KEY, up int REFERENCES tree, pad text);
         INSERT INTO tree SELECT g, 2001 - g, repeat('x', 300) FROM generate_series(1, 2000) g;
         CREATE TABLE a_child (id int PRIMARY KEY, z int); CREATE TABLE z_parent (id int PRIMARY KEY, a int REFERENCES a_child);
         INSERT INTO a_child VALUES (1, 1); INSERT INTO z_parent VALUES (1, 1); ALTER TABLE a_child ADD CONSTRAINT to_z FOREIGN KEY (z) REFERENCES z_parent;
         CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'a trigger ran'; END $$;
         CREATE TRIGGER refuse BEFORE TRUNCATE ON tree EXECUTE FUNCTION refuse()",
    );
    let host = host(place.path(), &server, "shop", "shop", "part_size = \"8kB\"\n");
    host.run(["dump", "out.zip"]).expect(0);
    server.sql("shop", "UPDATE tree SET up = NULL; UPDATE a_child SET z = NULL");
    let restore =
        "restore --truncate --yes --only database:public.tree --only database:public.a_child --only database:public.z_parent out.zip";
    host.run(restore.split(' ')).expect(0);
    let rows = "SELECT (SELECT count(up) FROM tree) || ' ' || (SELECT count(z) FROM a_child) || ' ' || (SELECT count(*) FROM z_parent)";
    assert_eq!(server.ask("shop", rows).as_deref(), Some("2000 1 1"));
    assert_eq!(server.ask("shop", "SELECT count(*)::text FROM pg_constraint WHERE condeferrable").as_deref(), Some("0"));
}
