//! Partitions ahead of need, and default partitions that have rows.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use lookback::maintenance::sealing::{Sealer, Step};
use lookback::maintenance::{AheadOptions, make_ahead};
use lookback::migrate::{self, Folder, Models};
use lookback::{Log, Metric, Model as _, RequestSnapshot};
use sqlx::postgres::PgPoolOptions;
use sqlx::{Executor as _, PgPool};

use super::{execute, layout, lines, number, partitions};

fn options(ids: i64) -> AheadOptions {
    let mut options = AheadOptions::default();
    options.ids = ids;
    options
}

/// Every default partition is a large one.
fn the_long_way(ids: i64) -> AheadOptions {
    let mut options = options(ids);
    options.small = 0;
    options
}

#[tokio::test]
async fn an_empty_table_gets_partitions_and_rows_go_there() {
    let db = testkit::database().await;
    let made = make_ahead(&db.pool, Log::TABLE, &options(100))
        .await
        .unwrap();
    assert_eq!(made.partitions.len(), 3);
    assert_eq!(made.converted, None);
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

    // Ids 1 to 150 are gone through the first: the one beyond three is made, once.
    let made = make_ahead(&db.pool, Log::TABLE, &options(100))
        .await
        .unwrap();
    assert_eq!(made.partitions, ["logs_p0000000000000300"]);
    let made = make_ahead(&db.pool, Log::TABLE, &options(100))
        .await
        .unwrap();
    assert_eq!(made.partitions, <[String; 0]>::default());

    make_ahead(&db.pool, RequestSnapshot::TABLE, &AheadOptions::default())
        .await
        .unwrap();
    let refused = make_ahead(&db.pool, Metric::TABLE, &options(100)).await;
    insta::assert_snapshot!(refused.unwrap_err(), @"
id: is not what metrics is partitioned by; only tables that are partitioned by range of it can be kept so
");
    let refused = make_ahead(&db.pool, Log::TABLE, &options(0)).await;
    insta::assert_snapshot!(refused.unwrap_err(), @"
ids: 0 is not a number of ids; it is 1 or more
");
}

#[tokio::test]
async fn a_default_partition_with_rows_becomes_one_of_its_ids() {
    for options in [options(100), the_long_way(100)] {
        let db = testkit::database().await;
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
        let made = make_ahead(&db.pool, Log::TABLE, &options).await.unwrap();
        assert_eq!(made.converted.as_deref(), Some("logs_p0000000000000000"));
        assert_eq!(files(db.pool.clone()).await, before, "no row was moved");
        Log::records()
            .create_many(&db.pool, &lines(250..260))
            .await
            .unwrap();
        if options.small > 0 {
            insta::assert_snapshot!(layout(&db.pool).await, @"
logs_p0000000000000000 -..300 260
logs_p0000000000000300 300..400 0
logs_p0000000000000400 400..500 0
logs_default -..- 0
");
        } else {
            // Ids go on beyond it, where no insert came while its rows were read.
            insta::assert_snapshot!(layout(&db.pool).await, @"
logs_p0000000000000000 -..1099511628100 250
logs_p0001099511628100 1099511628100..1099511628200 10
logs_p0001099511628200 1099511628200..1099511628300 0
logs_p0001099511628300 1099511628300..1099511628400 0
logs_default -..- 0
");
        }
        // Nothing of the conversion is left, and nothing is to be done.
        assert_eq!(
            number(
                &db.pool,
                "SELECT count(*) FROM pg_constraint WHERE conname LIKE 'lookback%'"
            )
            .await,
            0
        );
        let again = make_ahead(&db.pool, Log::TABLE, &options).await.unwrap();
        assert_eq!(again, Default::default());
    }
}

/// No keeper ran, and ids have run past the last partition.
#[tokio::test]
async fn what_landed_in_the_default_partition_later_is_converted_too() {
    for options in [options(100), the_long_way(100)] {
        let db = testkit::database().await;
        make_ahead(&db.pool, Log::TABLE, &options).await.unwrap();
        Log::records()
            .create_many(&db.pool, &lines(0..420))
            .await
            .unwrap();
        if options.small > 0 {
            // And a record of an id whose partition was dropped.
            execute(&db.pool, "DROP TABLE logs_p0000000000000000").await;
            execute(
                &db.pool,
                "INSERT INTO logs (id, source, level, message) \
                OVERRIDING SYSTEM VALUE VALUES (7, 'API', 'info', 'late')",
            )
            .await;
        }
        let rows = number(&db.pool, "SELECT count(*) FROM logs").await;
        let made = make_ahead(&db.pool, Log::TABLE, &options).await.unwrap();
        assert_eq!(made.converted.as_deref(), Some("logs_p0000000000000300"));
        if options.small > 0 {
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

/// Inserts batches until it is stopped; returns how many records there were.
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
async fn inserts_go_on_while_the_default_partition_is_converted() {
    let ways = [options(1_000), the_long_way(1_000)];
    for (options, before) in ways
        .into_iter()
        .flat_map(|way| [(way.clone(), 0), (way, 5_000)])
    {
        let db = testkit::database().await;
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
        let mut patient = options.clone();
        patient.patience = Duration::from_secs(120);
        for _ in 0..10 {
            make_ahead(&db.pool, Log::TABLE, &patient).await.unwrap();
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

/// However many ids are given out between two steps of a conversion, none is
/// refused: here more than fit in many partitions, at every step.
#[tokio::test]
async fn a_conversion_that_stopped_at_any_step_refuses_no_insert() {
    let db = testkit::database().await;
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
    // As each step leaves it, and the process is killed.
    for step in [
        "ALTER TABLE logs_default ADD CONSTRAINT lookback_before_{bound} CHECK (id < {bound}) NOT VALID",
        "ALTER TABLE logs_default VALIDATE CONSTRAINT lookback_before_{bound}",
    ] {
        execute(pool, &step.replace("{bound}", &(2 * far).to_string())).await;
        leap().await;
    }
    make_ahead(pool, Log::TABLE, &the_long_way(100))
        .await
        .unwrap();
    // Ids go on beyond the bound, and the next ones have partitions.
    leap().await;
    make_ahead(pool, Log::TABLE, &the_long_way(100))
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

/// Only ids of a partition that was a default one are skipped.
#[tokio::test]
async fn a_wide_partition_made_by_hand_keeps_its_ids() {
    let db = testkit::database().await;
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
        let made = make_ahead(pool, Log::TABLE, &options(100)).await.unwrap();
        assert_eq!(made, Default::default());
    }
    assert_eq!(number(pool, "SELECT max(id) FROM logs").await, 6);
}

/// Sealing goes over the ids that were skipped in one step.
#[tokio::test]
async fn records_on_both_sides_of_skipped_ids_are_sealed_and_found() {
    let db = testkit::database().await;
    let pool = &db.pool;
    for part in [0..250, 250..600] {
        Log::records()
            .create_many(pool, &lines(part))
            .await
            .unwrap();
        make_ahead(pool, Log::TABLE, &the_long_way(100))
            .await
            .unwrap();
    }
    let mut sealer = Sealer::new(Log::TABLE, 100).unwrap();
    let mut conn = pool.acquire().await.unwrap();
    let mut sealed = 0;
    let behind = loop {
        match sealer.step(&mut conn, Duration::from_secs(120)).await {
            Ok(Step::Sealed { rows, .. }) => sealed += rows,
            Ok(Step::Done { behind, .. }) => break behind,
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

/// PostgreSQL refuses a row that was on its way into the default partition when
/// another one took its id.
#[tokio::test]
async fn rows_on_their_way_are_not_refused() {
    for before in [0, 250] {
        let db = testkit::database().await;
        Log::records()
            .create_many(&db.pool, &lines(0..before))
            .await
            .unwrap();
        let slow = "INSERT INTO logs (source, level, message) \
            SELECT 'API', 'info', 'slow' FROM pg_sleep(0.5)";
        let (inserted, made) = tokio::join!(sqlx::query(slow).execute(&db.pool), async {
            tokio::time::sleep(Duration::from_millis(150)).await;
            make_ahead(&db.pool, Log::TABLE, &options(100)).await
        });
        assert_eq!(inserted.unwrap().rows_affected(), 1);
        assert!(made.unwrap().partitions.len() >= 2);
        assert_eq!(
            number(&db.pool, "SELECT count(*) FROM logs_default").await,
            0
        );
    }
}

/// Whoever converts is killed, some time after it began, again and again.
#[tokio::test]
async fn a_conversion_that_is_killed_is_gone_on_with() {
    let db = testkit::database().await;
    let options = the_long_way(1_000);
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
            // The process is gone.
            let _ = tokio::time::timeout(after, make_ahead(&killed, Log::TABLE, &options)).await;
        } else {
            // The session is.
            let (_, _) = tokio::join!(make_ahead(&killed, Log::TABLE, &options), async {
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
            // A session that was killed holds its locks for a moment longer.
            let deadline = Instant::now() + Duration::from_secs(120);
            while make_ahead(&db.pool, Log::TABLE, &options)
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
async fn a_bound_that_ids_come_near_is_chosen_anew() {
    let db = testkit::database().await;
    Log::records()
        .create_many(&db.pool, &lines(0..250))
        .await
        .unwrap();
    // As it was left by somebody who was killed.
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
    insta::assert_snapshot!(format!("{refused}\n{}", refused.hint().unwrap()), @"
the default partition of logs takes no ids from 300 on: its conversion was cut short, and never gone on with
go on with it: lookback storage seal
");
    make_ahead(&db.pool, Log::TABLE, &the_long_way(100))
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
async fn several_at_once_do_it_once() {
    let db = testkit::database().await;
    Log::records()
        .create_many(&db.pool, &lines(0..250))
        .await
        .unwrap();
    for options in [the_long_way(100), options(100)] {
        let (a, b, c) = tokio::join!(
            make_ahead(&db.pool, Log::TABLE, &options),
            make_ahead(&db.pool, Log::TABLE, &options),
            make_ahead(&db.pool, Log::TABLE, &options),
        );
        let made = [a.unwrap(), b.unwrap(), c.unwrap()];
        let mut names: Vec<_> = made.iter().flat_map(|made| &made.partitions).collect();
        let all = names.len();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), all, "{made:?}");
    }
}

#[tokio::test]
async fn models_and_database_stay_in_step() {
    let db = testkit::database().await;
    Log::records()
        .create_many(&db.pool, &lines(0..250))
        .await
        .unwrap();
    for table in [Log::TABLE, RequestSnapshot::TABLE] {
        make_ahead(&db.pool, table, &options(100)).await.unwrap();
    }
    let mut conn = db.pool.acquire().await.unwrap();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../migrations");
    let plan = migrate::check_database(&Folder::new(root), &mut conn)
        .await
        .unwrap();
    assert!(plan.is_empty(), "{plan:?}");
    let _ = Models::lookback();
}

/// A lock that others hold is asked for in short turns.
#[tokio::test]
async fn who_waits_for_a_lock_does_not_keep_others_waiting() {
    let db = testkit::database().await;
    Log::records()
        .create_many(&db.pool, &lines(0..250))
        .await
        .unwrap();
    let mut reading = db.pool.begin().await.unwrap();
    reading.execute("SELECT count(*) FROM logs").await.unwrap();
    let mut impatient = options(100);
    impatient.patience = Duration::from_millis(900);
    let (refused, ()) = tokio::join!(make_ahead(&db.pool, Log::TABLE, &impatient), async {
        for _ in 0..10 {
            Log::records()
                .create_many(&db.pool, &lines(0..2))
                .await
                .unwrap();
        }
    });
    assert!(refused.unwrap_err().is_timeout());
    reading.rollback().await.unwrap();
    make_ahead(&db.pool, Log::TABLE, &impatient).await.unwrap();
}
