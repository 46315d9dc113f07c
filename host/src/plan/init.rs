//! The text of a first `dumprestore.toml`: what the environment names, and, commented out, everything else that can be said.

use serde_json::Value;

use super::{Kinds, default_set};
use crate::config::Environment;

/// A commented configuration from what the environment shows. It refers to the variables and holds none of their values.
pub fn init(environment: &Environment, kinds: Kinds<'_>) -> String {
    let found = default_set::look(environment, kinds);
    let mut text = String::from(HEAD);
    for (variable, name, url) in &found.databases {
        let scheme = default_set::scheme(url).unwrap_or_default();
        match kinds.iter().find(|kind| kind.url_schemes().contains(&scheme.as_str())) {
            Some(kind) => text.push_str(&set(name, kind.name(), variable)),
            None => {
                text.push_str(&format!("# `{variable}` names a database that this version of dr-host has no driver for.\n"));
                text.push_str(&commented(&set(name, "…", variable)));
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
    text
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
    let mut text = format!("{summary}\n\n[[set]]\nname = \"my-{name}\"\ndriver = \"{name}\"\n");
    let required: Vec<&str> = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    for (key, property) in schema["properties"].as_object().into_iter().flatten() {
        let description = property["description"].as_str().unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" ");
        let needed = if required.contains(&key.as_str()) { " (required)" } else { "" };
        text.push_str(&format!("{key} = {}    # {description}{needed}\n", sample(property)));
    }
    commented(&text) + "\n"
}

/// A value to begin with: the default, the first of a choice, or an empty one of its type.
fn sample(property: &Value) -> String {
    let default = property.get("default").filter(|default| !default.is_null());
    let first = default.or_else(|| property["examples"].get(0)).or_else(|| property["enum"].get(0));
    if let Some(value) = first.filter(|value| !value.is_object()) {
        return value.to_string();
    }
    let kind = property["type"].as_str().or_else(|| property["type"][0].as_str());
    match kind {
        Some("integer" | "number") => "0",
        Some("boolean") => "false",
        Some("array") => "[]",
        Some("object") => "{}",
        _ => "\"…\"",
    }
    .to_owned()
}

/// Each line as a comment.
fn commented(text: &str) -> String {
    text.lines().map(|line| format!("# {line}").trim_end().to_owned() + "\n").collect()
}
