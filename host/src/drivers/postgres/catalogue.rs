//! The relations of a database as its catalogues have them in the snapshot: which there are, which may be read, which columns
//! COPY takes, how large they are.

use std::collections::{HashMap, HashSet};

use super::session::{Session, shown};
use super::settings::{Choice, CopyFormat};
use crate::drivers::Context;
use crate::error::{Error, ErrorKind, Result};

/// A relation: a table, a view, a sequence.
#[derive(Clone, Debug)]
pub(super) struct Relation {
    pub(super) oid: u32,
    pub(super) schema: String,
    pub(super) name: String,
    pub(super) kind: Kind,
    /// Of a sequence, the schema and name of the table to whose column it belongs.
    owner: Option<(String, String)>,
    /// Of a partition, the schemas and names of the tables that it is a part of.
    ancestors: Vec<(String, String)>,
    /// The extension that it belongs to.
    pub(super) extension: Option<String>,
    /// Of an extension's configuration table, the condition that its dumped rows meet; empty for all of them.
    pub(super) condition: Option<String>,
    /// Whether the role may read it, and may use its schema.
    pub(super) is_readable: bool,
    /// Whether row security would hide rows of it.
    pub(super) hides_rows: bool,
    /// Of a view, what it needs that is left out, and with it the view.
    pub(super) lacks: Option<String>,
    /// Whether its blocks can be read by range: a table of PostgreSQL's own kind of storage.
    is_heap: bool,
}

/// The kinds of relation that matter here (`pg_class.relkind`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Table,
    Partitioned,
    View,
    MaterializedView,
    Sequence,
    Foreign,
}

/// A table whose rows are copied.
#[derive(Clone, Debug)]
pub(super) struct Table {
    pub(super) schema: String,
    pub(super) name: String,
    /// The columns that COPY takes: no dropped ones, no generated ones.
    pub(super) columns: Vec<String>,
    /// Whether its rows go as text whatever is chosen: in binary they would hold OIDs, which are others in another database, or its
    /// types have no binary form.
    pub(super) as_text: bool,
    /// The tables that it is a part of, `schema.name`.
    pub(super) partition_of: Vec<String>,
    /// Which rows, where not all of them: an SQL condition.
    pub(super) condition: Option<String>,
    /// The blocks of its heap, where it can be read by ranges of them, else 0.
    pub(super) blocks: u64,
    /// The bytes that its rows take on the server's disk.
    pub(super) size: u64,
}

/// Why the rows of a relation are dumped, or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// Definition and rows.
    Whole,
    /// Its definition, which is all that there is.
    Definition,
    /// Its definition alone, since `exclude_data` names it.
    Bare,
    /// Nothing.
    Out,
}

impl Relation {
    /// `schema.name`, as messages name it.
    pub(super) fn shown(&self) -> String {
        format!("{}.{}", self.schema, self.name)
    }

    /// What becomes of it.
    pub(super) fn fate(&self, choice: &Choice) -> Fate {
        // A sequence comes and goes with its table, a partition with what it is a part of.
        let (schema, name) = self.owner.as_ref().map_or((&self.schema, &self.name), |(schema, name)| (schema, name));
        let names = || self.ancestors.iter().map(|(schema, name)| (schema, name)).chain([(schema, name)]);
        let named = |patterns: &[super::pattern::Pattern]| {
            patterns.iter().any(|pattern| names().any(|(schema, name)| pattern.matches(schema, name)))
        };
        let is_included = choice.include.is_empty() || named(&choice.include);
        let is_extensions_own = self.extension.is_some() && self.condition.is_none();
        if !is_included || named(&choice.exclude) || is_extensions_own || self.lacks.is_some() {
            return Fate::Out;
        }
        if named(&choice.exclude_data) {
            Fate::Bare
        } else if self.kind == Kind::Table {
            Fate::Whole
        } else {
            Fate::Definition
        }
    }

    /// Whether the choice leaves it out. What an extension has comes with the extension, whatever is chosen.
    pub(super) fn is_left_out(&self, choice: &Choice) -> bool {
        self.extension.is_none() && self.fate(choice) == Fate::Out
    }
}

/// A schema.
#[derive(Clone, Debug)]
pub(super) struct Schema {
    pub(super) oid: u32,
    pub(super) name: String,
}

/// These functions answer for now, and of what was dropped since the snapshot with NULL: that is noticed when it is locked.
const RELATIONS: &str = "
    SELECT c.oid, n.nspname::text, c.relname::text, c.relkind::text, x.extname::text, k.condition,
           coalesce(has_schema_privilege(n.oid, 'USAGE')
               AND CASE c.relkind WHEN 'S' THEN has_sequence_privilege(c.oid, 'SELECT') ELSE has_table_privilege(c.oid, 'SELECT') END, true),
           CASE WHEN c.relrowsecurity THEN coalesce(row_security_active(c.oid), false) ELSE false END,
           CASE WHEN current_setting('server_version_num')::int < 140000 THEN false ELSE coalesce(a.amname = 'heap', false) END,
           o.schema, o.name
    FROM pg_class c
    JOIN pg_namespace n ON n.oid = c.relnamespace
    LEFT JOIN pg_am a ON a.oid = c.relam
    LEFT JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.objsubid = 0
                         AND d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e'
    LEFT JOIN pg_extension x ON x.oid = d.refobjid
    LEFT JOIN (SELECT s.objid, sn.nspname::text AS schema, sc.relname::text AS name
               FROM pg_depend s JOIN pg_class sc ON sc.oid = s.refobjid JOIN pg_namespace sn ON sn.oid = sc.relnamespace
               WHERE s.classid = 'pg_class'::regclass AND s.refclassid = 'pg_class'::regclass AND s.refobjsubid > 0 AND s.deptype IN ('a', 'i'))
              o ON o.objid = c.oid AND c.relkind = 'S'
    LEFT JOIN (SELECT unnest(extconfig) AS relation, unnest(extcondition) AS condition FROM pg_extension) k ON k.relation = c.oid
    WHERE c.relkind IN ('r', 'p', 'v', 'm', 'S', 'f')
      AND (n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' OR k.relation IS NOT NULL)
    ORDER BY n.nspname, c.relname";

/// Refuses names that are not UTF-8: `pg_dump` would take them, but neither a statement nor the name of an entry can hold them.
pub(super) fn check_names(session: &mut Session, context: &Context) -> Result<()> {
    // Only where the database has no encoding, the server lets such names in; and it sends them as bytes alone.
    const NAMES: &str = "
        WITH relation AS (SELECT c.oid, n.nspname || '.' || c.relname AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
                          WHERE c.relkind IN ('r', 'p', 'v', 'm', 'S', 'f') AND n.nspname !~ '^pg_'),
        named (kind, name) AS (
            SELECT 'table', name FROM relation
            UNION ALL SELECT 'column', r.name || '.' || a.attname FROM relation r JOIN pg_attribute a ON a.attrelid = r.oid
                      WHERE a.attnum > 0 AND NOT a.attisdropped)
        SELECT kind, convert_to(name, 'SQL_ASCII') FROM named
        WHERE getdatabaseencoding() = 'SQL_ASCII' AND name COLLATE \"C\" !~ '^[ -~]*$' ORDER BY kind DESC, name COLLATE \"C\"";
    let rows = session.rows(context, || "cannot look at the names of the tables", NAMES, &[])?;
    let names = rows.iter().map(|row| (row.get::<_, &str>(0), row.get::<_, &[u8]>(1)));
    let mut odd = names.filter(|(_, name)| std::str::from_utf8(name).is_err()).peekable();
    if odd.peek().is_none() {
        return Ok(());
    }
    let error = Error::new(ErrorKind::Unsupported, "the database is of encoding SQL_ASCII, and has names that are not UTF-8")
        .hint("rename them in UTF-8 or ASCII (`ALTER TABLE … RENAME`); `pg_dump` takes them as they are");
    Err(odd.fold(error, |error, (kind, name)| error.with(kind, shown(name))))
}

/// All schemas, the system's own too.
pub(super) fn schemas(session: &mut Session, context: &Context) -> Result<Vec<Schema>> {
    let rows = session.rows(context, || "cannot list the schemas", "SELECT oid, nspname::text FROM pg_namespace ORDER BY nspname", &[])?;
    Ok(rows.iter().map(|row| Schema { oid: row.get(0), name: row.get(1) }).collect())
}

/// All relations that are not the system's own, in the order of their names.
pub(super) fn relations(session: &mut Session, context: &Context) -> Result<Vec<Relation>> {
    const ANCESTORS: &str = "
        SELECT c.oid, n.nspname::text, a.relname::text
        FROM pg_class c, pg_partition_ancestors(c.oid) AS p (relation), pg_class a, pg_namespace n
        WHERE c.relispartition AND c.relkind IN ('r', 'p', 'f') AND a.oid = p.relation AND a.oid <> c.oid AND n.oid = a.relnamespace";
    let mut ancestors: HashMap<u32, Vec<(String, String)>> = HashMap::new();
    for row in session.rows(context, || "cannot list the partitions", ANCESTORS, &[])? {
        ancestors.entry(row.get(0)).or_default().push((row.get(1), row.get(2)));
    }
    let rows = session.rows(context, || "cannot list the tables", RELATIONS, &[])?;
    let mut relation = |row: &postgres::Row| {
        Some(Relation {
            oid: row.get(0),
            schema: row.get(1),
            name: row.get(2),
            kind: match row.get::<_, &str>(3) {
                "r" => Kind::Table,
                "p" => Kind::Partitioned,
                "v" => Kind::View,
                "m" => Kind::MaterializedView,
                "S" => Kind::Sequence,
                "f" => Kind::Foreign,
                _ => return None,
            },
            extension: row.get(4),
            condition: row.get(5),
            is_readable: row.get(6),
            hides_rows: row.get(7),
            lacks: None,
            is_heap: row.get(8),
            owner: row.get::<_, Option<String>>(9).zip(row.get(10)),
            ancestors: ancestors.remove(&row.get(0)).unwrap_or_default(),
        })
    };
    Ok(rows.iter().filter_map(&mut relation).collect())
}

/// The tables whose rows are copied, with what COPY needs to know of them. They must be locked: their sizes are those of now.
pub(super) fn tables(
    session: &mut Session,
    context: &Context,
    relations: &[Relation],
    version: u32,
    format: CopyFormat,
) -> Result<Vec<Table>> {
    let oids: Vec<u32> = relations.iter().map(|relation| relation.oid).collect();
    let as_text = if format == CopyFormat::Binary { without_binary(session, context, &oids, version)? } else { HashSet::new() };
    let mut columns = columns(session, context, &oids, version)?;
    let mut sizes = sizes(session, context, &oids)?;
    let table = |relation: &Relation| {
        let (heap, size) = sizes.remove(&relation.oid).unwrap_or_default();
        Table {
            schema: relation.schema.clone(),
            name: relation.name.clone(),
            columns: columns.remove(&relation.oid).unwrap_or_default(),
            as_text: as_text.contains(&relation.oid),
            partition_of: relation.ancestors.iter().map(|(schema, name)| format!("{schema}.{name}")).collect(),
            condition: relation.condition.clone().filter(|condition| !condition.is_empty()),
            // The rows of one that has foreign keys already when it is filled must come at once.
            blocks: if relation.is_heap && relation.extension.is_none() { heap } else { 0 },
            size,
        }
    };
    Ok(relations.iter().map(table).collect())
}

/// The tables with columns that binary does not carry to another database: references to objects by OID, types without a binary
/// form, arrays and composite types of types that users made, since these carry the OIDs of what they are made of.
fn without_binary(session: &mut Session, context: &Context, oids: &[u32], version: u32) -> Result<HashSet<u32>> {
    let multirange = if version >= 140_000 { "OR r.rngmultitypid = t.oid" } else { "" };
    let sql = format!(
        "WITH RECURSIVE held (relation, type, is_inner) AS (
            SELECT attrelid, atttypid, false FROM pg_attribute WHERE attrelid = ANY ($1) AND attnum > 0 AND NOT attisdropped
            UNION SELECT h.relation, x.type, x.is_inner OR h.is_inner FROM held h JOIN pg_type t ON t.oid = h.type CROSS JOIN LATERAL (
                SELECT t.typelem, true WHERE t.typelem <> 0
                UNION ALL SELECT t.typbasetype, false WHERE t.typbasetype <> 0
                UNION ALL SELECT a.atttypid, true FROM pg_attribute a WHERE a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped
                UNION ALL SELECT r.rngsubtype, false FROM pg_range r WHERE r.rngtypid = t.oid {multirange}) x (type, is_inner))
         SELECT DISTINCT h.relation FROM held h JOIN pg_type t ON t.oid = h.type
         WHERE t.typnamespace = 'pg_catalog'::regnamespace AND t.typname ~ '^reg' OR t.typsend = 0 OR t.typreceive = 0
            OR h.is_inner AND t.oid >= 16384"
    );
    let rows = session.rows(context, || "cannot look at the types of the columns", &sql, &[&oids])?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

fn columns(session: &mut Session, context: &Context, oids: &[u32], version: u32) -> Result<HashMap<u32, Vec<String>>> {
    let generated = if version >= 120_000 { "AND attgenerated = ''" } else { "" };
    let sql = format!(
        "SELECT attrelid, attname::text FROM pg_attribute
         WHERE attrelid = ANY ($1) AND attnum > 0 AND NOT attisdropped {generated} ORDER BY attrelid, attnum"
    );
    let mut columns: HashMap<u32, Vec<String>> = HashMap::new();
    for row in session.rows(context, || "cannot list the columns", &sql, &[&oids])? {
        columns.entry(row.get(0)).or_default().push(row.get(1));
    }
    Ok(columns)
}

/// Of each table, the blocks of its heap and the bytes of its heap and of what is stored out of line.
fn sizes(session: &mut Session, context: &Context, oids: &[u32]) -> Result<HashMap<u32, (u64, u64)>> {
    const SIZES: &str = "
        SELECT c.oid, pg_relation_size(c.oid) / current_setting('block_size')::int,
               pg_relation_size(c.oid) + CASE c.reltoastrelid WHEN 0 THEN 0 ELSE pg_relation_size(c.reltoastrelid) END
        FROM pg_class c WHERE c.oid = ANY ($1)";
    let rows = session.rows(context, || "cannot measure the tables", SIZES, &[&oids])?;
    let number = |row: &postgres::Row, at| row.get::<_, Option<i64>>(at).and_then(|number| u64::try_from(number).ok()).unwrap_or(0);
    Ok(rows.iter().map(|row| (row.get(0), (number(row, 1), number(row, 2)))).collect())
}

/// Tables that were rewritten or dropped after the snapshot was taken and before they were locked, which the snapshot would see
/// empty; and those that got other names, so that others were locked.
pub(super) fn rewritten(session: &mut Session, context: &Context, relations: &[&Relation]) -> Result<bool> {
    // The catalogue is read in the snapshot, the function answers for now.
    const REWRITTEN: &str = "
        SELECT count(*) FROM pg_class c
        JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE c.oid = ANY ($1)
          AND (c.relkind = 'r' AND c.relfilenode <> 0 AND pg_relation_filenode(c.oid) IS DISTINCT FROM c.relfilenode
               OR to_regclass(format('%I.%I', n.nspname, c.relname))::oid IS DISTINCT FROM c.oid)";
    let oids: Vec<u32> = relations.iter().map(|relation| relation.oid).collect();
    let rows = session.rows(context, || "cannot compare the tables with the snapshot", REWRITTEN, &[&oids])?;
    Ok(rows.first().is_some_and(|row| row.get::<_, i64>(0) > 0))
}

/// Adds all of these to an error, as several things that failed alike.
pub(super) fn naming<'r>(error: Error, relations: impl IntoIterator<Item = &'r Relation>) -> Error {
    relations.into_iter().fold(error, |error, relation| error.with("table", relation.shown()))
}
