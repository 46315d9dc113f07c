//! Components that fail a restore: by a trap, by reading what is not theirs or is not there, by saying that all is well.

use std::fs;

use dr_host_tests::component::{Guest, attempt};

use super::{AT_ONCE, IDLE_LINE, Tree};

#[test]
fn a_trap_in_a_restore_leaves_a_set_half_done_and_that_is_told() {
    let mut guest = Guest::new();
    let name = guest.text("greeting.txt");
    let body = format!("{} (unreachable)", attempt(&format!("(drop (call $open (local.get $source) {name}))")));
    let tree = Tree::with_archive(&guest.body("restore", &body), IDLE_LINE);
    let run = tree.restore_fails("restore", AT_ONCE, "other", &["the driver's component trapped: it reached code"]);
    run.says(None, "other", &["a half done set is neither what it was nor what the archive holds"]);
}

#[test]
fn a_trap_before_a_restore_touches_nothing() {
    let tree = Tree::with_archive(&Guest::new().body("before-restore", "(unreachable)"), IDLE_LINE);
    tree.restore_fails("before_restore", AT_ONCE, "other", &["the driver's component trapped: it reached code"]);
    assert!(!tree.path("files").exists());
}

/// As an application sees it: the text, not the events.
#[test]
fn a_person_reads_which_set_failed_in_which_moment_and_what_became_of_all() {
    let tree = Tree::with_archive(&Guest::new().body("restore", "(unreachable)"), IDLE_LINE);
    let ended = tree.host.run(["restore", "out.zip"]).expect(1);
    for line in [
        "error: state (wat, restore): the driver's component trapped: it reached code that it holds for unreachable, as after a panic",
        "hint: this is a bug of the driver: report it to its author, with the output of the same command with `-v`",
        "error: the restore did not reach its end; restored: `files`; half done: `state`; untouched: `witness`",
    ] {
        assert!(ended.stderr.lines().any(|said| said == line), "`{line}` is missing: {ended}");
    }
    assert!(ended.stderr.len() < 4000, "{ended}");
}

#[test]
fn what_is_no_entry_of_the_set_is_not_found() {
    for name in ["../files/kept", "files/kept", "../witness/greeting.txt", "/etc/passwd", "", "dr-host/manifest.json", "greeting.txt\0"] {
        let mut guest = Guest::new();
        let name = guest.text(name);
        let body = format!("(drop (call $open (local.get $source) {name})) (global.get $ret)");
        let tree = Tree::with_archive(&guest.body("restore", &body), IDLE_LINE);
        tree.restore_fails("restore", AT_ONCE, "not-found", &["the set `state` has no entry "]);
    }
}

/// Reads beyond the end, and as much as there can be at once: nothing comes but what the entry has.
#[test]
fn nothing_comes_from_beyond_the_end_of_an_entry() {
    let mut guest = Guest::new();
    let (name, wrong) = (guest.text("greeting.txt"), guest.text("more came than there is"));
    let read = attempt("(call $read (local.get $h) (i32.const -1))");
    let ends = format!("{read} (if (i32.load8_u offset=4 (global.get $ret)) (then (return (call $fail (i32.const 7) {wrong}))))");
    let five = format!(
        "{read} (if (i32.ne (i32.load offset=12 (global.get $ret)) (i32.const 5)) (then (return (call $fail (i32.const 7) {wrong}))))"
    );
    let open = attempt(&format!("(local.set $h (call $open (local.get $source) {name}))"));
    let walk = attempt("(local.set $h (call $entries (local.get $source)))");
    let next = attempt("(call $next (local.get $h) (i32.const -1))");
    let none = format!("{next} (if (i32.load offset=8 (global.get $ret)) (then (return (call $fail (i32.const 7) {wrong}))))");
    let body = format!("{open} {five} {ends} {ends} {ends} {walk} {next} {none} {none} (call $ok_outcome)");
    Tree::with_archive(&guest.body("restore", &body), IDLE_LINE).restore_ends(0);
}

#[test]
fn a_read_or_a_page_of_nothing_is_refused() {
    let mut guest = Guest::new();
    let name = guest.text("greeting.txt");
    for (body, words) in [
        (
            format!("(call $read (call $open (local.get $source) {name}) (i32.const 0)) (global.get $ret)"),
            "a read of no bytes says nothing: ask for at least one",
        ),
        (
            "(call $next (call $entries (local.get $source)) (i32.const 0)) (global.get $ret)".to_owned(),
            "a page of no entries says nothing: ask for at least one",
        ),
    ] {
        Tree::with_archive(&guest.clone().body("restore", &body), IDLE_LINE).restore_fails("restore", AT_ONCE, "other", &[words]);
    }
}

/// An error that is no damage may be passed over: an entry that another version wrote, say.
#[test]
fn an_entry_that_is_missing_may_be_passed_over() {
    let mut guest = Guest::new();
    let name = guest.text("optional");
    let body = format!("(drop (call $open (local.get $source) {name})) (call $ok_outcome)");
    Tree::with_archive(&guest.body("restore", &body), IDLE_LINE).restore_ends(0);
}

/// Reads `greeting.txt`, whatever it is told, and says that all is well.
fn deaf() -> Guest {
    let mut guest = Guest::new();
    let name = guest.text("greeting.txt");
    let body = format!(
        "(local.set $h (call $open (local.get $source) {name}))
         (if (i32.load8_u (global.get $ret)) (then (return (call $ok_outcome))))
         (loop $more
           (call $reset)
           (call $read (local.get $h) (i32.const 50000))
           (br_if $more (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 8))))
         (call $ok_outcome)"
    );
    guest.body("restore", &body)
}

/// A small entry is found damaged when it is opened, a large one when it is read.
#[test]
fn damage_that_a_component_passes_over_fails_the_restore_nevertheless() {
    let mut large = Guest::new();
    let name = large.text("greeting.txt");
    // All of the guest's memory, in which `hello` stands too.
    let entry = attempt(&format!("(drop (call $entry (local.get $into) {name} (i32.const 0) (i32.const 200000)))"));
    let large = large.body("dump", &(entry + "(call $ok_outcome)"));
    for writer in [Guest::new(), large] {
        let settings = format!("{IDLE_LINE}\n[archive]\ncompression = \"store\"\n");
        let tree = Tree::with_archive_of(&writer, &deaf(), &settings);
        tree.restore_ends(0);
        fs::remove_dir_all(tree.path("files")).expect("the files can be removed");
        let mut archive = fs::read(tree.path("out.zip")).expect("the archive is there");
        let place = |archive: &[u8], words: &[u8]| archive.windows(words.len()).position(|bytes| bytes == words).expect("it is there");
        let header = place(&archive, b"state/greeting.txt");
        let content = header + place(&archive[header..], b"hello");
        archive[content] = b'j';
        fs::write(tree.path("out.zip"), archive).expect("the archive can be written");
        tree.restore_fails("restore", AT_ONCE, "corrupt", &["`greeting.txt`"]);
    }
}
