//! Every driver of the registry keeps the contract: the suite of `dr_host::conformance` against each, on real places.

mod bucket;
mod directory;
mod postgres;
mod sqlite;

use std::path::Path;

use dr_host::conformance::{Options, Subject, cases, run};
use dr_host::drivers::{Driver, Settings, registry};
use dr_host::error::{Error, ErrorKind, Result};

use bucket::BucketSubject;
use directory::DirectorySubject;
use postgres::PostgresSubject;
use sqlite::{Journal, SqliteSubject};

/// Runs the whole suite; a failure shows the table of all cases.
#[track_caller]
fn keeps_the_contract(subject: &dyn Subject) {
    let report = run(subject, &Options::default());
    assert_eq!(report.cases.len(), cases().count());
    assert!(report.passed(), "{report}");
}

#[test]
fn filesystem_keeps_the_contract() {
    keeps_the_contract(&DirectorySubject { driver: "filesystem" });
}

#[test]
fn media_in_a_directory_keeps_the_contract() {
    keeps_the_contract(&DirectorySubject { driver: "media" });
}

/// Fewer and smaller items than elsewhere: each is a request or more to a server that is not built for speed.
#[test]
fn media_in_a_bucket_keeps_the_contract() {
    let subject = BucketSubject::new();
    let report = run(&subject, &Options { many: 300, large: 9 << 20, ..Options::default() });
    assert!(report.passed(), "{report}");
}

/// Each place is a database that is made and dropped, and each restore runs `pg_restore` three times: somewhat fewer items.
#[test]
fn postgres_keeps_the_contract() {
    let subject = PostgresSubject::new();
    let report = run(&subject, &Options { many: 1000, large: 16 << 20, ..Options::default() });
    assert!(report.passed(), "{report}");
}

#[test]
fn sqlite_with_a_write_ahead_log_keeps_the_contract() {
    keeps_the_contract(&SqliteSubject { journal: Journal::Wal });
}

#[test]
fn sqlite_with_a_rollback_journal_keeps_the_contract() {
    keeps_the_contract(&SqliteSubject { journal: Journal::Delete });
}

/// Whoever registers a driver adds it to this page; the probe is left out, since it restores nothing. What `component` does is up to
/// each component: those of this repository are subjects of their own.
#[test]
fn no_driver_of_the_registry_is_left_out() {
    let names: Vec<_> = registry::kinds().iter().map(|kind| kind.name()).filter(|name| *name != "probe").collect();
    assert_eq!(names, ["postgres", "sqlite", "media", "filesystem", "component"]);
}

/// A driver of the registry, configured as by a file in `base`.
pub(crate) fn configured(kind: &str, base: &Path, settings: serde_json::Value) -> Result<Box<dyn Driver>> {
    let kind = registry::find(kind).ok_or_else(|| Error::new(ErrorKind::NotFound, format!("no driver `{kind}` is registered")))?;
    let serde_json::Value::Object(values) = settings else {
        return Err(Error::new(ErrorKind::InvalidConfig, "settings are an object"));
    };
    kind.configure(&Settings { values, base: base.to_owned() }).map_err(|wrong| {
        let all: Vec<_> = wrong.iter().map(|wrong| format!("{}: {}", wrong.pointer, wrong.message)).collect();
        Error::new(ErrorKind::InvalidConfig, all.join("; "))
    })
}
