//! Comma-separated values, RFC 4180.

use std::borrow::Cow;
use std::io;

use lookback::Json;
use lookback::value::{ColumnType, JsonMap};

use super::{ExportColumn, RowEncoder, Shown, printable};

/// Comma-separated values, RFC 4180, with a header.
#[derive(Debug)]
pub struct CsvEncoder {
    columns: Vec<CsvColumn>,
    for_spreadsheets: bool,
    shown: Shown,
    has_header: bool,
}

#[derive(Debug)]
struct CsvColumn {
    name: String,
    /// Whether a text in it is a JSON string, which JSON puts in quotes.
    is_json: bool,
}

impl CsvEncoder {
    /// Creates an encoder of these columns. `for_spreadsheets` puts a `'` before text that a
    /// spreadsheet would interpret as a formula.
    #[must_use]
    pub fn new(columns: &[ExportColumn], for_spreadsheets: bool, shown: Shown) -> Self {
        let columns = columns.iter().map(|column| CsvColumn {
            name: column.name.clone(),
            is_json: column
                .def
                .is_some_and(|def| matches!(def.column_type(), ColumnType::Jsonb)),
        });
        Self {
            columns: columns.collect(),
            for_spreadsheets,
            shown,
            has_header: false,
        }
    }

    fn write_header(&mut self, out: &mut Vec<u8>) {
        if !self.has_header {
            self.has_header = true;
            let is_alone = self.columns.len() == 1;
            push_row(
                self.columns.iter().map(|column| Some(column.name.as_str())),
                is_alone,
                out,
            );
        }
    }

    /// Converts a value to text: JSON for a JSON value; `None` for NULL.
    fn cell<'v>(&self, column: &CsvColumn, value: Option<&'v Json>) -> Option<Cow<'v, str>> {
        let text: Cow<'v, str> = match value {
            None | Some(Json::Null) => return None,
            Some(Json::String(text)) if !column.is_json => {
                if self.for_spreadsheets && is_formula(text) {
                    format!("'{text}").into()
                } else {
                    text.as_str().into()
                }
            }
            Some(other) => other.to_string().into(),
        };
        Some(if self.shown == Shown::OnTerminal {
            printable(&text).into()
        } else {
            text
        })
    }
}

impl RowEncoder for CsvEncoder {
    fn row(&mut self, row: &JsonMap, out: &mut Vec<u8>) -> io::Result<()> {
        self.write_header(out);
        let cells: Vec<Option<Cow<'_, str>>> = self
            .columns
            .iter()
            .map(|column| self.cell(column, row.get(column.name.as_str())))
            .collect();
        let cells = cells.iter().map(Option::as_deref);
        push_row(cells, self.columns.len() == 1, out);
        Ok(())
    }

    fn end(&mut self, out: &mut Vec<u8>) -> io::Result<()> {
        self.write_header(out);
        Ok(())
    }
}

/// Appends a row. NULL is an empty field, and the empty text is one in quotes.
///
/// A NULL in a row of one field has quotes, too: many readers skip an empty line.
fn push_row<'c>(cells: impl Iterator<Item = Option<&'c str>>, is_alone: bool, out: &mut Vec<u8>) {
    for (place, cell) in cells.enumerate() {
        if place > 0 {
            out.push(b',');
        }
        match cell {
            None if is_alone => out.extend_from_slice(b"\"\""),
            None => {}
            Some(text) if text.is_empty() || text.contains(['"', ',', '\r', '\n']) => {
                out.push(b'"');
                out.extend_from_slice(text.replace('"', "\"\"").as_bytes());
                out.push(b'"');
            }
            Some(text) => out.extend_from_slice(text.as_bytes()),
        }
    }
    out.extend_from_slice(b"\r\n");
}

/// Whether spreadsheets would parse a text as a formula (OWASP, "CSV
/// Injection").
fn is_formula(text: &str) -> bool {
    text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠'])
}
