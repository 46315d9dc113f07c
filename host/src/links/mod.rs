//! Declared references: which entry a value of a column names, and the comparison of all values with the entries that are
//! there. Knows neither databases nor zips: it is given values and names.

mod targets;

pub use targets::Targets;

/// How the values of a link become names of entries.
///
/// Nothing is guessed: a percent-encoded value, or one in another Unicode normal form, names the entry that is spelt so.
#[derive(Clone, Copy, Debug)]
pub struct Naming<'a> {
    /// What is taken from the front of each value that begins with it.
    pub strip_prefix: &'a str,
    /// What is then put before each value.
    pub prefix: &'a str,
}

impl Naming<'_> {
    /// The name of the entry that `value` names; none for the empty value, which names nothing.
    pub fn entry(&self, value: &str) -> Option<String> {
        (!value.is_empty()).then(|| format!("{}{}", self.prefix, value.strip_prefix(self.strip_prefix).unwrap_or(value)))
    }
}

#[cfg(test)]
mod tests;
