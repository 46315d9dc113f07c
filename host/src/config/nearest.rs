//! The nearest right word for a misspelt one.

/// The word of `known` that `word` was probably meant to be: at most a third of its letters away, at least one letter.
pub fn nearest<'k>(word: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    let lower = word.to_lowercase();
    known
        .into_iter()
        .filter(|candidate| *candidate != word)
        .map(|candidate| (strsim::damerau_levenshtein(&lower, &candidate.to_lowercase()), candidate))
        .filter(|(distance, candidate)| *distance <= (word.chars().count().max(candidate.chars().count()) / 3).max(1))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_word_finds_its_neighbour_and_a_strange_one_none() {
        let known = ["path", "include", "exclude", "unreadable"];
        assert_eq!(nearest("pth", known), Some("path"));
        assert_eq!(nearest("Include", known), Some("include"));
        assert_eq!(nearest("exlcude", known), Some("exclude"));
        assert_eq!(nearest("compression", known), None);
        assert_eq!(nearest("x", known), None);
    }
}
