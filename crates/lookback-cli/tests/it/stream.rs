//! Streams while the database is away, and what cannot be stored of them.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Output, Stdio};
use std::time::Duration;

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
