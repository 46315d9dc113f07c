//! The archive fails: at every call, or with damage. The driver must say so, whatever else it does.

use std::sync::Arc;

use super::super::fault::{Call, FaultyReader, Trigger, is_injected};
use super::super::{Contents, MemoryArchive};
use super::{Broken, Restored, Stop, Suite, describe, expect, look, overwrite, same, tidy};
use crate::cancel::Cancel;
use crate::error::{Error, Result as DriverResult};

pub(super) fn writer_fails(suite: &Suite<'_>) -> Result<(), Stop> {
    let items = suite.few();
    let source = suite.filled(&items)?;
    suite.every_call(|at| {
        let trigger = Trigger::fail(at);
        let dumped = suite.dump_with(source.as_ref(), &Cancel::new(), &trigger)?;
        let Some((call, _)) = trigger.fired() else {
            dumped.result.map_err(|error| format!("nothing failed, and yet the dump did: {}", describe(&error)))?;
            return Ok(None);
        };
        told_of(&dumped.result, call, at)?;
        tidy(source.as_ref())?;
        suite.dump(source.as_ref()).map_err(|how| format!("repeated after `{call:?}` (call {at}) had failed: {how}"))?;
        Ok(Some(call))
    })?;
    same(&items, &look(source.as_ref())?).map_err(|how| format!("dumps that failed changed their source: {how}"))?;
    Ok(())
}

/// The driver returned the injected error, or one that says that it came from it.
fn told_of<T>(result: &DriverResult<T>, call: Call, at: u64) -> Result<(), Broken> {
    match result {
        Ok(_) => Err(format!("`{call:?}` (call {at}) failed, and the driver says that all went well")),
        Err(error) => wraps(error, call).map_err(|how| format!("`{call:?}` (call {at}) failed, and {how}")),
    }
}

fn wraps(error: &Error, call: Call) -> Result<(), Broken> {
    let kind = super::super::fault::failure(call).kind();
    if is_injected(error) || error.kind() == kind { Ok(()) } else { Err(format!("the driver says something else: {}", describe(error))) }
}

pub(super) fn reader_fails(suite: &Suite<'_>) -> Result<(), Stop> {
    let over = Over::new(suite)?;
    Ok(suite.every_call(|at| {
        let trigger = Trigger::fail(at);
        let target = suite.filled(&over.old)?;
        let faulty = |reader| FaultyReader::new(reader, Arc::clone(&trigger));
        let restored = suite.restore_cancelled_by(target.as_ref(), &over.archive, &Cancel::new(), overwrite(), faulty)?;
        let Some((call, _)) = trigger.fired() else {
            restored.result.map_err(|error| format!("nothing failed, and yet the restore did: {}", describe(&error)))?;
            expect(target.as_ref(), &over.new)?;
            return Ok(None);
        };
        told_of(&restored.result, call, at)?;
        over.check_and_repeat(suite, target.as_ref(), &restored).map_err(|how| format!("`{call:?}` (call {at}) failed: {how}"))?;
        Ok(Some(call))
    })?)
}

pub(super) fn damaged_entry(suite: &Suite<'_>) -> Result<(), Stop> {
    Ok(each_entry_spoilt(suite, Call::Read, |reader, name| reader.damaged(name))?)
}

pub(super) fn missing_entry(suite: &Suite<'_>) -> Result<(), Stop> {
    Ok(each_entry_spoilt(suite, Call::Open, |reader, name| reader.hidden(name))?)
}

/// Restores once for each entry of an archive, with this entry spoilt. An entry that the driver does not open cannot harm it.
fn each_entry_spoilt(
    suite: &Suite<'_>,
    call: Call,
    spoil: impl Fn(FaultyReader, crate::name::EntryName) -> FaultyReader,
) -> Result<(), Broken> {
    let over = Over::new(suite)?;
    for info in over.archive.entries() {
        let name = info.entry.name;
        let target = suite.filled(&over.old)?;
        let mut touched = None;
        let restored = suite.restore_with(target.as_ref(), &over.archive, overwrite(), |reader| {
            let reader = spoil(reader, name.clone());
            touched = Some(reader.touched());
            reader
        })?;
        if touched.is_none_or(|touched| touched.get().is_none()) {
            restored.result.map_err(|error| format!("`{name}` is spoilt, was not opened, and yet: {}", describe(&error)))?;
            continue;
        }
        match &restored.result {
            Ok(()) => return Err(format!("entry `{name}` is spoilt, and the driver says that all went well; did it read up to its end?")),
            Err(error) => wraps(error, call).map_err(|how| format!("entry `{name}` is spoilt, and {how}"))?,
        }
        over.check_and_repeat(suite, target.as_ref(), &restored).map_err(|how| format!("entry `{name}` is spoilt: {how}"))?;
    }
    Ok(())
}

/// A restore over something else: what stands there, what the archive holds.
pub(super) struct Over {
    pub(super) old: Contents,
    pub(super) new: Contents,
    pub(super) archive: MemoryArchive,
}

impl Over {
    pub(super) fn new(suite: &Suite<'_>) -> Result<Self, Broken> {
        let new = suite.few();
        let source = suite.filled(&new)?;
        let archive = suite.dump(source.as_ref())?;
        Ok(Self { old: suite.other(), new, archive })
    }

    /// Checks what a failed restore has left, and that the next one succeeds.
    pub(super) fn check_and_repeat(&self, suite: &Suite<'_>, target: &dyn super::Place, restored: &Restored) -> Result<(), Broken> {
        suite.check_left(target, restored, &self.old, &self.new)?;
        suite.restore(target, &self.archive, overwrite()).and_then(|()| expect(target, &self.new)).map_err(|how| format!("repeated, {how}"))
    }
}
