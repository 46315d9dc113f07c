//! Finding `pg_dump` and `pg_restore`: where they may be, and which of them is new enough.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::error::{Error, ErrorKind, Result};

/// Directories of which each has one per version of PostgreSQL, as Debian's and Red Hat's packages lay them out.
const PACKAGES: &[(&str, &str)] = &[("/usr/lib/postgresql", ""), ("/usr", "pgsql-"), ("/opt/homebrew/opt", "postgresql@")];

/// One of PostgreSQL's programs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Program {
    pub(super) path: PathBuf,
    /// Its major version.
    pub(super) major: u32,
    /// Its version in its own words: `15.18`.
    pub(super) version: String,
}

/// The first program of this name that is of major version `least` or newer: in `pg_bin` and nowhere else where that is given;
/// else on the `PATH`, then where packages put it, the oldest first.
///
/// # Errors
/// There is none; `because` says why this version is needed.
pub(super) fn find(name: &str, least: u32, because: &str, pg_bin: Option<&Path>) -> Result<Program> {
    let mut seen = Vec::new();
    let places = match pg_bin {
        Some(directory) => vec![directory.to_owned()],
        None => on_the_path().chain(of_packages()).collect(),
    };
    for place in &places {
        let path = place.join(name);
        match version(&path) {
            Some((major, version)) if major >= least => return Ok(Program { path, major, version }),
            Some((_, version)) => seen.push(format!("`{}` is {version}", path.display())),
            None => {}
        }
    }
    Err(missing(name, least, because, &places, &seen, pg_bin))
}

fn missing(name: &str, least: u32, because: &str, places: &[PathBuf], seen: &[String], pg_bin: Option<&Path>) -> Error {
    let shown: Vec<_> = places.iter().map(|place| format!("`{}`", place.display())).collect();
    let found = if seen.is_empty() { "found none".to_owned() } else { format!("found older ones: {}", seen.join(", ")) };
    let message = format!("`{name}` {least} or newer is needed, since {because}; looked in {} and {found}", shown.join(", "));
    Error::new(ErrorKind::NotFound, message).hint(match pg_bin {
        Some(_) => format!("install PostgreSQL's client programs {least}, and let `pg_bin` name their directory"),
        None => {
            format!("install PostgreSQL's client programs (`apt install postgresql-client-{least}`), or set `pg_bin` to their directory")
        }
    })
}

/// The directories of `PATH`. Where Debian's wrapper stands there, which chooses among versions by rules of its own, the
/// programs that it would choose from are found in their packages.
fn on_the_path() -> impl Iterator<Item = PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).filter(|directory| directory.is_absolute()).collect::<Vec<_>>().into_iter()
}

fn of_packages() -> impl Iterator<Item = PathBuf> {
    let mut found = Vec::new();
    for (directory, prefix) in PACKAGES {
        let Ok(entries) = std::fs::read_dir(directory) else { continue };
        for entry in entries.flatten() {
            let name = entry.file_name();
            if let Some(version) = name.to_str().and_then(|name| name.strip_prefix(prefix)).and_then(|rest| rest.parse::<f32>().ok()) {
                found.push((version, entry.path().join("bin")));
            }
        }
    }
    found.sort_by(|a, b| a.0.total_cmp(&b.0));
    found.into_iter().map(|(_, path)| path)
}

/// The version of a program: `15` and `15.18`; of none, or of Debian's wrapper, nothing.
fn version(path: &Path) -> Option<(u32, String)> {
    if path.canonicalize().ok()?.file_name() == Some(OsStr::new("pg_wrapper")) {
        return None;
    }
    let output = Command::new(path).arg("--version").stdin(Stdio::null()).output().ok()?;
    parse(&String::from_utf8_lossy(&output.stdout))
}

/// Reads `pg_dump (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)`.
fn parse(text: &str) -> Option<(u32, String)> {
    let version = text.split_once("(PostgreSQL) ")?.1.split_whitespace().next()?;
    let major = version.chars().take_while(char::is_ascii_digit).collect::<String>().parse().ok()?;
    Some((major, version.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read() {
        assert_eq!(parse("pg_dump (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)\n"), Some((15, "15.18".into())));
        assert_eq!(parse("pg_restore (PostgreSQL) 17beta1\n"), Some((17, "17beta1".into())));
        assert_eq!(parse("GNU tar 1.34"), None);
    }

    #[test]
    fn what_is_missing_is_told_with_where_it_was_looked_for() {
        let here = tempfile::tempdir().expect("a directory");
        let error = find("pg_dump", 15, "the server is 15.18", Some(here.path())).expect_err("there is none");
        assert_eq!(
            error.message(),
            format!("`pg_dump` 15 or newer is needed, since the server is 15.18; looked in `{}` and found none", here.path().display())
        );
        assert!(error.advice().is_some_and(|hint| hint.contains("pg_bin")));
    }
}
