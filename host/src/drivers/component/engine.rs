//! The one engine that compiles and runs components, and the tick that lets it interrupt them.

use std::sync::{Condvar, LazyLock, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread;
use std::time::Duration;

use wasmtime::component::{Linker, Resource};
use wasmtime::{Config, Engine, StoreContextMut, WasmBacktraceDetails};
use wasmtime_wasi::p2::bindings::io::error::Error as IoError;

use super::bindings::Contract;
use super::grants;
use super::guest::Guest;
use crate::error::{Error, ErrorKind, Result};

/// The time between two ticks: so long a guest computes before whoever drives it can look at the clock.
const TICK: Duration = Duration::from_millis(10);

/// The engine; made when the first component is met.
///
/// # Errors
/// This machine cannot run WebAssembly.
pub(super) fn engine() -> Result<&'static Engine> {
    static ENGINE: OnceLock<Engine> = OnceLock::new();
    if let Some(engine) = ENGINE.get() {
        return Ok(engine);
    }
    // The library that sends requests over TLS takes that of the process, and panics where there is none. Who came first chose it.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let made = Engine::new(&config());
    let made = made.map_err(|why| Error::new(ErrorKind::Unsupported, format!("this machine cannot run components: {why:#}")))?;
    Ok(ENGINE.get_or_init(|| made))
}

fn config() -> Config {
    let mut config = Config::new();
    config.epoch_interruption(true).wasm_backtrace_details(WasmBacktraceDetails::Enable);
    config
}

/// What a component of this version may import: its contract, and all of WASI 0.2. Whether it gets anything is up to its store.
///
/// # Errors
/// Two interfaces have the same name, which none have.
pub(super) fn linker(contract: Contract) -> wasmtime::Result<Linker<Guest>> {
    let mut linker = Linker::new(engine().map_err(|why| wasmtime::Error::msg(why.to_string()))?);
    wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
    wasmtime_wasi_http::p2::add_only_http_to_linker_async(&mut linker)?;
    grants::add_to_linker(&mut linker)?;
    tell_errors_plainly(&mut linker)?;
    contract.link(&mut linker)?;
    Ok(linker)
}

/// Puts a text without the host's backtrace in the place of the one that WASI gives of a failed stream.
fn tell_errors_plainly(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    linker.allow_shadowing(true);
    linker
        .instance("wasi:io/error@0.2.12")?
        .func_wrap("[method]error.to-debug-string", |store: StoreContextMut<'_, Guest>, (error,): (Resource<IoError>,)| {
            Ok((format!("{:#}", store.data().table.get(&error)?),))
        })?;
    linker.allow_shadowing(false);
    Ok(())
}

/// How many guests run; the ticks go on as long as there is one.
static RUNNING: Mutex<usize> = Mutex::new(0);
static BEGUN: Condvar = Condvar::new();

/// A guest that runs: the engine ticks while there is one.
pub(super) struct Running(());

impl Running {
    /// One more.
    ///
    /// # Errors
    /// There is no engine, or no thread for the ticks.
    pub(super) fn begin() -> Result<Self> {
        static TICKER: LazyLock<Result<(), String>> = LazyLock::new(|| {
            let engine = engine().map_err(|why| why.to_string())?;
            thread::Builder::new()
                .name("epoch".into())
                .spawn(|| tick(engine))
                .map(drop)
                .map_err(|why| format!("cannot start a thread: {why}"))
        });
        TICKER.clone().map_err(|why| Error::new(ErrorKind::Other, why))?;
        *running() += 1;
        BEGUN.notify_one();
        Ok(Self(()))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        *running() -= 1;
    }
}

fn tick(engine: &Engine) {
    loop {
        let mut there = running();
        while *there == 0 {
            there = BEGUN.wait(there).unwrap_or_else(PoisonError::into_inner);
        }
        drop(there);
        thread::sleep(TICK);
        engine.increment_epoch();
    }
}

fn running() -> MutexGuard<'static, usize> {
    RUNNING.lock().unwrap_or_else(PoisonError::into_inner)
}
