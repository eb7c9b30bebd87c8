//! Throughput and instructions of encoding log messages on one core.
//!
//! `make bench-encode`, or `LOGS=folder make bench-encode` to measure each
//! `*.jsonl` file of a folder as well: lines with a `message`. The ratio to the
//! limit is that of the fastest round, which other processes disturbed least.
//! Instructions do not depend on other processes; cachegrind counts them, where
//! `valgrind` is installed: virtual machines seldom have hardware counters. Writes `target/bench/encode.json`.

#![expect(
    clippy::unwrap_used,
    clippy::cast_precision_loss,
    reason = "a benchmark"
)]

use std::process::Command;
use std::time::Instant;

use lookback::embedding::Embedding;
use testkit::bench::{Report, Target, Times};
use testkit::sample;

const LIMIT: f64 = 500_000.0;
const ROUNDS: usize = 9;
const MESSAGES: usize = 100_000;

/// The variable with the number of messages for the process under cachegrind.
const COUNTED: &str = "LOOKBACK_BENCH_ENCODE";
/// The difference in messages between two such processes.
const FEW: usize = 1_000;
const MORE: usize = 11_000;

fn main() {
    if let Ok(count) = std::env::var(COUNTED) {
        let messages = made_messages(MORE);
        encode(&messages[..count.parse().unwrap()]);
        return;
    }
    let mut sets = vec![("made".to_owned(), made_messages(MESSAGES))];
    if let Ok(folder) = std::env::var("LOGS") {
        let mut files: Vec<_> = std::fs::read_dir(&folder)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.extension().is_some_and(|end| end == "jsonl"))
            .collect();
        files.sort();
        for file in files {
            let text = std::fs::read_to_string(&file).unwrap();
            let lines = text.lines().map(|line| {
                let line: serde_json::Value = serde_json::from_str(line).unwrap();
                line["message"].as_str().unwrap().to_owned()
            });
            let name = file.file_stem().unwrap().to_string_lossy().into_owned();
            sets.push((name, lines.collect()));
        }
    }

    let mut report = Report::new("encode", "messages per second on one core");
    report.note("limit, messages per second", LIMIT);
    match instructions() {
        Ok(count) => report.note("instructions a message", count),
        Err(problem) => report.note("instructions a message", format!("not counted: {problem}")),
    }
    for (name, messages) in sets {
        let bytes: usize = messages.iter().map(String::len).sum();
        let mean = (bytes as f64 / messages.len() as f64).round();
        report.note(&format!("bytes of a message, {name}"), mean);
        let times = rounds(&messages);
        report.figure(&name, &times, Some(messages.len() as u64));
        let fastest = messages.len() as f64 / times.fastest();
        report.ratio(
            &format!("{name}, of the limit"),
            fastest / LIMIT,
            Target::AtLeast(1.0),
        );
    }
    report.finish();
}

fn made_messages(count: usize) -> Vec<String> {
    let lines = sample::log_lines(42, 0, count as u64);
    lines.map(|line| line.message).collect()
}

fn encode(messages: &[String]) {
    for message in messages {
        std::hint::black_box(Embedding::of(message));
    }
}

/// Repeats the messages up to 100,000.
fn rounds(messages: &[String]) -> Times {
    let repeats = MESSAGES.div_ceil(messages.len());
    let mut times = Times::default();
    for _ in 0..ROUNDS {
        let clock = Instant::now();
        for _ in 0..repeats {
            encode(messages);
        }
        times.push(clock.elapsed() / u32::try_from(repeats).unwrap());
    }
    times
}

/// Returns the instructions per message, from the difference of two processes.
fn instructions() -> Result<u64, String> {
    let (few, more) = (counted(FEW)?, counted(MORE)?);
    Ok(more.saturating_sub(few) / (MORE - FEW) as u64)
}

fn counted(messages: usize) -> Result<u64, String> {
    let output = Command::new("valgrind")
        .args([
            "--tool=cachegrind",
            "--cache-sim=no",
            "--cachegrind-out-file=/dev/null",
        ])
        .arg(std::env::current_exe().unwrap())
        .env(COUNTED, messages.to_string())
        .output()
        .map_err(|error| format!("valgrind: {error}"))?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let line = said.lines().find_map(|line| line.split_once("refs:"));
    let count = line.and_then(|(_, count)| count.trim().replace(',', "").parse().ok());
    count.ok_or(format!("valgrind said no count: {said}"))
}
