//! `redis`: databases of a Redis server (or of one that speaks like it), key by key.
//!
//! Here stand the moments. `settings` is the configuration; `connection` moves bytes, `client` speaks commands and replies over
//! it, `server` logs in and asks for what must be known. `record` is the format of the entries; `dump` writes them, `restore` reads
//! them. `glob` says which keys belong to the set.

mod client;
mod connection;
mod dump;
mod glob;
mod record;
mod restore;
mod server;
mod settings;

use driver_guest::{
    Capability, Context, Description, Ended, ErrorKind, LinkColumn, LinkSink, Moments, Need, Outcome, PointInTime, Reader, Result, State,
    Worth, Writer, config, error, now,
};

use settings::{SCHEMA, Settings};

/// The format of the entries: see README.md, and `record`.
const FORMAT: &str = "redis/1";

static DUMPING: State<dump::Source> = State::new();
static RESTORING: State<restore::Target> = State::new();

struct Redis;

driver_guest::export!(Redis);

impl Moments for Redis {
    fn describe() -> Description {
        let need =
            |capability, target: &str, reason: &str, optional| Need { capability, target: target.into(), reason: reason.into(), optional };
        Description {
            name: env!("CARGO_PKG_NAME").into(),
            version: env!("CARGO_PKG_VERSION").into(),
            summary: "databases of a Redis server, key by key".into(),
            config_schema: SCHEMA.into(),
            needs: vec![
                need(Capability::Network, "/address", "to speak with the server", false),
                need(Capability::Secret, "password", "to log in, where the server asks for it", true),
            ],
            formats: vec![FORMAT.into()],
            worth: Worth::Interval,
            has_columns: false,
            has_names: false,
        }
    }

    fn before_dump(context: Context) -> Result<PointInTime> {
        let settings: Settings = config(&context)?;
        let at = now();
        let source = dump::Source::open(&settings)?;
        let details = source.details();
        DUMPING.leave(source);
        Ok(PointInTime { worth: Worth::Interval, at, details })
    }

    fn link_values(_: Context, _: LinkColumn, _: LinkSink) -> Result<()> {
        Err(error(ErrorKind::Unsupported, "keys have no columns for a link to start from"))
    }

    fn dump(context: Context, into: Writer) -> Result<Outcome> {
        let settings: Settings = config(&context)?;
        let notes = DUMPING.expect("dump")?.dump(&settings, &into)?;
        Ok(Outcome { format: FORMAT.into(), notes })
    }

    fn after_dump(_: Context, _: Ended) -> Result<()> {
        DUMPING.take();
        Ok(())
    }

    fn before_restore(context: Context, source: Reader) -> Result<()> {
        let settings: Settings = config(&context)?;
        RESTORING.leave(restore::Target::check(&settings, &context, &source)?);
        Ok(())
    }

    fn restore(context: Context, source: Reader) -> Result<Outcome> {
        let settings: Settings = config(&context)?;
        let notes = RESTORING.expect("restore")?.restore(&settings, &source)?;
        Ok(Outcome { format: FORMAT.into(), notes })
    }

    fn after_restore(_: Context, _: Ended) -> Result<()> {
        RESTORING.take();
        Ok(())
    }
}
