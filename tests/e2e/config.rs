//! The configuration through the command line: mistakes are all told, nothing is touched, and no secret gets out.

use std::fs;
use std::io::Read as _;
use std::path::Path;

use dr_host_tests::host::{Ended, Host};
use tempfile::TempDir;

fn directory() -> TempDir {
    tempfile::tempdir().expect("a temporary directory")
}

/// The names in a directory, sorted.
fn names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).expect("the directory can be read");
    let mut names: Vec<_> = entries.map(|entry| entry.expect("an entry").file_name().into_string().expect("a text")).collect();
    names.sort();
    names
}

#[test]
fn every_mistake_of_a_file_is_told_by_every_command_and_nothing_is_written() {
    let directory = directory();
    let host = Host::configured(
        directory.path(),
        r#"version = 1
[archive]
compresion = "zstd"
[[set]]
name = "database"
driver = "sqlit"
path = "${SHOP}/shop.db"
[[set]]
name = "media"
driver = "media"
url = "media"
unreadable = "skp"
[[link]]
from = "database"
column = "photo.file"
to = "medai"
"#,
    );
    for arguments in [&["plan"][..], &["dump", "out.zip"], &["dump", "--json", "out.zip"]] {
        let ended = host.run(arguments).expect(2);
        let said = ended.stdout.clone() + &ended.stderr;
        for part in [
            "dumprestore.toml:3:1: unknown key `compresion`",
            "did you mean `compression`?",
            "dumprestore.toml:6:10: unknown driver `sqlit`",
            "did you mean `sqlite`?",
            "dumprestore.toml:7:9: the variable `SHOP` is not set",
            "dumprestore.toml:12:14: this must be one of `fail`, `skip`",
            "dumprestore.toml:16:6: there is no set `medai`",
            "did you mean `media`?",
        ] {
            assert!(said.contains(part), "{part} is not in:\n{ended}");
        }
    }
    assert_eq!(names(directory.path()), ["dumprestore.toml"]);
}

#[test]
fn the_text_of_a_mistake_is_what_people_see() {
    let directory = directory();
    let host = Host::configured(
        directory.path(),
        "version = 1\n[[set]]\nname = \"state\"\ndriver = \"filesystem\"\npath = \"state\"\nexlude = [\"*.tmp\"]\n",
    );
    let ended = host.run(["plan"]).expect(2);
    assert_eq!(ended.stdout, "");
    assert_eq!(
        ended.stderr,
        "error: dumprestore.toml:6:1: unknown key `exlude` of driver `filesystem`
  6 | exlude = [\"*.tmp\"]
    | ^^^^^^
hint: did you mean `exclude`?
"
    );
}

#[test]
fn a_file_that_is_named_must_exist_and_is_taken_before_the_others() {
    let directory = directory();
    let host = Host::configured(directory.path(), "version = 1\n[[set]]\nname = \"here\"\ndriver = \"filesystem\"\npath = \".\"\n");
    fs::create_dir(directory.path().join("etc")).unwrap();
    let there = "version = 1\n[[set]]\nname = \"there\"\ndriver = \"filesystem\"\npath = \"state\"\n";
    fs::write(directory.path().join("etc/other.toml"), there).unwrap();
    let ended = host.run(["plan", "-c", "none.toml"]).expect(2);
    assert!(ended.stderr.contains("there is no configuration `none.toml`"), "{ended}");
    assert!(host.run(["plan"]).expect(0).stdout.contains("here"));
    let ended = host.run(["plan", "-c", "etc/other.toml"]).expect(0);
    let target = directory.path().canonicalize().unwrap().join("etc/state");
    assert!(ended.stdout.contains(&target.display().to_string()), "relative paths start from the file's directory: {ended}");
}

#[test]
fn without_a_file_the_environment_says_what_there_is() {
    let directory = directory();
    let host = Host::new(directory.path());
    let ended = host.run(["dump", "out.zip"]).expect(2);
    assert!(ended.stderr.contains("set `DATABASE_URL`, `MEDIA_URL` or `MEDIA_ROOT`"), "{ended}");

    for name in ["shop.db", "analytics.db"] {
        rusqlite::Connection::open(directory.path().join(name))
            .unwrap()
            .execute_batch("CREATE TABLE t (a); INSERT INTO t VALUES (1)")
            .unwrap();
    }
    fs::create_dir(directory.path().join("media")).unwrap();
    fs::write(directory.path().join("media/a.txt"), "a").unwrap();
    let at = |name: &str| directory.path().join(name).display().to_string();
    let host = host
        .env("MEDIA_ROOT", &at("media"))
        .env("ANALYTICS_DATABASE_URL", &format!("sqlite:///{}", at("analytics.db")))
        .env("DATABASE_URL", &format!("sqlite:///{}", at("shop.db")));
    let events = host.run(["dump", "--json", "out.zip"]).expect(0).events_of("started");
    assert_eq!(events[0]["sets"], serde_json::json!(["database", "analytics-database", "media"]));

    let ended = host.env("OLD_DATABASE_URL", "mysql://shop:hunter2@db/shop").run(["plan"]).expect(2);
    assert!(ended.stderr.contains("`OLD_DATABASE_URL`: this version of dr-host has no driver for `mysql:`"), "{ended}");
    assert!(!ended.stderr.contains("hunter2"), "{ended}");
}

#[test]
fn what_init_writes_is_a_configuration_and_replaces_none() {
    let directory = directory();
    let host = Host::new(directory.path()).env("MEDIA_ROOT", "media").env("DATABASE_URL", "sqlite://shop.db?password=hunter2");
    host.run(["init"]).expect(0);
    let written = fs::read_to_string(directory.path().join("dumprestore.toml")).unwrap();
    assert!(!written.contains("hunter2"), "{written}");
    let ended = host.run(["plan", "--json"]).expect(0);
    let plan: serde_json::Value = serde_json::from_str(&ended.stdout).unwrap();
    let sets: Vec<_> =
        plan["sets"].as_array().unwrap().iter().map(|set| (set["path"].as_str().unwrap(), set["driver"].as_str().unwrap())).collect();
    assert_eq!(sets, [("database", "sqlite"), ("media", "media")]);
    assert_eq!(plan["configuration"], "dumprestore.toml");

    fs::write(directory.path().join("dumprestore.toml"), "mine").unwrap();
    assert!(host.run(["init"]).expect(2).stderr.contains("exists"));
    assert_eq!(fs::read_to_string(directory.path().join("dumprestore.toml")).unwrap(), "mine");
}

/// A driver that repeats a secret in all that it says; secrets in a URL, in a table of secrets, in a variable that is named.
const LEAKY: &str = r#"version = 1
[[set]]
name = "leaky"
driver = "probe"
names = ["one"]
values = ["one"]
size = 10
say = "${API_TOKEN} and ${SHOP_URL}"
findings = { one = "changed" }
[[set]]
name = "quiet"
driver = "probe"
[[link]]
from = "leaky"
column = "t.c"
where = "'${API_TOKEN}' = ''"
to = "quiet"
"#;

const SECRETS: [(&str, &str); 3] =
    [("API_TOKEN", "tok\"en/zebra%"), ("SHOP_URL", "postgres://shop:p%40ss-zebra/x@db/shop"), ("AWS_SECRET_ACCESS_KEY", "zebra-key-zebra")];

fn leaky(directory: &Path, configuration: &str) -> Host {
    SECRETS.iter().fold(Host::configured(directory, configuration), |host, (name, value)| host.env(name, value))
}

#[track_caller]
fn assert_silent(ended: &Ended) {
    assert!(!format!("{}{}", ended.stdout, ended.stderr).contains("zebra"), "{ended}");
}

#[test]
fn no_secret_is_in_any_output_of_a_passing_run_nor_in_its_archive() {
    let directory = directory();
    let host = leaky(directory.path(), LEAKY);
    for (arguments, code) in [
        (&["plan"][..], 0),
        (&["plan", "--json"], 0),
        (&["dump", "out.zip"], 3),
        (&["dump", "-vv", "--overwrite", "out.zip"], 3),
        (&["dump", "--json", "--overwrite", "out.zip"], 3),
        (&["list", "out.zip"], 0),
        (&["list", "--json", "out.zip"], 0),
        (&["verify", "-vv", "out.zip"], 3),
        (&["verify", "--json", "out.zip"], 3),
        (&["restore", "-vv", "out.zip"], 0),
        (&["restore", "--json", "out.zip"], 0),
    ] {
        let ended = host.run(arguments).expect(code);
        assert_silent(&ended);
        assert_ne!(ended.stdout.clone() + &ended.stderr, "", "{arguments:?}");
    }
    assert!(host.run(["dump", "--json", "--overwrite", "out.zip"]).expect(3).stdout.contains("***"));
    let mut archive = zip::ZipArchive::new(fs::File::open(directory.path().join("out.zip")).unwrap()).unwrap();
    for number in 0..archive.len() {
        let mut content = Vec::new();
        archive.by_index(number).unwrap().read_to_end(&mut content).unwrap();
        assert!(!String::from_utf8_lossy(&content).contains("zebra"), "{}", String::from_utf8_lossy(&content));
    }
    assert!(!String::from_utf8_lossy(&fs::read(directory.path().join("out.zip")).unwrap()).contains("zebra"));
}

#[test]
fn no_secret_is_in_any_output_of_a_run_that_fails() {
    let directory = directory();
    leaky(directory.path(), LEAKY).run(["dump", "out.zip"]).expect(3);
    for moment in ["before_dump", "dump", "after_dump", "before_restore", "restore", "after_restore"] {
        for how in ["fail", "panic"] {
            let text = LEAKY.replacen("size = 10\n", &format!("size = 10\n{how} = [\"{moment}\"]\n"), 1);
            let host = leaky(directory.path(), &text);
            let arguments = if moment.contains("dump") { ["dump", "new.zip"] } else { ["restore", "out.zip"] };
            for more in [&[][..], &["-vv"], &["--json"]] {
                let ended = host.run(arguments.iter().chain(more));
                assert_ne!(ended.code, Some(0), "{moment} {how}: {ended}");
                assert_silent(&ended);
                let _none_if_it_failed = fs::remove_file(directory.path().join("new.zip"));
            }
        }
    }
}

#[test]
fn no_secret_is_in_the_mistakes_of_a_file() {
    let directory = directory();
    for wrong in [
        "driver = \"prob\"\nsay = \"${SHOP_URL}\"\n",
        "driver = \"probe\"\nfail = \"${SHOP_URL}\"\n",
        "driver = \"probe\"\npassword = \"zebra1\"\n",
        "driver = \"probe\"\npassword = \"zebra2\n",
        "driver = \"probe\"\nworth = \"${API_TOKEN}\"\n",
        "driver = \"sqlite\"\nurl = \"${SHOP_URL}\"\n",
        "driver = \"media\"\nurl = \"${SHOP_URL}\"\n",
        "driver = \"sqlite\"\npath = \"x\"\nlock_timeout = \"${API_TOKEN}\"\n",
        "driver = \"probe\"\nsay = \"redis://:zebra3@h/${NOWHERE}\"\n",
    ] {
        let host = leaky(directory.path(), &format!("version = 1\n[[set]]\nname = \"a\"\n{wrong}"));
        for arguments in [&["plan"][..], &["dump", "--json", "out.zip"], &["plan", "-vv"]] {
            assert_silent(&host.run(arguments).expect(2));
        }
    }
}
