//! Ctrl-C, SIGTERM and SIGHUP: the first asks the run to end cleanly, the second ends the process at once. SIGXFSZ, with which the
//! system answers a file beyond the limit of `ulimit -f`, must not end it at all: the write's own error tells, and cleans up.

use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGXFSZ};
use signal_hook::flag;
use signal_hook::iterator::{Handle, Signals};

use super::output::{Line, Look, Output};
use crate::cancel::Cancel;
use crate::error::{IoContext as _, Result};
use crate::store::{Target, Upload};

/// Listens as long as it lives.
pub(super) struct Listening {
    cancel: Cancel,
    partial: Partial,
    handle: Handle,
    thread: Option<JoinHandle<()>>,
}

/// The unfinished archive that a sudden end should not leave behind.
type Partial = Arc<Mutex<Option<PathBuf>>>;

/// Begins to listen.
///
/// # Errors
/// The system has no more room for signal handlers.
pub(super) fn listen(output: &Arc<Output>) -> Result<Listening> {
    let cannot = || "cannot listen for signals";
    let mut signals = Signals::new([SIGINT, SIGTERM]).while_doing(cannot)?;
    if !ignores_hangup() {
        signals.add_signal(SIGHUP).while_doing(cannot)?;
    }
    // Nobody reads the flag: that the signal has a handler is enough.
    flag::register(SIGXFSZ, Arc::new(AtomicBool::new(false))).while_doing(cannot)?;
    let (cancel, partial, handle) = (Cancel::new(), Partial::default(), signals.handle());
    let (asked, left, output) = (cancel.clone(), partial.clone(), output.clone());
    let thread = thread::spawn(move || {
        for signal in signals.forever() {
            if asked.is_cancelled() {
                end_at_once(signal, &left);
            }
            asked.cancel_by_signal(signal);
            // In a thread of its own: a standard error that takes nothing must not keep the second signal waiting.
            let output = output.clone();
            thread::spawn(move || {
                output.note(Line::looking(Look::Warning, "interrupted").then(": ending cleanly; once more ends at once"))
            });
        }
    });
    Ok(Listening { cancel, partial, handle, thread: Some(thread) })
}

impl Listening {
    /// Cancelled by the first signal.
    pub(super) fn cancel(&self) -> Cancel {
        self.cancel.clone()
    }

    /// The same target, whose unfinished archive is removed also when a second signal ends the process.
    pub(super) fn watch(&self, target: Box<dyn Target>) -> Box<dyn Target> {
        Box::new(Watched { target, partial: self.partial.clone() })
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.handle.close();
        // It ends with the handle, and has nothing to hand back.
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

/// Whether the process was started to outlive its terminal, as by `nohup`. Where the system does not tell, it was not.
fn ignores_hangup() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_some_and(|mask| mask & 1 << (SIGHUP - 1) != 0)
}

fn end_at_once(signal: i32, partial: &Partial) -> ! {
    if let Some(path) = partial.lock().unwrap_or_else(PoisonError::into_inner).take() {
        // What cannot be removed now is replaced by the next dump.
        let _ = std::fs::remove_file(path);
    }
    std::process::exit(128 + signal)
}

/// A target that tells where its unfinished archive stands as soon as there is one.
struct Watched {
    target: Box<dyn Target>,
    partial: Partial,
}

impl Target for Watched {
    fn location(&self) -> String {
        self.target.location()
    }

    fn occupies(&self) -> Vec<PathBuf> {
        self.target.occupies()
    }

    fn begin(self: Box<Self>) -> Result<Box<dyn Upload>> {
        // Of the two, the last is the unfinished one.
        let unfinished = self.target.occupies().pop();
        let upload = self.target.begin()?;
        *self.partial.lock().unwrap_or_else(PoisonError::into_inner) = unfinished;
        Ok(upload)
    }
}
