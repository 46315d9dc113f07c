//! The commands of README.md, run as they are typed, so that the page never tells what does not work.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use dr_host_tests::host::binary;
use dr_host_tests::machine::tool;
use tempfile::TempDir;

/// A clone of the repository, as far as the README's commands need it: the examples, a `cargo` that has built the binary
/// already, and `dr-host` itself on the `PATH`.
struct Checkout {
    directory: TempDir,
}

impl Checkout {
    fn new() -> Self {
        let directory = TempDir::new().expect("a temporary directory can be made");
        let root = directory.path();
        run(Command::new("cp").arg("-a").arg(repository().join("examples")).arg(root));
        fs::create_dir_all(root.join("target/release")).expect("a directory can be made");
        fs::create_dir(root.join("bin")).expect("a directory can be made");
        symlink(binary(), root.join("target/release/dr-host")).expect("a link can be made");
        symlink(binary(), root.join("bin/dr-host")).expect("a link can be made");
        let checkout = Self { directory };
        checkout.program("cargo", "[ \"$1 $2 $3\" = 'run --release --' ] && shift 3 && exec target/release/dr-host \"$@\"");
        checkout
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Puts a shell script of this name on the `PATH`.
    fn program(&self, name: &str, script: &str) {
        let path = self.path("bin").join(name);
        fs::write(&path, format!("#!/bin/sh\n{script}\n")).expect("a script can be written");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("a script can be made executable");
    }

    /// Runs a block of shell commands, as someone types them at the top of the clone; each must succeed.
    fn type_in(&self, commands: &str) -> Output {
        let path = format!("{}:{}", self.path("bin").display(), std::env::var("PATH").expect("there is a PATH"));
        run(Command::new("bash").args(["-e", "-c", commands]).current_dir(self.directory.path()).env("PATH", path).env_remove("SHOP"))
    }
}

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the tests' crate stands in the repository")
}

fn run(command: &mut Command) -> Output {
    let output = command.output().expect("a command can be started");
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{command:?} ended with {}\n{stdout}\n{stderr}", output.status);
    output
}

/// The blocks of shell commands below this heading of the README, in their order.
fn commands_below(heading: &str) -> Vec<String> {
    let readme = fs::read_to_string(repository().join("README.md")).expect("there is a README");
    let section = readme.split("\n## ").find(|section| section.starts_with(heading)).expect("the README has the section");
    let blocks: Vec<String> =
        section.split("```sh\n").skip(1).map(|rest| rest.split("```").next().unwrap_or_default().trim().to_owned()).collect();
    assert!(!blocks.is_empty(), "`{heading}` shows no commands");
    blocks
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

fn rows(database: &Path, query: &str) -> String {
    text(&run(tool("sqlite3").arg(database).arg(query)))
}

/// A fresh clone; the quickstart is typed in, block after block. The dump finds every link whole, and the shop that was
/// restored elsewhere is the shop that was dumped.
#[test]
fn the_quickstart_does_what_the_readme_says() {
    let checkout = Checkout::new();
    let before = rows(&checkout.path("examples/quickstart/shop.db"), ".dump");
    let blocks = commands_below("Quickstart");

    let dump = text(&checkout.type_in(&blocks[0]));
    let links: Vec<Vec<&str>> =
        dump.lines().filter(|line| line.contains("  database p")).map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(
        links,
        [
            vec!["database", "product_photo.file", "media", "4", "0", "2"],
            vec!["database", "page.content", "$.blocks[*].image", "media", "2", "0", "4"],
        ],
        "checked, dangling, orphaned:\n{dump}"
    );
    for block in blocks.iter().skip(1).filter(|block| !block.starts_with("tests/run")) {
        checkout.type_in(block);
    }

    assert_eq!(rows(&checkout.path("green-shop/shop.db"), ".dump"), before);
    assert_eq!(rows(&checkout.path("green-shop/shop.db"), "PRAGMA user_version"), "3\n");
    assert!(checkout.path("green-shop/media/products/茶杯.png").is_file());
    assert!(checkout.path("green-shop/notes/suppliers/茶.txt").is_file());
    assert_eq!(fs::read_link(checkout.path("green-shop/state/keys/current")).expect("it is a link"), Path::new("signing-2026.key"));
}

/// A quickstart that was dumped is as it was before: reading a database leaves no file behind and touches none.
#[test]
fn a_dump_leaves_the_shop_as_it_was() {
    let checkout = Checkout::new();
    let look = "find examples -type d -printf '%p %m\\n' -o -printf '%p %m %s %T@\\n' | sort";
    let before = text(&checkout.type_in(look));

    checkout.type_in("dr-host dump -c examples/quickstart/dumprestore.toml shop.zip");

    assert_eq!(text(&checkout.type_in(look)), before);
}

/// The committed database is the one that the SQL beside it makes: who changes one has changed both.
#[test]
fn the_database_of_the_quickstart_is_what_its_sql_makes() {
    let checkout = Checkout::new();

    checkout.type_in("sqlite3 made.db < examples/quickstart/shop.sql");

    assert_eq!(rows(&checkout.path("made.db"), ".dump"), rows(&checkout.path("examples/quickstart/shop.db"), ".dump"));
    assert_eq!(rows(&checkout.path("examples/quickstart/shop.db"), "PRAGMA journal_mode"), "delete\n");
}

/// A shop runs on this machine, with all that git cannot keep: a key that only its owner reads, an empty directory. A release
/// is rolled back, step by step, while the failed release has already changed rows, deleted a picture and added another. What
/// was there before the release is there again, and what came after it is in the dump of the failed state.
#[test]
fn a_release_is_rolled_back_as_the_readme_says() {
    let checkout = Checkout::new();
    checkout.program("systemctl", "true");
    checkout.program("deploy", "mv code/new code/app");
    checkout.type_in(
        "mkdir -p srv backup && cp -a examples/quickstart srv/shop && mkdir -p srv/shop/code srv/shop/state/outbox
         echo old > srv/shop/code/app; echo new > srv/shop/code/new; chmod 600 srv/shop/state/keys/signing-2026.key",
    );
    let compare = "cd srv/shop && sqlite3 shop.db .dump && find code media state notes -printf '%p %m %y %l\\n' | sort && sha256sum $(find media -name '*.svg') notes/*.txt code/app";
    let before = text(&checkout.type_in(compare));

    for block in commands_below("A release, rolled back") {
        let here = checkout.directory.path().display();
        let block = block.replace("/srv/shop", &format!("{here}/srv/shop")).replace("/srv/backup", &format!("{here}/backup"));
        checkout.type_in(&block);
        if block.contains("deploy") {
            checkout.type_in(
                "cd srv/shop && sqlite3 shop.db \"UPDATE product SET price_cents = 0; DELETE FROM page\"
                 rm media/products/teapot.svg && echo broken > media/.logo.svg && echo stray > media/new.svg && rm -r state/outbox
                 echo 'Closed for good.' > notes/opening-hours.txt && echo stray > notes/suppliers/new.txt",
            );
        }
    }

    assert_eq!(text(&checkout.type_in(compare)), before);
    let failed = text(&checkout.type_in("dr-host list backup/shop.failed.zip"));
    assert!(failed.contains("media"), "{failed}");
}
