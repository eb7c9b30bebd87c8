//! Requests that an application sends.

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, Request};
use axum::routing::get;
use http_body_util::BodyExt as _;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use lookback_capture::{Capture, CaptureService, MemorySink, TeeBody};
use lookback_json::json;
use tower::{Layer as _, Service as _, ServiceExt as _};

use crate::server::{self, GENEROUS, exchange, serve};

type Calls = CaptureService<Client<HttpConnector, TeeBody<Body>>>;

#[tokio::test]
async fn calls_of_a_handler_belong_to_its_trace() {
    let upstream = Router::new().route(
        "/stock/{sku}",
        get(async |headers: HeaderMap| {
            axum::Json(serde_json::json!({
                "traceparent": headers["traceparent"].to_str().unwrap(),
                "api_key": "PLANTED",
            }))
        }),
    );
    let upstream = serve(upstream).await;
    let sink = MemorySink::new();
    let capture = Capture::builder().start(sink.clone()).unwrap();
    let client: Calls = capture
        .client_layer()
        .layer(Client::builder(TokioExecutor::new()).build_http());
    let handler = async move |State(mut client): State<Calls>| {
        let request = Request::get(format!("http://{upstream}/stock/7?token=PLANTED"))
            .header("authorization", "Bearer PLANTED0123")
            .body(Body::empty())
            .unwrap();
        let response = client.ready().await.unwrap().call(request).await.unwrap();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        String::from_utf8(body.to_vec()).unwrap()
    };
    let app = Router::new()
        .route("/", get(handler))
        .with_state(client)
        .layer(capture.layer());
    let address = serve(app).await;
    let response = exchange(address, server::get("/").as_bytes()).await;
    let response = String::from_utf8(response).unwrap();

    capture.flush(GENEROUS).await.unwrap();
    let records = sink.records();
    assert_eq!(records.requests.len(), 2, "{records:#?}");
    let [call, request] = [&records.requests[0], &records.requests[1]];
    assert_eq!(call.headers["direction"], "outgoing");
    assert_eq!(
        (call.path.as_str(), call.status_code),
        ("/stock/7", Some(200))
    );
    assert_eq!(
        call.headers["host"].as_str(),
        Some(upstream.to_string().as_str())
    );
    assert_eq!(call.query, Some(json!({ "token": "[masked]" })));
    assert_eq!(call.response_body.as_ref().unwrap()["api_key"], "[masked]");
    assert_eq!(call.trace_id, request.trace_id);
    assert!(
        response.contains(&format!("00-{}-", request.trace_id)),
        "{response}"
    );
    assert_eq!(request.headers.get("direction"), None);
    // Only what the application serves is counted.
    let endpoints: Vec<&str> = records
        .windows
        .iter()
        .map(|window| window.endpoint.as_str())
        .collect();
    assert_eq!(endpoints, ["GET /"]);
    let all = format!("{records:?}");
    assert!(!all.contains("PLANTED0123"), "{all}");
}

#[tokio::test]
async fn call_that_fails_is_recorded() {
    let sink = MemorySink::new();
    let capture = Capture::builder().start(sink.clone()).unwrap();
    let client = Client::builder(TokioExecutor::new()).build_http();
    let client = capture.client_layer().layer(client);
    let nobody = "127.0.0.1:9".to_owned();
    let request = Request::get(format!("http://{nobody}/"))
        .body(Body::empty())
        .unwrap();
    assert!(client.oneshot(request).await.is_err());
    capture.flush(GENEROUS).await.unwrap();
    let call = &sink.records().requests[0];
    assert_eq!(call.status_code, None);
    let error = &call.response_headers.as_ref().unwrap()["error"];
    assert!(error.as_str().unwrap().starts_with("failed: "), "{error}");
}
