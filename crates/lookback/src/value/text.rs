//! Formatting of values as text that parses back to the same value.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::shown::{json_of, non_finite_name};
use super::{Json, Value, calendar, interval, time};

pub(crate) fn text_of(value: &Value<'_>) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(value) => value.to_string(),
        Value::Int2(number) => number.to_string(),
        Value::Int4(number) => number.to_string(),
        Value::Int8(number) => number.to_string(),
        Value::Float4(number) => match non_finite_name(f64::from(*number)) {
            Some(name) => name.to_owned(),
            None => number.to_string(),
        },
        Value::Float8(number) => match non_finite_name(*number) {
            Some(name) => name.to_owned(),
            None => number.to_string(),
        },
        Value::Numeric(number) => number.clone().into_owned(),
        Value::Text(text) => text.clone().into_owned(),
        Value::Uuid(bits) => uuid_text(*bits),
        Value::Date(days) => calendar::date_text(*days),
        Value::Time(time) => calendar::time_text(*time),
        Value::Timestamp(time) => calendar::timestamp_text(*time),
        Value::Timestamptz(time) => time::text(time),
        Value::Interval(interval) => interval::text(interval),
        Value::Inet(address) => address.to_string(),
        Value::Cidr(network) => network.to_string(),
        Value::Jsonb(json) => json.to_string(),
        Value::Bytea(bytes) => BASE64.encode(bytes),
        Value::Vector(numbers) | Value::HalfVector(numbers) => {
            let numbers: Vec<String> = numbers.iter().map(ToString::to_string).collect();
            format!("[{}]", numbers.join(","))
        }
        Value::Array(_, items) => Json::Array(items.iter().map(json_of).collect()).to_string(),
    }
}

/// Formats a UUID in lower case, with hyphens.
fn uuid_text(bits: u128) -> String {
    let mut text = format!("{bits:032x}");
    for place in [20, 16, 12, 8] {
        text.insert(place, '-');
    }
    text
}
