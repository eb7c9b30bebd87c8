//! JSON as programs write it: several objects in a line, halves of surrogates, and fields of loggers.

use lookback_formats::{Decoder, Options};

use crate::samples::{decode, sample};

sample!(
    several_objects_in_a_line_are_records,
    r#"{"msg":"a","level":"info"}{"msg":"b","level":"warn"}
{"msg":"c"} {"msg":"d","n":1}
{"msg":"e"},
{"msg":"f"}]
{
  "msg": "g"
},
{
  "msg": "h"
}
{"msg":"i"} and a text
web-1  | {"msg":"j"}{"msg":"k"}
{"log":"{\"msg\":\"l\"}{\"msg\":\"m\"}\n","stream":"stdout","time":"2026-04-05T06:07:08Z"}
[{"msg":"n"},
{"msg":"o"},"#
);

sample!(
    halves_of_surrogates_are_replaced,
    r#"{"msg":"a\ud800b","level":"warn","k\udc00":["\ud83d\ude00","\ud83d"]}
{
  "msg": "over \ud83d lines"
}
web-1  | {"msg":"behind a prefix \udfff","level":"error"}"#
);

sample!(
    numbers_are_levels_of_log_lines_only,
    r#"{"id":1,"name":"Product","level":3}
{"id":1,"level":"3","priority":1}
{"level":3,"msg":"m"}
{"level":3,"time":1765432100500}
{"level":3,"errorMessage":"m"}
{"id":1,"level":"error"}"#
);

sample!(
    fields_of_winston_gitlab_and_sentry,
    "{\"level\":\"\\u001b[32minfo\\u001b[39m\",\"message\":\"of winston\"}
{\"level\":\"\\u001b[33mhttp\\u001b[39m\",\"message\":\"of winston\"}
{\"severity\":\"INFO\",\"time\":\"2026-04-05T06:07:08.5Z\",\"method\":\"GET\",\"path\":\"/a\",\"duration_s\":0.012,\"status\":200}
{\"method\":\"GET\",\"path\":\"/a\",\"duration_ns\":12500000,\"status\":200}
{\"event_id\":\"e\",\"level\":\"error\",\"timestamp\":1765432100.5,\"logentry\":{\"formatted\":\"of sentry\",\"message\":\"of %s\",\"params\":[\"sentry\"]}}
{\"event_id\":\"e\",\"level\":\"error\",\"timestamp\":1765432100.5,\"logentry\":{\"message\":\"of sentry\"}}"
);

#[test]
fn value_of_very_many_parts_is_kept_as_its_text() {
    let numbers = format!("[{}]", vec!["1"; 600_000].join(","));
    let entries = decode(&format!(
        "{{\"msg\":\"m\",\"level\":\"warn\",\"points\":{numbers},\"n\":7}}\n{numbers}"
    ));
    let log = entries[0].log.as_ref().unwrap();
    let meta = log.meta.as_ref().unwrap();
    assert_eq!(meta["points"].as_str(), Some(&*numbers));
    assert_eq!(meta["n"], lookback::Json::from(7));
    let log = entries[1].log.as_ref().unwrap();
    let meta = log.meta.as_ref().unwrap();
    assert_eq!(meta["message"].as_str(), Some(&*numbers));
}

#[test]
fn spans_that_are_no_requests_are_counted() {
    let mut decoder = Decoder::new(Options::default());
    let mut entries = Vec::new();
    let line = r#"{"resourceSpans":[{"scopeSpans":[{"spans":[
        {"name":"GET /a","kind":2,"startTimeUnixNano":"1","attributes":[{"key":"http.request.method","value":{"stringValue":"GET"}},{"key":"url.path","value":{"stringValue":"/a"}}]},
        {"name":"inner","kind":1},{"name":"outer","kind":3}]}]}]}"#;
    for line in [&line.replace('\n', ""), r#"{"msg":"m"}"#, line] {
        for line in line.lines() {
            decoder.line(line.as_bytes(), &mut entries).unwrap();
        }
    }
    assert_eq!(entries.len(), 3);
    assert_eq!(decoder.skipped_spans(), 4);
}

#[test]
fn value_of_many_levels_can_be_stored() {
    for levels in [80, 89, 90, 100, 110, 127, 200, 5_000] {
        let value = format!("{}\"end\"{}", "[".repeat(levels), "]".repeat(levels));
        for line in [
            format!(r#"{{"msg":"deep","value":{value}}}"#),
            format!(r#"{{"@r":{{"cookies":{value}}}}}"#),
            format!(
                r#"{{"req":{{"method":"GET","url":"/","body":{value}}},"res":{{"statusCode":200}}}}"#
            ),
        ] {
            let mut decoder = lookback_formats::Decoder::new(lookback_formats::Options::default());
            let mut entries = Vec::new();
            decoder.line(line.as_bytes(), &mut entries).unwrap();
            decoder.finish(&mut entries);
            assert!(!entries.is_empty());
            for entry in &entries {
                if let Some(log) = &entry.log {
                    lookback::query::check_new(log).unwrap();
                    // The others are a cookie, and the body of a request.
                    assert!(!line.contains("msg") || format!("{log:?}").contains("end"));
                }
                if let Some(request) = &entry.request {
                    lookback::query::check_new(&**request).unwrap();
                }
            }
        }
    }
}

#[test]
fn number_of_a_card_is_masked_as_a_text_is() {
    let line = r#"{"msg":"m","level":"info","paid_with":4111111111111111,"text":"4111111111111111","in":{"it":4111111111111111},"time_ms":1765432100500,"order":140737488355329,"large":1e999999}"#;
    let mut entries = Vec::new();
    let mut decoder = Decoder::new(Options::default());
    decoder.line(line.as_bytes(), &mut entries).unwrap();
    decoder.finish(&mut entries);
    let meta = entries[0].log.as_ref().unwrap().meta.as_ref().unwrap();
    for masked in [&meta["paid_with"], &meta["text"], &meta["in"]["it"]] {
        assert_eq!(masked, "[masked]", "{meta}");
    }
    assert_eq!(meta["order"], 140_737_488_355_329_i64);
    assert_eq!(meta["time_ms"], 1_765_432_100_500_i64);
    assert_eq!(meta["large"], "1e999999");
}
