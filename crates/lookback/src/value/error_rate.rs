//! The share of requests that failed.

use std::borrow::Cow;
use std::fmt;

use crate::value::{ColumnType, ColumnValue, Json, Ordered, Problem, Value, json_of_float};

/// The share of requests that ended in an error.
///
/// It is a fraction from 0 to 1 in Rust, JSON, text and filters. The database
/// stores it as an integer, in errors per million requests.
///
/// An error is a status of 500 or more, or no response.
///
/// ```
/// use lookback::value::ErrorRate;
///
/// let rate = ErrorRate::of(3, 1_000);
/// assert_eq!(rate.fraction(), 0.003);
/// assert_eq!(rate.per_million(), 3_000);
/// assert!(ErrorRate::new(1.5).is_err());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct ErrorRate(i32);

impl ErrorRate {
    const MILLION: i32 = 1_000_000;

    /// Creates a rate from a fraction, rounded to the nearest millionth.
    ///
    /// # Errors
    ///
    /// The fraction is below 0, above 1, or NaN.
    pub fn new(fraction: f64) -> Result<Self, Problem> {
        if (0.0..=1.0).contains(&fraction) {
            #[allow(clippy::cast_possible_truncation, reason = "at most a million")]
            let per_million = (fraction * f64::from(Self::MILLION)).round() as i32;
            Ok(Self(per_million))
        } else {
            Err(Problem::unreadable(
                &fraction.to_string(),
                "a fraction from 0 to 1",
            ))
        }
    }

    /// Computes the rate of `errors` in `requests`, rounded down to a
    /// millionth.
    ///
    /// If there is any error, the rate is at least a millionth. It is 0 without
    /// requests, and 1 if there are more errors than requests.
    pub fn of(errors: u64, requests: u64) -> Self {
        if requests == 0 {
            return Self(0);
        }
        let million = u128::from(Self::MILLION.unsigned_abs());
        let per_million = u128::from(errors.min(requests)) * million / u128::from(requests);
        let floor = u128::from(errors > 0);
        Self(i32::try_from(per_million.max(floor)).unwrap_or(Self::MILLION))
    }

    /// Returns the number of errors in this many requests.
    ///
    /// Up to a million requests it is the number that [`of`](Self::of) was given.
    pub fn errors_of(self, requests: u64) -> u64 {
        let million = u128::from(Self::MILLION.unsigned_abs());
        let errors = u128::from(self.0.unsigned_abs()) * u128::from(requests);
        u64::try_from(errors.div_ceil(million)).unwrap_or(requests)
    }

    /// Returns the fraction, from 0 to 1.
    pub fn fraction(self) -> f64 {
        f64::from(self.0) / f64::from(Self::MILLION)
    }

    /// Returns the errors per million requests, as stored.
    pub fn per_million(self) -> i32 {
        self.0
    }
}

impl fmt::Display for ErrorRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.fraction().fmt(f)
    }
}

impl serde::Serialize for ErrorRate {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(self.fraction())
    }
}

impl ColumnValue for ErrorRate {
    const TYPE: ColumnType = ColumnType::Int4;
    const SCALE: f64 = 1e-6;

    fn to_value(&self) -> Value<'_> {
        Value::Int4(self.0)
    }

    fn from_value(value: Value<'_>) -> Result<Self, Problem> {
        i32::from_value(value).map(Self)
    }

    fn from_text(text: &str) -> Result<Self, Problem> {
        text.parse()
            .map_err(|_| Problem::unreadable(text, "a fraction from 0 to 1"))
            .and_then(Self::new)
    }

    fn from_json(json: Json) -> Result<Self, Problem> {
        json.as_f64()
            .ok_or_else(|| Problem::wrong_json(&json, "a fraction from 0 to 1"))
            .and_then(Self::new)
    }

    fn to_json(&self) -> Cow<'_, Json> {
        Cow::Owned(json_of_float(self.fraction()))
    }

    fn text_of(value: &Value<'_>) -> String {
        match value {
            Value::Int4(per_million) => Self(*per_million).to_string(),
            _ => String::new(),
        }
    }
}

impl Ordered for ErrorRate {}
