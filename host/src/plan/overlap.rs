//! What lies inside what: sets inside other sets, the archive inside a set, two sets on one target.
//!
//! Paths are compared as the system resolves them, so that a symbolic link hides nothing.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::arm::ArmedSet;
use super::{Planning, Warning, arm};
use crate::config::Problem;
use crate::drivers::Occupied;
use crate::name::SetPath;

/// A path that a set occupies.
struct Claim {
    set: SetPath,
    kept: bool,
    is_tree: bool,
    /// As the driver says it.
    given: PathBuf,
    /// As the system resolves it.
    real: PathBuf,
}

/// Finds what lies inside what: problems, warnings, and what each set leaves out. `archive` are the paths of the archive.
pub(super) fn resolve(planning: &mut Planning<'_>, archive: &[PathBuf]) {
    let claims: Vec<Claim> = arm::in_order(&planning.sets).into_iter().flat_map(claims).collect();
    same_target(planning, &claims);
    let mut leave_out = Vec::new();
    for tree in claims.iter().filter(|claim| claim.is_tree) {
        for inner in claims.iter().filter(|inner| inner.set != tree.set && lies_in(&inner.real, &tree.real)) {
            leave_out.push((tree.set.clone(), spellings(tree, &inner.real)));
        }
    }
    planning.warnings.extend(inside_each_other(&claims));
    for path in archive {
        leave_out.extend(archive_inside(planning, &claims, path));
    }
    for (set, paths) in leave_out {
        add(&mut planning.sets, &set, paths);
    }
}

fn claims(set: &ArmedSet) -> Vec<Claim> {
    let occupies = set.armed.iter().flat_map(|armed| &armed.survey.occupies);
    occupies
        .map(|occupied| {
            let (is_tree, given) = match occupied {
                Occupied::File(path) => (false, path),
                Occupied::Tree(path) => (true, path),
            };
            Claim { set: set.path.clone(), kept: set.kept, is_tree, given: given.clone(), real: resolved(given) }
        })
        .collect()
}

/// Refuses two sets on one target: whichever is restored last would undo the other.
fn same_target(planning: &mut Planning<'_>, claims: &[Claim]) {
    for (number, second) in claims.iter().enumerate() {
        let clashes = |first: &&Claim| first.set != second.set && first.real == second.real && first.kept && second.kept;
        if let Some(first) = claims[..number].iter().find(clashes) {
            let message = format!(
                "`{}` and `{}` both stand at `{}`: a restore of one would undo the other",
                first.set,
                second.set,
                second.given.display()
            );
            planning
                .problems
                .push(at_set(planning, &second.set, message).hint("let them point to different places, or leave one out with `--skip`"));
        }
    }
}

/// One warning for each set that lies inside another, naming the innermost.
fn inside_each_other(claims: &[Claim]) -> Vec<Warning> {
    let mut warnings: Vec<Warning> = Vec::new();
    for inner in claims {
        let around = claims.iter().filter(|tree| tree.is_tree && tree.kept && tree.set != inner.set && lies_in(&inner.real, &tree.real));
        if let Some(tree) = around.max_by_key(|tree| tree.real.as_os_str().len()) {
            let message = format!("`{}` lies inside it, and is left out here: `{}`", inner.set, inner.given.display());
            warnings.push(Warning { set: Some(tree.set.clone()), message });
        }
    }
    warnings
}

/// The sets inside which the archive lies, with what they leave out; refuses an archive that *is* what a set stands for.
fn archive_inside(planning: &mut Planning<'_>, claims: &[Claim], archive: &Path) -> Vec<(SetPath, Vec<PathBuf>)> {
    let real = resolved(archive);
    let mut leave_out = Vec::new();
    for claim in claims.iter().filter(|claim| claim.kept) {
        if claim.real == real {
            let message = format!("the archive `{}` is what `{}` stands for", archive.display(), claim.set);
            planning.problems.push(Problem::new(message).hint("name another file for the archive"));
        } else if claim.is_tree && lies_in(&real, &claim.real) {
            planning.warn(Some(&claim.set), format!("the archive lies inside it, and is left out: `{}`", archive.display()));
            leave_out.push((claim.set.clone(), spellings(claim, &real)));
        }
    }
    leave_out
}

/// A problem at the set's name, where it stands in a file.
fn at_set(planning: &Planning<'_>, set: &SetPath, message: String) -> Problem {
    let config = planning.config;
    match config.all_sets().into_iter().find(|candidate| candidate.path == *set) {
        Some(found) if !config.is_default => Problem::new(message).at(config.source.place(&found.at)),
        _ => Problem::new(message),
    }
}

/// A path inside a tree, as the system resolves it and as a walk from the tree's given root meets it.
fn spellings(tree: &Claim, inner: &Path) -> Vec<PathBuf> {
    let mut paths = vec![inner.to_owned()];
    if let Ok(rest) = inner.strip_prefix(&tree.real) {
        paths.push(tree.given.join(rest));
    }
    paths
}

fn add(sets: &mut [ArmedSet], path: &SetPath, paths: Vec<PathBuf>) {
    for set in sets {
        if set.path == *path {
            for path in paths {
                if !set.leave_out.contains(&path) {
                    set.leave_out.push(path);
                }
            }
            return;
        }
        if path.is_within(&set.path) {
            return add(&mut set.children, path, paths);
        }
    }
}

/// Whether `inner` lies below `tree`.
fn lies_in(inner: &Path, tree: &Path) -> bool {
    inner != tree && inner.starts_with(tree)
}

/// A path as the system resolves it; of one that does not exist, what of it exists is resolved, and the rest put behind.
fn resolved(path: &Path) -> PathBuf {
    let mut existing = path.to_owned();
    let mut rest: Vec<OsString> = Vec::new();
    loop {
        if let Ok(real) = existing.canonicalize() {
            return rest.iter().rev().fold(real, |path, name| path.join(name));
        }
        match (existing.parent(), existing.file_name()) {
            (Some(parent), Some(name)) => {
                rest.push(name.to_owned());
                existing = if parent.as_os_str().is_empty() { PathBuf::from(".") } else { parent.to_owned() };
            }
            _ => return path.to_owned(),
        }
    }
}
