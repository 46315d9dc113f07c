//! Files of `docs/` that are made from the code: a test holds each equal to what the code says now.

use std::path::Path;

/// Compares `docs/<name>` with what it should be. With `UPDATE_DOCS=1` in the environment it is written instead.
///
/// # Panics
/// It is not the same, or cannot be read or written.
#[track_caller]
pub fn expect_published(name: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs").join(name);
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, text).expect("the file can be written");
    }
    let published = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(published == text, "`docs/{name}` is not what the code says now: run this test with UPDATE_DOCS=1 and look at the change");
}
