//! `${NAME}`, `${NAME:-default}` and `$${` in the strings of a configuration.

use super::environment::{Environment, NoValue};

/// A string with its variables put in.
pub(super) struct Expanded {
    /// The string.
    pub(super) text: String,
    /// What could not be put in.
    pub(super) mistakes: Vec<Mistake>,
    /// The variables whose values are in it.
    pub(super) used: Vec<String>,
}

/// A reference that could not be replaced.
pub(super) struct Mistake {
    /// The reference as it is written: `${NAME}`, or its beginning where it does not end.
    pub(super) reference: String,
    /// What is wrong with it.
    pub(super) message: String,
    /// What to do.
    pub(super) hint: String,
    /// Whether it is the environment that lacks something, rather than the file that is wrong.
    pub(super) unset: bool,
}

/// Replaces the references in a string. `$${` stands for `${` itself; every other `$` is itself.
pub(super) fn expand(text: &str, environment: &Environment) -> Expanded {
    let mut expanded = Expanded { text: String::with_capacity(text.len()), mistakes: Vec::new(), used: Vec::new() };
    let mut rest = text;
    while let Some(dollar) = rest.find("${") {
        if rest[..dollar].ends_with('$') {
            expanded.text.push_str(&rest[..dollar - 1]);
            expanded.text.push_str("${");
            rest = &rest[dollar + 2..];
            continue;
        }
        expanded.text.push_str(&rest[..dollar]);
        let reference = &rest[dollar..];
        let Some(close) = reference.find('}') else {
            expanded.mistakes.push(Mistake {
                reference: "${".into(),
                message: "`${` without its `}`".into(),
                hint: "write `${NAME}`, or `$${` for the two characters themselves".into(),
                unset: false,
            });
            return expanded;
        };
        match value(&reference[2..close], environment) {
            Ok((name, value)) => {
                expanded.text.push_str(value);
                expanded.used.push(name.to_owned());
            }
            Err((message, hint, unset)) => {
                let reference = reference[..close].split_once(":-").map_or(&reference[..=close], |(name, _)| name).to_owned();
                expanded.mistakes.push(Mistake { reference, message, hint, unset });
            }
        }
        rest = &reference[close + 1..];
    }
    expanded.text.push_str(rest);
    expanded
}

/// The value of what stands between `${` and `}`, and the variable's name; or what is wrong, what to do, and whether it is
/// the environment that lacks something.
fn value<'a>(reference: &'a str, environment: &'a Environment) -> Result<(&'a str, &'a str), (String, String, bool)> {
    let (name, default) = match reference.split_once(":-") {
        Some((name, default)) => (name, Some(default)),
        None => (reference, None),
    };
    let is_name =
        name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if !is_name {
        return Err((
            "this is no reference to a variable".into(),
            "write `${NAME}` or `${NAME:-default}`, or `$${` for the two characters themselves".into(),
            false,
        ));
    }
    if default.is_some_and(|default| default.contains("${")) {
        return Err((format!("the default of `{name}` refers to a variable itself"), "write a plain text as default".into(), false));
    }
    match (environment.get(name), default) {
        (Ok(""), Some(default)) | (Err(NoValue::Unset), Some(default)) => Ok((name, default)),
        (Ok(value), _) => Ok((name, value)),
        (Err(NoValue::Unset), None) => {
            Err((format!("the variable `{name}` is not set"), format!("set it, or give a default: `${{{name}:-default}}`"), true))
        }
        (Err(NoValue::NotText), _) => Err((format!("the value of the variable `{name}` is not UTF-8"), "set it to text".into(), true)),
    }
}
