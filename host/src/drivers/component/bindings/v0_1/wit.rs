//! What `bindgen!` makes of `wit/driver.wit`, version 0.1.0.

#![allow(missing_docs, unreachable_pub, reason = "the text of the contract decides what stands here")]

wasmtime::component::bindgen!({
    path: "../wit",
    world: "dumprestore:driver/driver@0.1.0",
    imports: { default: trappable },
    exports: { default: async },
    with: {
        "dumprestore:driver/archive.writer": super::super::super::handle::Writer,
        "dumprestore:driver/archive.entry-writer": super::super::super::handle::EntryWriter,
        "dumprestore:driver/archive.reader": super::super::super::handle::Reader,
        "dumprestore:driver/archive.entries": super::super::super::handle::Entries,
        "dumprestore:driver/archive.entry-reader": super::super::super::handle::EntryReader,
        "dumprestore:driver/archive.link-sink": super::super::super::handle::LinkSink,
    },
    trappable_error_type: {
        "dumprestore:driver/types.error" => super::super::super::Failure,
    },
});
