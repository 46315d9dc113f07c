//! What a job's last run came to, kept in a file each: one job can be measured anew, and the page shows them all.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::jobs::{Bench, Outcome};
use crate::measure::{Result, first_line};

/// The last results of one job.
#[derive(Serialize, Deserialize)]
pub(crate) struct Results {
    /// The job's name.
    pub(crate) job: String,
    /// When, where and how it was measured: one line.
    pub(crate) circumstances: String,
    /// What came of it.
    pub(crate) outcomes: Vec<Outcome>,
}

impl Results {
    /// The results of a job that was just run.
    pub(crate) fn new(job: &str, bench: &Bench, outcomes: Vec<Outcome>) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let tools = [
            format!("{} --version", bench.host.display()),
            "tar --version | head -1".into(),
            "zstd --version | tr -d '*' | sed 's/,.*//'".into(),
            "echo zip $(zip -v | sed -n 2p | cut -d' ' -f4)".into(),
            "restic version | cut -d' ' -f1,2".into(),
            "sqlite3 --version | cut -d' ' -f1 | sed 's/^/sqlite3 /'".into(),
        ];
        let tools: Vec<_> = tools.iter().map(|tool| first_line(tool).trim().to_owned()).collect();
        let date = first_line("date -u +%F");
        let circumstances = format!("{date}, {cores} cores, {} rounds; {}", bench.rounds, tools.join(", "));
        Self { job: job.into(), circumstances, outcomes }
    }

    /// Keeps them in place of the job's last ones.
    pub(crate) fn keep(&self, directory: &Path) -> Result<()> {
        fs::create_dir_all(directory)?;
        Ok(fs::write(file(directory, &self.job), serde_json::to_string_pretty(self)? + "\n")?)
    }

    /// The last results of a job, if it was ever measured.
    pub(crate) fn kept(directory: &Path, job: &str) -> Result<Option<Self>> {
        match fs::read(file(directory, job)) {
            Ok(text) => Ok(Some(serde_json::from_slice(&text)?)),
            Err(why) if why.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(why) => Err(why.into()),
        }
    }
}

fn file(directory: &Path, job: &str) -> PathBuf {
    directory.join(format!("{job}.json"))
}
