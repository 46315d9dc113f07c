//! What goes in comes out: everything that a file system knows, for a tree; content, time and mode, for objects.

use std::fs::{self, File};
use std::io::{Seek, SeekFrom, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;
use std::time::{Duration, SystemTime};

use rustix::fs::XattrFlags;
use tempfile::TempDir;

use super::super::View;
use super::{dump, options, recorded, restore};
use crate::archive::entry::attribute;
use crate::conformance::MemoryArchive;
use crate::drivers::Level;
use crate::name::EntryName;

fn there_and_back(view: View, source: &Path) -> (MemoryArchive, TempDir) {
    let (context, recorder) = recorded(None);
    let archive = dump(options(view, source), &context).unwrap();
    let target = tempfile::tempdir().unwrap();
    restore(options(view, &target.path().join("new/root")), &context, &archive).unwrap();
    assert_eq!(recorder.findings(), []);
    (archive, target)
}

fn set_modified(path: &Path, seconds: u64, nanoseconds: u32) {
    let at = SystemTime::UNIX_EPOCH + Duration::new(seconds, nanoseconds);
    File::open(path).unwrap().set_modified(at).unwrap();
}

fn names(archive: &MemoryArchive) -> Vec<String> {
    let mut names: Vec<_> = archive.entries().iter().map(|info| info.entry.name.to_string()).collect();
    names.sort();
    names
}

#[test]
fn modes_times_and_empty_directories_come_back() {
    let source = tempfile::tempdir().unwrap();
    let root = source.path();
    fs::create_dir_all(root.join("a/empty")).unwrap();
    fs::write(root.join("a/.hidden"), "hidden").unwrap();
    fs::write(root.join("plain"), "").unwrap();
    for (name, mode) in [("a/.hidden", 0o4751), ("plain", 0o000), ("a/empty", 0o1777), ("a", 0o2750), ("", 0o700)] {
        fs::set_permissions(root.join(name), PermissionsExt::from_mode(mode)).unwrap();
    }
    for (name, seconds) in [("a/.hidden", 1), ("plain", 1_000_000_000), ("a/empty", 5), ("a", 6), ("", 7)] {
        set_modified(&root.join(name), seconds, 123_456_789);
    }
    let (archive, target) = there_and_back(View::Files, root);
    assert_eq!(names(&archive), ["", "a", "a/.hidden", "a/empty", "plain"]);
    for name in ["", "a", "a/.hidden", "a/empty", "plain"] {
        let (before, after) = (root.join(name), target.path().join("new/root").join(name));
        let seen = |path: &Path| {
            let meta = path.symlink_metadata().unwrap();
            (meta.mode(), meta.mtime(), meta.mtime_nsec(), meta.uid(), meta.gid())
        };
        assert_eq!(seen(&before), seen(&after), "{name}");
    }
}

#[test]
fn times_before_1970_come_back() {
    let source = tempfile::tempdir().unwrap();
    let old = source.path().join("old");
    fs::write(&old, "old").unwrap();
    File::open(&old).unwrap().set_modified(SystemTime::UNIX_EPOCH - Duration::new(1000, 1)).unwrap();
    for view in [View::Files, View::Objects] {
        let (_, target) = there_and_back(view, source.path());
        let meta = target.path().join("new/root/old").metadata().unwrap();
        assert_eq!((meta.mtime(), meta.mtime_nsec()), (-1001, 999_999_999), "{view:?}");
    }
}

#[test]
fn symbolic_and_hard_links_come_back_as_links() {
    let source = tempfile::tempdir().unwrap();
    let root = source.path();
    fs::create_dir(root.join("d")).unwrap();
    fs::write(root.join("d/one"), "shared").unwrap();
    fs::hard_link(root.join("d/one"), root.join("two")).unwrap();
    fs::hard_link(root.join("d/one"), root.join("d/three %\n")).unwrap();
    symlink("d/one", root.join("link")).unwrap();
    symlink("/nowhere/at all", root.join("dangling")).unwrap();
    symlink("d", root.join("to-directory")).unwrap();
    let (archive, target) = there_and_back(View::Files, root);
    let kinds: Vec<_> = archive.entries().iter().filter_map(|info| info.entry.get(attribute::TYPE).map(str::to_owned)).collect();
    assert_eq!(kinds.iter().filter(|kind| *kind == attribute::HARDLINK).count(), 2, "the content is stored once");
    let root = target.path().join("new/root");
    let inode = |name: &str| root.join(name).symlink_metadata().unwrap().ino();
    assert_eq!(inode("d/one"), inode("two"));
    assert_eq!(inode("d/one"), inode("d/three %\n"));
    assert_eq!(fs::read_to_string(root.join("two")).unwrap(), "shared");
    for (name, leads_to) in [("link", "d/one"), ("dangling", "/nowhere/at all"), ("to-directory", "d")] {
        assert_eq!(fs::read_link(root.join(name)).unwrap(), Path::new(leads_to), "{name}");
    }
}

#[test]
fn extended_attributes_come_back_and_none_is_added() {
    let source = tempfile::tempdir().unwrap();
    let root = source.path();
    fs::write(root.join("file"), "content").unwrap();
    fs::create_dir(root.join("directory")).unwrap();
    let set = |name: &str, key: &str, value: &[u8]| rustix::fs::setxattr(root.join(name), key, value, XattrFlags::empty()).unwrap();
    set("file", "user.binary", b"\0\xff\n");
    set("file", "user.empty", b"");
    set("directory", "user.of a directory %", b"value");
    // Version 2 of a file's capabilities, CAP_NET_BIND_SERVICE (linux/capability.h).
    let capability = [0x01, 0, 0, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    set("file", "security.capability", &capability);
    let (_, target) = there_and_back(View::Files, root);
    let get = |name: &str, key: &str| {
        let mut value = vec![0; 100];
        let length = rustix::fs::getxattr(target.path().join("new/root").join(name), key, &mut value[..]).unwrap();
        value.truncate(length);
        value
    };
    assert_eq!(get("file", "user.binary"), b"\0\xff\n");
    assert_eq!(get("file", "user.empty"), b"");
    assert_eq!(get("file", "security.capability"), capability);
    assert_eq!(get("directory", "user.of a directory %"), b"value");
}

/// An access control list as the kernel writes it (`linux/posix_acl_xattr.h`): version 2, then tag, permissions and id of each entry.
fn access_control_list(named_user: u16, mask: u16) -> Vec<u8> {
    let (owner, named, group, masked, others, nobody) = (0x01, 0x02, 0x04, 0x10, 0x20, u32::MAX);
    let entries = [(owner, 6, nobody), (named, named_user, 1234), (group, 4, nobody), (masked, mask, nobody), (others, 0, nobody)];
    let entry = |(tag, permissions, id): (u16, u16, u32)| [&tag.to_le_bytes()[..], &permissions.to_le_bytes(), &id.to_le_bytes()].concat();
    [2_u32.to_le_bytes().to_vec(), entries.map(entry).concat()].concat()
}

/// A default list is given to whatever is made below its directory, also to what a restore makes there.
#[test]
fn access_control_lists_come_back_and_are_not_handed_down() {
    const ACCESS: &str = "system.posix_acl_access";
    const DEFAULT: &str = "system.posix_acl_default";
    let source = tempfile::tempdir().unwrap();
    let root = source.path();
    fs::create_dir(root.join("d")).unwrap();
    for name in ["d/listed", "d/plain"] {
        fs::write(root.join(name), "content").unwrap();
        fs::set_permissions(root.join(name), PermissionsExt::from_mode(0o640)).unwrap();
    }
    let set = |name: &str, key: &str, value: &[u8]| rustix::fs::setxattr(root.join(name), key, value, XattrFlags::empty());
    if set("d/listed", ACCESS, &access_control_list(4, 6)).is_err() {
        return; // no such lists on this file system
    }
    set("d", DEFAULT, &access_control_list(7, 7)).unwrap();
    let (_, target) = there_and_back(View::Files, root);
    let path = |name: &str| target.path().join("new/root").join(name);
    let get = |name: &str, key: &str| {
        let mut value = [0; 100];
        rustix::fs::getxattr(path(name), key, &mut value[..]).map(|length| value[..length].to_vec())
    };
    assert_eq!(get("d/listed", ACCESS).unwrap(), access_control_list(4, 6));
    assert_eq!(get("d", DEFAULT).unwrap(), access_control_list(7, 7));
    assert!(get("d/plain", ACCESS).is_err(), "what had none has none, although its directory hands one down");
    let mode = |name: &str| fs::metadata(path(name)).unwrap().permissions().mode() & 0o7777;
    assert_eq!((mode("d/listed"), mode("d/plain")), (0o660, 0o640), "with a list the group's bits are its mask");
}

#[test]
fn runs_of_zeros_come_back_sparse_whether_they_were_or_not() {
    const MIB: u64 = 1 << 20;
    let source = tempfile::tempdir().unwrap();
    let root = source.path();
    let mut sparse = File::create(root.join("sparse")).unwrap();
    sparse.seek(SeekFrom::Start(3 * MIB)).unwrap();
    sparse.write_all(b"in the middle").unwrap();
    sparse.set_len(20 * MIB + 7).unwrap();
    fs::write(root.join("zeros"), vec![0; MIB as usize]).unwrap();
    for view in [View::Files, View::Objects] {
        let (archive, target) = there_and_back(view, root);
        for name in ["sparse", "zeros"] {
            let restored = target.path().join("new/root").join(name);
            assert!(fs::read(&restored).unwrap() == fs::read(root.join(name)).unwrap(), "{name}");
            assert!(restored.metadata().unwrap().blocks() * 512 <= 64 * 1024, "{name} takes no more than its data");
        }
        assert_eq!(archive.content(&EntryName::from("sparse")).unwrap().len() as u64, 20 * MIB + 7);
    }
}

#[test]
fn sockets_pipes_and_devices_are_named_and_left_out() {
    let source = tempfile::tempdir().unwrap();
    let root = source.path();
    let _socket = std::os::unix::net::UnixListener::bind(root.join("a socket")).unwrap();
    rustix::fs::mknodat(rustix::fs::CWD, root.join("a pipe"), rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
    rustix::fs::mknodat(rustix::fs::CWD, root.join("a device"), rustix::fs::FileType::CharacterDevice, 0o600.into(), 0x103).unwrap();
    fs::write(root.join("a file"), "x").unwrap();
    for view in [View::Files, View::Objects] {
        let (context, recorder) = recorded(None);
        let archive = dump(options(view, root), &context).unwrap();
        assert!(names(&archive).ends_with(&["a file".into()]), "{:?}", names(&archive));
        for special in ["a socket", "a pipe", "a device"] {
            let said = recorder.lines().iter().any(|(level, line)| *level == Level::Warn && line.contains(special));
            assert!(said, "{special} is named: {:?}", recorder.lines());
        }
        assert_eq!(recorder.findings(), [], "what cannot be dumped at all is no finding");
    }
}

#[test]
fn objects_are_read_through_links_and_circles_are_named() {
    let (source, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let root = source.path();
    fs::create_dir_all(root.join("real/empty")).unwrap();
    fs::write(root.join("real/a.jpg"), "a").unwrap();
    fs::write(elsewhere.path().join("b.jpg"), "b").unwrap();
    symlink("real/a.jpg", root.join("file-link.jpg")).unwrap();
    symlink(elsewhere.path(), root.join("directory-link")).unwrap();
    symlink("..", root.join("real/circle")).unwrap();
    symlink("circle2", root.join("circle2")).unwrap();
    symlink("nowhere", root.join("dangling")).unwrap();
    let (context, recorder) = recorded(None);
    let archive = dump(options(View::Objects, root), &context).unwrap();
    assert_eq!(names(&archive), ["directory-link/b.jpg", "file-link.jpg", "real/a.jpg"]);
    assert_eq!(&archive.content(&"file-link.jpg".into()).unwrap()[..], b"a");
    for named in ["real/circle", "circle2", "dangling"] {
        assert!(recorder.lines().iter().any(|(_, line)| line.contains(&format!("`{named}`"))), "{named}: {:?}", recorder.lines());
    }
}

#[test]
fn names_longer_than_a_path_may_be_come_back() {
    let source = tempfile::tempdir().unwrap();
    let segment = "d".repeat(250);
    let depth = 40;
    // Too long for one path: made and looked at step by step.
    let mut at = rustix::fs::open(source.path(), rustix::fs::OFlags::DIRECTORY, 0.into()).unwrap();
    for _ in 0..depth {
        rustix::fs::mkdirat(&at, segment.as_str(), 0o755.into()).unwrap();
        at = rustix::fs::openat(&at, segment.as_str(), rustix::fs::OFlags::DIRECTORY, 0.into()).unwrap();
    }
    let flags = rustix::fs::OFlags::CREATE | rustix::fs::OFlags::WRONLY;
    rustix::io::write(rustix::fs::openat(&at, "deep", flags, 0o600.into()).unwrap(), b"content").unwrap();
    for view in [View::Files, View::Objects] {
        let (_, target) = there_and_back(view, source.path());
        let mut at = rustix::fs::open(target.path().join("new/root"), rustix::fs::OFlags::DIRECTORY, 0.into()).unwrap();
        for _ in 0..depth {
            at = rustix::fs::openat(&at, segment.as_str(), rustix::fs::OFlags::DIRECTORY, 0.into()).unwrap();
        }
        let mut content = [0; 20];
        let file = rustix::fs::openat(&at, "deep", rustix::fs::OFlags::RDONLY, 0.into()).unwrap();
        let length = rustix::io::read(&file, &mut content[..]).unwrap();
        assert_eq!(&content[..length], b"content", "{view:?}");
    }
}
