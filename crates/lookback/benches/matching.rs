//! Words as a filter, against the same with `ILIKE` and with a trigram index.
//!
//! `make bench-match`, or `ROWS=10000000 make bench-match`. The rows resemble real logs, and are
//! sealed. One in 50,000 has a word of its own. The same rows without embeddings are copied to a
//! table with a trigram GIN on the text that is searched, and to one without.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark")]

use std::time::Duration;

use lookback::maintenance::DEFAULT_PARTITION_IDS;
use lookback::maintenance::sealing::{DEFAULT_SEGMENT, SealStep, Sealer};
use lookback::query::{Bucket, count};
use lookback::{Log, Model as _, QueryBuilder};
use sqlx::{AssertSqlSafe, Executor as _, PgPool};
use testkit::bench::{Contest, Report, Target, rows};
use testkit::sample::log_lines;

const SEED: u64 = 42;
const BATCH: u64 = 50_000;
const RARE: u64 = 50_000;
const ROUNDS: usize = 7;
const PAGE: u32 = 20;
const RARE_WORD: &str = "zeppelin";
/// The text that is searched, as the index has it.
const TEXT: &str = "lower(message || E'\\n' || source || E'\\n' || level)";

#[tokio::main]
async fn main() {
    let rows = rows(1_000_000);
    let db = testkit::database_without_ranges().await;
    let pool = &db.pool;
    load(pool, rows).await;
    let common = common_words(pool).await;
    let mut report = Report::new(
        "match",
        "words as a filter, against ILIKE and a trigram index",
    );
    report.note("rows", rows);
    report.note("common words", common.as_str());
    let mut contest = Contest::new();
    // The first round is a warm-up.
    for round in 0..=ROUNDS {
        let mut warm = Contest::new();
        let contest = if round == 0 { &mut warm } else { &mut contest };
        for (name, words) in [("common", common.as_str()), ("rare", RARE_WORD)] {
            ask(pool, name, words, contest).await;
        }
    }
    for name in ["common", "rare"] {
        for what in ["newest 20", "by hour"] {
            let time = |who: &str| contest.times(&format!("{name}, {what}, {who}"));
            for who in ["match", "ILIKE", "GIN"] {
                report.figure(&format!("{name}, {what}, {who}"), time(who), None);
            }
            report.ratio(
                &format!("{name}, {what}, times faster than ILIKE"),
                time("ILIKE").median() / time("match").median(),
                Target::AtLeast(50.0),
            );
            report.ratio(
                &format!("{name}, {what}, of the time with a trigram index"),
                time("match").median() / time("GIN").median(),
                Target::AtMost(1.5),
            );
        }
    }
    report.finish();
}

async fn load(pool: &PgPool, rows: u64) {
    let partition = DEFAULT_PARTITION_IDS as u64;
    for place in 0..=rows / partition {
        let (from, to) = (place * partition, (place + 1) * partition);
        let sql = format!(
            "CREATE TABLE logs_p{place} PARTITION OF logs FOR VALUES FROM ({from}) TO ({to})"
        );
        pool.execute(AssertSqlSafe(sql)).await.unwrap();
    }
    let mut at = 0;
    while at < rows {
        let count = BATCH.min(rows - at);
        let mut batch: Vec<_> = log_lines(SEED, at, count).collect();
        for (place, line) in (at..).zip(&mut batch) {
            if place % RARE == RARE / 2 {
                line.message.push_str(" by ");
                line.message.push_str(RARE_WORD);
            }
        }
        Log::records().create_many(pool, &batch).await.unwrap();
        at += count;
    }
    let mut conn = pool.acquire().await.unwrap();
    let mut sealer = Sealer::new(Log::TABLE, DEFAULT_SEGMENT).unwrap();
    let patience = Duration::from_secs(60);
    while let SealStep::Sealed { .. } = sealer.step(&mut conn, patience).await.unwrap() {}
    for table in ["plain", "indexed"] {
        for sql in [
            format!("CREATE TABLE {table} (LIKE logs INCLUDING DEFAULTS INCLUDING INDEXES)"),
            format!("INSERT INTO {table} SELECT * FROM logs"),
        ] {
            pool.execute(AssertSqlSafe(sql)).await.unwrap();
        }
    }
    pool.execute("CREATE EXTENSION IF NOT EXISTS pg_trgm")
        .await
        .unwrap();
    let sql = format!("CREATE INDEX ON indexed USING gin (({TEXT}) gin_trgm_ops)");
    pool.execute(AssertSqlSafe(sql)).await.unwrap();
    pool.execute("VACUUM ANALYZE").await.unwrap();
}

/// Returns two words of the most frequent pattern.
async fn common_words(pool: &PgPool) -> String {
    let patterns = Log::records().limit(20).patterns().fetch(pool).await;
    for pattern in patterns.unwrap().data {
        let words = pattern.fields[0].1.split(' ').map(str::to_owned);
        let is_word =
            |word: &String| word.len() > 4 && word.bytes().all(|b| b.is_ascii_lowercase());
        let words: Vec<String> = words.filter(is_word).take(2).collect();
        if words.len() == 2 {
            return words.join(" ");
        }
    }
    unreachable!("the lines have words")
}

async fn ask(pool: &PgPool, name: &str, words: &str, contest: &mut Contest) {
    let query: QueryBuilder<Log> = Log::records().matching(words);
    let page = query.clone().limit(PAGE).without_total();
    let label = |what: &str, who: &str| format!("{name}, {what}, {who}");
    let found = contest
        .time(&label("newest 20", "match"), page.list(pool))
        .await
        .unwrap();
    let hour = Log::created_at().bucket(Bucket::hours(1));
    let by_hour = query.group_by(hour);
    let hours = contest
        .time(&label("by hour", "match"), by_hour.aggregate(pool, count()))
        .await
        .unwrap();
    let lines: i64 = hours.iter().map(|(_, lines)| lines).sum();
    println!("{name} ({words}): {lines} lines");
    for (who, table, condition) in [
        ("ILIKE", "plain", ilike("message", words)),
        ("GIN", "indexed", like(words)),
    ] {
        let newest = format!(
            "SELECT id, source, level, message, meta, trace_id, created_at, updated_at FROM {table} \
             WHERE deleted_at IS NULL AND {condition} ORDER BY id DESC LIMIT {PAGE}"
        );
        let rows = contest
            .time(
                &label("newest 20", who),
                sqlx::query(AssertSqlSafe(newest)).fetch_all(pool),
            )
            .await
            .unwrap();
        assert_eq!(rows.len(), found.data.len(), "{who}");
        let by_hour = format!(
            "SELECT date_bin('1 hour', created_at, '2000-01-01Z'), count(*) FROM {table} \
             WHERE deleted_at IS NULL AND {condition} GROUP BY 1 ORDER BY 1"
        );
        let rows = contest
            .time(
                &label("by hour", who),
                sqlx::query(AssertSqlSafe(by_hour)).fetch_all(pool),
            )
            .await
            .unwrap();
        assert_eq!(rows.len(), hours.len(), "{who}");
    }
}

fn ilike(text: &str, words: &str) -> String {
    let each = words
        .split(' ')
        .map(|word| format!("{text} ILIKE '%{word}%'"));
    each.collect::<Vec<String>>().join(" AND ")
}

fn like(words: &str) -> String {
    let each = words
        .split(' ')
        .map(|word| format!("{TEXT} LIKE '%{word}%'"));
    each.collect::<Vec<String>>().join(" AND ")
}
