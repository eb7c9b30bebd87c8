//! Ranked search over rows that are not sealed, against `ILIKE` of the first word over the same
//! rows.
//!
//! `make bench-unsealed`, or `ROWS=20000 make bench-unsealed`. The rows are those of a table's
//! first minutes, without statistics and then with them, on a connection that has searched before.
//! The peer counts the rows whose message has the word, so that both look at each row.

#![expect(clippy::unwrap_used, reason = "a benchmark")]

use lookback::{Log, QueryBuilder};
use sqlx::{AssertSqlSafe, PgConnection};
use testkit::bench::{Contest, Report, Target, execute, rows};
use testkit::sample::{Search, log_lines, searches};

const SEED: u64 = 42;
const SEARCHES: usize = 40;
const PAGE: u32 = 20;

#[tokio::main]
async fn main() {
    let rows = rows(10_000);
    let db = testkit::database_without_ranges().await;
    let mut report = Report::new("unsealed", "search over rows that are not sealed");
    report.note("rows", rows);
    // Without the server's own statistics until they are asked for.
    execute(
        &db.pool,
        "CREATE TABLE logs_p0 PARTITION OF logs FOR VALUES FROM (0) TO (1000000) \
           WITH (autovacuum_enabled = off)",
    )
    .await;
    let lines: Vec<_> = log_lines(SEED, 0, rows).collect();
    Log::records().create_many(&db.pool, &lines).await.unwrap();
    let searches: Vec<Search> = searches(7, SEED, rows).take(SEARCHES).collect();
    let mut conn = db.pool.acquire().await.unwrap();
    for state in ["without statistics", "analysed"] {
        if state == "analysed" {
            execute(&db.pool, "ANALYZE logs").await;
        }
        // The first round is a warm-up.
        let mut contest = Contest::new();
        for round in 0..3 {
            let mut warm = Contest::new();
            let contest = if round == 0 { &mut warm } else { &mut contest };
            for search in &searches {
                ask(&mut conn, search, contest).await;
            }
        }
        let (search, scan) = (contest.times("search"), contest.times("ILIKE"));
        report.figure(&format!("search, {state}"), search, None);
        report.figure(&format!("ILIKE, {state}"), scan, None);
        report.ratio(
            &format!("of the time of ILIKE, {state}"),
            search.median() / scan.median(),
            Target::AtMost(3.0),
        );
    }
    report.finish();
}

/// Searches, without the filters of the search, and counts the rows with its first word.
async fn ask(conn: &mut PgConnection, search: &Search, contest: &mut Contest) {
    let query: QueryBuilder<Log> = Log::records().search(search.words.as_str()).limit(PAGE);
    contest
        .time("search", query.hits(&mut *conn))
        .await
        .unwrap();
    let word = search.words.split(' ').next().unwrap_or_default();
    let word = word.replace('\'', "''");
    let scan =
        format!("SELECT count(*) FROM logs WHERE deleted_at IS NULL AND message ILIKE '%{word}%'");
    contest
        .time(
            "ILIKE",
            sqlx::query(AssertSqlSafe(scan)).fetch_one(&mut *conn),
        )
        .await
        .unwrap();
}
