use std::fs;
use std::os::unix::fs::symlink;

use super::*;

/// A configuration in a directory of its own.
fn in_directory(directory: &Path, text: &str) -> Config {
    Config::parse("dumprestore.toml", format!("version = 1\n{text}"), directory.to_owned(), &Environment::default())
}

fn set(name: &str, driver: &str, path: &str) -> String {
    format!("[[set]]\nname = \"{name}\"\ndriver = \"{driver}\"\npath = \"{path}\"\n")
}

fn leaves_out<'p>(plan: &'p Plan, path: &str) -> &'p [PathBuf] {
    &plan.tree.in_order().into_iter().find(|set| set.path.as_str() == path).expect("the set runs").leave_out
}

fn warnings(plan: &Plan) -> Vec<String> {
    plan.view.warnings.iter().map(ToString::to_string).collect()
}

#[test]
fn a_database_inside_a_tree_is_left_out_there_and_said() {
    let text = set("db", "table", "/srv/x/state/shop.db") + &set("files", "tree", "/srv/x/state") + &set("more", "tree", "/srv/x/state2");
    let plan = plan(&text);
    assert_eq!(leaves_out(&plan, "files"), [PathBuf::from("/srv/x/state/shop.db")]);
    assert_eq!(leaves_out(&plan, "more"), [] as [PathBuf; 0]);
    assert_eq!(warnings(&plan), ["files: `db` lies inside it, and is left out here: `/srv/x/state/shop.db`"]);
}

/// A skipped database must not be copied raw, nor be deleted as something extra by a restore of the files around it.
#[test]
fn a_set_that_is_skipped_is_left_out_of_the_others_all_the_same() {
    let text = set("db", "table", "/srv/x/state/shop.db") + &set("files", "tree", "/srv/x/state");
    let plan = for_show(&config(&text), KINDS, &selection(&[], &["db"])).unwrap_or_else(|problems| panic!("{problems}"));
    assert_eq!(leaves_out(&plan, "files"), [PathBuf::from("/srv/x/state/shop.db")]);
}

#[test]
fn a_symbolic_link_hides_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path().canonicalize().unwrap();
    fs::create_dir_all(root.join("real/inner")).unwrap();
    symlink(root.join("real"), root.join("link")).unwrap();
    let text = set("db", "table", "real/inner/shop.db") + &set("files", "tree", "link");
    let plan = for_show(&in_directory(&root, &text), KINDS, &Selection::default()).unwrap_or_else(|problems| panic!("{problems}"));
    assert_eq!(leaves_out(&plan, "files"), [root.join("real/inner/shop.db"), root.join("link/inner/shop.db")]);
}

#[test]
fn of_nested_trees_each_leaves_out_those_inside_and_the_innermost_says_so() {
    let text = set("c", "tree", "/srv/a/b/c") + &set("b", "tree", "/srv/a/b") + &set("a", "tree", "/srv/a");
    let plan = plan(&text);
    assert_eq!(leaves_out(&plan, "a"), [PathBuf::from("/srv/a/b/c"), PathBuf::from("/srv/a/b")]);
    assert_eq!(leaves_out(&plan, "b"), [PathBuf::from("/srv/a/b/c")]);
    assert_eq!(
        warnings(&plan),
        ["b: `c` lies inside it, and is left out here: `/srv/a/b/c`", "a: `b` lies inside it, and is left out here: `/srv/a/b`"]
    );
}

#[test]
fn two_sets_on_one_target_are_refused_unless_one_is_skipped() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path().canonicalize().unwrap();
    fs::create_dir(root.join("media")).unwrap();
    symlink(root.join("media"), root.join("uploads")).unwrap();
    let config = in_directory(&root, &(set("media", "tree", "media") + &set("uploads", "tree", "uploads")));
    let shown = problems(for_show(&config, KINDS, &Selection::default()));
    let place = root.join("uploads");
    assert_eq!(
        shown,
        format!(
            "dumprestore.toml:7:8: `media` and `uploads` both stand at `{}`: a restore of one would undo the other
  7 | name = \"uploads\"
    |        ^^^^^^^^^
    = let them point to different places, or leave one out with `--skip`",
            place.display()
        )
    );
    assert!(for_show(&config, KINDS, &selection(&[], &["media"])).is_ok());
}

#[test]
fn the_archive_inside_a_tree_is_left_out_under_both_its_names() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path().canonicalize().unwrap();
    fs::create_dir(root.join("state")).unwrap();
    let config = in_directory(&root, &set("files", "tree", "state"));
    let archive = [root.join("state/out.zip"), root.join("state/.out.zip.partial")];
    let plan = for_dump(&config, KINDS, &Selection::default(), &archive).unwrap_or_else(|problems| panic!("{problems}"));
    assert_eq!(leaves_out(&plan, "files"), archive);
    assert_eq!(warnings(&plan), [format!("files: the archive lies inside it, and is left out: `{}`", archive[0].display())]);
    let beside = [root.join("out.zip"), root.join(".out.zip.partial")];
    let plan = for_dump(&config, KINDS, &Selection::default(), &beside).unwrap_or_else(|problems| panic!("{problems}"));
    assert_eq!(leaves_out(&plan, "files"), [] as [PathBuf; 0]);
}

/// An archive's name that is a symbolic link is replaced by the archive: the name is left out, and so is what it points to.
#[test]
fn an_archive_whose_name_is_a_symbolic_link_is_left_out_too() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path().canonicalize().unwrap();
    fs::create_dir(root.join("state")).unwrap();
    fs::write(root.join("elsewhere.zip"), "").unwrap();
    symlink(root.join("elsewhere.zip"), root.join("state/out.zip")).unwrap();
    let config = in_directory(&root, &set("files", "tree", "state"));
    let plan =
        for_dump(&config, KINDS, &Selection::default(), &[root.join("state/out.zip")]).unwrap_or_else(|problems| panic!("{problems}"));
    assert_eq!(leaves_out(&plan, "files"), [root.join("state/out.zip")]);
}

#[test]
fn an_archive_over_what_is_dumped_is_refused() {
    let shown = problems(for_dump(&config(SHOP), KINDS, &Selection::default(), &[PathBuf::from("/srv/shop/shop.db")]));
    assert_eq!(shown, "the archive `/srv/shop/shop.db` is what `database` stands for\n   = name another file for the archive");
}

#[test]
fn two_sets_with_one_url_are_warned_of() {
    let bucket = |name: &str| format!("[[set]]\nname = \"{name}\"\ndriver = \"media\"\nurl = \"s3://shop/{name}\"\n");
    let text = bucket("a") + &bucket("b").replace("shop/b", "shop/a");
    // The tests' drivers take URLs for paths: these two are told apart by nothing else.
    let shown = problems(for_show(&config(&text), KINDS, &Selection::default()));
    assert!(shown.contains("`a` and `b` both stand at"), "{shown}");
}
