//! Formatting of values as text that parses back to the same value.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::shown::{json_of_float, non_finite_name};
use super::{Json, Value, time};

pub(crate) fn text_of(value: &Value<'_>) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(value) => value.to_string(),
        Value::Int4(number) => number.to_string(),
        Value::Int8(number) => number.to_string(),
        Value::Float8(number) => match non_finite_name(*number) {
            Some(name) => name.to_owned(),
            None => number.to_string(),
        },
        Value::Text(text) => text.clone().into_owned(),
        Value::Timestamptz(time) => time::text(time),
        Value::Jsonb(json) => json.to_string(),
        Value::Bytea(bytes) => BASE64.encode(bytes),
        Value::Vector(numbers) => {
            let numbers: Vec<String> = numbers.iter().map(ToString::to_string).collect();
            format!("[{}]", numbers.join(","))
        }
        Value::Array(_, items) => Json::Array(items.iter().map(json_of).collect()).to_string(),
    }
}

fn json_of(value: &Value<'_>) -> Json {
    match value {
        Value::Bool(value) => Json::from(*value),
        Value::Int4(number) => Json::from(*number),
        Value::Int8(number) => Json::from(*number),
        Value::Float8(number) => json_of_float(*number),
        other => Json::String(text_of(other)),
    }
}
