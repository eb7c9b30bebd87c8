//! Validation of values before they are sent.
//!
//! An invalid value is rejected here, with the name of its field, and not by the
//! database in the middle of a batch.

use std::cmp::Ordering;

use crate::error::FieldError;
use crate::model::ColumnDef;
use crate::value::calendar::{date_problem, timestamp_problem};
use crate::value::interval::interval_problem;
use crate::value::time::time_problem;
use crate::value::{Json, Value, numeric};

/// Validates a value against its column.
pub(crate) fn check(column: &ColumnDef, value: &Value<'_>) -> Result<(), FieldError> {
    let refuse = |problem: String| Err(FieldError::new(column.name, problem));
    match value {
        Value::Null if !column.nullable => refuse("must not be null".to_owned()),
        Value::Text(text) => {
            if let Some(problem) = too_long(text.len(), column) {
                return refuse(problem);
            }
            if let Some(at) = nul(text) {
                return refuse(format!(
                    "contains a NUL character (at byte {at}), which PostgreSQL text cannot store"
                ));
            }
            if column.not_blank && text.trim().is_empty() {
                return refuse("must not be blank".to_owned());
            }
            if column.email && !is_email(text) {
                return refuse(
                    "must be an e-mail address, with text on both sides of an @: ada@example.com"
                        .to_owned(),
                );
            }
            if !column.variants.is_empty() && !column.variants.contains(&text.as_ref()) {
                return Err(FieldError::new(
                    column.name,
                    crate::value::Problem::not_one_of(text, column.variants),
                ));
            }
            Ok(())
        }
        Value::Int2(number) => in_range(i64::from(*number), column),
        Value::Int4(number) => in_range(i64::from(*number), column),
        Value::Int8(number) => in_range(*number, column),
        // With as many digits as it has in Rust: 0.1 is not 0.10000000149.
        Value::Float4(number) => check_float(column, f64::from(*number), &number.to_string()),
        Value::Float8(number) => check_float(column, *number, &number.to_string()),
        Value::Numeric(number) => check_numeric(column, number),
        Value::Date(days) => date_problem(*days).map_or(Ok(()), |p| refuse(p.to_owned())),
        Value::Timestamp(time) => timestamp_problem(*time).map_or(Ok(()), |p| refuse(p.to_owned())),
        Value::Interval(interval) => {
            interval_problem(interval).map_or(Ok(()), |p| refuse(p.to_owned()))
        }
        Value::Bytea(bytes) => match too_long(bytes.len(), column) {
            Some(problem) => refuse(problem),
            None => Ok(()),
        },
        Value::Jsonb(json) => check_json(column, json),
        Value::Timestamptz(time) => time_problem(time).map_or(Ok(()), |p| refuse(p.to_owned())),
        Value::Array(_, items) => check_array(column, items),
        Value::Vector(numbers) | Value::HalfVector(numbers) => {
            match numbers.iter().position(|number| !number.is_finite()) {
                Some(at) => refuse(format!(
                    "must have finite numbers, and number {at} is {}",
                    numbers[at]
                )),
                None => Ok(()),
            }
        }
        Value::Null
        | Value::Bool(_)
        | Value::Uuid(_)
        | Value::Time(_)
        | Value::Inet(_)
        | Value::Cidr(_) => Ok(()),
    }
}

/// Validates a float; `text` is as it is shown.
fn check_float(column: &ColumnDef, number: f64, text: &str) -> Result<(), FieldError> {
    let refuse = |problem: String| Err(FieldError::new(column.name, problem));
    match column.range {
        _ if !number.is_finite() => refuse("must be a finite number".to_owned()),
        #[expect(
            clippy::cast_precision_loss,
            reason = "bounds are small whole numbers, which a float represents exactly"
        )]
        Some((min, max)) if number < min as f64 || number > max as f64 => {
            refuse(format!("{text} is not from {min} to {max}"))
        }
        _ => Ok(()),
    }
}

fn check_numeric(column: &ColumnDef, number: &str) -> Result<(), FieldError> {
    let refuse = |problem: String| Err(FieldError::new(column.name, problem));
    if !numeric::is_finite(number) {
        return refuse("must be a finite number".to_owned());
    }
    if numeric::normalized(number).is_none() {
        return refuse("has more digits than PostgreSQL stores".to_owned());
    }
    let is = |bound: i64, order: Ordering| numeric::compare(number, bound) == Some(order);
    match column.range {
        Some((min, max)) if is(min, Ordering::Less) || is(max, Ordering::Greater) => {
            refuse(format!("{number} is not from {min} to {max}"))
        }
        _ => Ok(()),
    }
}

/// Validates each element, and the size of all: their bytes, and four bytes each for
/// the length.
fn check_array(column: &ColumnDef, items: &[Value<'_>]) -> Result<(), FieldError> {
    let mut size = 0;
    for (index, item) in items.iter().enumerate() {
        let at = |problem: String| FieldError::new(format!("{}.{index}", column.name), problem);
        if *item == Value::Null {
            return Err(at("must not be null".to_owned()));
        }
        check(column, item).map_err(|error| at(error.problem))?;
        size += 4 + match item {
            Value::Text(text) | Value::Numeric(text) => text.len(),
            Value::Bytea(bytes) => bytes.len(),
            Value::Bool(_) => 1,
            Value::Int2(_) => 2,
            Value::Int4(_) | Value::Float4(_) | Value::Date(_) => 4,
            Value::Uuid(_) | Value::Interval(_) | Value::Inet(_) | Value::Cidr(_) => 16,
            _ => 8,
        };
    }
    match too_long(size, column) {
        Some(problem) => Err(FieldError::new(column.name, problem)),
        None => Ok(()),
    }
}

/// The reason why `jsonb` cannot store this, if there is one.
pub(crate) fn json_problem(json: &Json) -> Option<String> {
    walk(json, 0, &mut Vec::new(), &mut 0).err()
}

/// Whether a text has the form of an e-mail address.
///
/// Only a message to it would show whether it exists, so every form of RFC 5321 passes.
fn is_email(text: &str) -> bool {
    let is_printable = |part: &str| !part.is_empty() && !part.chars().any(char::is_control);
    text.trim() == text
        && text.rsplit_once('@').is_some_and(|(mailbox, host)| {
            is_printable(mailbox) && is_printable(host) && !host.contains(char::is_whitespace)
        })
}

/// The position of the first NUL. `contains` compares many bytes at a time, which
/// `str::find` does not.
fn nul(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    if bytes.contains(&0) {
        bytes.iter().position(|byte| *byte == 0)
    } else {
        None
    }
}

fn in_range(number: i64, column: &ColumnDef) -> Result<(), FieldError> {
    match column.range {
        Some((min, max)) if !(min..=max).contains(&number) => Err(FieldError::new(
            column.name,
            if number < min && (max == i64::MAX || max == i64::from(i32::MAX)) {
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
            "is {bytes} bytes long, over the limit of {}",
            column.max_bytes
        )
    })
}

/// Validates JSON against the size of its column and the limits of `jsonb`.
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
                .chain(path.into_iter().rev())
                .collect::<Vec<_>>()
                .join(".");
            Err(FieldError::new(field, problem))
        }
    }
}

/// Adds up the size, and finds values that `jsonb` cannot store; on an error, `path`
/// is the path to it, in reverse.
fn walk(json: &Json, depth: usize, path: &mut Vec<String>, size: &mut usize) -> Result<(), String> {
    /// Less than the 127 levels that `serde_json` reads.
    const MAX_DEPTH: usize = 100;
    if depth > MAX_DEPTH {
        return Err(format!("is nested more than {MAX_DEPTH} deep"));
    }
    let text = |text: &str, size: &mut usize| {
        *size += text.len() + 2;
        match nul(text) {
            Some(_) => {
                Err("contains a NUL character, which PostgreSQL jsonb cannot store".to_owned())
            }
            None => Ok(()),
        }
    };
    match json {
        Json::Null | Json::Bool(_) => {
            *size += 4;
            Ok(())
        }
        Json::Number(number) => {
            // As `jsonb` prints it: `1e5` is stored and read as `100000`.
            let (before, after) = digits(number.as_str())
                .filter(|(before, after)| *before <= MAX_WHOLE && *after <= MAX_FRACTION)
                .ok_or("is a number too large or too precise for PostgreSQL jsonb")?;
            *size += usize::try_from(before + after).unwrap_or(usize::MAX);
            Ok(())
        }
        Json::String(string) => text(string, size),
        Json::Array(items) => {
            *size += 2;
            for (index, item) in items.iter().enumerate() {
                walk(item, depth + 1, path, size).inspect_err(|_| path.push(index.to_string()))?;
            }
            Ok(())
        }
        Json::Object(map) => {
            *size += 2;
            for (key, item) in map {
                text(key, size)
                    .and_then(|()| walk(item, depth + 1, path, size))
                    .inspect_err(|_| path.push(key.replace('\0', "\\u0000")))?;
            }
            Ok(())
        }
    }
}

/// `jsonb` stores numbers as `numeric`: up to 131,072 digits before the point
/// and 16,383 after it (PostgreSQL manual, "Numeric Types").
const MAX_WHOLE: i64 = 131_072;
const MAX_FRACTION: i64 = 16_383;

/// The digits before and after the point of a JSON number without exponent; `None`
/// for an exponent that is too large to count.
fn digits(number: &str) -> Option<(i64, i64)> {
    let (mantissa, exponent) = match number.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i64>().ok()?),
        None => (number, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let before = i64::try_from(whole.trim_start_matches('-').len()).ok()?;
    let after = i64::try_from(fraction.len()).ok()?;
    Some((
        before.checked_add(exponent)?.max(1),
        after.checked_sub(exponent)?.max(0),
    ))
}

#[cfg(test)]
mod tests {
    use super::{MAX_FRACTION, MAX_WHOLE, check, digits};
    use crate::value::Value;
    use crate::{Log, Model, RequestSnapshot, User};

    fn problem<M: Model>(field: &str, value: Value<'_>) -> String {
        let column = M::TABLE.column(field).expect("a column of the model");
        match check(column, &value) {
            Ok(()) => "accepted".to_owned(),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn check_error_names_field_and_limit() {
        assert_eq!(
            problem::<Log>("message", Value::Text(" \n".into())),
            "message: must not be blank"
        );
        assert_eq!(
            problem::<Log>("message", Value::Text("a\0b".into())),
            "message: contains a NUL character (at byte 1), which PostgreSQL text cannot store"
        );
        assert_eq!(
            problem::<Log>("message", Value::Text("x".repeat(80_000_000).into())),
            "message: is 80000000 bytes long, over the limit of 1048576"
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
            "accepted"
        );
        assert_eq!(
            problem::<RequestSnapshot>("geo_lat", Value::Float8(90.5)),
            "geo_lat: 90.5 is not from -90 to 90"
        );
        assert_eq!(
            problem::<RequestSnapshot>("geo_lon", Value::Float8(-180.0)),
            "accepted"
        );
        assert_eq!(
            problem::<RequestSnapshot>("duration", Value::Int4(-1)),
            "duration: -1 is less than 0"
        );
    }

    #[test]
    fn check_error_inside_json_names_the_path() {
        let meta = crate::json!({"user": {"names": ["a", "b\0"]}});
        assert_eq!(
            problem::<Log>("meta", Value::Jsonb(std::borrow::Cow::Owned(meta))),
            "meta.user.names.1: contains a NUL character, which PostgreSQL jsonb cannot store"
        );
    }

    #[test]
    fn check_refuses_text_that_is_no_email_address() {
        let email = |text: &'static str| problem::<User>("email", Value::Text(text.into()));
        for text in [
            "a@b",
            "ada@example.com",
            "\"a b@c\"@example.com",
            "ü@日本.example",
            "a@[::1]",
        ] {
            assert_eq!(email(text), "accepted", "{text}");
        }
        for text in [
            "ada",
            "@example.com",
            "ada@",
            "@",
            " ada@example.com",
            "ada@example.com\n",
            "ada@exa mple.com",
            "a\u{1b}@b",
        ] {
            assert_eq!(
                email(text),
                "email: must be an e-mail address, with text on both sides of an @: ada@example.com",
                "{text}"
            );
        }
        assert_eq!(email(" "), "email: must not be blank");
    }

    #[test]
    fn check_measures_json_numbers_as_printed() {
        assert_eq!(digits("0"), Some((1, 0)));
        assert_eq!(digits("-12.5"), Some((2, 1)));
        assert_eq!(digits("1.5e3"), Some((4, 0)));
        assert_eq!(digits("1e-3"), Some((1, 3)));
        assert_eq!(digits("1e131071"), Some((MAX_WHOLE, 0)));
        assert_eq!(digits("1e-16383"), Some((1, MAX_FRACTION)));
        assert_eq!(digits("1e99999999999999999999"), None);

        // A few bytes of input must not become megabytes of output.
        let json = |text: &str| {
            let json: crate::Json = text.parse().expect("JSON");
            problem::<Log>("meta", Value::Jsonb(std::borrow::Cow::Owned(json)))
        };
        assert_eq!(json("1e131071"), "accepted");
        assert_eq!(
            json("1e131072"),
            "meta: is a number too large or too precise for PostgreSQL jsonb"
        );
        let many = format!("[{}]", ["1e131071"; 100].join(","));
        assert!(
            json(&many).contains("over the limit of 8388608"),
            "{}",
            json(&many)
        );
    }

    #[test]
    fn check_refuses_json_nested_over_100_deep() {
        let nested = |depth: usize| {
            let text = format!("{}{}", "[".repeat(depth), "]".repeat(depth));
            let json: crate::Json = text.parse().expect("JSON");
            problem::<Log>("meta", Value::Jsonb(std::borrow::Cow::Owned(json)))
        };
        assert_eq!(nested(100), "accepted");
        assert!(nested(102).ends_with("is nested more than 100 deep"));
    }

    #[test]
    fn check_refuses_time_that_postgresql_cannot_store() {
        let at = |text: &str| {
            let time = text.parse().expect("a time");
            problem::<Log>("created_at", Value::Timestamptz(time))
        };
        assert_eq!(at("2026-01-31T08:30:00Z"), "accepted");
        assert_eq!(at("9999-12-31T23:59:59-23:59"), "accepted");
        assert_eq!(at("-4713-11-24T00:00:00Z"), "accepted");
        assert_eq!(
            at("-4713-11-23T23:59:59Z"),
            "created_at: must not be before 24 November 4714 BC, the first day that PostgreSQL stores"
        );
        for infinite in [
            chrono::DateTime::<chrono::Utc>::MIN_UTC,
            chrono::DateTime::<chrono::Utc>::MAX_UTC,
        ] {
            assert_eq!(
                problem::<Log>("created_at", Value::Timestamptz(infinite)),
                "accepted"
            );
        }
    }
}
