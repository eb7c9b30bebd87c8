//! The worker in the background, and how the tables are.

use std::time::Duration;

use lookback::storage::{self, Keeper, KeeperOptions, Policy, State, Status};
use lookback::{Error, Log, Metric, Model, RequestSnapshot, User};
use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;

use super::{execute, layout, lines, number, partitions};

fn options() -> KeeperOptions {
    let mut options = KeeperOptions::default();
    options.ahead.ids = 1_000;
    options.segment = 250;
    options.idle = Duration::from_millis(10);
    options
}

async fn look(pool: &PgPool, table: &'static lookback::Table) -> Status {
    let mut conn = pool.acquire().await.unwrap();
    storage::status(&mut conn, table).await.unwrap()
}

/// Waits until the table has nothing left to seal and to finish.
async fn settled(pool: &PgPool) -> Status {
    for _ in 0..500 {
        let status = look(pool, Log::TABLE).await;
        if status.unsealed_rows < 250 && status.count(State::Sealed) == 0 {
            return status;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("not settled: {:#?}", look(pool, Log::TABLE).await);
}

#[tokio::test]
async fn keepers_beside_each_other_keep_up_with_inserts() {
    let db = testkit::database().await;
    let pool = PgPoolOptions::new()
        .max_connections(12)
        .connect(&db.url)
        .await
        .unwrap();
    Log::records()
        .create_many(&pool, &lines(0..300))
        .await
        .unwrap();
    let keepers: Vec<_> = (0..3)
        .map(|_| Keeper::spawn(pool.clone(), options()).unwrap())
        .collect();
    let mut written = 300;
    for _ in 0..100 {
        written += Log::records()
            .create_many(&pool, &lines(0..100))
            .await
            .unwrap();
        // A partition with each: as fast as keepers look at them.
        tokio::time::sleep(Duration::from_millis(40)).await;
    }
    let status = settled(&pool).await;
    assert_eq!(status.rows, written);
    let mut segments = 0;
    for keeper in keepers {
        let kept = keeper.stop().await;
        assert_eq!(kept.failed, None, "{kept:?}");
        segments += kept.segments;
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
    assert!(status.count(State::Finished) >= 8, "{status:#?}");
    assert_eq!(number(&pool, "SELECT count(*) FROM logs_default").await, 0);
}

#[tokio::test]
async fn keepers_that_are_killed_are_followed_by_others() {
    let db = testkit::database().await;
    Log::records()
        .create_many(&db.pool, &lines(0..300))
        .await
        .unwrap();
    let mut written = 300;
    for round in 0..30_u64 {
        let pool = PgPoolOptions::new()
            .max_connections(3)
            .connect(&db.url)
            .await
            .unwrap();
        let keeper = Keeper::spawn(pool.clone(), options()).unwrap();
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
        drop(keeper);
    }
    let keeper = Keeper::spawn(db.pool.clone(), options()).unwrap();
    let status = settled(&db.pool).await;
    let kept = keeper.stop().await;
    assert_eq!(kept.failed, None);
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
async fn a_keeper_takes_what_retention_says() {
    let db = testkit::database().await;
    let mut keeping = options();
    keeping.retention = vec![(
        Log::TABLE,
        Policy {
            older_than: Some(Duration::from_secs(3_600)),
            ..Policy::default()
        },
    )];
    keeping.retain_every = Duration::from_millis(50);
    let mut keeper = Keeper::spawn(db.pool.clone(), keeping).unwrap();
    for _ in 0..25 {
        Log::records()
            .create_many(&db.pool, &lines(0..100))
            .await
            .unwrap();
    }
    // What is not old stays.
    settled(&db.pool).await;
    assert_eq!(keeper.kept().dropped, 0);
    execute(
        &db.pool,
        "ALTER TABLE logs_p0000000000000000 DROP CONSTRAINT lookback_times; \
        UPDATE logs SET created_at = now() - interval '2 hours' WHERE id < 1000",
    )
    .await;
    while keeper.changed().await.dropped == 0 {}
    assert_eq!(keeper.stop().await.failed, None);
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
async fn what_fails_is_said_and_tried_again() {
    let db = testkit::database().await;
    execute(&db.pool, "ALTER TABLE sealed_segments RENAME TO away").await;
    let mut keeper = Keeper::spawn(db.pool.clone(), options()).unwrap();
    while keeper.changed().await.failed.is_none() {}
    execute(&db.pool, "ALTER TABLE away RENAME TO sealed_segments").await;
    while keeper.changed().await.failed.is_some() {}
    keeper.stop().await;
    let mut wrong = options();
    wrong.tables = vec![User::TABLE];
    assert!(Keeper::spawn(db.pool.clone(), wrong).is_err_and(|error: Error| error.is_invalid()));
}

#[tokio::test]
async fn the_status_of_a_table_adds_up() {
    let db = testkit::database().await;
    let empty = look(&db.pool, Log::TABLE).await;
    assert_eq!(
        (empty.rows, empty.oldest, empty.partitions.len()),
        (0, None, 1)
    );
    assert_eq!(empty.partitions[0].1, State::Default);
    Log::records()
        .create_many(&db.pool, &lines(0..2_600))
        .await
        .unwrap();
    let keeper = Keeper::spawn(db.pool.clone(), options()).unwrap();
    settled(&db.pool).await;
    Log::records()
        .create_many(&db.pool, &lines(0..20))
        .await
        .unwrap();
    keeper.stop().await;
    let status = look(&db.pool, Log::TABLE).await;
    assert_eq!(status.rows, 2_620);
    assert!(status.unsealed_rows < 250 + 20);
    assert!(status.oldest < status.newest);
    let of = |state| status.count(state);
    assert_eq!(
        (of(State::Hot), of(State::Ahead), of(State::Default)),
        (1, 2, 1),
        "{status:#?}"
    );
    let all = "SELECT sum(pg_total_relation_size(relid))::bigint FROM pg_partition_tree('logs')";
    assert_eq!(
        (status.table_bytes + status.index_bytes).cast_signed(),
        number(&db.pool, all).await
    );
    assert!(status.search_bytes > 0);
    for table in [Metric::TABLE, User::TABLE, RequestSnapshot::TABLE] {
        let status = look(&db.pool, table).await;
        assert_eq!(status.rows, 0);
        assert!(status.index_bytes > 0, "{status:?}");
    }
}
