//! `lookback alerts`, and a server that is killed while it notifies a webhook.
#![cfg(unix)]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::process::{Child, Stdio};
use std::sync::mpsc;

use crate::support::{DEADLINE, Lookback, transcript};

/// A server, whose messages nobody reads.
fn serve(lookback: &Lookback) -> Child {
    let mut child = lookback
        .command(&[
            "serve",
            "--listen",
            "127.0.0.1:0",
            "--alert-interval",
            "500ms",
        ])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut err = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    while !line.starts_with("listening on") {
        line.clear();
        assert_ne!(err.read_line(&mut line).unwrap(), 0, "it ended");
    }
    std::thread::spawn(move || std::io::copy(&mut err, &mut std::io::sink()));
    child
}

/// A webhook: each call is its key and its state, and waits for the word to be answered.
fn webhook() -> (String, mpsc::Receiver<(String, String)>, mpsc::Sender<bool>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/hook", listener.local_addr().unwrap());
    let (calls, received) = mpsc::channel();
    let (answer, answers) = mpsc::channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut request = Vec::new();
            let mut bytes = [0; 4096];
            while !String::from_utf8_lossy(&request).contains("\"examples\"")
                || !request.ends_with(b"}")
            {
                let read = stream.read(&mut bytes).unwrap();
                assert_ne!(read, 0);
                request.extend_from_slice(&bytes[..read]);
            }
            let text = String::from_utf8(request).unwrap();
            let key = text
                .lines()
                .find_map(|line| line.strip_prefix("idempotency-key: "));
            let body: serde_json::Value =
                serde_json::from_str(text.split_once("\r\n\r\n").unwrap().1).unwrap();
            let state = body["state"].as_str().unwrap().to_owned();
            if calls.send((key.unwrap().to_owned(), state)).is_err() {
                return;
            }
            if answers.recv() == Ok(true) {
                let ok = "HTTP/1.1 204 x\r\nconnection: close\r\n\r\n";
                // The server may have been killed.
                let _sent = stream.write_all(ok.as_bytes());
            }
        }
    });
    (url, received, answer)
}

#[tokio::test]
async fn killed_server_tells_a_change_again_with_the_same_key_and_loses_none() {
    let lookback = Lookback::new().await;
    let (url, calls, answer) = webhook();
    let call = [
        "alerts",
        "create",
        "shop: errors",
        "logs",
        "level=error",
        "--webhook",
        &url,
        "--resolve-after",
        "0s",
    ];
    lookback.run(&call).succeeded();
    lookback
        .execute("INSERT INTO logs (source, level, message) VALUES ('API', 'error', 'broken')")
        .await;
    let mut server = serve(&lookback);
    let first = calls.recv_timeout(DEADLINE).unwrap();
    assert_eq!(first.1, "firing");
    // Killed after the webhook has the change, and before the answer.
    server.kill().unwrap();
    server.wait().unwrap();
    answer.send(false).unwrap();
    assert_eq!(
        lookback.number("SELECT count(*) FROM alert_changes").await,
        1
    );
    let mut server = serve(&lookback);
    // Not before the claim of the first one has run out.
    lookback
        .execute("UPDATE alert_changes SET next_attempt_at = now()")
        .await;
    let again = calls.recv_timeout(DEADLINE).unwrap();
    assert_eq!(again, first);
    answer.send(true).unwrap();
    lookback
        .wait_for(
            "SELECT count(*) FROM alert_changes WHERE delivery = 'delivered'",
            1,
        )
        .await;
    // Killed again, and resolved while nobody looks.
    server.kill().unwrap();
    server.wait().unwrap();
    lookback.execute("UPDATE logs SET deleted_at = now()").await;
    lookback
        .execute("UPDATE alert_statuses SET next_at = now()")
        .await;
    let mut server = serve(&lookback);
    let resolved = calls.recv_timeout(DEADLINE).unwrap();
    assert_eq!(resolved.1, "resolved");
    assert_ne!(resolved.0, first.0);
    answer.send(true).unwrap();
    lookback
        .wait_for(
            "SELECT count(*) FROM alert_changes WHERE delivery = 'delivered'",
            2,
        )
        .await;
    assert_eq!(
        lookback.number("SELECT count(*) FROM alert_changes").await,
        2
    );
    server.kill().unwrap();
    server.wait().unwrap();
    let history = lookback
        .run(&["alerts", "history", "1", "--wide"])
        .succeeded();
    let lines: Vec<&str> = history.out.lines().collect();
    assert!(
        lines[1].contains("resolved  delivered  shop: errors is resolved"),
        "{history:#?}"
    );
    assert!(
        lines[2].contains("firing    delivered  shop: errors is firing"),
        "{history:#?}"
    );
}

#[tokio::test]
async fn rules_are_created_listed_tested_and_deleted() {
    let lookback = Lookback::new().await;
    transcript!(lookback.run(&["alerts", "create", "errors", "logs", "level=error", "--match", "disk full", "--above", "20"]), @r#"
$ lookback alerts create errors logs level=error --match disk full --above 20
! created alert 1: errors
"#);
    lookback
        .run(&[
            "alerts",
            "create",
            "slow",
            "metrics",
            "--measure",
            "p95-latency",
            "--above",
            "800",
            "--period",
            "10m",
        ])
        .succeeded();
    transcript!(lookback.run(&["alerts", "list"]), @"
$ lookback alerts list
ID  STATE  VALUE  CONDITION                             NAME
1   ok     -      logs in the last 5m > 20              errors
2   ok     -      p95 latency in the last 10m > 800 ms  slow
");
    let json = lookback
        .run(&["alerts", "list", "--json"])
        .succeeded()
        .json();
    assert_eq!(
        json["data"][0]["rule"]["filter"],
        "level=error&match=disk+full"
    );
    transcript!(lookback.run(&["alerts", "test", "1"]), @"
$ lookback alerts test 1
! error: alert 1 has no webhook
[exit code 1]
");
    let (url, calls, answer) = webhook();
    lookback
        .run(&["alerts", "create", "told", "logs", "--webhook", &url])
        .succeeded();
    answer.send(true).unwrap();
    let tested = lookback.run(&["alerts", "test", "3"]).succeeded();
    assert!(
        tested.err.starts_with("delivered: http://127.0.0.1:"),
        "{tested:#?}"
    );
    assert!(tested.err.ends_with("/… answered 204\n"), "{tested:#?}");
    assert_eq!(calls.recv_timeout(DEADLINE).unwrap().1, "test");
    transcript!(lookback.run(&["alerts", "delete", "1"]), @"
$ lookback alerts delete 1
! deleted alert 1
");
    transcript!(lookback.run(&["alerts", "delete", "1"]), @"
$ lookback alerts delete 1
! error: no alert 1
! hint: the ids of all: lookback alerts list
[exit code 1]
");
    transcript!(lookback.run(&["alerts", "create", "x", "logs", "--measure", "error-rate"]), @"
$ lookback alerts create x logs --measure error-rate
! error: measure: error_rate cannot be measured of logs: expected metrics as the subject
[exit code 2]
");
    transcript!(lookback.run(&["alerts", "create", "x", "logs", "levle=error"]), @"
$ lookback alerts create x logs levle=error
! error: filter: levle: is not a field of logs; did you mean level?
[exit code 2]
");
    transcript!(lookback.run(&["alerts", "create", "x", "logs", "--period", "5s"]), @"
$ lookback alerts create x logs --period 5s
! error: period: 5 is not from 60 to 86400
[exit code 2]
");
}
