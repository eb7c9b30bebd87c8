//! OpenTelemetry over gRPC.

use std::io::Write as _;

use axum::http::{HeaderMap, Request, Version};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD_NO_PAD;
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use lookback::KeyScope;

use crate::protocols::otlp_logs;
use crate::support::TestServer;

const LOGS: &str = "/opentelemetry.proto.collector.logs.v1.LogsService/Export";
const TRACES: &str = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";

/// What a call ends with.
#[derive(Debug)]
struct Ended {
    /// The headers, and the trailers.
    metadata: HeaderMap,
    body: Bytes,
}

impl Ended {
    fn status(&self) -> u8 {
        self.text("grpc-status").parse().unwrap()
    }

    fn text(&self, name: &str) -> &str {
        self.metadata[name].to_str().unwrap()
    }

    /// The bytes of its `google.rpc.Status`.
    fn details(&self) -> Vec<u8> {
        let details = self.text("grpc-status-details-bin");
        BASE64_STANDARD_NO_PAD.decode(details).unwrap()
    }
}

fn framed(is_compressed: bool, message: &[u8]) -> Vec<u8> {
    let mut framed = vec![u8::from(is_compressed)];
    framed.extend_from_slice(&u32::try_from(message.len()).unwrap().to_be_bytes());
    framed.extend_from_slice(message);
    framed
}

/// Calls a method with the bytes of a body.
async fn call(
    server: &TestServer,
    path: &str,
    headers: &[(&str, &str)],
    body: impl Into<Bytes>,
) -> Ended {
    let mut request = Request::post(format!("http://{}{path}", server.address))
        .version(Version::HTTP_2)
        .header("content-type", "application/grpc")
        .header("te", "trailers");
    if headers.iter().all(|(name, _)| *name != "authorization") {
        request = request.header("authorization", format!("Bearer {}", server.key));
    }
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Full::new(body.into())).unwrap();
    let client = Client::builder(TokioExecutor::new())
        .http2_only(true)
        .build_http::<Full<Bytes>>();
    let response = client.request(request).await.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["content-type"], "application/grpc");
    let mut metadata = response.headers().clone();
    let collected = response.into_body().collect().await.unwrap();
    metadata.extend(collected.trailers().cloned().unwrap_or_default());
    Ended {
        metadata,
        body: collected.to_bytes(),
    }
}

#[tokio::test]
async fn logs_are_stored_plain_and_compressed() {
    let server = TestServer::start().await;
    let plain = call(&server, LOGS, &[], framed(false, &otlp_logs(&["plain"]))).await;
    assert_eq!(plain.status(), 0, "{plain:?}");
    // A message without a field.
    assert_eq!(plain.body, framed(false, b""));
    let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
    gzip.write_all(&otlp_logs(&["by gzip"])).unwrap();
    let gzip = gzip.finish().unwrap();
    let zstd = ruzstd::encoding::compress_to_vec(
        &*otlp_logs(&["by zstd"]),
        ruzstd::encoding::CompressionLevel::Fastest,
    );
    for (encoding, message) in [("gzip", gzip), ("zstd", zstd)] {
        let headers = [("grpc-encoding", encoding)];
        let ended = call(&server, LOGS, &headers, framed(true, &message)).await;
        assert_eq!(ended.status(), 0, "{encoding}: {ended:?}");
    }
    // A client may name an encoding, and leave a message as it is.
    let headers = [("grpc-encoding", "gzip")];
    let left = call(
        &server,
        LOGS,
        &headers,
        framed(false, &otlp_logs(&["left"])),
    )
    .await;
    assert_eq!(left.status(), 0, "{left:?}");
    assert_eq!(
        server.messages().await,
        ["plain", "by gzip", "by zstd", "left"]
    );
    let empty = call(&server, TRACES, &[], framed(false, b"")).await;
    assert_eq!(empty.status(), 0, "{empty:?}");
}

#[tokio::test]
async fn call_that_is_wrong_ends_with_the_status_of_its_fault() {
    let server = TestServer::start_with(|settings| {
        settings.body_bytes = 10_000;
        settings.decompressed_bytes = 50_000;
    })
    .await;
    let good = otlp_logs(&["good"]);
    let mut bomb = GzEncoder::new(Vec::new(), Compression::best());
    bomb.write_all(&vec![0; 500_000]).unwrap();
    let bomb = framed(true, &bomb.finish().unwrap());
    let mut two = framed(false, &good);
    two.extend(framed(false, &good));
    let cut = framed(false, &good)[..20].to_vec();
    let mut longer = framed(false, &good);
    longer[1] = 0x7f;
    let (_, reader) = server.new_key(KeyScope::Read).await;
    let reader = format!("Bearer {reader}");
    let gzip = ("grpc-encoding", "gzip");
    for (headers, body, status, message) in [
        (vec![], framed(false, b"\xff\xff\xff"), 3, "body"),
        (vec![], two, 3, "one message"),
        (vec![], cut, 3, "not whole"),
        (vec![], vec![], 3, "not whole"),
        (vec![], framed(true, &good), 3, "grpc-encoding"),
        (vec![gzip], framed(true, b"no gzip"), 3, "decompressed"),
        (vec![gzip], bomb, 8, "at most 50000 bytes"),
        (vec![], longer, 8, "at most 10000 bytes"),
        (
            vec![("grpc-encoding", "snappy")],
            framed(true, &good),
            12,
            "snappy",
        ),
        (
            vec![("authorization", "Bearer lb_wrong")],
            framed(false, &good),
            16,
            "no valid API key",
        ),
        (
            vec![("authorization", &*reader)],
            framed(false, &good),
            7,
            "may only read records",
        ),
    ] {
        let ended = call(&server, LOGS, &headers, body).await;
        assert_eq!(ended.status(), status, "{message}: {ended:?}");
        let text = ended.text("grpc-message");
        assert!(text.contains(message), "{message}: {ended:?}");
        assert_eq!(ended.details()[..2], [0x08, status]);
        assert!(ended.body.is_empty());
        // Nothing to be sent again.
        let details = ended.details();
        assert!(!String::from_utf8_lossy(&details).contains("RetryInfo"));
        assert_eq!(
            ended.text("grpc-accept-encoding"),
            "identity, gzip, deflate, zstd"
        );
    }
    assert!(server.messages().await.is_empty());
}

#[tokio::test]
async fn full_server_is_unavailable_and_says_when_to_send_again() {
    let server = TestServer::start_with(|settings| settings.ingests = 0).await;
    let ended = call(&server, LOGS, &[], framed(false, &otlp_logs(&["x"]))).await;
    assert_eq!(ended.status(), 14, "{ended:?}");
    let details = ended.details();
    // details { type_url: …, value: RetryInfo { retry_delay { seconds: 1 } } }
    let expected = [
        b"\x0a\x28type.googleapis.com/google.rpc.RetryInfo".as_slice(),
        b"\x12\x04\x0a\x02\x08\x01",
    ]
    .concat();
    assert!(details.ends_with(&expected), "{details:?}");
}

#[tokio::test]
async fn records_that_cannot_be_stored_are_a_partial_success() {
    let server = TestServer::start().await;
    // A record whose body is of another type.
    let mut message = otlp_logs(&["good"]);
    message.extend_from_slice(&[0x0a, 0x06, 0x12, 0x04, 0x12, 0x02, 0x08, 0x01]);
    let ended = call(&server, LOGS, &[], framed(false, &message)).await;
    assert_eq!(ended.status(), 0, "{ended:?}");
    assert_eq!(server.messages().await, ["good"]);
    // partial_success { rejected_log_records: 1, error_message: "…" }
    assert_eq!(ended.body[5], 0x0a);
    assert_eq!(ended.body[7..10], [0x08, 1, 0x12], "{ended:?}");
}

#[tokio::test]
async fn message_that_is_sent_again_with_its_key_is_stored_once() {
    let server = TestServer::start().await;
    let message = otlp_logs(&["once"]);
    let headers = [("idempotency-key", "1")];
    for _ in 0..2 {
        let ended = call(&server, LOGS, &headers, framed(false, &message)).await;
        assert_eq!(ended.status(), 0, "{ended:?}");
    }
    // Over HTTP it is the same export.
    let again = server
        .post_with("/v1/logs", "application/x-protobuf", &headers, message)
        .await;
    assert_eq!(again.status, 200, "{again:?}");
    assert_eq!(server.messages().await, ["once"]);
}
