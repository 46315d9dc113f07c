//! Standard output as the place of an archive: for pipes and redirections, refused on a terminal.

use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;

use super::{Target, Upload};
use crate::error::{Error, ErrorKind, IoContext, Result};

const LOCATION: &str = "standard output";

struct Stdout(io::Stdout);

/// Standard output, unless it is a terminal.
pub(super) fn target() -> Result<Box<dyn Target>> {
    let stdout = io::stdout();
    if stdout.is_terminal() {
        return Err(Error::new(ErrorKind::InvalidConfig, "standard output is a terminal; an archive would garble it")
            .hint("redirect it (`> archive.zip`), pipe it on, or give the name of a file"));
    }
    Ok(Box::new(Stdout(stdout)))
}

impl Target for Stdout {
    fn location(&self) -> String {
        LOCATION.into()
    }

    fn occupies(&self) -> Vec<PathBuf> {
        Vec::new()
    }

    fn begin(self: Box<Self>) -> Result<Box<dyn Upload>> {
        Ok(self)
    }
}

impl Write for Stdout {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

impl Upload for Stdout {
    fn location(&self) -> String {
        LOCATION.into()
    }

    fn commit(mut self: Box<Self>) -> Result<()> {
        self.0.flush().while_doing(|| "cannot write standard output")
    }
}
