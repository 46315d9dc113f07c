//! Reading every byte of an archive, and telling everything that is damaged.

use std::fmt;

use super::super::manifest::Manifest;
use super::super::zip::Central;
use super::File;
use super::catalog::Catalog;
use super::content::Content;
use super::directory::Records;
use super::locate;
use crate::cancel::Cancel;
use crate::error::{ErrorKind, Result};

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

pub(super) fn verify(file: &File, manifest: &Manifest, cancel: &Cancel, progress: &(dyn Fn(u64, u64) + Sync)) -> Result<Vec<Damage>> {
    let (catalog, mut damage) = Catalog::build(file, manifest, cancel)?;
    let total = file.source.size();
    let mut records = Records::new(&file.source, &file.directory);
    while let Ok(Some(record)) = records.next() {
        cancel.check()?;
        match check_entry(file, &catalog, &record) {
            Err(why) if why.kind() == ErrorKind::Corrupt => {
                let what = format!("`{}`", record.header.name.escape_debug());
                let why = why.message();
                let why = why.strip_prefix(&format!("{what}: ")).unwrap_or(why).to_owned();
                damage.push(Damage { what, why });
            }
            checked => checked?,
        }
        progress(record.end().unwrap_or(total), total);
    }
    if damage.is_empty() && checksum(file, cancel)? != file.crc {
        damage.push(Damage {
            what: "the archive outside its entries".into(),
            why: "the CRC-32 over all bytes is not the one in the zip comment".into(),
        });
    }
    progress(total, total);
    Ok(damage)
}

fn check_entry(file: &File, catalog: &Catalog, record: &Central) -> Result<()> {
    let mut content = Content::open(&file.source, record)?;
    let mut buffer = vec![0; 256 << 10];
    while content.read(&mut buffer)? > 0 {}
    match catalog.info(&record.header.name)? {
        Some(info) if info.sha256 != content.digest().sha256 => Err(crate::error::Error::corrupt(format!(
            "`{}`: its SHA-256 is not the one that the index has",
            record.header.name.escape_debug()
        ))),
        _ => Ok(()),
    }
}

fn checksum(file: &File, cancel: &Cancel) -> Result<u32> {
    let end = file.source.size() - u64::from(super::super::comment::COMMENT_LENGTH);
    let mut hasher = crc32fast::Hasher::new();
    let mut at = 0;
    while at < end {
        cancel.check()?;
        let next = end.min(at + (1 << 20));
        hasher.update(&locate::read(&file.source, at, next)?);
        at = next;
    }
    Ok(hasher.finalize())
}
