//! `before-restore`: whether the target can take what the archive holds, and what stands in it that the archive lacks.

use std::fs;
use std::path::Path;

use driver_guest::{ErrorKind, Extra, Problems, Reader, Result, each_entry, io_error};

use crate::list::{Visitor, walk};
use crate::names::{NameSet, refusal};

/// What `before-restore` leaves to `restore`.
pub(crate) struct Plan {
    /// What goes before anything is written: files, of directories their own names.
    pub(crate) doomed: Vec<Doomed>,
    /// Files that an interrupted restore left behind.
    pub(crate) leftovers: Vec<String>,
    /// Whether no file stands in the target: nothing needs to be compared.
    pub(crate) fresh: bool,
    /// The bytes of all entries.
    pub(crate) bytes: u64,
}

/// Something that is deleted.
pub(crate) enum Doomed {
    File(String),
    /// A directory with all that is in it.
    Directory(String),
}

/// Runs all checks.
///
/// # Errors
/// One that tells everything which stands against the restore; the archive or the target cannot be read.
pub(crate) fn inspect(root: &Path, extra: Extra, source: &Reader) -> Result<Plan> {
    let mut problems = Problems::default();
    let names = names_of(source, &mut problems)?;
    let plan = Plan { doomed: Vec::new(), leftovers: Vec::new(), fresh: true, bytes: source.totals().size };
    let mut finder = Finder { names: &names, extra, plan, problems, blocked: None };
    match fs::metadata(root) {
        Ok(metadata) if !metadata.is_dir() => {
            finder.problems.name(ErrorKind::Other, "the target is no directory", None, ("path", &root.to_string_lossy()));
        }
        Ok(_) => walk(root, &mut finder)?,
        Err(why) if why.kind() == std::io::ErrorKind::NotFound => {}
        Err(why) => return Err(io_error(format!("cannot look at `{}`", root.display()), &why)),
    }
    finder.problems.into_result()?;
    Ok(finder.plan)
}

/// The names of all entries; those that no directory can hold, alone or together, are problems.
fn names_of(source: &Reader, problems: &mut Problems) -> Result<NameSet> {
    let mut names = NameSet::new();
    each_entry(source, |info| {
        let name = &info.entry.name;
        if refusal(name).is_some() {
            let message = "the archive holds names that a directory cannot hold";
            problems.name(ErrorKind::Unsupported, message, None, ("name", name));
        } else if info.entry.attributes.iter().any(|(key, _)| key == "type") {
            let message = "the archive holds entries that are no regular files";
            problems.name(ErrorKind::Unsupported, message, None, ("name", name));
        } else {
            names.add(name);
        }
        Ok(())
    })?;
    let clashes = names.seal();
    if !clashes.is_empty() {
        each_entry(source, |info| {
            if names.clashes(&clashes, &info.entry.name) {
                let message = "the archive holds names that a directory cannot hold beside others: as a file, and with more below it";
                problems.name(ErrorKind::Unsupported, message, None, ("name", &info.entry.name));
            }
            Ok(())
        })?;
    }
    Ok(names)
}

struct Finder<'a> {
    names: &'a NameSet,
    extra: Extra,
    plan: Plan,
    problems: Problems,
    /// A directory where a file must go: a problem only if a file is below it.
    blocked: Option<String>,
}

impl Finder<'_> {
    fn in_the_way(&mut self, name: &str) {
        let message = "the target holds things in the way of what the archive holds: a directory where a file must go, or the reverse";
        self.problems.name(ErrorKind::Other, message, Some("move them away, or let `--extra delete` delete them"), ("in the way", name));
    }
}

impl Visitor for Finder<'_> {
    fn file(&mut self, name: &str, _: &fs::DirEntry) -> Result<()> {
        self.plan.fresh = false;
        let doom = |doomed: &mut Vec<Doomed>| doomed.push(Doomed::File(name.to_owned()));
        let blocks = self.blocked.as_ref().is_some_and(|blocked| is_below(name, blocked));
        match (self.names.is_directory(name), self.extra) {
            (Some(false), _) => {}
            (Some(true), Extra::Delete) => doom(&mut self.plan.doomed),
            // Goes with its directory.
            (None, Extra::Delete) if blocks => {}
            (Some(true), _) => self.in_the_way(name),
            (None, _) if blocks => self.in_the_way(name),
            (None, Extra::Delete) => doom(&mut self.plan.doomed),
            (None, Extra::Keep) => {}
            (None, Extra::Refuse) => {
                let hint = "`--extra keep` leaves such things where they are, `--extra delete` deletes them";
                self.problems.name(ErrorKind::Other, "the target holds things that the archive lacks", Some(hint), ("extra", name));
            }
        }
        Ok(())
    }

    fn directory(&mut self, name: &str) {
        if self.names.is_directory(name) == Some(false) {
            self.blocked = Some(name.to_owned());
            self.plan.doomed.push(Doomed::Directory(name.to_owned()));
        }
    }

    fn other(&mut self, name: &str, _: bool) {
        if self.names.is_directory(name) == Some(true) {
            if self.extra == Extra::Delete {
                self.plan.doomed.push(Doomed::File(name.to_owned()));
            } else {
                self.in_the_way(name);
            }
        }
    }

    fn leftover(&mut self, name: &str) {
        self.plan.leftovers.push(name.to_owned());
    }

    // No entry can bear such a name, and no dump would take it.
    fn unnameable(&mut self, shown: &str) {
        if self.extra == Extra::Refuse {
            let hint = "`--extra keep` leaves such things where they are";
            self.problems.name(ErrorKind::Other, "the target holds things that no archive can hold", Some(hint), ("extra", shown));
        }
    }
}

fn is_below(name: &str, directory: &str) -> bool {
    name.strip_prefix(directory).is_some_and(|rest| rest.starts_with('/'))
}
