//! Components that lie about themselves: none of it is taken, and nothing is run.

use dr_host_tests::component::Guest;

use super::{AT_ONCE, Tree};

const BADLY: &str = "describes itself badly: ";

/// Each is refused with its words.
#[track_caller]
fn refused(cases: impl IntoIterator<Item = (Guest, &'static str)>) {
    let tree = Tree::empty("");
    let usual = tree.usual();
    for (guest, words) in cases {
        tree.put(&guest.build());
        tree.refuses(usual, AT_ONCE, &[words]);
    }
}

#[test]
fn a_schema_that_is_none_is_refused() {
    refused([
        (Guest::new().schema(""), "describes itself badly: its configuration's schema is no JSON"),
        (Guest::new().schema("no JSON"), "describes itself badly: its configuration's schema is no JSON"),
        (Guest::new().schema("{\"type\": 7}"), "its configuration's schema is no JSON Schema"),
        (Guest::new().schema("{\"type\": \"elephant\"}"), "its configuration's schema is no JSON Schema"),
        (Guest::new().schema("{\"properties\": {\"a\": {\"pattern\": \"(\"}}}"), "its configuration's schema is no JSON Schema"),
        (Guest::new().schema(&("[".repeat(100_000))), "its configuration's schema is no JSON"),
        (
            Guest::new().schema(&format!("{}true{}", "{\"not\":".repeat(100_000), "}".repeat(100_000))),
            "its configuration's schema is no JSON",
        ),
    ]);
}

/// A schema is asked nothing of the machine, and takes no more of it than its size.
#[test]
fn a_schema_reaches_nothing_and_takes_no_time() {
    refused([
        (Guest::new().schema("{\"$ref\": \"file:///etc/passwd\"}"), "its configuration's schema is no JSON Schema"),
        (Guest::new().schema("{\"$ref\": \"http://127.0.0.1:9/schema.json\"}"), "its configuration's schema is no JSON Schema"),
        (
            Guest::new().schema("{\"properties\": {\"a\": {\"pattern\": \"((a{1000}){1000}){1000}\"}}}"),
            "its configuration's schema is no JSON Schema",
        ),
    ]);
}

#[test]
fn a_schema_that_refers_to_itself_harms_nobody() {
    for schema in [
        "{\"$ref\": \"#\"}",
        "{\"type\": \"object\", \"allOf\": [{\"$ref\": \"#\"}]}",
        "{\"$defs\": {\"a\": {\"$ref\": \"#/$defs/b\"}, \"b\": {\"$ref\": \"#/$defs/a\"}}, \"$ref\": \"#/$defs/a\"}",
    ] {
        let tree = Tree::new(&Guest::new().schema(schema), "");
        let run = super::Watched::run(&tree.host, &["dump", "--json", "out.zip"]);
        // Refused or taken: but neither a crash nor a hang.
        assert!(run.code() == Some(0) || run.code() == Some(2), "{schema}: {run}");
    }
}

#[test]
fn a_pattern_that_takes_for_ever_takes_no_time() {
    let schema = "{\"type\": \"object\", \"properties\": {\"a\": {\"pattern\": \"^(?=(a|a?)+$)(a|a?)+b$\"}}}";
    let tree = Tree::empty(&format!("config = {{ a = \"{}\" }}\n", "a".repeat(2000)));
    tree.put(&Guest::new().schema("{\"type\": \"object\", \"properties\": {\"a\": {}}}").build());
    let usual = super::Watched::run(&tree.host, &["plan", "--json"]).took;
    tree.put(&Guest::new().schema(schema).build());
    tree.refuses(usual, AT_ONCE, &["this must match"]);
}

#[test]
fn strings_that_are_too_long_are_refused() {
    refused([
        (Guest::new().named(&"n".repeat(2000), "1.0.0"), "its name has 2000 bytes; 1000 are the most"),
        (Guest::new().named("wat", &"9".repeat(100_000)), "its version has 100000 bytes; 1000 are the most"),
        (
            Guest::new().schema(&format!("\"{}\"", "x".repeat(2 << 20))),
            "its configuration's schema has 2097154 bytes; 1048576 are the most",
        ),
        (Guest::new().needs(0, &"h".repeat(5000), false), "its need has 5000 bytes; 1000 are the most"),
        // The record says that it has half of the guest's address space.
        (lying("(i32.store (i32.const 284) (i32.const 0x7fffffff))"), "`describe`: the driver's component trapped"),
        // All of that is there, and more than a call may carry.
        (
            lying(
                "(drop (memory.grow (i32.const 200))) (i32.store (i32.const 280) (i32.const 65536)) (i32.store (i32.const 284) (i32.const 10000000))",
            ),
            "`describe`: the driver's component trapped",
        ),
    ]);
}

/// A guest whose description is that of a good one, changed.
fn lying(change: &str) -> Guest {
    Guest::new().body("describe", &format!("{change} (i32.const 256)"))
}

#[test]
fn names_and_lists_that_cannot_be_are_refused() {
    let mut many = Guest::new();
    for _ in 0..101 {
        many = many.needs(0, "a:1", true);
    }
    let mut raw = Guest::new();
    let bytes = raw.text([0xff, 0xfe]);
    let store = format!("(i64.store (i32.const 256) (i64.const {}))", i64::from_le_bytes(bytes.record()));
    refused([
        (Guest::new().named("", "1"), BADLY),
        (Guest::new().named("Big Name", "1"), "lower-case letters, digits and hyphens make one"),
        (Guest::new().named("../wat", "1"), "lower-case letters, digits and hyphens make one"),
        (Guest::new().named("wat", "1\u{1b}[31m"), "it must be one line of text"),
        (many, "it names more than 100 formats or needs"),
        (raw.body("describe", &format!("{store} (i32.const 256)")), "`describe`: the driver's component trapped"),
        // No format; ten million needs; a worth that there is not; an address outside.
        (lying("(i32.store (i32.const 300) (i32.const 0))"), "it names no format of its entries"),
        (lying("(i32.store (i32.const 292) (i32.const 10000000))"), "`describe`: the driver's component trapped"),
        (lying("(i32.store8 (i32.const 304) (i32.const 9))"), "`describe`: the driver's component trapped"),
        (lying("(return (i32.const -4))"), "`describe`: the driver's component trapped"),
        (lying("(unreachable)"), "`describe`: the driver's component trapped: it reached code that it holds for unreachable"),
    ]);
}

#[test]
fn memory_and_tables_end_in_describe_too() {
    let greedy = "(loop $more (br_if $more (i32.ne (memory.grow (i32.const 16)) (i32.const -1)))) (unreachable)";
    refused([
        (lying(greedy), "its memory reached the limit of 256MiB"),
        (Guest::new().functions("(table $wide 300000 funcref)"), "its tables reached the limit of 200000 elements"),
    ]);
}

/// It says that links may start at it, and then that it has no columns.
#[test]
fn a_capability_that_is_a_lie_is_told_when_it_is_used() {
    let mut guest = Guest::new().with_columns();
    let none = guest.text("there are no columns here");
    let guest = guest.body("link-values", &format!("(call $fail (i32.const 4) {none})"));
    let settings = "\n[[link]]\nfrom = \"state\"\ncolumn = \"photo.image\"\nto = \"files\"\n";
    Tree::new(&guest, settings).dump_fails("dump", AT_ONCE, "unsupported", &["there are no columns here"]);
}

/// A person reads one error, at the line that names the component.
#[test]
fn a_person_reads_where_it_stands() {
    let tree = Tree::new(&Guest::new().schema("{\"type\": 7}"), "");
    let ended = tree.host.run(["dump", "out.zip"]).expect(2);
    assert!(ended.stderr.starts_with("error: dumprestore.toml:"), "{ended}");
    assert!(ended.stderr.contains("component = \"driver.wasm\"") && ended.stderr.contains("hint: this is a bug of the driver"), "{ended}");
}
