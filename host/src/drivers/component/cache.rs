//! The compiled code of components, kept in the user's cache directory.
//!
//! An entry is named after the component's SHA-256 and what of the engine decides about compiled code (version, settings,
//! processor), so that nothing is ever replaced by something else under the same name. It is written beside its place and
//! renamed, so that several processes do each other no harm.
//!
//! Compiled code runs outside of the sandbox. So an entry is loaded only where directory and file belong to this user and nobody
//! else can write them, and where the hash that it was written with is still the hash of its bytes. Whatever is wrong with an
//! entry, or with the whole cache: the component is compiled, and the entry written again.
//!
//! `DR_HOST_CACHE` names another directory; empty, it switches the cache off.

use std::env;
use std::ffi::{OsStr, OsString};
use std::fs::{self, DirBuilder, File, Metadata};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};
use wasmtime::Engine;
use wasmtime::component::Component;

/// How an entry begins; a change of its form changes the number.
const MAGIC: &[u8; 16] = b"dr-host code 01\n";

/// What stands before the code: [`MAGIC`], and the SHA-256 of name and code.
const HEAD: usize = MAGIC.len() + 32;

/// The compiled code of the component of this content, where it is there and can be trusted.
pub(super) fn find(engine: &Engine, sha256: &str) -> Option<Component> {
    let name = name(engine, sha256);
    load(engine, &directory()?.join(&name), &name)
}

/// Keeps compiled code. Where that cannot be done it is compiled again next time.
pub(super) fn keep(component: &Component, sha256: &str) {
    let Some(directory) = directory() else { return };
    let name = name(component.engine(), sha256);
    let Ok(code) = component.serialize() else { return };
    // Nobody is told: the cache is a convenience.
    let _ = store(&directory, &name, &code);
}

/// The name of an entry.
fn name(engine: &Engine, sha256: &str) -> String {
    let mut hasher = DefaultHasher::new();
    engine.precompile_compatibility_hash().hash(&mut hasher);
    format!("{sha256}-{:016x}", hasher.finish())
}

/// The directory of the cache; none where there is no place for one.
fn directory() -> Option<PathBuf> {
    let variable = |name: &str| env::var_os(name).map(PathBuf::from);
    let directory = match variable("DR_HOST_CACHE") {
        Some(named) => named,
        None => variable("XDG_CACHE_HOME")
            .filter(|path| path.is_absolute())
            .or_else(|| variable("HOME").map(|home| home.join(".cache")))?
            .join("dr-host")
            .join("components"),
    };
    directory.is_absolute().then_some(directory)
}

/// Whether who may write below this directory could put something into the cache, also by changing a symbolic link on the way
/// to it. Then the directory of the cache, as it is spelt.
pub(super) fn reached_through(granted: &Path) -> Option<PathBuf> {
    let directory = directory()?;
    is_reached(&directory, granted).then_some(directory)
}

fn is_reached(directory: &Path, granted: &Path) -> bool {
    let (real, on_the_way) = resolve(directory);
    let (granted, _) = resolve(granted);
    granted.starts_with(real) || on_the_way.iter().any(|path| path.starts_with(&granted))
}

/// Where an absolute path leads, whether it exists or not; and the paths, without symbolic links in their parents, of all that lies
/// on the way there.
fn resolve(path: &Path) -> (PathBuf, Vec<PathBuf>) {
    /// As many symbolic links as Linux follows.
    const LINKS: usize = 40;
    let (mut at, mut on_the_way, mut links) = (PathBuf::from("/"), Vec::new(), 0);
    let mut ahead: Vec<OsString> = path.iter().rev().map(OsStr::to_owned).collect();
    while let Some(name) = ahead.pop() {
        if name == ".." {
            at.pop();
            continue;
        }
        // One that begins at the root replaces all.
        let here = at.join(&name);
        on_the_way.push(here.clone());
        match fs::read_link(&here) {
            Ok(target) if links < LINKS => {
                links += 1;
                ahead.extend(target.iter().rev().map(OsStr::to_owned));
            }
            _ => at = here,
        }
    }
    (at, on_the_way)
}

fn load(engine: &Engine, path: &Path, name: &str) -> Option<Component> {
    let directory = path.parent()?;
    let mut file = File::open(path).ok()?;
    if !(is_ours(&fs::symlink_metadata(directory).ok()?) && is_ours(&file.metadata().ok()?)) {
        return None;
    }
    let mut entry = Vec::new();
    file.read_to_end(&mut entry).ok()?;
    let (head, code) = entry.split_at_checked(HEAD)?;
    if *head != sealed(name, code) {
        return None;
    }
    deserialize(engine, code)
}

/// Makes a component of code that this user's host compiled.
#[allow(unsafe_code, reason = "the only way to load compiled code; `load` has found it to be what this user's host wrote")]
fn deserialize(engine: &Engine, code: &[u8]) -> Option<Component> {
    // SAFETY: the bytes come from `Component::serialize` unchanged: their SHA-256, which `store` put before them, agrees, and
    // directory and file have had no other writer than this user, who can run code anyway.
    unsafe { Component::deserialize(engine, code) }.ok()
}

/// Whether something belongs to this user, and nobody else can write it.
fn is_ours(metadata: &Metadata) -> bool {
    metadata.uid() == rustix::process::geteuid().as_raw() && metadata.mode() & 0o022 == 0 && !metadata.is_symlink()
}

/// What stands before code of this name.
fn sealed(name: &str, code: &[u8]) -> [u8; HEAD] {
    let digest = Sha256::new().chain_update(name).chain_update([0]).chain_update(code).finalize();
    let mut head = [0; HEAD];
    head[..MAGIC.len()].copy_from_slice(MAGIC);
    head[MAGIC.len()..].copy_from_slice(&digest);
    head
}

/// Writes an entry beside its place, and renames it.
fn store(directory: &Path, name: &str, code: &[u8]) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
    if !is_ours(&fs::symlink_metadata(directory)?) {
        return Err(io::Error::from(io::ErrorKind::PermissionDenied));
    }
    // Mode 0600, and gone again where it cannot be written whole.
    let mut file = tempfile::NamedTempFile::new_in(directory)?;
    file.write_all(&sealed(name, code))?;
    file.write_all(code)?;
    file.persist(directory.join(name)).map(drop).map_err(|why| why.error)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;
    use crate::drivers::component::engine::engine;

    /// A component with nothing in it.
    const EMPTY: &[u8] = &[0, b'a', b's', b'm', 0x0d, 0, 1, 0];

    struct Place {
        dir: tempfile::TempDir,
        path: PathBuf,
    }

    const NAME: &str = "a-0";

    /// A cache with one entry.
    fn place() -> Place {
        let dir = tempfile::tempdir().expect("a directory");
        let component = Component::from_binary(engine().expect("an engine"), EMPTY).expect("a component");
        let directory = dir.path().join("cache");
        store(&directory, NAME, &component.serialize().expect("code")).expect("it can be written");
        Place { path: directory.join(NAME), dir }
    }

    fn loads(place: &Place) -> bool {
        load(engine().expect("an engine"), &place.path, NAME).is_some()
    }

    #[test]
    fn an_entry_is_its_owners_alone_and_loads() {
        let place = place();
        let mode = |path: &Path| fs::metadata(path).expect("it is there").permissions().mode() & 0o777;
        assert_eq!((mode(&place.path), mode(&place.dir.path().join("cache"))), (0o600, 0o700));
        assert!(loads(&place));
    }

    #[test]
    fn a_changed_byte_or_a_missing_end_is_found() {
        let place = place();
        let whole = fs::read(&place.path).expect("an entry");
        for at in [0, MAGIC.len(), HEAD, whole.len() / 2, whole.len() - 1] {
            let mut changed = whole.clone();
            changed[at] ^= 1;
            fs::write(&place.path, changed).expect("it can be written");
            assert!(!loads(&place), "byte {at}");
        }
        for length in [0, 1, HEAD - 1, HEAD, whole.len() - 1] {
            fs::write(&place.path, &whole[..length]).expect("it can be written");
            assert!(!loads(&place), "{length} bytes");
        }
        fs::write(&place.path, &whole).expect("it can be written");
        assert!(loads(&place));
        assert!(load(engine().expect("an engine"), &place.path, "b-0").is_none(), "an entry under another's name");
    }

    #[test]
    fn a_grant_reaches_the_cache_from_above_and_below_and_through_links() {
        let dir = tempfile::tempdir().expect("a directory");
        let at = |name: &str| dir.path().join(name);
        for path in ["real/dr-host/components", "links", "other"] {
            fs::create_dir_all(at(path)).expect("a directory");
        }
        // The cache is reached over two links.
        for (target, link) in [("../links/second", "other/first"), ("../real", "links/second")] {
            std::os::unix::fs::symlink(target, at(link)).expect("a link");
        }
        let direct = |granted: &str| is_reached(&at("real/dr-host/components"), &at(granted));
        for granted in [".", "real", "real/dr-host/components", "real/dr-host/components/below", "other/first", "links/../real"] {
            assert!(direct(granted), "{granted}");
        }
        for granted in ["links", "other", "real/dr-host/comp", "real/another", "absent/real"] {
            assert!(!direct(granted), "{granted}");
        }
        let linked = |granted: &str| is_reached(&at("other/first/dr-host/components"), &at(granted));
        for granted in ["links", "other", "real", "real/dr-host", "."] {
            assert!(linked(granted), "who can change a link on the way: {granted}");
        }
        assert!(!linked("another"));
    }

    #[test]
    fn what_others_can_write_is_not_loaded() {
        let place = place();
        let set = |path: &Path, mode: u32| fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("ours to set");
        for mode in [0o620, 0o602] {
            set(&place.path, mode);
            assert!(!loads(&place), "{mode:o}");
        }
        set(&place.path, 0o600);
        let directory = place.path.parent().expect("a directory");
        set(directory, 0o777);
        assert!(!loads(&place));
        assert!(store(directory, NAME, b"code").is_err(), "nor is anything written where others can");
        set(directory, 0o700);
        assert!(loads(&place));
    }
}
