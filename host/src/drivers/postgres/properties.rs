//! What `ALTER DATABASE`, `COMMENT ON DATABASE` and `GRANT … ON DATABASE` say: applied after a restore, when it can no longer
//! hinder it.

use super::facts::{Facts, Setting};
use super::session::{Session, literal, quoted};
use super::settings::{Configured, Keep, Owner};
use crate::drivers::Context;
use crate::error::Result;

/// The settings that are lists of names, each quoted by itself (`GUC_LIST_QUOTE` in PostgreSQL's `guc.c`).
const LISTS: [&str; 6] = [
    "local_preload_libraries",
    "search_path",
    "session_preload_libraries",
    "shared_preload_libraries",
    "temp_tablespaces",
    "unix_socket_directories",
];

/// Applies all of it to a database that was made anew: what cannot be applied is an error, but for what [`apply_some`] applies.
pub(super) fn apply_all(session: &mut Session, settings: &Configured, context: &Context, facts: &Facts) -> Result<()> {
    let database = quoted(settings.address.database());
    apply_some(session, settings, context, facts)?;
    let mut statements = Vec::new();
    if facts.connection_limit >= 0 {
        statements.push(format!("ALTER DATABASE {database} CONNECTION LIMIT {}", facts.connection_limit));
    }
    if settings.privileges == Keep::Keep {
        statements.extend(privileges(&database, settings, facts));
    }
    if facts.is_template {
        statements.push(format!("ALTER DATABASE {database} IS_TEMPLATE true"));
    }
    for sql in statements {
        session.execute(context, || "cannot set what was set for the database", &sql)?;
    }
    Ok(())
}

/// Applies settings and comment to a database that was there: its owner, limit and privileges are its maker's. What cannot
/// be applied is warned of.
pub(super) fn apply_some(session: &mut Session, settings: &Configured, context: &Context, facts: &Facts) -> Result<()> {
    for sql in common(&quoted(settings.address.database()), facts) {
        if let Err(error) = session.execute(context, || "cannot set what was set for the database", &sql) {
            context.check()?;
            context.warn(format!("{}; run it yourself: `{sql}`", error.message()));
        }
    }
    Ok(())
}

/// The roles that settings of the database name, and its privileges where they are meant too; but for its owner.
pub(super) fn roles(facts: &Facts, with_privileges: bool) -> Vec<String> {
    let of_settings = facts.settings.iter().filter_map(|setting| setting.role.clone());
    let grants = facts.privileges.iter().flatten().filter(|_| with_privileges).filter_map(|item| Grant::parse(item));
    let mut roles: Vec<String> = of_settings.chain(grants.flat_map(|grant| [grant.grantee, grant.grantor])).collect();
    roles.retain(|role| !role.is_empty() && *role != facts.owner);
    roles.sort();
    roles.dedup();
    roles
}

fn common(database: &str, facts: &Facts) -> Vec<String> {
    let comment = facts.comment.iter().map(|comment| format!("COMMENT ON DATABASE {database} IS {}", literal(comment)));
    facts.settings.iter().map(|setting| set(database, setting)).chain(comment).collect()
}

/// `ALTER DATABASE … SET`, `ALTER ROLE … IN DATABASE … SET`.
fn set(database: &str, setting: &Setting) -> String {
    let whose = match &setting.role {
        Some(role) => format!("ALTER ROLE {} IN DATABASE {database}", quoted(role)),
        None => format!("ALTER DATABASE {database}"),
    };
    let name = setting.name.split('.').map(quoted).collect::<Vec<_>>().join(".");
    let value = if LISTS.contains(&setting.name.as_str()) {
        let items = list(&setting.value);
        if items.is_empty() { "''".to_owned() } else { items.iter().map(|item| literal(item)).collect::<Vec<_>>().join(", ") }
    } else {
        literal(&setting.value)
    };
    format!("{whose} SET {name} TO {value}")
}

/// The items of a list of names: separated by commas, in double quotes where they are odd.
fn list(text: &str) -> Vec<String> {
    let mut items = Vec::new();
    let mut item = String::new();
    let (mut is_quoted, mut was_quoted) = (false, false);
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' if is_quoted && chars.peek() == Some(&'"') => item.extend(chars.next()),
            '"' => (is_quoted, was_quoted) = (!is_quoted, true),
            ',' if !is_quoted => {
                items.push(std::mem::take(&mut item));
                was_quoted = false;
            }
            c if c.is_whitespace() && !is_quoted => {}
            c => item.push(c),
        }
    }
    if !item.is_empty() || was_quoted || !items.is_empty() {
        items.push(item);
    }
    items
}

/// The privileges on the database, in the place of those that it has by default.
fn privileges(database: &str, settings: &Configured, facts: &Facts) -> Vec<String> {
    let Some(items) = &facts.privileges else { return Vec::new() };
    let recorded: Vec<Grant> = items.iter().filter_map(|item| Grant::parse(item)).collect();
    let heir = match &settings.owner {
        Owner::Recorded => quoted(&facts.owner),
        Owner::Whoever => "CURRENT_USER".to_owned(),
        Owner::Role(role) => quoted(role),
    };
    let role = |name: &str| match name {
        "" => "PUBLIC".to_owned(),
        name if name == facts.owner => heir.clone(),
        name => quoted(name),
    };
    let mut statements = vec![format!("REVOKE ALL ON DATABASE {database} FROM PUBLIC, {heir}")];
    for grant in &recorded {
        let to = role(&grant.grantee);
        let grants = grant.statements(database, &to);
        // Who was given a privilege by another than the owner is given it by that one again.
        let is_owners = grant.grantor == facts.owner;
        statements.extend((!is_owners).then(|| format!("SET ROLE {}", role(&grant.grantor))));
        statements.extend(grants);
        statements.extend((!is_owners).then(|| "RESET ROLE".to_owned()));
    }
    statements
}

/// One `aclitem`: `grantee=letters/grantor`, a `*` behind a letter that may be granted on.
struct Grant {
    grantee: String,
    letters: String,
    grantor: String,
}

impl Grant {
    fn parse(item: &str) -> Option<Self> {
        let (grantee, rest) = name(item)?;
        let (letters, rest) = rest.strip_prefix('=')?.split_once('/')?;
        let (grantor, _) = name(rest)?;
        Some(Self { grantee, letters: letters.to_owned(), grantor })
    }

    fn statements(&self, database: &str, to: &str) -> Vec<String> {
        let mut plain = Vec::new();
        let mut with_option = Vec::new();
        let letters: Vec<char> = self.letters.chars().collect();
        for (at, letter) in letters.iter().enumerate() {
            let privilege = match letter {
                'C' => "CREATE",
                'T' => "TEMPORARY",
                'c' => "CONNECT",
                _ => continue,
            };
            if letters.get(at + 1) == Some(&'*') { &mut with_option } else { &mut plain }.push(privilege);
        }
        let grant = |privileges: Vec<&str>, more: &str| {
            (!privileges.is_empty()).then(|| format!("GRANT {} ON DATABASE {database} TO {to}{more}", privileges.join(", ")))
        };
        [grant(plain, ""), grant(with_option, " WITH GRANT OPTION")].into_iter().flatten().collect()
    }
}

/// The role's name at the beginning, in double quotes where it is odd, and what follows it.
fn name(text: &str) -> Option<(String, &str)> {
    let Some(inside) = text.strip_prefix('"') else {
        let end = text.find(['=', '/']).unwrap_or(text.len());
        return Some((text[..end].to_owned(), &text[end..]));
    };
    let mut name = String::new();
    let mut chars = inside.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' if chars.peek().is_some_and(|(_, next)| *next == '"') => {
                name.push('"');
                chars.next();
            }
            '"' => return Some((name, &inside[at + 1..])),
            c => name.push(c),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_names_are_taken_apart() {
        assert_eq!(list(r#"app, public, "Odd "" , schema""#), ["app", "public", r#"Odd " , schema"#]);
        assert_eq!(list(r#""""#), ["\""; 0].map(str::to_owned).to_vec().into_iter().chain([String::new()]).collect::<Vec<_>>());
        assert_eq!(list(""), Vec::<String>::new());
        let setting = Setting { role: None, name: "search_path".to_owned(), value: r#""$user", public"#.to_owned() };
        assert_eq!(set("\"d\"", &setting), "ALTER DATABASE \"d\" SET \"search_path\" TO '$user', 'public'");
        let odd = Setting { role: Some("r".to_owned()), name: "App.word".to_owned(), value: r"it's \".to_owned() };
        assert_eq!(set("\"d\"", &odd), r#"ALTER ROLE "r" IN DATABASE "d" SET "App"."word" TO  E'it''s \\'"#);
    }

    #[test]
    fn privileges_are_read_as_the_server_writes_them() {
        let grant = Grant::parse(r#""odd ""=/ role"=C*Tc/postgres"#).expect("an aclitem");
        assert_eq!((grant.grantee.as_str(), grant.grantor.as_str()), (r#"odd "=/ role"#, "postgres"));
        assert_eq!(
            grant.statements("d", "x"),
            ["GRANT TEMPORARY, CONNECT ON DATABASE d TO x", "GRANT CREATE ON DATABASE d TO x WITH GRANT OPTION"]
        );
        assert_eq!(Grant::parse("=Tc/me").expect("of everybody").grantee, "");
    }
}
