use super::*;

fn default(variables: &[(&str, &str)], selection: &Selection) -> Result<Plan, Problems> {
    let directory = tempfile::tempdir().unwrap();
    let environment = variables.iter().copied().collect();
    let config = load(None, directory.path(), &environment, KINDS).unwrap_or_else(|problems| panic!("{problems}"));
    for_show(&config, KINDS, selection)
}

fn targets(variables: &[(&str, &str)]) -> Vec<(String, String, String)> {
    let plan = default(variables, &Selection::default()).unwrap_or_else(|problems| panic!("{problems}"));
    let sets = plan.view.sets.into_iter();
    sets.map(|set| (set.path.to_string(), set.driver.unwrap_or_default(), set.target.unwrap_or_default())).collect()
}

fn owned(path: &str, driver: &str, target: &str) -> (String, String, String) {
    (path.to_owned(), driver.to_owned(), target.to_owned())
}

#[test]
fn databases_come_first_and_the_main_one_before_the_others() {
    assert_eq!(
        targets(&[
            ("MEDIA_ROOT", "/srv/media"),
            ("ANALYTICS_DATABASE_URL", "table:///srv/b.db"),
            ("DATABASE_URL", "TABLE:///srv/a.db"),
            ("A_DATABASE_URL", "table:///srv/c.db"),
            ("OLD_DATABASE_URL", ""),
            ("DATABASE_URL_OLD", "table:///srv/no.db"),
        ]),
        [
            owned("database", "table", "TABLE:///srv/a.db"),
            owned("a-database", "table", "table:///srv/c.db"),
            owned("analytics-database", "table", "table:///srv/b.db"),
            owned("media", "media", "/srv/media"),
        ]
    );
}

/// In a Django project `MEDIA_URL` is where browsers find the media, `MEDIA_ROOT` where they are stored.
#[test]
fn media_are_where_they_are_stored() {
    let media = |variables: &[(&str, &str)]| targets(variables).pop().map(|(_, _, target)| target);
    assert_eq!(media(&[("MEDIA_URL", "s3://shop/media")]).as_deref(), Some("s3://shop/media"));
    assert_eq!(media(&[("MEDIA_URL", "s3://shop/media"), ("MEDIA_ROOT", "/srv/media")]).as_deref(), Some("s3://shop/media"));
    assert_eq!(media(&[("MEDIA_URL", "/media/"), ("MEDIA_ROOT", "/srv/media")]).as_deref(), Some("/srv/media"));
    assert_eq!(media(&[("MEDIA_URL", "https://cdn.example/"), ("MEDIA_ROOT", "/srv/media")]).as_deref(), Some("/srv/media"));
}

#[test]
fn an_environment_that_names_nothing_is_told_what_to_set() {
    assert_eq!(
        problems(default(&[("PATH", "/bin")], &Selection::default())),
        "there is nothing to back up: no configuration, and the environment names neither a database nor media
   = write `dumprestore.toml` (`dr-host init` begins one), or set `DATABASE_URL`, `MEDIA_URL` or `MEDIA_ROOT`"
    );
}

#[test]
fn a_database_without_a_driver_is_named_unless_it_is_skipped() {
    let variables = [("SHOP_DATABASE_URL", "postgres://shop:hunter2@db/shop"), ("X_DATABASE_URL", "hunter2"), ("MEDIA_ROOT", "/m")];
    assert_eq!(
        problems(default(&variables, &Selection::default())),
        "`SHOP_DATABASE_URL`: this version of dr-host has no driver for `postgres:`
   = it dumps `table:`; leave this database out with `--skip shop-database`
`X_DATABASE_URL` is no URL
   = it dumps `table:`; leave this database out with `--skip x-database`"
    );
    assert!(default(&variables, &selection(&[], &["shop-database", "x-database"])).is_ok());
    let at_bucket = [("DATABASE_URL", "s3://shop/db")];
    assert!(
        problems(default(&at_bucket, &Selection::default())).starts_with("`DATABASE_URL`: this version of dr-host has no driver for `s3:`")
    );
}

/// Two sets of one name would be an archive that nothing can read.
#[test]
fn variables_that_name_the_same_set_are_named_unless_it_is_skipped() {
    let urls = [("A_DATABASE_URL", "table:///1"), ("a_DATABASE_URL", "table:///2"), ("_DATABASE_URL", "table:///3")];
    let variables = [&urls[..], &[("DATABASE_URL", "table:///4"), ("MEDIA_ROOT", "/m")]].concat();
    let said = "`A_DATABASE_URL`, `a_DATABASE_URL` name the same set, `a-database`
   = unset all but one, or write `dumprestore.toml`, which gives each set its own name
`DATABASE_URL`, `_DATABASE_URL` name the same set, `database`
   = unset all but one, or write `dumprestore.toml`, which gives each set its own name";
    assert_eq!(problems(default(&variables, &Selection::default())), said);
    assert!(default(&variables, &selection(&["media"], &[])).is_ok());

    let environment = variables.iter().copied().collect();
    let drafted = init(&environment, KINDS, &Selection::default()).err().expect("no file means this");
    assert_eq!(drafted.to_string(), said);
    assert!(init(&environment, KINDS, &selection(&[], &["database", "a-database"])).is_ok());
}

#[test]
fn a_variable_that_is_not_utf_8_is_named_unless_its_set_is_skipped() {
    use std::os::unix::ffi::OsStringExt as _;
    let variable = |name: &str, value: &[u8]| (name.into(), std::ffi::OsString::from_vec(value.to_vec()));
    let variables =
        [variable("OLD_DATABASE_URL", b"table:///\xe9"), variable("MEDIA_ROOT", b"/\xe9"), variable("DATABASE_URL", b"table:///a")];
    let environment: Environment = variables.into_iter().collect();
    let directory = tempfile::tempdir().unwrap();
    let config = load(None, directory.path(), &environment, KINDS).unwrap();
    let said = "the value of the variable `OLD_DATABASE_URL` is not UTF-8
   = set it to text, or leave it out with `--skip old-database`
the value of the variable `MEDIA_ROOT` is not UTF-8
   = set it to text, or leave it out with `--skip media`";
    assert_eq!(problems(for_show(&config, KINDS, &Selection::default())), said);
    assert!(for_show(&config, KINDS, &selection(&[], &["old-database", "media"])).is_ok());
    assert_eq!(init(&environment, KINDS, &Selection::default()).err().map(|problems| problems.to_string()).as_deref(), Some(said));
}

#[test]
fn the_file_in_the_directory_goes_before_the_environment_and_the_one_named_before_both() {
    let directory = tempfile::tempdir().unwrap();
    let file = |name: &str, set: &str| {
        let text = format!("version = 1\n[[set]]\nname = \"{set}\"\ndriver = \"tree\"\npath = \"x\"\n");
        std::fs::write(directory.path().join(name), text).unwrap();
    };
    file(config::FILE, "here");
    file("other.toml", "there");
    let environment = [("DATABASE_URL", "table:///a")].into_iter().collect();
    let name = |path: Option<&Path>| {
        let config = load(path, directory.path(), &environment, KINDS).unwrap_or_else(|problems| panic!("{problems}"));
        (config.source.name().to_owned(), config.sets[0].path.to_string(), config.base == directory.path())
    };
    assert_eq!(name(None), ("dumprestore.toml".into(), "here".into(), true));
    assert_eq!(name(Some(Path::new("other.toml"))), ("other.toml".into(), "there".into(), true));
    let missing = load(Some(Path::new("none.toml")), directory.path(), &environment, KINDS);
    assert_eq!(
        missing.err().map(|problems| problems.to_string()).unwrap_or_default(),
        "there is no configuration `none.toml`
   = write one with `dr-host init`, or leave out `-c` to back up what the environment names"
    );
}

/// What `init` writes means the same as the environment that it was written from.
#[test]
fn what_init_writes_is_planned_like_the_default_set() {
    let variables = [
        ("DATABASE_URL", "table://shop:hunter2@db/a"),
        ("ANALYTICS_DATABASE_URL", "table://shop:hunter3@db/b"),
        ("OLD_DATABASE_URL", "mysql://shop:hunter4@db/c"),
        ("MEDIA_ROOT", "/srv/media"),
    ];
    let environment: Environment = variables.iter().copied().collect();
    let Draft { text, left_out } = init(&environment, KINDS, &Selection::default()).unwrap();
    assert_eq!(left_out, ["`OLD_DATABASE_URL` names a database that this version of dr-host has no driver for"]);
    assert!(!text.contains("hunter"), "{text}");
    let config = Config::parse("dumprestore.toml", text.clone(), "/srv".into(), &environment);
    let plan = for_show(&config, KINDS, &Selection::default()).unwrap_or_else(|problems| panic!("{problems}\n{text}"));
    let sets: Vec<_> = plan.view.sets.iter().map(|set| (set.path.as_str(), set.driver.as_deref().unwrap_or_default())).collect();
    assert_eq!(sets, [("database", "table"), ("analytics-database", "table"), ("media", "media")]);
}

/// All that `init` writes as a comment is right too: without its `# ` it parses, and the drivers know every key.
#[test]
fn the_examples_that_init_comments_out_are_right() {
    let Draft { text, .. } = init(&Environment::default(), KINDS, &Selection::default()).unwrap();
    let is_toml = |line: &str| line.starts_with('[') || line.split_once(" = ").is_some_and(|(key, _)| !key.contains(' '));
    let lines = text.lines().map(|line| line.strip_prefix("# ").filter(|rest| is_toml(rest)).unwrap_or(line));
    let uncommented = lines.collect::<Vec<_>>().join("\n").replace("[[link]]", "[[set]]\nname = \"database\"\ndriver = \"table\"\npath = \"d\"\n[[set]]\nname = \"media\"\ndriver = \"tree\"\npath = \"m\"\n[[link]]");
    let config = Config::parse("dumprestore.toml", uncommented.clone(), "/srv".into(), &Environment::default());
    let shown = for_show(&config, KINDS, &Selection::default()).err().map(|problems| problems.to_string()).unwrap_or_default();
    // The samples of the tests' own settings are no values to run with, but every key is known.
    assert!(!shown.contains("unknown"), "{shown}\n{uncommented}");
    assert_eq!(config.links.len(), 1);
    assert!(config.problems.is_empty(), "{shown}");
}
