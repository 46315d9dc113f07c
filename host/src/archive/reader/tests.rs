//! Whatever was done to an archive is found: by accident (every bit, every truncation) or by design (forged ones).

use super::super::comment::{COMMENT_LENGTH, comment};
use super::super::compression::Method;
use super::super::manifest::{self, Manifest};
use super::super::test_support::{archive_of, noise};
use super::super::zip::{self, Central, Content, Directory};
use super::super::{ArchiveReader, Compression, Entry, index};
use crate::cancel::Cancel;
use crate::error::{ErrorKind, Result};
use crate::store::Source;

fn open(bytes: Vec<u8>) -> Result<ArchiveReader> {
    ArchiveReader::open(Source::from_bytes(bytes))
}

/// Everything that `open` or else `verify` says of an archive.
fn complaints(bytes: Vec<u8>) -> Vec<String> {
    match open(bytes) {
        Err(why) => vec![why.message().to_owned()],
        Ok(reader) => reader.verify(&Cancel::new(), &|_, _| {}).unwrap().iter().map(ToString::to_string).collect(),
    }
}

/// What `open`, `examine` and reading everything say: what a restore would.
fn restore(bytes: Vec<u8>) -> Result<()> {
    let reader = open(bytes)?;
    reader.examine(&Cancel::new())?;
    for record in &reader.manifest().sets {
        let set = reader.set(record, &Cancel::new())?;
        let mut entries = set.entries()?;
        loop {
            let page = entries.next(100)?;
            if page.is_empty() {
                break;
            }
            for info in page {
                let mut content = set.open(&info.entry.name)?;
                let (mut buffer, mut size) = ([0; 5000], 0);
                while let count @ 1.. = content.read(&mut buffer)? {
                    size += count as u64;
                    assert!(size <= info.size, "more was given than declared");
                }
            }
        }
    }
    Ok(())
}

/// An entry as it stands in a zip: its record in the directory, and its bytes behind the local header.
#[derive(Clone)]
struct Part {
    record: Central,
    data: Vec<u8>,
}

/// An archive of three small files, in parts: the entries, the index, the manifest.
fn parts(compression: Compression) -> Vec<Part> {
    let small = |name: &str, seed| (Entry::new(name), [noise(seed, 20), b"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa".to_vec()].concat());
    let bytes = archive_of(compression, &[small("a", 1), small("b", 2), small("c", 3)]);
    let reader = open(bytes.clone()).unwrap();
    let mut records = super::directory::Records::new(&reader.file.source, &reader.file.directory);
    let mut parts = Vec::new();
    while let Some(record) = records.next().unwrap() {
        let begin = record.place.offset as usize + record.local().len();
        let data = bytes[begin..][..record.content.stored as usize].to_vec();
        parts.push(Part { record, data });
    }
    parts[..3].sort_by(|one, other| one.record.header.name.cmp(&other.record.header.name));
    parts
}

/// Where the parts of [`parts`] stand.
const INDEX: usize = 3;
const MANIFEST: usize = 4;

impl Part {
    /// Gives the entry other bytes, stored, with everything that the zip says of them right.
    fn set(&mut self, content: Vec<u8>) {
        let size = content.len() as u64;
        self.record.header.method = Method::Store;
        self.record.content = Content { crc: crc32fast::hash(&content), size, stored: size };
        self.data = content;
    }

    fn rename(&mut self, name: &str) {
        self.record.header.name = name.into();
    }

    fn text(&self) -> String {
        assert_eq!(self.record.header.method, Method::Store);
        String::from_utf8(self.data.clone()).unwrap()
    }
}

/// Changes the index, and lets the manifest have the right hash of it.
fn with_index(parts: &mut [Part], change: impl FnOnce(String) -> String) {
    let changed = change(parts[INDEX].text());
    parts[INDEX].set(changed.into_bytes());
    let sha256 = sha256(&parts[INDEX].data);
    with_manifest(parts, |manifest| manifest.sets[0].index_sha256 = sha256);
}

fn with_manifest(parts: &mut [Part], change: impl FnOnce(&mut Manifest)) {
    let mut manifest: Manifest = serde_json::from_slice(&parts[MANIFEST].data).unwrap();
    change(&mut manifest);
    parts[MANIFEST].set(serde_json::to_vec(&manifest).unwrap());
}

fn sha256(bytes: &[u8]) -> String {
    use sha2::Digest;
    hex::encode(sha2::Sha256::digest(bytes))
}

/// Builds a zip whose structure is right, with the right checksum in its comment.
fn build(parts: &[Part]) -> Vec<u8> {
    build_with(parts, |_, _| {})
}

/// As [`build`]; `lie` changes the directory's records, after the entries are written as they are.
fn build_with(parts: &[Part], lie: impl Fn(usize, &mut Central)) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut directory = Vec::new();
    for (number, Part { record, data }) in parts.iter().enumerate() {
        let mut record = record.clone();
        record.place.offset = bytes.len() as u64;
        bytes.extend_from_slice(&record.local());
        bytes.extend_from_slice(data);
        bytes.extend_from_slice(&record.trailer());
        lie(number, &mut record);
        directory.extend_from_slice(&record.bytes());
    }
    let (offset, size) = (bytes.len() as u64, directory.len() as u64);
    bytes.extend_from_slice(&directory);
    bytes.extend_from_slice(&zip::end(&Directory { entries: parts.len() as u64, offset, size }, COMMENT_LENGTH));
    seal(bytes)
}

fn seal(mut bytes: Vec<u8>) -> Vec<u8> {
    let comment = comment(crc32fast::hash(&bytes));
    bytes.extend_from_slice(comment.as_bytes());
    bytes
}

/// A forged archive must be refused before a restore's first write, found by `verify`, and the reason must be told.
#[track_caller]
fn refused(bytes: Vec<u8>, says: &str) {
    let told = complaints(bytes.clone());
    assert!(told.iter().any(|complaint| complaint.contains(says)), "verify does not say `{says}`: {told:?}");
    let refused = open(bytes).and_then(|reader| reader.examine(&Cancel::new())).unwrap_err();
    assert!(matches!(refused.kind(), ErrorKind::Corrupt | ErrorKind::Unsupported), "{refused}");
}

/// A forged archive that looks right until the content is read.
#[track_caller]
fn refused_when_read(bytes: Vec<u8>, says: &str) {
    let told = complaints(bytes.clone());
    assert!(told.iter().any(|complaint| complaint.contains(says)), "verify does not say `{says}`: {told:?}");
    let refused = restore(bytes).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Corrupt);
    assert!(refused.message().starts_with("`a`: "), "{refused}");
}

#[test]
fn what_is_taken_apart_and_built_again_is_whole() {
    for compression in [Compression::Store, Compression::Zstd] {
        let bytes = build(&parts(compression));
        assert_eq!(complaints(bytes.clone()), [""; 0]);
        restore(bytes).unwrap();
    }
}

/// A million entries take seconds to examine, and Ctrl-C must not wait for them; the next question is answered all the same.
#[test]
fn examining_ends_when_it_is_asked_to() {
    let reader = open(build(&parts(Compression::Store))).unwrap();
    let cancel = Cancel::new();
    cancel.cancel();
    let record = &reader.manifest().sets[0];
    assert_eq!(reader.examine(&cancel).unwrap_err().kind(), ErrorKind::Cancelled);
    assert_eq!(reader.set(record, &cancel).map(drop).unwrap_err().kind(), ErrorKind::Cancelled);
    reader.examine(&Cancel::new()).unwrap();
    let names = reader.names(record, &cancel).unwrap().next().unwrap();
    assert_eq!(names.unwrap_err().kind(), ErrorKind::Cancelled, "nor does a walk through the names go on");
    assert_eq!(reader.names(record, &Cancel::new()).unwrap().count(), 3);
}

#[test]
fn every_flipped_bit_is_found_and_placed() {
    for compression in [Compression::Zstd, Compression::Deflate] {
        let bytes = build(&parts(compression));
        let reader = open(bytes.clone()).unwrap();
        let mut records = super::directory::Records::new(&reader.file.source, &reader.file.directory);
        let mut regions = Vec::new();
        while let Some(record) = records.next().unwrap() {
            regions.push((record.end().unwrap(), record.header.name));
        }
        let mut unplaced = 0;
        for at in 0..bytes.len() {
            for bit in 0..8 {
                let mut flipped = bytes.clone();
                flipped[at] ^= 1 << bit;
                let told = complaints(flipped);
                assert!(!told.is_empty(), "bit {bit} of byte {at} is overlooked");
                let is_repeated = |(count, one): (usize, &String)| told[..count].iter().any(|earlier| earlier.ends_with(one.as_str()));
                assert!(!told.iter().enumerate().any(is_repeated), "bit {bit} of byte {at} is told twice: {told:?}");
                let within = regions.iter().find(|(end, _)| (at as u64) < *end);
                if let Some((_, name)) = within
                    && !told.iter().any(|complaint| complaint.contains(name.as_str()))
                {
                    assert!(told[0].starts_with("the archive as a whole: "), "bit {bit} of byte {at}, in `{name}`: {told:?}");
                    unplaced += 1;
                }
            }
        }
        // Packed data have a few bits that change nothing: padding, reserved ones, other ways to say the same.
        assert!(unplaced <= 16 * regions.len(), "{unplaced}");
    }
}

#[test]
fn every_truncation_and_every_addition_is_found() {
    let bytes = build(&parts(Compression::Zstd));
    for length in 0..bytes.len() {
        assert!(open(bytes[..length].to_vec()).is_err(), "cut at {length}");
    }
    for more in [&b"x"[..], b"\0", &bytes[bytes.len() - 100..], &bytes] {
        assert!(!complaints([&bytes, more].concat()).is_empty());
        assert!(!complaints([more, &bytes].concat()).is_empty());
    }
}

#[test]
fn what_is_no_archive_is_said_to_be_none() {
    for (bytes, says) in [
        (Vec::new(), "no archive"),
        (noise(1, 100_000), "no archive"),
        (b"PK\x05\x06\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0".to_vec(), "no archive"),
        ([b"PK\x03\x04".to_vec(), noise(1, 1000)].concat(), "not a whole archive"),
    ] {
        let refused = open(bytes).err().unwrap();
        assert_eq!(refused.kind(), ErrorKind::Corrupt);
        assert!(refused.message().contains(says), "{refused}");
    }
}

#[test]
fn a_newer_format_is_said_to_be_newer() {
    let mut newer = parts(Compression::Store);
    with_manifest(&mut newer, |manifest| manifest.format = 2);
    let in_manifest = build(&newer);
    let bytes = build(&parts(Compression::Store));
    let text = b"dr-host archive, format 002, with something new in its comment";
    let in_comment = [&bytes[..bytes.len() - usize::from(COMMENT_LENGTH)], text].concat();
    let same_comment = String::from_utf8_lossy(&bytes[bytes.len() - usize::from(COMMENT_LENGTH)..]).replace("format 001", "format 017");
    let same_shape = [&bytes[..bytes.len() - usize::from(COMMENT_LENGTH)], same_comment.as_bytes()].concat();
    for (bytes, format) in [(in_manifest, 2), (in_comment, 2), (same_shape, 17)] {
        let refused = open(bytes).err().unwrap();
        assert_eq!(refused.kind(), ErrorKind::Unsupported);
        assert!(refused.message().contains(&format!("format {format}")) && refused.advice().is_some(), "{refused}");
    }
}

#[test]
fn names_that_leave_their_set_are_refused() {
    for (name, says) in [
        ("/etc/passwd", "absolute"),
        ("media/../../etc/passwd", "leaves its directory"),
        ("../a", "leaves its directory"),
        ("media/./a", "leaves its directory"),
        ("media/a\0b", "control character"),
        ("media\\a", "backslash"),
        ("C:/windows", "drive letter"),
        ("", "no name"),
        ("media2/a", "none of the sets"),
        ("medi", "none of the sets"),
        ("dr-host/other", "manifest knows nothing"),
        ("dr-host/index/other.ndjson", "manifest knows nothing"),
        ("media/A", "no index names it"),
        ("media/%61", "no index names it"),
        ("media/a/", "about its type"),
    ] {
        let mut forged = parts(Compression::Store);
        forged[0].rename(name);
        refused(build(&forged), says);
    }
}

#[test]
fn duplicate_and_overlapping_entries_are_refused() {
    let mut twice = parts(Compression::Store);
    twice.insert(1, twice[0].clone());
    refused(build(&twice), "more than once");

    let overlapping = build_with(&parts(Compression::Store), |number, record| {
        if number == 1 {
            record.place.offset -= 10;
        }
    });
    refused(overlapping, "overlaps");

    let same_place = build_with(&parts(Compression::Store), |number, record| {
        if number == 1 {
            record.place.offset = 0;
        }
    });
    refused(same_place, "overlaps");

    let mut hidden = parts(Compression::Store);
    hidden[0].data.extend_from_slice(b"nobody asked for these bytes");
    refused(build(&hidden), "belong to no entry");
}

#[test]
fn sizes_that_the_file_cannot_hold_are_refused() {
    for (size, stored) in [(59, 1 << 20), (1 << 60, 1 << 60), (59, u64::MAX), (59, 58)] {
        let lying = build_with(&parts(Compression::Store), |number, record| {
            if number == 0 {
                (record.content.size, record.content.stored) = (size, stored);
            }
        });
        refused(lying, "`media/");
    }
}

#[test]
fn an_index_that_disagrees_is_refused() {
    let first_line = |text: &str| text.lines().next().unwrap().to_owned() + "\n";
    type Change = Box<dyn Fn(String) -> String>;
    let cases: [(&str, Change); 9] = [
        ("index names it twice", Box::new(move |text| first_line(&text) + &text)),
        ("no index names it", Box::new(move |text| text.replacen(&first_line(&text), "", 1))),
        ("archive does not hold it", Box::new(|text| text.replace("\"a\"", "\"z\""))),
        ("about its type, mode, size or time", Box::new(|text| text.replace(":59", ":60"))),
        ("about its type, mode, size or time", Box::new(|text| text.replace("\"size\"", "\"modified\":\"2001-01-01T00:00:00Z\",\"size\""))),
        ("is no entry", Box::new(|text| text.replace("\"size\"", "\"sise\""))),
        ("is no entry", Box::new(|text| text + "{}\n")),
        ("last line has no end", Box::new(|text| text.trim_end().to_owned())),
        ("archive does not hold it", Box::new(|text| text.replace("\"a\"", "\"../a\""))),
    ];
    for (says, change) in cases {
        let mut forged = parts(Compression::Store);
        with_index(&mut forged, change);
        refused(build(&forged), says);
    }
}

#[test]
fn a_manifest_that_disagrees_is_refused() {
    type Change = Box<dyn Fn(&mut Manifest)>;
    let cases: [(&str, Change); 9] = [
        ("does not add up", Box::new(|manifest| manifest.sets[0].totals.entries = 4)),
        ("does not add up", Box::new(|manifest| manifest.sets[0].totals.bytes -= 1)),
        ("does not add up", Box::new(|manifest| manifest.sets[0].stored_bytes += 1)),
        ("SHA-256 is not the one that the manifest has", Box::new(|manifest| manifest.sets[0].index_sha256 = "0".repeat(64))),
        ("is there twice", Box::new(|manifest| manifest.sets.push(manifest.sets[0].clone()))),
        ("none of the sets", Box::new(|manifest| manifest.sets.clear())),
        ("is none that the set", Box::new(|manifest| manifest.sets[0].prefix = String::new())),
        ("is none that the set", Box::new(|manifest| manifest.sets[0].prefix = "dr-host/".into())),
        ("not where it belongs", Box::new(|manifest| manifest.sets[0].index = "media/a".into())),
    ];
    for (says, change) in cases {
        let mut forged = parts(Compression::Store);
        with_manifest(&mut forged, change);
        refused(build(&forged), says);
    }
}

#[test]
fn a_manifest_that_is_not_last_is_refused() {
    let mut forged = parts(Compression::Store);
    let manifest = forged.remove(MANIFEST);
    forged.insert(0, manifest.clone());
    refused(build(&forged), "last entry");
    forged.push(manifest);
    refused(build(&forged), "is there twice");
    let mut behind = parts(Compression::Store);
    let entry = behind.remove(0);
    behind.push(entry);
    refused(build(&behind), "last entry");
}

#[test]
fn a_manifest_that_is_none_is_refused() {
    for content in [&b""[..], b"{}", b"[]", b"\xff", br#"{"format":0}"#, br#"{"format":1}"#] {
        let mut forged = parts(Compression::Store);
        forged[MANIFEST].set(content.to_vec());
        refused(build(&forged), "manifest");
    }
    let too_large = build_with(&parts(Compression::Store), |number, record| {
        if number == MANIFEST {
            record.content.size = manifest::MAX_SIZE + 1;
        }
    });
    refused(too_large, "more than 64 MiB");
}

#[test]
fn local_headers_that_differ_from_the_directory_are_refused() {
    let bytes = build(&parts(Compression::Store));
    let name_at = bytes.windows(7).position(|window| window == b"media/a").unwrap();
    let mut renamed = bytes[..bytes.len() - usize::from(COMMENT_LENGTH)].to_vec();
    renamed[name_at + 6] = b'x';
    refused_when_read(seal(renamed), "local header");
}

/// Other tools unpack by the directory: it must not make a program or a link of what the index calls a file.
#[test]
fn modes_and_times_that_the_index_does_not_have_are_refused() {
    type Change = Box<dyn Fn(&mut Central)>;
    let changes: [Change; 4] = [
        Box::new(|record| record.mode = 0o120_777),
        Box::new(|record| record.mode |= 0o4111),
        Box::new(|record| record.mode = 0),
        Box::new(|record| record.header.modified += 1),
    ];
    for change in changes {
        for (part, says) in [(0, "about its type, mode, size or time"), (INDEX, "not that of an archive's own entries")] {
            let mut forged = parts(Compression::Store);
            change(&mut forged[part].record);
            refused(build(&forged), says);
        }
    }
    let mut manifest = parts(Compression::Store);
    manifest[MANIFEST].record.mode = 0o100_644;
    refused(build(&manifest), "not that of an archive's own entries");
}

#[test]
fn encrypted_entries_and_unknown_methods_are_refused() {
    let bytes = build(&parts(Compression::Store));
    let record = bytes.windows(4).position(|window| window == b"PK\x01\x02").unwrap();
    for (at, value) in [(8, 1), (10, 99), (10, 12)] {
        let mut forged = bytes[..bytes.len() - usize::from(COMMENT_LENGTH)].to_vec();
        forged[record + at] = value;
        refused(seal(forged), "the zip's directory");
    }
}

#[test]
fn content_that_is_not_what_the_index_says_is_refused_when_it_is_read() {
    let mut forged = parts(Compression::Store);
    let content = vec![b'x'; forged[0].data.len()];
    forged[0].set(content);
    refused_when_read(build(&forged), "SHA-256 is not the one that the index has");
}

/// Replaces the first file's packed bytes; `size` is what is declared of its content.
fn with_packed(method: Method, packed: Vec<u8>, crc: u32, size: u64) -> Vec<u8> {
    let mut forged = parts(Compression::Store);
    let stored_before = forged[0].record.content.stored;
    forged[0].record.header.method = method;
    forged[0].record.content = Content { crc, size, stored: packed.len() as u64 };
    let stored = packed.len() as u64;
    forged[0].data = packed;
    with_index(&mut forged, |text| {
        let (first, rest) = text.split_once('\n').unwrap();
        assert!(first.contains("\"a\"") || rest.contains("\"a\""));
        text.lines()
            .map(|line| if line.contains("\"a\"") { line.replace(":59", &format!(":{size}")) } else { line.to_owned() } + "\n")
            .collect()
    });
    with_manifest(&mut forged, |manifest| {
        manifest.sets[0].totals.bytes = manifest.sets[0].totals.bytes - 59 + size;
        manifest.sets[0].stored_bytes = manifest.sets[0].stored_bytes - stored_before + stored;
    });
    build(&forged)
}

fn deflated(content: &[u8]) -> Vec<u8> {
    use std::io::Write;
    let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn bombs_stop_at_their_declared_size() {
    let zeros = vec![0; 64 << 20];
    let zstd = zstd::bulk::compress(&zeros, 1).unwrap();
    let streamed = zstd::stream::encode_all(&zeros[..], 1).unwrap();
    let deflate = deflated(&zeros);
    for size in [0, 10, 1 << 20, (1 << 20) + 1, 5 << 20] {
        let crc = crc32fast::hash(&zeros[..size]);
        for (method, packed) in [(Method::Zstd, &zstd), (Method::Zstd, &streamed), (Method::Deflate, &deflate)] {
            refused_when_read(with_packed(method, packed.clone(), crc, size as u64), "more than the size that was declared");
        }
    }
}

#[test]
fn content_that_ends_early_or_goes_on_behind_its_end_is_refused() {
    let large = noise(5, 3 << 20);
    for content in [&b"small"[..], &large] {
        let (crc, size) = (crc32fast::hash(content), content.len() as u64);
        let (zstd, deflate) = (zstd::bulk::compress(content, 1).unwrap(), deflated(content));
        let more = |packed: &[u8], more: &[u8]| [packed, more].concat();
        refused_when_read(with_packed(Method::Zstd, zstd.clone(), crc, size + 1), "less than the size");
        refused_when_read(with_packed(Method::Deflate, deflate.clone(), crc, size + 1), "`media/a`");
        refused_when_read(with_packed(Method::Zstd, zstd.clone(), crc ^ 1, size), "CRC-32");
        refused_when_read(with_packed(Method::Zstd, zstd[..zstd.len() - 1].to_vec(), crc, size), "`media/a`");
        refused_when_read(with_packed(Method::Deflate, deflate[..deflate.len() - 1].to_vec(), crc, size), "damaged");
        // A second frame, an empty one, garbage.
        refused_when_read(with_packed(Method::Zstd, more(&zstd, &zstd::bulk::compress(b"", 1).unwrap()), crc, size), "`media/a`");
        refused_when_read(with_packed(Method::Zstd, more(&zstd, b"garbage"), crc, size), "`media/a`");
        refused_when_read(with_packed(Method::Deflate, more(&deflate, b"garbage"), crc, size), "`media/a`");
    }
}

#[test]
fn a_frame_that_asks_for_much_memory_is_refused() {
    use std::io::Write;
    let content = noise(5, 3 << 20);
    let mut encoder = zstd::Encoder::new(Vec::new(), 1).unwrap();
    encoder.window_log(27).unwrap();
    encoder.write_all(&content).unwrap();
    let packed = encoder.finish().unwrap();
    refused_when_read(with_packed(Method::Zstd, packed, crc32fast::hash(&content), content.len() as u64), "damaged");
}

#[test]
fn an_index_line_of_any_length_takes_bounded_memory() {
    let mut forged = parts(Compression::Store);
    with_index(&mut forged, |text| text + &"x".repeat(3 * index::MAX_LINE));
    refused(build(&forged), "takes more than");
}

#[test]
fn random_damage_never_panics() {
    let bytes = build(&parts(Compression::Zstd));
    let dice = noise(99, 60_000);
    for throw in dice.chunks_exact(12) {
        let mut damaged = bytes.clone();
        for change in throw.chunks_exact(3) {
            let at = usize::from(u16::from_le_bytes([change[0], change[1]])) % damaged.len();
            damaged[at] = change[2];
        }
        damaged.truncate(damaged.len() - usize::from(COMMENT_LENGTH));
        // The checksum is right, so only what the entries say of each other can tell.
        if !bytes.starts_with(&damaged) {
            let _ = complaints(seal(damaged.clone()));
            let _ = restore(seal(damaged));
        }
    }
}
