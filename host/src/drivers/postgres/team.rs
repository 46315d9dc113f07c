//! Threads that work on one thing: when one fails the others stop, and the failure that came first is the one that is told.

use std::sync::{Mutex, PoisonError};

use crate::cancel::Cancel;
use crate::drivers::Context;
use crate::error::{Error, Result};

/// A team; each member does its work through [`Team::member`].
pub(super) struct Team {
    context: Context,
    halt: Cancel,
    failed: Mutex<Option<Error>>,
}

impl Team {
    /// A team that stops when the run is cancelled.
    pub(super) fn new(context: &Context) -> Self {
        let halt = context.cancel.child();
        Self { context: Context { cancel: halt.clone(), ..context.clone() }, halt, failed: Mutex::default() }
    }

    /// Does a member's work, which looks at the context that it is given; its failure stops the others.
    pub(super) fn member<T>(&self, work: impl FnOnce(&Context) -> Result<T>) -> Option<T> {
        match work(&self.context) {
            Ok(value) => Some(value),
            Err(error) => {
                let mut failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
                // One that was merely stopped has nothing to tell.
                let tells = failed.as_ref().is_none_or(|first| first.is_cancelled() && !error.is_cancelled());
                if tells {
                    *failed = Some(error);
                }
                drop(failed);
                self.halt.cancel();
                None
            }
        }
    }

    /// How it went, once all members are done.
    pub(super) fn result(self) -> Result<()> {
        self.context.check().map_err(|cancelled| {
            let failed = self.failed.into_inner().unwrap_or_else(PoisonError::into_inner);
            failed.unwrap_or(cancelled)
        })
    }
}
