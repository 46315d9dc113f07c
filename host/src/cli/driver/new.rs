//! `dr-host driver new`: a project that builds, and passes its own test as made.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind as IoKind, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use serde_json::json;

use super::super::exit::{Exit, Refused};
use super::super::intent::Surroundings;
use super::super::output::{Format, Line, Look, Output};
use super::wit::CONTRACT;
use crate::error::{Error, ErrorKind, IoContext as _};

/// A new driver, as it was asked for.
pub(in crate::cli) struct New {
    /// Its name, and the directory's.
    pub(in crate::cli) name: String,
}

/// A file of the project: its path, its text with `{{name}}` in it, whether it is a program.
type Template = (&'static str, &'static str, bool);

const RUST: [Template; 7] = [
    ("Cargo.toml", include_str!("template/Cargo.toml.in"), false),
    ("src/lib.rs", include_str!("template/lib.rs"), false),
    ("wit/driver.wit", CONTRACT, false),
    ("build", include_str!("template/build"), true),
    ("test", include_str!("template/test"), true),
    ("README.md", include_str!("template/README.md"), false),
    (".gitignore", include_str!("template/gitignore"), false),
];

impl New {
    /// Makes it.
    pub(super) fn run(&self, output: &Output, around: &Surroundings) -> Result<Exit, Refused> {
        self.check()?;
        let directory = around.directory.join(&self.name);
        match fs::create_dir(&directory) {
            Err(why) if why.kind() == IoKind::AlreadyExists => {
                let taken = Error::new(ErrorKind::InvalidConfig, format!("`{}` exists already", self.name));
                return Err(taken.hint("choose another name, or another directory").into());
            }
            other => other.while_doing(|| format!("cannot make the directory `{}`", self.name))?,
        }
        for template in &RUST {
            self.write(&directory, template)?;
        }
        match output.format() {
            Format::Json => output.printer.json(&json!({ "path": self.name, "files": RUST.map(|(path, ..)| path) })),
            Format::Text => {
                let next = |command: String, what| Line::plain("  ").look(Look::Strong, format!("{command:<24}")).then(what);
                output.result(&[
                    Line::plain(format!("`{}` is made; next:", self.name)),
                    next(format!("cd {}", self.name), "src/lib.rs is the driver, wit/driver.wit the contract"),
                    next("./build".into(), "makes the component"),
                    next("./test".into(), "builds it, and holds it to the contract"),
                ]);
            }
        }
        Ok(Exit::Done)
    }

    /// A driver's name, as the contract has it, that Cargo takes too.
    fn check(&self) -> Result<(), Error> {
        let is_word = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        let good = self.name.starts_with(|c: char| c.is_ascii_lowercase()) && self.name.chars().all(is_word) && self.name.len() <= 50;
        if good && !self.name.ends_with('-') && !matches!(self.name.as_str(), "test" | "core" | "std" | "alloc") {
            return Ok(());
        }
        let wrong = Error::new(ErrorKind::InvalidConfig, format!("`{}` is no name for a driver", self.name.escape_debug()));
        Err(wrong.hint("lower-case letters, digits and hyphens make one, as in `my-state`; it begins with a letter"))
    }

    fn write(&self, directory: &Path, (path, text, is_program): &Template) -> Result<(), Error> {
        let text = text.replace("{{name}}", &self.name).replace("{{crate}}", &self.name.replace('-', "_"));
        let path = directory.join(path);
        let cannot = || format!("cannot write `{}`", path.display());
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).while_doing(cannot)?;
        }
        let mode = if *is_program { 0o777 } else { 0o666 };
        let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(&path).while_doing(cannot)?;
        file.write_all(text.as_bytes()).while_doing(cannot)
    }
}
