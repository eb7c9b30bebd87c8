//! Whatever comes in: no panic, nothing lost, and the lines that wait are known.

use lookback::Json;
use lookback_formats::{Decoder, Entry, Options};
use proptest::prelude::*;

use crate::samples::decode;

/// The texts and numbers of a value, and its names.
fn leaves(value: &Json, found: &mut Vec<String>) {
    match value {
        Json::Null | Json::Bool(_) => {}
        Json::Number(number) => found.push(number.as_str().to_owned()),
        Json::String(text) => found.push(text.clone()),
        Json::Array(items) => items.iter().for_each(|item| leaves(item, found)),
        Json::Object(map) => {
            for (name, value) in map {
                found.push(name.clone());
                leaves(value, found);
            }
        }
    }
}

/// All that an entry holds, as one text.
pub(crate) fn held(entry: &Entry) -> String {
    let mut found = Vec::new();
    if let Some(log) = &entry.log {
        found.extend([log.source.clone(), log.message.clone()]);
        found.extend(log.trace_id.clone());
        found.extend(log.created_at.map(|time| time.to_rfc3339()));
        log.meta.iter().for_each(|meta| leaves(meta, &mut found));
    }
    if let Some(request) = &entry.request {
        found.extend([request.method.clone(), request.path.clone()]);
        found.extend(request.user_id.clone());
        found.extend(
            [request.status_code, request.duration]
                .into_iter()
                .flatten()
                .map(|number| number.to_string()),
        );
        let parts = [
            &request.query,
            &request.headers,
            &request.body,
            &request.response_headers,
            &request.response_body,
        ];
        for json in parts.into_iter().flatten() {
            leaves(json, &mut found);
        }
    }
    found.join("\n")
}

fn value() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        "[a-z]{1,8}".prop_map(|text| format!("\"{text}\"")),
        any::<i64>().prop_map(|number| number.to_string()),
        (1u8..=9, "[0-9]{0,30}").prop_map(|(first, rest)| format!("{first}{rest}")),
        Just("null".to_owned()),
        Just("true".to_owned()),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        let pairs = prop::collection::btree_map("[b-z]{2,6}", inner.clone(), 0..4);
        prop_oneof![
            prop::collection::vec(inner, 0..4).prop_map(|items| format!("[{}]", items.join(","))),
            pairs.prop_map(|pairs| {
                let pairs: Vec<String> = pairs
                    .iter()
                    .map(|(name, value)| format!("\"{name}\":{value}"))
                    .collect();
                format!("{{{}}}", pairs.join(","))
            }),
        ]
    })
}

/// Names of what makes an envelope, or a time, are left out.
fn is_plain(name: &str) -> bool {
    ![
        "log", "record", "records", "streams", "entries", "events", "date", "at", "ts", "time",
    ]
    .contains(&name)
}

#[test]
fn line_that_ends_broken_json_is_not_kept() {
    let mut decoder = Decoder::new(Options::default());
    let mut entries = Vec::new();
    decoder.line(b"[", &mut entries).unwrap();
    assert!(decoder.keeps_last_line());
    decoder.line(b"level=info msg=m", &mut entries).unwrap();
    assert_eq!(entries.len(), 2);
    assert_eq!(decoder.open_since(), None);
    assert!(!decoder.keeps_last_line());
}

#[test]
fn nul_in_a_name_of_a_masked_object_is_replaced() {
    let entries = decode(r#"{"msg":"m","token":{"a\u0000b":["s1"]}}"#);
    let log = entries[0].log.as_ref().unwrap();
    let meta = log.meta.as_ref().unwrap();
    assert_eq!(meta["token"]["a\u{2400}b"][0], *"[masked]");
    lookback::query::check_new(log).unwrap();
}

/// Lines of formats that look at those around them.
const RELATED: &[&str] = &[
    "an ordinary line",
    "2026-04-05 06:07:08 ERROR shop: no",
    "2026-04-05 06:07:08,250 INFO next",
    "    at f (a.js:1:2)",
    "Traceback (most recent call last):",
    "  File \"a.py\", line 1, in f",
    "ValueError: no",
    "of the message",
    "Caused by: java.lang.RuntimeException: x",
    "[2026-04-05 06:07:08] production.ERROR: no {\"exception\":\"[object] (A(code: 0): no at a.php:1)",
    "[stacktrace]",
    "#0 /app/b.php(3): f()",
    "\"}",
    "PHP Fatal error:  Uncaught no",
    "Stack trace:",
    "# Time: 2026-04-05T06:07:08.123456Z",
    "# User@Host: shop[shop] @ localhost []",
    "# Query_time: 2.5  Lock_time: 0",
    "SELECT 1;",
    "panic: no",
    "goroutine 1 [running]:",
    "main.f(...)",
    "\t/app/main.go:7",
    "thread 'main' panicked at src/main.rs:2:5:",
    "note: run with `RUST_BACKTRACE=1`",
    "Apr 05, 2026 6:07:08 AM com.example.Cart place",
    "SEVERE: could not place",
    "app.rb:3:in 'total': no (ArgumentError)",
    "app/cart.rb:3:in 'total'",
    "    ^",
    "}",
    "{",
    "  \"msg\": \"over lines\"",
    "},",
    "[{\"msg\":\"a\"},",
    "{\"msg\":\"b\"}{\"msg\":\"c\"}",
    "{\"msg\":\"d\"}]",
    "\u{1b}[36mweb-1  |\u{1b}[0m Traceback (most recent call last):",
    "web-1  |   File \"a.py\", line 1",
    "web-1  | ValueError: no",
    "db-1   | of db",
    "db-1   |     at an indent",
    "shop-5d8f7c9b4-x2z4k shop of stern",
    "#Fields: date time cs-method cs-uri-stem sc-status",
    "#Software: Microsoft Internet Information Services 10.0",
    "2026-04-05 06:07:08 GET /a 200",
    "Started GET \"/a\" for 192.0.2.7 at 2026-04-05 06:07:08 +0000",
    "Completed 200 OK in 12ms",
    "GET /a 200 12.345 ms - 15",
    "",
];

/// The words of a line, but those that only tell what it is.
fn words(line: &str) -> impl Iterator<Item = &str> {
    let is_of_word = |c: char| c.is_alphabetic();
    let words = line.split(move |c| !is_of_word(c));
    words.filter(|word| word.len() > 3 && !["file", "File", "Fields"].contains(word))
}

proptest! {
    /// Whatever comes before or behind a line: it is part of one record, or of several that say all
    /// of it.
    #[test]
    fn every_line_of_related_formats_is_found_again(
        lines in prop::collection::vec(prop::sample::select(RELATED), 0..30),
    ) {
        let entries = decode(&lines.join("\n"));
        for (number, line) in (1..).zip(&lines) {
            let of_line = entries.iter().filter(|entry| entry.lines.contains(&number));
            let held: Vec<String> = of_line.map(held).collect();
            let held = held.join("\n");
            prop_assert!(line.is_empty() || !held.is_empty(), "{number}: {line} of {lines:?}");
            if !line.starts_with(['{', '[', '\u{1b}', '2', 'G']) && !line.contains("  ") && !line.contains("| ") {
                for word in words(line) {
                    prop_assert!(held.contains(word), "{word} of {line} in {held}");
                }
            }
        }
        let checked = entries.iter().filter_map(|entry| entry.log.as_ref());
        for log in checked {
            prop_assert!(lookback::query::check_new(log).is_ok());
        }
    }

    #[test]
    fn any_bytes_are_decoded(lines in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..80), 0..20)) {
        let mut decoder = Decoder::new(Options::default());
        let mut entries = Vec::new();
        for line in &lines {
            let _ = decoder.line(line, &mut entries);
        }
        decoder.finish(&mut entries);
        prop_assert_eq!(decoder.open_since(), None);
    }

    #[test]
    fn any_text_is_found_again(lines in prop::collection::vec("[ -~äß日\t]{0,60}", 0..12)) {
        let mut decoder = Decoder::new(Options::default());
        let mut entries = Vec::new();
        for line in &lines {
            let _ = decoder.line(line.as_bytes(), &mut entries);
            prop_assert!(decoder.open_since().is_none_or(|open| open <= lines.len() as u64));
        }
        decoder.finish(&mut entries);
        let blank = lines.iter().filter(|line| line.trim().is_empty()).count();
        prop_assert!(entries.len() <= lines.len());
        prop_assert!(blank == lines.len() || !entries.is_empty());
    }

    #[test]
    fn every_field_of_a_record_is_found_again(
        fields in prop::collection::btree_map("[b-z]{2,6}", value(), 0..8),
        level in prop::sample::select(vec!["debug", "info", "notice", "WARN", "fatal"]),
    ) {
        let fields: Vec<(String, String)> = fields.into_iter().filter(|(name, _)| is_plain(name)).collect();
        let mut line = format!("{{\"level\":\"{level}\",\"msg\":\"the message\",\"time\":\"2026-01-02T03:04:05Z\"");
        for (name, value) in &fields {
            line.push_str(&format!(",\"{name}\":{value}"));
        }
        line.push('}');
        let entries = decode(&line);
        prop_assert_eq!(entries.len(), 1);
        let held = held(&entries[0]);
        let mut expected = Vec::new();
        // Secrets are found as what they are masked by.
        let mut parsed: Json = line.parse().unwrap();
        lookback_json::secrets::mask(&mut parsed);
        leaves(&parsed, &mut expected);
        let own = ["level", "msg", "time", "debug", "info", "WARN", "2026-01-02T03:04:05Z"];
        for text in expected.iter().filter(|text| !own.contains(&text.as_str())) {
            // A name of a column is not repeated, its value is.
            let is_column = fields.iter().any(|(name, _)| name == text);
            prop_assert!(held.contains(text.as_str()) || is_column, "{text} of {line} in {held}");
        }
    }

    /// A request has no `meta`: what has no column is beside the headers.
    #[test]
    fn every_field_of_a_request_is_found_again(
        fields in prop::collection::btree_map("[b-z]{2,6}", value(), 0..8),
        duration in prop::sample::select(vec!["7", "58.33", "-1", "1e12"]),
        status in prop::sample::select(vec!["200", "599", "999", "\"404\""]),
    ) {
        let fields: Vec<(String, String)> = fields.into_iter().filter(|(name, _)| is_plain(name)).collect();
        let mut line = format!(
            "{{\"method\":\"GET\",\"path\":\"/a\",\"status\":{status},\"duration\":{duration},\
             \"severity\":\"error\",\"service\":\"orders\",\"host\":\"h1\",\"authority\":\"h2\""
        );
        for (name, value) in &fields {
            line.push_str(&format!(",\"{name}\":{value}"));
        }
        line.push('}');
        let entries = decode(&line);
        prop_assert_eq!(entries.len(), 1);
        if entries[0].log.is_some() {
            // One of the drawn names is that of a message.
            return Ok(());
        }
        let held = held(&entries[0]);
        let mut expected = Vec::new();
        // Secrets are found as what they are masked by.
        let mut parsed: Json = line.parse().unwrap();
        lookback_json::secrets::mask(&mut parsed);
        leaves(&parsed, &mut expected);
        let columns = ["method", "path", "status", "duration", "authority"];
        for text in expected.iter().filter(|text| !columns.contains(&text.as_str())) {
            let is_column = fields.iter().any(|(name, _)| name == text);
            prop_assert!(held.contains(text.as_str()) || is_column, "{text} of {line} in {held}");
        }
    }
}
