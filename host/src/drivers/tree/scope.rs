//! What a walk through a set's directory takes, and what it passes by.

use std::collections::HashMap;
use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use rustix::fd::AsFd;

use super::descent::Links;
use super::select::Selection;
use super::stat::{Id, Meta};

/// The limits of one walk.
pub(super) struct Scope {
    pub(super) links: Links,
    pub(super) selection: Selection,
    pub(super) left_out: LeftOut,
    pub(super) one_file_system: bool,
}

impl Scope {
    /// The file system that a set stays on: that of its root; none where it goes into others too.
    pub(super) fn device(&self, root: impl AsFd) -> Option<u64> {
        if self.one_file_system { Meta::of(root).ok().map(|meta| meta.stamp.id.device) } else { None }
    }
}

/// Why a walk passes something by that stands in the directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Passed {
    /// It is the archive itself, or belongs to another set.
    LeftOut,
    /// A restore that was killed left it behind.
    Leftover,
    /// Another file system is mounted there, and the set stays on its own.
    OtherFileSystem,
    Socket,
    Pipe,
    Device,
    /// A link that leads nowhere, where links are followed.
    DanglingLink,
    /// A link that leads back into a directory above it, where links are followed.
    Loop,
    /// A link that leads out of the target, where links may only stay within it.
    Outside,
}

/// Things that a walk leaves out wherever it meets them, found by the directory that they stand in: aliases of a path (links,
/// bind mounts) hide nothing.
#[derive(Default)]
pub(super) struct LeftOut(HashMap<Id, Vec<OsString>>);

impl LeftOut {
    /// Looks the absolute paths up. One whose directory does not exist is met by no walk.
    pub(super) fn new(paths: &[PathBuf]) -> Self {
        let mut left_out: HashMap<Id, Vec<OsString>> = HashMap::new();
        for path in paths {
            let (Some(directory), Some(name)) = (path.parent(), path.file_name()) else { continue };
            if let Ok(stat) = rustix::fs::stat(directory) {
                left_out.entry(Meta::from(stat).stamp.id).or_default().push(name.to_owned());
            }
        }
        Self(left_out)
    }

    /// Whether `leaf` in this directory is left out.
    pub(super) fn holds(&self, directory: Id, leaf: &[u8]) -> bool {
        self.0.get(&directory).is_some_and(|names| names.iter().any(|name| name.as_bytes() == leaf))
    }
}
