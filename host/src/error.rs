//! The one error of the library, as drivers, archive and engine raise it, and as a component returns it.
//!
//! Rules, for every message in this crate:
//!
//! 1. A message has three parts: *what* failed (set, driver, moment, name), *why*, and *what to do*. The engine knows the
//!    first part and adds it; [`Error::message`] is the second (it still names the file, key or table in question);
//!    [`Error::hint`] is the third.
//! 2. Lower case, no trailing full stop, names in backticks.
//! 3. One [`ErrorKind`] for each thing that a caller may want to tell apart, and no more.
//! 4. Never a secret: a URL goes through [`crate::redact`] before it enters a message.
//! 5. Where several things failed alike (every unreadable file, every missing key), one error names them all:
//!    [`Error::with`] once per thing.

use std::fmt;
use std::io;

/// A result whose error is [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What kind of failure it was: the distinctions on which a caller may act.
///
/// Closed on purpose: the WIT contract mirrors it, and there an added case would break linking. `Other` absorbs growth.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ErrorKind {
    /// The configuration asks for something that makes no sense.
    InvalidConfig,
    /// A server, a disk or a lock cannot be had right now.
    Unavailable,
    /// The operating system, a server or a grant says no.
    PermissionDenied,
    /// Something that was named does not exist.
    NotFound,
    /// The thing is understood, and not supported.
    Unsupported,
    /// Data is damaged, or is not what it claims to be.
    Corrupt,
    /// The run was cancelled: by the user, or because another set failed.
    Cancelled,
    /// Everything else.
    Other,
}

/// Why something failed, and what to do about it.
#[derive(Clone, Debug)]
pub struct Error(Box<Inner>);

#[derive(Clone, Debug)]
struct Inner {
    kind: ErrorKind,
    message: String,
    hint: Option<String>,
    retryable: bool,
    untouched: bool,
    context: Vec<(String, String)>,
}

impl Error {
    /// An error of this kind; `message` says what could not be done and why.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self(Box::new(Inner { kind, message: message.into(), hint: None, retryable: false, untouched: false, context: Vec::new() }))
    }

    /// An operating system error while doing `what` (say, "cannot read `a/b`"); its kind follows from the system's.
    pub fn io(what: impl fmt::Display, cause: &io::Error) -> Self {
        let kind = match cause.kind() {
            io::ErrorKind::NotFound => ErrorKind::NotFound,
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => ErrorKind::PermissionDenied,
            io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof => ErrorKind::Corrupt,
            io::ErrorKind::StorageFull
            | io::ErrorKind::QuotaExceeded
            | io::ErrorKind::TimedOut
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::ConnectionReset => ErrorKind::Unavailable,
            _ => ErrorKind::Other,
        };
        let error = Self::new(kind, format!("{what}: {}", plain(cause)));
        match cause.kind() {
            io::ErrorKind::StorageFull => error.hint("free some space, or write to another disk"),
            io::ErrorKind::QuotaExceeded => error.hint("raise the quota, or write to another disk"),
            io::ErrorKind::FileTooLarge => error.hint("raise the limit (`ulimit -f`), or write to a file system that takes larger files"),
            _ => error,
        }
    }

    /// The run was cancelled.
    pub fn cancelled() -> Self {
        Self::new(ErrorKind::Cancelled, "cancelled")
    }

    /// Data is damaged, or is not what it claims to be.
    pub fn corrupt(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Corrupt, message)
    }

    /// Adds what the user can do about it.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.0.hint = Some(hint.into());
        self
    }

    /// Adds a named detail: the file, the key, one of several things that failed alike.
    #[must_use]
    pub fn with(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.0.context.push((key.into(), value.into()));
        self
    }

    /// Says that trying again later may succeed.
    #[must_use]
    pub fn retryable(mut self) -> Self {
        self.0.retryable = true;
        self
    }

    /// Says that the target of a restore is as it was before: it failed, and left nothing half done. For drivers whose restore
    /// appears as a whole, and for failures before the first write.
    #[must_use]
    pub fn untouched(mut self) -> Self {
        self.0.untouched = true;
        self
    }

    /// Puts what was being done before the message: `{what}: {message}`.
    #[must_use]
    pub fn while_(mut self, what: impl fmt::Display) -> Self {
        self.0.message = format!("{what}: {}", self.0.message);
        self
    }

    /// Changes every text in it, and keeps at most `most` details: of an error that somebody else made.
    #[must_use]
    pub fn map_texts(mut self, most: usize, change: impl Fn(&str) -> String) -> Self {
        self.0.context.truncate(most);
        self.0.message = change(&self.0.message);
        self.0.hint = self.0.hint.as_deref().map(&change);
        self.0.context = self.0.context.iter().map(|(key, value)| (change(key), change(value))).collect();
        self
    }

    /// The kind.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// Why it failed.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// What to do about it, where there is something to do.
    pub fn advice(&self) -> Option<&str> {
        self.0.hint.as_deref()
    }

    /// Whether trying again later may succeed.
    pub fn is_retryable(&self) -> bool {
        self.0.retryable
    }

    /// Whether the restore that failed so left its target as it was; where it does not say so, nobody may assume it.
    pub fn is_untouched(&self) -> bool {
        self.0.untouched
    }

    /// Whether the run was cancelled.
    pub fn is_cancelled(&self) -> bool {
        self.0.kind == ErrorKind::Cancelled
    }

    /// The named details, in the order in which they were added.
    pub fn context(&self) -> &[(String, String)] {
        &self.0.context
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl std::error::Error for Error {}

/// Lets a `Result<_, io::Error>` say what was being done, in one call.
pub trait IoContext<T> {
    /// Turns the error into [`Error::io`], with what was being done.
    ///
    /// # Errors
    /// The error itself, as [`Error`].
    fn while_doing<D: fmt::Display>(self, what: impl FnOnce() -> D) -> Result<T>;
}

impl<T> IoContext<T> for io::Result<T> {
    fn while_doing<D: fmt::Display>(self, what: impl FnOnce() -> D) -> Result<T> {
        self.map_err(|cause| Error::io(what(), &cause))
    }
}

/// The system's words without the number that Rust puts behind them, in lower case.
fn plain(cause: &io::Error) -> String {
    let text = cause.to_string();
    let text = match text.find(" (os error ") {
        Some(at) => &text[..at],
        None => &text,
    };
    let mut chars = text.chars();
    match (chars.next(), chars.next()) {
        (Some(first), Some(second)) if second.is_lowercase() || second == ' ' => {
            first.to_lowercase().collect::<String>() + &text[first.len_utf8()..]
        }
        _ => text.to_owned(),
    }
}
