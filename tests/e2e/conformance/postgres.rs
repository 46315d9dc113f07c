//! A database of a real PostgreSQL server: an item is a row. Each place is a database of its own.

use std::rc::Rc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use dr_host::conformance::{Atomicity, Contents, Place, Subject};
use dr_host::drivers::{Driver, LinkColumn};
use dr_host::error::{Error, ErrorKind, Result};
use dr_host::name::EntryName;
use dr_host_tests::postgres::{Client, Server};
use serde_json::json;

pub(crate) struct PostgresSubject {
    server: Rc<Server>,
    places: AtomicU32,
}

impl PostgresSubject {
    pub(crate) fn new() -> Self {
        Self { server: Rc::new(Server::start()), places: AtomicU32::new(0) }
    }
}

impl Subject for PostgresSubject {
    fn name(&self) -> String {
        "postgres".into()
    }

    fn place(&self) -> Result<Box<dyn Place>> {
        let name = format!("place{}", self.places.fetch_add(1, Ordering::Relaxed));
        self.server.create(&name, "TEMPLATE template0");
        Ok(Box::new(Database { server: Rc::clone(&self.server), name }))
    }

    fn atomicity(&self) -> Atomicity {
        Atomicity::None
    }

    fn column_of_names(&self) -> Option<LinkColumn> {
        Some(LinkColumn { table: "item".into(), column: "name".into(), json_path: None, condition: None })
    }
}

struct Database {
    server: Rc<Server>,
    name: String,
}

/// How long a session that was left may take to be gone: the server notices by itself.
const PATIENCE: Duration = Duration::from_secs(5);

fn failed(error: postgres::Error) -> Error {
    Error::new(ErrorKind::Other, format!("PostgreSQL: {error:?}"))
}

impl Database {
    fn client(&self) -> Client {
        self.server.client(&self.name)
    }
}

impl Place for Database {
    fn driver(&self) -> Result<Box<dyn Driver>> {
        // Small parts, so that most items are cut from their neighbours.
        super::configured("postgres", "/".as_ref(), json!({ "url": self.server.url(&self.name), "part_size": "8kB", "analyze": false }))
    }

    fn put(&self, items: &Contents) -> Result<()> {
        if items.is_empty() {
            return Ok(());
        }
        let mut client = self.client();
        client.batch_execute("CREATE TABLE IF NOT EXISTS item (name bytea PRIMARY KEY, content bytea NOT NULL)").map_err(failed)?;
        let mut transaction = client.transaction().map_err(failed)?;
        let upsert = "INSERT INTO item VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET content = excluded.content";
        let upsert = transaction.prepare(upsert).map_err(failed)?;
        for (name, content) in items {
            transaction.execute(&upsert, &[&name.as_bytes(), content]).map_err(failed)?;
        }
        transaction.commit().map_err(failed)
    }

    fn remove(&self, name: &EntryName) -> Result<()> {
        self.client().execute("DELETE FROM item WHERE name = $1", &[&name.as_bytes()]).map_err(failed)?;
        Ok(())
    }

    fn look(&self) -> Result<Contents> {
        let mut client = self.client();
        let is_there = client.query_one("SELECT to_regclass('public.item') IS NOT NULL", &[]).map_err(failed)?;
        if !is_there.get::<_, bool>(0) {
            return Ok(Contents::new());
        }
        let rows = client.query("SELECT name, content FROM item", &[]).map_err(failed)?;
        Ok(rows.iter().map(|row| (EntryName::from_bytes(row.get::<_, Vec<u8>>(0)), row.get(1))).collect())
    }

    /// Sessions of a run that is over, and what they hold.
    fn litter(&self) -> Result<Vec<String>> {
        const SESSIONS: &str = "
            SELECT format('%s: %s', application_name, query) FROM pg_stat_activity
            WHERE datname = $1 AND pid <> pg_backend_pid() AND backend_type IN ('client backend', 'parallel worker')";
        let begun = Instant::now();
        loop {
            let rows = self.server.client("postgres").query(SESSIONS, &[&self.name]).map_err(failed)?;
            if rows.is_empty() || begun.elapsed() > PATIENCE {
                return Ok(rows.iter().map(|row| row.get(0)).collect());
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        self.server.sql("postgres", &format!("DROP DATABASE {} WITH (FORCE)", self.name));
    }
}
