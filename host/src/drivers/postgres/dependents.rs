//! What cannot be made without that which `include` and `exclude` leave out. Views, functions and the like are left out with it;
//! for a table there is no such way.
//!
//! `pg_dump` leaves out what it is told to leave out, and with it what is a part of it: its indexes, its triggers, its type. It
//! keeps all that only needs it, and a restore would stop there. What needs what stands in `pg_depend` (PostgreSQL's
//! documentation, *System Catalogs*).

use std::collections::{HashMap, HashSet, VecDeque};

use super::catalogue::{Kind, Relation, Schema};
use super::facts::LeftOut;
use super::session::Session;
use super::settings::Choice;
use crate::drivers::Context;
use crate::error::{Error, ErrorKind, Result};

/// An object: the OIDs of its catalogue and of itself.
type Object = (u32, u32);

/// Follows what is left out to all that needs it: views among the relations get [`Relation::lacks`], the rest is given back.
///
/// # Errors
/// Tables that stay need something that does not: they inherit from it or are partitions of it, or a column, a default, a check or
/// a policy of theirs names it.
pub(super) fn follow(
    session: &mut Session,
    context: &Context,
    schemas: &[Schema],
    relations: &mut [Relation],
    choice: &Choice,
) -> Result<Vec<LeftOut>> {
    if choice.include.is_empty() && choice.exclude.is_empty() {
        return Ok(Vec::new());
    }
    let needs = Needs::read(session, context)?;
    let mut reached = Reached::default();
    reached.out.extend(schemas.iter().filter(|schema| choice.excludes_schema(&schema.name)).map(|schema| (needs.schemas, schema.oid)));
    reached.out.extend(relations.iter().filter(|relation| relation.is_left_out(choice)).map(|relation| (needs.relations, relation.oid)));
    let places: HashMap<Object, usize> = relations.iter().enumerate().map(|(at, relation)| ((needs.relations, relation.oid), at)).collect();
    needs.reach(&mut reached, |object| places.contains_key(&object));

    let descriptions = describe(session, context, &reached)?;
    // What people know, behind rules, defaults, checks and the types of tables.
    let cause = |object: Object| {
        let mut cause = reached.causes[&object];
        while !places.contains_key(&cause)
            && !descriptions.contains_key(&cause)
            && let Some(next) = reached.causes.get(&cause)
        {
            cause = *next;
        }
        match places.get(&cause) {
            Some(at) => relations[*at].shown(),
            None => descriptions.get(&cause).cloned().unwrap_or_default(),
        }
    };
    let (mut refused, mut views, mut left_out) = (Vec::new(), Vec::new(), Vec::new());
    for object in reached.lacking() {
        if let Some(at) = places.get(&object).copied() {
            let relation = &relations[at];
            if relation.extension.is_some() || matches!(relation.kind, Kind::View | Kind::MaterializedView) {
                views.push((at, cause(object)));
            } else {
                refused.push(format!("{} needs `{}`", relation.shown(), cause(object)));
            }
        } else if let Some(what) = descriptions.get(&object).filter(|_| !reached.parts.contains(&object)) {
            left_out.push(LeftOut { catalogue: object.0, oid: object.1, what: what.clone(), needs: cause(object) });
        }
    }
    if !refused.is_empty() {
        refused.sort();
        let error = Error::new(ErrorKind::InvalidConfig, "tables that are dumped cannot be made without what is left out")
            .hint("name both or neither in `include` and `exclude`; `exclude_data` leaves out rows alone");
        return Err(refused.into_iter().fold(error, |error, table| error.with("table", table)));
    }
    for (at, lacks) in views {
        relations[at].lacks = Some(lacks);
    }
    left_out.sort_by(|one, other| one.what.cmp(&other.what));
    Ok(left_out)
}

/// What needs what in a database.
struct Needs {
    /// Of each object, what needs it.
    of: HashMap<Object, Vec<Edge>>,
    /// The OIDs of `pg_class`, `pg_namespace` and `pg_extension`.
    relations: u32,
    schemas: u32,
    extensions: u32,
}

struct Edge {
    needing: Object,
    /// Whether it is a part of what it needs, and comes and goes with it: an index of its table, what an extension brought.
    is_part: bool,
}

/// What is reached from what is left out.
#[derive(Default)]
struct Reached {
    /// What `pg_dump` leaves out.
    out: HashSet<Object>,
    /// Of all that was reached, what it was reached from.
    causes: HashMap<Object, Object>,
    /// What came along as a part of something.
    parts: HashSet<Object>,
}

impl Reached {
    /// What `pg_dump` would dump, and nothing could make again.
    fn lacking(&self) -> impl Iterator<Item = Object> {
        self.causes.keys().copied().filter(|object| !self.out.contains(object))
    }
}

impl Needs {
    fn read(session: &mut Session, context: &Context) -> Result<Self> {
        // An internal part cannot be missing alone: with a view's rule, the view is. What a table's defaults, checks and policies
        // name, the table needs.
        const NEEDS: &str = "
            WITH edge AS (SELECT * FROM pg_depend WHERE refobjid >= 16384 OR refclassid = 'pg_namespace'::regclass)
            SELECT refclassid, refobjid, classid, objid, deptype <> 'n' FROM edge WHERE deptype IN ('n', 'a', 'i', 'P', 'S', 'e')
            UNION ALL SELECT classid, objid, refclassid, refobjid, false FROM edge WHERE deptype = 'i'
            UNION ALL SELECT 'pg_attrdef'::regclass, oid, 'pg_class'::regclass, adrelid, false FROM pg_attrdef
            UNION ALL SELECT 'pg_policy'::regclass, oid, 'pg_class'::regclass, polrelid, false FROM pg_policy
            UNION ALL SELECT 'pg_constraint'::regclass, oid, 'pg_class'::regclass, conrelid, false FROM pg_constraint
                      WHERE contype = 'c' AND conrelid <> 0 AND oid >= 16384
            UNION ALL SELECT 'pg_constraint'::regclass, oid, 'pg_type'::regclass, contypid, false FROM pg_constraint
                      WHERE contypid <> 0 AND oid >= 16384";
        const CATALOGUES: &str = "SELECT 'pg_class'::regclass::oid, 'pg_namespace'::regclass::oid, 'pg_extension'::regclass::oid";
        let what = || "cannot look at what depends on what is left out";
        let catalogues = session.rows(context, what, CATALOGUES, &[])?;
        let catalogue = |at: usize| catalogues.first().map_or(0, |row| row.get(at));
        let mut of: HashMap<Object, Vec<Edge>> = HashMap::new();
        for row in session.rows(context, what, NEEDS, &[])? {
            of.entry((row.get(0), row.get(1))).or_default().push(Edge { needing: (row.get(2), row.get(3)), is_part: row.get(4) });
        }
        Ok(Self { of, relations: catalogue(0), schemas: catalogue(1), extensions: catalogue(2) })
    }

    /// Goes on from what is out until nothing more is reached.
    fn reach(&self, reached: &mut Reached, is_relation: impl Fn(Object) -> bool) {
        let mut queue: VecDeque<Object> = reached.out.iter().copied().collect();
        while let Some(object) = queue.pop_front() {
            for Edge { needing, is_part } in self.of.get(&object).into_iter().flatten() {
                if reached.out.contains(needing) || reached.causes.contains_key(needing) {
                    continue;
                }
                reached.causes.insert(*needing, object);
                queue.push_back(*needing);
                // `pg_dump` leaves out the parts of what it leaves out, and what is in a schema with the schema; but partitions and
                // extensions it keeps.
                let lies_in_it = object.0 == self.schemas && needing.0 != self.extensions;
                if reached.out.contains(&object) && (*is_part || lies_in_it) && !is_relation(*needing) {
                    reached.out.insert(*needing);
                } else if *is_part {
                    reached.parts.insert(*needing);
                }
            }
        }
    }
}

/// The words of the server for all that has a name of its own and is no relation.
fn describe(session: &mut Session, context: &Context, reached: &Reached) -> Result<HashMap<Object, String>> {
    const DESCRIPTIONS: &str = "
        SELECT o.class, o.oid, pg_describe_object(o.class, o.oid, 0) FROM unnest($1::oid[], $2::oid[]) AS o (class, oid)
        WHERE o.class NOT IN ('pg_attrdef'::regclass, 'pg_policy'::regclass)
          AND NOT (o.class = 'pg_class'::regclass AND EXISTS (SELECT FROM pg_class WHERE oid = o.oid AND relkind NOT IN ('i', 'I')))
          AND NOT (o.class = 'pg_rewrite'::regclass AND EXISTS (SELECT FROM pg_rewrite WHERE oid = o.oid AND rulename = '_RETURN'))
          AND NOT (o.class = 'pg_constraint'::regclass
              AND EXISTS (SELECT FROM pg_constraint WHERE oid = o.oid AND contype NOT IN ('p', 'u', 'x')))
          AND NOT (o.class = 'pg_trigger'::regclass AND EXISTS (SELECT FROM pg_trigger WHERE oid = o.oid AND tgisinternal))
          AND NOT (o.class = 'pg_type'::regclass AND EXISTS (
              SELECT FROM pg_type t LEFT JOIN pg_class c ON c.oid = t.typrelid
              WHERE t.oid = o.oid AND (c.relkind <> 'c' OR EXISTS (SELECT FROM pg_type WHERE typarray = t.oid))))";
    let (classes, oids): (Vec<u32>, Vec<u32>) = reached.causes.keys().chain(&reached.out).copied().unzip();
    let rows = session.rows(context, || "cannot name what is left out", DESCRIPTIONS, &[&classes, &oids])?;
    Ok(rows.iter().filter_map(|row| Some(((row.get(0), row.get(1)), row.get::<_, Option<String>>(2)?))).collect())
}
