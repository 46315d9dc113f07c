//! What a command says, as a text that is the same on every machine: for comparisons with what it said when somebody last looked.

use regex::Regex;

use crate::host::{Ended, Host};

/// Runs the commands one after another; gives what a person would see, with stdout, stderr and the exit code told apart, and
/// with places, times and hashes made equal.
pub fn transcript(host: &Host, commands: &[&[&str]]) -> String {
    commands.iter().map(|arguments| told(host, arguments, &host.run(*arguments))).collect::<Vec<_>>().join("\n")
}

/// One run, told as [`transcript`] tells it.
pub fn told(host: &Host, arguments: &[&str], ended: &Ended) -> String {
    let mut text = format!("$ dr-host {}\n", arguments.join(" "));
    for (name, said) in [("stdout", &ended.stdout), ("stderr", &ended.stderr)] {
        if !said.is_empty() {
            text.push_str(&format!("----- {name}\n{said}"));
        }
    }
    let code = ended.code.map_or("killed by a signal".into(), |code| code.to_string());
    text.push_str(&format!("----- exit code {code}\n"));
    normal(&text, &host.directory().to_string_lossy())
}

/// The text with the directory, times, moments, hashes and sizes of archives made equal; columns keep their widths.
fn normal(text: &str, directory: &str) -> String {
    let replacements = [
        (regex::escape(directory), "[DIR]"),
        (r"\b\d+\.\d s\b".into(), "0.0 s"),
        (r"\b\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ".into(), "2026-01-01 00:00:00Z"),
        (r"\b[0-9a-f]{64}\b".into(), "[SHA-256]"),
        (r"(?m)^(  size     ).*$".into(), "${1}[SIZE]"),
    ];
    replacements.iter().fold(text.to_owned(), |text, (pattern, to)| {
        Regex::new(pattern).expect("the pattern is right").replace_all(&text, *to).into_owned()
    })
}
