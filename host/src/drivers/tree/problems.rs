//! What stands against a restore, gathered, so that one error tells all of it.

use crate::error::{Error, ErrorKind, Result};

/// How many names of one sort of problem are told.
const FEW: usize = 10;

/// The most failed checks that are told one by one.
const MOST: usize = 20;

/// The problems so far.
#[derive(Default)]
pub(super) struct Problems {
    found: Vec<Problem>,
}

/// One sort of problem.
struct Problem {
    kind: ErrorKind,
    message: String,
    hint: Option<String>,
    /// The names that have it: some of them, each as what.
    names: Vec<(&'static str, String)>,
    /// How many names have it.
    number: u64,
}

impl Problems {
    /// Adds the error of a check that failed.
    pub(super) fn check(&mut self, checked: Result<()>) {
        if let Err(error) = checked
            && self.found.len() < MOST
        {
            let hint = error.advice().map(str::to_owned);
            self.found.push(Problem { kind: error.kind(), message: error.message().to_owned(), hint, names: Vec::new(), number: 0 });
        }
    }

    /// Adds a name to those that have this problem: `key` says as what.
    pub(super) fn name(&mut self, kind: ErrorKind, message: &str, hint: Option<&str>, (key, name): (&'static str, &[u8])) {
        let at = self.found.iter().position(|problem| problem.message == message).unwrap_or_else(|| {
            let hint = hint.map(str::to_owned);
            self.found.push(Problem { kind, message: message.to_owned(), hint, names: Vec::new(), number: 0 });
            self.found.len() - 1
        });
        let problem = &mut self.found[at];
        problem.number += 1;
        if problem.names.len() < FEW {
            problem.names.push((key, super::shown(name)));
        }
    }

    /// The one error, if there is a problem.
    pub(super) fn into_result(self) -> Result<()> {
        let Some(first) = self.found.first() else { return Ok(()) };
        let messages: Vec<String> = self.found.iter().map(Problem::text).collect();
        let mut hints: Vec<&str> = self.found.iter().filter_map(|problem| problem.hint.as_deref()).collect();
        hints.dedup();
        let mut error = Error::new(first.kind, messages.join("; ")).untouched();
        if !hints.is_empty() {
            error = error.hint(hints.join("; "));
        }
        Err(self.found.into_iter().flat_map(|problem| problem.names).fold(error, |error, (key, name)| error.with(key, name)))
    }
}

impl Problem {
    fn text(&self) -> String {
        let told = self.names.len();
        match self.number {
            0 => self.message.clone(),
            number if number > told as u64 => format!("{} ({number}, of which {told} are listed)", self.message),
            number => format!("{} ({number})", self.message),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{FEW, Problems};
    use crate::error::{Error, ErrorKind};

    #[test]
    fn one_error_tells_everything() {
        let mut problems = Problems::default();
        for number in 0..FEW + 5 {
            problems.name(ErrorKind::Other, "things are there", Some("move them"), ("thing", format!("t{number}").as_bytes()));
        }
        problems.check(Err(Error::new(ErrorKind::Unavailable, "the disk is full").hint("make room")));
        problems.check(Ok(()));
        let error = problems.into_result().unwrap_err();
        assert_eq!(error.message(), "things are there (15, of which 10 are listed); the disk is full");
        assert_eq!(error.advice(), Some("move them; make room"));
        assert_eq!(error.context().len(), FEW);
        assert_eq!(error.context()[0], ("thing".into(), "t0".into()));
        assert!(error.is_untouched());
    }

    #[test]
    fn nothing_stands_against_what_has_no_problem() {
        assert!(Problems::default().into_result().is_ok());
    }
}
