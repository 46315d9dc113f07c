//! The command line: arguments in, text and an exit code out. One file per command; `output` is how they print.
//!
//! Two layers: `args` is what was typed, `intent` what is meant. The only room that prints, exits, asks questions, or reads
//! the process's arguments and environment.

mod args;
mod ask;
mod completions;
mod driver;
mod dump;
mod exit;
mod init;
mod intent;
mod list;
mod output;
mod panics;
mod plan;
mod restore;
mod signals;
mod verify;

use std::ffi::OsString;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser as _;

use args::Arguments;
use exit::{Exit, Refused};
use intent::{Intent, Surroundings};
use output::Output;

use crate::engine::event::Command;
use crate::error::Error;

/// Does what the arguments say; the first is the name of the program.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let end = match Arguments::try_parse_from(arguments) {
        Ok(arguments) => understand(arguments),
        Err(why) => {
            // Where it cannot be printed there is nobody to tell.
            let _ = why.print();
            Err(Refused::Arguments(why))
        }
    };
    ExitCode::from(exit::code(&end))
}

/// The end of a run that came to its end, and whose report did not arrive: what it did stands all the same.
fn unreported(exit: Exit, command: Command, error: &Error, output: &Output) -> Exit {
    let Some(exit) = exit.without_report() else { return exit };
    let what = match command {
        Command::Dump => "the archive is whole",
        Command::Restore => "every set is restored",
        Command::Verify => "every byte is right",
    };
    output.finding(&format!("{what}, but not all that is to be said of it could be: {}", error.message()), error.advice());
    exit
}

/// Carries out what the arguments mean, and says why if that cannot be done.
fn understand(arguments: Arguments) -> Result<Exit, Refused> {
    let around = Surroundings::of_process();
    let Intent { style, results, task } = Intent::of(arguments, &around);
    let output = Arc::new(Output::new(style, results));
    let command = task.command();
    let end = panics::guard(&output, || {
        let exit = task.run(&output, &around)?;
        match (output.printer.finish(), command) {
            (Err(error), Some(command)) => Ok(unreported(exit, command, &error, &output)),
            (finished, _) => Ok(finished.map(|()| exit)?),
        }
    });
    if let Err(refused) = &end {
        output.refuse(&refused.failures(), command, exit::code(&end));
    }
    end
}
