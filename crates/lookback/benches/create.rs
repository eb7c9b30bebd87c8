//! Records created one at a time, against the same `INSERT` by the driver alone.
//!
//! `make bench-create`, or `ROWS=20000 make bench-create`. Both insert the same lines into `logs` as
//! migrated, each in a transaction of its own, and read back the same columns: on one connection,
//! and 16 at once on 16 connections. The peer has its vectors before it starts, and reads no record
//! from the row. The server is not durable (`fsync=off`), so that the work is measured and not the
//! disk.

#![expect(clippy::unwrap_used, reason = "a benchmark")]

use std::time::Instant;

use chrono::Utc;
use lookback::embedding::Embedding;
use lookback::{Log, NewLog};
use pgvector::Vector;
use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;
use testkit::bench::{Contest, Report, Target, execute, rows};
use testkit::sample::log_lines;

const SEED: u64 = 42;
const ROUNDS: usize = 9;
const AT_ONCE: u32 = 16;

const INSERT: &str = "INSERT INTO logs \
      (source, level, message, meta, trace_id, created_at, updated_at, embedding) \
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8) \
    RETURNING id, source, level, message, meta, trace_id, created_at, updated_at";

#[tokio::main]
async fn main() {
    let rows = rows(5_000);
    let db = testkit::database().await;
    let mut report = Report::new("create", "records created one at a time");
    report.note("rows", rows);
    let lines: Vec<NewLog> = log_lines(SEED, 0, rows).collect();
    let with_vectors: Vec<(NewLog, Option<Vector>)> = lines
        .iter()
        .map(|line| (line.clone(), vector(line)))
        .collect();
    for (name, connections) in [("one at a time", 1), ("16 at once", AT_ONCE)] {
        let options = PgPoolOptions::new()
            .min_connections(connections)
            .max_connections(connections);
        let pool = options.connect(&db.url).await.unwrap();
        let mut contest = Contest::new();
        // The first round is a warm-up.
        for round in 0..=ROUNDS {
            let mut warm = Contest::new();
            let contest = if round == 0 { &mut warm } else { &mut contest };
            execute(&pool, "TRUNCATE logs").await;
            let clock = Instant::now();
            let created = shared(&lines, connections, |line| {
                let pool = pool.clone();
                async move { create(&pool, line).await }
            });
            created.await;
            contest.push("create", clock.elapsed());
            execute(&pool, "TRUNCATE logs").await;
            let clock = Instant::now();
            let inserted = shared(&with_vectors, connections, |(line, vector)| {
                let pool = pool.clone();
                async move { insert(&pool, line, vector).await }
            });
            inserted.await;
            contest.push("INSERT by sqlx", clock.elapsed());
        }
        for who in ["create", "INSERT by sqlx"] {
            report.figure(&format!("{who}, {name}"), contest.times(who), Some(rows));
        }
        report.ratio(
            &format!("rows per second against INSERT, {name}"),
            contest.times("INSERT by sqlx").median() / contest.times("create").median(),
            Target::AtLeast(0.85),
        );
    }
    report.finish();
}

/// The vector that Lookback would store for the line.
fn vector(line: &NewLog) -> Option<Vector> {
    let text = format!("{}\n{}\n{}", line.message, line.source, line.level.as_str());
    Embedding::of(&text).map(|embedding| Vector::from(embedding.as_slice().to_vec()))
}

/// Does the work for each item, shared among this many tasks.
async fn shared<T, F>(items: &[T], tasks: u32, work: impl Fn(T) -> F)
where
    T: Clone + Send + 'static,
    F: Future<Output = ()> + Send + 'static,
{
    let mut running = Vec::new();
    for items in items.chunks(items.len().div_ceil(tasks as usize)) {
        let each: Vec<F> = items.iter().cloned().map(&work).collect();
        running.push(tokio::spawn(async move {
            for one in each {
                one.await;
            }
        }));
    }
    for task in running {
        task.await.unwrap();
    }
}

async fn create(pool: &PgPool, line: NewLog) {
    let created = Log::records().create(pool, line).await.unwrap();
    assert!(created.id > 0);
}

async fn insert(pool: &PgPool, line: NewLog, vector: Option<Vector>) {
    let row = sqlx::query(INSERT)
        .bind(line.source)
        .bind(line.level.as_str())
        .bind(line.message)
        .bind(line.meta.map(sqlx::types::Json))
        .bind(line.trace_id)
        .bind(line.created_at.unwrap_or_else(Utc::now))
        .bind(Utc::now())
        .bind(vector)
        .fetch_one(pool);
    row.await.unwrap();
}
