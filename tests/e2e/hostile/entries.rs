//! Entries that have no end, or too many, or end too late: never a corrupt archive.

use std::time::Duration;

use dr_host_tests::component::{Guest, Text, attempt};

use super::{AT_ONCE, DIGITS, IDLE_LINE, Tree};

fn guest() -> (Guest, Text, Text) {
    let mut guest = Guest::new();
    let (name, content) = (guest.text("one"), guest.text("content"));
    (guest, name, content)
}

fn open(name: Text) -> String {
    attempt(&format!("(local.set $h (call $create (local.get $into) {name}))"))
}

const UNFINISHED: &str = "the driver left entries unfinished: only `finish` makes one part of the archive";

#[test]
fn a_trap_half_way_through_an_entry_leaves_nothing() {
    let (guest, name, _) = guest();
    let body = format!(
        "{} (loop $more {} (br_if $more (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 100)))) (unreachable)",
        open(name),
        attempt("(call $write (local.get $h) (i32.const 0) (i32.const 65536))")
    );
    let words = [
        "the driver's component trapped: it reached code that it holds for unreachable, as after a panic",
        "this is a bug of the driver: report it to its author, with the output of the same command with `-v`",
    ];
    Tree::new(&guest.body("dump", &body), IDLE_LINE).dump_fails("dump", AT_ONCE, "other", &words);
}

#[test]
fn an_entry_left_open_or_dropped_fails_the_set() {
    let (guest, name, content) = guest();
    let begun = format!("{} (call $write (local.get $h) {content})", open(name));
    let tree = Tree::empty(IDLE_LINE);
    for end in ["", "(call $drop_entry_writer (local.get $h))"] {
        tree.put(&guest.clone().body("dump", &format!("{begun} {end} (call $ok_outcome)")).build());
        tree.dump_fails("dump", AT_ONCE, "other", &[UNFINISHED, "one"]);
    }
}

#[test]
fn an_entry_without_an_end_ends_at_the_limit_of_bytes() {
    let (guest, name, _) = guest();
    let told = attempt("(call $write (local.get $h) (i32.const 0) (i32.const 65536))");
    let deaf = "(call $write (local.get $h) (i32.const 0) (i32.const 65536))";
    let tree = Tree::empty("limit = { bytes = \"4MiB\" }\n");
    for write in [told.as_str(), deaf] {
        let body = format!("{} (loop $more {write} (br $more)) (unreachable)", open(name));
        tree.put(&guest.clone().body("dump", &body).build());
        let words = ["the driver reached the limit of 4MiB written, `limit.bytes`", "raise the limit if the driver is to write so much"];
        tree.dump_fails("dump", AT_ONCE, "other", &words);
    }
}

/// Counts the first four bytes of a name up.
fn count_up(name: Text) -> String {
    format!("(i32.store {} (i32.add (i32.const 0x30303030) (call $digits (i32.rem_u (local.get $i) (i32.const 10000)))))", name.address())
}

/// Ten million entries, whatever the host says to the one above the limit.
fn ten_million(guest: &mut Guest) -> String {
    let number = guest.text("0000");
    format!(
        "(loop $more
           {}
           (drop (call $entry (local.get $into) {number} (i32.const 0) (i32.const 0)))
           (br_if $more (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 10000000))))",
        count_up(number)
    )
}

#[test]
fn ten_million_tiny_entries_end_at_the_limit_of_entries() {
    let mut guest = Guest::new().functions(DIGITS);
    let all = ten_million(&mut guest);
    let tree = Tree::empty("limit = { entries = 200 }\n");
    let words = ["the driver reached the limit of 200 entries, `limit.entries`", "raise the limit if the driver is to write so much"];
    let stops = all.replace("(br_if $more", "(if (i32.load8_u (global.get $ret)) (then (return (call $ok_outcome)))) (br_if $more");
    for body in [all, stops] {
        tree.put(&guest.clone().body("dump", &format!("{body} (call $ok_outcome)")).build());
        tree.dump_fails("dump", AT_ONCE, "other", &words);
    }
}

/// Names and attributes take room as content does.
#[test]
fn long_names_count_as_bytes_written() {
    let mut guest = Guest::new().functions(DIGITS);
    let name = guest.text(format!("0000{}", "n".repeat(16_000)));
    let body = format!(
        "(loop $more {} {} (local.set $i (i32.add (local.get $i) (i32.const 1))) (br $more)) (unreachable)",
        count_up(name),
        attempt(&format!("(drop (call $entry (local.get $into) {name} (i32.const 0) (i32.const 0)))"))
    );
    let tree = Tree::new(&guest.body("dump", &body), "limit = { bytes = \"4MiB\" }\n");
    tree.dump_fails("dump", AT_ONCE, "other", &["the driver reached the limit of 4MiB written, `limit.bytes`"]);
}

#[test]
fn values_of_a_link_without_an_end_count_as_bytes_written() {
    let (mut guest, name, _) = guest();
    let texts = guest.text(name.record().repeat(500));
    let push = attempt(&format!("(call $push (i32.load offset=60 (local.get $arguments)) {} (i32.const 500))", texts.address()));
    let guest = guest.with_columns().body("link-values", &format!("(loop $more {push} (br $more)) (unreachable)"));
    let settings = "limit = { bytes = \"1MiB\", time = \"20s\" }\n\n[[link]]\nfrom = \"state\"\ncolumn = \"photo.image\"\nto = \"files\"\n";
    let words = ["cannot read `photo.image` for the link to `files`", "the driver reached the limit of 1MiB written, `limit.bytes`"];
    Tree::new(&guest, settings).dump_fails("dump", Duration::from_secs(2), "other", &words);
}

#[test]
fn two_entries_at_once_or_the_same_twice_are_refused() {
    let (mut guest, name, content) = guest();
    let other = guest.text("other");
    let entry = attempt(&format!("(drop (call $entry (local.get $into) {name} {content}))"));
    let tree = Tree::empty(IDLE_LINE);
    for (body, words) in [
        (open(name) + &open(other), "this writer has an entry open; finish it before the next"),
        (entry.repeat(2), "the set has an entry `one` already"),
    ] {
        tree.put(&guest.clone().body("dump", &(body + "(call $ok_outcome)")).build());
        tree.dump_fails("dump", AT_ONCE, "other", &[words]);
    }
}

/// A chunk that was refused is missing from its entry: it is no whole one, even if the driver goes on as if nothing were.
#[test]
fn an_entry_of_which_a_chunk_was_refused_cannot_be_finished() {
    let (guest, name, content) = guest();
    let body = format!(
        "(drop (memory.grow (i32.const 32)))
         {} (call $write (local.get $h) {content}) (call $write (local.get $h) (i32.const 0) (i32.const 1048577)) (call $finish (local.get $h))
         (call $ok_outcome)",
        open(name)
    );
    Tree::new(&guest.body("dump", &body), IDLE_LINE).dump_fails("dump", AT_ONCE, "other", &[UNFINISHED, "one"]);
}

#[test]
fn times_and_attributes_that_cannot_be_are_refused() {
    let (mut guest, name, _) = guest();
    let (key, value) = (guest.text("k"), guest.text("v"));
    let twice = guest.text([key.record(), value.record()].concat().repeat(2));
    let create = |modified: &str, attributes: &str| {
        attempt(&format!("(call $writer_create (local.get $into) {name} {modified} {attributes} (global.get $ret))")) + "(call $ok_outcome)"
    };
    let none = "(i32.const 0) (i32.const 0)";
    let tree = Tree::empty(IDLE_LINE);
    for (body, words) in [
        (
            create("(i32.const 1) (i64.const 9223372036854775807) (i32.const 0)", none),
            "s and 0 ns since 1970; an archive holds times from -009999",
        ),
        (create("(i32.const 1) (i64.const 0) (i32.const 1000000000)", none), "a time of 0 s and 1000000000 ns since 1970"),
        (create("(i32.const 0) (i64.const 0) (i32.const 0)", &format!("{} (i32.const 2)", twice.address())), "`k`"),
    ] {
        tree.put(&guest.clone().body("dump", &body).build());
        tree.dump_fails("dump", AT_ONCE, "other", &[words]);
    }
}

#[test]
fn times_far_away_are_kept() {
    let (mut guest, _, _) = guest();
    let mut body = String::new();
    for (number, seconds) in ["-377705000000", "-1", "253402200000", "4354819200"].into_iter().enumerate() {
        let name = guest.text(number.to_string());
        let create = format!(
            "(call $writer_create (local.get $into) {name} (i32.const 1) (i64.const {seconds}) (i32.const 999999999) (i32.const 0) (i32.const 0) (global.get $ret))"
        );
        let finish = "(local.set $h (i32.load offset=4 (global.get $ret)))".to_owned() + &attempt("(call $finish (local.get $h))");
        body += &(attempt(&create) + &finish + "(call $drop_entry_writer (local.get $h))");
    }
    let tree = Tree::new(&guest.body("dump", &(body + "(call $ok_outcome)")), IDLE_LINE);
    tree.dump_stands(0);
    tree.restore_ends(0);
}
