//! A component goes through `describe` and all six moments, with nothing granted.

use dr_host_tests::component::{Guest, attempt};

use super::Place;

#[test]
fn a_component_dumps_and_restores() {
    let place = Place::new(&Guest::new(), "");
    let dumped = place.dump().expect(0);
    assert!(place.path("out.zip").is_file(), "{dumped}");
    let listed = place.host.run(["list", "out.zip"]).expect(0);
    assert!(listed.stdout.contains("wat"), "{listed}");
    place.host.run(["verify", "out.zip"]).expect(0);
    place.restore().expect(0);
}

#[test]
fn an_error_of_a_component_is_told_like_any_drivers() {
    let mut guest = Guest::new();
    let message = guest.text("the shelf is empty");
    let place = Place::new(&guest.body("dump", &format!("(call $fail (i32.const 3) {message})")), "");
    let dumped = place.dump().expect(1);
    assert!(dumped.stderr.contains("state (wat, dump): the shelf is empty"), "{dumped}");
    assert!(!place.has_archive(), "{dumped}");
}

#[test]
fn one_instance_lives_through_the_moments_of_a_run() {
    let mut guest = Guest::new();
    let counted = guest.text("moment 0");
    // Counts in its memory, and says how far it is.
    let count = format!(
        "(global.set $kept (i32.add (global.get $kept) (i32.const 1)))
         (i32.store8 offset=7 {0} (i32.add (i32.const 48) (global.get $kept)))
         (call $log (i32.const 2) {counted})",
        counted.address()
    );
    let guest = guest
        .body("before-dump", &format!("{count} (call $ok_point)"))
        .body("dump", &format!("{count} (call $ok_outcome)"))
        .body("after-dump", &format!("{count} (call $ok)"))
        .body("before-restore", &format!("{count} (call $ok)"))
        .body("restore", &format!("{count} (call $read_all (local.get $source))"))
        .body("after-restore", &format!("{count} (call $ok)"));
    let place = Place::new(&guest, "");
    for run in [place.dump(), place.restore()] {
        let said: Vec<_> = run.stderr.lines().filter(|line| line.contains("moment ")).collect();
        assert_eq!(said, ["state: moment 1", "state: moment 2", "state: moment 3"], "{run}");
        run.expect(0);
    }
}

#[test]
fn the_values_of_a_link_come_from_a_component() {
    let mut guest = Guest::new().with_columns();
    let values = guest.list(&["greeting.txt", "gone.jpg", "greeting.txt"]);
    let guest = guest.body(
        "link-values",
        &format!("{} (call $ok)", attempt(&format!("(call $push (i32.load offset=60 (local.get $arguments)) {values})"))),
    );
    let other = "\n[[set]]\nname = \"files\"\ndriver = \"component\"\ncomponent = \"driver.wasm\"\n";
    let link = "\n[[link]]\nfrom = \"state\"\ncolumn = \"notes.picture\"\nto = \"files\"\n";
    let place = Place::new(&guest, &format!("{other}{link}"));
    let dumped = place.dump().expect(3);
    assert!(dumped.stderr.contains("dangling") && dumped.stderr.contains("gone.jpg"), "{dumped}");
    assert!(!dumped.stderr.contains("`notes.picture` names it, and `files` has no such entry: greeting.txt"), "{dumped}");
    let verified = place.host.run(["verify", "out.zip"]).expect(3);
    assert!(verified.stderr.contains("gone.jpg"), "{verified}");
}

#[test]
fn two_sets_with_one_component_run_side_by_side() {
    let set = |name: &str| format!("[[set.children]]\nname = \"{name}\"\ndriver = \"component\"\ncomponent = \"driver.wasm\"\n");
    let configuration = format!("version = 1\n[[set]]\nname = \"both\"\nparallel = true\n{}{}", set("one"), set("other"));
    let place = Place::configured(&Guest::new(), &configuration);
    place.dump().expect(0);
    place.host.run(["verify", "out.zip"]).expect(0);
    place.restore().expect(0);
}
