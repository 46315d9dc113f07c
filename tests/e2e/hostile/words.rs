//! Components that talk too much, or say what cannot be: the log, standard output, findings, errors, notes, progress.

use dr_host_tests::component::{Guest, Text};

use super::{AT_ONCE, IDLE, IDLE_LINE, Tree};

/// Memory of the guest's full of `x`, at `$n`.
fn long(bytes: usize) -> String {
    format!(
        "(local.set $n (call $realloc (i32.const 0) (i32.const 0) (i32.const 1) (i32.const {bytes})))
         (memory.fill (local.get $n) (i32.const 120) (i32.const {bytes}))"
    )
}

/// A call, as often as told.
fn times(count: u32, call: &str) -> String {
    format!("(loop $more {call} (br_if $more (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const {count}))))")
}

fn name() -> (Guest, Text) {
    let mut guest = Guest::new();
    let name = guest.text("one");
    (guest, name)
}

#[test]
fn a_flood_of_log_lines_is_counted_and_left_out() {
    for (line, count) in [(100, 50_000), (1 << 20, 100)] {
        let flood = long(line) + &times(count, &format!("(call $log (i32.const 2) (local.get $n) (i32.const {line}))"));
        let guest = Guest::new().body("dump", &(flood + "(call $ok_outcome)"));
        let tree = Tree::new(&guest, "limit = { log = \"64KiB\", memory = \"64MiB\" }\n");
        let run = tree.dump_stands(0);
        let warning = run.log_of("state").into_iter().find(|line| line.contains("lines and findings of the driver's were left out"));
        assert!(warning.is_some_and(|line| line.ends_with("its limit is 64KiB, `limit.log`")), "{run}");
        assert!(run.printed() < 300_000, "{} bytes: {run}", run.printed());
    }
}

#[test]
fn a_flood_of_log_lines_without_an_end_is_no_progress() {
    let flood = "(loop $more (call $log (i32.const 2) (i32.const 0) (i32.const 100)) (br $more)) (unreachable)";
    let tree = Tree::new(&Guest::new().body("dump", flood), "limit = { idle = \"300ms\", log = \"64KiB\" }\n");
    let run = tree.dump_fails("dump", IDLE, "other", &["the driver showed no progress for 300ms, and was ended"]);
    assert!(run.printed() < 1 << 20, "{} bytes: {run}", run.printed());
}

/// Lines without an end and without number, to the two streams.
#[test]
fn a_flood_on_standard_output_and_standard_error_is_log_like_any_other() {
    for stream in ["stdout", "stderr"] {
        let guest = Guest::new()
            .imports(
                &format!("import wasi:cli/{stream}@0.2.0;\nimport wasi:io/streams@0.2.0;\n"),
                &format!(
                    r#"(import "wasi:cli/{stream}@0.2.0" "get-{stream}" (func $stream (result i32)))
                       (import "wasi:io/streams@0.2.0" "[method]output-stream.blocking-write-and-flush" (func $print (param i32 i32 i32 i32)))"#
                ),
            )
            .body(
                "dump",
                "(local.set $h (call $stream))
                 (loop $more (call $print (local.get $h) (i32.const 4096) (i32.const 4096) (global.get $ret)) (br $more)) (unreachable)",
            );
        let tree = Tree::new(&guest, "limit = { idle = \"300ms\", log = \"64KiB\" }\n");
        let run = tree.dump_fails("dump", IDLE, "other", &["the driver showed no progress for 300ms, and was ended"]);
        assert!(run.printed() < 1 << 20, "{} bytes: {run}", run.printed());
    }
}

#[test]
fn a_flood_of_findings_is_counted_and_left_out() {
    let finding = "(call $finding (i32.const 2) (local.get $n) (i32.const 1000) (local.get $n) (i32.const 1000000))";
    let guest = Guest::new().body("dump", &(long(1_000_000) + &times(300, finding) + "(call $ok_outcome)"));
    let run = Tree::new(&guest, "limit = { log = \"64KiB\", memory = \"64MiB\" }\n").dump_stands(3);
    run.finds("skipped", &["xxx"]);
    assert!(run.printed() < 300_000, "{} bytes: {run}", run.printed());
    assert!(run.log_of("state").iter().any(|line| line.contains("findings of the driver's were left out")), "{run}");
}

/// A guest that had its say in the log cannot hide a finding behind it.
#[test]
fn findings_count_even_after_the_log_is_full() {
    let (mut guest, one) = name();
    let why = guest.text("it was gone");
    let fill = long(100_000) + "(call $log (i32.const 2) (local.get $n) (i32.const 100000))";
    let body = format!("{fill} (call $finding (i32.const 0) {one} {why}) (call $ok_outcome)");
    Tree::new(&guest.body("dump", &body), "limit = { log = \"10KiB\" }\n").dump_stands(3);
}

#[test]
fn an_error_as_long_as_a_book_is_cut() {
    let error = |at: u32| {
        long(4_000_000)
            + &format!(
                "(drop (call $fail (i32.const 3) (local.get $n) (i32.const 4000000)))
                 (i32.store8 offset={} (i32.const 128) (i32.const 0)) (i32.const 128)",
                at
            )
    };
    let run = Tree::new(&Guest::new().body("dump", &error(40)), IDLE_LINE).dump_fails("dump", AT_ONCE, "not-found", &["xxx"]);
    assert!(run.printed() < 100_000, "{} bytes", run.printed());
}

#[test]
fn more_than_a_call_may_carry_is_a_trap() {
    let body = long(9_000_000) + "(call $fail (i32.const 3) (local.get $n) (i32.const 9000000))";
    Tree::new(&Guest::new().body("dump", &body), IDLE_LINE).dump_fails("dump", AT_ONCE, "other", &["the driver's component trapped: "]);
}

/// The manifest is small, whatever a driver wants to have remembered.
#[test]
fn notes_as_long_as_a_book_are_cut() {
    let body = long(4_000_000)
        + "(drop (call $ok_outcome))
           (i32.store (i32.const 512) (local.get $n)) (i32.store (i32.const 516) (i32.const 10))
           (i32.store (i32.const 520) (local.get $n)) (i32.store (i32.const 524) (i32.const 4000000))
           (i32.store (i32.const 140) (i32.const 512)) (i32.store (i32.const 144) (i32.const 1))
           (i32.const 128)";
    let tree = Tree::new(&Guest::new().body("dump", &body), IDLE_LINE);
    let run = tree.dump_stands(0);
    let listed = tree.host.run(["list", "--json", "out.zip"]).expect(0);
    assert!(run.printed() + listed.stdout.len() < 50_000 && listed.stdout.contains("xxx"), "{run}");
}

#[test]
fn a_format_that_the_driver_does_not_have_is_refused() {
    let mut guest = Guest::new();
    let format = guest.text("wat/2");
    let body = format!("(call $outcome {format})");
    let words = ["the driver wrote the format `wat/2`, which it does not restore"];
    Tree::new(&guest.body("dump", &body), IDLE_LINE).dump_fails("dump", AT_ONCE, "other", &words);
}

#[test]
fn a_point_in_time_that_cannot_be_is_refused() {
    let body = "(drop (call $ok_point)) (i64.store (i32.const 144) (i64.const 9223372036854775807)) (i32.const 128)";
    let tree = Tree::new(&Guest::new().body("before-dump", body), IDLE_LINE);
    tree.dump_fails("before_dump", AT_ONCE, "other", &["the driver gives a time of 9223372036854775807 s and 0 ns since 1970"]);
}

/// Numbers that cannot be, in events and in text.
#[test]
fn progress_that_cannot_be_harms_nobody() {
    let report = |done: &str, is_known: u8, total: &str, unit: u8| {
        format!("(call $report (i64.const {done}) (i32.const {is_known}) (i64.const {total}) (i32.const {unit}))")
    };
    let all =
        [report("-1", 1, "0", 0), report("-1", 1, "1", 1), report("0", 1, "-1", 0), report("9223372036854775808", 0, "0", 1)].concat();
    // Long enough for the host to say it twice.
    let body = format!("{all} (call $sleep (i64.const 600000000)) (call $ok_outcome)");
    let tree = Tree::new(&Guest::new().sleeping().body("dump", &body), "limit = { idle = \"20s\" }\n");
    tree.dump_stands(0);
    std::fs::remove_file(tree.path("out.zip")).expect("the archive is there");
    let ended = tree.host.run(["dump", "-v", "out.zip"]).expect(0);
    assert!(!ended.stderr.contains("panicked"), "{ended}");
}

/// What would steer a terminal, or forge a line of the host's.
#[test]
fn what_a_component_says_stays_on_its_line() {
    let mut guest = Guest::new();
    let (log, error) = (guest.text("\u{1b}[2J\u{1b}]0;owned\u{7}fine\rerror: forged"), guest.text("\u{1b}[31mred\r\nerror: forged too"));
    let body = format!("(call $log (i32.const 3) {log}) (call $fail (i32.const 7) {error})");
    let tree = Tree::new(&guest.body("dump", &body), IDLE_LINE);
    tree.dump_fails("dump", AT_ONCE, "other", &["red"]);
    let ended = tree.host.run(["dump", "out.zip"]).expect(1);
    let steers = |c: char| c.is_control() && c != '\n';
    assert!(!ended.stderr.contains(steers) && !ended.stdout.contains(steers), "{ended}");
    assert!(!ended.stderr.lines().any(|line| line.starts_with("error: forged")), "{ended}");
    assert!(ended.stderr.lines().any(|line| line == "  error: forged too"), "{ended}");
}
