//! What a database needs of its server and does not bring itself: roles, extensions, tablespaces, locales. Recorded at a dump,
//! and looked for before a restore begins, so that all that is missing is told at once.

use serde::{Deserialize, Serialize};

use super::session::{Session, literal, quoted};
use super::settings::{Configured, Keep, Owner};
use crate::drivers::Context;
use crate::error::{Error, ErrorKind, Result};

/// What a database needs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Needs {
    /// The roles that own anything.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    owners: Vec<String>,
    /// The roles that privileges name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    grantees: Vec<String>,
    /// The roles that policies and user mappings name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    named: Vec<String>,
    /// Extensions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    extensions: Vec<String>,
    /// The tablespaces of tables and indexes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    tablespaces: Vec<String>,
    /// The locales of collations that users made.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    locales: Vec<Locale>,
    /// The dump left out tables or schemas, so that some of this may not be needed after all.
    #[serde(default)]
    is_partial: bool,
}

/// How text is compared.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Locale {
    /// `libc`, `icu`, `builtin`.
    pub(super) provider: String,
    /// `LC_COLLATE`, of libc.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) collate: Option<String>,
    /// `LC_CTYPE`, of libc.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) ctype: Option<String>,
    /// The locale of the others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) locale: Option<String>,
}

/// Something that the server lacks: what, and what to do.
pub(super) type Missing = (String, String);

/// What belongs to an extension comes with it, and what the server made for another object (the constructors of a range, say) with that.
const OWNERS: &str = "
    WITH member AS (SELECT classid, objid FROM pg_depend WHERE deptype = 'i' OR deptype = 'e' AND refclassid = 'pg_extension'::regclass),
    owned (class, oid, owner) AS (
        SELECT 'pg_class'::regclass, oid, relowner FROM pg_class WHERE relkind IN ('r', 'p', 'v', 'm', 'S', 'f') AND relpersistence <> 't'
        UNION ALL SELECT 'pg_proc'::regclass, oid, proowner FROM pg_proc
        UNION ALL SELECT 'pg_type'::regclass, oid, typowner FROM pg_type
        UNION ALL SELECT 'pg_namespace'::regclass, oid, nspowner FROM pg_namespace WHERE nspname !~ '^pg_'
        UNION ALL SELECT 'pg_operator'::regclass, oid, oprowner FROM pg_operator
        UNION ALL SELECT 'pg_opclass'::regclass, oid, opcowner FROM pg_opclass
        UNION ALL SELECT 'pg_opfamily'::regclass, oid, opfowner FROM pg_opfamily
        UNION ALL SELECT 'pg_collation'::regclass, oid, collowner FROM pg_collation
        UNION ALL SELECT 'pg_conversion'::regclass, oid, conowner FROM pg_conversion
        UNION ALL SELECT 'pg_language'::regclass, oid, lanowner FROM pg_language
        UNION ALL SELECT 'pg_ts_dict'::regclass, oid, dictowner FROM pg_ts_dict
        UNION ALL SELECT 'pg_ts_config'::regclass, oid, cfgowner FROM pg_ts_config
        UNION ALL SELECT 'pg_statistic_ext'::regclass, oid, stxowner FROM pg_statistic_ext
        UNION ALL SELECT 'pg_foreign_data_wrapper'::regclass, oid, fdwowner FROM pg_foreign_data_wrapper
        UNION ALL SELECT 'pg_foreign_server'::regclass, oid, srvowner FROM pg_foreign_server
        UNION ALL SELECT 'pg_publication'::regclass, oid, pubowner FROM pg_publication
        UNION ALL SELECT 'pg_event_trigger'::regclass, oid, evtowner FROM pg_event_trigger
        UNION ALL SELECT 'pg_largeobject'::regclass, oid, lomowner FROM pg_largeobject_metadata
    )
    SELECT DISTINCT r.rolname::text FROM owned o
    LEFT JOIN member m ON m.classid = o.class AND m.objid = o.oid
    JOIN pg_roles r ON r.oid = o.owner
    WHERE (o.oid >= 16384 OR o.class = 'pg_largeobject'::regclass) AND m.objid IS NULL ORDER BY 1";

/// Roles on which something here depends in another way than by owning it (`pg_shdepend`): `a` by privileges, `r` by policies;
/// default privileges and user mappings are recorded as owned.
const OTHER_ROLES: &str = "
    SELECT DISTINCT r.rolname::text, d.deptype = 'a' OR d.classid = 'pg_default_acl'::regclass
    FROM pg_shdepend d JOIN pg_roles r ON r.oid = d.refobjid
    WHERE d.refclassid = 'pg_authid'::regclass AND d.dbid = (SELECT oid FROM pg_database WHERE datname = current_database())
      AND (d.deptype IN ('a', 'r') OR d.classid IN ('pg_default_acl'::regclass, 'pg_user_mapping'::regclass)) ORDER BY 1";

const EXTENSIONS: &str = "SELECT extname::text FROM pg_extension WHERE oid >= 16384 ORDER BY 1";

const TABLESPACES: &str = "
    SELECT DISTINCT t.spcname::text FROM pg_class c JOIN pg_tablespace t ON t.oid = c.reltablespace
    WHERE c.oid >= 16384 AND t.spcname NOT IN ('pg_global', 'pg_default') ORDER BY 1";

const LOCALES: &str = "
    SELECT DISTINCT c ->> 'collprovider', c ->> 'collcollate', c ->> 'collctype', coalesce(c ->> 'colllocale', c ->> 'colliculocale')
    FROM (SELECT to_jsonb(c) AS c FROM pg_collation c
          WHERE oid >= 16384 AND NOT EXISTS (SELECT FROM pg_depend WHERE classid = 'pg_collation'::regclass AND objid = c.oid AND deptype = 'e')) c
    ORDER BY 1, 2, 3, 4";

impl Needs {
    /// Reads them in the session's transaction.
    pub(super) fn read(session: &mut Session, context: &Context, is_partial: bool) -> Result<Self> {
        let what = || "cannot read what the database needs of its server";
        let mut names =
            |sql: &str| -> Result<Vec<String>> { Ok(session.rows(context, what, sql, &[])?.iter().map(|row| row.get(0)).collect()) };
        let (owners, extensions, tablespaces) = (names(OWNERS)?, names(EXTENSIONS)?, names(TABLESPACES)?);
        let others = session.rows(context, what, OTHER_ROLES, &[])?;
        let others =
            |by_privilege: bool| others.iter().filter(move |row| row.get::<_, bool>(1) == by_privilege).map(|row| row.get(0)).collect();
        let (grantees, named) = (others(true), others(false));
        let locales = session.rows(context, what, LOCALES, &[])?;
        let locales = locales.iter().map(|row| {
            let provider = match row.get::<_, Option<&str>>(0) {
                Some("i") => "icu",
                Some("b") => "builtin",
                _ => "libc",
            };
            // Before version 15 ICU's locales stood where libc's do.
            let locale: Option<String> = row.get(3);
            let locale = locale.or_else(|| (provider == "icu").then(|| row.get(1)).flatten());
            let libc = |at: usize| (provider == "libc").then(|| row.get(at)).flatten();
            Locale { provider: provider.to_owned(), collate: libc(1), ctype: libc(2), locale }
        });
        Ok(Self { owners, grantees, named, extensions, tablespaces, locales: locales.collect(), is_partial })
    }

    /// What of it the session's server lacks, as far as these settings restore it.
    pub(super) fn missing(&self, session: &mut Session, context: &Context, settings: &Configured) -> Result<Vec<Missing>> {
        let mut missing = self.missing_roles(session, context, settings)?;
        const INSTALLABLE: &str = "SELECT name::text FROM pg_available_extensions";
        for name in absent(session, context, INSTALLABLE, &self.extensions)? {
            missing.push((format!("extension `{name}`"), "install the package that brings it on the server".to_owned()));
        }
        if settings.tablespaces == Keep::Keep {
            for name in absent(session, context, "SELECT spcname::text FROM pg_tablespace", &self.tablespaces)? {
                let advice = format!("`CREATE TABLESPACE {} LOCATION '…'`, or set `tablespaces = \"skip\"`", quoted(&name));
                missing.push((format!("tablespace `{name}`"), advice));
            }
        }
        for locale in &self.locales {
            missing.extend(locale.missing(session, context)?);
        }
        Ok(missing)
    }

    fn missing_roles(&self, session: &mut Session, context: &Context, settings: &Configured) -> Result<Vec<Missing>> {
        const ROLES: &str = "SELECT rolname::text FROM pg_roles";
        let mut missing: Vec<Missing> = Vec::new();
        let mut add = |names: Vec<String>, why: &str, otherwise: &str| {
            for name in names {
                if !missing.iter().any(|(what, _)| *what == format!("role `{name}`")) {
                    missing.push((format!("role `{name}`"), format!("{why}: `CREATE ROLE {}`{otherwise}", quoted(&name))));
                }
            }
        };
        let (owners, why, otherwise) = match &settings.owner {
            Owner::Recorded => (self.owners.as_slice(), "it owns objects", ", or set `owner = \"skip\"` or `owner = \"NAME\"`"),
            Owner::Role(role) => (std::slice::from_ref(role), "`owner` names it", ", or name another"),
            Owner::Whoever => (&[][..], "", ""),
        };
        add(absent(session, context, ROLES, owners)?, why, otherwise);
        if settings.privileges == Keep::Keep {
            add(absent(session, context, ROLES, &self.grantees)?, "privileges name it", ", or set `privileges = \"skip\"`");
        }
        add(absent(session, context, ROLES, &self.named)?, "policies or user mappings name it", "");
        // Who gives objects to a role must be able to become that role.
        let able = if session.version(context)? >= 160_000 { "SET" } else { "MEMBER" };
        let may_give = format!("SELECT rolname::text FROM pg_roles WHERE pg_has_role(oid, '{able}')");
        for name in absent(session, context, &may_give, owners)? {
            if !missing.iter().any(|(what, _)| *what == format!("role `{name}`")) {
                let advice = format!("{why}: `GRANT {} TO {}`{otherwise}", quoted(&name), quoted(settings.address.user()));
                missing.push((format!("membership in the role `{name}`"), advice));
            }
        }
        Ok(missing)
    }

    /// Says all that is missing in one error; where the dump was partial, in warnings.
    pub(super) fn judge(&self, context: &Context, server: &str, missing: Vec<Missing>) -> Result<()> {
        if missing.is_empty() {
            return Ok(());
        }
        if self.is_partial {
            for (what, advice) in missing {
                context.warn(format!("the server lacks the {what}, which the archive may need: {advice}"));
            }
            return Ok(());
        }
        let error = Error::new(ErrorKind::NotFound, format!("`{server}` lacks what the archive needs"))
            .hint("see beside each what to do, then restore again");
        Err(missing.into_iter().fold(error, |error, (what, advice)| error.with(what, advice)))
    }
}

impl Locale {
    /// Whether the server knows the locale: it is asked to make a collation of it, in a transaction that is rolled back.
    pub(super) fn missing(&self, session: &mut Session, context: &Context) -> Result<Option<Missing>> {
        let what = || "cannot ask the server for its locales";
        let (options, shown) = match self.provider.as_str() {
            "libc" => {
                let (collate, ctype) = (self.collate.clone().unwrap_or_default(), self.ctype.clone().unwrap_or_default());
                const KNOWN: &str = "SELECT count(*) FROM pg_collation WHERE collcollate = $1";
                let mut known = true;
                for name in [&collate, &ctype] {
                    known &= session.rows(context, what, KNOWN, &[name])?.first().is_some_and(|row| row.get::<_, i64>(0) > 0);
                }
                if known {
                    return Ok(None);
                }
                (format!("provider = libc, lc_collate = {}, lc_ctype = {}", literal(&collate), literal(&ctype)), collate)
            }
            provider => {
                let locale = self.locale.clone().unwrap_or_default();
                (format!("provider = {}, locale = {}", quoted(provider), literal(&locale)), locale)
            }
        };
        let made = session.try_run(context, |client| {
            client.batch_execute("BEGIN")?;
            let made = client.batch_execute(&format!("CREATE COLLATION pg_temp.\"dr-host\" ({options})"));
            client.batch_execute("ROLLBACK")?;
            made
        })?;
        let Err(why) = made else { return Ok(None) };
        // Only what the server says of the locale itself counts: who may make no temporary objects may restore all the same.
        let said = why.as_db_error().map(|db| (db.code().code() == "0A000", db.message().to_owned()));
        let said = said.filter(|(is_unsupported, said)| *is_unsupported || said.contains(&shown));
        Ok(said.map(|(_, said)| {
            (format!("locale `{shown}`"), format!("generate it on the server (`locale-gen`), or take a server that has it: {said}"))
        }))
    }
}

/// Of these names, those that the query does not give.
fn absent(session: &mut Session, context: &Context, sql: &str, names: &[String]) -> Result<Vec<String>> {
    if names.is_empty() {
        return Ok(Vec::new());
    }
    let there = session.rows(context, || "cannot look for what the archive needs", sql, &[])?;
    let there: std::collections::HashSet<String> = there.iter().map(|row| row.get(0)).collect();
    Ok(names.iter().filter(|name| !there.contains(*name)).cloned().collect())
}
