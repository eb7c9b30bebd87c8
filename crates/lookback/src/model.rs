//! Models: the static description of a table, and the traits that `#[model]`
//! implements.

use sqlx::postgres::PgRow;

use crate::error::Error;
use crate::value::{JsonMap, Value};

mod check;
#[cfg_attr(
    not(feature = "migrate"),
    expect(dead_code, reason = "only migrations read the definition of a table")
)]
mod definition;
mod json_input;
mod search_fields;
mod table;

pub(crate) use check::{check, json_problem};
pub use definition::{
    ColumnDefinition, PartitionDefinition, SchemaModel, TableDefinition, TypeDefinition,
};
#[cfg(feature = "migrate")]
pub(crate) use definition::{FillDefinition, TypeSource};
pub use json_input::JsonInput;
pub(crate) use search_fields::{
    encoder_texts, search_fields, search_is_not_ascii, search_text, search_texts,
};
pub(crate) use table::Rollup;
pub use table::{ColumnDef, ColumnRole, Constraint, KeyDef, RollupKey, Table};

/// A Rust type for the records of a table.
///
/// Implemented by [`#[model]`](crate::model).
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a model",
    note = "put #[model(table = \"…\", search(…))] on the struct"
)]
pub trait Model: Sized + Send + Unpin + 'static {
    /// The table and its columns.
    const TABLE: &'static Table;

    /// The insert type.
    type New: ColumnValues<Model = Self>;

    /// The patch type.
    type Patch: ColumnValues<Model = Self>;

    /// The primary key.
    fn id(&self) -> i64;

    /// Reads a record. The row may omit hidden columns.
    ///
    /// # Errors
    ///
    /// A missing column, or one of another type than its field.
    fn from_row(row: &PgRow) -> Result<Self, sqlx::Error>;
}

/// Values for the columns of a model: an insert type or a patch type.
pub trait ColumnValues: Sized + Clone + Send + Sync + 'static {
    /// The model.
    type Model: Model;

    /// The value of the column at this index of [`Table::columns`], or `None` if it
    /// is not set.
    fn value(&self, column: usize) -> Option<Value<'_>>;

    /// Reads the values from a JSON object.
    ///
    /// # Errors
    ///
    /// [`Error::is_invalid`] with every invalid, missing and unknown field.
    fn from_json(map: JsonMap) -> Result<Self, Error>;
}

/// Reads an insert type or a patch with serde; used by generated code.
///
/// # Errors
///
/// An error of the deserializer, or the invalid fields in one message.
pub fn deserialize<'de, A, D>(deserializer: D) -> Result<A, D::Error>
where
    A: ColumnValues,
    D: serde::Deserializer<'de>,
{
    let map = <JsonMap as serde::Deserialize>::deserialize(deserializer)?;
    A::from_json(map).map_err(serde::de::Error::custom)
}

/// `name` as an identifier in SQL.
pub(crate) fn quote_identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// `text` as a literal in SQL, for every value of `standard_conforming_strings`.
pub(crate) fn literal(text: &str) -> String {
    let doubled = text.replace('\'', "''");
    if text.contains('\\') {
        format!("E'{}'", doubled.replace('\\', "\\\\"))
    } else {
        format!("'{doubled}'")
    }
}

/// The name in `names` that is nearest to `wanted`, if it is similar enough. Upper and lower
/// case are the same.
pub(crate) fn nearest<'a>(wanted: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let wanted = &*wanted.to_lowercase();
    names
        .map(|name| (edit_distance(wanted, &name.to_lowercase()), name))
        .filter(|(distance, name)| *distance <= 1 + name.len().min(wanted.len()) / 3)
        .min()
        .map(|(_, name)| name)
}

/// Levenshtein distance, in characters. For short names only.
fn edit_distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().take(64).collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.chars().take(64).enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, cb) in b.iter().enumerate() {
            let substitution = diagonal + usize::from(ca != *cb);
            diagonal = row[j + 1];
            row[j + 1] = substitution.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::{edit_distance, nearest};

    #[test]
    fn nearest_finds_misspelled_name() {
        let names = ["source", "level", "message", "meta"];
        assert_eq!(nearest("mesage", names.into_iter()), Some("message"));
        assert_eq!(nearest("lvl", names.into_iter()), Some("level"));
        assert_eq!(nearest("colour", names.into_iter()), None);
        assert_eq!(edit_distance("kitten", "sitting"), 3);
    }
}
