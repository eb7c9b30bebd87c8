//! The records of a trace.

use lookback::{Json, Level, Log, NewLog, NewRequestSnapshot, RequestSnapshot, json};

use crate::support::TestServer;

async fn server() -> TestServer {
    let server = TestServer::start().await;
    let time = |second: u32| crate::support::time(&format!("2026-11-29T10:00:{second:02}Z"));
    let request = |second: u32, path: &str, headers: Json, trace: Option<&str>| {
        let mut request = NewRequestSnapshot::new("GET", path, time(second), "1", "test");
        request.headers = Some(headers);
        request.trace_id = trace.map(str::to_owned);
        request
    };
    for request in [
        request(1, "/orders", json!({}), Some("t-1")),
        request(
            3,
            "/charge",
            json!({ "direction": "outgoing" }),
            Some("t-1"),
        ),
        request(2, "/other", json!({}), Some("t-2")),
        request(2, "/untraced", json!({}), None),
    ] {
        RequestSnapshot::records()
            .create(&server.pool, request)
            .await
            .unwrap();
    }
    for (second, message, trace) in [
        (4, "charged", "t-1"),
        (1, "ordered", "t-1"),
        (2, "of another", "t-2"),
    ] {
        let log = NewLog::new("API", Level::Info, message).trace_id(trace);
        let log = log.created_at(time(second));
        Log::records().create(&server.pool, log).await.unwrap();
    }
    server
}

#[tokio::test]
async fn trace_has_requests_calls_and_logs_in_one_order() {
    let server = server().await;
    let json = server.get("/api/v1/traces/t-1").await.json();
    let items = json["data"].as_array().unwrap().iter();
    let items: Vec<(&str, &str)> = items
        .map(|item| {
            let record = &item["record"];
            let what = record.get("path").unwrap_or(&record["message"]);
            (item["kind"].as_str().unwrap(), what.as_str().unwrap())
        })
        .collect();
    assert_eq!(
        items,
        [
            ("request", "/orders"),
            ("log", "ordered"),
            ("call", "/charge"),
            ("log", "charged")
        ]
    );
    assert_eq!(json["data"][2]["time"], "2026-11-29T10:00:03Z");
    assert_eq!(json["metadata"]["is_complete"], Json::from(true));
    let json = server.get("/api/v1/traces/t-1?limit=3").await.json();
    assert_eq!(json["data"].as_array().unwrap().len(), 3);
    assert_eq!(json["metadata"]["is_complete"], Json::from(false));
    let none = server.get("/api/v1/traces/t-3").await;
    assert_eq!((none.status, none.problem()), (404, "not-found".to_owned()));
    let wrong = server.get("/api/v1/traces/%ff").await;
    assert_eq!(
        (wrong.status, wrong.problem()),
        (404, "not-found".to_owned())
    );
}

#[tokio::test]
async fn logs_of_a_request_are_those_of_its_trace() {
    let server = server().await;
    let json = server.get("/api/v1/requests/1/logs").await.json();
    let messages = json["data"].as_array().unwrap().iter();
    let messages: Vec<&str> = messages
        .map(|log| log["message"].as_str().unwrap())
        .collect();
    assert_eq!(messages, ["ordered", "charged"]);
    let json = server
        .get("/api/v1/requests/1/logs?message__contains=charg&total=none")
        .await
        .json();
    assert_eq!(json["data"].as_array().unwrap().len(), 1);
    let json = server.get("/api/v1/requests/4/logs").await.json();
    assert_eq!(json["metadata"]["total"], 0_u64);
    assert_eq!(server.get("/api/v1/requests/99/logs").await.status, 404);
}
