//! Writing records, acknowledgements and counters.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use lookback::error::Remedy;
use lookback::ingest::{WhenFull, Writer};
use lookback::{Level, Log, NewLog, model};

use super::fixtures::{
    WAIT_LIMIT, execute, number, numbered, small_batches, stored, until, within,
};

#[tokio::test]
async fn acknowledged_records_are_stored_and_counted() {
    let db = testkit::database().await;
    let writer = small_batches(&db.pool).await;
    for n in 0..2_500 {
        writer.send(numbered(n)).await.unwrap();
    }
    writer.flush().await.unwrap();
    assert_eq!(stored(&db.pool).await.len(), 2_500);

    let writes = join_all((2_500..2_600).map(|n| writer.write(numbered(n)))).await;
    assert!(writes.iter().all(Result::is_ok));
    let expected: Vec<(i64, i64)> = (0..2_600).map(|n| (n, 1)).collect();
    assert_eq!(stored(&db.pool).await, expected);

    let receipt = writer.submit(numbered(2_600)).await.unwrap();
    writer.close().await.unwrap();
    receipt.await.unwrap();
    let counters = writer.counters();
    assert_eq!(counters.accepted, 2_601);
    assert_eq!((counters.written, counters.pending), (2_601, 0));
    assert_eq!((counters.rejected, counters.dropped), (0, 0));
    assert_eq!(counters.lag, Duration::ZERO);
    assert!(counters.last_error.is_none());
    // Lanes are deleted with their writer.
    assert_eq!(
        number(&db.pool, "SELECT count(*) FROM ingest_lanes").await,
        0
    );

    let late = writer.send(numbered(1)).await.unwrap_err();
    assert!(late.is_not_written());
    assert_eq!(late.to_string(), "logs: not written: the writer is closed");
    writer.close().await.unwrap();
}

#[tokio::test]
async fn written_record_equals_an_inserted_one() {
    let db = testkit::database().await;
    let new = NewLog::new("DB", Level::Error, "link to the sérver denied")
        .meta(lookback::json!({"a": [1, 2.5, null, {"b": "c"}]}))
        .created_at(crate::time("1999-12-31T23:59:59Z"));
    let records = Log::records()
        .with_hidden(Log::embedding())
        .with_hidden(Log::deleted_at());
    let inserted = records.create(&db.pool, new.clone()).await.unwrap();
    let writer = Writer::<Log>::builder().start(&db.pool).await.unwrap();
    writer.write(new).await.unwrap();
    let copied = records
        .filter(Log::id().ne(inserted.id))
        .first(&db.pool)
        .await
        .unwrap()
        .unwrap();
    let same = Log {
        id: inserted.id,
        updated_at: inserted.updated_at,
        ..copied
    };
    assert_eq!(same, inserted);
    writer.close().await.unwrap();
}

#[model(table = "parcels", search(note))]
struct Parcel {
    id: i64,
    note: String,
    #[column(sql_default = "7")]
    weight: i32,
    #[column(sql_default = "'none'")]
    colour: String,
    created_at: chrono::DateTime<chrono::Utc>,
    updated_at: chrono::DateTime<chrono::Utc>,
    deleted_at: lookback::value::Hidden<Option<chrono::DateTime<chrono::Utc>>>,
    embedding: lookback::value::Hidden<Option<lookback::embedding::Embedding>>,
}

/// Records of one batch leave different columns to the database.
#[tokio::test]
async fn batch_with_omitted_columns_uses_database_defaults() {
    let db = testkit::database().await;
    execute(
        &db.pool,
        "CREATE TABLE parcels (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, note text NOT NULL, \
         weight int NOT NULL DEFAULT 7, colour text NOT NULL DEFAULT 'none', \
         created_at timestamptz NOT NULL DEFAULT now(), updated_at timestamptz NOT NULL DEFAULT now(), \
         deleted_at timestamptz, embedding vector(16), CHECK (weight <> 30))",
    )
    .await;
    let parcel = |n: i32| {
        let new = NewParcel::new(format!("parcel {n}"));
        match n % 4 {
            0 => new,
            1 => new.weight(n),
            2 => new.colour("red"),
            _ => new.weight(n).colour("red"),
        }
    };
    let writer = Writer::<Parcel>::builder()
        .batch(1_000, 1 << 20)
        // One batch, however long sending takes: the flush dispatches it.
        .batch_age(Duration::from_secs(60 * 60))
        .start(&db.pool)
        .await
        .unwrap();
    for n in 0..400 {
        writer.send(parcel(n)).await.unwrap();
    }
    // In one batch, with rejected rows in two of its groups.
    let bad = NewParcel::new("too heavy").weight(30);
    let refused = writer.submit(bad.clone()).await.unwrap();
    let refused_too = writer.submit(bad.colour("red")).await.unwrap();
    writer.flush().await.unwrap();
    for refused in [refused, refused_too] {
        assert!(refused.await.unwrap_err().is_invalid());
    }
    let right = "SELECT count(*) FROM parcels WHERE embedding IS NOT NULL \
         AND weight = CASE WHEN substr(note, 8)::int % 2 = 0 THEN 7 ELSE substr(note, 8)::int END \
         AND colour = CASE WHEN substr(note, 8)::int % 4 < 2 THEN 'none' ELSE 'red' END";
    assert_eq!(number(&db.pool, right).await, 400);
    assert_eq!(number(&db.pool, "SELECT count(*) FROM parcels").await, 400);
    writer.close().await.unwrap();
}

#[tokio::test]
async fn full_queue_waits_or_drops() {
    let db = testkit::database().await;
    let mut blocking = db.pool.begin().await.unwrap();
    sqlx::query("LOCK TABLE logs IN EXCLUSIVE MODE")
        .execute(&mut *blocking)
        .await
        .unwrap();
    let options = || {
        Writer::<Log>::builder()
            .queue(50, 1 << 20)
            .batch(10, 1 << 20)
            .connections(1)
    };
    let dropping = options()
        .when_full(WhenFull::Drop)
        .start(&db.pool)
        .await
        .unwrap();
    let waiting = options().start(&db.pool).await.unwrap();
    let mut dropped = 0_u64;
    for n in 0..1_000 {
        if let Err(error) = dropping.send(numbered(n)).await {
            assert!(error.is_not_written(), "{error}");
            dropped += 1;
        }
    }
    // The queue, a chunk taken from it, a batch being built, one ready, one being sent.
    let most = 2 * 50 + 3 * 10;
    assert!(dropped >= 1_000 - most, "{dropped}");
    let of_waiting = waiting.clone();
    let sending = tokio::spawn(async move {
        for n in 1_000..1_500 {
            of_waiting.send(numbered(n)).await.unwrap();
        }
    });
    // Parts behind the queue may still take from it: wait until it stays full for a while.
    let (begun, mut more) = (Instant::now(), 0);
    let (mut accepted, mut since) = (0, Instant::now());
    loop {
        let is_full = waiting.try_send(numbered(2_000 + more)).is_err();
        more += i64::from(!is_full);
        let now = waiting.counters().accepted;
        if now != accepted {
            (accepted, since) = (now, Instant::now());
        }
        if is_full && since.elapsed() >= Duration::from_millis(300) {
            break;
        }
        assert!(
            begun.elapsed() < WAIT_LIMIT,
            "the writer accepts more and more: {now}"
        );
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(accepted <= most, "{accepted}");
    assert!(waiting.counters().lag >= Duration::from_millis(300));
    assert!(!sending.is_finished());

    blocking.rollback().await.unwrap();
    sending.await.unwrap();
    waiting.close().await.unwrap();
    dropping.close().await.unwrap();
    let counters = dropping.counters();
    assert_eq!(counters.dropped, dropped);
    assert_eq!(counters.written, 1_000 - dropped);
    let kept = stored(&db.pool).await;
    assert!(kept.iter().all(|(_, times)| *times == 1));
    assert_eq!(kept.len() as u64, 1_500 - dropped + more.unsigned_abs());
}

#[tokio::test]
async fn dropped_writer_fails_pending_receipts() {
    let db = testkit::database().await;
    let mut blocking = db.pool.begin().await.unwrap();
    sqlx::query("LOCK TABLE logs IN EXCLUSIVE MODE")
        .execute(&mut *blocking)
        .await
        .unwrap();
    let writer = small_batches(&db.pool).await;
    let receipt = writer.submit(numbered(1)).await.unwrap();
    let waits = "SELECT count(*) FROM pg_stat_activity \
                 WHERE datname = current_database() AND wait_event_type = 'Lock'";
    until("a batch that waits for the table", async || {
        number(&db.pool, waits).await > 0
    })
    .await;
    drop(writer);
    let error = within("an answer", receipt).await.unwrap_err();
    assert!(error.is_not_written(), "{error}");
    blocking.rollback().await.unwrap();
}

#[tokio::test]
async fn start_with_invalid_options_names_each() {
    let db = testkit::database().await;
    let error = Writer::<Log>::builder()
        .queue(0, 0)
        .connections(1_000)
        .batch_age(Duration::ZERO)
        .back_off(Duration::from_secs(9), Duration::from_secs(1))
        .start(&db.pool)
        .await
        .unwrap_err();
    assert!(error.is_invalid());
    insta::assert_snapshot!(error, @"queue.records: must be from 1 to 10000000, got 0; queue.bytes: must be from 1 to 68719476736, got 0; connections: must be from 1 to 64, got 1000; batch_age: must be more than zero and at most an hour, got 0ns; back_off.first: must be at most back_off.longest (1s), got 9s");
}

#[tokio::test]
async fn start_without_tables_hints_at_migrations() {
    let db = testkit::empty_database().await;
    let error = Writer::<Log>::builder().start(&db.pool).await.unwrap_err();
    assert!(error.is_setup(), "{error}");
    assert_eq!(error.remedy(), Some(Remedy::RunMigrations));
}

/// Ages are relative to the server's clock, whatever that of the tests is.
#[tokio::test]
async fn start_deletes_stale_lanes_of_killed_writers() {
    let db = testkit::database().await;
    let living = small_batches(&db.pool).await;
    living.write(numbered(1)).await.unwrap();
    execute(
        &db.pool,
        "INSERT INTO ingest_lanes (name, batch, updated_at) VALUES \
         ('old', 1, '2001-01-01'), ('young', 1, clock_timestamp() - interval '6 days')",
    )
    .await;
    let other = small_batches(&db.pool).await;
    let names = "SELECT count(*) FROM ingest_lanes WHERE name = ";
    assert_eq!(number(&db.pool, &format!("{names}'old'")).await, 0);
    assert_eq!(number(&db.pool, &format!("{names}'young'")).await, 1);
    // Four per writer.
    let now = "SELECT count(*) FROM ingest_lanes WHERE updated_at \
               BETWEEN clock_timestamp() - interval '1 day' AND clock_timestamp()";
    assert_eq!(number(&db.pool, now).await, 8);
    // A running writer that finds its row missing creates another.
    execute(&db.pool, "DELETE FROM ingest_lanes").await;
    living.write(numbered(2)).await.unwrap();
    living.write(numbered(3)).await.unwrap();
    living.close().await.unwrap();
    other.close().await.unwrap();
    assert_eq!(stored(&db.pool).await, [(1, 1), (2, 1), (3, 1)]);
}

/// The lane's writer is storing a batch, or was when its connection was lost.
#[tokio::test]
async fn start_skips_locked_rows_of_lanes() {
    let db = testkit::database().await;
    execute(
        &db.pool,
        "INSERT INTO ingest_lanes (name, batch, updated_at) VALUES ('old', 1, '2001-01-01')",
    )
    .await;
    let old = "SELECT count(*) FROM ingest_lanes WHERE name = 'old'";
    let mut storing = db.pool.begin().await.unwrap();
    sqlx::query("UPDATE ingest_lanes SET batch = 2 WHERE name = 'old'")
        .execute(&mut *storing)
        .await
        .unwrap();
    let writer = within("a start", small_batches(&db.pool)).await;
    storing.rollback().await.unwrap();
    assert_eq!(number(&db.pool, old).await, 1);
    writer.close().await.unwrap();
    let next = small_batches(&db.pool).await;
    assert_eq!(number(&db.pool, old).await, 0);
    next.close().await.unwrap();
}
