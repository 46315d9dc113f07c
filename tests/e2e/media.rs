//! `media` in a directory through the command line: objects by their names, what is extra in a target, links in it.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;

use dr_host_tests::host::Host;
use serde_json::Value;
use tempfile::TempDir;

/// A directory with two sets of media, `media` and `media2`.
struct Place {
    dir: TempDir,
    host: Host,
}

const CONFIGURATION: &str = "version = 1
[[set]]
name = \"media\"
driver = \"media\"
url = \"media\"

[[set]]
name = \"media2\"
driver = \"media\"
path = \"media2\"
";

impl Place {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let host = Host::configured(dir.path(), CONFIGURATION);
        let place = Self { dir, host };
        for name in NAMES {
            place.write(&format!("media/{name}"), name);
        }
        place.write("media2/only here", "2");
        place
    }

    fn at(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn write(&self, name: &str, content: &str) {
        fs::create_dir_all(self.at(name).parent().unwrap()).unwrap();
        fs::write(self.at(name), content).unwrap();
    }
}

/// Names that look like something else, the other set's path among them.
const NAMES: [&str; 9] =
    [".hidden", "with space", "x#12", "2/only here", "media2/x", "ключ/鍵.jpg", "100%", "back\\slash", "self/dr-host/manifest.json"];

fn names_in(archive: &Value, set: &str) -> u64 {
    let sets = archive["sets"].as_array().unwrap();
    sets.iter().find(|found| found["set"] == set || found["path"] == set).unwrap()["totals"]["entries"].as_u64().unwrap()
}

#[test]
fn objects_come_back_under_their_exact_names_and_each_set_sees_its_own() {
    let place = Place::new();
    let dumped = place.host.run(["dump", "--json", "out.zip"]).expect(0);
    let finished = dumped.events_of("finished").remove(0);
    assert_eq!((names_in(&finished, "media"), names_in(&finished, "media2")), (NAMES.len() as u64, 1));
    fs::remove_dir_all(place.at("media")).unwrap();
    fs::remove_dir_all(place.at("media2")).unwrap();
    place.host.run(["restore", "out.zip"]).expect(0);
    for name in NAMES {
        assert_eq!(fs::read_to_string(place.at("media").join(name)).unwrap(), name);
    }
    assert_eq!(fs::read_dir(place.at("media2")).unwrap().count(), 1);
}

#[test]
fn a_file_url_and_the_environment_name_the_same_directory() {
    let place = Place::new();
    place.host.run(["dump", "out.zip"]).expect(0);
    let entries = |host: &Host, archive: &str| {
        let dumped = host.run(["dump", "--json", archive]).expect(0);
        names_in(&dumped.events_of("finished").remove(0), "media")
    };
    fs::remove_file(place.at("dumprestore.toml")).unwrap();
    let url = format!("file://{}", place.at("media").display());
    assert_eq!(entries(&Host::new(place.dir.path()).env("MEDIA_URL", &url), "by-url.zip"), NAMES.len() as u64);
    assert_eq!(entries(&Host::new(place.dir.path()).env("MEDIA_ROOT", "media"), "by-root.zip"), NAMES.len() as u64);
}

#[test]
fn what_the_archive_lacks_is_named_kept_or_deleted_as_told() {
    let place = Place::new();
    place.host.run(["dump", "out.zip"]).expect(0);
    place.write("media/uploaded since/new.jpg", "new");
    place.write("media/x#12", "overwritten");

    let refused = place.host.run(["restore", "out.zip"]).expect(1);
    assert!(refused.stderr.contains("uploaded since/new.jpg") && refused.stderr.contains("--extra"), "{refused}");
    assert_eq!(fs::read_to_string(place.at("media/x#12")).unwrap(), "overwritten", "nothing was written");

    place.host.run(["restore", "--extra", "keep", "out.zip"]).expect(0);
    assert_eq!(fs::read_to_string(place.at("media/x#12")).unwrap(), "x#12");
    assert!(place.at("media/uploaded since/new.jpg").exists());

    place.host.run(["restore", "--extra", "delete", "--yes", "out.zip"]).expect(0);
    assert!(!place.at("media/uploaded since").exists());
}

#[test]
fn nothing_is_written_through_a_link_that_leaves_the_directory() {
    let place = Place::new();
    place.host.run(["dump", "out.zip"]).expect(0);
    place.write("elsewhere/only here", "somebody else's");
    fs::remove_dir_all(place.at("media/2")).unwrap();
    symlink(place.at("elsewhere"), place.at("media/2")).unwrap();
    let refused = place.host.run(["restore", "--extra", "delete", "--yes", "out.zip"]).expect(1);
    assert!(refused.stderr.contains("lead out of it"), "{refused}");
    assert_eq!(fs::read_to_string(place.at("elsewhere/only here")).unwrap(), "somebody else's");
}

#[test]
fn the_archive_inside_the_directory_is_left_out_and_said() {
    let place = Place::new();
    let dumped = place.host.run(["dump", "media/backup.zip"]).expect(0);
    assert!(dumped.stderr.contains("backup.zip"), "{dumped}");
    let dumped = place.host.run(["dump", "--overwrite", "--json", "media/backup.zip"]).expect(0);
    assert_eq!(names_in(&dumped.events_of("finished").remove(0), "media"), NAMES.len() as u64);
    // Nor is it extra when it is restored.
    place.host.run(["restore", "media/backup.zip"]).expect(0);
}
