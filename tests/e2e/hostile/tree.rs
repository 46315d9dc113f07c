//! The tree in which a hostile component stands, and what must be true of every run of it.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use dr_host_tests::component::Guest;
use dr_host_tests::host::Host;
use tempfile::TempDir;

use super::Watched;

/// What a limit on time may be late by.
const SECOND: Duration = Duration::from_secs(1);

/// The most memory that the host may take: as much as it has without any guest, 64 MiB of the guest's, and some for what is on
/// its way between them.
const MEMORY: u64 = 256 << 20;

/// What the file of the neighbour holds.
const KEPT: &str = "what the neighbour must not lose";

const STATE: &str = "state";

/// Three sets: `witness`, a component; `state`, the hostile one; `files`.
pub(crate) struct Tree {
    dir: TempDir,
    pub(crate) host: Host,
}

impl Tree {
    /// With this component as the hostile one, and these lines in its set (and further tables behind it).
    pub(crate) fn new(guest: &Guest, settings: &str) -> Self {
        let tree = Self::empty(settings);
        tree.put(&guest.build());
        tree
    }

    /// With an archive that a well-behaved build of the same driver wrote, and nothing where it is to be restored to.
    pub(crate) fn with_archive(guest: &Guest, settings: &str) -> Self {
        Self::with_archive_of(&Guest::new(), guest, settings)
    }

    /// With an archive that this other component wrote.
    pub(crate) fn with_archive_of(writer: &Guest, guest: &Guest, settings: &str) -> Self {
        let tree = Self::new(writer, settings);
        Watched::run(&tree.host, &["dump", "--json", "out.zip"]).exits(0);
        fs::remove_dir_all(tree.path("files")).expect("the files can be removed");
        tree.put(&guest.build());
        tree
    }

    /// Without a file in the place of the hostile component.
    pub(crate) fn empty(settings: &str) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let set = |name: &str, rest: &str| format!("[[set]]\nname = \"{name}\"\n{rest}\n");
        let configuration = [
            "version = 1\n\n".into(),
            set("witness", "driver = \"component\"\ncomponent = \"witness.wasm\"\n"),
            set(STATE, &format!("driver = \"component\"\ncomponent = \"driver.wasm\"\n{settings}\n")),
            set("files", "driver = \"filesystem\"\npath = \"files\"\n"),
        ];
        fs::create_dir(dir.path().join("files")).expect("a directory");
        fs::write(dir.path().join("files/kept"), KEPT).expect("a file");
        fs::write(dir.path().join("witness.wasm"), witness().build()).expect("a file");
        fs::create_dir(dir.path().join("tmp")).expect("a directory");
        let at = |name: &str| dir.path().join(name).display().to_string();
        let host = Host::configured(dir.path(), &configuration.concat());
        let host = host.env("XDG_CACHE_HOME", &at("cache")).env("TMPDIR", &at("tmp"));
        Self { dir, host }
    }

    /// Puts these bytes in the place of the hostile component.
    pub(crate) fn put(&self, component: &[u8]) {
        fs::write(self.path("driver.wasm"), component).expect("the component can be written");
    }

    /// The same tree, with a variable more in the environment.
    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.host = self.host.env(name, value);
        self
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Dumps. The hostile set fails in this moment, no later than a second after its limit, with an error of this kind and these
    /// words; everything else is as it must be.
    #[track_caller]
    pub(crate) fn dump_fails(&self, moment: &str, limit: Duration, kind: &str, words: &[&str]) -> Watched {
        let before = self.listing();
        let run = Watched::run(&self.host, &["dump", "--json", "out.zip"]);
        run.exits(1).says(Some((STATE, moment)), kind, words);
        on_time(&run, moment, limit);
        bounded(&run);
        assert_eq!(self.listing(), before, "nothing may remain: {run}");
        let mut moments = vec!["witness before_dump", "state before_dump", "files before_dump"];
        let states = if moment == "before_dump" {
            ["witness untouched", "state untouched", "files untouched"]
        } else {
            moments.extend(["witness dump", "state dump"]);
            ["witness done", "state half-done", "files untouched"]
        };
        moments.extend(["files after_dump", "state after_dump", "witness after_dump"]);
        assert_eq!(run.moments(), moments, "{run}");
        assert_eq!(run.states(), states, "{run}");
        witness_is_told(&run, "failed", &format!("state (wat, {moment}): "));
        assert_eq!(fs::read_to_string(self.path("files/kept")).expect("the file is there"), KEPT);
        run
    }

    /// Dumps. The archive stands, whole, and gives the neighbours back; the exit code is this.
    #[track_caller]
    pub(crate) fn dump_stands(&self, code: i32) -> Watched {
        let before = self.listing();
        let run = Watched::run(&self.host, &["dump", "--json", "out.zip"]);
        run.exits(code);
        bounded(&run);
        assert_eq!(run.states(), ["witness done", "state done", "files done"], "{run}");
        witness_is_told(&run, "ok", "");
        let mut after = self.listing();
        after.retain(|name| name != "out.zip");
        assert_eq!(after, before, "{run}");
        self.host.run(["verify", "out.zip"]).expect(0);
        fs::remove_dir_all(self.path("files")).expect("the files can be removed");
        Watched::run(&self.host, &["restore", "--json", "out.zip", "--skip", STATE]).exits(0);
        assert_eq!(fs::read_to_string(self.path("files/kept")).expect("the file is back"), KEPT);
        run
    }

    /// Restores. The hostile set fails in this moment: what comes before it is restored, what comes after it untouched.
    #[track_caller]
    pub(crate) fn restore_fails(&self, moment: &str, limit: Duration, kind: &str, words: &[&str]) -> Watched {
        let (before, archive) = (self.listing(), fs::read(self.path("out.zip")).expect("there is an archive"));
        let run = Watched::run(&self.host, &["restore", "--json", "out.zip"]);
        run.exits(1).says(Some((STATE, moment)), kind, words);
        on_time(&run, moment, limit);
        bounded(&run);
        let mut moments = vec!["files before_restore", "state before_restore", "witness before_restore"];
        let mut after = self.listing();
        let states = if moment == "before_restore" {
            ["files untouched", "state untouched", "witness untouched"]
        } else {
            moments.extend(["files restore", "state restore"]);
            run.says(None, "other", &["restored: `files`; half done: `state`; untouched: `witness`"]);
            assert_eq!(fs::read_to_string(self.path("files/kept")).expect("the file is back"), KEPT);
            after.retain(|name| !name.starts_with("files"));
            ["files done", "state half-done", "witness untouched"]
        };
        moments.extend(["witness after_restore", "state after_restore", "files after_restore"]);
        assert_eq!(run.moments(), moments, "{run}");
        assert_eq!(run.states(), states, "{run}");
        witness_is_told(&run, "failed", &format!("state (wat, {moment}): "));
        assert_eq!(after, before, "{run}");
        assert!(fs::read(self.path("out.zip")).expect("the archive is there") == archive, "the archive is as it was");
        run
    }

    /// Restores everything; the exit code is this.
    #[track_caller]
    pub(crate) fn restore_ends(&self, code: i32) -> Watched {
        let run = Watched::run(&self.host, &["restore", "--json", "out.zip"]);
        run.exits(code);
        bounded(&run);
        assert_eq!(run.states(), ["files done", "state done", "witness done"], "{run}");
        witness_is_told(&run, "ok", "");
        assert_eq!(fs::read_to_string(self.path("files/kept")).expect("the file is back"), KEPT);
        run
    }

    /// Would dump, and is refused before anything begins, as a fault of the configuration. A run may take as long as `usual`, and
    /// a second more than the limit.
    #[track_caller]
    pub(crate) fn refuses(&self, usual: Duration, limit: Duration, words: &[&str]) -> Watched {
        let before = self.listing();
        let run = Watched::run(&self.host, &["dump", "--json", "out.zip"]);
        run.exits(2).says(None, "invalid-config", words);
        assert!(run.took <= usual + limit + SECOND, "it took {:?}: {run}", run.took);
        bounded(&run);
        assert_eq!(run.moments(), Vec::<String>::new(), "{run}");
        assert_eq!(self.listing(), before, "{run}");
        assert_eq!(fs::read_to_string(self.path("files/kept")).expect("the file is there"), KEPT);
        run
    }

    /// How long it takes this machine to see that nothing is wrong with a component.
    pub(crate) fn usual(&self) -> Duration {
        self.put(&Guest::new().build());
        let run = Watched::run(&self.host, &["plan", "--json"]);
        run.exits(0);
        run.took
    }

    /// Every file there is, but for the cache of compiled components.
    fn listing(&self) -> Vec<String> {
        let mut all = Vec::new();
        list(self.dir.path(), self.dir.path(), &mut all);
        all.sort();
        all
    }
}

fn list(root: &Path, directory: &Path, all: &mut Vec<String>) {
    for item in directory.read_dir().expect("the directory is there") {
        let path = item.expect("an item").path();
        let name = path.strip_prefix(root).expect("it lies below").display().to_string();
        if name != "cache" {
            all.push(name);
            if path.is_dir() && !path.is_symlink() {
                list(root, &path, all);
            }
        }
    }
}

/// A well-behaved driver that logs what it is told of the end.
fn witness() -> Guest {
    let mut guest = Guest::new().named("witness", "1.0.0");
    let words: String = ["ok", "failed", "cancelled", "trapped"].map(|word| format!("{:<16}", format!("told: {word}"))).concat();
    let words = guest.text(words).address();
    let after = format!(
        "(call $log (i32.const 2) (i32.add {words} (i32.mul (local.get $ended) (i32.const 16))) (i32.const 16))
         (call $log (i32.const 2) (local.get $why) (local.get $why_len))
         (call $ok)"
    );
    guest.body("after-dump", &after).body("after-restore", &after)
}

/// The other component was called after the run, and told how it went.
#[track_caller]
fn witness_is_told(run: &Watched, how: &str, why: &str) {
    let log = run.log_of("witness");
    assert!(log.len() >= 2 && log[0] == format!("told: {how}") && log[1].starts_with(why.trim_end()), "{log:?}: {run}");
}

#[track_caller]
fn on_time(run: &Watched, moment: &str, limit: Duration) {
    let took = run.time_of(moment);
    assert!(took <= limit + SECOND, "it took {took:?}: {run}");
}

#[track_caller]
fn bounded(run: &Watched) {
    assert!(run.peak <= MEMORY, "it took {} MiB of memory: {run}", run.peak >> 20);
}
