//! Errors as the contract has them: how they are made, and many that are alike told as one.

use std::io;

use crate::{Error, ErrorKind, Result};

/// An error of this kind; `message` says what could not be done and why.
pub fn error(kind: ErrorKind, message: impl Into<String>) -> Error {
    Error { kind, message: message.into(), hint: None, retryable: false, untouched: false, context: Vec::new() }
}

/// The run was cancelled.
pub fn cancelled() -> Error {
    error(ErrorKind::Cancelled, "cancelled")
}

/// An operating system's error while doing `what` (say, "cannot read `a/b`"); its kind follows from the system's.
pub fn io_error(what: impl std::fmt::Display, cause: &io::Error) -> Error {
    let kind = match cause.kind() {
        io::ErrorKind::NotFound => ErrorKind::NotFound,
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => ErrorKind::PermissionDenied,
        io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof => ErrorKind::Corrupt,
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::TimedOut => ErrorKind::Unavailable,
        _ => ErrorKind::Other,
    };
    let cause = cause.to_string();
    let plain = cause.split(" (os error").next().unwrap_or_default().to_lowercase();
    error(kind, format!("{what}: {plain}"))
}

/// What is said of an error beside its kind and message.
pub trait Details: Sized {
    /// What the user can do about it.
    #[must_use]
    fn hint(self, hint: impl Into<String>) -> Self;
    /// Trying again later may succeed.
    #[must_use]
    fn retryable(self) -> Self;
    /// The target of the restore is as it was.
    #[must_use]
    fn untouched(self) -> Self;
    /// A named detail.
    #[must_use]
    fn with(self, key: &str, value: impl Into<String>) -> Self;
}

impl Details for Error {
    fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    fn retryable(mut self) -> Self {
        self.retryable = true;
        self
    }

    fn untouched(mut self) -> Self {
        self.untouched = true;
        self
    }

    fn with(mut self, key: &str, value: impl Into<String>) -> Self {
        self.context.push((key.to_owned(), value.into()));
        self
    }
}

/// A name for people: control characters are escaped, as the host escapes them.
fn shown(name: &str) -> String {
    name.chars().map(|c| if c.is_control() { c.escape_default().to_string() } else { c.to_string() }).collect()
}

/// How many names of one sort of problem are told.
const FEW: usize = 10;

/// What stands against a moment, gathered, so that one error tells all of it.
#[derive(Default)]
pub struct Problems(Vec<Problem>);

struct Problem {
    kind: ErrorKind,
    message: &'static str,
    hint: Option<&'static str>,
    names: Vec<(&'static str, String)>,
    number: u64,
}

impl Problems {
    /// Adds a name to those that have this problem; `key` says as what.
    pub fn name(&mut self, kind: ErrorKind, message: &'static str, hint: Option<&'static str>, (key, name): (&'static str, &str)) {
        let at = self.0.iter().position(|problem| problem.message == message).unwrap_or_else(|| {
            self.0.push(Problem { kind, message, hint, names: Vec::new(), number: 0 });
            self.0.len() - 1
        });
        let problem = &mut self.0[at];
        problem.number += 1;
        if problem.names.len() < FEW {
            problem.names.push((key, shown(name)));
        }
    }

    /// The one error, if there is a problem.
    ///
    /// # Errors
    /// There is one.
    pub fn into_result(self) -> Result<()> {
        let Some(first) = self.0.first() else { return Ok(()) };
        let messages: Vec<String> = self.0.iter().map(Problem::text).collect();
        let mut hints: Vec<&str> = self.0.iter().filter_map(|problem| problem.hint).collect();
        hints.dedup();
        let mut told = error(first.kind, messages.join("; ")).untouched();
        told.hint = (!hints.is_empty()).then(|| hints.join("; "));
        let names = self.0.into_iter().flat_map(|problem| problem.names);
        Err(names.fold(told, |told, (key, name)| told.with(key, name)))
    }
}

impl Problem {
    fn text(&self) -> String {
        let told = self.names.len();
        if self.number > told as u64 {
            format!("{} ({}, of which {told} are listed)", self.message, self.number)
        } else {
            format!("{} ({})", self.message, self.number)
        }
    }
}
