//! A restore: what the bucket lacks or has otherwise is written, several objects at a time, and what the archive lacks is dealt
//! with as the user said.

use std::sync::atomic::{AtomicU64, Ordering};

use object_store::Attributes;
use sha2::{Digest, Sha256};

use super::attributes;
use super::crew::share;
use super::dump::{HANDS, SMALL};
use super::inventory::{Names, Wrong};
use super::settings::{Others, Place, is_nameable};
use super::store::{Missed, Store};
use crate::archive::entry::attribute;
use crate::archive::{EntryInfo, EntryReader, Reader, Spool};
use crate::cancel::Cancel;
use crate::drivers::{Context, Extra, Level, Unit};
use crate::error::{Error, ErrorKind, Result};
use crate::name::EntryName;

/// The longest key, in bytes.
const LONGEST: usize = 1024;

/// The smallest part of an object that is put in parts, and the most parts.
const PART: (u64, u64) = (8 << 20, 9_000);

/// How many entries are taken from the index at a time.
const PAGE: usize = 100;

/// How many things that the archive lacks a refusal lists.
const LISTED: usize = 20;

/// A restore whose target was listed.
pub(super) struct Restore {
    /// What the bucket holds of the archive's names, with sizes.
    present: Names,
    /// What the archive lacks and the user wants deleted.
    doomed: Spool,
    /// What belongs to other sets, in the bucket and in the archive.
    others: Others,
}

/// How a restore went.
#[derive(Default)]
pub(super) struct Counts {
    pub(super) written: AtomicU64,
    pub(super) unchanged: AtomicU64,
    pub(super) deleted: u64,
}

impl Restore {
    /// Judges the archive's names, and lists the bucket.
    pub(super) fn prepare(store: &Store, place: &Place, context: &Context, source: &dyn Reader) -> Result<Self> {
        let names = read_names(place, context, source)?;
        let others = place.others(&context.leave_out);
        let mut restore = Self { present: Names::default(), doomed: Spool::new()?, others };
        let (mut extra, mut beyond_reach) = (Extras::default(), Wrong::default());
        store.list(&context.cancel, &mut |name, listed| {
            if names.get(name.as_bytes()).is_some() {
                restore.present.add(name.as_bytes(), listed.size);
            } else if !(name.is_empty() && listed.size == 0 || restore.others.hold(name)) {
                extra.add(name);
                match context.restore.extra {
                    Some(Extra::Delete) if is_nameable(&listed.key) => restore.doomed.push(name.as_bytes())?,
                    Some(Extra::Delete) => beyond_reach.add(&listed.key.into()),
                    _ => {}
                }
            }
            Ok(())
        })?;
        restore.present.seal();
        if context.restore.extra.is_none() {
            extra.refuse(place)?;
        }
        beyond_reach.into_error(
            ErrorKind::Unsupported,
            "objects that the archive lacks have keys that cannot be named, and so cannot be deleted",
            "delete them with the server's own tools, or pass `--extra keep`",
        )?;
        Ok(restore)
    }

    /// Writes what is missing or differs, then deletes what is to be deleted.
    pub(super) fn run(&self, store: &Store, context: &Context, source: &dyn Reader) -> Result<Counts> {
        let mut counts = Counts::default();
        let (done, left_out, total) = (AtomicU64::new(0), AtomicU64::new(0), source.totals().bytes);
        let report = |count: u64| {
            let done = done.fetch_add(count, Ordering::Relaxed) + count;
            context.progress(done, Some(total), Unit::Bytes);
        };
        let one = |cancel: &Cancel, (): &mut (), info: EntryInfo| {
            if text(&info).is_some_and(|name| self.others.hold(name)) {
                left_out.fetch_add(1, Ordering::Relaxed);
                return Ok(());
            }
            let put = Put { store, cancel, source, info: &info };
            let size = text(&info).and_then(|name| self.present.get(name.as_bytes()));
            let unchanged = size == Some(info.size) && put.is_there()?;
            let counter = if unchanged { &counts.unchanged } else { &counts.written };
            if !unchanged {
                put.write()?;
            }
            counter.fetch_add(1, Ordering::Relaxed);
            report(info.size);
            Ok(())
        };
        share(&context.cancel, HANDS.0, entries(source)?.filter(|info| is_sized(info, true)), || Ok(()), one)?;
        share(&context.cancel, HANDS.1, entries(source)?.filter(|info| is_sized(info, false)), || Ok(()), one)?;
        if let number @ 1.. = left_out.into_inner() {
            context.warn(format!("{number} entries stay in the archive: another set's objects stand in their places"));
        }
        let doomed = self.doomed.lines().map(|line| {
            let name = String::from_utf8(line?).map_err(|why| Error::corrupt(why.to_string()))?;
            context.log(Level::Debug, format!("deleting `{}`", EntryName::from(name.as_str())));
            Ok(name)
        });
        store.delete(&context.cancel, doomed)?;
        counts.deleted = self.doomed.len();
        Ok(counts)
    }
}

/// Whether it is of the small ones, or of the large ones. An error is of both: it must be met.
fn is_sized(info: &Result<EntryInfo>, small: bool) -> bool {
    info.as_ref().map_or(true, |info| (info.size <= SMALL as u64) == small)
}

fn text(info: &EntryInfo) -> Option<&str> {
    info.entry.name.as_str()
}

fn entries(source: &dyn Reader) -> Result<impl Iterator<Item = Result<EntryInfo>> + Send> {
    let mut entries = source.entries()?;
    let mut ended = false;
    let pages = std::iter::from_fn(move || {
        if ended {
            return None;
        }
        let page = entries.next(PAGE);
        ended = page.as_ref().map_or(true, Vec::is_empty);
        Some(page)
    });
    Ok(pages.flat_map(|page| match page {
        Ok(page) => page.into_iter().map(Ok).collect::<Vec<_>>(),
        Err(error) => vec![Err(error)],
    }))
}

/// The archive's names, all of which a bucket can hold.
fn read_names(place: &Place, context: &Context, source: &dyn Reader) -> Result<Names> {
    let (mut names, mut wrong, mut adorned) = (Names::default(), Wrong::default(), Wrong::default());
    for info in entries(source)? {
        let info = info?;
        context.check()?;
        let key = text(&info).map(|name| format!("{}{name}", place.prefix)).filter(|key| key.len() <= LONGEST && is_nameable(key));
        if !attributes::can_be_sent(&info.entry) {
            adorned.add(&info.entry.name);
        }
        if key.is_some() && text(&info) != Some("") && info.entry.get(attribute::TYPE).is_none() {
            names.add(info.entry.name.as_bytes(), info.size);
        } else {
            wrong.add(&info.entry.name);
        }
    }
    wrong.into_error(
        ErrorKind::Unsupported,
        "entries cannot be objects of a bucket: they are directories or links, or have names that are too long, not UTF-8, or with empty \
         segments, segments `.` or `..`, or control characters",
        "restore them into a directory",
    )?;
    adorned.into_error(
        ErrorKind::Corrupt,
        "entries have attributes that no object can have: names or values that HTTP does not allow",
        "no dump of a bucket records such; where is the archive from?",
    )?;
    names.seal();
    Ok(names)
}

/// Objects that the archive lacks.
#[derive(Default)]
struct Extras {
    some: Vec<String>,
    count: u64,
}

impl Extras {
    fn add(&mut self, name: &str) {
        self.count += 1;
        if self.some.len() < LISTED {
            self.some.push(EntryName::from(name).to_string());
        }
    }

    fn refuse(self, place: &Place) -> Result<()> {
        if self.count == 0 {
            return Ok(());
        }
        let error = Error::new(ErrorKind::Other, format!("`{}` holds {} objects that the archive lacks", place.shown(), self.count))
            .hint("pass `--extra keep` to leave them, or `--extra delete` to delete them");
        let unnamed = self.count - self.some.len() as u64;
        let error = self.some.into_iter().fold(error, |error, name| error.with("object", name));
        Err(if unnamed > 0 { error.with("and more", unnamed.to_string()) } else { error })
    }
}

/// One entry on its way into the bucket.
struct Put<'a> {
    store: &'a Store,
    cancel: &'a Cancel,
    source: &'a dyn Reader,
    info: &'a EntryInfo,
}

impl Put<'_> {
    fn name(&self) -> &str {
        text(self.info).unwrap_or_default()
    }

    /// Whether the bucket holds just this, by hash and attributes.
    fn is_there(&self) -> Result<bool> {
        let mut fetched = match self.store.fetch(self.cancel, self.name(), None) {
            Ok(fetched) => fetched,
            Err(missed) => return otherwise(missed),
        };
        if fetched.meta.size != self.info.size || !attributes::agree(&self.info.entry, &fetched.attributes) {
            return Ok(false);
        }
        let mut hash = Sha256::new();
        loop {
            match self.store.next(self.cancel, &mut fetched) {
                Ok(Some(bytes)) => hash.update(&bytes),
                Ok(None) => return Ok(<[u8; 32]>::from(hash.finalize()) == self.info.sha256),
                Err(missed) => return otherwise(missed),
            }
        }
    }

    fn write(&self) -> Result<()> {
        let mut reader = self.source.open(&self.info.entry.name)?;
        let attributes = attributes::of_entry(&self.info.entry);
        if self.info.size <= SMALL as u64 {
            let content = take(&mut *reader, SMALL)?;
            // Its end was not met where it fills the room: only the call that returns nothing has checked size and hash.
            require_end(&mut *reader)?;
            return self.store.put(self.cancel, self.name(), content, attributes);
        }
        self.write_parts(&mut *reader, attributes)
    }

    fn write_parts(&self, reader: &mut dyn EntryReader, attributes: Attributes) -> Result<()> {
        let (smallest, most) = PART;
        let part = usize::try_from(smallest.max(self.info.size.div_ceil(most))).unwrap_or(usize::MAX);
        let mut parts = self.store.put_in_parts(self.cancel, self.name(), attributes)?;
        loop {
            self.cancel.check()?;
            let content = take(reader, part)?;
            if content.is_empty() {
                return parts.complete(self.cancel);
            }
            parts.put(self.cancel, content)?;
        }
    }
}

/// What differs, is gone or was replaced in this moment is written.
fn otherwise(missed: Missed) -> Result<bool> {
    match missed {
        Missed::Gone | Missed::Replaced => Ok(false),
        Missed::Failed(error) => Err(error),
    }
}

/// The next bytes of an entry, as many as there are, at most `room`.
fn take(reader: &mut dyn EntryReader, room: usize) -> Result<Vec<u8>> {
    let left = usize::try_from(reader.info().size).unwrap_or(room);
    let mut content = vec![0; room.min(left)];
    let filled = reader.fill(&mut content)?;
    content.truncate(filled);
    Ok(content)
}

fn require_end(reader: &mut dyn EntryReader) -> Result<()> {
    match reader.read(&mut [0])? {
        0 => Ok(()),
        _ => Err(Error::corrupt("an entry is longer than it says")),
    }
}
