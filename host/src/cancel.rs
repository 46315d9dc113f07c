//! The request to stop: set by a signal or by a failed sibling, looked at by everything that may take long.

use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};

use crate::error::{Error, Result};

/// A request to stop, shared by all who hold a clone of it.
///
/// A [`child`](Cancel::child) is cancelled with its parent, and can be cancelled alone.
#[derive(Clone, Debug, Default)]
pub struct Cancel {
    /// [`GOING`], [`STOPPED`], or the number of the signal that asked.
    own: Arc<AtomicI32>,
    parent: Option<Arc<Cancel>>,
}

const GOING: i32 = 0;
const STOPPED: i32 = -1;

impl Cancel {
    /// One that nobody has cancelled yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// One that is cancelled with this one, but not the other way round.
    #[must_use]
    pub fn child(&self) -> Self {
        Self { own: Arc::default(), parent: Some(Arc::new(self.clone())) }
    }

    /// Asks all holders to stop.
    pub fn cancel(&self) {
        self.ask(STOPPED);
    }

    /// Asks all holders to stop because the process received this signal; the first of several is remembered.
    pub fn cancel_by_signal(&self, number: i32) {
        self.ask(number);
    }

    /// The signal that asked to stop, if it was one.
    pub fn signal(&self) -> Option<i32> {
        match self.own.load(Ordering::Relaxed) {
            GOING | STOPPED => self.parent.as_ref()?.signal(),
            number => Some(number),
        }
    }

    /// Whether somebody asked to stop.
    pub fn is_cancelled(&self) -> bool {
        self.own.load(Ordering::Relaxed) != GOING || self.parent.as_ref().is_some_and(|parent| parent.is_cancelled())
    }

    /// Ends the caller's work with `?` once it is asked to stop.
    ///
    /// # Errors
    /// [`ErrorKind::Cancelled`](crate::error::ErrorKind::Cancelled) after a request to stop.
    pub fn check(&self) -> Result<()> {
        if self.is_cancelled() { Err(Error::cancelled()) } else { Ok(()) }
    }

    fn ask(&self, reason: i32) {
        let _first_reason_stays = self.own.compare_exchange(GOING, reason, Ordering::Relaxed, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::Cancel;

    #[test]
    fn a_child_stops_with_its_parent_but_not_the_other_way_round() {
        let parent = Cancel::new();
        let (one, other) = (parent.child(), parent.child());
        one.cancel();
        assert!(one.is_cancelled() && !other.is_cancelled() && !parent.is_cancelled());
        parent.cancel_by_signal(15);
        assert!(other.is_cancelled());
        assert_eq!((one.signal(), other.signal()), (Some(15), Some(15)));
    }

    #[test]
    fn the_first_signal_is_the_one_remembered() {
        let cancel = Cancel::new();
        cancel.cancel_by_signal(2);
        cancel.cancel_by_signal(15);
        assert_eq!(cancel.signal(), Some(2));
    }
}
