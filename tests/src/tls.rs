//! A server that speaks TLS with a certificate which nobody vouches for: on a private port, gone when the test is.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Stdio};

use tempfile::TempDir;

use crate::machine;

/// A running server.
pub struct SelfSigned {
    process: Child,
    /// The port of 127.0.0.1 on which it listens.
    pub port: u16,
    _directory: TempDir,
}

impl SelfSigned {
    /// Starts one, whose certificate is for `localhost` and 127.0.0.1.
    ///
    /// # Panics
    /// It does not come up.
    pub fn start() -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let openssl = || {
            let mut command = machine::tool("openssl");
            command.current_dir(directory.path()).stdin(Stdio::null()).stderr(Stdio::null());
            command
        };
        let certificate = ["-x509", "-days", "2", "-subj", "/CN=nobody", "-out", "crt", "-keyout", "key", "-nodes"];
        let names = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"];
        assert!(openssl().arg("req").args(certificate).args(names).status().expect("openssl can be started").success());
        let listening = ["s_server", "-accept", "127.0.0.1:0", "-cert", "crt", "-key", "key", "-www"];
        let mut process = openssl().args(listening).stdout(Stdio::piped()).spawn().expect("openssl can be started");
        let told = BufReader::new(process.stdout.take().expect("a pipe")).lines().map(|line| line.expect("a line"));
        let port = told.filter_map(|line| line.strip_prefix("ACCEPT 127.0.0.1:")?.parse().ok()).next();
        Self { process, port: port.expect("it tells its port"), _directory: directory }
    }
}

impl Drop for SelfSigned {
    fn drop(&mut self) {
        // Both fail where it has ended already, which is what is wanted.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
