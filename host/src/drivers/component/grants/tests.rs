//! Needs against grants, and the checks on use.

use std::net::SocketAddr;
use std::path::Path;

use serde_json::{Value, json};
use wasmtime_wasi::WasiCtxBuilder;

use super::*;
use crate::drivers::{Occupied, Settings};
use crate::error::ErrorKind;

fn grants(values: Value) -> Grants {
    let Value::Object(values) = values else { unreachable!("settings are an object") };
    Grants::read(&Settings { values, base: "/srv/shop".into() }).expect("good grants")
}

fn need(capability: Capability, target: &str) -> Need {
    Need { capability, target: target.into(), reason: "for a test".into(), optional: false }
}

fn can_use(capability: Capability, target: &str) -> Need {
    Need { optional: true, ..need(capability, target) }
}

fn matched(values: Value, needs: &[Need], config: Value) -> Matched {
    grants(values).matched(needs, &config, &json!({ "properties": { "address": { "default": "127.0.0.1:6379" } } }))
}

fn lines(matched: &Matched) -> Vec<String> {
    matched.lines().into_iter().map(|(name, value)| format!("{name} {value}")).collect()
}

fn problems(matched: &Matched) -> Vec<String> {
    let all = matched.problems().into_iter();
    all.map(|problem| format!("{}: {} = {}", problem.pointer, problem.message, problem.hint.unwrap_or_default())).collect()
}

/// What the Redis driver would say.
fn redis() -> Vec<Need> {
    vec![need(Capability::Network, "/address"), can_use(Capability::Secret, "password")]
}

#[test]
fn what_is_needed_and_granted_is_shown_with_its_reason() {
    let values = json!({ "grant": { "net": ["10.0.0.0/8", "db:1"], "env": ["TZ"] }, "secrets": { "password": "hush-hush", "other": "x" } });
    let matched = matched(values, &redis(), json!({ "address": "10.0.0.5:6379" }));
    assert_eq!(
        lines(&matched),
        [
            "needs to connect to `10.0.0.5:6379` (for a test): granted",
            "can use the secret `password` (for a test): granted",
            "granted in vain grant.net = [\"db:1\"]",
            "granted in vain grant.env = [\"TZ\"]",
            "granted in vain secrets.other",
        ]
    );
    assert_eq!(matched.warnings()[0], "grant.net = [\"db:1\"] is granted in vain: the driver does not need it");
    assert_eq!(problems(&matched), [""; 0]);
    assert_eq!(json!(matched.details()), json!({ "grant.net": "10.0.0.5:6379", "secrets": "password" }));
    assert_eq!(matched.redactor().strike("it is hush-hush"), "it is ***");
}

#[test]
fn all_that_is_missing_is_one_problem_with_the_lines_to_write() {
    let needs = [
        need(Capability::Network, "/address"),
        need(Capability::Network, "*:53"),
        need(Capability::ReadDirectory, "/keys"),
        need(Capability::WriteDirectory, "data"),
        need(Capability::Environment, "TZ"),
        need(Capability::Secret, "api key"),
        need(Capability::Http, "/api"),
        can_use(Capability::Secret, "password"),
    ];
    let config = json!({ "keys": ["/srv/a", "/srv/b"], "api": "https://api.example.com/v1" });
    let matched = matched(json!({}), &needs, config);
    assert_eq!(
        problems(&matched),
        [
            "/grant: the driver needs what it is not granted: to connect to `127.0.0.1:6379` (for a test); to connect to `*:53` (for a test); \
          to read `/srv/a` (for a test); to read `/srv/b` (for a test); to write `/data` (for a test); the variable `TZ` (for a test); \
          the secret `api key` (for a test); HTTP to `api.example.com` (for a test) = to allow it: \
          grant.net = [\"127.0.0.1:6379\", \"host:53\"], grant.read = [{ path = \"DIRECTORY\", guest = \"/srv/a\" }, { path = \"DIRECTORY\", guest = \"/srv/b\" }], grant.write = [{ path = \"DIRECTORY\", guest = \"/data\" }], grant.env = [\"TZ\"], \
          secrets.\"api key\" = \"${API_KEY}\", grant.http = [\"api.example.com\"]"
        ]
    );
}

#[test]
fn a_value_that_is_no_address_is_told_where_it_stands() {
    let needs = [need(Capability::Network, "/address"), need(Capability::ReadDirectory, "/from"), need(Capability::Http, "/n")];
    let matched = matched(json!({}), &needs, json!({ "address": "a b", "from": "../up", "n": 3 }));
    let told = problems(&matched);
    assert!(told[0].starts_with("/config/address: `a b` is neither a host name nor an address = write"), "{}", told[0]);
    assert!(told[1].starts_with("/config/from: the driver cannot see a directory at `../up`, which leads up"), "{}", told[1]);
    assert!(
        told[2].starts_with("/config/n: the driver points to `/n` as something that it needs, and no text stands there"),
        "{}",
        told[2]
    );
}

#[test]
fn a_need_of_what_the_configuration_does_not_say_is_none() {
    let matched = matched(json!({}), &[need(Capability::Http, "/webhook")], json!({}));
    assert_eq!((lines(&matched), problems(&matched)), (vec![], vec![]));
}

#[test]
fn of_a_directory_the_driver_gets_what_it_needs_and_is_granted() {
    let shown = |grant: Value, needs: &[Need]| {
        let matched = matched(json!({ "grant": grant }), needs, json!({}));
        let mut shown: Vec<_> = matched.details().into_iter().map(|(key, value)| format!("{key}: {value}")).collect();
        shown.extend(lines(&matched));
        shown
    };
    let read = |path: &str| [need(Capability::ReadDirectory, path)];
    let write = |path: &str| [need(Capability::WriteDirectory, path)];
    assert_eq!(
        shown(json!({ "write": ["/srv/notes"] }), &read("srv/notes/a")),
        ["grant.read: /srv/notes/a", "needs to read `/srv/notes/a` (for a test): granted"],
        "less than is granted, and only to be read"
    );
    assert_eq!(
        shown(json!({ "read": ["/srv/notes", "/srv/keys"] }), &read("srv")),
        ["grant.read: /srv/notes, /srv/keys", "needs to read `/srv` (for a test): granted: `/srv/notes`, `/srv/keys`"]
    );
    assert_eq!(
        shown(json!({ "read": [{ "path": "notes", "guest": "/data" }] }), &write("data")),
        ["grant.read: /srv/shop/notes as /data", "needs to write `/data` (for a test): granted for reading only"]
    );
    assert_eq!(
        shown(json!({ "write": [{ "path": "notes", "guest": "/data" }] }), &[read("data"), write("data")].concat()),
        [
            "grant.write: /srv/shop/notes as /data",
            "needs to read `/data` (for a test): granted",
            "needs to write `/data` (for a test): granted",
        ]
    );
    assert_eq!(shown(json!({ "read": ["/srv/notes"] }), &read("srv/notesx"))[0], "needs to read `/srv/notesx` (for a test): not granted");
}

#[test]
fn what_a_driver_may_change_is_what_the_set_occupies() {
    let needs = [need(Capability::WriteDirectory, "notes/a"), need(Capability::ReadDirectory, "certs")];
    let matched = matched(json!({ "grant": { "write": ["notes"], "read": ["certs"] } }), &needs, json!({}));
    assert_eq!(matched.occupies(), [Occupied::Whole("/srv/shop/notes/a".into())]);
}

fn use_of(rights: &Rights, address: &str) -> bool {
    rights.may_use(address.parse::<SocketAddr>().expect("an address"), wasmtime_wasi::sockets::SocketAddrUse::TcpConnect)
}

#[test]
fn an_address_is_checked_on_each_use_and_its_denial_names_the_grant() {
    let denials = Denials::default();
    let needs = [can_use(Capability::Network, "*")];
    let rights = matched(json!({ "grant": { "net": ["10.0.0.0/8:6379"] } }), &needs, json!({})).rights(&denials);
    assert!(use_of(&rights, "10.1.2.3:6379") && use_of(&rights, "[::ffff:10.1.2.3]:6379"));
    assert!(!use_of(&rights, "10.1.2.3:6380") && !use_of(&rights, "[fd00::1]:6379"));
    assert_eq!(
        denials.take(),
        [
            "the driver tried to connect to 10.1.2.3:6380; to allow it: grant.net = [\"10.1.2.3:6380\"]",
            "the driver tried to connect to [fd00::1]:6379; to allow it: grant.net = [\"[fd00::1]:6379\"]",
        ]
    );
}

#[test]
fn the_unspecified_address_is_the_loopback_that_it_reaches() {
    let denials = Denials::default();
    let needs = [can_use(Capability::Network, "*"), can_use(Capability::Http, "*")];
    let rights = |granted: &str| {
        let grant = json!({ "grant": { "net": [granted], "http": [granted] } });
        matched(grant, &needs, json!({})).rights(&denials)
    };
    let local = rights("127.0.0.1:6379");
    assert!(use_of(&local, "0.0.0.0:6379") && use_of(&local, "[::ffff:0.0.0.0]:6379") && local.may_request("0.0.0.0", 6379));
    assert!(!use_of(&local, "[::]:6379") && !local.may_request("[::]", 6379));
    for granted in ["0.0.0.0/8", "10.0.0.5:6379"] {
        let other = rights(granted);
        assert!(!use_of(&other, "0.0.0.0:6379") && !other.may_request("0.0.0.0", 6379), "{granted}");
    }
    assert_eq!(
        denials.take(),
        [
            "the driver tried to connect to [::1]:6379; to allow it: grant.net = [\"[::1]:6379\"]",
            "the driver tried to make an HTTP request to [::1]:6379; to allow it: grant.http = [\"[::1]:6379\"]",
            "the driver tried to connect to 127.0.0.1:6379; to allow it: grant.net = [\"127.0.0.1:6379\"]",
            "the driver tried to make an HTTP request to 127.0.0.1:6379; to allow it: grant.http = [\"127.0.0.1:6379\"]",
        ]
    );
}

#[test]
fn a_denial_says_where_the_driver_is_at_fault() {
    let denials = Denials::default();
    let rights = matched(json!({ "grant": { "net": ["10.0.0.5:1"] } }), &[], json!({})).rights(&denials);
    assert!(!use_of(&rights, "10.0.0.5:1") && !use_of(&rights, "10.0.0.5:2"));
    assert_eq!(
        denials.take(),
        [
            "the driver tried to connect to 10.0.0.5:1, which is granted, and which it does not declare as a need: a fault of the driver",
            "the driver tried to connect to 10.0.0.5:2; to allow it: grant.net = [\"10.0.0.5:2\"], and the driver must declare that it needs it",
        ]
    );
}

#[test]
fn the_addresses_of_a_granted_name_may_be_used_once_it_is_resolved() {
    let denials = Denials::default();
    let needs = [need(Capability::Network, "/address")];
    let rights =
        matched(json!({ "grant": { "net": ["db.internal:*"] } }), &needs, json!({ "address": "DB.internal:5432" })).rights(&denials);
    assert!(!use_of(&rights, "192.0.2.7:5432"));
    assert!(rights.may_resolve("db.internal.") && !rights.may_resolve("evil.example"));
    rights.clone().resolved("db.internal", &["192.0.2.7".parse().expect("an address")]);
    assert!(use_of(&rights, "192.0.2.7:5432") && !use_of(&rights, "192.0.2.7:5433"));
    assert!(
        denials.take()[1].starts_with("the driver tried to resolve the name evil.example; to allow it: grant.net = [\"evil.example:*\"]")
    );
}

#[test]
fn requests_go_to_granted_hosts_at_granted_ports() {
    let denials = Denials::default();
    let needs = [need(Capability::Http, "api.example.com"), can_use(Capability::Http, "*")];
    let rights = matched(json!({ "grant": { "http": ["api.example.com", "127.0.0.1:9000"] } }), &needs, json!({})).rights(&denials);
    assert!(
        rights.may_request("API.example.com", 443) && rights.may_request("api.example.com", 80) && rights.may_request("127.0.0.1", 9000)
    );
    assert!(!rights.may_request("api.example.com", 8443) && !rights.may_request("example.com", 443) && !rights.may_request("[::1]", 80));
    assert_eq!(
        denials.take(),
        [
            "the driver tried to make an HTTP request to api.example.com:8443; to allow it: grant.http = [\"api.example.com:8443\"]",
            "the driver tried to make an HTTP request to example.com; to allow it: grant.http = [\"example.com\"]",
            "the driver tried to make an HTTP request to ::1; to allow it: grant.http = [\"::1\"]",
        ]
    );
}

#[test]
fn secrets_are_given_by_name() {
    let denials = Denials::default();
    let rights = matched(json!({ "secrets": { "password": "hush", "token": "x" } }), &redis(), json!({})).rights(&denials);
    assert_eq!(rights.secret("password").expect("it is given"), "hush");
    let denied = rights.secret("pin").expect_err("nobody gave it");
    assert_eq!((denied.kind(), denied.message()), (ErrorKind::PermissionDenied, "the secret `pin` is not granted"));
    assert!(rights.secret("token").is_err(), "given, and not declared");
    assert_eq!(
        denials.take(),
        [
            "the driver tried to read the secret pin; to allow it: secrets.pin = \"${PIN}\", and the driver must declare that it needs it",
            "the driver tried to read the secret token, which is granted, and which it does not declare as a need: a fault of the driver",
        ]
    );
}

fn entered(path: &Path, guest: &str, needs: &[Need]) -> crate::error::Result<()> {
    let values = json!({ "grant": { "read": [{ "path": path, "guest": guest }] } });
    matched(values, needs, json!({})).rights(&Denials::default()).enter(&mut WasiCtxBuilder::new())
}

#[test]
fn a_granted_directory_is_one_and_what_is_needed_of_it_lies_in_it() {
    let around = tempfile::tempdir().expect("a directory");
    let inside = around.path().join("in");
    std::fs::create_dir_all(inside.join("deep")).expect("a directory");
    std::fs::write(inside.join("file"), "").expect("a file");
    std::os::unix::fs::symlink(around.path(), inside.join("out")).expect("a link");
    let read = |path: &str| [need(Capability::ReadDirectory, path)];
    entered(&inside, "/data", &read("data/deep")).expect("it is there");
    let missing = entered(&inside, "/data", &read("data/none")).expect_err("it is not there");
    assert_eq!(missing.kind(), ErrorKind::NotFound);
    entered(&inside, "/data", &[can_use(Capability::ReadDirectory, "data/none")]).expect("the driver can do without it");
    let file = entered(&inside, "/data", &read("data/file")).expect_err("a file");
    assert!(file.message().ends_with("is granted, and is no directory"), "{file}");
    let out = entered(&inside, "/data", &read("data/out")).expect_err("it leads out");
    assert_eq!(out.kind(), ErrorKind::PermissionDenied);
    assert!(out.message().contains("leads out of the granted directory"), "{out}");
}

#[test]
fn what_may_be_written_is_made_below_what_is_granted_alone() {
    let around = tempfile::tempdir().expect("a directory");
    let inside = around.path().join("new/in");
    let make = |needed: &str| {
        let values = json!({ "grant": { "write": [{ "path": inside, "guest": "/data" }] } });
        let mut made = Made::default();
        made.make(&matched(values, &[can_use(Capability::WriteDirectory, needed)], json!({}))).map(|()| made)
    };
    make("data/deep/er").expect("it can be made").remove();
    assert!(!around.path().join("new").exists(), "empty, and gone with all that was made");
    let mut made = make("data/deep/er").expect("it can be made");
    std::fs::write(inside.join("deep/file"), "").expect("a file");
    made.remove();
    assert!(inside.join("deep/file").exists() && !inside.join("deep/er").exists(), "what holds something stays");
    make("data/deep").expect("it is there").remove();
    assert!(inside.join("deep").exists(), "what was there before stays");
    for target in [around.path().to_owned(), around.path().join("dangling")] {
        std::os::unix::fs::symlink(target, inside.join("out")).expect("a link");
        assert!(make("data/out/new").is_err(), "it leads out");
        std::fs::remove_file(inside.join("out")).expect("the link is there");
    }
    let names = around.path().read_dir().expect("it is there").map(|item| item.expect("an item").file_name());
    assert_eq!(names.collect::<Vec<_>>(), ["new"]);
}
