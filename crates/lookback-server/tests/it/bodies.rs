//! Bodies: compressed, too large, broken, and too many.

use std::io::Write as _;
use std::time::Duration;

use flate2::Compression;
use flate2::write::{GzEncoder, ZlibEncoder};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::support::TestServer;

const NDJSON: &str = "application/x-ndjson";
const LINE: &str = r#"{"source":"A","level":"info","message":"packed"}"#;

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[tokio::test]
async fn compressed_bodies_are_stored() {
    let server = TestServer::start().await;
    let mut zlib = ZlibEncoder::new(Vec::new(), Compression::default());
    zlib.write_all(LINE.as_bytes()).unwrap();
    let zstd = ruzstd::encoding::compress_to_vec(
        LINE.as_bytes(),
        ruzstd::encoding::CompressionLevel::Fastest,
    );
    for (encoding, body) in [
        ("gzip", gzip(LINE.as_bytes())),
        ("deflate", zlib.finish().unwrap()),
        ("zstd", zstd),
        ("identity", LINE.as_bytes().to_vec()),
    ] {
        let headers = [("content-encoding", encoding)];
        let answer = server
            .post_with("/api/v1/logs", NDJSON, &headers, body)
            .await;
        assert_eq!(answer.status, 200, "{encoding}: {answer:?}");
    }
    assert_eq!(server.messages().await, vec!["packed"; 4]);
}

#[tokio::test]
async fn bodies_that_cannot_be_read_are_problems() {
    let server = TestServer::start_with(|settings| {
        settings.body_bytes = 20_000;
        settings.decompressed_bytes = 100_000;
    })
    .await;
    let bomb = gzip(&vec![b' '; 5_000_000]);
    assert!(bomb.len() < 20_000);
    let cut = gzip(LINE.as_bytes());
    let cut = cut[..cut.len() - 12].to_vec();
    let nested = format!("{}{}", "[".repeat(9_000), "]".repeat(9_000)).into_bytes();
    for (encoding, body, status, problem) in [
        ("gzip", bomb, 413, "too-large"),
        ("identity", vec![b'x'; 30_000], 413, "too-large"),
        ("gzip", cut, 400, "invalid-body"),
        ("gzip", b"no gzip".to_vec(), 400, "invalid-body"),
        ("zstd", b"no zstd".to_vec(), 400, "invalid-body"),
        ("compress", b"x".to_vec(), 415, "unsupported-type"),
        ("gzip, gzip", b"x".to_vec(), 415, "unsupported-type"),
    ] {
        let headers = [("content-encoding", encoding)];
        let answer = server
            .post_with("/api/v1/logs", NDJSON, &headers, body)
            .await;
        assert_eq!(
            (answer.status, answer.problem()),
            (status, problem.to_owned()),
            "{encoding}"
        );
    }
    let answer = server
        .post("/api/v1/logs", "application/json", nested)
        .await;
    assert!(answer.status < 500, "{answer:?}");
    let answer = server.post("/api/v1/logs", "image/png", "x").await;
    assert_eq!(
        (answer.status, answer.problem()),
        (415, "unsupported-type".to_owned())
    );
    // Bytes that are no text, and NUL, do no harm.
    let answer = server
        .post(
            "/api/v1/logs",
            NDJSON,
            &b"{\"msg\":\"a\\u0000b\",\"level\":\"info\"}\n\xff\xfe\0"[..],
        )
        .await;
    assert!(answer.status < 500, "{answer:?}");
}

#[tokio::test]
async fn too_many_bodies_at_a_time_are_refused_politely() {
    let server = TestServer::start_with(|settings| {
        settings.body_bytes = 1_000;
        settings.all_body_bytes = 1_500;
        settings.body_timeout = Duration::from_millis(600);
    })
    .await;
    // A client that sends slowly takes the room of the longest body.
    let mut slow = TcpStream::connect(server.address).await.unwrap();
    let head = format!(
        "POST /api/v1/logs HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {}\r\n\
         content-type: {NDJSON}\r\ntransfer-encoding: chunked\r\n\r\n5\r\n{{\"lev\r\n",
        server.key
    );
    slow.write_all(head.as_bytes()).await.unwrap();
    let long = format!("{LINE}{}", " ".repeat(900));
    let refused = loop {
        let answer = server.post("/api/v1/logs", NDJSON, long.clone()).await;
        if answer.status != 200 {
            break answer;
        }
    };
    assert_eq!(
        (refused.status, refused.problem()),
        (503, "busy".to_owned())
    );
    assert_eq!(refused.headers["retry-after"], "1");
    // The slow one is given up, and there is room again.
    let mut answer = String::new();
    slow.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
    let stored = server.post("/api/v1/logs", NDJSON, long).await;
    assert_eq!(stored.status, 200, "{stored:?}");
}

#[tokio::test]
async fn client_that_hangs_up_leaves_nothing_half_done() {
    let server = TestServer::start().await;
    let mut client = TcpStream::connect(server.address).await.unwrap();
    let head = format!(
        "POST /api/v1/logs HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {}\r\n\
         content-type: {NDJSON}\r\ncontent-length: 1000\r\n\r\n{LINE}\n",
        server.key
    );
    client.write_all(head.as_bytes()).await.unwrap();
    drop(client);
    let answer = server.post("/api/v1/logs", NDJSON, LINE).await;
    assert_eq!(answer.status, 200);
    assert_eq!(server.messages().await, ["packed"]);
}
