//! `dump`: copies what was listed into entries, and notices what is no longer as it was listed.

use std::fs::File;
use std::io::{self, Read};

use driver_guest::{Entry, EntryWriter, FindingKind, Result, Unit, Writer, check_cancelled, control, io_error};

use crate::Settings;
use crate::list::{Inventory, Listed, Stamp};

/// Copies an inventory.
///
/// # Errors
/// A file cannot be read; the archive cannot be written; the run is cancelled.
pub(crate) fn copy(settings: &Settings, inventory: &Inventory, into: &Writer) -> Result<()> {
    let mut buffer = vec![0; settings.chunk];
    let mut done = 0;
    for listed in &inventory.files {
        check_cancelled()?;
        file(settings, listed, into, &mut buffer)?;
        done += listed.stamp.size;
        control::progress(done, Some(inventory.bytes), Unit::Bytes);
    }
    Ok(())
}

fn file(settings: &Settings, listed: &Listed, into: &Writer, buffer: &mut [u8]) -> Result<()> {
    let name = &listed.name;
    let cannot_read = |why: &io::Error| io_error(format!("cannot read `{name}`"), why);
    let opened = File::open(settings.path.join(name)).and_then(|file| Ok((Stamp::of(&file.metadata()?), file)));
    let (stamp, mut file) = match opened {
        Ok(opened) => opened,
        Err(why) if why.kind() == io::ErrorKind::NotFound => {
            control::finding(FindingKind::Vanished, name, "it was gone when it was to be copied");
            return Ok(());
        }
        Err(why) => return Err(cannot_read(&why)),
    };
    let entry = into.create(&Entry { name: name.clone(), modified: Some(stamp.modified()), attributes: Vec::new() })?;
    let copied = contents(&mut file, stamp.size, &entry, buffer, cannot_read)?;
    entry.finish()?;
    let after = file.metadata().map_err(|why| cannot_read(&why))?;
    if copied != stamp.size || Stamp::of(&after) != stamp {
        control::finding(FindingKind::Changed, name, "it changed while it was copied");
    } else if stamp != listed.stamp {
        control::finding(FindingKind::Changed, name, "it changed after it was listed");
    }
    Ok(())
}

/// Copies `size` bytes, or fewer where the file has become shorter. Says how many they were.
fn contents(
    file: &mut File,
    size: u64,
    entry: &EntryWriter,
    buffer: &mut [u8],
    cannot: impl Fn(&io::Error) -> driver_guest::Error,
) -> Result<u64> {
    let mut copied = 0;
    while copied < size {
        let most = buffer.len().min(usize::try_from(size - copied).unwrap_or(usize::MAX));
        // The host may give less than it was asked for: a chunk is filled before it travels.
        let filled = fill(file, &mut buffer[..most]).map_err(|why| cannot(&why))?;
        if filled == 0 {
            break;
        }
        entry.write(&buffer[..filled])?;
        copied += filled as u64;
    }
    Ok(copied)
}

fn fill(file: &mut File, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match file.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(more) => filled += more,
            Err(why) if why.kind() == io::ErrorKind::Interrupted => {}
            Err(why) => return Err(why),
        }
    }
    Ok(filled)
}
