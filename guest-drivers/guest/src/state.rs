//! What a driver keeps between its moments: the instance stays as it is, so a static place will do.

use std::sync::{Mutex, PoisonError};

use crate::{ErrorKind, Result, error};

/// A place for what one moment leaves to the next.
pub struct State<T>(Mutex<Option<T>>);

impl<T> State<T> {
    /// An empty one, for a `static`.
    #[expect(clippy::new_without_default, reason = "it stands in a static")]
    pub const fn new() -> Self {
        Self(Mutex::new(None))
    }

    /// Leaves something to the next moment.
    pub fn leave(&self, what: T) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(what);
    }

    /// Takes what the moment before left, if it left anything.
    pub fn take(&self) -> Option<T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Takes what the moment before left to `moment`.
    ///
    /// # Errors
    /// It left nothing: it was not called, or failed.
    pub fn expect(&self, moment: &str) -> Result<T> {
        self.take().ok_or_else(|| error(ErrorKind::Other, format!("`{moment}` was called without the moment before it")))
    }
}
