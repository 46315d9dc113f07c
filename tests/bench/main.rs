//! Measures dr-host against what a user would pick instead. `tests/bench/run` builds both and starts this.

mod data;
mod jobs;
mod measure;
mod report;

use std::fs;
use std::path::PathBuf;

use clap::Parser;

use jobs::{Bench, JOBS};
use measure::Result;

/// Measures dr-host against what a user would pick instead, and writes docs/benchmarks.md.
#[derive(Parser)]
struct Arguments {
    /// A small run that shows that everything works; prints its page
    #[arg(long)]
    quick: bool,
    /// Only this job (media, media-ten, sqlite, sqlite-ten, million); prints its page
    #[arg(long, value_name = "NAME")]
    only: Option<String>,
    /// How often each contestant takes its turn
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// An empty or absent directory on the disk that is to be measured, with 25 GB free; removed at the end
    #[arg(long, value_name = "DIR", overrides_with = "work")]
    work: PathBuf,
    /// The binary of dr-host
    #[arg(long, value_name = "FILE")]
    host: PathBuf,
    /// Where the page goes
    #[arg(long, value_name = "FILE")]
    page: PathBuf,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let chosen: Vec<_> = JOBS.iter().filter(|(name, _)| arguments.only.as_ref().is_none_or(|only| only == name)).collect();
    if chosen.is_empty() {
        return Err("--only names no job; there are media, media-ten, sqlite, sqlite-ten and million".into());
    }
    fs::create_dir_all(&arguments.work)?;
    if fs::read_dir(&arguments.work)?.next().is_some() {
        return Err(format!("`{}` is not empty", arguments.work.display()).into());
    }
    let (rounds, shrink) = if arguments.quick { (1, 50) } else { (arguments.rounds, 1) };
    let bench = Bench { work: arguments.work.canonicalize()?, host: arguments.host.canonicalize()?, rounds, shrink };
    let outcomes: Result<Vec<_>> = chosen.iter().map(|(_, job)| job(&bench)).collect();
    fs::remove_dir_all(&bench.work)?;
    let page = report::page(&outcomes?.into_iter().flatten().collect::<Vec<_>>(), &bench.host.display().to_string(), rounds);
    if arguments.quick || arguments.only.is_some() {
        print!("{page}");
    } else {
        fs::write(&arguments.page, page)?;
    }
    Ok(())
}
