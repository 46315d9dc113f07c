//! Why a guest ended against its will, in words: one error, with the last lines that it said.

use wasmtime::{Trap, WasmBacktrace};

use super::clock::Overdue;
use super::limits::show_time;
use crate::drivers::{Context, Level};
use crate::error::{Error, ErrorKind};

/// A bug of the driver's, or of who gave it too little.
const REPORT: &str = "this is a bug of the driver: report it to its author, with the output of the same command with `-v`";

/// A guest that was ended since its time was over.
pub(super) fn overdue(why: Overdue) -> Error {
    match why {
        Overdue::Cancelled => Error::cancelled(),
        Overdue::Idle(limit) => {
            let message = format!("the driver showed no progress for {}, and was ended", show_time(limit));
            Error::new(ErrorKind::Other, message).hint("raise `limit.idle` if the driver needs more time")
        }
        Overdue::Total(total) => {
            let message = format!("the driver took longer than the {} that it has, and was ended", show_time(total.of));
            let error = Error::new(ErrorKind::Other, message);
            if total.is_set { error.hint("raise `limit.time` if the driver needs more time") } else { error }
        }
    }
}

/// A guest that trapped; `refused` is the limit that it met before, if any.
pub(super) fn trapped(trap: &wasmtime::Error, refused: Option<&str>) -> Error {
    if let Some(refused) = refused {
        return Error::new(ErrorKind::Other, format!("the driver's component trapped after {refused}"))
            .hint("raise the limit if the driver needs more");
    }
    let root = trap.root_cause();
    let why = match root.downcast_ref::<Trap>() {
        Some(Trap::UnreachableCodeReached) => "it reached code that it holds for unreachable, as after a panic".to_owned(),
        Some(Trap::StackOverflow) => "its stack is exhausted".into(),
        Some(Trap::MemoryOutOfBounds) => "it read or wrote outside of its memory".into(),
        Some(Trap::IntegerDivisionByZero) => "it divided by zero".into(),
        Some(known) => known.to_string().trim_start_matches("wasm trap: ").to_owned(),
        None => match root.downcast_ref::<wasmtime_wasi::I32Exit>() {
            Some(exit) => format!("it ended itself with exit code {}", exit.0),
            None => root.to_string(),
        },
    };
    Error::new(ErrorKind::Other, format!("the driver's component trapped: {why}")).hint(REPORT)
}

/// Adds what was denied to the guest before, which is likely to be why it failed.
pub(super) fn with_denial(error: Error, denied: Option<String>) -> Error {
    match denied {
        Some(denied) if error.advice().is_none() => error.hint(denied),
        _ => error,
    }
}

/// Adds what the guest said last.
pub(super) fn with_last_lines(error: Error, lines: Vec<String>) -> Error {
    lines.into_iter().fold(error, |error, line| error.with("log", line))
}

/// Says where the guest was: for who debugs it.
pub(super) fn tell_backtrace(context: &Context, trap: &wasmtime::Error) {
    let Some(backtrace) = trap.downcast_ref::<WasmBacktrace>() else { return };
    backtrace.to_string().lines().for_each(|line| context.log(Level::Debug, line));
}
