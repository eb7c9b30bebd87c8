//! A secret that is planted anywhere is not in what is stored.

use proptest::prelude::*;

use super::super::Masking;
use crate::{Json, JsonMap};

const SECRET: &str = "Q7vX2kLm9";

fn maskings() -> [Masking; 4] {
    [
        Masking::new(),
        Masking::new().mask_name("color"),
        Masking::new().hash_with(b"key"),
        Masking::new().allow_only(["status", "color", "note"]),
    ]
}

fn secret_name() -> impl Strategy<Value = String> {
    let names = [
        "password",
        "userPassword",
        "X-Api-Key",
        "client_secret",
        "accessToken",
        "PASSWD",
        "pwd",
        "card_number",
        "sessionid",
        "db.password",
        "refresh-token",
        "mfaCode",
        "privateKey",
    ];
    prop::sample::select(names.to_vec()).prop_map(str::to_owned)
}

fn other() -> impl Strategy<Value = Json> {
    prop_oneof![
        any::<bool>().prop_map(Json::from),
        any::<i64>().prop_map(Json::from),
        "[a-zäß ,;:=%\"'\\\\{}\\[\\]<>&/._-]{0,12}".prop_map(Json::from),
        any::<String>().prop_map(Json::from),
    ]
}

/// A text with a secret.
fn planted() -> impl Strategy<Value = String> {
    let secret = "[!#%*+./:;@A-Za-z0-9,_~-]{0,6}".prop_map(|rest| format!("{SECRET}{rest}"));
    (secret_name(), secret, 0..14_usize).prop_map(|(name, secret, shape)| {
        let encoded = |text: &str| {
            let byte = |byte: u8| format!("%{byte:02x}");
            text.bytes().map(byte).collect::<String>()
        };
        let word = SECRET;
        match shape {
            0 => format!("a=1&{name}={}&b=2", secret.replace(['&', '%', '#'], "")),
            1 => format!("{}={word}&a=1", encoded(&name)),
            2 => format!("https://a.example/b?x=1&{name}={word}#c"),
            3 => format!("/login?next={}", encoded(&format!("/b?{name}={word}&c=1"))),
            4 => format!("{{\"a\": [1, {{\"{name}\": \"{secret}\"}}]}}"),
            5 => format!("data={}", encoded(&format!("{{\"{name}\":\"{secret}\"}}"))),
            6 => format!("<a><{name} b=\"c\">{secret}</{name}></a>"),
            7 => format!(
                "--x\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{secret}\r\n--x--"
            ),
            8 => format!("mutation {{ login({name}: \"{secret}\") {{ id }} }}"),
            9 => format!("a: 1\n{name}: \"{secret}\"\nb: 2"),
            10 => format!("postgres://anna:{word}@host/db"),
            11 => format!("Authorization: Bearer {word}"),
            12 => format!("[{{\"name\": \"{name}\", \"value\": \"{secret}\"}}]"),
            _ => format!("[[\"{name}\", \"{secret}\"]]"),
        }
    })
}

/// A value with a secret.
fn value() -> impl Strategy<Value = Json> {
    let object = |members: Vec<(String, Json)>| Json::Object(JsonMap::from(members));
    let leaf = prop_oneof![
        (secret_name(), "[a-z]{0,3}").prop_map(move |(name, rest)| {
            object(vec![(name, Json::from(format!("{SECRET}{rest}")))])
        }),
        (secret_name(), other()).prop_map(move |(name, other)| {
            object(vec![(name, Json::Array(vec![other, SECRET.into()]))])
        }),
        secret_name().prop_map(move |name| {
            object(vec![
                ("key".to_owned(), name.into()),
                ("value".to_owned(), SECRET.into()),
            ])
        }),
        secret_name()
            .prop_map(|name| Json::Array(vec![name.replace('.', "_").into(), SECRET.into()])),
        planted().prop_map(Json::from),
    ];
    leaf.prop_recursive(5, 32, 2, move |inner| {
        let name = prop_oneof![
            Just("status".to_owned()),
            Just("note".to_owned()),
            "[a-z_]{1,9}"
        ];
        prop_oneof![
            (name.clone(), inner.clone(), "[a-z]{1,5}", other()).prop_map(
                move |(name, inner, key, other)| object(vec![(key, other), (name, inner)])
            ),
            (inner.clone(), other()).prop_map(|(inner, other)| Json::Array(vec![other, inner])),
            // JSON in a string.
            (name, inner).prop_map(move |(name, inner)| {
                object(vec![(name, Json::from(inner.to_string()))])
            }),
        ]
    })
}

proptest! {
    #[test]
    fn secret_in_a_value_is_masked(value in value()) {
        for masking in maskings() {
            let mut masked = value.clone();
            masking.mask(&mut masked);
            let shown = masked.to_string();
            prop_assert!(!shown.contains(SECRET), "{value} became {shown} by {masking:?}");
            let once = masked.clone();
            masking.mask(&mut masked);
            prop_assert_eq!(masked, once, "{} by {:?}", value, masking);
        }
    }

    #[test]
    fn secret_in_a_text_is_masked(text in planted(), before in "[a-zäß0-9 .!?-]{0,9}") {
        for masking in maskings() {
            // Forms, cookies and JSON are texts of their own; others may be in a sentence.
            let is_whole = text.contains("name\": \"") || text.starts_with("[[") || text.contains("form-data");
            let text = if is_whole || text.starts_with(['a', '<', '%']) { text.clone() } else { format!("{before}\n{text}") };
            let masked = masking.mask_text(&text).into_owned();
            prop_assert!(!masked.contains(SECRET), "{text} became {masked} by {masking:?}");
            prop_assert_eq!(masking.mask_text(&masked), masked.as_str(), "of {}", text);
        }
    }

    #[test]
    fn secret_in_a_header_is_masked(
        name in prop::sample::select(vec!["Cookie", "Set-Cookie", "Authorization", "x-api-key", "X-Auth-Token"]),
        before in "([a-z]{1,4}=[a-z /]{0,4}; ?|(Bearer|Basic|Token|[a-z]{1,5}) )?",
        after in "[ -~ä]{0,12}",
    ) {
        for masking in maskings() {
            let value = format!("{before}{SECRET}{after}");
            // What is before the sign is the name of a cookie.
            let is_name = name.ends_with("ookie") && after.split(';').next().is_some_and(|part| part.contains('='));
            prop_assume!(!is_name);
            let masked = masking.mask_header(name, &value);
            prop_assert!(!masked.contains(SECRET), "{name}: {value} became {masked} by {masking:?}");
            prop_assert_eq!(masking.mask_header(name, &masked), masked);
        }
    }

    #[test]
    fn each_masking_is_stable(
        text in r#"([{}\[\]()<>:;,=@/?&%. \\"'\nä1b_-]|token|password|cookie|://u:|Some\(|=>|eyJ|ghp_|%3D|%22|</|Bearer |\[masked\]|4111111111111111|value|name|status)*"#
    ) {
        for masking in maskings() {
            let once = masking.mask_text(&text).into_owned();
            prop_assert_eq!(masking.mask_text(&once), once.as_str(), "of {} by {:?}", text, masking);
            for name in ["cookie", "set-cookie", "authorization", "token", "accept"] {
                let once = masking.mask_header(name, &text);
                prop_assert_eq!(masking.mask_header(name, &once), once, "of {} by {:?}", text, masking);
            }
        }
    }
}
