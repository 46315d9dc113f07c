//! `dr-host driver inspect`: what a component says of itself, and what its imports make possible.

use std::path::PathBuf;

use serde_json::Value;

use super::super::exit::{Exit, Refused};
use super::super::intent::Surroundings;
use super::super::output::{Format, Line, Look, Output, Table, size, words, worth};
use crate::drivers::component::{Inspection, inspect};

/// An inspection, as it was asked for.
pub(in crate::cli) struct Inspect {
    /// The component.
    pub(in crate::cli) component: PathBuf,
}

impl Inspect {
    /// Shows it.
    pub(super) fn run(&self, output: &Output, around: &Surroundings) -> Result<Exit, Refused> {
        let inspection = inspect(&around.directory.join(&self.component))?;
        match output.format() {
            Format::Json => output.printer.json(&inspection),
            Format::Text => output.result(&show(&inspection, output.printer.width())),
        }
        Ok(Exit::Done)
    }
}

/// A component for people.
fn show(inspection: &Inspection, width: Option<usize>) -> Vec<Line> {
    let Inspection { name, version, summary, sha256, contract, formats, .. } = inspection;
    let head = |title: &str, value: Line| Line::looking(Look::Faint, format!("  {title:<15}")).join(value);
    let mut lines = vec![
        head("driver", Line::looking(Look::Strong, name).then(format!(" {version}"))),
        head("", Line::plain(summary)),
        head("contract", Line::plain(contract)),
        head("sha256", Line::plain(sha256)),
        head("size", Line::plain(size(inspection.size))),
        head("formats", Line::plain(formats.join(", "))),
        head("point in time", worth(Some(inspection.worth))),
        head("links", Line::plain(links(inspection))),
        Line::new(),
    ];
    lines.extend(settings(&inspection.config_schema, width));
    lines.push(Line::new());
    lines.extend(needs(inspection, width));
    let told = |title: &str, all: &[String]| {
        let title = Line::looking(Look::Faint, format!("  {title}"));
        std::iter::once(title).chain(all.iter().map(|what| Line::plain(format!("  {what}")))).collect::<Vec<_>>()
    };
    if !inspection.can.is_empty() {
        lines.push(Line::new());
        lines.extend(told("by its imports it can", &inspection.can));
    }
    if !inspection.cannot.is_empty() {
        lines.push(Line::new());
        lines.extend(told("it can not, whatever is granted", &inspection.cannot));
    }
    lines
}

fn links(inspection: &Inspection) -> &'static str {
    match (inspection.has_columns, inspection.has_names) {
        (true, true) => "may start here, and end here",
        (true, false) => "may start here",
        (false, true) => "may end here",
        (false, false) => "neither start nor end here",
    }
}

/// The keys of its configuration.
fn settings(schema: &Value, width: Option<usize>) -> Vec<Line> {
    let required = |key: &str| schema["required"].as_array().is_some_and(|all| all.iter().any(|name| name == key));
    let mut table = Table::new([words("config"), words("type"), words("default"), words("what it is").spare(1)]);
    let properties = schema["properties"].as_object();
    for (key, property) in properties.into_iter().flatten() {
        let default = match property.get("default") {
            Some(default) => default.to_string(),
            None if required(key) => "(needed)".into(),
            None => String::new(),
        };
        let what = property["description"].as_str().unwrap_or_default();
        table.row([Line::looking(Look::Strong, key), Line::plain(kind(property)), Line::plain(default), Line::plain(what)]);
    }
    if properties.is_none_or(serde_json::Map::is_empty) {
        return vec![Line::looking(Look::Faint, "  config         ").then("none")];
    }
    table.lines(width)
}

/// The type of a property, or the words to choose from.
fn kind(property: &Value) -> String {
    let texts =
        |values: &Vec<Value>| values.iter().map(|value| value.as_str().map_or(value.to_string(), str::to_owned)).collect::<Vec<_>>();
    match (&property["type"], &property["enum"]) {
        (_, Value::Array(choices)) => texts(choices).join(" | "),
        (Value::String(one), _) => one.clone(),
        (Value::Array(several), _) => texts(several).join(" | "),
        _ => String::new(),
    }
}

/// What it needs, and why.
fn needs(inspection: &Inspection, width: Option<usize>) -> Vec<Line> {
    if inspection.needs.is_empty() {
        return vec![Line::looking(Look::Faint, "  needs          ").then("nothing")];
    }
    let mut table = Table::new([words("needs"), words("which"), words(""), words("why").spare(1)]);
    for need in &inspection.needs {
        let which = if need.target.starts_with('/') { format!("config {}", need.target) } else { need.target.clone() };
        let optional = if need.optional { "optional" } else { "" };
        table.row([Line::plain(need.capability), Line::looking(Look::Strong, which), Line::plain(optional), Line::plain(&need.reason)]);
    }
    table.lines(width)
}
