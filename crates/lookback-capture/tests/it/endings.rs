//! Requests that do not end as they should.

use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::routing::{get, post};
use lookback_capture::Capture;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::server::{self, Server};

fn app() -> Router {
    Router::new()
        .route("/panic", get(panics))
        .route("/hang", get(std::future::pending::<()>))
        .route("/half", get(half))
        .route("/fails", get(fails))
        .route("/length", get(with_length))
        .route("/trailers", get(with_trailers))
        .route("/panic-in-body", get(panics_in_body))
        .route("/read", post(async |body: Bytes| body.len().to_string()))
}

async fn panics() {
    panic!("this panic belongs to a test");
}

async fn half() -> Body {
    Body::from_stream(async_stream::stream! {
        yield Ok::<_, std::io::Error>(Bytes::from_static(b"first part"));
        std::future::pending::<()>().await;
    })
}

/// A file or a proxied response: a stream of a known length.
async fn with_length() -> axum::response::Response {
    let parts = async_stream::stream! {
        yield Ok::<_, std::io::Error>(Bytes::from_static(b"one"));
        yield Ok(Bytes::from_static(b"two"));
    };
    let response = axum::response::Response::builder().header("content-length", "6");
    response.body(Body::from_stream(parts)).unwrap()
}

async fn with_trailers() -> axum::response::Response {
    let frames = [
        http_body::Frame::data(Bytes::from_static(b"body")),
        http_body::Frame::trailers(axum::http::HeaderMap::from_iter([(
            axum::http::HeaderName::from_static("x-checksum"),
            axum::http::HeaderValue::from_static("42"),
        )])),
    ];
    let frames = futures_util::stream::iter(frames.map(Ok::<_, std::io::Error>));
    let body = Body::new(http_body_util::StreamBody::new(frames));
    let response = axum::response::Response::builder().header("trailer", "x-checksum");
    response.body(body).unwrap()
}

async fn panics_in_body() -> Body {
    Body::from_stream(async_stream::stream! {
        yield Ok::<_, std::io::Error>(Bytes::from_static(b"first part"));
        panic!("this panic belongs to a test");
    })
}

async fn fails() -> Body {
    Body::from_stream(async_stream::stream! {
        yield Ok(Bytes::from_static(b"first part"));
        yield Err(std::io::Error::other("the disk is gone: password=PLANTED"));
    })
}

/// Connects, sends a request, and hangs up once this much has come back.
async fn hang_up(server: &Server, path: &str, after: &[u8]) {
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream
        .write_all(server::get(path).as_bytes())
        .await
        .unwrap();
    let mut read = Vec::new();
    while !read.ends_with(after) {
        read.push(stream.read_u8().await.unwrap());
    }
    // The server has begun to handle it.
    tokio::time::sleep(Duration::from_millis(50)).await;
    drop(stream);
}

#[tokio::test]
async fn panic_in_a_handler_is_recorded_as_500() {
    let server = Server::start(app()).await;
    assert_eq!(server.send(&server::get("/panic")).await, "");
    let record = server.request().await;
    assert_eq!(record.status_code, Some(500));
    assert_eq!(record.response_headers.unwrap()["error"], "panicked");
    let windows = server.records().await.windows;
    assert_eq!(
        windows
            .iter()
            .map(|window| window.totals.errors)
            .sum::<u64>(),
        1
    );
    // The server goes on.
    assert!(
        server
            .send(&server::post("/read", "text/plain", "abc"))
            .await
            .ends_with('3')
    );
}

#[tokio::test]
async fn hook_that_panics_fails_no_request() {
    let server = Server::start_with(app(), |builder| {
        builder.user_id(|_| panic!("this panic belongs to a test"))
    })
    .await;
    let response = server
        .send(&server::post("/read", "text/plain", "abc"))
        .await;
    assert!(response.ends_with('3'), "{response}");
    assert!(server.records().await.requests.is_empty());
    assert_eq!(server.capture.health().requests.failed, 1);
}

#[tokio::test]
async fn caught_panic_is_recorded_with_its_response() {
    let app = app().layer(tower_http::catch_panic::CatchPanicLayer::new());
    let server = Server::start(app).await;
    assert!(
        server
            .send(&server::get("/panic"))
            .await
            .starts_with("HTTP/1.1 500 ")
    );
    let record = server.request().await;
    assert_eq!(record.status_code, Some(500));
    assert_eq!(record.response_headers.unwrap().get("error"), None);
}

#[tokio::test]
async fn client_that_hangs_up_before_the_response_is_recorded_without_status() {
    let server = Server::start(app()).await;
    hang_up(&server, "/hang", b"").await;
    let record = server.request().await;
    assert_eq!(record.status_code, None);
    assert_eq!(record.response_headers.unwrap()["error"], "client hung up");
    assert_eq!(record.response_body, None);
}

#[tokio::test]
async fn client_that_hangs_up_within_the_response_is_recorded_with_what_was_sent() {
    let server = Server::start(app()).await;
    hang_up(&server, "/half", b"first part").await;
    let record = server.request().await;
    assert_eq!(record.status_code, Some(200));
    let headers = record.response_headers.unwrap();
    assert_eq!(headers["error"], "client hung up");
    assert_eq!(headers["response_size"], 10);
}

#[tokio::test]
async fn responses_that_are_not_polled_to_their_end_are_whole() {
    let server = Server::start(app()).await;
    let with_trailers = server::get("/trailers").replace("\r\n\r\n", "\r\nte: trailers\r\n\r\n");
    assert!(
        server
            .send(&server::get("/length"))
            .await
            .ends_with("onetwo")
    );
    assert!(server.send(&with_trailers).await.contains("x-checksum: 42"));
    for record in server.requests(2).await {
        assert_eq!(record.response_headers.unwrap().get("error"), None);
        assert_eq!(
            record.response_body.unwrap()["$body"].get("truncated"),
            None
        );
    }
}

#[tokio::test]
async fn panic_in_a_body_is_recorded() {
    let server = Server::start(app()).await;
    server.send(&server::get("/panic-in-body")).await;
    let record = server.request().await;
    assert_eq!(record.response_headers.unwrap()["error"], "panicked");
    let body = record.response_body.unwrap();
    assert_eq!(
        (&body["$body"]["truncated"], &body["$body"]["size"]),
        (&true.into(), &10.into())
    );
}

#[tokio::test]
async fn body_error_is_recorded() {
    let server = Server::start(app()).await;
    server.send(&server::get("/fails")).await;
    let record = server.request().await;
    assert_eq!(record.status_code, Some(200));
    let headers = record.response_headers.unwrap();
    assert_eq!(headers["error"], "the disk is gone: password=[masked]");
    assert_eq!(headers["response_size"], 10);
}

#[tokio::test]
async fn request_body_that_breaks_off_is_recorded() {
    let server = Server::start(app()).await;
    let request = server::post("/read", "text/plain", "abc")
        .replace("content-length: 3", "content-length: 9");
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    stream.shutdown().await.unwrap();
    let mut response = String::new();
    stream.read_to_string(&mut response).await.unwrap();
    let record = server.request().await;
    assert_eq!(record.headers["request_size"], 3);
    assert!(record.headers["error"].as_str().is_some(), "{record:?}");
}

#[tokio::test]
async fn failing_service_is_recorded() {
    use tower::{Layer as _, ServiceExt as _, service_fn};
    let sink = lookback_capture::MemorySink::new();
    let capture = Capture::builder().start(sink.clone()).unwrap();
    let service = capture
        .layer()
        .layer(service_fn(async |_: http::Request<_>| {
            Err::<http::Response<Body>, _>("no connection to 10.0.0.7")
        }));
    let request = http::Request::get("/orders/42")
        .body(Body::empty())
        .unwrap();
    assert!(service.oneshot(request).await.is_err());
    capture.flush(server::GENEROUS).await.unwrap();
    let requests = sink.records().requests;
    assert_eq!(requests[0].status_code, None);
    assert_eq!(requests[0].headers["route"], "/orders/{id}");
    let headers = requests[0].response_headers.as_ref().unwrap();
    assert_eq!(headers["error"], "failed: no connection to 10.0.0.7");
}
