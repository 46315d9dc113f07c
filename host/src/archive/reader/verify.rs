//! Reading every byte of an archive, on all processors, and telling everything that is damaged.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sha2::{Digest as _, Sha256};

use super::super::comment::COMMENT_LENGTH;
use super::super::manifest::Manifest;
use super::super::zip::Central;
use super::File;
use super::catalog::Catalog;
use super::content::Content;
use super::directory::Records;
use super::range;
use super::whole::{self, Unpacker};
use crate::cancel::Cancel;
use crate::error::{Error, ErrorKind, Result};

/// Something that is damaged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// The entry, in backticks, or the part of the archive.
    pub what: String,
    /// What is wrong with it.
    pub why: String,
}

impl Damage {
    /// Damage of an entry, by its zip name.
    pub(super) fn of(name: &str, why: impl Into<String>) -> Self {
        Self { what: format!("`{}`", name.escape_debug()), why: why.into() }
    }
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.what, self.why)
    }
}

/// Small entries that stand side by side are read together, up to this size.
const BATCH: u64 = 1 << 20;

/// So few bytes are not worth a second thread.
const WORTH_THREADS: u64 = 4 << 20;

pub(super) fn verify(file: &Arc<File>, manifest: &Manifest, cancel: &Cancel, progress: &(dyn Fn(u64, u64) + Sync)) -> Result<Vec<Damage>> {
    let (catalog, damage) = Catalog::build(file, manifest, cancel)?;
    let total = file.source.size();
    let batches = Mutex::new(Batches { records: Records::new(&file.source, &file.directory), next: None });
    let run = Run {
        file,
        catalog: &catalog,
        cancel,
        progress,
        total,
        done: AtomicU64::new(0),
        batches,
        found: Mutex::new(Found { damage, crc: 0 }),
    };
    let threads = if total < WORTH_THREADS { 1 } else { std::thread::available_parallelism().map_or(1, usize::from) };
    std::thread::scope(|scope| {
        let others: Vec<_> = (1..threads).map(|_| scope.spawn(|| run.work())).collect();
        let first = run.work();
        others.into_iter().try_for_each(|thread| thread.join().unwrap_or_else(|_| Err(Error::new(ErrorKind::Other, "a thread failed"))))?;
        first
    })?;
    let end = total - u64::from(COMMENT_LENGTH);
    let mut found = run.found.into_inner().unwrap_or_else(PoisonError::into_inner);
    found.add(checksum(file, file.directory.offset, end, cancel)?, total, end);
    // With damage inside an entry the sum over all tells nothing.
    if found.damage.is_empty() && found.crc != file.crc {
        let why = "all entries are as they were, and the CRC-32 over all bytes is not: a header, the directory, or bits that no reader \
                   looks at are damaged";
        found.damage.push(Damage { what: "the archive as a whole".into(), why: why.into() });
    }
    progress(total, total);
    Ok(found.damage)
}

struct Run<'a> {
    file: &'a Arc<File>,
    catalog: &'a Catalog,
    cancel: &'a Cancel,
    progress: &'a (dyn Fn(u64, u64) + Sync),
    total: u64,
    done: AtomicU64,
    batches: Mutex<Batches<'a>>,
    found: Mutex<Found>,
}

struct Found {
    damage: Vec<Damage>,
    /// The CRC-32 over all bytes, as far as they were read, as if all others were absent.
    crc: u32,
}

impl Found {
    /// Adds the checksum of the bytes that end at `end`. A CRC-32 is linear, so the order does not matter.
    fn add(&mut self, crc: crc32fast::Hasher, total: u64, end: u64) {
        let behind = total - u64::from(COMMENT_LENGTH) - end;
        let mut shifted = crc;
        shifted.combine(&crc32fast::Hasher::new_with_initial_len(0, behind));
        self.crc ^= shifted.finalize();
    }
}

impl Run<'_> {
    fn work(&self) -> Result<()> {
        let mut unpacker = Unpacker::new()?;
        let mut raw = Vec::new();
        loop {
            self.cancel.check()?;
            let Some(batch) = lock(&self.batches).next()? else { return Ok(()) };
            let before = batch[0].place.offset;
            let end = batch.last().and_then(Central::end).unwrap_or(before);
            let crc = if whole::is_small(&batch[0]) {
                self.check_small(&batch, before, end, &mut raw, &mut unpacker)?
            } else {
                self.check_large(&batch[0])?
            };
            if let Some(crc) = crc {
                lock(&self.found).add(crc, self.total, end);
            }
            let bytes = end - before;
            (self.progress)(self.done.fetch_add(bytes, Ordering::Relaxed) + bytes, self.total);
        }
    }

    fn check_small(
        &self,
        batch: &[Central],
        from: u64,
        to: u64,
        raw: &mut Vec<u8>,
        unpacker: &mut Unpacker,
    ) -> Result<Option<crc32fast::Hasher>> {
        if to > self.file.directory.offset {
            return Ok(None); // said already
        }
        range::read_into(&self.file.source, from, to, raw)?;
        for record in batch {
            let begin = (record.place.offset - from) as usize;
            let end = (record.end().unwrap_or(to) - from) as usize;
            let checked = unpacker.unpack(record, &raw[begin..end]);
            self.judge(record, checked.and_then(|()| self.check_hash(record, Sha256::digest(unpacker.content()).into())))?;
        }
        let mut crc = crc32fast::Hasher::new();
        crc.update(raw);
        Ok(Some(crc))
    }

    fn check_large(&self, record: &Central) -> Result<Option<crc32fast::Hasher>> {
        let mut buffer = vec![0; 256 << 10];
        let mut read = || {
            let mut content = Content::open_beside_others(self.file, record)?;
            while content.read(&mut buffer)? > 0 {
                self.cancel.check()?;
            }
            self.check_hash(record, content.sha256())?;
            Ok(content.raw_crc())
        };
        match read() {
            Ok(crc) => Ok(crc),
            Err(why) => self.judge(record, Err(why)).map(|()| None),
        }
    }

    fn check_hash(&self, record: &Central, sha256: [u8; 32]) -> Result<()> {
        match self.catalog.info(&record.header.name)? {
            Some(info) if info.sha256 != sha256 => Err(Error::corrupt("its SHA-256 is not the one that the index has")),
            _ => Ok(()),
        }
    }

    /// Damage is noted; every other error ends the run.
    fn judge(&self, record: &Central, checked: Result<()>) -> Result<()> {
        match checked {
            Err(why) if why.kind() == ErrorKind::Corrupt => {
                let damage = Damage::of(&record.header.name, why.message());
                let mut found = lock(&self.found);
                // Of an index it was said already why its set's entries cannot be named. Only the archive's own entries are looked
                // for: there may be a million others.
                let is_told = |damage: &Damage| found.damage.iter().any(|earlier| earlier.why == damage.to_string());
                if !(record.header.name.starts_with("dr-host/") && is_told(&damage)) {
                    found.damage.push(damage);
                }
                Ok(())
            }
            other => other,
        }
    }
}

/// Entries in the order of the file: small ones that stand side by side together, large ones alone.
struct Batches<'a> {
    records: Records<'a>,
    next: Option<Central>,
}

impl Batches<'_> {
    fn next(&mut self) -> Result<Option<Vec<Central>>> {
        let Some(first) = self.take()? else { return Ok(None) };
        let (begin, mut end) = (first.place.offset, first.end());
        let mut batch = vec![first];
        while whole::is_small(&batch[0])
            && let Some(next) = self.take()?
        {
            let fits = end == Some(next.place.offset) && next.end().is_some_and(|end| end - begin <= BATCH);
            if !(fits && whole::is_small(&next)) {
                self.next = Some(next);
                break;
            }
            end = next.end();
            batch.push(next);
        }
        Ok(Some(batch))
    }

    fn take(&mut self) -> Result<Option<Central>> {
        match self.next.take() {
            Some(record) => Ok(Some(record)),
            None => match self.records.next() {
                // Said already, and nothing behind it can be found.
                Err(why) if why.kind() == ErrorKind::Corrupt => Ok(None),
                record => record,
            },
        }
    }
}

fn checksum(file: &File, from: u64, to: u64, cancel: &Cancel) -> Result<crc32fast::Hasher> {
    let mut crc = crc32fast::Hasher::new();
    let (mut at, mut chunk) = (from, Vec::new());
    while at < to {
        cancel.check()?;
        let next = to.min(at + BATCH);
        range::read_into(&file.source, at, next, &mut chunk)?;
        crc.update(&chunk);
        at = next;
    }
    Ok(crc)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
