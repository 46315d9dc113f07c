//! The names that everything goes by: the path of a set in the tree, and the exact name of an entry in a set.

use std::fmt;

use crate::error::{Error, ErrorKind, Result};

/// Names that no set may bear: the archive uses them itself.
pub const RESERVED: [&str; 2] = ["dr-host", "self"];

/// The longest name of one set, in bytes.
pub const MAX_SET_NAME: usize = 100;

/// Where a set stands in the tree (`state/sessions`): its name in the configuration, the archive, events and messages.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(try_from = "String", into = "String")]
pub struct SetPath(String);

impl SetPath {
    /// Checks one segment: letters and digits of any script, `-`, `_` and `.`, not at the beginning `.` or `-`,
    /// at most [`MAX_SET_NAME`] bytes, none of [`RESERVED`].
    ///
    /// # Errors
    /// A sentence that says what is wrong with it.
    pub fn check_segment(name: &str) -> Result<(), String> {
        if name.is_empty() {
            return Err("a set needs a name".into());
        }
        if RESERVED.contains(&name) {
            return Err(format!("`{name}` is reserved: the archive uses it itself"));
        }
        if name.len() > MAX_SET_NAME {
            return Err(format!("a set's name has at most {MAX_SET_NAME} bytes; this one has {}", name.len()));
        }
        if name.starts_with(['.', '-']) {
            return Err(format!("`{name}` begins with `{}`; begin with a letter or a digit", &name[..1]));
        }
        match name.chars().find(|c| !(c.is_alphanumeric() || matches!(c, '-' | '_' | '.'))) {
            Some(odd) => Err(format!(
                "`{}` holds `{}`; letters, digits, `-`, `_` and `.` make a set's name",
                name.escape_debug(),
                odd.escape_debug()
            )),
            None => Ok(()),
        }
    }

    /// Reads a path of one or more segments, separated by `/`.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidConfig`] if a segment is no name for a set.
    pub fn parse(text: &str) -> Result<Self> {
        text.split('/').try_for_each(|segment| Self::check_segment(segment).map_err(|why| Error::new(ErrorKind::InvalidConfig, why)))?;
        Ok(Self(text.to_owned()))
    }

    /// The path of a child of this set; `name` must have passed [`SetPath::check_segment`].
    #[must_use]
    pub fn join(&self, name: &str) -> Self {
        Self(format!("{}/{name}", self.0))
    }

    /// The path as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether this is `other` or lies below it: `state/sessions` is within `state`, `media2` is not within `media`.
    pub fn is_within(&self, other: &SetPath) -> bool {
        self.0.strip_prefix(&other.0).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }
}

impl fmt::Display for SetPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for SetPath {
    type Error = Error;
    fn try_from(text: String) -> Result<Self> {
        Self::parse(&text)
    }
}

impl From<SetPath> for String {
    fn from(path: SetPath) -> Self {
        path.0
    }
}

/// The exact name of an entry within its set, as its source spells it: bytes, `/` between the segments by convention.
///
/// Anything goes but the empty name, which only the directory entry of a set's own root bears. What a zip cannot hold is
/// escaped there (see `archive::escape`); the index keeps the exact name.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EntryName(Box<[u8]>);

impl EntryName {
    /// A name of these bytes.
    pub fn from_bytes(bytes: impl Into<Box<[u8]>>) -> Self {
        Self(bytes.into())
    }

    /// The bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The name as text, where it is UTF-8.
    pub fn as_str(&self) -> Option<&str> {
        std::str::from_utf8(&self.0).ok()
    }
}

impl From<&str> for EntryName {
    fn from(text: &str) -> Self {
        Self(text.as_bytes().into())
    }
}

impl From<String> for EntryName {
    fn from(text: String) -> Self {
        Self(text.into_bytes().into())
    }
}

/// For people: text as it is, with control characters and bytes that are not UTF-8 escaped, so that it stays on one line.
impl fmt::Display for EntryName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for chunk in self.0.utf8_chunks() {
            for c in chunk.valid().chars() {
                if c.is_control() { write!(f, "{}", c.escape_default())? } else { write!(f, "{c}")? }
            }
            for byte in chunk.invalid() {
                write!(f, "\\x{byte:02x}")?;
            }
        }
        Ok(())
    }
}

impl fmt::Debug for EntryName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{self}`")
    }
}
