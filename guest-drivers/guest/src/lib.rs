//! What the drivers in Rust share: the bindings that `wit-bindgen` makes of the contract, and the few words around them that
//! each would otherwise write again. What a driver dumps and how is its own.

mod error;
mod state;

#[expect(missing_docs, reason = "documented in wit/driver.wit")]
mod bindings {
    wit_bindgen::generate!({
        path: "../../wit",
        world: "driver",
        pub_export_macro: true,
        export_macro_name: "export_bindings",
        default_bindings_module: "driver_guest",
    });
}

#[doc(hidden)]
pub use bindings::export_bindings;
#[doc(hidden)]
pub use bindings::exports;

pub use bindings::dumprestore::driver::archive::{Entry, EntryInfo, EntryReader, EntryWriter, LinkSink, Reader, Writer};
pub use bindings::dumprestore::driver::control::{self, FindingKind, Unit};
pub use bindings::dumprestore::driver::log::{self, Level};
pub use bindings::dumprestore::driver::secrets;
pub use bindings::dumprestore::driver::types::{Error, ErrorKind, Timestamp};
pub use bindings::exports::dumprestore::driver::moments::{
    Capability, Context, Description, Ended, Extra, Guest as Moments, LinkColumn, Need, Outcome, PointInTime, Worth,
};
pub use error::{Details, Problems, cancelled, error, io_error};
pub use state::State;

/// A result whose error is the contract's.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Makes a type that implements [`Moments`] the component's driver.
#[macro_export]
macro_rules! export {
    ($driver:ident) => {
        $crate::export_bindings!($driver with_types_in $crate);
    };
}

/// A chunk of this size travels quickly; the contract allows 1 MiB.
pub const CHUNK: usize = 256 * 1024;

/// So many entries are asked of the index at once.
const PAGE: u32 = 500;

/// The set's configuration, read into the driver's own type.
///
/// # Errors
/// The text does not fit the type: the driver's schema and the type disagree, then.
pub fn config<T: serde::de::DeserializeOwned>(context: &Context) -> Result<T> {
    serde_json::from_str(&context.config).map_err(|why| error(ErrorKind::InvalidConfig, why.to_string()))
}

/// Gives every entry of the set to `each`, in the order of the index.
///
/// # Errors
/// The index cannot be read; `each` failed; the run is cancelled.
pub fn each_entry(source: &Reader, mut each: impl FnMut(EntryInfo) -> Result<()>) -> Result<()> {
    let entries = source.entries()?;
    loop {
        check_cancelled()?;
        let page = entries.next(PAGE)?;
        if page.is_empty() {
            return Ok(());
        }
        page.into_iter().try_for_each(&mut each)?;
    }
}

/// Ends the caller's work with `?` once the run is cancelled.
///
/// # Errors
/// The run is cancelled.
pub fn check_cancelled() -> Result<()> {
    if control::cancelled() { Err(cancelled()) } else { Ok(()) }
}

/// Warns: shown to the user and kept in the manifest.
pub fn warn(message: impl AsRef<str>) {
    log::emit(Level::Warn, message.as_ref(), &[]);
}

/// This moment.
pub fn now() -> Timestamp {
    timestamp(std::time::SystemTime::now())
}

/// A point in time in the contract's words.
pub fn timestamp(at: std::time::SystemTime) -> Timestamp {
    let before = |before: std::time::Duration| {
        let (seconds, nanoseconds) = (before.as_secs() as i64, before.subsec_nanos());
        if nanoseconds == 0 {
            Timestamp { seconds: -seconds, nanoseconds: 0 }
        } else {
            Timestamp { seconds: -seconds - 1, nanoseconds: 1_000_000_000 - nanoseconds }
        }
    };
    match at.duration_since(std::time::UNIX_EPOCH) {
        Ok(after) => Timestamp { seconds: after.as_secs() as i64, nanoseconds: after.subsec_nanos() },
        Err(earlier) => before(earlier.duration()),
    }
}

/// A timestamp as the standard library has it; none where it lies outside of what that can say.
pub fn system_time(at: Timestamp) -> Option<std::time::SystemTime> {
    let whole = std::time::Duration::from_secs(at.seconds.unsigned_abs());
    let second = if at.seconds < 0 { std::time::UNIX_EPOCH.checked_sub(whole) } else { std::time::UNIX_EPOCH.checked_add(whole) };
    second?.checked_add(std::time::Duration::from_nanos(at.nanoseconds.into()))
}
