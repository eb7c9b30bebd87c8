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
    std::fs::create_dir(lookback.folder().join("nothing")).unwrap();
    transcript!(lookback.run(&["import", "nothing"]), @"
$ lookback import nothing
! error: nothing: has no files
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
    transcript!(lookback.run_with(&["import", "-", "--kind", "logs"], b"hello\n"), @"
$ lookback import - --kind logs
! error: standard input, line 1: is not JSON: expected value at column 1
! hint: nothing is stored; this seems to be plain text, which import reads without --kind and --format
[exit code 1]
");
    transcript!(lookback.run_with(&["import", "-"], b"a\0\x01b\n"), @"
$ lookback import -
! error: standard input: is no text: its first line has a byte 0
! hint: import reads text: logs, requests, JSON, CSV; Parquet; OpenTelemetry and Loki in protobuf
[exit code 1]
");
    transcript!(lookback.run_with(&["import", "-", "--kind", "requests"], b"{\"message\": \"m\"}\n"), @"
$ lookback import - --kind requests
! error: standard input, line 1: method: is required; path: is required; timestamp: is required; version: is required; stage: is required; message: is not a field of request_snapshots, which has method, path, query, body, headers, user_id, timestamp, version, stage, status_code, response_body, response_headers, duration, geo_country, geo_region, geo_city, geo_lat, geo_lon, geo_source, trace_id, created_at
! hint: nothing is stored; what was read and is not stored is in [folder]/.local/state/lookback/stream-[time].log; to store it: lookback import '[folder]/.local/state/lookback/stream-[time].log', after correcting the line or with --on-error skip
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
! error: standard input has grown since it was imported: it is stored up to line 200 (200 records)
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
! error: app.jsonl has grown since it was imported: it is stored up to line 100 (100 records)
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
! error: the database has no table imports
! hint: apply the migrations: lookback db migrate
[exit code 1]
");
}

const LOG: &str = r#"{"source": "API", "level": "info", "message": "m"}"#;

#[tokio::test]
async fn import_whose_lines_are_all_rejected_fails_and_is_not_remembered() {
    let lookback = Lookback::new().await;
    let requests: String = REQUESTS
        .lines()
        .take(7)
        .map(|line| format!("{line}\n"))
        .collect();
    lookback.write("all.jsonl", format!("\n{requests}"));
    let wrong = [
        "import",
        "all.jsonl",
        "--kind",
        "logs",
        "--on-error",
        "skip",
        "--batch",
        "3",
        "--quiet",
    ];
    let ran = lookback.run(&wrong).failed(1);
    assert!(
        ran.err.contains(
            "error: all.jsonl: nothing was imported; 7 lines rejected\n\
             hint: are these records of another kind than logs? give it by --kind; or correct the \
             lines, and import them again\n"
        ),
        "{ran:#?}"
    );
    assert_eq!(lookback.number("SELECT count(*) FROM imports").await, 0);
    let json = lookback
        .run(&[&wrong[..], &["--json"]].concat())
        .failed(1)
        .json();
    assert_eq!(
        json["data"],
        json!({"stored": 0, "rejected": 7, "stored_in_all": 0, "rejected_in_all": 7, "lines": 0, "finished": false})
    );
    // Neither that attempt nor one that stopped at its first record blocks the right one.
    lookback
        .run(&["import", "all.jsonl", "--kind", "logs"])
        .failed(1);
    assert_eq!(lookback.number("SELECT count(*) FROM imports").await, 0);
    lookback
        .run(&["import", "all.jsonl", "--kind", "requests"])
        .succeeded();
    assert_eq!(
        lookback
            .number("SELECT count(*) FROM request_snapshots")
            .await,
        7
    );

    // Nor does a row that an earlier version left.
    lookback.write("old.jsonl", format!("{LOG}\n"));
    let path = lookback.folder().canonicalize().unwrap().join("old.jsonl");
    lookback
        .execute(&format!(
            "INSERT INTO imports (name, target, position, lines, stored, rejected, prefix_sha256, finished_at) \
             VALUES ('{}', 'request_snapshots', 51, 1, 0, 1, '{}', now())",
            path.display(),
            "0".repeat(64)
        ))
        .await;
    lookback
        .run(&["import", "old.jsonl", "--kind", "logs"])
        .succeeded();
    // Lines that are rejected before the first record are counted with the others.
    lookback.write("late.jsonl", format!("x\ny\nz\n{LOG}\n"));
    let late = [
        "import",
        "late.jsonl",
        "--kind",
        "logs",
        "--on-error",
        "skip",
        "--batch",
        "1",
        "--json",
    ];
    let json = lookback.run(&late).succeeded().json();
    assert_eq!(
        (
            &json["data"]["rejected_in_all"],
            &json["data"]["stored_in_all"]
        ),
        (&json!(3), &json!(1))
    );
    // An empty file has nothing to reject.
    lookback.write("empty.jsonl", "");
    lookback.run(&["import", "empty.jsonl"]).succeeded();
}

#[tokio::test]
async fn import_with_sequence_behind_its_table_stops_and_loses_nothing() {
    let lookback = Lookback::new().await;
    lookback
        .execute(
            "INSERT INTO logs (id, source, level, message) OVERRIDING SYSTEM VALUE \
             SELECT n, 'copied', 'info', 'by hand' FROM generate_series(3, 6) AS n",
        )
        .await;
    let lines: String = (0..6)
        .map(|n| format!("{{\"source\": \"API\", \"level\": \"info\", \"message\": \"m{n}\"}}\n"))
        .collect();
    lookback.write("logs.jsonl", lines);
    let ran = lookback
        .run(&[
            "import",
            "logs.jsonl",
            "--on-error",
            "skip",
            "--rejects",
            "bad.jsonl",
        ])
        .failed(1);
    assert_eq!(
        ran.err,
        "error: the sequence of logs.id is behind its table: it assigned an id that a record has\n\
         hint: ids were copied into logs by hand: move its sequence behind them:\n    \
         SELECT setval(pg_get_serial_sequence('\"logs\"', 'id'), max(\"id\")) FROM \"logs\"; \
         nothing is stored; to continue: the same command\n"
    );
    assert!(!lookback.folder().join("bad.jsonl").exists());
    assert_eq!(lookback.number("SELECT count(*) FROM imports").await, 0);
    lookback
        .execute(
            "SELECT setval(pg_get_serial_sequence('\"logs\"', 'id'), max(\"id\")) FROM \"logs\"",
        )
        .await;
    lookback.run(&["import", "logs.jsonl"]).succeeded();
    assert_eq!(
        lookback
            .number("SELECT count(*) FROM logs WHERE source = 'API'")
            .await,
        6
    );
}

/// As through a pooler in transaction mode, where no lock of a session holds.
#[tokio::test]
async fn concurrent_imports_of_one_file_store_each_line_once() {
    let lookback = Lookback::new().await;
    let lines: String = (0..400)
        .map(|n| format!("{{\"source\": \"API\", \"level\": \"info\", \"message\": \"m{n}\"}}\n"))
        .collect();
    lookback.write("logs.jsonl", &lines);
    let call = ["import", "logs.jsonl", "--batch", "10", "--resume"];
    let children: Vec<_> = (0..4)
        .map(|_| {
            let mut command = lookback.command(&call);
            command.stdin(std::process::Stdio::null());
            command.stdout(std::process::Stdio::piped());
            command.stderr(std::process::Stdio::piped());
            command.spawn().unwrap()
        })
        .collect();
    for child in children {
        let output = child.wait_with_output().unwrap();
        let err = String::from_utf8(output.stderr).unwrap();
        assert!(
            output.status.success() || err.contains("another process is importing logs.jsonl"),
            "{err}"
        );
    }
    lookback.run(&call).succeeded();
    assert_eq!(lookback.number("SELECT count(*) FROM logs").await, 400);
    assert_eq!(
        lookback
            .number("SELECT count(DISTINCT message) FROM logs")
            .await,
        400
    );
    assert_eq!(
        lookback
            .number("SELECT count(*) FROM imports WHERE finished_at IS NOT NULL")
            .await,
        1
    );
    // No lock is left for a connection that a pooler keeps.
    assert_eq!(
        lookback.number("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND database = (SELECT oid FROM pg_database WHERE datname = current_database())").await,
        0
    );
}

#[tokio::test]
async fn content_that_was_imported_under_another_name_is_recognised() {
    let lookback = Lookback::new().await;
    let line = |n: usize| {
        let pad = "x".repeat(500);
        format!(
            "{{\"source\": \"API\", \"level\": \"info\", \"message\": \"m{n}\", \"meta\": \"{pad}\"}}\n"
        )
    };
    let lines = |range: std::ops::Range<usize>| range.map(line).collect::<String>();
    lookback.write("app.log", lines(0..5));
    lookback.run(&["import", "app.log"]).succeeded();
    // Rotated: the old content has another name, and the name has new content.
    lookback.write("app.log.1", lines(0..5));
    lookback.write("app.log", lines(5..7));
    lookback.run(&["import", "app.log"]).succeeded();
    let folder = lookback.folder().canonicalize().unwrap();
    let ran = lookback.run(&["import", "app.log.1"]).succeeded();
    assert_eq!(
        ran.err,
        format!(
            "app.log.1 is already imported as {}: 5 records, 0 lines rejected; to import it again: --restart\n",
            folder.join("app.log").display()
        )
    );
    // The old content comes back under its old name, and through standard input.
    lookback.write("app.log", lines(0..5));
    lookback.run(&["import", "app.log"]).succeeded();
    let stdin = |arguments: &[&str], file: &str| {
        let file = std::fs::File::open(lookback.folder().join(file)).unwrap();
        let output = lookback.command(arguments).stdin(file).output().unwrap();
        (
            output.status.code(),
            String::from_utf8(output.stderr).unwrap(),
        )
    };
    let (code, err) = stdin(&["import", "-"], "app.log.1");
    assert_eq!(code, Some(0), "{err}");
    assert!(
        err.starts_with("warning: standard input has the same content as ")
            && err.contains("/app.log, which is already imported (5 records, 0 lines rejected): ")
            && err.contains("nothing of it is stored; to import it, too: --restart"),
        "{err}"
    );
    assert_eq!(lookback.number("SELECT count(*) FROM logs").await, 7);

    // A copy that has grown.
    lookback.write("copy.log", lines(0..5) + &lines(7..9));
    let ran = lookback.run(&["import", "copy.log"]).failed(1);
    assert!(
        ran.err
            .contains("copy.log up to line 5 is stored already (5 records): it was imported as ")
            && ran.err.contains("--resume"),
        "{ran:#?}"
    );
    let json = lookback
        .run(&["import", "copy.log", "--resume", "--json"])
        .succeeded()
        .json();
    assert_eq!(
        json["data"],
        json!({"stored": 2, "rejected": 0, "stored_in_all": 7, "rejected_in_all": 0, "lines": 7, "finished": true})
    );
    lookback.run(&["import", "copy.log"]).succeeded();
    assert_eq!(lookback.number("SELECT count(*) FROM logs").await, 9);
    assert_eq!(
        lookback
            .number("SELECT count(DISTINCT message) FROM logs")
            .await,
        9
    );

    // Read from standard input first, then from a file.
    lookback.write("piped.log", lines(20..23));
    let (code, err) = stdin(&["import", "-"], "piped.log");
    assert_eq!(code, Some(0), "{err}");
    let ran = lookback.run(&["import", "piped.log"]).succeeded();
    assert!(
        ran.err
            .starts_with("piped.log is already imported as standard input: 3 records"),
        "{ran:#?}"
    );
    lookback
        .run(&["import", "piped.log", "--restart"])
        .succeeded();
    assert_eq!(lookback.number("SELECT count(*) FROM logs").await, 15);
    // Other content at the start is other content.
    lookback.write("other.log", lines(21..23) + &lines(0..5));
    lookback.run(&["import", "other.log"]).succeeded();
    assert_eq!(lookback.number("SELECT count(*) FROM logs").await, 22);
}

/// Few lines are no sign that a file is another one, unless it was rotated.
#[tokio::test]
async fn files_of_a_few_equal_lines_are_each_imported() {
    let lookback = Lookback::new().await;
    lookback.write("a.log", "started\nready\n");
    lookback.write("b.log", "started\nready\n");
    lookback.write("c.log", "started\nready\nstopped\n");
    let ran = lookback
        .run(&["import", "a.log", "b.log", "c.log"])
        .succeeded();
    let folder = lookback.folder().canonicalize().unwrap();
    let same = format!(
        "b.log has the same content as {}, which is imported already; it is imported, too, ",
        folder.join("a.log").display()
    );
    assert!(ran.err.contains(&same), "{}", ran.err);
    let logs = "SELECT count(*) FROM logs";
    assert_eq!(lookback.number(logs).await, 7);
    // Each is known by its own name.
    lookback
        .run(&["import", "a.log", "b.log", "c.log"])
        .succeeded();
    assert_eq!(lookback.number(logs).await, 7);
    // Rotated: a.log has other content now.
    std::fs::rename(folder.join("a.log"), folder.join("a.log.1")).unwrap();
    lookback.write("a.log", "begun\n");
    lookback.run(&["import", "a.log.1", "a.log"]).succeeded();
    assert_eq!(lookback.number(logs).await, 8);
    // Both are there: the numbered one is another file.
    lookback.write("a.log.2", "begun\n");
    lookback.run(&["import", "a.log.2"]).succeeded();
    assert_eq!(lookback.number(logs).await, 9);
}

/// Of two equal files that are both there, the second is not stored, and a warning says so.
#[tokio::test]
async fn copy_of_an_imported_file_is_named_and_can_be_imported() {
    let lookback = Lookback::new().await;
    let line = |n: usize| format!("{{\"msg\":\"line {n}\"}}\n");
    let lines: String = (0..100).map(line).collect();
    lookback.write("a.log", &lines);
    lookback.write("b.log", &lines);
    let ran = lookback
        .run(&["--quiet", "import", "a.log", "b.log"])
        .succeeded();
    let folder = lookback.folder().canonicalize().unwrap();
    assert_eq!(
        ran.err,
        format!(
            "warning: b.log has the same content as {}, which is already imported (100 records, 0 \
             lines rejected): nothing of it is stored; to import it, too: --restart\n",
            folder.join("a.log").display()
        )
    );
    assert_eq!(lookback.number("SELECT count(*) FROM logs").await, 100);
    lookback.run(&["import", "b.log", "--restart"]).succeeded();
    assert_eq!(lookback.number("SELECT count(*) FROM logs").await, 200);
}

/// A file of several programs becomes log lines and requests, secrets masked; it is known by its
/// content, and what is added is imported by `--resume`.
#[tokio::test]
async fn lines_of_other_programs_become_logs_and_requests() {
    let lookback = Lookback::new().await;
    let lines = r#"{"level":50,"time":1765432100500,"name":"cart","msg":"checkout failed","err":{"stack":"Error: no"}}
192.0.2.9 - ann [11/Oct/2026:12:13:14 +0200] "GET /carts?page=2&token=SECRET-1 HTTP/1.1" 200 5 "-" "curl"
2026-01-02 03:04:05 ERROR no connection
Traceback (most recent call last):
  File "a.py", line 1, in f
ValueError: no
{"level":30,"msg":"request completed","req":{"method":"GET","url":"/a","headers":{"cookie":"SECRET-2"}},"res":{"statusCode":204},"responseTime":3}
"#;
    let half = lines.find("Traceback").unwrap();
    lookback.write("mixed.log", &lines[..half]);
    let first = lookback
        .run(&["import", "mixed.log", "--batch", "1"])
        .succeeded();
    assert!(
        first.err.contains("2 log lines and 1 request"),
        "{}",
        first.err
    );
    lookback.write("mixed.log", lines);
    lookback.run(&["import", "mixed.log"]).failed(1);
    lookback
        .run(&["import", "mixed.log", "--batch", "1", "--resume"])
        .succeeded();
    let again = lookback.run(&["import", "mixed.log"]).succeeded();
    assert!(again.err.contains("is already imported"), "{}", again.err);

    let count = async |sql: &str| lookback.number(sql).await;
    assert_eq!(count("SELECT count(*) FROM logs").await, 4);
    assert_eq!(count("SELECT count(*) FROM request_snapshots").await, 2);
    let secrets = "SELECT (SELECT count(*) FROM logs AS l WHERE l::text LIKE '%SECRET%') \
        + (SELECT count(*) FROM request_snapshots AS r WHERE r::text LIKE '%SECRET%')";
    assert_eq!(count(secrets).await, 0);
    let traceback = "SELECT count(*) FROM logs WHERE message LIKE 'Traceback%ValueError: no' AND source = 'mixed'";
    assert_eq!(count(traceback).await, 1);
    let request = "SELECT count(*) FROM request_snapshots WHERE path = '/carts' AND user_id = 'ann' \
        AND query->>'page' = '2' AND timestamp = '2026-10-11T10:13:14Z' AND headers->>'remote_addr' = '192.0.2.9'";
    assert_eq!(count(request).await, 1);
}

#[tokio::test]
async fn options_of_other_programs_lines_are_kept() {
    let lookback = Lookback::new().await;
    let line = "2026-01-02 03:04:05 ready\n";
    let call = ["import", "-", "--source", "shop", "--timezone", "+02:00"];
    lookback.run_with(&call, line.as_bytes()).succeeded();
    let stored =
        "SELECT count(*) FROM logs WHERE source = 'shop' AND created_at = '2026-01-02T01:04:05Z'";
    assert_eq!(lookback.number(stored).await, 1);
    let said = lookback
        .run_with(&["import", "-"], line.as_bytes())
        .succeeded();
    assert!(
        said.err
            .contains("1 record had a time without a zone, read as UTC"),
        "{}",
        said.err
    );
    transcript!(lookback.run_with(&["import", "-", "--strict"], line.as_bytes()), @"
$ lookback import - --strict
! error: standard input, line 1: is of no known format
! hint: nothing is stored; what was read and is not stored is in [folder]/.local/state/lookback/stream-[time].log; to store it: lookback import '[folder]/.local/state/lookback/stream-[time].log' --source app, after correcting the line or with --on-error skip
[exit code 1]
");
    transcript!(lookback.run(&["import", "-", "--timezone", "Mars"]), @"
$ lookback import - --timezone Mars
! error: invalid value 'Mars' for '--timezone <OFFSET>': Mars is no offset such as +02:00, -05:30 or UTC
! 
! For more information, try '--help'.
[exit code 2]
");
    let refused = b"{\"msg\":\"kept\"}\n{\"resource_logs\":[]}\n{\"msg\":\"later\"}\n";
    transcript!(lookback.run_with(&["import", "-", "--name", "otlp"], refused), @"
$ lookback import - --name otlp
! error: standard input, line 2: resource_logs: must be named resourceLogs, as the JSON of OpenTelemetry names it
! hint: line 1 is processed: 1 record stored, 0 lines rejected; to continue: the same command with --resume, after correcting the line or with --on-error skip
[exit code 1]
");
    lookback
        .run_with(
            &[
                "import",
                "-",
                "--name",
                "otlp",
                "--resume",
                "--on-error",
                "skip",
            ],
            refused,
        )
        .succeeded();
    let stored = "SELECT count(*) FROM logs WHERE message IN ('kept', 'later')";
    assert_eq!(lookback.number(stored).await, 2);
}

/// Compressed text and UTF-16 are read, in any order of layers, and known by their content.
#[tokio::test]
async fn compressed_text_and_utf16_are_imported() {
    use std::io::Write as _;

    let lookback = Lookback::new().await;
    let lines = |name: &str| -> String {
        let line = |number| format!("{{\"msg\":\"{name} äß😀 {number}\"}}\n");
        (0..5_000).map(line).collect()
    };
    let gzip = |text: &[u8]| {
        let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        out.write_all(text).unwrap();
        out.finish().unwrap()
    };
    let zstd = |text: &[u8]| {
        ruzstd::encoding::compress_to_vec(text, ruzstd::encoding::CompressionLevel::Fastest)
    };
    let utf16 = |text: &str| -> Vec<u8> {
        let units = std::iter::once(0xfeff).chain(text.encode_utf16());
        units.flat_map(u16::to_le_bytes).collect()
    };
    // Two members, as a rotated log has them.
    let members = [
        gzip(lines("gzip").as_bytes()),
        gzip(lines("second").as_bytes()),
    ]
    .concat();
    lookback.write("a.log.gz", members);
    let frames = [
        zstd(lines("zstd").as_bytes()),
        zstd(lines("frame").as_bytes()),
    ]
    .concat();
    lookback.write("b.log.zst", frames);
    let bzip2 = |text: &[u8]| {
        let mut out = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
        out.write_all(text).unwrap();
        out.finish().unwrap()
    };
    let streams = [
        bzip2(lines("bzip").as_bytes()),
        bzip2(lines("stream").as_bytes()),
    ]
    .concat();
    lookback.write("e.log.bz2", streams);
    lookback.write("f.log", "BZh9 is text\n");
    lookback.write("c.log", utf16(&lines("wide")));
    lookback.write("d.gz", gzip(&utf16(&lines("both"))));
    for (file, records) in [
        ("a.log.gz", 10_000),
        ("b.log.zst", 10_000),
        ("e.log.bz2", 10_000),
        ("f.log", 1),
        ("c.log", 5_000),
        ("d.gz", 5_000),
    ] {
        let ran = lookback.run(&["import", file, "--json"]).succeeded();
        assert_eq!(ran.json()["data"]["stored"], records, "{file}: {}", ran.err);
    }
    let exact =
        "SELECT count(DISTINCT message) FROM logs WHERE message ~ '^[a-z0-9]+ äß😀 [0-9]+$'";
    assert_eq!(lookback.number(exact).await, 40_000);
    // The same content in another file.
    lookback.write("plain.log", lines("wide"));
    let same = lookback.run(&["import", "plain.log"]).succeeded();
    assert!(
        same.err.contains("plain.log has the same content as ") && same.err.contains("/c.log,"),
        "{}",
        same.err
    );
}

/// Files and folders, each by itself: one that fails does not keep the others away.
#[tokio::test]
async fn several_files_and_folders_are_imported() {
    let lookback = Lookback::new().await;
    std::fs::create_dir_all(lookback.folder().join("logs/old")).unwrap();
    lookback.write("logs/old/a.log", "{\"msg\":\"a\"}\n");
    lookback.write("logs/b.log", "{\"msg\":\"b\"}\n");
    lookback.write("logs/.hidden", "{\"msg\":\"hidden\"}\n");
    lookback.write("c.log", "{\"msg\":\"c\"}\n");
    lookback.write("d.log", "{\"resource_logs\":[]}\n");
    lookback.run(&["import", "logs", "c.log"]).succeeded();
    let messages = "SELECT count(*) FROM logs WHERE message IN ('a', 'b', 'c')";
    assert_eq!(lookback.number(messages).await, 3);
    lookback.write("e.log", "{\"msg\":\"e\"}\n");
    let ran = lookback
        .run(&["import", "d.log", "e.log", "logs"])
        .failed(1);
    assert!(
        ran.err.contains("d.log, line 1: resource_logs"),
        "{}",
        ran.err
    );
    assert!(
        ran.err.contains("error: 1 of 4 files is not imported"),
        "{}",
        ran.err
    );
    assert_eq!(lookback.number("SELECT count(*) FROM logs").await, 4);
    transcript!(lookback.run(&["import", "c.log", "e.log", "--name", "x"]), @"
$ lookback import c.log e.log --name x
! error: --name: is of one input, not of several
[exit code 2]
");
}

/// What is no file, or cannot be read, is named, is not waited for, and keeps no file away.
#[cfg(unix)]
#[tokio::test]
async fn folder_with_pipes_links_and_closed_folders_is_imported_without_them() {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    let lookback = Lookback::new().await;
    let at = |name: &str| lookback.folder().join(name);
    std::fs::create_dir_all(at("logs/sub")).unwrap();
    std::fs::create_dir_all(at("logs/folder.log")).unwrap();
    lookback.write("logs/a b.log", "a\n");
    lookback.write("logs/sub/b\nb.log", "b\n");
    lookback.write("-c.log", "c\n");
    let made = std::process::Command::new("mkfifo")
        .arg(at("logs/pipe.log"))
        .status();
    assert!(made.unwrap().success());
    let _socket = std::os::unix::net::UnixListener::bind(at("logs/socket")).unwrap();
    symlink("loop.log", at("logs/loop.log")).unwrap();
    symlink("nothing", at("logs/dangling")).unwrap();
    symlink(".", at("logs/self")).unwrap();
    transcript!(lookback.run(&["import", "logs", "--", "-c.log"]), @"
$ lookback import logs -- -c.log
! logs: left out what is no file: logs/dangling (a link to nothing), logs/pipe.log, logs/self (a link to a folder), logs/socket
! logs/a b.log: 1 log line and 0 requests in [time] ([rate] records/s)
! error: logs/loop.log: cannot be read: Too many levels of symbolic links (os error 40)
! logs/sub/b⏎b.log: 1 log line and 0 requests in [time] ([rate] records/s)
! -c.log: 1 log line and 0 requests in [time] ([rate] records/s)
! error: 1 of 4 files is not imported; the others are
[exit code 1]
");
    let sources = "SELECT count(*) FROM logs WHERE source IN ('a b', E'b\\nb', '-c')";
    assert_eq!(lookback.number(sources).await, 3);
    // A folder that cannot be entered is not an empty one.
    transcript!(lookback.run(&["import", "logs/loop.log/*.log"]), @"
$ lookback import logs/loop.log/*.log
! error: logs/loop.log: cannot be read: Too many levels of symbolic links (os error 40)
[exit code 1]
");
    transcript!(lookback.run(&["import", "none/*.log", "./-c.log"]), @"
$ lookback import none/*.log ./-c.log
! error: none/*.log: matches no file
! ./-c.log is already imported: 1 record, 0 lines rejected; to import it again: --restart
! error: 1 of 2 files is not imported; the others are
[exit code 1]
");
    if nix::unistd::geteuid().is_root() {
        return;
    }
    std::fs::create_dir(at("closed")).unwrap();
    std::fs::set_permissions(at("closed"), std::fs::Permissions::from_mode(0o0)).unwrap();
    let ran = lookback.run(&["import", "closed/*.log"]).failed(1);
    let problem = "error: closed: cannot be read: Permission denied";
    assert!(ran.err.contains(problem), "{ran:?}");
}

/// A device that sends no line end ends the import.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn line_without_end_of_a_device_is_an_error() {
    let lookback = Lookback::new().await;
    for device in ["/dev/zero", "/dev/full"] {
        let ran = lookback.run(&["import", device]).failed(1);
        let problem = format!("{device}: has a line of more than 268,435,456 bytes");
        assert!(ran.err.contains(&problem), "{ran:?}");
    }
    assert_eq!(lookback.number("SELECT count(*) FROM imports").await, 0);
}

#[tokio::test]
async fn dry_run_prints_first_records_and_stores_none() {
    let lookback = Lookback::new().await;
    let lines = r#"{"level":40,"time":1765432100500,"name":"cart","msg":"low","n":12345678901234567890}
192.0.2.9 - - [11/Oct/2026:12:13:14 +0200] "GET /carts?page=2 HTTP/1.1" 200 5
"#;
    transcript!(lookback.run_with(&["import", "-", "--dry-run"], lines.as_bytes()), @r#"
$ lookback import - --dry-run
{"logs":{"created_at":"2025-12-11T05:48:20.500Z","level":"warn","message":"low","meta":{"n":12345678901234567890},"source":"cart"}}
{"requests":{"created_at":"2026-10-11T10:13:14Z","headers":{"body_bytes_sent":5,"protocol":"HTTP/1.1","remote_addr":"192.0.2.9"},"method":"GET","path":"/carts","query":{"page":"2"},"stage":"unknown","status_code":200,"timestamp":"2026-10-11T10:13:14Z","version":"unknown"}}
"#);
    let user = "{\"email\": \"a@example.com\"}\n";
    let ran = lookback
        .run_with(&["import", "-", "--dry-run"], user.as_bytes())
        .succeeded();
    assert!(
        ran.out.contains("a@example.com") && !ran.out.contains("hash"),
        "{}",
        ran.out
    );
    // What the import would say, and no character that controls the terminal.
    let lines = "2026-01-01 10:00:00 INFO a\u{9b}2Jb\u{202e}c\n{\"what\":\"d\"}\n";
    let call = ["import", "-", "--dry-run", "--map", "message=whta"];
    transcript!(lookback.run_with(&call, lines.as_bytes()), @r#"
$ lookback import - --dry-run --map message=whta
{"logs":{"created_at":"2026-01-01T10:00:00Z","level":"info","message":"2026-01-01 10:00:00 INFO a\u009b2Jb\u202ec","source":"app"}}
{"logs":{"level":"info","message":"what=d","meta":{"what":"d"},"source":"app"}}
! 1 record had a time without a zone, read as UTC: --timezone +02:00 reads them as of another
! warning: standard input: --map message=whta: no line has this field; the fields are what
"#);
    assert_eq!(lookback.number("SELECT count(*) FROM logs").await, 0);
    assert_eq!(lookback.number("SELECT count(*) FROM imports").await, 0);
}

/// A name that is written wrong is not passed over.
#[tokio::test]
async fn field_of_map_that_never_occurs_is_named() {
    let lookback = Lookback::new().await;
    let line = |n: usize| format!("{{\"message\":\"m{n}\",\"time\":{n},\"lvl\":\"warn\"}}\n");
    lookback.write("app.log", (0..20).map(line).collect::<String>());
    let call = ["import", "app.log", "--batch", "7"];
    let map = ["--map", "message=msg,level=lvl,trace_id=at.id"];
    transcript!(lookback.run(&[&call[..], &map].concat()), @"
$ lookback import app.log --batch 7 --map message=msg,level=lvl,trace_id=at.id
! app.log: 20 log lines and 0 requests in [time] ([rate] records/s)
! warning: app.log: --map message=msg: no line has this field; the fields are lvl, message, time
! warning: app.log: --map trace_id=at.id: no line has this field; the fields are time, lvl, message
");
    // Lines that look like own records are those of the program that the option is for.
    let own = "{\"source\":\"s\",\"level\":\"info\",\"message\":\"warn\"}\n";
    lookback.write("own.log", own);
    lookback
        .run(&["import", "own.log", "--map", "level=message"])
        .succeeded();
    let named = "SELECT count(*) FROM logs WHERE source = 's' AND level = 'warn'";
    assert_eq!(lookback.number(named).await, 1);
}

/// What is rejected is written as it came: the lines of the record, and no others.
#[tokio::test]
async fn rejected_lines_of_other_programs_are_those_of_their_record() {
    let lookback = Lookback::new().await;
    let lines = "{\"msg\":\"a\"}\nplain\n  more\n{\"msg\":\"b\"}\n{\n  \"resource_logs\": []\n}\n{\"msg\":\"c\"}\nlast\n";
    lookback.write("app.log", lines);
    let call = ["import", "app.log", "--strict"];
    transcript!(lookback.run(&call), @"
$ lookback import app.log --strict
! error: app.log, line 2: is of no known format
! hint: line 1 is processed: 1 record stored, 0 lines rejected; to continue: the same command with --resume, after correcting the line or with --on-error skip
[exit code 1]
");
    let skip = ["--resume", "--on-error", "skip", "--rejects", "bad.log"];
    let ran = lookback.run(&[&call[..], &skip[..]].concat()).succeeded();
    assert!(ran.err.contains("line 5: resource_logs"), "{}", ran.err);
    let bad = String::from_utf8(lookback.read("bad.log")).unwrap();
    assert_eq!(bad, "plain\n  more\n{\n  \"resource_logs\": []\n}\nlast\n");
    let stored = "SELECT count(*) FROM logs WHERE message IN ('a', 'b', 'c')";
    assert_eq!(lookback.number(stored).await, 3);
    assert_eq!(lookback.number("SELECT count(*) FROM logs").await, 3);
}

/// An archive in a folder keeps no other file away.
#[tokio::test]
async fn file_that_import_does_not_read_keeps_no_other_away() {
    let lookback = Lookback::new().await;
    lookback.write("a.zip", b"PK\x03\x04\0\0\0\0\0\0");
    lookback.write("b.log", "ok\n");
    let ran = lookback.run(&["import", "a.zip", "b.log"]).failed(1);
    assert!(ran.err.contains("a.zip is a ZIP archive"), "{}", ran.err);
    assert_eq!(lookback.number("SELECT count(*) FROM logs").await, 1);
}

/// Fields with names of one's own, in JSON and in CSV.
#[tokio::test]
async fn map_names_the_fields_of_other_programs() {
    let lookback = Lookback::new().await;
    lookback.write(
        "own.log",
        "{\"what\":\"from JSON\",\"at\":{\"when\":1500},\"sev\":\"warn\",\"svc\":\"shop\",\"n\":1}\n",
    );
    lookback.write(
        "table.csv",
        "when,what,sev,svc,n\n2500,from CSV,error,shop,2\n",
    );
    let options = [
        "--map",
        "message=what,time=at.when,time=when,level=sev,source=svc",
    ];
    for file in ["own.log", "table.csv"] {
        let call = ["import", file, options[0], options[1], "--time-unit", "ms"];
        lookback.run(&call).succeeded();
    }
    for (source, level, message, seconds, n) in [
        ("shop", "warn", "from JSON", 1.5, "1"),
        ("shop", "error", "from CSV", 2.5, "\"2\""),
    ] {
        let found = format!(
            "SELECT count(*) FROM logs WHERE source = '{source}' AND level = '{level}' \
             AND message = '{message}' AND created_at = to_timestamp({seconds}) \
             AND meta = '{{\"n\": {n}}}'"
        );
        assert_eq!(lookback.number(&found).await, 1, "{message}");
    }
}

#[tokio::test]
async fn given_format_rejects_lines_of_others() {
    let lookback = Lookback::new().await;
    lookback.write(
        "mixed.log",
        "level=info msg=stored n=1\n{\"msg\":\"JSON\"}\nplain words\n",
    );
    let run = lookback
        .run(&[
            "import",
            "mixed.log",
            "--format",
            "logfmt",
            "--on-error",
            "skip",
        ])
        .succeeded();
    assert!(
        run.err.contains("line 2: is not of the format logfmt"),
        "{}",
        run.err
    );
    assert!(
        run.err.contains("line 3: is not of the format logfmt"),
        "{}",
        run.err
    );
    assert_eq!(lookback.number("SELECT count(*) FROM logs").await, 1);
    // As text, each line is what it is.
    lookback
        .run(&["import", "mixed.log", "--format", "text", "--restart"])
        .succeeded();
    let text = "SELECT count(*) FROM logs WHERE message = '{\"msg\":\"JSON\"}'";
    assert_eq!(lookback.number(text).await, 1);
}

#[tokio::test]
async fn options_that_exclude_each_other_are_refused() {
    let lookback = Lookback::new().await;
    lookback.write("a.jsonl", "{}\n");
    for (arguments, problem) in [
        (
            ["--format", "csv", "--map", "message=a"],
            "--map: is for lines of other programs",
        ),
        (
            ["--format", "jsonl", "--time-unit", "s"],
            "--time-unit: is for lines of other programs",
        ),
        (
            ["--format", "pino", "--map", "message=a"],
            "possible values",
        ),
        (
            ["--map", "text=a", "--time-unit", "s"],
            "`text` is not one of message, time, level",
        ),
        (
            ["--map", "message", "--time-unit", "s"],
            "is not COLUMN=FIELD",
        ),
        (
            ["--kind", "logs", "--format", "syslog"],
            "--kind: is for Lookback's own records",
        ),
        (
            ["--format", "text", "--map=message=a", ""],
            "--map: has no effect with --format text: each line is taken as it is",
        ),
        (
            ["--format", "text", "--strict", ""],
            "--strict: has no effect with --format text",
        ),
        (
            ["--format", "har", "--source=shop", ""],
            "--source: has no effect with --format har",
        ),
        (
            ["--format", "alb", "--time-unit=s", ""],
            "--time-unit: has no effect with --format alb",
        ),
        (
            ["--format", "json", "--keep-ids", ""],
            "--keep-ids: is for Lookback's own records, not for a format of other programs",
        ),
        (
            ["--keep-ids", "--map", "message=a", ""],
            "--keep-ids: is for Lookback's own records, and --map is for lines of other programs",
        ),
        (
            ["--keep-ids", "--dry-run", "", ""],
            "a.jsonl: --keep-ids: is for Lookback's own records, and these are lines of other programs",
        ),
        (["--keep-ids", "", "", ""], "a.jsonl: --keep-ids: is for"),
        (["--source", " ", "", ""], "--source: must not be blank"),
        (
            ["--follow", "--name", "x", ""],
            "--name: is not for --follow, which knows each file by its path",
        ),
        (
            ["-", "-", "", ""],
            "-: standard input can be read once, and is given twice",
        ),
    ] {
        let given = arguments
            .into_iter()
            .filter(|argument| !argument.is_empty());
        let call: Vec<&str> = ["import", "a.jsonl"].into_iter().chain(given).collect();
        let run = lookback.run(&call).failed(2);
        assert!(run.err.contains(problem), "{arguments:?}: {}", run.err);
    }
}

/// When an import of a file ends, whole segments of its records are sealed.
#[tokio::test]
async fn imported_segments_are_sealed() {
    let lookback = Lookback::new().await;
    let line = "{\"level\":30,\"msg\":\"line of a segment\"}\n";
    lookback.write("app.log", line.repeat(40_000));
    lookback.run(&["import", "app.log"]).succeeded();
    let sealed = "SELECT sum(rows)::bigint FROM sealed_segments WHERE target = 'logs'";
    assert!(lookback.number(sealed).await >= 16_384);
}

/// What an import stored before it stopped is sealed when it ends.
#[tokio::test]
async fn segments_of_a_stopped_import_are_sealed_when_it_ends() {
    let lookback = Lookback::new().await;
    let line = "level=info msg=stored n=1\n";
    let lines = |last: &str| format!("{}{last}\n", line.repeat(40_000));
    lookback.write("app.log", lines("no pairs"));
    let call = ["import", "app.log", "--format", "logfmt"];
    lookback.run(&call).failed(1);
    let resumed = [&call[..], &["--resume", "--on-error", "skip"]].concat();
    // The earlier import was of another program.
    let own = lookback
        .run(&["import", "app.log", "--resume", "--kind", "logs"])
        .failed(2);
    assert!(
        own.err
            .contains("--kind: the earlier import of app.log was of"),
        "{}",
        own.err
    );
    lookback.run(&resumed).succeeded();
    let sealed = "SELECT sum(rows)::bigint FROM sealed_segments WHERE target = 'logs'";
    assert!(lookback.number(sealed).await >= 16_384);
}

#[tokio::test]
async fn format_of_others_is_refused_for_the_rest_of_own_records() {
    let lookback = Lookback::new().await;
    let own = "{\"source\":\"s\",\"level\":\"info\",\"message\":\"m\"}\n";
    lookback.write("app.jsonl", own);
    lookback.run(&["import", "app.jsonl"]).succeeded();
    lookback.write("app.jsonl", own.repeat(2));
    let ran = lookback
        .run(&["import", "app.jsonl", "--resume", "--format", "json"])
        .failed(2);
    assert!(
        ran.err
            .contains("--format: the earlier import of app.jsonl was of logs"),
        "{}",
        ran.err
    );
}
