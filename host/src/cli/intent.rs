//! What is meant: arguments and surroundings, resolved into one task and how to speak of it.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use super::args::{
    Arguments, Command, CompressionArgument, DriverCommand, ExtraArgument, LanguageArgument, LeavesArgument, OutputArguments, SetArguments,
};
use super::completions::{Completions, Manual};
use super::driver::{self, Driver};
use super::dump::Dump;
use super::exit::{Exit, Refused};
use super::init::Init;
use super::list::List;
use super::output::{Format, Output, Stream, Style};
use super::plan::ShowPlan;
use super::restore::Restore;
use super::verify::Verify;
use crate::config::{Compression, Environment};
use crate::conformance::Atomicity;
use crate::drivers::{Extra, Level, RestoreOptions};
use crate::engine::event;
use crate::plan::Selection;

/// What the process finds around itself.
pub(super) struct Surroundings {
    /// The directory in which it was started.
    pub(super) directory: PathBuf,
    /// Its environment.
    pub(super) environment: Environment,
}

impl Surroundings {
    /// Those of this process.
    pub(super) fn of_process() -> Self {
        // Without a current directory, relative paths fail one by one, each with its own message.
        let directory = std::env::current_dir().unwrap_or_else(|_| PathBuf::from("."));
        Self { directory, environment: std::env::vars_os().collect() }
    }
}

/// What is meant.
pub(super) struct Intent {
    /// How to speak.
    pub(super) style: Style,
    /// Where results go.
    pub(super) results: Stream,
    /// What to do.
    pub(super) task: Task,
}

/// What to do.
pub(super) enum Task {
    Dump(Dump),
    Restore(Restore),
    List(List),
    Verify(Verify),
    Plan(ShowPlan),
    Init(Init),
    Driver(Driver),
    Completions(Completions),
    Manual(Manual),
}

impl Intent {
    /// What these arguments mean here.
    pub(super) fn of(arguments: Arguments, around: &Surroundings) -> Self {
        let style = style(&arguments.output, around);
        let task = Task::of(arguments.command);
        // Where the archive itself goes to standard output, nothing else may.
        let results = if matches!(&task, Task::Dump(dump) if dump.out == "-") { Stream::Err } else { Stream::Out };
        Self { style, results, task }
    }
}

impl Task {
    fn of(command: Command) -> Self {
        match command {
            Command::Dump(typed) => Self::Dump(Dump {
                out: typed.out,
                config: typed.config.config,
                selection: selection(typed.sets),
                overwrite: typed.overwrite,
                compression: typed.compression.map(compression),
            }),
            Command::Restore(typed) => Self::Restore(Restore {
                input: typed.input,
                config: typed.config.config,
                selection: selection(typed.sets),
                options: RestoreOptions {
                    recreate: typed.recreate,
                    extra: typed.extra.map(extra),
                    force: typed.force,
                    truncate: typed.truncate,
                    items: BTreeMap::new(),
                },
                yes: typed.yes,
                expect: typed.expect.expect,
            }),
            Command::List(typed) => Self::List(List { input: typed.input, selection: selection(typed.sets), entries: typed.entries }),
            Command::Verify(typed) => {
                Self::Verify(Verify { input: typed.input, selection: selection(typed.sets), expect: typed.expect.expect })
            }
            Command::Plan(typed) => Self::Plan(ShowPlan { config: typed.config.config, selection: selection(typed.sets) }),
            Command::Init(typed) => Self::Init(Init { path: typed.path, selection: selection(typed.sets) }),
            Command::Driver(typed) => Self::Driver(driver_command(typed.command)),
            Command::Completions(typed) => Self::Completions(Completions { shell: typed.shell }),
            Command::Man(typed) => Self::Manual(Manual { directory: typed.directory }),
        }
    }

    /// What an event calls it, if it emits events.
    pub(super) fn command(&self) -> Option<event::Command> {
        match self {
            Self::Dump(_) => Some(event::Command::Dump),
            Self::Restore(_) => Some(event::Command::Restore),
            Self::Verify(_) => Some(event::Command::Verify),
            Self::List(_) | Self::Plan(_) | Self::Init(_) | Self::Driver(_) | Self::Completions(_) | Self::Manual(_) => None,
        }
    }

    /// Does it.
    pub(super) fn run(self, output: &Arc<Output>, around: &Surroundings) -> Result<Exit, Refused> {
        match self {
            Self::Dump(dump) => dump.run(output, around),
            Self::Restore(restore) => restore.run(output, around),
            Self::List(list) => list.run(output),
            Self::Verify(verify) => verify.run(output),
            Self::Plan(plan) => plan.run(output, around),
            Self::Init(init) => init.run(output, around),
            Self::Driver(driver) => driver.run(output, around),
            Self::Completions(completions) => completions.run(output),
            Self::Manual(manual) => manual.run(output),
        }
    }
}

fn driver_command(typed: DriverCommand) -> Driver {
    match typed {
        DriverCommand::New(typed) => match typed.lang {
            LanguageArgument::Rust => Driver::New(driver::New { name: typed.name }),
        },
        DriverCommand::Inspect(typed) => Driver::Inspect(driver::Inspect { component: typed.component }),
        DriverCommand::Test(typed) => Driver::Test(driver::Test {
            component: typed.component,
            config: typed.config,
            grants: typed.grant,
            secrets: typed.secret,
            atomicity: match typed.leaves {
                LeavesArgument::Nothing => Atomicity::Whole,
                LeavesArgument::Items => Atomicity::Item,
                LeavesArgument::Anything => Atomicity::None,
            },
            only: typed.only,
        }),
        DriverCommand::Wit => Driver::Wit(driver::Wit),
    }
}

fn style(typed: &OutputArguments, around: &Surroundings) -> Style {
    let level = match (typed.quiet, typed.verbose) {
        (true, _) => Level::Error,
        (false, 0) => Level::Info,
        (false, 1) => Level::Debug,
        (false, _) => Level::Trace,
    };
    let format = if typed.json { Format::Json } else { Format::Text };
    let is_dumb = around.environment.non_empty("TERM") == Some("dumb");
    // See https://no-color.org: any value but the empty one.
    Style { format, level, no_colour: is_dumb || around.environment.non_empty("NO_COLOR").is_some(), is_dumb }
}

fn selection(typed: SetArguments) -> Selection {
    Selection { only: typed.only, skip: typed.skip }
}

fn compression(typed: CompressionArgument) -> Compression {
    match typed {
        CompressionArgument::Zstd => Compression::Zstd,
        CompressionArgument::Deflate => Compression::Deflate,
        CompressionArgument::Store => Compression::Store,
    }
}

fn extra(typed: ExtraArgument) -> Extra {
    match typed {
        ExtraArgument::Keep => Extra::Keep,
        ExtraArgument::Delete => Extra::Delete,
    }
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory as _, Parser as _};

    use super::*;

    fn intent(line: &str, environment: &[(&str, &str)]) -> Intent {
        let arguments = Arguments::try_parse_from(std::iter::once("dr-host").chain(line.split(' '))).unwrap();
        Intent::of(arguments, &Surroundings { directory: "/".into(), environment: environment.iter().copied().collect() })
    }

    #[test]
    fn the_arguments_hang_together() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn results_give_way_to_an_archive_on_standard_output() {
        assert_eq!(intent("dump -", &[]).results, Stream::Err);
        assert_eq!(intent("dump a.zip", &[]).results, Stream::Out);
    }

    #[test]
    fn an_empty_no_color_asks_for_nothing() {
        assert!(!intent("plan", &[("NO_COLOR", "")]).style.no_colour);
        assert!(intent("plan", &[("NO_COLOR", "0")]).style.no_colour);
    }

    #[test]
    fn options_for_output_may_stand_before_and_after_the_command() {
        assert_eq!(intent("-q plan", &[]).style.level, Level::Error);
        assert_eq!(intent("plan -vv", &[]).style.level, Level::Trace);
        assert_eq!(intent("list --json a.zip", &[]).style.format, Format::Json);
    }
}
