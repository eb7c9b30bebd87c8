//! Whatever happens meanwhile, a followed file and a stream are stored once, line by line.

#![expect(clippy::print_stderr, reason = "the seed repeats a run")]

use std::fmt::Write as _;
use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use lookback_embedded::RunningServer;
use nix::sys::signal::Signal;
use sqlx::{Connection as _, PgConnection, Row as _};
use testkit::KillableServer;
use testkit::proxy::{Fault, Proxy};
use testkit::sample::Random;

use crate::support::{self, DEADLINE, Lookback};

/// A database on a server of its own, which is killed and started again. The program reaches it
/// through a proxy that cuts connections, most of them around a COMMIT.
struct Server {
    server: KillableServer,
    running: RunningServer,
    url: String,
    proxy: Proxy,
    lookback: Lookback,
}

impl Server {
    async fn start(seed: u64) -> Self {
        // What it has committed has to outlive it.
        let server = KillableServer::durable();
        let running = server.start();
        let url = running.database_url("followed");
        let mut conn = PgConnection::connect(&running.url()).await.unwrap();
        sqlx::raw_sql("CREATE DATABASE followed")
            .execute(&mut conn)
            .await
            .unwrap();
        let address = format!("127.0.0.1:{}", running.port());
        let proxy = Proxy::new(address, seed, |random| {
            let commit = 1 + random.below(8);
            match random.below(8) {
                0 => Fault::BeforeCommit(commit),
                1 => Fault::WithCommit(commit),
                2..=4 => Fault::BeforeAnswer(commit),
                5 => Fault::Bytes(50_000 + random.below(500_000)),
                _ => Fault::NONE,
            }
        })
        .await;
        let started = Self {
            server,
            running,
            url,
            proxy,
            lookback: Lookback::with(None),
        };
        let status = started.direct(&["db", "migrate"]).status().unwrap();
        assert!(status.success());
        started
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let direct = format!(":{}/", self.running.port());
        let through = format!(":{}/", self.proxy.port);
        let mut command = self.lookback.command(arguments);
        command
            .env("DATABASE_URL", self.url.replace(&direct, &through))
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        command
    }

    fn spawn(&self, arguments: &[&str], stdin: Stdio) -> Running {
        let err = OpenOptions::new()
            .append(true)
            .create(true)
            .open(self.err_path())
            .unwrap();
        let mut command = self.command(arguments);
        Running(command.stdin(stdin).stderr(err).spawn().unwrap())
    }

    fn err_path(&self) -> PathBuf {
        self.lookback.folder().join("err.txt")
    }

    fn err(&self) -> String {
        fs::read_to_string(self.err_path()).unwrap_or_default()
    }

    /// The file with what a stream has sent and could not store.
    fn unstored(&self) -> Option<String> {
        let folder = self.lookback.folder().join(".local/state/lookback");
        let mut files = fs::read_dir(folder).ok()?;
        let path = files.next()?.unwrap().path();
        assert!(files.next().is_none(), "{}", self.err());
        Some(path.to_str().unwrap().to_owned())
    }

    /// A command that reaches the server without the proxy.
    fn direct(&self, arguments: &[&str]) -> Command {
        let mut command = self.lookback.command(arguments);
        command.env("DATABASE_URL", &self.url);
        command
    }

    fn crash(&mut self) {
        testkit::kill(&self.running);
        self.running = self.server.start();
        assert_eq!(self.running.database_url("followed"), self.url);
    }

    /// Closes the connections that store.
    async fn disconnect(&self) {
        let mut conn = PgConnection::connect(&self.url).await.unwrap();
        sqlx::query(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
             WHERE datname = current_database() AND application_name = 'lookback'",
        )
        .execute(&mut conn)
        .await
        .unwrap();
    }

    async fn counts(&self) -> Counts {
        let mut conn = PgConnection::connect(&self.url).await.unwrap();
        let row = sqlx::query(
            "SELECT count(*) AS records, count(line) AS whole, count(DISTINCT line) AS lines, \
             coalesce(max(line), -1) AS last \
             FROM (SELECT substring(message FROM 'line (\\d+) end$')::bigint AS line FROM logs) AS logs",
        )
        .fetch_one(&mut conn)
        .await
        .unwrap();
        Counts {
            records: row.get("records"),
            whole: row.get("whole"),
            lines: row.get("lines"),
            last: row.get("last"),
        }
    }
}

/// A running program, which ends with the test.
struct Running(Child);

impl std::ops::Deref for Running {
    type Target = Child;

    fn deref(&self) -> &Child {
        &self.0
    }
}

impl std::ops::DerefMut for Running {
    fn deref_mut(&mut self) -> &mut Child {
        &mut self.0
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Counts {
    records: i64,
    /// Records of whole lines.
    whole: i64,
    /// Different lines.
    lines: i64,
    /// The largest number of a line.
    last: i64,
}

impl Counts {
    /// Each of this number of lines once.
    fn of(lines: i64) -> Self {
        Self {
            records: lines,
            whole: lines,
            lines,
            last: lines - 1,
        }
    }
}

fn line(number: i64) -> String {
    let mut text = String::new();
    if number % 3 == 0 {
        writeln!(text, "2026-01-31T12:00:00Z INFO line {number} end").unwrap();
    } else {
        writeln!(text, "{{\"level\":30,\"msg\":\"line {number} end\"}}").unwrap();
    }
    text
}

/// Numbered lines that a thread writes, until it is dropped or stopped.
struct Writer {
    written: Arc<AtomicI64>,
    is_over: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Writer {
    /// `write` gets a few lines at a time, sometimes without the end of the last one.
    fn start(seed: u64, mut write: impl FnMut(&str, &mut Random) -> bool + Send + 'static) -> Self {
        let written = Arc::new(AtomicI64::new(0));
        let is_over = Arc::new(AtomicBool::new(false));
        let (count, over) = (Arc::clone(&written), Arc::clone(&is_over));
        let thread = std::thread::spawn(move || {
            let mut random = Random::new(seed);
            let mut number = 0;
            while !over.load(Ordering::SeqCst) {
                let lines = 1 + random.below(20) * random.below(10);
                let text: String = (0..lines)
                    .map(|_| {
                        number += 1;
                        line(number - 1)
                    })
                    .collect();
                let cut = usize::try_from(random.below(text.len() as u64)).unwrap();
                for part in [&text[..cut], &text[cut..]] {
                    if !write(part, &mut random) {
                        return;
                    }
                }
                count.store(number, Ordering::SeqCst);
                std::thread::sleep(Duration::from_millis(random.below(20)));
            }
        });
        Self {
            written,
            is_over,
            thread: Some(thread),
        }
    }

    fn written(&self) -> i64 {
        self.written.load(Ordering::SeqCst)
    }

    fn stop(&mut self) -> i64 {
        self.is_over.store(true, Ordering::SeqCst);
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
        self.written()
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::SeqCst);
    }
}

/// A log file with its rotated files, as a program and logrotate have it.
struct LogFile {
    path: PathBuf,
    file: File,
    rotated: u64,
}

impl LogFile {
    fn open(path: &Path) -> File {
        let mut options = OpenOptions::new();
        options.append(true).create(true).open(path).unwrap()
    }

    fn next_name(&mut self) -> PathBuf {
        self.rotated += 1;
        // The larger the number, the older.
        self.path
            .with_extension(format!("log.{}", 1_000 - self.rotated))
    }

    fn rename(&mut self) {
        let name = self.next_name();
        fs::rename(&self.path, name).unwrap();
    }

    fn copy_and_truncate(&mut self) {
        let name = self.next_name();
        fs::copy(&self.path, name).unwrap();
        File::create(&self.path).unwrap();
    }
}

/// Returns `few`, or a share of PROPTEST_CASES if that is set.
fn events(few: u64, share: u64) -> u64 {
    let cases = std::env::var("PROPTEST_CASES").ok();
    let cases = cases.and_then(|cases| cases.parse::<u64>().ok());
    cases.map_or(few, |cases| (cases / share).max(few))
}

fn seed() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let seed = match std::env::var("LOOKBACK_TEST_SEED") {
        Ok(seed) => seed.parse().unwrap(),
        Err(_) => u64::from(now.subsec_nanos()),
    };
    eprintln!("LOOKBACK_TEST_SEED={seed}");
    seed
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn followed_lines_are_stored_once_whatever_happens() {
    let seed = seed();
    let mut random = Random::new(seed);
    let mut server = Server::start(seed).await;
    let path = server.lookback.folder().join("app.log");
    let mut log = LogFile {
        file: LogFile::open(&path),
        path,
        rotated: 0,
    };
    // 1: to be renamed, and opened again some lines later; 2: to be copied and truncated.
    let rotation = Arc::new(AtomicI64::new(0));
    let asked = Arc::clone(&rotation);
    let mut old_parts = 0;
    let mut is_line_open = false;
    let mut writer = Writer::start(seed, move |text, random| {
        // A program rotates between lines.
        if !is_line_open {
            match asked.swap(0, Ordering::SeqCst) {
                1 if old_parts == 0 => {
                    log.rename();
                    old_parts = 1 + random.below(8);
                }
                2 if old_parts == 0 => log.copy_and_truncate(),
                _ => {}
            }
            if old_parts > 0 {
                old_parts -= 1;
                if old_parts == 0 {
                    log.file = LogFile::open(&log.path);
                }
            }
        }
        log.file.write_all(text.as_bytes()).unwrap();
        if !text.is_empty() {
            is_line_open = !text.ends_with('\n');
        }
        true
    });
    let call = ["import", "--follow", "app.log", "--batch", "200"];
    let mut child = server.spawn(&call, Stdio::null());
    // From then on, Lookback knows the file.
    while server.counts().await.records == 0 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let mut events = String::new();
    for _ in 0..self::events(24, 100) {
        tokio::time::sleep(Duration::from_millis(20 + random.below(700))).await;
        let event = *random.pick(&[
            "kill",
            "kill",
            "int",
            "term",
            "disconnect",
            "disconnect",
            "crash",
            "rename",
            "rename",
            "truncate",
        ]);
        write!(events, "{event} at {}, ", writer.written()).unwrap();
        match event {
            "kill" => {
                child.kill().unwrap();
                child.wait().unwrap();
            }
            "int" | "term" => {
                let signal = if event == "int" {
                    Signal::SIGINT
                } else {
                    Signal::SIGTERM
                };
                support::signal(&child, signal);
                // One that has just started has no handler yet.
                let status = child.wait().unwrap();
                let by_default = std::os::unix::process::ExitStatusExt::signal(&status);
                // And one that cannot connect at its start ends.
                let is_at_start = server.err().contains("cannot connect to");
                assert!(
                    status.success() || by_default.is_some() || is_at_start,
                    "{status} {events}: {}",
                    server.err()
                );
            }
            "disconnect" => server.disconnect().await,
            "crash" => server.crash(),
            "rename" => rotation.store(1, Ordering::SeqCst),
            _ => rotation.store(2, Ordering::SeqCst),
        }
        if child.try_wait().unwrap().is_some() {
            child = server.spawn(&call, Stdio::null());
        }
    }
    let written = writer.stop();
    let deadline = Instant::now() + DEADLINE;
    loop {
        let found = server.counts().await;
        assert!(
            found.records == found.lines,
            "stored twice, or in parts: {found:?}; {events}: {}",
            server.err()
        );
        if found.lines == written {
            break;
        }
        assert!(
            Instant::now() < deadline,
            "{found:?} of {written} lines; {events}: {}",
            server.err()
        );
        if child.try_wait().unwrap().is_some() {
            child = server.spawn(&call, Stdio::null());
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    support::signal(&child, Signal::SIGTERM);
    assert!(child.wait().unwrap().success(), "{}", server.err());
    assert_eq!(server.counts().await, Counts::of(written));
    assert!(
        server
            .proxy
            .met
            .lock()
            .unwrap()
            .contains_key("BeforeAnswer")
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn streamed_lines_are_stored_once_whatever_happens() {
    let seed = seed();
    let mut random = Random::new(seed + 1);
    let mut server = Server::start(seed).await;
    for round in 0..events(3, 800) {
        let mut child = server.spawn(&["import", "-", "--batch", "200"], Stdio::piped());
        let mut pipe = child.stdin.take().unwrap();
        let mut writer = Writer::start(seed + round, move |text, _| {
            pipe.write_all(text.as_bytes()).is_ok()
        });
        // A stream needs the database when it starts.
        while server.counts().await.records == 0 {
            assert_eq!(child.try_wait().unwrap(), None, "{}", server.err());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let mut events = String::new();
        for _ in 0..6 {
            tokio::time::sleep(Duration::from_millis(20 + random.below(500))).await;
            let event = *random.pick(&["disconnect", "disconnect", "crash"]);
            write!(events, "{event} at {}, ", writer.written()).unwrap();
            if event == "crash" {
                server.crash();
            } else {
                server.disconnect().await;
            }
        }
        let sent = writer.written();
        let signal = *random.pick(&[Signal::SIGINT, Signal::SIGTERM]);
        support::signal(&child, signal);
        let status = child.wait().unwrap();
        writer.stop();
        assert_eq!(status.code(), Some(130), "{events}: {}", server.err());
        // On a busy machine, what was sent may take longer than a stream has after a signal: then
        // the rest is in a file.
        if let Some(rest) = server.unstored() {
            let status = server.direct(&["import", &rest]).status().unwrap();
            assert!(status.success(), "{rest}: {}", server.err());
            fs::remove_file(rest).unwrap();
        }
        let mut conn = PgConnection::connect(&server.url).await.unwrap();
        let found = server.counts().await;
        // The signal may cut off the last line.
        let is_cut = found.records == found.whole + 1;
        let whole = Counts {
            records: found.whole,
            ..found
        };
        assert!(
            (is_cut || found.records == found.whole)
                && whole == Counts::of(found.lines)
                && found.lines >= sent,
            "{found:?}, {sent} were sent; {events}: {}",
            server.err()
        );
        // The next round sends the same lines.
        sqlx::query("TRUNCATE logs, imports")
            .execute(&mut conn)
            .await
            .unwrap();
    }
}
