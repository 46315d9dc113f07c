//! The driver's configuration.

use driver_guest::{Context, Extra};
use serde::Deserialize;

/// What the host checks the configuration against.
pub(crate) const SCHEMA: &str = r#"{
  "type": "object",
  "properties": {
    "address": {
      "type": "string",
      "pattern": "^.+:[0-9]{1,5}$",
      "description": "Where the server listens: `127.0.0.1:6379`, `cache.internal:6379`, `[::1]:6379`."
    },
    "username": {
      "type": "string",
      "minLength": 1,
      "description": "The ACL user to log in as; the default user if absent. The secret `password` is theirs."
    },
    "database": {
      "type": "integer",
      "minimum": 0,
      "default": 0,
      "description": "The number of the database."
    },
    "databases": {
      "description": "Several databases by their numbers, or `all` that hold keys, instead of `database`.",
      "anyOf": [
        { "const": "all" },
        { "type": "array", "items": { "type": "integer", "minimum": 0 }, "minItems": 1, "uniqueItems": true }
      ]
    },
    "match": {
      "type": "string",
      "minLength": 1,
      "description": "Only keys that match this glob, as SCAN has it: `session:*`. Other keys are neither dumped nor touched."
    },
    "on_existing": {
      "enum": ["refuse", "replace", "flush"],
      "description": "What a restore does where keys stand already, unless its command line says it: refuses, replaces those that the archive has, or deletes all of them first."
    },
    "timeout": {
      "type": "integer",
      "minimum": 1,
      "default": 30,
      "description": "For how many seconds the server may be silent while it is waited for."
    }
  },
  "required": ["address"],
  "not": { "required": ["database", "databases"] },
  "additionalProperties": false
}"#;

/// The configuration, read.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Settings {
    pub(crate) address: String,
    pub(crate) username: Option<String>,
    database: Option<u32>,
    databases: Option<Databases>,
    #[serde(rename = "match")]
    pub(crate) pattern: Option<String>,
    on_existing: Option<OnExisting>,
    #[serde(default = "default_timeout")]
    pub(crate) timeout: u64,
}

/// Which databases.
#[derive(Clone, Deserialize)]
#[serde(untagged)]
pub(crate) enum Databases {
    /// These.
    These(Vec<u32>),
    /// The word `all`: those that hold keys.
    All(All),
}

/// The word `all`.
#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum All {
    All,
}

/// What becomes of keys that stand in the target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum OnExisting {
    /// They are a reason to refuse.
    Refuse,
    /// They stay, unless the archive has them too.
    Replace,
    /// They are deleted first.
    Flush,
}

fn default_timeout() -> u64 {
    30
}

impl Settings {
    /// Which databases belong to the set.
    pub(crate) fn databases(&self) -> Databases {
        self.databases.clone().unwrap_or_else(|| Databases::These(vec![self.database.unwrap_or(0)]))
    }

    /// What becomes of keys that stand in the target: the command line's word, or else the configuration's.
    pub(crate) fn on_existing(&self, context: &Context) -> OnExisting {
        match context.extra {
            Extra::Keep => OnExisting::Replace,
            Extra::Delete => OnExisting::Flush,
            Extra::Refuse if context.recreate => OnExisting::Flush,
            Extra::Refuse => self.on_existing.unwrap_or(OnExisting::Refuse),
        }
    }
}
