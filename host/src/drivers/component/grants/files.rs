//! `wasi:filesystem`: what is denied there is told. WASI itself keeps a component below its directories; this only watches the
//! functions that take a path, and says which grant an attempt would have needed.

use wasmtime::StoreContextMut;
use wasmtime::component::{Linker, Resource};
use wasmtime_wasi::filesystem::{Descriptor, WasiFilesystemView as _};
use wasmtime_wasi::p2::FsResult;
use wasmtime_wasi::p2::bindings::filesystem::preopens::Host as _;
use wasmtime_wasi::p2::bindings::filesystem::types::{
    DescriptorFlags, DescriptorStat, ErrorCode, HostDescriptor as _, NewTimestamp, OpenFlags, PathFlags,
};

use super::options::{below, guest_path};
use super::{Capability, HasRights, Rights};

/// The interfaces, in the version that wasmtime-wasi has.
const PREOPENS: &str = "wasi:filesystem/preopens@0.2.12";
const TYPES: &str = "wasi:filesystem/types@0.2.12";

/// The longest path that is shown.
const LONGEST: usize = 200;

type Fd = Resource<Descriptor>;

/// What a function would do with a path.
#[derive(Clone, Copy)]
enum Purpose {
    Read,
    Write,
}

impl Rights {
    /// Remembers at which path a component sees an open directory.
    fn note(&mut self, descriptor: &Fd, path: String) {
        self.paths.insert(descriptor.rep(), path);
    }

    /// Tells a denial.
    fn deny_path(&self, descriptor: u32, path: &str, purpose: Purpose) {
        let Some(base) = self.paths.get(&descriptor) else { return };
        let root =
            self.allowed.directories.iter().filter(|opened| below(base, &opened.guest).is_some()).max_by_key(|opened| opened.guest.len());
        let Some(root) = root else { return };
        let shown: String = self.redactor.strike(path).chars().take(LONGEST).collect();
        let shown = shown.escape_debug();
        match purpose {
            Purpose::Write if !root.write => {
                let line = Capability::WriteDirectory.line(&[&root.guest]);
                let is_granted = self.allowed.grants.write.iter().any(|given| below(&root.guest, &given.value.guest).is_some());
                self.deny(&format!("write `{shown}` below {}", root.guest), Some(line), is_granted, true);
            }
            Purpose::Read | Purpose::Write => self.deny(&format!("leave the directory {} by `{shown}`", root.guest), None, false, true),
        }
    }
}

/// The result as a component gets it; a denial is told on the way.
fn told<T: HasRights, R>(
    store: &mut StoreContextMut<'_, T>,
    at: (u32, &str, Purpose),
    result: FsResult<R>,
) -> wasmtime::Result<(Result<R, ErrorCode>,)> {
    let result = match result {
        Ok(value) => Ok(value),
        Err(error) => Err(error.downcast()?),
    };
    if let Err(ErrorCode::NotPermitted) = result {
        let (descriptor, path, purpose) = at;
        store.data_mut().rights().deny_path(descriptor, path, purpose);
    }
    Ok((result,))
}

/// Puts the functions that take a path into a linker, in the place of those that wasmtime-wasi brings, which they call.
pub(super) fn add_to_linker<T: HasRights + 'static>(linker: &mut Linker<T>) -> wasmtime::Result<()> {
    linker.instance(PREOPENS)?.func_wrap("get-directories", |mut store: StoreContextMut<'_, T>, (): ()| {
        let directories = store.data_mut().filesystem().get_directories()?;
        for (descriptor, path) in &directories {
            store.data_mut().rights().note(descriptor, path.clone());
        }
        Ok((directories,))
    })?;
    let mut types = linker.instance(TYPES)?;
    types.func_wrap_async(
        "[method]descriptor.open-at",
        |mut store: StoreContextMut<'_, T>, (fd, follow, path, how, flags): (Fd, PathFlags, String, OpenFlags, DescriptorFlags)| {
            Box::new(async move {
                let at = fd.rep();
                let writes = flags.intersects(DescriptorFlags::WRITE | DescriptorFlags::MUTATE_DIRECTORY)
                    || how.intersects(OpenFlags::CREATE | OpenFlags::TRUNCATE);
                let opened = store.data_mut().filesystem().open_at(fd, follow, path.clone(), how, flags).await;
                if let Ok(opened) = &opened {
                    let rights = store.data_mut().rights();
                    let seen = rights.paths.get(&at).and_then(|base| guest_path(&format!("{base}/{path}")).ok());
                    match seen {
                        Some(seen) => rights.note(opened, seen),
                        None => drop(rights.paths.remove(&opened.rep())),
                    }
                }
                told(&mut store, (at, &path, if writes { Purpose::Write } else { Purpose::Read }), opened)
            })
        },
    )?;
    types.func_wrap_async(
        "[method]descriptor.stat-at",
        |mut store: StoreContextMut<'_, T>, (fd, follow, path): (Fd, PathFlags, String)| {
            Box::new(async move {
                let at = fd.rep();
                let found: FsResult<DescriptorStat> = store.data_mut().filesystem().stat_at(fd, follow, path.clone()).await;
                told(&mut store, (at, &path, Purpose::Read), found)
            })
        },
    )?;
    types.func_wrap_async("[method]descriptor.readlink-at", |mut store: StoreContextMut<'_, T>, (fd, path): (Fd, String)| {
        Box::new(async move {
            let at = fd.rep();
            let target = store.data_mut().filesystem().readlink_at(fd, path.clone()).await;
            told(&mut store, (at, &path, Purpose::Read), target)
        })
    })?;
    types.func_wrap_async(
        "[method]descriptor.set-times-at",
        |mut store: StoreContextMut<'_, T>, (fd, follow, path, accessed, modified): (Fd, PathFlags, String, NewTimestamp, NewTimestamp)| {
            Box::new(async move {
                let at = fd.rep();
                let set = store.data_mut().filesystem().set_times_at(fd, follow, path.clone(), accessed, modified).await;
                told(&mut store, (at, &path, Purpose::Write), set)
            })
        },
    )?;
    add_changes(&mut types)
}

/// The functions that change what a directory holds.
fn add_changes<T: HasRights + 'static>(types: &mut wasmtime::component::LinkerInstance<'_, T>) -> wasmtime::Result<()> {
    types.func_wrap_async("[method]descriptor.create-directory-at", |mut store: StoreContextMut<'_, T>, (fd, path): (Fd, String)| {
        Box::new(async move {
            let at = fd.rep();
            let made = store.data_mut().filesystem().create_directory_at(fd, path.clone()).await;
            told(&mut store, (at, &path, Purpose::Write), made)
        })
    })?;
    types.func_wrap_async("[method]descriptor.remove-directory-at", |mut store: StoreContextMut<'_, T>, (fd, path): (Fd, String)| {
        Box::new(async move {
            let at = fd.rep();
            let removed = store.data_mut().filesystem().remove_directory_at(fd, path.clone()).await;
            told(&mut store, (at, &path, Purpose::Write), removed)
        })
    })?;
    types.func_wrap_async("[method]descriptor.unlink-file-at", |mut store: StoreContextMut<'_, T>, (fd, path): (Fd, String)| {
        Box::new(async move {
            let at = fd.rep();
            let removed = store.data_mut().filesystem().unlink_file_at(fd, path.clone()).await;
            told(&mut store, (at, &path, Purpose::Write), removed)
        })
    })?;
    types.func_wrap_async(
        "[method]descriptor.symlink-at",
        |mut store: StoreContextMut<'_, T>, (fd, target, path): (Fd, String, String)| {
            Box::new(async move {
                let at = fd.rep();
                let made = store.data_mut().filesystem().symlink_at(fd, target, path.clone()).await;
                told(&mut store, (at, &path, Purpose::Write), made)
            })
        },
    )?;
    types.func_wrap_async(
        "[method]descriptor.rename-at",
        |mut store: StoreContextMut<'_, T>, (fd, from, into, to): (Fd, String, Fd, String)| {
            Box::new(async move {
                let at = fd.rep();
                let moved = store.data_mut().filesystem().rename_at(fd, from.clone(), into, to).await;
                told(&mut store, (at, &from, Purpose::Write), moved)
            })
        },
    )?;
    types.func_wrap_async(
        "[method]descriptor.link-at",
        |mut store: StoreContextMut<'_, T>, (fd, follow, from, into, to): (Fd, PathFlags, String, Fd, String)| {
            Box::new(async move {
                let at = fd.rep();
                let made = store.data_mut().filesystem().link_at(fd, follow, from.clone(), into, to).await;
                told(&mut store, (at, &from, Purpose::Write), made)
            })
        },
    )
}
