//! Tables that fit the width of the terminal.

use std::io::{self, IsTerminal as _, Write as _};
use std::ops::Range;

use anstyle::Style;
use unicode_width::UnicodeWidthStr as _;

use super::{BOLD, DIM, cut, hint, is_wide, printable};

/// The width of an output that is no terminal, unless `COLUMNS` gives another.
const DEFAULT_WIDTH: usize = 80;

/// The least width of a text that is cut, and that of the last column.
const MIN_TEXT: usize = 8;
const MIN_LAST: usize = 16;

/// The columns between two columns.
const GAP: usize = 2;

/// The heading of a column, and what happens to the column if the table is too wide.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Heading {
    name: String,
    /// Whether its texts may be cut; those of the last column always may.
    is_text: bool,
    /// Whether the column may be left out.
    is_extra: bool,
}

impl Heading {
    /// A column of numbers and times, which are never cut.
    pub(crate) fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            is_text: false,
            is_extra: false,
        }
    }

    /// Returns the name of the column.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// A column of texts.
    pub(crate) fn text(name: impl Into<String>) -> Self {
        Self {
            is_text: true,
            ..Self::new(name)
        }
    }

    /// A column that `--wide` shows if it does not fit.
    pub(crate) fn extra(name: impl Into<String>) -> Self {
        Self {
            is_extra: true,
            ..Self::new(name)
        }
    }
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

    pub(crate) fn style(mut self, style: Style) -> Self {
        self.style = style;
        self
    }

    /// Applies [`printable`] and moves the marks accordingly.
    pub(super) fn printable(&self) -> Self {
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
}

/// Returns the width of the terminal; `None` if standard output is no terminal.
pub(crate) fn terminal_width() -> Option<usize> {
    if !io::stdout().is_terminal() {
        return None;
    }
    terminal_size::terminal_size().map(|(width, _)| usize::from(width.0))
}

/// The columns that a table may have: those of the terminal, else `COLUMNS`, else 80.
fn room() -> usize {
    if is_wide() {
        return usize::MAX;
    }
    let columns = || std::env::var("COLUMNS").ok()?.parse().ok();
    terminal_width()
        .or_else(columns)
        .filter(|columns| *columns > 0)
        .unwrap_or(DEFAULT_WIDTH)
}

/// Prints a table that fits the width of the terminal.
pub(crate) fn table(headings: &[Heading], rows: &[Vec<Cell>]) -> io::Result<()> {
    noted_table(headings, rows, &[])
}

/// Prints a table with lines below each row; `notes` contains the lines of each row.
pub(crate) fn noted_table(
    headings: &[Heading],
    rows: &[Vec<Cell>],
    notes: &[Vec<String>],
) -> io::Result<()> {
    let room = room();
    let rows: Vec<Vec<Cell>> = rows
        .iter()
        .map(|row| row.iter().map(Cell::printable).collect())
        .collect();
    let layout = Layout::new(headings, &natural_widths(headings, &rows), room);
    let mut is_cut = layout.is_cut;
    let mut lines = Vec::new();
    let names: Vec<Cell> = headings
        .iter()
        .map(|heading| Cell::new(&*heading.name).style(DIM))
        .collect();
    layout.write_row(&mut lines, &names)?;
    for (place, row) in rows.iter().enumerate() {
        layout.write_row(&mut lines, row)?;
        for note in notes.get(place).into_iter().flatten() {
            let note = printable(note);
            let shown = cut(&note, room.saturating_sub(2));
            is_cut |= shown != note;
            writeln!(lines, "  {DIM}{shown}{DIM:#}")?;
        }
    }
    super::text(&String::from_utf8_lossy(&lines))?;
    // On a terminal, an ellipsis at its end needs no explanation.
    if layout.hidden > 0 {
        let columns = super::counted(layout.hidden as u64, "column");
        hint(&format!(
            "{columns} left out to fit {room} columns: --wide shows all"
        ));
    } else if is_cut && terminal_width().is_none() {
        hint(&format!("cut to fit {room} columns: --wide shows all"));
    }
    Ok(())
}

/// The width of the widest cell of each column.
fn natural_widths(headings: &[Heading], rows: &[Vec<Cell>]) -> Vec<usize> {
    headings
        .iter()
        .enumerate()
        .map(|(column, heading)| {
            let cells = rows.iter().map(|row| row[column].text.width());
            cells.chain([heading.name.width()]).max().unwrap_or(0)
        })
        .collect()
}

/// The columns of a table that are printed, and their widths.
#[derive(Debug, PartialEq, Eq)]
struct Layout {
    /// The width of each column; `None` for one that is left out.
    widths: Vec<Option<usize>>,
    hidden: usize,
    is_cut: bool,
    /// The width of a line.
    room: usize,
}

impl Layout {
    fn new(headings: &[Heading], natural: &[usize], room: usize) -> Self {
        let mut shown: Vec<bool> = vec![true; headings.len()];
        loop {
            let mut widths: Vec<Option<usize>> = natural
                .iter()
                .zip(&shown)
                .map(|(width, shown)| shown.then_some(*width))
                .collect();
            let fits = shrink(headings, &mut widths, room);
            // The last of them first: the ones before are more useful.
            let extra = (0..headings.len())
                .rev()
                .find(|column| shown[*column] && headings[*column].is_extra);
            match extra {
                Some(extra) if !fits => shown[extra] = false,
                _ => {
                    let is_cut = !fits
                        || widths
                            .iter()
                            .zip(natural)
                            .any(|(width, natural)| width.is_some_and(|width| width < *natural));
                    return Self {
                        hidden: widths.iter().filter(|width| width.is_none()).count(),
                        widths,
                        is_cut,
                        room,
                    };
                }
            }
        }
    }

    /// Writes a line. The last column is not filled up with spaces.
    fn write_row(&self, out: &mut impl io::Write, row: &[Cell]) -> io::Result<()> {
        let shown: Vec<(usize, usize)> = self
            .widths
            .iter()
            .enumerate()
            .filter_map(|(column, width)| Some((column, (*width)?)))
            .collect();
        let mut left = self.room;
        for (place, (column, width)) in shown.iter().enumerate() {
            let cell = &row[*column];
            let text = cut(&cell.text, (*width).min(left));
            let style = cell.style;
            write!(out, "{style}{}{style:#}", mark(&text, &cell.marks))?;
            left = left.saturating_sub(width + GAP);
            if place + 1 == shown.len() || left == 0 {
                break;
            }
            write!(
                out,
                "{}",
                " ".repeat(width.saturating_sub(text.width()) + GAP)
            )?;
        }
        writeln!(out)
    }
}

/// Makes texts narrower, the widest first, until the line fits; false if it cannot.
fn shrink(headings: &[Heading], widths: &mut [Option<usize>], room: usize) -> bool {
    let shown = widths.iter().flatten().count();
    let last = widths.iter().rposition(Option::is_some);
    let least = |column: usize, natural: usize| {
        let heading = headings[column].name.width();
        if Some(column) == last {
            natural.min(MIN_LAST.max(heading))
        } else if headings[column].is_text {
            natural.min(MIN_TEXT.max(heading))
        } else {
            natural
        }
    };
    let mins: Vec<usize> = widths
        .iter()
        .enumerate()
        .map(|(column, width)| width.map_or(0, |width| least(column, width)))
        .collect();
    let gaps = GAP * shown.saturating_sub(1);
    loop {
        let total = widths
            .iter()
            .flatten()
            .fold(gaps, |sum, width| sum.saturating_add(*width));
        if total <= room {
            return true;
        }
        let widest = (0..widths.len())
            .filter(|column| widths[*column].is_some_and(|width| width > mins[*column]))
            .max_by_key(|column| (widths[*column], *column));
        let Some(widest) = widest else { return false };
        // Down to the next widest one, or as far as needed.
        let width = widths[widest].unwrap_or(0);
        let next = (0..widths.len())
            .filter(|column| {
                *column != widest && widths[*column].is_some_and(|w| w > mins[*column])
            })
            .filter_map(|column| widths[column])
            .max()
            .unwrap_or(0);
        let needed = width.saturating_sub(total - room);
        let to = needed
            .max(next.min(width - 1))
            .max(mins[widest])
            .min(width - 1);
        widths[widest] = Some(to);
    }
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

#[cfg(test)]
mod tests {
    use super::{Cell, Heading, Layout, mark};

    fn widths(headings: &[Heading], natural: &[usize], room: usize) -> (Vec<usize>, usize, bool) {
        let layout = Layout::new(headings, natural, room);
        let widths = layout.widths.iter().map(|width| width.unwrap_or(0));
        (widths.collect(), layout.hidden, layout.is_cut)
    }

    #[test]
    fn layout_that_fits_is_unchanged() {
        let headings = [
            Heading::new("ID"),
            Heading::text("SOURCE"),
            Heading::new("M"),
        ];
        assert_eq!(
            widths(&headings, &[5, 10, 61], 80),
            (vec![5, 10, 61], 0, false)
        );
        assert_eq!(widths(&[], &[], 80), (vec![], 0, false));
    }

    #[test]
    fn layout_cuts_the_widest_texts_and_no_number() {
        let headings = [
            Heading::new("ID"),
            Heading::text("SOURCE"),
            Heading::new("M"),
        ];
        assert_eq!(
            widths(&headings, &[27, 10, 500], 80),
            (vec![27, 10, 39], 0, true)
        );
        assert_eq!(
            widths(&headings, &[27, 60, 500], 80),
            (vec![27, 25, 24], 0, true)
        );
        // The number stays, and the line is cut.
        assert_eq!(
            widths(&headings, &[70, 60, 500], 80),
            (vec![70, 8, 16], 0, true)
        );
    }

    #[test]
    fn layout_leaves_out_extra_columns_from_the_last() {
        let headings = [
            Heading::new("TABLE"),
            Heading::extra("A"),
            Heading::extra("B"),
            Heading::new("LAST"),
        ];
        assert_eq!(
            widths(&headings, &[30, 20, 20, 30], 80),
            (vec![30, 20, 0, 26], 1, true)
        );
        assert_eq!(
            widths(&headings, &[50, 20, 20, 20], 80),
            (vec![50, 0, 0, 20], 2, false)
        );
    }

    #[test]
    fn no_line_is_wider_than_the_room() {
        use unicode_width::UnicodeWidthStr as _;

        let headings = [
            Heading::new("ID"),
            Heading::text("TEXT"),
            Heading::text("OTHER"),
        ];
        for room in [1, 10, 27, 40, 80] {
            let row = [
                Cell::new("123456789012345678901234567"),
                Cell::new("日本語".repeat(9)),
                Cell::new("x".repeat(90)),
            ];
            let natural = row.each_ref().map(|cell| cell.text.width());
            let mut line = Vec::new();
            Layout::new(&headings, &natural, room)
                .write_row(&mut line, &row)
                .expect("memory");
            let line = String::from_utf8(line).expect("UTF-8");
            assert!(line.trim_end().width() <= room, "{room}: {line}");
        }
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
