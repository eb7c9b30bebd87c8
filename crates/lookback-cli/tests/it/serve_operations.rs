//! `lookback serve` as those who run it see it: its log, its settings, and several that start at
//! once.
#![cfg(unix)]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, Stdio};
use std::time::Duration;

use nix::sys::signal::Signal;

use crate::support::{self, Lookback, transcript};

struct Serving {
    child: Child,
    err: BufReader<std::process::ChildStderr>,
}

impl Serving {
    fn start(lookback: &Lookback, options: &[&str], variables: &[(&str, &str)]) -> Self {
        let call = [&["serve", "--listen", "127.0.0.1:0"], options].concat();
        let mut command = lookback.command(&call);
        command
            .envs(variables.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let err = BufReader::new(child.stderr.take().unwrap());
        Self { child, err }
    }

    /// Waits until it listens; returns the address, and what it said before.
    fn address(&mut self) -> (String, String) {
        let mut before = String::new();
        loop {
            let mut line = String::new();
            assert_ne!(
                self.err.read_line(&mut line).unwrap(),
                0,
                "it ended: {before}"
            );
            if let Some((_, address)) = line.split_once("listening on http://") {
                let is_end = |c: char| !c.is_ascii_digit() && c != '.' && c != ':';
                let end = address.find(is_end).unwrap_or(address.len());
                return (address[..end].to_owned(), before);
            }
            before.push_str(&line);
        }
    }

    /// Ends it, and returns what it said since.
    fn end(mut self) -> String {
        support::signal(&self.child, Signal::SIGTERM);
        let mut rest = String::new();
        self.err.read_to_string(&mut rest).unwrap();
        assert!(self.child.wait().unwrap().success(), "{rest}");
        rest
    }
}

fn send(address: &str, head: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    let timeout = Some(Duration::from_secs(60));
    stream.set_read_timeout(timeout).unwrap();
    let request = format!("{head}\r\nhost: a\r\nconnection: close\r\ncontent-length: 0\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[tokio::test]
async fn log_has_each_request_with_its_trace_and_no_secret() {
    let lookback = Lookback::new().await;
    let made = lookback.run(&["keys", "create", "shop", "--scope", "read"]);
    let key = made.out.trim();
    let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    for format in ["json", "text"] {
        let variables = [("LOOKBACK_SERVER_LOG_LEVEL", "info")];
        let mut serving = Serving::start(&lookback, &["--log-format", format], &variables);
        let (address, _) = serving.address();
        let head = format!(
            "GET /api/v1/logs?message=s3cret-value HTTP/1.1\r\nauthorization: Bearer {key}\r\n\
             traceparent: 00-{trace}-00f067aa0ba902b7-01"
        );
        let answer = send(&address, &head);
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        send(&address, "GET /health/live HTTP/1.1");
        let log = serving.end();
        assert!(
            !log.contains("s3cret") && !log.contains(&key[12..]),
            "{log}"
        );
        assert!(!log.contains("/health/live"), "{log}");
        let requests: Vec<&str> = log.lines().filter(|line| line.contains(trace)).collect();
        assert_eq!(requests.len(), 1, "{log}");
        if format == "json" {
            let lines = log.lines().map(serde_json::from_str::<serde_json::Value>);
            let lines: Vec<_> = lines.collect::<Result<_, _>>().unwrap();
            let request = lines.iter().find(|line| line["trace_id"] == trace).unwrap();
            assert_eq!(request["message"], "request");
            assert_eq!(request["level"], "INFO");
            assert_eq!(request["method"], "GET");
            assert_eq!(request["route"], "/api/v1/logs");
            assert_eq!(request["status"], 200);
            assert!(request["duration_ms"].as_f64().unwrap() > 0.0);
            assert!(request["timestamp"].is_string());
            assert_eq!(lines.last().unwrap()["message"], "stopped");
        } else {
            assert!(requests[0].contains("status=200"), "{log}");
            assert!(log.ends_with("stopped\n"), "{log}");
        }
    }
}

#[tokio::test]
async fn several_servers_that_start_at_once_migrate_once() {
    let lookback = Lookback::with(Some(testkit::empty_database().await));
    let mut all: Vec<Serving> = (0..3)
        .map(|_| Serving::start(&lookback, &["--migrate"], &[]))
        .collect();
    for serving in &mut all {
        let (address, _) = serving.address();
        let answer = send(&address, "GET /health/ready HTTP/1.1");
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }
    for serving in all {
        serving.end();
    }
    let twice = "SELECT count(*) - count(DISTINCT version) FROM _sqlx_migrations";
    assert_eq!(lookback.number(twice).await, 0);
}

#[tokio::test]
async fn settings_of_the_server_come_from_options_variables_and_the_file() {
    let lookback = Lookback::new().await;
    lookback.write(
        "lookback.toml",
        "[server]\nbody_bytes = \"100B\"\ningests = 7\ntail_readers = 5\nmetrics_access = \"everybody\"\n",
    );
    let variables = [("LOOKBACK_SERVER_TAIL_READERS", "6")];
    let mut serving = Serving::start(&lookback, &["--ingests", "8"], &variables);
    let (address, _) = serving.address();
    let metrics = send(&address, "GET /metrics HTTP/1.1");
    assert!(
        metrics.contains("\nlookback_ingests_limit 8\n"),
        "{metrics}"
    );
    assert!(
        metrics.contains("\nlookback_tail_readers_limit 6\n"),
        "{metrics}"
    );
    assert!(
        metrics.contains("\nlookback_maintenance_failing 0\n"),
        "{metrics}"
    );
    serving.end();
    let mut command = lookback.command(&["config", "--wide"]);
    let output = command.envs(variables).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let rows = text
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>());
    let rows: Vec<Vec<&str>> = rows.collect();
    for row in [
        ["server.body_bytes", "100B", "lookback.toml"],
        ["server.ingests", "7", "lookback.toml"],
        ["server.tail_readers", "6", "LOOKBACK_SERVER_TAIL_READERS"],
        ["server.request_timeout", "2m", "default"],
    ] {
        assert!(rows.contains(&row.to_vec()), "{row:?}\n{text}");
    }
    transcript!(lookback.run(&["serve", "--body-timeout", "soon"]), @"
$ lookback serve --body-timeout soon
! error: server.body_timeout (from --body-timeout): expected a time such as 500ms, 30s or 5m, got soon
[exit code 2]
");
    lookback.write("lookback.toml", "[server]\nbody_size = 1\n");
    let ran = lookback.run(&["config"]).failed(2);
    let expected = "error: server.body_size (from lookback.toml): there is no such setting\n\
                    hint: the settings are listen, source, replay_targets, ";
    assert!(ran.err.starts_with(expected), "{ran:#?}");
}
