//! `--only` and `--skip`: which sets of a tree or of an archive are meant.

use crate::config::{Problem, nearest};
use crate::name::SetPath;

/// The set paths that the user chose. Each stands for its whole subtree; what is skipped is skipped, whatever is chosen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// `--only`: these and nothing else; empty means all.
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

    /// One problem for each path that is no set of `known` and encloses none.
    pub(super) fn check(&self, known: &[&SetPath]) -> Vec<Problem> {
        let mut problems = Vec::new();
        for (option, paths) in [("--only", &self.only), ("--skip", &self.skip)] {
            for path in paths {
                let chosen = path.trim_end_matches('/');
                if known.iter().any(|set| within(set.as_str(), chosen)) {
                    continue;
                }
                let hint = match nearest(chosen, known.iter().map(|set| set.as_str())) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None if known.is_empty() => "there are no sets at all".into(),
                    None => format!("there are {}", crate::config::list(known.iter().map(|set| set.as_str()))),
                };
                problems.push(Problem::new(format!("`{option} {}`: there is no such set", path.escape_debug())).hint(hint));
            }
        }
        problems
    }
}

/// Whether the path `set` is `of` or lies below it.
fn within(set: &str, of: &str) -> bool {
    set.strip_prefix(of).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}
