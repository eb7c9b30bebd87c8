//! Rejected rows do not fail their batch.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use lookback::ingest::Writer;
use lookback::{Log, NewLog};

use super::fixtures::{execute, numbered, stored, until, within};

/// Sends numbers, some of which the database rejects and some Lookback itself; returns the
/// rejected ones, and the distinct errors.
async fn rejections(
    pool: &sqlx::PgPool,
    numbers: std::ops::Range<i64>,
) -> (BTreeSet<i64>, BTreeSet<String>) {
    let outcomes = Arc::new(Mutex::new((BTreeSet::new(), BTreeSet::new())));
    let handler_outcomes = Arc::clone(&outcomes);
    let writer = Writer::<Log>::builder()
        .batch(1_000, 1 << 20)
        .batch_age(Duration::from_millis(20))
        .on_rejected(move |rejected| {
            let n = rejected.values["meta"]["n"].as_i64().unwrap();
            let mut outcomes = handler_outcomes.lock().unwrap();
            outcomes.0.insert(n);
            outcomes.1.insert(rejected.error.to_string());
            // The values can be sent again.
            let again: NewLog = lookback::table::ColumnValues::from_json(rejected.values).unwrap();
            assert_eq!(again.meta.unwrap()["n"], n);
        })
        .start(pool)
        .await
        .unwrap();
    let mut receipts = Vec::new();
    for n in numbers {
        let mut new = numbered(n);
        if n % 97 == 5 {
            new.message.push('\0');
        }
        if n % 2 == 0 {
            writer.send(new).await.unwrap();
        } else {
            receipts.push((n, writer.submit(new).await.unwrap()));
        }
    }
    writer.flush().await.unwrap();
    for (n, receipt) in receipts {
        if let Err(error) = receipt.await {
            assert!(!error.fields().is_empty(), "{error:?}");
            let mut outcomes = outcomes.lock().unwrap();
            assert!(outcomes.0.insert(n));
            outcomes.1.insert(error.to_string());
        }
    }
    let counters = writer.counters();
    writer.close().await.unwrap();
    let outcomes = outcomes.lock().unwrap().clone();
    assert_eq!(counters.rejected, outcomes.0.len() as u64);
    assert_eq!(counters.written + counters.rejected, counters.accepted);
    outcomes
}

fn kept(numbers: std::ops::Range<i64>, refused: &BTreeSet<i64>) -> Vec<(i64, i64)> {
    let kept = numbers.filter(|n| !refused.contains(n));
    kept.map(|n| (n, 1)).collect()
}

#[tokio::test]
async fn batch_with_rows_that_fail_a_check_stores_the_others() {
    let db = testkit::database().await;
    execute(
        &db.pool,
        "ALTER TABLE logs ADD CONSTRAINT odd CHECK ((meta->>'n')::bigint % 131 <> 7)",
    )
    .await;
    let (refused, outcomes) = rejections(&db.pool, 0..5_000).await;
    let expected = (0..5_000).filter(|n| n % 131 == 7 || n % 97 == 5);
    assert_eq!(refused, expected.collect());
    assert!(
        outcomes
            .iter()
            .any(|outcomes| outcomes.starts_with("message: contains a NUL character"))
    );
    let check = "violates check constraint \"odd\"";
    assert!(
        outcomes.iter().any(|outcomes| outcomes.contains(check)),
        "{outcomes:?}"
    );
    assert_eq!(stored(&db.pool).await, kept(0..5_000, &refused));
}

#[tokio::test]
async fn batch_of_mostly_bad_rows_reports_each() {
    let db = testkit::database().await;
    execute(
        &db.pool,
        "ALTER TABLE logs ADD CONSTRAINT few CHECK ((meta->>'n')::bigint % 500 = 3)",
    )
    .await;
    let (refused, _) = rejections(&db.pool, 0..2_000).await;
    assert_eq!(
        stored(&db.pool).await,
        [(3, 1), (503, 1), (1_003, 1), (1_503, 1)]
    );
    assert_eq!(refused.len(), 1_996);
}

/// PostgreSQL does not name the row that fails a deferred constraint, or a trigger at the
/// end of the statement.
#[tokio::test]
async fn batch_with_rows_that_fail_a_constraint_trigger_finds_them() {
    let db = testkit::database_without_ranges().await;
    for when in ["INITIALLY DEFERRED", "INITIALLY IMMEDIATE"] {
        execute(
            &db.pool,
            &format!(
                "TRUNCATE logs; \
                 CREATE OR REPLACE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
                   IF (NEW.meta->>'n')::bigint % 400 = 9 THEN RAISE 'not this one'; END IF; \
                   RETURN NULL; END $$; \
                 DROP TRIGGER IF EXISTS refuse ON logs_default; \
                 CREATE CONSTRAINT TRIGGER refuse AFTER INSERT ON logs_default DEFERRABLE {when} \
                   FOR EACH ROW EXECUTE FUNCTION refuse()"
            ),
        )
        .await;
        let outcomes = Arc::new(Mutex::new(BTreeSet::new()));
        let handler_outcomes = Arc::clone(&outcomes);
        let writer = Writer::<Log>::builder()
            .on_rejected(move |rejected| {
                let n = rejected.values["meta"]["n"].as_i64().unwrap();
                assert!(handler_outcomes.lock().unwrap().insert(n));
            })
            .start(&db.pool)
            .await
            .unwrap();
        for n in 0..2_000 {
            writer.send(numbered(n)).await.unwrap();
        }
        writer.close().await.unwrap();
        let outcomes = outcomes.lock().unwrap().clone();
        assert_eq!(outcomes, BTreeSet::from([9, 409, 809, 1_209, 1_609]));
        assert_eq!(stored(&db.pool).await, kept(0..2_000, &outcomes));
    }
}

#[tokio::test]
async fn table_without_a_column_is_retried_until_patience_ends() {
    let db = testkit::database().await;
    let (away, back) = (
        "ALTER TABLE logs RENAME COLUMN message TO text",
        "ALTER TABLE logs RENAME COLUMN text TO message",
    );
    let with_patience = |patience| {
        Writer::<Log>::builder()
            .batch_age(Duration::from_millis(5))
            .back_off(Duration::from_millis(5), Duration::from_millis(50))
            .patience(patience)
            .start(&db.pool)
    };
    // Longer than the test itself waits.
    let patient = with_patience(Duration::from_secs(600)).await.unwrap();
    execute(&db.pool, away).await;
    let receipt = patient.submit(numbered(1)).await.unwrap();
    until("an error", async || patient.counters().last_error.is_some()).await;
    let last_error = patient.counters().last_error.unwrap().to_string();
    assert!(last_error.contains("\"message\""), "{last_error}");
    execute(&db.pool, back).await;
    within("an answer", receipt).await.unwrap();
    assert!(patient.counters().last_error.is_none());
    patient.close().await.unwrap();

    let hasty = with_patience(Duration::from_millis(200)).await.unwrap();
    execute(&db.pool, away).await;
    let error = within("an answer", hasty.write(numbered(2)))
        .await
        .unwrap_err();
    assert!(error.is_not_written(), "{error:?}");
    assert!(error.to_string().contains("the writer gave up"), "{error}");
    execute(&db.pool, back).await;
    hasty.write(numbered(3)).await.unwrap();
    hasty.close().await.unwrap();
    assert_eq!(stored(&db.pool).await, [(1, 1), (3, 1)]);
}

/// Transient errors are retried and reject nothing.
#[tokio::test]
async fn deadlocks_and_timeouts_reject_no_row() {
    let db = testkit::database().await;
    for (code, times) in [
        ("40P01", 3),
        ("40001", 2),
        ("57014", 2),
        ("53100", 2),
        ("25006", 2),
    ] {
        execute(
            &db.pool,
            &format!(
                "CREATE SEQUENCE IF NOT EXISTS tries; SELECT setval('tries', 1, false); \
                 CREATE OR REPLACE FUNCTION stumble() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
                   IF nextval('tries') <= {times} THEN RAISE SQLSTATE '{code}'; END IF; \
                   RETURN NULL; END $$; \
                 DROP TRIGGER IF EXISTS stumble ON logs; \
                 CREATE TRIGGER stumble AFTER INSERT ON logs EXECUTE FUNCTION stumble()"
            ),
        )
        .await;
        let writer = Writer::<Log>::builder()
            .batch_age(Duration::from_millis(5))
            .back_off(Duration::from_millis(5), Duration::from_millis(20))
            .start(&db.pool)
            .await
            .unwrap();
        writer.write(numbered(1)).await.unwrap();
        assert_eq!(writer.counters().rejected, 0);
        writer.close().await.unwrap();
        assert_eq!(stored(&db.pool).await, [(1, 1)]);
        execute(&db.pool, "TRUNCATE logs").await;
    }
}

/// Ids that were copied by hand are no fault of a row: the writer waits until the sequence
/// has passed them.
#[tokio::test]
async fn row_that_gets_a_taken_id_is_not_rejected() {
    let db = testkit::database().await;
    let pool = &db.pool;
    execute(
        pool,
        "INSERT INTO logs (id, source, level, message, meta) OVERRIDING SYSTEM VALUE \
         SELECT n, 'copied', 'info', 'by hand', '{\"n\": 99}' FROM generate_series(3, 8) AS n",
    )
    .await;
    let new = [numbered(0), numbered(1), numbered(2)];
    let error = Log::records().create_many(pool, &new).await.unwrap_err();
    assert!(error.is_setup() && !error.is_conflict(), "{error:?}");
    insta::assert_snapshot!(format!("{error}\n{}", error.remedy().unwrap()), @r#"
    the sequence of logs.id is behind its table: it assigned an id that a record has
    ids were copied into logs by hand: move its sequence behind them:
        SELECT setval(pg_get_serial_sequence('"logs"', 'id'), max("id")) FROM "logs"
    "#);
    let (refused, _) = rejections(pool, 10..16).await;
    assert!(refused.is_empty(), "{refused:?}");
    let written = (10..16).map(|n| (n, 1));
    assert_eq!(
        stored(pool).await,
        written.chain([(99, 6)]).collect::<Vec<_>>()
    );
}
