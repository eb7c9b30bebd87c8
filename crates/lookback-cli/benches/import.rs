//! `lookback import` as a program, against raw binary COPY of the same rows; its memory; and the
//! time from a line to the search that finds it.
//!
//! `make bench-import`, or `ROWS=500000 make bench-import`. The imports and the COPY run in turn.
//! The time of an import is that from the start of the program to its report that all is stored;
//! what it then seals is measured by itself. The server is not durable (`fsync=off`), so that the
//! work is measured and not the disk. `STREAM_MB` is the size of the endless stream (1,024).

#![expect(clippy::unwrap_used, reason = "a benchmark")]

use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use lookback::{Level, NewLog};
use testkit::bench::{
    Contest, Report, Target, Times, copy_in, copy_out, create_bare_table, execute, rows,
};
use testkit::sample::log_lines;

const ROUNDS: usize = 3;
const SEED: u64 = 42;
/// The lines whose time to a search is measured, and the pause between two.
const SEARCHED: usize = 60;
const PAUSE: Duration = Duration::from_millis(150);

#[tokio::main]
async fn main() {
    let rows = rows(2_000_000);
    let db = testkit::database().await;
    let url = db.url.as_str();
    let folder = tempfile::tempdir().unwrap();
    let (own, pino) = (
        folder.path().join("own.jsonl"),
        folder.path().join("pino.jsonl"),
    );
    write(&own, rows, own_line);
    write(&pino, rows, pino_line);
    let mut report = Report::new("import", "the program, from files and a stream");
    report.note("rows", rows);
    let size = |path: &Path| std::fs::metadata(path).unwrap().len();
    report.note("bytes per line, own form", size(&own) / rows);
    report.note("bytes per line, pino", size(&pino) / rows);

    // The bytes of a COPY of these rows, as written by the server.
    import(url, &own).wait();
    let bytes = copy_out(&db.pool).await;
    create_bare_table(&db.pool, "plain").await;
    let mut contest = Contest::new();
    let (mut sealing, mut peaks) = (Times::default(), Vec::new());
    for _ in 0..ROUNDS {
        empty(&db.pool).await;
        let raw = copy_in(&db.pool, "plain", &bytes);
        contest.time("raw COPY, primary key only", raw).await;
        for (name, file) in [("import, own form", &own), ("import, pino", &pino)] {
            empty(&db.pool).await;
            let running = contest.time(name, async { import(url, file) }).await;
            let clock = Instant::now();
            peaks.extend(running.wait());
            sealing.push(clock.elapsed());
        }
    }
    report.contest(&contest, Some(rows));
    report.figure("sealing after it", &sealing, Some(rows));
    let raw = contest.times("raw COPY, primary key only").median();
    for name in ["import, own form", "import, pino"] {
        let ratio = raw / contest.times(name).median();
        let what = format!("{name}: records per second against raw COPY");
        report.ratio(&what, ratio, Target::AtLeast(0.45));
    }
    if let Some(peak) = peaks.into_iter().reduce(f64::max) {
        report.ratio(
            "memory at its peak, MiB, files",
            peak,
            Target::AtMost(200.0),
        );
    }

    empty(&db.pool).await;
    if let Some((early, peak)) = stream(url) {
        report.note("memory of a stream after a tenth, MiB", early);
        report.ratio(
            "memory at its peak, MiB, stream",
            peak,
            Target::AtMost(200.0),
        );
    }

    empty(&db.pool).await;
    let found = found_after(url);
    report.figure("a line's time from write to logs search", &found, None);
    let (median, p99) = (found.median(), found.percentile(99.0));
    report.ratio("its median, seconds", median, Target::AtMost(0.5));
    report.ratio("its 99th percentile, seconds", p99, Target::AtMost(1.5));
    report.finish();
}

fn write(path: &Path, rows: u64, line: fn(&mut String, u64, &NewLog)) {
    let mut file = std::io::BufWriter::new(std::fs::File::create(path).unwrap());
    let mut text = String::new();
    for (number, log) in (0..).zip(log_lines(SEED, 0, rows)) {
        text.clear();
        line(&mut text, number, &log);
        writeln!(file, "{text}").unwrap();
    }
    file.flush().unwrap();
}

fn own_line(out: &mut String, number: u64, log: &NewLog) {
    write!(
        out,
        "{{\"source\":\"orders\",\"level\":\"{}\",\"message\":{},\"meta\":{{\"pid\":18,\
         \"hostname\":\"node-a\",\"orderId\":{number},\"reqId\":\"r{:06x}\"}},\
         \"created_at\":\"2026-10-11T12:{:02}:{:02}.{:03}Z\"}}",
        log.level.as_str(),
        lookback::Json::from(&log.message),
        number * 7_919 % 16_777_216,
        number / 60_000 % 60,
        number / 1_000 % 60,
        number % 1_000,
    )
    .unwrap();
}

fn pino_line(out: &mut String, number: u64, log: &NewLog) {
    let level = match log.level {
        Level::Debug => 20,
        Level::Info => 30,
        Level::Warn => 40,
        Level::Error => 50,
    };
    write!(
        out,
        "{{\"level\":{level},\"time\":{},\"pid\":18,\"hostname\":\"node-a\",\"name\":\"orders\",\
         \"orderId\":{number},\"reqId\":\"r{:06x}\",\"msg\":{}}}",
        1_791_720_000_000 + number,
        number * 7_919 % 16_777_216,
        lookback::Json::from(&log.message),
    )
    .unwrap();
}

fn program(url: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lookback"));
    command
        .args(arguments)
        .args(["--database-url", url])
        .stderr(Stdio::null());
    command
}

/// An import whose records are stored.
struct Stored {
    child: Child,
}

/// Imports a file until the program reports that it is stored.
fn import(url: &str, file: &Path) -> Stored {
    let path = file.to_str().unwrap();
    let mut child = program(url, &["import", path, "--restart", "--json"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    let mut output = BufReader::new(child.stdout.as_mut().unwrap());
    output.read_line(&mut line).unwrap();
    assert!(line.contains("\"finished\":true"), "{line}");
    Stored { child }
}

impl Stored {
    /// Waits for what the program does after it, and returns the memory at its peak, in MiB.
    fn wait(mut self) -> Option<f64> {
        let peak = memory(&self.child);
        assert!(self.child.wait().unwrap().success());
        peak
    }
}

/// The most memory that a process has had, in MiB, if the system tells.
fn memory(child: &Child) -> Option<f64> {
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM"))?;
    let kibibytes: f64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some((kibibytes / 1024.0).round())
}

/// Sends a long stream; returns the memory after a tenth of it and at its end.
fn stream(url: &str) -> Option<(f64, f64)> {
    let size: usize = std::env::var("STREAM_MB").map_or(1_024, |size| size.parse().unwrap());
    let mut child = program(url, &["import", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    let (mut sent, mut early, mut text) = (0, None, String::new());
    for (number, log) in (0..).zip(log_lines(SEED, 0, u64::MAX)) {
        pino_line(&mut text, number, &log);
        text.push('\n');
        if text.len() >= 64 * 1024 {
            input.write_all(text.as_bytes()).unwrap();
            sent += text.len();
            text.clear();
        }
        if early.is_none() && sent >= (size << 20) / 10 {
            early = memory(&child);
        }
        if sent >= size << 20 {
            break;
        }
    }
    let peak = memory(&child);
    drop(input);
    assert!(child.wait().unwrap().success());
    Some((early?, peak?))
}

/// Measures the time from writing a line, among others, to the search that finds it.
fn found_after(url: &str) -> Times {
    let mut child = program(url, &["import", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    let mut times = Times::default();
    for number in 0..SEARCHED {
        let word = format!("needle{number}x{}", number * 7_919);
        let line = format!("{{\"level\":30,\"msg\":\"the {word} of the stack\"}}\n");
        let clock = Instant::now();
        input.write_all(line.as_bytes()).unwrap();
        while !is_found(url, &word) {}
        times.push(clock.elapsed());
        std::thread::sleep(PAUSE);
    }
    drop(input);
    assert!(child.wait().unwrap().success());
    times
}

fn is_found(url: &str, word: &str) -> bool {
    let mut child = program(url, &["logs", "search", word, "--json"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut found = String::new();
    let mut output = child.stdout.take().unwrap();
    output.read_to_string(&mut found).unwrap();
    assert!(child.wait().unwrap().success());
    found.contains(&format!("the {word} of"))
}

async fn empty(pool: &sqlx::PgPool) {
    let plain =
        "DO $$ BEGIN IF to_regclass('plain') IS NOT NULL THEN TRUNCATE plain; END IF; END $$";
    execute(pool, plain).await;
    execute(pool, "TRUNCATE logs; CHECKPOINT").await;
}
