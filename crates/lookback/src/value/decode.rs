//! Decoding of values from their binary form, which [`Value::encode_into`]
//! writes.

use sqlx::error::BoxDynError;

use super::{ColumnType, Json, StoredTime, Value, array};

impl<'a> Value<'a> {
    /// Decodes the binary form of a value that is not NULL.
    pub(crate) fn decode(ty: ColumnType, bytes: &'a [u8]) -> Result<Self, BoxDynError> {
        Ok(match ty {
            ColumnType::Bool => Self::Bool(<[u8; 1]>::try_from(bytes)? != [0]),
            ColumnType::Int4 => Self::Int4(i32::from_be_bytes(bytes.try_into()?)),
            ColumnType::Int8 => Self::Int8(i64::from_be_bytes(bytes.try_into()?)),
            ColumnType::Float8 => Self::Float8(f64::from_be_bytes(bytes.try_into()?)),
            ColumnType::Text | ColumnType::Enum(_) => {
                Self::Text(std::str::from_utf8(bytes)?.into())
            }
            ColumnType::Timestamptz => Self::Timestamptz(StoredTime::from_binary(bytes)?.time()),
            ColumnType::Jsonb => {
                let text = bytes.strip_prefix(&[1]).ok_or("jsonb of another version")?;
                Self::Jsonb(std::borrow::Cow::Owned(Json::from_slice(text)?))
            }
            ColumnType::Bytea => Self::Bytea(bytes.into()),
            ColumnType::Vector(_) => {
                let numbers = bytes.get(4..).ok_or("a vector without dimensions")?;
                let numbers = numbers
                    .chunks_exact(4)
                    .map(|number| f32::from_be_bytes([number[0], number[1], number[2], number[3]]));
                Self::Vector(numbers.collect())
            }
            ColumnType::Array(element) => {
                let items = array::elements(bytes)?.into_iter();
                let items = items.map(|item| Value::decode(*element, item));
                Self::Array(element, items.collect::<Result<_, _>>()?)
            }
        })
    }
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
        let json = crate::json!({"a": [1, 2.50, null, "x"]});
        let cases = [
            (ColumnType::Bool, Value::Bool(true)),
            (ColumnType::Int4, Value::Int4(-7)),
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
