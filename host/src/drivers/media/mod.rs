//! `media`: objects by their names, as an application's storage has them. Here are its settings, and the choice of where the
//! objects are. What is done with a directory is in [`tree`](super::tree), what with a bucket in [`bucket`].

mod bucket;

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;
use url::Url;

use self::bucket::BucketSettings;
use super::tree::{self, Options, Selection, Unreadable, View};
use super::{Driver, Kind, SettingError, Settings};

/// The format of the entries, one for each object, with its modification time and, where the store has them, its attributes:
/// see `docs/drivers.md`.
const FORMAT: &str = "objects/1";

/// Media.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
struct MediaSettings {
    /// Where the objects are: a directory, its URL (`file:///srv/shop/media`), or a bucket's (`s3://shop-media/uploads`). Exactly
    /// one of `url` and `path` is given.
    #[serde(default)]
    url: Option<String>,
    /// The directory; a relative path starts from the configuration file's directory.
    #[serde(default)]
    path: Option<String>,
    /// What happens to files and directories that cannot be read.
    #[serde(default)]
    unreadable: Unreadable,
    #[serde(flatten)]
    bucket: BucketSettings,
}

/// Where the objects are.
enum Place {
    Directory(PathBuf),
    Bucket(Url),
}

/// The kind, for the registry.
pub(super) struct Media;

impl Kind for Media {
    fn name(&self) -> &'static str {
        "media"
    }

    fn summary(&self) -> &'static str {
        "media files by their names, in a directory or an S3 bucket"
    }

    fn settings(&self) -> serde_json::Value {
        schemars::schema_for!(MediaSettings).to_value()
    }

    fn url_schemes(&self) -> &'static [&'static str] {
        &["file", "s3", "s3a"]
    }

    fn configure(&self, settings: &Settings) -> Result<Box<dyn Driver>, Vec<SettingError>> {
        let read: MediaSettings = settings.read()?;
        match place(&read, settings).map_err(|error| vec![error])? {
            Place::Bucket(url) => bucket::driver(self.name(), FORMAT, &url, &read.bucket),
            Place::Directory(_) if !read.bucket.given().is_empty() => Err(only_for_buckets(&read.bucket)),
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

fn only_for_buckets(given: &BucketSettings) -> Vec<SettingError> {
    let error = |key| SettingError::new(format!("/{key}"), format!("`{key}` is for media in a bucket, and these are in a directory"));
    given.given().into_iter().map(error).collect()
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
        scheme if bucket::SCHEMES.contains(&scheme) => Ok(Place::Bucket(url)),
        other => Err(wrong(format!("this version of dr-host has no media at `{other}:` URLs"))
            .hint("write a directory, a `file:` URL or an `s3:` URL")),
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
        place(&settings.read().unwrap(), &settings).map(|place| match place {
            Place::Directory(path) => path.display().to_string(),
            Place::Bucket(url) => url.to_string(),
        })
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
        assert!(schema.is_valid(&json!({"url": "s3://shop/media", "endpoint": "https://minio", "region": "x", "allow_http": false})));
    }

    #[test]
    fn what_is_for_buckets_is_for_buckets_alone() {
        let errors = |values| Media.configure(&settings(values)).err().unwrap_or_default();
        let pointers: Vec<String> =
            errors(json!({"path": "media", "region": "x", "endpoint": "y"})).into_iter().map(|e| e.pointer).collect();
        assert_eq!(pointers, ["/endpoint", "/region"]);
        assert_eq!(errors(json!({"url": "s3://shop/media", "region": "x"})), []);
    }

    #[test]
    fn a_bucket_that_cannot_be_meant_is_told() {
        let pointers = |values| Media.configure(&settings(values)).err().unwrap().into_iter().map(|e| e.pointer).collect::<Vec<_>>();
        assert_eq!(pointers(json!({"url": "s3:///media"})), ["/url"]);
        assert_eq!(pointers(json!({"url": "s3://id:secret@shop"})), ["/url"]);
        assert_eq!(pointers(json!({"url": "s3://shop/a?b"})), ["/url"]);
        assert_eq!(pointers(json!({"url": "s3://shop/a//b"})), ["/url"]);
        assert_eq!(pointers(json!({"url": "s3://shop", "endpoint": "http://minio"})), ["/endpoint"]);
        assert_eq!(pointers(json!({"url": "s3://shop", "access_key_id": "id"})), ["/access_key_id"]);
        assert_eq!(pointers(json!({"url": "s3://shop/a//b", "endpoint": "minio", "secret_access_key": "s"})).len(), 3);
    }
}
