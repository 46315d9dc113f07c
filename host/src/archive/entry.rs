//! What a driver knows of an archive: entries, the writer that takes them and the reader that gives them back.
//!
//! The WIT contract mirrors these traits (`archive`: `writer`, `entry-writer`, `reader`, `entry-reader`).

use jiff::Timestamp;

use crate::error::Result;
use crate::name::EntryName;

/// One entry as a driver describes it before its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its exact name within the set; unique there.
    pub name: EntryName,
    /// When its source was last modified, to the nanosecond where the source knows.
    pub modified: Option<Timestamp>,
    /// What else its driver wants back at a restore, in the driver's order; keys are unique.
    ///
    /// [`attribute`] lists the keys that the zip itself repeats, so that other tools unpack what they can; all other keys are
    /// the driver's own.
    pub attributes: Vec<(String, String)>,
}

/// The attributes that the zip's own headers repeat.
pub mod attribute {
    /// `directory`, `symlink` (its content is where it points) or `hardlink` (no content; [`TARGET`] names its first name).
    /// Absent: a regular file or an object.
    pub const TYPE: &str = "type";
    /// The permission bits, octal, four digits: `0644`.
    pub const MODE: &str = "mode";
    /// For a hard link, the exact name of the entry that holds the content, percent-escaped as in the zip.
    pub const TARGET: &str = "target";
    /// A value of [`TYPE`].
    pub const DIRECTORY: &str = "directory";
    /// A value of [`TYPE`].
    pub const SYMLINK: &str = "symlink";
    /// A value of [`TYPE`].
    pub const HARDLINK: &str = "hardlink";
}

impl Entry {
    /// An entry with this name and nothing else.
    pub fn new(name: impl Into<EntryName>) -> Self {
        Self { name: name.into(), modified: None, attributes: Vec::new() }
    }

    /// Sets when its source was last modified.
    #[must_use]
    pub fn modified(mut self, at: Timestamp) -> Self {
        self.modified = Some(at);
        self
    }

    /// Adds an attribute.
    #[must_use]
    pub fn attribute(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.attributes.push((key.into(), value.into()));
        self
    }

    /// The value of an attribute.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.attributes.iter().find(|(k, _)| k == key).map(|(_, value)| value.as_str())
    }

    /// The Unix file mode with its type, as the zip's directory has it.
    pub(super) fn unix_mode(&self) -> u32 {
        let (file_type, default) = match self.get(attribute::TYPE) {
            Some(attribute::DIRECTORY) => (0o040_000, 0o755),
            Some(attribute::SYMLINK) => (0o120_000, 0o777),
            _ => (0o100_000, 0o644),
        };
        let mode = self.get(attribute::MODE).and_then(|mode| u32::from_str_radix(mode, 8).ok());
        file_type | mode.map_or(default, |mode| mode & 0o7777)
    }
}

/// One entry as the archive holds it: what the driver said, and what its bytes turned out to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EntryInfo {
    /// As the driver described it.
    pub entry: Entry,
    /// The size of its content in bytes, uncompressed.
    pub size: u64,
    /// The SHA-256 of its content.
    pub sha256: [u8; 32],
}

/// How much a set holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
pub struct Totals {
    /// The number of entries.
    pub entries: u64,
    /// The bytes of their contents, uncompressed.
    pub bytes: u64,
}

/// Takes the entries of one set. Handed to [`Driver::dump`](crate::drivers::Driver::dump); of no use after it returns.
///
/// A writer has one entry open at a time. A driver that works in several threads gives each a writer of its own, through
/// [`Writer::another`]: one thread must never wait on one writer's entry while it holds another's open.
///
/// Compression and hashing happen beside the caller, so an error may show at a later call than the one that caused it; none
/// is lost, since the set is closed by the engine, which sees them all.
pub trait Writer: Send {
    /// Opens an entry.
    ///
    /// # Errors
    /// The name is taken in this set, empty or too long for a zip; an entry of this writer is still open; the moment is
    /// over; the run is cancelled; the archive cannot be written any more.
    fn create(&mut self, entry: Entry) -> Result<Box<dyn EntryWriter>>;

    /// One more writer into the same set, for another thread.
    ///
    /// # Errors
    /// The moment is over.
    fn another(&self) -> Result<Box<dyn Writer>>;
}

/// Takes the bytes of one entry. Dropped without [`EntryWriter::finish`], it makes its set fail: an abandoned entry is never
/// taken for a whole one.
pub trait EntryWriter: Send {
    /// Adds bytes; any number, 64 KiB to 1 MiB at a time is quick.
    ///
    /// # Errors
    /// As [`Writer::create`], and the entry is finished already.
    fn write(&mut self, chunk: &[u8]) -> Result<()> {
        let mut rest = chunk;
        while !rest.is_empty() {
            let space = self.space()?;
            let now = rest.len().min(space.len());
            space[..now].copy_from_slice(&rest[..now]);
            self.advance(now)?;
            rest = &rest[now..];
        }
        Ok(())
    }

    /// Room for the next bytes, never empty: a source reads straight into it, then says with [`EntryWriter::advance`] how
    /// much it was. Saves the copy that [`EntryWriter::write`] makes.
    ///
    /// # Errors
    /// As [`EntryWriter::write`].
    fn space(&mut self) -> Result<&mut [u8]>;

    /// Takes the first `filled` bytes of the last [`EntryWriter::space`].
    ///
    /// # Errors
    /// As [`EntryWriter::write`].
    fn advance(&mut self, filled: usize) -> Result<()>;

    /// Commits the entry. Nothing but this makes it part of the archive.
    ///
    /// # Errors
    /// As [`EntryWriter::write`].
    fn finish(&mut self) -> Result<()>;
}

/// Gives back the entries of one set. Handed to `before_restore` and `restore`; several threads may use it at once.
pub trait Reader: Send + Sync {
    /// How much the set holds.
    fn totals(&self) -> Totals;

    /// All entries, from the first, in the order of the set's index, which need not be the order in which they were written.
    ///
    /// # Errors
    /// The index cannot be read, or is damaged.
    fn entries(&self) -> Result<Box<dyn Entries>>;

    /// Opens an entry by its exact name.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`](crate::error::ErrorKind::NotFound) where the set has no such entry; the archive is damaged.
    fn open(&self, name: &EntryName) -> Result<Box<dyn EntryReader>>;
}

/// A walk through the entries of a set, in pages.
pub trait Entries: Send {
    /// The next entries, at most `max`; none at the end.
    ///
    /// # Errors
    /// The index is damaged.
    fn next(&mut self, max: usize) -> Result<Vec<EntryInfo>>;
}

/// Gives back the bytes of one entry.
pub trait EntryReader: Send {
    /// What the archive says of the entry.
    fn info(&self) -> &EntryInfo;

    /// The next bytes, into `buffer`; 0 means the end, and comes only after size and hash were found to agree.
    ///
    /// # Errors
    /// [`ErrorKind::Corrupt`](crate::error::ErrorKind::Corrupt) as soon as the content exceeds, or at the end misses, what
    /// was declared: whatever was read of it before must then be thrown away. The run is cancelled.
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize>;

    /// Fills `buffer` as far as the content goes; what it returns is less than the buffer only at the end.
    ///
    /// # Errors
    /// As [`EntryReader::read`].
    fn fill(&mut self, buffer: &mut [u8]) -> Result<usize> {
        let mut filled = 0;
        while filled < buffer.len() {
            match self.read(&mut buffer[filled..])? {
                0 => break,
                count => filled += count,
            }
        }
        Ok(filled)
    }
}
