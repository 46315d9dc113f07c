//! Patterns that name tables (`public.orders`, `*.log_*`) and schemas (`audit`), as `include` and `exclude` have them.

use globset::{GlobBuilder, GlobMatcher};

/// One pattern. With a dot it names relations: the part before the first dot is for the schema, the rest for the name. Without,
/// it names schemas, with all that is in them.
#[derive(Clone, Debug)]
pub(super) struct Pattern {
    text: String,
    schema: GlobMatcher,
    name: Option<GlobMatcher>,
}

impl Pattern {
    /// Reads a pattern: `*`, `?`, `[abc]` and `{a,b}` as in a shell; a backslash takes a character's meaning away.
    ///
    /// # Errors
    /// A sentence that says what is wrong with it.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let (schema, name) = match text.split_once('.') {
            Some((schema, name)) => (schema, Some(name)),
            None => (text, None),
        };
        if schema.is_empty() || name == Some("") {
            return Err(format!("`{text}` is no pattern: write `schema.table` or `schema`"));
        }
        let glob = |part: &str| {
            let built = GlobBuilder::new(part).backslash_escape(true).build();
            built.map(|glob| glob.compile_matcher()).map_err(|why| format!("`{text}` is no pattern: {}", why.kind()))
        };
        Ok(Self { text: text.to_owned(), schema: glob(schema)?, name: name.map(glob).transpose()? })
    }

    /// Whether it names this schema, as a whole.
    pub(super) fn matches_schema(&self, schema: &str) -> bool {
        self.name.is_none() && self.schema.is_match(schema)
    }

    /// Whether it names this relation, by itself or with its schema.
    pub(super) fn matches(&self, schema: &str, name: &str) -> bool {
        self.schema.is_match(schema) && self.name.as_ref().is_none_or(|glob| glob.is_match(name))
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Pattern {}

impl std::fmt::Display for Pattern {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern(text: &str) -> Pattern {
        Pattern::parse(text).expect("a pattern")
    }

    #[test]
    fn a_dot_tells_relations_from_schemas() {
        assert!(pattern("public.orders").matches("public", "orders"));
        assert!(!pattern("public.orders").matches("public", "orders2") && !pattern("public.orders").matches("audit", "orders"));
        assert!(pattern("*.log_*").matches("audit", "log_2026") && !pattern("*.log_*").matches("audit", "logs"));
        assert!(pattern("audit").matches("audit", "anything") && pattern("audit").matches_schema("audit"));
        assert!(!pattern("audit.*").matches_schema("audit") && pattern("audit.*").matches("audit", "x.y"));
        assert!(pattern("p*.Über?").matches("public", "Übers"));
    }

    #[test]
    fn what_is_no_pattern_is_refused() {
        for text in ["", ".", "public.", ".orders", "public.[", "{a"] {
            assert!(Pattern::parse(text).is_err(), "{text}");
        }
    }
}
