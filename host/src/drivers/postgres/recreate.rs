//! `--recreate`: the database is dropped and made anew, as the archive recorded it. What can be said against it is said
//! before: who is connected, what the role may not do, what the server lacks.

use super::connection::Address;
use super::facts::Facts;
use super::fault::fault;
use super::needs::{Locale, Missing};
use super::programs::Program;
use super::properties;
use super::session::{Session, literal, quoted};
use super::settings::{Configured, Keep, Owner};
use crate::drivers::Context;
use crate::error::{Error, ErrorKind, Result};

/// The databases from which another can be dropped.
const ELSEWHERE: [&str; 2] = ["postgres", "template1"];

/// How many sessions are named.
const NAMED: usize = 20;

/// Connects to another database of the same server.
pub(super) fn elsewhere(address: &Address, context: &Context) -> Result<Session> {
    let mut last = None;
    for name in ELSEWHERE.into_iter().filter(|name| *name != address.database()) {
        match Session::open(&address.with_database(name), context) {
            Ok((session, _)) => return Ok(session),
            Err(error) if error.is_cancelled() => return Err(error),
            Err(error) => last = Some(error),
        }
    }
    let error = last.unwrap_or_else(|| Error::new(ErrorKind::Unavailable, "there is no other database to connect to"));
    Err(error.while_("a database is dropped from another one, `postgres` or `template1`"))
}

/// Refuses servers that are too old: from version 17 on `pg_restore` sets a parameter that servers before 17 do not know, and
/// older servers know nothing of the newer locale providers.
pub(super) fn check_version(version: u32, facts: &Facts, program: &Program) -> Result<()> {
    let major = version / 10_000;
    let refuse = |why: String| {
        let error = Error::new(ErrorKind::Unsupported, why);
        Err(error.hint(format!("restore into a server of version {} or newer", facts.server_version / 10_000)))
    };
    if program.major >= 17 && major < 17 {
        return refuse(format!(
            "the server is of version {major}, and `pg_restore` {} restores into version 17 and newer",
            program.version
        ));
    }
    let least = match facts.locale_provider.as_str() {
        "icu" => 15,
        "builtin" => 17,
        _ => 0,
    };
    if major < least {
        return refuse(format!("the server is of version {major}, and has no locale provider `{}`", facts.locale_provider));
    }
    Ok(())
}

/// Looks whether the database can be dropped and made anew; writes nothing. What the server lacks for it is given back.
pub(super) fn check(session: &mut Session, settings: &Configured, context: &Context, facts: &Facts) -> Result<Vec<Missing>> {
    let database = settings.address.database();
    may(session, settings, context, facts)?;
    let (sessions, more) = connected(session, context, database)?;
    if !sessions.is_empty() {
        if !context.restore.force {
            return Err(in_use(database, sessions, more));
        }
        may_end(session, context, database)?;
    }
    let mut missing = Vec::new();
    let locale = Locale {
        provider: facts.locale_provider.clone(),
        collate: Some(facts.collate.clone()),
        ctype: Some(facts.ctype.clone()),
        locale: facts.locale.clone(),
    };
    missing.extend(locale.missing(session, context)?);
    let what = || "cannot look for what the database needs";
    let is_absent = |session: &mut Session, sql: &str, name: &String| session.rows(context, what, sql, &[name]).map(|rows| rows.is_empty());
    if settings.owner == Owner::Recorded && is_absent(session, "SELECT FROM pg_roles WHERE rolname = $1", &facts.owner)? {
        let advice = format!("it owns the database: `CREATE ROLE {}`, or set `owner = \"skip\"`", quoted(&facts.owner));
        missing.push((format!("role `{}`", facts.owner), advice));
    }
    for role in properties::roles(facts, settings.privileges == Keep::Keep) {
        if is_absent(session, "SELECT FROM pg_roles WHERE rolname = $1", &role)? {
            let advice = format!("settings or privileges of the database name it: `CREATE ROLE {}`", quoted(&role));
            missing.push((format!("role `{role}`"), advice));
        }
    }
    let tablespace = &facts.tablespace;
    if settings.tablespaces == Keep::Keep && is_absent(session, "SELECT FROM pg_tablespace WHERE spcname = $1", tablespace)? {
        let advice = format!("`CREATE TABLESPACE {} LOCATION '…'`, or set `tablespaces = \"skip\"`", quoted(tablespace));
        missing.push((format!("tablespace `{tablespace}`"), advice));
    }
    Ok(missing)
}

/// Whether the role may do it.
fn may(session: &mut Session, settings: &Configured, context: &Context, facts: &Facts) -> Result<()> {
    let database = settings.address.database();
    let what = || format!("cannot look whether the database `{database}` may be dropped");
    const ROLE: &str = "SELECT rolsuper, rolcreatedb, current_user::text FROM pg_roles WHERE rolname = current_user";
    let rows = session.rows(context, what, ROLE, &[])?;
    let (is_super, may_create, role) = rows.first().map_or((false, false, String::new()), |row| (row.get(0), row.get(1), row.get(2)));
    let denied = |why: String, hint: String| Err(Error::new(ErrorKind::PermissionDenied, why).hint(hint));
    const DATABASE: &str = "
        SELECT pg_get_userbyid(datdba)::text, pg_has_role(datdba, 'USAGE'), datistemplate,
               (SELECT count(*) FROM pg_prepared_xacts WHERE database = datname),
               (SELECT array_agg(subname::text ORDER BY subname) FROM pg_subscription WHERE subdbid = d.oid)
        FROM pg_database d WHERE datname = $1";
    if let Some(row) = session.rows(context, what, DATABASE, &[&database])?.first() {
        let (owner, is_owner): (String, bool) = (row.get(0), row.get(1));
        if !is_super && !is_owner {
            let why = format!("the database `{database}` belongs to `{owner}`, so that `{role}` may not drop it");
            return denied(
                why,
                format!(
                    "connect as `{owner}`, or let it own the database: `ALTER DATABASE {} OWNER TO {}`",
                    quoted(database),
                    quoted(&role)
                ),
            );
        }
        if row.get(2) {
            let why = format!("the database `{database}` is a template, and cannot be dropped");
            return denied(why, format!("run `ALTER DATABASE {} IS_TEMPLATE false`", quoted(database)));
        }
        if row.get::<_, i64>(3) > 0 {
            let why = format!("the database `{database}` has prepared transactions, and cannot be dropped");
            return denied(why, "commit or roll them back (`pg_prepared_xacts`)".to_owned());
        }
        if let Some(subscriptions) = row.get::<_, Option<Vec<String>>>(4) {
            let why = format!("the database `{database}` has subscriptions, and cannot be dropped: {}", subscriptions.join(", "));
            return denied(why, "drop them there first (`DROP SUBSCRIPTION`); the archive's are made again, disabled".to_owned());
        }
        let (used, unused) = slots(session, context, database)?;
        if !used.is_empty() {
            let why =
                format!("the database `{database}` has replication slots that are in use, and cannot be dropped: {}", used.join(", "));
            return denied(why, "stop what reads them (`pg_replication_slots`)".to_owned());
        }
        if !unused.is_empty() {
            context.warn(format!("replication slots of the database `{database}` go with it: {}", unused.join(", ")));
        }
    }
    if !is_super && !may_create {
        let why = format!("`{role}` may not make databases, and so cannot make `{database}` anew");
        return denied(why, format!("run `ALTER ROLE {} CREATEDB`, or restore into a database that is there and empty", quoted(&role)));
    }
    let owner = owner(settings, facts);
    if let (false, Some(owner)) = (is_super, owner) {
        const MEMBER: &str = "SELECT pg_has_role(oid, 'MEMBER') FROM pg_roles WHERE rolname = $1";
        if session.rows(context, what, MEMBER, &[&owner])?.first().is_some_and(|row| !row.get::<_, bool>(0)) {
            let why = format!("the database is to belong to `{owner}`, of which `{role}` is no member");
            return denied(why, format!("run `GRANT {} TO {}`, or set `owner = \"skip\"`", quoted(owner), quoted(&role)));
        }
    }
    Ok(())
}

/// The logical replication slots of a database: those in use, and the others.
fn slots(session: &mut Session, context: &Context, database: &str) -> Result<(Vec<String>, Vec<String>)> {
    const SLOTS: &str = "SELECT slot_name::text, active FROM pg_replication_slots WHERE database = $1 ORDER BY 1";
    let rows = session.rows(context, || "cannot look for replication slots", SLOTS, &[&database])?;
    let named = |active: bool| rows.iter().filter(|row| row.get::<_, bool>(1) == active).map(|row| row.get(0)).collect();
    Ok((named(true), named(false)))
}

/// The role that the new database is to belong to; none is who makes it.
fn owner<'s>(settings: &'s Configured, facts: &'s Facts) -> Option<&'s str> {
    match &settings.owner {
        Owner::Recorded => Some(&facts.owner),
        Owner::Whoever => None,
        Owner::Role(role) => Some(role),
    }
}

/// Refuses to begin where there are sessions that the role may not end.
fn may_end(session: &mut Session, context: &Context, database: &str) -> Result<()> {
    // As `pg_terminate_backend` judges it.
    const DENIED: &str = "
        SELECT DISTINCT coalesce(r.rolname::text, '?'), me.rolname::text, coalesce(r.rolsuper, true)
        FROM pg_stat_activity a JOIN pg_roles me ON me.rolname = current_user LEFT JOIN pg_roles r ON r.oid = a.usesysid
        WHERE a.datname = $1 AND a.pid <> pg_backend_pid() AND coalesce(a.backend_type, '') NOT LIKE 'autovacuum%' AND NOT me.rolsuper
          AND (coalesce(r.rolsuper, true) OR NOT (pg_has_role(a.usesysid, 'USAGE') OR pg_has_role('pg_signal_backend', 'USAGE')))";
    let rows = session.rows(context, || format!("cannot look who is connected to `{database}`"), DENIED, &[&database])?;
    let Some(row) = rows.first() else { return Ok(()) };
    let (me, any_super): (String, bool) = (row.get(1), rows.iter().any(|row| row.get(2)));
    let why = format!("the database `{database}` is in use by sessions that `{me}` may not end");
    let hint = if any_super {
        "stop what is connected as a superuser, or restore as one".to_owned()
    } else {
        format!("stop what is connected, or run `GRANT pg_signal_backend TO {}`", quoted(&me))
    };
    let error = Error::new(ErrorKind::PermissionDenied, why).hint(hint);
    Err(rows.iter().fold(error, |error, row| error.with("role", row.get::<_, &str>(0))))
}

/// The sessions that are connected to a database, as people recognise them, and how many more there are.
fn connected(session: &mut Session, context: &Context, database: &str) -> Result<(Vec<String>, usize)> {
    const SESSIONS: &str = "
        SELECT pid, coalesce(usename::text, '?'), coalesce(nullif(application_name, ''), backend_type, '?'), host(client_addr), coalesce(state, '?')
        FROM pg_stat_activity WHERE datname = $1 AND pid <> pg_backend_pid() AND coalesce(backend_type, '') NOT LIKE 'autovacuum%'
        ORDER BY backend_start, pid";
    let rows = session.rows(context, || format!("cannot look who is connected to `{database}`"), SESSIONS, &[&database])?;
    let shown = rows.iter().take(NAMED).map(|row| {
        let from = row.get::<_, Option<String>>(3).map_or("by a socket".to_owned(), |address| format!("from {address}"));
        let (pid, role, application, state): (i32, &str, &str, &str) = (row.get(0), row.get(1), row.get(2), row.get(4));
        format!("process {pid}: `{application}` as `{role}` {from}, {state}")
    });
    Ok((shown.collect(), rows.len().saturating_sub(NAMED)))
}

fn in_use(database: &str, sessions: Vec<String>, more: usize) -> Error {
    let error = Error::new(ErrorKind::Unavailable, format!("the database `{database}` is in use, and cannot be dropped"))
        .hint("stop what is connected, or end these sessions with `--force`");
    let error = sessions.into_iter().fold(error, |error, session| error.with("session", session));
    if more > 0 { error.with("session", format!("{more} more")) } else { error }
}

/// Drops the database and makes it anew. An error before it is dropped leaves it untouched, and says so.
pub(super) fn perform(settings: &Configured, context: &Context, facts: &Facts) -> Result<()> {
    let database = settings.address.database();
    let mut session = elsewhere(&settings.address, context).map_err(Error::untouched)?;
    drop_database(&mut session, context, database).map_err(Error::untouched)?;
    let what = || format!("cannot make the database `{database}` anew");
    let version = session.version(context)?;
    let made = session.execute(context, what, &creation(settings, facts, version));
    made.map_err(|error| error.with("database", format!("`{database}` was dropped and is not there; the archive has all of it")))?;
    session.close()
}

fn drop_database(session: &mut Session, context: &Context, database: &str) -> Result<()> {
    let what = || format!("cannot drop the database `{database}`");
    let force = context.restore.force;
    let has_force = session.version(context)? >= 130_000;
    if force && !has_force {
        const END: &str = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1 AND pid <> pg_backend_pid()";
        session.rows(context, what, END, &[&database])?;
    }
    let options = if force && has_force { " WITH (FORCE)" } else { "" };
    let dropped =
        session.try_run(context, |client| client.batch_execute(&format!("DROP DATABASE IF EXISTS {}{options}", quoted(database))))?;
    let Err(why) = dropped else { return Ok(()) };
    // Somebody may have connected after the check.
    let (sessions, more) = connected(session, context, database)?;
    let is_in_use = why.code() == Some(&tokio_postgres::error::SqlState::OBJECT_IN_USE) && !sessions.is_empty();
    Err(if is_in_use { in_use(database, sessions, more) } else { fault(what(), &why) })
}

/// `CREATE DATABASE`, from `template0`, since every other template may have been changed.
fn creation(settings: &Configured, facts: &Facts, version: u32) -> String {
    let mut sql = format!("CREATE DATABASE {} TEMPLATE = template0", quoted(settings.address.database()));
    let mut option = |name: &str, value: String| sql.push_str(&format!(" {name} = {value}"));
    if let Some(owner) = owner(settings, facts) {
        option("OWNER", quoted(owner));
    }
    option("ENCODING", literal(&facts.encoding));
    option("LC_COLLATE", literal(&facts.collate));
    option("LC_CTYPE", literal(&facts.ctype));
    if version >= 150_000 {
        option("LOCALE_PROVIDER", quoted(&facts.locale_provider));
    }
    match (facts.locale_provider.as_str(), &facts.locale) {
        ("icu", Some(locale)) => option("ICU_LOCALE", literal(locale)),
        ("builtin", Some(locale)) => option("BUILTIN_LOCALE", literal(locale)),
        _ => {}
    }
    if let Some(rules) = &facts.icu_rules {
        option("ICU_RULES", literal(rules));
    }
    if settings.tablespaces == Keep::Keep && facts.tablespace != "pg_default" {
        option("TABLESPACE", quoted(&facts.tablespace));
    }
    sql
}
