//! A real server, and a client that sees each byte.

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use lookback_capture::{Batch, Capture, CaptureBuilder, CapturedRequest, MemorySink};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// How long a test waits for what has to come.
pub(crate) const GENEROUS: Duration = Duration::from_secs(30);

/// A server that captures into memory.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) capture: Capture,
    sink: MemorySink,
}

impl Server {
    pub(crate) async fn start(app: Router) -> Self {
        Self::start_with(app, |builder| builder).await
    }

    pub(crate) async fn start_with(
        app: Router,
        options: impl FnOnce(CaptureBuilder) -> CaptureBuilder,
    ) -> Self {
        let sink = MemorySink::new();
        let builder = Capture::builder().version("1.2.3").stage("test");
        let builder = builder.route(|request| {
            let path = request.extensions.get::<axum::extract::MatchedPath>()?;
            Some(path.as_str().to_owned())
        });
        let capture = options(builder).start(sink.clone()).unwrap();
        Self {
            address: serve(app.layer(capture.layer())).await,
            capture,
            sink,
        }
    }

    /// Returns all records so far.
    pub(crate) async fn records(&self) -> Batch {
        self.capture.flush(GENEROUS).await.unwrap();
        self.sink.records()
    }

    /// Returns the only request, once it has ended.
    pub(crate) async fn request(&self) -> CapturedRequest {
        let mut requests = self.requests(1).await;
        requests.remove(0)
    }

    /// Waits for a number of requests.
    pub(crate) async fn requests(&self, number: usize) -> Vec<CapturedRequest> {
        let start = std::time::Instant::now();
        loop {
            let requests = self.records().await.requests;
            if requests.len() >= number {
                assert_eq!(requests.len(), number, "{requests:#?}");
                return requests;
            }
            assert!(start.elapsed() < GENEROUS, "only {requests:#?}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    pub(crate) async fn send(&self, request: &str) -> String {
        String::from_utf8_lossy(&exchange(self.address, request.as_bytes()).await).into_owned()
    }
}

/// Serves an app on a port of its own.
pub(crate) async fn serve(app: Router) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    address
}

/// Sends bytes, and returns all that comes back until the server closes the connection.
pub(crate) async fn exchange(address: SocketAddr, request: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request).await.unwrap();
    let mut response = Vec::new();
    let read = stream.read_to_end(&mut response);
    tokio::time::timeout(GENEROUS, read).await.unwrap().unwrap();
    response
}

/// A request that closes its connection.
pub(crate) fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nhost: shop.test\r\nconnection: close\r\n\r\n")
}

pub(crate) fn post(path: &str, content_type: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "POST {path} HTTP/1.1\r\nhost: shop.test\r\nconnection: close\r\n\
         content-type: {content_type}\r\ncontent-length: {length}\r\n\r\n{body}"
    )
}
