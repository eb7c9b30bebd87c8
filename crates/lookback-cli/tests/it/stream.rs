//! Streams while the database is away, and what cannot be stored of them.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Output, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use testkit::proxy::{Fault, Proxy};

use crate::support::{self, Lookback};

/// An import of a stream through a proxy.
struct Stream {
    lookback: Lookback,
    proxy: Proxy,
    child: Child,
    input: ChildStdin,
    sent: i64,
}

const COUNT: &str = "SELECT count(DISTINCT message) FROM logs";

impl Stream {
    async fn start(options: &[&str]) -> Self {
        let lookback = Lookback::new().await;
        let (proxy, through) =
            Proxy::in_front_of(lookback.db.as_ref().unwrap(), 1, |_| Fault::NONE).await;
        let direct = &lookback.db.as_ref().unwrap().url;
        let port = |port: u16| format!(":{port}/");
        let through = {
            let direct: sqlx::postgres::PgConnectOptions = direct.parse().unwrap();
            (direct.get_port(), through.get_port())
        };
        let url = direct.replace(&port(through.0), &port(through.1));
        assert_ne!(url, *direct);
        let mut child = lookback
            .command(&["import", "-"])
            .args(options)
            .env("DATABASE_URL", url)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let input = child.stdin.take().unwrap();
        let mut stream = Self {
            lookback,
            proxy,
            child,
            input,
            sent: 0,
        };
        stream.send(10);
        stream.lookback.wait_for(COUNT, 10).await;
        stream
    }

    /// Sends lines of a kilobyte.
    fn send(&mut self, lines: i64) {
        let padding = "x".repeat(1_000);
        for number in self.sent..self.sent + lines {
            let line =
                format!("{{\"msg\":\"line {number}\",\"level\":30,\"padding\":\"{padding}\"}}\n");
            self.input.write_all(line.as_bytes()).unwrap();
        }
        self.sent += lines;
    }

    /// Ends the input, and waits for the program.
    fn end(self) -> (Lookback, i64, Output) {
        drop(self.input);
        let output = self.child.wait_with_output().unwrap();
        (self.lookback, self.sent, output)
    }
}

/// Each line once.
async fn assert_stored(lookback: &Lookback, lines: i64, err: &str) {
    assert_eq!(lookback.number(COUNT).await, lines, "{err}");
    let count = lookback.number("SELECT count(*) FROM logs").await;
    assert_eq!(count, lines, "{err}");
}

/// The file that a message names.
fn saved(err: &str) -> PathBuf {
    let (_, rest) = err
        .split_once("is not stored is in ")
        .unwrap_or_else(|| panic!("{err}"));
    rest.split(';').next().unwrap().into()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn program_that_sends_does_not_wait_while_the_database_is_away() {
    let mut stream = Stream::start(&[]).await;
    stream.proxy.close();
    stream.send(1);
    // Until it has noticed, it takes what it reads ahead.
    tokio::time::sleep(Duration::from_millis(500)).await;
    // More than is kept in memory: it would never end.
    tokio::task::block_in_place(|| stream.send(25_000));
    assert_eq!(stream.child.try_wait().unwrap(), None);
    stream.proxy.open();
    let (lookback, sent, output) = tokio::task::block_in_place(|| stream.end());
    let err = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(0), "{err}");
    assert!(err.contains("what was read waits for it"), "{err}");
    assert_stored(&lookback, sent, &err).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lines_that_could_not_be_stored_are_saved_in_a_file() {
    let mut stream = Stream::start(&["--source", "shop"]).await;
    stream.proxy.close();
    stream.send(1);
    tokio::time::sleep(Duration::from_millis(500)).await;
    tokio::task::block_in_place(|| stream.send(12_000));
    support::signal(&stream.child, Signal::SIGTERM);
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(stream.child.try_wait().unwrap(), None);
    support::signal(&stream.child, Signal::SIGTERM);
    let (lookback, sent, output) = tokio::task::block_in_place(|| stream.end());
    let err = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(130), "{err}");
    assert_stored(&lookback, 10, &err).await;
    let path = saved(&err);
    assert!(
        path.starts_with(lookback.folder().join(".local/state/lookback")),
        "{err}"
    );
    assert!(err.contains("--source 'shop'"), "{err}");
    let mode = std::os::unix::fs::PermissionsExt::mode(&path.metadata().unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
    lookback
        .run(&["import", path.to_str().unwrap(), "--source", "shop"])
        .succeeded();
    assert_stored(&lookback, sent, &err).await;
    let of_shop = "SELECT count(*) FROM logs WHERE source = 'shop'";
    assert_eq!(lookback.number(of_shop).await, sent);
}

#[tokio::test]
async fn lines_behind_an_invalid_one_are_saved_in_a_file() {
    let lookback = Lookback::new().await;
    let line =
        |number| format!("{{\"source\":\"API\",\"level\":\"info\",\"message\":\"{number}\"}}\n");
    let text = line(1) + "{\"source\":\"API\",\"level\":\"loud\",\"message\":\"2\"}\n" + &line(3);
    let ran = lookback
        .run_with(&["import", "-", "--kind", "logs"], text.as_bytes())
        .failed(1);
    assert_stored(&lookback, 1, &ran.err).await;
    let path = saved(&ran.err);
    let saved = std::fs::read_to_string(&path).unwrap();
    assert_eq!(saved, text.split_once('\n').unwrap().1);
    lookback
        .run(&[
            "import",
            path.to_str().unwrap(),
            "--kind",
            "logs",
            "--on-error",
            "skip",
        ])
        .succeeded();
    assert_stored(&lookback, 2, &ran.err).await;
    // One that is named can be sent again.
    let ran = lookback
        .run_with(
            &["import", "-", "--kind", "logs", "--name", "n", "--restart"],
            text.as_bytes(),
        )
        .failed(1);
    assert!(
        ran.err.contains("the same command with --resume"),
        "{ran:#?}"
    );
}

/// A part of a long line of Docker, and its rest.
const PARTS: [&str; 2] = [
    "{\"log\":\"begins\",\"stream\":\"stdout\",\"time\":\"2026-01-01T00:00:00Z\"}\n",
    "{\"log\":\" ends\\n\",\"stream\":\"stdout\",\"time\":\"2026-01-01T00:00:01Z\"}\n",
];

/// Starts an import of a stream.
pub(crate) fn start(lookback: &Lookback, options: &[&str]) -> (Child, ChildStdin) {
    let mut child = lookback
        .command(&["import", "-"])
        .args(options)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let input = child.stdin.take().unwrap();
    (child, input)
}

#[tokio::test]
async fn records_behind_an_open_part_are_stored_while_the_stream_goes_on() {
    for is_busy in [false, true] {
        let lookback = Lookback::new().await;
        let (mut child, mut input) = start(&lookback, &["--name", "n"]);
        let mut sent = String::new();
        let mut send = |text: &str| {
            sent.push_str(text);
            input.write_all(text.as_bytes()).unwrap();
        };
        send("{\"level\":\"info\",\"msg\":\"first\"}\n");
        send(PARTS[0]);
        let mut lines = 0;
        let deadline = Instant::now() + Duration::from_secs(20);
        // Of a busy stream, the next line always comes before it is quiet.
        while lines < 20 || lookback.number(COUNT).await < 20 {
            if is_busy || lines < 20 {
                send(&format!(
                    "{{\"level\":\"info\",\"msg\":\"line {lines}\"}}\n"
                ));
                lines += 1;
            }
            assert!(Instant::now() < deadline, "nothing is stored");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        support::signal(&child, Signal::SIGKILL);
        child.wait().unwrap();
        sent.push_str(PARTS[1]);
        let ran = lookback
            .run_with(&["import", "-", "--name", "n", "--resume"], sent.as_bytes())
            .succeeded();
        // The first line, the part, and its rest.
        assert_stored(&lookback, lines + 3, &ran.err).await;
        let whole = "SELECT count(*) FROM logs WHERE message = 'begins ends'";
        assert_eq!(lookback.number(whole).await, 0);
    }
}

#[tokio::test]
async fn parts_that_come_at_once_are_joined_in_a_busy_stream() {
    let lookback = Lookback::new().await;
    let (child, mut input) = start(&lookback, &[]);
    for number in 0..100 {
        let between = format!("{{\"level\":\"info\",\"msg\":\"line {number}\"}}\n");
        let text = [PARTS[0], &between, PARTS[1]].concat();
        input.write_all(text.as_bytes()).unwrap();
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    drop(input);
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let whole = "SELECT count(*) FROM logs WHERE message = 'begins ends'";
    assert_eq!(lookback.number(whole).await, 100);
    assert_eq!(lookback.number("SELECT count(*) FROM logs").await, 200);
}

/// The most memory that a process has had, in MB.
#[cfg(target_os = "linux")]
fn peak_memory(child: &Child) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
    let kib = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .unwrap();
    kib.trim().trim_end_matches(" kB").parse::<u64>().unwrap() / 1024
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn blank_lines_do_not_fill_memory() {
    let line = "{\"level\":\"info\",\"msg\":\"last\"}\n";
    for before in ["", "text\n", PARTS[0]] {
        let lookback = Lookback::new().await;
        let (child, mut input) = start(&lookback, &[]);
        input.write_all(before.as_bytes()).unwrap();
        if before == PARTS[0] {
            input
                .write_all(line.replace("last", "next").as_bytes())
                .unwrap();
        }
        let blank = vec![b'\n'; 1_500_000];
        tokio::task::block_in_place(|| input.write_all(&blank)).unwrap();
        input.write_all(line.as_bytes()).unwrap();
        let last = "SELECT count(*) FROM logs WHERE message = 'last'";
        lookback.wait_for(last, 1).await;
        let peak = peak_memory(&child);
        drop(input);
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{before}: {output:?}");
        assert!(peak < 200, "{before}: {peak} MB");
        let all = lookback.number("SELECT count(*) FROM logs").await;
        assert_eq!(
            all,
            if before == PARTS[0] {
                3
            } else {
                1 + i64::from(!before.is_empty())
            }
        );
    }
}

#[tokio::test]
async fn dry_run_shows_the_first_record_of_more_lines_than_a_batch_has() {
    let lookback = Lookback::with(None);
    let numbers = "1,".repeat(500) + "\n";
    let json = format!("{{\"msg\":\"x\",\"n\":[\n{}1]}}\n", numbers.repeat(5_000));
    lookback.write("long.json", json);
    lookback.write(
        "blank.log",
        "\n".repeat(5_000_000) + "{\"msg\":\"x\",\"n\":[]}\n",
    );
    for file in ["long.json", "blank.log"] {
        let ran = lookback.run(&["import", "--dry-run", file]);
        let shown = format!("{}{}", ran.out, ran.err);
        // The one has too long a `meta`, and would be rejected.
        assert!(
            shown.contains("\"message\":\"x\"") || shown.contains("meta: is"),
            "{file}: {shown}"
        );
    }
}
