//! Links in a dump: when their values are read, what the check says, and which are not checked.

use super::fake::{Place, link, tree};
use crate::archive::manifest::LinkCheck;
use crate::drivers::FindingKind;
use crate::engine::event::{Event, RunOutcome};
use crate::engine::{Link, Tree};
use crate::error::{Error, ErrorKind};

fn shop(place: &Place, values: &[&'static str]) -> Tree {
    let media = place.fake("media").entries(&[("a.jpg", "a"), ("b.jpg", "b"), ("orphan.jpg", "o")]);
    Tree { links: vec![link("database", "media")], ..tree(vec![place.fake("database").values(values).set(), media.set()]) }
}

#[test]
fn values_are_read_while_their_set_dumps_and_compared_with_what_was_copied() {
    let place = Place::new();
    let report = place.dump(&mut shop(&place, &["a.jpg", "b.jpg", ""]));
    assert_eq!((report.outcome, report.findings), (RunOutcome::Ok, 0));
    assert_eq!(place.asked()[1..4], ["media before_dump", "database link_values", "database dump"]);
    let manifest = place.manifest();
    assert_eq!(manifest.links[0].column, "photo.image");
    assert_eq!(manifest.links[0].check, LinkCheck { checked: 2, dangling: 0, dangling_names: vec![], orphaned: 1 });
    let values: Vec<_> = place.reader().values(&manifest.links[0], &place.cancel).unwrap().map(Result::unwrap).collect();
    assert_eq!(values, ["a.jpg", "b.jpg"]);
}

#[test]
fn every_name_that_dangles_is_a_finding_and_the_archive_stays() {
    let place = Place::new();
    let report = place.dump(&mut shop(&place, &["a.jpg", "gone.jpg", "with\nnewline \"and quotes\""]));
    assert_eq!((report.outcome, report.exit_code, report.findings), (RunOutcome::Findings, 3, 2));
    let findings = place.manifest().findings;
    assert_eq!(findings.iter().map(|f| f.name.as_str()).collect::<Vec<_>>(), ["gone.jpg", "with\nnewline \"and quotes\""]);
    assert_eq!((findings[0].set.as_str(), findings[0].kind), ("database", FindingKind::Dangling));
    assert_eq!(findings[0].message, "`photo.image` names it, and `media` has no such entry");
    assert!(place.events().iter().any(|event| matches!(event, Event::Link { link } if link.check.dangling == 2)));
}

#[test]
fn prefixes_are_part_of_the_archive_so_that_it_can_be_checked_alone() {
    let place = Place::new();
    let mut tree = shop(&place, &["/media/a.jpg", "/media/b.jpg", "/media/orphan.jpg"]);
    tree.links[0] = Link { strip_prefix: "/media/".into(), ..tree.links[0].clone() };
    assert_eq!(place.dump(&mut tree).outcome, RunOutcome::Ok);
    assert_eq!(place.manifest().links[0].check.checked, 3);
    assert_eq!(place.verify().outcome, RunOutcome::Ok);
}

#[test]
fn directories_are_neither_named_nor_orphaned() {
    let place = Place::new();
    let mut tree = shop(&place, &["a.jpg", "albums"]);
    tree.sets[1] = place.fake("media").entries(&[("a.jpg", "a")]).directories(&["albums", "empty"]).set();
    place.dump(&mut tree);
    let expected = LinkCheck { checked: 2, dangling: 1, dangling_names: vec!["albums".into()], orphaned: 0 };
    assert_eq!(place.manifest().links[0].check, expected);
    assert_eq!(place.verify().exit_code, 3, "verification counts the same");
}

#[test]
fn two_links_to_one_set_are_checked_each_for_itself() {
    let place = Place::new();
    let mut tree = shop(&place, &["a.jpg"]);
    tree.links.push(Link { prefix: "x/".into(), ..link("database", "media") });
    place.dump(&mut tree);
    let checks: Vec<_> =
        place.manifest().links.iter().map(|link| (link.values.clone(), link.check.dangling, link.check.orphaned)).collect();
    assert_eq!(checks, [("dr-host/links/0.ndjson".into(), 0, 2), ("dr-host/links/1.ndjson".into(), 1, 3)]);
}

#[test]
fn a_link_to_a_set_that_does_not_run_is_no_archive() {
    let place = Place::new();
    let mut tree = shop(&place, &["a.jpg"]);
    tree.sets.pop();
    let report = place.dump(&mut tree);
    assert_eq!((report.exit_code, report.failures.len()), (1, 1));
    assert!(report.failures[0].message.ends_with("a link names `media`, which does not run"));
}

#[test]
fn values_that_cannot_be_read_fail_the_dump() {
    let place = Place::new();
    let mut tree = shop(&place, &[]);
    tree.sets[0] = place.fake("database").failing("link_values", "no such column").set();
    let report = place.dump(&mut tree);
    assert_eq!(Place::told(&report), ["database (fake, dump): cannot read `photo.image` for the link to `media`: no such column"]);
}

#[test]
fn all_links_that_name_what_is_not_there_are_told() {
    let place = Place::new();
    let mut tree = shop(&place, &[]);
    tree.sets[0] = place.fake("database").on("link_values", |_| Err(Error::new(ErrorKind::NotFound, "no such column").hint("look"))).set();
    let mut second = tree.links[0].clone();
    second.column.column = "thumbnail".into();
    tree.links.push(second);
    let report = place.dump(&mut tree);
    assert_eq!(Place::told(&report), ["database (fake, dump): several links cannot be read"]);
    let told: Vec<&str> = report.failures[0].context.iter().map(|(_, value)| value.as_str()).collect();
    let expected =
        ["image", "thumbnail"].map(|column| format!("cannot read `photo.{column}` for the link to `media`: no such column (look)"));
    assert_eq!(told, expected);
}
