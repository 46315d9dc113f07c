//! What the tests of writing and reading share: archives in memory.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use super::manifest::{FORMAT, SetRecord};
use super::{ArchiveWriter, ClosedSet, Compression, Entry, Manifest, Options, Reader};
use crate::cancel::Cancel;
use crate::drivers::{PointInTime, Worth};
use crate::error::Result;
use crate::name::SetPath;
use crate::store::Upload;

/// An archive in memory, seen only once it is committed.
#[derive(Clone, Default)]
pub(super) struct Memory {
    written: Arc<Mutex<Vec<u8>>>,
    committed: Arc<Mutex<Option<Vec<u8>>>>,
}

impl Memory {
    /// The archive, which must have been committed.
    pub(super) fn take(&self) -> Vec<u8> {
        self.committed.lock().unwrap().take().unwrap()
    }

    pub(super) fn is_uncommitted(&self) -> bool {
        self.committed.lock().unwrap().is_none()
    }
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

pub(super) fn path(text: &str) -> SetPath {
    SetPath::parse(text).unwrap()
}

pub(super) fn create(compression: Compression) -> (ArchiveWriter, Memory) {
    let memory = Memory::default();
    let options = Options { compression, level: None, workers: 2 };
    (ArchiveWriter::create(Box::new(memory.clone()), &options, &Cancel::new()).unwrap(), memory)
}

pub(super) fn record(archive: &ArchiveWriter, closed: &ClosedSet, set: &str) -> SetRecord {
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

pub(super) fn manifest(sets: Vec<SetRecord>) -> Manifest {
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
pub(super) fn archive_of(compression: Compression, entries: &[(Entry, Vec<u8>)]) -> Vec<u8> {
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
    memory.take()
}

pub(super) fn read_all(reader: &dyn Reader) -> Vec<(Entry, Vec<u8>)> {
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

/// Bytes that do not compress.
pub(super) fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed | 1;
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}
