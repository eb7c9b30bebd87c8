//! Several processes import one file of another program at the same time, by mistake.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::time::{Duration, Instant};

use crate::support::{DEADLINE, Lookback, Running, line_with_request};

/// Lines of pino that become a log line and a request, and text with a stack trace behind it.
fn lines(numbers: std::ops::Range<i64>) -> String {
    let line = |n: i64| {
        if n % 5 == 0 {
            format!("2026-01-31T12:00:00Z ERROR line {n} failed\n\tat a.b(C.java:1)\n")
        } else {
            line_with_request(n)
        }
    };
    numbers.map(line).collect()
}

const LOGS: &str = "SELECT count(*) FROM logs";

/// How many different lines are log lines.
const LINES: &str = "SELECT count(DISTINCT substring(message FROM 'line \\d+')) FROM logs";

/// Every line is stored once, and so is the request of each that has one.
async fn assert_each_once(lookback: &Lookback, lines: i64, shown: &str) {
    let requests = lines - lines.div_euclid(5) - i64::from(lines % 5 > 0);
    for (count, expected) in [
        (LOGS, lines),
        (LINES, lines),
        ("SELECT count(*) FROM request_snapshots", requests),
        (
            "SELECT count(DISTINCT path) FROM request_snapshots",
            requests,
        ),
    ] {
        assert_eq!(lookback.number(count).await, expected, "{count}: {shown}");
    }
}

const REFUSED: &str = "another process is importing app.log";

#[tokio::test]
async fn concurrent_imports_of_a_file_of_another_program_store_each_line_once() {
    const ALL: i64 = 300;
    let lookback = Lookback::new().await;
    lookback.write("app.log", lines(0..ALL));
    let call = ["import", "app.log", "--batch", "10", "--resume"];
    // Each has begun before the first one has stored anything.
    let lock = lookback.lock_logs().await;
    let running: Vec<_> = (0..4).map(|_| Running::start(&lookback, &call)).collect();
    let waiting = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() \
                   AND application_name = 'lookback' AND wait_event_type = 'Lock'";
    lookback.wait_for(waiting, 4).await;
    lock.rollback().await.unwrap();
    let mut refused = 0;
    for program in running {
        let (code, err) = program.wait();
        refused += i32::from(code != Some(0));
        let is_refused = code == Some(1) && err.contains(REFUSED);
        assert!(code == Some(0) || is_refused, "{err}");
    }
    let last = lookback.run(&call).succeeded();
    assert_each_once(&lookback, ALL, &last.err).await;
    // The position moved under others than the first.
    assert!(refused > 0, "{}", last.err);
    let finished = "SELECT count(*) FROM imports WHERE finished_at IS NOT NULL";
    assert_eq!(lookback.number(finished).await, 1);
}

/// Appends lines until one of two programs has ended; returns their number, and which is left.
async fn until_one_ends(
    lookback: &Lookback,
    mut number: i64,
    mut pair: [Running; 2],
) -> (i64, Running, Running) {
    let path = lookback.folder().join("app.log");
    let mut file = OpenOptions::new().append(true).open(path).unwrap();
    let deadline = Instant::now() + DEADLINE;
    loop {
        for ended in 0..2 {
            if pair[ended].has_ended() {
                let [first, second] = pair;
                return if ended == 0 {
                    (number, first, second)
                } else {
                    (number, second, first)
                };
            }
        }
        assert!(Instant::now() < deadline, "both go on");
        file.write_all(lines(number..number + 10).as_bytes())
            .unwrap();
        number += 10;
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn followers_that_start_at_once_store_each_line_once_and_one_of_them_ends() {
    for have in [0, 10, 1_000] {
        let lookback = Lookback::new().await;
        lookback.write("app.log", lines(0..have));
        let call = ["import", "--follow", "app.log", "--batch", "50"];
        let pair = [(); 2].map(|()| Running::start(&lookback, &call));
        let (number, loser, winner) = until_one_ends(&lookback, have, pair).await;
        let (code, err) = loser.wait();
        assert_eq!(code, Some(1), "{err}");
        assert!(
            err.contains(REFUSED) && err.contains("nothing is stored twice"),
            "{err}"
        );
        lookback.wait_for(LINES, number).await;
        winner.terminate();
        let (code, err) = winner.wait();
        assert_eq!(code, Some(0), "{err}");
        assert_each_once(&lookback, number, &err).await;
    }
}

/// An import of a followed file takes lines from the follower, or is refused.
#[tokio::test]
async fn import_of_a_followed_file_stores_no_line_twice() {
    let lookback = Lookback::new().await;
    lookback.write("app.log", lines(0..10));
    let mut follower = Running::start(&lookback, &["import", "--follow", "app.log"]);
    lookback.wait_for(LINES, 10).await;
    let mut file = OpenOptions::new()
        .append(true)
        .open(lookback.folder().join("app.log"))
        .unwrap();
    let mut number = 10;
    while number < 400 && !follower.has_ended() {
        file.write_all(lines(number..number + 10).as_bytes())
            .unwrap();
        number += 10;
        let ran = lookback.run(&["import", "app.log", "--resume"]);
        assert!(ran.code == Some(0) || ran.err.contains(REFUSED), "{ran:#?}");
    }
    if follower.has_ended() {
        let (code, err) = follower.wait();
        assert!(code == Some(1) && err.contains(REFUSED), "{err}");
        // A supervisor starts it again.
        follower = Running::start(&lookback, &["import", "--follow", "app.log"]);
    }
    lookback.wait_for(LINES, number).await;
    follower.terminate();
    let (_, err) = follower.wait();
    assert_each_once(&lookback, number, &err).await;
}
