//! Aggregates and exact totals from roll-ups, against the same SQL over all rows.
//!
//! `make bench-rollups`, or `ROWS=10000000 make bench-rollups`. The rows resemble real
//! logs, four a second; the table has partitions of 4,194,304 ids and is sealed, as a table
//! is some time after its rows were stored. Both ways answer in turn, and the answers are
//! compared; also for captured requests, a tenth as many. It also measures what roll-ups cost: sealing with and without them, COPY, and
//! changes of sealed rows with and without the trigger.
//!
//! Prints the figures and writes `target/bench/rollups.json` and the table in
//! `docs/performance.md`.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    reason = "a benchmark"
)]

use std::time::{Duration, Instant};

use lookback::maintenance::sealing::{DEFAULT_SEGMENT, SealStep, Sealer, unseal};
use lookback::maintenance::{DEFAULT_PARTITION_IDS, maintain_rollups};
use lookback::query::{Bucket, count};
use lookback::{Filter, Level, Log, Model as _, NewLog};
use sqlx::{AssertSqlSafe, Executor as _, PgConnection, PgPool, Row as _};
use testkit::bench::{Contest, Report, Target, Times, replace_between, rows};
use testkit::sample::{line_time, log_lines};

#[path = "rollups/requests.rs"]
mod requests;

const SEED: u64 = 42;
/// Ids of a partition.
const PARTITION: u64 = DEFAULT_PARTITION_IDS as u64;
const BATCH: u64 = 50_000;
const ROUNDS: usize = 15;
/// Rows that are changed or deleted in one statement.
const CHANGED: u64 = 10_000;

#[tokio::main]
async fn main() {
    let most = rows(1_000_000);
    let db = testkit::database_without_ranges().await;
    let pool = &db.pool;
    partition(pool, most).await;
    // The trigger is there before the rows, as after the migrations.
    while maintain_rollups(pool, Log::TABLE).await.unwrap() {}
    load(pool, most).await;
    pool.execute("VACUUM ANALYZE logs").await.unwrap();

    let mut report = Report::new(
        "rollups",
        "aggregates from roll-ups, against the same SQL over all rows",
    );
    report.note("rows", most);
    let sealed = seal(pool, Log::TABLE).await;
    pool.execute("VACUUM ANALYZE").await.unwrap();

    let mut lines = vec![
        "| | rows read | roll-ups | ratio |".to_owned(),
        "|---|---:|---:|---:|".to_owned(),
    ];
    let mut contest = Contest::new();
    let mut conn = pool.acquire().await.unwrap();
    let questions = questions(most);
    for round in 0..=ROUNDS {
        for question in &questions {
            let clock = Instant::now();
            let found = question.by_query(&mut conn).await;
            let by_query = clock.elapsed();
            if round > 0 {
                contest.push(&format!("{}, roll-ups", question.name), by_query);
            }
            // Reading all rows takes long, and a few runs are sufficient.
            if round < 5 {
                let clock = Instant::now();
                let expected = question.by_sql(&mut conn).await;
                let by_sql = clock.elapsed();
                assert_eq!(found, expected, "{}", question.name);
                if round > 0 {
                    contest.push(&format!("{}, rows", question.name), by_sql);
                }
            }
        }
    }
    report.contest(&contest, None);
    for question in &questions {
        let of = |way: &str| contest.times(&format!("{}, {way}", question.name)).median();
        let (rows, rollups) = (of("rows"), of("roll-ups"));
        lines.push(format!(
            "| {} | {:.1} ms | {:.1} ms | {:.0} |",
            question.name,
            rows * 1e3,
            rollups * 1e3,
            rows / rollups
        ));
        report.ratio(question.name, rows / rollups, Target::AtLeast(50.0));
    }
    drop(conn);
    lines.extend(requests::measure(pool, most / 10, &mut report).await);

    // What roll-ups cost.
    report.note("bytes of roll-ups per row", bytes(pool).await / most as f64);
    let with = change(pool, 1).await;
    pool.execute("DROP TRIGGER lookback_changes ON logs")
        .await
        .unwrap();
    let without = change(pool, 2).await;
    let [updated, deleted] = [0, 1].map(|at| with[at].as_secs_f64() / without[at].as_secs_f64());
    let mut costs = Contest::new();
    for (name, times) in [("with the trigger", with), ("without the trigger", without)] {
        costs.push(&format!("soft-deleting {CHANGED} rows, {name}"), times[0]);
        costs.push(&format!("deleting {CHANGED} rows, {name}"), times[1]);
    }
    report.contest(&costs, Some(CHANGED));
    report.note(
        "time of soft deletes with the trigger, of that without",
        updated,
    );
    report.note("time of deletes with the trigger, of that without", deleted);
    let mut conn = pool.acquire().await.unwrap();
    unseal(&mut conn, Log::TABLE).await.unwrap();
    drop(conn);
    let plain = seal(pool, Log::TABLE).await;
    report.figure("sealing with roll-ups", &Times::once(sealed), Some(most));
    report.figure("sealing without", &Times::once(plain), Some(most));
    report.finish();
    if most >= 10_000_000 {
        replace_between("docs/performance.md", "rollups", &lines.join("\n")).unwrap();
    }
}

/// A question, by the query builder and by SQL.
struct Question {
    name: &'static str,
    sql: String,
    kind: Kind,
}

enum Kind {
    ByLevel,
    ErrorsPerHour,
    Histogram(Filter<Log>, Bucket),
    Total,
}

fn questions(rows: u64) -> Vec<Question> {
    // A day from midnight on, and 24 hours that begin at no round time.
    let last = line_time(rows);
    let end = last.date_naive().and_hms_opt(0, 0, 0).unwrap().and_utc();
    let begin = end - chrono::TimeDelta::days(1);
    let odd_end = last - chrono::TimeDelta::milliseconds(1_234_567);
    let odd_begin = odd_end - chrono::TimeDelta::days(1);
    let histogram = |name,
                     from: chrono::DateTime<chrono::Utc>,
                     to: chrono::DateTime<chrono::Utc>,
                     minutes: u32| {
        Question {
            name,
            sql: format!(
                "SELECT date_bin('{minutes} minutes', created_at, '2001-01-01 00:00:00+00')::text, level, count(*) \
                 FROM logs WHERE deleted_at IS NULL AND created_at >= '{from}' AND created_at < '{to}' \
                 GROUP BY 1, 2",
                from = from.to_rfc3339(),
                to = to.to_rfc3339(),
            ),
            kind: Kind::Histogram(
                Log::created_at().gte(from) & Log::created_at().lt(to),
                Bucket::minutes(minutes),
            ),
        }
    };
    vec![
        Question {
            name: "count by level",
            sql: "SELECT '', level, count(*) FROM logs WHERE deleted_at IS NULL GROUP BY 2".to_owned(),
            kind: Kind::ByLevel,
        },
        Question {
            name: "errors per hour",
            sql: "SELECT date_bin('1 hour', created_at, '2001-01-01 00:00:00+00')::text, '', count(*) \
                  FROM logs WHERE deleted_at IS NULL AND level = 'error' GROUP BY 1"
                .to_owned(),
            kind: Kind::ErrorsPerHour,
        },
        histogram("histogram of a day by level, hours", begin, end, 60),
        histogram("histogram of a day by level, 5 minutes", begin, end, 5),
        histogram("histogram of the last 24 hours by level, hours", odd_begin, odd_end, 60),
        Question {
            name: "page 1 with an exact total",
            sql: "SELECT '', '', (SELECT count(*) FROM logs WHERE deleted_at IS NULL) FROM logs \
                  WHERE deleted_at IS NULL ORDER BY id DESC LIMIT 1"
                .to_owned(),
            kind: Kind::Total,
        },
    ]
}

type Answer = Vec<(String, String, i64)>;

impl Question {
    async fn by_query(&self, conn: &mut PgConnection) -> Answer {
        let logs = Log::records();
        let time = |at: chrono::DateTime<chrono::Utc>| at.format("%F %T+00").to_string();
        let level = |level: Level| format!("{level:?}").to_lowercase();
        let mut answer: Answer = match &self.kind {
            Kind::ByLevel => {
                let groups = logs
                    .group_by(Log::level())
                    .aggregate(conn, count())
                    .await
                    .unwrap();
                groups
                    .into_iter()
                    .map(|(of, rows)| (String::new(), level(of), rows))
                    .collect()
            }
            Kind::ErrorsPerHour => {
                let errors = logs.filter(Log::level().eq(Level::Error));
                let hours = errors.group_by(Log::created_at().bucket(Bucket::hours(1)));
                let groups = hours.aggregate(conn, count()).await.unwrap();
                groups
                    .into_iter()
                    .map(|(hour, rows)| (time(hour), String::new(), rows))
                    .collect()
            }
            Kind::Histogram(filter, bucket) => {
                let keys = (Log::created_at().bucket(bucket.clone()), Log::level());
                let groups = logs.filter(filter.clone()).group_by(keys);
                let groups = groups.aggregate(conn, count()).await.unwrap();
                let row = |((at, of), rows)| (time(at), level(of), rows);
                groups.into_iter().map(row).collect()
            }
            Kind::Total => {
                let total = logs.limit(50).list(conn).await.unwrap().total.value();
                vec![(String::new(), String::new(), i64::try_from(total).unwrap())]
            }
        };
        answer.sort();
        answer
    }

    async fn by_sql(&self, conn: &mut PgConnection) -> Answer {
        let rows = sqlx::query(AssertSqlSafe(self.sql.clone()))
            .fetch_all(conn)
            .await
            .unwrap();
        let mut answer: Answer = rows
            .iter()
            .map(|row| (row.get(0), row.get(1), row.get(2)))
            .collect();
        answer.sort();
        answer
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

async fn load(pool: &PgPool, rows: u64) {
    let mut at = 0;
    while at < rows {
        let count = BATCH.min(rows - at);
        let batch: Vec<NewLog> = log_lines(SEED, at, count).collect();
        Log::records().create_many(pool, &batch).await.unwrap();
        at += count;
    }
    println!("{rows} rows stored");
}

/// Seals all rows of a table.
async fn seal(pool: &PgPool, table: &'static lookback::table::Table) -> Duration {
    let mut conn = pool.acquire().await.unwrap();
    let mut sealer = Sealer::new(table, DEFAULT_SEGMENT).unwrap();
    let clock = Instant::now();
    let patience = Duration::from_secs(60);
    while let SealStep::Sealed { .. } = sealer.step(&mut conn, patience).await.unwrap() {}
    clock.elapsed()
}

/// Soft-deletes rows, and deletes as many others, at a place in the table.
async fn change(pool: &PgPool, place: u64) -> [Duration; 2] {
    let from = place * 4 * CHANGED;
    let clock = Instant::now();
    let (to, end) = (from + CHANGED, from + 2 * CHANGED);
    let sql = format!("UPDATE logs SET deleted_at = now() WHERE id >= {from} AND id < {to}");
    pool.execute(AssertSqlSafe(sql)).await.unwrap();
    let updated = clock.elapsed();
    let clock = Instant::now();
    let sql = format!("DELETE FROM logs WHERE id >= {to} AND id < {end}");
    pool.execute(AssertSqlSafe(sql)).await.unwrap();
    [updated, clock.elapsed()]
}

async fn bytes(pool: &PgPool) -> f64 {
    let sql = "SELECT (pg_total_relation_size('rollup_cells') + pg_total_relation_size('rollup_ranges'))::float8";
    sqlx::query(sql).fetch_one(pool).await.unwrap().get(0)
}
