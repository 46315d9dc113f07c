//! Components that mean harm, each in a tree between sets that mean well: a component before it, files behind it.
//!
//! Whatever such a component does, it fails alone, on time, in one message; the host's memory stays bounded, its neighbours fare
//! as designed, and nothing remains that looks like an archive. [`Tree`] asserts all of that at once; the files beside this one
//! say what is done, and what is told.

mod describe;
mod entries;
mod grants;
mod handles;
mod memory;
mod names;
mod not_components;
mod restores;
mod time;
mod tree;
mod watched;
mod words;

use std::time::Duration;

pub(crate) use self::tree::Tree;
pub(crate) use self::watched::Watched;

/// A loop that never ends.
pub(crate) const FOREVER: &str = "(loop $forever (br $forever)) (unreachable)";

/// The limit of most, and the line that sets it.
pub(crate) const IDLE: Duration = Duration::from_millis(300);
pub(crate) const IDLE_LINE: &str = "limit = { idle = \"300ms\", memory = \"64MiB\" }\n";

/// Who is not stopped by a clock is stopped at once.
pub(crate) const AT_ONCE: Duration = Duration::ZERO;

/// A number below 10,000 as what its four digits have above `0`: added to `0x30303030`, it is their text.
pub(crate) const DIGITS: &str = "(func $digits (param $n i32) (result i32)
    (i32.or
      (i32.or (i32.div_u (local.get $n) (i32.const 1000))
              (i32.shl (i32.rem_u (i32.div_u (local.get $n) (i32.const 100)) (i32.const 10)) (i32.const 8)))
      (i32.or (i32.shl (i32.rem_u (i32.div_u (local.get $n) (i32.const 10)) (i32.const 10)) (i32.const 16))
              (i32.shl (i32.rem_u (local.get $n) (i32.const 10)) (i32.const 24)))))";
