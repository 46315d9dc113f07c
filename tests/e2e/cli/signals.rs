//! Ctrl-C, SIGTERM and SIGHUP, as far as the command line has a part in it; what the engine does then is shown in `engine`.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};

use dr_host_tests::host::{Host, Running};
use rustix::process::{Pid, Signal, kill_process};

fn signal(running: &Running, signal: Signal) {
    kill_process(Pid::from_raw(running.id().cast_signed()).unwrap(), signal).unwrap();
}

/// A set whose restore waits until it is cancelled.
const WAITS: &str =
    "version = 1\n[[set]]\nname = \"a\"\ndriver = \"probe\"\nnames = [\"x\"]\njournal = \"journal\"\nwait = { restore = \"never\" }\n";

/// A set whose dump waits whatever happens.
const DEAF: &str = "version = 1\n[[set]]\nname = \"a\"\ndriver = \"probe\"\nwait = { dump = \"never\" }\ndeaf = true\n";

#[test]
fn an_interrupted_restore_ends_cleanly_and_says_so() {
    let directory = tempfile::tempdir().unwrap();
    let host = Host::configured(directory.path(), WAITS);
    host.run(["dump", "a.zip"]).expect(0);
    for (sent, code) in [(Signal::HUP, 129), (Signal::INT, 130), (Signal::TERM, 143)] {
        let mut running = host.start(["restore", "a.zip", "--json"]);
        running.until(|event| event["moment"] == "restore");
        signal(&running, sent);
        let ended = running.wait().expect(code);
        assert_eq!(ended.events().last().unwrap()["outcome"], "interrupted");
        assert_eq!(ended.events().last().unwrap()["exit_code"], code);
    }
}

#[test]
fn a_run_outlives_its_terminal_where_it_was_started_to() {
    let directory = tempfile::tempdir().unwrap();
    let host = Host::configured(directory.path(), WAITS);
    host.run(["dump", "a.zip"]).expect(0);
    let journal = directory.path().join("journal");
    fs::remove_file(&journal).unwrap();
    let ignoring = "trap '' HUP; exec \"$@\"";
    let mut command = std::process::Command::new("sh");
    command.args(["-c", ignoring, "sh"]).arg(dr_host_tests::host::binary()).args(["restore", "a.zip"]).current_dir(directory.path());
    let mut running = command.stderr(Stdio::piped()).spawn().unwrap();
    let begun = Instant::now();
    while !fs::read_to_string(&journal).is_ok_and(|journal| journal.contains(" restore")) {
        assert!(begun.elapsed() < Duration::from_secs(60), "the restore does not begin");
        thread::sleep(Duration::from_millis(5));
    }
    let pid = Pid::from_child(&running);
    kill_process(pid, Signal::HUP).unwrap();
    thread::sleep(Duration::from_millis(200));
    kill_process(pid, Signal::TERM).unwrap();
    assert_eq!(running.wait().unwrap().code(), Some(143), "the first signal that counts");
}

#[test]
fn a_second_signal_leaves_no_unfinished_archive() {
    let directory = tempfile::tempdir().unwrap();
    let host = Host::configured(directory.path(), DEAF);
    // Without `--json`, so that standard error says when the first signal has arrived.
    let mut running = host.command(["dump", "a.zip"]).stderr(Stdio::piped()).spawn().unwrap();
    let pid = Pid::from_child(&running);
    let begun = Instant::now();
    while !directory.path().join(".a.zip.partial").exists() {
        assert!(begun.elapsed() < Duration::from_secs(60), "the dump does not begin to write");
        thread::sleep(Duration::from_millis(5));
    }
    kill_process(pid, Signal::TERM).unwrap();
    let mut said = String::new();
    BufReader::new(running.stderr.as_mut().unwrap()).read_line(&mut said).unwrap();
    assert_eq!(said, "interrupted: ending cleanly; once more ends at once\n");
    kill_process(pid, Signal::INT).unwrap();
    assert_eq!(running.wait().unwrap().code(), Some(130));
    let left: Vec<_> = fs::read_dir(directory.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["dumprestore.toml"]);
}
