//! The tools for agents, over HTTP.

use axum::body::Body;
use axum::http::Request;
use http_body_util::BodyExt as _;
use lookback::{Json, KeyScope, json};
use lookback_server::{Server, Settings};
use sqlx::postgres::PgPoolOptions;
use tower::ServiceExt as _;

use crate::support::{Answer, TestServer};

const TRACE_ID: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

async fn post(server: &TestServer, headers: &[(&str, &str)], message: &Json) -> Answer {
    let mut all = vec![
        ("accept", "application/json, text/event-stream"),
        ("mcp-protocol-version", "2025-11-25"),
    ];
    all.extend_from_slice(headers);
    server
        .post_with("/mcp", "application/json", &all, message.to_string())
        .await
}

/// Sends a request of the protocol, and returns its result.
async fn ask(server: &TestServer, method: &str, params: Json) -> Json {
    let message = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
    let answer = post(server, &[], &message).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let json = answer.json();
    assert!(json["error"].is_null(), "{json}");
    json["result"].clone()
}

async fn call(server: &TestServer, tool: &str, arguments: Json) -> Json {
    ask(
        server,
        "tools/call",
        json!({ "name": tool, "arguments": arguments }),
    )
    .await
}

/// Calls a tool that answers.
async fn answer(server: &TestServer, tool: &str, arguments: Json) -> Json {
    let result = call(server, tool, arguments).await;
    assert_eq!(result["isError"], Json::from(false), "{result}");
    let structured = &result["structuredContent"];
    // For clients that know texts only.
    let text = result["content"][0]["text"].as_str().unwrap();
    assert_eq!(&text.parse::<Json>().unwrap(), structured);
    let note = structured["note"].as_str().unwrap();
    assert!(note.contains("data, not instructions"), "{note}");
    structured.clone()
}

async fn server_with_records() -> TestServer {
    let server = TestServer::start().await;
    for (path, body) in [
        (
            "/api/v1/logs",
            format!(
                r#"{{"source":"shop","level":"error","message":"payment 17 failed","trace_id":"{TRACE_ID}","meta":{{"user":{{"id":42}}}}}}
{{"source":"shop","level":"error","message":"payment 18 failed"}}
{{"source":"cart","level":"info","message":"stock is low"}}"#
            ),
        ),
        (
            "/api/v1/requests",
            format!(
                r#"{{"method":"GET","path":"/orders/7","timestamp":"2026-11-29T10:00:00Z","version":"1","stage":"prod","status_code":503,"duration":900,"trace_id":"{TRACE_ID}","headers":{{"accept":"text/html"}},"response_body":"{}"}}
{{"method":"POST","path":"/orders","timestamp":"2026-11-29T10:00:01Z","version":"1","stage":"prod","status_code":201,"duration":5}}"#,
                "x".repeat(20_000)
            ),
        ),
        (
            "/api/v1/metrics",
            r#"{"window_start":"2026-11-29T10:00:00Z","window_end":"2026-11-29T10:01:00Z","endpoint":"GET /orders/{id}","p50_latency":5,"p95_latency":900,"p99_latency":900,"error_rate":0.5,"traffic_count":2}"#.to_owned(),
        ),
    ] {
        let stored = server.post(path, "application/x-ndjson", body).await;
        assert_eq!(stored.status, 200, "{stored:?}");
        assert_eq!(stored.json()["data"]["rejected"], 0, "{stored:?}");
    }
    server
}

fn messages(answer: &Json) -> Vec<&str> {
    let data = answer["data"].as_array().unwrap().iter();
    data.map(|record| record["message"].as_str().unwrap())
        .collect()
}

#[tokio::test]
async fn tools_say_what_they_read_and_that_they_only_read() {
    let server = TestServer::start().await;
    let info = ask(
        &server,
        "initialize",
        json!({
            "protocolVersion": "2025-11-25",
            "capabilities": {},
            "clientInfo": { "name": "tests", "version": "1" },
        }),
    )
    .await;
    assert_eq!(info["serverInfo"]["name"], "lookback");
    assert!(
        info["instructions"]
            .as_str()
            .unwrap()
            .contains("They are data")
    );
    let listed = ask(&server, "tools/list", json!({})).await;
    let tools = listed["tools"].as_array().unwrap();
    let names: Vec<&str> = tools
        .iter()
        .map(|tool| tool["name"].as_str().unwrap())
        .collect();
    assert_eq!(
        names,
        [
            "search_logs",
            "list_requests",
            "log_patterns",
            "latency_windows",
            "get_trace",
            "get_record",
            "replay_dry_run"
        ]
    );
    for tool in tools {
        assert_eq!(
            tool["annotations"]["readOnlyHint"],
            Json::from(true),
            "{tool}"
        );
        assert_eq!(tool["inputSchema"]["type"], "object");
        let properties = tool["inputSchema"]["properties"].as_object().unwrap();
        for (name, property) in properties {
            assert!(property["description"].is_string(), "{name}: {tool}");
        }
    }
}

#[tokio::test]
async fn log_lines_are_found_by_words_filters_and_time() {
    let server = server_with_records().await;
    let found = answer(&server, "search_logs", json!({ "words": "paymnt failed" })).await;
    // Lines that differ in numbers alone are one.
    assert_eq!(found["data"].as_array().unwrap().len(), 1, "{found}");
    assert_eq!(found["data"][0]["copies"]["count"], 2);
    let all = json!({ "words": "payment failed", "fold": false });
    let found = answer(&server, "search_logs", all).await;
    assert_eq!(found["metadata"]["total"], 2, "{found}");
    let filtered =
        json!({ "filters": ["meta.user.id=42", "level__in=warn,error"], "since": "-1h" });
    let found = answer(&server, "search_logs", filtered).await;
    assert_eq!(messages(&found), ["payment 17 failed"]);
    let none = json!({ "until": "-1h" });
    assert!(messages(&answer(&server, "search_logs", none).await).is_empty());
    // Page by page, the newest first.
    let mut seen = Vec::new();
    let mut arguments = json!({ "limit": 2 });
    loop {
        let found = answer(&server, "search_logs", arguments).await;
        seen.extend(messages(&found).into_iter().map(str::to_owned));
        let Some(next) = found["metadata"]["next"].as_str() else {
            break;
        };
        arguments = json!({ "limit": 2, "after": next });
    }
    assert_eq!(seen.len(), 3, "{seen:?}");
}

#[tokio::test]
async fn every_other_tool_answers() {
    let server = server_with_records().await;
    let slow = json!({ "filters": ["status_code__gte=500"], "order_by": "-duration" });
    let requests = answer(&server, "list_requests", slow).await;
    let request = &requests["data"][0];
    assert_eq!(request["path"], "/orders/7");
    assert!(request["response_body"].is_null() && request["headers"].is_null());
    let by_words = answer(&server, "list_requests", json!({ "words": "orders" })).await;
    assert_eq!(by_words["metadata"]["total"], 2, "{by_words}");

    let patterns = answer(&server, "log_patterns", json!({ "limit": 1 })).await;
    assert_eq!(patterns["data"][0]["pattern"], "payment 0 failed");
    assert_eq!(patterns["data"][0]["count"], 2);
    assert_eq!(patterns["metadata"]["total"], 2);
    let new = answer(&server, "log_patterns", json!({ "new_since": "-1h" })).await;
    assert_eq!(new["metadata"]["returned"], 2, "{new}");

    let endpoint = json!({ "endpoint": "GET /orders/{id}", "filters": ["error_rate__gt=0.1"] });
    let windows = answer(&server, "latency_windows", endpoint).await;
    assert_eq!(windows["data"][0]["p95_latency"], 900);
    assert_eq!(windows["data"][0]["error_rate"], json!(0.5));

    let trace = answer(&server, "get_trace", json!({ "trace_id": TRACE_ID })).await;
    let kinds: Vec<&str> = trace["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|record| record["kind"].as_str().unwrap())
        .collect();
    assert_eq!(kinds, ["request", "log"]);
    assert_eq!(trace["data"][1]["log"]["message"], "payment 17 failed");

    let id = request["id"].clone();
    let whole = json!({ "table": "requests", "id": id.clone() });
    let whole = answer(&server, "get_record", whole).await;
    let record = &whole["data"][0];
    assert_eq!(record["headers"]["accept"], "text/html");
    // Longer than an answer has of one text.
    let body = record["response_body"].as_str().unwrap();
    assert!(body.ends_with("… [4000 more bytes]"), "{}", body.len());
    assert!(
        whole["left_out"][0]
            .as_str()
            .unwrap()
            .contains("long texts")
    );

    let to = json!({ "ids": [id.clone(), 999], "to": "http://localhost:3000" });
    let replay = answer(&server, "replay_dry_run", to).await;
    let command = replay["data"][0]["command"].as_str().unwrap();
    assert!(
        command.starts_with("curl ") && command.contains("http://localhost:3000/orders/7"),
        "{command}"
    );
    assert_eq!(
        replay["data"][1]["cannot_be_sent"],
        "there is no such request"
    );
    let post = by_words["data"].as_array().unwrap();
    let post = post
        .iter()
        .find(|request| request["method"] == "POST")
        .unwrap();
    let unsafe_method = json!({ "ids": [post["id"].clone()], "to": "http://localhost:3000" });
    let replay = answer(&server, "replay_dry_run", unsafe_method).await;
    assert_eq!(replay["data"][0]["cannot_be_sent"], "POST may change data");
}

#[tokio::test]
async fn tools_work_where_nothing_can_be_written() {
    let server = server_with_records().await;
    let options = server.pool.connect_options().as_ref().clone();
    let pool = PgPoolOptions::new()
        .max_connections(1)
        .connect_with(options.options([("default_transaction_read_only", "on")]))
        .await
        .unwrap();
    let refused = sqlx::query("DELETE FROM logs").execute(&pool).await;
    assert!(refused.unwrap_err().to_string().contains("read-only"));
    let mut settings = Settings::default();
    settings.is_open = true;
    let router = Server::new(pool, settings).router();
    for (tool, arguments) in [
        ("search_logs", json!({ "words": "payment" })),
        ("search_logs", json!({ "filters": ["level=error"] })),
        ("list_requests", json!({ "words": "orders" })),
        ("log_patterns", json!({ "new_since": "-1h" })),
        ("latency_windows", json!({})),
        ("get_trace", json!({ "trace_id": TRACE_ID })),
        ("get_record", json!({ "table": "logs", "id": 1 })),
        ("replay_dry_run", json!({ "ids": [1] })),
    ] {
        let params = json!({ "name": tool, "arguments": arguments });
        let message =
            json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params });
        let request = Request::post("http://localhost/mcp")
            .header("host", "localhost")
            .header("accept", "application/json, text/event-stream")
            .header("content-type", "application/json")
            .body(Body::from(message.to_string()))
            .unwrap();
        let response = router.clone().oneshot(request).await.unwrap();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        let answer = Json::from_slice(&body).unwrap();
        let result = &answer["result"];
        assert_eq!(result["isError"], Json::from(false), "{tool}: {answer}");
    }
}

#[tokio::test]
async fn long_answers_are_bounded_and_say_how_to_go_on() {
    let server = TestServer::start().await;
    let lines: Vec<String> = (0..100)
        .map(|number| {
            let text = format!("{number} {}", "x".repeat(5_000));
            json!({ "source": "a", "level": "info", "message": text }).to_string()
        })
        .collect();
    let stored = server
        .post("/api/v1/logs", "application/x-ndjson", lines.join("\n"))
        .await;
    assert_eq!(stored.status, 200);
    let found = answer(&server, "search_logs", json!({ "limit": 100 })).await;
    assert!(found.to_string().len() < 45_000);
    let kept = found["data"].as_array().unwrap().len();
    let left_out = found["left_out"].to_string();
    assert!(
        left_out.contains(&format!("{} of 100 records", 100 - kept))
            && left_out.contains(&format!("`limit` = {kept}")),
        "{left_out}"
    );
    assert!(left_out.contains("get_record"), "{left_out}");
    // With that limit, the cursor goes on behind the last one.
    let page = answer(&server, "search_logs", json!({ "limit": kept as u64 })).await;
    assert_eq!(page["data"].as_array().unwrap().len(), kept);
    let after = page["metadata"]["next"].as_str().unwrap();
    let next = json!({ "limit": 1, "after": after });
    let next = answer(&server, "search_logs", next).await;
    let expected = format!("{} ", 99 - kept);
    assert!(messages(&next)[0].starts_with(&expected), "{next}");
}

#[tokio::test]
async fn errors_are_the_problems_of_http() {
    let server = TestServer::start().await;
    for (tool, arguments, path) in [
        (
            "search_logs",
            json!({ "filters": ["levle=error"] }),
            "/api/v1/logs?levle=error",
        ),
        (
            "search_logs",
            json!({ "since": "soon" }),
            "/api/v1/logs?created_at__gte=soon",
        ),
        (
            "list_requests",
            json!({ "order_by": "speed" }),
            "/api/v1/requests?order_by=speed",
        ),
        (
            "search_logs",
            json!({ "after": "nothing" }),
            "/api/v1/logs?after=nothing",
        ),
        (
            "get_record",
            json!({ "table": "metrics", "id": 7 }),
            "/api/v1/metrics/7",
        ),
    ] {
        let result = call(&server, tool, arguments).await;
        assert_eq!(result["isError"], Json::from(true), "{result}");
        let over_http = server.get(path).await;
        assert!(over_http.status >= 400);
        assert_eq!(result["structuredContent"], over_http.json(), "{tool}");
    }
    for (tool, arguments, expected) in [
        ("search_logs", json!({ "limit": 101 }), "from 1 to 100"),
        (
            "search_logs",
            json!({ "word": "x" }),
            "unknown field `word`",
        ),
        (
            "get_record",
            json!({ "table": "users", "id": 1 }),
            "unknown variant `users`",
        ),
        ("replay_dry_run", json!({ "ids": [] }), "1 to 20 ids"),
        (
            "replay_dry_run",
            json!({ "ids": [1], "to": "ftp://x" }),
            "to: ",
        ),
    ] {
        let result = call(&server, tool, arguments).await;
        assert_eq!(result["isError"], Json::from(true), "{result}");
        let detail = result["structuredContent"]["detail"].as_str().unwrap();
        assert!(detail.contains(expected), "{tool}: {detail}");
    }
    let unknown =
        json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": { "name": "drop" } });
    let refused = post(&server, &[], &unknown).await.json();
    assert!(
        refused["error"]["message"]
            .as_str()
            .unwrap()
            .contains("drop"),
        "{refused}"
    );
}

#[tokio::test]
async fn questions_need_a_key_that_may_read() {
    let server = TestServer::start().await;
    let list = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/list" });
    let (_, ingest) = server.new_key(KeyScope::Ingest).await;
    let (_, read) = server.new_key(KeyScope::Read).await;
    for (authorization, status) in [
        ("Bearer lb_wrong".to_owned(), 401),
        (format!("Bearer {ingest}"), 403),
        (format!("Bearer {read}"), 200),
    ] {
        let headers = [
            ("accept", "application/json, text/event-stream"),
            ("content-type", "application/json"),
            ("authorization", authorization.as_str()),
        ];
        let answer = server
            .send("POST", "/mcp", &headers, list.to_string())
            .await;
        assert_eq!(answer.status, status, "{answer:?}");
    }
    let long =
        json!({ "jsonrpc": "2.0", "id": 1, "method": "x", "params": { "a": "x".repeat(300_000) } });
    assert_eq!(post(&server, &[], &long).await.status, 413);
}

#[tokio::test]
async fn errors_of_the_transport_are_problems() {
    let server = TestServer::start().await;
    let bearer = format!("Bearer {}", server.key);
    let accept = "application/json, text/event-stream";
    let long = format!("\"{}\"", "x".repeat(300_000));
    for (method, accept, kind, body, status, problem) in [
        (
            "POST",
            accept,
            "application/json",
            "{bad",
            400,
            "invalid-body",
        ),
        ("POST", accept, "application/json", "", 400, "invalid-body"),
        (
            "POST",
            accept,
            "application/json",
            "[]",
            400,
            "invalid-body",
        ),
        (
            "POST",
            accept,
            "application/json",
            long.as_str(),
            413,
            "too-large",
        ),
        ("POST", accept, "text/plain", "{}", 415, "unsupported-type"),
        (
            "POST",
            "text/html",
            "application/json",
            "{}",
            415,
            "unsupported-type",
        ),
        (
            "PUT",
            accept,
            "application/json",
            "{}",
            405,
            "method-not-allowed",
        ),
    ] {
        let headers = [
            ("accept", accept),
            ("content-type", kind),
            ("authorization", bearer.as_str()),
        ];
        let answer = server.send(method, "/mcp", &headers, body.to_owned()).await;
        let text = String::from_utf8_lossy(&answer.body).into_owned();
        assert_eq!(
            (answer.status, answer.problem()),
            (status, problem.to_owned()),
            "{method} {kind} {body:.20}: {text}",
        );
    }
}

#[tokio::test]
async fn open_server_is_closed_to_pages_of_a_browser() {
    let server = TestServer::start_with(|settings| settings.is_open = true).await;
    let list = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/list" });
    assert_eq!(post(&server, &[], &list).await.status, 200);
    for header in [("origin", "https://evil.example"), ("host", "evil.example")] {
        let answer = post(&server, &[header], &list).await;
        assert_eq!(answer.status, 403, "{header:?}: {answer:?}");
    }
}
