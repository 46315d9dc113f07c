//! How a command ends, and the exit code of each end. `docs/exit-codes.md` says the same in more words.

use clap::error::ErrorKind as ClapKind;

use super::output::from_error;
use crate::config::Problems;
use crate::engine::event::Failure;
use crate::error::{Error, ErrorKind};

/// The exit codes, as `--help` shows them.
pub(super) const TABLE: &str = "\
Exit status:
  0    all done
  1    failed: no archive was written, a restore did not finish, an archive is damaged
  2    usage or configuration: nothing was begun
  3    finished with findings: links dangle, something vanished or changed while it was
       copied, something was skipped as told; each is named on standard error
  129  the terminal was closed (SIGHUP)
  130  interrupted (Ctrl-C)
  143  terminated (SIGTERM)";

/// How a command ended that did what it was asked, as far as it came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Exit {
    /// All done.
    Done,
    /// A run ended with this code, and has said why.
    Run(u8),
}

impl Exit {
    /// The same for a run whose report could not be written. None where that changes nothing: it failed anyhow.
    pub(super) fn without_report(self) -> Option<Self> {
        matches!(self, Self::Done | Self::Run(0 | FINDINGS)).then_some(Self::Run(FINDINGS))
    }
}

/// Why a command ended before anything ran; not said yet.
#[derive(Debug)]
pub(super) enum Refused {
    /// The arguments make no sense, or ask for help: clap knows how to say it.
    Arguments(clap::Error),
    /// The configuration makes no sense.
    Configuration(Problems),
    /// The arguments ask for what cannot be had.
    Usage(Error),
    /// Something failed.
    Error(Error),
}

/// Usage or configuration.
const USAGE: u8 = 2;

/// Finished, and something is to be known.
const FINDINGS: u8 = 3;

/// Everything else that failed.
const FAILED: u8 = 1;

/// The exit code of every way in which a command ends: here and nowhere else.
pub(super) fn code(end: &Result<Exit, Refused>) -> u8 {
    match end {
        Ok(Exit::Done) => 0,
        Ok(Exit::Run(code)) => *code,
        Err(Refused::Arguments(why)) if matches!(why.kind(), ClapKind::DisplayHelp | ClapKind::DisplayVersion) => 0,
        Err(Refused::Arguments(_) | Refused::Configuration(_) | Refused::Usage(_)) => USAGE,
        Err(Refused::Error(_)) => FAILED,
    }
}

impl Refused {
    /// What failed, one by one, for text and events; clap speaks for itself.
    pub(super) fn failures(&self) -> Vec<Failure> {
        match self {
            Self::Arguments(_) => Vec::new(),
            Self::Configuration(problems) => problems.iter().map(problem).collect(),
            Self::Usage(error) | Self::Error(error) => vec![from_error(error)],
        }
    }
}

/// A problem as a failure; its excerpt is part of the message.
fn problem(problem: &crate::config::Problem) -> Failure {
    let mut bare = problem.clone();
    bare.hint = None;
    Failure { hint: problem.hint.clone(), ..from_error(&Error::new(ErrorKind::InvalidConfig, bare.to_string())) }
}

impl From<Error> for Refused {
    fn from(error: Error) -> Self {
        if error.kind() == ErrorKind::InvalidConfig { Self::Usage(error) } else { Self::Error(error) }
    }
}

/// An error about the place of an archive: one that this version cannot read or write is wrong usage, too.
pub(super) fn usage(error: Error) -> Refused {
    if error.kind() == ErrorKind::Unsupported { Refused::Usage(error) } else { error.into() }
}

impl From<Problems> for Refused {
    fn from(problems: Problems) -> Self {
        Self::Configuration(problems)
    }
}

impl From<clap::Error> for Refused {
    fn from(error: clap::Error) -> Self {
        Self::Arguments(error)
    }
}
