//! What goes to standard output, what to standard error, and what is not said at all.

use std::fs;
use std::io::Read as _;
use std::process::Stdio;

use dr_host_tests::host::{Ended, Host};
use dr_host_tests::transcript::{told, transcript};
use insta::assert_snapshot;
use serde_json::Value;

use super::shop::Shop;

#[test]
fn an_archive_on_standard_output_has_it_for_itself() {
    let shop = Shop::new();
    let output = shop.host.command(["dump", "-"]).output().unwrap();
    fs::write(shop.path().join("piped.zip"), &output.stdout).unwrap();
    let ended = Ended { code: output.status.code(), stdout: String::new(), stderr: String::from_utf8(output.stderr).unwrap() };
    assert_snapshot!("to_standard_output", told(&shop.host, &["dump", "-"], &ended));
    shop.host.run(["verify", "piped.zip"]).expect(0);
}

#[test]
fn events_of_a_dump_to_standard_output_go_to_standard_error_alone() {
    let shop = Shop::new();
    let output = shop.host.command(["dump", "-", "--json"]).output().unwrap();
    let events: Vec<Value> = String::from_utf8(output.stderr).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(events.last().unwrap()["event"], "finished");
}

#[test]
fn quiet_says_nothing_when_all_is_well_and_names_what_is_not() {
    let shop = Shop::new();
    let said = shop.host.run(["-q", "dump", "shop.zip"]).expect(0);
    assert_eq!((said.stdout.as_str(), said.stderr.as_str()), ("", ""));
    let shop = Shop::with_rows(&["gone.jpg"]);
    assert_snapshot!("quiet", transcript(&shop.host, &[&["dump", "shop.zip", "-q"], &["dump", "shop.zip", "-q"]]));
    assert_snapshot!("quiet_restore", transcript(&shop.elsewhere("green"), &[&["restore", "shop.zip", "-q"]]));
}

#[test]
fn verbose_says_what_happens() {
    let shop = Shop::new();
    let said = shop.host.run(["dump", "shop.zip", "-v", "--only", "media"]).expect(0).stderr;
    let expected = ["debug: media: before_dump (media)", "debug: media: point in time 20", "debug: media: after_dump (media)"];
    assert!(expected.iter().all(|line| said.contains(line)), "{said}");
}

#[test]
fn nothing_is_coloured_where_no_terminal_is() {
    let shop = Shop::with_rows(&["gone.jpg"]);
    let host = shop.host.clone().env("TERM", "xterm-256color").env("CLICOLOR_FORCE", "1");
    for arguments in [vec!["dump", "shop.zip"], vec!["list", "shop.zip"], vec!["dump", "shop.zip"]] {
        let said = host.run(arguments);
        assert!(!said.stdout.contains('\x1b') && !said.stderr.contains('\x1b'), "{said}");
    }
}

#[test]
fn who_stops_reading_is_not_told_off() {
    let shop = Shop::new();
    let many = shop.path().join("many");
    fs::create_dir(&many).unwrap();
    for number in 0..20_000 {
        fs::write(many.join(format!("a file with a rather long name, number {number}")), "").unwrap();
    }
    let host = Host::configured(&many, "version = 1\n[[set]]\nname = \"many\"\ndriver = \"media\"\nurl = \".\"\n");
    host.run(["dump", "../many.zip"]).expect(0);
    let mut listing = host.command(["list", "../many.zip", "--entries"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut first = [0; 10];
    listing.stdout.take().unwrap().read_exact(&mut first).unwrap();
    let output = listing.wait_with_output().unwrap();
    assert_eq!((output.status.code(), String::from_utf8_lossy(&output.stderr).as_ref()), (Some(0), ""));
}

#[test]
fn results_that_cannot_be_written_are_a_failure() {
    let shop = Shop::dumped();
    let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let output = shop.host.command(["list", "shop.zip"]).stdout(full).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(
        (output.status.code(), said.as_str()),
        (Some(1), "error: cannot write to standard output: no space left on device\nhint: free some space, or write to another disk\n")
    );
}

/// The archive stands, whatever became of the report: nobody may take it for missing.
#[test]
fn a_run_whose_report_cannot_be_written_is_no_failure() {
    let shop = Shop::new();
    let into_full = |arguments: &[&str]| {
        let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let output = shop.host.command(arguments).stdout(full).output().unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    let why = "but not all that is to be said of it could be: cannot write to standard output: no space left on device
hint: free some space, or write to another disk\n";
    for (arguments, what) in [
        (&["dump", "shop.zip", "--json", "-q"][..], "the archive is whole"),
        (&["dump", "shop.zip", "--overwrite"], "the archive is whole"),
        (&["verify", "shop.zip"], "every byte is right"),
        (&["restore", "--only", "media", "shop.zip", "--json"], "every set is restored"),
    ] {
        let (code, said) = into_full(arguments);
        assert!(code == Some(3) && said.ends_with(&format!("finding: {what}, {why}")), "{arguments:?}: {code:?}\n{said}");
    }
    shop.host.run(["verify", "shop.zip"]).expect(0);
    let (code, said) = into_full(&["dump", "shop.zip", "--json"]);
    assert!(code == Some(2) && !said.contains("finding"), "what fails anyhow has its own code: {code:?}\n{said}");
}

#[test]
fn help_shows_the_exit_codes() {
    let directory = tempfile::tempdir().unwrap();
    let host = Host::new(directory.path());
    assert_snapshot!("help", transcript(&host, &[&["--help"], &["dump", "--help"], &["restore", "--help"]]));
    let documented = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/exit-codes.md")).unwrap();
    for command in ["dump", "restore", "list", "verify", "plan", "init"] {
        let help = host.run([command, "-h"]).expect(0).stdout;
        for code in ["0", "1", "2", "3", "129", "130", "143"] {
            assert!(help.lines().any(|line| line.trim_start().starts_with(&format!("{code} "))), "{command}: {code}\n{help}");
            assert!(documented.contains(&format!("| {code} |")), "docs/exit-codes.md: {code}");
        }
    }
}
