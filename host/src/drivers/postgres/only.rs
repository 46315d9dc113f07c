//! `restore --only SET:SCHEMA.TABLE`: the rows of single tables, into tables of an existing schema that are empty or absent.
//!
//! All tables are filled in one transaction: either all rows are there in the end, or everything is as it was.

use std::collections::BTreeSet;
use std::fs::File;

use super::contents::{Contents, Rows};
use super::copier::Copier;
use super::pattern::Pattern;
use super::session::{Session, literal, quoted};
use super::settings::Configured;
use crate::archive::Reader;
use crate::drivers::{Context, Unit};
use crate::error::{Error, ErrorKind, Result};

/// The tables whose rows are wanted, in the order in which they are filled.
pub(super) struct Only {
    tables: Vec<Chosen>,
    /// Partitions of chosen tables that the archive does not have, quoted: emptied with the others.
    others: Vec<String>,
}

/// One of them.
struct Chosen {
    /// Its place among the archive's tables.
    at: usize,
    /// Whether it must be made first.
    is_absent: bool,
}

/// How the target knows a table.
struct Found {
    /// Its `pg_class.relkind`.
    kind: String,
    /// The columns that COPY can fill.
    columns: Vec<String>,
    has_rows: bool,
}

impl Only {
    /// Finds the tables in the archive, and looks at those of the target; writes nothing.
    pub(super) fn prepare(session: &mut Session, context: &Context, contents: &Contents, items: &[String]) -> Result<Self> {
        let chosen = choose(session, context, contents, items)?;
        let (mut tables, mut others) = (Vec::new(), Vec::new());
        let mut refused: Vec<(String, String)> = Vec::new();
        for item in items {
            for (schema, name) in partitions(session, context, item)? {
                if !contents.tables.iter().any(|rows| rows.schema == schema && rows.name == name) {
                    let quoted = format!("{}.{}", quoted(&schema), quoted(&name));
                    if !context.restore.truncate && has_rows(session, context, &quoted)? {
                        refused.push((format!("{schema}.{name}"), "it has rows, and the archive has no such partition".to_owned()));
                    }
                    others.push(quoted);
                }
            }
        }
        for at in chosen {
            let rows = &contents.tables[at];
            match look(session, context, rows)? {
                None => {
                    check_schema(session, context, rows, &mut refused)?;
                    tables.push(Chosen { at, is_absent: true });
                }
                Some(found) => {
                    refused.extend(objection(&found, rows, context.restore.truncate).map(|why| (rows.shown(), why)));
                    tables.push(Chosen { at, is_absent: false });
                }
            }
        }
        if !refused.is_empty() {
            let error = Error::new(ErrorKind::InvalidConfig, "these tables cannot take the archive's rows")
                .hint("empty those that have rows with `--truncate`; the others must be as they were dumped");
            return Err(refused.into_iter().fold(error, |error, (table, why)| error.with(table, why)));
        }
        Ok(Self { tables, others })
    }

    /// Whether tables must be made, from the schema's entry.
    pub(super) fn absent<'c>(&self, contents: &'c Contents) -> Vec<&'c Rows> {
        self.tables.iter().filter(|chosen| chosen.is_absent).map(|chosen| &contents.tables[chosen.at]).collect()
    }

    /// Fills the tables.
    ///
    /// # Errors
    /// The rows of none of them were changed.
    pub(super) fn run(&self, settings: &Configured, context: &Context, contents: &Contents, source: &dyn Reader) -> Result<u64> {
        let copier = Copier::open(&settings.address, context, "SET client_min_messages = warning; BEGIN; SET CONSTRAINTS ALL DEFERRED;")?;
        let (mut session, _) = Session::open(&settings.address, context)?;
        let triggers = self.triggers(&mut session, context, contents)?;
        let keys = self.keys(&mut session, context, contents)?;
        session.close()?;
        let tables: Vec<&Rows> = self.tables.iter().map(|chosen| &contents.tables[chosen.at]).collect();
        for rows in &tables {
            // What triggers did to the rows is in them already.
            copier.execute(context, "cannot switch triggers off", &format!("ALTER TABLE {} DISABLE TRIGGER USER", relation(rows)))?;
        }
        if context.restore.truncate {
            let names: Vec<String> = tables.iter().map(|rows| relation(rows)).chain(self.others.iter().cloned()).collect();
            let emptied = copier.execute(context, "cannot empty the tables", &format!("TRUNCATE ONLY {}", names.join(", ONLY ")));
            emptied.map_err(|error| error.hint("name the tables that refer to these in `--only` too"))?;
        }
        for key in &keys {
            // Rows may refer to such as come later, in another table or another part of their own.
            copier.execute(context, "cannot defer a foreign key", &format!("{key} DEFERRABLE"))?;
        }
        let total = tables.iter().map(|rows| rows.size).sum();
        let (mut loaded, mut count) = (0, 0);
        for rows in &tables {
            let facts = &contents.facts;
            let sql = rows.copy_in(facts);
            for entry in rows.entries() {
                let mut entry = source.open(&entry)?;
                let size = entry.info().size;
                count += copier.copy_in(context, &sql, &|| format!("cannot load the rows of `{}`", rows.shown()), &mut *entry)?;
                loaded += size;
                context.progress(loaded, Some(total), Unit::Bytes);
            }
        }
        copier.execute(context, "the rows do not fit the tables", "SET CONSTRAINTS ALL IMMEDIATE")?;
        for key in &keys {
            copier.execute(context, "cannot make a foreign key what it was", &format!("{key} NOT DEFERRABLE"))?;
        }
        for sql in triggers {
            copier.execute(context, "cannot switch triggers on again", &sql)?;
        }
        copier.execute(context, "the rows do not fit the tables", "COMMIT")?;
        if settings.analyze {
            let names: Vec<String> = tables.iter().map(|rows| relation(rows)).collect();
            if let Err(error) = copier.execute(context, "cannot gather statistics", &format!("ANALYZE {}", names.join(", "))) {
                context.check()?;
                context.warn(error.message());
            }
        }
        copier.close();
        Ok(count)
    }

    /// The beginnings of statements that alter the foreign keys of the tables, as far as these cannot be deferred as they are. Of a
    /// partition, the key is its parent's.
    fn keys(&self, session: &mut Session, context: &Context, contents: &Contents) -> Result<Vec<String>> {
        const KEYS: &str = "
            WITH RECURSIVE key AS (
                SELECT k.* FROM pg_constraint k WHERE contype = 'f' AND conrelid = pg_catalog.to_regclass($1)
                UNION SELECT parent.* FROM pg_constraint parent JOIN key ON key.conparentid = parent.oid)
            SELECT n.nspname::text, c.relname::text, k.conname::text
            FROM key k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace
            WHERE k.conparentid = 0 AND NOT k.condeferrable AND coalesce(to_jsonb(k) ->> 'conenforced', 'true') = 'true'";
        let mut keys = BTreeSet::new();
        for chosen in &self.tables {
            let name = relation(&contents.tables[chosen.at]);
            for row in session.rows(context, || "cannot list the foreign keys", KEYS, &[&name])? {
                let (schema, table, key) = (quoted(row.get(0)), quoted(row.get(1)), quoted(row.get(2)));
                keys.insert(format!("ALTER TABLE {schema}.{table} ALTER CONSTRAINT {key}"));
            }
        }
        Ok(keys.into_iter().collect())
    }

    /// What switches the triggers of the tables on again, each as it was.
    fn triggers(&self, session: &mut Session, context: &Context, contents: &Contents) -> Result<Vec<String>> {
        const TRIGGERS: &str = "
            SELECT tgname::text, tgenabled::text FROM pg_trigger
            WHERE NOT tgisinternal AND tgenabled <> 'D' AND tgrelid = pg_catalog.to_regclass($1) ORDER BY 1";
        let mut statements = Vec::new();
        for chosen in &self.tables {
            let name = relation(&contents.tables[chosen.at]);
            for row in session.rows(context, || "cannot list the triggers", TRIGGERS, &[&name])? {
                let how = match row.get::<_, &str>(1) {
                    "A" => "ENABLE ALWAYS",
                    "R" => "ENABLE REPLICA",
                    _ => "ENABLE",
                };
                statements.push(format!("ALTER TABLE {name} {how} TRIGGER {}", quoted(row.get(0))));
            }
        }
        Ok(statements)
    }
}

/// The leaves of a partitioned table of the target; none where the item names none.
fn partitions(session: &mut Session, context: &Context, item: &str) -> Result<Vec<(String, String)>> {
    const PARTITIONS: &str = "
        SELECT n.nspname::text, c.relname::text
        FROM pg_partition_tree(pg_catalog.to_regclass($1)) t JOIN pg_class c ON c.oid = t.relid JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE t.isleaf AND t.level > 0 AND c.relkind = 'r'";
    let Some((schema, name)) = item.split_once('.') else { return Ok(Vec::new()) };
    let name = format!("{}.{}", quoted(schema), quoted(name));
    let rows = session.rows(context, || format!("cannot list the partitions of `{item}`"), PARTITIONS, &[&name])?;
    Ok(rows.iter().map(|row| (row.get(0), row.get(1))).collect())
}

fn has_rows(session: &mut Session, context: &Context, table: &str) -> Result<bool> {
    let some = session.rows(context, || format!("cannot look at {table}"), &format!("SELECT FROM ONLY {table} LIMIT 1"), &[])?;
    Ok(!some.is_empty())
}

/// The arguments with which `pg_restore` makes an absent table: it takes the definition alone.
pub(super) fn creation(rows: &Rows) -> [String; 4] {
    ["--section=pre-data".to_owned(), "--strict-names".to_owned(), format!("--schema={}", rows.schema), format!("--table={}", rows.name)]
}

/// What a table that was just made lacks.
pub(super) fn warn_of_bare(context: &Context, rows: &Rows) {
    context.warn(format!(
        "`{}` was made with its columns and rows alone: defaults that are sequences, keys, indexes, triggers and privileges are still to be made",
        rows.shown()
    ));
}

/// Makes absent tables by `pg_restore`.
pub(super) fn create(absent: &[&Rows], context: &Context, schema: &File, pg_restore: impl Fn(&File, &[&str]) -> Result<()>) -> Result<()> {
    for rows in absent {
        let arguments = creation(rows);
        pg_restore(schema, &arguments.each_ref().map(String::as_str))?;
        warn_of_bare(context, rows);
    }
    Ok(())
}

/// The places of the tables that the items name, in the archive's order.
fn choose(session: &mut Session, context: &Context, contents: &Contents, items: &[String]) -> Result<Vec<usize>> {
    let mut chosen = Vec::new();
    let mut unknown = Vec::new();
    for item in items {
        let found = matching(session, context, contents, item)?;
        if found.is_empty() {
            unknown.push(item);
        }
        chosen.extend(found);
    }
    if !unknown.is_empty() {
        let error = Error::new(ErrorKind::NotFound, "the archive has no rows of these tables")
            .hint("write `SET:SCHEMA.TABLE`, or a pattern such as `SET:public.log_*`; `list --entries` shows what there is below `rows/`");
        return Err(unknown.into_iter().fold(error, |error, item| error.with("table", item)));
    }
    chosen.sort_unstable();
    chosen.dedup();
    Ok(chosen)
}

/// A table of exactly this name, else all that the pattern names, else the parts of a partitioned table of the target.
fn matching(session: &mut Session, context: &Context, contents: &Contents, item: &str) -> Result<Vec<usize>> {
    let all = || contents.tables.iter().enumerate();
    let places = |wanted: &dyn Fn(&Rows) -> bool| -> Vec<usize> { all().filter(|(_, rows)| wanted(rows)).map(|(at, _)| at).collect() };
    let exact = places(&|rows| rows.shown() == item || rows.partition_of.iter().any(|table| table == item));
    if !exact.is_empty() {
        return Ok(exact);
    }
    if let Ok(pattern) = Pattern::parse(item) {
        let matched = places(&|rows| pattern.matches(&rows.schema, &rows.name));
        if !matched.is_empty() {
            return Ok(matched);
        }
    }
    // Tables that are parts of one in the target may have been none when they were dumped.
    let parts = partitions(session, context, item)?;
    Ok(places(&|rows| parts.iter().any(|(schema, name)| *schema == rows.schema && *name == rows.name)))
}

/// The table in the target, if it is there.
fn look(session: &mut Session, context: &Context, rows: &Rows) -> Result<Option<Found>> {
    const TABLE: &str = "
        SELECT c.relkind::text, coalesce((SELECT array_agg(a.attname::text) FROM pg_attribute a
            WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''), '{}')
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = $1 AND c.relname = $2";
    let what = || format!("cannot look at `{}`", rows.shown());
    let found = session.rows(context, what, TABLE, &[&rows.schema, &rows.name])?;
    let Some(row) = found.first() else { return Ok(None) };
    let kind: String = row.get(0);
    let has_rows = kind == "r" && has_rows(session, context, &relation(rows))?;
    Ok(Some(Found { kind, columns: row.get(1), has_rows }))
}

/// Why a table of the target cannot take the rows.
fn objection(found: &Found, rows: &Rows, truncate: bool) -> Option<String> {
    if found.kind != "r" {
        return Some("it is no table there".to_owned());
    }
    let missing: Vec<String> =
        rows.columns.iter().filter(|column| !found.columns.contains(column)).map(|column| format!("`{column}`")).collect();
    if !missing.is_empty() {
        return Some(format!("it lacks {}", missing.join(", ")));
    }
    (found.has_rows && !truncate).then(|| "it has rows".to_owned())
}

/// An absent table needs its schema.
fn check_schema(session: &mut Session, context: &Context, rows: &Rows, refused: &mut Vec<(String, String)>) -> Result<()> {
    let sql = format!("SELECT FROM pg_namespace WHERE nspname = {}", literal(&rows.schema));
    if session.rows(context, || "cannot look for the schema", &sql, &[])?.is_empty() {
        refused.push((rows.shown(), format!("there is no schema `{}` to make it in", rows.schema)));
    }
    Ok(())
}

fn relation(rows: &Rows) -> String {
    format!("{}.{}", quoted(&rows.schema), quoted(&rows.name))
}
