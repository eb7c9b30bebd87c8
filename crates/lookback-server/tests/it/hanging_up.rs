//! Clients that hang up: their statements end.

use std::time::{Duration, Instant};

use lookback::{Level, Log, NewLog};
use sqlx::postgres::PgPoolOptions;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::support::TestServer;

/// The statements of the server that wait for a lock, or send rows.
async fn statements(server: &TestServer) -> i64 {
    sqlx::query_scalar(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() \
         AND backend_type = 'client backend' AND state = 'active' AND pid <> pg_backend_pid()",
    )
    .fetch_one(&server.pool)
    .await
    .unwrap()
}

/// Waits until there are as many statements.
async fn until_statements(server: &TestServer, wanted: i64) {
    let begun = Instant::now();
    while statements(server).await != wanted {
        assert!(
            begun.elapsed() < Duration::from_secs(20),
            "not {wanted} statements"
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// A pool as that of the program.
fn prepared() -> PgPoolOptions {
    PgPoolOptions::new().after_connect(|conn, _| {
        Box::pin(async { lookback_server::prepare_connection(conn).await })
    })
}

async fn ask(server: &TestServer, path: &str) -> TcpStream {
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    let request = format!(
        "GET {path} HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {}\r\n\r\n",
        server.key
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    stream
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn statement_of_a_client_that_hangs_up_ends() {
    let server = TestServer::start_with_pool(prepared(), |settings| {
        settings.read_timeout = Duration::from_secs(600);
    })
    .await;
    let mut lock = server.pool.begin().await.unwrap();
    sqlx::query("LOCK TABLE logs, request_snapshots, metrics")
        .execute(&mut *lock)
        .await
        .unwrap();
    for path in [
        "/api/v1/logs",
        "/api/v1/logs/7",
        "/api/v1/logs?search=refused",
        "/api/v1/logs/stats",
        "/api/v1/logs/histogram",
        "/api/v1/logs/patterns",
        "/api/v1/logs/export",
        "/api/v1/requests/export?format=har",
        "/api/v1/metrics/aggregate",
        "/api/v1/traces/t-1",
    ] {
        let stream = ask(&server, path).await;
        until_statements(&server, 1).await;
        drop(stream);
        until_statements(&server, 0).await;
    }
    lock.rollback().await.unwrap();
    assert_eq!(server.get("/api/v1/logs").await.status, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn export_waits_for_its_reader_and_ends_with_it() {
    let server = TestServer::start_with_pool(prepared(), |_| {}).await;
    let message = "a line of some length ".repeat(40);
    let logs: Vec<NewLog> = (0..60_000)
        .map(|_| NewLog::new("API", Level::Info, message.as_str()))
        .collect();
    Log::records()
        .create_many(&server.pool, &logs)
        .await
        .unwrap();
    let mut stream = ask(&server, "/api/v1/logs/export").await;
    let mut some = vec![0; 1 << 16];
    stream.read_exact(&mut some).await.unwrap();
    assert!(some.starts_with(b"HTTP/1.1 200"));
    // It has not been sent: the statement waits for the reader.
    tokio::time::sleep(Duration::from_millis(700)).await;
    assert_eq!(statements(&server).await, 1);
    drop(stream);
    until_statements(&server, 0).await;
}
