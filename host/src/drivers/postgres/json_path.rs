//! The way to a value inside a JSON column, and the SQL that goes it.
//!
//! A path is written as everywhere in links (`$`, `.key`, `."any key"`, `[0]`, `[#-1]` from the end, `[*]` for every element of
//! an array). It becomes PostgreSQL's `->` steps, which find nothing where a document is of another shape, and never fail.

use std::fmt::Write;

use super::session::literal;
use crate::error::{Error, ErrorKind, Result};

/// One step.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    Key(String),
    /// An element of an array; from the end where it is negative.
    Index(i32),
    Every,
}

/// A path.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct JsonPath(Vec<Step>);

impl JsonPath {
    /// Reads a path.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidConfig`] where it is none.
    pub(super) fn parse(text: &str) -> Result<Self> {
        let wrong = |why: &str| {
            Error::new(ErrorKind::InvalidConfig, format!("`{text}` is no JSON path: {why}"))
                .hint("write it as in `$.image.path`, `$.photos[0]` or `$.photos[*].file`")
        };
        let mut rest = text.strip_prefix('$').ok_or_else(|| wrong("it does not begin with `$`"))?;
        let mut steps = Vec::new();
        while !rest.is_empty() {
            let (step, length) = step(rest).map_err(wrong)?;
            steps.push(step);
            rest = &rest[length..];
        }
        Ok(Self(steps))
    }

    /// The expression of the value as text, and the joins that it needs, where `document` is the expression of the JSON.
    pub(super) fn expression(&self, document: &str) -> (String, String) {
        let mut joins = String::new();
        let mut value = format!("({document})");
        for (number, step) in self.0.iter().enumerate() {
            match step {
                Step::Key(key) => {
                    let _ = write!(value, " -> {}::text", literal(key));
                }
                Step::Index(index) => {
                    let _ = write!(value, " -> ({index})");
                }
                Step::Every => {
                    let array = format!("CASE jsonb_typeof({value}) WHEN 'array' THEN {value} END");
                    let _ = write!(joins, " CROSS JOIN LATERAL jsonb_array_elements({array}) AS link_each{number}(item)");
                    value = format!("link_each{number}.item");
                }
            }
        }
        (format!("({value}) #>> '{{}}'"), joins)
    }
}

/// The first step of a path, and its length.
fn step(rest: &str) -> Result<(Step, usize), &'static str> {
    if rest.starts_with("[*]") {
        return Ok((Step::Every, 3));
    }
    if let Some(quoted) = rest.strip_prefix(".\"") {
        let end = quoted.find('"').ok_or("a quotation mark is not closed")?;
        return Ok((Step::Key(quoted[..end].to_owned()), end + 3));
    }
    if let Some(key) = rest.strip_prefix('.') {
        return match key.find(['.', '[']).unwrap_or(key.len()) {
            0 => Err("a key is empty"),
            length => Ok((Step::Key(key[..length].to_owned()), length + 1)),
        };
    }
    let index = rest.strip_prefix('[').ok_or("a step begins with neither `.` nor `[`")?;
    let end = index.find(']').ok_or("a bracket is not closed")?;
    let (sign, digits) = match index[..end].strip_prefix("#-") {
        Some(digits) => (-1, digits),
        None => (1, &index[..end]),
    };
    let number = if digits.bytes().all(|byte| byte.is_ascii_digit()) { digits.parse::<i32>().ok() } else { None };
    let number = number.filter(|number| sign > 0 || *number > 0).ok_or("between brackets stands `*`, a number or `#-` and a number")?;
    Ok((Step::Index(sign * number), end + 2))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_becomes_steps() {
        let key = |text: &str| Step::Key(text.into());
        let path = JsonPath::parse("$.a[0].\"b[*].c\"[#-1][*].d").expect("a path");
        assert_eq!(path.0, [key("a"), Step::Index(0), key("b[*].c"), Step::Index(-1), Step::Every, key("d")]);
        assert_eq!(JsonPath::parse("$").expect("a path").expression("doc").0, "((doc)) #>> '{}'");
    }

    #[test]
    fn what_is_no_path_is_refused() {
        for text in ["", "image", "$image", "$.", "$..a", "$.a[", "$.a[x]", "$.a[]", "$.\"a", "$[-1]", "$[#-0]"] {
            let error = JsonPath::parse(text).expect_err(text);
            assert_eq!(error.kind(), ErrorKind::InvalidConfig, "{text}");
        }
    }
}
