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
