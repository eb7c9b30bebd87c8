//! The Rust types of column values.

use std::borrow::Cow;

use chrono::{DateTime, SubsecRound, Utc};
use sqlx::Postgres;
use sqlx::error::BoxDynError;
use sqlx::postgres::PgValueRef;

use super::{ColumnType, Json, Problem, StoredTime, Value, time};

/// A Rust type that a column can store; `Option` makes the column nullable.
///
/// Implemented for `bool`, `i32`, `i64`, `f64`, `String`, [`DateTime<Utc>`], [`Json`],
/// [`Bytes`](crate::value::Bytes), [`Embedding`](crate::embedding::Embedding),
/// [`ErrorRate`](crate::value::ErrorRate), and `Vec` of an
/// [`ArrayElement`](crate::value::ArrayElement). `#[derive(ColumnEnum)]` implements it for your
/// own enums.
#[diagnostic::on_unimplemented(
    message = "a column cannot hold `{Self}`",
    label = "not the type of a column",
    note = "columns hold bool, i32, i64, f64, String, DateTime<Utc>, Json, Bytes, Embedding, \
            a Vec of one of the first six, or an enum with #[derive(ColumnEnum)]; Option<T> makes a column nullable and \
            Hidden<T> hides it"
)]
pub trait ColumnValue:
    Sized
    + Clone
    + Send
    + Sync
    + Unpin
    + 'static
    + sqlx::Type<Postgres>
    + for<'r> sqlx::Decode<'r, Postgres>
{
    /// The PostgreSQL type.
    const TYPE: ColumnType;

    /// The size of one stored unit, in units of the Rust value; 1 by default.
    ///
    /// [`ErrorRate`](crate::value::ErrorRate) stores errors per million requests, so its scale
    /// is 0.000001. Sums, averages and percentiles are multiplied by it.
    const SCALE: f64 = 1.0;

    /// Every value as stored, for a type with a fixed list of values; otherwise empty.
    const VARIANTS: &'static [&'static str] = &[];

    /// Returns the value as it is stored.
    fn to_value(&self) -> Value<'_>;

    /// Decodes the value that the database sent.
    ///
    /// # Errors
    ///
    /// The value has another type, or the Rust type cannot represent it.
    fn from_database(value: PgValueRef<'_>) -> Result<Self, BoxDynError> {
        <Self as sqlx::Decode<'_, Postgres>>::decode(value)
    }

    /// Parses the value from text, as in filters in a URL or on a command line.
    ///
    /// # Errors
    ///
    /// The text is not a value of this type. The error states the expected form.
    fn from_text(text: &str) -> Result<Self, Problem>;

    /// Reads the value from JSON.
    ///
    /// # Errors
    ///
    /// The JSON is not a value of this type. The error states the expected form.
    fn from_json(json: Json) -> Result<Self, Problem>;

    /// Formats a stored value as text that [`from_text`](Self::from_text) parses.
    fn text_of(value: &Value<'_>) -> String {
        super::text::text_of(value)
    }
}

/// A column value whose text form is a word, such as a `String` or an enum.
///
/// Filters accept a plain string for it.
#[diagnostic::on_unimplemented(
    message = "a column of `{Self}` does not take a string",
    note = "a string is for columns of String or of an enum with #[derive(ColumnEnum)]; give a value of the column's own type"
)]
pub trait TextLike: ColumnValue {}

/// A column value that is stored as `text`. Filters can match it with patterns.
#[diagnostic::on_unimplemented(
    message = "a column of `{Self}` is not `text` and matches no pattern",
    note = "`like`, `contains`, `starts_with` and their kind are for columns stored as text; arrays have `array_contains`"
)]
pub trait Text: TextLike {}

/// A column value that has an order.
///
/// Filters support `gt`, `gte`, `lt`, `lte` and `between` for it.
#[diagnostic::on_unimplemented(
    message = "a column of `{Self}` has no order: nothing in it is greater or less",
    note = "`gt`, `gte`, `lt`, `lte` and `between` are for numbers, times, text and enums"
)]
pub trait Ordered: ColumnValue {}

/// A column value with inner values that have a path: JSON.
#[diagnostic::on_unimplemented(
    message = "a column of `{Self}` has no paths into it",
    note = "`path` and `key` are for columns of Json"
)]
pub trait Document: ColumnValue {}

impl TextLike for String {}
impl Text for String {}
impl Ordered for String {}
impl Ordered for i32 {}
impl Ordered for i64 {}
impl Ordered for f64 {}
impl Ordered for DateTime<Utc> {}
impl Document for Json {}

impl ColumnValue for bool {
    const TYPE: ColumnType = ColumnType::Bool;

    fn to_value(&self) -> Value<'_> {
        Value::Bool(*self)
    }

    fn from_text(text: &str) -> Result<Self, Problem> {
        match text {
            "true" => Ok(true),
            "false" => Ok(false),
            _ => Err(Problem::unreadable(text, "true or false")),
        }
    }

    fn from_json(json: Json) -> Result<Self, Problem> {
        json.as_bool()
            .ok_or_else(|| Problem::wrong_json(&json, "true or false"))
    }
}

macro_rules! integer {
    ($ty:ty, $column:ident, $expected:literal) => {
        impl ColumnValue for $ty {
            const TYPE: ColumnType = ColumnType::$column;

            fn to_value(&self) -> Value<'_> {
                Value::$column(*self)
            }

            fn from_text(text: &str) -> Result<Self, Problem> {
                text.parse()
                    .map_err(|_| Problem::unreadable(text, $expected))
            }

            fn from_json(json: Json) -> Result<Self, Problem> {
                let expected = $expected;
                match &json {
                    Json::Number(number) => number
                        .to_string()
                        .parse()
                        .map_err(|_| Problem::wrong_json(&json, expected)),
                    _ => Err(Problem::wrong_json(&json, expected)),
                }
            }
        }
    };
}

integer!(i32, Int4, "a whole number from -2147483648 to 2147483647");
integer!(i64, Int8, "a whole number of 64 bits");

impl ColumnValue for f64 {
    const TYPE: ColumnType = ColumnType::Float8;

    fn to_value(&self) -> Value<'_> {
        Value::Float8(*self)
    }

    fn from_text(text: &str) -> Result<Self, Problem> {
        // A number with digits is not infinite, but too large.
        let is_word = !text.contains(|c: char| c.is_ascii_digit());
        text.parse()
            .ok()
            .filter(|number: &Self| number.is_finite() || is_word)
            .ok_or_else(|| Problem::unreadable(text, "a number"))
    }

    fn from_json(json: Json) -> Result<Self, Problem> {
        json.as_f64()
            .filter(|number| number.is_finite())
            .ok_or_else(|| Problem::wrong_json(&json, "a number"))
    }
}

impl ColumnValue for String {
    const TYPE: ColumnType = ColumnType::Text;

    fn to_value(&self) -> Value<'_> {
        Value::Text(Cow::Borrowed(self))
    }

    fn from_text(text: &str) -> Result<Self, Problem> {
        Ok(text.to_owned())
    }

    fn from_json(json: Json) -> Result<Self, Problem> {
        match json {
            Json::String(text) => Ok(text),
            other => Err(Problem::wrong_json(&other, "a string")),
        }
    }
}

impl ColumnValue for DateTime<Utc> {
    const TYPE: ColumnType = ColumnType::Timestamptz;

    fn to_value(&self) -> Value<'_> {
        Value::Timestamptz(to_microseconds(*self))
    }

    fn from_database(value: PgValueRef<'_>) -> Result<Self, BoxDynError> {
        <StoredTime as sqlx::Decode<'_, Postgres>>::decode(value).map(StoredTime::time)
    }

    fn from_text(text: &str) -> Result<Self, Problem> {
        const EXPECTED: &str = "a time with its zone, such as 2026-01-31T08:30:00Z";
        time::from_text(text).ok_or_else(|| {
            if time::from_text(&format!("{text}Z")).is_some() {
                return Problem::new(format!(
                    "`{text}` has no time zone; write {text}Z for UTC, or an offset such as +01:00"
                ));
            }
            Problem::unreadable(text, EXPECTED)
        })
    }

    fn from_json(json: Json) -> Result<Self, Problem> {
        match &json {
            Json::String(text) => Self::from_text(text),
            _ => Err(Problem::wrong_json(
                &json,
                "a time with its zone, such as \"2026-01-31T08:30:00Z\"",
            )),
        }
    }
}

impl ColumnValue for Json {
    const TYPE: ColumnType = ColumnType::Jsonb;

    fn to_value(&self) -> Value<'_> {
        Value::Jsonb(Cow::Borrowed(self))
    }

    fn from_text(text: &str) -> Result<Self, Problem> {
        text.parse().map_err(|_| Problem::unreadable(text, "JSON"))
    }

    fn from_json(json: Json) -> Result<Self, Problem> {
        Ok(json)
    }
}

/// Truncates a time to whole microseconds, the precision of PostgreSQL.
pub(crate) fn to_microseconds(time: DateTime<Utc>) -> DateTime<Utc> {
    match time::infinity_name(&time) {
        Some(_) => time,
        None => time.trunc_subsecs(6),
    }
}
