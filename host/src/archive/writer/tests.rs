//! What is written is read back as it was; what is not whole is no archive.

use std::io::{self, Write};
use std::sync::Barrier;
use std::sync::atomic::{AtomicU64, Ordering};

use super::super::test_support::{Memory, archive_of, create, manifest, noise, path, read_all, record};
use super::super::{ArchiveReader, Compression, Entry, Writer};
use super::{ArchiveWriter, Options};
use crate::cancel::Cancel;
use crate::error::{ErrorKind, Result};
use crate::name::EntryName;
use crate::store::{Source, Upload};

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
        reader.examine(&Cancel::new()).unwrap();
        let set = reader.set(&reader.manifest().sets[0], &Cancel::new()).unwrap();
        let mut back = read_all(&*set);
        back.sort_by_key(|(entry, _)| entries.iter().position(|(other, _)| other == entry));
        assert_eq!(back.len(), entries.len());
        assert!(back == entries, "{compression}");
        assert_eq!(set.open(&"nothing".into()).err().unwrap().kind(), ErrorKind::NotFound);
        assert_eq!(reader.verify(&Cancel::new(), &|_, _| {}).unwrap(), []);
        let names: Vec<_> = reader.names(&reader.manifest().sets[0], &Cancel::new()).unwrap().collect::<Result<_>>().unwrap();
        assert_eq!(names.len(), entries.len() - 2, "all but the directories");
    }
}

fn write(writer: &mut dyn Writer, name: &str, content: &[u8]) -> Result<()> {
    let mut entry = writer.create(Entry::new(name))?;
    entry.write(content)?;
    entry.finish()
}

#[test]
fn many_threads_and_sets_write_at_once() {
    let (archive, memory) = create(Compression::Zstd);
    let cancel = Cancel::new();
    let sets = ["one", "two/deep"].map(|name| (name, archive.set(&path(name), &format!("{name}/"), &cancel).unwrap()));
    std::thread::scope(|scope| {
        for (_, set) in &sets {
            let first = set.writer().unwrap();
            for thread in 0..4u64 {
                let mut writer = first.another().unwrap();
                scope.spawn(move || {
                    for number in 0..12 {
                        // Small ones, ones of several blocks, and ones that outgrow what may gather.
                        let size = [10, 70_000, 3 << 20, 17 << 20][(number + thread) as usize % 4];
                        write(&mut *writer, &format!("{thread}/{number}"), &noise(thread * 100 + number, size)).unwrap();
                    }
                });
            }
        }
    });
    let records = sets.into_iter().map(|(name, set)| record(&archive, &set.close().unwrap(), name)).collect();
    archive.finish(&manifest(records)).unwrap();
    let reader = ArchiveReader::open(Source::from_bytes(memory.take())).unwrap();
    assert_eq!(reader.verify(&cancel, &|_, _| {}).unwrap(), []);
    for record in &reader.manifest().sets {
        let all = read_all(&*reader.set(record, &cancel).unwrap());
        assert_eq!(all.len(), 48);
        let (entry, content) = all.iter().find(|(entry, _)| entry.name == "3/4".into()).unwrap();
        assert!(*content == noise(304, 17 << 20), "{:?}", entry.name);
    }
}

#[test]
fn what_a_set_takes_is_counted_as_it_comes() {
    let (archive, _) = create(Compression::Store);
    let set = archive.set(&path("media"), "media/", &Cancel::new()).unwrap();
    let mut writer = set.writer().unwrap();
    write(&mut *writer, "a", b"12345").unwrap();
    let mut open = writer.create(Entry::new("b")).unwrap();
    open.write(b"123").unwrap();
    assert_eq!(set.so_far().bytes, 8);
    open.finish().unwrap();
    let closed = set.close().unwrap();
    assert_eq!((closed.totals().entries, closed.totals().bytes, closed.stored_bytes()), (2, 8, 8));
    let names: Vec<_> = closed.names().unwrap().map(|name| name.unwrap().to_string()).collect();
    assert_eq!(names.len(), 2);
}

#[test]
fn names_that_an_archive_cannot_hold_are_refused_and_nothing_else_suffers() {
    let (archive, memory) = create(Compression::Zstd);
    let set = archive.set(&path("media"), "media/", &Cancel::new()).unwrap();
    let mut writer = set.writer().unwrap();
    write(&mut *writer, "a", b"1").unwrap();
    let mut refused = |entry: Entry| writer.create(entry).err().unwrap().message().to_owned();
    assert!(refused(Entry::new("a")).contains("already"));
    assert!(refused(Entry::new("a").attribute("type", "directory")).contains("already"));
    assert!(refused(Entry::new("")).contains("needs a name"));
    assert!(refused(Entry::new("x".repeat(65_530))).contains("65535 bytes"));
    assert!(refused(Entry::new("b").attribute("k", "1").attribute("k", "2")).contains("given twice"));
    write(&mut *writer, &"x".repeat(65_529), b"2").unwrap();
    let closed = set.close().unwrap();
    let records = vec![record(&archive, &closed, "media")];
    archive.finish(&manifest(records)).unwrap();
    let reader = ArchiveReader::open(Source::from_bytes(memory.take())).unwrap();
    assert_eq!(reader.verify(&Cancel::new(), &|_, _| {}).unwrap(), []);
    assert_eq!(reader.manifest().sets[0].totals.entries, 2);
}

#[test]
fn a_writer_has_one_entry_open_at_a_time() {
    let (archive, _) = create(Compression::Zstd);
    let set = archive.set(&path("media"), "media/", &Cancel::new()).unwrap();
    let mut writer = set.writer().unwrap();
    let mut open = writer.create(Entry::new("a")).unwrap();
    assert!(writer.create(Entry::new("b")).err().unwrap().message().contains("has an entry open"));
    let mut other = writer.another().unwrap();
    write(&mut *other, "c", b"").unwrap();
    open.finish().unwrap();
    assert!(open.finish().unwrap_err().message().contains("finished already"));
    assert!(open.write(b"more").unwrap_err().message().contains("finished already"));
    write(&mut *writer, "b", b"").unwrap();
    assert_eq!(set.close().unwrap().totals().entries, 3);
}

#[test]
fn a_directory_has_no_content() {
    let (archive, _) = create(Compression::Zstd);
    let set = archive.set(&path("media"), "media/", &Cancel::new()).unwrap();
    let mut writer = set.writer().unwrap();
    let mut directory = writer.create(Entry::new("d").attribute("type", "directory")).unwrap();
    assert!(directory.write(b"x").unwrap_err().message().contains("has no content"));
    drop(directory);
    assert!(set.close().err().unwrap().message().contains("has no content"));
}

#[test]
fn an_abandoned_entry_fails_its_set_whatever_its_size() {
    for (size, what) in [(0, "empty"), (10, "small"), (3 << 20, "large"), (20 << 20, "streamed")] {
        for leak in [false, true] {
            let (archive, memory) = create(Compression::Zstd);
            let set = archive.set(&path("media"), "media/", &Cancel::new()).unwrap();
            let mut writer = set.writer().unwrap();
            let mut entry = writer.create(Entry::new("a")).unwrap();
            entry.write(&noise(7, size)).unwrap();
            // A handle may be dropped, or be kept by somebody beyond the moment.
            let kept = if leak {
                Some(entry)
            } else {
                drop(entry);
                None
            };
            let failed = set.close().err().unwrap();
            assert!(failed.message().contains("unfinished"), "{what}: {failed}");
            drop(archive);
            drop(kept);
            assert!(memory.is_uncommitted());
        }
    }
}

#[test]
fn nothing_can_be_written_after_the_moment() {
    let (archive, memory) = create(Compression::Zstd);
    let set = archive.set(&path("media"), "media/", &Cancel::new()).unwrap();
    let mut writer = set.writer().unwrap();
    let closed = set.close().unwrap();
    assert!(writer.create(Entry::new("late")).err().unwrap().message().contains("is over"));
    assert!(writer.another().err().unwrap().message().contains("is over"));
    let records = vec![record(&archive, &closed, "media")];
    archive.finish(&manifest(records)).unwrap();
    assert!(writer.create(Entry::new("later")).err().unwrap().message().contains("is over"));
    assert!(ArchiveReader::open(Source::from_bytes(memory.take())).is_ok());
}

#[test]
fn an_archive_is_not_finished_while_a_set_is_open() {
    let (archive, memory) = create(Compression::Zstd);
    let _open = archive.set(&path("media"), "media/", &Cancel::new()).unwrap();
    assert!(archive.finish(&manifest(Vec::new())).err().unwrap().message().contains("is open"));
    assert!(memory.is_uncommitted());
}

#[test]
fn a_dropped_archive_is_none() {
    let (archive, memory) = create(Compression::Zstd);
    let set = archive.set(&path("media"), "media/", &Cancel::new()).unwrap();
    write(&mut *set.writer().unwrap(), "a", &noise(1, 20 << 20)).unwrap();
    let closed = set.close().unwrap();
    archive.append_index(&closed).unwrap();
    drop(archive);
    assert!(memory.is_uncommitted());
}

#[test]
fn cancellation_reaches_writers_that_wait() {
    let (archive, _) = create(Compression::Store);
    let cancel = Cancel::new();
    let set = archive.set(&path("media"), "media/", &cancel).unwrap();
    let first = set.writer().unwrap();
    let mut streaming = first.another().unwrap().create(Entry::new("streaming")).unwrap();
    streaming.write(&noise(1, 40 << 20)).unwrap();
    // One entry has the output for itself and never ends, so these must wait.
    let begun = Barrier::new(4);
    std::thread::scope(|scope| {
        for thread in 0..3 {
            let (mut writer, begun) = (first.another().unwrap(), &begun);
            scope.spawn(move || {
                begun.wait();
                let failed = write(&mut *writer, &format!("{thread}"), &noise(2, 60 << 20)).unwrap_err();
                assert_eq!(failed.kind(), ErrorKind::Cancelled);
            });
        }
        begun.wait();
        std::thread::sleep(std::time::Duration::from_millis(200));
        cancel.cancel();
    });
    assert_eq!(streaming.write(b"more").unwrap_err().kind(), ErrorKind::Cancelled);
    assert_eq!(set.close().err().unwrap().kind(), ErrorKind::Cancelled);
}

/// A place that takes so many bytes, and then is full.
struct Full {
    room: AtomicU64,
    memory: Memory,
}

impl Write for Full {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let room = self.room.load(Ordering::Relaxed).min(bytes.len() as u64);
        if room == 0 && !bytes.is_empty() {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.room.fetch_sub(room, Ordering::Relaxed);
        self.memory.write(&bytes[..room as usize])
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Upload for Full {
    fn location(&self) -> String {
        "a full disk".into()
    }

    fn commit(self: Box<Self>) -> Result<()> {
        Box::new(self.memory).commit()
    }
}

#[test]
fn a_full_disk_fails_the_dump_wherever_it_happens() {
    let dump = |room| {
        let memory = Memory::default();
        let full = Full { room: AtomicU64::new(room), memory: memory.clone() };
        let archive = ArchiveWriter::create(Box::new(full), &Options::default(), &Cancel::new()).unwrap();
        let dumped = (|| {
            let set = archive.set(&path("media"), "media/", &Cancel::new())?;
            let mut writer = set.writer()?;
            write(&mut *writer, "a", &noise(1, 300 << 10))?;
            write(&mut *writer, "b", &noise(1, 20 << 20))?;
            archive.append_index(&set.close()?)?;
            archive.finish(&manifest(Vec::new()))
        })();
        (dumped, memory)
    };
    // Times in the manifest make sizes differ by a few bytes.
    let size = dump(u64::MAX).0.unwrap().size;
    for room in [0, 1, 1000, 250 << 10, 400 << 10, 5 << 20, 20 << 20, size - 900, size - 100, size - 50] {
        let (dumped, memory) = dump(room);
        let failed = dumped.unwrap_err();
        assert_eq!(failed.kind(), ErrorKind::Unavailable, "{room}: {failed}");
        assert!(failed.message().contains("a full disk") && failed.advice().is_some(), "{room}: {failed}");
        assert!(memory.is_uncommitted());
    }
}

#[test]
fn only_levels_that_exist_are_taken() {
    for (compression, level, ok) in
        [(Compression::Zstd, 19, true), (Compression::Zstd, 20, false), (Compression::Deflate, 0, false), (Compression::Store, 1, false)]
    {
        let options = Options { compression, level: Some(level), workers: 1 };
        assert_eq!(ArchiveWriter::create(Box::new(Memory::default()), &options, &Cancel::new()).is_ok(), ok, "{compression} {level}");
    }
}
