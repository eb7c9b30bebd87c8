//! Decoding on one core, against parsing the same bytes into `serde_json::Value`.
//!
//! `make bench-decode`; `cargo bench -p lookback-formats --bench decode -- pino` measures the cases
//! whose name contains the word. Each figure is the median of the runs; in each, both are measured.
//! The lines are made. Lines that are no JSON are compared with parsing pino's. The target is 0.7
//! for JSON.

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
const RUNS: usize = 9;

/// Lines of a format.
struct Case {
    name: &'static str,
    is_json: bool,
    /// Writes a line, without its end.
    write: fn(&mut String, u64),
}

const CASES: [Case; 6] = [
    Case {
        name: "pino's lines",
        is_json: true,
        write: pino,
    },
    Case {
        name: "lines of structlog and zap in turn",
        is_json: true,
        write: mixed,
    },
    Case {
        name: "requests as pino-http writes them",
        is_json: true,
        write: pino_http,
    },
    Case {
        name: "an access log in JSON",
        is_json: true,
        write: json_access,
    },
    Case {
        name: "an access log of nginx",
        is_json: false,
        write: access,
    },
    Case {
        name: "`key=value` pairs",
        is_json: false,
        write: pairs,
    },
];

fn pino(out: &mut String, n: u64) {
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
}

fn mixed(out: &mut String, n: u64) {
    if n.is_multiple_of(2) {
        write!(
            out,
            "{{\"event\":\"payment of order {n} was captured\",\"level\":\"info\",\"logger\":\"shop.payments\",\
             \"timestamp\":\"2026-10-11T12:{:02}:{:02}.{:06}Z\",\"order\":{{\"id\":{n},\"total\":\"17.90\"}}}}",
            n / 60 % 60,
            n % 60,
            n % 1_000_000
        )
    } else {
        write!(
            out,
            "{{\"level\":\"warn\",\"ts\":{}.{:06},\"caller\":\"cache/lru.go:118\",\"msg\":\"evicted before its time\",\
             \"key\":\"sku:{n}\",\"age\":\"{}ms\"}}",
            1_761_234_567 + n,
            n % 1_000_000,
            n % 900
        )
    }
    .unwrap();
}

fn pino_http(out: &mut String, n: u64) {
    write!(
        out,
        "{{\"level\":30,\"time\":{},\"pid\":18,\"hostname\":\"node-a\",\"req\":{{\"id\":{n},\"method\":\"GET\",\
         \"url\":\"/orders/{n}?full=1\",\"headers\":{{\"host\":\"shop.example\",\"accept\":\"*/*\",\
         \"authorization\":\"Bearer abcdefgh{n}\"}},\"remoteAddress\":\"192.0.2.{}\"}},\
         \"res\":{{\"statusCode\":200,\"headers\":{{\"content-type\":\"application/json\"}}}},\
         \"responseTime\":{},\"msg\":\"request completed\"}}",
        1_761_234_567_890 + n,
        n % 250,
        n % 700
    )
    .unwrap();
}

fn json_access(out: &mut String, n: u64) {
    write!(
        out,
        "{{\"time_iso8601\":\"2026-10-11T12:{:02}:{:02}+02:00\",\"remote_addr\":\"192.0.2.{}\",\
         \"request_method\":\"GET\",\"request_uri\":\"/orders/{n}?full=1\",\"status\":\"200\",\
         \"body_bytes_sent\":\"{}\",\"request_time\":\"0.0{:02}\",\"http_user_agent\":\"Mozilla/5.0 (X11)\"}}",
        n / 60 % 60,
        n % 60,
        n % 250,
        n % 5_000,
        n % 100
    )
    .unwrap();
}

fn access(out: &mut String, n: u64) {
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
}

fn pairs(out: &mut String, n: u64) {
    write!(
        out,
        "ts=2026-10-11T12:00:{:02}Z level=info msg=\"order stored\" order={n} sku=914",
        n % 60
    )
    .unwrap();
}

fn main() {
    let wanted = std::env::args().skip(1).find(|word| !word.starts_with('-'));
    let is_wanted = |case: &&Case| wanted.as_ref().is_none_or(|word| case.name.contains(word));
    println!("| what | MB/s | of serde_json |");
    println!("|---|---:|---:|");
    for case in CASES.iter().filter(is_wanted) {
        let text = lines(case.write);
        let json = if case.is_json {
            text.clone()
        } else {
            lines(pino)
        };
        let (mut rates, mut ratios) = (Vec::new(), Vec::new());
        for _ in 0..RUNS {
            let parsing = rate(json.len(), timed(|| parse(&json)));
            let decoding = rate(text.len(), timed(|| decode(&text)));
            rates.push(decoding);
            ratios.push(decoding / parsing);
        }
        let (decoding, ratio) = (median(&mut rates), median(&mut ratios));
        println!("| {} | {decoding:.0} | {ratio:.2} |", case.name);
    }
}

fn lines(line: fn(&mut String, u64)) -> String {
    let mut out = String::new();
    for n in 0..LINES {
        line(&mut out, n);
        out.push('\n');
    }
    out
}

/// The rate, in MB/s.
fn rate(bytes: usize, time: Duration) -> f64 {
    bytes as f64 / 1e6 / time.as_secs_f64()
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values[values.len() / 2]
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
