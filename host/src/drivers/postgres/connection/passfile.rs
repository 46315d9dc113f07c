//! The file of passwords: `~/.pgpass`, or what `passfile` and `PGPASSFILE` name.
//!
//! Defined in PostgreSQL's documentation, chapter *libpq*, section *The Password File*.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// What the file says of a password.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Lookup {
    /// This is it.
    Found(String),
    /// No line fits, or there is no file.
    None,
    /// The file is there and not used: why, and what to do.
    Ignored(String),
}

/// Whom the password is for.
pub(super) struct Sought<'s> {
    pub(super) host: &'s str,
    pub(super) port: u16,
    pub(super) dbname: &'s str,
    pub(super) user: &'s str,
}

/// Looks a password up.
pub(super) fn look_up(file: &Path, sought: &Sought<'_>) -> Lookup {
    let Ok(metadata) = std::fs::metadata(file) else { return Lookup::None };
    let shown = file.display();
    if !metadata.is_file() {
        return Lookup::Ignored(format!("`{shown}` is not used, since it is no regular file"));
    }
    if metadata.mode() & 0o077 != 0 {
        return Lookup::Ignored(format!("`{shown}` is not used, since others than its owner may access it: run `chmod 0600 {shown}`"));
    }
    match std::fs::read(file) {
        Ok(bytes) => find(&String::from_utf8_lossy(&bytes), sought).map_or(Lookup::None, Lookup::Found),
        Err(why) => Lookup::Ignored(format!("`{shown}` cannot be read: {why}")),
    }
}

/// The password of the first line that fits.
fn find(text: &str, sought: &Sought<'_>) -> Option<String> {
    let port = sought.port.to_string();
    text.split('\n').map(|line| line.trim_end_matches('\r')).filter(|line| !line.starts_with('#')).find_map(|line| {
        let rest = [sought.host, &port, sought.dbname, sought.user].into_iter().try_fold(line, after)?;
        Some(unescape(rest))
    })
}

/// What follows the field, if it fits: `*`, or the value with `\` before its `:` and `\`.
fn after<'l>(line: &'l str, value: &str) -> Option<&'l str> {
    if let Some(rest) = line.strip_prefix("*:") {
        return Some(rest);
    }
    let mut wanted = value.chars();
    let mut chars = line.char_indices();
    loop {
        let (at, mut c) = chars.next()?;
        if c == ':' {
            return wanted.next().is_none().then(|| &line[at + 1..]);
        }
        if c == '\\' {
            c = chars.next()?.1;
        }
        if wanted.next() != Some(c) {
            return None;
        }
    }
}

/// The password without the `\` before its `:` and `\`.
fn unescape(text: &str) -> String {
    let mut password = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => password.push(chars.next().unwrap_or('\\')),
            c => password.push(c),
        }
    }
    password
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn sought<'s>(host: &'s str, dbname: &'s str, user: &'s str) -> Sought<'s> {
        Sought { host, port: 5432, dbname, user }
    }

    #[test]
    fn the_first_line_that_fits_counts() {
        let file = "# localhost:5432:shop:me:comment\nlocalhost:5433:shop:me:other port\nlocalhost:5432:shop:me:one\r\n*:*:shop:*:two\n*:*:*:me:th:ree\n";
        assert_eq!(find(file, &sought("localhost", "shop", "me")).as_deref(), Some("one"));
        assert_eq!(find(file, &sought("db", "shop", "me")).as_deref(), Some("two"));
        assert_eq!(find(file, &sought("db", "x", "me")).as_deref(), Some("th:ree"), "the password is all that is left");
        assert_eq!(find(file, &sought("db", "x", "you")), None);
    }

    #[test]
    fn colons_and_backslashes_are_escaped() {
        let file = r"\:\:1:5432:a\\b:d\:e:p\:a\\s\s";
        assert_eq!(find(file, &sought("::1", r"a\b", "d:e")).as_deref(), Some(r"p:a\ss"));
        assert_eq!(find(r"h\", &sought("h", "d", "u")), None);
        assert_eq!(find("**:5432:d:u:p", &sought("h", "d", "u")), None, "a star stands alone");
    }

    #[test]
    fn a_file_that_others_may_read_is_not_used_and_that_is_told() {
        let directory = tempfile::tempdir().expect("a directory");
        let file = directory.path().join("pgpass");
        let whom = sought("h", "d", "u");
        assert_eq!(look_up(&file, &whom), Lookup::None);
        std::fs::write(&file, "*:*:*:*:secret\n").expect("a file");
        for (mode, is_used) in [(0o600, true), (0o400, true), (0o640, false), (0o604, false)] {
            std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).expect("set");
            match look_up(&file, &whom) {
                Lookup::Found(password) => assert!(is_used && password == "secret", "{mode:o}"),
                Lookup::Ignored(why) => assert!(!is_used && why.contains("chmod 0600"), "{mode:o}: {why}"),
                Lookup::None => panic!("{mode:o}: it was not looked into"),
            }
        }
        assert!(matches!(look_up(directory.path(), &whom), Lookup::Ignored(why) if why.contains("no regular file")));
    }
}
