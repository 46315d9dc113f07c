//! One restore: the archive's image is judged, written beside its place, checked, and put there.

use super::check::{Remarks, check};
use super::header::{HEADER, Header};
use super::place::NewFile;
use super::settings::{Check, Configured};
use super::target::Target;
use super::{ENTRY, FORMAT, ownership};
use crate::archive::{EntryInfo, EntryReader, Reader};
use crate::drivers::{Context, Outcome, Unit};
use crate::error::{Error, IoContext, Result};
use crate::name::EntryName;

/// How many bytes are taken from the archive at a time.
const CHUNK: usize = 1 << 20;

/// A restore whose target was examined.
pub(super) struct Restore {
    target: Target,
    check: Check,
}

impl Restore {
    /// Judges image and target, and writes nothing.
    pub(super) fn prepare(settings: &Configured, context: &Context, source: &dyn Reader) -> Result<Self> {
        let info = only_entry(source)?;
        let mut start = vec![0; HEADER];
        let count = source.open(&info.entry.name)?.fill(&mut start)?;
        judge(&info, &start[..count])?;
        Ok(Self { target: Target::examine(&settings.path, info.size, context)?, check: settings.check })
    }

    /// Restores. Whatever fails before the new database takes its place leaves the old one as it was.
    pub(super) fn run(self, context: &Context, source: &dyn Reader) -> Result<Outcome> {
        let (new, wal) = self.make(context, source).map_err(Error::untouched)?;
        new.place(&self.target)?;
        Ok(Outcome::new(FORMAT).note("replaced", self.target.holds()).note("journal_mode", if wal { "wal" } else { "rollback" }))
    }

    /// Makes the new database beside its place, whole and checked; says whether it is in WAL mode.
    fn make(&self, context: &Context, source: &dyn Reader) -> Result<(NewFile, bool)> {
        let info = only_entry(source)?;
        let path = &self.target.path;
        if let Some(directory) = path.parent() {
            std::fs::create_dir_all(directory).while_doing(|| format!("cannot create `{}`", directory.display()))?;
        }
        let mut new = NewFile::create(path)?;
        let wal = write(&mut new, &info, &mut *source.open(&info.entry.name)?, context)?;
        let (mode, owner) = ownership::wanted(self.target.file(), &info.entry);
        if let Some(refusal) = new.give(mode, owner)? {
            context.warn(refusal);
        }
        tell(sync_and_check(&new, self.check, context)?, context);
        context.check()?;
        Ok((new, wal))
    }
}

/// The set's one entry.
fn only_entry(source: &dyn Reader) -> Result<EntryInfo> {
    let mut entries = source.entries()?;
    let mut found = entries.next(2)?;
    match (found.pop(), found.is_empty()) {
        (Some(info), true) if info.entry.name == EntryName::from(ENTRY) => Ok(info),
        _ => Err(Error::corrupt(format!("an `sqlite` set has one entry, `{ENTRY}`, and this one has {}", source.totals().entries))),
    }
}

/// Whether this can be the image that the archive says it is; tells whether it is in WAL mode. An empty file is an empty
/// database.
fn judge(info: &EntryInfo, start: &[u8]) -> Result<bool> {
    if info.size == 0 {
        return Ok(false);
    }
    let header = Header::read(start).map_err(|why| Error::corrupt(format!("`{ENTRY}` is not an SQLite database: {why}")))?;
    header.check_size(info.size).map_err(|error| error.while_(format!("`{ENTRY}`")))?;
    match info.entry.get("page_size") {
        Some(recorded) if recorded != header.page_size.to_string() => Err(Error::corrupt(format!(
            "`{ENTRY}` has pages of {} bytes, and the archive recorded {}",
            header.page_size,
            recorded.escape_debug()
        ))),
        _ => Ok(header.wal),
    }
}

fn write(new: &mut NewFile, info: &EntryInfo, reader: &mut dyn EntryReader, context: &Context) -> Result<bool> {
    let mut buffer = vec![0; CHUNK];
    let (mut done, mut wal) = (0, false);
    loop {
        let count = reader.fill(&mut buffer)?;
        if done == 0 {
            wal = judge(info, &buffer[..count])?;
        }
        if count == 0 {
            return Ok(wal);
        }
        new.write(&buffer[..count])?;
        done += count as u64;
        context.progress(done, Some(info.size), Unit::Bytes);
        context.check()?;
    }
}

/// The disk and the processor are busy with one each.
fn sync_and_check(new: &NewFile, how: Check, context: &Context) -> Result<Remarks> {
    std::thread::scope(|scope| {
        let synced = scope.spawn(|| new.sync());
        let checked = check(&new.path, how, &context.cancel);
        let synced = synced.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        checked.and_then(|remarks| synced.map(|()| remarks))
    })
}

fn tell(remarks: Remarks, context: &Context) {
    for line in remarks.rows {
        context.warn(format!("the database breaks a rule of its own schema, as it did when it was dumped: {line}"));
    }
    for line in remarks.unchecked {
        context.warn(format!("a table could not be checked, since it needs something of the application's: {line}"));
    }
}
