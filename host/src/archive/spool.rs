//! What grows with the number of entries and is kept out of memory: lines and records, compressed, in unnamed temporary files.

use std::fs::File;
use std::io::Write;
use std::os::unix::fs::FileExt;

use crate::error::{IoContext, Result};

/// So many bytes of lines are compressed and written together.
const BLOCK: usize = 128 << 10;

/// Quick, and more than good enough for lines that are read once or twice and thrown away.
const LEVEL: i32 = 1;

/// Bytes that are only added to, in blocks that can be read in any order while more is added.
pub(super) struct Blocks {
    file: Option<File>,
    compressor: zstd::bulk::Compressor<'static>,
    written: Vec<Block>,
    file_size: u64,
    /// What is not yet written: never empty once there is anything.
    tail: Vec<u8>,
}

/// A block in the file.
#[derive(Clone, Copy)]
struct Block {
    offset: u64,
    stored: u32,
    size: u32,
}

impl Blocks {
    pub(super) fn new() -> Result<Self> {
        let compressor = zstd::bulk::Compressor::new(LEVEL).while_doing(|| "cannot compress")?;
        Ok(Self { file: None, compressor, written: Vec::new(), file_size: 0, tail: Vec::new() })
    }

    /// Adds a piece, which will lie in one block as a whole; says where.
    pub(super) fn push(&mut self, piece: &[&[u8]]) -> Result<Position> {
        if self.tail.len() >= BLOCK {
            self.write_block()?;
        }
        let at = Position { block: self.written.len() as u32, start: self.tail.len() as u32 };
        piece.iter().for_each(|part| self.tail.extend_from_slice(part));
        Ok(at)
    }

    /// Where the next piece will lie.
    pub(super) fn end(&self) -> Position {
        let full = self.tail.len() >= BLOCK;
        Position { block: self.written.len() as u32 + u32::from(full), start: if full { 0 } else { self.tail.len() as u32 } }
    }

    /// How many blocks there are.
    pub(super) fn count(&self) -> u32 {
        self.written.len() as u32 + u32::from(!self.tail.is_empty())
    }

    /// The bytes of a block; none behind the last.
    pub(super) fn block(&self, number: u32) -> Result<Vec<u8>> {
        let cannot = || "cannot read a temporary file";
        match (self.written.get(number as usize), &self.file) {
            (Some(block), Some(file)) => {
                let mut stored = vec![0; block.stored as usize];
                file.read_exact_at(&mut stored, block.offset).while_doing(cannot)?;
                zstd::bulk::decompress(&stored, block.size as usize).while_doing(cannot)
            }
            _ if number as usize == self.written.len() => Ok(self.tail.clone()),
            _ => Ok(Vec::new()),
        }
    }

    fn write_block(&mut self) -> Result<()> {
        let cannot = || format!("cannot write a temporary file in `{}`", std::env::temp_dir().display());
        let stored = self.compressor.compress(&self.tail).while_doing(cannot)?;
        let file = match &mut self.file {
            Some(file) => file,
            none => none.insert(tempfile::tempfile().while_doing(cannot)?),
        };
        file.write_all(&stored).while_doing(cannot)?;
        let (stored, size) = (stored.len() as u32, self.tail.len() as u32);
        self.written.push(Block { offset: self.file_size, stored, size });
        self.file_size += u64::from(stored);
        self.tail.clear();
        Ok(())
    }
}

/// Where a piece stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Position {
    pub(super) block: u32,
    pub(super) start: u32,
}

/// Lines, written once and read any number of times.
pub struct Spool {
    blocks: Blocks,
    lines: u64,
}

impl Spool {
    /// An empty one; the file is made when the first block is full.
    ///
    /// # Errors
    /// No memory for the compressor.
    pub fn new() -> Result<Self> {
        Ok(Self { blocks: Blocks::new()?, lines: 0 })
    }

    /// Adds a line, which must not hold `\n`.
    ///
    /// # Errors
    /// The temporary file cannot be written.
    pub fn push(&mut self, line: &[u8]) -> Result<()> {
        self.add(line).map(drop)
    }

    /// As [`Spool::push`]; says where the line stands.
    pub(super) fn add(&mut self, line: &[u8]) -> Result<Position> {
        debug_assert!(!line.contains(&b'\n'), "a line is one line");
        self.lines += 1;
        self.blocks.push(&[line, b"\n"])
    }

    /// How many lines there are.
    pub fn len(&self) -> u64 {
        self.lines
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.lines == 0
    }

    /// The lines, in the order in which they were added. Several readers may go through them at once.
    pub fn lines(&self) -> Lines<'_> {
        Lines { spool: self, cursor: Cursor::new(Position { block: 0, start: 0 }, self.lines) }
    }

    /// The next line behind a cursor, without its `\n`.
    pub(super) fn next_line<'a>(&self, cursor: &'a mut Cursor) -> Result<Option<&'a [u8]>> {
        if cursor.left == 0 {
            return Ok(None);
        }
        cursor.left -= 1;
        if cursor.block.is_empty() || cursor.at == cursor.block.len() {
            if !cursor.block.is_empty() {
                cursor.next = Position { block: cursor.next.block + 1, start: 0 };
            }
            cursor.block = self.blocks.block(cursor.next.block)?;
            cursor.at = cursor.next.start as usize;
        }
        let rest = cursor.block.get(cursor.at..).unwrap_or_default();
        let end = rest.iter().position(|&byte| byte == b'\n').unwrap_or(rest.len());
        cursor.at += end + 1;
        Ok(Some(&rest[..end]))
    }

    /// Where the next line to be added will stand.
    pub(super) fn end(&self) -> Position {
        self.blocks.end()
    }

    /// The lines of a block, each with its `\n`.
    pub(super) fn block(&self, number: u32) -> Result<Vec<u8>> {
        self.blocks.block(number)
    }
}

/// A place among the lines of a [`Spool`], and how many of them are left to read.
pub(super) struct Cursor {
    next: Position,
    left: u64,
    block: Vec<u8>,
    at: usize,
}

impl Cursor {
    pub(super) fn new(begin: Position, lines: u64) -> Self {
        Self { next: begin, left: lines, block: Vec::new(), at: 0 }
    }
}

/// The lines of a [`Spool`], without their `\n`.
pub struct Lines<'a> {
    spool: &'a Spool,
    cursor: Cursor,
}

impl Lines<'_> {
    /// The next line; lives until the next call.
    ///
    /// # Errors
    /// The temporary file cannot be read.
    pub fn next_line(&mut self) -> Result<Option<&[u8]>> {
        self.spool.next_line(&mut self.cursor)
    }
}

impl Iterator for Lines<'_> {
    type Item = Result<Vec<u8>>;

    fn next(&mut self) -> Option<Self::Item> {
        self.next_line().map(|line| line.map(<[u8]>::to_vec)).transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::Spool;

    #[test]
    fn an_empty_spool_has_no_lines() {
        let spool = Spool::new().unwrap();
        assert!(spool.is_empty());
        assert_eq!(spool.lines().count(), 0);
    }

    #[test]
    fn lines_come_back_as_they_were_and_more_than_once() {
        let mut spool = Spool::new().unwrap();
        let line = |number: u32| [&number.to_be_bytes().map(|byte| byte | 0x80)[..], &b"x".repeat(number as usize % 90)].concat();
        for number in 0..50_000 {
            spool.push(&line(number)).unwrap();
        }
        spool.push(b"").unwrap();
        assert!(spool.blocks.count() > 5, "the test is meant to go through the file");
        for _ in 0..2 {
            let mut lines = spool.lines();
            for number in 0..50_000 {
                assert_eq!(lines.next_line().unwrap(), Some(&line(number)[..]));
            }
            assert_eq!(lines.next_line().unwrap(), Some(&b""[..]));
            assert_eq!(lines.next_line().unwrap(), None);
            assert_eq!(lines.next_line().unwrap(), None);
        }
        assert_eq!(spool.len(), 50_001);
    }

    #[test]
    fn a_position_leads_back_to_its_line() {
        let mut spool = Spool::new().unwrap();
        let mut positions = Vec::new();
        for number in 0..40_000 {
            positions.push(spool.add(format!("line {number}").as_bytes()).unwrap());
        }
        for number in [0, 1, 9_999, 20_000, 39_999] {
            let at = positions[number];
            let block = spool.block(at.block).unwrap();
            assert!(block[at.start as usize..].starts_with(format!("line {number}\n").as_bytes()));
        }
    }
}
