//! The walk over a parsed file: what every part of it needs (problems with their places, strings with their variables, keys
//! that nobody knows), and the root with `[archive]`.

use std::borrow::Cow;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::expand::expand;
use super::{ArchiveSettings, Compression, Config, Environment, LinkConfig, Problem, SetConfig, Source, VERSION, link, nearest, set};
use crate::name::SetPath;
use crate::redact::{self, Secrets};

/// What is read so far, and what is wrong with it.
pub(super) struct Reading<'e> {
    /// The text.
    pub(super) source: Arc<Source>,
    /// Where variables come from.
    pub(super) environment: &'e Environment,
    /// What is wrong, and where: excerpts are made at the end, when all secrets are known.
    problems: Vec<(Problem, Range<usize>)>,
    /// The secrets that were found.
    pub(super) secrets: Secrets,
    /// The set that is being read.
    pub(super) set: Option<SetPath>,
    /// Whether the text has errors of syntax, so that what is missing may stand in what could not be read.
    pub(super) broken: bool,
    /// Whether there are sets without a usable name, so that a name which is not found may be meant for one of them.
    pub(super) unnamed: bool,
}

/// The keys of `[archive]`.
const ARCHIVE: [&str; 3] = ["compression", "level", "encrypt_to"];

/// A key and its value, as a table has them.
pub(super) type Field<'t, 'i> = (&'t Spanned<Cow<'i, str>>, &'t Spanned<DeValue<'i>>);

/// Reads a text. Where a header is not understood, nobody knows what the lines below it belong to: then errors of syntax are
/// all that is found.
pub(super) fn read(source: Arc<Source>, base: PathBuf, environment: &Environment) -> Config {
    let text = Arc::clone(&source);
    let (root, errors) = DeTable::parse_recoverable(text.text());
    let mut source = Source::clone(&source);
    let mut hidden = Vec::new();
    secret_spans(root.get_ref(), false, &mut hidden);
    source.hide(hidden, !errors.is_empty());
    let mut reading = Reading {
        source: Arc::new(source),
        environment,
        problems: Vec::new(),
        secrets: Secrets::default(),
        set: None,
        broken: !errors.is_empty(),
        unnamed: false,
    };
    environment.secrets().for_each(|secret| reading.secrets.add(secret));
    let mut lost = false;
    for error in &errors {
        let at = error.span().unwrap_or(0..0);
        lost |= reading.source.in_header(at.start);
        reading.problem(&at, error.message(), None);
    }
    let (archive, sets, links) = if lost { Default::default() } else { reading.root(root.get_ref()) };
    reading.finish(base, archive, sets, links)
}

impl Reading<'_> {
    /// Records a problem at a place of the text.
    pub(super) fn problem(&mut self, at: &Range<usize>, message: impl Into<String>, hint: Option<String>) {
        self.problems.push((Problem::new(message).maybe_hint(hint), at.clone()));
    }

    /// Records that something is missing, unless it may stand in a part that could not be read.
    pub(super) fn missing(&mut self, at: &Range<usize>, message: impl Into<String>, hint: Option<String>) {
        if !self.broken {
            self.problem(at, message, hint);
        }
    }

    /// Records every key of a table that is not `known`.
    pub(super) fn unknown_keys(&mut self, table: &DeTable<'_>, known: &[&str], of: &str) {
        for key in table.keys().filter(|key| !known.contains(&key.get_ref().as_ref())) {
            let hint = match nearest(key.get_ref(), known.iter().copied()) {
                _ if ARCHIVE.contains(&key.get_ref().as_ref()) => "it belongs below `[archive]`".into(),
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("{of} has {}", list(known.iter().copied())),
            };
            self.problem(&key.span(), format!("unknown key `{}`", key.get_ref().escape_debug()), Some(hint));
        }
    }

    /// The text of a string with its variables put in; none, and problems, where it is no string or lacks a variable. What is
    /// secret in it, or all of it where `secret`, is remembered as such.
    pub(super) fn text_of(&mut self, value: &Spanned<DeValue<'_>>, secret: bool) -> Option<String> {
        let DeValue::String(raw) = value.get_ref() else {
            self.wrong_type(value, "a string");
            return None;
        };
        let expanded = expand(raw, self.environment);
        for name in &expanded.used {
            if redact::is_secret_key(name)
                && let Ok(value) = self.environment.get(name)
            {
                self.secrets.add(value);
            }
        }
        if secret {
            self.secrets.add(&expanded.text);
            if !redact::is_reference(raw) {
                self.secrets.add(raw);
            }
        }
        self.secrets.add_from(&expanded.text);
        let mut from = value.span().start;
        for mistake in &expanded.mistakes {
            let at = self.find(&mistake.reference, from..value.span().end);
            from = at.end.min(value.span().end);
            let mut problem = Problem::new(&mistake.message).hint(&mistake.hint);
            problem.unset_for = self.set.clone().filter(|_| mistake.unset);
            self.problems.push((problem, at));
        }
        expanded.mistakes.is_empty().then_some(expanded.text)
    }

    /// A boolean; none, and a problem, where it is none.
    pub(super) fn bool_of(&mut self, value: &Spanned<DeValue<'_>>) -> Option<bool> {
        let found = value.get_ref().as_bool();
        if found.is_none() {
            self.wrong_type(value, "`true` or `false`");
        }
        found
    }

    /// Records that a value is not of the type that its key has.
    pub(super) fn wrong_type(&mut self, value: &Spanned<DeValue<'_>>, wanted: &str) {
        self.problem(&value.span(), format!("this must be {wanted}, not {}", type_name(value.get_ref())), None);
    }

    /// The tables of `[[key]]`, with their places; problems where they are something else.
    pub(super) fn tables_of<'t, 'i>(&mut self, field: Field<'t, 'i>, header: &str) -> Vec<(&'t DeTable<'i>, Range<usize>)> {
        let (key, value) = field;
        let DeValue::Array(items) = value.get_ref() else {
            let message = format!("`{}` must be an array of tables, not {}", key.get_ref(), type_name(value.get_ref()));
            self.problem(&key.span(), message, Some(format!("write `[[{header}]]`, once for each")));
            return Vec::new();
        };
        let mut tables = Vec::new();
        for item in items {
            match item.get_ref().as_table() {
                Some(table) => tables.push((table, item.span())),
                None => self.wrong_type(item, "a table"),
            }
        }
        tables
    }

    /// Where a reference stands within a value of the text; the value as a whole where escapes hide it.
    fn find(&self, reference: &str, within: Range<usize>) -> Range<usize> {
        let found = self.source.text().get(within.clone()).and_then(|raw| raw.find(reference));
        found.map_or(within.clone(), |at| within.start + at..within.start + at + reference.len())
    }

    fn root(&mut self, root: &DeTable<'_>) -> (ArchiveSettings, Vec<SetConfig>, Vec<LinkConfig>) {
        self.unknown_keys(root, &["version", "archive", "set", "link", "unsafe_order"], "the file");
        self.version(root);
        let archive = match root.get("archive") {
            Some(value) => match value.get_ref().as_table() {
                Some(table) => self.archive(table),
                None => {
                    self.wrong_type(value, "a table");
                    ArchiveSettings::default()
                }
            },
            None => ArchiveSettings::default(),
        };
        let unsafe_order = root.get("unsafe_order").and_then(|value| self.bool_of(value)).unwrap_or(false);
        let sets = root.get_key_value("set").map(|field| set::read(self, field, None)).unwrap_or_default();
        let links = root.get_key_value("link").map(|field| link::read(self, field, &sets, unsafe_order)).unwrap_or_default();
        (archive, sets, links)
    }

    fn version(&mut self, root: &DeTable<'_>) {
        let hint = || Some(format!("write `version = {VERSION}`"));
        let Some(value) = root.get("version") else {
            self.missing(&(0..0), "the file does not say its `version`", hint().map(|hint| format!("{hint} at its beginning")));
            return;
        };
        match value.get_ref().as_integer().map(|number| i64::from_str_radix(number.as_str(), number.radix())) {
            Some(Ok(VERSION)) => {}
            Some(_) => self.problem(&value.span(), format!("this dr-host reads version {VERSION} of the configuration only"), hint()),
            None => self.problem(&value.span(), format!("this must be a number, not {}", type_name(value.get_ref())), hint()),
        }
    }

    fn archive(&mut self, table: &DeTable<'_>) -> ArchiveSettings {
        self.unknown_keys(table, &ARCHIVE, "`[archive]`");
        if let Some((key, _)) = table.get_key_value("encrypt_to") {
            let hint = "remove it: the archive will not be encrypted, so keep it where only you can read it";
            self.problem(&key.span(), "encryption is not in this version of dr-host", Some(hint.into()));
        }
        let compression = table.get("compression").and_then(|value| self.compression(value)).unwrap_or_default();
        let level = table.get("level").and_then(|value| self.level(value, compression));
        ArchiveSettings { compression, level }
    }

    fn compression(&mut self, value: &Spanned<DeValue<'_>>) -> Option<Compression> {
        let name = self.text_of(value, false)?;
        if let Ok(compression) = name.parse() {
            return Some(compression);
        }
        let known = ["zstd", "deflate", "store"];
        let hint = match nearest(&name, known) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("there are {}", list(known)),
        };
        self.problem(&value.span(), format!("unknown compression `{}`", name.escape_debug()), Some(hint));
        None
    }

    fn level(&mut self, value: &Spanned<DeValue<'_>>, compression: Compression) -> Option<i32> {
        let Some(number) = value.get_ref().as_integer() else {
            self.wrong_type(value, "a whole number");
            return None;
        };
        let level = i32::from_str_radix(number.as_str(), number.radix()).ok();
        let levels = compression.levels();
        if compression == Compression::Store {
            self.problem(&value.span(), "`store` does not compress, so it has no level", Some("remove `level`".into()));
        } else if !level.is_some_and(|level| levels.contains(&level)) {
            self.problem(&value.span(), format!("the level of {compression} goes from {} to {}", levels.start(), levels.end()), None);
        } else {
            return level;
        }
        None
    }

    fn finish(self, base: PathBuf, archive: ArchiveSettings, sets: Vec<SetConfig>, links: Vec<LinkConfig>) -> Config {
        let is_partial = self.broken || self.unnamed;
        let mut config = Config { archive, sets, links, secrets: self.secrets, is_partial, ..Config::without_file(base) };
        let names: Vec<String> = config.all_sets().iter().map(|set| set.path.to_string()).collect();
        names.iter().for_each(|name| config.secrets.add_name(name));
        let redactor = config.redactor();
        let mut source = Source::clone(&self.source);
        source.redact(redactor.clone());
        config.problems = self.problems.into_iter().map(|(problem, at)| problem.at(source.place(&at)).struck(&redactor)).collect();
        Config { source: Arc::new(source), is_default: false, ..config }
    }
}

/// Words in backticks, with commas between them.
pub(crate) fn list<'w>(words: impl IntoIterator<Item = &'w str>) -> String {
    words.into_iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
}

/// The type of a value, for people.
fn type_name(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) | DeValue::Float(_) => "a number",
        DeValue::Boolean(_) => "a boolean",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "an array",
        DeValue::Table(_) => "a table",
    }
}

/// Where the values stand whose keys say that they are secret; references to variables, without a default, may be shown.
fn secret_spans(table: &DeTable<'_>, secret: bool, into: &mut Vec<Range<usize>>) {
    fn walk(value: &Spanned<DeValue<'_>>, secret: bool, into: &mut Vec<Range<usize>>) {
        match value.get_ref() {
            DeValue::Table(table) => secret_spans(table, secret, into),
            DeValue::Array(items) => items.iter().for_each(|item| walk(item, secret, into)),
            DeValue::String(text) if redact::is_reference(text) => {}
            _ if secret => into.push(value.span()),
            _ => {}
        }
    }
    for (key, value) in table {
        walk(value, secret || redact::resembles_secret(key.get_ref()), into);
    }
}
