//! The environment as a value, so that nothing below the command line reads the process's own.

use std::collections::BTreeMap;
use std::ffi::OsString;

use crate::redact;

/// Variables that hold the passwords of clients.
const SECRET: [&str; 3] = ["PGPASSWORD", "MYSQL_PWD", "REDIS_PASSWORD"];

/// The variables that a configuration may refer to, in the order of their names.
#[derive(Clone, Default)]
pub struct Environment(BTreeMap<String, OsString>);

/// Why a variable has no value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoValue {
    /// It is not set.
    Unset,
    /// It is set, to something that is no UTF-8.
    NotText,
}

impl Environment {
    /// The value of a variable.
    ///
    /// # Errors
    /// It has none that can be used.
    pub fn get(&self, name: &str) -> Result<&str, NoValue> {
        self.0.get(name).ok_or(NoValue::Unset)?.to_str().ok_or(NoValue::NotText)
    }

    /// The value of a variable that is set, to text that is not empty.
    pub fn non_empty(&self, name: &str) -> Option<&str> {
        self.get(name).ok().filter(|value| !value.is_empty())
    }

    /// The values that are secrets whether or not the configuration refers to them, since libraries read them by themselves.
    pub fn secrets(&self) -> impl Iterator<Item = &str> {
        let is_secret = |name: &&str| SECRET.contains(name) || (name.starts_with("AWS_") && redact::is_secret_key(name));
        self.names().filter(is_secret).filter_map(|name| self.non_empty(name))
    }

    /// The names of all variables, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }
}

/// From `std::env::vars_os()`; variables whose names are no UTF-8 cannot be referred to and are left out.
impl FromIterator<(OsString, OsString)> for Environment {
    fn from_iter<T: IntoIterator<Item = (OsString, OsString)>>(variables: T) -> Self {
        Self(variables.into_iter().filter_map(|(name, value)| Some((name.into_string().ok()?, value))).collect())
    }
}

impl<'a> FromIterator<(&'a str, &'a str)> for Environment {
    fn from_iter<T: IntoIterator<Item = (&'a str, &'a str)>>(variables: T) -> Self {
        Self(variables.into_iter().map(|(name, value)| (name.to_owned(), value.into())).collect())
    }
}
