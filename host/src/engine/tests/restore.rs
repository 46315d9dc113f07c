//! Restores: their order, and what is said of each set when they do not reach their end.

use std::os::unix::fs::FileExt;
use std::sync::{Arc, Barrier};

use super::fake::{Place, group, parent, tree};
use crate::drivers::{Extra, FindingKind, RestoreOptions};
use crate::engine::Tree;
use crate::engine::event::{RunOutcome, SetState};
use crate::error::{Error, ErrorKind};

fn nested(place: &Place) -> Tree {
    let state = parent(place.fake("state").set(), vec![place.fake("state/sessions").set(), place.fake("state/keys").set()]);
    tree(vec![place.fake("database").set(), state])
}

fn dumped(make: impl Fn(&Place) -> Tree) -> Place {
    let place = Place::new();
    assert_eq!(place.dump(&mut make(&place)).outcome, RunOutcome::Ok);
    place
}

fn restore(place: &Place, tree: &mut Tree) -> crate::engine::Report {
    place.restore(tree, &RestoreOptions::default())
}

#[test]
fn a_restore_goes_through_the_tree_in_the_reverse_of_the_dumps_order() {
    let place = dumped(nested);
    let report = restore(&place, &mut nested(&place));
    assert_eq!((report.outcome, report.exit_code), (RunOutcome::Ok, 0));
    let reverse = ["state", "state/keys", "state/sessions", "database"];
    let asked = place.asked();
    assert_eq!(asked[..4], reverse.map(|set| format!("{set} before_restore")));
    assert_eq!(asked[4..8], reverse.map(|set| format!("{set} restore")));
    assert_eq!(asked[8..], ["database", "state/sessions", "state/keys", "state"].map(|set| format!("{set} after_restore ok")));
    assert_eq!(report.sets.iter().map(|set| (set.set.as_str(), set.state)).collect::<Vec<_>>(), reverse.map(|set| (set, SetState::Done)));
}

#[test]
fn children_of_a_parallel_group_restore_side_by_side() {
    let group_of = |place: &Place, hook: bool| {
        let meeting = Arc::new(Barrier::new(2));
        let child = |path| {
            let (fake, meeting) = (place.fake(path), meeting.clone());
            let meet = move |_: &_| {
                meeting.wait();
                Ok(())
            };
            if hook { fake.on("restore", meet).set() } else { fake.set() }
        };
        tree(vec![group("g", true, vec![child("g/a"), child("g/b")])])
    };
    let place = dumped(|place| group_of(place, false));
    assert_eq!(restore(&place, &mut group_of(&place, true)).outcome, RunOutcome::Ok);
}

#[test]
fn all_failed_checks_are_reported_and_nothing_is_restored() {
    let place = dumped(nested);
    let mut tree = nested(&place);
    tree.sets[0] = place.fake("database").failing("before_restore", "it is not empty").set();
    tree.sets[1].children[0] = place.fake("state/sessions").failing("before_restore", "no room").set();
    let report = restore(&place, &mut tree);
    assert_eq!((report.outcome, report.exit_code), (RunOutcome::Failed, 1));
    assert_eq!(
        Place::told(&report),
        ["state/sessions (fake, before_restore): no room", "database (fake, before_restore): it is not empty"]
    );
    let asked = place.asked();
    assert!(!asked.iter().any(|asked| asked.ends_with(" restore")), "{asked:?}");
    assert_eq!(asked.iter().filter(|asked| asked.ends_with("after_restore failed")).count(), 4);
    assert!(report.sets.iter().all(|set| set.state == SetState::Untouched));
}

#[test]
fn a_failing_restore_tells_what_is_restored_half_done_and_untouched() {
    let place = dumped(nested);
    let mut tree = nested(&place);
    tree.sets[1].children[1] = place.fake("state/keys").failing("restore", "the disk is full").set();
    let report = restore(&place, &mut tree);
    assert_eq!((report.outcome, report.exit_code), (RunOutcome::Failed, 1));
    assert_eq!(
        Place::told(&report),
        [
            "state/keys (fake, restore): the disk is full",
            "the restore did not reach its end; restored: `state`; half done: `state/keys`; untouched: `state/sessions`, `database`",
        ]
    );
    let hint = report.failures[1].hint.as_deref();
    let advice = "remove the cause and restore again; a half done set is neither what it was nor what the archive holds";
    assert_eq!(hint, Some(advice));
    let states = [SetState::Done, SetState::HalfDone, SetState::Untouched, SetState::Untouched];
    assert_eq!(report.sets.iter().map(|set| set.state).collect::<Vec<_>>(), states);
}

#[test]
fn a_restore_says_what_a_driver_says_that_was_not_asked_to_stop() {
    let place = dumped(|place| tree(vec![place.fake("a").set()]));
    let mut cancelling = tree(vec![place.fake("a").on("restore", |_| Err(Error::cancelled().hint("ask nobody"))).set()]);
    let report = restore(&place, &mut cancelling);
    assert_eq!(Place::told(&report), ["a (fake, restore): cancelled", "the restore did not reach its end; half done: `a`"]);
    assert_eq!(report.failures[0].hint.as_deref(), Some("ask nobody"));
}

#[test]
fn a_set_whose_driver_left_its_target_as_it_was_is_untouched() {
    let place = dumped(nested);
    let mut tree = nested(&place);
    tree.sets[0] = place.fake("database").on("restore", |_| Err(Error::new(ErrorKind::Corrupt, "no database").untouched())).set();
    let report = restore(&place, &mut tree);
    assert_eq!(report.sets[3].state, SetState::Untouched);
    let hint = report.failures[1].hint.as_deref();
    assert_eq!(hint, Some("restore from another copy of the archive: `dr-host verify` lists all the damage of this one"));
    assert!(report.failures[1].message.ends_with("restored: `state`, `state/keys`, `state/sessions`; untouched: `database`"));
}

#[test]
fn an_interrupted_restore_tells_the_same() {
    let place = dumped(nested);
    let mut tree = nested(&place);
    let cancel = place.cancel.clone();
    let interrupting = place.fake("state/keys").on("restore", move |context| {
        cancel.cancel_by_signal(15);
        context.check()
    });
    tree.sets[1].children[1] = interrupting.set();
    let report = restore(&place, &mut tree);
    assert_eq!((report.outcome, report.exit_code), (RunOutcome::Interrupted, 143));
    assert_eq!(report.failures.len(), 1);
    assert!(report.failures[0].message.contains("half done: `state/keys`; untouched: `state/sessions`, `database`"));
    assert_eq!(place.asked().iter().filter(|asked| asked.ends_with("after_restore cancelled")).count(), 4);
}

#[test]
fn a_panic_is_a_failure_with_set_driver_and_moment() {
    let place = dumped(nested);
    let mut tree = nested(&place);
    tree.sets[0] = place.fake("database").panicking("restore").set();
    let report = restore(&place, &mut tree);
    assert_eq!(Place::told(&report)[0], "database (fake, restore): the driver panicked: out of wits");
    assert_eq!(report.sets[3].state, SetState::HalfDone);
    assert!(place.asked().contains(&"database after_restore trapped".into()));
}

#[test]
fn an_after_restore_that_fails_is_a_finding() {
    let place = dumped(nested);
    let mut tree = nested(&place);
    tree.sets[0] = place.fake("database").failing("after_restore", "cannot unlock").set();
    let report = restore(&place, &mut tree);
    assert_eq!((report.outcome, report.exit_code, report.findings), (RunOutcome::Findings, 3, 1));
    let found = |event: &_| matches!(event, crate::engine::Event::Finding { finding } if finding.kind == FindingKind::AfterFailed);
    assert!(place.events().iter().any(found));
}

#[test]
fn a_set_that_the_archive_lacks_is_named_before_anything_is_asked() {
    let place = dumped(nested);
    let mut tree = nested(&place);
    tree.sets.push(place.fake("media").set());
    let report = restore(&place, &mut tree);
    assert_eq!(Place::told(&report), ["media (fake, before_restore): the archive has no such set"]);
    assert!(place.asked().is_empty());
}

#[test]
fn what_would_throw_something_away_for_a_damaged_archive_is_not_begun() {
    let content = "some content that the directory knows nothing of";
    let place = Place::new();
    let make = || tree(vec![place.fake("media").entries(&[("a.jpg", content)]).set()]);
    place.dump(&mut make());
    let bytes = std::fs::read(place.archive()).unwrap();
    let at = bytes.windows(7).position(|window| window == b"content").expect("so short a text is stored as it is");
    std::fs::OpenOptions::new().write(true).open(place.archive()).unwrap().write_all_at(b"CONTENT", at as u64).unwrap();
    for options in [
        RestoreOptions { recreate: true, ..RestoreOptions::default() },
        RestoreOptions { truncate: true, ..RestoreOptions::default() },
        RestoreOptions { extra: Some(Extra::Delete), ..RestoreOptions::default() },
    ] {
        let report = place.restore(&mut make(), &options);
        assert_eq!(report.exit_code, 1);
        assert!(place.asked().is_empty(), "{:?}", place.asked());
        assert_eq!(report.sets[0].state, SetState::Untouched);
    }
    let report = restore(&place, &mut make());
    assert_eq!((report.exit_code, report.sets[0].state), (1, SetState::HalfDone), "what destroys nothing finds it on the way");
}
