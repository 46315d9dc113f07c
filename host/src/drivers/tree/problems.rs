//! What stands against a restore, gathered, so that one error tells all of it.

use crate::error::{Error, ErrorKind, Result};

/// How many names of one sort of problem are told.
const FEW: usize = 10;

/// The problems so far.
#[derive(Default)]
pub(super) struct Problems {
    found: Vec<Problem>,
}

/// One sort of problem, and the names that have it.
struct Problem {
    kind: ErrorKind,
    message: String,
    hint: Option<String>,
    names: Vec<String>,
    number: u64,
}

impl Problems {
    /// Adds the error of a check that failed.
    pub(super) fn check(&mut self, checked: Result<()>) {
        if let Err(error) = checked {
            let hint = error.advice().map(str::to_owned);
            self.found.push(Problem { kind: error.kind(), message: error.message().to_owned(), hint, names: Vec::new(), number: 0 });
        }
    }

    /// Adds a name to those that have this problem.
    pub(super) fn name(&mut self, kind: ErrorKind, message: &str, hint: Option<&str>, name: &[u8]) {
        let at = self.found.iter().position(|problem| problem.message == message).unwrap_or_else(|| {
            self.found.push(Problem { kind, message: message.to_owned(), hint: hint.map(str::to_owned), names: Vec::new(), number: 0 });
            self.found.len() - 1
        });
        let problem = &mut self.found[at];
        problem.number += 1;
        if problem.names.len() < FEW {
            problem.names.push(super::shown(name));
        }
    }

    /// The one error, if there is a problem.
    pub(super) fn into_result(self) -> Result<()> {
        let Some(first) = self.found.first() else { return Ok(()) };
        let kind = first.kind;
        let told: Vec<String> = self.found.iter().map(Problem::text).collect();
        let mut hints: Vec<&str> = Vec::new();
        for hint in self.found.iter().filter_map(|problem| problem.hint.as_deref()) {
            if !hints.contains(&hint) {
                hints.push(hint);
            }
        }
        let mut error = Error::new(kind, told.join("; ")).untouched();
        if !hints.is_empty() {
            error = error.hint(hints.join("; "));
        }
        let names = self.found.into_iter().flat_map(|problem| problem.names.into_iter().map(move |name| (problem.message.clone(), name)));
        Err(names.fold(error, |error, (message, name)| error.with(message, name)))
    }
}

impl Problem {
    fn text(&self) -> String {
        const IN_LINE: usize = 3;
        if self.names.is_empty() {
            return self.message.clone();
        }
        let some: Vec<String> = self.names.iter().take(IN_LINE).map(|name| format!("`{name}`")).collect();
        let more = if self.number > IN_LINE as u64 { " …" } else { "" };
        format!("{} ({}): {}{more}", self.message, self.number, some.join(", "))
    }
}
