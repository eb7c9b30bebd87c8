//! Generates models from an existing database.

use std::collections::BTreeSet;

use lookback_schema::{Name, Partition, Schema};
use sqlx::PgConnection;

use crate::error::{Error, SchemaError};
use crate::introspect::{self, Scope};
use crate::scratch_transaction::ScratchTransaction;
use enums::Types;
use names::TypeNames;
use table::Model;
use text::chain;

mod column;
mod enums;
mod names;
mod table;
mod text;
mod unsupported_objects;

/// Conventions of the generated models.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct PullOptions {
    /// The number of dimensions of the common column `embedding`.
    pub dimensions: usize,
    /// Whether the application pre-creates a partition, by table and partition name.
    pub is_precreated: fn(&str, &str) -> bool,
    /// Whether the application creates a function or a trigger of this name itself, so that it
    /// is not missing in the models.
    pub creates: fn(&str) -> bool,
}

impl Default for PullOptions {
    fn default() -> Self {
        Self {
            dimensions: 16,
            is_precreated: |_, _| false,
            creates: |_| false,
        }
    }
}

/// A schema as a Rust module.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RustCode {
    /// The text of the module, formatted as by `rustfmt`.
    pub text: String,
    /// Sentences on the objects that are not in it.
    pub notes: Vec<String>,
}

/// Reads a database and generates models for it, as [`rust_code`] does.
///
/// The notes name all objects of these schemas that models cannot describe, such as views and
/// functions, and other schemas with tables. Nothing is changed.
///
/// # Errors
///
/// Those of [`read`](crate::read); [`Error::is_schema`] if a schema of `scope` does not exist.
pub async fn pull(
    conn: &mut PgConnection,
    scope: &Scope,
    options: &PullOptions,
) -> Result<RustCode, Error> {
    const BEGIN: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
    let mut transaction = ScratchTransaction::begin(conn, BEGIN).await?;
    let result = pull_here(transaction.conn(), scope, options).await;
    transaction.end(result).await
}

async fn pull_here(
    conn: &mut PgConnection,
    scope: &Scope,
    options: &PullOptions,
) -> Result<RustCode, Error> {
    let default = match &scope.default_schema {
        Some(schema) => schema.clone(),
        None => introspect::current_schema(conn).await?,
    };
    let mut live = introspect::read(conn, scope).await?;
    remove_precreated_partitions(&mut live.schema, options);
    let there = &live.schema.schemas;
    if let Some(missing) = scope.schemas.difference(there).find(|s| **s != default) {
        let name = Name::new(missing).to_string();
        return Err(SchemaError::NoSchema { name }.into());
    }
    let mut notes = live.notes;
    for index in &live.invalid_indexes {
        notes.push(format!("the index {index} is INVALID and is left out"));
    }
    let mut code = write_module(&live.schema, notes, options);
    code.notes
        .extend(unsupported_objects::read(conn, &default, scope, options.creates).await?);
    Ok(code)
}

/// Removes the partitions that the application pre-creates, and sets
/// `open_partitions`.
fn remove_precreated_partitions(schema: &mut Schema, options: &PullOptions) {
    for (name, table) in &mut schema.tables {
        if !table.partitions.values().any(Partition::is_default) {
            continue;
        }
        let before = table.partitions.len();
        table
            .partitions
            .retain(|partition, _| !(options.is_precreated)(&name.name, &partition.name));
        table.open_partitions |= table.partitions.len() < before;
    }
}

/// Generates a Rust module from a schema: a `#[model]` for each table, an enum for each enum type,
/// and `fn models() -> Models` with all of them.
///
/// A table with the five common columns of every model becomes a model with records; any other
/// table becomes a `schema_only` model. A note and a comment in the module list what a model cannot
/// express.
///
/// ```
/// use lookback_migrate::{PullOptions, rust_code};
/// use lookback_schema::{Name, Schema, Table};
///
/// let mut schema = Schema::default();
/// schema.tables.insert(Name::new("countries"), Table::default());
/// let code = rust_code(&schema, &PullOptions::default());
/// assert!(code.text.contains("pub struct Country {"));
/// assert!(code.notes.is_empty());
/// ```
pub fn rust_code(schema: &Schema, options: &PullOptions) -> RustCode {
    write_module(schema, Vec::new(), options)
}

/// Generates the module, with `notes` on objects that were left out before.
fn write_module(schema: &Schema, mut notes: Vec<String>, options: &PullOptions) -> RustCode {
    let dimensions = options.dimensions;
    let mut names = TypeNames::default();
    let mut tables = Vec::new();
    // The kind of a model does not depend on the names of its enums.
    let known = enums::named(schema, &mut TypeNames::default(), &mut Vec::new());
    let known = Types::new(known, dimensions);
    for (name, table) in &schema.tables {
        let kind = table::kind(table, &known);
        let rust = names.table(name, kind.is_full());
        tables.push((name, table, kind, rust));
    }
    let types = Types::new(enums::named(schema, &mut names, &mut notes), dimensions);
    let models: Vec<Model<'_>> = tables
        .into_iter()
        .map(|(name, table, kind, rust)| Model::new(name, table, kind, rust, &types))
        .collect();
    notes.extend(models.iter().filter_map(Model::note));

    let mut parts = vec![
        module_header(&models, &notes),
        use_lines(&models, &types.enums),
    ];
    let list = models_function(schema, &models, &types.enums);
    parts.extend(models.iter().map(ToString::to_string));
    parts.extend(types.enums.values().map(ToString::to_string));
    parts.push(list);
    RustCode {
        text: parts.join("\n"),
        notes,
    }
}

/// The comment at the top of the module, with the notes.
fn module_header(models: &[Model<'_>], notes: &[String]) -> String {
    let mut text = "//! The tables of a database.\n\
         //!\n\
         //! From here on they are the source, edited by hand: migrations are generated from\n\
         //! their changes.\n"
        .to_owned();
    if models.iter().any(Model::is_full) {
        text.push_str(
            "//! A database does not store which fields feed `embedding`: name them in `search(…)`.\n",
        );
    }
    let words = words(models);
    let used = FEATURES.iter().filter(|(ty, _)| words.contains(ty));
    let features: Vec<String> = used.map(|(_, name)| format!("`{name}`")).collect();
    match features.as_slice() {
        [] => {}
        [one] => text.push_str(&format!("//! Needs the feature {one} of `lookback`.\n")),
        several => text.push_str(&format!(
            "//! Needs the features {} of `lookback`.\n",
            several.join(" and ")
        )),
    }
    if !notes.is_empty() {
        text.push_str("\n// Objects of the database that these models lack or simplify:\n");
        for note in notes {
            text.push_str(&format!("// - {}\n", text::remark(note)));
        }
    }
    text
}

/// The identifiers in the types of the fields, such as `Hidden<Option<DateTime<Utc>>>`.
fn words<'a>(models: &'a [Model<'_>]) -> BTreeSet<&'a str> {
    models
        .iter()
        .flat_map(Model::types)
        .flat_map(|ty| ty.split(['<', '>']))
        .collect()
}

/// The types of `lookback::value`, in rustfmt's order.
const VALUES: [&str; 10] = [
    "Bytes",
    "Cidr",
    "Decimal",
    "HalfVector",
    "Hidden",
    "Inet",
    "Opaque",
    "PgInterval",
    "Uuid",
    "Vector",
];

/// The types that `lookback` has only with a feature, and the feature.
const FEATURES: [(&str, &str); 2] = [("Decimal", "rust_decimal"), ("Uuid", "uuid")];

/// The `use` lines for the types of the fields.
fn use_lines(models: &[Model<'_>], enums: &enums::Enums) -> String {
    let words = words(models);
    let mut text = String::new();
    let words = |name: &str| words.contains(name);
    let used = |names: &[&'static str]| -> Vec<&str> {
        let is_used = |name: &&str| match *name {
            "ColumnEnum" => words(name) || !enums.is_empty(),
            "Models" => true,
            "model" => !models.is_empty(),
            _ => words(name),
        };
        names.iter().copied().filter(is_used).collect()
    };
    // In rustfmt's order.
    for (path, names) in [
        (
            "chrono",
            used(&["DateTime", "NaiveDate", "NaiveDateTime", "NaiveTime", "Utc"]),
        ),
        ("lookback::embedding", used(&["Embedding"])),
        ("lookback::migrate", used(&["Models"])),
        ("lookback::value", used(&VALUES)),
        ("lookback", used(&["ColumnEnum", "Json", "model"])),
    ] {
        match names.as_slice() {
            [] => {}
            [one] => text.push_str(&format!("use {path}::{one};\n")),
            several => text.push_str(&format!("use {path}::{{{}}};\n", several.join(", "))),
        }
    }
    text
}

/// Generates the function `models`, without parts that the models imply.
fn models_function(schema: &Schema, models: &[Model<'_>], enums: &enums::Enums) -> String {
    let mut without = Schema {
        tables: models
            .iter()
            .map(|model| (model.name.clone(), model.table.clone()))
            .collect(),
        ..Schema::default()
    };
    let shown: BTreeSet<&Name> = models.iter().flat_map(Model::enums).collect();
    for name in &shown {
        let labels = schema.enums.get(*name).cloned().unwrap_or_default();
        without.enums.insert((*name).clone(), labels);
    }
    let known = match without.clone().completed() {
        Ok(known) => known,
        // In that case all objects are named.
        Err(_) => without,
    };
    let mut calls = Vec::new();
    for name in schema.extensions.difference(&known.extensions) {
        calls.push(format!("extension({})", text::string(name)));
    }
    for name in schema.schemas.difference(&known.schemas) {
        calls.push(format!("schema({})", text::string(name)));
    }
    for (name, found) in enums {
        if !shown.contains(name) {
            calls.push(format!("enum_type::<{}>()", found.rust));
        }
    }
    for model in models {
        calls.push(format!("model::<{}>()", model.rust));
    }
    format!(
        "/// All of these.\npub fn models() -> Models {{\n{}}}\n",
        chain("Models::new()", &calls)
    )
}

#[cfg(test)]
mod tests {
    use lookback_schema::{Name, Schema};

    use super::{PullOptions, rust_code};

    #[test]
    fn rust_code_of_empty_schema_is_a_module() {
        let code = rust_code(&Schema::default(), &PullOptions::default());
        insta::assert_snapshot!(code.text, @"
        //! The tables of a database.
        //!
        //! From here on they are the source, edited by hand: migrations are generated from
        //! their changes.

        use lookback::migrate::Models;

        /// All of these.
        pub fn models() -> Models {
            Models::new()
        }
        ");
    }

    #[test]
    fn rust_code_of_enum_without_values_notes_omission() {
        let mut schema = Schema::default();
        schema.enums.insert(Name::new("nothing"), Vec::new());
        let code = rust_code(&schema, &PullOptions::default());
        insta::assert_snapshot!(
            code.notes.join("\n"),
            @"the enum type nothing is left out: a model has none without values, or with an empty one"
        );
        assert!(code.text.contains(&code.notes[0]));
    }
}
