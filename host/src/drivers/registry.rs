//! The native drivers: one line each.

use super::Kind;

/// All kinds of driver that live in the host.
pub fn kinds() -> &'static [&'static dyn Kind] {
    &[
        #[cfg(feature = "probe")]
        &super::probe::Probe,
        &super::postgres::Postgres,
        &super::sqlite::Sqlite,
        &super::media::Media,
        &super::filesystem::Filesystem,
        &super::component::Component,
    ]
}

/// The kind of this name.
pub fn find(name: &str) -> Option<&'static dyn Kind> {
    kinds().iter().copied().find(|kind| kind.name() == name)
}
