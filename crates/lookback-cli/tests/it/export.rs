//! `lookback logs|requests|metrics export`

use std::fs::File;
use std::io::Read as _;
use std::process::Stdio;
use std::time::{Duration, Instant};

use lookback::value::{Bytes, ErrorRate};
use lookback::{Level, Log, Metric, NewLog, NewMetric};
use parquet::basic::{LogicalType, Repetition, Type};
use parquet::file::reader::{FileReader as _, SerializedFileReader};
use parquet::record::Field;
use serde_json::{Value, json};

use crate::support::{self, Lookback, transcript};

const HOSTILE: &str = "=HYPERLINK(\"http://x.example\"),\r\n\"quoted\", ünï\u{1f600}";

async fn three_logs() -> Lookback {
    let lookback = Lookback::new().await;
    let log = |level, message: &str, minute: u32| {
        let time = format!("2026-01-01T09:{minute:02}:00.000123Z");
        NewLog::new("API", level, message)
            .created_at(time.parse::<chrono::DateTime<chrono::Utc>>().unwrap())
    };
    let logs = [
        log(Level::Info, "GET /orders answered 200", 1).trace_id("abc"),
        log(Level::Error, HOSTILE, 2)
            .meta(json!({"big": 123_456_789_012_345_678_u64, "b": [1, null]})),
        log(Level::Warn, "-1 is below zero", 3),
    ];
    let pool = &lookback.db.as_ref().unwrap().pool;
    Log::records().create_many(pool, &logs).await.unwrap();
    lookback
}

#[tokio::test]
async fn json_lines_have_all_fields_in_order_and_can_be_imported() {
    let lookback = three_logs().await;
    let ran = lookback.run(&["logs", "export"]).succeeded();
    assert_eq!(ran.err, "3 logs\n");
    let lines: Vec<&str> = ran.out.lines().collect();
    assert!(lines[0].starts_with(r#"{"id":1,"source":"API","level":"info","message":"GET"#));
    let second: Value = serde_json::from_str(lines[1]).unwrap();
    assert_eq!(second["message"], HOSTILE);
    assert_eq!(second["meta"]["big"], 123_456_789_012_345_678_u64);
    assert_eq!(second["created_at"], "2026-01-01T09:02:00.000123Z");
    assert!(second.get("embedding").is_none() && second.get("deleted_at").is_none());

    transcript!(lookback.run(&["logs", "export", "level__in=info,warn", "--order-by", "-id", "--fields", "message,id", "--limit", "1"]), @r#"
    $ lookback logs export level__in=info,warn --order-by -id --fields message,id --limit 1
    {"message":"-1 is below zero","id":3}
    ! 1 log
    "#);

    lookback.run(&["logs", "delete", "1"]).succeeded();
    lookback
        .execute("UPDATE logs SET deleted_at = '2026-02-01T12:00:00Z' WHERE id = 1")
        .await;
    transcript!(lookback.run(&["logs", "export", "--deleted", "only", "--fields", "id,deleted_at", "--format", "csv"]), @"
    $ lookback logs export --deleted only --fields id,deleted_at --format csv
    id,deleted_at
    1,2026-02-01T12:00:00Z
    ! 1 log
    ");
    lookback.run(&["logs", "restore", "1"]).succeeded();

    let fields = "source,level,message,meta,trace_id,created_at";
    lookback
        .run(&["logs", "export", "--out", "all.jsonl", "--fields", fields])
        .succeeded();
    lookback.run(&["import", "all.jsonl"]).succeeded();
    let same = lookback
        .number(
            "SELECT count(*) FROM logs a JOIN logs b ON b.id = a.id + 3 \
             AND (a.source, a.level, a.message, a.created_at) = (b.source, b.level, b.message, b.created_at) \
             AND a.meta IS NOT DISTINCT FROM b.meta AND a.trace_id IS NOT DISTINCT FROM b.trace_id",
        )
        .await;
    assert_eq!(same, 3);
}

#[tokio::test]
async fn csv_round_trips() {
    let lookback = three_logs().await;
    let fields = ["--fields", "id,message,meta,trace_id"];
    let out = ["logs", "export", "--out", "logs.csv"];
    transcript!(lookback.run(&[&out[..], &fields[..]].concat()), @"
    $ lookback logs export --out logs.csv --fields id,message,meta,trace_id
    ! 3 logs written to logs.csv
    ");
    let bytes = lookback.read("logs.csv");
    let read = |bytes: &[u8]| -> Vec<Vec<String>> {
        let mut reader = csv::Reader::from_reader(bytes);
        let records = reader.records().map(Result::unwrap);
        records
            .map(|record| record.iter().map(str::to_owned).collect())
            .collect()
    };
    assert!(bytes.starts_with(b"id,message,meta,trace_id\r\n1,GET /orders answered 200,,abc\r\n"));
    let rows = read(&bytes);
    assert_eq!(rows[1][1], HOSTILE);
    let meta: Value = serde_json::from_str(&rows[1][2]).unwrap();
    assert_eq!(meta["b"], json!([1, null]));
    assert_eq!(rows[2][1], "-1 is below zero");

    let call = ["logs", "export", "--format", "csv", "--for-spreadsheets"];
    let ran = lookback.run(&[&call[..], &fields[..]].concat()).succeeded();
    let rows = read(ran.out.as_bytes());
    assert_eq!(rows[1][1], format!("'{HOSTILE}"));
    assert_eq!(rows[2][1], "'-1 is below zero");
    assert_eq!(rows[0][1], "GET /orders answered 200");

    // Without records there is still the header.
    let ran = lookback.run(&["logs", "export", "--format", "csv", "id=99"]);
    assert_eq!(
        ran.succeeded().out,
        "id,source,level,message,meta,trace_id,created_at,updated_at\r\n"
    );
}

#[tokio::test]
async fn parquet_has_the_types_of_the_columns() {
    let lookback = three_logs().await;
    lookback
        .run(&["logs", "export", "--out", "logs.parquet"])
        .succeeded();
    let path = lookback.folder().join("logs.parquet");
    let file = SerializedFileReader::new(File::open(path).unwrap()).unwrap();
    let schema = file.metadata().file_metadata().schema_descr();
    let types: Vec<_> = schema
        .columns()
        .iter()
        .map(|column| {
            let info = column.self_type().get_basic_info();
            (
                column.name().to_owned(),
                column.physical_type(),
                info.repetition() == Repetition::OPTIONAL,
            )
        })
        .collect();
    let of = |name: &str, ty, nullable| (name.to_owned(), ty, nullable);
    assert_eq!(
        types,
        [
            of("id", Type::INT64, false),
            of("source", Type::BYTE_ARRAY, false),
            of("level", Type::BYTE_ARRAY, false),
            of("message", Type::BYTE_ARRAY, false),
            of("meta", Type::BYTE_ARRAY, true),
            of("trace_id", Type::BYTE_ARRAY, true),
            of("created_at", Type::INT64, false),
            of("updated_at", Type::INT64, false),
        ]
    );
    assert_eq!(
        schema.column(4).logical_type_ref(),
        Some(&LogicalType::Json)
    );
    let rows: Vec<_> = file
        .get_row_iter(None)
        .unwrap()
        .map(Result::unwrap)
        .collect();
    let field = |row: usize, name: &str| -> Field {
        let mut columns = rows[row].get_column_iter();
        columns
            .find(|(column, _)| *column == name)
            .unwrap()
            .1
            .clone()
    };
    assert_eq!(rows.len(), 3);
    assert_eq!(field(1, "id"), Field::Long(2));
    assert_eq!(field(1, "message"), Field::Str(HOSTILE.to_owned()));
    // 2026-01-01T09:02:00.000123Z
    assert_eq!(
        field(1, "created_at"),
        Field::TimestampMicros(1_767_258_120_000_123)
    );
    assert_eq!(field(0, "meta"), Field::Null);
    assert_eq!(field(0, "trace_id"), Field::Str("abc".to_owned()));
    assert_eq!(field(1, "trace_id"), Field::Null);
    let Field::Str(meta) = field(1, "meta") else {
        panic!("{:?}", field(1, "meta"));
    };
    let meta: Value = serde_json::from_str(&meta).unwrap();
    assert_eq!(meta["b"], json!([1, null]));
}

#[tokio::test]
async fn exported_windows_keep_fractions_and_bytes() {
    let lookback = Lookback::new().await;
    let start = "2026-01-01T09:01:00Z"
        .parse::<chrono::DateTime<chrono::Utc>>()
        .unwrap();
    let window = NewMetric::new(
        start,
        start + chrono::TimeDelta::seconds(60),
        "GET /orders",
        5,
        9,
        12,
        ErrorRate::new(0.25).unwrap(),
        4,
    )
    .latency_sketch(Bytes(vec![0, 1, 255]));
    let pool = &lookback.db.as_ref().unwrap().pool;
    Metric::records().create(pool, window).await.unwrap();
    let fields = "error_rate,latency_sketch,p95_latency,request_size";
    lookback
        .run(&[
            "metrics",
            "export",
            "--out",
            "m.parquet",
            "--fields",
            fields,
        ])
        .succeeded();
    let path = lookback.folder().join("m.parquet");
    let file = SerializedFileReader::new(File::open(path).unwrap()).unwrap();
    let row = file.get_row_iter(None).unwrap().next().unwrap().unwrap();
    let fields: Vec<Field> = row
        .get_column_iter()
        .map(|(_, field)| field.clone())
        .collect();
    assert_eq!(
        fields,
        [
            Field::Double(0.25),
            Field::Bytes(vec![0, 1, 255].into()),
            Field::Int(9),
            Field::Null,
        ]
    );
}

#[tokio::test]
async fn export_file_appears_only_when_complete() {
    let lookback = three_logs().await;
    let files = || {
        let entries = std::fs::read_dir(lookback.folder()).unwrap();
        let mut names: Vec<String> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    };
    lookback.write("there.csv", "mine");
    transcript!(lookback.run(&["logs", "export", "--out", "there.csv"]), @"
    $ lookback logs export --out there.csv
    ! error: --out: there.csv already exists
    ! hint: give another name, or --overwrite
    [exit code 2]
    ");
    transcript!(lookback.run(&["logs", "export", "--out", "none/logs.csv"]), @"
    $ lookback logs export --out none/logs.csv
    ! error: --out: cannot write none/logs.csv: there is no folder none
    [exit code 2]
    ");
    transcript!(lookback.run(&["logs", "export", "--out", "logs.xlsx"]), @"
    $ lookback logs export --out logs.xlsx
    ! error: --out: cannot tell the format from the extension .xlsx
    ! hint: give --format jsonl, csv, parquet, har or curl
    [exit code 2]
    ");
    transcript!(lookback.run(&["logs", "export", "--fields", "embedding"]), @"
    $ lookback logs export --fields embedding
    ! error: embedding: is not a field of logs, which has id, source, level, message, meta, trace_id, created_at, updated_at, deleted_at
    [exit code 2]
    ");
    assert_eq!(lookback.read("there.csv"), b"mine");
    lookback
        .run(&["logs", "export", "--out", "there.csv", "--overwrite"])
        .succeeded();
    assert!(lookback.read("there.csv").starts_with(b"id,source"));

    // Interrupted while it waits for a lock on the table.
    let _lock = lookback.lock_logs().await;
    for signal in [nix::sys::signal::SIGINT, nix::sys::signal::SIGTERM] {
        let child = lookback
            .command(&["logs", "export", "--out", "late.parquet"])
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' \
                       AND datname = current_database() AND application_name = 'lookback'";
        lookback.wait_for(waiting, 1).await;
        assert_eq!(files().len(), 2, "{:?}", files());
        support::signal(&child, signal);
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(130));
        assert_eq!(
            String::from_utf8(output.stderr).unwrap(),
            "error: interrupted; late.parquet was not written\n"
        );
        assert_eq!(files(), ["there.csv"]);
        // The server ends the session when it next checks its client.
        lookback
            .execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                 WHERE datname = current_database() AND application_name = 'lookback'",
            )
            .await;
        lookback.wait_for_none(waiting).await;
    }
}

#[tokio::test]
async fn export_memory_does_not_grow_with_record_count() {
    let lookback = Lookback::new().await;
    // 300 incompressible bytes in each message.
    lookback
        .execute(
            "INSERT INTO logs (source, level, message) SELECT 'API', 'info', \
             (SELECT string_agg(md5(n::text || part::text), '') FROM generate_series(1, 9) AS part) \
             FROM generate_series(1, 200000) AS n",
        )
        .await;
    for format in ["jsonl", "csv", "parquet"] {
        let few = peak_memory(&lookback, format, 60_000);
        let many = peak_memory(&lookback, format, 200_000);
        assert!(
            many < few + 12 * 1024,
            "{format}: {few} KiB for 60,000 records and {many} KiB for 200,000"
        );
    }
}

/// The peak memory of an export, in KiB, when nine tenths of it are written.
fn peak_memory(lookback: &Lookback, format: &str, limit: u32) -> u64 {
    let limit = limit.to_string();
    let call = ["logs", "export", "--format", format, "--limit", &limit];
    let all = [&call[..], &["--out", "whole", "--overwrite"]].concat();
    lookback.run(&all).succeeded();
    let length = std::fs::metadata(lookback.folder().join("whole"))
        .unwrap()
        .len();
    let mut child = lookback
        .command(&call)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut out = child.stdout.take().unwrap();
    let mut most = (&mut out).take(length * 9 / 10);
    std::io::copy(&mut most, &mut std::io::sink()).unwrap();
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
    let peak = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .and_then(|line| line.trim().strip_suffix(" kB"))
        .unwrap();
    let rest = std::io::copy(&mut out, &mut std::io::sink()).unwrap();
    assert!(rest > 0);
    assert_eq!(child.wait().unwrap().code(), Some(0));
    peak.parse().unwrap()
}

#[tokio::test]
async fn export_to_closed_pipe_succeeds() {
    let lookback = Lookback::new().await;
    lookback
        .execute(
            "INSERT INTO logs (source, level, message) \
             SELECT 'API', 'info', repeat('x', 200) FROM generate_series(1, 20000)",
        )
        .await;
    let mut child = lookback
        .command(&["logs", "export"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut first = [0; 10];
    child.stdout.take().unwrap().read_exact(&mut first).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "");
}

fn files_of(lookback: &Lookback) -> Vec<String> {
    let entries = std::fs::read_dir(lookback.folder()).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.collect();
    names.sort();
    names
}

#[cfg(unix)]
#[tokio::test]
async fn next_export_removes_the_file_of_a_killed_one_and_not_of_a_running_one() {
    let lookback = three_logs().await;
    let lock = lookback.lock_logs().await;
    let call = ["logs", "export", "--out", "all.jsonl", "--overwrite"];
    let start = || {
        let mut command = lookback.command(&call);
        command.stderr(Stdio::null()).spawn().unwrap()
    };
    let unfinished = || {
        let names = files_of(&lookback);
        let is_one = |name: &&String| name.starts_with(".lookback-export-all.jsonl-");
        names.iter().filter(is_one).count()
    };
    let (mut killed, mut running) = (start(), start());
    let deadline = Instant::now() + support::DEADLINE;
    while unfinished() < 2 {
        assert!(Instant::now() < deadline, "{:?}", files_of(&lookback));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    // While both are alive, an export of another table keeps their files.
    let other = ["metrics", "export", "--out", "all.jsonl", "--overwrite"];
    lookback.run(&other).succeeded();
    assert_eq!(unfinished(), 2, "{:?}", files_of(&lookback));
    killed.kill().unwrap();
    killed.wait().unwrap();
    assert_eq!(unfinished(), 2);
    // A foreign file with a similar name, and one of another target.
    lookback.write(".lookback-export-all.jsonl-notes", "mine");
    lookback.write(".lookback-export-other.jsonl-abcdef", "another's");
    lookback.run(&other).succeeded();
    let names = files_of(&lookback);
    assert_eq!(names.len(), 4, "{names:?}");
    assert_eq!(
        unfinished(),
        2,
        "the file of the running export, and the notes: {names:?}"
    );
    lock.rollback().await.unwrap();
    assert!(running.wait().unwrap().success());
    assert_eq!(
        files_of(&lookback),
        [
            ".lookback-export-all.jsonl-notes",
            ".lookback-export-other.jsonl-abcdef",
            "all.jsonl",
        ]
    );
    assert!(lookback.read("all.jsonl").starts_with(b"{\"id\":1,"));
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn full_disk_is_an_error_that_names_the_file() {
    use std::os::unix::fs::FileTypeExt as _;
    let lookback = three_logs().await;
    transcript!(lookback.run(&["logs", "export", "--out", "/dev/full", "--format", "csv"]), @"
$ lookback logs export --out /dev/full --format csv
! error: cannot write /dev/full: No space left on device (os error 28)
! hint: free some space there, or write to another disk
[exit code 1]
");
    // A device is written to, never replaced.
    let device = std::fs::metadata("/dev/full").unwrap();
    assert!(device.file_type().is_char_device());
    let full = File::options().write(true).open("/dev/full").unwrap();
    let output = lookback
        .command(&["logs", "export"])
        .stdout(full)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(
        String::from_utf8(output.stderr).unwrap(),
        "error: cannot write standard output: No space left on device (os error 28)\n\
         hint: free some space there, or write to another disk\n"
    );
}
