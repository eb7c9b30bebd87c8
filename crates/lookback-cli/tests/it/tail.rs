//! `tail`: records as they arrive, until the program is interrupted.
#![cfg(unix)]

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, Stdio};
use std::sync::{Arc, mpsc};

use nix::sys::signal::Signal;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use testkit::KillableServer;
use testkit::proxy::{Fault, Proxy};

use crate::support::{self, DEADLINE, Lookback};

/// A running `tail`, whose lines arrive in a thread.
struct Tail {
    child: Child,
    lines: mpsc::Receiver<String>,
}

impl Tail {
    fn start(lookback: &Lookback, arguments: &[&str]) -> Self {
        let mut child = lookback
            .command(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let (sender, lines) = mpsc::channel();
        std::thread::spawn(move || {
            let mut line = String::new();
            while out.read_line(&mut line).unwrap() > 0 {
                if sender.send(std::mem::take(&mut line)).is_err() {
                    return;
                }
            }
        });
        Self { child, lines }
    }

    #[track_caller]
    fn line(&self) -> String {
        self.lines.recv_timeout(DEADLINE).unwrap()
    }

    /// Ends it by a signal, and returns the lines that were left and its messages.
    fn end(mut self, signal: Signal) -> (Vec<String>, String) {
        support::signal(&self.child, signal);
        let mut err = String::new();
        let mut messages = self.child.stderr.take().unwrap();
        messages.read_to_string(&mut err).unwrap();
        assert_eq!(self.child.wait().unwrap().code(), Some(130), "{err}");
        (self.lines.iter().collect(), err)
    }
}

async fn insert(lookback: &Lookback, level: &str, message: &str) {
    lookback
        .execute(&format!(
            "INSERT INTO logs (source, level, message, created_at) \
             VALUES ('API', '{level}', {message}, '2026-01-01 08:00:00+00')"
        ))
        .await;
}

fn message(line: &str) -> String {
    let record: serde_json::Value = serde_json::from_str(line).unwrap();
    record["message"].as_str().unwrap().to_owned()
}

/// The position that an interrupted tail names.
fn position(err: &str) -> String {
    let (_, position) = err.split_once("--after ").unwrap();
    position.trim().to_owned()
}

#[tokio::test]
async fn tail_prints_last_records_and_those_that_arrive() {
    let lookback = Lookback::new().await;
    for n in 0..4 {
        insert(&lookback, "warn", &format!("'old {n}'")).await;
    }
    let tail = Tail::start(
        &lookback,
        &["logs", "tail", "-n", "2", "level__in=warn,error"],
    );
    let line = tail.line();
    assert_eq!(line, "2026-01-01T08:00:00Z  warn  API  old 2\n");
    assert_eq!(tail.line(), "2026-01-01T08:00:00Z  warn  API  old 3\n");
    insert(&lookback, "info", "'not asked for'").await;
    insert(&lookback, "error", r"E'a \x1b[2J b\nc'").await;
    assert_eq!(
        tail.line(),
        "2026-01-01T08:00:00Z  error  API  a \u{fffd}[2J b⏎c\n"
    );
    let (left, err) = tail.end(Signal::SIGINT);
    assert_eq!(left, Vec::<String>::new());
    assert!(
        err.starts_with(
            "error: interrupted\n\
             hint: to continue with the next record: \
             lookback logs tail level__in=warn,error --after "
        ),
        "{err}"
    );

    // What arrives meanwhile is printed when it continues.
    insert(&lookback, "warn", "'meanwhile'").await;
    let filter = "level__in=warn,error";
    let call = ["logs", "tail", filter, "--json", "--after", &position(&err)];
    let tail = Tail::start(&lookback, &call);
    let line = tail.line();
    assert_eq!(message(&line), "meanwhile");
    // The objects of `list --json`.
    let page = lookback
        .run(&["logs", "list", "--json", "--limit", "1"])
        .json();
    let record: serde_json::Value = serde_json::from_str(&line).unwrap();
    assert_eq!(record, page["data"][0]);
    let (left, _) = tail.end(Signal::SIGTERM);
    assert_eq!(left, Vec::<String>::new());
}

#[tokio::test]
async fn requests_and_deleted_records_are_followed_too() {
    let lookback = Lookback::new().await;
    let tail = Tail::start(&lookback, &["requests", "tail", "--deleted", "with"]);
    let insert = "INSERT INTO request_snapshots \
        (method, path, timestamp, version, stage, status_code, duration, deleted_at) VALUES \
        ('GET', '/orders', '2026-01-01 08:00+00', '1', 'test', 500, 12, '2026-01-02 08:00+00')";
    // The tail may not have started yet: then it prints the record as the last one.
    lookback.execute(insert).await;
    assert_eq!(
        tail.line(),
        "2026-01-01T08:00:00Z  500  12 ms  test  GET  2026-01-02T08:00:00Z  /orders\n"
    );
    tail.end(Signal::SIGTERM);
}

#[tokio::test]
async fn closed_pipe_ends_tail_without_another_record() {
    let lookback = Lookback::new().await;
    insert(&lookback, "info", "'one'").await;
    let mut child = lookback
        .command(&["logs", "tail"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    out.read_line(&mut line).unwrap();
    assert!(line.ends_with("one\n"), "{line}");
    drop(out);
    // Elsewhere, the next record notices it.
    if cfg!(not(target_os = "linux")) {
        insert(&lookback, "info", "'two'").await;
    }
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "");
}

/// A reader that reads nothing more does not keep the program from ending.
#[tokio::test]
async fn tail_into_full_pipe_can_be_terminated() {
    let lookback = Lookback::new().await;
    let mut child = lookback
        .command(&["logs", "tail", "-n", "0"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let unread = child.stdout.take().unwrap();
    let polls = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() \
        AND application_name = 'lookback' AND query LIKE '%unnest%'";
    lookback.wait_for(polls, 1).await;
    lookback
        .execute(
            "INSERT INTO logs (source, level, message) \
             SELECT 'API', 'info', repeat('x', 1000) FROM generate_series(1, 2000)",
        )
        .await;
    // It has read a page, and cannot print all of it.
    lookback
        .wait_for(
            &polls.replace(
                "count(*)",
                "count(*) FILTER (WHERE state = 'idle' AND \
        state_change < clock_timestamp() - interval '700 ms')",
            ),
            1,
        )
        .await;
    support::signal(&child, Signal::SIGTERM);
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130));
    drop(unread);
}

#[tokio::test]
async fn wrong_positions_and_numbers_are_wrong_usage() {
    let lookback = Lookback::new().await;
    for (arguments, problem) in [
        (
            &["--after", "x"][..],
            "error: --after: position: is not a position",
        ),
        (&["-n", "10001"], "error: last: 10001 is more than 10000"),
        (&["-n", "5", "--after", "x"], "cannot be used with"),
        (
            &["levle=warn"],
            "error: levle: is not a field of logs; did you mean level?",
        ),
    ] {
        let ran = lookback
            .run(&[&["logs", "tail"], arguments].concat())
            .failed(2);
        assert!(ran.err.contains(problem), "{ran:#?}");
    }
}

/// The server is killed and started again; meanwhile a transaction is lost, and its ids stay free.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tail_outlives_killed_server_and_prints_each_record_once() {
    let killable = KillableServer::durable();
    let mut running = killable.start();
    let mut conn = PgConnection::connect(&running.url()).await.unwrap();
    sqlx::raw_sql("CREATE DATABASE kept")
        .execute(&mut conn)
        .await
        .unwrap();
    let lookback = Lookback::with(None);
    let direct = running.database_url("kept");
    lookback
        .run(&["db", "migrate", "--database-url", &direct])
        .succeeded();
    // Its port stays, and may be that of no server.
    let address = format!("127.0.0.1:{}", running.port());
    let proxy = Proxy::new(address, 1, |_| Fault::NONE).await;
    let through = direct.replace(
        &format!(":{}/", running.port()),
        &format!(":{}/", proxy.port),
    );
    assert_ne!(through, direct);

    let call = [
        "logs",
        "tail",
        "--json",
        "-n",
        "1",
        "--database-url",
        &through,
    ];
    let insert = async |url: &str, messages: &[&str]| {
        let mut conn = PgConnection::connect(url).await.unwrap();
        for message in messages {
            let sql = format!(
                "INSERT INTO logs (source, level, message) VALUES ('API', 'info', '{message}')"
            );
            sqlx::raw_sql(AssertSqlSafe(sql))
                .execute(&mut conn)
                .await
                .unwrap();
        }
    };
    insert(&direct, &["before"]).await;
    let tail = Tail::start(&lookback, &call);
    assert_eq!(message(&tail.line()), "before");
    let mut expected = 0;
    for _ in 0..2 {
        let direct = running.database_url("kept");
        // Lost with the server.
        let mut lost = PgConnection::connect(&direct).await.unwrap();
        sqlx::raw_sql(
            "BEGIN; INSERT INTO logs (source, level, message) VALUES ('API', 'info', 'lost')",
        )
        .execute(&mut lost)
        .await
        .unwrap();
        insert(&direct, &["behind it"]).await;
        assert_eq!(message(&tail.line()), "behind it");
        let server = Arc::clone(&proxy.server);
        *server.lock().unwrap() = None;
        testkit::kill(&running);
        drop(lost);
        running = tokio::task::block_in_place(|| killable.start());
        let direct = running.database_url("kept");
        insert(&direct, &["while it is away"]).await;
        *server.lock().unwrap() = Some(format!("127.0.0.1:{}", running.port()));
        for _ in 0..3 {
            expected += 1;
            insert(&direct, &[&format!("{expected}")]).await;
        }
        assert_eq!(message(&tail.line()), "while it is away");
        for n in expected - 2..=expected {
            assert_eq!(message(&tail.line()), n.to_string());
        }
    }
    let (left, err) = tail.end(Signal::SIGTERM);
    assert_eq!(left, Vec::<String>::new());
    assert_eq!(
        err.matches("warning: the database cannot be reached")
            .count(),
        2,
        "{err}"
    );
    assert_eq!(err.matches("connected again\n").count(), 2, "{err}");
}

/// A server of a database, on a port that stays the same.
struct Served {
    child: Child,
    address: String,
}

impl Served {
    fn start(lookback: &Lookback, address: &str) -> Self {
        let mut child = lookback
            .command(&["serve", "--listen", address])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut err = BufReader::new(child.stderr.take().unwrap());
        let address = loop {
            let mut line = String::new();
            assert_ne!(err.read_line(&mut line).unwrap(), 0, "it ended");
            if let Some(address) = line.trim().strip_prefix("listening on http://") {
                break address.to_owned();
            }
        };
        // Its messages must not fill the pipe.
        std::thread::spawn(move || std::io::copy(&mut err, &mut std::io::sink()));
        Self { child, address }
    }

    fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    fn kill(mut self) -> String {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        self.address
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tail_of_a_server_prints_what_a_local_one_does_and_survives_its_restart() {
    let lookback = Lookback::new().await;
    let made = lookback.run(&["keys", "create", "tail", "--scope", "read"]);
    let key = made.out.trim().to_owned();
    insert(&lookback, "warn", "'old'").await;
    insert(&lookback, "info", "'not asked for'").await;
    let served = Served::start(&lookback, "127.0.0.1:0");
    let url = served.url();
    let filter = "level__in=warn,error";
    let table = [
        "logs", "tail", filter, "-n", "5", "--server", &url, "--key", &key,
    ];
    let json = [
        "logs", "tail", filter, "--server", &url, "--key", &key, "--json",
    ];
    let local = Tail::start(&lookback, &["logs", "tail", filter]);
    let local_json = Tail::start(&lookback, &["logs", "tail", filter, "--json"]);
    let remote = Tail::start(&lookback, &table);
    let remote_json = Tail::start(&lookback, &json);
    let same = |expected: &str| {
        let line = local.line();
        assert!(line.contains(expected), "{line}");
        assert_eq!(remote.line(), line);
        assert_eq!(remote_json.line(), local_json.line());
    };
    same("old");
    insert(&lookback, "error", r"E'a \x1b[2J b\nc & =%'").await;
    same("b⏎c");
    // Killed and started again, in the middle of a transaction.
    let mut late = lookback.db.as_ref().unwrap().pool.begin().await.unwrap();
    let sql = "INSERT INTO logs (source, level, message) VALUES ('API', 'error', 'late')";
    sqlx::raw_sql(sql).execute(&mut *late).await.unwrap();
    insert(&lookback, "error", "'behind it'").await;
    same("behind it");
    let address = served.kill();
    insert(&lookback, "error", "'while it is away'").await;
    late.commit().await.unwrap();
    let served = Served::start(&lookback, &address);
    let sorted = |tail: &Tail| {
        let mut lines = [tail.line(), tail.line()];
        lines.sort_unstable();
        lines
    };
    assert_eq!(sorted(&remote), sorted(&local));
    assert_eq!(sorted(&remote_json), sorted(&local_json));
    insert(&lookback, "warn", "'after'").await;
    same("after");
    let (left, err) = remote.end(Signal::SIGINT);
    assert_eq!(left, Vec::<String>::new());
    assert!(
        err.contains("; tail continues when the server can be reached again"),
        "{err}"
    );
    assert!(err.contains("connected again\n"), "{err}");
    let call = format!("lookback logs tail {filter} --server {url} --after ");
    assert!(err.contains(&call), "{err}");
    // A local tail continues at a position of the server.
    insert(&lookback, "warn", "'for the next'").await;
    let next = Tail::start(
        &lookback,
        &["logs", "tail", filter, "--after", &position(&err)],
    );
    assert!(next.line().contains("for the next"));
    next.end(Signal::SIGTERM);
    remote_json.end(Signal::SIGTERM);
    local.end(Signal::SIGTERM);
    local_json.end(Signal::SIGTERM);
    served.kill();
}

#[tokio::test]
async fn wrong_tails_of_servers_say_what_is_wrong() {
    let lookback = Lookback::new().await;
    let served = Served::start(&lookback, "127.0.0.1:0");
    let url = served.url();
    let ran = lookback.run(&["logs", "tail", "--server", &url]).failed(1);
    assert!(ran.err.contains("401 Unauthorized"), "{ran:#?}");
    assert!(
        ran.err.contains("--key KEY, or the variable LOOKBACK_KEY"),
        "{ran:#?}"
    );
    let key = lookback.run(&["keys", "create", "x", "--scope", "ingest"]);
    let key = key.out.trim();
    let call = ["logs", "tail", "--server", &url];
    let ran = lookback
        .command(&call)
        .env("LOOKBACK_KEY", key)
        .output()
        .unwrap();
    let err = String::from_utf8(ran.stderr).unwrap();
    assert!(
        ran.status.code() == Some(1) && err.contains("403 Forbidden"),
        "{err}"
    );
    let ran = lookback
        .run(&["logs", "tail", "--server", "ftp://x"])
        .failed(2);
    assert!(ran.err.contains("does not begin with http"), "{ran:#?}");
    let ran = lookback.run(&[
        "logs",
        "tail",
        "levle=error",
        "--server",
        &url,
        "--key",
        key,
    ]);
    assert!(
        ran.err.contains("levle") || ran.err.contains("403"),
        "{ran:#?}"
    );
    let ran = lookback
        .run(&["metrics", "tail", "--server", &url])
        .failed(2);
    assert!(
        ran.err.contains("metrics do not arrive from a server"),
        "{ran:#?}"
    );
    let address = served.kill();
    let url = format!("http://{address}");
    let ran = lookback.run(&["logs", "tail", "--server", &url]).failed(1);
    assert!(
        ran.err.contains("cannot reach") && ran.err.contains("lookback serve"),
        "{ran:#?}"
    );
}
