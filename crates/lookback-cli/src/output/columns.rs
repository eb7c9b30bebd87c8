//! Lines in columns, printed while later ones are not known.

use std::fmt::Write as _;

use unicode_width::UnicodeWidthStr as _;

use super::table::Cell;

/// The width from which on a value no longer moves the columns behind it.
const WIDEST: usize = 30;

/// Columns that become as wide as the widest value so far.
#[derive(Debug, Default)]
pub(crate) struct GrowingColumns {
    widths: Vec<usize>,
}

impl GrowingColumns {
    /// Appends a line, without characters that control a terminal. Nothing is cut.
    pub(crate) fn push_line(&mut self, cells: &[Cell], out: &mut String) {
        self.widths.resize(self.widths.len().max(cells.len()), 0);
        let last = cells.len().saturating_sub(1);
        for (place, cell) in cells.iter().enumerate() {
            let Cell { text, style, .. } = cell.printable();
            let width = &mut self.widths[place];
            *width = text.width().min(WIDEST).max(*width);
            let padding = width.saturating_sub(text.width());
            // Writing to a string does not fail.
            let _ = if place == last {
                writeln!(out, "{style}{text}{style:#}")
            } else {
                write!(out, "{style}{text}{style:#}{:padding$}  ", "")
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Cell, GrowingColumns};

    #[test]
    fn columns_grow_with_values_and_print_no_control_characters() {
        let mut columns = GrowingColumns::default();
        let mut out = String::new();
        for cells in [
            ["a", "info", "one"],
            ["日本", "warn\u{1b}[2J", "two\nlines"],
            ["b", "info", ""],
        ] {
            columns.push_line(&cells.map(Cell::new), &mut out);
        }
        assert_eq!(
            out,
            "a  info  one\n日本  warn\u{fffd}[2J  two⏎lines\nb     info      \n"
        );
    }
}
