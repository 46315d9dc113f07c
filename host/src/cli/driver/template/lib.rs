//! A driver for dr-host: the files of one directory, without those below it.
//!
//! The moments stand in the order in which the host calls them. What each may do and what its errors mean is in `wit/driver.wit`.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use serde::Deserialize;

wit_bindgen::generate!({ path: "wit", world: "driver" });

use dumprestore::driver::archive::{Entry, Reader, Writer};
use dumprestore::driver::control::{self, FindingKind};
use dumprestore::driver::log::{self, Level};
use dumprestore::driver::types::{Error, ErrorKind, Timestamp};
use exports::dumprestore::driver::moments::{
    Capability, Context, Description, Ended, Extra, Guest, LinkColumn, LinkSink, Need, Outcome, PointInTime, Worth,
};

/// The format of the entries: one for each file, by its name. Raise the number when it changes, and keep reading the old one.
const FORMAT: &str = "{{name}}/1";

/// What the configuration of a set looks like. The host checks it before anything runs.
const SCHEMA: &str = r#"{
  "type": "object",
  "properties": {
    "directory": { "type": "string", "description": "The directory, by the path under which it is granted" }
  },
  "required": ["directory"],
  "additionalProperties": false
}"#;

/// The same, for Rust.
#[derive(Deserialize)]
struct Config {
    directory: PathBuf,
}

/// Where a file is written before it takes its place; such a file is never dumped.
const PARTIAL: &str = ".{{name}}.partial";

thread_local! {
    /// The names that `before-dump` has listed: one instance lives through the moments of a run.
    static LISTED: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

struct Driver;

export!(Driver);

impl Guest for Driver {
    fn describe() -> Description {
        let need = |capability, reason: &str, optional| Need { capability, target: "/directory".into(), reason: reason.into(), optional };
        Description {
            name: env!("CARGO_PKG_NAME").into(),
            version: env!("CARGO_PKG_VERSION").into(),
            summary: "the files of a directory, without those further below".into(),
            config_schema: SCHEMA.into(),
            // Who only dumps need not grant that anything is written.
            needs: vec![need(Capability::ReadDirectory, "to dump its files", false), need(Capability::WriteDirectory, "to restore them", true)],
            formats: vec![FORMAT.into()],
            worth: Worth::Interval,
            has_columns: false,
            has_names: true,
        }
    }

    fn before_dump(context: Context) -> Result<PointInTime, Error> {
        let at = SystemTime::now();
        LISTED.set(list(&config(&context)?.directory)?);
        Ok(PointInTime { worth: Worth::Interval, at: timestamp(at), details: Vec::new() })
    }

    fn link_values(_: Context, _: LinkColumn, _: LinkSink) -> Result<(), Error> {
        Err(error(ErrorKind::Unsupported, "files have no columns for a link to start from"))
    }

    fn dump(context: Context, into: Writer) -> Result<Outcome, Error> {
        let directory = config(&context)?.directory;
        for name in LISTED.take() {
            check_cancelled()?;
            match File::open(directory.join(&name)) {
                Ok(file) => dump_file(&name, file, &into)?,
                // Listed, and gone since: the user is told, and the dump goes on.
                Err(why) if why.kind() == io::ErrorKind::NotFound => {
                    control::finding(FindingKind::Vanished, &name, "it was deleted while the dump ran");
                }
                Err(why) => return Err(failed(&format!("cannot read `{name}`"), &why)),
            }
        }
        Ok(Outcome { format: FORMAT.into(), notes: Vec::new() })
    }

    fn after_dump(_: Context, _: Ended) -> Result<(), Error> {
        LISTED.take();
        Ok(())
    }

    /// Everything that can go wrong is looked for here, since nothing has been written yet: all of it, not only the first.
    fn before_restore(context: Context, source: Reader) -> Result<(), Error> {
        let directory = config(&context)?.directory;
        let there = list(&directory)?;
        let names = names_of(&source)?;
        let bad: Vec<&String> = names.iter().filter(|name| !is_file_name(name) || directory.join(name).is_dir()).collect();
        if !bad.is_empty() {
            return Err(with_names(error(ErrorKind::Unsupported, "the directory cannot hold files of these names"), bad));
        }
        let more: Vec<&String> = there.iter().filter(|name| !names.contains(*name)).collect();
        if !more.is_empty() && matches!(context.extra, Extra::Refuse) {
            let refused = error(ErrorKind::Other, "the directory holds files that the archive lacks");
            return Err(with_names(Error { hint: Some("say `--extra keep` or `--extra delete`".into()), ..refused }, more));
        }
        Ok(())
    }

    fn restore(context: Context, source: Reader) -> Result<Outcome, Error> {
        let directory = config(&context)?.directory;
        let names = names_of(&source)?;
        for name in &names {
            check_cancelled()?;
            if let Err(error) = restore_file(&directory, name, &source) {
                // Nothing half written is left lying about.
                let _ = fs::remove_file(directory.join(PARTIAL));
                return Err(error);
            }
        }
        if matches!(context.extra, Extra::Delete) {
            for name in list(&directory)?.iter().filter(|name| !names.contains(*name)) {
                fs::remove_file(directory.join(name)).map_err(|why| failed(&format!("cannot delete `{name}`"), &why))?;
            }
        }
        Ok(Outcome { format: FORMAT.into(), notes: vec![("files".into(), names.len().to_string())] })
    }

    fn after_restore(_: Context, _: Ended) -> Result<(), Error> {
        Ok(())
    }
}

/// The names of the directory's files, in order.
fn list(directory: &Path) -> Result<Vec<String>, Error> {
    let cannot = |why: io::Error| failed(&format!("cannot list `{}`", directory.display()), &why);
    let mut names = Vec::new();
    for item in fs::read_dir(directory).map_err(cannot)? {
        let item = item.map_err(cannot)?;
        let name = item.file_name().to_string_lossy().into_owned();
        if item.file_type().map_err(cannot)?.is_file() {
            names.push(name);
        } else {
            log::emit(Level::Warn, &format!("`{name}` is no file, and is left out"), &[]);
        }
    }
    names.retain(|name| name != PARTIAL);
    names.sort();
    Ok(names)
}

/// Writes one entry: opened, filled chunk by chunk, finished. Without `finish` it is not part of the archive, and the set fails.
fn dump_file(name: &str, mut file: File, into: &Writer) -> Result<(), Error> {
    let modified = file.metadata().and_then(|metadata| metadata.modified()).ok().map(timestamp);
    let entry = into.create(&Entry { name: name.into(), modified, attributes: Vec::new() })?;
    let mut chunk = vec![0; 128 * 1024];
    loop {
        match file.read(&mut chunk).map_err(|why| failed(&format!("cannot read `{name}`"), &why))? {
            0 => return entry.finish(),
            read => entry.write(&chunk[..read])?,
        }
    }
}

/// The names of all entries. The index is read in pages: a set can have a million of them.
fn names_of(source: &Reader) -> Result<BTreeSet<String>, Error> {
    let entries = source.entries()?;
    let mut names = BTreeSet::new();
    loop {
        check_cancelled()?;
        let page = entries.next(500)?;
        if page.is_empty() {
            return Ok(names);
        }
        names.extend(page.into_iter().map(|info| info.entry.name));
    }
}

fn is_file_name(name: &str) -> bool {
    !name.is_empty() && name.len() <= 255 && name != "." && name != ".." && name != PARTIAL && !name.contains(['/', '\0'])
}

/// Writes one file beside its place, and lets it take the place when it is whole: a restore that ends half way leaves every
/// file as it was or as the archive has it.
fn restore_file(directory: &Path, name: &str, source: &Reader) -> Result<(), Error> {
    let cannot = |why: io::Error| failed(&format!("cannot write `{name}`"), &why);
    let partial = directory.join(PARTIAL);
    let entry = source.open(name)?;
    let mut file = File::create(&partial).map_err(cannot)?;
    // Its end comes only after size and hash have been found right.
    while let Some(chunk) = entry.read(128 * 1024)? {
        file.write_all(&chunk).map_err(cannot)?;
    }
    if let Some(modified) = entry.info().entry.modified.and_then(system_time) {
        // A time that the file system cannot hold is no reason to fail.
        let _ = file.set_modified(modified);
    }
    // The host syncs what was written, once, when all of it is there.
    fs::rename(&partial, directory.join(name)).map_err(cannot)
}

fn config(context: &Context) -> Result<Config, Error> {
    serde_json::from_str(&context.config).map_err(|why| error(ErrorKind::InvalidConfig, &why.to_string()))
}

fn check_cancelled() -> Result<(), Error> {
    if control::cancelled() { Err(error(ErrorKind::Cancelled, "cancelled")) } else { Ok(()) }
}

fn error(kind: ErrorKind, message: &str) -> Error {
    Error { kind, message: message.into(), hint: None, retryable: false, untouched: false, context: Vec::new() }
}

fn with_names(error: Error, names: Vec<&String>) -> Error {
    let context = names.into_iter().take(100).map(|name| ("name".into(), name.clone())).collect();
    Error { context, ..error }
}

fn failed(what: &str, why: &io::Error) -> Error {
    let kind = match why.kind() {
        io::ErrorKind::NotFound => ErrorKind::NotFound,
        io::ErrorKind::PermissionDenied => ErrorKind::PermissionDenied,
        _ => ErrorKind::Other,
    };
    error(kind, &format!("{what}: {why}"))
}

fn timestamp(at: SystemTime) -> Timestamp {
    let since = at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Timestamp { seconds: since.as_secs() as i64, nanoseconds: since.subsec_nanos() }
}

fn system_time(at: Timestamp) -> Option<SystemTime> {
    SystemTime::UNIX_EPOCH.checked_add(Duration::new(at.seconds.try_into().ok()?, at.nanoseconds))
}
