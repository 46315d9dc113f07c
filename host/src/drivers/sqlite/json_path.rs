//! The way to a value inside a JSON column, and the SQL that goes it.
//!
//! A path is SQLite's own (<https://www.sqlite.org/json1.html>, section 2.6: `$`, `.key`, `."key"`, `[0]`, `[#-1]`), and
//! `[*]` wherever every element of an array is meant.

use std::fmt::Write;

use crate::error::{Error, ErrorKind, Result};

/// A path, cut at each `[*]`.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct JsonPath {
    /// The pieces between; each begins with `$`.
    pieces: Vec<String>,
}

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
        let mut pieces = vec!["$".to_owned()];
        while !rest.is_empty() {
            if let Some(after) = rest.strip_prefix("[*]") {
                pieces.push("$".to_owned());
                rest = after;
                continue;
            }
            let length = step(rest).map_err(wrong)?;
            if let Some(piece) = pieces.last_mut() {
                piece.push_str(&rest[..length]);
            }
            rest = &rest[length..];
        }
        Ok(Self { pieces })
    }

    /// The expression of the value, and the joins that it needs, where `document` is the expression of the JSON.
    pub(super) fn expression(&self, document: &str) -> (String, String) {
        let (last, each) = self.pieces.split_last().map_or(("$", [].as_slice()), |(last, each)| (last.as_str(), each));
        let mut joins = String::new();
        let mut document = document.to_owned();
        for (number, piece) in each.iter().enumerate() {
            // Of an object, `json_each` gives the members; `[*]` is for arrays alone.
            let _ = write!(
                joins,
                " JOIN json_each(CASE json_type({document}, {path}) WHEN 'array' THEN {document} END, {path}) AS link_each{number}",
                path = literal(piece)
            );
            document = format!("CASE WHEN link_each{number}.type IN ('object', 'array') THEN link_each{number}.value END");
        }
        match each.len().checked_sub(1) {
            Some(number) if last == "$" => (format!("link_each{number}.value"), joins),
            _ => (format!("json_extract({document}, {})", literal(last)), joins),
        }
    }
}

/// The length of the first step of a path: `.key`, `."any key"`, `[0]`, `[#-1]`.
fn step(rest: &str) -> Result<usize, &'static str> {
    if let Some(quoted) = rest.strip_prefix(".\"") {
        return quoted.find('"').map(|end| end + 3).ok_or("a quotation mark is not closed");
    }
    if let Some(key) = rest.strip_prefix('.') {
        return match key.find(['.', '[']).unwrap_or(key.len()) {
            0 => Err("a key is empty"),
            length => Ok(length + 1),
        };
    }
    let index = rest.strip_prefix('[').ok_or("a step begins with neither `.` nor `[`")?;
    let end = index.find(']').ok_or("a bracket is not closed")?;
    let digits = index[..end].strip_prefix("#-").unwrap_or(&index[..end]);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err("between brackets stands `*`, a number or `#-` and a number");
    }
    Ok(end + 2)
}

fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pieces(text: &str) -> Vec<String> {
        JsonPath::parse(text).expect("a path").pieces
    }

    #[test]
    fn a_path_is_cut_where_every_element_is_meant() {
        assert_eq!(pieces("$"), ["$"]);
        assert_eq!(pieces("$.image.path"), ["$.image.path"]);
        assert_eq!(pieces("$.photos[*].file"), ["$.photos", "$.file"]);
        assert_eq!(pieces("$[*][*]"), ["$", "$", "$"]);
        assert_eq!(pieces("$.a[0].\"b[*].c\"[#-1]"), ["$.a[0].\"b[*].c\"[#-1]"], "quoted, it is a key");
    }

    #[test]
    fn what_is_no_path_is_refused() {
        for text in ["", "image", "$image", "$.", "$..a", "$.a[", "$.a[x]", "$.a[]", "$.\"a", "$[-1]"] {
            let error = JsonPath::parse(text).expect_err(text);
            assert_eq!(error.kind(), ErrorKind::InvalidConfig, "{text}");
        }
    }
}
