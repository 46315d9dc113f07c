//! Where a database is, and how to get there: everything that libpq reads, in its order, and connections as libpq makes them.
//!
//! [`keys`] are the configuration's keys, [`parse`] the spellings of a connection string, [`sources`] puts configuration,
//! service file ([`service`]) and environment together, [`hosts`] makes the places to try of that, [`passfile`] finds
//! passwords, [`tls`] with [`verifier`] says what is trusted, [`attempt`] tries one place, [`failure`] says why none could be reached, [`cancel`] stops queries.

mod attempt;
mod cancel;
mod children;
mod failure;
mod hosts;
mod keys;
mod parse;
mod passfile;
mod service;
mod session;
mod sources;
mod tls;
mod verifier;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::task::JoinHandle;

use self::attempt::Target;
use self::hosts::Place;
pub(super) use self::keys::Keys;
pub(super) use self::parse::SCHEMES;
use self::session::Wanted;
use self::sources::Parameters;
pub(super) use self::sources::Variables;
use self::tls::Tls;
use super::super::{Context, SettingError};
use crate::error::Result;
use crate::runtime::OneThread;

/// What the server shows of a connection, unless the user chose another name.
const APPLICATION_NAME: &str = "dr-host";

/// How long a server may take to hear that a connection ends.
const LEAVE: Duration = Duration::from_secs(1);

/// A database, and the ways to it. Clones share the way that was found: the first connection chooses among several servers,
/// and all others, those of child processes among them, go to the same.
#[derive(Clone)]
pub(super) struct Address {
    places: Vec<Place>,
    user: String,
    dbname: String,
    password: Option<String>,
    passfile: Option<PathBuf>,
    options: Option<String>,
    application_name: String,
    connect_timeout: Option<Duration>,
    is_random: bool,
    wanted: Wanted,
    tls: Tls,
    keepalive: attempt::Keepalive,
    channel_binding: tokio_postgres::config::ChannelBinding,
    chosen: Arc<Mutex<Option<Target>>>,
}

impl Address {
    /// Puts together what configuration, service file and environment say. Nothing is connected to, and but for the service
    /// file nothing opened.
    ///
    /// # Errors
    /// Everything that is wrong, or not supported.
    pub(super) fn resolve(keys: &Keys, base: &Path, variables: &Variables) -> Result<Self, Vec<SettingError>> {
        let parameters = sources::gather(keys, base, variables)?;
        let mut errors = Vec::new();
        let places = hosts::places(&parameters).map_err(|error| errors.push(error)).ok();
        let wanted = session::wanted(&parameters).map_err(|error| errors.push(error)).ok();
        let tls = Tls::configured(&parameters, variables).map_err(|more| errors.extend(more)).ok();
        let channel_binding = attempt::channel_binding(&parameters).map_err(|error| errors.push(error)).ok();
        let keepalive = attempt::Keepalive::configured(&parameters).map_err(|error| errors.push(error)).ok();
        let connect_timeout = attempt::connect_timeout(&parameters).map_err(|error| errors.push(error)).ok();
        let is_random = attempt::is_random(&parameters).map_err(|error| errors.push(error)).ok();
        let user = user(&parameters).map_err(|error| errors.push(error)).ok();
        errors.extend(attempt::unsupported(&parameters));
        let (
            Some(places),
            Some(wanted),
            Some(tls),
            Some(channel_binding),
            Some(keepalive),
            Some(connect_timeout),
            Some(is_random),
            Some(user),
        ) = (places, wanted, tls, channel_binding, keepalive, connect_timeout, is_random, user)
        else {
            return Err(errors);
        };
        if !errors.is_empty() {
            return Err(errors);
        }
        let text = |keyword| parameters.get(keyword).map(str::to_owned);
        Ok(Self {
            places,
            dbname: text("dbname").unwrap_or_else(|| user.clone()),
            user,
            password: text("password"),
            passfile: text("passfile").map(PathBuf::from).or_else(|| variables.home().map(|home| home.join(".pgpass"))),
            options: text("options"),
            application_name: text("application_name")
                .or_else(|| text("fallback_application_name"))
                .unwrap_or_else(|| APPLICATION_NAME.to_owned()),
            connect_timeout,
            is_random,
            wanted,
            tls,
            keepalive,
            channel_binding,
            chosen: Arc::default(),
        })
    }

    /// As people and the manifest see it: `postgres://shop@db.internal:5432/shop`. Holds no secret.
    pub(super) fn shown(&self) -> String {
        use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
        const PART: &percent_encoding::AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');
        let encoded = |text: &str| {
            if text.is_ascii() { utf8_percent_encode(text, PART).to_string() } else { text.to_owned() }
        };
        let hosts = self.places.iter().map(|place| match &place.host {
            hosts::Host::Socket(directory) => format!("{}:{}", encoded(&directory.display().to_string()), place.port),
            _ => place.to_string(),
        });
        format!("postgres://{}@{}/{}", encoded(&self.user), hosts.collect::<Vec<_>>().join(","), encoded(&self.dbname))
    }

    /// The name of the database.
    pub(super) fn database(&self) -> &str {
        &self.dbname
    }

    /// The role to connect as.
    pub(super) fn user(&self) -> &str {
        &self.user
    }

    /// Another database of the same server.
    #[allow(dead_code, reason = "recreating a database uses it next")]
    pub(super) fn with_database(&self, database: &str) -> Self {
        Self { dbname: database.to_owned(), ..self.clone() }
    }

    /// Connects, and waits as long as it takes, or as `connect_timeout` says.
    ///
    /// # Errors
    /// No server could be reached, or none that lets us in: each with the reason. The run is cancelled.
    pub(super) fn connect(&self, context: &Context) -> Result<postgres::Client> {
        self.first(context, attempt::blocking)
    }

    /// The same, with a client for futures.
    ///
    /// # Errors
    /// As [`Address::connect`].
    pub(super) fn connect_async(&self, context: &Context) -> Result<Served> {
        self.first(context, attempt::served)
    }

    /// What speaks TLS; where all servers are reached by sockets, over which nobody does, no file is read for it.
    fn connector(&self) -> Result<tokio_postgres_rustls::MakeRustlsConnect> {
        self.tls.connector(self.places.iter().all(Place::is_socket))
    }

    fn chosen(&self) -> Option<Target> {
        self.chosen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// A client for futures, and what serves its connection: whoever waits here.
pub(super) struct Served {
    pub(super) client: tokio_postgres::Client,
    connection: JoinHandle<Result<(), tokio_postgres::Error>>,
    runtime: OneThread,
}

impl Served {
    /// Waits for one of the client's answers, from a thread that is none of a runtime's.
    ///
    /// # Errors
    /// The run is cancelled.
    pub(super) fn wait<F: Future>(&self, context: &Context, future: F) -> Result<F::Output> {
        self.runtime.wait(&context.cancel, future)
    }

    /// Takes leave of the server, as far as it still listens.
    pub(super) fn close(self) {
        let Self { client, connection, runtime } = self;
        drop(client);
        // How the connection ended is no news: everything that was asked was answered.
        let _ = runtime.block_on(async { tokio::time::timeout(LEAVE, connection).await });
    }
}

/// The role to connect as: by default named as the operating system's user.
fn user(parameters: &Parameters) -> Result<String, SettingError> {
    if let Some(user) = parameters.get("user") {
        return Ok(user.to_owned());
    }
    let user = uzers::get_user_by_uid(uzers::get_effective_uid());
    user.and_then(|user| user.name().to_str().map(str::to_owned)).ok_or_else(|| {
        SettingError::new("", "there is no `user`, and the operating system knows no name of its own user").hint("add `user = \"…\"`")
    })
}
