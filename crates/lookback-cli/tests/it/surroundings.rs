//! What surrounds the program: settings of the role, the disk of the server, the output, and files
//! that are not what import reads. Each error says the cause and what to do.

use std::fs::OpenOptions;
use std::process::Stdio;

use crate::support::{Lookback, Ran, transcript};

/// Applies a setting to new sessions in the database.
async fn set(lookback: &Lookback, setting: &str) {
    lookback
        .execute(&format!(
            "DO $do$ BEGIN EXECUTE format('ALTER DATABASE %I SET ', current_database()) \
             || $set${setting}$set$; END $do$"
        ))
        .await;
}

/// No message contains a line of the server's own source, which looks like one of a file.
fn assert_no_source_line(ran: &Ran) {
    for text in [&ran.out, &ran.err] {
        let position = text.find(" at line ");
        assert_eq!(position, None, "{ran:#?}");
    }
}

const LINE: &str = "{\"source\": \"API\", \"level\": \"info\", \"message\": \"ready\"}\n";

#[tokio::test]
async fn statement_timeout_of_the_database_is_named() {
    let lookback = Lookback::new().await;
    lookback.write("logs.jsonl", LINE);
    set(&lookback, "statement_timeout = '300ms'").await;
    let _lock = lookback.lock_logs().await;
    let call = ["import", "logs.jsonl"];
    let ran = lookback.run(&call).failed(1);
    assert_no_source_line(&ran);
    transcript!(ran, @"
$ lookback import logs.jsonl
! error: the database did not answer in time: canceling statement due to statement timeout
! hint: a statement_timeout of the role, the database or the server cancelled it, or another session did: raise it (ALTER ROLE … SET statement_timeout = '5min'), or run this command without one: PGOPTIONS='-c statement_timeout=0' lookback …; nothing is stored; to continue: the same command
[exit code 1]
");
    for call in [
        ["logs", "export"].as_slice(),
        &["logs", "delete", "1"],
        &["storage", "status"],
        &["db", "reembed"],
    ] {
        let ran = lookback.run(call).failed(1);
        assert_no_source_line(&ran);
        assert!(
            ran.err
                .contains("canceling statement due to statement timeout")
                && ran.err.contains("PGOPTIONS='-c statement_timeout=0'"),
            "{ran:#?}"
        );
    }
}

#[tokio::test]
async fn statement_timeout_is_lifted_as_the_hint_says() {
    let lookback = Lookback::new().await;
    set(&lookback, "statement_timeout = '1ms'").await;
    let output = lookback
        .command(&["storage", "status"])
        .env("PGOPTIONS", "-c statement_timeout=0")
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:#?}");
}

#[tokio::test]
async fn search_path_without_the_tables_is_named() {
    let lookback = Lookback::new().await;
    lookback.write("logs.jsonl", LINE);
    set(&lookback, "search_path = 'nowhere'").await;
    for call in [
        ["logs", "list"].as_slice(),
        &["logs", "search", "x"],
        &["storage", "status"],
        &["import", "logs.jsonl"],
        &["users", "list"],
    ] {
        let ran = lookback.run(call).failed(1);
        assert_no_source_line(&ran);
        assert!(
            ran.err.contains("search_path") && ran.err.contains("public"),
            "{ran:#?}"
        );
    }
    transcript!(lookback.run(&["logs", "list"]), @"
$ lookback logs list
! error: the table logs is in the schema public, which is not in the search_path (nowhere)
! hint: ALTER ROLE lookback SET search_path = public (or reset it where it was set: ALTER DATABASE, PGOPTIONS), or add to the URL: ?options=-csearch_path%3Dpublic
[exit code 1]
");

    let empty = Lookback::with(Some(testkit::empty_database().await));
    set(&empty, "search_path = 'nowhere'").await;
    let ran = empty.run(&["db", "migrate"]).failed(1);
    assert_no_source_line(&ran);
    transcript!(ran, @"
$ lookback db migrate
! error: the database refused: no schema has been selected to create in (SQLSTATE 3F000)
! hint: the schemas of the tables and of the extension vector must be in the search_path: ALTER ROLE … SET search_path = public, or in the URL: ?options=-csearch_path%3Dpublic
[exit code 1]
");
}

#[tokio::test]
async fn full_disk_of_the_server_is_named() {
    let lookback = Lookback::new().await;
    lookback.write("logs.jsonl", LINE.repeat(3));
    // The server reports a full disk with this code.
    lookback
        .execute(
            "CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
             RAISE EXCEPTION 'could not extend file \"base/1/2\": No space left on device' \
             USING ERRCODE = '53100'; END $$",
        )
        .await;
    lookback
        .execute("CREATE TRIGGER full_disk BEFORE INSERT ON logs FOR EACH ROW EXECUTE FUNCTION full_disk()")
        .await;
    let ran = lookback.run(&["import", "logs.jsonl"]).failed(1);
    assert_no_source_line(&ran);
    transcript!(ran, @r#"
$ lookback import logs.jsonl
! error: the database refused: could not extend file "base/1/2": No space left on device (SQLSTATE 53100)
! hint: the disk of the server is full: free space on it, or make it larger, and retry; nothing is stored; to continue: the same command
[exit code 1]
"#);
    assert_eq!(lookback.number("SELECT count(*) FROM logs").await, 0);
}

#[tokio::test]
async fn server_that_only_reads_is_named() {
    let lookback = Lookback::new().await;
    lookback.write("logs.jsonl", LINE);
    set(&lookback, "default_transaction_read_only = on").await;
    let ran = lookback.run(&["import", "logs.jsonl"]).failed(1);
    assert_no_source_line(&ran);
    transcript!(ran, @"
$ lookback import logs.jsonl
! error: the database refused: cannot execute COPY FROM in a read-only transaction (SQLSTATE 25006)
! hint: the server is a standby, or default_transaction_read_only is on: connect to the primary, or as a role that may write; nothing is stored; to continue: the same command
[exit code 1]
");
}

/// `/dev/full` accepts nothing, like a full disk.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn output_that_is_full_is_named() {
    let lookback = Lookback::new().await;
    lookback.write("logs.jsonl", LINE);
    lookback.run(&["import", "logs.jsonl"]).succeeded();
    for call in [
        ["logs", "list"].as_slice(),
        &["logs", "list", "--json"],
        &["logs", "get", "1"],
        &["logs", "get", "1", "--json"],
        &["logs", "stats"],
        &["logs", "search", "ready"],
        &["logs", "export"],
        &["logs", "export", "--format", "csv"],
        &["logs", "export", "--out", "/dev/full"],
        &["storage", "status"],
        &["config"],
        &["completions", "bash"],
        &["man"],
        &["--help"],
        &["logs", "list", "-h"],
        &["--version"],
        &["db", "status"],
        &["db", "pull"],
    ] {
        let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
        let output = lookback
            .command(call)
            .stdin(Stdio::null())
            .stdout(full)
            .output()
            .unwrap();
        let err = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{call:?}: {err}");
        assert!(
            err.contains("error: cannot write ") && err.contains("No space left on device"),
            "{call:?}: {err}"
        );
        assert!(
            err.contains("hint: free some space there"),
            "{call:?}: {err}"
        );
    }
    // The records are stored; only the report is not printed.
    lookback.write("more.jsonl", LINE.replace("ready", "steady"));
    let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
    let output = lookback
        .command(&["import", "more.jsonl", "--json"])
        .stdout(full)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1), "{output:#?}");
    assert_eq!(lookback.number("SELECT count(*) FROM logs").await, 2);
}

#[tokio::test]
async fn file_that_import_does_not_read_has_a_command_that_converts_it() {
    let lookback = Lookback::new().await;
    lookback.write("app.zip", b"PK\x03\x04\0\0\0\0\0\0");
    transcript!(lookback.run(&["import", "app.zip"]), @"
$ lookback import app.zip
! error: app.zip is a ZIP archive: expected text, or Parquet
! hint: convert it on the way: unzip -p app.zip | lookback import - --name NAME
[exit code 2]
");
    transcript!(lookback.run_with(&["import", "-"], b"\x04\x22\x4d\x18"), @"
$ lookback import -
! error: standard input is compressed by lz4: expected text, or Parquet
! hint: convert it on the way: … | lz4 -dc | lookback import - --name NAME
[exit code 2]
");
    lookback.write("a b.log", "2026-01-01 INFO ready\n2026-01-01 INFO steady\n");
    transcript!(lookback.run(&["import", "a b.log", "--kind", "logs"]), @"
$ lookback import a b.log --kind logs
! error: a b.log, line 1: is not JSON: trailing characters at column 5
! hint: nothing is stored; this seems to be plain text, which import reads without --kind and --format
[exit code 1]
");
    lookback.run(&["import", "a b.log"]).succeeded();
    lookback.write("array.json", "[\n  {\"message\": \"x\"}\n]\n");
    lookback.run(&["import", "array.json"]).succeeded();
    lookback.write("pretty.json", "{\n  \"message\": \"x\"\n}\n");
    transcript!(lookback.run(&["import", "pretty.json", "--kind", "logs"]), @"
$ lookback import pretty.json --kind logs
! error: pretty.json, line 1: is not JSON: EOF while parsing an object at column 1
! hint: nothing is stored; this seems to be JSON over several lines, which import reads without --kind and --format
[exit code 1]
");
    lookback.run(&["import", "pretty.json"]).succeeded();
    lookback.write("cut.parquet", "PAR1 and no more");
    transcript!(lookback.run(&["import", "cut.parquet"]), @"
$ lookback import cut.parquet
! error: cut.parquet: is not a valid Parquet file: Parquet error: Invalid Parquet file. Corrupt footer
[exit code 1]
");
    lookback.write("damaged.jsonl", "{\"message\": \n");
    transcript!(lookback.run(&["import", "damaged.jsonl", "--kind", "logs"]), @"
$ lookback import damaged.jsonl --kind logs
! error: damaged.jsonl, line 1: is not JSON: EOF while parsing a value at column 12
! hint: nothing is stored; to continue: the same command, after correcting the line or with --on-error skip
[exit code 1]
");
}
