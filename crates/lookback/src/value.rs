//! Values of columns: their types, parsing from text and JSON, and encoding for PostgreSQL.

// One function encodes both a bound parameter and a field of a binary COPY.

use std::borrow::Cow;

use chrono::{DateTime, Utc};
#[cfg(feature = "rust_decimal")]
pub use rust_decimal::Decimal;
use sqlx::encode::IsNull;
use sqlx::error::BoxDynError;
pub use sqlx::postgres::types::PgInterval;
use sqlx::postgres::{PgArgumentBuffer, PgTypeInfo};
use sqlx::{Encode, Postgres, Type};
#[cfg(feature = "uuid")]
pub use uuid::Uuid;

mod array;
pub(crate) mod calendar;
mod column_type;
mod column_value;
mod decode;
mod error_rate;
#[cfg(any(feature = "rust_decimal", feature = "uuid"))]
mod external;
mod hidden;
pub(crate) mod interval;
mod network;
pub(crate) mod numeric;
mod optional;
mod parse;
mod problem;
mod raw;
mod shown;
mod text;
pub(crate) mod time;
mod vector;

pub use array::{Array, ArrayElement};
pub use column_type::{ColumnType, check_stored_as};
pub(crate) use column_value::to_microseconds;
pub use column_value::{ColumnValue, Document, Ordered, Text, TextLike};
pub use error_rate::ErrorRate;
pub use hidden::{Bytes, Hidden, Opaque, Patch};
#[doc(inline)]
pub use lookback_json::map as json_map;
#[doc(inline)]
pub use lookback_json::{Json, JsonError, JsonMap, JsonNumber, JsonRef};
pub use network::{Cidr, Inet};
pub use optional::{ByOption, ByValue, IntoNullable, IntoOptional};
pub use problem::Problem;
pub(crate) use problem::Quoted;
pub(crate) use shown::json_of_float;
pub use shown::{serialize, serialize_nullable};
pub(crate) use text::text_of;
pub(crate) use time::StoredTime;
pub use time::parse_time;
pub use vector::{HalfVector, Nearness, Vector};

/// The value of a column, borrowed where possible.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Value<'a> {
    /// SQL `NULL`
    Null,
    /// `boolean`
    Bool(bool),
    /// `smallint`
    Int2(i16),
    /// `integer`
    Int4(i32),
    /// `bigint`
    Int8(i64),
    /// `real`
    Float4(f32),
    /// `double precision`
    Float8(f64),
    /// `numeric`, as PostgreSQL prints it: `12.50`, `NaN`
    Numeric(Cow<'a, str>),
    /// `text`, or the label of an enum type
    Text(Cow<'a, str>),
    /// `uuid`, its 128 bits
    Uuid(u128),
    /// `date`, in days since 2000-01-01; the least and the greatest are the infinities
    Date(i32),
    /// `time`, in microseconds since midnight
    Time(i64),
    /// `timestamp`, in microseconds since 2000-01-01; the least and the greatest are the
    /// infinities
    Timestamp(i64),
    /// `interval`
    Interval(PgInterval),
    /// `inet`
    Inet(Inet),
    /// `cidr`
    Cidr(Cidr),
    /// `timestamptz`; the least and the greatest `DateTime` are `-infinity` and `infinity`
    Timestamptz(DateTime<Utc>),
    /// `jsonb`
    Jsonb(Cow<'a, Json>),
    /// `bytea`
    Bytea(Cow<'a, [u8]>),
    /// `vector`
    Vector(Cow<'a, [f32]>),
    /// `halfvec`, rounded to 16 bits
    HalfVector(Cow<'a, [f32]>),
    /// An array: the type of its elements, and the elements, none of which is NULL
    Array(&'static ColumnType, Vec<Self>),
}

impl Value<'_> {
    /// Converts into a value that borrows nothing.
    pub fn into_owned(self) -> Value<'static> {
        match self {
            Self::Null => Value::Null,
            Self::Bool(value) => Value::Bool(value),
            Self::Int2(value) => Value::Int2(value),
            Self::Int4(value) => Value::Int4(value),
            Self::Int8(value) => Value::Int8(value),
            Self::Float4(value) => Value::Float4(value),
            Self::Float8(value) => Value::Float8(value),
            Self::Numeric(value) => Value::Numeric(Cow::Owned(value.into_owned())),
            Self::Text(value) => Value::Text(Cow::Owned(value.into_owned())),
            Self::Uuid(value) => Value::Uuid(value),
            Self::Date(value) => Value::Date(value),
            Self::Time(value) => Value::Time(value),
            Self::Timestamp(value) => Value::Timestamp(value),
            Self::Interval(value) => Value::Interval(value),
            Self::Inet(value) => Value::Inet(value),
            Self::Cidr(value) => Value::Cidr(value),
            Self::Timestamptz(value) => Value::Timestamptz(value),
            Self::Jsonb(value) => Value::Jsonb(Cow::Owned(value.into_owned())),
            Self::Bytea(value) => Value::Bytea(Cow::Owned(value.into_owned())),
            Self::Vector(value) => Value::Vector(Cow::Owned(value.into_owned())),
            Self::HalfVector(value) => Value::HalfVector(Cow::Owned(value.into_owned())),
            Self::Array(element, items) => {
                Value::Array(element, items.into_iter().map(Value::into_owned).collect())
            }
        }
    }

    /// The problem of a value that is not of the expected type.
    pub(crate) fn mismatch(&self, expected: ColumnType) -> Problem {
        Problem::new(format!("{self:?} is not a value of {}", expected.sql()))
    }

    /// Appends the binary form of the value, without a length prefix.
    pub(crate) fn encode_into(&self, buffer: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        match self {
            Self::Null => return Ok(IsNull::Yes),
            Self::Bool(value) => buffer.push(u8::from(*value)),
            Self::Int2(value) => buffer.extend_from_slice(&value.to_be_bytes()),
            Self::Int4(value) | Self::Date(value) => {
                buffer.extend_from_slice(&value.to_be_bytes());
            }
            Self::Int8(value) | Self::Time(value) | Self::Timestamp(value) => {
                buffer.extend_from_slice(&value.to_be_bytes());
            }
            Self::Float4(value) => buffer.extend_from_slice(&value.to_be_bytes()),
            Self::Float8(value) => buffer.extend_from_slice(&value.to_be_bytes()),
            Self::Numeric(text) => numeric::encode(text, buffer)?,
            Self::Text(value) => buffer.extend_from_slice(value.as_bytes()),
            Self::Uuid(value) => buffer.extend_from_slice(&value.to_be_bytes()),
            Self::Timestamptz(value) => {
                let stored = time::StoredTime::new(*value).ok_or("the time cannot be stored")?;
                return Encode::<Postgres>::encode_by_ref(&stored, buffer);
            }
            Self::Interval(value) => return Encode::<Postgres>::encode_by_ref(value, buffer),
            Self::Inet(value) => value.encode(false, buffer),
            Self::Cidr(value) => value.inet().encode(true, buffer),
            Self::Jsonb(value) => {
                // Version 1 of the binary format of jsonb, then the text. The driver's own
                // encoding registers a later change of the version byte, which a COPY does
                // not apply.
                buffer.push(1);
                value.write_for_jsonb(buffer);
            }
            Self::Bytea(value) => buffer.extend_from_slice(value),
            Self::Vector(numbers) => {
                push_dimensions(numbers, buffer)?;
                for number in numbers.iter() {
                    buffer.extend_from_slice(&number.to_be_bytes());
                }
            }
            Self::HalfVector(numbers) => {
                push_dimensions(numbers, buffer)?;
                for number in numbers.iter() {
                    buffer.extend_from_slice(&vector::to_half(*number).to_be_bytes());
                }
            }
            Self::Array(element, items) => return array::encode(element, items, buffer),
        }
        Ok(IsNull::No)
    }
}

/// Appends the number of dimensions, and 16 unused bits (`vector_send` in pgvector).
fn push_dimensions(numbers: &[f32], buffer: &mut PgArgumentBuffer) -> Result<(), BoxDynError> {
    let dimensions = u16::try_from(numbers.len())?;
    buffer.extend_from_slice(&dimensions.to_be_bytes());
    buffer.extend_from_slice(&0_u16.to_be_bytes());
    Ok(())
}

/// A value that is sent to PostgreSQL as a parameter of a known type.
#[derive(Clone, Debug)]
pub(crate) struct Parameter<'a> {
    pub(crate) ty: ColumnType,
    pub(crate) value: Value<'a>,
}

impl Type<Postgres> for Parameter<'_> {
    fn type_info() -> PgTypeInfo {
        <str as Type<Postgres>>::type_info()
    }
}

impl<'q> Encode<'q, Postgres> for Parameter<'_> {
    fn encode_by_ref(&self, buffer: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        self.value.encode_into(buffer)
    }

    fn produces(&self) -> Option<PgTypeInfo> {
        Some(self.ty.type_info())
    }
}
