//! What a restore writes, what it leaves alone, and what it does with what stands in the target already.

use std::fs::{self, File};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tempfile::TempDir;

use super::super::{Options, Selection, View, temporary};
use super::{driver, dump, options, recorded, restore, unprivileged};
use crate::archive::entry::attribute;
use crate::archive::{Entries, Entry, EntryReader, Reader, Totals};
use crate::conformance::{MemoryArchive, Recorder};
use crate::drivers::{Extra, Outcome, Skipped};
use crate::error::{Error, Result};
use crate::name::EntryName;

/// A source, its archive, and a target that holds the same.
struct Pair {
    _directory: TempDir,
    target: PathBuf,
    archive: MemoryArchive,
    view: View,
}

const FILES: [&str; 4] = ["a", "d/b", "d/e/c", ".hidden"];

impl Pair {
    fn new(view: View) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let (source, target) = (directory.path().join("source"), directory.path().join("target"));
        for name in FILES {
            fs::create_dir_all(source.join(name).parent().unwrap()).unwrap();
            fs::write(source.join(name), format!("content of {name}")).unwrap();
        }
        let (context, _) = recorded(None);
        let archive = dump(options(view, &source), &context).unwrap();
        restore(options(view, &target), &context, &archive).unwrap();
        Self { _directory: directory, target, archive, view }
    }

    fn at(&self, name: &str) -> PathBuf {
        self.target.join(name)
    }

    fn restore(&self, extra: Option<Extra>) -> (Result<Outcome>, Arc<Recorder>) {
        let (context, recorder) = recorded(extra);
        (restore(options(self.view, &self.target), &context, &self.archive), recorder)
    }

    fn restored(&self, extra: Option<Extra>) -> Outcome {
        self.restore(extra).0.unwrap()
    }

    fn refused(&self, extra: Option<Extra>) -> Error {
        let error = self.restore(extra).0.unwrap_err();
        assert!(error.is_untouched(), "{error}");
        error
    }

    #[track_caller]
    fn expect_whole(&self) {
        for name in FILES {
            assert_eq!(fs::read_to_string(self.at(name)).unwrap(), format!("content of {name}"));
        }
    }
}

fn note(outcome: &Outcome, key: &str) -> u64 {
    outcome.notes.get(key).map_or(0, |number| number.parse().unwrap())
}

fn told(error: &Error, key: &str) -> Vec<String> {
    let mut names: Vec<_> = error.context().iter().filter(|(k, _)| k == key).map(|(_, name)| name.clone()).collect();
    names.sort();
    names
}

const BOTH: [View; 2] = [View::Files, View::Objects];

#[test]
fn only_what_is_missing_or_differs_is_written() {
    for view in BOTH {
        let pair = Pair::new(view);
        let inodes = || FILES.map(|name| pair.at(name).metadata().map(|meta| meta.ino()).ok());
        let before = inodes();
        let outcome = pair.restored(None);
        assert_eq!((note(&outcome, "written"), note(&outcome, "unchanged")), (0, 4));
        assert_eq!(inodes(), before);
        fs::remove_file(pair.at("d/e/c")).unwrap();
        fs::write(pair.at("a"), "longer than before the restore").unwrap();
        let outcome = pair.restored(None);
        assert_eq!((note(&outcome, "written"), note(&outcome, "unchanged")), (2, 2), "{view:?}");
        assert_eq!(inodes()[3], before[3]);
        pair.expect_whole();
    }
}

#[test]
fn a_newer_file_of_the_same_size_is_rolled_back_and_so_is_one_of_the_same_time() {
    for view in BOTH {
        let pair = Pair::new(view);
        fs::write(pair.at("a"), "CONTENT of a").unwrap();
        let time = pair.at("d/b").metadata().unwrap().modified().unwrap();
        fs::write(pair.at("d/b"), "CONTENT of d/b").unwrap();
        File::open(pair.at("d/b")).unwrap().set_modified(time).unwrap();
        assert_eq!(note(&pair.restored(None), "written"), 2, "{view:?}");
        pair.expect_whole();
    }
}

#[test]
fn metadata_that_differs_is_put_right_without_writing_the_content_again() {
    for view in BOTH {
        let pair = Pair::new(view);
        let inode = pair.at("a").metadata().unwrap().ino();
        let modified = pair.at("a").metadata().unwrap().modified().unwrap();
        File::open(pair.at("a")).unwrap().set_modified(SystemTime::now()).unwrap();
        fs::set_permissions(pair.at("d/b"), PermissionsExt::from_mode(0o600)).unwrap();
        let outcome = pair.restored(None);
        assert_eq!((note(&outcome, "repaired"), note(&outcome, "written")), (2, 0), "{view:?}");
        let meta = pair.at("a").metadata().unwrap();
        assert_eq!((meta.ino(), meta.modified().unwrap()), (inode, modified));
        assert_eq!(pair.at("d/b").metadata().unwrap().mode() & 0o777, 0o644);
    }
}

#[test]
fn another_name_of_a_file_does_not_change_with_it() {
    let pair = Pair::new(View::Objects);
    fs::write(pair.at("a"), "CONTENT of a").unwrap();
    let copy = pair.target.with_file_name("copy");
    fs::hard_link(pair.at("a"), &copy).unwrap();
    let other = pair.target.with_file_name("other");
    fs::hard_link(pair.at("d/b"), &other).unwrap();
    fs::set_permissions(&other, PermissionsExt::from_mode(0o600)).unwrap();
    pair.restored(None);
    pair.expect_whole();
    assert_eq!(fs::read_to_string(copy).unwrap(), "CONTENT of a");
    assert_eq!(other.metadata().unwrap().mode() & 0o777, 0o600);
}

#[test]
fn things_that_the_archive_lacks_are_refused_and_named() {
    for view in BOTH {
        let pair = Pair::new(view);
        fs::create_dir_all(pair.at("new/below")).unwrap();
        for name in ["extra", "d/extra", "new/below/x", "new/y"] {
            fs::write(pair.at(name), "newer").unwrap();
        }
        fs::write(pair.at("a"), "changed").unwrap();
        let error = pair.refused(None);
        let expected: &[&str] =
            if view == View::Files { &["d/extra", "extra", "new"] } else { &["d/extra", "extra", "new/below/x", "new/y"] };
        assert_eq!(told(&error, "extra"), expected);
        assert!(error.advice().unwrap().contains("--extra keep"));
        assert_eq!(fs::read_to_string(pair.at("a")).unwrap(), "changed", "nothing was written");
    }
}

#[test]
fn things_that_the_archive_lacks_stay_as_told() {
    for view in BOTH {
        let pair = Pair::new(view);
        fs::create_dir(pair.at("new")).unwrap();
        fs::write(pair.at("new/x"), "newer").unwrap();
        fs::write(pair.at("a"), "changed").unwrap();
        pair.restored(Some(Extra::Keep));
        pair.expect_whole();
        assert_eq!(fs::read_to_string(pair.at("new/x")).unwrap(), "newer");
    }
}

#[test]
fn things_that_the_archive_lacks_go_as_told_and_nothing_behind_a_link_does() {
    for view in BOTH {
        let pair = Pair::new(view);
        let outside = pair.target.with_file_name("outside");
        fs::create_dir(&outside).unwrap();
        fs::write(outside.join("kept"), "kept").unwrap();
        fs::create_dir_all(pair.at("new/below/empty")).unwrap();
        fs::write(pair.at("new/below/x"), "newer").unwrap();
        symlink(&outside, pair.at("new/link")).unwrap();
        pair.restored(Some(Extra::Delete));
        pair.expect_whole();
        assert!(!pair.at("new/below/x").exists());
        assert_eq!(pair.at("new").exists(), view == View::Objects, "to objects, a link out of the target is none of theirs");
        assert_eq!(fs::read_to_string(outside.join("kept")).unwrap(), "kept");
    }
}

#[test]
fn directories_that_no_object_needs_any_more_go_with_the_last_one() {
    let pair = Pair::new(View::Objects);
    fs::create_dir_all(pair.at("new/below")).unwrap();
    fs::create_dir_all(pair.at("empty from the start")).unwrap();
    fs::write(pair.at("new/below/x"), "newer").unwrap();
    pair.restored(Some(Extra::Delete));
    assert!(!pair.at("new").exists());
    assert!(pair.at("empty from the start").exists(), "an empty directory is nothing to objects");
}

#[test]
fn a_directory_in_the_place_of_a_file_and_the_reverse_are_extra() {
    for view in BOTH {
        let pair = Pair::new(view);
        fs::remove_file(pair.at("a")).unwrap();
        fs::create_dir(pair.at("a")).unwrap();
        fs::write(pair.at("a/inside"), "newer").unwrap();
        fs::remove_dir_all(pair.at("d/e")).unwrap();
        fs::write(pair.at("d/e"), "newer").unwrap();
        for extra in [None, Some(Extra::Keep)] {
            let error = pair.refused(extra);
            let blocked = if view == View::Files { "a" } else { "a/inside" };
            assert_eq!(told(&error, "in the way"), [blocked, "d/e"], "{view:?}");
        }
        pair.restored(Some(Extra::Delete));
        pair.expect_whole();
    }
}

#[test]
fn an_empty_directory_in_the_place_of_an_object_gives_way() {
    let pair = Pair::new(View::Objects);
    fs::remove_file(pair.at("a")).unwrap();
    fs::create_dir(pair.at("a")).unwrap();
    pair.restored(None);
    pair.expect_whole();
}

#[test]
fn a_link_in_the_place_of_a_file_is_replaced_and_not_written_through() {
    for view in BOTH {
        let pair = Pair::new(view);
        let outside = pair.target.with_file_name("outside");
        fs::write(&outside, "kept").unwrap();
        fs::remove_file(pair.at("a")).unwrap();
        symlink(&outside, pair.at("a")).unwrap();
        pair.restored(None);
        pair.expect_whole();
        assert!(pair.at("a").symlink_metadata().unwrap().is_file());
        assert_eq!(fs::read_to_string(&outside).unwrap(), "kept");
    }
}

#[test]
fn nothing_is_written_through_a_directory_link_that_leaves_the_target() {
    for view in BOTH {
        let pair = Pair::new(view);
        let outside = pair.target.with_file_name("outside");
        fs::rename(pair.at("d"), &outside).unwrap();
        symlink(&outside, pair.at("d")).unwrap();
        fs::write(outside.join("b"), "another's").unwrap();
        let error = pair.refused(None);
        let key = if view == View::Files { "in the way" } else { "link" };
        assert_eq!(told(&error, key), ["d"], "{view:?}: {error}");
        assert_eq!(fs::read_to_string(outside.join("b")).unwrap(), "another's");
    }
}

#[test]
fn objects_are_written_through_a_directory_link_that_stays_within_the_target() {
    let pair = Pair::new(View::Objects);
    fs::rename(pair.at("d"), pair.at("moved")).unwrap();
    symlink("moved", pair.at("d")).unwrap();
    fs::write(pair.at("d/b"), "changed").unwrap();
    pair.restored(Some(Extra::Keep));
    pair.expect_whole();
    assert!(pair.at("d").symlink_metadata().unwrap().is_symlink());
}

#[test]
fn an_object_behind_a_link_is_left_alone_where_it_is_the_same() {
    let pair = Pair::new(View::Objects);
    let outside = pair.target.with_file_name("outside");
    fs::rename(pair.at("a"), &outside).unwrap();
    symlink(&outside, pair.at("a")).unwrap();
    assert_eq!(note(&pair.restored(None), "unchanged"), 4);
    assert!(pair.at("a").symlink_metadata().unwrap().is_symlink());
}

#[test]
fn what_the_globs_and_other_sets_leave_out_is_neither_extra_nor_touched() {
    let pair = Pair::new(View::Files);
    fs::create_dir(pair.at("cache")).unwrap();
    fs::write(pair.at("cache/x"), "x").unwrap();
    fs::write(pair.at("live.db"), "live").unwrap();
    fs::write(pair.at("d/b"), "changed, and left out").unwrap();
    let (mut context, recorder) = recorded(Some(Extra::Delete));
    context.leave_out = vec![pair.at("live.db"), pair.at("not/there")];
    let selection = Selection::new(&[], &["cache".into(), "d/b".into()]).unwrap();
    restore(Options { selection, ..options(View::Files, &pair.target) }, &context, &pair.archive).unwrap();
    assert_eq!(fs::read_to_string(pair.at("cache/x")).unwrap(), "x");
    assert_eq!(fs::read_to_string(pair.at("live.db")).unwrap(), "live");
    assert_eq!(fs::read_to_string(pair.at("d/b")).unwrap(), "changed, and left out");
    assert!(recorder.lines().iter().any(|(_, line)| line.starts_with("1 ")), "what stays in the archive is said: {:?}", recorder.lines());
}

/// Whoever restores may be able to read what the dump could not.
#[test]
fn what_the_dump_left_out_as_told_is_no_extra() {
    for view in BOTH {
        let pair = Pair::new(view);
        fs::create_dir_all(pair.at("closed/below")).unwrap();
        fs::create_dir_all(pair.at("only")).unwrap();
        let kept = ["secret", "d/\x01", "closed/below/x", "only/secret"];
        kept.iter().for_each(|name| fs::write(pair.at(name), "not in the archive").unwrap());
        ["extra", "only/extra"].iter().for_each(|name| fs::write(pair.at(name), "newer").unwrap());
        let (mut context, _) = recorded(Some(Extra::Delete));
        let names = ["secret", "d/\\u{1}", "closed", "only/secret"].map(str::to_owned).into();
        context.skipped = Arc::new(Skipped { names, more: false });
        let outcome = restore(options(view, &pair.target), &context, &pair.archive).unwrap();
        assert_eq!(note(&outcome, "deleted"), 2, "{view:?}");
        pair.expect_whole();
        kept.iter().for_each(|name| assert!(pair.at(name).exists(), "{view:?}: {name}"));

        context.restore.extra = None;
        restore(options(view, &pair.target), &context, &pair.archive).unwrap();

        context.restore.extra = Some(Extra::Delete);
        context.skipped = Arc::new(Skipped { names: context.skipped.names.clone(), more: true });
        let error = restore(options(view, &pair.target), &context, &pair.archive).unwrap_err();
        assert!(error.is_untouched(), "{error}");
        let said = "`--extra delete` could delete what the dump left out as told: the archive does not name all of that";
        assert_eq!((error.message(), error.advice()), (said, Some("pass `--extra keep`, and delete by hand what must go")));
    }
}

#[test]
fn what_an_interrupted_restore_left_behind_is_removed_and_is_no_extra() {
    for view in BOTH {
        let pair = Pair::new(view);
        let leftovers = [pair.at(&temporary::name()), pair.at("d").join(temporary::name())];
        leftovers.iter().for_each(|path| fs::write(path, "half").unwrap());
        pair.restored(None);
        pair.expect_whole();
        assert!(leftovers.iter().all(|path| !path.exists()), "{view:?}");
    }
}

#[test]
fn sockets_and_pipes_of_the_application_are_left_alone() {
    for view in BOTH {
        let pair = Pair::new(view);
        let _socket = std::os::unix::net::UnixListener::bind(pair.at("d/app.sock")).unwrap();
        pair.restored(Some(Extra::Delete));
        assert!(pair.at("d/app.sock").exists(), "{view:?}");
    }
}

#[test]
fn hard_links_are_made_again_and_files_that_became_one_come_apart() {
    let directory = tempfile::tempdir().unwrap();
    let (source, target) = (directory.path().join("source"), directory.path().join("target"));
    fs::create_dir(&source).unwrap();
    fs::write(source.join("one"), "shared").unwrap();
    fs::hard_link(source.join("one"), source.join("two")).unwrap();
    fs::write(source.join("alone"), "shared").unwrap();
    fs::set_permissions(source.join("alone"), PermissionsExt::from_mode(0o600)).unwrap();
    let (context, _) = recorded(None);
    let archive = dump(options(View::Files, &source), &context).unwrap();
    fs::create_dir(&target).unwrap();
    fs::write(target.join("one"), "shared").unwrap();
    fs::hard_link(target.join("one"), target.join("alone")).unwrap();
    fs::write(target.join("two"), "shared").unwrap();
    restore(options(View::Files, &target), &context, &archive).unwrap();
    let meta = |name: &str| target.join(name).metadata().unwrap();
    assert_eq!(meta("one").ino(), meta("two").ino());
    assert_ne!(meta("one").ino(), meta("alone").ino());
    assert_eq!((meta("one").mode() & 0o777, meta("alone").mode() & 0o777), (0o644, 0o600));
    let again = restore(options(View::Files, &target), &context, &archive).unwrap();
    assert_eq!(note(&again, "written"), 0, "a second restore finds nothing to do: {again:?}");
}

#[test]
fn owners_are_found_by_name_and_else_by_number() {
    let archive = MemoryArchive::new();
    let file = |name: &str, user: &str, uid: &str| {
        Entry::new(name).attribute(attribute::MODE, "4755").attribute("uid", uid).attribute("gid", uid).attribute("user", user)
    };
    archive.put(file("named", "daemon", "4711"), &b"x"[..]);
    archive.put(file("numbered", "nobody has this name", "4711"), &b"x"[..]);
    let target = tempfile::tempdir().unwrap();
    restore(options(View::Files, target.path()), &recorded(None).0, &archive).unwrap();
    let meta = |name: &str| target.path().join(name).metadata().unwrap();
    let daemon = uzers::get_user_by_name("daemon").unwrap().uid();
    assert_eq!((meta("named").uid(), meta("named").gid()), (daemon, 4711));
    assert_eq!((meta("numbered").uid(), meta("numbered").mode() & 0o7777), (4711, 0o4755), "a change of owner keeps the mode");
}

#[test]
fn an_ordinary_user_restores_what_it_may_and_is_told_once_what_it_may_not() {
    let pair = Pair::new(View::Files);
    for (name, mode) in [("d/e", 0o555), ("d", 0o000), ("a", 0o4755)] {
        fs::set_permissions(pair.at(name), PermissionsExt::from_mode(mode)).unwrap();
    }
    let archive = dump(options(View::Files, &pair.target), &recorded(None).0).unwrap();
    let home = tempfile::tempdir().unwrap();
    fs::set_permissions(home.path(), PermissionsExt::from_mode(0o777)).unwrap();
    let target = home.path().join("target");
    let (context, recorder) = recorded(None);
    let mode = |name: &str| target.join(name).symlink_metadata().unwrap().mode() & 0o7777;
    unprivileged(|| restore(options(View::Files, &target), &context, &archive)).unwrap();
    assert_eq!((mode("d"), mode("d/e")), (0, 0o555), "closed directories are closed again, after all below them");
    assert_eq!(mode("a"), 0o755, "a file that belongs to somebody else does not run as that");
    assert_eq!(fs::read_to_string(target.join("d/e/c")).unwrap(), "content of d/e/c");
    let warnings = recorder.lines().into_iter().filter(|(_, line)| line.contains("owners")).count();
    assert_eq!(warnings, 1);
    let error = unprivileged(|| restore(options(View::Files, &target), &context, &archive)).unwrap_err();
    assert!(error.is_untouched() && error.message().contains("cannot look into `d`"), "{error}");
}

#[test]
fn new_objects_belong_to_the_owner_of_their_directory_and_replaced_ones_keep_theirs() {
    let pair = Pair::new(View::Objects);
    let own = |path: &Path, id: u32| std::os::unix::fs::chown(path, Some(id), Some(id)).unwrap();
    own(&pair.target, 1001);
    own(&pair.at("a"), 1002);
    fs::write(pair.at("a"), "changed").unwrap();
    fs::remove_file(pair.at(".hidden")).unwrap();
    fs::remove_dir_all(pair.at("d")).unwrap();
    pair.restored(None);
    let owner = |name: &str| pair.at(name).metadata().unwrap().uid();
    assert_eq!((owner("a"), owner(".hidden"), owner("d"), owner("d/e/c")), (1002, 1001, 1001, 1001));
}

#[test]
fn a_target_that_is_a_link_to_nowhere_is_refused() {
    for view in BOTH {
        let pair = Pair::new(view);
        let link = pair.target.with_file_name("link");
        symlink("missing", &link).unwrap();
        for target in [link.clone(), link.join("below")] {
            let error = restore(options(view, &target), &recorded(None).0, &pair.archive).unwrap_err();
            assert!(error.is_untouched(), "{error}");
            assert_eq!(error.message(), format!("`{}` is a symbolic link that leads nowhere", link.display()));
            assert_eq!(error.advice(), Some("make the directory that it leads to, or remove the link"));
        }
        assert!(!pair.target.with_file_name("missing").exists());
    }
}

#[test]
fn a_target_that_this_user_may_not_write_is_refused() {
    let pair = Pair::new(View::Objects);
    fs::set_permissions(pair._directory.path(), PermissionsExt::from_mode(0o755)).unwrap();
    let error = unprivileged(|| pair.refused(None));
    assert!(error.message().contains("cannot write into"), "{error}");
    let missing = pair.target.join("missing/deeper");
    let (context, _) = recorded(None);
    let error = unprivileged(|| restore(options(View::Objects, &missing), &context, &pair.archive)).unwrap_err();
    assert!(error.is_untouched() && error.message().contains("cannot write into"), "{error}");
}

/// Lists what the archive holds, and opens none of it.
struct Unopenable<'a>(&'a dyn Reader);

impl Reader for Unopenable<'_> {
    fn totals(&self) -> Totals {
        self.0.totals()
    }

    fn entries(&self) -> Result<Box<dyn Entries>> {
        self.0.entries()
    }

    fn open(&self, _: &EntryName) -> Result<Box<dyn EntryReader>> {
        // Long enough that all threads are given work, and more waits, before the first fails.
        std::thread::sleep(Duration::from_millis(50));
        Err(Error::corrupt("unopenable"))
    }
}

#[test]
fn a_restore_ends_when_all_its_threads_fail_at_once() {
    let directory = tempfile::tempdir().unwrap();
    let archive = MemoryArchive::new();
    (0..1_000).for_each(|number| archive.put(Entry::new(format!("f{number}")), *b"content"));
    let target = directory.path().join("target");
    let (ended, told) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let context = recorded(None).0;
        let mut driver = driver(View::Objects, &target);
        let reader = archive.reader();
        driver.before_restore(&context, &reader).unwrap();
        ended.send(driver.restore(&context, &Unopenable(&reader)).unwrap_err())
    });
    let error = told.recv_timeout(Duration::from_secs(20)).expect("the restore ends");
    assert!(error.message().ends_with("unopenable"), "{error}");
}
