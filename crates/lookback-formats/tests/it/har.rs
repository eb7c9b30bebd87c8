//! Archives of captured requests: complete by HAR 1.2, and imported again.

use std::str::FromStr as _;

use chrono::DateTime;
use lookback::table::ColumnValues as _;
use lookback::value::{Hidden, JsonMap};
use lookback::{GeoSource, Json, NewRequestSnapshot, RequestSnapshot, json};
use lookback_formats::{Decoder, Format, Options, har};
use proptest::prelude::*;

fn snapshot(path: &str) -> RequestSnapshot {
    RequestSnapshot {
        id: 7,
        method: "POST".to_owned(),
        path: path.to_owned(),
        query: None,
        body: None,
        headers: None,
        user_id: None,
        timestamp: "2026-03-01T10:00:00.123456Z".parse().unwrap(),
        version: "1.2.3".to_owned(),
        stage: "production".to_owned(),
        status_code: Some(200),
        response_body: None,
        response_headers: None,
        duration: Some(12),
        geo_country: None,
        geo_region: None,
        geo_city: None,
        geo_lat: None,
        geo_lon: None,
        geo_source: None,
        trace_id: None,
        created_at: DateTime::UNIX_EPOCH,
        updated_at: DateTime::UNIX_EPOCH,
        deleted_at: Hidden::default(),
        embedding: Hidden::default(),
    }
}

/// The columns that an import stores.
fn columns(snapshot: &RequestSnapshot) -> NewRequestSnapshot {
    let Json::Object(mut map) = Json::from_serialize(snapshot).unwrap() else {
        unreachable!("a record is an object");
    };
    for name in ["id", "created_at", "updated_at"] {
        map.remove(name);
    }
    let mut record = NewRequestSnapshot::from_json(map).unwrap();
    // JSON does not tell them from NULL.
    record.body.clone_from(&snapshot.body);
    record.query.clone_from(&snapshot.query);
    record.headers.clone_from(&snapshot.headers);
    record.response_body.clone_from(&snapshot.response_body);
    record
        .response_headers
        .clone_from(&snapshot.response_headers);
    record.created_at = Some(snapshot.timestamp);
    record
}

fn archive(snapshots: &[RequestSnapshot]) -> String {
    let entries: Vec<String> = snapshots
        .iter()
        .map(|s| har::entry(s).to_string())
        .collect();
    format!("{}{}{}", har::begin("0.1.0"), entries.join(",\n"), har::END)
}

fn imported(archive: &str) -> Vec<NewRequestSnapshot> {
    let mut decoder = Decoder::new(Options::default());
    let mut entries = Vec::new();
    for line in archive.lines() {
        decoder.line(line.as_bytes(), &mut entries).unwrap();
    }
    decoder.finish(&mut entries);
    assert!(
        entries
            .iter()
            .all(|entry| entry.format == Format::Har && entry.log.is_none())
    );
    entries
        .into_iter()
        .map(|entry| *entry.request.unwrap())
        .collect()
}

/// Checks the fields that HAR 1.2 requires, and their types.
fn check(archive: &Json) {
    let log = &archive["log"];
    assert_eq!(log["version"], "1.2");
    for name in ["name", "version"] {
        text(&log["creator"][name]);
    }
    list(&log["pages"]);
    for entry in list(&log["entries"]) {
        let time = entry["startedDateTime"].as_str().unwrap();
        DateTime::parse_from_rfc3339(time).unwrap();
        let timings = ["send", "wait", "receive"].map(|name| number(&entry["timings"][name]));
        assert!(timings.iter().all(|timing| *timing >= 0.0));
        assert!((timings.iter().sum::<f64>() - number(&entry["time"])).abs() < 1e-9);
        assert!(entry["cache"].is_object());
        let (request, response) = (&entry["request"], &entry["response"]);
        for name in ["method", "url", "httpVersion"] {
            text(&request[name]);
        }
        let url = request["url"].as_str().unwrap();
        let url = http::Uri::from_str(url).unwrap_or_else(|error| panic!("{url}: {error}"));
        assert!(url.scheme().is_some() && url.host().is_some() && !url.to_string().contains('#'));
        named(&request["queryString"]);
        if let Some(data) = request.get("postData") {
            text(&data["mimeType"]);
            // One of the two.
            assert!(data.get("text").is_some() != data.get("params").is_some());
            if let Some(params) = data.get("params") {
                named(params);
            }
        }
        let status = number(&response["status"]);
        assert!(status == 0.0 || (100.0..600.0).contains(&status));
        for name in ["statusText", "httpVersion", "redirectURL"] {
            text(&response[name]);
        }
        number(&response["content"]["size"]);
        text(&response["content"]["mimeType"]);
        for side in [request, response] {
            named(&side["headers"]);
            named(&side["cookies"]);
            assert!(number(&side["headersSize"]) >= -1.0 && number(&side["bodySize"]) >= -1.0);
        }
        let known = [
            "startedDateTime",
            "time",
            "request",
            "response",
            "cache",
            "timings",
        ];
        for name in entry.as_object().unwrap().keys() {
            assert!(
                known.contains(&name.as_str()) || name.starts_with('_'),
                "{name}"
            );
        }
    }
}

fn text(value: &Json) {
    assert!(value.is_string(), "{value}");
}

fn number(value: &Json) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value}"))
}

fn list(value: &Json) -> &[Json] {
    value.as_array().unwrap_or_else(|| panic!("{value}"))
}

fn named(value: &Json) {
    for item in list(value) {
        text(&item["name"]);
        text(&item["value"]);
    }
}

#[test]
fn headers_that_capture_has_masked_come_back_as_they_are() {
    let mut request = snapshot("/orders");
    request.headers = Some(json!({
        "host": "shop.example", "authorization": "Bearer [masked]",
        "cookie": "sid=[masked]; theme=[masked]", "proxy-authorization": "basic [masked]",
        "span_id": "00f067aa0ba902b7", "parent_span_id": "00f067aa0ba902b8",
        "tracestate": "rojo=1", "route": "/orders",
    }));
    request.response_headers = Some(json!({
        "set-cookie": ["sid=[masked]; Path=/; HttpOnly", "b=[masked]"], "response_size": 0,
    }));
    let imported = imported(&archive(std::slice::from_ref(&request)));
    assert_eq!(imported, [columns(&request)]);
}

#[test]
fn captured_request_has_its_parts_in_the_fields_of_har() {
    let mut request = snapshot("/orders/a b");
    request.query = Some(json!({"q": "x&y", "tag": ["1", "2"]}));
    request.headers = Some(json!({
        "host": "shop.example", "x-forwarded-proto": "https", "cookie": "a=1; b=2",
        "content-type": "application/json", "authorization": "Bearer s3cret-s3cret-s3cret",
        "route": "/orders/{id}", "request_size": 17, "http_version": "HTTP/1.1",
    }));
    request.body = Some(json!({"amount": 1}));
    request.response_headers = Some(json!({
        "content-type": "image/png", "response_size": 3, "location": "/next",
    }));
    request.response_body =
        Some(json!({"$body": {"type": "image/png", "size": 3, "base64": "AP8B"}}));
    request.geo_country = Some("CH".to_owned());
    let text = archive(std::slice::from_ref(&request));
    assert!(!text.contains("s3cret"), "{text}");
    let archive: Json = text.parse().unwrap();
    check(&archive);
    let mut entry = archive["log"]["entries"][0].clone();
    let Json::Object(map) = &mut entry else {
        unreachable!("it is an object")
    };
    let own = map.remove("_lookback").unwrap();
    assert_eq!(
        entry,
        json!({
            "startedDateTime": "2026-03-01T10:00:00.123456Z",
            "time": 12,
            "request": {
                "method": "POST",
                "url": "https://shop.example/orders/a%20b?q=x%26y&tag=1&tag=2",
                "httpVersion": "HTTP/1.1",
                "cookies": [
                    {"name": "a", "value": "[masked]"},
                    {"name": "b", "value": "[masked]"},
                ],
                "headers": [
                    {"name": "authorization", "value": "Bearer [masked]"},
                    {"name": "content-type", "value": "application/json"},
                    {"name": "cookie", "value": "a=[masked]; b=[masked]"},
                    {"name": "host", "value": "shop.example"},
                    {"name": "x-forwarded-proto", "value": "https"},
                ],
                "queryString": [
                    {"name": "q", "value": "x&y"},
                    {"name": "tag", "value": "1"},
                    {"name": "tag", "value": "2"},
                ],
                "headersSize": -1,
                "bodySize": 17,
                "postData": {"mimeType": "application/json", "text": "{\"amount\":1}"},
            },
            "response": {
                "status": 200,
                "statusText": "OK",
                "httpVersion": "HTTP/1.1",
                "cookies": [],
                "headers": [
                    {"name": "content-type", "value": "image/png"},
                    {"name": "location", "value": "/next"},
                ],
                "content": {"size": 3, "mimeType": "image/png", "text": "AP8B", "encoding": "base64"},
                "redirectURL": "/next",
                "headersSize": -1,
                "bodySize": 3,
            },
            "cache": {},
            "timings": {"send": 0, "wait": 12, "receive": 0},
        })
    );
    // What is not in the fields of HAR, and nothing else.
    assert_eq!(
        own,
        json!({
            "id": 7,
            "path": "/orders/a b",
            "version": "1.2.3",
            "stage": "production",
            "geo_country": "CH",
            "response_body": {"$body": {"type": "image/png", "size": 3, "base64": "AP8B"}},
            "members": {
                "headers": {"route": "/orders/{id}", "request_size": 17, "http_version": "HTTP/1.1"},
                "response_headers": {"response_size": 3},
            },
        })
    );
}

#[test]
fn request_without_response_has_status_0_and_the_reason() {
    let mut request = snapshot("/");
    request.status_code = None;
    request.duration = None;
    request.body = Some(json!("data:image/png;base64,AP8B"));
    request.response_headers = Some(json!({"error": "client hung up"}));
    let text = archive(std::slice::from_ref(&request));
    let archive: Json = text.parse().unwrap();
    check(&archive);
    let entry = &archive["log"]["entries"][0];
    assert_eq!(entry["response"]["status"], Json::from(0));
    assert_eq!(entry["response"]["_error"], "client hung up");
    assert_eq!(
        entry["request"]["postData"],
        json!({"mimeType": "image/png", "text": "", "_base64": "AP8B"})
    );
    assert_eq!(imported(&text), [columns(&request)]);
}

#[test]
fn archive_without_entries_is_complete() {
    let archive: Json = archive(&[]).parse().unwrap();
    check(&archive);
}

#[test]
fn changed_columns_are_refused_with_their_names() {
    let text = archive(&[snapshot("/")]).replace("\"stage\":\"production\"", "\"stag\":\"x\"");
    let mut decoder = Decoder::new(Options::default());
    let mut entries = Vec::new();
    let mut problems = String::new();
    for line in text.lines() {
        if let Err(problem) = decoder.line(line.as_bytes(), &mut entries) {
            problems.push_str(&problem.to_string());
        }
    }
    decoder.finish(&mut entries);
    assert!(
        problems.contains("_lookback") && problems.contains("stag"),
        "{problems}"
    );
}

fn any_json() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::from),
        any::<i64>().prop_map(Json::from),
        Just("12345678901234567890.10".parse::<Json>().unwrap()),
        "[a-c é\n]{0,6}".prop_map(Json::from),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Json::Array),
            prop::collection::vec(("[a-c ]{0,3}", inner), 0..4)
                .prop_map(|pairs| Json::Object(pairs.into_iter().collect::<JsonMap>())),
        ]
    })
}

fn any_map() -> impl Strategy<Value = Json> {
    let name = prop_oneof![
        Just("host".to_owned()),
        Just("content-type".to_owned()),
        Just("X-Upper".to_owned()),
        Just("route".to_owned()),
        Just("header.route".to_owned()),
        Just("fragment".to_owned()),
        Just(":authority".to_owned()),
        Just("traceparent".to_owned()),
        "[a-c. \n]{0,3}",
    ];
    let value = prop_oneof![
        Just(Json::from("shop.example:80")),
        Just(Json::from("application/x-www-form-urlencoded")),
        Just(Json::from(
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
        )),
        "[a-c /#?é]{0,4}".prop_map(Json::from),
        any_json(),
    ];
    prop::collection::vec((name, value), 0..5)
        .prop_map(|pairs| Json::Object(pairs.into_iter().collect::<JsonMap>()))
}

fn any_body() -> impl Strategy<Value = Option<Json>> {
    prop_oneof![
        Just(None),
        any_json().prop_map(Some),
        Just(Some(json!("{\"a\":1}"))),
        Just(Some(json!("data:image/png;base64,AP8B"))),
        Just(Some(json!("data:image/png;base64,no"))),
        Just(Some(
            json!({"$body": {"type": "a/b", "size": 3, "base64": "AP8B"}})
        )),
        Just(Some(
            json!({"$body": {"type": "a/b", "size": 3, "base64": "YWJj"}})
        )),
        Just(Some(
            json!({"$body": {"size": 9, "truncated": true, "text": "{\"a\":"}})
        )),
        Just(Some(json!({"$body": {"size": 9}}))),
    ]
}

fn any_snapshot() -> impl Strategy<Value = RequestSnapshot> {
    let text = || prop::option::of("[a-cé .]{1,4}");
    let maps = (
        any_map(),
        any_map(),
        any_map(),
        prop::array::uniform3(any::<bool>()),
    );
    let numbers = (
        prop::option::of(100..=599_i32),
        prop::option::of(0..=i32::MAX),
        -4_000_000_000_000_000_i64..9_000_000_000_000_000,
        prop::option::of(-90.0..90.0_f64),
    );
    let texts = (
        "[A-Z-]{1,6}",
        "[ -~é/]{1,12}",
        "[a-c]{0,3}",
        "[a-c ]{0,3}",
        text(),
        text(),
        text(),
        prop::option::of(prop_oneof!["[0-9a-f]{32}", "[A-Za-z-]{1,9}"]),
    );
    (texts, maps, numbers, any_body(), any_body()).prop_map(
        |(texts, (query, headers, received, has), numbers, body, response_body)| {
            let (method, path, version, stage, user_id, country, city, trace_id) = texts;
            let (status_code, duration, micros, latitude) = numbers;
            let path = if path.trim().is_empty() {
                "/".to_owned()
            } else {
                path
            };
            RequestSnapshot {
                method,
                query: has[0].then_some(query),
                body,
                headers: has[1].then_some(headers),
                user_id,
                timestamp: DateTime::from_timestamp_micros(micros).unwrap(),
                version,
                stage,
                status_code,
                response_body,
                response_headers: has[2].then_some(received),
                duration,
                geo_country: country,
                geo_city: city,
                geo_lat: latitude,
                geo_source: latitude.map(|_| GeoSource::Ip),
                trace_id,
                ..snapshot(&path)
            }
        },
    )
}

proptest! {
    #[test]
    fn exported_requests_are_imported_as_they_were(
        snapshots in prop::collection::vec(any_snapshot(), 1..4)
    ) {
        let text = archive(&snapshots);
        check(&text.parse().unwrap());
        let expected: Vec<NewRequestSnapshot> = snapshots.iter().map(columns).collect();
        prop_assert_eq!(imported(&text), expected);
    }
}
