//! The macros of Lookback: [`macro@model`] and [`macro@ColumnEnum`].
//!
//! Use them through the `lookback` crate, which re-exports both and holds the
//! traits that the generated code implements. Each macro works in three steps:
//! parse the input into a struct of its own, collecting every mistake; report
//! all mistakes at once, each at the token that caused it; expand.

use proc_macro::TokenStream;

mod column_enum;
mod mistakes;
mod model;

/// Makes a model of a struct: one table, its row type and everything that
/// reads and writes it.
///
/// See the guide page "Models" in the `lookback` crate for the whole story.
///
/// ```text
/// #[model(table = "notes", search(title, body))]
/// pub struct Note {
///     pub id: i64,
///     #[column(not_blank, max_bytes = 200)]
///     pub title: String,
///     pub body: Option<String>,
///     pub created_at: DateTime<Utc>,
///     pub updated_at: DateTime<Utc>,
///     pub deleted_at: Hidden<Option<DateTime<Utc>>>,
///     pub embedding: Hidden<Option<Embedding>>,
/// }
/// ```
///
/// # On the struct
///
/// | attribute | meaning |
/// |---|---|
/// | `table = "name"` | the table (required); one with a dot in its name in quotes, `table = "\"a.b\""` |
/// | `search(field, …)` | the fields that feed `embedding` and the search (required, may be empty) |
/// | `schema = "name"` | the schema, if it is not the default one |
/// | `constraint("name", "CHECK (…)")` | a constraint, in PostgreSQL's grammar |
/// | `index("name", "UNIQUE (…) WHERE …")` | an index: what `CREATE INDEX` has after the table |
/// | `…, problem(field, "…"))` | at the end of one of these: what to say, and of which field, when it refuses a row |
/// | `comment = "…"` | the comment of the table |
/// | `partition_by = "RANGE (id)"` | how its rows are divided |
/// | `partition("name", "DEFAULT")` | a partition, or `"FOR VALUES …"` |
/// | `open_partitions` | there may be other partitions, which are left alone |
/// | `sealed` | searched at scale: summarised for search, in the tables of Lookback |
/// | `schema_only` | only migrations know the table |
///
/// # On a field
///
/// | attribute | meaning | on |
/// |---|---|---|
/// | `#[column(not_blank)]` | at least one character that is not white space | text |
/// | `#[column(max_bytes = N)]` | longest value taken, in bytes; 1 MiB for text and arrays, 8 MiB for JSON and bytes when not given | text, JSON, bytes, arrays |
/// | `#[column(range(MIN, MAX))]` | smallest and largest value, whole numbers, both allowed | numbers |
/// | `#[column(default = EXPR)]` | the value of a new record that gives none, a Rust expression | any |
/// | `#[column(sql_default = "now()")]` | the default of the database | any |
/// | `#[column(type = "varchar(20)")]` | the type in SQL, if it is not that of the Rust type | any |
/// | `#[column(name = "…")]`, `collate`, `comment` | name, collation and comment of the column | any |
/// | `#[column(identity = "always")]`, `serial` | counted by the database | whole numbers |
/// | `#[column(stored = "a + b")]`, `virtual` | worked out by the database | any |
///
/// `Option<T>` is a nullable column. `Hidden<T>` is a column that is read only
/// when asked for, and never shown.
#[proc_macro_attribute]
pub fn model(attribute: TokenStream, item: TokenStream) -> TokenStream {
    model::expand(attribute.into(), item.into()).into()
}

/// Makes a column value of an enum without fields: each variant is stored as
/// its name in `snake_case`.
///
/// Stored as `text`, or as a PostgreSQL enum type with
/// `#[column_enum(type = "user_role")]`.
#[proc_macro_derive(ColumnEnum, attributes(column_enum))]
pub fn column_enum(item: TokenStream) -> TokenStream {
    column_enum::expand(item.into())
        .unwrap_or_else(syn::Error::into_compile_error)
        .into()
}
