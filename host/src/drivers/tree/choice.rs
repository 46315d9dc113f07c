//! Which entries of an archive a restore puts back: what the globs leave out and what belongs to other sets stays as it is.

use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::select::Selection;

/// The choice, for one target.
pub(super) struct Choice {
    selection: Selection,
    /// Names below the target that belong to other sets, with all that is below them.
    left_out: Vec<Vec<u8>>,
    /// Names in the target where another file system is mounted, and the set stays on its own.
    mounts: Vec<Vec<u8>>,
}

impl Choice {
    /// A choice for the target `root`, which need not exist yet.
    pub(super) fn new(root: &Path, selection: &Selection, leave_out: &[PathBuf]) -> Self {
        let root = real(root);
        let below =
            leave_out.iter().filter_map(|path| real(path).strip_prefix(&root).map(|name| name.as_os_str().as_bytes().to_vec()).ok());
        Self { selection: selection.clone(), left_out: below.filter(|name| !name.is_empty()).collect(), mounts: Vec::new() }
    }

    /// Leaves out what stands at a mounted file system's name, or below it.
    pub(super) fn leave_out_mount(&mut self, name: &[u8]) {
        if !self.mounts.iter().any(|mount| mount == name) {
            self.mounts.push(name.to_vec());
        }
    }

    /// Whether this is the name of a mounted file system: no dump of the set holds more of it than the directory.
    pub(super) fn is_mount(&self, name: &[u8]) -> bool {
        self.mounts.iter().any(|mount| mount == name)
    }

    /// Whether the entry of this name is restored.
    pub(super) fn takes(&self, name: &[u8], is_directory: bool) -> bool {
        let foreign = |other: &Vec<u8>| name.strip_prefix(&other[..]).is_some_and(|rest| rest.is_empty() || rest[0] == b'/');
        !self.left_out.iter().chain(&self.mounts).any(foreign) && self.selection.admits(name, is_directory)
    }
}

/// The path without links, as far as it exists.
fn real(path: &Path) -> PathBuf {
    match (path.canonicalize(), path.parent(), path.file_name()) {
        (Ok(real), ..) => real,
        (Err(_), Some(parent), Some(name)) => real(parent).join(name),
        (Err(_), ..) => path.to_owned(),
    }
}
