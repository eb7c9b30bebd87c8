//! `export`, then `import` into another database: the same records, for each table and format.

use chrono::{DateTime, TimeDelta, Utc};
use lookback::query::Imported;
use lookback::value::{Bytes, ErrorRate};
use lookback::{
    GeoSource, Json, Level, Log, Metric, Model, NewLog, NewMetric, NewRequestSnapshot, NewUser,
    QueryBuilder, RequestSnapshot, User, UserRole,
};
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use sqlx::{AssertSqlSafe, Row as _};
use testkit::Database;

use crate::support::{Lookback, transcript};

const FORMATS: [&str; 3] = ["jsonl", "csv", "parquet"];

/// The command and the table of each kind of records, and the columns that an export has.
const TABLES: [(&str, &str); 4] = [
    ("logs", "logs"),
    ("requests", "request_snapshots"),
    ("metrics", "metrics"),
    ("users", "users"),
];

/// The number of records of each kind.
const RECORDS: usize = 150;

/// Texts that a format may take for something else.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => prop::sample::select(vec![
            "", " ", "null", "NULL", "true", "0", "1e5", "-", "\"", "\"\"", "'", "\\", "\\N", "\\.",
            ",", ";", "a,b", "\n", "\r", "\r\n", "a\nb", " a ", "\u{feff}x", "=1+1", "{\"a\": 1}",
            "[1", "\u{1}\u{1f}\u{7f}", "\u{2028}", "ünï\u{1f600}", "2026-01-01T00:00:00Z", "PAR1",
        ])
        .prop_map(str::to_owned),
        2 => "[^\\x00]{0,15}",
    ]
}

fn json() -> impl Strategy<Value = Json> {
    let number = prop::sample::select(vec![
        "0",
        "-1",
        "1.50",
        "0.1",
        "12345678901234567890.12345678901234567890",
        "1e30",
        "-9223372036854775808",
        "0.30000000000000004",
    ])
    .prop_map(|number| number.parse::<Json>().unwrap());
    let leaf = prop_oneof![
        any::<bool>().prop_map(Json::from),
        number,
        text().prop_map(Json::from),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            prop::collection::vec(prop_oneof![4 => inner.clone(), 1 => Just(Json::Null)], 0..4)
                .prop_map(Json::Array),
            prop::collection::btree_map(text(), inner, 0..4).prop_map(Json::from_iter),
        ]
    })
}

/// Times that PostgreSQL stores and a `DateTime` has.
fn time() -> impl Strategy<Value = DateTime<Utc>> {
    let at = |text: &str| text.parse::<DateTime<Utc>>().unwrap();
    prop_oneof![
        1 => prop::sample::select(vec![
            DateTime::<Utc>::MAX_UTC,
            DateTime::<Utc>::MIN_UTC,
            at("-4713-11-24T00:00:00Z"),
            at("-0001-12-31T23:59:59.999999Z"),
            at("0000-01-01T00:00:00Z"),
            at("1969-12-31T23:59:59.999999Z"),
            at("1970-01-01T00:00:00Z"),
            at("9999-12-31T23:59:59.999999Z"),
            at("+10000-01-01T00:00:00Z"),
            at("+262000-01-01T00:00:00.000001Z"),
        ]),
        3 => (0..2_000_000_000_000_000_i64)
            .prop_map(|time| DateTime::from_timestamp_micros(time).unwrap()),
    ]
}

fn optional<S: Strategy>(of: S) -> impl Strategy<Value = Option<S::Value>>
where
    S::Value: Clone,
{
    prop_oneof![1 => Just(None), 2 => of.prop_map(Some)]
}

fn log() -> impl Strategy<Value = NewLog> {
    let level = prop::sample::select(vec![Level::Debug, Level::Info, Level::Warn, Level::Error]);
    let fields = (
        text(),
        level,
        text(),
        optional(json()),
        optional(text()),
        time(),
    );
    fields.prop_map(|(source, level, message, meta, trace_id, created_at)| {
        let mut log = NewLog::new(source, level, format!("{message}x")).created_at(created_at);
        log.meta = meta;
        log.trace_id = trace_id;
        log
    })
}

fn request() -> impl Strategy<Value = NewRequestSnapshot> {
    let geo = prop::sample::select(vec![
        GeoSource::Platform,
        GeoSource::Header,
        GeoSource::Ip,
        GeoSource::None,
    ]);
    let texts = (text(), text(), text(), optional(text()), optional(text()));
    let bodies = (optional(json()), optional(json()), optional(json()));
    let numbers = (
        optional(100..=599_i32),
        optional(0..=i32::MAX),
        optional(-90.0..=90.0_f64),
        optional(prop::sample::select(vec![1e-300, -0.0, 180.0, 0.1 + 0.2])),
        optional(geo),
    );
    (texts, bodies, numbers, time(), time()).prop_map(
        |(texts, bodies, numbers, timestamp, created_at)| {
            let (method, path, version, user_id, trace_id) = texts;
            let mut request = NewRequestSnapshot::new(
                format!("{method}x"),
                format!("/{path}"),
                timestamp,
                version,
                "prod",
            )
            .created_at(created_at);
            request.user_id = user_id;
            request.trace_id = trace_id;
            (request.query, request.body, request.headers) = bodies;
            request.status_code = numbers.0;
            request.duration = numbers.1;
            request.geo_lat = numbers.2;
            request.geo_lon = numbers.3;
            request.geo_source = numbers.4;
            request
        },
    )
}

/// A window of the minute with this number, so that no two are of one minute.
fn metric(minute: i64) -> impl Strategy<Value = NewMetric> {
    let latencies = prop::array::uniform3(0..=i32::MAX);
    let sizes = prop::array::uniform2(optional(0..=i64::MAX));
    let sketch = optional(prop::collection::vec(any::<u8>(), 0..40));
    (text(), latencies, 0..=1_000_000_i32, sizes, sketch, time()).prop_map(
        move |(endpoint, latencies, errors, sizes, sketch, created_at)| {
            let start = DateTime::from_timestamp(minute * 60, 0).unwrap();
            let mut metric = NewMetric::new(
                start,
                start + TimeDelta::minutes(1),
                format!("{endpoint}x"),
                latencies[0],
                latencies[1],
                latencies[2],
                ErrorRate::new(f64::from(errors) / 1e6).unwrap(),
                7,
            )
            .created_at(created_at);
            [metric.request_size, metric.response_size] = sizes;
            metric.latency_sketch = sketch.map(Bytes);
            metric
        },
    )
}

fn user(number: i64) -> impl Strategy<Value = NewUser> {
    let role = prop::sample::select(vec![UserRole::Admin, UserRole::User]);
    ("[a-zü\"=, ]{0,8}", role, time()).prop_map(move |(name, role, created_at)| {
        NewUser::new(format!("u{name}{number}@example.com"), "!")
            .role(role)
            .created_at(created_at)
    })
}

/// Stores records with drawn ids, times of changes and of deletion.
async fn fill<M: Model, S: Strategy<Value = M::New>>(
    runner: &mut TestRunner,
    db: &Database,
    record: impl Fn(i64) -> S,
) {
    let gap = prop_oneof![8 => 1..4_i64, 1 => 1_000_000..20_000_000_i64];
    let mut id = 0;
    let mut records = Vec::new();
    for number in 0..RECORDS {
        let number = i64::try_from(number).unwrap();
        let drawn = (record(number), gap.clone(), time(), optional(time()));
        let (record, gap, updated_at, deleted_at) = drawn.new_tree(runner).unwrap().current();
        id += gap;
        let mut imported = Imported::new(record);
        imported.id = Some(id);
        imported.updated_at = Some(updated_at);
        imported.deleted_at = deleted_at;
        records.push(imported);
    }
    let stored = QueryBuilder::<M>::new()
        .import_many(&db.pool, &records)
        .await;
    assert_eq!(stored.unwrap(), RECORDS as u64);
}

/// All values of a table as text, vectors included, in the order of ids; without the id if `renumbered`.
async fn contents(db: &Database, table: &str, renumbered: bool) -> Vec<String> {
    let minus = if renumbered { " - 'id'" } else { "" };
    let rows = sqlx::query(AssertSqlSafe(format!(
        "SELECT (to_jsonb(t){minus})::text AS record FROM {table} AS t ORDER BY id"
    )))
    .fetch_all(&db.pool)
    .await
    .unwrap();
    rows.iter().map(|row| row.get("record")).collect()
}

async fn filled() -> Lookback {
    let lookback = Lookback::new().await;
    let db = lookback.db.as_ref().unwrap();
    let mut runner = TestRunner::deterministic();
    fill::<Log, _>(&mut runner, db, |_| log()).await;
    fill::<RequestSnapshot, _>(&mut runner, db, |_| request()).await;
    fill::<Metric, _>(&mut runner, db, metric).await;
    fill::<User, _>(&mut runner, db, user).await;
    lookback
}

#[tokio::test]
async fn exported_records_import_as_they_were() {
    let source = filled().await;
    for format in FORMATS {
        let target = Lookback::new().await;
        for (command, table) in TABLES {
            let file = source.folder().join(format!("{command}.{format}"));
            let path = file.to_str().unwrap();
            source
                .run(&[command, "export", "--deleted", "with", "--out", path])
                .succeeded();
            target.run(&["import", path, "--keep-ids"]).succeeded();
            let (source, target) = (source.db.as_ref().unwrap(), target.db.as_ref().unwrap());
            let (before, after) = (
                contents(source, table, false).await,
                contents(target, table, false).await,
            );
            assert_eq!(before.len(), RECORDS);
            for (before, after) in before.iter().zip(&after) {
                assert_eq!(before, after, "{command} as {format}");
            }
            assert_eq!(before.len(), after.len(), "{command} as {format}");
        }
        // No record is where maintenance does not look for it.
        for table in ["logs", "request_snapshots"] {
            let strays = target
                .number(&format!("SELECT count(*) FROM {table}_default"))
                .await;
            assert_eq!(strays, 0, "{table} as {format}");
        }
        // The sequence continues behind the ids.
        target
            .execute("INSERT INTO logs (source, level, message) VALUES ('a', 'info', 'next')")
            .await;
        let newest = "(SELECT id FROM logs WHERE message = 'next') \
                      - (SELECT max(id) FROM logs WHERE message <> 'next')";
        assert_eq!(target.number(newest).await, 1);
    }
}

#[tokio::test]
async fn records_without_keep_ids_get_new_ids() {
    let source = filled().await;
    for format in FORMATS {
        let target = Lookback::new().await;
        let path = source.folder().join(format!("some.{format}"));
        let path = path.to_str().unwrap();
        source
            .run(&["logs", "export", "--deleted", "with", "--out", path])
            .succeeded();
        let ran = target.run(&["import", path]).succeeded();
        assert!(
            ran.err
                .contains("150 records got new ids: --keep-ids keeps those of the input"),
            "{ran:#?}"
        );
        let (source, db) = (source.db.as_ref().unwrap(), target.db.as_ref().unwrap());
        assert_eq!(
            contents(source, "logs", true).await,
            contents(db, "logs", true).await,
            "{format}"
        );
        let ids = "SELECT count(*) FROM logs WHERE id BETWEEN 1 AND 150";
        assert_eq!(target.number(ids).await, 150);
    }
}

#[tokio::test]
async fn export_through_a_pipe_imports_in_each_format() {
    let source = filled().await;
    for format in FORMATS {
        let target = Lookback::new().await;
        let exported = source
            .command(&["users", "export", "--format", format])
            .output()
            .unwrap();
        assert!(exported.status.success());
        // Parquet is recognised by its first bytes.
        let mut call = vec!["import", "-"];
        if format == "csv" {
            call.extend(["--format", "csv"]);
        }
        target.run_with(&call, &exported.stdout).succeeded();
        let live = "SELECT count(*) FROM users WHERE deleted_at IS NULL";
        assert_eq!(target.number(live).await, source.number(live).await);
        assert_eq!(
            target.number("SELECT count(*) FROM users").await,
            source.number(live).await
        );
    }
}

const THREE: &str = "\
{\"id\": 7, \"source\": \"API\", \"level\": \"info\", \"message\": \"one\"}
{\"id\": 8, \"source\": \"API\", \"level\": \"info\", \"message\": \"two\"}
{\"id\": 9, \"source\": \"API\", \"level\": \"info\", \"message\": \"three\"}
";

#[tokio::test]
async fn ids_that_are_taken_are_named() {
    let lookback = Lookback::new().await;
    lookback.write("logs.jsonl", THREE);
    lookback
        .execute(
            "INSERT INTO logs (id, source, level, message, deleted_at) OVERRIDING SYSTEM VALUE \
             VALUES (8, 'mine', 'info', 'mine', NULL), (9, 'mine', 'info', 'mine', now())",
        )
        .await;
    transcript!(lookback.run(&["import", "logs.jsonl", "--keep-ids"]), @"
$ lookback import logs.jsonl --keep-ids
! error: logs.jsonl, line 2: id: 8 is the id of another record; so is 9
! hint: line 1 is processed: 1 record stored, 0 lines rejected; to continue: the same command with --resume, after correcting the line or with --on-error skip, or without --keep-ids to assign new ids
[exit code 1]
");
    let mine = "SELECT count(*) FROM logs WHERE source = 'mine'";
    assert_eq!(lookback.number(mine).await, 2);
    assert_eq!(lookback.number("SELECT count(*) FROM logs").await, 3);
    transcript!(lookback.run(&["import", "logs.jsonl", "--keep-ids", "--resume", "--on-error", "skip", "--rejects", "taken.jsonl"]), @"
$ lookback import logs.jsonl --keep-ids --resume --on-error skip --rejects taken.jsonl
! resuming after line 1: 1 record is stored
! warning: line 2: id: 8 is the id of another record
! warning: line 3: id: 9 is the id of another record
! logs.jsonl: 0 records into logs in [time] ([rate] records/s); 2 lines rejected, written to taken.jsonl
");
    assert_eq!(lookback.number("SELECT count(*) FROM logs").await, 3);
    let rejected = String::from_utf8(lookback.read("taken.jsonl")).unwrap();
    assert_eq!(
        rejected,
        THREE
            .lines()
            .skip(1)
            .map(|line| format!("{line}\n"))
            .collect::<String>()
    );

    lookback.write(
        "twice.jsonl",
        "{\"id\": 20, \"source\": \"API\", \"level\": \"info\", \"message\": \"one\"}\n\
         {\"id\": 20, \"source\": \"API\", \"level\": \"info\", \"message\": \"two\"}\n\
         {\"source\": \"API\", \"level\": \"info\", \"message\": \"three\"}\n\
         {\"id\": 9223372036854775807, \"source\": \"API\", \"level\": \"info\", \"message\": \"four\"}\n\
         {\"id\": \"x\", \"source\": \"API\", \"level\": \"info\", \"message\": \"five\"}\n",
    );
    transcript!(lookback.run(&["import", "twice.jsonl", "--keep-ids", "--on-error", "skip"]), @"
$ lookback import twice.jsonl --keep-ids --on-error skip
! warning: line 2: id: 20 is the id of another record
! warning: line 3: id: is required, because --keep-ids was given
! warning: line 4: id: 9223372036854775807 must be less than 9223372036854775807, the last id of the sequence of logs
! warning: line 5: id: must be a whole number of 64 bits, not the string `x`
! twice.jsonl: 1 record into logs in [time] ([rate] records/s); 4 lines rejected
");
}

/// A table whose default partition another process splits, until the transaction ends, with a file
/// of records whose ids it refuses meanwhile.
#[cfg(unix)]
async fn with_split() -> (Lookback, sqlx::Transaction<'static, sqlx::Postgres>) {
    let lookback = Lookback::new().await;
    lookback.write("old.jsonl", THREE);
    // As after pruning, in a table whose ids have passed its partitions.
    for statement in [
        "DROP TABLE logs_p0000000000000000",
        "INSERT INTO logs (id, source, level, message) OVERRIDING SYSTEM VALUE \
         SELECT 12582912 + n, 'API', 'info', 'line ' || n FROM generate_series(1, 50) AS n",
        "SELECT setval(pg_get_serial_sequence('logs', 'id'), 12583000)",
        "ALTER TABLE logs_default ADD CONSTRAINT lookback_before_1099528404992 \
         CHECK (id >= 12582912 AND id < 1099528404992) NOT VALID",
    ] {
        lookback.execute(statement).await;
    }
    let pool = &lookback.db.as_ref().unwrap().pool;
    let mut splitting = pool.begin().await.unwrap();
    sqlx::query(
        "SELECT pg_advisory_xact_lock(hashtextextended('lookback storage partitions ' || \
         'logs'::regclass::oid::text, 0))",
    )
    .execute(&mut *splitting)
    .await
    .unwrap();
    (lookback, splitting)
}

/// Imports records that wait for a split, until the note of it was printed.
#[cfg(unix)]
fn import_that_waits(
    lookback: &Lookback,
    input: &str,
) -> (std::process::Child, impl std::io::BufRead + use<>) {
    use std::io::{BufRead as _, BufReader, Write as _};
    use std::process::Stdio;

    let mut child = lookback
        .command(&["import", input, "--keep-ids"])
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(THREE.as_bytes()).unwrap();
    let mut output = BufReader::new(child.stderr.take().unwrap());
    let mut note = String::new();
    output.read_line(&mut note).unwrap();
    assert!(
        note.ends_with(
            ": the default partition of logs is being split; records with ids of dropped \
             partitions wait for it\n"
        ),
        "{note}"
    );
    (child, output)
}

/// While a default partition is split, it refuses ids of partitions that were dropped: the import
/// waits until it is done.
#[cfg(unix)]
#[tokio::test]
async fn ids_of_dropped_partitions_wait_for_a_split() {
    use std::io::Read as _;

    let (lookback, splitting) = with_split().await;
    let (mut child, mut output) = import_that_waits(&lookback, "old.jsonl");
    splitting.rollback().await.unwrap();
    let status = child.wait().unwrap();
    let mut rest = String::new();
    output.read_to_string(&mut rest).unwrap();
    assert!(status.success(), "{rest}");
    assert!(rest.contains("3 records into logs"), "{rest}");
    assert_eq!(lookback.number("SELECT count(*) FROM logs").await, 53);
    assert_eq!(
        lookback.number("SELECT count(*) FROM logs_default").await,
        3
    );
}

#[cfg(unix)]
#[tokio::test]
async fn import_that_waits_for_a_split_can_be_interrupted() {
    use std::io::Read as _;

    let (lookback, splitting) = with_split().await;
    let (mut child, mut output) = import_that_waits(&lookback, "old.jsonl");
    crate::support::signal(&child, nix::sys::signal::Signal::SIGTERM);
    let status = child.wait().unwrap();
    let mut rest = String::new();
    output.read_to_string(&mut rest).unwrap();
    assert_eq!(status.code(), Some(130), "{rest}");
    assert_eq!(lookback.number("SELECT count(*) FROM logs").await, 50);
    splitting.rollback().await.unwrap();
    lookback
        .run(&["import", "old.jsonl", "--keep-ids", "--resume"])
        .succeeded();
    assert_eq!(lookback.number("SELECT count(*) FROM logs").await, 53);
}

/// What a stream has sent waits for the split and for the database, whichever takes longer.
#[cfg(unix)]
#[tokio::test]
async fn stream_that_waits_for_a_split_outlives_lost_connections() {
    use std::io::Read as _;

    let (lookback, splitting) = with_split().await;
    let (mut child, mut output) = import_that_waits(&lookback, "-");
    for _ in 0..5 {
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        lookback
            .execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                 WHERE datname = current_database() AND application_name LIKE 'lookback%'",
            )
            .await;
        assert_eq!(child.try_wait().unwrap(), None);
    }
    splitting.rollback().await.unwrap();
    let status = child.wait().unwrap();
    let mut rest = String::new();
    output.read_to_string(&mut rest).unwrap();
    assert!(status.success(), "{rest}");
    assert_eq!(lookback.number("SELECT count(*) FROM logs").await, 53);
    assert_eq!(
        lookback.number("SELECT count(DISTINCT id) FROM logs").await,
        53
    );
}

/// A search reads the summaries of sealed records only, so they must know an imported one.
#[tokio::test]
async fn record_among_sealed_ones_is_found() {
    let lookback = Lookback::new().await;
    lookback
        .execute(
            "INSERT INTO logs (source, level, message, created_at) \
             SELECT 'API', 'info', 'line ' || n, '2026-01-01T00:00:00Z'::timestamptz + n * interval '1 second' \
             FROM generate_series(1, 40000) AS n",
        )
        .await;
    lookback
        .run(&["logs", "delete", "--hard", "77"])
        .succeeded();
    lookback.run(&["storage", "seal", "logs"]).succeeded();
    lookback.write(
        "one.jsonl",
        "{\"id\": 77, \"source\": \"DB\", \"level\": \"error\", \"message\": \"payment gateway unreachable xq99\", \
          \"created_at\": \"2025-06-01T00:00:00Z\"}\n",
    );
    lookback
        .run(&["import", "one.jsonl", "--keep-ids"])
        .succeeded();
    for call in [
        ["logs", "search", "payment gateway unreachable", "--json"].as_slice(),
        &["logs", "search", "\"gateway unreachable\"", "--json"],
        &["logs", "search", "xq99", "--json"],
        &[
            "logs",
            "search",
            "unreachable",
            "created_at__lt=2025-07-01T00:00:00Z",
            "--json",
        ],
    ] {
        let ran = lookback.run(call).succeeded();
        assert_eq!(ran.json()["data"][0]["id"], 77, "{ran:#?}");
    }
    let counted =
        "SELECT sum(rows) FROM sealed_segments WHERE target = 'logs' AND first_id < 16384";
    assert_eq!(lookback.number(counted).await, 16_383);
}

#[tokio::test]
async fn invalid_rows_of_csv_have_the_line_of_the_file() {
    let lookback = Lookback::new().await;
    lookback.write(
        "logs.csv",
        "source,level,message,meta\r\n\
         API,info,\"two\r\nlines\",\r\n\
         API,loud,three,\r\n\
         API,info\r\n\
         API,info,four,{\r\n\
         API,info,five,\"{\"\"a\"\": 1}\"\r\n\
         API,info,\"six\r\n",
    );
    transcript!(lookback.run(&["import", "logs.csv", "--on-error", "skip", "--rejects", "bad.jsonl"]), @"
$ lookback import logs.csv --on-error skip --rejects bad.jsonl
! warning: line 4: level: `loud` is not one of debug, info, warn, error
! warning: line 5: must have one value for each column of the first line, and an end for each quote
! warning: line 6: meta: is not JSON: EOF while parsing an object at line 1 column 1
! warning: line 8: must have one value for each column of the first line, and an end for each quote
! logs.csv: 2 records into logs in [time] ([rate] records/s); 4 lines rejected, written to bad.jsonl
");
    let rejected = String::from_utf8(lookback.read("bad.jsonl")).unwrap();
    insta::assert_snapshot!(rejected, @r#"
{"source":"API","level":"loud","message":"three","meta":null}
["API","info"]
{"source":"API","level":"info","message":"four","meta":"{"}
["API","info","six\r\n"]
"#);
    transcript!(lookback.run(&["import", "logs.csv"]), @"
$ lookback import logs.csv
! logs.csv is already imported: 2 records, 4 lines rejected; to import it again: --restart
");
}
