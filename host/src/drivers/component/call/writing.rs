//! One entry on its way from a guest into the archive.

use crate::archive::EntryWriter;
use crate::drivers::component::limits::CHUNK;
use crate::error::{Error, ErrorKind, Result};

/// The longest name of an entry, in bytes.
const NAME: usize = 16 << 10;

/// The most bytes in the attributes of one entry.
const ATTRIBUTES: usize = 64 << 10;

/// An entry that is open.
pub(in crate::drivers::component) struct EntryWriting {
    pub(in crate::drivers::component) name: String,
    pub(in crate::drivers::component) writer: Box<dyn EntryWriter>,
}

/// Checks a chunk's size.
pub(in crate::drivers::component) fn check_chunk(size: usize) -> Result<()> {
    if size <= CHUNK {
        return Ok(());
    }
    Err(Error::new(ErrorKind::Other, format!("a chunk holds at most {CHUNK} bytes; this one has {size}")))
}

/// Checks the size of an entry's attributes; that none is given twice is the archive's to check.
pub(in crate::drivers::component) fn check_attributes(attributes: &[(String, String)]) -> Result<()> {
    let size = attributes_size(attributes);
    if size <= ATTRIBUTES {
        return Ok(());
    }
    Err(Error::new(ErrorKind::Other, format!("the attributes of one entry have at most {ATTRIBUTES} bytes; these have {size}")))
}

/// The bytes of all keys and values.
pub(in crate::drivers::component) fn attributes_size(attributes: &[(String, String)]) -> usize {
    attributes.iter().map(|(key, value)| key.len() + value.len()).sum()
}

/// Checks a name by the rules of the contract.
pub(in crate::drivers::component) fn check_name(name: &str) -> Result<()> {
    let wrong = if name.is_empty() {
        "is empty".to_owned()
    } else if name.len() > NAME {
        format!("has {} bytes; {NAME} are the most", name.len())
    } else if name.starts_with('/') {
        "is absolute".into()
    } else if name.contains('\0') {
        "holds a NUL".into()
    } else if name.contains('\\') {
        "holds a backslash".into()
    } else if name.split('/').any(|segment| segment == "." || segment == "..") {
        "has a segment `.` or `..`".into()
    } else {
        return Ok(());
    };
    let begin: String = name.chars().take(100).flat_map(char::escape_debug).collect();
    let more = if name.chars().nth(100).is_some() { "…" } else { "" };
    Err(Error::new(ErrorKind::Other, format!("the driver's name for an entry, `{begin}{more}`, {wrong}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_the_contract_pass_and_others_are_refused_in_words() {
        for name in ["a", "a/b", "..a", "a/...", "C:/x", "self/x", "ключ", &"x".repeat(NAME)] {
            check_name(name).expect("a good name");
        }
        let bad = [
            ("", "is empty"),
            ("/etc/passwd", "is absolute"),
            ("..", "`.` or `..`"),
            ("a/../b", "`.` or `..`"),
            ("./a", "`.` or `..`"),
            ("a\0b", "holds a NUL"),
            ("a\\..\\b", "holds a backslash"),
            (&"x".repeat(NAME + 1), "has 16385 bytes"),
        ];
        for (name, why) in bad {
            let error = check_name(name).expect_err(name);
            assert!(error.message().contains(why), "{error}");
            assert!(error.message().len() < 600, "{error}");
        }
    }
}
