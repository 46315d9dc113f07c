//! The keys of a `postgres` set that say where the database is: libpq's own keywords, and `url`.

use std::path::Path;

use schemars::JsonSchema;
use serde::Deserialize;

use super::parse::Pairs;

/// Where the database is. Each key but `url` is the keyword of that name in libpq, and wins over the same one inside `url`.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
pub(in crate::drivers::postgres) struct Keys {
    /// The connection, as libpq reads it: `postgres://user@host:5432/shop?sslmode=verify-full`, or `host=… dbname=shop`.
    pub(super) url: Option<String>,
    /// The section of the service file (`~/.pg_service.conf`) that has the rest.
    service: Option<String>,
    /// The server's name; a path is the directory of a Unix socket; several, separated by commas, are tried in turn.
    host: Option<String>,
    /// The server's address, to save looking its name up.
    hostaddr: Option<String>,
    /// The server's port; one for all hosts, or one for each, separated by commas.
    port: Option<Scalar>,
    /// The name of the database.
    dbname: Option<String>,
    /// The role to connect as.
    user: Option<String>,
    /// The role's password. Better in a variable (`"${PGPASSWORD}"`) or in `~/.pgpass`.
    password: Option<String>,
    /// The file of passwords to look into, instead of `~/.pgpass`.
    passfile: Option<String>,
    /// Whether and how TLS is used: `disable`, `allow`, `prefer` (the default), `require`, `verify-ca`, `verify-full`.
    sslmode: Option<String>,
    /// The file of the certificates to trust, or `system` for those of the operating system.
    sslrootcert: Option<String>,
    /// The file of a client certificate.
    sslcert: Option<String>,
    /// The file of its key.
    sslkey: Option<String>,
    /// Whether SCRAM is bound to the TLS channel: `disable`, `prefer` (the default), `require`.
    channel_binding: Option<String>,
    /// How long to try one server, in seconds; `0` is without end.
    connect_timeout: Option<Scalar>,
    /// What the server must be: `any` (the default), `read-write`, `read-only`, `primary`, `standby`, `prefer-standby`.
    target_session_attrs: Option<String>,
    /// Whether hosts are tried in their order (`disable`) or in a random one (`random`).
    load_balance_hosts: Option<String>,
    /// Settings of the session, as on the server's command line: `-c work_mem=64MB`.
    options: Option<String>,
    /// The name under which the server shows the connections; `dr-host` by default.
    application_name: Option<String>,
}

/// A number, or text that holds one or several.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub(super) enum Scalar {
    /// `5432`.
    Number(u32),
    /// `"5432"`, `"5432,5433"`.
    Text(String),
}

impl std::fmt::Display for Scalar {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Number(number) => number.fmt(f),
            Self::Text(text) => text.fmt(f),
        }
    }
}

impl Keys {
    /// The single keys that are given, as libpq's keywords. Relative files start from `base`.
    pub(super) fn pairs(&self, base: &Path) -> Pairs {
        let text = |name: &'static str, value: &Option<String>| value.clone().map(|value| (name, value));
        let scalar = |name: &'static str, value: &Option<Scalar>| value.as_ref().map(|value| (name, value.to_string()));
        let file = |name: &'static str, value: &Option<String>| {
            let absolute =
                |value: &String| if value == "system" || value.is_empty() { value.clone() } else { base.join(value).display().to_string() };
            value.as_ref().map(|value| (name, absolute(value)))
        };
        let given = [
            text("service", &self.service),
            text("host", &self.host),
            text("hostaddr", &self.hostaddr),
            scalar("port", &self.port),
            text("dbname", &self.dbname),
            text("user", &self.user),
            text("password", &self.password),
            file("passfile", &self.passfile),
            text("sslmode", &self.sslmode),
            file("sslrootcert", &self.sslrootcert),
            file("sslcert", &self.sslcert),
            file("sslkey", &self.sslkey),
            text("channel_binding", &self.channel_binding),
            scalar("connect_timeout", &self.connect_timeout),
            text("target_session_attrs", &self.target_session_attrs),
            text("load_balance_hosts", &self.load_balance_hosts),
            text("options", &self.options),
            text("application_name", &self.application_name),
        ];
        given.into_iter().flatten().map(|(name, value)| (name.to_owned(), value)).collect()
    }
}
