//! `restore`: brings a target to what the archive holds. What is to go goes first; then come the directories, the files and
//! links (in several threads), the further names of files, and at last the directories' metadata, which all else would
//! change; one sync of each file system ends it.

use std::collections::BTreeSet;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use crossbeam_channel::{Receiver, Sender};
use rustix::fd::OwnedFd;
use rustix::fs::{Mode, OFlags};

use super::View;
use super::attributes::{Wanted, WantedSort};
use super::descent::{Descent, Links};
use super::extras;
use super::inspect::{Plan, each_entry};
use super::metadata::Said;
use super::put::{Disks, Hand, Job, Put};
use super::scope::Scope;
use crate::archive::{EntryInfo, Reader};
use crate::drivers::{Context, Unit};
use crate::error::{Error, IoContext, Result};

/// What a restore did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Done {
    pub(super) written: u64,
    pub(super) repaired: u64,
    pub(super) unchanged: u64,
    pub(super) deleted: u64,
}

impl Done {
    fn count(&mut self, put: Put) {
        match put {
            Put::Written => self.written += 1,
            Put::Repaired => self.repaired += 1,
            Put::Unchanged => self.unchanged += 1,
        }
    }

    fn add(&mut self, other: Self) {
        self.written += other.written;
        self.repaired += other.repaired;
        self.unchanged += other.unchanged;
        self.deleted += other.deleted;
    }
}

/// Restores what `plan` allows. `root` is the target, which exists by now.
///
/// # Errors
/// The target cannot be written, the archive is damaged, the run is cancelled. Each file is then what it was or what it is to
/// be.
pub(super) fn place(context: &Context, view: View, root: Arc<OwnedFd>, scope: &Scope, plan: &Plan, source: &dyn Reader) -> Result<Done> {
    let deleted = extras::delete(context, view, &root, scope, &plan.extras)?;
    let job = Job {
        context,
        view,
        root,
        source,
        fresh: plan.extras.target_is_empty,
        first_names: &plan.shared,
        said: Said::default(),
        disks: Disks::default(),
    };
    let placer = Placer { job: &job, plan };
    placer.make_directories()?;
    let mut done = placer.contents()?;
    done.deleted = deleted;
    placer.hard_links(&mut done)?;
    placer.finish_directories()?;
    job.disks.sync(&job.root).while_doing(|| "cannot sync the target's file system")?;
    Ok(done)
}

/// How many threads write at most; more only wait for the file system.
const MOST_THREADS: usize = 4;

/// A thread is given so many entries, or so many bytes, at once: neighbours share their directory.
const BATCH: usize = 32;
const BATCH_BYTES: u64 = 4 << 20;

struct Placer<'a> {
    job: &'a Job<'a>,
    plan: &'a Plan,
}

impl Placer<'_> {
    /// Gives every entry that is to be restored to `each`.
    fn each(&self, mut each: impl FnMut(EntryInfo, Wanted) -> Result<()>) -> Result<()> {
        each_entry(self.job.context, self.job.source, |info| {
            let wanted = Wanted::of(self.job.view, &info.entry)?;
            let taken = self.plan.choice.takes(info.entry.name.as_bytes(), wanted.sort == WantedSort::Directory);
            if taken { each(info, wanted) } else { Ok(()) }
        })
    }

    fn make_directories(&self) -> Result<()> {
        if self.plan.tally.directories == 0 {
            return Ok(());
        }
        let mut hand = Hand::new(self.job);
        self.each(|info, wanted| match wanted.sort {
            WantedSort::Directory => {
                hand.make_directory(info.entry.name.as_bytes()).while_doing(|| cannot_restore(info.entry.name.as_bytes()))
            }
            _ => Ok(()),
        })
    }

    /// Restores files and symbolic links, in several threads.
    fn contents(&self) -> Result<Done> {
        let threads = thread::available_parallelism().map_or(1, usize::from).min(MOST_THREADS);
        let (sender, receiver) = crossbeam_channel::bounded(threads);
        let (failed, bytes) = (AtomicBool::new(false), AtomicU64::new(0));
        thread::scope(|scope| {
            let (failed, bytes) = (&failed, &bytes);
            // Each holds the channel itself: when the last has failed it is closed, and dealing cannot wait for ever.
            let worker = |dealt| move || self.work(&dealt, bytes).inspect_err(|_| failed.store(true, Ordering::Relaxed));
            let workers: Vec<_> = (0..threads).map(|_| scope.spawn(worker(receiver.clone()))).collect();
            drop(receiver);
            let dealt = self.deal(sender, failed);
            let mut done = Done::default();
            let mut first: Result<()> = Ok(());
            for worker in workers {
                match worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)) {
                    Ok(part) => done.add(part),
                    Err(error) => first = first.and(Err(error)),
                }
            }
            first.and(dealt).map(|()| done)
        })
    }

    /// Deals entries out in batches, until all are dealt or a thread failed.
    fn deal(&self, sender: Sender<Vec<(EntryInfo, Wanted)>>, failed: &AtomicBool) -> Result<()> {
        let (mut batch, mut bytes) = (Vec::with_capacity(BATCH), 0);
        let dealt = self.each(|info, wanted| {
            if matches!(wanted.sort, WantedSort::Directory | WantedSort::HardLink(_)) {
                return Ok(());
            }
            bytes += info.size;
            batch.push((info, wanted));
            if batch.len() == BATCH || bytes >= BATCH_BYTES {
                bytes = 0;
                let full = std::mem::replace(&mut batch, Vec::with_capacity(BATCH));
                // Nobody takes it once all threads have failed; their error is the one to tell.
                if failed.load(Ordering::Relaxed) || sender.send(full).is_err() {
                    return Err(Error::cancelled());
                }
            }
            Ok(())
        });
        if dealt.is_ok() && !batch.is_empty() {
            let _ = sender.send(batch);
        }
        dealt
    }

    /// Restores what it is dealt.
    fn work(&self, dealt: &Receiver<Vec<(EntryInfo, Wanted)>>, bytes: &AtomicU64) -> Result<Done> {
        let (context, total) = (self.job.context, self.plan.tally.bytes);
        let mut hand = Hand::new(self.job);
        let mut done = Done::default();
        for (info, wanted) in dealt.iter().flatten() {
            context.check()?;
            let put = hand.content(&info, &wanted, &mut |more| {
                let sum = bytes.fetch_add(more, Ordering::Relaxed) + more;
                context.progress(sum, Some(total), Unit::Bytes);
                context.check()
            });
            done.count(put.map_err(|error| error.while_(cannot_restore(info.entry.name.as_bytes())))?);
        }
        Ok(done)
    }

    fn hard_links(&self, done: &mut Done) -> Result<()> {
        if self.plan.tally.hard_links == 0 {
            return Ok(());
        }
        let mut hand = Hand::new(self.job);
        let mut other = Descent::new(&self.job.root, Links::Refuse);
        self.each(|info, wanted| {
            if let WantedSort::HardLink(first) = &wanted.sort {
                let name = info.entry.name.as_bytes();
                done.count(hand.hard_link(name, first, &mut other).while_doing(|| cannot_restore(name))?);
            }
            Ok(())
        })
    }

    /// Gives the directories their metadata. One that this user could not pass through any more comes after all below it.
    fn finish_directories(&self) -> Result<()> {
        if self.plan.tally.directories == 0 {
            return Ok(());
        }
        let is_root = rustix::process::geteuid().is_root();
        let mut hand = Hand::new(self.job);
        let mut finish = |info: &EntryInfo, wanted: &Wanted| {
            let name = info.entry.name.as_bytes();
            hand.finish_directory(name, wanted).while_doing(|| cannot_restore(name))
        };
        let closes = |wanted: &Wanted| !is_root && wanted.mode.is_some_and(|mode| mode & 0o500 != 0o500);
        let mut depths = BTreeSet::new();
        self.each(|info, wanted| match wanted.sort {
            WantedSort::Directory if closes(&wanted) => {
                depths.insert(depth(&info));
                Ok(())
            }
            WantedSort::Directory => finish(&info, &wanted),
            _ => Ok(()),
        })?;
        for level in depths.into_iter().rev() {
            self.each(|info, wanted| {
                let now = wanted.sort == WantedSort::Directory && closes(&wanted) && depth(&info) == level;
                if now { finish(&info, &wanted) } else { Ok(()) }
            })?;
        }
        Ok(())
    }
}

/// How deep below the root a directory stands.
fn depth(info: &EntryInfo) -> usize {
    let name = info.entry.name.as_bytes();
    if name.is_empty() { 0 } else { 1 + name.iter().filter(|&&byte| byte == b'/').count() }
}

fn cannot_restore(name: &[u8]) -> String {
    format!("cannot restore `{}`", super::shown(name))
}

/// The target, made with all directories above it where it does not exist.
///
/// # Errors
/// It cannot be made or opened.
pub(super) fn make_root(root: &Path) -> Result<Arc<OwnedFd>> {
    let cannot = || format!("cannot make the directory `{}`", root.display());
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let there = root.ancestors().find(|path| path.is_dir()).unwrap_or(Path::new("."));
    let ground = rustix::fs::open(there, flags, Mode::empty()).map_err(io::Error::from).while_doing(cannot)?;
    let ground = Arc::new(ground);
    let missing = root.strip_prefix(there).unwrap_or(Path::new(""));
    let mut descent = Descent::new(&ground, Links::Refuse).making(Mode::RWXU | Mode::RWXG | Mode::RWXO);
    let made = descent.at(missing.as_os_str().as_bytes()).and_then(|made| made.try_clone_to_owned()).while_doing(cannot)?;
    Ok(Arc::new(made))
}
