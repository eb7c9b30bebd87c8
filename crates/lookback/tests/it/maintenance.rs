//! Maintenance of partitions, and retention.

use std::time::{Duration, Instant};

use lookback::maintenance::{self, Partition};
use lookback::{Level, Log, Model as _, NewLog};
use sqlx::{AssertSqlSafe, PgPool, Row as _};

mod first_partitions;
mod orphans;
mod precreating;
mod retention;
mod worker;

/// The longest wait for an event: only failures wait for that long, however busy the
/// machine is.
pub(crate) const END: Duration = Duration::from_secs(120);

/// Waits until a condition holds.
pub(crate) async fn until(what: &str, mut condition: impl AsyncFnMut() -> bool) {
    let begun = Instant::now();
    while !condition().await {
        assert!(begun.elapsed() < END, "{what}: not within {END:?}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Terminates a session, and waits until it is gone: it holds its locks for a moment
/// longer than `pg_terminate_backend` takes.
pub(crate) async fn terminate(pool: &PgPool, pid: i32) {
    execute(pool, &format!("SELECT pg_terminate_backend({pid})")).await;
    let sessions = format!("SELECT count(*) FROM pg_stat_activity WHERE pid = {pid}");
    until("the end of a session", async || {
        number(pool, &sessions).await == 0
    })
    .await;
}

/// Log lines with these numbers as messages.
fn lines(numbers: std::ops::Range<usize>) -> Vec<NewLog> {
    numbers
        .map(|number| NewLog::new("API", Level::Info, format!("line {number}")))
        .collect()
}

async fn partitions(pool: &PgPool) -> Vec<Partition> {
    let mut conn = pool.acquire().await.unwrap();
    maintenance::partitions(&mut conn, Log::TABLE)
        .await
        .unwrap()
}

/// The partitions of logs, each with its bounds and its rows.
async fn layout(pool: &PgPool) -> String {
    let mut text = String::new();
    for partition in partitions(pool).await {
        let end = |end: Option<i64>| end.map_or("-".to_owned(), |end| end.to_string());
        let rows = number(pool, &format!("SELECT count(*) FROM {}", partition.name)).await;
        text.push_str(&format!(
            "{} {}..{} {rows}\n",
            partition.name,
            end(partition.from),
            end(partition.to)
        ));
    }
    text
}

async fn number(pool: &PgPool, sql: &str) -> i64 {
    sqlx::query(AssertSqlSafe(sql.to_owned()))
        .fetch_one(pool)
        .await
        .unwrap()
        .get(0)
}

async fn execute(pool: &PgPool, sql: &str) {
    sqlx::raw_sql(AssertSqlSafe(sql.to_owned()))
        .execute(pool)
        .await
        .unwrap();
}
