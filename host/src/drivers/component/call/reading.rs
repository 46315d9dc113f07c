//! One entry on its way from the archive to a guest; and a walk through all entries.

use crate::archive::EntryInfo;
use crate::archive::entry::{Entries, EntryReader};
use crate::drivers::component::limits::CHUNK;
use crate::error::{Error, ErrorKind, Result};

/// The most entries in one page, and about how many bytes.
const PAGE: usize = 1_000;
const PAGE_BYTES: usize = 512 << 10;

/// An entry that is open.
pub(in crate::drivers::component) struct EntryReading {
    /// None once the end was seen, and everything found to agree.
    reader: Option<Box<dyn EntryReader>>,
    /// How much of it was not read yet, if the archive is right.
    left: u64,
    failed: Option<Error>,
}

impl EntryReading {
    /// An entry that was just opened.
    pub(in crate::drivers::component) fn new(reader: Box<dyn EntryReader>) -> Self {
        Self { left: reader.info().size, reader: Some(reader), failed: None }
    }

    /// The next bytes, at most `max`; nothing at the end.
    pub(in crate::drivers::component) fn read(&mut self, max: usize) -> Result<Option<Vec<u8>>> {
        if max == 0 {
            return Err(Error::new(ErrorKind::Other, "a read of no bytes says nothing: ask for at least one"));
        }
        if let Some(failed) = &self.failed {
            return Err(failed.clone());
        }
        let Some(reader) = &mut self.reader else { return Ok(None) };
        // Room for one byte more than there should be: so the end is seen with the last of them.
        let room = usize::try_from(self.left.saturating_add(1)).unwrap_or(CHUNK);
        let mut chunk = vec![0; room.min(max).min(CHUNK)];
        let count = reader.fill(&mut chunk).inspect_err(|why| self.failed = Some(why.clone()))?;
        self.left = self.left.saturating_sub(count as u64);
        if count < chunk.len() {
            self.reader = None;
            chunk.truncate(count);
        }
        Ok(Some(chunk).filter(|chunk| !chunk.is_empty()))
    }
}

/// A walk through the entries of the set.
pub(in crate::drivers::component) struct Walk {
    /// None after an error.
    entries: Option<Box<dyn Entries>>,
}

impl Walk {
    /// One that begins at the first.
    pub(in crate::drivers::component) fn new(entries: Box<dyn Entries>) -> Self {
        Self { entries: Some(entries) }
    }

    /// The next entries, at most `max`, fewer where they are long; none at the end.
    pub(in crate::drivers::component) fn next(&mut self, max: usize) -> Result<Vec<EntryInfo>> {
        if max == 0 {
            return Err(Error::new(ErrorKind::Other, "a page of no entries says nothing: ask for at least one"));
        }
        let Some(mut entries) = self.entries.take() else { return Ok(Vec::new()) };
        let page = page(&mut *entries, max.min(PAGE))?;
        self.entries = Some(entries);
        Ok(page)
    }
}

/// A page of at most `max` entries: it ends where it is full, so that nothing is kept from one page to the next.
fn page(entries: &mut dyn Entries, max: usize) -> Result<Vec<EntryInfo>> {
    let (mut page, mut bytes) = (Vec::new(), 0);
    while page.len() < max && bytes < PAGE_BYTES {
        let Some(info) = entries.next(1)?.pop() else { break };
        bytes += size_of(&info);
        page.push(info);
    }
    Ok(page)
}

/// About how much memory of the guest's one entry takes.
fn size_of(info: &EntryInfo) -> usize {
    let attributes: usize = info.entry.attributes.iter().map(|(key, value)| key.len() + value.len() + 16).sum();
    200 + info.entry.name.as_bytes().len() + attributes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::archive::{Entry, Reader as _};
    use crate::conformance::MemoryArchive;

    fn content(size: usize) -> Vec<u8> {
        (0..size).map(|at| (at * 31 % 251) as u8).collect()
    }

    /// Reads an entry of this size in pieces of at most `max`.
    fn read_back(size: usize, max: usize) -> Result<Vec<u8>> {
        let archive = MemoryArchive::new();
        archive.put(Entry::new("a"), content(size));
        let source = archive.reader();
        let mut entry = EntryReading::new(source.open(&"a".into())?);
        let mut back = Vec::new();
        while let Some(chunk) = entry.read(max)? {
            assert!(!chunk.is_empty() && chunk.len() <= max.min(CHUNK), "{} of {max}", chunk.len());
            back.extend(chunk);
        }
        assert_eq!(entry.read(max)?, None, "the end stays the end");
        Ok(back)
    }

    #[test]
    fn an_entry_comes_back_whole_in_pieces_of_any_size() {
        for size in [0, 1, 65_535, 65_536, 300_000, CHUNK, 3 << 20] {
            for max in [7, 1000, 65_536, 100_000, CHUNK, usize::MAX] {
                if max > 100 || size < 1000 {
                    assert!(read_back(size, max).expect("it is whole") == content(size), "{size} in pieces of {max}");
                }
            }
        }
        assert!(read_back(10, 0).expect_err("nothing to ask for").message().contains("at least one"));
    }

    #[test]
    fn a_walk_gives_all_entries_in_pages() {
        let archive = MemoryArchive::new();
        let names: Vec<String> = (0..2500).map(|number| format!("{number:04}")).collect();
        names.iter().for_each(|name| archive.put(Entry::new(name.as_str()).attribute("padding", "x".repeat(1000)), *b"x"));
        let source = archive.reader();
        let mut walk = Walk::new(source.entries().expect("a walk"));
        let (mut pages, mut found) = (0, Vec::new());
        loop {
            let page = walk.next(usize::MAX).expect("a page");
            assert!(page.iter().map(size_of).sum::<usize>() < PAGE_BYTES + 2000);
            if page.is_empty() {
                break;
            }
            pages += 1;
            found.extend(page.into_iter().map(|info| info.entry.name.to_string()));
        }
        found.sort();
        assert_eq!(found, names);
        assert!(pages > 3, "long entries make short pages");
        assert_eq!(source.totals().entries, 2500);
    }
}
