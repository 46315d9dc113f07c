//! A dump: `pg_dump` for everything but the rows, and beside it as many connections as `jobs` says that copy rows, all in one
//! snapshot.

use std::collections::{HashSet, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use super::catalogue::Table;
use super::contents::{Contents, FORMAT, Rows};
use super::copier::{Copied, Copier};
use super::parts::{self, Part};
use super::programs;
use super::schema::PgDump;
use super::session::Session;
use super::settings::{Configured, CopyFormat};
use super::snapshot::{self, Snapshot};
use super::team::Team;
use super::warnings;
use crate::archive::{Entry, Writer};
use crate::drivers::{Context, Outcome, Unit};
use crate::error::Result;

/// How long a worker waits for the lock of a table. None but who waits to alter it can be before it, and waits for the dump.
const PATIENCE: &str = "1s";

/// How many parts are read in one transaction: so few that the locks of their tables and of what is stored out of line fit the
/// server's fast path (`FP_LOCK_SLOTS_PER_BACKEND` is 16), outside of the table of locks that all sessions share.
const PARTS_AT_ONCE: u32 = 7;

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
        let Snapshot { session, relations, schemas, facts, .. } = &mut snapshot;
        warnings::warn(session, context, relations, facts)?;
        let pg_dump = PgDump::prepare(program, session, context, relations, schemas, &settings.choice, &facts.encoding)?;
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
    /// The parts of tables that somebody waits to alter.
    held: Mutex<Vec<Part>>,
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
                let ran = pg_dump.run(context, address, &id, settings.lock_timeout, writer, &|| begun.tell());
                ran.map_err(|error| snapshot::naming_who_waits(address, context, error))
            });
            begun.tell();
        });
        // Measured while `pg_dump` reads the catalogue, which takes longer than anything where there are many small tables.
        let tables = team.member(|context| snapshot.tables(context)).unwrap_or_default();
        let copied = copy_tables(&team, settings, &mut snapshot, &tables, &*into);
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
fn copy_tables(team: &Team, settings: &Configured, snapshot: &mut Snapshot, tables: &[Table], into: &dyn Writer) -> Vec<Rows> {
    let parts = parts::plan(tables, settings.part_size);
    let (id, encoding) = (snapshot.id.clone(), snapshot.facts.encoding.clone());
    let shared = Shared {
        settings,
        tables,
        snapshot: &id,
        encoding: &encoding,
        total: parts.iter().map(|part| part.estimate).sum(),
        queue: Mutex::new(parts.into()),
        held: Mutex::default(),
        done: Mutex::default(),
        copied: AtomicU64::new(0),
    };
    std::thread::scope(|scope| {
        for _ in 0..settings.jobs.min(lock(&shared.queue).len()) {
            let (writer, shared) = (into.another(), &shared);
            scope.spawn(move || team.member(|context| copy_rows(shared, context, &mut *writer?)));
        }
    });
    team.member(|context| copy_held(&mut snapshot.session, &shared, context, into));
    shared.rows()
}

/// One worker: a connection that copies part after part.
fn copy_rows(shared: &Shared<'_>, context: &Context, into: &mut dyn Writer) -> Result<()> {
    let begin = format!(
        "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY; SET TRANSACTION SNAPSHOT '{}'; SET LOCAL lock_timeout = '{PATIENCE}';",
        shared.snapshot
    );
    let copier = Copier::open(&shared.settings.address, context, &begin)?;
    let begin_again = |end: &str, part: &Part| {
        let what = format!("{}: cannot take up the snapshot again", shared.what(part));
        let begun = copier.execute(context, &what, &format!("{end}; {begin}"));
        begun.map_err(|error| error.hint("the session that holds the snapshot may have been ended: the server's log says why"))
    };
    let mut locked = HashSet::new();
    let mut taken = 0;
    loop {
        let Some(part) = lock(&shared.queue).pop_front() else { break };
        // A transaction keeps the locks of all that it has read, and the server has room for only so many.
        taken += 1;
        if taken % PARTS_AT_ONCE == 0 {
            begin_again("COMMIT", &part)?;
        }
        if locked.contains(&part.table) {
            lock(&shared.held).push(part);
            continue;
        }
        let (what, sql) = (|| shared.what(&part), shared.sql(&part));
        match copier.copy_out(context, &sql, &what, into, || shared.entry(&part))? {
            Copied::Bytes(size) => shared.has(context, &part, size),
            Copied::Locked => {
                locked.insert(part.table);
                begin_again("ROLLBACK", &part)?;
                lock(&shared.held).push(part);
            }
        }
    }
    copier.execute(context, "cannot end the transaction", "COMMIT")?;
    copier.close();
    Ok(())
}

/// Reads the parts of tables that somebody waits to alter. Other sessions stand in the queue behind who waits, who waits for this
/// one: it holds the tables' locks, and may read them.
fn copy_held(session: &mut Session, shared: &Shared<'_>, context: &Context, into: &dyn Writer) -> Result<()> {
    let held = std::mem::take(&mut *lock(&shared.held));
    if held.is_empty() {
        return Ok(());
    }
    let mut into = into.another()?;
    for part in held {
        let (mut entry, mut size) = (None, 0);
        session.copy_out(context, || shared.what(&part), &shared.sql(&part), &mut |block| {
            if entry.is_none() {
                entry = Some(into.create(shared.entry(&part))?);
            }
            size += block.len() as u64;
            entry.as_mut().map_or(Ok(()), |entry| entry.write(block))
        })?;
        entry.map_or(Ok(()), |mut entry| entry.finish())?;
        shared.has(context, &part, size);
    }
    Ok(())
}

impl Shared<'_> {
    /// What fails where a part cannot be read.
    fn what(&self, part: &Part) -> String {
        let table = &self.tables[part.table];
        format!("cannot read the rows of `{}.{}`", table.schema, table.name)
    }

    /// The statement that reads a part.
    fn sql(&self, part: &Part) -> String {
        let table = &self.tables[part.table];
        let format = if table.as_text { CopyFormat::Text } else { self.settings.copy_format };
        part.copy_out(table, format, self.encoding)
    }

    /// The entry of a part.
    fn entry(&self, part: &Part) -> Entry {
        let table = &self.tables[part.table];
        Entry::new(parts::entry(&table.schema, &table.name, part.number))
    }

    /// A part was read: it has so many bytes, and no entry if it has none.
    fn has(&self, context: &Context, part: &Part, size: u64) {
        if size > 0 {
            lock(&self.done).push(Done { table: part.table, number: part.number, size });
        }
        let copied = self.copied.fetch_add(part.estimate, Ordering::Relaxed) + part.estimate;
        context.progress(copied, Some(self.total), Unit::Bytes);
    }

    /// Of each table, what is in the archive.
    fn rows(&self) -> Vec<Rows> {
        let mut rows: Vec<Rows> = self
            .tables
            .iter()
            .map(|table| Rows {
                schema: table.schema.clone(),
                name: table.name.clone(),
                columns: table.columns.clone(),
                as_text: table.as_text,
                partition_of: table.partition_of.clone(),
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
