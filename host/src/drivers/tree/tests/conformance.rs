//! The contract suite, for a tree of files and for a directory of objects.

use std::fs;
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::super::View;
use super::super::attributes::WantedSort;
use super::super::names::refusal;
use crate::conformance::{Atomicity, Contents, Options, Place, Subject, run};
use crate::drivers::Driver;
use crate::error::{IoContext, Result};
use crate::name::EntryName;

struct Files(View);

impl Subject for Files {
    fn name(&self) -> String {
        format!("{:?} in a directory", self.0)
    }

    fn place(&self) -> Result<Box<dyn Place>> {
        let directory = tempfile::tempdir().while_doing(|| "cannot make a directory")?;
        fs::create_dir(directory.path().join("root")).while_doing(|| "cannot make a directory")?;
        Ok(Box::new(Directory { view: self.0, directory }))
    }

    fn atomicity(&self) -> Atomicity {
        Atomicity::Item
    }

    fn holds(&self, name: &EntryName, _: &[u8]) -> bool {
        refusal(self.0, name.as_bytes(), &WantedSort::File, 255).is_none()
    }
}

struct Directory {
    view: View,
    directory: TempDir,
}

impl Directory {
    fn root(&self) -> PathBuf {
        self.directory.path().join("root")
    }

    fn path(&self, name: &EntryName) -> PathBuf {
        self.root().join(std::ffi::OsStr::from_bytes(name.as_bytes()))
    }

    /// All files below the root, with their names.
    fn files(&self) -> Result<Vec<(EntryName, PathBuf)>> {
        fn walk(directory: &Path, into: &mut Vec<PathBuf>) -> io::Result<()> {
            for entry in fs::read_dir(directory)? {
                let path = entry?.path();
                if path.is_dir() { walk(&path, into)? } else { into.push(path) }
            }
            Ok(())
        }
        let root = self.root();
        let mut paths = Vec::new();
        walk(&root, &mut paths).while_doing(|| "cannot list")?;
        let named = |path: PathBuf| {
            let name = path.strip_prefix(&root).unwrap().as_os_str().to_owned().into_vec();
            (EntryName::from_bytes(name), path)
        };
        Ok(paths.into_iter().map(named).collect())
    }
}

impl Place for Directory {
    fn driver(&self) -> Result<Box<dyn Driver>> {
        Ok(super::driver(self.view, &self.root()))
    }

    fn put(&self, items: &Contents) -> Result<()> {
        for (name, content) in items {
            let path = self.path(name);
            fs::create_dir_all(path.parent().unwrap()).while_doing(|| "cannot make a directory")?;
            fs::write(&path, content).while_doing(|| format!("cannot write `{name}`"))?;
        }
        Ok(())
    }

    fn remove(&self, name: &EntryName) -> Result<()> {
        fs::remove_file(self.path(name)).while_doing(|| format!("cannot remove `{name}`"))
    }

    fn look(&self) -> Result<Contents> {
        self.files()?.into_iter().map(|(name, path)| Ok((name, fs::read(path).while_doing(|| "cannot read")?))).collect()
    }

    fn litter(&self) -> Result<Vec<String>> {
        let names = self.files()?.into_iter().map(|(name, _)| name.to_string());
        Ok(names.filter(|name| name.contains(".dr-host-")).collect())
    }
}

#[test]
fn the_contract_is_kept_for_a_tree_of_files() {
    let report = run(&Files(View::Files), &Options::default());
    assert!(report.passed(), "{report}");
}

#[test]
fn the_contract_is_kept_for_objects() {
    let report = run(&Files(View::Objects), &Options::default());
    assert!(report.passed(), "{report}");
}
