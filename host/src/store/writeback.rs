//! Sends a growing file to the disk while it is written, so that the sync at its end has little left to wait for, and so that
//! an archive larger than the memory does not push out of the page cache what the application beside it works with.

use std::fs::File;
use std::io;
use std::num::NonZero;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};

use rustix::fs::Advice;

/// How much is written before it is sent to the disk, in bytes. A file that stays smaller has no thread.
const STRETCH: u64 = 32 << 20;

/// Syncs a file from a thread of its own, one stretch after the other.
#[derive(Default)]
pub(super) struct Writeback {
    unsent: u64,
    thread: Option<(SyncSender<()>, JoinHandle<io::Result<()>>)>,
}

impl Writeback {
    /// Takes note of bytes that were written. Never waits for the disk.
    ///
    /// # Errors
    /// No thread, or no second handle of the file, can be had.
    pub(super) fn wrote(&mut self, file: &File, bytes: usize) -> io::Result<()> {
        self.unsent += bytes as u64;
        if self.unsent < STRETCH {
            return Ok(());
        }
        self.unsent = 0;
        if self.thread.is_none() {
            let (wake, woken) = sync_channel(1);
            let file = file.try_clone()?;
            let thread = thread::Builder::new().name("writeback".into()).spawn(move || sync_when_woken(&file, &woken))?;
            self.thread = Some((wake, thread));
        }
        if let Some((wake, _)) = &self.thread {
            // Full: it will come to these bytes too. Gone: a sync failed, which `finish` tells.
            let _ = wake.try_send(());
        }
        Ok(())
    }

    /// Ends the thread. Must come before the last sync: the system tells a failed write once, and it may have told the thread.
    ///
    /// # Errors
    /// The disk did not take what was written.
    pub(super) fn finish(&mut self) -> io::Result<()> {
        match self.thread.take() {
            Some((wake, thread)) => {
                drop(wake);
                thread.join().unwrap_or_else(|_| Err(io::Error::other("the thread that syncs it has panicked")))
            }
            None => Ok(()),
        }
    }
}

fn sync_when_woken(file: &File, woken: &Receiver<()>) -> io::Result<()> {
    let mut on_disk = 0;
    woken.iter().try_for_each(|()| {
        let end = file.metadata()?.len();
        file.sync_data()?;
        // Nobody reads the archive soon: its pages serve the next bytes. It is advice, and a failure costs nothing.
        let _ = rustix::fs::fadvise(file, on_disk, NonZero::new(end - on_disk), Advice::DontNeed);
        on_disk = end;
        Ok(())
    })
}
