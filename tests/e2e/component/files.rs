//! What stands in the place of a component, and what it says of itself.

use std::fs;

use dr_host_tests::component::Guest;
use dr_host_tests::host::Ended;
use sha2::{Digest as _, Sha256};

use super::Place;

/// Plans with these bytes in the place of a component, which must be refused.
fn refused(bytes: &[u8]) -> Ended {
    let place = Place::empty("");
    fs::write(place.path("driver.wasm"), bytes).expect("a file");
    let ended = place.host.run(["plan"]).expect(2);
    assert!(ended.stderr.contains("dumprestore.toml:6:13"), "{ended}");
    ended
}

#[track_caller]
fn says(ended: &Ended, words: &str) {
    assert!(ended.stderr.contains(words), "{ended}");
}

#[test]
fn what_is_no_component_is_named_for_what_it_is() {
    says(&refused(b""), "driver.wasm` is no component: it is empty");
    says(&refused(b"#!/bin/sh\necho hello\n"), "driver.wasm` is no component: it is a text");
    says(&refused(b"\0asm\x01\0\0\0"), "driver.wasm` is no component: it is a core module");
    says(&refused(b"\0asm"), "driver.wasm` is no component: it is truncated");
    says(&refused(b"\x7fELF\xff\xfe\xfd\xfc"), "driver.wasm` is no component: it is no WebAssembly");
    let whole = Guest::new().build();
    for length in [9, 100, whole.len() / 2, whole.len() - 1] {
        says(&refused(&whole[..length]), "driver.wasm` is no component: it is truncated");
    }
    says(&refused(b"\0asm\x0d\0\x01\0"), "it is a component, and no driver");
    let place = Place::empty("");
    says(&place.host.run(["plan"]).expect(2), "cannot read the component");
}

#[test]
fn another_version_of_the_contract_is_refused_with_both_named() {
    let ended = refused(&Guest::new().contract_version("0.7.0").build());
    says(&ended, "it is built against version `0.7.0` of the contract, and this host runs `0.1.0`");
}

#[test]
fn imports_that_the_host_does_not_have_are_named() {
    let strange = Guest::new().imports("import strange: interface { call: func(); }", "(import \"strange\" \"call\" (func))");
    says(&refused(&strange.build()), "it imports what this host does not have: `strange`");
}

#[test]
fn a_pin_that_does_not_fit_is_refused_and_one_that_fits_is_not() {
    let sha256 = Sha256::digest(Guest::new().build()).iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    Place::new(&Guest::new(), &format!("sha256 = \"{sha256}\"\n")).dump().expect(0);
    let ended = Place::new(&Guest::new(), &format!("sha256 = \"{}\"\n", "0".repeat(64))).dump().expect(2);
    says(&ended, "dumprestore.toml:7:10");
    says(&ended, &format!("has the SHA-256 `{sha256}`, not the pinned `{}`", "0".repeat(64)));
    let ended = Place::new(&Guest::new(), "sha256 = \"abc\"\n").dump().expect(2);
    says(&ended, "this is no SHA-256");
}

#[test]
fn the_configuration_is_checked_by_the_drivers_schema_at_its_line() {
    let schema = r#"{"type":"object","required":["address"],"properties":{
        "address":{"type":"string","description":"where the server is"},"database":{"type":"integer","minimum":0}}}"#;
    let guest = Guest::new().schema(schema);
    Place::new(&guest, "config = { address = \"a:1\" }\n").dump().expect(0);
    let ended = Place::new(&guest, "\n[set.config]\ndatabase = -1\nadress = \"a:1\"\n").dump().expect(2);
    says(&ended, "unknown key `adress` of driver `wat`");
    says(&ended, "did you mean `address`?");
    says(&ended, "dumprestore.toml:9:12");
    says(&ended, "dumprestore.toml:10:");
    says(&ended, "driver `wat` needs `address`");
}

#[test]
fn what_a_lying_description_says_is_not_taken() {
    says(&refused(&Guest::new().schema("no JSON").build()), "describes itself badly: its configuration's schema is no JSON");
    says(&refused(&Guest::new().schema("{\"type\": 7}").build()), "its configuration's schema is no JSON Schema");
    says(&refused(&Guest::new().named("Big Name", "1").build()), "lower-case letters, digits and hyphens make one");
    says(&refused(&Guest::new().named("wat", &"9".repeat(2000)).build()), "its version has 2000 bytes; 1000 are the most");
    says(&refused(&Guest::new().schema(&format!("\"{}\"", "x".repeat(2 << 20))).build()), "its configuration's schema has 2097154 bytes");
    says(&refused(&Guest::new().schema(&format!("\"{}\"", "x".repeat(9 << 20))).build()), "too much data");
    says(&refused(&Guest::new().body("describe", "(unreachable)").build()), "`describe`: the driver's component trapped");
    says(&refused(&Guest::new().body("describe", "(loop $on (br $on)) (unreachable)").build()), "took longer than the 5s");
}

#[test]
fn plan_and_manifest_show_hash_contract_and_limits() {
    let place = Place::new(&Guest::new(), "limit = { memory = \"64MiB\", time = \"10m\" }\n");
    let sha256 = Sha256::digest(Guest::new().build()).iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let planned = place.host.run(["plan"]).expect(0);
    for words in [
        "driver.wasm (wat 1.0.0)",
        &sha256,
        "contract: 0.1.0",
        "limit.memory: 64MiB",
        "limit.time: 10m",
        "limit.idle: 5m",
        "limit.chunk: 1MiB",
    ] {
        assert!(planned.stdout.contains(words), "`{words}` is missing: {planned}");
    }
    place.dump().expect(0);
    let listed = place.host.run(["list", "--json", "out.zip"]).expect(0);
    for words in [&sha256, "\"contract\":\"0.1.0\"", "\"limit.memory\":\"64MiB\""] {
        assert!(listed.stdout.replace(": ", ":").contains(words), "`{words}` is missing: {listed}");
    }
}

#[test]
fn another_component_may_restore_and_it_is_said() {
    let place = Place::new(&Guest::new(), "");
    place.dump().expect(0);
    let mut other = Guest::new();
    other.text("another build of the same version");
    other.write(&place.path(""));
    let restored = place.restore().expect(0);
    says(&restored, "another build of driver `wat` 1.0.0 wrote it");
    Guest::new().write(&place.path(""));
    let restored = place.restore().expect(0);
    assert!(!restored.stderr.contains("another build"), "{restored}");
}
