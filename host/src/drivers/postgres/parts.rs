//! How rows are cut into entries: large tables by ranges of blocks, each about as much COPY text as the archive's buffer takes;
//! and what an entry is called.

use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

use super::catalogue::Table;
use super::session::{literal, quoted};
use super::settings::CopyFormat;
use crate::name::EntryName;

/// Some or all rows of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Part {
    /// Which of the tables.
    pub(super) table: usize,
    /// Its number, from 1.
    pub(super) number: u32,
    /// From which block on, up to which one; all where it is open.
    from: Option<u64>,
    to: Option<u64>,
    /// About how much it is, in bytes.
    pub(super) estimate: u64,
}

/// The parts of all tables, the largest first.
pub(super) fn plan(tables: &[Table], size: u64) -> Vec<Part> {
    let mut parts: Vec<Part> = tables.iter().enumerate().flat_map(|(at, table)| of_table(at, table, size)).collect();
    // By tables, so that what is copied at the end are small ones; stable, so that a table's parts keep their order.
    parts.sort_by_key(|part| std::cmp::Reverse((tables[part.table].size, tables.len() - part.table)));
    parts
}

/// A table's parts. COPY text is about as large as what is stored, the rows' headers making up for numbers that are longer as
/// text.
fn of_table(at: usize, table: &Table, size: u64) -> Vec<Part> {
    let count = if table.blocks == 0 { 1 } else { table.size.div_ceil(size).clamp(1, table.blocks.min(99_999)) };
    let bound = |number: u64| u64::try_from(u128::from(table.blocks) * u128::from(number) / u128::from(count)).unwrap_or(u64::MAX);
    (0..count)
        .map(|number| Part {
            table: at,
            number: u32::try_from(number + 1).unwrap_or(u32::MAX),
            from: (number > 0).then(|| bound(number)),
            to: (number + 1 < count).then(|| bound(number + 1)),
            estimate: table.size / count,
        })
        .collect()
}

impl Part {
    /// The statement that reads it.
    pub(super) fn copy_out(&self, table: &Table, format: CopyFormat, encoding: &str) -> String {
        let columns: Vec<_> = table.columns.iter().map(|column| quoted(column)).collect();
        let name = relation(&table.schema, &table.name);
        let options = options(format, encoding);
        if self.from.is_none() && self.to.is_none() && table.condition.is_none() {
            return format!("COPY {name}{} TO STDOUT {options}", list(&columns));
        }
        let tid = |sign: &str, block: u64| format!("ctid {sign} '({block},0)'::pg_catalog.tid");
        let bounds: Vec<_> = self.from.map(|block| tid(">=", block)).into_iter().chain(self.to.map(|block| tid("<", block))).collect();
        // The condition of an extension's configuration table begins with its own WHERE, and such a table is never cut.
        let condition = match &table.condition {
            Some(condition) => format!(" {condition}"),
            None => format!(" WHERE {}", bounds.join(" AND ")),
        };
        format!("COPY (SELECT {} FROM ONLY {name}{condition}\n) TO STDOUT {options}", columns.join(", "))
    }
}

/// The statement that loads rows of a table.
pub(super) fn copy_in(schema: &str, name: &str, columns: &[String], format: CopyFormat, encoding: &str) -> String {
    let columns: Vec<_> = columns.iter().map(|column| quoted(column)).collect();
    format!("COPY {}{} FROM STDIN {}", relation(schema, name), list(&columns), options(format, encoding))
}

fn relation(schema: &str, name: &str) -> String {
    format!("{}.{}", quoted(schema), quoted(name))
}

fn list(columns: &[String]) -> String {
    if columns.is_empty() { String::new() } else { format!(" ({})", columns.join(", ")) }
}

fn options(format: CopyFormat, encoding: &str) -> String {
    let format = match format {
        CopyFormat::Text => "text",
        CopyFormat::Binary => "binary",
    };
    format!("(FORMAT {format}, ENCODING {})", literal(encoding))
}

/// What would not be one segment of a path, or not that one.
const NOT_IN_A_SEGMENT: &AsciiSet =
    &CONTROLS.add(b'/').add(b'\\').add(b'%').add(b':').add(b'*').add(b'?').add(b'"').add(b'<').add(b'>').add(b'|');

/// The name of a part's entry: `rows/public/orders/00001.copy`.
pub(super) fn entry(schema: &str, name: &str, number: u32) -> EntryName {
    let segment = |text: &str| {
        let encoded = utf8_percent_encode(text, NOT_IN_A_SEGMENT).to_string();
        // `.` and `..` are no names, and neither is what ends in a dot on some systems.
        match encoded.strip_suffix('.') {
            Some(rest) => format!("{rest}%2E"),
            None => encoded,
        }
    };
    EntryName::from(format!("rows/{}/{}/{number:05}.copy", segment(schema), segment(name)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(name: &str, blocks: u64, size: u64) -> Table {
        Table {
            schema: "public".into(),
            name: name.into(),
            columns: vec!["id".into(), "a\"b".into()],
            as_text: false,
            partition_of: Vec::new(),
            condition: None,
            blocks,
            size,
        }
    }

    #[test]
    fn parts_are_about_as_large_as_asked_and_cover_every_block_once() {
        let tables = [table("small", 1, 8192), table("large", 1000, 10_000_000)];
        let parts = plan(&tables, 1_000_000);
        assert_eq!(parts.len(), 11);
        let large: Vec<_> = parts.iter().take(10).map(|part| (part.number, part.from, part.to)).collect();
        assert_eq!((large[0], large[1], large[9]), ((1, None, Some(100)), (2, Some(100), Some(200)), (10, Some(900), None)));
        assert_eq!((parts[10].table, parts[10].from, parts[10].to), (0, None, None), "the smallest comes last");
    }

    #[test]
    fn a_part_is_never_smaller_than_a_block() {
        assert_eq!(plan(&[table("toasted", 3, 900_000_000)], 8192).len(), 3);
        assert_eq!(plan(&[table("no heap", 0, 900_000_000)], 8192).len(), 1);
    }

    #[test]
    fn statements_quote_what_they_name() {
        let table = table("or\"ders", 10, 100_000);
        let parts = plan(std::slice::from_ref(&table), 50_000);
        assert_eq!(
            parts[0].copy_out(&table, CopyFormat::Text, "UTF8"),
            "COPY (SELECT \"id\", \"a\"\"b\" FROM ONLY \"public\".\"or\"\"ders\" WHERE ctid < '(5,0)'::pg_catalog.tid\n) TO STDOUT (FORMAT text, ENCODING 'UTF8')"
        );
        let whole = &plan(std::slice::from_ref(&table), 1 << 30)[0];
        assert_eq!(
            whole.copy_out(&table, CopyFormat::Binary, "LATIN1"),
            "COPY \"public\".\"or\"\"ders\" (\"id\", \"a\"\"b\") TO STDOUT (FORMAT binary, ENCODING 'LATIN1')"
        );
    }

    #[test]
    fn no_two_tables_share_an_entry() {
        let names = [("a/b", "c"), ("a", "b/c"), ("a%2Fb", "c"), (".", ".."), ("..", "."), ("a.b", "c"), ("a", "b.c")];
        let entries: std::collections::BTreeSet<_> = names.iter().map(|(schema, name)| entry(schema, name, 1)).collect();
        assert_eq!(entries.len(), names.len());
        assert_eq!(entry("a/b", "..", 7), EntryName::from("rows/a%2Fb/.%2E/00007.copy"));
    }
}
