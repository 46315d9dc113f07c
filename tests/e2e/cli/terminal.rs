//! On a terminal: colours, progress lines, questions. `Host::on_terminal` gives the binary one.

use std::fs;

use dr_host_tests::host::Host;
use dr_host_tests::postgres::Server;

use super::shop::Shop;

#[test]
fn colours_are_for_terminals_and_no_color_turns_them_off() {
    let shop = Shop::dumped();
    let (shown, code) = shop.host.on_terminal(100, "list shop.zip", &[], "");
    assert_eq!(code, 0);
    assert!(shown.contains("\x1b[1mdatabase\x1b[0m"), "{shown:?}");
    for (name, value) in [("NO_COLOR", "1"), ("TERM", "dumb")] {
        let (plain, _) = shop.host.on_terminal(100, "list shop.zip", &[(name, value)], "");
        assert!(!plain.contains('\x1b'), "{name}: {plain:?}");
    }
}

#[test]
fn a_running_set_has_a_line_of_its_own_and_none_is_left_at_the_end() {
    let shop = Shop::new();
    let big = shop.path().join("media/big.bin");
    fs::write(&big, vec![7; 64 << 20]).unwrap();
    let (shown, code) = shop.host.on_terminal(100, "dump shop.zip --compression deflate", &[], "");
    assert_eq!(code, 0);
    assert!(shown.contains("━") && shown.contains("media"), "{shown:?}");
    let last = shown.rsplit("\x1b[2K").next().unwrap();
    assert!(last.contains("dumped 3 sets") && !last.contains('━'), "{last:?}");
    let (silent, _) = shop.host.on_terminal(100, "-q dump other.zip", &[], "");
    assert_eq!(silent, "");
}

#[test]
fn a_narrow_terminal_gets_a_narrower_table() {
    let shop = Shop::dumped();
    let (wide, _) = shop.host.on_terminal(120, "list shop.zip", &[("NO_COLOR", "1")], "");
    assert!(wide.contains("driver") && wide.contains("taken"), "{wide}");
    let (narrow, _) = shop.host.on_terminal(60, "list shop.zip", &[("NO_COLOR", "1")], "");
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
        let (shown, code) = shop.host.on_terminal(100, arguments, &[("NO_COLOR", "1")], answer);
        assert_eq!(code, 1, "{shown}");
        assert!(shown.contains("--extra delete deletes from these targets what the archive lacks:"), "{shown}");
        assert!(shown.contains(&format!("{}/media", shop.path().display())), "it says where: {shown}");
        assert!(shop.path().join("media/new.jpg").exists());
    }
    let (shown, code) = shop.host.on_terminal(100, arguments, &[], "y\n");
    assert_eq!(code, 0, "{shown}");
    assert!(!shop.path().join("media/new.jpg").exists());
}

#[test]
fn a_database_is_dropped_for_a_yes_and_nothing_else() {
    let (server, place) = (Server::start(), tempfile::tempdir().unwrap());
    server.create("shop", "");
    server.sql("shop", "CREATE TABLE orders AS SELECT g AS id, 'old' AS note FROM generate_series(1, 500) g");
    let set = format!("version = 1\n[[set]]\nname = \"database\"\ndriver = \"postgres\"\nurl = \"{}\"\n", server.url("shop"));
    let host = Host::configured(place.path(), &set);
    host.run(["dump", "out.zip"]).expect(0);
    server.sql("shop", "UPDATE orders SET note = 'new'; CREATE TABLE migrated (a int)");
    let answered = |answer: &str| host.on_terminal(120, "restore --recreate out.zip", &[("NO_COLOR", "1")], answer);
    for answer in ["n\n", "\n", "perhaps\n"] {
        let (shown, code) = answered(answer);
        assert_eq!(code, 1, "{shown}");
        for part in ["--recreate throws away what stands in these targets", "/shop", "nothing was changed"] {
            assert!(shown.contains(part), "`{part}` is missing: {shown}");
        }
        assert_eq!(server.ask("shop", "SELECT min(note) FROM orders").as_deref(), Some("new"), "{shown}");
    }
    let (shown, code) = answered("yes\n");
    assert_eq!(code, 0, "{shown}");
    assert_eq!(server.ask("shop", "SELECT count(*) || min(note) || max(note) FROM orders").as_deref(), Some("500oldold"));
    assert_eq!(server.ask("shop", "SELECT to_regclass('migrated')"), None);
}
