//! The configuration without a file: every database that the environment names, then the media.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

use super::Kinds;
use crate::config::{Config, DriverChoice, Environment, NoValue, Problem, SetConfig, Values, list};
use crate::drivers::Kind;
use crate::name::SetPath;

/// What the name of a variable that names a database ends with.
const DATABASE: &str = "DATABASE_URL";

/// The variables that name media, and the driver that dumps them.
const MEDIA: (&str, &str, &str) = ("MEDIA_URL", "MEDIA_ROOT", "media");

/// What the environment names.
pub(super) struct Found<'e> {
    /// The databases, `DATABASE_URL` first: variable, name of the set, URL.
    pub(super) databases: Vec<(&'e str, String, &'e str)>,
    /// The media: variable, URL or directory.
    pub(super) media: Option<(&'static str, &'e str)>,
    /// Variables that were meant and cannot be taken.
    pub(super) problems: Vec<Problem>,
}

/// Looks for databases and media in the environment.
///
/// `MEDIA_URL` comes first, unless it is one that no driver dumps (the address at which browsers find the media) and
/// `MEDIA_ROOT` says where they are stored.
pub(super) fn look<'e>(environment: &'e Environment, kinds: Kinds<'_>) -> Found<'e> {
    let variables = environment.names().filter(|variable| variable.ends_with(DATABASE));
    let named: Vec<_> = variables.map(|variable| (variable, set_name(variable))).collect();
    let (url, root, driver) = MEDIA;
    let all = named.iter().map(|(variable, name)| (*variable, name.as_str())).chain([(url, driver), (root, driver)]);
    let mut problems: Vec<Problem> = all.filter_map(|(variable, name)| not_text(environment, variable, name)).collect();
    let mut databases: Vec<_> =
        named.into_iter().filter_map(|(variable, name)| Some((variable, name, environment.non_empty(variable)?))).collect();
    databases.sort_by(|(a, a_name, _), (b, b_name, _)| (*a != DATABASE, a_name).cmp(&(*b != DATABASE, b_name)));
    problems.extend(same_names(&databases));
    // What is an error for all of them is one set.
    databases.dedup_by(|(_, name, _), (_, before, _)| name == before);
    let dumped = |text: &str| {
        let schemes = kinds.iter().find(|kind| kind.name() == driver).map_or(&[][..], |kind| kind.url_schemes());
        scheme(text).is_some_and(|scheme| schemes.contains(&scheme.as_str()))
    };
    let (at_url, at_root) = (environment.non_empty(url), environment.non_empty(root));
    let media = match (at_url, at_root) {
        (Some(text), None) => Some((url, text)),
        (Some(text), Some(_)) if dumped(text) => Some((url, text)),
        (_, Some(directory)) => Some((root, directory)),
        (None, None) => None,
    };
    Found { databases, media, problems }
}

/// What is wrong with a variable that is set to something that no file could say.
fn not_text(environment: &Environment, variable: &str, set: &str) -> Option<Problem> {
    (environment.get(variable) == Err(NoValue::NotText)).then(|| {
        let problem = Problem::new(format!("the value of the variable `{variable}` is not UTF-8"));
        unless_left_out(problem.hint(format!("set it to text, or leave it out with `--skip {set}`")), set)
    })
}

/// What is wrong where several variables name the same set.
fn same_names(databases: &[(&str, String, &str)]) -> Vec<Problem> {
    let mut variables: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    databases.iter().for_each(|(variable, name, _)| variables.entry(name).or_default().push(variable));
    let several = variables.into_iter().filter(|(_, variables)| variables.len() > 1);
    let problem = |(name, variables): (&str, Vec<&str>)| {
        let problem = Problem::new(format!("{} name the same set, `{name}`", list(variables)));
        unless_left_out(problem.hint("unset all but one, or write `dumprestore.toml`, which gives each set its own name"), name)
    };
    several.map(problem).collect()
}

/// The same, as no problem where its set is left out.
fn unless_left_out(mut problem: Problem, set: &str) -> Problem {
    problem.unset_for = SetPath::parse(set).ok();
    problem
}

/// The default set of an environment.
pub(super) fn config(directory: &Path, environment: &Environment, kinds: Kinds<'_>) -> Config {
    let found = look(environment, kinds);
    let mut config = Config::without_file(directory.to_owned());
    config.problems.extend(found.problems);
    environment.secrets().for_each(|secret| config.secrets.add(secret));
    for (variable, name, url) in found.databases {
        config.secrets.add_from(url);
        match SetPath::check_segment(&name) {
            Ok(()) => {
                let scheme = scheme(url).unwrap_or_default();
                add(&mut config, &name, DriverChoice::ByScheme(scheme), url);
            }
            Err(why) => config.problems.push(Problem::new(format!("no set can be named after the variable `{variable}`: {why}"))),
        }
    }
    if let Some((_, url)) = found.media {
        config.secrets.add_from(url);
        add(&mut config, MEDIA.2, DriverChoice::Named(MEDIA.2.to_owned(), 0..0), url);
    }
    config
}

/// What is wrong where there is no set at all.
pub(super) fn no_sets(config: &Config) -> Problem {
    if config.is_default {
        Problem::new("there is nothing to back up: no configuration, and the environment names neither a database nor media")
            .hint("write `dumprestore.toml` (`dr-host init` begins one), or set `DATABASE_URL`, `MEDIA_URL` or `MEDIA_ROOT`")
    } else {
        Problem::new(format!("`{}` has no set", config.source.name())).hint("add a `[[set]]` with `name` and `driver`")
    }
}

/// The kind that dumps databases at URLs of this scheme. Media have schemes too: `file:`, say, which some use for a database.
pub(super) fn database<'k>(kinds: Kinds<'k>, scheme: &str) -> Option<&'k dyn Kind> {
    kinds.iter().copied().find(|kind| kind.name() != MEDIA.2 && kind.url_schemes().contains(&scheme))
}

/// What is wrong with a database whose URL no driver dumps.
pub(super) fn unknown_scheme(set: &SetConfig, scheme: &str, kinds: Kinds<'_>) -> Problem {
    let variable = format!("{}_URL", set.path.as_str().to_uppercase().replace('-', "_"));
    let known: Vec<String> =
        kinds.iter().filter(|kind| kind.name() != MEDIA.2).flat_map(|kind| kind.url_schemes()).map(|scheme| format!("{scheme}:")).collect();
    let message = match scheme {
        "" => format!("`{variable}` is no URL"),
        scheme => format!("`{variable}`: this version of dr-host has no driver for `{scheme}:`"),
    };
    let known =
        if known.is_empty() { "it has none for databases".into() } else { format!("it dumps {}", list(known.iter().map(String::as_str))) };
    Problem::new(message).hint(format!("{known}; leave this database out with `--skip {}`", set.path))
}

/// The scheme of a URL, in lower case.
pub(super) fn scheme(url: &str) -> Option<String> {
    let (scheme, _) = url.split_once(':')?;
    let is_scheme = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'));
    is_scheme.then(|| scheme.to_ascii_lowercase())
}

/// The name of the set for a variable: `ANALYTICS_DATABASE_URL` → `analytics-database`.
fn set_name(variable: &str) -> String {
    variable.trim_end_matches("_URL").to_lowercase().replace('_', "-").trim_start_matches('-').to_owned()
}

fn add(config: &mut Config, name: &str, driver: DriverChoice, url: &str) {
    let Ok(path) = SetPath::parse(name) else { return };
    config.secrets.add_name(name);
    let mut settings = Values::default();
    settings.insert("url", Value::from(url));
    config.sets.push(SetConfig { path, is_named: true, driver: Some(driver), parallel: false, settings, children: Vec::new(), at: 0..0 });
}
