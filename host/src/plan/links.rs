//! Links: what the drivers at their ends can do, and the order that keeps restored rows from dangling.
//!
//! Points in time are taken one after another in the order of the tree (children in the order of the file, each before its
//! parent), also within a parallel group, whose children are then *copied* side by side. So "runs before" means: takes its
//! point in time before. A row that is inserted after the rows were fixed is not in the archive; a file that is stored after
//! the files were fixed is not either. Only if the rows come first is every file that they name already there.

use super::{Planning, arm};
use crate::config::{LinkConfig, Problem};
use crate::drivers::LinkColumn;
use crate::engine::Link;
use crate::name::SetPath;

/// The links whose two ends both run.
pub(super) fn resolve(planning: &mut Planning<'_>) -> Vec<Link> {
    let config = planning.config;
    let order: Vec<SetPath> = arm::in_order(&planning.sets).into_iter().map(|set| set.path.clone()).collect();
    let mut links = Vec::new();
    for link in &config.links {
        check_ends(planning, link);
        check_order(planning, link, &order);
        match [&link.from, &link.to].into_iter().find(|end| !planning.selection.keeps(end)) {
            Some(end) => left_out(planning, link, end),
            None => links.push(Link {
                from: link.from.clone(),
                column: column(link),
                to: link.to.clone(),
                strip_prefix: link.strip_prefix.clone(),
                prefix: link.prefix.clone(),
            }),
        }
    }
    links
}

/// Says what follows when one end of a link is left out.
fn left_out(planning: &mut Planning<'_>, link: &LinkConfig, end: &SetPath) {
    let (from, to) = (start(link), &link.to);
    planning.warn(
        None,
        if planning.restores {
            format!("{from} names entries of `{to}`, and `{end}` is left out: rows and entries may no longer fit together")
        } else {
            format!("the link from {from} to `{to}` is not checked: `{end}` is left out")
        },
    );
}

/// Refuses a link whose target takes its point in time before the set that refers to it.
fn check_order(planning: &mut Planning<'_>, link: &LinkConfig, order: &[SetPath]) {
    let position = |path: &SetPath| order.iter().position(|set| set == path);
    let (Some(from), Some(to)) = (position(&link.from), position(&link.to)) else { return };
    if to >= from {
        return;
    }
    let why =
        format!("`{}` runs before `{}`, which refers to it: what is stored in between would dangle after a restore", link.to, link.from);
    if link.unsafe_order {
        planning.warn(Some(&link.to), format!("{why}; `unsafe_order` allows it"));
        return;
    }
    let hint = format!("write `{}` above `{}`, or set `unsafe_order = true` in the link", link.from, link.to);
    planning.problems.push(Problem::new(why).hint(hint).at(planning.config.source.place(&link.to_at)));
}

/// Refuses a link from a set without columns, and one to a set without names.
fn check_ends(planning: &mut Planning<'_>, link: &LinkConfig) {
    let sets = arm::in_order(&planning.sets);
    let description = |path: &SetPath| sets.iter().find(|set| set.path == *path).and_then(|set| Some(&set.armed.as_ref()?.description));
    let mut problems = Vec::new();
    if let Some(from) = description(&link.from).filter(|description| !description.has_columns) {
        let message = format!("no link can start at `{}`: driver `{}` has no columns", link.from, from.name);
        problems.push((message, "name a database", &link.from_at));
    }
    if let Some(to) = description(&link.to).filter(|description| !description.has_names) {
        let message = format!("no link can end at `{}`: rows cannot name the entries of driver `{}`", link.to, to.name);
        problems.push((message, "name a set of files", &link.to_at));
    }
    for (message, hint, at) in problems {
        planning.problems.push(Problem::new(message).hint(hint).at(planning.config.source.place(at)));
    }
}

/// The column of a link, as a driver takes it.
fn column(link: &LinkConfig) -> LinkColumn {
    LinkColumn {
        table: link.table.clone(),
        column: link.column.clone(),
        json_path: link.json_path.clone(),
        condition: link.condition.clone(),
    }
}

/// The column of a link, for people.
fn start(link: &LinkConfig) -> String {
    format!("`{}` `{}.{}`", link.from, link.table, link.column)
}
