//! Measures dr-host against what a user would pick instead. `tests/bench/run` builds both and starts this.

mod component;
mod data;
mod jobs;
mod measure;
mod postgres;
mod report;
mod results;

use std::fs;
use std::path::PathBuf;

use clap::Parser;

use jobs::{Bench, JOBS};
use measure::Result;
use results::Results;

/// Measures dr-host against what a user would pick instead, and writes docs/benchmarks.md.
#[derive(Parser)]
struct Arguments {
    /// A small run that shows that everything works: prints its page, and keeps no results
    #[arg(long)]
    quick: bool,
    /// Only this job; may be given several times
    #[arg(long, value_name = "NAME")]
    only: Vec<String>,
    /// How often each contestant takes its turn
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// An empty or absent directory on the disk that is to be measured, with 25 GB free; removed at the end
    #[arg(long, value_name = "DIR", overrides_with = "work")]
    work: PathBuf,
    /// The binary of dr-host
    #[arg(long, value_name = "FILE")]
    host: PathBuf,
    /// Where the components of guest-drivers/ are
    #[arg(long, value_name = "DIR")]
    guests: PathBuf,
    /// Where each job's last results are kept
    #[arg(long, value_name = "DIR")]
    results: PathBuf,
    /// Where the page goes that shows them all
    #[arg(long, value_name = "FILE")]
    page: PathBuf,
}

fn main() -> Result<()> {
    // Not a job: the contestant that a job starts.
    if let [_, which, address] = &std::env::args().collect::<Vec<_>>()[..]
        && which == "--redis-loop"
    {
        return component::redis_loop(address);
    }
    let arguments = Arguments::parse();
    if let Some(unknown) = arguments.only.iter().find(|only| JOBS.iter().all(|(name, _)| name != only)) {
        let names: Vec<_> = JOBS.iter().map(|(name, _)| *name).collect();
        return Err(format!("--only {unknown} names no job; there are {}", names.join(", ")).into());
    }
    fs::create_dir_all(&arguments.work)?;
    if fs::read_dir(&arguments.work)?.next().is_some() {
        return Err(format!("`{}` is not empty", arguments.work.display()).into());
    }
    let (rounds, shrink) = if arguments.quick { (1, 50) } else { (arguments.rounds, 1) };
    let (work, host, guests) = (arguments.work.canonicalize()?, arguments.host.canonicalize()?, arguments.guests.canonicalize()?);
    let bench = Bench { work, host, guests, rounds, shrink };
    let mut measured = Vec::new();
    for (name, job) in JOBS.iter().filter(|(name, _)| arguments.only.is_empty() || arguments.only.iter().any(|only| only == name)) {
        let results = Results::new(name, &bench, job(&bench)?);
        // What is measured is kept, also if a later job fails.
        if !arguments.quick {
            results.keep(&arguments.results)?;
        }
        measured.push(results);
    }
    fs::remove_dir_all(&bench.work)?;
    if arguments.quick {
        print!("{}", report::page(&measured));
    } else {
        let kept: Result<Vec<_>> = JOBS.iter().map(|(name, _)| Results::kept(&arguments.results, name)).collect();
        fs::write(&arguments.page, report::page(&kept?.into_iter().flatten().collect::<Vec<_>>()))?;
    }
    Ok(())
}
