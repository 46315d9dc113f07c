//! The pool of threads that takes entries which fit one block: hash, compress, append.

use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use crossbeam_channel::{Receiver, SendTimeoutError, Sender, bounded};

use super::super::codec::Hasher;
use super::super::zip::Content;
use super::block::Block;
use super::pack::WholePacker;
use super::set::{OpenSet, Pending};
use super::slots::LOOK;
use super::{Core, Described};
use crate::error::{Error, ErrorKind, IoContext, Result};

/// So many entries wait for each thread, at most: enough that none falls asleep while the driver opens its next file, which
/// costs more than most entries do. What waits is small on the whole: it fits one block each.
const QUEUED: usize = 6;

/// An entry whose bytes are all there.
pub(super) struct Job {
    pub(super) described: Described,
    pub(super) content: Block,
    pub(super) pending: Pending,
}

/// The pool.
pub(super) struct Workers {
    /// `None` once they are to end.
    jobs: Mutex<Option<Sender<Job>>>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

impl Workers {
    /// A pool without threads.
    pub(super) fn new() -> Self {
        Self { jobs: Mutex::new(None), threads: Mutex::default() }
    }

    /// Starts the threads.
    pub(super) fn start(core: &Arc<Core>, count: usize) -> Result<()> {
        let (jobs, queue) = bounded(QUEUED * count);
        let cannot = || "cannot start a thread";
        for number in 0..count {
            let packer = WholePacker::new(core.method, core.level).while_doing(cannot)?;
            let (core_there, queue) = (core.clone(), queue.clone());
            let thread = std::thread::Builder::new().name(format!("pack-{number}")).spawn(move || work(&core_there, &queue, packer));
            lock(&core.workers.threads).push(thread.while_doing(cannot)?);
        }
        *lock(&core.workers.jobs) = Some(jobs);
        Ok(())
    }

    /// Hands a job on; waits while all are busy.
    pub(super) fn submit(&self, mut job: Job) -> Result<()> {
        let over = || Error::new(ErrorKind::Other, "the archive takes no more entries");
        let jobs = lock(&self.jobs).clone().ok_or_else(over)?;
        loop {
            match jobs.send_timeout(job, LOOK) {
                Ok(()) => return Ok(()),
                Err(SendTimeoutError::Timeout(back)) => {
                    back.pending.set().check()?;
                    job = back;
                }
                Err(SendTimeoutError::Disconnected(_)) => return Err(over()),
            }
        }
    }

    /// Waits until all jobs are done, and ends the threads.
    pub(super) fn end(&self) {
        lock(&self.jobs).take();
        for thread in std::mem::take(&mut *lock(&self.threads)) {
            // A panic has failed its set already.
            let _ = thread.join();
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn work(core: &Core, queue: &Receiver<Job>, mut packer: WholePacker) {
    for Job { described, content, pending } in queue {
        let set = pending.set().clone();
        pending.end_with(append(core, &set, &mut packer, described, &content));
    }
}

fn append(core: &Core, set: &OpenSet, packer: &mut WholePacker, described: Described, bytes: &Block) -> Result<()> {
    set.check_running()?;
    let Described { entry, mut header, mode } = described;
    let mut hasher = Hasher::default();
    hasher.update(bytes);
    let digest = hasher.finish();
    let (method, packed) = packer.pack(bytes).while_doing(|| format!("cannot compress `{}`", entry.name))?;
    header.method = method;
    let content = Content { crc: digest.crc, size: digest.size, stored: packed.len() as u64 };
    core.output().append(&header, mode, &content, [packed])?;
    set.record(entry, digest, content.stored)
}
