mod kept;
mod planted;
mod rules;

use super::{MASK, Masking, is_secret_name, mask, mask_text};
use crate::{Json, JsonMap};
use proptest::prelude::*;

proptest! {
    #[test]
    fn secrets_in_json_within_a_text_are_masked(
        before in "[^\"'=]{0,9}",
        secret in r#"([ -~ä]|[\\"'])*"#,
        rest in any::<String>(),
        escapes in 0..3,
    ) {
        let mark = "KEPT-NOWHERE";
        let mut map = JsonMap::new();
        map.insert("password".to_owned(), format!("{secret}{mark}{secret}").into());
        map.insert("rest".to_owned(), rest.into());
        let mut json = Json::Object(map).to_string();
        for _ in 0..escapes {
            json = Json::from(json).to_string();
        }
        let masked = mask_text(&format!("{before}{json}")).into_owned();
        prop_assert!(!masked.contains(mark), "{masked}");
    }

    #[test]
    fn a_masked_text_stays_as_it_is(
        text in r#"([{}\[\]()<>:;,=@/?&%. \\"'\nä1b_-]|token|password|cookie|://u:|Some\(|=>|eyJ|ghp_)*"#
    ) {
        let once = mask_text(&text).into_owned();
        prop_assert_eq!(mask_text(&once), once.as_str(), "of {}", text);
    }

    #[test]
    fn quoted_secrets_are_masked_to_their_end(
        start in prop::sample::select(vec![
            "Login(user='a', password=", "password = ", "{ password: Some(Ok(", "{'password': b",
            "{:password=>", "{\"password\" => ", "{password : ", "\n  password: ", "[password] => ",
            "user[password]=",
        ]),
        quote in prop::sample::select(vec!['"', '\'']),
        secret in r#"[ -~ä\n]{0,9}"#,
        escapes in 0..3,
    ) {
        // JSON around `'…'` makes the end of a string and a quote in it the same.
        let is_clear = escapes == 0 || quote == '"';
        let secret = if is_clear { secret } else { secret.replace('\'', "") };
        let mark = "KEPT-NOWHERE";
        let escaped = |text: &str| text.replace('\\', "\\\\").replace(quote, &format!("\\{quote}"));
        let mut text = format!("{start}{quote}{}{quote})", escaped(&format!("{secret}{mark}{secret}")));
        for _ in 0..escapes {
            text = Json::from(text).to_string();
        }
        let masked = mask_text(&text);
        prop_assert!(!masked.contains(mark), "{text} became {masked}");
        prop_assert!(masked.contains(MASK));
    }

    #[test]
    fn passwords_of_urls_are_masked(
        scheme in "[a-z]{2,9}", user in "[a-z%0-9]{0,4}", password in "[!$%*+,.;0-9:=A-Za-z@_~-]{1,20}", before in any::<String>(),
    ) {
        let text = format!("{before} {scheme}://{user}:{password}MARK@host:5432/db?x=1");
        let masked = mask_text(&text);
        prop_assert!(!masked.contains("MARK"), "{masked}");
    }
}

#[test]
fn secrets_are_masked_by_name_and_form() {
    let mut value: Json = r#"{"headers": {"Authorization": "Bearer abcdefgh1", "X-Api-Key": ["k1"], "accept": "*/*"},
        "cookies": [{"name": "sid", "value": "s1"}], "list": [{"name": "cookie", "value": "a=b"}],
        "db_password": "p", "http.request.header.cookie": "a=b", "has_token": true, "token": null, "url": "https://x.example/?token=t1&a=1",
        "user": {"name": "anna", "value": 3}}"#
        .parse()
        .unwrap();
    mask(&mut value);
    let expected: Json = format!(
        r#"{{"headers": {{"Authorization": "{MASK}", "X-Api-Key": ["{MASK}"], "accept": "*/*"}},
        "cookies": [{{"name": "sid", "value": "{MASK}"}}], "list": [{{"name": "cookie", "value": "{MASK}"}}],
        "db_password": "{MASK}", "http.request.header.cookie": "{MASK}", "has_token": true, "token": null,
        "url": "https://x.example/?token={MASK}&a=1", "user": {{"name": "anna", "value": 3}}}}"#
    )
    .parse()
    .unwrap();
    assert_eq!(value, expected);
}

#[test]
fn secrets_in_text_are_masked() {
    for (text, expected) in [
        (
            "Authorization: Bearer abc.def-ghi",
            "Authorization: Bearer [masked]",
        ),
        (
            "login password=\"a b\" user=anna",
            "login password=\"[masked]\" user=anna",
        ),
        ("ä=1 api_key=k&x=2", "ä=1 api_key=[masked]&x=2"),
        (
            r#"{"pass\u0077ord":"a","b":"c"}"#,
            r#"{"pass\u0077ord":"[masked]","b":"c"}"#,
        ),
        (
            r#"say {\"api\\u005fkey\": \"a\"}"#,
            r#"say {\"api\\u005fkey\": \"[masked]\"}"#,
        ),
        (
            r#"{\"q\": \"login(password: \"\"\"a\"b\"\"\") { id }\"}"#,
            r#"{\"q\": \"login(password: \"\"\"[masked]\"\"\") { id }\"}"#,
        ),
        ("the bearer of news", "the bearer of news"),
        ("bearer bearer abc.def-ghi", "bearer bearer [masked]"),
        ("retries=3 secret=", "retries=3 secret="),
        (
            r#"in {"password":"a \" b","n":1,"db.secret": 12, "cookies": ["a", {"b": "]"}], "token": null, "api_key": ""}"#,
            r#"in {"password":"[masked]","n":1,"db.secret": "[masked]", "cookies": "[masked]", "token": null, "api_key": ""}"#,
        ),
        (
            r#"{'password': "it's", 'Token': 'x', 'ok': 'token': y}"#,
            r#"{'password': "[masked]", 'Token': '[masked]', 'ok': 'token': y}"#,
        ),
        (
            r#"User { id: 3, password: "a\"b", token: 12 } { apiKey: 'k' }, secret: "s""#,
            r#"User { id: 3, password: "[masked]", token: 12 } { apiKey: '[masked]' }, secret: "[masked]""#,
        ),
        ("unexpected token: ')'", "unexpected token: ')'"),
        (
            r#"body="{\"password\":\"ä\",\"n\":1}" cut {"secret":"ab"#,
            r#"body="{\"password\":\"[masked]\",\"n\":1}" cut {"secret":"[masked]"#,
        ),
        ("the 'token': none, at 12:30", "the 'token': none, at 12:30"),
        ("a\0b", "a\u{2400}b"),
    ] {
        assert_eq!(mask_text(text), expected);
    }
}

#[test]
fn what_programs_print_of_a_secret_is_masked() {
    for (text, expected) in [
        (
            "Login(user='a', password='hunter2')",
            "Login(user='a', password='[masked]')",
        ),
        (r#"password="a\"rest" b=1"#, r#"password="[masked]" b=1"#),
        (
            r#""user=a password=\"hunter2\" b""#,
            r#""user=a password=\"[masked]\" b""#,
        ),
        (
            r#"\"user=a password=hunter2\" b"#,
            r#"\"user=a password=[masked]\" b"#,
        ),
        (
            r#"login password=Some("hunter2") a"#,
            r#"login password=Some("[masked]") a"#,
        ),
        ("cookies={'sid': 'a', 'b': 'c'} d", "cookies=[masked] d"),
        (
            "user[token]=ab&user%5Btoken%5D=cd",
            "user[token]=[masked]&user%5Btoken%5D=[masked]",
        ),
        (r"a\ntoken=ab", r"a\ntoken=[masked]"),
        (r#""password='it\\'s' b""#, r#""password='[masked]' b""#),
        (r"password='a\\', b='c'", "password='[masked]', b='c'"),
        (r"C:\token=ab", r"C:\token=[masked]"),
        (
            r#"{"password" : "hunter2", "a": 1}"#,
            r#"{"password" : "[masked]", "a": 1}"#,
        ),
        (
            r#"User { name: "a", password: Some("hunter2") }"#,
            r#"User { name: "a", password: Some("[masked]") }"#,
        ),
        (
            r#"User { password: Some(Ok("hunter2")) }"#,
            r#"User { password: Some(Ok("[masked]")) }"#,
        ),
        ("{'password': b'x'}", "{'password': b'[masked]'}"),
        (
            r#"{:password=>"x", "token" => 12, :secret=>nil}"#,
            r#"{:password=>"[masked]", "token" => [masked], :secret=>nil}"#,
        ),
        (
            r#"{id: 1, password: "x"}"#,
            r#"{id: 1, password: "[masked]"}"#,
        ),
        (
            "[password] => hunter2\n[b] => 1",
            "[password] => [masked]\n[b] => 1",
        ),
        (
            "[\"password\"]=>\n  string(7) \"hunter2\"",
            "[\"password\"]=>\n  string(7) \"[masked]\"",
        ),
        (
            "{User:a Password:hunter2 Age:3}",
            "{User:a Password:[masked] Age:3}",
        ),
        (
            "a:\n  password: hunter2\n  b: 1",
            "a:\n  password: [masked]\n  b: 1",
        ),
        (
            "password = hunter2\nhost = b",
            "password = [masked]\nhost = b",
        ),
        (
            "user = a password = hunter2 host = b",
            "user = a password = [masked] host = b",
        ),
        ("invalid password: hunter2", "invalid password: [masked]"),
        ("X-Api-Key: abcdef\r\nA: b", "X-Api-Key: [masked]\r\nA: b"),
        (
            "> Cookie: a=b; c=d\n> Accept: */*",
            "> Cookie: [masked]\n> Accept: */*",
        ),
        (
            "/cart;jsessionid=1A53?page=2",
            "/cart;jsessionid=[masked]?page=2",
        ),
        ("GET /a;jsessionid=1A53/b", "GET /a;jsessionid=[masked]/b"),
    ] {
        assert_eq!(mask_text(text), expected);
    }
}

#[test]
fn credentials_and_tokens_are_masked_by_form() {
    let run = "Ab3".repeat(12);
    for (text, expected) in [
        (
            "postgres://user:pass@host/db",
            "postgres://user:[masked]@host/db",
        ),
        (
            "to redis://:p%40ss@host:6379, ok",
            "to redis://:[masked]@host:6379, ok",
        ),
        ("amqp://a:b:c@d@host", "amqp://a:[masked]@host"),
        ("x://u:,y://u:b@h", "x://u:,y://u:[masked]@h"),
        (
            r#""https:\/\/user:pass@host\/a""#,
            r#""https:\/\/user:[masked]@host\/a""#,
        ),
        (&format!("push with ghp_{run}."), "push with [masked]."),
        (&format!("(xoxb-12-{run})"), "([masked])"),
        (&format!("key sk_live_{run}"), "key [masked]"),
        (
            &format!("jwt eyJhbGci.eyJzdWIi.{run} ok"),
            "jwt [masked] ok",
        ),
        (&format!("cut eyJhbGci.eyJ{run}"), "cut [masked]"),
        (
            &format!("-----BEGIN RSA PRIVATE KEY-----\n{run}\n-----END RSA PRIVATE KEY----- a"),
            "-----BEGIN RSA PRIVATE KEY-----[masked]-----END RSA PRIVATE KEY----- a",
        ),
        (
            &format!("-----BEGIN PRIVATE KEY-----\\n{run}"),
            "-----BEGIN PRIVATE KEY-----[masked]",
        ),
    ] {
        assert_eq!(mask_text(text), expected);
    }
}

#[test]
fn texts_without_secrets_stay() {
    for text in [
        "token: expected",
        "unexpected token: \"x\"",
        "Unexpected token: 12 at 3:4",
        "password: must be at least 8 characters",
        "Password: required",
        "password: it's wrong, see docs: a",
        "the password = wrong",
        "WHERE password = $1 AND token = ?",
        "if token == expected",
        "token = next_token(input)",
        "secret: not found",
        "http://host:80/@x and mailto:a@b.example at 12:30:05, user@host:/tmp",
        "ssh://git@host:22/a http://host:8080 a@b.example",
        "AKIAIOSFODNN7EX is no id, a-b_c-d_e-f",
        "an id of eyJ, ghp_short, 0192e4a6-5b1c-7d3e-8f90-a1b2c3d4e5f6",
        "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----",
        "retries=3 secret= next=1",
        "token => token.id, Password::new(a)",
    ] {
        assert_eq!(mask_text(text), text);
    }
}

#[test]
fn long_names_are_secret_by_their_end() {
    for name in [
        "spring.datasource.hikari.data-source-properties.connection.properties.password",
        "a.very.long.name.of.a.setting.which.nobody.would.write.but.a.program.authorization",
        "a_very_long_name_of_a_setting_which_nobody_would_write_but_a_program_password",
        "user[token]",
    ] {
        assert!(is_secret_name(name), "{name}");
    }
    let sentence = "the program asks each user of the system that it does not know for a password";
    assert!(!is_secret_name(sentence));
}

#[test]
fn text_of_broken_brackets_is_masked_to_its_end() {
    let open = r#""token":{"((\u15sour{""s5"U}"#;
    for times in 1..40 {
        let text = format!(
            "{{a/{}\"token\":{{\"LEAKED\\u15\"r\"uos{{key=n\"}}",
            open.repeat(times)
        );
        let masked = mask_text(&text).into_owned();
        assert!(!masked.contains("LEAKED"), "{masked}");
        assert_eq!(mask_text(&masked), masked);
    }
}

#[test]
fn hostile_texts_take_linear_time() {
    const LENGTH: usize = 1 << 17;
    for part in [
        "\"",
        "'",
        "=",
        ":",
        "\\",
        "-",
        "J",
        "eyJ",
        "eyJaaaaaaaa",
        ".eyJ",
        "ghp_",
        "://",
        "://a:",
        "@",
        "token:",
        "token=",
        "token=[",
        "token=['",
        "token: ",
        "x token:'",
        "token = ",
        "sid=/",
        "cookie:",
        ":token=>",
        "[token]=>",
        "[token] => ",
        "\"token\":",
        "\"token\": [",
        "token=\\\"",
        "x token:\\\"",
        "password:(",
        "password: (a ",
        "Some(",
        "token=Some(",
        "-----BEGIN PRIVATE KEY-----",
        "a.",
        "basic ",
        "token:a1",
        "password:",
        " password: a b ",
        "]",
        "%5D",
        "%5D=",
        "token]=",
        "\"token\"\\\\:",
        "%3D",
        "%",
        "%25",
        "%3Dtoken%3D",
        "token=%",
        "%41token=a ",
        "<token>",
        "<token ",
        "<token a=\"",
        "<token></tokens>",
        "<token></",
        "</token>",
        "form-data; name=\"token\"\r\n",
        "form-data; name=\"token\"\n\n",
        " name=token;",
        "4111 1111 1111 111",
        "4111",
        "4111 ",
        "1 ",
        "41-",
        "4111111111111111",
        "npm_",
        "sk-",
        "sk-a1B",
        "SG.",
        "SG.aaaaaaaaaaaaaaaaaa.",
        "SG.aaaaaaaaaaaaaaaaaa-",
        "eyJaaaaaaaaaaaaaaaaaa.",
        "AKIA-",
        "a_",
        "12345678:",
        "bearer ",
        "Bearer  ",
        "cookie=a=b; c=d;",
        "cookie=a=b;",
        "Authorization: Token ",
        "authorization=token a",
        "?token=a",
        "&token=)",
        "[masked",
        "token=[masked]",
        "[[\"token\",",
        "{\"value\":",
        "[",
        "[\"",
        "\"\\",
    ] {
        let text = part.repeat(LENGTH / part.len());
        let ended = format!("{text}</token>\r\n\r\n");
        for masking in [
            Masking::new(),
            Masking::new().allow_only(["a"]).hash_with("key"),
        ] {
            let start = std::time::Instant::now();
            let _ = masking.mask_text(&text).len();
            let _ = masking.mask_text(&ended).len();
            let _ = masking.mask_header("Set-Cookie", &text).len();
            let _ = masking.mask_header("Authorization", &text).len();
            let _ = masking.is_secret_name(&text);
            // Quadratic time would be minutes.
            assert!(start.elapsed().as_secs() < 20, "{part}");
        }
    }
}

#[test]
fn names_with_a_prefix_are_those_of_secrets() {
    for name in [
        "AWS_SECRET_ACCESS_KEY",
        "aws_session_token",
        "GITHUB_TOKEN",
        "STRIPE_SECRET_KEY",
        "client_token",
        "db_pass",
        "MYSQL_PWD",
        "x-vault-token",
        "X-Slack-Signature",
        "X-Amz-Signature",
        "ENCRYPTION_KEY",
    ] {
        assert!(super::is_secret_name(name), "{name}");
    }
    for name in [
        "max_tokens",
        "tokens_used",
        "bypass",
        "compass",
        "PWD_COUNT",
    ] {
        assert!(!super::is_secret_name(name), "{name}");
    }
}
