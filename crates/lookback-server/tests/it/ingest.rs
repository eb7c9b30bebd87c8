//! Log lines, requests and windows as JSON and lines.

use lookback::Json;

use crate::support::TestServer;

const NDJSON: &str = "application/x-ndjson";

#[tokio::test]
async fn lines_of_lookbacks_own_form_and_of_loggers_are_stored() {
    let server = TestServer::start().await;
    let body = concat!(
        r#"{"source":"API","level":"warn","message":"own form","meta":{"n":1},"trace_id":"abc"}"#,
        "\n",
        r#"{"level":50,"time":1761234568001,"msg":"of pino","sku":914}"#,
        "\n\n",
        "2026-11-29T10:00:00Z ERROR plain text\n",
    );
    let answer = server.post("/api/v1/logs", NDJSON, body).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let json = answer.json();
    assert_eq!(
        (&json["data"]["stored"], &json["data"]["rejected"]),
        (&Json::from(3_u64), &Json::from(0_u64))
    );
    assert_eq!(
        server.messages().await,
        [
            "own form",
            "of pino",
            "2026-11-29T10:00:00Z ERROR plain text"
        ]
    );
    let first = server.get("/api/v1/logs?message=own%20form").await.json();
    let first = &first["data"][0];
    assert_eq!(first["meta"]["n"], 1);
    assert_eq!(first["trace_id"], "abc");
    assert!(first.get("embedding").is_none() && first.get("deleted_at").is_none());
}

#[tokio::test]
async fn one_object_a_list_and_forms_of_curl_are_stored() {
    let server = TestServer::start().await;
    let object = r#"{"level": "info",
        "source": "API", "message": "over\ntwo lines"}"#;
    for (content_type, body) in [
        ("application/json; charset=utf-8", object.to_owned()),
        ("application/json", format!("[{object}, {object}]")),
        ("application/x-www-form-urlencoded", object.to_owned()),
        ("", object.to_owned()),
    ] {
        let answer = server.post("/api/v1/logs", content_type, body).await;
        assert_eq!(answer.status, 200, "{content_type}: {answer:?}");
    }
    assert_eq!(server.messages().await, vec!["over\ntwo lines"; 5]);
}

#[tokio::test]
async fn wrong_records_are_named_and_the_others_stored() {
    let server = TestServer::start().await;
    let body = concat!(
        r#"{"source":"API","level":"fatal","message":"  "}"#,
        "\n",
        r#"{"source":"API","level":"info","message":"good"}"#,
    );
    let answer = server.post("/api/v1/logs", NDJSON, body).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let json = answer.json();
    assert_eq!(json["data"]["rejected"], 1_u64);
    let errors = json["data"]["errors"].as_array().unwrap();
    let of: Vec<_> = errors
        .iter()
        .map(|error| {
            (
                error["record"].as_u64().unwrap(),
                error["field"].as_str().unwrap(),
            )
        })
        .collect();
    assert!(of.contains(&(1, "level")), "{json}");
    assert_eq!(server.messages().await, ["good"]);

    let answer = server
        .post(
            "/api/v1/logs",
            NDJSON,
            r#"{"source":"API","level":"fatal","message":"x"}"#,
        )
        .await;
    assert_eq!(
        (answer.status, answer.problem()),
        (422, "invalid-record".to_owned())
    );
    assert_eq!(answer.json()["errors"][0]["field"], "level");
    let answer = server.post("/api/v1/logs", NDJSON, "\n \n").await;
    assert_eq!(
        (answer.status, answer.problem()),
        (400, "invalid-body".to_owned())
    );
}

#[tokio::test]
async fn access_log_lines_become_requests() {
    let server = TestServer::start().await;
    let line = r#"203.0.113.7 - ada [29/Nov/2026:10:00:00 +0000] "GET /orders/7 HTTP/1.1" 503 512 "-" "curl/8""#;
    let answer = server.post("/api/v1/requests", "text/plain", line).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let json = server
        .get("/api/v1/requests?status_code__gte=500")
        .await
        .json();
    assert_eq!(json["data"][0]["path"], "/orders/7");
    assert_eq!(json["metadata"]["total"], 1_u64);
}

#[tokio::test]
async fn batch_with_a_key_is_stored_once() {
    let server = TestServer::start().await;
    let body = |message: &str| format!(r#"{{"source":"A","level":"info","message":"{message}"}}"#);
    let key = [("idempotency-key", "batch-1")];
    let first = server
        .post_with("/api/v1/logs", NDJSON, &key, body("one"))
        .await;
    let again = server
        .post_with("/api/v1/logs", NDJSON, &key, body("one"))
        .await;
    assert_eq!((first.status, again.status), (200, 200));
    assert_eq!(first.json(), again.json());
    let other = server
        .post_with("/api/v1/logs", NDJSON, &key, body("two"))
        .await;
    assert_eq!(
        (other.status, other.problem()),
        (422, "idempotency-key-reused".to_owned())
    );
    assert_eq!(server.messages().await, ["one"]);
    // What failed has left no key.
    let key = [("idempotency-key", "batch-2")];
    let failed = server.post_with("/api/v1/logs", NDJSON, &key, "").await;
    assert_eq!(failed.status, 400);
    let stored = server
        .post_with("/api/v1/logs", NDJSON, &key, body("three"))
        .await;
    assert_eq!(stored.status, 200);
    assert_eq!(server.messages().await, ["one", "three"]);
    // Keys of other programs are others.
    let (_, bearer) = server.new_key(lookback::KeyScope::Ingest).await;
    let bearer = format!("Bearer {bearer}");
    let headers = [("authorization", &*bearer), ("idempotency-key", "batch-1")];
    let stored = server
        .send("POST", "/api/v1/logs", &headers, body("four"))
        .await;
    assert_eq!(stored.status, 200);
    assert_eq!(server.messages().await, ["one", "three", "four"]);
}

#[tokio::test]
async fn batch_that_is_sent_twice_at_a_time_is_stored_once() {
    let server = TestServer::start().await;
    let lines: String = (0..200)
        .map(|n| format!("{{\"source\":\"A\",\"level\":\"info\",\"message\":\"line {n}\"}}\n"))
        .collect();
    let key = [("idempotency-key", "both")];
    let send = || server.post_with("/api/v1/logs", NDJSON, &key, lines.clone());
    let (a, b, c) = tokio::join!(send(), send(), send());
    assert_eq!((a.status, b.status, c.status), (200, 200, 200));
    assert_eq!(server.messages().await.len(), 200);
}

#[tokio::test]
async fn old_keys_are_forgotten() {
    let server = TestServer::start().await;
    let body = r#"{"source":"A","level":"info","message":"x"}"#;
    for key in ["old", "new"] {
        server
            .post_with("/api/v1/logs", NDJSON, &[("idempotency-key", key)], body)
            .await;
    }
    sqlx::query(
        "UPDATE ingested_batches SET created_at = now() - interval '25 hours' WHERE key LIKE '%old'",
    )
    .execute(&server.pool)
    .await
    .unwrap();
    assert_eq!(server.server.forget_old_batches().await.unwrap(), 1);
    for key in ["old", "new"] {
        server
            .post_with("/api/v1/logs", NDJSON, &[("idempotency-key", key)], body)
            .await;
    }
    assert_eq!(server.messages().await.len(), 3);
}

#[tokio::test]
async fn windows_with_a_sketch_are_added_and_others_are_records() {
    let server = TestServer::start().await;
    let window = |sketch: &str| {
        format!(
            r#"{{"window_start":"2026-11-29T10:00:00Z","window_end":"2026-11-29T10:01:00Z","endpoint":"GET /a","p50_latency":5,"p95_latency":5,"p99_latency":5,"error_rate":0.5,"traffic_count":2{sketch}}}"#
        )
    };
    let mut sketch = lookback::capture::Sketch::default();
    sketch.add(5);
    sketch.add(900);
    let sketch = base64::Engine::encode(&base64::prelude::BASE64_STANDARD, sketch.to_bytes());
    let with = window(&format!(r#","latency_sketch":"{sketch}""#));
    for _ in 0..2 {
        let answer = server.post("/api/v1/metrics", NDJSON, with.clone()).await;
        assert_eq!(answer.status, 200, "{answer:?}");
    }
    let json = server.get("/api/v1/metrics").await.json();
    assert_eq!(json["metadata"]["total"], 1_u64);
    assert_eq!(json["data"][0]["traffic_count"], 4);
    assert_eq!(json["data"][0]["error_rate"].as_f64().unwrap(), 0.5);
    // Without one, the row of this minute is another's.
    let answer = server.post("/api/v1/metrics", NDJSON, window("")).await;
    assert_eq!(
        (answer.status, answer.problem()),
        (409, "conflict".to_owned())
    );
}

#[tokio::test]
async fn many_records_are_stored_by_copy() {
    let server = TestServer::start().await;
    let lines: String = (0..3_000)
        .map(|n| format!("{{\"level\":\"info\",\"msg\":\"line {n} of many\"}}\n"))
        .collect();
    let answer = server.post("/api/v1/logs", NDJSON, lines).await;
    assert_eq!(answer.json()["data"]["stored"], 3_000_u64);
    assert_eq!(server.messages().await.len(), 3_000);
}
