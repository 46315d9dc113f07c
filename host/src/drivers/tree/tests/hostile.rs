//! Archives that were made to do harm, or that no directory can hold: refused before the first write.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use super::super::View;
use super::{options, recorded, restore};
use crate::archive::Entry;
use crate::archive::entry::attribute;
use crate::conformance::MemoryArchive;
use crate::drivers::Extra;
use crate::error::{Error, ErrorKind};
use crate::name::EntryName;

fn file(name: &[u8]) -> Entry {
    Entry::new(EntryName::from_bytes(name))
}

fn typed(name: &str, sort: &str) -> Entry {
    Entry::new(name).attribute(attribute::TYPE, sort)
}

fn archive(entries: impl IntoIterator<Item = (Entry, &'static str)>) -> MemoryArchive {
    let archive = MemoryArchive::new();
    entries.into_iter().for_each(|(entry, content)| archive.put(entry, content.as_bytes()));
    archive
}

/// Restores beside a file that nothing must touch; the restore must be refused, with nothing written at all.
#[track_caller]
fn refused(view: View, archive: &MemoryArchive, prepare: impl FnOnce(&Path)) -> Error {
    let directory = tempfile::tempdir().unwrap();
    let target = directory.path().join("target");
    fs::create_dir(&target).unwrap();
    fs::write(directory.path().join("victim"), "untouched").unwrap();
    prepare(&target);
    let before = listing(directory.path());
    let error = restore(options(view, &target), &recorded(Some(Extra::Keep)).0, archive).unwrap_err();
    assert!(error.is_untouched(), "{error}");
    assert_eq!(listing(directory.path()), before, "nothing was written");
    assert_eq!(fs::read_to_string(directory.path().join("victim")).unwrap(), "untouched");
    error
}

fn listing(directory: &Path) -> Vec<String> {
    let mut names = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        names.push(path.display().to_string());
        if path.symlink_metadata().unwrap().is_dir() {
            names.extend(listing(&path));
        }
    }
    names.sort();
    names
}

#[test]
fn names_that_lead_out_of_the_target_are_refused_all_of_them_named() {
    let names: [&[u8]; 8] = [b"../victim", b"/etc/passwd", b"a/../../victim", b"..", b".", b"a//b", b"a\0b", b"a/"];
    for view in [View::Files, View::Objects] {
        let archive = archive(names.map(|name| (file(name), "evil")).into_iter().chain([(file(b"good"), "good")]));
        let error = refused(view, &archive, |_| ());
        let named: Vec<_> = error.context().iter().filter(|(key, _)| key == "name").map(|(_, name)| name.clone()).collect();
        assert_eq!(named.len(), names.len(), "{named:?}");
        assert!(named.contains(&"../victim".to_owned()));
    }
}

#[test]
fn a_name_with_a_segment_too_long_for_the_file_system_is_refused() {
    let archive = archive([(file(&[b'x'; 256]), "x")]);
    assert!(refused(View::Objects, &archive, |_| ()).message().contains("longer than the file system allows"));
}

#[test]
fn an_object_beside_one_below_it_is_refused_since_no_directory_holds_both() {
    let archive = archive([(file(b"a/b"), "x"), (file(b"a"), "x"), (file(b"c/d"), "x")]);
    let error = refused(View::Objects, &archive, |_| ());
    assert_eq!(error.context(), [("name".to_owned(), "a".to_owned())]);
}

#[test]
fn a_link_that_the_archive_plants_is_never_walked_through() {
    let archive = archive([(typed("way out", attribute::SYMLINK), ".."), (file(b"way out/victim"), "evil")]);
    assert_eq!(refused(View::Files, &archive, |_| ()).context(), [("name".to_owned(), "way out".to_owned())]);
}

#[test]
fn a_link_that_stands_in_the_target_is_never_walked_through() {
    for view in [View::Files, View::Objects] {
        let archive = archive([(file(b"way out/victim"), "evil")]);
        refused(view, &archive, |target| symlink("..", target.join("way out")).unwrap());
        refused(view, &archive, |target| symlink(target.parent().unwrap(), target.join("way out")).unwrap());
    }
}

#[test]
fn a_hard_link_to_what_is_no_file_of_the_set_is_refused() {
    for first in ["../victim", "%2Fetc%2Fpasswd", "missing", "directory", "%zz"] {
        let link = typed("link", attribute::HARDLINK).attribute(attribute::TARGET, first);
        let archive = archive([(link, ""), (typed("directory", attribute::DIRECTORY), "")]);
        assert_eq!(refused(View::Files, &archive, |_| ()).kind(), ErrorKind::Corrupt, "{first}");
    }
    let archive = archive([(typed("link", attribute::HARDLINK), "")]);
    assert_eq!(refused(View::Files, &archive, |_| ()).kind(), ErrorKind::Corrupt);
}

#[test]
fn a_hard_link_to_another_link_is_refused_all_of_them_named() {
    let link = |name: &str, first: &str| (typed(name, attribute::HARDLINK).attribute(attribute::TARGET, first), "");
    let archive = archive([
        (file(b"good"), "good"),
        link("another good", "good"),
        (typed("symlink", attribute::SYMLINK), "../victim"),
        link("to a symlink", "symlink"),
        link("to itself", "to itself"),
        link("round", "and round"),
        link("and round", "round"),
        link("to a link", "another good"),
    ]);
    let error = refused(View::Files, &archive, |_| ());
    let mut named: Vec<_> = error.context().iter().map(|(_, name)| name.as_str()).collect();
    named.sort_unstable();
    assert_eq!(named, ["and round", "round", "to a link", "to a symlink", "to itself"]);
    assert_eq!(
        (error.kind(), error.message()),
        (ErrorKind::Corrupt, "the archive holds hard links whose file is not restored with them (5)")
    );
}

#[test]
fn the_same_name_twice_is_refused() {
    let archive = archive([(file(b"a"), "x"), (file(b"a"), "y")]);
    assert_eq!(refused(View::Objects, &archive, |_| ()).context().first().unwrap().1, "a");
}

#[test]
fn attributes_that_no_dump_writes_are_refused() {
    let odd = [("mode", "99"), ("mode", "170000"), ("uid", "-1"), ("type", "socket"), ("xattr.user.a", "no base64!"), ("xattr.", "YQ==")];
    for (key, value) in odd {
        let archive = archive([(file(b"a").attribute(key, value), "x")]);
        let error = refused(View::Files, &archive, |_| ());
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{key}={value}: {error}");
    }
    for sort in [attribute::DIRECTORY, attribute::SYMLINK, attribute::HARDLINK] {
        let entry = typed("a", sort).attribute(attribute::TARGET, "b");
        assert_eq!(refused(View::Objects, &archive([(entry, "")]), |_| ()).kind(), ErrorKind::Corrupt, "{sort} is no object");
    }
}

#[test]
fn a_symbolic_link_whose_target_holds_a_nul_is_refused() {
    let error = refused(View::Files, &archive([(file(b"a"), "x"), (typed("link", attribute::SYMLINK), "a\0b")]), |_| ());
    assert_eq!(error.message(), "cannot restore `link`: it is a symbolic link whose target holds a NUL");
}

#[test]
fn a_symbolic_link_without_a_target_is_refused() {
    assert_eq!(refused(View::Files, &archive([(typed("a", attribute::SYMLINK), "")]), |_| ()).kind(), ErrorKind::Corrupt);
}

#[test]
fn more_than_the_disk_can_take_is_refused() {
    // What the index says is enough; nobody needs to hold so much.
    let archive = MemoryArchive::new();
    archive.put(file(b"huge"), vec![0; 16]);
    let error = refused_reader(&Claiming { archive, size: u64::MAX / 2 });
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.message().contains("are free"), "{error}");
}

/// A reader that claims another size for every entry.
struct Claiming {
    archive: MemoryArchive,
    size: u64,
}

impl crate::archive::Reader for Claiming {
    fn totals(&self) -> crate::archive::Totals {
        self.archive.reader().totals()
    }

    fn entries(&self) -> crate::error::Result<Box<dyn crate::archive::Entries>> {
        let mut entries = self.archive.entries();
        entries.iter_mut().for_each(|info| info.size = self.size);
        Ok(Box::new(Claimed(entries)))
    }

    fn open(&self, name: &EntryName) -> crate::error::Result<Box<dyn crate::archive::EntryReader>> {
        self.archive.reader().open(name)
    }
}

struct Claimed(Vec<crate::archive::EntryInfo>);

impl crate::archive::Entries for Claimed {
    fn next(&mut self, max: usize) -> crate::error::Result<Vec<crate::archive::EntryInfo>> {
        Ok(self.0.drain(..max.min(self.0.len())).collect())
    }
}

fn refused_reader(reader: &Claiming) -> Error {
    let directory = tempfile::tempdir().unwrap();
    let mut driver = super::driver(View::Objects, &directory.path().join("target"));
    let error = driver.before_restore(&recorded(None).0, reader).unwrap_err();
    assert!(!directory.path().join("target").exists());
    error
}
