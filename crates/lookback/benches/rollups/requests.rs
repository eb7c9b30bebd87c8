//! Aggregates of captured requests, by their status, route and direction.

use std::time::Instant;

use lookback::maintenance::maintain_rollups;
use lookback::query::TextMeasures;
use lookback::value::JsonMap;
use lookback::{Filter, Model as _, RequestSnapshot};
use sqlx::{AssertSqlSafe, Executor as _, PgConnection, PgPool, Row as _};
use testkit::bench::{Contest, Report, Target, Times};

use crate::{BATCH, ROUNDS, seal};

/// Requests of an API with forty routes, a tenth of them calls of the application itself, two a
/// second.
const INSERT: &str = r#"
INSERT INTO request_snapshots
    (method, path, version, stage, status_code, duration, timestamp, created_at, headers, response_headers)
SELECT (ARRAY['GET', 'GET', 'GET', 'POST', 'PUT'])[1 + i % 5],
    '/api/r' || i * 7919 % 40 || '/' || i, '1.4.2', 'production',
    CASE WHEN i * 31 % 100 < 2 THEN 500 WHEN i * 31 % 100 < 8 THEN 404 ELSE 200 END,
    i * 37 % 900, at, at,
    jsonb_build_object('host', 'api.example.com', 'accept', 'application/json',
        'accept-encoding', 'gzip, br', 'accept-language', 'en', 'user-agent', 'Mozilla/5.0 (X11; Linux x86_64)',
        'content-type', 'application/json', 'authorization', '[masked]', 'x-request-id', md5(i::text),
        'origin', 'https://example.com', 'connection', 'keep-alive')
    || CASE WHEN i % 10 = 3 THEN jsonb_build_object('direction', 'outgoing')
        ELSE jsonb_build_object('route', '/api/r' || i * 7919 % 40 || '/{id}') END,
    '{"content-type": "application/json", "content-length": "512"}'
FROM (SELECT i, timestamptz '2026-01-01 00:00:00+00' + i * interval '500 ms' AS at
    FROM generate_series($1::bigint, $2::bigint) AS i) AS request
"#;

/// A question: keys, filters, and the same in SQL.
struct Question {
    name: &'static str,
    keys: &'static [&'static str],
    filters: Vec<String>,
    sql: String,
}

fn questions(rows: u64) -> Vec<Question> {
    let time = |seconds: u64| {
        let start = chrono::DateTime::from_timestamp(1_767_225_600, 0).unwrap();
        (start + chrono::TimeDelta::seconds(i64::try_from(seconds).unwrap())).to_rfc3339()
    };
    let last = rows / 2;
    let (from, to) = (
        time(last.saturating_sub(90_000)),
        time(last.saturating_sub(3_600)),
    );
    let received = "headers.direction__ne=outgoing".to_owned();
    let is_received = "deleted_at IS NULL AND headers ->> 'direction' IS DISTINCT FROM 'outgoing'";
    let hour = "to_char(date_bin('1 hour', timestamp, '2001-01-01 00:00:00+00') AT TIME ZONE 'UTC', \
         'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')";
    vec![
        Question {
            name: "requests by status code",
            keys: &["status_code"],
            filters: vec![received.clone()],
            sql: format!(
                "SELECT jsonb_build_array(status_code)::text, count(*) \
                 FROM request_snapshots WHERE {is_received} GROUP BY status_code"
            ),
        },
        Question {
            name: "requests of a day by status code, hours",
            keys: &["timestamp__1h", "status_code"],
            filters: vec![
                received.clone(),
                format!("timestamp__gte={from}"),
                format!("timestamp__lt={to}"),
            ],
            sql: format!(
                "SELECT jsonb_build_array({hour}, status_code)::text, count(*) FROM request_snapshots \
                 WHERE {is_received} AND timestamp >= '{from}' AND timestamp < '{to}' GROUP BY {hour}, status_code"
            ),
        },
        Question {
            name: "failed requests by method and route",
            keys: &["method", "headers.route"],
            filters: vec![received, "status_code__gte=500".to_owned()],
            sql: format!(
                "SELECT jsonb_build_array(method, headers -> 'route')::text, count(*) FROM request_snapshots \
                 WHERE {is_received} AND status_code >= 500 GROUP BY method, headers -> 'route'"
            ),
        },
    ]
}

type Answer = Vec<(String, i64)>;

impl Question {
    async fn by_query(&self, conn: &mut PgConnection) -> Answer {
        let filters = self.filters.iter().map(String::as_str);
        let query = RequestSnapshot::records().filter(Filter::parse_all(filters).unwrap());
        let measures = TextMeasures::parse::<RequestSnapshot>(&["count"]).unwrap();
        let groups = query.group_by_text(self.keys).unwrap();
        let groups = groups.aggregate(conn, measures).await.unwrap();
        let list = |map: &JsonMap| {
            let values = self.keys.iter().map(|key| map[*key].to_string());
            let values: Vec<String> = values.collect();
            format!("[{}]", values.join(", "))
        };
        let row = |(keys, of): &(JsonMap, JsonMap)| (list(keys), of["count"].as_i64().unwrap());
        let mut answer: Answer = groups.iter().map(row).collect();
        answer.sort();
        answer
    }

    async fn by_sql(&self, conn: &mut PgConnection) -> Answer {
        let sql = AssertSqlSafe(self.sql.clone());
        let rows = sqlx::query(sql).fetch_all(conn).await.unwrap();
        let mut answer: Answer = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
        answer.sort();
        answer
    }
}

/// Measures a tenth as many requests as log lines; returns the lines of the table.
pub(crate) async fn measure(pool: &PgPool, most: u64, report: &mut Report) -> Vec<String> {
    let table = RequestSnapshot::TABLE;
    while maintain_rollups(pool, table).await.unwrap() {}
    let mut at = 0;
    while at < most {
        let end = (at + BATCH).min(most);
        let insert = sqlx::query(INSERT);
        let (first, last) = (i64::try_from(at + 1).unwrap(), i64::try_from(end).unwrap());
        insert.bind(first).bind(last).execute(pool).await.unwrap();
        at = end;
    }
    let sealed = seal(pool, table).await;
    report.note("requests", most);
    report.figure("sealing requests", &Times::once(sealed), Some(most));
    pool.execute("VACUUM ANALYZE").await.unwrap();
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
    let of = |name: &str, way: &str| contest.times(&format!("{name}, {way}")).median();
    let mut lines = Vec::new();
    for Question { name, .. } in &questions {
        let (rows, rollups) = (of(name, "rows"), of(name, "roll-ups"));
        lines.push(format!(
            "| {name} | {:.1} ms | {:.1} ms | {:.0} |",
            rows * 1e3,
            rollups * 1e3,
            rows / rollups
        ));
        report.ratio(name, rows / rollups, Target::AtLeast(50.0));
    }
    lines
}
