use proptest::prelude::*;

use super::{PreparedRequest, ReplaySettings, prepare};
use crate::replay::{Refusal, Target};
use crate::value::{Hidden, Json};
use crate::{RequestSnapshot, json};

/// A snapshot with method and path alone.
pub(crate) fn snapshot(method: &str, path: &str) -> RequestSnapshot {
    RequestSnapshot {
        id: 1,
        method: method.to_owned(),
        path: path.to_owned(),
        query: None,
        body: None,
        headers: None,
        user_id: None,
        timestamp: chrono::DateTime::UNIX_EPOCH,
        version: "1".to_owned(),
        stage: "test".to_owned(),
        status_code: Some(200),
        response_body: None,
        response_headers: None,
        duration: Some(1),
        geo_country: None,
        geo_region: None,
        geo_city: None,
        geo_lat: None,
        geo_lon: None,
        geo_source: None,
        trace_id: None,
        created_at: chrono::DateTime::UNIX_EPOCH,
        updated_at: chrono::DateTime::UNIX_EPOCH,
        deleted_at: Hidden::default(),
        embedding: Hidden::default(),
    }
}

fn target() -> Target {
    "http://t.example/base".parse().unwrap()
}

fn prepared(snapshot: &RequestSnapshot) -> Result<PreparedRequest, Refusal> {
    let settings = ReplaySettings {
        unsafe_methods: true,
        ..ReplaySettings::default()
    };
    prepare(snapshot, &target(), &settings)
}

fn shown_headers(prepared: &PreparedRequest) -> Vec<String> {
    let headers = prepared.headers.iter();
    headers
        .filter(|(name, _)| *name != "traceparent")
        .map(|(name, value)| format!("{name}: {}", String::from_utf8_lossy(value.as_bytes())))
        .collect()
}

#[test]
fn headers_of_the_connection_and_of_capture_are_left_out() {
    let mut request = snapshot("GET", "/a b/%2F");
    request.query = Some(json!({"q": "x&y", "tag": ["1", "2"]}));
    request.headers = Some(json!({
        "host": "prod.example", "accept": "*/*", "x-many": ["a", "b"], "x-hop": "1",
        "connection": "keep-alive, X-Hop", "keep-alive": "timeout=5", "te": "trailers",
        "transfer-encoding": "chunked", "expect": "100-continue", "accept-encoding": "gzip",
        "content-length": "0", "proxy-authorization": "Basic x",
        "traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "route": "/a", "request_size": 0, "http_version": "HTTP/1.1", "client_ip": "192.0.2.1",
        "header.route": "from the client", "X-Upper": "é", "timings": {"wait": 1}, "not a name": "x",
        "authorization": "[masked]", "cookie": "sid=[masked]; a=1",
    }));
    let sent = prepared(&request).unwrap();
    assert_eq!(
        sent.url,
        "http://t.example/base/a%20b/%2F?q=x%26y&tag=1&tag=2"
    );
    assert_eq!(
        shown_headers(&sent),
        [
            "x-upper: é",
            "accept: */*",
            "route: from the client",
            "x-many: a",
            "x-many: b"
        ]
    );
    assert_eq!(sent.masked, ["header authorization", "header cookie"]);
    let trace = sent.trace_id().unwrap();
    assert_ne!(trace, "4bf92f3577b34da6a3ce929d0e0e4736");

    let settings = ReplaySettings {
        keep_host: true,
        headers: vec![
            (
                "authorization".parse().unwrap(),
                Some("Bearer 7".parse().unwrap()),
            ),
            ("accept".parse().unwrap(), None),
        ],
        query: vec![("tag".to_owned(), "3".to_owned())],
        ..ReplaySettings::default()
    };
    let sent = prepare(&request, &target(), &settings).unwrap();
    assert_eq!(sent.url, "http://t.example/base/a%20b/%2F?q=x%26y&tag=3");
    assert_eq!(
        shown_headers(&sent),
        [
            "x-upper: é",
            "route: from the client",
            "host: prod.example",
            "x-many: a",
            "x-many: b",
            "authorization: Bearer 7",
        ]
    );
    assert_eq!(sent.masked, ["header cookie"]);
}

#[test]
fn bodies_are_sent_as_they_were() {
    for (headers, body, sent) in [
        (
            json!({"content-type": "application/json"}),
            json!({"b": 1, "a": [null]}),
            &b"{\"a\":[null],\"b\":1}"[..],
        ),
        (
            json!({"content-type": "application/vnd.x+json"}),
            json!("text"),
            b"\"text\"",
        ),
        (
            json!({"content-type": "text/plain"}),
            json!("text"),
            b"text",
        ),
        (
            json!({"content-type": "text/plain; charset=ISO-8859-1"}),
            json!("é"),
            b"\xe9",
        ),
        (
            json!({"content-type": "application/x-www-form-urlencoded"}),
            json!({"a b": "1&2", "c": ["x", "y"]}),
            b"a%20b=1%262&c=x&c=y",
        ),
        (
            json!({}),
            json!({"$body": {"size": 3, "base64": "AP8B"}}),
            b"\x00\xff\x01",
        ),
        (
            json!({}),
            json!({"$body": {"size": 2, "text": "hi", "type": "text/event-stream"}}),
            b"hi",
        ),
        (
            json!({"content-type": "image/png"}),
            json!("data:image/png;base64,AP8B"),
            b"\x00\xff\x01",
        ),
        (json!({"request_size": 0}), Json::Null, b"null"),
    ] {
        let mut request = snapshot("POST", "/");
        request.headers = Some(headers);
        request.body = Some(body.clone());
        assert_eq!(prepared(&request).unwrap().body, sent, "{body}");
    }
}

#[test]
fn fields_of_a_span_are_no_headers() {
    let mut request = snapshot("GET", "/orders");
    request.headers = Some(json!({
        "name": "GET /orders", "spanId": "00f067aa0ba902b7", "startTimeUnixNano": "1", "kind": "2",
        "http.route": "/orders", "telemetry.sdk.name": "opentelemetry",
        "user-agent": "curl/8", "accept": "*/*",
    }));
    let sent = prepared(&request).unwrap();
    assert_eq!(shown_headers(&sent), ["accept: */*", "user-agent: curl/8"]);
    // Of any other request, they are headers.
    request.headers = Some(json!({"name": "x", "x.y": "z"}));
    let sent = prepared(&request).unwrap();
    assert_eq!(shown_headers(&sent), ["name: x", "x.y: z"]);
}

#[test]
fn compressed_body_keeps_its_encoding_only_if_it_is_stored_compressed() {
    let mut request = snapshot("POST", "/");
    request.headers = Some(json!({"content-encoding": "gzip", "content-type": "text/plain"}));
    request.body = Some(json!("plain"));
    assert_eq!(
        shown_headers(&prepared(&request).unwrap()),
        ["content-type: text/plain"]
    );
    request.body = Some(json!({"$body": {"size": 1, "base64": "AA==", "encoding": "gzip"}}));
    let sent = prepared(&request).unwrap();
    assert_eq!(
        shown_headers(&sent),
        ["content-encoding: gzip", "content-type: text/plain"]
    );
}

#[test]
fn requests_that_cannot_be_sent_say_why() {
    let refused = |change: &dyn Fn(&mut RequestSnapshot)| {
        let mut request = snapshot("POST", "/");
        change(&mut request);
        prepared(&request).unwrap_err().to_string()
    };
    assert_eq!(
        refused(&|r| r.headers = Some(json!({"direction": "outgoing"}))),
        "the application sent this request itself"
    );
    assert_eq!(
        refused(&|r| r.body = Some(json!({"$body": {"size": 9, "truncated": true, "text": "x"}}))),
        "only the start of its body (9 bytes) was captured"
    );
    assert_eq!(
        refused(&|r| r.body = Some(json!({"$body": {"size": 9, "type": "image/png"}}))),
        "its body (9 bytes) was not captured"
    );
    assert_eq!(
        refused(&|r| r.headers = Some(json!({"content-length": "12"}))),
        "its body (12 bytes) was not captured"
    );
    assert_eq!(
        refused(&|r| {
            r.query = Some(json!({"token": "[masked]", "a": "1"}));
            r.body = Some(json!({"user": {"password": "[masked]"}}));
            r.path = "/reset/[masked]".to_owned();
        }),
        "masked: path, query token, body $.user.password"
    );
    assert_eq!(
        refused(&|r| r.status_code = Some(101)),
        "it changed to another protocol"
    );
    assert_eq!(
        refused(&|r| r.method = "CONNECT".to_owned()),
        "the method `CONNECT` cannot be sent"
    );
    assert_eq!(
        refused(&|r| r.method = "-".to_owned()),
        "the method `-` cannot be sent"
    );
    assert_eq!(
        refused(&|r| r.path = "*".to_owned()),
        "the path `*` cannot be sent"
    );

    let settings = ReplaySettings::default();
    for (method, is_sent) in [
        ("GET", true),
        ("HEAD", true),
        ("OPTIONS", true),
        ("DELETE", false),
        ("QUERY", false),
    ] {
        let sent = prepare(&snapshot(method, "/"), &target(), &settings);
        assert_eq!(sent.is_ok(), is_sent, "{method}");
    }
}

#[test]
fn masked_values_are_sent_if_asked_for() {
    let mut request = snapshot("POST", "/");
    request.headers = Some(json!({"cookie": "[masked]"}));
    request.query = Some(json!({"token": "[masked]"}));
    request.body = Some(json!({"password": "[masked]"}));
    let settings = ReplaySettings {
        unsafe_methods: true,
        query: vec![("token".to_owned(), "7".to_owned())],
        body: Some(b"{}".to_vec()),
        ..ReplaySettings::default()
    };
    let sent = prepare(&request, &target(), &settings).unwrap();
    assert_eq!(
        (sent.url.query(), &*sent.body),
        (Some("token=7"), &b"{}"[..])
    );
    assert_eq!(sent.masked, ["header cookie"]);

    let settings = ReplaySettings {
        unsafe_methods: true,
        send_masked: true,
        ..ReplaySettings::default()
    };
    let sent = prepare(&request, &target(), &settings).unwrap();
    assert_eq!(sent.url.query(), Some("token=%5Bmasked%5D"));
    assert_eq!(shown_headers(&sent), ["cookie: [masked]"]);
    assert_eq!(
        sent.masked,
        ["query token", "body $.password", "header cookie"]
    );
}

#[test]
fn captured_target_is_that_of_the_headers() {
    let mut request = snapshot("GET", "/");
    assert_eq!(Target::captured(&request), None);
    for (headers, target) in [
        (json!({"host": "x.example:81"}), Some("http://x.example:81")),
        (
            json!({"host": "x.example", "x-forwarded-proto": "https"}),
            Some("https://x.example"),
        ),
        (
            json!({":authority": "x.example", ":scheme": "https"}),
            Some("https://x.example"),
        ),
        (json!({"host": "x y"}), None),
        (json!({"host": "me@x.example"}), None),
    ] {
        request.headers = Some(headers);
        let captured = Target::captured(&request).map(|target| target.to_string());
        assert_eq!(captured.as_deref(), target);
    }
}

/// The arguments that `sh` makes of a command, and its standard input.
fn arguments(command: &str) -> (Vec<String>, Vec<u8>) {
    // Each argument ends with a byte that no argument has.
    let script = format!("curl() {{ printf '%s\\001' \"$@\"; cat; }}\n{command}");
    let mut child = std::process::Command::new("sh")
        .args(["-c", &script])
        .stdin(std::process::Stdio::null())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let output = {
        let mut all = Vec::new();
        std::io::Read::read_to_end(&mut child.stdout.take().unwrap(), &mut all).unwrap();
        assert!(child.wait().unwrap().success(), "{command}");
        all
    };
    let mut parts: Vec<&[u8]> = output.split(|byte| *byte == 1).collect();
    let input = if command.starts_with("printf") {
        // The input may have that byte: it is behind the last argument.
        let at = output
            .windows(3)
            .position(|window| window == b"@-\x01")
            .unwrap()
            + 3;
        parts = output[..at - 1].split(|byte| *byte == 1).collect();
        output[at..].to_vec()
    } else {
        assert_eq!(parts.pop(), Some(&b""[..]));
        Vec::new()
    };
    let parts = parts
        .into_iter()
        .map(|part| String::from_utf8(part.to_vec()).unwrap());
    (parts.collect(), input)
}

#[test]
fn curl_has_an_option_for_each_part() {
    let mut request = snapshot("POST", "/a/../b");
    request.headers =
        Some(json!({"content-type": "application/json", "x-empty": "", "x-q": "it's"}));
    request.body = Some(json!({"a": "it's\n$HOME"}));
    let mut sent = prepared(&request).unwrap();
    sent.headers.remove("traceparent");
    insta::assert_snapshot!(sent.curl(), @r#"
    curl -X POST --path-as-is http://t.example/base/a/../b \
      -H 'content-type: application/json' \
      -H 'x-empty;' \
      -H 'x-q: it'\''s' \
      --data-raw '{"a":"it'\''s\n$HOME"}'
    "#);
    let (arguments, _) = arguments(&sent.curl());
    assert_eq!(arguments.last().unwrap(), "{\"a\":\"it's\\n$HOME\"}");
    let mut sent = prepared(&snapshot("HEAD", "/")).unwrap();
    sent.headers.remove("traceparent");
    assert_eq!(sent.curl(), "curl --head http://t.example/base/");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn shell_gives_curl_what_is_sent(
        path in "/[ -~é\u{1b}\n]{0,12}",
        name in "[ -~é\n]{1,6}",
        value in "[ -~é\n\t]{0,12}",
        name_of_header in "[-a-z!%']{1,4}",
        header in "[ -~é\u{9b}\u{202e}\u{200f}]{0,12}",
        body in prop_oneof![
            "[ -~é\n\t\u{1b}\u{202e}']{0,24}".prop_map(String::into_bytes),
            prop::collection::vec(any::<u8>(), 0..24),
        ],
    ) {
        let mut request = snapshot("PUT", &path);
        request.query = Some([(name, Json::from(value))].into_iter().collect());
        request.headers = Some(json!({name_of_header: header, "content-type": "application/octet-stream"}));
        let settings = ReplaySettings {
            unsafe_methods: true,
            body: Some(body.clone()),
            ..ReplaySettings::default()
        };
        let sent = prepare(&request, &target(), &settings).unwrap();
        let command = sent.curl();
        let is_unsafe = |c: char| {
            c.is_control() && c != '\n' && c != '\t' || matches!(c, '\u{202e}' | '\u{200f}')
        };
        prop_assert!(!command.contains(is_unsafe));
        let (arguments, input) = arguments(&command);
        prop_assert_eq!(&arguments[..2], ["-X", "PUT"]);
        prop_assert!(arguments.contains(&sent.url.to_string()));
        for (name, value) in &sent.headers {
            let value = std::str::from_utf8(value.as_bytes()).unwrap();
            let expected = if value.is_empty() { format!("{name};") } else { format!("{name}: {value}") };
            prop_assert!(arguments.contains(&expected), "{:?} {}", arguments, expected);
        }
        let data = arguments.iter().position(|argument| argument.starts_with("--data"));
        let received = match data.map(|at| (&*arguments[at], &*arguments[at + 1])) {
            None => Vec::new(),
            Some(("--data-raw", text)) => text.as_bytes().to_vec(),
            Some(_) => input,
        };
        prop_assert_eq!(received, body);
    }
}
