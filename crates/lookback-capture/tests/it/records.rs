//! What a record has.

use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, Query};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::{get, post};
use lookback_capture::{
    LocationSource, Locator, Platform, TrustedProxies, current_trace, set_user_id,
};
use lookback_json::{Json, json};

use crate::server::{self, Server};

fn app() -> Router {
    Router::new()
        .route("/orders/{id}", get(order).post(order))
        .route("/user", get(async || set_user_id("u-42")))
        .route("/trace", get(async || current_trace().unwrap().trace_id()))
        .route("/slow", post(slow))
        .nest(
            "/api",
            Router::new().route("/items/{sku}", get(async || "item")),
        )
}

async fn order(
    Path(id): Path<u32>,
    Query(_): Query<Vec<(String, String)>>,
    _headers: HeaderMap,
    _body: Bytes,
) -> impl IntoResponse {
    let headers = [
        (header::SET_COOKIE, "session=PLANTED"),
        (header::ETAG, "\"1\""),
    ];
    (
        StatusCode::CREATED,
        headers,
        axum::Json(serde_json::json!({ "id": id, "token": "PLANTED" })),
    )
}

async fn slow() -> &'static str {
    tokio::time::sleep(Duration::from_millis(30)).await;
    "done"
}

#[tokio::test]
async fn request_and_response_are_recorded() {
    let server = Server::start(app()).await;
    let before = chrono::Utc::now() - Duration::from_millis(1);
    let body = r#"{"items": [{"sku": "a", "price": 1.10}], "card": {"password": "PLANTED"}}"#;
    let request = server::post(
        "/orders/42?page=2&tag=a&tag=b&api_key=PLANTED",
        "application/json",
        body,
    )
    .replace(
        "\r\ncontent-type",
        "\r\nauthorization: Bearer PLANTED0123\r\naccept: a\r\naccept: b\r\ncontent-type",
    );
    server.send(&request).await;
    let record = server.request().await;
    assert!(record.timestamp >= before && record.timestamp <= chrono::Utc::now());
    assert_eq!(
        (record.method.as_str(), record.path.as_str()),
        ("POST", "/orders/42")
    );
    assert_eq!(record.status_code, Some(201));
    assert_eq!(
        (record.version.as_str(), record.stage.as_str()),
        ("1.2.3", "test")
    );
    assert_eq!(
        record.query,
        Some(json!({ "page": "2", "tag": ["a", "b"], "api_key": "[masked]" }))
    );
    let expected: Json = r#"{"items":[{"sku":"a","price":1.10}],"card":{"password":"[masked]"}}"#
        .parse()
        .unwrap();
    assert_eq!(record.body, Some(expected));
    assert_eq!(
        record.response_body,
        Some(json!({ "id": 42, "token": "[masked]" }))
    );
    let headers = &record.headers;
    assert_eq!(headers["accept"], json!(["a", "b"]));
    assert_eq!(headers["host"], "shop.test");
    assert_eq!(headers["route"], "/orders/{id}");
    assert_eq!(headers["request_size"], Json::from(body.len() as u64));
    assert_eq!(headers["http_version"], "HTTP/1.1");
    assert_eq!(headers["span_id"].as_str().unwrap().len(), 16);
    assert_eq!(headers.get("parent_span_id"), None);
    let response_headers = record.response_headers.as_ref().unwrap();
    assert_eq!(response_headers["etag"], "\"1\"");
    assert_eq!(response_headers["response_size"], 27);
    assert_eq!(record.location.source, LocationSource::None);
    let all = format!("{record:?}");
    assert!(!all.contains("PLANTED"), "{all}");
}

#[tokio::test]
async fn trace_is_read_or_made_and_put_on_the_response() {
    let server = Server::start(app()).await;
    let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let with =
        server::get("/trace").replace("\r\n\r\n", &format!("\r\ntraceparent: {parent}\r\n\r\n"));
    let response = server.send(&with).await;
    assert!(
        response.contains("traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-"),
        "{response}"
    );
    assert!(
        !response.contains("00f067aa0ba902b7"),
        "the span is that of the server: {response}"
    );
    assert!(
        response.ends_with("4bf92f3577b34da6a3ce929d0e0e4736"),
        "{response}"
    );

    let without = server.send(&server::get("/trace")).await;
    let made = without.rsplit("\r\n").next().unwrap().to_owned();
    assert!(
        without.contains(&format!("traceparent: 00-{made}-")),
        "{without}"
    );
    let records = server.requests(2).await;
    assert_eq!(records[0].trace_id, "4bf92f3577b34da6a3ce929d0e0e4736");
    assert_eq!(records[1].trace_id, made);
}

#[tokio::test]
async fn invalid_traceparent_is_ignored() {
    let server = Server::start(app()).await;
    let zeros = "00-00000000000000000000000000000000-00f067aa0ba902b7-01";
    let request =
        server::get("/trace").replace("\r\n\r\n", &format!("\r\ntraceparent: {zeros}\r\n\r\n"));
    let response = server.send(&request).await;
    assert!(
        !response.contains("00000000000000000000000000000000"),
        "{response}"
    );
}

#[tokio::test]
async fn user_is_that_of_the_hook_or_of_the_handler() {
    let server = Server::start_with(app(), |builder| {
        builder.user_id(|request| {
            let user = request.headers.get("x-user")?;
            user.to_str().ok().map(str::to_owned)
        })
    })
    .await;
    let named = |path: &str| server::get(path).replace("\r\n\r\n", "\r\nx-user: anna\r\n\r\n");
    server.send(&named("/trace")).await;
    server.send(&named("/user")).await;
    server.send(&server::get("/trace")).await;
    let users: Vec<_> = server
        .requests(3)
        .await
        .into_iter()
        .map(|record| record.user_id)
        .collect();
    assert_eq!(
        users,
        [Some("anna".to_owned()), Some("u-42".to_owned()), None]
    );
}

#[tokio::test]
async fn routes_are_templates() {
    let server = Server::start(app()).await;
    for path in ["/api/items/7", "/orders/1", "/nowhere/1"] {
        server.send(&server::get(path)).await;
    }
    let routes: Vec<_> = server
        .requests(3)
        .await
        .into_iter()
        .map(|record| record.headers["route"].clone())
        .collect();
    assert_eq!(
        routes,
        [
            json!("/api/items/{sku}"),
            json!("/orders/{id}"),
            json!("unmatched")
        ]
    );
    let records = server.records().await;
    let endpoints: Vec<&str> = records
        .windows
        .iter()
        .map(|window| window.endpoint.as_str())
        .collect();
    let mut expected = vec!["GET /api/items/{sku}", "GET /orders/{id}", "GET unmatched"];
    // A minute may begin in between.
    expected.retain(|endpoint| endpoints.contains(endpoint));
    assert_eq!(expected.len(), 3, "{endpoints:?}");
}

#[tokio::test]
async fn client_is_known_behind_trusted_proxies() {
    let server = Server::start_with(app(), |builder| {
        builder
            .peer(|_| Some([203, 0, 113, 7].into()))
            .trusted_proxies(TrustedProxies::none().and("203.0.113.0/24").unwrap())
            .locator(Locator::new().platform(Platform::Cloudflare))
    })
    .await;
    let request = server::get("/trace").replace(
        "\r\n\r\n",
        "\r\nx-forwarded-for: 6.6.6.6, 198.51.100.9\r\ncf-ipcountry: CH\r\n\r\n",
    );
    server.send(&request).await;
    let record = server.request().await;
    assert_eq!(record.headers["client_ip"], "198.51.100.9");
    assert_eq!(record.location.country.as_deref(), Some("CH"));
    assert_eq!(record.location.source, LocationSource::Platform);
}

#[tokio::test]
async fn header_with_a_name_of_capture_is_renamed() {
    let server = Server::start(app()).await;
    let request = server::get("/trace").replace(
        "\r\n\r\n",
        "\r\nroute: /admin\r\nclient_ip: 1.1.1.1\r\n\r\n",
    );
    server.send(&request).await;
    let record = server.request().await;
    assert_eq!(record.headers["route"], "/trace");
    assert_eq!(record.headers["header.route"], "/admin");
    assert_eq!(record.headers.get("client_ip"), None);
    assert_eq!(record.headers["header.client_ip"], "1.1.1.1");
}

#[tokio::test]
async fn duration_is_that_until_the_end_of_the_response() {
    let server = Server::start(app()).await;
    server.send(&server::post("/slow", "text/plain", "")).await;
    let record = server.request().await;
    assert!(record.duration >= 30, "{}", record.duration);
    let windows = server.records().await.windows;
    assert_eq!(windows.len(), 1);
    assert!(windows[0].totals.latency.percentile(50).unwrap() >= 29);
}
