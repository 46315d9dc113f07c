//! Archives that no dump of this driver wrote: valid to the reader, wrong to the driver.

use super::super::{Contents, MemoryArchive};
use super::faults::Over;
use super::{Stop, Suite, look, noise, overwrite, same, tidy};
use crate::archive::entry::attribute;
use crate::archive::{Entry, EntryInfo};
use crate::name::EntryName;

/// Each entry wrong in each way, one at a time: the driver may refuse it or take it, but it survives, cleans up, and leaves
/// nothing outside its target.
pub(super) fn wrong_in_one_way(suite: &Suite<'_>) -> Result<(), Stop> {
    let over = Over::new(suite)?;
    let entries = over.archive.entries();
    let mut taken = 0;
    for at in 0..entries.len() {
        for wrong in WRONGS {
            let archive = spoilt(&over.archive, &entries, at, wrong);
            let name = &entries[at].entry.name;
            let target = suite.filled(&over.old)?;
            let context = |how: String| format!("entry `{name}` is wrong ({wrong:?}): {how}");
            let restored = suite.restore_with(target.as_ref(), &archive, overwrite(), |reader| reader).map_err(context)?;
            tidy(target.as_ref()).map_err(context)?;
            taken += u32::from(restored.result.is_ok());
            if restored.refused {
                let left: Contents = look(target.as_ref()).map_err(context)?;
                same(&over.old, &left).map_err(|how| context(format!("`before_restore` changed the target: {how}")))?;
            }
        }
    }
    suite.tried(format!("{} archives, {taken} of them taken", entries.len() * WRONGS.len()));
    Ok(())
}

/// A way in which an entry can be wrong.
#[derive(Clone, Copy, Debug)]
enum Wrong {
    /// It is not there.
    Lost,
    /// Its content is cut.
    Cut,
    /// Its content is noise of the same size.
    Noise,
    /// It has no attributes.
    Bare,
    /// Its attributes say nonsense.
    Nonsense,
    /// It is said to be of this type.
    Type(&'static str),
    /// It was modified at the end of time.
    Late,
    /// It has this name.
    Renamed(&'static str),
    /// Another entry stands below it.
    Below,
    /// It is a symbolic link out of the target, and another entry stands below it.
    ThroughLink,
}

const WRONGS: &[Wrong] = &[
    Wrong::Lost,
    Wrong::Cut,
    Wrong::Noise,
    Wrong::Bare,
    Wrong::Nonsense,
    Wrong::Type(attribute::DIRECTORY),
    Wrong::Type(attribute::SYMLINK),
    Wrong::Type(attribute::HARDLINK),
    Wrong::Type("socket"),
    Wrong::Late,
    Wrong::Renamed(""),
    Wrong::Renamed("."),
    Wrong::Renamed("../outside"),
    Wrong::Renamed("/"),
    Wrong::Renamed("a//b/"),
    Wrong::Renamed("sub"),
    Wrong::Renamed("nul\0inside"),
    Wrong::Below,
    Wrong::ThroughLink,
];

/// The archive with its entry `at` wrong.
fn spoilt(whole: &MemoryArchive, entries: &[EntryInfo], at: usize, wrong: &Wrong) -> MemoryArchive {
    let archive = MemoryArchive::new();
    for (number, info) in entries.iter().enumerate() {
        let content = whole.content(&info.entry.name).unwrap_or_default();
        if number == at {
            put_wrong(&archive, &info.entry, &content, *wrong);
        } else {
            archive.put(info.entry.clone(), content);
        }
    }
    archive
}

fn put_wrong(archive: &MemoryArchive, entry: &Entry, content: &[u8], wrong: Wrong) {
    let mut entry = entry.clone();
    let mut content = content.to_vec();
    match wrong {
        Wrong::Lost => return,
        Wrong::Cut => content.truncate(content.len() / 2),
        Wrong::Noise => content = noise(12, content.len().max(10)),
        Wrong::Bare => entry.attributes.clear(),
        Wrong::Nonsense => entry.attributes.iter_mut().for_each(|(_, value)| *value = "\u{1} nonsense \u{202e}".into()),
        Wrong::Type(kind) => {
            entry.attributes.retain(|(key, _)| key != attribute::TYPE && key != attribute::TARGET);
            entry = entry.attribute(attribute::TYPE, kind).attribute(attribute::TARGET, "../outside");
        }
        Wrong::Late => entry.modified = Some(jiff::Timestamp::MAX),
        Wrong::Renamed(odd) => entry.name = EntryName::from(odd),
        Wrong::Below => put_below(archive, &entry, &content),
        Wrong::ThroughLink => {
            put_below(archive, &entry, &content);
            entry.attributes.retain(|(key, _)| key != attribute::TYPE);
            entry = entry.attribute(attribute::TYPE, attribute::SYMLINK);
            content = up(&entry.name).into_bytes();
        }
    }
    archive.put(entry, content);
}

fn put_below(archive: &MemoryArchive, entry: &Entry, content: &[u8]) {
    let below = [entry.name.as_bytes(), b"/below"].concat();
    archive.put(Entry { name: EntryName::from_bytes(below), ..entry.clone() }, content);
}

/// The way from an entry of this name to beside its set's root: `../..` from `a/b`.
fn up(name: &EntryName) -> String {
    let depth = name.as_bytes().iter().filter(|byte| **byte == b'/').count();
    vec![".."; depth + 1].join("/")
}
