//! The database that a restore would fill: what stands there already.

use super::session::Session;
use crate::drivers::Context;
use crate::error::{Error, ErrorKind, Result};

/// How many things are named.
const NAMED: usize = 10;

/// Everything that a user or an application made, but what belongs to an extension; extensions themselves do not count, since
/// servers are delivered with some, and `CREATE EXTENSION IF NOT EXISTS` takes them as they are.
const OBJECTS: &str = "
    WITH member AS (SELECT classid, objid FROM pg_depend WHERE deptype = 'e' AND refclassid = 'pg_extension'::regclass),
    object (class, oid, kind) AS (
        SELECT 'pg_class'::regclass, c.oid, CASE c.relkind WHEN 'S' THEN 'sequence' WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized view'
                                                      WHEN 'f' THEN 'foreign table' ELSE 'table' END
          FROM pg_class c WHERE c.relkind IN ('r', 'p', 'v', 'm', 'S', 'f') AND c.relnamespace::regnamespace::text !~ '^pg_temp_'
        UNION ALL SELECT 'pg_proc'::regclass, oid, 'function' FROM pg_proc
        UNION ALL SELECT 'pg_type'::regclass, t.oid, 'type' FROM pg_type t
          WHERE t.typtype IN ('d', 'e', 'r', 'p') OR t.typtype = 'c' AND (SELECT relkind FROM pg_class WHERE oid = t.typrelid) = 'c'
             OR t.typtype = 'b' AND NOT EXISTS (SELECT FROM pg_type WHERE typarray = t.oid)
        UNION ALL SELECT 'pg_namespace'::regclass, oid, 'schema' FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname <> 'public'
        UNION ALL SELECT 'pg_operator'::regclass, oid, 'operator' FROM pg_operator
        UNION ALL SELECT 'pg_collation'::regclass, oid, 'collation' FROM pg_collation
        UNION ALL SELECT 'pg_ts_config'::regclass, oid, 'text search configuration' FROM pg_ts_config
        UNION ALL SELECT 'pg_ts_dict'::regclass, oid, 'text search dictionary' FROM pg_ts_dict
        UNION ALL SELECT 'pg_ts_parser'::regclass, oid, 'text search parser' FROM pg_ts_parser
        UNION ALL SELECT 'pg_ts_template'::regclass, oid, 'text search template' FROM pg_ts_template
        UNION ALL SELECT 'pg_conversion'::regclass, oid, 'conversion' FROM pg_conversion
        UNION ALL SELECT 'pg_am'::regclass, oid, 'access method' FROM pg_am
        UNION ALL SELECT 'pg_opfamily'::regclass, oid, 'operator family' FROM pg_opfamily
        UNION ALL SELECT 'pg_transform'::regclass, oid, 'transform' FROM pg_transform
        UNION ALL SELECT 'pg_subscription'::regclass, oid, 'subscription' FROM pg_subscription
          WHERE subdbid = (SELECT oid FROM pg_database WHERE datname = current_database())
        UNION ALL SELECT 'pg_cast'::regclass, oid, 'cast' FROM pg_cast
        UNION ALL SELECT 'pg_language'::regclass, oid, 'language' FROM pg_language
        UNION ALL SELECT 'pg_event_trigger'::regclass, oid, 'event trigger' FROM pg_event_trigger
        UNION ALL SELECT 'pg_publication'::regclass, oid, 'publication' FROM pg_publication
        UNION ALL SELECT 'pg_foreign_data_wrapper'::regclass, oid, 'foreign-data wrapper' FROM pg_foreign_data_wrapper
        UNION ALL SELECT 'pg_foreign_server'::regclass, oid, 'foreign server' FROM pg_foreign_server
        UNION ALL SELECT 'pg_largeobject'::regclass, oid, 'large object' FROM pg_largeobject_metadata
    )
    SELECT o.kind, pg_describe_object(o.class, o.oid, 0), count(*) OVER () FROM object o
    LEFT JOIN member m ON m.classid = o.class AND m.objid = o.oid
    -- From here on the numbers are users' (access/transam.h, FirstNormalObjectId); large objects may have any.
    WHERE (o.oid >= 16384 OR o.kind = 'large object') AND m.objid IS NULL
    ORDER BY o.kind <> 'table', o.kind, 2 LIMIT 10";

/// What a user made there: some of the descriptions, and how many more there are.
pub(super) fn inhabitants(session: &mut Session, context: &Context) -> Result<(Vec<String>, u64)> {
    let rows = session.rows(context, || "cannot look at what stands in the database", OBJECTS, &[])?;
    let total = rows.first().map_or(0, |row| row.get::<_, i64>(2)).unsigned_abs();
    let named: Vec<String> = rows.iter().take(NAMED).map(|row| row.get::<_, Option<String>>(1).unwrap_or_default()).collect();
    let more = total - named.len() as u64;
    Ok((named, more))
}

/// Refuses a database in which something stands. Default privileges are no such thing, and what is restored gets them too: that is
/// told.
pub(super) fn refuse_inhabited(session: &mut Session, context: &Context) -> Result<()> {
    let (named, more) = inhabitants(session, context)?;
    if named.is_empty() {
        const DEFAULTS: &str = "SELECT DISTINCT pg_get_userbyid(defaclrole)::text FROM pg_default_acl ORDER BY 1";
        for row in session.rows(context, || "cannot look at the default privileges", DEFAULTS, &[])? {
            let role: String = row.get(0);
            context.warn(format!("default privileges are set for what `{role}` makes in this database: what is restored gets them too"));
        }
        return Ok(());
    }
    let database = session.address().database().to_owned();
    let error = Error::new(ErrorKind::InvalidConfig, format!("the database `{database}` is not empty"))
        .hint("restore into a new database (`createdb --template=template0`), or let `--recreate` drop this one and make it anew");
    let error = named.into_iter().fold(error, |error, object| error.with("holds", object));
    Err(if more > 0 { error.with("holds", format!("{more} more")) } else { error })
}
