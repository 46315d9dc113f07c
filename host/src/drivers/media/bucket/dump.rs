//! A dump: the inventory is listed, then each object fetched as it was listed, several at a time.
//!
//! An object that was overwritten after it was listed is fetched as it is now, and a finding says so: a row that names it must
//! find a file, and the listed version is gone. One that was deleted is a finding too.

use std::sync::atomic::{AtomicU64, Ordering};

use jiff::Timestamp;

use super::attributes;
use super::crew::share;
use super::inventory::{Inventory, Item, Wrong};
use super::settings::{Others, is_nameable};
use super::store::{Fetched, Missed, Store};
use crate::archive::{Entry, Writer};
use crate::cancel::Cancel;
use crate::drivers::{Context, FindingKind, Level, Unit};
use crate::error::{Error, ErrorKind, Result};

/// What is fetched into memory before its entry begins; larger objects are then streamed. Until an entry has begun, an object
/// can still turn out to have changed or vanished.
pub(super) const SMALL: usize = 4 << 20;

/// How many small objects are on their way at once, and how many large ones.
pub(super) const HANDS: (usize, usize) = (8, 2);

/// Lists what is to be dumped: all but the objects of other sets.
///
/// # Errors
/// The bucket cannot be listed; it holds keys that cannot be named, all of which the error names.
pub(super) fn list(store: &Store, others: &Others, context: &Context) -> Result<Inventory> {
    let mut inventory = Inventory::new()?;
    let mut wrong = Wrong::default();
    store.list(&context.cancel, &mut |name, listed| {
        if name.is_empty() && listed.size == 0 {
            // What consoles make when somebody "creates a folder": it marks the prefix itself, and holds nothing.
            context.log(Level::Debug, format!("`{}` marks the set's own place, and is left out", listed.key));
            return Ok(());
        }
        if others.hold(name) {
            return Ok(());
        }
        if is_nameable(&listed.key) {
            return inventory.add(name, listed);
        }
        wrong.add(&listed.key.into());
        Ok(())
    })?;
    wrong.into_error(
        ErrorKind::Unsupported,
        "keys of the bucket cannot be named: they have empty segments, segments `.` or `..`, or control characters",
        "rename or delete these objects: object stores' clients cannot address them",
    )?;
    Ok(inventory)
}

/// Fetches all objects of the inventory.
pub(super) fn dump(store: &Store, inventory: &Inventory, context: &Context, into: &dyn Writer) -> Result<()> {
    let done = AtomicU64::new(0);
    let report = |count: usize| {
        let done = done.fetch_add(count as u64, Ordering::Relaxed) + count as u64;
        context.progress(done, Some(inventory.bytes), Unit::Bytes);
    };
    let sized = |small: bool| inventory.items().filter(move |item| item.as_ref().map_or(true, |item| (item.size <= SMALL as u64) == small));
    let one = |cancel: &Cancel, writer: &mut Box<dyn Writer>, item: Item| {
        Fetch { store, context, cancel, report: &report }.run(&item, &mut **writer)
    };
    share(&context.cancel, HANDS.0, sized(true), || into.another(), one)?;
    share(&context.cancel, HANDS.1, sized(false), || into.another(), one)
}

/// What it takes to fetch one object.
struct Fetch<'a> {
    store: &'a Store,
    context: &'a Context,
    cancel: &'a Cancel,
    report: &'a (dyn Fn(usize) + Sync),
}

/// An object of which so much is in memory.
struct Begun {
    fetched: Fetched,
    start: Vec<u8>,
    /// Whether there may be more.
    more: bool,
}

impl Fetch<'_> {
    fn run(&self, item: &Item, into: &mut dyn Writer) -> Result<()> {
        let mut begun = self.begin(&item.name, item.e_tag.as_deref());
        let replaced = matches!(begun, Err(Missed::Replaced));
        if replaced {
            begun = self.begin(&item.name, None);
        }
        match begun {
            Ok(begun) => {
                let modified = if replaced { modified(&begun.fetched) } else { Some(item.modified) };
                if replaced {
                    self.tell_changed(&item.name, &begun.fetched);
                }
                self.write(&item.name, modified, begun, into)
            }
            Err(Missed::Gone) => {
                self.context.finding(FindingKind::Vanished, &item.name, "it was deleted after it was listed, and is not in the archive");
                Ok(())
            }
            Err(Missed::Replaced) => Err(self.restless(&item.name)),
            Err(Missed::Failed(error)) => Err(error),
        }
    }

    fn begin(&self, name: &str, e_tag: Option<&str>) -> Result<Begun, Missed> {
        let mut fetched = self.store.fetch(self.cancel, name, e_tag)?;
        let mut start = Vec::with_capacity(usize::try_from(fetched.meta.size).unwrap_or(SMALL).min(SMALL));
        while start.len() < SMALL {
            match self.store.next(self.cancel, &mut fetched)? {
                Some(bytes) => start.extend_from_slice(&bytes),
                None => return Ok(Begun { fetched, start, more: false }),
            }
        }
        Ok(Begun { fetched, start, more: true })
    }

    fn write(&self, name: &str, modified: Option<Timestamp>, mut begun: Begun, into: &mut dyn Writer) -> Result<()> {
        let mut entry = Entry::new(name);
        entry.modified = modified;
        entry.attributes = attributes::of_object(&begun.fetched.attributes);
        let size = begun.fetched.meta.size;
        let mut into = into.create(entry)?;
        into.write(&begun.start)?;
        (self.report)(begun.start.len());
        let mut written = begun.start.len() as u64;
        drop(std::mem::take(&mut begun.start));
        while begun.more {
            match self.store.next(self.cancel, &mut begun.fetched) {
                Ok(Some(bytes)) => {
                    into.write(&bytes)?;
                    written += bytes.len() as u64;
                    (self.report)(bytes.len());
                }
                Ok(None) => begun.more = false,
                Err(Missed::Gone | Missed::Replaced) => return Err(self.restless(name)),
                Err(Missed::Failed(error)) => return Err(error),
            }
        }
        if written != size {
            return Err(Error::corrupt(format!("`{name}` has {size} bytes, and {written} came")).retryable());
        }
        into.finish()
    }

    fn tell_changed(&self, name: &str, fetched: &Fetched) {
        let when = modified(fetched).map_or_else(String::new, |at| format!(" of {at}"));
        self.context.finding(
            FindingKind::Changed,
            name,
            format!("it was overwritten after it was listed; the archive holds the version{when}, {} bytes", fetched.meta.size),
        );
    }

    fn restless(&self, name: &str) -> Error {
        Error::new(ErrorKind::Unavailable, format!("`{name}` was overwritten or deleted again while it was fetched"))
            .hint("dump again; if that happens often, stop the application for the dump")
            .retryable()
    }
}

fn modified(fetched: &Fetched) -> Option<Timestamp> {
    Timestamp::from_second(fetched.meta.last_modified.timestamp()).ok()
}
