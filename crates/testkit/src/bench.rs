//! Shared parts of the benchmarks.
//!
//! They are times with percentiles; a report as a table and as `target/bench/<name>.json`; growth
//! as a table and as a plot; and raw COPY, the baseline for writing.
//!
//! ```no_run
//! # async fn work() {}
//! use testkit::bench::{Contest, Growth, Report, Scale, Target, plot, replace_between, rows};
//!
//! # async fn bench() -> Result<(), String> {
//! let rows = rows(1_000_000);
//! let mut contest = Contest::new();
//! for _ in 0..5 {
//!     contest.time("raw COPY", work()).await;
//!     contest.time("writer", work()).await;
//! }
//! let mut report = Report::new("ingest", "the writer against raw binary COPY");
//! report.note("rows", rows);
//! report.contest(&contest, Some(rows));
//! let ratio = contest.times("raw COPY").median() / contest.times("writer").median();
//! report.ratio("rows per second against raw COPY", ratio, Target::AtLeast(0.7));
//!
//! let mut growth = Growth::new("Ingest", "rows", "rows per second");
//! growth.point("writer", 100_000, 200_000.0);
//! report.growth(&growth);
//! report.finish();
//! plot(&growth, Scale::LogLog, "growth-ingest.svg");
//! replace_between("docs/performance.md", "ingest", &growth.table())?;
//! # Ok(())
//! # }
//! ```

mod copy;
mod growth;
mod plot;
mod report;
mod times;

use std::path::{Path, PathBuf};

pub use copy::{copy_in, copy_out, create_bare_table, execute};
pub use growth::Growth;
pub use plot::{Scale, plot, svg};
pub use report::{Report, Target};
pub use times::{Contest, Times};

/// Returns the number of rows to measure: `ROWS`, or the value `or`.
///
/// # Panics
///
/// If `ROWS` is not a whole number above zero; `_` may group its digits.
pub fn rows(or: u64) -> u64 {
    let Ok(given) = std::env::var("ROWS") else {
        return or;
    };
    match given.replace('_', "").parse() {
        Ok(rows) if rows > 0 => rows,
        _ => panic!("ROWS={given} is not a number of rows, such as 1000000"),
    }
}

/// Returns the path of a folder or file in the repository, for any working folder.
pub fn workspace(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .join(path)
}

/// Replaces the text between two marker lines of a file in the repository.
///
/// The markers are `<!-- bench:NAME -->` and `<!-- /bench:NAME -->`.
///
/// # Errors
///
/// If the file cannot be read or written, or unless it has each of the two lines once and in this
/// order; then nothing is changed.
pub fn replace_between(path: &str, name: &str, text: &str) -> Result<(), String> {
    let file = workspace(path);
    let old = std::fs::read_to_string(&file).map_err(|error| format!("{path}: {error}"))?;
    let new = replaced(&old, name, text).map_err(|problem| format!("{path}: {problem}"))?;
    std::fs::write(&file, new).map_err(|error| format!("{path}: {error}"))
}

fn replaced(old: &str, name: &str, text: &str) -> Result<String, String> {
    let (open, close) = (
        format!("<!-- bench:{name} -->"),
        format!("<!-- /bench:{name} -->"),
    );
    for marker in [&open, &close] {
        match old.matches(marker.as_str()).count() {
            1 => {}
            0 => return Err(format!("the line {marker} is missing")),
            more => return Err(format!("the line {marker} is there {more} times")),
        }
    }
    match old.split_once(&open) {
        Some((before, rest)) => match rest.split_once(&close) {
            Some((_, after)) => Ok(format!(
                "{before}{open}\n\n{}\n\n{close}{after}",
                text.trim()
            )),
            None => Err(format!("{close} stands before {open}")),
        },
        None => unreachable!("it is there once"),
    }
}

/// Formats a number with its significant digits in groups of three.
pub fn format_number(number: f64) -> String {
    let decimals = match number.abs() {
        size if size >= 100.0 || size == 0.0 => 0,
        size if size >= 10.0 => 1,
        size if size >= 1.0 => 2,
        _ => 3,
    };
    let text = format!("{number:.decimals$}");
    let (whole, rest) = text.split_once('.').unwrap_or((&text, ""));
    let mut grouped = String::new();
    for (at, digit) in whole.chars().enumerate() {
        let left = whole.len() - at;
        if at > 0 && left % 3 == 0 && !grouped.ends_with('-') {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    match rest {
        "" => grouped,
        rest => format!("{grouped}.{rest}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replaced_changes_only_text_between_markers() {
        let old = "a\n<!-- bench:x -->\nold\n<!-- /bench:x -->\nb\n";
        let new = replaced(old, "x", "| new |\n").unwrap();
        assert_eq!(
            new,
            "a\n<!-- bench:x -->\n\n| new |\n\n<!-- /bench:x -->\nb\n"
        );
        assert_eq!(replaced(&new, "x", "| new |").unwrap(), new);
        let missing = replaced(old, "y", "").unwrap_err();
        assert_eq!(missing, "the line <!-- bench:y --> is missing");
        let wrong_way = "<!-- /bench:x -->\n<!-- bench:x -->";
        assert!(replaced(wrong_way, "x", "").is_err());
        assert!(replaced(&old.repeat(2), "x", "").is_err());
    }

    #[test]
    fn format_number_prints_groups_and_significant_digits() {
        let numbers = [
            0.0,
            0.0123,
            1.234,
            12.34,
            123.4,
            1_234.5,
            1_234_567.0,
            -1_000.0,
        ];
        let format_number: Vec<String> = numbers.into_iter().map(format_number).collect();
        assert_eq!(
            format_number,
            [
                "0",
                "0.012",
                "1.23",
                "12.3",
                "123",
                "1,234",
                "1,234,567",
                "-1,000"
            ]
        );
    }
}
