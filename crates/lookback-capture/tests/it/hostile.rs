//! What a client sends that means harm, or that nobody has thought of.

use std::convert::Infallible;
use std::io::Write as _;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::routing::{any, get};
use http_body_util::{BodyExt as _, Full};
use lookback_capture::{Capture, CapturedRequest, MemorySink, Settings, TeeBody, TrustedProxies};
use lookback_json::Json;
use tower::{Layer as _, ServiceExt as _, service_fn};
use tower_http::compression::CompressionLayer;

use crate::server::{self, GENEROUS, Server, exchange, serve};

const SECRET: &str = "KEPT-NOWHERE-7f3a";

/// Returns the record of a request that is sent without a connection, which bounds nothing.
async fn captured(
    request: http::request::Builder,
    body: impl Into<Bytes>,
    change: impl FnOnce(&mut Settings),
) -> CapturedRequest {
    let sink = MemorySink::new();
    let capture = Capture::builder();
    let capture = capture.settings(change).start(sink.clone()).unwrap();
    let service = service_fn(async |request: http::Request<TeeBody<Full<Bytes>>>| {
        request.into_body().collect().await.unwrap();
        Ok::<_, Infallible>(http::Response::new(Full::new(Bytes::new())))
    });
    let request = request.body(Full::new(body.into())).unwrap();
    let response = capture.layer().layer(service).oneshot(request);
    response.await.unwrap().into_body().collect().await.unwrap();
    capture.flush(GENEROUS).await.unwrap();
    let mut requests = sink.records().requests;
    assert_eq!(requests.len(), 1);
    requests.remove(0)
}

fn post(content_type: &str) -> http::request::Builder {
    http::Request::post("/a").header("content-type", content_type)
}

#[tokio::test]
async fn very_many_headers_and_very_long_ones_are_recorded() {
    let mut request = http::Request::post("/a");
    for number in 0..10_000 {
        request = request.header(format!("x-{number}"), "value");
    }
    for _ in 0..10_000 {
        request = request.header("x-api-key", SECRET);
    }
    let long = format!("{}password={SECRET}", "long ".repeat(200_000));
    let record = captured(request.header("x-long", long), "", |_| {}).await;
    assert_eq!(record.headers["x-9999"], "value");
    assert_eq!(
        record.headers["x-api-key"].as_array().unwrap().len(),
        10_000
    );
    let long = record.headers["x-long"].as_str().unwrap();
    assert!(long.len() > 1_000_000 && long.ends_with("password=[masked]"));
    assert!(!format!("{record:?}").contains(SECRET));
}

#[tokio::test]
async fn bytes_that_are_no_text_are_recorded() {
    let app = Router::new().fallback(any(async || "found"));
    let bare = serve(app.clone()).await;
    let captured = Server::start(app).await;
    for head in [
        b"GET /%ff%fe/\xc3\xa4?a=%ff&b=\xc3\xa4&%00=%00 HTTP/1.1\r\nx-odd: \xff\xfe".as_slice(),
        b"GET /caf\xe9?\xff\xfe HTTP/1.1\r\nx-odd: \xe9",
        b"GET /%?%%%=%&&&=%zz HTTP/1.1\r\ncookie: \xff=\xfe; =",
    ] {
        let request = [head, b"\r\nhost: a\r\nconnection: close\r\n\r\n"].concat();
        let status = |response: Vec<u8>| response[..12].to_vec();
        assert_eq!(
            status(exchange(captured.address, &request).await),
            status(exchange(bare, &request).await)
        );
    }
    let records = captured.records().await.requests;
    assert!(records.len() >= 2, "{records:#?}");
    assert_eq!(records[0].path, "/%ff%fe/\u{e4}");
    let query = records[0].query.as_ref().unwrap();
    assert_eq!(query["a"], "\u{fffd}");
    assert_eq!(query["b"], "\u{e4}");
    assert_eq!(records[0].headers["x-odd"], "\u{ff}\u{fe}");
}

#[tokio::test]
async fn json_of_very_many_levels_is_kept_as_its_text() {
    let objects = format!(
        r#"{}{{"password":"{SECRET}"}}{}"#,
        r#"{"a":"#.repeat(10_000),
        "}".repeat(10_000)
    );
    let arrays = format!(r#"{}{{"password":"{SECRET}"}}"#, "[".repeat(10_000));
    let mut strings = format!(r#"{{"password":"{SECRET}"}}"#);
    while strings.len() < 50_000 {
        strings = serde_json::json!({ "inner": strings }).to_string();
    }
    for body in [objects, arrays, strings] {
        let record = captured(post("application/json"), body, |_| {}).await;
        let body = record.body.unwrap().to_string();
        assert!(body.len() > 10_000 && !body.contains(SECRET), "{body:.300}");
    }
}

#[tokio::test]
async fn forged_trace_begins_another_one() {
    let app = Router::new().route("/", get(async || "ok"));
    let server = Server::start(app).await;
    let forged = "f".repeat(32);
    let forgeries = [
        "00".to_owned(),
        format!("00-{forged}-00f067aa0ba902b7"),
        format!("00-{forged}-00f067aa0ba902b7-01-01"),
        format!("ff-{forged}-00f067aa0ba902b7-01"),
        format!("00-{forged}-0000000000000000-01"),
        format!("00-{}-00f067aa0ba902b7-01", "F".repeat(32)),
        format!("00-{forged}-00f067aa0ba902b7-01\r\ntraceparent: 00-{forged}-00f067aa0ba902b7-01"),
        format!("00-{forged}-00f067aa0ba902b7-01{}", "x".repeat(50_000)),
        format!("00-{forged}';DROP TABLE--00f067aa0ba902b7-01"),
    ];
    for trace in &forgeries {
        let request =
            server::get("/").replace("\r\n\r\n", &format!("\r\ntraceparent: {trace}\r\n\r\n"));
        assert!(server.send(&request).await.starts_with("HTTP/1.1 200 "));
    }
    for record in server.requests(forgeries.len()).await {
        let is_hex = record.trace_id.bytes().all(|byte| byte.is_ascii_hexdigit());
        assert!(is_hex && record.trace_id.len() == 32 && record.trace_id != forged);
        assert_eq!(record.headers.get("parent_span_id"), None);
    }
}

#[tokio::test]
async fn forged_address_and_location_are_not_believed() {
    let app = Router::new().route("/", get(async || "ok"));
    let server = Server::start_with(app, |builder| {
        builder
            .peer(|_| Some([10, 0, 0, 1].into()))
            .trusted_proxies(TrustedProxies::private())
    })
    .await;
    // The proxy has added the last address.
    for headers in [
        format!("x-forwarded-for: {}198.51.100.9", "6.6.6.6,".repeat(2_000)),
        "x-forwarded-for: \u{fc}, 127.0.0.1, ::1, 198.51.100.9".to_owned(),
        "forwarded: for=\"6.6.6.6\r\nforwarded: for=198.51.100.9".to_owned(),
    ] {
        let headers = format!("\r\n{headers}\r\ncf-ipcountry: XY\r\nfly-region: xyz\r\n\r\n");
        server
            .send(&server::get("/").replace("\r\n\r\n", &headers))
            .await;
    }
    for record in server.requests(3).await {
        assert_eq!(record.headers["client_ip"], "198.51.100.9");
        assert_eq!(record.location, lookback_capture::Location::default());
    }
}

/// Returns a text as a server compresses it.
async fn compressed(encoding: &str, text: String) -> Vec<u8> {
    let app = Router::new()
        .route("/", get(async || text))
        .layer(CompressionLayer::new());
    let request = format!("GET / HTTP/1.0\r\naccept-encoding: {encoding}\r\n\r\n");
    let response = exchange(serve(app).await, request.as_bytes()).await;
    let end = response
        .windows(4)
        .position(|bytes| bytes == b"\r\n\r\n")
        .unwrap();
    response[end + 4..].to_vec()
}

#[tokio::test]
async fn compressed_bombs_are_decompressed_up_to_the_limit() {
    for encoding in ["gzip", "deflate", "br", "zstd"] {
        let bomb = compressed(encoding, "bomb ".repeat(4_000_000)).await;
        assert!(bomb.len() < 200_000, "{encoding}: {}", bomb.len());
        let request = post("text/plain").header("content-encoding", encoding);
        let record = captured(request, bomb, |settings| settings.body_limit = 10_000).await;
        let body = &record.body.unwrap()["$body"];
        assert_eq!(body["truncated"], true, "{encoding}");
        let text = body["text"].as_str().unwrap_or_default();
        assert!(
            text.len() <= 10_000 && text.starts_with("bomb bomb"),
            "{encoding} {body}"
        );
    }
    let mut bomb = "bomb ".repeat(2_000_000).into_bytes();
    for _ in 0..4 {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        encoder.write_all(&bomb).unwrap();
        bomb = encoder.finish().unwrap();
    }
    for times in [4, 100] {
        let encodings = vec!["gzip"; times].join(", ");
        let request = post("text/plain").header("content-encoding", encodings);
        let record = captured(request, bomb.clone(), |_| {}).await;
        assert!(record.body.unwrap()["$body"]["size"].as_u64().unwrap() < 10_000);
    }
}

/// The header of a frame can ask for any amount of memory, and four bytes for 128 KiB of text.
#[tokio::test]
async fn memory_that_a_compressed_body_asks_for_is_bounded() {
    let frame = |window_log: u8| {
        let mut frame = vec![0x28, 0xb5, 0x2f, 0xfd, 0x00, (window_log - 10) << 3];
        for _ in 0..1_500 {
            frame.extend([0x02, 0x00, 0x10, b'a']);
        }
        Bytes::from(frame)
    };
    let zstd = || post("text/plain").header("content-encoding", "zstd");
    // The most that HTTP has (RFC 9659), and one more.
    let record = captured(zstd(), frame(23), |_| {}).await;
    assert_eq!(
        record.body.unwrap()["$body"]["text"]
            .as_str()
            .unwrap()
            .len(),
        64 * 1024
    );
    let record = captured(zstd(), frame(24), |_| {}).await;
    assert_eq!(record.body.unwrap()["$body"].get("text"), None);
}

/// A request in which a secret stands somewhere.
struct Planted(&'static str, http::request::Builder, Vec<u8>);

fn planted() -> Vec<Planted> {
    let mut all = Vec::new();
    let mut add = |what, request, body: Vec<u8>| all.push(Planted(what, request, body));
    let fill = |text: &str| text.replace("SECRET", SECRET);
    let request = || http::Request::post("/a");
    for cookie in [
        "sid=SECRET",
        "sid=\"SECRET\"",
        "SECRET",
        "=SECRET",
        "a=b;sid=SECRET;",
        "a=b, sid=SECRET",
        "__Host-sid=SECRET",
        "s%69d=SECRET",
        "theme=dark; data={\"token\":\"SECRET\"}",
        "data=%7B%22token%22%3A%22SECRET%22%7D",
        "$Version=1; sid=SECRET; $Path=/",
        "sid = SECRET ; b=c",
        "a=b\tsid=SECRET",
    ] {
        add(cookie, request().header("cookie", fill(cookie)), Vec::new());
    }
    let latin = [b"sid=\xff", SECRET.as_bytes(), b"\xfe"].concat();
    add(
        "cookie of other bytes",
        request().header("cookie", latin),
        Vec::new(),
    );
    for (name, value) in [
        ("authorization", "SECRET"),
        ("authorization", "bEaReR   SECRET"),
        (
            "authorization",
            "Digest username=\"a\", response=\"SECRET\"",
        ),
        (
            "authorization",
            "AWS4-HMAC-SHA256 Credential=a, Signature=SECRET",
        ),
        ("proxy-authorization", "Basic SECRET"),
        ("x-forwarded-access-token", "SECRET"),
        ("x-amz-security-token", "SECRET"),
        ("x-csrf-token", "SECRET"),
        ("x-user-password", "SECRET"),
        ("location", "https://a.example/cb?access_token=SECRET"),
        ("referer", "https://a.example/#access_token=SECRET"),
        ("x-original-url", "/a?password=SECRET"),
        ("x-note", "{\"password\": \"SECRET\"}"),
        ("sec-websocket-protocol", "bearer, authorization=SECRET"),
    ] {
        add(value, request().header(name, fill(value)), Vec::new());
    }
    for uri in [
        "/a?password=SECRET",
        "/a?a=1;password=SECRET",
        "/a?pass%77ord=SECRET",
        "/a?user%5Bpassword%5D=SECRET",
        "/a?user.password=SECRET",
        "/a?redirect=%2Fb%3Ftoken%3DSECRET",
        "/a?redirect=%252Fb%253Ftoken%253DSECRET",
        "/a?data=%7B%22password%22%3A%22SECRET%22%7D",
        "/a?query=mutation%7Blogin(password%3A%22SECRET%22)%7D",
        "http://anna:SECRET@shop.test/a",
        "/a;password=SECRET",
        "/a/token=SECRET",
        "/a?http://anna:SECRET@b.example/",
    ] {
        add(uri, http::Request::post(fill(uri)), Vec::new());
    }
    for body in [
        "password=SECRET",
        "user[password]=SECRET",
        "user[account][credentials][pass]=SECRET",
        "users[0][password]=SECRET&users[1][password]=SECRET",
        "user.account.password=SECRET",
        "user%5Bpassword%5D=SECRET",
        "user%255Bpassword%255D=SECRET",
        "password[]=SECRET&password[]=SECRET",
        "PASSWORD=SECRET",
        "pass%77ord=SECRET",
        "a=1&password=SECRET&a=2",
        "a=1;password=SECRET",
        "+password+=SECRET",
        "payload=%7B%22user%22%3A%7B%22password%22%3A%22SECRET%22%7D%7D",
        "next=%2Freset%3Ftoken%3DSECRET",
        "password=%53ECRET&password=SECRET",
    ] {
        let form = "Application/X-WWW-Form-Urlencoded; charset=UTF-8";
        add(body, post(form), fill(body).into_bytes());
    }
    for body in [
        r#"{"password":"SECRET"}"#,
        r#"{"pass\u0077ord":"SECRET"}"#,
        r#"{"password":"x","password":"SECRET"}"#,
        r#"{"password":{"value":"SECRET"}}"#,
        r#"{"password":["SECRET"]}"#,
        r#"[{"key":"password","value":"SECRET"}]"#,
        r#"{"user":"{\"password\":\"SECRET\"}"}"#,
        r#"{"password":"SECRET""#,
        r#"{"password":'SECRET'}"#,
        r#"{password:"SECRET"}"#,
        "\u{feff}{\"password\":\"SECRET\"}",
        "{\"password\":\"SECRET\"}\n{\"password\":\"SECRET\"}",
        r#"{"query":"mutation { login(user: \"a\", password: \"SECRET\") { id } }"}"#,
        r#"{"query":"mutation($password: String!) { login(password: $password) }","variables":{"password":"SECRET"}}"#,
        r#"[{"query":"{ a }","variables":{"input":{"apiKey":"SECRET"}}}]"#,
        r#"{"query":"mutation { login(input: {email: \"a\", password: \"\"\"SECRET\"\"\"}) }"}"#,
        r#"{"operationName":"Login","extensions":{"headers":{"authorization":"SECRET"}}}"#,
    ] {
        add(body, post("application/json"), fill(body).into_bytes());
        add(
            body,
            post("application/graphql+json"),
            fill(body).into_bytes(),
        );
        add(body, post("text/plain"), fill(body).into_bytes());
        add(body, request(), fill(body).into_bytes());
        let wide: Vec<u8> = fill(body)
            .encode_utf16()
            .flat_map(u16::to_le_bytes)
            .collect();
        add(
            body,
            post("application/json; charset=utf-16le"),
            wide.clone(),
        );
        let marked = [b"\xff\xfe".to_vec(), wide].concat();
        add(body, post("application/json"), marked);
    }
    let graphql = "mutation { login(user: \"a\", password: \"SECRET\") { id } }";
    add(
        graphql,
        post("application/graphql"),
        fill(graphql).into_bytes(),
    );
    let xml = "<login><password>SECRET</password><a token=\"SECRET\"/></login>";
    for content_type in ["application/xml", "application/soap+xml", "text/html"] {
        add(xml, post(content_type), fill(xml).into_bytes());
    }
    for part in [
        "content-disposition: form-data; name=\"password\"\r\n\r\nSECRET",
        "Content-Disposition: form-data; name=password\r\n\r\nSECRET",
        "content-disposition: form-data; name=\"user[password]\"\r\n\r\nSECRET",
        "content-disposition: form-data; name=\"password\"\r\ncontent-type: text/plain\r\n\r\nSECRET",
        "content-disposition: form-data; name=\"password\"; filename=\"a.txt\"\r\n\r\nSECRET",
        "content-type: text/plain\r\ncontent-disposition: form-data; name=\"password\"\r\n\r\nSECRET",
        "content-disposition: form-data; name=\"json\"\r\n\r\n{\"password\":\"SECRET\"}",
    ] {
        let text = format!("--x\r\n{}\r\n--x--\r\n", fill(part));
        let file = b"--x\r\ncontent-disposition: form-data; name=\"f\"; filename=\"f\"\r\n\r\n\xff\xd8\0\r\n";
        let with_file = [file, text.as_bytes()].concat();
        let mixed = post("Multipart/Form-Data; boundary=x");
        add(
            part,
            post("multipart/form-data; boundary=x"),
            text.into_bytes(),
        );
        add(part, mixed, with_file);
    }
    let ours = br#"{"password":"SECRET"}"#;
    let odd = fill(std::str::from_utf8(ours).unwrap()).into_bytes();
    for content_type in [
        "application/octet-stream",
        "image/png",
        "application/x-own",
        "a/b/c;;",
        ";",
    ] {
        add("another type", post(content_type), odd.clone());
    }
    all
}

#[tokio::test]
async fn secret_that_is_written_in_an_odd_way_never_reaches_the_sink() {
    let mut revealed = Vec::new();
    for binary_bodies in [false, true] {
        for Planted(what, request, body) in planted() {
            let change = |settings: &mut Settings| settings.binary_bodies = binary_bodies;
            let record = captured(request, body.clone(), change).await;
            let mut shown = format!("{record:?}");
            // Bytes are kept as Base64.
            if let Some(bytes) = record
                .body
                .as_ref()
                .and_then(|body| body["$body"]["base64"].as_str())
            {
                use base64::Engine as _;
                let bytes = base64::prelude::BASE64_STANDARD.decode(bytes).unwrap();
                let bytes: Vec<u8> = bytes.into_iter().filter(|byte| *byte != 0).collect();
                shown.push_str(&String::from_utf8_lossy(&bytes));
            }
            let shown: String = shown.chars().filter(|c| *c != '\u{2400}').collect();
            if shown.contains(SECRET) {
                revealed.push(format!(
                    "{binary_bodies} {what}\n    {:?} {:?}",
                    record.headers, record.body
                ));
            }
        }
    }
    assert!(
        revealed.is_empty(),
        "{}: {}",
        revealed.len(),
        revealed.join("\n")
    );
}

#[tokio::test]
async fn body_of_another_type_keeps_its_text_but_for_the_secret() {
    let all = |settings: &mut Settings| settings.binary_bodies = true;
    let body = format!(r#"{{"user":"anna","password":"{SECRET}"}}"#);
    let record = captured(post("application/x-own"), body, all).await;
    let expected = r#"{"user":"anna","password":"[masked]"}"#;
    assert_eq!(record.body.unwrap()["$body"]["text"], expected);
    let record = captured(post("application/x-own"), "user=anna", all).await;
    assert_eq!(record.body.unwrap()["$body"]["base64"], "dXNlcj1hbm5h");
}

/// A server takes what its own limits allow, and says so as without the layer.
#[tokio::test]
async fn limits_of_the_server_are_its_own() {
    let app = || Router::new().fallback(any(async |_: Request| Body::from("ok")));
    let bare = serve(app()).await;
    let server = Server::start(app()).await;
    let with = |more: &str| server::get("/").replace("\r\n\r\n", &format!("\r\n{more}\r\n\r\n"));
    let mut statuses = Vec::new();
    for request in [
        with(&"x-a: b\r\n".repeat(200)),
        with(&format!("x-a: {}", "a".repeat(1_000_000))),
        server::get(&format!("/?{}", "a=b&".repeat(250_000))),
        server::get(&format!("/{}", "a".repeat(70_000))),
        server::get(&format!("/{}?{}", "a".repeat(30_000), "b=c&".repeat(7_000))),
    ] {
        let expected = status_of(bare, &request).await;
        assert_eq!(
            status_of(server.address, &request).await,
            expected,
            "{request:.50}"
        );
        statuses.push(expected);
    }
    assert_eq!(statuses.last().unwrap(), "HTTP/1.1 200");
    let record = server.request().await;
    assert_eq!(record.path.len(), 30_001);
    let query: &Json = record.query.as_ref().unwrap();
    assert_eq!(query["b"].as_array().unwrap().len(), 7_000);
}

/// Returns how a response begins. The server may close the connection while it is still written to.
async fn status_of(address: std::net::SocketAddr, request: &str) -> String {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let (mut reader, mut writer) = stream.into_split();
    let request = request.as_bytes().to_vec();
    let written = tokio::spawn(async move {
        let _closed = writer.write_all(&request).await;
        writer
    });
    let mut status = [0; 12];
    let read = tokio::time::timeout(GENEROUS, reader.read_exact(&mut status));
    read.await.unwrap().unwrap();
    drop(written.await);
    String::from_utf8_lossy(&status).into_owned()
}
