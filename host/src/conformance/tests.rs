//! The suite tested: a driver that keeps the contract passes, and one that breaks it in one way fails the case that is meant
//! to find it.

mod driver;

use std::time::Duration;

use driver::{Flaw, MemorySubject};

use super::{Options, Verdict, run};

/// Smaller than usual, since the driver is.
fn options() -> Options {
    Options { many: 500, large: 4 * 1024 * 1024, ..Options::default() }
}

#[test]
fn a_driver_that_keeps_the_contract_passes() {
    let report = run(&MemorySubject::new(None), &options());
    assert!(report.passed(), "{report}");
    let left_out = report.cases.iter().filter(|case| matches!(case.verdict, Verdict::LeftOut(_))).count();
    assert_eq!(left_out, 0, "{report}");
    assert_eq!(report.cases.len(), super::cases().count());
}

/// The flaw is found by this case, and said in these words.
#[track_caller]
fn finds(flaw: Flaw, case: &str, words: &str) {
    let impatient = Options { patience: Duration::from_millis(500), hung: Duration::from_secs(5), only: Some(case.into()), ..options() };
    let report = run(&MemorySubject::new(Some(flaw)), &impatient);
    let why = report.failures().find(|(name, _)| *name == case).map(|(_, why)| why.to_owned());
    let why = why.unwrap_or_else(|| panic!("{flaw:?} was not found by `{case}`:\n{report}"));
    assert!(why.contains(words), "{flaw:?} was found in other words: {why}");
    assert!(report.to_string().contains("FAILED"), "{report}");
}

#[test]
fn finds_names_that_are_mangled() {
    finds(Flaw::StripsDots, "round trip: odd names", "is missing");
}

#[test]
fn finds_a_driver_that_takes_all_space_to_be_large() {
    finds(Flaw::AssumesRoom, "round trip: written and read in tiny pieces", "panicked");
}

#[test]
fn finds_a_driver_that_relies_on_the_order_of_entries() {
    finds(Flaw::ReliesOnOrder, "round trip: read in another order", "is missing");
}

#[test]
fn finds_a_swallowed_error_of_the_writer() {
    finds(Flaw::SwallowsFinish, "writer fails at every call", "was not finished");
}

#[test]
fn finds_a_swallowed_error_of_the_reader() {
    finds(Flaw::SwallowsRead, "reader fails at every call", "`Read`");
}

#[test]
fn finds_a_driver_that_does_not_read_up_to_the_end() {
    finds(Flaw::StopsAtSize, "entry turns out damaged at its end", "did it read up to its end?");
}

#[test]
fn finds_an_entry_that_is_skipped_since_it_is_missing() {
    finds(Flaw::SkipsMissing, "entry is listed and missing", "all went well");
}

#[test]
fn finds_a_restore_that_leaves_half_of_its_work() {
    finds(Flaw::RestoresInPlace, "reader fails at every call", "a failed restore changed the target");
}

#[test]
fn finds_a_check_that_writes() {
    finds(Flaw::ClearsInCheck, "restore ends after its check", "`before_restore` changed the target");
}

#[test]
fn finds_a_driver_that_deletes_without_being_told() {
    finds(Flaw::AlwaysOverwrites, "restore over something else, not told to", "nobody told the driver");
}

#[test]
fn finds_an_item_of_the_same_size_that_is_not_rolled_back() {
    finds(Flaw::ComparesSizes, "restore over something else, told to", "`a.txt` has other content");
}

#[test]
fn finds_a_name_that_is_found_too_late() {
    finds(Flaw::ChecksNamesLate, "restore of names that the target cannot hold", "not `before_restore`");
}

#[test]
fn finds_a_point_in_time_that_is_worth_less() {
    finds(Flaw::ReadsLate, "point in time", "the point in time is said to be exact");
}

#[test]
fn finds_a_driver_whose_cleaning_up_fails() {
    finds(Flaw::AfterFails, "writer fails at every call", "`after_dump` failed");
}

#[test]
fn finds_what_is_left_lying_about() {
    finds(Flaw::Litters, "dump cancelled at every call", "left lying about");
}

#[test]
fn finds_a_cancellation_that_is_told_as_something_else() {
    finds(Flaw::MistakesCancel, "dump cancelled at every call", "says something else");
}

#[test]
fn finds_a_driver_that_goes_on_when_it_is_cancelled() {
    finds(Flaw::GoesOn, "dump cancelled at every call", "after it was cancelled");
}

#[test]
fn finds_a_driver_that_hangs() {
    finds(Flaw::Hangs, "round trip: nothing", "did not end within 5 s");
}

#[test]
fn finds_two_entries_open_in_one_writer() {
    finds(Flaw::OpensTwo, "round trip: a few items", "while another entry of this writer is open");
}

#[test]
fn finds_an_entry_that_is_abandoned() {
    finds(Flaw::Abandons, "round trip: a few items", "was not finished");
}

#[test]
fn finds_a_writer_that_is_used_after_the_moment() {
    finds(Flaw::KeepsWriter, "round trip: a few items", "after `dump` returned");
}

#[test]
fn finds_a_link_that_goes_on_after_it_was_refused() {
    finds(Flaw::SwallowsRefusal, "link that cannot be read", "was refused, and the driver says that all went well");
}
