//! The restore: every record becomes a RESTORE with REPLACE and an absolute expiry, many of them on their way at once.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use driver_guest::{
    CHUNK, Context, Details, EntryInfo, Error, ErrorKind, Reader, Result, Unit, check_cancelled, control, each_entry, error, warn,
};

use crate::client::{Client, OLDER, Reply, refused};
use crate::dump::shown;
use crate::glob;
use crate::record::{NEVER, Record, RecordReader, SMALLEST, payload_format};
use crate::server::Server;
use crate::settings::{Databases, OnExisting, Settings};

/// So many keys are on their way at most.
const MOST_AHEAD: usize = 4096;

/// So many bytes wait to be sent at most before replies are looked at.
const UNSENT: usize = CHUNK;

/// What `before-restore` leaves to `restore`.
pub(crate) struct Target {
    server: Server,
    /// The databases that are flushed first.
    flush: Vec<u32>,
    /// Where the keys of each database of the archive go.
    places: BTreeMap<u32, u32>,
}

impl Target {
    /// Checks that the restore can succeed. Writes nothing.
    ///
    /// # Errors
    /// Whatever stands against it.
    pub(crate) fn check(settings: &Settings, context: &Context, source: &Reader) -> Result<Self> {
        let (held, version) = look_through(source)?;
        let mut server = Server::open(settings).map_err(Details::untouched)?;
        let (mut targets, places) = places(settings, &held).map_err(Details::untouched)?;
        let on_existing = settings.on_existing(context);
        if matches!(settings.databases(), Databases::All(_)) && on_existing != OnExisting::Replace {
            targets.extend(server.keyspace().map_err(Details::untouched)?);
        }
        if server.said("role") == Some("slave") && server.said("slave_read_only") != Some("0") {
            let message = format!("`{}` is a replica, and takes no writes", settings.address);
            return Err(error(ErrorKind::PermissionDenied, message).hint("restore to its primary").untouched());
        }
        let held = held_keys(&mut server, &targets, settings.pattern.as_deref()).map_err(Details::untouched)?;
        if !held.is_empty() && on_existing == OnExisting::Refuse {
            return Err(refuse(&held, settings));
        }
        warn_of_versions(version.as_deref(), server.said("redis_version"));
        let flush = if on_existing == OnExisting::Flush { held } else { Vec::new() };
        if !flush.is_empty() {
            let newest = newest_format(&mut server, &flush, settings).map_err(Details::untouched)?;
            verify(source, settings, newest).map_err(Details::untouched)?;
        }
        Ok(Self { server, flush, places })
    }

    /// Restores all entries. Gives what should be remembered.
    ///
    /// # Errors
    /// The server or the archive fails; an entry is damaged; the run is cancelled.
    pub(crate) fn restore(mut self, settings: &Settings, source: &Reader) -> Result<Vec<(String, String)>> {
        // Other sets were restored since: a server may have closed a connection that was idle for so long.
        if self.server.client.call(&[b"PING"]).is_err_and(|why| why.kind == ErrorKind::Unavailable) {
            check_cancelled()?;
            self.server = Server::open(settings)?;
        }
        for database in &self.flush {
            self.server.select(*database)?;
            self.server.flush(settings.pattern.as_deref())?;
        }
        let total = source.totals().size;
        let (mut counted, mut done, mut buffer) = (Counted::default(), 0, Vec::new());
        each_entry(source, |info| {
            let database = database_of(&info)?;
            self.server.select(self.places.get(&database).copied().unwrap_or(database))?;
            let reader = RecordReader::new(&info.entry.name, source.open(&info.entry.name)?, std::mem::take(&mut buffer))?;
            let pattern = settings.pattern.as_deref();
            let mut pipeline = Pipeline { client: &mut self.server.client, pattern, sent: VecDeque::new() };
            buffer = pipeline.entry(reader, &mut counted)?;
            done += info.size;
            control::progress(done, Some(total), Unit::Bytes);
            Ok(())
        })?;
        let mut notes = vec![("keys".to_owned(), counted.keys.to_string())];
        if let (Some(pattern), 1..) = (&settings.pattern, counted.left_out) {
            warn(format!("keys of the archive that do not match `{pattern}` were left out: {}", counted.left_out));
            notes.push(("left_out".to_owned(), counted.left_out.to_string()));
        }
        Ok(notes)
    }
}

/// What became of the keys of the archive.
#[derive(Default)]
struct Counted {
    /// Those that were restored.
    keys: u64,
    /// Those that do not match the set's pattern.
    left_out: u64,
}

/// The databases that the archive holds, and the version of the server that was dumped.
fn look_through(source: &Reader) -> Result<(BTreeSet<u32>, Option<String>)> {
    let (mut held, mut version) = (BTreeSet::new(), None);
    each_entry(source, |info| {
        held.insert(database_of(&info)?);
        if info.size < SMALLEST {
            let message = format!("the entry `{}` is damaged: it is shorter than any can be", info.entry.name);
            return Err(error(ErrorKind::Corrupt, message).untouched());
        }
        if version.is_none() {
            version = info.entry.attributes.into_iter().find(|(key, _)| key == "redis_version").map(|(_, version)| version);
        }
        Ok(())
    })?;
    Ok((held, version))
}

/// Reads all entries to their ends: no key is deleted for an archive that is damaged, or that the server cannot read.
fn verify(source: &Reader, settings: &Settings, newest: Option<u16>) -> Result<()> {
    let mut buffer = Vec::new();
    each_entry(source, |info| {
        check_cancelled()?;
        let mut records = RecordReader::new(&info.entry.name, source.open(&info.entry.name)?, std::mem::take(&mut buffer))?;
        while let Some(record) = records.next()? {
            if belongs(settings.pattern.as_deref(), record.key)
                && let (Some(written), Some(newest)) = (payload_format(record.payload), newest)
                && written > newest
            {
                let message = format!("the archive's values have the format {written}, and the server reads formats up to {newest}");
                return Err(error(ErrorKind::Unsupported, message).hint(OLDER).with("key", shown(record.key)));
            }
        }
        buffer = records.into_buffer();
        Ok(())
    })
}

/// The newest format of values that the server reads, as a value of its own tells it; none where the user may not ask.
fn newest_format(server: &mut Server, databases: &[u32], settings: &Settings) -> Result<Option<u16>> {
    for database in databases {
        server.select(*database)?;
        match server.any_payload(settings.pattern.as_deref(), payload_format) {
            Ok(None) => {}
            Err(why) if why.message.contains("NOPERM") => return Ok(None),
            told => return told,
        }
    }
    Ok(None)
}

/// Whether a key belongs to the set.
fn belongs(pattern: Option<&str>, key: &[u8]) -> bool {
    pattern.is_none_or(|pattern| glob::matches(pattern.as_bytes(), key))
}

fn database_of(info: &EntryInfo) -> Result<u32> {
    let database = info.entry.attributes.iter().find(|(key, _)| key == "database");
    database.and_then(|(_, number)| number.parse().ok()).ok_or_else(|| {
        let message = format!("the entry `{}` is damaged: it does not say of which database it is", info.entry.name);
        error(ErrorKind::Corrupt, message)
    })
}

/// The databases that belong to the set, and where the archive's go. A set with one database takes the one of the archive, whatever its
/// number.
fn places(settings: &Settings, held: &BTreeSet<u32>) -> Result<(BTreeSet<u32>, BTreeMap<u32, u32>)> {
    let configured: BTreeSet<u32> = match settings.databases() {
        Databases::All(_) => return Ok((held.clone(), BTreeMap::new())),
        Databases::These(numbers) => numbers.into_iter().collect(),
    };
    if let (1, 1, Some(from), Some(to)) = (held.len(), configured.len(), held.first(), configured.first()) {
        return Ok((configured.clone(), BTreeMap::from([(*from, *to)])));
    }
    let missing: Vec<String> = held.difference(&configured).map(ToString::to_string).collect();
    if missing.is_empty() {
        return Ok((configured, BTreeMap::new()));
    }
    let message = format!("the archive holds databases that are not the set's: {}", missing.join(", "));
    Err(error(ErrorKind::InvalidConfig, message).hint("list them in `databases`, or write `databases = \"all\"`"))
}

/// Those of the databases that hold keys which belong to the set.
fn held_keys(server: &mut Server, databases: &BTreeSet<u32>, pattern: Option<&str>) -> Result<Vec<u32>> {
    let mut held = Vec::new();
    for database in databases {
        server.select(*database)?;
        if server.has_keys(pattern)? {
            held.push(*database);
        }
    }
    Ok(held)
}

fn refuse(held: &[u32], settings: &Settings) -> Error {
    let matching = settings.pattern.as_ref().map_or(String::new(), |pattern| format!(" that match `{pattern}`"));
    let message = format!("the target holds keys{matching} already");
    let told = error(ErrorKind::Other, message)
        .hint(
            "`--extra keep` or `on_existing = \"replace\"` replaces those that the archive has; `--extra delete`, `--recreate` or \
             `on_existing = \"flush\"` deletes all of them first",
        )
        .untouched();
    held.iter().fold(told, |told, database| told.with("database", database.to_string()))
}

/// A server takes no payloads of a newer one.
fn warn_of_versions(dumped: Option<&str>, target: Option<&str>) {
    let numbers = |version: &str| -> Option<(u32, u32)> {
        let (major, rest) = version.split_once('.')?;
        Some((major.parse().ok()?, rest.split('.').next()?.parse().ok()?))
    };
    if let (Some(dumped), Some(target)) = (dumped, target)
        && numbers(dumped) > numbers(target)
    {
        warn(format!("the target is Redis {target}, and {dumped} was dumped: an older server may refuse what a newer one wrote"));
    }
}

/// The commands of one entry on their way.
struct Pipeline<'a> {
    client: &'a mut Client,
    pattern: Option<&'a str>,
    /// The keys whose replies are to come.
    sent: VecDeque<Vec<u8>>,
}

impl Pipeline<'_> {
    /// Restores an entry. Gives its buffer back.
    fn entry(&mut self, mut records: RecordReader<'_>, counted: &mut Counted) -> Result<Vec<u8>> {
        if let Err(why) = self.all(&mut records, counted) {
            // What the server cannot read may be damaged, which the end of the entry shows.
            if matches!(why.kind, ErrorKind::Unsupported | ErrorKind::Corrupt) {
                records.look_for_damage()?;
            }
            return Err(why);
        }
        Ok(records.into_buffer())
    }

    fn all(&mut self, records: &mut RecordReader<'_>, counted: &mut Counted) -> Result<()> {
        while let Some(record) = records.next()? {
            if !belongs(self.pattern, record.key) {
                counted.left_out += 1;
                continue;
            }
            self.push(&record)?;
            counted.keys += 1;
        }
        while !self.sent.is_empty() {
            self.take()?;
        }
        Ok(())
    }

    fn push(&mut self, record: &Record<'_>) -> Result<()> {
        let named = |why: Error| why.with("key", shown(record.key));
        if record.expiry == NEVER {
            self.client.queue(&[b"RESTORE", record.key, b"0", record.payload, b"REPLACE"]).map_err(named)?;
        } else {
            let expiry = record.expiry.to_string();
            self.client.queue(&[b"RESTORE", record.key, expiry.as_bytes(), record.payload, b"REPLACE", b"ABSTTL"]).map_err(named)?;
        }
        self.sent.push_back(record.key.to_vec());
        if self.client.unsent() > UNSENT {
            self.client.send()?;
        }
        // Replies are waited for while the server has enough to do, and half of them at once.
        if self.client.unsent() > UNSENT || self.sent.len() >= MOST_AHEAD {
            check_cancelled()?;
            while self.client.unsent() > 0 && !self.sent.is_empty() || self.sent.len() > MOST_AHEAD / 2 {
                self.take()?;
            }
        }
        Ok(())
    }

    fn take(&mut self) -> Result<()> {
        let key = self.sent.pop_front().unwrap_or_default();
        match self.client.reply()? {
            Reply::Error(said) => Err(refused("RESTORE", said).with("key", shown(&key))),
            _ => Ok(()),
        }
    }
}
