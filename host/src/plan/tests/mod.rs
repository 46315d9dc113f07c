//! Plans of small trees, with two kinds of driver of the tests' own: `table`, which has columns, and `tree`, which has names.

mod default_set;
mod documentation;
mod links;
mod overlap;
mod restore;
mod secrets;
mod settings;

use serde_json::json;

use super::*;
use crate::archive::{Reader, Writer};
use crate::drivers::{Context, Description, Driver, Ended, Occupied, Outcome, PointInTime, SettingError, Settings, Survey, Worth};
use crate::error::Result;

struct Kin {
    name: &'static str,
    schemes: &'static [&'static str],
}

static TABLE: Kin = Kin { name: "table", schemes: &["table"] };
static TREE: Kin = Kin { name: "tree", schemes: &[] };
static MEDIA: Kin = Kin { name: "media", schemes: &["s3"] };
const KINDS: Kinds<'static> = &[&TABLE, &TREE, &MEDIA];

impl Kind for Kin {
    fn name(&self) -> &'static str {
        self.name
    }

    fn summary(&self) -> &'static str {
        "A driver for tests."
    }

    fn settings(&self) -> serde_json::Value {
        json!({
            "type": "object",
            "properties": {
                "path": {"type": "string", "description": "Where it is."},
                "url": {"type": "string", "description": "Where it is, as a URL."},
                "unreadable": {"enum": ["fail", "skip"], "description": "What to do with unreadable files."},
                "jobs": {"type": "integer", "minimum": 1, "description": "How many at once."},
                "secrets": {"type": "object", "properties": {"password": {"type": "string"}}, "additionalProperties": false},
                "password": {"type": "string"},
            },
            "anyOf": [{"required": ["path"]}, {"required": ["url"]}],
        })
    }

    fn url_schemes(&self) -> &'static [&'static str] {
        self.schemes
    }

    fn configure(&self, settings: &Settings) -> Result<Box<dyn Driver>, Vec<SettingError>> {
        let text = |key: &str| settings.values.get(key).and_then(serde_json::Value::as_str);
        if text("path").is_some_and(|path| path.contains('*')) {
            return Err(vec![SettingError::new("/path", "a path has no `*`").hint("use `include`")]);
        }
        let place = text("path").or(text("url").map(|url| url.trim_start_matches("table://"))).unwrap_or_default();
        let url = text("url").map(|url| crate::redact::url(url).into_owned());
        Ok(Box::new(Fake { kind: self.name, place: settings.path(place), url }))
    }
}

struct Fake {
    kind: &'static str,
    place: PathBuf,
    url: Option<String>,
}

impl Driver for Fake {
    fn describe(&self) -> Description {
        Description {
            name: self.kind.into(),
            version: "2".into(),
            formats: vec![format!("{}/1", self.kind)],
            has_columns: self.kind == "table",
            has_names: self.kind != "table",
            details: BTreeMap::new(),
        }
    }

    fn items(&self) -> Option<&'static str> {
        (self.kind == "table").then_some("row")
    }

    fn survey(&self) -> Survey {
        let worth = if self.kind == "table" { Worth::Exact } else { Worth::Interval };
        let mut survey = Survey::new(self.url.clone().unwrap_or_else(|| self.place.display().to_string()), worth);
        survey.occupies.push(if self.kind == "table" { Occupied::File(self.place.clone()) } else { Occupied::Tree(self.place.clone()) });
        survey
    }

    fn before_dump(&mut self, _: &Context) -> Result<PointInTime> {
        unreachable!("a plan runs nothing")
    }

    fn dump(&mut self, _: &Context, _: Box<dyn Writer>) -> Result<Outcome> {
        unreachable!("a plan runs nothing")
    }

    fn after_dump(&mut self, _: &Context, _: &Ended) -> Result<()> {
        unreachable!("a plan runs nothing")
    }

    fn before_restore(&mut self, _: &Context, _: &dyn Reader) -> Result<()> {
        unreachable!("a plan runs nothing")
    }

    fn restore(&mut self, _: &Context, _: &dyn Reader) -> Result<Outcome> {
        unreachable!("a plan runs nothing")
    }

    fn after_restore(&mut self, _: &Context, _: &Ended) -> Result<()> {
        unreachable!("a plan runs nothing")
    }
}

fn config(text: &str) -> Config {
    Config::parse("dumprestore.toml", format!("version = 1\n{text}"), "/srv/shop".into(), &Environment::default())
}

fn selection(only: &[&str], skip: &[&str]) -> Selection {
    let owned = |paths: &[&str]| paths.iter().map(|path| (*path).to_owned()).collect();
    Selection { only: owned(only), skip: owned(skip) }
}

fn plan(text: &str) -> Plan {
    for_show(&config(text), KINDS, &Selection::default()).unwrap_or_else(|problems| panic!("{problems}"))
}

fn problems(result: Result<Plan, Problems>) -> String {
    result.err().map(|problems| problems.to_string()).expect("a plan was made")
}

const SHOP: &str = r#"
[[set]]
name = "database"
driver = "table"
path = "shop.db"
[[set]]
name = "state"
[[set.children]]
name = "media"
driver = "tree"
path = "media"
[[set.children]]
name = "keys"
driver = "tree"
path = "keys"
[[link]]
from = "database"
column = "photo.image"
to = "state/media"
"#;

#[test]
fn a_tree_becomes_a_plan_in_its_order() {
    let plan = plan(SHOP);
    let order: Vec<&str> = plan.tree.in_order().iter().map(|set| set.path.as_str()).collect();
    assert_eq!(order, ["database", "state/media", "state/keys"]);
    let view: Vec<_> = plan.view.sets.iter().map(|set| (set.path.as_str(), set.depth, set.order, set.target.as_deref())).collect();
    assert_eq!(
        view,
        [
            ("database", 0, Some(1), Some("/srv/shop/shop.db")),
            ("state", 0, None, None),
            ("state/media", 1, Some(2), Some("/srv/shop/media")),
            ("state/keys", 1, Some(3), Some("/srv/shop/keys")),
        ]
    );
    assert!(plan.view.links[0].safe_order);
    assert_eq!(plan.view.warnings, []);
}

#[test]
fn only_and_skip_take_subtrees_and_drop_their_links() {
    let plan = for_show(&config(SHOP), KINDS, &selection(&["state"], &["state/keys"])).unwrap_or_else(|problems| panic!("{problems}"));
    let order: Vec<&str> = plan.tree.in_order().iter().map(|set| set.path.as_str()).collect();
    assert_eq!(order, ["state/media"]);
    assert_eq!(plan.tree.left_out.iter().map(SetPath::as_str).collect::<Vec<_>>(), ["database", "state/keys"]);
    assert!(plan.tree.links.is_empty());
    let warnings: Vec<String> = plan.view.warnings.iter().map(ToString::to_string).collect();
    assert_eq!(warnings, ["the link from `database` `photo.image` to `state/media` is not checked: `database` is left out"]);
}

#[test]
fn a_path_that_is_no_set_is_a_usage_error_with_the_nearest() {
    let shown = problems(for_show(&config(SHOP), KINDS, &selection(&["databas"], &["state/key", "zzz"])));
    assert_eq!(
        shown,
        "`--only databas`: there is no such set\n   = did you mean `database`?\n\
         `--skip state/key`: there is no such set\n   = did you mean `state/keys`?\n\
         `--skip zzz`: there is no such set\n   = there are `database`, `state`, `state/media`, `state/keys`"
    );
}
