//! `dr-host driver …`: what the author of a driver needs. One file per command.

mod inspect;
mod new;
mod subject;
mod test;
mod wit;

pub(super) use inspect::Inspect;
pub(super) use new::New;
pub(super) use test::Test;
pub(super) use wit::Wit;

use super::exit::{Exit, Refused};
use super::intent::Surroundings;
use super::output::Output;

/// What is to be done about a driver.
pub(super) enum Driver {
    New(New),
    Inspect(Inspect),
    Test(Test),
    Wit(Wit),
}

impl Driver {
    /// Does it.
    pub(super) fn run(self, output: &Output, around: &Surroundings) -> Result<Exit, Refused> {
        match self {
            Self::New(new) => new.run(output, around),
            Self::Inspect(inspect) => inspect.run(output, around),
            Self::Test(test) => test.run(output, around),
            Self::Wit(wit) => wit.run(output),
        }
    }
}
