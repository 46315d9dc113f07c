//! The SQL that goes a way to a value inside a JSON column: PostgreSQL's `->` steps, which find nothing where a document is of
//! another shape, and never fail.

use std::fmt::Write;

use super::session::literal;
use crate::json_path::Step;

/// The expression of the value as text, and the joins that it needs, where `document` is the expression of the JSON.
pub(super) fn expression(path: &[Step], document: &str) -> (String, String) {
    let mut joins = String::new();
    let mut value = format!("({document})");
    for (number, step) in path.iter().enumerate() {
        match step {
            Step::Key(key) => {
                let _ = write!(value, " -> {}::text", literal(key));
            }
            Step::Index(index) => {
                let _ = write!(value, " -> ({index})");
            }
            Step::FromEnd(index) => {
                let _ = write!(value, " -> (-{index})");
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json_path::parse;

    #[test]
    fn a_path_becomes_an_expression() {
        let sql = |path: &str| expression(&parse(path).expect("a path"), "doc");
        assert_eq!(sql("$"), ("((doc)) #>> '{}'".to_owned(), String::new()));
        assert_eq!(sql("$.a[0].\"it's\"[#-1]").0, "((doc) -> 'a'::text -> (0) -> 'it''s'::text -> (-1)) #>> '{}'");
        let (value, joins) = sql("$.a[*].b");
        assert_eq!(value, "(link_each1.item -> 'b'::text) #>> '{}'");
        assert!(joins.contains("jsonb_array_elements(CASE jsonb_typeof((doc) -> 'a'::text) WHEN 'array'"), "{joins}");
    }
}
