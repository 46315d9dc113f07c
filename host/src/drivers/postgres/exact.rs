//! Patterns for `pg_dump` that match some relations and no others, short enough for a command line whatever their number.
//!
//! `pg_dump` takes patterns only, and for each it searches the whole catalogue with a regular expression. A pattern for each of
//! five thousand tables takes it a minute. So what stands together in a schema becomes one pattern: where *all* names of a
//! schema are known, a name need only be told from those that must not match, by how it begins (`"log_"*`) or ends (`*[^q]`,
//! which is every name but those of sequences as `serial` names them).
//!
//! A pattern is read as in `psql` (PostgreSQL's documentation, *psql*, section *Patterns*): `*` stands for anything, a dot parts
//! schema and name, within quotation marks nothing has a meaning, and outside `|`, `(`, `)` and `[]` are those of regular
//! expressions.

use std::collections::{BTreeMap, BTreeSet};

/// A pattern that grows longer than this many bytes is better two: the server's compiler of regular expressions takes its time.
const LONGEST: usize = 4000;

/// One relation, and whether it is to match.
#[derive(Clone, Copy, Debug)]
pub(super) struct Named<'a> {
    pub(super) schema: &'a str,
    pub(super) name: &'a str,
    pub(super) matches: bool,
}

/// Patterns that match all relations that are to match, and none of the others that are listed.
pub(super) fn relations<'a>(all: impl IntoIterator<Item = Named<'a>>) -> Vec<String> {
    let mut schemas: BTreeMap<&str, Sides<'a>> = BTreeMap::new();
    for one in all {
        let sides = schemas.entry(one.schema).or_default();
        if one.matches { &mut sides.yes } else { &mut sides.no }.push(one.name);
    }
    // Schemas that are built alike, one per customer say, share their patterns.
    let mut alike: BTreeMap<Vec<String>, Vec<&str>> = BTreeMap::new();
    for (schema, sides) in &schemas {
        alike.entry(names(&sides.yes, &sides.no)).or_default().push(schema);
    }
    let mut patterns = Vec::new();
    for (names, schemas) in alike {
        for some in schemas.chunks(50) {
            let schema = alternatives(some.iter().map(|schema| quoted(schema)).collect());
            patterns.extend(names.iter().map(|name| format!("{schema}.{name}")));
        }
    }
    patterns
}

/// Patterns that match the names of `yes` and none of `no`.
pub(super) fn names(yes: &[&str], no: &[&str]) -> Vec<String> {
    if yes.is_empty() {
        return Vec::new();
    }
    let by = |direction: Direction| {
        let spell = |names: &[&str]| names.iter().map(|name| direction.spell(name)).collect::<Vec<_>>();
        let (mut yes, no) = (spell(yes), spell(no));
        yes.sort();
        direction.tell(&yes, &no.iter().collect::<Vec<_>>(), 0)
    };
    let shorter = [by(Direction::Forward), by(Direction::Backward)].into_iter().min_by_key(String::len).unwrap_or_default();
    if shorter.len() <= LONGEST || yes.len() < 2 {
        return vec![shorter];
    }
    let mut yes = yes.to_vec();
    yes.sort_unstable();
    let (one, other) = yes.split_at(yes.len() / 2);
    [names(one, no), names(other, no)].concat()
}

#[derive(Default)]
struct Sides<'a> {
    yes: Vec<&'a str>,
    no: Vec<&'a str>,
}

/// From which end names are told apart.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Direction {
    Forward,
    Backward,
}

impl Direction {
    /// The characters of a name, in this direction.
    fn spell(self, name: &str) -> Vec<char> {
        match self {
            Self::Forward => name.chars().collect(),
            Self::Backward => name.chars().rev().collect(),
        }
    }

    fn text(self, characters: &[char]) -> String {
        match (characters.is_empty(), self) {
            (true, _) => String::new(),
            (false, Self::Forward) => quoted(&characters.iter().collect::<String>()),
            (false, Self::Backward) => quoted(&characters.iter().rev().collect::<String>()),
        }
    }

    fn join(self, first: String, then: &str) -> String {
        match self {
            Self::Forward => first + then,
            Self::Backward => format!("{then}{first}"),
        }
    }

    /// What tells `yes` from `no`, all of which agree in their first `depth` characters.
    fn tell(self, yes: &[Vec<char>], no: &[&Vec<char>], depth: usize) -> String {
        if no.is_empty() {
            return "*".to_owned();
        }
        let Some(first) = yes.first() else { return String::new() };
        let shared = yes.iter().map(|name| shared(first, name)).min().unwrap_or(depth).max(depth);
        let prefix = self.text(&first[depth..shared]);
        let no: Vec<&Vec<char>> =
            no.iter().copied().filter(|name| name.len() >= shared && name[depth..shared] == first[depth..shared]).collect();
        if no.is_empty() {
            return self.join(prefix, "*");
        }
        let mut branches = Vec::new();
        if yes.iter().any(|name| name.len() == shared) {
            branches.push(String::new());
        }
        let others: BTreeSet<char> = no.iter().filter_map(|name| name.get(shared).copied()).collect();
        let mut groups: BTreeMap<char, Vec<Vec<char>>> = BTreeMap::new();
        for name in yes {
            if let Some(next) = name.get(shared) {
                groups.entry(*next).or_default().push(name.clone());
            }
        }
        // All that goes on with a character with which nothing of `no` does.
        let free = groups.keys().filter(|next| !others.contains(next)).count();
        if free > 1 && others.iter().all(|c| is_plain(*c)) {
            groups.retain(|next, _| others.contains(next));
            let set: String = others.iter().collect();
            branches.push(if set.is_empty() { self.join("?".to_owned(), "*") } else { self.join(format!("[^{set}]"), "*") });
        }
        for (next, group) in groups {
            let no: Vec<&Vec<char>> = no.iter().copied().filter(|name| name.get(shared) == Some(&next)).collect();
            branches.push(if no.is_empty() { self.join(self.text(&[next]), "*") } else { self.tell(&group, &no, shared) });
        }
        self.join(prefix, &alternatives(branches))
    }
}

/// How many characters two names share at their beginning.
fn shared(one: &[char], other: &[char]) -> usize {
    one.iter().zip(other).take_while(|(a, b)| a == b).count()
}

/// What means itself between brackets, also outside quotation marks, where capitals are taken for small letters.
fn is_plain(c: char) -> bool {
    c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_'
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('"', "\"\""))
}

fn alternatives(mut branches: Vec<String>) -> String {
    match branches.len() {
        1 => branches.remove(0),
        _ => format!("({})", branches.join("|")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(yes: &[&str], no: &[&str]) -> Vec<String> {
        names(yes, no)
    }

    #[test]
    fn names_are_told_apart_in_few_words() {
        assert_eq!(told(&["a", "b"], &[]), ["*"], "where there is nothing else, anything will do");
        assert_eq!(told(&["orders", "item", "user"], &["orders_id_seq", "item_id_seq"]), ["*[^q]"]);
        assert_eq!(told(&["log_1", "log_2"], &["orders", "log"]), ["*[^gs]"]);
        assert_eq!(told(&["log_1", "log_2", "log_3"], &["a1", "b2", "c3"]), ["\"log_\"*"]);
        assert_eq!(told(&["only"], &["only_seq"]), ["\"only\""]);
        assert_eq!(told(&[], &["x"]), Vec::<String>::new());
    }

    #[test]
    fn odd_names_are_quoted() {
        assert_eq!(told(&["a\"b"], &["a"]), ["\"a\"\"b\"*"]);
        assert_eq!(told(&["Über.|*"], &["x"]), ["\"Über.|*\"*"]);
    }

    #[test]
    fn schemas_that_are_built_alike_share_a_pattern() {
        let named = |schema, name, matches| Named { schema, name, matches };
        let all =
            [named("a", "t", true), named("a", "t_seq", false), named("b", "t", true), named("b", "t_seq", false), named("c", "u", true)];
        assert_eq!(relations(all), ["(\"a\"|\"b\").\"t\"", "\"c\".*"]);
    }

    /// What a pattern means, as `psql` has it: a regular expression over the whole name.
    fn matches(pattern: &str, name: &str) -> bool {
        let (mut expression, mut is_quoted) = (String::new(), false);
        let mut characters = pattern.chars().peekable();
        while let Some(c) = characters.next() {
            match c {
                '"' if is_quoted && characters.peek() == Some(&'"') => {
                    characters.next();
                    expression.push('"');
                }
                '"' => is_quoted = !is_quoted,
                '*' if !is_quoted => expression.push_str(".*"),
                '?' if !is_quoted => expression.push('.'),
                c if is_quoted => expression.push_str(&regex::escape(&c.to_string())),
                c => expression.push(c),
            }
        }
        regex::Regex::new(&format!("^({expression})$")).expect("a regular expression").is_match(name)
    }

    #[test]
    fn patterns_are_exact_whatever_the_names() {
        let mut state: u64 = 42;
        let mut random = |below: u64| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) % below
        };
        const ALPHABET: &[char] = &['a', 'b', 'q', '_', '1', 'A', 'ü', '.', '*', '"', '|', '('];
        for round in 0..300 {
            let mut all: Vec<String> =
                (0..2 + random(30)).map(|_| (0..1 + random(6)).map(|_| ALPHABET[random(12) as usize]).collect()).collect();
            all.sort();
            all.dedup();
            let (yes, no): (Vec<&str>, Vec<&str>) = all.iter().map(String::as_str).partition(|_| random(2) == 0);
            let patterns = names(&yes, &no);
            for name in &all {
                let found = patterns.iter().any(|pattern| matches(pattern, name));
                assert_eq!(found, yes.contains(&name.as_str()), "round {round}: `{name}` against {patterns:?}");
            }
        }
    }
}
