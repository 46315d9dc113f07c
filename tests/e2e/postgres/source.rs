//! A database with every kind of object that `pg_restore` restores, hundreds of them, under the oddest names: `source/*.sql`.

use std::path::Path;

use dr_host_tests::postgres::{SUPERUSER, Server};

/// The files, in the order in which they are run.
const FILES: [(&str, &str); 8] = [
    ("types", include_str!("source/types.sql")),
    ("code", include_str!("source/code.sql")),
    ("tables", include_str!("source/tables.sql")),
    ("rows", include_str!("source/rows.sql")),
    ("views", include_str!("source/views.sql")),
    ("newer", include_str!("source/newer.sql")),
    ("rights", include_str!("source/rights.sql")),
    ("database", include_str!("source/database.sql")),
];

/// One way to make the database.
#[derive(Clone, Copy, Debug)]
pub(super) struct Variant {
    /// Its name.
    pub(super) name: &'static str,
    /// Its encoding.
    pub(super) encoding: &'static str,
    /// What stands in names and values for a word of the encoding's own.
    pub(super) word: &'static str,
    /// The role that makes it and all in it.
    pub(super) role: &'static str,
    /// It has collations of ICU, and values of every script.
    pub(super) has_icu: bool,
    /// It has values of XML, which need a server that was built for them.
    pub(super) has_xml: bool,
}

/// By a superuser, in the encoding that most have.
pub(super) const UTF8: Variant =
    Variant { name: "shop", encoding: "UTF8", word: "Größe 日本 😀", role: SUPERUSER, has_icu: true, has_xml: true };

/// By a user without power.
pub(super) const OWNED: Variant =
    Variant { name: "owned", encoding: "UTF8", word: "Größe 日本 😀", role: "owner", has_icu: true, has_xml: true };

/// One byte for each letter.
pub(super) const LATIN1: Variant =
    Variant { name: "latin", encoding: "LATIN1", word: "Größe", role: SUPERUSER, has_icu: false, has_xml: true };

/// Several bytes for each letter, in another order than Unicode's.
pub(super) const EUC_JP: Variant =
    Variant { name: "kanji", encoding: "EUC_JP", word: "日本語", role: SUPERUSER, has_icu: false, has_xml: true };

/// No encoding at all: bytes.
pub(super) const SQL_ASCII: Variant =
    Variant { name: "bytes", encoding: "SQL_ASCII", word: "Größe", role: SUPERUSER, has_icu: false, has_xml: true };

/// Makes the roles and the tablespace, which belong to the server.
pub(super) fn prepare(server: &Server) {
    let roles = include_str!("source/roles.sql");
    server.sql(SUPERUSER, roles);
    server.sql(
        SUPERUSER,
        &roles
            .lines()
            .filter(|line| line.contains("Röle"))
            .collect::<Vec<_>>()
            .join("\n")
            .replace("Röle", "Role")
            .replace(", reader, auditor TO", " TO"),
    );
    server.make_tablespace("space \"%");
    server.sql(SUPERUSER, "GRANT CREATE ON TABLESPACE \"space \"\"%\" TO owner");
}

impl Variant {
    /// What `CREATE DATABASE` says of it after its name.
    pub(super) fn options(&self) -> String {
        format!("OWNER {} ENCODING '{}' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0", self.role, self.encoding)
    }

    /// Makes the database on a server that was prepared.
    pub(super) fn make(&self, server: &Server) {
        server.create(self.name, &self.options());
        for (name, text) in FILES {
            let mut text = text.replace(":word", self.word);
            // Names of roles belong to the server, and would be bytes without meaning where the encoding is another.
            if self.encoding != "UTF8" {
                text = text.replace("Röle", "Role");
            }
            let file = server.directory().join(format!("{name}.sql"));
            std::fs::write(&file, text).expect("a file");
            self.run(server, &file);
        }
    }

    fn run(&self, server: &Server, file: &Path) {
        let mut psql = server.program("psql");
        psql.args(["-X", "-q", "-v", "ON_ERROR_STOP=1", "-U", self.role, "-d", self.name]).env("PGCLIENTENCODING", "UTF8");
        psql.args(["-v", &format!("superuser={}", u8::from(self.role == SUPERUSER))]);
        psql.args(["-v", &format!("has_xml={}", u8::from(self.has_xml))]);
        psql.args(["-v", &format!("utf8={}", u8::from(self.has_icu)), "-v", &format!("db={}", self.name)]);
        let output = psql.arg("-f").arg(file).output().expect("psql can be started");
        assert!(output.status.success(), "psql: {}", String::from_utf8_lossy(&output.stderr));
    }
}
