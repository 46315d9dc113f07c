//! `restore`: brings the target to what the archive holds. What is to go goes first; then each file is written beside its name,
//! renamed when it is whole. The host syncs what was written.

use std::fs::{self, File, FileTimes};
use std::io::{self, Read, Write};
use std::path::Path;

use driver_guest::{EntryInfo, Reader, Result, Unit, check_cancelled, control, each_entry, io_error, system_time};

use crate::Settings;
use crate::inspect::{Doomed, Plan};
use crate::list::Stamp;
use crate::temporary::Temporary;

/// What a restore did.
#[derive(Default)]
pub(crate) struct Done {
    written: u64,
    repaired: u64,
    unchanged: u64,
    deleted: u64,
}

impl Done {
    /// For the summary.
    pub(crate) fn notes(&self) -> Vec<(String, String)> {
        let counts = [("written", self.written), ("repaired", self.repaired), ("unchanged", self.unchanged), ("deleted", self.deleted)];
        counts.into_iter().filter(|(_, count)| *count > 0).map(|(what, count)| (what.to_owned(), count.to_string())).collect()
    }
}

/// Restores what `plan` allows.
///
/// # Errors
/// The target cannot be written; the archive is damaged; the run is cancelled. Each file is then what it was, or what it is to
/// be.
pub(crate) fn place(settings: &Settings, plan: Plan, source: &Reader) -> Result<Done> {
    fs::create_dir_all(&settings.path).map_err(|why| io_error(format!("cannot make the directory `{}`", settings.path.display()), &why))?;
    let mut placer =
        Placer { settings, source, fresh: plan.fresh, buffer: vec![0; settings.chunk], directory: String::new(), done: Done::default() };
    placer.delete(&plan)?;
    let mut bytes = 0;
    each_entry(source, |info| {
        check_cancelled()?;
        bytes += info.size;
        placer.entry(&info)?;
        control::progress(bytes, Some(plan.bytes), Unit::Bytes);
        Ok(())
    })?;
    Ok(placer.done)
}

struct Placer<'a> {
    settings: &'a Settings,
    source: &'a Reader,
    fresh: bool,
    buffer: Vec<u8>,
    /// The directory that was made last.
    directory: String,
    done: Done,
}

impl Placer<'_> {
    fn delete(&mut self, plan: &Plan) -> Result<()> {
        let root = &self.settings.path;
        let tolerant = |name: &str, removed: io::Result<()>| match removed {
            Err(why) if why.kind() != io::ErrorKind::NotFound => Err(io_error(format!("cannot delete `{name}`"), &why)),
            _ => Ok(()),
        };
        for name in &plan.leftovers {
            tolerant(name, fs::remove_file(root.join(name)))?;
        }
        for doomed in &plan.doomed {
            check_cancelled()?;
            match doomed {
                Doomed::File(name) => {
                    tolerant(name, fs::remove_file(root.join(name)))?;
                    remove_emptied(root, name);
                }
                Doomed::Directory(name) => tolerant(name, fs::remove_dir_all(root.join(name)))?,
            }
            self.done.deleted += 1;
        }
        Ok(())
    }

    fn entry(&mut self, info: &EntryInfo) -> Result<()> {
        let name = &info.entry.name;
        let path = self.settings.path.join(name);
        if !self.fresh && self.keep(&path, info)? {
            return Ok(());
        }
        let cannot = |why: io::Error| io_error(format!("cannot write `{name}`"), &why);
        self.make_directory(name)?;
        let entry = self.source.open(name)?;
        let mut temporary = Temporary::beside(&path).map_err(cannot)?;
        while let Some(chunk) = entry.read(self.settings.chunk as u32)? {
            temporary.file.write_all(&chunk).map_err(cannot)?;
        }
        set_modified(&temporary.file, info).map_err(cannot)?;
        temporary.put(&path).map_err(cannot)?;
        self.done.written += 1;
        Ok(())
    }

    fn make_directory(&mut self, name: &str) -> Result<()> {
        let directory = name.rsplit_once('/').map_or("", |(directory, _)| directory);
        if directory != self.directory {
            let path = self.settings.path.join(directory);
            fs::create_dir_all(path).map_err(|why| io_error(format!("cannot make the directory `{directory}`"), &why))?;
            self.directory = directory.to_owned();
        }
        Ok(())
    }

    /// Leaves a file in place whose content is that of the entry already. Says whether it did.
    fn keep(&mut self, path: &Path, info: &EntryInfo) -> Result<bool> {
        let there = fs::symlink_metadata(path);
        let Some(there) = there.ok().filter(|there| there.is_file() && there.len() == info.size) else { return Ok(false) };
        // What cannot be read is replaced.
        let Ok(mut file) = File::open(path) else { return Ok(false) };
        let entry = self.source.open(&info.entry.name)?;
        while let Some(chunk) = entry.read(self.settings.chunk as u32)? {
            let same = self.buffer.get_mut(..chunk.len()).is_some_and(|buffer| file.read_exact(buffer).is_ok() && buffer == chunk);
            if !same {
                return Ok(false);
            }
        }
        if info.entry.modified.is_none_or(|modified| same_time(modified, Stamp::of(&there).modified())) {
            self.done.unchanged += 1;
            return Ok(true);
        }
        let file = File::options().write(true).open(path);
        file.and_then(|file| set_modified(&file, info))
            .map_err(|why| io_error(format!("cannot set the time of `{}`", info.entry.name), &why))?;
        self.done.repaired += 1;
        Ok(true)
    }
}

fn same_time(one: driver_guest::Timestamp, other: driver_guest::Timestamp) -> bool {
    one.seconds == other.seconds && one.nanoseconds == other.nanoseconds
}

fn set_modified(file: &File, info: &EntryInfo) -> io::Result<()> {
    match info.entry.modified.and_then(system_time) {
        Some(modified) => file.set_times(FileTimes::new().set_modified(modified)),
        None => Ok(()),
    }
}

/// Removes the directories above a deleted file that hold nothing any more.
fn remove_emptied(root: &Path, name: &str) {
    let mut above = name.rsplit_once('/');
    while let Some((directory, _)) = above
        && fs::remove_dir(root.join(directory)).is_ok()
    {
        above = directory.rsplit_once('/');
    }
}
