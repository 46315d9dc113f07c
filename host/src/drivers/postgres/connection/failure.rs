//! Why no server could be reached: each place with its reason, and what to do about it, in one error.

use std::error::Error as _;
use std::io;

use rustls::CertificateError;
use tokio_postgres::error::SqlState;

use super::Address;
use super::attempt::Target;
use super::passfile::Lookup;
use crate::error::{Error, ErrorKind};

/// A place that was tried in vain.
pub(super) struct Failed {
    pub(super) target: Target,
    pub(super) cause: Cause,
}

/// Why.
#[derive(Debug)]
pub(super) enum Cause {
    /// The server says no: SQLSTATE and its words.
    Server(SqlState, String),
    /// The operating system cannot connect or the connection broke.
    System(io::ErrorKind, String),
    /// TLS: the words, and what is wrong with the certificate.
    Tls(String, Option<CertificateError>),
    /// The name of the host cannot be looked up.
    Name(String),
    /// `connect_timeout` is over.
    Timeout,
    /// The server wants a password and there is none.
    NoPassword,
    /// The server is not what `target_session_attrs` wants.
    Unwanted(&'static str),
    /// Everything else.
    Other(String),
}

impl Cause {
    /// What tokio-postgres's error means.
    pub(super) fn of(error: &tokio_postgres::Error) -> Self {
        if let Some(db) = error.as_db_error() {
            return Self::Server(db.code().clone(), db.message().to_owned());
        }
        let source = error.source();
        let words = source.map_or_else(|| error.to_string(), ToString::to_string);
        let system = source.and_then(|source| source.downcast_ref::<io::Error>());
        if let Some(tls) = system.and_then(|system| system.get_ref()).and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
            let certificate = match tls {
                rustls::Error::InvalidCertificate(why) => Some(why.clone()),
                _ => None,
            };
            return Self::Tls(tls.to_string(), certificate);
        }
        // The library keeps its kinds of error to itself; these words are its own.
        match (error.to_string().as_str(), words.as_str()) {
            (_, "password missing") => Self::NoPassword,
            (text, _) if text.starts_with("error performing TLS handshake") => Self::Tls(words, None),
            (text, _) if text.starts_with("connection closed") => {
                Self::System(io::ErrorKind::UnexpectedEof, "the server closed the connection".into())
            }
            _ => match system {
                Some(system) if system.kind() == io::ErrorKind::TimedOut => Self::Timeout,
                Some(system) => Self::System(system.kind(), Error::io("", system).message().trim_start_matches(": ").to_owned()),
                None => Self::Other(words),
            },
        }
    }

    /// Whether other servers would hardly answer otherwise: libpq stops at the first that refuses a role or a password.
    pub(super) fn is_final(&self) -> bool {
        match self {
            Self::Server(code, _) => *code != SqlState::CANNOT_CONNECT_NOW,
            Self::NoPassword => true,
            _ => false,
        }
    }

    /// Whether with TLS it may go otherwise than without, or the reverse.
    pub(super) fn may_depend_on_tls(&self) -> bool {
        match self {
            Self::Tls(..) => true,
            Self::Server(code, _) => *code == SqlState::INVALID_AUTHORIZATION_SPECIFICATION,
            _ => false,
        }
    }

    fn words(&self) -> String {
        match self {
            Self::Server(_, words) | Self::System(_, words) | Self::Other(words) => words.clone(),
            Self::Tls(words, _) => format!("TLS: {words}"),
            Self::Name(words) => format!("the host's name cannot be looked up: {words}"),
            Self::Timeout => "no answer in time".to_owned(),
            Self::NoPassword => "the server asks for a password, and there is none".to_owned(),
            Self::Unwanted(why) => (*why).to_owned(),
        }
    }

    fn kind(&self) -> ErrorKind {
        match self {
            Self::Server(code, _) if *code == SqlState::INVALID_CATALOG_NAME => ErrorKind::NotFound,
            Self::Server(code, _) if code.code().starts_with("28") || *code == SqlState::INSUFFICIENT_PRIVILEGE => {
                ErrorKind::PermissionDenied
            }
            Self::NoPassword => ErrorKind::PermissionDenied,
            Self::Tls(..) | Self::Other(_) => ErrorKind::Other,
            _ => ErrorKind::Unavailable,
        }
    }
}

/// The one error of all that failed.
pub(super) fn error(address: &Address, failures: Vec<Failed>) -> Error {
    let shown = address.shown();
    let Some(last) = failures.last() else {
        return Error::new(ErrorKind::Unavailable, format!("cannot connect to `{shown}`: there is no server to try"));
    };
    let kind = last.cause.kind();
    let tried = failures.iter().map(|failed| format!("`{}`: {}", place(&failed.target), failed.cause.words())).collect::<Vec<_>>();
    let error = Error::new(kind, format!("cannot connect to `{shown}`; {}", tried.join("; ")));
    let error = if kind == ErrorKind::Unavailable { error.retryable() } else { error };
    match hint(address, last) {
        Some(hint) => error.hint(hint),
        None => error,
    }
}

/// A server with its address, where that says more: `db.internal:5432 (10.0.0.7)`.
fn place(target: &Target) -> String {
    match target.address {
        Some(address) if !target.place.to_string().contains(&address.to_string()) => format!("{} ({address})", target.place),
        _ => target.place.to_string(),
    }
}

fn hint(address: &Address, failed: &Failed) -> Option<String> {
    let user = address.user();
    Some(match &failed.cause {
        Cause::NoPassword => match address.look_up(&failed.target.place) {
            Lookup::Ignored(why) => why,
            _ => format!("set `password = \"${{…}}\"`, `PGPASSWORD`, or add a line for `{user}` to `~/.pgpass`"),
        },
        Cause::Server(code, _) => return server_hint(code, user, address.database()),
        Cause::System(_, _) if failed.target.place.is_socket() => {
            "see whether the server runs and where its socket is (`unix_socket_directories`), and set `host` and `port` to it".to_owned()
        }
        Cause::System(io::ErrorKind::ConnectionRefused, _) => {
            "see whether the server runs and listens there (`listen_addresses`), and check `host` and `port`".to_owned()
        }
        Cause::System(..) | Cause::Timeout => {
            "see whether the server runs and the network lets us through, and check `host` and `port`".to_owned()
        }
        Cause::Name(_) => "check the name in `host`".to_owned(),
        Cause::Tls(words, certificate) => return tls_hint(words, certificate.as_ref()),
        Cause::Unwanted(_) => "name another server in `host`, or change `target_session_attrs`".to_owned(),
        Cause::Other(_) => return None,
    })
}

fn server_hint(code: &SqlState, user: &str, database: &str) -> Option<String> {
    let known = [
        (SqlState::INVALID_PASSWORD, format!("check the password of `{user}`: in `url` or `password`, `PGPASSWORD`, or `~/.pgpass`")),
        (
            SqlState::INVALID_AUTHORIZATION_SPECIFICATION,
            format!("let the server's `pg_hba.conf` admit `{user}` to `{database}` from here, or connect as another role"),
        ),
        (SqlState::INVALID_CATALOG_NAME, format!("check the name in `dbname`, or create it with `createdb {database}`")),
        (SqlState::TOO_MANY_CONNECTIONS, "close other connections, raise `max_connections`, or lower `jobs`".to_owned()),
        (SqlState::CANNOT_CONNECT_NOW, "try again when the server has started".to_owned()),
        (SqlState::INSUFFICIENT_PRIVILEGE, format!("let `{user}` connect: `GRANT CONNECT ON DATABASE …`")),
    ];
    known.into_iter().find(|(known, _)| known == code).map(|(_, hint)| hint)
}

fn tls_hint(words: &str, certificate: Option<&CertificateError>) -> Option<String> {
    Some(match certificate {
        _ if words.contains("server does not support TLS") => {
            "switch TLS on at the server (`ssl = on`), or allow to go without by `sslmode = \"disable\"`".to_owned()
        }
        Some(CertificateError::UnknownIssuer) => "name the certificate of who issued the server's in `sslrootcert`".to_owned(),
        Some(CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. }) => {
            "set `host` to a name that the certificate bears as `subjectAltName` (a common name alone is not enough)".to_owned()
        }
        Some(CertificateError::Expired | CertificateError::ExpiredContext { .. }) => "renew the server's certificate".to_owned(),
        Some(_) => "give the server a certificate of X.509 version 3 that names it as `subjectAltName`".to_owned(),
        None => return None,
    })
}
