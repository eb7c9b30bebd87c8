//! The types of columns that are not plain: hidden ones, patches, bytes.

use std::borrow::Cow;
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use sqlx::Postgres;

use crate::value::{ColumnType, ColumnValue, Json, Problem, Value};

/// A column that is read only when a query asks for it by
/// [`with_hidden`](crate::QueryBuilder::with_hidden), and that is never shown:
/// not by `Debug`, not in JSON.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Hidden<T>(Option<T>);

impl<T> Hidden<T> {
    /// The value, or `None` if the query did not ask for it.
    pub fn get(&self) -> Option<&T> {
        self.0.as_ref()
    }

    /// The value, or `None` if the query did not ask for it.
    pub fn into_inner(self) -> Option<T> {
        self.0
    }

    pub(crate) fn absent() -> Self {
        Self(None)
    }

    pub(crate) fn present(value: T) -> Self {
        Self(Some(value))
    }
}

impl<T> fmt::Debug for Hidden<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<hidden>")
    }
}

/// The field of a column that Lookback neither reads nor writes, such as a
/// stored `tsvector`: it is part of the table and of its migrations, and never
/// selected or set.
///
/// It needs a type, and a value that comes from elsewhere: `Option<Opaque>` for
/// a column that may be null, or one that the database fills. It says nothing
/// of what the column holds: read from the database, it is `Opaque`, or `None`.
///
/// ```
/// # use chrono::{DateTime, Utc};
/// # use lookback::{Embedding, Hidden, Opaque, model};
/// #[model(table = "pages", search(title), index("pages_words_idx", "USING gin (words)"))]
/// pub struct Page {
///     pub id: i64,
///     pub title: String,
///     #[column(type = "tsvector", stored = "to_tsvector('english', title)")]
///     pub words: Opaque,
///     pub created_at: DateTime<Utc>,
///     pub updated_at: DateTime<Utc>,
///     pub deleted_at: Hidden<Option<DateTime<Utc>>>,
///     pub embedding: Hidden<Option<Embedding>>,
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub struct Opaque;

/// What a patch does with one field.
///
/// Absent is not null: a field that a patch keeps is untouched, and a nullable
/// field can be set to `None`.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub enum Patch<T> {
    /// Leaves the field as it is.
    #[default]
    Keep,
    /// Gives the field this value.
    Set(T),
}

impl<T> Patch<T> {
    /// The new value, if there is one.
    pub fn as_set(&self) -> Option<&T> {
        match self {
            Self::Keep => None,
            Self::Set(value) => Some(value),
        }
    }
}

/// Bytes, as stored in a `bytea` column; base64 in JSON and text.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Bytes(pub Vec<u8>);

impl From<Vec<u8>> for Bytes {
    fn from(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }
}

impl fmt::Debug for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Bytes({} bytes)", self.0.len())
    }
}

impl serde::Serialize for Bytes {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&BASE64.encode(&self.0))
    }
}

impl ColumnValue for Bytes {
    const TYPE: ColumnType = ColumnType::Bytea;

    fn to_value(&self) -> Value<'_> {
        Value::Bytea(Cow::Borrowed(&self.0))
    }

    fn from_text(text: &str) -> Result<Self, Problem> {
        BASE64
            .decode(text)
            .map(Self)
            .map_err(|_| Problem::unreadable(text, "bytes in base64"))
    }

    fn from_json(json: Json) -> Result<Self, Problem> {
        match json {
            Json::String(text) => Self::from_text(&text),
            other => Err(Problem::wrong_json(&other, "a string of base64")),
        }
    }
}

impl sqlx::Type<Postgres> for Bytes {
    fn type_info() -> sqlx::postgres::PgTypeInfo {
        <[u8] as sqlx::Type<Postgres>>::type_info()
    }
}

impl<'r> sqlx::Decode<'r, Postgres> for Bytes {
    fn decode(value: sqlx::postgres::PgValueRef<'r>) -> Result<Self, sqlx::error::BoxDynError> {
        <Vec<u8> as sqlx::Decode<'r, Postgres>>::decode(value).map(Self)
    }
}
