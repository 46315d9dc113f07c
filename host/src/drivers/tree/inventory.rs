//! What a walk found, kept until it is copied: one line a name in a compressed temporary file, whatever their number.

use std::collections::HashMap;
use std::fmt::Write;
use std::fs::File;
use std::os::unix::fs::FileExt;

use super::stat::{Id, Stamp, Time};
use crate::archive::Spool;
use crate::archive::{escape, unescape};
use crate::error::{Error, IoContext, Result};
use crate::name::EntryName;

/// One thing that a set holds, as it was when it was listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Listed {
    pub(super) name: EntryName,
    pub(super) sort: ListedSort,
    pub(super) stamp: Stamp,
}

/// What sort of thing was listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ListedSort {
    Directory,
    Symlink,
    File,
    /// A file that may have more names; this one is kept in [`FirstNames`], at this place.
    First(u64),
    /// One more name of the file whose first one is kept there.
    More(u64),
}

/// The list of a set's things, in the order of the walk.
pub(super) struct Inventory {
    spool: Spool,
    pub(super) first_names: FirstNames,
    /// Bytes of content, in all files.
    pub(super) bytes: u64,
}

impl Inventory {
    pub(super) fn new() -> Result<Self> {
        Ok(Self { spool: Spool::new()?, first_names: FirstNames::default(), bytes: 0 })
    }

    /// Adds a thing.
    pub(super) fn push(&mut self, listed: &Listed) -> Result<()> {
        if matches!(listed.sort, ListedSort::File | ListedSort::First(_)) {
            self.bytes += listed.stamp.size;
        }
        self.spool.push(listed.to_line().as_bytes())
    }

    /// Everything, in the order in which it was added.
    pub(super) fn read(&self) -> impl Iterator<Item = Result<Listed>> {
        self.spool.lines().map(|line| {
            let line = line?;
            let text = std::str::from_utf8(&line).ok();
            text.and_then(Listed::from_line).ok_or_else(|| Error::corrupt("a line of the inventory changed in its temporary file"))
        })
    }
}

impl Listed {
    /// Numbers, then the escaped name, separated by spaces.
    fn to_line(&self) -> String {
        let (sort, first) = match self.sort {
            ListedSort::Directory => ('d', 0),
            ListedSort::Symlink => ('l', 0),
            ListedSort::File => ('f', 0),
            ListedSort::First(place) => ('1', place),
            ListedSort::More(place) => ('h', place),
        };
        let Stamp { id, size, modified, changed } = self.stamp;
        let mut line = format!("{sort} {first} {} {} {size}", id.device, id.inode);
        for time in [modified, changed] {
            write!(line, " {} {}", time.seconds, time.nanoseconds).expect("a string takes all that is written to it");
        }
        line.push(' ');
        line.push_str(&escape(&self.name));
        line
    }

    fn from_line(line: &str) -> Option<Self> {
        let mut fields = line.splitn(10, ' ');
        let mut field = || fields.next();
        let sort = field()?;
        let first = field()?.parse().ok()?;
        let sort = match sort {
            "d" => ListedSort::Directory,
            "l" => ListedSort::Symlink,
            "f" => ListedSort::File,
            "1" => ListedSort::First(first),
            _ => ListedSort::More(first),
        };
        let id = Id { device: field()?.parse().ok()?, inode: field()?.parse().ok()? };
        let size = field()?.parse().ok()?;
        let modified = Time { seconds: field()?.parse().ok()?, nanoseconds: field()?.parse().ok()? };
        let changed = Time { seconds: field()?.parse().ok()?, nanoseconds: field()?.parse().ok()? };
        Some(Self { name: unescape(field()?)?, sort, stamp: Stamp { id, size, modified, changed } })
    }
}

/// The first names of files that have several: a number for each in memory, the names themselves in a temporary file.
#[derive(Default)]
pub(super) struct FirstNames {
    places: HashMap<Id, u64>,
    file: Option<File>,
    end: u64,
}

impl FirstNames {
    /// Whether a file was met before: says how it is listed.
    pub(super) fn meet(&mut self, id: Id, name: &[u8]) -> Result<ListedSort> {
        if let Some(place) = self.places.get(&id) {
            return Ok(ListedSort::More(*place));
        }
        let file = match &self.file {
            Some(file) => file,
            None => self.file.insert(tempfile::tempfile().while_doing(|| "cannot make a temporary file")?),
        };
        let record = [&(name.len() as u64).to_le_bytes()[..], name].concat();
        file.write_all_at(&record, self.end).while_doing(|| "cannot write a temporary file")?;
        let place = self.end;
        self.places.insert(id, place);
        self.end += record.len() as u64;
        Ok(ListedSort::First(place))
    }

    /// The name at a place that [`FirstNames::meet`] gave.
    pub(super) fn get(&self, place: u64) -> Result<EntryName> {
        let read = |into: &mut [u8], at| match &self.file {
            Some(file) => file.read_exact_at(into, at).while_doing(|| "cannot read a temporary file"),
            None => Err(Error::corrupt("a name was asked for that nobody kept")),
        };
        let mut length = [0; 8];
        read(&mut length, place)?;
        let mut name = vec![0; usize::try_from(u64::from_le_bytes(length)).unwrap_or(0)];
        read(&mut name, place + 8)?;
        Ok(EntryName::from_bytes(name))
    }
}

#[cfg(test)]
mod tests {
    use super::{FirstNames, Inventory, Listed, ListedSort};
    use crate::drivers::tree::stat::{Id, Stamp, Time};
    use crate::name::EntryName;

    #[test]
    fn whatever_was_listed_is_read_back() {
        let time = Time { seconds: -5, nanoseconds: 999_999_999 };
        let stamp = Stamp { id: Id { device: u64::MAX, inode: 7 }, size: 1 << 40, modified: time, changed: time };
        let sorts = [ListedSort::Directory, ListedSort::Symlink, ListedSort::File, ListedSort::First(9), ListedSort::More(9)];
        let names: [&[u8]; 5] = [b"", b"a b/c", b"line\nbreak \xff", b"%2F", b"last"];
        let all: Vec<_> =
            sorts.into_iter().zip(names).map(|(sort, name)| Listed { name: EntryName::from_bytes(name), sort, stamp }).collect();
        let mut inventory = Inventory::new().unwrap();
        all.iter().for_each(|listed| inventory.push(listed).unwrap());
        assert_eq!(inventory.read().collect::<Result<Vec<_>, _>>().unwrap(), all);
        assert_eq!(inventory.bytes, 2 << 40);
    }

    #[test]
    fn further_names_lead_to_the_first() {
        let mut names = FirstNames::default();
        let id = |inode| Id { device: 1, inode };
        let ListedSort::First(one) = names.meet(id(1), b"one\n").unwrap() else { panic!("the first name comes first") };
        let ListedSort::First(two) = names.meet(id(2), b"").unwrap() else { panic!("another file has a first name of its own") };
        assert_eq!(names.meet(id(1), b"other").unwrap(), ListedSort::More(one));
        assert_eq!(names.get(one).unwrap().as_bytes(), b"one\n");
        assert_eq!(names.get(two).unwrap().as_bytes(), b"");
    }
}
