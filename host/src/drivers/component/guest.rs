//! What belongs to one instance of a component on the host's side: what the engine calls the store's data.

use std::collections::BTreeMap;
use std::sync::Arc;

use wasmtime::component::ResourceTable;
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};
use wasmtime_wasi_http::{RequestOptions, WasiBody, WasiHttpCtx, WasiHttpCtxView, WasiHttpHooks, WasiHttpView};

use super::call::Call;
use super::limits::{Bounds, HANDLES, Limits};
use super::log::Log;
use crate::error::{Error, ErrorKind, Result};

/// One instance's world.
pub(super) struct Guest {
    pub(super) table: ResourceTable,
    pub(super) limits: Arc<Limits>,
    pub(super) bounds: Bounds,
    pub(super) log: Arc<Log>,
    /// Granted secrets, by name.
    pub(super) secrets: Arc<BTreeMap<String, String>>,
    /// The call that runs.
    pub(super) call: Option<Call>,
    wasi: WasiCtx,
    http: WasiHttpCtx,
    hooks: Box<dyn WasiHttpHooks>,
}

/// What a guest may touch beside the archive.
pub(super) struct World {
    pub(super) wasi: WasiCtx,
    pub(super) hooks: Box<dyn WasiHttpHooks>,
    pub(super) secrets: Arc<BTreeMap<String, String>>,
}

impl Guest {
    /// A fresh one.
    pub(super) fn new(world: World, limits: &Arc<Limits>, log: &Arc<Log>) -> Self {
        let World { wasi, hooks, secrets } = world;
        let mut table = ResourceTable::new();
        table.set_max_capacity(HANDLES);
        let bounds = Bounds::new(limits);
        Self { table, limits: limits.clone(), bounds, log: log.clone(), secrets, call: None, wasi, http: WasiHttpCtx::new(), hooks }
    }

    /// The call that runs.
    ///
    /// # Errors
    /// None does: the guest runs while it is made, or describes itself.
    pub(super) fn call(&mut self) -> Result<&mut Call> {
        self.call.as_mut().ok_or_else(|| Error::new(ErrorKind::Other, "this can be used within a moment only"))
    }
}

/// Lets no HTTP request out.
pub(super) struct NoRequests;

impl WasiHttpHooks for NoRequests {
    fn send_request(
        &mut self,
        _request: http::Request<WasiBody>,
        _options: Option<RequestOptions>,
        _processed: Box<dyn Future<Output = Result<(), wasmtime_wasi_http::Error>> + Send>,
    ) -> Box<dyn Future<Output = Result<Sent, wasmtime_wasi_http::Error>> + Send> {
        Box::new(std::future::ready(Err(wasmtime_wasi_http::Error::HttpRequestDenied)))
    }
}

/// A response, and the future that moves its bytes.
type Sent = (http::Response<WasiBody>, Box<dyn Future<Output = Result<(), wasmtime_wasi_http::Error>> + Send>);

impl WasiView for Guest {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

impl WasiHttpView for Guest {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView { hooks: &mut *self.hooks, table: &mut self.table, ctx: &mut self.http }
    }
}
