//! The names that files bear while a restore writes them, so that what a killed one left behind is known again.

use std::hash::{BuildHasher, RandomState};
use std::io;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::fd::BorrowedFd;
use rustix::fs::AtFlags;

const BEFORE: &[u8] = b".dr-host-";
const AFTER: &[u8] = b".tmp";
const DIGITS: usize = 16;

static NEXT: LazyLock<AtomicU64> = LazyLock::new(|| AtomicU64::new(RandomState::new().hash_one(std::process::id())));

/// A name that nothing else bears: `.dr-host-`, 16 hexadecimal digits, `.tmp`.
pub(super) fn name() -> String {
    format!(".dr-host-{:016x}.tmp", NEXT.fetch_add(1, Ordering::Relaxed))
}

/// Whether [`name`] makes such names.
pub(super) fn is_one(leaf: &[u8]) -> bool {
    leaf.strip_prefix(BEFORE)
        .and_then(|rest| rest.strip_suffix(AFTER))
        .is_some_and(|digits| digits.len() == DIGITS && digits.iter().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f')))
}

/// Something under such a name. Gone with this value, unless it was renamed.
pub(super) struct Temporary<'a> {
    directory: BorrowedFd<'a>,
    name: Option<String>,
}

impl<'a> Temporary<'a> {
    /// Lets `make` put something under a new name in `directory`.
    pub(super) fn make(directory: BorrowedFd<'a>, make: impl FnOnce(BorrowedFd<'a>, &str) -> io::Result<()>) -> io::Result<Self> {
        let name = name();
        make(directory, &name)?;
        Ok(Self { directory, name: Some(name) })
    }

    /// Its name for now.
    pub(super) fn name(&self) -> &[u8] {
        self.name.as_deref().unwrap_or_default().as_bytes()
    }

    /// Gives it the name `leaf`, in place of whatever bears it.
    pub(super) fn rename(mut self, leaf: &[u8]) -> io::Result<()> {
        rustix::fs::renameat(self.directory, self.name(), self.directory, leaf)?;
        self.name = None;
        Ok(())
    }
}

impl Drop for Temporary<'_> {
    fn drop(&mut self) {
        if let Some(name) = &self.name {
            // If it stays, the next restore removes it.
            let _ = rustix::fs::unlinkat(self.directory, name.as_str(), AtFlags::empty());
        }
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn only_its_own_names_are_known_again() {
        let (one, other) = (super::name(), super::name());
        assert_ne!(one, other);
        assert!(super::is_one(one.as_bytes()) && super::is_one(other.as_bytes()));
        for not in [".dr-host-.tmp", ".dr-host-0123456789abcdeg.tmp", ".dr-host-notes", "x.dr-host-0123456789abcdef.tmp"] {
            assert!(!super::is_one(not.as_bytes()), "{not}");
        }
    }
}
