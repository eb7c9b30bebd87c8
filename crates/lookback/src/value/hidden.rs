//! Special types of columns: hidden and opaque columns, patches and bytes.

use std::borrow::Cow;
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::column_value::{column_value, implement};
use crate::value::{ArrayElement, ColumnType, ColumnValue, Problem, Value};

/// A column value that a query reads only on request, and that is never shown.
///
/// [`with_hidden`](crate::QueryBuilder::with_hidden) reads it. `Debug` and JSON
/// do not contain it.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Hidden<T>(Option<T>);

impl<T> Hidden<T> {
    /// Returns the value; `None` if the query did not read it.
    pub fn get(&self) -> Option<&T> {
        self.0.as_ref()
    }

    /// Returns the value; `None` if the query did not read it.
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

/// The field type of a column that Lookback neither reads nor writes.
///
/// An example is a stored `tsvector`. The column is part of the table and of
/// its migrations, but queries neither select nor set it.
///
/// The column needs a `type`, and a source of its values: either the database
/// fills it, or it is nullable, with a field of type `Option<Opaque>`. A record
/// that was read never has the value: an `Opaque` field holds nothing, and an
/// `Option<Opaque>` is `None`.
///
/// ```
/// # use chrono::{DateTime, Utc};
/// # use lookback::embedding::Embedding;
/// # use lookback::model;
/// # use lookback::value::{Hidden, Opaque};
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

/// The change of one field by a patch.
///
/// Keeping a field differs from setting it to NULL. A nullable field has a
/// `Patch<Option<T>>`, and `Set(None)` sets it to NULL.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub enum Patch<T> {
    /// Leaves the field as it is.
    #[default]
    Keep,
    /// Sets the field to this value.
    Set(T),
}

impl<T> Patch<T> {
    /// Returns the new value; `None` if the patch keeps the field.
    pub fn as_set(&self) -> Option<&T> {
        match self {
            Self::Keep => None,
            Self::Set(value) => Some(value),
        }
    }
}

/// The bytes of a `bytea` column. In JSON and text they are base64.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Bytes(pub Vec<u8>);

impl From<Vec<u8>> for Bytes {
    fn from(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }
}

impl From<&[u8]> for Bytes {
    fn from(bytes: &[u8]) -> Self {
        Self(bytes.to_vec())
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

column_value!(
    Bytes,
    Bytea,
    |value| Cow::Borrowed(value.0.as_slice()),
    |stored| Ok(Self(stored.into_owned()))
);
implement!(ArrayElement: Bytes);
