//! What belongs to the database itself and to no object in it: what `CREATE DATABASE` and `ALTER DATABASE` say, recorded at a
//! dump in the entry `database.json`.

use serde::{Deserialize, Serialize};

use super::needs::Needs;
use super::session::Session;
use super::settings::CopyFormat;
use crate::drivers::Context;
use crate::error::{Error, ErrorKind, Result};

/// A database, as it was dumped.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Facts {
    /// Its name.
    pub(super) name: String,
    /// The role that owns it.
    pub(super) owner: String,
    /// Its encoding, which is also that of the rows and of the schema in this archive.
    pub(super) encoding: String,
    /// Who compares its text: `libc`, `icu`, `builtin`.
    pub(super) locale_provider: String,
    /// `LC_COLLATE`.
    pub(super) collate: String,
    /// `LC_CTYPE`.
    pub(super) ctype: String,
    /// The provider's own locale.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) locale: Option<String>,
    /// Rules that ICU applies beside its locale's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) icu_rules: Option<String>,
    /// The version of the collation when the database was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) collation_version: Option<String>,
    /// How many may be connected; -1 is any number.
    pub(super) connection_limit: i64,
    /// Whether anybody may copy it, as a template.
    #[serde(default)]
    pub(super) is_template: bool,
    /// Where its tables are stored unless they say otherwise.
    pub(super) tablespace: String,
    /// Its comment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) comment: Option<String>,
    /// Its privileges as `aclitem` writes them; none are the default ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) privileges: Option<Vec<String>>,
    /// `ALTER DATABASE … SET`, and `ALTER ROLE … IN DATABASE … SET`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) settings: Vec<Setting>,
    /// The server's version, as a number (150018) and in its words.
    pub(super) server_version: u32,
    pub(super) server: String,
    /// How the rows are written.
    pub(super) copy_format: CopyFormat,
    /// The version of `pg_dump` that wrote the schema, as it says itself.
    #[serde(default)]
    pub(super) pg_dump: String,
    /// Foreign keys that are in the schema, and whose other table's rows are not in the archive.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) broken_keys: Vec<BrokenKey>,
    /// What it needs of its server.
    #[serde(default)]
    pub(super) needs: Needs,
    /// Whether there are partitioned tables.
    #[serde(default)]
    pub(super) has_partitions: bool,
    /// What is in the schema's entry and cannot be restored, since it needs what was left out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) left_out: Vec<LeftOut>,
}

/// A setting that holds in this database.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Setting {
    /// Only for this role.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) role: Option<String>,
    /// The setting's name.
    pub(super) name: String,
    /// Its value.
    pub(super) value: String,
}

/// A foreign key whose other table was left out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct BrokenKey {
    /// The constraint's OID, by which `pg_restore --list` has it.
    pub(super) oid: u32,
    pub(super) schema: String,
    pub(super) table: String,
    pub(super) constraint: String,
    /// The other table, `schema.name`.
    pub(super) refers_to: String,
}

/// An object that a restore leaves out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct LeftOut {
    /// The OIDs of its catalogue and of itself, by which `pg_restore --list` has it.
    pub(super) catalogue: u32,
    pub(super) oid: u32,
    /// What it is, in the server's words.
    pub(super) what: String,
    /// What it needs that was left out.
    pub(super) needs: String,
}

impl Facts {
    /// Reads them in the session's transaction.
    pub(super) fn read(session: &mut Session, context: &Context, copy_format: CopyFormat, is_partial: bool) -> Result<Self> {
        const DATABASE: &str = "
            SELECT to_jsonb(d)::text, pg_encoding_to_char(d.encoding)::text, pg_get_userbyid(d.datdba)::text, t.spcname::text,
                   shobj_description(d.oid, 'pg_database'), d.datacl::text[],
                   current_setting('server_version_num')::int, current_setting('server_version')
            FROM pg_database d JOIN pg_tablespace t ON t.oid = d.dattablespace WHERE d.datname = current_database()";
        let what = || "cannot read what is set for the database";
        let rows = session.rows(context, what, DATABASE, &[])?;
        let row = rows.first().ok_or_else(|| Error::new(ErrorKind::NotFound, "the database was dropped"))?;
        let columns: serde_json::Value = serde_json::from_str(row.get(0))
            .map_err(|why| Error::new(ErrorKind::Other, format!("the server describes its database in broken JSON: {why}")))?;
        let text = |name: &str| columns[name].as_str().map(str::to_owned);
        Ok(Self {
            name: text("datname").unwrap_or_default(),
            owner: row.get(2),
            encoding: row.get(1),
            locale_provider: match columns["datlocprovider"].as_str() {
                Some("i") => "icu",
                Some("b") => "builtin",
                _ => "libc",
            }
            .to_owned(),
            collate: text("datcollate").unwrap_or_default(),
            ctype: text("datctype").unwrap_or_default(),
            locale: text("datlocale").or_else(|| text("daticulocale")),
            icu_rules: text("daticurules"),
            collation_version: text("datcollversion"),
            connection_limit: columns["datconnlimit"].as_i64().unwrap_or(-1),
            is_template: columns["datistemplate"].as_bool().unwrap_or(false),
            tablespace: row.get(3),
            comment: row.get(4),
            privileges: row.get(5),
            settings: settings(session, context)?,
            server_version: row.get::<_, i32>(6).unsigned_abs(),
            server: row.get(7),
            copy_format,
            pg_dump: String::new(),
            broken_keys: Vec::new(),
            needs: Needs::read(session, context, is_partial)?,
            has_partitions: false,
            left_out: Vec::new(),
        })
    }
}

fn settings(session: &mut Session, context: &Context) -> Result<Vec<Setting>> {
    const SETTINGS: &str = "
        SELECT r.rolname::text, split_part(s.one, '=', 1), substr(s.one, strpos(s.one, '=') + 1)
        FROM (SELECT setrole, one, place FROM pg_db_role_setting, unnest(setconfig) WITH ORDINALITY AS u (one, place)
              WHERE setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database())) s
        LEFT JOIN pg_roles r ON r.oid = s.setrole
        WHERE s.setrole = 0 OR r.rolname IS NOT NULL ORDER BY r.rolname NULLS FIRST, s.place";
    let rows = session.rows(context, || "cannot read the settings of the database", SETTINGS, &[])?;
    Ok(rows.iter().map(|row| Setting { role: row.get(0), name: row.get(1), value: row.get(2) }).collect())
}
