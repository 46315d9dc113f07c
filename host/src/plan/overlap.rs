//! What lies inside what: sets inside other sets, the archive inside a set, two sets on one target.
//!
//! Paths are compared as the system resolves them, so that a symbolic link hides nothing; URLs of objects as they are, segment by
//! segment.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::arm::ArmedSet;
use super::{Planning, Warning, arm};
use crate::config::{Problem, SetConfig};
use crate::drivers::Occupied;
use crate::name::SetPath;

/// A path or URL that a set occupies.
struct Claim {
    set: SetPath,
    kept: bool,
    is_tree: bool,
    /// Whether its driver can leave out what lies inside it.
    leaves_out: bool,
    /// As the driver says it.
    given: PathBuf,
    /// As the system resolves it.
    real: PathBuf,
}

/// Finds what lies inside what: problems, warnings, and what each set leaves out. `archive` are the paths of the archive.
pub(super) fn resolve(planning: &mut Planning<'_>, archive: &[PathBuf]) {
    let claims: Vec<Claim> = arm::in_order(&planning.sets).into_iter().flat_map(claims).collect();
    same_target(planning, &claims);
    same_url(planning);
    let mut leave_out = Vec::new();
    for tree in claims.iter().filter(|claim| claim.is_tree) {
        for inner in claims.iter().filter(|inner| inner.set != tree.set && lies_in(&inner.real, &tree.real)) {
            leave_out.push((tree.set.clone(), spellings(tree, &inner.real)));
        }
    }
    planning.warnings.extend(inside_each_other(&claims));
    unknown_places(planning, &claims);
    leave_out.extend(archive_inside(planning, &claims, archive));
    for (set, paths) in leave_out {
        add(&mut planning.sets, &set, paths);
    }
}

fn claims(set: &ArmedSet) -> Vec<Claim> {
    let occupies = set.armed.iter().flat_map(|armed| &armed.survey.occupies);
    occupies
        .map(|occupied| {
            let (is_tree, given, real) = match occupied {
                Occupied::File(path) => (false, path.clone(), resolved(path)),
                Occupied::Tree(path) | Occupied::Whole(path) => (true, path.clone(), resolved(path)),
                Occupied::Objects(url) => (true, url.into(), url.into()),
            };
            let leaves_out = !matches!(occupied, Occupied::Whole(_));
            Claim { set: set.path.clone(), kept: set.kept, is_tree, leaves_out, given, real }
        })
        .collect()
}

/// Refuses two sets on one target: whichever is restored last would undo the other.
fn same_target(planning: &mut Planning<'_>, claims: &[Claim]) {
    let mut said: Vec<(&SetPath, &SetPath)> = Vec::new();
    for (number, second) in claims.iter().enumerate() {
        let clashes = |first: &&Claim| first.set != second.set && first.real == second.real && first.kept && second.kept;
        for first in claims[..number].iter().filter(clashes) {
            if said.contains(&(&first.set, &second.set)) {
                continue;
            }
            said.push((&first.set, &second.set));
            let place = second.given.display();
            let message = format!("`{}` and `{}` both stand at `{place}`: a restore of one would undo the other", first.set, second.set);
            let hint = "let them point to different places, or leave one out with `--skip`";
            planning.problems.push(at_set(planning, &second.set, message).hint(hint));
        }
    }
}

/// Warns of two sets that point to the same URL: whether a restore of one undoes the other, only their drivers know.
fn same_url(planning: &mut Planning<'_>) {
    let sets = arm::in_order(&planning.sets);
    let targets: Vec<(SetPath, String)> = sets
        .into_iter()
        .filter(|set| set.kept)
        .filter_map(|set| Some((set.path.clone(), set.armed.as_ref()?.survey.target.clone())))
        .filter(|(_, target)| target.contains("://"))
        .collect();
    for (number, (second, target)) in targets.iter().enumerate() {
        if let Some((first, _)) = targets[..number].iter().find(|(_, other)| other == target) {
            planning.warn(Some(second), format!("it points to `{target}`, as `{first}` does: a restore of one may undo the other"));
        }
    }
}

/// One warning for each set that lies inside another, naming the innermost.
fn inside_each_other(claims: &[Claim]) -> Vec<Warning> {
    let mut said: Vec<(&SetPath, &SetPath)> = Vec::new();
    let mut warnings = Vec::new();
    for inner in claims {
        let encloses = |tree: &&Claim| tree.is_tree && tree.kept && tree.set != inner.set && lies_in(&inner.real, &tree.real);
        let innermost = claims.iter().filter(encloses).max_by_key(|tree| tree.real.as_os_str().len());
        if let Some(tree) = innermost.filter(|tree| !said.contains(&(&tree.set, &inner.set))) {
            said.push((&tree.set, &inner.set));
            let becomes = if tree.leaves_out { "is left out here" } else { "its driver cannot leave that out" };
            let message = format!("`{}` lies inside it, and {becomes}: `{}`", inner.set, inner.given.display());
            warnings.push(Warning { set: Some(tree.set.clone()), message });
        }
    }
    warnings
}

/// Says which sets are left out, and may lie inside one that is not, where their settings are incomplete.
fn unknown_places(planning: &mut Planning<'_>, claims: &[Claim]) {
    if !claims.iter().any(|claim| claim.is_tree && claim.kept) {
        return;
    }
    let is_unknown = |set: &&SetConfig| !set.settings.is_complete() && !planning.selection.keeps(&set.path);
    let unknown: Vec<&SetPath> = planning.config.all_sets().into_iter().filter(is_unknown).map(|set| &set.path).collect();
    for set in unknown {
        let lacks = planning.config.problems.iter().find(|problem| problem.unset_for.as_ref() == Some(set));
        let why = lacks.map_or_else(String::new, |problem| format!(" ({})", problem.message));
        let message = format!("`{set}` is skipped and lacks a setting{why}, so nobody knows whether it lies inside another set");
        planning.warn(None, message);
    }
}

/// The sets inside which the archive lies, with what they leave out; refuses an archive that *is* what a set stands for.
fn archive_inside(planning: &mut Planning<'_>, claims: &[Claim], archive: &[PathBuf]) -> Vec<(SetPath, Vec<PathBuf>)> {
    let places: Vec<(&PathBuf, PathBuf)> = archive.iter().flat_map(|path| [(path, resolved(path)), (path, in_directory(path))]).collect();
    let mut leave_out: Vec<(SetPath, Vec<PathBuf>)> = Vec::new();
    for claim in claims.iter().filter(|claim| claim.kept) {
        if let Some((path, _)) = places.iter().find(|(_, real)| *real == claim.real) {
            let message = format!("the archive `{}` is what `{}` stands for", path.display(), claim.set);
            planning.problems.push(Problem::new(message).hint("name another file for the archive"));
        }
        let inside: Vec<_> = places.iter().filter(|(_, real)| claim.is_tree && lies_in(real, &claim.real)).collect();
        if let Some((path, _)) = inside.first() {
            let becomes = if claim.leaves_out { "is left out" } else { CANNOT };
            planning.warn(Some(&claim.set), format!("the archive lies inside it, and {becomes}: `{}`", path.display()));
            leave_out.push((claim.set.clone(), inside.iter().flat_map(|(_, real)| spellings(claim, real)).collect()));
        }
    }
    archive_read(planning, &places);
    leave_out
}

/// What is said of an archive that is dumped into itself, or into the next one.
const CANNOT: &str = "its driver cannot leave that out";

/// Warns of an archive that lies inside what a set reads as a whole: an older one under its name becomes part of it.
fn archive_read(planning: &mut Planning<'_>, places: &[(&PathBuf, PathBuf)]) {
    let mut warnings = Vec::new();
    for set in arm::in_order(&planning.sets).into_iter().filter(|set| set.kept) {
        let reads: Vec<PathBuf> = set.armed.iter().flat_map(|armed| &armed.survey.reads).map(|path| resolved(path)).collect();
        if let Some((path, _)) = places.iter().find(|(_, real)| reads.iter().any(|tree| lies_in(real, tree))) {
            let message = format!("the archive lies inside what it may read, and {CANNOT}: `{}`", path.display());
            warnings.push(Warning { set: Some(set.path.clone()), message });
        }
    }
    planning.warnings.extend(warnings);
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

/// The directory of a path as the system resolves it, with the path's own name: what a directory's walk meets.
fn in_directory(path: &Path) -> PathBuf {
    match (path.parent(), path.file_name()) {
        (Some(parent), Some(name)) if !parent.as_os_str().is_empty() => resolved(parent).join(name),
        (Some(_), Some(name)) => resolved(Path::new(".")).join(name),
        _ => resolved(path),
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
