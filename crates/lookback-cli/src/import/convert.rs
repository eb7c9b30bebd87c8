//! Converts the records of other formats to JSON lines, so that one reader imports them all.
//!
//! The same input always results in the same lines. So positions, hashes and line numbers mean
//! the same in each import of it.

use std::io::{self, Read};

use base64::Engine as _;
use lookback::value::{ColumnType, JsonMap};
use lookback::{Json, table::ColumnDef, table::Table};

mod csv;
#[cfg(feature = "parquet")]
mod parquet;
mod protobuf;

pub(super) use csv::CsvRows;
#[cfg(feature = "parquet")]
pub(super) use parquet::ParquetRows;
pub(super) use protobuf::ProtobufRows;

/// The rows of an input, as JSON lines.
pub(super) trait Rows: Send {
    /// Appends the next line with its line end; returns false at the end.
    ///
    /// A row that is not complete becomes a JSON array of its fields.
    fn next_line(&mut self, out: &mut Vec<u8>) -> io::Result<bool>;
}

/// The problem of a row that became a JSON array.
pub(super) const INCOMPLETE_ROW: &str =
    "must have one value for each column of the first line, and an end for each quote";

/// Reads rows as JSON lines.
pub(super) struct RowsReader<R> {
    rows: R,
    line: Vec<u8>,
    read: usize,
}

impl<R: Rows> RowsReader<R> {
    pub(super) fn new(rows: R) -> Self {
        Self {
            rows,
            line: Vec::new(),
            read: 0,
        }
    }
}

impl<R: Rows> Read for RowsReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.read == self.line.len() {
            self.line.clear();
            self.read = 0;
            if !self.rows.next_line(&mut self.line)? {
                return Ok(0);
            }
        }
        let length = buffer.len().min(self.line.len() - self.read);
        buffer[..length].copy_from_slice(&self.line[self.read..self.read + length]);
        self.read += length;
        Ok(length)
    }
}

/// Appends bytes as a JSON string. Bytes that are not UTF-8 stay, so that the reader of the line
/// reports their field.
fn push_string(out: &mut Vec<u8>, text: &[u8]) {
    out.push(b'"');
    for &byte in text {
        match byte {
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            0..0x20 => out.extend_from_slice(format!("\\u{byte:04x}").as_bytes()),
            _ => out.push(byte),
        }
    }
    out.push(b'"');
}

/// Converts texts of formats without the types of JSON to the types of their columns.
///
/// A text that cannot be converted stays; the record then names it as invalid.
pub(super) fn apply_types(table: &Table, map: &mut JsonMap) -> Result<(), String> {
    let mut problems = Vec::new();
    for (name, value) in &mut *map {
        let (Some(column), Json::String(text)) = (table.column(name), &*value) else {
            continue;
        };
        match typed(column, text) {
            Ok(Some(converted)) => *value = converted,
            Ok(None) => {}
            Err(problem) => problems.push(format!("{name}: {problem}")),
        }
    }
    if problems.is_empty() {
        Ok(())
    } else {
        Err(problems.join("; "))
    }
}

/// The value that a text represents in a column; `None` if it stays a text.
fn typed(column: &ColumnDef, text: &str) -> Result<Option<Json>, String> {
    match column.column_type() {
        ColumnType::Jsonb | ColumnType::Array(_) => match text.parse() {
            Ok(json) => Ok(Some(json)),
            Err(error) => Err(format!("is not JSON: {error}")),
        },
        // `1e3` and `inf` are no whole numbers, but the column says so.
        ColumnType::Bool
        | ColumnType::Int2
        | ColumnType::Int4
        | ColumnType::Int8
        | ColumnType::Float4
        | ColumnType::Float8
        | ColumnType::Numeric => {
            let json: Option<Json> = text.trim().parse().ok();
            Ok(json.filter(|json| matches!(json, Json::Number(_) | Json::Bool(_))))
        }
        ColumnType::Bytea => match base64::prelude::BASE64_STANDARD.decode(text) {
            Ok(_) => Ok(None),
            Err(_) => Err("is not Base64".to_owned()),
        },
        _ => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use lookback::value::JsonMap;
    use lookback::{Json, Model as _, RequestSnapshot};

    use super::{CsvRows, RowsReader, apply_types};

    /// The lines of a CSV file.
    pub(super) fn lines(csv: &[u8]) -> String {
        let rows = CsvRows::new(Box::new(std::io::Cursor::new(csv.to_vec())));
        let mut text = Vec::new();
        RowsReader::new(rows)
            .read_to_end(&mut text)
            .expect("readable");
        String::from_utf8_lossy(&text).into_owned()
    }

    #[test]
    fn rows_have_the_line_numbers_of_the_file() {
        assert_eq!(
            lines(
                b"\xef\xbb\xbfid,\"a \"\"b\"\"\",c\r\n1,\"x\r\ny\",\n\n2,,\"\"\r\n3,\"q\"\"q\",z"
            ),
            "\n\
             {\"id\":\"1\",\"a \\\"b\\\"\":\"x\\r\\ny\",\"c\":null}\n\n\
             \n\
             {\"id\":\"2\",\"a \\\"b\\\"\":null,\"c\":\"\"}\n\
             {\"id\":\"3\",\"a \\\"b\\\"\":\"q\\\"q\",\"c\":\"z\"}\n"
        );
        assert_eq!(lines(b""), "");
        assert_eq!(lines(b"id,c\r\n"), "\n");
    }

    #[test]
    fn incomplete_row_is_an_array_of_its_fields() {
        assert_eq!(
            lines(b"a,b\n1\n1,2,3\n1,\"2\n"),
            "\n[\"1\"]\n[\"1\",\"2\",\"3\"]\n[\"1\",\"2\\n\"]\n\n"
        );
    }

    #[test]
    fn apply_types_converts_by_column() {
        let convert = |name: &str, text: &str| {
            let mut map = JsonMap::from([(name.to_owned(), Json::from(text))]);
            match apply_types(RequestSnapshot::TABLE, &mut map) {
                Ok(()) => map[name].to_string(),
                Err(problem) => problem,
            }
        };
        assert_eq!(convert("status_code", "200"), "200");
        assert_eq!(convert("status_code", "many"), "\"many\"");
        assert_eq!(convert("id", "9223372036854775807"), "9223372036854775807");
        assert_eq!(convert("geo_lat", "1.5e1"), "1.5e1");
        assert_eq!(convert("method", "123"), "\"123\"");
        assert_eq!(convert("body", "\"text\""), "\"text\"");
        assert_eq!(
            convert("body", "{\"a\": 0.10000000000000000001}"),
            "{\"a\":0.10000000000000000001}"
        );
        assert_eq!(
            convert("body", "text"),
            "body: is not JSON: expected ident at line 1 column 2"
        );
    }
}
