//! Custom drivers: components made from WAT text, through the command line.

mod cache;
mod entries;
mod files;
pub(crate) mod grants;
mod limits;
mod moments;

use std::path::PathBuf;

use dr_host_tests::component::Guest;
use dr_host_tests::host::{Ended, Host};
use tempfile::TempDir;

/// A directory with a component, and one set that it drives.
pub(crate) struct Place {
    dir: TempDir,
    pub(crate) host: Host,
}

impl Place {
    /// The set `state`, driven by this component, with more settings.
    pub(crate) fn new(guest: &Guest, settings: &str) -> Self {
        let place = Self::empty(settings);
        guest.write(place.dir.path());
        place
    }

    /// The same, without a component as yet.
    pub(crate) fn empty(settings: &str) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let configuration =
            format!("version = 1\n\n[[set]]\nname = \"state\"\ndriver = \"component\"\ncomponent = \"driver.wasm\"\n{settings}");
        Self::in_directory(dir, &configuration)
    }

    /// Any configuration, beside this component.
    pub(crate) fn configured(guest: &Guest, configuration: &str) -> Self {
        let place = Self::in_directory(tempfile::tempdir().expect("a directory"), configuration);
        guest.write(place.dir.path());
        place
    }

    fn in_directory(dir: TempDir, configuration: &str) -> Self {
        let cache = dir.path().join("cache").display().to_string();
        let host = Host::configured(dir.path(), configuration).env("XDG_CACHE_HOME", &cache);
        Self { dir, host }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Dumps into `out.zip`.
    pub(crate) fn dump(&self) -> Ended {
        self.host.run(["dump", "out.zip"])
    }

    /// Restores from `out.zip`.
    pub(crate) fn restore(&self) -> Ended {
        self.host.run(["restore", "out.zip"])
    }

    /// Whether anything stands there that looks like an archive.
    pub(crate) fn has_archive(&self) -> bool {
        let names = self.dir.path().read_dir().expect("the directory is there").map(|item| item.expect("an item").file_name());
        names.into_iter().any(|name| name.to_string_lossy().contains("out.zip"))
    }
}
