//! The places to try: hosts, addresses and ports, matched up as libpq does.

use std::path::{Path, PathBuf};

use super::sources::Parameters;
use crate::drivers::SettingError;

/// Where libraries look for the socket of a server on this machine: Debian's place, and PostgreSQL's own.
const SOCKETS: [&str; 2] = ["/var/run/postgresql", "/tmp"];

/// A server to try.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// How it is reached.
    pub(super) host: Host,
    /// The port; of a socket, a part of its name.
    pub(super) port: u16,
}

/// How a server is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Host {
    /// By a name that is looked up, or by an address.
    Name(String),
    /// By an address, with the name that its certificate bears.
    Address { name: Option<String>, address: std::net::IpAddr },
    /// By the Unix socket in this directory.
    Socket(PathBuf),
}

impl Place {
    /// The name under which `~/.pgpass` knows it: libpq's default directory of sockets is `localhost` there.
    pub(super) fn passfile_host(&self) -> String {
        match &self.host {
            Host::Name(name) | Host::Address { name: Some(name), .. } => name.clone(),
            Host::Address { name: None, address } => address.to_string(),
            Host::Socket(directory) if SOCKETS.iter().any(|known| Path::new(known) == directory) => "localhost".to_owned(),
            Host::Socket(directory) => directory.display().to_string(),
        }
    }

    /// Whether it is a Unix socket, over which libpq never speaks TLS.
    pub(super) fn is_socket(&self) -> bool {
        matches!(self.host, Host::Socket(_))
    }
}

/// As messages name it: `db.internal:5432`, `[::1]:5432`, `/run/postgresql/.s.PGSQL.5432`.
impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let port = self.port;
        match &self.host {
            Host::Socket(directory) => write!(f, "{}", directory.join(format!(".s.PGSQL.{port}")).display()),
            Host::Name(name) | Host::Address { name: Some(name), .. } if name.contains(':') => write!(f, "[{name}]:{port}"),
            Host::Name(name) | Host::Address { name: Some(name), .. } => write!(f, "{name}:{port}"),
            Host::Address { name: None, address } => write!(f, "{}", std::net::SocketAddr::new(*address, port)),
        }
    }
}

/// All places that the parameters name, in their order.
///
/// # Errors
/// The numbers of hosts, addresses and ports do not fit, or one makes no sense.
pub(super) fn places(parameters: &Parameters) -> Result<Vec<Place>, SettingError> {
    let list =
        |keyword| -> Vec<&str> { parameters.get(keyword).map(|value| value.split(',').map(str::trim).collect()).unwrap_or_default() };
    let (names, addresses, ports) = (list("host"), list("hostaddr"), list("port"));
    if !names.is_empty() && !addresses.is_empty() && names.len() != addresses.len() {
        let why = format!("there are {} hosts, and {} addresses for them", names.len(), addresses.len());
        return Err(parameters.wrong("hostaddr", why));
    }
    let count = names.len().max(addresses.len()).max(1);
    if ports.len() > 1 && ports.len() != count {
        return Err(parameters
            .wrong("port", format!("there are {} ports for {count} hosts", ports.len()))
            .hint("give one port, or one for each host"));
    }
    (0..count)
        .map(|at| {
            let port = port(parameters, ports.get(at).or(ports.first()).copied().unwrap_or(""))?;
            let host = host(parameters, names.get(at).copied().unwrap_or(""), addresses.get(at).copied().unwrap_or(""), port)?;
            Ok(Place { host, port })
        })
        .collect()
}

fn port(parameters: &Parameters, text: &str) -> Result<u16, SettingError> {
    if text.is_empty() {
        return Ok(5432);
    }
    let number = text.parse().ok().filter(|number| *number > 0);
    number.ok_or_else(|| parameters.wrong("port", format!("`{}` is no port: ports are numbers from 1 to 65535", text.escape_debug())))
}

fn host(parameters: &Parameters, name: &str, address: &str, port: u16) -> Result<Host, SettingError> {
    let socket = |path: &str| Host::Socket(PathBuf::from(path));
    match (name, address) {
        (_, "") if name.starts_with('/') => Ok(socket(name)),
        (_, "") if name.starts_with('@') => Err(parameters
            .wrong("host", "sockets in the abstract namespace are not supported")
            .hint("let the server listen on a socket in a directory")),
        ("", "") => Ok(socket(default_socket(port))),
        (name, "") => Ok(Host::Name(name.to_owned())),
        (name, address) => match address.parse() {
            Ok(address) => Ok(Host::Address { name: (!name.is_empty()).then(|| name.to_owned()), address }),
            Err(_) => {
                Err(parameters.wrong("hostaddr", format!("`{}` is no IP address", address.escape_debug())).hint("names go into `host`"))
            }
        },
    }
}

/// The directory in which a server on this machine has its socket.
fn default_socket(port: u16) -> &'static str {
    let has_socket = |directory: &&&str| Path::new(directory).join(format!(".s.PGSQL.{port}")).exists();
    SOCKETS.iter().find(has_socket).copied().unwrap_or(SOCKETS[0])
}
