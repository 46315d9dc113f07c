//! How failures, findings and warnings read: what failed, why, all details, what to do.

use super::text::{Line, Look};
use super::units::things;
use crate::archive::manifest::LinkRecord;
use crate::drivers::{Finding, FindingKind};
use crate::engine::event::Failure;
use crate::error::Error;

/// The lines of a failure. No detail is left out: "every unreadable file" is meant literally.
pub(in crate::cli) fn failure(failure: &Failure) -> Vec<Line> {
    let message = failure.to_string();
    let mut lines = marked(Look::Bad, "error", &message);
    lines.extend(failure.context.iter().map(|(key, value)| Line::looking(Look::Faint, format!("  {key}: ")).then(value)));
    lines.extend(failure.hint.iter().flat_map(|hint| marked(Look::Hint, "hint", hint)));
    lines
}

/// An error that belongs to no set, as a failure.
pub(in crate::cli) fn from_error(error: &Error) -> Failure {
    Failure {
        set: None,
        driver: None,
        moment: None,
        kind: error.kind(),
        message: error.message().to_owned(),
        hint: error.advice().map(str::to_owned),
        context: error.context().to_vec(),
    }
}

/// The line of a finding.
pub(in crate::cli) fn finding(finding: &Finding) -> Line {
    let line = Line::looking(Look::Warning, "finding").then(": ").look(Look::Strong, finding.set.as_str());
    let line = line.then(format!(": {}", kind(finding.kind)));
    let line = if finding.name.is_empty() { line } else { line.then(format!(" `{}`", finding.name)) };
    if finding.message.is_empty() { line } else { line.then(format!(": {}", finding.message)) }
}

/// The line of a link of which more names dangle than are named, each as a finding.
pub(super) fn unnamed(link: &LinkRecord) -> Option<Line> {
    let LinkRecord { from, column, to, check, .. } = link;
    let more = check.dangling.saturating_sub(check.dangling_names.len() as u64);
    let text = format!(": dangling: `{column}` names {} that `{to}` does not have", things(more, "more entry", "more entries"));
    (more > 0).then(|| Line::looking(Look::Warning, "finding").then(": ").look(Look::Strong, from.as_str()).then(text))
}

/// A marked text, such as `warning: …`; a text of several lines goes on below.
pub(in crate::cli) fn marked(look: Look, mark: &str, text: &str) -> Vec<Line> {
    let mut texts = text.lines();
    let first = Line::looking(look, mark).then(": ").then(texts.next().unwrap_or_default());
    std::iter::once(first).chain(texts.map(Line::plain)).collect()
}

/// One word for a kind of finding, as a sentence about its name begins.
pub(in crate::cli) fn kind(kind: FindingKind) -> &'static str {
    match kind {
        FindingKind::Vanished => "vanished",
        FindingKind::Changed => "changed",
        FindingKind::Skipped => "skipped",
        FindingKind::Dangling => "dangling",
        FindingKind::AfterFailed => "failed afterwards",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::event::Moment;
    use crate::error::ErrorKind;
    use crate::name::SetPath;

    fn shown(lines: &[Line]) -> String {
        lines.iter().map(|line| line.render(false, &str::to_owned) + "\n").collect()
    }

    #[test]
    fn a_failure_says_what_failed_why_all_details_and_what_to_do() {
        let error = Error::new(ErrorKind::PermissionDenied, "2 files cannot be read")
            .with("file", "a\nb.jpg")
            .with("file", "c.jpg")
            .hint("set `unreadable = \"skip\"` to go on without them");
        let failed = Failure {
            set: Some(SetPath::parse("state/keys").unwrap()),
            driver: Some("filesystem".into()),
            moment: Some(Moment::BeforeDump),
            ..from_error(&error)
        };
        let expected = "error: state/keys (filesystem, before_dump): 2 files cannot be read\n  file: a\\nb.jpg\n  file: c.jpg\n\
                        hint: set `unreadable = \"skip\"` to go on without them\n";
        assert_eq!(shown(&failure(&failed)), expected);
    }

    #[test]
    fn a_finding_names_what_it_is_about() {
        let found = Finding {
            set: SetPath::parse("media").unwrap(),
            kind: FindingKind::Vanished,
            name: "a b.jpg".into(),
            message: "it was listed, and gone when it was to be copied".into(),
        };
        assert_eq!(shown(&[finding(&found)]), "finding: media: vanished `a b.jpg`: it was listed, and gone when it was to be copied\n");
    }
}
