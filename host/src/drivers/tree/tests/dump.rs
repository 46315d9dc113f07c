//! What a dump leaves out, refuses and notices.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use super::super::{Options, Selection, Unreadable, View, temporary};
use super::{NOBODY, dump, dump_after, options, recorded, restore, unprivileged};
use crate::archive::{Entry, EntryWriter, Writer};
use crate::conformance::MemoryArchive;
use crate::drivers::{Ended, Extra, FindingKind, Level};
use crate::error::{ErrorKind, Result};
use crate::name::EntryName;

fn names(archive: &MemoryArchive) -> Vec<String> {
    let mut names: Vec<_> = archive.entries().iter().map(|info| info.entry.name.to_string()).collect();
    names.sort();
    names
}

fn content(archive: &MemoryArchive, name: &str) -> String {
    String::from_utf8(archive.content(&EntryName::from(name)).unwrap().to_vec()).unwrap()
}

/// A tree that everybody may look into, but for `secret`, `closed/` and `closed2/deep`.
fn partly_unreadable() -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    let at = |name: &str| root.path().join(name);
    fs::create_dir(at("closed")).unwrap();
    fs::create_dir(at("closed2")).unwrap();
    for name in ["open", "secret", "closed/hidden", "closed2/deep"] {
        fs::write(at(name), "x").unwrap();
    }
    let modes = [("secret", 0o600), ("closed", 0o700), ("closed2/deep", 0), ("closed2", 0o755), ("open", 0o644), ("", 0o755)];
    for (name, mode) in modes {
        fs::set_permissions(at(name), PermissionsExt::from_mode(mode)).unwrap();
    }
    root
}

#[test]
fn one_error_names_everything_that_cannot_be_read() {
    let root = partly_unreadable();
    for view in [View::Files, View::Objects] {
        let error = unprivileged(|| dump(options(view, root.path()), &recorded(None).0).map(drop).unwrap_err());
        assert_eq!(error.kind(), ErrorKind::PermissionDenied);
        let mut named: Vec<_> = error.context().iter().map(|(_, name)| name.as_str()).collect();
        named.sort_unstable();
        assert_eq!(named, ["closed2/deep: permission denied", "closed: permission denied", "secret: permission denied"], "{view:?}");
        assert!(error.advice().unwrap().contains("unreadable = \"skip\""));
    }
}

#[test]
fn what_cannot_be_read_is_left_out_as_told_and_each_is_a_finding() {
    let root = partly_unreadable();
    for (view, expected) in [(View::Objects, &["open"][..]), (View::Files, &["", "closed", "closed2", "open"])] {
        let options = Options { unreadable: Unreadable::Skip, ..options(view, root.path()) };
        let (context, recorder) = recorded(None);
        let archive = unprivileged(|| dump(options, &context).unwrap());
        assert_eq!(names(&archive), expected);
        let mut skipped: Vec<_> = recorder.findings().into_iter().map(|finding| (finding.kind, finding.name)).collect();
        skipped.sort();
        let expected = ["closed", "closed2/deep", "secret"].map(|name| (FindingKind::Skipped, name.to_owned()));
        assert_eq!(skipped, expected, "{view:?}");
    }
}

/// What the dump left out as told is in no archive; a restore that took it for extra would delete what nobody has a copy of.
#[test]
fn what_cannot_be_read_and_is_left_out_as_told_is_not_extra_at_a_restore() {
    let root = tempfile::tempdir().unwrap();
    let at = |name: &str| root.path().join(name);
    fs::create_dir(at("closed")).unwrap();
    for name in ["open", "secret", "closed/hidden"] {
        fs::write(at(name), name).unwrap();
    }
    for (name, mode) in [("", 0o755), ("open", 0o644), ("secret", 0), ("closed/hidden", 0o644), ("closed", 0)] {
        if rustix::process::geteuid().is_root() {
            std::os::unix::fs::chown(at(name), Some(NOBODY), Some(NOBODY)).unwrap();
        }
        fs::set_permissions(at(name), PermissionsExt::from_mode(mode)).unwrap();
    }
    for view in [View::Objects, View::Files] {
        let skip = || Options { unreadable: Unreadable::Skip, ..options(view, root.path()) };
        let archive = unprivileged(|| dump(skip(), &recorded(None).0).unwrap());
        let strict = unprivileged(|| restore(options(view, root.path()), &recorded(None).0, &archive).map(drop));
        assert!(strict.is_err(), "{view:?}: without `skip` they are in the way, as ever");
        let (context, recorder) = recorded(Some(Extra::Delete));
        unprivileged(|| restore(skip(), &context, &archive)).unwrap_or_else(|error| panic!("{view:?}: {error:?}"));
        assert!(at("secret").exists(), "{view:?}");
        let told = recorder.lines().into_iter().filter(|(_, line)| line.contains("stays as it is: it cannot be read")).count();
        assert_eq!(told, 2, "{view:?}: {:?}", recorder.lines());
    }
    fs::set_permissions(at("closed"), PermissionsExt::from_mode(0o755)).unwrap();
    assert_eq!(fs::read_to_string(at("closed/hidden")).unwrap(), "closed/hidden");
}

#[test]
fn what_vanished_after_it_was_listed_is_a_finding_and_the_rest_is_copied() {
    let root = tempfile::tempdir().unwrap();
    let at = |name: &str| root.path().join(name);
    fs::create_dir(at("gone-directory")).unwrap();
    for name in ["stays", "gone", "gone-directory/inside", "now-a-directory", "now-a-pipe"] {
        fs::write(at(name), name).unwrap();
    }
    symlink("stays", at("gone-link")).unwrap();
    let (context, recorder) = recorded(None);
    let archive = dump_after(options(View::Files, root.path()), &context, || {
        fs::remove_file(at("gone")).unwrap();
        fs::remove_file(at("gone-link")).unwrap();
        fs::remove_dir_all(at("gone-directory")).unwrap();
        fs::remove_file(at("now-a-directory")).unwrap();
        fs::create_dir(at("now-a-directory")).unwrap();
        fs::remove_file(at("now-a-pipe")).unwrap();
        rustix::fs::mknodat(rustix::fs::CWD, at("now-a-pipe"), rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
        fs::write(at("appeared"), "after the listing").unwrap();
    });
    assert_eq!(names(&archive.unwrap()), ["", "stays"]);
    let mut vanished: Vec<_> = recorder.findings().into_iter().map(|finding| (finding.kind, finding.name)).collect();
    vanished.sort();
    let expected = ["gone", "gone-directory", "gone-directory/inside", "gone-link", "now-a-directory", "now-a-pipe"];
    assert_eq!(vanished, expected.map(|name| (FindingKind::Vanished, name.to_owned())));
}

#[test]
fn what_changed_after_it_was_listed_is_noticed_even_if_size_and_time_are_the_same() {
    let root = tempfile::tempdir().unwrap();
    let at = |name: &str| root.path().join(name);
    for name in ["grown", "same-size", "same-time", "replaced", "untouched"] {
        fs::write(at(name), "before").unwrap();
    }
    let time = at("same-time").metadata().unwrap().modified().unwrap();
    let (context, recorder) = recorded(None);
    let archive = dump_after(options(View::Objects, root.path()), &context, || {
        fs::write(at("grown"), "before and after").unwrap();
        fs::write(at("same-size"), "after!").unwrap();
        fs::write(at("same-time"), "after!").unwrap();
        File::open(at("same-time")).unwrap().set_modified(time).unwrap();
        fs::write(at("other"), "before").unwrap();
        fs::rename(at("other"), at("replaced")).unwrap();
    });
    assert_eq!(content(&archive.unwrap(), "same-time"), "after!");
    let mut changed: Vec<_> = recorder.findings().into_iter().map(|finding| (finding.kind, finding.name)).collect();
    changed.sort();
    assert_eq!(changed, ["grown", "replaced", "same-size", "same-time"].map(|name| (FindingKind::Changed, name.to_owned())));
}

/// Hands bytes on to an archive, and does something after the first of each entry.
struct Meddler {
    into: Box<dyn Writer>,
    meddle: fn(&Path),
    path: PathBuf,
}

struct MeddlerEntry {
    into: Box<dyn EntryWriter>,
    meddle: Option<fn(&Path)>,
    path: PathBuf,
}

impl Writer for Meddler {
    fn create(&mut self, entry: Entry) -> Result<Box<dyn EntryWriter>> {
        Ok(Box::new(MeddlerEntry { into: self.into.create(entry)?, meddle: Some(self.meddle), path: self.path.clone() }))
    }

    fn another(&self) -> Result<Box<dyn Writer>> {
        self.into.another()
    }
}

impl EntryWriter for MeddlerEntry {
    fn space(&mut self) -> Result<&mut [u8]> {
        self.into.space()
    }

    fn advance(&mut self, filled: usize) -> Result<()> {
        self.into.advance(filled)?;
        if let Some(meddle) = self.meddle.take() {
            meddle(&self.path);
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<()> {
        self.into.finish()
    }
}

/// Dumps one file of 1 MiB, with which `meddle` meddles once its first piece is copied. Says how much the entry holds.
fn dump_meddled_with(meddle: fn(&Path)) -> u64 {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("log");
    fs::write(&path, vec![b'x'; 1 << 20]).unwrap();
    let (context, recorder) = recorded(None);
    let archive = MemoryArchive::new();
    let mut driver = super::driver(View::Objects, root.path());
    driver.before_dump(&context).unwrap();
    driver.dump(&context, Box::new(Meddler { into: archive.writer(), meddle, path })).unwrap();
    archive.close().unwrap();
    driver.after_dump(&context, &Ended::Ok).unwrap();
    let findings: Vec<_> = recorder.findings().into_iter().map(|finding| (finding.kind, finding.name)).collect();
    assert_eq!(findings, [(FindingKind::Changed, "log".to_owned())]);
    archive.entries()[0].size
}

#[test]
fn a_log_that_grows_while_it_is_read_is_copied_as_it_was_when_it_was_opened() {
    let size = dump_meddled_with(|path| OpenOptions::new().append(true).open(path).unwrap().write_all(&[b'y'; 1 << 20]).unwrap());
    assert_eq!(size, 1 << 20);
}

#[test]
fn a_file_that_shrinks_while_it_is_read_is_noticed() {
    let size = dump_meddled_with(|path| OpenOptions::new().write(true).open(path).unwrap().set_len(1 << 17).unwrap());
    assert_eq!(size, 1 << 17);
}

#[test]
fn a_file_that_is_overwritten_while_it_is_read_is_noticed() {
    let size = dump_meddled_with(|path| OpenOptions::new().write(true).open(path).unwrap().write_all(b"y").unwrap());
    assert_eq!(size, 1 << 20);
}

#[test]
fn the_further_names_of_a_file_whose_first_vanished_bring_its_content() {
    let root = tempfile::tempdir().unwrap();
    let at = |name: &str| root.path().join(name);
    let all = ["one", "two", "three"];
    fs::write(at(all[0]), "shared").unwrap();
    fs::hard_link(at(all[0]), at(all[1])).unwrap();
    fs::hard_link(at(all[0]), at(all[2])).unwrap();
    let first = names_in_listing_order(root.path())[0].clone();
    let (context, recorder) = recorded(None);
    let archive = dump_after(options(View::Files, root.path()), &context, || fs::remove_file(at(&first)).unwrap()).unwrap();
    assert!(recorder.findings().iter().any(|finding| finding.kind == FindingKind::Vanished && finding.name == first));
    let target = tempfile::tempdir().unwrap();
    super::restore(options(View::Files, target.path()), &context, &archive).unwrap();
    for name in all.iter().filter(|name| **name != first) {
        assert_eq!(fs::read_to_string(target.path().join(name)).unwrap(), "shared", "{name}");
    }
}

#[test]
fn a_first_name_that_now_belongs_to_another_file_does_not_lend_its_content() {
    let root = tempfile::tempdir().unwrap();
    let at = |name: &str| root.path().join(name);
    fs::write(at("one"), "shared").unwrap();
    fs::hard_link(at("one"), at("two")).unwrap();
    let order = names_in_listing_order(root.path());
    let (context, _) = recorded(None);
    let archive = dump_after(options(View::Files, root.path()), &context, || {
        fs::write(at("new"), "another").unwrap();
        fs::rename(at("new"), at(&order[0])).unwrap();
    });
    let archive = archive.unwrap();
    assert_eq!(content(&archive, &order[0]), "another");
    assert_eq!(content(&archive, &order[1]), "shared");
}

/// The names of files in the order in which the walk meets them.
fn names_in_listing_order(root: &Path) -> Vec<String> {
    let names = fs::read_dir(root).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.collect()
}

#[test]
fn globs_choose_and_the_directories_on_the_way_come_along() {
    let root = tempfile::tempdir().unwrap();
    let at = |name: &str| root.path().join(name);
    for name in ["keys/a.pem", "keys/a.tmp", "conf/deep/x.toml", "conf/deep/x.txt", "cache/x.toml", "top.toml", "none/here.txt"] {
        fs::create_dir_all(at(name).parent().unwrap()).unwrap();
        fs::write(at(name), "x").unwrap();
    }
    let own = |globs: &[&str]| globs.iter().map(ToString::to_string).collect::<Vec<_>>();
    let selection = Selection::new(&own(&["keys", "**/*.toml"]), &own(&["cache", "**/*.tmp"])).unwrap();
    let archive = dump(Options { selection, ..options(View::Files, root.path()) }, &recorded(None).0).unwrap();
    assert_eq!(names(&archive), ["", "conf", "conf/deep", "conf/deep/x.toml", "keys", "keys/a.pem", "top.toml"]);
}

#[test]
fn globs_that_match_nothing_are_warned_of() {
    let root = tempfile::tempdir().unwrap();
    for name in ["keys", "private", "empty"] {
        fs::create_dir(root.path().join(name)).unwrap();
    }
    fs::write(root.path().join("keys/a.pem"), "x").unwrap();
    fs::write(root.path().join("private/b.pem"), "x").unwrap();
    let globs = ["keys", "keys/*.pem", "kyes", "private/*.pem", "empty", "**/*.key"].map(str::to_owned);
    let selection = Selection::new(&globs, &["private".into()]).unwrap();
    let (context, recorder) = recorded(None);
    dump(Options { selection, ..options(View::Files, root.path()) }, &context).unwrap();
    let said = ["kyes", "private/*.pem", "**/*.key"].map(|glob| (Level::Warn, format!("the glob `{glob}` of `include` matches nothing")));
    assert_eq!(recorder.lines(), said);
}

#[test]
fn what_belongs_to_others_is_left_out_and_said_whatever_leads_to_it() {
    let (root, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let at = |name: &str| root.path().join(name);
    fs::create_dir_all(at("db/inside")).unwrap();
    for name in ["db/inside/x", "out.zip", "kept", "db.txt"] {
        fs::write(at(name), "x").unwrap();
    }
    fs::write(elsewhere.path().join("live.db"), "x").unwrap();
    symlink(elsewhere.path(), at("alias")).unwrap();
    let (mut context, recorder) = recorded(None);
    context.leave_out = vec![at("db"), at("out.zip"), at("missing/x"), elsewhere.path().join("live.db")];
    let archive = dump(options(View::Objects, root.path()), &context).unwrap();
    assert_eq!(names(&archive), ["db.txt", "kept"]);
    for name in ["db", "out.zip", "alias/live.db"] {
        let said = recorder.lines().iter().filter(|(level, line)| *level == Level::Info && line.contains(&format!("`{name}`"))).count();
        assert_eq!(said, 1, "{name} is said once: {:?}", recorder.lines());
    }
}

#[test]
fn what_an_interrupted_restore_left_behind_is_no_part_of_the_set() {
    let root = tempfile::tempdir().unwrap();
    let leftover = temporary::name();
    fs::write(root.path().join(&leftover), "half").unwrap();
    fs::write(root.path().join("whole"), "whole").unwrap();
    let (context, recorder) = recorded(None);
    assert_eq!(names(&dump(options(View::Objects, root.path()), &context).unwrap()), ["whole"]);
    assert!(recorder.lines().iter().any(|(level, line)| *level == Level::Warn && line.contains(&leftover)));
}

#[test]
fn a_directory_that_is_none_or_not_there_is_an_error_that_names_it() {
    let root = tempfile::tempdir().unwrap();
    fs::write(root.path().join("file"), "x").unwrap();
    for (name, kind) in [("missing", ErrorKind::NotFound), ("file", ErrorKind::Other)] {
        let error = dump(options(View::Files, &root.path().join(name)), &recorded(None).0).map(drop).unwrap_err();
        assert_eq!(error.kind(), kind);
        assert!(error.message().contains(name), "{error}");
    }
}
