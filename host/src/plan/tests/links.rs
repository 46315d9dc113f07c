use super::*;

/// A database `db` and a tree `media` in this order, and a link between them with these lines.
fn linked(first: &str, second: &str, link: &str) -> String {
    let set = |name: &str| {
        let driver = if name == "db" { "table" } else { "tree" };
        format!("[[set]]\nname = \"{name}\"\ndriver = \"{driver}\"\npath = \"{name}\"\n")
    };
    format!("{}{}[[link]]\nfrom = \"db\"\ncolumn = \"photo.image\"\nto = \"media\"\n{link}", set(first), set(second))
}

#[test]
fn a_target_that_runs_first_is_refused() {
    let shown = problems(for_show(&config(&linked("media", "db", "")), KINDS, &Selection::default()));
    assert_eq!(
        shown,
        "dumprestore.toml:13:6: `media` runs before `db`, which refers to it: what is stored in between would dangle after a restore
  13 | to = \"media\"
     |      ^^^^^^^
     = write `db` above `media`, or set `unsafe_order = true` in the link"
    );
}

#[test]
fn unsafe_order_allows_it_and_says_so() {
    for text in [linked("media", "db", "unsafe_order = true\n"), format!("unsafe_order = true\n{}", linked("media", "db", ""))] {
        let plan = plan(&text);
        assert_eq!(plan.tree.links.len(), 1);
        assert!(!plan.view.links[0].safe_order);
        assert!(plan.view.warnings[0].to_string().ends_with("`unsafe_order` allows it"), "{:?}", plan.view.warnings);
    }
}

#[test]
fn a_link_may_be_strict_where_the_file_is_not() {
    let text = format!("unsafe_order = true\n{}", linked("media", "db", "unsafe_order = false\n"));
    assert!(problems(for_show(&config(&text), KINDS, &Selection::default())).contains("`media` runs before `db`"));
}

/// Points in time are taken in the order of the tree, in a parallel group too: what is written there first comes first.
#[test]
fn in_a_parallel_group_the_written_order_counts() {
    let group = |first: &str, second: &str| {
        format!(
            "[[set]]\nname = \"g\"\nparallel = true\n{}[[link]]\nfrom = \"g/db\"\ncolumn = \"a.b\"\nto = \"g/media\"\n",
            [first, second]
                .map(|name| {
                    let driver = if name == "db" { "table" } else { "tree" };
                    format!("[[set.children]]\nname = \"{name}\"\ndriver = \"{driver}\"\npath = \"{name}\"\n")
                })
                .concat()
        )
    };
    assert!(plan(&group("db", "media")).view.links[0].safe_order);
    assert!(problems(for_show(&config(&group("media", "db")), KINDS, &Selection::default())).contains("`g/media` runs before `g/db`"));
}

/// A child runs before its parent's own driver.
#[test]
fn a_parent_may_be_the_target_of_its_child_but_not_the_reverse() {
    let family = |parent: &str, child: &str, from: &str, to: &str| {
        format!(
            "[[set]]\nname = \"p\"\ndriver = \"{parent}\"\npath = \"p\"\n[[set.children]]\nname = \"c\"\ndriver = \"{child}\"\npath = \"c\"\n\
             [[link]]\nfrom = \"{from}\"\ncolumn = \"a.b\"\nto = \"{to}\"\n"
        )
    };
    assert!(plan(&family("tree", "table", "p/c", "p")).view.links[0].safe_order);
    let shown = problems(for_show(&config(&family("table", "tree", "p", "p/c")), KINDS, &Selection::default()));
    assert!(shown.contains("`p/c` runs before `p`"), "{shown}");
}

#[test]
fn ends_that_cannot_be_ends_are_refused() {
    let text = format!("{SHOP}[[link]]\nfrom = \"state/keys\"\ncolumn = \"a.b\"\nto = \"database\"\nunsafe_order = true\n");
    let shown = problems(for_show(&config(&text), KINDS, &Selection::default()));
    assert_eq!(
        shown,
        "dumprestore.toml:22:8: no link can start at `state/keys`: driver `tree` has no columns
  22 | from = \"state/keys\"
     |        ^^^^^^^^^^^^
     = name a database
dumprestore.toml:24:6: no link can end at `database`: rows cannot name the entries of driver `table`
  24 | to = \"database\"
     |      ^^^^^^^^^^
     = name a set of files"
    );
}
