//! Who has a database open: what `/proc` tells of other processes' files, and what their locks tell where it does not.

use std::collections::BTreeMap;
use std::fs::{self, File, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use rustix::process::{Flock, FlockType, fcntl_getlk};

use super::database::beside;
use crate::error::{Error, ErrorKind};

/// The files that belong to a database; the first is the database itself.
pub(super) const FILES: [&str; 4] = ["", "-wal", "-shm", "-journal"];

/// Where SQLite locks a database's file: the pending byte, the reserved byte, and 510 bytes for readers ("os.h").
const DATABASE_LOCKS: (u64, u64) = (0x4000_0000, 512);

/// Where SQLite locks the `-shm`: eight locks and the dead man's switch ("wal.c", "os_unix.c").
const SHM_LOCKS: (u64, u64) = (120, 9);

/// The other processes that have the database at `path`, or one of its side files, open or locked: their ids and, where the
/// system tells, commands.
pub(super) fn holders(path: &Path) -> BTreeMap<u32, String> {
    let files: Vec<Metadata> = FILES.iter().filter_map(|suffix| fs::metadata(beside(path, suffix)).ok()).collect();
    let mut found: BTreeMap<u32, String> = BTreeMap::new();
    for process in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(id) = process.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        if id != std::process::id() && has_open(&process.path(), &files) {
            found.insert(id, command(id));
        }
    }
    for (suffix, range) in [("", DATABASE_LOCKS), ("-shm", SHM_LOCKS)] {
        if let Some(id) = locker(&beside(path, suffix), range) {
            found.entry(id).or_insert_with(|| command(id));
        }
    }
    found
}

/// Who has it open, or at least that somebody has: for when SQLite met a lock.
pub(super) fn somebody(path: &Path) -> BTreeMap<u32, String> {
    let mut found = holders(path);
    if found.is_empty() {
        found.insert(0, "another process".to_owned());
    }
    found
}

/// The error that names them.
pub(super) fn in_use(path: &Path, holders: &BTreeMap<u32, String>) -> Error {
    let named: Vec<String> =
        holders.iter().map(|(id, command)| if *id == 0 { command.clone() } else { format!("{command} (process {id})") }).collect();
    let error = Error::new(ErrorKind::Unavailable, format!("`{}` is open in {}", path.display(), named.join(", ")))
        .hint("stop the application first: what it writes after the restore would be lost")
        .retryable();
    holders.iter().filter(|(id, _)| **id != 0).fold(error, |error, (id, command)| error.with(format!("process {id}"), command))
}

fn has_open(process: &Path, files: &[Metadata]) -> bool {
    let Ok(descriptors) = fs::read_dir(process.join("fd")) else { return false };
    descriptors.flatten().any(|descriptor| {
        let is_path = fs::read_link(descriptor.path()).is_ok_and(|points_to| points_to.is_absolute());
        is_path
            && fs::metadata(descriptor.path())
                .is_ok_and(|open| files.iter().any(|file| (file.dev(), file.ino()) == (open.dev(), open.ino())))
    })
}

/// Who holds a lock that a writer would have to wait for; 0 where the system does not tell, as of a process in another
/// container.
fn locker(path: &Path, (start, length): (u64, u64)) -> Option<u32> {
    let file = File::open(path).ok()?;
    let mut wanted = Flock::from(FlockType::WriteLock);
    wanted.start = start;
    wanted.length = length;
    let held = fcntl_getlk(&file, &wanted).ok()??;
    Some(held.pid.map_or(0, |id| id.as_raw_nonzero().get().unsigned_abs()))
}

/// A process's name, without its arguments: those may hold secrets.
fn command(id: u32) -> String {
    let name = fs::read_to_string(format!("/proc/{id}/comm")).unwrap_or_default();
    match name.trim() {
        "" => "another process".to_owned(),
        name => format!("`{}`", name.escape_debug()),
    }
}
