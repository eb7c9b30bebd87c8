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
    // A body takes the room of its length before it comes: of two slow ones, one is refused.
    let head = format!(
        "POST /api/v1/logs HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\
         authorization: Bearer {}\r\ncontent-type: {NDJSON}\r\n\
         content-length: 900\r\n\r\n{{\"lev",
        server.key
    );
    let slow = async || {
        let mut client = TcpStream::connect(server.address).await.unwrap();
        client.write_all(head.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        // The server may close it before it has read all of it.
        let _ended = client.read_to_end(&mut answer).await;
        String::from_utf8_lossy(&answer).into_owned()
    };
    let (one, other) = tokio::join!(slow(), slow());
    let (refused, given_up) = if one.starts_with("HTTP/1.1 503") {
        (one, other)
    } else {
        (other, one)
    };
    assert!(refused.starts_with("HTTP/1.1 503"), "{refused}");
    assert!(
        refused.contains("retry-after: 1\r\n") && refused.contains("busy.md"),
        "{refused}"
    );
    assert!(given_up.starts_with("HTTP/1.1 408"), "{given_up}");
    // There is room again.
    let long = format!("{LINE}{}", " ".repeat(900));
    let stored = server.post("/api/v1/logs", NDJSON, long).await;
    assert_eq!(stored.status, 200, "{stored:?}");
}

#[tokio::test]
async fn body_of_unknown_length_takes_room_as_it_comes() {
    let server = TestServer::start_with(|settings| {
        settings.body_bytes = 1_000;
        settings.all_body_bytes = 1_500;
        settings.body_timeout = Duration::from_millis(600);
    })
    .await;
    let chunked = async |padding: usize| {
        let line = format!("{LINE}{}", " ".repeat(padding));
        let request = format!(
            "POST /api/v1/logs HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\
             authorization: Bearer {}\r\ncontent-type: {NDJSON}\r\n\
             transfer-encoding: chunked\r\n\r\n{:x}\r\n{line}\r\n",
            server.key,
            line.len()
        );
        let mut client = TcpStream::connect(server.address).await.unwrap();
        client.write_all(request.as_bytes()).await.unwrap();
        client
    };
    let ended = async |mut client: TcpStream| {
        let _closed = client.write_all(b"0\r\n\r\n").await;
        let mut answer = Vec::new();
        let _ended = client.read_to_end(&mut answer).await;
        String::from_utf8_lossy(&answer).into_owned()
    };
    // Many short ones at a time.
    let mut clients = Vec::new();
    for _ in 0..5 {
        clients.push(chunked(0).await);
    }
    for client in clients {
        let answer = ended(client).await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }
    let answer = ended(chunked(2_000).await).await;
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
    let first = chunked(900).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    let answer = ended(chunked(900).await).await;
    assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
    let answer = ended(first).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

#[tokio::test]
async fn what_bodies_decompress_to_takes_room_too() {
    let server = TestServer::start_with(|settings| {
        settings.body_bytes = 100_000;
        settings.all_body_bytes = 600_000;
        settings.decompressed_bytes = 5_000_000;
    })
    .await;
    let packed = |bytes: usize| gzip(format!("{LINE}{}", " ".repeat(bytes)).as_bytes());
    let gzip = [("content-encoding", "gzip")];
    let answer = server
        .post_with("/api/v1/logs", NDJSON, &gzip, packed(2_000_000))
        .await;
    assert_eq!((answer.status, answer.problem()), (503, "busy".to_owned()));
    // All of it is free again.
    for _ in 0..3 {
        let answer = server
            .post_with("/api/v1/logs", NDJSON, &gzip, packed(400_000))
            .await;
        assert_eq!(answer.status, 200, "{answer:?}");
    }
}

/// What says that it is JSON is not stored as a line of text because a part of it is missing.
#[tokio::test]
async fn broken_json_is_refused_where_json_is_said() {
    let server = TestServer::start().await;
    for (kind, body, status) in [
        ("application/json", r#"{"level":"info","message":"cut"#, 400),
        (
            "application/json",
            r#"{"message":"x","meta":{"v":NaN}}"#,
            400,
        ),
        ("application/json", "[{\"message\":\"x\"},", 400),
        ("application/json", "{\n  \"message\": \"x\",\n", 400),
        // Lines of JSON, the last of which is cut off, and a line of text.
        ("application/json", "{\"message\":\"one\"}\n{\"mess", 200),
        ("application/json", "plain text", 200),
        ("text/plain", r#"{"level":"info","message":"cut"#, 200),
    ] {
        let answer = server.post("/api/v1/logs", kind, body).await;
        let text = String::from_utf8_lossy(&answer.body).into_owned();
        assert_eq!(answer.status, status, "{kind} {body}: {text}");
        assert!(
            status == 200 || text.contains("the body is not JSON: "),
            "{text}"
        );
    }
    assert_eq!(server.messages().await.len(), 4);
    // Bytes that are no UTF-8 lose no part of a list.
    let body = b"[{\"message\":\"before\"},{\"message\":\"\xff\"},{\"message\":\"after\"}]";
    let answer = server
        .post("/api/v1/logs", "application/json", body.to_vec())
        .await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let messages = server.messages().await.join(" ");
    assert!(
        messages.contains("before") && messages.contains("after"),
        "{messages}"
    );
}

/// A record takes some hundred bytes, however short its line is.
#[tokio::test]
async fn body_of_very_many_records_is_refused() {
    let server = TestServer::start_with(|settings| settings.all_body_bytes = 4_000_000).await;
    let list = |count: usize| format!("[{}1]", "1,".repeat(count - 1));
    for (body, status) in [
        ("1\n".repeat(20_000), 413),
        (list(20_000), 413),
        ("1\n".repeat(3_000), 200),
        (list(3_000), 200),
    ] {
        let sent = gzip(body.as_bytes());
        let headers = [("content-encoding", "gzip")];
        let answer = server
            .post_with("/api/v1/logs", NDJSON, &headers, sent)
            .await;
        let text = String::from_utf8_lossy(&answer.body).into_owned();
        assert_eq!(answer.status, status, "{text}");
        if status == 413 {
            assert!(
                text.contains("records: send them in several bodies"),
                "{text}"
            );
        }
    }
    assert_eq!(server.messages().await.len(), 6_000);
    // All room is free again.
    let status = server.get("/api/v1/status").await.json();
    assert_eq!(
        status["data"]["limits"]["body_bytes"]["used"], 0,
        "{status:?}"
    );
    assert_eq!(status["data"]["limits"]["ingests"]["used"], 0, "{status:?}");
}

#[tokio::test]
async fn zstd_with_a_large_window_is_refused() {
    let server = TestServer::start().await;
    // A frame with a window of 128 MiB, and an empty last block.
    let frame = [0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x88, 0x01, 0x00, 0x00];
    let headers = [("content-encoding", "zstd")];
    let answer = server
        .post_with("/api/v1/logs", NDJSON, &headers, frame.to_vec())
        .await;
    assert_eq!(
        (answer.status, answer.problem()),
        (400, "invalid-body".to_owned())
    );
    let text = String::from_utf8_lossy(&answer.body).into_owned();
    assert!(text.contains("decompressed"), "{text}");
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
