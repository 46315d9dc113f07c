//! Walks a directory: what a dump will copy, and what stands in the target of a restore.

use std::fs;
use std::path::Path;

use driver_guest::{ErrorKind, Level, Problems, Result, Timestamp, check_cancelled, io_error, log, timestamp, warn};

use crate::temporary;

/// What stands below a directory.
pub(crate) trait Visitor {
    /// A regular file.
    ///
    /// # Errors
    /// As the visitor has them.
    fn file(&mut self, name: &str, item: &fs::DirEntry) -> Result<()>;

    /// A directory; after it comes what is in it.
    fn directory(&mut self, _name: &str) {}

    /// Something else: a link, a socket, a device.
    fn other(&mut self, _name: &str, _is_link: bool) {}

    /// A file that an interrupted restore left behind.
    fn leftover(&mut self, _name: &str) {}

    /// Something whose name an archive cannot hold, shown as well as it can be.
    fn unnameable(&mut self, shown: &str);
}

/// Shows `visitor` everything below `root`, each directory's names in their order.
///
/// # Errors
/// A directory cannot be read; the visitor fails; the run is cancelled.
pub(crate) fn walk(root: &Path, visitor: &mut impl Visitor) -> Result<()> {
    walk_below(root, "", visitor)
}

fn walk_below(directory: &Path, above: &str, visitor: &mut impl Visitor) -> Result<()> {
    check_cancelled()?;
    let cannot = |why: std::io::Error| io_error(format!("cannot read the directory `{}`", directory.display()), &why);
    let mut items = fs::read_dir(directory).map_err(cannot)?.collect::<Result<Vec<_>, _>>().map_err(cannot)?;
    items.sort_by_key(fs::DirEntry::file_name);
    for item in items {
        let leaf = item.file_name();
        let Some(leaf) = leaf.to_str().filter(|leaf| !leaf.contains('\\')) else {
            visitor.unnameable(&format!("{above}{}", leaf.to_string_lossy()));
            continue;
        };
        let name = format!("{above}{leaf}");
        let sort = item.file_type().map_err(|why| io_error(format!("cannot look at `{name}`"), &why))?;
        if sort.is_dir() {
            visitor.directory(&name);
            walk_below(&item.path(), &format!("{name}/"), visitor)?;
        } else if !sort.is_file() {
            visitor.other(&name, sort.is_symlink());
        } else if temporary::is_one(leaf) {
            visitor.leftover(&name);
        } else {
            visitor.file(&name, &item)?;
        }
    }
    Ok(())
}

/// A file as it was when it was listed.
pub(crate) struct Listed {
    pub(crate) name: String,
    pub(crate) stamp: Stamp,
}

/// What tells that a file changed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stamp {
    pub(crate) size: u64,
    seconds: i64,
    nanoseconds: u32,
}

impl Stamp {
    /// Of a file by its metadata.
    pub(crate) fn of(metadata: &fs::Metadata) -> Self {
        let modified = metadata.modified().map_or(Timestamp { seconds: 0, nanoseconds: 0 }, timestamp);
        Self { size: metadata.len(), seconds: modified.seconds, nanoseconds: modified.nanoseconds }
    }

    /// When it was last modified.
    pub(crate) fn modified(self) -> Timestamp {
        Timestamp { seconds: self.seconds, nanoseconds: self.nanoseconds }
    }
}

/// What a dump copies, in the order of the walk.
#[derive(Default)]
pub(crate) struct Inventory {
    pub(crate) files: Vec<Listed>,
    /// The bytes of all of them.
    pub(crate) bytes: u64,
}

#[derive(Default)]
struct Lister {
    inventory: Inventory,
    problems: Problems,
}

/// Lists the files of a dump.
///
/// # Errors
/// Something cannot be looked at, or cannot be named in an archive; the run is cancelled.
pub(crate) fn list(root: &Path) -> Result<Inventory> {
    let mut lister = Lister::default();
    walk(root, &mut lister)?;
    lister.problems.into_result()?;
    Ok(lister.inventory)
}

impl Visitor for Lister {
    fn file(&mut self, name: &str, item: &fs::DirEntry) -> Result<()> {
        let metadata = match item.metadata() {
            Ok(metadata) => metadata,
            // Gone between the listing of its directory and now: it never was in the inventory.
            Err(why) if why.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            Err(why) => return Err(io_error(format!("cannot look at `{name}`"), &why)),
        };
        let stamp = Stamp::of(&metadata);
        self.inventory.bytes += stamp.size;
        self.inventory.files.push(Listed { name: name.to_owned(), stamp });
        Ok(())
    }

    fn other(&mut self, name: &str, is_link: bool) {
        let what = if is_link { "a symbolic link" } else { "neither a file nor a directory" };
        warn(format!("`{name}` is left out: it is {what}"));
    }

    fn leftover(&mut self, name: &str) {
        log::emit(Level::Warn, &format!("`{name}` is left out: a restore that was interrupted left it behind"), &[]);
    }

    fn unnameable(&mut self, shown: &str) {
        let message = "files have names that an archive's entry cannot have: with a backslash, or not UTF-8";
        self.problems.name(ErrorKind::Unsupported, message, Some("rename them"), ("name", shown));
    }
}
