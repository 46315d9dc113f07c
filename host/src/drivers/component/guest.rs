//! What belongs to one instance of a component on the host's side: what the engine calls the store's data.

use std::sync::Arc;

use wasmtime::component::ResourceTable;
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};
use wasmtime_wasi_http::{WasiHttpCtx, WasiHttpCtxView, WasiHttpView};

use super::call::Call;
use super::grants::{HasRights, Requests, Rights};
use super::limits::{Bounds, HANDLES, HEADERS, Limits};
use super::log::Log;
use crate::error::{Error, ErrorKind, Result};

/// One instance's world.
pub(super) struct Guest {
    pub(super) table: ResourceTable,
    pub(super) limits: Arc<Limits>,
    pub(super) bounds: Bounds,
    pub(super) log: Arc<Log>,
    /// The call that runs.
    pub(super) call: Option<Call>,
    wasi: WasiCtx,
    http: WasiHttpCtx,
    hooks: Requests,
    pub(super) rights: Rights,
}

/// What a guest may touch beside the archive.
pub(super) struct World {
    pub(super) wasi: WasiCtx,
    pub(super) rights: Rights,
}

impl Guest {
    /// A fresh one.
    pub(super) fn new(world: World, limits: &Arc<Limits>, log: &Arc<Log>) -> Self {
        let World { wasi, rights } = world;
        let hooks = Requests::new(&rights);
        let mut table = ResourceTable::new();
        table.set_max_capacity(HANDLES);
        let bounds = Bounds::new(limits);
        let mut http = WasiHttpCtx::new();
        http.set_field_size_limit(HEADERS);
        Self { table, limits: limits.clone(), bounds, log: log.clone(), call: None, wasi, http, hooks, rights }
    }

    /// The call that runs.
    ///
    /// # Errors
    /// None does: the guest runs while it is made, or describes itself.
    pub(super) fn call(&mut self) -> Result<&mut Call> {
        self.call.as_mut().ok_or_else(|| Error::new(ErrorKind::Other, "this can be used within a moment only"))
    }
}

impl WasiView for Guest {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

impl WasiHttpView for Guest {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView { hooks: &mut self.hooks, table: &mut self.table, ctx: &mut self.http }
    }
}

impl HasRights for Guest {
    fn rights(&mut self) -> &mut Rights {
        &mut self.rights
    }
}
