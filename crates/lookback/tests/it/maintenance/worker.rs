//! The maintenance worker, and the status of tables.

use std::time::Duration;

use chrono::{DateTime, Utc};
use lookback::maintenance::{
    self, MaintenanceOptions, MaintenanceStats, MaintenanceWorker, PartitionState, RetentionPolicy,
    StorageStatus, precreate_partitions,
};
use lookback::{Error, Log, Metric, Model, RequestSnapshot, User};
use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;

use super::{END, execute, layout, lines, number, partitions, until};

fn options() -> MaintenanceOptions {
    let mut options = MaintenanceOptions::default();
    options.precreate.ids_per_partition = 1_000;
    options.segment_ids = 250;
    options.idle_pause = Duration::from_millis(10);
    options
}

async fn status_of(pool: &PgPool, table: &'static lookback::table::Table) -> StorageStatus {
    let mut conn = pool.acquire().await.unwrap();
    maintenance::status(&mut conn, table).await.unwrap()
}

/// Waits until the table has nothing left to seal and to freeze.
async fn settled(pool: &PgPool) -> StorageStatus {
    let mut status = status_of(pool, Log::TABLE).await;
    until("nothing left to seal and to freeze", async || {
        status = status_of(pool, Log::TABLE).await;
        status.unsealed_rows < 250 && status.count(PartitionState::Sealed) == 0
    })
    .await;
    status
}

/// Waits until the totals of the worker meet a condition.
async fn until_stats(
    worker: &mut MaintenanceWorker,
    condition: impl Fn(&MaintenanceStats) -> bool,
) {
    let reached = async { while !condition(&worker.changed().await) {} };
    tokio::time::timeout(END, reached).await.unwrap();
}

/// Stops a worker once it has no error, and returns its totals. If others block it for
/// long, that is an error until the retry succeeds.
async fn stopped(worker: MaintenanceWorker) -> MaintenanceStats {
    until("a worker without an error", async || {
        worker.stats().last_error.is_none()
    })
    .await;
    let stats = worker.stop().await;
    assert_eq!(stats.last_error, None, "{stats:?}");
    stats
}

#[tokio::test]
async fn several_workers_do_every_step_once() {
    let db = testkit::database_without_ranges().await;
    let pool = PgPoolOptions::new()
        .max_connections(12)
        .acquire_timeout(END)
        .connect(&db.url)
        .await
        .unwrap();
    Log::records()
        .create_many(&pool, &lines(0..300))
        .await
        .unwrap();
    let workers: Vec<_> = (0..3)
        .map(|_| MaintenanceWorker::spawn(pool.clone(), options()).unwrap())
        .collect();
    let mut written = 300;
    for _ in 0..100 {
        // No faster than the workers create partitions.
        until("a partition beyond the newest id", async || {
            let head = number(&pool, "SELECT max(id) FROM logs").await;
            let mut beyond = partitions(&pool).await.into_iter();
            beyond.any(|partition| partition.from.is_some_and(|from| from > head))
        })
        .await;
        written += Log::records()
            .create_many(&pool, &lines(0..100))
            .await
            .unwrap();
    }
    let status = settled(&pool).await;
    assert_eq!(status.rows, written);
    let mut segments = 0;
    for worker in workers {
        segments += stopped(worker).await.sealed_segments;
    }
    assert_eq!(
        segments.cast_signed(),
        number(&pool, "SELECT count(*) FROM sealed_segments").await
    );
    assert_eq!(
        number(&pool, "SELECT count(*) FROM logs")
            .await
            .unsigned_abs(),
        written
    );
    // All full partitions; the first one is the split default partition of 300 rows.
    let full = (number(&pool, "SELECT max(id) FROM logs").await + 1) / 1_000;
    assert!(full >= 10, "{full}");
    let frozen = status.count(PartitionState::Frozen);
    assert_eq!(frozen, usize::try_from(full).unwrap(), "{status:#?}");
    assert_eq!(number(&pool, "SELECT count(*) FROM logs_default").await, 0);
}

/// It keeps rows out of the default partition, and leaves the rest to others.
#[tokio::test]
async fn worker_that_does_not_seal_creates_partitions_and_nothing_else() {
    let db = testkit::database_without_ranges().await;
    let pool = PgPoolOptions::new()
        .acquire_timeout(END)
        .connect(&db.url)
        .await
        .unwrap();
    let mut options = options();
    options.seals = false;
    let mut worker = MaintenanceWorker::spawn(pool.clone(), options).unwrap();
    let mut created = 0;
    for _ in 0..3 {
        let head = number(&pool, "SELECT coalesce(max(id), 0) FROM logs").await;
        let rows = usize::try_from(1_100 - head % 1_000).unwrap();
        Log::records()
            .create_many(&pool, &lines(0..rows))
            .await
            .unwrap();
        until_stats(&mut worker, |stats| stats.created_partitions > created).await;
        created = worker.stats().created_partitions;
    }
    // Nothing to do, though there are segments that others would seal.
    let idle = worker.stats().idle_rounds;
    until_stats(&mut worker, |stats| stats.idle_rounds > idle + 2).await;
    let stats = stopped(worker).await;
    assert_eq!((stats.sealed_segments, stats.sealed_rows), (0, 0));
    assert_eq!(stats.frozen_partitions, 0);
    let status = status_of(&pool, Log::TABLE).await;
    assert!(status.rows >= 3_000, "{status:#?}");
    assert_eq!(status.unsealed_rows, status.rows, "{status:#?}");
    assert_eq!(status.count(PartitionState::Frozen), 0, "{status:#?}");
    let segments = "SELECT count(*) FROM sealed_segments";
    assert_eq!(number(&pool, segments).await, 0);
    assert_eq!(number(&pool, "SELECT count(*) FROM logs_default").await, 0);

    // Another one does the rest.
    let worker = MaintenanceWorker::spawn(pool.clone(), self::options()).unwrap();
    let status = settled(&pool).await;
    let stats = stopped(worker).await;
    assert!(stats.sealed_rows > 2_500, "{stats:?}");
    assert_eq!(
        stats.sealed_segments.cast_signed(),
        number(&pool, segments).await
    );
    assert!(status.count(PartitionState::Frozen) >= 2, "{status:#?}");
}

#[tokio::test]
async fn killed_workers_are_continued_by_others() {
    let db = testkit::database_without_ranges().await;
    Log::records()
        .create_many(&db.pool, &lines(0..300))
        .await
        .unwrap();
    let mut written = 300;
    for round in 0..30_u64 {
        let pool = PgPoolOptions::new()
            .max_connections(3)
            .acquire_timeout(END)
            .connect(&db.url)
            .await
            .unwrap();
        let worker = MaintenanceWorker::spawn(pool.clone(), options()).unwrap();
        tokio::time::sleep(Duration::from_millis(round * 3)).await;
        if round % 2 == 0 {
            execute(
                &db.pool,
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                WHERE datname = current_database() AND pid <> pg_backend_pid() \
                AND state <> 'idle'",
            )
            .await;
        }
        written += Log::records()
            .create_many(&db.pool, &lines(0..150))
            .await
            .unwrap();
        drop(worker);
    }
    let worker = MaintenanceWorker::spawn(db.pool.clone(), options()).unwrap();
    let status = settled(&db.pool).await;
    stopped(worker).await;
    assert_eq!(status.rows, written);
    assert_eq!(
        number(&db.pool, "SELECT count(*) FROM logs")
            .await
            .unsigned_abs(),
        written
    );
    let gaps = "SELECT count(*) FROM (SELECT first_id - lag(last_id) OVER (ORDER BY first_id) AS step \
        FROM sealed_segments) AS steps WHERE step <> 1";
    assert_eq!(number(&db.pool, gaps).await, 0);
}

#[tokio::test]
async fn worker_with_policy_prunes_old_partitions() {
    let db = testkit::database_without_ranges().await;
    let mut options_with_policy = options();
    options_with_policy.retention = vec![(
        Log::TABLE,
        RetentionPolicy::default().older_than(Duration::from_secs(3_600)),
    )];
    options_with_policy.prune_interval = Duration::from_millis(50);
    // Before the first record, so that the names of the partitions are known.
    precreate_partitions(&db.pool, Log::TABLE, &options_with_policy.precreate)
        .await
        .unwrap();
    let mut worker = MaintenanceWorker::spawn(db.pool.clone(), options_with_policy).unwrap();
    for _ in 0..25 {
        Log::records()
            .create_many(&db.pool, &lines(0..100))
            .await
            .unwrap();
    }
    // Records that are not old stay.
    settled(&db.pool).await;
    assert_eq!(worker.stats().dropped_partitions, 0);
    // Older than an hour by any clock, here or on the server.
    execute(
        &db.pool,
        "ALTER TABLE logs_p0000000000000000 DROP CONSTRAINT lookback_times; \
        UPDATE logs SET created_at = '2001-01-01T00:00:00Z' WHERE id < 1000",
    )
    .await;
    until_stats(&mut worker, |stats| stats.dropped_partitions > 0).await;
    stopped(worker).await;
    assert_eq!(
        number(&db.pool, "SELECT count(*) FROM logs").await,
        2_500 - 999
    );
    assert_eq!(
        partitions(&db.pool).await[0].name,
        "logs_p0000000000001000",
        "{}",
        layout(&db.pool).await
    );
}

#[tokio::test]
async fn failing_worker_reports_the_error_and_retries() {
    let db = testkit::database_without_ranges().await;
    execute(&db.pool, "ALTER TABLE sealed_segments RENAME TO away").await;
    let mut worker = MaintenanceWorker::spawn(db.pool.clone(), options()).unwrap();
    until_stats(&mut worker, |stats| stats.last_error.is_some()).await;
    execute(&db.pool, "ALTER TABLE away RENAME TO sealed_segments").await;
    until_stats(&mut worker, |stats| stats.last_error.is_none()).await;
    worker.stop().await;
    let mut invalid = options();
    invalid.tables = vec![User::TABLE];
    assert!(
        MaintenanceWorker::spawn(db.pool.clone(), invalid)
            .is_err_and(|error: Error| error.is_invalid())
    );
}

#[tokio::test]
async fn status_of_a_table_matches_its_catalog_and_rows() {
    let db = testkit::database_without_ranges().await;
    let empty = status_of(&db.pool, Log::TABLE).await;
    assert_eq!(
        (empty.rows, empty.oldest, empty.partitions.len()),
        (0, None, 1)
    );
    assert_eq!(empty.partitions[0].1, PartitionState::Default);
    Log::records()
        .create_many(&db.pool, &lines(0..2_600))
        .await
        .unwrap();
    let worker = MaintenanceWorker::spawn(db.pool.clone(), options()).unwrap();
    settled(&db.pool).await;
    Log::records()
        .create_many(&db.pool, &lines(0..20))
        .await
        .unwrap();
    stopped(worker).await;
    let all = "SELECT sum(pg_total_relation_size(relid))::bigint FROM pg_partition_tree('logs')";
    let mut status = status_of(&db.pool, Log::TABLE).await;
    // An autovacuum between the two queries makes the table larger.
    until("the sizes that the server reports", async || {
        status = status_of(&db.pool, Log::TABLE).await;
        let bytes = status.table_bytes + status.index_bytes;
        bytes.cast_signed() == number(&db.pool, all).await
    })
    .await;
    assert_eq!(status.rows, 2_620);
    assert!(status.unsealed_rows < 250 + 20);
    let times: (Option<DateTime<Utc>>, Option<DateTime<Utc>>) =
        sqlx::query_as("SELECT min(created_at), max(created_at) FROM logs")
            .fetch_one(&db.pool)
            .await
            .unwrap();
    assert_eq!((status.oldest, status.newest), times);
    let of = |state| status.count(state);
    assert_eq!(
        (
            of(PartitionState::Hot),
            of(PartitionState::Precreated),
            of(PartitionState::Default)
        ),
        (1, 2, 1),
        "{status:#?}"
    );
    assert!(status.search_bytes > 0);
    for table in [Metric::TABLE, User::TABLE, RequestSnapshot::TABLE] {
        let status = status_of(&db.pool, table).await;
        assert_eq!(status.rows, 0);
        assert!(status.index_bytes > 0, "{status:?}");
    }
}
