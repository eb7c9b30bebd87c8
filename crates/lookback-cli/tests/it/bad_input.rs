//! Invalid input: rejected with the name of its field, and not stored.

use serde_json::json;

use crate::support::{Lookback, Running, transcript};

/// Invalid lines, and a valid one.
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
async fn invalid_lines_are_reported_and_written_to_rejects() {
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
! warning: line 3: message: contains a NUL character (at byte 1), which PostgreSQL text cannot store
! warning: line 4: meta.k.0: contains a NUL character, which PostgreSQL jsonb cannot store
! warning: line 5: meta.k: is a number too large or too precise for PostgreSQL jsonb
! warning: line 6: is not JSON: EOF while parsing an object at column 47
! warning: line 7: is not JSON: expected value at column 1
! warning: line 8: must be a JSON object such as {"message": "…"}
! warning: line 9: source: must be a string, not the number 7; level: is required, not null; message: is required; mesage: is not a field of logs; did you mean message?
! warning: line 10: created_at: `yesterday` is not a time with its zone, such as 2026-01-31T08:30:00Z
! warning: line 11: created_at: `2026-01-01 00:00:00` has no time zone; write 2026-01-01 00:00:00Z for UTC, or an offset such as +01:00
! warning: line 12: embedding: is filled in by Lookback and cannot be set
! warning: line 13: is not JSON: unexpected end of hex escape at column 52
! warning: line 14: message: is not valid UTF-8 (byte 0xff at column 47)
! warning: line 15: message: is 83886080 bytes long, over the limit of 1048576
! warning: line 16: is not JSON: recursion limit exceeded at column 128
! bad.jsonl: 1 record into logs in [time] ([rate] records/s); 16 lines rejected, written to rejects.jsonl
"#);
    assert_eq!(lookback.number("SELECT count(*) FROM logs").await, 1);
    // All but the valid line, byte for byte.
    let good = lines.iter().rposition(|byte| *byte == b'\n').unwrap() + 1;
    assert_eq!(lookback.read("rejects.jsonl"), &lines[..good]);
}

/// Keys that a JSON library reserves are ordinary keys, and numbers keep every digit when
/// they are imported and printed.
#[tokio::test]
async fn import_keeps_reserved_keys_and_long_numbers() {
    let lookback = Lookback::new().await;
    let meta = r#"{"$serde_json::private::Number":"1","$serde_json::private::RawValue":"[","n":12345678901234567890.10}"#;
    lookback.write(
        "keys.jsonl",
        format!(r#"{{"source": "s", "level": "info", "message": "m", "meta": {meta}}}"#),
    );
    lookback.run(&["import", "keys.jsonl"]).succeeded();
    for command in [
        &["logs", "list", "--json"][..],
        &["logs", "search", "m", "--json"],
        &["logs", "get", "1", "--json"],
    ] {
        let out = lookback.run(command).succeeded().out;
        assert!(out.contains(&format!(r#""meta":{meta}"#)), "{out}");
    }
}

#[tokio::test]
async fn first_invalid_line_stops_the_import_by_default() {
    let lookback = Lookback::new().await;
    let line = |n: u32| {
        json!({"source": "s", "level": "info", "message": format!("line {n}")}).to_string()
    };
    let bad = line(4).replace("info", "verbose");
    let text = |fourth: &str| [&line(1), &line(2), &line(3), fourth, &line(5)].join("\n");
    lookback.write("logs.jsonl", text(&bad));
    let ran = lookback.run(&["import", "logs.jsonl"]);
    let shown = "error: logs.jsonl, line 4";
    testkit::page::assert_printed("docs/guide/import.md", shown, &ran.err);
    transcript!(ran, @"
$ lookback import logs.jsonl
! error: logs.jsonl, line 4: level: `verbose` is not one of debug, info, warn, error
! hint: lines 1 to 3 are processed: 3 records stored, 0 lines rejected; to continue: the same command with --resume, after correcting the line or with --on-error skip
[exit code 1]
");
    assert_eq!(lookback.number("SELECT count(*) FROM logs").await, 3);
    transcript!(lookback.run(&["import", "logs.jsonl"]), @"
$ lookback import logs.jsonl
! error: an earlier import of logs.jsonl stopped after line 3: 3 records are stored
! hint: to continue from there: --resume; to import all of it again: --restart
[exit code 1]
");
    transcript!(lookback.run(&["import", "logs.jsonl", "--resume", "--json"]), @r#"
$ lookback import logs.jsonl --resume --json
{"data":{"finished":false,"lines":3,"rejected":0,"rejected_in_all":0,"stored":0,"stored_in_all":3}}
! resuming after line 3: 3 records are stored
! error: logs.jsonl, line 4: level: `verbose` is not one of debug, info, warn, error
! hint: lines 1 to 3 are processed: 3 records stored, 0 lines rejected; to continue: the same command with --resume, after correcting the line or with --on-error skip
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
async fn many_invalid_lines_are_summarised() {
    let lookback = Lookback::new().await;
    let text = "{\"message\": \"m\"}\n".repeat(1_000);
    let ran = lookback.run_with(
        &[
            "import",
            "-",
            "--kind",
            "logs",
            "--on-error",
            "skip",
            "--batch",
            "100",
        ],
        text.as_bytes(),
    );
    let ran = ran.failed(1);
    assert_eq!(ran.err.lines().count(), 23, "{}", ran.err);
    assert!(ran.err.contains("and 980 more lines"), "{}", ran.err);
    assert!(ran.err.contains("1,000 lines rejected"), "{}", ran.err);
}

/// A problem that only the database finds is reported like any other invalid line.
#[tokio::test]
async fn record_rejected_by_the_database_does_not_fail_its_batch() {
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
    // The records before it in its batch are stored.
    transcript!(lookback.run(&["import", "logs.jsonl"]), @r#"
$ lookback import logs.jsonl
! error: logs.jsonl, line 2: logs: new row for relation "logs_[partition]" violates check constraint "no_secrets"
! hint: line 1 is processed: 1 record stored, 0 lines rejected; to continue: the same command with --resume, after correcting the line or with --on-error skip
[exit code 1]
"#);
    assert_eq!(lookback.number("SELECT count(*) FROM logs").await, 1);
    transcript!(lookback.run(&["import", "logs.jsonl", "--resume", "--on-error", "skip", "--rejects", "r"]), @r#"
$ lookback import logs.jsonl --resume --on-error skip --rejects r
! resuming after line 1: 1 record is stored
! warning: line 2: logs: new row for relation "logs_[partition]" violates check constraint "no_secrets"
! warning: line 4: logs: new row for relation "logs_[partition]" violates check constraint "no_secrets"
! logs.jsonl: 2 records into logs in [time] ([rate] records/s); 2 lines rejected, written to r
"#);
    assert_eq!(lookback.number("SELECT count(*) FROM logs").await, 3);
    let rejects = String::from_utf8(lookback.read("r")).unwrap();
    assert_eq!(
        rejects,
        format!("{}\n{}\n", line("a secret"), line("secret"))
    );
}

/// Many rejections are slow if records are sent often: each attempt uses up an id.
#[tokio::test]
async fn many_rejected_records_are_sent_only_a_few_times() {
    let lookback = Lookback::new().await;
    let pool = &lookback.db.as_ref().unwrap().pool;
    sqlx::query("ALTER TABLE logs ADD CONSTRAINT no_tens CHECK (message NOT LIKE '%0')")
        .execute(pool)
        .await
        .unwrap();
    let text: String = (1..=1_000)
        .map(|n| {
            let line = json!({"source": "s", "level": "info", "message": format!("line {n}")});
            format!("{line}\n")
        })
        .collect();
    lookback.write("logs.jsonl", &text);
    let ran = lookback
        .run(&[
            "import",
            "logs.jsonl",
            "--on-error",
            "skip",
            "--rejects",
            "r",
        ])
        .succeeded();
    assert!(ran.err.contains("100 lines rejected"), "{}", ran.err);
    let refused: String = text
        .lines()
        .filter(|line| line.contains("0\",\"source"))
        .map(|line| format!("{line}\n"))
        .collect();
    assert_eq!(refused.lines().count(), 100);
    assert!(lookback.read("r") == refused.as_bytes());
    assert_eq!(
        lookback
            .number("SELECT count(DISTINCT message) FROM logs")
            .await,
        900
    );
    let attempts = lookback
        .number("SELECT nextval(pg_get_serial_sequence('logs', 'id'))")
        .await;
    assert!(attempts < 4 * 1_000, "{attempts} records were sent");
}

#[tokio::test]
async fn line_that_stops_an_import_is_written_to_rejects() {
    let lookback = Lookback::new().await;
    let good = json!({"source": "s", "level": "info", "message": "m"});
    let call = ["import", "logs.jsonl", "--rejects", "r"];
    lookback.write("logs.jsonl", format!("{good}\n"));
    lookback.run(&call).succeeded();
    assert!(!lookback.folder().join("r").exists());
    lookback.write("logs.jsonl", format!("{good}\nplain text\n{good}\n"));
    lookback.run(&[&call[..], &["--resume"]].concat()).failed(1);
    assert_eq!(lookback.read("r"), b"plain text\n");
}

/// An import that stopped before it stored anything leaves no trace.
#[tokio::test]
async fn import_after_one_that_stored_nothing_starts_fresh() {
    let lookback = Lookback::new().await;
    let call = ["import", "logs.jsonl", "--kind", "logs"];
    lookback.write("logs.jsonl", "{\"message\": \n");
    let first = lookback.run(&call).failed(1);
    assert!(first.err.contains("the same command"), "{}", first.err);
    assert_eq!(lookback.run(&call).failed(1).err, first.err);
}

#[tokio::test]
async fn incomplete_last_line_is_left_for_a_resume() {
    let lookback = Lookback::new().await;
    let line = |n: u32| {
        json!({"source": "s", "level": "info", "message": format!("line {n}")}).to_string()
    };
    let call = [
        "import",
        "logs.jsonl",
        "--on-error",
        "skip",
        "--rejects",
        "r",
        "--resume",
    ];
    let second = line(2);
    let (start, end) = second.split_at(20);
    lookback.write("logs.jsonl", format!("{}\n{start}", line(1)));
    transcript!(lookback.run(&[&call[..], &["--json"]].concat()), @r#"
$ lookback import logs.jsonl --on-error skip --rejects r --resume --json
{"data":{"finished":false,"lines":1,"rejected":0,"rejected_in_all":0,"stored":1,"stored_in_all":1}}
! logs.jsonl: 1 record into logs in [time] ([rate] records/s)
! warning: logs.jsonl: the last line is incomplete: it was left for a later --resume
"#);
    assert_eq!(
        lookback
            .number("SELECT count(*) FROM imports WHERE finished_at IS NULL")
            .await,
        1
    );
    transcript!(lookback.run(&call), @"
$ lookback import logs.jsonl --on-error skip --rejects r --resume
! resuming after line 1: 1 record is stored
! logs.jsonl: 0 records into logs in [time] ([rate] records/s)
! warning: logs.jsonl: the last line is incomplete: it was left for a later --resume
");
    lookback.write(
        "logs.jsonl",
        format!("{}\n{start}{end}\n{}", line(1), line(3)),
    );
    transcript!(lookback.run(&call), @"
$ lookback import logs.jsonl --on-error skip --rejects r --resume
! resuming after line 1: 1 record is stored
! logs.jsonl: 2 records into logs in [time] ([rate] records/s)
");
    assert_eq!(
        lookback
            .number("SELECT count(DISTINCT message) FROM logs")
            .await,
        3
    );
    assert!(!lookback.folder().join("r").exists());
    // An unnamed input cannot be resumed.
    let half = format!("{}\n{start}", line(1));
    let ran = lookback
        .run_with(&["import", "-", "--on-error", "skip"], half.as_bytes())
        .succeeded();
    assert!(ran.err.contains("line 2: is not JSON"), "{}", ran.err);
}

/// A value in memory is many times as large as its text.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn long_line_does_not_exhaust_memory() {
    let lookback = Lookback::new().await;
    let numbers = |n: usize| {
        let mut line =
            b"{\"source\": \"s\", \"level\": \"info\", \"message\": \"m\", \"meta\": [".to_vec();
        line.extend(b"1,".repeat(n));
        line.extend(b"1]}\n");
        line
    };
    let text = [numbers(20 << 20), numbers(64 << 20), numbers(1_000)].concat();
    lookback.write("logs.jsonl", text);
    let import = lookback.command(&["import", "logs.jsonl", "--on-error", "skip"]);
    let mut limited = std::process::Command::new("sh");
    limited
        .args(["-c", "ulimit -v 1200000; exec \"$@\"", "sh"])
        .arg(import.get_program())
        .args(import.get_args())
        .current_dir(lookback.folder())
        // The limit counts what each thread reserves, and does not use.
        .env("MALLOC_ARENA_MAX", "1")
        .env("DATABASE_URL", &lookback.db.as_ref().unwrap().url);
    let output = limited.output().unwrap();
    let err = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{err}");
    assert!(
        err.contains("line 1: meta: is 20971523 bytes long, over the limit of 8388608"),
        "{err}"
    );
    assert!(
        err.contains("line 2: must be at most 134,217,728 bytes long"),
        "{err}"
    );
    assert_eq!(lookback.number("SELECT count(*) FROM logs").await, 1);
}

/// Neither time nor memory is out of proportion to the size of the file.
#[tokio::test]
async fn csv_of_many_columns_ends_soon() {
    let lookback = Lookback::new().await;
    let fails = |name: &str, text: String, expected: &str| {
        lookback.write(name, text);
        let import = Running::start(&lookback, &["import", name, "--kind", "logs"]);
        let (code, err) = import.wait();
        assert_eq!(code, Some(1), "{err}");
        assert!(err.contains(expected), "{err}");
    };
    let names: String = (0..200_000).map(|number| format!("c{number},")).collect();
    fails(
        "names.csv",
        names + "c7\n",
        "two columns of the first line have the name \"c7\"",
    );
    let commas = ",".repeat(3 << 20);
    fails(
        "commas.csv",
        format!("source,message\n{commas}\n"),
        "or has too many fields",
    );
}

/// A row of another program's table that lacks values, or the end of a quote, is no record.
#[tokio::test]
async fn incomplete_rows_of_other_programs_tables_are_invalid() {
    let lookback = Lookback::new().await;
    lookback.write(
        "app.csv",
        "when,msg\n2026-01-01T00:00:00Z,one\n2\n2026-01-01T00:00:01Z,two\n3,\"not closed\nx,y\n",
    );
    transcript!(lookback.run(&["import", "app.csv"]), @"
$ lookback import app.csv
! error: app.csv, line 3: must have one value for each column of the first line, and an end for each quote
! hint: lines 1 to 2 are processed: 1 record stored, 0 lines rejected; to continue: the same command with --resume, after correcting the line or with --on-error skip
[exit code 1]
");
    let skip = ["import", "app.csv", "--resume", "--on-error", "skip"];
    let ran = lookback.run(&skip).succeeded();
    assert!(ran.err.contains("line 5: must have one value"), "{ran:?}");
    let both = "SELECT count(*) FROM logs WHERE message IN ('one', 'two')";
    assert_eq!(lookback.number(both).await, 2);
    assert_eq!(lookback.number("SELECT count(*) FROM logs").await, 2);
}

/// A last line that no more bytes would make JSON is not waited for.
#[tokio::test]
async fn last_line_that_is_no_beginning_of_json_is_stored() {
    let lookback = Lookback::new().await;
    lookback.write("app.log", "{\"msg\":\"a\"}{\"msg\":\"b\"}");
    let ran = lookback.run(&["import", "app.log"]).succeeded();
    assert!(!ran.err.contains("incomplete"), "{ran:?}");
    assert!(lookback.number("SELECT count(*) FROM logs").await >= 1);
}
