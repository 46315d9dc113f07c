//! Tries places until one lets us in, as libpq does: servers in their order, addresses of a name in theirs, with and without
//! TLS as `sslmode` says.

use std::net::{IpAddr, ToSocketAddrs};
use std::sync::PoisonError;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use tokio_postgres::config::{ChannelBinding, SslMode};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::failure::{Cause, Failed};
use super::hosts::{Host, Place};
use super::passfile::{self, Lookup, Sought};
use super::session::{Found, QUESTION, Wanted};
use super::sources::Parameters;
use super::{Address, Served, failure};
use crate::drivers::{Context, SettingError};
use crate::error::{IoContext, Result};
use crate::runtime::OneThread;

/// How often a wait looks whether the run is cancelled.
const LOOK: Duration = Duration::from_millis(100);

/// One server at one address, and how it lets us in.
#[derive(Clone)]
pub(super) struct Target {
    /// The server.
    pub(super) place: Place,
    /// Its address; none for a socket.
    pub(super) address: Option<IpAddr>,
    /// Whether TLS is spoken; `Prefer` is what the server wants.
    pub(super) tls: SslMode,
}

/// Opens one connection: the blocking kind or the other.
type Open<C> = fn(&Context, tokio_postgres::Config, MakeRustlsConnect, Option<Duration>) -> Result<Result<C, Cause>>;

/// A connection that can be asked what its server is.
pub(super) trait Session {
    /// The answer to [`QUESTION`].
    fn ask(&mut self, context: &Context) -> Result<Result<Found, Cause>>;
}

impl Address {
    /// The first connection that can be had: to the server that was chosen before, or else to any.
    pub(super) fn first<C: Session>(&self, context: &Context, open: Open<C>) -> Result<C> {
        let tls = self.connector()?;
        if let Some(target) = self.chosen() {
            let opened = open(context, self.config(&target), tls, self.connect_timeout)?;
            return opened.map_err(|cause| failure::error(self, vec![Failed { target, cause }]));
        }
        let mut failures = Vec::new();
        for wanted in self.wanted.rounds() {
            for place in self.in_order() {
                for target in self.targets(context, place, &mut failures)? {
                    match self.one(context, target.clone(), *wanted, &tls, open)? {
                        Ok((client, target)) => {
                            *self.chosen.lock().unwrap_or_else(PoisonError::into_inner) = Some(target);
                            return Ok(client);
                        }
                        Err(cause) => {
                            let is_final = cause.is_final();
                            failures.push(Failed { target, cause });
                            if is_final {
                                return Err(failure::error(self, failures));
                            }
                        }
                    }
                }
            }
        }
        Err(failure::error(self, failures))
    }

    /// One server, without or with TLS, in the order of `sslmode`.
    fn one<C: Session>(
        &self,
        context: &Context,
        mut target: Target,
        wanted: Wanted,
        tls: &MakeRustlsConnect,
        open: Open<C>,
    ) -> Result<Result<(C, Target), Cause>> {
        let mut first: Option<Cause> = None;
        for mode in self.tls.attempts(target.place.is_socket()) {
            if let Some(cause) = &first
                && !cause.may_depend_on_tls()
            {
                break;
            }
            target.tls = *mode;
            match open(context, self.config(&target), tls.clone(), self.connect_timeout)? {
                Ok(mut client) if wanted != Wanted::Any => {
                    let against = client.ask(context)?.map(|found| wanted.against(found));
                    return Ok(match against {
                        Ok(None) => Ok((client, target)),
                        Ok(Some(why)) => Err(Cause::Unwanted(why)),
                        Err(cause) => Err(cause),
                    });
                }
                Ok(client) => return Ok(Ok((client, target))),
                // Of two failures the first is told: the second is often only that the server insists on TLS.
                Err(cause) => first = first.or(Some(cause)),
            }
        }
        Ok(Err(first.expect("there is at least one attempt")))
    }

    /// The servers in the order in which they are tried.
    fn in_order(&self) -> Vec<&Place> {
        let mut places: Vec<(u64, &Place)> = self.places.iter().map(|place| (if self.is_random { random() } else { 0 }, place)).collect();
        places.sort_by_key(|(order, _)| *order);
        places.into_iter().map(|(_, place)| place).collect()
    }

    /// The addresses of a server. A name that cannot be looked up is one more failure.
    fn targets(&self, context: &Context, place: &Place, failures: &mut Vec<Failed>) -> Result<Vec<Target>> {
        let target = |address| Target { place: place.clone(), address, tls: SslMode::Prefer };
        let name = match &place.host {
            Host::Socket(_) => return Ok(vec![target(None)]),
            Host::Address { address, .. } => return Ok(vec![target(Some(*address))]),
            Host::Name(name) => name.clone(),
        };
        let port = place.port;
        let found = in_background(context, self.connect_timeout, move || (name.as_str(), port).to_socket_addrs().map(Vec::from_iter))?;
        let cause = match found {
            Some(Ok(addresses)) if !addresses.is_empty() => {
                let mut addresses: Vec<(u64, IpAddr)> =
                    addresses.iter().map(|address| (if self.is_random { random() } else { 0 }, address.ip())).collect();
                addresses.sort_by_key(|(order, _)| *order);
                return Ok(addresses.into_iter().map(|(_, address)| target(Some(address))).collect());
            }
            Some(Err(why)) => Cause::Name(why.to_string()),
            Some(Ok(_)) => Cause::Name("it has no address".to_owned()),
            None => Cause::Timeout,
        };
        failures.push(Failed { target: target(None), cause });
        Ok(Vec::new())
    }

    /// The password for a server: the configured one, or the file's.
    pub(super) fn password_for(&self, place: &Place) -> Option<String> {
        self.password.clone().or_else(|| match self.look_up(place) {
            Lookup::Found(password) => Some(password),
            Lookup::None | Lookup::Ignored(_) => None,
        })
    }

    /// What the file of passwords says of a server.
    pub(super) fn look_up(&self, place: &Place) -> Lookup {
        let host = place.passfile_host();
        let sought = Sought { host: &host, port: place.port, dbname: &self.dbname, user: &self.user };
        self.passfile.as_deref().map_or(Lookup::None, |file| passfile::look_up(file, &sought))
    }

    /// What tokio-postgres is told: exactly one server.
    fn config(&self, target: &Target) -> tokio_postgres::Config {
        let mut config = tokio_postgres::Config::new();
        config.user(&self.user).dbname(&self.dbname).application_name(&self.application_name).port(target.place.port);
        config.ssl_mode(target.tls).channel_binding(self.channel_binding);
        match (&target.place.host, target.address) {
            (Host::Socket(directory), _) => {
                config.host_path(directory);
            }
            (Host::Name(name) | Host::Address { name: Some(name), .. }, address) => {
                config.host(name);
                address.map(|address| config.hostaddr(address));
            }
            // Without a name, the address is what a certificate must bear.
            (Host::Address { name: None, address }, _) => {
                config.host(address.to_string()).hostaddr(*address);
            }
        }
        if let Some(options) = &self.options {
            config.options(options);
        }
        if let Some(password) = self.password_for(&target.place) {
            config.password(password);
        }
        if let Some(timeout) = self.connect_timeout {
            config.connect_timeout(timeout);
        }
        self.keepalive.apply(&mut config);
        config
    }
}

/// Opens a connection for blocking use.
pub(super) fn blocking(
    context: &Context,
    config: tokio_postgres::Config,
    tls: MakeRustlsConnect,
    limit: Option<Duration>,
) -> Result<Result<postgres::Client, Cause>> {
    let opened = in_background(context, limit, move || postgres::Config::from(config).connect(tls))?;
    Ok(opened.map_or(Err(Cause::Timeout), |opened| opened.map_err(|why| Cause::of(&why))))
}

/// Opens a connection that is served by whoever waits for its answers.
pub(super) fn served(
    context: &Context,
    config: tokio_postgres::Config,
    tls: MakeRustlsConnect,
    limit: Option<Duration>,
) -> Result<Result<Served, Cause>> {
    let runtime = OneThread::new()?;
    let opening = async {
        let limit = limit.unwrap_or(Duration::MAX);
        match tokio::time::timeout(limit, config.connect(tls)).await {
            Ok(Ok((client, connection))) => Ok((client, tokio::spawn(connection))),
            Ok(Err(why)) => Err(Cause::of(&why)),
            Err(_late) => Err(Cause::Timeout),
        }
    };
    let opened = runtime.wait(&context.cancel, opening)?;
    Ok(opened.map(|(client, connection)| Served { client, connection, runtime }))
}

impl Session for postgres::Client {
    fn ask(&mut self, _context: &Context) -> Result<Result<Found, Cause>> {
        Ok(self.simple_query(QUESTION).map(|answer| found(&answer)).map_err(|why| Cause::of(&why)))
    }
}

impl Session for Served {
    fn ask(&mut self, context: &Context) -> Result<Result<Found, Cause>> {
        let answer = self.wait(context, self.client.simple_query(QUESTION))?;
        Ok(answer.map(|answer| found(&answer)).map_err(|why| Cause::of(&why)))
    }
}

fn found(answer: &[tokio_postgres::SimpleQueryMessage]) -> Found {
    let mut rows = answer.iter().filter_map(|message| match message {
        tokio_postgres::SimpleQueryMessage::Row(row) => Some((row.get(0) == Some("t"), row.get(1) == Some("on"))),
        _ => None,
    });
    let (is_standby, is_read_only) = rows.next().unwrap_or_default();
    Found { is_standby, is_read_only }
}

/// Waits for work that knows nothing of cancellation, on a thread of its own that is left behind when nobody waits any more;
/// none where it took longer than the limit.
fn in_background<T: Send + 'static>(
    context: &Context,
    limit: Option<Duration>,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<Option<T>> {
    let (sender, receiver) = channel();
    let begun = Instant::now();
    let started = thread::Builder::new().name("connect".to_owned()).spawn(move || {
        // Nobody receives when the wait is over: what was opened is closed again.
        let _ = sender.send(work());
    });
    started.while_doing(|| "cannot start a thread to connect on")?;
    loop {
        match receiver.recv_timeout(LOOK) {
            Ok(value) => return Ok(Some(value)),
            Err(RecvTimeoutError::Disconnected) => return Ok(None),
            Err(RecvTimeoutError::Timeout) => context.check()?,
        }
        if limit.is_some_and(|limit| begun.elapsed() >= limit) {
            return Ok(None);
        }
    }
}

/// A number that nobody foresees, to shuffle servers by.
fn random() -> u64 {
    use std::hash::{BuildHasher, RandomState};
    RandomState::new().hash_one(0)
}

/// Reads `connect_timeout`: whole seconds, of which there are two at least; none is without end.
pub(super) fn connect_timeout(parameters: &Parameters) -> Result<Option<Duration>, SettingError> {
    let seconds = number(parameters, "connect_timeout")?.filter(|seconds| *seconds > 0);
    Ok(seconds.map(|seconds| Duration::from_secs(seconds.unsigned_abs().max(2))))
}

/// Reads `channel_binding`.
pub(super) fn channel_binding(parameters: &Parameters) -> Result<ChannelBinding, SettingError> {
    match parameters.get("channel_binding") {
        None | Some("prefer") => Ok(ChannelBinding::Prefer),
        Some("disable") => Ok(ChannelBinding::Disable),
        Some("require") => Ok(ChannelBinding::Require),
        Some(other) => Err(parameters
            .wrong("channel_binding", format!("`{}` is none of its values", other.escape_debug()))
            .hint("write `disable`, `prefer` or `require`")),
    }
}

/// Reads `load_balance_hosts`.
pub(super) fn is_random(parameters: &Parameters) -> Result<bool, SettingError> {
    match parameters.get("load_balance_hosts") {
        None | Some("disable") => Ok(false),
        Some("random") => Ok(true),
        Some(other) => Err(parameters
            .wrong("load_balance_hosts", format!("`{}` is none of its values", other.escape_debug()))
            .hint("write `disable` or `random`")),
    }
}

/// What libpq can and this cannot: whoever asks for it is told, lest they rely on it.
pub(super) fn unsupported(parameters: &Parameters) -> Vec<SettingError> {
    let refused = [
        ("gssencmode", &["disable", "prefer"][..], "encryption by GSSAPI is not supported", "use TLS"),
        ("sslnegotiation", &["postgres"], "TLS without a request before it is not supported", "leave it out"),
        ("sslcertmode", &["allow", "disable"], "it is not supported", "set `sslcert` and `sslkey`"),
        ("requirepeer", &[], "it is not supported", "leave it out"),
        ("require_auth", &[], "it is not supported", "use `channel_binding = \"require\"`, which lets in nothing but SCRAM"),
        ("sslcrldir", &[], "a directory of revocation lists is not supported", "name one file in `sslcrl`"),
        ("sslpassword", &[], "a client key with a passphrase is not supported", "keep the key without one, readable by its owner only"),
        ("replication", &["false", "off", "no", "0"], "a replication connection cannot dump or restore", "leave it out"),
    ];
    let is_refused =
        |(keyword, fine, _, _): &(&str, &[&str], &str, &str)| parameters.get(keyword).is_some_and(|value| !fine.contains(&value));
    refused.into_iter().filter(is_refused).map(|(keyword, _, why, hint)| parameters.wrong(keyword, why).hint(hint)).collect()
}

/// What keeps a connection that is idle from being forgotten by routers.
#[derive(Clone, Debug)]
pub(super) struct Keepalive {
    is_on: bool,
    idle: Option<Duration>,
    interval: Option<Duration>,
    count: Option<u32>,
    user_timeout: Option<Duration>,
}

impl Keepalive {
    /// Reads `keepalives` and its siblings; 0 is the system's default, as for libpq.
    pub(super) fn configured(parameters: &Parameters) -> Result<Self, SettingError> {
        let positive = |keyword| number(parameters, keyword).map(|value| value.filter(|value| *value > 0).map(i64::unsigned_abs));
        Ok(Self {
            is_on: number(parameters, "keepalives")? != Some(0),
            idle: positive("keepalives_idle")?.map(Duration::from_secs),
            interval: positive("keepalives_interval")?.map(Duration::from_secs),
            count: positive("keepalives_count")?.and_then(|count| u32::try_from(count).ok()),
            user_timeout: positive("tcp_user_timeout")?.map(Duration::from_millis),
        })
    }

    fn apply(&self, config: &mut tokio_postgres::Config) {
        config.keepalives(self.is_on);
        self.idle.map(|idle| config.keepalives_idle(idle));
        self.interval.map(|interval| config.keepalives_interval(interval));
        self.count.map(|count| config.keepalives_retries(count));
        self.user_timeout.map(|timeout| config.tcp_user_timeout(timeout));
    }
}

fn number(parameters: &Parameters, keyword: &str) -> Result<Option<i64>, SettingError> {
    let read =
        |text: &str| text.trim().parse().map_err(|_| parameters.wrong(keyword, format!("`{}` is no whole number", text.escape_debug())));
    parameters.get(keyword).map(read).transpose()
}
