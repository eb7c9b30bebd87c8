//! Rows of Apache Parquet.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::sync::{Arc, mpsc};

use base64::Engine as _;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use lookback::Json;
use lookback::value::ColumnValue as _;
use parquet::basic::{LogicalType, TimeUnit};
use parquet::errors::ParquetError;
use parquet::file::reader::{ChunkReader, FileReader as _, Length, SerializedFileReader};
use parquet::record::{Field, Row};

use super::{Rows, push_string};

/// The number of lines that are read ahead.
const MAX_LINES_AHEAD: usize = 64;

/// A file that is read at given positions. A file of the same description, such as a
/// clone, would move the position of the other one, and an import reads its input more
/// than once.
struct PositionedFile {
    file: Arc<File>,
    length: u64,
}

impl PositionedFile {
    fn new(file: File) -> io::Result<Self> {
        Ok(Self {
            length: file.metadata()?.len(),
            file: Arc::new(file),
        })
    }
}

impl Length for PositionedFile {
    fn len(&self) -> u64 {
        self.length
    }
}

impl ChunkReader for PositionedFile {
    type T = BufReader<FilePart>;

    fn get_read(&self, start: u64) -> Result<Self::T, ParquetError> {
        Ok(BufReader::new(FilePart {
            file: Arc::clone(&self.file),
            at: start,
        }))
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes, ParquetError> {
        let mut bytes = vec![0; length];
        self.get_read(start)?.read_exact(&mut bytes)?;
        Ok(bytes.into())
    }
}

/// The part of a file from a position on.
struct FilePart {
    file: Arc<File>,
    at: u64,
}

impl Read for FilePart {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        #[cfg(unix)]
        let read = std::os::unix::fs::FileExt::read_at(&*self.file, buffer, self.at)?;
        #[cfg(windows)]
        let read = std::os::windows::fs::FileExt::seek_read(&*self.file, buffer, self.at)?;
        self.at += read as u64;
        Ok(read)
    }
}

/// Reads rows. The file is decoded in a thread of its own.
pub(in crate::import) struct ParquetRows {
    lines: mpsc::Receiver<io::Result<Option<Vec<u8>>>>,
    is_ended: bool,
}

impl ParquetRows {
    pub(in crate::import) fn new(file: File) -> io::Result<Self> {
        let reader = SerializedFileReader::new(PositionedFile::new(file)?).map_err(invalid)?;
        let schema = reader.metadata().file_metadata().schema_descr();
        let nanoseconds: Vec<String> = schema
            .columns()
            .iter()
            .filter(|column| {
                matches!(
                    column.logical_type_ref(),
                    Some(LogicalType::Timestamp(of)) if of.unit == TimeUnit::NANOS
                )
            })
            .map(|column| column.name().to_owned())
            .collect();
        Self::spawn(move |take| {
            for row in reader.get_row_iter(None).map_err(invalid)? {
                if !take(line(&row.map_err(invalid)?, &nanoseconds)?) {
                    break;
                }
            }
            Ok(())
        })
    }

    /// Decodes in a thread of its own. The decoder gives each line to its argument, until that
    /// returns false.
    fn spawn(
        decode: impl FnOnce(&dyn Fn(Vec<u8>) -> bool) -> io::Result<()> + Send + 'static,
    ) -> io::Result<Self> {
        let (sender, lines) = mpsc::sync_channel(MAX_LINES_AHEAD);
        std::thread::Builder::new()
            .name("parquet".to_owned())
            .spawn(move || {
                // The receiver is dropped when the import ends early.
                let ended = decode(&|line| sender.send(Ok(Some(line))).is_ok());
                let _ = sender.send(ended.map(|()| None));
            })?;
        Ok(Self {
            lines,
            is_ended: false,
        })
    }
}

impl Rows for ParquetRows {
    fn next_line(&mut self, out: &mut Vec<u8>) -> io::Result<bool> {
        if self.is_ended {
            return Ok(false);
        }
        // Without an end, the thread has panicked: the rows behind that are not read.
        let failed = |_| {
            let failed = "is not a valid Parquet file, or this is a bug in lookback: decoding it \
                          has failed";
            io::Error::new(io::ErrorKind::InvalidData, failed)
        };
        match self.lines.recv().map_err(failed)?? {
            Some(line) => {
                out.extend_from_slice(&line);
                Ok(true)
            }
            None => {
                self.is_ended = true;
                Ok(false)
            }
        }
    }
}

fn line(row: &Row, nanoseconds: &[String]) -> io::Result<Vec<u8>> {
    let mut out = Vec::with_capacity(256);
    let mut separator = b'{';
    for (name, field) in row.get_column_iter() {
        out.push(separator);
        separator = b',';
        push_string(&mut out, name.as_bytes());
        out.push(b':');
        match field {
            Field::Long(time) if nanoseconds.contains(name) => {
                push_time(&mut out, DateTime::from_timestamp_nanos(*time));
            }
            field => push_field(&mut out, name, field)?,
        }
    }
    if separator == b'{' {
        out.push(b'{');
    }
    out.extend_from_slice(b"}\n");
    Ok(out)
}

fn push_field(out: &mut Vec<u8>, name: &str, field: &Field) -> io::Result<()> {
    let number: &dyn std::fmt::Display = match field {
        Field::Null => &"null",
        Field::Bool(value) => value,
        Field::Byte(value) => value,
        Field::Short(value) => value,
        Field::Int(value) => value,
        Field::Long(value) => value,
        Field::UByte(value) => value,
        Field::UShort(value) => value,
        Field::UInt(value) => value,
        Field::ULong(value) => value,
        Field::Float(value) if value.is_finite() => value,
        Field::Double(value) if value.is_finite() => value,
        // The column reports that it must be finite.
        Field::Float(value) => {
            push_string(out, value.to_string().as_bytes());
            return Ok(());
        }
        Field::Double(value) => {
            push_string(out, value.to_string().as_bytes());
            return Ok(());
        }
        Field::Str(text) => {
            push_string(out, text.as_bytes());
            return Ok(());
        }
        Field::Bytes(bytes) => {
            let text = base64::prelude::BASE64_STANDARD.encode(bytes.data());
            push_string(out, text.as_bytes());
            return Ok(());
        }
        Field::TimestampMicros(i64::MAX) => {
            push_time(out, DateTime::<Utc>::MAX_UTC);
            return Ok(());
        }
        Field::TimestampMicros(time) if *time == -i64::MAX => {
            push_time(out, DateTime::<Utc>::MIN_UTC);
            return Ok(());
        }
        Field::TimestampMicros(time) => match DateTime::from_timestamp_micros(*time) {
            Some(time) => {
                push_time(out, time);
                return Ok(());
            }
            // The column reports that it expects a time.
            None => time,
        },
        Field::TimestampMillis(time) => match DateTime::from_timestamp_millis(*time) {
            Some(time) => {
                push_time(out, time);
                return Ok(());
            }
            None => time,
        },
        _ => {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                format!(
                    "the column {name} has a type that import does not read: expected text, \
                     numbers, times, bytes, or JSON as text"
                ),
            ));
        }
    };
    out.extend_from_slice(number.to_string().as_bytes());
    Ok(())
}

/// Appends a time in the form of the JSON of records.
fn push_time(out: &mut Vec<u8>, time: DateTime<Utc>) {
    let text = Json::from(DateTime::<Utc>::text_of(&time.to_value()));
    out.extend_from_slice(text.to_string().as_bytes());
}

fn invalid(error: parquet::errors::ParquetError) -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        format!("is not a valid Parquet file: {error}"),
    )
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::super::RowsReader;
    use super::ParquetRows;

    #[test]
    fn panic_of_the_decoder_is_an_error_behind_its_lines() {
        let rows = ParquetRows::spawn(|take| {
            assert!(take(b"{}\n".to_vec()));
            panic!("a bug");
        });
        let mut read = Vec::new();
        let error = RowsReader::new(rows.unwrap())
            .read_to_end(&mut read)
            .unwrap_err();
        assert_eq!(read, b"{}\n");
        assert!(error.to_string().contains("has failed"), "{error}");
    }

    #[test]
    fn end_of_the_decoder_is_the_end() {
        let rows = ParquetRows::spawn(|take| {
            assert!(take(b"{}\n".to_vec()));
            Ok(())
        });
        let mut read = Vec::new();
        let mut reader = RowsReader::new(rows.unwrap());
        for _ in 0..2 {
            reader.read_to_end(&mut read).unwrap();
        }
        assert_eq!(read, b"{}\n");
    }
}
