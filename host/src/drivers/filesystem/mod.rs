//! `filesystem`: a directory tree as it is, with modes, owners, links, extended attributes and empty directories. Its settings
//! stand here; what it does is in [`tree`](super::tree).

use schemars::JsonSchema;
use serde::Deserialize;

use super::tree::{self, Options, Selection, Unreadable, View};
use super::{Driver, Kind, SettingError, Settings};

/// The format of the entries, one for each thing in the tree: see `docs/drivers.md`.
const FORMAT: &str = "tree/1";

/// A directory tree.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct FilesystemSettings {
    /// The directory; a relative path starts from the configuration file's directory.
    path: String,
    /// Only what one of these globs matches, by its name below `path`, with all that is below it. `*` and `?` stay within one
    /// segment, `**` goes through any number: `keys`, `**/*.pem`, `conf.d/*.{toml,json}`.
    #[serde(default)]
    include: Vec<String>,
    /// Nothing that one of these globs matches, and nothing below it. Stronger than `include`.
    #[serde(default)]
    exclude: Vec<String>,
    /// What happens to files and directories that cannot be read.
    #[serde(default)]
    unreadable: Unreadable,
    /// Stay on the file system of `path`: directories where another one is mounted come without their content.
    #[serde(default)]
    one_file_system: bool,
}

/// The kind, for the registry.
pub(super) struct Filesystem;

impl Kind for Filesystem {
    fn name(&self) -> &'static str {
        "filesystem"
    }

    fn summary(&self) -> &'static str {
        "a directory tree, with modes, owners, links and extended attributes"
    }

    fn settings(&self) -> serde_json::Value {
        schemars::schema_for!(FilesystemSettings).to_value()
    }

    fn configure(&self, settings: &Settings) -> Result<Box<dyn Driver>, Vec<SettingError>> {
        let read: FilesystemSettings = settings.read()?;
        let mut errors = Vec::new();
        if read.path.is_empty() {
            errors.push(SettingError::new("/path", "the path is empty").hint("write `.` for the configuration file's own directory"));
        }
        let selection = Selection::new(&read.include, &read.exclude).unwrap_or_else(|wrong| {
            errors.extend(wrong);
            Selection::default()
        });
        if !errors.is_empty() {
            return Err(errors);
        }
        Ok(tree::driver(Options {
            driver: self.name(),
            format: FORMAT,
            root: settings.path(&read.path),
            view: View::Files,
            selection,
            one_file_system: read.one_file_system,
            unreadable: read.unreadable,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::Filesystem;
    use crate::drivers::{Kind, Settings};
    use serde_json::{Value, json};

    #[test]
    fn the_schema_knows_the_keys_and_no_others() {
        let schema = jsonschema::validator_for(&Filesystem.settings()).unwrap();
        assert!(schema.is_valid(&json!({"path": "state", "include": ["keys"], "unreadable": "skip", "one_file_system": true})));
        assert!(!schema.is_valid(&json!({"include": ["keys"]})));
        assert!(!schema.is_valid(&json!({"path": "state", "includes": ["keys"]})));
    }

    #[test]
    fn every_wrong_setting_is_told() {
        let Value::Object(values) = json!({"path": "", "include": ["/a"], "exclude": ["["]}) else { unreachable!() };
        let errors = Filesystem.configure(&Settings { values, base: "/srv".into() }).err().unwrap();
        let places: Vec<_> = errors.iter().map(|error| error.pointer.as_str()).collect();
        assert_eq!(places, ["/path", "/include/0", "/exclude/0"]);
    }
}
