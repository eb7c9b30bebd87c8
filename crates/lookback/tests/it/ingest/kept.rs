//! Numbered log lines, and which of them a table holds.

use lookback::ingest::Writer;
use lookback::{Level, Log, NewLog};
use serde_json::json;
use sqlx::{AssertSqlSafe, PgPool, Row as _};

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
        .batch_age(std::time::Duration::from_millis(20))
        .start(pool)
        .await
        .unwrap()
}
