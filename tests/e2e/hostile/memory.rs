//! Components that want more than there is: memory, tables, the stack; the guest's own and the host's.

use dr_host_tests::component::{Guest, attempt};

use super::{AT_ONCE, DIGITS, IDLE, IDLE_LINE, Tree};

/// Takes memory for as long as there is some, and writes to all of it.
const GREEDY: &str = "
    (loop $more
      (local.set $n (memory.grow (i32.const 16)))
      (if (i32.ne (local.get $n) (i32.const -1)) (then
        (memory.fill (i32.mul (local.get $n) (i32.const 65536)) (i32.const 1) (i32.const 1048576))
        (br $more))))
    (unreachable)";

const MEMORY_WORDS: &[&str] = &[
    "the driver's component trapped after its memory reached the limit of 64MiB, `limit.memory`",
    "raise the limit if the driver needs more",
];

#[test]
fn memory_ends_at_its_limit_in_every_moment() {
    let tree = Tree::empty(IDLE_LINE);
    for moment in ["before-dump", "dump"] {
        tree.put(&Guest::new().body(moment, GREEDY).build());
        tree.dump_fails(&moment.replace('-', "_"), AT_ONCE, "other", MEMORY_WORDS);
    }
    for moment in ["before-restore", "restore"] {
        let tree = Tree::with_archive(&Guest::new().body(moment, GREEDY), IDLE_LINE);
        tree.restore_fails(&moment.replace('-', "_"), AT_ONCE, "other", MEMORY_WORDS);
    }
}

#[test]
fn memory_ends_at_its_limit_after_the_dump_too() {
    let run = Tree::new(&Guest::new().body("after-dump", GREEDY), IDLE_LINE).dump_stands(3);
    run.finds("after-failed", &["its memory reached the limit of 64MiB"]);
}

#[test]
fn memory_that_a_module_takes_at_its_start_counts() {
    let tree = Tree::new(
        &Guest::new().body("start", "(if (i32.eq (memory.grow (i32.const 1600)) (i32.const -1)) (then (unreachable)))"),
        IDLE_LINE,
    );
    tree.dump_fails("before_dump", AT_ONCE, "other", MEMORY_WORDS);
}

#[test]
fn tables_end_at_their_limit() {
    let grow = "(loop $more (br_if $more (i32.ne (table.grow $wide (ref.null func) (i32.const 1000)) (i32.const -1)))) (unreachable)";
    let guest = Guest::new().functions("(table $wide 1 funcref)");
    let words = ["its tables reached the limit of 200000 elements, `limit.table_elements`", "raise the limit"];
    Tree::new(&guest.clone().body("dump", grow), IDLE_LINE).dump_fails("dump", AT_ONCE, "other", &words);
    let words = ["its tables reached the limit of 5000 elements, `limit.table_elements`"];
    Tree::new(&guest.body("before-dump", grow), "limit = { table_elements = 5000 }\n").dump_fails("before_dump", AT_ONCE, "other", &words);
}

#[test]
fn the_stack_ends() {
    let guest = Guest::new()
        .functions("(func $down (param i64) (result i64) (i64.add (call $down (local.get 0)) (call $down (i64.const 1))))")
        .functions("(func $far (call $log (i32.const 0) (i32.const 0) (i32.const 0)) (call $far) (call $far))");
    let words = ["the driver's component trapped: its stack is exhausted", "this is a bug of the driver"];
    let tree = Tree::empty(IDLE_LINE);
    for body in ["(drop (call $down (i64.const 1))) (call $ok_outcome)", "(call $far) (call $ok_outcome)"] {
        tree.put(&guest.clone().body("dump", body).build());
        tree.dump_fails("dump", AT_ONCE, "other", &words);
    }
    let restores = guest.body("restore", "(call $far) (call $ok_outcome)");
    Tree::with_archive(&restores, IDLE_LINE).restore_fails("restore", AT_ONCE, "other", &words);
}

#[test]
fn what_the_host_makes_for_a_guest_is_bounded() {
    let random = Guest::new().imports(
        "import wasi:random/random@0.2.0;\n",
        r#"(import "wasi:random/random@0.2.0" "get-random-bytes" (func $random (param i64 i32)))"#,
    );
    let random = random.body("dump", "(call $random (i64.const 1099511627776) (global.get $ret)) (call $ok_outcome)");
    Tree::new(&random, IDLE_LINE).dump_fails("dump", AT_ONCE, "other", &["the driver's component trapped: ", "1099511627776"]);
}

/// Everything that a guest holds at once is something of the host's.
#[test]
fn handles_end_at_their_limit() {
    let hoard =
        Guest::new().sleeping().body("dump", "(loop $more (drop (call $after (i64.const 3600000000000))) (br $more)) (unreachable)");
    Tree::new(&hoard, IDLE_LINE).dump_fails("dump", AT_ONCE, "other", &["the driver's component trapped: "]);
}

#[test]
fn headers_that_a_guest_hoards_are_bounded() {
    let mut guest = Guest::new().imports(
        "import wasi:http/types@0.2.0;\n",
        r#"(import "wasi:http/types@0.2.0" "[constructor]fields" (func $fields (result i32)))
           (import "wasi:http/types@0.2.0" "[method]fields.append" (func $append (param i32 i32 i32 i32 i32 i32)))"#,
    );
    let name = guest.text("x");
    let hoard = format!(
        "(local.set $n (call $realloc (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 60000)))
         (memory.fill (local.get $n) (i32.const 120) (i32.const 60000))
         (loop $more (call $append (call $fields) {name} (local.get $n) (i32.const 60000) (global.get $ret)) (br $more)) (unreachable)"
    );
    let tree = Tree::new(&guest.body("dump", &hoard), "limit = { memory = \"64MiB\" }\n");
    tree.dump_fails("dump", IDLE * 20, "other", &["the driver's component trapped: "]);
}

/// 300 entries whose attributes have 60 KB each.
fn wide(guest: &mut Guest) -> String {
    let (name, key) = (guest.text("0000"), guest.text("k"));
    format!(
        "(local.set $n (call $realloc (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 60000)))
         (memory.fill (local.get $n) (i32.const 120) (i32.const 60000))
         (i32.store (i32.const 512) {key}) (i32.store (i32.const 516) (i32.const 1))
         (i32.store (i32.const 520) (local.get $n)) (i32.store (i32.const 524) (i32.const 60000))
         (loop $more
           (i32.store {at} (i32.add (i32.const 0x30303030) (call $digits (local.get $i))))
           {create}
           (local.set $h (i32.load offset=4 (global.get $ret)))
           {finish}
           (call $drop_entry_writer (local.get $h))
           (br_if $more (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 300))))
         (call $ok_outcome)",
        key = key.address(),
        at = name.address(),
        create = attempt(&format!(
            "(call $writer_create (local.get $into) {name} (i32.const 0) (i64.const 0) (i32.const 0) (i32.const 512) (i32.const 1) (global.get $ret))"
        )),
        finish = attempt("(call $finish (local.get $h))"),
    )
}

#[test]
fn walks_and_open_entries_are_few_whatever_the_entries_are_like() {
    let mut writer = Guest::new().functions(DIGITS);
    let body = wide(&mut writer);
    let writer = writer.body("dump", &body);
    let mut guest = Guest::new();
    let (name, refused) = (guest.text("0007"), guest.text("refused, as it should"));
    // As many walks as there may be, a page of each, and one entry more.
    let hoard = format!(
        "(loop $more
           (call $reset)
           {}
           {}
           (br_if $more (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 64))))
         (drop (call $open (local.get $source) {name}))
         (if (i32.load8_u (global.get $ret)) (then (call $log (i32.const 3) {refused})))
         (global.get $ret)",
        attempt("(local.set $h (call $entries (local.get $source)))"),
        attempt("(call $next (local.get $h) (i32.const 1000))"),
    );
    let tree = Tree::with_archive_of(&writer, &guest.body("restore", &hoard), "limit = { memory = \"64MiB\" }\n");
    let words = ["the driver has 64 entries and walks open; close some before the next"];
    let run = tree.restore_fails("restore", IDLE * 20, "other", &words);
    assert!(run.log_of("state").contains(&"refused, as it should"), "{run}");
}
