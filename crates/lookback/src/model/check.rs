//! The checks a value passes before it is sent: what a column refuses is
//! refused here, with the name of the field, and not by the database half-way
//! through a batch.

use crate::error::FieldError;
use crate::model::ColumnDef;
use crate::value::{Json, Value};

/// Checks one value against its column.
pub(crate) fn check(column: &ColumnDef, value: &Value<'_>) -> Result<(), FieldError> {
    let refuse = |problem: String| Err(FieldError::new(column.name, problem));
    match value {
        Value::Null if !column.nullable => refuse("must not be null".to_owned()),
        Value::Text(text) => {
            if let Some(problem) = too_long(text.len(), column) {
                return refuse(problem);
            }
            if let Some(at) = text.find('\0') {
                return refuse(format!(
                    "holds a NUL character (at byte {at}), which PostgreSQL text cannot"
                ));
            }
            if column.not_blank && text.trim().is_empty() {
                return refuse("must not be blank".to_owned());
            }
            if !column.variants.is_empty() && !column.variants.contains(&text.as_ref()) {
                return Err(FieldError::new(
                    column.name,
                    crate::value::Problem::not_one_of(text, column.variants),
                ));
            }
            Ok(())
        }
        Value::Int4(number) => in_range(i64::from(*number), column),
        Value::Int8(number) => in_range(*number, column),
        Value::Float8(number) if !number.is_finite() => {
            refuse("must be a finite number".to_owned())
        }
        Value::Bytea(bytes) => match too_long(bytes.len(), column) {
            Some(problem) => refuse(problem),
            None => Ok(()),
        },
        Value::Jsonb(json) => check_json(column, json),
        _ => Ok(()),
    }
}

fn in_range(number: i64, column: &ColumnDef) -> Result<(), FieldError> {
    match column.range {
        Some((min, max)) if !(min..=max).contains(&number) => Err(FieldError::new(
            column.name,
            if max == i64::MAX || max == i64::from(i32::MAX) {
                format!("{number} is less than {min}")
            } else {
                format!("{number} is not from {min} to {max}")
            },
        )),
        _ => Ok(()),
    }
}

fn too_long(bytes: usize, column: &ColumnDef) -> Option<String> {
    (bytes > column.max_bytes).then(|| {
        format!(
            "is {bytes} bytes long; at most {} are taken",
            column.max_bytes
        )
    })
}

/// JSON must fit the size of its column and the limits of `jsonb`.
fn check_json(column: &ColumnDef, json: &Json) -> Result<(), FieldError> {
    let mut size = 0;
    let mut path = Vec::new();
    let problem = walk(json, 0, &mut path, &mut size)
        .err()
        .or_else(|| too_long(size, column));
    match problem {
        None => Ok(()),
        Some(problem) => {
            let field = std::iter::once(column.name.to_owned())
                .chain(path)
                .collect::<Vec<_>>()
                .join(".");
            Err(FieldError::new(field, problem))
        }
    }
}

/// Counts the size and looks for what `jsonb` cannot hold; on an error, `path`
/// leads to it.
fn walk(json: &Json, depth: usize, path: &mut Vec<String>, size: &mut usize) -> Result<(), String> {
    /// Far less than what would exhaust the stack of PostgreSQL's parser.
    const MAX_DEPTH: usize = 128;
    if depth > MAX_DEPTH {
        return Err(format!("is nested more than {MAX_DEPTH} deep"));
    }
    let text = |text: &str, size: &mut usize| {
        *size += text.len() + 2;
        match text.find('\0') {
            Some(_) => Err("holds a NUL character, which PostgreSQL jsonb cannot".to_owned()),
            None => Ok(()),
        }
    };
    match json {
        Json::Null | Json::Bool(_) => {
            *size += 4;
            Ok(())
        }
        Json::Number(number) => {
            let number = number.to_string();
            *size += number.len();
            if fits_numeric(&number) {
                Ok(())
            } else {
                Err("is a number too large or too fine for PostgreSQL jsonb".to_owned())
            }
        }
        Json::String(string) => text(string, size),
        Json::Array(items) => {
            *size += 2;
            for (index, item) in items.iter().enumerate() {
                path.push(index.to_string());
                walk(item, depth + 1, path, size)?;
                path.pop();
            }
            Ok(())
        }
        Json::Object(map) => {
            *size += 2;
            for (key, item) in map {
                path.push(key.replace('\0', "\\u0000"));
                text(key, size)?;
                walk(item, depth + 1, path, size)?;
                path.pop();
            }
            Ok(())
        }
    }
}

/// `jsonb` keeps numbers as `numeric`: up to 131,072 digits before the point
/// and 16,383 after it (PostgreSQL manual, "Numeric Types").
fn fits_numeric(number: &str) -> bool {
    let (mantissa, exponent) = match number.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => match exponent.parse::<i64>() {
            Ok(exponent) => (mantissa, exponent),
            Err(_) => return false,
        },
        None => (number, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let before = i64::try_from(whole.trim_start_matches('-').len()).unwrap_or(i64::MAX);
    let after = i64::try_from(fraction.len()).unwrap_or(i64::MAX);
    before.saturating_add(exponent) <= 131_072 && after.saturating_sub(exponent) <= 16_383
}

#[cfg(test)]
mod tests {
    use super::{check, fits_numeric};
    use crate::{Log, Model, RequestSnapshot, Value};

    fn problem<M: Model>(field: &str, value: Value<'_>) -> String {
        let column = M::TABLE.column(field).expect("a column of the model");
        match check(column, &value) {
            Ok(()) => "taken".to_owned(),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn a_refusal_names_the_field_and_the_limit() {
        assert_eq!(
            problem::<Log>("message", Value::Text(" \n".into())),
            "message: must not be blank"
        );
        assert_eq!(
            problem::<Log>("message", Value::Text("a\0b".into())),
            "message: holds a NUL character (at byte 1), which PostgreSQL text cannot"
        );
        assert_eq!(
            problem::<Log>("message", Value::Text("x".repeat(80_000_000).into())),
            "message: is 80000000 bytes long; at most 1048576 are taken"
        );
        assert_eq!(
            problem::<Log>("message", Value::Null),
            "message: must not be null"
        );
        assert_eq!(
            problem::<RequestSnapshot>("status_code", Value::Int4(700)),
            "status_code: 700 is not from 100 to 599"
        );
        assert_eq!(
            problem::<RequestSnapshot>("status_code", Value::Null),
            "taken"
        );
        assert_eq!(
            problem::<RequestSnapshot>("duration", Value::Int4(-1)),
            "duration: -1 is less than 0"
        );
    }

    #[test]
    fn a_refusal_inside_json_gives_the_path() {
        let meta = serde_json::json!({"user": {"names": ["a", "b\0"]}});
        assert_eq!(
            problem::<Log>("meta", Value::Jsonb(std::borrow::Cow::Owned(meta))),
            "meta.user.names.1: holds a NUL character, which PostgreSQL jsonb cannot"
        );
    }

    #[test]
    fn numbers_within_numeric_are_taken() {
        for number in [
            "0",
            "-12.5",
            "1e131071",
            "1e-16383",
            "123456789012345678901234567890",
        ] {
            assert!(fits_numeric(number), "{number}");
        }
        for number in ["1e131072", "1e-16384", "1e99999999999999999999"] {
            assert!(!fits_numeric(number), "{number}");
        }
    }
}
