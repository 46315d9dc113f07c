//! Dumps in which nothing fails: the order of the moments, what runs side by side, what manifest and events say.

use std::sync::{Arc, Barrier};

use super::fake::{Place, group, parent, tree};
use crate::archive::Totals;
use crate::drivers::{FindingKind, Level};
use crate::engine::event::{Event, Moment, RunOutcome, SetState};
use crate::error::{Error, ErrorKind};
use crate::name::SetPath;

#[test]
fn every_moment_goes_over_the_whole_tree_before_the_next_children_before_their_parent() {
    let place = Place::new();
    let state = parent(place.fake("state").set(), vec![place.fake("state/sessions").set(), place.fake("state/keys").set()]);
    let report = place.dump(&mut tree(vec![place.fake("database").set(), state]));
    assert_eq!((report.outcome, report.exit_code), (RunOutcome::Ok, 0));
    assert_eq!(
        place.asked(),
        [
            "database before_dump",
            "state/sessions before_dump",
            "state/keys before_dump",
            "state before_dump",
            "database dump",
            "state/sessions dump",
            "state/keys dump",
            "state dump",
            "state after_dump ok",
            "state/keys after_dump ok",
            "state/sessions after_dump ok",
            "database after_dump ok",
        ]
    );
}

#[test]
fn the_manifest_says_what_is_in_the_archive_and_where() {
    let place = Place::new();
    let state = parent(place.fake("state").entries(&[("a", "1"), ("b", "22")]).set(), vec![place.fake("state/keys").set()]);
    let mut tree = tree(vec![state]);
    tree.left_out = vec![SetPath::parse("media").unwrap()];
    let report = place.dump(&mut tree);
    let manifest = place.manifest();
    let sets: Vec<_> = manifest.sets.iter().map(|set| (set.path.as_str(), set.prefix.as_str(), set.totals)).collect();
    let totals = |entries, bytes| Totals { entries, bytes };
    assert_eq!(sets, [("state/keys", "state/keys/", totals(1, 10)), ("state", "state/self/", totals(2, 3))]);
    assert_eq!(manifest.left_out, tree.left_out);
    assert_eq!(report.archive.unwrap().sha256, place.reader().manifest_sha256());
    let said: Vec<_> = report.sets.iter().map(|set| (set.set.as_str(), set.state, set.totals)).collect();
    assert_eq!(said, [("state/keys", SetState::Done, totals(1, 10)), ("state", SetState::Done, totals(2, 3))]);
}

#[test]
fn children_of_a_parallel_group_dump_side_by_side_and_take_their_points_in_time_in_turn() {
    let place = Place::new();
    let meeting = Arc::new(Barrier::new(3));
    let child = |path| {
        let meeting = meeting.clone();
        // Nobody passes before all three have come: one after the other, they would wait forever.
        place.fake(path).on("dump", move |_| {
            meeting.wait();
            Ok(())
        })
    };
    let below = parent(child("all/b").set(), vec![place.fake("all/b/below").set()]);
    let report =
        place.dump(&mut tree(vec![group("all", true, vec![child("all/a").set(), below, child("all/c").set()]), place.fake("last").set()]));
    assert_eq!(report.outcome, RunOutcome::Ok);
    let asked = place.asked();
    assert_eq!(asked[..5], ["all/a", "all/b/below", "all/b", "all/c", "last"].map(|set| format!("{set} before_dump")));
    let at = |what: &str| asked.iter().position(|asked| asked == what).unwrap();
    assert!(at("all/b/below dump") < at("all/b dump"), "each child's own subtree keeps its order");
    assert_eq!(at("last dump"), 9, "what comes after the group waits for all of it");
}

#[test]
fn findings_make_exit_code_3_and_stand_in_the_manifest_and_warnings_stand_there_only() {
    let place = Place::new();
    let media = place.fake("media").on("dump", |context| {
        context.warn("`x.sock` is a socket, and left out");
        context.finding(FindingKind::Vanished, "a.jpg", "it was listed, and is gone");
        Ok(())
    });
    let report = place.dump(&mut tree(vec![media.set()]));
    assert_eq!((report.outcome, report.exit_code, report.findings), (RunOutcome::Findings, 3, 1));
    let manifest = place.manifest();
    assert_eq!((manifest.findings[0].kind, manifest.findings[0].name.as_str()), (FindingKind::Vanished, "a.jpg"));
    assert_eq!(manifest.sets[0].warnings, ["`x.sock` is a socket, and left out"]);
    let warned = |event: &Event| matches!(event, Event::Log { level: Level::Warn, set: Some(set), .. } if set.as_str() == "media");
    assert!(place.events().iter().any(warned));
}

#[test]
fn warnings_without_end_are_counted_in_the_manifest() {
    let place = Place::new();
    let media = place.fake("media").on("dump", |context| {
        (0..1_500).for_each(|n| context.warn(format!("`{n}` is a socket")));
        Ok(())
    });
    place.dump(&mut tree(vec![media.set()]));
    let warnings = &place.manifest().sets[0].warnings;
    assert_eq!((warnings.len(), warnings[1_000].as_str()), (1_001, "500 more warnings"));
}

#[test]
fn an_after_dump_that_fails_leaves_the_archive_and_is_recorded_in_it() {
    let place = Place::new();
    let report = place.dump(&mut tree(vec![place.fake("a").set(), place.fake("b").failing("after_dump", "the server is gone").set()]));
    assert_eq!((report.outcome, report.exit_code), (RunOutcome::Findings, 3));
    let finding = &place.manifest().findings[0];
    assert_eq!((finding.set.as_str(), finding.kind, finding.name.as_str()), ("b", FindingKind::AfterFailed, "after_dump"));
    assert_eq!(finding.message, "the server is gone");
    assert_eq!(place.asked()[4..], ["b after_dump ok", "a after_dump ok"], "the others are released all the same");
}

/// What was left behind is named in the archive too: whoever cleans up needs the names.
#[test]
fn the_details_of_an_after_dump_that_fails_are_recorded() {
    let place = Place::new();
    let unlocking = place.fake("a").on("after_dump", |_| {
        Err(Error::new(ErrorKind::Unavailable, "cannot unlock").with("lock", "orders").with("lock", "items").hint("run UNLOCK"))
    });
    place.dump(&mut tree(vec![unlocking.set()]));
    assert_eq!(place.manifest().findings[0].message, "cannot unlock; lock: orders; lock: items (run UNLOCK)");
}

#[test]
fn an_after_dump_that_panics_leaves_the_archive_too() {
    let place = Place::new();
    let report = place.dump(&mut tree(vec![place.fake("a").set(), place.fake("b").panicking("after_dump").set()]));
    assert_eq!(report.exit_code, 3);
    let hint = "this is a bug of the driver: report it, with the output of the same command with `-v`";
    assert_eq!(place.manifest().findings[0].message, format!("the driver panicked: out of wits ({hint})"));
    assert_eq!(place.asked()[4..], ["b after_dump ok", "a after_dump ok"]);
}

#[test]
fn no_secret_of_the_configuration_reaches_an_event_or_the_manifest() {
    let place = Place::new();
    let chatty = place.fake("database").on("dump", |context| {
        context.warn("connected with hunter2");
        context.finding(FindingKind::Skipped, "hunter2", "skipped hunter2");
        Ok(())
    });
    place.dump(&mut tree(vec![chatty.set()]));
    assert_eq!(place.manifest().findings[0].message, "skipped ***");
    assert_eq!(place.manifest().sets[0].warnings, ["connected with ***"]);
    let other = Place::new();
    let failing = other.fake("database").on("before_dump", |_| {
        let error = Error::new(ErrorKind::PermissionDenied, "`hunter2` is refused").hint("is `hunter2` right?");
        Err(error.with("url", "postgres://me:hunter2@there"))
    });
    other.dump(&mut tree(vec![failing.set()]));
    let said = serde_json::to_string(&(place.events(), other.events())).unwrap();
    assert!(said.contains("***") && !said.contains("hunter2"), "{said}");
}

#[test]
fn events_tell_the_moments_the_points_in_time_and_the_sets_as_they_finish() {
    let place = Place::new();
    let report = place.dump(&mut tree(vec![place.fake("a").set()]));
    let events = place.events();
    let kinds: Vec<_> = events
        .iter()
        .map(|event| match event {
            Event::Started { sets, .. } => format!("started {}", sets[0]),
            Event::Moment { moment, driver, .. } => format!("{moment} of {driver}"),
            Event::PointInTime { point_in_time, .. } => format!("point in time: {}", point_in_time.worth),
            Event::SetFinished { summary } => format!("{} {:?}", summary.set, summary.state),
            Event::Finished { exit_code, .. } => format!("finished {exit_code}"),
            other => format!("{other:?}"),
        })
        .collect();
    let moment = |moment: Moment| format!("{moment} of fake");
    assert_eq!(
        kinds,
        [
            "started a".into(),
            moment(Moment::BeforeDump),
            "point in time: exact".into(),
            moment(Moment::Dump),
            "a Done".into(),
            moment(Moment::AfterDump),
            "finished 0".into()
        ]
    );
    assert_eq!(report.sets[0].worth, Some(crate::drivers::Worth::Exact));
}

#[test]
fn a_set_that_takes_long_says_how_far_it_is() {
    let place = Place::new();
    let slow = place.fake("a").on("dump", |context| {
        context.progress(5, Some(10), crate::drivers::Unit::Entries);
        std::thread::sleep(std::time::Duration::from_millis(700));
        Ok(())
    });
    place.dump(&mut tree(vec![slow.set()]));
    let said = |event: &Event| matches!(event, Event::Progress { done: 5, total: Some(10), .. });
    assert!(place.events().iter().any(said));
}

#[test]
fn a_tree_without_sets_makes_an_archive_without_sets() {
    let place = Place::new();
    assert_eq!(place.dump(&mut tree(vec![group("nothing", true, vec![])])).outcome, RunOutcome::Ok);
    assert!(place.manifest().sets.is_empty());
}
