//! JSON whose numbers keep every digit, and masking of the secrets in it.
//!
//! [`Json`] is the value of every `jsonb` column of Lookback. [`secrets`] masks what must not be
//! stored, by the same rules for captured requests and for imported files.
//!
//! The crate opens no connection: the feature `sqlx` only adds the traits of the driver.

use std::fmt;
use std::ops::Index;
use std::str::FromStr;

mod borrowed;
pub mod form;
pub mod map;
mod number;
mod parse;
pub mod secrets;
mod serde;
pub mod snapshot;
#[cfg(feature = "sqlx")]
mod sqlx;

pub use borrowed::JsonRef;
pub use map::JsonMap;
pub use number::JsonNumber;
pub use parse::JsonError;

/// What [`json!`] needs.
#[doc(hidden)]
pub mod __private {
    pub use serde_json;
}

/// A JSON value, as stored in a `jsonb` column.
///
/// Numbers keep every digit, as in PostgreSQL: `1.10` stays `1.10`, and
/// `12345678901234567890.5` is not rounded. `serde_json::Value` does that only with a
/// feature that changes how other code of an application reads numbers. This type needs
/// no feature. A `serde_json::Value` converts into it:
///
/// ```
/// use lookback_json::{Json, json};
///
/// let meta = json!({ "user": { "id": 42 }, "tags": ["slow", "retry"] });
/// assert_eq!(meta["user"]["id"], Json::from(42));
///
/// let exact: Json = r#"{"amount": 1.10}"#.parse()?;
/// assert_eq!(exact.to_string(), r#"{"amount":1.10}"#);
/// # Ok::<(), lookback_json::JsonError>(())
/// ```
///
/// Two numbers are equal if their text is the same: `1` does not equal `1.0`. PostgreSQL
/// evaluates filters, and there `1` equals `1.0`.
#[derive(Clone, Default, PartialEq, Eq)]
pub enum Json {
    /// `null`
    #[default]
    Null,
    /// `true` or `false`
    Bool(bool),
    /// A number.
    Number(JsonNumber),
    /// A string.
    String(String),
    /// An array.
    Array(Vec<Self>),
    /// An object.
    Object(JsonMap),
}

/// Creates a [`Json`] from a literal, with the syntax of `serde_json::json!`.
///
/// Rust values in the literal are converted through `serde_json::Value`. This rounds a
/// [`JsonNumber`] to the nearest `f64`.
#[macro_export]
macro_rules! json {
    ($($json:tt)+) => {
        $crate::Json::from($crate::__private::serde_json::json!($($json)+))
    };
}

impl Json {
    /// Whether it is `null`.
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// Whether it is a number.
    pub fn is_number(&self) -> bool {
        matches!(self, Self::Number(_))
    }

    /// Whether it is a string.
    pub fn is_string(&self) -> bool {
        matches!(self, Self::String(_))
    }

    /// Whether it is an array.
    pub fn is_array(&self) -> bool {
        matches!(self, Self::Array(_))
    }

    /// Whether it is an object.
    pub fn is_object(&self) -> bool {
        matches!(self, Self::Object(_))
    }

    /// Returns the value of a boolean; `None` for other types.
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Self::Bool(value) => Some(*value),
            _ => None,
        }
    }

    /// Returns an integer in the range of an `i64`; `None` for other values.
    pub fn as_i64(&self) -> Option<i64> {
        match self {
            Self::Number(number) => number.as_i64(),
            _ => None,
        }
    }

    /// Returns an integer in the range of a `u64`; `None` for other values.
    pub fn as_u64(&self) -> Option<u64> {
        match self {
            Self::Number(number) => number.as_u64(),
            _ => None,
        }
    }

    /// Returns the nearest `f64` of a number; `None` if it is infinite or not a number.
    pub fn as_f64(&self) -> Option<f64> {
        match self {
            Self::Number(number) => number.as_f64(),
            _ => None,
        }
    }

    /// Returns the text of a string; `None` for other types.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(text) => Some(text),
            _ => None,
        }
    }

    /// Returns the elements of an array; `None` for other types.
    pub fn as_array(&self) -> Option<&Vec<Self>> {
        match self {
            Self::Array(items) => Some(items),
            _ => None,
        }
    }

    /// Returns the members of an object; `None` for other types.
    pub fn as_object(&self) -> Option<&JsonMap> {
        match self {
            Self::Object(map) => Some(map),
            _ => None,
        }
    }

    /// Returns the member of an object with this key; `None` if it is missing.
    pub fn get(&self, key: &str) -> Option<&Self> {
        self.as_object()?.get(key)
    }
}

/// Returns the member of an object; `null` if it is missing.
impl Index<&str> for Json {
    type Output = Self;

    fn index(&self, key: &str) -> &Self {
        self.get(key).unwrap_or(&Self::Null)
    }
}

/// Returns the element of an array; `null` if it is missing.
impl Index<usize> for Json {
    type Output = Self;

    fn index(&self, index: usize) -> &Self {
        self.as_array()
            .and_then(|items| items.get(index))
            .unwrap_or(&Self::Null)
    }
}

/// Writes the value as compact JSON.
impl fmt::Display for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = Vec::new();
        self.write_to(&mut text);
        f.write_str(&String::from_utf8_lossy(&text))
    }
}

impl fmt::Debug for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Parses JSON from text.
impl FromStr for Json {
    type Err = JsonError;

    fn from_str(text: &str) -> Result<Self, JsonError> {
        parse::parse(text)
    }
}

impl Json {
    /// Parses JSON from UTF-8 text.
    ///
    /// # Errors
    ///
    /// The text is not JSON. The error has the line and column.
    pub fn from_slice(bytes: &[u8]) -> Result<Self, JsonError> {
        parse::parse_bytes(bytes)
    }

    /// Parses the text of a stored document, of any depth: levels below those that are read
    /// are a string.
    ///
    /// # Errors
    ///
    /// The text is not JSON.
    pub fn from_stored(bytes: &[u8]) -> Result<Self, JsonError> {
        parse::parse_stored(bytes)
    }

    /// Serializes a value as JSON.
    ///
    /// # Errors
    ///
    /// JSON has no form for the value, such as a map whose keys are not text.
    pub fn from_serialize(value: &impl ::serde::Serialize) -> Result<Self, JsonError> {
        parse::parse(&serde_json::to_string(value)?)
    }

    /// Appends the value as compact JSON.
    fn write_to(&self, out: &mut Vec<u8>) {
        self.write(out, false);
    }

    /// Appends the value as compact JSON, with the keys in the order of `jsonb`: by length, then by
    /// bytes. PostgreSQL sorts them, which takes least time if they are in order.
    pub fn write_for_jsonb(&self, out: &mut Vec<u8>) {
        self.write(out, true);
    }

    fn write(&self, out: &mut Vec<u8>, is_jsonb: bool) {
        match self {
            Self::Null => out.extend_from_slice(b"null"),
            Self::Bool(true) => out.extend_from_slice(b"true"),
            Self::Bool(false) => out.extend_from_slice(b"false"),
            Self::Number(number) => out.extend_from_slice(number.as_str().as_bytes()),
            Self::String(text) => write_string(text, out),
            Self::Array(items) => {
                out.push(b'[');
                for (index, item) in items.iter().enumerate() {
                    if index > 0 {
                        out.push(b',');
                    }
                    item.write(out, is_jsonb);
                }
                out.push(b']');
            }
            Self::Object(map) if is_jsonb && map.len() > 1 => {
                let mut members: Vec<(&String, &Self)> = map.iter().collect();
                // Keys of one length stay in the order of their bytes.
                members.sort_by_key(|(key, _)| key.len());
                write_members(members.into_iter(), out, is_jsonb);
            }
            Self::Object(map) => write_members(map.iter(), out, is_jsonb),
        }
    }
}

fn write_members<'a>(
    members: impl Iterator<Item = (&'a String, &'a Json)>,
    out: &mut Vec<u8>,
    is_jsonb: bool,
) {
    out.push(b'{');
    for (index, (key, item)) in members.enumerate() {
        if index > 0 {
            out.push(b',');
        }
        write_string(key, out);
        out.push(b':');
        item.write(out, is_jsonb);
    }
    out.push(b'}');
}

fn write_string(text: &str, out: &mut Vec<u8>) {
    serde_json::to_writer(out, text).unwrap_or_else(|_| unreachable!("text goes into a vector"));
}

macro_rules! from {
    ($($from:ty => |$value:ident| $json:expr,)+) => {
        $(impl From<$from> for Json {
            fn from($value: $from) -> Self {
                $json
            }
        })+
    };
}

from! {
    bool => |value| Self::Bool(value),
    i8 => |value| Self::Number(value.into()),
    i16 => |value| Self::Number(value.into()),
    i32 => |value| Self::Number(value.into()),
    i64 => |value| Self::Number(value.into()),
    u8 => |value| Self::Number(value.into()),
    u16 => |value| Self::Number(value.into()),
    u32 => |value| Self::Number(value.into()),
    u64 => |value| Self::Number(value.into()),
    JsonNumber => |value| Self::Number(value),
    &str => |value| Self::String(value.to_owned()),
    &String => |value| Self::String(value.clone()),
    String => |value| Self::String(value),
    JsonMap => |value| Self::Object(value),
}

/// Converts a number; NaN and infinity become `null`, because JSON cannot express them.
impl From<f64> for Json {
    fn from(value: f64) -> Self {
        JsonNumber::from_f64(value).map_or(Self::Null, Self::Number)
    }
}

impl<T: Into<Self>> From<Vec<T>> for Json {
    fn from(items: Vec<T>) -> Self {
        Self::Array(items.into_iter().map(Into::into).collect())
    }
}

impl<T: Into<Self>> FromIterator<T> for Json {
    fn from_iter<I: IntoIterator<Item = T>>(items: I) -> Self {
        Self::Array(items.into_iter().map(Into::into).collect())
    }
}

impl<K: Into<String>, V: Into<Self>> FromIterator<(K, V)> for Json {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(members: I) -> Self {
        let members = members.into_iter();
        Self::Object(
            members
                .map(|(key, value)| (key.into(), value.into()))
                .collect(),
        )
    }
}

impl From<serde_json::Value> for Json {
    fn from(value: serde_json::Value) -> Self {
        use serde_json::Value;
        match value {
            Value::Null => Self::Null,
            Value::Bool(value) => Self::Bool(value),
            Value::Number(number) => Self::Number(number.into()),
            Value::String(text) => Self::String(text),
            Value::Array(items) => Self::Array(items.into_iter().map(Self::from).collect()),
            Value::Object(map) => Self::Object(
                map.into_iter()
                    .map(|(key, value)| (key, Self::from(value)))
                    .collect(),
            ),
        }
    }
}

/// Converts to the nearest value.
///
/// Numbers that are neither an `i64` nor a `u64` are rounded to an `f64`. Numbers beyond
/// its range become `null`.
impl From<Json> for serde_json::Value {
    fn from(json: Json) -> Self {
        match json {
            Json::Null => Self::Null,
            Json::Bool(value) => Self::Bool(value),
            Json::Number(number) => match (number.as_i64(), number.as_u64()) {
                // A float alone has this.
                (Some(0), _) if number.as_str().starts_with('-') => Self::from(-0.0),
                (Some(number), _) => Self::from(number),
                (None, Some(number)) => Self::from(number),
                (None, None) => number.as_f64().map_or(Self::Null, Self::from),
            },
            Json::String(text) => Self::String(text),
            Json::Array(items) => Self::Array(items.into_iter().map(Self::from).collect()),
            Json::Object(map) => Self::Object(
                map.into_iter()
                    .map(|(key, value)| (key, Self::from(value)))
                    .collect(),
            ),
        }
    }
}

impl PartialEq<str> for Json {
    fn eq(&self, other: &str) -> bool {
        self.as_str() == Some(other)
    }
}

impl PartialEq<&str> for Json {
    fn eq(&self, other: &&str) -> bool {
        self.as_str() == Some(other)
    }
}

macro_rules! equals {
    ($($other:ty => $read:ident,)+) => {
        $(impl PartialEq<$other> for Json {
            fn eq(&self, other: &$other) -> bool {
                self.$read() == Some((*other).into())
            }
        })+
    };
}

equals! {
    bool => as_bool,
    i32 => as_i64,
    i64 => as_i64,
    u32 => as_u64,
    u64 => as_u64,
    f64 => as_f64,
}

#[cfg(test)]
mod tests;
