//! Reading an archive. Everything in it is untrusted: it is checked before it is believed, and nothing that it says decides
//! how much memory is taken.

mod catalog;
mod content;
mod directory;
mod lines;
mod locate;
mod manifest_check;
mod range;
mod set;
mod stream;
#[cfg(test)]
mod tests;
mod verify;
mod whole;

use std::sync::{Arc, Mutex, PoisonError};

use self::catalog::Catalog;
use self::lines::Lines;
pub use self::verify::Damage;
use self::whole::Unpackers;
use super::entry::Reader;
use super::index;
use super::manifest::{LinkRecord, Manifest, SetRecord};
use super::zip::{Central, Directory};
use crate::cancel::Cancel;
use crate::error::{Error, ErrorKind, Result};
use crate::name::EntryName;
use crate::store::Source;

/// An existing archive.
pub struct ArchiveReader {
    file: Arc<File>,
    manifest: Manifest,
    manifest_sha256: String,
    /// Made when it is first needed, since it goes through the whole directory and all indexes.
    catalog: Mutex<Option<Arc<Catalog>>>,
}

/// The file, and where things stand in it.
struct File {
    source: Source,
    directory: Directory,
    /// The checksum that the comment has for everything before it.
    crc: u32,
    /// The directory's last record.
    manifest: Central,
    unpackers: Unpackers,
}

impl ArchiveReader {
    /// Opens an archive: reads its end and its manifest, no more.
    ///
    /// # Errors
    /// [`ErrorKind::Corrupt`] where it is no archive, truncated or damaged there;
    /// [`ErrorKind::Unsupported`] where a newer host wrote it.
    pub fn open(source: Source) -> Result<Self> {
        let (file, manifest, sha256) = locate::open(source)?;
        Ok(Self { file, manifest, manifest_sha256: hex::encode(sha256), catalog: Mutex::new(None) })
    }

    /// What the archive says of itself.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The SHA-256 of the manifest, in hexadecimal: what the dump printed, and what `--expect` asks for.
    pub fn manifest_sha256(&self) -> &str {
        &self.manifest_sha256
    }

    /// The size of the archive in bytes.
    pub fn size(&self) -> u64 {
        self.file.source.size()
    }

    /// Where it is, as people write it.
    pub fn location(&self) -> &str {
        self.file.source.location()
    }

    /// Finds everything that directory, indexes and manifest show to be wrong: names that leave their set, duplicates,
    /// overlaps, sizes that the file cannot hold, indexes that disagree. To be called before a restore's first write.
    ///
    /// # Errors
    /// [`ErrorKind::Corrupt`] with everything that was found, as details; the run is cancelled.
    pub fn examine(&self, cancel: &Cancel) -> Result<()> {
        self.catalog(cancel).map(drop)
    }

    /// A set's entries.
    ///
    /// # Errors
    /// As [`ArchiveReader::examine`].
    pub fn set(&self, record: &SetRecord, cancel: &Cancel) -> Result<Box<dyn Reader>> {
        let (catalog, number) = (self.catalog(cancel)?, self.number_of(record)?);
        Ok(Box::new(set::SetReader::new(self.file.clone(), catalog, record, number, cancel.clone())))
    }

    /// The values of a link.
    ///
    /// # Errors
    /// As [`ArchiveReader::examine`]; each item: the list is damaged.
    pub fn values(&self, link: &LinkRecord, cancel: &Cancel) -> Result<impl Iterator<Item = Result<String>>> {
        let entry = self.catalog(cancel)?.own(&link.values)?;
        let lines = Lines::open(&self.file, &entry, &link.values_sha256)?;
        let (name, cancel) = (link.values.clone(), cancel.clone());
        Ok(lines.map(move |line| {
            cancel.check()?;
            serde_json::from_slice(&line?).map_err(|why| Error::corrupt(format!("a line of `{name}` is no value: {why}")))
        }))
    }

    /// The exact names of a set's entries but its directories: what a link may name.
    ///
    /// # Errors
    /// As [`ArchiveReader::examine`]; each item: the index is damaged.
    pub fn names(&self, record: &SetRecord, cancel: &Cancel) -> Result<impl Iterator<Item = Result<EntryName>>> {
        let (catalog, number) = (self.catalog(cancel)?, self.number_of(record)?);
        let mut cursor = catalog.cursor(number);
        let cancel = cancel.clone();
        let mut next = move || {
            cancel.check()?;
            catalog.next_line(&mut cursor)?.map(index::linkable_name).transpose()
        };
        Ok(std::iter::from_fn(move || next().transpose()).filter_map(Result::transpose))
    }

    /// Reads every byte, and says everything that is damaged; nothing, if all is whole. `progress` hears of bytes done and
    /// bytes in total, from several threads.
    ///
    /// # Errors
    /// The file cannot be read; the run is cancelled.
    pub fn verify(&self, cancel: &Cancel, progress: &(dyn Fn(u64, u64) + Sync)) -> Result<Vec<Damage>> {
        verify::verify(&self.file, &self.manifest, cancel, progress)
    }

    /// Which of the manifest's sets this is.
    fn number_of(&self, record: &SetRecord) -> Result<usize> {
        let number = self.manifest.sets.iter().position(|set| set.path == record.path);
        number.ok_or_else(|| Error::new(ErrorKind::NotFound, format!("the archive has no set `{}`", record.path)))
    }

    fn catalog(&self, cancel: &Cancel) -> Result<Arc<Catalog>> {
        let mut place = self.catalog.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(catalog) = &*place {
            return Ok(catalog.clone());
        }
        let (catalog, damage) = Catalog::build(&self.file, &self.manifest, cancel)?;
        if let Some(first) = damage.first() {
            let error = Error::corrupt(first.to_string()).hint("`verify` reads the whole archive and tells what else is damaged");
            return Err(damage.iter().take(MOST_DETAILS).fold(error, |error, damage| error.with("damage", damage.to_string())));
        }
        Ok(place.insert(Arc::new(catalog)).clone())
    }
}

/// The most details that one error lists.
const MOST_DETAILS: usize = 100;
