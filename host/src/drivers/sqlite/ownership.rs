//! Whose a database's file is, and with which permissions: as a dump records it, and as a restore gives it back.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;

use crate::archive::Entry;
use crate::archive::entry::attribute;

/// The mode of a restored file where neither an old file nor the archive names one.
const DEFAULT_MODE: u32 = 0o600;

/// The permission bits of a file.
pub(super) fn mode(file: &Metadata) -> u32 {
    file.mode() & 0o7777
}

/// The attributes that tell of a file's user and group, by number and, where they have one, by name.
pub(super) fn owner(file: &Metadata) -> Vec<(String, String)> {
    let user = uzers::get_user_by_uid(file.uid()).map(|user| user.name().to_string_lossy().into_owned());
    let group = uzers::get_group_by_gid(file.gid()).map(|group| group.name().to_string_lossy().into_owned());
    let numbers = [("uid", Some(file.uid().to_string())), ("gid", Some(file.gid().to_string())), ("user", user), ("group", group)];
    numbers.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?))).collect()
}

/// The mode, and the user and group, that a restored file shall have: those of the file that it replaces, else those that
/// the archive records. Only root can give files away, so for others the owner is nobody's choice.
pub(super) fn wanted(replaced: Option<&Metadata>, entry: &Entry) -> (u32, Option<(u32, u32)>) {
    if let Some(file) = replaced {
        return (mode(file), Some((file.uid(), file.gid())));
    }
    let recorded = entry.get(attribute::MODE).and_then(|octal| u32::from_str_radix(octal, 8).ok());
    // An archive is not to make a file that runs with somebody's rights.
    let mode = recorded.map_or(DEFAULT_MODE, |mode| mode & 0o666);
    (mode, rustix::process::geteuid().is_root().then(|| recorded_owner(entry)).flatten())
}

/// By name first: numbers differ from machine to machine.
fn recorded_owner(entry: &Entry) -> Option<(u32, u32)> {
    let number = |key: &str| entry.get(key).and_then(|text| text.parse::<u32>().ok());
    let user = entry.get("user").and_then(uzers::get_user_by_name).map(|user| user.uid()).or_else(|| number("uid"))?;
    let group = entry.get("group").and_then(uzers::get_group_by_name).map(|group| group.gid()).or_else(|| number("gid"))?;
    Some((user, group))
}
