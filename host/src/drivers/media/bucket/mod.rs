//! Media in a bucket, through `object_store`: the driver. [`settings`] says where the bucket is, [`store`] talks to it (and
//! [`listing`] listens in), [`dump`] and [`restore`] do the work with a [`crew`] of threads, [`inventory`] remembers what was
//! listed, [`attributes`] translates what an object has beside its content.

mod attributes;
mod crew;
mod dump;
mod inventory;
mod listing;
mod restore;
mod settings;
mod store;

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;

use jiff::Timestamp;
use url::Url;

use self::inventory::Inventory;
use self::restore::Restore;
use self::settings::Place;
pub(super) use self::settings::{BucketSettings, SCHEMES};
use self::store::Store;
use crate::archive::{Reader, Writer};
use crate::drivers::{Context, Description, Driver, Ended, Occupied, Outcome, PointInTime, SettingError, Survey, Worth};
use crate::error::{Error, ErrorKind, Result};

/// Makes the driver for the bucket that a URL names. `kind` and `format` are those of `media`.
pub(super) fn driver(
    kind: &'static str,
    format: &'static str,
    url: &Url,
    settings: &BucketSettings,
) -> Result<Box<dyn Driver>, Vec<SettingError>> {
    let place = Place::read(url, settings)?;
    Ok(Box::new(Bucket { kind, format, place, dump: None, restore: None }))
}

struct Bucket {
    kind: &'static str,
    format: &'static str,
    place: Place,
    dump: Option<(Store, Inventory)>,
    restore: Option<(Store, Restore)>,
}

impl Driver for Bucket {
    fn describe(&self) -> Description {
        Description {
            name: self.kind.to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            formats: vec![self.format.to_owned()],
            has_columns: false,
            has_names: true,
            details: BTreeMap::new(),
        }
    }

    fn survey(&self) -> Survey {
        let mut survey = Survey::new(self.place.shown(), Worth::Interval);
        survey.details = self.place.details();
        survey.occupies.push(Occupied::Objects(self.place.url()));
        survey
    }

    fn before_dump(&mut self, context: &Context) -> Result<PointInTime> {
        let at = Timestamp::now();
        let store = Store::new(&self.place)?;
        let inventory = dump::list(&store, &self.place.others(&context.leave_out), context)?;
        let point = PointInTime { worth: Worth::Interval, at, details: BTreeMap::new() }.with("listed", inventory.len().to_string());
        self.dump = Some((store, inventory));
        Ok(point)
    }

    fn dump(&mut self, context: &Context, into: Box<dyn Writer>) -> Result<Outcome> {
        let (store, inventory) = self.dump.take().ok_or_else(out_of_order)?;
        dump::dump(&store, &inventory, context, &*into)?;
        Ok(Outcome::new(self.format))
    }

    fn after_dump(&mut self, _context: &Context, _ended: &Ended) -> Result<()> {
        self.dump = None;
        Ok(())
    }

    fn before_restore(&mut self, context: &Context, source: &dyn Reader) -> Result<()> {
        let store = Store::new(&self.place)?;
        let restore = Restore::prepare(&store, &self.place, context, source)?;
        self.restore = Some((store, restore));
        Ok(())
    }

    fn restore(&mut self, context: &Context, source: &dyn Reader) -> Result<Outcome> {
        let (store, restore) = self.restore.take().ok_or_else(out_of_order)?;
        let counts = restore.run(&store, context, source)?;
        Ok(Outcome::new(self.format)
            .note("written", counts.written.load(Ordering::Relaxed).to_string())
            .note("unchanged", counts.unchanged.load(Ordering::Relaxed).to_string())
            .note("deleted", counts.deleted.to_string()))
    }

    fn after_restore(&mut self, _context: &Context, _ended: &Ended) -> Result<()> {
        self.restore = None;
        Ok(())
    }
}

fn out_of_order() -> Error {
    Error::new(ErrorKind::Other, "this moment came before the one that prepares it")
}
