//! The `sqlite` driver: one database, as the image of its pages at one instant, and its restore as one file.
//!
//! [`snapshot`] (with [`copy`]) fixes the instant and reads the pages, [`links`] (with [`json_path`]) reads columns for
//! links; [`target`] judges what a restore would replace, [`place`] replaces it, [`check`] looks at the image before that,
//! [`holders`] finds who has the database open, [`database`] opens it, [`header`] knows its first bytes, [`settings`] the
//! configuration's.

mod check;
mod copy;
mod database;
mod header;
mod holders;
mod json_path;
mod links;
mod ownership;
mod place;
mod restore;
mod settings;
mod snapshot;
mod target;

use std::path::PathBuf;

use self::database::beside;
use self::holders::FILES;
use self::restore::Restore;
use self::settings::{Configured, Options};
use self::snapshot::Snapshot;
use super::{Context, Description, Driver, Ended, Kind, LinkColumn, Occupied, Outcome, PointInTime, SettingError, Settings, Survey, Worth};
use crate::archive::entry::attribute;
use crate::archive::{Entry, Reader, Writer};
use crate::error::{Error, ErrorKind, Result};

/// The format of the one entry: a file of SQLite's format 3, see `docs/drivers.md`.
const FORMAT: &str = "sqlite/1";

/// The name of the one entry.
const ENTRY: &str = "database.sqlite3";

/// The schemes of a URL that names a database.
const SCHEMES: &[&str] = &["sqlite", "sqlite3"];

/// The kind `sqlite`.
pub(super) struct Sqlite;

impl Kind for Sqlite {
    fn name(&self) -> &'static str {
        "sqlite"
    }

    fn summary(&self) -> &'static str {
        "an SQLite database, as the image of its pages at one instant"
    }

    fn settings(&self) -> serde_json::Value {
        schemars::schema_for!(Options).to_value()
    }

    fn url_schemes(&self) -> &'static [&'static str] {
        SCHEMES
    }

    fn configure(&self, settings: &Settings) -> Result<Box<dyn Driver>, Vec<SettingError>> {
        Ok(Box::new(Database { settings: Configured::read(settings)?, snapshot: None, restore: None }))
    }
}

/// One database.
struct Database {
    settings: Configured,
    snapshot: Option<Snapshot>,
    restore: Option<Restore>,
}

impl Driver for Database {
    fn describe(&self) -> Description {
        Description {
            name: Sqlite.name().to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            formats: vec![FORMAT.to_owned()],
            has_columns: true,
            has_names: false,
            details: std::collections::BTreeMap::new(),
        }
    }

    fn survey(&self) -> Survey {
        let path = &self.settings.path;
        let mut survey = Survey::new(path.display().to_string(), Worth::Exact);
        survey.size = std::fs::metadata(path).ok().map(|file| file.len());
        let real = path.canonicalize().unwrap_or_else(|_| path.clone());
        let mut occupied: Vec<PathBuf> = FILES.iter().map(|suffix| beside(&real, suffix)).collect();
        occupied.push(place::partial_name(&real));
        if real != *path {
            occupied.push(path.clone());
        }
        survey.occupies = occupied.into_iter().map(Occupied::File).collect();
        survey
    }

    fn before_dump(&mut self, context: &Context) -> Result<PointInTime> {
        let snapshot = Snapshot::take(&self.settings.path, context, self.settings.lock_timeout)?;
        let point = PointInTime { worth: Worth::Exact, at: snapshot.at, details: std::collections::BTreeMap::new() }
            .with("journal_mode", &snapshot.facts.journal_mode)
            .with("kept_by", snapshot.kept_by());
        self.snapshot = Some(snapshot);
        Ok(point)
    }

    fn link_values(&mut self, context: &Context, column: &LinkColumn, each: &mut dyn FnMut(&str) -> Result<()>) -> Result<()> {
        let snapshot = self.snapshot.as_mut().ok_or_else(out_of_order)?;
        links::values(snapshot.connection(context)?, column, each)
    }

    fn dump(&mut self, context: &Context, mut into: Box<dyn Writer>) -> Result<Outcome> {
        let snapshot = self.snapshot.take().ok_or_else(out_of_order)?;
        let facts = &snapshot.facts;
        let mut entry = Entry::new(ENTRY)
            .modified(snapshot.at)
            .attribute("page_size", facts.page_size.to_string())
            .attribute("application_id", facts.application_id.to_string())
            .attribute("user_version", facts.user_version.to_string())
            .attribute("encoding", &facts.encoding)
            .attribute("journal_mode", &facts.journal_mode)
            .attribute(attribute::MODE, format!("{:04o}", ownership::mode(&snapshot.file)));
        entry.attributes.extend(ownership::owner(&snapshot.file));
        let outcome = Outcome::new(FORMAT).note("page_size", facts.page_size.to_string()).note("pages", facts.pages.to_string());
        let mut image = into.create(entry)?;
        let written = snapshot.write_to(context, &mut *image).and_then(|()| image.finish());
        let released = snapshot.release();
        written.and(released).map(|()| outcome)
    }

    fn after_dump(&mut self, _context: &Context, _ended: &Ended) -> Result<()> {
        self.snapshot.take().map_or(Ok(()), Snapshot::release)
    }

    fn before_restore(&mut self, context: &Context, source: &dyn Reader) -> Result<()> {
        self.restore = Some(Restore::prepare(&self.settings, context, source)?);
        Ok(())
    }

    fn restore(&mut self, context: &Context, source: &dyn Reader) -> Result<Outcome> {
        self.restore.take().ok_or_else(out_of_order)?.run(context, source)
    }

    fn after_restore(&mut self, _context: &Context, _ended: &Ended) -> Result<()> {
        self.restore = None;
        Ok(())
    }
}

fn out_of_order() -> Error {
    Error::new(ErrorKind::Other, "this moment came before the one that prepares it")
}

#[cfg(test)]
mod tests;
