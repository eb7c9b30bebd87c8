//! Orphans: the time between dropping a partition and deleting its summaries.

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use lookback::maintenance::sealing::Sealer;
use lookback::maintenance::{
    self, MaintenanceOptions, MaintenanceWorker, PrecreateOptions, PrunePlan, PruneReport,
    RetentionPolicy, plan_prune, precreate_partitions,
};
use lookback::{Level, Log, LogPatch, Model as _, NewLog, QueryBuilder};
use sqlx::{Connection as _, PgConnection, PgPool, Postgres, Transaction};

use super::{END, execute, number, terminate, until};
use crate::sealing::seal_all;
use crate::time;

const IDS: i64 = 500;

fn options() -> PrecreateOptions {
    let mut options = PrecreateOptions::default();
    options.ids_per_partition = IDS;
    options
}

fn hour(number: i64) -> DateTime<Utc> {
    time("2026-01-01T00:00:00Z") + TimeDelta::hours(number)
}

/// A word without a digit for each number.
fn word(number: i64) -> String {
    let letter = |part: i64| char::from(b'a' + u8::try_from(part % 26).unwrap());
    [number, number / 26, number / 676]
        .map(letter)
        .iter()
        .collect()
}

/// The line with this id. The partition that begins with `many` has templates of its
/// own, and more of them than a search reads.
fn line(id: i64, many: i64) -> NewLog {
    let message = match ((many..many + IDS).contains(&id), id % 5) {
        (true, 0..3) => format!("gate {} is open, number {id}", word(id)),
        (_, 0) => format!("gate {} is open", word(id % 40)),
        (_, 1) => format!("refused order {id} by bank"),
        (_, 2) => format!("session x{id}y has ended"),
        _ => format!("order {id} is shipped"),
    };
    let level = match id % 7 {
        0 => Level::Error,
        _ => Level::Info,
    };
    NewLog::new("API", level, message).created_at(hour(id))
}

/// Lines up to this id, an hour apart, in partitions of 500, sealed by `segment`.
async fn filled(last: i64, segment: i64, many: i64) -> testkit::Database {
    let db = testkit::database_without_ranges().await;
    precreate_partitions(&db.pool, Log::TABLE, &options())
        .await
        .unwrap();
    let lines: Vec<NewLog> = (1..=last).map(|id| line(id, many)).collect();
    for lines in lines.chunks(250) {
        Log::records().create_many(&db.pool, lines).await.unwrap();
        precreate_partitions(&db.pool, Log::TABLE, &options())
            .await
            .unwrap();
    }
    seal(&db.pool, segment).await;
    db
}

async fn seal(pool: &PgPool, segment: i64) {
    let mut conn = pool.acquire().await.unwrap();
    seal_all(&mut conn, &mut Sealer::new(Log::TABLE, segment).unwrap()).await;
}

/// Takes the lock of the summaries, as a process that seals a segment does.
async fn sealing(pool: &PgPool) -> Transaction<'static, Postgres> {
    let mut lock = pool.begin().await.unwrap();
    sqlx::query(
        "SELECT pg_advisory_xact_lock(\
           hashtextextended('lookback seal logs ' || current_schema(), 0))",
    )
    .execute(&mut *lock)
    .await
    .unwrap();
    lock
}

/// The number of sessions that wait for that lock.
const WAITING: &str = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted \
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";

/// How long a prune waits for this lock before it leaves the rest to others.
const PATIENCE: Duration = Duration::from_secs(10);

/// A plan to delete lines older than this one.
async fn plan(pool: &PgPool, id: i64) -> PrunePlan {
    let mut conn = pool.acquire().await.unwrap();
    let policy = RetentionPolicy::default().older_than(Duration::ZERO);
    plan_prune(&mut conn, Log::TABLE, &policy, hour(id))
        .await
        .unwrap()
}

/// Deletes lines older than this one.
async fn prune_before(pool: PgPool, id: i64) -> PruneReport {
    let plan = plan(&pool, id).await;
    maintenance::prune(&pool, Log::TABLE, &plan, &mut |_| ControlFlow::Continue(()))
        .await
        .unwrap()
}

/// Like `prune_before`, started while a segment is being sealed.
async fn prune_after_sealing(pool: &PgPool, id: i64) -> PruneReport {
    let begun = Instant::now();
    let lock = sealing(pool).await;
    let task = tokio::spawn(prune_before(pool.clone(), id));
    until("a prune that waits", async || {
        task.is_finished() || number(pool, WAITING).await > 0
    })
    .await;
    lock.rollback().await.unwrap();
    let done = task.await.unwrap();
    if begun.elapsed() >= PATIENCE {
        // On a machine that is too busy, it may have left the rest to others.
        prune_before(pool.clone(), id).await;
    }
    done
}

/// Kills a prune of older lines when its partitions are dropped, but their summaries
/// are not deleted yet.
async fn kill_halfway(pool: &PgPool, id: i64) {
    let plan = plan(pool, id).await;
    assert!(!plan.partitions.is_empty());
    let mut conn = PgConnection::connect_with(&pool.connect_options())
        .await
        .unwrap();
    let pid: i32 = sqlx::query_scalar("SELECT pg_backend_pid()")
        .fetch_one(&mut conn)
        .await
        .unwrap();
    let lock = sealing(pool).await;
    let names: Vec<String> = plan.partitions.iter().map(|p| p.name.clone()).collect();
    let task = tokio::spawn(async move {
        maintenance::prune(&mut conn, Log::TABLE, &plan, &mut |_| {
            ControlFlow::Continue(())
        })
        .await
    });
    until("a prune that waits", async || {
        task.is_finished() || number(pool, WAITING).await > 0
    })
    .await;
    // Killed at any point of its lock retry: it may be pausing between two attempts.
    terminate(pool, pid).await;
    // The prune has failed, or had left the rest to others before: the result is the same.
    let _ = task.await.unwrap();
    for name in names {
        let there = format!("SELECT count(*) FROM pg_class WHERE relname = '{name}'");
        assert_eq!(number(pool, &there).await, 0, "{name}");
    }
    lock.rollback().await.unwrap();
}

/// Blocks and postings of ids before this one, and templates without postings.
async fn left(pool: &PgPool, id: i64) -> (i64, i64) {
    let below = format!(
        "SELECT (SELECT count(*) FROM search_blocks WHERE last_id < {id}) \
           + (SELECT count(*) FROM search_postings WHERE last_id < {id})"
    );
    let unused = "SELECT count(*) FROM search_templates AS t \
        WHERE NOT EXISTS (SELECT FROM search_postings WHERE template_id = t.id)";
    (number(pool, &below).await, number(pool, unused).await)
}

async fn segments(pool: &PgPool) -> Vec<(i64, i64)> {
    sqlx::query_as(
        "SELECT first_id, last_id FROM sealed_segments WHERE NOT is_tombstone ORDER BY first_id",
    )
    .fetch_all(pool)
    .await
    .unwrap()
}

/// The hits of a query and their number, by summaries or from all records.
async fn hits(
    pool: &PgPool,
    query: &QueryBuilder<Log>,
    cost: &str,
) -> (Vec<(i64, f32)>, lookback::query::Total) {
    let mut conn = pool.acquire().await.unwrap();
    sqlx::query("SELECT set_config('lookback.scan_cost', $1, FALSE)")
        .bind(cost)
        .execute(&mut *conn)
        .await
        .unwrap();
    let hits = query.hits(&mut *conn).await.unwrap();
    let ranked = hits.data.iter().map(|hit| (hit.record.id, hit.score));
    (ranked.collect(), hits.total)
}

/// Checks that searches find and count the same as reading every record does.
async fn compare(pool: &PgPool, when: &str) {
    let records = Log::records();
    let mut queries: Vec<(String, QueryBuilder<Log>)> = Vec::new();
    for words in [
        "gate open",
        "opened gates",
        "\"is open\"",
        "refused bank",
        "session ended",
        "x1202y",
        "gate 7",
        "shiped",
    ] {
        let query = records.clone().search(words).limit(30);
        let late = Log::created_at().gte(hour(IDS / 2)) & Log::created_at().lt(hour(3 * IDS));
        queries.push((words.to_owned(), query.clone()));
        queries.push((format!("{words}, late"), query.clone().filter(late)));
        let errors = Log::level().eq(Level::Error);
        queries.push((format!("{words}, errors"), query.filter(errors)));
    }
    let ids: Vec<i64> = sqlx::query_scalar("SELECT id FROM logs ORDER BY id DESC LIMIT 12")
        .fetch_all(pool)
        .await
        .unwrap();
    for id in ids {
        let query = records.clone().similar_to(id).limit(30);
        queries.push((format!("similar to {id}"), query));
    }
    for (what, query) in queries {
        let expected = hits(pool, &query, "1e300").await;
        let found = hits(pool, &query, "-1").await;
        assert_eq!(found, expected, "{what}, {when}");
    }
}

/// A record with an id of a dropped partition, in the default partition.
const BACK: &str = "INSERT INTO logs (id, created_at, source, level, message) \
    OVERRIDING SYSTEM VALUE \
    VALUES (7, '2026-06-01T00:00:00Z', 'API', 'info', 'gate seven is back, and open')";

#[tokio::test]
async fn searches_and_updates_ignore_orphans() {
    let db = filled(2_340, 50, 0).await;
    kill_halfway(&db.pool, 600).await;
    assert_eq!(
        number(&db.pool, "SELECT count(*) FROM logs").await,
        2_340 - 499
    );
    let (below, _) = left(&db.pool, IDS).await;
    assert!(below > 300, "{below}");
    assert_eq!(segments(&db.pool).await[0].0, IDS);
    compare(&db.pool, "half-way").await;

    execute(&db.pool, BACK).await;
    compare(&db.pool, "with one that came back").await;
    // An update of this record waits only while a segment is sealed.
    let change = |pool: PgPool, word: &str| {
        let patch = LogPatch::new().message(format!("the {word} is back"));
        async move { Log::records().update(&pool, 7, patch).await }
    };
    let lock = sealing(&db.pool).await;
    let changed = tokio::spawn(change(db.pool.clone(), "giraffe"));
    until("a change that waits", async || {
        assert!(!changed.is_finished());
        number(&db.pool, WAITING).await > 0
    })
    .await;
    lock.rollback().await.unwrap();
    changed.await.unwrap().unwrap();
    let first = async |word: &str| {
        let (found, _) = hits(&db.pool, &Log::records().search(word), "-1").await;
        found.first().map(|(id, _)| *id)
    };
    assert_eq!(first("giraffe").await, Some(7));
    compare(&db.pool, "with one that was changed").await;

    let done = prune_before(db.pool.clone(), 600).await;
    assert_eq!((done.dropped_partitions, done.deleted_rows), (0, 100));
    assert_eq!(left(&db.pool, IDS).await, (0, 0));
    compare(&db.pool, "in the end").await;
    change(db.pool.clone(), "zebra").await.unwrap();
    assert_eq!(first("zebra").await, Some(7));
    compare(&db.pool, "with one that was changed again").await;
}

enum Next {
    Worker,
    Compact,
    Prune,
}

#[tokio::test]
async fn orphans_of_a_killed_prune_are_deleted_by_the_next_maintenance() {
    for next in [Next::Worker, Next::Compact, Next::Prune] {
        let db = filled(1_620, 50, 0).await;
        kill_halfway(&db.pool, 600).await;
        let (below, _) = left(&db.pool, IDS).await;
        assert!(below > 300, "{below}");
        compare(&db.pool, "after it was killed").await;
        match next {
            Next::Worker => {
                let mut options = MaintenanceOptions::default();
                options.precreate.ids_per_partition = IDS;
                options.segment_ids = 50;
                options.idle_pause = Duration::from_millis(5);
                let mut worker = MaintenanceWorker::spawn(db.pool.clone(), options).unwrap();
                tokio::time::timeout(END, async {
                    while worker.changed().await.idle_rounds == 0 {}
                })
                .await
                .unwrap();
                assert_eq!(worker.stop().await.last_error, None);
            }
            Next::Compact => {
                let mut conn = db.pool.acquire().await.unwrap();
                let partitions = maintenance::partitions(&mut conn, Log::TABLE)
                    .await
                    .unwrap();
                maintenance::compact(&mut conn, Log::TABLE, &partitions[0])
                    .await
                    .unwrap()
                    .unwrap();
            }
            Next::Prune => {
                let done = prune_after_sealing(&db.pool, 1_100).await;
                assert_eq!(done.dropped_partitions, 1);
            }
        }
        let first = segments(&db.pool).await[0].0;
        assert_eq!(left(&db.pool, first).await, (0, 0));
        compare(&db.pool, "in the end").await;
    }
}

/// No segment of the table is sealed any more, and ids that were once sealed are used again.
#[tokio::test]
async fn sealing_ids_of_a_dropped_partition_ignores_its_orphans() {
    let db = filled(1_020, 50, 0).await;
    assert_eq!(segments(&db.pool).await.last().unwrap().1, 999);
    kill_halfway(&db.pool, 1_010).await;
    assert_eq!(segments(&db.pool).await, []);
    assert!(left(&db.pool, 1_000).await.0 > 300);
    execute(&db.pool, BACK).await;
    compare(&db.pool, "with nothing sealed").await;
    let lines: Vec<NewLog> = (1_021..=1_130).map(|id| line(id, 0)).collect();
    Log::records().create_many(&db.pool, &lines).await.unwrap();
    seal(&db.pool, 50).await;
    assert_eq!(
        segments(&db.pool).await,
        [(0, 49), (50, 999), (1_000, 1_049), (1_050, 1_099)]
    );
    let of_old = "SELECT count(*) FROM search_postings WHERE last_id BETWEEN 8 AND 999";
    assert_eq!(number(&db.pool, of_old).await, 0);
    let twice = "SELECT count(*) FROM search_blocks AS a JOIN search_blocks AS b \
        ON a.id < b.id AND a.first_id <= b.last_id AND b.first_id <= a.last_id";
    assert_eq!(number(&db.pool, twice).await, 0);
    compare(&db.pool, "sealed again").await;
}

/// A partition that is dropped before an older one, and segments that span two
/// partitions.
#[tokio::test]
async fn prune_deletes_the_summaries_of_a_dropped_partition() {
    let db = filled(2_340, 50, IDS).await;
    // The first partition is not dropped.
    let newer = hour(2_000).to_rfc3339();
    let newer = format!("UPDATE logs SET created_at = '{newer}' WHERE id = 9");
    execute(&db.pool, &newer).await;
    // While a segment is sealed: the prune has nothing to wait for.
    let lock = sealing(&db.pool).await;
    let task = tokio::spawn(prune_before(db.pool.clone(), 1_100));
    until("the end of a prune", async || {
        task.is_finished() || number(&db.pool, WAITING).await > 0
    })
    .await;
    assert!(task.is_finished());
    for side in ["sealed_segments", "search_blocks", "search_postings"] {
        let of_it = format!("SELECT count(*) FROM {side} WHERE first_id >= 500 AND last_id < 1000");
        assert_eq!(number(&db.pool, &of_it).await, 0, "{side}");
    }
    assert_eq!(task.await.unwrap().dropped_partitions, 1);
    lock.rollback().await.unwrap();
    compare(&db.pool, "without one in the middle").await;

    let db = filled(2_340, 300, 0).await;
    kill_halfway(&db.pool, 600).await;
    assert_eq!(segments(&db.pool).await[0], (300, 599));
    let of_it = "SELECT count(*) FROM search_postings WHERE first_id >= 300 AND last_id < 500";
    assert_eq!(number(&db.pool, of_it).await, 0);
    compare(&db.pool, "half-way").await;
    let done = prune_before(db.pool.clone(), 600).await;
    assert_eq!((done.dropped_partitions, done.deleted_rows), (0, 100));
    assert_eq!(left(&db.pool, 300).await, (0, 0));
    compare(&db.pool, "in the end").await;
}
