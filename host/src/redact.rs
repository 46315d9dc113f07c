//! Secrets of the configuration, and how they are kept out of everything that is written or shown.
//!
//! Two ways, side by side. [`Redactor`] *knows* the secrets of one run ([`Secrets`] collects them as the configuration is
//! read) and strikes them out of any text, whoever wrote it. [`fn@url`] and [`ranges`] *recognise* what looks like a secret, and
//! serve where a text is shown before its secrets are known. What is shown goes through both.

mod recognise;

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use aho_corasick::{AhoCorasick, MatchKind};
use percent_encoding::{AsciiSet, CONTROLS, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use serde_json::Value;

pub(crate) use recognise::{is_reference, likely, resembles_secret};
pub use recognise::{is_secret_key, ranges, url};

/// What stands where a secret stood.
pub const STRUCK: &str = "***";

/// The shortest secret that is struck out, in bytes: a shorter one stands in too many innocent words by chance, and its
/// absence there would tell it. The plan warns of shorter ones.
pub const SHORTEST: usize = 4;

/// What the URL standard percent-encodes in userinfo (not `%` itself): how a library spells a password that it puts into a URL.
const USERINFO: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'<')
    .add(b'>')
    .add(b'?')
    .add(b'`')
    .add(b'{')
    .add(b'}')
    .add(b'/')
    .add(b':')
    .add(b';')
    .add(b'=')
    .add(b'@')
    .add(b'[')
    .add(b'\\')
    .add(b']')
    .add(b'^')
    .add(b'|');

/// The same for a library that encodes `%` too.
const USERINFO_AND_PERCENT: &AsciiSet = &USERINFO.add(b'%');

/// The secrets of one run, as they are found.
#[derive(Clone, Default)]
pub struct Secrets {
    spellings: BTreeSet<String>,
    names: BTreeSet<String>,
    short: usize,
}

impl Secrets {
    /// Adds a secret, in every spelling in which it may turn up: as it is, percent-decoded, percent-encoded, escaped as in
    /// JSON or by Rust's `{:?}`, and each longer line of one that has several (a private key). Shorter ones than [`SHORTEST`]
    /// are only counted.
    pub fn add(&mut self, secret: &str) {
        let secret = secret.trim();
        if secret.is_empty() {
            return;
        }
        if secret.len() < SHORTEST {
            self.short += 1;
            return;
        }
        self.spell(secret);
        let decoded = percent_decode_str(secret).decode_utf8_lossy();
        if decoded != secret {
            self.spell(&decoded);
        }
        for line in secret.lines().map(str::trim).filter(|line| line.len() >= 16) {
            self.spellings.insert(line.to_owned());
        }
    }

    /// Adds what [`ranges`] finds secret in a value: the password of a URL or of a connection string.
    pub fn add_from(&mut self, value: &str) {
        for range in recognise::all(value) {
            self.add(&value[range]);
        }
    }

    /// Adds a name that everybody may see: the path of a set, a driver. [`Redactor::strike_json`] leaves a string alone that is
    /// such a name as a whole, so that a password `media` does not blot out the set `media`.
    pub fn add_name(&mut self, name: &str) {
        self.names.insert(name.to_owned());
    }

    /// Adds all of another's.
    pub fn add_all(&mut self, other: &Secrets) {
        self.spellings.extend(other.spellings.iter().cloned());
        self.names.extend(other.names.iter().cloned());
        self.short += other.short;
    }

    /// How many secrets were too short to be struck out.
    pub fn too_short(&self) -> usize {
        self.short
    }

    fn spell(&mut self, secret: &str) {
        let json = Value::from(secret).to_string();
        let debug = format!("{secret:?}");
        let everything = utf8_percent_encode(secret, NON_ALPHANUMERIC).to_string();
        let userinfo = utf8_percent_encode(secret, USERINFO).to_string();
        let userinfo_and_percent = utf8_percent_encode(secret, USERINFO_AND_PERCENT).to_string();
        self.spellings.extend([
            secret.to_owned(),
            json[1..json.len() - 1].to_owned(),
            debug[1..debug.len() - 1].to_owned(),
            lower_hex(&everything),
            lower_hex(&userinfo),
            lower_hex(&userinfo_and_percent),
            everything.replace("%20", "+"),
            everything,
            userinfo,
            userinfo_and_percent,
        ]);
    }
}

/// Counts, so that a secret is not shown by mistake.
impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secrets({} spellings)", self.spellings.len())
    }
}

/// Strikes the secrets of one run out of any text. Cheap to clone.
#[derive(Clone, Default)]
pub struct Redactor {
    inner: Option<Arc<Matcher>>,
}

struct Matcher {
    spellings: AhoCorasick,
    names: BTreeSet<String>,
}

impl Redactor {
    /// One that knows these secrets.
    ///
    /// # Panics
    /// If the secrets together are larger than the matcher's limits: gigabytes.
    pub fn new(secrets: &Secrets) -> Self {
        if secrets.spellings.is_empty() {
            return Self::default();
        }
        let spellings = AhoCorasick::builder()
            .match_kind(MatchKind::LeftmostLongest)
            .build(&secrets.spellings)
            .expect("secrets of a configuration fit a matcher");
        Self { inner: Some(Arc::new(Matcher { spellings, names: secrets.names.clone() })) }
    }

    /// The text, with `***` for every secret in it.
    pub fn strike<'t>(&self, text: &'t str) -> Cow<'t, str> {
        match &self.inner {
            Some(matcher) if matcher.spellings.is_match(text) => {
                let mut clean = String::with_capacity(text.len());
                matcher.spellings.replace_all_with(text, &mut clean, |_, _, clean| {
                    clean.push_str(STRUCK);
                    true
                });
                Cow::Owned(clean)
            }
            _ => Cow::Borrowed(text),
        }
    }

    /// Where the secrets stand in a text, also in one that is not all UTF-8: in order, not overlapping.
    pub fn ranges(&self, text: impl AsRef<[u8]>) -> Vec<Range<usize>> {
        self.inner.iter().flat_map(|matcher| matcher.spellings.find_iter(text.as_ref())).map(|found| found.range()).collect()
    }

    /// The bytes of the longest spelling of a secret; 0 where there is none.
    pub fn longest(&self) -> usize {
        self.inner.as_ref().map_or(0, |matcher| matcher.spellings.max_pattern_len())
    }

    /// Strikes the secrets out of every string of a JSON value, but for strings that as a whole are public names
    /// ([`Secrets::add_name`]). Keys stay: they are ours or a driver's own words.
    pub fn strike_json(&self, value: &mut Value) {
        match value {
            Value::String(text) => {
                if self.inner.as_ref().is_some_and(|matcher| matcher.names.contains(text.as_str())) {
                    return;
                }
                if let Cow::Owned(clean) = self.strike(text) {
                    *text = clean;
                }
            }
            Value::Array(items) => items.iter_mut().for_each(|item| self.strike_json(item)),
            Value::Object(fields) => fields.values_mut().for_each(|field| self.strike_json(field)),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }
}

/// Says nothing, so that a secret is not shown by mistake.
impl fmt::Debug for Redactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Redactor")
    }
}

/// A percent-encoded text with its hexadecimal digits in lower case.
fn lower_hex(encoded: &str) -> String {
    let mut lower = String::with_capacity(encoded.len());
    let mut digits = 0;
    for c in encoded.chars() {
        lower.push(if digits > 0 { c.to_ascii_lowercase() } else { c });
        digits = if c == '%' { 2 } else { digits.max(1) - 1 };
    }
    lower
}

#[cfg(test)]
mod tests;
