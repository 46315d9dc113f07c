//! The component that is kept beside the quickstart was built from what stands in the repository.

use std::path::Path;
use std::process::Command;

/// Its custom section names the hash of its source and of the contract: both are those of today. Who changes either puts a new one
/// there with `guest-drivers/build --keep`.
#[test]
fn the_kept_component_is_that_of_this_source_and_contract() {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the tests' crate stands in the repository");
    let checked = Command::new("python3")
        .args(["guest-drivers/stamp.py", "check", "examples/quickstart/notes.wasm", "notes-c"])
        .current_dir(repository)
        .output()
        .expect("python3 can be started");
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
}
