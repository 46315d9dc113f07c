//! `--only SET:ITEM`: a restore that is limited to single items of a set, where its driver can do that.

use std::collections::BTreeMap;

use super::{Planning, Selection, arm};
use crate::config::Problem;
use crate::name::SetPath;

/// The chosen items by set; what cannot be chosen is a problem of the plan.
pub(super) fn resolve(planning: &mut Planning<'_>, selection: &Selection) -> BTreeMap<SetPath, Vec<String>> {
    let mut resolved = BTreeMap::new();
    for (path, items) in selection.items() {
        match examine(planning, selection, path, &items) {
            Ok(Some(set)) => drop(resolved.insert(set, items.into_iter().map(str::to_owned).collect())),
            Ok(None) => {}
            Err(problem) => planning.problems.push(*problem),
        }
    }
    resolved
}

/// The set in which the items are; none where the lack of it is told elsewhere.
fn examine(planning: &Planning<'_>, selection: &Selection, path: &str, items: &[&str]) -> Result<Option<SetPath>, Box<Problem>> {
    let option = |item: &str| format!("`--only {}:{}`", path.escape_debug(), item.escape_debug());
    if items.contains(&"") {
        return Err(Box::new(Problem::new(format!("{}: the item has no name", option("")))));
    }
    if selection.only.iter().any(|chosen| chosen == path) {
        let problem = Problem::new(format!("`--only {path}` takes the whole set, {} an item of it", option(items[0])));
        return Err(Box::new(problem.hint("keep one of them")));
    }
    let sets = arm::in_order(&planning.sets);
    let Some(set) = sets.iter().find(|set| set.path.as_str() == path && set.kept) else {
        let is_group = sets.iter().any(|set| set.path.as_str().starts_with(&format!("{path}/")));
        let problem = Problem::new(format!("{}: `{path}` is a group of sets and has no items of its own", option(items[0])));
        return if is_group { Err(Box::new(problem.hint("name the set that has the item"))) } else { Ok(None) };
    };
    let Some(armed) = &set.armed else { return Ok(None) };
    match armed.driver.items() {
        Some(_) => Ok(Some(set.path.clone())),
        None => {
            let why = format!("{}: driver `{}` restores a set as a whole only", option(items[0]), armed.description.name);
            Err(Box::new(Problem::new(why).hint(format!("write `--only {path}`"))))
        }
    }
}
