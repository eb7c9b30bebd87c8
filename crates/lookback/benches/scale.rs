//! Search in a large table, against reading every row.
//!
//! Hybrid search, and similar records, from 100 thousand rows to `ROWS` (ten million).
//!
//! `make bench-scale`, or `ROWS=1000000 make bench-scale`. The rows
//! resemble real logs; the table has partitions of 4,194,304 ids and is sealed, as a
//! table is some time after its rows were stored. The searches are many and
//! different, in turn with and without filters: sequentially, and also at a fixed
//! rate, where the time counts from the moment each was due. Reading every row is the
//! same search without the summaries (`lookback.scan_cost`): its hits are the truth.
//! The first search of a connection is the same search on one that was opened for it,
//! in turn with one that has run it before.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    reason = "a benchmark"
)]

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use lookback::embedding::Embedding;
use lookback::maintenance::DEFAULT_PARTITION_IDS;
use lookback::maintenance::sealing::{DEFAULT_SEGMENT, SealStep, Sealer};
use lookback::search::Hit;
use lookback::{Filter, Log, Model as _, NewLog, QueryBuilder};
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection, PgPool, Row as _};
use testkit::bench::{
    Growth, Report, Scale, Target, Times, format_number, plot, replace_between, rows,
};
use testkit::sample::{self, Search};

const SEED: u64 = 42;
/// Ids of a partition.
const PARTITION: u64 = DEFAULT_PARTITION_IDS as u64;
const BATCH: u64 = 50_000;
/// The number of sequential searches, and of those also run by reading every row.
const SEARCHES: usize = 120;
const READ_ALL: usize = 16;
/// The number of searches at a fixed rate.
const PER_SECOND: f64 = 4.0;
const AT_A_RATE: usize = 120;
/// The number of searches that are also run as the first of a connection.
const FIRST: usize = 40;
const NEAREST: usize = 24;
const PAGE: u32 = 20;

#[tokio::main]
async fn main() {
    let most = rows(10_000_000);
    let steps = [100_000, 300_000, 1_000_000, 3_000_000, 10_000_000];
    let mut steps: Vec<u64> = steps.into_iter().filter(|rows| *rows < most).collect();
    if std::env::var_os("KEEP").is_some() {
        steps.clear();
    }
    steps.push(most);

    let db = testkit::database_without_ranges().await;
    partition(&db.pool, most).await;
    let mut report = Report::new("scale", "search in a large table against reading every row");
    report.note("rows", most);
    report.note("searches", SEARCHES);
    let mut latency = Growth::new("Time of a search", "rows", "milliseconds");
    let mut sealing = Growth::new("Sealing", "rows", "rows per second");
    let mut space = Growth::new("Bytes per row", "rows", "bytes");
    let mut there = 0;
    for rows in steps {
        load(&db.pool, there, rows).await;
        let time = seal_all(&db.pool).await;
        sealing.point("sealed", rows, (rows - there) as f64 / time.as_secs_f64());
        there = rows;
        db.pool.execute("VACUUM ANALYZE").await.unwrap();
        sizes(&db.pool, rows, &mut space).await;
        let measured = Measured::of(&db.pool, rows).await;
        measured.add_to(&mut latency, rows);
        println!("{rows} rows: {}", measured.line());
        if rows == most {
            measured.report(&mut report);
        }
    }
    for (growth, file) in [
        (&latency, "growth-search.svg"),
        (&sealing, "growth-sealing.svg"),
        (&space, "growth-space.svg"),
    ] {
        report.growth(growth);
        plot(growth, Scale::LogLog, file);
    }
    report.finish();
    let tables = format!(
        "{}\n{}\n{}",
        latency.table(),
        sealing.table(),
        space.table()
    );
    if most >= 10_000_000 {
        replace_between("docs/performance.md", "scale", &tables).unwrap();
    }
}

/// Creates the partitions that the rows need.
async fn partition(pool: &PgPool, rows: u64) {
    for place in 0..=rows / PARTITION {
        let (from, to) = (place * PARTITION, (place + 1) * PARTITION);
        let sql = format!(
            "CREATE TABLE logs_p{place} PARTITION OF logs FOR VALUES FROM ({from}) TO ({to})"
        );
        pool.execute(AssertSqlSafe(sql)).await.unwrap();
    }
}

async fn load(pool: &PgPool, from: u64, to: u64) {
    let mut at = from;
    while at < to {
        let count = BATCH.min(to - at);
        let batch: Vec<NewLog> = sample::log_lines(SEED, at, count).collect();
        Log::records().create_many(pool, &batch).await.unwrap();
        at += count;
    }
}

/// Seals all rows.
async fn seal_all(pool: &PgPool) -> Duration {
    let mut conn = pool.acquire().await.unwrap();
    let mut sealer = Sealer::new(Log::TABLE, DEFAULT_SEGMENT).unwrap();
    let clock = Instant::now();
    while let SealStep::Sealed { .. } = sealer
        .step(&mut conn, Duration::from_secs(60))
        .await
        .unwrap()
    {}
    clock.elapsed()
}

async fn sizes(pool: &PgPool, rows: u64, space: &mut Growth) {
    let of = |table: &'static str| async move {
        let sql = "SELECT (pg_total_relation_size($1::regclass) \
                     + coalesce(sum(pg_total_relation_size(relid)), 0))::bigint AS bytes \
                   FROM pg_partition_tree($1::regclass)";
        let row = sqlx::query(sql).bind(table).fetch_one(pool).await.unwrap();
        row.get::<i64, _>("bytes") as f64 / rows as f64
    };
    space.point("logs", rows, of("logs").await);
    space.point("blocks", rows, of("search_blocks").await);
    space.point("postings", rows, of("search_postings").await);
    space.point("templates", rows, of("search_templates").await);
}

/// The measurements at one size.
struct Measured {
    plain: Times,
    filtered: Times,
    all: Times,
    /// The first searches, and the same by reading every row.
    sample: Times,
    read_all: Times,
    /// The same searches, each the first of a connection, and on one that has run it.
    first: Times,
    warm: Times,
    at_a_rate: Times,
    nearest: Times,
    nearest_read_all: Times,
    /// The recall of the nearest 20.
    recall: f64,
    /// The recall of the first 20 hits of reading every row.
    same: f64,
}

impl Measured {
    async fn of(pool: &PgPool, rows: u64) -> Self {
        let mut conn = pool.acquire().await.unwrap();
        let searches: Vec<Search> = sample::searches(7, SEED, rows).take(SEARCHES).collect();
        let mut measured = Self {
            plain: Times::default(),
            filtered: Times::default(),
            all: Times::default(),
            sample: Times::default(),
            read_all: Times::default(),
            first: Times::default(),
            warm: Times::default(),
            at_a_rate: Times::default(),
            nearest: Times::default(),
            nearest_read_all: Times::default(),
            recall: 0.0,
            same: 0.0,
        };
        let (mut same, mut wanted) = (0, 0);
        for (place, search) in searches.iter().enumerate() {
            let query = query(search);
            let clock = Instant::now();
            let found = query.hits(&mut *conn).await.unwrap().data;
            let time = clock.elapsed();
            measured.all.push(time);
            if search.filters.is_empty() {
                measured.plain.push(time);
            } else {
                measured.filtered.push(time);
            }
            if std::env::var_os("VERBOSE").is_some() {
                println!("{:>8.1} ms  {:?}", time.as_secs_f64() * 1e3, search);
            }
            if place < READ_ALL {
                measured.sample.push(time);
                scan_cost(&mut conn, "1e300").await;
                let clock = Instant::now();
                let truth = query.hits(&mut *conn).await.unwrap().data;
                measured.read_all.push(clock.elapsed());
                scan_cost(&mut conn, "").await;
                let ids = |hits: &[Hit<Log>]| -> BTreeSet<i64> {
                    hits.iter().map(|hit| hit.record.id).collect()
                };
                wanted += truth.len();
                same += ids(&truth).intersection(&ids(&found)).count();
            }
        }
        measured.same = same as f64 / wanted.max(1) as f64;
        for search in searches.iter().take(FIRST) {
            measured.first_search(pool, &mut conn, search).await;
        }
        measured.nearest(&mut conn, &searches).await;
        drop(conn);
        measured.at_a_rate = at_a_rate(pool, rows).await;
        measured
    }

    /// Measures a search that is the first of its connection, and one that is not.
    async fn first_search(&mut self, pool: &PgPool, conn: &mut PgConnection, search: &Search) {
        let query = query(search);
        for _ in 0..2 {
            query.hits(&mut *conn).await.unwrap();
        }
        self.warm.time(query.hits(&mut *conn)).await.unwrap();
        let options = pool.connect_options();
        let mut fresh = PgConnection::connect_with(&options).await.unwrap();
        self.first.time(query.hits(&mut fresh)).await.unwrap();
        fresh.close().await.unwrap();
    }

    /// Measures the nearest records to the vectors of searches, and their recall.
    async fn nearest(&mut self, conn: &mut PgConnection, searches: &[Search]) {
        let (mut found, mut wanted) = (0, 0);
        for search in searches
            .iter()
            .filter(|search| search.class != "id")
            .take(NEAREST)
        {
            if Embedding::of(&search.words).is_none() {
                continue;
            }
            let Some(like) = query(search).hits(&mut *conn).await.unwrap().data.pop() else {
                continue;
            };
            let query = Log::records()
                .similar_to(like.record.id)
                .without_total()
                .limit(PAGE);
            let clock = Instant::now();
            let hits = query.hits(&mut *conn).await.unwrap().data;
            self.nearest.push(clock.elapsed());
            scan_cost(conn, "1e300").await;
            let clock = Instant::now();
            let truth = query.hits(&mut *conn).await.unwrap().data;
            self.nearest_read_all.push(clock.elapsed());
            scan_cost(conn, "").await;
            // Many are equally near: any as near as the last of the truth counts.
            let least = truth.last().map_or(0.0, |hit| hit.score - 1e-6);
            wanted += truth.len();
            found += hits.iter().filter(|hit| hit.score >= least).count();
        }
        self.recall = found as f64 / wanted.max(1) as f64;
    }

    fn line(&self) -> String {
        let ms = |times: &Times| {
            format!(
                "{}/{} ms",
                format_number(times.median() * 1e3),
                format_number(times.p95() * 1e3)
            )
        };
        format!(
            "search {} (plain {}, filtered {}), first {}, warm {}, at a rate {}, every row {}, nearest {}, every row {}, recall {:.3}, same {:.3}",
            ms(&self.all),
            ms(&self.plain),
            ms(&self.filtered),
            ms(&self.first),
            ms(&self.warm),
            ms(&self.at_a_rate),
            ms(&self.read_all),
            ms(&self.nearest),
            ms(&self.nearest_read_all),
            self.recall,
            self.same,
        )
    }

    fn add_to(&self, growth: &mut Growth, rows: u64) {
        let mut point = |name: &str, seconds: f64| growth.point(name, rows, seconds * 1e3);
        point("search, median", self.all.median());
        point("search, p95", self.all.p95());
        point("every row, median", self.read_all.median());
        point("nearest, median", self.nearest.median());
        point("nearest, every row", self.nearest_read_all.median());
    }

    fn report(&self, report: &mut Report) {
        report.figure("search, sequentially", &self.all, None);
        report.figure("search without filters", &self.plain, None);
        report.figure("search with filters", &self.filtered, None);
        report.figure(
            "search at 4 per second, from when it was due",
            &self.at_a_rate,
            None,
        );
        report.figure("the first of them", &self.sample, None);
        report.figure("the same by reading every row", &self.read_all, None);
        report.figure("the first search of a connection", &self.first, None);
        report.figure("the same on a warm connection", &self.warm, None);
        report.figure("the nearest 20", &self.nearest, None);
        report.figure(
            "the nearest 20 by reading every row",
            &self.nearest_read_all,
            None,
        );
        report.note(
            "of the first 20 hits, the same as by reading every row",
            self.same,
        );
        let times = |ours: &Times, all: &Times, of: fn(&Times) -> f64| of(all) / of(ours);
        report.ratio(
            "median, times faster than reading every row",
            times(&self.sample, &self.read_all, Times::median),
            Target::AtLeast(100.0),
        );
        report.ratio(
            "p95, times faster than reading every row",
            times(&self.sample, &self.read_all, Times::p95),
            Target::AtLeast(50.0),
        );
        report.ratio(
            "first search of a connection, of the time of a warm one",
            times(&self.warm, &self.first, Times::median),
            Target::AtMost(1.3),
        );
        report.ratio(
            "recall of the nearest 20",
            self.recall,
            Target::AtLeast(0.95),
        );
    }
}

fn query(search: &Search) -> QueryBuilder<Log> {
    let query = Log::records().search(search.words.as_str()).limit(PAGE);
    if search.filters.is_empty() {
        query
    } else {
        query.filter(Filter::parse_all(&search.filters).unwrap())
    }
}

async fn scan_cost(conn: &mut PgConnection, cost: &str) {
    sqlx::query("SELECT set_config('lookback.scan_cost', $1, FALSE)")
        .bind(cost)
        .execute(conn)
        .await
        .unwrap();
}

/// Runs searches at fixed times, however long others take.
async fn at_a_rate(pool: &PgPool, rows: u64) -> Times {
    let mut searching = Vec::new();
    let start = Instant::now();
    for (place, search) in sample::searches(8, SEED, rows).take(AT_A_RATE).enumerate() {
        let due = start + Duration::from_secs_f64(place as f64 / PER_SECOND);
        tokio::time::sleep_until(due.into()).await;
        let pool = pool.clone();
        searching.push(tokio::spawn(async move {
            query(&search).hits(&pool).await.unwrap();
            due.elapsed()
        }));
    }
    let mut times = Times::default();
    for search in searching {
        times.push(search.await.unwrap());
    }
    times
}
