//! The grammar of a path into a JSON value, as a link's `json` is written: the one reading of it, for the configuration that
//! checks it and for the drivers that make SQL of its steps.
//!
//! `$`, then any number of `.key`, `."any key"`, `[0]`, `[#-1]` (from the end) and `[*]` (every element of an array). But for
//! `[*]` it is SQLite's (<https://www.sqlite.org/json1.html>, section 3.3, *Path Arguments*).

use crate::error::{Error, ErrorKind, Result};

/// One step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// A member of an object.
    Key(String),
    /// An element of an array, the first is 0.
    Index(u32),
    /// An element of an array from its end, the last is 1.
    FromEnd(u32),
    /// Every element of an array.
    Every,
}

/// The highest number of an element: what databases hold as a signed number.
const HIGHEST: u32 = i32::MAX.unsigned_abs();

/// Reads a path.
///
/// # Errors
/// [`ErrorKind::InvalidConfig`] where it is none; the message shows it, and says why.
pub(crate) fn parse(text: &str) -> Result<Vec<Step>> {
    let wrong = |why: &str| {
        let message = format!("`{}` is no path into a JSON value: {why}", text.escape_debug());
        Error::new(ErrorKind::InvalidConfig, message).hint("write it as in `$.image.path`, `$.photos[0]` or `$.photos[*].file`")
    };
    let mut rest = text.strip_prefix('$').ok_or_else(|| wrong("it does not begin with `$`"))?;
    let mut steps = Vec::new();
    while !rest.is_empty() {
        let (step, after) = step(rest).map_err(wrong)?;
        steps.push(step);
        rest = after;
    }
    Ok(steps)
}

/// The first step of what is left of a path, and what follows it.
fn step(rest: &str) -> Result<(Step, &str), &'static str> {
    if let Some(quoted) = rest.strip_prefix(".\"") {
        let (key, after) = quoted.split_once('"').ok_or("a quotation mark is not closed")?;
        return Ok((Step::Key(key.to_owned()), after));
    }
    if let Some(key) = rest.strip_prefix('.') {
        let (key, after) = key.split_at(key.find(['.', '[']).unwrap_or(key.len()));
        return if key.is_empty() { Err("a key is empty") } else { Ok((Step::Key(key.to_owned()), after)) };
    }
    let index = rest.strip_prefix('[').ok_or("a step begins with neither `.` nor `[`")?;
    let (index, after) = index.split_once(']').ok_or("a bracket is not closed")?;
    if index == "*" {
        return Ok((Step::Every, after));
    }
    let (digits, is_from_end) = index.strip_prefix("#-").map_or((index, false), |digits| (digits, true));
    // Not by `parse` alone, which takes a sign.
    let number = digits.parse().ok().filter(|number| digits.bytes().all(|byte| byte.is_ascii_digit()) && *number <= HIGHEST);
    match (number, is_from_end) {
        (Some(number), false) => Ok((Step::Index(number), after)),
        (Some(number), true) if number > 0 => Ok((Step::FromEnd(number), after)),
        _ => Err("between brackets stands `*`, a number, or `#-` and a number from 1"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_becomes_steps() {
        let key = |text: &str| Step::Key(text.into());
        assert_eq!(parse("$").expect("a path"), []);
        assert_eq!(parse("$.image.path").expect("a path"), [key("image"), key("path")]);
        let steps = parse("$.a[0].\"b[*].c\"[#-1][*].d").expect("a path");
        assert_eq!(steps, [key("a"), Step::Index(0), key("b[*].c"), Step::FromEnd(1), Step::Every, key("d")], "quoted, it is a key");
    }

    #[test]
    fn what_is_no_path_is_refused() {
        const NONE: [&str; 16] = [
            "",
            "image",
            "$image",
            "$.",
            "$..a",
            "$.a[",
            "$.a[x]",
            "$.a[]",
            "$.\"a",
            "$.\"a\"b",
            "$[-1]",
            "$[+1]",
            "$[#-0]",
            "$[#-]",
            "$[*",
            "$[2147483648]",
        ];
        for text in NONE {
            let error = parse(text).expect_err(text);
            assert_eq!(error.kind(), ErrorKind::InvalidConfig, "{text}");
        }
    }
}
