//! What this machine has for the tests: programs that `tests/run` installs, and the one way to say that a test cannot run.

use std::env;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A Python whose `zipfile`, or its backport `backports.zstd`, reads zstd.
///
/// # Panics
/// `tests/run` has not set `DR_HOST_TEST_PYTHON`.
pub fn python() -> PathBuf {
    env::var_os("DR_HOST_TEST_PYTHON").map(PathBuf::from).expect("DR_HOST_TEST_PYTHON is not set: `tests/run` sets it")
}

/// The S3 server `garage`.
///
/// # Panics
/// `tests/run` has not set `DR_HOST_TEST_GARAGE`, and there is none on the `PATH`.
pub fn garage() -> PathBuf {
    match env::var_os("DR_HOST_TEST_GARAGE") {
        Some(path) => path.into(),
        None if is_installed("garage") => "garage".into(),
        None => panic!("DR_HOST_TEST_GARAGE is not set, and `garage` is not installed: `tests/run` installs it and sets it"),
    }
}

/// A guest: a driver that is a component, as `guest-drivers/build` built it.
///
/// # Panics
/// `tests/run` has not set `DR_HOST_TEST_GUESTS`, and it is not built where that command puts it.
pub fn guest(name: &str) -> PathBuf {
    let built = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../guest-drivers/out");
    let directory = env::var_os("DR_HOST_TEST_GUESTS").map_or_else(built, PathBuf::from);
    let component = directory.join(format!("{name}.wasm"));
    component
        .canonicalize()
        .unwrap_or_else(|_| panic!("`{}` is not built: `tests/run`, or `guest-drivers/build`, builds it", component.display()))
}

/// A program of the system's packages, such as `7zz`.
///
/// # Panics
/// It is not installed.
pub fn tool(name: &str) -> Command {
    assert!(is_installed(name), "`{name}` is not installed: `tests/run` installs what the tests need");
    Command::new(name)
}

/// Says that the running test cannot run on this machine, and why; the test then returns. `tests/run` names all such tests
/// at its end, and fails on CI.
///
/// # Panics
/// The test was started without `tests/run`, so that nobody would hear of it.
pub fn not_run(why: &str) {
    let test = std::thread::current().name().unwrap_or("a test").to_owned();
    let list = env::var_os("DR_HOST_TEST_NOT_RUN").unwrap_or_else(|| panic!("{test} cannot run here: {why}"));
    let mut list = std::fs::OpenOptions::new().append(true).open(list).expect("the list of tests that were not run is there");
    writeln!(list, "{test}: {why}").expect("the list of tests that were not run can be written");
}

fn is_installed(program: &str) -> bool {
    let found = Command::new("sh").args(["-c", "command -v \"$0\"", program]).stdout(Stdio::null()).status();
    found.is_ok_and(|status| status.success())
}
