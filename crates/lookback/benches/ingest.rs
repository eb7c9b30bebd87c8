//! What the write path costs: `create_many`, checks and embedding included,
//! against a raw binary COPY of the same rows into the same table; and the
//! embedding alone.
//!
//! `make bench`, or `ROWS=500000 cargo bench -p lookback --bench ingest`. The
//! two are run in turn, several times; the medians and their ratio are what to
//! quote. Both write to a server that makes nothing durable (`fsync=off`), so
//! that the work is measured and not the disk.

#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::cast_precision_loss)]

use std::time::{Duration, Instant};

use futures_util::TryStreamExt as _;
use lookback::{Embedding, Log, NewLog};
use sqlx::postgres::PgPoolCopyExt as _;
use sqlx::{Executor as _, PgPool};

const ROUNDS: usize = 5;

#[tokio::main]
async fn main() {
    let rows: usize = match std::env::var("ROWS") {
        Ok(rows) => rows.parse().unwrap(),
        Err(_) => 200_000,
    };
    let db = testkit::database().await;
    let logs: Vec<NewLog> = testkit::made::logs(42, rows)
        .into_iter()
        .map(|line| serde_json::from_value(line).unwrap())
        .collect();

    // The bytes of a COPY of these rows, as the server itself writes them.
    Log::records().create_many(&db.pool, &logs).await.unwrap();
    let columns = "source, level, message, meta, trace_id, created_at, updated_at, embedding";
    let bytes: Vec<u8> = db
        .pool
        .copy_out_raw(&format!(
            "COPY (SELECT {columns} FROM logs ORDER BY id) TO STDOUT (FORMAT binary)"
        ))
        .await
        .unwrap()
        .try_fold(Vec::new(), async |mut all, chunk| {
            all.extend_from_slice(&chunk);
            Ok(all)
        })
        .await
        .unwrap();

    let (mut ours, mut raw) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        empty(&db.pool).await;
        let clock = Instant::now();
        Log::records().create_many(&db.pool, &logs).await.unwrap();
        ours.push(clock.elapsed());

        empty(&db.pool).await;
        let clock = Instant::now();
        let statement = format!("COPY logs ({columns}) FROM STDIN (FORMAT binary)");
        let mut copy = db.pool.copy_in_raw(&statement).await.unwrap();
        for chunk in bytes.chunks(256 * 1024) {
            copy.send(chunk).await.unwrap();
        }
        copy.finish().await.unwrap();
        raw.push(clock.elapsed());
    }

    let mut embedding = Vec::new();
    for _ in 0..ROUNDS {
        let clock = Instant::now();
        for log in &logs {
            std::hint::black_box(Embedding::of(&log.message));
        }
        embedding.push(clock.elapsed());
    }

    let per_second = |durations: &mut Vec<Duration>| {
        durations.sort();
        rows as f64 / durations[ROUNDS / 2].as_secs_f64()
    };
    let (ours, raw) = (per_second(&mut ours), per_second(&mut raw));
    println!("{rows} log lines, median of {ROUNDS} rounds");
    println!("  raw binary COPY           {raw:>10.0} rows/s");
    println!("  create_many               {ours:>10.0} rows/s");
    println!("  ratio                     {:>10.2}", ours / raw);
    println!(
        "  embedding, one core       {:>10.0} messages/s",
        per_second(&mut embedding)
    );
}

async fn empty(pool: &PgPool) {
    pool.execute("TRUNCATE logs; CHECKPOINT").await.unwrap();
}
