//! Needs against grants: what the driver gets, what it lacks, what was granted in vain, and how that is said.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::Value;

use super::endpoint::{Endpoint, Port, Wrong};
use super::options::{Directory, Given, Grants, below, guest_path, http_text, standard_ports};
use super::{Capability, Denials, Need, Rights};
use crate::drivers::{Occupied, SettingError};
use crate::error::{IoContext as _, Result};
use crate::redact::{Redactor, Secrets, is_secret_key};

/// What a driver declares and the configuration grants, compared.
#[derive(Clone, Debug)]
pub(in crate::drivers::component) struct Matched {
    allowed: Arc<Allowed>,
    met: Vec<Met>,
    in_vain: Vec<String>,
    errors: Vec<SettingError>,
}

/// What both allow, and what the words of a denial depend on.
#[derive(Debug, Default)]
pub(super) struct Allowed {
    pub(super) net: Vec<Endpoint>,
    pub(super) http: Vec<Endpoint>,
    pub(super) directories: Vec<Opened>,
    /// Variables of the environment, with their values where they have one that is text.
    pub(super) env: BTreeMap<String, Option<String>>,
    pub(super) secrets: BTreeMap<String, String>,
    /// All that is granted, needed or not.
    pub(super) grants: Grants,
    /// All that is needed of the network, granted or not.
    pub(super) needed_net: Vec<Endpoint>,
    /// The same of HTTP.
    pub(super) needed_http: Vec<Endpoint>,
    /// The secrets that are needed, granted or not.
    pub(super) needed_secrets: BTreeSet<String>,
}

/// A directory that the driver gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Opened {
    /// What is granted.
    pub(super) root: PathBuf,
    /// What of it is needed: a path below it, or nothing for all.
    pub(super) rest: String,
    /// Where the driver sees it.
    pub(super) guest: String,
    /// Whether it may be written.
    pub(super) write: bool,
    /// Whether the driver can do without it.
    pub(super) optional: bool,
}

/// One thing that is needed, and what of it is granted.
#[derive(Clone, Debug)]
struct Met {
    capability: Capability,
    thing: String,
    reason: String,
    optional: bool,
    granted: Granted,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Granted {
    Wholly,
    /// Only these parts of it.
    Partly(String),
    /// To be read, where it is needed for writing.
    ReadOnly,
    Not,
}

impl Grants {
    /// Compares the grants with what a driver needs, given its configuration and the configuration's schema.
    pub(in crate::drivers::component) fn matched(&self, needs: &[Need], config: &Value, schema: &Value) -> Matched {
        let mut matching = Matching::default();
        for need in needs {
            match need.things(config, schema) {
                Ok(things) => things.iter().for_each(|thing| matching.one(self, need, thing)),
                Err(why) => matching.errors.push(SettingError::new(place(need), why)),
            }
        }
        let in_vain = matching.in_vain(self);
        matching.allowed.grants = self.clone();
        Matched { allowed: Arc::new(matching.allowed), met: matching.met, in_vain, errors: matching.errors }
    }
}

/// Where a mistake in what a need points to is shown.
fn place(need: &Need) -> String {
    need.pointer().map(|pointer| format!("/config{pointer}")).unwrap_or_default()
}

/// A comparison while it is made.
#[derive(Default)]
struct Matching {
    allowed: Allowed,
    met: Vec<Met>,
    errors: Vec<SettingError>,
    /// The grants that met a need: key and text.
    used: BTreeSet<(&'static str, String)>,
}

impl Matching {
    /// Compares one thing that is needed.
    fn one(&mut self, grants: &Grants, need: &Need, thing: &str) {
        match need.capability {
            Capability::Network => self.network(grants, need, thing),
            Capability::Http => self.http(grants, need, thing),
            Capability::ReadDirectory | Capability::WriteDirectory => self.directory(grants, need, thing),
            Capability::Environment => {
                let granted = grants.env.iter().any(|given| given.value == thing);
                if granted {
                    self.used.insert(("env", thing.to_owned()));
                    // The configuration names the variable, and expands only what it refers to.
                    self.allowed.env.insert(thing.to_owned(), std::env::var(thing).ok());
                }
                self.met(need, thing.to_owned(), if granted { Granted::Wholly } else { Granted::Not });
            }
            Capability::Secret => {
                let value = grants.secrets.get(thing);
                self.allowed.needed_secrets.insert(thing.to_owned());
                if let Some(value) = value {
                    self.allowed.secrets.insert(thing.to_owned(), value.clone());
                }
                self.met(need, thing.to_owned(), if value.is_some() { Granted::Wholly } else { Granted::Not });
            }
        }
    }

    fn met(&mut self, need: &Need, thing: String, granted: Granted) {
        let met = Met { capability: need.capability, thing, reason: need.reason.clone(), optional: need.optional, granted };
        self.met.push(met);
    }

    fn wrong(&mut self, need: &Need, (message, hint): Wrong) {
        self.errors.push(SettingError::new(place(need), message).hint(hint));
    }

    fn network(&mut self, grants: &Grants, need: &Need, thing: &str) {
        let needed = match Endpoint::of_need(thing) {
            Ok(needed) => needed,
            Err(wrong) => return self.wrong(need, wrong),
        };
        let common = self.common("net", &grants.net, std::slice::from_ref(&needed));
        let granted = how_much(&common, std::slice::from_ref(&needed), ToString::to_string);
        self.allowed.net.extend(common);
        self.met(need, needed.to_string(), granted);
        self.allowed.needed_net.push(needed);
    }

    fn http(&mut self, grants: &Grants, need: &Need, thing: &str) {
        let needed = match Endpoint::of_need(thing) {
            Ok(needed) => standard_ports(thing, needed),
            Err(wrong) => return self.wrong(need, wrong),
        };
        let common = self.common("http", &grants.http, &needed);
        // Of the two standard ports one is enough: the driver knows its scheme.
        let either = needed.len() > 1 && !common.is_empty();
        let granted = if either { Granted::Wholly } else { how_much(&common, &needed, http_text) };
        self.allowed.http.extend(common);
        self.met(need, needed.first().map(http_text).unwrap_or_default(), granted);
        self.allowed.needed_http.extend(needed);
    }

    /// What grants and a need have in common.
    fn common(&mut self, key: &'static str, given: &[Given<Vec<Endpoint>>], needed: &[Endpoint]) -> Vec<Endpoint> {
        let mut all = Vec::new();
        for given in given {
            let pairs = given.value.iter().flat_map(|granted| needed.iter().map(move |needed| needed.common(granted)));
            let before = all.len();
            all.extend(pairs.flatten());
            if all.len() > before {
                self.used.insert((key, given.text.clone()));
            }
        }
        all
    }

    fn directory(&mut self, grants: &Grants, need: &Need, thing: &str) {
        let guest = match guest_path(thing) {
            Ok(guest) => guest,
            Err(why) => return self.wrong(need, (why, "name the directory as the driver sees it".into())),
        };
        let writes = need.capability == Capability::WriteDirectory;
        let mut opened = self.opened("write", &grants.write, &guest, writes);
        let read_only = opened.is_empty() && writes;
        if opened.is_empty() || !writes {
            opened.extend(self.opened("read", &grants.read, &guest, false));
        }
        let whole = opened.iter().any(|opened| opened.guest == guest);
        let granted = match opened.as_slice() {
            [] => Granted::Not,
            _ if read_only => Granted::ReadOnly,
            _ if whole => Granted::Wholly,
            parts => Granted::Partly(parts.iter().map(|part| format!("`{}`", part.guest)).collect::<Vec<_>>().join(", ")),
        };
        opened.iter_mut().for_each(|opened| opened.optional = need.optional);
        opened.into_iter().for_each(|opened| self.open(opened));
        self.met(need, guest, granted);
    }

    /// The directories of a kind of grant that have something in common with a needed path.
    fn opened(&mut self, key: &'static str, given: &[Given<Directory>], guest: &str, write: bool) -> Vec<Opened> {
        let mut all = Vec::new();
        for given in given {
            let Directory { host, guest: root } = &given.value;
            let (rest, seen) = match (below(guest, root), below(root, guest)) {
                (Some(rest), _) => (rest, guest),
                (None, Some(_)) => ("", root.as_str()),
                (None, None) => continue,
            };
            self.used.insert((key, given.text.clone()));
            all.push(Opened { root: host.clone(), rest: rest.into(), guest: seen.into(), write, optional: false });
        }
        all
    }

    /// Adds a directory; what stands at the same path already is opened once, with the rights of both.
    fn open(&mut self, new: Opened) {
        match self.allowed.directories.iter_mut().find(|opened| opened.guest == new.guest) {
            Some(old) => {
                if new.write && !old.write {
                    (old.root, old.rest) = (new.root, new.rest);
                }
                old.write |= new.write;
                old.optional &= new.optional;
            }
            None => self.allowed.directories.push(new),
        }
    }

    /// The grants that no need has anything in common with, and those that allow to write where only reading is needed.
    fn in_vain(&self, grants: &Grants) -> Vec<String> {
        let unused = |key: &'static str, texts: Vec<&String>| {
            let unused = texts.into_iter().filter(move |text| !self.used.contains(&(key, (*text).clone())));
            unused.map(move |text| format!("grant.{key} = [{}]", Value::from(text.as_str()))).collect::<Vec<_>>()
        };
        let mut all = unused("net", grants.net.iter().map(|given| &given.text).collect());
        all.extend(unused("read", grants.read.iter().map(|given| &given.text).collect()));
        all.extend(unused("write", grants.write.iter().map(|given| &given.text).collect()));
        all.extend(unused("env", grants.env.iter().map(|given| &given.text).collect()));
        all.extend(unused("http", grants.http.iter().map(|given| &given.text).collect()));
        all.extend(grants.secrets.keys().filter(|name| !self.allowed.secrets.contains_key(*name)).map(|name| format!("secrets.{name}")));
        all
    }
}

/// How much of what is needed is granted.
fn how_much(common: &[Endpoint], needed: &[Endpoint], text: impl Fn(&Endpoint) -> String) -> Granted {
    // A host without a port is met by any port: the driver knows its own.
    let whole =
        |needed: &Endpoint| common.iter().any(|common| common == needed || (needed.port == Port::Any && common.host == needed.host));
    match common {
        [] => Granted::Not,
        _ if needed.iter().all(whole) => Granted::Wholly,
        parts => Granted::Partly(parts.iter().map(|part| format!("`{}`", text(part))).collect::<Vec<_>>().join(", ")),
    }
}

impl Matched {
    /// What is wrong before anything runs: needs that are not granted and that the driver cannot do without, and values of the
    /// configuration that are not what the driver needs them for.
    pub(in crate::drivers::component) fn problems(&self) -> Vec<SettingError> {
        let mut problems = self.errors.clone();
        let missing: Vec<&Met> = self.met.iter().filter(|met| !met.optional && met.is_missing()).collect();
        if !missing.is_empty() {
            let told: Vec<_> = missing.iter().map(|met| format!("{} `{}`{}", met.capability.verb(), met.thing, met.why())).collect();
            let message = format!("the driver needs what it is not granted: {}", told.join("; "));
            problems.push(SettingError::new("/grant", message).hint(format!("to allow it: {}", lines(&missing))));
        }
        problems
    }

    /// Lines for `plan`: what is needed, why, and what of it is granted.
    pub(in crate::drivers::component) fn lines(&self) -> Vec<(String, String)> {
        let line = |met: &Met| {
            let name = if met.optional { "can use" } else { "needs" };
            let granted = match &met.granted {
                Granted::Wholly => "granted".to_owned(),
                Granted::Partly(what) => format!("granted: {what}"),
                Granted::ReadOnly => "granted for reading only".to_owned(),
                Granted::Not => "not granted".to_owned(),
            };
            (name.to_owned(), format!("{} `{}`{}: {granted}", met.capability.verb(), met.thing, met.why()))
        };
        let in_vain = self.in_vain.iter().map(|what| ("granted in vain".to_owned(), what.clone()));
        self.met.iter().map(line).chain(in_vain).collect()
    }

    /// What `plan` should warn of.
    pub(in crate::drivers::component) fn warnings(&self) -> Vec<String> {
        let in_vain = |what: &String| format!("{what} is granted in vain: the driver does not need it");
        self.in_vain.iter().map(in_vain).collect()
    }

    /// What the driver gets, for the manifest: by the keys of the configuration, secrets by their names.
    pub(in crate::drivers::component) fn details(&self) -> BTreeMap<String, String> {
        let Allowed { net, http, directories, env, secrets, .. } = &*self.allowed;
        let directory = |opened: &Opened| {
            let host = opened.root.join(&opened.rest);
            let host = host.to_string_lossy();
            let host = host.trim_end_matches('/');
            if *host == opened.guest { host.to_owned() } else { format!("{host} as {}", opened.guest) }
        };
        let directories = |write: bool| directories.iter().filter(move |opened| opened.write == write).map(directory).collect();
        let all: [(&str, Vec<String>); 6] = [
            ("grant.net", net.iter().map(ToString::to_string).collect()),
            ("grant.read", directories(false)),
            ("grant.write", directories(true)),
            ("grant.env", env.keys().cloned().collect()),
            ("grant.http", http.iter().map(http_text).collect()),
            ("secrets", secrets.keys().cloned().collect()),
        ];
        let unique = |mut texts: Vec<String>| {
            texts.dedup();
            texts.join(", ")
        };
        all.into_iter().filter(|(_, texts)| !texts.is_empty()).map(|(key, texts)| (key.to_owned(), unique(texts))).collect()
    }

    /// The directories that the driver may change. What it only reads may be another set's too.
    pub(in crate::drivers::component) fn occupies(&self) -> Vec<Occupied> {
        self.written().map(|(root, rest)| Occupied::Whole(root.join(rest).components().collect())).collect()
    }

    /// The directories that the driver may only read.
    pub(in crate::drivers::component) fn reads(&self) -> Vec<PathBuf> {
        self.allowed.directories.iter().filter(|opened| !opened.write).map(|opened| opened.root.join(&opened.rest)).collect()
    }

    /// The directories that the driver may change: what is granted, and what of it is needed.
    pub(super) fn written(&self) -> impl Iterator<Item = (&Path, &str)> {
        self.allowed.directories.iter().filter(|opened| opened.write).map(|opened| (opened.root.as_path(), opened.rest.as_str()))
    }

    /// Waits until everything that was written below the driver's directories is on its disk.
    ///
    /// # Errors
    /// A disk says no.
    pub(in crate::drivers::component) fn sync(&self) -> Result<()> {
        let mut synced = BTreeSet::new();
        for path in self.written().map(|(root, rest)| root.join(rest)) {
            let cannot = || format!("cannot sync the disk of `{}`", path.display());
            let directory = match File::open(&path) {
                // The driver took it away.
                Err(why) if why.kind() == io::ErrorKind::NotFound => continue,
                opened => opened.while_doing(cannot)?,
            };
            if synced.insert(directory.metadata().while_doing(cannot)?.dev()) {
                rustix::fs::syncfs(directory).map_err(io::Error::from).while_doing(cannot)?;
            }
        }
        Ok(())
    }

    /// The rights of a new instance. What it is denied goes to `denials`.
    pub(in crate::drivers::component) fn rights(&self, denials: &Denials) -> Rights {
        Rights::new(Arc::clone(&self.allowed), denials.clone(), self.redactor())
    }

    /// The rights of an instance that is only asked what the driver is: none. What it tries is not told.
    pub(in crate::drivers::component) fn nothing() -> Rights {
        Rights::new(Arc::default(), Denials::default(), Redactor::default())
    }

    /// The values that nobody is to see: what is given as a secret, and variables that sound like one.
    pub(in crate::drivers::component) fn redactor(&self) -> Redactor {
        let mut secrets = Secrets::default();
        self.allowed.grants.secrets.values().for_each(|value| secrets.add(value));
        let variables = self.allowed.env.iter().filter(|(name, _)| is_secret_key(name));
        variables.filter_map(|(_, value)| value.as_ref()).for_each(|value| secrets.add(value));
        Redactor::new(&secrets)
    }
}

impl Met {
    fn is_missing(&self) -> bool {
        matches!(self.granted, Granted::Not | Granted::ReadOnly)
    }

    fn why(&self) -> String {
        if self.reason.is_empty() { String::new() } else { format!(" ({})", self.reason) }
    }
}

/// The lines of a configuration that grant these.
fn lines(missing: &[&Met]) -> String {
    let mut by_capability: BTreeMap<Capability, Vec<String>> = BTreeMap::new();
    for met in missing {
        let things = by_capability.entry(met.capability).or_default();
        // Any host: no grant says so, the person has to choose.
        let thing =
            met.thing.strip_prefix('*').map_or(met.thing.clone(), |port| format!("host{}", if port.is_empty() { ":port" } else { port }));
        if !things.contains(&thing) {
            things.push(thing);
        }
    }
    let line = |(capability, things): (&Capability, &Vec<String>)| capability.line(&things.iter().map(String::as_str).collect::<Vec<_>>());
    by_capability.iter().map(line).collect::<Vec<_>>().join(", ")
}
