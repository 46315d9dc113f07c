use schemars::JsonSchema;
use serde::Deserialize;

use super::*;

#[test]
fn what_is_wrong_with_settings_is_shown_at_their_lines_all_at_once() {
    let text = r#"
[[set]]
name = "database"
driver = "tabel"
path = "a"
[[set]]
name = "media"
driver = "tree"
pth = "media"
unreadable = "skp"
jobs = 0
[[set]]
name = "keys"
driver = "tree"
path = 3
jobs = "many"
parralel = true
secrets = { pasword = "hunter2" }
[[set]]
name = "stars"
driver = "tree"
path = "/srv/*"
[[set]]
name = "redis"
driver = "component"
"#;
    let shown = problems(for_show(&config(text), KINDS, &Selection::default()));
    assert_eq!(
        shown,
        r#"dumprestore.toml:5:10: unknown driver `tabel`
  5 | driver = "tabel"
    |          ^^^^^^^
    = did you mean `table`?
dumprestore.toml:8:8: driver `tree` needs one of `path`, `url`
  8 | name = "media"
    |        ^^^^^^^
dumprestore.toml:10:1: unknown key `pth` of driver `tree`
  10 | pth = "media"
     | ^^^
     = did you mean `path`?
dumprestore.toml:11:14: this must be one of `fail`, `skip`
  11 | unreadable = "skp"
     |              ^^^^^
     = did you mean `skip`?
dumprestore.toml:12:8: this must be at least 1
  12 | jobs = 0
     |        ^
dumprestore.toml:16:8: this must be a string, not a number
  16 | path = 3
     |        ^
dumprestore.toml:17:8: this must be a whole number, not a string
  17 | jobs = "many"
     |        ^^^^^^
dumprestore.toml:18:1: unknown key `parralel` of driver `tree`
  18 | parralel = true
     | ^^^^^^^^
     = did you mean `parallel`?
dumprestore.toml:19:13: unknown key `pasword` of driver `tree`
  19 | secrets = { pasword = *** }
     |             ^^^^^^^
     = did you mean `password`?
dumprestore.toml:23:8: a path has no `*`
  23 | path = "/srv/*"
     |        ^^^^^^^^
     = use `include`
dumprestore.toml:26:10: unknown driver `component`
  26 | driver = "component"
     |          ^^^^^^^^^^^
     = this version of dr-host has `table`, `tree`, `media`"#
    );
}

#[test]
fn a_missing_variable_hides_no_other_mistake_and_makes_none() {
    let text = "[[set]]\nname = \"a\"\ndriver = \"tree\"\npath = \"${NOWHERE}\"\njbs = 1\n";
    assert_eq!(
        problems(for_show(&config(text), KINDS, &Selection::default())),
        "dumprestore.toml:5:9: the variable `NOWHERE` is not set
  5 | path = \"${NOWHERE}\"
    |         ^^^^^^^^^^
    = set it, or give a default: `${NOWHERE:-default}`
dumprestore.toml:6:1: unknown key `jbs` of driver `tree`
  6 | jbs = 1
    | ^^^
    = did you mean `jobs`?"
    );
}

/// What a set lacks from this environment does not matter where the set is left out; what is wrong in the file does.
#[test]
fn a_skipped_set_may_lack_its_variables() {
    let text = "[[set]]\nname = \"a\"\ndriver = \"tree\"\npath = \"a\"\n[[set]]\nname = \"b\"\ndriver = \"tree\"\npath = \"${NOWHERE}\"\n";
    let plan = for_show(&config(text), KINDS, &selection(&[], &["b"])).unwrap_or_else(|problems| panic!("{problems}"));
    assert_eq!(plan.tree.in_order().len(), 1);
    assert_eq!(
        plan.view.warnings[0].to_string(),
        "`b` is skipped and lacks a setting (the variable `NOWHERE` is not set), so nobody knows whether it lies inside another set"
    );
    let wrong = format!("{text}pth = 1\n");
    assert!(problems(for_show(&config(&wrong), KINDS, &selection(&[], &["b"]))).contains("unknown key `pth`"));
}

#[test]
fn a_file_without_sets_says_what_to_add() {
    assert_eq!(
        problems(for_show(&config(""), KINDS, &Selection::default())),
        "`dumprestore.toml` has no set\n   = add a `[[set]]` with `name` and `driver`"
    );
}

#[test]
fn a_selection_that_leaves_nothing_is_a_mistake() {
    assert_eq!(
        problems(for_show(&config(SHOP), KINDS, &selection(&["state"], &["state"]))),
        "`--only` and `--skip` leave no set to work on"
    );
}

/// Settings as drivers declare them.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "only its schema is used")]
struct Declared {
    /// Where it is.
    path: PathBuf,
    /// How.
    mode: Option<Mode>,
    /// Several.
    #[serde(default)]
    modes: Vec<Mode>,
    /// Deeper.
    inner: Option<Inner>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum Mode {
    /// One way.
    Slow,
    /// Another way.
    VeryFast,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "only its schema is used")]
struct Inner {
    size: Option<u32>,
}

#[test]
fn schemas_that_are_derived_from_types_give_the_same_messages() {
    let schema = schemars::schema_for!(Declared).to_value();
    let instance = json!({"mode": "very-fst", "modes": ["slow", "fast"], "inner": {"siz": 1, "size": -1}});
    let mistakes = crate::schema::check("declared", &schema, &instance);
    let mut shown: Vec<_> = mistakes
        .iter()
        .map(|mistake| {
            format!(
                "{} | {} | {}",
                mistake.key.as_ref().unwrap_or(&mistake.pointer),
                mistake.message,
                mistake.hint.as_deref().unwrap_or("")
            )
        })
        .collect();
    shown.sort();
    assert_eq!(
        shown,
        [
            " | driver `declared` needs `path` | `path`: Where it is",
            "/inner/siz | unknown key `siz` of driver `declared` | did you mean `size`?",
            "/inner/size | this must be at least 0 | ",
            "/mode | this must be one of `slow`, `very-fast` | did you mean `very-fast`?",
            "/modes/1 | this must be one of `slow`, `very-fast` | ",
        ]
    );
}
