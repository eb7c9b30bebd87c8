//! What a model is: the static description of its table, and the traits that
//! `#[model]` implements.

use sqlx::postgres::PgRow;

use crate::error::Error;
use crate::value::{ColumnType, ColumnValue, JsonMap, Problem, Value};

mod check;
mod definition;
mod json_input;
mod search_fields;

pub(crate) use check::{check, json_problem};
pub use definition::{
    ColumnDefinition, FillDefinition, PartitionDefinition, SchemaModel, TableDefinition,
    TypeDefinition,
};
pub use json_input::JsonInput;
pub(crate) use search_fields::{encoder_texts, search_fields, search_text, search_texts};

/// A Rust type for the records of one table. Implemented by
/// [`#[model]`](crate::model).
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a model",
    note = "put #[model(table = \"…\", search(…))] on the struct"
)]
pub trait Model: Sized + Send + Unpin + 'static {
    /// The table and its columns.
    const TABLE: &'static Table;

    /// A record to insert.
    type New: ColumnValues<Model = Self>;

    /// A change to a record.
    type Patch: ColumnValues<Model = Self>;

    /// The primary key.
    fn id(&self) -> i64;

    /// Reads a record; hidden columns may be missing from the row.
    ///
    /// # Errors
    ///
    /// A missing column, or one whose type is not the field's.
    fn from_row(row: &PgRow) -> Result<Self, sqlx::Error>;
}

/// Values for the columns of a model: an insert type or a patch type.
pub trait ColumnValues: Sized + Clone + Send + Sync + 'static {
    /// The model whose columns these are.
    type Model: Model;

    /// The value for the column at this place in [`Table::columns`], or `None`
    /// if this assigns nothing to it.
    fn value(&self, column: usize) -> Option<Value<'_>>;

    /// Reads the values from a JSON object.
    ///
    /// # Errors
    ///
    /// [`Error::is_invalid`] with every wrong, missing and unknown field.
    fn from_json(map: JsonMap) -> Result<Self, Error>;
}

/// A table as its model describes it.
#[derive(Debug)]
pub struct Table {
    /// The name in the database.
    pub name: &'static str,
    /// The schema it is in, if that is not the default one (the first of the
    /// search path).
    pub schema: Option<&'static str>,
    /// The columns that are read, in the order of the fields.
    pub columns: &'static [ColumnDef],
    /// The columns that feed `embedding` and the search, by their place in `columns`.
    pub search: &'static [usize],
    /// What to say when a constraint refuses a row.
    pub constraints: &'static [Constraint],
    /// The unique keys that an upsert can go by.
    pub keys: &'static [KeyDef],
    /// Whether its records are summarised for search, segment by segment.
    pub sealed: bool,
}

/// A unique key as its model describes it.
#[derive(Debug)]
pub struct KeyDef {
    /// The name of the index or constraint in the database.
    pub name: &'static str,
    /// The field to blame: its first column.
    pub field: &'static str,
    /// What stands after `ON CONFLICT`.
    pub target: &'static str,
}

/// A column as its model describes it.
#[derive(Debug)]
pub struct ColumnDef {
    /// The name in the database, in JSON and in filters.
    pub name: &'static str,
    /// The type in the database.
    pub ty: ColumnType,
    /// Reads a value from text.
    pub parse: fn(&str) -> Result<Value<'static>, Problem>,
    /// Writes a value so that `parse` reads it.
    pub write: fn(&Value<'_>) -> String,
    /// Every value as stored, for a type that has a list of them.
    pub variants: &'static [&'static str],
    /// What the column is for.
    pub role: ColumnRole,
    /// May hold null.
    pub nullable: bool,
    /// Read only when asked for.
    pub hidden: bool,
    /// A new record may leave it out.
    pub has_default: bool,
    /// A new record that leaves it out gets the default of the database.
    pub database_default: bool,
    /// The database alone gives it values: an identity, or a generated column.
    pub generated: bool,
    /// What a value is cast to in SQL, where it is sent as another type.
    pub cast: Option<&'static str>,
    /// Must hold a character that is not white space.
    pub not_blank: bool,
    /// The longest value, in bytes.
    pub max_bytes: usize,
    /// The smallest and largest value.
    pub range: Option<(i64, i64)>,
    /// How many of what the values stand for is one as stored: see
    /// [`ColumnValue::SCALE`].
    pub scale: f64,
    /// Reads a value of the column, under this name in the row, as JSON.
    pub read_json: fn(&PgRow, &str) -> Result<crate::Json, sqlx::Error>,
}

/// What a column is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ColumnRole {
    /// The primary key, made by the database.
    Id,
    /// What the caller recorded.
    Plain,
    /// When the record was made: the caller's, else the time of the insert.
    CreatedAt,
    /// When the record was last changed.
    UpdatedAt,
    /// When the record was deleted, null while it is live.
    DeletedAt,
    /// The vector of the search fields.
    Embedding,
}

/// A constraint or unique index of the database, in the words of a field.
#[derive(Debug)]
pub struct Constraint {
    /// The name in the database.
    pub name: &'static str,
    /// The field to blame.
    pub field: &'static str,
    /// What is wrong with it.
    pub problem: &'static str,
}

impl Table {
    /// The column of this name.
    pub fn column(&self, name: &str) -> Option<&ColumnDef> {
        self.columns.iter().find(|column| column.name == name)
    }

    /// The name as an identifier in SQL, with its schema.
    pub(crate) fn quoted(&self) -> String {
        let name = quote_identifier(self.name);
        match self.schema {
            Some(schema) => format!("{}.{name}", quote_identifier(schema)),
            None => name,
        }
    }

    /// The name by which columns of the table go in SQL, without its schema.
    pub(crate) fn alias(&self) -> String {
        quote_identifier(self.name)
    }

    /// The columns that a default read returns.
    pub fn visible(&self) -> impl Iterator<Item = &ColumnDef> {
        self.columns.iter().filter(|column| !column.hidden)
    }

    /// The column of this role. Every model has one of each: the macro checks it.
    pub(crate) fn column_of(&'static self, role: ColumnRole) -> &'static ColumnDef {
        self.columns
            .iter()
            .find(|column| column.role == role)
            .unwrap_or_else(|| unreachable!("#[model] checked that {} has {role:?}", self.name))
    }

    /// The times of the records that a frozen partition is known by: columns that
    /// always have a time, and that a caller gives. Filters on them leave a
    /// partition out where it cannot match.
    pub(crate) fn times(&self) -> impl Iterator<Item = &ColumnDef> {
        self.columns.iter().filter(|column| {
            column.ty == ColumnType::Timestamptz
                && !column.nullable
                && matches!(column.role, ColumnRole::CreatedAt | ColumnRole::Plain)
        })
    }

    /// The field that an error names when a record is outside of the times of its
    /// partition: one that a patch can change, if there is any.
    pub(crate) fn time_field(&'static self) -> &'static str {
        let plain = self.times().find(|column| column.role == ColumnRole::Plain);
        plain.unwrap_or(self.column_of(ColumnRole::CreatedAt)).name
    }

    /// The place of the column of this role in [`columns`](Self::columns).
    pub(crate) fn index_of(&'static self, role: ColumnRole) -> usize {
        self.columns
            .iter()
            .position(|column| column.role == role)
            .unwrap_or_else(|| unreachable!("#[model] checked that {} has {role:?}", self.name))
    }
}

impl ColumnDef {
    /// The name as an identifier in SQL.
    pub(crate) fn quoted(&self) -> String {
        quote_identifier(self.name)
    }

    /// Whether the column is text that stands for a list of values, which are
    /// in the order of that list and not in that of the alphabet.
    pub(crate) fn is_listed_text(&self) -> bool {
        self.ty == ColumnType::Text && !self.variants.is_empty()
    }

    /// The list that text stands for, as an array in SQL.
    pub(crate) fn listed(&self) -> Option<String> {
        if !self.is_listed_text() {
            return None;
        }
        let escaped = self.variants.iter().map(|name| name.replace('\'', "''"));
        let listed: Vec<String> = escaped.map(|name| format!("'{name}'")).collect();
        Some(format!("ARRAY[{}]", listed.join(", ")))
    }

    /// A value of the list that text stands for, as a literal in SQL: in the
    /// words of the model, not in those of the caller. `None` if it is none.
    pub(crate) fn listed_literal(&self, text: &str) -> Option<String> {
        if !self.is_listed_text() {
            return None;
        }
        let name = self.variants.iter().find(|name| **name == text)?;
        let cast = self.cast.map(|ty| format!("::{ty}")).unwrap_or_default();
        Some(format!("'{}'{cast}", name.replace('\'', "''")))
    }

    /// What the column is ordered by, in SQL.
    pub(crate) fn order_key(&self) -> String {
        match self.listed() {
            Some(listed) => format!("array_position({listed}, {})", self.quoted()),
            None => self.quoted(),
        }
    }
}

/// Reads the text of a value of `T`; used by generated code.
///
/// # Errors
///
/// Text that does not read as a `T`.
pub fn parse<T: ColumnValue>(text: &str) -> Result<Value<'static>, Problem> {
    T::from_text(text).map(|value| value.to_value().into_owned())
}

/// Writes the text of a value of `T`; used by generated code.
pub fn write<T: ColumnValue>(value: &Value<'_>) -> String {
    T::text_of(value)
}

/// Reads an insert type or a patch with serde; used by generated code.
///
/// # Errors
///
/// Whatever the deserializer finds, or the wrong fields in one message.
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

/// The name in `names` closest to `wanted`, if one is close enough to be meant.
pub(crate) fn nearest<'a>(wanted: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    names
        .map(|name| (edit_distance(wanted, name), name))
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
    fn the_nearest_name_is_the_one_meant() {
        let names = ["source", "level", "message", "meta"];
        assert_eq!(nearest("mesage", names.into_iter()), Some("message"));
        assert_eq!(nearest("lvl", names.into_iter()), Some("level"));
        assert_eq!(nearest("colour", names.into_iter()), None);
        assert_eq!(edit_distance("kitten", "sitting"), 3);
    }
}
