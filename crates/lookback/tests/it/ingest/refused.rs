//! A row that is refused does not sink its batch.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use lookback::ingest::Writer;
use lookback::{Log, NewLog};

use super::kept::{execute, numbered, stored, until, within};

/// Sends the numbers, some of which the database refuses and some Lookback
/// itself; returns what was refused, and what the first of each kind was told.
async fn refusals(
    pool: &sqlx::PgPool,
    numbers: std::ops::Range<i64>,
) -> (BTreeSet<i64>, BTreeSet<String>) {
    let told = Arc::new(Mutex::new((BTreeSet::new(), BTreeSet::new())));
    let of_handler = Arc::clone(&told);
    let writer = Writer::<Log>::builder()
        .batch(1_000, 1 << 20)
        .batch_age(Duration::from_millis(20))
        .on_rejected(move |rejected| {
            let n = rejected.values["meta"]["n"].as_i64().unwrap();
            let mut told = of_handler.lock().unwrap();
            told.0.insert(n);
            told.1.insert(rejected.error.to_string());
            // What is handed back can be sent again.
            let again: NewLog = lookback::ColumnValues::from_json(rejected.values).unwrap();
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
            let mut told = told.lock().unwrap();
            assert!(told.0.insert(n));
            told.1.insert(error.to_string());
        }
    }
    let counters = writer.counters();
    writer.close().await.unwrap();
    let told = told.lock().unwrap().clone();
    assert_eq!(counters.rejected, told.0.len() as u64);
    assert_eq!(counters.written + counters.rejected, counters.accepted);
    told
}

fn kept(numbers: std::ops::Range<i64>, refused: &BTreeSet<i64>) -> Vec<(i64, i64)> {
    let kept = numbers.filter(|n| !refused.contains(n));
    kept.map(|n| (n, 1)).collect()
}

#[tokio::test]
async fn rows_that_a_check_refuses_are_told_and_the_others_stored() {
    let db = testkit::database().await;
    execute(
        &db.pool,
        "ALTER TABLE logs ADD CONSTRAINT odd CHECK ((meta->>'n')::bigint % 131 <> 7)",
    )
    .await;
    let (refused, told) = refusals(&db.pool, 0..5_000).await;
    let expected = (0..5_000).filter(|n| n % 131 == 7 || n % 97 == 5);
    assert_eq!(refused, expected.collect());
    assert!(
        told.iter()
            .any(|told| told.starts_with("message: holds a NUL character"))
    );
    let check = "violates check constraint \"odd\"";
    assert!(told.iter().any(|told| told.contains(check)), "{told:?}");
    assert_eq!(stored(&db.pool).await, kept(0..5_000, &refused));
}

#[tokio::test]
async fn a_batch_of_nothing_but_bad_rows_is_told_too() {
    let db = testkit::database().await;
    execute(
        &db.pool,
        "ALTER TABLE logs ADD CONSTRAINT few CHECK ((meta->>'n')::bigint % 500 = 3)",
    )
    .await;
    let (refused, _) = refusals(&db.pool, 0..2_000).await;
    assert_eq!(
        stored(&db.pool).await,
        [(3, 1), (503, 1), (1_003, 1), (1_503, 1)]
    );
    assert_eq!(refused.len(), 1_996);
}

/// PostgreSQL does not say of which row a deferred constraint, or a trigger at
/// the end of the statement, speaks.
#[tokio::test]
async fn rows_of_which_no_line_is_told_are_found() {
    let db = testkit::database().await;
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
        let told = Arc::new(Mutex::new(BTreeSet::new()));
        let of_handler = Arc::clone(&told);
        let writer = Writer::<Log>::builder()
            .on_rejected(move |rejected| {
                let n = rejected.values["meta"]["n"].as_i64().unwrap();
                assert!(of_handler.lock().unwrap().insert(n));
            })
            .start(&db.pool)
            .await
            .unwrap();
        for n in 0..2_000 {
            writer.send(numbered(n)).await.unwrap();
        }
        writer.close().await.unwrap();
        let told = told.lock().unwrap().clone();
        assert_eq!(told, BTreeSet::from([9, 409, 809, 1_209, 1_609]));
        assert_eq!(stored(&db.pool).await, kept(0..2_000, &told));
    }
}

#[tokio::test]
async fn a_table_that_takes_no_rows_is_waited_for_and_then_told() {
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
    // More of it than the test itself has.
    let patient = with_patience(Duration::from_secs(600)).await.unwrap();
    execute(&db.pool, away).await;
    let receipt = patient.submit(numbered(1)).await.unwrap();
    until("trouble", async || patient.counters().trouble.is_some()).await;
    let trouble = patient.counters().trouble.unwrap().to_string();
    assert!(trouble.contains("\"message\""), "{trouble}");
    execute(&db.pool, back).await;
    within("an answer", receipt).await.unwrap();
    assert!(patient.counters().trouble.is_none());
    patient.close().await.unwrap();

    let hasty = with_patience(Duration::from_millis(200)).await.unwrap();
    execute(&db.pool, away).await;
    let error = within("an answer", hasty.write(numbered(2)))
        .await
        .unwrap_err();
    assert!(error.is_unwritten(), "{error:?}");
    assert!(error.to_string().contains("the writer gave up"), "{error}");
    execute(&db.pool, back).await;
    hasty.write(numbered(3)).await.unwrap();
    hasty.close().await.unwrap();
    assert_eq!(stored(&db.pool).await, [(1, 1), (3, 1)]);
}

/// What is nobody's fault is tried again, and rejects nothing.
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
