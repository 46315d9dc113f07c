//! The names of entries in the zip: the exact name, percent-escaped where a zip or a careful unpacker would trip over it.
//!
//! Escaped, as `%` and two upper-case hexadecimal digits for each byte, are: `%` itself; control characters, `\` and bytes
//! that are not UTF-8; a segment that is `.` or `..`; and every `/` that would begin the name, end it or follow another. So
//! two exact names never share a zip name, and no zip name is absolute or leaves its directory.

use std::fmt::Write;

use crate::name::EntryName;

/// The zip name of an entry: below its set's prefix, with a closing `/` for a directory.
pub(super) fn zip_name(prefix: &str, name: &EntryName, directory: bool) -> String {
    let mut zip_name = String::with_capacity(prefix.len() + name.as_bytes().len() + 1);
    zip_name.push_str(prefix);
    escape_into(&mut zip_name, name.as_bytes());
    if directory && zip_name.len() > prefix.len() {
        zip_name.push('/');
    }
    zip_name
}

/// A name, escaped as in the zip, without its set's prefix: how an attribute names another entry of the set.
pub fn escape(name: &EntryName) -> String {
    let mut text = String::with_capacity(name.as_bytes().len());
    escape_into(&mut text, name.as_bytes());
    text
}

/// The exact name behind an escaped one; `None` where it is not what [`escape`] writes.
pub fn unescape(text: &str) -> Option<EntryName> {
    let exact: Vec<u8> = percent_encoding::percent_decode_str(text).collect();
    let name = EntryName::from_bytes(exact);
    (escape(&name) == text).then_some(name)
}

fn escape_into(into: &mut String, name: &[u8]) {
    let mut segments = name.split(|&byte| byte == b'/').peekable();
    let mut previous: Option<&[u8]> = None;
    while let Some(segment) = segments.next() {
        if let Some(previous) = previous {
            let ends_the_name = segment.is_empty() && segments.peek().is_none();
            into.push_str(if previous.is_empty() || ends_the_name { "%2F" } else { "/" });
        }
        escape_segment(into, segment);
        previous = Some(segment);
    }
}

fn escape_segment(into: &mut String, segment: &[u8]) {
    if segment == b"." || segment == b".." {
        segment.iter().for_each(|_| into.push_str("%2E"));
        return;
    }
    for chunk in segment.utf8_chunks() {
        for character in chunk.valid().chars() {
            if character == '%' || character == '\\' || character.is_control() {
                let mut buffer = [0; 4];
                escape_bytes(into, character.encode_utf8(&mut buffer).as_bytes());
            } else {
                into.push(character);
            }
        }
        escape_bytes(into, chunk.invalid());
    }
}

fn escape_bytes(into: &mut String, bytes: &[u8]) {
    for byte in bytes {
        write!(into, "%{byte:02X}").expect("a string takes all that is written to it");
    }
}

#[cfg(test)]
mod tests {
    use super::{escape, unescape, zip_name};
    use crate::name::EntryName;

    fn name(bytes: &[u8]) -> EntryName {
        EntryName::from_bytes(bytes)
    }

    #[test]
    fn ordinary_names_stay_as_they_are() {
        for plain in ["a.jpg", ".hidden", "x#12", "with space", "deep/er/file", "C:/x", "ключ/鍵.png", "a..b", "...", "~", "a:b*?\"<>|"]
        {
            assert_eq!(zip_name("media/", &plain.into(), false), format!("media/{plain}"));
        }
    }

    #[test]
    fn what_a_zip_must_not_hold_is_escaped() {
        let cases: [(&[u8], &str); 16] = [
            (b"100%", "100%25"),
            (b"a\\b", "a%5Cb"),
            (b"a\0b\n", "a%00b%0A"),
            (b"\xff\xfe", "%FF%FE"),
            (b"..", "%2E%2E"),
            (b"a/../b", "a/%2E%2E/b"),
            (b"./a", "%2E/a"),
            (b"a/.", "a/%2E"),
            (b"/etc/passwd", "%2Fetc/passwd"),
            (b"a/", "a%2F"),
            (b"a//b", "a/%2Fb"),
            (b"a///b", "a/%2F%2Fb"),
            (b"a//", "a/%2F"),
            (b"//", "%2F%2F"),
            (b"/", "%2F"),
            ("\u{85}".as_bytes(), "%C2%85"),
        ];
        for (exact, escaped) in cases {
            assert_eq!(escape(&name(exact)), escaped);
            assert_eq!(unescape(escaped), Some(name(exact)));
        }
    }

    #[test]
    fn a_directory_ends_in_a_slash_and_the_root_is_the_prefix() {
        assert_eq!(zip_name("state/", &"a".into(), true), "state/a/");
        assert_eq!(zip_name("state/", &"a/".into(), true), "state/a%2F/");
        assert_eq!(zip_name("state/", &"".into(), true), "state/");
    }

    #[test]
    fn no_two_names_share_an_escaped_one() {
        let alphabet = [b'/', b'.', b'%', b'2', b'E', b'F', b'a', 0xff];
        let mut seen = std::collections::HashMap::new();
        for length in 0..=5u32 {
            for number in 0..8usize.pow(length) {
                let exact: Vec<u8> = (0..length).map(|digit| alphabet[number / 8usize.pow(digit) % 8]).collect();
                let escaped = escape(&name(&exact));
                assert_eq!(unescape(&escaped), Some(name(&exact)));
                assert!(!escaped.starts_with('/') && !escaped.ends_with('/') && !escaped.contains("//"), "{escaped}");
                assert!(escaped.split('/').all(|segment| segment != "." && segment != ".."), "{escaped}");
                assert_eq!(seen.insert(escaped, exact), None);
            }
        }
    }

    #[test]
    fn other_spellings_of_an_escape_are_refused() {
        for text in ["%2e%2E", "a%", "%41", "a//b", "..", "%zz", "a\\b"] {
            assert_eq!(unescape(text), None, "{text}");
        }
    }
}
