//! Values in JSON: those that JSON cannot express, as PostgreSQL writes them in JSON.

use serde::{Serialize, Serializer};

use super::{ColumnValue, Json, JsonNumber, Value, text_of};

/// Serializes a value of a column, as its [`to_json`](ColumnValue::to_json). Generated
/// code calls it.
///
/// # Errors
///
/// Those of the serializer.
#[doc(hidden)]
pub fn serialize<T, S>(value: &T, serializer: S) -> Result<S::Ok, S::Error>
where
    T: ColumnValue,
    S: Serializer,
{
    value.to_json().serialize(serializer)
}

/// Serializes a value of a nullable column: see [`serialize`].
///
/// # Errors
///
/// Those of the serializer.
#[doc(hidden)]
pub fn serialize_nullable<T, S>(value: &Option<T>, serializer: S) -> Result<S::Ok, S::Error>
where
    T: ColumnValue,
    S: Serializer,
{
    let json = value.as_ref().map(ColumnValue::to_json);
    json.serialize(serializer)
}

/// Converts a value to JSON: numbers, strings and arrays. `NaN` and infinite numbers are
/// strings, as in the JSON of PostgreSQL.
pub(crate) fn json_of(value: &Value<'_>) -> Json {
    match value {
        Value::Null => Json::Null,
        Value::Bool(value) => Json::from(*value),
        Value::Int2(number) => Json::from(i64::from(*number)),
        Value::Int4(number) => Json::from(*number),
        Value::Int8(number) => Json::from(*number),
        Value::Float4(number) => json_of_single(*number),
        Value::Float8(number) => json_of_float(*number),
        Value::Numeric(number) => match number.parse() {
            Ok(number) => Json::Number(number),
            Err(_) => Json::from(number.as_ref()),
        },
        Value::Jsonb(json) => json.as_ref().clone(),
        Value::Vector(numbers) | Value::HalfVector(numbers) => numbers
            .iter()
            .map(|number| json_of_single(*number))
            .collect(),
        Value::Array(_, items) => items.iter().map(json_of).collect(),
        other => Json::String(text_of(other)),
    }
}

impl Value<'_> {
    /// Converts the value to JSON: numbers, strings and arrays.
    ///
    /// Infinite times, `NaN` and infinite numbers are strings, as in the JSON of PostgreSQL.
    pub fn to_json(&self) -> Json {
        json_of(self)
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

/// Converts a number of 32 bits to JSON, with as many digits as it needs.
fn json_of_single(number: f32) -> Json {
    match non_finite_name(f64::from(number)) {
        Some(name) => Json::from(name),
        // `{:?}` writes the fewest digits that are read as the same number.
        None => format!("{number:?}")
            .parse()
            .map_or(Json::Null, Json::Number),
    }
}
