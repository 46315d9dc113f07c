//! What can be said of a component without running more of it than `describe`: for who wants to know before it is trusted.

use std::path::Path;

use serde::Serialize;
use serde_json::Value;

use super::grants::Capability;
use super::load;
use crate::drivers::Worth;
use crate::error::Result;

/// A component, described.
#[derive(Clone, Debug, Serialize)]
pub struct Inspection {
    /// Its name, as it gives it.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Its line for people.
    pub summary: String,
    /// The SHA-256 of its file: what `sha256` pins.
    pub sha256: String,
    /// The size of its file in bytes.
    pub size: u64,
    /// The version of the contract against which it was built.
    pub contract: String,
    /// The formats of entries that it restores; the first is the one that it writes.
    pub formats: Vec<String>,
    /// What its point in time will be worth.
    pub worth: Worth,
    /// Whether a link may start at it.
    pub has_columns: bool,
    /// Whether a link may end at it.
    pub has_names: bool,
    /// What it says that it needs.
    pub needs: Vec<NeedView>,
    /// The JSON Schema of its configuration.
    pub config_schema: Value,
    /// What it imports.
    pub imports: Vec<String>,
    /// What its imports make possible, in words.
    pub can: Vec<String>,
    /// What it cannot do whatever is granted, since it does not import it.
    pub cannot: Vec<String>,
}

/// Something that a driver needs.
#[derive(Clone, Debug, Serialize)]
pub struct NeedView {
    /// What sort of thing: the contract's word.
    pub capability: &'static str,
    /// What can be done with it, before the thing: `to connect to`.
    pub verb: &'static str,
    /// The thing, or a JSON pointer to where the configuration has it.
    pub target: String,
    /// What for.
    pub reason: String,
    /// Whether the driver can do without it.
    pub optional: bool,
}

/// Describes the component in a file.
///
/// # Errors
/// It cannot be read, or is none that this host runs.
pub fn inspect(path: &Path) -> Result<Inspection> {
    let (bytes, sha256) = load::read(path)?;
    let loaded = load::load(path, &bytes, &sha256)?;
    let described = loaded.described.clone();
    let need = |need: super::grants::Need| NeedView {
        capability: word(need.capability),
        verb: need.capability.verb(),
        target: need.target,
        reason: need.reason,
        optional: need.optional,
    };
    let (can, cannot) = abilities(&loaded.imports);
    Ok(Inspection {
        name: described.name,
        version: described.version,
        summary: described.summary,
        sha256,
        size: bytes.len() as u64,
        contract: loaded.contract.version().to_owned(),
        formats: described.formats,
        worth: described.worth,
        has_columns: described.has_columns,
        has_names: described.has_names,
        needs: described.needs.into_iter().map(need).collect(),
        config_schema: loaded.schema.clone(),
        imports: loaded.imports.clone(),
        can,
        cannot,
    })
}

fn word(capability: Capability) -> &'static str {
    match capability {
        Capability::Network => "network",
        Capability::ReadDirectory => "read-directory",
        Capability::WriteDirectory => "write-directory",
        Capability::Environment => "environment",
        Capability::Secret => "secret",
        Capability::Http => "http",
    }
}

/// What imports make possible: how their names begin, what can be done with them, whether it must be said where they are missing.
const ABILITIES: [(&str, &str, bool); 11] = [
    ("wasi:filesystem/", "read and write files, in the directories that it is granted", true),
    ("wasi:sockets/tcp", "open TCP connections, to the addresses that it is granted", true),
    ("wasi:sockets/udp", "send datagrams, to the addresses that it is granted", true),
    ("wasi:sockets/ip-name-lookup", "resolve the names of hosts that it is granted", false),
    ("wasi:http/outgoing-handler", "make HTTP requests, to the hosts that it is granted", true),
    ("wasi:cli/environment", "see the variables of the environment that it is granted", true),
    ("dumprestore:driver/secrets", "ask for the secrets that it is given", true),
    ("wasi:cli/stdin", "read standard input, which is always empty", false),
    ("wasi:cli/std", "write lines to the log, as to standard output and standard error", false),
    ("wasi:clocks/", "tell the time, and wait", false),
    ("wasi:random/", "get random numbers", false),
];

/// What imports make possible, and what they do not.
fn abilities(imports: &[String]) -> (Vec<String>, Vec<String>) {
    let has = |prefix: &str| match prefix {
        "wasi:cli/std" => imports.iter().any(|name| name.starts_with("wasi:cli/stdout") || name.starts_with("wasi:cli/stderr")),
        prefix => imports.iter().any(|name| name.starts_with(prefix)),
    };
    let can = ABILITIES.iter().filter(|(prefix, ..)| has(prefix)).map(|(_, what, _)| (*what).to_owned()).collect();
    let lacks = ABILITIES.iter().filter(|(prefix, _, told)| *told && !has(prefix));
    let cannot = lacks.map(|(_, what, _)| what.split(',').next().unwrap_or(what).replace(" that it is given", "")).collect();
    (can, cannot)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn imports_are_told_in_words() {
        let imports = ["wasi:filesystem/types@0.2.6", "wasi:cli/stderr@0.2.6", "dumprestore:driver/archive@0.1.0"].map(str::to_owned);
        let (can, cannot) = abilities(&imports);
        assert_eq!(
            can,
            [
                "read and write files, in the directories that it is granted",
                "write lines to the log, as to standard output and standard error"
            ]
        );
        assert_eq!(
            cannot,
            [
                "open TCP connections",
                "send datagrams",
                "make HTTP requests",
                "see the variables of the environment that it is granted",
                "ask for the secrets"
            ]
        );
    }
}
