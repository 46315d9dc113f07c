//! TOML values → JSON with the variables put in, and where each of them stands.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use serde_json::{Map, Value};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::reading::Reading;
use crate::redact;

/// A set's own settings, as JSON, each with its place.
#[derive(Clone, Default)]
pub struct Values {
    /// The settings.
    pub map: Map<String, Value>,
    /// Where they stand, by JSON pointer (RFC 6901).
    places: BTreeMap<String, Spot>,
    /// The pointers of values that could not be read: a variable is missing, say. What stands there is a placeholder.
    unread: BTreeSet<String>,
}

/// Where a key and its value stand.
#[derive(Clone)]
struct Spot {
    key: Range<usize>,
    value: Range<usize>,
}

impl Values {
    /// Where the key stands whose value the pointer names; of an item of an array, the item.
    pub fn key_at(&self, pointer: &str) -> Option<Range<usize>> {
        self.places.get(pointer).map(|spot| spot.key.clone())
    }

    /// Where the value stands that the pointer names.
    pub fn value_at(&self, pointer: &str) -> Option<Range<usize>> {
        self.places.get(pointer).map(|spot| spot.value.clone())
    }

    /// Where the nearest thing stands that encloses what the pointer names; none for the settings as a whole.
    pub fn nearest_at(&self, pointer: &str) -> Option<Range<usize>> {
        let mut pointer = pointer;
        loop {
            if let Some(at) = self.value_at(pointer) {
                return Some(at);
            }
            pointer = &pointer[..pointer.rfind('/')?];
        }
    }

    /// Whether the value that the pointer names, or something in it, could not be read.
    pub fn is_unread(&self, pointer: &str) -> bool {
        self.unread.iter().any(|unread| unread.strip_prefix(pointer).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')))
    }

    /// Whether every value could be read.
    pub fn is_complete(&self) -> bool {
        self.unread.is_empty()
    }

    /// Adds one setting that stands nowhere: of the default set.
    pub fn insert(&mut self, key: &str, value: Value) {
        self.map.insert(key.to_owned(), value);
    }

    /// Adds one setting of a file.
    pub(super) fn read(&mut self, reading: &mut Reading<'_>, key: &Spanned<std::borrow::Cow<'_, str>>, value: &Spanned<DeValue<'_>>) {
        let pointer = join("", key.get_ref());
        self.places.insert(pointer.clone(), Spot { key: key.span(), value: value.span() });
        let json = self.convert(reading, &pointer, value, redact::is_secret_key(key.get_ref()));
        self.map.insert(key.get_ref().clone().into_owned(), json);
    }

    fn convert(&mut self, reading: &mut Reading<'_>, pointer: &str, value: &Spanned<DeValue<'_>>, secret: bool) -> Value {
        match value.get_ref() {
            DeValue::Table(table) => self.table(reading, pointer, table, secret),
            DeValue::Array(items) => {
                let mut converted = Vec::with_capacity(items.len());
                for (number, item) in items.iter().enumerate() {
                    let pointer = join(pointer, &number.to_string());
                    self.places.insert(pointer.clone(), Spot { key: item.span(), value: item.span() });
                    converted.push(self.convert(reading, &pointer, item, secret));
                }
                Value::Array(converted)
            }
            DeValue::String(_) => match reading.text_of(value, secret) {
                Some(text) => Value::String(text),
                None => self.unreadable(pointer),
            },
            DeValue::Boolean(yes) => Value::Bool(*yes),
            DeValue::Datetime(datetime) => Value::String(datetime.to_string()),
            DeValue::Integer(number) => match i64::from_str_radix(number.as_str(), number.radix()) {
                Ok(number) => Value::from(number),
                Err(_) => {
                    reading.problem(&value.span(), "this number is beyond 64 bits", None);
                    self.unreadable(pointer)
                }
            },
            DeValue::Float(number) => match number.as_str().parse().ok().and_then(serde_json::Number::from_f64) {
                Some(number) => Value::Number(number),
                None => {
                    reading.problem(&value.span(), "a setting must be a finite number", None);
                    self.unreadable(pointer)
                }
            },
        }
    }

    fn table(&mut self, reading: &mut Reading<'_>, pointer: &str, table: &DeTable<'_>, secret: bool) -> Value {
        let mut map = Map::new();
        for (key, value) in table {
            let pointer = join(pointer, key.get_ref());
            self.places.insert(pointer.clone(), Spot { key: key.span(), value: value.span() });
            let json = self.convert(reading, &pointer, value, secret || redact::is_secret_key(key.get_ref()));
            map.insert(key.get_ref().clone().into_owned(), json);
        }
        Value::Object(map)
    }

    fn unreadable(&mut self, pointer: &str) -> Value {
        self.unread.insert(pointer.to_owned());
        Value::Null
    }
}

/// The pointer to `key` below `pointer`.
pub(crate) fn join(pointer: &str, key: &str) -> String {
    format!("{pointer}/{}", key.replace('~', "~0").replace('/', "~1"))
}
