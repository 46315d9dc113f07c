//! The jobs: for each its data, dr-host's command, and the commands that a user would give instead.

use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::component::component;
use crate::data::{self, Media};
use crate::measure::{Contestant, Measured, Result, contest, prepare};
use crate::postgres::postgres;

/// Where and at which scale the jobs run.
pub(crate) struct Bench {
    /// The work directory: on the disk that is to be measured, with room for 25 GB at full scale.
    pub(crate) work: PathBuf,
    /// The binary of dr-host.
    pub(crate) host: PathBuf,
    /// Where the components of `guest-drivers/` are.
    pub(crate) guests: PathBuf,
    /// How often each contestant takes its turn.
    pub(crate) rounds: usize,
    /// By what the amount of data is divided: 1 for the published figures.
    pub(crate) shrink: u64,
}

/// What came of one job.
#[derive(Serialize, Deserialize)]
pub(crate) struct Outcome {
    /// The job, for the table.
    pub(crate) job: String,
    /// dr-host's runs.
    pub(crate) ours: Measured,
    /// The others' runs, and at most what part of their time dr-host is to take.
    pub(crate) peers: Vec<(Measured, f64)>,
    /// The bytes of content, and how many GB a second are to be reached, where nobody else does the job.
    pub(crate) rate: Option<(u64, f64)>,
    /// How often the job does the same, and how many seconds more than the other contestant it may take each time.
    #[serde(default)]
    pub(crate) each: Option<(u32, f64)>,
    /// Whether the peak memory belongs to ten times the data, or to a million entries.
    pub(crate) memory_only: bool,
    /// The peak memory that dr-host may not reach, in MiB; 0 where none is set.
    pub(crate) memory_goal: u64,
}

/// A job by its name.
pub(crate) type Job = (&'static str, fn(&Bench) -> Result<Vec<Outcome>>);

/// All jobs. Each removes what it made.
pub(crate) const JOBS: [Job; 7] = [
    ("postgres", postgres),
    ("media", media),
    ("media-ten", media_ten),
    ("sqlite", sqlite),
    ("sqlite-ten", sqlite_ten),
    ("million", million),
    ("component", component),
];

const MEDIA: Media = Media { small: 20_000, large: 20, shrink: 1 };
/// The peak memory that a job may not reach, in MiB.
const MEMORY_GOAL: u64 = 100;
const DATABASE: u64 = 806_000_000;

fn media(bench: &Bench) -> Result<Vec<Outcome>> {
    let bytes = data::media(&bench.path("media"), bench.shrunk(MEDIA))?;
    bench.configure("zstd.toml", "zstd", &media_set("media"))?;
    bench.configure("store.toml", "store", &media_set("media"))?;
    bench.configure("back.toml", "zstd", &media_set("back"))?;
    let few = bench.rounds.min(2);
    let dump = bench.compare(
        "media dump, zstd",
        bench.ours("dump -c zstd.toml out.zip", "out.zip"),
        [
            (bench.theirs("`tar \\| zstd -3 -T2`", "tar -cf - media | zstd -q -3 -T2 -o out.tar.zst", "out.tar.zst", bench.rounds), 0.80),
            (bench.theirs("`zip -r`", "zip -q -r peer.zip media", "peer.zip", few), 0.10),
            (
                bench.theirs(
                    "restic",
                    "export RESTIC_PASSWORD=bench; restic init -q -r repo && restic backup -q --no-cache -r repo media",
                    "repo",
                    few,
                ),
                0.35,
            ),
        ],
    )?;
    let store = bench.compare(
        "media dump, stored",
        bench.ours("dump -c store.toml out.zip", "out.zip"),
        [(bench.theirs("`tar -cf`", "tar -cf out.tar media", "out.tar", bench.rounds), 1.0)],
    )?;
    prepare(&bench.work, &format!("{} dump -q -c zstd.toml media.zip; tar -cf media.tar media", bench.host.display()))?;
    let restore = bench.compare(
        "media restore",
        bench.ours("restore -c back.toml media.zip", "back"),
        [(bench.theirs("`tar -xf`", "mkdir back && tar -xf media.tar -C back", "back", bench.rounds), 1.0)],
    )?;
    let mut verify = bench.compare("media verify", bench.ours("verify media.zip", "nothing"), [])?;
    verify.rate = Some((bytes, 1.0));
    bench.clear()?;
    Ok(vec![dump, store, restore, verify])
}

fn media_ten(bench: &Bench) -> Result<Vec<Outcome>> {
    data::media(&bench.path("one"), bench.shrunk(MEDIA))?;
    data::ten_names(&bench.path("one"), &bench.path("media"))?;
    bench.configure("zstd.toml", "zstd", &media_set("media"))?;
    bench.configure("back.toml", "zstd", &media_set("back"))?;
    let dump = bench.once("media dump, ten times the data", "dump -c zstd.toml -", "nothing")?;
    prepare(&bench.work, "rm -rf one media")?;
    let many_smaller = Media { small: MEDIA.small * 10, large: MEDIA.large * 10, shrink: 10 };
    data::media(&bench.path("media"), bench.shrunk(many_smaller))?;
    prepare(&bench.work, &format!("{} dump -q -c zstd.toml media.zip", bench.host.display()))?;
    let verify = bench.once("media verify, ten times the entries", "verify media.zip", "nothing")?;
    let restore = bench.once("media restore, ten times the entries", "restore -c back.toml media.zip", "back")?;
    bench.clear()?;
    Ok(vec![dump, verify, restore])
}

fn sqlite(bench: &Bench) -> Result<Vec<Outcome>> {
    data::database(&bench.path("shop.db"), DATABASE / bench.shrink)?;
    bench.configure("zstd.toml", "zstd", &sqlite_set("shop.db"))?;
    bench.configure("back.toml", "zstd", &sqlite_set("back.db"))?;
    bench.configure("quick.toml", "zstd", &format!("{}check = \"quick\"\n", sqlite_set("back.db")))?;
    let backup = "sqlite3 shop.db '.backup copy.db' && zstd -q -3 -T2 copy.db -o copy.db.zst";
    let dump = bench.compare(
        "SQLite (WAL) dump",
        bench.ours("dump -c zstd.toml out.zip", "out.zip"),
        [(bench.theirs("`.backup`, then `zstd -3 -T2`", backup, "copy.db copy.db.zst", bench.rounds), 1.0)],
    )?;
    prepare(&bench.work, &format!("{} dump -q -c zstd.toml shop.zip; {backup}", bench.host.display()))?;
    let peer = || bench.theirs("`zstd -dc`", "zstd -q -dc copy.db.zst > back.db", "back.db", bench.rounds);
    let restore = bench.compare("SQLite restore", bench.ours("restore -c back.toml shop.zip", "back.db"), [(peer(), 1.2)])?;
    let job = "SQLite restore, `check = \"quick\"`";
    let quick = bench.compare(job, bench.ours("restore -c quick.toml shop.zip", "back.db"), [(peer(), 1.2)])?;
    bench.clear()?;
    Ok(vec![dump, restore, quick])
}

fn sqlite_ten(bench: &Bench) -> Result<Vec<Outcome>> {
    data::database(&bench.path("shop.db"), 10 * DATABASE / bench.shrink)?;
    bench.configure("zstd.toml", "zstd", &sqlite_set("shop.db"))?;
    bench.configure("back.toml", "zstd", &sqlite_set("back.db"))?;
    let dump = bench.once("SQLite (WAL) dump, ten times the data", "dump -c zstd.toml shop.zip", "nothing")?;
    prepare(&bench.work, "rm -f shop.db*")?;
    let restore = bench.once("SQLite restore, ten times the data", "restore -c back.toml shop.zip", "back.db")?;
    bench.clear()?;
    Ok(vec![dump, restore])
}

fn million(bench: &Bench) -> Result<Vec<Outcome>> {
    data::many(&bench.path("media"), 1_000_000 / bench.shrink)?;
    bench.configure("zstd.toml", "zstd", &media_set("media"))?;
    bench.configure("back.toml", "zstd", &media_set("back"))?;
    let dump = bench.once("a million entries: dump", "dump -c zstd.toml media.zip", "nothing")?;
    let list = bench.once("a million entries: list", "list media.zip", "nothing")?;
    let verify = bench.once("a million entries: verify", "verify media.zip", "nothing")?;
    let restore = bench.once("a million entries: restore", "restore -c back.toml media.zip", "back")?;
    bench.clear()?;
    // What they take is stated; there is no goal.
    Ok([dump, list, verify, restore].into_iter().map(|outcome| Outcome { memory_goal: 0, ..outcome }).collect())
}

fn media_set(path: &str) -> String {
    format!("[[set]]\nname = \"media\"\ndriver = \"media\"\nurl = \"{path}\"\n")
}

fn sqlite_set(path: &str) -> String {
    format!("[[set]]\nname = \"database\"\ndriver = \"sqlite\"\npath = \"{path}\"\n")
}

impl Bench {
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.work.join(name)
    }

    pub(crate) fn shrunk(&self, media: Media) -> Media {
        Media { small: media.small / self.shrink, large: media.large, shrink: media.shrink * self.shrink.div_ceil(4) }
    }

    pub(crate) fn configure(&self, file: &str, compression: &str, set: &str) -> Result<()> {
        let text = format!("version = 1\n\n[archive]\ncompression = \"{compression}\"\n\n{set}");
        Ok(fs::write(self.path(file), text)?)
    }

    pub(crate) fn ours(&self, arguments: &str, makes: &'static str) -> Contestant {
        let command = format!("{} -q {arguments}", self.host.display());
        Contestant { before: String::new(), name: "dr-host".into(), command, makes, rounds: self.rounds }
    }

    pub(crate) fn theirs(&self, name: &str, command: &str, makes: &'static str, rounds: usize) -> Contestant {
        Contestant { before: String::new(), name: name.into(), command: command.into(), makes, rounds }
    }

    pub(crate) fn compare(&self, job: &str, ours: Contestant, peers: impl IntoIterator<Item = (Contestant, f64)>) -> Result<Outcome> {
        eprintln!("{job}");
        let (mut contestants, mut goals) = (vec![ours], Vec::new());
        for (peer, goal) in peers {
            contestants.push(peer);
            goals.push(goal);
        }
        let mut measured = contest(&self.work, &contestants)?;
        let ours = measured.remove(0);
        let peers = measured.into_iter().zip(goals).collect();
        Ok(Outcome { job: job.into(), ours, peers, rate: None, each: None, memory_only: false, memory_goal: MEMORY_GOAL })
    }

    fn once(&self, job: &str, arguments: &str, makes: &'static str) -> Result<Outcome> {
        let once = Contestant { rounds: 1, ..self.ours(arguments, makes) };
        Ok(Outcome { memory_only: true, ..self.compare(job, once, [])? })
    }

    pub(crate) fn clear(&self) -> Result<()> {
        clear(&self.work)
    }
}

/// Empties a directory.
fn clear(directory: &Path) -> Result<()> {
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() { fs::remove_dir_all(entry.path())? } else { fs::remove_file(entry.path())? }
    }
    Ok(())
}
