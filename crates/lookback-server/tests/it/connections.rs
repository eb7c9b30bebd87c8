//! Connections: TLS, and clients that are slow or many.

use std::sync::Arc;
use std::time::{Duration, Instant};

use lookback_server::{Server, Settings, Tls};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::support::{PASSWORD, TestServer};

const CERTIFICATE: &[u8] = include_bytes!("tls/certificate.pem");
const KEY: &[u8] = include_bytes!("tls/key.pem");
const OTHER_CERTIFICATE: &[u8] = include_bytes!("tls/other-certificate.pem");
const OTHER_KEY: &[u8] = include_bytes!("tls/other-key.pem");

/// How long a test waits for what has to happen.
const LONG: Duration = Duration::from_secs(60);

const LIVE: &str = "GET /health/live HTTP/1.1\r\nhost: 127.0.0.1\r\n";

async fn connect(server: &TestServer) -> TcpStream {
    TcpStream::connect(server.address).await.unwrap()
}

/// Reads until the server closes the connection.
async fn to_end(stream: &mut (impl AsyncRead + Unpin)) -> String {
    let mut bytes = Vec::new();
    // A reset is an end, too.
    let _ended = tokio::time::timeout(LONG, stream.read_to_end(&mut bytes))
        .await
        .unwrap();
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Sends a request, and reads its whole answer.
async fn ask(stream: &mut (impl AsyncRead + AsyncWrite + Unpin), head: &str) -> String {
    let request = format!("{head}connection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    to_end(stream).await
}

/// Reads an answer of a connection that stays open.
async fn answer(stream: &mut TcpStream) -> String {
    let mut text = String::new();
    let mut buffer = [0; 1_024];
    while !text.contains("\"status\":\"live\"") {
        let read = tokio::time::timeout(LONG, stream.read(&mut buffer));
        let read = read.await.unwrap().unwrap();
        assert_ne!(read, 0, "{text}");
        text.push_str(std::str::from_utf8(&buffer[..read]).unwrap());
    }
    text
}

fn quick(settings: &mut Settings) {
    settings.head_timeout = Duration::from_millis(400);
    settings.idle_timeout = Duration::from_millis(400);
    settings.write_timeout = Duration::from_millis(400);
}

#[tokio::test]
async fn heads_that_come_slowly_end_their_connection() {
    let server = TestServer::start_with(|settings| {
        quick(settings);
        settings.idle_timeout = LONG;
        settings.connections = 1;
    })
    .await;
    // Each holds the only place, until its time is over.
    for start in [
        "",
        "GET /heal",
        "GET /health/live HTTP/1.1\r\nhost: a\r\nx-a: ",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "\r\n",
    ] {
        let mut slow = connect(&server).await;
        slow.write_all(start.as_bytes()).await.unwrap();
        let (mut reader, mut writer) = slow.split();
        let dripping = async {
            loop {
                tokio::time::sleep(Duration::from_millis(50)).await;
                if writer.write_all(b"b").await.is_err() {
                    std::future::pending::<()>().await;
                }
            }
        };
        let text = tokio::select! {
            text = to_end(&mut reader) => text,
            () = dripping => unreachable!("it has no end"),
        };
        assert!(!text.contains("live"), "{start:?}: {text}");
        let answer = ask(&mut connect(&server).await, LIVE).await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{start:?}: {answer}");
    }
    // After an answer, too.
    let mut stream = connect(&server).await;
    let first = format!("{LIVE}\r\n");
    stream.write_all(first.as_bytes()).await.unwrap();
    answer(&mut stream).await;
    stream.write_all(b"GET /hea").await.unwrap();
    assert_eq!(to_end(&mut stream).await, "");
}

#[tokio::test]
async fn connection_without_requests_is_closed() {
    let server = TestServer::start_with(|settings| {
        quick(settings);
        settings.head_timeout = LONG;
    })
    .await;
    let mut stream = connect(&server).await;
    for _ in 0..3 {
        stream
            .write_all(format!("{LIVE}\r\n").as_bytes())
            .await
            .unwrap();
        answer(&mut stream).await;
    }
    let started = Instant::now();
    assert_eq!(to_end(&mut stream).await, "");
    assert!(started.elapsed() >= Duration::from_millis(300));
}

#[tokio::test]
async fn request_that_takes_longer_is_not_cut_off() {
    let server = TestServer::start_with(quick).await;
    let mut conn = server.pool.acquire().await.unwrap();
    sqlx::query("BEGIN").execute(&mut *conn).await.unwrap();
    sqlx::query("LOCK TABLE logs")
        .execute(&mut *conn)
        .await
        .unwrap();
    let reading = server.get("/api/v1/logs");
    let unlocking = async {
        tokio::time::sleep(Duration::from_millis(1_500)).await;
        sqlx::query("COMMIT").execute(&mut *conn).await.unwrap();
    };
    let (answer, ()) = tokio::join!(reading, unlocking);
    assert_eq!(answer.status, 200);
}

/// Asks for 20 MB, and reads nothing of it.
async fn ask_for_much(server: &TestServer) -> TcpStream {
    sqlx::query(
        "INSERT INTO logs (source, level, message) \
         SELECT 'A', 'info', repeat('long ', 2000) FROM generate_series(1, 2000)",
    )
    .execute(&server.pool)
    .await
    .unwrap();
    let mut stream = connect(server).await;
    let request = format!(
        "GET /api/v1/logs?limit=10000 HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\
         authorization: Bearer {}\r\n\r\n",
        server.key
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    stream
}

#[tokio::test]
async fn client_that_takes_nothing_is_left() {
    let server = TestServer::start_with(|settings| {
        settings.write_timeout = Duration::from_millis(400);
        settings.connections = 1;
        settings.idle_timeout = 10 * LONG;
        settings.head_timeout = 10 * LONG;
        settings.page_bytes = usize::MAX;
    })
    .await;
    let mut stream = ask_for_much(&server).await;
    // The only place is free again, and the answer was cut off.
    let answer = ask(&mut connect(&server).await, LIVE).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    let mut bytes = Vec::new();
    let _reset = stream.read_to_end(&mut bytes).await;
    let start = String::from_utf8_lossy(&bytes[..bytes.len().min(1_000)]).into_owned();
    assert!(start.starts_with("HTTP/1.1 200"), "{start}");
    assert!(bytes.len() < 20_000_000, "{}", bytes.len());
}

#[tokio::test]
async fn client_that_takes_a_long_answer_slowly_gets_all_of_it() {
    let server = TestServer::start_with(|settings| {
        settings.idle_timeout = Duration::from_secs(1);
        settings.head_timeout = Duration::from_secs(1);
        settings.page_bytes = usize::MAX;
    })
    .await;
    let mut stream = ask_for_much(&server).await;
    let (mut bytes, mut part) = (0, vec![0; 512 * 1024]);
    loop {
        let read = tokio::time::timeout(LONG, stream.read(&mut part)).await;
        let read = read.unwrap().unwrap();
        if read == 0 {
            break;
        }
        bytes += read;
        // All of it takes longer than a connection may be idle.
        tokio::time::sleep(Duration::from_millis(150)).await;
    }
    assert!(bytes > 20_000_000, "{bytes}");
}

#[tokio::test]
async fn connections_of_an_address_are_limited() {
    let server = TestServer::start_with(|settings| settings.connections_per_address = 2).await;
    let mut open = [connect(&server).await, connect(&server).await];
    for stream in &mut open {
        stream
            .write_all(format!("{LIVE}\r\n").as_bytes())
            .await
            .unwrap();
        answer(stream).await;
    }
    // One that would be answered at once.
    let mut third = connect(&server).await;
    let request = format!("{LIVE}connection: close\r\n\r\n");
    let _written = third.write_all(request.as_bytes()).await;
    assert_eq!(to_end(&mut third).await, "");
    drop(open);
    let started = Instant::now();
    loop {
        let mut stream = connect(&server).await;
        let request = format!("{LIVE}connection: close\r\n\r\n");
        // It may be closed before it is written.
        let _written = stream.write_all(request.as_bytes()).await;
        if to_end(&mut stream).await.starts_with("HTTP/1.1 200") {
            break;
        }
        assert!(started.elapsed() < LONG);
    }
}

#[tokio::test]
async fn heads_that_are_too_large_are_refused() {
    let server = TestServer::start_with(|settings| settings.head_bytes = 10_000).await;
    let many: String = (0..150).map(|n| format!("x-{n}: a\r\n")).collect();
    for (head, status) in [
        (format!("{LIVE}x-a: {}\r\n", "a".repeat(20_000)), "431"),
        (format!("{LIVE}{many}"), "431"),
        (
            format!("GET /{} HTTP/1.1\r\nhost: a\r\n", "a".repeat(70_000)),
            "4",
        ),
        (format!("{LIVE}x-a: {}\r\n", "a".repeat(5_000)), "200"),
    ] {
        let mut stream = connect(&server).await;
        let request = format!("{head}connection: close\r\n\r\n");
        let _written = stream.write_all(request.as_bytes()).await;
        let answer = to_end(&mut stream).await;
        let start = format!("HTTP/1.1 {status}");
        // What it has not read may end the connection with a reset.
        assert!(
            answer.starts_with(&start) || (answer.is_empty() && status != "200"),
            "{}: {answer}",
            &head[..40]
        );
    }
}

#[tokio::test]
async fn server_waits_for_requests_and_not_for_idle_connections() {
    let server = TestServer::start().await;
    let second = Server::new(server.pool.clone(), Settings::default());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let serving = tokio::spawn(async move {
        let signal = async move {
            let _sent = stopped.await;
        };
        second.serve(listener, signal).await
    });
    // One that is idle, one that has sent half a head, and one whose request waits for a lock.
    let mut idle = TcpStream::connect(address).await.unwrap();
    let first = format!("{LIVE}\r\n");
    idle.write_all(first.as_bytes()).await.unwrap();
    answer(&mut idle).await;
    let mut half = TcpStream::connect(address).await.unwrap();
    half.write_all(b"GET /hea").await.unwrap();
    let mut conn = server.pool.acquire().await.unwrap();
    sqlx::query("BEGIN").execute(&mut *conn).await.unwrap();
    sqlx::query("LOCK TABLE logs")
        .execute(&mut *conn)
        .await
        .unwrap();
    let mut busy = TcpStream::connect(address).await.unwrap();
    let request = format!(
        "GET /api/v1/logs HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {}\r\n\r\n",
        server.key
    );
    busy.write_all(request.as_bytes()).await.unwrap();
    let waits = async || -> bool {
        sqlx::query_scalar(
            "SELECT EXISTS (SELECT FROM pg_locks WHERE relation = 'logs'::regclass AND NOT granted)",
        )
        .fetch_one(&server.pool)
        .await
        .unwrap()
    };
    while !waits().await {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    stop.send(()).unwrap();
    assert_eq!(to_end(&mut idle).await, "");
    assert!(!serving.is_finished());
    sqlx::query("COMMIT").execute(&mut *conn).await.unwrap();
    assert!(to_end(&mut busy).await.starts_with("HTTP/1.1 200"));
    assert!(TcpStream::connect(address).await.is_err());
    drop(half);
    tokio::time::timeout(LONG, serving)
        .await
        .unwrap()
        .unwrap()
        .unwrap();
}

/// A client that trusts the certificate of the tests.
fn connector(protocols: &[&[u8]]) -> TlsConnector {
    connector_that_trusts(CERTIFICATE, protocols)
}

fn connector_that_trusts(certificate: &[u8], protocols: &[&[u8]]) -> TlsConnector {
    let mut roots = rustls::RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_slice(certificate).unwrap())
        .unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
    TlsConnector::from(Arc::new(config))
}

#[tokio::test]
async fn tls_serves_both_versions_of_http_and_secure_cookies() {
    let server = TestServer::start_with(|settings| {
        quick(settings);
        settings.tls = Some(Tls::from_pem(CERTIFICATE, KEY).unwrap());
    })
    .await;
    server
        .new_user("ada@shop.test", lookback::UserRole::User)
        .await;
    let name = ServerName::try_from("localhost").unwrap();
    let stream = connect(&server).await;
    let mut stream = connector(&[b"http/1.1"])
        .connect(name.clone(), stream)
        .await
        .unwrap();
    let body = format!(r#"{{"email":"ada@shop.test","password":"{PASSWORD}"}}"#);
    let request = format!(
        "POST /api/v1/session HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let answer = to_end(&mut stream).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(
        answer.contains("set-cookie: __Host-lookback_session=") && answer.contains("; Secure\r\n"),
        "{answer}"
    );
    assert!(answer.contains("strict-transport-security: "), "{answer}");

    let stream = connect(&server).await;
    let stream = connector(&[b"h2"]).connect(name, stream).await.unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    let io = hyper_util::rt::TokioIo::new(stream);
    let executor = hyper_util::rt::TokioExecutor::new();
    let (mut client, connection) =
        hyper::client::conn::http2::handshake::<_, _, http_body_util::Full<bytes::Bytes>>(
            executor, io,
        )
        .await
        .unwrap();
    let ended = tokio::spawn(connection);
    let request = axum::http::Request::get("https://localhost/health/live")
        .body(http_body_util::Full::default())
        .unwrap();
    let response = client.send_request(request).await.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(response.version(), axum::http::Version::HTTP_2);
    drop(response);
    // A connection in HTTP/2 without requests is closed, too, however many pings it answers.
    tokio::time::timeout(LONG, ended)
        .await
        .unwrap()
        .unwrap()
        .unwrap();
}

#[tokio::test]
async fn without_a_handshake_there_is_nothing_over_tls() {
    let server = TestServer::start_with(|settings| {
        quick(settings);
        settings.tls = Some(Tls::from_pem(CERTIFICATE, KEY).unwrap());
        settings.connections = 1;
    })
    .await;
    let answer = ask(&mut connect(&server).await, LIVE).await;
    assert!(!answer.contains("HTTP/1.1"), "{answer}");
    // One that says nothing holds the only place until its time is over.
    let _silent = connect(&server).await;
    let name = ServerName::try_from("localhost").unwrap();
    let stream = connect(&server).await;
    let connecting = connector(&[b"http/1.1"]).connect(name, stream);
    let mut stream = tokio::time::timeout(LONG, connecting)
        .await
        .unwrap()
        .unwrap();
    assert!(ask(&mut stream, LIVE).await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn another_certificate_is_for_the_connections_that_come_after_it() {
    let tls = Tls::from_pem(CERTIFICATE, KEY).unwrap();
    let server = TestServer::start_with(|settings| settings.tls = Some(tls.clone())).await;
    let name = ServerName::try_from("localhost").unwrap();
    let connecting = async |certificate| {
        let stream = connect(&server).await;
        connector_that_trusts(certificate, &[b"http/1.1"])
            .connect(name.clone(), stream)
            .await
    };
    let mut earlier = connecting(CERTIFICATE).await.unwrap();

    // A renewal that went wrong changes nothing.
    assert!(tls.replace(OTHER_CERTIFICATE, KEY).is_err());
    assert!(tls.replace(b"", OTHER_KEY).is_err());
    assert!(connecting(OTHER_CERTIFICATE).await.is_err());

    tls.replace(OTHER_CERTIFICATE, OTHER_KEY).unwrap();
    assert!(connecting(CERTIFICATE).await.is_err());
    let mut later = connecting(OTHER_CERTIFICATE).await.unwrap();
    assert!(ask(&mut later, LIVE).await.starts_with("HTTP/1.1 200"));
    assert!(ask(&mut earlier, LIVE).await.starts_with("HTTP/1.1 200"));
}

#[test]
fn wrong_certificates_say_what_is_wrong() {
    for (certificate, key, expected) in [
        (&b""[..], KEY, "expected a certificate as PEM"),
        (KEY, KEY, "expected a certificate as PEM"),
        (CERTIFICATE, &b""[..], "expected a private key as PEM"),
        (CERTIFICATE, CERTIFICATE, "expected a private key as PEM"),
        (
            CERTIFICATE,
            OTHER_KEY,
            "cannot use the certificate and its key",
        ),
    ] {
        let error = Tls::from_pem(certificate, key).unwrap_err().to_string();
        assert!(error.starts_with(expected), "{error}");
    }
}
