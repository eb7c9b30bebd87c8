//! An application that sends what it captures.

use std::time::Duration;

use lookback_capture::{Capture, HttpSink};
use tracing::info;
use tracing_subscriber::layer::SubscriberExt as _;

use crate::support::TestServer;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_an_application_captures_is_stored_by_the_server() {
    let server = TestServer::start().await;
    let sink = HttpSink::new(&format!("http://{}", server.address), &server.key).unwrap();
    let capture = Capture::builder()
        .version("1.0.0")
        .stage("test")
        .start(sink)
        .unwrap();
    let subscriber = tracing_subscriber::registry().with(capture.tracing_layer());
    tracing::subscriber::with_default(subscriber, || {
        for number in 0..100 {
            info!(number, "order placed");
        }
    });
    let app = axum::Router::new()
        .route("/orders", axum::routing::post(async |body: String| body))
        .layer(capture.layer());
    let request = axum::http::Request::post("/orders")
        .header("content-type", "application/json")
        .body(axum::body::Body::from(r#"{"sku":"A-1","password":"pa55"}"#))
        .unwrap();
    let response = tower::ServiceExt::oneshot(app, request).await.unwrap();
    let body = http_body_util::BodyExt::collect(response.into_body())
        .await
        .unwrap();
    drop(body);
    capture.flush(Duration::from_secs(30)).await.unwrap();

    let health = capture.health();
    assert_eq!(
        (health.logs.failed, health.requests.failed),
        (0, 0),
        "{health:?}"
    );
    assert_eq!(server.messages().await, vec!["order placed"; 100]);
    let requests = server.get("/api/v1/requests").await.json();
    let request = &requests["data"][0];
    assert_eq!(request["path"], "/orders");
    assert_eq!(request["body"]["sku"], "A-1");
    assert_eq!(request["body"]["password"], "[masked]");
    assert_eq!(
        (&request["version"], &request["stage"]),
        (&"1.0.0".into(), &"test".into())
    );
    let windows = server.get("/api/v1/metrics").await.json();
    assert_eq!(windows["data"][0]["traffic_count"], 1);
}
