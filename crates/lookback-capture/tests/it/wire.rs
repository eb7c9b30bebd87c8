//! The bytes on the wire are the same with and without the layer.

use std::convert::Infallible;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::extract::ws::{WebSocket, WebSocketUpgrade};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{any, get, post};
use futures_util::StreamExt as _;
use http_body_util::StreamBody;
use http_body_util::combinators::BoxBody;
use lookback_capture::{Capture, MemorySink};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tower_http::compression::CompressionLayer;
use tower_http::decompression::RequestDecompressionLayer;

use crate::server::{self, GENEROUS, Server, exchange, serve};

pub(crate) fn app() -> Router {
    Router::new()
        .route("/json", any(async || axum::Json([1, 2, 3])))
        .route("/echo", post(async |body: Bytes| body))
        .route(
            "/stream",
            post(async |request: Request| Body::new(request.into_body())),
        )
        .route("/refuse", post(async || StatusCode::PAYLOAD_TOO_LARGE))
        .route("/nothing", get(async || StatusCode::NO_CONTENT))
        .route("/same", get(async || StatusCode::NOT_MODIFIED))
        .route("/long", get(async || "long ".repeat(100_000)))
        .route("/events", get(events))
        .route("/trailers", get(trailers))
        .route(
            "/headers",
            any(async |headers: HeaderMap| format!("{headers:?}")),
        )
        .route(
            "/ws",
            any(async |upgrade: WebSocketUpgrade| upgrade.on_upgrade(echo)),
        )
        .route("/fails", get(fails))
        .route("/panic", get(panics))
        .route(
            "/unpack",
            post(async |body: String| body).layer(RequestDecompressionLayer::new()),
        )
        .layer(CompressionLayer::new())
}

async fn fails() -> Body {
    Body::from_stream(async_stream::stream! {
        yield Ok(Bytes::from_static(b"first part"));
        // What was sent is on its way.
        tokio::time::sleep(Duration::from_millis(20)).await;
        yield Err(std::io::Error::other("the disk is gone"));
    })
}

async fn panics() {
    panic!("this panic belongs to a test");
}

async fn events() -> Response {
    let events = async_stream::stream! {
        for number in 0..3 {
            tokio::time::sleep(Duration::from_millis(2)).await;
            yield Ok::<_, Infallible>(format!("data: {number}\n\n"));
        }
    };
    (
        [(header::CONTENT_TYPE, "text/event-stream")],
        Body::from_stream(events),
    )
        .into_response()
}

async fn trailers() -> Response {
    let frames = [
        http_body::Frame::data(Bytes::from_static(b"body")),
        http_body::Frame::trailers(HeaderMap::from_iter([(
            header::HeaderName::from_static("x-checksum"),
            header::HeaderValue::from_static("42"),
        )])),
    ];
    let body = StreamBody::new(futures_util::stream::iter(frames.map(Ok::<_, Infallible>)));
    (
        [(header::TRAILER, "x-checksum")],
        Body::new(BoxBody::new(body)),
    )
        .into_response()
}

async fn echo(mut socket: WebSocket) {
    while let Some(Ok(message)) = socket.recv().await {
        if socket.send(message).await.is_err() {
            return;
        }
    }
}

/// The lines of a response without those that differ by time or by the trace.
fn without_changing(response: &[u8]) -> Vec<Vec<u8>> {
    let is_same = |line: &&[u8]| !line.starts_with(b"date:") && !line.starts_with(b"traceparent:");
    let lines = response.split_inclusive(|byte| *byte == b'\n');
    lines.filter(is_same).map(<[u8]>::to_vec).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bytes_on_the_wire_are_the_same() {
    let bare = serve(app()).await;
    let captured = Server::start(app()).await;
    let large = "x".repeat(300_000);
    let requests = [
        server::get("/json"),
        server::get("/json").replace("HTTP/1.1", "HTTP/1.0"),
        server::get("/json").replace("GET", "HEAD"),
        server::get("/json").replace("GET", "FROB"),
        server::get("/json").replace("\r\n\r\n", "\r\naccept-encoding: gzip, br\r\n\r\n"),
        server::get("/long").replace("\r\n\r\n", "\r\naccept-encoding: zstd\r\n\r\n"),
        server::get("/long").replace("\r\n\r\n", "\r\naccept-encoding: br\r\n\r\n"),
        server::get("/long"),
        server::get("/missing"),
        server::get("/nothing"),
        server::get("/same"),
        server::get("/long").replace("GET", "HEAD"),
        server::get("/nothing").replace("GET", "HEAD"),
        server::get("/events"),
        server::get("/fails"),
        server::get("/panic"),
        server::get("/trailers").replace("\r\n\r\n", "\r\nte: trailers\r\n\r\n"),
        server::get("/headers?a=1&b").replace("\r\n\r\n", "\r\nx-odd: \u{e4}\r\nx-odd: 2\r\n\r\n"),
        server::post("/echo", "application/json", r#"{"a":1}"#),
        server::post("/echo", "text/plain", &large),
        server::post("/stream", "text/plain", &large),
        server::post("/refuse", "text/plain", &large),
        server::post("/echo", "text/plain", "abc").replace("\r\n\r\n", "\r\nexpect: 100-continue\r\n\r\n"),
        "POST /stream HTTP/1.1\r\nhost: a\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\
         trailer: x-end\r\n\r\n3\r\nabc\r\n4;ext=1\r\ndefg\r\n0\r\nx-end: 1\r\n\r\n"
            .to_owned(),
        // Two in one packet, on one connection.
        [
            "GET /json HTTP/1.1\r\nhost: a\r\n\r\n".to_owned(),
            server::post("/echo", "text/plain", "abc"),
        ]
        .concat(),
        // A connection that is kept, whatever is in between.
        [
            "HEAD /json HTTP/1.1\r\nhost: a\r\n\r\n",
            "GET /nothing HTTP/1.1\r\nhost: a\r\n\r\n",
            "GET /same HTTP/1.1\r\nhost: a\r\n\r\n",
            "GET /events HTTP/1.1\r\nhost: a\r\n\r\n",
            "POST /missing HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\n\r\nabc",
            &server::get("/json"),
        ]
        .concat(),
        // Refused before its body was asked for, which is not sent.
        "POST /refuse HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-length: 9\r\n\
         expect: 100-continue\r\n\r\n"
            .to_owned(),
        "not HTTP at all\r\n\r\n".to_owned(),
        "POST /echo HTTP/1.1\r\nhost: a\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n"
            .to_owned(),
    ];
    for request in &requests {
        let expected = exchange(bare, request.as_bytes()).await;
        let found = exchange(captured.address, request.as_bytes()).await;
        assert_eq!(
            without_changing(&found),
            without_changing(&expected),
            "{request:.200}"
        );
    }
}

/// Returns the body of a response.
fn body_of(response: &[u8]) -> &[u8] {
    let end = response.windows(4).position(|bytes| bytes == b"\r\n\r\n");
    &response[end.unwrap() + 4..]
}

#[tokio::test]
async fn compressed_bodies_are_the_same_both_ways() {
    let bare = serve(app()).await;
    let captured = Server::start(app()).await;
    for encoding in ["gzip", "deflate", "br", "zstd"] {
        let get = format!("GET /long HTTP/1.0\r\naccept-encoding: {encoding}\r\n\r\n");
        let response = exchange(bare, get.as_bytes()).await;
        let body = body_of(&response);
        let head = format!(
            "POST /unpack HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-type: text/plain\r\n\
             content-encoding: {encoding}\r\naccept-encoding: {encoding}\r\n\
             content-length: {}\r\n\r\n",
            body.len()
        );
        let request = [head.as_bytes(), body].concat();
        let expected = exchange(bare, &request).await;
        let found = exchange(captured.address, &request).await;
        assert_eq!(
            without_changing(&found),
            without_changing(&expected),
            "{encoding}"
        );
        assert!(body_of(&expected).len() < 10_000, "{encoding}");
    }
    for record in captured.requests(4).await {
        let text = record.body.unwrap()["$body"]["text"].clone();
        assert!(text.as_str().unwrap().starts_with("long long "), "{text}");
        assert_eq!(record.response_body.unwrap()["$body"]["text"], text);
    }
}

/// Upgrades a connection, sends frames, and returns all that comes back until its end.
async fn web_socket(address: std::net::SocketAddr) -> Vec<u8> {
    let mut request =
        b"GET /ws HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
        sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
            .to_vec();
    // Masked by zeros: a text, one in two fragments, a ping, 70,000 bytes, and the end.
    let mut frame = |first: u8, payload: &[u8]| {
        request.push(first);
        match payload.len() {
            length @ 0..126 => request.push(0x80 | u8::try_from(length).unwrap()),
            length => {
                request.push(0x80 | 127);
                request.extend_from_slice(&(length as u64).to_be_bytes());
            }
        }
        request.extend_from_slice(&[0; 4]);
        request.extend_from_slice(payload);
    };
    frame(0x81, b"abc");
    frame(0x01, b"first ");
    frame(0x80, b"second");
    frame(0x89, b"ping");
    frame(0x82, &[7; 70_000]);
    frame(0x88, &1000_u16.to_be_bytes());
    exchange(address, &request).await
}

#[tokio::test]
async fn frames_of_a_web_socket_are_the_same() {
    let bare = serve(app()).await;
    let captured = Server::start(app()).await;
    let expected = web_socket(bare).await;
    assert!(expected.len() > 70_000 && expected.starts_with(b"HTTP/1.1 101 "));
    let found = web_socket(captured.address).await;
    assert_eq!(without_changing(&found), without_changing(&expected));
}

#[tokio::test]
async fn events_arrive_one_at_a_time() {
    let (sent, events) = tokio::sync::mpsc::channel::<Result<String, Infallible>>(1);
    let events = std::sync::Arc::new(tokio::sync::Mutex::new(events));
    let handler = async move || {
        let events = events.lock_owned().await;
        let events = futures_util::stream::unfold(events, async |mut events| {
            Some((events.recv().await?, events))
        });
        let content_type = [(header::CONTENT_TYPE, "text/event-stream")];
        (content_type, Body::from_stream(events))
    };
    let server = Server::start(Router::new().route("/", get(handler))).await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream.write_all(server::get("/").as_bytes()).await.unwrap();
    let mut response = Vec::new();
    for number in 0..5 {
        // The next event is made when this one has arrived.
        let event = format!("data: {number}\n\n");
        sent.send(Ok(event.clone())).await.unwrap();
        let read = async {
            while !String::from_utf8_lossy(&response).contains(&event) {
                response.push(stream.read_u8().await.unwrap());
            }
        };
        tokio::time::timeout(GENEROUS, read).await.unwrap();
    }
    drop(sent);
    stream.read_to_end(&mut response).await.unwrap();
    let body = server.request().await.response_body.unwrap();
    assert_eq!(body["$body"]["size"], 45);
}

#[tokio::test]
async fn web_socket_passes_through() {
    let server = Server::start(app()).await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    let request = "GET /ws HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
        sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut response = Vec::new();
    while !response.ends_with(b"\r\n\r\n") {
        response.push(stream.read_u8().await.unwrap());
    }
    let response = String::from_utf8(response).unwrap();
    assert!(response.starts_with("HTTP/1.1 101 "), "{response}");
    assert!(
        response.contains("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="),
        "{response}"
    );
    // The record is there while the connection goes on.
    let record = server.request().await;
    assert_eq!(record.status_code, Some(101));
    assert_eq!(record.response_headers.unwrap().get("error"), None);
    // A text of three bytes, masked by zeros.
    stream
        .write_all(&[0x81, 0x83, 0, 0, 0, 0, b'a', b'b', b'c'])
        .await
        .unwrap();
    let mut echoed = [0; 5];
    stream.read_exact(&mut echoed).await.unwrap();
    assert_eq!(&echoed, b"\x81\x03abc");
}

#[tokio::test]
async fn no_body_waits_for_its_end() {
    // The server answers each chunk before the next is sent.
    let server = Server::start(app()).await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    let head = "POST /stream HTTP/1.1\r\nhost: a\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut response = Vec::new();
    for part in ["first", "second", "third"] {
        let chunk = format!("{:x}\r\n{part}\r\n", part.len());
        stream.write_all(chunk.as_bytes()).await.unwrap();
        let read = async {
            while !String::from_utf8_lossy(&response).contains(part) {
                response.push(stream.read_u8().await.unwrap());
            }
        };
        tokio::time::timeout(GENEROUS, read).await.unwrap();
    }
    stream.write_all(b"0\r\n\r\n").await.unwrap();
    stream.read_to_end(&mut response).await.unwrap();
    let record = server.request().await;
    assert_eq!(record.headers.get("request_size").unwrap(), &16);
    assert_eq!(
        record
            .response_headers
            .unwrap()
            .get("response_size")
            .unwrap(),
        &16
    );
}

#[tokio::test]
async fn frames_and_trailers_of_any_body_pass_through() {
    use tower::{Layer as _, ServiceExt as _, service_fn};
    let capture = Capture::builder().start(MemorySink::new()).unwrap();
    let service = capture
        .layer()
        .layer(service_fn(async |request: http::Request<_>| {
            // The body of the request is that of the response.
            Ok::<_, Infallible>(http::Response::new(request.into_body()))
        }));
    let frames = [
        http_body::Frame::data(Bytes::from_static(b"one")),
        http_body::Frame::data(Bytes::new()),
        http_body::Frame::data(Bytes::from_static(b"two")),
        http_body::Frame::trailers(HeaderMap::from_iter([(
            header::ETAG,
            header::HeaderValue::from_static("\"7\""),
        )])),
    ];
    let body = StreamBody::new(futures_util::stream::iter(frames.map(Ok::<_, Infallible>)));
    let response = service.oneshot(http::Request::new(body)).await.unwrap();
    let frames: Vec<_> = http_body_util::BodyStream::new(response.into_body())
        .collect()
        .await;
    let shown: Vec<String> = frames
        .into_iter()
        .map(|frame| match frame.unwrap().into_data() {
            Ok(data) => format!("{data:?}"),
            Err(frame) => format!("{:?}", frame.into_trailers().unwrap()),
        })
        .collect();
    assert_eq!(
        shown,
        [r#"b"one""#, r#"b"""#, r#"b"two""#, r#"{"etag": "\"7\""}"#]
    );
}
