//! How a file's metadata stands in an entry's attributes, and how it is read back.
//!
//! Beside the attributes that the zip repeats (`type`, `mode`, `target`): `uid`, `gid` (decimal), `user`, `group` (their names,
//! where they have one), `allocated` (of a file with holes, the bytes that it takes on the disk) and `xattr.NAME` (an extended
//! attribute: its name percent-escaped, its value in base64).

use std::collections::HashMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::View;
use super::stat::{Meta, Sort, Time};
use super::xattrs::Xattr;
use crate::archive::Entry;
use crate::archive::entry::attribute;
use crate::archive::{escape, unescape};
use crate::error::{Error, Result};
use crate::name::EntryName;

const UID: &str = "uid";
const GID: &str = "gid";
const USER: &str = "user";
const GROUP: &str = "group";
const ALLOCATED: &str = "allocated";
const XATTR: &str = "xattr.";

/// Writes metadata into entries; remembers the names of users and groups.
#[derive(Default)]
pub(super) struct Describer {
    users: HashMap<u32, Option<String>>,
    groups: HashMap<u32, Option<String>>,
}

impl Describer {
    /// The entry of a file, directory or link.
    pub(super) fn entry(&mut self, view: View, name: &EntryName, meta: &Meta, xattrs: Vec<Xattr>) -> Entry {
        let mut entry = Entry { name: name.clone(), modified: meta.stamp.modified.timestamp(), attributes: Vec::new() };
        match meta.sort {
            Sort::Directory => entry = entry.attribute(attribute::TYPE, attribute::DIRECTORY),
            Sort::Symlink => entry = entry.attribute(attribute::TYPE, attribute::SYMLINK),
            _ => {}
        }
        if meta.sort != Sort::Symlink {
            entry = entry.attribute(attribute::MODE, format!("{:04o}", meta.mode));
        }
        if view == View::Objects {
            return entry;
        }
        entry = entry.attribute(UID, meta.uid.to_string()).attribute(GID, meta.gid.to_string());
        if let Some(user) = self.users.entry(meta.uid).or_insert_with(|| user_name(meta.uid)) {
            entry = entry.attribute(USER, user.as_str());
        }
        if let Some(group) = self.groups.entry(meta.gid).or_insert_with(|| group_name(meta.gid)) {
            entry = entry.attribute(GROUP, group.as_str());
        }
        if meta.sort == Sort::File && meta.allocated < meta.stamp.size {
            entry = entry.attribute(ALLOCATED, meta.allocated.to_string());
        }
        for (name, value) in xattrs {
            entry = entry.attribute(format!("{XATTR}{}", escape(&EntryName::from_bytes(name))), BASE64.encode(value));
        }
        entry
    }
}

/// The entry of one more name of a file.
pub(super) fn hard_link(name: &EntryName, meta: &Meta, first: &EntryName) -> Entry {
    let entry = Entry { name: name.clone(), modified: meta.stamp.modified.timestamp(), attributes: Vec::new() };
    entry.attribute(attribute::TYPE, attribute::HARDLINK).attribute(attribute::TARGET, escape(first))
}

fn user_name(uid: u32) -> Option<String> {
    uzers::get_user_by_uid(uid)?.name().to_str().map(str::to_owned)
}

fn group_name(gid: u32) -> Option<String> {
    uzers::get_group_by_gid(gid)?.name().to_str().map(str::to_owned)
}

/// What a restore is to make of an entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wanted {
    pub(super) sort: WantedSort,
    pub(super) modified: Option<Time>,
    pub(super) mode: Option<u32>,
    pub(super) user: Owner,
    pub(super) group: Owner,
    /// The bytes that it takes on the disk, where that is less than its size.
    pub(super) allocated: Option<u64>,
    /// None where the set's view knows of none, and a restore leaves them alone.
    pub(super) xattrs: Option<Vec<Xattr>>,
}

/// A user or group: by its name where the system has one of that name, or else by its number.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Owner {
    pub(super) name: Option<String>,
    pub(super) number: Option<u32>,
}

/// What sort of thing an entry is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum WantedSort {
    File,
    Directory,
    Symlink,
    /// One more name of this entry's file.
    HardLink(EntryName),
}

impl Wanted {
    /// Reads an entry's attributes.
    ///
    /// # Errors
    /// They are not what a dump writes: the entry is damaged, or made to do harm.
    pub(super) fn of(view: View, entry: &Entry) -> Result<Self> {
        let sort = sort(entry)?;
        if view == View::Objects && sort != WantedSort::File {
            return Err(bad(entry, attribute::TYPE, "is not that of an object"));
        }
        let owner = |name: &str, number: &str| -> Result<Owner> {
            Ok(Owner { name: entry.get(name).map(str::to_owned), number: parsed(entry, number, |text| text.parse().ok())? })
        };
        Ok(Self {
            sort,
            modified: entry.modified.map(Time::from),
            mode: parsed(entry, attribute::MODE, |text| u32::from_str_radix(text, 8).ok().filter(|mode| *mode <= 0o7777))?,
            user: owner(USER, UID)?,
            group: owner(GROUP, GID)?,
            allocated: parsed(entry, ALLOCATED, |text| text.parse().ok())?,
            xattrs: if view == View::Files { Some(xattrs(entry)?) } else { None },
        })
    }
}

fn sort(entry: &Entry) -> Result<WantedSort> {
    match entry.get(attribute::TYPE) {
        None => Ok(WantedSort::File),
        Some(attribute::DIRECTORY) => Ok(WantedSort::Directory),
        Some(attribute::SYMLINK) => Ok(WantedSort::Symlink),
        Some(attribute::HARDLINK) => {
            let target = parsed(entry, attribute::TARGET, unescape)?;
            Ok(WantedSort::HardLink(target.ok_or_else(|| bad(entry, attribute::TARGET, "is missing"))?))
        }
        Some(_) => Err(bad(entry, attribute::TYPE, "is none that this version knows")),
    }
}

fn xattrs(entry: &Entry) -> Result<Vec<Xattr>> {
    let found = entry.attributes.iter().filter_map(|(key, value)| Some((key.strip_prefix(XATTR)?, value)));
    found
        .map(|(name, value)| {
            let exact = unescape(name).filter(|name| !name.as_bytes().is_empty() && !name.as_bytes().contains(&0));
            let value = BASE64.decode(value).ok();
            exact.zip(value).map(|(name, value)| (name.as_bytes().to_vec(), value))
        })
        .map(|found| found.ok_or_else(|| bad(entry, XATTR, "is not a name with a value in base64")))
        .collect()
}

fn parsed<T>(entry: &Entry, key: &str, parse: impl FnOnce(&str) -> Option<T>) -> Result<Option<T>> {
    match entry.get(key) {
        Some(text) => parse(text).map(Some).ok_or_else(|| bad(entry, key, "cannot be read")),
        None => Ok(None),
    }
}

fn bad(entry: &Entry, key: &str, why: &str) -> Error {
    Error::corrupt(format!("the attribute `{key}` of `{}` {why}", entry.name))
}
