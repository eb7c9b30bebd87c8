//! Lists with a time filter, newest id first.

use chrono::{DateTime, TimeDelta, Utc};
use lookback::{Filter, Log, QueryBuilder};
use sqlx::Executor as _;

use testkit::sample::Random;

fn start() -> DateTime<Utc> {
    "2026-01-01T00:00:00Z".parse().unwrap()
}

/// Makes lines one second apart, some of them inserted much later.
async fn filled(rows: i64) -> testkit::Database {
    let db = testkit::database().await;
    sqlx::query(
        "INSERT INTO logs (source, level, message, created_at) \
         SELECT 'API', CASE n % 10 WHEN 0 THEN 'error' ELSE 'info' END, 'line ' || n, \
         $1 + (CASE n % 97 WHEN 0 THEN n / 2 ELSE n END) * interval '1 second' \
         FROM generate_series(1, $2) AS n",
    )
    .bind(start())
    .bind(rows)
    .execute(&db.pool)
    .await
    .unwrap();
    db.pool.execute("VACUUM (ANALYZE) logs").await.unwrap();
    db
}

fn between(from: i64, to: i64) -> Filter<Log> {
    let time = |seconds| start() + TimeDelta::seconds(seconds);
    Log::created_at().gte(time(from)) & Log::created_at().lt(time(to))
}

async fn ids(query: &QueryBuilder<Log>, db: &testkit::Database) -> Vec<i64> {
    let page = query.list(&db.pool).await.unwrap();
    page.data.iter().map(|log| log.id).collect()
}

#[tokio::test]
async fn list_with_time_filter_reads_only_that_time() {
    let db = filled(200_000).await;
    let mut transaction = db.pool.begin().await.unwrap();
    let query = Log::records()
        .filter(between(4_000, 7_600))
        .limit(20)
        .without_total();
    let page = query.list(&mut transaction).await.unwrap();
    // Some ids from 8,000 on are of that hour, too: their time is that of half the id.
    assert_eq!(page.data[0].id, 15_132);
    let read: i64 = sqlx::query_scalar(
        "SELECT sum(seq_tup_read + idx_tup_fetch)::bigint FROM pg_stat_xact_user_tables \
         WHERE relname LIKE 'logs%'",
    )
    .fetch_one(&mut *transaction)
    .await
    .unwrap();
    assert!(read < 40_000, "{read} of 200,000 records were read");
}

#[tokio::test]
async fn pages_with_time_filter_equal_records_of_that_time() {
    const ROWS: i64 = 6_000;
    let db = filled(ROWS).await;
    let time_of = |id: i64| if id % 97 == 0 { id / 2 } else { id };
    let mut random = Random::new(3);
    for _ in 0..20 {
        let from = i64::try_from(random.below(6_000)).unwrap();
        let to = from + i64::try_from(random.below(2_500)).unwrap();
        let errors = random.below(2) == 0;
        let mut query = Log::records().filter(between(from, to)).limit(70);
        if errors {
            query = query.filter(Log::level().eq("error"));
        }
        let expected: Vec<i64> = (1..=ROWS)
            .rev()
            .filter(|id| (from..to).contains(&time_of(*id)) && (!errors || id % 10 == 0))
            .collect();
        let (mut found, mut next): (Vec<i64>, Option<lookback::query::Cursor>) = (Vec::new(), None);
        loop {
            let page = match next.take() {
                None => query.clone(),
                Some(cursor) => query.clone().after(&cursor),
            };
            let page = page.list(&db.pool).await.unwrap();
            assert_eq!(page.total.value(), expected.len() as u64);
            found.extend(page.data.iter().map(|log| log.id));
            next = page.next;
            if next.is_none() {
                break;
            }
        }
        assert_eq!(found, expected, "from {from} to {to}");
        let offset = expected.len() / 3;
        let some = ids(&query.clone().offset(offset as u64), &db).await;
        let end = expected.len().min(offset + 70);
        assert_eq!(some, expected[offset..end]);
    }
}
