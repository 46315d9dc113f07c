//! Runs commands and says what they took; contestants take turns, so that a noisy minute hits them alike.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use wait4::Wait4;

/// Something that goes wrong ends the whole benchmark: figures with holes help nobody.
pub(crate) type Result<T, E = Box<dyn std::error::Error>> = std::result::Result<T, E>;

/// What one run of a command took.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Sample {
    /// From start to end.
    pub(crate) wall: Duration,
    /// Processor time of the command and of all that it started.
    pub(crate) cpu: Duration,
    /// The largest resident size in bytes, of the largest single process.
    pub(crate) peak: u64,
}

/// One way to do a job: a shell command, run in the work directory.
pub(crate) struct Contestant {
    /// How the table names it.
    pub(crate) name: String,
    /// What has to be done before it, and is not measured: a command for `bash`, or nothing.
    pub(crate) before: String,
    /// The command, for `bash`.
    pub(crate) command: String,
    /// What it makes, below the work directory: removed before every run and after the last.
    pub(crate) makes: &'static str,
    /// How often it takes its turn; one that takes minutes need not run as often as the others.
    pub(crate) rounds: usize,
}

/// The samples of one contestant.
#[derive(Serialize, Deserialize)]
pub(crate) struct Measured {
    /// How the table names it.
    pub(crate) name: String,
    /// Its runs.
    pub(crate) samples: Vec<Sample>,
}

impl Measured {
    /// The median wall time.
    pub(crate) fn wall(&self) -> Duration {
        self.median(|sample| sample.wall)
    }

    /// The median processor time.
    pub(crate) fn cpu(&self) -> Duration {
        self.median(|sample| sample.cpu)
    }

    /// The largest peak of all runs, in bytes.
    pub(crate) fn peak(&self) -> u64 {
        self.samples.iter().map(|sample| sample.peak).max().unwrap_or(0)
    }

    fn median(&self, of: impl Fn(&Sample) -> Duration) -> Duration {
        let mut all: Vec<Duration> = self.samples.iter().map(of).collect();
        all.sort();
        let middle = all.len() / 2;
        if all.len() % 2 == 1 { all[middle] } else { (all[middle - 1] + all[middle]) / 2 }
    }
}

/// Lets the contestants take turns: A B C, A B C, ...
pub(crate) fn contest(work: &Path, contestants: &[Contestant]) -> Result<Vec<Measured>> {
    let mut measured: Vec<Measured> =
        contestants.iter().map(|contestant| Measured { name: contestant.name.clone(), samples: Vec::new() }).collect();
    let rounds = contestants.iter().map(|contestant| contestant.rounds).max().unwrap_or(0);
    for round in 0..rounds {
        for (contestant, measured) in contestants.iter().zip(&mut measured) {
            if round < contestant.rounds {
                let sample = take_turn(work, contestant)?;
                eprintln!("  {}: {:.2} s, {} MiB", contestant.name, sample.wall.as_secs_f64(), sample.peak >> 20);
                measured.samples.push(sample);
            }
        }
    }
    Ok(measured)
}

/// Runs a command that is not measured.
pub(crate) fn prepare(work: &Path, command: &str) -> Result<()> {
    run(work, command).map(drop)
}

/// The first line that a command prints; `?` where it prints none.
pub(crate) fn first_line(command: &str) -> String {
    let output = Command::new("bash").args(["-c", command]).output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    text.lines().next().unwrap_or("?").to_owned()
}

fn take_turn(work: &Path, contestant: &Contestant) -> Result<Sample> {
    let clear = format!("rm -rf {}", contestant.makes);
    prepare(work, &clear)?;
    prepare(work, &contestant.before)?;
    // What the last run left to be written must not be this one's burden.
    prepare(work, "sync -f .")?;
    let sample = run(work, &contestant.command)?;
    prepare(work, &clear)?;
    Ok(sample)
}

fn run(work: &Path, command: &str) -> Result<Sample> {
    let start = Instant::now();
    let child = Command::new("bash")
        .args(["-c", &format!("set -eo pipefail\n{command}")])
        .current_dir(work)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()?;
    let used = child.wait4()?;
    let wall = start.elapsed();
    if !used.status.success() {
        return Err(format!("`{command}` ended with {}", used.status).into());
    }
    Ok(Sample { wall, cpu: used.rusage.utime + used.rusage.stime, peak: used.rusage.maxrss })
}
