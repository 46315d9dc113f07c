//! Everything that a person can get wrong: what they read, that nothing was begun, and the exit code.

use std::fs;

use dr_host_tests::host::Host;
use dr_host_tests::transcript::transcript;
use insta::assert_snapshot;

use super::shop::Shop;

#[test]
fn arguments_that_make_no_sense_are_usage_errors() {
    let directory = tempfile::tempdir().unwrap();
    let host = Host::new(directory.path());
    let commands: [&[&str]; 6] = [
        &[],
        &["dmup", "a.zip"],
        &["dump"],
        &["dump", "a.zip", "--compression", "lz4"],
        &["-q", "-v", "plan"],
        &["verify", "a.zip", "--expect", "abc"],
    ];
    assert_snapshot!("usage", transcript(&host, &commands));
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
}

#[test]
fn a_configuration_that_is_wrong_is_shown_with_all_its_faults() {
    let directory = tempfile::tempdir().unwrap();
    let configuration = "version = 1\n\n[[set]]\nname = \"database\"\ndriver = \"sqlte\"\npath = \"${SHOP_DB}\"\n\n\
                         [[set]]\nname = \"media\"\ndriver = \"media\"\nurl = \"media\"\nexclud = [\"*.tmp\"]\n";
    let host = Host::configured(directory.path(), configuration);
    assert_snapshot!("configuration", transcript(&host, &[&["dump", "a.zip"], &["plan", "-c", "other.toml"]]));
    assert!(!directory.path().join("a.zip").exists());
}

#[test]
fn nothing_to_dump_is_an_error_that_says_what_to_do() {
    let directory = tempfile::tempdir().unwrap();
    let host = Host::new(directory.path());
    assert_snapshot!("nothing", transcript(&host, &[&["dump", "a.zip"]]));
}

#[test]
fn sets_that_do_not_exist_are_usage_errors_everywhere() {
    let shop = Shop::dumped();
    let commands: [&[&str]; 5] = [
        &["plan", "--only", "medai"],
        &["dump", "b.zip", "--skip", "state/kyes"],
        &["list", "shop.zip", "--only", "databases"],
        &["verify", "shop.zip", "--skip", "x"],
        &["restore", "shop.zip", "--only", "media2"],
    ];
    assert_snapshot!("no_such_set", transcript(&shop.host, &commands));
}

#[test]
fn places_that_cannot_hold_an_archive_are_refused() {
    let shop = Shop::dumped();
    let before = fs::read(shop.path().join("shop.zip")).unwrap();
    let commands: [&[&str]; 4] = [&["dump", "shop.zip"], &["dump", "missing/b.zip"], &["dump", "media"], &["dump", "s3://bucket/shop.zip"]];
    assert_snapshot!("no_place", transcript(&shop.host, &commands));
    assert_eq!(fs::read(shop.path().join("shop.zip")).unwrap(), before, "the archive that was there is untouched");
    shop.host.run(["dump", "shop.zip", "--overwrite"]).expect(0);
}

#[test]
fn what_is_no_archive_cannot_be_read() {
    let shop = Shop::new();
    fs::write(shop.path().join("text.zip"), "no zip at all").unwrap();
    let commands: [&[&str]; 5] =
        [&["list", "-"], &["restore", "-"], &["verify", "missing.zip"], &["list", "text.zip"], &["verify", "media"]];
    assert_snapshot!("no_archive", transcript(&shop.host, &commands));
}

#[test]
fn an_archive_is_the_expected_one_or_refused() {
    let shop = Shop::dumped();
    let listed = shop.host.run(["list", "shop.zip", "--json"]).expect(0);
    let document: serde_json::Value = serde_json::from_str(&listed.stdout).unwrap();
    let hash = document["archive"]["sha256"].as_str().unwrap();
    shop.host.run(["verify", "shop.zip", "--expect", hash]).expect(0);
    shop.host.run(["verify", "shop.zip", "--expect", &hash.to_uppercase()]).expect(0);
    let other = "0".repeat(64);
    let commands: [&[&str]; 2] = [&["verify", "shop.zip", "--expect", &other], &["restore", "shop.zip", "--expect", &other]];
    assert_snapshot!("not_expected", transcript(&shop.host, &commands));
}

#[test]
fn what_destroys_needs_yes_where_nobody_can_be_asked() {
    let shop = Shop::dumped();
    let commands: [&[&str]; 2] = [&["restore", "shop.zip", "--recreate"], &["restore", "shop.zip", "--extra", "delete"]];
    assert_snapshot!("needs_yes", transcript(&shop.host, &commands));
}

#[test]
fn a_bug_in_a_driver_is_told_like_any_failure() {
    let directory = tempfile::tempdir().unwrap();
    let host = Host::configured(directory.path(), "version = 1\n[[set]]\nname = \"a\"\ndriver = \"probe\"\npanic = [\"dump\"]\n");
    assert_snapshot!("panic", transcript(&host, &[&["dump", "a.zip"]]));
    assert!(host.run(["dump", "a.zip", "-v"]).expect(1).stderr.contains("debug: panicked at host/src/drivers/probe.rs:"));
}

#[test]
fn an_archive_and_a_configuration_that_do_not_belong_together_are_told_apart() {
    let shop = Shop::dumped();
    let configuration = "version = 1\n[[set]]\nname = \"database\"\ndriver = \"sqlite\"\npath = \"x.db\"\n\
                         [[set]]\nname = \"search\"\ndriver = \"filesystem\"\npath = \"search\"\n";
    fs::write(shop.path().join("other.toml"), configuration).unwrap();
    assert_snapshot!("other_sets", transcript(&shop.host, &[&["restore", "shop.zip", "-c", "other.toml"]]));
}

#[test]
fn damage_is_named_and_gives_exit_code_1() {
    let shop = Shop::dumped();
    let path = shop.path().join("shop.zip");
    let mut bytes = fs::read(&path).unwrap();
    // Nothing is compressed, so the content of `orphan.jpg` stands in the archive as it is.
    let at = bytes.windows(5).position(|window| window == b"three").unwrap();
    bytes[at] ^= 1;
    fs::write(&path, bytes).unwrap();
    let commands: [&[&str]; 2] = [&["verify", "shop.zip"], &["verify", "shop.zip", "--skip", "media"]];
    assert_snapshot!("damaged", transcript(&shop.host, &commands));
}

#[test]
fn a_source_that_cannot_be_read_fails_the_dump_and_leaves_nothing() {
    let shop = Shop::new();
    fs::remove_dir_all(shop.path().join("keys")).unwrap();
    fs::write(shop.path().join("shop.db"), "this is no database, but it is long enough to look at").unwrap();
    assert_snapshot!("failed", transcript(&shop.host, &[&["dump", "shop.zip"]]));
    let left = fs::read_dir(shop.path()).unwrap().map(|entry| entry.unwrap().file_name());
    assert!(left.into_iter().all(|name| !name.to_string_lossy().contains("zip")));
}
