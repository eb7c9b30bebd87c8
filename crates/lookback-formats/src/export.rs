//! Writers of records: rows and requests to bytes, in constant memory.
//!
//! | writer | of | format |
//! |---|---|---|
//! | [`JsonLinesEncoder`] | rows | a JSON object on each line |
//! | [`CsvEncoder`] | rows | comma-separated values, RFC 4180 |
//! | [`ParquetEncoder`], with the feature `parquet` | rows | Apache Parquet |
//! | [`HarEncoder`] | requests | an HTTP archive, HAR 1.2 |
//! | [`CurlEncoder`], with the feature `replay` | requests | a command of curl for each |
//!
//! ```
//! use lookback::value::JsonMap;
//! use lookback::{Log, Model as _, json};
//! use lookback_formats::export::{CsvEncoder, ExportColumn, RowEncoder as _, Shown};
//!
//! let columns = ExportColumn::of(Log::TABLE, ["id", "message"]);
//! let mut encoder = CsvEncoder::new(&columns, false, Shown::Unchanged);
//! let mut out = Vec::new();
//! let row = JsonMap::from([("id".to_owned(), json!(7)), ("message".to_owned(), json!("a, b"))]);
//! encoder.row(&row, &mut out)?;
//! encoder.end(&mut out)?;
//! assert_eq!(out, b"id,message\r\n7,\"a, b\"\r\n");
//! # Ok::<(), std::io::Error>(())
//! ```

use std::fmt::Write as _;
use std::io;

use lookback::RequestSnapshot;
use lookback::table::{ColumnDef, Table};
use lookback::value::JsonMap;

mod csv;
#[cfg(feature = "replay")]
mod curl;
mod har;
mod jsonl;
#[cfg(feature = "parquet")]
mod parquet;

pub use csv::CsvEncoder;
#[cfg(feature = "replay")]
pub use curl::{CurlEncoder, curl_command};
pub use har::HarEncoder;
pub use jsonl::JsonLinesEncoder;
#[cfg(feature = "parquet")]
pub use parquet::ParquetEncoder;

/// A column of the output.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ExportColumn {
    /// The name in the output: that of a column, or a path into JSON.
    pub name: String,
    /// The column; `None` for a place in JSON.
    pub def: Option<&'static ColumnDef>,
}

impl ExportColumn {
    /// Returns the columns of these names. A name that is no column is a path into JSON.
    #[must_use]
    pub fn of<N: Into<String>>(
        table: &'static Table,
        names: impl IntoIterator<Item = N>,
    ) -> Vec<Self> {
        let names = names.into_iter().map(Into::into);
        names
            .map(|name: String| Self {
                def: table.column(&name),
                name,
            })
            .collect()
    }
}

/// Where the output is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "there are no other places")]
pub enum Shown {
    /// In a file or another program: values are unchanged.
    Unchanged,
    /// On a terminal: characters that control it are escaped or replaced.
    OnTerminal,
}

/// Converts rows to bytes.
pub trait RowEncoder: Send {
    /// Appends a row, or buffers it.
    ///
    /// # Errors
    ///
    /// A value does not fit its column.
    fn row(&mut self, row: &JsonMap, out: &mut Vec<u8>) -> io::Result<()>;

    /// Appends the buffered rows and the end of the format.
    ///
    /// # Errors
    ///
    /// As [`row`](Self::row).
    fn end(&mut self, out: &mut Vec<u8>) -> io::Result<()>;
}

/// Converts requests to bytes.
pub trait RequestEncoder: Send {
    /// Appends a request.
    fn request(&mut self, request: &RequestSnapshot, out: &mut Vec<u8>);

    /// Appends the end of the format.
    fn end(&mut self, out: &mut Vec<u8>);
}

/// Escapes the characters of JSON that control a terminal: it may be shown on one later, through a
/// pager or from a file.
///
/// JSON has no such characters outside of strings, so an escape is valid.
#[must_use]
pub fn escaped_json(json: &str) -> String {
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

/// Returns the text on one line, without characters that control a terminal.
///
/// Recorded text comes from untrusted sources.
#[must_use]
pub fn printable(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '\n' => '⏎',
            '\t' => ' ',
            c if is_unsafe(c) => '\u{fffd}',
            c => c,
        })
        .collect()
}

/// Whether it is a control character, or changes the direction of text.
#[must_use]
pub fn is_unsafe(c: char) -> bool {
    c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}
