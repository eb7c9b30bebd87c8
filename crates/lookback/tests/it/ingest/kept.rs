//! Numbered log lines, which of them a table holds, and waiting for it.

use std::time::{Duration, Instant};

use lookback::ingest::Writer;
use lookback::json;
use lookback::{Level, Log, NewLog};
use sqlx::{AssertSqlSafe, PgPool, Row as _};

/// How long a test waits for what has to come: no machine is so busy that it
/// takes as long, and what never comes fails the test and does not hold it up.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// Waits until something is so.
pub(crate) async fn until(what: &str, is_so: impl AsyncFn() -> bool) {
    let begun = Instant::now();
    while !is_so().await {
        assert!(begun.elapsed() < PATIENCE, "in {PATIENCE:?} not: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Waits for the end of something.
pub(crate) async fn within<T>(what: &str, work: impl Future<Output = T>) -> T {
    let ended = tokio::time::timeout(PATIENCE, work).await;
    ended.unwrap_or_else(|_| panic!("in {PATIENCE:?} not: {what}"))
}

/// A log line of this number.
pub(crate) fn numbered(n: i64) -> NewLog {
    NewLog::new("API", Level::Info, format!("order {n} was stored")).meta(json!({ "n": n }))
}

/// How often each number is in the table, in their order.
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
