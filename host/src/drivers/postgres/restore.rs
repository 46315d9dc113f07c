//! A restore: `pg_restore` makes everything without rows, connections side by side load the rows, `pg_restore` again brings
//! sequences and large objects, then indexes, constraints and triggers; statistics at the end.

use std::collections::{HashSet, VecDeque};
use std::ffi::OsString;
use std::fs::File;
use std::io::Write;
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::child;
use super::contents::{Contents, FORMAT, SCHEMA};
use super::copier::Copier;
use super::facts::Facts;
use super::needs::Missing;
use super::only::{self, Only};
use super::order;
use super::programs::{self, Program};
use super::properties;
use super::recreate;
use super::schema::to_database;
use super::session::{Session, quoted};
use super::settings::{Configured, CopyFormat, Keep, Owner};
use super::target;
use super::team::Team;
use super::toc::Toc;
use tempfile::NamedTempFile;

use crate::archive::Reader;
use crate::drivers::{Context, Outcome, Unit};
use crate::error::{Error, ErrorKind, IoContext, Result};
use crate::name::EntryName;

/// What our sessions set beside what all of them set. That commits do not wait for the disk is safe: the last thing that a
/// restore does is one that waits for all before it.
const SETTINGS: &str = "SET check_function_bodies = off; SET client_min_messages = warning; SET synchronous_commit = off;";

/// The same for `pg_restore`.
const PGOPTIONS: &str = "-c synchronous_commit=off";

/// The OID of the catalogue of constraints, the same in all databases (`pg_constraint.h`).
const PG_CONSTRAINT: u32 = 2606;

/// A restore whose target was examined.
pub(super) struct Restore {
    contents: Contents,
    program: Program,
    extent: Extent,
}

/// How much of the archive is restored.
enum Extent {
    /// All of it; whether by a role that may do anything, whatever privileges say.
    Whole { by_superuser: bool },
    /// The rows of these tables.
    Tables(Only),
}

/// Lists for `pg_restore`.
struct Lists {
    /// What is restored before the rows and between them and the last.
    early: NamedTempFile,
    /// What comes then, one list after the other, and whether the entries of each may be restored side by side.
    last: Vec<(NamedTempFile, bool)>,
}

/// One part to load.
struct Load {
    table: usize,
    name: EntryName,
    size: u64,
}

impl Restore {
    /// Judges archive and target, and writes nothing.
    pub(super) fn prepare(settings: &Configured, context: &Context, source: &dyn Reader) -> Result<Self> {
        let contents = Contents::read(source)?;
        let written_by = contents.facts.pg_dump.split(|c: char| !c.is_ascii_digit()).next().and_then(|major| major.parse().ok());
        let because = format!("the archive was written with `pg_dump` {}", contents.facts.pg_dump);
        let program = programs::find("pg_restore", written_by.unwrap_or(0), &because, settings.pg_bin.as_deref())?;
        let extent = examine(settings, context, &contents, &program)?;
        Ok(Self { contents, program, extent })
    }

    /// Restores.
    pub(super) fn run(self, settings: &Configured, context: &Context, source: &dyn Reader) -> Result<Outcome> {
        if let Extent::Tables(only) = &self.extent {
            return self.run_only(only, settings, context, source);
        }
        let schema = temporary_copy(context, source).map_err(Error::untouched)?;
        let database = settings.address.database();
        if context.restore.recreate {
            recreate::perform(settings, context, &self.contents.facts)?;
        }
        self.fill(settings, context, source, &schema).map_err(|error| {
            let stands = if context.restore.recreate { "was dropped and made anew" } else { "was empty before" };
            error.with("database", format!("`{database}` {stands}, and holds a part of the archive now; `restore --recreate` begins again"))
        })
    }

    /// Restores rows of single tables.
    fn run_only(&self, only: &Only, settings: &Configured, context: &Context, source: &dyn Reader) -> Result<Outcome> {
        let absent = only.absent(&self.contents);
        if !absent.is_empty() {
            let schema = temporary_copy(context, source).map_err(Error::untouched)?;
            only::create(&absent, context, &schema, |schema, arguments| self.pg_restore(settings, context, schema, arguments))?;
        }
        let loaded = only.run(settings, context, &self.contents, source);
        let rows = loaded.map_err(|error| if absent.is_empty() { error.untouched() } else { error })?;
        Ok(Outcome::new(FORMAT).note("rows", rows.to_string()))
    }

    /// Fills an empty database.
    fn fill(&self, settings: &Configured, context: &Context, source: &dyn Reader, schema: &File) -> Result<Outcome> {
        let pg_restore = |arguments: &[&str]| self.pg_restore(settings, context, schema, arguments);
        let by_superuser = matches!(self.extent, Extent::Whole { by_superuser: true });
        let late_privileges = settings.privileges == Keep::Keep && !by_superuser;
        // To a superuser, nothing is another's.
        let extensions = if by_superuser { Vec::new() } else { extensions_of_others(settings, context)? };
        let lists = self.lists(context, schema, late_privileges, &extensions)?;
        let using = |list: &NamedTempFile| format!("--use-list={}", list.path().display());
        let early = lists.as_ref().map(|lists| using(&lists.early));
        let early: Vec<&str> = early.as_deref().into_iter().chain(late_privileges.then_some("--no-privileges")).collect();
        pg_restore(&[&early[..], &["--section=pre-data"]].concat())?;
        self.load_rows(settings, context, source)?;
        pg_restore(&[&early[..], &["--section=data"]].concat())?;
        let jobs = format!("--jobs={}", settings.jobs);
        match &lists {
            Some(lists) => {
                for (list, together) in &lists.last {
                    pg_restore(&[&using(list), if *together { &jobs } else { "--jobs=1" }])?;
                }
            }
            None => pg_restore(&["--section=post-data", &jobs])?,
        }
        let (mut session, _) = Session::open(&settings.address, context)?;
        if settings.analyze
            && let Err(error) = session.execute(context, || "cannot gather statistics", &format!("{SETTINGS} ANALYZE"))
        {
            // All that was dumped is there by now; an expression of an index or of statistics may fail on rows that are.
            context.check()?;
            context.warn(format!("{}; run `ANALYZE` when the cause is removed", error.message()));
        }
        let facts = &self.contents.facts;
        if context.restore.recreate {
            properties::apply_all(&mut session, settings, context, facts)?;
        } else {
            properties::apply_some(&mut session, settings, context, facts)?;
        }
        make_durable(&mut session, context)?;
        session.close()?;
        Ok(Outcome::new(FORMAT).note("tables", self.contents.tables.len().to_string()))
    }

    fn pg_restore(&self, settings: &Configured, context: &Context, schema: &File, arguments: &[&str]) -> Result<()> {
        let mut command = Command::new(&self.program.path);
        command.args(["--format=custom", "--exit-on-error", "--no-password"]).args(arguments);
        match &settings.owner {
            Owner::Recorded => {}
            Owner::Whoever => drop(command.arg("--no-owner")),
            Owner::Role(role) => drop(command.arg("--no-owner").arg(format!("--role={role}"))),
        }
        if settings.privileges == Keep::Skip {
            command.arg("--no-privileges");
        }
        if settings.tablespaces == Keep::Skip {
            command.arg("--no-tablespaces");
        }
        settings.address.prepare(&mut command);
        command.arg(to_database(&settings.address));
        command.env("PGOPTIONS", with_options(&settings.address.environment()));
        // The file has no name; through its standard input a process reaches it all the same, and seeks in it.
        command.arg("/proc/self/fd/0").stdin(schema.try_clone().while_doing(|| "cannot hand the schema to `pg_restore`")?);
        child::run(command, context, child::ignore)
    }

    /// What of the schema's entry is restored before and between the rows, and what after them; none where that is all of it.
    ///
    /// Left out is what needs what was left out of the dump. With `late_privileges`, all of them come last: as in a restore by
    /// `pg_restore` alone they come after the rows, since an owner may have taken from itself what it takes to load them.
    /// Comments on the extensions of others can only be made by them.
    fn lists(&self, context: &Context, schema: &File, late_privileges: bool, extensions: &[String]) -> Result<Option<Lists>> {
        let facts = &self.contents.facts;
        let keys = facts.broken_keys.iter().map(|key| (PG_CONSTRAINT, key.oid));
        let left_out: HashSet<(u32, u32)> = facts.left_out.iter().map(|object| (object.catalogue, object.oid)).chain(keys).collect();
        if left_out.is_empty() && extensions.is_empty() && !late_privileges && !facts.has_partitions {
            return Ok(None);
        }
        let list = |which: &str| -> Result<Toc> {
            let mut command = Command::new(&self.program.path);
            command.args(["--format=custom", "--list", which, "/proc/self/fd/0"]);
            command.stdin(schema.try_clone().while_doing(|| "cannot hand the schema to `pg_restore`")?);
            child::run(command, context, child::collect).map(|listing| Toc::parse(&listing))
        };
        let post_data = list("--section=post-data")?;
        // With what each entry depends on; and then of all sections, whatever is asked for.
        let all = list("--verbose")?.without(&left_out, extensions);
        let early = all.write()?;
        let last = all.after_rows(&post_data, late_privileges);
        let pieces = if facts.has_partitions { last.pieces() } else { vec![(last, true)] };
        let last = pieces.into_iter().map(|(piece, together)| Ok((piece.write()?, together))).collect::<Result<_>>()?;
        Ok(Some(Lists { early, last }))
    }

    fn load_rows(&self, settings: &Configured, context: &Context, source: &dyn Reader) -> Result<()> {
        let tables = &self.contents.tables;
        let mut loads: Vec<Load> = tables
            .iter()
            .enumerate()
            .flat_map(|(table, rows)| {
                let size = rows.size / rows.parts.len().max(1) as u64;
                rows.entries().map(move |name| Load { table, name, size })
            })
            .collect();
        loads.sort_by_key(|load| std::cmp::Reverse((tables[load.table].size, tables.len() - load.table)));
        let total = loads.iter().map(|load| load.size).sum();
        let (mut session, _) = Session::open(&settings.address, context)?;
        let first = order::of_foreign_keys(&mut session, context, tables)?;
        session.close()?;
        let (mut ordered, free): (Vec<Load>, Vec<Load>) = loads.into_iter().partition(|load| first.contains(&load.table));
        ordered.sort_by_key(|load| first.iter().position(|table| *table == load.table));
        let copied = AtomicU64::new(0);
        let work = |queue: &Mutex<VecDeque<Load>>, context: &Context| {
            let copier = Copier::open(&settings.address, context, SETTINGS)?;
            loop {
                let Some(load) = lock(queue).pop_front() else { break };
                self.load(&copier, context, source, &load)?;
                let copied = copied.fetch_add(load.size, Ordering::Relaxed) + load.size;
                context.progress(copied, Some(total), Unit::Bytes);
            }
            copier.close();
            Ok(())
        };
        if !ordered.is_empty() {
            work(&Mutex::new(ordered.into()), context)?;
        }
        let team = Team::new(context);
        let jobs = settings.jobs.min(free.len());
        let queue = Mutex::new(free.into());
        std::thread::scope(|scope| {
            for _ in 0..jobs {
                scope.spawn(|| team.member(|context| work(&queue, context)));
            }
        });
        team.result()
    }

    fn load(&self, copier: &Copier, context: &Context, source: &dyn Reader, load: &Load) -> Result<()> {
        let (table, facts) = (&self.contents.tables[load.table], &self.contents.facts);
        let sql = table.copy_in(facts);
        let what = || format!("cannot load the rows of `{}`", table.shown());
        copier.copy_in(context, &sql, &what, &mut *source.open(&load.name)?).map(|_rows| ())
    }
}

/// Looks at the target: whether it can take what is to be restored.
fn examine(settings: &Configured, context: &Context, contents: &Contents, program: &Program) -> Result<Extent> {
    let facts = &contents.facts;
    let server = settings.address.shown();
    if let Some(items) = context.items() {
        let (mut session, _) = Session::open(&settings.address, context)?;
        check_format(session.version(context)?, facts)?;
        let only = Only::prepare(&mut session, context, contents, items)?;
        session.close()?;
        return Ok(Extent::Tables(only));
    }
    let mut missing = Vec::new();
    let mut session = if context.restore.recreate {
        let mut session = recreate::elsewhere(&settings.address, context)?;
        missing.extend(recreate::check(&mut session, settings, context, facts)?);
        session
    } else {
        let (mut session, _) = Session::open(&settings.address, context)?;
        target::refuse_inhabited(&mut session, context)?;
        session
    };
    let version = session.version(context)?;
    check_format(version, facts)?;
    recreate::check_version(version, facts, program)?;
    missing.extend(facts.needs.missing(&mut session, context, settings)?);
    if let Owner::Role(role) = &settings.owner
        && !context.restore.recreate
        && contents.tables.iter().any(|rows| rows.schema == "public")
    {
        missing.extend(may_create(&mut session, context, role)?);
    }
    missing.sort();
    missing.dedup_by(|one, other| one.0 == other.0);
    let role = session.rows(context, || "cannot ask for the role", "SELECT rolsuper FROM pg_roles WHERE rolname = current_user", &[])?;
    session.close()?;
    facts.needs.judge(context, &server, missing)?;
    Ok(Extent::Whole { by_superuser: role.first().is_some_and(|row| row.get(0)) })
}

/// The right that a role lacks to make anything in the schema `public`, which since version 15 not everybody has.
fn may_create(session: &mut Session, context: &Context, role: &str) -> Result<Option<Missing>> {
    const MAY: &str = "
        SELECT has_schema_privilege(r.oid, n.oid, 'CREATE') FROM pg_roles r, pg_namespace n WHERE r.rolname = $1 AND n.nspname = 'public'";
    let rows = session.rows(context, || "cannot ask for the rights of the role", MAY, &[&role])?;
    let denied = rows.first().is_some_and(|row| !row.get::<_, bool>(0));
    let advice = || format!("`owner` names it: `GRANT CREATE ON SCHEMA public TO {}`", quoted(role));
    Ok(denied.then(|| (format!("right of the role `{role}` to make tables in `public`"), advice())))
}

/// The extensions that are there already and belong to roles that this one is no member of.
fn extensions_of_others(settings: &Configured, context: &Context) -> Result<Vec<String>> {
    const EXTENSIONS: &str = "SELECT extname::text FROM pg_extension WHERE NOT pg_has_role(extowner, 'USAGE')";
    let (mut session, _) = Session::open(&settings.address, context)?;
    let rows = session.rows(context, || "cannot list the extensions", EXTENSIONS, &[])?;
    session.close()?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

/// Rows in binary are as one major version has them in memory.
fn check_format(version: u32, facts: &Facts) -> Result<()> {
    let (here, there) = (version / 10_000, facts.server_version / 10_000);
    if facts.copy_format == CopyFormat::Text || here == there {
        return Ok(());
    }
    let message = format!("the rows were dumped in binary by PostgreSQL {there}, and the server here is PostgreSQL {here}");
    Err(Error::new(ErrorKind::Unsupported, message).hint(format!("restore into PostgreSQL {there}, or dump with `copy_format = \"text\"`")))
}

/// What the user's own settings for sessions are, and ours.
fn with_options(environment: &[(OsString, OsString)]) -> OsString {
    let mut options = environment.iter().find(|(name, _)| name == "PGOPTIONS").map(|(_, value)| value.clone()).unwrap_or_default();
    if !options.is_empty() {
        options.push(" ");
    }
    options.push(PGOPTIONS);
    options
}

/// The schema's entry in a file without a name, since `pg_restore` must seek in it. It holds what its hash says.
fn temporary_copy(context: &Context, source: &dyn Reader) -> Result<File> {
    let failed = || "cannot write a temporary copy of the schema";
    let mut file = tempfile::tempfile().while_doing(failed)?;
    let mut entry = source.open(&EntryName::from(SCHEMA))?;
    let mut buffer = vec![0; 256 << 10];
    loop {
        let count = entry.fill(&mut buffer)?;
        if count == 0 {
            return Ok(file);
        }
        file.write_all(&buffer[..count]).while_doing(failed)?;
        context.check()?;
    }
}

/// Waits until all that was committed before is on the server's disk: a commit that waits for its own record waits for all.
fn make_durable(session: &mut Session, context: &Context) -> Result<()> {
    // Not any statement will do: a transaction that wrote nothing to the log has nothing to wait for.
    const WRITE: &str = "SET synchronous_commit = on; SELECT pg_catalog.pg_logical_emit_message(true, 'dr-host', 'restored')";
    session.execute(context, || "cannot wait for the server's disk", WRITE)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
