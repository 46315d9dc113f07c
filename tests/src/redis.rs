//! A real Redis server for one test: on a private port, without a file of its own, gone when the test is.

use std::fs;
use std::net::TcpListener;
use std::process::{Child, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use redis::{Client, Connection};
use tempfile::TempDir;

use crate::machine;

/// How long a server may take to come up.
const PATIENCE: Duration = Duration::from_secs(30);

/// How many databases it has.
pub const DATABASES: u32 = 64;

/// A running server.
pub struct Server {
    process: Child,
    directory: TempDir,
    port: u16,
}

impl Server {
    /// Starts one, with nothing in it, and without a password.
    ///
    /// # Panics
    /// It does not come up: what it said is shown.
    pub fn start() -> Self {
        // Another process may take the port between the choice and the start.
        (0..5).find_map(|_| Self::try_start()).expect("redis-server starts within five attempts")
    }

    fn try_start() -> Option<Self> {
        let directory = tempfile::tempdir().expect("a directory");
        let port = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a free port").port();
        let configuration = format!(
            "port {port}\nbind 127.0.0.1\nsave \"\"\nappendonly no\nenable-debug-command yes\ndatabases {DATABASES}\ndir \"{}\"\n",
            directory.path().display()
        );
        fs::write(directory.path().join("redis.conf"), configuration).expect("a configuration");
        let log = fs::File::create(directory.path().join("log")).expect("a log");
        let mut command = machine::tool("redis-server");
        command.arg(directory.path().join("redis.conf")).stdin(Stdio::null());
        command.stdout(log.try_clone().expect("a second handle")).stderr(log);
        let mut server = Self { process: command.spawn().expect("redis-server can be started"), directory, port };
        let begun = Instant::now();
        while begun.elapsed() < PATIENCE {
            if let Ok(mut connection) = server.client().get_connection()
                && redis::cmd("PING").query::<String>(&mut connection).is_ok()
            {
                return Some(server);
            }
            if server.process.try_wait().expect("a process can be looked at").is_some() {
                return None;
            }
            thread::sleep(Duration::from_millis(20));
        }
        let log = fs::read_to_string(server.directory.path().join("log")).unwrap_or_default();
        panic!("redis-server does not come up:\n{log}");
    }

    fn client(&self) -> Client {
        Client::open(format!("redis://{}/", self.address())).expect("an address")
    }

    /// Where it listens.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Connects to one of its databases.
    ///
    /// # Panics
    /// It cannot be reached.
    pub fn connect(&self, database: u32) -> Connection {
        let mut connection = self.client().get_connection().expect("a running server takes connections");
        redis::cmd("SELECT").arg(database).exec(&mut connection).expect("a database can be selected");
        connection
    }

    /// What `DEBUG DIGEST` says of all its databases: the same for the same content.
    ///
    /// # Panics
    /// It cannot be reached.
    pub fn digest(&self) -> String {
        redis::cmd("DEBUG").arg("DIGEST").query(&mut self.connect(0)).expect("the server tells its digest")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Both fail where it has ended already, which is what is wanted.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
