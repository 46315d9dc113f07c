//! The rights of one instance: its share of WASI's context, and the checks that are made on each use.

use std::collections::{BTreeSet, HashMap};
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

use wasmtime_wasi::sockets::SocketAddrUse;
use wasmtime_wasi::{FsPerms, WasiCtxBuilder};

use super::endpoint::{Endpoint, Host, Port, normal, reached};
use super::matched::{Allowed, Opened};
use super::options::http_text;
use super::{Capability, Denials};
use crate::error::{Error, ErrorKind, IoContext as _, Result};
use crate::redact::Redactor;

/// What one instance may do. Cheap to clone; clones share what was resolved.
#[derive(Clone)]
pub(in crate::drivers::component) struct Rights {
    pub(super) allowed: Arc<Allowed>,
    /// The addresses that granted names have been resolved to, and the ports that are granted there.
    resolved: Arc<Mutex<BTreeSet<(IpAddr, Port)>>>,
    /// The paths of open directories as the component sees them, by the number of their descriptor.
    pub(super) paths: HashMap<u32, String>,
    pub(super) denials: Denials,
    /// Strikes secrets out of what the driver asked for, before anything is made of it.
    pub(super) redactor: Redactor,
}

impl Rights {
    pub(super) fn new(allowed: Arc<Allowed>, denials: Denials, redactor: Redactor) -> Self {
        Self { allowed, resolved: Arc::default(), paths: HashMap::new(), denials, redactor }
    }

    /// Puts the instance's share into a context of WASI: its directories, its variables, the check of addresses. Standard input
    /// stays closed.
    ///
    /// # Errors
    /// A granted directory cannot be opened.
    pub(in crate::drivers::component) fn enter(&self, context: &mut WasiCtxBuilder) -> Result<()> {
        for opened in &self.allowed.directories {
            match open(opened, context) {
                Err(error) if error.kind() == ErrorKind::NotFound && opened.optional => {}
                other => other?,
            }
        }
        for (name, value) in &self.allowed.env {
            if let Some(value) = value {
                context.env(name, value);
            }
        }
        // Both are allowed, so that the check sees every attempt and can say which grant is missing.
        context.allow_tcp(true).allow_udp(true);
        let rights = self.clone();
        context.socket_addr_check(move |address, purpose| {
            let may = rights.may_use(address, purpose);
            Box::pin(std::future::ready(may))
        });
        Ok(())
    }

    /// The value of a secret.
    ///
    /// # Errors
    /// [`ErrorKind::PermissionDenied`]: it is not given, or the driver does not declare that it needs it.
    pub(in crate::drivers::component) fn secret(&self, name: &str) -> Result<&str> {
        if let Some(value) = self.allowed.secrets.get(name) {
            return Ok(value);
        }
        let shown: String = self.redactor.strike(name).chars().take(100).collect();
        let shown = shown.escape_debug().to_string();
        let is_given = self.allowed.grants.secrets.contains_key(name);
        let is_declared = self.allowed.needed_secrets.contains(name);
        self.deny(&format!("read the secret {shown}"), Some(Capability::Secret.line(&[&shown])), is_given, is_declared);
        let denied = Error::new(ErrorKind::PermissionDenied, format!("the secret `{shown}` is not granted"));
        Err(denied.hint(format!("to allow it: {}", Capability::Secret.line(&[&shown]))))
    }

    /// Whether a socket may do this, on each use.
    pub(super) fn may_use(&self, address: SocketAddr, purpose: SocketAddrUse) -> bool {
        let (ip, port) = (address.ip().to_canonical(), address.port());
        let what = match purpose {
            SocketAddrUse::TcpConnect => "connect to",
            SocketAddrUse::UdpSend => "send to",
            SocketAddrUse::UdpReceive => return self.reaches(reached(ip), port),
            // What the system binds by itself before it connects.
            SocketAddrUse::TcpBind | SocketAddrUse::UdpBind if ip.is_unspecified() && port == 0 => return true,
            SocketAddrUse::TcpBind | SocketAddrUse::UdpBind => {
                self.deny(&format!("bind {}", SocketAddr::new(ip, port)), None, false, true);
                return false;
            }
            SocketAddrUse::TcpListen | SocketAddrUse::TcpAccept => {
                self.deny("listen for connections", None, false, true);
                return false;
            }
        };
        let ip = reached(ip);
        if self.reaches(ip, port) {
            return true;
        }
        let shown = SocketAddr::new(ip, port).to_string();
        let is_granted = self.allowed.grants.net.iter().flat_map(|given| &given.value).any(|endpoint| endpoint.has(ip, port));
        let is_declared = self.allowed.needed_net.iter().any(|endpoint| endpoint.has(ip, port));
        self.deny(&format!("{what} {shown}"), Some(Capability::Network.line(&[&shown])), is_granted, is_declared);
        false
    }

    fn reaches(&self, ip: IpAddr, port: u16) -> bool {
        self.allowed.net.iter().any(|endpoint| endpoint.has(ip, port))
            || self.resolved.lock().unwrap_or_else(PoisonError::into_inner).iter().any(|(found, ports)| *found == ip && ports.has(port))
    }

    /// Whether a name may be resolved.
    pub(super) fn may_resolve(&self, name: &str) -> bool {
        if self.ports_of(name).next().is_some() {
            return true;
        }
        let host = Host::Name(normal(name));
        let is = |endpoint: &Endpoint| endpoint.host == host;
        let needed = self.allowed.needed_net.iter().find(|endpoint| is(endpoint) || endpoint.host == Host::Any);
        let port = needed.map_or(Port::Any, |endpoint| endpoint.port);
        let name = self.redactor.strike(name);
        let shown = Endpoint { host: Host::Name(normal(&name)), port }.to_string();
        let is_granted = self.allowed.grants.net.iter().flat_map(|given| &given.value).any(is);
        let what = format!("resolve the name {}", name.escape_debug());
        self.deny(&what, Some(Capability::Network.line(&[&shown])), is_granted, needed.is_some());
        false
    }

    /// The ports that are granted at a name.
    fn ports_of(&self, name: &str) -> impl Iterator<Item = Port> {
        let host = Host::Name(normal(name));
        self.allowed.net.iter().filter(move |endpoint| endpoint.host == host).map(|endpoint| endpoint.port)
    }

    /// Adds the addresses of a granted name to those that may be used.
    pub(super) fn resolved(&self, name: &str, addresses: &[IpAddr]) {
        let mut resolved = self.resolved.lock().unwrap_or_else(PoisonError::into_inner);
        for port in self.ports_of(name) {
            resolved.extend(addresses.iter().map(|ip| (reached(*ip), port)));
        }
    }

    /// Whether a request may be sent to this host and port.
    pub(super) fn may_request(&self, host: &str, port: u16) -> bool {
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let struck = self.redactor.strike(host);
        let shown: String = struck.chars().take(253).collect();
        let Ok(asked) = Endpoint::of_need(host) else {
            self.deny(&format!("make an HTTP request to {}", shown.escape_debug()), None, false, true);
            return false;
        };
        let asked = Endpoint { host: asked.host, port: Port::One(port) };
        let has = |endpoint: &Endpoint| endpoint.common(&asked).as_ref() == Some(&asked);
        if asked.host != Host::Any && self.allowed.http.iter().any(has) {
            return true;
        }
        let is_granted = self.allowed.grants.http.iter().flat_map(|given| &given.value).any(has);
        let is_declared = self.allowed.needed_http.iter().any(has);
        let shown = if struck == host { http_text(&asked) } else { format!("{shown}:{port}") };
        self.deny(&format!("make an HTTP request to {shown}"), Some(Capability::Http.line(&[&shown])), is_granted, is_declared);
        false
    }

    /// Tells the person what was denied, and the line that would allow it, where one would.
    pub(super) fn deny(&self, what: &str, line: Option<String>, is_granted: bool, is_declared: bool) {
        self.denials.tell(match line {
            None => format!("the driver tried to {what}; no grant allows it"),
            Some(_) if is_granted => {
                format!("the driver tried to {what}, which is granted, and which it does not declare as a need: a fault of the driver")
            }
            Some(line) if is_declared => format!("the driver tried to {what}; to allow it: {line}"),
            Some(line) => format!("the driver tried to {what}; to allow it: {line}, and the driver must declare that it needs it"),
        });
    }
}

/// Opens a directory for an instance. What is needed below the granted directory must lie in it also behind symbolic links.
fn open(opened: &Opened, context: &mut WasiCtxBuilder) -> Result<()> {
    let cannot = |what: &str| format!("cannot open the granted directory `{what}`");
    let shown = opened.root.join(&opened.rest);
    let root = opened.root.canonicalize().while_doing(|| cannot(&opened.root.to_string_lossy()))?;
    let directory = root.join(&opened.rest).canonicalize().while_doing(|| cannot(&shown.to_string_lossy()))?;
    if !directory.starts_with(&root) {
        let message = format!("`{}` leads out of the granted directory `{}`", shown.display(), opened.root.display());
        return Err(Error::new(ErrorKind::PermissionDenied, message).hint("grant the directory to which the symbolic link leads"));
    }
    if !directory.is_dir() {
        return Err(Error::new(ErrorKind::InvalidConfig, format!("`{}` is granted, and is no directory", shown.display())));
    }
    let permissions = if opened.write { FsPerms::ReadWrite } else { FsPerms::ReadOnly };
    let added = context.preopened_dir(&directory, &opened.guest, permissions);
    added.map(|_| ()).map_err(|why| Error::new(ErrorKind::Other, format!("{}: {why:#}", cannot(&shown.to_string_lossy()))))
}
