//! The plan through the command line: nothing is touched, sets inside sets are left out, what is asked for is what runs.

use std::fs;
use std::path::Path;

use dr_host_tests::host::Host;
use rusqlite::Connection;
use serde_json::json;
use tempfile::TempDir;

/// A shop whose database lies inside the directory of its other state.
const SHOP: &str = r#"version = 1
[[set]]
name = "database"
driver = "sqlite"
path = "state/shop.db"
[[set]]
name = "media"
driver = "media"
url = "media"
[[set]]
name = "files"
[[set.children]]
name = "state"
driver = "filesystem"
path = "state"
[[link]]
from = "database"
column = "photo.file"
to = "media"
"#;

struct Shop {
    directory: TempDir,
    host: Host,
}

impl Shop {
    fn new() -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let host = Host::configured(directory.path(), SHOP);
        for (name, text) in [("media/a.txt", "a"), ("state/keys/one", "1"), ("state/note", "n")] {
            let path = directory.path().join(name);
            fs::create_dir_all(path.parent().expect("it has one")).expect("a directory");
            fs::write(path, text).expect("a file");
        }
        let shop = Self { directory, host };
        shop.sql("PRAGMA journal_mode = WAL; CREATE TABLE photo (file); INSERT INTO photo VALUES ('a.txt')");
        shop
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.directory.path().join(name)
    }

    fn sql(&self, sql: &str) {
        Connection::open(self.path("state/shop.db")).expect("the database").execute_batch(sql).expect("right SQL");
    }

    fn photos(&self) -> i64 {
        let database = Connection::open(self.path("state/shop.db")).expect("the database");
        database.query_row("SELECT count(*) FROM photo", [], |row| row.get(0)).expect("a number")
    }
}

/// Every file below a directory with its content, sorted.
fn snapshot(directory: &Path) -> Vec<(String, Vec<u8>)> {
    let mut files = Vec::new();
    let mut open = vec![directory.to_owned()];
    while let Some(next) = open.pop() {
        for entry in fs::read_dir(next).expect("the directory can be read") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                open.push(path);
            } else {
                files.push((path.display().to_string(), fs::read(&path).expect("the file can be read")));
            }
        }
    }
    files.sort();
    files
}

/// The names of an archive's entries that stand for content.
fn entries(archive: &Path) -> Vec<String> {
    let archive = zip::ZipArchive::new(fs::File::open(archive).expect("the archive")).expect("a zip");
    let mut names: Vec<_> = archive.file_names().map(|name| name.expect("a name").into_owned()).collect();
    names.retain(|name| !name.starts_with("dr-host/"));
    names.sort();
    names
}

#[test]
fn a_plan_tells_the_tree_and_touches_nothing() {
    let shop = Shop::new();
    let before = snapshot(shop.directory.path());
    let ended = shop.host.run(["plan", "--json"]).expect(0);
    let plan: serde_json::Value = serde_json::from_str(&ended.stdout).expect("one document");
    let sets = plan["sets"].as_array().expect("sets");
    let brief: Vec<_> = sets.iter().map(|set| json!([set["path"], set["depth"], set["order"], set["driver"], set["worth"]])).collect();
    assert_eq!(
        brief,
        [
            json!(["database", 0, 1, "sqlite", "exact"]),
            json!(["media", 0, 2, "media", "interval"]),
            json!(["files", 0, null, null, null]),
            json!(["files/state", 1, 3, "filesystem", "interval"]),
        ]
    );
    assert_eq!(plan["links"][0]["safe_order"], true);
    assert!(sets[0]["size"].as_u64() > Some(0), "{ended}");
    shop.host.run(["plan"]).expect(0);
    assert_eq!(snapshot(shop.directory.path()), before);
}

#[test]
fn a_database_inside_a_directory_is_in_the_archive_once_and_the_archive_not_at_all() {
    let shop = Shop::new();
    let application = Connection::open(shop.path("state/shop.db")).expect("the database");
    application.execute_batch("INSERT INTO photo VALUES ('a.txt')").expect("right SQL");
    assert!(shop.path("state/shop.db-wal").exists());
    let ended = shop.host.run(["dump", "state/out.zip"]).expect(0);
    assert!(ended.stderr.contains("`database` lies inside it, and is left out here"), "{ended}");
    assert!(ended.stderr.contains("the archive lies inside it, and is left out"), "{ended}");
    assert_eq!(
        entries(&shop.path("state/out.zip")),
        ["database/database.sqlite3", "files/state/", "files/state/keys/", "files/state/keys/one", "files/state/note", "media/a.txt"]
    );
}

/// The restore of a directory must not take a database for something extra, also when the database is not restored.
#[test]
fn a_restore_of_the_directory_spares_the_database_and_the_archive_inside() {
    let shop = Shop::new();
    shop.host.run(["dump", "state/out.zip"]).expect(0);
    shop.sql("INSERT INTO photo VALUES ('b.txt')");
    fs::write(shop.path("state/note"), "changed").unwrap();
    fs::write(shop.path("state/extra"), "new").unwrap();
    shop.host.run(["restore", "--only", "files", "--extra", "delete", "--yes", "state/out.zip"]).expect(0);
    assert_eq!(fs::read_to_string(shop.path("state/note")).unwrap(), "n");
    assert!(!shop.path("state/extra").exists());
    assert!(shop.path("state/out.zip").exists());
    assert_eq!(shop.photos(), 2);
}

#[test]
fn only_and_skip_mean_the_same_to_every_command() {
    let shop = Shop::new();
    shop.host.run(["dump", "--skip", "files", "two.zip"]).expect(0);
    assert_eq!(entries(&shop.path("two.zip")), ["database/database.sqlite3", "media/a.txt"]);
    for command in [&["plan"][..], &["dump", "x.zip"], &["list", "two.zip"], &["verify", "two.zip"], &["restore", "two.zip"]] {
        let ended = shop.host.run(command.iter().chain(&["--only", "medai"])).expect(2);
        assert!(ended.stderr.contains("`--only medai`: there is no such set") && ended.stderr.contains("did you mean `media`?"), "{ended}");
    }
    let listed = shop.host.run(["list", "--only", "media", "two.zip"]).expect(0);
    assert!(listed.stdout.contains("interval") && !listed.stdout.contains("sqlite"), "{listed}");
    let ended = shop.host.run(["dump", "--only", "database", "one.zip"]).expect(0);
    assert!(ended.stderr.contains("is not checked: `media` is left out"), "{ended}");
    assert!(!shop.path("x.zip").exists());
}

#[test]
fn an_archive_of_other_sets_is_restored_only_as_far_as_is_said() {
    let shop = Shop::new();
    shop.host.run(["dump", "--skip", "files", "two.zip"]).expect(0);
    let before = snapshot(&shop.path("media"));
    let ended = shop.host.run(["restore", "two.zip"]).expect(2);
    let said = "the configuration has a set `files/state`, the archive has not: it was left out of the dump";
    assert!(ended.stderr.contains(said) && ended.stderr.contains("--skip files/state"), "{ended}");

    let renamed = SHOP.replace("name = \"media\"", "name = \"uploads\"").replace("to = \"media\"", "to = \"uploads\"");
    fs::write(shop.path("dumprestore.toml"), renamed).unwrap();
    let ended = shop.host.run(["restore", "--skip", "files", "two.zip"]).expect(2);
    assert!(ended.stderr.contains("the archive has a set `media`, the configuration has not"), "{ended}");
    assert!(ended.stderr.contains("the configuration has a set `uploads`, the archive has not"), "{ended}");
    assert_eq!(snapshot(&shop.path("media")), before);
    shop.host.run(["restore", "--skip", "files", "--skip", "media", "--skip", "uploads", "--recreate", "--yes", "two.zip"]).expect(0);
}

#[test]
fn another_file_with_the_same_names_restores_elsewhere() {
    let shop = Shop::new();
    shop.host.run(["dump", "out.zip"]).expect(0);
    fs::create_dir(shop.path("green")).unwrap();
    fs::write(shop.path("green/dumprestore.toml"), SHOP).unwrap();
    shop.host.run(["restore", "-c", "green/dumprestore.toml", "out.zip"]).expect(0);
    assert_eq!(fs::read_to_string(shop.path("green/media/a.txt")).unwrap(), "a");
    assert_eq!(fs::read_to_string(shop.path("green/state/keys/one")).unwrap(), "1");
    assert!(shop.path("green/state/shop.db").exists());
}

#[test]
fn a_link_whose_target_runs_first_is_refused_unless_told_otherwise() {
    let shop = Shop::new();
    let at = SHOP.find("[[set]]\nname = \"media\"").expect("media");
    let end = SHOP.find("[[set]]\nname = \"files\"").expect("files");
    let media_first = format!("version = 1\n{}{}{}", &SHOP[at..end], &SHOP["version = 1\n".len()..at], &SHOP[end..]);
    fs::write(shop.path("dumprestore.toml"), &media_first).unwrap();
    let ended = shop.host.run(["dump", "out.zip"]).expect(2);
    assert!(ended.stderr.contains("`media` runs before `database`, which refers to it"), "{ended}");
    assert!(!shop.path("out.zip").exists());
    fs::write(shop.path("dumprestore.toml"), media_first + "unsafe_order = true\n").unwrap();
    let ended = shop.host.run(["dump", "out.zip"]).expect(0);
    assert!(ended.stderr.contains("`unsafe_order` allows it"), "{ended}");
}

#[test]
fn an_archive_may_not_take_the_place_of_what_it_holds() {
    let shop = Shop::new();
    let before = fs::read(shop.path("state/shop.db")).unwrap();
    let ended = shop.host.run(["dump", "--overwrite", "state/shop.db"]).expect(2);
    assert!(ended.stderr.contains("is what `database` stands for"), "{ended}");
    assert_eq!(fs::read(shop.path("state/shop.db")).unwrap(), before);
}
