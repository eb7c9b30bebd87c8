//! What an application captures into files is imported as it would have been stored.

use std::convert::Infallible;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use lookback::capture::{Batch, Capture, JsonLinesSink, PostgresSink, Sink, SinkError, TeeBody};
use tower::{Layer as _, ServiceExt as _, service_fn};
use tracing_subscriber::layer::SubscriberExt as _;

use crate::support::Lookback;

/// Stores records in files and in a database.
struct Both(JsonLinesSink, PostgresSink);

impl Sink for Both {
    async fn store(&mut self, batch: &mut Batch) -> Result<(), SinkError> {
        self.0.store(&mut batch.clone()).await?;
        self.1.store(batch).await
    }

    async fn flush(&mut self) -> Result<(), SinkError> {
        self.0.flush().await?;
        self.1.flush().await
    }
}

/// Answers with what was sent, and with the status that the path ends with.
async fn answer(
    request: http::Request<TeeBody<Full<Bytes>>>,
) -> Result<http::Response<Full<Bytes>>, Infallible> {
    let status = request.uri().path().rsplit('/').next().unwrap().parse();
    let status: u16 = status.unwrap_or(200);
    let body = request.into_body().collect().await.unwrap().to_bytes();
    tracing::info!(status, bytes = body.len(), "answering");
    if status >= 500 {
        tracing::error!(why = "a \"quoted\" word,\nand a line", "failed");
    }
    let response = http::Response::builder()
        .status(status)
        .header("content-type", "application/json")
        .header("set-cookie", "session=planted-secret");
    Ok(response.body(Full::new(body)).unwrap())
}

async fn send(capture: &Capture, number: usize) {
    let (path, body) = match number % 4 {
        0 => (
            "/orders/200?page=2&page=3&token=planted-secret",
            "[1, 2.50, null]",
        ),
        1 => (
            "/orders/500",
            "{\"a\": \"\u{202e}ü\", \"password\": \"planted-secret\"}",
        ),
        2 => ("/orders/404", ""),
        _ => ("/%C3%BC/204", "\"text\""),
    };
    let request = http::Request::post(path)
        .header("content-type", "application/json")
        .header("authorization", "Bearer planted-secret")
        .header("cookie", "session=planted-secret; theme=dark")
        .header("x-number", number)
        .body(Full::new(Bytes::from_static(body.as_bytes())))
        .unwrap();
    let service = capture.layer().layer(service_fn(answer));
    let response = service.oneshot(request).await.unwrap();
    response.into_body().collect().await.unwrap();
}

/// The rows of a table, without what the database makes.
async fn rows(lookback: &Lookback, table: &str) -> Vec<String> {
    let sql = format!(
        "SELECT (to_jsonb(t) - '{{id,created_at,updated_at,embedding}}'::text[])::text AS row \
         FROM {table} t ORDER BY row"
    );
    let pool = &lookback.db.as_ref().unwrap().pool;
    let rows = sqlx::query_scalar(sqlx::AssertSqlSafe(sql)).fetch_all(pool);
    rows.await.unwrap()
}

#[tokio::test]
async fn captured_files_are_imported_as_they_would_have_been_stored() {
    let (stored, imported) = (Lookback::new().await, Lookback::new().await);
    let folder = imported.folder().join("captured");
    let files = JsonLinesSink::open(&folder).unwrap();
    let database = PostgresSink::new(&stored.db.as_ref().unwrap().pool);
    let capture = Capture::builder()
        .version("1.4.0")
        .stage("test")
        .start(Both(files, database))
        .unwrap();
    let subscriber = tracing_subscriber::registry().with(capture.tracing_layer());
    let subscribed = tracing::subscriber::set_default(subscriber);
    for number in 0..40 {
        send(&capture, number).await;
    }
    drop(subscribed);
    capture.flush(Duration::from_secs(60)).await.unwrap();
    let ran = imported.run(&["import", "captured"]).succeeded();
    for (table, least) in [("request_snapshots", 40), ("logs", 50), ("metrics", 2)] {
        let (stored, imported) = (rows(&stored, table).await, rows(&imported, table).await);
        assert!(stored.len() >= least, "{table}: {stored:#?}");
        assert_eq!(imported, stored, "{table}: {}", ran.err);
        let text = imported.concat();
        assert!(!text.contains("planted-secret"), "{text}");
    }
    // The percentiles, too, which come of the sketches.
    let listed = |lookback: &Lookback| {
        let call = [
            "metrics",
            "list",
            "--order-by",
            "endpoint",
            "--json",
            "--fields",
        ];
        let fields = "endpoint,traffic_count,error_rate,p50_latency,p95_latency,p99_latency";
        lookback
            .run(&[&call[..], &[fields]].concat())
            .succeeded()
            .out
    };
    assert_eq!(listed(&imported), listed(&stored));
}
