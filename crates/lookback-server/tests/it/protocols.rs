//! OpenTelemetry, Loki and Elasticsearch's bulk.

use lookback::Json;

use crate::support::TestServer;

const PROTOBUF: &str = "application/x-protobuf";

/// Encodes a field of protobuf with bytes.
fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
    let mut encoded = vec![number << 3 | 2];
    let mut length = bytes.len();
    while length >= 0x80 {
        encoded.push((length & 0x7f) as u8 | 0x80);
        length >>= 7;
    }
    encoded.push(length as u8);
    encoded.extend_from_slice(bytes);
    encoded
}

/// An `ExportLogsServiceRequest` with a record for each body.
pub(crate) fn otlp_logs(bodies: &[&str]) -> Vec<u8> {
    let records: Vec<u8> = bodies
        .iter()
        .flat_map(|body| {
            let value = field(1, body.as_bytes());
            let mut record = vec![9];
            record.extend_from_slice(&1_791_720_794_500_000_000_u64.to_le_bytes());
            record.extend(field(3, b"ERROR"));
            record.extend(field(5, &value));
            field(2, &record)
        })
        .collect();
    field(1, &field(2, &records))
}

#[tokio::test]
async fn otlp_logs_are_stored_from_protobuf_and_json() {
    let server = TestServer::start().await;
    let answer = server
        .post(
            "/v1/logs",
            PROTOBUF,
            otlp_logs(&["disk full", "disk fuller"]),
        )
        .await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.headers["content-type"], PROTOBUF);
    assert!(answer.body.is_empty());
    let json = r#"{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"timeUnixNano":"1791720794500000000","severityText":"WARN","body":{"stringValue":"as JSON"}}]}]}]}"#;
    let answer = server
        .post("/v1/logs", "application/json; charset=utf-8", json)
        .await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.json(), lookback::json!({}));
    assert_eq!(
        server.messages().await,
        ["disk full", "disk fuller", "as JSON"]
    );
    // A request with nothing is right.
    let empty = server.post("/v1/logs", PROTOBUF, Vec::new()).await;
    assert_eq!(empty.status, 200, "{empty:?}");
}

#[tokio::test]
async fn otlp_answers_partial_success_and_errors_in_the_encoding_of_the_request() {
    let server = TestServer::start().await;
    let blank = otlp_logs(&["good", "  "]);
    let answer = server.post("/v1/logs", PROTOBUF, blank).await;
    assert_eq!(answer.status, 200);
    let stored = server.messages().await.len();
    if stored == 1 {
        // partial_success { rejected_log_records: 1, error_message: … }
        assert_eq!(&answer.body[..1], [0x0a]);
        assert_eq!(&answer.body[2..4], [0x08, 1]);
    }
    let broken = server
        .post("/v1/logs", PROTOBUF, vec![0xff, 0xff, 0xff])
        .await;
    assert_eq!(broken.status, 400);
    assert_eq!(broken.headers["content-type"], PROTOBUF);
    assert_eq!(&broken.body[..2], [0x08, 3], "INVALID_ARGUMENT");
    let broken = server.post("/v1/logs", "application/json", "[]").await;
    assert_eq!(
        (broken.status, broken.problem()),
        (400, "invalid-body".to_owned())
    );
    let other = server.post("/v1/logs", "text/plain", "x").await;
    assert_eq!(
        (other.status, other.problem()),
        (415, "unsupported-type".to_owned())
    );
}

#[tokio::test]
async fn server_spans_become_requests() {
    let server = TestServer::start().await;
    let json = r#"{"resourceSpans":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"shop"}}]},"scopeSpans":[{"spans":[{"traceId":"4bf92f3577b34da6a3ce929d0e0e4736","spanId":"00f067aa0ba902b7","name":"GET /orders/{id}","kind":2,"startTimeUnixNano":"1791720794500000000","endTimeUnixNano":"1791720794600000000","attributes":[{"key":"http.request.method","value":{"stringValue":"GET"}},{"key":"url.path","value":{"stringValue":"/orders/7"}},{"key":"http.response.status_code","value":{"intValue":"503"}}]}]}]}]}"#;
    let answer = server.post("/v1/traces", "application/json", json).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let stored = server.get("/api/v1/requests").await.json();
    let request = &stored["data"][0];
    assert_eq!(request["path"], "/orders/7");
    assert_eq!(request["status_code"], 503);
    assert_eq!(request["duration"], 100);
    assert_eq!(request["trace_id"], "4bf92f3577b34da6a3ce929d0e0e4736");
}

#[tokio::test]
async fn loki_push_is_stored() {
    let server = TestServer::start().await;
    let body = r#"{"streams":[{"stream":{"app":"shop","env":"prod"},"values":[["1791720794500000000","stock is low"]]}]}"#;
    let answer = server
        .post("/loki/api/v1/push", "application/json", body)
        .await;
    assert_eq!((answer.status, answer.body.len()), (204, 0), "{answer:?}");
    let stored = server.get("/api/v1/logs").await.json();
    assert_eq!(stored["data"][0]["source"], "shop");
    assert_eq!(stored["data"][0]["message"], "stock is low");
    let answer = server
        .post("/loki/api/v1/push", "application/json", "{")
        .await;
    assert_eq!(
        (answer.status, answer.problem()),
        (400, "invalid-body".to_owned())
    );
}

#[tokio::test]
async fn bulk_of_elasticsearch_is_stored_and_each_action_answered() {
    let server = TestServer::start().await;
    let about = server.get("/elastic/").await;
    assert_eq!(about.headers["x-elastic-product"], "Elasticsearch");
    assert!(about.json()["version"]["number"].is_string());
    let body = concat!(
        r#"{"create":{"_index":"app-2026"}}"#,
        "\n",
        r#"{"@timestamp":"2026-11-29T10:00:00Z","log.level":"error","message":"of filebeat"}"#,
        "\n",
        r#"{"delete":{"_index":"app-2026","_id":"7"}}"#,
        "\n",
        r#"{"index":{}}"#,
        "\n",
        r#"{"@timestamp":"2026-11-29T10:00:01Z","message":"of vector"}"#,
        "\n",
    );
    let answer = server
        .post("/elastic/_bulk", "application/x-ndjson", body)
        .await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let json = answer.json();
    assert_eq!(json["errors"], Json::from(true));
    let items = json["items"].as_array().unwrap();
    assert_eq!(items.len(), 3);
    assert_eq!(items[0]["create"]["status"], 201_u64);
    assert_eq!(items[0]["create"]["_index"], "app-2026");
    assert_eq!(items[1]["delete"]["status"], 400_u64);
    assert_eq!(items[2]["index"]["status"], 201_u64);
    assert_eq!(server.messages().await, ["of filebeat", "of vector"]);
    let answer = server
        .post("/elastic/_bulk", "application/x-ndjson", "{}\n{}")
        .await;
    assert_eq!(
        (answer.status, answer.problem()),
        (400, "invalid-body".to_owned())
    );
}
