//! The compiled code of components in the user's cache directory.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::PathBuf;
use std::thread;

use dr_host_tests::component::Guest;

use super::Place;

/// What stands in the cache.
fn entries(place: &Place) -> Vec<PathBuf> {
    let items = place.path("cache/dr-host/components").read_dir().expect("the cache is there");
    items.map(|item| item.expect("an item").path()).collect()
}

/// The one entry of the cache, and which file it is.
fn entry(place: &Place) -> (PathBuf, u64) {
    let mut entries = entries(place);
    assert_eq!(entries.len(), 1, "{entries:?}");
    let entry = entries.remove(0);
    let number = fs::metadata(&entry).expect("an entry").ino();
    (entry, number)
}

#[test]
fn a_component_is_compiled_once_for_its_owner_alone() {
    let place = Place::new(&Guest::new(), "");
    place.dump().expect(0);
    let (path, first) = entry(&place);
    assert_eq!(fs::metadata(&path).expect("an entry").permissions().mode() & 0o777, 0o600);
    assert_eq!(fs::metadata(path.parent().expect("a directory")).expect("a directory").permissions().mode() & 0o777, 0o700);
    place.restore().expect(0);
    assert_eq!(entry(&place).1, first, "it was found, not written again");
}

#[test]
fn a_damaged_entry_is_ignored_and_written_again() {
    let place = Place::new(&Guest::new(), "");
    place.host.run(["plan"]).expect(0);
    let (path, _) = entry(&place);
    let whole = fs::read(&path).expect("an entry");
    let mut flipped = whole.clone();
    flipped[whole.len() / 2] ^= 0x10;
    for damaged in [&flipped[..], &whole[..whole.len() / 2], b""] {
        fs::write(&path, damaged).expect("it can be damaged");
        place.dump().expect(0);
        assert!(fs::read(&path).expect("an entry") == whole, "it was written again");
        fs::remove_file(place.path("out.zip")).expect("the archive is there");
    }
}

#[test]
fn an_entry_that_others_can_write_is_not_believed() {
    let place = Place::new(&Guest::new(), "");
    place.host.run(["plan"]).expect(0);
    let (path, first) = entry(&place);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o666)).expect("ours to set");
    place.host.run(["plan"]).expect(0);
    let (path, second) = entry(&place);
    assert_ne!(first, second);
    assert_eq!(fs::metadata(path).expect("an entry").permissions().mode() & 0o777, 0o600);
}

#[test]
fn several_processes_at_once_do_each_other_no_harm() {
    let place = Place::new(&Guest::new(), "");
    thread::scope(|scope| {
        let runs: Vec<_> = (0..6).map(|_| scope.spawn(|| place.host.run(["plan"]))).collect();
        runs.into_iter().for_each(|run| drop(run.join().expect("it ran").expect(0)));
    });
    entry(&place);
}

#[test]
fn without_a_place_for_the_cache_it_works_all_the_same() {
    let place = Place::new(&Guest::new(), "");
    fs::write(place.path("cache"), "no directory").expect("a file");
    place.dump().expect(0);
}

/// Native code is loaded from there, so that no component may have it to write: not from above, below, or through a link.
#[test]
fn no_component_gets_the_cache_to_write() {
    for granted in [".", "cache", "cache/dr-host/components", "cache/dr-host/components/below", "link", "link/dr-host"] {
        let settings = format!("grant.write = [{{ path = \"other\", guest = \"/o\" }}, {{ path = \"{granted}\", guest = \"/data\" }}]\n");
        let place = Place::new(&Guest::new().needs(2, "data", true), &settings);
        fs::create_dir(place.path("cache")).expect("a directory");
        symlink("cache", place.path("link")).expect("a link");
        for arguments in [&["plan"][..], &["dump", "out.zip"]] {
            let ended = place.host.run(arguments).expect(2);
            let cache = place.path("cache/dr-host/components");
            let says = ["dumprestore.toml:7:50: ", "cannot be granted for writing: the driver could change the host's compiled code in"];
            says.iter().for_each(|words| assert!(ended.stderr.contains(words), "`{words}` is missing: {ended}"));
            assert!(ended.stderr.contains(&format!("in `{}`, which runs outside of the sandbox", cache.display())), "{ended}");
            assert!(ended.stderr.contains("hint: grant a directory that does not hold it, or name another place"), "{ended}");
        }
        assert!(!place.has_archive());
    }
    let place = Place::new(&Guest::new().needs(2, "data", true), "grant.write = [{ path = \"cached\", guest = \"/data\" }]\n");
    place.dump().expect(0);
    assert!(!place.path("cached").exists(), "a dump makes nothing");
    fs::write(
        place.path("dumprestore.toml"),
        fs::read_to_string(place.path("dumprestore.toml")).expect("a text").replace("cached", "cache"),
    )
    .expect("it can be written");
    assert!(place.restore().expect(2).stderr.contains("cannot be granted for writing"));
}
