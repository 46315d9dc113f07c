//! One thing that is wrong with configuration, arguments or environment, and how it is shown: with the place in the file, the
//! line's text, what is wrong and what to write instead. All of them end a command with exit code 2.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use unicode_width::UnicodeWidthStr as _;

use crate::error::Error;
use crate::name::SetPath;
use crate::redact::Redactor;

/// One thing that is wrong. Its texts hold no secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Problem {
    /// What is wrong.
    pub message: String,
    /// What to write instead, or what to do.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub hint: Option<String>,
    /// Where, if it stands in a file.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub place: Option<Place>,
    /// The set whose settings lack something that the environment should give: no problem where that set is left out.
    #[serde(skip)]
    pub(crate) unset_for: Option<SetPath>,
}

/// A place in a file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Place {
    /// The file.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// The character within the line, from 1.
    pub column: usize,
    /// The text of the line, with `***` for secrets; of a very long line a part.
    pub excerpt: String,
    /// How many characters of the excerpt stand before the offending text.
    pub caret: usize,
    /// How many characters of the excerpt are the offending text; at least 1.
    pub caret_length: usize,
}

impl Place {
    /// How many columns of a terminal stand before the offending text, and how many it takes: some scripts take two a character.
    fn columns(&self) -> (usize, usize) {
        let width = |part: String| part.width();
        let before = width(self.excerpt.chars().take(self.caret).collect());
        let offending = width(self.excerpt.chars().skip(self.caret).take(self.caret_length).collect());
        (before, offending.max(1))
    }
}

impl Problem {
    /// A problem that stands in no file.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), hint: None, place: None, unset_for: None }
    }

    /// Adds what to write instead, or what to do.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Adds a hint where there is one.
    #[must_use]
    pub fn maybe_hint(mut self, hint: Option<String>) -> Self {
        self.hint = hint.or(self.hint);
        self
    }

    /// The same without secrets in its texts; its place has none already.
    pub(crate) fn struck(mut self, redactor: &Redactor) -> Self {
        self.message = redactor.strike(&self.message).into_owned();
        self.hint = self.hint.map(|hint| redactor.strike(&hint).into_owned());
        self
    }

    /// Adds the place.
    #[must_use]
    pub fn at(mut self, place: Place) -> Self {
        self.place = Some(place);
        self
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let margin = match &self.place {
            Some(place) => {
                let number = place.line.to_string();
                let margin = " ".repeat(number.len());
                writeln!(f, "{}:{}:{}: {}", place.file, place.line, place.column, self.message)?;
                writeln!(f, "  {number} | {}", place.excerpt)?;
                let (before, length) = place.columns();
                write!(f, "  {margin} | {}{}", " ".repeat(before), "^".repeat(length))?;
                margin
            }
            None => {
                f.write_str(&self.message)?;
                String::new()
            }
        };
        match &self.hint {
            Some(hint) => write!(f, "\n  {margin} = {hint}"),
            None => Ok(()),
        }
    }
}

/// Everything that is wrong, in the order of the file; what stands in no file comes last.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Problems(Vec<Problem>);

impl Problems {
    /// `Ok` where nothing is wrong, else everything, sorted, each said once.
    ///
    /// # Errors
    /// The problems, if there are any.
    pub fn check(mut problems: Vec<Problem>) -> Result<(), Self> {
        if problems.is_empty() {
            return Ok(());
        }
        problems.sort_by_key(|problem| match &problem.place {
            Some(place) => (0, place.line, place.column),
            None => (1, 0, 0),
        });
        let mut seen = Vec::new();
        problems.retain(|problem| {
            let new = !seen.contains(problem);
            seen.push(problem.clone());
            new
        });
        Err(Self(problems))
    }

    /// The problems.
    pub fn iter(&self) -> impl Iterator<Item = &Problem> {
        self.0.iter()
    }
}

impl From<Problem> for Problems {
    fn from(problem: Problem) -> Self {
        Self(vec![problem])
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        Self::new(error.message()).maybe_hint(error.advice().map(str::to_owned))
    }
}

/// One after another, each with its excerpt.
impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, problem) in self.0.iter().enumerate() {
            if number > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{problem}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}
