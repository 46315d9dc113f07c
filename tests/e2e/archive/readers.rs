//! Other tools open what dr-host writes: Info-ZIP's unzip, 7-Zip, bsdtar, Python's zipfile and the `zip` crate.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::{Command, Output};

use dr_host::archive::escape;
use dr_host_tests::host::Host;
use dr_host_tests::machine;
use tempfile::TempDir;

/// What every tool must give back: zip names and content, directories left out.
type Files = BTreeMap<String, Vec<u8>>;

/// A directory of files that are hard on tools, dumped as a set `media`.
struct Dumped {
    directory: TempDir,
    files: Files,
}

impl Dumped {
    fn archive(&self) -> String {
        self.path("archive.zip")
    }

    fn path(&self, name: &str) -> String {
        self.directory.path().join(name).to_str().unwrap().to_owned()
    }
}

fn noise(seed: u64, size: usize) -> Vec<u8> {
    let mut dice = fastrand::Rng::with_seed(seed);
    (0..size).map(|_| dice.u8(..)).collect()
}

fn dump(compression: &str) -> Dumped {
    let directory = tempfile::tempdir().unwrap();
    let media = directory.path().join("media");
    let contents: [(&str, Vec<u8>); 15] = [
        ("plain.txt", b"some text\n".repeat(100)),
        ("empty", Vec::new()),
        (".hidden", b"dot".to_vec()),
        ("with space.txt", b"space".to_vec()),
        ("x#12", b"hash".to_vec()),
        ("ключ/鍵 ü.png", noise(1, 5_000)),
        ("clock 12:30.txt", b"colon".to_vec()),
        ("уже 12:30.txt", b"colon and more than ASCII".to_vec()),
        ("100%.txt", b"percent".to_vec()),
        ("back\\slash", b"backslash".to_vec()),
        ("new\nline", b"newline".to_vec()),
        ("media/media/again", b"as its set".to_vec()),
        ("noise.bin", noise(2, 3 << 20)),
        ("text.csv", b"2026-01-01;order;17;shipped\n".repeat(200_000)),
        ("large.bin", noise(3, 20 << 20)),
    ];
    for (name, content) in &contents {
        let path = media.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
    let configuration = format!(
        "version = 1\n[archive]\ncompression = \"{compression}\"\n[[set]]\nname = \"media\"\ndriver = \"filesystem\"\npath = \"media\"\n"
    );
    Host::configured(directory.path(), &configuration).run(["dump", "archive.zip"]).expect(0);
    let files = contents.into_iter().map(|(name, content)| (format!("media/{}", escape(&name.into())), content)).collect();
    Dumped { directory, files }
}

#[track_caller]
fn succeeds(command: &mut Command) -> Output {
    let output = command.output().unwrap();
    assert!(
        output.status.success(),
        "{command:?}: {}\n{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    output
}

/// The files of the set `media` below a directory into which a tool extracted.
fn extracted(root: &Path) -> Files {
    fn walk(root: &Path, at: &Path, into: &mut Files) {
        for entry in fs::read_dir(at).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(root, &path, into);
            } else {
                into.insert(path.strip_prefix(root).unwrap().to_str().unwrap().to_owned(), fs::read(&path).unwrap());
            }
        }
    }
    let mut files = Files::new();
    walk(root, &root.join("media"), &mut files);
    files
}

#[track_caller]
fn same(found: &Files, expected: &Files) {
    let names = |files: &Files| files.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(found), names(expected));
    for (name, content) in expected {
        assert!(found[name] == *content, "the content of `{name}` differs");
    }
}

#[test]
fn unzip_tests_and_extracts_what_is_deflated_or_stored() {
    for compression in ["deflate", "store"] {
        let dumped = dump(compression);
        let tested = succeeds(machine::tool("unzip").args(["-t", &dumped.archive()]));
        assert!(String::from_utf8_lossy(&tested.stdout).contains("No errors detected"), "{tested:?}");
        succeeds(machine::tool("unzip").env("LC_ALL", "C.UTF-8").args(["-q", &dumped.archive(), "-d", &dumped.path("out")]));
        same(&extracted(&dumped.directory.path().join("out")), &dumped.files);
    }
}

#[test]
fn seven_zip_tests_and_extracts_everything() {
    for compression in ["zstd", "deflate", "store"] {
        let dumped = dump(compression);
        let tested = succeeds(machine::tool("7zz").args(["t", &dumped.archive()]));
        let said = String::from_utf8_lossy(&tested.stdout);
        assert!(said.contains("Everything is Ok") && !said.contains("Warning"), "{said}");
        succeeds(machine::tool("7zz").env("LC_ALL", "C.UTF-8").args(["x", "-bd", &format!("-o{}", dumped.path("out")), &dumped.archive()]));
        same(&extracted(&dumped.directory.path().join("out")), &dumped.files);
    }
}

#[test]
fn bsdtar_extracts_everything() {
    for compression in ["zstd", "deflate", "store"] {
        let dumped = dump(compression);
        fs::create_dir(dumped.path("out")).unwrap();
        succeeds(machine::tool("bsdtar").env("LC_ALL", "C.UTF-8").args(["-x", "-f", &dumped.archive(), "-C", &dumped.path("out")]));
        same(&extracted(&dumped.directory.path().join("out")), &dumped.files);
    }
}

#[test]
fn python_reads_everything() {
    const SCRIPT: &str = "
import hashlib, sys
zipfile = __import__('zipfile')
if sys.version_info < (3, 14):
    from backports.zstd import zipfile
with zipfile.ZipFile(sys.argv[1]) as archive:
    assert archive.testzip() is None
    for info in archive.infolist():
        if info.filename.startswith('media/') and not info.is_dir():
            digest = hashlib.sha256(archive.read(info)).hexdigest()
            sys.stdout.buffer.write(f'{digest} {info.filename}\\n'.encode())
";
    for compression in ["zstd", "deflate", "store"] {
        let dumped = dump(compression);
        let output = succeeds(Command::new(machine::python()).args(["-c", SCRIPT, &dumped.archive()]));
        let mut found: Vec<String> = String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect();
        found.sort_by_key(|line| line[65..].to_owned());
        let expected: Vec<String> = dumped.files.iter().map(|(name, content)| format!("{} {name}", sha256(content))).collect();
        assert_eq!(found, expected);
    }
}

fn sha256(content: &[u8]) -> String {
    use sha2::Digest;
    sha2::Sha256::digest(content).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn the_zip_crate_reads_everything() {
    for compression in ["zstd", "deflate", "store"] {
        let dumped = dump(compression);
        let mut archive = zip::ZipArchive::new(File::open(dumped.archive()).unwrap()).unwrap();
        let mut files = Files::new();
        for number in 0..archive.len() {
            let mut entry = archive.by_index(number).unwrap();
            let name = entry.name().unwrap().into_owned();
            if name.starts_with("media/") && !name.ends_with('/') {
                let mut content = Vec::new();
                entry.read_to_end(&mut content).unwrap();
                files.insert(name, content);
            }
        }
        same(&files, &dumped.files);
    }
}

#[test]
fn tools_restore_modes_times_and_symbolic_links() {
    let directory = tempfile::tempdir().unwrap();
    let state = directory.path().join("state");
    fs::create_dir_all(state.join("private")).unwrap();
    fs::write(state.join("run"), "#!/bin/sh\n").unwrap();
    fs::set_permissions(state.join("run"), fs::Permissions::from_mode(0o755)).unwrap();
    fs::set_permissions(state.join("private"), fs::Permissions::from_mode(0o700)).unwrap();
    symlink("run", state.join("link")).unwrap();
    let time = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1_234_567_890);
    File::open(state.join("run")).unwrap().set_modified(time).unwrap();
    let configuration =
        "version = 1\n[archive]\ncompression = \"deflate\"\n[[set]]\nname = \"state\"\ndriver = \"filesystem\"\npath = \"state\"\n";
    Host::configured(directory.path(), configuration).run(["dump", "archive.zip"]).expect(0);
    let at = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
    for out in ["unzip", "bsdtar", "7zz"] {
        fs::create_dir(at(out)).unwrap();
    }
    succeeds(machine::tool("unzip").args(["-q", &at("archive.zip"), "-d", &at("unzip")]));
    succeeds(machine::tool("bsdtar").args(["-x", "-p", "-f", &at("archive.zip"), "-C", &at("bsdtar")]));
    succeeds(machine::tool("7zz").args(["x", "-bd", &format!("-o{}", at("7zz")), &at("archive.zip")]));
    for out in ["unzip", "bsdtar", "7zz"] {
        let found = directory.path().join(out).join("state");
        let meta = fs::metadata(found.join("run")).unwrap();
        assert_eq!(meta.permissions().mode() & 0o777, 0o755, "{out}");
        assert_eq!(meta.modified().unwrap(), time, "{out}");
        assert_eq!(fs::metadata(found.join("private")).unwrap().permissions().mode() & 0o777, 0o700, "{out}");
        assert_eq!(fs::read_link(found.join("link")).unwrap(), Path::new("run"), "{out}");
    }
}
