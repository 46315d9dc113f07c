//! Forged archives, through the command line: refused before a restore writes anything, told by `verify` with exit code 1.
//! What can be forged in detail is tried beside the reader itself.

use std::fs;
use std::path::Path;

use dr_host_tests::host::Host;
use tempfile::TempDir;

const CONFIGURATION: &str =
    "version = 1\n[archive]\ncompression = \"store\"\n[[set]]\nname = \"state\"\ndriver = \"filesystem\"\npath = \"state\"\n";

/// The comment's length: behind it nothing is, and its last 8 characters are a checksum.
const COMMENT: usize = 43;

fn dumped() -> (TempDir, Host, Vec<u8>) {
    let directory = tempfile::tempdir().unwrap();
    fs::create_dir(directory.path().join("state")).unwrap();
    fs::write(directory.path().join("state/innocent"), "content").unwrap();
    let host = Host::configured(directory.path(), CONFIGURATION);
    host.run(["dump", "archive.zip"]).expect(0);
    let bytes = fs::read(directory.path().join("archive.zip")).unwrap();
    fs::remove_dir_all(directory.path().join("state")).unwrap();
    (directory, host, bytes)
}

/// Replaces text by as much other text, everywhere, and makes the checksum right.
fn forge(bytes: &[u8], from: &str, to: &str) -> Vec<u8> {
    assert_eq!(from.len(), to.len());
    let mut forged = bytes.to_vec();
    while let Some(at) = forged.windows(from.len()).position(|window| window == from.as_bytes()) {
        forged[at..at + to.len()].copy_from_slice(to.as_bytes());
    }
    let checksum = forged.len() - 8;
    let crc = crc32fast::hash(&forged[..forged.len() - COMMENT]);
    forged[checksum..].copy_from_slice(format!("{crc:08x}").as_bytes());
    forged
}

#[track_caller]
fn refused(host: &Host, directory: &Path, bytes: &[u8], says: &str) {
    fs::write(directory.join("forged.zip"), bytes).unwrap();
    let verified = host.run(["verify", "forged.zip"]).expect(1);
    assert!(verified.stderr.contains(says), "verify does not say `{says}`: {verified}");
    let restored = host.run(["restore", "forged.zip", "--yes"]).expect(1);
    assert!(restored.stderr.contains(says), "restore does not say `{says}`: {restored}");
    assert!(!directory.join("state").exists(), "something was written");
}

#[test]
fn names_that_lead_elsewhere_are_refused() {
    let (directory, host, bytes) = dumped();
    for (name, says) in [
        ("/tmp/innocent1", "its name is absolute"),
        ("../../innocent", "its name leaves its directory"),
        ("C:/xx/innocent", "its name begins with a drive letter"),
        ("state\\innocent", "its name holds a backslash"),
        ("other/innocent", "it belongs to none of the sets"),
    ] {
        refused(&host, directory.path(), &forge(&bytes, "state/innocent", name), says);
    }
}

#[test]
fn an_index_and_a_manifest_that_were_changed_are_refused() {
    let (directory, host, bytes) = dumped();
    refused(&host, directory.path(), &forge(&bytes, "\"size\":7", "\"size\":9"), "CRC-32");
    refused(&host, directory.path(), &forge(&bytes, "\"format\": 1,", "\"format\": 7,"), "`dr-host/manifest.json`");
}

#[test]
fn a_truncated_archive_is_refused() {
    let (directory, host, bytes) = dumped();
    refused(&host, directory.path(), &bytes[..bytes.len() - 1], "is not a whole archive");
    refused(&host, directory.path(), &bytes[..bytes.len() / 2], "is not a whole archive");
    refused(&host, directory.path(), b"", "is no archive of dr-host");
}

#[test]
fn content_that_was_changed_is_not_restored() {
    let (directory, host, bytes) = dumped();
    fs::write(directory.path().join("forged.zip"), forge(&bytes, "content", "forgery")).unwrap();
    let verified = host.run(["verify", "forged.zip"]).expect(1);
    assert!(
        verified.stderr.contains("`state/innocent`: its content is damaged: its CRC-32 is not the one that was declared"),
        "{verified}"
    );
    let restored = host.run(["restore", "forged.zip"]).expect(1);
    assert!(restored.stderr.contains("`innocent`: its content is damaged: its CRC-32"), "{restored}");
    assert!(!directory.path().join("state/innocent").exists());
}
