//! The entries of a set of format `postgres/1`, and the two that describe it: `database.json` (see [`super::facts`]) and
//! `tables.ndjson`, one line per table whose rows are in the archive.

use std::collections::HashSet;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::facts::Facts;
use super::parts;
use super::settings::CopyFormat;
use crate::archive::{Entry, Reader, Writer};
use crate::error::{Error, Result};
use crate::name::EntryName;

/// The format of the entries.
pub(super) const FORMAT: &str = "postgres/1";

/// The entry that `pg_dump` wrote.
pub(super) const SCHEMA: &str = "schema.dump";

/// The entry of [`Facts`].
const DATABASE: &str = "database.json";

/// The entry of all [`Rows`].
const TABLES: &str = "tables.ndjson";

/// The largest of these two that is read, in bytes: some thousand times what a large application has.
const LARGEST: u64 = 256 << 20;

/// Of one table, what is in the archive.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Rows {
    pub(super) schema: String,
    pub(super) name: String,
    /// The columns that COPY was told.
    pub(super) columns: Vec<String>,
    /// Its rows are text, although `copy_format` says that rows are binary.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) as_text: bool,
    /// The tables that it is a part of, `schema.name`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) partition_of: Vec<String>,
    /// The numbers of its parts that hold anything.
    pub(super) parts: Vec<u32>,
    /// The bytes of all parts.
    pub(super) size: u64,
}

impl Rows {
    /// The statement that loads a part.
    pub(super) fn copy_in(&self, facts: &Facts) -> String {
        let format = if self.as_text { CopyFormat::Text } else { facts.copy_format };
        parts::copy_in(&self.schema, &self.name, &self.columns, format, &facts.encoding)
    }

    /// The names of its entries.
    pub(super) fn entries(&self) -> impl Iterator<Item = EntryName> {
        self.parts.iter().map(|number| parts::entry(&self.schema, &self.name, *number))
    }

    /// `schema.name`, as messages name it.
    pub(super) fn shown(&self) -> String {
        format!("{}.{}", self.schema, self.name)
    }
}

/// What a set holds, but for `schema.dump` and the rows themselves.
#[derive(Clone, Debug)]
pub(super) struct Contents {
    pub(super) facts: Facts,
    pub(super) tables: Vec<Rows>,
}

impl Contents {
    /// Writes the two entries.
    pub(super) fn write(&self, into: &mut dyn Writer) -> Result<()> {
        let mut database = into.create(Entry::new(DATABASE))?;
        database.write(&json(&self.facts, true)?)?;
        database.finish()?;
        let mut tables = into.create(Entry::new(TABLES))?;
        for table in &self.tables {
            tables.write(&json(table, false)?)?;
        }
        tables.finish()
    }

    /// Reads the two entries, and holds them against the set's index: every part must be there, and nothing else.
    ///
    /// # Errors
    /// The set is not of this format, or damaged.
    pub(super) fn read(source: &dyn Reader) -> Result<Self> {
        let facts = parse(&read_whole(source, DATABASE)?, DATABASE)?;
        let lines = read_whole(source, TABLES)?;
        let lines = lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        let tables = lines.map(|line| parse(line, TABLES)).collect::<Result<Vec<Rows>>>()?;
        let contents = Self { facts, tables };
        contents.compare(source)?;
        Ok(contents)
    }

    fn compare(&self, source: &dyn Reader) -> Result<()> {
        let mut expected: HashSet<EntryName> = [DATABASE, TABLES, SCHEMA].into_iter().map(EntryName::from).collect();
        for name in self.tables.iter().flat_map(Rows::entries) {
            if let Some(twice) = expected.replace(name) {
                return Err(Error::corrupt(format!("`{TABLES}` has `{twice}` twice")));
            }
        }
        let mut unknown = Vec::new();
        let mut entries = source.entries()?;
        loop {
            let page = entries.next(1000)?;
            if page.is_empty() {
                break;
            }
            unknown.extend(page.into_iter().map(|info| info.entry.name).filter(|name| !expected.remove(name)));
        }
        let named = |what: &str, names: &mut dyn Iterator<Item = &EntryName>| {
            names.take(20).fold(Error::corrupt(what), |error, name| error.with("entry", name.to_string()))
        };
        if !unknown.is_empty() {
            return Err(named("the set has entries that are none of a database's", &mut unknown.iter()));
        }
        if !expected.is_empty() {
            return Err(named("entries of the database are missing", &mut expected.iter()));
        }
        Ok(())
    }
}

fn json(value: &impl Serialize, pretty: bool) -> Result<Vec<u8>> {
    let json = if pretty { serde_json::to_vec_pretty(value) } else { serde_json::to_vec(value) };
    let mut json = json.map_err(|why| Error::new(crate::error::ErrorKind::Other, format!("cannot write JSON: {why}")))?;
    json.push(b'\n');
    Ok(json)
}

fn parse<T: DeserializeOwned>(json: &[u8], name: &str) -> Result<T> {
    serde_json::from_slice(json).map_err(|why| Error::corrupt(format!("`{name}` is not what a `postgres` set has there: {why}")))
}

fn read_whole(source: &dyn Reader, name: &str) -> Result<Vec<u8>> {
    let mut entry = source.open(&EntryName::from(name))?;
    let size = entry.info().size;
    if size > LARGEST {
        return Err(Error::corrupt(format!("`{name}` has {size} bytes; at most {LARGEST} are read")));
    }
    let mut bytes = Vec::new();
    let mut buffer = vec![0; 64 << 10];
    loop {
        match entry.read(&mut buffer)? {
            0 => return Ok(bytes),
            count => bytes.extend_from_slice(&buffer[..count]),
        }
    }
}
