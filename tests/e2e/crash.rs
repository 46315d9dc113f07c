//! `kill -9` while a dump runs: whatever the moment, a name that looks like an archive is a whole archive.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::thread;
use std::time::Duration;

use dr_host::archive::reader::ArchiveReader;
use dr_host::cancel::Cancel;
use dr_host::store::open_source;
use dr_host_tests::host::Host;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

/// How many dumps are killed.
const KILLS: usize = 200;

/// The phases over which the kills must be spread, and how many at least must hit each.
const PHASES: [&str; 6] = ["start", "checks", "copy of database", "copy of media", "indexes and links", "manifest and end"];
const AT_LEAST: usize = 4;

const CONFIGURATION: &str = r#"
version = 1

[[set]]
name = "database"
driver = "sqlite"
path = "shop.db"

[[set]]
name = "media"
driver = "media"
path = "media"
"#;

/// A database whose rows name files, and the files.
fn shop(directory: &Path) -> Host {
    fs::create_dir(directory.join("media")).unwrap();
    let database = rusqlite::Connection::open(directory.join("shop.db")).unwrap();
    database.execute_batch("PRAGMA journal_mode = wal; CREATE TABLE photo (image TEXT)").unwrap();
    for number in 0..40 {
        let name = format!("{number}.jpg");
        database.execute("INSERT INTO photo VALUES (?1)", [&name]).unwrap();
        fs::write(directory.join("media").join(name), vec![number; 5_000 * usize::from(number)]).unwrap();
    }
    fs::create_dir(directory.join("backup")).unwrap();
    // Many links, so that their check takes long enough to be hit.
    let link = "[[link]]\nfrom = \"database\"\ncolumn = \"photo.image\"\nto = \"media\"\n";
    Host::configured(directory, &format!("{CONFIGURATION}{}", link.repeat(50)))
}

/// In which phase a run was whose last event was this.
fn phase(last: Option<&Value>) -> &'static str {
    let Some(event) = last else { return "start" };
    match (event["event"].as_str().unwrap(), event["moment"].as_str(), event["set"].as_str()) {
        ("set-finished", ..) if event["summary"]["set"] == "media" => "indexes and links",
        ("link", ..) => "indexes and links",
        ("moment", Some("dump"), Some("database")) => "copy of database",
        ("moment", Some("dump"), Some("media")) | ("set-finished", ..) => "copy of media",
        ("progress", _, Some(set)) => {
            if set == "media" {
                "copy of media"
            } else {
                "copy of database"
            }
        }
        ("moment", Some("after_dump"), _) | ("finished", ..) => "manifest and end",
        _ => "checks",
    }
}

fn assert_whole(archive: &Path) {
    let archive = ArchiveReader::open(open_source(archive.to_str().unwrap()).unwrap()).unwrap();
    assert_eq!(archive.verify(&Cancel::new(), &|_, _| {}).unwrap(), []);
    assert_eq!(archive.manifest().sets.len(), 2);
}

#[test]
fn a_dump_that_is_killed_leaves_a_whole_archive_or_none() {
    let place = tempfile::tempdir().unwrap();
    let host = shop(place.path());
    let backup = place.path().join("backup");
    let (new, old) = (backup.join("new.zip"), backup.join("old.zip"));
    let events = host.run(["dump", "backup/old.zip", "--json"]).expect(0).events();
    // After so many events a run is in this phase.
    let phases: Vec<_> = (0..events.len()).map(|seen| phase(events[..seen].last())).collect();
    let seed = fastrand::u64(..);
    println!("the random moments are those of seed {seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let (mut spread, mut appeared, mut killed) = (BTreeMap::<_, usize>::new(), 0, 0);
    while killed < KILLS {
        // Half of them write where nothing is, half where an archive stands already.
        let replaces = random.bool();
        let out = if replaces { "backup/old.zip" } else { "backup/new.zip" };
        let mut running = host.start(["dump", out, "--json", "--overwrite"]);
        let aim = PHASES[random.usize(..PHASES.len())];
        let moments: Vec<_> = (0..phases.len()).filter(|seen| phases[*seen] == aim).collect();
        for _ in 0..moments[random.usize(..moments.len())] {
            running.event();
        }
        if random.bool() {
            thread::sleep(Duration::from_micros(random.u64(..8_000)));
        }
        let _ends_by_itself_now_and_then = kill_process(Pid::from_raw(running.id().cast_signed()).unwrap(), Signal::KILL);
        let ended = running.wait();
        if ended.code.is_none() {
            killed += 1;
            // The kill may have cut the last line off.
            let last = ended.stdout.lines().filter_map(|line| serde_json::from_str(line).ok()).next_back();
            *spread.entry(phase(last.as_ref())).or_default() += 1;
        }
        assert_whole(&old);
        if new.exists() {
            appeared += usize::from(ended.code.is_none());
            assert_whole(&new);
            fs::remove_file(&new).unwrap();
        }
    }
    for phase in PHASES {
        assert!(spread.get(phase).is_some_and(|kills| *kills >= AT_LEAST), "{spread:?}, seed {seed}");
    }
    println!("{spread:?}; {appeared} of the new archives were whole already");
    for out in ["backup/new.zip", "backup/old.zip"] {
        host.run(["dump", out, "--overwrite"]).expect(0);
        host.run(["verify", out]).expect(0);
    }
    let left: Vec<_> = backup.read_dir().unwrap().map(|file| file.unwrap().file_name()).collect();
    assert_eq!(left.len(), 2, "the next dump cleans up after the killed ones: {left:?}");
}
