//! Validation: rejects conditions that PostgreSQL cannot evaluate.

use super::tree::{JsonTest, Test};
use crate::model::json_problem;
use crate::value::calendar::{date_problem, timestamp_problem};
use crate::value::time::time_problem;
use crate::value::{Json, Problem, Value};

/// The maximum number of keys in a path into JSON.
///
/// No record is nested deeper. The SQL also compares with a document of that
/// depth, and functions that walk over a document recurse.
const MAX_KEYS: usize = 100;

/// The maximum length of a list.
const MAX_LIST: usize = 1_000_000;

impl Test {
    /// Rejects values that no record can have and PostgreSQL does not accept.
    pub(super) fn validated(self) -> Result<Self, Problem> {
        match &self {
            Self::Compare(_, value) | Self::Array(_, value) => validate_value(value)?,
            Self::In(values) => {
                validate_list_length(values.len())?;
                values.iter().try_for_each(validate_value)?;
            }
            Self::Like(pattern) => validate_text(&pattern.text)?,
            Self::IsNull | Self::CompareColumn(..) => {}
            Self::Json(path, test) => {
                validate_path(path)?;
                test.validate()?;
            }
        }
        Ok(self)
    }
}

impl JsonTest {
    fn validate(&self) -> Result<(), Problem> {
        match self {
            Self::In(values) => {
                validate_list_length(values.len())?;
                values.iter().try_for_each(validate_json)
            }
            Self::Compare(_, value) => validate_json(value),
            Self::Like(pattern) => validate_text(&pattern.text),
            Self::Array(_, groups) => {
                validate_list_length(groups.len())?;
                groups.iter().flatten().try_for_each(validate_json)
            }
            Self::Exists | Self::IsNull => Ok(()),
        }
    }
}

/// Rejects a path that no record has.
pub(super) fn validate_path(path: &[String]) -> Result<(), Problem> {
    if path.len() > MAX_KEYS {
        return Err(Problem::new(format!(
            "a path into JSON must have at most {MAX_KEYS} keys, got {}",
            path.len()
        )));
    }
    path.iter().try_for_each(|key| validate_text(key))
}

fn validate_list_length(length: usize) -> Result<(), Problem> {
    if length > MAX_LIST {
        return Err(Problem::new(format!(
            "a list must have at most {MAX_LIST} values, got {length}"
        )));
    }
    Ok(())
}

fn validate_text(text: &str) -> Result<(), Problem> {
    if text.contains('\0') {
        return Err(Problem::new(
            "contains a NUL character, which no record contains",
        ));
    }
    Ok(())
}

fn validate_value(value: &Value<'_>) -> Result<(), Problem> {
    let problem = |found: Option<&str>| found.map_or(Ok(()), |found| Err(Problem::new(found)));
    match value {
        Value::Text(text) => validate_text(text),
        Value::Jsonb(json) => validate_json(json),
        Value::Timestamptz(time) => problem(time_problem(time)),
        Value::Date(days) => problem(date_problem(*days)),
        Value::Timestamp(time) => problem(timestamp_problem(*time)),
        Value::Array(_, items) => {
            validate_list_length(items.len())?;
            items.iter().try_for_each(validate_value)
        }
        _ => Ok(()),
    }
}

fn validate_json(json: &Json) -> Result<(), Problem> {
    json_problem(json).map_or(Ok(()), |problem| Err(Problem::new(problem)))
}
