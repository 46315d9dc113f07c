//! Executes a plan's tree: [`dump`], [`restore`], [`verify`]. Emits events, prints nothing, knows no driver by name.
//!
//! `order` says what runs when, `job` calls a driver's moments, `run` gathers what failed and what was found.

mod counting;
mod dump;
pub mod event;
mod job;
mod link;
mod order;
mod record;
mod reporter;
mod restore;
mod run;
mod session;
mod ticker;
mod tree;
mod verify;

pub use dump::dump;
pub use event::{Event, Events};
pub use restore::restore;
pub use session::{Report, Session, exit_code};
pub use tree::{Link, Set, Tree};
pub use verify::verify;

#[cfg(test)]
mod tests;
