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
    doubtful: Vec<Range<usize>>,
    redactor: Redactor,
}

impl Source {
    /// A text without known secrets.
    pub fn new(name: impl Into<String>, text: impl Into<String>) -> Self {
        Self { name: name.into(), text: text.into(), secret: Vec::new(), doubtful: Vec::new(), redactor: Redactor::default() }
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
        if broken {
            self.doubtful = doubtful(&self.text);
        }
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
    pub(super) fn in_header(&self, at: usize) -> bool {
        let start = self.text[..floor(&self.text, at)].rfind('\n').map_or(0, |at| at + 1);
        self.text[start..].lines().next().is_some_and(is_header)
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
        let mut hidden = redact::likely(text);
        hidden.extend(self.redactor.ranges(text));
        let inside = |secret: &&Range<usize>| secret.start < line.end && secret.end > line.start;
        for secret in self.secret.iter().chain(&self.doubtful).filter(inside) {
            hidden.push(secret.start.max(line.start) - line.start..secret.end.min(line.end) - line.start);
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
}

/// What of a text may be secret when its structure cannot be trusted: everything from the first line of a table on that speaks
/// of a secret, in the table's header too, but for the key that does.
fn doubtful(text: &str) -> Vec<Range<usize>> {
    let mut doubtful = Vec::new();
    let mut is_secret = false;
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        let is_header = is_header(line);
        is_secret = redact::resembles_secret(line) || (is_secret && !is_header);
        if is_secret && !is_header {
            let key = line.split(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '-'))).next().unwrap_or_default();
            let after = line[key.len()..].trim_start_matches([' ', '\t', '=']);
            let shown = if redact::resembles_secret(key) { line.len() - after.len() } else { 0 };
            doubtful.push(start + shown..start + line.len());
        }
        start += line.len();
    }
    doubtful
}

/// Whether a line is a table's header, or was meant to be one.
fn is_header(line: &str) -> bool {
    line.trim_start_matches([' ', '\t']).starts_with('[') && line.contains(char::is_alphabetic) && !line.contains('=')
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
