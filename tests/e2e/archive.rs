//! The archive as a file: who else can read it, where it can and cannot be put, what a forged one does, and that the archives
//! of every format ever released are still restored.

mod golden;
mod hostile;
mod places;
mod readers;
mod sizes;

use dr_host_tests::published::expect_published;

#[test]
fn the_manifest_has_the_published_schema() {
    let schema = schemars::schema_for!(dr_host::archive::Manifest);
    expect_published("manifest.schema.json", &(serde_json::to_string_pretty(&schema).unwrap() + "\n"));
}
