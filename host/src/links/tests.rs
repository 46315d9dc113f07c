//! What dangles, what is orphaned, and how values are named.

use super::{Naming, Targets};
use crate::archive::manifest::{LinkCheck, MAX_DANGLING};
use crate::error::Error;
use crate::name::EntryName;

const PLAIN: Naming<'static> = Naming { strip_prefix: "", prefix: "" };

fn targets(names: &[&str]) -> Targets {
    Targets::collect(names.len() as u64, names.iter().map(|name| Ok(EntryName::from(*name)))).unwrap()
}

fn check(targets: &mut Targets, naming: Naming<'_>, values: &[&str]) -> LinkCheck {
    targets.check(naming, values.iter().map(|value| Ok((*value).to_owned()))).unwrap()
}

#[test]
fn what_no_entry_answers_to_dangles_and_what_no_value_names_is_orphaned() {
    let found = check(&mut targets(&["a.jpg", "b.jpg", "c.jpg"]), PLAIN, &["b.jpg", "gone.jpg", "a.jpg"]);
    assert_eq!(found, LinkCheck { checked: 3, dangling: 1, dangling_names: vec!["gone.jpg".into()], orphaned: 1 });
}

#[test]
fn a_second_link_to_the_same_entries_starts_anew() {
    let mut targets = targets(&["a", "b"]);
    assert_eq!(check(&mut targets, PLAIN, &["a", "b"]).orphaned, 0);
    assert_eq!(check(&mut targets, PLAIN, &["a"]).orphaned, 1);
}

#[test]
fn a_prefix_is_stripped_where_it_stands_and_the_other_put_before() {
    let naming = Naming { strip_prefix: "/media/", prefix: "uploads/" };
    assert_eq!(naming.entry("/media/x.jpg").as_deref(), Some("uploads/x.jpg"));
    assert_eq!(naming.entry("x.jpg").as_deref(), Some("uploads/x.jpg"));
    assert_eq!(naming.entry("/media//media/x.jpg").as_deref(), Some("uploads//media/x.jpg"));
}

#[test]
fn the_empty_value_names_nothing() {
    assert_eq!(check(&mut targets(&[]), PLAIN, &[""]), LinkCheck::default());
}

#[test]
fn names_are_compared_byte_for_byte() {
    let found = check(&mut targets(&["a b.jpg", "caf\u{e9}.jpg", "X.jpg"]), PLAIN, &["a%20b.jpg", "cafe\u{301}.jpg", "x.jpg", "X.jpg/"]);
    assert_eq!((found.dangling, found.orphaned), (4, 3));
}

#[test]
fn more_dangling_names_than_a_manifest_lists_are_counted() {
    let many = MAX_DANGLING + 7;
    let found = targets(&[]).check(PLAIN, (0..many).map(|n| Ok(n.to_string()))).unwrap();
    assert_eq!((found.dangling, found.dangling_names.len()), (many as u64, MAX_DANGLING));
}

#[test]
fn endless_dangling_names_do_not_fill_the_memory() {
    let long = "x".repeat(992);
    let found = targets(&[]).check(PLAIN, (10_000..15_000).map(|n| Ok(format!("{n}{long}")))).unwrap();
    assert_eq!((found.dangling, found.dangling_names.len()), (5_000, 4_206));
}

#[test]
fn a_dangling_name_that_nobody_would_read_to_its_end_is_shortened() {
    let kept = "é".repeat(1_000);
    let found = check(&mut targets(&[]), PLAIN, &[&kept, &format!("{kept}x")]);
    assert_eq!(found.dangling_names, [kept.clone(), format!("{kept}… (2001 bytes)")]);
}

#[test]
fn what_cannot_be_read_is_no_check() {
    assert!(targets(&["a"]).check(PLAIN, [Ok("a".to_owned()), Err(Error::corrupt("line 2 is damaged"))]).is_err());
    assert!(Targets::collect(0, [Err(Error::corrupt("line 1 is damaged"))]).is_err());
}
