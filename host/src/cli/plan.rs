//! `dr-host plan`, and what `dump` and `restore` do with a plan before they execute it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::dump;
use super::exit::{Exit, Refused};
use super::intent::Surroundings;
use super::output::{Format, Line, Look, Output, Table, numbers, size, words, worth};
use crate::cancel::Cancel;
use crate::config::Config;
use crate::drivers::{Level, registry};
use crate::engine::{Event, Events as _, Session};
use crate::plan::{LinkView, Plan, PlanView, Selection, SetView};

/// A plan to be shown, as it was asked for.
pub(super) struct ShowPlan {
    /// The configuration, where one is named.
    pub(super) config: Option<PathBuf>,
    /// Which sets.
    pub(super) selection: Selection,
}

impl ShowPlan {
    /// Shows it.
    pub(super) fn run(self, output: &Output, around: &Surroundings) -> Result<Exit, Refused> {
        let config = load(self.config.as_deref(), output, around)?;
        let plan = crate::plan::for_show(&config, registry::kinds(), &self.selection)?;
        match output.format() {
            Format::Json => output.printer.json(&plan.view),
            Format::Text => {
                output.result(&show(&plan.view, output.printer.width()));
                plan.view.warnings.iter().for_each(|warning| output.warn(&warning.to_string()));
            }
        }
        Ok(Exit::Done)
    }
}

/// Loads the configuration that applies; from then on its secrets are struck out of everything that is printed.
pub(super) fn load(path: Option<&Path>, output: &Output, around: &Surroundings) -> Result<Config, Refused> {
    let config = crate::plan::load(path, &around.directory, &around.environment, registry::kinds())?;
    output.printer.learn(config.redactor());
    Ok(config)
}

/// Says what the user should know of a plan before it is executed.
pub(super) fn tell(plan: &Plan, output: &Output) {
    plan.view.warnings.iter().for_each(|warning| {
        output.emit(Event::Log { set: warning.set.clone(), level: Level::Warn, message: warning.message.clone() });
    });
    if !plan.tree.left_out.is_empty() {
        let left_out: Vec<_> = plan.tree.left_out.iter().map(|set| format!("`{set}`")).collect();
        let message = format!("left out, as asked: {}", left_out.join(", "));
        output.emit(Event::Log { set: None, level: Level::Info, message });
    }
}

/// What the engine needs to execute a plan.
pub(super) fn session(plan: &Plan, output: &Arc<Output>, cancel: Cancel) -> Session {
    Session { events: output.clone(), cancel, redactor: plan.redactor.clone() }
}

/// A plan for people.
fn show(view: &PlanView, width: Option<usize>) -> Vec<Line> {
    let compression = dump::method(view.archive.compression).to_string();
    let compression = match view.archive.level {
        Some(level) => format!("{compression}, level {level}"),
        None => compression,
    };
    let mut lines = vec![
        Line::looking(Look::Faint, "  configuration  ").look(Look::Strong, &view.configuration),
        Line::looking(Look::Faint, "  compression    ").then(compression),
        Line::new(),
    ];
    lines.extend(sets(view, width));
    if !view.links.is_empty() {
        lines.push(Line::new());
        lines.extend(links(&view.links));
    }
    if !view.left_out.is_empty() {
        let left_out: Vec<_> = view.left_out.iter().map(ToString::to_string).collect();
        lines.extend([Line::new(), Line::looking(Look::Faint, "  left out  ").then(left_out.join(", "))]);
    }
    lines
}

/// The tree, with the details of each set below it.
fn sets(view: &PlanView, width: Option<usize>) -> Vec<Line> {
    let mut table = Table::new([
        numbers("#"),
        words("set"),
        words("driver").spare(2),
        words("point in time").spare(1),
        numbers("size"),
        words("target"),
    ]);
    view.sets.iter().for_each(|set| table.row(row(set)));
    let mut lines = table.lines(width).into_iter();
    let mut shown: Vec<Line> = lines.next().into_iter().collect();
    for (line, set) in lines.zip(&view.sets) {
        shown.push(line);
        let indent = " ".repeat(7 + 2 * set.depth);
        let left_out = set.leaves_out.iter().map(|path| ("leaves out", path));
        let details = set.details.iter().map(|(name, value)| (name.as_str(), value));
        shown.extend(details.chain(left_out).map(|(name, value)| Line::looking(Look::Faint, format!("{indent}{name}: ")).then(value)));
    }
    shown
}

fn row(set: &SetView) -> [Line; 6] {
    let group = if set.parallel { "(side by side)" } else { "" };
    [
        Line::plain(set.order.map(|order| order.to_string()).unwrap_or_default()),
        Line::plain("  ".repeat(set.depth)).look(Look::Strong, name(set)),
        Line::plain(set.driver.as_deref().unwrap_or(group)),
        worth(set.worth),
        Line::plain(set.size.map(size).unwrap_or_default()),
        Line::plain(set.target.as_deref().unwrap_or_default()),
    ]
}

/// The last segment: the ones before it stand above.
fn name(set: &SetView) -> &str {
    set.path.as_str().rsplit('/').next().unwrap_or_default()
}

fn links(links: &[LinkView]) -> Vec<Line> {
    let mut table = Table::new([words("link"), words("to"), words("names")]);
    for link in links {
        table.row([
            Line::looking(Look::Strong, link.from.as_str()).then(format!(" {}", link.column)),
            Line::looking(Look::Strong, link.to.as_str()),
            Line::plain(naming(link)),
        ]);
    }
    table.lines(None)
}

/// How values become names, and which values.
fn naming(link: &LinkView) -> String {
    let mut parts = Vec::new();
    if !link.strip_prefix.is_empty() {
        parts.push(format!("without `{}`", link.strip_prefix));
    }
    if !link.prefix.is_empty() {
        parts.push(format!("behind `{}`", link.prefix));
    }
    parts.extend(link.condition.iter().map(|condition| format!("where {condition}")));
    if parts.is_empty() { "as they are".into() } else { parts.join(", ") }
}
