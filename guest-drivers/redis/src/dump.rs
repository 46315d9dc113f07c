//! The dump: SCAN, and for every key its expiry and DUMP, in one pipeline that is kept full.
//!
//! Commands are sent ahead of the replies: while the guest writes the keys of one page into the archive, the server is at work on the
//! next. How far ahead depends on how large the values are, so that neither the server's output buffer nor the guest's memory
//! grows with a run of large ones.

use std::collections::VecDeque;

use driver_guest::{CHUNK, Details, Entry, ErrorKind, Level, Result, Unit, Writer, check_cancelled, control, log};

use crate::client::{Client, Reply, refused, unexpected};
use crate::record::{NEVER, RecordWriter};
use crate::server::{Server, scanned};
use crate::settings::{Databases, Settings};

/// An entry ends with the record that brings it to this size: the archive appends it whole, and entries are restored one by one.
const ENTRY: u64 = 8 << 20;

/// SCAN is asked for about so many keys at once.
const PAGE: &[u8] = b"1000";

/// So many keys are asked for ahead at most.
const MOST_AHEAD: usize = 2048;

/// So many bytes of values are on their way at most, as far as the last ones allow to say.
const BYTES_AHEAD: usize = 8 << 20;

/// What `before-dump` leaves to `dump`.
pub(crate) struct Source {
    server: Server,
    databases: Vec<u32>,
    /// The keys of all databases, those that do not match among them.
    keys: u64,
}

impl Source {
    /// Connects, and looks at what is to be dumped.
    ///
    /// # Errors
    /// The server cannot be reached; the user may not; a database does not exist.
    pub(crate) fn open(settings: &Settings) -> Result<Self> {
        let mut server = Server::open(settings)?;
        let databases = match settings.databases() {
            Databases::These(numbers) => numbers,
            Databases::All(_) => server.keyspace()?,
        };
        let mut keys = 0;
        for database in &databases {
            server.select(*database)?;
            keys += server.size()?;
        }
        Ok(Self { server, databases, keys })
    }

    /// What identifies the point in time.
    pub(crate) fn details(&self) -> Vec<(String, String)> {
        let told = ["redis_version", "run_id", "role", "master_repl_offset"];
        let said = told.iter().filter_map(|field| Some(((*field).to_owned(), self.server.said(field)?.to_owned())));
        said.chain([("keys".to_owned(), self.keys.to_string())]).collect()
    }

    /// Writes the entries. Gives what should be remembered.
    ///
    /// # Errors
    /// The server or the archive fails; the run is cancelled.
    pub(crate) fn dump(mut self, settings: &Settings, into: &Writer) -> Result<Vec<(String, String)>> {
        // Other sets were dumped since: a server may have closed a connection that was idle for so long.
        if self.server.client.call(&[b"PING"]).is_err_and(|why| why.kind == ErrorKind::Unavailable) {
            check_cancelled()?;
            self.server = Server::open(settings)?;
        }
        let exact = knows_expiry_time(&mut self.server.client)?;
        let version = self.server.said("redis_version").map(str::to_owned);
        let mut output =
            Output { into, version, database: 0, number: 0, records: None, buffer: Vec::with_capacity(CHUNK), written: 0, vanished: 0 };
        for database in &self.databases {
            self.server.select(*database)?;
            (output.database, output.number) = (*database, 0);
            Pipeline::new(&mut self.server.client, settings.pattern.as_deref(), exact, self.keys).run(&mut output)?;
            output.finish()?;
        }
        let mut notes = vec![("keys".to_owned(), output.written.to_string())];
        if output.vanished > 0 {
            notes.push(("vanished".to_owned(), output.vanished.to_string()));
        }
        Ok(notes)
    }
}

/// Whether the server and the user know PEXPIRETIME (since Redis 7), which says when a key expires; PTTL only says in how long.
fn knows_expiry_time(client: &mut Client) -> Result<bool> {
    client.queue(&[b"PEXPIRETIME", b"dr-host"])?;
    match client.reply()? {
        Reply::Integer(_) => Ok(true),
        // An unknown command, or one that this user may not run; whose keys are limited may run it with others.
        Reply::Error(said) => Ok(said.starts_with("NOPERM") && said.contains("permissions to access")),
        _ => Err(unexpected("PEXPIRETIME")),
    }
}

/// Where the records go.
struct Output<'a> {
    into: &'a Writer,
    version: Option<String>,
    database: u32,
    /// The number of the database's next entry.
    number: u32,
    records: Option<RecordWriter>,
    buffer: Vec<u8>,
    written: u64,
    vanished: u64,
}

impl Output<'_> {
    fn push(&mut self, key: &[u8], expiry: i64, payload: &[u8]) -> Result<()> {
        let records = match &mut self.records {
            Some(records) => records,
            None => {
                let mut attributes = vec![("database".to_owned(), self.database.to_string())];
                attributes.extend(self.version.iter().map(|version| ("redis_version".to_owned(), version.clone())));
                let name = format!("db{}/keys-{:06}", self.database, self.number);
                let entry = self.into.create(&Entry { name, modified: None, attributes })?;
                self.number += 1;
                self.records.insert(RecordWriter::new(entry, std::mem::take(&mut self.buffer)))
            }
        };
        records.push(key, expiry, payload)?;
        self.written += 1;
        if records.size >= ENTRY { self.finish() } else { Ok(()) }
    }

    fn finish(&mut self) -> Result<()> {
        if let Some(records) = self.records.take() {
            self.buffer = records.finish()?;
        }
        Ok(())
    }
}

/// What a reply will be to.
enum Sent {
    Scan,
    Time,
    Expiry,
    Dump(Vec<u8>),
}

/// One database's commands on their way.
struct Pipeline<'a> {
    client: &'a mut Client,
    pattern: Option<&'a str>,
    /// Whether PEXPIRETIME is asked for, and not PTTL.
    exact: bool,
    total: u64,
    sent: VecDeque<Sent>,
    /// Keys that were scanned and not asked for.
    keys: VecDeque<Vec<u8>>,
    /// How many keys are asked for and not replied to.
    ahead: usize,
    /// Where SCAN goes on; nothing while a page is on its way, and at the end.
    cursor: Option<Vec<u8>>,
    /// The server's time in milliseconds, where only PTTL is known.
    time: i64,
    /// The expiry of the key whose payload comes next.
    expiry: i64,
    /// About the largest of the last values.
    recent: usize,
}

impl<'a> Pipeline<'a> {
    fn new(client: &'a mut Client, pattern: Option<&'a str>, exact: bool, total: u64) -> Self {
        Self {
            client,
            pattern,
            exact,
            total,
            sent: VecDeque::new(),
            keys: VecDeque::new(),
            ahead: 0,
            cursor: Some(b"0".to_vec()),
            time: 0,
            expiry: NEVER,
            recent: 4096,
        }
    }

    fn run(mut self, output: &mut Output<'_>) -> Result<()> {
        loop {
            self.top_up()?;
            let Some(sent) = self.sent.pop_front() else { return Ok(()) };
            self.take(sent, output)?;
        }
    }

    /// Sends more commands, many at once, as soon as half of those that may be on their way are replied to.
    fn top_up(&mut self) -> Result<()> {
        let most = (BYTES_AHEAD / self.recent).clamp(1, MOST_AHEAD);
        if self.ahead > most / 2 || self.keys.is_empty() && self.cursor.is_none() {
            return Ok(());
        }
        check_cancelled()?;
        if self.keys.len() < MOST_AHEAD
            && let Some(cursor) = self.cursor.take()
        {
            self.scan(&cursor)?;
        }
        if !self.exact && !self.keys.is_empty() {
            self.queue(&[b"TIME"], Sent::Time)?;
        }
        while self.ahead < most
            && let Some(key) = self.keys.pop_front()
        {
            self.queue(&[if self.exact { b"PEXPIRETIME" } else { b"PTTL" }, &key], Sent::Expiry)?;
            self.client.queue(&[b"DUMP", &key])?;
            self.sent.push_back(Sent::Dump(key));
            self.ahead += 1;
        }
        self.client.send()
    }

    fn queue(&mut self, parts: &[&[u8]], sent: Sent) -> Result<()> {
        self.sent.push_back(sent);
        self.client.queue(parts)
    }

    fn scan(&mut self, cursor: &[u8]) -> Result<()> {
        match self.pattern {
            Some(pattern) => self.queue(&[b"SCAN", cursor, b"MATCH", pattern.as_bytes(), b"COUNT", PAGE], Sent::Scan),
            None => self.queue(&[b"SCAN", cursor, b"COUNT", PAGE], Sent::Scan),
        }
    }

    /// Takes the reply to what was sent first.
    fn take(&mut self, sent: Sent, output: &mut Output<'_>) -> Result<()> {
        match sent {
            Sent::Scan => self.scanned(output),
            Sent::Time => {
                let parts = match self.client.reply()? {
                    Reply::Array(parts) => parts,
                    Reply::Error(said) => return Err(refused("TIME", said)),
                    _ => return Err(unexpected("TIME")),
                };
                self.time = milliseconds(&parts).ok_or_else(|| unexpected("TIME"))?;
                Ok(())
            }
            Sent::Expiry => self.expires(),
            Sent::Dump(key) => self.dumped(&key, output),
        }
    }

    fn scanned(&mut self, output: &Output<'_>) -> Result<()> {
        let reply = self.client.reply()?;
        if let Reply::Error(said) = reply {
            return Err(refused("SCAN", said));
        }
        let (cursor, keys) = scanned(reply)?;
        self.cursor = (cursor != b"0").then_some(cursor);
        self.keys.extend(keys);
        control::progress(output.written, Some(self.total.max(output.written)), Unit::Entries);
        Ok(())
    }

    fn expires(&mut self) -> Result<()> {
        let what = if self.exact { "PEXPIRETIME" } else { "PTTL" };
        self.expiry = match self.client.reply()? {
            Reply::Integer(at) if at < 0 => NEVER,
            Reply::Integer(at) if self.exact => at,
            Reply::Integer(left) => self.time.saturating_add(left),
            Reply::Error(said) => return Err(refused(what, said)),
            _ => return Err(unexpected(what)),
        };
        Ok(())
    }

    fn dumped(&mut self, key: &[u8], output: &mut Output<'_>) -> Result<()> {
        self.ahead -= 1;
        let reply = self.client.reply().map_err(|why| why.with("key", shown(key)))?;
        match reply {
            Reply::Bulk(payload) => {
                self.recent = payload.len().max(self.recent - self.recent / 16).max(64);
                output.push(key, self.expiry, payload)
            }
            // Expired or deleted since it was scanned: a key that is gone within the interval.
            Reply::Null => {
                output.vanished += 1;
                log::emit(Level::Debug, &format!("`{}` is gone since it was listed", shown(key)), &[]);
                Ok(())
            }
            Reply::Error(said) => Err(refused("DUMP", said).with("key", shown(key))),
            _ => Err(unexpected("DUMP")),
        }
    }
}

/// The time that TIME replies: seconds, and microseconds after them.
fn milliseconds(parts: &[Reply<'_>]) -> Option<i64> {
    let [Reply::Bulk(seconds), Reply::Bulk(microseconds)] = parts else { return None };
    let number = |text: &[u8]| std::str::from_utf8(text).ok()?.parse::<i64>().ok();
    number(seconds)?.checked_mul(1000)?.checked_add(number(microseconds)? / 1000)
}

/// A key for people: what is not printable is escaped, and no key fills the screen.
pub(crate) fn shown(key: &[u8]) -> String {
    const MOST: usize = 200;
    let text = match std::str::from_utf8(key) {
        Ok(text) if !text.chars().any(char::is_control) => text.to_owned(),
        _ => key.escape_ascii().to_string(),
    };
    if text.chars().count() <= MOST { text } else { text.chars().take(MOST).chain(['…']).collect() }
}
