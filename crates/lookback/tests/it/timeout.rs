//! Reads with a timeout.

use std::time::Duration;

use lookback::error::Remedy;
use lookback::query::count;
use lookback::{Filter, Level, Log, NewLog};
use sqlx::postgres::PgPoolOptions;
use sqlx::{Connection as _, Executor as _, PgConnection, PgPool};

const SHORT: Duration = Duration::from_millis(60);
const LONG: Duration = Duration::from_secs(60);

/// Locks the table; its readers wait until the lock is dropped.
async fn locked(db: &testkit::Database) -> sqlx::Transaction<'static, sqlx::Postgres> {
    let mut lock = db.pool.begin().await.unwrap();
    lock.execute("LOCK TABLE logs IN ACCESS EXCLUSIVE MODE")
        .await
        .unwrap();
    lock
}

async fn filled() -> testkit::Database {
    let db = testkit::database().await;
    let logs: Vec<NewLog> = (0..20)
        .map(|n| NewLog::new("API", Level::Info, format!("connection {n} refused")))
        .collect();
    Log::records().create_many(&db.pool, &logs).await.unwrap();
    db
}

async fn pool_of_one(db: &testkit::Database) -> PgPool {
    let options = PgPoolOptions::new().max_connections(1);
    options.connect(&db.url).await.unwrap()
}

async fn setting(conn: &mut PgConnection, name: &str) -> String {
    sqlx::query_scalar("SELECT current_setting($1)")
        .bind(name)
        .fetch_one(conn)
        .await
        .unwrap()
}

#[tokio::test]
async fn read_that_exceeds_timeout_is_stopped() {
    let db = filled().await;
    let pool = pool_of_one(&db).await;
    let _lock = locked(&db).await;
    let logs = Log::records().timeout(SHORT);
    let errors = [
        logs.get(&pool, 1).await.unwrap_err(),
        logs.list(&pool).await.unwrap_err(),
        logs.first(&pool).await.unwrap_err(),
        logs.count(&pool).await.unwrap_err(),
        logs.exists(&pool).await.unwrap_err(),
        logs.hits(&pool).await.unwrap_err(),
        logs.clone()
            .search("refused")
            .list(&pool)
            .await
            .unwrap_err(),
        logs.clone().similar_to(1).hits(&pool).await.unwrap_err(),
        logs.clone()
            .select(Log::id())
            .list(&pool)
            .await
            .unwrap_err(),
        logs.aggregate(&pool, count()).await.unwrap_err(),
        logs.clone()
            .group_by(Log::level())
            .aggregate(&pool, count())
            .await
            .unwrap_err(),
    ];
    for error in &errors {
        assert!(error.is_too_slow() && error.is_timeout(), "{error:?}");
        assert!(!error.is_retryable(), "{error:?}");
        assert_eq!(
            error.to_string(),
            "logs: the read took longer than 60 ms and was stopped"
        );
        assert_eq!(error.remedy(), Some(Remedy::NarrowQuery));
    }
    // The pool's only connection is usable, and its settings are unchanged.
    let mut conn = pool.acquire().await.unwrap();
    assert_eq!(setting(&mut conn, "statement_timeout").await, "0");
    assert_eq!(
        setting(&mut conn, "client_connection_check_interval").await,
        "0"
    );
}

#[tokio::test]
async fn read_within_timeout_leaves_settings_unchanged() {
    let db = filled().await;
    let pool = pool_of_one(&db).await;
    let logs = Log::records().timeout(LONG);
    assert_eq!(logs.list(&pool).await.unwrap().data.len(), 20);
    assert_eq!(logs.get(&pool, 3).await.unwrap().id, 3);
    let found = logs.clone().search("refused").list(&pool).await.unwrap();
    assert_eq!(found.data.len(), 20);
    let mut conn = PgConnection::connect(&db.url).await.unwrap();
    conn.execute("SET statement_timeout = '17s'").await.unwrap();
    assert_eq!(logs.count(&mut conn).await.unwrap().value(), 20);
    assert!(!conn.is_in_transaction());
    assert_eq!(setting(&mut conn, "statement_timeout").await, "17s");

    let mut transaction = conn.begin().await.unwrap();
    transaction
        .execute("SET LOCAL statement_timeout = '19s'")
        .await
        .unwrap();
    assert_eq!(logs.count(&mut transaction).await.unwrap().value(), 20);
    let found = logs.clone().search("refused");
    assert_eq!(found.list(&mut transaction).await.unwrap().data.len(), 20);
    assert_eq!(setting(&mut transaction, "statement_timeout").await, "19s");
    // An error of Lookback itself leaves the transaction usable and the setting unchanged.
    assert!(
        logs.get(&mut transaction, 99)
            .await
            .unwrap_err()
            .is_not_found()
    );
    assert_eq!(setting(&mut transaction, "statement_timeout").await, "19s");
    transaction.rollback().await.unwrap();
    assert_eq!(setting(&mut conn, "statement_timeout").await, "17s");
}

#[tokio::test]
async fn read_without_timeout_obeys_statement_timeout_of_server() {
    let db = filled().await;
    let _lock = locked(&db).await;
    let mut conn = PgConnection::connect(&db.url).await.unwrap();
    conn.execute("SET statement_timeout = '40ms'")
        .await
        .unwrap();
    for logs in [Log::records(), Log::records().timeout(Duration::ZERO)] {
        let error = logs.list(&mut conn).await.unwrap_err();
        assert!(error.is_timeout() && !error.is_too_slow(), "{error:?}");
    }
}

#[tokio::test]
async fn dropped_read_with_timeout_is_stopped_by_server() {
    let db = filled().await;
    let pool = pool_of_one(&db).await;
    let lock = locked(&db).await;
    for query in [
        Log::records().timeout(LONG),
        Log::records().timeout(LONG).search("refused"),
    ] {
        let dropped = tokio::time::timeout(SHORT, query.list(&pool)).await;
        dropped.unwrap_err();
    }
    // The read would wait for its lock for a minute; the server checks its client each second.
    let waiting = async || -> i64 {
        sqlx::query_scalar(
            "SELECT count(*) FROM pg_stat_activity \
             WHERE datname = current_database() AND wait_event_type = 'Lock'",
        )
        .fetch_one(&db.pool)
        .await
        .unwrap()
    };
    let mut checks = 0;
    while waiting().await > 0 {
        checks += 1;
        assert!(checks < 100, "the server still runs the read after 10 s");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    drop(lock);
    assert_eq!(Log::records().count(&pool).await.unwrap().value(), 20);
}

#[tokio::test]
async fn connection_of_caller_is_usable_after_dropped_read() {
    let db = filled().await;
    let mut conn = PgConnection::connect(&db.url).await.unwrap();
    for microseconds in [0, 200, 500, 900, 1_500, 3_000] {
        let short = Duration::from_micros(microseconds);
        let read = Log::records().timeout(LONG);
        let _ = tokio::time::timeout(short, read.count(&mut conn)).await;
        let all = Log::records().count(&mut conn).await.unwrap();
        assert_eq!(all.value(), 20);
    }
}

#[tokio::test]
async fn stream_and_writes_with_timeout_are_refused() {
    use futures_util::TryStreamExt as _;
    let db = filled().await;
    let logs = Log::records().timeout(LONG);
    let every = logs.clone().filter(Filter::all());
    let new = NewLog::new("API", Level::Info, "new");
    let errors = [
        logs.stream(&db.pool).try_next().await.unwrap_err(),
        logs.create(&db.pool, new.clone()).await.unwrap_err(),
        logs.create_many(&db.pool, &[new]).await.unwrap_err(),
        logs.delete(&db.pool, 1).await.unwrap_err(),
        logs.restore(&db.pool, 1).await.unwrap_err(),
        logs.hard_delete(&db.pool, 1).await.unwrap_err(),
        every.delete_all(&db.pool).await.unwrap_err(),
    ];
    for error in errors {
        assert!(error.is_invalid(), "{error:?}");
        assert_eq!(error.fields()[0].field, "timeout", "{error:?}");
    }
}
