//! How many log messages a core encodes in a second.
//!
//! `make bench-encode`, or `LOGS=folder make bench-encode` to measure each
//! `*.jsonl` file of a folder as well: lines with a `message`. Prints messages
//! a second in the fastest round, which nothing else on the machine disturbed,
//! and in the median one, with the ratio to the limit; writes
//! `target/bench/encode.json`.

#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::cast_precision_loss)]

use std::path::Path;
use std::time::{Duration, Instant};

use lookback::Embedding;
use serde_json::json;

const LIMIT: f64 = 500_000.0;
const ROUNDS: usize = 9;
const MESSAGES: usize = 100_000;

fn main() {
    let made = testkit::made::logs(42, MESSAGES).into_iter();
    let mut sets = vec![("made".to_owned(), messages(made))];
    if let Ok(folder) = std::env::var("LOGS") {
        let mut files: Vec<_> = std::fs::read_dir(&folder)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.extension().is_some_and(|end| end == "jsonl"))
            .collect();
        files.sort();
        for file in files {
            let text = std::fs::read_to_string(&file).unwrap();
            let lines = text.lines().map(|line| serde_json::from_str(line).unwrap());
            let name = file.file_stem().unwrap().to_string_lossy().into_owned();
            sets.push((name, messages(lines)));
        }
    }

    println!("messages a second on one core, {ROUNDS} rounds; limit {LIMIT}");
    let mut results = Vec::new();
    for (name, messages) in sets {
        let bytes: usize = messages.iter().map(String::len).sum();
        let rounds = rounds(&messages);
        let rate = |round: Duration| messages.len() as f64 / round.as_secs_f64();
        let (fastest, median) = (rate(rounds[0]), rate(rounds[ROUNDS / 2]));
        let mean = bytes as f64 / messages.len() as f64;
        println!(
            "  {name:<10} {fastest:>10.0}/s  {:>5.2} of the limit  (median {median:.0}/s; {mean:.0} bytes each)",
            fastest / LIMIT
        );
        results.push(json!({
            "messages": name,
            "mean_bytes": mean,
            "per_second": fastest,
            "median_per_second": median,
            "of_limit": fastest / LIMIT,
        }));
    }
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/bench");
    std::fs::create_dir_all(&folder).unwrap();
    let report = json!({ "limit": LIMIT, "results": results });
    let report = serde_json::to_string_pretty(&report).unwrap();
    std::fs::write(folder.join("encode.json"), report).unwrap();
}

fn messages(lines: impl Iterator<Item = serde_json::Value>) -> Vec<String> {
    lines
        .map(|line| line["message"].as_str().unwrap().to_owned())
        .collect()
}

/// Rounds over all messages, as many times as make 100,000, the fastest first.
fn rounds(messages: &[String]) -> Vec<Duration> {
    let times = MESSAGES.div_ceil(messages.len());
    let mut rounds: Vec<Duration> = (0..ROUNDS)
        .map(|_| {
            let clock = Instant::now();
            for _ in 0..times {
                for message in messages {
                    std::hint::black_box(Embedding::of(message));
                }
            }
            clock.elapsed() / u32::try_from(times).unwrap()
        })
        .collect();
    rounds.sort();
    rounds
}
