//! What the zip's headers say of an entry, from what its driver says.

use super::super::entry::{Entry, attribute};
use super::super::escape::zip_name;
use super::super::zip::{Header, MAX_NAME, seconds};
use super::set::OpenSet;
use crate::error::{Error, ErrorKind, Result};

/// An entry before its content.
#[derive(Clone)]
pub(super) struct Described {
    pub(super) entry: Entry,
    pub(super) header: Header,
    /// The Unix file mode with its type.
    pub(super) mode: u32,
}

impl Described {
    /// # Errors
    /// The name is empty or too long; an attribute is given twice.
    pub(super) fn new(set: &OpenSet, entry: Entry) -> Result<Self> {
        let kind = entry.get(attribute::TYPE);
        let directory = kind == Some(attribute::DIRECTORY);
        if entry.name.as_bytes().is_empty() && !directory {
            return Err(Error::new(ErrorKind::Other, "an entry needs a name"));
        }
        check_attributes(&entry)?;
        let name = zip_name(&set.prefix, &entry.name, directory);
        if name.len() > MAX_NAME {
            let begin: String = name.chars().take(100).collect();
            return Err(Error::new(
                ErrorKind::Unsupported,
                format!("the name `{begin}…` takes more than the {MAX_NAME} bytes that a zip can hold"),
            ));
        }
        let mode = entry.unix_mode();
        let modified = entry.modified.map_or(set.core.now, seconds);
        let header = Header { name, method: set.core.method, modified };
        Ok(Self { entry, header, mode })
    }

    /// Whether it may have content.
    pub(super) fn may_have_content(&self) -> bool {
        !matches!(self.entry.get(attribute::TYPE), Some(attribute::DIRECTORY | attribute::HARDLINK))
    }
}

fn check_attributes(entry: &Entry) -> Result<()> {
    let mut keys: Vec<&str> = entry.attributes.iter().map(|(key, _)| key.as_str()).collect();
    keys.sort_unstable();
    match keys.windows(2).find(|pair| pair[0] == pair[1]) {
        Some(pair) => Err(Error::new(ErrorKind::Other, format!("the attribute `{}` of `{}` is given twice", pair[0], entry.name))),
        None => Ok(()),
    }
}
