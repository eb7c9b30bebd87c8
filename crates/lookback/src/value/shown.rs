//! Values in JSON: those that JSON cannot express, as PostgreSQL writes them in JSON.

use serde::ser::SerializeSeq as _;
use serde::{Serialize, Serializer};

use super::{ColumnType, ColumnValue, Json, JsonNumber, Value, text_of, time};

/// Serializes a value of a column.
///
/// It is the form of its Rust type, except that infinite times, `NaN` and infinite numbers
/// are strings, as in the JSON of PostgreSQL. Generated code calls it.
///
/// # Errors
///
/// Those of the serializer.
#[doc(hidden)]
pub fn serialize<T, S>(value: &T, serializer: S) -> Result<S::Ok, S::Error>
where
    T: ColumnValue + Serialize,
    S: Serializer,
{
    Shown(value).serialize(serializer)
}

/// Serializes a value of a nullable column: see [`serialize`].
///
/// # Errors
///
/// Those of the serializer.
#[doc(hidden)]
pub fn serialize_nullable<T, S>(value: &Option<T>, serializer: S) -> Result<S::Ok, S::Error>
where
    T: ColumnValue + Serialize,
    S: Serializer,
{
    value.as_ref().map(Shown).serialize(serializer)
}

/// A value of a column, to be serialized by [`serialize`].
pub(crate) struct Shown<'a, T>(pub(crate) &'a T);

impl<T: ColumnValue + Serialize> Serialize for Shown<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let may_be_special = match T::TYPE {
            ColumnType::Array(element) => has_special_values(*element),
            ty => has_special_values(ty),
        };
        if may_be_special {
            let value = self.0.to_value();
            if let Some(name) = special_name(&value) {
                return serializer.serialize_str(name);
            }
            if let Value::Array(_, items) = &value
                && items.iter().any(|item| special_name(item).is_some())
            {
                let mut sequence = serializer.serialize_seq(Some(items.len()))?;
                for item in items {
                    match item {
                        Value::Float8(number) => {
                            sequence.serialize_element(&json_of_float(*number))?;
                        }
                        other => sequence.serialize_element(&text_of(other))?,
                    }
                }
                return sequence.end();
            }
        }
        self.0.serialize(serializer)
    }
}

fn has_special_values(ty: ColumnType) -> bool {
    matches!(ty, ColumnType::Float8 | ColumnType::Timestamptz)
}

fn special_name(value: &Value<'_>) -> Option<&'static str> {
    match value {
        Value::Timestamptz(time) => time::infinity_name(time),
        Value::Float8(number) => non_finite_name(*number),
        _ => None,
    }
}

/// The name of a number that is not finite.
pub(super) fn non_finite_name(number: f64) -> Option<&'static str> {
    if number.is_nan() {
        Some("NaN")
    } else if number == f64::INFINITY {
        Some("Infinity")
    } else if number == f64::NEG_INFINITY {
        Some("-Infinity")
    } else {
        None
    }
}

/// Converts a number to JSON: a string if it is not finite.
pub(crate) fn json_of_float(number: f64) -> Json {
    match (JsonNumber::from_f64(number), non_finite_name(number)) {
        (Some(number), _) => Json::Number(number),
        (None, name) => Json::from(name.unwrap_or_default()),
    }
}
