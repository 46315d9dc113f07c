//! `filesystem-tree`: the regular files below a directory, through `std::fs` and nothing else. The yardstick for what the
//! sandbox costs, beside the host's own `filesystem`.
//!
//! Here stand the driver's settings and its moments. `list` walks the directory, `copy` writes what it found into entries;
//! `inspect` checks a restore, `place` carries it out, `names` and `temporary` are their tools.

mod copy;
mod inspect;
mod list;
mod names;
mod place;
mod temporary;

use std::path::PathBuf;

use driver_guest::{
    Capability, Context, Description, Ended, ErrorKind, LinkColumn, LinkSink, Moments, Need, Outcome, PointInTime, Reader, Result, State,
    Worth, Writer, config, error, now,
};
use serde::Deserialize;

/// The format of the entries, one for each file: see README.md.
const FORMAT: &str = "files/1";

const SCHEMA: &str = r#"{
  "type": "object",
  "properties": {
    "path": {
      "type": "string",
      "pattern": "^/",
      "description": "The directory, by the path under which it is granted: `/data`."
    },
    "chunk": {
      "type": "integer",
      "minimum": 4096,
      "maximum": 1048576,
      "default": 262144,
      "description": "How many bytes are read and written at once."
    }
  },
  "required": ["path"],
  "additionalProperties": false
}"#;

/// The driver's settings.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    path: PathBuf,
    #[serde(default = "default_chunk")]
    chunk: usize,
}

fn default_chunk() -> usize {
    driver_guest::CHUNK
}

static LISTED: State<list::Inventory> = State::new();
static PLANNED: State<inspect::Plan> = State::new();

struct FilesystemTree;

driver_guest::export!(FilesystemTree);

impl Moments for FilesystemTree {
    fn describe() -> Description {
        let need = |capability, reason: &str, optional| Need { capability, target: "/path".into(), reason: reason.into(), optional };
        Description {
            name: env!("CARGO_PKG_NAME").into(),
            version: env!("CARGO_PKG_VERSION").into(),
            summary: "the regular files below a directory, with their modification times".into(),
            config_schema: SCHEMA.into(),
            needs: vec![
                need(Capability::ReadDirectory, "to dump its files", false),
                need(Capability::WriteDirectory, "to restore them", true),
            ],
            formats: vec![FORMAT.into()],
            worth: Worth::Interval,
            has_columns: false,
            has_names: true,
        }
    }

    fn before_dump(context: Context) -> Result<PointInTime> {
        let settings: Settings = config(&context)?;
        let at = now();
        LISTED.leave(list::list(&settings.path)?);
        Ok(PointInTime { worth: Worth::Interval, at, details: Vec::new() })
    }

    fn link_values(_: Context, _: LinkColumn, _: LinkSink) -> Result<()> {
        Err(error(ErrorKind::Unsupported, "files have no columns for a link to start from"))
    }

    fn dump(context: Context, into: Writer) -> Result<Outcome> {
        let settings: Settings = config(&context)?;
        copy::copy(&settings, &LISTED.expect("dump")?, &into)?;
        Ok(Outcome { format: FORMAT.into(), notes: Vec::new() })
    }

    fn after_dump(_: Context, _: Ended) -> Result<()> {
        LISTED.take();
        Ok(())
    }

    fn before_restore(context: Context, source: Reader) -> Result<()> {
        let settings: Settings = config(&context)?;
        PLANNED.leave(inspect::inspect(&settings.path, context.extra, &source)?);
        Ok(())
    }

    fn restore(context: Context, source: Reader) -> Result<Outcome> {
        let settings: Settings = config(&context)?;
        let done = place::place(&settings, PLANNED.expect("restore")?, &source)?;
        Ok(Outcome { format: FORMAT.into(), notes: done.notes() })
    }

    fn after_restore(_: Context, _: Ended) -> Result<()> {
        PLANNED.take();
        Ok(())
    }
}
