//! A component from its file: read, compared with its pin, compiled (or taken from the [`cache`](super::cache)), linked, asked
//! what it is. Each content once per process.

use std::collections::HashMap;
use std::fs::File;
use std::io::Read as _;
use std::path::Path;
use std::sync::{Arc, LazyLock, Mutex, PoisonError, Weak};

use sha2::{Digest as _, Sha256};
use wasmtime::component::Component;

use super::bindings::{Contract, Prepared};
use super::cache;
use super::describe::Described;
use super::engine::{engine, linker};
use super::instance;
use crate::error::{Error, ErrorKind, IoContext as _, Result};

/// The largest file that is taken for a component.
const LARGEST: u64 = 512 << 20;

/// A component that can run.
pub(super) struct Loaded {
    /// The SHA-256 of its file, in hexadecimal.
    pub(super) sha256: String,
    /// Against which contract it was built.
    pub(super) contract: Contract,
    /// What instances are made from.
    pub(super) prepared: Prepared,
    /// What it says of itself.
    pub(super) described: Described,
    /// The JSON Schema of its configuration.
    pub(super) schema: serde_json::Value,
    /// The names of what it imports.
    pub(super) imports: Vec<String>,
}

/// Reads a file that may be a component; its bytes and their SHA-256.
///
/// # Errors
/// It cannot be read, or is so large that it is none.
pub(super) fn read(path: &Path) -> Result<(Vec<u8>, String)> {
    let cannot = || format!("cannot read the component `{}`", path.display());
    let file = File::open(path).while_doing(cannot)?;
    let mut bytes = Vec::new();
    file.take(LARGEST + 1).read_to_end(&mut bytes).while_doing(cannot)?;
    if bytes.len() as u64 > LARGEST {
        return Err(no_component(path, "it has more than 512 MiB"));
    }
    let sha256 = hex::encode(Sha256::digest(&bytes));
    Ok((bytes, sha256))
}

/// The component of these bytes.
///
/// # Errors
/// It is none, or is built against a contract that this host does not run; it imports what the host does not have; it does not
/// say what it is.
pub(super) fn load(path: &Path, bytes: &[u8], sha256: &str) -> Result<Arc<Loaded>> {
    static KNOWN: LazyLock<Mutex<HashMap<String, Weak<Loaded>>>> = LazyLock::new(Mutex::default);
    // Held while one is compiled: another set with the same component then finds it compiled.
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(loaded) = known.get(sha256).and_then(Weak::upgrade) {
        return Ok(loaded);
    }
    let loaded = Arc::new(make(path, bytes, sha256)?);
    known.insert(sha256.to_owned(), Arc::downgrade(&loaded));
    Ok(loaded)
}

fn make(path: &Path, bytes: &[u8], sha256: &str) -> Result<Loaded> {
    check_beginning(path, bytes)?;
    let component = compile(path, bytes, sha256)?;
    let contract = Contract::of(&component).map_err(|why| unsupported(path, &why))?;
    let prepared = prepare(path, &component, contract)?;
    let described = instance::describe(&prepared).map_err(|why| why.while_(format_args!("`{}`", path.display())))?;
    let schema = described.check().map_err(|why| {
        Error::new(ErrorKind::InvalidConfig, format!("`{}` describes itself badly: {why}", path.display()))
            .hint("this is a bug of the driver: report it to its author")
    })?;
    Ok(Loaded { sha256: sha256.to_owned(), contract, prepared, described, schema, imports: imports(&component) })
}

/// Whether it begins like a component; else what it is more likely to be.
fn check_beginning(path: &Path, bytes: &[u8]) -> Result<()> {
    const MAGIC: &[u8] = b"\0asm";
    let hint = "a driver is a WebAssembly component: `docs/writing-a-driver.md` says how one is made";
    let error = match bytes {
        [] => no_component(path, "it is empty"),
        [b'\0', b'a', b's', b'm', 0x0d, 0, 1, 0, ..] => return Ok(()),
        [b'\0', b'a', b's', b'm', 1, 0, 0, 0, ..] => {
            return Err(no_component(path, "it is a core module").hint("`wasm-tools component new` makes a component of it"));
        }
        [b'\0', b'a', b's', b'm', _, _, _, _, ..] => no_component(path, "it is WebAssembly of a version that this host does not know"),
        _ if MAGIC.starts_with(bytes) || bytes.starts_with(MAGIC) => no_component(path, "it is truncated"),
        _ if std::str::from_utf8(&bytes[..bytes.len().min(1024)]).is_ok() => no_component(path, "it is a text"),
        _ => no_component(path, "it is no WebAssembly"),
    };
    Err(error.hint(hint))
}

fn compile(path: &Path, bytes: &[u8], sha256: &str) -> Result<Component> {
    let engine = engine()?;
    if let Some(component) = cache::find(engine, sha256) {
        return Ok(component);
    }
    let compiled = Component::from_binary(engine, bytes);
    let component = compiled.map_err(|why| {
        let why = format!("{why:#}");
        let beyond = format!("is out of bounds (bound = {})", bytes.len());
        let truncated = why.contains("unexpected end") || why.contains("unexpected-eof") || why.contains(&beyond);
        match truncated {
            true => no_component(path, "it is truncated").hint("build or copy it again"),
            false => no_component(path, &format!("it is damaged, or uses what this host does not know: {why}")),
        }
    })?;
    cache::keep(&component, sha256);
    Ok(component)
}

fn prepare(path: &Path, component: &Component, contract: Contract) -> Result<Prepared> {
    let linker = linker(contract).map_err(|why| unsupported(path, &format!("{why:#}")))?;
    let unknown: Vec<String> = imports(component).into_iter().filter(|name| !is_known(name)).collect();
    if !unknown.is_empty() {
        let list: Vec<_> = unknown.iter().take(20).map(|name| format!("`{}`", name.escape_debug())).collect();
        let why = format!("it imports what this host does not have: {}", list.join(", "));
        return Err(unsupported(path, &why).hint("build it against the contract that `dr-host driver wit` prints, and WASI 0.2"));
    }
    let linked = linker.instantiate_pre(component).and_then(|linked| contract.prepare(linked));
    linked.map_err(|why| unsupported(path, &format!("it does not fit version {} of the contract: {why:#}", contract.version())))
}

/// The names of what a component imports.
fn imports(component: &Component) -> Vec<String> {
    component.component_type().imports(component.engine()).map(|(name, _)| name.to_owned()).collect()
}

/// Whether an import may be one that the host has: its package and version say so, its shape is checked when it is linked.
fn is_known(import: &str) -> bool {
    const WASI: [&str; 7] = ["cli", "io", "clocks", "random", "filesystem", "sockets", "http"];
    let Some((name, version)) = import.split_once('@') else { return false };
    if name.starts_with("dumprestore:driver/") {
        return true;
    }
    let package = name.strip_prefix("wasi:").and_then(|rest| rest.split_once('/'));
    package.is_some_and(|(package, _)| WASI.contains(&package)) && version.starts_with("0.2.")
}

fn no_component(path: &Path, why: &str) -> Error {
    Error::new(ErrorKind::InvalidConfig, format!("`{}` is no component: {why}", path.display()))
}

fn unsupported(path: &Path, why: &str) -> Error {
    Error::new(ErrorKind::Unsupported, format!("the component `{}` cannot be run: {why}", path.display()))
}
