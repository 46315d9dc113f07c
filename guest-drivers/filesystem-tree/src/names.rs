//! The names of an archive's entries as a directory must hold them: which ones it can, and which it has, 16 bytes a name.

use std::hash::{BuildHasher, RandomState};

/// The longest segment of a name, in bytes: that of every file system which Linux is at home on.
const LONGEST: usize = 255;

/// Says why a directory cannot hold this name, if it cannot.
pub(crate) fn refusal(name: &str) -> Option<&'static str> {
    if name.is_empty() {
        return Some("it is empty");
    }
    if name.contains('\0') {
        return Some("it holds a NUL");
    }
    // No dump could take it again.
    if name.contains('\\') {
        return Some("it holds a backslash");
    }
    name.split('/').find_map(|segment| match segment {
        "" => Some("it has an empty segment"),
        "." | ".." => Some("a segment of it is `.` or `..`"),
        long if long.len() > LONGEST => Some("a segment of it is longer than the file system allows"),
        _ => None,
    })
}

/// A set of names, each with whether it is a directory's.
pub(crate) struct NameSet {
    hashes: [RandomState; 2],
    /// Hashes of the names, their last bit replaced by [`DIRECTORY`]; ascending once sealed.
    keys: Vec<u128>,
    last_directory: String,
}

const DIRECTORY: u128 = 1;

impl NameSet {
    pub(crate) fn new() -> Self {
        Self { hashes: [RandomState::new(), RandomState::new()], keys: Vec::new(), last_directory: String::new() }
    }

    fn key(&self, name: &str) -> u128 {
        let [high, low] = &self.hashes;
        (u128::from(high.hash_one(name)) << 64 | u128::from(low.hash_one(name))) & !DIRECTORY
    }

    /// Adds a file's name and the directories above it.
    pub(crate) fn add(&mut self, name: &str) {
        self.keys.push(self.key(name));
        let mut directory = name.rsplit_once('/').map_or("", |(directory, _)| directory);
        if directory == self.last_directory {
            return;
        }
        self.last_directory = directory.to_owned();
        while !directory.is_empty() {
            self.keys.push(self.key(directory) | DIRECTORY);
            directory = directory.rsplit_once('/').map_or("", |(above, _)| above);
        }
    }

    /// Ends the adding. Says whether a name is there twice, or as a file and as a directory.
    pub(crate) fn seal(&mut self) -> Clashes {
        self.keys.sort_unstable();
        let same = |pair: &&[u128]| pair[0] | DIRECTORY == pair[1] | DIRECTORY && pair[0] & DIRECTORY == 0;
        let clashes = self.keys.windows(2).filter(same).map(|pair| pair[0]).collect();
        self.keys.dedup();
        Clashes(clashes)
    }

    /// Whether a name is there, and is a directory's. Only once sealed.
    pub(crate) fn is_directory(&self, name: &str) -> Option<bool> {
        let key = self.key(name);
        let at = self.keys.partition_point(|other| *other < key);
        self.keys.get(at).filter(|found| **found & !DIRECTORY == key).map(|found| found & DIRECTORY != 0)
    }

    /// Whether a name is one of these clashes.
    pub(crate) fn clashes(&self, clashes: &Clashes, name: &str) -> bool {
        clashes.0.binary_search(&self.key(name)).is_ok()
    }
}

/// Names that no directory can hold beside each other.
pub(crate) struct Clashes(Vec<u128>);

impl Clashes {
    /// Whether there are none.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
