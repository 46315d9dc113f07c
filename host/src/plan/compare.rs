//! An archive and a configuration: whether they belong together, and which sets of an archive are meant.

use super::{Planning, Selection, arm};
use crate::archive::Manifest;
use crate::archive::manifest::SetRecord;
use crate::config::{Problem, Problems, nearest};
use crate::drivers::SHA256;
use crate::name::SetPath;

/// The sets of an archive that `--only` and `--skip` leave, in the archive's order: for commands that need no configuration.
///
/// # Errors
/// A path that names no set of the archive; nothing is left.
pub fn records<'m>(manifest: &'m Manifest, selection: &Selection) -> Result<Vec<&'m SetRecord>, Problems> {
    let known: Vec<&SetPath> = manifest.sets.iter().map(|record| &record.path).collect();
    Problems::check(selection.check(&known))?;
    let kept: Vec<&SetRecord> = manifest.sets.iter().filter(|record| selection.keeps(&record.path)).collect();
    if kept.is_empty() && !manifest.sets.is_empty() {
        return Err(Problem::new("`--only` and `--skip` leave no set of the archive").into());
    }
    Ok(kept)
}

/// Finds the sets that only one of the two has, and those whose entries the configured driver does not read.
pub(super) fn archive_and_configuration(planning: &mut Planning<'_>, manifest: &Manifest) {
    let configured: Vec<SetPath> = arm::in_order(&planning.sets).into_iter().filter(|set| set.kept).map(|set| set.path.clone()).collect();
    for record in manifest.sets.iter().filter(|record| planning.selection.keeps(&record.path)) {
        if configured.contains(&record.path) {
            readable(planning, record);
        } else {
            let path = &record.path;
            let skip = format!("add it to the configuration, or leave it out with `--skip {path}`");
            let hint = match nearest(path.as_str(), configured.iter().map(SetPath::as_str)) {
                Some(near) if !manifest.sets.iter().any(|record| record.path.as_str() == near) => format!("{skip}; is it `{near}` there?"),
                _ => skip,
            };
            planning.problems.push(Problem::new(format!("the archive has a set `{path}`, the configuration has not")).hint(hint));
        }
    }
    for path in configured.iter().filter(|path| !manifest.sets.iter().any(|record| record.path == **path)) {
        let why = if manifest.left_out.contains(path) { ": it was left out of the dump" } else { "" };
        let problem = Problem::new(format!("the configuration has a set `{path}`, the archive has not{why}"));
        planning.problems.push(problem.hint(format!("leave it out with `--skip {path}`")));
    }
}

/// Checks that the configured driver reads what the archived one wrote; says where they are not the same.
fn readable(planning: &mut Planning<'_>, record: &SetRecord) {
    let sets = arm::in_order(&planning.sets);
    let Some(armed) = sets.iter().find(|set| set.path == record.path).and_then(|set| set.armed.as_ref()) else { return };
    let description = armed.description.clone();
    let path = &record.path;
    if !description.formats.contains(&record.format) {
        let message = format!(
            "`{path}` holds entries of the format `{}`, which driver `{}` {} does not read",
            record.format, description.name, description.version
        );
        let hint = if description.name == record.driver {
            format!("restore it with the dr-host that has `{}` {}, or a later one", record.driver, record.driver_version)
        } else {
            format!("configure driver `{}`, which wrote it, or leave it out with `--skip {path}`", record.driver)
        };
        planning.problems.push(Problem::new(message).hint(hint));
    } else if description.name != record.driver {
        planning.warn(Some(path), format!("driver `{}` wrote it, driver `{}` restores it", record.driver, description.name));
    } else if description.version != record.driver_version {
        planning.warn(
            Some(path),
            format!("version {} of its driver wrote it, version {} restores it", record.driver_version, description.version),
        );
    } else if let (Some(wrote), Some(restores)) = (record.driver_details.get(SHA256), description.details.get(SHA256))
        && wrote != restores
    {
        let message = format!("another build of driver `{}` {} wrote it: its SHA-256 was `{wrote}`", record.driver, record.driver_version);
        planning.warn(Some(path), message);
    }
}
