//! Restores to places where something stands already, or that cannot hold what comes.

use super::super::{Contents, MemoryArchive};
use super::faults::Over;
use super::round_trip::ODD_NAMES;
use super::{Broken, Stop, Suite, describe, expect, look, overwrite, same, tidy};
use crate::archive::Entry;
use crate::drivers::RestoreOptions;
use crate::name::EntryName;

/// Nobody said what is to become of what stands there: the driver refuses, or keeps it.
pub(super) fn not_told(suite: &Suite<'_>) -> Result<(), Stop> {
    let over = Over::new(suite)?;
    let target = suite.filled(&over.old)?;
    let restored = suite.restore_with(target.as_ref(), &over.archive, RestoreOptions::default(), |reader| reader)?;
    tidy(target.as_ref())?;
    let found = look(target.as_ref())?;
    if restored.result.is_err() {
        same(&over.old, &found).map_err(|how| format!("the restore was refused, and has changed its target: {how}"))?;
        return Ok(());
    }
    let mut both = over.old.clone();
    both.extend(over.new.clone());
    Ok(same(&both, &found).map_err(|how| format!("nobody told the driver what to do with what stands there, and {how}"))?)
}

/// The target becomes what the archive holds: what is newer, also of the same size, is rolled back; what is more goes.
pub(super) fn told(suite: &Suite<'_>) -> Result<(), Stop> {
    let over = Over::new(suite)?;
    let target = suite.filled(&over.old)?;
    suite.restore(target.as_ref(), &over.archive, overwrite())?;
    Ok(expect(target.as_ref(), &over.new)?)
}

pub(super) fn twice(suite: &Suite<'_>) -> Result<(), Stop> {
    let over = Over::new(suite)?;
    let target = suite.place()?;
    for _ in 0..2 {
        suite.restore(target.as_ref(), &over.archive, overwrite())?;
        expect(target.as_ref(), &over.new)?;
    }
    Ok(())
}

/// Not even a driver that writes an entry for nothing: refused with the target as it was, or restored as nothing.
pub(super) fn empty_archive(suite: &Suite<'_>) -> Result<(), Stop> {
    let archive = MemoryArchive::new();
    for (old, options) in [(Contents::new(), RestoreOptions::default()), (suite.other(), overwrite())] {
        let target = suite.filled(&old)?;
        let restored = suite.restore_with(target.as_ref(), &archive, options, |reader| reader)?;
        tidy(target.as_ref())?;
        let expected = if restored.result.is_ok() { Contents::new() } else { old };
        expect(target.as_ref(), &expected)?;
    }
    Ok(())
}

/// Names that this target cannot hold, in an archive from elsewhere: `before_restore` finds each of them.
pub(super) fn names_not_held(suite: &Suite<'_>) -> Result<(), Stop> {
    let is_unheld = |name: &EntryName, content: &[u8]| suite.subject.can_meet(name) && !suite.subject.holds(name, content);
    let unheld: Vec<_> = ODD_NAMES.iter().filter(|name| is_unheld(&EntryName::from_bytes(**name), name)).collect();
    if unheld.is_empty() {
        return Err(Stop::LeftOut("the subject holds every name".into()));
    }
    suite.tried(format!("{} of {} names", unheld.len(), ODD_NAMES.len()));
    let items = suite.few();
    let source = suite.filled(&items)?;
    for name in unheld {
        let archive = suite.dump(source.as_ref())?;
        let entry = EntryName::from_bytes(*name);
        archive.put(Entry { name: entry.clone(), ..model(&archive)? }, *name);
        let target = suite.place()?;
        let restored = suite.restore_with(target.as_ref(), &archive, RestoreOptions::default(), |reader| reader)?;
        let said = match &restored.result {
            Ok(()) => return Err(Stop::Broken(format!("`{entry}` cannot be held, and the driver says that all went well"))),
            Err(error) if !restored.refused => {
                return Err(Stop::Broken(format!(
                    "`{entry}` cannot be held; `restore` found it, not `before_restore`: {}",
                    describe(error)
                )));
            }
            Err(error) => describe(error),
        };
        // Further lines of a component's texts are indented, as all are where they are shown.
        let (name, indented) = (entry.to_string(), entry.to_string().replace('\n', "\n  "));
        if !said.contains(&name) && !said.contains(&indented) {
            return Err(Stop::Broken(format!("`{entry}` cannot be held, and the error does not name it: {said}")));
        }
        expect(target.as_ref(), &Contents::new()).map_err(|how| format!("`{entry}` cannot be held: {how}"))?;
        tidy(target.as_ref())?;
    }
    Ok(())
}

/// The entry that others are modelled on: the largest, since it has content whatever the driver's format.
fn model(archive: &MemoryArchive) -> Result<Entry, Broken> {
    let largest = archive.entries().into_iter().max_by_key(|info| info.size);
    largest.map(|info| info.entry).ok_or_else(|| "a dump of a few items has no entries".into())
}
