//! Components that do not end: loops, sleeps, and calls that move nothing, in every moment.

use std::fs;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use dr_host_tests::component::{Guest, attempt};
use rustix::process::{Pid, Signal, kill_process};

use super::{FOREVER, IDLE, IDLE_LINE, Tree, Watched};
use crate::component::grants::attempts::opening_in;

/// What is told of a component that shows no progress.
const IDLE_WORDS: &[&str] = &["the driver showed no progress for 300ms, and was ended", "raise `limit.idle` if the driver needs more time"];

/// The time that `after_*` has, and what is told of one that takes longer.
const AFTER: Duration = Duration::from_secs(5);
const AFTER_WORDS: &str = "the driver showed no progress for 5s, and was ended";

/// The time that `describe` has, whatever the configuration says.
const DESCRIBE: Duration = Duration::from_secs(5);

fn looping(moment: &str) -> Guest {
    Guest::new().body(moment, FOREVER)
}

/// A guest that sleeps for an hour.
fn sleeping(moment: &str) -> Guest {
    Guest::new().sleeping().body(moment, "(call $sleep (i64.const 3600000000000)) (unreachable)")
}

#[test]
fn a_loop_or_sleep_before_the_dump_ends_in_time() {
    for guest in [looping("before-dump"), sleeping("before-dump")] {
        Tree::new(&guest, IDLE_LINE).dump_fails("before_dump", IDLE, "other", IDLE_WORDS);
    }
}

#[test]
fn a_loop_or_sleep_in_the_dump_ends_in_time() {
    for guest in [looping("dump"), sleeping("dump")] {
        Tree::new(&guest, IDLE_LINE).dump_fails("dump", IDLE, "other", IDLE_WORDS);
    }
}

#[test]
fn a_loop_or_sleep_after_the_dump_ends_in_time_and_costs_nothing_of_the_archive() {
    for guest in [looping("after-dump"), sleeping("after-dump")] {
        let run = Tree::new(&guest, IDLE_LINE).dump_stands(3);
        run.finds("after-failed", &["state", "after_dump", AFTER_WORDS]);
        assert!(run.time_of("after_dump") <= AFTER + Duration::from_secs(1), "{run}");
    }
}

#[test]
fn a_loop_or_sleep_in_the_values_of_a_link_ends_in_time() {
    let settings = format!("{IDLE_LINE}\n[[link]]\nfrom = \"state\"\ncolumn = \"photo.image\"\nto = \"files\"\n");
    for guest in [looping("link-values"), sleeping("link-values")] {
        Tree::new(&guest.with_columns(), &settings).dump_fails("dump", IDLE, "other", IDLE_WORDS);
    }
}

#[test]
fn a_loop_or_sleep_before_the_restore_ends_in_time() {
    for guest in [looping("before-restore"), sleeping("before-restore")] {
        Tree::with_archive(&guest, IDLE_LINE).restore_fails("before_restore", IDLE, "other", IDLE_WORDS);
    }
}

#[test]
fn a_loop_or_sleep_in_the_restore_ends_in_time() {
    for guest in [looping("restore"), sleeping("restore")] {
        Tree::with_archive(&guest, IDLE_LINE).restore_fails("restore", IDLE, "other", IDLE_WORDS);
    }
}

#[test]
fn a_loop_or_sleep_after_the_restore_ends_in_time_and_everything_is_restored() {
    for guest in [looping("after-restore"), sleeping("after-restore")] {
        let run = Tree::with_archive(&guest, IDLE_LINE).restore_ends(3);
        run.finds("after-failed", &["state", "after_restore", AFTER_WORDS]);
        assert!(run.time_of("after_restore") <= AFTER + Duration::from_secs(1), "{run}");
    }
}

/// Refused with these words, not much later than after the time that `describe` has.
#[track_caller]
fn describes_too_long(guest: &Guest) {
    let tree = Tree::empty("");
    let usual = tree.usual();
    tree.put(&guest.build());
    tree.refuses(usual, DESCRIBE, &["`describe`: the driver took longer than the 5s that it has, and was ended"]);
}

#[test]
fn a_loop_in_describe_ends_in_time() {
    describes_too_long(&looping("describe"));
}

#[test]
fn a_sleep_in_describe_ends_in_time() {
    describes_too_long(&sleeping("describe"));
}

#[test]
fn a_loop_at_the_start_of_a_module_ends_in_time() {
    describes_too_long(&looping("start"));
}

#[test]
fn a_component_that_never_stops_to_write_or_to_report_has_its_total_time() {
    let mut guest = Guest::new();
    let name = guest.text("a");
    let write = format!(
        "{} (loop $more {} (br $more)) (unreachable)",
        attempt(&format!("(local.set $h (call $create (local.get $into) {name}))")),
        attempt("(call $write (local.get $h) (i32.const 0) (i32.const 65536))")
    );
    let report = "(loop $more (call $progress (local.tee $l (i64.add (local.get $l) (i64.const 1)))) (br $more)) (unreachable)".to_owned();
    for body in [write, report] {
        let tree = Tree::new(&guest.clone().body("dump", &body), "limit = { time = \"500ms\" }\n");
        let words =
            ["the driver took longer than the 500ms that it has, and was ended", "raise `limit.time` if the driver needs more time"];
        tree.dump_fails("dump", Duration::from_millis(500), "other", &words);
    }
}

#[test]
fn a_component_that_reads_the_same_for_ever_has_its_total_time() {
    let again = "(loop $more (drop (call $read_all (local.get $source))) (br $more)) (unreachable)";
    let tree = Tree::with_archive(&Guest::new().body("restore", again), "limit = { time = \"500ms\" }\n");
    tree.restore_fails("restore", Duration::from_millis(500), "other", &["the driver took longer than the 500ms that it has"]);
}

/// A call that moves nothing is no progress, however often it is made.
#[test]
fn calls_that_write_nothing_are_no_progress() {
    let mut guest = Guest::new();
    let (name, bad) = (guest.text("a"), guest.text("../a"));
    let open = attempt(&format!("(local.set $h (call $create (local.get $into) {name}))"));
    let bodies = [
        format!("{open} (loop $more (call $write (local.get $h) (i32.const 0) (i32.const 0)) (br $more)) (unreachable)"),
        format!("(loop $more (drop (call $create (local.get $into) {bad})) (br $more)) (unreachable)"),
        "(loop $more (call $progress (i64.const 7)) (br $more)) (unreachable)".into(),
        "(loop $more (drop (call $cancelled)) (br $more)) (unreachable)".into(),
    ];
    let tree = Tree::empty(IDLE_LINE);
    for body in bodies {
        tree.put(&guest.clone().body("dump", &body).build());
        tree.dump_fails("dump", IDLE, "other", IDLE_WORDS);
    }
}

#[test]
fn calls_that_read_nothing_are_no_progress() {
    let mut guest = Guest::new();
    let (name, missing) = (guest.text("empty"), guest.text("missing"));
    let bodies = [
        "(local.set $h (call $entries (local.get $source)))
         (loop $more (call $reset) (call $next (local.get $h) (i32.const 1000)) (br $more)) (unreachable)"
            .to_owned(),
        format!("(loop $more (call $reset) (drop (call $open (local.get $source) {missing})) (br $more)) (unreachable)"),
        format!(
            "(local.set $h (call $open (local.get $source) {name}))
             (loop $more (call $reset) (call $read (local.get $h) (i32.const 1000)) (br $more)) (unreachable)"
        ),
        "(loop $more (call $reader_totals (local.get $source) (global.get $ret)) (br $more)) (unreachable)".into(),
    ];
    for body in bodies {
        Tree::with_archive(&guest.clone().body("restore", &body), IDLE_LINE).restore_fails("restore", IDLE, "other", IDLE_WORDS);
    }
}

#[test]
fn a_component_that_loops_in_the_dump_and_after_it_has_some_seconds_more() {
    let tree = Tree::new(&looping("dump").body("after-dump", FOREVER), "limit = { idle = \"20s\", time = \"300ms\" }\n");
    let run: Watched = tree.dump_fails("dump", IDLE, "other", &["the driver took longer than the 300ms that it has, and was ended"]);
    run.says(Some(("state", "after_dump")), "other", &["the driver took longer than the 5s that it has, and was ended"]);
    assert!(run.time_of("after_dump") <= Duration::from_secs(6), "{run}");
}

/// Nobody is at the other end of the pipe, so that whoever opens it is stuck in the system, where no epoch ends it.
#[test]
fn a_component_that_opens_a_pipe_ends_in_time() {
    for write in [false, true] {
        let (guest, settings) = (|moment| opening_in(moment, "pipe", write), format!("{PIPE}{IDLE_LINE}"));
        let tree = with_pipe(Tree::new(&guest("before-dump"), &settings));
        tree.dump_fails("before_dump", IDLE, "other", IDLE_WORDS);
        let tree = with_pipe(Tree::new(&guest("dump"), &settings));
        tree.dump_fails("dump", IDLE, "other", IDLE_WORDS);
        let tree = with_pipe(Tree::new(&guest("after-dump"), &settings));
        tree.dump_stands(3).finds("after-failed", &["state", "after_dump", AFTER_WORDS]);
        let tree = with_pipe(Tree::with_archive(&guest("restore"), &settings));
        tree.restore_fails("restore", IDLE, "other", IDLE_WORDS);
    }
}

#[test]
fn an_interrupt_ends_a_component_that_is_stuck_in_a_pipe() {
    let tree = with_pipe(Tree::new(&opening_in("dump", "pipe", false), PIPE));
    let mut running = tree.host.start(["dump", "--json", "out.zip"]);
    running.until(|event| event["event"] == "moment" && event["moment"] == "dump" && event["set"] == "state");
    thread::sleep(Duration::from_millis(100));
    let asked = Instant::now();
    kill_process(Pid::from_raw(running.id().cast_signed()).expect("a process"), Signal::INT).expect("it can be asked");
    let ended = running.wait().expect(130);
    assert!(asked.elapsed() < Duration::from_millis(1500), "it took {:?}: {ended}", asked.elapsed());
    let names = tree.path("").read_dir().expect("the directory is there").map(|item| item.expect("an item").file_name());
    let left: Vec<_> = names.filter(|name| name.to_string_lossy().contains("out.zip")).collect();
    assert!(left.is_empty(), "{left:?}: {ended}");
}

/// One end of the pipe is this test's, so that it opens at once; and a pipe has no place to read at.
#[test]
fn a_component_that_reads_from_a_pipe_ends_in_time() {
    let read = "(drop (call $open_it))
         (call $read_at (i32.load offset=4 (global.get $ret)) (i64.const 10) (i64.const 0) (global.get $ret))
         (loop $more (br_if $more (i32.eqz (i32.load8_u (global.get $ret))))) (unreachable)";
    let tree = with_pipe(Tree::new(&opening_in("dump", "pipe", false).body("dump", read), &format!("{PIPE}{IDLE_LINE}")));
    let _end = fs::File::options().read(true).write(true).open(tree.path("data/pipe")).expect("it opens for both");
    tree.dump_fails("dump", IDLE, "other", &["trapped"]);
}

/// A granted directory, in which a pipe stands.
const PIPE: &str = "grant.write = [{ path = \"data\", guest = \"/data\" }]\n";

fn with_pipe(tree: Tree) -> Tree {
    fs::create_dir_all(tree.path("data")).expect("a directory");
    let made = Command::new("mkfifo").arg(tree.path("data/pipe")).status().expect("`mkfifo` can be started");
    assert!(made.success());
    tree
}
