//! The text of a first `dumprestore.toml`: what the environment names, and, commented out, everything else that can be said.

use serde_json::Value;

use super::default_set::Found;
use super::{Kinds, Selection, default_set};
use crate::config::{Environment, Problems, list};
use crate::name::SetPath;

/// A first configuration.
pub struct Draft {
    /// The text of the file.
    pub text: String,
    /// What the environment shows and the file has only as a comment, since nothing dumps it: one message each.
    pub left_out: Vec<String>,
}

/// A commented configuration from what the environment shows, as far as it is meant. It refers to the variables and holds none
/// of their values.
///
/// # Errors
/// A path that names no set of what the environment shows; variables that no set can be made of.
pub fn init(environment: &Environment, kinds: Kinds<'_>, selection: &Selection) -> Result<Draft, Problems> {
    let mut found = default_set::look(environment, kinds);
    select(&mut found, selection)?;
    let (mut text, mut left_out) = (String::from(HEAD), Vec::new());
    for (variable, name, url) in &found.databases {
        let scheme = default_set::scheme(url).unwrap_or_default();
        match default_set::database(kinds, &scheme) {
            Some(kind) => text.push_str(&set(name, kind.name(), variable)),
            None => {
                let message = format!("`{variable}` names a database that this version of dr-host has no driver for");
                text.push_str(&format!("# {message}.\n"));
                text.push_str(&commented(&set(name, "…", variable)));
                left_out.push(message);
            }
        }
        text.push('\n');
    }
    if let Some((variable, _)) = found.media {
        let media = set("media", "media", variable);
        let is_known = kinds.iter().any(|kind| kind.name() == "media");
        text.push_str(&if is_known { media } else { commented(&media) });
        text.push('\n');
    }
    text.push_str(DRIVERS);
    for kind in kinds {
        text.push_str(&example(kind.name(), kind.summary(), &kind.settings()));
    }
    text.push_str(LINK);
    Ok(Draft { text, left_out })
}

/// Leaves out what is not meant.
fn select(found: &mut Found<'_>, selection: &Selection) -> Result<(), Problems> {
    let media = found.media.map(|_| "media");
    let names = found.databases.iter().map(|(_, name, _)| name.as_str()).chain(media);
    let mut sets: Vec<SetPath> = names.filter_map(|name| SetPath::parse(name).ok()).collect();
    sets.extend(found.problems.iter().filter_map(|problem| problem.unset_for.clone()));
    found.problems.retain(|problem| problem.unset_for.as_ref().is_none_or(|set| selection.keeps(set)));
    let mut problems = selection.check(&sets.iter().collect::<Vec<_>>());
    problems.append(&mut found.problems);
    Problems::check(problems)?;
    let is_meant = |name: &str| !sets.iter().any(|set| set.as_str() == name && !selection.keeps(set));
    found.databases.retain(|(_, name, _)| is_meant(name));
    found.media = found.media.filter(|_| is_meant("media"));
    Ok(())
}

const HEAD: &str = "\
# What dr-host backs up, in this order. The order matters: a database comes before the files that its rows name, so that
# what is stored while a dump runs leaves an orphaned file at worst, never a row whose file is missing.
#
# `${NAME}` is the value of a variable of the environment, `${NAME:-default}` with a default. Keep secrets there.
# Relative paths start from this file's directory. `dr-host plan` shows what this file means.

version = 1

[archive]
compression = \"zstd\"    # zstd; deflate, which any unzip opens; store, which does not compress
# level = 3             # zstd: 1 to 19, deflate: 1 to 9

";

const DRIVERS: &str = "\
# Every driver with its settings. A set may have `[[set.children]]`, which come before it; `parallel = true` lets them run
# side by side.

";

const LINK: &str = "\
# A link says that a column names entries of another set: each dump and `dr-host verify` then tell which rows dangle.
#
# [[link]]
# from = \"database\"
# column = \"gallery_photo.image\"    # table.column
# to = \"media\"
# strip_prefix = \"/media/\"          # what the values have in front of the entry's name
# where = \"deleted_at IS NULL\"      # the rows that count
";

/// A set whose `url` is a variable's.
fn set(name: &str, driver: &str, variable: &str) -> String {
    format!("[[set]]\nname = \"{name}\"\ndriver = \"{driver}\"\nurl = \"${{{variable}}}\"\n")
}

/// A driver's settings, each with its description, as a comment.
fn example(name: &str, summary: &str, schema: &Value) -> String {
    let mut text = format!("`{name}`: {summary}\n\n[[set]]\nname = \"my-{name}\"\ndriver = \"{name}\"\n");
    let required: Vec<&str> = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    for (key, property) in schema["properties"].as_object().into_iter().flatten() {
        let resolved = resolve(schema, property);
        let choices = choices(resolved);
        let mut description = property["description"].as_str().unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" ");
        if !choices.is_empty() {
            description.push_str(&format!(" One of {}.", list(choices.iter().copied())));
        }
        if required.contains(&key.as_str()) {
            description.push_str(" Required.");
        }
        text.push_str(&commented(&wrap(&description)));
        text.push_str(&format!("{key} = {}\n", sample(property, resolved, &choices)));
    }
    commented(&text) + "\n"
}

/// The schema that a property refers to, or the one of two that is not for `null`.
fn resolve<'s>(schema: &'s Value, property: &'s Value) -> &'s Value {
    let is_null = |alternative: &&Value| alternative["type"] == "null";
    let alternative = property["anyOf"].as_array().and_then(|alternatives| alternatives.iter().find(|one| !is_null(one)));
    let property = alternative.unwrap_or(property);
    let definition = property["$ref"].as_str().and_then(|reference| schema.pointer(reference.trim_start_matches('#')));
    definition.unwrap_or(property)
}

/// The words that may be chosen from.
fn choices(property: &Value) -> Vec<&str> {
    let words = property["enum"].as_array().into_iter().flatten();
    let constants = property["oneOf"].as_array().into_iter().flatten().map(|one| &one["const"]);
    words.chain(constants).filter_map(Value::as_str).collect()
}

/// A value to begin with: the default, the first of a choice, or an empty one of its type.
fn sample(property: &Value, resolved: &Value, choices: &[&str]) -> String {
    let default = property.get("default").filter(|default| default.is_string() || default.is_number() || default.is_boolean());
    if let Some(default) = default {
        return default.to_string();
    }
    if let Some(first) = choices.first() {
        return format!("\"{first}\"");
    }
    let kind = resolved["type"].as_str().or_else(|| resolved["type"][0].as_str());
    match kind {
        Some("integer" | "number") => "1",
        Some("boolean") => "false",
        Some("array") => "[]",
        Some("object") => "{}",
        _ => "\"…\"",
    }
    .to_owned()
}

/// The text in lines of at most [`WIDTH`] characters, as far as its words allow.
fn wrap(text: &str) -> String {
    let mut lines = String::new();
    let mut length = 0;
    for word in text.split(' ') {
        let separator = match length {
            0 => "",
            length if length + word.chars().count() < WIDTH => " ",
            _ => "\n",
        };
        length = if separator == "\n" { 0 } else { length + separator.len() } + word.chars().count();
        lines.push_str(separator);
        lines.push_str(word);
    }
    lines
}

/// The width of a description, in characters.
const WIDTH: usize = 110;

/// Each line as a comment.
fn commented(text: &str) -> String {
    text.lines().map(|line| format!("# {line}").trim_end().to_owned() + "\n").collect()
}
