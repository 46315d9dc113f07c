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
    assert_eq!((link.column.table.as_str(), link.column.column.as_str()), ("main.photo", "image"));
    assert_eq!(link.column.json_path.as_deref(), Some("$.path[*]"));
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
    let shown = problems(text, &[]);
    assert_eq!(shown.matches("dumprestore.toml:").count(), 14, "{shown}");
}
