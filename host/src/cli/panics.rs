//! A panic is a bug. One of a driver is caught by the engine, and becomes that set's failure; here any other becomes a failure
//! of the command, rather than an exit code that nobody promised.

use std::panic::{self, AssertUnwindSafe, PanicHookInfo};
use std::sync::{Mutex, PoisonError};

use super::exit::{Exit, Refused};
use super::output::Output;
use crate::error::{Error, ErrorKind};

/// Where in the source something panicked.
static PLACES: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// Does the work. What a panic says goes through the same way as every other text, so nothing prints it as it happens; where it
/// happened is for who reports it (`-v`).
pub(super) fn guard(output: &Output, work: impl FnOnce() -> Result<Exit, Refused>) -> Result<Exit, Refused> {
    panic::set_hook(Box::new(remember));
    let end = panic::catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|payload| {
        let text = payload.downcast_ref::<String>().map(String::as_str).or_else(|| payload.downcast_ref::<&str>().copied());
        let error = Error::new(ErrorKind::Other, format!("dr-host itself failed: {}", text.unwrap_or("it cannot say why")));
        Err(error.hint("this is a bug: please report it, with what `-v` adds").into())
    });
    for place in PLACES.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
        output.debug(&format!("panicked at {place}"));
    }
    end
}

fn remember(panic: &PanicHookInfo<'_>) {
    if let Some(place) = panic.location() {
        PLACES.lock().unwrap_or_else(PoisonError::into_inner).push(place.to_string());
    }
}
