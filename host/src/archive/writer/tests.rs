//! What is written is read back as it was; what is not whole is no archive.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use super::super::manifest::{FORMAT, SetRecord};
use super::super::{ArchiveReader, Compression, Entry, Manifest};
use super::{ArchiveWriter, ClosedSet, Options};
use crate::cancel::Cancel;
use crate::drivers::{PointInTime, Worth};
use crate::error::{ErrorKind, Result};
use crate::name::{EntryName, SetPath};
use crate::store::{Source, Upload};

/// An archive in memory, seen only once it is committed.
#[derive(Clone, Default)]
struct Memory {
    written: Arc<Mutex<Vec<u8>>>,
    committed: Arc<Mutex<Option<Vec<u8>>>>,
}

impl Write for Memory {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.written.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Upload for Memory {
    fn location(&self) -> String {
        "memory".into()
    }

    fn commit(self: Box<Self>) -> Result<()> {
        *self.committed.lock().unwrap() = Some(self.written.lock().unwrap().clone());
        Ok(())
    }
}

fn path(text: &str) -> SetPath {
    SetPath::parse(text).unwrap()
}

fn create(compression: Compression) -> (ArchiveWriter, Memory) {
    let memory = Memory::default();
    let options = Options { compression, level: None, workers: 2 };
    (ArchiveWriter::create(Box::new(memory.clone()), &options, &Cancel::new()).unwrap(), memory)
}

fn record(archive: &ArchiveWriter, closed: &ClosedSet, set: &str) -> SetRecord {
    let index = archive.append_index(closed).unwrap();
    SetRecord {
        path: path(set),
        driver: "test".into(),
        driver_version: "1".into(),
        driver_details: BTreeMap::new(),
        format: "test/1".into(),
        point_in_time: PointInTime::now(Worth::Exact),
        totals: closed.totals(),
        stored_bytes: closed.stored_bytes(),
        seconds: 0.0,
        prefix: format!("{set}/"),
        index: index.name,
        index_sha256: index.sha256,
        notes: BTreeMap::new(),
        warnings: Vec::new(),
    }
}

fn manifest(sets: Vec<SetRecord>) -> Manifest {
    let now = jiff::Timestamp::now();
    Manifest {
        format: FORMAT,
        created_by: "dr-host test".into(),
        started_at: now,
        finished_at: now,
        sets,
        left_out: Vec::new(),
        links: Vec::new(),
        findings: Vec::new(),
        more_findings: 0,
    }
}

/// An archive with one set that holds these entries.
fn archive_of(compression: Compression, entries: &[(Entry, Vec<u8>)]) -> Vec<u8> {
    let (archive, memory) = create(compression);
    let set = archive.set(&path("media"), "media/", &Cancel::new()).unwrap();
    let mut writer = set.writer().unwrap();
    for (entry, content) in entries {
        let mut into = writer.create(entry.clone()).unwrap();
        into.write(content).unwrap();
        into.finish().unwrap();
    }
    let closed = set.close().unwrap();
    let record = record(&archive, &closed, "media");
    archive.finish(&manifest(vec![record])).unwrap();
    memory.committed.lock().unwrap().take().unwrap()
}

fn read_all(reader: &dyn super::super::Reader) -> Vec<(Entry, Vec<u8>)> {
    let mut all = Vec::new();
    let mut entries = reader.entries().unwrap();
    loop {
        let page = entries.next(3).unwrap();
        if page.is_empty() {
            return all;
        }
        for info in page {
            let mut content = reader.open(&info.entry.name).unwrap();
            assert_eq!(content.info(), &info);
            let (mut bytes, mut buffer) = (Vec::new(), [0; 1000]);
            loop {
                match content.read(&mut buffer).unwrap() {
                    0 => break,
                    count => bytes.extend_from_slice(&buffer[..count]),
                }
            }
            assert_eq!(bytes.len() as u64, info.size);
            all.push((info.entry, bytes));
        }
    }
}

fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed | 1;
    (0..length)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state as u8
        })
        .collect()
}

fn some_entries() -> Vec<(Entry, Vec<u8>)> {
    vec![
        (Entry::new("").attribute("type", "directory").attribute("mode", "0750"), Vec::new()),
        (Entry::new("empty"), Vec::new()),
        (Entry::new("text").modified(jiff::Timestamp::new(1_700_000_000, 123_456_789).unwrap()), b"some text, ".repeat(500)),
        (Entry::new("old").modified(jiff::Timestamp::from_second(-5_000_000_000).unwrap()), b"x".to_vec()),
        (Entry::new("a//b/../%"), noise(1, 70_000)),
        (Entry::new(EntryName::from_bytes(*b"\xff\n")).attribute("z", "1").attribute("a", "2"), noise(2, 3)),
        (Entry::new("dir").attribute("type", "directory"), Vec::new()),
        (Entry::new("dir/link").attribute("type", "symlink"), b"../text".to_vec()),
        (Entry::new("large"), noise(3, 3 << 20)),
        (Entry::new("zeros"), vec![0; 20 << 20]),
        (Entry::new("huge"), noise(4, 18 << 20)),
    ]
}

#[test]
fn entries_come_back_as_they_were() {
    for compression in [Compression::Zstd, Compression::Deflate, Compression::Store] {
        let entries = some_entries();
        let bytes = archive_of(compression, &entries);
        let reader = ArchiveReader::open(Source::from_bytes(bytes)).unwrap();
        reader.examine().unwrap();
        let set = reader.set(&reader.manifest().sets[0], &Cancel::new()).unwrap();
        let mut back = read_all(&*set);
        back.sort_by_key(|(entry, _)| entries.iter().position(|(other, _)| other == entry));
        assert_eq!(back.len(), entries.len());
        assert!(back == entries, "{compression}");
        assert_eq!(set.open(&"nothing".into()).err().unwrap().kind(), ErrorKind::NotFound);
        assert_eq!(reader.verify(&Cancel::new(), &|_, _| {}).unwrap(), []);
        let names: Vec<_> = reader.names(&reader.manifest().sets[0]).unwrap().collect::<Result<_>>().unwrap();
        assert_eq!(names.len(), entries.len() - 2, "all but the directories");
    }
}
