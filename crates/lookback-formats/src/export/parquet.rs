//! Apache Parquet, with the types of the columns.
//!
//! Rows are buffered for one row group at a time, because the columns of a row group are stored
//! sequentially in the file. This limits the memory.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine as _;
use chrono::{DateTime, Utc};
use lookback::Json;
use lookback::table::ColumnDef;
use lookback::value::{ColumnType, ColumnValue as _, JsonMap};
use parquet::basic::{Compression, LogicalType, Repetition, TimeUnit, Type as Physical};
use parquet::data_type::{
    BoolType, ByteArray, ByteArrayType, DataType, DoubleType, Int32Type, Int64Type,
};
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::types::Type;

use super::{ExportColumn, RowEncoder};

/// The limits of a row group: rows, and bytes of their values.
const MAX_GROUP_ROWS: usize = 50_000;
const MAX_GROUP_BYTES: usize = 16 * 1024 * 1024;

/// Apache Parquet, with the types of the columns.
pub struct ParquetEncoder {
    file: Option<SerializedFileWriter<SharedBuffer>>,
    /// Bytes that the file has written and that the export has not read yet.
    written: SharedBuffer,
    columns: Vec<Column>,
    rows: usize,
    bytes: usize,
}

impl std::fmt::Debug for ParquetEncoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ParquetEncoder")
            .field("rows", &self.rows)
            .finish_non_exhaustive()
    }
}

impl ParquetEncoder {
    /// Creates an encoder of these columns; the schema has the name of the table.
    ///
    /// # Errors
    ///
    /// Parquet has no such schema.
    pub fn new(table: &str, columns: &[ExportColumn]) -> io::Result<Self> {
        let columns: Vec<Column> = columns.iter().map(Column::new).collect();
        let fields: io::Result<Vec<_>> = columns
            .iter()
            .map(|column| Ok(Arc::new(column.schema()?)))
            .collect();
        let schema = Type::group_type_builder(table)
            .with_fields(fields?)
            .build()
            .map_err(write_failure)?;
        // Page indexes would stay in memory until the end.
        let properties = WriterProperties::builder()
            .set_compression(Compression::SNAPPY)
            .set_statistics_enabled(EnabledStatistics::Chunk)
            .set_offset_index_disabled(true)
            .set_created_by(concat!("lookback ", env!("CARGO_PKG_VERSION")).to_owned())
            .build();
        let written = SharedBuffer::default();
        let file =
            SerializedFileWriter::new(written.clone(), Arc::new(schema), Arc::new(properties))
                .map_err(write_failure)?;
        Ok(Self {
            file: Some(file),
            written,
            columns,
            rows: 0,
            bytes: 0,
        })
    }

    fn write_group(&mut self) -> io::Result<()> {
        let Some(file) = &mut self.file else {
            return Ok(());
        };
        if self.rows > 0 {
            let mut group = file.next_row_group().map_err(write_failure)?;
            for column in &mut self.columns {
                column.write(&mut group)?;
            }
            group.close().map_err(write_failure)?;
        }
        (self.rows, self.bytes) = (0, 0);
        Ok(())
    }
}

impl RowEncoder for ParquetEncoder {
    fn row(&mut self, row: &JsonMap, out: &mut Vec<u8>) -> io::Result<()> {
        for column in &mut self.columns {
            let value = row.get(column.name.as_str()).unwrap_or(&Json::Null);
            self.bytes += column.push(value)?;
        }
        self.rows += 1;
        if self.rows >= MAX_GROUP_ROWS || self.bytes >= MAX_GROUP_BYTES {
            self.write_group()?;
            self.written.take(out);
        }
        Ok(())
    }

    fn end(&mut self, out: &mut Vec<u8>) -> io::Result<()> {
        self.write_group()?;
        if let Some(file) = self.file.take() {
            file.close().map_err(write_failure)?;
        }
        self.written.take(out);
        Ok(())
    }
}

/// The values of a column in the current row group.
struct Column {
    name: String,
    is_nullable: bool,
    values: Values,
    /// Definition levels: 1 for each value, 0 for each NULL.
    levels: Vec<i16>,
}

enum Values {
    Bool(Vec<bool>),
    Int4(Vec<i32>),
    Int8(Vec<i64>),
    Float8(Vec<f64>),
    /// Microseconds since 1970.
    Time(Vec<i64>),
    Text(Vec<ByteArray>),
    Json(Vec<ByteArray>),
    Bytes(Vec<ByteArray>),
}

impl Values {
    fn of(def: &'static ColumnDef) -> Self {
        // An integer that represents a fraction is exported as the fraction.
        let is_scaled = (def.scale() - 1.0).abs() > f64::EPSILON;
        match def.column_type() {
            ColumnType::Int4 | ColumnType::Int8 if is_scaled => Self::Float8(Vec::new()),
            ColumnType::Bool => Self::Bool(Vec::new()),
            ColumnType::Int2 | ColumnType::Int4 => Self::Int4(Vec::new()),
            ColumnType::Int8 => Self::Int8(Vec::new()),
            ColumnType::Float4 | ColumnType::Float8 => Self::Float8(Vec::new()),
            ColumnType::Timestamptz => Self::Time(Vec::new()),
            // A decimal has no limit in PostgreSQL and one in Parquet: its text has every digit.
            ColumnType::Text
            | ColumnType::Enum(_)
            | ColumnType::Numeric
            | ColumnType::Uuid
            | ColumnType::Date
            | ColumnType::Time
            | ColumnType::Timestamp
            | ColumnType::Interval
            | ColumnType::Inet
            | ColumnType::Cidr => Self::Text(Vec::new()),
            ColumnType::Bytea => Self::Bytes(Vec::new()),
            // `jsonb`, vectors, arrays and all other types, as in JSON output.
            _ => Self::Json(Vec::new()),
        }
    }
}

impl Column {
    fn new(column: &ExportColumn) -> Self {
        Self {
            name: column.name.clone(),
            is_nullable: column.def.is_none_or(ColumnDef::is_nullable),
            values: column.def.map_or(Values::Json(Vec::new()), Values::of),
            levels: Vec::new(),
        }
    }

    fn schema(&self) -> io::Result<Type> {
        let (physical, logical) = match self.values {
            Values::Bool(_) => (Physical::BOOLEAN, None),
            Values::Int4(_) => (Physical::INT32, None),
            Values::Int8(_) => (Physical::INT64, None),
            Values::Float8(_) => (Physical::DOUBLE, None),
            Values::Time(_) => (
                Physical::INT64,
                Some(LogicalType::timestamp(true, TimeUnit::MICROS)),
            ),
            Values::Text(_) => (Physical::BYTE_ARRAY, Some(LogicalType::String)),
            Values::Json(_) => (Physical::BYTE_ARRAY, Some(LogicalType::Json)),
            Values::Bytes(_) => (Physical::BYTE_ARRAY, None),
        };
        let repetition = if self.is_nullable {
            Repetition::OPTIONAL
        } else {
            Repetition::REQUIRED
        };
        Type::primitive_type_builder(&self.name, physical)
            .with_logical_type(logical)
            .with_repetition(repetition)
            .build()
            .map_err(write_failure)
    }

    /// Adds a value and returns its approximate size in bytes.
    fn push(&mut self, value: &Json) -> io::Result<usize> {
        if self.is_nullable {
            self.levels.push(i16::from(!value.is_null()));
            if value.is_null() {
                return Ok(2);
            }
        }
        let mismatch = || {
            io::Error::other(format!(
                "{}: {value} does not match the type of the column",
                self.name
            ))
        };
        let text = || match value {
            Json::String(text) => Ok(text.as_str()),
            Json::Number(number) => Ok(number.as_str()),
            _ => Err(mismatch()),
        };
        let bytes = match &mut self.values {
            Values::Bool(all) => {
                all.push(value.as_bool().ok_or_else(mismatch)?);
                1
            }
            Values::Int4(all) => {
                let number = value.as_i64().and_then(|number| i32::try_from(number).ok());
                all.push(number.ok_or_else(mismatch)?);
                4
            }
            Values::Int8(all) => {
                all.push(value.as_i64().ok_or_else(mismatch)?);
                8
            }
            Values::Float8(all) => {
                // NaN and the infinities are text in JSON.
                let number = value.as_f64().or_else(|| value.as_str()?.parse().ok());
                all.push(number.ok_or_else(mismatch)?);
                8
            }
            Values::Time(all) => {
                let time = DateTime::<Utc>::from_text(text()?).map_err(|_| mismatch())?;
                all.push(microseconds(time));
                8
            }
            Values::Text(all) => {
                let text = text()?;
                all.push(ByteArray::from(text));
                text.len() + size_of::<ByteArray>()
            }
            Values::Json(all) => {
                let text = value.to_string();
                let length = text.len();
                all.push(ByteArray::from(text.into_bytes()));
                length + size_of::<ByteArray>()
            }
            Values::Bytes(all) => {
                let bytes = base64::prelude::BASE64_STANDARD
                    .decode(text()?)
                    .map_err(|_| mismatch())?;
                let length = bytes.len();
                all.push(ByteArray::from(bytes));
                length + size_of::<ByteArray>()
            }
        };
        Ok(bytes + 2)
    }

    /// Writes the values into the row group and clears them.
    fn write(&mut self, group: &mut SerializedRowGroupWriter<'_, SharedBuffer>) -> io::Result<()> {
        let levels = self.is_nullable.then_some(&self.levels[..]);
        match &mut self.values {
            Values::Bool(all) => write_values::<BoolType>(group, all, levels),
            Values::Int4(all) => write_values::<Int32Type>(group, all, levels),
            Values::Int8(all) | Values::Time(all) => write_values::<Int64Type>(group, all, levels),
            Values::Float8(all) => write_values::<DoubleType>(group, all, levels),
            Values::Text(all) | Values::Json(all) | Values::Bytes(all) => {
                write_values::<ByteArrayType>(group, all, levels)
            }
        }?;
        self.levels.clear();
        Ok(())
    }
}

/// Converts a time to microseconds since 1970.
///
/// The format has no infinities. `infinity` is the greatest number and `-infinity` its
/// negation, as in DuckDB.
fn microseconds(time: DateTime<Utc>) -> i64 {
    if time == DateTime::<Utc>::MAX_UTC {
        i64::MAX
    } else if time == DateTime::<Utc>::MIN_UTC {
        -i64::MAX
    } else {
        time.timestamp_micros()
    }
}

fn write_values<T: DataType>(
    group: &mut SerializedRowGroupWriter<'_, SharedBuffer>,
    values: &mut Vec<T::T>,
    levels: Option<&[i16]>,
) -> io::Result<()> {
    let column = group.next_column().map_err(write_failure)?;
    let Some(mut column) = column else {
        unreachable!("the row group has the columns of its schema");
    };
    column
        .typed::<T>()
        .write_batch(values, levels, None)
        .map_err(write_failure)?;
    values.clear();
    column.close().map_err(write_failure)
}

/// A buffer that the file writes to and the export reads from.
#[derive(Clone, Default)]
struct SharedBuffer(Arc<Mutex<Vec<u8>>>);

impl SharedBuffer {
    fn take(&self, out: &mut Vec<u8>) {
        let mut written = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        out.append(&mut written);
    }
}

impl io::Write for SharedBuffer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut written = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        written.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn write_failure(error: parquet::errors::ParquetError) -> io::Error {
    io::Error::other(format!("cannot write the Parquet file: {error}"))
}
