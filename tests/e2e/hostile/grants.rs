//! Components that reach for what they are not granted: files, addresses, names, variables, secrets. Each attempt fails, is told
//! to the component as denied, and to the person as what would allow it. And one that waits for a server that never speaks.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::symlink;
use std::thread;

use dr_host_tests::component::Guest;

use super::{AT_ONCE, IDLE, IDLE_LINE, Tree};
use crate::component::grants::attempts::{Outcome, connecting, listing_variables, opening, reading_secret, resolving};

/// The numbers of capabilities in the contract.
const NETWORK: u8 = 0;
const READ: u8 = 1;
const WRITE: u8 = 2;

/// The attempt fails with these words for the component, and this line for the person.
#[track_caller]
fn denied(tree: &Tree, words: &str, line: &str) {
    let run = tree.dump_fails("before_dump", AT_ONCE, "permission-denied", &[words]);
    assert!(run.log_of("state").contains(&line), "`{line}` is not told: {run}");
}

#[test]
fn without_a_grant_there_is_no_file() {
    for path in ["etc/passwd", "/etc/passwd", "../../etc/passwd", "."] {
        let tree = Tree::new(&opening(path, false, Outcome::Nothing).needs(READ, "etc", true), IDLE_LINE);
        tree.dump_fails("before_dump", AT_ONCE, "permission-denied", &["there is no directory, as it should"]);
    }
}

/// A granted directory with links that lead out of it.
fn with_directory(guest: &Guest, access: &str) -> Tree {
    let tree = Tree::new(guest, &format!("{IDLE_LINE}grant.{access} = [{{ path = \"data\", guest = \"/data\" }}]\n"));
    fs::create_dir_all(tree.path("data/inner")).expect("a directory");
    fs::write(tree.path("secret"), "outside").expect("a file");
    for (target, link) in [("../secret", "link"), ("/etc/passwd", "passwd"), ("..", "up"), ("link", "again")] {
        symlink(target, tree.path("data").join(link)).expect("a link");
    }
    tree
}

#[test]
fn a_grant_is_not_left_upwards_or_through_a_link() {
    for path in ["../secret", "/etc/passwd", "inner/../../secret", "link", "passwd", "up/secret", "again", "/proc/self/environ"] {
        let tree = with_directory(&opening(path, false, Outcome::NotPermitted).needs(READ, "data", false), "read");
        let line = format!("the driver tried to leave the directory /data by `{path}`; no grant allows it");
        denied(&tree, "not-permitted, as it should", &line);
    }
}

#[test]
fn what_is_granted_to_be_written_is_not_left_either() {
    for path in ["../new", "link", "up/new"] {
        let guest = opening(path, true, Outcome::NotPermitted).needs(WRITE, "data", false);
        let tree = with_directory(&guest, "write");
        let line = format!("the driver tried to leave the directory /data by `{path}`; no grant allows it");
        denied(&tree, "not-permitted, as it should", &line);
        assert_eq!(fs::read_to_string(tree.path("secret")).expect("the file is there"), "outside");
        assert!(!tree.path("new").exists());
    }
}

#[test]
fn without_a_grant_there_is_no_connection() {
    let server = TcpListener::bind("127.0.0.1:0").expect("a port");
    server.set_nonblocking(true).expect("it need not wait");
    let port = server.local_addr().expect("an address").port();
    for (address, port) in [([127, 0, 0, 1], port), ([10, 0, 0, 5], 6379), ([169, 254, 169, 254], 80)] {
        let shown = address.map(|number| number.to_string()).join(".") + ":" + &port.to_string();
        let guest = connecting(address, port, Outcome::Denied).needs(NETWORK, "*", true);
        let line = format!("the driver tried to connect to {shown}; to allow it: grant.net = [\"{shown}\"]");
        denied(&Tree::new(&guest, IDLE_LINE), "access-denied, as it should", &line);
    }
    assert!(server.accept().is_err(), "nobody came");
}

#[test]
fn another_port_or_address_than_the_granted_one_is_none() {
    let server = TcpListener::bind("127.0.0.1:0").expect("a port");
    server.set_nonblocking(true).expect("it need not wait");
    let port = server.local_addr().expect("an address").port();
    let guest = connecting([127, 0, 0, 1], port, Outcome::Denied).needs(NETWORK, "*", true);
    let line = format!("the driver tried to connect to 127.0.0.1:{port}; to allow it: grant.net = [\"127.0.0.1:{port}\"]");
    for granted in ["127.0.0.1:1", "127.0.0.2", "10.0.0.0/8"] {
        let tree = Tree::new(&guest, &format!("{IDLE_LINE}grant.net = [\"{granted}\"]\n"));
        denied(&tree, "access-denied, as it should", &line);
    }
    assert!(server.accept().is_err(), "nobody came");
}

#[test]
fn without_a_grant_no_name_is_resolved() {
    for name in ["localhost", "secret-words.attacker.example"] {
        let tree = Tree::new(&resolving(name, Outcome::Denied).needs(NETWORK, "*", true), IDLE_LINE);
        let line = format!("the driver tried to resolve the name {name}; to allow it: grant.net = [\"{name}:*\"]");
        denied(&tree, "access-denied, as it should", &line);
    }
}

#[test]
fn without_a_grant_there_is_no_environment() {
    let tree = Tree::new(&listing_variables(), IDLE_LINE).env("PASSWORD_OF_THE_HOST", "zebra-crossing");
    let run = tree.dump_stands(0);
    assert_eq!(run.log_of("state"), Vec::<&str>::new(), "{run}");
}

#[test]
fn without_a_grant_there_is_no_secret() {
    let tree = Tree::new(&reading_secret("password"), IDLE_LINE);
    let run = tree.dump_fails("before_dump", AT_ONCE, "permission-denied", &["the secret `password` is not granted"]);
    assert!(run.log_of("state").iter().any(|line| line.contains("tried to read the secret password")), "{run}");
}

/// A server that takes the connection, which is granted, and says nothing.
#[test]
fn a_server_that_never_speaks_is_not_waited_for_longer_than_the_limit() {
    let server = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = server.local_addr().expect("an address").port();
    thread::spawn(move || {
        let connections: Vec<_> = server.incoming().collect();
        drop(connections);
    });
    let wait = format!(
        "(if (call $connect (i32.const 127) (i32.const 0) (i32.const 0) (i32.const 1) (i32.const {port})) (then (unreachable)))
         (call $blocking_read (i32.load offset=4 (global.get $ret)) (i64.const 10) (global.get $ret))
         (unreachable)"
    );
    let guest = connecting([127, 0, 0, 1], port, Outcome::Allowed)
        .imports(
            "import wasi:io/streams@0.2.0;\n",
            r#"(import "wasi:io/streams@0.2.0" "[method]input-stream.blocking-read" (func $blocking_read (param i32 i64 i32)))"#,
        )
        .needs(NETWORK, "*", true);
    let settings = format!("{IDLE_LINE}grant.net = [\"127.0.0.1:{port}\"]\n");
    let words = ["the driver showed no progress for 300ms, and was ended", "raise `limit.idle` if the driver needs more time"];
    Tree::new(&guest.clone().body("before-dump", &wait), &settings).dump_fails("before_dump", IDLE, "other", &words);
    let in_dump = guest.body("before-dump", "(call $ok_point)");
    Tree::new(&in_dump.clone().body("dump", &wait), &settings).dump_fails("dump", IDLE, "other", &words);
    Tree::with_archive(&in_dump.body("restore", &wait), &settings).restore_fails("restore", IDLE, "other", &words);
}
