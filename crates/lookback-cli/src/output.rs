//! Output of commands: data to standard output, messages to standard error.
//!
//! Colour is used on a terminal only, and never as the only sign of a meaning.
//!
//! | message | `--quiet` | by default | `--verbose` |
//! |---|---|---|---|
//! | [`error`], [`warning`], and [`advice`] on one | yes | yes | yes |
//! | [`note`], [`hint`] and progress | | yes | yes |
//! | [`detail`] | | | yes |

use std::fmt::Write as _;
use std::io::{self, IsTerminal as _, Write as _};
use std::ops::Range;
use std::sync::OnceLock;

use anstyle::{AnsiColor, Style};
use chrono::{DateTime, Utc};
use lookback::query::Total;
use lookback::value::ColumnValue as _;
use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

mod bar;

pub(crate) use bar::{bar, bar_at, spinner};

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
    writeln!(anstream::stdout(), "{text}")
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
    write!(anstream::stdout(), "{text}")
}

/// Prints a value as one line of JSON.
pub(crate) fn json(value: &impl serde::Serialize) -> Result<(), crate::Failure> {
    let mut out = io::stdout().lock();
    if out.is_terminal() {
        let text = serde_json::to_string(value)?;
        writeln!(out, "{}", escaped_json(&text))?;
    } else {
        serde_json::to_writer(&mut out, value)?;
        writeln!(out)?;
    }
    Ok(())
}

/// Escapes the characters of JSON that control a terminal.
///
/// JSON has no such characters outside of strings, so an escape is valid.
pub(crate) fn escaped_json(json: &str) -> String {
    json.chars().fold(String::new(), |mut escaped, c| {
        if is_unsafe(c) {
            // Writing to a string cannot fail, and all these characters are below U+10000.
            let _ = write!(escaped, "\\u{:04x}", u32::from(c));
        } else {
            escaped.push(c);
        }
        escaped
    })
}

/// Returns the width of the terminal; `None` if the output is no terminal.
pub(crate) fn width() -> Option<usize> {
    if !io::stdout().is_terminal() {
        return None;
    }
    terminal_size::terminal_size().map(|(width, _)| usize::from(width.0))
}

/// A cell of a table.
#[derive(Clone, Debug)]
pub(crate) struct Cell {
    pub(crate) text: String,
    pub(crate) style: Style,
    /// Byte ranges to print in bold, in order and disjoint; for the last column only.
    pub(crate) marks: Vec<Range<usize>>,
}

impl Cell {
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            style: Style::new(),
            marks: Vec::new(),
        }
    }

    pub(crate) fn marks(mut self, marks: Vec<Range<usize>>) -> Self {
        self.marks = marks;
        self
    }

    /// Applies [`printable`] and moves the marks accordingly.
    fn printable(&self) -> Self {
        let mut text = String::with_capacity(self.text.len());
        let mut marks: Vec<Range<usize>> = Vec::with_capacity(self.marks.len());
        let mut read = 0;
        for mark in &self.marks {
            // The ranges are in order, so each part is read once.
            let (Some(before), Some(marked)) =
                (self.text.get(read..mark.start), self.text.get(mark.clone()))
            else {
                continue;
            };
            text.push_str(&printable(before));
            let start = text.len();
            text.push_str(&printable(marked));
            marks.push(start..text.len());
            read = mark.end;
        }
        text.push_str(&printable(self.text.get(read..).unwrap_or_default()));
        Self {
            text,
            style: self.style,
            marks,
        }
    }

    pub(crate) fn style(mut self, style: Style) -> Self {
        self.style = style;
        self
    }
}

/// Prints a table, with the last column cut to fit the terminal.
///
/// The other columns are as wide as their widest cell.
pub(crate) fn table(headings: &[&str], rows: &[Vec<Cell>]) -> io::Result<()> {
    noted_table(headings, rows, &[])
}

/// Prints a table with lines below each row; `notes` contains the lines of each row.
pub(crate) fn noted_table(
    headings: &[&str],
    rows: &[Vec<Cell>],
    notes: &[Vec<String>],
) -> io::Result<()> {
    let mut out = anstream::stdout().lock();
    let rows: Vec<Vec<Cell>> = rows
        .iter()
        .map(|row| row.iter().map(Cell::printable).collect())
        .collect();
    let widths: Vec<usize> = headings
        .iter()
        .enumerate()
        .map(|(column, heading)| {
            let cells = rows.iter().map(|row| row[column].text.width());
            cells.chain([heading.width()]).max().unwrap_or(0)
        })
        .collect();
    let last = headings.len().saturating_sub(1);
    let room = width().map(|all| {
        let before: usize = widths[..last].iter().map(|width| width + 2).sum();
        all.saturating_sub(before).max(20)
    });

    let pad = |text: &str, column: usize| {
        if column == last {
            String::new()
        } else {
            " ".repeat(widths[column].saturating_sub(text.width()) + 2)
        }
    };
    for (column, heading) in headings.iter().enumerate() {
        write!(out, "{DIM}{heading}{DIM:#}{}", pad(heading, column))?;
    }
    writeln!(out)?;
    for (place, row) in rows.iter().enumerate() {
        for (column, cell) in row.iter().enumerate() {
            let style = cell.style;
            if column == last {
                let text = room.map_or_else(|| cell.text.clone(), |room| cut(&cell.text, room));
                write!(out, "{}", mark(&text, &cell.marks))?;
            } else {
                write!(
                    out,
                    "{style}{}{style:#}{}",
                    cell.text,
                    pad(&cell.text, column)
                )?;
            }
        }
        writeln!(out)?;
        for note in notes.get(place).into_iter().flatten() {
            writeln!(out, "  {DIM}{}{DIM:#}", printable(note))?;
        }
    }
    out.flush()
}

/// Formats these ranges in bold, up to the end of the text.
fn mark(text: &str, ranges: &[Range<usize>]) -> String {
    let mut marked = String::with_capacity(text.len() + 16);
    let mut written = 0;
    for range in ranges {
        let (start, end) = (range.start.min(text.len()), range.end.min(text.len()));
        // The end of a truncated text may be within a range.
        if let (Some(before), Some(bold)) = (text.get(written..start), text.get(start..end))
            && !bold.is_empty()
        {
            marked.push_str(&format!("{before}{BOLD}{bold}{BOLD:#}"));
            written = end;
        }
    }
    marked + text.get(written..).unwrap_or_default()
}

/// Returns the text on one line, without characters that control a terminal.
///
/// Recorded text comes from untrusted sources.
pub(crate) fn printable(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '\n' => '⏎',
            '\t' => ' ',
            c if is_unsafe(c) => '\u{fffd}',
            c => c,
        })
        .collect()
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

/// Whether it is a control character, or changes the direction of text.
fn is_unsafe(c: char) -> bool {
    c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
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
    use super::{Cell, bytes, cut, escaped_json, grouped, mark, printable};

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

    #[test]
    fn marks_of_printable_cell_cover_same_letters() {
        let cell = Cell::new("a\u{1b}\nwas REFUSED")
            .marks(vec![0..1, 7..14])
            .printable();
        assert_eq!(
            mark(&cell.text, &cell.marks),
            "\u{1b}[1ma\u{1b}[0m\u{fffd}⏎was \u{1b}[1mREFUSED\u{1b}[0m"
        );
        assert_eq!(mark("was …", &[4..11, 20..22]), "was \u{1b}[1m…\u{1b}[0m");
        assert_eq!(mark("plain", &[]), "plain");
    }
}
