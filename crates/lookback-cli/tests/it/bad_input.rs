//! Input that is not right: refused by the name of its field, and nothing of
//! it stored.

use serde_json::json;

use crate::support::{Lookback, transcript};

/// Lines that are not right, and one that is.
fn lines() -> Vec<u8> {
    let mut lines: Vec<Vec<u8>> = Vec::new();
    let mut text = |line: &str| lines.push(line.as_bytes().to_vec());
    text(r#"{"source": "s", "level": "info", "message": " \t "}"#);
    text(r#"{"source": "s", "level": "verbose", "message": "m"}"#);
    text(r#"{"source": "s", "level": "info", "message": "a\u0000b"}"#);
    text(r#"{"source": "s", "level": "info", "message": "m", "meta": {"k": ["\u0000"]}}"#);
    text(r#"{"source": "s", "level": "info", "message": "m", "meta": {"k": 1e999999}}"#);
    text(r#"{"source": "s", "level": "info", "message": "m""#);
    text("plain text");
    text("[1, 2]");
    text(r#"{"source": 7, "level": null, "mesage": "m"}"#);
    text(r#"{"source": "s", "level": "info", "message": "m", "created_at": "yesterday"}"#);
    text(
        r#"{"source": "s", "level": "info", "message": "m", "created_at": "2026-01-01 00:00:00"}"#,
    );
    text(r#"{"source": "s", "level": "info", "message": "m", "id": 7, "embedding": [1]}"#);
    text(r#"{"source": "s", "level": "info", "message": "\ud800"}"#);
    lines.push(b"{\"source\": \"s\", \"level\": \"info\", \"message\": \"a\xff\"}".to_vec());
    let huge = json!({"source": "s", "level": "info", "message": "x".repeat(80 * 1024 * 1024)});
    lines.push(huge.to_string().into_bytes());
    lines.push(format!("{}1{}", "[".repeat(500), "]".repeat(500)).into_bytes());
    lines.push(br#"{"source": "s", "level": "info", "message": "the one good line"}"#.to_vec());
    lines.join(&b'\n')
}

#[tokio::test]
async fn each_bad_line_is_reported_and_written_aside() {
    let lookback = Lookback::new().await;
    let lines = lines();
    lookback.write("bad.jsonl", &lines);
    let ran = lookback.run(&[
        "import",
        "bad.jsonl",
        "--kind",
        "logs",
        "--on-error",
        "skip",
        "--rejects",
        "rejects.jsonl",
    ]);
    transcript!(ran, @r#"
$ lookback import bad.jsonl --kind logs --on-error skip --rejects rejects.jsonl
! warning: line 1: message: must not be blank
! warning: line 2: level: `verbose` is not one of debug, info, warn, error
! warning: line 3: message: holds a NUL character (at byte 1), which PostgreSQL text cannot
! warning: line 4: meta.k.0: holds a NUL character, which PostgreSQL jsonb cannot
! warning: line 5: meta.k: is a number too large or too fine for PostgreSQL jsonb
! warning: line 6: is not JSON: EOF while parsing an object at column 47
! warning: line 7: is not JSON: expected value at column 1
! warning: line 8: is JSON, but not an object such as {"message": "…"}
! warning: line 9: source: must be a string, not the number 7; level: is required, not null; message: is required; mesage: is not a field of logs; did you mean message?
! warning: line 10: created_at: `yesterday` is not a time with its zone, such as 2026-01-31T08:30:00Z
! warning: line 11: created_at: `2026-01-01 00:00:00` is not a time with its zone, such as 2026-01-31T08:30:00Z
! warning: line 12: embedding: is filled in by Lookback and cannot be given; id: is filled in by Lookback and cannot be given
! warning: line 13: is not JSON: unexpected end of hex escape at column 52
! warning: line 14: message: is not valid UTF-8 (byte 0xff at column 47)
! warning: line 15: message: is 83886080 bytes long; at most 1048576 are taken
! warning: line 16: is not JSON: recursion limit exceeded at column 128
! bad.jsonl: 1 records into logs in [time] ([rate] records/s); 16 lines rejected, written to rejects.jsonl
"#);
    assert_eq!(lookback.number("SELECT count(*) FROM logs").await, 1);
    // All but the good line, byte for byte.
    let good = lines.iter().rposition(|byte| *byte == b'\n').unwrap() + 1;
    assert_eq!(lookback.read("rejects.jsonl"), &lines[..good]);
}

#[tokio::test]
async fn by_default_the_first_bad_line_stops_the_import() {
    let lookback = Lookback::new().await;
    let line = |n: u32| {
        json!({"source": "s", "level": "info", "message": format!("line {n}")}).to_string()
    };
    let bad = line(4).replace("info", "verbose");
    let text = |fourth: &str| [&line(1), &line(2), &line(3), fourth, &line(5)].join("\n");
    lookback.write("logs.jsonl", text(&bad));
    transcript!(lookback.run(&["import", "logs.jsonl"]), @"
$ lookback import logs.jsonl
! error: logs.jsonl, line 4: level: `verbose` is not one of debug, info, warn, error
! hint: lines 1 to 3 are done with: 3 records are in, 0 lines were rejected; to go on: the same command with --resume, after mending the line or with --on-error skip
[exit code 1]
");
    assert_eq!(lookback.number("SELECT count(*) FROM logs").await, 3);
    transcript!(lookback.run(&["import", "logs.jsonl"]), @"
$ lookback import logs.jsonl
! error: an earlier import of logs.jsonl stopped after line 3: 3 records are in
! hint: to go on from there: --resume; to import all of it once more: --restart
[exit code 1]
");
    transcript!(lookback.run(&["import", "logs.jsonl", "--resume", "--json"]), @r#"
$ lookback import logs.jsonl --resume --json
{"data":{"finished":false,"lines":3,"rejected":0,"rejected_in_all":0,"stored":0,"stored_in_all":3}}
! resuming after line 3: 3 records are in
! error: logs.jsonl, line 4: level: `verbose` is not one of debug, info, warn, error
! hint: lines 1 to 3 are done with: 3 records are in, 0 lines were rejected; to go on: the same command with --resume, after mending the line or with --on-error skip
[exit code 1]
"#);
    assert_eq!(lookback.number("SELECT count(*) FROM logs").await, 3);

    lookback.write("logs.jsonl", text(&line(4)));
    lookback
        .run(&["import", "logs.jsonl", "--resume"])
        .succeeded();
    assert_eq!(
        lookback
            .number("SELECT count(DISTINCT message) FROM logs")
            .await,
        5
    );
    assert_eq!(lookback.number("SELECT count(*) FROM logs").await, 5);
}

#[tokio::test]
async fn many_bad_lines_do_not_flood() {
    let lookback = Lookback::new().await;
    let text = "{\"message\": \"m\"}\n".repeat(1_000);
    let ran = lookback.run_with(
        &["import", "-", "--on-error", "skip", "--batch", "100"],
        text.as_bytes(),
    );
    assert_eq!(ran.err.lines().count(), 22, "{}", ran.err);
    assert!(ran.err.contains("and 980 more lines"), "{}", ran.err);
    assert!(ran.err.contains("1,000 lines rejected"), "{}", ran.err);
}

/// What only the database finds is taken out of its batch, and told as any
/// other bad line.
#[tokio::test]
async fn a_record_that_the_database_refuses_does_not_sink_its_batch() {
    let lookback = Lookback::new().await;
    let pool = &lookback.db.as_ref().unwrap().pool;
    sqlx::query("ALTER TABLE logs ADD CONSTRAINT no_secrets CHECK (message NOT LIKE '%secret%')")
        .execute(pool)
        .await
        .unwrap();
    let line = |text: &str| json!({"source": "s", "level": "info", "message": text}).to_string();
    let text = [
        line("one"),
        line("a secret"),
        line("three"),
        line("secret"),
        line("five"),
    ]
    .join("\n");
    lookback.write("logs.jsonl", text);
    transcript!(lookback.run(&["import", "logs.jsonl"]), @r#"
$ lookback import logs.jsonl
! error: logs.jsonl, line 2: logs: new row for relation "logs_default" violates check constraint "no_secrets"
! hint: nothing is stored; to go on: the same command, after mending the line or with --on-error skip
[exit code 1]
"#);
    assert_eq!(lookback.number("SELECT count(*) FROM logs").await, 0);
    transcript!(lookback.run(&["import", "logs.jsonl", "--on-error", "skip", "--rejects", "r"]), @r#"
$ lookback import logs.jsonl --on-error skip --rejects r
! warning: line 2: logs: new row for relation "logs_default" violates check constraint "no_secrets"
! warning: line 4: logs: new row for relation "logs_default" violates check constraint "no_secrets"
! logs.jsonl: 3 records into logs in [time] ([rate] records/s); 2 lines rejected, written to r
"#);
    assert_eq!(lookback.number("SELECT count(*) FROM logs").await, 3);
    let rejects = String::from_utf8(lookback.read("r")).unwrap();
    assert_eq!(
        rejects,
        format!("{}\n{}\n", line("a secret"), line("secret"))
    );
}
