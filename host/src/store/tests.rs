//! Files appear whole or not at all.

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;

use super::{open_source, open_target};
use crate::error::ErrorKind;

fn path(directory: &tempfile::TempDir, name: &str) -> String {
    directory.path().join(name).to_str().unwrap().to_owned()
}

fn names(directory: &tempfile::TempDir) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(directory.path()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn a_file_appears_with_its_commit_readable_by_its_owner_only() {
    let directory = tempfile::tempdir().unwrap();
    let target = open_target(&path(&directory, "a.zip"), false).unwrap();
    assert!(names(&directory).is_empty(), "nothing is written before it begins");
    let mut upload = target.begin().unwrap();
    upload.write_all(b"whole").unwrap();
    assert_eq!(names(&directory), [".a.zip.partial"]);
    upload.commit().unwrap();
    assert_eq!(names(&directory), ["a.zip"]);
    assert_eq!(fs::read(directory.path().join("a.zip")).unwrap(), b"whole");
    assert_eq!(fs::metadata(directory.path().join("a.zip")).unwrap().permissions().mode() & 0o7777, 0o600);
}

#[test]
fn a_file_that_is_synced_while_it_grows_is_whole() {
    let directory = tempfile::tempdir().unwrap();
    let mut upload = open_target(&path(&directory, "a.zip"), false).unwrap().begin().unwrap();
    let block = |number: u8| vec![number; 1 << 20];
    (0..80).for_each(|number| upload.write_all(&block(number)).unwrap());
    upload.commit().unwrap();
    let read = fs::read(directory.path().join("a.zip")).unwrap();
    assert!(read.chunks(1 << 20).eq((0..80).map(block)));
}

#[test]
fn what_is_dropped_leaves_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let mut upload = open_target(&path(&directory, "a.zip"), false).unwrap().begin().unwrap();
    upload.write_all(b"half").unwrap();
    drop(upload);
    assert!(names(&directory).is_empty());
}

#[test]
fn an_existing_file_is_replaced_only_when_asked_for() {
    let directory = tempfile::tempdir().unwrap();
    let out = path(&directory, "a.zip");
    fs::write(&out, "old").unwrap();
    let refused = open_target(&out, false).err().unwrap();
    assert!(refused.message().contains("exists already") && refused.advice().unwrap().contains("--overwrite"), "{refused}");
    let mut upload = open_target(&out, true).unwrap().begin().unwrap();
    upload.write_all(b"new").unwrap();
    assert_eq!(fs::read(&out).unwrap(), b"old");
    upload.commit().unwrap();
    assert_eq!(fs::read(&out).unwrap(), b"new");
}

#[test]
fn a_file_that_came_up_during_the_dump_is_not_replaced() {
    let directory = tempfile::tempdir().unwrap();
    let out = path(&directory, "a.zip");
    let upload = open_target(&out, false).unwrap().begin().unwrap();
    fs::write(&out, "somebody else's").unwrap();
    assert!(upload.commit().err().unwrap().message().contains("exists already"));
    assert_eq!(names(&directory), ["a.zip"]);
    assert_eq!(fs::read(&out).unwrap(), b"somebody else's");
}

#[test]
fn two_dumps_to_one_name_do_not_mix_and_a_killed_ones_remains_are_replaced() {
    let directory = tempfile::tempdir().unwrap();
    let out = path(&directory, "a.zip");
    let first = open_target(&out, false).unwrap().begin().unwrap();
    let second = open_target(&out, false).unwrap().begin().err().unwrap();
    assert_eq!(second.kind(), ErrorKind::Unavailable);
    assert!(second.message().contains("another dump is writing"), "{second}");
    drop(first);

    fs::write(directory.path().join(".a.zip.partial"), "of a dump that was killed").unwrap();
    let mut third = open_target(&out, false).unwrap().begin().unwrap();
    third.write_all(b"third").unwrap();
    third.commit().unwrap();
    assert_eq!(fs::read(&out).unwrap(), b"third");
    assert_eq!(names(&directory), ["a.zip"]);
}

#[test]
fn a_symbolic_link_stays_one_and_what_it_points_to_is_written() {
    let directory = tempfile::tempdir().unwrap();
    let (out, real) = (path(&directory, "link.zip"), path(&directory, "real.zip"));
    fs::write(&real, "old").unwrap();
    std::os::unix::fs::symlink(&real, &out).unwrap();
    let mut upload = open_target(&out, true).unwrap().begin().unwrap();
    upload.write_all(b"new").unwrap();
    upload.commit().unwrap();
    assert!(fs::symlink_metadata(&out).unwrap().is_symlink());
    assert_eq!(fs::read(&real).unwrap(), b"new");
}

#[test]
fn what_cannot_be_written_is_refused_with_a_reason() {
    let directory = tempfile::tempdir().unwrap();
    let cases = [
        (path(&directory, "missing/a.zip"), "directory"),
        (directory.path().to_str().unwrap().to_owned(), "is a directory"),
        (format!("{}/", directory.path().display()), "is a directory"),
        ("/dev/null".to_owned(), "not a regular file"),
        ("s3://bucket/a.zip".to_owned(), "not supported yet"),
        (String::new(), "empty"),
    ];
    for (out, says) in cases {
        let refused = open_target(&out, true).err().unwrap();
        assert!(refused.message().contains(says), "{out}: {refused}");
        assert!(refused.advice().is_some(), "{out}: {refused}");
    }
}

#[test]
fn what_cannot_be_read_is_refused_with_a_reason() {
    let directory = tempfile::tempdir().unwrap();
    // Nobody writes to it, and nobody must wait for somebody to do so.
    let pipe = path(&directory, "pipe");
    rustix::fs::mknodat(rustix::fs::CWD, pipe.as_str(), rustix::fs::FileType::Fifo, rustix::fs::Mode::RUSR, 0).unwrap();
    let cases = [
        (path(&directory, "missing.zip"), "no such file"),
        (directory.path().to_str().unwrap().to_owned(), "not a regular file"),
        (pipe, "not a regular file"),
        ("-".to_owned(), "standard input"),
        ("s3://bucket/a.zip".to_owned(), "not supported yet"),
    ];
    for (input, says) in cases {
        let refused = open_source(&input).err().unwrap();
        assert!(refused.message().contains(says), "{input}: {refused}");
    }
}
