//! PostgreSQL databases against real servers: what a restore brings back, how a server is reached, what is refused.

mod connection;
mod only;
mod recreate;
mod round_trip;
mod source;
mod versions;

use std::path::Path;

use dr_host_tests::host::Host;
use dr_host_tests::postgres::Server;

/// The configuration of one set, `database`, at a URL.
fn configuration(url: &str, more: &str) -> String {
    format!("version = 1\n\n[[set]]\nname = \"database\"\ndriver = \"postgres\"\nurl = \"{url}\"\n{more}")
}

/// A host whose `dumprestore.toml` names one database of a server, and whose `copy.toml` another.
fn host(directory: &Path, server: &Server, from: &str, to: &str, more: &str) -> Host {
    std::fs::write(directory.join("copy.toml"), configuration(&server.url(to), more)).expect("a configuration");
    Host::configured(directory, &configuration(&server.url(from), more))
}
