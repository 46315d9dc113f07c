//! `wasi:sockets/ip-name-lookup`: granted names are resolved, and their addresses may then be used; numeric addresses are themselves;
//! everything else is denied.

use std::net::IpAddr;

use async_trait::async_trait;
use futures_util::FutureExt as _;
use tokio::task::JoinHandle;
use wasmtime::StoreContextMut;
use wasmtime::component::{Linker, Resource, ResourceType};
use wasmtime_wasi::p2::bindings::sockets::network::{ErrorCode, IpAddress};
use wasmtime_wasi::p2::{DynPollable, Network, Pollable, subscribe};

use super::{HasRights, Rights};

/// The interface, in the version that wasmtime-wasi has.
const INTERFACE: &str = "wasi:sockets/ip-name-lookup@0.2.12";

/// The longest name there can be (RFC 1035, 2.3.4).
const LONGEST: usize = 253;

/// The addresses of a name: `resolve-address-stream`.
enum Addresses {
    /// They are looked up.
    Coming(JoinHandle<Found>),
    /// Those that have not been given yet.
    Here(std::vec::IntoIter<IpAddr>),
    /// They could not be found.
    Failed(ErrorCode),
}

type Found = Result<Vec<IpAddr>, ErrorCode>;

#[async_trait]
impl Pollable for Addresses {
    async fn ready(&mut self) {
        if let Self::Coming(lookup) = self {
            // The task ends early only when the runtime does.
            let found = lookup.await.unwrap_or(Err(ErrorCode::TemporaryResolverFailure));
            *self = match found {
                Ok(addresses) => Self::Here(addresses.into_iter()),
                Err(code) => Self::Failed(code),
            };
        }
    }
}

impl Addresses {
    /// The next one; an error as the contract of `resolve-next-address` has it.
    fn next(&mut self) -> Result<Option<IpAddress>, ErrorCode> {
        // A component may ask again and again instead of waiting.
        let _ = self.ready().now_or_never();
        match self {
            Self::Coming(_) => Err(ErrorCode::WouldBlock),
            Self::Here(rest) => Ok(rest.next().map(IpAddress::from)),
            Self::Failed(code) => Err(*code),
        }
    }
}

/// A component that goes away waits for no name.
impl Drop for Addresses {
    fn drop(&mut self) {
        if let Self::Coming(lookup) = self {
            lookup.abort();
        }
    }
}

/// Starts to resolve a name, if that is granted.
fn resolve(rights: &Rights, name: &str) -> Result<Addresses, ErrorCode> {
    let bare = name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(name);
    if let Ok(ip) = bare.parse::<IpAddr>() {
        return Ok(Addresses::Here(vec![ip].into_iter()));
    }
    if name.is_empty() || name.len() > LONGEST || name.contains('\0') {
        return Err(ErrorCode::InvalidArgument);
    }
    if !rights.may_resolve(name) {
        return Err(ErrorCode::AccessDenied);
    }
    let (rights, name) = (rights.clone(), name.to_owned());
    Ok(Addresses::Coming(tokio::spawn(async move {
        let found = tokio::net::lookup_host((name.as_str(), 0)).await.map_err(|_| ErrorCode::NameUnresolvable)?;
        let mut addresses: Vec<IpAddr> = Vec::new();
        for address in found {
            let ip = address.ip().to_canonical();
            if !addresses.contains(&ip) {
                addresses.push(ip);
            }
        }
        rights.resolved(&name, &addresses);
        Ok(addresses)
    })))
}

/// Puts the interface into a linker, in the place of the one that wasmtime-wasi brings.
pub(super) fn add_to_linker<T: HasRights + 'static>(linker: &mut Linker<T>) -> wasmtime::Result<()> {
    let mut interface = linker.instance(INTERFACE)?;
    interface.resource("resolve-address-stream", ResourceType::host::<Addresses>(), |mut store: StoreContextMut<'_, T>, rep| {
        store.data_mut().ctx().table.delete(Resource::<Addresses>::new_own(rep))?;
        Ok(())
    })?;
    interface.func_wrap_async("resolve-addresses", |mut store: StoreContextMut<'_, T>, (network, name): (Resource<Network>, String)| {
        Box::new(async move {
            // The handle is the right to ask at all.
            store.data_mut().ctx().table.get(&network)?;
            let resolved = resolve(store.data_mut().rights(), &name);
            let stream = match resolved {
                Ok(addresses) => Ok(store.data_mut().ctx().table.push(addresses)?),
                Err(code) => Err(code),
            };
            Ok((stream,))
        })
    })?;
    interface.func_wrap(
        "[method]resolve-address-stream.resolve-next-address",
        |mut store: StoreContextMut<'_, T>, (stream,): (Resource<Addresses>,)| Ok((store.data_mut().ctx().table.get_mut(&stream)?.next(),)),
    )?;
    interface.func_wrap(
        "[method]resolve-address-stream.subscribe",
        |mut store: StoreContextMut<'_, T>, (stream,): (Resource<Addresses>,)| -> wasmtime::Result<(Resource<DynPollable>,)> {
            Ok((subscribe(store.data_mut().ctx().table, stream)?,))
        },
    )
}
