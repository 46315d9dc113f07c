//! `filesystem-tree`: what it does as the native `filesystem` does, through the binary.

use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime};

use dr_host_tests::host::Host;
use dr_host_tests::machine::guest;
use tempfile::TempDir;

fn configured(directory: &TempDir, root: &str) -> Host {
    let text = format!(
        "version = 1\n\n[[set]]\nname = \"files\"\ndriver = \"component\"\ncomponent = \"{}\"\nconfig = {{ path = \"/data\" }}\n\
         grant = {{ write = [{{ path = \"{root}\", guest = \"/data\" }}] }}\n",
        guest("filesystem-tree").display()
    );
    Host::configured(directory.path(), &text).env("XDG_CACHE_HOME", &super::cache())
}

fn put(root: &Path, name: &str, content: &[u8]) {
    let path = root.join(name);
    fs::create_dir_all(path.parent().expect("a name stands in a directory")).expect("a directory can be made");
    fs::write(path, content).expect("a file can be written");
}

fn modified(path: &Path) -> SystemTime {
    fs::metadata(path).and_then(|metadata| metadata.modified()).expect("a file has a time")
}

/// Files of several sizes in sub-directories come back with their content and times, to the nanosecond. What stands in the target
/// already and is the same is left alone; what differs is replaced, what is more is refused, kept or deleted.
#[test]
fn files_come_back_and_only_what_differs_is_written() {
    let directory = TempDir::new().unwrap();
    let (source, target) = (directory.path().join("source"), directory.path().join("target"));
    put(&source, "a.txt", b"one");
    put(&source, "empty", b"");
    put(&source, "deep/er/ü ber.bin", &vec![7; 3_000_000]);
    let time = SystemTime::UNIX_EPOCH + Duration::new(1_600_000_000, 123_456_789);
    fs::File::options().write(true).open(source.join("a.txt")).and_then(|file| file.set_modified(time)).unwrap();
    configured(&directory, "source").run(["dump", "a.zip"]).expect(0);

    let back = configured(&directory, "target");
    back.run(["restore", "a.zip"]).expect(0);
    for name in ["a.txt", "empty", "deep/er/ü ber.bin"] {
        assert_eq!(fs::read(target.join(name)).unwrap(), fs::read(source.join(name)).unwrap(), "{name}");
        assert_eq!(modified(&target.join(name)), modified(&source.join(name)), "{name}");
    }
    assert_eq!(modified(&target.join("a.txt")), time);

    put(&target, "a.txt", b"two");
    put(&target, "deep/extra/more", b"more");
    fs::File::options().write(true).open(target.join("empty")).and_then(|file| file.set_modified(time)).unwrap();
    let refused = back.run(["restore", "a.zip"]).expect(1);
    assert!(refused.stderr.contains("the target holds things that the archive lacks"), "{refused}");
    assert!(refused.stderr.contains("deep/extra/more"), "{refused}");
    assert_eq!(fs::read(target.join("a.txt")).unwrap(), b"two");

    back.run(["restore", "--extra", "keep", "a.zip"]).expect(0);
    assert_eq!(fs::read(target.join("a.txt")).unwrap(), b"one");
    assert_eq!(modified(&target.join("empty")), modified(&source.join("empty")));
    assert!(target.join("deep/extra/more").exists());
    back.run(["restore", "--extra", "delete", "--yes", "a.zip"]).expect(0);
    assert!(!target.join("deep/extra").exists());
}

/// Links and sockets are left out with a warning; a name that no entry can bear ends the dump before it begins.
#[test]
fn what_is_no_regular_file_is_left_out_and_told() {
    let directory = TempDir::new().unwrap();
    let source = directory.path().join("source");
    put(&source, "a.txt", b"one");
    std::os::unix::fs::symlink("a.txt", source.join("link")).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(source.join("socket")).unwrap();
    let host = configured(&directory, "source");

    let dumped = host.run(["dump", "a.zip"]).expect(0);
    for told in ["`link` is left out: it is a symbolic link", "`socket` is left out"] {
        assert!(dumped.stderr.contains(told) || dumped.stdout.contains(told), "{dumped}");
    }

    put(&source, "back\\slash", b"");
    let refused = host.run(["dump", "b.zip"]).expect(1);
    assert!(refused.stderr.contains("an archive's entry cannot have"), "{refused}");
    assert!(refused.stderr.contains("back\\slash"), "{refused}");
}

/// A directory that is not there is made for a restore, with what is above it, and is gone again where nothing came of it; a dump
/// makes none.
#[test]
fn an_absent_directory_is_made_for_a_restore_alone() {
    let directory = TempDir::new().unwrap();
    let source = directory.path().join("source");
    put(&source, "deep/a.txt", b"one");
    configured(&directory, "source").run(["dump", "a.zip"]).expect(0);

    let absent = configured(&directory, "absent/inner");
    absent.run(["dump", "b.zip"]).expect(1);
    absent.run(["plan"]).expect(0);
    assert!(!directory.path().join("absent").exists());

    // Nothing can be made below a file: another set fails, and both are left as they were.
    fs::write(directory.path().join("file"), b"").unwrap();
    let configuration = fs::read_to_string(directory.path().join("dumprestore.toml")).unwrap();
    let both = format!("{configuration}\n[[set]]\nname = \"other\"\ndriver = \"filesystem\"\npath = \"SOURCE\"\n");
    fs::create_dir(directory.path().join("other")).unwrap();
    let one = |text: &str, root: &str, other: &str| {
        let text = text.replace("absent/inner", root).replace("SOURCE", other);
        Host::configured(directory.path(), &text).env("XDG_CACHE_HOME", &super::cache())
    };
    one(&both, "source", "other").run(["dump", "both.zip"]).expect(0);
    one(&both, "absent/inner", "file").run(["restore", "both.zip"]).expect(1);
    assert!(!directory.path().join("absent").exists(), "made in vain, and gone");

    one(&both, "absent/inner", "other").run(["restore", "both.zip"]).expect(0);
    assert_eq!(fs::read(directory.path().join("absent/inner/deep/a.txt")).unwrap(), b"one");
}
