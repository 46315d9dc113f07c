//! All entries of an archive in at most 64 bytes each, made in one pass over the directory and one over the indexes, which
//! also finds everything that these show to be wrong.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use sha2::{Digest as _, Sha256};

use super::super::compression::Method;
use super::super::entry::{EntryInfo, attribute};
use super::super::escape::zip_name;
use super::super::index;
use super::super::manifest::{self, Manifest, SetRecord};
use super::super::spool::{Cursor, Position, Spool};
use super::super::zip::{self, Central, Header, Place};
use super::File;
use super::directory::Records;
use super::lines::Lines;
use super::manifest_check;
use super::verify::Damage;
use crate::cancel::Cancel;
use crate::error::{Error, ErrorKind, Result};
use crate::name::EntryName;

/// After so many, no more damage is collected: the rest would say nothing new.
const MOST_DAMAGE: usize = 10_000;

/// What is kept of an entry.
#[derive(Clone, Copy)]
struct Slot {
    key: Key,
    offset: u64,
    stored: u64,
    size: u64,
    crc: u32,
    modified: i32,
    /// Where its line stands among the lines of all indexes.
    line: Position,
    mode: u16,
    method: Method,
    streamed: bool,
    directory: bool,
    indexed: bool,
}

const _: () = assert!(size_of::<Slot>() <= 64, "the design allows 64 bytes for an entry");

/// The first 16 bytes of the SHA-256 of a zip name, without a directory's closing slash.
type Key = [u8; 16];

fn key(zip_name: &str) -> Key {
    let digest = Sha256::digest(zip_name.strip_suffix('/').unwrap_or(zip_name));
    digest[..16].try_into().expect("a digest has 32 bytes")
}

/// All entries of an archive.
pub(super) struct Catalog {
    /// Sorted by key.
    slots: Vec<Slot>,
    /// The archive's own entries, by their zip names.
    own: BTreeMap<String, Central>,
    /// The lines of all indexes, one after the other.
    lines: Spool,
    /// Where each set's lines begin, and how many there are; in the manifest's order.
    sets: Vec<(Position, u64)>,
    recent: RecentBlocks,
}

/// Blocks of lines that were unpacked last: entries are mostly asked for in the order of the index.
#[derive(Default)]
struct RecentBlocks(Mutex<VecDeque<(u32, Arc<Vec<u8>>)>>);

/// A few, since several threads read a set.
const MOST_RECENT: usize = 8;

impl RecentBlocks {
    fn get(&self, number: u32, lines: &Spool) -> Result<Arc<Vec<u8>>> {
        let mut recent = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, block)) = recent.iter().find(|(other, _)| *other == number) {
            return Ok(block.clone());
        }
        let block = Arc::new(lines.block(number)?);
        recent.truncate(MOST_RECENT - 1);
        recent.push_front((number, block.clone()));
        Ok(block)
    }
}

impl Catalog {
    /// Goes through directory and indexes.
    ///
    /// # Errors
    /// The file cannot be read, or the run is cancelled. Damage is no error here.
    pub(super) fn build(file: &Arc<File>, manifest: &Manifest, cancel: &Cancel) -> Result<(Self, Vec<Damage>)> {
        let mut builder = Builder {
            file,
            manifest,
            cancel,
            catalog: Self {
                slots: Vec::new(),
                own: BTreeMap::new(),
                lines: Spool::new()?,
                sets: Vec::new(),
                recent: RecentBlocks::default(),
            },
            damage: manifest_check::check(manifest),
            broken: vec![false; manifest.sets.len()],
        };
        builder.read_directory()?;
        builder.sort()?;
        for number in 0..manifest.sets.len() {
            builder.read_index(number)?;
        }
        builder.find_strays()?;
        builder.damage.truncate(MOST_DAMAGE);
        Ok((builder.catalog, builder.damage))
    }

    /// One of the archive's own entries.
    pub(super) fn own(&self, name: &str) -> Result<Central> {
        self.own.get(name).cloned().ok_or_else(|| Error::corrupt(format!("`{}` is missing", name.escape_debug())))
    }

    /// The beginning of a set's index.
    pub(super) fn cursor(&self, number: usize) -> Cursor {
        let (begin, count) = self.sets.get(number).copied().unwrap_or((Position { block: 0, start: 0 }, 0));
        Cursor::new(begin, count)
    }

    /// The next line of an index.
    pub(super) fn next_line<'a>(&self, cursor: &'a mut Cursor) -> Result<Option<&'a [u8]>> {
        self.lines.next_line(cursor)
    }

    /// An entry of a set, by its exact name.
    pub(super) fn entry(&self, set: &SetRecord, name: &EntryName) -> Result<Option<(EntryInfo, Central)>> {
        self.by_zip_name(&zip_name(&set.prefix, name, false), |info| header_name(set, info))
    }

    /// What the index says of an entry of the directory.
    pub(super) fn info(&self, zip_name: &str) -> Result<Option<EntryInfo>> {
        Ok(self.by_zip_name(zip_name, |_| zip_name.to_owned())?.map(|(info, _)| info))
    }

    fn by_zip_name(&self, zip_name: &str, full: impl FnOnce(&EntryInfo) -> String) -> Result<Option<(EntryInfo, Central)>> {
        let Some(slot) = self.find(zip_name).map(|at| &self.slots[at]).filter(|slot| slot.indexed) else { return Ok(None) };
        let block = self.recent.get(slot.line.block, &self.lines)?;
        let line = block.get(slot.line.start as usize..).and_then(|rest| rest.split(|&byte| byte == b'\n').next()).unwrap_or_default();
        let info = index::parse(line)?;
        let header = Header { name: full(&info), method: slot.method, modified: slot.modified };
        let content = zip::Content { crc: slot.crc, size: slot.size, stored: slot.stored };
        let place = Place { offset: slot.offset, streamed: slot.streamed };
        Ok(Some((info, Central { header, content, place, mode: slot.mode.into() })))
    }

    fn find(&self, zip_name: &str) -> Option<usize> {
        let key = key(zip_name);
        self.slots.binary_search_by_key(&key, |slot| slot.key).ok()
    }
}

/// The zip name of an entry that an index describes.
fn header_name(set: &SetRecord, info: &EntryInfo) -> String {
    zip_name(&set.prefix, &info.entry.name, info.entry.get(attribute::TYPE) == Some(attribute::DIRECTORY))
}

struct Builder<'a> {
    file: &'a Arc<File>,
    manifest: &'a Manifest,
    cancel: &'a Cancel,
    catalog: Catalog,
    damage: Vec<Damage>,
    /// The sets whose index could not be read to its end.
    broken: Vec<bool>,
}

impl Builder<'_> {
    fn wrong(&mut self, name: &str, why: impl Into<String>) {
        if self.damage.len() < MOST_DAMAGE {
            self.damage.push(Damage::of(name, why));
        }
    }

    fn read_directory(&mut self) -> Result<()> {
        let directory = self.file.directory;
        let mut records = Records::new(&self.file.source, &directory);
        let (mut expected, mut count, mut ends_in_manifest) = (0, 0, false);
        loop {
            self.cancel.check()?;
            let record = match records.next() {
                Ok(Some(record)) => record,
                Ok(None) => break,
                Err(why) if why.kind() == ErrorKind::Corrupt => {
                    self.damage.push(Damage { what: "the zip's directory".into(), why: why.message().into() });
                    return Ok(());
                }
                Err(why) => return Err(why),
            };
            self.check_place(&record, expected);
            expected = record.end().unwrap_or(u64::MAX);
            count += 1;
            ends_in_manifest = record == self.file.manifest;
            self.take(record);
        }
        if count != directory.entries || expected != directory.offset || !ends_in_manifest {
            self.damage.push(Damage { what: "the zip's directory".into(), why: "it does not list what its end says".into() });
        }
        Ok(())
    }

    /// Entries stand one behind the other, without a byte in between.
    fn check_place(&mut self, record: &Central, expected: u64) {
        let offset = record.place.offset;
        if offset < expected {
            self.wrong(&record.header.name, "it overlaps the entry before it");
        } else if offset > expected {
            self.wrong(&record.header.name, "there are bytes before it that belong to no entry");
        }
        if record.end().is_none_or(|end| end > self.file.directory.offset) {
            self.wrong(&record.header.name, "it would reach beyond the end of the entries");
        }
    }

    fn take(&mut self, record: Central) {
        let name = &record.header.name;
        if let Some(why) = unsafe_name(name) {
            self.wrong(&name.clone(), why);
        }
        if name.starts_with("dr-host/") {
            self.take_own(record);
            return;
        }
        if self.set_of(name).is_none() {
            self.wrong(&name.clone(), "it belongs to none of the sets that the manifest names");
            return;
        }
        let Central { header, content, place, mode } = record;
        self.catalog.slots.push(Slot {
            key: key(&header.name),
            offset: place.offset,
            stored: content.stored,
            size: content.size,
            crc: content.crc,
            modified: header.modified,
            line: Position { block: 0, start: 0 },
            mode: u16::try_from(mode).expect("a record has 16 bits for it"),
            method: header.method,
            streamed: place.streamed,
            directory: header.name.ends_with('/'),
            indexed: false,
        });
    }

    fn take_own(&mut self, record: Central) {
        let name = record.header.name.clone();
        let known = name == manifest::NAME
            || self.manifest.sets.iter().any(|set| set.index == name)
            || self.manifest.links.iter().any(|link| link.values == name);
        if (record.mode, record.header.modified) != (zip::OWN_MODE, self.file.manifest.header.modified) {
            self.wrong(&name, "its mode or time is not that of an archive's own entries");
        }
        if !known {
            self.wrong(&name, "the manifest knows nothing of it");
        } else if self.catalog.own.insert(name.clone(), record).is_some() {
            self.wrong(&name, "it is there twice");
        }
    }

    /// The set below whose prefix a zip name stands.
    fn set_of(&self, zip_name: &str) -> Option<usize> {
        self.manifest.sets.iter().position(|set| zip_name.starts_with(&set.prefix))
    }

    fn sort(&mut self) -> Result<()> {
        self.catalog.slots.sort_unstable_by_key(|slot| slot.key);
        let mut twice: BTreeSet<Key> =
            self.catalog.slots.windows(2).filter(|pair| pair[0].key == pair[1].key).map(|pair| pair[0].key).collect();
        if twice.is_empty() {
            return Ok(());
        }
        let mut records = Records::new(&self.file.source, &self.file.directory);
        while let Some(record) = records.next()? {
            if twice.remove(&key(&record.header.name)) {
                self.wrong(&record.header.name, "its name is there more than once");
            }
        }
        Ok(())
    }

    fn read_index(&mut self, number: usize) -> Result<()> {
        let set = &self.manifest.sets[number];
        let begin = self.catalog.lines.end();
        let lines_before = self.catalog.lines.len();
        let mut sums = Sums { bytes: 0, stored: 0 };
        let read = self.read_lines(set, &mut sums);
        let count = self.catalog.lines.len() - lines_before;
        self.catalog.sets.push((begin, count));
        match read {
            Ok(()) => {
                let totals = set.totals;
                if (totals.entries, totals.bytes, set.stored_bytes) != (count, sums.bytes, sums.stored) {
                    self.wrong(&set.index, "it does not add up to what the manifest says of the set");
                }
            }
            Err(why) if why.kind() == ErrorKind::Corrupt => {
                self.broken[number] = true;
                self.damage.push(Damage { what: format!("the index of the set `{}`", set.path), why: why.message().into() });
            }
            Err(why) => return Err(why),
        }
        Ok(())
    }

    fn read_lines(&mut self, set: &SetRecord, sums: &mut Sums) -> Result<()> {
        let mut lines = Lines::open(self.file, &self.catalog.own(&set.index)?, &set.index_sha256)?;
        // What has no time of its own has that of the dump, and so has the manifest.
        let dumped = self.file.manifest.header.modified;
        while let Some(line) = lines.next_line()? {
            self.cancel.check()?;
            let info = index::parse(line)?;
            let position = self.catalog.lines.add(line)?;
            let name = header_name(set, &info);
            let Some(at) = self.catalog.find(&name) else {
                self.wrong(&name, "the index names it, and the archive does not hold it");
                continue;
            };
            let slot = &mut self.catalog.slots[at];
            let twice = std::mem::replace(&mut slot.indexed, true);
            slot.line = position;
            let differs = slot.size != info.size
                || slot.directory != name.ends_with('/')
                || u32::from(slot.mode) != info.entry.unix_mode()
                || slot.modified != info.entry.modified.map_or(dumped, zip::seconds);
            sums.bytes = sums.bytes.saturating_add(slot.size);
            sums.stored = sums.stored.saturating_add(slot.stored);
            if twice {
                self.wrong(&name, "the index names it twice");
            }
            if differs {
                self.wrong(&name, "index and directory disagree about its type, mode, size or time");
            }
        }
        Ok(())
    }

    /// Entries that no index names, and parts of the archive's own that are missing.
    fn find_strays(&mut self) -> Result<()> {
        let own: Vec<String> = self.manifest.links.iter().map(|link| link.values.clone()).collect();
        for name in own.iter().filter(|name| !self.catalog.own.contains_key(*name)).collect::<Vec<_>>() {
            self.wrong(name, "the manifest names it, and the archive does not hold it");
        }
        if self.catalog.slots.iter().all(|slot| slot.indexed) {
            return Ok(());
        }
        let mut records = Records::new(&self.file.source, &self.file.directory);
        while let Ok(Some(record)) = records.next() {
            let name = &record.header.name;
            let stray = self.catalog.find(name).is_some_and(|at| !self.catalog.slots[at].indexed);
            if stray && self.set_of(name).is_some_and(|number| !self.broken[number]) {
                self.wrong(&name.clone(), "no index names it");
            }
        }
        Ok(())
    }
}

/// What an index adds up to.
struct Sums {
    bytes: u64,
    stored: u64,
}

/// Why a careful unpacker would refuse a name.
fn unsafe_name(name: &str) -> Option<&'static str> {
    let drive = name.as_bytes();
    if name.is_empty() {
        Some("it has no name")
    } else if name.starts_with('/') {
        Some("its name is absolute")
    } else if drive.len() >= 2 && drive[0].is_ascii_alphabetic() && drive[1] == b':' {
        Some("its name begins with a drive letter")
    } else if name.contains(|character: char| character == '\\' || character.is_control()) {
        Some("its name holds a backslash or a control character")
    } else if name.split('/').any(|segment| segment == ".." || segment == ".") {
        Some("its name leaves its directory")
    } else {
        None
    }
}
