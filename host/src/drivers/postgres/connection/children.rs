//! What child processes (`pg_dump`, `pg_restore`) are told: the same server that was chosen, in variables, since everybody can
//! read a command line.

use std::ffi::OsString;
use std::process::Command;

use tokio_postgres::config::{ChannelBinding, SslMode};

use super::Address;
use super::attempt::Target;
use super::hosts::Host;

impl Address {
    /// The variables that make libpq connect where this address does, once a connection was made: to the very server.
    pub(in crate::drivers::postgres) fn environment(&self) -> Vec<(OsString, OsString)> {
        let target = self.chosen().unwrap_or_else(|| Target { place: self.places[0].clone(), address: None, tls: SslMode::Prefer });
        let mut variables: Vec<(&str, OsString)> = vec![
            ("PGPORT", target.place.port.to_string().into()),
            ("PGDATABASE", self.dbname.clone().into()),
            ("PGUSER", self.user.clone().into()),
            ("PGAPPNAME", self.application_name.clone().into()),
            ("PGGSSENCMODE", "disable".into()),
        ];
        match (&target.place.host, target.address) {
            (Host::Socket(directory), _) => variables.push(("PGHOST", directory.into())),
            (Host::Name(name) | Host::Address { name: Some(name), .. }, address) => {
                variables.push(("PGHOST", name.into()));
                variables.extend(address.map(|address| ("PGHOSTADDR", address.to_string().into())));
            }
            (Host::Address { name: None, address }, _) => variables.push(("PGHOST", address.to_string().into())),
        }
        variables.extend(self.password_for(&target.place).map(|password| ("PGPASSWORD", password.into())));
        variables.extend(self.options.clone().map(|options| ("PGOPTIONS", options.into())));
        variables.extend(self.connect_timeout.map(|timeout| ("PGCONNECT_TIMEOUT", timeout.as_secs().to_string().into())));
        variables.push(("PGCHANNELBINDING", channel_binding(self.channel_binding).into()));
        variables.extend(self.tls.variables(target.tls));
        variables.into_iter().map(|(name, value)| (name.into(), value)).collect()
    }

    /// Gives a child process these variables, and takes from it every other of libpq's that we were given ourselves: a service
    /// file, say, would win over them.
    pub(in crate::drivers::postgres) fn prepare(&self, child: &mut Command) {
        for (name, _) in std::env::vars_os() {
            if name.as_encoded_bytes().starts_with(b"PG") {
                child.env_remove(name);
            }
        }
        child.envs(self.environment());
    }
}

fn channel_binding(binding: ChannelBinding) -> &'static str {
    match binding {
        ChannelBinding::Disable => "disable",
        ChannelBinding::Require => "require",
        _ => "prefer",
    }
}
