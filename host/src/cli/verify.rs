//! `dr-host verify`.

use std::sync::Arc;

use super::exit::{Exit, Refused, usage};
use super::output::Output;
use super::signals;
use crate::archive::ArchiveReader;
use crate::engine::{self, Session};
use crate::error::Error;
use crate::plan::{self, Selection};
use crate::redact::Redactor;
use crate::store;

/// A verification, as it was asked for.
pub(super) struct Verify {
    /// The archive.
    pub(super) input: String,
    /// Which sets.
    pub(super) selection: Selection,
    /// The hash that it must have.
    pub(super) expect: Option<String>,
}

impl Verify {
    /// Reads every byte.
    pub(super) fn run(self, output: &Arc<Output>) -> Result<Exit, Refused> {
        let archive = open(&self.input, self.expect.as_deref())?;
        let sets = plan::records(archive.manifest(), &self.selection)?;
        let signals = signals::listen(output)?;
        let session = Session { events: output.clone(), cancel: signals.cancel(), redactor: Redactor::default() };
        let report = engine::verify(&archive, &sets, &session);
        Ok(Exit::Run(report.exit_code))
    }
}

/// Opens an archive, and compares its hash with the expected one.
pub(super) fn open(input: &str, expect: Option<&str>) -> Result<ArchiveReader, Refused> {
    let archive = ArchiveReader::open(store::open_source(input).map_err(usage)?)?;
    match expect {
        Some(expected) if expected != archive.manifest_sha256() => {
            let message = format!("`{input}` is another archive than the expected one: its hash is {}", archive.manifest_sha256());
            Err(Error::corrupt(message).hint("take the archive whose dump printed the expected hash").into())
        }
        _ => Ok(archive),
    }
}
