//! Large bodies: passed on as they come, and bounded in memory.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::task::{Context, Poll};

use axum::Router;
use axum::extract::Request;
use axum::routing::post;
use bytes::{Buf, Bytes};
use http_body::{Body, Frame};
use http_body_util::BodyExt as _;
use lookback_capture::{Capture, MemorySink};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tower::{Layer as _, ServiceExt as _, service_fn};

use crate::server::{GENEROUS, Server, serve};

const FRAME: usize = 64 * 1024;
const FRAMES: usize = 1_600;
const SIZE: usize = FRAME * FRAMES;

/// Bytes that count how many of them are held.
struct Held {
    bytes: Bytes,
    held: Arc<AtomicUsize>,
}

impl Buf for Held {
    fn remaining(&self) -> usize {
        self.bytes.remaining()
    }

    fn chunk(&self) -> &[u8] {
        self.bytes.chunk()
    }

    fn advance(&mut self, count: usize) {
        self.bytes.advance(count);
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.held.fetch_sub(1, SeqCst);
    }
}

/// A body of 100 MiB that is made as it is read.
struct Large {
    left: usize,
    held: Arc<AtomicUsize>,
}

impl Body for Large {
    type Data = Held;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Held>, Infallible>>> {
        static BYTES: [u8; FRAME] = [b'x'; FRAME];
        if self.left == 0 {
            return Poll::Ready(None);
        }
        self.left -= 1;
        self.held.fetch_add(1, SeqCst);
        Poll::Ready(Some(Ok(Frame::data(Held {
            bytes: Bytes::from_static(&BYTES),
            held: Arc::clone(&self.held),
        }))))
    }
}

/// Reads a body, and returns its bytes and the most frames that were held at a time.
async fn read(body: impl Body<Data = Held>, held: &AtomicUsize) -> (usize, usize) {
    let mut body = std::pin::pin!(body);
    let (mut size, mut most) = (0, 0);
    while let Some(Ok(frame)) = body.frame().await {
        most = most.max(held.load(SeqCst));
        size += frame.data_ref().map_or(0, Buf::remaining);
    }
    (size, most)
}

#[tokio::test]
async fn frames_of_large_bodies_are_not_held() {
    let sink = MemorySink::new();
    let capture = Capture::builder().start(sink.clone()).unwrap();
    let held = Arc::new(AtomicUsize::new(0));
    let large = || Large {
        left: FRAMES,
        held: Arc::clone(&held),
    };
    let service = service_fn(async |request: http::Request<_>| {
        assert_eq!(read(request.into_body(), &held).await, (SIZE, 1));
        Ok::<_, Infallible>(http::Response::new(large()))
    });
    let request = http::Request::post("/").header("content-type", "text/plain");
    let response = capture
        .layer()
        .layer(service)
        .oneshot(request.body(large()).unwrap());
    let body = response.await.unwrap().into_body();
    assert_eq!(read(body, &held).await, (SIZE, 1));
    capture.flush(GENEROUS).await.unwrap();
    let record = &sink.records().requests[0];
    let body = &record.body.as_ref().unwrap()["$body"];
    assert_eq!(body["size"].as_u64(), Some(SIZE as u64));
    assert_eq!(body["text"].as_str().unwrap().len(), 64 * 1024);
    let size = &record.response_headers.as_ref().unwrap()["response_size"];
    assert_eq!(size.as_u64(), Some(SIZE as u64));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn large_upload_arrives_whole() {
    let count = async |request: Request| {
        let mut body = request.into_body();
        let mut size = 0;
        while let Some(Ok(frame)) = body.frame().await {
            size += frame.data_ref().map_or(0, Bytes::len);
        }
        size.to_string()
    };
    let app = || Router::new().route("/", post(count));
    let server = Server::start(app()).await;
    for address in [serve(app()).await, server.address] {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let head = format!(
            "POST / HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-length: {SIZE}\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        let frame = vec![b'x'; FRAME];
        for _ in 0..FRAMES {
            stream.write_all(&frame).await.unwrap();
        }
        let mut response = String::new();
        stream.read_to_string(&mut response).await.unwrap();
        assert!(response.ends_with(&format!("\r\n\r\n{SIZE}")), "{response}");
    }
    let record = server.request().await;
    assert_eq!(record.headers["request_size"].as_u64(), Some(SIZE as u64));
}
