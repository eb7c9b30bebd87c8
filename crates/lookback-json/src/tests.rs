use proptest::prelude::*;

use super::{Json, JsonNumber, JsonRef};

fn parse(text: &str) -> Json {
    text.parse().expect(text)
}

#[test]
fn parse_keeps_every_digit() {
    for text in [
        "1.10",
        "1e400",
        "-0.0",
        "12345678901234567890123.456",
        r#"{"a":[1.0,10E-2],"b":-0}"#,
    ] {
        assert_eq!(parse(text).to_string(), text);
        let read: Json = serde_json::from_str(text).expect(text);
        assert_eq!(read.to_string(), text);
        assert_eq!(serde_json::to_string(&read).expect(text), text);
    }
}

#[test]
fn deserialize_inside_other_types_keeps_every_digit() {
    #[derive(serde::Deserialize, serde::Serialize)]
    struct Outer {
        meta: Json,
        rest: Vec<Option<Json>>,
    }
    let text = r#"{"meta":{"x":1.10},"rest":[null,1e400]}"#;
    let outer: Outer = serde_json::from_str(text).expect("an outer");
    assert_eq!(outer.meta, parse(r#"{"x":1.10}"#));
    assert_eq!(serde_json::to_string(&outer).expect("text"), text);
}

#[test]
fn deserialize_inside_tagged_and_untagged_enums_works() {
    #[derive(Debug, PartialEq, serde::Deserialize)]
    #[serde(tag = "kind")]
    enum Tagged {
        A { meta: Json, ratio: f64 },
    }
    #[derive(Debug, PartialEq, serde::Deserialize)]
    #[serde(untagged)]
    enum Untagged {
        Number(f64),
        Other(Json),
    }
    let tagged: Tagged =
        serde_json::from_str(r#"{"kind":"A","meta":{"x":[1,2.5,null]},"ratio":0.1}"#)
            .expect("tagged");
    let meta = json!({"x": [1, 2.5, null]});
    assert_eq!(tagged, Tagged::A { meta, ratio: 0.1 });
    let untagged: Vec<Untagged> = serde_json::from_str(r#"[0.5, {"a": 1}]"#).expect("untagged");
    assert_eq!(
        untagged,
        [Untagged::Number(0.5), Untagged::Other(json!({"a": 1}))]
    );
}

#[test]
fn parse_of_a_reserved_key_takes_it_as_it_is() {
    let text = r#"{"$serde_json::private::RawValue":"[1]","$serde_json::private::Number":"1"}"#;
    assert_eq!(parse(text).as_object().map(crate::JsonMap::len), Some(2));
    let read: Json = serde_json::from_str(text).expect(text);
    assert_eq!(read, parse(text));
}

#[test]
fn parse_of_bad_text_says_where() {
    let deep = "[".repeat(128) + &"]".repeat(128);
    let errors: Vec<String> = [
        "",
        "{\"a\": }",
        "[1,]",
        "\"\\ud800\"",
        "01",
        "nul",
        "{} x",
        &deep,
    ]
    .iter()
    .map(|text| text.parse::<Json>().expect_err(text).to_string())
    .collect();
    insta::assert_snapshot!(errors.join("\n"), @r"
    EOF while parsing a value at line 1 column 0
    expected value at line 1 column 7
    expected value at line 1 column 4
    unexpected end of hex escape at line 1 column 8
    invalid number at line 1 column 2
    EOF while parsing a value at line 1 column 3
    trailing characters at line 1 column 4
    recursion limit exceeded at line 1 column 128
    ");
    assert!(("[".repeat(127) + &"]".repeat(127)).parse::<Json>().is_ok());
    assert_eq!(
        Json::from_slice(b"\"\xff\"")
            .expect_err("not UTF-8")
            .to_string(),
        "invalid unicode code point at line 1 column 2"
    );
}

#[test]
fn json_number_parses_only_numbers_of_json() {
    for text in [
        "0",
        "-1",
        "1.5",
        "1e5",
        "1E-5",
        "123456789012345678901234567890",
    ] {
        assert_eq!(text.parse::<JsonNumber>().expect(text).as_str(), text);
    }
    for text in [
        "", "+1", "01", "1.", ".5", "NaN", "1 ", " 1", "0x1", "1e", "true", "1,2",
    ] {
        assert!(text.parse::<JsonNumber>().is_err(), "{text}");
    }
    assert_eq!(Json::from(f64::NAN), Json::Null);
    assert_eq!(Json::from(u64::MAX).as_i64(), None);
    assert_eq!(parse("1e400").as_f64(), None);
}

/// Values as `serde_json` has them, with whole numbers and fractions.
fn values() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        any::<u64>().prop_map(Into::into),
        any::<f64>().prop_map(Into::into),
        any::<String>().prop_map(Into::into),
    ];
    leaf.prop_recursive(5, 40, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Into::into),
            prop::collection::btree_map(any::<String>(), inner, 0..6)
                .prop_map(|map| serde_json::Value::Object(map.into_iter().collect())),
        ]
    })
}

#[test]
fn keys_for_jsonb_are_in_its_order() {
    let json = parse(r#"{"bb":1,"a":{"ccc":1,"b":2},"aa":[{"zz":1,"y":2}]}"#);
    let mut text = Vec::new();
    json.write_for_jsonb(&mut text);
    assert_eq!(
        String::from_utf8_lossy(&text),
        r#"{"a":{"b":2,"ccc":1},"aa":[{"y":2,"zz":1}],"bb":1}"#
    );
}

#[test]
fn borrowed_object_keeps_last_of_each_key() {
    for others in [0, 30] {
        let others: String = (0..others).map(|n| format!("\"k{n}\":{n},")).collect();
        let text = format!("{{\"a\":1,{others}\"b\":\"x\\n\",\"a\":[2]}}");
        let read = JsonRef::from_slice(text.as_bytes()).expect("JSON");
        let JsonRef::Object(members) = &read else {
            panic!("{read:?} is no object");
        };
        assert_eq!(members.iter().filter(|(key, _)| key == "a").count(), 1);
        assert_eq!(read.into_json(), parse(&text));
    }
}

/// A text of JSON with some characters replaced, which may be JSON or not.
fn broken_texts() -> impl Strategy<Value = String> {
    let edit = (
        any::<prop::sample::Index>(),
        prop::sample::select(vec![
            "", "\"", "\\", "{", "}", "[", "]", ",", ":", "0", "-", ".", "e", " ", "\n", "\u{1}",
            "ä", "\\u00e4", "\\ud800", "null",
        ]),
    );
    (values(), prop::collection::vec(edit, 0..4)).prop_map(|(value, edits)| {
        let mut chars: Vec<String> = value.to_string().chars().map(String::from).collect();
        for (place, text) in edits {
            let place = place.index(chars.len());
            text.clone_into(&mut chars[place]);
        }
        chars.concat()
    })
}

proptest! {
    #[test]
    fn parse_accepts_what_serde_json_accepts(text in broken_texts()) {
        let read = text.parse::<Json>();
        let wanted = serde_json::from_str::<serde_json::Value>(&text);
        // It stops at a number beyond the range of a float.
        let is_range = |error: &serde_json::Error| error.to_string().contains("out of range");
        match wanted {
            Ok(_) => prop_assert!(read.is_ok(), "{:?}", read),
            Err(error) if is_range(&error) => {}
            Err(_) => prop_assert!(read.is_err(), "{:?}", read),
        }
        let borrowed = JsonRef::from_slice(text.as_bytes()).map(JsonRef::into_json).ok();
        prop_assert_eq!(borrowed, text.parse::<Json>().ok());
    }

    #[test]
    fn parse_reads_what_serde_json_reads(value in values()) {
        let wanted = Json::from(value.clone());
        for text in [value.to_string(), serde_json::to_string_pretty(&value).expect("text")] {
            prop_assert_eq!(&parse(&text), &wanted);
        }
        prop_assert_eq!(&JsonRef::from(&wanted).into_json(), &wanted);
        prop_assert_eq!(&parse(&wanted.to_string()), &wanted);
        prop_assert_eq!(&serde_json::from_value::<Json>(value).expect("a value"), &wanted);
    }

    #[test]
    fn parse_takes_the_texts_that_serde_json_takes(text in r#"[\[\]{}":,0-9.eE+\-truefalsn\\ u]{0,24}"#) {
        let ours = text.parse::<Json>();
        match serde_json::from_str::<serde_json::Value>(&text) {
            Ok(value) => prop_assert_eq!(serde_json::Value::from(ours.expect(&text)), value),
            // A number beyond `f64` is a valid number here.
            Err(error) if error.to_string().contains("out of range") => {
                prop_assert!(ours.is_ok());
            }
            Err(_) => prop_assert!(ours.is_err(), "{}", text),
        }
    }
}
