//! What looks like a secret, before anybody knows the secrets: passwords in URLs, keys that sound secret, misspelt ones too.

use std::borrow::Cow;
use std::ops::Range;

use super::STRUCK;

/// Words whose presence in a key makes its value a secret.
const SECRET_WORDS: [&str; 17] = [
    "password",
    "passwords",
    "passwd",
    "pwd",
    "pass",
    "passphrase",
    "secret",
    "secrets",
    "token",
    "tokens",
    "credential",
    "credentials",
    "apikey",
    "accesskey",
    "secretkey",
    "privatekey",
    "authtoken",
];

/// Words that are recognised when they are misspelt.
const STEMS: [&str; 8] = ["password", "passwd", "passphrase", "secret", "token", "credential", "apikey", "accesskey"];

/// Last words that make a key speak *about* a secret, or of something public: `password_file`, `access_key_id`, `max_tokens`.
const INNOCENT_ENDS: [&str; 15] =
    ["file", "path", "dir", "env", "command", "name", "id", "url", "uri", "endpoint", "length", "prefix", "type", "ttl", "expiry"];

/// Words that make the word `key` behind them public.
const PUBLIC_KEYS: [&str; 6] = ["public", "primary", "foreign", "sort", "partition", "cache"];

/// A URL or connection string for people: `***` stands for its password and for whatever else [`ranges`] finds secret.
pub fn url(text: &str) -> Cow<'_, str> {
    let secret = ranges(text);
    if secret.is_empty() {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len());
    let mut at = 0;
    for range in secret {
        shown.push_str(&text[at..range.start]);
        shown.push_str(STRUCK);
        at = range.end;
    }
    shown.push_str(&text[at..]);
    Cow::Owned(shown)
}

/// Whether a key of this name holds a secret: `password`, `redisPassword`, `AWS_SECRET_ACCESS_KEY`, `api-key`; not
/// `password_file`, `access_key_id`, `primary_key`.
pub fn is_secret_key(key: &str) -> bool {
    let words = words(key);
    let Some(last) = words.last() else { return false };
    if INNOCENT_ENDS.contains(&last.as_str()) {
        return false;
    }
    let before_last = words.len().checked_sub(2).map(|at| words[at].as_str());
    let is_key = last == "key" && !before_last.is_some_and(|word| PUBLIC_KEYS.contains(&word));
    is_key || words.iter().any(|word| SECRET_WORDS.contains(&word.as_str()) || word.ends_with("password"))
}

/// Whether a text (a key, a line) speaks of a secret, also where it is misspelt: `pasword`, `pass"word`. For what is shown of a
/// file with mistakes, where to hide too much does no harm.
pub(crate) fn resembles_secret(text: &str) -> bool {
    let separators = |c: char| !(c.is_alphanumeric() || matches!(c, '_' | '-'));
    if text.split(separators).any(is_secret_key) {
        return true;
    }
    if words(text).last().is_some_and(|last| INNOCENT_ENDS.contains(&last.as_str())) {
        return false;
    }
    let letters: Vec<u8> = text.bytes().filter(u8::is_ascii_alphanumeric).map(|byte| byte.to_ascii_lowercase()).collect();
    STEMS.iter().any(|stem| {
        let mut lengths = stem.len() - 1..=stem.len() + 1;
        lengths.any(|length| letters.windows(length).any(|window| is_slip(window, stem.as_bytes())))
    })
}

/// Whether some letters are a word with at most one letter wrong, missing or too many, or two exchanged.
fn is_slip(letters: &[u8], word: &[u8]) -> bool {
    let same = letters.iter().zip(word).take_while(|(a, b)| a == b).count();
    match (&letters[same..], &word[same..]) {
        ([], []) => true,
        ([a, b, typed @ ..], [c, d, meant @ ..]) if (a, b) == (d, c) && typed == meant => true,
        ([a, typed @ ..], [b, meant @ ..]) => {
            typed == meant || [a].into_iter().chain(typed).eq(meant) || typed.iter().eq([b].into_iter().chain(meant))
        }
        (rest, []) | ([], rest) => rest.len() == 1,
    }
}

/// Where a text holds what looks like a secret: the password of a URL's userinfo (also of a URL that is not quite one), and
/// the value of any `key=value` whose key [is secret](is_secret_key): a query parameter, a libpq connection string, a line of
/// TOML. In order, not overlapping. References to variables, `${NAME}`, are none.
pub fn ranges(text: &str) -> Vec<Range<usize>> {
    apart(text, all(text))
}

/// The same, and what may be a secret where something is misspelt: a key, the `://` of a URL. For lines of a file with mistakes.
pub(crate) fn likely(text: &str) -> Vec<Range<usize>> {
    let mut found = all(text);
    found.extend(pairs(text, resembles_secret));
    found.extend(passwords_before_at(text));
    apart(text, found)
}

/// In order and not overlapping; without references to variables.
fn apart(text: &str, mut found: Vec<Range<usize>>) -> Vec<Range<usize>> {
    found.retain(|range| !range.is_empty() && !is_reference(&text[range.clone()]));
    found.sort_by_key(|range| (range.start, range.end));
    let mut apart: Vec<Range<usize>> = Vec::with_capacity(found.len());
    for range in found {
        match apart.last_mut() {
            Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
            _ => apart.push(range),
        }
    }
    apart
}

/// The same as it is found: of one URL perhaps several guesses.
pub(super) fn all(text: &str) -> Vec<Range<usize>> {
    let mut found = url_passwords(text);
    found.extend(pairs(text, is_secret_key));
    found
}

/// Whether the text is one reference to a variable, without a default of its own.
pub(crate) fn is_reference(text: &str) -> bool {
    let inner = text.strip_prefix("${").and_then(|rest| rest.strip_suffix('}'));
    inner.is_some_and(|name| !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_'))
}

/// The passwords in the userinfo of the text's URLs; of each, what the URL standard takes for it, and everything up to the last
/// `@`. People paste passwords into URLs as they are, and one that holds `/`, `?`, `#` or `@` ends later than the standard says.
fn url_passwords(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    for (scheme, separator) in text.match_indices("://") {
        let start = scheme + separator.len();
        let rest = &text[start..];
        let rest = &rest[..rest.find(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '`' | '<' | '>')).unwrap_or(rest.len())];
        let authority = &rest[..rest.find(['/', '?', '#']).unwrap_or(rest.len())];
        let (Some(colon), Some(last)) = (authority.find(':'), rest.rfind('@')) else { continue };
        if rest.find('@').is_some_and(|first| first < colon) {
            continue;
        }
        found.extend(authority.rfind('@').map(|end| start + colon + 1..start + end));
        found.push(start + colon + 1..start + last);
    }
    found
}

/// What stands between a `:` and an `@`, as a password does in a URL: `u:secret@host` in a word that has no `://`.
fn passwords_before_at(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut start = 0;
    for word in text.split(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '`')) {
        let colon = word.match_indices(':').map(|(at, _)| at).find(|at| !word[at + 1..].starts_with('/'));
        if let (Some(colon), Some(at)) = (colon, word.rfind('@'))
            && colon < at
            && !word.contains("://")
        {
            found.push(start + colon + 1..start + at);
        }
        start += word.len() + 1;
    }
    found
}

/// The values of `key=value` and `key = "value"` whose key is secret.
fn pairs(text: &str, is_secret: impl Fn(&str) -> bool) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    for (equals, _) in text.match_indices('=') {
        let before = text[..equals].trim_end().trim_end_matches(['"', '\'']);
        let key = before.rsplit(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '-'))).next().unwrap_or_default();
        if !is_secret(key) {
            continue;
        }
        let value = text[equals + 1..].trim_start();
        let start = text.len() - value.len();
        let range = match value.chars().next() {
            Some(quote @ ('"' | '\'')) => {
                let inner = &value[1..];
                start + 1..start + 1 + closing(inner, quote).unwrap_or(inner.len())
            }
            Some('{' | '[') => continue,
            Some(_) => {
                start..start + value.find(|c: char| c.is_whitespace() || matches!(c, '&' | ';' | '"' | '\'' | '#')).unwrap_or(value.len())
            }
            None => continue,
        };
        found.push(range);
    }
    found
}

/// Where the quote closes that `inner` stands in; none where it does not, or is a multi-line string's.
fn closing(inner: &str, quote: char) -> Option<usize> {
    if inner.starts_with([quote]) && inner[1..].starts_with([quote]) {
        return None;
    }
    let mut escaped = false;
    inner.char_indices().find_map(|(at, c)| {
        let closes = c == quote && !escaped;
        escaped = c == '\\' && quote == '"' && !escaped;
        closes.then_some(at)
    })
}

/// The words of a key in lower case: split at everything but letters and digits, and where lower case turns to upper.
fn words(key: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut last_lower = false;
    for c in key.chars() {
        if !c.is_alphanumeric() || (c.is_uppercase() && last_lower) {
            words.push(String::new());
        }
        if c.is_alphanumeric() {
            words.last_mut().expect("there is one").extend(c.to_lowercase());
        }
        last_lower = c.is_lowercase();
    }
    words.retain(|word| !word.is_empty());
    words
}
