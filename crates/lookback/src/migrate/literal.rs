//! SQL literals of Rust values, for the defaults of columns.

use lookback_schema::literal;

use crate::value::time::infinity_name;
use crate::value::{Json, PgInterval, Value, text_of};

/// Formats a value as a literal; if there are several forms, as PostgreSQL
/// prints it.
pub(super) fn sql(value: &Value<'_>) -> String {
    match value {
        Value::Null => "NULL".to_owned(),
        Value::Bool(value) => value.to_string(),
        Value::Int2(number) => number.to_string(),
        Value::Int4(number) => number.to_string(),
        Value::Int8(number) => number.to_string(),
        Value::Float4(number) => number.to_string(),
        Value::Float8(number) => number.to_string(),
        Value::Numeric(number) => number.to_string(),
        Value::Uuid(_)
        | Value::Date(_)
        | Value::Time(_)
        | Value::Timestamp(_)
        | Value::Inet(_)
        | Value::Cidr(_) => literal(&postgresql_text(value)),
        Value::Interval(interval) => literal(&interval_text(interval)),
        Value::Text(text) => literal(text),
        Value::Timestamptz(time) => match infinity_name(time) {
            Some(name) => literal(name),
            None => literal(&time.to_rfc3339()),
        },
        Value::Jsonb(json) => {
            let mut text = String::new();
            write_json(json, &mut text);
            literal(&text)
        }
        Value::Bytea(bytes) => {
            let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            format!("'\\x{digits}'")
        }
        Value::Vector(numbers) | Value::HalfVector(numbers) => {
            let numbers: Vec<String> = numbers.iter().map(ToString::to_string).collect();
            format!("'[{}]'", numbers.join(","))
        }
        Value::Array(element, items) => {
            let items: Vec<String> = items.iter().map(sql).collect();
            format!("ARRAY[{}]::{}[]", items.join(", "), element.sql())
        }
    }
}

/// Formats a value as PostgreSQL prints it: a time without the `T` of ISO 8601, nor zeros at
/// the end of a fraction.
fn postgresql_text(value: &Value<'_>) -> String {
    let text = text_of(value);
    match value {
        Value::Time(_) | Value::Timestamp(_) => {
            let text = text.replace('T', " ");
            match text.split_once('.') {
                Some((whole, fraction)) => format!("{whole}.{}", fraction.trim_end_matches('0')),
                None => text,
            }
        }
        _ => text,
    }
}

/// Formats an interval as PostgreSQL prints it with its default settings, such as
/// `1 year -2 days +04:05:06.7`.
fn interval_text(interval: &PgInterval) -> String {
    let mut text = String::new();
    let mut is_after_negative = false;
    for (number, unit) in [
        (interval.months / 12, "year"),
        (interval.months % 12, "mon"),
        (interval.days, "day"),
    ] {
        if number != 0 {
            text.push_str(if text.is_empty() { "" } else { " " });
            text.push_str(if is_after_negative && number > 0 {
                "+"
            } else {
                ""
            });
            let plural = if number == 1 { "" } else { "s" };
            text.push_str(&format!("{number} {unit}{plural}"));
            is_after_negative = number < 0;
        }
    }
    if interval.microseconds != 0 || text.is_empty() {
        text.push_str(if text.is_empty() { "" } else { " " });
        text.push_str(match (interval.microseconds < 0, is_after_negative) {
            (true, _) => "-",
            (false, true) => "+",
            (false, false) => "",
        });
        let size = interval.microseconds.unsigned_abs();
        let (seconds, fraction) = (size / 1_000_000, size % 1_000_000);
        let (hours, minutes) = (seconds / 3_600, seconds / 60 % 60);
        text.push_str(&format!("{hours:02}:{minutes:02}:{:02}", seconds % 60));
        if fraction != 0 {
            text.push_str(format!(".{fraction:06}").trim_end_matches('0'));
        }
    }
    text
}

/// Formats JSON as `jsonb` prints it: a space after each comma and colon, short
/// keys before long ones.
fn write_json(json: &Json, text: &mut String) {
    match json {
        Json::Array(items) => {
            text.push('[');
            for (at, item) in items.iter().enumerate() {
                text.push_str(if at == 0 { "" } else { ", " });
                write_json(item, text);
            }
            text.push(']');
        }
        Json::Object(map) => {
            let mut entries: Vec<_> = map.iter().collect();
            entries.sort_by_key(|(key, _)| (key.len(), key.as_str()));
            text.push('{');
            for (at, (key, value)) in entries.into_iter().enumerate() {
                text.push_str(if at == 0 { "" } else { ", " });
                write_json(&Json::String(key.clone()), text);
                text.push_str(": ");
                write_json(value, text);
            }
            text.push('}');
        }
        other => text.push_str(&other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::sql;
    use crate::value::{PgInterval, Value};

    fn interval(months: i32, days: i32, microseconds: i64) -> Value<'static> {
        Value::Interval(PgInterval {
            months,
            days,
            microseconds,
        })
    }

    #[test]
    fn sql_literals_equal_those_of_postgresql() {
        let json = crate::json!({"long key": [1, 2.5, null], "b": {"a": "it's"}});
        let shown: Vec<String> = [
            Value::Bool(true),
            Value::Int4(-5),
            Value::Float8(0.1),
            Value::Text("it's \\".into()),
            Value::Jsonb(std::borrow::Cow::Borrowed(&json)),
            Value::Bytea(vec![0, 255].into()),
            Value::Vector(vec![0.5, -1.0].into()),
            Value::Numeric("-12.50".into()),
            Value::Uuid(0x67e5_5044_10b1_426f_9247_bb68_0e5f_e0c8),
            Value::Date(9_527),
            Value::Time(30_600_500_000),
            Value::Timestamp(823_163_400_500_000),
            interval(14, -3, 14_706_700_000),
            interval(0, 0, -1),
            interval(0, 0, 0),
            Value::Inet("10.1.2.3/8".parse().expect("an address")),
            Value::Cidr("10.0.0.0/8".parse().expect("a network")),
        ]
        .iter()
        .map(sql)
        .collect();
        insta::assert_snapshot!(shown.join("\n"), @r#"
        true
        -5
        0.1
        E'it''s \\'
        '{"b": {"a": "it''s"}, "long key": [1, 2.5, null]}'
        '\x00ff'
        '[0.5,-1]'
        -12.50
        '67e55044-10b1-426f-9247-bb680e5fe0c8'
        '2026-01-31'
        '08:30:00.5'
        '2026-01-31 08:30:00.5'
        '1 year 2 mons -3 days +04:05:06.7'
        '-00:00:00.000001'
        '00:00:00'
        '10.1.2.3/8'
        '10.0.0.0/8'
        "#);
    }
}
