//! Servers of several major versions: each keeps what it has, up goes everything, down nothing, and that is said before anything is
//! written.

use dr_host_tests::host::Host;
use dr_host_tests::machine;
use dr_host_tests::postgres::{Installation, Options, Server};

use super::round_trip::{SMALL, Stage, assert_equal, dump, succeed};
use super::source::{UTF8, Variant, prepare};
use super::{configuration, host};

/// What the builds of the other versions can hold: they have neither ICU nor XML.
const PORTABLE: Variant = Variant { has_icu: false, has_xml: false, ..UTF8 };

/// An installation of another major version, and a server of it; none, which is said, where this machine has none.
fn other(major: u32) -> Option<(Installation, Server)> {
    let Some(installation) = Installation::other(major) else {
        machine::not_run(&format!("there is no PostgreSQL {major}"));
        return None;
    };
    let server = Server::with(&Options { installation: Some(installation.clone()), ..Options::default() });
    Some((installation, server))
}

/// Settings of a set that let it use the programs of an installation.
fn programs(installation: &Installation) -> String {
    format!("pg_bin = \"{}\"\n", installation.bin().display())
}

fn comes_back(major: u32) {
    let Some((installation, server)) = other(major) else { return };
    let (whole, small) = (programs(&installation), format!("{}{SMALL}jobs = 4\n", programs(&installation)));
    Stage::on(server, PORTABLE).compare(&[("whole", &whole), ("small", &small)]);
}

#[test]
fn a_database_of_version_17_comes_back() {
    comes_back(17);
}

#[test]
fn a_database_of_version_18_comes_back() {
    comes_back(18);
}

/// A locale provider that came with version 17.
#[test]
fn a_database_with_a_builtin_locale_is_made_anew_as_it_was() {
    let Some((installation, server)) = other(17) else { return };
    server.create("shop", "LOCALE_PROVIDER builtin BUILTIN_LOCALE 'C.UTF-8' TEMPLATE template0");
    server.sql("shop", "CREATE TABLE t AS SELECT 1 AS a");
    let expected = dump(&server, "shop", &["--create"]);
    let place = tempfile::tempdir().expect("a directory");
    let host = host(place.path(), &server, "shop", "shop", &programs(&installation));
    host.run(["dump", "out.zip"]).expect(0);
    host.run(["restore", "--recreate", "--yes", "out.zip"]).expect(0);
    assert!(expected.contains("LOCALE_PROVIDER = builtin"), "{expected}");
    assert_equal(&expected, &dump(&server, "shop", &["--create"]), "builtin");
}

fn takes_what_the_older_gave(major: u32) {
    let Some((_, new)) = other(major) else { return };
    let old = Server::start();
    prepare(&old);
    prepare(&new);
    PORTABLE.make(&old);
    new.create("reference", &PORTABLE.options());
    new.create("restored", &PORTABLE.options());
    let place = tempfile::tempdir().expect("a directory");
    let reference = place.path().join("reference.dump");
    let mut pg_dump = old.program("pg_dump");
    pg_dump.args(["-Fc", "-d", PORTABLE.name, "-f"]).arg(&reference);
    succeed(pg_dump);
    let mut pg_restore = new.program("pg_restore");
    pg_restore.args(["--exit-on-error", "-d", "reference"]).arg(&reference);
    succeed(pg_restore);
    std::fs::write(place.path().join("copy.toml"), configuration(&new.url("restored"), SMALL)).expect("a configuration");
    let host = Host::configured(place.path(), &configuration(&old.url(PORTABLE.name), SMALL));
    host.run(["dump", "out.zip"]).expect(0);
    host.run(["restore", "-c", "copy.toml", "out.zip"]).expect(0);
    assert_equal(&dump(&new, "reference", &[]), &dump(&new, "restored", &[]), "newer");
}

#[test]
fn version_17_takes_what_an_older_one_gave_as_with_pg_restore() {
    takes_what_the_older_gave(17);
}

#[test]
fn version_18_takes_what_an_older_one_gave_as_with_pg_restore() {
    takes_what_the_older_gave(18);
}

fn gives_nothing_to_an_older_one(major: u32) {
    let Some((installation, new)) = other(major) else { return };
    let old = Server::start();
    new.create("shop", "");
    new.sql("shop", "CREATE TABLE t (a int)");
    old.create("shop", "");
    let place = tempfile::tempdir().expect("a directory");
    std::fs::write(place.path().join("copy.toml"), configuration(&old.url("shop"), &programs(&installation))).expect("a configuration");
    let too_old = Host::configured(place.path(), &configuration(&new.url("shop"), &programs(old.installation())));
    let ended = too_old.run(["dump", "out.zip"]).expect(1);
    assert!(ended.stderr.contains(&format!("`pg_dump` {major} or newer is needed")) && ended.stderr.contains("pg_bin"), "{ended}");
    let host = Host::configured(place.path(), &configuration(&new.url("shop"), &programs(&installation)));
    host.run(["dump", "out.zip"]).expect(0);
    let ended = host.run(["restore", "-c", "copy.toml", "out.zip"]).expect(1);
    let told = format!("the server is of version {}, and `pg_restore` {major}", old.installation().major());
    assert!(ended.stderr.contains(&told), "`{told}` is missing: {ended}");
    host.run(["restore", "--recreate", "--yes", "out.zip"]).expect(0);
}

#[test]
fn version_17_gives_nothing_to_an_older_one_before_that_is_said() {
    gives_nothing_to_an_older_one(17);
}

#[test]
fn version_18_gives_nothing_to_an_older_one_before_that_is_said() {
    gives_nothing_to_an_older_one(18);
}
