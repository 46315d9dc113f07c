//! Servers of two major versions: up goes everything, down nothing, and that is said before anything is written.

use dr_host_tests::host::Host;
use dr_host_tests::machine;
use dr_host_tests::postgres::{Installation, Options, Server};

use super::configuration;
use super::round_trip::{PLAIN, assert_equal, sorted, succeed};
use super::source::{UTF8, Variant, prepare};

#[test]
fn a_newer_server_takes_what_an_older_one_gave_as_with_pg_restore() {
    let Some(newer) = Installation::other() else { return machine::not_run("there is no PostgreSQL of another major version") };
    let (old, new) = (Server::start(), Server::with(&Options { installation: Some(newer), ..Options::default() }));
    prepare(&old);
    prepare(&new);
    // The newer one's build has no ICU.
    let source = Variant { has_icu: false, ..UTF8 };
    source.make(&old);
    new.create("reference", &UTF8.options());
    new.create("restored", &UTF8.options());
    let place = tempfile::tempdir().expect("a directory");
    let reference = place.path().join("reference.dump");
    let mut pg_dump = old.program("pg_dump");
    pg_dump.args(["-Fc", "-d", UTF8.name, "-f"]).arg(&reference);
    succeed(pg_dump);
    let mut pg_restore = new.program("pg_restore");
    pg_restore.args(["--exit-on-error", "-d", "reference"]).arg(&reference);
    succeed(pg_restore);
    std::fs::write(place.path().join("copy.toml"), configuration(&new.url("restored"), "part_size = \"8kB\"\n")).expect("a configuration");
    let host = Host::configured(place.path(), &configuration(&old.url(UTF8.name), "part_size = \"8kB\"\n"));
    host.run(["dump", "out.zip"]).expect(0);
    host.run(["restore", "-c", "copy.toml", "out.zip"]).expect(0);
    let dump = |database: &str| {
        let mut pg_dump = new.program("pg_dump");
        pg_dump.env("PGOPTIONS", PLAIN).args(["-d", database]);
        sorted(&succeed(pg_dump))
    };
    assert_equal(&dump("reference"), &dump("restored"), "newer");
}

#[test]
fn an_older_server_is_refused_before_anything_is_written() {
    let Some(newer) = Installation::other() else { return machine::not_run("there is no PostgreSQL of another major version") };
    let bin = newer.bin().display().to_string();
    let (old, new) = (Server::start(), Server::with(&Options { installation: Some(newer), ..Options::default() }));
    new.create("shop", "");
    new.sql("shop", "CREATE TABLE t (a int)");
    old.create("shop", "");
    let place = tempfile::tempdir().expect("a directory");
    std::fs::write(place.path().join("copy.toml"), configuration(&old.url("shop"), &format!("pg_bin = \"{bin}\"\n")))
        .expect("a configuration");
    let too_old =
        Host::configured(place.path(), &configuration(&new.url("shop"), &format!("pg_bin = \"{}\"\n", old.installation().bin().display())));
    let ended = too_old.run(["dump", "out.zip"]).expect(1);
    assert!(ended.stderr.contains("`pg_dump` 17 or newer is needed") && ended.stderr.contains("pg_bin"), "{ended}");
    let host = Host::configured(place.path(), &configuration(&new.url("shop"), &format!("pg_bin = \"{bin}\"\n")));
    host.run(["dump", "out.zip"]).expect(0);
    let ended = host.run(["restore", "-c", "copy.toml", "out.zip"]).expect(1);
    assert!(ended.stderr.contains("the server is of version 15, and `pg_restore` 17"), "{ended}");
    host.run(["restore", "--recreate", "--yes", "out.zip"]).expect(0);
}
