//! Tables that Citus distributes, against those of one server.
//!
//! `make bench-citus CITUS_URL=postgres://…`, or with `ROWS=2000000`. The URL is a database of a
//! coordinator that knows its workers. Both databases are on it, and have the same rows, which
//! resemble real logs and are sealed; in one of them the large tables are distributed.
//!
//! On one machine, all servers share its processors: what is measured is what distribution
//! costs, and not what more machines gain.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark")]

use std::time::{Duration, Instant};

use lookback::maintenance::sealing::{DEFAULT_SEGMENT, SealStep, Sealer};
use lookback::query::{Bucket, count};
use lookback::{Log, Model as _, NewLog};
use sqlx::{PgConnection, PgPool, Row as _};
use testkit::Database;
use testkit::bench::{Contest, Report, Target, Times, rows};
use testkit::sample::log_lines;

const SEED: u64 = 42;
const BATCH: u64 = 50_000;
const ROUNDS: usize = 9;

#[tokio::main]
async fn main() {
    if !testkit::is_cluster() {
        println!(
            "no cluster: give CITUS_URL, a database of the coordinator that knows its workers"
        );
        return;
    }
    let rows = rows(200_000);
    let plain = testkit::empty_database().await;
    let mut conn = plain.pool.acquire().await.unwrap();
    lookback::migrate::run(&mut conn, Duration::from_secs(60))
        .await
        .unwrap();
    drop(conn);
    let distributed = testkit::database().await;
    let mut report = Report::new(
        "cluster",
        "tables that Citus distributes, against those of one server",
    );
    report.note("rows", rows);
    let databases = [("one server", &plain), ("distributed", &distributed)];
    let mut loaded = Vec::new();
    let mut sealed = Vec::new();
    for (name, db) in databases {
        let time = load(&db.pool, rows).await;
        report.figure(&format!("storing, {name}"), &Times::once(time), Some(rows));
        loaded.push(time.as_secs_f64());
        let time = seal(db).await;
        report.figure(&format!("sealing, {name}"), &Times::once(time), Some(rows));
        sealed.push(time.as_secs_f64());
        sqlx::query("VACUUM ANALYZE logs")
            .execute(&db.pool)
            .await
            .unwrap();
    }
    report.ratio(
        "storing, of the rate of one server",
        loaded[0] / loaded[1],
        Target::AtLeast(0.6),
    );
    report.ratio(
        "sealing, of the rate of one server",
        sealed[0] / sealed[1],
        Target::AtLeast(0.6),
    );
    let mut contest = Contest::new();
    let mut conns = Vec::new();
    for (name, db) in databases {
        conns.push((name, db.pool.acquire().await.unwrap()));
    }
    for round in 0..=ROUNDS {
        for question in QUESTIONS {
            for (name, conn) in &mut conns {
                let clock = Instant::now();
                question.ask(conn).await;
                if round > 0 {
                    contest.push(&format!("{}, {name}", question.name()), clock.elapsed());
                }
            }
        }
    }
    report.contest(&contest, None);
    for question in QUESTIONS {
        let of = |name: &str| {
            contest
                .times(&format!("{}, {name}", question.name()))
                .median()
        };
        let target = Target::AtMost(1.5);
        let name = format!("{}, of the time of one server", question.name());
        report.ratio(&name, of("distributed") / of("one server"), target);
    }
    report.note("tasks of a count", tasks(&distributed.pool).await);
    report.finish();
}

#[derive(Clone, Copy)]
enum Question {
    Search,
    RareSearch,
    CountByLevel,
    Histogram,
    Newest,
    Match,
    ById,
}

const QUESTIONS: [Question; 7] = [
    Question::Search,
    Question::RareSearch,
    Question::CountByLevel,
    Question::Histogram,
    Question::Newest,
    Question::Match,
    Question::ById,
];

impl Question {
    fn name(self) -> &'static str {
        match self {
            Self::Search => "search for two words",
            Self::RareSearch => "search for a number",
            Self::CountByLevel => "count by level",
            Self::Histogram => "errors per hour",
            Self::Newest => "newest 20",
            Self::Match => "newest 20 with a word",
            Self::ById => "one record",
        }
    }

    async fn ask(self, conn: &mut PgConnection) {
        let logs = Log::records();
        match self {
            Self::Search => drop(logs.search("connection refused").hits(conn).await.unwrap()),
            Self::RareSearch => drop(logs.search("request 150017").hits(conn).await.unwrap()),
            Self::CountByLevel => {
                let groups = logs.group_by(Log::level()).aggregate(conn, count()).await;
                assert!(!groups.unwrap().is_empty());
            }
            Self::Histogram => {
                let errors = logs.filter(Log::level().eq(lookback::Level::Error));
                let hours = errors.group_by(Log::created_at().bucket(Bucket::hours(1)));
                hours.aggregate(conn, count()).await.unwrap();
            }
            Self::Newest => {
                let page = logs.order_by(Log::created_at().desc()).limit(20);
                assert_eq!(
                    page.without_total().list(conn).await.unwrap().data.len(),
                    20
                );
            }
            Self::Match => {
                let page = logs.matching("timeout").without_total().limit(20);
                page.list(conn).await.unwrap();
            }
            Self::ById => drop(logs.get(conn, 77).await.unwrap()),
        }
    }
}

async fn load(pool: &PgPool, rows: u64) -> Duration {
    let clock = Instant::now();
    let mut at = 0;
    while at < rows {
        let count = BATCH.min(rows - at);
        let batch: Vec<NewLog> = log_lines(SEED, at, count).collect();
        Log::records().create_many(pool, &batch).await.unwrap();
        at += count;
    }
    clock.elapsed()
}

async fn seal(db: &Database) -> Duration {
    let mut conn = db.pool.acquire().await.unwrap();
    let mut sealer = Sealer::new(Log::TABLE, DEFAULT_SEGMENT).unwrap();
    let clock = Instant::now();
    let patience = Duration::from_secs(60);
    while let SealStep::Sealed { .. } = sealer.step(&mut conn, patience).await.unwrap() {}
    clock.elapsed()
}

/// How many parts Citus makes of a statement.
async fn tasks(pool: &PgPool) -> u64 {
    let plan = sqlx::query("EXPLAIN SELECT count(*) FROM logs")
        .fetch_all(pool)
        .await
        .unwrap();
    let lines = plan.iter().map(|row| row.get::<String, _>(0));
    let tasks = lines.filter_map(|line| {
        line.trim()
            .strip_prefix("Task Count: ")?
            .parse::<u64>()
            .ok()
    });
    tasks.sum()
}
