//! Executes a plan's tree: dump, restore, verify. Emits events, prints nothing, knows no driver by name.

pub mod event;
mod tree;

pub use event::{Event, Events};
pub use tree::{Link, Set, Tree};
