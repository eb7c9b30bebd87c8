//! The Rust types of column values.

use std::borrow::Cow;

use std::net::IpAddr;
use std::time::Duration;

use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime, SubsecRound, TimeDelta, Utc};
use sqlx::error::BoxDynError;
use sqlx::postgres::PgValueRef;
use sqlx::postgres::types::PgInterval;

use super::{
    ArrayElement, Cidr, ColumnType, Inet, Json, JsonNumber, Problem, Value, calendar, interval,
    numeric, shown, time,
};

/// A Rust type that a column can store; `Option` makes the column nullable.
///
/// The guide page "Models" lists the types that implement it. `#[derive(ColumnEnum)]`
/// implements it for your own enums. A type of your own needs `TYPE`, `to_value` and
/// `from_value`; the other methods follow from them.
///
/// ```
/// use lookback::value::{ColumnType, ColumnValue, Problem, Value};
///
/// /// An amount of money in cents.
/// #[derive(Clone, Debug, PartialEq)]
/// struct Cents(i64);
///
/// impl ColumnValue for Cents {
///     const TYPE: ColumnType = ColumnType::Int8;
///
///     fn to_value(&self) -> Value<'_> {
///         Value::Int8(self.0)
///     }
///
///     fn from_value(value: Value<'_>) -> Result<Self, Problem> {
///         i64::from_value(value).map(Self)
///     }
/// }
///
/// assert_eq!(Cents::from_text("250"), Ok(Cents(250)));
/// ```
#[diagnostic::on_unimplemented(
    message = "a column cannot hold `{Self}`",
    label = "not the type of a column",
    note = "columns hold bool, numbers, String, times and dates, addresses, Json, bytes, vectors, \
            a Vec of them, or an enum with #[derive(ColumnEnum)]: the guide page Models lists the \
            types, and the features of some; Option<T> makes a column nullable and Hidden<T> \
            hides it"
)]
pub trait ColumnValue: Sized + Clone + Send + Sync + Unpin + 'static {
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

    /// Converts a stored value.
    ///
    /// # Errors
    ///
    /// The value has another type, or the Rust type cannot represent it.
    fn from_value(value: Value<'_>) -> Result<Self, Problem>;

    /// Decodes the value that the database sent, which is not NULL.
    ///
    /// # Errors
    ///
    /// As [`from_value`](Self::from_value).
    fn from_database(value: PgValueRef<'_>) -> Result<Self, BoxDynError> {
        let value = Value::from_database(value, Self::TYPE)?;
        Ok(Self::from_value(value)?)
    }

    /// Parses the value from text, as in filters in a URL or on a command line.
    ///
    /// # Errors
    ///
    /// The text is not a value of this type. The error states the expected form.
    fn from_text(text: &str) -> Result<Self, Problem> {
        Self::from_value(Value::from_text(Self::TYPE, text)?)
    }

    /// Reads the value from JSON.
    ///
    /// # Errors
    ///
    /// The JSON is not a value of this type. The error states the expected form.
    fn from_json(json: Json) -> Result<Self, Problem> {
        Self::from_value(Value::from_json(Self::TYPE, json)?)
    }

    /// Converts the value to JSON, which [`from_json`](Self::from_json) reads.
    ///
    /// Infinite times, `NaN` and infinite numbers are strings, as in the JSON of PostgreSQL.
    fn to_json(&self) -> Cow<'_, Json> {
        match self.to_value() {
            Value::Jsonb(json) => json,
            value => Cow::Owned(shown::json_of(&value)),
        }
    }

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
impl Document for Json {}

/// Implements [`ColumnValue`] for a type that one kind of [`Value`] holds. `$to` converts
/// a reference to what the value holds, `$from` converts back, and may fail.
macro_rules! column_value {
    ($ty:ty, $kind:ident, |$value:ident| $to:expr, |$stored:ident| $from:expr) => {
        impl ColumnValue for $ty {
            const TYPE: ColumnType = ColumnType::$kind;

            fn to_value(&self) -> Value<'_> {
                let $value = self;
                Value::$kind($to)
            }

            fn from_value(value: Value<'_>) -> Result<Self, Problem> {
                match value {
                    Value::$kind($stored) => $from,
                    other => Err(other.mismatch(Self::TYPE)),
                }
            }
        }
    };
}
pub(super) use column_value;

macro_rules! implement {
    ($trait:ident: $($ty:ty),+ $(,)?) => {
        $(impl $trait for $ty {})+
    };
}
pub(super) use implement;

column_value!(bool, Bool, |value| *value, |stored| Ok(stored));
column_value!(i16, Int2, |value| *value, |stored| Ok(stored));
column_value!(i32, Int4, |value| *value, |stored| Ok(stored));
column_value!(i64, Int8, |value| *value, |stored| Ok(stored));
column_value!(f32, Float4, |value| *value, |stored| Ok(stored));
column_value!(f64, Float8, |value| *value, |stored| Ok(stored));
column_value!(
    String,
    Text,
    |value| Cow::Borrowed(value.as_str()),
    |stored| Ok(stored.into_owned())
);
column_value!(
    JsonNumber,
    Numeric,
    |value| {
        // A number that is too large stays as it is: the check of the record rejects it.
        let text = numeric::normalized(value.as_str());
        text.unwrap_or_else(|| value.as_str().to_owned()).into()
    },
    |stored| stored
        .parse()
        .map_err(|_| { Problem::new(format!("{stored} is not a finite number")) })
);
column_value!(
    NaiveDate,
    Date,
    |value| calendar::days_of(*value),
    |stored| Ok(calendar::date(stored))
);
column_value!(
    NaiveTime,
    Time,
    |value| calendar::microseconds_of_day(*value),
    |stored| Ok(calendar::time_of_day(stored))
);
column_value!(
    NaiveDateTime,
    Timestamp,
    |value| calendar::microseconds_of(*value),
    |stored| Ok(calendar::timestamp(stored))
);
column_value!(
    DateTime<Utc>,
    Timestamptz,
    |value| to_microseconds(*value),
    |stored| Ok(stored)
);
column_value!(PgInterval, Interval, |value| *value, |stored| Ok(stored));
column_value!(
    TimeDelta,
    Interval,
    |value| interval::of_delta(*value),
    |stored| interval::to_delta(stored)
);
column_value!(
    Duration,
    Interval,
    |value| interval::of_duration(*value),
    |stored| {
        let length = interval::to_delta(stored)?.to_std();
        length.map_err(|_| Problem::new(format!("{} is negative", interval::text(&stored))))
    }
);
column_value!(IpAddr, Inet, |value| (*value).into(), |stored| {
    if Inet::from(stored.address()) == stored {
        Ok(stored.address())
    } else {
        Err(Problem::new(format!(
            "{stored} is an address with a prefix; read it as an Inet"
        )))
    }
});
column_value!(Inet, Inet, |value| *value, |stored| Ok(stored));
column_value!(Cidr, Cidr, |value| *value, |stored| Ok(stored));
column_value!(Json, Jsonb, |value| Cow::Borrowed(value), |stored| Ok(
    stored.into_owned()
));
column_value!(
    Vec<u8>,
    Bytea,
    |value| Cow::Borrowed(value.as_slice()),
    |stored| Ok(stored.into_owned())
);

implement!(
    Ordered: String, i16, i32, i64, f32, f64, JsonNumber, NaiveDate, NaiveTime, NaiveDateTime, DateTime<Utc>,
    PgInterval, TimeDelta, Duration, IpAddr, Inet, Cidr
);
implement!(
    ArrayElement: bool, String, i16, i32, i64, f32, f64, JsonNumber, NaiveDate, NaiveTime, NaiveDateTime,
    DateTime<Utc>, PgInterval, TimeDelta, Duration, IpAddr, Inet, Cidr, Vec<u8>
);

/// Truncates a time to whole microseconds, the precision of PostgreSQL.
pub(crate) fn to_microseconds(time: DateTime<Utc>) -> DateTime<Utc> {
    match time::infinity_name(&time) {
        Some(_) => time,
        None => time.trunc_subsecs(6),
    }
}
