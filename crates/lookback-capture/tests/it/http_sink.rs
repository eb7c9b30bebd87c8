//! Records sent to a server, which answers, refuses, hangs or is away.

use std::collections::HashMap;
use std::fs;
use std::io::Read as _;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use flate2::read::GzDecoder;
use lookback_capture::{Capture, HttpSink};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tracing::info;
use tracing_subscriber::layer::SubscriberExt as _;

use crate::server::GENEROUS;

const KEY: &str = "lb_test";

/// What a server has stored: each body once, by its key.
#[derive(Clone, Default)]
struct Stored(Arc<Mutex<Inner>>);

#[derive(Default)]
struct Inner {
    bodies: HashMap<String, Vec<(String, Value)>>,
    mode: Mode,
    /// When bodies came, also those that were not stored.
    attempts: Vec<Instant>,
}

#[derive(Clone, Copy, Default, PartialEq)]
enum Mode {
    #[default]
    Store,
    /// Asks for a pause of this many seconds.
    Busy(&'static str),
    /// Fails, and does not say for how long.
    Fail,
    /// Stores, and answers with an error as if it had not.
    StoreAndFail,
    /// Takes this many lines of a body.
    AtMost(usize),
    /// Rejects log lines with this message.
    Invalid(&'static str),
    Hang,
}

impl Stored {
    fn set(&self, mode: Mode) {
        self.0.lock().unwrap().mode = mode;
    }

    fn attempts(&self) -> usize {
        self.0.lock().unwrap().attempts.len()
    }

    /// Waits until this many bodies came, and returns the pauses between them.
    async fn pauses(&self, attempts: usize) -> Vec<Duration> {
        let deadline = Instant::now() + GENEROUS;
        while self.attempts() < attempts {
            assert!(Instant::now() < deadline, "{} came", self.attempts());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let times = &self.0.lock().unwrap().attempts;
        times.windows(2).map(|times| times[1] - times[0]).collect()
    }

    /// Returns all records of a kind.
    fn records(&self, kind: &str) -> Vec<Value> {
        let inner = self.0.lock().unwrap();
        let all = inner.bodies.values().flatten();
        all.filter(|(of, _)| of == kind)
            .map(|(_, record)| record.clone())
            .collect()
    }

    /// Returns the messages of all log lines, in order.
    fn messages(&self) -> Vec<String> {
        let records = self.records("logs");
        let message = |record: &Value| record["message"].as_str().unwrap().to_owned();
        let mut messages: Vec<String> = records.iter().map(message).collect();
        messages.sort();
        messages
    }
}

async fn ingest(
    State(stored): State<Stored>,
    Path(kind): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    assert_eq!(headers["authorization"], format!("Bearer {KEY}"));
    assert_eq!(headers["content-type"], "application/x-ndjson");
    assert_eq!(headers["content-encoding"], "gzip");
    let mut text = String::new();
    GzDecoder::new(&*body).read_to_string(&mut text).unwrap();
    let lines: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let key = headers["idempotency-key"].to_str().unwrap().to_owned();
    let mode = {
        let mut inner = stored.0.lock().unwrap();
        inner.attempts.push(Instant::now());
        inner.mode
    };
    let mut rejected = 0;
    match mode {
        Mode::Busy(wait) => {
            return (StatusCode::SERVICE_UNAVAILABLE, [("retry-after", wait)]).into_response();
        }
        Mode::Fail => return StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        Mode::AtMost(most) if lines.len() > most => {
            return StatusCode::PAYLOAD_TOO_LARGE.into_response();
        }
        Mode::Hang => std::future::pending().await,
        _ => {}
    }
    let lines = lines.into_iter().map(|line| (kind.clone(), line));
    let lines: Vec<_> = match mode {
        Mode::Invalid(message) => {
            let (bad, good): (Vec<_>, Vec<_>) =
                lines.partition(|(_, line)| line["message"] == message);
            rejected = bad.len();
            good
        }
        _ => lines.collect(),
    };
    stored.0.lock().unwrap().bodies.entry(key).or_insert(lines);
    if mode == Mode::StoreAndFail {
        return StatusCode::BAD_GATEWAY.into_response();
    }
    let answer = serde_json::json!({ "data": { "rejected": rejected } });
    axum::Json(answer).into_response()
}

/// A server on an address, which can be stopped and started again.
async fn start(address: SocketAddr, stored: Stored) -> (SocketAddr, JoinHandle<()>) {
    let app = Router::new()
        .route("/here/api/v1/{kind}", post(ingest))
        .with_state(stored);
    let listener = TcpListener::bind(address).await.unwrap();
    let address = listener.local_addr().unwrap();
    let serving = tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    (address, serving)
}

async fn started(stored: &Stored) -> SocketAddr {
    start(([127, 0, 0, 1], 0).into(), stored.clone()).await.0
}

fn sink(address: SocketAddr) -> HttpSink {
    HttpSink::new(&format!("http://{address}/here/"), KEY).unwrap()
}

fn capture(sink: HttpSink) -> Capture {
    Capture::builder().start(sink).unwrap()
}

/// Writes log lines.
fn log(capture: &Capture, messages: impl IntoIterator<Item = String>) {
    let subscriber = tracing_subscriber::registry().with(capture.tracing_layer());
    tracing::subscriber::with_default(subscriber, || {
        for message in messages {
            info!("{message}");
        }
    });
}

fn lines(numbers: std::ops::Range<u32>) -> Vec<String> {
    numbers.map(|number| format!("line {number:04}")).collect()
}

/// Waits until something is true.
async fn until(what: &str, mut is_true: impl FnMut() -> bool) {
    let wait = async {
        while !is_true() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    assert!(tokio::time::timeout(GENEROUS, wait).await.is_ok(), "{what}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_logs_and_windows_arrive() {
    let stored = Stored::default();
    let capture = capture(sink(started(&stored).await));
    log(&capture, lines(0..3));
    let app = Router::new().route("/orders", post(async |body: String| body));
    let address = crate::server::serve(app.layer(capture.layer())).await;
    let request = crate::server::post("/orders", "application/json", r#"{"password":"pa55"}"#);
    crate::server::exchange(address, request.as_bytes()).await;
    until("the request has ended", || {
        capture.health().requests.captured == 1
    })
    .await;
    capture.flush(GENEROUS).await.unwrap();

    assert_eq!(stored.messages(), lines(0..3));
    let requests = stored.records("requests");
    assert_eq!(requests.len(), 1);
    assert_eq!(requests[0]["path"], "/orders");
    assert!(!requests[0].to_string().contains("pa55"), "{}", requests[0]);
    let windows = stored.records("metrics");
    assert_eq!(windows[0]["traffic_count"], 1);
    assert!(windows[0]["latency_sketch"].is_string(), "{}", windows[0]);
    let health = capture.health();
    assert_eq!((health.logs.stored, health.requests.stored), (3, 1));
    assert_eq!(health.last_error, None);
}

/// A pause is longer on a busy machine, and never shorter.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pauses_grow_or_are_as_long_as_the_server_asks_for() {
    let stored = Stored::default();
    stored.set(Mode::Fail);
    let of_failures = capture(sink(started(&stored).await));
    log(&of_failures, lines(0..1));
    let pauses = stored.pauses(5).await;
    let least = [100, 200, 400, 800].map(Duration::from_millis);
    assert!(
        pauses
            .iter()
            .zip(least)
            .all(|(pause, least)| *pause >= least),
        "{pauses:?}"
    );
    stored.set(Mode::Store);
    of_failures.flush(GENEROUS).await.unwrap();
    assert_eq!(stored.messages(), lines(0..1));

    let stored = Stored::default();
    stored.set(Mode::Busy("2"));
    let of_busy = capture(sink(started(&stored).await));
    log(&of_busy, lines(0..1));
    let pauses = stored.pauses(3).await;
    assert!(
        pauses.iter().all(|pause| *pause >= Duration::from_secs(2)),
        "{pauses:?}"
    );
    stored.set(Mode::Store);
    of_busy.flush(GENEROUS).await.unwrap();
    assert_eq!(stored.messages(), lines(0..1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn records_wait_while_the_server_is_busy_and_are_stored_once() {
    for mode in [Mode::Busy("0"), Mode::StoreAndFail] {
        let stored = Stored::default();
        stored.set(mode);
        let capture = capture(sink(started(&stored).await));
        log(&capture, lines(0..5));
        until("it was tried", || stored.attempts() >= 2).await;
        // More come meanwhile.
        log(&capture, lines(5..9));
        let error = capture.health().last_error.unwrap();
        assert!(error.contains("/here/api/v1/logs answered 50"), "{error}");
        stored.set(Mode::Store);
        capture.flush(GENEROUS).await.unwrap();
        assert_eq!(stored.messages(), lines(0..9));
        assert_eq!(capture.health().logs.stored, 9);
        assert_eq!(capture.health().last_error, None);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn server_that_hangs_is_given_up_and_gets_the_records_later() {
    let stored = Stored::default();
    stored.set(Mode::Hang);
    let sink = sink(started(&stored).await).timeout(Duration::from_millis(50));
    let capture = capture(sink);
    log(&capture, lines(0..2));
    until("it was tried twice", || stored.attempts() >= 2).await;
    let error = capture.health().last_error.unwrap();
    assert!(error.contains("no answer within 50ms"), "{error}");
    stored.set(Mode::Store);
    capture.flush(GENEROUS).await.unwrap();
    assert_eq!(stored.messages(), lines(0..2));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn body_that_is_too_large_is_sent_in_halves() {
    let stored = Stored::default();
    stored.set(Mode::AtMost(3));
    let capture = capture(sink(started(&stored).await));
    log(&capture, lines(0..50));
    capture.flush(GENEROUS).await.unwrap();
    assert_eq!(stored.messages(), lines(0..50));
    assert_eq!(capture.health().logs.stored, 50);
    // One record cannot be halved.
    stored.set(Mode::AtMost(0));
    log(&capture, lines(50..52));
    capture.flush(GENEROUS).await.unwrap();
    assert_eq!(capture.health().logs.failed, 2);
    assert_eq!(stored.messages(), lines(0..50));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn records_that_the_server_rejects_are_counted_as_failed() {
    let stored = Stored::default();
    stored.set(Mode::Invalid("line 0001"));
    let capture = capture(sink(started(&stored).await));
    log(&capture, lines(0..3));
    capture.flush(GENEROUS).await.unwrap();
    let health = capture.health();
    assert_eq!((health.logs.stored, health.logs.failed), (2, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn spill_keeps_records_over_a_restart_of_both_sides() {
    let folder = tempfile::tempdir().unwrap();
    let stored = Stored::default();
    // A port on which nothing listens.
    let (address, serving) = start(([127, 0, 0, 1], 0).into(), stored.clone()).await;
    serving.abort();
    let _ended = serving.await;

    let first = capture(sink(address).spill(folder.path(), 1_000_000).unwrap());
    log(&first, lines(0..10));
    let waiting = first.flush(GENEROUS).await.unwrap_err().to_string();
    assert!(waiting.contains("records wait on the disk"), "{waiting}");
    assert!(first.health().last_error.unwrap().contains("refused"));
    let files = || {
        let entries = fs::read_dir(folder.path()).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.filter(|name| name.ends_with(".ndjson.gz")).count()
    };
    assert!(files() > 0);
    drop(first);
    // The thread releases the folder when it has closed the sink.
    let mut again = sink(address).spill(folder.path(), 1_000_000);
    until("the folder is free", || {
        if again.is_err() {
            again = sink(address).spill(folder.path(), 1_000_000);
        }
        again.is_ok()
    })
    .await;

    let second = capture(again.unwrap());
    let _serving = start(address, stored.clone()).await;
    // Without any new record: it looks for itself.
    until("the records arrive", || stored.records("logs").len() == 10).await;
    log(&second, lines(10..12));
    second.flush(GENEROUS).await.unwrap();
    assert_eq!(stored.messages(), lines(0..12));
    assert_eq!(files(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn full_spill_leaves_the_rest_in_the_queue() {
    let folder = tempfile::tempdir().unwrap();
    let stored = Stored::default();
    stored.set(Mode::Busy("0"));
    let sink = sink(started(&stored).await);
    let capture = capture(sink.spill(folder.path(), 200).unwrap());
    let bytes = |folder: &std::path::Path| -> u64 {
        let entries = fs::read_dir(folder).unwrap();
        entries
            .map(|entry| entry.unwrap().metadata().unwrap().len())
            .sum()
    };
    log(&capture, lines(0..1));
    until("some are on the disk", || bytes(folder.path()) > 0).await;
    log(&capture, lines(1..20));
    until("the rest is not", || {
        capture
            .health()
            .last_error
            .is_some_and(|error| error.contains("answered 503"))
    })
    .await;
    assert!(bytes(folder.path()) <= 200);
    assert!(capture.health().logs.stored < 20);
    stored.set(Mode::Store);
    capture.flush(GENEROUS).await.unwrap();
    assert_eq!(stored.messages(), lines(0..20));
}
