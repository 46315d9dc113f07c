//! Where text goes: results to standard output, everything else to standard error, both around the progress bars. The last
//! point before printing, so this is where secrets are struck out.

use std::io::{self, ErrorKind, IsTerminal, Write};
use std::sync::{Mutex, MutexGuard, PoisonError, RwLock};

use console::Term;
use indicatif::{MultiProgress, ProgressDrawTarget};
use serde::Serialize;

use super::text::Line;
use crate::error::{Error, Result};
use crate::redact::Redactor;

/// One of the two standard streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cli) enum Stream {
    /// Standard output.
    Out,
    /// Standard error.
    Err,
}

impl Stream {
    /// Whether a person sits at its other end.
    pub(in crate::cli) fn is_terminal(self) -> bool {
        match self {
            Self::Out => io::stdout().is_terminal(),
            Self::Err => io::stderr().is_terminal(),
        }
    }

    /// How many columns the terminal has, if it is one.
    fn width(self) -> Option<usize> {
        let term = match self {
            Self::Out => Term::stdout(),
            Self::Err => Term::stderr(),
        };
        self.is_terminal().then(|| term.size_checked().map(|(_, columns)| usize::from(columns))).flatten()
    }

    fn write(self, text: &str) -> io::Result<()> {
        match self {
            Self::Out => {
                let mut out = io::stdout().lock();
                out.write_all(text.as_bytes()).and_then(|()| out.flush())
            }
            Self::Err => io::stderr().lock().write_all(text.as_bytes()),
        }
    }
}

/// Prints lines and JSON.
pub(in crate::cli) struct Printer {
    results: Stream,
    no_colour: bool,
    bars: MultiProgress,
    redactor: RwLock<Redactor>,
    lost: Mutex<Option<io::Error>>,
}

impl Printer {
    /// A printer whose results go to `results`; `no_colour` as `NO_COLOR` asks; `bars` where progress is drawn.
    pub(in crate::cli) fn new(results: Stream, no_colour: bool, bars: bool) -> Self {
        let target = if bars { ProgressDrawTarget::stderr_with_hz(10) } else { ProgressDrawTarget::hidden() };
        Self { results, no_colour, bars: MultiProgress::with_draw_target(target), redactor: RwLock::default(), lost: Mutex::default() }
    }

    /// From now on strikes these secrets out.
    pub(in crate::cli) fn learn(&self, redactor: Redactor) {
        *self.redactor.write().unwrap_or_else(PoisonError::into_inner) = redactor;
    }

    /// Where progress bars are drawn.
    pub(in crate::cli) fn bars(&self) -> &MultiProgress {
        &self.bars
    }

    /// Where results go.
    pub(in crate::cli) fn results_stream(&self) -> Stream {
        self.results
    }

    /// How many columns results may take; none where no terminal limits them.
    pub(in crate::cli) fn width(&self) -> Option<usize> {
        self.results.width()
    }

    /// Prints what was asked for.
    pub(in crate::cli) fn result(&self, lines: &[Line]) {
        let text = self.render(self.results, lines);
        self.write(self.results, &text);
    }

    /// Prints what was asked for, in a form that others made: a completion script, a manual page.
    pub(in crate::cli) fn raw(&self, text: &str) {
        self.write(self.results, text);
    }

    /// Prints what goes beside the results: log, warnings, errors.
    pub(in crate::cli) fn note(&self, lines: &[Line]) {
        let text = self.render(Stream::Err, lines);
        self.write(Stream::Err, &text);
    }

    /// Prints one JSON value on one line, where results go.
    pub(in crate::cli) fn json(&self, value: &impl Serialize) {
        let mut value = serde_json::to_value(value).expect("what is printed has text keys only");
        self.redactor.read().unwrap_or_else(PoisonError::into_inner).strike_json(&mut value);
        self.write(self.results, &format!("{value}\n"));
    }

    /// Whether nobody reads the results any more.
    pub(in crate::cli) fn is_lost(&self) -> bool {
        self.lost().is_some()
    }

    /// Fails if results could not be printed. That nobody wanted to read them to their end is no failure.
    ///
    /// # Errors
    /// Standard output could not be written.
    pub(in crate::cli) fn finish(&self) -> Result<()> {
        match self.lost().as_ref() {
            Some(cause) if cause.kind() != ErrorKind::BrokenPipe => Err(Error::io("cannot write to standard output", cause)),
            _ => Ok(()),
        }
    }

    fn render(&self, stream: Stream, lines: &[Line]) -> String {
        let colour = !self.no_colour && stream.is_terminal();
        let redactor = self.redactor.read().unwrap_or_else(PoisonError::into_inner);
        let clean = |text: &str| redactor.strike(text).into_owned();
        lines.iter().map(|line| line.render(colour, &clean) + "\n").collect()
    }

    fn write(&self, stream: Stream, text: &str) {
        let written = self.bars.suspend(|| if stream == Stream::Out && self.is_lost() { Ok(()) } else { stream.write(text) });
        // Nothing can be said of a standard error that takes nothing.
        if let (Err(cause), Stream::Out) = (written, stream) {
            *self.lost() = Some(cause);
        }
    }

    fn lost(&self) -> MutexGuard<'_, Option<io::Error>> {
        self.lost.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
