//! The `component` driver: a WebAssembly component that fulfils the contract in `wit/driver.wit`, in a sandbox that has no more
//! than the configuration grants.
//!
//! From a file to a driver: `settings`, `load` (with the `cache` of compiled code), `describe` (what it says of itself),
//! `adapter` (the `Driver` that calls it). Of a running one: `engine` and its ticks, `instance` (one call, driven under its
//! `clock`, on a `thread` of its own), `grants` (what it may touch), `guest` (what belongs to an instance), `call` and `handle` (what one
//! call may use, and for how long), `limits`, `log`, `ended` (its end, in words). Only `bindings` knows the versions of the contract.

mod adapter;
mod bindings;
mod cache;
mod call;
mod clock;
mod describe;
mod ended;
mod engine;
mod failure;
mod grants;
mod guest;
mod handle;
mod inspect;
mod instance;
mod limits;
mod load;
mod log;
mod settings;
mod thread;

pub use self::inspect::{Inspection, NeedView, inspect};

use std::path::Path;

use self::adapter::Adapter;
use self::failure::Failure;
use self::settings::{Configured, Options};
use super::{Driver, Kind, SettingError, Settings};
use crate::error::Error;
use crate::schema::{self, Mistake};

/// The kind `component`.
pub(super) struct Component;

impl Kind for Component {
    fn name(&self) -> &'static str {
        "component"
    }

    fn summary(&self) -> &'static str {
        "a driver of your own: a sandboxed WebAssembly component"
    }

    fn settings(&self) -> serde_json::Value {
        schemars::schema_for!(Options).to_value()
    }

    fn configure(&self, settings: &Settings) -> Result<Box<dyn Driver>, Vec<SettingError>> {
        let configured = Configured::read(settings)?;
        let at = |pointer: &str, error: &Error| {
            let wrong = SettingError::new(pointer, error.message());
            vec![match error.advice() {
                Some(hint) => wrong.hint(hint),
                None => wrong,
            }]
        };
        let (bytes, sha256) = load::read(&configured.path).map_err(|error| at("/component", &error))?;
        if let Some(pin) = configured.pin.as_ref().filter(|pin| **pin != sha256) {
            let message = format!("the component `{}` has the SHA-256 `{sha256}`, not the pinned `{pin}`", configured.spelt);
            return Err(vec![
                SettingError::new("/sha256", message)
                    .hint("another file stands there than the one that was pinned: change the pin only if you trust it"),
            ]);
        }
        let loaded = load::load(&configured.path, &bytes, &sha256).map_err(|error| at("/component", &error))?;
        let mistakes = schema::check(&loaded.described.name, &loaded.schema, &configured.config);
        if !mistakes.is_empty() {
            return Err(mistakes.into_iter().map(in_config).collect());
        }
        let matched = configured.grants.matched(&loaded.described.needs, &configured.config, &loaded.schema);
        let mut problems = matched.problems();
        problems
            .extend(configured.grants.written().enumerate().filter_map(|(number, granted)| outside_of_the_cache(number, granted).err()));
        if problems.is_empty() { Ok(Box::new(Adapter::new(configured, loaded, matched))) } else { Err(problems) }
    }
}

/// Native code is loaded from the cache: no component may change what lies in it.
fn outside_of_the_cache(number: usize, granted: &Path) -> Result<(), SettingError> {
    let Some(cache) = cache::reached_through(granted) else { return Ok(()) };
    let message = format!(
        "`{}` cannot be granted for writing: the driver could change the host's compiled code in `{}`, which runs outside of the sandbox",
        granted.display(),
        cache.display()
    );
    let hint = "grant a directory that does not hold it, or name another place for it in `DR_HOST_CACHE`";
    Err(SettingError::new(format!("/grant/write/{number}"), message).hint(hint))
}

/// A mistake in the driver's own configuration, where it stands in the set's settings.
fn in_config(mistake: Mistake) -> SettingError {
    let pointer = format!("/config{}", mistake.key.as_ref().unwrap_or(&mistake.pointer));
    let error = SettingError::new(pointer, mistake.message);
    match mistake.hint {
        Some(hint) => error.hint(hint),
        None => error,
    }
}
