//! Hosts and ports: how grants and needs spell them, and what is in common to two of them. Touches no network.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// One or more hosts, at one or more ports.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Endpoint {
    pub(super) host: Host,
    pub(super) port: Port,
}

/// Which hosts.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Host {
    /// Every host. Only needs say so, never grants.
    Any,
    /// The host of this name, in lower case, without a dot at its end.
    Name(String),
    /// The addresses that have these first bits in common.
    Network(IpAddr, u8),
}

/// Which ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Port {
    /// Every port.
    Any,
    /// This one.
    One(u16),
}

/// Why a text is no endpoint, and what to write instead.
pub(super) type Wrong = (String, String);

impl Endpoint {
    /// Reads a grant of `net`: `host:port`, `host:*`, an address or a network with or without a port.
    ///
    /// # Errors
    /// What is wrong, and what to write instead.
    pub(super) fn of_grant(text: &str) -> Result<Self, Wrong> {
        if let Some(url) = from_url(text) {
            let hint = url.map_or_else(|_| "write `host:port`".into(), |endpoint| format!("write `{endpoint}`"));
            return Err(("this is a URL, and a host with its port is granted".into(), hint));
        }
        let (endpoint, has_port) = read(text)?;
        match &endpoint.host {
            Host::Any => Err((
                "`*` would grant every host there is".into(),
                "name the hosts, or write a network: `0.0.0.0/0` is all of IPv4, `::/0` all of IPv6".into(),
            )),
            Host::Name(name) if !has_port => {
                Err((format!("the port of `{name}` is missing"), format!("write `{name}:PORT`, or `{name}:*` for all of its ports")))
            }
            Host::Name(_) | Host::Network(..) => Ok(endpoint),
        }
    }

    /// Reads what a driver needs: as a grant, `*` for any host, a host without its port, or a URL.
    ///
    /// # Errors
    /// As [`Endpoint::of_grant`].
    pub(super) fn of_need(text: &str) -> Result<Self, Wrong> {
        match from_url(text) {
            Some(endpoint) => endpoint,
            None => read(text).map(|(endpoint, _)| endpoint),
        }
    }

    /// What both hold; none where that is nothing. A name and an address have nothing in common: only a resolver could tell.
    pub(super) fn common(&self, other: &Self) -> Option<Self> {
        Some(Self { host: self.host.common(&other.host)?, port: self.port.common(other.port)? })
    }

    /// Whether it holds what is [`reached`] under this address.
    pub(super) fn has(&self, ip: IpAddr, port: u16) -> bool {
        self.host.has(ip) && self.port.has(port)
    }
}

impl Host {
    fn common(&self, other: &Self) -> Option<Self> {
        match (self, other) {
            (Self::Any, host) | (host, Self::Any) => Some(host.clone()),
            (Self::Name(one), Self::Name(another)) => (one == another).then(|| self.clone()),
            (Self::Network(one, short), Self::Network(another, long)) if short <= long => {
                within(*another, *one, *short).then(|| other.clone())
            }
            (Self::Network(one, _), Self::Network(another, short)) => within(*one, *another, *short).then(|| self.clone()),
            (Self::Name(_), Self::Network(..)) | (Self::Network(..), Self::Name(_)) => None,
        }
    }

    fn has(&self, ip: IpAddr) -> bool {
        match self {
            Self::Any => true,
            Self::Name(_) => false,
            Self::Network(network, bits) => within(reached(ip), *network, *bits),
        }
    }
}

impl Port {
    fn common(self, other: Self) -> Option<Self> {
        match (self, other) {
            (Self::Any, port) | (port, Self::Any) => Some(port),
            (Self::One(one), Self::One(another)) => (one == another).then_some(self),
        }
    }

    pub(super) fn has(self, port: u16) -> bool {
        match self {
            Self::Any => true,
            Self::One(one) => one == port,
        }
    }
}

/// As a grant spells it.
impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.host, self.port) {
            (Host::Network(ip @ IpAddr::V6(_), bits), Port::One(port)) => write!(f, "[{}]:{port}", network(*ip, *bits)),
            (Host::Network(ip, bits), Port::Any) => f.write_str(&network(*ip, *bits)),
            (Host::Network(ip, bits), Port::One(port)) => write!(f, "{}:{port}", network(*ip, *bits)),
            (Host::Name(name), Port::Any) => write!(f, "{name}:*"),
            (Host::Name(name), Port::One(port)) => write!(f, "{name}:{port}"),
            (Host::Any, Port::Any) => f.write_str("*"),
            (Host::Any, Port::One(port)) => write!(f, "*:{port}"),
        }
    }
}

/// The address that is reached under another: IPv4 in an IPv6 address is IPv4; who connects to `0.0.0.0` or `::` reaches the
/// loopback.
pub(super) fn reached(ip: IpAddr) -> IpAddr {
    match ip.to_canonical() {
        IpAddr::V4(Ipv4Addr::UNSPECIFIED) => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(Ipv6Addr::UNSPECIFIED) => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    }
}

/// A name as names are compared: in lower case, without a dot at its end.
pub(super) fn normal(name: &str) -> String {
    name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase()
}

fn network(ip: IpAddr, bits: u8) -> String {
    if bits == width(ip) { ip.to_string() } else { format!("{ip}/{bits}") }
}

fn width(ip: IpAddr) -> u8 {
    if ip.is_ipv4() { 32 } else { 128 }
}

/// Whether an address has its first bits in common with another one of the same family.
fn within(ip: IpAddr, network: IpAddr, bits: u8) -> bool {
    let differ = match (ip, network) {
        (IpAddr::V4(ip), IpAddr::V4(network)) => (ip.to_bits() ^ network.to_bits()).leading_zeros(),
        (IpAddr::V6(ip), IpAddr::V6(network)) => (ip.to_bits() ^ network.to_bits()).leading_zeros(),
        (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => return false,
    };
    differ >= u32::from(bits)
}

/// Whether a text is a URL, and the endpoint that it names: the default port of its scheme where it gives none.
fn from_url(text: &str) -> Option<Result<Endpoint, Wrong>> {
    if !text.contains("://") {
        return None;
    }
    let wrong = || ("the URL names no host".to_owned(), "write it as in `https://example.com/`".to_owned());
    let Ok(url) = url::Url::parse(text) else { return Some(Err(wrong())) };
    let Some(host) = url.host_str().filter(|host| !host.is_empty()) else { return Some(Err(wrong())) };
    let port = url.port_or_known_default().map_or(Port::Any, Port::One);
    Some(host_of(host.trim_start_matches('[').trim_end_matches(']')).map(|host| Endpoint { host, port }))
}

/// Reads `host`, `host:port`, `[host]:port` and bare IPv6; says whether a port was given.
fn read(text: &str) -> Result<(Endpoint, bool), Wrong> {
    let (host, port) = split(text);
    let host = host_of(host)?;
    match port {
        None => Ok((Endpoint { host, port: Port::Any }, false)),
        Some("*") => Ok((Endpoint { host, port: Port::Any }, true)),
        Some(port) => match port.parse() {
            Ok(number) if number > 0 => Ok((Endpoint { host, port: Port::One(number) }, true)),
            _ => Err((format!("`{}` is no port", port.escape_debug()), "a port is a number from 1 to 65535, or `*` for all".into())),
        },
    }
}

/// A text's host, and its port where one is given. More than one colon outside of brackets is IPv6 without a port.
fn split(text: &str) -> (&str, Option<&str>) {
    if let Some((host, rest)) = text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        return match rest.strip_prefix(':') {
            Some(port) => (host, Some(port)),
            None if rest.is_empty() => (host, None),
            None => (text, None),
        };
    }
    match text.split_once(':') {
        Some((host, port)) if !port.contains(':') => (host, Some(port)),
        _ => (text, None),
    }
}

fn host_of(text: &str) -> Result<Host, Wrong> {
    if text == "*" {
        return Ok(Host::Any);
    }
    if let Ok(ip) = text.parse::<IpAddr>() {
        let ip = reached(ip);
        return Ok(Host::Network(ip, width(ip)));
    }
    if let Some((ip, bits)) = text.split_once('/') {
        return network_of(text, ip, bits);
    }
    if is_name(text) {
        return Ok(Host::Name(normal(text)));
    }
    let said = text.escape_debug();
    Err((
        format!("`{said}` is neither a host name nor an address"),
        "write `host:port`, `10.0.0.5:6379`, `10.0.0.0/8` or `[::1]:6379`".into(),
    ))
}

fn network_of(text: &str, ip: &str, bits: &str) -> Result<Host, Wrong> {
    let hint = || "write a network as in `10.0.0.0/8` or `fd00::/8`".to_owned();
    let (Ok(ip), Ok(bits)) = (ip.parse::<IpAddr>(), bits.parse::<u8>()) else {
        return Err((format!("`{}` is no network", text.escape_debug()), hint()));
    };
    if bits > width(ip) {
        return Err((format!("an address has {} bits, not {bits}", width(ip)), hint()));
    }
    let first = first(ip, bits);
    if first != ip {
        return Err((format!("`{text}` has bits set behind its first {bits}"), format!("write `{first}/{bits}`")));
    }
    Ok(Host::Network(ip, bits))
}

/// The first address of the network of this many bits in which an address lies.
fn first(ip: IpAddr, bits: u8) -> IpAddr {
    match ip {
        IpAddr::V4(ip) => Ipv4Addr::from_bits(ip.to_bits() & u32::MAX.checked_shl(32 - u32::from(bits)).unwrap_or(0)).into(),
        IpAddr::V6(ip) => Ipv6Addr::from_bits(ip.to_bits() & u128::MAX.checked_shl(128 - u32::from(bits)).unwrap_or(0)).into(),
    }
}

/// Whether a text can be the name of a host (RFC 1123, with the underscore that container networks use). What is all digits and dots
/// would be an address, and is none.
fn is_name(text: &str) -> bool {
    let text = text.strip_suffix('.').unwrap_or(text);
    let is_label = |label: &str| {
        let good = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        !label.is_empty() && label.len() <= 63 && label.chars().all(good) && !label.starts_with('-') && !label.ends_with('-')
    };
    let is_number = text.rsplit('.').next().is_some_and(|last| last.bytes().all(|byte| byte.is_ascii_digit()));
    text.len() <= 253 && !is_number && text.split('.').all(is_label)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grant(text: &str) -> Endpoint {
        Endpoint::of_grant(text).unwrap_or_else(|why| panic!("{text}: {why:?}"))
    }

    #[test]
    fn every_spelling_of_a_grant_is_understood_and_said_again() {
        let same = [
            "redis:6379",
            "redis:*",
            "10.0.0.5:6379",
            "10.0.0.5",
            "10.0.0.0/8",
            "10.0.0.0/8:6379",
            "[::1]:6379",
            "::1",
            "fd00::/8",
            "[fd00::/8]:80",
            "0.0.0.0/0",
        ];
        for text in same {
            assert_eq!(grant(text).to_string(), text);
        }
        let others = [
            ("Redis.Internal.:6379", "redis.internal:6379"),
            ("[::1]", "::1"),
            ("10.0.0.5:*", "10.0.0.5"),
            ("10.0.0.5/32", "10.0.0.5"),
            ("::ffff:10.0.0.5", "10.0.0.5"),
            ("0.0.0.0:6379", "127.0.0.1:6379"),
            ("[::]:6379", "[::1]:6379"),
        ];
        for (text, said) in others {
            assert_eq!(grant(text).to_string(), said);
        }
    }

    #[test]
    fn what_is_no_grant_is_refused_with_what_to_write() {
        let bad = [
            ("redis", "the port of `redis` is missing", "write `redis:PORT`, or `redis:*` for all of its ports"),
            ("*:6379", "`*` would grant every host there is", "0.0.0.0/0"),
            ("redis:0", "`0` is no port", "65535"),
            ("redis:http", "`http` is no port", "65535"),
            ("10.0.0.1/8", "`10.0.0.1/8` has bits set behind its first 8", "write `10.0.0.0/8`"),
            ("10.0.0.0/33", "an address has 32 bits, not 33", "10.0.0.0/8"),
            ("10.0.0/8", "`10.0.0/8` is no network", "10.0.0.0/8"),
            ("10.0.0.300:1", "`10.0.0.300` is neither", "host:port"),
            ("", "`` is neither", "host:port"),
            ("a b:1", "`a b` is neither", "host:port"),
            ("https://example.com", "this is a URL", "write `example.com:443`"),
        ];
        for (text, message, hint) in bad {
            let (found, advice) = Endpoint::of_grant(text).expect_err(text);
            assert!(found.contains(message) && advice.contains(hint), "{text}: {found} / {advice}");
        }
    }

    #[test]
    fn a_need_may_be_a_url_or_any_host() {
        let need = |text: &str| Endpoint::of_need(text).unwrap_or_else(|why| panic!("{text}: {why:?}")).to_string();
        assert_eq!(need("redis://user:secret@db.internal:6380/0"), "db.internal:6380");
        assert_eq!(need("https://api.example.com/v1"), "api.example.com:443");
        assert_eq!(need("http://[::1]/"), "[::1]:80");
        assert_eq!((need("*"), need("*:53"), need("db.internal")), ("*".into(), "*:53".into(), "db.internal:*".into()));
        assert!(Endpoint::of_need("unix:///run/x").is_err());
    }

    #[test]
    fn two_endpoints_have_in_common_what_both_hold() {
        let common = |need: &str, given: &str| {
            let need = Endpoint::of_need(need).expect("a need");
            need.common(&grant(given)).map(|common| common.to_string()).unwrap_or_default()
        };
        let cases = [
            ("10.0.0.5:6379", "10.0.0.0/8", "10.0.0.5:6379"),
            ("10.0.0.5:6379", "10.0.0.5:6379", "10.0.0.5:6379"),
            ("10.0.0.5:6379", "10.0.0.5:6380", ""),
            ("11.0.0.5:6379", "10.0.0.0/8", ""),
            ("10.0.0.0/8", "10.1.0.0/16:80", "10.1.0.0/16:80"),
            ("db.internal:5432", "DB.internal:*", "db.internal:5432"),
            ("db.internal:5432", "10.0.0.0/8", ""),
            ("*:6379", "10.0.0.0/8", "10.0.0.0/8:6379"),
            ("*", "db:1", "db:1"),
            ("::1", "10.0.0.0/8", ""),
            ("0.0.0.0/0", "10.0.0.5", "10.0.0.5"),
        ];
        for (need, given, both) in cases {
            assert_eq!(common(need, given), both, "{need} and {given}");
        }
    }

    #[test]
    fn an_address_is_held_by_its_network_also_as_ipv6_spells_it() {
        let ip = |text: &str| text.parse::<IpAddr>().expect("an address");
        assert!(grant("10.0.0.0/8").has(ip("10.255.0.1"), 1) && grant("10.0.0.0/8").has(ip("::ffff:10.0.0.1"), 1));
        assert!(!grant("10.0.0.0/8:80").has(ip("10.0.0.1"), 81) && !grant("10.0.0.0/8").has(ip("11.0.0.1"), 1));
        assert!(grant("0.0.0.0/0").has(ip("8.8.8.8"), 53) && !grant("0.0.0.0/0").has(ip("::1"), 53) && grant("::/0").has(ip("::1"), 53));
        assert!(!grant("localhost:80").has(ip("127.0.0.1"), 80), "only once the host has resolved it");
    }
}
