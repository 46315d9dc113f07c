//! The names of an archive's entries as a directory must hold them: which ones it can, and which it has, flat in memory.

use sha2::{Digest, Sha256};

use super::View;
use super::attributes::WantedSort;

/// Says why a directory cannot hold this name, if it cannot. `longest` is what the file system takes for one segment, in bytes.
pub(super) fn refusal(view: View, name: &[u8], sort: &WantedSort, longest: u64) -> Option<&'static str> {
    if name.is_empty() {
        return (view == View::Objects || *sort != WantedSort::Directory).then_some("it is empty");
    }
    if name.contains(&0) {
        return Some("it holds a NUL");
    }
    if name.starts_with(b"/") {
        return Some("it begins with `/`");
    }
    name.split(|&byte| byte == b'/').find_map(|segment| match segment {
        b"" => Some("it has an empty segment"),
        b"." | b".." => Some("a segment of it is `.` or `..`"),
        long if long.len() as u64 > longest => Some("a segment of it is longer than the file system allows"),
        _ => None,
    })
}

/// A set of names, each with whether it is a directory's: 16 bytes a name.
#[derive(Default)]
pub(super) struct NameSet {
    /// The first bits of the names' SHA-256, the last of them replaced by [`DIRECTORY`]; ascending once sealed.
    keys: Vec<u128>,
    /// The directory that was added last.
    last: Vec<u8>,
}

const DIRECTORY: u128 = 1;

fn key(name: &[u8]) -> u128 {
    let hash: [u8; 32] = Sha256::digest(name).into();
    let mut first = [0; 16];
    first.copy_from_slice(&hash[..16]);
    u128::from_be_bytes(first) & !DIRECTORY
}

impl NameSet {
    /// Adds a name alone.
    pub(super) fn add(&mut self, name: &[u8], is_directory: bool) {
        self.keys.push(key(name) | u128::from(is_directory));
    }

    /// Adds a name and the directories above it.
    pub(super) fn add_with_directories(&mut self, name: &[u8], is_directory: bool) {
        self.add(name, is_directory);
        let mut directory = super::descent::split(name).0;
        let last = std::mem::replace(&mut self.last, directory.to_vec());
        // What stands in the same directory as the last name, or above it, is there already.
        let known = |directory: &[u8]| last.strip_prefix(directory).is_some_and(|rest| rest.is_empty() || rest[0] == b'/');
        while !directory.is_empty() && !known(directory) {
            self.add(directory, true);
            directory = super::descent::split(directory).0;
        }
    }

    /// Ends the adding. Says which names were added as a directory and as something else, or twice as something else.
    pub(super) fn seal(&mut self) -> Clashes {
        self.keys.sort_unstable();
        let mut clashes: Vec<u128> = Vec::new();
        for pair in self.keys.windows(2) {
            let same = pair[0] | DIRECTORY == pair[1] | DIRECTORY;
            if same && pair[0] & DIRECTORY == 0 && clashes.last() != Some(&pair[0]) {
                clashes.push(pair[0]);
            }
        }
        self.keys.dedup();
        self.keys.shrink_to_fit();
        Clashes(clashes)
    }

    /// Whether a name is there, and is a directory's. Only once sealed.
    pub(super) fn is_directory(&self, name: &[u8]) -> Option<bool> {
        let key = key(name);
        let at = self.keys.partition_point(|other| *other < key);
        self.keys.get(at).filter(|found| **found & !DIRECTORY == key).map(|found| found & DIRECTORY != 0)
    }

    /// Whether a name of `others` is here. Only once sealed.
    pub(super) fn meets(&self, others: &Self) -> bool {
        others.keys.iter().any(|other| self.keys.binary_search(other).is_ok())
    }

    /// Whether every name of `others` is here, and not as a directory's. Only once sealed.
    pub(super) fn has_files(&self, others: &Self) -> bool {
        others.keys.iter().all(|other| self.keys.binary_search(other).is_ok())
    }
}

/// Names that no directory can hold beside each other, or as they are.
pub(super) struct Clashes(Vec<u128>);

impl Clashes {
    /// Whether there are none.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether this is one of them.
    pub(super) fn has(&self, name: &[u8]) -> bool {
        self.0.binary_search(&key(name)).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::{NameSet, refusal};
    use crate::drivers::tree::View;
    use crate::drivers::tree::attributes::WantedSort;

    #[test]
    fn names_that_leave_or_cannot_be_held_are_refused_with_the_reason() {
        let refused: [&[u8]; 9] = [b"", b"/etc/passwd", b"../a", b"a/..", b"a//b", b"a/", b".", b"a\0b", &[b'x'; 256]];
        for name in refused {
            assert!(refusal(View::Files, name, &WantedSort::File, 255).is_some(), "{}", name.escape_ascii());
        }
        let held: [&[u8]; 6] = [b".hidden", b"a b", b"x#12", b"..a", b"C:\\x", b"\xff"];
        for name in held {
            assert_eq!(refusal(View::Objects, name, &WantedSort::File, 255), None, "{}", name.escape_ascii());
        }
        assert_eq!(refusal(View::Files, b"", &WantedSort::Directory, 255), None, "a tree's own root");
    }

    #[test]
    fn a_name_beside_one_below_it_clashes() {
        let mut names = NameSet::default();
        for name in ["a", "b/c", "a/b", "a/c", "d/e/f", "d/e2"] {
            names.add_with_directories(name.as_bytes(), false);
        }
        names.add_with_directories(b"d", true);
        let clashes = names.seal();
        assert!(clashes.has(b"a") && !clashes.has(b"b") && !clashes.has(b"d") && !clashes.has(b"d/e"));
        assert_eq!(names.is_directory(b"d/e"), Some(true));
        assert_eq!(names.is_directory(b"d/e2"), Some(false));
        assert_eq!(names.is_directory(b"d/x"), None);
    }

    #[test]
    fn a_file_that_is_there_twice_clashes_and_a_directory_does_not() {
        let mut names = NameSet::default();
        for (name, is_directory) in [("a", false), ("a", false), ("d", true), ("d", true)] {
            names.add_with_directories(name.as_bytes(), is_directory);
        }
        let clashes = names.seal();
        assert!(clashes.has(b"a") && !clashes.has(b"d"));
    }
}
