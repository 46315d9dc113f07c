//! Media in a bucket of a real S3 server.

use std::fs;
use std::path::PathBuf;

use dr_host_tests::host::{Ended, Host};
use dr_host_tests::s3::{Object, SECRET_KEY, Server};
use serde_json::Value;
use tempfile::TempDir;

/// A server, and a directory whose configuration dumps `s3://shop/uploads`.
struct Shop {
    directory: TempDir,
    server: Server,
}

impl Shop {
    fn new() -> Self {
        let (directory, server) = (tempfile::tempdir().expect("a directory"), Server::start());
        let shop = Self { directory, server };
        shop.configure("dumprestore.toml", &shop.set("s3://shop/uploads"));
        shop
    }

    fn set(&self, url: &str) -> String {
        format!("[[set]]\nname = \"media\"\ndriver = \"media\"\nurl = \"{url}\"\n{}", self.server.settings())
    }

    fn configure(&self, file: &str, sets: &str) {
        fs::write(self.path(file), format!("version = 1\n\n{sets}")).expect("a configuration");
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn host(&self) -> Host {
        Host::new(self.directory.path())
    }

    fn run(&self, arguments: &str) -> Ended {
        self.host().run(arguments.split(' '))
    }

    /// Everything in the bucket: keys, contents, and the headers that an application sets.
    fn everything(&self) -> Vec<(String, Object)> {
        let own = |name: &str| {
            name.starts_with("x-amz-meta-") || ["content-type", "cache-control", "content-disposition", "content-encoding"].contains(&name)
        };
        let look = |key: String| {
            let mut object = self.server.get(&key).expect("an object that was listed");
            object.headers.retain(|(name, _)| own(name));
            object.headers.sort();
            (key, object)
        };
        self.server.keys().into_iter().map(look).collect()
    }
}

/// Keys as applications have them.
const ODD: [&str; 14] = [
    "uploads/.hidden",
    "uploads/x#12",
    "uploads/a b  c.jpg",
    "uploads/100%25 of %.txt",
    "uploads/%2e%2e/up",
    "uploads/größe/日本語/العربية.txt",
    "uploads/a&b<c>\"d'.txt",
    "uploads/back\\slash",
    "uploads/que?ry=1+2&x",
    "uploads/*[brackets]{braces}|~^`",
    "uploads/ leading and trailing ",
    "uploads/a",
    "uploads/a/below a",
    "uploads/C:/drive",
];

#[test]
fn objects_come_back_name_for_name_with_their_attributes() {
    let shop = Shop::new();
    for (number, key) in ODD.into_iter().enumerate() {
        shop.server.put(key, format!("content {number}").as_bytes(), &[]);
    }
    shop.server.put("uploads/empty", b"", &[]);
    let headers = [
        "content-type: image/png",
        "cache-control: max-age=60, public",
        "content-disposition: attachment; filename=\"x.png\"",
        "content-encoding: gzip",
        "x-amz-meta-owner: the owner",
    ];
    shop.server.put("uploads/attributes.png", b"\x1f\x8b not really gzip", &headers);
    for (key, content) in [("uploads2/not ours", "a"), ("uploads", "b"), ("other", "c"), ("uploads/", "")] {
        shop.server.put(key, content.as_bytes(), &[]);
    }
    let before = shop.everything();
    let ended = shop.run("dump --json out.zip").expect(0);
    assert_eq!(ended.events_of("set-finished")[0]["summary"]["totals"]["entries"], 16, "the set's own, and no other: {ended}");
    for (key, ..) in before.iter().filter(|(key, ..)| key.starts_with("uploads/") && key != "uploads/") {
        shop.server.delete(key);
    }
    shop.server.put("uploads/a", b"overwritten later, and so newer", &["content-type: text/html"]);
    shop.run("restore out.zip").expect(0);
    assert_eq!(shop.everything(), before);
    shop.run("verify out.zip").expect(0);
}

#[test]
fn a_restore_writes_what_differs_and_asks_what_becomes_of_the_rest() {
    let shop = Shop::new();
    for key in ["same", "same size", "longer", "other type", "missing"] {
        shop.server.put(&format!("uploads/{key}"), b"12345", &["content-type: text/plain"]);
    }
    shop.run("dump out.zip").expect(0);
    let written =
        |key: &str| shop.server.get(&format!("uploads/{key}")).and_then(|object| object.header("x-amz-meta-by").map(str::to_owned));
    shop.server.put("uploads/same size", b"54321", &["content-type: text/plain", "x-amz-meta-by: the application"]);
    shop.server.put("uploads/longer", b"1234567", &["content-type: text/plain"]);
    shop.server.put("uploads/other type", b"12345", &["content-type: text/html"]);
    shop.server.delete("uploads/missing");
    shop.server.put("uploads/extra", b"e", &[]);
    shop.server.put("uploads/more extra", b"e", &[]);
    let before = shop.everything();
    let ended = shop.run("restore out.zip").expect(1);
    assert!(ended.stderr.contains("2 objects that the archive lacks"), "{ended}");
    assert!(ended.stderr.contains("more extra") && ended.stderr.contains("--extra"), "{ended}");
    assert_eq!(shop.everything(), before, "a refusal writes nothing");
    shop.run("restore --extra keep out.zip").expect(0);
    for key in ["same", "same size", "longer", "other type", "missing"] {
        let object = shop.server.get(&format!("uploads/{key}")).expect("restored");
        assert_eq!((object.content.as_slice(), object.header("content-type")), (&b"12345"[..], Some("text/plain")), "{key}");
        assert_eq!(written(key), None, "{key}");
    }
    assert!(shop.server.keys().contains(&"uploads/extra".to_owned()));
    shop.run("restore --extra delete --yes out.zip").expect(0);
    assert_eq!(shop.server.keys().len(), 5);
}

#[test]
fn what_changes_or_vanishes_after_the_listing_is_told() {
    let shop = Shop::new();
    let first = "[[set]]\nname = \"first\"\ndriver = \"probe\"\nwait = { dump = \"go\" }\n\n";
    shop.configure("dumprestore.toml", &format!("{first}{}", shop.set("s3://shop/uploads")));
    for number in 0..20 {
        shop.server.put(&format!("uploads/{number:02}"), b"as it was listed", &[]);
    }
    let mut dump = shop.host().start(["dump", "--json", "out.zip"]);
    dump.until(|event| event["event"] == "moment" && event["moment"] == "dump");
    shop.server.put("uploads/03", b"as it became", &[]);
    shop.server.delete("uploads/07");
    shop.server.put("uploads/new", b"too late", &[]);
    fs::write(shop.path("go"), "").expect("a sign");
    let ended = dump.wait().expect(3);
    let mut findings: Vec<(String, String)> =
        ended.events_of("finding").iter().map(|event| (text(&event["finding"]["kind"]), text(&event["finding"]["name"]))).collect();
    findings.sort();
    assert_eq!(findings, [("changed".into(), "03".into()), ("vanished".into(), "07".into())], "{ended}");
    for key in shop.server.keys() {
        shop.server.delete(&key);
    }
    let ended = shop.run("restore --only media out.zip").expect(0);
    assert!(ended.stderr.contains("vanished `07`"), "what the archive lacks is told again: {ended}");
    assert_eq!(shop.server.keys().len(), 19);
    assert_eq!(shop.server.get("uploads/03").expect("a row must find its file").content, b"as it became");
}

fn text(value: &Value) -> String {
    value.as_str().expect("text").to_owned()
}

#[test]
fn a_set_inside_anothers_prefix_is_left_out_there() {
    let shop = Shop::new();
    let inner = shop.set("s3://shop/uploads/avatars").replace("\"media\"\ndriver", "\"avatars\"\ndriver");
    shop.configure("both.toml", &format!("{inner}\n{}", shop.set("s3://shop/uploads")));
    for key in ["uploads/a.jpg", "uploads/avatars", "uploads/avatars2/b.jpg", "uploads/avatars/me.png"] {
        shop.server.put(key, key.as_bytes(), &[]);
    }
    let before = shop.everything();
    let dumped = shop.run("dump -c both.toml --json out.zip").expect(0);
    assert!(dumped.stdout.contains("`avatars` lies inside it, and is left out here"), "{dumped}");
    let entries: Vec<_> = dumped.events_of("set-finished").iter().map(|event| event["summary"]["totals"]["entries"].as_u64()).collect();
    assert_eq!(entries, [Some(1), Some(3)], "each object once: {dumped}");
    shop.server.put("uploads/avatars/new.png", b"of the other set, which is skipped", &[]);
    shop.server.put("uploads/new.jpg", b"extra", &[]);
    shop.run("restore -c both.toml --skip avatars --extra delete --yes out.zip").expect(0);
    let keys = shop.server.keys();
    assert!(keys.contains(&"uploads/avatars/new.png".to_owned()) && !keys.contains(&"uploads/new.jpg".to_owned()), "{keys:?}");
    shop.run("restore -c both.toml --extra delete --yes out.zip").expect(0);
    assert_eq!(shop.everything(), before);
    shop.configure("same.toml", &format!("{}\n{}", shop.set("s3://shop/uploads"), inner.replace("/avatars", "/")));
    let same = shop.run("plan -c same.toml").expect(2);
    assert!(same.stderr.contains("`media` and `avatars` both stand at"), "{same}");
}

#[test]
fn keys_that_cannot_be_named_are_all_named() {
    let shop = Shop::new();
    let bad = ["uploads/a//b", "uploads//c", "uploads/./d", "uploads/../e", "uploads/folder/", "uploads/bell\u{7}"];
    for key in bad {
        shop.server.put(key, b"x", &[]);
    }
    shop.server.put("uploads/good", b"x", &[]);
    shop.server.put("elsewhere//not ours", b"x", &[]);
    let ended = shop.run("dump out.zip").expect(1);
    for key in bad {
        assert!(ended.stderr.contains(&key.escape_debug().to_string()), "`{key}` is not named: {ended}");
    }
    assert!(ended.stderr.contains("6 keys") && !ended.stderr.contains("not ours") && !ended.stderr.contains("uploads/good"), "{ended}");
    assert!(!shop.path("out.zip").exists());
}

#[test]
fn large_objects_travel_in_parts() {
    let shop = Shop::new();
    let large: Vec<u8> = (0_u32..6_000_000).flat_map(|number| number.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
    shop.server.put("uploads/large.bin", &large, &["content-type: video/mp4", "x-amz-meta-by: me"]);
    shop.run("dump out.zip").expect(0);
    shop.server.delete("uploads/large.bin");
    shop.run("restore out.zip").expect(0);
    let object = shop.server.get("uploads/large.bin").expect("restored");
    assert!(object.content == large, "{} bytes of {}", object.content.len(), large.len());
    assert_eq!((object.header("content-type"), object.header("x-amz-meta-by")), (Some("video/mp4"), Some("me")));
}

#[test]
fn a_directory_and_a_bucket_restore_each_other() {
    let shop = Shop::new();
    let directory = shop.path("media");
    fs::create_dir_all(directory.join("sub")).expect("a directory");
    for number in 0..1100 {
        fs::write(directory.join(format!("sub/{number}.txt")), format!("file {number}")).expect("a file");
    }
    shop.configure("directory.toml", "[[set]]\nname = \"media\"\ndriver = \"media\"\nurl = \"media\"\n");
    shop.run("dump -c directory.toml from-directory.zip").expect(0);
    shop.run("restore from-directory.zip").expect(0);
    assert_eq!(shop.server.keys().len(), 1100, "more than a listing's page");
    assert_eq!(shop.server.get("uploads/sub/1099.txt").expect("an object").content, b"file 1099");
    let ended = shop.run("dump --json from-bucket.zip").expect(0);
    assert_eq!(ended.events_of("set-finished")[0]["summary"]["totals"]["entries"], 1100);
    fs::remove_dir_all(&directory).expect("removed");
    shop.run("restore -c directory.toml from-bucket.zip").expect(0);
    assert_eq!(fs::read(directory.join("sub/7.txt")).expect("a file"), b"file 7");
    assert_eq!(fs::read_dir(directory.join("sub")).expect("a directory").count(), 1100);
}

#[test]
fn a_bucket_that_cannot_be_had_is_told_without_its_secret() {
    let shop = Shop::new();
    let bucket = |settings: &str| format!("[[set]]\nname = \"media\"\ndriver = \"media\"\nurl = \"s3://shop/uploads\"\n{settings}");
    shop.configure("nobody.toml", &bucket(&shop.server.settings().replace("GK0123", "GK9999")));
    shop.configure("wrong.toml", &bucket(&shop.server.settings().replace("5ec2e7bad0", "6ec2e7bad0")));
    shop.configure("missing.toml", &shop.set("s3://no-such-bucket/uploads"));
    for (file, part) in [("nobody.toml", "GK9999"), ("wrong.toml", "check the access key"), ("missing.toml", "no-such-bucket")] {
        let ended = shop.run(&format!("dump -c {file} out.zip")).expect(1);
        assert!(ended.stderr.contains(part), "{file}: {ended}");
        let secrets = [SECRET_KEY.to_owned(), SECRET_KEY.replace("5ec2e7bad0", "6ec2e7bad0")];
        assert!(secrets.iter().all(|secret| !ended.to_string().contains(secret.as_str())), "{file}: {ended}");
    }
}

#[test]
fn the_usual_variables_of_the_environment_are_enough() {
    let shop = Shop::new();
    shop.server.put("uploads/a", b"x", &[]);
    let host = shop
        .host()
        .env("MEDIA_URL", "s3://shop/uploads")
        .env("AWS_ENDPOINT_URL", shop.server.endpoint())
        .env("AWS_ALLOW_HTTP", "true")
        .env("AWS_REGION", dr_host_tests::s3::REGION)
        .env("AWS_ACCESS_KEY_ID", dr_host_tests::s3::ACCESS_KEY)
        .env("AWS_SECRET_ACCESS_KEY", SECRET_KEY);
    fs::remove_file(shop.path("dumprestore.toml")).expect("removed");
    host.run(["dump", "out.zip"]).expect(0);
    shop.server.delete("uploads/a");
    host.run(["restore", "out.zip"]).expect(0);
    assert_eq!(shop.server.keys(), ["uploads/a"]);
}
