//! What a person does with dr-host from the first day to the day when it is needed, and what they read on the way.

use std::fs;

use dr_host_tests::host::Host;
use dr_host_tests::transcript::transcript;
use insta::assert_snapshot;

use super::shop::Shop;

#[test]
fn a_shop_is_planned_dumped_looked_at_and_restored_elsewhere() {
    let shop = Shop::new();
    assert_snapshot!("plan", transcript(&shop.host, &[&["plan"]]));
    assert_snapshot!("dump", transcript(&shop.host, &[&["dump", "shop.zip"]]));
    assert_snapshot!("list", transcript(&shop.host, &[&["list", "shop.zip"]]));
    // The entries of a set stand in the order in which the compressing threads were done with them.
    let entries = transcript(&shop.host, &[&["list", "shop.zip", "--entries", "--skip", "media"]]);
    let mut lines: Vec<_> = entries.lines().collect();
    lines.sort_unstable();
    assert_snapshot!("entries", lines.join("\n"));
    assert_snapshot!("verify", transcript(&shop.host, &[&["verify", "shop.zip"], &["verify", "shop.zip", "--only", "media"]]));
    let green = shop.elsewhere("green");
    assert_snapshot!("restore", transcript(&green, &[&["restore", "shop.zip"]]));
    assert_eq!(fs::read(shop.path().join("green/media/a b.jpg")).unwrap(), b"one");
    assert_eq!(fs::read(shop.path().join("green/keys/signing.key")).unwrap(), b"0123456789");
}

#[test]
fn a_failed_release_is_rolled_back_over_what_it_left() {
    let shop = Shop::dumped();
    fs::write(shop.path().join("media/a b.jpg"), "spoiled by the release").unwrap();
    fs::write(shop.path().join("media/new.jpg"), "made by the release").unwrap();
    let host = &shop.host;
    assert_snapshot!("roll_back", transcript(host, &[&["restore", "shop.zip"]]));
    host.run(["restore", "shop.zip", "--recreate", "--extra", "delete", "--yes"]).expect(0);
    assert_eq!(fs::read(shop.path().join("media/a b.jpg")).unwrap(), b"one");
    assert!(!shop.path().join("media/new.jpg").exists());
}

#[test]
fn links_that_dangle_are_named_by_dump_list_verify_and_restore() {
    let shop = Shop::with_rows(&["a b.jpg", "gone.jpg"]);
    let commands: [&[&str]; 3] = [&["dump", "shop.zip"], &["list", "shop.zip"], &["verify", "shop.zip"]];
    assert_snapshot!("dangling", transcript(&shop.host, &commands));
    let green = shop.elsewhere("green");
    assert_snapshot!("dangling_restored", transcript(&green, &[&["restore", "shop.zip"]]));
}

#[test]
fn sets_are_left_out_of_everything() {
    let shop = Shop::new();
    let commands: [&[&str]; 4] = [
        &["plan", "--only", "state"],
        &["dump", "shop.zip", "--skip", "media", "--skip", "state"],
        &["list", "shop.zip"],
        &["restore", "shop.zip", "--only", "database", "--recreate", "--yes"],
    ];
    assert_snapshot!("left_out", transcript(&shop.host, &commands));
}

#[test]
fn a_first_configuration_is_written_from_the_environment_and_never_over_another() {
    let directory = tempfile::tempdir().unwrap();
    let host = Host::new(directory.path()).env("DATABASE_URL", "sqlite:shop.db").env("MEDIA_ROOT", "media");
    fs::create_dir(directory.path().join("media")).unwrap();
    rusqlite::Connection::open(directory.path().join("shop.db")).unwrap().execute_batch("CREATE TABLE t (a)").unwrap();
    assert_snapshot!("init", transcript(&host, &[&["plan"], &["init"], &["init"], &["plan"]]));
    let text = fs::read_to_string(directory.path().join("dumprestore.toml")).unwrap();
    assert!(text.contains("\nurl = \"${DATABASE_URL}\""), "{text}");
    host.run(["init", "--skip", "media", "databases.toml"]).expect(0);
    let plan = host.run(["plan", "-c", "databases.toml"]).expect(0).stdout;
    assert!(plan.contains("database") && !plan.contains("media"), "{plan}");
}

#[test]
fn what_a_package_installs_is_printed_or_written() {
    let directory = tempfile::tempdir().unwrap();
    let host = Host::new(directory.path());
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        assert!(host.run(["completions", shell]).expect(0).stdout.contains("restore"), "{shell}");
    }
    assert!(host.run(["man"]).expect(0).stdout.contains(".TH dr-host 1"));
    host.run(["man", "pages"]).expect(0);
    for page in ["dr-host.1", "dr-host-dump.1", "dr-host-restore.1", "dr-host-verify.1"] {
        let text = fs::read_to_string(directory.path().join("pages").join(page)).unwrap();
        assert!(text.contains("Exit status"), "{page}:\n{text}");
    }
}
