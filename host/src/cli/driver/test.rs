//! `dr-host driver test`: the contract suite against a component.

use std::path::PathBuf;

use serde_json::json;

use super::super::exit::{Exit, Refused};
use super::super::intent::Surroundings;
use super::super::output::{Format, Line, Look, Output, Table, numbers, words};
use super::subject::{ComponentSubject, Template};
use crate::conformance::{Atomicity, Options, Report, Verdict, cases, run};
use crate::drivers::SettingError;
use crate::error::{Error, ErrorKind};

/// How many items "many" are here: each is restored once more to learn whether the driver can hold it.
const MANY: usize = 200;

/// How many bytes the large item has here.
const LARGE: usize = 8 << 20;

/// A test of a component, as it was asked for.
pub(in crate::cli) struct Test {
    /// The component.
    pub(in crate::cli) component: PathBuf,
    /// Its configuration.
    pub(in crate::cli) config: String,
    /// What it is granted: `KEY=VALUE`.
    pub(in crate::cli) grants: Vec<(String, String)>,
    /// Its secrets: `NAME=VALUE`.
    pub(in crate::cli) secrets: Vec<(String, String)>,
    /// What a failed restore of it may leave.
    pub(in crate::cli) atomicity: Atomicity,
    /// Only cases whose names hold this.
    pub(in crate::cli) only: Option<String>,
}

impl Test {
    /// Runs the suite, and shows its verdicts.
    pub(super) fn run(self, output: &Output, around: &Surroundings) -> Result<Exit, Refused> {
        let Self { component, config, grants, secrets, atomicity, only } = self;
        if let Some(only) = only.as_ref().filter(|only| !cases().any(|name| name.contains(only.as_str()))) {
            let unknown = Error::new(ErrorKind::InvalidConfig, format!("no case is named like `{}`", only.escape_debug()));
            return Err(unknown.hint("without `--only`, the table names all of them").into());
        }
        let template = Template { component, config, grants, secrets, base: around.directory.clone() };
        if !template.has_places() {
            let one =
                Error::new(ErrorKind::InvalidConfig, "neither `--config` nor `--grant` has `DIR` or `NUMBER`: all places would be one");
            return Err(one.hint("let each place have a directory (`--grant write=DIR:/data`) or a number (`--config '{\"database\": NUMBER}'`) of its own").into());
        }
        let here = tempfile::tempdir().map_err(|why| Error::io("cannot make a directory", &why))?;
        template.driver(&here.path().to_string_lossy(), 1).map_err(wrong)?;
        let subject = ComponentSubject::new(template, atomicity);
        let report = run(&subject, &Options { many: MANY, large: LARGE, only, ..Options::default() });
        match output.format() {
            Format::Json => output.printer.json(&document(&report)),
            Format::Text => output.result(&show(&report, output.printer.width())),
        }
        Ok(if report.passed() { Exit::Done } else { Exit::Run(1) })
    }
}

/// Settings that make no sense, as one error: there is no file whose lines could be shown.
fn wrong(errors: Vec<SettingError>) -> Refused {
    let said: Vec<_> = errors.iter().map(|error| format!("{}{}", at(&error.pointer), error.message)).collect();
    let hints: Vec<_> = errors.iter().filter_map(|error| error.hint.clone()).collect();
    let error = Error::new(ErrorKind::InvalidConfig, said.join("; "));
    Refused::Usage(if hints.is_empty() { error } else { error.hint(hints.join("; ")) })
}

fn at(pointer: &str) -> String {
    if pointer.is_empty() { String::new() } else { format!("`{pointer}`: ") }
}

fn document(report: &Report) -> serde_json::Value {
    let case = |case: &crate::conformance::Case| {
        let (verdict, detail) = said(&case.verdict);
        json!({ "name": case.name, "verdict": verdict, "detail": detail, "seconds": case.took.as_secs_f64() })
    };
    json!({ "component": report.subject, "passed": report.passed(), "cases": report.cases.iter().map(case).collect::<Vec<_>>() })
}

fn said(verdict: &Verdict) -> (&'static str, &str) {
    match verdict {
        Verdict::Passed(tried) => ("passed", tried),
        Verdict::Failed(how) => ("failed", how),
        Verdict::LeftOut(why) => ("left out", why),
    }
}

/// The verdicts for people: the table, and how each failed case failed.
fn show(report: &Report, width: Option<usize>) -> Vec<Line> {
    let mut table = Table::new([words("case"), words("verdict"), numbers("time").spare(2), words("").spare(1)]);
    for case in &report.cases {
        let (verdict, detail) = said(&case.verdict);
        let look = match &case.verdict {
            Verdict::Passed(_) => Look::Good,
            Verdict::Failed(_) => Look::Bad,
            Verdict::LeftOut(_) => Look::Faint,
        };
        // What failed is told below the table, where there is room for it.
        let detail = if matches!(case.verdict, Verdict::Failed(_)) { "" } else { detail };
        let time = format!("{:.1} s", case.took.as_secs_f64());
        table.row([
            Line::plain(case.name),
            Line::looking(look, verdict),
            Line::plain(time),
            Line::looking(Look::Faint, detail.replace('\n', " ")),
        ]);
    }
    let mut lines = table.lines(width);
    lines.push(Line::new());
    for (name, how) in report.failures() {
        lines.push(Line::looking(Look::Bad, "failed").then(format!(": {name}: {}", how.replace('\n', " "))));
    }
    let count = |wanted: &str| report.cases.iter().filter(|case| said(&case.verdict).0 == wanted).count();
    let counts =
        format!("{} cases: {} passed, {} failed, {} left out", report.cases.len(), count("passed"), count("failed"), count("left out"));
    lines.push(Line::plain(counts));
    lines
}
