//! `target_session_attrs`: what a server must be to be the one.

use super::sources::Parameters;
use crate::drivers::SettingError;

/// What is wanted of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    /// Anything.
    Any,
    /// Sessions may write.
    ReadWrite,
    /// Sessions may not write.
    ReadOnly,
    /// No standby.
    Primary,
    /// A standby.
    Standby,
    /// A standby, or where there is none anything.
    PreferStandby,
}

/// What the question of [`QUESTION`] finds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Found {
    /// The server is a standby.
    pub(super) is_standby: bool,
    /// Transactions cannot write.
    pub(super) is_read_only: bool,
}

/// Asks a server what it is: two columns, `t` or `f` and `on` or `off`.
pub(super) const QUESTION: &str = "SELECT pg_catalog.pg_is_in_recovery(), pg_catalog.current_setting('transaction_read_only')";

impl Wanted {
    /// The rounds over all servers: what each wants.
    pub(super) fn rounds(self) -> &'static [Wanted] {
        match self {
            Self::Any => &[Self::Any],
            Self::ReadWrite => &[Self::ReadWrite],
            Self::ReadOnly => &[Self::ReadOnly],
            Self::Primary => &[Self::Primary],
            Self::Standby => &[Self::Standby],
            Self::PreferStandby => &[Self::Standby, Self::Any],
        }
    }

    /// Why a server is not the one, if it is not.
    pub(super) fn against(self, found: Found) -> Option<&'static str> {
        match self {
            Self::ReadWrite if found.is_standby || found.is_read_only => Some("the session is read-only"),
            Self::ReadOnly if !found.is_standby && !found.is_read_only => Some("the session is not read-only"),
            Self::Primary if found.is_standby => Some("the server is a standby"),
            Self::Standby if !found.is_standby => Some("the server is not a standby"),
            _ => None,
        }
    }
}

/// Reads the parameter.
pub(super) fn wanted(parameters: &Parameters) -> Result<Wanted, SettingError> {
    match parameters.get("target_session_attrs") {
        None | Some("any") => Ok(Wanted::Any),
        Some("read-write") => Ok(Wanted::ReadWrite),
        Some("read-only") => Ok(Wanted::ReadOnly),
        Some("primary") => Ok(Wanted::Primary),
        Some("standby") => Ok(Wanted::Standby),
        Some("prefer-standby") => Ok(Wanted::PreferStandby),
        Some(other) => Err(parameters
            .wrong("target_session_attrs", format!("`{}` is none of its values", other.escape_debug()))
            .hint("write `any`, `read-write`, `read-only`, `primary`, `standby` or `prefer-standby`")),
    }
}
