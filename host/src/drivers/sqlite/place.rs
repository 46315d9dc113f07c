//! Putting a new database in the place of an old one, so that no moment at which the process may be killed leaves a mixture.
//!
//! What makes it delicate: a `-wal` or a hot `-journal` is found by its *name*. One of the old database's beside the new file
//! would be played into it, and one that is removed while the old file still stands takes committed transactions with it.
//! So the order is:
//!
//! 1. The new file is written beside the target, under a name of its own, checked and synced. Killed here: the target is as
//!    it was, and a file `.NAME.restoring` is left, which the next restore takes away.
//! 2. The old database is *settled*: opened with an exclusive lock, which rolls a hot journal back and checkpoints the WAL
//!    into the file, by SQLite's own crash-safe means. Killed here: the old database, whole.
//! 3. Under that lock its side files, now without content, are removed, and the directory synced. Killed here: the old
//!    database, whole in its one file.
//! 4. The new file is renamed over it, and the directory synced. Killed here: the one or the other, whole.
//!
//! An old database that SQLite cannot open any more cannot be settled. Then, with `--recreate` only, the *database* goes
//! first and its side files after it: killed between, there is no database, which nobody takes for a good one (SQLite
//! itself throws away the `-wal` and `-journal` of a database that is empty or missing), and the restore can be repeated.

use std::ffi::OsString;
use std::fs::{self, File, Metadata, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};
use rustix::fs::FlockOperation;

use super::database::{beside, fault, is_busy};
use super::holders::{FILES, holders, in_use, somebody};
use super::target::{Present, Target};
use crate::error::{Error, ErrorKind, IoContext, Result};

/// A database that is written beside the place that it will take. Dropped before, it is removed.
pub(super) struct NewFile {
    pub(super) path: PathBuf,
    file: File,
    placed: bool,
}

/// The name under which the new file for `target` is written.
pub(super) fn partial_name(target: &Path) -> PathBuf {
    let mut name = OsString::from(".");
    name.push(target.file_name().unwrap_or_default());
    name.push(".restoring");
    target.with_file_name(name)
}

impl NewFile {
    /// Makes it, empty and for this user alone; takes away what a killed restore left.
    pub(super) fn create(target: &Path) -> Result<Self> {
        let path = partial_name(target);
        let shown = path.display().to_string();
        take_away_leftover(&path)?;
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path)
            .while_doing(|| format!("cannot create `{shown}`"))?;
        let new = Self { path, file, placed: false };
        rustix::fs::flock(&new.file, FlockOperation::NonBlockingLockExclusive)
            .map_err(|cause| Error::io(format!("cannot lock `{shown}`"), &cause.into()))?;
        Ok(new)
    }

    /// Adds bytes at the end.
    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.file.write_all(bytes).while_doing(|| format!("cannot write `{}`", self.path.display()))
    }

    /// Gives the file to whom it shall belong; tells why, where that cannot be.
    pub(super) fn give(&self, mode: u32, owner: Option<(u32, u32)>) -> Result<Option<String>> {
        let mut refusal = None;
        if let Some((user, group)) = owner {
            let present = self.file.metadata().while_doing(|| format!("cannot look at `{}`", self.path.display()))?;
            if (present.uid(), present.gid()) != (user, group) {
                refusal = std::os::unix::fs::fchown(&self.file, Some(user), Some(group)).err().map(|cause| {
                    format!("the database stays with user {} and group {}, not {user} and {group}: {cause}", present.uid(), present.gid())
                });
            }
        }
        let permissions = Permissions::from_mode(mode);
        self.file.set_permissions(permissions).while_doing(|| format!("cannot set the mode of `{}`", self.path.display()))?;
        Ok(refusal)
    }

    /// Makes its content survive a power cut.
    pub(super) fn sync(&self) -> Result<()> {
        self.file.sync_all().while_doing(|| format!("cannot sync `{}`", self.path.display()))
    }

    /// Puts it in its place: steps 2 to 4.
    pub(super) fn place(mut self, target: &Target) -> Result<()> {
        let settled = match &target.present {
            Present::Nothing => None,
            Present::Database { file, .. } => Some(settle(&target.path, file)?),
            Present::Wreck(_) => {
                refuse_if_open(&target.path)?;
                remove(&target.path)?;
                sync_directory(&target.path)?;
                None
            }
        };
        for suffix in &FILES[1..] {
            remove(&beside(&target.path, suffix))?;
        }
        sync_directory(&target.path)?;
        fs::rename(&self.path, &target.path)
            .while_doing(|| format!("cannot put the new file in the place of `{}`", target.path.display()))?;
        self.placed = true;
        sync_directory(&target.path)?;
        // Its lock kept others out until now. What it has open bears no name any more.
        drop(settled);
        Ok(())
    }
}

impl Drop for NewFile {
    fn drop(&mut self) {
        if !self.placed {
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn take_away_leftover(path: &Path) -> Result<()> {
    let Ok(found) = OpenOptions::new().read(true).custom_flags(nofollow()).open(path) else { return remove(path) };
    match rustix::fs::flock(&found, FlockOperation::NonBlockingLockExclusive) {
        Err(rustix::io::Errno::WOULDBLOCK) => {
            Err(Error::new(ErrorKind::Unavailable, format!("another restore is writing `{}`", path.display()))
                .hint("wait until it is over"))
        }
        _ => remove(path),
    }
}

fn nofollow() -> i32 {
    i32::try_from((rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK).bits()).unwrap_or(0)
}

/// Brings all that the old database's side files hold into its file, and locks everybody out: step 2.
fn settle(path: &Path, examined: &Metadata) -> Result<Connection> {
    refuse_if_open(path)?;
    let present = fs::metadata(path).while_doing(|| format!("cannot look at `{}`", path.display()))?;
    if (present.dev(), present.ino()) != (examined.dev(), examined.ino()) {
        return Err(Error::new(ErrorKind::Unavailable, format!("`{}` was replaced after it was checked", path.display()))
            .hint("stop the application, and restore again"));
    }
    let lock = || -> rusqlite::Result<(Connection, bool)> {
        let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
        connection.busy_timeout(Duration::ZERO)?;
        // The lock then outlives the transaction, and the WAL's index stays in memory.
        connection.pragma_update(None, "locking_mode", "exclusive")?;
        connection.execute_batch("BEGIN EXCLUSIVE; COMMIT")?;
        let kept_out = connection.query_row("PRAGMA wal_checkpoint(truncate)", [], |row| row.get(0))?;
        // What it would do on closing, it would do by name: to files that are then another database's.
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
        Ok((connection, kept_out))
    };
    match lock() {
        Ok((connection, false)) => Ok(connection),
        Ok((_, true)) => Err(in_use(path, &somebody(path))),
        Err(error) if is_busy(&error) => Err(in_use(path, &somebody(path))),
        Err(error) => Err(fault(path, &error)),
    }
}

fn refuse_if_open(path: &Path) -> Result<()> {
    let open_in = holders(path);
    if open_in.is_empty() { Ok(()) } else { Err(in_use(path, &open_in)) }
}

fn remove(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(cause) if cause.kind() != io::ErrorKind::NotFound => Err(Error::io(format!("cannot remove `{}`", path.display()), &cause)),
        _ => Ok(()),
    }
}

fn sync_directory(path: &Path) -> Result<()> {
    let directory = path.parent().unwrap_or(Path::new("/"));
    File::open(directory).and_then(|directory| directory.sync_all()).while_doing(|| format!("cannot sync `{}`", directory.display()))
}
