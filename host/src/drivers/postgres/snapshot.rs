//! The point in time: a transaction that exports its snapshot, and holds the tables that are copied so that nobody alters,
//! empties or rewrites them before they are read.

use std::time::Duration;

use jiff::Timestamp;

use super::catalogue::{self, Fate, Kind, Relation, Schema, Table};
use super::connection::Address;
use super::dependents;
use super::facts::{BrokenKey, Facts};
use super::fault::{fault, is_missing};
use super::session::{Session, quoted};
use super::settings::{Choice, Configured};
use crate::drivers::{Context, PointInTime, Worth};
use crate::error::{Error, ErrorKind, Result};

/// How often a snapshot is taken anew because tables went away between the snapshot and their locks.
const ATTEMPTS: u32 = 5;

/// How many tables one statement locks.
const LOCKED_AT_ONCE: usize = 500;

/// A snapshot, held by an open transaction.
pub(super) struct Snapshot {
    /// The session that exported it, in whose transaction it holds.
    pub(super) session: Session,
    /// The schemas in which a table's name without a schema is looked for.
    pub(super) search_path: Vec<String>,
    /// Its name, for other sessions to import it by.
    pub(super) id: String,
    lsn: String,
    at: Timestamp,
    /// Everything in the database that might be dumped.
    pub(super) relations: Vec<Relation>,
    /// All schemas, the system's own too.
    pub(super) schemas: Vec<Schema>,
    /// Those whose rows are copied.
    copied: Vec<Relation>,
    /// What belongs to the database itself.
    pub(super) facts: Facts,
}

/// Why a snapshot was not taken.
enum Failed {
    /// A table went away meanwhile: the next snapshot will not see it.
    Moved(Error),
    Error(Error),
}

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        Self::Error(error)
    }
}

impl Snapshot {
    /// Takes one, and locks what will be copied.
    pub(super) fn take(settings: &Configured, mut session: Session, search_path: Vec<String>, context: &Context) -> Result<Self> {
        let mut attempt = 1;
        let taken = loop {
            match Taken::now(settings, &mut session, context) {
                Ok(taken) => break taken,
                Err(Failed::Moved(_)) if attempt < ATTEMPTS => attempt += 1,
                Err(Failed::Moved(error) | Failed::Error(error)) => return Err(error),
            }
            session.execute(context, || "cannot begin again", "ROLLBACK")?;
        };
        let Taken { id, lsn, at, relations, schemas, copied, facts } = taken;
        Ok(Self { session, search_path, id, lsn, at, relations, schemas, copied, facts })
    }

    /// What identifies it, for the manifest.
    pub(super) fn point_in_time(&self) -> PointInTime {
        let point = PointInTime { worth: Worth::Exact, at: self.at, details: std::collections::BTreeMap::new() };
        point.with("lsn", &self.lsn).with("snapshot", &self.id)
    }

    /// The tables whose rows are copied, and how large they are.
    pub(super) fn tables(&mut self, context: &Context) -> Result<Vec<Table>> {
        let Facts { server_version, copy_format, .. } = self.facts;
        catalogue::tables(&mut self.session, context, &self.copied, server_version, copy_format)
    }

    /// Ends the transaction.
    pub(super) fn release(self) -> Result<()> {
        self.session.close()
    }
}

struct Taken {
    id: String,
    lsn: String,
    at: Timestamp,
    relations: Vec<Relation>,
    schemas: Vec<Schema>,
    copied: Vec<Relation>,
    facts: Facts,
}

impl Taken {
    fn now(settings: &Configured, session: &mut Session, context: &Context) -> Result<Self, Failed> {
        const EXPORT: &str = "
            SELECT pg_export_snapshot(),
                   CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END::text";
        session.execute(context, || "cannot begin a transaction", "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY")?;
        let rows = session.rows(context, || "cannot export a snapshot", EXPORT, &[])?;
        let at = Timestamp::now();
        let (id, lsn) = rows.first().map(|row| (row.get::<_, String>(0), row.get::<_, Option<String>>(1))).unwrap_or_default();
        catalogue::check_names(session, context)?;
        let mut relations = catalogue::relations(session, context)?;
        let schemas = catalogue::schemas(session, context)?;
        check_patterns(&relations, &schemas, &settings.choice)?;
        let left_out = dependents::follow(session, context, &schemas, &mut relations, &settings.choice)?;
        let dumped: Vec<&Relation> = relations.iter().filter(|relation| relation.fate(&settings.choice) != Fate::Out).collect();
        if dumped.is_empty() && !settings.choice.include.is_empty() {
            let error = Error::new(ErrorKind::InvalidConfig, "`include` and `exclude` leave nothing to dump");
            return Err(error.hint("views need the tables that they show; leave the set out with `--skip` if nothing is wanted").into());
        }
        let copied: Vec<&Relation> = dumped.iter().copied().filter(|relation| relation.fate(&settings.choice) == Fate::Whole).collect();
        check_readable(&dumped, &copied)?;
        let locked: Vec<&Relation> =
            dumped.iter().copied().filter(|relation| matches!(relation.kind, Kind::Table | Kind::Partitioned)).collect();
        lock(session, context, &locked, settings.lock_timeout)?;
        if catalogue::rewritten(session, context, &locked)? {
            return Err(Failed::Moved(
                Error::new(ErrorKind::Unavailable, "tables are rewritten, renamed or dropped faster than they can be locked")
                    .hint("dump when no migration is running")
                    .retryable(),
            ));
        }
        let mut facts = Facts::read(
            session,
            context,
            settings.copy_format,
            !settings.choice.include.is_empty() || !settings.choice.exclude.is_empty(),
        )?;
        facts.broken_keys = broken_keys(session, context, &dumped, &copied)?;
        facts.left_out = left_out;
        facts.has_partitions = dumped.iter().any(|relation| relation.kind == Kind::Partitioned);
        let copied = copied.into_iter().cloned().collect();
        Ok(Self { id, lsn: lsn.unwrap_or_default(), at, copied, facts, relations, schemas })
    }
}

/// Patterns that name nothing are mistakes.
fn check_patterns(relations: &[Relation], schemas: &[Schema], choice: &Choice) -> Result<()> {
    let all = [("include", &choice.include), ("exclude", &choice.exclude), ("exclude_data", &choice.exclude_data)];
    let idle = all
        .iter()
        .flat_map(|(key, patterns)| patterns.iter().map(move |pattern| (key, pattern)))
        .filter(|(_, pattern)| !schemas.iter().any(|schema| pattern.matches_schema(&schema.name)))
        .filter(|(_, pattern)| !relations.iter().any(|relation| pattern.matches(&relation.schema, &relation.name)));
    let mut idle = idle.peekable();
    if idle.peek().is_none() {
        return Ok(());
    }
    let error = Error::new(ErrorKind::InvalidConfig, "patterns of the configuration name nothing in the database")
        .hint("write `schema.table` for tables and `schema` for whole schemas; `*` stands for anything");
    Err(idle.fold(error, |error, (key, pattern)| error.with(*key, pattern.to_string())))
}

/// Everything that is dumped must be readable, and all rows of it.
fn check_readable(dumped: &[&Relation], copied: &[&Relation]) -> Result<()> {
    // What a view, a materialized view or a foreign table shows is not dumped.
    let needed = |relation: &&Relation| matches!(relation.kind, Kind::Table | Kind::Partitioned | Kind::Sequence);
    let unreadable: Vec<&Relation> = dumped.iter().copied().filter(needed).filter(|relation| !relation.is_readable).collect();
    let hidden: Vec<&Relation> = copied.iter().copied().filter(|relation| relation.hides_rows).collect();
    if !unreadable.is_empty() {
        let error = Error::new(ErrorKind::PermissionDenied, "the role may not read everything that is to be dumped")
            .hint("dump as the owner or as a member of `pg_read_all_data`, or leave them out with `exclude`");
        let error = catalogue::naming(error, unreadable);
        return Err(hidden.iter().fold(error, |error, relation| error.with("row security", relation.shown())));
    }
    if !hidden.is_empty() {
        let error = Error::new(ErrorKind::PermissionDenied, "row security hides rows from the role, so a dump would not be whole")
            .hint("dump as a role with BYPASSRLS, or as the owner of tables without FORCE ROW LEVEL SECURITY");
        return Err(catalogue::naming(error, hidden));
    }
    Ok(())
}

/// Locks tables against everything but reading and writing rows.
fn lock(session: &mut Session, context: &Context, relations: &[&Relation], patience: Duration) -> Result<(), Failed> {
    let millis = patience.as_millis().min(i32::MAX as u128);
    session.execute(context, || "cannot set a timeout", &format!("SET LOCAL lock_timeout = {millis}"))?;
    for some in relations.chunks(LOCKED_AT_ONCE) {
        let names: Vec<_> = some.iter().map(|table| format!("ONLY {}.{}", quoted(&table.schema), quoted(&table.name))).collect();
        let sql = format!("LOCK TABLE {} IN ACCESS SHARE MODE", names.join(", "));
        match session.try_run(context, |client| client.batch_execute(&sql))? {
            Ok(()) => {}
            Err(error) if is_missing(&error) => return Err(Failed::Moved(fault("cannot lock the tables", &error))),
            Err(error) if error.code() == Some(&tokio_postgres::error::SqlState::LOCK_NOT_AVAILABLE) => {
                return Err(Failed::Error(blocked(session, context, some, patience)?));
            }
            Err(error) => return Err(Failed::Error(fault("cannot lock the tables", &error))),
        }
    }
    session.execute(context, || "cannot set a timeout", "SET LOCAL lock_timeout = 0")?;
    Ok(())
}

/// The error for tables that somebody else holds; says which, and who.
fn blocked(session: &mut Session, context: &Context, relations: &[&Relation], patience: Duration) -> Result<Error> {
    const HOLDERS: &str = "
        SELECT l.relation, l.pid, a.usename::text, a.application_name, left(a.query, 60)
        FROM pg_locks l LEFT JOIN pg_stat_activity a ON a.pid = l.pid
        WHERE l.locktype = 'relation' AND l.granted AND l.mode = 'AccessExclusiveLock' AND l.relation = ANY ($1)
          AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
        ORDER BY l.relation";
    session.execute(context, || "cannot end the transaction", "ROLLBACK")?;
    let oids: Vec<u32> = relations.iter().map(|relation| relation.oid).collect();
    let rows = session.rows(context, || "cannot ask for locks", HOLDERS, &[&oids])?;
    let error =
        Error::new(ErrorKind::Unavailable, format!("tables are locked by other sessions, for longer than {} s", patience.as_secs_f64()))
            .hint("wait until their transactions are over, or raise `lock_timeout`")
            .retryable();
    Ok(rows.iter().fold(error, |error, row| {
        let table = relations.iter().find(|relation| relation.oid == row.get::<_, u32>(0)).map(|relation| relation.shown());
        error.with("locked", format!("{} by {}", table.unwrap_or_default(), who(row)))
    }))
}

/// The session of a row with its process, role, application and query from the second column on.
fn who(row: &postgres::Row) -> String {
    let text = |at| row.get::<_, Option<&str>>(at).unwrap_or_default();
    match row.get::<_, Option<i32>>(1) {
        Some(process) => format!("process {process} of role {} ({}): {}", text(2), text(3), text(4)),
        None => "a prepared transaction: see `pg_prepared_xacts`".to_owned(),
    }
}

/// Adds to an error who waits to alter tables, where anybody does. Such a session waits until the dump is over, and whoever asks
/// for a lock after it waits behind it.
pub(super) fn naming_who_waits(address: &Address, context: &Context, error: Error) -> Error {
    const WAITING: &str = "
        SELECT n.nspname || '.' || c.relname, l.pid, coalesce(a.usename::text, '?'), coalesce(a.application_name, ''), left(a.query, 60)
        FROM pg_locks l JOIN pg_class c ON c.oid = l.relation JOIN pg_namespace n ON n.oid = c.relnamespace
        LEFT JOIN pg_stat_activity a ON a.pid = l.pid
        WHERE l.locktype = 'relation' AND NOT l.granted AND l.mode = 'AccessExclusiveLock'
          AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
        ORDER BY 1, 2";
    let found = Session::open(address, context).and_then(|(mut session, _)| {
        let rows = session.rows(context, || "cannot ask for locks", WAITING, &[])?;
        session.close().map(|()| rows)
    });
    // What cannot be asked now is no reason to hide the error.
    let rows = found.unwrap_or_default();
    if rows.is_empty() {
        return error;
    }
    let error = error.hint("dump again when no migration is running, or raise `lock_timeout` if its sessions give up by themselves");
    rows.iter().fold(error, |error, row| error.with("waits for a lock", format!("{} for {}", row.get::<_, &str>(0), who(row))))
}

/// Foreign keys whose table is dumped and that refer to rows which are not.
fn broken_keys(session: &mut Session, context: &Context, dumped: &[&Relation], copied: &[&Relation]) -> Result<Vec<BrokenKey>> {
    const KEYS: &str = "
        SELECT n.nspname::text, c.relname::text, k.conname::text, fn.nspname::text, f.relname::text, k.conrelid, k.confrelid, k.oid,
               (SELECT array_agg(relid::oid) FROM pg_partition_tree(k.conrelid) WHERE isleaf),
               (SELECT array_agg(relid::oid) FROM pg_partition_tree(k.confrelid) WHERE isleaf)
        FROM pg_constraint k
        JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace
        JOIN pg_class f ON f.oid = k.confrelid JOIN pg_namespace fn ON fn.oid = f.relnamespace
        WHERE k.contype = 'f' AND k.conparentid = 0 AND n.nspname !~ '^pg_'";
    let known = |relations: &[&Relation]| -> std::collections::HashSet<u32> { relations.iter().map(|relation| relation.oid).collect() };
    let (dumped, copied) = (known(dumped), known(copied));
    let rows = session.rows(context, || "cannot list the foreign keys", KEYS, &[])?;
    let is_broken = |row: &&postgres::Row| {
        let (from, to) = (row.get::<_, u32>(5), row.get::<_, u32>(6));
        // A table that is not partitioned is its own only leaf, or has none, from server to server.
        let leaves = |at: usize, table: u32| row.get::<_, Option<Vec<u32>>>(at).unwrap_or_else(|| vec![table]);
        let has_rows = leaves(8, from).iter().any(|leaf| copied.contains(leaf));
        let rows_are_lost = has_rows && !leaves(9, to).iter().all(|leaf| copied.contains(leaf));
        dumped.contains(&from) && (!dumped.contains(&to) || rows_are_lost)
    };
    Ok(rows
        .iter()
        .filter(is_broken)
        .map(|row| BrokenKey {
            oid: row.get(7),
            schema: row.get(0),
            table: row.get(1),
            constraint: row.get(2),
            refers_to: format!("{}.{}", row.get::<_, &str>(3), row.get::<_, &str>(4)),
        })
        .collect())
}
