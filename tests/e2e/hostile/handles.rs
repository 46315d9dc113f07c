//! Handles that are used after their call, after their end, or that never were: typed errors and traps, never another's entries.

use dr_host_tests::component::{Guest, attempt};

use super::{AT_ONCE, IDLE_LINE, Tree};

/// What a handle is told whose call is over.
const OVER: &str = "the call for which this handle was good is over";

#[test]
fn an_entry_writer_of_the_dump_is_of_no_use_after_it() {
    let mut guest = Guest::new();
    let (name, content) = (guest.text("one"), guest.text("content"));
    let keep = attempt(&format!("(global.set $kept (call $create (local.get $into) {name}))"));
    let late = format!("(call $write (global.get $kept) {content}) (global.get $ret)");
    // Finished, it is a fault of the moment after alone.
    let finished = format!("{keep} {} (call $ok_outcome)", attempt("(call $finish (global.get $kept))"));
    let run = Tree::new(&guest.clone().body("dump", &finished).body("after-dump", &late), IDLE_LINE).dump_stands(3);
    run.finds("after-failed", &[OVER]);
    // Left open, it has failed the set already.
    let open = format!("{keep} (call $ok_outcome)");
    let run = Tree::new(&guest.body("dump", &open).body("after-dump", &late), IDLE_LINE).dump_fails(
        "dump",
        AT_ONCE,
        "other",
        &["the driver left entries unfinished"],
    );
    run.says(Some(("state", "after_dump")), "other", &[OVER]);
}

#[test]
fn a_writer_of_the_dump_makes_nothing_after_it() {
    let mut guest = Guest::new();
    let (one, late, content) = (guest.text("one"), guest.text("late"), guest.text("content"));
    let entry = attempt(&format!("(drop (call $entry (local.get $into) {one} {content}))"));
    let guest = guest
        .body("dump", &format!("{entry} (global.set $kept (local.get $into)) (call $ok_outcome)"))
        .body("after-dump", &format!("(drop (call $create (global.get $kept) {late})) (global.get $ret)"));
    Tree::new(&guest, IDLE_LINE).dump_stands(3).finds("after-failed", &[OVER]);
}

#[test]
fn a_reader_of_the_check_gives_nothing_to_the_restore() {
    let mut guest = Guest::new();
    let name = guest.text("greeting.txt");
    let keep = "(global.set $kept (local.get $source)) (call $ok)";
    for late in ["(drop (call $entries (global.get $kept)))".to_owned(), format!("(drop (call $open (global.get $kept) {name}))")] {
        let guest = guest.clone().body("before-restore", keep).body("restore", &format!("{late} (global.get $ret)"));
        Tree::with_archive(&guest, IDLE_LINE).restore_fails("restore", AT_ONCE, "other", &[OVER]);
    }
    let keep = attempt(&format!("(global.set $kept (call $open (local.get $source) {name}))")) + "(call $ok)";
    let guest = guest.body("before-restore", &keep).body("restore", "(call $read (global.get $kept) (i32.const 10)) (global.get $ret)");
    Tree::with_archive(&guest, IDLE_LINE).restore_fails("restore", AT_ONCE, "other", &[OVER]);
}

#[test]
fn a_handle_that_never_was_is_a_trap() {
    let mut guest = Guest::new();
    let content = guest.text("content");
    let tree = Tree::empty(IDLE_LINE);
    for call in [
        format!("(call $write (i32.const 4242) {content})"),
        format!("(call $write (local.get $into) {content})"),
        "(call $finish (i32.const -1))".into(),
        "(call $drop_reader (local.get $into))".into(),
        "(call $drop_writer (local.get $into)) (call $drop_writer (local.get $into))".into(),
        format!("(call $drop_writer (local.get $into)) (drop (call $create (local.get $into) {content}))"),
    ] {
        tree.put(&guest.clone().body("dump", &format!("{call} (call $ok_outcome)")).build());
        tree.dump_fails("dump", AT_ONCE, "other", &["the driver's component trapped: ", "handle"]);
    }
}

#[test]
fn addresses_outside_of_the_memory_are_a_trap() {
    let mut guest = Guest::new();
    let (name, far) = (guest.text("one"), "(i32.const 0x7fff0000)");
    let open = attempt(&format!("(local.set $h (call $create (local.get $into) {name}))"));
    let tree = Tree::empty(IDLE_LINE);
    for call in [
        format!("(drop (call $create (local.get $into) {far} (i32.const 10)))"),
        format!("{open} (call $write (local.get $h) {far} (i32.const 65536))"),
        format!("{open} (call $entry_finish (local.get $h) {far})"),
        format!("(call $log (i32.const 2) {far} (i32.const -1))"),
        format!("(return {far})"),
        // A level that there is not.
        format!("(call $log (i32.const 77) {name})"),
    ] {
        tree.put(&guest.clone().body("dump", &format!("{call} (call $ok_outcome)")).build());
        tree.dump_fails("dump", AT_ONCE, "other", &["the driver's component trapped: "]);
    }
}
