//! What the tests of directories share: places to dump from and restore to, and the moments run as the engine runs them.

mod dump;
mod hostile;
mod restore;
mod round_trip;

use std::path::Path;
use std::sync::Arc;

use super::{Options, Selection, Unreadable, View};
use crate::cancel::Cancel;
use crate::conformance::{MemoryArchive, Recorder, context};
use crate::drivers::{Context, Driver, Ended, Extra, Outcome, RestoreOptions};
use crate::error::Result;

fn options(view: View, root: &Path) -> Options {
    Options {
        driver: "test",
        format: "test/1",
        root: root.to_owned(),
        view,
        selection: Selection::default(),
        one_file_system: false,
        unreadable: Unreadable::Fail,
    }
}

fn driver(view: View, root: &Path) -> Box<dyn Driver> {
    super::driver(options(view, root))
}

/// A context whose reports are kept.
fn recorded(extra: Option<Extra>) -> (Context, Arc<Recorder>) {
    let recorder = Arc::new(Recorder::default());
    let restore = RestoreOptions { extra, ..RestoreOptions::default() };
    (context(&Cancel::new(), &recorder, restore).unwrap(), recorder)
}

fn dump(options: Options, context: &Context) -> Result<MemoryArchive> {
    dump_after(options, context, || ())
}

/// Dumps; `between` happens after the point in time and before the copy.
fn dump_after(options: Options, context: &Context, between: impl FnOnce()) -> Result<MemoryArchive> {
    let mut driver = super::driver(options);
    let archive = MemoryArchive::new();
    driver.before_dump(context)?;
    between();
    driver.dump(context, archive.writer())?;
    archive.close()?;
    driver.after_dump(context, &Ended::Ok)?;
    assert!(archive.violations().is_empty(), "{:?}", archive.violations());
    Ok(archive)
}

fn restore(options: Options, context: &Context, archive: &MemoryArchive) -> Result<Outcome> {
    let mut driver = super::driver(options);
    let reader = archive.reader();
    let outcome = driver.before_restore(context, &reader).and_then(|()| driver.restore(context, &reader));
    driver.after_restore(context, &Ended::Ok)?;
    outcome
}

/// The user and group that may do nothing in particular.
const NOBODY: u32 = 65_534;

/// Runs `work` in a thread that has lost root's rights.
fn unprivileged<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    let drop_rights = || -> rustix::io::Result<()> {
        let (user, group) = (rustix::process::Uid::from_raw(NOBODY), rustix::process::Gid::from_raw(NOBODY));
        rustix::thread::set_thread_groups(&[])?;
        rustix::thread::set_thread_res_gid(group, group, group)?;
        rustix::thread::set_thread_res_uid(user, user, user)
    };
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            if rustix::process::geteuid().is_root() {
                drop_rights().unwrap();
            }
            work()
        });
        thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}
