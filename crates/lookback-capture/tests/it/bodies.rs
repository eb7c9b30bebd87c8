//! How bodies are stored.

use std::io::Write as _;

use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderMap, header};
use axum::routing::post;
use lookback_json::{Json, json};
use tower_http::compression::CompressionLayer;

use crate::server::{self, Server, exchange};

fn echo() -> Router {
    Router::new().route(
        "/echo",
        post(async |headers: HeaderMap, body: Bytes| {
            let content_type = headers.get(header::CONTENT_TYPE).cloned();
            let mut response = axum::response::Response::new(axum::body::Body::from(body));
            if let Some(content_type) = content_type {
                response
                    .headers_mut()
                    .insert(header::CONTENT_TYPE, content_type);
            }
            response
        }),
    )
}

/// Returns how a body is stored that is sent and comes back.
async fn stored(content_type: &str, body: &[u8]) -> Json {
    stored_by(content_type, "", body, |_| {}).await
}

async fn stored_by(
    content_type: &str,
    more_headers: &str,
    body: &[u8],
    change: impl FnOnce(&mut lookback_capture::Settings),
) -> Json {
    let server = Server::start_with(echo(), |builder| builder.settings(change)).await;
    let mut request = server::post("/echo", content_type, "");
    request = request.replace(
        "content-length: 0\r\n",
        &format!("content-length: {}\r\n{more_headers}", body.len()),
    );
    if content_type.is_empty() {
        request = request.replace("content-type: \r\n", "");
    }
    let mut bytes = request.into_bytes();
    bytes.extend_from_slice(body);
    exchange(server.address, &bytes).await;
    let record = server.request().await;
    if more_headers.is_empty() && !content_type.is_empty() {
        assert_eq!(record.body, record.response_body);
    }
    record.body.unwrap_or_default()
}

#[tokio::test]
async fn bodies_are_stored_by_their_type() {
    let exact: Json = r#"{"price":1.10,"big":12345678901234567890123}"#.parse().unwrap();
    for (content_type, body, expected) in [
        (
            "application/json",
            r#"{"price": 1.10, "big": 12345678901234567890123}"#,
            exact,
        ),
        (
            "application/problem+json; charset=utf-8",
            r#"{"type":"x"}"#,
            json!({ "type": "x" }),
        ),
        ("application/json", r#""just text""#, json!("just text")),
        ("application/json", "null", json!(null)),
        (
            "application/x-www-form-urlencoded",
            "a=1&b=x+y%26z&b=2&password=PLANTED&empty",
            json!({ "a": "1", "b": ["x y&z", "2"], "password": "[masked]", "empty": "" }),
        ),
        (
            "text/plain",
            "plain: token=PLANTED",
            json!("plain: token=[masked]"),
        ),
        ("text/html; charset=utf-8", "<p>ä</p>", json!("<p>ä</p>")),
        ("application/xml", "<a/>", json!("<a/>")),
        ("application/x-ndjson", "{}\n{}\n", json!("{}\n{}\n")),
        ("", r#"{"no": "type"}"#, json!({ "no": "type" })),
        ("", "no type", json!("no type")),
        (
            "application/json",
            "{broken",
            json!({ "$body": { "type": "application/json", "size": 7, "text": "{broken" } }),
        ),
        (
            "application/json",
            r#"{"$body": {"size": 1}}"#,
            json!({ "$body": { "type": "application/json", "size": 22, "text": "{\"$body\": {\"size\": 1}}" } }),
        ),
    ] {
        assert_eq!(
            stored(content_type, body.as_bytes()).await,
            expected,
            "{content_type} {body}"
        );
    }
}

#[tokio::test]
async fn other_bodies_are_stored_as_size_and_type() {
    let png = b"\x89PNG\r\n\x1a\n\0\0\0";
    assert_eq!(
        stored("image/png", png).await,
        json!({ "$body": { "type": "image/png", "size": 11 } })
    );
    assert_eq!(
        stored_by("image/png", "", png, |settings| settings.binary_bodies =
            true)
        .await,
        json!({ "$body": { "type": "image/png", "size": 11, "base64": "iVBORw0KGgoAAAA=" } })
    );
    let multipart =
        b"--x\r\ncontent-disposition: form-data; name=\"password\"\r\n\r\nPLANTED\r\n--x--\r\n";
    assert_eq!(
        stored("multipart/form-data; boundary=x", multipart).await,
        json!({ "$body": { "type": "multipart/form-data; boundary=x", "size": multipart.len() } })
    );
    assert_eq!(
        stored("", &[0xff, 0xfe, 0]).await,
        json!({ "$body": { "size": 3 } })
    );
}

#[tokio::test]
async fn empty_body_is_none_and_null_is_null() {
    let server = Server::start(echo()).await;
    for body in ["", "null"] {
        server
            .send(&server::post("/echo", "application/json", body))
            .await;
    }
    let bodies: Vec<_> = server
        .requests(2)
        .await
        .into_iter()
        .map(|record| record.body)
        .collect();
    assert_eq!(bodies, [None, Some(Json::Null)]);
}

#[tokio::test]
async fn value_of_very_many_small_parts_is_kept_as_its_text() {
    let many = format!("[{}1]", r#"{"a":0},"#.repeat(8_000));
    let body = stored("application/json", many.as_bytes()).await;
    assert_eq!(body["$body"]["text"], many.as_str());
    let few = format!("[{}1]", "1,".repeat(1_000));
    assert!(stored("application/json", few.as_bytes()).await.is_array());
}

#[tokio::test]
async fn parts_of_a_form_are_masked_if_they_are_kept() {
    let parts = "--x\r\ncontent-disposition: form-data; name=\"password\"\r\n\r\nPLANTED\r\n\
                 --x\r\ncontent-disposition: form-data; name=\"a\"\r\n\r\nb\r\n--x--\r\n";
    let content_type = "multipart/form-data; boundary=x";
    let change = |settings: &mut lookback_capture::Settings| settings.binary_bodies = true;
    let body = stored_by(content_type, "", parts.as_bytes(), change).await;
    let text = body["$body"]["text"].as_str().unwrap();
    assert!(
        text.contains("[masked]") && !text.contains("PLANTED"),
        "{text}"
    );
    let wide: Vec<u8> = "password=PLANTED"
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    let body = stored_by("text/plain; charset=utf-16", "", &wide, |_| {}).await;
    assert_eq!(body["$body"].get("text"), None);
}

#[tokio::test]
async fn text_in_other_charsets_is_read() {
    assert_eq!(
        stored("text/plain; charset=iso-8859-1", b"caf\xe9").await,
        json!("café")
    );
    assert_eq!(
        stored("text/plain", b"caf\xe9!").await,
        json!("caf\u{fffd}!")
    );
    assert_eq!(stored("text/plain", b"a\0b").await, json!("a\u{2400}b"));
}

#[tokio::test]
async fn long_bodies_are_cut_and_marked() {
    let limit = |settings: &mut lookback_capture::Settings| settings.body_limit = 20;
    let text = stored_by(
        "text/plain",
        "",
        "0123456789abcdefghiä and more".as_bytes(),
        limit,
    )
    .await;
    assert_eq!(
        text,
        json!({ "$body": { "type": "text/plain", "size": 30, "truncated": true, "text": "0123456789abcdefghi" } })
    );
    let secret = stored_by(
        "application/json",
        "",
        br#"{"password":"PLANTED and longer than that"}"#,
        limit,
    )
    .await;
    assert_eq!(
        secret,
        json!({ "$body": { "type": "application/json", "size": 43, "truncated": true, "text": "{\"password\":\"[masked]" } })
    );
    let whole = stored_by("text/plain", "", b"01234567890123456789", limit).await;
    assert_eq!(whole, json!("01234567890123456789"));
}

#[tokio::test]
async fn compressed_requests_are_stored_as_what_they_contain() {
    let text = br#"{"user": "anna", "password": "PLANTED"}"#;
    let expected = json!({ "user": "anna", "password": "[masked]" });
    let gzip = {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    };
    let zlib = {
        let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    };
    let raw = {
        let mut encoder =
            flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    };
    for (encoding, body) in [
        ("gzip", &gzip),
        ("deflate", &zlib),
        ("deflate", &raw),
        ("identity", &text.to_vec()),
    ] {
        let header = format!("content-encoding: {encoding}\r\n");
        assert_eq!(
            stored_by("application/json", &header, body, |_| {}).await,
            expected,
            "{encoding}"
        );
    }
    // Twice, and one that is not known.
    let twice = {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(&zlib).unwrap();
        encoder.finish().unwrap()
    };
    let header = "content-encoding: deflate, gzip\r\n";
    assert_eq!(
        stored_by("application/json", header, &twice, |_| {}).await,
        expected
    );
    let unknown = stored_by(
        "application/json",
        "content-encoding: frob\r\n",
        b"??",
        |_| {},
    )
    .await;
    assert_eq!(
        unknown,
        json!({ "$body": { "type": "application/json", "encoding": "frob", "size": 2 } })
    );
}

#[tokio::test]
async fn compressed_bomb_is_decompressed_up_to_the_limit() {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(&vec![b'a'; 50_000_000]).unwrap();
    let bomb = encoder.finish().unwrap();
    let body = stored_by("text/plain", "content-encoding: gzip\r\n", &bomb, |_| {}).await;
    assert_eq!(body["$body"]["truncated"], true);
    assert_eq!(body["$body"]["text"].as_str().unwrap().len(), 64 * 1024);
}

#[tokio::test]
async fn compressed_responses_are_stored_as_what_they_contain() {
    let app = Router::new()
        .route(
            "/",
            axum::routing::get(async || axum::Json("value ".repeat(100))),
        )
        .layer(CompressionLayer::new());
    let server = Server::start(app).await;
    for encoding in ["gzip", "deflate", "br", "zstd"] {
        let request = server::get("/").replace(
            "\r\n\r\n",
            &format!("\r\naccept-encoding: {encoding}\r\n\r\n"),
        );
        let response = server.send(&request).await;
        assert!(
            response.contains(&format!("content-encoding: {encoding}")),
            "{response}"
        );
    }
    for record in server.requests(4).await {
        assert_eq!(
            record.response_body,
            Some(Json::from("value ".repeat(100))),
            "{record:?}"
        );
    }
}
