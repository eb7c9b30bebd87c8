//! Comma-separated values, RFC 4180.

use std::borrow::Cow;

use csv::{Terminator, Writer, WriterBuilder};
use lookback::{ColumnDef, JsonMap};
use serde_json::Value;

use super::Encoder;
use crate::failure::Failure;
use crate::output;

pub(super) struct Table {
    columns: Vec<&'static str>,
    for_spreadsheets: bool,
    terminal: bool,
    headed: bool,
}

impl Table {
    pub(super) fn new(
        columns: &[&'static ColumnDef],
        for_spreadsheets: bool,
        terminal: bool,
    ) -> Self {
        Self {
            columns: columns.iter().map(|column| column.name).collect(),
            for_spreadsheets,
            terminal,
            headed: false,
        }
    }

    fn head(&mut self, out: &mut Vec<u8>) -> Result<(), Failure> {
        if !self.headed {
            self.headed = true;
            let mut writer = writer(out);
            writer.write_record(&self.columns).map_err(failed)?;
            writer.flush()?;
        }
        Ok(())
    }

    /// A value as text: nothing for null, JSON for what is JSON.
    fn cell<'v>(&self, value: Option<&'v Value>) -> Cow<'v, str> {
        let text: Cow<'v, str> = match value {
            None | Some(Value::Null) => "".into(),
            Some(Value::String(text)) => match self.for_spreadsheets && is_formula(text) {
                true => format!("'{text}").into(),
                false => text.as_str().into(),
            },
            Some(other) => other.to_string().into(),
        };
        match self.terminal {
            true => output::printable(&text).into(),
            false => text,
        }
    }
}

impl Encoder for Table {
    fn row(&mut self, row: &JsonMap, out: &mut Vec<u8>) -> Result<(), Failure> {
        self.head(out)?;
        let mut writer = writer(out);
        for name in &self.columns {
            let cell = self.cell(row.get(*name));
            writer.write_field(cell.as_bytes()).map_err(failed)?;
        }
        writer.write_record(None::<&[u8]>).map_err(failed)?;
        Ok(writer.flush()?)
    }

    fn end(&mut self, out: &mut Vec<u8>) -> Result<(), Failure> {
        self.head(out)
    }
}

fn writer(out: &mut Vec<u8>) -> Writer<&mut Vec<u8>> {
    WriterBuilder::new()
        .terminator(Terminator::CRLF)
        .buffer_capacity(4 * 1024)
        .from_writer(out)
}

/// What spreadsheets read as a formula (OWASP, "CSV Injection").
fn is_formula(text: &str) -> bool {
    text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠'])
}

fn failed(error: csv::Error) -> Failure {
    match error.into_kind() {
        csv::ErrorKind::Io(error) => error.into(),
        other => Failure::failed(format!("the CSV cannot be written: {other:?}")),
    }
}
