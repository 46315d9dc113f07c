//! On a terminal: colours, progress lines, questions. `script` gives the binary one.

use std::fs;
use std::io::Write as _;
use std::process::{Command, Stdio};

use dr_host_tests::host::{Host, binary};
use dr_host_tests::machine::tool;

use super::shop::Shop;

/// Runs the binary on a terminal of this many columns, where a person types `typed`; gives all that the terminal shows, and the
/// exit code.
fn on_terminal(host: &Host, columns: u16, arguments: &str, environment: &[(&str, &str)], typed: &str) -> (String, i32) {
    let mut command: Command = tool("script");
    let line = format!("stty rows 40 cols {columns}; '{}' {arguments}", binary().display());
    command.args(["--quiet", "--return", "--command", &line, "/dev/null"]).current_dir(host.directory());
    command.env_remove("NO_COLOR").env("TERM", "xterm-256color").env("SHELL", "/bin/sh").envs(environment.iter().copied());
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(typed.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    (String::from_utf8_lossy(&output.stdout).replace('\r', ""), output.status.code().unwrap())
}

#[test]
fn colours_are_for_terminals_and_no_color_turns_them_off() {
    let shop = Shop::dumped();
    let (shown, code) = on_terminal(&shop.host, 100, "list shop.zip", &[], "");
    assert_eq!(code, 0);
    assert!(shown.contains("\x1b[1mdatabase\x1b[0m"), "{shown:?}");
    for (name, value) in [("NO_COLOR", "1"), ("TERM", "dumb")] {
        let (plain, _) = on_terminal(&shop.host, 100, "list shop.zip", &[(name, value)], "");
        assert!(!plain.contains('\x1b'), "{name}: {plain:?}");
    }
}

#[test]
fn a_running_set_has_a_line_of_its_own_and_none_is_left_at_the_end() {
    let shop = Shop::new();
    let big = shop.path().join("media/big.bin");
    fs::write(&big, vec![7; 64 << 20]).unwrap();
    let (shown, code) = on_terminal(&shop.host, 100, "dump shop.zip --compression deflate", &[], "");
    assert_eq!(code, 0);
    assert!(shown.contains("━") && shown.contains("media"), "{shown:?}");
    let last = shown.rsplit("\x1b[2K").next().unwrap();
    assert!(last.contains("dumped 3 sets") && !last.contains('━'), "{last:?}");
    let (silent, _) = on_terminal(&shop.host, 100, "-q dump other.zip", &[], "");
    assert_eq!(silent, "");
}

#[test]
fn a_narrow_terminal_gets_a_narrower_table() {
    let shop = Shop::dumped();
    let (wide, _) = on_terminal(&shop.host, 120, "list shop.zip", &[("NO_COLOR", "1")], "");
    assert!(wide.contains("driver") && wide.contains("taken"), "{wide}");
    let (narrow, _) = on_terminal(&shop.host, 60, "list shop.zip", &[("NO_COLOR", "1")], "");
    assert!(narrow.contains("point in time") && !narrow.contains("taken"), "{narrow}");
    let table = narrow.lines().skip_while(|line| !line.contains("entries")).take(4);
    assert!(table.into_iter().all(|line| line.chars().count() <= 60), "{narrow}");
}

#[test]
fn what_destroys_asks_and_takes_nothing_but_yes() {
    let shop = Shop::dumped();
    fs::write(shop.path().join("media/new.jpg"), "new").unwrap();
    let arguments = "restore shop.zip --only media --extra delete";
    for answer in ["n\n", "\n", "what?\n"] {
        let (shown, code) = on_terminal(&shop.host, 100, arguments, &[("NO_COLOR", "1")], answer);
        assert_eq!(code, 1, "{shown}");
        assert!(shown.contains("--extra delete deletes from these targets what the archive lacks:"), "{shown}");
        assert!(shown.contains(&format!("{}/media", shop.path().display())), "it says where: {shown}");
        assert!(shop.path().join("media/new.jpg").exists());
    }
    let (shown, code) = on_terminal(&shop.host, 100, arguments, &[], "y\n");
    assert_eq!(code, 0, "{shown}");
    assert!(!shop.path().join("media/new.jpg").exists());
}
