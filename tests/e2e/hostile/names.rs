//! Names of entries that would lead out of the set, or cannot be: each is a typed error, and none of them reaches the archive.

use dr_host_tests::component::{Guest, attempt};
use zip::ZipArchive;

use super::{AT_ONCE, IDLE_LINE, Tree};

/// Names, and what is wrong with each.
fn bad() -> Vec<(Vec<u8>, &'static str)> {
    let text = |name: &str| name.as_bytes().to_vec();
    vec![
        (text(".."), "has a segment `.` or `..`"),
        (text("."), "has a segment `.` or `..`"),
        (text("../files/kept"), "has a segment `.` or `..`"),
        (text("a/../../witness/greeting.txt"), "has a segment `.` or `..`"),
        (text("a/.."), "has a segment `.` or `..`"),
        (text("./a"), "has a segment `.` or `..`"),
        (text("/etc/passwd"), "is absolute"),
        (text("//server/share"), "is absolute"),
        (text(""), "is empty"),
        (text("a\0b"), "holds a NUL"),
        (text("..\\..\\windows"), "holds a backslash"),
        (text("C:\\windows"), "holds a backslash"),
        ("x".repeat(64 << 10).into_bytes(), "has 65536 bytes; 16384 are the most"),
        ("a/".repeat(8193).into_bytes(), "has 16386 bytes; 16384 are the most"),
    ]
}

/// Every name is tried by one guest, which logs what it is told, and passes the last error on.
#[test]
fn names_that_cannot_be_are_refused_with_a_kind_and_a_message() {
    let mut guest = Guest::new();
    let (taken, other) = (guest.text("taken, as it must not be"), guest.text("an error of another kind"));
    let mut body = String::new();
    for (name, _) in bad() {
        let name = guest.text(name);
        body.push_str(&format!(
            "(drop (call $create (local.get $into) {name}))
             (if (i32.eqz (i32.load8_u (global.get $ret))) (then (return (call $fail (i32.const 7) {taken}))))
             (if (i32.ne (i32.load8_u offset=4 (global.get $ret)) (i32.const 7)) (then (return (call $fail (i32.const 7) {other}))))
             (call $log (i32.const 3) (i32.load offset=8 (global.get $ret)) (i32.load offset=12 (global.get $ret)))\n"
        ));
    }
    let tree = Tree::new(&guest.body("dump", &format!("{body} (global.get $ret)")), IDLE_LINE);
    let run = tree.dump_fails("dump", AT_ONCE, "other", &["the driver's name for an entry, ", "has 16386 bytes; 16384 are the most"]);
    let log = run.log_of("state");
    assert_eq!(log.len(), bad().len(), "{run}");
    for (told, (name, words)) in log.iter().zip(bad()) {
        assert!(told.contains(words) && told.len() < 600, "{:?}: {told}", String::from_utf8_lossy(&name[..name.len().min(40)]));
    }
}

#[test]
fn a_name_that_is_no_text_is_a_trap() {
    let mut guest = Guest::new();
    let name = guest.text([b'a', 0xff, 0xfe]);
    let body = attempt(&format!("(drop (call $create (local.get $into) {name}))")) + "(call $ok_outcome)";
    let words = ["the driver's component trapped: ", "utf-8"];
    Tree::new(&guest.body("dump", &body), IDLE_LINE).dump_fails("dump", AT_ONCE, "other", &words);
}

/// Names of others' entries, of the archive's own, and odd ones that are allowed: they all stay below the set's own path.
#[test]
fn whatever_a_name_is_like_it_stays_below_its_set() {
    let names = [
        "witness/greeting.txt",
        "files/kept",
        "self/a",
        "dr-host/manifest.json",
        "dr-host/index/files.ndjson",
        "...",
        "a//b",
        "a/",
        "%2e%2e/x",
        "~root",
        "CON",
        "C:evil",
        "-rf",
        "\u{202e}txt.exe",
        "\u{1b}[31m",
    ];
    let mut guest = Guest::new();
    let mut body = String::new();
    for name in names {
        let (name, content) = (guest.text(name), guest.text(name));
        body.push_str(&attempt(&format!("(drop (call $entry (local.get $into) {name} {content}))")));
    }
    let tree = Tree::new(&guest.body("dump", &format!("{body} (call $ok_outcome)")), IDLE_LINE);
    tree.dump_stands(0);
    let file = std::fs::File::open(tree.path("out.zip")).expect("the archive is there");
    let archive = ZipArchive::new(file).expect("it is a zip");
    let names_there = archive.file_names().map(|name| name.expect("a name is text").into_owned());
    let mine: Vec<String> = names_there.filter(|name| !name.starts_with("dr-host/")).collect();
    let of = |set: &str| mine.iter().filter(|name| name.starts_with(set)).count();
    assert_eq!((of("state/"), of("witness/"), of("files/")), (names.len(), 2, mine.len() - names.len() - 2), "{mine:?}");
    let steers = |name: &String| {
        name.split('/').any(|segment| segment == ".." || segment == ".") || name.contains(['\\', '\0']) || name.starts_with('/')
    };
    assert!(!mine.iter().any(steers), "{mine:?}");
    // Each comes back under its own name.
    tree.restore_ends(0);
}
