//! Reads the schema of a live database from its catalog.

use std::collections::BTreeSet;

use lookback_schema::{Name, Schema};
use sqlx::PgConnection;

use crate::error::Error;
use crate::scratch_transaction::ScratchTransaction;

mod build;
mod catalog;

pub(crate) use catalog::{current_schema, set_search_path};

/// The table in which sqlx's migrator records applied migrations.
const MIGRATIONS_TABLE: &str = "_sqlx_migrations";

/// The objects of a database to read.
///
/// Other objects are not in the resulting schema, so that no plan drops them. By default, the
/// tables and enums of the default schema are read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Scope {
    /// The schema whose objects get unqualified names.
    ///
    /// `None` means the first one of the connection's `search_path`.
    pub default_schema: Option<String>,
    /// The schemas to read besides the default one.
    pub schemas: BTreeSet<String>,
    /// The tables to read; `None` for all. Partitions are read with their table.
    pub tables: Option<BTreeSet<Name>>,
    /// The enums to read; `None` for all.
    pub enums: Option<BTreeSet<Name>>,
}

impl Scope {
    /// Selects the tables and enums of the default schema and of these schemas.
    pub fn schemas(names: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self {
            schemas: names.into_iter().map(Into::into).collect(),
            ..Self::default()
        }
    }

    /// Selects the tables and enums in these schemas, and no others.
    pub fn of<'a>(schemas: impl IntoIterator<Item = &'a Schema>) -> Self {
        let (mut named, mut tables, mut enums) =
            (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
        for schema in schemas {
            named.extend(schema.schemas.iter().cloned());
            tables.extend(schema.tables.keys().cloned());
            enums.extend(schema.enums.keys().cloned());
        }
        let used = tables
            .iter()
            .chain(&enums)
            .filter_map(|name| name.schema.clone());
        named.extend(used.collect::<Vec<_>>());
        Self {
            default_schema: None,
            schemas: named,
            tables: Some(tables),
            enums: Some(enums),
        }
    }
}

/// The schema of a live database, and notes on objects that it leaves out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Introspection {
    /// The schema.
    pub schema: Schema,
    /// Indexes left by a failed `CREATE INDEX CONCURRENTLY`.
    ///
    /// They are used by no query and are not in the schema.
    pub invalid_indexes: Vec<Name>,
    /// Sentences on objects that a [`Schema`] cannot describe, or only in part.
    pub notes: Vec<String>,
}

/// Reads the schema of a live database, as [`read`] does, without its notes.
///
/// # Errors
///
/// Those of [`read`].
pub async fn introspect(conn: &mut PgConnection, scope: &Scope) -> Result<Schema, Error> {
    Ok(read(conn, scope).await?.schema)
}

/// Reads the schema of a live database from `pg_catalog`.
///
/// The number of queries does not depend on the number of tables.
///
/// Not read are views, functions, triggers, sequences, foreign tables, tables that inherit without
/// being partitions, objects of extensions, the table of applied migrations, and objects that only
/// a partition has. Names in the default schema are printed without it. Names of extension objects
/// are printed without their schema, unless that is one of the schemas to read.
///
/// Everything is read in one transaction: its own, or the caller's transaction. Nothing is changed.
///
/// # Errors
///
/// Those of the database; [`Error::is_schema`] if there is no default schema, or if a column has a
/// form that this version does not support.
pub async fn read(conn: &mut PgConnection, scope: &Scope) -> Result<Introspection, Error> {
    const BEGIN: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
    let mut transaction = ScratchTransaction::begin(conn, BEGIN).await?;
    let result = read_here(transaction.conn(), scope, &[], &scope.schemas).await;
    transaction.end(result).await
}

/// Reads in the caller's transaction, and changes its `search_path`. Functions and other objects in
/// the schemas `also` are printed without the schema. Extension objects in the schemas `named` are
/// printed with it.
pub(crate) async fn read_here(
    conn: &mut PgConnection,
    scope: &Scope,
    also: &[String],
    named: &BTreeSet<String>,
) -> Result<Introspection, Error> {
    let default = match &scope.default_schema {
        Some(schema) => schema.clone(),
        None => catalog::current_schema(conn).await?,
    };
    catalog::set_search_path(conn, &default, also, named).await?;
    let rows = catalog::CatalogRows::read(conn, &default, scope).await?;
    build::live(&default, rows)
}
