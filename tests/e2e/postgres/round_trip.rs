//! The proof of fidelity: `pg_dump` of what was restored here equals `pg_dump` of what `pg_restore` restored of the same source.

use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};

use dr_host_tests::host::Host;
use dr_host_tests::postgres::{SUPERUSER, Server};

use super::source::{EUC_JP, LATIN1, OWNED, SQL_ASCII, UTF8, Variant, prepare};
use super::{configuration, host};

/// Small parts, so that every table comes in several.
pub(super) const SMALL: &str = "part_size = \"8kB\"\n";

/// What `pg_dump` is told, so that settings of the database do not change how the rest of it is written.
const PLAIN: &str = "-c standard_conforming_strings=on -c escape_string_warning=on -c bytea_output=hex -c timezone=UTC";

/// A server with one source, and a directory for archives.
pub(super) struct Stage {
    server: Server,
    directory: tempfile::TempDir,
    variant: Variant,
}

impl Stage {
    fn new(variant: Variant) -> Self {
        Self::on(Server::start(), variant)
    }

    /// On this server.
    pub(super) fn on(server: Server, variant: Variant) -> Self {
        prepare(&server);
        variant.make(&server);
        Self { server, directory: tempfile::tempdir().expect("a directory"), variant }
    }

    /// A configuration with these further keys, as the source's role.
    fn host(&self, name: &str, to: &str, more: &str) -> Host {
        let directory = self.directory.path().join(name);
        std::fs::create_dir(&directory).expect("a directory");
        let url = |database: &str| self.server.url_as(self.variant.role, database);
        std::fs::write(directory.join("copy.toml"), configuration(&url(to), more)).expect("a configuration");
        Host::configured(&directory, &configuration(&url(self.variant.name), more))
    }

    /// An empty database like the source.
    fn create(&self, name: &str) {
        self.server.create(name, &self.variant.options());
    }

    fn pg_restore(&self, archive: &Path, arguments: &[&str]) {
        let mut command = self.server.program("pg_restore");
        command.args(["--exit-on-error", "-U", self.variant.role]).args(arguments).arg(archive);
        succeed(command);
    }

    /// The source, as `pg_dump` writes it for `pg_restore`.
    fn pg_dump(&self) -> std::path::PathBuf {
        let archive = self.directory.path().join("reference.dump");
        let mut command = self.server.program("pg_dump");
        command.args(["-Fc", "-U", self.variant.role, "-d", self.variant.name, "-f"]).arg(&archive);
        succeed(command);
        archive
    }

    fn dump(&self, database: &str, arguments: &[&str]) -> String {
        dump(&self.server, database, arguments)
    }

    /// Restores with `pg_restore` and with dr-host, and compares.
    pub(super) fn compare(&self, cases: &[(&str, &str)]) {
        self.create("reference");
        self.pg_restore(&self.pg_dump(), &["-d", "reference"]);
        let expected = self.dump("reference", &[]);
        for (name, more) in cases {
            self.create(name);
            let host = self.host(name, name, more);
            host.run(["dump", "out.zip"]).expect(0);
            host.run(["restore", "-c", "copy.toml", "out.zip"]).expect(0);
            assert_equal(&expected, &self.dump(name, &[]), name);
            self.rename_subscription(name);
        }
    }

    /// A database that a subscription is for cannot be dropped.
    fn rename_subscription(&self, database: &str) {
        let drop = "DO $$ DECLARE s text; BEGIN FOR s IN SELECT subname FROM pg_subscription WHERE subdbid = (SELECT oid FROM pg_database WHERE datname = current_database()) LOOP EXECUTE format('DROP SUBSCRIPTION %I', s); END LOOP; END $$";
        self.server.sql(database, drop);
    }
}

/// A database as `pg_dump` sees it, with the rows of each table sorted.
pub(super) fn dump(server: &Server, database: &str, arguments: &[&str]) -> String {
    let mut command = server.program("pg_dump");
    command.env("PGOPTIONS", PLAIN).args(["-d", database]).args(arguments);
    sorted(&succeed(command))
}

/// What a program writes, one character for each byte, whatever the encoding.
pub(super) fn succeed(mut command: Command) -> String {
    let output = command.output().expect("the program can be started");
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout.iter().map(|byte| char::from(*byte)).collect()
}

/// The dump with the rows of each COPY sorted, since parts are loaded in any order, and without the random word of
/// `\restrict`.
fn sorted(dump: &str) -> String {
    let mut sorted = String::with_capacity(dump.len());
    let mut rows: Option<Vec<&str>> = None;
    for line in dump.split_inclusive('\n') {
        match &mut rows {
            Some(block) if line == "\\.\n" => {
                block.sort_unstable();
                block.iter().for_each(|row| sorted.push_str(row));
                sorted.push_str(line);
                rows = None;
            }
            Some(block) => block.push(line),
            None if line.starts_with("\\restrict ") || line.starts_with("\\unrestrict ") => {}
            None => {
                sorted.push_str(line);
                if line.starts_with("COPY ") && line.ends_with(" FROM stdin;\n") {
                    rows = Some(Vec::new());
                }
            }
        }
    }
    sorted
}

/// Compares, and shows the first lines that differ.
#[track_caller]
pub(super) fn assert_equal(expected: &str, found: &str, name: &str) {
    if expected == found {
        return;
    }
    let directory = std::env::temp_dir();
    let (left, right) = (directory.join(format!("dr-host-{name}-expected.sql")), directory.join(format!("dr-host-{name}-found.sql")));
    std::fs::write(&left, expected).and_then(|()| std::fs::write(&right, found)).expect("files");
    let diff = Command::new("diff").arg("-a").arg(&left).arg(&right).output().expect("diff can be started");
    let shown: String = String::from_utf8_lossy(&diff.stdout).chars().take(4000).collect();
    panic!("{name}: what was restored is not what pg_restore restores (`{}`, `{}`):\n{shown}", left.display(), right.display());
}

#[test]
fn a_superusers_database_comes_back_as_pg_restore_brings_it() {
    let stage = Stage::new(UTF8);
    let small_alone = format!("{SMALL}jobs = 1\n");
    let small_many = format!("{SMALL}jobs = 4\n");
    stage.compare(&[
        ("whole_alone", "jobs = 1\n"),
        ("whole_many", "jobs = 4\n"),
        ("small_alone", &small_alone),
        ("small_many", &small_many),
    ]);
}

#[test]
fn a_database_of_a_user_without_power_comes_back_too() {
    let stage = Stage::new(OWNED);
    let small = format!("{SMALL}jobs = 3\n");
    stage.compare(&[("whole", ""), ("small", &small)]);
}

/// As a whole and in small parts.
const WHOLE_AND_SMALL: [(&str, &str); 2] = [("whole", ""), ("small", SMALL)];

#[test]
fn a_database_in_latin1_comes_back() {
    Stage::new(LATIN1).compare(&WHOLE_AND_SMALL);
}

#[test]
fn a_database_in_euc_jp_comes_back() {
    Stage::new(EUC_JP).compare(&WHOLE_AND_SMALL);
}

#[test]
fn a_database_without_an_encoding_comes_back() {
    Stage::new(SQL_ASCII).compare(&WHOLE_AND_SMALL);
}

#[test]
fn a_database_that_is_made_anew_is_what_it_was_itself() {
    let stage = Stage::new(UTF8);
    let expected = stage.dump("shop", &["--create"]);
    let host = host(stage.directory.path(), &stage.server, "shop", "shop", "");
    host.run(["dump", "out.zip"]).expect(0);
    let reference = stage.pg_dump();
    stage.rename_subscription("shop");
    host.run(["restore", "--recreate", "--yes", "out.zip"]).expect(0);
    let found = stage.dump("shop", &["--create"]);
    stage.rename_subscription("shop");
    stage.server.sql(SUPERUSER, "DROP DATABASE shop");
    stage.pg_restore(&reference, &["--create", "-d", SUPERUSER]);
    assert_equal(&stage.dump("shop", &["--create"]), &found, "recreated");
    let settings = |dump: &str| dump.lines().filter(|line| line.contains("DATABASE shop")).map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(settings(&found), settings(&expected), "nothing of the database itself is lost");
}

/// The most sessions that were seen in a COPY of this kind at once, while the work went on.
fn most_at_once(server: &Server, kind: &str, work: impl FnOnce()) -> i64 {
    let over = AtomicBool::new(false);
    let mut watcher = server.client(SUPERUSER);
    std::thread::scope(|scope| {
        let watching = scope.spawn(|| {
            let mut most = 0;
            while !over.load(Ordering::Relaxed) {
                let sql = "SELECT count(*) FROM pg_stat_progress_copy WHERE command = $1";
                most = most.max(watcher.query_one(sql, &[&kind]).expect("an answer").get(0));
            }
            most
        });
        work();
        over.store(true, Ordering::Relaxed);
        watching.join().expect("it watched")
    })
}

#[test]
fn one_table_travels_in_several_entries_over_several_connections_at_once() {
    let server = Server::start();
    let place = tempfile::tempdir().expect("a directory");
    server.create("shop", "");
    server.create("copy", "");
    server.sql("shop", "CREATE TABLE wide AS SELECT g AS id, repeat(md5(g::text), 30) AS text FROM generate_series(1, 60000) g");
    let host = host(place.path(), &server, "shop", "copy", "jobs = 3\npart_size = \"4MiB\"\n");
    let at_once = most_at_once(&server, "COPY TO", || drop(host.run(["dump", "out.zip"]).expect(0)));
    assert!(at_once >= 2, "{at_once} connections copied at once");
    let listed = host.run(["list", "--entries", "out.zip"]).expect(0);
    let parts = listed.stdout.matches("rows/public/wide/").count();
    assert!(parts >= 4, "{listed}");
    let at_once = most_at_once(&server, "COPY FROM", || drop(host.run(["restore", "-c", "copy.toml", "out.zip"]).expect(0)));
    assert!(at_once >= 2, "{at_once} connections copied at once");
    let sum = "SELECT count(*) || md5(string_agg(wide::text, '' ORDER BY id)) FROM wide";
    assert_eq!(server.ask("copy", sum), server.ask("shop", sum));
}
