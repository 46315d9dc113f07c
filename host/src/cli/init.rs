//! `dr-host init`.

use std::fs::OpenOptions;
use std::io::{ErrorKind as IoKind, Write as _};
use std::path::PathBuf;

use serde_json::json;

use super::exit::{Exit, Refused};
use super::intent::Surroundings;
use super::output::{Format, Line, Look, Output};
use crate::config;
use crate::drivers::registry;
use crate::error::{Error, ErrorKind, IoContext as _};
use crate::plan::{self, Draft, Selection};

/// A first configuration, as it was asked for.
pub(super) struct Init {
    /// The file to write.
    pub(super) path: PathBuf,
    /// Which sets.
    pub(super) selection: Selection,
}

impl Init {
    /// Writes it.
    pub(super) fn run(&self, output: &Output, around: &Surroundings) -> Result<Exit, Refused> {
        let shown = self.path.display();
        let path = around.directory.join(&self.path);
        let Draft { text, left_out } = plan::init(&around.environment, registry::kinds(), &self.selection)?;
        let mut file = match OpenOptions::new().write(true).create_new(true).open(&path) {
            Err(cause) if cause.kind() == IoKind::AlreadyExists => {
                let error = Error::new(ErrorKind::InvalidConfig, format!("`{shown}` exists already"));
                return Err(error.hint("edit it, or give another name").into());
            }
            opened => opened.while_doing(|| format!("cannot write `{shown}`"))?,
        };
        file.write_all(text.as_bytes()).while_doing(|| format!("cannot write `{shown}`"))?;
        left_out.iter().for_each(|message| output.warn(&format!("{message}: its set is a comment in `{shown}`")));
        match output.format() {
            Format::Json => output.printer.json(&json!({ "configuration": self.path })),
            Format::Text => output.result(&self.what_next(text.lines().any(|line| line == "[[set]]"))),
        }
        Ok(Exit::Done)
    }

    fn what_next(&self, has_sets: bool) -> Vec<Line> {
        let shown = self.path.display().to_string();
        let option = if shown == config::FILE { String::new() } else { format!(" -c {shown}") };
        let edit = if has_sets { "edit it" } else { "the environment shows no state: add the sets yourself, examples stand in it" };
        vec![
            Line::looking(Look::Good, "wrote ").look(Look::Strong, &shown),
            Line::plain(format!("next: {edit}, then `dr-host plan{option}` shows what it means")),
        ]
    }
}
