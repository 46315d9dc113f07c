use serde_json::json;

use super::*;

fn redactor(secrets: &[&str]) -> Redactor {
    let mut all = Secrets::default();
    secrets.iter().for_each(|secret| all.add(secret));
    Redactor::new(&all)
}

#[test]
fn a_url_is_shown_without_its_password() {
    for (given, shown) in [
        ("postgres://shop:hunter2@db.internal/shop", "postgres://shop:***@db.internal/shop"),
        ("redis://:hunter2@127.0.0.1:6379/0", "redis://:***@127.0.0.1:6379/0"),
        ("postgres://shop@db.internal/shop", "postgres://shop@db.internal/shop"),
        ("postgres://shop:${PASSWORD}@db/shop", "postgres://shop:${PASSWORD}@db/shop"),
        ("sqlite:///srv/shop/db.sqlite3", "sqlite:///srv/shop/db.sqlite3"),
        ("s3://media/a:b@c", "s3://media/a:b@c"),
        ("http://127.0.0.1:9000/media", "http://127.0.0.1:9000/media"),
        ("postgres://shop:hun/ter?2#@x@db/shop", "postgres://shop:***@db/shop"),
        ("postgres://db/shop?user=a&password=hunter2&sslmode=require", "postgres://db/shop?user=a&password=***&sslmode=require"),
        ("host=db user=shop password='hunter 2' dbname=shop", "host=db user=shop password='***' dbname=shop"),
        ("a://u:one1@h and b://u:two2@h", "a://u:***@h and b://u:***@h"),
    ] {
        assert_eq!(url(given), shown);
    }
}

/// Where something is misspelt, rather too much is hidden than too little.
#[test]
fn a_line_with_a_mistake_is_shown_without_what_may_be_a_password() {
    for (line, hidden) in [
        ("url = \"postgres:/u:hunter2@h/d\"", vec!["hunter2"]),
        ("url = \"postgres//u:hunter2@h/d\"", vec!["hunter2"]),
        ("url = \"u:hunter2@h/d\"", vec!["hunter2"]),
        ("url = \"host=h passwrd=hunter2\"", vec!["hunter2"]),
        ("url = \"postgres://h/d?pasword=hunter2\"", vec!["hunter2"]),
        ("path = \"/srv/shop\" # since 12:30", vec![]),
        ("url = \"s3://media/a:b@c\"", vec![]),
    ] {
        let found: Vec<&str> = likely(line).into_iter().map(|range| &line[range]).collect();
        assert_eq!(found, hidden, "{line}");
    }
}

#[test]
fn keys_that_hold_secrets_are_told_from_keys_about_them() {
    for secret in ["password", "PGPASSWORD", "redisPassword", "db-passwd", "AWS_SECRET_ACCESS_KEY", "api_key", "key", "token", "secrets"] {
        assert!(is_secret_key(secret), "{secret}");
    }
    for innocent in ["path", "password_file", "access_key_id", "primary_key", "public-key", "monkey", "key_prefix", "name", "keyboard", ""]
    {
        assert!(!is_secret_key(innocent), "{innocent}");
    }
}

#[test]
fn a_secret_is_struck_in_every_spelling() {
    let secret = "p\"ä s/w@rd%";
    let redactor = redactor(&[secret]);
    let json = serde_json::to_string(secret).unwrap();
    let mut parsed = ::url::Url::parse("postgres://u@h/").unwrap();
    parsed.set_password(Some(secret)).unwrap();
    for text in [
        secret.to_owned(),
        format!("{{\"p\":{json}}}"),
        format!("{secret:?}"),
        parsed.to_string(),
        "postgres://u:p%22%c3%a4%20s%2fw%40rd%@h/".to_owned(),
        utf8_percent_encode(secret, NON_ALPHANUMERIC).to_string(),
    ] {
        let struck = redactor.strike(&text);
        assert!(struck.contains(STRUCK) && !struck.contains("w"), "{text} → {struck}");
    }
}

#[test]
fn a_password_pasted_raw_into_a_url_is_known_raw_and_decoded() {
    let mut secrets = Secrets::default();
    secrets.add_from("postgres://shop:hun%20ter@db/shop?sslpassword=other99");
    let redactor = Redactor::new(&secrets);
    assert_eq!(redactor.strike("hun%20ter, hun ter, hun+ter, other99"), "***, ***, ***, ***");
}

#[test]
fn a_secret_within_another_leaves_nothing_of_the_longer() {
    assert_eq!(redactor(&["abcd", "abcdef"]).strike("xabcdefx abcd"), "x***x ***");
}

#[test]
fn short_secrets_are_counted_and_not_struck() {
    let mut secrets = Secrets::default();
    secrets.add("abc");
    secrets.add("");
    assert_eq!(secrets.too_short(), 1);
    assert_eq!(Redactor::new(&secrets).strike("abc"), "abc");
}

#[test]
fn the_lines_of_a_private_key_are_secrets_too() {
    let key = "-----BEGIN KEY-----\nMIIEvQIBADANBgkqhkiG9w0B\nAQEF\n-----END KEY-----";
    assert_eq!(redactor(&[key]).strike("bad line `MIIEvQIBADANBgkqhkiG9w0B`"), "bad line `***`");
}

#[test]
fn strings_of_json_are_struck_but_not_keys_and_public_names() {
    let mut secrets = Secrets::default();
    secrets.add("media");
    secrets.add_name("media");
    let mut value = json!({"set": "media", "media": 1, "message": "login with media failed", "list": ["xmedia", true]});
    Redactor::new(&secrets).strike_json(&mut value);
    assert_eq!(value, json!({"set": "media", "media": 1, "message": "login with *** failed", "list": ["x***", true]}));
}

#[test]
fn debug_output_shows_nothing() {
    let mut secrets = Secrets::default();
    secrets.add("hunter2");
    assert!(!format!("{secrets:?}").contains("hunter2"));
    assert!(!format!("{:?}", Redactor::new(&secrets)).contains("hunter2"));
}

#[test]
fn a_misspelt_secret_is_still_recognised() {
    for text in
        ["password", "pasword", "passwrod", "passw0rd", "pas\"sword", "my_pasword = 'x'", "tken", "secert", "APIKY", "dbPasswrd", "key = "]
    {
        assert!(resembles_secret(text), "{text}");
    }
    for text in ["path", "name = 'shop'", "strip_prefix", "compression", "tok", "password_file", ""] {
        assert!(!resembles_secret(text), "{text}");
    }
}
