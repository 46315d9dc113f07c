use super::*;

fn parse(text: &str, variables: &[(&str, &str)]) -> Config {
    let environment = variables.iter().copied().collect();
    Config::parse("dumprestore.toml", text.to_owned(), "/srv/shop".into(), &environment)
}

/// Everything that is wrong with a text, as it is shown.
fn problems(text: &str, variables: &[(&str, &str)]) -> String {
    Problems::check(parse(text, variables).problems).map_or_else(|problems| problems.to_string(), |()| String::new())
}

#[test]
fn a_whole_file_is_read() {
    let config = parse(
        r#"
version = 1
[archive]
compression = "deflate"
level = 6
[[set]]
name = "database"
driver = "sqlite"
path = "${DB:-shop.sqlite3}"
[[set]]
name = "state"
parallel = true
[[set.children]]
name = "keys"
driver = "filesystem"
path = "${BASE}/keys"
exclude = ["*.tmp", "$${x}"]
[[set.children]]
name = "media"
driver = "media"
url = "media"
[[link]]
from = "database"
column = "main.photo.image"
json = "$.path[*]"
where = "deleted = 0"
strip_prefix = "/media/"
prefix = "a/"
to = "state/media"
"#,
        &[("BASE", "/var/lib")],
    );
    assert_eq!(problems(config.source.text(), &[("BASE", "/var/lib")]), "");
    assert_eq!(config.archive, ArchiveSettings { compression: Compression::Deflate, level: Some(6) });
    let paths: Vec<_> = config.all_sets().iter().map(|set| set.path.to_string()).collect();
    assert_eq!(paths, ["database", "state", "state/keys", "state/media"]);
    assert!(config.sets[1].parallel);
    assert_eq!(config.sets[0].settings.map["path"], "shop.sqlite3");
    assert_eq!(config.sets[1].children[0].settings.map["path"], "/var/lib/keys");
    assert_eq!(config.sets[1].children[0].settings.map["exclude"][1], "${x}");
    let link = &config.links[0];
    assert_eq!((link.table.as_str(), link.column.as_str()), ("main.photo", "image"));
    assert_eq!(link.json_path.as_deref(), Some("$.path[*]"));
    assert_eq!((link.strip_prefix.as_str(), link.prefix.as_str(), link.to.as_str()), ("/media/", "a/", "state/media"));
}

#[test]
fn every_mistake_is_shown_at_once_with_its_line() {
    let text = r#"
version = 2
[archive]
compresion = "zstd"
compression = "zst"
encrypt_to = ["age1x"]
[[set]]
name = "database"
driver = "sqlite"
path = "${SHOP_DB}/x"
parallel = "yes"
[[set]]
name = "database"
driver = "media"
[[set]]
name = "self"
driver = "media"
[[set]]
driver = "media"
[[set]]
name = "empty"
[[link]]
from = "databse"
column = "photo"
too = "database"
"#;
    assert_eq!(
        problems(text, &[]),
        r#"dumprestore.toml:2:11: this dr-host reads version 1 of the configuration only
  2 | version = 2
    |           ^
    = write `version = 1`
dumprestore.toml:4:1: unknown key `compresion`
  4 | compresion = "zstd"
    | ^^^^^^^^^^
    = did you mean `compression`?
dumprestore.toml:5:15: unknown compression `zst`
  5 | compression = "zst"
    |               ^^^^^
    = did you mean `zstd`?
dumprestore.toml:6:1: encryption is not in this version of dr-host
  6 | encrypt_to = ["age1x"]
    | ^^^^^^^^^^
    = remove it: the archive will not be encrypted, so keep it where only you can read it
dumprestore.toml:10:9: the variable `SHOP_DB` is not set
  10 | path = "${SHOP_DB}/x"
     |         ^^^^^^^^^^
     = set it, or give a default: `${SHOP_DB:-default}`
dumprestore.toml:11:12: this must be `true` or `false`, not a string
  11 | parallel = "yes"
     |            ^^^^^
dumprestore.toml:13:8: there is a set `database` already, in line 8
  13 | name = "database"
     |        ^^^^^^^^^^
     = give each its own name
dumprestore.toml:16:8: `self` is reserved: the archive uses it itself
  16 | name = "self"
     |        ^^^^^^
dumprestore.toml:18:1: this set has no `name`
  18 | [[set]]
     | ^^^^^^^
     = give it one: archive and messages use it
dumprestore.toml:21:8: `empty` has neither a driver nor children
  21 | name = "empty"
     |        ^^^^^^^
     = add `driver`, or `[[set.children]]` below it
dumprestore.toml:22:1: this link has no `to`
  22 | [[link]]
     | ^^^^^^^^
     = name the set whose entries are referred to
dumprestore.toml:23:8: there is no set `databse`
  23 | from = "databse"
     |        ^^^^^^^^^
     = did you mean `database`?
dumprestore.toml:24:10: `photo` is no column of a table
  24 | column = "photo"
     |          ^^^^^^^
     = write `table.column`, or `schema.table.column`
dumprestore.toml:25:1: unknown key `too`
  25 | too = "database"
     | ^^^
     = did you mean `to`?"#
    );
}

#[test]
fn wrong_types_are_told() {
    let text = "set = 3\nversion = \"1\"\narchive = 2\nlink = {}\nunsafe_order = 1\n";
    assert_eq!(
        problems(text, &[]),
        r#"dumprestore.toml:1:1: `set` must be an array of tables, not a number
  1 | set = 3
    | ^^^
    = write `[[set]]`, once for each
dumprestore.toml:2:11: this must be a number, not a string
  2 | version = "1"
    |           ^^^
    = write `version = 1`
dumprestore.toml:3:11: this must be a table, not a number
  3 | archive = 2
    |           ^
dumprestore.toml:4:1: `link` must be an array of tables, not a table
  4 | link = {}
    | ^^^^
    = write `[[link]]`, once for each
dumprestore.toml:5:16: this must be `true` or `false`, not a number
  5 | unsafe_order = 1
    |                ^"#
    );
}

/// What a broken header leaves without a home is not held against its author.
#[test]
fn errors_of_syntax_are_shown_with_the_others_and_make_no_false_ones() {
    let text = "verson = 1\n[[set]]\nname = \"a\"\ndriver = \"x\"\n[archive]\nlevel = 99\n[[link]]\nfrom = a\n";
    assert_eq!(
        problems(text, &[]),
        r#"dumprestore.toml:1:1: unknown key `verson`
  1 | verson = 1
    | ^^^^^^
    = did you mean `version`?
dumprestore.toml:6:9: the level of zstd goes from 1 to 19
  6 | level = 99
    |         ^^
dumprestore.toml:8:8: string values must be quoted, expected literal string
  8 | from = a
    |        ^"#
    );
    assert_eq!(
        problems(&text.replace("[[set]]", "[[set]"), &[]),
        r#"dumprestore.toml:2:7: unclosed array table, expected `]`
  2 | [[set]
    |       ^
dumprestore.toml:8:8: string values must be quoted, expected literal string
  8 | from = a
    |        ^"#
    );
    assert!(problems("version = 1\n[[set]]\nname = \"a\"\nname = \"b\"\ndriver = \"x\"\n", &[]).contains(":4:1: duplicate key\n"));
}

#[test]
fn references_that_are_none_are_shown_where_they_stand() {
    let text = "version = 1\n[[set]]\nname = \"a\"\ndriver = \"x\"\n\
                tab\t=\t\"${NOPE}\t${ALSO}\"\nx = \"${\"\ny = \"${a b}\"\nz=\"\"\"\nline\n${FAR}\n\"\"\"\nw = \"${A:-${B}}\"\npassword = \"${DB_PASSWORD}\"\n";
    assert_eq!(
        problems(text, &[]),
        r#"dumprestore.toml:5:8: the variable `NOPE` is not set
  5 | tab = "${NOPE} ${ALSO}"
    |        ^^^^^^^
    = set it, or give a default: `${NOPE:-default}`
dumprestore.toml:5:16: the variable `ALSO` is not set
  5 | tab = "${NOPE} ${ALSO}"
    |                ^^^^^^^
    = set it, or give a default: `${ALSO:-default}`
dumprestore.toml:6:6: `${` without its `}`
  6 | x = "${"
    |      ^^
    = write `${NAME}`, or `$${` for the two characters themselves
dumprestore.toml:7:6: this is no reference to a variable
  7 | y = "${a b}"
    |      ^^^^^^
    = write `${NAME}` or `${NAME:-default}`, or `$${` for the two characters themselves
dumprestore.toml:10:1: the variable `FAR` is not set
  10 | ${FAR}
     | ^^^^^^
     = set it, or give a default: `${FAR:-default}`
dumprestore.toml:12:6: the default of `A` refers to a variable itself
  12 | w = "${A:-${B}}"
     |      ^^^
     = write a plain text as default
dumprestore.toml:13:13: the variable `DB_PASSWORD` is not set
  13 | password = "${DB_PASSWORD}"
     |             ^^^^^^^^^^^^^^
     = set it, or give a default: `${DB_PASSWORD:-default}`"#
    );
}

#[test]
fn variables_are_put_in_anywhere_and_defaults_where_they_are_unset_or_empty() {
    let text = r#"
version = 1
archive = { compression = "${METHOD}" }
[[set]]
name = "${NAME:-shop}"
driver = "${DRIVER}"
a = ["x${EMPTY:-y}z", "$${NAME} $NAME $$ a$$b", "${EMPTY}"]
b = { c = "${UNSET:-}" , d = 3 }
"#;
    let variables = [("METHOD", "store"), ("DRIVER", "tree"), ("EMPTY", "")];
    let config = parse(text, &variables);
    assert_eq!(problems(text, &variables), "");
    assert_eq!(config.archive.compression, Compression::Store);
    let set = &config.sets[0];
    assert_eq!((set.path.as_str(), &set.driver), ("shop", &Some(DriverChoice::Named("tree".into(), 93..104))));
    assert_eq!(
        serde_json::Value::Object(set.settings.map.clone()),
        serde_json::json!({"a": ["xyz", "${NAME} $NAME $$ a$$b", ""], "b": {"c": "", "d": 3}})
    );
}

#[test]
fn excerpts_of_long_lines_are_cut_around_the_mistake() {
    let text = format!(
        "version = 1\n[[set]]\nname = \"a\"\ndriver = \"x\"\nlist = [{} \"${{GONE}}\", {}]\n",
        "1, ".repeat(200),
        "2, ".repeat(200)
    );
    let shown = problems(&text, &[]);
    let lines: Vec<&str> = shown.lines().collect();
    let caret = lines[2].find('^').expect("a caret");
    let excerpt: String = lines[1].chars().skip(lines[2].chars().count() - 7).take(7).collect();
    assert_eq!((excerpt.as_str(), lines[1].chars().count() < 130, caret > 20), ("${GONE}", true, true), "{shown}");
}

#[test]
fn carets_stand_below_what_is_wrong_in_any_script() {
    assert_eq!(
        problems("version = 1\n[[set]]\nname = \"茶 杯\"\ndriver = \"x\"\na = { \"茶\" = \"${杯}\" }\n", &[]),
        r#"dumprestore.toml:3:8: `茶 杯` holds ` `; letters, digits, `-`, `_` and `.` make a set's name
  3 | name = "茶 杯"
    |        ^^^^^^^
dumprestore.toml:5:14: this is no reference to a variable
  5 | a = { "茶" = "${杯}" }
    |               ^^^^^
    = write `${NAME}` or `${NAME:-default}`, or `$${` for the two characters themselves"#
    );
}

#[test]
fn values_that_json_lacks_are_refused() {
    let text = "version = 1\n[[set]]\nname = \"a\"\ndriver = \"x\"\nbig = 99999999999999999999\nnan = nan\nwhen = 2020-01-01\nhex = 0xff\n";
    let shown = problems(text, &[]);
    assert!(
        shown.contains(":5:7: this number is beyond 64 bits\n") && shown.contains(":6:7: a setting must be a finite number\n"),
        "{shown}"
    );
    let settings = &parse(text, &[]).sets[0].settings.map;
    assert_eq!((&settings["when"], &settings["hex"]), (&"2020-01-01".into(), &255.into()));
}

#[test]
fn a_file_with_a_byte_order_mark_and_carriage_returns_is_read() {
    assert_eq!(problems("\u{feff}version = 1\r\n[[set]]\r\nname = \"a\"\r\ndriver = \"x\"\r\n", &[]), "");
}

#[test]
fn a_set_without_driver_is_told_what_its_other_keys_mean() {
    let text = "version = 1\n[[set]]\nname = \"a\"\ndriv = \"x\"\n[[set]]\nname = \"b\"\npath = \"x\"\n[[set.children]]\nname = \"c\"\ndriver = \"x\"\n\
                [[link]]\nfrom = \"b/c\"\ncolumn = \"a.b\"\nto = \"b\"\n";
    assert_eq!(
        problems(text, &[]),
        r#"dumprestore.toml:4:1: unknown key `driv` of a set without a driver
  4 | driv = "x"
    | ^^^^
    = did you mean `driver`?
dumprestore.toml:7:1: unknown key `path` of a set without a driver
  7 | path = "x"
    | ^^^^
    = add `driver`, or remove this
dumprestore.toml:14:6: `b` is a group without a driver: it has no entries of its own
  14 | to = "b"
     |      ^^^
     = name one of its sets"#
    );
}

#[test]
fn paths_into_json_are_checked() {
    for (path, right) in [
        ("$", true),
        ("$.a", true),
        ("$[0].b[*]", true),
        ("$.a b", true),
        ("$.a[#-1]", true),
        ("$.\"a[x].b\"", true),
        ("a", false),
        ("$..a", false),
        ("$[x]", false),
        ("$[]", false),
    ] {
        let text = format!(
            "version = 1\n[[set]]\nname = \"a\"\ndriver = \"x\"\n[[link]]\nfrom = \"a\"\ncolumn = \"t.c\"\njson = '{path}'\nto = \"a\"\n"
        );
        assert_eq!(problems(&text, &[]).is_empty(), right, "{path}");
    }
}

#[test]
fn a_file_that_cannot_be_read_is_told() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("latin.toml"), b"version = 1\n# caf\xe9\n").unwrap();
    let read = |name: &str| {
        let read = Config::read(Path::new(name), directory.path(), &Environment::default());
        read.err().map(|problems| problems.to_string()).unwrap_or_default()
    };
    assert_eq!(read("latin.toml"), "`latin.toml` is not UTF-8: see line 2\n   = save it as UTF-8");
    assert!(read(".").starts_with("cannot read the configuration `.`: "), "{}", read("."));
}

/// A file full of secrets, cut off, with a character too few or one too many, at every place: whatever is then wrong with it,
/// no secret is shown.
#[test]
fn no_slip_of_the_pen_shows_a_secret() {
    let text = "version = 1\n[[set]]\nname = \"a\"\ndriver = \"x\"\npassword = \"zebra1\"\nurl = \"x://u:zebra2@h/p\"\n\
                dsn = 'host=h password=zebra3'\npin = { api_key = \"zebra4\", size = 3 }\ntokens = [\n  \"x=zebra5\",\n  \"zebra6\",\n]\n\
                [set.secrets]\npw = \"\"\"\nzebra7\nzebra8 = 3\n\"\"\"\nother = \"zebra9\"\n[archive]\nlevel = \"x\"\n";
    let mut slips = Vec::new();
    for at in 0..text.len() {
        slips.push(text[..at].to_owned());
        slips.push(format!("{}{}", &text[..at], &text[at + 1..]));
        slips.extend(['"', '=', '\n', ' '].map(|slip| format!("{}{slip}{}", &text[..at], &text[at..])));
    }
    for slip in &slips {
        let shown = problems(slip, &[]);
        assert!(!shown.contains("zebra"), "{shown}\n{slip}");
    }
}
