//! The engine through the command line, with the driver for tests: the order of the moments, what runs side by side, and
//! what becomes of a dump or a restore that fails or is interrupted.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use dr_host_tests::host::{Ended, Host, Running};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

/// A directory with a configuration and a journal, in which all probes write what is asked of them.
struct Place {
    dir: TempDir,
    host: Host,
}

impl Place {
    fn new(configuration: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let host = Host::configured(dir.path(), &format!("version = 1\n{configuration}"));
        Self { dir, host }
    }

    /// Another configuration from now on.
    fn configure(&self, configuration: &str) {
        fs::write(self.path("dumprestore.toml"), format!("version = 1\n{configuration}")).unwrap();
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Dumps into `out.zip`.
    fn dump(&self) -> Ended {
        self.run(&["dump", "out.zip"])
    }

    fn run(&self, arguments: &[&str]) -> Ended {
        let _none_yet = fs::remove_file(self.path("journal"));
        self.host.run(arguments)
    }

    fn start(&self, arguments: &[&str]) -> Running {
        let _none_yet = fs::remove_file(self.path("journal"));
        self.host.start(arguments)
    }

    /// What was asked of the probes, as far as it begins with a set and a moment.
    fn journal(&self) -> Vec<String> {
        fs::read_to_string(self.path("journal")).unwrap_or_default().lines().map(str::to_owned).collect()
    }

    /// Waits until the journal has all these lines.
    fn wait_for(&self, lines: &[&str]) {
        let begun = Instant::now();
        while !lines.iter().all(|line| self.journal().iter().any(|there| there == line)) {
            assert!(begun.elapsed() < Duration::from_secs(60), "{lines:?} is not in {:?}", self.journal());
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Everything that stands beside configuration and journal.
    fn left(&self) -> Vec<String> {
        let names = self.dir.path().read_dir().unwrap().map(|file| file.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<_> = names.filter(|name| name != "dumprestore.toml" && name != "journal").collect();
        names.sort();
        names
    }
}

/// A set with a probe, at the top of the tree.
fn probe(name: &str, more: &str) -> String {
    format!("[[set]]\n{}", body(name, more))
}

/// A set with a probe, below the one before it.
fn child(name: &str, more: &str) -> String {
    format!("[[set.children]]\n{}", body(name, more))
}

fn body(name: &str, more: &str) -> String {
    format!("name = \"{name}\"\ndriver = \"probe\"\nnames = [\"{name}-1\", \"{name}-2\"]\nsize = 100\njournal = \"journal\"\n{more}\n")
}

fn signal(running: &Running, signal: Signal) {
    kill_process(Pid::from_raw(running.id().cast_signed()).unwrap(), signal).unwrap();
}

fn moments(journal: &[String], ends: &str) -> Vec<String> {
    journal.iter().filter_map(|line| line.strip_suffix(ends)).map(str::to_owned).collect()
}

#[test]
fn the_six_moments_go_over_the_whole_tree_children_first_and_back() {
    let state = probe("state", "") + &child("sessions", "") + &child("keys", "");
    let place = Place::new(&(probe("database", "") + &state));
    place.dump().expect(0);
    let order = ["database", "state/sessions", "state/keys", "state"];
    let reverse: Vec<_> = order.iter().rev().copied().collect();
    let journal = place.journal();
    assert_eq!(moments(&journal, " before_dump"), order);
    assert_eq!(moments(&journal, " dump"), order);
    assert_eq!(moments(&journal, " after_dump: Ok"), reverse);
    let last_check = journal.iter().rposition(|line| line.ends_with("before_dump done")).unwrap();
    let first_dump = journal.iter().position(|line| line.ends_with(" dump")).unwrap();
    assert!(last_check < first_dump, "{journal:?}");

    place.run(&["restore", "out.zip"]).expect(0);
    let journal = place.journal();
    assert_eq!(moments(&journal, " before_restore"), reverse);
    assert_eq!(moments(&journal, " restore"), reverse);
    assert_eq!(moments(&journal, " after_restore: Ok"), order);
}

#[test]
fn all_failed_checks_are_told_and_nothing_is_written() {
    let faults =
        probe("a", "fail = [\"before_dump\"]\nsay = \"the disk is full\"") + &probe("b", "") + &probe("c", "panic = [\"before_dump\"]");
    let place = Place::new(&faults);
    let ended = place.dump().expect(1);
    for said in ["a (probe, before_dump): told to fail the disk is full", "c (probe, before_dump): the driver panicked"] {
        assert!(ended.stderr.contains(said), "{ended}");
    }
    assert_eq!(place.left(), [""; 0]);
    let told = place.journal().iter().filter(|line| line.contains("after_dump: ")).count();
    assert_eq!(told, 3, "who failed is told too: {:?}", place.journal());
    assert!(moments(&place.journal(), " dump").is_empty());
}

#[test]
fn a_parallel_group_dumps_and_restores_side_by_side() {
    let group = |wait: &str| format!("[[set]]\nname = \"g\"\nparallel = true\n{}{}", child("a", wait), child("b", wait));
    let place = Place::new(&group("wait = { dump = \"go\", restore = \"go\" }"));
    for (command, moment) in [("dump", "dump"), ("restore", "restore")] {
        let running = place.start(&[command, "out.zip", "--json"]);
        // Neither gets on before the file is there: both are within the moment at once.
        place.wait_for(&[&format!("g/a {moment}"), &format!("g/b {moment}")]);
        assert!(!place.journal().iter().any(|line| line.ends_with(&format!("{moment} done")) && !line.contains("before")));
        fs::write(place.path("go"), "").unwrap();
        running.wait().expect(0);
        fs::remove_file(place.path("go")).unwrap();
    }
}

#[test]
fn the_first_set_that_fails_cancels_what_runs_beside_it() {
    let group = format!(
        "[[set]]\nname = \"g\"\nparallel = true\n{}{}",
        child("patient", "wait = { dump = \"never\" }"),
        child("bad", "wait = { dump = \"go\" }\nfail = [\"dump\"]\nsay = \"no such table\"")
    );
    let place = Place::new(&(group + &probe("last", "")));
    let running = place.start(&["dump", "out.zip", "--json"]);
    place.wait_for(&["g/patient dump", "g/bad dump"]);
    fs::write(place.path("go"), "").unwrap();
    let ended = running.wait().expect(1);
    let errors = ended.events_of("error");
    assert_eq!(errors.len(), 1, "the cancelled one is no cause: {ended}");
    assert_eq!((&errors[0]["failure"]["set"], &errors[0]["failure"]["moment"]), (&"g/bad".into(), &"dump".into()));
    assert!(!place.journal().contains(&"last dump".into()));
    assert_eq!(place.left(), ["go"]);
}

#[test]
fn interrupted_dumps_end_cleanly_with_the_signals_exit_code() {
    for (number, code) in [(Signal::INT, 130), (Signal::TERM, 143)] {
        let place = Place::new(&(probe("a", "") + &probe("b", "wait = { dump = \"never\" }") + &probe("c", "")));
        let mut running = place.start(&["dump", "out.zip", "--json"]);
        running.until(|event| event["event"] == "moment" && event["set"] == "b" && event["moment"] == "dump");
        assert!(place.path(".out.zip.partial").exists(), "the dump is writing");
        signal(&running, number);
        let ended = running.wait().expect(code);
        assert_eq!(place.left(), [""; 0]);
        assert_eq!(moments(&place.journal(), " after_dump: Cancelled"), ["c", "b", "a"]);
        let last = ended.events().pop().unwrap();
        assert_eq!((&last["event"], &last["outcome"], &last["exit_code"]), (&"finished".into(), &"interrupted".into(), &code.into()));
    }
}

#[test]
fn a_second_signal_ends_at_once_whatever_a_driver_waits_for() {
    let place = Place::new(&probe("a", "wait = { dump = \"never\", after_dump = \"never\" }"));
    let running = place.start(&["dump", "out.zip", "--json"]);
    place.wait_for(&["a dump"]);
    signal(&running, Signal::INT);
    place.wait_for(&["a after_dump: Cancelled"]);
    signal(&running, Signal::INT);
    running.wait().expect(130);
    assert_eq!(place.left(), [""; 0]);
}

#[test]
fn a_driver_that_panics_makes_no_archive() {
    let place = Place::new(&(probe("a", "panic = [\"dump\"]") + &probe("b", "")));
    let ended = place.dump().expect(1);
    assert!(ended.stderr.contains("a (probe, dump): the driver panicked: told to panic"), "{ended}");
    assert_eq!(place.left(), [""; 0]);
    let told: Vec<_> = place.journal().into_iter().filter(|line| line.contains("after_dump: ")).collect();
    assert!(told[0].starts_with("b after_dump: Failed(") && told[1].starts_with("a after_dump: Trapped("), "{told:?}");
}

#[test]
fn findings_are_named_on_stderr_and_in_the_manifest_and_give_exit_code_3() {
    let place = Place::new(&probe("media", "findings = { \"gone.jpg\" = \"vanished\", \"busy.jpg\" = \"changed\" }"));
    let ended = place.dump().expect(3);
    let findings = manifest(&place.path("out.zip"))["findings"].clone();
    for (name, kind) in [("gone.jpg", "vanished"), ("busy.jpg", "changed")] {
        assert!(ended.stderr.contains(name), "{ended}");
        let found = findings.as_array().unwrap().iter().find(|finding| finding["name"] == name).unwrap();
        assert_eq!((&found["set"], &found["kind"]), (&"media".into(), &kind.into()));
    }
    place.run(&["verify", "out.zip"]).expect(0);
    let restored = place.run(&["restore", "out.zip"]).expect(0);
    assert!(restored.stderr.contains("gone.jpg"), "a restore tells what the archive records: {restored}");
}

#[test]
fn an_after_dump_that_fails_leaves_the_archive_and_exit_code_3() {
    let place = Place::new(&probe("database", "fail = [\"after_dump\"]\nsay = \"cannot unlock\""));
    let ended = place.dump().expect(3);
    assert!(ended.stderr.contains("cannot unlock"), "{ended}");
    let finding = &manifest(&place.path("out.zip"))["findings"][0];
    assert_eq!((&finding["kind"], &finding["name"]), (&"after-failed".into(), &"after_dump".into()));
    place.run(&["verify", "out.zip"]).expect(0);
}

#[test]
fn a_failing_restore_tells_which_sets_are_restored_which_half_done_and_which_untouched() {
    let sets = |fault: &str| probe("database", "") + &probe("media", fault) + &probe("keys", "");
    let place = Place::new(&sets(""));
    place.dump().expect(0);
    place.configure(&sets("fail = [\"restore\"]"));
    let ended = place.run(&["restore", "out.zip"]).expect(1);
    assert!(ended.stderr.contains("restored: `keys`; half done: `media`; untouched: `database`"), "{ended}");
    let ended = place.run(&["restore", "out.zip", "--json"]).expect(1);
    let last = ended.events().pop().unwrap();
    let states: Vec<_> = last["sets"].as_array().unwrap().iter().map(|set| (set["set"].clone(), set["state"].clone())).collect();
    let expected = [("keys", "done"), ("media", "half-done"), ("database", "untouched")];
    assert_eq!(states, expected.map(|(set, state)| (Value::from(set), Value::from(state))));

    place.configure(&sets("wait = { restore = \"never\" }"));
    let running = place.start(&["restore", "out.zip", "--json"]);
    place.wait_for(&["media restore"]);
    signal(&running, Signal::TERM);
    let ended = running.wait().expect(143);
    assert!(ended.stdout.contains("restored: `keys`; half done: `media`; untouched: `database`"), "{ended}");
    assert_eq!(moments(&place.journal(), " after_restore: Cancelled"), ["database", "media", "keys"]);
}

#[test]
fn a_restore_whose_checks_fail_touches_nothing() {
    let sets = |fault: &str| probe("a", fault) + &probe("b", fault);
    let place = Place::new(&sets(""));
    place.dump().expect(0);
    place.configure(&sets("fail = [\"before_restore\"]"));
    let ended = place.run(&["restore", "out.zip"]).expect(1);
    for set in ["a", "b"] {
        assert!(ended.stderr.contains(&format!("{set} (probe, before_restore): told to fail")), "{ended}");
    }
    assert!(moments(&place.journal(), " restore").is_empty());
}

#[test]
fn links_are_checked_by_the_dump_and_again_by_verify() {
    let link = "[[link]]\nfrom = \"database\"\ncolumn = \"photo.image\"\nto = \"media\"\n";
    let place = Place::new(&(probe("database", "values = [\"media-1\", \"gone.jpg\"]") + &probe("media", "") + link));
    for arguments in [["dump", "out.zip"], ["verify", "out.zip"]] {
        let ended = place.run(&arguments).expect(3);
        assert!(ended.stderr.contains("gone.jpg"), "{ended}");
    }
    let check = manifest(&place.path("out.zip"))["links"][0]["check"].clone();
    assert_eq!(check, serde_json::json!({ "checked": 2, "dangling": 1, "dangling_names": ["gone.jpg"], "orphaned": 1 }));
}

/// The manifest of an archive, as another reader finds it.
fn manifest(archive: &Path) -> Value {
    let mut zip = zip::ZipArchive::new(fs::File::open(archive).unwrap()).unwrap();
    serde_json::from_reader(zip.by_name("dr-host/manifest.json").unwrap()).unwrap()
}
