//! Globs as SCAN has them, for the keys of an archive: the server matches only those that it holds.

/// Whether a key matches a pattern: `*`, `?`, `[a-z]`, `[^a]`, and `\` before what is meant as it is.
pub(crate) fn matches(mut pattern: &[u8], mut key: &[u8]) -> bool {
    // What follows the last `*`, and the key from where that was tried.
    let mut star: Option<(&[u8], &[u8])> = None;
    while let Some((byte, rest)) = key.split_first() {
        if let Some(after) = pattern.strip_prefix(b"*") {
            star = Some((after, key));
            pattern = after;
        } else if let Some(after) = element(pattern, *byte) {
            (pattern, key) = (after, rest);
        } else if let Some((after, tried)) = star {
            // The `*` takes one byte more.
            (pattern, key) = (after, &tried[1..]);
            star = Some((after, key));
        } else {
            return false;
        }
    }
    pattern.iter().all(|byte| *byte == b'*')
}

/// What follows the pattern's first element, if that matches this byte.
fn element(pattern: &[u8], byte: u8) -> Option<&[u8]> {
    let (is_match, after) = match pattern {
        [] => return None,
        [b'?', after @ ..] => (true, after),
        [b'[', b'^', class @ ..] => {
            let (is_in, after) = in_class(class, byte);
            (!is_in, after)
        }
        [b'[', class @ ..] => in_class(class, byte),
        [b'\\', one, after @ ..] | [one, after @ ..] => (*one == byte, after),
    };
    is_match.then_some(after)
}

/// Whether a byte is in a class, and what follows it. One without an end goes to the end of the pattern.
fn in_class(mut class: &[u8], byte: u8) -> (bool, &[u8]) {
    let mut is_in = false;
    loop {
        class = match class {
            [] => return (is_in, class),
            [b'\\', one, after @ ..] => {
                is_in |= *one == byte;
                after
            }
            [b']', after @ ..] => return (is_in, after),
            [one, b'-', other, after @ ..] => {
                is_in |= (*one.min(other)..=*one.max(other)).contains(&byte);
                after
            }
            [one, after @ ..] => {
                is_in |= *one == byte;
                after
            }
        };
    }
}
