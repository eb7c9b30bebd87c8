//! The cost of ingest: the writer against raw binary COPY, and against search indexes.
//!
//! The writer checks and embeds, into `logs` as migrated. COPY writes the same rows
//! into the same columns of a table with only a primary key. The third table has the
//! search indexes on the write path.
//!
//! `make bench-ingest`, or `ROWS=2000000 make bench-ingest`. The first two run
//! in turn, several times. Both write to a server that is not durable (`fsync=off`),
//! so that the work is measured and not the disk. `LANES`
//! sets the connections of the writer.

#![expect(
    clippy::unwrap_used,
    clippy::cast_precision_loss,
    reason = "a benchmark"
)]

use std::time::Instant;

use lookback::embedding::Embedding;
use lookback::ingest::Writer;
use lookback::{Log, NewLog};
use sqlx::PgPool;
use testkit::bench::{
    Contest, Report, Target, Times, copy_in, copy_out, create_bare_table, execute, rows,
};
use testkit::sample::log_lines;

const ROUNDS: usize = 5;
const SEED: u64 = 42;

/// The rows of the table with search indexes: before the measurement, and measured.
///
/// Before, as many as the writer writes: building the indexes over more takes more
/// than minutes.
const MOST_THERE: u64 = 2_000_000;
const MORE: u64 = 10_000;
const BATCH: usize = 1_000;

const SEARCH_INDEXES: &str = "CREATE EXTENSION IF NOT EXISTS pg_trgm; \
    SET maintenance_work_mem = '1GB'; \
    CREATE INDEX indexed_vectors ON indexed USING hnsw (embedding vector_cosine_ops) \
      WITH (m = 8, ef_construction = 32); \
    CREATE INDEX indexed_words ON indexed USING gin \
      (lower(message || E'\\n' || source || E'\\n' || level) gin_trgm_ops); \
    RESET maintenance_work_mem";

#[tokio::main]
async fn main() {
    let rows = rows(200_000);
    let db = testkit::database().await;
    let mut report = Report::new("ingest", "log lines through the writer");
    report.note("rows", rows);

    // First, while the memory of this process is small.
    let memory = memory(&db.pool, rows).await;

    // The bytes of a COPY of these rows, as written by the server.
    written(&db.pool, lines(rows)).await;
    let bytes = copy_out(&db.pool).await;
    report.note("bytes per row", bytes.len() as u64 / rows);
    create_bare_table(&db.pool, "plain").await;

    let mut contest = Contest::new();
    for _ in 0..ROUNDS {
        empty(&db.pool).await;
        let raw = copy_in(&db.pool, "plain", &bytes);
        contest.time("raw COPY, primary key only", raw).await;

        empty(&db.pool).await;
        let lines = lines(rows);
        contest
            .time("writer, logs as migrated", written(&db.pool, lines))
            .await;
    }
    report.contest(&contest, Some(rows));

    // Initial rows, then the indexes, then the measured rows, by a COPY per batch, as a client
    // that waits for each would do.
    let (there, more) = (rows.min(MOST_THERE), MORE);
    create_bare_table(&db.pool, "indexed").await;
    empty(&db.pool).await;
    written(&db.pool, lines(there)).await;
    copy_in(&db.pool, "indexed", &copy_out(&db.pool).await).await;
    execute(&db.pool, SEARCH_INDEXES).await;
    empty(&db.pool).await;
    let mut batches = Vec::new();
    for batch in log_lines(SEED, there, more)
        .collect::<Vec<_>>()
        .chunks(BATCH)
    {
        empty(&db.pool).await;
        written(&db.pool, batch.to_vec()).await;
        batches.push(copy_out(&db.pool).await);
    }
    let mut indexed = Times::default();
    let copying = async {
        for batch in &batches {
            copy_in(&db.pool, "indexed", batch).await;
        }
        // The pending list of the GIN index.
        execute(&db.pool, "SELECT gin_clean_pending_list('indexed_words')").await;
    };
    indexed.time(copying).await;
    report.note("rows that the table with search indexes had", there);
    let name = "raw COPY, HNSW and trigram GIN";
    report.figure(name, &indexed, Some(more));

    let mut embedding = Times::default();
    let sample = lines(rows.min(200_000));
    for _ in 0..ROUNDS {
        let clock = Instant::now();
        for log in &sample {
            std::hint::black_box(Embedding::of(&log.message));
        }
        embedding.push(clock.elapsed());
    }
    report.figure("embedding, one core", &embedding, Some(sample.len() as u64));

    let writer = rows as f64 / contest.times("writer, logs as migrated").median();
    let raw = rows as f64 / contest.times("raw COPY, primary key only").median();
    report.ratio(
        "rows per second against raw COPY",
        writer / raw,
        Target::AtLeast(0.7),
    );
    let indexed = more as f64 / indexed.median();
    report.ratio(
        "rows per second against search indexes",
        writer / indexed,
        Target::AtLeast(50.0),
    );
    if let Some((at_rest, early, peak)) = memory {
        report.note("memory at rest, MiB", at_rest);
        report.note("memory after a tenth, MiB", early);
        report.note("memory at its peak, MiB", peak);
        report.ratio("memory at its peak, MiB", peak, Target::AtMost(200.0));
    }
    report.finish();
}

fn lines(rows: u64) -> Vec<NewLog> {
    log_lines(SEED, 0, rows).collect()
}

/// Sends every line to the writer, and returns when all are committed.
async fn written(pool: &PgPool, lines: Vec<NewLog>) {
    let lanes = std::env::var("LANES").map_or(4, |lanes| lanes.parse().unwrap());
    let writer = Writer::<Log>::builder()
        .connections(lanes)
        .start(pool)
        .await
        .unwrap();
    // As in a server, the sender is one of many tasks, not the main one.
    tokio::spawn(async move {
        for line in lines {
            writer.send(line).await.unwrap();
        }
        writer.close().await.unwrap();
        assert_eq!(writer.counters().written, writer.counters().accepted);
    })
    .await
    .unwrap();
}

/// Measures the memory of this process in MiB: before, at a tenth, and at its peak.
///
/// It only writes lines that it generates on the fly.
async fn memory(pool: &PgPool, rows: u64) -> Option<(f64, f64, f64)> {
    let at_rest = status("VmRSS")?;
    let writer = Writer::<Log>::builder().start(pool).await.unwrap();
    let mut early = 0.0;
    for (at, line) in (0..).zip(log_lines(SEED, 0, rows)) {
        writer.send(line).await.unwrap();
        if at == rows / 10 {
            early = status("VmHWM")?;
        }
    }
    writer.close().await.unwrap();
    let peak = status("VmHWM")?;
    empty(pool).await;
    Some((at_rest, early, peak))
}

/// Reads a line of `/proc/self/status` in MiB, if the system has it.
fn status(name: &str) -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with(name))?;
    let kibibytes: f64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some((kibibytes / 1024.0).round())
}

async fn empty(pool: &PgPool) {
    let plain =
        "DO $$ BEGIN IF to_regclass('plain') IS NOT NULL THEN TRUNCATE plain; END IF; END $$";
    execute(pool, plain).await;
    execute(pool, "TRUNCATE logs; CHECKPOINT").await;
}
