//! Settings against the JSON Schema of their driver: what is wrong, in words, with the nearest right ones. No value is ever
//! quoted, but for misspelt words of a choice, since any may be a secret.

use jsonschema::ValidationError;
use jsonschema::error::{TypeKind, ValidationErrorKind};
use serde_json::Value;

use crate::config::{list, nearest, pointer_join};

/// One setting that does not fit.
pub(crate) struct Mistake {
    /// Where its value stands: a JSON pointer into the settings.
    pub(crate) pointer: String,
    /// The pointer of a key that should not be there.
    pub(crate) key: Option<String>,
    /// Whether something is missing.
    pub(crate) is_missing: bool,
    /// What is wrong.
    pub(crate) message: String,
    /// What to write instead.
    pub(crate) hint: Option<String>,
}

/// Everything that is wrong with the settings of a driver of this name.
pub(crate) fn check(driver: &str, schema: &Value, settings: &Value) -> Vec<Mistake> {
    let mut schema = schema.clone();
    close(&mut schema);
    let validator = match jsonschema::validator_for(&schema) {
        Ok(validator) => validator,
        Err(why) => return vec![mistake("", format!("the schema of driver `{driver}` is wrong: {why}"))],
    };
    let mut explaining = Explaining { driver, schema: &schema, mistakes: Vec::new() };
    for error in validator.iter_errors(settings) {
        explaining.explain(&error);
    }
    explaining.mistakes
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

/// The errors of a validator, put into words one after another.
struct Explaining<'s> {
    driver: &'s str,
    schema: &'s Value,
    mistakes: Vec<Mistake>,
}

impl Explaining<'_> {
    fn explain(&mut self, error: &ValidationError<'_>) {
        let pointer = error.instance_path().as_str();
        let around = around(self.schema, error.schema_path().as_str());
        match error.kind() {
            ValidationErrorKind::AdditionalProperties { unexpected } | ValidationErrorKind::UnevaluatedProperties { unexpected } => {
                let driver = self.driver;
                self.mistakes.extend(unexpected.iter().map(|key| unknown_key(driver, pointer, key, around)));
            }
            ValidationErrorKind::Required { property } => {
                let key = property.as_str().unwrap_or_default();
                let mut missing = mistake(pointer, format!("{} needs `{key}`", self.owner(pointer)));
                missing.is_missing = true;
                missing.hint = description(around, key);
                self.mistakes.push(missing);
            }
            ValidationErrorKind::AnyOf { context } | ValidationErrorKind::OneOfNotValid { context } => {
                self.alternatives(error, context);
            }
            kind => match words_of(kind) {
                Some(words) => self.mistakes.push(choice(pointer, error.instance(), &words)),
                None => self.mistakes.push(mistake(pointer, plain(self.driver, error.instance(), kind))),
            },
        }
    }

    /// Several schemas of which none fits: words to choose from are one choice, keys of which one is needed one sentence; else
    /// what the one says that fits best, which is the first that does not already fail at the type of the value.
    fn alternatives(&mut self, error: &ValidationError<'_>, context: &[Vec<ValidationError<'static>>]) {
        let pointer = error.instance_path().as_str();
        let wrong_type = |errors: &Vec<ValidationError<'_>>| {
            let is_type = |error: &ValidationError<'_>| matches!(error.kind(), ValidationErrorKind::Type { .. });
            errors.iter().any(|error| error.instance_path().as_str() == pointer && is_type(error))
        };
        let fitting: Vec<_> = context.iter().filter(|errors| !wrong_type(errors)).collect();
        if let Some(words) = all_words(&fitting) {
            self.mistakes.push(choice(pointer, error.instance(), &words));
        } else if let Some(keys) = all_required(&fitting) {
            let mut needs = mistake(pointer, format!("{} needs one of {}", self.owner(pointer), list(keys)));
            needs.is_missing = true;
            self.mistakes.push(needs);
        } else if let Some(best) = fitting.first() {
            best.iter().for_each(|error| self.explain(error));
        } else {
            self.mistakes.push(mistake(pointer, type_mismatch(error.instance(), context)));
        }
    }

    fn owner(&self, pointer: &str) -> String {
        if pointer.is_empty() { format!("driver `{}`", self.driver) } else { "this".to_owned() }
    }
}

/// The words that a schema allows, where it allows nothing but words.
fn words_of(kind: &ValidationErrorKind) -> Option<Vec<&str>> {
    match kind {
        ValidationErrorKind::Enum { options } => options.as_array()?.iter().map(Value::as_str).collect(),
        ValidationErrorKind::Constant { expected_value } => Some(vec![expected_value.as_str()?]),
        ValidationErrorKind::AnyOf { context } | ValidationErrorKind::OneOfNotValid { context } => {
            all_words(&context.iter().collect::<Vec<_>>())
        }
        _ => None,
    }
}

/// The words of all alternatives, where each allows nothing but words.
fn all_words<'e>(alternatives: &[&'e Vec<ValidationError<'static>>]) -> Option<Vec<&'e str>> {
    let words: Option<Vec<Vec<&str>>> = alternatives.iter().map(|errors| words_of(errors.first()?.kind())).collect();
    words.map(|words| words.concat()).filter(|words| !words.is_empty())
}

/// The keys of all alternatives, where each lacks nothing but one key.
fn all_required<'e>(alternatives: &[&'e Vec<ValidationError<'static>>]) -> Option<Vec<&'e str>> {
    let key = |errors: &&'e Vec<ValidationError<'static>>| match errors.as_slice() {
        [error] => match error.kind() {
            ValidationErrorKind::Required { property } => property.as_str(),
            _ => None,
        },
        _ => None,
    };
    alternatives.iter().map(key).collect::<Option<Vec<_>>>().filter(|keys| !keys.is_empty())
}

/// A value of a type that none of the alternatives takes.
fn type_mismatch(value: &Value, context: &[Vec<ValidationError<'static>>]) -> String {
    let mut wanted = Vec::new();
    for error in context.iter().flatten() {
        if let ValidationErrorKind::Type { kind } = error.kind() {
            wanted.extend(type_names(kind));
        }
    }
    format!("this must be {}, not {}", wanted.join(" or "), name_of(value))
}

fn unknown_key(driver: &str, pointer: &str, key: &str, around: Option<&Value>) -> Mistake {
    let properties = around.and_then(|schema| schema.get("properties")).and_then(Value::as_object);
    let known = || properties.into_iter().flat_map(|properties| properties.keys().map(String::as_str));
    let own = ["name", "driver", "children", "parallel"].into_iter().filter(|_| pointer.is_empty());
    let hint = match nearest(key, known().chain(own)) {
        Some(near) => format!("did you mean `{near}`?"),
        None if known().next().is_none() => "there are no settings here".into(),
        None => format!("there are {}", list(known())),
    };
    let mut unknown = mistake(pointer, format!("unknown key `{}` of driver `{driver}`", key.escape_debug()));
    unknown.key = Some(pointer_join(pointer, key));
    unknown.hint = Some(hint);
    unknown
}

/// A word that is none of those to choose from.
fn choice(pointer: &str, value: &Value, options: &[&str]) -> Mistake {
    let near = value.as_str().and_then(|word| nearest(word, options.iter().copied()));
    let one_of = if options.len() == 1 { "" } else { "one of " };
    let mut wrong = mistake(pointer, format!("this must be {one_of}{}", list(options.iter().copied())));
    wrong.hint = near.map(|near| format!("did you mean `{near}`?"));
    wrong
}

/// What is wrong, for mistakes that need no hint.
fn plain(driver: &str, value: &Value, kind: &ValidationErrorKind) -> String {
    match kind {
        ValidationErrorKind::Type { kind } => {
            let wanted = type_names(kind).join(" or ");
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

/// The types that a schema allows, for people; `null` is what a file cannot say.
fn type_names(kind: &TypeKind) -> Vec<&'static str> {
    let names: Vec<_> = match kind {
        TypeKind::Single(one) => vec![type_name(&one.to_string())],
        TypeKind::Multiple(several) => several.iter().map(|one| type_name(&one.to_string())).collect(),
    };
    names.into_iter().filter(|name| *name != NOTHING).collect()
}

/// The description of a property, which says what to write.
fn description(schema: Option<&Value>, key: &str) -> Option<String> {
    let text = schema?.get("properties")?.get(key)?.get("description")?.as_str()?;
    Some(format!("`{key}`: {}", text.lines().next()?.trim_end_matches('.')))
}

/// What `null` is called.
const NOTHING: &str = "nothing";

fn type_name(json: &str) -> &'static str {
    match json {
        "string" => "a string",
        "integer" => "a whole number",
        "number" => "a number",
        "boolean" => "`true` or `false`",
        "array" => "an array",
        "object" => "a table",
        _ => NOTHING,
    }
}

fn name_of(value: &Value) -> &'static str {
    match value {
        Value::String(_) => "a string",
        Value::Number(_) => "a number",
        Value::Bool(_) => "a boolean",
        Value::Array(_) => "an array",
        Value::Object(_) => "a table",
        Value::Null => NOTHING,
    }
}
