//! dr-host: one coherent, restorable snapshot of an application's whole state.
//!
//! The rooms, and who may know whom: `cli` → `plan` → [`engine`] → [`drivers`] → [`archive`] → [`store`]; `config` knows
//! no driver; nothing below `cli` prints, exits or reads arguments. `links` compares, for the engine. `docs/architecture.md`
//! shows the whole on one page.

pub mod archive;
pub mod cancel;
pub mod cli;
pub mod config;
pub mod conformance;
pub mod drivers;
pub mod engine;
pub mod error;
mod json_path;
pub mod links;
pub mod name;
pub mod plan;
pub mod redact;
pub mod runtime;
mod schema;
pub mod store;
