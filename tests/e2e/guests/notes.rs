//! `notes-c` and `notes-py`: the contract in two more languages, with the same configuration and the same format.

use std::fs;

use dr_host_tests::host::Host;
use dr_host_tests::machine::guest;
use tempfile::TempDir;

const BOTH: [&str; 2] = ["notes-c", "notes-py"];

/// The kinds of error, and how people read them where the message is not all.
const KINDS: [&str; 8] =
    ["invalid-config", "unavailable", "permission-denied", "not-found", "unsupported", "corrupt", "cancelled", "other"];

fn configured(directory: &TempDir, name: &str, root: &str, config: &str) -> Host {
    let text = format!(
        "version = 1\n\n[[set]]\nname = \"shop\"\n\n[[set.children]]\nname = \"notes\"\ndriver = \"component\"\ncomponent = \"{}\"\n\
         config = {{ directory = \"/notes\", {config} }}\ngrant = {{ write = [{{ path = \"{root}\", guest = \"/notes\" }}] }}\n\
         limit = {{ memory = \"1280MiB\" }}\n",
        guest(name).display()
    );
    fs::create_dir_all(directory.path().join(root)).expect("a directory can be made");
    Host::configured(directory.path(), &text).env("XDG_CACHE_HOME", &super::cache())
}

/// Notes in sub-directories, with names in two scripts: each guest restores what it dumped, and what the other did.
#[test]
fn each_restores_its_own_notes_and_the_others() {
    let directory = TempDir::new().unwrap();
    let source = directory.path().join("source");
    fs::create_dir_all(source.join("2026/茶")).unwrap();
    for (name, text) in [("todo.txt", "buy milk\n"), ("2026/january.txt", ""), ("2026/茶/größe.txt", "viel\n")] {
        fs::write(source.join(name), text).unwrap();
    }
    for (number, (from, to)) in BOTH.into_iter().flat_map(|from| BOTH.map(|to| (from, to))).enumerate() {
        let (archive, target) = (format!("{number}.zip"), format!("target-{number}"));
        configured(&directory, from, "source", "").run(["dump", &archive]).expect(0);
        configured(&directory, to, &target, "").run(["restore", &archive]).expect(0);
        for name in ["todo.txt", "2026/january.txt", "2026/茶/größe.txt"] {
            let (before, after) = (source.join(name), directory.path().join(&target).join(name));
            assert_eq!(fs::read(&after).unwrap(), fs::read(&before).unwrap(), "{from} to {to}: {name}");
            let time = |path| fs::metadata(path).unwrap().modified().unwrap();
            assert_eq!(time(after), time(before), "{from} to {to}: {name}");
        }
    }
}

/// Every kind of error, from each guest: the message reaches the person as the guest said it, with its hint, and nothing that looks
/// like an archive is left.
#[test]
fn every_kind_of_error_reaches_the_person() {
    for name in BOTH {
        let directory = TempDir::new().unwrap();
        for kind in KINDS {
            let host = configured(&directory, name, "source", &format!("fail = \"{kind}\""));
            let ended = host.run(["dump", "a.zip"]);
            assert_ne!(ended.code, Some(0), "{name} {kind}: {ended}");
            if kind != "cancelled" {
                assert!(ended.stderr.contains(&format!("`dump` fails with `{kind}`, as the configuration says")), "{name}: {ended}");
                assert!(ended.stderr.contains("take `fail` out of the configuration"), "{name}: {ended}");
            }
            assert!(!directory.path().join("a.zip").exists(), "{name} {kind}");
        }
    }
}

/// Any moment can fail; the run says which.
#[test]
fn every_moment_can_fail() {
    for name in BOTH {
        let directory = TempDir::new().unwrap();
        configured(&directory, name, "source", "").run(["dump", "whole.zip"]).expect(0);
        for (moment, arguments, code) in [
            ("before-dump", ["dump", "a.zip"], 1),
            ("dump", ["dump", "a.zip"], 1),
            ("after-dump", ["dump", "b.zip"], 3),
            ("before-restore", ["restore", "whole.zip"], 1),
            ("restore", ["restore", "whole.zip"], 1),
            ("after-restore", ["restore", "whole.zip"], 3),
        ] {
            let host = configured(&directory, name, "source", &format!("fail = \"unavailable\", fail_in = \"{moment}\""));
            let ended = host.run(arguments);
            assert_eq!(ended.code, Some(code), "{name} {moment}: {ended}");
            assert!(ended.stderr.contains(&format!("`{moment}` fails with `unavailable`")), "{name}: {ended}");
        }
        assert!(!directory.path().join("a.zip").exists());
        assert!(directory.path().join("b.zip").exists(), "what a dump brought whole stays, though its end failed");
    }
}

/// A gibibyte in one run, there and back. In C within the memory that a guest gets by default; in Python the memory grows by what is
/// written, as its README says.
#[test]
fn a_gibibyte_goes_through_in_one_run() {
    for name in BOTH {
        let directory = TempDir::new().unwrap();
        let host = configured(&directory, name, "source", "generate = 1073741824, chunk = 1048576");
        if name == "notes-c" {
            let file = directory.path().join("dumprestore.toml");
            let text = fs::read_to_string(&file).unwrap().replace("limit = { memory = \"1280MiB\" }\n", "");
            fs::write(file, text).unwrap();
        }
        host.run(["dump", "a.zip"]).expect(0);
        host.run(["verify", "a.zip"]).expect(0);
        host.run(["restore", "a.zip"]).expect(0);
        let listed = host.run(["list", "--json", "a.zip"]).expect(0);
        assert!(listed.stdout.contains("1073741824"), "{listed}");
    }
}
