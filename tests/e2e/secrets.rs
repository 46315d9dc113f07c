//! Secrets in other spellings and in other places than their own: nothing that is shown or written holds them.

use std::fs;
use std::io::Read;
use std::path::Path;

use dr_host_tests::host::{Ended, Host};
use rusqlite::Connection;

/// What no secret of these tests can be told from: each holds one of these words, whatever its spelling.
const MARKS: [&str; 2] = ["zebra", "okapi"];

#[track_caller]
fn silent(what: &str, text: &[u8]) {
    let text = String::from_utf8_lossy(text);
    let found = MARKS.iter().find(|mark| text.contains(**mark));
    assert!(found.is_none(), "{what} holds a secret: {text}");
}

#[track_caller]
fn says_nothing(ended: Ended) -> Ended {
    silent("standard output", ended.stdout.as_bytes());
    silent("standard error", ended.stderr.as_bytes());
    ended
}

/// Neither the archive as it lies on the disk nor anything that is compressed in it.
#[track_caller]
fn archive_is_silent(path: &Path) {
    silent("the archive", &fs::read(path).expect("the archive is there"));
    let mut zip = zip::ZipArchive::new(fs::File::open(path).expect("the archive is there")).expect("it is a zip");
    silent("the zip comment", zip.comment());
    for number in 0..zip.len() {
        let mut entry = zip.by_index(number).expect("the entry is readable");
        let mut content = Vec::new();
        entry.read_to_end(&mut content).expect("the entry is whole");
        silent(&format!("entry {number}"), &content);
    }
}

/// All commands that meet a configuration or an archive, plain, loud and as JSON.
#[track_caller]
fn all_commands_are_silent(host: &Host) {
    for more in [&[][..], &["-v"], &["-vv"], &["--json"], &["-q"]] {
        for (command, codes) in [
            (&["plan"][..], [0, 0]),
            (&["dump", "--overwrite", "out.zip"], [0, 3]),
            (&["list", "out.zip"], [0, 0]),
            (&["list", "--entries", "out.zip"], [0, 0]),
            (&["verify", "out.zip"], [0, 3]),
            (&["restore", "--extra", "keep", "--recreate", "--yes", "out.zip"], [0, 0]),
        ] {
            let ended = says_nothing(host.run(command.iter().chain(more)));
            assert!(codes.map(Some).contains(&ended.code), "{command:?}: {ended}");
        }
        archive_is_silent(&host.directory().join("out.zip"));
    }
}

/// A driver repeats its secrets as libraries do: percent-encoded, decoded, as JSON, as a program's text.
#[test]
fn a_secret_is_known_in_every_spelling() {
    let here = tempfile::tempdir().expect("a directory");
    let spellings = [
        "p@ss/zebra word\"1",
        "p%40ss%2Fzebra%20word%221",
        "p%40ss%2fzebra%20word%221",
        "p%40ss%2Fzebra+word%221",
        "p@ss/zebra word\\\"1",
        "tok/okapi%+1",
        "tok%2Fokapi%25%2B1",
    ];
    let said: String = spellings.iter().map(|spelling| format!("<{spelling}> ")).collect();
    let configuration = format!(
        "version = 1\n\n[[set]]\nname = \"leaky\"\ndriver = \"probe\"\nnames = [\"one\"]\nsize = 10\n\
         findings = {{ one = \"changed\" }}\nvalues = [\"${{SHOP_URL}}\", \"${{SHOP_TOKEN}}\"]\nsay = {}\n",
        serde_json::Value::from(said)
    );
    // That `values` refers to the two variables makes them known; links, which would read the values, there are none.
    let host = Host::configured(here.path(), &configuration)
        .env("SHOP_URL", "postgres://shop:p%40ss%2Fzebra%20word%221@db/shop")
        .env("SHOP_TOKEN", "tok/okapi%+1");
    all_commands_are_silent(&host);
    let ended = host.run(["dump", "-vv", "--overwrite", "out.zip"]).expect(3);
    assert!(ended.stderr.contains("<***>"), "what was said is there, struck out: {ended}");
}

/// A value of a link that holds a secret of the configuration, and names nothing: the finding has it struck out. The values themselves
/// are data, and stand in the archive as they are.
#[test]
fn what_a_link_finds_is_told_without_secrets() {
    let here = tempfile::tempdir().expect("a directory");
    let configuration = "version = 1\n\n[[set]]\nname = \"shop\"\ndriver = \"probe\"\nnames = [\"one\"]\nsize = 10\n\
                         values = [\"a/${SHOP_TOKEN}.jpg\"]\n\n[[link]]\nfrom = \"shop\"\ncolumn = \"photo.image\"\nto = \"shop\"\n";
    let host = Host::configured(here.path(), configuration).env("SHOP_TOKEN", "okapi-1");
    let ended = says_nothing(host.run(["dump", "out.zip"]).expect(3));
    assert!(ended.stderr.contains("a/***.jpg"), "{ended}");
    let list = says_nothing(host.run(["list", "--json", "out.zip"]).expect(0));
    assert!(list.stdout.contains("a/***.jpg"), "{list}");
    host.run(["verify", "out.zip"]).expect(3);
}

/// With no configuration: passwords in the variables that name the sets, in those that libraries read, and in one that nobody
/// asked for.
#[test]
fn the_default_set_keeps_the_secrets_of_its_variables() {
    let here = tempfile::tempdir().expect("a directory");
    let database = Connection::open(here.path().join("shop.db")).expect("a database");
    database.execute_batch("CREATE TABLE photo (image TEXT); INSERT INTO photo VALUES ('a.jpg')").expect("a table");
    drop(database);
    fs::create_dir(here.path().join("media")).expect("a directory");
    fs::write(here.path().join("media/a.jpg"), "a picture").expect("a file");
    let host = Host::new(here.path())
        .env("DATABASE_URL", "sqlite://shop:zebra-1@localhost/shop.db?password=zebra-2")
        .env("MEDIA_ROOT", "media")
        .env("AWS_SECRET_ACCESS_KEY", "zebra-3")
        .env("PGPASSWORD", "okapi-4");
    // A database's path has no user and no password; whether such a URL is taken or refused, it is not repeated.
    for more in [&[][..], &["-vv"], &["--json"]] {
        for command in [&["plan"][..], &["dump", "--overwrite", "out.zip"]] {
            says_nothing(host.run(command.iter().chain(more)));
        }
    }
    all_commands_are_silent(&host.env("DATABASE_URL", "sqlite:shop.db?password=zebra-2"));
}

/// `init` writes what the environment shows, but for its secrets.
#[test]
fn init_writes_no_secret() {
    let here = tempfile::tempdir().expect("a directory");
    let host = Host::new(here.path())
        .env("DATABASE_URL", "sqlite:shop.db?password=zebra-1")
        .env("ANALYTICS_DATABASE_URL", "postgres://shop:zebra-2@db/analytics")
        .env("MEDIA_URL", "s3://key:okapi-3@bucket/uploads");
    for file in ["a.toml", "b.toml"] {
        says_nothing(host.run(["init", "-vv", file]));
        if let Ok(written) = fs::read(here.path().join(file)) {
            silent(file, &written);
        }
    }
    assert!(here.path().join("a.toml").exists(), "something was written");
}
