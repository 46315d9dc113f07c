//! A dump: `pg_dump` for everything but the rows, and beside it as many connections as `jobs` says that copy rows, all in one
//! snapshot.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use super::catalogue::Table;
use super::contents::{Contents, FORMAT, Rows};
use super::copier::Copier;
use super::parts::{self, Part};
use super::programs;
use super::schema::PgDump;
use super::session::Session;
use super::settings::Configured;
use super::snapshot::Snapshot;
use super::team::Team;
use super::warnings;
use crate::archive::{Entry, Writer};
use crate::drivers::{Context, Outcome, Unit};
use crate::error::Result;

/// What `before_dump` made ready.
pub(super) struct Prepared {
    pub(super) snapshot: Snapshot,
    pub(super) pg_dump: PgDump,
}

impl Prepared {
    /// Checks that the dump can succeed, and takes the snapshot.
    pub(super) fn make(settings: &Configured, context: &Context) -> Result<Self> {
        let (mut session, search_path) = Session::open(&settings.address, context)?;
        let version =
            session.rows(context, || "cannot ask for the server's version", "SELECT current_setting('server_version_num')::int", &[])?;
        let major = version.first().map_or(0, |row| row.get::<_, i32>(0)).unsigned_abs() / 10_000;
        let because = format!("the server is of version {major}");
        let program = programs::find("pg_dump", major, &because, settings.pg_bin.as_deref())?;
        let mut snapshot = Snapshot::take(settings, session, search_path, context)?;
        let broken = snapshot.facts.broken_keys.clone();
        let (relations, encoding) = (snapshot.relations.clone(), snapshot.facts.encoding.clone());
        warnings::warn(snapshot.session(), context, &relations, &broken)?;
        let pg_dump = PgDump::prepare(program, snapshot.session(), context, &relations, &settings.choice, &encoding)?;
        Ok(Self { snapshot, pg_dump })
    }
}

/// What the threads of a dump share.
struct Shared<'a> {
    settings: &'a Configured,
    tables: &'a [Table],
    snapshot: &'a str,
    encoding: &'a str,
    queue: Mutex<VecDeque<Part>>,
    done: Mutex<Vec<Done>>,
    copied: AtomicU64,
    total: u64,
}

/// A part that is in the archive.
struct Done {
    table: usize,
    number: u32,
    size: u64,
}

/// Writes all entries. The snapshot is released as soon as the rows are read and `pg_dump` has a snapshot of its own.
pub(super) fn run(prepared: Prepared, settings: &Configured, context: &Context, into: Box<dyn Writer>) -> Result<Outcome> {
    let Prepared { mut snapshot, pg_dump } = prepared;
    let (id, facts) = (snapshot.id.clone(), snapshot.facts.clone());
    let begun = Begun::default();
    let team = Team::new(context);
    let tables = std::thread::scope(|scope| {
        let schema_writer = into.another();
        scope.spawn(|| {
            team.member(|context| {
                let (writer, address) = (&mut *schema_writer?, &settings.address);
                pg_dump.run(context, address, &id, settings.lock_timeout, writer, &|| begun.tell())
            });
            begun.tell();
        });
        // Measured while `pg_dump` reads the catalogue, which takes longer than anything where there are many small tables.
        let tables = team.member(|context| snapshot.tables(context)).unwrap_or_default();
        let copied = copy_tables(&team, settings, &snapshot, &tables, &*into);
        begun.wait();
        team.member(|_| snapshot.release());
        copied
    });
    team.result()?;
    let contents = Contents { facts: super::facts::Facts { pg_dump: pg_dump.version().to_owned(), ..facts.clone() }, tables };
    let mut into = into;
    contents.write(&mut *into)?;
    Ok(Outcome::new(FORMAT)
        .note("server", facts.server)
        .note("pg_dump", pg_dump.version())
        .note("encoding", facts.encoding)
        .note("tables", contents.tables.len().to_string()))
}

/// Copies the rows of all tables, several parts at a time; says what is in the archive then.
fn copy_tables(team: &Team, settings: &Configured, snapshot: &Snapshot, tables: &[Table], into: &dyn Writer) -> Vec<Rows> {
    let parts = parts::plan(tables, settings.part_size);
    let shared = Shared {
        settings,
        tables,
        snapshot: &snapshot.id,
        encoding: &snapshot.facts.encoding,
        total: parts.iter().map(|part| part.estimate).sum(),
        queue: Mutex::new(parts.into()),
        done: Mutex::default(),
        copied: AtomicU64::new(0),
    };
    std::thread::scope(|scope| {
        for _ in 0..settings.jobs.min(lock(&shared.queue).len()) {
            let (writer, shared) = (into.another(), &shared);
            scope.spawn(move || team.member(|context| copy_rows(shared, context, &mut *writer?)));
        }
    });
    shared.rows()
}

/// One worker: a connection that copies part after part.
fn copy_rows(shared: &Shared<'_>, context: &Context, into: &mut dyn Writer) -> Result<()> {
    let begin = format!("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY; SET TRANSACTION SNAPSHOT '{}';", shared.snapshot);
    let copier = Copier::open(&shared.settings.address, context, &begin)?;
    loop {
        let Some(part) = lock(&shared.queue).pop_front() else { break };
        let table = &shared.tables[part.table];
        let what = || format!("cannot read the rows of `{}.{}`", table.schema, table.name);
        let sql = part.copy_out(table, shared.settings.copy_format, shared.encoding);
        let entry = || Entry::new(parts::entry(&table.schema, &table.name, part.number));
        if let Some(size) = copier.copy_out(context, &sql, &what, into, entry)? {
            lock(&shared.done).push(Done { table: part.table, number: part.number, size });
        }
        let copied = shared.copied.fetch_add(part.estimate, Ordering::Relaxed) + part.estimate;
        context.progress(copied, Some(shared.total), Unit::Bytes);
    }
    copier.execute(context, "cannot end the transaction", "COMMIT")?;
    copier.close();
    Ok(())
}

impl Shared<'_> {
    /// Of each table, what is in the archive.
    fn rows(&self) -> Vec<Rows> {
        let mut rows: Vec<Rows> = self
            .tables
            .iter()
            .map(|table| Rows {
                schema: table.schema.clone(),
                name: table.name.clone(),
                columns: table.columns.clone(),
                parts: Vec::new(),
                size: 0,
            })
            .collect();
        for done in lock(&self.done).iter() {
            rows[done.table].parts.push(done.number);
            rows[done.table].size += done.size;
        }
        rows.iter_mut().for_each(|rows| rows.parts.sort_unstable());
        rows
    }
}

/// Whether `pg_dump` has begun to write, or ended.
#[derive(Default)]
struct Begun {
    told: Mutex<bool>,
    changed: Condvar,
}

impl Begun {
    fn tell(&self) {
        *lock(&self.told) = true;
        self.changed.notify_all();
    }

    fn wait(&self) {
        let mut told = lock(&self.told);
        while !*told {
            told = self.changed.wait(told).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
