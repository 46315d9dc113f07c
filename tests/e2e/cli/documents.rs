//! `list --json`, `plan --json`: one document, with what the text says.

use dr_host::plan::PlanView;
use dr_host_tests::host::Ended;
use dr_host_tests::published::expect_published;
use serde_json::{Value, json};

use super::shop::Shop;

#[track_caller]
fn document(ended: &Ended) -> Value {
    serde_json::from_str(&ended.stdout).unwrap_or_else(|why| panic!("{why}: {ended}"))
}

#[test]
fn a_plan_is_one_document_of_the_published_schema() {
    let text = serde_json::to_string_pretty(&schemars::schema_for!(PlanView)).unwrap();
    expect_published("plan.schema.json", &(text + "\n"));
    let shop = Shop::new();
    let plan = document(&shop.host.run(["plan", "--json"]).expect(0));
    let schema: Value = serde_json::to_value(schemars::schema_for!(PlanView)).unwrap();
    assert!(jsonschema::validator_for(&schema).unwrap().is_valid(&plan), "{plan:#}");
    assert_eq!(plan["sets"][3]["path"], "state/keys");
    assert_eq!(plan["sets"][3]["order"], 3);
}

#[test]
fn a_listing_is_one_document_with_the_sets_that_are_meant() {
    let shop = Shop::dumped();
    let list = document(&shop.host.run(["list", "shop.zip", "--json", "--skip", "database"]).expect(0));
    assert_eq!(list["archive"]["location"], "shop.zip");
    let sets: Vec<_> = list["manifest"]["sets"].as_array().unwrap().iter().map(|set| &set["path"]).collect();
    assert_eq!(sets, ["media", "state/keys"]);
}

#[test]
fn entries_are_listed_one_document_a_line() {
    let shop = Shop::dumped();
    let ended = shop.host.run(["list", "shop.zip", "--entries", "--json", "--only", "media"]).expect(0);
    let mut entries: Vec<Value> = ended.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    entries.sort_by_key(|entry| entry["name"].as_str().unwrap().to_owned());
    let names: Vec<_> = entries.iter().map(|entry| &entry["name"]).collect();
    assert_eq!(names, ["a b.jpg", "c/d.jpg", "orphan.jpg"]);
    assert_eq!((&entries[0]["set"], &entries[0]["size"]), (&json!("media"), &json!(3)));
    // The SHA-256 of `one`.
    assert_eq!(entries[0]["sha256"], "7692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed");
}
