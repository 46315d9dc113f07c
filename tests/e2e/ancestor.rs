//! The mistakes of the ancestor, each as a story of its own.

use std::fs;
use std::io::{Read, Write};
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, SystemTime};

use dr_host_tests::host::Host;
use rusqlite::Connection;
use tempfile::TempDir;
use wait4::Wait4;

fn directory() -> TempDir {
    tempfile::tempdir().expect("a directory")
}

fn write(root: &Path, name: &str, content: impl AsRef<[u8]>) {
    let path = root.join(name);
    fs::create_dir_all(path.parent().expect("it lies in a directory")).expect("a directory can be made");
    fs::write(path, content).expect("a file can be written");
}

#[track_caller]
fn read(root: &Path, name: &str) -> String {
    fs::read_to_string(root.join(name)).unwrap_or_else(|why| panic!("`{name}`: {why}"))
}

fn set(name: &str, driver: &str, setting: &str) -> String {
    format!("[[set]]\nname = \"{name}\"\ndriver = \"{driver}\"\n{setting}\n")
}

fn configuration(sets: &[String]) -> String {
    format!("version = 1\n{}", sets.concat())
}

/// It stripped `.` and `/` from the front of names: `.hidden` came back as `hidden`.
#[test]
fn a_hidden_file_stays_hidden() {
    let here = directory();
    let config = configuration(&[set("media", "media", "url = \"media\""), set("state", "filesystem", "path = \"state\"")]);
    let host = Host::configured(here.path(), &config);
    for name in [".hidden", "..two", ".dir/.file", "plain"] {
        write(here.path(), &format!("media/{name}"), name);
        write(here.path(), &format!("state/{name}"), name);
    }
    host.run(["dump", "out.zip"]).expect(0);
    for root in ["media", "state"] {
        fs::remove_dir_all(here.path().join(root)).expect("it can be removed");
        fs::create_dir(here.path().join(root)).expect("it can be made");
    }
    host.run(["restore", "out.zip"]).expect(0);
    for name in [".hidden", "..two", ".dir/.file", "plain"] {
        assert_eq!(read(here.path(), &format!("media/{name}")), name);
        assert_eq!(read(here.path(), &format!("state/{name}")), name);
    }
    assert!(!here.path().join("media/hidden").exists());
}

/// A set called `media` also read what belonged to `media2`.
#[test]
fn a_set_sees_nothing_of_one_that_begins_alike() {
    let here = directory();
    let sets =
        [set("media", "media", "url = \"one\""), set("media2", "media", "url = \"two\""), set("medi", "filesystem", "path = \"three\"")];
    let host = Host::configured(here.path(), &configuration(&sets));
    write(here.path(), "one/a.jpg", "of media");
    write(here.path(), "one/2/a.jpg", "of media, below 2");
    write(here.path(), "two/a.jpg", "of media2");
    write(here.path(), "three/a/a.jpg", "of medi");
    host.run(["dump", "out.zip"]).expect(0);

    let elsewhere = directory();
    for root in ["one", "two", "three"] {
        fs::create_dir(elsewhere.path().join(root)).expect("it can be made");
    }
    let other = Host::configured(elsewhere.path(), &configuration(&sets));
    let archive = here.path().join("out.zip").display().to_string();
    other.run(["restore", "--only", "media", &archive]).expect(0);
    assert_eq!(read(elsewhere.path(), "one/a.jpg"), "of media");
    assert_eq!(read(elsewhere.path(), "one/2/a.jpg"), "of media, below 2");
    for untouched in ["two", "three"] {
        let there = fs::read_dir(elsewhere.path().join(untouched)).expect("it can be listed").count();
        assert_eq!(there, 0, "`{untouched}` is not part of `media`");
    }
    other.run(["restore", "--skip", "media", &archive]).expect(0);
    assert_eq!(read(elsewhere.path(), "two/a.jpg"), "of media2");
    assert_eq!(read(elsewhere.path(), "three/a/a.jpg"), "of medi");
    assert_eq!(fs::read_dir(elsewhere.path().join("one")).expect("it can be listed").count(), 2);
}

/// A file that was newer than the archive's and of the same size was never rolled back.
#[test]
fn a_newer_file_of_the_same_size_is_rolled_back() {
    for driver in ["media", "filesystem"] {
        let here = directory();
        let key = if driver == "media" { "url" } else { "path" };
        let host = Host::configured(here.path(), &configuration(&[set("files", driver, &format!("{key} = \"files\""))]));
        write(here.path(), "files/logo.svg", "release 1");
        host.run(["dump", "out.zip"]).expect(0);
        let dumped = fs::metadata(here.path().join("files/logo.svg")).and_then(|found| found.modified()).expect("a time");

        write(here.path(), "files/logo.svg", "release 2");
        let newer = fs::File::options().write(true).open(here.path().join("files/logo.svg")).expect("it opens");
        newer.set_modified(SystemTime::now() + Duration::from_secs(3600)).expect("its time can be set");
        host.run(["restore", "out.zip"]).expect(0);
        assert_eq!(read(here.path(), "files/logo.svg"), "release 1", "{driver}");

        // Nor does the same time save it: what a deployment unpacks bears the time of its making.
        write(here.path(), "files/logo.svg", "release 3");
        let same = fs::File::options().write(true).open(here.path().join("files/logo.svg")).expect("it opens");
        same.set_modified(dumped).expect("its time can be set");
        host.run(["restore", "out.zip"]).expect(0);
        assert_eq!(read(here.path(), "files/logo.svg"), "release 1", "{driver}");
    }
}

/// A run that failed left a zip that looked good.
#[test]
fn a_failed_dump_leaves_nothing() {
    let here = directory();
    let sets = [set("media", "media", "url = \"media\""), set("last", "probe", "fail = [\"dump\"]")];
    let host = Host::configured(here.path(), &configuration(&sets));
    write(here.path(), "media/a.jpg", vec![7; 3_000_000]);
    host.run(["dump", "out.zip"]).expect(1);
    let mut left: Vec<_> = fs::read_dir(here.path()).expect("it can be listed").map(|item| item.expect("an item").file_name()).collect();
    left.sort();
    assert_eq!(left, ["dumprestore.toml", "media"]);

    // Nor does it take away the archive of yesterday.
    fs::write(here.path().join("out.zip"), "yesterday's").expect("it can be written");
    host.run(["dump", "--overwrite", "out.zip"]).expect(1);
    assert_eq!(read(here.path(), "out.zip"), "yesterday's");
}

/// A check that failed gave exit code 0.
#[test]
fn a_failed_check_is_a_failure() {
    let here = directory();
    let sets = [set("database", "sqlite", "path = \"no-such.db\""), set("media", "media", "url = \"no-such-directory\"")];
    let host = Host::configured(here.path(), &configuration(&sets));
    let ended = host.run(["dump", "out.zip"]).expect(1);
    assert!(ended.stderr.contains("no-such.db") && ended.stderr.contains("no-such-directory"), "both are named: {ended}");
    assert!(!here.path().join("out.zip").exists());
}

/// What comes after was skipped when something failed.
#[test]
fn what_comes_after_is_done_also_after_a_failure() {
    let here = directory();
    let probe = |name: &str, fail: &str| set(name, "probe", &format!("journal = \"journal\"\nfail = [{fail}]"));
    let host = Host::configured(here.path(), &configuration(&[probe("first", ""), probe("second", "\"dump\"")]));
    host.run(["dump", "out.zip"]).expect(1);
    let journal = read(here.path(), "journal");
    let after: Vec<_> = journal.lines().filter(|line| line.ends_with("after_dump done")).collect();
    assert_eq!(after, ["second after_dump done", "first after_dump done"]);
}

/// Whole files were held in memory. One of 200 MB, which does not compress, passes through less than 100 MiB both ways.
#[test]
fn large_files_are_not_held_in_memory() {
    const PIECE: usize = 10_000_000;
    let piece = |number: u64| {
        let mut noise = vec![0; PIECE];
        fastrand::Rng::with_seed(number).fill(&mut noise);
        noise
    };
    let here = directory();
    let host = Host::configured(here.path(), &configuration(&[set("media", "media", "url = \"media\"")]));
    let film = here.path().join("media/film.mp4");
    fs::create_dir(here.path().join("media")).expect("it can be made");
    let mut file = fs::File::create(&film).expect("it can be made");
    (0..20).for_each(|number| file.write_all(&piece(number)).expect("it can be written"));

    let peak = |arguments: [&str; 2]| {
        let run = host.command(arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it starts");
        let ended = run.wait4().expect("it can be waited for");
        assert!(ended.status.success(), "{arguments:?}");
        ended.rusage.maxrss
    };
    let dump = peak(["dump", "out.zip"]);
    fs::remove_file(&film).expect("it can be removed");
    let restore = peak(["restore", "out.zip"]);
    let limit = 100 * 1024 * 1024;
    assert!(dump < limit && restore < limit, "dump {dump}, restore {restore} bytes");

    let (mut file, mut found) = (fs::File::open(&film).expect("it is back"), vec![0; PIECE]);
    for number in 0..20 {
        file.read_exact(&mut found).expect("it is as long as it was");
        assert!(found == piece(number), "piece {number} is as it was");
    }
}

/// Its words said database first, its code did media first. With no configuration at all, it is the database.
#[test]
fn the_database_comes_first() {
    let here = directory();
    let database = Connection::open(here.path().join("shop.db")).expect("a database");
    database.execute_batch("CREATE TABLE photo (image TEXT)").expect("a table");
    drop(database);
    write(here.path(), "media/a.jpg", "a");
    let host = Host::new(here.path())
        .env("MEDIA_ROOT", "media")
        .env("DATABASE_URL", &format!("sqlite:///{}", here.path().join("shop.db").display()));
    let ended = host.run(["dump", "--json", "out.zip"]).expect(0);
    let moments = ended.events_of("moment");
    let dumps: Vec<_> = moments.iter().filter(|event| event["moment"] == "dump").map(|event| event["set"].clone()).collect();
    assert_eq!(dumps, ["database", "media"]);
}
