//! `dr-host completions` and `dr-host man`: what a package of the program installs beside it.

use std::path::PathBuf;

use clap::CommandFactory as _;

use super::args::Arguments;
use super::exit::{Exit, Refused};
use super::output::Output;
use crate::error::IoContext as _;

/// Completions, as they were asked for.
pub(super) struct Completions {
    /// The shell.
    pub(super) shell: clap_complete::Shell,
}

impl Completions {
    /// Prints them.
    pub(super) fn run(&self, output: &Output) -> Result<Exit, Refused> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Arguments::command(), "dr-host", &mut script);
        output.printer.raw(&String::from_utf8_lossy(&script));
        Ok(Exit::Done)
    }
}

/// Manual pages, as they were asked for.
pub(super) struct Manual {
    /// The directory to write them to; without one, the main page is printed.
    pub(super) directory: Option<PathBuf>,
}

impl Manual {
    /// Prints or writes them.
    pub(super) fn run(&self, output: &Output) -> Result<Exit, Refused> {
        if let Some(directory) = &self.directory {
            let cannot = || format!("cannot write manual pages to `{}`", directory.display());
            std::fs::create_dir_all(directory).while_doing(cannot)?;
            clap_mangen::generate_to(Arguments::command(), directory).while_doing(cannot)?;
            return Ok(Exit::Done);
        }
        let mut page = Vec::new();
        clap_mangen::Man::new(Arguments::command()).render(&mut page).while_doing(|| "cannot render the manual page")?;
        output.printer.raw(&String::from_utf8_lossy(&page));
        Ok(Exit::Done)
    }
}
