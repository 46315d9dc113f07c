//! Text for people as lines of spans: what it says and how it looks, before it is known where it goes.
//!
//! Names and messages come from archives, drivers and file systems: whatever in them would steer a terminal or break a line
//! is escaped as it enters a line.

use std::fmt::Write as _;

use console::{Style, measure_text_width};

/// How a span looks where colours are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cli) enum Look {
    /// As it is.
    Plain,
    /// What the eye should find first.
    Strong,
    /// What may be passed over.
    Faint,
    /// All is well.
    Good,
    /// Something to look at.
    Warning,
    /// Something failed.
    Bad,
    /// What to do.
    Hint,
}

impl Look {
    fn style(self) -> Style {
        let style = Style::new().force_styling(true);
        match self {
            Self::Plain => style,
            Self::Strong => style.bold(),
            Self::Faint => style.dim(),
            Self::Good => style.green(),
            Self::Warning => style.yellow().bold(),
            Self::Bad => style.red().bold(),
            Self::Hint => style.cyan().bold(),
        }
    }
}

/// One line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::cli) struct Line {
    spans: Vec<(Look, String)>,
}

impl Line {
    /// An empty line.
    pub(in crate::cli) fn new() -> Self {
        Self::default()
    }

    /// A line of plain text.
    pub(in crate::cli) fn plain(text: impl AsRef<str>) -> Self {
        Self::new().then(text)
    }

    /// A line that begins with this look.
    pub(in crate::cli) fn looking(look: Look, text: impl AsRef<str>) -> Self {
        Self::new().look(look, text)
    }

    /// Adds plain text.
    #[must_use]
    pub(in crate::cli) fn then(self, text: impl AsRef<str>) -> Self {
        self.look(Look::Plain, text)
    }

    /// Adds text of this look.
    #[must_use]
    pub(in crate::cli) fn look(mut self, look: Look, text: impl AsRef<str>) -> Self {
        self.spans.push((look, escape(text.as_ref())));
        self
    }

    /// Adds all of another line.
    #[must_use]
    pub(in crate::cli) fn join(mut self, other: Line) -> Self {
        self.spans.extend(other.spans);
        self
    }

    /// How many columns of a terminal it takes.
    pub(in crate::cli) fn width(&self) -> usize {
        self.spans.iter().map(|(_, text)| measure_text_width(text)).sum()
    }

    /// The line as it is written, each span through `clean` first.
    pub(in crate::cli) fn render(&self, colour: bool, clean: &dyn Fn(&str) -> String) -> String {
        let mut out = String::new();
        for (look, text) in &self.spans {
            let text = clean(text);
            if colour && *look != Look::Plain {
                let _always_works = write!(out, "{}", look.style().apply_to(text));
            } else {
                out.push_str(&text);
            }
        }
        out.truncate(out.trim_end_matches(' ').len());
        out
    }
}

/// The text with control characters escaped, so that it stays on its line and steers no terminal. The marks that turn the
/// direction of writing count as such.
fn escape(text: &str) -> String {
    let steers = |c: char| c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}');
    if !text.contains(steers) {
        return text.to_owned();
    }
    text.chars().fold(String::with_capacity(text.len() + 8), |mut out, c| {
        if steers(c) {
            out.extend(c.escape_default())
        } else {
            out.push(c)
        }
        out
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(line: &Line, colour: bool) -> String {
        line.render(colour, &|text| text.replace("hunter2", "***"))
    }

    #[test]
    fn names_cannot_steer_the_terminal() {
        let line = Line::plain("a\x1b[2Jb\nc\u{202e}d");
        assert_eq!(shown(&line, false), "a\\u{1b}[2Jb\\nc\\u{202e}d");
    }

    #[test]
    fn looks_are_shown_only_in_colour_and_secrets_never() {
        let line = Line::looking(Look::Bad, "error").then(": hunter2");
        assert_eq!(shown(&line, false), "error: ***");
        assert_eq!(shown(&line, true), "\x1b[31m\x1b[1merror\x1b[0m: ***");
    }

    #[test]
    fn width_is_what_a_terminal_shows() {
        assert_eq!(Line::plain("写真").look(Look::Bad, "é").width(), 5);
    }
}
