//! What is a secret, and what is not.

use super::super::{MASK, Masking, is_secret_name, mask_text};
use crate::Json;

#[test]
fn names_of_secrets_are_those_by_their_words() {
    for name in [
        "Authorization",
        "proxy-authorization",
        "X-Amzn-Authorization",
        "auth",
        "basic_auth",
        "X-Auth",
        "php-auth-pw",
        "user_pw",
        "bearer",
        "Cookie",
        "set-cookie",
        "Set_Cookie",
        "http.request.header.cookie",
        "http.request.header.set-cookie.0",
        "x-api-key",
        "X_API_KEY",
        "apikey",
        "api_keys",
        "Ocp-Apim-Subscription-Key",
        "DD-APPLICATION-KEY",
        "x-functions-key",
        "AccountKey",
        "SharedAccessKey",
        "private_key",
        "privatekey",
        "sshKey",
        "signing-key",
        "stripeSecretKey",
        "clientSecret",
        "secretId",
        "secret",
        "secrets",
        "app_secret_v2",
        "token",
        "_token",
        "csrf-token",
        "csrfmiddlewaretoken",
        "x-xsrf-token",
        "X-CSRFToken",
        "_csrf",
        "authenticity_token",
        "accessToken",
        "access_tokens",
        "refresh_token",
        "x-amz-security-token",
        "tokenValue",
        "password",
        "passWord",
        "passwd",
        "pwd",
        "pass",
        "userPassword",
        "dbPassword",
        "password_confirmation",
        "passwordConfirmation",
        "password1",
        "new-password",
        "passwordHash",
        "mysql_pwd",
        "SMTP_PASS",
        "passphrase",
        "passcode",
        "credentials",
        "credential",
        "aws.credentials",
        "session",
        "_session",
        "laravel_session",
        "session_id",
        "session.id",
        "sessionid",
        "connect.sid",
        "sid",
        "PHPSESSID",
        "JSESSIONID",
        "ASP.NET_SessionId",
        "ASPSESSIONIDQQABCD",
        "ssn",
        "social_security_number",
        "cvv",
        "cvv2",
        "cvc",
        "ccv",
        "cardCvc",
        "card_number",
        "cardNumber",
        "credit-card",
        "ccNumber",
        "iban",
        "X-Amz-Signature",
        "X-Amz-Credential",
        "AWSAccessKeyId",
        "Signature",
        "sig",
        "X-Goog-Signature",
        "X-Goog-Credential",
        "x-hub-signature-256",
        "otp",
        "totp",
        "otp_code",
        "pin",
        "card_pin",
        "pinCode",
        "mfa_code",
        "mfaCode",
        "recovery_codes",
        "security_code",
        "authorization_code",
        "code_verifier",
        "SAMLResponse",
        "jwt",
        "user[password]",
        "user[password][0]",
        "user.password",
        "soap:Password",
        "pass%77ord",
        "%70assword",
    ] {
        assert!(is_secret_name(name), "{name}");
    }
    for name in [
        "author",
        "authors",
        "authored_by",
        "authority",
        "max_tokens",
        "maxTokens",
        "prompt_tokens",
        "tokens",
        "token_count",
        "tokenCount",
        "token_type",
        "token_endpoint",
        "token_expires_at",
        "tokenizer",
        "monkey",
        "keyboard",
        "key",
        "keys",
        "primary_key",
        "cacheKey",
        "idempotency-key",
        "public_key",
        "secretary",
        "secret_name",
        "passenger",
        "passengers",
        "passed",
        "compass",
        "bypass",
        "password_length",
        "passwordPolicy",
        "password_changed_at",
        "session_count",
        "sessions",
        "cookie_consent",
        "cookieCount",
        "code",
        "statusCode",
        "country_code",
        "zip_code",
        "pinned",
        "spin",
        "shopping",
        "signal",
        "signature_algorithm",
        "design",
        "card",
        "cardinality",
        "card_type",
        "side",
        "inside",
        "message",
        "assets",
        "session.duration",
        "password.length",
        "username",
        "email",
        "api",
        "api_version",
        "url",
        "",
        "-",
        ".",
        "[0]",
    ] {
        assert!(!is_secret_name(name), "{name}");
    }
}

#[test]
fn each_name_of_a_secret_has_a_mark() {
    use super::super::names::{ENDS, LAST_WORDS, LETTERS, Look, NAMES, WORDS};
    for name in [NAMES, LAST_WORDS, ENDS, WORDS, LETTERS].concat() {
        assert!(Look::at(name).is_secret(name), "{name}");
        assert!(is_secret_name(&name.to_uppercase()), "{name}");
    }
}

#[test]
fn tokens_are_masked_by_form() {
    let run =
        |letters: &str, length: usize| letters.chars().cycle().take(length).collect::<String>();
    let mixed = |length| run("aB3dE5gH7", length);
    for token in [
        format!("AKIA{}", "IOSFODNN7EXAMPLE"),
        format!("ASIA{}", "IOSFODNN7EXAMPLE"),
        format!("AIza{}", mixed(35)),
        format!("ya29.{}", mixed(40)),
        format!("GOCSPX-{}", mixed(28)),
        format!("xoxb-{}", mixed(30)),
        format!("xapp-1-{}", mixed(30)),
        format!("ghp_{}", mixed(36)),
        format!("github_pat_{}", mixed(60)),
        format!("glpat-{}", mixed(20)),
        format!("sk_live_{}", mixed(24)),
        format!("rk_test_{}", mixed(24)),
        format!("whsec_{}", mixed(32)),
        format!("npm_{}", mixed(36)),
        format!("pypi-{}", mixed(60)),
        format!("SG.{}.{}", mixed(22), mixed(43)),
        format!("SK{}", run("0123456789abcdef", 32)),
        format!("sk-{}", mixed(48)),
        format!("sk-proj-{}", mixed(48)),
        format!("sk-ant-api03-{}", mixed(80)),
        format!("dop_v1_{}", run("0123456789abcdef", 64)),
        format!("hvs.{}", mixed(24)),
        format!("dckr_pat_{}", mixed(27)),
        format!("hf_{}", mixed(34)),
        format!("shpat_{}", run("0123456789abcdef", 32)),
        format!("shpss_{}", run("0123456789abcdef", 32)),
        format!("AGE-SECRET-KEY-1{}", run("QPZRY9X8GF2TVDW0", 58)),
        format!("MTk4{}.Cl2FMQ.{}", mixed(20), mixed(27)),
        format!("eyJ{}.eyJ{}.{}", mixed(17), mixed(20), mixed(40)),
        format!(
            "eyJ{}.{}..{}.{}",
            mixed(30),
            mixed(20),
            mixed(40),
            mixed(20)
        ),
    ] {
        for (before, after) in [
            ("", ""),
            ("key ", " ok"),
            ("(", ")"),
            ("a=", "&b"),
            ("key-", ", "),
        ] {
            // A web token does not go on behind a dash.
            if before == "key-" && token.starts_with(['e', 'M']) {
                continue;
            }
            let text = format!("{before}{token}{after}");
            assert_eq!(mask_text(&text), format!("{before}{MASK}{after}"), "{text}");
        }
    }
    let bot = format!(
        "https://api.telegram.org/bot123456789:AA{}/getMe",
        mixed(33)
    );
    let masked = format!("https://api.telegram.org/bot123456789:{MASK}/getMe");
    assert_eq!(mask_text(&bot), masked);
    let azure = "DefaultEndpointsProtocol=https;AccountName=a;AccountKey=ab/c+d==;EndpointSuffix=x";
    let masked =
        "DefaultEndpointsProtocol=https;AccountName=a;AccountKey=[masked];EndpointSuffix=x";
    assert_eq!(mask_text(azure), masked);
}

#[test]
fn numbers_of_cards_are_masked() {
    for card in [
        "4111111111111111",
        "4222222222222",
        "4111 1111 1111 1111",
        "4111-1111-1111-1111",
        "5555555555554444",
        "2223003122003222",
        "378282246310005",
        "3782 822463 10005",
        "30569309025904",
        "3056 930902 5904",
        "6011111111111117",
        "3530111333300000",
        "6200000000000005",
        "2200770239097761",
    ] {
        for (before, after) in [
            ("", ""),
            ("paid 12 with ", " 12/27"),
            ("card:", ", ok"),
            ("n=", ""),
        ] {
            let text = format!("{before}{card}{after}");
            assert_eq!(mask_text(&text), format!("{before}{MASK}{after}"), "{text}");
        }
    }
    let mut value: Json = "[4111111111111111, 4111111111111112, 1761234567890123]"
        .parse()
        .unwrap();
    super::super::mask(&mut value);
    assert_eq!(
        value.to_string(),
        r#"["[masked]",4111111111111112,1761234567890123]"#
    );
}

#[test]
fn numbers_and_ids_stay() {
    for text in [
        // The last digit is wrong, or no issuer has the first ones, or the length.
        "4111111111111112",
        "9111111111111118",
        "41111111111111111",
        // Parts of longer ones.
        "41111111111111114111",
        "x4111111111111111",
        "4111111111111111a",
        "0.4111111111111111",
        "4111111111111111.5",
        "-4111111111111111",
        "00004111-1111-1111-1111-111111111111",
        "41111111-1111-1111-1111-111111111111",
        "a41111111-4111-1111-1111-11111111111",
        "4111  1111 1111 1111",
        "4111-1111 1111-1111",
        "1761234567890123",
        "1761234567890123456",
        "+49 170 1234 5678 90",
        "4915 112345678",
        "2026-10-11 12:13:14 2026-10-11",
        "10.0.0.1 4111 1111",
        "2fd4e1c67a2d28fced849ee1bb76e7391b93eb12",
        "0192e4a6-5b1c-7d3e-8f90-a1b2c3d4e5f6",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "d41d8cd98f00b204e9800998ecf8427e",
        "sk-fading-circle-loader-spinner-1",
        "npm_config_registry_is_not_a_secret_here",
        "the risk-assessment-of-2026-was-DONE-by-hand",
        "SKU-12345-BLUE and SKELETON",
        "ORD-2026-000001 is in state awaiting_shipment",
        "com.example.shop.orders.OrderService.handle",
        "Basic authentication is needed",
        "basic understanding of things",
    ] {
        assert_eq!(mask_text(text), text);
    }
}

#[test]
fn secrets_are_masked_in_each_shape() {
    for (text, expected) in [
        ("pass%77ord=hunter2&a=1", "pass%77ord=[masked]&a=1"),
        ("/a?%70assword=x&b=1", "/a?%70assword=[masked]&b=1"),
        ("password=a,b;c)&x=1", "password=[masked]&x=1"),
        ("(see /a?token=a,b), then", "(see /a?token=[masked]), then"),
        (
            "/login?next=%2Freset%3Ftoken%3Dab%26page%3D2",
            "/login?next=/reset%3Ftoken%3D[masked]%26page%3D2",
        ),
        (
            "data=%7B%22password%22%3A%22hunter2%22%7D",
            "data=%7B%22password%22:%22[masked]%22%7D",
        ),
        ("a=Bearer%20abcdefgh1", "a=Bearer%20[masked]"),
        ("BEARER abcdefgh1", "BEARER [masked]"),
        ("basic YTpi", "basic [masked]"),
        ("Basic dXNlcjpwYXNzd29yZA==", "Basic [masked]"),
        ("Authorization: Token abc", "Authorization: [masked]"),
        (
            "authorization: Digest username=\"a\", response=\"b\"\nHost: a",
            "authorization: [masked]\nHost: a",
        ),
        ("cookie=a=b; c=d status=200", "cookie=[masked] status=200"),
        (
            "<password>hunter2</password>",
            "<password>[masked]</password>",
        ),
        (
            "<Password xsi:type=\"xsd:string\">a b</Password><a>1</a>",
            "<Password xsi:type=\"xsd:string\">[masked]</Password><a>1</a>",
        ),
        (
            "<wsse:Password>x</wsse:Password>",
            "<wsse:Password>[masked]</wsse:Password>",
        ),
        (
            "<credentials>\n <user>a</user></credentials>",
            "<credentials>\n [masked]</credentials>",
        ),
        (
            "<user password=\"x\" id=\"1\"/>",
            "<user password=\"[masked]\" id=\"1\"/>",
        ),
        ("<a><token>cut off", "<a><token>[masked]"),
        ("curl -H <token> a", "curl -H <token> a"),
        ("<token/>a<b>c</b>", "<token/>a<b>c</b>"),
        (
            "--x\r\nContent-Disposition: form-data; name=\"password\"\r\n\r\nhunter2\r\n--x\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n--x--",
            "--x\r\nContent-Disposition: form-data; name=\"password\"\r\n\r\n[masked]\r\n--x\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n--x--",
        ),
        (
            "mutation { login(name: \"a\", password: \"b c\") { id } }",
            "mutation { login(name: \"a\", password: \"[masked]\") { id } }",
        ),
        (
            r#"[{"name":"sid","value":"abc"},{"Key":"a","Value":1}]"#,
            r#"[{"name":"sid","value":"[masked]"},{"Key":"a","Value":1}]"#,
        ),
        (r#"[["Cookie","a=b"]]"#, r#"[["Cookie","[masked]"]]"#),
        (
            r#""[{\"name\":\"sid\",\"value\":\"abc\"}]""#,
            r#""[{\"name\":\"sid\",\"value\":\"[masked]\"}]""#,
        ),
        (
            "-----BEGIN OPENSSH PRIVATE KEY-----\\nabc\\n-----END OPENSSH PRIVATE KEY-----",
            "-----BEGIN OPENSSH PRIVATE KEY-----[masked]-----END OPENSSH PRIVATE KEY-----",
        ),
        (
            r#"{"a":4111111111111111,"b": [4111111111111111 ], "c": "4111111111111111"}"#,
            r#"{"a":"[masked]","b":["[masked]"],"c":"[masked]"}"#,
        ),
        (
            "postgres://a:pa/ss#x@host/db http://b:80/@c",
            "postgres://a:[masked]@host/db http://b:80/@c",
        ),
        (
            r#"login(password: """a "b" c""", id: 1)"#,
            r#"login(password: """[masked]""", id: 1)"#,
        ),
        (r#"{"a": 4111111111111111}"#, r#"{"a": "[masked]"}"#),
        ("a=1&card=4111+1111", "a=1&card=4111+1111"),
    ] {
        assert_eq!(mask_text(text), expected);
    }
}

#[test]
fn pairs_in_values_are_masked() {
    for (json, expected) in [
        (
            r#"{"headers": [["Cookie", "a=b"], ["accept", "*/*"], ["x-api-key", ["k"]]]}"#,
            r#"{"headers":[["Cookie","[masked]"],["accept","*/*"],["x-api-key",["[masked]"]]]}"#,
        ),
        (
            r#"{"rawHeaders": ["Host", "a", "Cookie", "a=b", "X-Auth-Token", "t"]}"#,
            r#"{"rawHeaders":["Host","a","Cookie","[masked]","X-Auth-Token","[masked]"]}"#,
        ),
        (
            r#"[{"key": "db_password", "value": 12}, {"Header": "Cookie", "Value": "a"}, {"value": 1, "name": "a"}]"#,
            r#"[{"key":"db_password","value":"[masked]"},{"Header":"Cookie","Value":"[masked]"},{"name":"a","value":1}]"#,
        ),
        (
            r#"{"cookies": [{"name": "a", "path": "/", "value": "x"}]}"#,
            r#"{"cookies":[{"name":"a","path":"/","value":"[masked]"}]}"#,
        ),
        (r#"["id", "token", "email"]"#, r#"["id","token","email"]"#),
        (
            r#"{"cookie_consent": true, "session": null}"#,
            r#"{"cookie_consent":true,"session":null}"#,
        ),
    ] {
        let mut value: Json = json.parse().unwrap();
        Masking::new().mask(&mut value);
        assert_eq!(value.to_string(), expected);
    }
}
