//! Version 0.1.0 of the contract: what the host gives to a guest ([`imports`]), what it calls ([`exports`]), and the words of
//! the one in those of the other ([`convert`]).

mod convert;
pub(super) mod exports;
mod imports;
pub(in crate::drivers::component) mod wit;

use wasmtime::Result;
use wasmtime::component::{HasSelf, Linker};

use super::super::guest::Guest;

/// Its number.
pub(in crate::drivers::component) const VERSION: &str = "0.1.0";

/// Adds what a component may import.
pub(in crate::drivers::component) fn link(linker: &mut Linker<Guest>) -> Result<()> {
    wit::Driver::add_to_linker::<Guest, HasSelf<Guest>>(linker, |guest| guest)?;
    imports::quick_write(linker)
}
