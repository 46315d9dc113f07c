//! What a component may touch: what it needs and is granted, checked on each use; what is denied is told to it, and to the person.

pub(crate) mod attempts;

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::os::unix::fs::symlink;
use std::thread;

use dr_host_tests::component::Guest;
use dr_host_tests::host::Ended;
use dr_host_tests::tls::SelfSigned;

use self::attempts::{
    HOME, Outcome, STATUS, connecting, listing_variables, opening, reading_secret, requesting, requesting_over_tls, resolving,
};
use super::Place;

/// The numbers of capabilities in the contract.
const NETWORK: u8 = 0;
const READ: u8 = 1;
const WRITE: u8 = 2;
const ENVIRONMENT: u8 = 3;
const SECRET: u8 = 4;
const HTTP: u8 = 5;

/// The line that a person reads of a denial, as a whole.
#[track_caller]
fn told(ended: &Ended, line: &str) {
    assert!(ended.stderr.lines().any(|said| said == format!("warning: state: {line}")), "`{line}` is not told\n{ended}");
}

#[test]
fn a_connection_that_is_not_granted_is_denied_and_the_grant_named() {
    let guest = connecting([10, 0, 0, 5], 6379, Outcome::Denied).needs(NETWORK, "*", true);
    let place = Place::new(&guest, "");
    let ended = place.dump().expect(1);
    told(&ended, r#"the driver tried to connect to 10.0.0.5:6379; to allow it: grant.net = ["10.0.0.5:6379"]"#);
    assert!(ended.stderr.contains("access-denied, as it should"), "{ended}");
    assert!(!place.has_archive());
}

#[test]
fn a_connection_that_the_driver_does_not_declare_is_denied_too() {
    let place = Place::new(&connecting([10, 0, 0, 5], 6379, Outcome::Denied), "grant.net = [\"10.0.0.0/8\"]\n");
    let ended = place.dump().expect(1);
    told(
        &ended,
        "the driver tried to connect to 10.0.0.5:6379, which is granted, and which it does not declare as a need: a fault of the driver",
    );
    told(&ended, "grant.net = [\"10.0.0.0/8\"] is granted in vain: the driver does not need it");
}

#[test]
fn a_connection_that_is_granted_is_made() {
    let server = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = server.local_addr().expect("an address").port();
    let guest = connecting([127, 0, 0, 1], port, Outcome::Allowed).needs(NETWORK, "/address", false);
    let schema = r#"{"type":"object","properties":{"address":{"type":"string"}}}"#;
    for granted in [format!("127.0.0.1:{port}"), "127.0.0.0/8".into(), "127.0.0.1".into()] {
        let settings = format!("config.address = \"127.0.0.1:{port}\"\ngrant.net = [\"{granted}\"]\n");
        let place = Place::new(&guest.clone().schema(schema), &settings);
        place.dump().expect(0);
        server.accept().expect("the component came");
    }
}

/// On Linux who connects to `0.0.0.0` reaches the loopback: no socket of a component's does, whatever is granted.
#[test]
fn no_connection_goes_to_the_unspecified_address() {
    let server = TcpListener::bind("127.0.0.1:0").expect("a port");
    server.set_nonblocking(true).expect("it need not wait");
    let port = server.local_addr().expect("an address").port();
    let guest = connecting([0, 0, 0, 0], port, Outcome::Invalid).needs(NETWORK, "*", true);
    for grant in [String::new(), format!("grant.net = [\"127.0.0.1:{port}\"]\n"), "grant.net = [\"0.0.0.0/0\"]\n".into()] {
        let ended = Place::new(&guest, &grant).dump().expect(1);
        assert!(ended.stderr.contains("invalid-argument, as it should"), "{ended}");
    }
    assert!(server.accept().is_err(), "nobody came");
}

#[test]
fn names_are_resolved_where_they_are_granted_and_numbers_always() {
    let denied = Place::new(&resolving("evil.example", Outcome::Denied).needs(NETWORK, "*", true), "grant.net = [\"10.0.0.0/8\"]\n");
    told(&denied.dump().expect(1), r#"the driver tried to resolve the name evil.example; to allow it: grant.net = ["evil.example:*"]"#);
    let number = Place::new(&resolving("192.0.2.1", Outcome::Allowed), "");
    number.dump().expect(0);
    let granted =
        Place::new(&resolving("localhost", Outcome::Allowed).needs(NETWORK, "localhost:80", false), "grant.net = [\"localhost:*\"]\n");
    granted.dump().expect(0);
}

/// Takes one request, answers it, and gives its lines.
fn serve(server: &TcpListener) -> Vec<String> {
    let (mut connection, _) = server.accept().expect("the component comes");
    let lines = BufReader::new(&connection).lines().map(|line| line.expect("a line"));
    let request = lines.take_while(|line| !line.is_empty()).collect();
    write!(connection, "HTTP/1.1 {STATUS} as agreed\r\ncontent-length: 0\r\n\r\n").expect("it listens");
    request
}

#[test]
fn a_request_to_a_granted_host_is_answered() {
    let server = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = server.local_addr().expect("an address");
    for (authority, granted) in [
        (address.to_string(), address.to_string()),
        (format!("localhost:{}", address.port()), "LOCALHOST:*".into()),
        (format!("0.0.0.0:{}", address.port()), "127.0.0.0/8:*".into()),
    ] {
        let listening = server.try_clone().expect("a listener can be shared");
        let served = thread::spawn(move || serve(&listening));
        let guest = requesting(&authority, Outcome::Allowed).needs(HTTP, "*", true);
        Place::new(&guest, &format!("grant.http = [\"{granted}\"]\n")).dump().expect(0);
        let request = served.join().expect("it was served");
        assert_eq!(request[0], "GET /answer HTTP/1.1");
        assert!(request.contains(&format!("host: {authority}")), "{request:?}");
    }
}

#[test]
fn a_request_to_another_host_or_port_is_denied_and_the_grant_named() {
    let server = TcpListener::bind("127.0.0.1:0").expect("a port");
    server.set_nonblocking(true).expect("it need not wait");
    let address = server.local_addr().expect("an address");
    let unspecified = format!("0.0.0.0:{}", address.port());
    for (authority, grant) in [
        (address.to_string(), String::new()),
        (address.to_string(), format!("grant.net = [\"{address}\"]\n")),
        (address.to_string(), "grant.http = [\"127.0.0.1\", \"localhost:*\", \"10.0.0.0/8:*\"]\n".into()),
        (unspecified.clone(), "grant.http = [\"0.0.0.0/8:*\"]\n".into()),
    ] {
        let guest = requesting(&authority, Outcome::RequestDenied).needs(HTTP, "*", true).needs(NETWORK, "*", true);
        let ended = Place::new(&guest, &grant).dump().expect(1);
        told(&ended, &format!("the driver tried to make an HTTP request to {address}; to allow it: grant.http = [\"{address}\"]"));
        assert!(ended.stderr.contains("HTTP-request-denied, as it should"), "{ended}");
    }
    assert!(server.accept().is_err(), "nobody came");
}

/// A server's certificate that nobody vouches for is an error that the component gets, and the run goes on as the component says.
#[test]
fn a_request_over_tls_to_a_server_that_nobody_vouches_for_is_an_error_of_the_components() {
    let server = SelfSigned::start();
    for host in ["localhost", "127.0.0.1"] {
        let authority = format!("{host}:{}", server.port);
        let guest = requesting_over_tls(&authority, Outcome::NotTrusted).needs(HTTP, "*", true);
        let ended = Place::new(&guest, &format!("grant.http = [\"{authority}\"]\n")).dump().expect(1);
        assert!(ended.stderr.contains("TLS-certificate-error, as it should"), "{ended}");
        assert!(!ended.stderr.contains("panicked") && !ended.stderr.contains("trapped"), "{ended}");
    }
}

/// A directory with a file, a secret beside it, and a link from the one to the other.
fn with_directory(guest: &Guest, grant: &str) -> Place {
    let place = Place::new(guest, grant);
    fs::create_dir(place.path("data")).expect("a directory");
    fs::write(place.path("data/file"), "inside").expect("a file");
    fs::write(place.path("secret"), "outside").expect("a file");
    symlink("../secret", place.path("data/link")).expect("a link");
    place
}

const DATA: &str = "grant.read = [{ path = \"data\", guest = \"/data\" }]\n";

#[test]
fn a_granted_directory_is_read_and_not_left() {
    let read = |path: &str, outcome| opening(path, false, outcome).needs(READ, "data", false);
    with_directory(&read("file", Outcome::Allowed), DATA).dump().expect(0);
    for path in ["../secret", "link", "/etc/passwd", "./../secret"] {
        let ended = with_directory(&read(path, Outcome::NotPermitted), DATA).dump().expect(1);
        told(&ended, &format!("the driver tried to leave the directory /data by `{path}`; no grant allows it"));
        assert!(ended.stderr.contains("not-permitted, as it should"), "{ended}");
    }
}

#[test]
fn a_directory_that_is_granted_to_be_read_is_not_written() {
    let write = |outcome| opening("new", true, outcome).needs(READ, "data", false).needs(WRITE, "data", true);
    let place = with_directory(&write(Outcome::NotPermitted), DATA);
    told(
        &place.dump().expect(1),
        r#"the driver tried to write `new` below /data; to allow it: grant.write = [{ path = "DIRECTORY", guest = "/data" }]"#,
    );
    assert!(!place.path("data/new").exists());
    let place = with_directory(&write(Outcome::Allowed), "grant.write = [{ path = \"data\", guest = \"/data\" }]\n");
    place.dump().expect(0);
    assert!(place.path("data/new").exists());
}

#[test]
fn no_directory_is_there_that_is_not_granted() {
    let ended = Place::new(&opening("etc/passwd", false, Outcome::Nothing).needs(READ, "etc", true), "").dump().expect(1);
    assert!(ended.stderr.contains("there is no directory, as it should"), "{ended}");
}

#[test]
fn of_the_environment_only_what_is_granted_is_seen() {
    let guest = listing_variables().needs(ENVIRONMENT, "SHOWN", false).needs(ENVIRONMENT, "OTHER", true);
    let mut place = Place::new(&guest, "grant.env = [\"SHOWN\", \"HIDDEN\"]\n");
    place.host = place.host.env("SHOWN", "yes, this").env("OTHER", "not that").env("HIDDEN", "nor this");
    let ended = place.host.run(["dump", "out.zip", "-v"]).expect(0);
    assert!(ended.stderr.contains("variable: SHOWN") && ended.stderr.contains("value: yes, this"), "{ended}");
    assert!(!ended.stderr.contains("not that") && !ended.stderr.contains("nor this") && !ended.stderr.contains(HOME), "{ended}");
}

#[test]
fn a_secret_is_given_by_name_and_struck_out_of_all_that_the_driver_says() {
    let guest = reading_secret("pin").needs(SECRET, "pin", false);
    let mut place = Place::new(&guest, "secrets = { pin = \"${ANY_NAME}\" }\n");
    place.host = place.host.env("ANY_NAME", "zebra-crossing");
    let ended = place.host.run(["dump", "out.zip", "-vv"]).expect(1);
    assert!(ended.stderr.contains("***"), "{ended}");
    let plan = place.host.run(["plan"]).expect(0);
    for said in [&ended.stdout, &ended.stderr, &plan.stdout, &plan.stderr] {
        assert!(!said.contains("zebra"), "{said}");
    }
    let denied = Place::new(&reading_secret("pin").needs(SECRET, "pin", true), "").dump().expect(1);
    told(&denied, "the driver tried to read the secret pin; to allow it: secrets.pin = \"${PIN}\"");
}

/// What a driver makes of a secret and asks for is shown without it, also where the hint is made of it.
#[test]
fn what_is_denied_is_shown_without_secrets() {
    let secret = "Zebra-cross\"ing/1";
    let secrets = format!("secrets = {{ pin = {} }}\n", serde_json::Value::from(secret));
    let with = |guest: Guest| guest.needs(SECRET, "pin", true);
    for (guest, line) in [
        (
            with(reading_secret(&format!("x{secret}"))),
            "the driver tried to read the secret x***; to allow it: secrets.\"x***\" = \"${X___}\", and the driver must declare that it needs it",
        ),
        (
            with(resolving("x.Zebra-cross\"ing/1.example", Outcome::Denied)),
            "the driver tried to resolve the name x.***.example; to allow it: grant.net = [\"x.***.example:*\"], and the driver must declare that it needs it",
        ),
    ] {
        let place = Place::new(&guest, &secrets);
        let ended = place.dump().expect(1);
        told(&ended, line);
        assert!(!format!("{ended}").to_lowercase().contains("zebra"), "{ended}");
    }
}

#[test]
fn what_is_missing_is_a_problem_before_anything_runs() {
    let guest = Guest::new().needs(NETWORK, "/address", false).needs(READ, "keys", false).needs(SECRET, "token", true);
    let guest = guest.schema(r#"{"type":"object","properties":{"address":{"type":"string","default":"127.0.0.1:6379"}}}"#);
    let ended = Place::new(&guest, "grant = { env = [\"TZ\"] }\n").dump().expect(2);
    assert_eq!(
        ended.stderr,
        "error: dumprestore.toml:7:9: the driver needs what it is not granted: to connect to `127.0.0.1:6379` (the test wants it); to \
         read `/keys` (the test wants it)\n  7 | grant = { env = [\"TZ\"] }\n    |         ^^^^^^^^^^^^^^^^\nhint: to allow it: \
         grant.net = [\"127.0.0.1:6379\"], grant.read = [{ path = \"DIRECTORY\", guest = \"/keys\" }]\n"
    );
}

#[test]
fn bad_grants_show_file_and_line() {
    let ended = Place::new(&Guest::new(), "[set.grant]\nnet = [\"redis\"]\nenv = [\"A=B\"]\nrread = []\n").dump().expect(2);
    assert!(ended.stderr.contains("unknown key `rread`"), "{ended}");
    let ended = Place::new(&Guest::new(), "[set.grant]\nnet = [\"redis\"]\nenv = [\"A=B\"]\n").dump().expect(2);
    assert!(ended.stderr.contains("dumprestore.toml:8:8: the port of `redis` is missing"), "{ended}");
    assert!(ended.stderr.contains("dumprestore.toml:9:8: `A=B` is no name of a variable"), "{ended}");
}

#[test]
fn plan_and_manifest_show_what_is_needed_granted_missing_and_in_vain() {
    let guest = Guest::new().needs(NETWORK, "10.0.0.5:6379", false).needs(SECRET, "token", true).needs(SECRET, "pin", true);
    let place = Place::new(&guest, "grant = { net = [\"10.0.0.0/8\", \"db:1\"] }\nsecrets = { pin = \"zebra-crossing\" }\n");
    let plan = place.host.run(["plan"]).expect(0);
    for line in [
        "needs: to connect to `10.0.0.5:6379` (the test wants it): granted",
        "can use: the secret `token` (the test wants it): not granted",
        "can use: the secret `pin` (the test wants it): granted",
        "granted in vain: grant.net = [\"db:1\"]",
    ] {
        assert!(plan.stdout.lines().any(|said| said.trim() == line), "`{line}` is missing: {plan}");
    }
    place.dump().expect(0);
    let list = place.host.run(["list", "--json", "out.zip"]).expect(0);
    let list: serde_json::Value = serde_json::from_str(&list.stdout).expect("a document");
    let record = list["manifest"]["sets"][0].to_string();
    assert!(record.contains(r#""grant.net":"10.0.0.5:6379""#) && record.contains(r#""secrets":"pin""#), "{record}");
    assert!(!record.contains("zebra"), "{record}");
}

#[test]
fn an_archive_is_not_written_where_the_driver_may_write() {
    let guest = Guest::new().needs(WRITE, "data", false);
    let place = Place::new(&guest, "grant.write = [{ path = \"data\", guest = \"/data\" }]\n");
    fs::create_dir(place.path("data")).expect("a directory");
    let ended = place.host.run(["dump", "data/out.zip"]).expect(1);
    assert!(ended.stderr.contains("lies in a directory that the driver may write, and a component cannot leave it out"), "{ended}");
    assert!(!ended.stderr.contains("is left out"), "{ended}");
    let archive = place.path("data").canonicalize().expect("it is there").join("out.zip");
    told(&ended, &format!("the archive lies inside it, and its driver cannot leave that out: `{}`", archive.display()));
}

#[test]
fn an_archive_where_the_driver_may_read_is_warned_of() {
    let guest = Guest::new().needs(READ, "data", false);
    let place = Place::new(&guest, "grant.read = [{ path = \"data\", guest = \"/data\" }]\n");
    fs::create_dir(place.path("data")).expect("a directory");
    let ended = place.host.run(["dump", "data/out.zip"]).expect(0);
    let archive = place.path("data").canonicalize().expect("it is there").join("out.zip");
    told(&ended, &format!("the archive lies inside what it may read, and its driver cannot leave that out: `{}`", archive.display()));
    let ended = place.host.run(["dump", "out.zip"]).expect(0);
    assert!(!ended.stderr.contains("the archive lies"), "{ended}");
}
