//! Where an archive can be put, and what happens where it cannot: never anything under its name but a whole archive.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use dr_host_tests::host::{Host, binary};
use dr_host_tests::machine;
use tempfile::TempDir;

const CONFIGURATION: &str = "version = 1\n[[set]]\nname = \"media\"\ndriver = \"filesystem\"\npath = \"media\"\n";

/// Eight megabytes that do not compress, and a place `out` for their archive.
fn media() -> (TempDir, Host) {
    let directory = tempfile::tempdir().unwrap();
    fs::create_dir(directory.path().join("media")).unwrap();
    fs::create_dir(directory.path().join("out")).unwrap();
    let mut dice = fastrand::Rng::with_seed(5);
    for number in 0..8 {
        let content: Vec<u8> = (0..1 << 20).map(|_| dice.u8(..)).collect();
        fs::write(directory.path().join(format!("media/{number}.jpg")), content).unwrap();
    }
    let host = Host::configured(directory.path(), CONFIGURATION);
    (directory, host)
}

fn names(directory: &Path) -> Vec<String> {
    fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[test]
fn an_archive_is_for_its_owner_alone() {
    let (directory, host) = media();
    host.run(["dump", "out/a.zip"]).expect(0);
    assert_eq!(names(&directory.path().join("out")), ["a.zip"]);
    assert_eq!(fs::metadata(directory.path().join("out/a.zip")).unwrap().permissions().mode() & 0o7777, 0o600);
}

#[test]
fn a_missing_directory_is_named() {
    let (_directory, host) = media();
    let ended = host.run(["dump", "nowhere/a.zip"]);
    assert_ne!(ended.code, Some(0));
    assert!(ended.stderr.contains("nowhere") && ended.stderr.contains("make the directory"), "{ended}");
}

#[test]
fn a_directory_that_may_not_be_written_is_named_and_left_as_it_was() {
    let (directory, _) = media();
    // Of the directory's owner, since root may write everywhere.
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755)).unwrap();
    fs::set_permissions(directory.path().join("out"), fs::Permissions::from_mode(0o555)).unwrap();
    let mut command = if rustix::process::geteuid().is_root() {
        let mut command = machine::tool("setpriv");
        command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]).arg(copy_of_binary(directory.path()));
        command
    } else {
        Command::new(binary())
    };
    let output = command.args(["dump", "out/a.zip"]).current_dir(directory.path()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("cannot write `out/a.zip`: permission denied"), "{said}");
    assert_eq!(names(&directory.path().join("out")), [""; 0]);
}

/// The binary where also another user finds it.
fn copy_of_binary(directory: &Path) -> std::path::PathBuf {
    let copy = directory.join("dr-host");
    fs::copy(binary(), &copy).unwrap();
    copy
}

#[test]
fn a_full_disk_is_named_and_nothing_stays_on_it() {
    let (directory, _) = media();
    let out = directory.path().join("out");
    // A small disk that only this command sees.
    let script = "mount -t tmpfs -o size=3m dr-host-test out || exit 99
        \"$0\" dump out/a.zip; code=$?
        ls -A out
        exit $code";
    let output = machine::tool("unshare")
        .args(["--mount", "sh", "-c", script])
        .arg(binary())
        .current_dir(directory.path())
        .env("LC_ALL", "C")
        .output()
        .unwrap();
    let (said, left) = (String::from_utf8_lossy(&output.stderr), String::from_utf8_lossy(&output.stdout));
    if output.status.code() == Some(99) || said.contains("unshare failed") {
        return machine::not_run("file systems cannot be mounted here");
    }
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("cannot write `out/a.zip`: no space left on device") || said.contains("no storage space"), "{said}");
    assert!(said.contains("free some space"), "{said}");
    assert!(!left.contains("a.zip"), "{left}");
    assert_eq!(names(&out), [""; 0]);
}

#[test]
fn a_limit_on_the_size_of_files_is_named_and_nothing_is_left() {
    let (directory, _) = media();
    let output = machine::tool("bash")
        .args(["-c", "ulimit -f 3072 && exec \"$0\" dump out/a.zip"])
        .arg(binary())
        .current_dir(directory.path())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("cannot write `out/a.zip`: file too large"), "{said}");
    assert!(said.contains("ulimit -f"), "{said}");
    assert_eq!(names(&directory.path().join("out")), [""; 0]);
}

#[test]
fn what_a_killed_dump_left_is_replaced_and_a_running_one_is_not() {
    let (directory, host) = media();
    let partial = directory.path().join("out/.a.zip.partial");
    fs::write(&partial, "of a dump that was killed").unwrap();
    host.run(["dump", "out/a.zip"]).expect(0);
    assert_eq!(names(&directory.path().join("out")), ["a.zip"]);

    // Whoever holds the lock is writing.
    fs::write(&partial, "of a dump that runs").unwrap();
    let running = fs::File::open(&partial).unwrap();
    running.lock().unwrap();
    let ended = host.run(["dump", "out/a.zip", "--overwrite"]).expect(1);
    assert!(ended.stderr.contains("another dump is writing `out/a.zip`"), "{ended}");
    assert_eq!(fs::read_to_string(&partial).unwrap(), "of a dump that runs");
}

#[test]
fn standard_output_takes_an_archive_and_a_closed_pipe_fails_the_dump() {
    let (directory, host) = media();
    let output = host.command(["dump", "-"]).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    fs::write(directory.path().join("out/a.zip"), &output.stdout).unwrap();
    host.run(["verify", "out/a.zip"]).expect(0);

    let script = "\"$0\" dump - 2>said | head -c 100000 >/dev/null; exit 0";
    machine::tool("bash").args(["-c", script]).arg(binary()).current_dir(directory.path()).status().unwrap();
    let said = fs::read_to_string(directory.path().join("said")).unwrap();
    assert!(said.contains("cannot write standard output") || said.contains("cannot write `standard output`"), "{said}");
}
