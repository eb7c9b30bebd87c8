//! Decoding of values from their binary form, which [`Value::encode_into`]
//! writes.

use sqlx::error::BoxDynError;
use sqlx::postgres::types::PgInterval;
use sqlx::postgres::{PgRow, PgValueFormat, PgValueRef};
use sqlx::{Row as _, ValueRef as _};

use super::network::{Cidr, Inet};
use super::{ColumnType, Json, StoredTime, Value, array, numeric, vector};

impl Value<'static> {
    /// Reads a column of this type from a row.
    pub(crate) fn read(row: &PgRow, name: &str, ty: ColumnType) -> Result<Self, sqlx::Error> {
        let value = row.try_get_raw(name)?;
        if value.is_null() {
            return Ok(Self::Null);
        }
        match Value::from_database(value, ty) {
            Ok(value) => Ok(value.into_owned()),
            Err(source) => Err(sqlx::Error::ColumnDecode {
                index: name.to_owned(),
                source,
            }),
        }
    }
}

impl<'a> Value<'a> {
    /// Decodes a value that is not NULL and has this type.
    ///
    /// It has the binary form, unless the statement was not prepared.
    pub(crate) fn from_database(
        value: PgValueRef<'a>,
        ty: ColumnType,
    ) -> Result<Self, BoxDynError> {
        match value.format() {
            PgValueFormat::Binary => Self::decode(ty, value.as_bytes()?),
            PgValueFormat::Text => Self::from_output(ty, value.as_str()?),
        }
    }

    /// Parses the text that PostgreSQL prints for a value that is not NULL.
    fn from_output(ty: ColumnType, text: &'a str) -> Result<Self, BoxDynError> {
        Ok(match ty {
            ColumnType::Bool => Self::Bool(text == "t"),
            ColumnType::Text | ColumnType::Enum(_) => Self::Text(text.into()),
            ColumnType::Bytea => Self::Bytea(hexadecimal(text)?.into()),
            ColumnType::Jsonb => {
                Self::Jsonb(std::borrow::Cow::Owned(Json::from_stored(text.as_bytes())?))
            }
            ColumnType::Array(element) => {
                let texts = array::elements_of_text(text)?;
                let items = texts
                    .iter()
                    .map(|text| Value::from_output(*element, text).map(Value::into_owned));
                Self::Array(element, items.collect::<Result<_, _>>()?)
            }
            ty => Value::from_text(ty, text)?,
        })
    }

    /// Decodes the binary form of a value that is not NULL.
    pub(crate) fn decode(ty: ColumnType, bytes: &'a [u8]) -> Result<Self, BoxDynError> {
        Ok(match ty {
            ColumnType::Bool => Self::Bool(<[u8; 1]>::try_from(bytes)? != [0]),
            ColumnType::Int2 => Self::Int2(i16::from_be_bytes(bytes.try_into()?)),
            ColumnType::Int4 => Self::Int4(i32::from_be_bytes(bytes.try_into()?)),
            ColumnType::Int8 => Self::Int8(i64::from_be_bytes(bytes.try_into()?)),
            ColumnType::Float4 => Self::Float4(f32::from_be_bytes(bytes.try_into()?)),
            ColumnType::Numeric => Self::Numeric(numeric::decode(bytes)?.into()),
            ColumnType::Uuid => Self::Uuid(u128::from_be_bytes(bytes.try_into()?)),
            ColumnType::Date => Self::Date(i32::from_be_bytes(bytes.try_into()?)),
            ColumnType::Time => Self::Time(i64::from_be_bytes(bytes.try_into()?)),
            ColumnType::Timestamp => Self::Timestamp(i64::from_be_bytes(bytes.try_into()?)),
            ColumnType::Interval => Self::Interval(interval(bytes)?),
            ColumnType::Inet => Self::Inet(Inet::decode(bytes)?),
            ColumnType::Cidr => Self::Cidr(Cidr::of_inet(Inet::decode(bytes)?)?),
            ColumnType::Float8 => Self::Float8(f64::from_be_bytes(bytes.try_into()?)),
            ColumnType::Text | ColumnType::Enum(_) => {
                Self::Text(std::str::from_utf8(bytes)?.into())
            }
            ColumnType::Timestamptz => Self::Timestamptz(StoredTime::from_binary(bytes)?.time()),
            ColumnType::Jsonb => {
                // `jsonb` has a version before its text, `json` has none.
                let text = bytes.strip_prefix(&[1]).unwrap_or(bytes);
                Self::Jsonb(std::borrow::Cow::Owned(Json::from_stored(text)?))
            }
            ColumnType::Bytea => Self::Bytea(bytes.into()),
            ColumnType::Vector(_) => {
                let numbers = bytes.get(4..).ok_or("a vector without dimensions")?;
                let numbers = numbers
                    .chunks_exact(4)
                    .map(|number| f32::from_be_bytes([number[0], number[1], number[2], number[3]]));
                Self::Vector(numbers.collect())
            }
            ColumnType::HalfVector(_) => {
                let numbers = bytes.get(4..).ok_or("a vector without dimensions")?;
                let numbers = numbers.chunks_exact(2);
                let numbers = numbers.map(|half| u16::from_be_bytes([half[0], half[1]]));
                Self::HalfVector(numbers.map(vector::from_half).collect())
            }
            ColumnType::Array(element) => {
                let items = array::elements(bytes)?.into_iter();
                let items = items.map(|item| Value::decode(*element, item));
                Self::Array(element, items.collect::<Result<_, _>>()?)
            }
        })
    }
}

/// Decodes an interval: microseconds, days and months (`interval_send` in PostgreSQL's
/// source, `utils/adt/timestamp.c`).
fn interval(bytes: &[u8]) -> Result<PgInterval, BoxDynError> {
    let (microseconds, rest) = bytes
        .split_first_chunk::<8>()
        .ok_or("an interval that is cut short")?;
    let (days, months) = rest
        .split_first_chunk::<4>()
        .ok_or("an interval that is cut short")?;
    Ok(PgInterval {
        months: i32::from_be_bytes(months.try_into()?),
        days: i32::from_be_bytes(*days),
        microseconds: i64::from_be_bytes(*microseconds),
    })
}

/// Parses bytes as PostgreSQL prints them: `\x00ff`.
fn hexadecimal(text: &str) -> Result<Vec<u8>, BoxDynError> {
    let digits = text.strip_prefix("\\x").ok_or("bytes without \\x")?;
    let pairs = digits.as_bytes().chunks(2);
    let byte = |pair: &[u8]| Ok(u8::from_str_radix(std::str::from_utf8(pair)?, 16)?);
    pairs.map(byte).collect()
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use sqlx::postgres::PgArgumentBuffer;

    use super::{ColumnType, Value};

    #[test]
    fn decode_of_encoded_value_returns_it() {
        const TEXT: &ColumnType = &ColumnType::Text;
        let time = "2026-01-31T08:30:00.123456Z".parse().expect("a time");
        let interval = sqlx::postgres::types::PgInterval {
            months: -1,
            days: 2,
            microseconds: -3,
        };
        let json = crate::json!({"a": [1, 2.50, null, "x"]});
        let cases = [
            (ColumnType::Bool, Value::Bool(true)),
            (ColumnType::Int2, Value::Int2(-7)),
            (ColumnType::Int4, Value::Int4(-7)),
            (ColumnType::Float4, Value::Float4(0.1)),
            (ColumnType::Numeric, Value::Numeric("-12.50".into())),
            (ColumnType::Uuid, Value::Uuid(7)),
            (ColumnType::Date, Value::Date(-1)),
            (ColumnType::Time, Value::Time(86_400_000_000)),
            (ColumnType::Timestamp, Value::Timestamp(i64::MAX)),
            (ColumnType::Interval, Value::Interval(interval)),
            (
                ColumnType::Inet,
                Value::Inet("10.1.2.3/8".parse().expect("an address")),
            ),
            (
                ColumnType::Cidr,
                Value::Cidr("::/0".parse().expect("a network")),
            ),
            (
                ColumnType::HalfVector(2),
                Value::HalfVector(vec![0.5, -1.0].into()),
            ),
            (ColumnType::Int8, Value::Int8(i64::MIN)),
            (ColumnType::Float8, Value::Float8(0.1)),
            (ColumnType::Text, Value::Text("ä\n".into())),
            (ColumnType::Timestamptz, Value::Timestamptz(time)),
            (ColumnType::Jsonb, Value::Jsonb(Cow::Owned(json))),
            (ColumnType::Bytea, Value::Bytea(vec![0, 255].into())),
            (ColumnType::Vector(2), Value::Vector(vec![0.5, -1.0].into())),
            (ColumnType::Enum("mood"), Value::Text("calm".into())),
            (
                ColumnType::Array(TEXT),
                Value::Array(TEXT, vec![Value::Text("a".into()), Value::Text("".into())]),
            ),
            (ColumnType::Array(TEXT), Value::Array(TEXT, Vec::new())),
        ];
        for (ty, value) in cases {
            let mut buffer = PgArgumentBuffer::default();
            let _ = value.encode_into(&mut buffer).expect("an encoding");
            assert_eq!(Value::decode(ty, &buffer).expect("a value"), value);
        }
    }
}
