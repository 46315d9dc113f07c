//! A live application: rows and files come, go and change while they are dumped, and nothing dangles that was not reported.
//!
//! The dump goes to standard output, and the application works between one piece of it and the next: whatever the machine's
//! speed, all of its work falls into the copying.

mod application;

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fs;
use std::io::{Read, Write};
use std::path::Path;
use std::process::{ChildStderr, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use dr_host_tests::host::{Ended, Host};
use serde_json::Value;
use tempfile::TempDir;

use application::{Application, named, version};

const CONFIGURATION: &str = r#"
version = 1

[archive]
compression = "store"

[[set]]
name = "database"
driver = "sqlite"
path = "shop.db"

[[set]]
name = "media"
driver = "media"
url = "media"

[[link]]
from = "database"
column = "photo.image"
to = "media"
"#;

/// The archive is read in pieces of this size, and the application works after each.
const PIECE: usize = 1024 * 1024;

/// The size of a photo.
const PHOTO: usize = 256 * 1024;

/// The size of a film: it takes many pieces.
const FILM: usize = 24 * 1024 * 1024;

/// What a dump said on standard error, line by line, while it ran.
#[derive(Clone, Default)]
struct Said(Arc<Mutex<Vec<String>>>);

impl Said {
    fn listen(&self, to: ChildStderr) -> JoinHandle<()> {
        let said = self.clone();
        std::thread::spawn(move || {
            for line in std::io::BufRead::lines(std::io::BufReader::new(to)) {
                said.0.lock().expect("nobody panics here").push(line.expect("standard error is text"));
            }
        })
    }

    fn events(&self) -> Vec<Value> {
        let lines = self.0.lock().expect("nobody panics here");
        lines.iter().map(|line| serde_json::from_str(line).unwrap_or_else(|why| panic!("`{line}` is no event: {why}"))).collect()
    }

    fn has_begun(&self, set: &str, moment: &str) -> bool {
        self.events().iter().any(|event| event["event"] == "moment" && event["set"] == set && event["moment"] == moment)
    }

    fn has_finished(&self, set: &str) -> bool {
        self.events().iter().any(|event| event["event"] == "set-finished" && event["summary"]["set"] == set)
    }

    /// All findings, by kind and name.
    fn findings(&self) -> BTreeSet<(String, String)> {
        let events = self.events();
        events.iter().filter(|event| event["event"] == "finding").map(|event| kind_and_name(&event["finding"])).collect()
    }

    /// The names in the findings of this kind.
    fn found(&self, kind: &str) -> BTreeSet<String> {
        self.findings().into_iter().filter(|(found, _)| found == kind).map(|(_, name)| name).collect()
    }
}

fn kind_and_name(finding: &Value) -> (String, String) {
    let text = |key: &str| finding[key].as_str().expect("a finding has a kind and a name").to_owned();
    (text("kind"), text("name"))
}

/// Dumps into `archive`, and lets `work` do a little after each piece from when the media are copied until it has nothing more
/// to do. Says how the dump ended.
fn dump_meanwhile(host: &Host, archive: &Path, mut work: impl FnMut() -> bool) -> (Ended, Said) {
    let mut child = host.command(["dump", "--json", "-"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
    let mut stream = child.stdout.take().expect("its standard output is piped");
    let said = Said::default();
    let listening = said.listen(child.stderr.take().expect("its standard error is piped"));
    let mut file = fs::File::create(archive).expect("the archive can be made");
    let (mut piece, mut more) = (vec![0; PIECE], true);
    loop {
        let read = stream.read(&mut piece).expect("its standard output can be read");
        if read == 0 {
            break;
        }
        file.write_all(&piece[..read]).expect("the archive can be written");
        if more && said.has_begun("media", "dump") {
            more = work();
            assert!(!said.has_finished("media"), "the application's work must fall into the copying");
        }
    }
    let status = child.wait().expect("it can be waited for");
    listening.join().expect("its standard error was read");
    assert!(!more, "the dump was over before the application had done its work");
    let stderr = said.0.lock().expect("nobody panics here").join("\n");
    (Ended { code: status.code(), stdout: String::new(), stderr }, said)
}

/// The media in an archive, by name.
fn media_in(archive: &Path) -> BTreeMap<String, Vec<u8>> {
    entries_below(archive, "media/")
}

/// What any zip tool sees below a prefix: contents by name.
fn entries_below(archive: &Path, prefix: &str) -> BTreeMap<String, Vec<u8>> {
    let mut zip = zip::ZipArchive::new(fs::File::open(archive).expect("the archive is there")).expect("it is a zip");
    let mut found = BTreeMap::new();
    for number in 0..zip.len() {
        let mut entry = zip.by_index(number).expect("the entry is readable");
        let Some(name) = entry.name().expect("its name is UTF-8").strip_prefix(prefix).map(str::to_owned) else { continue };
        let mut content = Vec::new();
        entry.read_to_end(&mut content).expect("the entry is whole");
        found.insert(name, content);
    }
    found
}

/// The findings of the manifest, by kind and name.
fn recorded(archive: &Path) -> BTreeSet<(String, String)> {
    let mut zip = zip::ZipArchive::new(fs::File::open(archive).expect("the archive is there")).expect("it is a zip");
    let manifest = zip.by_name("dr-host/manifest.json").expect("it has a manifest");
    let manifest: Value = serde_json::from_reader(manifest).expect("the manifest is JSON");
    let findings = manifest["findings"].as_array().cloned().unwrap_or_default();
    findings.iter().map(kind_and_name).collect()
}

/// Restores into a fresh directory, and returns it.
fn restored(archive: &Path) -> TempDir {
    let elsewhere = tempfile::tempdir().expect("a directory");
    let host = Host::configured(elsewhere.path(), CONFIGURATION);
    host.run([OsStr::new("restore"), archive.as_os_str()]).expect(0);
    elsewhere
}

/// After a restore, every file that a row names is there, but for those of which the dump said that they dangle.
fn nothing_dangles_untold(restored: &Path, dangling: &BTreeSet<String>) {
    let named = named(&restored.join("shop.db"));
    let there = |name: &&String| restored.join("media").join(name).exists();
    let missing: BTreeSet<_> = named.iter().filter(|name| !there(name)).cloned().collect();
    assert_eq!(&missing, dangling, "what is missing after the restore is what was reported");
}

/// Files that an application deletes, overwrites, renames and adds while they are copied: everything that matters is reported.
#[test]
fn what_changes_while_it_is_copied_is_reported() {
    let here = tempfile::tempdir().expect("a directory");
    let host = Host::configured(here.path(), CONFIGURATION);
    let application = Application::open(here.path());
    let names: Vec<_> = (0..400).map(|number| format!("photo-{number:03}.jpg")).collect();
    for name in &names {
        application.insert(name, PHOTO);
    }
    let large = ["film-a.mp4", "film-b.mp4"];
    large.iter().for_each(|name| application.insert(name, FILM));

    // 60 times, while the media are copied: from the end of the listing, which is copied last, two photos are deleted and one
    // is renamed; two are overwritten anywhere, and so is a film, over and over; one is added.
    let (mut deleted, mut overwritten, mut step) = (Vec::new(), 0, 0);
    let mut doomed = names.iter().rev();
    let archive = here.path().join("shop.zip");
    let (ended, said) = dump_meanwhile(&host, &archive, || {
        for _ in 0..2 {
            let name = doomed.next().expect("there are enough");
            application.delete(name);
            deleted.push(name.clone());
        }
        let name = doomed.next().expect("there are enough");
        application.rename(name, &format!("renamed-{step}.jpg"));
        deleted.push(name.clone());
        for number in [step * 3, step * 3 + 1] {
            application.overwrite(&names[number], 1, PHOTO);
        }
        application.overwrite(large[step % 2], step as u32 + 1, FILM);
        overwritten += 3;
        application.insert(&format!("added-{step}.jpg"), 64 * 1024);
        step += 1;
        step < 60
    });
    assert!(deleted.len() >= 100 && overwritten >= 100, "{} deletions, {overwritten} overwrites", deleted.len());

    // It ended with findings, and the manifest has the ones that were said.
    let ended = ended.expect(3);
    let (vanished, changed, dangling) = (said.found("vanished"), said.found("changed"), said.found("dangling"));
    assert_eq!(recorded(&archive), said.findings(), "{ended}");

    // Every file that stood there at the beginning is in the archive, or is said to have vanished; its row then dangles.
    let media = media_in(&archive);
    let missing: BTreeSet<_> = names.iter().filter(|name| !media.contains_key(*name)).cloned().collect();
    assert!(!missing.is_empty(), "some were deleted before they were copied");
    assert_eq!(missing, vanished, "{ended}");
    assert_eq!(missing, dangling, "{ended}");
    assert!(missing.iter().all(|name| deleted.contains(name)), "nothing else vanished");

    // Every file in it is as it was at the beginning, or is said to have changed: be it a later version or a mixture.
    let other = media.iter().filter(|(name, content)| !name.starts_with("added") && version(content) != Some(0));
    let other: BTreeSet<_> = other.map(|(name, _)| name.clone()).collect();
    assert!(other.is_subset(&changed), "other content and not reported: {:?}", other.difference(&changed));
    assert!(large.iter().any(|name| changed.contains(*name)), "a film was overwritten while it was copied: {changed:?}");

    // `verify` says so again, and after a restore elsewhere nothing dangles but what was said.
    host.run(["verify", "shop.zip"]).expect(3);
    let elsewhere = restored(&archive);
    nothing_dangles_untold(elsewhere.path(), &dangling);
}

/// What is only added meanwhile makes orphans, and no finding.
#[test]
fn what_is_added_while_it_is_copied_does_not_matter() {
    let here = tempfile::tempdir().expect("a directory");
    let host = Host::configured(here.path(), CONFIGURATION);
    let application = Application::open(here.path());
    for number in 0..400 {
        application.insert(&format!("photo-{number:03}.jpg"), PHOTO);
    }
    let archive = here.path().join("shop.zip");
    let mut step = 0;
    let (ended, _) = dump_meanwhile(&host, &archive, || {
        for _ in 0..4 {
            application.insert(&format!("added-{step}.jpg"), 64 * 1024);
            step += 1;
        }
        step < 120
    });
    ended.expect(0);
    assert!(recorded(&archive).is_empty());
    host.run(["verify", "shop.zip"]).expect(0);
    nothing_dangles_untold(restored(&archive).path(), &BTreeSet::new());
}

/// Between the snapshot of the database and the listing of the media, while another set makes its checks, photos are deleted:
/// no driver can see that. The links check does.
#[test]
fn what_is_deleted_between_two_points_in_time_dangles() {
    let here = tempfile::tempdir().expect("a directory");
    let gate =
        "[[set]]\nname = \"gate\"\ndriver = \"probe\"\njournal = \"journal\"\nwait = { before_dump = \"go\" }\n\n[[set]]\nname = \"media\"";
    let host = Host::configured(here.path(), &CONFIGURATION.replace("[[set]]\nname = \"media\"", gate));
    let application = Application::open(here.path());
    for number in 0..50 {
        application.insert(&format!("photo-{number:03}.jpg"), 1000);
    }
    let mut run = host.start(["dump", "--json", "shop.zip"]);
    run.until(|event| event["event"] == "moment" && event["set"] == "gate");
    let deleted: BTreeSet<_> = (0..20).map(|number| format!("photo-{number:03}.jpg")).collect();
    deleted.iter().for_each(|name| application.delete(name));
    fs::write(here.path().join("go"), "").expect("the gate can be opened");
    let ended = run.wait().expect(3);

    let found = ended.events_of("finding").iter().map(|event| kind_and_name(&event["finding"])).collect();
    let expected: BTreeSet<_> = deleted.iter().map(|name| ("dangling".to_owned(), name.clone())).collect();
    assert_eq!(recorded(&here.path().join("shop.zip")), expected);
    assert_eq!(expected, found, "{ended}");
    let verified = host.run(["verify", "shop.zip"]).expect(3);
    assert!(deleted.iter().all(|name| verified.to_string().contains(name)), "each is named: {verified}");
}

/// An application that does what it likes, from before the dump until after it: whatever it hits, what is restored is what was
/// said.
#[test]
fn whatever_an_application_does_the_report_is_true() {
    for round in 0..3 {
        let here = tempfile::tempdir().expect("a directory");
        let host = Host::configured(here.path(), CONFIGURATION);
        let application = Application::open(here.path());
        let names: Vec<_> = (0..600).map(|number| format!("photo-{number:03}.jpg")).collect();
        names.iter().for_each(|name| application.insert(name, 32 * 1024));
        let archive = here.path().join("shop.zip");

        let running = AtomicBool::new(true);
        let ended = std::thread::scope(|scope| {
            let running = &running;
            scope.spawn(move || act(&application, names, round, running));
            let ended = host.run(["dump", "--json", "shop.zip"]);
            running.store(false, Ordering::SeqCst);
            ended
        });

        let findings: BTreeSet<_> = ended.events_of("finding").iter().map(|event| kind_and_name(&event["finding"])).collect();
        let ended = ended.expect(if findings.is_empty() { 0 } else { 3 });
        assert_eq!(recorded(&archive), findings, "{ended}");
        let of = |kind: &str| findings.iter().filter(|(found, _)| found == kind).map(|(_, name)| name.clone()).collect::<BTreeSet<_>>();
        let (changed, vanished) = (of("changed"), of("vanished"));
        for (name, content) in media_in(&archive) {
            assert!(version(&content).is_some() || changed.contains(&name), "`{name}` is mixed and not reported: {ended}");
            assert!(!vanished.contains(&name), "`{name}` vanished, and is there: {ended}");
        }
        nothing_dangles_untold(restored(&archive).path(), &of("dangling"));
    }
}

/// Deletes, overwrites, renames and adds as the dice fall, until the dump is over.
fn act(application: &Application, mut names: Vec<String>, seed: u64, running: &AtomicBool) {
    let mut dice = fastrand::Rng::with_seed(seed);
    let mut added = 0;
    while running.load(Ordering::SeqCst) && names.len() > 50 {
        let at = dice.usize(..names.len());
        added += 1;
        match dice.u32(..4) {
            0 => application.delete(&names.swap_remove(at)),
            1 => application.overwrite(&names[at], added, 16 * 1024 + dice.usize(..32 * 1024)),
            2 => {
                let new = format!("renamed-{added}.jpg");
                application.rename(&names[at], &new);
                names[at] = new;
            }
            _ => {
                let new = format!("added-{added}.jpg");
                application.insert(&new, 32 * 1024);
                names.push(new);
            }
        }
    }
}

/// Between the listing and the copying, listed files become other things: a directory, a link out of the tree, a pipe that
/// nobody writes to, nothing. The dump does not hang, and says of each that it is gone or changed. A tree of files is never left
/// through a link; media are read through links, and the change is told.
#[test]
fn what_listed_files_become_is_reported() {
    for (driver, key) in [("filesystem", "path"), ("media", "url")] {
        let here = tempfile::tempdir().expect("a directory");
        let sets = format!(
            "version = 1\n[[set]]\nname = \"gate\"\ndriver = \"probe\"\nwait = {{ dump = \"go\" }}\n\
             [[set]]\nname = \"files\"\ndriver = \"{driver}\"\n{key} = \"files\"\n"
        );
        let host = Host::configured(here.path(), &sets);
        let files = here.path().join("files");
        fs::create_dir_all(files.join("below")).expect("a directory");
        let names = ["directory", "link", "pipe", "gone", "below/gone too", "moved", "replaced", "grown", "stays"];
        names.iter().for_each(|name| fs::write(files.join(name), "as listed").expect("a file"));
        fs::write(here.path().join("outside"), "nobody's business").expect("a file");

        let mut run = host.start(["dump", "--json", "out.zip"]);
        run.until(|event| event["event"] == "moment" && event["set"] == "gate" && event["moment"] == "dump");
        for name in ["directory", "link", "pipe", "gone"] {
            fs::remove_file(files.join(name)).expect("it can be removed");
        }
        fs::create_dir(files.join("directory")).expect("a directory");
        std::os::unix::fs::symlink("../outside", files.join("link")).expect("a link");
        let made = std::process::Command::new("mkfifo").arg(files.join("pipe")).status().expect("`mkfifo` can be started");
        assert!(made.success());
        fs::remove_dir_all(files.join("below")).expect("it can be removed");
        fs::rename(files.join("moved"), files.join("elsewhere")).expect("it can be moved");
        fs::write(files.join("new"), "of the same size").expect("a file");
        fs::write(files.join("replacement"), "AS LISTED").expect("a file");
        fs::rename(files.join("replacement"), files.join("replaced")).expect("it can be replaced");
        fs::write(files.join("grown"), "as listed, and more").expect("it can be written");
        fs::write(here.path().join("go"), "").expect("the gate can be opened");
        let ended = run.wait().expect(3);

        let found: BTreeMap<_, _> =
            ended.events_of("finding").iter().map(|event| kind_and_name(&event["finding"])).map(|(kind, name)| (name, kind)).collect();
        for name in ["directory", "pipe", "gone", "below/gone too", "moved"] {
            assert_eq!(found.get(name).map(String::as_str), Some("vanished"), "{driver}, `{name}`: {ended}");
        }
        for name in ["replaced", "grown"] {
            assert_eq!(found.get(name).map(String::as_str), Some("changed"), "{driver}, `{name}`: {ended}");
        }
        assert!(found.contains_key("link"), "{driver}: {ended}");
        assert!(!found.contains_key("stays"), "{driver}: {ended}");
        let content: BTreeMap<_, _> = entries_below(&here.path().join("out.zip"), "files/");
        assert_eq!(content.get("stays").map(Vec::as_slice), Some(&b"as listed"[..]));
        let left = content.values().any(|content| content == b"nobody's business");
        assert!(driver == "media" || !left, "{driver} followed the link");
    }
}
