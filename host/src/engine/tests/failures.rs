//! Dumps that fail or are interrupted: what is reported, who is told, and that no archive is left.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Barrier};

use super::fake::{Place, group, tree};
use crate::archive::{Entry, Writer};
use crate::drivers::{Context, Description, Driver, Ended, Outcome, PointInTime, Survey};
use crate::engine::Set;
use crate::engine::event::{Event, RunOutcome, SetState};
use crate::error::{Error, ErrorKind, Result};
use crate::name::SetPath;

#[test]
fn all_failed_checks_are_reported_and_nothing_is_written() {
    let place = Place::new();
    let sets = vec![
        place.fake("a").failing("before_dump", "the disk is full").set(),
        place.fake("b").set(),
        group("g", true, vec![place.fake("g/c").panicking("before_dump").set(), place.fake("g/d").set()]),
    ];
    let report = place.dump(&mut tree(sets));
    assert_eq!((report.outcome, report.exit_code), (RunOutcome::Failed, 1));
    assert_eq!(
        Place::told(&report),
        ["a (fake, before_dump): the disk is full", "g/c (fake, before_dump): the driver panicked: out of wits"]
    );
    assert_eq!(
        place.asked()[4..],
        ["g/d after_dump failed", "g/c after_dump trapped", "b after_dump failed", "a after_dump failed"],
        "also where its before_dump failed, and no dump before"
    );
    assert!(report.sets.iter().all(|set| set.state == SetState::Untouched));
}

#[test]
fn the_first_set_that_fails_stops_the_dump() {
    let place = Place::new();
    let sets = vec![place.fake("a").set(), place.fake("b").failing("dump", "the server is gone").set(), place.fake("c").set()];
    let report = place.dump(&mut tree(sets));
    assert_eq!(Place::told(&report), ["b (fake, dump): the server is gone"]);
    assert_eq!(place.asked()[3..], ["a dump", "b dump", "c after_dump failed", "b after_dump failed", "a after_dump failed"]);
    assert_eq!(report.sets.iter().map(|set| set.state).collect::<Vec<_>>(), [SetState::Done, SetState::HalfDone, SetState::Untouched]);
}

#[test]
fn what_runs_beside_a_failing_set_is_cancelled_and_not_blamed() {
    let place = Place::new();
    let sets = vec![
        place.fake("g/patient").waiting("dump").set(),
        group(
            "g/nested",
            true,
            vec![place.fake("g/nested/bad").failing("dump", "no such table").set(), place.fake("g/nested/x").waiting("dump").set()],
        ),
    ];
    let report = place.dump(&mut tree(vec![group("g", true, sets), place.fake("never").set()]));
    assert_eq!((report.outcome, report.exit_code), (RunOutcome::Failed, 1));
    assert_eq!(Place::told(&report), ["g/nested/bad (fake, dump): no such table"]);
    assert!(!place.asked().contains(&"never dump".into()));
}

#[test]
fn what_stops_all_that_run_side_by_side_is_told_once() {
    let place = Place::new();
    let meeting = Arc::new(Barrier::new(2));
    let child = |path| {
        let meeting = meeting.clone();
        place.fake(path).on("dump", move |_| {
            meeting.wait();
            Err(Error::new(ErrorKind::Unavailable, "no space left on device"))
        })
    };
    let report = place.dump(&mut tree(vec![group("g", true, vec![child("g/a").set(), child("g/b").set()])]));
    assert_eq!(report.failures.len(), 1, "{:?}", Place::told(&report));
}

#[test]
fn a_driver_that_panics_fails_its_set_and_is_told_that_it_trapped() {
    let place = Place::new();
    let report = place.dump(&mut tree(vec![place.fake("a").panicking("dump").set(), place.fake("b").set()]));
    assert_eq!(Place::told(&report), ["a (fake, dump): the driver panicked: out of wits"]);
    assert!(report.failures[0].hint.is_some());
    assert_eq!(place.asked()[3..], ["b after_dump failed", "a after_dump trapped"]);
}

#[test]
fn an_interrupted_dump_leaves_nothing_and_releases_everything() {
    for (signal, exit_code) in [(2, 130), (15, 143)] {
        let place = Place::new();
        let cancel = place.cancel.clone();
        let interrupting = place.fake("b").on("dump", move |context| {
            cancel.cancel_by_signal(signal);
            context.check()
        });
        let report = place.dump(&mut tree(vec![place.fake("a").set(), interrupting.set(), place.fake("c").set()]));
        assert_eq!((report.outcome, report.exit_code), (RunOutcome::Interrupted, exit_code));
        assert_eq!(Place::told(&report), [""; 0]);
        assert_eq!(place.asked()[5..], ["c after_dump cancelled", "b after_dump cancelled", "a after_dump cancelled"]);
    }
}

#[test]
fn an_interruption_during_the_checks_asks_no_more_sets() {
    let place = Place::new();
    let cancel = place.cancel.clone();
    let interrupting = place.fake("a").on("before_dump", move |_| {
        cancel.cancel();
        Ok(())
    });
    let report = place.dump(&mut tree(vec![interrupting.set(), place.fake("b").set()]));
    assert_eq!((report.outcome, report.exit_code), (RunOutcome::Interrupted, 130));
    assert_eq!(place.asked(), ["a before_dump", "a after_dump cancelled"]);
}

#[test]
fn an_interruption_at_the_very_end_still_leaves_nothing() {
    let place = Place::new();
    let cancel = place.cancel.clone();
    let interrupting = place.fake("a").on("after_dump", move |_| {
        cancel.cancel();
        Ok(())
    });
    assert_eq!(place.dump(&mut tree(vec![interrupting.set()])).outcome, RunOutcome::Interrupted);
}

#[test]
fn what_fails_because_of_an_interruption_is_told_and_does_not_hide_it() {
    let place = Place::new();
    let cancel = place.cancel.clone();
    let interrupting = place.fake("a").on("dump", move |_| {
        cancel.cancel_by_signal(2);
        Err(Error::new(ErrorKind::Unavailable, "the connection was closed"))
    });
    let report = place.dump(&mut tree(vec![interrupting.set()]));
    assert_eq!((report.outcome, report.exit_code), (RunOutcome::Interrupted, 130));
    assert_eq!(Place::told(&report), ["a (fake, dump): the connection was closed"]);
}

#[test]
fn an_interruption_after_a_failure_does_not_hide_the_failure() {
    let place = Place::new();
    let cancel = place.cancel.clone();
    let failing = place.fake("a").failing("dump", "no such table").on("after_dump", move |_| {
        cancel.cancel_by_signal(2);
        Ok(())
    });
    let report = place.dump(&mut tree(vec![failing.set()]));
    assert_eq!((report.outcome, report.exit_code), (RunOutcome::Failed, 1));
}

#[test]
fn a_driver_that_says_cancelled_although_nobody_asked_fails() {
    let place = Place::new();
    let report = place.dump(&mut tree(vec![place.fake("a").on("dump", |_| Err(Error::cancelled())).set()]));
    assert_eq!((report.outcome, report.exit_code), (RunOutcome::Failed, 1));
    assert_eq!(Place::told(&report), ["a (fake, dump): cancelled"]);
    assert_eq!(place.asked()[2..], ["a after_dump failed"]);
}

/// Whoever cleans up after a request to stop is not told of it; a request that comes meanwhile is for it.
#[test]
fn an_interruption_reaches_who_cleans_up_only_if_it_comes_then() {
    let place = Place::new();
    let cancel = place.cancel.clone();
    let interrupted = place.fake("b").on("after_dump", move |context| {
        cancel.cancel_by_signal(2);
        context.check()
    });
    let report = place.dump(&mut tree(vec![place.fake("a").set(), interrupted.set()]));
    assert_eq!((report.outcome, report.exit_code), (RunOutcome::Interrupted, 130));
    assert_eq!(place.asked()[4..], ["b after_dump ok", "a after_dump ok"], "the one after it cleans up undisturbed");
}

#[test]
fn an_after_dump_that_fails_behind_a_failure_is_told_after_it() {
    let place = Place::new();
    let sets = vec![place.fake("a").failing("after_dump", "cannot unlock").set(), place.fake("b").failing("dump", "no such table").set()];
    let report = place.dump(&mut tree(sets));
    assert_eq!(Place::told(&report), ["b (fake, dump): no such table", "a (fake, after_dump): cannot unlock"]);
}

#[test]
fn a_place_that_cannot_be_written_fails_the_dump_after_the_checks() {
    let place = Place::new();
    // A directory stands where the partial archive would.
    let (archive, blocked) = (place.archive(), Arc::new(AtomicBool::new(false)));
    let partial = archive.with_file_name(".out.zip.partial");
    let block = blocked.clone();
    let blocking = place.fake("a").on("before_dump", move |_| {
        block.store(std::fs::create_dir(&partial).is_ok(), Ordering::SeqCst);
        Ok(())
    });
    let partial = archive.with_file_name(".out.zip.partial");
    let unblocking = blocking.on("after_dump", move |_| std::fs::remove_dir(&partial).map_err(|why| Error::io("cannot tidy up", &why)));
    let report = place.dump(&mut tree(vec![unblocking.set()]));
    assert!(blocked.load(Ordering::SeqCst));
    assert_eq!((report.exit_code, report.failures.len()), (1, 1));
    assert_eq!((&report.failures[0].set, report.failures[0].moment), (&None, None));
    assert!(report.failures[0].message.starts_with("cannot write the archive `"), "{}", report.failures[0].message);
    assert_eq!(place.asked(), ["a before_dump", "a after_dump failed"]);
}

#[test]
fn a_format_that_the_driver_does_not_restore_is_no_archive() {
    let place = Place::new();
    let report = place.dump(&mut tree(vec![odd(&["odd/2"], "odd/1", true)]));
    assert_eq!(Place::told(&report), ["odd (odd, dump): the driver wrote the format `odd/1`, which it does not restore"]);
}

#[test]
fn an_entry_that_is_left_open_is_no_archive() {
    let place = Place::new();
    let report = place.dump(&mut tree(vec![odd(&["odd/1"], "odd/1", false)]));
    assert_eq!((report.outcome, report.failures.len()), (RunOutcome::Failed, 1));
    assert!(place.events().iter().any(|event| matches!(event, Event::SetFinished { summary } if summary.state == SetState::HalfDone)));
}

/// A set whose driver breaks its contract.
fn odd(formats: &[&str], writes: &str, finishes: bool) -> Set {
    let formats = formats.iter().map(ToString::to_string).collect();
    let driver = Odd { formats, writes: writes.into(), finishes };
    let path = SetPath::parse("odd").unwrap();
    Set { path, parallel: false, driver: Some(Box::new(driver)), leave_out: Vec::new(), children: Vec::new() }
}

struct Odd {
    formats: Vec<String>,
    writes: String,
    finishes: bool,
}

impl Driver for Odd {
    fn describe(&self) -> Description {
        let (name, version, formats) = ("odd".into(), "1".into(), self.formats.clone());
        Description { name, version, formats, has_columns: false, has_names: false, details: Default::default() }
    }

    fn survey(&self) -> Survey {
        Survey::new("nowhere", crate::drivers::Worth::None)
    }

    fn before_dump(&mut self, _: &Context) -> Result<PointInTime> {
        Ok(PointInTime::now(crate::drivers::Worth::None))
    }

    fn dump(&mut self, _: &Context, mut into: Box<dyn Writer>) -> Result<Outcome> {
        let mut entry = into.create(Entry::new("entry"))?;
        entry.write(b"half of it")?;
        if self.finishes {
            entry.finish()?;
        }
        Ok(Outcome::new(self.writes.clone()))
    }

    fn after_dump(&mut self, _: &Context, _: &Ended) -> Result<()> {
        Ok(())
    }

    fn before_restore(&mut self, _: &Context, _: &dyn crate::archive::Reader) -> Result<()> {
        Ok(())
    }

    fn restore(&mut self, _: &Context, _: &dyn crate::archive::Reader) -> Result<Outcome> {
        Ok(Outcome::new(""))
    }

    fn after_restore(&mut self, _: &Context, _: &Ended) -> Result<()> {
        Ok(())
    }
}
