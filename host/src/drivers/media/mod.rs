//! `media`: objects by their names, as an application's storage has them. Here are its settings, and the choice of where the
//! objects are. What is done with a directory is in [`tree`](super::tree).

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;
use url::Url;

use super::tree::{self, Options, Selection, Unreadable, View};
use super::{Driver, Kind, SettingError, Settings};

/// The format of the entries, one for each object, with its modification time and, where the store has them, its attributes:
/// see `docs/drivers.md`.
const FORMAT: &str = "objects/1";

/// Media.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct MediaSettings {
    /// Where the objects are: a directory, or its URL (`file:///srv/shop/media`). Exactly one of `url` and `path` is given.
    #[serde(default)]
    url: Option<String>,
    /// The directory; a relative path starts from the configuration file's directory.
    #[serde(default)]
    path: Option<String>,
    /// What happens to files and directories that cannot be read.
    #[serde(default)]
    unreadable: Unreadable,
}

/// Where the objects are.
enum Place {
    Directory(PathBuf),
}

/// The kind, for the registry.
pub(super) struct Media;

impl Kind for Media {
    fn name(&self) -> &'static str {
        "media"
    }

    fn summary(&self) -> &'static str {
        "media files by their names, in a directory"
    }

    fn settings(&self) -> serde_json::Value {
        schemars::schema_for!(MediaSettings).to_value()
    }

    fn url_schemes(&self) -> &'static [&'static str] {
        &["file"]
    }

    fn configure(&self, settings: &Settings) -> Result<Box<dyn Driver>, Vec<SettingError>> {
        let read: MediaSettings = settings.read()?;
        match place(&read, settings).map_err(|error| vec![error])? {
            Place::Directory(root) => Ok(tree::driver(Options {
                driver: self.name(),
                format: FORMAT,
                root,
                view: View::Objects,
                selection: Selection::default(),
                one_file_system: false,
                unreadable: read.unreadable,
            })),
        }
    }
}

/// Where the settings say that the objects are.
fn place(read: &MediaSettings, settings: &Settings) -> Result<Place, SettingError> {
    match (&read.url, &read.path) {
        (Some(text), None) => at_url(text, settings),
        (None, Some(text)) if text.is_empty() => Err(SettingError::new("/path", "the path is empty")),
        (None, Some(text)) => Ok(Place::Directory(settings.path(text))),
        (None, None) => Err(SettingError::new("", "neither `url` nor `path` says where the media are").hint("set `url` to a directory")),
        (Some(_), Some(_)) => Err(SettingError::new("/path", "both `url` and `path` say where the media are").hint("remove one of them")),
    }
}

fn at_url(text: &str, settings: &Settings) -> Result<Place, SettingError> {
    let wrong = |message: String| SettingError::new("/url", message);
    if text.is_empty() {
        return Err(wrong("the URL is empty".into()));
    }
    // A directory needs no scheme; what has a colon before its first slash is meant as a URL.
    let has_scheme = text.find(':').is_some_and(|colon| !text[..colon].contains('/'));
    if !has_scheme {
        return Ok(Place::Directory(settings.path(text)));
    }
    let url = Url::parse(text).map_err(|why| wrong(format!("the URL cannot be read: {why}")))?;
    match url.scheme() {
        "file" => match url.to_file_path() {
            Ok(path) => Ok(Place::Directory(path)),
            Err(()) => Err(wrong("a `file:` URL names a directory of this machine".into()).hint("write `file:///path/to/the/directory`")),
        },
        other => Err(wrong(format!("this version of dr-host has no media at `{other}:` URLs")).hint("write a directory or a `file:` URL")),
    }
}

#[cfg(test)]
mod tests {
    use super::{Media, Place, place};
    use crate::drivers::{Kind, SettingError, Settings};
    use serde_json::{Value, json};

    fn settings(values: Value) -> Settings {
        let Value::Object(values) = values else { panic!("settings are an object") };
        Settings { values, base: "/srv/shop".into() }
    }

    fn directory(values: Value) -> Result<String, SettingError> {
        let settings = settings(values);
        place(&settings.read().unwrap(), &settings).map(|Place::Directory(path)| path.display().to_string())
    }

    #[test]
    fn a_directory_is_named_by_path_or_url() {
        assert_eq!(directory(json!({"path": "media"})).unwrap(), "/srv/shop/media");
        assert_eq!(directory(json!({"url": "media/a:b"})).unwrap(), "/srv/shop/media/a:b");
        assert_eq!(directory(json!({"url": "/var/media"})).unwrap(), "/var/media");
        assert_eq!(directory(json!({"url": "file:///var/my%20media"})).unwrap(), "/var/my media");
    }

    #[test]
    fn what_names_no_place_is_told_where_it_stands() {
        let pointer = |values| directory(values).unwrap_err().pointer;
        assert_eq!(pointer(json!({})), "");
        assert_eq!(pointer(json!({"path": "a", "url": "b"})), "/path");
        assert_eq!(pointer(json!({"path": ""})), "/path");
        assert_eq!(pointer(json!({"url": "ftp://example.org/media"})), "/url");
        assert_eq!(pointer(json!({"url": "file://elsewhere/media"})), "/url");
    }

    #[test]
    fn the_schema_knows_the_keys_and_no_others() {
        let schema = jsonschema::validator_for(&Media.settings()).unwrap();
        assert!(schema.is_valid(&json!({"url": "media", "unreadable": "skip"})));
        assert!(!schema.is_valid(&json!({"url": "media", "unreadable": "ask"})));
        assert!(!schema.is_valid(&json!({"directory": "media"})));
    }
}
