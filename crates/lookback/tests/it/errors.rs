//! Error kinds, as a real server and a real network cause them.

use std::time::{Duration, Instant};

use lookback::error::Remedy;
use lookback::{Level, Log, LogPatch, NewLog};
use sqlx::postgres::PgPoolOptions;
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection};
use tokio::io::AsyncReadExt as _;

/// Length of a client's first message, in bytes.
const SSL_REQUEST: usize = 8;

async fn two_logs(db: &testkit::Database) {
    for message in ["one", "two"] {
        let new = NewLog::new("API", Level::Info, message);
        Log::records().create(&db.pool, new).await.unwrap();
    }
}

#[tokio::test]
async fn exceeded_lock_statement_or_pool_timeout_is_timeout() {
    let db = testkit::database().await;
    two_logs(&db).await;
    let mut mine = db.pool.begin().await.unwrap();
    Log::records().delete(&mut mine, 1).await.unwrap();

    // A lock that is not granted, and a statement that takes too long.
    for setting in [
        "SET lock_timeout = '50ms'",
        "SET statement_timeout = '50ms'",
    ] {
        let mut theirs = PgConnection::connect(&db.url).await.unwrap();
        theirs.execute(setting).await.unwrap();
        let error = Log::records().delete(&mut theirs, 1).await.unwrap_err();
        assert!(error.is_timeout() && error.is_retryable(), "{error:?}");
    }
    // A pool without a free connection. Connecting may take longer than its acquire timeout.
    let pool = PgPoolOptions::new()
        .max_connections(1)
        .acquire_timeout(Duration::from_millis(100))
        .connect_lazy(&db.url)
        .unwrap();
    let deadline = Instant::now() + Duration::from_secs(120);
    let taken = loop {
        match pool.acquire().await {
            Ok(taken) => break taken,
            Err(error) => assert!(Instant::now() < deadline, "{error}"),
        }
    };
    let error = Log::records().get(&pool, 1).await.unwrap_err();
    assert!(error.is_timeout(), "{error:?}");
    drop(taken);
    while let Err(error) = Log::records().get(&pool, 2).await {
        assert!(error.is_timeout() && Instant::now() < deadline, "{error:?}");
    }
}

/// A pooler that hands a session to another client loses the prepared statements of the first, and
/// has those of another.
#[tokio::test]
async fn prepared_statements_that_a_pooler_loses_name_its_version() {
    let db = testkit::database().await;
    let mut conn = PgConnection::connect(&db.url).await.unwrap();
    Log::records().list(&mut conn).await.unwrap();
    conn.execute("DEALLOCATE ALL").await.unwrap();
    let lost = Log::records().list(&mut conn).await.unwrap_err();

    let mut conn = PgConnection::connect(&db.url).await.unwrap();
    for number in 1..=20 {
        let taken = format!("PREPARE sqlx_s_{number} AS SELECT 1");
        sqlx::raw_sql(AssertSqlSafe(taken))
            .execute(&mut conn)
            .await
            .unwrap();
    }
    let taken = Log::records().list(&mut conn).await.unwrap_err();
    for error in [lost, taken] {
        assert_eq!(
            error.remedy(),
            Some(Remedy::KeepPreparedStatements),
            "{error:?}"
        );
        assert!(
            error
                .remedy()
                .unwrap()
                .to_string()
                .contains("PgBouncer 1.21 or newer")
        );
    }
}

#[tokio::test]
async fn lost_or_absent_server_is_unavailable() {
    let db = testkit::database().await;
    two_logs(&db).await;
    let mut conn = PgConnection::connect(&db.url).await.unwrap();
    let pid: i32 = sqlx::query_scalar("SELECT pg_backend_pid()")
        .fetch_one(&mut conn)
        .await
        .unwrap();
    sqlx::query("SELECT pg_terminate_backend($1)")
        .bind(pid)
        .execute(&db.pool)
        .await
        .unwrap();
    // First the server's last message, then a closed connection.
    for _ in 0..2 {
        let error = Log::records().get(&mut conn, 1).await.unwrap_err();
        assert!(error.is_unavailable() && error.is_retryable(), "{error:?}");
    }

    // A bound socket that does not listen; no other program gets its port.
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let port = socket.local_addr().unwrap().port();
    let nobody = PgPoolOptions::new()
        .acquire_timeout(Duration::from_secs(5))
        .connect_lazy(&format!("postgres://lookback@127.0.0.1:{port}/lookback"))
        .unwrap();
    let error = Log::records().get(&nobody, 1).await.unwrap_err();
    assert!(error.is_unavailable() || error.is_timeout(), "{error:?}");
    assert!(!error.to_string().contains("SELECT"));
    drop(socket);

    // A listener that closes every connection at once, like a pooler without a server.
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let closing = tokio::spawn(async move {
        // Closing before reading the request is a reset; closing after it is an end of file.
        for read in [0, SSL_REQUEST, 0, SSL_REQUEST] {
            let (mut client, _) = listener.accept().await.unwrap();
            let _ = client.read_exact(&mut vec![0; read]).await;
        }
    });
    let url = format!("postgres://lookback@127.0.0.1:{port}/lookback");
    while !closing.is_finished() {
        let pool = PgPoolOptions::new().connect_lazy(&url).unwrap();
        let error = Log::records().get(&pool, 1).await.unwrap_err();
        assert!(error.is_unavailable() && error.is_retryable(), "{error:?}");
    }
    closing.await.unwrap();
}

#[tokio::test]
async fn deadlock_error_is_retryable() {
    let db = testkit::database().await;
    two_logs(&db).await;
    let patch = || LogPatch::new().trace_id("t".to_owned());
    let (mut a, mut b) = (
        db.pool.begin().await.unwrap(),
        db.pool.begin().await.unwrap(),
    );
    Log::records().update(&mut a, 1, patch()).await.unwrap();
    Log::records().update(&mut b, 2, patch()).await.unwrap();
    let records = Log::records();
    let (first, second) = tokio::join!(
        records.update(&mut a, 2, patch()),
        records.update(&mut b, 1, patch())
    );
    let error = first.and(second).unwrap_err();
    assert!(error.is_retryable() && !error.is_timeout(), "{error:?}");
    assert_eq!(error.sqlstate(), Some("40P01"));
    assert!(
        !Log::records()
            .get(&db.pool, 9)
            .await
            .unwrap_err()
            .is_retryable()
    );
}
