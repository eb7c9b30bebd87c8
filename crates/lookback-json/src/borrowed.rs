//! JSON that borrows from its text.

use std::borrow::Cow;

use super::{Json, JsonError, JsonNumber, parse};

/// A JSON value that borrows from its text: for programs that read some of the fields, and
/// keep or drop the others.
///
/// Its objects are lists, in the order of the text. A number is its text.
///
/// ```
/// use lookback_json::JsonRef;
///
/// let line = JsonRef::from_slice(br#"{"msg":"stored","amount":1.10}"#)?;
/// assert_eq!(line.get("msg").and_then(JsonRef::as_str), Some("stored"));
/// assert_eq!(line.into_json().to_string(), r#"{"amount":1.10,"msg":"stored"}"#);
/// # Ok::<(), lookback_json::JsonError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JsonRef<'a> {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// The text of a number.
    Number(&'a str),
    /// A string, without its escapes.
    String(Cow<'a, str>),
    /// An array.
    Array(Vec<Self>),
    /// The members of an object. No key occurs twice.
    Object(Vec<(Cow<'a, str>, Self)>),
}

impl<'a> JsonRef<'a> {
    /// Parses JSON from UTF-8 text.
    ///
    /// If a key occurs twice, the last value counts.
    ///
    /// # Errors
    ///
    /// The text is not JSON. The error has the line and column.
    pub fn from_slice(bytes: &'a [u8]) -> Result<Self, JsonError> {
        parse::parse(parse::utf8(bytes)?)
    }

    /// Returns the text of a string; `None` for other types.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(text) => Some(text),
            _ => None,
        }
    }

    /// Returns the member of an object with this key; `None` if it is missing.
    pub fn get(&self, key: &str) -> Option<&Self> {
        let Self::Object(members) = self else {
            return None;
        };
        let (_, value) = members.iter().find(|(name, _)| name == key)?;
        Some(value)
    }

    /// Returns the value with its own copies of the texts.
    pub fn into_json(self) -> Json {
        match self {
            Self::Null => Json::Null,
            Self::Bool(value) => Json::Bool(value),
            Self::Number(text) => Json::Number(JsonNumber::from_valid(text)),
            Self::String(text) => Json::String(text.into_owned()),
            Self::Array(items) => Json::Array(items.into_iter().map(Self::into_json).collect()),
            Self::Object(members) => {
                let member =
                    |(key, value): (Cow<'_, str>, Self)| (key.into_owned(), value.into_json());
                Json::Object(members.into_iter().map(member).collect())
            }
        }
    }
}

/// Borrows from a value.
impl<'a> From<&'a Json> for JsonRef<'a> {
    fn from(json: &'a Json) -> Self {
        match json {
            Json::Null => Self::Null,
            Json::Bool(value) => Self::Bool(*value),
            Json::Number(number) => Self::Number(number.as_str()),
            Json::String(text) => Self::String(Cow::Borrowed(text)),
            Json::Array(items) => Self::Array(items.iter().map(Self::from).collect()),
            Json::Object(map) => {
                let member =
                    |(key, value): (&'a String, &'a Json)| (Cow::Borrowed(&**key), value.into());
                Self::Object(map.iter().map(member).collect())
            }
        }
    }
}

/// Keeps the last member of each key.
pub(super) fn keep_last(members: &mut Vec<(Cow<'_, str>, JsonRef<'_>)>) {
    /// With more members, sorting takes less time than comparing each with each.
    const FEW: usize = 16;
    let is_repeated = if members.len() <= FEW {
        // Only keys with the same sum are compared.
        let mut sums = 0_u64;
        let mut before = members.iter().enumerate();
        before.any(|(index, (key, _))| {
            let sum = 1 << (sum_of(key) % u64::BITS);
            let may_be_there = sums & sum != 0;
            sums |= sum;
            may_be_there && members[..index].iter().any(|(other, _)| other == key)
        })
    } else {
        let mut keys: Vec<&str> = members.iter().map(|(key, _)| &**key).collect();
        keys.sort_unstable();
        keys.windows(2).any(|pair| pair[0] == pair[1])
    };
    if is_repeated {
        let mut seen = std::collections::HashSet::new();
        let is_last: Vec<bool> = members
            .iter()
            .rev()
            .map(|(key, _)| seen.insert(&**key))
            .collect();
        let mut is_last = is_last.into_iter().rev();
        members.retain(|_| is_last.next().unwrap_or(false));
    }
}

/// A number that is the same for the same keys, and mostly another for others.
fn sum_of(key: &str) -> u32 {
    let bytes = key.as_bytes();
    let at = |index: usize| bytes.get(index).map_or(0, |byte| u32::from(*byte));
    let length = bytes.len();
    let last = length.saturating_sub(1);
    at(0) + 7 * at(length / 2) + 31 * at(last) + 3 * u32::try_from(length).unwrap_or_default()
}
