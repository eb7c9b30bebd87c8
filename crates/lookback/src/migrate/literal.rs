//! SQL literals of Rust values, for the defaults of columns.

use lookback_schema::literal;

use crate::value::time::infinity_name;
use crate::value::{Json, Value};

/// Formats a value as a literal; if there are several forms, as PostgreSQL
/// prints it.
pub(super) fn sql(value: &Value<'_>) -> String {
    match value {
        Value::Null => "NULL".to_owned(),
        Value::Bool(value) => value.to_string(),
        Value::Int4(number) => number.to_string(),
        Value::Int8(number) => number.to_string(),
        Value::Float8(number) => number.to_string(),
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
        Value::Vector(numbers) => {
            let numbers: Vec<String> = numbers.iter().map(ToString::to_string).collect();
            format!("'[{}]'", numbers.join(","))
        }
        Value::Array(element, items) => {
            let items: Vec<String> = items.iter().map(sql).collect();
            format!("ARRAY[{}]::{}[]", items.join(", "), element.sql())
        }
    }
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
    use crate::value::Value;

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
        "#);
    }
}
