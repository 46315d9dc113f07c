//! The `postgres` driver: one database, its rows by COPY from one snapshot on several connections, everything else by `pg_dump`
//! and `pg_restore`.
//!
//! A dump: [`snapshot`] fixes the point in time and locks what [`catalogue`] finds; [`dependents`] leaves out what cannot be
//! without what is left out. [`schema`] runs `pg_dump` (found by [`programs`], watched by [`child`], told by [`exact`] which rows
//! are ours); [`dump`] has [`parts`] of the tables copied by [`copier`]; [`facts`] is what belongs to the database itself,
//! [`contents`] the entries. [`links`] (with [`json_path`]) reads columns for links. A restore: [`needs`] and [`target`] judge what
//! stands there, [`recreate`] makes the database anew, [`restore`] runs `pg_restore` (told by [`toc`] what to leave out) and
//! loads rows, those that need it in [`order`], [`only`] the rows of single tables; [`properties`] are what is set for the database.
//! [`connection`] knows where a database is and how to get there, [`session`] is one connection for queries, [`team`] several
//! threads that stop together, [`fault`] the server's errors in our words, [`warnings`] what a dump should warn of, [`settings`]
//! and [`pattern`] the configuration's.

mod catalogue;
mod child;
mod connection;
mod contents;
mod copier;
mod dependents;
mod dump;
mod exact;
mod facts;
mod fault;
mod json_path;
mod links;
mod needs;
mod only;
mod order;
mod parts;
mod pattern;
mod programs;
mod properties;
mod recreate;
mod restore;
mod schema;
mod session;
mod settings;
mod snapshot;
mod target;
mod team;
mod toc;
mod warnings;

use self::contents::FORMAT;
use self::dump::Prepared;
use self::restore::Restore;

use self::settings::{Configured, Options};

use super::{Context, Description, Driver, Ended, Kind, LinkColumn, Outcome, PointInTime, SettingError, Settings, Survey, Worth};
use crate::archive::{Reader, Writer};
use crate::error::{Error, ErrorKind, Result};

/// The kind `postgres`.
pub(super) struct Postgres;

impl Kind for Postgres {
    fn name(&self) -> &'static str {
        "postgres"
    }

    fn summary(&self) -> &'static str {
        "a PostgreSQL database, from one snapshot, with everything that pg_restore restores"
    }

    fn settings(&self) -> serde_json::Value {
        schemars::schema_for!(Options).to_value()
    }

    fn url_schemes(&self) -> &'static [&'static str] {
        connection::SCHEMES
    }

    fn configure(&self, settings: &Settings) -> Result<Box<dyn Driver>, Vec<SettingError>> {
        Ok(Box::new(Database { settings: Configured::read(settings)?, dump: None, restore: None }))
    }
}

/// One database.
struct Database {
    settings: Configured,
    dump: Option<Prepared>,
    restore: Option<Restore>,
}

impl Driver for Database {
    fn describe(&self) -> Description {
        Description {
            name: Postgres.name().to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            formats: vec![FORMAT.to_owned()],
            has_columns: true,
            has_names: false,
            details: std::collections::BTreeMap::new(),
        }
    }

    fn survey(&self) -> Survey {
        Survey::new(self.settings.address.shown(), Worth::Exact)
    }

    fn items(&self) -> Option<&'static str> {
        Some("table")
    }

    fn before_dump(&mut self, context: &Context) -> Result<PointInTime> {
        let prepared = Prepared::make(&self.settings, context)?;
        let point = prepared.snapshot.point_in_time();
        self.dump = Some(prepared);
        Ok(point)
    }

    fn link_values(&mut self, context: &Context, column: &LinkColumn, each: &mut dyn FnMut(&str) -> Result<()>) -> Result<()> {
        let prepared = self.dump.as_mut().ok_or_else(out_of_order)?;
        links::values(&mut prepared.snapshot, &self.settings.choice, context, column, each)
    }

    fn dump(&mut self, context: &Context, into: Box<dyn Writer>) -> Result<Outcome> {
        let prepared = self.dump.take().ok_or_else(out_of_order)?;
        dump::run(prepared, &self.settings, context, into)
    }

    fn after_dump(&mut self, _context: &Context, _ended: &Ended) -> Result<()> {
        self.dump.take().map_or(Ok(()), |prepared| prepared.snapshot.release())
    }

    fn before_restore(&mut self, context: &Context, source: &dyn Reader) -> Result<()> {
        self.restore = Some(Restore::prepare(&self.settings, context, source)?);
        Ok(())
    }

    fn restore(&mut self, context: &Context, source: &dyn Reader) -> Result<Outcome> {
        self.restore.take().ok_or_else(out_of_order)?.run(&self.settings, context, source)
    }

    fn after_restore(&mut self, _context: &Context, _ended: &Ended) -> Result<()> {
        self.restore = None;
        Ok(())
    }
}

fn out_of_order() -> Error {
    Error::new(ErrorKind::Other, "this moment came before the one that prepares it")
}
