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
    let variables = [("DATABASE_URL", "sqlite:////srv/shop/shop.db"), ("MINIO_KEY_ID", "shop"), ("MINIO_SECRET_KEY", "hunter2")];
    let environment: Environment = variables.into_iter().collect();
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
fn drivers_know_their_misspelt_settings() {
    for (driver, key) in [("sqlite", "pth"), ("media", "regoin"), ("media", "unreadble"), ("filesystem", "inclde"), ("postgres", "exlude")]
    {
        let text = format!("version = 1\n[[set]]\nname = \"a\"\ndriver = \"{driver}\"\n{key} = \"x\"\n");
        let config = Config::parse("dumprestore.toml", text, "/srv/shop".into(), &Environment::default());
        let shown = problems(for_show(&config, registry::kinds(), &Selection::default()));
        assert!(shown.contains(&format!("unknown key `{key}` of driver `{driver}`")) && shown.contains("did you mean"), "{shown}");
    }
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
