//! Values as stored, independent of the Rust type of their column.
//!
//! They are read from a row by the type in the database, and kept as JSON in a
//! cursor.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use chrono::{DateTime, Utc};
use sqlx::error::BoxDynError;
use sqlx::postgres::{PgRow, PgValueRef};
use sqlx::{Decode, Postgres, Row as _, ValueRef as _};

use super::{
    ArrayElement, ColumnType, ColumnValue as _, Json, JsonNumber, StoredTime, Value, time,
};

impl Value<'static> {
    /// Reads a column of this type from a row.
    pub(crate) fn read(row: &PgRow, name: &str, ty: ColumnType) -> Result<Self, sqlx::Error> {
        fn decode<'r, T: Decode<'r, Postgres>>(value: PgValueRef<'r>) -> Result<T, BoxDynError> {
            T::decode(value)
        }
        let value = row.try_get_raw(name)?;
        if value.is_null() {
            return Ok(Self::Null);
        }
        let read = match ty {
            ColumnType::Bool => decode(value).map(Self::Bool),
            ColumnType::Int4 => decode(value).map(Self::Int4),
            ColumnType::Int8 => decode(value).map(Self::Int8),
            ColumnType::Float8 => decode(value).map(Self::Float8),
            ColumnType::Text | ColumnType::Enum(_) => {
                decode::<String>(value).map(|text| Self::Text(text.into()))
            }
            ColumnType::Timestamptz => DateTime::<Utc>::from_database(value).map(Self::Timestamptz),
            ColumnType::Jsonb => {
                decode::<Json>(value).map(|json| Self::Jsonb(std::borrow::Cow::Owned(json)))
            }
            ColumnType::Bytea => decode::<Vec<u8>>(value).map(|bytes| Self::Bytea(bytes.into())),
            ColumnType::Vector(_) => {
                decode::<pgvector::Vector>(value).map(|vector| Self::Vector(vector.to_vec().into()))
            }
            ColumnType::Array(element) => read_array(value, element),
        };
        read.map_err(|source| sqlx::Error::ColumnDecode {
            index: name.to_owned(),
            source,
        })
    }

    /// Parses the output of [`Value::to_raw_json`] for a value of this type.
    pub(crate) fn from_raw_json(json: &Json, ty: ColumnType) -> Option<Self> {
        match json.as_array()?.as_slice() {
            [] => Some(Self::Null),
            [value] => Self::from_raw(value, ty),
            _ => None,
        }
    }

    fn from_raw(value: &Json, ty: ColumnType) -> Option<Self> {
        let number = |json: &Json| match json {
            // Infinity and NaN, which JSON cannot express, are strings.
            Json::String(text) => text.parse::<f64>().ok().filter(|n| !n.is_finite()),
            other => other.as_f64(),
        };
        match ty {
            ColumnType::Bool => value.as_bool().map(Self::Bool),
            ColumnType::Int4 => value
                .as_i64()
                .and_then(|number| i32::try_from(number).ok())
                .map(Self::Int4),
            ColumnType::Int8 => value.as_i64().map(Self::Int8),
            ColumnType::Float8 => number(value).map(Self::Float8),
            ColumnType::Text | ColumnType::Enum(_) => value
                .as_str()
                .filter(|text| !text.contains('\0'))
                .map(|text| Self::Text(text.to_owned().into())),
            ColumnType::Timestamptz => value
                .as_str()
                .map(str::to_owned)
                .or_else(|| value.is_number().then(|| value.to_string()))
                .and_then(|text| StoredTime::from_cursor_text(&text))
                .map(|stored| Self::Timestamptz(stored.time())),
            ColumnType::Jsonb => Some(Self::Jsonb(std::borrow::Cow::Owned(value.clone()))),
            ColumnType::Bytea => value
                .as_str()
                .and_then(|text| BASE64.decode(text).ok())
                .map(|bytes| Self::Bytea(bytes.into())),
            ColumnType::Vector(dimensions) => {
                #[allow(clippy::cast_possible_truncation, reason = "vectors are of f32")]
                let numbers: Option<Vec<f32>> = value
                    .as_array()?
                    .iter()
                    .map(|item| number(item).map(|number| number as f32))
                    .collect();
                numbers
                    .filter(|numbers| numbers.len() == usize::from(dimensions))
                    .map(|numbers| Self::Vector(numbers.into()))
            }
            ColumnType::Array(element) => {
                let items = value.as_array()?.iter();
                let items: Option<Vec<_>> =
                    items.map(|item| Self::from_raw(item, *element)).collect();
                items.map(|items| Self::Array(element, items))
            }
        }
    }
}

fn read_array(
    value: PgValueRef<'_>,
    element: &'static ColumnType,
) -> Result<Value<'static>, BoxDynError> {
    fn of<T: ArrayElement>(value: PgValueRef<'_>) -> Result<Value<'static>, BoxDynError> {
        Vec::<T>::from_database(value).map(|items| items.to_value().into_owned())
    }
    match element {
        ColumnType::Bool => of::<bool>(value),
        ColumnType::Int4 => of::<i32>(value),
        ColumnType::Int8 => of::<i64>(value),
        ColumnType::Float8 => of::<f64>(value),
        ColumnType::Timestamptz => of::<DateTime<Utc>>(value),
        ColumnType::Text | ColumnType::Enum(_) => of::<String>(value),
        other @ (ColumnType::Jsonb
        | ColumnType::Bytea
        | ColumnType::Vector(_)
        | ColumnType::Array(_)) => {
            Err(format!("arrays of {} are not supported", other.sql()).into())
        }
    }
}

impl Value<'_> {
    /// Converts the value to JSON: an empty array for NULL, otherwise an array
    /// of one.
    ///
    /// A time is a number of microseconds since 1970 or the name of an infinity, and
    /// bytes are base64.
    pub(crate) fn to_raw_json(&self) -> Json {
        match self {
            Self::Null => Json::Array(Vec::new()),
            value => Json::Array(vec![value.to_raw()]),
        }
    }

    fn to_raw(&self) -> Json {
        let number = |number: f64| match JsonNumber::from_f64(number) {
            Some(number) => Json::Number(number),
            None => Json::String(number.to_string()),
        };
        match self {
            Self::Null => Json::Null,
            Self::Bool(value) => Json::from(*value),
            Self::Int4(value) => Json::from(*value),
            Self::Int8(value) => Json::from(*value),
            Self::Float8(value) => number(*value),
            Self::Text(text) => Json::from(text.as_ref()),
            Self::Timestamptz(time) => match time::infinity_name(time) {
                Some(name) => Json::from(name),
                None => Json::from(time.timestamp_micros()),
            },
            Self::Jsonb(json) => json.as_ref().clone(),
            Self::Bytea(bytes) => Json::from(BASE64.encode(bytes)),
            Self::Vector(numbers) => {
                Json::Array(numbers.iter().map(|n| number(f64::from(*n))).collect())
            }
            Self::Array(_, items) => Json::Array(items.iter().map(Value::to_raw).collect()),
        }
    }
}
