//! A set's settings against the JSON Schema of its driver: what is wrong, in words, with the nearest right ones. No value is
//! ever quoted, but for misspelt words of a choice, since any may be a secret.

use jsonschema::error::{TypeKind, ValidationErrorKind};
use serde_json::Value;

use crate::config::{list, nearest, pointer_join};

/// One setting that does not fit.
pub(super) struct Mistake {
    /// Where its value stands: a JSON pointer into the settings.
    pub(super) pointer: String,
    /// The pointer of a key that should not be there.
    pub(super) key: Option<String>,
    /// Whether something is missing.
    pub(super) is_missing: bool,
    /// What is wrong.
    pub(super) message: String,
    /// What to write instead.
    pub(super) hint: Option<String>,
}

/// Everything that is wrong with the settings of a driver of this name.
pub(super) fn check(driver: &str, schema: &Value, settings: &Value) -> Vec<Mistake> {
    let mut schema = schema.clone();
    close(&mut schema);
    let validator = match jsonschema::validator_for(&schema) {
        Ok(validator) => validator,
        Err(why) => return vec![mistake("", format!("the schema of driver `{driver}` is wrong: {why}"))],
    };
    let mut mistakes = Vec::new();
    for error in validator.iter_errors(settings) {
        let around = around(&schema, error.schema_path().as_str());
        explain(driver, error.instance_path().as_str(), error.instance(), error.kind(), around, &mut mistakes);
    }
    mistakes
}

/// Makes a schema that does not say whether it knows all its keys say that it does: an unknown key is a misspelt one.
fn close(schema: &mut Value) {
    if let Some(fields) = schema.as_object_mut()
        && fields.contains_key("properties")
        && !fields.contains_key("additionalProperties")
        && !fields.contains_key("unevaluatedProperties")
    {
        fields.insert("additionalProperties".into(), Value::Bool(false));
    }
}

/// The schema that holds the keyword at this pointer.
fn around<'s>(schema: &'s Value, keyword: &str) -> Option<&'s Value> {
    schema.pointer(&keyword[..keyword.rfind('/')?])
}

fn mistake(pointer: &str, message: String) -> Mistake {
    Mistake { pointer: pointer.to_owned(), key: None, is_missing: false, message, hint: None }
}

fn explain(driver: &str, pointer: &str, value: &Value, kind: &ValidationErrorKind, around: Option<&Value>, into: &mut Vec<Mistake>) {
    match kind {
        ValidationErrorKind::AdditionalProperties { unexpected } | ValidationErrorKind::UnevaluatedProperties { unexpected } => {
            into.extend(unexpected.iter().map(|key| unknown_key(driver, pointer, key, around)));
        }
        ValidationErrorKind::Required { property } => {
            let key = property.as_str().unwrap_or_default();
            let owner = if pointer.is_empty() { format!("driver `{driver}`") } else { "this".to_owned() };
            let mut missing = mistake(pointer, format!("{owner} needs `{key}`"));
            missing.is_missing = true;
            missing.hint = description(around, key);
            into.push(missing);
        }
        ValidationErrorKind::Enum { options } => {
            let options: Vec<&str> = options.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
            into.push(choice(pointer, value, &options));
        }
        ValidationErrorKind::Constant { expected_value } => {
            into.push(choice(pointer, value, &expected_value.as_str().into_iter().collect::<Vec<_>>()));
        }
        ValidationErrorKind::AnyOf { context } | ValidationErrorKind::OneOfNotValid { context } => {
            into.push(alternatives(driver, pointer, value, context));
        }
        _ => into.push(mistake(pointer, plain(driver, value, kind))),
    }
}

fn unknown_key(driver: &str, pointer: &str, key: &str, around: Option<&Value>) -> Mistake {
    let properties = around.and_then(|schema| schema.get("properties")).and_then(Value::as_object);
    let known = || properties.into_iter().flat_map(|properties| properties.keys().map(String::as_str));
    let owner = if pointer.is_empty() { format!("driver `{driver}`") } else { "this".to_owned() };
    let own = ["name", "driver", "children", "parallel"].into_iter().filter(|_| pointer.is_empty());
    let hint = match nearest(key, known().chain(own)) {
        Some(near) => format!("did you mean `{near}`?"),
        None if known().next().is_none() => format!("{owner} has no settings"),
        None => format!("{owner} has {}", list(known())),
    };
    let mut unknown = mistake(pointer, format!("unknown key `{}` of driver `{driver}`", key.escape_debug()));
    unknown.key = Some(pointer_join(pointer, key));
    unknown.hint = Some(hint);
    unknown
}

/// A word that is none of those to choose from.
fn choice(pointer: &str, value: &Value, options: &[&str]) -> Mistake {
    let near = value.as_str().and_then(|word| nearest(word, options.iter().copied()));
    let mut wrong = mistake(pointer, format!("this must be one of {}", list(options.iter().copied())));
    wrong.hint = near.map(|near| format!("did you mean `{near}`?"));
    wrong
}

/// Several schemas of which none fits: where all of them are words to choose from, as one choice; where the type of value
/// fits one of them, what that one says.
fn alternatives(driver: &str, pointer: &str, value: &Value, context: &[Vec<jsonschema::ValidationError<'static>>]) -> Mistake {
    let words: Option<Vec<&str>> = context.iter().map(|errors| errors.first().and_then(word_of)).collect();
    if let Some(words) = words.filter(|words| !words.is_empty()) {
        return choice(pointer, value, &words);
    }
    let missing: Option<Vec<&str>> = context
        .iter()
        .map(|errors| match errors.as_slice() {
            [error] => match error.kind() {
                ValidationErrorKind::Required { property } => property.as_str(),
                _ => None,
            },
            _ => None,
        })
        .collect();
    if let Some(missing) = missing.filter(|missing| !missing.is_empty()) {
        let mut needs = mistake(pointer, format!("driver `{driver}` needs one of {}", list(missing)));
        needs.is_missing = true;
        return needs;
    }
    let fitting = context.iter().flatten().find(|error| !matches!(error.kind(), ValidationErrorKind::Type { .. }));
    match fitting.or(context.iter().flatten().next()) {
        Some(error) => mistake(error.instance_path().as_str(), plain(driver, error.instance(), error.kind())),
        None => mistake(pointer, format!("this does not fit what driver `{driver}` takes")),
    }
}

/// The one word that a schema allows.
fn word_of<'e>(error: &'e jsonschema::ValidationError<'static>) -> Option<&'e str> {
    match error.kind() {
        ValidationErrorKind::Constant { expected_value } => expected_value.as_str(),
        ValidationErrorKind::Enum { options } => options.as_array().filter(|options| options.len() == 1)?[0].as_str(),
        _ => None,
    }
}

/// What is wrong, for mistakes that need no hint.
fn plain(driver: &str, value: &Value, kind: &ValidationErrorKind) -> String {
    match kind {
        ValidationErrorKind::Type { kind } => {
            let wanted = match kind {
                TypeKind::Single(one) => type_name(&one.to_string()).to_owned(),
                TypeKind::Multiple(several) => {
                    several.iter().map(|one| type_name(&one.to_string())).filter(|name| *name != "nothing").collect::<Vec<_>>().join(" or ")
                }
            };
            format!("this must be {wanted}, not {}", name_of(value))
        }
        ValidationErrorKind::Minimum { limit } => format!("this must be at least {limit}"),
        ValidationErrorKind::Maximum { limit } => format!("this must be at most {limit}"),
        ValidationErrorKind::ExclusiveMinimum { limit } => format!("this must be more than {limit}"),
        ValidationErrorKind::ExclusiveMaximum { limit } => format!("this must be less than {limit}"),
        ValidationErrorKind::MinLength { limit: 1 } => "this must not be empty".into(),
        ValidationErrorKind::MinLength { limit } => format!("this must have at least {limit} characters"),
        ValidationErrorKind::MaxLength { limit } => format!("this must have at most {limit} characters"),
        ValidationErrorKind::MinItems { limit } => format!("this must have at least {limit} items"),
        ValidationErrorKind::MaxItems { limit } => format!("this must have at most {limit} items"),
        ValidationErrorKind::Pattern { pattern } => format!("this must match `{pattern}`"),
        ValidationErrorKind::Format { format } => format!("this must be of the format `{format}`"),
        ValidationErrorKind::UniqueItems => "this names something twice".into(),
        ValidationErrorKind::OneOfMultipleValid { .. } => format!("driver `{driver}` takes only one of these"),
        other => format!("this does not fit what driver `{driver}` takes (`{}`)", other.keyword()),
    }
}

/// The description of a property, which says what to write.
fn description(schema: Option<&Value>, key: &str) -> Option<String> {
    let text = schema?.get("properties")?.get(key)?.get("description")?.as_str()?;
    Some(format!("`{key}`: {}", text.lines().next()?.trim_end_matches('.')))
}

fn type_name(json: &str) -> &'static str {
    match json {
        "string" => "a string",
        "integer" => "a whole number",
        "number" => "a number",
        "boolean" => "`true` or `false`",
        "array" => "an array",
        "object" => "a table",
        _ => "nothing",
    }
}

fn name_of(value: &Value) -> &'static str {
    match value {
        Value::String(_) => "a string",
        Value::Number(_) => "a number",
        Value::Bool(_) => "a boolean",
        Value::Array(_) => "an array",
        Value::Object(_) => "a table",
        Value::Null => "nothing",
    }
}
