//! The lines of an index, `dr-host/index/<path>.ndjson`: one JSON object for each entry of a set.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use jiff::Timestamp;
use serde::de::{MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::entry::{Entry, EntryInfo, attribute};
use crate::error::{Error, Result};
use crate::name::{EntryName, SetPath};

/// The longest line that is written or read, in bytes: a name and attributes of any sane size, and no more memory than that.
pub(super) const MAX_LINE: usize = 8 << 20;

/// The zip name of a set's index.
pub(super) fn name(set: &SetPath) -> String {
    format!("dr-host/index/{set}.ndjson")
}

/// The zip name of a link's list of values.
pub(super) fn values_name(number: usize) -> String {
    format!("dr-host/links/{number}.ndjson")
}

/// The line of an entry, without `\n`.
///
/// # Errors
/// It is longer than [`MAX_LINE`].
pub(super) fn line(info: &EntryInfo) -> Result<Vec<u8>> {
    let text = info.entry.name.as_str();
    let line = Line {
        name: text.map(str::to_owned),
        name_base64: if text.is_none() { Some(BASE64.encode(info.entry.name.as_bytes())) } else { None },
        sha256: hex::encode(info.sha256),
        size: info.size,
        modified: info.entry.modified,
        attributes: Attributes(info.entry.attributes.clone()),
    };
    let line = serde_json::to_vec(&line).map_err(|why| Error::corrupt(format!("cannot describe `{}`: {why}", info.entry.name)))?;
    if line.len() > MAX_LINE {
        return Err(Error::corrupt(format!("the attributes of `{}` take more than {} MiB", info.entry.name, MAX_LINE >> 20)));
    }
    Ok(line)
}

/// Reads a line.
///
/// # Errors
/// It is not what [`line`] writes.
pub(super) fn parse(line: &[u8]) -> Result<EntryInfo> {
    let line: Line = serde_json::from_slice(line).map_err(|why| Error::corrupt(format!("a line of the index is no entry: {why}")))?;
    let name = match (line.name, line.name_base64) {
        (Some(name), None) => EntryName::from(name),
        (None, Some(bytes)) => {
            let bytes = BASE64.decode(bytes).map_err(|why| Error::corrupt(format!("a name in the index is no base64: {why}")))?;
            EntryName::from_bytes(bytes)
        }
        _ => return Err(Error::corrupt("a line of the index has not exactly one of `name` and `name_base64`")),
    };
    let mut sha256 = [0; 32];
    hex::decode_to_slice(&line.sha256, &mut sha256)
        .map_err(|why| Error::corrupt(format!("the index has no SHA-256 for `{name}`: {why}")))?;
    let entry = Entry { name, modified: line.modified, attributes: line.attributes.0 };
    Ok(EntryInfo { entry, size: line.size, sha256 })
}

/// The name in a line, unless the entry is a directory: what a link may name.
///
/// # Errors
/// As [`parse`].
pub(super) fn linkable_name(line: &[u8]) -> Result<Option<EntryName>> {
    let entry = parse(line)?.entry;
    Ok((entry.get(attribute::TYPE) != Some(attribute::DIRECTORY)).then_some(entry.name))
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    /// Instead of `name` where that is not UTF-8.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    name_base64: Option<String>,
    sha256: String,
    size: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    modified: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Attributes::is_empty")]
    attributes: Attributes,
}

/// An object whose order is kept, and whose keys are unique.
#[derive(Default)]
struct Attributes(Vec<(String, String)>);

impl Attributes {
    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Serialize for Attributes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (key, value) in &self.0 {
            map.serialize_entry(key, value)?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for Attributes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;
        impl<'de> Visitor<'de> for InOrder {
            type Value = Attributes;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of strings")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Attributes, A::Error> {
                let mut pairs: Vec<(String, String)> = Vec::new();
                while let Some((key, value)) = map.next_entry::<String, String>()? {
                    if pairs.iter().any(|(other, _)| *other == key) {
                        return Err(serde::de::Error::custom(format_args!("the attribute `{}` is there twice", key.escape_debug())));
                    }
                    pairs.push((key, value));
                }
                Ok(Attributes(pairs))
            }
        }
        deserializer.deserialize_map(InOrder)
    }
}
