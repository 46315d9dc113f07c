//! The run is cancelled: the driver ends soon, and says that it was cancelled, unless it had done everything by then.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::super::MemoryArchive;
use super::super::fault::{FaultyReader, Trigger};
use super::faults::Over;
use super::{Broken, Dumped, Place, Restored, Stop, Suite, describe, expect, look, noise, overwrite, same, tidy};
use crate::cancel::Cancel;
use crate::name::EntryName;

pub(super) fn before_it_begins(suite: &Suite<'_>) -> Result<(), Stop> {
    let cancel = Cancel::new();
    cancel.cancel();
    let over = Over::new(suite)?;
    let source = suite.filled(&over.new)?;
    let dumped = suite.dump_with(source.as_ref(), &cancel, &Trigger::never())?;
    check_dump(&dumped, &over.archive)?;
    let target = suite.filled(&over.old)?;
    let restored = suite.restore_cancelled_by(target.as_ref(), &over.archive, &cancel, overwrite(), plain)?;
    Ok(check_restore(suite, &over, target.as_ref(), &restored)?)
}

fn plain(reader: Arc<dyn crate::archive::Reader>) -> FaultyReader {
    FaultyReader::new(reader, Trigger::never())
}

pub(super) fn dump_at_every_call(suite: &Suite<'_>) -> Result<(), Stop> {
    let items = suite.few();
    let source = suite.filled(&items)?;
    let whole = suite.dump(source.as_ref())?;
    suite.every_call(|at| {
        let cancel = Cancel::new();
        let trigger = Trigger::cancel(at, &cancel);
        let dumped = suite.dump_with(source.as_ref(), &cancel, &trigger)?;
        let Some((call, when)) = trigger.fired() else { return Ok(None) };
        let context = |how| format!("cancelled in `{call:?}` (call {at}): {how}");
        check_dump(&dumped, &whole).map_err(context)?;
        in_time(suite, when, dumped.ended_at).map_err(context)?;
        tidy(source.as_ref()).map_err(context)?;
        Ok(Some(call))
    })?;
    same(&items, &look(source.as_ref())?).map_err(|how| format!("dumps that were cancelled changed their source: {how}"))?;
    suite.dump(source.as_ref()).map_err(|how| format!("after dumps that were cancelled: {how}"))?;
    Ok(())
}

pub(super) fn restore_at_every_call(suite: &Suite<'_>) -> Result<(), Stop> {
    let over = Over::new(suite)?;
    Ok(suite.every_call(|at| {
        let cancel = Cancel::new();
        let trigger = Trigger::cancel(at, &cancel);
        let target = suite.filled(&over.old)?;
        let faulty = |reader| FaultyReader::new(reader, Arc::clone(&trigger));
        let restored = suite.restore_cancelled_by(target.as_ref(), &over.archive, &cancel, overwrite(), faulty)?;
        let Some((call, when)) = trigger.fired() else { return Ok(None) };
        let context = |how| format!("cancelled in `{call:?}` (call {at}): {how}");
        check_restore(suite, &over, target.as_ref(), &restored).map_err(context)?;
        in_time(suite, when, restored.ended_at).map_err(context)?;
        Ok(Some(call))
    })?)
}

/// How many moments of a run are tried.
const TIMES: u32 = 10;

/// Cancels from outside, evenly over the time that an undisturbed run takes: also where no call of the archive is near.
pub(super) fn at_any_time(suite: &Suite<'_>) -> Result<(), Stop> {
    let mut over = Over::new(suite)?;
    over.new.extend(suite.items([(&b"large"[..], noise(11, suite.options.large / 2))]));
    let source = suite.filled(&over.new)?;
    let begun = Instant::now();
    over.archive = suite.dump(source.as_ref())?;
    let takes = begun.elapsed();
    for step in 0..TIMES {
        let (cancel, when) = cancel_after(takes * step / TIMES);
        let dumped = suite.dump_with(source.as_ref(), &cancel, &Trigger::never())?;
        check_dump(&dumped, &over.archive)?;
        in_time(suite, when, dumped.ended_at).map_err(|how| format!("dump: {how}"))?;
    }
    let target = suite.place()?;
    let begun = Instant::now();
    suite.restore(target.as_ref(), &over.archive, overwrite())?;
    let takes = begun.elapsed();
    for step in 0..TIMES {
        let target = suite.filled(&over.old)?;
        let (cancel, when) = cancel_after(takes * step / TIMES);
        let restored = suite.restore_cancelled_by(target.as_ref(), &over.archive, &cancel, overwrite(), plain)?;
        check_restore(suite, &over, target.as_ref(), &restored)?;
        in_time(suite, when, restored.ended_at).map_err(|how| format!("restore: {how}"))?;
    }
    Ok(())
}

/// One that is cancelled after this time, and when that will be.
fn cancel_after(time: Duration) -> (Cancel, Instant) {
    let cancel = Cancel::new();
    let later = cancel.clone();
    std::thread::spawn(move || {
        std::thread::sleep(time);
        later.cancel();
    });
    (cancel, Instant::now() + time)
}

fn in_time(suite: &Suite<'_>, cancelled: Instant, ended: Instant) -> Result<(), Broken> {
    let took = ended.saturating_duration_since(cancelled);
    if took <= suite.options.patience {
        return Ok(());
    }
    Err(format!("it went on for {:.1} s after it was cancelled", took.as_secs_f64()))
}

fn names(archive: &MemoryArchive) -> BTreeSet<EntryName> {
    archive.entries().into_iter().map(|info| info.entry.name).collect()
}

fn check_dump(dumped: &Dumped, whole: &MemoryArchive) -> Result<(), Broken> {
    match &dumped.result {
        Err(error) if error.is_cancelled() => Ok(()),
        Err(error) => Err(format!("the dump was cancelled, and says something else: {}", describe(error))),
        Ok(_) if names(&dumped.archive) == names(whole) => Ok(()),
        Ok(_) => Err("the dump was cancelled, says that all went well, and has not written all entries".into()),
    }
}

fn check_restore(suite: &Suite<'_>, over: &Over, target: &dyn Place, restored: &Restored) -> Result<(), Broken> {
    match &restored.result {
        Err(error) if error.is_cancelled() => over.check_and_repeat(suite, target, restored),
        Err(error) => Err(format!("the restore was cancelled, and says something else: {}", describe(error))),
        Ok(()) => expect(target, &over.new).map_err(|how| format!("the restore was cancelled, says that all went well, and {how}")),
    }
}
