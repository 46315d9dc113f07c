//! What the manifest alone shows to be wrong: sets whose entries could get mixed up, names that are not where they belong.

use std::collections::BTreeSet;

use super::super::index;
use super::super::manifest::{self, Manifest};
use super::verify::Damage;

/// Everything that is wrong with the manifest.
pub(super) fn check(manifest: &Manifest) -> Vec<Damage> {
    let mut damage = Vec::new();
    let mut wrong = |why: String| damage.push(Damage::of(manifest::NAME, why));
    let mut paths = BTreeSet::new();
    for set in &manifest.sets {
        let path = &set.path;
        if !paths.insert(path) {
            wrong(format!("the set `{path}` is there twice"));
        }
        if set.prefix != format!("{path}/") && set.prefix != format!("{path}/self/") {
            wrong(format!("the prefix `{}` is none that the set `{path}` may have", set.prefix.escape_debug()));
        }
        if set.index != index::name(path) {
            wrong(format!("the index of the set `{path}` is not where it belongs"));
        }
    }
    let prefixes: BTreeSet<&str> = manifest.sets.iter().map(|set| set.prefix.as_str()).collect();
    // Sorted, a prefix of another stands somewhere before it, with only its own continuations in between.
    for (one, next) in prefixes.iter().zip(prefixes.iter().skip(1)) {
        if next.starts_with(one) {
            wrong(format!(
                "the entries of one set, below `{}`, would be those of another, below `{}`",
                next.escape_debug(),
                one.escape_debug()
            ));
        }
    }
    let mut lists = BTreeSet::new();
    for link in &manifest.links {
        if !lists.insert(&link.values) {
            wrong(format!("two links have the same list of values, `{}`", link.values.escape_debug()));
        }
    }
    damage
}
