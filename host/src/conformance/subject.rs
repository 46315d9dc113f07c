//! What the suite must know of a driver that it cannot learn through the [`Driver`] trait: how to make something for it to
//! dump, how to see what it restored, and what it may not be able to hold.

use std::collections::BTreeMap;

use crate::drivers::{Driver, LinkColumn};
use crate::error::{Error, Result};
use crate::name::EntryName;

/// What stands in a place: items by name. A row, a file, an object, a key: whatever the driver's state is made of.
pub type Contents = BTreeMap<EntryName, Vec<u8>>;

/// A driver under test.
pub trait Subject {
    /// What the report calls it.
    fn name(&self) -> String;

    /// A new place with nothing in it, apart from all others; what it occupies is freed when it is dropped.
    ///
    /// # Errors
    /// It cannot be made.
    fn place(&self) -> Result<Box<dyn Place>>;

    /// What a restore that failed may leave behind.
    fn atomicity(&self) -> Atomicity;

    /// Whether a place can hold an item of this name and content. What it cannot hold is left out of the round trips; an
    /// archive with such a name must be refused.
    fn holds(&self, name: &EntryName, content: &[u8]) -> bool {
        let _ = (name, content);
        true
    }

    /// Why the first item that it does not hold was refused, where that is known.
    fn first_refusal(&self) -> Option<Error> {
        None
    }

    /// Whether an archive that reaches the driver may hold such a name at all: the contract of components rules some out, so that
    /// the host meets them, not the driver.
    fn can_meet(&self, name: &EntryName) -> bool {
        let _ = name;
        true
    }

    /// A column that has the names of all items, where the driver has columns for links to come from.
    fn column_of_names(&self) -> Option<LinkColumn> {
        None
    }

    /// Whether the application may write while a dump runs.
    fn changes_while_dumped(&self) -> bool {
        true
    }
}

/// Something that drivers dump from and restore to: a database, a directory, a key space.
pub trait Place {
    /// A driver for this place, newly configured, for one run.
    ///
    /// # Errors
    /// The driver refuses its configuration.
    fn driver(&self) -> Result<Box<dyn Driver>>;

    /// Adds items, and overwrites those that are there, as an application would.
    ///
    /// # Errors
    /// The place cannot be written.
    fn put(&self, items: &Contents) -> Result<()>;

    /// Removes an item.
    ///
    /// # Errors
    /// The place cannot be written.
    fn remove(&self, name: &EntryName) -> Result<()>;

    /// All that stands there, also what no `put` brought.
    ///
    /// # Errors
    /// The place cannot be read: a restore has damaged it, say.
    fn look(&self) -> Result<Contents>;

    /// What lies about that a driver should have cleaned up when its run ended, well or badly: temporary files, locks.
    ///
    /// # Errors
    /// The place cannot be read.
    fn litter(&self) -> Result<Vec<String>> {
        Ok(Vec::new())
    }
}

/// What a restore that failed may leave behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Atomicity {
    /// What stood there before, untouched: all or nothing.
    Whole,
    /// Each item as it was before, or as the archive has it, or gone where the archive lacks it; never a part of one.
    Item,
    /// Anything.
    None,
}
