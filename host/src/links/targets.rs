//! The names of a set's entries, in 17 bytes each, and what of them a link's values name.

use sha2::{Digest, Sha256};

use super::Naming;
use crate::archive::manifest::{LinkCheck, MAX_DANGLING};
use crate::error::Result;
use crate::name::EntryName;

/// The most bytes of dangling names that are kept; what exceeds them is counted only, so that the manifest stays small.
const MAX_DANGLING_BYTES: usize = 4 << 20;

/// The longest dangling name that is kept whole, in characters.
const LONGEST_NAME: usize = 1_000;

/// The most names for which room is made at once: how many there are is said by an archive that nobody has to trust.
const MAX_RESERVED: u64 = 1 << 20;

/// The entries that a link may name.
///
/// Of each name 128 bits of its SHA-256 are kept, sorted. That a value which dangles is taken for one of the entries has, with
/// a million values and a million entries, odds of 1 in 10²⁶.
pub struct Targets {
    hashes: Vec<u128>,
    /// Whether a value named the entry, by position in `hashes`.
    named: Vec<bool>,
}

impl Targets {
    /// Takes the names of all entries that are no directories; about `expected` many.
    ///
    /// # Errors
    /// Those of `names`.
    pub fn collect(expected: u64, names: impl IntoIterator<Item = Result<EntryName>>) -> Result<Self> {
        let mut hashes = Vec::with_capacity(usize::try_from(expected.min(MAX_RESERVED)).unwrap_or_default());
        for name in names {
            hashes.push(hash(name?.as_bytes()));
        }
        hashes.sort_unstable();
        hashes.dedup();
        Ok(Self { named: vec![false; hashes.len()], hashes })
    }

    /// Compares a link's distinct values with the entries.
    ///
    /// # Errors
    /// Those of `values`.
    pub fn check(&mut self, naming: Naming<'_>, values: impl IntoIterator<Item = Result<String>>) -> Result<LinkCheck> {
        self.named.fill(false);
        let mut check = LinkCheck::default();
        let mut room = MAX_DANGLING_BYTES;
        for value in values {
            let Some(name) = naming.entry(&value?) else { continue };
            check.checked += 1;
            match self.hashes.binary_search(&hash(name.as_bytes())) {
                Ok(entry) => self.named[entry] = true,
                Err(_) => {
                    check.dangling += 1;
                    let name = shortened(name);
                    if check.dangling_names.len() < MAX_DANGLING && name.len() <= room {
                        room -= name.len();
                        check.dangling_names.push(name);
                    }
                }
            }
        }
        check.orphaned = self.named.iter().filter(|named| !**named).count() as u64;
        Ok(check)
    }
}

/// The name, or its beginning and its length where it is longer than [`LONGEST_NAME`].
fn shortened(name: String) -> String {
    match name.char_indices().nth(LONGEST_NAME) {
        Some((end, _)) => format!("{}… ({} bytes)", &name[..end], name.len()),
        None => name,
    }
}

fn hash(name: &[u8]) -> u128 {
    let digest: [u8; 32] = Sha256::digest(name).into();
    digest[..16].iter().fold(0, |hash, byte| hash << 8 | u128::from(*byte))
}
