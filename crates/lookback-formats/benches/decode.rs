//! Decoding on one core, against parsing the same bytes into `serde_json::Value`.
//!
//! `make bench-decode`. Each figure is the median of the runs, which take turns. The lines are made:
//! those of pino, of a web server, and key-value pairs. The target is 0.7 for JSON.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    reason = "a benchmark"
)]

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use lookback_formats::{Decoder, Options};

const LINES: u64 = 200_000;
const RUNS: usize = 5;

fn main() {
    let pino = lines(|out, n| {
        write!(
            out,
            "{{\"level\":{},\"time\":{},\"pid\":18,\"hostname\":\"node-a\",\"name\":\"orders\",\"orderId\":{n},\
             \"reqId\":\"r{:06x}\",\"msg\":\"stock of {} is below the threshold\"}}",
            [20, 30, 30, 40, 50][n as usize % 5],
            1_761_234_567_890 + n,
            n * 7_919 % 16_777_216,
            n % 977
        )
        .unwrap();
    });
    let access = lines(|out, n| {
        write!(
            out,
            "192.0.2.{} - - [11/Oct/2026:12:{:02}:{:02} +0200] \"GET /orders/{n}?full=1 HTTP/1.1\" 200 {} \"-\" \
             \"Mozilla/5.0 (X11; Linux x86_64)\"",
            n % 250,
            n / 60 % 60,
            n % 60,
            n % 5_000
        )
        .unwrap();
    });
    let pairs = lines(|out, n| {
        write!(
            out,
            "ts=2026-10-11T12:00:{:02}Z level=info msg=\"order stored\" order={n} sku=914",
            n % 60
        )
        .unwrap();
    });
    let mut times = [const { Vec::new() }; 4];
    for _ in 0..RUNS {
        times[0].push(timed(|| parse(&pino)));
        times[1].push(timed(|| decode(&pino)));
        times[2].push(timed(|| decode(&access)));
        times[3].push(timed(|| decode(&pairs)));
    }
    let rate = |times: &mut Vec<Duration>, bytes: usize| {
        times.sort_unstable();
        bytes as f64 / 1e6 / times[RUNS / 2].as_secs_f64()
    };
    let [parsing, json, web, logfmt] = &mut times;
    let parsing = rate(parsing, pino.len());
    println!("| what | MB/s | of serde_json |");
    println!("|---|---:|---:|");
    println!("| `serde_json::Value` of pino's lines | {parsing:.0} | 1 |");
    for (what, rate) in [
        ("pino's lines", rate(json, pino.len())),
        ("lines of a web server", rate(web, access.len())),
        ("`key=value` pairs", rate(logfmt, pairs.len())),
    ] {
        println!("| {what} | {rate:.0} | {:.2} |", rate / parsing);
    }
}

fn lines(line: impl Fn(&mut String, u64)) -> String {
    let mut out = String::new();
    for n in 0..LINES {
        line(&mut out, n);
        out.push('\n');
    }
    out
}

fn timed(work: impl FnOnce() -> usize) -> Duration {
    let clock = Instant::now();
    assert_eq!(work() as u64, LINES);
    clock.elapsed()
}

fn parse(text: &str) -> usize {
    let lines = text.lines();
    let parsed = lines.map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    parsed.filter(serde_json::Value::is_object).count()
}

fn decode(text: &str) -> usize {
    let mut decoder = Decoder::new(Options::default());
    let (mut entries, mut count) = (Vec::new(), 0);
    for line in text.lines() {
        decoder.line(line.as_bytes(), &mut entries).unwrap();
        count += entries.len();
        entries.clear();
    }
    decoder.finish(&mut entries);
    count + entries.len()
}
