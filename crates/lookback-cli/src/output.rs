//! Output of commands: data to standard output, messages to standard error.
//!
//! Colour is used on a terminal only, and never as the only sign of a meaning.
//!
//! | message | `--quiet` | by default | `--verbose` |
//! |---|---|---|---|
//! | [`error`], [`warning`], and [`advice`] on one | yes | yes | yes |
//! | [`note`], [`hint`] and progress | | yes | yes |
//! | [`detail`] | | | yes |

use std::io::{self, Write as _};
use std::sync::OnceLock;

use anstyle::{AnsiColor, Style};
use chrono::{DateTime, Utc};
use lookback::query::Total;
use lookback::value::ColumnValue as _;
use lookback_formats::export::is_unsafe;
pub(crate) use lookback_formats::export::{escaped_json, printable};
use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

mod bar;
mod columns;
mod table;

pub(crate) use bar::{bar, bar_at, spinner};
pub(crate) use columns::GrowingColumns;
pub(crate) use table::{Cell, Heading, noted_table, table, terminal_width};

pub(crate) const DIM: Style = Style::new().dimmed();
pub(crate) const BOLD: Style = Style::new().bold();
pub(crate) const RED: Style = AnsiColor::Red.on_default().bold();
pub(crate) const YELLOW: Style = AnsiColor::Yellow.on_default().bold();
pub(crate) const CYAN: Style = AnsiColor::Cyan.on_default();

/// The amount of messages on standard error.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Verbosity {
    /// Warnings and errors.
    Quiet,
    /// Results and progress, too.
    #[default]
    Normal,
    /// Details, too.
    Verbose,
}

/// The verbosity of the whole process, like standard error itself. Threads that get no value from a
/// command print there, too, for example the one that starts PostgreSQL.
static VERBOSITY: OnceLock<Verbosity> = OnceLock::new();

/// Sets the verbosity; a second call has no effect.
pub(crate) fn set_verbosity(verbosity: Verbosity) {
    let _ = VERBOSITY.set(verbosity);
}

/// Whether tables are printed in their full width, in the whole process.
static WIDE: OnceLock<bool> = OnceLock::new();

/// Sets whether tables are printed in their full width; a second call has no effect.
pub(crate) fn set_wide(wide: bool) {
    let _ = WIDE.set(wide);
}

fn is_wide() -> bool {
    WIDE.get().copied().unwrap_or_default()
}

fn says(verbosity: Verbosity) -> bool {
    VERBOSITY.get().copied().unwrap_or_default() >= verbosity
}

/// Prints why a command failed.
pub(crate) fn error(message: &str) {
    talk(RED, "error", message);
}

/// Prints a warning; the command continues.
pub(crate) fn warning(message: &str) {
    talk(YELLOW, "warning", message);
}

/// Prints a hint on an error or a warning.
pub(crate) fn advice(message: &str) {
    talk(CYAN, "hint", message);
}

/// Prints a hint on a possible next step.
pub(crate) fn hint(message: &str) {
    if says(Verbosity::Normal) {
        talk(CYAN, "hint", message);
    }
}

/// Prints a result.
pub(crate) fn note(message: &str) {
    if says(Verbosity::Normal) {
        // A message that cannot be printed is no reason to fail.
        let _ = writeln!(anstream::stderr(), "{}", printable_lines(message));
    }
}

/// Prints a detail that helps to find the cause of a problem.
pub(crate) fn detail(message: &str) {
    if says(Verbosity::Verbose) {
        talk(DIM, "detail", message);
    }
}

fn talk(style: Style, label: &str, message: &str) {
    let message = printable_lines(message);
    let _ = writeln!(anstream::stderr(), "{style}{label}{style:#}: {message}");
}

/// Prints a line of data.
pub(crate) fn line(text: &str) -> io::Result<()> {
    writeln!(anstream::stdout(), "{text}").map_err(stdout_error)
}

/// Adds that standard output could not be written; the kind of the error stays.
pub(crate) fn stdout_error(error: io::Error) -> io::Error {
    io::Error::new(
        error.kind(),
        format!("cannot write standard output: {error}"),
    )
}

/// Ignores that the reader of the output has closed it: for a command whose outcome
/// does not depend on who reads.
pub(crate) fn unless_closed(printed: io::Result<()>) -> io::Result<()> {
    match printed {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        printed => printed,
    }
}

/// Prints data of several lines unchanged.
pub(crate) fn text(text: &str) -> io::Result<()> {
    let mut out = anstream::stdout();
    // Flushed here: what is left when the process ends is lost without an error.
    write!(out, "{text}")
        .and_then(|()| out.flush())
        .map_err(stdout_error)
}

/// Prints a value as one line of JSON.
pub(crate) fn json(value: &impl serde::Serialize) -> Result<(), crate::Failure> {
    let text = escaped_json(&serde_json::to_string(value)?);
    let printed = writeln!(io::stdout().lock(), "{text}");
    Ok(printed.map_err(stdout_error)?)
}

/// Applies [`printable`], but keeps the lines.
pub(crate) fn printable_lines(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '\n' | '\t' => c,
            c if is_unsafe(c) => '\u{fffd}',
            c => c,
        })
        .collect()
}

/// Whether a text has characters that control a terminal.
pub(crate) fn is_unsafe_text(text: &str) -> bool {
    text.chars()
        .any(|c| !matches!(c, '\n' | '\t') && is_unsafe(c))
}

/// Truncates the text to `room` columns, with an ellipsis.
fn cut(text: &str, room: usize) -> String {
    if text.width() <= room {
        return text.to_owned();
    }
    let mut left = room.saturating_sub(1);
    let kept: String = text
        .chars()
        .take_while(|c| {
            let width = c.width().unwrap_or(0);
            let fits = width <= left;
            left = left.saturating_sub(width);
            fits
        })
        .collect();
    kept + "…"
}

/// Formats a number with separators: 16,000.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// Formats a count with its noun, which is given in the singular: 1 record, 16,000 records.
pub(crate) fn counted(number: u64, what: &str) -> String {
    match number {
        1 => format!("1 {what}"),
        number => format!("{} {what}s", grouped(number)),
    }
}

/// Formats a total: 16,000, 1,000 or more, about 16,000.
pub(crate) fn total(total: Total) -> String {
    let number = grouped(total.value());
    match total {
        Total::AtLeast(_) => format!("{number} or more"),
        Total::About(_) => format!("about {number}"),
        _ => number,
    }
}

/// Formats a time as in the JSON of records: in UTC, or as `infinity`.
pub(crate) fn time(time: DateTime<Utc>) -> String {
    DateTime::<Utc>::text_of(&time.to_value())
}

/// Formats a number of bytes for people: 1.5 GB.
pub(crate) fn bytes(number: u64) -> String {
    const UNITS: [&str; 5] = ["kB", "MB", "GB", "TB", "PB"];
    if number < 1_000 {
        return format!("{number} B");
    }
    let (mut tenths, mut unit) = (number / 100, 0);
    while tenths >= 10_000 && unit + 1 < UNITS.len() {
        tenths /= 1_000;
        unit += 1;
    }
    match tenths {
        0..100 => format!("{}.{} {}", tenths / 10, tenths % 10, UNITS[unit]),
        _ => format!("{} {}", tenths / 10, UNITS[unit]),
    }
}

#[cfg(test)]
mod tests {
    use super::{bytes, cut, escaped_json, grouped, printable};

    #[test]
    fn grouped_separates_thousands() {
        assert_eq!(grouped(0), "0");
        assert_eq!(grouped(999), "999");
        assert_eq!(grouped(16_000), "16,000");
        assert_eq!(grouped(1_234_567), "1,234,567");
    }

    #[test]
    fn bytes_rounds_down_to_largest_unit() {
        let of = |numbers: &[u64]| numbers.iter().map(|n| bytes(*n)).collect::<Vec<_>>();
        assert_eq!(
            of(&[
                0,
                999,
                1_000,
                9_949,
                10_500,
                999_999,
                1_234_567,
                52_000_000_000
            ]),
            [
                "0 B", "999 B", "1.0 kB", "9.9 kB", "10 kB", "999 kB", "1.2 MB", "52 GB"
            ]
        );
        assert_eq!(bytes(u64::MAX), "18446 PB");
    }

    #[test]
    fn printable_replaces_control_characters() {
        assert_eq!(
            printable("a\u{1b}[2Jb\r\nc\u{202e}d"),
            "a\u{fffd}[2Jb\u{fffd}⏎c\u{fffd}d"
        );
    }

    #[test]
    fn escaped_json_escapes_control_characters_and_keeps_value() {
        let value = serde_json::json!({"a\u{202e}": "\u{9b}2J\u{7f}\u{2066}é\u{1b}\n"});
        let json = escaped_json(&value.to_string());
        assert_eq!(json, r#"{"a\u202e":"\u009b2J\u007f\u2066é\u001b\n"}"#);
        let read: serde_json::Value = serde_json::from_str(&json).expect("JSON");
        assert_eq!(read, value);
    }

    #[test]
    fn cut_counts_columns_not_characters() {
        assert_eq!(cut("connection refused", 11), "connection…");
        assert_eq!(cut("日本語テキスト", 7), "日本語…");
        assert_eq!(cut("short", 5), "short");
    }
}
