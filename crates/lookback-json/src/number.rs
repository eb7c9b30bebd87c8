//! JSON numbers, stored as their text.

use std::fmt;
use std::str::FromStr;

use smol_str::{SmolStr, ToSmolStr as _};

use super::JsonError;

/// A JSON number, stored as its text: `1.10` and `1e400` keep their digits.
///
/// A text of up to 23 bytes needs no allocation.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct JsonNumber(SmolStr);

impl JsonNumber {
    /// Creates a number from text that is known to be one.
    pub(super) fn from_valid(text: &str) -> Self {
        Self(text.into())
    }

    /// Creates a number from a float; `None` for NaN and infinity.
    pub fn from_f64(value: f64) -> Option<Self> {
        serde_json::Number::from_f64(value).map(Self::from)
    }

    /// Returns the text of the number.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the number, if its text is an integer in the range of an `i64`.
    pub fn as_i64(&self) -> Option<i64> {
        self.0.parse().ok()
    }

    /// Returns the number, if its text is an integer in the range of a `u64`.
    pub fn as_u64(&self) -> Option<u64> {
        self.0.parse().ok()
    }

    /// Returns the nearest `f64`, if it is finite.
    pub fn as_f64(&self) -> Option<f64> {
        self.0
            .parse()
            .ok()
            .filter(|number: &f64| number.is_finite())
    }
}

macro_rules! from_integer {
    ($($integer:ty),+) => {
        $(impl From<$integer> for JsonNumber {
            fn from(value: $integer) -> Self {
                Self(value.to_smolstr())
            }
        })+
    };
}

from_integer!(i8, i16, i32, i64, u8, u16, u32, u64);

impl From<serde_json::Number> for JsonNumber {
    fn from(number: serde_json::Number) -> Self {
        Self(number.to_smolstr())
    }
}

/// Parses a number in the syntax of JSON.
impl FromStr for JsonNumber {
    type Err = JsonError;

    fn from_str(text: &str) -> Result<Self, JsonError> {
        if text.starts_with(|c: char| c == '-' || c.is_ascii_digit())
            && text.ends_with(|c: char| c.is_ascii_digit())
        {
            serde_json::from_str::<&serde_json::value::RawValue>(text)?;
            return Ok(Self::from_valid(text));
        }
        Err(JsonError::expected("a number"))
    }
}

impl fmt::Display for JsonNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for JsonNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
