//! Writing an archive: sets open side by side, their entries are compressed and hashed beside the callers, one output.

mod block;
mod describe;
mod handle;
mod large;
mod output;
mod pack;
mod set;
mod slots;
#[cfg(test)]
mod tests;
mod workers;

use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use self::block::Pool;
use self::describe::Described;
use self::output::Output;
use self::pack::Packers;
pub use self::set::{ClosedSet, SetWriter};
use self::slots::Slots;
use self::workers::Workers;
use super::codec::{Encoder, Hashing};
use super::compression::{Compression, Method};
use super::index;
use super::manifest::{self, Manifest};
use super::spool::{Lines, Spool};
use super::zip::{self, Header};
use crate::cancel::Cancel;
use crate::error::{Error, ErrorKind, IoContext, Result};
use crate::name::SetPath;
use crate::store::Upload;

/// How an archive is written.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// How entries are compressed.
    pub compression: Compression,
    /// How hard; `None` for [`Compression::default_level`].
    pub level: Option<i32>,
    /// How many threads compress; 0 for as many as there are processors, at most [`MAX_WORKERS`].
    pub workers: usize,
}

/// The most threads that are taken without being asked for: memory grows with them.
pub const MAX_WORKERS: usize = 4;

/// An entry that the archive itself wrote: an index, a list of values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// Its name in the zip.
    pub name: String,
    /// The SHA-256 of its content, in hexadecimal.
    pub sha256: String,
}

/// A finished archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// Its size in bytes.
    pub size: u64,
    /// The SHA-256 of its manifest, in hexadecimal.
    pub sha256: String,
}

/// What all writers of one archive share.
struct Core {
    output: Mutex<Output>,
    method: Method,
    level: i32,
    /// Stands in the zip where an entry has no time of its own; seconds since 1970.
    now: i32,
    /// For entries that fit one block.
    workers: Workers,
    /// For those that do not.
    packers: Packers,
    blocks: Arc<Pool>,
    /// Permits to be a large entry, and to hold a packed block in memory: together they bound what is in memory.
    large: Arc<Slots>,
    gathered: Arc<Slots>,
    open_sets: AtomicUsize,
    closed: AtomicBool,
}

/// So many packed blocks wait in memory at most, of all entries together.
const MOST_GATHERED: usize = 24;

impl Core {
    fn output(&self) -> MutexGuard<'_, Output> {
        self.output.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An archive that is being written. Dropped without [`ArchiveWriter::finish`], it leaves nothing.
pub struct ArchiveWriter {
    core: Arc<Core>,
    cancel: Cancel,
}

impl ArchiveWriter {
    /// Begins an archive.
    ///
    /// # Errors
    /// The level is none of the compression's; no threads can be had.
    pub fn create(upload: Box<dyn Upload>, options: &Options, cancel: &Cancel) -> Result<Self> {
        let level = level(options)?;
        let available = std::thread::available_parallelism().map_or(1, usize::from).min(MAX_WORKERS);
        let workers = if options.workers == 0 { available } else { options.workers };
        let core = Arc::new(Core {
            output: Mutex::new(Output::new(upload)?),
            method: options.compression.into(),
            level,
            now: zip::seconds(jiff::Timestamp::now()),
            workers: Workers::new(),
            packers: Packers::new(level, workers),
            blocks: Arc::default(),
            large: Slots::new(workers + 1),
            gathered: Slots::new(MOST_GATHERED),
            open_sets: AtomicUsize::new(0),
            closed: AtomicBool::new(false),
        });
        let archive = Self { core, cancel: cancel.clone() };
        Workers::start(&archive.core, workers)?;
        Ok(archive)
    }

    /// Opens a set, whose entries will stand below `prefix` (`media/`, `shop/self/`). Several may be open at once.
    ///
    /// # Errors
    /// No memory for its index.
    pub fn set(&self, path: &SetPath, prefix: &str, cancel: &Cancel) -> Result<SetWriter> {
        SetWriter::new(self.core.clone(), path.clone(), prefix.to_owned(), cancel.clone())
    }

    /// Appends the index of a closed set.
    ///
    /// # Errors
    /// The archive cannot be written; the run is cancelled.
    pub fn append_index(&self, closed: &ClosedSet) -> Result<Stored> {
        self.append_lines(index::name(closed.path()), closed.index().lines())
    }

    /// Appends the values of a link; `number` counts the links from 0.
    ///
    /// # Errors
    /// As [`ArchiveWriter::append_index`].
    pub fn append_values(&self, number: usize, values: &Spool) -> Result<Stored> {
        self.append_lines(index::values_name(number), values.lines())
    }

    /// Appends the manifest, ends the archive, and makes it appear.
    ///
    /// # Errors
    /// A set is still open; the archive cannot be written; the run is cancelled.
    pub fn finish(self, manifest: &Manifest) -> Result<Written> {
        self.cancel.check()?;
        if self.core.open_sets.load(Ordering::Acquire) > 0 {
            return Err(Error::new(ErrorKind::Other, "the archive cannot be finished while one of its sets is open"));
        }
        let json = manifest::to_json(manifest)?;
        let stored = self.append_own(manifest::NAME.to_owned(), |into| into.write_all(&json).map_err(plain))?;
        self.core.workers.end();
        let size = self.core.output().finish()?;
        Ok(Written { size, sha256: stored.sha256 })
    }

    fn append_lines(&self, name: String, mut lines: Lines<'_>) -> Result<Stored> {
        self.append_own(name, |into| {
            while let Some(line) = lines.next_line()? {
                self.cancel.check()?;
                into.write_all(line).and_then(|()| into.write_all(b"\n")).map_err(plain)?;
            }
            Ok(())
        })
    }
}

impl Drop for ArchiveWriter {
    fn drop(&mut self) {
        self.core.closed.store(true, Ordering::Release);
        self.core.workers.end();
        self.core.output().abort();
    }
}

/// The level that is asked for, if the compression has it.
fn level(options: &Options) -> Result<i32> {
    let level = options.level.unwrap_or(options.compression.default_level());
    let levels = options.compression.levels();
    if levels.contains(&level) {
        return Ok(level);
    }
    let (first, last) = levels.into_inner();
    Err(Error::new(ErrorKind::InvalidConfig, format!("`{}` has no level {level}", options.compression))
        .hint(format!("use a level from {first} to {last}")))
}

impl ArchiveWriter {
    /// Appends an entry of the archive's own, compressed while `fill` writes it.
    fn append_own(&self, name: String, fill: impl FnOnce(&mut dyn Write) -> Result<()>) -> Result<Stored> {
        let header = Header { name: name.clone(), method: self.core.method, modified: self.core.now };
        let mut output = self.core.output();
        let streaming = output.stream(header, zip::OWN_MODE)?;
        let encoder = Encoder::new(self.core.method, self.core.level, streaming).while_doing(|| "cannot compress")?;
        let mut hashing = Hashing::new(encoder);
        fill(&mut hashing)?;
        let (encoder, digest) = hashing.finish();
        encoder.finish().map_err(plain)?.finish(digest.crc, digest.size)?;
        Ok(Stored { name, sha256: hex::encode(digest.sha256) })
    }
}

/// The error inside an `io::Error` that [`Write`] had to make of it.
fn plain(cause: io::Error) -> Error {
    match cause.downcast::<Error>() {
        Ok(error) => error,
        Err(cause) => Error::io("cannot compress", &cause),
    }
}
