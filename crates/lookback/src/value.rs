//! Values of columns: their types, parsing from text and JSON, and encoding for PostgreSQL.

// One function encodes both a bound parameter and a field of a binary COPY.

use std::borrow::Cow;

use chrono::{DateTime, Utc};
use sqlx::encode::IsNull;
use sqlx::error::BoxDynError;
use sqlx::postgres::{PgArgumentBuffer, PgTypeInfo};
use sqlx::{Encode, Postgres, Type};

mod array;
mod column_value;
mod decode;
mod error_rate;
mod hidden;
mod json;
mod problem;
mod raw;
mod shown;
mod text;
pub(crate) mod time;

pub use array::{Array, ArrayElement};
pub(crate) use column_value::to_microseconds;
pub use column_value::{ColumnValue, Document, Ordered, Text, TextLike};
pub use error_rate::ErrorRate;
pub use hidden::{Bytes, Hidden, Opaque, Patch};
pub use json::{Json, JsonError, JsonMap, JsonNumber};
pub use problem::Problem;
pub(crate) use problem::Quoted;
pub(crate) use shown::{Shown, json_of_float};
pub use shown::{serialize, serialize_nullable};
pub(crate) use text::text_of;
pub(crate) use time::StoredTime;

/// The PostgreSQL type of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ColumnType {
    /// `boolean`
    Bool,
    /// `integer`
    Int4,
    /// `bigint`
    Int8,
    /// `double precision`
    Float8,
    /// `text`
    Text,
    /// `timestamptz`, in microseconds
    Timestamptz,
    /// `jsonb`
    Jsonb,
    /// `bytea`
    Bytea,
    /// `vector(n)` of pgvector
    Vector(u16),
    /// An enum type. Holds its name as written in SQL, `mood` or `sales.mood`.
    Enum(&'static str),
    /// An array of one dimension without null elements, such as `text[]`.
    ///
    /// Holds the type of its elements, which is one of those above.
    Array(&'static Self),
}

impl ColumnType {
    /// The type as PostgreSQL prints it.
    pub fn sql(self) -> Cow<'static, str> {
        match self {
            Self::Bool => "boolean".into(),
            Self::Int4 => "integer".into(),
            Self::Int8 => "bigint".into(),
            Self::Float8 => "double precision".into(),
            Self::Text => "text".into(),
            Self::Timestamptz => "timestamp with time zone".into(),
            Self::Jsonb => "jsonb".into(),
            Self::Bytea => "bytea".into(),
            Self::Vector(dimensions) => format!("vector({dimensions})").into(),
            Self::Enum(name) => name.into(),
            Self::Array(element) => format!("{}[]", element.sql()).into(),
        }
    }

    /// The maximum size of a value in bytes, if the model sets no `max_bytes`.
    ///
    /// It is 8 MiB for JSON and bytes, and 1 MiB for every other type.
    pub const fn default_max_bytes(self) -> usize {
        match self {
            Self::Jsonb | Self::Bytea => 8 * 1024 * 1024,
            _ => 1024 * 1024,
        }
    }

    fn type_info(self) -> PgTypeInfo {
        match self {
            Self::Bool => <bool as Type<Postgres>>::type_info(),
            Self::Int4 => <i32 as Type<Postgres>>::type_info(),
            Self::Int8 => <i64 as Type<Postgres>>::type_info(),
            Self::Float8 => <f64 as Type<Postgres>>::type_info(),
            Self::Text => <str as Type<Postgres>>::type_info(),
            Self::Timestamptz => <DateTime<Utc> as Type<Postgres>>::type_info(),
            Self::Jsonb => <serde_json::Value as Type<Postgres>>::type_info(),
            Self::Bytea => <[u8] as Type<Postgres>>::type_info(),
            Self::Vector(_) => <pgvector::Vector as Type<Postgres>>::type_info(),
            Self::Enum(name) => PgTypeInfo::with_name(name),
            Self::Array(element) => element.array_type_info(),
        }
    }

    fn array_type_info(self) -> PgTypeInfo {
        match self {
            Self::Bool => <Vec<bool> as Type<Postgres>>::type_info(),
            Self::Int4 => <Vec<i32> as Type<Postgres>>::type_info(),
            Self::Int8 => <Vec<i64> as Type<Postgres>>::type_info(),
            Self::Float8 => <Vec<f64> as Type<Postgres>>::type_info(),
            Self::Timestamptz => <Vec<DateTime<Utc>> as Type<Postgres>>::type_info(),
            Self::Jsonb => <Vec<serde_json::Value> as Type<Postgres>>::type_info(),
            Self::Bytea => <Vec<Vec<u8>> as Type<Postgres>>::type_info(),
            // The labels of an enum type are sent as text, and cast.
            Self::Text | Self::Enum(_) => <Vec<String> as Type<Postgres>>::type_info(),
            Self::Vector(_) | Self::Array(_) => {
                unreachable!("`list_element` gives no such type, and ArrayElement is not of them")
            }
        }
    }

    /// Returns the element type for binding a list of values of this type as one array.
    ///
    /// Labels of an enum type are bound as text. `None` for vectors and arrays.
    pub(crate) fn list_element(self) -> Option<&'static Self> {
        match self {
            Self::Bool => Some(&Self::Bool),
            Self::Int4 => Some(&Self::Int4),
            Self::Int8 => Some(&Self::Int8),
            Self::Float8 => Some(&Self::Float8),
            Self::Text | Self::Enum(_) => Some(&Self::Text),
            Self::Timestamptz => Some(&Self::Timestamptz),
            Self::Jsonb => Some(&Self::Jsonb),
            Self::Bytea => Some(&Self::Bytea),
            Self::Vector(_) | Self::Array(_) => None,
        }
    }
}

/// Checks that a field fits a column whose model sets another `type`.
///
/// Generated code calls it at compile time. The field is read and written in the binary
/// form of `column`.
#[doc(hidden)]
pub const fn check_stored_as(field: ColumnType, column: ColumnType) {
    use ColumnType as T;
    assert!(
        matches!(
            (field, column),
            (T::Bool, T::Bool)
                | (T::Int4, T::Int4)
                | (T::Int8, T::Int8)
                | (T::Float8, T::Float8)
                | (T::Text, T::Text)
                | (T::Timestamptz, T::Timestamptz)
                | (T::Jsonb, T::Jsonb)
                | (T::Bytea, T::Bytea)
        ),
        "a field of this Rust type is neither read from nor written to a column of this `type`"
    );
}

/// The value of a column, borrowed where possible.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Value<'a> {
    /// SQL `NULL`
    Null,
    /// `boolean`
    Bool(bool),
    /// `integer`
    Int4(i32),
    /// `bigint`
    Int8(i64),
    /// `double precision`
    Float8(f64),
    /// `text`, or the label of an enum type
    Text(Cow<'a, str>),
    /// `timestamptz`; the least and the greatest `DateTime` are `-infinity` and `infinity`
    Timestamptz(DateTime<Utc>),
    /// `jsonb`
    Jsonb(Cow<'a, Json>),
    /// `bytea`
    Bytea(Cow<'a, [u8]>),
    /// `vector`
    Vector(Cow<'a, [f32]>),
    /// An array: the type of its elements, and the elements, none of which is NULL
    Array(&'static ColumnType, Vec<Self>),
}

impl Value<'_> {
    /// Converts into a value that borrows nothing.
    pub fn into_owned(self) -> Value<'static> {
        match self {
            Self::Null => Value::Null,
            Self::Bool(value) => Value::Bool(value),
            Self::Int4(value) => Value::Int4(value),
            Self::Int8(value) => Value::Int8(value),
            Self::Float8(value) => Value::Float8(value),
            Self::Text(value) => Value::Text(Cow::Owned(value.into_owned())),
            Self::Timestamptz(value) => Value::Timestamptz(value),
            Self::Jsonb(value) => Value::Jsonb(Cow::Owned(value.into_owned())),
            Self::Bytea(value) => Value::Bytea(Cow::Owned(value.into_owned())),
            Self::Vector(value) => Value::Vector(Cow::Owned(value.into_owned())),
            Self::Array(element, items) => {
                Value::Array(element, items.into_iter().map(Value::into_owned).collect())
            }
        }
    }

    /// Appends the binary form of the value, without a length prefix.
    pub(crate) fn encode_into(&self, buffer: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        match self {
            Self::Null => Ok(IsNull::Yes),
            Self::Bool(value) => Encode::<Postgres>::encode_by_ref(value, buffer),
            Self::Int4(value) => Encode::<Postgres>::encode_by_ref(value, buffer),
            Self::Int8(value) => Encode::<Postgres>::encode_by_ref(value, buffer),
            Self::Float8(value) => Encode::<Postgres>::encode_by_ref(value, buffer),
            Self::Text(value) => Encode::<Postgres>::encode_by_ref(&value.as_ref(), buffer),
            Self::Timestamptz(value) => {
                let stored = time::StoredTime::new(*value).ok_or("the time cannot be stored")?;
                Encode::<Postgres>::encode_by_ref(&stored, buffer)
            }
            Self::Jsonb(value) => {
                // Version 1 of the binary format of jsonb, then the text. The driver's own
                // encoding registers a later change of the version byte, which a COPY does
                // not apply.
                buffer.push(1);
                value.write_to(buffer);
                Ok(IsNull::No)
            }
            Self::Bytea(value) => Encode::<Postgres>::encode_by_ref(&value.as_ref(), buffer),
            Self::Vector(value) => {
                let dimensions = u16::try_from(value.len())?;
                buffer.extend_from_slice(&dimensions.to_be_bytes());
                buffer.extend_from_slice(&0_u16.to_be_bytes());
                for number in value.iter() {
                    buffer.extend_from_slice(&number.to_be_bytes());
                }
                Ok(IsNull::No)
            }
            Self::Array(element, items) => array::encode(element, items, buffer),
        }
    }
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
