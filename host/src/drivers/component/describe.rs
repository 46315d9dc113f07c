//! What a component says of itself, and whether the host takes it at its word.

use super::grants::Need;
use crate::drivers::Worth;

/// The longest of its short texts, and the longest schema, in bytes.
const SHORT: usize = 1_000;
const SCHEMA: usize = 1 << 20;

/// The most needs and the most formats.
const MOST: usize = 100;

/// What a component says of itself.
#[derive(Clone, Debug)]
pub(super) struct Described {
    pub(super) name: String,
    pub(super) version: String,
    pub(super) summary: String,
    pub(super) config_schema: String,
    pub(super) needs: Vec<Need>,
    pub(super) formats: Vec<String>,
    pub(super) worth: Worth,
    pub(super) has_columns: bool,
    pub(super) has_names: bool,
}

impl Described {
    /// Checks everything, and gives the schema.
    ///
    /// # Errors
    /// A sentence about the first thing that cannot be.
    pub(super) fn check(&self) -> Result<serde_json::Value, String> {
        let is_word = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        short("name", &self.name)?;
        if self.name.is_empty() || !self.name.chars().all(is_word) || self.name.starts_with('-') {
            return Err(format!("it gives `{}` as its name; lower-case letters, digits and hyphens make one", self.name.escape_debug()));
        }
        short("version", &self.version)?;
        short("summary", &self.summary)?;
        if self.formats.is_empty() {
            return Err("it names no format of its entries".into());
        }
        if self.formats.len() > MOST || self.needs.len() > MOST {
            return Err(format!("it names more than {MOST} formats or needs"));
        }
        self.formats.iter().try_for_each(|format| check_format(format))?;
        for need in &self.needs {
            short("need", &need.target)?;
            short("reason", &need.reason)?;
        }
        if self.config_schema.len() > SCHEMA {
            return Err(format!("its configuration's schema has {} bytes; {SCHEMA} are the most", self.config_schema.len()));
        }
        let schema: serde_json::Value =
            serde_json::from_str(&self.config_schema).map_err(|why| format!("its configuration's schema is no JSON: {why}"))?;
        jsonschema::draft202012::new(&schema).map_err(|why| format!("its configuration's schema is no JSON Schema: {why}"))?;
        Ok(schema)
    }
}

fn short(what: &str, text: &str) -> Result<(), String> {
    if text.len() > SHORT {
        return Err(format!("its {what} has {} bytes; {SHORT} are the most", text.len()));
    }
    match text.chars().find(|c| c.is_control()) {
        Some(control) => Err(format!("its {what} holds `{}`; it must be one line of text", control.escape_debug())),
        None => Ok(()),
    }
}

fn check_format(format: &str) -> Result<(), String> {
    short("format", format)?;
    let good = format.split_once('/').is_some_and(|(name, number)| {
        !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-') && number.parse::<u32>().is_ok()
    });
    if good { Ok(()) } else { Err(format!("`{}` is no format; it is written `NAME/NUMBER`", format.escape_debug())) }
}
