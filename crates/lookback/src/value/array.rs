//! Columns of PostgreSQL arrays.
//!
//! The format is that of `array_send` in PostgreSQL's source
//! (`utils/adt/arrayfuncs.c`).

use std::borrow::Cow;

use sqlx::encode::IsNull;
use sqlx::error::BoxDynError;
use sqlx::postgres::PgArgumentBuffer;

use super::{ColumnType, ColumnValue, Json, Problem, Value};

/// A column value that can be an element of an array column.
///
/// `Vec<T>` is a column of type `text[]`, `integer[]` and so on. Arrays have
/// one dimension and no null elements.
#[diagnostic::on_unimplemented(
    message = "a column cannot hold an array of `{Self}`",
    note = "arrays are of every type of a column except Json, vectors, arrays, and enums that are \
            an enum type of PostgreSQL; for anything else take Json"
)]
pub trait ArrayElement: ColumnValue {}

/// A column value that is an array.
#[diagnostic::on_unimplemented(
    message = "a column of `{Self}` is not an array",
    note = "`array_contains`, `array_contained` and `array_overlaps` are for columns of `Vec<T>`"
)]
pub trait Array: ColumnValue {
    /// The type of the elements.
    type Element: ArrayElement;
}

impl<T: ArrayElement> Array for Vec<T> {
    type Element = T;
}

struct Of<T>(T);

impl<T: ColumnValue> Of<T> {
    const TYPE: &'static ColumnType = &T::TYPE;
}

impl<T: ArrayElement> ColumnValue for Vec<T> {
    const TYPE: ColumnType = ColumnType::Array(Of::<T>::TYPE);
    const VARIANTS: &'static [&'static str] = T::VARIANTS;

    fn to_value(&self) -> Value<'_> {
        let items = self.iter().map(ColumnValue::to_value).collect();
        Value::Array(Of::<T>::TYPE, items)
    }

    fn from_value(value: Value<'_>) -> Result<Self, Problem> {
        match value {
            Value::Array(_, items) => items.into_iter().map(T::from_value).collect(),
            other => Err(other.mismatch(Self::TYPE)),
        }
    }

    /// Parses a JSON array. The lists of filters are parsed item by item
    /// instead.
    fn from_text(text: &str) -> Result<Self, Problem> {
        let json = serde_json::from_str(text)
            .map_err(|_| Problem::unreadable(text, "an array in JSON, such as [\"a\", \"b\"]"))?;
        Self::from_json(json)
    }

    fn from_json(json: Json) -> Result<Self, Problem> {
        let Json::Array(items) = json else {
            return Err(Problem::wrong_json(&json, "an array"));
        };
        let read = |(index, item): (usize, Json)| match item {
            Json::Null => Err(Problem::new(format!(
                "element {index} is null; elements of an array must not be null"
            ))),
            item => T::from_json(item)
                .map_err(|problem| Problem::new(format!("element {index} {problem}"))),
        };
        items.into_iter().enumerate().map(read).collect()
    }

    fn to_json(&self) -> Cow<'_, Json> {
        Cow::Owned(
            self.iter()
                .map(|item| item.to_json().into_owned())
                .collect(),
        )
    }
}

/// Appends the binary form of an array.
///
/// It has the number of dimensions, a flag for nulls, the type of the elements,
/// the length, the first index, and each element with its length.
pub(super) fn encode(
    element: &ColumnType,
    items: &[Value<'_>],
    buffer: &mut PgArgumentBuffer,
) -> Result<IsNull, BoxDynError> {
    buffer.extend_from_slice(&i32::from(!items.is_empty()).to_be_bytes());
    buffer.extend_from_slice(&0_i32.to_be_bytes());
    buffer.extend_from_slice(&oid(element)?.to_be_bytes());
    if items.is_empty() {
        return Ok(IsNull::No);
    }
    buffer.extend_from_slice(&i32::try_from(items.len())?.to_be_bytes());
    buffer.extend_from_slice(&1_i32.to_be_bytes());
    for item in items {
        let start = buffer.len();
        buffer.extend_from_slice(&0_i32.to_be_bytes());
        if matches!(item.encode_into(buffer)?, IsNull::Yes) {
            return Err("elements of an array must not be null".into());
        }
        let length = i32::try_from(buffer.len() - start - 4)?;
        buffer[start..start + 4].copy_from_slice(&length.to_be_bytes());
    }
    Ok(IsNull::No)
}

/// Returns the OID of the type of elements.
fn oid(element: &ColumnType) -> Result<u32, BoxDynError> {
    element
        .oid()
        .ok_or_else(|| format!("arrays of {} are not supported", element.sql()).into())
}

/// Splits the binary form of an array into the bytes of each element.
pub(super) fn elements(bytes: &[u8]) -> Result<Vec<&[u8]>, BoxDynError> {
    let mut rest = bytes;
    let mut take = |count: usize| -> Result<&[u8], BoxDynError> {
        let (taken, left) = rest
            .split_at_checked(count)
            .ok_or("the array is cut short")?;
        rest = left;
        Ok(taken)
    };
    let number =
        |bytes: &[u8]| -> Result<i32, BoxDynError> { Ok(i32::from_be_bytes(bytes.try_into()?)) };
    let dimensions = number(take(4)?)?;
    take(8)?;
    if dimensions == 0 {
        return Ok(Vec::new());
    }
    if dimensions > 1 {
        return Err(format!("the array has {dimensions} dimensions, and only one is read").into());
    }
    let count = usize::try_from(number(take(4)?)?)?;
    take(4)?;
    let mut items = Vec::with_capacity(count.min(bytes.len()));
    for index in 0..count {
        let length = usize::try_from(number(take(4)?)?)
            .map_err(|_| format!("element {index} of the array is null"))?;
        items.push(take(length)?);
    }
    Ok(items)
}

/// Splits the text of an array of one dimension, such as `{a,"b c"}`, into the text of each
/// element.
pub(super) fn elements_of_text(text: &str) -> Result<Vec<String>, BoxDynError> {
    let inside = text
        .strip_prefix('{')
        .and_then(|rest| rest.strip_suffix('}'))
        .ok_or("the text of an array has no braces")?;
    let (mut items, mut item) = (Vec::new(), String::new());
    let (mut is_quoted, mut was_quoted) = (false, false);
    let mut letters = inside.chars();
    let mut end = |item: &mut String, was_quoted: &mut bool| -> Result<(), BoxDynError> {
        if !*was_quoted && item.eq_ignore_ascii_case("null") {
            return Err(format!("element {} of the array is null", items.len()).into());
        }
        *was_quoted = false;
        items.push(std::mem::take(item));
        Ok(())
    };
    while let Some(c) = letters.next() {
        match c {
            '"' => (is_quoted, was_quoted) = (!is_quoted, true),
            '\\' => item.extend(letters.next()),
            ',' if !is_quoted => end(&mut item, &mut was_quoted)?,
            '{' if !is_quoted => return Err("only arrays of one dimension are read".into()),
            c => item.push(c),
        }
    }
    if !inside.is_empty() {
        end(&mut item, &mut was_quoted)?;
    }
    Ok(items)
}
