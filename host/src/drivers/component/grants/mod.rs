//! What a component may touch: the grants of the configuration, the needs that the driver declares, and what both have in
//! common, checked each time that it is used. What is denied is told twice: to the component in WASI's words, to the person as the
//! grant that is missing.
//!
//! [`Grants`] reads the configuration, [`Grants::matched`] compares it with the needs, [`Matched::rights`] and [`Rights::enter`]
//! make an instance's share of WASI, [`add_to_linker`] puts the checks in front of it. Nothing here knows the contract or runs a
//! component.

mod denials;
mod endpoint;
mod files;
mod lookup;
mod make;
mod matched;
mod need;
mod options;
mod requests;
mod rights;

#[cfg(test)]
mod tests;

pub(super) use denials::Denials;
pub(super) use make::Made;
pub(super) use matched::Matched;
pub(super) use need::{Capability, Need};
pub(super) use options::{GrantOptions, Grants};
pub(super) use requests::Requests;
pub(super) use rights::Rights;

use wasmtime::component::Linker;
use wasmtime_wasi::WasiView;

/// The state of a store whose component has rights.
pub(super) trait HasRights: WasiView {
    /// Its rights.
    fn rights(&mut self) -> &mut Rights;
}

/// Puts the checks in front of WASI's own functions, which the linker must have already: names are resolved where they are granted,
/// and what is denied of files is told.
///
/// # Errors
/// The linker refuses a function.
pub(super) fn add_to_linker<T: HasRights + 'static>(linker: &mut Linker<T>) -> wasmtime::Result<()> {
    linker.allow_shadowing(true);
    lookup::add_to_linker(linker)?;
    files::add_to_linker(linker)?;
    linker.allow_shadowing(false);
    Ok(())
}
