//! Lists of objects that are kept while a bucket is dumped or restored: on disk, compressed, or a few bytes for each.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::listing::Listed;
use crate::archive::Spool;
use crate::error::{Error, ErrorKind, Result};
use crate::name::EntryName;

/// The most names that an error lists.
const NAMED: usize = 1000;

/// An object that a dump is to fetch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Item {
    /// Its name: the key without the prefix.
    pub(super) name: String,
    /// Its size when it was listed.
    pub(super) size: u64,
    /// What stood for its content then.
    pub(super) e_tag: Option<String>,
    /// When it was written.
    pub(super) modified: Timestamp,
}

/// All objects that a dump is to fetch, on disk.
pub(super) struct Inventory {
    lines: Spool,
    /// The sum of the sizes.
    pub(super) bytes: u64,
}

impl Inventory {
    /// An empty one.
    pub(super) fn new() -> Result<Self> {
        Ok(Self { lines: Spool::new()?, bytes: 0 })
    }

    /// Adds an object.
    pub(super) fn add(&mut self, name: &str, listed: Listed) -> Result<()> {
        let item = Item { name: name.to_owned(), size: listed.size, e_tag: listed.e_tag, modified: listed.modified };
        self.bytes += item.size;
        let line = serde_json::to_vec(&item).map_err(|why| Error::new(ErrorKind::Other, why.to_string()))?;
        self.lines.push(&line)
    }

    /// How many there are.
    pub(super) fn len(&self) -> u64 {
        self.lines.len()
    }

    /// The objects, in the order of the listing.
    pub(super) fn items(&self) -> impl Iterator<Item = Result<Item>> {
        self.lines.lines().map(|line| serde_json::from_slice(&line?).map_err(|why| Error::corrupt(why.to_string())))
    }
}

/// A set of names and a number for each: 24 bytes a name, and 8 of padding.
#[derive(Default)]
pub(super) struct Names {
    entries: Vec<(u128, u64)>,
}

impl Names {
    /// Adds a name.
    pub(super) fn add(&mut self, name: &[u8], number: u64) {
        self.entries.push((key(name), number));
    }

    /// Ends the adding: only then may it be asked.
    pub(super) fn seal(&mut self) {
        self.entries.sort_unstable();
        self.entries.shrink_to_fit();
    }

    /// The number of a name that was added.
    pub(super) fn get(&self, name: &[u8]) -> Option<u64> {
        let key = key(name);
        let at = self.entries.partition_point(|(other, _)| *other < key);
        self.entries.get(at).filter(|(other, _)| *other == key).map(|(_, number)| *number)
    }
}

fn key(name: &[u8]) -> u128 {
    let hash: [u8; 32] = Sha256::digest(name).into();
    let mut first = [0; 16];
    first.copy_from_slice(&hash[..16]);
    u128::from_be_bytes(first)
}

/// Names with which something is wrong: all are counted, and many named.
#[derive(Default)]
pub(super) struct Wrong {
    names: Vec<String>,
    count: u64,
}

impl Wrong {
    /// Adds one.
    pub(super) fn add(&mut self, name: &EntryName) {
        self.count += 1;
        if self.names.len() < NAMED {
            self.names.push(name.to_string());
        }
    }

    /// The error that names them, if there are any; `message` says what is wrong after their number.
    pub(super) fn into_error(self, kind: ErrorKind, message: &str, hint: &str) -> Result<()> {
        if self.count == 0 {
            return Ok(());
        }
        let error = Error::new(kind, format!("{} {message}", self.count)).hint(hint);
        let error = self.names.iter().fold(error, |error, name| error.with("key", name));
        let unnamed = self.count - self.names.len() as u64;
        Err(if unnamed > 0 { error.with("and more", unnamed.to_string()) } else { error })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_inventory_gives_back_what_was_listed() {
        let mut inventory = Inventory::new().expect("a spool");
        let listed = |key: &str, size| Listed { key: key.into(), size, e_tag: Some("\"e\"".into()), modified: Timestamp::UNIX_EPOCH };
        inventory.add("a\nb", listed("u/a\nb", 3)).expect("added");
        inventory.add("ä", listed("u/ä", 4)).expect("added");
        let items: Vec<Item> = inventory.items().collect::<Result<_>>().expect("items");
        assert_eq!(items.iter().map(|item| (item.name.as_str(), item.size)).collect::<Vec<_>>(), [("a\nb", 3), ("ä", 4)]);
        assert_eq!((inventory.len(), inventory.bytes), (2, 7));
    }

    #[test]
    fn names_keep_their_numbers() {
        let mut names = Names::default();
        for (name, number) in [("b", 2), ("a", 1), ("c", 3)] {
            names.add(name.as_bytes(), number);
        }
        names.seal();
        assert_eq!((names.get(b"a"), names.get(b"c"), names.get(b"d")), (Some(1), Some(3), None));
    }

    #[test]
    fn what_is_wrong_is_named_and_beyond_a_thousand_counted() {
        let mut wrong = Wrong::default();
        (0..1002).for_each(|number| wrong.add(&format!("a//{number}").into()));
        let error = wrong.into_error(ErrorKind::Unsupported, "keys cannot be named", "rename them").expect_err("some");
        assert_eq!(error.message(), "1002 keys cannot be named");
        assert_eq!(error.context().len(), 1001);
        assert_eq!(error.context()[1000], ("and more".to_owned(), "2".to_owned()));
        assert!(Wrong::default().into_error(ErrorKind::Other, "", "").is_ok());
    }
}
