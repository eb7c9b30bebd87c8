//! The time of `db generate` without compiling.
//!
//! It converts models to a schema, reads the folder's newest snapshot, diffs and
//! stages the changes into files, and writes SQL and snapshot.
//!
//! `make bench-generate`, or `cargo bench -p lookback --bench generate`. The
//! limit is one second at 200 tables. `growth` is the time per table relative to
//! the row above, by the fastest rounds, which other processes disturb least: 1.0
//! if twice the tables take twice the time.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    reason = "a benchmark"
)]

use std::fmt;
use std::hint::black_box;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use lookback::migrate::{Folder, GenerateOptions, generate};
use lookback::schema::{Decisions, Snapshot, diff};

#[path = "generate/made.rs"]
mod made;

use made::{Edit, models};

const TABLES: [usize; 6] = [10, 50, 100, 200, 400, 800];
const LIMIT_AT: usize = 200;
const LIMIT: Duration = Duration::from_secs(1);
const ROUNDS: usize = 9;

/// The name of a case, and its old and new models.
const CASES: [(&str, Option<Edit>, Edit); 4] = [
    ("first migration", None, Edit::None),
    ("nothing changed", Some(Edit::None), Edit::None),
    (
        "a column in each tenth table",
        Some(Edit::None),
        Edit::Column,
    ),
    (
        "an index in each tenth table",
        Some(Edit::None),
        Edit::Index,
    ),
];

fn main() {
    println!("`db generate`, {ROUNDS} rounds");
    let mut at_limit = Vec::new();
    for (name, before, after) in CASES {
        println!("\n### {name}\n");
        println!("| tables | files | median | fastest | per table | growth |");
        println!("|---:|---:|---:|---:|---:|---:|");
        let mut last: Option<f64> = None;
        for tables in TABLES {
            let (files, time) = measured(tables, before, after);
            let each = time.fastest.as_secs_f64() / tables as f64;
            let growth = last.map_or("".to_owned(), |last| format!("{:.2}", each / last));
            println!(
                "| {tables} | {files} | {time} | {:.0} µs | {growth} |",
                each * 1e6
            );
            last = Some(each);
            if tables == LIMIT_AT {
                at_limit.push((name, time.median));
            }
        }
    }

    println!("\n### a folder with a history, {LIMIT_AT} tables, nothing changed\n");
    println!("| snapshots | median | fastest |");
    println!("|---:|---:|---:|");
    for snapshots in [1, 10, 100] {
        println!("| {snapshots} | {} |", history(snapshots));
    }

    println!("\n### where it goes, {LIMIT_AT} tables, a column in each tenth\n");
    println!("| step | median | fastest |");
    println!("|---|---:|---:|");
    for (step, time) in steps() {
        println!("| {step} | {time} |");
    }

    println!("\n### against the limit of {LIMIT:?} at {LIMIT_AT} tables\n");
    for (name, time) in at_limit {
        let ratio = time.as_secs_f64() / LIMIT.as_secs_f64();
        println!("- {name}: {ratio:.3} of it (median)");
    }
}

/// Returns the number of written files, and the time.
fn measured(tables: usize, before: Option<Edit>, after: Edit) -> (usize, Time) {
    let mut files = 0;
    let time = rounds(|| {
        let folder = tempfile::tempdir().unwrap();
        let folder = Folder::new(folder.path().join("migrations"));
        if let Some(edit) = before {
            run(&folder, tables, edit);
        }
        let clock = Instant::now();
        files = run(&folder, tables, after);
        let time = clock.elapsed();
        let _ = std::fs::remove_dir_all(folder.path());
        time
    });
    (files, time)
}

fn run(folder: &Folder, tables: usize, edit: Edit) -> usize {
    let schema = models(tables, edit).to_schema().unwrap();
    let options = GenerateOptions::default();
    generate(folder, &schema, &options, now())
        .unwrap()
        .files
        .len()
}

/// Creates a folder with this number of generated changes.
fn history(snapshots: usize) -> Time {
    let home = tempfile::tempdir().unwrap();
    let folder = Folder::new(home.path().join("migrations"));
    for number in 0..snapshots {
        let edit = if number % 2 == (snapshots - 1) % 2 {
            Edit::None
        } else {
            Edit::Column
        };
        let mut options = GenerateOptions::default();
        options.decisions.assume_drops = true;
        let schema = models(LIMIT_AT, edit).to_schema().unwrap();
        generate(&folder, &schema, &options, now()).unwrap();
    }
    rounds(|| {
        let clock = Instant::now();
        run(&folder, LIMIT_AT, Edit::None);
        clock.elapsed()
    })
}

/// Measures each step on its own.
fn steps() -> Vec<(&'static str, Time)> {
    let from = models(LIMIT_AT, Edit::None).to_schema().unwrap();
    let to = models(LIMIT_AT, Edit::Column).to_schema().unwrap();
    let json = Snapshot::new(vec![1], None, from.clone()).to_json();
    let plan = diff(&from, &to, &Decisions::default()).unwrap();
    vec![
        (
            "models into a schema",
            timed(|| models(LIMIT_AT, Edit::Column).to_schema().unwrap()),
        ),
        (
            "the snapshot read",
            timed(|| Snapshot::from_json(&json).unwrap()),
        ),
        (
            "the difference",
            timed(|| diff(&from, &to, &Decisions::default()).unwrap()),
        ),
        ("staged into files", timed(|| plan.files(&from, "change"))),
        (
            "the snapshot as text",
            timed(|| Snapshot::new(vec![1], None, to.clone()).to_json()),
        ),
    ]
}

fn timed<T>(mut work: impl FnMut() -> T) -> Time {
    rounds(|| {
        let clock = Instant::now();
        black_box(work());
        clock.elapsed()
    })
}

/// Repeats the measurement for several rounds.
struct Time {
    median: Duration,
    fastest: Duration,
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let milliseconds = |time: Duration| time.as_secs_f64() * 1e3;
        let (median, fastest) = (milliseconds(self.median), milliseconds(self.fastest));
        write!(f, "{median:.1} ms | {fastest:.1} ms")
    }
}

fn rounds(mut round: impl FnMut() -> Duration) -> Time {
    let mut times: Vec<Duration> = (0..ROUNDS).map(|_| round()).collect();
    times.sort();
    Time {
        median: times[ROUNDS / 2],
        fastest: times[0],
    }
}

fn now() -> DateTime<Utc> {
    DateTime::UNIX_EPOCH
}
