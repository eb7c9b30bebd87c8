//! Ingest during sealing, against raw binary COPY.
//!
//! The writer runs beside a maintenance worker that creates partitions and seals.
//! COPY writes the same rows into the same columns of a table with only a primary key.
//!
//! `make bench-ingest`, or `ROWS=10000000 cargo bench -p lookback --bench
//! sealing`. A million sample lines are kept in memory and sent repeatedly, so that
//! generating them costs neither side. The server is not durable (`fsync=off`), as
//! for `make bench-ingest`.

#![expect(
    clippy::unwrap_used,
    clippy::cast_precision_loss,
    reason = "a benchmark"
)]

use std::sync::Arc;
use std::time::{Duration, Instant};

use lookback::ingest::Writer;
use lookback::maintenance::{DEFAULT_PARTITION_IDS, MaintenanceOptions, MaintenanceWorker};
use lookback::{Log, NewLog};
use sqlx::PgPool;
use testkit::bench::{
    Growth, Report, Scale, Target, Times, copy_in, copy_out, create_bare_table, execute, plot, rows,
};
use testkit::sample::log_lines;

const SEED: u64 = 42;
const KEPT: u64 = 1_000_000;

#[tokio::main]
async fn main() {
    let rows = rows(10_000_000);
    let kept = rows.min(KEPT);
    let lines: Arc<Vec<NewLog>> = Arc::new(log_lines(SEED, 0, kept).collect());
    let db = testkit::database().await;
    let mut report = Report::new(
        "sealing",
        "log lines through the writer while they are sealed",
    );
    report.note("rows", rows);

    // The bytes of a COPY of these rows, as written by the server.
    for batch in lines.chunks(50_000) {
        lookback::QueryBuilder::<Log>::default()
            .create_many(&db.pool, batch)
            .await
            .unwrap();
    }
    let bytes = copy_out(&db.pool).await;
    let mut raw = Times::default();
    raw_rounds(&db.pool, &bytes, &mut raw).await;

    execute(&db.pool, "TRUNCATE logs RESTART IDENTITY; CHECKPOINT").await;
    let mut growth = Growth::new(
        "Inserting while records are sealed",
        "rows",
        "rows per second",
    );
    let writer = Writer::<Log>::builder().start(&db.pool).await.unwrap();
    let worker = MaintenanceWorker::spawn(db.pool.clone(), MaintenanceOptions::default()).unwrap();
    let clock = Instant::now();
    let (mut most_behind, mut sent, mut last) = (0_u64, 0_u64, Instant::now());
    while sent < rows {
        let count = kept.min(rows - sent);
        let (lines, to) = (lines.clone(), writer.clone());
        // As in a server, the sender is one of many tasks, not the main one.
        let sending = tokio::spawn(async move {
            for line in lines.iter().take(usize::try_from(count).unwrap()) {
                to.send(line.clone()).await.unwrap();
            }
            to.flush().await.unwrap();
        });
        while !sending.is_finished() {
            tokio::time::sleep(Duration::from_millis(50)).await;
            most_behind = most_behind.max(worker.stats().unsealed_ids);
        }
        sending.await.unwrap();
        sent += count;
        growth.point("written", sent, count as f64 / last.elapsed().as_secs_f64());
        growth.point(
            "ids not sealed",
            sent,
            worker.stats().unsealed_ids.max(1) as f64,
        );
        last = Instant::now();
    }
    let written = clock.elapsed();
    writer.close().await.unwrap();
    // Sealed to the last full segment, which a search finds by summaries.
    let stats = loop {
        let stats = worker.stats();
        if stats.idle_rounds > 1 || stats.last_error.is_some() {
            break worker.stop().await;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    let sealed = clock.elapsed();
    assert_eq!(stats.last_error, None);
    raw_rounds(&db.pool, &bytes, &mut raw).await;

    let mut times = Times::default();
    times.push(written);
    report.figure("written, while sealed", &times, Some(rows));
    let mut all = Times::default();
    all.push(sealed);
    report.figure("written and sealed", &all, Some(rows));
    report.figure("raw COPY, primary key only", &raw, Some(lines.len() as u64));
    report.note("segments sealed", stats.sealed_segments);
    report.note("seconds to seal the rest", (sealed - written).as_secs_f64());
    let raw = lines.len() as f64 / raw.median();
    report.ratio(
        "rows per second against raw COPY",
        rows as f64 / written.as_secs_f64() / raw,
        Target::AtLeast(0.35),
    );
    report.ratio(
        "partitions that sealing was behind at most",
        most_behind as f64 / DEFAULT_PARTITION_IDS as f64,
        Target::AtMost(2.0),
    );
    report.growth(&growth);
    plot(&growth, Scale::LogLog, "growth-ingest.svg");
    report.finish();
}

/// Runs a raw COPY, before and after the writer.
async fn raw_rounds(pool: &PgPool, bytes: &[u8], raw: &mut Times) {
    for _ in 0..3 {
        create_bare_table(pool, "plain").await;
        execute(pool, "CHECKPOINT").await;
        raw.time(copy_in(pool, "plain", bytes)).await;
        execute(pool, "DROP TABLE plain").await;
    }
}
