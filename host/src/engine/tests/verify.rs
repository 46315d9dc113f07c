//! Verification: what is damaged, what dangles, and a manifest that says something else than its archive.

use std::os::unix::fs::FileExt;

use super::fake::{Place, link, tree};
use crate::archive::writer::{ArchiveWriter, Options};
use crate::archive::{Entry, Manifest};
use crate::engine::Tree;
use crate::engine::event::{Event, RunOutcome};
use crate::error::ErrorKind;
use crate::store::open_target;

fn dump(place: &Place, values: &[&'static str]) {
    let media = place.fake("media").entries(&[("a.jpg", "the content of a.jpg")]);
    let sets = vec![place.fake("database").values(values).set(), media.set()];
    place.dump(&mut Tree { links: vec![link("database", "media")], ..tree(sets) });
}

#[test]
fn a_whole_archive_without_dangling_links_is_ok() {
    let place = Place::new();
    dump(&place, &["a.jpg"]);
    let report = place.verify();
    assert_eq!((report.outcome, report.exit_code), (RunOutcome::Ok, 0));
    assert_eq!(report.archive.unwrap().sha256, place.reader().manifest_sha256());
    assert!(place.events().iter().any(|event| matches!(event, Event::Link { link } if link.check.checked == 1)));
    assert!(place.asked().is_empty(), "no driver is needed");
}

#[test]
fn names_that_dangle_are_findings_again() {
    let place = Place::new();
    dump(&place, &["a.jpg", "b.jpg"]);
    let report = place.verify();
    assert_eq!((report.outcome, report.exit_code, report.findings), (RunOutcome::Findings, 3, 1));
}

#[test]
fn a_changed_byte_is_a_failure() {
    let place = Place::new();
    dump(&place, &["a.jpg", "b.jpg"]);
    let file = std::fs::OpenOptions::new().read(true).write(true).open(place.archive()).unwrap();
    let mut byte = [0];
    file.read_exact_at(&mut byte, 60).unwrap();
    file.write_all_at(&[!byte[0]], 60).unwrap();
    let report = place.verify();
    assert_eq!((report.outcome, report.exit_code), (RunOutcome::Failed, 1));
    assert!(report.failures.iter().all(|failure| failure.kind == ErrorKind::Corrupt));
}

#[test]
fn of_some_sets_only_these_and_the_links_between_them_are_verified() {
    let place = Place::new();
    dump(&place, &["a.jpg", "b.jpg"]);
    let bytes = std::fs::read(place.archive()).unwrap();
    let at = bytes.windows(7).position(|window| window == b"content").expect("so short a text is stored as it is");
    std::fs::OpenOptions::new().write(true).open(place.archive()).unwrap().write_all_at(b"CONTENT", at as u64).unwrap();
    let report = place.verify_only(|set| set == "database");
    assert_eq!((report.outcome, report.sets.len()), (RunOutcome::Ok, 1), "the damage is elsewhere, the link leads elsewhere");
    let report = place.verify_only(|set| set == "media");
    assert_eq!((report.outcome, report.failures.len()), (RunOutcome::Failed, 1));
    assert!(Place::told(&report)[0].starts_with("media (fake): `a.jpg`: "), "{:?}", Place::told(&report));
}

#[test]
fn an_interrupted_verification_says_so() {
    let place = Place::new();
    dump(&place, &["a.jpg"]);
    place.cancel.cancel_by_signal(2);
    assert_eq!(place.verify().exit_code, 130);
}

#[test]
fn a_manifest_that_hides_what_dangles_is_found_out() {
    let place = Place::new();
    dump(&place, &["a.jpg", "b.jpg"]);
    let mut lie = place.manifest();
    lie.links[0].check.dangling = 0;
    lie.links[0].check.dangling_names.clear();
    lie.findings.clear();
    rewrite(&place, &lie, &["a.jpg", "b.jpg"]);
    let report = place.verify();
    assert_eq!((report.outcome, report.exit_code), (RunOutcome::Failed, 1));
    assert_eq!(
        Place::told(&report),
        ["the manifest says of the link from `photo.image` of `database` to `media`: 2 checked, 0 dangling, 0 orphaned; \
          its values and the index say: 2 checked, 1 dangling, 0 orphaned"]
    );
}

/// Writes the archive of [`dump`] anew, every hash right, with this manifest.
fn rewrite(place: &Place, manifest: &Manifest, values: &[&str]) {
    let upload = open_target(place.archive().to_str().unwrap(), true).unwrap().begin().unwrap();
    let archive = ArchiveWriter::create(upload, &Options::default(), &place.cancel).unwrap();
    let mut manifest = manifest.clone();
    for (record, (name, content)) in manifest.sets.iter_mut().zip([("database", "database"), ("a.jpg", "the content of a.jpg")]) {
        let set = archive.set(&record.path, &record.prefix, &place.cancel).unwrap();
        let mut entry = set.writer().unwrap().create(Entry::new(name)).unwrap();
        entry.write(content.as_bytes()).unwrap();
        entry.finish().unwrap();
        drop(entry);
        let closed = set.close().unwrap();
        record.index_sha256 = archive.append_index(&closed).unwrap().sha256;
    }
    let mut spool = crate::archive::spool::Spool::new().unwrap();
    values.iter().for_each(|value| spool.push(format!("\"{value}\"").as_bytes()).unwrap());
    archive.append_values(0, &spool).unwrap();
    archive.finish(&manifest).unwrap();
}
