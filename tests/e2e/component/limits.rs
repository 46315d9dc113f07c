//! What ends a component against its will: its limits, its traps, the user. Each ends on time, in one message, and nothing that
//! looks like an archive remains.

use std::thread;
use std::time::{Duration, Instant};

use dr_host_tests::component::{Guest, attempt};
use dr_host_tests::host::Ended;
use rustix::process::{Pid, Signal, kill_process};

use super::Place;

const FOREVER: &str = "(loop $forever (br $forever)) (unreachable)";

/// A guest that sleeps for an hour in its dump.
fn sleeper() -> Guest {
    Guest::new().sleeping().body("dump", "(call $sleep (i64.const 3600000000000)) (call $ok_outcome)")
}

/// Dumps, which must fail within a time; and leave nothing.
#[track_caller]
fn fails(place: &Place, within: Duration) -> Ended {
    let begun = Instant::now();
    let dumped = place.dump().expect(1);
    assert!(begun.elapsed() < within, "it took {:?}: {dumped}", begun.elapsed());
    assert!(!place.has_archive(), "{dumped}");
    dumped
}

#[track_caller]
fn says(ended: &Ended, words: &[&str]) {
    words.iter().for_each(|words| assert!(ended.stderr.contains(words), "`{words}` is missing: {ended}"));
}

#[test]
fn an_endless_loop_ends_in_every_moment() {
    for (moment, time, within) in [("before-dump", "300ms", 5), ("dump", "300ms", 5), ("after-dump", "5s", 10)] {
        let place = Place::new(&Guest::new().body(moment, FOREVER), "limit = { idle = \"300ms\" }\n");
        let begun = Instant::now();
        let ended = place.dump();
        assert!(begun.elapsed() < Duration::from_secs(within), "{moment} took {:?}", begun.elapsed());
        let whose = match moment {
            "after-dump" => "state: failed afterwards `after_dump`".to_owned(),
            _ => format!("state (wat, {})", moment.replace('-', "_")),
        };
        says(&ended, &[&format!("{whose}: the driver showed no progress for {time}, and was ended")]);
        let code = if moment == "after-dump" { 3 } else { 1 };
        ended.expect(code);
    }
    let place = Place::new(&Guest::new(), "limit = { idle = \"300ms\" }\n");
    place.dump().expect(0);
    for moment in ["before-restore", "restore"] {
        Guest::new().body(moment, FOREVER).write(place.path("").as_path());
        let ended = place.restore().expect(1);
        says(&ended, &[&format!("state (wat, {})", moment.replace('-', "_")), "no progress for 300ms"]);
    }
}

#[test]
fn an_endless_sleep_ends_too() {
    let ended = fails(&Place::new(&sleeper(), "limit = { idle = \"300ms\" }\n"), Duration::from_secs(5));
    says(&ended, &["the driver showed no progress for 300ms, and was ended", "raise `limit.idle`"]);
}

#[test]
fn the_total_time_ends_even_who_makes_progress() {
    let busy = Guest::new().body(
        "dump",
        "(loop $forever (local.set $l (i64.add (local.get $l) (i64.const 1))) (call $progress (local.get $l)) (br $forever)) (unreachable)",
    );
    let ended = fails(&Place::new(&busy, "limit = { time = \"500ms\" }\n"), Duration::from_secs(5));
    says(&ended, &["the driver took longer than the 500ms that it has, and was ended", "raise `limit.time`"]);
}

#[test]
fn an_interrupt_ends_a_guest_within_a_second() {
    let guests =
        [("dump", Guest::new().body("dump", FOREVER)), ("dump", sleeper()), ("after_dump", Guest::new().body("after-dump", FOREVER))];
    for (moment, guest) in guests {
        let place = Place::new(&guest, "");
        let mut running = place.host.start(["dump", "--json", "out.zip"]);
        running.until(|event| event["event"] == "moment" && event["moment"] == moment);
        thread::sleep(Duration::from_millis(100));
        let asked = Instant::now();
        kill_process(Pid::from_raw(running.id() as i32).expect("a process"), Signal::INT).expect("it can be asked");
        let ended = running.wait().expect(130);
        assert!(asked.elapsed() < Duration::from_millis(1500), "it took {:?}: {ended}", asked.elapsed());
        assert!(!place.has_archive());
    }
}

#[test]
fn a_guest_that_listens_ends_by_itself() {
    let listening = Guest::new()
        .body("dump", "(loop $on (br_if $on (i32.eqz (call $cancelled)))) (call $fail (i32.const 6) (i32.const 0) (i32.const 0))");
    let place = Place::new(&listening, "");
    let mut running = place.host.start(["dump", "--json", "out.zip"]);
    running.until(|event| event["event"] == "moment" && event["moment"] == "dump");
    kill_process(Pid::from_raw(running.id() as i32).expect("a process"), Signal::INT).expect("it can be asked");
    running.wait().expect(130);
}

#[test]
fn memory_and_tables_end_at_their_limits() {
    let greedy = "(loop $more (br_if $more (i32.ne (memory.grow (i32.const 16)) (i32.const -1)))) (unreachable)";
    let ended = fails(&Place::new(&Guest::new().body("dump", greedy), "limit = { memory = \"16MiB\" }\n"), Duration::from_secs(5));
    says(&ended, &["the driver's component trapped after its memory reached the limit of 16MiB, `limit.memory`", "raise the limit"]);
    let table = Guest::new().functions("(table $wide 1 funcref)").body(
        "dump",
        "(loop $more (br_if $more (i32.ne (table.grow $wide (ref.null func) (i32.const 1000)) (i32.const -1)))) (unreachable)",
    );
    let ended = fails(&Place::new(&table, ""), Duration::from_secs(5));
    says(&ended, &["its tables reached the limit of 200000 elements, `limit.table_elements`"]);
    let much = Guest::new().body("start", "(if (i32.eq (memory.grow (i32.const 512)) (i32.const -1)) (then (unreachable)))");
    let ended = Place::new(&much, "limit = { memory = \"16MiB\" }\n").dump().expect(1);
    says(&ended, &["before_dump", "its memory reached the limit of 16MiB"]);
}

#[test]
fn a_trap_is_one_message_with_the_last_lines_and_a_backtrace_for_who_asks() {
    let mut guest = Guest::new();
    let (near, far) = (guest.text("about to fail"), guest.text("half way"));
    let name = guest.text("a");
    let entry = attempt(&format!("(local.set $h (call $create (local.get $into) {name}))"));
    let body = format!("(call $log (i32.const 1) {near}) (call $log (i32.const 2) {far}) {entry} (call $deep) (call $ok_outcome)");
    let guest = guest.functions("(func $deep (unreachable))").body("dump", &body);
    let place = Place::new(&guest, "");
    let ended = fails(&place, Duration::from_secs(5));
    says(
        &ended,
        &[
            "state (wat, dump)",
            "it reached code that it holds for unreachable, as after a panic",
            "about to fail",
            "half way",
            "bug of the driver",
        ],
    );
    assert!(!ended.stderr.contains("deep"), "{ended}");
    let ended = place.host.run(["dump", "-v", "out.zip"]).expect(1);
    assert!(ended.stderr.contains("deep") || ended.stdout.contains("deep"), "{ended}");
}

#[test]
fn an_exhausted_stack_is_a_trap_like_any_other() {
    let deep = Guest::new().functions("(func $down (call $down) (call $down))").body("dump", "(call $down) (call $ok_outcome)");
    says(&fails(&Place::new(&deep, ""), Duration::from_secs(5)), &["its stack is exhausted"]);
}

#[test]
fn after_a_trap_a_fresh_instance_is_told() {
    let mut guest = Guest::new();
    let (fresh, stale) = (guest.text("fresh and told so: "), guest.text("not told"));
    let guest = guest.body("dump", "(global.set $kept (i32.const 1)) (unreachable)").body(
        "after-dump",
        &format!(
            "(if (i32.and (i32.eq (local.get $ended) (i32.const 3)) (i32.eqz (global.get $kept)))
               (then (call $log (i32.const 2) {fresh}) (call $log (i32.const 2) (local.get $why) (local.get $why_len)))
               (else (call $log (i32.const 2) {stale})))
             (call $ok)"
        ),
    );
    let ended = fails(&Place::new(&guest, ""), Duration::from_secs(5));
    says(&ended, &["fresh and told so", "the driver's component trapped: it reached code"]);
}

#[test]
fn after_an_error_the_same_instance_is_told() {
    let mut guest = Guest::new();
    let (same, why) = (guest.text("the same instance"), guest.text("the shelf is empty"));
    let dump = format!("(global.set $kept (i32.const 1)) (call $fail (i32.const 3) {why})");
    let after = format!(
        "(if (i32.and (i32.eq (local.get $ended) (i32.const 1)) (global.get $kept)) (then (call $log (i32.const 2) {same}))) (call $ok)"
    );
    let place = Place::new(&guest.body("dump", &dump).body("after-dump", &after), "");
    says(&fails(&place, Duration::from_secs(5)), &["state (wat, dump): the shelf is empty", "the same instance"]);
}

#[test]
fn after_a_trap_there_are_only_seconds() {
    let guest = Guest::new().body("dump", "(unreachable)").body("after-dump", FOREVER);
    let ended = fails(&Place::new(&guest, ""), Duration::from_secs(10));
    says(&ended, &["state (wat, after_dump)", "the driver took longer than the 5s that it has"]);
}

#[test]
fn after_a_run_there_are_seconds_whatever_the_limit() {
    let slow = Guest::new().sleeping().body("after-dump", "(call $sleep (i64.const 1500000000)) (call $ok)");
    Place::new(&slow, "limit = { idle = \"300ms\" }\n").dump().expect(0);
}

#[test]
fn bytes_and_entries_end_at_their_limits_whatever_the_guest_makes_of_it() {
    let mut guest = Guest::new();
    let (name, byte) = (guest.text("a"), guest.text("x".repeat(1000)));
    let bytes = format!(
        "(local.set $h (call $create (local.get $into) {name})) (loop $more (call $write (local.get $h) {byte}) (br $more)) (unreachable)"
    );
    let ended = fails(&Place::new(&guest.clone().body("dump", &bytes), "limit = { bytes = \"1MiB\" }\n"), Duration::from_secs(5));
    says(&ended, &["the driver reached the limit of 1MiB written, `limit.bytes`"]);
    let number = guest.text("0000");
    let entries = format!(
        "(loop $more
           (i32.store {0} (i32.add (i32.load {0}) (i32.const 1)))
           (drop (call $entry (local.get $into) {number} {byte}))
           (br_if $more (i32.eqz (i32.load8_u (global.get $ret)))))
         (call $ok_outcome)",
        number.address()
    );
    let place = Place::new(&guest.body("dump", &entries), "limit = { entries = 20 }\n");
    says(&fails(&place, Duration::from_secs(5)), &["the driver reached the limit of 20 entries, `limit.entries`"]);
}

#[test]
fn a_flood_of_log_lines_is_counted_and_left_out() {
    let mut guest = Guest::new();
    let line = guest.text("x".repeat(100));
    let flood = format!(
        "(loop $more (call $log (i32.const 2) {line}) (br_if $more (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 5000)))) (call $ok_outcome)"
    );
    let place = Place::new(&guest.body("dump", &flood), "limit = { log = \"10KiB\" }\n");
    let dumped = place.dump().expect(0);
    says(&dumped, &["4899 lines and findings of the driver's were left out: its limit is 10KiB, `limit.log`"]);
    assert!(dumped.stderr.len() + dumped.stdout.len() < 40_000);
}

#[test]
fn a_flood_of_findings_is_counted_and_left_out() {
    let mut guest = Guest::new();
    let (name, why) = (guest.text("x".repeat(60)), guest.text("y".repeat(39)));
    let flood = format!(
        "(loop $more (call $finding (i32.const 2) {name} {why})
           (br_if $more (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 5000))))
         (call $ok_outcome)"
    );
    let place = Place::new(&guest.body("dump", &flood), "limit = { log = \"10KiB\" }\n");
    let dumped = place.dump().expect(3);
    says(&dumped, &["4898 lines and findings of the driver's were left out"]);
}

#[test]
fn a_message_without_end_is_cut() {
    let mut guest = Guest::new();
    let long = guest.text("z".repeat(1 << 20));
    let ended = fails(&Place::new(&guest.body("dump", &format!("(call $fail (i32.const 7) {long})")), ""), Duration::from_secs(5));
    assert!(ended.stderr.len() < 10_000, "{} bytes", ended.stderr.len());
}
