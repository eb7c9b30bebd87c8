//! What retention costs: `retain` of a full partition, with what search keeps
//! about it, against `DELETE` of the same rows and `VACUUM`.
//!
//! `make bench-retention`, or `ROWS=4000000 cargo bench -p lookback --bench
//! retention`. Both work on copies of one database, in turn, each on a copy of
//! its own: `logs` in partitions of `ROWS` ids (rounded up to whole segments),
//! the oldest of which is sealed and finished and goes, and a newer one that
//! stays. Retention works out what goes and takes it; the other one is told what
//! to delete, and leaves what search keeps where it is.

#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use lookback::seal::{DEFAULT_SEGMENT, Sealer, Step};
use lookback::storage::{self, AheadOptions, Policy};
use lookback::{Log, Model as _};
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection, PgPool, Row as _};
use testkit::bench::{Contest, Report, Target, rows};

const ROUNDS: usize = 5;

/// Records that stay.
const KEPT: u64 = 100_000;

const BATCH: u64 = 20_000;

#[tokio::main]
async fn main() {
    let ids = i64::try_from(rows(1_000_000)).unwrap();
    let ids = (ids + DEFAULT_SEGMENT - 1) / DEFAULT_SEGMENT * DEFAULT_SEGMENT;
    let db = testkit::database().await;
    let (rows, cutoff) = fill(&db.pool, ids).await;
    let sides = sides(&db.pool).await;
    db.pool.close().await;

    let mut admin = PgConnection::connect(testkit::server_url()).await.unwrap();
    let mut contest = Contest::new();
    let mut bytes = 0;
    for round in 0..ROUNDS {
        let copy = Copy::of(&mut admin, &db.url, round).await;
        bytes = retain(&copy.pool, cutoff, rows, &mut contest).await;
        copy.drop(&mut admin).await;

        let copy = Copy::of(&mut admin, &db.url, round).await;
        delete(&copy.pool, cutoff, rows, &mut contest).await;
        copy.drop(&mut admin).await;
    }

    let mut report = Report::new(
        "retention",
        "dropping a partition against DELETE of its rows and VACUUM",
    );
    report.note("rows", rows);
    report.note("bytes on disk", bytes);
    report.note(
        "rows of search_blocks, search_kinds and sealed_segments",
        sides,
    );
    report.contest(&contest, Some(rows));
    let ratio = contest.times("DELETE and VACUUM").median() / contest.times("retain").median();
    report.ratio(
        "times as fast as DELETE and VACUUM",
        ratio,
        Target::AtLeast(100.0),
    );
    report.finish();
}

/// Two partitions, the first of them full, sealed and finished. Returns its
/// rows, and a time before which all of them are.
async fn fill(pool: &PgPool, ids: i64) -> (u64, DateTime<Utc>) {
    let mut options = AheadOptions::default();
    options.ids = ids;
    let table = Log::TABLE;
    storage::make_ahead(pool, table, &options).await.unwrap();
    // Ids begin at 1, and so the first partition has one row less.
    let rows = ids.unsigned_abs() - 1;
    let all = rows + KEPT;
    for first in (0..all).step_by(usize::try_from(BATCH).unwrap()) {
        let lines: Vec<_> = testkit::made::log_lines(42, first, BATCH.min(all - first)).collect();
        Log::records().create_many(pool, &lines).await.unwrap();
        storage::make_ahead(pool, table, &options).await.unwrap();
    }
    let mut conn = pool.acquire().await.unwrap();
    let mut sealer = Sealer::new(table, DEFAULT_SEGMENT).unwrap();
    let patience = Duration::from_secs(10);
    while let Step::Sealed { .. } = sealer.step(&mut conn, patience).await.unwrap() {}
    assert!(storage::finish(pool, table).await.unwrap().is_some());
    let newest = "SELECT max(created_at) + interval '1 microsecond' FROM logs_p0000000000000000";
    let cutoff = conn.fetch_one(newest).await.unwrap().get(0);
    (rows, cutoff)
}

async fn sides(pool: &PgPool) -> i64 {
    let sql = "SELECT (SELECT count(*) FROM search_blocks) + (SELECT count(*) FROM search_kinds) \
               + (SELECT count(*) FROM sealed_segments)";
    pool.fetch_one(sql).await.unwrap().get(0)
}

/// A database with the same in it.
struct Copy {
    pool: PgPool,
    name: String,
}

impl Copy {
    async fn of(admin: &mut PgConnection, url: &str, round: usize) -> Self {
        let (server, template) = url.rsplit_once('/').unwrap();
        let name = format!("{template}_{round}");
        let sql = format!("CREATE DATABASE {name} TEMPLATE {template} STRATEGY FILE_COPY");
        admin.execute(AssertSqlSafe(sql)).await.unwrap();
        // What making it left to be written is not part of what is measured.
        admin.execute("CHECKPOINT").await.unwrap();
        let pool = PgPool::connect(&format!("{server}/{name}")).await.unwrap();
        let read = "SET enable_indexscan = off; SELECT count(message) FROM logs";
        pool.execute(read).await.unwrap();
        pool.execute("RESET ALL").await.unwrap();
        Self { pool, name }
    }

    async fn drop(self, admin: &mut PgConnection) {
        self.pool.close().await;
        let sql = format!("DROP DATABASE {} WITH (FORCE)", self.name);
        admin.execute(AssertSqlSafe(sql)).await.unwrap();
    }
}

/// As `lookback storage retain` does it.
async fn retain(pool: &PgPool, cutoff: DateTime<Utc>, rows: u64, contest: &mut Contest) -> u64 {
    let policy = Policy {
        older_than: Some(Duration::ZERO),
        ..Policy::default()
    };
    let clock = Instant::now();
    let mut conn = pool.acquire().await.unwrap();
    let plan = storage::plan_retention(&mut conn, Log::TABLE, &policy, cutoff)
        .await
        .unwrap();
    drop(conn);
    let planned = clock.elapsed();
    let done = storage::retain(pool, Log::TABLE, &plan, &mut |_| ControlFlow::Continue(()))
        .await
        .unwrap();
    let all = clock.elapsed();
    contest.push("retain", all);
    contest.push("of which working out what goes", planned);
    contest.push("of which dropping it", all - planned);
    assert_eq!((done.rows, done.partitions), (rows, 1));
    assert_eq!(left(pool).await, i64::try_from(KEPT).unwrap());
    done.bytes
}

async fn delete(pool: &PgPool, cutoff: DateTime<Utc>, rows: u64, contest: &mut Contest) {
    let clock = Instant::now();
    let deleted = sqlx::query("DELETE FROM logs WHERE created_at < $1")
        .bind(cutoff)
        .execute(pool)
        .await
        .unwrap();
    let gone = clock.elapsed();
    pool.execute("VACUUM logs").await.unwrap();
    let all = clock.elapsed();
    contest.push("DELETE and VACUUM", all);
    contest.push("of which DELETE", gone);
    contest.push("of which VACUUM", all - gone);
    assert_eq!(deleted.rows_affected(), rows);
    assert_eq!(left(pool).await, i64::try_from(KEPT).unwrap());
}

async fn left(pool: &PgPool) -> i64 {
    let sql = "SELECT count(*) FROM logs";
    pool.fetch_one(sql).await.unwrap().get(0)
}
