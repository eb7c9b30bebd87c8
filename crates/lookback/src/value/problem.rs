//! The problem with one value.

use std::fmt;

use super::Json;

/// A problem with one value, which states what was expected.
///
/// It names no field: the caller knows the field, and adds its name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Problem(String);

impl Problem {
    /// Creates a problem from words that continue "`field`: …".
    pub fn new(words: impl Into<String>) -> Self {
        Self(words.into())
    }

    /// Creates the problem of a `text` that is not one of `allowed`.
    pub fn not_one_of(text: &str, allowed: &[&str]) -> Self {
        Self(format!(
            "{} is not one of {}",
            Quoted(text),
            allowed.join(", ")
        ))
    }

    /// Creates the problem of a `text` that does not parse as `expected`.
    pub fn unreadable(text: &str, expected: &str) -> Self {
        Self(format!("{} is not {expected}", Quoted(text)))
    }

    /// Creates the problem of a `json` that is not of the `expected` type.
    pub fn wrong_json(json: &Json, expected: &str) -> Self {
        let found = match json {
            Json::Null => "null".to_owned(),
            Json::Bool(value) => format!("{value}"),
            Json::Number(number) => format!("the number {number}"),
            Json::String(text) => format!("the string {}", Quoted(text)),
            Json::Array(_) => "an array".to_owned(),
            Json::Object(_) => "an object".to_owned(),
        };
        Self(format!("must be {expected}, not {found}"))
    }
}

/// Text in back-quotes, truncated to 60 characters for an error message.
pub(crate) struct Quoted<'a>(pub(crate) &'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 60;
        f.write_str("`")?;
        for c in self.0.chars().take(SHOWN) {
            write!(f, "{}", c.escape_debug())?;
        }
        if self.0.chars().nth(SHOWN).is_some() {
            f.write_str("…")?;
        }
        f.write_str("`")
    }
}
