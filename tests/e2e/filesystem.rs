//! `filesystem` through the command line: a tree with everything in it there and back, what cannot be read, what is mounted
//! inside it, a disk that is too small, a restore that is killed.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime};

use dr_host_tests::host::{Host, binary};
use dr_host_tests::machine;
use serde_json::Value;
use tempfile::TempDir;

/// A directory with a configuration that has one set, the tree `state`.
struct Place {
    dir: TempDir,
    host: Host,
}

impl Place {
    fn new(settings: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("state")).unwrap();
        let set = format!("version = 1\n[[set]]\nname = \"state\"\ndriver = \"filesystem\"\npath = \"state\"\n{settings}\n");
        let host = Host::configured(dir.path(), &set);
        Self { dir, host }
    }

    fn at(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        let path = self.at("state").join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
}

/// Everything below a directory that a restore must bring back, one line a name.
fn portrait(root: &Path) -> Vec<String> {
    fn walk(root: &Path, at: &Path, into: &mut Vec<String>) {
        let meta = at.symlink_metadata().unwrap();
        let mut line = format!("{:?} {:o} {}:{} {}", at.strip_prefix(root).unwrap(), meta.mode(), meta.uid(), meta.gid(), meta.nlink());
        // A link's time is its own; a directory's and a file's is what programs look at.
        line += &format!(" {}.{:09}", meta.mtime(), meta.mtime_nsec());
        if meta.is_symlink() {
            line += &format!(" -> {:?}", fs::read_link(at).unwrap());
        } else {
            let attributes = Command::new("getfattr").args(["-d", "-m", "-", "-e", "hex", "--absolute-names"]).arg(at).output().unwrap();
            let attributes = String::from_utf8_lossy(&attributes.stdout).into_owned();
            line += &attributes.lines().filter(|line| !line.starts_with('#')).collect::<Vec<_>>().join(" ");
        }
        if meta.is_file() {
            line += &format!(" {:?}", fs::read(at).unwrap().iter().fold(0_u64, |sum, byte| sum.wrapping_mul(31) + u64::from(*byte)));
        }
        into.push(line);
        if meta.is_dir() {
            let mut names: Vec<_> = fs::read_dir(at).unwrap().map(|entry| entry.unwrap().path()).collect();
            names.sort();
            names.iter().for_each(|path| walk(root, path, into));
        }
    }
    let mut lines = Vec::new();
    walk(root, root, &mut lines);
    lines
}

#[test]
fn a_tree_with_everything_in_it_comes_back_as_it_was() {
    let place = Place::new("");
    place.write("plain", "content");
    place.write(".hidden/with space/x#12", "x");
    place.write("ключ/鍵", "x");
    place.write("big", vec![b'b'; 3 << 20]);
    let odd = place.at("state").join(OsStr::from_bytes(b"not utf-8 \xff\nand a line"));
    fs::write(&odd, "odd").unwrap();
    fs::create_dir_all(place.at("state/empty/below")).unwrap();
    fs::hard_link(place.at("state/plain"), place.at("state/.hidden/second name")).unwrap();
    symlink("../plain", place.at("state/empty/link")).unwrap();
    symlink("/nowhere", place.at("state/dangling")).unwrap();
    chown(place.at("state/big"), Some(1234), Some(4321)).unwrap();
    std::os::unix::fs::lchown(place.at("state/dangling"), Some(1234), Some(4321)).unwrap();
    for (name, mode) in [("plain", 0o4710), ("empty", 0o1777), ("empty/below", 0), (".hidden", 0o2750), ("big", 0)] {
        fs::set_permissions(place.at("state").join(name), PermissionsExt::from_mode(mode)).unwrap();
    }
    let attribute = machine::tool("setfattr").args(["-n", "user.of", "-v", "0x00ff0a"]).arg(place.at("state/plain")).status().unwrap();
    assert!(attribute.success());
    let attribute = machine::tool("setfattr").args(["-n", "user.of", "-v", "a directory"]).arg(place.at("state/empty")).status().unwrap();
    assert!(attribute.success());
    for (name, seconds) in [("plain", 1), ("empty", 1_000_000_000), ("", 1_234_567_890)] {
        let at = SystemTime::UNIX_EPOCH + Duration::new(seconds, 987_654_321);
        File::open(place.at("state").join(name)).unwrap().set_modified(at).unwrap();
    }
    let before = portrait(&place.at("state"));

    place.host.run(["dump", "out.zip"]).expect(0);
    place.host.run(["verify", "out.zip"]).expect(0);
    fs::remove_dir_all(place.at("state")).unwrap();
    place.host.run(["restore", "out.zip"]).expect(0);
    assert_eq!(portrait(&place.at("state")), before);

    // And once more, over a tree in which much is another: then too it is what it was.
    fs::write(place.at("state/plain"), "CONTENT").unwrap();
    fs::set_permissions(place.at("state/empty"), PermissionsExt::from_mode(0o700)).unwrap();
    fs::remove_file(place.at("state/dangling")).unwrap();
    fs::write(place.at("state/dangling"), "a file by now").unwrap();
    fs::remove_file(place.at("state/.hidden/second name")).unwrap();
    place.host.run(["restore", "out.zip"]).expect(0);
    assert_eq!(portrait(&place.at("state")), before);
}

#[test]
fn other_tools_unpack_the_tree() {
    let place = Place::new("");
    place.write("d/file", "content");
    fs::create_dir(place.at("state/empty")).unwrap();
    symlink("d/file", place.at("state/link")).unwrap();
    fs::set_permissions(place.at("state/d/file"), PermissionsExt::from_mode(0o750)).unwrap();
    place.host.run(["dump", "out.zip"]).expect(0);
    let unpacked = machine::tool("bsdtar").args(["-xpf", "out.zip"]).current_dir(place.dir.path().join("state")).status();
    assert!(!unpacked.unwrap().success(), "it is not there");
    fs::create_dir(place.at("elsewhere")).unwrap();
    let unpacked = machine::tool("bsdtar").args(["-xpf", "../out.zip"]).current_dir(place.at("elsewhere")).status();
    assert!(unpacked.unwrap().success());
    let state = place.at("elsewhere/state");
    assert_eq!(fs::read_to_string(state.join("d/file")).unwrap(), "content");
    assert_eq!(state.join("d/file").metadata().unwrap().mode() & 0o777, 0o750);
    assert_eq!(fs::read_link(state.join("link")).unwrap(), Path::new("d/file"));
    assert!(state.join("empty").is_dir());
}

/// Runs the binary as a user without rights, in a place that this user may enter.
fn as_nobody(place: &Place, arguments: &[&str]) -> std::process::Output {
    let mut command = machine::tool("setpriv");
    command.args(["--reuid=65534", "--regid=65534", "--clear-groups", "--"]).arg(binary()).args(arguments);
    command.current_dir(place.dir.path()).stdin(Stdio::null()).output().unwrap()
}

#[test]
fn everything_that_cannot_be_read_is_named_before_anything_is_written_or_skipped_as_told() {
    let place = Place::new("");
    place.write("open", "x");
    place.write("secret", "x");
    place.write("closed/inside", "x");
    fs::set_permissions(place.dir.path(), PermissionsExt::from_mode(0o777)).unwrap();
    fs::set_permissions(place.at("state/secret"), PermissionsExt::from_mode(0o600)).unwrap();
    fs::set_permissions(place.at("state/closed"), PermissionsExt::from_mode(0o700)).unwrap();

    let ended = as_nobody(&place, &["dump", "out.zip"]);
    let said = String::from_utf8_lossy(&ended.stderr).into_owned();
    assert_eq!(ended.status.code(), Some(1), "{said}");
    assert!(said.contains("secret: permission denied") && said.contains("closed: permission denied"), "{said}");
    assert!(!place.at("out.zip").exists());

    let file = place.at("dumprestore.toml");
    fs::write(&file, fs::read_to_string(&file).unwrap() + "unreadable = \"skip\"\n").unwrap();
    let ended = as_nobody(&place, &["dump", "--json", "out.zip"]);
    assert_eq!(ended.status.code(), Some(3), "{}", String::from_utf8_lossy(&ended.stderr));
    let events = String::from_utf8(ended.stdout).unwrap();
    let events = events.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let mut skipped: Vec<_> =
        events.filter(|event| event["event"] == "finding").map(|event| event["finding"]["name"].as_str().unwrap().to_owned()).collect();
    skipped.sort();
    assert_eq!(skipped, ["closed", "secret"]);
    let told = place.host.run(["restore", "--json", "--extra", "delete", "--yes", "out.zip"]).expect(0);
    assert!(told.stdout.contains("secret"), "a restore tells what its archive lacks: {told}");
    assert!(place.at("state/secret").exists() && place.at("state/closed/inside").exists(), "what nobody could dump is not deleted");
}

/// Runs a shell script with a mount table of its own, or says that this machine does not permit it.
fn with_mounts(place: &Place, script: &str) -> Option<std::process::Output> {
    let unshare = || {
        let mut command = machine::tool("unshare");
        command.args(["--mount", "--propagation", "private", "sh", "-ec"]).current_dir(place.dir.path());
        command
    };
    let may = unshare().args(["mount -t tmpfs -o size=1m none state"]).output().unwrap();
    if !may.status.success() {
        machine::not_run(&format!("file systems cannot be mounted: {}", String::from_utf8_lossy(&may.stderr)));
        return None;
    }
    Some(unshare().arg(script).env("HOST", binary()).output().unwrap())
}

#[test]
fn a_set_stays_on_its_file_system_where_it_is_told_to() {
    let place = Place::new("one_file_system = true");
    place.write("file", "x");
    fs::create_dir(place.at("state/mounted")).unwrap();
    let script = "mount -t tmpfs none state/mounted; echo y > state/mounted/inside; \"$HOST\" dump out.zip";
    let Some(ended) = with_mounts(&place, script) else { return };
    let said = String::from_utf8_lossy(&ended.stderr).into_owned();
    assert_eq!(ended.status.code(), Some(0), "{said}");
    assert!(said.contains("`mounted`"), "it is said: {said}");
    fs::remove_dir_all(place.at("state")).unwrap();
    place.host.run(["restore", "out.zip"]).expect(0);
    assert!(place.at("state/mounted").is_dir());
    assert!(!place.at("state/mounted/inside").exists());
}

#[test]
fn what_is_mounted_in_the_target_is_left_alone_by_a_set_that_stays_on_its_file_system() {
    let place = Place::new("one_file_system = true");
    for name in ["kept/written", "file"] {
        place.write(name, "from the archive");
    }
    place.host.run(["dump", "out.zip"]).expect(0);
    for name in ["extra/deeper", "deep/extra/mounted", "kept"] {
        fs::create_dir_all(place.at("state").join(name)).unwrap();
    }
    place.write("single", "below the mounted file");
    place.write("file", "newer");
    let script = "for name in extra deep/extra/mounted kept; do
            mount -t tmpfs none state/$name; mkdir state/$name/more; echo mounted > state/$name/more/inside
        done
        echo mounted > state/extra/single; mount --bind state/extra/single state/single
        \"$HOST\" restore --extra delete --yes out.zip
        cat state/extra/more/inside state/deep/extra/mounted/more/inside state/kept/more/inside state/single state/file
        ls -A state/kept";
    let Some(ended) = with_mounts(&place, script) else { return };
    let said = String::from_utf8_lossy(&ended.stderr).into_owned();
    assert_eq!(ended.status.code(), Some(0), "{said}");
    let shown = String::from_utf8_lossy(&ended.stdout).into_owned();
    assert!(shown.ends_with("mounted\nmounted\nmounted\nmounted\nfrom the archivemore\n"), "{shown}");
    assert!(said.contains("1 entries stay in the archive: `include`, `exclude`, another set or a mounted file system"), "{said}");
}

/// An overlay gives its files the devices of the layers that they lie in.
#[test]
fn files_of_a_layered_file_system_are_restored_by_a_set_that_stays_on_it() {
    let place = Place::new("one_file_system = true");
    place.write("file", "from the archive");
    place.host.run(["dump", "out.zip"]).expect(0);
    let script = "mkdir low up; mount -t tmpfs none low; mount -t tmpfs none up; mkdir up/up up/work
        echo newer > low/file; echo newer > low/extra
        mount -t overlay -o lowerdir=low,upperdir=up/up,workdir=up/work none state || exit 77
        \"$HOST\" restore --extra delete --yes out.zip
        ls state; cat state/file";
    let Some(ended) = with_mounts(&place, script) else { return };
    let said = String::from_utf8_lossy(&ended.stderr).into_owned();
    if ended.status.code() == Some(77) {
        return machine::not_run(&format!("overlays cannot be mounted: {said}"));
    }
    assert_eq!(ended.status.code(), Some(0), "{said}");
    let shown = String::from_utf8_lossy(&ended.stdout).into_owned();
    assert!(shown.ends_with("\nfile\nfrom the archive"), "{shown}\n{said}");
}

#[test]
fn a_disk_that_is_too_small_is_told_before_anything_is_written() {
    let place = Place::new("");
    place.write("a", vec![7; 3 << 20]);
    place.host.run(["dump", "out.zip"]).expect(0);
    let script = "mount -t tmpfs -o size=2m none state; \"$HOST\" restore out.zip && exit 99; ls -A state";
    let Some(ended) = with_mounts(&place, script) else { return };
    let said = String::from_utf8_lossy(&ended.stderr).into_owned();
    assert!(said.contains("are free") && said.contains("free some space"), "{said}");
    assert_eq!(String::from_utf8_lossy(&ended.stdout).trim(), "", "nothing was written: {said}");
}

#[test]
fn a_restore_that_is_killed_leaves_each_file_old_or_new_and_the_next_one_ends_it() {
    const FILES: usize = 150;
    const KILLS: u64 = 12;
    let place = Place::new("");
    let content = |release: &str, number: usize| format!("release {release} of {number} ").repeat(number * 40 + 1);
    (0..FILES).for_each(|number| place.write(&format!("d{}/f{number}", number % 7), content("1", number)));
    place.host.run(["dump", "out.zip"]).expect(0);
    let mut half_done = 0;
    for kill in 0..KILLS {
        (0..FILES).for_each(|number| place.write(&format!("d{}/f{number}", number % 7), content("2", number)));
        let mut running = place.host.start(["restore", "--json", "out.zip"]);
        running.until(|event| event["event"] == "moment" && event["moment"] == "restore");
        std::thread::sleep(Duration::from_micros(kill * 1500));
        drop(running);
        let mut new = 0;
        for number in 0..FILES {
            let found = fs::read_to_string(place.at(&format!("state/d{}/f{number}", number % 7))).unwrap();
            assert!(found == content("1", number) || found == content("2", number), "file {number} is neither old nor new");
            new += usize::from(found == content("1", number));
        }
        half_done += u32::from(new > 0 && new < FILES);
    }
    assert!(half_done > 0, "no kill came in the middle of a restore");
    place.host.run(["restore", "out.zip"]).expect(0);
    let found = portrait(&place.at("state"));
    assert!(!found.iter().any(|line| line.contains(".dr-host-")), "{found:?}");
    (0..FILES).for_each(|number| {
        let found = fs::read_to_string(place.at(&format!("state/d{}/f{number}", number % 7))).unwrap();
        assert!(found == content("1", number));
    });
}
