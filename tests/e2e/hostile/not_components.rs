//! What is no component, or none that this host runs, in the place of one.

use std::fs;

use dr_host_tests::component::Guest;

use super::{AT_ONCE, Tree};

/// Each is refused with its words.
#[track_caller]
fn refused(cases: impl IntoIterator<Item = (Vec<u8>, &'static str)>) {
    let tree = Tree::empty("");
    let usual = tree.usual();
    for (bytes, words) in cases {
        tree.put(&bytes);
        tree.refuses(usual, AT_ONCE, &["driver.wasm`", words]);
    }
}

#[test]
fn an_empty_file_a_text_and_other_things_are_named_for_what_they_are() {
    let noise: Vec<u8> = (0..100_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8 | 0x80).collect();
    refused([
        (Vec::new(), "is no component: it is empty"),
        (b"#!/bin/sh\nrm -rf /\n".to_vec(), "is no component: it is a text"),
        (b"(component)".to_vec(), "is no component: it is a text"),
        (b"\x7fELF\x02\x01\x01\0\xff\xfe".to_vec(), "is no component: it is no WebAssembly"),
        (noise, "is no component: it is no WebAssembly"),
        (b"\0asm\xff\xff\xff\xff".to_vec(), "is no component: it is WebAssembly of a version that this host does not know"),
    ]);
}

#[test]
fn a_core_module_is_named_for_what_it_is() {
    let module = wat::parse_str(Guest::new().wat()).expect("a module");
    let wasm = |text: &str| wat::parse_str(text).expect("it is WAT");
    refused([
        (module, "is no component: it is a core module"),
        (wasm("(module)"), "is no component: it is a core module"),
        (wasm("(component)"), "it is a component, and no driver"),
        (wasm("(component (core module))"), "it is a component, and no driver"),
    ]);
}

#[test]
fn a_truncated_file_is_named_for_what_it_is() {
    let whole = Guest::new().build();
    let lengths = [1, 4, 7, 9, 100, whole.len() / 3, whole.len() / 2, whole.len() - 1];
    refused(lengths.map(|length| (whole[..length].to_vec(), "is no component: it is truncated")));
}

/// Damage is found when the file is compiled, before anything of it runs.
#[test]
fn a_damaged_file_is_refused() {
    let whole = Guest::new().build();
    let tree = Tree::empty("");
    let usual = tree.usual();
    for part in 1..8 {
        let mut damaged = whole.clone();
        let at = whole.len() * part / 8;
        damaged[at..at + 16].fill(0xff);
        tree.put(&damaged);
        let run = super::Watched::run(&tree.host, &["plan", "--json"]);
        // Damage in what the guest says is no damage of the component.
        assert!(run.code() == Some(2) || run.code() == Some(0), "{run}");
        assert!(run.took < usual + std::time::Duration::from_secs(1), "{run}");
    }
}

#[test]
fn imports_that_the_host_does_not_have_are_named() {
    let strange = Guest::new().imports("import strange: interface { call: func(); }\n", "(import \"strange\" \"call\" (func))");
    let component =
        |import: &str| wat::parse_str(format!("(component (import \"{import}\" (instance (export \"f\" (func)))))")).expect("WAT");
    refused([
        (strange.build(), "cannot be run: it imports what this host does not have: `strange`"),
        (component("wasi:nn/graph@0.2.0"), "it is a component, and no driver"),
        (component("dumprestore:driver/archive@0.1.0"), "exports no `moments`: it is no driver"),
        (Guest::new().contract_version("0.7.0").build(), "it is built against version `0.7.0` of the contract, and this host runs `0.1.0`"),
        (Guest::new().contract_version("1.0.0").build(), "it is built against version `1.0.0` of the contract, and this host runs `0.1.0`"),
    ]);
}

/// What exports the moments and imports what is not there, although its package is.
#[test]
fn interfaces_and_functions_of_known_packages_that_do_not_exist_are_named() {
    let importing = |import: &str, function: &str| {
        let text = format!(
            "(component
               (import \"{import}\" (instance (export \"{function}\" (func))))
               (instance $moments)
               (export \"dumprestore:driver/moments@0.1.0\" (instance $moments)))"
        );
        wat::parse_str(text).expect("it is WAT")
    };
    refused([
        (importing("wasi:clocks/sundial@0.2.0", "read"), "`wasi:clocks/sundial@0.2.0`"),
        (importing("wasi:clocks/wall-clock@0.2.0", "set"), "`wasi:clocks/wall-clock@0.2.0`"),
        (importing("wasi:clocks/wall-clock@0.3.0", "now"), "it imports what this host does not have: `wasi:clocks/wall-clock@0.3.0`"),
        (importing("dumprestore:driver/archive@0.1.0", "delete-everything"), "it does not fit version 0.1.0 of the contract"),
    ]);
}

#[test]
fn a_directory_and_a_file_that_is_not_there_are_told() {
    let tree = Tree::empty("");
    let usual = tree.usual();
    fs::remove_file(tree.path("driver.wasm")).expect("it is there");
    tree.refuses(usual, AT_ONCE, &["cannot read the component", "driver.wasm"]);
    fs::create_dir(tree.path("driver.wasm")).expect("a directory");
    tree.refuses(usual, AT_ONCE, &["cannot read the component", "driver.wasm"]);
}

/// What a crafted cache holds is not run: see `host/src/drivers/component/cache.rs`. Here: a compiled file in the place of a component.
#[test]
fn a_compiled_file_is_no_component() {
    let tree = Tree::empty("");
    let usual = tree.usual();
    let compiled = find(&tree.path("cache")).expect("the component was compiled and kept");
    tree.put(&fs::read(compiled).expect("it can be read"));
    tree.refuses(usual, AT_ONCE, &["is no component: it is no WebAssembly"]);
}

/// The first file below a directory.
fn find(directory: &std::path::Path) -> Option<std::path::PathBuf> {
    let items: Vec<_> = directory.read_dir().ok()?.map(|item| item.expect("an item").path()).collect();
    items.iter().find(|path| path.is_file()).cloned().or_else(|| items.iter().find_map(|path| find(path)))
}
