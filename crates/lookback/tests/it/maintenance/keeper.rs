//! The worker in the background, and how the tables are.

use std::time::Duration;

use chrono::{DateTime, Utc};
use lookback::maintenance::{self, Keeper, KeeperOptions, Kept, Policy, State, Status, make_ahead};
use lookback::{Error, Log, Metric, Model, RequestSnapshot, User};
use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;

use super::{END, execute, layout, lines, number, partitions, until};

fn options() -> KeeperOptions {
    let mut options = KeeperOptions::default();
    options.ahead.ids = 1_000;
    options.segment = 250;
    options.idle = Duration::from_millis(10);
    options
}

async fn look(pool: &PgPool, table: &'static lookback::Table) -> Status {
    let mut conn = pool.acquire().await.unwrap();
    maintenance::status(&mut conn, table).await.unwrap()
}

/// Waits until the table has nothing left to seal and to finish.
async fn settled(pool: &PgPool) -> Status {
    let mut status = look(pool, Log::TABLE).await;
    until("nothing left to seal and to finish", async || {
        status = look(pool, Log::TABLE).await;
        status.unsealed_rows < 250 && status.count(State::Sealed) == 0
    })
    .await;
    status
}

/// Waits until the keeper says this.
async fn said(keeper: &mut Keeper, is_so: impl Fn(&Kept) -> bool) {
    let said = async { while !is_so(&keeper.changed().await) {} };
    tokio::time::timeout(END, said).await.unwrap();
}

/// Stops a keeper once all goes well, and returns what it did. Where others are in
/// its way for long, that is an error until it has tried again.
async fn stopped(keeper: Keeper) -> Kept {
    until("a keeper that goes on", async || {
        keeper.kept().failed.is_none()
    })
    .await;
    let kept = keeper.stop().await;
    assert_eq!(kept.failed, None, "{kept:?}");
    kept
}

#[tokio::test]
async fn keepers_beside_each_other_do_every_step_once() {
    let db = testkit::database().await;
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
    let keepers: Vec<_> = (0..3)
        .map(|_| Keeper::spawn(pool.clone(), options()).unwrap())
        .collect();
    let mut written = 300;
    for _ in 0..100 {
        // As fast as keepers make partitions, and no faster.
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
    for keeper in keepers {
        segments += stopped(keeper).await.segments;
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
    // All that are full, and the first is one of 300 rows that no partition was made for.
    let full = (number(&pool, "SELECT max(id) FROM logs").await + 1) / 1_000;
    assert!(full >= 10, "{full}");
    let finished = status.count(State::Finished);
    assert_eq!(finished, usize::try_from(full).unwrap(), "{status:#?}");
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
            .acquire_timeout(END)
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
    stopped(keeper).await;
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
    // Before the first record, so that the partitions are those that are looked for.
    make_ahead(&db.pool, Log::TABLE, &keeping.ahead)
        .await
        .unwrap();
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
    // Older than an hour, whatever the clocks here and at the server say.
    execute(
        &db.pool,
        "ALTER TABLE logs_p0000000000000000 DROP CONSTRAINT lookback_times; \
        UPDATE logs SET created_at = '2001-01-01T00:00:00Z' WHERE id < 1000",
    )
    .await;
    said(&mut keeper, |kept| kept.dropped > 0).await;
    stopped(keeper).await;
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
    said(&mut keeper, |kept| kept.failed.is_some()).await;
    execute(&db.pool, "ALTER TABLE away RENAME TO sealed_segments").await;
    said(&mut keeper, |kept| kept.failed.is_none()).await;
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
    stopped(keeper).await;
    let all = "SELECT sum(pg_total_relation_size(relid))::bigint FROM pg_partition_tree('logs')";
    let mut status = look(&db.pool, Log::TABLE).await;
    // An autovacuum between the one look and the other makes the table larger.
    until("the sizes that the server says", async || {
        status = look(&db.pool, Log::TABLE).await;
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
        (of(State::Hot), of(State::Ahead), of(State::Default)),
        (1, 2, 1),
        "{status:#?}"
    );
    assert!(status.search_bytes > 0);
    for table in [Metric::TABLE, User::TABLE, RequestSnapshot::TABLE] {
        let status = look(&db.pool, table).await;
        assert_eq!(status.rows, 0);
        assert!(status.index_bytes > 0, "{status:?}");
    }
}
