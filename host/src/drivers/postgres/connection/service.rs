//! The connection service file: named groups of parameters (`PGSERVICE`, `PGSERVICEFILE`, `~/.pg_service.conf`,
//! `pg_service.conf` of the system), as libpq reads it.

use std::path::{Path, PathBuf};

use super::parse::Pairs;
use super::sources::Variables;

/// Where the system's file is, unless `PGSYSCONFDIR` says otherwise: as PostgreSQL's own packages and Debian's build libpq.
const SYSTEM: &[&str] = &["/etc/postgresql-common", "/etc/sysconfig/pgsql", "/usr/local/pgsql/etc", "/usr/local/etc/postgresql"];

/// A section that was found.
#[derive(Debug)]
pub(super) struct Section {
    /// In this file.
    pub(super) file: PathBuf,
    /// What it says.
    pub(super) pairs: Pairs,
}

/// The section of this name: of the user's file, else of the system's.
///
/// # Errors
/// There is none, with the files that were looked into; a file cannot be read or understood.
pub(super) fn section(name: &str, variables: &Variables) -> Result<Section, String> {
    let mut files: Vec<(PathBuf, bool)> = Vec::new();
    match variables.get("PGSERVICEFILE") {
        Some(file) => files.push((PathBuf::from(file), true)),
        None => files.extend(variables.home().map(|home| (home.join(".pg_service.conf"), false))),
    }
    match variables.get("PGSYSCONFDIR") {
        Some(directory) => files.push((Path::new(directory).join("pg_service.conf"), false)),
        None => files.extend(SYSTEM.iter().map(|directory| (Path::new(directory).join("pg_service.conf"), false))),
    }
    for (file, must_exist) in &files {
        if !must_exist && !file.exists() {
            continue;
        }
        let text = std::fs::read_to_string(file).map_err(|why| format!("cannot read the service file `{}`: {why}", file.display()))?;
        if let Some(pairs) = find(&text, name).map_err(|why| format!("`{}`, {why}", file.display()))? {
            return Ok(Section { file: file.clone(), pairs });
        }
    }
    let looked = files.iter().map(|(file, _)| format!("`{}`", file.display())).collect::<Vec<_>>().join(", ");
    Err(format!("there is no service `{}`; looked into {looked}", name.escape_debug()))
}

/// The pairs of the section; none if there is no such section.
fn find(text: &str, name: &str) -> Result<Option<Pairs>, String> {
    let mut pairs: Option<Pairs> = None;
    for (number, line) in text.lines().enumerate() {
        let line = line.trim_matches(|c: char| c.is_ascii_whitespace());
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if let Some(header) = line.strip_prefix('[') {
            if pairs.is_some() {
                return Ok(pairs);
            }
            if header.strip_prefix(name).is_some_and(|rest| rest.starts_with(']')) {
                pairs = Some(Pairs::new());
            }
            continue;
        }
        let Some(found) = &mut pairs else { continue };
        let number = number + 1;
        let (key, value) = line.split_once('=').ok_or_else(|| format!("line {number}: `=` is missing"))?;
        match key {
            "service" => return Err(format!("line {number}: a service within a service is not supported")),
            key if key.starts_with("ldap") => return Err(format!("line {number}: a service that is looked up by LDAP is not supported")),
            // The first value of a key counts.
            key if !found.iter().any(|(known, _)| known == key) => found.push((key.to_owned(), value.to_owned())),
            _ => {}
        }
    }
    Ok(pairs)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "# comment\n[other]\nhost=wrong\n\n  [mydb]  \nhost=somehost\nport=5433\nuser = admin\nhost=second\npassword=a=b #c\n[last]\nnonsense\n";

    #[test]
    fn a_section_ends_where_the_next_begins() {
        let pairs = find(FILE, "mydb").expect("good lines").expect("it is there");
        let shown: Vec<String> = pairs.iter().map(|(key, value)| format!("{key}|{value}")).collect();
        assert_eq!(shown, ["host|somehost", "port|5433", "user | admin", "password|a=b #c"], "nothing is trimmed at `=`, as in libpq");
        assert_eq!(find(FILE, "none").expect("good lines"), None);
        assert_eq!(find(FILE, "last").expect_err("no `=`"), "line 12: `=` is missing");
    }

    #[test]
    fn the_files_are_looked_into_in_libpqs_order() {
        let home = tempfile::tempdir().expect("a directory");
        let system = tempfile::tempdir().expect("a directory");
        let variables = |more: &[(&str, &Path)]| {
            let all = [("HOME", home.path()), ("PGSYSCONFDIR", system.path())];
            all.iter().chain(more).map(|(name, path)| ((*name).into(), (*path).into())).collect::<Variables>()
        };
        let why = section("a", &variables(&[])).expect_err("there are no files");
        assert!(
            why.contains("no service `a`") && why.contains(".pg_service.conf") && why.contains(&system.path().display().to_string()),
            "{why}"
        );
        std::fs::write(system.path().join("pg_service.conf"), "[a]\nhost=system\n[b]\nhost=b\n").expect("a file");
        assert_eq!(section("a", &variables(&[])).expect("found").pairs[0].1, "system");
        std::fs::write(home.path().join(".pg_service.conf"), "[a]\nhost=home\n").expect("a file");
        assert_eq!(section("a", &variables(&[])).expect("found").pairs[0].1, "home");
        assert_eq!(section("b", &variables(&[])).expect("found").pairs[0].1, "b", "the user's file lacks it");
        let missing = home.path().join("none");
        let why = section("a", &variables(&[("PGSERVICEFILE", &missing)])).expect_err("a named file must exist");
        assert!(why.contains("cannot read the service file"), "{why}");
    }
}
