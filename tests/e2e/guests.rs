//! The drivers of `guest-drivers/`, which are components: dumped and restored through the binary, in a tree of sets, and held to the
//! contract by the suite that every driver runs.

mod conformance;
mod directory;
mod kept;
mod notes;
mod redis;

/// Where compiled components are kept, for all tests of a run.
fn cache() -> String {
    std::env::temp_dir().join("dr-host-test-components").display().to_string()
}
