//! A real PostgreSQL server for one test: its own data directory, its own socket, gone when the test is.
//!
//! A server that the system runs is neither used nor disturbed. `initdb` runs once on a machine, and its result is copied.
//! A server refuses to run as root: there it runs as the user `postgres`, which the package makes.

use std::fs::{self, File};
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, getegid, geteuid, kill_process};
use tempfile::TempDir;

use crate::machine::{not_run, tool};

pub use ::postgres::{Client, NoTls};

/// The superuser of every server; over the socket it needs no password.
pub const SUPERUSER: &str = "postgres";

/// The password of every role that has one, over TCP.
pub const PASSWORD: &str = "correct horse: battery\\staple";

/// The directory of [`Options::disk`].
const DISK: &str = "disk";

/// How long a server may take to answer.
const PATIENCE: Duration = Duration::from_secs(60);

/// The directory of the programs of a PostgreSQL installation.
#[derive(Clone, Debug)]
pub struct Installation {
    bin: PathBuf,
}

impl Installation {
    /// The one against which the tests run: `DR_HOST_TEST_PG_BIN`, else the newest of the system.
    ///
    /// # Panics
    /// There is none: `tests/run` installs it.
    pub fn default_one() -> Self {
        if let Some(bin) = std::env::var_os("DR_HOST_TEST_PG_BIN") {
            return Self::at(bin);
        }
        let versions = fs::read_dir("/usr/lib/postgresql").map(|found| found.flatten().map(|entry| entry.path()).collect::<Vec<_>>());
        let major = |path: &PathBuf| path.file_name().and_then(|name| name.to_str()?.parse::<u32>().ok());
        let mut versions: Vec<PathBuf> =
            versions.unwrap_or_default().into_iter().filter(|path| path.join("bin/initdb").is_file()).collect();
        versions.sort_by_key(major);
        match versions.pop() {
            Some(newest) => Self::at(newest.join("bin")),
            None => Self::on_path().expect("no PostgreSQL server is installed: `tests/run` installs it"),
        }
    }

    /// One of another major version, where this machine has it: `DR_HOST_TEST_OTHER_PG_BINS`, directories with colons between them.
    pub fn other(major: u32) -> Option<Self> {
        let bins = std::env::var_os("DR_HOST_TEST_OTHER_PG_BINS")?;
        std::env::split_paths(&bins).filter(|bin| bin.join("postgres").is_file()).map(Self::at).find(|one| one.major() == major)
    }

    /// The one with its programs in this directory.
    pub fn at(bin: impl Into<PathBuf>) -> Self {
        Self { bin: bin.into() }
    }

    fn on_path() -> Option<Self> {
        let path = std::env::var_os("PATH")?;
        std::env::split_paths(&path).find(|directory| directory.join("initdb").is_file()).map(Self::at)
    }

    /// The directory of its programs.
    pub fn bin(&self) -> &Path {
        &self.bin
    }

    /// One of its programs; of libpq's variables it sees none.
    pub fn program(&self, name: &str) -> Command {
        let mut command = Command::new(self.bin.join(name));
        for (variable, _) in std::env::vars_os() {
            if variable.as_encoded_bytes().starts_with(b"PG") {
                command.env_remove(variable);
            }
        }
        command
    }

    /// What `postgres --version` says.
    ///
    /// # Panics
    /// It cannot be run.
    pub fn version(&self) -> String {
        let said = self.program("postgres").arg("--version").output().expect("postgres can be started");
        String::from_utf8_lossy(&said.stdout).trim().to_owned()
    }

    /// The major version.
    ///
    /// # Panics
    /// As [`Installation::version`].
    pub fn major(&self) -> u32 {
        let version = self.version();
        let digits = version.split(|c: char| !c.is_ascii_digit()).find(|digits| !digits.is_empty());
        digits.and_then(|major| major.parse().ok()).unwrap_or_else(|| panic!("`{version}` names no version"))
    }

    /// A data directory as `initdb` makes it: made once on a machine, to be copied.
    fn template(&self) -> PathBuf {
        let version: String = self.version().chars().map(|c| if c.is_ascii_alphanumeric() || c == '.' { c } else { '-' }).collect();
        let template = std::env::temp_dir().join(format!("dr-host-tests-{version}-{}", geteuid().as_raw()));
        if template.join("PG_VERSION").is_file() && is_ours(&template) {
            return template;
        }
        // In a directory of its own, and renamed when it is whole: several tests may come at once, and the first wins.
        let making = own_directory(&std::env::temp_dir());
        let data = making.path().join("data");
        let mut initdb = as_server_user(self.program("initdb"));
        initdb.args([
            "--auth=trust",
            "--encoding=UTF8",
            "--locale=C.UTF-8",
            "--no-sync",
            "--no-instructions",
            "--username",
            SUPERUSER,
            "-D",
        ]);
        let output = initdb.arg(&data).stdin(Stdio::null()).output().expect("initdb can be started");
        assert!(output.status.success(), "initdb: {}", String::from_utf8_lossy(&output.stderr));
        if fs::rename(&data, &template).is_err() {
            assert!(template.join("PG_VERSION").is_file() && is_ours(&template), "`{}` is in the way", template.display());
        }
        template
    }
}

/// How a server is to be.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// It listens on 127.0.0.1 too, where roles need their passwords (SCRAM).
    pub tcp: bool,
    /// It speaks TLS, with a certificate for `localhost` and 127.0.0.1, and takes nothing else over TCP.
    pub tls: bool,
    /// More lines for `postgresql.conf`.
    pub settings: String,
    /// Lines for `pg_hba.conf`, before all others.
    pub admission: String,
    /// The installation; the default one, if none is given.
    pub installation: Option<Installation>,
    /// A file system of this size (`24m`), at [`Server::disk`], which the server alone sees.
    pub disk: Option<String>,
}

/// A running server.
pub struct Server {
    process: Child,
    directory: TempDir,
    port: u16,
    installation: Installation,
}

impl Server {
    /// Starts one that is reached by its socket alone.
    ///
    /// # Panics
    /// It does not come up: what it said is shown.
    pub fn start() -> Self {
        Self::with(&Options::default())
    }

    /// Starts one that listens on 127.0.0.1 too.
    ///
    /// # Panics
    /// As [`Server::start`].
    pub fn with_tcp() -> Self {
        Self::with(&Options { tcp: true, ..Options::default() })
    }

    /// Starts one that speaks TLS on 127.0.0.1.
    ///
    /// # Panics
    /// As [`Server::start`].
    pub fn with_tls() -> Self {
        Self::with(&Options { tcp: true, tls: true, ..Options::default() })
    }

    /// Starts one.
    ///
    /// # Panics
    /// As [`Server::start`].
    pub fn with(options: &Options) -> Self {
        // Another process may take a port between the choice and the start.
        (0..5).find_map(|_| Self::try_start(options)).expect("the server starts within five attempts")
    }

    /// Starts one with a file system of this size at [`Server::disk`], empty, to be a tablespace's; none, which is said, where the
    /// machine does not let file systems be mounted.
    ///
    /// # Panics
    /// As [`Server::start`].
    pub fn with_disk(size: &str) -> Option<Self> {
        let directory = tempfile::tempdir().expect("a directory");
        let tried = with_a_disk(directory.path(), size).arg("true").output().expect("unshare can be started");
        if !tried.status.success() {
            not_run(&format!("file systems cannot be mounted: {}", String::from_utf8_lossy(&tried.stderr)));
            return None;
        }
        Some(Self::with(&Options { disk: Some(size.to_owned()), ..Options::default() }))
    }

    fn try_start(options: &Options) -> Option<Self> {
        let installation = options.installation.clone().unwrap_or_else(Installation::default_one);
        let directory = own_directory(&std::env::temp_dir());
        let data = directory.path().join("data");
        let copied = Command::new("cp").arg("-a").arg(installation.template()).arg(&data).status().expect("cp can be started");
        assert!(copied.success(), "the data directory cannot be copied");
        let port = if options.tcp { free_port() } else { 5432 };
        if options.tls {
            make_certificates(directory.path());
        }
        configure(&data, directory.path(), options, port);
        if options.disk.is_some() {
            fs::create_dir(directory.path().join(DISK)).expect("a directory");
        }
        let process = run(&installation, &data, directory.path(), options.disk.as_deref());
        let mut server = Self { process, directory, port, installation };
        server.comes_up().then_some(server)
    }

    /// Ends the server and starts it again on the same data.
    ///
    /// # Panics
    /// As [`Server::start`].
    pub fn restart(&mut self) {
        self.stop(Signal::INT);
        self.process = run(&self.installation, &self.data(), self.directory.path(), None);
        assert!(self.comes_up(), "the server starts again");
    }

    /// Ends the server: fast ([`Signal::INT`]), at once ([`Signal::QUIT`]).
    ///
    /// # Panics
    /// It cannot be waited for.
    pub fn stop(&mut self, signal: Signal) {
        self.signal(signal);
        self.process.wait().expect("the server can be waited for");
    }

    /// Sends the server a signal, and waits for nothing.
    pub fn signal(&self, signal: Signal) {
        // It fails where the server has ended already, which is what a test that ends it wants.
        let _ = kill_process(Pid::from_child(&self.process), signal);
    }

    fn comes_up(&mut self) -> bool {
        let begun = Instant::now();
        while self.try_client(SUPERUSER).is_err() {
            if self.process.try_wait().expect("the process can be looked at").is_some() {
                assert!(self.log().contains("could not bind"), "the server does not start:\n{}", self.log());
                return false;
            }
            assert!(begun.elapsed() < PATIENCE, "the server does not answer:\n{}", self.log());
            thread::sleep(Duration::from_millis(20));
        }
        true
    }

    /// The directory of its socket, of `ca.crt`, and of whatever a test puts there.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// Its data directory.
    pub fn data(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    /// Where a server made by [`Server::with_disk`] has that file system.
    pub fn disk(&self) -> PathBuf {
        self.directory.path().join(DISK)
    }

    /// Its port: of its socket's name, and of TCP where it listens.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Its programs.
    pub fn installation(&self) -> &Installation {
        &self.installation
    }

    /// What it has logged.
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&fs::read(self.directory.path().join("log")).unwrap_or_default()).into_owned()
    }

    /// A URL that reaches a database by the socket, as the superuser.
    pub fn url(&self, database: &str) -> String {
        self.url_as(SUPERUSER, database)
    }

    /// The same as another role.
    pub fn url_as(&self, role: &str, database: &str) -> String {
        let directory = encoded(&self.directory.path().display().to_string());
        format!("postgres://{}@{directory}:{}/{}", encoded(role), self.port, encoded(database))
    }

    /// A connection to a database, by the socket, as the superuser.
    ///
    /// # Panics
    /// There is none to be had.
    #[track_caller]
    pub fn client(&self, database: &str) -> Client {
        self.try_client(database).unwrap_or_else(|why| panic!("cannot connect to `{database}`: {why:?}"))
    }

    fn try_client(&self, database: &str) -> Result<Client, postgres::Error> {
        let mut config = postgres::Config::new();
        config.host_path(self.directory.path()).port(self.port).user(SUPERUSER).dbname(database).connect(NoTls)
    }

    /// Runs SQL in a database, as the superuser.
    ///
    /// # Panics
    /// The server refuses.
    #[track_caller]
    pub fn sql(&self, database: &str, sql: &str) {
        let mut client = self.client(database);
        client.batch_execute(sql).unwrap_or_else(|why| panic!("{why:?}\n{sql}"));
    }

    /// The first column of the first row; none where it is NULL.
    ///
    /// # Panics
    /// The server refuses, or there is no row.
    #[track_caller]
    pub fn ask(&self, database: &str, sql: &str) -> Option<String> {
        let answer = self.client(database).simple_query(sql).unwrap_or_else(|why| panic!("{why:?}\n{sql}"));
        let row = answer.iter().find_map(|message| match message {
            postgres::SimpleQueryMessage::Row(row) => Some(row.get(0).map(str::to_owned)),
            _ => None,
        });
        row.unwrap_or_else(|| panic!("no row: {sql}"))
    }

    /// Makes a database; `more` is what follows its name: `ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0`.
    ///
    /// # Panics
    /// The server refuses.
    #[track_caller]
    pub fn create(&self, database: &str, more: &str) {
        self.sql(SUPERUSER, &format!("CREATE DATABASE \"{}\" {more}", database.replace('"', "\"\"")));
    }

    /// Makes a tablespace, in a directory of the server's own.
    ///
    /// # Panics
    /// The server refuses.
    pub fn make_tablespace(&self, name: &str) {
        let directory = self.directory.path().join(format!("space-{}", name.len()));
        fs::create_dir(&directory).expect("a directory");
        give(&directory);
        let place = directory.display();
        self.sql(SUPERUSER, &format!("CREATE TABLESPACE \"{}\" LOCATION '{place}'", name.replace('"', "\"\"")));
    }

    /// Runs a file of SQL with psql, which stops at the first error.
    ///
    /// # Panics
    /// There is an error: it is shown.
    #[track_caller]
    pub fn psql_file(&self, database: &str, file: &Path) {
        let mut psql = self.program("psql");
        psql.args(["-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", database, "-f"]).arg(file);
        let output = psql.output().expect("psql can be started");
        assert!(output.status.success(), "psql: {}", String::from_utf8_lossy(&output.stderr));
    }

    /// A program of the installation that reaches this server by the socket, as the superuser.
    pub fn program(&self, name: &str) -> Command {
        let mut command = self.installation.program(name);
        command.env("PGHOST", self.directory.path()).env("PGPORT", self.port.to_string()).env("PGUSER", SUPERUSER);
        command
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Both fail where it has ended already, which is what is wanted.
        self.signal(Signal::QUIT);
        let _ = self.process.wait();
    }
}

/// Starts the server's process; it ends with the thread that started it, whatever ends that.
fn run(installation: &Installation, data: &Path, directory: &Path, disk: Option<&str>) -> Child {
    let log = File::options().create(true).append(true).open(directory.join("log")).expect("a log");
    let mut command = Command::new("setpriv");
    if let Some(size) = disk {
        command = with_a_disk(&directory.join(DISK), size);
        command.arg("setpriv");
    }
    command.args(["--pdeathsig", "QUIT"]);
    if geteuid().is_root() {
        command.args(["--reuid", SUPERUSER, "--regid", SUPERUSER, "--init-groups"]);
    }
    command.arg(installation.bin().join("postgres")).arg("-D").arg(data).current_dir(directory);
    for (variable, _) in std::env::vars_os().filter(|(name, _)| name.as_encoded_bytes().starts_with(b"PG")) {
        command.env_remove(variable);
    }
    command.stdin(Stdio::null()).stdout(log.try_clone().expect("a second handle")).stderr(log).spawn().expect("the server can be started")
}

/// A command that runs another with a file system of this size mounted here. Only that sees it, and it is gone when that ends.
fn with_a_disk(place: &Path, size: &str) -> Command {
    let (uid, gid) = server_user().unwrap_or((geteuid().as_raw(), getegid().as_raw()));
    let mut command = tool("unshare");
    command.args(["--mount", "--propagation", "private", "sh", "-ec", "mount -t tmpfs -o \"$1\" none \"$2\"; shift 2; exec \"$@\"", "sh"]);
    command.arg(format!("size={size},uid={uid},gid={gid},mode=0700")).arg(place);
    command
}

/// A program run by who runs servers: root may not.
fn as_server_user(command: Command) -> Command {
    if !geteuid().is_root() {
        return command;
    }
    let mut lowered = Command::new("setpriv");
    lowered.args(["--reuid", SUPERUSER, "--regid", SUPERUSER, "--init-groups"]).arg(command.get_program()).args(command.get_args());
    lowered.current_dir("/");
    lowered
}

fn is_ours(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|found| found.is_dir() && found.uid() == server_user().map_or(geteuid().as_raw(), |(uid, _)| uid))
}

/// A directory that the server's user owns.
fn own_directory(beneath: &Path) -> TempDir {
    let directory = tempfile::Builder::new().prefix("pg-").tempdir_in(beneath).expect("a directory");
    give(directory.path());
    directory
}

/// Lets the server's user own a file.
fn give(path: &Path) {
    if let Some((uid, gid)) = server_user() {
        chown(path, Some(uid), Some(gid)).expect("root can give a file away");
    }
}

/// The numbers of the user as whom servers run, where it is another than ours.
fn server_user() -> Option<(u32, u32)> {
    if !geteuid().is_root() {
        return None;
    }
    let passwd = fs::read_to_string("/etc/passwd").expect("the list of users");
    let line = passwd.lines().find(|line| line.split(':').next() == Some(SUPERUSER)).expect("the package made the user `postgres`");
    let mut numbers = line.split(':').skip(2).map(|number| number.parse().expect("a number"));
    Some((numbers.next().expect("a user"), numbers.next().expect("a group")))
}

fn configure(data: &Path, directory: &Path, options: &Options, port: u16) {
    let listen = if options.tcp { "127.0.0.1" } else { "" };
    let tls = if options.tls {
        "ssl = on\nssl_cert_file = '../server.crt'\nssl_key_file = '../server.key'\nssl_ca_file = '../ca.crt'\n"
    } else {
        ""
    };
    let settings = format!(
        "port = {port}\nlisten_addresses = '{listen}'\nunix_socket_directories = '{}'\nfsync = off\nsynchronous_commit = off\n\
         full_page_writes = off\nshared_buffers = 64MB\nmax_connections = 60\nlog_line_prefix = '%t %u@%d %a '\nlc_messages = 'C'\n\
         timezone = 'UTC'\nlog_timezone = 'UTC'\n{tls}{}\n",
        directory.display(),
        options.settings
    );
    let file = data.join("postgresql.conf");
    let before = fs::read_to_string(&file).expect("initdb wrote a configuration");
    fs::write(&file, format!("{before}\n{settings}")).expect("the configuration can be written");
    let host = if options.tls { "hostssl" } else { "host" };
    let admission = format!("{}\nlocal all all trust\n{host} all all 127.0.0.1/32 scram-sha-256\n", options.admission);
    fs::write(data.join("pg_hba.conf"), admission).expect("the configuration can be written");
}

/// `ca.crt` and `ca.key`; by it `server.crt` and `server.key` for `localhost` and 127.0.0.1, `client.crt` and `client.key` for
/// the superuser.
fn make_certificates(directory: &Path) {
    let openssl = |arguments: &[&str]| {
        let output = Command::new("openssl").args(arguments).current_dir(directory).output().expect("openssl can be started");
        assert!(output.status.success(), "openssl: {}", String::from_utf8_lossy(&output.stderr));
    };
    let key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
    let request = |name: &str, subject: &str, more: &[&str]| {
        let (certificate, secret, subject) = (format!("{name}.crt"), format!("{name}.key"), format!("/CN={subject}"));
        let mut arguments = vec!["req", "-x509", "-days", "2", "-subj", &subject, "-out", &certificate, "-keyout", &secret];
        arguments.extend(key);
        arguments.extend(more);
        openssl(&arguments);
    };
    let issued = ["-CA", "ca.crt", "-CAkey", "ca.key", "-addext", "basicConstraints=critical,CA:FALSE"];
    request("ca", "test authority", &[]);
    request("server", "test server", &[&issued[..], &["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]].concat());
    request("client", SUPERUSER, &issued);
    request("stranger", "another authority", &[]);
    for file in ["server.key", "client.key", "ca.key"] {
        fs::set_permissions(directory.join(file), fs::Permissions::from_mode(0o600)).expect("set");
    }
    ["server.key", "server.crt", "ca.crt"].iter().for_each(|file| give(&directory.join(file)));
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("an address").port()
}

/// Percent-encoded for any part of a URL.
fn encoded(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
    text.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}
