//! One entry on its way from the archive to a guest, read ahead of it; and a walk through all entries.

use crate::archive::EntryInfo;
use crate::archive::entry::{Entries, EntryReader};
use crate::drivers::component::beside::{Beside, Coming, come};
use crate::drivers::component::limits::CHUNK;
use crate::error::{Error, ErrorKind, Result};
use crate::name::EntryName;

/// How much of an entry is read when it is opened.
const FIRST: usize = 64 << 10;

/// The most entries in one page, and about how many bytes.
const PAGE: usize = 1_000;
const PAGE_BYTES: usize = 512 << 10;

/// An entry that is open.
pub(in crate::drivers::component) struct EntryReading {
    /// What was read ahead; `None` once the end, or an error, was told.
    ahead: Option<Coming<Ahead>>,
    /// What came and was not yet given away, from `at`.
    chunk: Vec<u8>,
    at: usize,
    /// What to do next.
    reader: Option<Box<dyn EntryReader>>,
    failed: Option<Error>,
}

/// What the thread beside has read.
struct Ahead {
    reader: Box<dyn EntryReader>,
    chunk: Result<Vec<u8>>,
    /// Whether the end was seen, and everything found to agree.
    ended: bool,
}

impl EntryReading {
    /// Opens an entry by its name, and begins to read it; with what the archive says of it.
    pub(in crate::drivers::component) async fn open(name: String, beside: &Beside) -> Result<(EntryInfo, Self)> {
        let opened = beside.run(move |reader| {
            let entry = reader.ok_or_else(super::over)?.open(&EntryName::from(name))?;
            let info = entry.info().clone();
            Ok((info, read(entry, FIRST, Vec::new())))
        });
        let (info, ahead) = opened.await?;
        let mut reading = Self { ahead: None, chunk: Vec::new(), at: 0, reader: None, failed: None };
        reading.take(ahead);
        Ok((info, reading))
    }

    /// The next bytes, at most `max`; nothing at the end.
    pub(in crate::drivers::component) async fn read(&mut self, max: usize, beside: &Beside) -> Result<Option<Vec<u8>>> {
        if max == 0 {
            return Err(Error::new(ErrorKind::Other, "a read of no bytes says nothing: ask for at least one"));
        }
        let max = max.min(CHUNK);
        if self.at == self.chunk.len() {
            if let Some(coming) = self.ahead.take() {
                self.take(come(coming).await?);
            } else if let Some(reader) = self.reader.take() {
                self.take(come(beside.start(move |_| read(reader, max, Vec::new()))).await?);
            }
        }
        if let Some(failed) = &self.failed {
            return Err(failed.clone());
        }
        if self.at == self.chunk.len() {
            return Ok(None);
        }
        let given = self.give(max);
        if self.at == self.chunk.len()
            && let Some(reader) = self.reader.take()
        {
            self.ahead = Some(beside.start(move |_| read(reader, max, Vec::new())));
        }
        Ok(Some(given))
    }

    /// Takes what came.
    fn take(&mut self, Ahead { reader, chunk, ended }: Ahead) {
        self.at = 0;
        self.chunk.clear();
        match chunk {
            Ok(chunk) => {
                self.chunk = chunk;
                self.reader = Some(reader).filter(|_| !ended);
            }
            Err(why) => self.failed = Some(why),
        }
    }

    /// Gives away what is there, at most `max`: as it is where all of it fits.
    fn give(&mut self, max: usize) -> Vec<u8> {
        if self.at == 0 && self.chunk.len() <= max {
            let chunk = std::mem::take(&mut self.chunk);
            self.at = 0;
            return chunk;
        }
        let end = self.chunk.len().min(self.at + max);
        let given = self.chunk[self.at..end].to_vec();
        self.at = end;
        given
    }
}

/// Reads the next bytes of an entry, at most `max`.
fn read(mut reader: Box<dyn EntryReader>, max: usize, mut buffer: Vec<u8>) -> Ahead {
    let left = usize::try_from(reader.info().size).unwrap_or(max).saturating_add(1);
    buffer.resize(max.min(left), 0);
    let mut ended = false;
    let chunk = reader.fill(&mut buffer).map(|count| {
        ended = count < buffer.len();
        buffer.truncate(count);
        buffer
    });
    Ahead { reader, chunk, ended }
}

/// A walk through the entries of the set.
pub(in crate::drivers::component) struct Walk {
    /// None after an error.
    entries: Option<Box<dyn Entries>>,
}

impl Walk {
    /// Begins at the first.
    pub(in crate::drivers::component) async fn begin(beside: &Beside) -> Result<Self> {
        let entries = beside.run(|reader| reader.ok_or_else(super::over)?.entries()).await?;
        Ok(Self { entries: Some(entries) })
    }

    /// The next entries, at most `max`, fewer where they are long; none at the end.
    pub(in crate::drivers::component) async fn next(&mut self, max: usize, beside: &Beside) -> Result<Vec<EntryInfo>> {
        if max == 0 {
            return Err(Error::new(ErrorKind::Other, "a page of no entries says nothing: ask for at least one"));
        }
        let Some(mut entries) = self.entries.take() else { return Ok(Vec::new()) };
        let read = beside.run(move |_| page(&mut *entries, max.min(PAGE)).map(|page| (entries, page)));
        let (entries, page) = read.await?;
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
    use crate::runtime::block_on;

    fn content(size: usize) -> Vec<u8> {
        (0..size).map(|at| (at * 31 % 251) as u8).collect()
    }

    /// Reads an entry of this size in pieces of at most `max`.
    fn read_back(size: usize, max: usize) -> Result<Vec<u8>> {
        let archive = MemoryArchive::new();
        archive.put(Entry::new("a"), content(size));
        let source = archive.reader();
        let (beside, serving) = Beside::new();
        let reading = async {
            let (info, mut entry) = EntryReading::open("a".into(), &beside).await?;
            assert_eq!(info.size, size as u64);
            let mut back = Vec::new();
            while let Some(chunk) = entry.read(max, &beside).await? {
                assert!(!chunk.is_empty() && chunk.len() <= max.min(CHUNK), "{} of {max}", chunk.len());
                back.extend(chunk);
            }
            assert_eq!(entry.read(max, &beside).await?, None, "the end stays the end");
            drop(beside);
            Ok(back)
        };
        serving.while_running(&source, || block_on(reading))??
    }

    #[test]
    fn an_entry_comes_back_whole_in_pieces_of_any_size() {
        for size in [0, 1, FIRST - 1, FIRST, FIRST + 1, 300_000, 3 << 20] {
            for max in [7, 1000, FIRST, 100_000, CHUNK, usize::MAX] {
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
        let (beside, serving) = Beside::new();
        let walking = async {
            let mut walk = Walk::begin(&beside).await?;
            let (mut pages, mut found) = (0, Vec::new());
            loop {
                let page = walk.next(usize::MAX, &beside).await?;
                assert!(page.iter().map(size_of).sum::<usize>() < PAGE_BYTES + 2000);
                pages += 1;
                match page.is_empty() {
                    true => break,
                    false => found.extend(page.into_iter().map(|info| info.entry.name.to_string())),
                }
            }
            drop(beside);
            Ok::<_, Error>((pages, found))
        };
        let (pages, mut found) =
            serving.while_running(&source, || block_on(walking)).expect("a thread").expect("a runtime").expect("a walk");
        found.sort();
        assert_eq!(found, names);
        assert!(pages > 4, "long entries make short pages");
        assert_eq!(source.totals().entries, 2500);
    }
}
