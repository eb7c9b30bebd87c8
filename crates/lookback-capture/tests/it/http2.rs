//! HTTP/2, with hyper's client: what arrives is the same with and without the layer.

use std::convert::Infallible;
use std::fmt::Write as _;
use std::net::SocketAddr;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, Method, Request, header};
use http_body_util::BodyExt as _;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;

use crate::server::{Server, serve};
use crate::wire::app;

type Http2 = Client<HttpConnector, Body>;

fn client() -> Http2 {
    Client::builder(TokioExecutor::new())
        .http2_only(true)
        .build_http()
}

/// Method, path, accepted encoding and body of a request.
type Sent = (Method, &'static str, &'static str, fn() -> Body);

fn large() -> Body {
    Body::from("x".repeat(300_000))
}

/// A body of two frames and trailers.
fn with_trailers() -> Body {
    let trailers = HeaderMap::from_iter([(
        header::HeaderName::from_static("x-end"),
        header::HeaderValue::from_static("1"),
    )]);
    let frames = [
        http_body::Frame::data(Bytes::from_static(b"first ")),
        http_body::Frame::data(Bytes::from_static(b"second")),
        http_body::Frame::trailers(trailers),
    ];
    let frames = futures_util::stream::iter(frames.map(Ok::<_, Infallible>));
    Body::new(http_body_util::StreamBody::new(frames))
}

/// Sends a request, and returns all that comes back, but for what differs by time or by the trace.
async fn answer(client: &Http2, address: SocketAddr, request: Request<Body>) -> String {
    let (mut parts, body) = request.into_parts();
    parts.uri = format!("http://{address}{}", parts.uri).parse().unwrap();
    let request = Request::from_parts(parts, body);
    let response = match client.request(request).await {
        Ok(response) => response,
        Err(error) => return format!("{error:?}"),
    };
    let (parts, mut body) = response.into_parts();
    let mut shown = format!("{:?} {}\n", parts.version, parts.status);
    for (name, value) in &parts.headers {
        if *name != "date" && *name != "traceparent" {
            writeln!(shown, "{name}: {value:?}").unwrap();
        }
    }
    let mut bytes = Vec::new();
    while let Some(frame) = body.frame().await {
        match frame.map(http_body::Frame::into_data) {
            Ok(Ok(data)) => bytes.extend_from_slice(&data),
            Ok(Err(frame)) => writeln!(shown, "{:?}", frame.into_trailers()).unwrap(),
            Err(error) => {
                writeln!(shown, "{error:?}").unwrap();
                break;
            }
        }
    }
    writeln!(shown, "{} {}", bytes.len(), String::from_utf8_lossy(&bytes)).unwrap();
    shown
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn responses_are_the_same() {
    let bare = serve(app()).await;
    let captured = Server::start(app()).await;
    let client = client();
    let get = Method::GET;
    let requests: Vec<Sent> = vec![
        (get.clone(), "/json", "", Body::empty),
        (Method::HEAD, "/json", "", Body::empty),
        (Method::HEAD, "/long", "", Body::empty),
        (get.clone(), "/nothing", "", Body::empty),
        (get.clone(), "/same", "", Body::empty),
        (get.clone(), "/events", "", Body::empty),
        (get.clone(), "/trailers", "", Body::empty),
        (get.clone(), "/long", "", Body::empty),
        (get.clone(), "/long", "gzip", Body::empty),
        (get.clone(), "/long", "br", Body::empty),
        (get.clone(), "/long", "zstd", Body::empty),
        (Method::POST, "/stream", "", with_trailers),
        (Method::POST, "/echo", "", with_trailers),
        (Method::POST, "/stream", "", large),
        (Method::POST, "/refuse", "", large),
        (get.clone(), "/fails", "", Body::empty),
        (get, "/panic", "", Body::empty),
    ];
    for (method, path, encoding, body) in &requests {
        let request = || {
            let mut request = Request::builder().method(method).uri(*path);
            if !encoding.is_empty() {
                request = request.header("accept-encoding", *encoding);
            }
            request.body(body()).unwrap()
        };
        let expected = answer(&client, bare, request()).await;
        let found = answer(&client, captured.address, request()).await;
        assert_eq!(found, expected, "{method} {path} {encoding}");
    }
    let records = captured.requests(requests.len()).await;
    assert!(
        records
            .iter()
            .all(|record| record.headers["http_version"] == "HTTP/2.0")
    );
    let echoed = &records[12];
    assert_eq!(echoed.headers["request_size"], 12);
    let status = |record: &lookback_capture::CapturedRequest| record.status_code;
    assert_eq!(status(records.last().unwrap()), Some(500));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_of_one_connection_are_recorded_each() {
    let server = Server::start(app()).await;
    let client = client();
    let requests = (0..100).map(|number| {
        let request = Request::post("/stream").body(Body::from(format!("body {number}")));
        answer(&client, server.address, request.unwrap())
    });
    let answers = futures_util::future::join_all(requests).await;
    for (number, answer) in answers.into_iter().enumerate() {
        assert!(answer.ends_with(&format!(" body {number}\n")), "{answer}");
    }
    let records = server.requests(100).await;
    let traces: std::collections::BTreeSet<_> =
        records.iter().map(|record| &record.trace_id).collect();
    assert_eq!(traces.len(), 100);
    for record in records {
        assert_eq!(
            record.headers["request_size"],
            record.response_headers.unwrap()["response_size"]
        );
    }
}

#[tokio::test]
async fn stream_that_the_client_resets_is_recorded_as_far_as_it_went() {
    let (parts, more) = tokio::sync::mpsc::channel::<Result<Bytes, Infallible>>(1);
    let more = std::sync::Arc::new(tokio::sync::Mutex::new(more));
    let handler = async move || {
        let more = more.lock_owned().await;
        Body::from_stream(futures_util::stream::unfold(more, async |mut more| {
            Some((more.recv().await?, more))
        }))
    };
    let app = Router::new().route("/", axum::routing::get(handler));
    let server = Server::start(app).await;
    parts.send(Ok(Bytes::from_static(b"first"))).await.unwrap();
    let request = Request::get(format!("http://{}/", server.address));
    let response = client().request(request.body(Body::empty()).unwrap());
    let mut response = response.await.unwrap();
    let first = response.frame().await.unwrap().unwrap();
    assert_eq!(first.into_data().unwrap(), "first");
    drop(response);
    let headers = server.request().await.response_headers.unwrap();
    assert_eq!(headers["error"], "client hung up");
    assert_eq!(headers["response_size"], 5);
}
