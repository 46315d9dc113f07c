//! What cannot be restored without that which `include` and `exclude` leave out: views, which are left out with it, and tables,
//! for which there is no such way.

use std::collections::HashMap;

use super::catalogue::{Fate, Kind, Relation};
use super::session::Session;
use super::settings::Choice;
use crate::drivers::Context;
use crate::error::{Error, ErrorKind, Result};

/// Leaves out the views that show what is left out, and the views that show those: [`Relation::lacks`].
///
/// # Errors
/// Tables that stay inherit from what is left out, are partitions of it, or have rules that name it.
pub(super) fn follow(session: &mut Session, context: &Context, relations: &mut [Relation], choice: &Choice) -> Result<()> {
    if choice.include.is_empty() && choice.exclude.is_empty() {
        return Ok(());
    }
    let needs = needs(session, context)?;
    let is_left_out = |relation: &Relation| relation.extension.is_none() && relation.fate(choice) == Fate::Out;
    // What an extension has comes with the extension, whatever is left out.
    let mut left_out: HashMap<u32, String> =
        relations.iter().filter(|relation| is_left_out(relation)).map(|relation| (relation.oid, relation.shown())).collect();
    loop {
        let before = left_out.len();
        for relation in relations.iter_mut().filter(|relation| matches!(relation.kind, Kind::View | Kind::MaterializedView)) {
            if left_out.contains_key(&relation.oid) || relation.extension.is_some() {
                continue;
            }
            relation.lacks = lacking(&needs, &left_out, relation.oid).cloned();
            if relation.lacks.is_some() {
                left_out.insert(relation.oid, relation.shown());
            }
        }
        if left_out.len() == before {
            break;
        }
    }
    let kept = relations.iter().filter(|relation| relation.extension.is_none() && !left_out.contains_key(&relation.oid));
    let mut refused = kept.filter_map(|relation| Some((relation, lacking(&needs, &left_out, relation.oid)?))).peekable();
    if refused.peek().is_none() {
        return Ok(());
    }
    let error = Error::new(ErrorKind::InvalidConfig, "tables that are dumped cannot be made without tables that are left out")
        .hint("name both or neither in `include` and `exclude`; `exclude_data` leaves out rows alone");
    Err(refused.fold(error, |error, (relation, needed)| error.with("table", format!("{} needs `{needed}`", relation.shown()))))
}

/// The first thing left out that this relation needs.
fn lacking<'l>(needs: &HashMap<u32, Vec<u32>>, left_out: &'l HashMap<u32, String>, oid: u32) -> Option<&'l String> {
    needs.get(&oid)?.iter().find_map(|needed| left_out.get(needed))
}

/// Of each relation, those that must be there when it is made: those that its query or its rules name, and its parents.
fn needs(session: &mut Session, context: &Context) -> Result<HashMap<u32, Vec<u32>>> {
    const NEEDS: &str = "
        SELECT DISTINCT r.ev_class, d.refobjid FROM pg_depend d JOIN pg_rewrite r ON r.oid = d.objid
        WHERE d.classid = 'pg_rewrite'::regclass AND d.refclassid = 'pg_class'::regclass AND d.refobjid <> r.ev_class
        UNION SELECT inhrelid, inhparent FROM pg_inherits ORDER BY 1, 2";
    let mut needs: HashMap<u32, Vec<u32>> = HashMap::new();
    for row in session.rows(context, || "cannot look at what depends on what is left out", NEEDS, &[])? {
        needs.entry(row.get(0)).or_default().push(row.get(1));
    }
    Ok(needs)
}
