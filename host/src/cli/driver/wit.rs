//! `dr-host driver wit`.

use super::super::exit::{Exit, Refused};
use super::super::output::Output;

/// The contract, as this host runs it.
pub(super) const CONTRACT: &str = include_str!("../../../../wit/driver.wit");

/// The contract, as it was asked for.
pub(in crate::cli) struct Wit;

impl Wit {
    /// Prints it.
    pub(super) fn run(&self, output: &Output) -> Result<Exit, Refused> {
        output.printer.raw(CONTRACT);
        Ok(Exit::Done)
    }
}
