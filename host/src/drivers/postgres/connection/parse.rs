//! The two spellings of a connection in one string, as libpq reads them: the URL and the list of `key = value`.
//!
//! Defined in PostgreSQL's documentation, chapter *libpq*, section *Connection Strings*. What the keys mean is not known here.

use std::fmt;

/// The schemes of a URL that libpq reads.
pub(in crate::drivers::postgres) const SCHEMES: &[&str] = &["postgres", "postgresql"];

/// Keys and values in the order in which they stand; of a key that is given twice, the last counts.
pub(super) type Pairs = Vec<(String, String)>;

/// Why a string cannot be read. Shows nothing of the string but names of keys, since it may hold a password anywhere.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Unreadable(String);

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn unreadable<T>(why: impl Into<String>) -> Result<T, Unreadable> {
    Err(Unreadable(why.into()))
}

/// Reads a connection in either spelling.
pub(super) fn connection(text: &str) -> Result<Pairs, Unreadable> {
    if let Some((scheme, rest)) = text.split_once("://") {
        if SCHEMES.contains(&scheme) {
            return url(rest);
        }
        if !scheme.is_empty() && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-._".contains(&byte)) {
            return unreadable(format!("`{scheme}:` is not the scheme of a PostgreSQL database"));
        }
    }
    if text.contains('=') {
        return key_values(text);
    }
    unreadable("this is neither a URL (`postgres://…`) nor a list of keys and values (`host=… dbname=…`)")
}

/// `[user[:password]@][host][:port][,…][/dbname][?key=value[&…]]`, each part percent-encoded.
fn url(text: &str) -> Result<Pairs, Unreadable> {
    let read = parts(text);
    let has_odd_host = |pairs: &Pairs| pairs.iter().any(|(key, value)| key == "host" && value.contains('@'));
    // A password that holds one of these ends there, and what follows would be taken for a host, and shown as one.
    let may_be_cut = text.find(['@', '/']) < text.rfind('@');
    if may_be_cut && read.as_ref().map_or(true, has_odd_host) {
        return unreadable("the user or password holds `@` or `/` as it is: write `%40` or `%2F`");
    }
    read
}

fn parts(text: &str) -> Result<Pairs, Unreadable> {
    let mut pairs = Pairs::new();
    let mut push = |key: &str, value: String| {
        if !value.is_empty() {
            pairs.push((key.to_owned(), value));
        }
    };
    let (user, rest) = match text.find(['@', '/']) {
        Some(at) if text.as_bytes()[at] == b'@' => (&text[..at], &text[at + 1..]),
        _ => ("", text),
    };
    let (user, password) = user.split_once(':').unwrap_or((user, ""));
    push("user", decode(user, "user")?);
    push("password", decode(password, "password")?);
    let (rest, query) = rest.split_once('?').map_or((rest, None), |(rest, query)| (rest, Some(query)));
    let (authority, dbname) = rest.split_once('/').unwrap_or((rest, ""));
    let (hosts, ports) = hosts(authority)?;
    push("host", decode(&hosts, "host")?);
    push("port", decode(&ports, "port")?);
    push("dbname", decode(dbname, "dbname")?);
    if let Some(query) = query {
        pairs.extend(parameters(query)?);
    }
    Ok(pairs)
}

/// The hosts of a URL and their ports, each joined by commas again: none is as many commas as others.
fn hosts(authority: &str) -> Result<(String, String), Unreadable> {
    let (mut hosts, mut ports) = (Vec::new(), Vec::new());
    for one in authority.split(',') {
        let (host, port) = match one.strip_prefix('[') {
            Some(rest) => {
                let Some((host, port)) = rest.split_once(']') else {
                    return unreadable("an IPv6 address lacks its `]`");
                };
                if host.is_empty() {
                    return unreadable("an IPv6 address between `[` and `]` is empty");
                }
                if !port.is_empty() && !port.starts_with(':') {
                    return unreadable("after an IPv6 address only `:`, `/`, `?` or `,` may follow");
                }
                (host, port.strip_prefix(':').unwrap_or(""))
            }
            None => one.split_once(':').unwrap_or((one, "")),
        };
        hosts.push(host);
        ports.push(port);
    }
    let joined = |list: Vec<&str>| if list.iter().all(|one| one.is_empty()) { String::new() } else { list.join(",") };
    Ok((joined(hosts), joined(ports)))
}

/// What follows the `?`. `ssl=true` is JDBC's and means `sslmode=require`.
fn parameters(query: &str) -> Result<Pairs, Unreadable> {
    let mut pairs = Pairs::new();
    for parameter in query.split('&').filter(|parameter| !parameter.is_empty()) {
        let Some((key, value)) = parameter.split_once('=') else {
            return unreadable(format!("the parameter `{}` has no `=`", parameter.escape_debug()));
        };
        if value.contains('=') {
            return unreadable(format!("the parameter `{}` has more than one `=`: write `%3D` inside its value", key.escape_debug()));
        }
        let key = decode(key, "a parameter's name")?;
        let value = decode(value, &key)?;
        pairs.push(if key == "ssl" && value == "true" { ("sslmode".into(), "require".into()) } else { (key, value) });
    }
    Ok(pairs)
}

/// Percent-decodes one part of a URL.
fn decode(text: &str, part: &str) -> Result<String, Unreadable> {
    let part = part.escape_debug();
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        if *first != b'%' {
            bytes.push(*first);
            rest = tail;
            continue;
        }
        let digits = tail.get(..2).and_then(|digits| std::str::from_utf8(digits).ok()).filter(|digits| !digits.starts_with('+'));
        match digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            None => return unreadable(format!("`%` in `{part}` is not followed by two hexadecimal digits: write `%25` for `%` itself")),
            Some(0) => return unreadable(format!("`{part}` holds `%00`")),
            Some(byte) => bytes.push(byte),
        }
        rest = &tail[2..];
    }
    String::from_utf8(bytes).or_else(|_| unreadable(format!("`{part}` is not UTF-8 when decoded")))
}

/// `key = value …`: values in single quotes where they are empty or hold spaces, `'` and `\` after a `\`.
pub(super) fn key_values(text: &str) -> Result<Pairs, Unreadable> {
    let mut pairs = Pairs::new();
    let mut rest = text.trim_start_matches(is_space);
    while !rest.is_empty() {
        let end = rest.find(|c| c == '=' || is_space(c)).unwrap_or(rest.len());
        let key = &rest[..end];
        let after = rest[end..].trim_start_matches(is_space);
        let Some(value) = after.strip_prefix('=') else {
            return unreadable(format!("`=` is missing after word {} of the connection string", 2 * pairs.len() + 1));
        };
        let (value, tail) = value_of(value.trim_start_matches(is_space), key)?;
        pairs.push((key.to_owned(), value));
        rest = tail.trim_start_matches(is_space);
    }
    Ok(pairs)
}

/// One value, and what follows it.
fn value_of<'t>(text: &'t str, key: &str) -> Result<(String, &'t str), Unreadable> {
    let quoted = text.strip_prefix('\'');
    let body = quoted.unwrap_or(text);
    let mut value = String::new();
    let mut chars = body.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '\\' => value.extend(chars.next().map(|(_, escaped)| escaped)),
            '\'' if quoted.is_some() => return Ok((value, &body[at + 1..])),
            c if quoted.is_none() && is_space(c) => return Ok((value, &body[at..])),
            c => value.push(c),
        }
    }
    if quoted.is_some() {
        return unreadable(format!("the value of `{}` lacks its closing `'`", key.escape_debug()));
    }
    Ok((value, ""))
}

/// The white space of C's `isspace`.
fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\r' | '\x0b' | '\x0c')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> String {
        match connection(text) {
            Ok(pairs) => pairs.iter().map(|(key, value)| format!("{key}=[{value}]")).collect::<Vec<_>>().join(" "),
            Err(why) => format!("error: {why}"),
        }
    }

    /// The examples of the documentation, and the cases of PostgreSQL's own test of URLs (`src/interfaces/libpq/t/001_uri.pl`).
    #[test]
    fn urls_are_read_as_libpq_reads_them() {
        let cases = [
            ("postgresql://", ""),
            ("postgresql://uri-user:secret@host:12345/db", "user=[uri-user] password=[secret] host=[host] port=[12345] dbname=[db]"),
            ("postgresql://uri-user@host/", "user=[uri-user] host=[host]"),
            ("postgresql://host/?", "host=[host]"),
            ("postgresql://host:/", "host=[host]"),
            ("postgresql://%68ost/", "host=[host]"),
            ("postgresql://host/db?user=uri-user", "host=[host] dbname=[db] user=[uri-user]"),
            ("postgresql://host?uzer=", "host=[host] uzer=[]"),
            ("postgresql://[::1]:5432/db", "host=[::1] port=[5432] dbname=[db]"),
            ("postgresql://[2001:db8::1234]", "host=[2001:db8::1234]"),
            ("postgresql://user@/var/run", "user=[user] dbname=[var/run]"),
            ("postgres://%2Fvar%2Frun%2Fpostgresql/dbname", "host=[/var/run/postgresql] dbname=[dbname]"),
            ("postgresql:///dbname?host=/var/lib/postgresql", "dbname=[dbname] host=[/var/lib/postgresql]"),
            (
                "postgresql://host1:123,host2:456/somedb?target_session_attrs=any",
                "host=[host1,host2] port=[123,456] dbname=[somedb] target_session_attrs=[any]",
            ),
            ("postgresql://a,b,c:5/", "host=[a,b,c] port=[,,5]"),
            (
                "postgresql://user@localhost:5433/mydb?options=-c%20synchronous_commit%3Doff",
                "user=[user] host=[localhost] port=[5433] dbname=[mydb] options=[-c synchronous_commit=off]",
            ),
            ("postgresql://u:p%40s:s@h/d", "user=[u] password=[p@s:s] host=[h] dbname=[d]"),
            ("postgresql://u:p?s@h/d", "user=[u] password=[p?s] host=[h] dbname=[d]"),
            ("postgresql://h/d?ssl=true", "host=[h] dbname=[d] sslmode=[require]"),
            ("postgres://:12345/", "port=[12345]"),
            ("postgres://?hostaddr=127.0.0.1", "hostaddr=[127.0.0.1]"),
        ];
        for (text, pairs) in cases {
            assert_eq!(read(text), pairs, "{text}");
        }
    }

    #[test]
    fn keys_and_values_are_read_as_libpq_reads_them() {
        let cases = [
            ("host=localhost port=5432 dbname=mydb connect_timeout=10", "host=[localhost] port=[5432] dbname=[mydb] connect_timeout=[10]"),
            ("  host = h\tdbname  =\n'my db' ", "host=[h] dbname=[my db]"),
            (r"password='it\'s \\ x' user=a\ b", r"password=[it's \ x] user=[a b]"),
            ("dbname='' user=", "dbname=[] user=[]"),
            ("password=a=b", "password=[a=b]"),
            ("host=é dbname='日本'", "host=[é] dbname=[日本]"),
        ];
        for (text, pairs) in cases {
            assert_eq!(read(text), pairs, "{text}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_told_without_the_secret_in_it() {
        let cases = [
            ("postgres://[::1", "lacks its `]`"),
            ("postgres://[]", "is empty"),
            ("postgres://[::1]z", "may follow"),
            ("postgres://h?zzz", "`zzz` has no `=`"),
            ("postgres://h?key=a=b", "more than one `=`"),
            ("postgres://h?user=%zz", "`%` in `user` is not followed"),
            ("postgres://u:hunter2%@h", "`%` in `password` is not followed"),
            ("postgres://u:hunter2%00@h", "`password` holds `%00`"),
            ("postgres://u:%ff@h", "not UTF-8"),
            ("mysql://h/d", "`mysql:` is not the scheme"),
            ("postgresql+psycopg2://h/d", "`postgresql+psycopg2:` is not the scheme"),
            ("shop", "neither a URL"),
            ("postgres://u:a@hunter2@h/d", "write `%40`"),
            ("postgres://u:a/hunter2@h:5432/d?b", "write `%40`"),
            ("password=hunter2 hunter2 x", "`=` is missing after word 3"),
            ("password='hunter2", "`password` lacks its closing"),
        ];
        for (text, part) in cases {
            let said = read(text);
            assert!(said.starts_with("error: ") && said.contains(part), "{text}: {said}");
            assert!(!said.contains("hunter2"), "{text}: {said}");
        }
    }
}
