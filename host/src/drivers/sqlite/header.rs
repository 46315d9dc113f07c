//! The first hundred bytes of a database: what an image says of itself, before SQLite is let near it.
//!
//! Format: <https://www.sqlite.org/fileformat2.html>, section 1.3, "The Database Header".

use crate::error::{Error, Result};

/// How many bytes of a file [`Header::read`] looks at.
pub(super) const HEADER: usize = 100;

/// With what every database begins that holds anything.
pub(super) const MAGIC: &[u8; 16] = b"SQLite format 3\0";

/// What the header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    /// The size of a page in bytes: a power of two from 512 to 65536.
    pub(super) page_size: u32,
    /// The number of pages, where the header's own number is to be trusted.
    pub(super) pages: Option<u32>,
    /// Whether the database is in WAL mode.
    pub(super) wal: bool,
}

impl Header {
    /// Reads the beginning of a file.
    ///
    /// # Errors
    /// A sentence that says why this is no beginning of a database.
    pub(super) fn read(start: &[u8]) -> Result<Self, &'static str> {
        if start.len() < HEADER || !start.starts_with(MAGIC) {
            return Err("it does not begin as an SQLite database does");
        }
        let page_size = match u16::from_be_bytes([start[16], start[17]]) {
            1 => 65_536,
            size => u32::from(size),
        };
        if !(512..=65_536).contains(&page_size) || !page_size.is_power_of_two() {
            return Err("its header names an impossible page size");
        }
        let number = |at: usize| u32::from_be_bytes([start[at], start[at + 1], start[at + 2], start[at + 3]]);
        // The number of pages counts only if whoever wrote the file last also kept it: "in-header database size", 1.3.7.
        let pages = (number(24) == number(92) && number(28) > 0).then(|| number(28));
        Ok(Self { page_size, pages, wal: start[19] == 2 })
    }

    /// Checks that an image of this size can have this header.
    ///
    /// # Errors
    /// [`ErrorKind::Corrupt`](crate::error::ErrorKind::Corrupt) where it cannot.
    pub(super) fn check_size(&self, size: u64) -> Result<()> {
        let page_size = u64::from(self.page_size);
        if !size.is_multiple_of(page_size) {
            return Err(Error::corrupt(format!("{size} bytes are no whole number of pages of {page_size} bytes")));
        }
        match self.pages {
            Some(pages) if u64::from(pages) * page_size != size => {
                Err(Error::corrupt(format!("the header tells of {pages} pages of {page_size} bytes, and there are {size} bytes")))
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(page_size: u16, pages: u32) -> Vec<u8> {
        let mut bytes = vec![0; HEADER];
        bytes[..16].copy_from_slice(MAGIC);
        bytes[16..18].copy_from_slice(&page_size.to_be_bytes());
        bytes[18..20].copy_from_slice(&[2, 2]);
        bytes[28..32].copy_from_slice(&pages.to_be_bytes());
        bytes
    }

    #[test]
    fn page_size_pages_and_mode_are_read() {
        assert_eq!(Header::read(&header(4096, 7)), Ok(Header { page_size: 4096, pages: Some(7), wal: true }));
        assert_eq!(Header::read(&header(1, 7)).map(|header| header.page_size), Ok(65_536), "1 stands for 65536");
    }

    #[test]
    fn a_number_of_pages_that_nobody_kept_is_not_trusted() {
        let mut bytes = header(4096, 7);
        bytes[27] = 9;
        assert_eq!(Header::read(&bytes).map(|header| header.pages), Ok(None));
    }

    #[test]
    fn what_is_no_database_is_told() {
        assert!(Header::read(b"SQLite format 3\0").is_err(), "too short");
        assert!(Header::read(&[0; HEADER]).is_err(), "no magic");
        for page_size in [0, 2, 256, 1000, 4097] {
            assert!(Header::read(&header(page_size, 1)).is_err(), "{page_size}");
        }
    }

    #[test]
    fn the_size_must_fit() {
        let seven = Header { page_size: 4096, pages: Some(7), wal: false };
        assert!(seven.check_size(7 * 4096).is_ok());
        assert!(seven.check_size(8 * 4096).is_err());
        assert!(seven.check_size(7 * 4096 + 1).is_err());
        assert!(Header { pages: None, ..seven }.check_size(8 * 4096).is_ok());
    }
}
