//! What a component does with the archive: names, chunks, handles, entries that have no end. A mistake is a typed error, never a
//! corrupt archive.

use dr_host_tests::component::{Guest, Text, attempt};

use super::Place;

/// What the driver is told when it makes an entry of this name, which it then passes on.
fn refused(name: impl AsRef<[u8]>) -> String {
    let mut guest = Guest::new();
    let (name, content) = (guest.text(name), guest.text("x"));
    let body = format!("(drop (call $entry (local.get $into) {name} {content})) (global.get $ret)");
    let place = Place::new(&guest.body("dump", &body), "");
    let ended = place.dump().expect(1);
    assert!(!place.has_archive());
    ended.stderr
}

#[test]
fn names_that_leave_their_set_are_refused() {
    for name in ["..", "../media/a", "a/../../b", "a/..", "./a"] {
        assert!(refused(name).contains("has a segment `.` or `..`"), "{name}");
    }
    assert!(refused("/etc/passwd").contains("is absolute"));
    assert!(refused("").contains("is empty"));
    assert!(refused("a\0b").contains("holds a NUL"));
    assert!(refused("a\\..\\b").contains("holds a backslash"));
    let long = refused("x".repeat(64 << 10));
    assert!(long.contains("has 65536 bytes; 16384 are the most") && long.len() < 2000, "{long}");
}

#[test]
fn a_name_like_another_sets_stays_in_its_own() {
    let mut guest = Guest::new();
    let (name, content) = (guest.text("other/greeting.txt"), guest.text("mine"));
    let body = attempt(&format!("(drop (call $entry (local.get $into) {name} {content}))")) + "(call $ok_outcome)";
    let place =
        Place::new(&guest.body("dump", &body), "\n[[set]]\nname = \"other\"\ndriver = \"component\"\ncomponent = \"driver.wasm\"\n");
    place.dump().expect(0);
    place.host.run(["verify", "out.zip"]).expect(0);
    place.restore().expect(0);
}

/// Dumps with this body, which must fail with this message.
#[track_caller]
fn fails_with(guest: Guest, body: &str, words: &str) {
    let place = Place::new(&guest.body("dump", body), "");
    let ended = place.dump().expect(1);
    assert!(ended.stderr.contains(words), "{ended}");
    assert!(!place.has_archive(), "{ended}");
}

fn guest() -> (Guest, Text, Text, Text) {
    let mut guest = Guest::new();
    let (one, other, content) = (guest.text("one"), guest.text("other"), guest.text("content"));
    (guest, one, other, content)
}

#[test]
fn two_entries_cannot_be_open_in_one_writer() {
    let (guest, one, other, _) = guest();
    let open = |name: Text| attempt(&format!("(local.set $h (call $create (local.get $into) {name}))"));
    fails_with(
        guest,
        &format!("{} {} (call $ok_outcome)", open(one), open(other)),
        "this writer has an entry open; finish it before the next",
    );
}

#[test]
fn an_entry_without_an_end_fails_the_set() {
    let (guest, one, _, content) = guest();
    let begin = format!("(local.set $h (call $create (local.get $into) {one})) (call $write (local.get $h) {content})");
    let words = "the driver left entries unfinished: only `finish` makes one part of the archive";
    fails_with(guest.clone(), &format!("{begin} (call $ok_outcome)"), words);
    fails_with(guest, &format!("{begin} (call $drop_entry_writer (local.get $h)) (call $ok_outcome)"), words);
}

#[test]
fn the_same_name_twice_is_refused() {
    let (guest, one, _, content) = guest();
    let entry = attempt(&format!("(drop (call $entry (local.get $into) {one} {content}))"));
    fails_with(guest, &format!("{entry} {entry} (call $ok_outcome)"), "the set has an entry `one` already");
}

#[test]
fn nothing_is_written_after_the_finish() {
    let (guest, one, _, content) = guest();
    let body = format!(
        "(local.set $h (call $create (local.get $into) {one})) (call $finish (local.get $h)) {} (call $ok_outcome)",
        attempt(&format!("(call $write (local.get $h) {content})"))
    );
    fails_with(guest, &body, "what this handle stood for is finished or failed already");
}

#[test]
fn a_chunk_of_a_mebibyte_is_taken_and_a_larger_one_refused() {
    let (guest, one, _, _) = guest();
    let body = |bytes: usize| {
        format!(
            "(drop (memory.grow (i32.const 32))) (local.set $h (call $create (local.get $into) {one}))
             {} {} (call $ok_outcome)",
            attempt(&format!("(call $write (local.get $h) (i32.const 65536) (i32.const {bytes}))")),
            attempt("(call $finish (local.get $h))")
        )
    };
    let place = Place::new(&guest.clone().body("dump", &body(1 << 20)), "");
    place.dump().expect(0);
    place.restore().expect(0);
    fails_with(guest, &body((1 << 20) + 1), "a chunk holds at most 1048576 bytes; this one has 1048577");
}

#[test]
fn a_handle_is_of_no_use_after_its_call() {
    let (guest, one, other, content) = guest();
    let entry = attempt(&format!("(drop (call $entry (local.get $into) {other} {content}))"));
    let keep = format!("{entry} (global.set $kept (local.get $into)) (call $ok_outcome)");
    let late = format!("(drop (call $create (global.get $kept) {one})) (global.get $ret)");
    let place = Place::new(&guest.body("dump", &keep).body("after-dump", &late), "");
    let ended = place.dump().expect(3);
    assert!(ended.stderr.contains("the call for which this handle was good is over"), "{ended}");
    place.host.run(["verify", "out.zip"]).expect(0);
}

#[test]
fn an_entry_writer_is_of_no_use_after_its_moment() {
    let (guest, one, _, content) = guest();
    let keep = format!("(global.set $kept (call $create (local.get $into) {one})) (call $fail (i32.const 7) {content})");
    let late = format!("(call $write (global.get $kept) {content}) (global.get $ret)");
    let place = Place::new(&guest.body("dump", &keep).body("after-dump", &late), "");
    let ended = place.dump().expect(1);
    assert!(ended.stderr.contains("the call for which this handle was good is over"), "{ended}");
}

#[test]
fn an_entry_that_is_not_there_is_not_found() {
    let (guest, one, _, _) = guest();
    let place = Place::new(&Guest::new(), "");
    place.dump().expect(0);
    let body = format!("(drop (call $open (local.get $source) {one})) (global.get $ret)");
    guest.body("restore", &body).write(&place.path(""));
    let ended = place.restore().expect(1);
    assert!(ended.stderr.contains("the set `state` has no entry `one`"), "{ended}");
}

/// A handle that was kept from one restore's check to its restore: what cannot fail stays true, all else is a typed error.
#[test]
fn a_reader_is_of_no_use_after_its_call_but_what_it_told_stays_true() {
    let (guest, one, _, _) = guest();
    let place = Place::new(&Guest::new(), "");
    place.dump().expect(0);
    let late = format!(
        "(call $reader_totals (global.get $kept) (i32.const 3072))
         (if (i64.ne (i64.load (i32.const 3072)) (i64.const 2)) (then (unreachable)))
         (drop (call $open (global.get $kept) {one})) (global.get $ret)"
    );
    guest.body("before-restore", "(global.set $kept (local.get $source)) (call $ok)").body("restore", &late).write(&place.path(""));
    let ended = place.restore().expect(1);
    assert!(ended.stderr.contains("the call for which this handle was good is over"), "{ended}");
}

#[test]
fn readers_without_end_are_refused() {
    let mut guest = Guest::new();
    let name = guest.text("greeting.txt");
    let place = Place::new(&Guest::new(), "");
    place.dump().expect(0);
    let body = format!(
        "(loop $more (drop (call $open (local.get $source) {name})) (br_if $more (i32.eqz (i32.load8_u (global.get $ret))))) (global.get $ret)"
    );
    guest.body("restore", &body).write(&place.path(""));
    let ended = place.restore().expect(1);
    assert!(ended.stderr.contains("the driver has 64 entries and walks open; close some before the next"), "{ended}");
}

#[test]
fn a_damaged_entry_is_told_to_the_guest_as_corrupt() {
    let place = Place::new(&Guest::new(), "");
    place.dump().expect(0);
    let mut archive = std::fs::read(place.path("out.zip")).expect("an archive");
    let at = archive.windows(5).position(|bytes| bytes == b"hello").expect("stored as it is");
    archive[at] ^= 1;
    std::fs::write(place.path("out.zip"), archive).expect("it can be damaged");
    let ended = place.restore().expect(1);
    assert!(ended.stderr.contains("state (wat, restore)") && ended.stderr.contains("CRC-32"), "{ended}");
}
