//! Where archives live: a local file (it appears whole or not at all), standard output and, with a later version, object
//! stores. Knows nothing of zip.
//!
//! A store has two faces: a [`Target`] takes a new archive, a [`Source`] gives an existing one back. An object store will
//! be one more of each: a multipart upload that is completed in [`Upload::commit`], and range requests behind [`ReadAt`].

mod file;
mod source;
mod stdout;
mod writeback;

use std::io::Write;
use std::path::PathBuf;

pub use source::{ReadAt, Source};

use crate::error::{Error, ErrorKind, Result};

/// Where a new archive will be.
pub trait Target: Send {
    /// The place as people write it: a path, `standard output`.
    fn location(&self) -> String;

    /// The absolute paths of this machine's files that the archive takes while it is written and afterwards, so that the
    /// dump of a directory around them leaves them out.
    fn occupies(&self) -> Vec<PathBuf>;

    /// Starts writing. Before this, nothing is written anywhere.
    ///
    /// # Errors
    /// The place cannot be written, or another dump is writing it.
    fn begin(self: Box<Self>) -> Result<Box<dyn Upload>>;
}

/// An archive that is being written. It appears under its name with [`Upload::commit`]; dropped before, it leaves nothing.
pub trait Upload: Write + Send {
    /// The place as people write it.
    fn location(&self) -> String;

    /// Makes what was written durable, then visible under its name.
    ///
    /// # Errors
    /// It cannot be made so; then nothing stands under the name but what stood there before.
    fn commit(self: Box<Self>) -> Result<()>;
}

/// The place that `out` names: a path, `-` for standard output, or a URL. Nothing is written yet.
///
/// # Errors
/// Something stands there already and `overwrite` is false; the directory is missing; standard output is a terminal; a URL,
/// as long as no object store is supported.
pub fn open_target(out: &str, overwrite: bool) -> Result<Box<dyn Target>> {
    refuse_url(out, "write to a file, or to `-` and pipe it on")?;
    match out {
        "" => Err(Error::new(ErrorKind::InvalidConfig, "the archive's name is empty").hint("give a path, or `-` for standard output")),
        "-" => stdout::target(),
        path => file::target(path, overwrite),
    }
}

/// The archive that `input` names: the path of a regular file.
///
/// # Errors
/// It does not exist or cannot be read; it is not a regular file; `-`, since reading needs to seek; a URL, as long as no
/// object store is supported.
pub fn open_source(input: &str) -> Result<Source> {
    refuse_url(input, "copy it to a file first")?;
    if input == "-" {
        return Err(Error::new(ErrorKind::Unsupported, "an archive cannot be read from standard input: its directory stands at its end")
            .hint("save it to a file first, and name that"));
    }
    Source::open(input)
}

/// Refuses what reads like a URL.
fn refuse_url(place: &str, hint: &str) -> Result<()> {
    let scheme = place.split_once("://").map(|(scheme, _)| scheme);
    match scheme {
        Some(scheme) if !scheme.is_empty() && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte)) => {
            Err(Error::new(ErrorKind::Unsupported, format!("archives in object stores (`{scheme}://`) are not supported yet")).hint(hint))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
