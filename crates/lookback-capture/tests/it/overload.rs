//! The application goes on whatever the sink does.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::routing::post;
use lookback_capture::{Batch, Capture, MemorySink, Sink, SinkError};
use tokio::sync::Notify;

use crate::server::{self, GENEROUS, exchange, serve};

/// A sink that hangs until it is let go.
#[derive(Clone, Default)]
struct Hanging {
    memory: MemorySink,
    is_open: Arc<AtomicBool>,
    opened: Arc<Notify>,
}

impl Hanging {
    fn open(&self) {
        self.is_open.store(true, Ordering::SeqCst);
        self.opened.notify_one();
    }
}

impl Sink for Hanging {
    async fn store(&mut self, batch: &mut Batch) -> Result<(), SinkError> {
        while !self.is_open.load(Ordering::SeqCst) {
            self.opened.notified().await;
        }
        self.memory.store(batch).await
    }
}

fn app() -> Router {
    Router::new().route("/echo", post(async |body: String| body))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hanging_sink_makes_no_request_wait_and_drops_are_reported() {
    const REQUESTS: usize = 12_000;
    let sink = Hanging::default();
    let capture = Capture::builder()
        .settings(|settings| settings.requests_per_second = None)
        .start(sink.clone())
        .unwrap();
    let address = serve(app().layer(capture.layer())).await;
    // On one connection, one behind the other.
    let one = server::post("/echo", "text/plain", "hello").replace("connection: close\r\n", "");
    let last = server::post("/echo", "text/plain", "hello");
    let all = [one.repeat(REQUESTS - 1), last].concat();
    let response = exchange(address, all.as_bytes()).await;
    let answers = String::from_utf8_lossy(&response)
        .matches("HTTP/1.1 200 OK")
        .count();
    assert_eq!(answers, REQUESTS);

    let failed = capture.flush(Duration::from_millis(50)).await.unwrap_err();
    assert!(failed.is_timeout(), "{failed}");
    assert!(
        failed
            .to_string()
            .contains("requests and 0 log lines are left"),
        "{failed}"
    );
    let health = capture.health();
    assert!(health.requests.dropped > 0, "{health:?}");
    assert_eq!(
        health.requests.captured + health.requests.dropped,
        REQUESTS as u64
    );

    sink.open();
    capture.flush(GENEROUS).await.unwrap();
    let health = capture.health();
    assert_eq!(health.requests.stored, health.requests.captured);
    let records = sink.memory.records();
    assert_eq!(records.requests.len() as u64, health.requests.captured);
    // The windows have each of them.
    let counted: u64 = records
        .windows
        .iter()
        .map(|window| window.totals.requests)
        .sum();
    assert_eq!(counted, REQUESTS as u64);
    // A log line says how many are missing.
    let message = report(&capture, &sink.memory).await;
    let expected = format!(
        "{} requests because the queue was full",
        health.requests.dropped
    );
    assert!(message.contains(&expected), "{message}");
}

/// A field that counts how often it was formatted.
struct Counted(Arc<AtomicUsize>);

impl std::fmt::Debug for Counted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fetch_add(1, Ordering::SeqCst);
        f.write_str("counted")
    }
}

/// Waits for the report of capture itself.
async fn report(capture: &Capture, sink: &MemorySink) -> String {
    let report = async {
        loop {
            capture.flush(GENEROUS).await.unwrap();
            let logs = sink.records().logs;
            if let Some(log) = logs.iter().find(|log| log.source == "lookback") {
                return log.message.clone();
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(GENEROUS, report).await.unwrap()
}

/// A line is made only if there is a place for it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn log_lines_without_a_place_are_not_made_and_are_reported() {
    use tracing_subscriber::layer::SubscriberExt as _;
    const LINES: u64 = 30_000;
    let sink = Hanging::default();
    let capture = Capture::builder()
        .settings(|settings| settings.logs_per_second = None)
        .start(sink.clone())
        .unwrap();
    let made = Arc::new(AtomicUsize::new(0));
    let field = Counted(Arc::clone(&made));
    let subscriber = tracing_subscriber::registry().with(capture.tracing_layer());
    tracing::subscriber::with_default(subscriber, || {
        for _ in 0..LINES {
            tracing::info!(?field, "line");
        }
    });
    let health = capture.health();
    assert!(health.logs.dropped > 0, "{health:?}");
    assert_eq!(health.logs.captured + health.logs.dropped, LINES);
    assert_eq!(made.load(Ordering::SeqCst) as u64, health.logs.captured);
    sink.open();
    let message = report(&capture, &sink.memory).await;
    let expected = format!(
        "{} log lines because the queue was full",
        health.logs.dropped
    );
    assert!(message.contains(&expected), "{message}");
    let logs = sink.memory.records().logs;
    let lines = logs.iter().filter(|log| log.message == "line").count();
    assert_eq!(lines as u64, health.logs.captured);
}

/// Warnings and errors have a rate of their own: others leave them room.
#[tokio::test]
async fn log_lines_above_the_rate_are_counted_and_reported() {
    use tracing_subscriber::layer::SubscriberExt as _;
    let sink = MemorySink::new();
    let capture = Capture::builder()
        .settings(|settings| settings.logs_per_second = Some(1))
        .start(sink.clone())
        .unwrap();
    let subscriber = tracing_subscriber::registry().with(capture.tracing_layer());
    tracing::subscriber::with_default(subscriber, || {
        for _ in 0..1_000 {
            tracing::info!("usual");
        }
        tracing::error!("failed");
        for _ in 0..1_000 {
            tracing::warn!("odd");
        }
    });
    let health = capture.health();
    assert_eq!(health.logs.captured + health.logs.over_rate, 2_001);
    let message = report(&capture, &sink).await;
    let expected = format!(
        "{} log lines above the most of a second",
        health.logs.over_rate
    );
    assert!(message.contains(&expected), "{message}");
    let logs = sink.records().logs;
    // However long the loop took, the first line of each kind was admitted.
    let first: Vec<&str> = ["usual", "failed"]
        .into_iter()
        .filter(|first| logs.iter().any(|log| log.message == *first))
        .collect();
    assert_eq!(first, ["usual", "failed"]);
    assert!(logs.len() < 1_000, "{}", logs.len());
}

/// A sink that fails a number of times.
struct Failing {
    memory: MemorySink,
    failures: usize,
    is_permanent: bool,
}

impl Sink for Failing {
    async fn store(&mut self, batch: &mut Batch) -> Result<(), SinkError> {
        if self.failures == 0 {
            return self.memory.store(batch).await;
        }
        self.failures -= 1;
        Err(if self.is_permanent {
            SinkError::permanent("no such table")
        } else {
            SinkError::temporary("connection refused")
        })
    }
}

async fn sent_to(sink: Failing) -> (Capture, MemorySink) {
    let memory = sink.memory.clone();
    let capture = Capture::builder().start(sink).unwrap();
    let address = serve(app().layer(capture.layer())).await;
    exchange(
        address,
        server::post("/echo", "text/plain", "hello").as_bytes(),
    )
    .await;
    (capture, memory)
}

#[tokio::test]
async fn records_are_stored_once_after_temporary_errors() {
    let sink = Failing {
        memory: MemorySink::new(),
        failures: 3,
        is_permanent: false,
    };
    let (capture, memory) = sent_to(sink).await;
    capture.flush(GENEROUS).await.unwrap();
    let records = memory.records();
    assert_eq!((records.requests.len(), records.windows.len()), (1, 1));
}

#[tokio::test]
async fn records_that_cannot_be_stored_are_counted_as_failed() {
    let sink = Failing {
        memory: MemorySink::new(),
        failures: 1,
        is_permanent: true,
    };
    let (capture, memory) = sent_to(sink).await;
    let failed = async {
        while capture.health().requests.failed == 0 {
            if let Err(error) = capture.flush(GENEROUS).await {
                assert_eq!(
                    error.to_string(),
                    "cannot store captured records: no such table"
                );
            }
        }
    };
    tokio::time::timeout(GENEROUS, failed).await.unwrap();
    // The window is stored at the next time.
    capture.flush(GENEROUS).await.unwrap();
    assert_eq!(memory.records().windows.len(), 1);
    assert!(memory.records().requests.is_empty());
}

#[tokio::test]
async fn dropped_capture_stores_what_is_left() {
    use tower::{Layer as _, ServiceExt as _, service_fn};
    let memory = MemorySink::new();
    let capture = Capture::builder().start(memory.clone()).unwrap();
    for _ in 0..10 {
        let service = service_fn(async |_: http::Request<_>| {
            Ok::<_, std::convert::Infallible>(http::Response::new(String::new()))
        });
        let service = capture.layer().layer(service);
        service
            .oneshot(http::Request::new(String::new()))
            .await
            .unwrap();
    }
    // The last clone is gone.
    drop(capture);
    let stored = async {
        while memory.records().requests.len() < 10 || memory.records().windows.is_empty() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(GENEROUS, stored).await.unwrap();
}

/// A sink whose steps are let go one by one.
#[derive(Clone)]
struct Stepwise {
    memory: MemorySink,
    steps: Arc<tokio::sync::Semaphore>,
}

impl Sink for Stepwise {
    async fn store(&mut self, batch: &mut Batch) -> Result<(), SinkError> {
        self.steps
            .acquire()
            .await
            .map_err(SinkError::permanent)?
            .forget();
        self.memory.store(batch).await
    }
}

#[tokio::test]
async fn flush_that_comes_during_another_waits_for_its_own_records() {
    use tracing_subscriber::layer::SubscriberExt as _;
    let sink = Stepwise {
        memory: MemorySink::new(),
        steps: Arc::new(tokio::sync::Semaphore::new(0)),
    };
    let capture = Capture::builder().start(sink.clone()).unwrap();
    let subscriber = tracing_subscriber::registry().with(capture.tracing_layer());
    let _guard = tracing::subscriber::set_default(subscriber);
    tracing::info!("first");
    let first = tokio::spawn({
        let capture = capture.clone();
        async move { capture.flush(GENEROUS).await }
    });
    // The first flush hangs in the sink.
    tokio::time::sleep(Duration::from_millis(300)).await;
    tracing::info!("second");
    let second = tokio::spawn({
        let capture = capture.clone();
        async move { capture.flush(GENEROUS).await }
    });
    tokio::time::sleep(Duration::from_millis(100)).await;
    sink.steps.add_permits(1);
    first.await.unwrap().unwrap();
    assert_eq!(sink.memory.records().logs.len(), 1);
    sink.steps.add_permits(10);
    second.await.unwrap().unwrap();
    assert_eq!(sink.memory.records().logs.len(), 2);
}
