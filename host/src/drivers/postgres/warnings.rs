//! What a dump should warn of although it succeeds: passwords that come along as data, subscriptions, foreign keys that lose the
//! rows to which they refer, views that lose what they show.

use super::catalogue::{Kind, Relation};
use super::facts::{Facts, LeftOut};
use super::session::Session;
use crate::drivers::Context;
use crate::error::Result;

/// How many functions and the like are named that are left out with what they need.
const MOST: usize = 50;

/// Looks for all of it.
pub(super) fn warn(session: &mut Session, context: &Context, relations: &[Relation], facts: &Facts) -> Result<()> {
    for relation in relations.iter().filter(|relation| relation.extension.is_none()) {
        if let Some(lacking) = &relation.lacks {
            let kind = if relation.kind == Kind::MaterializedView { "materialized view" } else { "view" };
            context.warn(format!("the {kind} `{}` is left out, since it needs `{lacking}`, which is left out", relation.shown()));
        }
    }
    for LeftOut { what, needs, .. } in facts.left_out.iter().take(MOST) {
        context.warn(format!("the {what} is left out, since it needs `{needs}`, which is left out"));
    }
    if let more @ 1.. = facts.left_out.len().saturating_sub(MOST) {
        context.warn(format!("{more} more objects are left out, since they need what is left out"));
    }
    for key in &facts.broken_keys {
        context.warn(format!(
            "the foreign key `{}` of `{}.{}` refers to `{}`, which is left out with its rows: a restore leaves the key out",
            key.constraint, key.schema, key.table, key.refers_to
        ));
    }
    user_mappings(session, context)?;
    subscriptions(session, context)
}

fn user_mappings(session: &mut Session, context: &Context) -> Result<()> {
    const MAPPINGS: &str = "
        SELECT DISTINCT srvname::text, usename::text FROM pg_user_mappings, unnest(umoptions) AS option
        WHERE option ~* '^[^=]*(password|secret|token)[^=]*=' ORDER BY 1, 2";
    for row in session.rows(context, || "cannot list the user mappings", MAPPINGS, &[])? {
        let (server, user) = (row.get::<_, String>(0), row.get::<_, String>(1));
        context
            .warn(format!("the user mapping of `{user}` for the foreign server `{server}` holds a password, which is now in the archive"));
    }
    Ok(())
}

fn subscriptions(session: &mut Session, context: &Context) -> Result<()> {
    const READABLE: &str = "SELECT has_column_privilege('pg_subscription'::regclass, 'subconninfo', 'SELECT')";
    const NAMES: &str = "
        SELECT subname::text, false FROM pg_subscription
        WHERE subdbid = (SELECT oid FROM pg_database WHERE datname = current_database()) ORDER BY 1";
    const WITH_PASSWORDS: &str = "
        SELECT subname::text, subconninfo ~* '(password|://[^/@]*:[^/@]*@)' FROM pg_subscription
        WHERE subdbid = (SELECT oid FROM pg_database WHERE datname = current_database()) ORDER BY 1";
    let what = || "cannot list the subscriptions";
    let readable = session.rows(context, what, READABLE, &[])?.first().is_some_and(|row| row.get(0));
    for row in session.rows(context, what, if readable { WITH_PASSWORDS } else { NAMES }, &[])? {
        let (name, has_password) = (row.get::<_, String>(0), row.get::<_, bool>(1));
        context.warn(format!("the subscription `{name}` is restored disabled and without its slot: enable it when its publisher is ready"));
        if has_password {
            context.warn(format!("the subscription `{name}` holds a password, which is now in the archive"));
        }
    }
    Ok(())
}
