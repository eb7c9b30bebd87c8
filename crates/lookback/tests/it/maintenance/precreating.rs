//! Pre-creating partitions, and splitting default partitions that have rows.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use lookback::maintenance::sealing::{SealStep, Sealer};
use lookback::maintenance::{PrecreateOptions, precreate_partitions};
use lookback::migrate::{self, Folder, Models};
use lookback::{Log, Metric, Model as _, RequestSnapshot};
use sqlx::postgres::PgPoolOptions;
use sqlx::{Executor as _, PgPool};

use super::{execute, layout, lines, number, partitions, until};

fn options(ids: i64) -> PrecreateOptions {
    let mut options = PrecreateOptions::default();
    options.ids_per_partition = ids;
    options
}

/// Every default partition is split in steps, as a large one is.
fn split_in_steps(ids: i64) -> PrecreateOptions {
    let mut options = options(ids);
    options.max_locked_split_bytes = 0;
    options
}

#[tokio::test]
async fn precreate_for_empty_table_creates_partitions_that_take_rows() {
    let db = testkit::database_without_ranges().await;
    let report = precreate_partitions(&db.pool, Log::TABLE, &options(100))
        .await
        .unwrap();
    assert_eq!(report.created.len(), 3);
    assert_eq!(report.split, None);
    Log::records()
        .create_many(&db.pool, &lines(0..150))
        .await
        .unwrap();
    insta::assert_snapshot!(layout(&db.pool).await, @"
logs_p0000000000000000 -..100 99
logs_p0000000000000100 100..200 51
logs_p0000000000000200 200..300 0
logs_default -..- 0
");

    // Ids 1 to 150 fill the first partition: one more is created, once.
    let report = precreate_partitions(&db.pool, Log::TABLE, &options(100))
        .await
        .unwrap();
    assert_eq!(report.created, ["logs_p0000000000000300"]);
    let report = precreate_partitions(&db.pool, Log::TABLE, &options(100))
        .await
        .unwrap();
    assert_eq!(report.created, <[String; 0]>::default());

    precreate_partitions(
        &db.pool,
        RequestSnapshot::TABLE,
        &PrecreateOptions::default(),
    )
    .await
    .unwrap();
    let refused = precreate_partitions(&db.pool, Metric::TABLE, &options(100)).await;
    insta::assert_snapshot!(refused.unwrap_err(), @"
id: cannot maintain metrics: it must be partitioned by range of this column
");
    let refused = precreate_partitions(&db.pool, Log::TABLE, &options(0)).await;
    insta::assert_snapshot!(refused.unwrap_err(), @"
ids_per_partition: must be 1 or more, got 0
");
}

#[tokio::test]
async fn precreate_with_rows_in_default_partition_splits_it() {
    for options in [options(100), split_in_steps(100)] {
        let db = testkit::database_without_ranges().await;
        Log::records()
            .create_many(&db.pool, &lines(0..250))
            .await
            .unwrap();
        let files = |pool: PgPool| async move {
            number(
                &pool,
                "SELECT relfilenode::bigint FROM pg_class WHERE oid = \
                (SELECT tableoid FROM logs WHERE id = 7)",
            )
            .await
        };
        let before = files(db.pool.clone()).await;
        let report = precreate_partitions(&db.pool, Log::TABLE, &options)
            .await
            .unwrap();
        assert_eq!(report.split.as_deref(), Some("logs_p0000000000000000"));
        assert_eq!(files(db.pool.clone()).await, before, "no row was moved");
        Log::records()
            .create_many(&db.pool, &lines(250..260))
            .await
            .unwrap();
        if options.max_locked_split_bytes > 0 {
            insta::assert_snapshot!(layout(&db.pool).await, @"
logs_p0000000000000000 -..300 260
logs_p0000000000000300 300..400 0
logs_p0000000000000400 400..500 0
logs_default -..- 0
");
        } else {
            // Ids continue beyond the split partition, where nothing was inserted while its rows
            // were read.
            insta::assert_snapshot!(layout(&db.pool).await, @"
logs_p0000000000000000 -..1099511628100 250
logs_p0001099511628100 1099511628100..1099511628200 10
logs_p0001099511628200 1099511628200..1099511628300 0
logs_p0001099511628300 1099511628300..1099511628400 0
logs_default -..- 0
");
        }
        // Nothing of the split is left over, and nothing remains to be done.
        assert_eq!(
            number(
                &db.pool,
                "SELECT count(*) FROM pg_constraint WHERE conname LIKE 'lookback%'"
            )
            .await,
            0
        );
        let again = precreate_partitions(&db.pool, Log::TABLE, &options)
            .await
            .unwrap();
        assert_eq!(again, Default::default());
    }
}

/// No worker ran, and ids have passed the last partition.
#[tokio::test]
async fn precreate_with_rows_beyond_the_last_partition_splits_them_off() {
    for options in [options(100), split_in_steps(100)] {
        let db = testkit::database_without_ranges().await;
        precreate_partitions(&db.pool, Log::TABLE, &options)
            .await
            .unwrap();
        Log::records()
            .create_many(&db.pool, &lines(0..420))
            .await
            .unwrap();
        if options.max_locked_split_bytes > 0 {
            // There is also a record with an id of a dropped partition.
            execute(&db.pool, "DROP TABLE logs_p0000000000000000").await;
            execute(
                &db.pool,
                "INSERT INTO logs (id, source, level, message) \
                OVERRIDING SYSTEM VALUE VALUES (7, 'API', 'info', 'late')",
            )
            .await;
        }
        let rows = number(&db.pool, "SELECT count(*) FROM logs").await;
        let report = precreate_partitions(&db.pool, Log::TABLE, &options)
            .await
            .unwrap();
        assert_eq!(report.split.as_deref(), Some("logs_p0000000000000300"));
        if options.max_locked_split_bytes > 0 {
            insta::assert_snapshot!(layout(&db.pool).await, @"
logs_p0000000000000100 100..200 100
logs_p0000000000000200 200..300 100
logs_p0000000000000300 300..500 121
logs_p0000000000000500 500..600 0
logs_p0000000000000600 600..700 0
logs_default -..- 1
");
        } else {
            insta::assert_snapshot!(layout(&db.pool).await, @"
logs_p0000000000000000 -..100 99
logs_p0000000000000100 100..200 100
logs_p0000000000000200 200..300 100
logs_p0000000000000300 300..1099511628200 121
logs_p0001099511628200 1099511628200..1099511628300 0
logs_p0001099511628300 1099511628300..1099511628400 0
logs_p0001099511628400 1099511628400..1099511628500 0
logs_default -..- 0
");
        }
        assert_eq!(number(&db.pool, "SELECT count(*) FROM logs").await, rows);
    }
}

/// Inserts batches until it is stopped; returns the number of records.
async fn write(pool: PgPool, stop: Arc<AtomicBool>) -> u64 {
    let mut written = 0;
    while !stop.load(Ordering::Relaxed) {
        written += Log::records()
            .create_many(&pool, &lines(0..20))
            .await
            .expect("maintenance refuses no write");
    }
    written
}

#[tokio::test]
async fn inserts_during_a_split_succeed() {
    let ways = [options(1_000), split_in_steps(1_000)];
    for (options, before) in ways
        .into_iter()
        .flat_map(|way| [(way.clone(), 0), (way, 5_000)])
    {
        let db = testkit::database_without_ranges().await;
        Log::records()
            .create_many(&db.pool, &lines(0..before))
            .await
            .unwrap();
        let pool = PgPoolOptions::new()
            .max_connections(3)
            .acquire_timeout(Duration::from_secs(120))
            .connect(&db.url)
            .await
            .unwrap();
        let stop = Arc::new(AtomicBool::new(false));
        let writers: Vec<_> = (0..3)
            .map(|_| tokio::spawn(write(pool.clone(), stop.clone())))
            .collect();
        let mut long = options.clone();
        long.lock_retry_timeout = Duration::from_secs(120);
        for _ in 0..10 {
            precreate_partitions(&db.pool, Log::TABLE, &long)
                .await
                .unwrap();
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        stop.store(true, Ordering::Relaxed);
        let mut written = before as u64;
        for writer in writers {
            written += writer.await.unwrap();
        }
        let pool = &db.pool;
        assert_eq!(
            number(pool, "SELECT count(*) FROM logs")
                .await
                .unsigned_abs(),
            written
        );
        assert_eq!(
            number(pool, "SELECT count(DISTINCT id) FROM logs")
                .await
                .unsigned_abs(),
            written
        );
        assert!(
            partitions(pool)
                .await
                .iter()
                .any(|p| p.name == "logs_p0000000000000000")
        );
    }
}

/// No id is rejected, whatever number is assigned between two steps of a split: here more
/// than many partitions hold, at every step.
#[tokio::test]
async fn inserts_after_a_split_that_stopped_at_any_step_succeed() {
    let db = testkit::database_without_ranges().await;
    let pool = &db.pool;
    let far = 1_u64 << 39;
    let leap = async || {
        let last = number(
            pool,
            "SELECT pg_sequence_last_value(pg_get_serial_sequence('logs', 'id')::regclass)",
        )
        .await;
        let next = last.unsigned_abs() + 1_000_000_000;
        execute(
            pool,
            &format!("SELECT setval(pg_get_serial_sequence('logs', 'id'), {next})"),
        )
        .await;
        let log = lines(0..1);
        assert_eq!(Log::records().create_many(pool, &log).await.unwrap(), 1);
    };
    Log::records()
        .create_many(pool, &lines(0..250))
        .await
        .unwrap();
    // The state after each step, as when the process is killed there.
    for step in [
        "ALTER TABLE logs_default ADD CONSTRAINT lookback_before_{bound} CHECK (id < {bound}) NOT VALID",
        "ALTER TABLE logs_default VALIDATE CONSTRAINT lookback_before_{bound}",
    ] {
        execute(pool, &step.replace("{bound}", &(2 * far).to_string())).await;
        leap().await;
    }
    precreate_partitions(pool, Log::TABLE, &split_in_steps(100))
        .await
        .unwrap();
    // Ids continue beyond the bound, and the next ones have partitions.
    leap().await;
    precreate_partitions(pool, Log::TABLE, &split_in_steps(100))
        .await
        .unwrap();
    Log::records()
        .create_many(pool, &lines(0..20))
        .await
        .unwrap();
    assert_eq!(number(pool, "SELECT count(*) FROM logs").await, 273);
    assert_eq!(
        number(pool, "SELECT count(*) FROM logs WHERE id < 1099511627776").await,
        252
    );
    assert_eq!(number(pool, "SELECT count(*) FROM logs_default").await, 0);
}

/// Only ids of a partition that was the default one are skipped.
#[tokio::test]
async fn precreate_with_a_wide_partition_created_by_hand_skips_no_ids() {
    let db = testkit::database_without_ranges().await;
    let pool = &db.pool;
    execute(
        pool,
        "CREATE TABLE logs_wide PARTITION OF logs FOR VALUES FROM (MINVALUE) TO (9000000000000)",
    )
    .await;
    for part in [0..3, 3..6] {
        Log::records()
            .create_many(pool, &lines(part))
            .await
            .unwrap();
        let report = precreate_partitions(pool, Log::TABLE, &options(100))
            .await
            .unwrap();
        assert_eq!(report, Default::default());
    }
    assert_eq!(number(pool, "SELECT max(id) FROM logs").await, 6);
}

/// Sealing passes the ids that were skipped in one step.
#[tokio::test]
async fn search_finds_sealed_records_on_both_sides_of_skipped_ids() {
    let db = testkit::database_without_ranges().await;
    let pool = &db.pool;
    for part in [0..250, 250..600] {
        Log::records()
            .create_many(pool, &lines(part))
            .await
            .unwrap();
        precreate_partitions(pool, Log::TABLE, &split_in_steps(100))
            .await
            .unwrap();
    }
    let mut sealer = Sealer::new(Log::TABLE, 100).unwrap();
    let mut conn = pool.acquire().await.unwrap();
    let mut sealed = 0;
    let behind = loop {
        match sealer.step(&mut conn, Duration::from_secs(120)).await {
            Ok(SealStep::Sealed { rows, .. }) => sealed += rows,
            Ok(SealStep::Done { behind, .. }) => break behind,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(sealed + behind, 600);
    for line in [7, 249, 250, 599] {
        let words = format!("\"line {line}\"");
        let found = Log::records().search(words).list(pool).await.unwrap();
        assert_eq!(found.data[0].message, format!("line {line}"));
    }
}

/// PostgreSQL rejects a row that is being inserted into the default partition when another
/// partition is created for its id.
#[tokio::test]
async fn precreate_waits_for_inserts_into_the_default_partition() {
    for before in [0, 250] {
        let db = testkit::database_without_ranges().await;
        Log::records()
            .create_many(&db.pool, &lines(0..before))
            .await
            .unwrap();
        let pool = db.pool.clone();
        let inserting = tokio::spawn(async move {
            let slow = "INSERT INTO logs (source, level, message) \
                SELECT 'API', 'info', 'slow' FROM pg_sleep(0.5)";
            sqlx::query(slow).execute(&pool).await
        });
        let sleeping = "SELECT count(*) FROM pg_stat_activity \
            WHERE datname = current_database() AND wait_event = 'PgSleep'";
        until("an insert that is running", async || {
            inserting.is_finished() || number(&db.pool, sleeping).await > 0
        })
        .await;
        let report = precreate_partitions(&db.pool, Log::TABLE, &options(100)).await;
        assert_eq!(inserting.await.unwrap().unwrap().rows_affected(), 1);
        assert!(report.unwrap().created.len() >= 2);
        assert_eq!(
            number(&db.pool, "SELECT count(*) FROM logs_default").await,
            0
        );
    }
}

/// The splitting process is killed, at various times after it began.
#[tokio::test]
async fn killed_splits_are_continued() {
    let db = testkit::database_without_ranges().await;
    let options = split_in_steps(1_000);
    let mut rows = 0;
    for round in 0..40_usize {
        // Every few rounds the default partition has rows again.
        if round % 8 == 0 {
            let next = number(&db.pool, "SELECT coalesce(max(id), 0) FROM logs").await + 60_000;
            execute(
                &db.pool,
                &format!("SELECT setval(pg_get_serial_sequence('logs', 'id'), {next})"),
            )
            .await;
        }
        rows += Log::records()
            .create_many(&db.pool, &lines(0..30))
            .await
            .unwrap();
        let killed = PgPoolOptions::new()
            .max_connections(2)
            .connect(&db.url)
            .await
            .unwrap();
        let mut conn = killed.acquire().await.unwrap();
        let pid = {
            use sqlx::Row as _;
            conn.fetch_one("SELECT pg_backend_pid()")
                .await
                .unwrap()
                .get::<i32, _>(0)
        };
        drop(conn);
        let after = Duration::from_micros(200 * u64::try_from(round).unwrap());
        if round % 2 == 0 {
            // The client is killed.
            let _ =
                tokio::time::timeout(after, precreate_partitions(&killed, Log::TABLE, &options))
                    .await;
        } else {
            // The session is killed.
            let (_, _) = tokio::join!(precreate_partitions(&killed, Log::TABLE, &options), async {
                tokio::time::sleep(after).await;
                execute(&db.pool, &format!("SELECT pg_terminate_backend({pid})")).await;
            });
        }
        rows += Log::records()
            .create_many(&db.pool, &lines(0..30))
            .await
            .unwrap();
        killed.close().await;
        assert_eq!(
            number(&db.pool, "SELECT count(*) FROM logs")
                .await
                .unsigned_abs(),
            rows
        );
        if round % 4 == 3 {
            // A killed session holds its locks for a moment longer.
            let deadline = Instant::now() + Duration::from_secs(120);
            while precreate_partitions(&db.pool, Log::TABLE, &options)
                .await
                .unwrap()
                .busy
            {
                assert!(Instant::now() < deadline);
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            rows += Log::records()
                .create_many(&db.pool, &lines(0..30))
                .await
                .unwrap();
            assert_eq!(
                number(&db.pool, "SELECT count(*) FROM logs_default").await,
                0
            );
        }
    }
    assert_eq!(
        number(&db.pool, "SELECT count(DISTINCT id) FROM logs")
            .await
            .unsigned_abs(),
        rows
    );
}

#[tokio::test]
async fn split_with_ids_near_its_bound_chooses_a_later_one() {
    let db = testkit::database_without_ranges().await;
    Log::records()
        .create_many(&db.pool, &lines(0..250))
        .await
        .unwrap();
    // The state that a killed process leaves.
    execute(
        &db.pool,
        "ALTER TABLE logs_default \
        ADD CONSTRAINT lookback_before_300 CHECK (id < 300) NOT VALID",
    )
    .await;
    let refused = Log::records()
        .create_many(&db.pool, &lines(0..60))
        .await
        .unwrap_err();
    assert!(refused.is_setup(), "{refused}");
    insta::assert_snapshot!(format!("{refused}\n{}", refused.remedy().unwrap()), @"
the default partition of logs is being split; until that is finished, it accepts no id from 300 on, and none of a dropped partition
finish the split of the default partition of logs
");
    precreate_partitions(&db.pool, Log::TABLE, &split_in_steps(100))
        .await
        .unwrap();
    Log::records()
        .create_many(&db.pool, &lines(0..60))
        .await
        .unwrap();
    assert_eq!(number(&db.pool, "SELECT count(*) FROM logs").await, 310);
    insta::assert_snapshot!(layout(&db.pool).await, @"
logs_p0000000000000000 -..1099511628100 250
logs_p0001099511628100 1099511628100..1099511628200 60
logs_p0001099511628200 1099511628200..1099511628300 0
logs_p0001099511628300 1099511628300..1099511628400 0
logs_default -..- 0
");
}

#[tokio::test]
async fn concurrent_precreates_create_each_partition_once() {
    let db = testkit::database_without_ranges().await;
    Log::records()
        .create_many(&db.pool, &lines(0..250))
        .await
        .unwrap();
    for options in [split_in_steps(100), options(100)] {
        let (a, b, c) = tokio::join!(
            precreate_partitions(&db.pool, Log::TABLE, &options),
            precreate_partitions(&db.pool, Log::TABLE, &options),
            precreate_partitions(&db.pool, Log::TABLE, &options),
        );
        let reports = [a.unwrap(), b.unwrap(), c.unwrap()];
        let mut names: Vec<_> = reports.iter().flat_map(|report| &report.created).collect();
        let all = names.len();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), all, "{reports:?}");
    }
}

#[tokio::test]
async fn check_of_a_partitioned_database_finds_no_difference() {
    let db = testkit::database_without_ranges().await;
    Log::records()
        .create_many(&db.pool, &lines(0..250))
        .await
        .unwrap();
    for table in [Log::TABLE, RequestSnapshot::TABLE] {
        precreate_partitions(&db.pool, table, &options(100))
            .await
            .unwrap();
    }
    let mut conn = db.pool.acquire().await.unwrap();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../migrations");
    let plan = migrate::check_database(&Folder::new(root), &mut conn)
        .await
        .unwrap();
    assert!(plan.is_empty(), "{plan:?}");
    let _ = Models::lookback();
}

/// A lock that others hold is retried in short attempts.
#[tokio::test]
async fn precreate_that_waits_for_a_lock_lets_inserts_through() {
    let db = testkit::database_without_ranges().await;
    Log::records()
        .create_many(&db.pool, &lines(0..250))
        .await
        .unwrap();
    let mut reading = db.pool.begin().await.unwrap();
    reading.execute("SELECT count(*) FROM logs").await.unwrap();
    let mut short = options(100);
    short.lock_retry_timeout = Duration::from_millis(900);
    let (refused, ()) = tokio::join!(precreate_partitions(&db.pool, Log::TABLE, &short), async {
        for _ in 0..10 {
            Log::records()
                .create_many(&db.pool, &lines(0..2))
                .await
                .unwrap();
        }
    });
    assert!(refused.unwrap_err().is_timeout());
    reading.rollback().await.unwrap();
    precreate_partitions(&db.pool, Log::TABLE, &short)
        .await
        .unwrap();
}
