//! Pipes whose content was imported before.

use std::io::Write as _;
use std::process::Child;
use std::time::Duration;

use nix::sys::signal::Signal;

use crate::stream::start;
use crate::support::{self, Lookback, Ran, transcript};

/// Lines of a program, of about 50 bytes.
fn lines(range: std::ops::Range<u32>) -> String {
    let line =
        |number| format!("{{\"level\":\"info\",\"msg\":\"order {number:06} was shipped\"}}\n");
    range.map(line).collect()
}

async fn stored(lookback: &Lookback) -> i64 {
    lookback.number("SELECT count(*) FROM logs").await
}

fn pipe(lookback: &Lookback, options: &[&str], text: impl AsRef<[u8]>) -> Ran {
    let call = [&["import", "-"], options].concat();
    lookback.run_with(&call, text.as_ref())
}

fn end(child: Child) -> (Option<i32>, String) {
    let output = child.wait_with_output().unwrap();
    (
        output.status.code(),
        String::from_utf8(output.stderr).unwrap(),
    )
}

#[tokio::test]
async fn content_of_a_pipe_is_recognised() {
    let lookback = Lookback::new().await;
    let text = lines(0..100);
    pipe(&lookback, &[], &text).succeeded();
    transcript!(pipe(&lookback, &[], &text), @"
$ lookback import -
! warning: standard input has the same content as an earlier one, which is already imported (100 records, 0 lines rejected): nothing of it is stored; to import it, too: --restart
");
    assert_eq!(stored(&lookback).await, 100);
    // Under a name, too, and as a file.
    transcript!(pipe(&lookback, &["--name", "orders", "--json"], &text), @r#"
$ lookback import - --name orders --json
{"data":{"finished":true,"lines":100,"rejected":0,"rejected_in_all":0,"stored":0,"stored_in_all":100}}
! warning: standard input has the same content as an earlier one, which is already imported (100 records, 0 lines rejected): nothing of it is stored; to import it, too: --restart
"#);
    lookback.write("orders.jsonl", &text);
    transcript!(lookback.run(&["import", "orders.jsonl"]), @"
$ lookback import orders.jsonl
! orders.jsonl is already imported as standard input: 100 records, 0 lines rejected; to import it again: --restart
");
    assert_eq!(stored(&lookback).await, 100);
    transcript!(pipe(&lookback, &["--restart"], &text), @"
$ lookback import - --restart
! standard input: 100 log lines and 0 requests in [time] ([rate] records/s)
");
    assert_eq!(stored(&lookback).await, 200);
    pipe(&lookback, &[], &text).succeeded();
    assert_eq!(stored(&lookback).await, 200);
}

#[tokio::test]
async fn file_that_is_sent_through_a_pipe_is_recognised() {
    let lookback = Lookback::new().await;
    let text = lines(0..60_000);
    lookback.write("orders.jsonl", &text);
    lookback.run(&["import", "orders.jsonl"]).succeeded();
    let ran = pipe(&lookback, &["--quiet"], &text).succeeded();
    let folder = lookback.folder().canonicalize().unwrap();
    let err = ran.err.replace(&folder.display().to_string(), "[folder]");
    insta::assert_snapshot!(err, @"
warning: standard input has the same content as [folder]/orders.jsonl, which is already imported (60,000 records, 0 lines rejected): nothing of it is stored; to import it, too: --restart
");
    assert_eq!(stored(&lookback).await, 60_000);
}

#[tokio::test]
async fn rest_of_a_pipe_behind_known_content_is_imported() {
    let lookback = Lookback::new().await;
    pipe(&lookback, &[], lines(0..100)).succeeded();
    transcript!(pipe(&lookback, &[], lines(0..130)), @"
$ lookback import -
! warning: standard input up to line 100 is already imported (100 records): only the rest is stored; to import all of it: --restart
! standard input: 30 log lines and 0 requests in [time] ([rate] records/s)
");
    assert_eq!(stored(&lookback).await, 130);
    // The longest that is known counts.
    transcript!(pipe(&lookback, &["--name", "orders"], lines(0..150)), @"
$ lookback import - --name orders
! warning: standard input up to line 130 is already imported as standard input (130 records): only the rest is stored; to import all of it: --restart
! standard input: 20 log lines and 0 requests in [time] ([rate] records/s)
");
    assert_eq!(stored(&lookback).await, 150);
    transcript!(pipe(&lookback, &[], lines(0..150)), @"
$ lookback import -
! warning: standard input has the same content as orders, which is already imported (150 records, 0 lines rejected): nothing of it is stored; to import it, too: --restart
");
    // The shorter one is known, and the longer one goes on in another way.
    let other = lines(0..140) + &lines(1_000..1_010);
    transcript!(pipe(&lookback, &[], &other), @"
$ lookback import -
! warning: standard input up to line 130 is already imported (130 records): only the rest is stored; to import all of it: --restart
! standard input: 20 log lines and 0 requests in [time] ([rate] records/s)
");
    let distinct = "SELECT count(DISTINCT message) FROM logs";
    assert_eq!(lookback.number(distinct).await, 160);
}

/// Within a line, nothing goes on: the line would be stored in two parts.
#[tokio::test]
async fn known_content_that_ends_within_a_line_is_known_only_as_a_whole() {
    let lookback = Lookback::new().await;
    let half = lines(0..100) + "{\"level\":\"info\",\"msg\":\"half";
    pipe(&lookback, &[], &half).succeeded();
    assert_eq!(stored(&lookback).await, 101);
    let again = pipe(&lookback, &[], &half).succeeded();
    assert!(again.err.contains("already imported"), "{again:#?}");
    let whole = half + " a line\"}\n";
    pipe(&lookback, &[], &whole).succeeded();
    lookback.write("whole.jsonl", &whole);
    assert_eq!(stored(&lookback).await, 202);
    let line = "SELECT count(*) FROM logs WHERE message = 'half a line'";
    assert_eq!(lookback.number(line).await, 1);
    // A last line that only lacks its line end goes on.
    let text = lines(200..300);
    pipe(&lookback, &[], text.trim_end()).succeeded();
    pipe(&lookback, &[], lines(200..310)).succeeded();
    assert_eq!(stored(&lookback).await, 312);
    let distinct = "SELECT count(DISTINCT message) FROM logs WHERE message LIKE 'order 0002%'";
    assert_eq!(lookback.number(distinct).await, 100);
}

#[tokio::test]
async fn pipe_that_only_begins_alike_is_imported() {
    let lookback = Lookback::new().await;
    pipe(&lookback, &[], lines(0..100)).succeeded();
    let other = lines(0..99) + &lines(1_000..1_200);
    pipe(&lookback, &[], &other).succeeded();
    assert_eq!(stored(&lookback).await, 100 + 299);
    // Too short to be told from others.
    for times in 1..=2 {
        pipe(&lookback, &[], lines(5_000..5_010)).succeeded();
        assert_eq!(stored(&lookback).await, 399 + 10 * times);
    }
    // Of another kind, as an option says.
    let logs = |id: u32| {
        format!("{{\"source\":\"API\",\"level\":\"info\",\"message\":\"record {id:040}\"}}\n")
    };
    let logs: String = (0..30).map(logs).collect();
    pipe(&lookback, &["--format", "json"], &logs).succeeded();
    let before = stored(&lookback).await;
    pipe(&lookback, &["--kind", "logs"], &logs).succeeded();
    assert_eq!(stored(&lookback).await, before + 30);
}

/// What is longer than memory keeps goes to a temporary file, and comes again in any case.
#[tokio::test]
async fn long_pipe_that_differs_at_its_end_is_imported_as_a_whole() {
    let lookback = Lookback::new().await;
    let padding = "x".repeat(5_000);
    let line =
        |number| format!("{{\"level\":\"info\",\"msg\":\"{number:06}\",\"p\":\"{padding}\"}}\n");
    let text: String = (0..8_000).map(line).collect();
    assert!(text.len() > 40_000_000);
    lookback.write("long.jsonl", &text);
    lookback.run(&["import", "long.jsonl"]).succeeded();
    let cut = text.len() - 3;
    let other = format!("{}y\"}}\n", &text[..cut - 1]);
    assert_eq!(other.len(), text.len());
    pipe(&lookback, &[], &other).succeeded();
    assert_eq!(stored(&lookback).await, 16_000);
    let distinct = "SELECT count(DISTINCT (message, meta)) FROM logs";
    assert_eq!(lookback.number(distinct).await, 8_001);
    pipe(&lookback, &[], &text).succeeded();
    pipe(&lookback, &[], &other).succeeded();
    assert_eq!(stored(&lookback).await, 16_000);
}

#[tokio::test]
async fn pipe_that_stops_in_known_content_is_stored_soon_and_at_a_signal() {
    let lookback = Lookback::new().await;
    pipe(&lookback, &[], lines(0..100)).succeeded();
    let (child, mut input) = start(&lookback, &[]);
    input.write_all(lines(0..50).as_bytes()).unwrap();
    // While it goes on within some seconds, nothing is stored.
    for number in 50..56 {
        tokio::time::sleep(Duration::from_millis(500)).await;
        input
            .write_all(lines(number..number + 1).as_bytes())
            .unwrap();
        assert_eq!(stored(&lookback).await, 100);
    }
    lookback.wait_for("SELECT count(*) FROM logs", 156).await;
    input.write_all(lines(56..60).as_bytes()).unwrap();
    drop(input);
    let (code, err) = end(child);
    assert_eq!((code, stored(&lookback).await), (Some(0), 160), "{err}");
    // What has come until a signal is stored, as far as it is new: 60 lines are known, and 100.
    let (child, mut input) = start(&lookback, &[]);
    input.write_all(lines(0..70).as_bytes()).unwrap();
    tokio::time::sleep(Duration::from_millis(1_000)).await;
    assert_eq!(stored(&lookback).await, 160);
    support::signal(&child, Signal::SIGTERM);
    let (code, err) = end(child);
    drop(input);
    assert_eq!(code, Some(130), "{err}");
    assert_eq!(stored(&lookback).await, 170, "{err}");
    // It may be before the first line.
    let (child, mut input) = start(&lookback, &[]);
    input.write_all(b"{\"level\":\"info\",").unwrap();
    tokio::time::sleep(Duration::from_millis(1_000)).await;
    support::signal(&child, Signal::SIGTERM);
    let (code, err) = end(child);
    drop(input);
    assert_eq!(code, Some(130), "{err}");
}

/// One that begins as known content, and goes on in another way line by line, is not held back for
/// as long as the known content is.
#[tokio::test]
async fn pipe_that_goes_on_slowly_is_stored_soon() {
    let lookback = Lookback::new().await;
    pipe(&lookback, &[], lines(0..5_000)).succeeded();
    let (child, mut input) = start(&lookback, &[]);
    input.write_all(lines(0..30).as_bytes()).unwrap();
    let mut sent = 30;
    while stored(&lookback).await == 5_000 {
        assert!(sent < 600, "nothing is stored");
        let line = lines(10_000 + sent..10_001 + sent);
        input.write_all(line.as_bytes()).unwrap();
        sent += 1;
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    drop(input);
    let (code, err) = end(child);
    assert_eq!(code, Some(0), "{err}");
    assert_eq!(stored(&lookback).await, 5_000 + i64::from(sent));
}

#[tokio::test]
async fn record_of_several_lines_is_not_cut() {
    let lookback = Lookback::new().await;
    let frames = |range: std::ops::Range<u32>| -> String {
        let frame = |number| format!("    at handler_{number:04} (/app/src/orders.js:{number})\n");
        range.map(frame).collect()
    };
    let text = "2026-01-31T12:00:00Z ERROR boom\n".to_owned() + &frames(0..30);
    pipe(&lookback, &[], &text).succeeded();
    let whole = text.clone() + &frames(30..40) + "2026-01-31T12:00:01Z INFO next\n";
    pipe(&lookback, &[], &whole).succeeded();
    let trace = "SELECT count(*) FROM logs WHERE message LIKE '%boom%handler_0039%'";
    assert_eq!(lookback.number(trace).await, 1);
    assert_eq!(stored(&lookback).await, 3);
    // A next record begins behind it.
    let next = text + "2026-01-31T12:00:02Z INFO another\n";
    let ran = pipe(&lookback, &[], &next).succeeded();
    assert!(ran.err.contains("only the rest is stored"), "{ran:#?}");
    assert_eq!(stored(&lookback).await, 4);
}

#[tokio::test]
async fn pause_within_a_row_is_not_its_end() {
    let lookback = Lookback::new().await;
    let csv: &[&str] = &["--format", "csv", "--kind", "logs"];
    let row = |number: u32| format!("API,info,record {number:030}\n");
    let rows: String = (0..40).map(row).collect();
    let text = format!("source,level,message\n{rows}API,info,first");
    pipe(&lookback, csv, &text).succeeded();
    let (child, mut input) = start(&lookback, csv);
    input.write_all(text.as_bytes()).unwrap();
    tokio::time::sleep(Duration::from_secs(7)).await;
    input.write_all(b" and last\n").unwrap();
    drop(input);
    let (code, err) = end(child);
    assert_eq!(code, Some(0), "{err}");
    let whole = "SELECT count(*) FROM logs WHERE message = 'first and last'";
    assert_eq!(lookback.number(whole).await, 1, "{err}");
    assert_eq!(stored(&lookback).await, 82);
}

#[tokio::test]
async fn pipes_of_each_format_are_recognised() {
    let lookback = Lookback::new().await;
    let logs = |id: u32| {
        format!("{{\"source\":\"API\",\"level\":\"info\",\"message\":\"record {id:040}\"}}\n")
    };
    let logs: String = (0..50).map(logs).collect();
    lookback.write("first.jsonl", &logs);
    lookback.run(&["import", "first.jsonl"]).succeeded();
    for name in ["logs.csv", "logs.parquet"] {
        lookback.run(&["logs", "export", "--out", name]).succeeded();
    }
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(logs.as_bytes()).unwrap();
    let level = ruzstd::encoding::CompressionLevel::Fastest;
    let utf16 = std::iter::once(0xfeff).chain(logs.encode_utf16());
    let csv: &[&str] = &["--kind", "logs", "--format", "csv"];
    let mut all = 50;
    for (name, options, bytes) in [
        ("CSV", csv, lookback.read("logs.csv")),
        (
            "Parquet",
            &["--kind", "logs"],
            lookback.read("logs.parquet"),
        ),
        ("gzip", &[], gzip.finish().unwrap()),
        (
            "zstd",
            &[],
            ruzstd::encoding::compress_to_vec(logs.as_bytes(), level),
        ),
        ("UTF-16", &[], utf16.flat_map(u16::to_le_bytes).collect()),
    ] {
        // Compressed text is the text that was imported as a file.
        let is_new = ["CSV", "Parquet"].contains(&name);
        let first = pipe(&lookback, options, &bytes).succeeded();
        all += if is_new { 50 } else { 0 };
        assert_eq!(stored(&lookback).await, all, "{name}: {first:#?}");
        let again = pipe(&lookback, options, &bytes).succeeded();
        assert!(again.err.contains("already imported"), "{name}: {again:#?}");
        assert_eq!(stored(&lookback).await, all, "{name}");
    }
}

#[tokio::test]
async fn rows_of_csv_are_stored_while_the_stream_goes_on_and_at_a_signal() {
    let lookback = Lookback::new().await;
    let (child, mut input) = start(&lookback, &["--format", "csv", "--kind", "logs"]);
    input
        .write_all(b"source,level,message\nAPI,info,first\n")
        .unwrap();
    lookback.wait_for("SELECT count(*) FROM logs", 1).await;
    // In parts, one of which ends within quotes.
    for part in [
        "API,info,\"two\nlin",
        "es, and \"\"",
        "quotes\"\"\"\r",
        "\nAPI,in",
    ] {
        input.write_all(part.as_bytes()).unwrap();
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    let message = "SELECT count(*) FROM logs WHERE message = E'two\\nlines, and \"quotes\"'";
    lookback.wait_for(message, 1).await;
    input.write_all(b"fo,last\n").unwrap();
    lookback.wait_for("SELECT count(*) FROM logs", 3).await;
    support::signal(&child, Signal::SIGTERM);
    let (code, err) = end(child);
    drop(input);
    assert_eq!((code, stored(&lookback).await), (Some(130), 3), "{err}");
}
