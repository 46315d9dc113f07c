use rusqlite::Connection;

use super::*;

fn shop() -> Connection {
    let connection = Connection::open_in_memory().expect("a database");
    connection
        .execute_batch(
            r#"CREATE TABLE "gallery photo" (id INTEGER, "the ""image""" TEXT COLLATE NOCASE, deleted INTEGER NOT NULL DEFAULT 0, type TEXT);
            INSERT INTO "gallery photo" VALUES (1, 'a.jpg', 0, 'x'), (2, 'A.jpg', 0, 'x'), (3, 'a.jpg', 0, 'y'), (4, NULL, 0, 'x'), (5, 'gone.jpg', 1, 'x');
            CREATE TABLE mixed (value); INSERT INTO mixed VALUES (7), ('7'), ('seven'), (CAST('blob' AS BLOB)), (1.5), (NULL);
            CREATE TABLE bytes (value BLOB); INSERT INTO bytes VALUES (x'ff00');
            CREATE TABLE page (id INTEGER, type TEXT, body TEXT);
            INSERT INTO page VALUES (1, 'p', '{"image": {"path": "i.png"}, "photos": [{"file": "1.png"}, {"file": "2.png"}, "plain", {"other": 1}]}'),
                (2, 'p', '{"photos": [{"file": "2.png"}, {"file": null}], "tags": ["t1", "t2"], "matrix": [["m1"], ["m2", "m3"]]}'),
                (3, 'q', '{"photos": {"file": "not an array"}}'), (4, 'q', NULL), (5, 'q', '');
            CREATE TABLE broken (id INTEGER, body TEXT); INSERT INTO broken VALUES (1, '{"a": "x"}'), (2, '{nonsense');
            CREATE VIEW seen AS SELECT body FROM page"#,
        )
        .expect("good SQL");
    connection.pragma_update(None, "query_only", true).expect("read only");
    connection
}

fn column(table: &str, column: &str) -> LinkColumn {
    LinkColumn { table: table.into(), column: column.into(), json_path: None, condition: None }
}

fn read(column: &LinkColumn) -> Result<Vec<String>> {
    let mut found = Vec::new();
    values(&shop(), column, &mut |value| {
        found.push(value.to_owned());
        Ok(())
    })?;
    found.sort();
    Ok(found)
}

fn json(table: &str, path: &str) -> LinkColumn {
    LinkColumn { json_path: Some(path.into()), ..column(table, "body") }
}

#[test]
fn values_are_distinct_byte_by_byte() {
    let found = read(&column("gallery photo", "the \"image\"")).expect("values");
    assert_eq!(found, ["A.jpg", "a.jpg", "gone.jpg"]);
    assert_eq!(read(&column("main.Gallery Photo", "THE \"IMAGE\"")).expect("values"), found, "names differ by case alone");
}

#[test]
fn numbers_and_blobs_are_read_as_text() {
    let mut found = read(&column("mixed", "value")).expect("values");
    found.dedup();
    assert_eq!(found, ["1.5", "7", "blob", "seven"]);
    let error = read(&column("bytes", "value")).expect_err("no text");
    assert!(error.message().contains("`bytes.value`") && error.message().contains("\\xff\\x00"), "{error}");
}

#[test]
fn a_condition_is_the_users_sql() {
    let photo = |condition: &str| read(&LinkColumn { condition: Some(condition.into()), ..column("gallery photo", "the \"image\"") });
    assert_eq!(photo("deleted = 0 OR 1 = 0").expect("values"), ["A.jpg", "a.jpg"]);
    assert_eq!(photo("\"gallery photo\".deleted = 1 -- only those").expect("values"), ["gone.jpg"]);
    let error = photo("delted = 0").expect_err("misspelt");
    assert_eq!(error.kind(), ErrorKind::InvalidConfig);
    assert!(error.message().contains("delted") && error.advice().is_some_and(|hint| hint.contains("delted = 0")), "{error}");
    assert!(photo("1) ; DROP TABLE page; --").is_err());
}

#[test]
fn values_inside_json_are_found() {
    assert_eq!(read(&json("page", "$.image.path")).expect("values"), ["i.png"]);
    assert_eq!(read(&json("page", "$.photos[*].file")).expect("values"), ["1.png", "2.png"]);
    assert_eq!(read(&json("page", "$.photos[0].file")).expect("values"), ["1.png", "2.png"]);
    assert_eq!(read(&json("page", "$.tags[*]")).expect("values"), ["t1", "t2"]);
    assert_eq!(read(&json("page", "$.matrix[*][*]")).expect("values"), ["m1", "m2", "m3"]);
    assert_eq!(read(&json("seen", "$.tags[#-1]")).expect("a view will do"), ["t2"]);
    let only_q = LinkColumn { condition: Some("type = 'q'".into()), ..json("page", "$.photos[*].file") };
    assert_eq!(read(&only_q).expect("the condition sees the table's names alone"), Vec::<String>::new());
}

#[test]
fn what_is_not_json_is_told() {
    let error = read(&json("broken", "$.a")).expect_err("nonsense");
    assert!(error.message().contains("1 rows of `broken.body`"), "{error}");
    let without = LinkColumn { condition: Some("json_valid(body)".into()), ..json("broken", "$.a") };
    assert_eq!(read(&without).expect("values"), ["x"]);
    assert_eq!(read(&json("page", "photos")).expect_err("no path").kind(), ErrorKind::InvalidConfig);
}

#[test]
fn misspelt_names_are_met_with_the_nearest() {
    let cases = [
        (column("pages", "body"), "no table `pages`", "`page`"),
        (column("page", "bdy"), "no column `bdy`", "`body`"),
        (column("page", "zzz"), "no column `zzz`", "its columns are `id`, `type`, `body`"),
        (column("public.page", "body"), "no table `public.page`", "page"),
    ];
    for (column, message, hint) in cases {
        let error = read(&column).expect_err(message);
        assert_eq!(error.kind(), ErrorKind::NotFound);
        assert!(error.message().contains(message), "{error}");
        assert!(error.advice().is_some_and(|advice| advice.contains(hint)), "{:?}", error.advice());
    }
}

#[test]
fn a_failure_of_the_taker_ends_the_query() {
    let error = values(&shop(), &column("mixed", "value"), &mut |_| Err(Error::cancelled())).expect_err("the taker's");
    assert!(error.is_cancelled());
}
