use super::{Comparison, compare};
use crate::replay::IgnoreRule;
use crate::replay::request::tests::snapshot;
use crate::value::Json;
use crate::{RequestSnapshot, json};

fn captured(headers: Json, body: Option<Json>) -> RequestSnapshot {
    let mut request = snapshot("GET", "/");
    request.response_headers = Some(headers);
    request.response_body = body;
    request
}

fn response(status: u16, headers: &[(&str, &str)], body: &[u8]) -> http::Response<Vec<u8>> {
    let mut response = http::Response::builder().status(status);
    for (name, value) in headers {
        response = response.header(*name, *value);
    }
    response.body(body.to_vec()).unwrap()
}

fn lines(comparison: &Comparison) -> Vec<String> {
    let differences = comparison.differences.iter().map(ToString::to_string);
    let notes = comparison
        .not_compared
        .iter()
        .map(|note| format!("({note})"));
    differences.chain(notes).collect()
}

#[test]
fn status_headers_and_body_are_compared() {
    let captured = captured(
        json!({
            "content-type": "application/json", "x-a": "1", "x-gone": "1", "date": "yesterday",
            "x-list": ["a", "b"], "x-key": "k=[masked]", "response_size": 9, "timings": {"wait": 1},
        }),
        Some(json!({"id": 1, "name": "old", "token": "[masked]"})),
    );
    let replayed = response(
        500,
        &[
            ("content-type", "application/json"),
            ("x-a", "2"),
            ("date", "today"),
            ("x-list", "a"),
            ("x-list", "b"),
            ("x-key", "k=7"),
            ("x-new", "1"),
            ("set-cookie", "a=1"),
        ],
        br#"{"id": 1.0, "name": "new", "token": "s3cret"}"#,
    );
    assert_eq!(
        lines(&compare(&captured, &replayed, &[])),
        [
            "status: 200 → 500",
            "headers.x-a: \"1\" → \"2\"",
            "headers.x-gone: \"1\" removed",
            "headers.x-new: \"1\" added",
            "$.name: \"old\" → \"new\"",
        ]
    );
    let rules = ["status", "headers.x-*", "$.name"];
    let rules: Vec<IgnoreRule> = rules.iter().map(|rule| rule.parse().unwrap()).collect();
    assert!(compare(&captured, &replayed, &rules).is_same());
}

#[test]
fn secrets_of_a_response_are_masked_in_differences() {
    let captured = captured(json!({}), Some(json!({"id": 1})));
    let headers = [
        ("content-type", "application/json"),
        ("x-api-key", "s3cret"),
    ];
    let replayed = response(200, &headers, br#"{"password": "s3cret"}"#);
    let text = compare(&captured, &replayed, &[]).to_string();
    assert!(!text.contains("s3cret"), "{text}");
    assert!(
        text.contains("headers.x-api-key: \"[masked]\" added"),
        "{text}"
    );
    assert!(text.contains("$.password: \"[masked]\" added"), "{text}");
}

#[test]
fn bodies_that_were_not_stored_whole_are_compared_as_far_as_they_were() {
    let about = |about: Json| Some([("$body", about)].into_iter().collect::<Json>());
    let text = [("content-type", "text/plain")];
    for (body, replayed, expected) in [
        (
            about(json!({"size": 9, "truncated": true, "text": "abc"})),
            &b"abcdef"[..],
            &["(only the first 3 bytes of the body were captured)"][..],
        ),
        (
            about(json!({"size": 9, "truncated": true, "text": "abc"})),
            b"xbcdef",
            &[r#"$: {"size":9,"text":"abc","truncated":true} → "6 bytes""#],
        ),
        (
            about(json!({"size": 3, "base64": "AP8B"})),
            b"\x00\xff\x01",
            &[],
        ),
        (
            about(json!({"size": 3, "base64": "AP8B"})),
            b"\x00\xff\x02",
            &[r#"$: {"base64":"AP8B","size":3} → "3 bytes""#],
        ),
        (
            about(json!({"size": 3})),
            b"abc",
            &["(the body was not captured)"],
        ),
        (
            Some(json!("data:image/png;base64,AP8B")),
            b"\x00\xff\x01",
            &[],
        ),
        (
            Some(json!("data:image/png;base64,AP8B")),
            b"\x00",
            &[r#"$: "3 bytes" → "1 bytes""#],
        ),
        (Some(json!("abc")), b"abd", &[r#"$: "abc" → "abd""#]),
        (Some(json!({"a": 1})), b"oops", &[r#"$: {"a":1} → "oops""#]),
        (Some(json!("abc")), b"", &[r#"$: "abc" removed"#]),
        (None, b"", &[]),
        (None, b"abc", &["(no body was captured)"]),
    ] {
        let captured = captured(json!({"content-type": "text/plain"}), body.clone());
        let found = lines(&compare(&captured, &response(200, &text, replayed), &[]));
        assert_eq!(found, expected, "{body:?}");
    }
    let mut empty = captured(json!({"response_size": 0}), None);
    assert_eq!(
        lines(&compare(&empty, &response(200, &[], b"abc"), &[])),
        ["$: \"abc\" added"]
    );
    empty.status_code = None;
    assert_eq!(
        lines(&compare(&empty, &response(200, &[], b"abc"), &[])),
        ["status: 200 added", "(no response was captured)"]
    );
}

#[test]
fn differences_beyond_the_most_are_counted() {
    let captured = captured(json!({}), Some(Json::Array(vec![json!(1); 1_500])));
    let headers = [("content-type", "application/json")];
    let comparison = compare(
        &captured,
        &response(200, &headers, b"[]"),
        &["headers".parse().unwrap()],
    );
    assert_eq!(
        (comparison.differences.len(), comparison.more),
        (1_000, 500)
    );
    assert!(comparison.to_string().ends_with("\nand 500 more"));
}
