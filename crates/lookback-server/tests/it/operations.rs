//! What those who run the server see of it: readiness, metrics, limits, and statements that end
//! with their client.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use lookback::KeyScope;
use lookback_server::{MetricsAccess, prepare_connection};
use sqlx::Executor as _;
use sqlx::postgres::PgPoolOptions;

use crate::support::TestServer;

const DEADLINE: Duration = Duration::from_secs(60);

/// A sample: its name, its labels, and its value.
type Samples = BTreeMap<(String, String), f64>;

/// Reads a text by the rules of the format.
fn parse(text: &str) -> (Samples, BTreeMap<String, String>) {
    let mut samples = Samples::new();
    let mut kinds = BTreeMap::new();
    let mut helped = BTreeSet::new();
    assert!(text.ends_with('\n'));
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            let (name, help) = rest.split_once(' ').unwrap();
            assert!(!help.is_empty());
            assert!(helped.insert(name.to_owned()), "{name} twice");
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').unwrap();
            assert!(matches!(kind, "counter" | "gauge" | "histogram"), "{line}");
            assert!(helped.contains(name), "{line}");
            assert!(kinds.insert(name.to_owned(), kind.to_owned()).is_none());
        } else {
            let (series, value) = line.rsplit_once(' ').unwrap();
            let (name, labels) = series.split_once('{').unwrap_or((series, ""));
            let is_name = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
            assert!(name.chars().all(is_name), "{line}");
            // Each sample is below its family.
            let family = ["_bucket", "_sum", "_count"]
                .iter()
                .find_map(|end| {
                    name.strip_suffix(end)
                        .filter(|name| kinds.contains_key(*name))
                })
                .unwrap_or(name);
            let kind = &kinds[family];
            assert_eq!(kind == "counter", name.ends_with("_total"), "{line}");
            let key = (name.to_owned(), labels.trim_end_matches('}').to_owned());
            let value = value.parse().unwrap();
            assert!(samples.insert(key, value).is_none(), "{line} twice");
        }
    }
    (samples, kinds)
}

fn value(samples: &Samples, name: &str, labels: &[&str]) -> f64 {
    let found = samples.iter().find(|((found, with), _)| {
        found == name && labels.iter().all(|label| with.contains(label))
    });
    *found
        .unwrap_or_else(|| panic!("no {name} {labels:?} in {samples:#?}"))
        .1
}

#[tokio::test]
async fn metrics_count_what_the_server_does() {
    let server = TestServer::start().await;
    let lines = "{\"level\":\"info\",\"source\":\"a\",\"message\":\"one\"}\n\
                 {\"level\":\"info\",\"source\":\"a\",\"message\":\"two\"}\n\
                 {\"level\":\"loud\",\"source\":\"a\",\"message\":\"three\"}\n";
    let key = [("idempotency-key", "1")];
    for _ in 0..2 {
        // The second time, it is stored already.
        let ndjson = "application/x-ndjson";
        let answer = server.post_with("/api/v1/logs", ndjson, &key, lines).await;
        assert_eq!(answer.status, 200, "{answer:?}");
    }
    server.get("/api/v1/logs/1").await;
    server.get("/api/v1/logs/2").await;
    server.get("/no/such/path/secret").await;
    let answer = server.get("/metrics").await;
    assert_eq!(answer.status, 200);
    assert_eq!(
        answer.headers["content-type"],
        "text/plain; version=0.0.4; charset=utf-8"
    );
    let text = String::from_utf8(answer.body.to_vec()).unwrap();
    assert!(!text.contains("secret"), "{text}");
    let (samples, _) = parse(&text);
    let stored = "lookback_records_stored_total";
    let labels = ["inlet=\"/api/v1/logs\"", "kind=\"logs\""];
    assert_eq!(value(&samples, stored, &labels), 2.0);
    assert_eq!(
        value(&samples, "lookback_records_rejected_total", &labels[..1]),
        1.0
    );
    let duration = "lookback_http_request_duration_seconds";
    let route = [
        "route=\"/api/v1/logs/{id}\"",
        "method=\"GET\"",
        "status=\"2xx\"",
    ];
    assert_eq!(value(&samples, &format!("{duration}_count"), &route), 2.0);
    let all = [&route[..], &["le=\"+Inf\""]].concat();
    assert_eq!(value(&samples, &format!("{duration}_bucket"), &all), 2.0);
    assert!(value(&samples, &format!("{duration}_sum"), &route) > 0.0);
    let unmatched = ["route=\"unmatched\"", "status=\"4xx\""];
    assert_eq!(
        value(&samples, &format!("{duration}_count"), &unmatched),
        1.0
    );
    // Buckets are cumulative.
    let buckets = samples.iter().filter(|((name, labels), _)| {
        name == &format!("{duration}_bucket") && route.iter().all(|label| labels.contains(label))
    });
    assert!(buckets.clone().count() > 10 && buckets.clone().all(|(_, number)| *number <= 2.0));
    assert_eq!(value(&samples, "lookback_build_info", &["version="]), 1.0);
    assert_eq!(value(&samples, "lookback_body_bytes", &[]), 0.0);
    assert_eq!(value(&samples, "lookback_ingests_limit", &[]), 256.0);
    assert!(value(&samples, "lookback_pool_connections", &[]) >= 1.0);
    assert_eq!(value(&samples, "lookback_tail_readers", &[]), 0.0);
}

#[tokio::test]
async fn metrics_are_for_those_who_may_read_them() {
    for (access, anonymous, ingest, read) in [
        (MetricsAccess::Readers, 401, 403, 200),
        (MetricsAccess::Everybody, 200, 200, 200),
        (MetricsAccess::Nobody, 404, 404, 404),
    ] {
        let server = TestServer::start_with(|settings| settings.metrics_access = access).await;
        let answer = server.send("GET", "/metrics", &[], "").await;
        assert_eq!(answer.status, anonymous, "{access:?}");
        for (scope, expected) in [(KeyScope::Ingest, ingest), (KeyScope::Read, read)] {
            let bearer = format!("Bearer {}", server.new_key(scope).await.1);
            let headers = [("authorization", &*bearer)];
            let answer = server.send("GET", "/metrics", &headers, "").await;
            assert_eq!(answer.status, expected, "{access:?} {scope}");
        }
    }
}

#[tokio::test]
async fn server_is_ready_when_the_migrations_of_its_version_are_applied() {
    let server = TestServer::start().await;
    let ready = async || {
        let answer = server.send("GET", "/health/ready", &[], "").await;
        let text = String::from_utf8(answer.body.to_vec()).unwrap();
        (answer.status, text)
    };
    let (status, text) = ready().await;
    assert_eq!(status, 200, "{text}");
    assert!(text.contains("\"migrations\":\"ok\""), "{text}");
    // The newest migration is not applied.
    let sql = "DELETE FROM _sqlx_migrations WHERE version = \
               (SELECT max(version) FROM _sqlx_migrations)";
    sqlx::query(sql).execute(&server.pool).await.unwrap();
    let (status, text) = ready().await;
    assert_eq!(status, 503, "{text}");
    assert!(
        text.contains("migrations that are not applied: 1"),
        "{text}"
    );
    let live = server.send("GET", "/health/live", &[], "").await;
    assert_eq!(live.status, 200);
}

/// A server whose reads take long: another transaction holds the table.
async fn with_locked_logs(server: &TestServer) -> sqlx::Transaction<'static, sqlx::Postgres> {
    let mut lock = server.pool.begin().await.unwrap();
    lock.execute("LOCK TABLE logs IN ACCESS EXCLUSIVE MODE")
        .await
        .unwrap();
    lock
}

/// The statements on logs that the database runs.
async fn running(server: &TestServer) -> i64 {
    sqlx::query_scalar(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() \
         AND state = 'active' AND query LIKE '%\"logs\"%' AND pid <> pg_backend_pid()",
    )
    .fetch_one(&server.pool)
    .await
    .unwrap()
}

async fn wait_for_running(server: &TestServer, expected: i64) {
    let started = Instant::now();
    while running(server).await != expected {
        assert!(started.elapsed() < DEADLINE, "never {expected}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn request_that_takes_too_long_is_answered_and_ended() {
    let server = TestServer::start_with_pool(
        PgPoolOptions::new()
            .max_connections(4)
            .after_connect(|conn, _| Box::pin(prepare_connection(conn))),
        |settings| {
            settings.read_timeout = Duration::from_secs(600);
            settings.request_timeout = Duration::from_secs(1);
        },
    )
    .await;
    let lock = with_locked_logs(&server).await;
    let answer = server.get("/api/v1/logs").await;
    assert_eq!(
        (answer.status, answer.problem()),
        (504, "too-slow".to_owned())
    );
    wait_for_running(&server, 0).await;
    lock.rollback().await.unwrap();
    assert_eq!(server.get("/api/v1/logs").await.status, 200);
}
