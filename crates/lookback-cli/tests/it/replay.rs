//! `replay`, `export --format har|curl` and `metrics rebuild`.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use lookback::{NewRequestSnapshot, RequestSnapshot, json};
use serde_json::Value;
use testkit::page::assert_printed;

use crate::support::{DEADLINE, Lookback, Ran, Running};

/// An HTTP server that keeps what it received.
struct Server {
    address: String,
    received: Arc<Mutex<Vec<Received>>>,
    /// The most requests that it worked on at a time.
    most: Arc<AtomicUsize>,
}

#[derive(Clone, Debug)]
struct Received {
    /// Method and target.
    line: String,
    headers: Vec<(String, String)>,
    body: String,
}

impl Received {
    fn header(&self, name: &str) -> Option<&str> {
        let header = self.headers.iter().find(|(key, _)| key == name);
        header.map(|(_, value)| value.as_str())
    }
}

/// What the server answers: status, headers and body.
type Answer = (u16, &'static str, String);

impl Server {
    fn start(answer: impl Fn(&Received) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let received = Arc::new(Mutex::new(Vec::new()));
        let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let answer = Arc::new(answer);
        let (kept, counted) = (Arc::clone(&received), Arc::clone(&most));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(stream) = stream else { return };
                let (kept, answer) = (Arc::clone(&kept), Arc::clone(&answer));
                let (now, most) = (Arc::clone(&now), Arc::clone(&counted));
                std::thread::spawn(move || {
                    while let Some(request) = read_request(&stream) {
                        let at_a_time = now.fetch_add(1, Ordering::SeqCst) + 1;
                        most.fetch_max(at_a_time, Ordering::SeqCst);
                        kept.lock().unwrap().push(request.clone());
                        let (status, headers, body) = answer(&request);
                        now.fetch_sub(1, Ordering::SeqCst);
                        let length = body.len();
                        let text = format!(
                            "HTTP/1.1 {status} X\r\n{headers}content-length: {length}\r\n\r\n{body}"
                        );
                        if (&stream).write_all(text.as_bytes()).is_err() {
                            return;
                        }
                    }
                });
            }
        });
        Self {
            address,
            received,
            most,
        }
    }

    fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    fn received(&self) -> Vec<Received> {
        self.received.lock().unwrap().clone()
    }
}

fn read_request(mut stream: &TcpStream) -> Option<Received> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).ok()?;
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).ok()?;
    let mut lines = head.trim_end().split("\r\n");
    let line = lines.next()?.trim_end_matches(" HTTP/1.1").to_owned();
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
        .collect();
    let length = headers.iter().find(|(name, _)| name == "content-length");
    let length = length.map_or(0, |(_, length)| length.parse().unwrap());
    let mut body = vec![0; length];
    stream.read_exact(&mut body).ok()?;
    Some(Received {
        line,
        headers,
        body: String::from_utf8(body).ok()?,
    })
}

const JSON: &str = "content-type: application/json\r\n";

fn request(method: &str, path: &str) -> NewRequestSnapshot {
    let time: DateTime<Utc> = "2026-03-01T10:00:00Z".parse().unwrap();
    let mut request = NewRequestSnapshot::new(method, path, time, "1.0", "production");
    request.headers = Some(json!({"host": "shop.example", "accept": "*/*"}));
    request.status_code = Some(200);
    request.duration = Some(12);
    request.response_headers = Some(json!({"content-type": "application/json", "date": "then"}));
    request
}

async fn store(lookback: &Lookback, requests: &[NewRequestSnapshot]) {
    let pool = &lookback.db.as_ref().unwrap().pool;
    RequestSnapshot::records()
        .create_many(pool, requests)
        .await
        .unwrap();
}

/// Five requests: the same, different, not safe, masked, and not stored.
async fn five() -> (Lookback, Server) {
    let lookback = Lookback::new().await;
    let mut same = request("GET", "/orders");
    same.query = Some(json!({"page": "2"}));
    same.response_body = Some(json!({"items": [{"id": 1, "at": "then"}]}));
    let mut different = request("GET", "/orders/7");
    different.response_body = Some(json!({"id": 7, "total": 10, "lines": ["a"]}));
    let mut post = request("POST", "/orders");
    post.status_code = Some(201);
    post.headers = Some(json!({
        "host": "shop.example", "content-type": "application/json",
        "authorization": "[masked]", "connection": "keep-alive",
        "traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    }));
    post.body = Some(json!({"sku": "a", "amount": 1.50}));
    post.response_body = Some(json!({"id": 8}));
    let mut masked = request("GET", "/reset");
    masked.query = Some(json!({"token": "[masked]"}));
    let mut cut = request("PUT", "/files/1");
    cut.body = Some(json!({"$body": {"size": 99, "truncated": true, "text": "x"}}));
    store(&lookback, &[same, different, post, masked, cut]).await;
    let server = Server::start(|request| match request.line.as_str() {
        "GET /orders?page=2" => (200, JSON, r#"{"items":[{"at":"now","id":1}]}"#.to_owned()),
        "GET /orders/7" => (
            200,
            "content-type: application/json\r\nx-new: 1\r\n",
            r#"{"id":7,"total":12,"lines":["a","b"]}"#.to_owned(),
        ),
        "POST /orders" => (201, JSON, r#"{"id":8}"#.to_owned()),
        _ => (404, JSON, "{}".to_owned()),
    });
    (lookback, server)
}

/// A transcript without what differs from run to run.
fn shown(ran: &Ran, server: &Server) -> String {
    let text = ran.transcript().replace(&server.address, "[server]");
    let mut lines = String::new();
    for line in text.lines() {
        let line = match line.split_once("trace_id ") {
            Some((before, _)) => format!("{before}trace_id [trace]"),
            // The new duration is behind the captured one.
            None => match line.split_once(" ms  ") {
                Some((before, after)) => {
                    let (before, _) = before.rsplit_once(' ').unwrap();
                    format!("{before} [time] ms  {after}")
                }
                None => line.to_owned(),
            },
        };
        lines.push_str(&line);
        lines.push('\n');
    }
    lines
}

#[tokio::test(flavor = "multi_thread")]
async fn responses_are_compared_and_reasons_are_told() {
    let (lookback, server) = five().await;
    let url = server.url();
    let call = [
        "replay",
        "id__gte=1",
        "--to",
        &url,
        "--ignore",
        "$.items[*].at",
    ];
    let ran = lookback.run(&call).failed(1);
    insta::assert_snapshot!(shown(&ran, &server), @"
    $ lookback replay id__gte=1 --to http://[server] --ignore $.items[*].at
    1  GET /orders  200 → 200  12 → [time] ms  same
    2  GET /orders/7  200 → 200  12 → [time] ms  different
        headers.x-new: \"1\" added
        $.lines[1]: \"b\" added
        $.total: 10 → 12
        trace_id [trace]
    3  POST /orders  not sent: POST may change data (--unsafe-methods)
    4  GET /reset  not sent: masked: query token (--set-query, or --send-masked)
    5  PUT /files/1  not sent: PUT may change data (--unsafe-methods)
    ! 5 requests: 1 same, 1 different, 3 not sent
    ! error: 1 response is different
    [exit code 1]
    ");
    let received = server.received();
    let lines: Vec<&str> = received.iter().map(|request| &*request.line).collect();
    assert_eq!(lines, ["GET /orders?page=2", "GET /orders/7"]);
    assert_eq!(received[0].header("host"), Some(&*server.address));
    // Nothing was stored.
    assert_eq!(
        lookback
            .number("SELECT count(*) FROM request_snapshots")
            .await,
        5
    );
}

/// The requests of the last hour, as the page on replay shows them.
#[tokio::test(flavor = "multi_thread")]
async fn replay_of_the_last_hour_is_as_the_page_shows_it() {
    let (lookback, server) = five().await;
    lookback
        .execute(
            "UPDATE request_snapshots SET timestamp = now() - interval '1 minute' WHERE id <= 3",
        )
        .await;
    let at = "UPDATE request_snapshots SET response_body = response_body - 'items' || \
        '{\"items\": [{\"id\": 1, \"at\": \"now\"}]}' WHERE id = 1";
    lookback.execute(at).await;
    let shown = testkit::page::printed("docs/guide/replay.md", "$ lookback replay");
    let command = shown.lines().next().unwrap();
    let url = server.url();
    let words = [
        "timestamp__gte=-1h",
        "--to",
        &url,
        "--ignore",
        "$..updated_at",
    ];
    assert_eq!(
        command,
        format!("$ lookback replay {}", words.join(" "))
            .replace(&url, "http://localhost:3000")
            .replace("$..", "'$..")
            + "'"
    );
    let call = [&["replay"][..], &words].concat();
    let ran = lookback.run(&call).failed(1);
    let printed = format!("{command}\n{}{}", ran.out, ran.err);
    assert_printed("docs/guide/replay.md", "$ lookback replay", &printed);
}

#[tokio::test(flavor = "multi_thread")]
async fn writes_are_sent_with_headers_that_were_given() {
    let (lookback, server) = five().await;
    let url = format!("{}/base/", server.url());
    let ran = lookback.run(&[
        "replay",
        "3",
        "5",
        "--to",
        &url,
        "--unsafe-methods",
        "--header",
        "Authorization: Bearer 7",
        "--keep-host",
        "--ignore",
        "status",
        "--ignore",
        "body",
    ]);
    insta::assert_snapshot!(shown(&ran.succeeded(), &server), @"
    $ lookback replay 3 5 --to http://[server]/base/ --unsafe-methods --header Authorization: Bearer 7 --keep-host --ignore status --ignore body
    3  POST /orders  201 → 404  12 → [time] ms  same
    5  PUT /files/1  not sent: only the start of its body (99 bytes) was captured (--set-body)
    ! 2 requests: 1 same, 1 not sent
    ");
    let [sent] = &server.received()[..] else {
        panic!("{:?}", server.received());
    };
    assert_eq!(sent.line, "POST /base/orders");
    assert_eq!(sent.body, r#"{"amount":1.5,"sku":"a"}"#);
    assert_eq!(sent.header("authorization"), Some("Bearer 7"));
    assert_eq!(sent.header("host"), Some("shop.example"));
    let trace = sent.header("traceparent").unwrap();
    assert!(
        !trace.contains("4bf92f3577b34da6a3ce929d0e0e4736"),
        "{trace}"
    );

    lookback.write("body.json", "{\"sku\":\"b\"}");
    let url = server.url();
    lookback
        .run(&[
            "replay",
            "5",
            "--to",
            &url,
            "--unsafe-methods",
            "--set-body",
            "@body.json",
            "--ignore",
            "status",
            "--ignore",
            "headers",
        ])
        .succeeded();
    lookback
        .run(&[
            "replay",
            "4",
            "--to",
            &url,
            "--set-query",
            "token=a&b",
            "--ignore",
            "status",
        ])
        .succeeded();
    let received = server.received();
    assert_eq!(
        (&*received[1].line, &*received[1].body),
        ("PUT /files/1", "{\"sku\":\"b\"}")
    );
    assert_eq!(received[2].line, "GET /reset?token=a%26b");
}

#[tokio::test(flavor = "multi_thread")]
async fn results_are_json_and_junit() {
    let (lookback, server) = five().await;
    let url = server.url();
    let ran = lookback
        .run(&[
            "replay", "1", "2", "4", "--to", &url, "--json", "--junit", "out.xml", "--store",
        ])
        .failed(1);
    let json = ran.json();
    assert_eq!(
        json["metadata"],
        serde_json::json!({"total": 3, "same": 0, "different": 2, "failed": 0, "not_sent": 1})
    );
    let second = &json["data"][1];
    assert_eq!(second["result"], "different");
    assert_eq!(
        (&second["status"], &second["captured_status"]),
        (&Value::from(200), &Value::from(200))
    );
    assert_eq!(
        second["differences"][2],
        serde_json::json!({"place": "$.total", "kind": "changed", "captured": 10, "replayed": 12})
    );
    assert_eq!(
        json["data"][2]["reason"],
        "masked: query token (--set-query, or --send-masked)"
    );
    let junit = String::from_utf8(lookback.read("out.xml")).unwrap();
    assert!(
        junit.contains("tests=\"3\" failures=\"2\" errors=\"0\" skipped=\"1\""),
        "{junit}"
    );
    assert!(junit.contains("$.total: 10 → 12"), "{junit}");
    assert!(
        junit.contains("<skipped message=\"masked: query token"),
        "{junit}"
    );

    // What was stored is a record of its own, which is not sent again.
    let id = second["stored_id"].as_i64().unwrap();
    let trace = second["trace_id"].as_str().unwrap();
    let stored = format!(
        "SELECT count(*) FROM request_snapshots WHERE id = {id} AND stage = 'replay' \
         AND trace_id = '{trace}' AND path = '/orders/7' AND response_body->>'total' = '12' \
         AND headers->>'replay_of' = '2' AND headers->>'direction' = 'outgoing'"
    );
    assert_eq!(lookback.number(&stored).await, 1);
    let ran = lookback
        .run(&["replay", &id.to_string(), "--to", &url])
        .failed(1);
    assert!(
        ran.out
            .contains("not sent: the application sent this request itself"),
        "{ran:#?}"
    );
    assert!(ran.err.contains("error: no request was sent"), "{ran:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_sent_without_a_server() {
    let (lookback, server) = five().await;
    let usage = |call: &[&str], problem: &str| {
        let ran = lookback.run(call).failed(2);
        assert!(ran.err.contains(problem), "{ran:#?}");
    };
    usage(&["replay", "1"], "--to is required");
    usage(&["replay"], "ID|FILTER");
    usage(&["replay", "oops", "--to", "http://x"], "oops");
    usage(
        &["replay", "1", "--to", "shop.example"],
        "must begin with http:// or https://",
    );
    usage(
        &["replay", "1", "--to", "http://x", "--ignore", "date"],
        "expected status, headers.NAME",
    );
    usage(
        &["replay", "1", "--to", "http://x", "--header", "s3cret"],
        "--header",
    );
    usage(
        &["replay", "1", "--to", "http://x", "--rate", "0"],
        "requests per second",
    );
    usage(
        &[
            "replay",
            "1",
            "--to",
            "http://x",
            "--response-timeout",
            "soon",
        ],
        "--response-timeout",
    );
    let ran = lookback
        .run(&["replay", "99", "--to", &server.url()])
        .failed(1);
    assert!(
        ran.err.contains("error: requests: no record 99"),
        "{ran:#?}"
    );

    let ran = lookback
        .run(&["replay", "1", "3", "4", "--dry-run", "--unsafe-methods"])
        .succeeded();
    insta::assert_snapshot!(ran.transcript(), @r#"
    $ lookback replay 1 3 4 --dry-run --unsafe-methods
    # request 1, 2026-03-01T10:00:00Z: GET /orders
    curl 'http://shop.example/orders?page=2' \
      -H 'accept: */*'

    # request 3, 2026-03-01T10:00:00Z: POST /orders
    # masked: header authorization
    curl -X POST http://shop.example/orders \
      -H 'content-type: application/json' \
      --data-raw '{"amount":1.5,"sku":"a"}'

    # request 4, 2026-03-01T10:00:00Z: GET /reset cannot be sent: masked: query token (--set-query, or --send-masked)

    ! dry run: nothing was sent (3 requests)
    "#);
    assert!(server.received().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn servers_that_do_not_answer_are_failures() {
    let (lookback, _) = five().await;
    let closed = {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        format!("http://{}", listener.local_addr().unwrap())
    };
    let ran = lookback
        .run(&["replay", "1", "--to", &closed, "--junit", "out.xml"])
        .failed(1);
    assert!(ran.out.contains("1  GET /orders  failed: "), "{ran:#?}");
    assert!(
        ran.err.contains("error: 1 request got no response"),
        "{ran:#?}"
    );
    let junit = String::from_utf8(lookback.read("out.xml")).unwrap();
    assert!(
        junit.contains("errors=\"1\"") && junit.contains("<error message="),
        "{junit}"
    );

    let slow = Server::start(|_| {
        std::thread::sleep(DEADLINE);
        (200, JSON, String::new())
    });
    let call = [
        "replay",
        "1",
        "--to",
        &slow.url(),
        "--response-timeout",
        "100ms",
    ];
    let ran = lookback.run(&call).failed(1);
    assert!(
        ran.out.contains("failed: no response within 100 ms"),
        "{ran:#?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn redirects_are_not_followed() {
    let lookback = Lookback::new().await;
    let mut moved = request("GET", "/old");
    moved.status_code = Some(302);
    moved.response_headers = Some(json!({"location": "/new"}));
    store(&lookback, &[moved]).await;
    let server = Server::start(|_| (302, "location: /new\r\n", String::new()));
    lookback
        .run(&["replay", "1", "--to", &server.url()])
        .succeeded();
    assert_eq!(server.received().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_newest_are_sent_in_their_order_and_at_a_time_as_asked() {
    let lookback = Lookback::new().await;
    let requests: Vec<NewRequestSnapshot> = (1..=120)
        .map(|number| {
            let mut request = request("GET", &format!("/{number}"));
            request.response_headers = None;
            request
        })
        .collect();
    store(&lookback, &requests).await;
    let server = Server::start(|_| {
        std::thread::sleep(Duration::from_millis(5));
        (200, "", String::new())
    });
    let url = server.url();
    let paths = |ran: &Ran| -> Vec<i64> {
        let paths = ran.out.lines().map(|line| line.split(' ').next().unwrap());
        paths.map(|id| id.parse().unwrap()).collect()
    };
    let ran = lookback
        .run(&["replay", "id__gte=1", "--to", &url])
        .succeeded();
    assert_eq!(paths(&ran), (21..=120).collect::<Vec<_>>());
    let lines: Vec<String> = server
        .received()
        .into_iter()
        .map(|request| request.line)
        .collect();
    assert_eq!(
        lines,
        (21..=120).map(|n| format!("GET /{n}")).collect::<Vec<_>>()
    );
    assert_eq!(server.most.load(Ordering::SeqCst), 1);

    let call = [
        "replay",
        "id__gte=1",
        "--to",
        &url,
        "--limit",
        "110",
        "--concurrency",
        "8",
    ];
    let ran = lookback.run(&call).succeeded();
    assert_eq!(paths(&ran), (11..=120).collect::<Vec<_>>());
    let most = server.most.load(Ordering::SeqCst);
    assert!((2..=8).contains(&most), "{most}");

    // Three intervals of a fifth of a second lie between four requests.
    let begun = Instant::now();
    lookback
        .run(&["replay", "1", "2", "3", "4", "--to", &url, "--rate", "5"])
        .succeeded();
    assert!(begun.elapsed() >= Duration::from_millis(600));
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn interrupted_replay_reports_what_was_done() {
    let lookback = Lookback::new().await;
    let requests: Vec<NewRequestSnapshot> = (0..3).map(|_| request("GET", "/")).collect();
    store(&lookback, &requests).await;
    let count = Arc::new(AtomicUsize::new(0));
    let answered = Arc::clone(&count);
    let server = Server::start(move |_| {
        if answered.fetch_add(1, Ordering::SeqCst) > 0 {
            std::thread::sleep(DEADLINE);
        }
        (200, JSON, String::new())
    });
    let running = Running::start(&lookback, &["replay", "id__gte=1", "--to", &server.url()]);
    let deadline = Instant::now() + DEADLINE;
    while count.load(Ordering::SeqCst) < 2 {
        assert!(Instant::now() < deadline);
        std::thread::sleep(Duration::from_millis(10));
    }
    running.terminate();
    let (code, err) = running.wait();
    assert_eq!(code, Some(130));
    assert_eq!(
        err,
        "1 request: 1 same\nerror: interrupted; 2 requests not replayed\n"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn exported_archive_is_imported_to_equal_requests() {
    let (lookback, server) = five().await;
    let mut rich = request("PATCH", "/a b/ü");
    rich.user_id = Some("42".to_owned());
    rich.geo_country = Some("CH".to_owned());
    rich.geo_lat = Some(47.4);
    rich.status_code = None;
    rich.duration = None;
    rich.trace_id = Some("4bf92f3577b34da6a3ce929d0e0e4736".to_owned());
    rich.headers = Some(json!({"route": "/a b/{id}", "request_size": 3, "x": ["1", "2"]}));
    rich.body = Some("{\"amount\": 12345678901234567890.10}".parse().unwrap());
    rich.response_headers = Some(json!({"error": "client hung up", "response_size": 0}));
    store(&lookback, &[rich]).await;
    let ran = lookback
        .run(&["requests", "export", "--out", "all.har"])
        .succeeded();
    assert_eq!(ran.err, "6 requests written to all.har\n");
    let archive: Value = serde_json::from_slice(&lookback.read("all.har")).unwrap();
    assert_eq!(archive["log"]["entries"].as_array().unwrap().len(), 6);
    assert_eq!(
        archive["log"]["entries"][2]["request"]["url"],
        "http://shop.example/orders"
    );
    lookback.run(&["import", "all.har"]).succeeded();
    let columns = "method, path, query, body, headers, user_id, timestamp, version, stage, \
                   status_code, response_body, response_headers, duration, geo_country, \
                   geo_region, geo_city, geo_lat, geo_lon, geo_source, trace_id";
    let rows = |from: &str| format!("SELECT {columns} FROM request_snapshots WHERE id {from}");
    let same = format!(
        "SELECT count(*) FROM ({} INTERSECT {}) AS same",
        rows("<= 6"),
        rows("> 6")
    );
    assert_eq!(lookback.number(&same).await, 6);
    assert_eq!(
        lookback
            .number("SELECT count(*) FROM request_snapshots")
            .await,
        12
    );
    // Imported requests can be sent, too.
    lookback
        .run(&[
            "replay",
            "id__gt=6",
            "path=/orders",
            "method=GET",
            "--to",
            &server.url(),
            "--ignore",
            "$..at",
        ])
        .succeeded();

    let ran = lookback
        .run(&["requests", "export", "--format", "har", "id=99"])
        .succeeded();
    assert_eq!(ran.json()["log"]["entries"], Value::Array(Vec::new()));
    for (call, problem) in [
        (
            &["logs", "export", "--format", "har"][..],
            "--format har is for requests, not for logs",
        ),
        (
            &["metrics", "export", "--out", "a.sh"],
            "--format curl is for requests, not for metrics",
        ),
        (
            &["requests", "export", "--format", "har", "--fields", "id"],
            "--fields cannot be used",
        ),
    ] {
        let ran = lookback.run(call).failed(2);
        assert!(ran.err.contains(problem), "{ran:#?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_of_curl_show_what_is_masked() {
    let (lookback, _) = five().await;
    let ran = lookback.run(&["requests", "export", "--format", "curl", "id=3"]);
    assert_printed("docs/guide/export.md", "# request 3", ran.out.trim_end());
    let mut secret = request("GET", "/x\u{1b}[2J\n");
    secret.headers = Some(json!({"host": "shop.example", "x-api-key": "s3cret"}));
    let mut unknown = request("GET", "/");
    unknown.headers = None;
    store(&lookback, &[secret, unknown]).await;
    let ran = lookback
        .run(&["requests", "export", "--format", "curl", "id__gt=2"])
        .succeeded();
    insta::assert_snapshot!(ran.transcript(), @r#"
    $ lookback requests export --format curl id__gt=2
    # request 3, 2026-03-01T10:00:00Z: POST /orders
    # masked: header authorization
    curl -X POST http://shop.example/orders \
      -H 'authorization: [masked]' \
      -H 'content-type: application/json' \
      --data-raw '{"amount":1.5,"sku":"a"}'

    # request 4, 2026-03-01T10:00:00Z: GET /reset
    # masked: query token
    curl 'http://shop.example/reset?token=%5Bmasked%5D' \
      -H 'accept: */*'

    # request 5, 2026-03-01T10:00:00Z: PUT /files/1 cannot be sent: only the start of its body (99 bytes) was captured

    # request 6, 2026-03-01T10:00:00Z: GET /x�[2J⏎
    # masked: header x-api-key
    curl http://shop.example/x%1B%5B2J%0A \
      -H 'x-api-key: [masked]'

    # request 7, 2026-03-01T10:00:00Z: GET / cannot be sent: its host is not known

    ! 5 requests
    "#);
}

/// What is given to send is masked where it is stored, as a captured request is.
#[tokio::test(flavor = "multi_thread")]
async fn secrets_of_a_stored_replay_are_masked() {
    let lookback = Lookback::new().await;
    let server = Server::start(|_| {
        let headers = "content-type: application/json\r\nset-cookie: sid=PLANTED; Path=/\r\n";
        (200, headers, r#"{"token":"PLANTED","id":8}"#.to_owned())
    });
    let mut pay = request("POST", "/pay");
    pay.query = Some(json!({"token": "[masked]", "page": "2"}));
    store(&lookback, &[pay]).await;
    let url = server.url();
    let call = [
        "replay",
        "1",
        "--to",
        &url,
        "--unsafe-methods",
        "--store",
        "--header",
        "authorization: Bearer PLANTED",
        "--header",
        "cookie: sid=PLANTED",
        "--set-query",
        "token=PLANTED",
        "--set-body",
        r#"{"password":"PLANTED","amount":1}"#,
        "--ignore",
        "body",
        "--ignore",
        "headers",
    ];
    lookback.run(&call).succeeded();
    let sent = &server.received()[0];
    assert_eq!(sent.header("authorization"), Some("Bearer PLANTED"));
    assert_eq!(sent.body, r#"{"password":"PLANTED","amount":1}"#);
    let stored = lookback.run(&["requests", "get", "2", "--json"]);
    assert!(!stored.out.contains("PLANTED"), "{stored:#?}");
    let stored = &stored.json()["data"];
    assert_eq!(stored["headers"]["authorization"], "Bearer [masked]");
    assert_eq!(stored["headers"]["cookie"], "sid=[masked]");
    assert_eq!(
        stored["query"],
        serde_json::json!({"token": "[masked]", "page": "2"})
    );
    assert_eq!(
        stored["body"],
        serde_json::json!({"password": "[masked]", "amount": 1})
    );
    assert_eq!(
        stored["response_headers"]["set-cookie"],
        "sid=[masked]; Path=/"
    );
    assert_eq!(
        stored["response_body"],
        serde_json::json!({"token": "[masked]", "id": 8})
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn windows_are_computed_again_from_stored_requests() {
    let lookback = Lookback::new().await;
    let mut slow = request("GET", "/orders/7");
    slow.headers = Some(json!({"route": "/orders/{id}"}));
    slow.duration = Some(900);
    slow.status_code = Some(500);
    let mut fast = slow.clone();
    fast.duration = Some(10);
    fast.status_code = Some(200);
    // What the application asked of others is in no window.
    let mut sent = fast.clone();
    sent.headers = Some(json!({"route": "/orders/{id}", "direction": "outgoing"}));
    store(&lookback, &[slow, fast.clone(), fast, sent]).await;
    let range = ["--from", "2026-03-01", "--until", "2026-03-02"];
    let rebuild =
        |options: &[&str]| lookback.run(&[&["metrics", "rebuild"], &range[..], options].concat());
    insta::assert_snapshot!(rebuild(&["--dry-run"]).transcript(), @"
    $ lookback metrics rebuild --from 2026-03-01 --until 2026-03-02 --dry-run
    ! 3 requests from 2026-03-01T00:00:00Z to 2026-03-02T00:00:00Z; windows: 1 created
    ! dry run: nothing was changed
    ");
    assert_eq!(lookback.number("SELECT count(*) FROM metrics").await, 0);
    rebuild(&[]).succeeded();
    let window = "SELECT count(*) FROM metrics WHERE endpoint = 'GET /orders/{id}' \
                  AND window_start = '2026-03-01T10:00:00Z' AND traffic_count = 3 AND p50_latency < 20";
    assert_eq!(lookback.number(window).await, 1);

    // A window that counts more than is stored is kept, unless it may be lower.
    lookback
        .execute("UPDATE metrics SET traffic_count = 9")
        .await;
    insta::assert_snapshot!(rebuild(&[]).transcript(), @"
    $ lookback metrics rebuild --from 2026-03-01 --until 2026-03-02
    ! 3 requests from 2026-03-01T00:00:00Z to 2026-03-02T00:00:00Z; windows: 1 kept
    ! hint: 1 window counts more requests than are stored, because of sampling or deleted records; to replace them, too: --lower
    ");
    let json = rebuild(&["--lower", "--json"]).succeeded().json();
    assert_eq!(
        json,
        serde_json::json!({
            "data": {
                "from": "2026-03-01T00:00:00Z", "until": "2026-03-02T00:00:00Z", "requests": 3,
                "created": 0, "changed": 1, "unchanged": 0, "kept": 0,
            },
            "metadata": {"dry_run": false},
        })
    );
    assert_eq!(lookback.number(window).await, 1);
    // By default, of the last day without the minutes that capture still counts.
    lookback
        .execute(
            "INSERT INTO request_snapshots (method, path, timestamp, version, stage) VALUES \
             ('GET', '/a', now() - interval '23 hours', '1', 'x'), ('GET', '/b', now(), '1', 'x'), \
             ('GET', '/c', now() - interval '25 hours', '1', 'x')",
        )
        .await;
    let ran = lookback.run(&["metrics", "rebuild"]).succeeded();
    assert!(ran.err.starts_with("1 request from "), "{ran:#?}");
    assert_eq!(
        lookback
            .number("SELECT count(*) FROM metrics WHERE endpoint = 'GET /a'")
            .await,
        1
    );
    let ran = lookback.run(&[
        "metrics",
        "rebuild",
        "--from",
        "2000-01-01",
        "--until",
        "2000-01-02",
    ]);
    assert!(
        ran.err.starts_with("0 requests from ") && ran.err.ends_with("; no windows\n"),
        "{ran:#?}"
    );
    for (options, problem) in [
        (["--from", "soon", "--until", "now"], "--from: `soon`"),
        (
            ["--from", "now", "--until", "-1h"],
            "must be before --until",
        ),
    ] {
        let ran = lookback
            .run(&[&["metrics", "rebuild"], &options[..]].concat())
            .failed(2);
        assert!(ran.err.contains(problem), "{ran:#?}");
    }
}
