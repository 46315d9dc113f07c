//! The text of a configuration: where in it a byte stands, and how its lines are shown without their secrets.

use std::ops::Range;

use super::problem::Place;
use crate::redact::{self, Redactor, STRUCK};

/// The longest excerpt, in characters.
const WIDEST: usize = 110;

/// The text of a configuration, and what messages call it.
#[derive(Clone)]
pub struct Source {
    name: String,
    text: String,
    secret: Vec<Range<usize>>,
    broken: bool,
    redactor: Redactor,
}

impl Source {
    /// A text without known secrets.
    pub fn new(name: impl Into<String>, text: impl Into<String>) -> Self {
        Self { name: name.into(), text: text.into(), secret: Vec::new(), broken: false, redactor: Redactor::default() }
    }

    /// What messages call it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Says which ranges of the text excerpts must not show, and whether the text has errors of syntax, so that the ranges
    /// may be incomplete and excerpts must be more careful.
    pub(super) fn hide(&mut self, secret: Vec<Range<usize>>, broken: bool) {
        self.secret = secret;
        self.broken = broken;
    }

    /// Says which secrets excerpts must not show wherever they stand.
    pub(super) fn redact(&mut self, redactor: Redactor) {
        self.redactor = redactor;
    }

    /// The number of the line in which a byte stands, from 1.
    pub(super) fn line(&self, at: usize) -> usize {
        self.text[..floor(&self.text, at)].matches('\n').count() + 1
    }

    /// Whether the line in which a byte stands is a table's header.
    pub(super) fn is_header(&self, at: usize) -> bool {
        let line = self.text[..floor(&self.text, at)].rfind('\n').map_or(0, |at| at + 1);
        self.text[line..].trim_start_matches([' ', '\t']).starts_with('[')
    }

    /// The place of a range of bytes; of one that spans lines, of its beginning.
    pub fn place(&self, span: &Range<usize>) -> Place {
        let start = floor(&self.text, span.start);
        let line_start = self.text[..start].rfind('\n').map_or(0, |at| at + 1);
        let line_end = self.text[start..].find('\n').map_or(self.text.len(), |at| start + at);
        let end = floor(&self.text, span.end).clamp(start, line_end);
        let line = self.line(start);
        let column = self.text[line_start..start].chars().count() + 1;
        let hidden = self.hidden(line_start..line_end);
        let (excerpt, caret) = show(&self.text[line_start..line_end], &hidden, start - line_start..end - line_start);
        let (excerpt, caret) = narrow(&excerpt, caret);
        Place { file: self.name.clone(), line, column, excerpt, caret: caret.start, caret_length: caret.len().max(1) }
    }

    /// What of a line must not be shown: ranges within the line, in order, not overlapping.
    fn hidden(&self, line: Range<usize>) -> Vec<Range<usize>> {
        let text = &self.text[line.clone()];
        let mut hidden = redact::ranges(text);
        hidden.extend(self.redactor.ranges(text));
        for secret in self.secret.iter().filter(|secret| secret.start < line.end && secret.end > line.start) {
            hidden.push(secret.start.max(line.start) - line.start..secret.end.min(line.end) - line.start);
        }
        if self.broken {
            hidden.extend(self.doubtful(line));
        }
        hidden.retain(|range| !range.is_empty());
        hidden.sort_by_key(|range| (range.start, range.end));
        hidden.dedup_by(|next, last| {
            let overlap = next.start < last.end;
            if overlap {
                last.end = last.end.max(next.end);
            }
            overlap
        });
        hidden
    }

    /// What of a line may belong to a secret value when the text's structure cannot be trusted: the line continues a value
    /// whose key is secret, or stands in a table of secrets.
    fn doubtful(&self, line: Range<usize>) -> Option<Range<usize>> {
        let (mut table_is_secret, mut key_is_secret, mut in_long_string) = (false, false, false);
        let (mut at, mut hides) = (0, None);
        for text in self.text.split_inclusive('\n') {
            let key = text.split_once('=').map(|(key, _)| key).filter(|key| key.matches(['"', '\'']).count() % 2 == 0);
            if !in_long_string && text.trim_start().starts_with('[') {
                table_is_secret = segments(text).any(redact::is_secret_key);
                key_is_secret = false;
                hides = None;
            } else if let Some(key) = key.filter(|_| !in_long_string) {
                key_is_secret = table_is_secret || segments(key).any(redact::is_secret_key);
                let after = text.len() - text[key.len() + 1..].trim_start().len();
                hides = if key_is_secret { Some(after) } else { redact::secret_values(text).next() };
            } else {
                hides = key_is_secret.then_some(0);
            }
            in_long_string ^= (text.matches("\"\"\"").count() + text.matches("'''").count()) % 2 == 1;
            at += text.len();
            if at > line.start {
                break;
            }
        }
        hides.map(|from| from.min(line.len())..line.len())
    }
}

/// The bare words of a key or a table's header.
fn segments(text: &str) -> impl Iterator<Item = &str> {
    text.split(['.', '[', ']', '"', '\'', ' ', '\t']).map(str::trim).filter(|segment| !segment.is_empty())
}

/// The line with `***` for what is hidden and one space for each control character; and where `span` went, in characters.
fn show(line: &str, hidden: &[Range<usize>], span: Range<usize>) -> (String, Range<usize>) {
    let mut shown = String::new();
    let mut length = 0;
    let mut caret = None..None;
    let mut hidden = hidden.iter().peekable();
    let mut struck_until = 0;
    for (at, c) in line.char_indices() {
        if hidden.peek().is_some_and(|range| at >= range.start) {
            struck_until = hidden.next().map_or(0, |range| range.end);
            caret.start = caret.start.or((span.start < struck_until).then_some(length));
            shown.push_str(STRUCK);
            length += STRUCK.len();
        }
        if at >= span.end {
            caret.end = caret.end.or(Some(length));
        }
        if at >= struck_until {
            if at >= span.start {
                caret.start = caret.start.or(Some(length));
            }
            shown.push(if c.is_control() { ' ' } else { c });
            length += 1;
        }
    }
    let shown = shown.trim_end().to_owned();
    let start = caret.start.unwrap_or(length);
    (shown, start..caret.end.unwrap_or(length).max(start))
}

/// A window of [`WIDEST`] characters around the caret.
fn narrow(line: &str, caret: Range<usize>) -> (String, Range<usize>) {
    let length = line.chars().count();
    if length <= WIDEST {
        return (line.to_owned(), caret.start..caret.end.min(length).max(caret.start));
    }
    let first = caret.start.saturating_sub(WIDEST / 3).min(length - WIDEST);
    let window: String = line.chars().skip(first).take(WIDEST).collect();
    let (before, cut) = if first > 0 { ("…", 1) } else { ("", 0) };
    let after = if first + WIDEST < length { "…" } else { "" };
    let start = caret.start - first + cut;
    let end = (caret.end - first + cut).min(WIDEST + cut).max(start);
    (format!("{before}{window}{after}"), start..end)
}

/// The last boundary of a character at or before `at`.
fn floor(text: &str, at: usize) -> usize {
    (0..=at.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)
}
