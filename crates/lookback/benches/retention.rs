//! The cost of pruning, against `DELETE` of the same rows and `VACUUM`.
//!
//! It drops a full partition, with its search summaries.
//!
//! `make bench-retention`, or `ROWS=4000000 cargo bench -p lookback --bench
//! retention`. Both work on copies of one database, in turn, each on its own
//! copy: `logs` in partitions of `ROWS` ids (rounded up to whole segments),
//! the oldest of which is sealed, frozen and pruned, and a newer one that stays.
//! Pruning includes the plan; the `DELETE` gets its cutoff, and keeps the search
//! summaries.
//!
//! Three times of pruning count, all from the call: until its rows are gone for
//! every query, until their file is gone from the disk, and until it returns, with
//! the search summaries deleted.
//!
//! Both on two servers: that of the tests, which is not durable, and a durable one,
//! like that of an application. Another connection reads one of the rows repeatedly:
//! it shows when they are gone for other sessions, and how long it was delayed.

#![expect(clippy::unwrap_used, reason = "a benchmark")]

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use lookback::maintenance::sealing::{DEFAULT_SEGMENT, SealStep, Sealer};
use lookback::maintenance::{self, PrecreateOptions, PruneReport, RetentionPolicy};
use lookback::{Log, Model as _};
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection, PgPool, Row as _};
use testkit::bench::{Contest, Report, Target, rows};
use tokio::task::JoinHandle;

const ROUNDS: usize = 5;

/// The number of kept records.
const KEPT: u64 = 100_000;

const BATCH: u64 = 20_000;

#[tokio::main]
async fn main() {
    let ids = i64::try_from(rows(1_000_000)).unwrap();
    let ids = (ids + DEFAULT_SEGMENT - 1) / DEFAULT_SEGMENT * DEFAULT_SEGMENT;
    let mut report = Report::new(
        "retention",
        "dropping a partition against DELETE of its rows and VACUUM",
    );
    compare("fsync off", testkit::server_url(), ids, &mut report).await;
    // It blocks while the server starts.
    let (durable, running) = tokio::task::spawn_blocking(|| {
        let server = testkit::KillableServer::durable();
        let running = server.start();
        (server, running)
    })
    .await
    .unwrap();
    compare("durable", &running.url(), ids, &mut report).await;
    report.finish();
    tokio::task::spawn_blocking(move || drop(durable))
        .await
        .unwrap();
}

/// Measures both on one server.
async fn compare(on: &str, server: &str, ids: i64, report: &mut Report) {
    let mut admin = PgConnection::connect(server).await.unwrap();
    let name = format!("bench_retention_{}", std::process::id());
    let sql = format!("CREATE DATABASE {name} TEMPLATE template0");
    admin.execute(AssertSqlSafe(sql)).await.unwrap();
    let (server, _) = server.rsplit_once('/').unwrap();
    let url = format!("{server}/{name}");
    let pool = PgPool::connect(&url).await.unwrap();
    lookback::migrate::run(&mut pool.acquire().await.unwrap(), Duration::from_secs(60))
        .await
        .unwrap();
    let (rows, cutoff) = fill(&pool, ids).await;
    let summaries = summaries(&pool).await;
    pool.close().await;

    let mut contest = Contest::new();
    let mut bytes = 0;
    for round in 0..ROUNDS {
        let copy = Copy::of(&mut admin, &url, round).await;
        bytes = prune(&copy, cutoff, rows, &mut contest).await;
        copy.drop(&mut admin).await;

        let copy = Copy::of(&mut admin, &url, round).await;
        delete(&copy, cutoff, rows, &mut contest).await;
        copy.drop(&mut admin).await;
    }
    let sql = format!("DROP DATABASE {name} WITH (FORCE)");
    admin.execute(AssertSqlSafe(sql)).await.unwrap();

    report.note("rows", rows);
    report.note("bytes on disk", bytes);
    report.note(
        "rows of search_blocks, search_postings and sealed_segments",
        summaries,
    );
    for (what, times) in contest.iter() {
        report.figure(&format!("{on}: {what}"), times, None);
    }
    let peer = contest.times(PEER).median();
    for (until, what) in [
        ("until its rows are gone for every query", PRUNE_GONE),
        ("until its space is free on the disk", PRUNE_FREE),
        ("until it returns, with orphans deleted", PRUNE),
    ] {
        report.ratio(
            &format!("{on}: times as fast as DELETE and VACUUM, {until}"),
            peer / contest.times(what).median(),
            Target::AtLeast(100.0),
        );
    }
}

const PRUNE: &str = "prune, to its end, with orphans deleted";
const PRUNE_FREE: &str = "prune, until the disk is free";
const PRUNE_GONE: &str = "prune, until the rows are gone for another connection";
const PEER: &str = "DELETE and VACUUM, to their end: the table can use the space again";

/// Creates two partitions, the first of them full, sealed and frozen.
///
/// Returns its rows, and a time after all of them.
async fn fill(pool: &PgPool, ids: i64) -> (u64, DateTime<Utc>) {
    let mut options = PrecreateOptions::default();
    options.ids_per_partition = ids;
    let table = Log::TABLE;
    maintenance::precreate_partitions(pool, table, &options)
        .await
        .unwrap();
    // Ids start at 1, so the first partition has one row less.
    let rows = ids.unsigned_abs() - 1;
    let all = rows + KEPT;
    for first in (0..all).step_by(usize::try_from(BATCH).unwrap()) {
        let lines: Vec<_> = testkit::sample::log_lines(42, first, BATCH.min(all - first)).collect();
        Log::records().create_many(pool, &lines).await.unwrap();
        maintenance::precreate_partitions(pool, table, &options)
            .await
            .unwrap();
    }
    let mut conn = pool.acquire().await.unwrap();
    let mut sealer = Sealer::new(table, DEFAULT_SEGMENT).unwrap();
    let patience = Duration::from_secs(10);
    while let SealStep::Sealed { .. } = sealer.step(&mut conn, patience).await.unwrap() {}
    assert!(
        maintenance::freeze_partition(pool, table)
            .await
            .unwrap()
            .is_some()
    );
    // As the maintenance worker does.
    let full = &maintenance::partitions(&mut conn, table).await.unwrap()[0];
    maintenance::compact(&mut conn, table, full)
        .await
        .unwrap()
        .unwrap();
    maintenance::vacuum_summaries(&mut conn).await.unwrap();
    let newest = "SELECT max(created_at) + interval '1 microsecond' FROM logs_p0000000000000000";
    let cutoff = conn.fetch_one(newest).await.unwrap().get(0);
    (rows, cutoff)
}

async fn summaries(pool: &PgPool) -> i64 {
    let sql = "SELECT (SELECT count(*) FROM search_blocks) + (SELECT count(*) FROM search_postings) \
               + (SELECT count(*) FROM sealed_segments)";
    pool.fetch_one(sql).await.unwrap().get(0)
}

/// Counts the summaries up to this id, all of which retention deletes.
async fn summaries_below(pool: &PgPool, id: u64) -> i64 {
    let sql = "SELECT (SELECT count(*) FROM search_blocks WHERE last_id <= $1) \
               + (SELECT count(*) FROM search_postings WHERE last_id <= $1) \
               + (SELECT count(*) FROM sealed_segments WHERE last_id <= $1)";
    let query = sqlx::query(sql).bind(i64::try_from(id).unwrap());
    pool.fetch_one(query).await.unwrap().get(0)
}

/// Copies a database.
struct Copy {
    pool: PgPool,
    url: String,
    name: String,
}

impl Copy {
    async fn of(admin: &mut PgConnection, url: &str, round: usize) -> Self {
        let (server, template) = url.rsplit_once('/').unwrap();
        let name = format!("{template}_{round}");
        let sql = format!("CREATE DATABASE {name} TEMPLATE {template} STRATEGY FILE_COPY");
        admin.execute(AssertSqlSafe(sql)).await.unwrap();
        // Pending writes of the copy are not part of the measurement.
        admin.execute("CHECKPOINT").await.unwrap();
        let url = format!("{server}/{name}");
        let pool = PgPool::connect(&url).await.unwrap();
        // In memory for both, like recently used data.
        pool.execute("SELECT count(message) FROM logs")
            .await
            .unwrap();
        Self { pool, url, name }
    }

    async fn drop(self, admin: &mut PgConnection) {
        self.pool.close().await;
        let sql = format!("DROP DATABASE {} WITH (FORCE)", self.name);
        admin.execute(AssertSqlSafe(sql)).await.unwrap();
    }
}

/// Runs on one connection, as the maintenance worker does.
async fn prune(copy: &Copy, cutoff: DateTime<Utc>, rows: u64, contest: &mut Contest) -> u64 {
    let policy = RetentionPolicy::default().older_than(Duration::ZERO);
    let pool = &copy.pool;
    let watcher = Watcher::begin(&copy.url).await;
    let clock = Instant::now();
    let mut conn = pool.acquire().await.unwrap();
    let plan = maintenance::plan_prune(&mut conn, Log::TABLE, &policy, cutoff)
        .await
        .unwrap();
    let planned = clock.elapsed();
    // Reported after the transaction that drops the partition, when PostgreSQL has removed the file.
    let mut free = None;
    let mut on_progress = |_: &PruneReport| {
        free.get_or_insert_with(|| clock.elapsed());
        ControlFlow::Continue(())
    };
    let done = maintenance::prune(&mut *conn, Log::TABLE, &plan, &mut on_progress)
        .await
        .unwrap();
    let all = clock.elapsed();
    let seen = watcher.end().await;
    contest.push(PRUNE_GONE, seen.gone - clock);
    contest.push(PRUNE_FREE, free.unwrap());
    contest.push(PRUNE, all);
    contest.push("prune, of which the plan", planned);
    contest.push("prune, longest query beside it", seen.longest);
    assert_eq!((done.deleted_rows, done.dropped_partitions), (rows, 1));
    assert_eq!(left(pool).await, i64::try_from(KEPT).unwrap());
    assert_eq!(summaries_below(pool, rows).await, 0);
    done.freed_bytes
}

async fn delete(copy: &Copy, cutoff: DateTime<Utc>, rows: u64, contest: &mut Contest) {
    let pool = &copy.pool;
    let watcher = Watcher::begin(&copy.url).await;
    let clock = Instant::now();
    let deleted = sqlx::query("DELETE FROM logs WHERE created_at < $1")
        .bind(cutoff)
        .execute(pool)
        .await
        .unwrap();
    pool.execute("VACUUM logs").await.unwrap();
    let all = clock.elapsed();
    let seen = watcher.end().await;
    contest.push(PEER, all);
    contest.push(
        "DELETE, until the rows are gone for another connection",
        seen.gone - clock,
    );
    contest.push("DELETE and VACUUM, longest query beside them", seen.longest);
    assert_eq!(deleted.rows_affected(), rows);
    assert_eq!(left(pool).await, i64::try_from(KEPT).unwrap());
}

/// A connection that repeatedly reads one of the deleted rows.
struct Watcher {
    stop: Arc<AtomicBool>,
    task: JoinHandle<Seen>,
}

struct Seen {
    /// The time at which the row was gone.
    gone: Instant,
    /// The time of the longest query.
    longest: Duration,
}

impl Watcher {
    async fn begin(url: &str) -> Self {
        let mut conn = PgConnection::connect(url).await.unwrap();
        let stop = Arc::new(AtomicBool::new(false));
        assert!(Self::ask(&mut conn).await);
        let stopping = Arc::clone(&stop);
        let task = tokio::spawn(async move {
            let (mut gone, mut longest) = (None, Duration::ZERO);
            // Once more after the stop signal, so that it sees the end.
            let mut is_last = false;
            loop {
                let clock = Instant::now();
                let is_there = Self::ask(&mut conn).await;
                longest = longest.max(clock.elapsed());
                if !is_there && gone.is_none() {
                    gone = Some(Instant::now());
                }
                if is_last {
                    break;
                }
                is_last = stopping.load(Ordering::Relaxed);
                // Leaves the cores for the measured work.
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            let gone = gone.unwrap();
            Seen { gone, longest }
        });
        Self { stop, task }
    }

    async fn ask(conn: &mut PgConnection) -> bool {
        let sql = "SELECT EXISTS (SELECT FROM logs WHERE id = 7)";
        conn.fetch_one(sqlx::query(sql)).await.unwrap().get(0)
    }

    async fn end(self) -> Seen {
        self.stop.store(true, Ordering::Relaxed);
        self.task.await.unwrap()
    }
}

async fn left(pool: &PgPool) -> i64 {
    let sql = "SELECT count(*) FROM logs";
    pool.fetch_one(sql).await.unwrap().get(0)
}
