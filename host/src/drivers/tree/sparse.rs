//! Writes an entry's content into a new file: runs of zeros become holes.

use rustix::fd::{AsFd, OwnedFd};
use rustix::io::Errno;
use std::io;

use crate::archive::EntryReader;
use crate::error::{IoContext, Result};

/// The smallest run of zeros that can become a hole, aligned as file systems have their blocks.
const BLOCK: usize = 4096;

static ZEROS: [u8; BLOCK] = [0; BLOCK];

/// Writes all of an entry, through `buffer` (a multiple of [`BLOCK`] long), into an empty file. Says after each piece, through
/// `step`, how many bytes it had.
pub(super) fn write(from: &mut dyn EntryReader, file: &OwnedFd, buffer: &mut [u8], step: &mut dyn FnMut(u64) -> Result<()>) -> Result<()> {
    let mut at: u64 = 0;
    let mut written: u64 = 0;
    loop {
        let filled = from.fill(buffer)?;
        if filled == 0 {
            break;
        }
        for (offset, length) in data(&buffer[..filled]) {
            let begin = at + offset as u64;
            write_all_at(file, &buffer[offset..offset + length], begin).while_doing(|| "cannot write")?;
            written = begin + length as u64;
        }
        at += filled as u64;
        step(filled as u64)?;
        if filled < buffer.len() {
            break;
        }
    }
    if written < at {
        rustix::fs::ftruncate(file, at).map_err(io::Error::from).while_doing(|| "cannot write")?;
    }
    Ok(())
}

/// The stretches that are not blocks of zeros: where each begins, and how long it is.
fn data(piece: &[u8]) -> impl Iterator<Item = (usize, usize)> {
    let is_hole = |block: &[u8]| block == &ZEROS[..block.len()];
    let mut at = 0;
    std::iter::from_fn(move || {
        let blocks = piece[at..].chunks(BLOCK);
        let begin = at + blocks.take_while(|block| is_hole(block)).map(<[u8]>::len).sum::<usize>();
        let length = piece[begin..].chunks(BLOCK).take_while(|block| !is_hole(block)).map(<[u8]>::len).sum::<usize>();
        at = begin + length;
        (length > 0).then_some((begin, length))
    })
}

fn write_all_at(file: impl AsFd, mut bytes: &[u8], mut at: u64) -> io::Result<()> {
    while !bytes.is_empty() {
        match rustix::io::pwrite(&file, bytes, at) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => {
                bytes = &bytes[written..];
                at += written as u64;
            }
            Err(Errno::INTR) => {}
            Err(why) => return Err(why.into()),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{BLOCK, data};

    #[test]
    fn only_whole_blocks_of_zeros_are_left_out() {
        let mut piece = vec![0; 5 * BLOCK + 10];
        piece[BLOCK] = 1;
        piece[3 * BLOCK - 1] = 1;
        assert_eq!(data(&piece).collect::<Vec<_>>(), [(BLOCK, 2 * BLOCK)]);
        piece[5 * BLOCK + 9] = 1;
        assert_eq!(data(&piece).collect::<Vec<_>>(), [(BLOCK, 2 * BLOCK), (5 * BLOCK, 10)]);
        assert_eq!(data(&piece[..BLOCK]).count(), 0);
    }
}
