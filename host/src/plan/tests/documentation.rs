//! `docs/configuration.md` against the code: its examples are planned, and it leaves no key out.

use super::*;
use crate::drivers::registry;

const PAGE: &str = include_str!("../../../../docs/configuration.md");

/// The blocks of TOML in the page.
fn examples() -> Vec<&'static str> {
    PAGE.split("```toml\n").skip(1).map(|rest| rest.split("```").next().expect("a block ends")).collect()
}

#[test]
fn every_example_is_planned() {
    let environment: Environment = [("DATABASE_URL", "sqlite:////srv/shop/shop.db")].into_iter().collect();
    for example in examples() {
        let text = if example.starts_with("version") { example.to_owned() } else { format!("version = 1\n{example}") };
        let config = Config::parse("docs/configuration.md", text, "/srv/shop".into(), &environment);
        if let Err(problems) = for_show(&config, registry::kinds(), &Selection::default()) {
            panic!("{problems}\n{example}");
        }
    }
    assert!(examples().len() >= 5);
}

#[test]
fn every_setting_of_every_driver_is_described() {
    for kind in registry::kinds().iter().filter(|kind| kind.name() != "probe") {
        let heading = format!("### {}\n", kind.name());
        let section = PAGE.split(&heading).nth(1).unwrap_or_else(|| panic!("driver `{}` has no section", kind.name()));
        let section = section.split("\n##").next().unwrap_or_default();
        for key in kind.settings()["properties"].as_object().into_iter().flatten().map(|(key, _)| key) {
            assert!(section.contains(&format!("\n| `{key}` |")), "`{key}` of driver `{}` is not described", kind.name());
        }
    }
}
