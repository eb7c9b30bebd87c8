//! An import that is killed at any time leaves whole batches, and can be resumed.

use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::{self, Lookback};

const LINES: i64 = 60_000;
const BATCH: i64 = 250;

#[tokio::test]
async fn killed_import_resumes_after_whole_batches() {
    let lookback = Lookback::new().await;
    let text: String = (0..LINES)
        .map(|n| {
            let line = json!({"source": "s", "level": "info", "message": format!("line {n}"), "meta": {"n": n}});
            format!("{line}\n")
        })
        .collect();
    lookback.write("logs.jsonl", text);
    let batch = BATCH.to_string();
    let mut call = vec!["import", "logs.jsonl", "--batch", &batch];

    let stored = async || {
        lookback
            .number("SELECT coalesce(max(stored), 0) FROM imports")
            .await
    };
    // Slows the import down, so that it does not finish before it is killed.
    lookback
        .execute(
            "CREATE FUNCTION slowly() RETURNS trigger LANGUAGE plpgsql \
             AS $$ BEGIN PERFORM pg_sleep(0.005); RETURN NULL; END $$",
        )
        .await;
    lookback
        .execute(
            "CREATE TRIGGER slowly AFTER UPDATE ON imports \
             FOR EACH STATEMENT EXECUTE FUNCTION slowly()",
        )
        .await;
    let mut kills = 0;
    loop {
        let before = stored().await;
        let mut child = lookback
            .command(&call)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        // At a different point each time, and after some progress.
        let deadline = Instant::now() + Duration::from_secs(120);
        let goal = before + 1 + 7 * BATCH * kills;
        let ended = loop {
            if let Some(status) = child.try_wait().unwrap() {
                break Some(status);
            }
            if stored().await >= goal {
                break None;
            }
            assert!(
                Instant::now() < deadline,
                "no progress beyond {before} lines"
            );
            tokio::time::sleep(Duration::from_millis(1 + 3 * u64::try_from(kills).unwrap())).await;
        };
        if let Some(status) = ended {
            assert!(status.success(), "{status}");
            break;
        }
        child.kill().unwrap();
        child.wait().unwrap();
        kills += 1;

        // The rows and their count are stored in one transaction.
        let counted =
            "SELECT count(*) = (SELECT stored FROM imports) AND count(*) % 250 = 0 FROM logs";
        assert_eq!(
            lookback.number(&format!("SELECT ({counted})::int")).await,
            1
        );
        if stored().await < LINES {
            let again = lookback.run(&call[..2]).failed(1);
            assert!(again.err.contains("records are stored"), "{}", again.err);
            assert!(again.err.contains("--resume"), "{}", again.err);
        }
        if call.len() == 4 {
            call.push("--resume");
        }
    }
    assert!(kills >= 3, "killed {kills} times only");
    assert_eq!(lookback.number("SELECT count(*) FROM logs").await, LINES);
    assert_eq!(
        lookback
            .number("SELECT count(DISTINCT meta->>'n') FROM logs")
            .await,
        LINES
    );
    assert_eq!(
        lookback
            .number("SELECT count(*) FROM imports WHERE finished_at IS NOT NULL")
            .await,
        1
    );
}

/// A log line.
const LINE: &[u8] = b"{\"source\": \"s\", \"level\": \"info\", \"message\": \"m\"}\n";

/// Starts an import of standard input, one line per batch.
fn start(lookback: &Lookback) -> Child {
    lookback
        .command(&[
            "import", "-", "--batch", "1", "--name", "n", "--kind", "logs",
        ])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

#[cfg(unix)]
fn interrupt(child: &Child) {
    support::signal(child, nix::sys::signal::Signal::SIGINT);
}

#[cfg(unix)]
#[tokio::test]
async fn interrupted_import_prints_how_much_is_stored() {
    let lookback = Lookback::new().await;
    let mut child = start(&lookback);
    let mut input = child.stdin.take().unwrap();
    std::io::Write::write_all(&mut input, &LINE.repeat(3)).unwrap();
    lookback.wait_for("SELECT count(*) FROM logs", 2).await;
    interrupt(&child);
    // With the input still open, though no more lines may come.
    let output = child.wait_with_output().unwrap();
    drop(input);
    let err = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(130), "{err}");
    assert!(err.contains("stored") && err.contains("--resume"), "{err}");
}

#[cfg(unix)]
#[tokio::test]
async fn import_that_waits_for_the_database_can_be_interrupted() {
    let lookback = Lookback::new().await;
    let mut child = start(&lookback);
    let mut input = child.stdin.take().unwrap();
    std::io::Write::write_all(&mut input, &LINE.repeat(2)).unwrap();
    lookback.wait_for("SELECT count(*) FROM logs", 1).await;
    let pool = &lookback.db.as_ref().unwrap().pool;
    let mut blocking = pool.begin().await.unwrap();
    sqlx::query("LOCK TABLE logs IN EXCLUSIVE MODE")
        .execute(&mut *blocking)
        .await
        .unwrap();
    std::io::Write::write_all(&mut input, &LINE.repeat(2)).unwrap();
    lookback.wait_for("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'",
        1,
    )
    .await;
    interrupt(&child);
    // The table stays locked until the import has ended.
    let output = child.wait_with_output().unwrap();
    blocking.rollback().await.unwrap();
    let err = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(130), "{err}");
    assert!(err.contains("stored") && err.contains("--resume"), "{err}");
}

const TERMINATE: &str = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity \
     WHERE datname = current_database() AND application_name = 'lookback'";

#[tokio::test]
async fn import_that_loses_its_server_prints_how_much_is_stored() {
    let lookback = Lookback::new().await;
    lookback.write("logs.jsonl", LINE.repeat(20_000));
    let child = lookback
        .command(&["import", "logs.jsonl", "--batch", "1"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let started = "SELECT least(count(*), 2) FROM logs";
    lookback.wait_for(started, 2).await;
    assert_eq!(lookback.number(TERMINATE).await, 1);
    let output = child.wait_with_output().unwrap();
    let err = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{err}");
    assert!(err.contains("stored") && err.contains("--resume"), "{err}");
}

/// A stream is stored soon, however slowly it comes; what was read outlives lost connections and
/// SIGTERM, each line once.
#[cfg(unix)]
#[tokio::test]
async fn stream_is_stored_soon_and_outlives_lost_connections() {
    let lookback = Lookback::new().await;
    let mut child = lookback
        .command(&["import", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    let mut sent = 0;
    let mut send = |lines: i64| {
        let number = |number| format!("{{\"msg\":\"line {number}\",\"level\":30}}\n");
        let text: String = (sent..sent + lines).map(number).collect();
        sent += lines;
        std::io::Write::write_all(&mut input, text.as_bytes()).unwrap();
        sent
    };
    let count = "SELECT count(DISTINCT message) FROM logs";
    for lines in [1, 1, 40, 7_000] {
        let all = send(lines);
        lookback.wait_for(count, all).await;
        // Before, during or after a batch.
        lookback.number(TERMINATE).await;
    }
    let all = send(3_000);
    lookback.number(TERMINATE).await;
    // Text waits for a stack trace, and is stored with it.
    std::io::Write::write_all(&mut input, b"the last line\n").unwrap();
    support::signal(&child, nix::sys::signal::Signal::SIGTERM);
    let output = child.wait_with_output().unwrap();
    drop(input);
    let err = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(130), "{err}");
    assert_eq!(
        lookback.number("SELECT count(*) FROM logs").await,
        all + 1,
        "{err}"
    );
    assert_eq!(lookback.number(count).await, all + 1, "{err}");
}
