//! Archives beyond the limits of the first zip: more than 65,535 entries, sizes and offsets beyond 4 GiB.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};
use std::path::Path;
use std::process::Command;

use dr_host::archive::manifest::{FORMAT, Manifest, SetRecord};
use dr_host::archive::{ArchiveReader, ArchiveWriter, Compression, Entry, EntryWriter, Options, Writer};
use dr_host::cancel::Cancel;
use dr_host::drivers::{PointInTime, Worth};
use dr_host::error::{IoContext, Result};
use dr_host::name::SetPath;
use dr_host::store::{Upload, open_source};
use dr_host_tests::machine;
use jiff::Timestamp;

static ZEROS: [u8; 1 << 20] = [0; 1 << 20];

/// A file in which zeros take no room.
struct Sparse(File);

impl Write for Sparse {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if bytes.len() >= 4096 && ZEROS.get(..bytes.len()) == Some(bytes) {
            self.0.seek(SeekFrom::Current(bytes.len() as i64))?;
            return Ok(bytes.len());
        }
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Upload for Sparse {
    fn location(&self) -> String {
        "a sparse file".into()
    }

    fn commit(self: Box<Self>) -> Result<()> {
        self.0.sync_data().while_doing(|| "cannot sync")
    }
}

/// An archive of one set `big`, whose entries `fill` writes.
fn archive(path: &Path, compression: Compression, fill: impl FnOnce(&mut dyn Writer)) {
    let cancel = Cancel::new();
    let options = Options { compression, ..Options::default() };
    let archive = ArchiveWriter::create(Box::new(Sparse(File::create(path).unwrap())), &options, &cancel).unwrap();
    let set = archive.set(&SetPath::parse("big").unwrap(), "big/", &cancel).unwrap();
    fill(&mut *set.writer().unwrap());
    let closed = set.close().unwrap();
    let index = archive.append_index(&closed).unwrap();
    let record = SetRecord {
        path: SetPath::parse("big").unwrap(),
        driver: "test".into(),
        driver_version: "1".into(),
        driver_details: BTreeMap::new(),
        format: "test/1".into(),
        point_in_time: PointInTime::now(Worth::Exact),
        totals: closed.totals(),
        stored_bytes: closed.stored_bytes(),
        seconds: 0.0,
        prefix: "big/".into(),
        index: index.name,
        index_sha256: index.sha256,
        notes: BTreeMap::new(),
        warnings: Vec::new(),
    };
    let now = Timestamp::now();
    let manifest = Manifest {
        format: FORMAT,
        created_by: "test".into(),
        started_at: now,
        finished_at: now,
        sets: vec![record],
        left_out: Vec::new(),
        links: Vec::new(),
        findings: Vec::new(),
        more_findings: 0,
    };
    archive.finish(&manifest).unwrap();
}

fn zeros(entry: &mut dyn EntryWriter, mut size: u64) {
    while size > 0 {
        let space = entry.space().unwrap();
        let now = space.len().min(usize::try_from(size).unwrap_or(usize::MAX));
        space[..now].fill(0);
        entry.advance(now).unwrap();
        size -= now as u64;
    }
}

fn verify(path: &Path) -> ArchiveReader {
    let reader = ArchiveReader::open(open_source(path.to_str().unwrap()).unwrap()).unwrap();
    assert_eq!(reader.verify(&Cancel::new(), &|_, _| {}).unwrap(), []);
    reader
}

#[track_caller]
fn output(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn more_entries_than_16_bits_can_count() {
    const COUNT: usize = 70_000;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("many.zip");
    archive(&path, Compression::Deflate, |writer| {
        for number in 0..COUNT {
            let mut entry = writer.create(Entry::new(format!("{number}"))).unwrap();
            entry.write(number.to_string().as_bytes()).unwrap();
            entry.finish().unwrap();
        }
    });
    let reader = verify(&path);
    let record = &reader.manifest().sets[0];
    assert_eq!(reader.names(record, &Cancel::new()).unwrap().count(), COUNT);
    let path = path.to_str().unwrap();
    assert_eq!(output(machine::tool("unzip").args(["-p", path, "big/69999"])), "69999");
    assert_eq!(output(machine::tool("bsdtar").args(["-t", "-f", path])).lines().count(), COUNT + 2);
    assert!(output(machine::tool("7zz").args(["l", path])).contains("70002 files"));
    let count = "import sys, zipfile; print(len(zipfile.ZipFile(sys.argv[1]).infolist()))";
    assert_eq!(output(Command::new(machine::python()).args(["-c", count, path])).trim(), "70002");
    assert_eq!(zip::ZipArchive::new(File::open(path).unwrap()).unwrap().len(), COUNT + 2);
}

#[test]
fn sizes_and_offsets_beyond_4_gib() {
    const SIZE: u64 = (4 << 30) + (1 << 20);
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("large.zip");
    archive(&path, Compression::Store, |writer| {
        let mut entry = writer.create(Entry::new("large")).unwrap();
        zeros(&mut *entry, SIZE);
        entry.finish().unwrap();
        for number in 0..3 {
            let mut entry = writer.create(Entry::new(format!("behind/{number}"))).unwrap();
            entry.write(number.to_string().as_bytes()).unwrap();
            entry.finish().unwrap();
        }
    });
    verify(&path);
    let path = path.to_str().unwrap();
    let listed = output(machine::tool("7zz").args(["t", path]));
    assert!(listed.contains("Everything is Ok"), "{listed}");
    assert_eq!(output(machine::tool("unzip").args(["-p", path, "big/behind/1"])), "1");
    assert_eq!(output(machine::tool("bsdtar").args(["-x", "-O", "-f", path, "big/behind/2"])), "2");
    let read = "import sys, zipfile; z = zipfile.ZipFile(sys.argv[1]); print(z.getinfo('big/large').file_size, z.read('big/behind/2'))";
    assert_eq!(output(Command::new(machine::python()).args(["-c", read, path])).trim(), format!("{SIZE} b'2'"));
    let mut archive = zip::ZipArchive::new(File::open(path).unwrap()).unwrap();
    assert_eq!(archive.by_name("big/large").unwrap().size(), SIZE);
    assert_eq!(io::read_to_string(archive.by_name("big/behind/0").unwrap()).unwrap(), "0");
}

#[test]
fn content_beyond_4_gib_that_packs_into_little() {
    const SIZE: u64 = (4 << 30) + 1;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("packed.zip");
    archive(&path, Compression::Zstd, |writer| {
        let mut entry = writer.create(Entry::new("zeros")).unwrap();
        zeros(&mut *entry, SIZE);
        entry.finish().unwrap();
    });
    assert_eq!(verify(&path).manifest().sets[0].totals.bytes, SIZE);
    let path = path.to_str().unwrap();
    let listed = output(machine::tool("7zz").args(["t", path]));
    assert!(listed.contains("Everything is Ok"), "{listed}");
    let size = "import sys, zipfile; print(zipfile.ZipFile(sys.argv[1]).getinfo('big/zeros').file_size)";
    assert_eq!(output(Command::new(machine::python()).args(["-c", size, path])).trim(), SIZE.to_string());
    assert_eq!(zip::ZipArchive::new(File::open(path).unwrap()).unwrap().by_name("big/zeros").unwrap().size(), SIZE);
}
