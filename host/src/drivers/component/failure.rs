//! How a host call fails: with an error that the guest gets, or so that the guest is ended.

use crate::error::Error;

/// Why a host call failed.
#[derive(Debug)]
pub(super) enum Failure {
    /// The guest gets this, in the words of its contract.
    Error(Error),
    /// The guest is ended.
    Trap(wasmtime::Error),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Error(error)
    }
}

impl From<wasmtime::Error> for Failure {
    fn from(trap: wasmtime::Error) -> Self {
        Self::Trap(trap)
    }
}

impl From<wasmtime::component::ResourceTableError> for Failure {
    fn from(error: wasmtime::component::ResourceTableError) -> Self {
        Self::Trap(error.into())
    }
}
