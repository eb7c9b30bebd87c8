//! Sealing with killed and concurrent processes.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use lookback::error::Remedy;
use lookback::maintenance::sealing::{SealStep, Sealer, unseal};
use lookback::{Level, Log, LogPatch, Model as _, NewLog};
use sqlx::postgres::PgPoolOptions;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, PgPool};
use testkit::proxy::{Fault, Proxy};

use crate::maintenance::{END, until};

/// Seals all full segments, however long others hold locks, and returns the steps
/// that sealed something.
pub(crate) async fn seal_all(conn: &mut PgConnection, sealer: &mut Sealer) -> Vec<SealStep> {
    let begun = Instant::now();
    let mut sealed = Vec::new();
    loop {
        match sealer.step(conn, END).await.unwrap() {
            SealStep::Done { .. } => return sealed,
            step @ SealStep::Sealed { .. } => sealed.push(step),
            step => {
                assert!(begun.elapsed() < END, "{step:?}");
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
    }
}

/// Counts the records that these steps sealed.
fn rows(sealed: &[SealStep]) -> u64 {
    let rows = |step: &SealStep| match step {
        SealStep::Sealed { rows, .. } => *rows,
        _ => 0,
    };
    sealed.iter().map(rows).sum()
}

fn lines(from: usize, count: usize) -> Vec<NewLog> {
    let line = |at: usize| {
        let message = match at % 7 {
            0 => format!("payment {at} was refused by the bank"),
            1 => format!(
                "user42 of session {:08x} is gone",
                at.wrapping_mul(2_654_435_761)
            ),
            _ => format!("order {at} is shipped, parcel x{at}y"),
        };
        NewLog::new("API", Level::Info, message)
    };
    (from..from + count).map(line).collect()
}

/// Returns the hits of searches, by summaries or by reading every row.
async fn found(pool: &PgPool, cost: &str) -> Vec<Vec<(i64, f32)>> {
    let mut conn = pool.acquire().await.unwrap();
    sqlx::query("SELECT set_config('lookback.scan_cost', $1, FALSE)")
        .bind(cost)
        .execute(&mut *conn)
        .await
        .unwrap();
    let mut all = Vec::new();
    for words in [
        "refused bank",
        "x1204y",
        "\"session 9e37\"",
        "shiped user42",
    ] {
        let query = Log::records().search(words).limit(20);
        let hits = query.hits(&mut *conn).await.unwrap().data;
        all.push(hits.iter().map(|hit| (hit.record.id, hit.score)).collect());
    }
    all
}

#[tokio::test]
async fn sealer_killed_at_any_point_leaves_consistent_summaries() {
    let db = testkit::database().await;
    Log::records()
        .create_many(&db.pool, &lines(0, 600))
        .await
        .unwrap();
    let expected = found(&db.pool, "1e300").await;
    // Its connection is lost before each statement, and with it.
    let mut number = 0;
    'kill: loop {
        number += 1;
        for fault in [Fault::BeforeStatement(number), Fault::WithStatement(number)] {
            let (proxy, through) = Proxy::in_front_of(&db, 1, move |_| fault).await;
            let mut conn = PgConnection::connect_with(&through).await.unwrap();
            let mut sealer = Sealer::new(Log::TABLE, 60).unwrap();
            let is_done = loop {
                match sealer.step(&mut conn, END).await {
                    Ok(SealStep::Sealed { .. } | SealStep::Busy) => {}
                    Ok(SealStep::Done { .. }) => break true,
                    Ok(step) => unreachable!("{step:?}"),
                    Err(_) => break false,
                }
            };
            let statements = proxy.take_statements();
            assert_eq!(found(&db.pool, "-1").await, expected, "{statements:#?}");
            if is_done {
                break 'kill;
            }
        }
    }
    assert!(number > 5, "it was lost before {number} statements only");
    let (segments, rows): (i64, i64) = sqlx::query_as(
        "SELECT count(*), sum(rows)::bigint FROM sealed_segments WHERE NOT is_tombstone",
    )
    .fetch_one(&db.pool)
    .await
    .unwrap();
    assert_eq!((segments, rows), (10, 599));
}

/// A connection that opens too slowly for one step is used by a later one.
#[tokio::test]
async fn sealer_keeps_slow_connection_for_later_step() {
    let db = testkit::database().await;
    Log::records()
        .create_many(&db.pool, &lines(0, 1_500))
        .await
        .unwrap();
    let pool = PgPoolOptions::new()
        .max_connections(2)
        .acquire_timeout(END)
        .after_connect(|_, _| {
            Box::pin(async {
                tokio::time::sleep(Duration::from_millis(200)).await;
                Ok(())
            })
        })
        .connect(&db.url)
        .await
        .unwrap();
    let mut sealer = Sealer::new(Log::TABLE, 100).unwrap();
    let step = sealer.steps(&pool, 2, END).await.unwrap();
    assert!(matches!(step, SealStep::Sealed { .. }), "{step:?}");
    until("two connections", async || pool.num_idle() == 2).await;
    let step = sealer.steps(&pool, 2, END).await.unwrap();
    assert!(
        matches!(step, SealStep::Sealed { segments: 2, .. }),
        "{step:?}"
    );
}

/// A record may have an id below those of sealed records and be committed after
/// them.
#[tokio::test]
async fn sealer_waits_for_transactions_that_may_write_to_segment() {
    let db = testkit::database().await;
    let mut late = db.pool.begin().await.unwrap();
    let message = "the zebra is late";
    let new = NewLog::new("API", Level::Info, message);
    let id = Log::records().create(&mut late, new).await.unwrap().id;
    Log::records()
        .create_many(&db.pool, &lines(0, 300))
        .await
        .unwrap();

    let mut conn = db.pool.acquire().await.unwrap();
    let mut sealer = Sealer::new(Log::TABLE, 100).unwrap();
    let step = sealer
        .step(&mut conn, Duration::from_millis(50))
        .await
        .unwrap();
    assert_eq!(step, SealStep::Unsettled);
    late.commit().await.unwrap();
    assert_eq!(rows(&seal_all(&mut conn, &mut sealer).await), 299);
    sqlx::query("SELECT set_config('lookback.scan_cost', '-1', FALSE)")
        .execute(&mut *conn)
        .await
        .unwrap();
    let hits = Log::records()
        .search("zebra")
        .hits(&mut *conn)
        .await
        .unwrap();
    assert_eq!(hits.data[0].record.id, id);
}

/// The transaction does not see segments that were sealed since, and so could not add to
/// their summaries.
#[tokio::test]
async fn update_with_stale_snapshot_is_refused() {
    let db = testkit::database().await;
    let mut conn = db.pool.acquire().await.unwrap();
    Log::records()
        .create_many(&mut *conn, &lines(0, 250))
        .await
        .unwrap();
    let mut sealer = Sealer::new(Log::TABLE, 100).unwrap();
    let patch = |message: &str| LogPatch::new().message(message);
    for isolation in ["REPEATABLE READ", "SERIALIZABLE"] {
        let begin = || AssertSqlSafe(format!("BEGIN ISOLATION LEVEL {isolation}"));
        let mut old = db.pool.begin_with(begin()).await.unwrap();
        Log::records().get(&mut old, 7).await.unwrap();
        // The first time there are no segments yet, the second time there are others.
        let step = sealer.step(&mut conn, END).await.unwrap();
        assert!(matches!(step, SealStep::Sealed { .. }), "{step:?}");
        let error = Log::records()
            .update(&mut old, 7, patch("the zebra is late"))
            .await
            .unwrap_err();
        assert!(error.is_retryable(), "{error:?}");
        assert!(error.is_stale_snapshot(), "{error:?}");
        assert_eq!(error.remedy(), Some(Remedy::RetryTransaction));
        let all = Log::records().filter(Log::id().lt(9));
        let error = all.update_all(&mut old, patch("zebras")).await;
        assert!(error.unwrap_err().is_retryable());
        // Other columns can be changed; the refused update changed nothing.
        let other = LogPatch::new().trace_id("t".to_owned());
        Log::records().update(&mut old, 7, other).await.unwrap();
        old.commit().await.unwrap();
        let kept = Log::records().get(&mut *conn, 7).await.unwrap();
        assert_ne!(kept.message, "the zebra is late");

        // A retry sees the segment, and adds to it.
        let word = format!("zebra{}", isolation.len());
        let mut again = db.pool.begin_with(begin()).await.unwrap();
        Log::records()
            .update(&mut again, 7, patch(&word))
            .await
            .unwrap();
        again.commit().await.unwrap();
        sqlx::query("SELECT set_config('lookback.scan_cost', '-1', FALSE)")
            .execute(&mut *conn)
            .await
            .unwrap();
        let query = Log::records().search(&word);
        let hits = query.hits(&mut *conn).await.unwrap();
        assert_eq!(hits.data[0].record.id, 7, "{word}");
    }
    // Nothing was sealed since, though summaries were deleted.
    unseal(&mut conn, Log::TABLE).await.unwrap();
    let mut new = db
        .pool
        .begin_with("BEGIN ISOLATION LEVEL SERIALIZABLE")
        .await
        .unwrap();
    let records = Log::records();
    records.update(&mut new, 7, patch("late")).await.unwrap();
    new.commit().await.unwrap();
}

/// The sequence tells whether segments were sealed since the transaction began.
#[tokio::test]
async fn update_with_old_snapshot_and_no_right_on_sequence_is_refused() {
    let db = testkit::database().await;
    Log::records()
        .create_many(&db.pool, &lines(0, 20))
        .await
        .unwrap();
    let name: String = sqlx::query_scalar("SELECT current_database()::text")
        .fetch_one(&db.pool)
        .await
        .unwrap();
    let role = format!("{name}_writer");
    let rights = format!(
        "CREATE ROLE {role}; \
         GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {role}"
    );
    sqlx::raw_sql(AssertSqlSafe(rights))
        .execute(&db.pool)
        .await
        .unwrap();
    for (isolation, is_allowed) in [("READ COMMITTED", true), ("REPEATABLE READ", false)] {
        let begin = format!("BEGIN ISOLATION LEVEL {isolation}");
        let mut transaction = db.pool.begin_with(AssertSqlSafe(begin)).await.unwrap();
        sqlx::raw_sql(AssertSqlSafe(format!("SET LOCAL ROLE {role}")))
            .execute(&mut *transaction)
            .await
            .unwrap();
        let patch = LogPatch::new().message("the zebra is late");
        let updated = Log::records().update(&mut transaction, 7, patch).await;
        match updated {
            Ok(log) => assert!(is_allowed, "{log:?}"),
            Err(error) => {
                assert!(!is_allowed && error.is_setup(), "{error:?}");
                assert_eq!(error.remedy(), Some(Remedy::Grant));
            }
        }
        transaction.rollback().await.unwrap();
    }
    let drop = format!("DROP OWNED BY {role}; DROP ROLE {role}");
    sqlx::raw_sql(AssertSqlSafe(drop))
        .execute(&db.pool)
        .await
        .unwrap();
}

#[tokio::test]
async fn concurrent_sealers_seal_each_segment_once() {
    let db = testkit::database().await;
    let pool = PgPoolOptions::new()
        .max_connections(8)
        .acquire_timeout(END)
        .connect(&db.url)
        .await
        .unwrap();
    let writer = tokio::spawn({
        let pool = pool.clone();
        async move {
            for batch in 0..30 {
                let lines = lines(batch * 30, 30);
                Log::records().create_many(&pool, &lines).await.unwrap();
            }
        }
    });
    let sealers = (0..3).map(|_| {
        let pool = pool.clone();
        tokio::spawn(async move {
            let mut conn = pool.acquire().await.unwrap();
            let mut sealer = Sealer::new(Log::TABLE, 64).unwrap();
            let mut last = Vec::new();
            loop {
                match sealer.step(&mut conn, END).await.unwrap() {
                    SealStep::Sealed { last_id, .. } => last.push(last_id),
                    _ if last.last().is_some_and(|last| *last >= 895) => break last,
                    SealStep::Done { .. } if sealed(&pool).await >= 895 => break last,
                    _ => tokio::time::sleep(Duration::from_millis(1)).await,
                }
            }
        })
    });
    let sealers: Vec<_> = sealers.collect();
    let mut all = Vec::new();
    writer.await.unwrap();
    for sealer in sealers {
        all.extend(within(sealer).await);
    }
    let once: BTreeSet<i64> = all.iter().copied().collect();
    assert_eq!((all.len(), once.len()), (14, 14));
    assert_eq!(found(&pool, "-1").await, found(&pool, "1e300").await);
    let of = |table: &str| AssertSqlSafe(format!("SELECT count(*) FROM {table}"));
    let segments: i64 = sqlx::query_scalar(of("sealed_segments"))
        .fetch_one(&pool)
        .await
        .unwrap();
    assert_eq!(segments, 14);
}

/// Waits for a task that ends once it has found everything.
async fn within<T>(task: tokio::task::JoinHandle<T>) -> T {
    tokio::time::timeout(END, task).await.unwrap().unwrap()
}

async fn sealed(pool: &PgPool) -> i64 {
    sqlx::query_scalar(
        "SELECT coalesce(max(last_id), 0) FROM sealed_segments WHERE NOT is_tombstone",
    )
    .fetch_one(pool)
    .await
    .unwrap()
}

#[tokio::test]
async fn table_with_restarted_ids_is_sealed_again() {
    let db = testkit::database().await;
    let mut conn = db.pool.acquire().await.unwrap();
    sqlx::query("SELECT set_config('lookback.scan_cost', '-1', FALSE)")
        .execute(&mut *conn)
        .await
        .unwrap();
    let mut sealer = Sealer::new(Log::TABLE, 100).unwrap();
    // The second time there are fewer records than were sealed before.
    for (message, count, expected) in [("the zebra", 450, 399), ("the giraffe", 250, 199)] {
        sqlx::query("TRUNCATE logs RESTART IDENTITY")
            .execute(&mut *conn)
            .await
            .unwrap();
        let mut new = lines(0, count);
        new[7] = NewLog::new("API", Level::Info, message);
        Log::records().create_many(&mut *conn, &new).await.unwrap();
        assert_eq!(rows(&seal_all(&mut conn, &mut sealer).await), expected);
        let query = Log::records().search(message);
        let hits = query.hits(&mut *conn).await.unwrap();
        assert_eq!(hits.data[0].record.id, 8, "{message}");
    }
}

#[tokio::test]
async fn unseal_during_sealing_leaves_no_gap() {
    let db = testkit::database().await;
    Log::records()
        .create_many(&db.pool, &lines(0, 2_000))
        .await
        .unwrap();
    let sealers: Vec<_> = (0..2)
        .map(|_| {
            let pool = db.pool.clone();
            tokio::spawn(async move {
                let mut conn = pool.acquire().await.unwrap();
                let mut sealer = Sealer::new(Log::TABLE, 20).unwrap();
                let mut rounds = 0;
                while rounds < 8 {
                    match sealer.step(&mut conn, END).await.unwrap() {
                        SealStep::Sealed { last_id, .. } if last_id % 380 != 379 => {}
                        SealStep::Sealed { .. } | SealStep::Done { .. } => {
                            lookback::maintenance::sealing::unseal(&mut conn, Log::TABLE)
                                .await
                                .unwrap();
                            rounds += 1;
                        }
                        _ => tokio::task::yield_now().await,
                    }
                }
            })
        })
        .collect();
    for sealer in sealers {
        sealer.await.unwrap();
    }
    let mut conn = db.pool.acquire().await.unwrap();
    let mut sealer = Sealer::new(Log::TABLE, 20).unwrap();
    seal_all(&mut conn, &mut sealer).await;
    let gaps: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM (SELECT first_id, lag(last_id) OVER (ORDER BY first_id) AS before \
         FROM sealed_segments WHERE NOT is_tombstone) AS s WHERE first_id <> coalesce(before + 1, 0)",
    )
    .fetch_one(&mut *conn)
    .await
    .unwrap();
    assert_eq!(gaps, 0);
}

/// An operator's own `UPDATE` leads to an error that names the problem and its repair, not
/// silently to fewer hits.
#[tokio::test]
async fn corrupt_summaries_are_refused_and_can_be_rebuilt() {
    let db = testkit::database().await;
    let mut conn = db.pool.acquire().await.unwrap();
    let new = lines(0, 600);
    Log::records().create_many(&mut *conn, &new).await.unwrap();
    sqlx::query("SELECT set_config('lookback.scan_cost', '-1', FALSE)")
        .execute(&mut *conn)
        .await
        .unwrap();
    for (corruption, problem) in [
        (
            "UPDATE search_blocks SET bloom_filter = '\\x00'",
            "search_blocks.bloom_filter or sealed_segments.trigrams is cut short",
        ),
        (
            "UPDATE sealed_segments SET trigrams = ''",
            "search_blocks.bloom_filter or sealed_segments.trigrams is cut short",
        ),
        (
            "UPDATE search_postings SET rows = 9223372036854775807",
            "bigint out of range",
        ),
        (
            "UPDATE sealed_segments SET last_id = last_id + 50",
            "segments overlap, or end before they begin",
        ),
        (
            "UPDATE sealed_segments SET last_id = first_id - 1 WHERE first_id = 200",
            "segments overlap, or end before they begin",
        ),
    ] {
        let mut sealer = Sealer::new(Log::TABLE, 100).unwrap();
        seal_all(&mut conn, &mut sealer).await;
        sqlx::query(corruption).execute(&mut *conn).await.unwrap();
        let mut transaction = conn.begin().await.unwrap();
        let mut refused = 0;
        for search in [
            Log::records().search("refused shiped x1204y"),
            Log::records().similar_to(7),
        ] {
            match search.hits(&mut transaction).await {
                Err(error) => {
                    assert!(error.is_setup(), "{corruption}: {error:?}");
                    assert!(error.to_string().contains(problem), "{corruption}: {error}");
                    assert!(error.to_string().contains("summaries of logs"), "{error}");
                    let remedy = error.remedy().unwrap();
                    assert!(matches!(
                        remedy,
                        Remedy::RebuildSummaries { table: "logs", .. }
                    ));
                    refused += 1;
                }
                // `similar_to` reads no Bloom filters.
                Ok(_) => assert!(!problem.starts_with("segments"), "{corruption}"),
            }
            transaction.rollback().await.unwrap();
            transaction = conn.begin().await.unwrap();
        }
        transaction.rollback().await.unwrap();
        assert!(refused > 0, "{corruption}");
        lookback::maintenance::sealing::unseal(&mut conn, Log::TABLE)
            .await
            .unwrap();
    }
    assert_eq!(found(&db.pool, "-1").await, found(&db.pool, "1e300").await);
}

/// Ignoring the value would silently apply another cost than the intended one.
#[tokio::test]
async fn scan_cost_that_is_nan_is_refused() {
    let db = testkit::database().await;
    let new = lines(0, 10);
    Log::records().create_many(&db.pool, &new).await.unwrap();
    let mut transaction = db.pool.begin().await.unwrap();
    sqlx::query("SET jit = on")
        .execute(&mut *transaction)
        .await
        .unwrap();
    for invalid in ["abc", "NaN", "2.500,0"] {
        sqlx::query("SELECT set_config('lookback.scan_cost', $1, FALSE)")
            .bind(invalid)
            .execute(&mut *transaction)
            .await
            .unwrap();
        for query in [
            Log::records().search("refused"),
            Log::records().similar_to(7),
        ] {
            let error = query.hits(&mut transaction).await.unwrap_err();
            assert!(error.is_invalid(), "{error:?}");
            assert_eq!(error.fields()[0].field, "lookback.scan_cost");
            assert!(error.to_string().contains(invalid), "{error}");
        }
    }
    // The caller's transaction is unchanged, and continues.
    let jit: String = sqlx::query_scalar("SELECT current_setting('jit')")
        .fetch_one(&mut *transaction)
        .await
        .unwrap();
    assert_eq!(jit, "on");
    for valid in ["", " 20000 ", "1e300", "-1"] {
        sqlx::query("SELECT set_config('lookback.scan_cost', $1, FALSE)")
            .bind(valid)
            .execute(&mut *transaction)
            .await
            .unwrap();
        let query = Log::records().search("refused");
        assert!(!query.hits(&mut transaction).await.unwrap().data.is_empty());
    }
}
