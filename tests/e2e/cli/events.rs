//! `--json`: every line is an event of the published schema, and the last says how it ended.

use std::fs;

use dr_host::engine::event::Event;
use dr_host_tests::host::Ended;
use dr_host_tests::published::expect_published;
use serde_json::Value;

use super::shop::Shop;

/// The schema that `docs/` publishes.
fn schema() -> Value {
    let text = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/events.schema.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// Checks that all lines are events, and that the last one agrees with the exit code; gives them.
#[track_caller]
fn checked(ended: &Ended) -> Vec<Value> {
    let validator = jsonschema::validator_for(&schema()).unwrap();
    let events = ended.events();
    for event in &events {
        let faults: Vec<_> = validator.iter_errors(event).map(|fault| fault.to_string()).collect();
        assert!(faults.is_empty(), "{event}: {faults:?}");
        // What programs written with this crate read is what was written.
        let read: Event = serde_json::from_value(event.clone()).unwrap();
        assert_eq!(serde_json::to_value(&read).unwrap(), *event);
    }
    let last = events.last().expect("there are events");
    assert_eq!((&last["event"], last["exit_code"].as_i64()), (&"finished".into(), ended.code.map(i64::from)), "{ended}");
    assert_eq!(events.iter().filter(|event| event["event"] == "finished").count(), 1);
    events
}

#[test]
fn the_published_schema_is_that_of_the_events() {
    let text = serde_json::to_string_pretty(&schemars::schema_for!(Event)).unwrap();
    expect_published("events.schema.json", &(text + "\n"));
}

#[test]
fn every_run_speaks_the_published_language() {
    let shop = Shop::with_rows(&["a b.jpg", "gone.jpg"]);
    let dump = shop.host.run(["dump", "shop.zip", "--json"]).expect(3);
    let events = checked(&dump);
    assert_eq!(events[0]["event"], "started");
    assert!(dump.stderr.contains("finding: database: dangling `gone.jpg`"), "findings are named for people, too: {dump}");
    assert!(!dump.stderr.contains("3 entries"), "nothing else is: {dump}");
    checked(&shop.host.run(["verify", "shop.zip", "--json"]).expect(3));
    checked(&shop.elsewhere("green").run(["restore", "shop.zip", "--json"]).expect(0));
    let refused = shop.host.run(["restore", "shop.zip", "--json"]).expect(1);
    assert_eq!(checked(&refused).iter().filter(|event| event["event"] == "error").count(), 1, "{refused}");
}

#[test]
fn what_ends_before_it_begins_is_told_in_events_too() {
    let shop = Shop::dumped();
    for (arguments, code) in [
        (vec!["dump", "shop.zip", "--json"], 2),
        (vec!["dump", "x.zip", "--json", "-c", "missing.toml"], 2),
        (vec!["restore", "shop.zip", "--recreate", "--json"], 2),
        (vec!["verify", "missing.zip", "--json"], 1),
    ] {
        let ended = shop.host.run(&arguments).expect(code);
        let events = checked(&ended);
        assert_eq!(events[0]["event"], "error", "{ended}");
        assert!(ended.stderr.starts_with("error: "), "{ended}");
    }
}
