//! A component goes through `describe` and all six moments, with nothing granted.

use dr_host_tests::component::Guest;

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
