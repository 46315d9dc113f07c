//! The settings of an `sqlite` set, and the many ways in which a URL spells the path of a database.

use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::SignedDuration;
use percent_encoding::percent_decode_str;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::drivers::{SettingError, Settings};

/// How long a lock that another process holds is waited for, unless `lock_timeout` says otherwise.
const LOCK_TIMEOUT: Duration = Duration::from_secs(30);

/// The keys of an `sqlite` set.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Options {
    /// The database's file. Relative paths start from the configuration file's directory.
    path: Option<String>,
    /// The database's file as a URL: `sqlite:///srv/shop.db`, `sqlite://shop.db`, `sqlite:shop.db`.
    url: Option<String>,
    /// How long to wait for a lock that another process holds: `30s` (the default), `2m`.
    lock_timeout: Option<String>,
    /// How thoroughly a restored database is checked before it takes its place.
    #[serde(default)]
    check: Check,
}

/// How thoroughly a restored database is checked. Its bytes are known to be those that were dumped in any case.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum Check {
    /// `PRAGMA integrity_check`: the pages, the rows, and every row against every index. Takes seconds per million rows.
    #[default]
    Full,
    /// `PRAGMA quick_check`: the pages and the rows. For databases so large that the check is what a restore waits for.
    Quick,
}

/// What the settings come to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Configured {
    /// The database's file, absolute where the settings' base is.
    pub(super) path: PathBuf,
    /// How long to wait for a lock.
    pub(super) lock_timeout: Duration,
    /// How thoroughly a restored database is checked.
    pub(super) check: Check,
}

impl Configured {
    /// Reads the settings of a set.
    pub(super) fn read(settings: &Settings) -> Result<Self, Vec<SettingError>> {
        let options: Options = settings.read()?;
        let mut errors = Vec::new();
        let path = locate(&options, settings).map_err(|error| errors.push(error)).ok();
        let lock_timeout = timeout(options.lock_timeout.as_deref()).map_err(|error| errors.push(error)).ok();
        match (path, lock_timeout) {
            (Some(path), Some(lock_timeout)) => Ok(Self { path, lock_timeout, check: options.check }),
            _ => Err(errors),
        }
    }
}

fn locate(options: &Options, settings: &Settings) -> Result<PathBuf, SettingError> {
    match (&options.path, &options.url) {
        (Some(path), None) if path.is_empty() => Err(SettingError::new("/path", "the path is empty")),
        (Some(path), None) if path == ":memory:" => Err(in_memory("/path")),
        (Some(path), None) => Ok(settings.path(path)),
        (None, Some(url)) => from_url(url, &settings.base),
        (None, None) => Err(SettingError::new("", "an `sqlite` set needs a `path` or a `url`").hint("add `path = \"shop.db\"`")),
        (Some(_), Some(_)) => Err(SettingError::new("/url", "`path` and `url` both say where the database is").hint("keep one of them")),
    }
}

fn timeout(text: Option<&str>) -> Result<Duration, SettingError> {
    let Some(text) = text else { return Ok(LOCK_TIMEOUT) };
    text.parse::<SignedDuration>().ok().and_then(|duration| Duration::try_from(duration).ok()).ok_or_else(|| {
        SettingError::new("/lock_timeout", format!("`{text}` is no length of time")).hint("write it as in `30s`, `2m` or `500ms`")
    })
}

fn in_memory(pointer: &str) -> SettingError {
    SettingError::new(pointer, "a database in memory belongs to the process that made it and cannot be dumped")
        .hint("name the file of a database")
}

/// The path in a URL: what follows `sqlite:` or `sqlite3:`, without a query, percent-decoded.
///
/// Two slashes and fewer leave a relative path, four an absolute one, as everywhere. With three the world disagrees: in
/// Django and SQLAlchemy `sqlite:///shop.db` is relative, elsewhere absolute. [`settle`] takes what fits the disk.
fn from_url(url: &str, base: &Path) -> Result<PathBuf, SettingError> {
    let wrong = |why: String| SettingError::new("/url", why).hint("write `sqlite:///srv/shop.db`, or use `path`");
    let (scheme, rest) = url.split_once(':').ok_or_else(|| wrong("this is no URL: it has no scheme".into()))?;
    if !super::SCHEMES.contains(&scheme.to_ascii_lowercase().as_str()) {
        return Err(wrong(format!("`{}:` is not the scheme of an SQLite database", scheme.escape_debug())));
    }
    let rest = rest.split(['?', '#']).next().unwrap_or_default();
    let path = rest.strip_prefix("//").unwrap_or(rest);
    let bare = path.trim_start_matches('/');
    if bare.is_empty() || bare == ":memory:" {
        return Err(in_memory("/url"));
    }
    let decoded = PathBuf::from(decode(path));
    match path.len() - bare.len() {
        0 => Ok(base.join(decoded)),
        1 if rest.starts_with("///") => settle(&decoded, base),
        _ => Ok(Path::new("/").join(decode(bare))),
    }
}

/// Chooses between `/x` and `base/x`: the one that exists; else the one whose directory does, where `/` itself, in which
/// nobody keeps databases, does not count; else the absolute one.
fn settle(absolute: &Path, base: &Path) -> Result<PathBuf, SettingError> {
    let relative = base.join(absolute.strip_prefix("/").unwrap_or(absolute));
    match (absolute.exists(), relative.exists()) {
        (true, true) if absolute != relative => {
            Err(SettingError::new("/url", format!("the URL may mean `{}` or `{}`, and both exist", absolute.display(), relative.display()))
                .hint("use `path`, or four slashes before an absolute path"))
        }
        (true, _) => Ok(absolute.to_owned()),
        (_, true) => Ok(relative),
        (false, false) => {
            let parent = absolute.parent().filter(|parent| *parent != Path::new("/"));
            let relative_fits = relative.parent().is_some_and(Path::is_dir);
            Ok(if parent.is_some_and(Path::is_dir) || !relative_fits { absolute.to_owned() } else { relative })
        }
    }
}

fn decode(text: &str) -> std::ffi::OsString {
    use std::os::unix::ffi::OsStringExt;
    std::ffi::OsString::from_vec(percent_decode_str(text).collect())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn configured(base: &Path, values: serde_json::Value) -> Result<Configured, Vec<SettingError>> {
        let serde_json::Value::Object(values) = values else { unreachable!("settings are an object") };
        Configured::read(&Settings { values, base: base.to_owned() })
    }

    fn at(base: &Path, url: &str) -> PathBuf {
        configured(base, json!({ "url": url })).expect("a good URL").path
    }

    #[test]
    fn every_spelling_of_a_path_is_understood() {
        let base = Path::new("/no/such/base");
        let cases = [
            ("sqlite:shop.db", "/no/such/base/shop.db"),
            ("sqlite3:db/shop.db", "/no/such/base/db/shop.db"),
            ("sqlite://shop.db", "/no/such/base/shop.db"),
            ("sqlite:/srv/shop.db", "/srv/shop.db"),
            ("sqlite:///srv/shop.db", "/srv/shop.db"),
            ("sqlite:////srv/shop.db", "/srv/shop.db"),
            ("SQLite:///srv/shop.db?mode=ro", "/srv/shop.db"),
            ("sqlite:///srv/a%20b%3Fc.db", "/srv/a b?c.db"),
        ];
        for (url, path) in cases {
            assert_eq!(at(base, url), Path::new(path), "{url}");
        }
        assert_eq!(configured(base, json!({ "path": "shop.db" })).expect("a path").path, base.join("shop.db"));
        assert_eq!(configured(base, json!({ "path": "/srv/shop.db" })).expect("a path").path, Path::new("/srv/shop.db"));
    }

    #[test]
    fn three_slashes_mean_what_is_there() {
        let here = tempfile::tempdir().expect("a directory");
        let base = here.path();
        std::fs::write(base.join("shop.db"), "").expect("a file");
        assert_eq!(at(base, "sqlite:///shop.db"), base.join("shop.db"), "Django's spelling of a file that exists");
        assert_eq!(at(base, "sqlite:///new.db"), base.join("new.db"), "and of one that a restore will make");
        let absolute = base.join("shop.db");
        assert_eq!(at(Path::new("/"), &format!("sqlite://{}", absolute.display())), absolute);
        let fresh = base.join("fresh.db");
        assert_eq!(at(base, &format!("sqlite://{}", fresh.display())), fresh, "an absolute path that a restore will make");
    }

    #[test]
    fn what_names_no_file_is_refused() {
        let base = Path::new("/no/such/base");
        let bad = [
            (json!({}), "", "needs a `path` or a `url`"),
            (json!({"path": "a", "url": "sqlite:b"}), "/url", "both say"),
            (json!({"path": ""}), "/path", "empty"),
            (json!({"path": ":memory:"}), "/path", "in memory"),
            (json!({"url": "sqlite://"}), "/url", "in memory"),
            (json!({"url": "sqlite::memory:"}), "/url", "in memory"),
            (json!({"url": "postgres://db/shop"}), "/url", "`postgres:` is not the scheme"),
            (json!({"url": "shop.db"}), "/url", "no scheme"),
            (json!({"path": "a", "lock_timeout": "soon"}), "/lock_timeout", "no length of time"),
            (json!({"path": "a", "lock_timeout": "-3s"}), "/lock_timeout", "no length of time"),
        ];
        for (values, pointer, part) in bad {
            let errors = configured(base, values.clone()).expect_err("must be refused");
            assert_eq!(errors.len(), 1, "{values}");
            assert_eq!(errors[0].pointer, pointer, "{values}");
            assert!(errors[0].message.contains(part), "{values}: {}", errors[0].message);
        }
    }

    #[test]
    fn a_lock_timeout_is_a_length_of_time() {
        let base = Path::new("/no/such/base");
        let read = |text: &str| configured(base, json!({"path": "a", "lock_timeout": text})).expect("a duration").lock_timeout;
        assert_eq!(read("2m"), Duration::from_secs(120));
        assert_eq!(read("500ms"), Duration::from_millis(500));
        let default = configured(base, json!({"path": "a"})).expect("the defaults");
        assert_eq!((default.lock_timeout, default.check), (Duration::from_secs(30), Check::Full));
    }
}
