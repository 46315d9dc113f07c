//! The handles that a driver holds: a writer, and the one entry that it has open.

use std::io::{self, Seek, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tempfile::{SpooledData, SpooledTempFile};

use super::super::codec::{Encoder, Hashing};
use super::super::entry::{Entry, EntryWriter, Writer, attribute};
use super::super::escape::zip_name;
use super::super::zip::{Content, Header, MAX_NAME, seconds};
use super::set::OpenSet;
use crate::error::{Error, ErrorKind, IoContext, Result};

pub(super) struct WriterHandle {
    set: Arc<OpenSet>,
    entry_open: Arc<AtomicBool>,
}

impl WriterHandle {
    pub(super) fn new(set: Arc<OpenSet>) -> Self {
        Self { set, entry_open: Arc::default() }
    }
}

impl Writer for WriterHandle {
    fn create(&mut self, entry: Entry) -> Result<Box<dyn EntryWriter>> {
        self.set.check()?;
        if self.entry_open.load(Ordering::Acquire) {
            return Err(Error::new(ErrorKind::Other, "this writer has an entry open; finish it before the next"));
        }
        let (header, mode) = describe(&self.set, &entry)?;
        let method = header.method;
        let encoder = Encoder::new(method, self.set.core.level, SpooledTempFile::new(GATHERED)).while_doing(|| "cannot compress")?;
        self.set.begin(&entry.name)?;
        self.entry_open.store(true, Ordering::Release);
        let open = OpenEntry { entry, header, mode, into: Hashing::new(encoder), block: vec![0; 1 << 16] };
        Ok(Box::new(EntryHandle { set: self.set.clone(), entry_open: self.entry_open.clone(), open: Some(open) }))
    }

    fn another(&self) -> Result<Box<dyn Writer>> {
        self.set.check()?;
        Ok(Box::new(Self::new(self.set.clone())))
    }
}

const GATHERED: usize = 16 << 20;

/// What the zip says of an entry, with its Unix mode.
fn describe(set: &OpenSet, entry: &Entry) -> Result<(Header, u32)> {
    let kind = entry.get(attribute::TYPE);
    let directory = kind == Some(attribute::DIRECTORY);
    if entry.name.as_bytes().is_empty() && !directory {
        return Err(Error::new(ErrorKind::Other, "an entry needs a name"));
    }
    let mut keys: Vec<&str> = entry.attributes.iter().map(|(key, _)| key.as_str()).collect();
    keys.sort_unstable();
    if let Some(pair) = keys.windows(2).find(|pair| pair[0] == pair[1]) {
        return Err(Error::new(ErrorKind::Other, format!("the attribute `{}` of `{}` is given twice", pair[0], entry.name)));
    }
    let name = zip_name(&set.prefix, &entry.name, directory);
    if name.len() > MAX_NAME {
        return Err(Error::new(
            ErrorKind::Unsupported,
            format!("the name `{}…` is longer than the {MAX_NAME} bytes that a zip can hold", shortened(&name)),
        ));
    }
    let (file_type, default_mode) = match kind {
        Some(attribute::DIRECTORY) => (0o040_000, 0o755),
        Some(attribute::SYMLINK) => (0o120_000, 0o777),
        _ => (0o100_000, 0o644),
    };
    let mode = entry.get(attribute::MODE).and_then(|mode| u32::from_str_radix(mode, 8).ok()).map_or(default_mode, |mode| mode & 0o7777);
    let modified = entry.modified.map_or(set.core.now, seconds);
    let method = set.core.method;
    Ok((Header { name, method, modified }, file_type | mode))
}

fn shortened(name: &str) -> &str {
    name.char_indices().nth(100).map_or(name, |(at, _)| &name[..at])
}

struct EntryHandle {
    set: Arc<OpenSet>,
    entry_open: Arc<AtomicBool>,
    open: Option<OpenEntry>,
}

struct OpenEntry {
    entry: Entry,
    header: Header,
    mode: u32,
    into: Hashing<Encoder<SpooledTempFile>>,
    block: Vec<u8>,
}

impl EntryWriter for EntryHandle {
    fn space(&mut self) -> Result<&mut [u8]> {
        self.set.check().inspect_err(|why| self.set.fail(why))?;
        Ok(&mut self.open.as_mut().ok_or_else(finished)?.block)
    }

    fn advance(&mut self, filled: usize) -> Result<()> {
        let open = self.open.as_mut().ok_or_else(finished)?;
        let written = open.into.write_all(&open.block[..filled]).while_doing(|| "cannot write a temporary file");
        self.set.count(filled as u64);
        written.inspect_err(|why| self.set.fail(why))
    }

    fn finish(&mut self) -> Result<()> {
        self.set.check().inspect_err(|why| self.set.fail(why))?;
        let open = self.open.take().ok_or_else(finished)?;
        self.entry_open.store(false, Ordering::Release);
        let appended = append(&self.set, open);
        self.set.finished();
        appended.inspect_err(|why| self.set.fail(why))
    }
}

fn append(set: &OpenSet, open: OpenEntry) -> Result<()> {
    let cannot = || "cannot use a temporary file";
    let (encoder, digest) = open.into.finish();
    let data = encoder.finish().while_doing(cannot)?;
    let mut output = set.core.output();
    let stored = match data.into_inner() {
        SpooledData::InMemory(data) => {
            let stored = data.get_ref().len() as u64;
            output.append(&open.header, open.mode, &Content { crc: digest.crc, size: digest.size, stored }, [&data.get_ref()[..]])?;
            stored
        }
        SpooledData::OnDisk(mut data) => {
            data.rewind().while_doing(cannot)?;
            let mut streaming = output.stream(open.header, open.mode)?;
            io::copy(&mut data, &mut streaming).while_doing(cannot)?;
            streaming.finish(digest.crc, digest.size)?
        }
    };
    drop(output);
    set.record(open.entry, digest, stored)
}

fn finished() -> Error {
    Error::new(ErrorKind::Other, "the entry is finished already")
}

impl Drop for EntryHandle {
    fn drop(&mut self) {
        if let Some(open) = self.open.take() {
            self.entry_open.store(false, Ordering::Release);
            self.set.abandoned(&open.entry.name);
        }
    }
}
