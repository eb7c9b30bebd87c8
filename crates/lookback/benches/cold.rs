//! What a log line takes on disk, what narrower columns would save, and what rows in chunks
//! would save and cost: the figures of decision 0028.
//!
//! `make bench-cold`, or `ROWS=1000000 LOGS=folder make bench-cold` to measure the `*.jsonl` files
//! of a folder instead of made lines. The chunks are plain SQL: one row for some hundred lines,
//! with an array for each column, which PostgreSQL compresses, and a view that has the lines
//! again. They are read as `psql` or the library would, in turn with the same rows in a table.
//!
//! Prints the figures and writes `target/bench/cold.json`.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark")]

use std::time::Duration;

use lookback::maintenance::sealing::{DEFAULT_SEGMENT, SealStep, Sealer};
use lookback::{Log, Model as _, NewLog};
use sqlx::{AssertSqlSafe, PgPool};
use testkit::bench::{Contest, Report, Target, execute, rows};
use testkit::sample::log_lines;

const SEED: u64 = 42;
const BATCH: usize = 20_000;
const ROUNDS: usize = 15;
/// The numbers of lines in a chunk.
const CHUNKS: [u64; 2] = [500, 2_000];
/// The columns that are read.
const COLUMNS: &str = "id, source, level, message, meta, trace_id, created_at";

/// Forms of the columns of `logs`, narrower than they are.
const NARROWER: [(&str, &str); 8] = [
    ("as they are", "*"),
    (
        "columns of fixed width first",
        "id, created_at, updated_at, deleted_at, source, level, message, meta, trace_id, embedding",
    ),
    (
        "updated_at null until it differs",
        "id, source, level, message, meta, trace_id, created_at, \
         nullif(updated_at, created_at) AS updated_at, deleted_at, embedding",
    ),
    (
        "trace_id in 16 bytes",
        "id, source, level, message, meta, trace_id::uuid, created_at, updated_at, deleted_at, \
         embedding",
    ),
    (
        "level in one byte",
        "id, source, left(level, 1)::\"char\" AS level, message, meta, trace_id, created_at, \
         updated_at, deleted_at, embedding",
    ),
    (
        "embedding of 2-byte numbers",
        "id, source, level, message, meta, trace_id, created_at, updated_at, deleted_at, \
         embedding::halfvec(16)",
    ),
    (
        "no embedding",
        "id, source, level, message, meta, trace_id, created_at, updated_at, deleted_at, \
         NULL::vector(16) AS embedding",
    ),
    (
        "all of these but the last",
        "id, created_at, deleted_at, nullif(updated_at, created_at) AS updated_at, \
         left(level, 1)::\"char\" AS level, source, message, meta, trace_id::uuid, \
         embedding::halfvec(16)",
    ),
];

/// Lines that are read from both, of a table and of chunks of it. `{last}` is the last id.
const QUESTIONS: [(&str, &str, &str); 7] = [
    (
        "newest 20",
        "SELECT {columns} FROM plain ORDER BY id DESC LIMIT 20",
        "SELECT {columns} FROM chunk_rows WHERE first_id = (SELECT max(first_id) FROM chunks) \
         ORDER BY id DESC LIMIT 20",
    ),
    (
        "one by id",
        "SELECT {columns} FROM plain WHERE id = {last} / 3",
        "SELECT {columns} FROM chunk_rows WHERE id = {last} / 3 \
         AND first_id = (SELECT max(first_id) FROM chunks WHERE first_id <= {last} / 3)",
    ),
    (
        "20 by id, as of a page of a search",
        "SELECT {columns} FROM plain WHERE id = ANY(ARRAY(SELECT i * {last} / 20 FROM generate_series(1, 20) AS i))",
        "SELECT {columns} FROM generate_series(1, 20) AS i CROSS JOIN LATERAL (\
         SELECT * FROM chunk_rows WHERE id = i * {last} / 20 \
         AND first_id = (SELECT max(first_id) FROM chunks WHERE first_id <= i * {last} / 20) OFFSET 0) AS r",
    ),
    (
        "one trace",
        "SELECT {columns} FROM plain WHERE trace_id = {trace}",
        "SELECT {columns} FROM chunk_rows WHERE trace_id = {trace} \
         AND first_id = ANY(ARRAY(SELECT first_id FROM chunks WHERE traces @> ARRAY[{trace}::uuid]))",
    ),
    (
        "count by level",
        "SELECT count(*) FROM plain GROUP BY level",
        "SELECT count(*) FROM chunks CROSS JOIN LATERAL unnest(level) AS l GROUP BY l",
    ),
    (
        "count of a word, by the view",
        "SELECT count(*) FROM plain WHERE message LIKE '%refused%'",
        "SELECT count(*) FROM chunk_rows WHERE message LIKE '%refused%'",
    ),
    (
        "count of a word, by its column",
        "SELECT count(*) FROM plain WHERE message LIKE '%refused%'",
        "SELECT count(*) FROM chunks CROSS JOIN LATERAL unnest(message) AS m WHERE m LIKE '%refused%'",
    ),
];

#[tokio::main]
async fn main() {
    let lines = lines();
    let db = testkit::database_without_ranges().await;
    let pool = &db.pool;
    load(pool, &lines).await;
    let count = lines.len();
    let mut report = Report::new("cold", "bytes of a log line, in rows and in chunks");
    report.note("lines", count);
    let size = async |sql: &str| size(pool, sql, count).await;

    let bare = "SELECT pg_relation_size('bare') + pg_relation_size('bare_pkey')";
    execute(pool, "CREATE TABLE bare AS SELECT * FROM logs ORDER BY id; ALTER TABLE bare ADD CONSTRAINT bare_pkey PRIMARY KEY (id)").await;
    let bare = size(bare).await;
    report.note("bytes, table with a primary key only", bare);
    let of_partitions = "FROM pg_partition_tree('logs') AS t WHERE t.isleaf";
    let table = format!("SELECT sum(pg_relation_size(t.relid))::bigint {of_partitions}");
    report.note("bytes, rows of logs", size(&table).await);
    let indexes = format!("SELECT sum(pg_indexes_size(t.relid))::bigint {of_partitions}");
    report.note("bytes, indexes of logs", size(&indexes).await);
    let summaries = "SELECT sum(pg_total_relation_size(to_regclass(name)))::bigint FROM unnest(\
        ARRAY['search_templates', 'search_postings', 'search_blocks', 'sealed_segments']) AS name";
    report.note("bytes, summaries for search", size(summaries).await);
    for (name, columns) in NARROWER {
        execute(pool, &format!("DROP TABLE IF EXISTS narrower; CREATE TABLE narrower AS SELECT {columns} FROM logs ORDER BY id")).await;
        let bytes = size("SELECT pg_relation_size('narrower')").await;
        report.note(&format!("bytes of a row, {name}"), bytes);
    }
    for lines_of_chunk in CHUNKS {
        create_chunks(pool, lines_of_chunk).await;
        let chunks = size("SELECT pg_table_size('chunks') + pg_indexes_size('chunks')").await;
        report.note(&format!("bytes, chunks of {lines_of_chunk}"), chunks);
        for column in [
            "created_at",
            "source",
            "level",
            "message",
            "meta",
            "trace_id",
            "traces",
            "template",
        ] {
            let sql = format!("SELECT sum(pg_column_size({column}))::bigint FROM chunks");
            let name = format!("bytes of {column}, chunks of {lines_of_chunk}");
            report.note(&name, size(&sql).await);
        }
        report.ratio(
            &format!("bytes of chunks of {lines_of_chunk}, of a table with a primary key only"),
            chunks / bare,
            Target::AtMost(0.2),
        );
        read(pool, lines_of_chunk, count, &mut report).await;
    }
    report.finish();
}

/// The lines of the files in the folder `LOGS`, otherwise made ones.
fn lines() -> Vec<NewLog> {
    let Ok(folder) = std::env::var("LOGS") else {
        return log_lines(SEED, 0, rows(400_000)).collect();
    };
    let mut files: Vec<_> = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|end| end == "jsonl"))
        .collect();
    files.sort();
    let texts = files
        .iter()
        .map(|file| std::fs::read_to_string(file).unwrap());
    let line = |line: &str| serde_json::from_str(line).unwrap();
    texts
        .flat_map(|text| text.lines().map(line).collect::<Vec<NewLog>>())
        .collect()
}

async fn load(pool: &PgPool, lines: &[NewLog]) {
    for batch in lines.chunks(BATCH) {
        Log::records().create_many(pool, batch).await.unwrap();
    }
    let mut conn = pool.acquire().await.unwrap();
    let mut sealer = Sealer::new(Log::TABLE, DEFAULT_SEGMENT).unwrap();
    let patience = Duration::from_secs(60);
    while let SealStep::Sealed { .. } = sealer.step(&mut conn, patience).await.unwrap() {}
    drop(conn);
    execute(pool, "VACUUM (ANALYZE)").await;
}

/// Returns a size per line.
#[expect(clippy::cast_precision_loss, reason = "a size of some gigabytes")]
async fn size(pool: &PgPool, sql: &str, lines: usize) -> f64 {
    let bytes: i64 = sqlx::query_scalar(AssertSqlSafe(sql.to_owned()))
        .fetch_one(pool)
        .await
        .unwrap();
    (bytes as f64 / lines as f64 * 10.0).round() / 10.0
}

/// Writes the lines of `logs` into chunks, and creates the view of their lines.
///
/// The ids of a chunk follow each other, and a vector is that of its template.
async fn create_chunks(pool: &PgPool, lines: u64) {
    execute(
        pool,
        &format!(
            "DROP TABLE IF EXISTS chunks, plain CASCADE; \
             CREATE TABLE plain AS SELECT * FROM logs ORDER BY id; \
             ALTER TABLE plain ADD PRIMARY KEY (id); \
             CREATE INDEX ON plain (trace_id) WHERE trace_id IS NOT NULL; \
             CREATE TABLE chunks AS \
               SELECT min(l.id) AS first_id, max(l.id) AS last_id, \
                 min(created_at) AS oldest, max(created_at) AS newest, \
                 array_agg(created_at ORDER BY l.id) AS created_at, \
                 array_agg(source ORDER BY l.id) AS source, \
                 array_agg(left(level, 1)::\"char\" ORDER BY l.id) AS level, \
                 array_agg(message ORDER BY l.id) AS message, \
                 array_agg(meta ORDER BY l.id) AS meta, \
                 array_agg(trace_id::uuid ORDER BY l.id) AS trace_id, \
                 array_remove(array_agg(DISTINCT trace_id::uuid), NULL) AS traces, \
                 array_agg(t.id ORDER BY l.id) AS template \
               FROM logs AS l LEFT JOIN (\
                 SELECT vector, min(id)::integer AS id FROM search_templates GROUP BY vector) AS t \
                 ON t.vector = l.embedding \
               GROUP BY (l.id - 1) / {lines} ORDER BY 1; \
             ALTER TABLE chunks ADD PRIMARY KEY (first_id); \
             CREATE INDEX ON chunks USING gin (traces); \
             CREATE VIEW chunk_rows AS \
               SELECT first_id, first_id + l.n - 1 AS id, l.source, \
                 CASE l.level WHEN 'i' THEN 'info' WHEN 'd' THEN 'debug' WHEN 'w' THEN 'warn' ELSE 'error' END AS level, \
                 l.message, l.meta, replace(l.trace_id::text, '-', '') AS trace_id, l.created_at \
               FROM chunks CROSS JOIN LATERAL unnest(created_at, source, level, message, meta, trace_id) \
                 WITH ORDINALITY AS l(created_at, source, level, message, meta, trace_id, n)"
        ),
    )
    .await;
    execute(pool, "VACUUM (ANALYZE)").await;
}

/// Reads lines from the table and from the chunks, in turn, on one connection.
async fn read(pool: &PgPool, lines_of_chunk: u64, lines: usize, report: &mut Report) {
    let trace: Option<String> = sqlx::query_scalar(
        "SELECT trace_id FROM plain WHERE trace_id IS NOT NULL ORDER BY abs(id - (SELECT max(id) / 2 FROM plain)) LIMIT 1",
    )
    .fetch_optional(pool)
    .await
    .unwrap();
    let mut conn = pool.acquire().await.unwrap();
    let mut contest = Contest::new();
    let questions: Vec<_> = QUESTIONS
        .iter()
        .filter(|(name, ..)| trace.is_some() || *name != "one trace")
        .collect();
    for (name, of_rows, of_chunks) in questions {
        println!("chunks of {lines_of_chunk}: {name}");
        let name = format!("{name}, chunks of {lines_of_chunk}");
        for round in 0..=ROUNDS {
            let mut counts = Vec::new();
            for (who, sql) in [("rows", of_rows), ("chunks", of_chunks)] {
                let trace = trace.as_deref().unwrap_or_default();
                let sql = sql
                    .replace("{columns}", COLUMNS)
                    .replace("{last}", &lines.to_string())
                    .replace("{trace}", &format!("'{trace}'"));
                let query = sqlx::query(AssertSqlSafe(sql)).fetch_all(&mut *conn);
                let mut warm = Contest::new();
                let contest = if round == 0 { &mut warm } else { &mut contest };
                counts.push(
                    contest
                        .time(&format!("{name}, {who}"), query)
                        .await
                        .unwrap()
                        .len(),
                );
            }
            assert_eq!(counts[0], counts[1], "{name}");
        }
        let (rows, chunks) = (
            contest.times(&format!("{name}, rows")),
            contest.times(&format!("{name}, chunks")),
        );
        report.figure(&format!("{name}, rows"), rows, None);
        report.figure(&format!("{name}, chunks"), chunks, None);
        let ratio = chunks.median() / rows.median();
        report.ratio(&name, ratio, Target::AtMost(3.0));
    }
}
