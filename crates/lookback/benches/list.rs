//! `list`, newest first, of a growing table, against a table of 100,000 rows.
//!
//! It measures pages at the start, in the middle and with filters.
//!
//! `make bench-list`, or `ROWS=10000000 cargo bench -p lookback --bench list`.
//! Two tables are filled with the same sample lines, one up to 100,000 rows and
//! one further and further; at each size both get the same queries in turn, each
//! of them many times for other positions, levels, traces and times.
//! Partitions of 4,194,304 ids are pre-created; the table is sealed, and full partitions
//! are vacuumed and bounded in `created_at`, as freezing leaves them. One line in 50,000 has a
//! source of its own.
//!
//! Prints the figures and writes `target/bench/list.json`,
//! `docs/images/growth-list.svg` and the table in `docs/performance.md`.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark")]

use std::time::Duration;

use chrono::TimeDelta;
use lookback::maintenance::DEFAULT_PARTITION_IDS;
use lookback::maintenance::sealing::{DEFAULT_SEGMENT, SealStep, Sealer};
use lookback::query::Cursor;
use lookback::{Filter, Log, Model as _, QueryBuilder};
use sqlx::{AssertSqlSafe, Executor as _, PgPool};
use testkit::bench::{Contest, Growth, Report, Scale, Target, plot, replace_between, rows};
use testkit::sample::{Random, line_time, log_lines};

const SEED: u64 = 42;
const SMALL: u64 = 100_000;
/// Ids of a partition.
const PARTITION: u64 = DEFAULT_PARTITION_IDS as u64;
/// Rows of a page, and the page that is far from the start.
const PAGE: u32 = 20;
const FAR: u64 = 1_000;
/// One line in this many has a source of its own.
const RARE: u64 = 50_000;
/// The number of runs of each query at each size.
const ROUNDS: u64 = 60;

/// A query, and whether its time must not grow.
const QUESTIONS: [(&str, bool); 15] = [
    ("page 1", true),
    ("page 1,000", true),
    ("page 1, level=error", true),
    ("page 1, level in warn, error", true),
    ("page 1,000, level in warn, error", true),
    ("page 1, trace_id", true),
    ("page 1, an hour of created_at", true),
    ("page 1 by time", true),
    ("page 1,000 by time", true),
    ("page 1 by time, oldest first", true),
    ("page 1 by time, level=error", true),
    ("page 1 by time, a rare source", true),
    ("page 1,000 by offset", false),
    ("page 1, total up to 10,000", false),
    ("page 1, exact total", false),
];

#[tokio::main]
async fn main() {
    let most = rows(1_000_000).max(SMALL);
    let mut sizes: Vec<u64> = [SMALL, 300_000, 1_000_000, 3_000_000, 10_000_000]
        .into_iter()
        .filter(|size| *size < most)
        .collect();
    sizes.push(most);

    let mut report = Report::new("list", "pages newest first, against those of 100,000 rows");
    report.note("rows", most);
    report.note("rows of a page", PAGE);
    report.note("ids of a partition", PARTITION);
    let mut growth = Growth::new(
        "Listing a page, newest first",
        "rows",
        "milliseconds, median",
    );
    let mut small = Table::new().await;
    let mut large = Table::new().await;
    for size in sizes {
        // New connections for both, so that they have the same age.
        small.fill(SMALL).await;
        large.fill(size).await;
        println!("{size} rows in {} partitions", large.partitions);
        let (mut of_small, mut of_large) = (Contest::new(), Contest::new());
        // A warm-up for the caches, which is not measured.
        let mut warm = Contest::new();
        for (question, _) in QUESTIONS {
            small.ask(question, 0, &mut warm).await;
            large.ask(question, 0, &mut warm).await;
        }
        for round in 1..=ROUNDS {
            for (question, constant) in QUESTIONS {
                // For counts of many millions, a few runs are sufficient.
                if !constant && round > 5 {
                    continue;
                }
                small.ask(question, round, &mut of_small).await;
                large.ask(question, round, &mut of_large).await;
            }
        }
        for (question, constant) in QUESTIONS {
            let (small, large) = (of_small.times(question), of_large.times(question));
            growth.point(question, size, large.median() * 1e3);
            if size == most {
                report.figure(&format!("{question}, of {SMALL}"), small, None);
                report.figure(&format!("{question}, of {size}"), large, None);
            }
            if size == most && constant {
                let ratio = large.median() / small.median();
                report.ratio(question, ratio, Target::AtMost(1.5));
            }
        }
    }
    report.growth(&growth);
    report.finish();
    plot(&growth, Scale::LogLog, "growth-list.svg");
    if let Err(problem) = replace_between("docs/performance.md", "list", &growth.table()) {
        println!("no table is written: {problem}");
    }
}

/// A table of log lines.
struct Table {
    db: testkit::Database,
    rows: u64,
    partitions: u64,
    /// The number of full partitions that were closed.
    closed: u64,
    /// The start of the far pages: without a filter, and with one.
    far: Vec<Cursor>,
    far_filtered: Vec<Cursor>,
    far_by_time: Vec<Cursor>,
}

impl Table {
    async fn new() -> Self {
        Self {
            db: testkit::database_without_ranges().await,
            rows: 0,
            partitions: 0,
            closed: 0,
            far: Vec::new(),
            far_filtered: Vec::new(),
            far_by_time: Vec::new(),
        }
    }

    /// Adds lines up to this number.
    async fn fill(&mut self, rows: u64) {
        while self.partitions * PARTITION < rows + PARTITION {
            let (number, from) = (self.partitions, self.partitions * PARTITION);
            let from = if from == 0 {
                "MINVALUE".to_owned()
            } else {
                from.to_string()
            };
            let to = (number + 1) * PARTITION;
            self.execute(format!(
                "CREATE TABLE logs_{number} PARTITION OF logs FOR VALUES FROM ({from}) TO ({to})"
            ))
            .await;
            self.partitions += 1;
        }
        while self.rows < rows {
            let count = 20_000.min(rows - self.rows);
            let mut lines: Vec<_> = log_lines(SEED, self.rows, count).collect();
            let rare = (self.rows..).zip(&mut lines);
            for (_, line) in rare.filter(|(place, _)| place % RARE == RARE / 2) {
                "VAULT".clone_into(&mut line.source);
            }
            let logs = Log::records();
            logs.create_many(&self.db.pool, &lines).await.unwrap();
            self.rows += count;
        }
        while (self.closed + 1) * PARTITION <= self.rows {
            let name = format!("logs_{}", self.closed);
            let bounds: (String, String) = sqlx::query_as(AssertSqlSafe(format!(
                "SELECT min(created_at)::text, max(created_at)::text FROM {name}"
            )))
            .fetch_one(&self.db.pool)
            .await
            .unwrap();
            self.execute(format!(
                "ALTER TABLE {name} ADD CHECK (created_at BETWEEN '{}' AND '{}')",
                bounds.0, bounds.1
            ))
            .await;
            self.closed += 1;
        }
        let mut conn = self.db.pool.acquire().await.unwrap();
        let mut sealer = Sealer::new(Log::TABLE, DEFAULT_SEGMENT).unwrap();
        let patience = Duration::from_secs(60);
        while let SealStep::Sealed { .. } = sealer.step(&mut conn, patience).await.unwrap() {}
        drop(conn);
        self.execute("VACUUM (ANALYZE)".to_owned()).await;
        // In practice, a connection of a pool lives for half an hour, and no table grows a
        // hundredfold in that time. PostgreSQL compares a generic plan with the mean cost of
        // earlier custom plans, which on an old connection are those of the small table.
        self.db.pool.close().await;
        self.db.pool = PgPool::connect(&self.db.url).await.unwrap();
        self.far = self.cursors(&Log::records()).await;
        self.far_filtered = self.cursors(&serious()).await;
        let by_time = Log::records().order_by(Log::created_at().desc());
        self.far_by_time = self.cursors(&by_time).await;
    }

    async fn execute(&self, sql: String) {
        self.db.pool.execute(AssertSqlSafe(sql)).await.unwrap();
    }

    /// Returns the ends of several pages before the far one.
    async fn cursors(&self, query: &QueryBuilder<Log>) -> Vec<Cursor> {
        let mut cursors = Vec::new();
        for place in 0..8 {
            let offset = (FAR - 1) * u64::from(PAGE) - 1 - place * 100;
            let query = query.clone().offset(offset).limit(1).without_total();
            let page = query.list(&self.db.pool).await.unwrap();
            cursors.push(page.next.unwrap());
        }
        cursors
    }

    /// Runs a query of this round and measures its time.
    async fn ask(&self, question: &str, round: u64, contest: &mut Contest) {
        let mut random = Random::new(round);
        let all = Log::records().limit(PAGE);
        let untold = all.clone().without_total();
        let by_time = untold.clone().order_by(Log::created_at().desc());
        let place = usize::try_from(round % 8).unwrap();
        let query = match question {
            "page 1" => untold,
            "page 1,000" => untold.after(&self.far[place]),
            "page 1, level=error" => untold.filter(Log::level().eq("error")),
            "page 1, level in warn, error" => serious().limit(PAGE).without_total(),
            "page 1,000, level in warn, error" => {
                let cursor = &self.far_filtered[place];
                serious().limit(PAGE).without_total().after(cursor)
            }
            "page 1, trace_id" => {
                let first = random.below(self.rows - 100);
                let mut lines = log_lines(SEED, first, 100);
                let trace = lines.find_map(|line| line.trace_id).unwrap();
                untold.filter(Log::trace_id().eq(trace))
            }
            "page 1, an hour of created_at" => {
                let from = line_time(random.below(self.rows - 20_000));
                let to = from + TimeDelta::hours(1);
                untold.filter(Log::created_at().gte(from) & Log::created_at().lt(to))
            }
            "page 1 by time" => by_time,
            "page 1,000 by time" => by_time.after(&self.far_by_time[place]),
            "page 1 by time, oldest first" => untold.order_by(Log::created_at().asc()),
            "page 1 by time, level=error" => by_time.filter(Log::level().eq("error")),
            "page 1 by time, a rare source" => by_time.filter(Log::source().eq("VAULT")),
            "page 1,000 by offset" => untold.offset((FAR - 1) * u64::from(PAGE)),
            "page 1, total up to 10,000" => all.total_up_to(10_000),
            "page 1, exact total" => all,
            other => unreachable!("{other} is not asked"),
        };
        let page = contest.time(question, query.list(&self.db.pool)).await;
        assert!(!page.unwrap().data.is_empty(), "{question}");
    }
}

fn serious() -> QueryBuilder<Log> {
    let filter: Filter<Log> = Filter::parse("level__in=warn,error").unwrap();
    Log::records().filter(filter)
}
