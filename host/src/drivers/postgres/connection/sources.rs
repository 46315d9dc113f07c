//! Configuration, service file and environment put together as libpq does: what is configured wins over the service file,
//! that over the variables, and those over the defaults.
//!
//! Defined in PostgreSQL's documentation, chapter *libpq*, sections *Parameter Key Words*, *Environment Variables* and *The
//! Connection Service File*.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::keys::Keys;
use super::parse::{self, Pairs};
use super::service;
use crate::drivers::SettingError;

/// libpq's keywords that have a meaning here, each with the variable that stands in for it.
const KEYWORDS: &[(&str, &str)] = &[
    ("service", "PGSERVICE"),
    ("host", "PGHOST"),
    ("hostaddr", "PGHOSTADDR"),
    ("port", "PGPORT"),
    ("dbname", "PGDATABASE"),
    ("user", "PGUSER"),
    ("password", "PGPASSWORD"),
    ("passfile", "PGPASSFILE"),
    ("sslmode", "PGSSLMODE"),
    ("sslrootcert", "PGSSLROOTCERT"),
    ("sslcert", "PGSSLCERT"),
    ("sslkey", "PGSSLKEY"),
    ("sslcrl", "PGSSLCRL"),
    ("sslsni", "PGSSLSNI"),
    ("ssl_min_protocol_version", "PGSSLMINPROTOCOLVERSION"),
    ("ssl_max_protocol_version", "PGSSLMAXPROTOCOLVERSION"),
    ("channel_binding", "PGCHANNELBINDING"),
    ("connect_timeout", "PGCONNECT_TIMEOUT"),
    ("target_session_attrs", "PGTARGETSESSIONATTRS"),
    ("load_balance_hosts", "PGLOADBALANCEHOSTS"),
    ("options", "PGOPTIONS"),
    ("application_name", "PGAPPNAME"),
    ("gssencmode", "PGGSSENCMODE"),
    ("requirepeer", "PGREQUIREPEER"),
    ("require_auth", "PGREQUIREAUTH"),
    ("sslcrldir", "PGSSLCRLDIR"),
    ("sslnegotiation", "PGSSLNEGOTIATION"),
    ("sslcertmode", "PGSSLCERTMODE"),
];

/// Keywords without a variable, those that change nothing here among them: compression of TLS, the library for Kerberos, the
/// client's encoding, which the driver chooses itself.
const MORE_KEYWORDS: &[&str] = &[
    "fallback_application_name",
    "keepalives",
    "keepalives_idle",
    "keepalives_interval",
    "keepalives_count",
    "tcp_user_timeout",
    "sslpassword",
    "sslcompression",
    "replication",
    "client_encoding",
    "krbsrvname",
    "gsslib",
    "gssdelegation",
    "authtype",
];

/// The process's variables, as far as they are text.
pub(in crate::drivers::postgres) struct Variables(BTreeMap<String, String>);

impl FromIterator<(OsString, OsString)> for Variables {
    fn from_iter<T: IntoIterator<Item = (OsString, OsString)>>(variables: T) -> Self {
        Self(variables.into_iter().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?))).collect())
    }
}

impl Variables {
    /// The value of a variable.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// The user's home directory, as libpq finds it.
    pub(super) fn home(&self) -> Option<PathBuf> {
        use uzers::os::unix::UserExt;
        let named = self.get("HOME").filter(|home| !home.is_empty()).map(PathBuf::from);
        named.or_else(|| uzers::get_user_by_uid(uzers::get_effective_uid()).map(|user| user.home_dir().to_owned()))
    }
}

/// Where a value comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// A key of its own in the configuration.
    Key,
    /// The `url`.
    Url,
    /// This service file.
    Service(PathBuf),
    /// This variable.
    Variable(&'static str),
}

/// The values of libpq's keywords.
#[derive(Clone, Default)]
pub(super) struct Parameters(BTreeMap<String, (String, Origin)>);

impl Parameters {
    /// The value of a keyword; an empty one counts as none, as in libpq.
    pub(super) fn get(&self, keyword: &str) -> Option<&str> {
        self.0.get(keyword).map(|(value, _)| value.as_str()).filter(|value| !value.is_empty())
    }

    /// Sets a value if there is none yet.
    fn fill(&mut self, keyword: String, value: String, origin: Origin) {
        self.0.entry(keyword).or_insert((value, origin));
    }

    /// An error about a keyword's value, at its place in the configuration, or with the place named.
    pub(super) fn wrong(&self, keyword: &str, why: impl std::fmt::Display) -> SettingError {
        match self.0.get(keyword).map(|(_, origin)| origin) {
            Some(Origin::Key) => SettingError::new(format!("/{keyword}"), why.to_string()),
            Some(Origin::Url) => SettingError::new("/url", format!("`{keyword}`: {why}")),
            Some(Origin::Service(file)) => SettingError::new("", format!("`{keyword}` in `{}`: {why}", file.display())),
            Some(Origin::Variable(name)) => SettingError::new("", format!("the variable `{name}`: {why}")),
            None => SettingError::new("", format!("`{keyword}`: {why}")),
        }
    }
}

/// Puts everything together, without the defaults.
pub(super) fn gather(keys: &Keys, base: &Path, variables: &Variables) -> Result<Parameters, Vec<SettingError>> {
    let mut parameters = Parameters::default();
    for (keyword, value) in keys.pairs(base) {
        parameters.fill(keyword, value, Origin::Key);
    }
    if let Some(url) = &keys.url {
        for (keyword, value) in last_of_each(read(url)?) {
            parameters.fill(keyword, value, Origin::Url);
        }
    }
    let unknown: Vec<SettingError> = parameters.0.keys().filter_map(|keyword| unknown(keyword)).collect();
    if !unknown.is_empty() {
        return Err(unknown);
    }
    let service = parameters.get("service").or_else(|| variables.get("PGSERVICE").filter(|name| !name.is_empty()));
    if let Some(name) = service.map(str::to_owned) {
        let section = service::section(&name, variables).map_err(|why| vec![parameters.wrong("service", why)])?;
        for (keyword, value) in section.pairs {
            if !is_keyword(&keyword) {
                let why = format!(
                    "`{}` has `{}` in section `[{name}]`, which is no keyword of libpq",
                    section.file.display(),
                    keyword.escape_debug()
                );
                return Err(vec![parameters.wrong("service", why)]);
            }
            parameters.fill(keyword, value, Origin::Service(section.file.clone()));
        }
    }
    for (keyword, variable) in KEYWORDS {
        if let Some(value) = variables.get(variable) {
            parameters.fill((*keyword).to_owned(), value.to_owned(), Origin::Variable(variable));
        }
    }
    Ok(parameters)
}

fn read(url: &str) -> Result<Pairs, Vec<SettingError>> {
    parse::connection(url).map_err(|why| {
        let error = SettingError::new("/url", why.to_string());
        vec![error.hint("write `postgres://user@host:5432/database`, or keys and values as in `host=/run/postgresql dbname=shop`")]
    })
}

/// Of a keyword that is given twice, the last value counts.
fn last_of_each(pairs: Pairs) -> BTreeMap<String, String> {
    pairs.into_iter().collect()
}

fn is_keyword(keyword: &str) -> bool {
    KEYWORDS.iter().any(|(known, _)| *known == keyword) || MORE_KEYWORDS.contains(&keyword)
}

fn unknown(keyword: &str) -> Option<SettingError> {
    let error = || SettingError::new("/url", format!("`{}` is no keyword of libpq", keyword.escape_debug()));
    (!is_keyword(keyword))
        .then(|| error().hint("take it out of the URL; what only an application's library understands does not belong here"))
}
