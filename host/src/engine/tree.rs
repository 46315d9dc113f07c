//! What the engine runs: the sets in their order, each with its driver armed, and the links between them.

use std::path::PathBuf;

use crate::drivers::{Driver, LinkColumn};
use crate::name::SetPath;

/// The sets of one run.
#[derive(Default)]
pub struct Tree {
    /// The roots, in the order in which the user wrote them.
    pub sets: Vec<Set>,
    /// The links between the sets of this tree.
    pub links: Vec<Link>,
    /// Sets of the configuration that `--only` or `--skip` left out.
    pub left_out: Vec<SetPath>,
}

/// One node of the tree.
pub struct Set {
    /// Where it stands.
    pub path: SetPath,
    /// Whether its children run side by side.
    pub parallel: bool,
    /// What dumps and restores its own entries; a mere group has none.
    pub driver: Option<Box<dyn Driver>>,
    /// Absolute paths, or URLs of objects, that its walk leaves out.
    pub leave_out: Vec<PathBuf>,
    /// Its children, in order; each runs before this set's own driver.
    pub children: Vec<Set>,
}

/// A declared reference: the values of this column name entries of that set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// The set whose column refers.
    pub from: SetPath,
    /// The column.
    pub column: LinkColumn,
    /// The set whose entries are referred to.
    pub to: SetPath,
    /// What is taken from the front of each value that begins with it.
    pub strip_prefix: String,
    /// What is then put before each value to make the name of an entry.
    pub prefix: String,
}

impl Tree {
    /// Every set that has a driver, in the order of a dump: children in their order, each before its parent.
    pub fn in_order(&self) -> Vec<&Set> {
        fn walk<'a>(sets: &'a [Set], into: &mut Vec<&'a Set>) {
            for set in sets {
                walk(&set.children, into);
                if set.driver.is_some() {
                    into.push(set);
                }
            }
        }
        let mut order = Vec::new();
        walk(&self.sets, &mut order);
        order
    }
}
