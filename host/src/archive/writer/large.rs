//! Entries that outgrow one block: hashed and packed side by side, in threads of their own, block by block.
//!
//! Packed blocks gather in memory. An entry that ends before it has gathered too much is appended whole; one that outgrows
//! its room takes the output for itself until it ends, and the others wait: what is in memory stays bounded.

use std::sync::Arc;

use crossbeam_channel::{Receiver, RecvTimeoutError, SendTimeoutError, Sender, bounded};

use super::super::codec::{Digest, Hasher};
use super::super::compression::Method;
use super::super::zip::Content;
use super::block::Block;
use super::pack::{self, StreamPacker};
use super::set::{OpenSet, Pending};
use super::slots::{LOOK, Slot};
use super::{Core, Described};
use crate::error::{Error, ErrorKind, IoContext, Result};

/// So many blocks wait for each of the two threads, at most.
const AHEAD: usize = 6;

/// So many packed blocks of one entry gather before it takes the output for itself.
const MOST_GATHERED: usize = 16;

/// An entry on its way, as its writer holds it. Dropped without [`Large::finish`], the entry is abandoned.
pub(super) struct Large {
    to_hash: Sender<Piece>,
    to_pack: Sender<Piece>,
}

#[derive(Clone)]
enum Piece {
    Block(Arc<Block>),
    /// The entry is whole.
    End,
}

impl Large {
    /// Starts the threads of an entry; `first` is its first block, which decides whether it is worth compressing.
    pub(super) fn start(core: &Arc<Core>, mut described: Described, first: &Block, pending: Pending) -> Result<Self> {
        let slot = core.large.take(|| pending.set().check())?;
        if core.method != Method::Store && !pack::compresses(first) {
            described.header.method = Method::Store;
        }
        let ((to_hash, hash), (to_pack, pack), (digested, digest)) = (bounded(AHEAD), bounded(AHEAD), bounded(1));
        let cannot = || "cannot start a thread";
        let set = pending.set().clone();
        let hashing = move || {
            if let Some(digest) = hash_all(&hash) {
                // Nobody listens where packing failed.
                let _ = digested.send(digest);
            }
        };
        std::thread::Builder::new().name("hash".into()).spawn(hashing).while_doing(cannot)?;
        let core = core.clone();
        let packing = move || {
            let packing = Packing { core: &core, set: &set, described, pieces: pack, digest };
            // Whoever finds the other end of `pieces` gone finds the reason too: it is told before.
            pending.end_with(packing.run());
            drop::<Slot>(slot);
        };
        std::thread::Builder::new().name("pack".into()).spawn(packing).while_doing(cannot)?;
        Ok(Self { to_hash, to_pack })
    }

    /// Hands a block on; waits while the threads are behind.
    pub(super) fn push(&self, block: Block, set: &OpenSet) -> Result<()> {
        self.send(&Piece::Block(Arc::new(block)), set)
    }

    /// Says that the entry is whole.
    pub(super) fn finish(self, set: &OpenSet) -> Result<()> {
        self.send(&Piece::End, set)
    }

    fn send(&self, piece: &Piece, set: &OpenSet) -> Result<()> {
        for to in [&self.to_hash, &self.to_pack] {
            let mut piece = piece.clone();
            loop {
                match to.send_timeout(piece, LOOK) {
                    Ok(()) => break,
                    Err(SendTimeoutError::Timeout(back)) => {
                        set.check()?;
                        piece = back;
                    }
                    Err(SendTimeoutError::Disconnected(_)) => {
                        set.check()?;
                        return Err(Error::new(ErrorKind::Other, "a thread of the archive's failed"));
                    }
                }
            }
        }
        Ok(())
    }
}

fn hash_all(pieces: &Receiver<Piece>) -> Option<Digest> {
    let mut hasher = Hasher::default();
    loop {
        match pieces.recv().ok()? {
            Piece::Block(block) => hasher.update(&block),
            Piece::End => return Some(hasher.finish()),
        }
    }
}

/// The packing thread of one entry.
struct Packing<'a> {
    core: &'a Core,
    set: &'a OpenSet,
    described: Described,
    pieces: Receiver<Piece>,
    digest: Receiver<Digest>,
}

impl Packing<'_> {
    fn run(&self) -> Result<()> {
        let packer = self.core.packers.take(self.described.header.method).while_doing(|| "cannot compress")?;
        let mut packed = Packed { packing: self, packer, input: None, state: State::Going };
        let mut gathered = Vec::new();
        let mut room = Vec::new();
        loop {
            let Some(block) = packed.next()? else { return self.append(&gathered) };
            gathered.push(block);
            match self.core.gathered.try_take() {
                Some(slot) if gathered.len() < MOST_GATHERED => room.push(slot),
                _ => break,
            }
        }
        self.stream(gathered, room, &mut packed)
    }

    fn append(&self, gathered: &[Arc<Block>]) -> Result<()> {
        let digest = self.digest()?;
        let stored = gathered.iter().map(|block| block.len() as u64).sum();
        let content = Content { crc: digest.crc, size: digest.size, stored };
        let Described { entry, header, mode } = &self.described;
        self.core.output().append(header, *mode, &content, gathered.iter().map(|block| &block[..]))?;
        self.set.record(entry.clone(), digest, stored)
    }

    fn stream(&self, gathered: Vec<Arc<Block>>, room: Vec<Slot>, packed: &mut Packed<'_, '_>) -> Result<()> {
        let Described { entry, header, mode } = &self.described;
        let mut output = self.core.output();
        let mut streaming = output.stream(header.clone(), *mode)?;
        for block in gathered {
            streaming.put(&block)?;
        }
        drop(room);
        while let Some(block) = packed.next()? {
            streaming.put(&block)?;
        }
        let digest = self.digest()?;
        let stored = streaming.finish(digest.crc, digest.size)?;
        drop(output);
        self.set.record(entry.clone(), digest, stored)
    }

    fn digest(&self) -> Result<Digest> {
        self.digest.recv().map_err(|_| Error::new(ErrorKind::Other, "the hashing thread failed"))
    }

    /// The next piece of the entry; the entry fails where it was abandoned, or the moment ended before it.
    fn next_piece(&self) -> Result<Piece> {
        loop {
            match self.pieces.recv_timeout(LOOK) {
                Ok(piece) => return Ok(piece),
                Err(RecvTimeoutError::Timeout) => self.set.check()?,
                Err(RecvTimeoutError::Disconnected) => return Err(self.set.abandoned(&self.described.entry.name)),
            }
        }
    }
}

/// The entry's blocks as they will stand in the archive.
struct Packed<'a, 'b> {
    packing: &'a Packing<'b>,
    /// `None` where blocks stand as they are.
    packer: Option<StreamPacker<'b>>,
    /// What is being packed, and how much of it is.
    input: Option<(Arc<Block>, usize)>,
    state: State,
}

/// How far a stream is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Going,
    /// All input is taken, and what is left is coming out.
    Ending,
    Ended,
}

impl Packed<'_, '_> {
    fn next(&mut self) -> Result<Option<Arc<Block>>> {
        let Some(packer) = &mut self.packer else {
            return Ok(match self.packing.next_piece()? {
                Piece::Block(block) => Some(block),
                Piece::End => None,
            });
        };
        let cannot = || "cannot compress";
        let mut into = self.packing.core.blocks.take();
        while self.state != State::Ended && !into.is_full() {
            match &mut self.input {
                _ if self.state == State::Ending => {
                    if packer.end(&mut into).while_doing(cannot)? {
                        self.state = State::Ended;
                    }
                }
                Some((block, taken)) if *taken < block.len() => *taken += packer.pack(&block[*taken..], &mut into).while_doing(cannot)?,
                input => match self.packing.next_piece()? {
                    Piece::Block(block) => *input = Some((block, 0)),
                    Piece::End => self.state = State::Ending,
                },
            }
        }
        Ok(if into.is_empty() { None } else { Some(Arc::new(into)) })
    }
}
