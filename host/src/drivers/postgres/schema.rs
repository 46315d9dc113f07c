//! Everything but the rows, by `pg_dump`: one archive of its own, in the driver's snapshot, streamed into an entry.

use std::ffi::OsString;
use std::io::Read;
use std::os::unix::ffi::OsStringExt;
use std::process::{ChildStdout, Command, Stdio};
use std::time::Duration;

use super::catalogue::{Fate, Kind, Relation, Schema};
use super::child;
use super::connection::Address;
use super::contents::SCHEMA;
use super::exact::{self, Named};
use super::programs::Program;
use super::session::Session;
use super::settings::Choice;
use crate::archive::{Entry, Writer};
use crate::drivers::Context;
use crate::error::{IoContext, Result};

/// A `pg_dump` that is ready to run.
pub(super) struct PgDump {
    program: Program,
    arguments: Vec<OsString>,
}

impl PgDump {
    /// Makes it ready: of `relations` it will leave out what the choice leaves out, and the rows of all tables that we copy.
    pub(super) fn prepare(
        program: Program,
        session: &mut Session,
        context: &Context,
        relations: &[Relation],
        schemas: &[Schema],
        choice: &Choice,
        encoding: &str,
    ) -> Result<Self> {
        // What else it would write in, and read these options in, is what the database, the role or the URL sets for clients.
        let mut options = vec![("--encoding=", encoding.to_owned())];
        // Of what is neither a sequence nor a materialized view, it has nothing to dump but rows.
        let has_no_rows = |relation: &&Relation| matches!(relation.kind, Kind::Sequence | Kind::MaterializedView);
        let rows = relations.iter().filter(|relation| has_no_rows(relation) || relation.kind == Kind::Table);
        let comes_without = |relation: &Relation| match relation.kind {
            Kind::MaterializedView => relation.fate(choice) == Fate::Bare,
            kind => kind == Kind::Table,
        };
        for pattern in exact::relations(rows.map(|relation| named(relation, comes_without(relation)))) {
            options.push(("--exclude-table-data=", pattern));
        }
        options.extend(chosen(relations, schemas, choice));
        Ok(Self { program, arguments: in_the_encoding(session, context, options, encoding)? })
    }

    /// The version that it says it is.
    pub(super) fn version(&self) -> &str {
        &self.program.version
    }

    /// Runs it in the snapshot, into an entry. `begun` is called as soon as it has seen the catalogue: the snapshot is then its
    /// own.
    pub(super) fn run(
        &self,
        context: &Context,
        address: &Address,
        snapshot: &str,
        patience: Duration,
        into: &mut dyn Writer,
        begun: &dyn Fn(),
    ) -> Result<()> {
        let mut command = Command::new(&self.program.path);
        command.args(["--format=custom", "--compress=0", "--no-password"]);
        command.arg(format!("--snapshot={snapshot}")).arg(format!("--lock-wait-timeout={}", patience.as_millis()));
        address.prepare(&mut command);
        command.args(&self.arguments).arg(to_database(address)).stdin(Stdio::null());
        child::run(command, context, |stdout| copy(stdout, context, into, begun))
    }
}

/// The argument that names a database, whatever characters its name has.
pub(super) fn to_database(address: &Address) -> OsString {
    let name = address.database().replace('\\', "\\\\").replace('\'', "\\'");
    format!("--dbname=dbname='{name}'").into()
}

fn copy(stdout: &mut ChildStdout, context: &Context, into: &mut dyn Writer, begun: &dyn Fn()) -> Result<()> {
    let mut entry = into.create(Entry::new(SCHEMA))?;
    let mut total = 0;
    loop {
        let count = stdout.read(entry.space()?).while_doing(|| "cannot read from `pg_dump`")?;
        if count == 0 {
            break;
        }
        if total == 0 {
            begun();
        }
        entry.advance(count)?;
        total += count;
        context.check()?;
    }
    entry.finish()
}

fn named(relation: &Relation, matches: bool) -> Named<'_> {
    Named { schema: &relation.schema, name: &relation.name, matches }
}

/// The options for what `include` and `exclude` say. With `--table` and `--schema` for what is included, `pg_dump` would leave out
/// what tables are made with: types, functions, extensions. So it is told what is not.
fn chosen(relations: &[Relation], schemas: &[Schema], choice: &Choice) -> Vec<(&'static str, String)> {
    let mut options = Vec::new();
    if !choice.include.is_empty() {
        options.extend(["--no-blobs", "--no-publications", "--no-subscriptions"].map(|option| (option, String::new())));
    }
    let names = schemas.iter().map(|schema| schema.name.as_str());
    let (yes, no): (Vec<&str>, Vec<&str>) = names.partition(|schema| choice.excludes_schema(schema));
    options.extend(exact::names(&yes, &no).into_iter().map(|pattern| ("--exclude-schema=", pattern)));
    let others = relations.iter().filter(|relation| !choice.excludes_schema(&relation.schema));
    let tables = exact::relations(others.map(|relation| named(relation, relation.is_left_out(choice))));
    options.extend(tables.into_iter().map(|pattern| ("--exclude-table=", pattern)));
    options
}

/// Patterns as `pg_dump` reads them: in the database's encoding.
fn in_the_encoding(session: &mut Session, context: &Context, options: Vec<(&str, String)>, encoding: &str) -> Result<Vec<OsString>> {
    let mut arguments = Vec::new();
    for (option, pattern) in options {
        let mut argument = OsString::from(option);
        if pattern.is_ascii() || encoding == "UTF8" || encoding == "SQL_ASCII" {
            argument.push(pattern);
        } else {
            let what = || "cannot write names in the database's encoding";
            let rows = session.rows(context, what, "SELECT convert_to($1, getdatabaseencoding())", &[&pattern])?;
            argument.push(OsString::from_vec(rows.first().map(|row| row.get(0)).unwrap_or_default()));
        }
        arguments.push(argument);
    }
    Ok(arguments)
}
