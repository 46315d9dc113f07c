//! `--only` and `--skip`: which sets of a tree or of an archive are meant.

use std::collections::BTreeMap;

use crate::config::{Problem, nearest};
use crate::name::SetPath;

/// The set paths that the user chose. Each stands for its whole subtree; what is skipped is skipped, whatever is chosen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// `--only`: these and nothing else; empty means all. `SET:ITEM` is one item of a set, for a restore alone.
    pub only: Vec<String>,
    /// `--skip`: not these.
    pub skip: Vec<String>,
}

impl Selection {
    /// Whether a set is meant.
    pub fn keeps(&self, set: &SetPath) -> bool {
        let is_within = |chosen: &String| within(set.as_str(), chosen.trim_end_matches('/'));
        (self.only.is_empty() || self.only.iter().any(is_within)) && !self.skip.iter().any(is_within)
    }

    /// The same without the items: the sets that they are in, as a whole.
    pub(super) fn whole_sets(&self) -> Self {
        Self { only: self.only.iter().map(|chosen| split(chosen).0.to_owned()).collect(), skip: self.skip.clone() }
    }

    /// The items that are chosen: the set's path, and its items.
    pub(super) fn items(&self) -> BTreeMap<&str, Vec<&str>> {
        let mut items: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for (set, item) in self.only.iter().filter_map(|chosen| chosen.split_once(':')) {
            items.entry(set).or_default().push(item);
        }
        items
    }

    /// One problem for each path that is no set of `known` and encloses none.
    pub(super) fn check(&self, known: &[&SetPath]) -> Vec<Problem> {
        let mut problems = Vec::new();
        for (option, paths) in [("--only", &self.only), ("--skip", &self.skip)] {
            for path in paths {
                if let (set, Some(_)) = split(path) {
                    let problem = Problem::new(format!("`{option} {}`: here a set is taken as a whole", path.escape_debug()));
                    problems.push(
                        problem.hint(format!("write `{option} {}`; only a restore can take single items of a set", set.escape_debug())),
                    );
                    continue;
                }
                let chosen = path.trim_end_matches('/');
                if known.iter().any(|set| within(set.as_str(), chosen)) {
                    continue;
                }
                // Sets of the configuration and of an archive are mostly the same.
                let mut names: Vec<&str> = Vec::new();
                known.iter().map(|set| set.as_str()).for_each(|name| {
                    if !names.contains(&name) {
                        names.push(name)
                    }
                });
                let hint = match nearest(chosen, names.iter().copied()) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None if known.is_empty() => "there are no sets at all".into(),
                    None => format!("there are {}", crate::config::list(names)),
                };
                problems.push(Problem::new(format!("`{option} {}`: there is no such set", path.escape_debug())).hint(hint));
            }
        }
        problems
    }
}

/// What stands before the `:`, and what after it, if there is one.
fn split(chosen: &str) -> (&str, Option<&str>) {
    chosen.split_once(':').map_or((chosen, None), |(set, item)| (set, Some(item)))
}

/// Whether the path `set` is `of` or lies below it.
fn within(set: &str, of: &str) -> bool {
    set.strip_prefix(of).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}
