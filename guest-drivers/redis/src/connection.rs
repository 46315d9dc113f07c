//! A TCP connection through `wasi:sockets`: bytes out, bytes in, and waiting that ends. What the bytes mean is `client`'s.

use std::net::IpAddr;

use driver_guest::{Details, Error, ErrorKind, Result, check_cancelled, error};
use wasip2::clocks::monotonic_clock::subscribe_duration;
use wasip2::io::poll::{Pollable, poll};
use wasip2::io::streams::{InputStream, OutputStream, StreamError};
use wasip2::sockets::instance_network::instance_network;
use wasip2::sockets::ip_name_lookup::resolve_addresses;
use wasip2::sockets::network::{ErrorCode, IpAddress, IpAddressFamily, IpSocketAddress, Ipv4SocketAddress, Ipv6SocketAddress, Network};
use wasip2::sockets::tcp::TcpSocket;
use wasip2::sockets::tcp_create_socket::create_tcp_socket;

/// So many bytes are asked of the socket at once.
const READ: u64 = 256 * 1024;

/// While it waits, the guest looks so often whether the run is cancelled.
const SLICE: u64 = 200_000_000;

/// A connection. Its fields are dropped in this order: what was made from the socket goes before it.
pub(crate) struct Connection {
    readable: Pollable,
    writable: Pollable,
    input: InputStream,
    output: OutputStream,
    _socket: TcpSocket,
    address: String,
    /// How long the other side may be silent, in nanoseconds.
    patience: u64,
    /// Bytes that are to be sent; those before `sent` are.
    out: Vec<u8>,
    sent: usize,
}

impl Connection {
    /// Connects to `host:port`.
    ///
    /// # Errors
    /// The address cannot be read or resolved; nobody listens there, or does not answer in `timeout` seconds.
    pub(crate) fn open(address: &str, timeout: u64) -> Result<Self> {
        let wrong = || error(ErrorKind::InvalidConfig, format!("`{address}` is no address: it should be `host:port`"));
        let (host, port) = address.rsplit_once(':').ok_or_else(wrong)?;
        let port = port.parse().map_err(|_| wrong())?;
        let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        let network = instance_network();
        let patience = timeout.saturating_mul(1_000_000_000);
        let mut last = error(ErrorKind::NotFound, format!("`{host}` has no address"));
        for ip in resolve(&network, host, address, patience)? {
            match connect(&network, ip, port, address, patience) {
                Ok((socket, input, output)) => {
                    let (readable, writable) = (input.subscribe(), output.subscribe());
                    let address = address.to_owned();
                    return Ok(Self { readable, writable, input, output, _socket: socket, address, patience, out: Vec::new(), sent: 0 });
                }
                Err(why) => last = why,
            }
        }
        Err(last)
    }

    /// Where it leads.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// Bytes that wait to be sent: append to it, then [`Connection::send`].
    pub(crate) fn out(&mut self) -> &mut Vec<u8> {
        &mut self.out
    }

    /// How many bytes wait to be sent.
    pub(crate) fn unsent(&self) -> usize {
        self.out.len() - self.sent
    }

    /// Sends as much as goes without waiting.
    ///
    /// # Errors
    /// The connection is broken.
    pub(crate) fn send(&mut self) -> Result<()> {
        while self.sent < self.out.len() {
            let room = self.output.check_write().map_err(|why| self.broken(&why))?;
            let now = self.unsent().min(usize::try_from(room).unwrap_or(usize::MAX));
            if now == 0 {
                break;
            }
            self.output.write(&self.out[self.sent..self.sent + now]).map_err(|why| self.broken(&why))?;
            self.sent += now;
        }
        if self.sent == self.out.len() {
            self.out.clear();
            self.sent = 0;
        }
        Ok(())
    }

    /// The next bytes, at least one. Sends what waits to be sent in the meantime.
    ///
    /// # Errors
    /// The connection is broken; the other side is silent for too long; the run is cancelled.
    pub(crate) fn receive(&mut self) -> Result<Vec<u8>> {
        let mut waited = 0;
        loop {
            self.send()?;
            let bytes = self.input.read(READ).map_err(|why| self.broken(&why))?;
            if !bytes.is_empty() {
                return Ok(bytes);
            }
            let before = self.sent;
            waited = if self.wait() { waited } else { waited + SLICE };
            check_cancelled()?;
            if waited >= self.patience && self.sent == before {
                return Err(silent(&self.address, self.patience));
            }
        }
    }

    /// Waits until something can be sent or received, or a slice of time is over. Says whether it was the former.
    fn wait(&self) -> bool {
        let slice = subscribe_duration(SLICE);
        let ready = if self.unsent() > 0 { poll(&[&slice, &self.readable, &self.writable]) } else { poll(&[&slice, &self.readable]) };
        ready.iter().any(|index| *index > 0)
    }

    fn broken(&self, why: &StreamError) -> Error {
        let why = match why {
            StreamError::Closed => "the server closed the connection".to_owned(),
            StreamError::LastOperationFailed(why) => why.to_debug_string(),
        };
        error(ErrorKind::Unavailable, format!("the connection to `{}` broke: {why}", self.address)).retryable()
    }
}

fn silent(address: &str, patience: u64) -> Error {
    let seconds = patience / 1_000_000_000;
    error(ErrorKind::Unavailable, format!("`{address}` did not answer within {seconds} seconds"))
        .retryable()
        .hint("see whether the server is there and not busy, or raise `timeout`")
}

/// Waits for `what`, but not for ever.
fn wait_for(what: &Pollable, address: &str, patience: u64) -> Result<()> {
    let mut waited = 0;
    while !what.ready() {
        if waited >= patience {
            return Err(silent(address, patience));
        }
        poll(&[what, &subscribe_duration(SLICE)]);
        waited += SLICE;
        check_cancelled()?;
    }
    Ok(())
}

/// The addresses of a host.
fn resolve(network: &Network, host: &str, address: &str, patience: u64) -> Result<Vec<IpAddr>> {
    if let Ok(ip) = host.parse() {
        return Ok(vec![ip]);
    }
    let cannot = |why| failed(format!("cannot resolve `{host}`"), why);
    let found = resolve_addresses(network, host).map_err(cannot)?;
    let ready = found.subscribe();
    let mut addresses = Vec::new();
    loop {
        match found.resolve_next_address() {
            Ok(Some(IpAddress::Ipv4((a, b, c, d)))) => addresses.push(IpAddr::from([a, b, c, d])),
            Ok(Some(IpAddress::Ipv6((a, b, c, d, e, f, g, h)))) => addresses.push(IpAddr::from([a, b, c, d, e, f, g, h])),
            Ok(None) => break,
            Err(ErrorCode::WouldBlock) => wait_for(&ready, address, patience)?,
            Err(why) => return Err(cannot(why)),
        }
    }
    drop(ready);
    Ok(addresses)
}

fn connect(network: &Network, ip: IpAddr, port: u16, address: &str, patience: u64) -> Result<(TcpSocket, InputStream, OutputStream)> {
    let cannot = |why| failed(format!("cannot connect to `{address}`"), why);
    let (family, remote) = match ip {
        IpAddr::V4(ip) => {
            let [a, b, c, d] = ip.octets();
            (IpAddressFamily::Ipv4, IpSocketAddress::Ipv4(Ipv4SocketAddress { port, address: (a, b, c, d) }))
        }
        IpAddr::V6(ip) => {
            let [a, b, c, d, e, f, g, h] = ip.segments();
            let address = (a, b, c, d, e, f, g, h);
            (IpAddressFamily::Ipv6, IpSocketAddress::Ipv6(Ipv6SocketAddress { port, flow_info: 0, address, scope_id: 0 }))
        }
    };
    let socket = create_tcp_socket(family).map_err(cannot)?;
    socket.start_connect(network, remote).map_err(cannot)?;
    let ready = socket.subscribe();
    loop {
        match socket.finish_connect() {
            Ok((input, output)) => {
                drop(ready);
                return Ok((socket, input, output));
            }
            Err(ErrorCode::WouldBlock) => wait_for(&ready, address, patience)?,
            Err(why) => return Err(cannot(why)),
        }
    }
}

fn failed(what: String, why: ErrorCode) -> Error {
    let (kind, why, retryable) = match why {
        ErrorCode::AccessDenied => (ErrorKind::PermissionDenied, "that is not granted", false),
        ErrorCode::ConnectionRefused => (ErrorKind::Unavailable, "nobody listens there", true),
        ErrorCode::RemoteUnreachable => (ErrorKind::Unavailable, "there is no way to it", true),
        ErrorCode::Timeout => (ErrorKind::Unavailable, "it does not answer", true),
        ErrorCode::NameUnresolvable | ErrorCode::PermanentResolverFailure => (ErrorKind::NotFound, "there is no such name", false),
        ErrorCode::TemporaryResolverFailure => (ErrorKind::Unavailable, "names cannot be resolved right now", true),
        other => (ErrorKind::Unavailable, other.name(), true),
    };
    let told = error(kind, format!("{what}: {why}"));
    if retryable { told.retryable() } else { told }
}
