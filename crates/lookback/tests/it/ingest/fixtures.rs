//! Numbered log lines, the stored ones, and waiting for events.

use std::time::{Duration, Instant};

use lookback::ingest::Writer;
use lookback::json;
use lookback::{Level, Log, NewLog};
use sqlx::{AssertSqlSafe, PgPool, Row as _};

/// The longest wait for an event: only failures wait for that long, however busy the
/// machine is.
pub(crate) const WAIT_LIMIT: Duration = Duration::from_secs(120);

/// Waits until a condition holds.
pub(crate) async fn until(what: &str, condition: impl AsyncFn() -> bool) {
    let begun = Instant::now();
    while !condition().await {
        assert!(
            begun.elapsed() < WAIT_LIMIT,
            "not within {WAIT_LIMIT:?}: {what}"
        );
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Waits for a future to complete.
pub(crate) async fn within<T>(what: &str, work: impl Future<Output = T>) -> T {
    let ended = tokio::time::timeout(WAIT_LIMIT, work).await;
    ended.unwrap_or_else(|_| panic!("not within {WAIT_LIMIT:?}: {what}"))
}

/// A log line of this number.
pub(crate) fn numbered(n: i64) -> NewLog {
    NewLog::new("API", Level::Info, format!("order {n} was stored")).meta(json!({ "n": n }))
}

/// Counts each stored number, in order.
pub(crate) async fn stored(pool: &PgPool) -> Vec<(i64, i64)> {
    let rows = sqlx::query(
        "SELECT (meta->>'n')::bigint AS n, count(*) AS times FROM logs GROUP BY 1 ORDER BY 1",
    )
    .fetch_all(pool)
    .await
    .unwrap();
    let row = |row: &sqlx::postgres::PgRow| (row.get("n"), row.get("times"));
    rows.iter().map(row).collect()
}

pub(crate) async fn execute(pool: &PgPool, sql: &str) {
    sqlx::raw_sql(AssertSqlSafe(sql.to_owned()))
        .execute(pool)
        .await
        .unwrap();
}

pub(crate) async fn number(pool: &PgPool, sql: &str) -> i64 {
    let row = sqlx::query(AssertSqlSafe(sql.to_owned())).fetch_one(pool);
    row.await.unwrap().get(0)
}

/// A writer of logs with small batches.
pub(crate) async fn small_batches(pool: &PgPool) -> Writer<Log> {
    Writer::builder()
        .batch(100, 1 << 20)
        .batch_age(Duration::from_millis(20))
        .start(pool)
        .await
        .unwrap()
}
