//! Blocks of bytes that are used over and over: fresh memory costs more than what is done with it.

use std::ops::Deref;
use std::sync::{Arc, Mutex, PoisonError};

/// The size of a block: large enough that handing it on costs nothing, small enough to stay in a processor's cache.
pub(super) const BLOCK: usize = 1 << 20;

/// So many unused blocks are kept; more are given back to the system.
const MOST_KEPT: usize = 32;

/// Blocks that wait to be used again.
#[derive(Default)]
pub(super) struct Pool {
    free: Mutex<Vec<Vec<u8>>>,
}

impl Pool {
    /// An empty block, of [`BLOCK`] bytes. Its memory is taken only as it is filled.
    pub(super) fn take(self: &Arc<Self>) -> Block {
        let recycled = self.free.lock().unwrap_or_else(PoisonError::into_inner).pop();
        Block { bytes: recycled.unwrap_or_else(|| vec![0; BLOCK]), filled: 0, pool: self.clone() }
    }
}

/// A block; its content is what has been filled.
pub(super) struct Block {
    bytes: Vec<u8>,
    filled: usize,
    pool: Arc<Pool>,
}

impl Block {
    /// The room that is left.
    pub(super) fn space(&mut self) -> &mut [u8] {
        &mut self.bytes[self.filled..]
    }

    /// Makes the first bytes of the room part of the content.
    pub(super) fn advance(&mut self, count: usize) {
        self.filled += count;
    }

    pub(super) fn is_full(&self) -> bool {
        self.filled == self.bytes.len()
    }
}

impl Deref for Block {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes[..self.filled]
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        let mut free = self.pool.free.lock().unwrap_or_else(PoisonError::into_inner);
        if free.len() < MOST_KEPT {
            free.push(std::mem::take(&mut self.bytes));
        }
    }
}
