//! The jobs of PostgreSQL, on a server of their own: `pg_dump` and `pg_restore` are what a user would give instead.

use dr_host_tests::postgres::{Options, Server};

use crate::data;
use crate::jobs::{Bench, Outcome};
use crate::measure::{Contestant, Result, prepare};

/// The bytes of COPY text of the wide rows.
const WIDE: u64 = 1_106_000_000;
/// How many narrow rows there are.
const NARROW: u64 = 10_000_000;
/// How many small tables there are.
const TABLES: u64 = 5_000;
/// The peak memory that a job may not reach, in MiB.
const MEMORY_GOAL: u64 = 128;

/// A server as an administrator would set it up for this machine, and as safe as any.
const SETTINGS: &str = "
    fsync = on
    full_page_writes = on
    shared_buffers = 512MB
    max_connections = 100
    max_wal_size = 4GB
    maintenance_work_mem = 128MB
    autovacuum = off";

pub(crate) fn postgres(bench: &Bench) -> Result<Vec<Outcome>> {
    let server = Server::with(&Options { settings: SETTINGS.into(), ..Options::default() });
    let databases = Databases { bench, server: &server };
    let mut outcomes = databases.wide()?;
    outcomes.push(databases.narrow()?);
    outcomes.extend(databases.many()?);
    bench.clear()?;
    Ok(outcomes)
}

struct Databases<'a> {
    bench: &'a Bench,
    server: &'a Server,
}

impl Databases<'_> {
    fn wide(&self) -> Result<Vec<Outcome>> {
        let rows = self.bench.path("event.copy");
        data::events(&rows, WIDE / self.bench.shrink)?;
        self.server.create("wide", "");
        self.server.sql(
            "wide",
            "CREATE TABLE event (id bigint PRIMARY KEY, uuid uuid NOT NULL, at timestamptz NOT NULL, changed timestamptz NOT NULL,
                                 customer int NOT NULL, amount numeric(10, 2) NOT NULL, details jsonb NOT NULL, note text NOT NULL);
             CREATE TABLE customer AS SELECT g AS id, 'customer ' || g AS name FROM generate_series(1, 50000) g;",
        );
        self.prepare(&format!("psql -q -d wide -c \"\\copy event from '{}'\"; rm '{}'", rows.display(), rows.display()))?;
        self.server.sql("wide", "CREATE INDEX ON event (customer, at)");
        self.server.sql("wide", "VACUUM (FREEZE, ANALYZE)");
        self.configure("wide")?;
        let rounds = self.bench.rounds;
        let dump = self.compare(
            "PostgreSQL dump, wide rows",
            self.ours("dump -c wide.toml out.zip", "out.zip", ""),
            vec![
                (self.theirs("`pg_dump -Fc`", "pg_dump -Fc wide -f out.dump", "out.dump", "", rounds.min(2)), 0.20),
                (self.theirs("`pg_dump -Fc -Z1`", "pg_dump -Fc -Z1 wide -f out.dump", "out.dump", "", rounds), 0.70),
                (self.theirs("`pg_dump \\| zstd -1`", "pg_dump wide | zstd -q -1 -o out.zst", "out.zst", "", rounds), 0.90),
            ],
        )?;
        self.prepare(&format!("{} dump -q -c wide.toml wide.zip; pg_dump -Fd -Z1 -j2 wide -f wide.dir", self.bench.host.display()))?;
        self.prepare("pg_dump -Fc wide -f wide.dump; stat -c '  %n %s' wide.zip wide.dump >&2; rm wide.dump")?;
        let restore = self.compare(
            "PostgreSQL restore, wide rows",
            self.ours("restore -c back.toml wide.zip", "nothing", FRESH),
            vec![(self.theirs("`pg_restore -Fd -j2`", "pg_restore -j2 -d back wide.dir", "nothing", FRESH, rounds), 0.75)],
        )?;
        self.server.sql("postgres", "DROP DATABASE wide");
        self.bench.clear()?;
        Ok(vec![dump, restore])
    }

    fn narrow(&self) -> Result<Outcome> {
        self.server.create("narrow", "");
        let rows = NARROW / self.bench.shrink;
        self.server.sql(
            "narrow",
            &format!(
                "CREATE TABLE point AS SELECT g AS id, (g::bigint * 7919) % 100003 AS x, g % 1000 AS y FROM generate_series(1, {rows}) g"
            ),
        );
        self.server.sql("narrow", "VACUUM (FREEZE, ANALYZE)");
        self.configure("narrow")?;
        let dump = self.compare(
            "PostgreSQL dump, narrow rows",
            self.ours("dump -c narrow.toml out.zip", "out.zip", ""),
            vec![(self.theirs("`pg_dump -Fc`", "pg_dump -Fc narrow -f out.dump", "out.dump", "", self.bench.rounds), 1.0)],
        )?;
        self.server.sql("postgres", "DROP DATABASE narrow");
        Ok(dump)
    }

    fn many(&self) -> Result<Vec<Outcome>> {
        self.server.create("many", "");
        self.server.sql(
            "many",
            &format!(
                "DO $$ BEGIN FOR i IN 1..{} LOOP
                EXECUTE format('CREATE TABLE table_%s (id serial PRIMARY KEY, text text)', i);
                EXECUTE format('INSERT INTO table_%s (text) SELECT repeat(''x'', 50) FROM generate_series(1, 10)', i);
                IF i % 500 = 0 THEN COMMIT; END IF;
             END LOOP; END $$",
                TABLES / self.bench.shrink
            ),
        );
        self.server.sql("many", "VACUUM (FREEZE, ANALYZE)");
        self.configure("many")?;
        let rounds = self.bench.rounds;
        let dump = self.compare(
            "PostgreSQL dump, 5,000 tables",
            self.ours("dump -c many.toml out.zip", "out.zip", ""),
            vec![(self.theirs("`pg_dump -Fc`", "pg_dump -Fc many -f out.dump", "out.dump", "", rounds), 1.0)],
        )?;
        self.prepare(&format!("{} dump -q -c many.toml many.zip; pg_dump -Fc many -f many.dump", self.bench.host.display()))?;
        let restore = self.compare(
            "PostgreSQL restore, 5,000 tables",
            self.ours("restore -c back.toml many.zip", "nothing", FRESH),
            vec![(self.theirs("`pg_restore -j2`", "pg_restore -j2 -d back many.dump", "nothing", FRESH, rounds), 1.0)],
        )?;
        Ok(vec![dump, restore])
    }

    /// A configuration that dumps a database, and one that restores into `back`: without statistics, as `pg_restore` does.
    fn configure(&self, database: &str) -> Result<()> {
        let set = |database: &str| {
            format!("[[set]]\nname = \"database\"\ndriver = \"postgres\"\nurl = \"{}\"\nanalyze = false\n", self.server.url(database))
        };
        self.bench.configure(&format!("{database}.toml"), "zstd", &set(database))?;
        self.bench.configure("back.toml", "zstd", &set("back"))
    }

    fn ours(&self, arguments: &str, makes: &'static str, before: &str) -> Contestant {
        Contestant { before: self.within(before), ..self.bench.ours(arguments, makes) }
    }

    fn theirs(&self, name: &str, command: &str, makes: &'static str, before: &str, rounds: usize) -> Contestant {
        Contestant { before: self.within(before), ..self.bench.theirs(name, &self.within(command), makes, rounds) }
    }

    fn compare(&self, job: &str, ours: Contestant, peers: Vec<(Contestant, f64)>) -> Result<Outcome> {
        Ok(Outcome { memory_goal: MEMORY_GOAL, ..self.bench.compare(job, ours, peers)? })
    }

    fn prepare(&self, command: &str) -> Result<()> {
        prepare(&self.bench.work, &self.within(command))
    }

    /// The command, with PostgreSQL's own programs (not their wrapper) and this server.
    fn within(&self, command: &str) -> String {
        if command.is_empty() {
            return String::new();
        }
        let (bin, socket) = (self.server.installation().bin().display(), self.server.directory().display());
        let port = self.server.port();
        format!("export PATH={bin}:$PATH PGHOST={socket} PGPORT={port} PGUSER=postgres; {command}")
    }
}

/// What comes before a restore and is not measured: an empty database, and nothing left to be written.
const FRESH: &str = "dropdb --if-exists back; createdb -T template0 back; psql -q -d postgres -c checkpoint";
