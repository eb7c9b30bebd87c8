//! Values as stored, independent of the Rust type of their column.
//!
//! They are kept as JSON in a cursor.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use sqlx::postgres::types::PgInterval;

use super::{ColumnType, Json, JsonNumber, StoredTime, Value, numeric, parse, text_of, time};

impl Value<'static> {
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
            ColumnType::Int2 => value
                .as_i64()
                .and_then(|number| number.try_into().ok())
                .map(Self::Int2),
            #[expect(
                clippy::cast_possible_truncation,
                reason = "it was a number of 32 bits"
            )]
            ColumnType::Float4 => number(value).map(|number| Self::Float4(number as f32)),
            ColumnType::Numeric => value
                .as_str()
                .and_then(numeric::normalized)
                .map(|number| Self::Numeric(number.into())),
            ColumnType::Uuid => value.as_str().and_then(parse::uuid).map(Self::Uuid),
            ColumnType::Date => value
                .as_i64()
                .and_then(|days| days.try_into().ok())
                .map(Self::Date),
            ColumnType::Time => value.as_i64().map(Self::Time),
            ColumnType::Timestamp => value.as_i64().map(Self::Timestamp),
            ColumnType::Interval => interval(value).map(Self::Interval),
            ColumnType::Inet => value.as_str()?.parse().ok().map(Self::Inet),
            ColumnType::Cidr => value.as_str()?.parse().ok().map(Self::Cidr),
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
            ColumnType::Vector(_) | ColumnType::HalfVector(_) => {
                Self::from_json(ty, value.clone()).ok()
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

/// Parses the three numbers of an interval.
fn interval(value: &Json) -> Option<PgInterval> {
    let [months, days, microseconds] = value.as_array()?.as_slice() else {
        return None;
    };
    Some(PgInterval {
        months: months.as_i64()?.try_into().ok()?,
        days: days.as_i64()?.try_into().ok()?,
        microseconds: microseconds.as_i64()?,
    })
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
            Self::Int2(value) => Json::from(i64::from(*value)),
            Self::Int4(value) | Self::Date(value) => Json::from(*value),
            Self::Int8(value) | Self::Time(value) | Self::Timestamp(value) => Json::from(*value),
            Self::Float4(value) => number(f64::from(*value)),
            Self::Float8(value) => number(*value),
            Self::Numeric(text) => Json::from(text.as_ref()),
            Self::Interval(interval) => Json::Array(vec![
                Json::from(interval.months),
                Json::from(interval.days),
                Json::from(interval.microseconds),
            ]),
            Self::Uuid(_) | Self::Inet(_) | Self::Cidr(_) => Json::String(text_of(self)),
            Self::Text(text) => Json::from(text.as_ref()),
            Self::Timestamptz(time) => match time::infinity_name(time) {
                Some(name) => Json::from(name),
                None => Json::from(time.timestamp_micros()),
            },
            Self::Jsonb(json) => json.as_ref().clone(),
            Self::Bytea(bytes) => Json::from(BASE64.encode(bytes)),
            Self::Vector(numbers) | Self::HalfVector(numbers) => {
                Json::Array(numbers.iter().map(|n| number(f64::from(*n))).collect())
            }
            Self::Array(_, items) => Json::Array(items.iter().map(Value::to_raw).collect()),
        }
    }
}
