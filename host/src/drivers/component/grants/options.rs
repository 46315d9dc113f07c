//! The keys `grant` and `secrets` of a set: what the configuration's file may say, and what it comes to.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

use schemars::JsonSchema;
use serde::Deserialize;

use super::endpoint::{Endpoint, Host, Port, Wrong};
use crate::config::pointer_join;
use crate::drivers::{SettingError, Settings};

/// What a component may touch beyond the clocks and randomness.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(in crate::drivers::component) struct GrantOptions {
    /// Addresses to connect to: `host:port`, `host:*`, an IP address or network with or without a port (`10.0.0.0/8`, `[::1]:6379`).
    net: Vec<String>,
    /// Directories to read.
    read: Vec<DirectoryOption>,
    /// Directories to read and write.
    write: Vec<DirectoryOption>,
    /// Names of variables of the environment.
    env: Vec<String>,
    /// Hosts to make HTTP requests to: `host` (its ports 80 and 443), `host:port`, `host:*`.
    http: Vec<String>,
}

/// A directory: its path, which is the same for the component, or its path and the one at which the component sees it.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
enum DirectoryOption {
    Same(String),
    Mapped(MappedDirectory),
}

/// A directory that the component sees at another path.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct MappedDirectory {
    /// The directory; a relative path starts from the configuration file's directory.
    path: String,
    /// The path at which the component sees it.
    guest: String,
}

/// What the configuration grants one component.
#[derive(Clone, Debug, Default)]
pub(in crate::drivers::component) struct Grants {
    pub(super) net: Vec<Given<Vec<Endpoint>>>,
    pub(super) read: Vec<Given<Directory>>,
    pub(super) write: Vec<Given<Directory>>,
    pub(super) env: Vec<Given<String>>,
    pub(super) http: Vec<Given<Vec<Endpoint>>>,
    pub(super) secrets: BTreeMap<String, String>,
}

/// One grant.
#[derive(Clone, Debug)]
pub(super) struct Given<T> {
    /// As the file spells it.
    pub(super) text: String,
    /// What it comes to.
    pub(super) value: T,
}

/// A directory of this machine, and the path at which a component sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Directory {
    pub(super) host: PathBuf,
    pub(super) guest: String,
}

impl Grants {
    /// Reads the keys `grant` and `secrets` of a set's settings, which have passed the schema.
    ///
    /// # Errors
    /// Every grant that makes no sense.
    pub(in crate::drivers::component) fn read(settings: &Settings) -> Result<Self, Vec<SettingError>> {
        let options: GrantOptions = part(settings, "grant")?;
        let secrets: BTreeMap<String, String> = part(settings, "secrets")?;
        let mut reading = Reading { settings, errors: Vec::new() };
        let grants = Self {
            net: reading.all("net", options.net, |_, text| Endpoint::of_grant(&text).map(|endpoint| (text, vec![endpoint]))),
            read: reading.all("read", options.read, directory),
            write: reading.all("write", options.write, directory),
            env: reading.all("env", options.env, |_, name| variable(&name).map(|()| (name.clone(), name))),
            http: reading.all("http", options.http, |_, text| http_of_grant(&text).map(|endpoints| (text, endpoints))),
            secrets,
        };
        reading.same_place_twice(&grants);
        if reading.errors.is_empty() { Ok(grants) } else { Err(reading.errors) }
    }

    /// The directories that may be written, in the order in which they are granted.
    pub(in crate::drivers::component) fn written(&self) -> impl Iterator<Item = &Path> {
        self.write.iter().map(|given| given.value.host.as_path())
    }
}

fn part<T: Default + serde::de::DeserializeOwned>(settings: &Settings, key: &str) -> Result<T, Vec<SettingError>> {
    let Some(value) = settings.values.get(key) else { return Ok(T::default()) };
    serde_json::from_value(value.clone()).map_err(|why| vec![SettingError::new(format!("/{key}"), why.to_string())])
}

/// Grants while they are read.
struct Reading<'s> {
    settings: &'s Settings,
    errors: Vec<SettingError>,
}

impl Reading<'_> {
    /// Reads every item of one kind of grant.
    fn all<O, T>(&mut self, key: &str, items: Vec<O>, read: impl Fn(&Settings, O) -> Result<(String, T), Wrong>) -> Vec<Given<T>> {
        let mut given = Vec::with_capacity(items.len());
        for (number, item) in items.into_iter().enumerate() {
            match read(self.settings, item) {
                Ok((text, value)) => given.push(Given { text, value }),
                Err((message, hint)) => {
                    let pointer = pointer_join(&format!("/grant/{key}"), &number.to_string());
                    self.errors.push(SettingError::new(pointer, message).hint(hint));
                }
            }
        }
        given
    }

    /// Two directories cannot stand at one path.
    fn same_place_twice(&mut self, grants: &Grants) {
        let all: Vec<_> =
            grants.read.iter().map(|given| ("read", given)).chain(grants.write.iter().map(|given| ("write", given))).collect();
        for (at, (key, given)) in all.iter().enumerate() {
            let (guest, host) = (&given.value.guest, &given.value.host);
            if all[..at].iter().any(|(_, earlier)| earlier.value.guest == *guest && earlier.value.host != *host) {
                let message = format!("two directories are to be seen at `{guest}`");
                self.errors.push(SettingError::new(format!("/grant/{key}"), message).hint("give each its own `guest` path"));
            }
        }
    }
}

fn directory(settings: &Settings, option: DirectoryOption) -> Result<(String, Directory), Wrong> {
    let (path, guest) = match option {
        DirectoryOption::Same(path) => (path.clone(), path),
        DirectoryOption::Mapped(MappedDirectory { path, guest }) => (path, guest),
    };
    if path.is_empty() {
        return Err(("the path of the directory is empty".into(), "name a directory; `.` is the configuration file's".into()));
    }
    let seen =
        guest_path(&guest).map_err(|why| (why, format!("say where the driver sees it: `{{ path = {path:?}, guest = \"/data\" }}`")))?;
    Ok((path.clone(), Directory { host: settings.path(&path), guest: seen }))
}

/// A path as a component sees it: absolute, without `.` segments and doubled slashes.
///
/// # Errors
/// It is empty, or leads up.
pub(super) fn guest_path(path: &str) -> Result<String, String> {
    if path.is_empty() || path.contains('\0') {
        return Err("the path at which the driver sees the directory is empty, or holds NUL".into());
    }
    let mut normal = String::new();
    for component in Path::new(path).components() {
        match component {
            Component::Normal(name) => {
                normal.push('/');
                normal.push_str(&name.to_string_lossy());
            }
            Component::RootDir | Component::CurDir | Component::Prefix(_) => {}
            Component::ParentDir => return Err(format!("the driver cannot see a directory at `{}`, which leads up", path.escape_debug())),
        }
    }
    Ok(if normal.is_empty() { "/".into() } else { normal })
}

/// What is left of `path` below `root`, both as [`guest_path`] makes them; none where it does not lie there.
pub(super) fn below<'p>(path: &'p str, root: &str) -> Option<&'p str> {
    let rest = path.strip_prefix(root.trim_end_matches('/'))?;
    if rest.is_empty() { Some(rest) } else { rest.strip_prefix('/') }
}

fn variable(name: &str) -> Result<(), Wrong> {
    if name.is_empty() || name.contains(['=', '\0', '$', '*']) {
        let hint = "write its bare name, as in `TZ`; the value is the environment's".into();
        return Err((format!("`{}` is no name of a variable", name.escape_debug()), hint));
    }
    Ok(())
}

/// Reads a grant of `http`: a host without a port has the standard ones.
fn http_of_grant(text: &str) -> Result<Vec<Endpoint>, Wrong> {
    if text.contains("://") {
        let hint =
            Endpoint::of_need(text).map_or_else(|_| "write `example.com`".into(), |endpoint| format!("write `{}`", http_text(&endpoint)));
        return Err(("this is a URL, and a host is granted".into(), hint));
    }
    let endpoint = Endpoint::of_need(text)?;
    if endpoint.host == Host::Any {
        return Err(("`*` would grant every host there is".into(), "name the hosts".into()));
    }
    Ok(standard_ports(text, endpoint))
}

/// The endpoints that a text means as an HTTP host: the standard ports where it names none.
pub(super) fn standard_ports(text: &str, endpoint: Endpoint) -> Vec<Endpoint> {
    if endpoint.port != Port::Any || endpoint.host == Host::Any || text.ends_with(":*") {
        return vec![endpoint];
    }
    [80, 443].map(|port| Endpoint { host: endpoint.host.clone(), port: Port::One(port) }).into()
}

/// An HTTP host as a grant spells it.
pub(super) fn http_text(endpoint: &Endpoint) -> String {
    match endpoint.port {
        Port::One(80 | 443) => match &endpoint.host {
            Host::Name(name) => name.clone(),
            host => Endpoint { host: host.clone(), port: Port::Any }.to_string(),
        },
        Port::Any | Port::One(_) => endpoint.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn grants(values: serde_json::Value) -> Result<Grants, Vec<SettingError>> {
        let serde_json::Value::Object(values) = values else { unreachable!("settings are an object") };
        Grants::read(&Settings { values, base: "/srv/shop".into() })
    }

    #[test]
    fn a_directory_is_seen_at_its_own_path_or_at_another() {
        let read = |option: serde_json::Value| grants(json!({ "grant": { "read": [option] } })).expect("a grant").read[0].value.clone();
        let directory = |host: &str, guest: &str| Directory { host: host.into(), guest: guest.into() };
        assert_eq!(read(json!("/srv/notes")), directory("/srv/notes", "/srv/notes"));
        assert_eq!(read(json!("./notes//")), directory("/srv/shop/notes", "/notes"));
        assert_eq!(read(json!(".")), directory("/srv/shop", "/"));
        assert_eq!(read(json!({ "path": "../notes", "guest": "notes" })), directory("/srv/shop/../notes", "/notes"));
    }

    #[test]
    fn every_bad_grant_is_told_where_it_stands() {
        let errors = grants(json!({
            "grant": {
                "net": ["a:1", "redis", "*"],
                "read": ["", "../x", { "path": "/x", "guest": "" }],
                "write": [{ "path": "/one", "guest": "/data" }, { "path": "/two", "guest": "/data/" }],
                "env": ["HOME", "A=b", ""],
                "http": ["a", "https://example.com/v1", "*", "http://127.0.0.1:9000"],
            },
        }))
        .expect_err("most are bad");
        let said: Vec<_> = errors
            .iter()
            .map(|error| format!("{} {} = {}", error.pointer, error.message, error.hint.as_deref().unwrap_or_default()))
            .collect();
        assert_eq!(
            said,
            [
                "/grant/net/1 the port of `redis` is missing = write `redis:PORT`, or `redis:*` for all of its ports",
                "/grant/net/2 `*` would grant every host there is = name the hosts, or write a network: `0.0.0.0/0` is all of IPv4, `::/0` all of IPv6",
                "/grant/read/0 the path of the directory is empty = name a directory; `.` is the configuration file's",
                "/grant/read/1 the driver cannot see a directory at `../x`, which leads up = say where the driver sees it: `{ path = \"../x\", guest = \"/data\" }`",
                "/grant/read/2 the path at which the driver sees the directory is empty, or holds NUL = say where the driver sees it: `{ path = \"/x\", guest = \"/data\" }`",
                "/grant/env/1 `A=b` is no name of a variable = write its bare name, as in `TZ`; the value is the environment's",
                "/grant/env/2 `` is no name of a variable = write its bare name, as in `TZ`; the value is the environment's",
                "/grant/http/1 this is a URL, and a host is granted = write `example.com`",
                "/grant/http/2 `*` would grant every host there is = name the hosts",
                "/grant/http/3 this is a URL, and a host is granted = write `127.0.0.1:9000`",
                "/grant/write two directories are to be seen at `/data` = give each its own `guest` path",
            ]
        );
    }

    #[test]
    fn an_http_host_without_a_port_has_the_standard_ones() {
        let http = |text: &str| {
            let endpoints = grants(json!({ "grant": { "http": [text] } })).expect("a grant").http[0].value.clone();
            endpoints.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        assert_eq!(http("Api.example.com"), ["api.example.com:80", "api.example.com:443"]);
        assert_eq!(http("api.example.com:8443"), ["api.example.com:8443"]);
        assert_eq!(http("api.example.com:*"), ["api.example.com:*"]);
    }

    #[test]
    fn paths_lie_below_each_other_by_whole_segments() {
        assert_eq!((below("/a/b", "/a"), below("/a", "/a"), below("/ab", "/a"), below("/a", "/")), (Some("b"), Some(""), None, Some("a")));
    }
}
