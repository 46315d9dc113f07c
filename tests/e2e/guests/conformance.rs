//! Every guest keeps the contract: the suite of `dr_host::conformance` against each, on real places.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use dr_host::conformance::{Atomicity, Contents, Options, Place, Subject, run};
use dr_host::drivers::Driver;
use dr_host::error::{Error, ErrorKind, IoContext, Result};
use dr_host::name::EntryName;
use dr_host_tests::machine::guest;
use dr_host_tests::redis::{DATABASES, Server};
use redis::{Connection, cmd};
use serde_json::json;
use tempfile::TempDir;

use crate::conformance::configured;

#[track_caller]
fn keeps_the_contract(subject: &dyn Subject, options: &Options) {
    let report = run(subject, options);
    assert!(report.passed(), "{report}");
    println!("{report}");
}

#[test]
fn filesystem_tree_keeps_the_contract() {
    keeps_the_contract(&FilesSubject { guest: "filesystem-tree", key: "path" }, &Options::default());
}

#[test]
fn notes_c_keeps_the_contract() {
    keeps_the_contract(&FilesSubject { guest: "notes-c", key: "directory" }, &Options { many: 300, ..Options::default() });
}

#[test]
fn notes_py_keeps_the_contract() {
    keeps_the_contract(&FilesSubject { guest: "notes-py", key: "directory" }, &Options { many: 300, ..Options::default() });
}

#[test]
fn redis_keeps_the_contract() {
    let server = Server::start();
    let free = Arc::new(Mutex::new((0..DATABASES).collect()));
    keeps_the_contract(&RedisSubject { server: Arc::new(server), free }, &Options { large: 4 << 20, ..Options::default() });
}

/// A guest whose items are the files below a directory.
struct FilesSubject {
    guest: &'static str,
    /// The key of its configuration that names the directory.
    key: &'static str,
}

impl Subject for FilesSubject {
    fn name(&self) -> String {
        format!("{}, a component", self.guest)
    }

    fn place(&self) -> Result<Box<dyn Place>> {
        let around = tempfile::tempdir().while_doing(|| "cannot make a directory")?;
        std::fs::create_dir(around.path().join("root")).while_doing(|| "cannot make a directory")?;
        Ok(Box::new(Files { guest: self.guest, key: self.key, around }))
    }

    fn atomicity(&self) -> Atomicity {
        Atomicity::Item
    }

    /// What an entry of the contract can be named, and a directory can hold.
    fn holds(&self, name: &EntryName, _: &[u8]) -> bool {
        let Ok(text) = std::str::from_utf8(name.as_bytes()) else { return false };
        let segment = |segment: &str| !matches!(segment, "" | "." | "..") && segment.len() <= 255;
        !text.contains(['\0', '\\']) && text.split('/').all(segment)
    }
}

struct Files {
    guest: &'static str,
    key: &'static str,
    /// Holds `root`, and nothing else that a driver leaves.
    around: TempDir,
}

impl Files {
    fn root(&self) -> PathBuf {
        self.around.path().join("root")
    }

    fn path(&self, name: &EntryName) -> PathBuf {
        self.root().join(OsStr::from_bytes(name.as_bytes()))
    }
}

impl Place for Files {
    fn driver(&self) -> Result<Box<dyn Driver>> {
        let settings = json!({
            "component": guest(self.guest),
            "config": { self.key: "/data" },
            "grant": { "write": [{ "path": self.root(), "guest": "/data" }] },
            "limit": { "memory": "512MiB" },
        });
        configured("component", self.around.path(), settings)
    }

    fn put(&self, items: &Contents) -> Result<()> {
        for (name, content) in items {
            let path = self.path(name);
            let parent = path.parent().unwrap_or(&path);
            std::fs::create_dir_all(parent).while_doing(|| format!("cannot make `{}`", parent.display()))?;
            std::fs::write(&path, content).while_doing(|| format!("cannot write `{}`", path.display()))?;
        }
        Ok(())
    }

    fn remove(&self, name: &EntryName) -> Result<()> {
        std::fs::remove_file(self.path(name)).while_doing(|| format!("cannot remove `{name}`"))
    }

    fn look(&self) -> Result<Contents> {
        let mut found = Contents::new();
        look_below(&self.root(), &self.root(), &mut found)?;
        Ok(found)
    }

    fn litter(&self) -> Result<Vec<String>> {
        let items = std::fs::read_dir(self.around.path()).while_doing(|| "cannot list the directory around")?;
        let names = items.flatten().map(|item| item.file_name().to_string_lossy().into_owned());
        Ok(names.filter(|name| name != "root").collect())
    }
}

fn look_below(root: &Path, at: &Path, found: &mut Contents) -> Result<()> {
    for item in std::fs::read_dir(at).while_doing(|| format!("cannot list `{}`", at.display()))? {
        let path = item.while_doing(|| format!("cannot list `{}`", at.display()))?.path();
        if path.is_dir() {
            look_below(root, &path, found)?;
        } else {
            let content = std::fs::read(&path).while_doing(|| format!("cannot read `{}`", path.display()))?;
            let name = path.strip_prefix(root).unwrap_or(&path).as_os_str().as_bytes();
            found.insert(EntryName::from_bytes(name), content);
        }
    }
    Ok(())
}

/// Each place is a database of one server: an item is a key with a string.
struct RedisSubject {
    server: Arc<Server>,
    /// The databases that nobody uses.
    free: Arc<Mutex<Vec<u32>>>,
}

impl Subject for RedisSubject {
    fn name(&self) -> String {
        "redis, a component".into()
    }

    fn place(&self) -> Result<Box<dyn Place>> {
        let database = self.free.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let database = database.ok_or_else(|| Error::new(ErrorKind::Unavailable, "all databases are in use"))?;
        Ok(Box::new(Database { server: Arc::clone(&self.server), free: Arc::clone(&self.free), database }))
    }

    /// A restore flushes first, and is no transaction.
    fn atomicity(&self) -> Atomicity {
        Atomicity::None
    }

    /// SCAN is not asked before `dump`: what is removed until then was never listed.
    fn changes_while_dumped(&self) -> bool {
        false
    }
}

struct Database {
    server: Arc<Server>,
    free: Arc<Mutex<Vec<u32>>>,
    database: u32,
}

impl Database {
    fn connect(&self) -> Connection {
        self.server.connect(self.database)
    }
}

fn told<T>(result: redis::RedisResult<T>) -> Result<T> {
    result.map_err(|why| Error::new(ErrorKind::Other, why.to_string()))
}

impl Place for Database {
    fn driver(&self) -> Result<Box<dyn Driver>> {
        let address = self.server.address();
        let settings = json!({
            "component": guest("redis"),
            "config": { "address": address, "database": self.database },
            "grant": { "net": [address] },
        });
        configured("component", Path::new("/"), settings)
    }

    fn put(&self, items: &Contents) -> Result<()> {
        let mut pipeline = redis::pipe();
        for (name, content) in items {
            pipeline.cmd("SET").arg(name.as_bytes()).arg(&content[..]).ignore();
        }
        if items.is_empty() { Ok(()) } else { told(pipeline.exec(&mut self.connect())) }
    }

    fn remove(&self, name: &EntryName) -> Result<()> {
        told(cmd("DEL").arg(name.as_bytes()).exec(&mut self.connect()))
    }

    fn look(&self) -> Result<Contents> {
        let mut connection = self.connect();
        let keys: Vec<Vec<u8>> = told(cmd("KEYS").arg("*").query(&mut connection))?;
        let mut found = Contents::new();
        for key in keys {
            let value: Vec<u8> = told(cmd("GET").arg(&key).query(&mut connection))?;
            found.insert(EntryName::from_bytes(key), value);
        }
        Ok(found)
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        cmd("FLUSHDB").exec(&mut self.connect()).expect("a database can be flushed");
        self.free.lock().unwrap_or_else(PoisonError::into_inner).push(self.database);
    }
}
