//! How a server is reached: whatever lets `psql` in lets us in, and where `psql` is refused, so are we, with what to do.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use dr_host_tests::host::Host;
use dr_host_tests::postgres::{Options, PASSWORD, SUPERUSER, Server};

/// A person with a home directory, variables, and a URL.
struct Person<'s> {
    server: &'s Server,
    home: tempfile::TempDir,
    variables: Vec<(String, String)>,
}

impl<'s> Person<'s> {
    fn new(server: &'s Server) -> Self {
        Self { server, home: tempfile::tempdir().expect("a directory"), variables: Vec::new() }
    }

    fn with(mut self, name: &str, value: impl std::fmt::Display) -> Self {
        self.variables.push((name.to_owned(), value.to_string()));
        self
    }

    fn file(&self, name: &str, mode: u32, text: &str) -> String {
        let path = self.home.path().join(name);
        fs::create_dir_all(path.parent().expect("a directory")).expect("a directory");
        fs::write(&path, text).expect("a file");
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("set");
        path.display().to_string()
    }

    /// Whether psql gets in by this connection string.
    fn psql(&self, url: &str) -> bool {
        let mut psql = self.server.installation().program("psql");
        psql.args(["-X", "-w", "-At", "-c", "SELECT 1", "-d", url]).env("HOME", self.home.path());
        psql.envs(self.variables.iter().map(|(name, value)| (name, value)));
        psql.output().expect("psql can be started").status.success()
    }

    /// What a dump says; none where it went well.
    fn dump(&self, keys: &str) -> Option<String> {
        let host =
            Host::configured(self.home.path(), &format!("version = 1\n[[set]]\nname = \"database\"\ndriver = \"postgres\"\n{keys}\n"));
        let host = self.variables.iter().fold(host, |host, (name, value)| host.env(name, value));
        let ended = host.env("HOME", &self.home.path().display().to_string()).run(["dump", "--overwrite", "out.zip"]);
        assert!(!ended.stderr.contains("staple"), "the password is in no message: {ended}");
        if ended.code == Some(0) { None } else { Some(ended.stderr) }
    }

    #[track_caller]
    fn gets_in(&self, url: &str) {
        assert!(self.psql(url), "psql gets in by `{url}`");
        let said = self.dump(&format!("url = {}", toml(url)));
        assert!(said.is_none(), "{url}: {}", said.unwrap_or_default());
    }

    #[track_caller]
    fn is_refused(&self, url: &str, parts: &[&str]) {
        assert!(!self.psql(url), "psql is refused by `{url}`");
        self.is_told(&format!("url = {}", toml(url)), parts);
    }

    #[track_caller]
    fn is_told(&self, keys: &str, parts: &[&str]) {
        let said = self.dump(keys).unwrap_or_else(|| panic!("{keys}: it got in"));
        parts.iter().for_each(|part| assert!(said.contains(part), "{keys}: `{part}` is not in\n{said}"));
    }
}

fn toml(text: &str) -> String {
    format!("'''{text}'''")
}

fn encoded(text: &str) -> String {
    text.bytes().map(|byte| if byte.is_ascii_alphanumeric() { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

fn encoded_path(path: &Path) -> String {
    encoded(&path.display().to_string())
}

/// A database and two roles with passwords.
fn prepare(server: &Server) {
    let password = PASSWORD.replace('\\', "\\\\");
    server.sql(SUPERUSER, &format!("CREATE ROLE alice LOGIN SUPERUSER PASSWORD E'{password}'"));
    server.sql(SUPERUSER, "CREATE ROLE locked NOLOGIN");
    server.create("shop", "");
    server.create("odd %/? db", "");
    server.sql("shop", "CREATE TABLE t (a int); INSERT INTO t VALUES (1)");
}

#[test]
fn a_socket_is_found_by_every_spelling() {
    let server = Server::start();
    prepare(&server);
    let (directory, port) = (server.directory().display().to_string(), server.port());
    let person = Person::new(&server);
    person.gets_in(&format!("postgres://postgres@{}/shop", encoded(&directory)));
    person.gets_in(&format!("postgresql:///shop?host={directory}&user=postgres&port={port}"));
    person.gets_in(&format!("host={directory} user='postgres' dbname = shop connect_timeout=5"));
    person.gets_in(&format!("postgres://postgres@/odd%20%25%2F%3F%20db?host={directory}"));
    person.gets_in(&format!("host=/nowhere,{directory} user=postgres dbname=shop sslmode=verify-full sslrootcert=/nowhere"));
    assert!(person.dump(&format!("host = '{directory}'\nport = {port}\nuser = 'postgres'\ndbname = 'shop'")).is_none());
    assert!(person.dump(&format!("url = 'postgres://postgres@/wrong'\nhost = '{directory}'\ndbname = 'shop'")).is_none());
    person.is_refused(&format!("host={directory} user=postgres dbname=none"), &["database \"none\" does not exist", "createdb none"]);
    person.is_refused(&format!("host={directory} user=nobody dbname=shop"), &["role \"nobody\" does not exist"]);
    person.is_refused(&format!("host={directory} user=locked dbname=shop"), &["not permitted to log in"]);
    person.is_refused("host=/nowhere user=postgres", &["`/nowhere/.s.PGSQL.5432`", "where its socket is"]);
}

#[test]
fn variables_a_service_and_the_file_of_passwords_are_read() {
    let server = Server::with_tcp();
    prepare(&server);
    let port = server.port();
    let url = format!("postgres://alice@127.0.0.1:{port}/shop");
    Person::new(&server).is_refused(&url, &["asks for a password", "~/.pgpass"]);
    Person::new(&server).with("PGPASSWORD", PASSWORD).gets_in(&url);
    Person::new(&server)
        .with("PGPASSWORD", "wrong staple")
        .is_refused(&url, &["password authentication failed", "check the password of `alice`"]);
    Person::new(&server).gets_in(&format!("postgres://alice:{}@127.0.0.1:{port}/shop", encoded(PASSWORD)));
    let person = Person::new(&server).with("PGHOST", "localhost").with("PGHOSTADDR", "127.0.0.1").with("PGPORT", port);
    let person = person.with("PGUSER", "alice").with("PGDATABASE", "shop").with("PGPASSWORD", PASSWORD);
    person.gets_in("postgres://");
    assert!(person.dump("").is_none(), "nothing but variables");

    let line = |host: &str| format!("# passwords\n{host}:{port}:shop:alice:{}\n", PASSWORD.replace('\\', "\\\\").replace(':', "\\:"));
    let person = Person::new(&server);
    person.file(".pgpass", 0o600, &line("*"));
    person.gets_in(&url);
    person.file(".pgpass", 0o640, &line("*"));
    person.is_refused(&url, &["asks for a password", "chmod 0600"]);
    let passfile = person.file("elsewhere", 0o600, &line("127.0.0.1"));
    person.gets_in(&format!("{url}?passfile={passfile}"));
    let person = person.with("PGPASSFILE", &passfile);
    person.gets_in(&url);
    person.is_refused(&format!("{url}?passfile={passfile}.none"), &["asks for a password"]);

    let person = Person::new(&server);
    let services = person.file(
        ".pg_service.conf",
        0o644,
        &format!("[live]\nhost=127.0.0.1\nport={port}\nuser=alice\ndbname=wrong\npassword={PASSWORD}\n"),
    );
    person.gets_in("service=live dbname=shop");
    person.is_refused("service=none dbname=shop", &["no service `none`", &services]);
    let person = person.with("PGSERVICE", "live").with("PGDATABASE", "shop").with("PGUSER", "nobody");
    person.gets_in("postgres:///shop");
}

#[test]
fn the_first_of_several_servers_that_fits_is_taken() {
    let server = Server::with_tcp();
    prepare(&server);
    let port = server.port();
    let closed = { std::net::TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr()).expect("a port").port() };
    let person = Person::new(&server).with("PGPASSWORD", PASSWORD);
    let url = |attrs: &str| format!("postgres://alice@127.0.0.1:{closed},localhost:{port}/shop?target_session_attrs={attrs}");
    for attrs in ["any", "read-write", "primary", "prefer-standby"] {
        person.gets_in(&url(attrs));
    }
    person.is_refused(&url("standby"), &["connection refused", "the server is not a standby", "target_session_attrs"]);
    person.is_refused(&url("read-only"), &["the session is not read-only"]);
    server.sql("shop", "ALTER DATABASE shop SET default_transaction_read_only = on");
    person.gets_in(&url("read-only"));
    person.is_refused(&url("read-write"), &["the session is read-only"]);
    person.is_refused(&format!("postgres://alice@127.0.0.1:{closed}/shop"), &["connection refused", "listen_addresses"]);
    person.is_refused("postgres://alice@host.invalid/shop", &["`host.invalid:5432`", "cannot be looked up"]);
    let silent = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = silent.local_addr().expect("an address");
    person.is_refused(&format!("postgres://alice@{address}/shop?connect_timeout=2"), &["no answer in time"]);
}

#[test]
fn what_is_wrong_or_not_supported_is_told_before_anything_is_tried() {
    let server = Server::start();
    let person = Person::new(&server);
    let told = [
        ("url = 'postgres://h:0/d'", "`0` is no port"),
        ("port = '1,2'", "there are 2 ports for 1 hosts"),
        ("hostaddr = 'example.org'", "`example.org` is no IP address"),
        ("sslmode = 'yes'", "`yes` is none of its values"),
        ("sslmode = 'require'\nsslrootcert = 'system'", "only `verify-full` means anything"),
        ("url = 'postgres://h/d?gssencmode=require'", "encryption by GSSAPI is not supported"),
        ("url = 'postgres://h/d?requirepeer=root'", "`requirepeer`: it is not supported"),
        ("url = 'postgres://h/d?schema=public'", "`schema` is no keyword of libpq"),
        ("url = 'mysql://h/d'", "`mysql:` is not the scheme"),
        ("connect_timeout = 'soon'", "`soon` is no whole number"),
        ("target_session_attrs = 'best'", "`best` is none of its values"),
    ];
    for (keys, part) in told {
        person.is_told(keys, &[part]);
    }
}

#[test]
fn tls_protects_as_much_as_sslmode_says() {
    let server = Server::with_tls();
    prepare(&server);
    let (port, directory) = (server.port(), server.directory().display().to_string());
    let person = Person::new(&server).with("PGPASSWORD", PASSWORD);
    let url = |host: &str, more: &str| format!("postgres://alice@{host}:{port}/shop?{more}");
    person.gets_in(&url("localhost", ""));
    for mode in ["allow", "prefer", "require"] {
        person.gets_in(&url("localhost", &format!("sslmode={mode}")));
    }
    person.is_refused(&url("localhost", "sslmode=disable"), &["no encryption", "pg_hba.conf"]);
    let trusted = format!("sslrootcert={directory}/ca.crt");
    for mode in ["require", "verify-ca", "verify-full"] {
        person.gets_in(&url("localhost", &format!("sslmode={mode}&{trusted}&channel_binding=require")));
    }
    person.gets_in(&url("127.0.0.1", &format!("sslmode=verify-full&{trusted}")));
    person.gets_in(&url("elsewhere.invalid", &format!("hostaddr=127.0.0.1&sslmode=verify-ca&{trusted}")));
    person.is_refused(&url("elsewhere.invalid", &format!("hostaddr=127.0.0.1&sslmode=verify-full&{trusted}")), &["TLS", "subjectAltName"]);
    let stranger = format!("sslrootcert={directory}/stranger.crt");
    for mode in ["require", "verify-ca", "verify-full"] {
        person.is_refused(&url("localhost", &format!("sslmode={mode}&{stranger}")), &["TLS", "sslrootcert"]);
    }
    person.is_refused(&url("localhost", "sslmode=verify-full"), &["which does not exist", "sslrootcert"]);
    person.is_refused(&url("localhost", "sslmode=verify-full&sslrootcert=system"), &["sslrootcert"]);
    person.gets_in(&url("localhost", &format!("sslmode=verify-full&{trusted}&ssl_max_protocol_version=TLSv1.2")));
    person.file(".postgresql/root.crt", 0o644, &fs::read_to_string(server.directory().join("ca.crt")).expect("a certificate"));
    person.gets_in(&url("localhost", "sslmode=verify-full"));
    let without = Server::with_tcp();
    prepare(&without);
    let person = Person::new(&without).with("PGPASSWORD", PASSWORD);
    person
        .is_refused(&format!("postgres://alice@127.0.0.1:{}/shop?sslmode=require", without.port()), &["does not support TLS", "ssl = on"]);
}

#[test]
fn a_client_certificate_is_shown_to_a_server_that_asks_for_it() {
    let admission = "hostssl all postgres 127.0.0.1/32 cert".to_owned();
    let server = Server::with(&Options { tcp: true, tls: true, admission, ..Options::default() });
    prepare(&server);
    let person = Person::new(&server);
    let copy = |name: &str, mode| person.file(name, mode, &fs::read_to_string(server.directory().join(name)).expect("a file"));
    let (certificate, key) = (copy("client.crt", 0o644), copy("client.key", 0o600));
    let url = format!("postgres://postgres@127.0.0.1:{}/shop?sslmode=require", server.port());
    person.gets_in(&format!("{url}&sslcert={certificate}&sslkey={key}"));
    person.is_refused(&url, &["certificate"]);
    copy("client.key", 0o604);
    person.is_refused(&format!("{url}&sslcert={certificate}&sslkey={key}"), &["others than its owner may access", "chmod 0600"]);
}

#[test]
fn the_children_go_to_the_very_server_that_was_chosen() {
    let server = Server::with_tls();
    prepare(&server);
    let person = Person::new(&server).with("PGSERVICE", "other").with("PGPASSWORD", PASSWORD);
    person.file(".pg_service.conf", 0o644, "[other]\nhost=/nowhere\nuser=nobody\n");
    let (directory, port) = (encoded_path(server.directory()), server.port());
    let keys = format!(
        "url = 'postgres://alice@localhost:{port}/shop?sslmode=verify-full&sslrootcert={directory}/ca.crt'\nservice = ''\nhost = '/gone,localhost'\nport = '1,{port}'"
    );
    let said = person.dump(&keys);
    assert!(said.is_none(), "{}", said.unwrap_or_default());
}
