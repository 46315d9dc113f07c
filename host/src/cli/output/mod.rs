//! What commands show: text for people, JSON for programs, progress for who waits. Knows events and tables, no command.

mod failure;
mod printer;
mod progress;
mod rate;
mod summary;
mod table;
mod text;
mod units;

use std::sync::{Mutex, MutexGuard, PoisonError};

pub(super) use failure::{failure as failure_lines, finding as finding_line, from_error, marked};
pub(super) use printer::{Printer, Stream};
pub(super) use summary::{Ended, archive as archive_lines, links as link_lines, worth};
pub(super) use table::{Table, numbers, words};
pub(super) use text::{Line, Look};
pub(super) use units::{count, duration, moment, size, things};

use crate::archive::manifest::LinkRecord;
use crate::drivers::{Finding, Level};
use crate::engine::Events;
use crate::engine::event::{self, Event, Failure, RunOutcome, SetState, SetSummary};
use crate::name::SetPath;
use progress::Progress;

/// In which form results are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// For people.
    Text,
    /// For programs: events one a line, or one document.
    Json,
}

/// What was asked of all output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Style {
    /// Its form.
    pub(super) format: Format,
    /// The quietest log lines that are still shown; [`Level::Error`] is `-q`.
    pub(super) level: Level,
    /// Whether `NO_COLOR` or the terminal asks for none.
    pub(super) no_colour: bool,
    /// Whether the terminal cannot move its cursor.
    pub(super) is_dumb: bool,
}

impl Style {
    /// Whether only errors and findings are wanted.
    fn is_quiet(self) -> bool {
        self.level == Level::Error
    }

    /// Whether people on standard error want to know what goes on; where programs read the events, they do not.
    fn informs(self) -> bool {
        self.format == Format::Text && self.level <= Level::Info
    }

    /// Whether a program gets this event: all but what only `-v` shows.
    fn is_for_programs(self, event: &Event) -> bool {
        !matches!(event, Event::Log { level, .. } if *level < self.level.min(Level::Info))
    }
}

/// Where everything that a command says goes through.
pub(super) struct Output {
    /// Prints.
    pub(super) printer: Printer,
    style: Style,
    state: Mutex<State>,
}

struct State {
    progress: Progress,
    links: Vec<LinkRecord>,
}

impl Output {
    /// Output of this style; `results` is where results go.
    pub(super) fn new(style: Style, results: Stream) -> Self {
        let draws = style.format == Format::Text && !style.is_quiet() && Stream::Err.is_terminal() && !style.is_dumb;
        let printer = Printer::new(results, style.no_colour, draws);
        console::set_colors_enabled_stderr(!style.no_colour && Stream::Err.is_terminal());
        let progress = Progress::new(draws.then(|| printer.bars().clone()));
        Self { printer, style, state: Mutex::new(State { progress, links: Vec::new() }) }
    }

    /// In which form results are wanted.
    pub(super) fn format(&self) -> Format {
        self.style.format
    }

    /// Prints what a command was asked for.
    pub(super) fn result(&self, lines: &[Line]) {
        self.printer.result(lines);
    }

    /// Says something to people, unless they want to hear of errors only.
    pub(super) fn note(&self, line: Line) {
        if !self.style.is_quiet() && self.speaks() {
            self.printer.note(&[line]);
        }
    }

    /// Says something to people who asked for more.
    pub(super) fn debug(&self, message: &str) {
        if self.style.level <= Level::Debug && self.speaks() {
            self.printer.note(&log(None, Level::Debug, message));
        }
    }

    /// Warns.
    pub(super) fn warn(&self, message: &str) {
        self.emit(Event::Log { set: None, level: Level::Warn, message: message.to_owned() });
    }

    /// Says what was found beside all sets, and what to do, to people.
    pub(super) fn finding(&self, message: &str, hint: Option<&str>) {
        let mut lines = marked(Look::Warning, "finding", message);
        lines.extend(hint.iter().flat_map(|hint| marked(Look::Hint, "hint", hint)));
        self.printer.note(&lines);
    }

    /// Warns of what belongs to findings: whoever wants to hear of nothing else hears of it, too.
    pub(super) fn warn_of_findings(&self, message: &str) {
        self.warn(message);
        if self.style.is_quiet() && self.speaks() {
            self.printer.note(&log(None, Level::Warn, message));
        }
    }

    /// Tells a finding that an archive has of its own dump: it is none of this run.
    pub(super) fn recorded(&self, finding: &Finding) {
        if self.speaks() {
            self.printer.note(&[finding_line(finding)]);
        }
        if self.style.format == Format::Json {
            let message = format!("when it was dumped: {} `{}`: {}", failure::kind(finding.kind), finding.name, finding.message);
            self.printer.json(&Event::Log { set: Some(finding.set.clone()), level: Level::Warn, message });
        }
    }

    /// Reports what ended a command before anything ran. Programs that follow the events of a `command` get them, too.
    pub(super) fn refuse(&self, failures: &[Failure], command: Option<event::Command>, exit_code: u8) {
        if self.speaks() {
            failures.iter().for_each(|failure| self.printer.note(&failure_lines(failure)));
        }
        if let (Some(command), Format::Json) = (command, self.style.format) {
            failures.iter().for_each(|failure| self.printer.json(&Event::Error { failure: failure.clone() }));
            self.printer.json(&Event::Finished {
                command,
                outcome: RunOutcome::Failed,
                exit_code,
                seconds: 0.0,
                findings: 0,
                archive: None,
                sets: Vec::new(),
            });
        }
    }

    /// Whether text goes to standard error; not where that carries JSON.
    fn speaks(&self) -> bool {
        self.style.format == Format::Text || self.printer.results_stream() == Stream::Out
    }

    /// What an event says to people on standard error.
    fn lines(&self, event: &Event) -> Vec<Line> {
        let Style { level: shown, .. } = self.style;
        match event {
            Event::Log { set, level, message } if *level >= shown && (self.style.informs() || *level >= Level::Warn) => {
                log(set.as_ref().map(SetPath::as_str), *level, message)
            }
            Event::Finding { finding } => vec![finding_line(finding)],
            Event::Link { link } => failure::unnamed(link).into_iter().collect(),
            Event::Error { failure } => failure_lines(failure),
            Event::SetFinished { summary } if self.style.informs() && summary.state == SetState::Done => vec![finished(summary)],
            Event::Moment { set, driver, moment } if shown <= Level::Debug => {
                log(Some(set.as_str()), Level::Debug, &format!("{moment} ({driver})"))
            }
            Event::PointInTime { set, point_in_time } if shown <= Level::Debug => {
                let message = format!("point in time {}, {}", moment(point_in_time.at), point_in_time.worth);
                log(Some(set.as_str()), Level::Debug, &message)
            }
            _ => Vec::new(),
        }
    }

    /// The end of a run: its summary, or what a failed one leaves behind.
    fn end(&self, ended: &Ended<'_>) {
        if matches!(ended.outcome, RunOutcome::Failed | RunOutcome::Interrupted) {
            if self.speaks() {
                self.printer.note(&ended.remains());
            }
        } else if self.style.format == Format::Text && !self.style.is_quiet() {
            self.printer.result(&ended.summary(self.printer.width()));
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Events for Output {
    fn emit(&self, event: Event) {
        // Held to the end, so that what several threads say stays in one order everywhere.
        let mut state = self.state();
        let far = state.progress.follow(&event);
        if self.style.format == Format::Json && self.style.is_for_programs(&event) {
            self.printer.json(&event);
        }
        if self.speaks() {
            let mut lines = self.lines(&event);
            lines.extend(far.filter(|_| self.style.informs()));
            if !lines.is_empty() {
                self.printer.note(&lines);
            }
        }
        match event {
            Event::Link { link } => state.links.push(link),
            Event::Finished { command, outcome, seconds, findings, archive, sets, .. } => {
                let (archive, links) = (archive.as_ref(), &*state.links);
                self.end(&Ended { command, outcome, seconds, findings, archive, sets: &sets, links });
            }
            _ => {}
        }
    }
}

/// A log line; what is for everybody needs no mark.
fn log(set: Option<&str>, level: Level, message: &str) -> Vec<Line> {
    let text = match set {
        Some(set) => format!("{set}: {message}"),
        None => message.to_owned(),
    };
    match level {
        Level::Error => marked(Look::Bad, "error", &text),
        Level::Warn => marked(Look::Warning, "warning", &text),
        Level::Info => text.lines().map(Line::plain).collect(),
        Level::Debug => marked(Look::Faint, "debug", &text),
        Level::Trace => marked(Look::Faint, "trace", &text),
    }
}

/// The line of a set that is through.
fn finished(summary: &SetSummary) -> Line {
    let entries = things(summary.totals.entries, "entry", "entries");
    let stored = summary.stored_bytes.map(|stored| format!(" ({} stored)", size(stored))).unwrap_or_default();
    let far = format!(": {entries}, {}{stored} in {}", size(summary.totals.bytes), duration(summary.seconds));
    Line::looking(Look::Strong, summary.set.as_str()).then(far)
}
