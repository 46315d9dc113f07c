//! The names that files bear while a restore writes them, so that what a killed one left behind is known again: the host's own
//! drivers use the same.

use std::fs::{self, File};
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::path::{Path, PathBuf};

/// Whether a restore gives files such names.
pub(crate) fn is_one(leaf: &str) -> bool {
    leaf.strip_prefix(".dr-host-")
        .and_then(|rest| rest.strip_suffix(".tmp"))
        .is_some_and(|digits| digits.len() == 16 && digits.bytes().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f')))
}

/// A file beside the place where it will stand. Gone with this value, unless it was put there.
pub(crate) struct Temporary {
    path: PathBuf,
    pub(crate) file: File,
    placed: bool,
}

impl Temporary {
    /// Makes one beside `place`.
    ///
    /// # Errors
    /// It cannot be made.
    pub(crate) fn beside(place: &Path) -> io::Result<Self> {
        let name = format!(".dr-host-{:016x}.tmp", RandomState::new().hash_one(place));
        let path = place.with_file_name(name);
        let file = File::create_new(&path)?;
        Ok(Self { path, file, placed: false })
    }

    /// Puts it into its place, whatever stands there.
    ///
    /// # Errors
    /// It cannot be renamed.
    pub(crate) fn put(mut self, place: &Path) -> io::Result<()> {
        fs::rename(&self.path, place)?;
        self.placed = true;
        Ok(())
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if !self.placed {
            // If it stays, the next restore removes it.
            let _ = fs::remove_file(&self.path);
        }
    }
}
