//! A directory as a place: an item is a file. For `filesystem`, and for `media` without a bucket.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use dr_host::conformance::{Atomicity, Contents, Place, Subject};
use dr_host::drivers::Driver;
use dr_host::error::{IoContext, Result};
use dr_host::name::EntryName;
use serde_json::json;
use tempfile::TempDir;

/// The driver of this name, on directories.
pub(crate) struct DirectorySubject {
    pub(crate) driver: &'static str,
}

impl Subject for DirectorySubject {
    fn name(&self) -> String {
        format!("{}, in a directory", self.driver)
    }

    fn place(&self) -> Result<Box<dyn Place>> {
        let around = tempfile::tempdir().while_doing(|| "cannot make a directory")?;
        fs::create_dir(around.path().join("root")).while_doing(|| "cannot make a directory")?;
        Ok(Box::new(Directory { driver: self.driver, around }))
    }

    fn atomicity(&self) -> Atomicity {
        Atomicity::Item
    }

    fn holds(&self, name: &EntryName, _content: &[u8]) -> bool {
        let bytes = name.as_bytes();
        let segment = |segment: &[u8]| !segment.is_empty() && segment != b"." && segment != b".." && segment.len() <= 255;
        !bytes.contains(&0) && bytes.len() < 4000 && bytes.split(|byte| *byte == b'/').all(segment)
    }
}

struct Directory {
    driver: &'static str,
    /// Holds `root`, and nothing else that a driver leaves.
    around: TempDir,
}

impl Directory {
    fn root(&self) -> PathBuf {
        self.around.path().join("root")
    }

    fn path(&self, name: &EntryName) -> PathBuf {
        self.root().join(OsStr::from_bytes(name.as_bytes()))
    }
}

impl Place for Directory {
    fn driver(&self) -> Result<Box<dyn Driver>> {
        let key = if self.driver == "media" { "url" } else { "path" };
        super::configured(self.driver, self.around.path(), json!({ key: self.root() }))
    }

    fn put(&self, items: &Contents) -> Result<()> {
        for (name, content) in items {
            let path = self.path(name);
            let parent = path.parent().unwrap_or(&path);
            fs::create_dir_all(parent).while_doing(|| format!("cannot make `{}`", parent.display()))?;
            fs::write(&path, content).while_doing(|| format!("cannot write `{}`", path.display()))?;
        }
        Ok(())
    }

    fn remove(&self, name: &EntryName) -> Result<()> {
        fs::remove_file(self.path(name)).while_doing(|| format!("cannot remove `{name}`"))
    }

    fn look(&self) -> Result<Contents> {
        let mut found = Contents::new();
        look_below(&self.root(), &self.root(), &mut found)?;
        Ok(found)
    }

    fn litter(&self) -> Result<Vec<String>> {
        let mut litter = Vec::new();
        for item in fs::read_dir(self.around.path()).while_doing(|| "cannot list the directory around")? {
            let name = item.while_doing(|| "cannot list the directory around")?.file_name();
            if name != "root" {
                litter.push(name.to_string_lossy().into_owned());
            }
        }
        Ok(litter)
    }
}

fn look_below(root: &Path, at: &Path, found: &mut Contents) -> Result<()> {
    for item in fs::read_dir(at).while_doing(|| format!("cannot list `{}`", at.display()))? {
        let path = item.while_doing(|| format!("cannot list `{}`", at.display()))?.path();
        if path.is_dir() {
            look_below(root, &path, found)?;
        } else {
            let content = fs::read(&path).while_doing(|| format!("cannot read `{}`", path.display()))?;
            let name = path.strip_prefix(root).unwrap_or(&path).as_os_str().as_bytes();
            found.insert(EntryName::from_bytes(name), content);
        }
    }
    Ok(())
}
