//! Captured requests sent again.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::extract::Request;
use axum::http::HeaderMap;
use axum::response::Redirect;
use axum::routing::any;
use lookback::{Json, KeyScope, NewRequestSnapshot, RequestSnapshot, json};

use crate::support::{Answer, TestServer};

/// A server to send requests to, which counts them.
async fn shop() -> (String, Arc<AtomicUsize>) {
    let count = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&count);
    let orders = any(async move |headers: HeaderMap, request: Request| {
        counted.fetch_add(1, Ordering::SeqCst);
        let host = headers["host"].to_str().unwrap().to_owned();
        let json = json!({ "path": request.uri().path(), "host": host, "token": "s3cret" });
        ([("content-type", "application/json")], json.to_string())
    });
    let elsewhere = any(async || Redirect::temporary("http://127.0.0.1:1/"));
    let app = Router::new()
        .route("/{*path}", orders)
        .route("/moved", elsewhere);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    (format!("http://{address}"), count)
}

async fn server(targets: &[&str]) -> TestServer {
    let targets = targets.iter().map(|target| target.parse().unwrap());
    let targets = targets.collect();
    let server = TestServer::start_with(|settings| settings.replay_targets = targets).await;
    for (method, path) in [
        ("GET", "/orders"),
        ("POST", "/orders"),
        ("GET", "/moved"),
        ("GET", "/../admin"),
    ] {
        let time = crate::support::time("2026-11-29T10:00:00Z");
        let mut request = NewRequestSnapshot::new(method, path, time, "1", "test");
        request.headers = Some(json!({
            "host": "169.254.169.254", "accept": "*/*", "authorization": "[masked]",
        }));
        request.status_code = Some(200);
        request.response_body = Some(json!({ "path": "/orders", "host": "shop" }));
        RequestSnapshot::records()
            .create(&server.pool, request)
            .await
            .unwrap();
    }
    server
}

async fn replay(server: &TestServer, id: i64, body: &Json) -> Answer {
    let path = format!("/api/v1/requests/{id}/replay");
    server
        .post(&path, "application/json", body.to_string())
        .await
}

#[tokio::test]
async fn dry_run_shows_the_request_and_sends_nothing() {
    let (shop, count) = shop().await;
    let server = server(&[&shop]).await;
    let json = replay(&server, 1, &json!({ "target": shop.as_str() }))
        .await
        .json();
    let data = &json["data"];
    assert_eq!(data["result"], "dry_run");
    assert_eq!(data["request"]["url"], format!("{shop}/orders").as_str());
    assert_eq!(data["masked"][0], "header authorization");
    assert!(data["request"]["headers"].get("host").is_none());
    assert!(data["curl"].as_str().unwrap().starts_with("curl "));
    assert_eq!(data["target_is_allowed"], Json::from(true));
    // Anywhere, since nothing is sent.
    let json = replay(&server, 1, &json!({ "target": "http://169.254.169.254" }))
        .await
        .json();
    assert_eq!(json["data"]["target_is_allowed"], Json::from(false));
    let json = replay(&server, 2, &json!({ "target": shop.as_str() }))
        .await
        .json();
    assert_eq!(json["data"]["result"], "not_sent");
    assert!(
        json["data"]["reason"]
            .as_str()
            .unwrap()
            .contains("unsafe_methods")
    );
    assert_eq!(count.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn requests_are_sent_to_the_targets_of_the_settings_alone() {
    let (shop, count) = shop().await;
    let none = server(&[]).await;
    let one = server(&["http://shop.test", &format!("{shop}/v2")]).await;
    for (server, target) in [
        (&none, shop.clone()),
        (&one, shop.clone()),
        (&one, format!("{shop}/v2/more")),
        (&one, "http://shop.test:81".to_owned()),
    ] {
        let answer = replay(server, 1, &json!({ "target": target, "dry_run": false })).await;
        assert_eq!(
            (answer.status, answer.problem()),
            (403, "not-allowed".to_owned())
        );
    }
    // The path of the target is kept, also from a captured one that leads out of it.
    let v2 = json!({ "target": format!("{shop}/v2"), "dry_run": false });
    let answer = replay(&one, 4, &v2).await;
    assert_eq!(
        (answer.status, answer.problem()),
        (422, "invalid-record".to_owned())
    );
    assert_eq!(count.load(Ordering::SeqCst), 0);
    let json = replay(&one, 1, &v2).await.json();
    assert_eq!(
        json["data"]["response"]["body"]["path"], "/v2/orders",
        "{json}"
    );
    assert_eq!(count.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn response_is_compared_and_no_redirect_followed() {
    let (shop, count) = shop().await;
    let server = server(&[&shop]).await;
    let body =
        json!({ "target": shop.as_str(), "dry_run": false, "ignore": ["$.token", "headers"] });
    let json = replay(&server, 1, &body).await.json();
    let data = &json["data"];
    assert_eq!(data["result"], "different", "{json}");
    let differences = data["differences"].as_array().unwrap();
    assert_eq!(differences.len(), 1, "{json}");
    assert_eq!(differences[0]["place"], "$.host");
    // The host is that of the target, and secrets of the response are masked.
    let host = shop.trim_start_matches("http://");
    assert_eq!(data["response"]["body"]["host"], host);
    assert_eq!(data["response"]["body"]["token"], "[masked]");
    let json = replay(&server, 3, &body).await.json();
    assert_eq!(json["data"]["status"], 307_u64, "{json}");
    assert_eq!(count.load(Ordering::SeqCst), 1);
    let unsafe_method =
        json!({ "target": shop.as_str(), "dry_run": false, "unsafe_methods": true });
    let json = replay(&server, 2, &unsafe_method).await.json();
    assert_eq!(json["data"]["response"]["status"], 200_u64);
}

#[tokio::test]
async fn failed_connection_is_a_result() {
    // A port that nobody listens on.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let target = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let server = server(&[&target]).await;
    let json = replay(&server, 1, &json!({ "target": target, "dry_run": false }))
        .await
        .json();
    assert_eq!(json["data"]["result"], "failed");
    assert!(
        json["data"]["reason"].as_str().unwrap().contains("refused"),
        "{json}"
    );
}

#[tokio::test]
async fn wrong_bodies_name_each_field() {
    let server = server(&[]).await;
    for (body, field) in [
        (json!({}), "target"),
        (json!({ "target": "ftp://x" }), "target"),
        (json!({ "target": "http://x", "dry_run": "no" }), "dry_run"),
        (
            json!({ "target": "http://x", "headers": { "Host": "internal" } }),
            "headers.Host",
        ),
        (
            json!({ "target": "http://x", "headers": { "a": "b\r\nc: d" } }),
            "headers.a",
        ),
        (json!({ "target": "http://x", "query": [] }), "query"),
        (json!({ "target": "http://x", "ignore": ["?"] }), "ignore"),
        (json!({ "target": "http://x", "to": "y" }), "to"),
    ] {
        let answer = replay(&server, 1, &body).await;
        assert_eq!(
            (answer.status, answer.problem()),
            (422, "invalid-record".to_owned()),
            "{body}"
        );
        assert_eq!(answer.json()["errors"][0]["field"], field, "{body}");
    }
    let target = json!({ "target": "http://x" });
    assert_eq!(replay(&server, 99, &target).await.status, 404);
    let (_, read) = server.new_key(KeyScope::Read).await;
    let bearer = format!("Bearer {read}");
    let headers = [
        ("authorization", &*bearer),
        ("content-type", "application/json"),
    ];
    let path = "/api/v1/requests/1/replay";
    let answer = server
        .send("POST", path, &headers, target.to_string())
        .await;
    assert_eq!(answer.status, 403);
}
