//! Lists in the order of a time, against all records sorted here.

use std::cmp::Reverse;

use chrono::{DateTime, TimeDelta, Utc};
use lookback::maintenance::sealing::{self, Sealer};
use lookback::query::{Cursor, Order};
use lookback::{Filter, Level, Log, LogPatch, Model as _, NewLog, QueryBuilder};
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use sqlx::{Executor as _, PgConnection};

use crate::sealing::seal_all;

fn start() -> DateTime<Utc> {
    "2026-01-01T00:00:00Z".parse().unwrap()
}

fn at(seconds: i64) -> DateTime<Utc> {
    start() + TimeDelta::seconds(seconds)
}

/// Makes lines one second apart. Every 30,000th has another source, and every 97th was stored
/// up to half an hour late.
async fn fill(conn: &mut PgConnection, rows: i64) {
    sqlx::query(
        "INSERT INTO logs (source, level, message, created_at) \
         SELECT CASE n % 30000 WHEN 7 THEN 'RARE' ELSE 'API' END, \
           CASE n % 10 WHEN 0 THEN 'error' ELSE 'info' END, 'line ' || n, \
           $1 + (CASE n % 97 WHEN 0 THEN greatest(n / 2, n - 2000) ELSE n END) * interval '1 second' \
         FROM generate_series(1, $2) AS n",
    )
    .bind(start())
    .bind(rows)
    .execute(&mut *conn)
    .await
    .unwrap();
}

/// The seconds of a line of [`fill`].
fn time_of(id: i64) -> i64 {
    if id % 97 == 0 {
        (id / 2).max(id - 2_000)
    } else {
        id
    }
}

/// Returns the number of records that the transaction, and others of its connection shortly
/// before it, have read.
async fn read(conn: &mut PgConnection) -> i64 {
    let sql = "SELECT coalesce(sum(seq_tup_read + idx_tup_fetch), 0)::bigint \
               FROM pg_stat_xact_user_tables WHERE relname LIKE 'logs%'";
    sqlx::query_scalar(sql).fetch_one(conn).await.unwrap()
}

async fn ids(conn: &mut PgConnection, query: &QueryBuilder<Log>) -> Vec<i64> {
    let page = query.list(conn).await.unwrap();
    page.data.iter().map(|log| log.id).collect()
}

#[tokio::test]
async fn list_by_time_reads_only_nearest_records() {
    const ROWS: i64 = 300_000;
    let db = testkit::database().await;
    let mut conn = db.pool.acquire().await.unwrap();
    fill(&mut conn, ROWS).await;
    let mut sealer = Sealer::new(Log::TABLE, 4_096).unwrap();
    seal_all(&mut conn, &mut sealer).await;
    conn.execute("VACUUM (ANALYZE) logs").await.unwrap();
    let every = Filter::all();
    let rare = || Log::source().eq("RARE");
    type Passes = fn(i64) -> bool;
    let cases: [(Filter<Log>, Passes, i64); 5] = [
        (every, |_| true, 20_000),
        (Log::level().eq("error"), |id| id % 10 == 0, 30_000),
        // The index knows where these are.
        (rare(), |id| id % 30_000 == 7, 120_000),
        (
            Log::created_at().lt(at(200_000)) & Log::level().eq("error"),
            |id| id % 10 == 0 && time_of(id) < 200_000,
            60_000,
        ),
        // Nobody has it: the index says so.
        (Log::source().eq("NOBODY"), |_| false, 20_000),
    ];
    for (filter, passes, most) in cases {
        for descending in [true, false] {
            let mut expected: Vec<(i64, Reverse<i64>)> = (1..=ROWS)
                .filter(|id| passes(*id))
                .map(|id| (time_of(id), Reverse(id)))
                .collect();
            expected.sort_unstable();
            if descending {
                // The newest id breaks ties in both directions.
                expected.sort_unstable_by_key(|(time, id)| (Reverse(*time), *id));
            }
            let expected: Vec<i64> = expected.into_iter().map(|(_, id)| id.0).collect();
            let order = if descending {
                Log::created_at().desc()
            } else {
                Log::created_at().asc()
            };
            let query = Log::records()
                .filter(filter.clone())
                .order_by(order)
                .limit(20)
                .without_total();
            let mut transaction = db.pool.begin().await.unwrap();
            let before = read(&mut transaction).await;
            let page = query.list(&mut transaction).await.unwrap();
            let found: Vec<i64> = page.data.iter().map(|log| log.id).collect();
            assert_eq!(found, expected[..expected.len().min(20)], "{filter:?}");
            let after = read(&mut transaction).await;
            let count = after - before;
            assert!(count < most, "{filter:?}: {count} of {ROWS} were read");
            let Some(next) = page.next else { continue };
            let second = query.clone().after(&next).list(&mut transaction).await;
            let second: Vec<i64> = second.unwrap().data.iter().map(|log| log.id).collect();
            assert_eq!(second, expected[20..expected.len().min(40)], "{filter:?}");
            let more = read(&mut transaction).await - after;
            assert!(more < most, "{filter:?}: {more} were read for page 2");
        }
    }
}

/// Sealing summarises the new pages of the table in its index, and autovacuum may come later.
#[tokio::test]
async fn list_by_time_after_sealing_needs_no_vacuum() {
    const ROWS: i64 = 120_000;
    let db = testkit::database().await;
    let mut conn = db.pool.acquire().await.unwrap();
    conn.execute("ALTER TABLE logs_p0000000000000000 SET (autovacuum_enabled = off)")
        .await
        .unwrap();
    fill(&mut conn, ROWS).await;
    let mut sealer = Sealer::new(Log::TABLE, 4_096).unwrap();
    seal_all(&mut conn, &mut sealer).await;
    conn.execute("ANALYZE logs").await.unwrap();
    let mut transaction = db.pool.begin().await.unwrap();
    let before = read(&mut transaction).await;
    let newest = Log::records()
        .order_by(Log::created_at().desc())
        .limit(2)
        .without_total();
    assert_eq!(ids(&mut transaction, &newest).await, [ROWS, ROWS - 1]);
    let count = read(&mut transaction).await - before;
    assert!(count < ROWS / 4, "{count} of {ROWS} were read");
}

/// Records that were imported the latest first: ids are in the opposite order of times.
#[tokio::test]
async fn list_by_time_of_records_in_another_order_reads_their_segments() {
    const ROWS: i64 = 600_000;
    let db = testkit::database().await;
    let mut conn = db.pool.acquire().await.unwrap();
    sqlx::query(
        "INSERT INTO logs (source, level, message, created_at) \
         SELECT 'API', 'info', 'line ' || n, $1 + ((60 - n / 10000) * 10000 + n % 10000) * interval '1 second' \
         FROM generate_series(1, $2) AS n",
    )
    .bind(start())
    .bind(ROWS)
    .execute(&mut *conn)
    .await
    .unwrap();
    let mut sealer = Sealer::new(Log::TABLE, 10_000).unwrap();
    seal_all(&mut conn, &mut sealer).await;
    conn.execute("VACUUM (ANALYZE) logs").await.unwrap();
    let mut transaction = db.pool.begin().await.unwrap();
    let before = read(&mut transaction).await;
    let newest = Log::records()
        .order_by(Log::created_at().desc())
        .limit(3)
        .without_total();
    assert_eq!(ids(&mut transaction, &newest).await, [9_999, 9_998, 9_997]);
    let count = read(&mut transaction).await - before;
    assert!(count < ROWS / 2, "{count} of {ROWS} were read");
    let oldest = newest.clone();
    let oldest = oldest.order_by(Log::id().asc());
    assert_eq!(ids(&mut transaction, &oldest).await, [9_999, 9_998, 9_997]);
}

/// An event between two lists.
#[derive(Clone, Debug)]
enum Event {
    /// Seconds, and the numbers of level and source.
    Add(Vec<(i64, usize, usize)>),
    Seal,
    Delete(Vec<usize>),
    HardDelete(Vec<usize>),
    Restore,
    Patch(Vec<usize>),
    /// By another program: another time, level and source.
    Change(Vec<usize>, i64, usize, usize),
    /// By another program: under an id that was deleted, or that none has.
    Insert(i64, i64, usize),
    Unseal,
}

const LEVELS: [&str; 4] = ["debug", "info", "warn", "error"];
const SOURCES: [&str; 4] = ["API", "DB", "WORKER", "RARE"];

fn event() -> impl Strategy<Value = Event> {
    let places = || prop::collection::vec(0..3_000_usize, 1..6);
    let seconds = || prop_oneof![4 => 0..200_i64, 1 => -5_000..10_000_i64];
    let added = (seconds(), 0..4_usize, 0..4_usize);
    prop_oneof![
        4 => prop::collection::vec(added, 1..300).prop_map(Event::Add),
        3 => Just(Event::Seal),
        2 => places().prop_map(Event::Delete),
        1 => places().prop_map(Event::HardDelete),
        1 => Just(Event::Restore),
        1 => places().prop_map(Event::Patch),
        3 => (places(), seconds(), 0..4_usize, 0..4_usize)
            .prop_map(|(places, time, level, source)| Event::Change(places, time, level, source)),
        2 => (1..4_000_i64, seconds(), 0..4_usize)
            .prop_map(|(id, time, source)| Event::Insert(id, time, source)),
        1 => Just(Event::Unseal),
    ]
}

/// What is asked: direction, limit, number of a level and of a source, offset, and the least and
/// the greatest time.
type Question = (
    bool,
    u32,
    Option<usize>,
    Option<usize>,
    u64,
    Option<i64>,
    Option<i64>,
);

fn question() -> impl Strategy<Value = Question> {
    let time = || prop::option::of(-100..300_i64);
    (
        any::<bool>(),
        prop_oneof![1..5_u32, 5..60_u32, 200..400_u32],
        prop::option::of(0..4_usize),
        prop::option::weighted(0.3, 0..4_usize),
        prop_oneof![3 => Just(0_u64), 1 => 1..50_u64],
        time(),
        time(),
    )
}

#[tokio::test]
async fn pages_by_time_equal_all_records_sorted_after_any_changes() {
    let db = testkit::database().await;
    let mut conn = db.pool.acquire().await.unwrap();
    let mut runner = crate::random::runner(10);
    let strategy = (
        prop_oneof![1..5_i64, 20..400_i64],
        prop::collection::vec((event(), prop::collection::vec(question(), 3)), 3..12),
    );
    for _ in 0..runner.config().cases {
        let (segment, events) = strategy.new_tree(&mut runner).unwrap().current();
        conn.execute("TRUNCATE logs RESTART IDENTITY")
            .await
            .unwrap();
        sealing::unseal(&mut conn, Log::TABLE).await.unwrap();
        let mut sealer = Sealer::new(Log::TABLE, segment).unwrap();
        fill(&mut conn, 1_500).await;
        for (event, questions) in &events {
            apply(&mut conn, &mut sealer, event).await;
            for question in questions {
                compare(&mut conn, question, &format!("{event:?}")).await;
            }
        }
    }
}

async fn apply(conn: &mut PgConnection, sealer: &mut Sealer, event: &Event) {
    let all: Vec<i64> = sqlx::query_scalar("SELECT id FROM logs ORDER BY id")
        .fetch_all(&mut *conn)
        .await
        .unwrap();
    let some = |places: &[usize]| -> Vec<i64> {
        places.iter().map(|place| all[place % all.len()]).collect()
    };
    let records = |places: &[usize]| Log::records().filter(Log::id().is_in(some(places)));
    match event {
        Event::Add(rows) => {
            let line = |(seconds, level, source): &(i64, usize, usize)| {
                let level: Level = LEVELS[*level].parse().unwrap();
                let mut new = NewLog::new(SOURCES[*source], level, "added");
                new.created_at = Some(at(*seconds));
                new
            };
            let new: Vec<NewLog> = rows.iter().map(line).collect();
            Log::records().create_many(conn, &new).await.unwrap();
        }
        Event::Seal => drop(seal_all(conn, sealer).await),
        Event::Delete(places) => drop(records(places).delete_all(conn).await.unwrap()),
        Event::HardDelete(places) => drop(records(places).hard_delete_all(conn).await.unwrap()),
        Event::Restore => {
            let all = Log::records().only_deleted().filter(Filter::all());
            all.restore_all(conn).await.unwrap();
        }
        Event::Patch(places) => {
            let patch = LogPatch::new().source("RARE");
            records(places).update_all(conn, patch).await.unwrap();
        }
        Event::Change(places, seconds, level, source) => {
            let sql = "UPDATE logs SET created_at = $1, level = $2, source = $3 WHERE id = ANY($4)";
            sqlx::query(sql)
                .bind(at(*seconds))
                .bind(LEVELS[*level])
                .bind(SOURCES[*source])
                .bind(some(places))
                .execute(conn)
                .await
                .unwrap();
        }
        Event::Insert(id, seconds, source) => {
            let sql = "INSERT INTO logs (id, source, level, message, created_at) \
                       OVERRIDING SYSTEM VALUE SELECT $1, $2, 'info', 'inserted', $3 \
                       WHERE NOT EXISTS (SELECT FROM logs WHERE id = $1) \
                       AND $1 <= (SELECT last_value FROM logs_id_seq)";
            sqlx::query(sql)
                .bind(id)
                .bind(SOURCES[*source])
                .bind(at(*seconds))
                .execute(conn)
                .await
                .unwrap();
        }
        Event::Unseal => sealing::unseal(conn, Log::TABLE).await.unwrap(),
    }
}

async fn compare(conn: &mut PgConnection, question: &Question, label: &str) {
    let (descending, limit, level, source, offset, from, to) = *question;
    let order: Order<Log> = if descending {
        Log::created_at().desc()
    } else {
        Log::created_at().asc()
    };
    let mut query = Log::records().order_by(order).limit(limit);
    if let Some(level) = level {
        query = query.filter(Log::level().eq(LEVELS[level]));
    }
    if let Some(source) = source {
        query = query.filter(Log::source().eq(SOURCES[source]));
    }
    if let Some(from) = from {
        query = query.filter(Log::created_at().gte(at(from)));
    }
    if let Some(to) = to {
        query = query.filter(Log::created_at().lt(at(to)));
    }
    // Without anything that could serve it but a scan.
    let all: Vec<(i64, DateTime<Utc>, String, String)> = sqlx::query_as(
        "SELECT id, created_at, level, source FROM logs WHERE deleted_at IS NULL OFFSET 0",
    )
    .fetch_all(&mut *conn)
    .await
    .unwrap();
    let mut expected: Vec<(DateTime<Utc>, Reverse<i64>)> = all
        .into_iter()
        .filter(|(_, time, of_level, of_source)| {
            level.is_none_or(|level| LEVELS[level] == *of_level)
                && source.is_none_or(|source| SOURCES[source] == *of_source)
                && from.is_none_or(|from| *time >= at(from))
                && to.is_none_or(|to| *time < at(to))
        })
        .map(|(id, time, ..)| (time, Reverse(id)))
        .collect();
    if descending {
        expected.sort_unstable_by_key(|(time, id)| (Reverse(*time), *id));
    } else {
        expected.sort_unstable();
    }
    let expected: Vec<i64> = expected.into_iter().map(|(_, id)| id.0).collect();
    let label = format!("{question:?} after {label}");

    let page = query.clone().offset(offset).list(&mut *conn).await.unwrap();
    assert_eq!(page.total.value(), expected.len() as u64, "{label}");
    let found: Vec<i64> = page.data.iter().map(|log| log.id).collect();
    let begin = expected.len().min(offset as usize);
    let end = expected.len().min(begin + limit as usize);
    assert_eq!(found, expected[begin..end], "{label}");

    // By cursor, a few pages there and back.
    let query = query.without_total();
    let (mut cursor, mut at): (Option<Cursor>, usize) = (None, 0);
    for _ in 0..4 {
        let next = match &cursor {
            Some(cursor) => query.clone().after(cursor),
            None => query.clone(),
        };
        let page = next.list(&mut *conn).await.unwrap();
        let found: Vec<i64> = page.data.iter().map(|log| log.id).collect();
        let end = expected.len().min(at + limit as usize);
        assert_eq!(found, expected[at..end], "{label}: page from {at}");
        at = end;
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    if let Some(cursor) = &cursor {
        let last = at - 1;
        let page = query.before(cursor).list(&mut *conn).await.unwrap();
        let found: Vec<i64> = page.data.iter().map(|log| log.id).collect();
        let begin = last.saturating_sub(limit as usize);
        assert_eq!(found, expected[begin..last], "{label}: before {last}");
    }
}
