//! `dr-host driver …`: for who writes a driver.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use dr_host_tests::component::Guest;
use dr_host_tests::host::{Host, binary};
use dr_host_tests::machine;
use dr_host_tests::transcript::transcript;
use insta::assert_snapshot;
use serde_json::Value;
use tempfile::TempDir;

/// A directory for the tests of one driver.
fn here() -> (TempDir, Host) {
    let directory = tempfile::tempdir().expect("a directory");
    let host = Host::new(directory.path()).env("XDG_CACHE_HOME", &directory.path().join("cache").display().to_string());
    (directory, host)
}

#[test]
fn the_contract_is_printed() {
    let (_directory, host) = here();
    let said = host.run(["driver", "wit"]).expect(0);
    assert_eq!(said.stdout, include_str!("../../../wit/driver.wit"));
}

#[test]
fn help_says_what_there_is() {
    let (_directory, host) = here();
    assert_snapshot!("driver_help", transcript(&host, &[&["driver", "--help"], &["driver", "test", "--help"]]));
}

#[test]
fn a_component_is_inspected() {
    let (directory, host) = here();
    let schema = r#"{"type":"object","required":["address"],"properties":{
        "address":{"type":"string","description":"Where the server listens"},"database":{"type":"integer","default":0},"mode":{"enum":["a","b"]}}}"#;
    Guest::new().named("shop-state", "1.2.3").schema(schema).needs(0, "/address", false).needs(4, "password", true).write(directory.path());
    assert_snapshot!("driver_inspect", transcript(&host, &[&["driver", "inspect", "driver.wasm"]]));
    let said = host.run(["driver", "inspect", "driver.wasm", "--json"]).expect(0);
    let document: Value = serde_json::from_str(&said.stdout).expect("a document");
    assert_eq!((&document["contract"], &document["needs"][0]["capability"]), (&"0.1.0".into(), &"network".into()), "{document:#}");
}

#[test]
fn what_is_no_driver_is_told() {
    let (directory, host) = here();
    fs::write(directory.path().join("text.wasm"), "hello").expect("a file");
    Guest::new().contract_version("0.9.0").write(directory.path());
    let commands: [&[&str]; 4] = [
        &["driver", "inspect", "text.wasm"],
        &["driver", "inspect", "driver.wasm"],
        &["driver", "inspect", "none.wasm"],
        &["driver", "test", "text.wasm", "--grant", "write=DIR:/data"],
    ];
    assert_snapshot!("driver_none", transcript(&host, &commands));
}

#[test]
fn a_test_is_refused_that_would_throw_away_what_stands_somewhere() {
    let (directory, host) = here();
    Guest::new().write(directory.path());
    let commands: [&[&str]; 4] = [
        &["driver", "test", "driver.wasm", "--grant", "write=/srv/notes:/data"],
        &["driver", "test", "driver.wasm", "--grant", "write=DIR:/data", "--config", "{"],
        &["driver", "test", "driver.wasm", "--grant", "write=DIR:/data", "--only", "no such case"],
        &["driver", "test", "driver.wasm", "--grant", "rite=DIR:/data"],
    ];
    assert_snapshot!("driver_test_refused", transcript(&host, &commands));
}

/// A driver that forgets what it restores: the table says so, in text and as JSON.
#[test]
fn a_driver_that_breaks_the_contract_fails_the_test() {
    let (directory, host) = here();
    Guest::new().write(directory.path());
    let arguments = ["driver", "test", "driver.wasm", "--grant", "write=DIR:/data", "--only", "round trip: a few"];
    let said = host.run(arguments).expect(1);
    assert!(said.stdout.contains("failed: round trip: a few items: "), "{said}");
    assert!(said.stdout.ends_with("1 cases: 0 passed, 1 failed, 0 left out\n"), "{said}");
    let said = host.run(arguments.iter().copied().chain(["--json"])).expect(1);
    let document: Value = serde_json::from_str(&said.stdout).expect("a document");
    assert_eq!((&document["passed"], &document["cases"][0]["verdict"]), (&false.into(), &"failed".into()), "{document:#}");
}

/// A driver that fails at whatever is restored: what is left out for that names how it failed first.
#[test]
fn what_is_left_out_of_a_test_says_why() {
    for moment in ["restore", "after-restore"] {
        let (directory, host) = here();
        let mut guest = Guest::new();
        let why = guest.text("the shelf is full");
        guest.body(moment, &format!("(call $fail (i32.const 7) {why})")).write(directory.path());
        let said = host.run(["driver", "test", "driver.wasm", "--grant", "write=DIR:/data", "--only", "round trip: a few"]);
        let expected = "the driver takes none of the items that the suite makes up: the shelf is full";
        assert!(said.stdout.contains(expected), "{said}");
    }
    for (guest, why) in
        [(Guest::new(), "the driver has no columns"), (Guest::new().with_columns(), "the suite does not know the driver's columns")]
    {
        let (directory, host) = here();
        guest.write(directory.path());
        let said = host.run(["driver", "test", "driver.wasm", "--grant", "write=DIR:/data", "--only", "values of a link"]);
        assert!(said.stdout.contains("left out") && said.stdout.contains(why), "{said}");
    }
}

#[test]
fn a_new_driver_is_a_whole_project() {
    let (directory, host) = here();
    assert_snapshot!(
        "driver_new",
        transcript(&host, &[&["driver", "new", "my-state"], &["driver", "new", "my-state"], &["driver", "new", "My State"]])
    );
    let made = |name: &str| fs::read_to_string(directory.path().join("my-state").join(name)).expect("the file is made");
    assert_eq!(made("wit/driver.wit"), include_str!("../../../wit/driver.wit"));
    assert!(made("Cargo.toml").contains("name = \"my-state\"") && made("build").contains("my_state.wasm"));
    for name in ["Cargo.toml", "src/lib.rs", "build", "test", "README.md", ".gitignore"] {
        assert!(!made(name).contains("{{"), "{name}");
    }
    let mode = fs::metadata(directory.path().join("my-state/build")).expect("it is there").permissions().mode();
    assert_eq!(mode & 0o100, 0o100, "{mode:o}");
}

/// As its author would: made, built, tested, with what this machine has.
#[test]
fn a_new_driver_builds_and_passes_its_own_test_as_made() {
    if !has_wasm_rust() {
        machine::not_run("there is no Rust for wasm32-wasip2");
        return;
    }
    let (directory, host) = here();
    host.run(["driver", "new", "my-state"]).expect(0);
    let project = directory.path().join("my-state");
    let output = Command::new(project.join("test"))
        .current_dir("/")
        .env("DR_HOST", binary())
        .env("CARGO_TARGET_DIR", target())
        .env("XDG_CACHE_HOME", directory.path().join("cache"))
        .output()
        .expect("the test can be started");
    let (said, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{said}\n{errors}");
    assert!(said.contains(" 0 failed, "), "{said}");
    assert!(project.join("my-state.wasm").is_file());
}

/// Where the build's results are kept from run to run: beside this build's own.
fn target() -> PathBuf {
    binary().ancestors().nth(2).unwrap_or(Path::new("/tmp")).join("driver-new")
}

fn has_wasm_rust() -> bool {
    let installed = Command::new("rustup").args(["target", "list", "--installed"]).output();
    let by_rustup = installed.is_ok_and(|output| String::from_utf8_lossy(&output.stdout).lines().any(|line| line == "wasm32-wasip2"));
    let debian = ["/usr/bin/cargo", "/usr/lib/rustlib/src/rust/library", "/usr/lib/wasm32-wasi/libc.a"];
    by_rustup || debian.iter().all(|path| Path::new(path).exists())
}
