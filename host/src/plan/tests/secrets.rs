use super::*;

/// Secrets in every place in which a file can hold one, beside every sort of mistake: none is in what is shown.
#[test]
fn no_secret_is_in_any_problem_or_view() {
    let wrong = [
        "",
        "verson = 2\n",
        "[archive]\ncompression = 3\n",
        "[[set]\n",
        "x = \"unclosed\n",
        "[[set]]\nname = \"b\"\ndriver = \"tree\"\npath = \"postgres://u:zzsecret1@h/${NOPE}\"\npassword = 3\n",
        "[[set]]\nname = \"b\"\ndriver = \"table\"\npath = \"*\"\npassword = \"zzsecret2\"\nsecrets = { pasword = \"zzsecret3\" }\n",
        "[[set]]\nname = \"b\"\ndriver = \"tree\"\nunreadable = \"zzsecret4\"\npassword = \"zzsecret4\"\n",
        "[[set]]\nname = \"zzsecret5 x\"\ndriver = \"zzsecret5\"\napi_token = \"zzsecret5\"\n",
        "[[set]]\nname = \"b\"\ndriver = \"tree\"\npassword = \"zzsecret6\n",
        "[[set]]\nname = \"b\"\ndriver = \"tree\"\n[set.secrets]\npw = \"\"\"\nzzsecret7\n\\q zzsecret8\n\"\"\"\nlist = [\n \"x=zzsecret9\", oops\n]\n",
        "[[set]]\nname = \"b\"\ndriver = \"tree\"\npath = \"${ENV_URL}*\"\nurl = \"${ENV_URL}\"\npassword = \"${ENV_PW:-zzsecret0}\"\njobs = \"x\"\n",
        "[[set]]\nname = \"b\"\ndriver = \"tree\"\npath = \"${API_TOKEN}*\"\n",
        "[[set]]\nname = \"b\"\ndriver = \"tree\"\npath = \"b\"\npasword = \"zzsecretE\"\nsecrts = { pw = \"zzsecretF\" }\n",
        "[[set]]\nname = \"b\"\ndriver = \"tree\"\npath = \"x://u:zzsecretG@h/a?b=c*\"\nurl = \"password=zzsecretH\"\njobs = \"zz\"\n",
        "[[set]]\nname = \"b\"\ndriver = \"media\"\nurl = \"${ENV_URL}\"\nsecrets = { password = \"${ENV_PW}\" }\n",
    ];
    let environment: Environment = [
        ("ENV_URL", "table://u:zzsecretA@h/zzsecretA"),
        ("ENV_PW", "zzsecretB"),
        ("API_TOKEN", "zzsecretC"),
        ("AWS_SECRET_ACCESS_KEY", "zzsecretD"),
    ]
    .into_iter()
    .collect();
    let mut shown = 0;
    for wrong in wrong {
        let text = format!("version = 1\n[[set]]\nname = \"a\"\ndriver = \"tree\"\npath = \"a\"\n{wrong}");
        let config = Config::parse("dumprestore.toml", text.clone(), "/srv".into(), &environment);
        let output = match for_show(&config, KINDS, &Selection::default()) {
            Ok(plan) => serde_json::to_string(&plan.view).unwrap(),
            Err(problems) => format!("{problems}\n{}", serde_json::to_string(&problems).unwrap()),
        };
        assert!(!output.contains("zzsecret"), "{text}\n{output}");
        shown += output.len();
    }
    assert!(shown > 2000);
}
