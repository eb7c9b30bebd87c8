//! `lookback import`

use lookback::{Log, RequestSnapshot};
use serde_json::{Value, json};

use crate::support::{Lookback, transcript};

const LOGS: &str = include_str!("../../../../examples/sample/logs.jsonl");
const REQUESTS: &str = include_str!("../../../../examples/sample/requests.jsonl");

/// Each stored record equals its line, field by field.
#[tokio::test]
async fn imported_sample_equals_its_lines() {
    let lookback = Lookback::new().await;
    lookback.write("logs.jsonl", LOGS);
    lookback.write("requests.jsonl", REQUESTS);
    lookback
        .run(&["import", "logs.jsonl", "--batch", "64"])
        .succeeded();
    lookback.run(&["import", "requests.jsonl"]).succeeded();
    let pool = &lookback.db.as_ref().unwrap().pool;

    let logs = Log::records()
        .order_by(Log::id().asc())
        .limit(1_000)
        .list(pool)
        .await
        .unwrap();
    compare(
        LOGS,
        logs.data
            .iter()
            .map(|log| serde_json::to_value(log).unwrap()),
    );
    let requests = RequestSnapshot::records()
        .order_by(RequestSnapshot::id().asc())
        .limit(1_000);
    let requests = requests.list(pool).await.unwrap();
    compare(
        REQUESTS,
        requests
            .data
            .iter()
            .map(|request| serde_json::to_value(request).unwrap()),
    );
}

fn compare(lines: &str, records: impl ExactSizeIterator<Item = Value>) {
    assert_eq!(records.len(), lines.lines().count());
    for (line, record) in lines.lines().zip(records) {
        let line: Value = serde_json::from_str(line).unwrap();
        for (field, value) in line.as_object().unwrap() {
            if field == "created_at" || field == "timestamp" {
                let time = |value: &Value| -> chrono::DateTime<chrono::Utc> {
                    value.as_str().unwrap().parse().unwrap()
                };
                assert_eq!(time(&record[field]), time(value), "{line}");
            } else {
                assert_eq!(&record[field], value, "{field} of {line}");
            }
        }
    }
}

#[tokio::test]
async fn import_prints_a_summary() {
    let lookback = Lookback::new().await;
    lookback.write("logs.jsonl", LOGS);
    transcript!(lookback.run(&["import", "logs.jsonl"]), @"
$ lookback import logs.jsonl
! logs.jsonl: 500 records into logs in [time] ([rate] records/s)
");
    transcript!(lookback.run(&["import", "logs.jsonl"]), @"
$ lookback import logs.jsonl
! logs.jsonl is already imported: 500 records, 0 lines rejected; to import it again: --restart
");
    transcript!(lookback.run(&["import", "logs.jsonl", "--json"]), @r#"
$ lookback import logs.jsonl --json
{"data":{"finished":true,"lines":500,"rejected":0,"rejected_in_all":0,"stored":0,"stored_in_all":500}}
! logs.jsonl is already imported: 500 records, 0 lines rejected; to import it again: --restart
"#);
    transcript!(lookback.run(&["import", "logs.jsonl", "--restart", "--json"]), @r#"
$ lookback import logs.jsonl --restart --json
{"data":{"finished":true,"lines":500,"rejected":0,"rejected_in_all":0,"stored":500,"stored_in_all":500}}
! logs.jsonl: 500 records into logs in [time] ([rate] records/s)
"#);
    assert_eq!(lookback.number("SELECT count(*) FROM logs").await, 1_000);
    let other = lookback
        .run(&["import", "logs.jsonl", "--kind", "requests"])
        .failed(2);
    assert!(
        other
            .err
            .contains("--kind: the earlier import of logs.jsonl was of logs"),
        "{other:?}"
    );
    transcript!(lookback.run(&["import", "none.jsonl"]), @"
$ lookback import none.jsonl
! error: none.jsonl: cannot be read: No such file or directory (os error 2)
[exit code 1]
");
    transcript!(lookback.run(&["import", "."]), @"
$ lookback import .
! error: .: is a folder, not a file
[exit code 1]
");
    lookback.write("empty.jsonl", "");
    transcript!(lookback.run(&["import", "empty.jsonl"]), @"
$ lookback import empty.jsonl
! empty.jsonl: 0 records into logs in [time] ([rate] records/s)
");
}

#[tokio::test]
async fn import_detects_kind_or_requires_it() {
    let lookback = Lookback::new().await;
    let first = REQUESTS.lines().next().unwrap();
    lookback
        .run_with(&["import", "-"], first.as_bytes())
        .succeeded();
    assert_eq!(
        lookback
            .number("SELECT count(*) FROM request_snapshots")
            .await,
        1
    );
    transcript!(lookback.run_with(&["import", "-"], b"{\"text\": \"hello\"}\n"), @"
$ lookback import -
! error: standard input: cannot detect the kind of the records (line 1 has the fields text)
! hint: logs have a message, requests a method and a path; choose one: --kind logs or --kind requests
[exit code 1]
");
    transcript!(lookback.run_with(&["import", "-"], b"hello\n"), @"
$ lookback import -
! error: standard input: cannot detect the kind of the records (line 1: is not JSON: expected value at column 1)
! hint: logs have a message, requests a method and a path; choose one: --kind logs or --kind requests
[exit code 1]
");
    transcript!(lookback.run_with(&["import", "-", "--kind", "requests"], b"{\"message\": \"m\"}\n"), @"
$ lookback import - --kind requests
! error: standard input, line 1: method: is required; path: is required; timestamp: is required; version: is required; stage: is required; message: is not a field of request_snapshots, which has method, path, query, body, headers, user_id, timestamp, version, stage, status_code, response_body, response_headers, duration, geo_country, geo_region, geo_city, geo_lat, geo_lon, geo_source, trace_id, created_at
! hint: nothing is stored; to continue: the same command, after correcting the line or with --on-error skip
[exit code 1]
");
    transcript!(lookback.run_with(&["import", "-", "--resume"], b""), @"
$ lookback import - --resume
! error: --resume of standard input requires --name, which identifies the earlier import
[exit code 2]
");
}

#[tokio::test]
async fn named_standard_input_can_be_resumed() {
    let lookback = Lookback::new().await;
    let half: String = LOGS
        .lines()
        .take(200)
        .map(|line| format!("{line}\n"))
        .collect();
    let call = ["import", "-", "--name", "shop", "--batch", "50"];
    lookback.run_with(&call, half.as_bytes()).succeeded();
    transcript!(lookback.run_with(&call, LOGS.as_bytes()), @"
$ lookback import - --name shop --batch 50
! error: standard input has grown since it was imported: its first 200 lines are stored (200 records)
! hint: to import the new lines: --resume; to import all of it again: --restart
[exit code 1]
");
    transcript!(lookback.run_with(&["import", "-", "--name", "shop", "--resume"], LOGS.as_bytes()), @"
$ lookback import - --name shop --resume
! resuming after line 200: 200 records are stored
! standard input: 300 records into logs in [time] ([rate] records/s)
");
    transcript!(lookback.run_with(&call, b"{\"other\": 1}\n"), @"
$ lookback import - --name shop --batch 50
! error: the start of standard input differs from what an earlier import named shop read
! hint: to import all of it: --restart
[exit code 1]
");
    assert_eq!(lookback.number("SELECT count(*) FROM logs").await, 500);
    assert_eq!(
        lookback
            .number("SELECT count(DISTINCT created_at) FROM logs")
            .await,
        500
    );
}

#[tokio::test]
async fn grown_or_changed_file_is_detected() {
    let lookback = Lookback::new().await;
    let lines: Vec<&str> = LOGS.lines().collect();
    lookback.write("app.jsonl", lines[..100].join("\n") + "\n");
    lookback.run(&["import", "app.jsonl"]).succeeded();
    lookback.write("app.jsonl", lines[..150].join("\n"));
    transcript!(lookback.run(&["import", "app.jsonl"]), @"
$ lookback import app.jsonl
! error: app.jsonl has grown since it was imported: its first 100 lines are stored (100 records)
! hint: to import the new lines: --resume; to import all of it again: --restart
[exit code 1]
");
    lookback
        .run(&["import", "app.jsonl", "--resume"])
        .succeeded();
    assert_eq!(lookback.number("SELECT count(*) FROM logs").await, 150);

    // The last line had no line end: with an addition it is another line.
    lookback.write("app.jsonl", lines[..150].join("\n") + "\n" + lines[150]);
    lookback
        .run(&["import", "app.jsonl", "--resume"])
        .succeeded();
    assert_eq!(lookback.number("SELECT count(*) FROM logs").await, 151);

    lookback.write("app.jsonl", lines[200..210].join("\n"));
    transcript!(lookback.run(&["import", "app.jsonl", "--resume"]), @"
$ lookback import app.jsonl --resume
! error: the start of app.jsonl differs from what an earlier import read
! hint: the file was changed or replaced; to import all of it: --restart
[exit code 1]
");
    transcript!(lookback.run(&["import", "app.jsonl"]), @"
$ lookback import app.jsonl
! app.jsonl differs from the content imported under this name before: importing all of it
! app.jsonl: 10 records into logs in [time] ([rate] records/s)
");
    assert_eq!(lookback.number("SELECT count(*) FROM logs").await, 161);
}

#[tokio::test]
async fn windows_line_ends_byte_order_mark_and_empty_lines_are_accepted() {
    let lookback = Lookback::new().await;
    let line = |n: u32| json!({"source": "s", "level": "info", "message": format!("line {n}")});
    let text = format!("\u{feff}{}\r\n\r\n   \n{}\n\n{}", line(1), line(2), line(3));
    lookback.write("logs.jsonl", text);
    transcript!(lookback.run(&["import", "logs.jsonl", "--json"]), @r#"
$ lookback import logs.jsonl --json
{"data":{"finished":true,"lines":6,"rejected":0,"rejected_in_all":0,"stored":3,"stored_in_all":3}}
! logs.jsonl: 3 records into logs in [time] ([rate] records/s)
"#);
    assert_eq!(
        lookback
            .number("SELECT count(*) FROM logs WHERE message LIKE 'line _'")
            .await,
        3
    );
}

#[tokio::test]
async fn import_without_tables_hints_at_migrations() {
    let lookback = Lookback::with(Some(testkit::empty_database().await));
    lookback.write("logs.jsonl", LOGS);
    transcript!(lookback.run(&["import", "logs.jsonl"]), @"
$ lookback import logs.jsonl
! error: the database has no table settings
! hint: apply the migrations: lookback db migrate
[exit code 1]
");
}
