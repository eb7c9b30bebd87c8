//! `lookback import` of OpenTelemetry and Loki in protobuf.

use std::io::Write as _;
use std::process::Stdio;
use std::time::{Duration, Instant};

use opentelemetry_proto::tonic::logs::v1::{LogsData, ResourceLogs, ScopeLogs};
use prost::Message as _;

use crate::support::{DEADLINE, Lookback, transcript};

mod samples;

pub(crate) use samples::write_samples;
use samples::{damaged, field, framed, gzip, log, logs, loki, metrics, spans, varint, zstd};

const LOGS: &str = "SELECT count(*) FROM logs";
const REQUESTS: &str = "SELECT count(*) FROM request_snapshots";
/// The records that are there twice, or have a number that was not written.
const WRONG: &str = "SELECT count(*) - count(DISTINCT meta->'order') FROM logs";

async fn counts(lookback: &Lookback) -> (i64, i64) {
    (lookback.number(LOGS).await, lookback.number(REQUESTS).await)
}

/// What is stored, without ids and the times of the import.
async fn stored(lookback: &Lookback) -> Vec<String> {
    let sql = "SELECT row::text AS row FROM (
          SELECT created_at AS at, to_jsonb(l) - '{id,updated_at,embedding}'::text[] AS row FROM logs l
          UNION ALL
          SELECT created_at, to_jsonb(r) - '{id,updated_at,embedding}'::text[] FROM request_snapshots r
        ) AS all_rows ORDER BY at, row";
    let pool = &lookback.db.as_ref().unwrap().pool;
    let rows: Vec<(String,)> = sqlx::query_as(sql).fetch_all(pool).await.unwrap();
    rows.into_iter().map(|(row,)| row).collect()
}

#[tokio::test]
async fn protobuf_is_stored_as_its_json_is() {
    let (of_json, of_protobuf) = (Lookback::new().await, Lookback::new().await);
    for (json, protobuf) in [
        (
            serde_json::to_string(&logs(0..40)).unwrap(),
            logs(0..40).encode_to_vec(),
        ),
        (
            serde_json::to_string(&spans(0..40)).unwrap(),
            spans(0..40).encode_to_vec(),
        ),
    ] {
        of_json
            .run_with(&["import", "-"], json.as_bytes())
            .succeeded();
        of_protobuf
            .run_with(&["import", "-"], &protobuf)
            .succeeded();
    }
    assert_eq!(counts(&of_protobuf).await, (40, 20));
    assert_eq!(stored(&of_protobuf).await, stored(&of_json).await);
}

#[tokio::test]
async fn protobuf_of_a_pipe_is_recognised() {
    let lookback = Lookback::new().await;
    let message = logs(0..40).encode_to_vec();
    let messages = [
        framed(&logs(40..60).encode_to_vec()),
        framed(&spans(0..40).encode_to_vec()),
    ]
    .concat();
    for bytes in [message, messages] {
        lookback.run_with(&["import", "-"], &bytes).succeeded();
        let before = counts(&lookback).await;
        let again = lookback.run_with(&["import", "-"], &bytes).succeeded();
        assert!(again.err.contains("already imported"), "{again:#?}");
        assert_eq!(counts(&lookback).await, before);
    }
    assert_eq!(counts(&lookback).await, (60, 20));
}

#[tokio::test]
async fn files_of_one_message_are_imported() {
    let lookback = Lookback::new().await;
    lookback.write("logs", logs(0..3).encode_to_vec());
    lookback.write("traces.binpb", spans(0..5).encode_to_vec());
    lookback.write("push", loki());
    transcript!(lookback.run(&["import", "logs"]), @"
$ lookback import logs
! logs: 3 log lines and 0 requests in [time] ([rate] records/s)
");
    transcript!(lookback.run(&["import", "traces.binpb"]), @"
$ lookback import traces.binpb
! traces.binpb: 0 log lines and 3 requests in [time] ([rate] records/s)
! traces.binpb: skipped 2 spans, which are no HTTP requests of a server
");
    // In JSON, too.
    let json = serde_json::to_string(&spans(5..9)).unwrap();
    lookback.write("traces.json", json);
    transcript!(lookback.run(&["import", "traces.json"]), @"
$ lookback import traces.json
! traces.json: 0 log lines and 2 requests in [time] ([rate] records/s)
! traces.json: skipped 2 spans, which are no HTTP requests of a server
");
    transcript!(lookback.run(&["import", "push", "--json"]), @r#"
$ lookback import push --json
{"data":{"finished":true,"lines":2,"rejected":0,"rejected_in_all":0,"skipped":0,"stored":2,"stored_in_all":2}}
! push: 2 log lines and 0 requests in [time] ([rate] records/s)
"#);
    let of_loki = "SELECT count(*) FROM logs WHERE source = 'shop' AND created_at = to_timestamp(1791720794) \
                   AND (level, message) = ('warn', 'low')";
    assert_eq!(lookback.number(of_loki).await, 1);
    assert_eq!(counts(&lookback).await, (5, 5));
    // Again, and compressed.
    transcript!(lookback.run(&["import", "traces.binpb"]), @"
$ lookback import traces.binpb
! traces.binpb is already imported: 3 records, 0 records rejected; to import it again: --restart
");
    std::fs::remove_file(lookback.folder().join("logs")).unwrap();
    lookback.write("logs.gz", gzip(&logs(0..3).encode_to_vec()));
    let same = lookback.run(&["import", "logs.gz"]).succeeded();
    assert!(same.err.contains("is already imported as"), "{same:#?}");
    assert_eq!(counts(&lookback).await, (5, 5));
}

/// Messages of all signals in one file, plain and compressed by the Collector, and the file again.
#[tokio::test]
async fn files_of_messages_are_imported() {
    let lookback = Lookback::new().await;
    let messages = [
        metrics(),
        Vec::new(),
        logs(0..0).encode_to_vec(),
        logs(0..100).encode_to_vec(),
        spans(0..10).encode_to_vec(),
        zstd(&logs(100..200).encode_to_vec()),
        zstd(&metrics()),
        logs(200..250).encode_to_vec(),
    ];
    let file = messages.map(|message| framed(&message)).concat();
    lookback.write("collector.pb", &file);
    transcript!(lookback.run(&["import", "collector.pb", "--batch", "7"]), @"
$ lookback import collector.pb --batch 7
! collector.pb: 250 log lines and 5 requests in [time] ([rate] records/s)
! collector.pb: skipped 5 spans, which are no HTTP requests of a server; 2 messages of metrics
");
    assert_eq!(counts(&lookback).await, (250, 5));
    assert_eq!(lookback.number(WRONG).await, 0);
    // The page shows it as printed without --batch.
    let printed = lookback
        .run(&["import", "collector.pb", "--restart"])
        .succeeded();
    let printed = format!("$ lookback import collector.pb\n{}", printed.err);
    let shown = "$ lookback import collector.pb";
    testkit::page::assert_printed("docs/guide/import.md", shown, &printed);
    lookback.execute("DELETE FROM logs WHERE id > 250").await;
    lookback
        .execute("DELETE FROM request_snapshots WHERE id > 5")
        .await;
    for (name, again) in [
        ("a.pb.gz", gzip(&file)),
        ("b.pb.zst", zstd(&file)),
        ("c", gzip(&gzip(&file))),
    ] {
        lookback.write(name, again);
        let same = lookback.run(&["import", name]).succeeded();
        let named = format!("warning: {name} has the same content as ");
        assert!(same.err.starts_with(&named), "{same:#?}");
    }
    assert_eq!(counts(&lookback).await, (250, 5));

    // With `compression: zstd`, JSON is in messages, too.
    let json = |numbers| serde_json::to_string_pretty(&logs(numbers)).unwrap();
    let json = [json(300..310), json(310..320)];
    let json = json.map(|json| framed(&zstd(json.as_bytes()))).concat();
    lookback.write("collector.json", json);
    lookback.run(&["import", "collector.json"]).succeeded();
    assert_eq!(counts(&lookback).await, (270, 5));

    lookback.write("metrics.pb", metrics());
    transcript!(lookback.run(&["import", "metrics.pb"]), @"
$ lookback import metrics.pb
! metrics.pb: 0 log lines and 0 requests in [time] ([rate] records/s)
! metrics.pb: skipped 1 message of metrics
");
}

#[tokio::test]
async fn damaged_record_is_refused_with_its_number_and_the_others_are_stored() {
    let lookback = Lookback::new().await;
    lookback.write(
        "app.pb",
        [framed(&damaged()), framed(&logs(3..5).encode_to_vec())].concat(),
    );
    transcript!(lookback.run(&["import", "app.pb"]), @"
$ lookback import app.pb
! error: app.pb, record 2: logRecord: ends within a field
! hint: record 1 is processed: 1 record stored, 0 records rejected; to continue: the same command with --resume and --on-error skip
[exit code 1]
");
    transcript!(lookback.run(&["import", "app.pb", "--resume", "--on-error", "skip", "--rejects", "bad"]), @"
$ lookback import app.pb --resume --on-error skip --rejects bad
! resuming after record 1: 1 record is stored
! warning: record 2: logRecord: ends within a field
! app.pb: 3 log lines and 0 requests in [time] ([rate] records/s); 1 record rejected, written to bad
");
    assert_eq!(counts(&lookback).await, (4, 0));
    // What was rejected is read again, as what it is.
    transcript!(lookback.run(&["import", "bad"]), @"
$ lookback import bad
! error: bad, line 1: logRecord: ends within a field
! hint: nothing is stored; to continue: the same command, after correcting the line or with --on-error skip
[exit code 1]
");
    lookback.write("cut.pb", &damaged()[..damaged().len() - 1]);
    transcript!(lookback.run(&["import", "cut.pb", "--on-error", "skip"]), @"
$ lookback import cut.pb --on-error skip
! warning: record 1: the body: ends within a field
! error: cut.pb: nothing was imported; 1 record rejected
! hint: is the file damaged, or cut? import it again when it is whole
[exit code 1]
");
    // Messages of something else, among others.
    let other = field(1, &field(2, &field(2, &field(1, b"something else"))));
    let file = [framed(&other), framed(&logs(0..1).encode_to_vec())].concat();
    lookback.write("other.pb", file);
    transcript!(lookback.run(&["import", "other.pb", "--on-error", "skip"]), @"
$ lookback import other.pb --on-error skip
! warning: record 1: the message is neither logs nor spans of OpenTelemetry
! other.pb: 1 log line and 0 requests in [time] ([rate] records/s); 1 record rejected
");
}

/// Records that the database refuses can be imported from the file for rejected ones, also if that
/// has lines of text.
#[tokio::test]
async fn rejected_records_are_imported_from_their_file() {
    let lookback = Lookback::new().await;
    lookback
        .execute("ALTER TABLE logs ADD CONSTRAINT no_seven CHECK (message NOT LIKE '%7')")
        .await;
    lookback.write("app.pb", logs(0..20).encode_to_vec());
    lookback.write("app.log", "level=info msg=7\nlevel=info msg=8\n");
    lookback.write("push", loki());
    let skip = ["--on-error", "skip", "--rejects", "bad"];
    for file in ["app.log", "app.pb", "push"] {
        lookback
            .run(&[&["import", file][..], &skip].concat())
            .succeeded();
    }
    assert_eq!(lookback.number(LOGS).await, 21);
    lookback
        .execute("ALTER TABLE logs DROP CONSTRAINT no_seven")
        .await;
    lookback.run(&["import", "bad"]).succeeded();
    assert_eq!(lookback.number(LOGS).await, 24);
    let sevens = "SELECT count(*) FROM logs WHERE message IN ('7', 'line 7', 'line 17')";
    assert_eq!(lookback.number(sevens).await, 3);
    assert_eq!(
        lookback
            .number("SELECT count(*) FROM logs WHERE message = 'line 7' AND source = 'shop'")
            .await,
        1
    );
}

#[tokio::test]
async fn message_that_is_too_long_costs_no_other() {
    let lookback = Lookback::new().await;
    let length = 64 * 1024 * 1024 + 1;
    let mut long = logs(0..1).encode_to_vec();
    // Fields that nobody knows, up to the length.
    long.extend([0x7a]);
    let left = length - long.len() - 4;
    long.extend(varint(left as u64));
    long.resize(length, 0);
    let good = |numbers| framed(&logs(numbers).encode_to_vec());
    lookback.write("app.pb", [good(1..3), framed(&long), good(3..5)].concat());
    transcript!(lookback.run(&["import", "app.pb", "--on-error", "skip"]), @"
$ lookback import app.pb --on-error skip
! warning: record 3: a message must have at most 67,108,864 bytes, got 67,108,865
! app.pb: 4 log lines and 0 requests in [time] ([rate] records/s); 1 record rejected
");
    lookback.write(
        "bomb.pb",
        [good(11..12), framed(&zstd(&long)), good(13..14)].concat(),
    );
    let bomb = lookback
        .run(&["import", "bomb.pb", "--on-error", "skip"])
        .succeeded();
    assert!(
        bomb.err
            .contains("record 2: a message must have at most 67,108,864 bytes, decompressed"),
        "{bomb:#?}"
    );
    assert_eq!(counts(&lookback).await, (6, 0));
    lookback.write("one.pb", long);
    transcript!(lookback.run(&["import", "one.pb"]), @"
$ lookback import one.pb
! error: one.pb: has one message of more than 67,108,864 bytes: expected several smaller ones, as the file exporter of the OpenTelemetry Collector writes them with `format: proto`
[exit code 1]
");
    assert_eq!(counts(&lookback).await, (6, 0));
}

/// The Collector is still writing the last message.
#[tokio::test]
async fn message_that_is_not_whole_is_left_for_later() {
    let lookback = Lookback::new().await;
    let all = [
        framed(&logs(0..5).encode_to_vec()),
        framed(&logs(5..9).encode_to_vec()),
    ]
    .concat();
    for cut in [2, 30, 100] {
        let at = framed(&logs(0..5).encode_to_vec()).len() + cut;
        lookback.write("app.pb", &all[..at]);
        let ran = lookback.run(&["import", "app.pb", "--resume"]).succeeded();
        assert!(
            ran.err.contains(
                "app.pb: the last record is incomplete: it was left for a later --resume"
            ),
            "{ran:#?}"
        );
        assert_eq!(lookback.number(LOGS).await, 5);
    }
    lookback.write("app.pb", &all);
    transcript!(lookback.run(&["import", "app.pb"]), @"
$ lookback import app.pb
! error: an earlier import of app.pb stopped after record 5: 5 records are stored
! hint: to continue from there: --resume; to import all of it again: --restart
[exit code 1]
");
    transcript!(lookback.run(&["import", "app.pb", "--resume"]), @"
$ lookback import app.pb --resume
! resuming after record 5: 5 records are stored
! app.pb: 4 log lines and 0 requests in [time] ([rate] records/s)
");
    let grown = [all, framed(&spans(0..1).encode_to_vec())].concat();
    lookback.write("app.pb", &grown);
    transcript!(lookback.run(&["import", "app.pb"]), @"
$ lookback import app.pb
! error: app.pb has grown since it was imported: it is stored up to record 9 (9 records)
! hint: to import the new records: --resume; to import all of it again: --restart
[exit code 1]
");
    lookback.run(&["import", "app.pb", "--resume"]).succeeded();
    assert_eq!(counts(&lookback).await, (9, 1));
    assert_eq!(lookback.number(WRONG).await, 0);
    // Nobody continues a pipe without a name.
    let ran = lookback
        .run_with(&["import", "-"], &grown[..grown.len() - 1])
        .failed(1);
    assert!(
        ran.err
            .contains("record 10: the message ends before its length"),
        "{ran:#?}"
    );
}

#[tokio::test]
async fn killed_import_of_protobuf_goes_on() {
    const RECORDS: i64 = 3_000;
    let lookback = Lookback::new().await;
    // Messages of many batches, and batches of many messages.
    let messages = [0..1_250, 1_250..1_253, 1_253..2_500, 2_500..3_000];
    let file = messages
        .map(|numbers| framed(&logs(numbers).encode_to_vec()))
        .concat();
    lookback.write("app.pb", file);
    lookback
        .execute(
            "CREATE FUNCTION slowly() RETURNS trigger LANGUAGE plpgsql \
             AS $$ BEGIN PERFORM pg_sleep(0.02); RETURN NULL; END $$",
        )
        .await;
    lookback
        .execute(
            "CREATE TRIGGER slowly AFTER UPDATE ON imports \
             FOR EACH STATEMENT EXECUTE FUNCTION slowly()",
        )
        .await;
    let call = ["import", "app.pb", "--batch", "40", "--resume"];
    let mut kills = 0;
    loop {
        let before = lookback.number(LOGS).await;
        let mut child = lookback
            .command(&call)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let deadline = Instant::now() + DEADLINE;
        let ended = loop {
            if let Some(status) = child.try_wait().unwrap() {
                break Some(status);
            }
            if lookback.number(LOGS).await > before + 200 * (kills + 1) {
                break None;
            }
            assert!(Instant::now() < deadline, "no progress beyond {before}");
            tokio::time::sleep(Duration::from_millis(3)).await;
        };
        if let Some(status) = ended {
            assert!(status.success(), "{status}");
            break;
        }
        child.kill().unwrap();
        child.wait().unwrap();
        kills += 1;
    }
    assert!(kills >= 3, "killed {kills} times only");
    assert_eq!(lookback.number(LOGS).await, RECORDS);
    assert_eq!(lookback.number(WRONG).await, 0);
    let again = lookback.run(&call[..2]).succeeded();
    assert!(
        again.err.contains("is already imported: 3,000 records"),
        "{again:#?}"
    );
}

/// The records of a stream are stored as they come.
#[cfg(unix)]
#[tokio::test]
async fn messages_of_a_stream_are_stored_as_they_come() {
    let lookback = Lookback::new().await;
    let mut child = lookback
        .command(&["import", "-"])
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut pipe = child.stdin.take().unwrap();
    for number in 0..4 {
        let message = framed(&logs(number..number + 1).encode_to_vec());
        // In parts, with a pause in the middle.
        let (first, rest) = message.split_at(message.len() / 2);
        pipe.write_all(first).unwrap();
        pipe.flush().unwrap();
        tokio::time::sleep(Duration::from_millis(150)).await;
        pipe.write_all(rest).unwrap();
        lookback.wait_for(LOGS, number.cast_signed() + 1).await;
    }
    drop(pipe);
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{output:#?}");
    assert_eq!(lookback.number(WRONG).await, 0);
}

/// What has the bytes of text is text, whatever its name, and is not held back.
#[cfg(unix)]
#[tokio::test]
async fn text_is_not_taken_for_protobuf() {
    let lookback = Lookback::new().await;
    let texts: [&[u8]; 6] = [
        b"\nlevel=info msg=one\n",
        b"\n\n\n{\n\"msg\":\"two\"\n}\n",
        b"A0\n\x0b three\n",
        b"\n\x08three and a half\n",
        b"[\xf0four\n",
        b"\x1b[31mfive\x1b[0m\n",
    ];
    for (place, text) in texts.iter().enumerate() {
        let name = format!("{place}.binpb");
        lookback.write(&name, text);
        let ran = lookback.run(&["import", &name]).succeeded();
        assert!(!ran.err.contains("record 1"), "{ran:#?}");
    }
    assert_eq!(lookback.number(LOGS).await, 7);
    // A line that protobuf could begin with is stored while the stream waits.
    for (number, text) in [
        (8, "\nlevel=info msg=live\n"),
        (9, "A0\n"),
        (10, "\n\n\nz\n"),
        (11, "\n\x07bell\n"),
        (12, "\x07bell\n"),
    ] {
        let mut child = lookback
            .command(&["import", "-"])
            .stdin(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut pipe = child.stdin.take().unwrap();
        pipe.write_all(text.as_bytes()).unwrap();
        lookback.wait_for(LOGS, number).await;
        drop(pipe);
        assert!(child.wait().unwrap().success());
    }
    for (number, text) in [
        (13, "a\0b\n"),
        (14, "\0\0\0\0\0\0\0\0\0\0\0behind a hole\n"),
    ] {
        let name = format!("{number}.log");
        lookback.write(&name, text);
        lookback.run(&["import", &name]).succeeded();
        assert_eq!(lookback.number(LOGS).await, number);
    }
    for (name, bytes) in [
        ("zeros", vec![0; 5_000]),
        ("noise", b"\0\0\x01\0noise\n".repeat(99)),
    ] {
        lookback.write(name, bytes);
        let ran = lookback.run(&["import", name]).failed(1);
        assert!(
            ran.err.contains("is no text: its first line has a byte 0"),
            "{ran:#?}"
        );
    }
    assert_eq!(lookback.number(LOGS).await, 14);
}

#[tokio::test]
async fn options_hold_for_protobuf_too() {
    let lookback = Lookback::new().await;
    let unnamed = LogsData {
        resource_logs: vec![ResourceLogs {
            scope_logs: vec![ScopeLogs {
                log_records: vec![log(1)],
                ..ScopeLogs::default()
            }],
            ..ResourceLogs::default()
        }],
    };
    lookback.write("app.pb", unnamed.encode_to_vec());
    lookback.write("push.bin", loki());
    lookback.write("spans.pb", spans(0..2).encode_to_vec());
    transcript!(lookback.run(&["import", "app.pb", "--dry-run", "--source", "named"]), @r#"
$ lookback import app.pb --dry-run --source named
{"logs":{"created_at":"2026-10-11T12:13:15Z","level":"warn","message":"line 1","meta":{"order":1},"source":"named"}}
"#);
    transcript!(lookback.run(&["import", "spans.pb", "--dry-run"]), @r#"
$ lookback import spans.pb --dry-run
{"requests":{"created_at":"2026-10-11T12:13:14Z","duration":5,"headers":{"kind":2,"name":"GET /carts","resource":{"service.name":"shop"},"scope":{"name":"orders"},"spanId":"0909090909090909"},"method":"GET","path":"/carts/0","stage":"unknown","timestamp":"2026-10-11T12:13:14Z","trace_id":"07070707070707070707070707070707","version":"unknown"}}
! spans.pb: would skip 1 span, which is no HTTP request of a server
"#);
    transcript!(lookback.run(&["import", "app.pb", "--kind", "logs"]), @"
$ lookback import app.pb --kind logs
! error: --kind: is for Lookback's own records, and app.pb is OpenTelemetry in protobuf
[exit code 2]
");
    transcript!(lookback.run(&["import", "app.pb", "--format", "loki"]), @"
$ lookback import app.pb --format loki
! error: app.pb, record 1: is not of the format loki
! hint: nothing is stored; to continue: the same command with --on-error skip
[exit code 1]
");
    transcript!(lookback.run(&["import", "push.bin", "--format", "otlp"]), @"
$ lookback import push.bin --format otlp
! error: push.bin, record 1: is not of the format otlp
! hint: nothing is stored; to continue: the same command with --on-error skip
[exit code 1]
");
    transcript!(lookback.run(&["import", "push.bin", "--kind", "logs"]), @"
$ lookback import push.bin --kind logs
! error: --kind: is for Lookback's own records, and push.bin is a push to Loki in protobuf
[exit code 2]
");
    // Of other formats, it is lines that are none of them.
    for (format, problem) in [
        ("json", "line 2: is not of the format json"),
        ("jsonl", "cannot detect the kind of the records"),
    ] {
        let ran = lookback
            .run(&["import", "app.pb", "--format", format])
            .failed(1);
        assert!(ran.err.contains(problem), "{ran:#?}");
    }
    assert_eq!(counts(&lookback).await, (0, 0));
    let call = [
        "import", "app.pb", "--format", "otlp", "--strict", "--source", "named",
    ];
    lookback.run(&call).succeeded();
    lookback
        .run(&["import", "push.bin", "--format", "loki", "--strict"])
        .succeeded();
    assert_eq!(counts(&lookback).await, (3, 0));
    let of_source = "SELECT count(*) FROM logs WHERE source = 'named'";
    assert_eq!(lookback.number(of_source).await, 1);
    let followed = lookback.run(&["import", "--follow", "app.pb"]).failed(2);
    assert!(
        followed
            .err
            .contains("app.pb is protobuf: --follow reads lines of text or JSON in UTF-8"),
        "{followed:#?}"
    );
}
