use jiff::Timestamp;

use super::*;
use crate::archive::Totals;
use crate::archive::manifest::{FORMAT, SetRecord};

fn record(path: &str, driver: &str, format: &str) -> SetRecord {
    SetRecord {
        path: SetPath::parse(path).unwrap(),
        driver: driver.into(),
        driver_version: "2".into(),
        driver_details: BTreeMap::new(),
        format: format.into(),
        point_in_time: PointInTime::now(Worth::Exact),
        totals: Totals::default(),
        stored_bytes: 0,
        seconds: 0.0,
        prefix: format!("{path}/"),
        index: format!("dr-host/index/{path}.ndjson"),
        index_sha256: String::new(),
        notes: BTreeMap::new(),
        warnings: Vec::new(),
    }
}

fn manifest(sets: Vec<SetRecord>) -> Manifest {
    Manifest {
        format: FORMAT,
        created_by: "dr-host".into(),
        started_at: Timestamp::UNIX_EPOCH,
        finished_at: Timestamp::UNIX_EPOCH,
        sets,
        left_out: Vec::new(),
        links: Vec::new(),
        findings: Vec::new(),
        more_findings: 0,
    }
}

fn shop() -> Manifest {
    manifest(vec![record("database", "table", "table/1"), record("state/media", "tree", "tree/1"), record("state/keys", "tree", "tree/1")])
}

fn restore(manifest: &Manifest, selection: &Selection) -> Result<Plan, Problems> {
    for_restore(&config(SHOP), KINDS, selection, manifest, &[])
}

fn warnings(plan: &Plan) -> Vec<String> {
    plan.view.warnings.iter().map(ToString::to_string).collect()
}

#[test]
fn an_archive_of_the_same_sets_is_restored() {
    let plan = restore(&shop(), &Selection::default()).unwrap_or_else(|problems| panic!("{problems}"));
    assert_eq!(plan.tree.in_order().len(), 3);
    assert_eq!(warnings(&plan), [] as [&str; 0]);
}

#[test]
fn a_set_that_only_one_side_has_is_refused_unless_skipped() {
    let mut manifest = shop();
    manifest.sets.remove(2);
    manifest.sets.push(record("state/sessions", "tree", "tree/1"));
    manifest.sets.push(record("databas", "table", "table/1"));
    manifest.left_out.push(SetPath::parse("state/keys").unwrap());
    assert_eq!(
        problems(restore(&manifest, &Selection::default())),
        "the archive has a set `state/sessions`, the configuration has not
   = add it to the configuration, or leave it out with `--skip state/sessions`
the archive has a set `databas`, the configuration has not
   = add it to the configuration, or leave it out with `--skip databas`
the configuration has a set `state/keys`, the archive has not: it was left out of the dump
   = leave it out with `--skip state/keys`"
    );
    let skipped = selection(&[], &["state/sessions", "databas", "state/keys"]);
    assert_eq!(restore(&manifest, &skipped).unwrap_or_else(|problems| panic!("{problems}")).tree.in_order().len(), 2);
    assert!(restore(&manifest, &selection(&["database"], &[])).is_ok());
}

#[test]
fn a_set_that_was_renamed_is_recognised() {
    let mut manifest = shop();
    manifest.sets[0] = record("databse", "table", "table/1");
    let shown = problems(restore(&manifest, &Selection::default()));
    assert!(shown.contains("or leave it out with `--skip databse`; is it `database` there?"), "{shown}");
}

#[test]
fn entries_that_the_driver_does_not_read_are_refused() {
    let mut manifest = shop();
    manifest.sets[0] = record("database", "tree", "tree/1");
    manifest.sets[1] = record("state/media", "tree", "tree/9");
    manifest.sets[1].driver_version = "9".into();
    assert_eq!(
        problems(restore(&manifest, &Selection::default())),
        "`database` holds entries of the format `tree/1`, which driver `table` 2 does not read
   = configure driver `tree`, which wrote it, or leave it out with `--skip database`
`state/media` holds entries of the format `tree/9`, which driver `tree` 2 does not read
   = restore it with the dr-host that has `tree` 9, or a later one"
    );
}

#[test]
fn another_version_or_driver_that_reads_the_format_is_said() {
    let mut manifest = shop();
    manifest.sets[0].driver = "table-fork".into();
    manifest.sets[1].driver_version = "1".into();
    let plan = restore(&manifest, &Selection::default()).unwrap_or_else(|problems| panic!("{problems}"));
    assert_eq!(
        warnings(&plan),
        [
            "database: driver `table-fork` wrote it, driver `table` restores it",
            "state/media: version 1 of its driver wrote it, version 2 restores it"
        ]
    );
}

#[test]
fn an_archive_is_selected_from_without_a_configuration() {
    let manifest = shop();
    let paths = |only: &[&str], skip: &[&str]| {
        let kept = records(&manifest, &selection(only, skip)).map_err(|problems| problems.to_string());
        kept.map(|records| records.iter().map(|record| record.path.to_string()).collect::<Vec<_>>())
    };
    assert_eq!(paths(&[], &[]), Ok(vec!["database".into(), "state/media".into(), "state/keys".into()]));
    assert_eq!(paths(&["state"], &["state/keys"]), Ok(vec!["state/media".into()]));
    assert_eq!(paths(&["stat"], &[]).unwrap_err().lines().next(), Some("`--only stat`: there is no such set"));
    let told = problems(restore(&shop(), &selection(&["zzz"], &[])));
    assert_eq!(told.matches("`database`").count(), 1, "what configuration and archive have is listed once: {told}");
    assert!(paths(&["state"], &["state"]).is_err());
}

#[test]
fn single_items_are_taken_of_a_set_whose_driver_can_do_that() {
    let items = |only: &[&str]| restore(&shop(), &selection(only, &[])).map(|plan| plan.items);
    let chosen = items(&["database:public.orders", "database:a:b", "state/media"]).unwrap_or_else(|problems| panic!("{problems}"));
    let set = SetPath::parse("database").unwrap();
    assert_eq!(chosen, BTreeMap::from([(set, vec!["public.orders".to_owned(), "a:b".to_owned()])]));
    let plan = restore(&shop(), &selection(&["database:x"], &[])).unwrap_or_else(|problems| panic!("{problems}"));
    assert_eq!(plan.tree.in_order().len(), 1, "all other sets are left out");
    let refused = |only: &[&str]| problems(restore(&shop(), &selection(only, &[])));
    assert_eq!(
        refused(&["state/media:x"]),
        "`--only state/media:x`: driver `tree` restores a set as a whole only\n   = write `--only state/media`"
    );
    assert_eq!(
        refused(&["database", "database:x"]),
        "`--only database` takes the whole set, `--only database:x` an item of it\n   = keep one of them"
    );
    assert_eq!(
        refused(&["state:x"]),
        "`--only state:x`: `state` is a group of sets and has no items of its own\n   = name the set that has the item"
    );
    assert_eq!(refused(&["database:"]), "`--only database:`: the item has no name");
    assert!(refused(&["databas:x"]).starts_with("`--only databas`: there is no such set"));
    let why = for_dump(&config(SHOP), KINDS, &selection(&["database:x"], &[]), &[]);
    assert_eq!(
        problems(why),
        "`--only database:x`: here a set is taken as a whole\n   = write `--only database`; only a restore can take single items of a set"
    );
}
