//! The zip comment: what the file is, and the CRC-32 of every byte before the comment, so that damage outside the entries is
//! found too. It always has the same length, so a reader knows where it begins.

use super::manifest::FORMAT;

/// The length of a comment, in bytes.
pub(super) const COMMENT_LENGTH: u16 = 43;

const BEFORE_FORMAT: &str = "dr-host archive, format ";
const BEFORE_CRC: &str = ", crc32 ";

/// The comment of an archive of this host's format.
pub(super) fn comment(crc: u32) -> String {
    format!("{BEFORE_FORMAT}{FORMAT:03}{BEFORE_CRC}{crc:08x}")
}

/// What a comment says: the format's number and the CRC-32.
pub(super) fn parse(comment: &[u8]) -> Option<(u32, u32)> {
    let text = std::str::from_utf8(comment).ok()?;
    let (format, crc) = text.strip_prefix(BEFORE_FORMAT)?.split_once(BEFORE_CRC)?;
    let (format, crc) = (format.parse().ok()?, u32::from_str_radix(crc, 16).ok()?);
    (text == format!("{BEFORE_FORMAT}{format:03}{BEFORE_CRC}{crc:08x}")).then_some((format, crc))
}

#[cfg(test)]
mod tests {
    use super::{COMMENT_LENGTH, comment, parse};

    #[test]
    fn a_comment_has_its_length_and_is_read_back() {
        for crc in [0, 1, u32::MAX] {
            assert_eq!(comment(crc).len(), usize::from(COMMENT_LENGTH));
            assert_eq!(parse(comment(crc).as_bytes()), Some((1, crc)));
        }
    }

    #[test]
    fn other_spellings_are_refused() {
        for text in [
            "",
            "dr-host archive, format 1, crc32 00000000",
            "dr-host archive, format 001, crc32 0000000G",
            "dr-host archive, format 001, crc32 ABCDEF00",
            "dr-host archive, format +01, crc32 00000000",
        ] {
            assert_eq!(parse(text.as_bytes()), None, "{text}");
        }
    }
}
