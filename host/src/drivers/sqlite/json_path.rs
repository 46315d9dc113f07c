//! The SQL that goes a way to a value inside a JSON column: SQLite's own paths, cut at each `[*]`, which it does not know.

use std::fmt::Write;

use crate::json_path::Step;

/// The expression of the value, and the joins that it needs, where `document` is the expression of the JSON.
pub(super) fn expression(path: &[Step], document: &str) -> (String, String) {
    let pieces = pieces(path);
    let (last, each) = pieces.split_last().map_or(("$", [].as_slice()), |(last, each)| (last.as_str(), each));
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

/// The paths between the `[*]`; each begins with `$`.
fn pieces(path: &[Step]) -> Vec<String> {
    let piece = |steps: &[Step]| {
        steps.iter().fold("$".to_owned(), |path, step| match step {
            // Only a key without quotation marks can stand between them; what else is left needs none.
            Step::Key(key) if key.contains('"') => format!("{path}.{key}"),
            Step::Key(key) => format!("{path}.\"{key}\""),
            Step::Index(index) => format!("{path}[{index}]"),
            Step::FromEnd(index) => format!("{path}[#-{index}]"),
            Step::Every => path,
        })
    };
    path.split(|step| *step == Step::Every).map(piece).collect()
}

fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json_path::parse;

    #[test]
    fn a_path_is_cut_where_every_element_is_meant() {
        let pieces = |text: &str| pieces(&parse(text).expect("a path"));
        assert_eq!(pieces("$"), ["$"]);
        assert_eq!(pieces("$.image.path"), ["$.\"image\".\"path\""]);
        assert_eq!(pieces("$.photos[*].file"), ["$.\"photos\"", "$.\"file\""]);
        assert_eq!(pieces("$[*][*]"), ["$", "$", "$"]);
        assert_eq!(pieces("$.a[0].\"b[*].c\"[#-1]"), ["$.\"a\"[0].\"b[*].c\"[#-1]"], "quoted, it is a key");
        assert_eq!(pieces("$.a\"b.c"), ["$.a\"b.\"c\""]);
    }
}
