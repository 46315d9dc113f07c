//! The table of contents of what `pg_dump` wrote, as `pg_restore --list --verbose` prints it, and lists of what of it a
//! `pg_restore --use-list` is to restore.
//!
//! A line is `ID; CATALOGUE OID TYPE SCHEMA NAME OWNER`, or begins with `;` and is a comment. The comment behind an entry says
//! after a tab `depends on: ID …`.

use std::collections::HashSet;
use std::io::Write;

use tempfile::NamedTempFile;

use crate::error::{IoContext, Result};

/// Entries, in the order in which they are restored.
pub(super) struct Toc(Vec<Item>);

struct Item {
    id: u32,
    line: String,
    /// The OIDs of the object's catalogue and of the object; zeros where the entry makes none.
    object: (u32, u32),
    /// The entries that must come before it.
    needs: Vec<u32>,
}

impl Toc {
    /// Reads what `pg_restore` printed.
    pub(super) fn parse(listing: &str) -> Self {
        let mut items: Vec<Item> = Vec::new();
        for line in listing.lines() {
            if let Some(needs) = line.strip_prefix(";\tdepends on:") {
                if let Some(last) = items.last_mut() {
                    last.needs = needs.split_whitespace().filter_map(|id| id.parse().ok()).collect();
                }
            } else if let Some((id, rest)) = line.split_once("; ")
                && let Ok(id) = id.parse()
            {
                let mut numbers = rest.split(' ').map(|word| word.parse().unwrap_or(0));
                let object = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
                items.push(Item { id, line: line.to_owned(), object, needs: Vec::new() });
            }
        }
        Self(items)
    }

    /// The entries but for these objects and what is said of them (comments, privileges, security labels), and the comments on these
    /// extensions.
    pub(super) fn without(self, objects: &HashSet<(u32, u32)>, extensions: &[String]) -> Self {
        let gone: HashSet<u32> = self.0.iter().filter(|item| objects.contains(&item.object)).map(|item| item.id).collect();
        let comments: Vec<String> = extensions.iter().map(|name| format!("COMMENT - EXTENSION {name} ")).collect();
        let goes = |item: &Item| {
            gone.contains(&item.id)
                || item.says() && item.needs.iter().any(|id| gone.contains(id))
                || comments.iter().any(|comment| item.text().starts_with(comment))
        };
        Self(self.0.into_iter().filter(|item| !goes(item)).collect())
    }

    /// What comes after the rows: the entries that `post_data` has too; before them all privileges, where these are to come late.
    pub(super) fn after_rows(self, post_data: &Toc, late_privileges: bool) -> Self {
        let ids: HashSet<u32> = post_data.0.iter().map(|item| item.id).collect();
        let (last, earlier): (Vec<Item>, Vec<Item>) = self.0.into_iter().partition(|item| ids.contains(&item.id));
        Self(earlier.into_iter().filter(|item| late_privileges && item.is_privilege()).chain(last).collect())
    }

    /// The same in pieces, one to be restored after the other, and whether the entries of each may come side by side. `pg_restore
    /// --jobs` has no eye for what one partition's trigger or index needs of another's: indexes and keys may come together, each
    /// kind of other entries in its turn.
    pub(super) fn pieces(self) -> Vec<(Toc, bool)> {
        let mut pieces: Vec<(Toc, bool)> = Vec::new();
        for item in self.0 {
            let together = item.is_index_or_key();
            match pieces.last_mut() {
                Some((piece, before)) if *before == together || item.says() => piece.0.push(item),
                _ => pieces.push((Self(vec![item]), together)),
            }
        }
        pieces
    }

    /// A file for `--use-list`.
    pub(super) fn write(&self) -> Result<NamedTempFile> {
        let failed = || "cannot write a list for `pg_restore`";
        let mut file = NamedTempFile::new().while_doing(failed)?;
        for item in &self.0 {
            writeln!(file, "{}", item.line).while_doing(failed)?;
        }
        file.flush().while_doing(failed)?;
        Ok(file)
    }
}

impl Item {
    /// What it is, with what follows.
    fn text(&self) -> &str {
        self.line.splitn(4, ' ').nth(3).unwrap_or_default()
    }

    fn is_index_or_key(&self) -> bool {
        let text = self.text();
        text.starts_with("INDEX ") && !text.starts_with("INDEX ATTACH ")
            || text.starts_with("CONSTRAINT ")
            || text.starts_with("FK CONSTRAINT ")
    }

    fn is_privilege(&self) -> bool {
        self.text().starts_with("ACL ")
    }

    /// Whether it makes nothing, and says something of another.
    fn says(&self) -> bool {
        self.is_privilege() || self.text().starts_with("COMMENT ") || self.text().starts_with("SECURITY LABEL ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LISTING: &str = ";
; Archive created at 2026-01-01 00:00:00 UTC
;     TOC Entries: 8
;
; Selected TOC Entries:
;
215; 1259 16385 TABLE public orders shop
;	depends on: 5
3301; 0 0 ACL public TABLE orders shop
;	depends on: 215
220; 1255 16402 FUNCTION public count_others() shop
;	depends on: 215
3302; 0 0 COMMENT public FUNCTION count_others() shop
;	depends on: 220
3303; 0 0 ACL public FUNCTION count_others() shop
;	depends on: 220
221; 1259 16410 VIEW public ACL of 220 shop
;	depends on: 220
3100; 2606 16500 CONSTRAINT public orders orders_pkey shop
;	depends on: 215
";

    fn ids(toc: &Toc) -> Vec<u32> {
        toc.0.iter().map(|item| item.id).collect()
    }

    #[test]
    fn an_object_goes_with_what_is_said_of_it() {
        let toc = Toc::parse(LISTING);
        assert_eq!(ids(&toc), [215, 3301, 220, 3302, 3303, 221, 3100]);
        assert_eq!(ids(&toc.without(&HashSet::from([(1255, 16402), (1259, 1)]), &[])), [215, 3301, 221, 3100]);
    }

    #[test]
    fn comments_on_extensions_of_others_go() {
        let listing = "3; 3079 5 EXTENSION - citext \n4; 0 0 COMMENT - EXTENSION citext \n5; 0 0 COMMENT - EXTENSION citext2 \n";
        assert_eq!(ids(&Toc::parse(listing).without(&HashSet::new(), &["citext".to_owned()])), [3, 5]);
    }

    #[test]
    fn what_needs_its_turn_gets_one() {
        let listing = "1; 1259 1 INDEX a b c\n2; 0 0 COMMENT a INDEX b c\n3; 2606 1 CONSTRAINT a b c\n4; 0 0 INDEX ATTACH a b c\n5; 2620 1 TRIGGER a b c\n6; 2606 2 FK CONSTRAINT a b c\n";
        let pieces = Toc::parse(listing).pieces();
        let pieces: Vec<(Vec<u32>, bool)> = pieces.iter().map(|(piece, together)| (ids(piece), *together)).collect();
        assert_eq!(pieces, [(vec![1, 2, 3], true), (vec![4, 5], false), (vec![6], true)]);
    }

    #[test]
    fn privileges_come_last_or_stay_where_they_are() {
        let last = Toc::parse("3100; 2606 16500 CONSTRAINT public orders orders_pkey shop\n");
        assert_eq!(ids(&Toc::parse(LISTING).after_rows(&last, true)), [3301, 3303, 3100]);
        let toc = Toc::parse(LISTING).after_rows(&last, false);
        let written = std::fs::read_to_string(toc.write().unwrap().path()).unwrap();
        assert_eq!(written, "3100; 2606 16500 CONSTRAINT public orders orders_pkey shop\n");
    }
}
