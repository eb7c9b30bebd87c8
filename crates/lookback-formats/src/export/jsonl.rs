//! A JSON object on each line, the input format of `import`.

use std::io;

use lookback::value::JsonMap;

use super::{ExportColumn, RowEncoder, Shown, escaped_json};

/// A JSON object on each line, with the fields in order.
#[derive(Debug)]
pub struct JsonLinesEncoder {
    columns: Vec<String>,
    shown: Shown,
}

impl JsonLinesEncoder {
    /// Creates an encoder of these columns.
    #[must_use]
    pub fn new(columns: &[ExportColumn], shown: Shown) -> Self {
        Self {
            columns: columns.iter().map(|column| column.name.clone()).collect(),
            shown,
        }
    }
}

impl RowEncoder for JsonLinesEncoder {
    fn row(&mut self, row: &JsonMap, out: &mut Vec<u8>) -> io::Result<()> {
        let start = out.len();
        // A map does not keep the order of the columns.
        for (place, name) in self.columns.iter().enumerate() {
            out.extend_from_slice(if place == 0 { b"{" } else { b"," });
            serde_json::to_writer(&mut *out, name)?;
            out.push(b':');
            match row.get(name.as_str()) {
                Some(value) => serde_json::to_writer(&mut *out, value)?,
                None => out.extend_from_slice(b"null"),
            }
        }
        out.extend_from_slice(b"}");
        if self.shown == Shown::OnTerminal {
            let line = escaped_json(&String::from_utf8_lossy(&out[start..]));
            out.truncate(start);
            out.extend_from_slice(line.as_bytes());
        }
        out.push(b'\n');
        Ok(())
    }

    fn end(&mut self, _: &mut Vec<u8>) -> io::Result<()> {
        Ok(())
    }
}
