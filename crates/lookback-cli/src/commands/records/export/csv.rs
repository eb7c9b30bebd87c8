//! Comma-separated values, RFC 4180.

use std::borrow::Cow;

use csv::{Terminator, Writer, WriterBuilder};
use lookback::Json;
use lookback::value::JsonMap;

use super::{Encoder, ExportColumn};
use crate::failure::Failure;
use crate::output;

pub(super) struct CsvEncoder {
    columns: Vec<String>,
    for_spreadsheets: bool,
    terminal: bool,
    has_header: bool,
}

impl CsvEncoder {
    pub(super) fn new(columns: &[ExportColumn], for_spreadsheets: bool, terminal: bool) -> Self {
        Self {
            columns: columns.iter().map(|column| column.name.clone()).collect(),
            for_spreadsheets,
            terminal,
            has_header: false,
        }
    }

    fn write_header(&mut self, out: &mut Vec<u8>) -> Result<(), Failure> {
        if !self.has_header {
            self.has_header = true;
            let mut writer = writer(out);
            writer.write_record(&self.columns).map_err(write_failure)?;
            writer.flush()?;
        }
        Ok(())
    }

    /// Converts a value to text: empty for NULL, JSON for a JSON value.
    fn cell<'v>(&self, value: Option<&'v Json>) -> Cow<'v, str> {
        let text: Cow<'v, str> = match value {
            None | Some(Json::Null) => "".into(),
            Some(Json::String(text)) => {
                if self.for_spreadsheets && is_formula(text) {
                    format!("'{text}").into()
                } else {
                    text.as_str().into()
                }
            }
            Some(other) => other.to_string().into(),
        };
        if self.terminal {
            output::printable(&text).into()
        } else {
            text
        }
    }
}

impl Encoder for CsvEncoder {
    fn row(&mut self, row: &JsonMap, out: &mut Vec<u8>) -> Result<(), Failure> {
        self.write_header(out)?;
        let mut writer = writer(out);
        for name in &self.columns {
            let cell = self.cell(row.get(name.as_str()));
            writer.write_field(cell.as_bytes()).map_err(write_failure)?;
        }
        writer.write_record(None::<&[u8]>).map_err(write_failure)?;
        Ok(writer.flush()?)
    }

    fn end(&mut self, out: &mut Vec<u8>) -> Result<(), Failure> {
        self.write_header(out)
    }
}

fn writer(out: &mut Vec<u8>) -> Writer<&mut Vec<u8>> {
    WriterBuilder::new()
        .terminator(Terminator::CRLF)
        .buffer_capacity(4 * 1024)
        .from_writer(out)
}

/// Whether spreadsheets would parse a text as a formula (OWASP, "CSV
/// Injection").
fn is_formula(text: &str) -> bool {
    text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠'])
}

fn write_failure(error: csv::Error) -> Failure {
    match error.into_kind() {
        csv::ErrorKind::Io(error) => error.into(),
        other => Failure::failed(format!("cannot write the CSV: {other:?}")),
    }
}
